#pragma once
#include "fields.hpp"

#include <utility>
#include <vector>

namespace staithe::steps {

/// What every step that runs a script says: command, directory, env and capture.
class ScriptFields {
 public:
  explicit ScriptFields(Fields& fields);

  /// The script in its directory, with the variables of `env`.
  Script expand(Lowering& at) const;
  /// The same for another script of the step.
  Script expand_with_settings(Lowering& at, const Template& script) const;
  /// The name of what is captured, which is declared from here on; "" for nothing.
  std::string capture(Lowering& at) const;
  /// The same name, declared nowhere.
  std::string captured_name() const { return capture_ ? capture_->value : std::string(); }

 private:
  Template command_;
  std::optional<Template> directory_;
  std::vector<std::pair<std::string, Template>> env_;
  std::optional<Template> capture_;
};

}  // namespace staithe::steps
