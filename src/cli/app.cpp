#include "app.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <charconv>

namespace staithe::cli {
namespace {

void clean_values(nlohmann::json& node, const base::Redactor& redactor) {
  if (node.is_string()) node = redactor.clean(node.get_ref<const std::string&>());
  if (!node.is_structured()) return;
  for (auto& inner : node) clean_values(inner, redactor);
}

}  // namespace

App::App(Parsed parsed) : args_(std::move(parsed)), terminal_(Terminal::of_process()) {}

ColorChoice App::color_choice() const {
  const auto choice = args_.value("color", "auto");
  if (choice == "always") return ColorChoice::always;
  if (choice == "never") return ColorChoice::never;
  if (choice != "auto") throw UsageError(fmt::format("--color is auto, always or never, not '{}'", choice));
  return ColorChoice::automatic;
}

std::string App::clean_values(const std::string& json) const {
  if (json.empty() || redactor_.knows_none()) return json;
  auto document = nlohmann::json::parse(json);
  cli::clean_values(document, redactor_);
  return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void App::print_plan(const std::string& json, const std::string& id) {
  auto document = nlohmann::json::parse(json);
  cli::clean_values(document, redactor_);
  document["id"] = id;
  print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

int App::fail(int code, const std::string& text) {
  say("staithe: " + text);
  failure_ = text;
  return code;
}

std::uint32_t App::number(std::string_view option, std::uint32_t otherwise) const {
  if (!args_.has(option)) return otherwise;
  const auto text = args_.value(option);
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size())
    throw UsageError(fmt::format("--{} takes a number, not '{}'", option, text));
  return value;
}

base::Duration App::duration(std::string_view option, base::Duration otherwise) const {
  if (!args_.has(option)) return otherwise;
  const auto parsed = base::parse_duration(args_.value(option));
  if (!parsed)
    throw UsageError(
        fmt::format("--{} takes a time such as 30s or 5m, not '{}'", option, args_.value(option)));
  return *parsed;
}

void App::on_hang_up(std::function<void()> what) {
  const std::lock_guard lock(hang_up_mutex_);
  hang_up_ = std::move(what);
}

bool App::hang_up() {
  const std::lock_guard lock(hang_up_mutex_);
  if (hang_up_) hang_up_();
  return hang_up_ != nullptr;
}

}  // namespace staithe::cli
