#include "file_fields.hpp"

#include <charconv>

namespace staithe::steps {

FileFields::FileFields(Fields& fields) {
  if (auto to = fields.text("to", yaml::Need::required)) to_ = std::move(*to);
  const auto mode = fields.text("mode");
  if (!mode) return;
  unsigned value = 0;
  const char* end = mode->value.data() + mode->value.size();
  const auto parsed = std::from_chars(mode->value.data(), end, value, 8);
  const bool good = parsed.ec == std::errc() && parsed.ptr == end && mode->value.size() >= 3 &&
                    mode->value.size() <= 4 && value <= 07777;
  if (good) {
    mode_ = value;
  } else {
    fields.map().error_at("mode", "'" + mode->value + "' is no file mode",
                          "write three or four octal digits, such as \"0644\"");
  }
}

plan::UploadFile FileFields::effect(Lowering& at) const {
  plan::UploadFile effect;
  effect.host = at.host();
  if (to_.value.empty()) return effect;  // it is missing, and that is said
  effect.mode = mode_;
  const auto path = at.plain(to_);
  if (!path) return effect;
  effect.path = *path;
  if (!path->starts_with('/') || path->ends_with('/'))
    at.error(to_, "'" + *path + "' is not the absolute path of a file");
  return effect;
}

plan::Action FileFields::action(Lowering& at, plan::UploadFile effect, std::string title,
                                base::Duration timeout) {
  constexpr std::uint32_t usual_attempts = 3;  // half a file is never there: sending it again is safe
  plan::Action action = at.action(std::move(effect), std::move(title), timeout, usual_attempts);
  action.alters_service = at.site().place == Place::each;
  return action;
}

}  // namespace staithe::steps
