#include "fields.hpp"

#include "staithe/base/text.hpp"

namespace staithe::steps {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr std::size_t headline_bytes = 100;

yaml::Node nothing_at(const yaml::Node& node) {
  yaml::Node nothing;
  nothing.position = node.position;
  nothing.length = node.length;
  return nothing;
}

}  // namespace

Fields::Fields(const yaml::Reader& value, const Kind& kind, Common& common, Place place)
    : kind_(kind),
      common_(common),
      place_(place),
      nothing_(nothing_at(value.node())),
      map_(value.node().kind == yaml::Kind::scalar ? nothing_ : value.node(), value.diagnostics(),
           value.path()) {
  if (value.node().kind == yaml::Kind::scalar) {
    if (kind.main_key.empty()) {
      value.error("'" + std::string(kind.name) + "' takes a mapping, not a text",
                  "write '" + std::string(kind.name) + ": {}'");
    }
    if (const auto text = value.text()) scalar_ = value.located(*text);
  }
  if (map_.valid()) read_common(map_, common_);
}

std::optional<Template> Fields::main(yaml::Need need) {
  if (scalar_) {
    if (base::trim(scalar_->value).empty()) error("'" + std::string(kind_.name) + "' is empty");
    return scalar_;
  }
  return text(kind_.main_key, need);
}

std::optional<Template> Fields::text(std::string_view key, yaml::Need need) {
  auto found = map_.text(key, scalar_ ? yaml::Need::optional : need);
  if (found && need == yaml::Need::required && base::trim(found->value).empty()) {
    map_.error_at(key, "'" + std::string(key) + "' is empty");
  }
  return found;
}

void Fields::finish() {
  map_.finish();
}

void Fields::main_error(std::string message, std::string help) {
  if (scalar_) return error(std::move(message), std::move(help));
  map_.error_at(kind_.main_key, std::move(message), std::move(help));
}

void Fields::error(std::string message, std::string help) {
  map_.error(std::move(message), std::move(help));
}

void read_common(yaml::Mapping& map, Common& common) {
  const auto once = [&map](std::string_view key, bool already) {
    if (already && map.has(key)) map.error_at(key, "'" + std::string(key) + "' is given twice");
  };
  once("name", !common.name.empty());
  if (auto name = map.text("name")) common.name = name->value;
  once("timeout", common.timeout.has_value());
  if (auto timeout = map.duration("timeout")) {
    if (timeout->value <= milliseconds(0)) map.error_at("timeout", "a timeout must be longer than nothing");
    common.timeout = timeout->value;
  }
  once("only", common.only.has_value());
  if (auto only = map.text("only")) common.only = std::move(*only);
  once("on", common.on.has_value());
  if (auto on = map.text("on")) common.on = std::move(*on);
  once("retry", common.attempts.has_value());
  const auto* written = map.node().find("retry");
  if (written != nullptr && written->kind == yaml::Kind::scalar && map.has("retry")) {
    map.value("retry")->error("expected a mapping, found text", "write it as 'retry: {times: 2, every: 5s}'");
  } else if (auto retry = map.mapping("retry")) {
    if (auto times = retry->integer("times", 0, 1000, yaml::Need::required)) {
      common.attempts = static_cast<std::uint32_t>(times->value) + 1;
    }
    if (auto every = retry->duration("every")) {
      if (every->value > hours(24)) retry->error_at("every", "more than a day between attempts");
      common.retry_every = every->value;
    }
    retry->finish();
  }
}

std::string headline(std::string_view script) {
  const std::string_view body = base::trim(script);
  std::string line(base::trim(body.substr(0, body.find('\n'))));
  const bool cut = line.size() > headline_bytes || body.find('\n') != std::string_view::npos;
  if (line.size() > headline_bytes) {
    std::size_t end = headline_bytes;
    // Never in the middle of a character.
    while (end > 0 && (static_cast<unsigned char>(line[end]) & 0xC0U) == 0x80U) --end;
    line.resize(end);
  }
  return cut ? line + " ..." : line;
}

std::string short_sha(std::string_view sha) {
  return std::string(sha.substr(0, 7));
}

}  // namespace staithe::steps
