#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// One table of commands and options. It feeds the parser, --help, the completions and the OPTIONS of the
/// manual pages, so that they cannot disagree.
namespace staithe::cli {

class App;

enum class Takes { nothing, value, values };  ///< values: the option may be repeated
enum class Completes {
  nothing,
  file,
  directory,
  playbook,
  suite,
  host,
  environment,
  run,
  command,
  color,
  shell,
  topic,
  service
};

struct Option {
  std::string_view name;  ///< without dashes: "dry-run"
  char shorthand;         ///< '\0' for none
  Takes takes;
  std::string_view metavar;
  Completes completes;
  std::string_view group;  ///< heading in the help: "What to do"
  std::string_view help;
};

struct Example {
  std::string_view line;
  std::string_view says;
};

struct Command {
  std::string_view name;         ///< "deploy", "hostkeys scan"
  std::string_view family;       ///< heading in the overview: "Deploying"
  std::string_view summary;      ///< one line, ends with a full stop
  std::string_view positionals;  ///< "[PLAYBOOK]", "HOST..."
  Completes completes;           ///< the positionals
  std::string_view about;        ///< a paragraph for the help and the manual page, "" for none
  std::span<const Example> examples;
  std::span<const Option> options;
  int (*run)(App&);
};

/// An environment variable that is read. `option`: the global option that it stands for when that is not
/// given, "" for none.
struct Variable {
  std::string_view name;
  std::string_view option;
  std::string_view says;
};

std::span<const Command> commands();
std::span<const Variable> environment_variables();
/// Options that nearly every command has.
std::span<const Option> global_options();
/// Those of them that a command takes: what help and completion offer. The parser knows all of them, to say
/// why one is refused.
std::vector<Option> global_options_of(const Command& command);
/// Null when there is none of that name.
const Command* find_command(std::string_view name);
/// The whole name of a command of a group from its last word: "stage rehearse" from "rehearse".
std::optional<std::string> command_of_group(std::string_view word);
/// Global options that would be overlooked are refused. --report:
bool tells_no_run(std::string_view command);
/// --limit:
bool asks_no_hosts(std::string_view command);

}  // namespace staithe::cli
