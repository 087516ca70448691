#pragma once
#include "staithe/plan/text.hpp"
#include "staithe/steps/variables.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// `$(name)` in the texts of a playbook. `$$(` is a literal `$(`.
namespace staithe::steps {

/// A mistake in a text, where its author wrote it.
struct Problem {
  std::string message;
  std::string help;
  std::size_t offset = 0;   ///< bytes from the start of the text
  std::size_t length = 0;   ///< bytes; 0 when the whole text is meant
  bool is_warning = false;  ///< the text can be used all the same, or nobody can tell yet whether it can
  /// Where the value stands that it is in, when that is a variable's text.
  Source source{};
  std::string missing{};  ///< the variable that nobody knows, when it is that
};

/// A POSIX shell script in which every substituted value is one quoted piece, in whatever quotes the
/// author put around it. Secrets and captures stand in it as references to environment variables.
struct Script {
  std::string text;
  std::vector<plan::Input> inputs;
  bool operator==(const Script&) const = default;
};

/// The variable that the whole text is, as "$(name)" or "$(raw name)"; nullptr for other texts.
const Variable* variable_of(std::string_view text, const Variables& variables);

/// For URLs, headers, bodies and templates: secrets and captures become holes.
std::optional<plan::Text> expand_text(std::string_view text, const Variables& variables,
                                      std::vector<Problem>& problems);

/// For everything that is known when the plan is made: a secret or a capture in it is a problem.
std::optional<std::string> expand_plain(std::string_view text, const Variables& variables,
                                        std::vector<Problem>& problems);

/// For commands. `$(raw name)` puts a variable's text in unquoted; what that text substitutes is quoted.
/// Values that no quoting can make safe where they stand (inside backquotes, `${…}`, `$((…))`, a comment)
/// are refused unless they are harmless. A secret that the script would hand to a program as an argument is
/// a problem that is only a warning.
std::optional<Script> expand_shell(std::string_view text, const Variables& variables,
                                   std::vector<Problem>& problems);

/// The environment variable under which a secret or a capture reaches a command.
std::string input_name(const Variable& variable, std::string_view name);

}  // namespace staithe::steps
