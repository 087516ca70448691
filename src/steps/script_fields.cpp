#include "script_fields.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::steps {
namespace {

bool is_environment_name(std::string_view name) {
  if (name.empty() || base::is_digit(name.front())) return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return base::is_alnum(c) || c == '_'; });
}

bool only_comments(std::string_view script) {
  bool comments = false;
  for (const auto& line : base::split(script, '\n')) {
    const auto text = base::trim(line);
    if (!text.empty() && text.front() != '#') return false;
    comments = comments || !text.empty();
  }
  return comments;
}

}  // namespace

ScriptFields::ScriptFields(Fields& fields) {
  if (auto command = fields.main()) command_ = std::move(*command);
  if (only_comments(command_.value))
    fields.main_error("a step without effect: there are only comments in it",
                      "drop the step, or say what it runs");
  directory_ = fields.text("directory");
  for (const yaml::Member& member : fields.map().map("env")) {
    if (!is_environment_name(member.key.value) || member.key.value.substr(0, 8) == "STAITHE_") {
      member.value.error("'" + member.key.value + "' cannot be the name of an environment variable");
      continue;
    }
    if (auto value = member.value.text()) env_.emplace_back(member.key.value, member.value.located(*value));
  }
  capture_ = fields.text("capture");
}

Script ScriptFields::expand(Lowering& at) const {
  return expand_with_settings(at, command_);
}

Script ScriptFields::expand_with_settings(Lowering& at, const Template& script) const {
  Script result = at.shell(script);
  if (directory_) {
    const Script directory = at.shell(*directory_);
    // One word: a directory is never split, whatever stands in it.
    result.text = "cd " + directory.text + " || exit\n" + result.text;
    result.inputs.insert(result.inputs.begin(), directory.inputs.begin(), directory.inputs.end());
  }
  for (const auto& [name, value] : env_) result.inputs.push_back({name, at.text(value)});
  return result;
}

std::string ScriptFields::capture(Lowering& at) const {
  if (!capture_) return {};
  at.declare_capture(*capture_);
  return capture_->value;
}

}  // namespace staithe::steps
