#include "parse.hpp"

#include "exit_codes.hpp"
#include "help.hpp"

#include "staithe/base/text.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <memory>

namespace staithe::cli {
namespace {

constexpr std::array<std::string_view, 2> selections{"hosts", "limit"};

/// The last of two would silently leave out what the first one meant.
bool once_only(std::string_view option) {
  return std::find(selections.begin(), selections.end(), option) != selections.end();
}

/// CLI11's tree made from the table. CLI11 writes into `values`; nothing of it leaves this file.
class Tree {
 public:
  /// `words`: what was typed. A command whose name is not among them cannot be meant: making its options
  /// would be most of the time of a short command.
  explicit Tree(const std::vector<std::string>& words) : app_("staithe") {
    app_.set_help_flag();
    app_.require_subcommand(0, 1);
    for (const auto& command : commands()) add(command, words);
    app_.add_flag("-h,--help");
    app_.add_flag("--version");
  }

  CLI::App& app() { return app_; }

  /// The innermost command that was named; its prefix ("hostkeys") is in `group` when only that was.
  const Command* chosen() const {
    for (const auto& leaf : leaves_)
      if (leaf->app->parsed()) return leaf->command;
    return nullptr;
  }
  std::string chosen_group() const {
    for (const auto& [name, group] : groups_)
      if (group->parsed()) return name;
    return {};
  }

  Parsed result() const {
    Parsed parsed;
    for (const auto& leaf : leaves_) {
      if (!leaf->app->parsed()) continue;
      parsed.command = leaf->command;
      parsed.positionals = leaf->positionals;
      for (const auto& [name, option] : leaf->options)
        if (option->count() > 0)
          parsed.values[name] =
              leaf->flags.count(name) > 0 ? std::vector<std::string>(option->count()) : leaf->values.at(name);
    }
    return parsed;
  }

 private:
  struct Leaf {
    const Command* command = nullptr;
    CLI::App* app = nullptr;
    std::map<std::string, CLI::Option*> options;
    std::map<std::string, std::vector<std::string>> values;
    std::map<std::string, bool> flags;
    std::vector<std::string> positionals;
  };

  void add(const Command& command, const std::vector<std::string>& typed) {
    const auto was_typed = [&](const std::string& word) {
      return std::find(typed.begin(), typed.end(), word) != typed.end();
    };
    const auto names = base::split(command.name, ' ');
    if (!was_typed(names[0])) return;
    CLI::App* parent = &app_;
    if (names.size() == 2) {
      auto& group = groups_[names[0]];
      if (group == nullptr) {
        group = app_.add_subcommand(names[0]);
        group->set_help_flag("-h,--help");
        group->require_subcommand(0, 1);
      }
      parent = group;
      if (!was_typed(names[1])) return;
    }
    auto leaf = std::make_unique<Leaf>();
    leaf->command = &command;
    leaf->app = parent->add_subcommand(names.back());
    leaf->app->set_help_flag();
    for (const auto& option : global_options()) add(*leaf, option);
    for (const auto& option : command.options) add(*leaf, option);
    if (!command.positionals.empty()) leaf->app->add_option("arguments", leaf->positionals);
    leaves_.push_back(std::move(leaf));
  }

  static void add(Leaf& leaf, const Option& option) {
    const std::string name(option.name);
    const std::string spelled =
        option.shorthand != '\0' ? fmt::format("-{},--{}", option.shorthand, name) : "--" + name;
    CLI::Option* added = nullptr;
    if (option.takes == Takes::nothing) {
      leaf.values[name];
      added = leaf.app->add_flag(spelled, leaf.flags[name]);
      added->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
    } else {
      added = leaf.app->add_option(spelled, leaf.values[name]);
      // One value each time, though they are kept in a vector: "-f FILE PLAYBOOK" has a positional.
      const bool all = option.takes == Takes::values || once_only(option.name);
      added->expected(1)->allow_extra_args(false)->multi_option_policy(
          all ? CLI::MultiOptionPolicy::TakeAll : CLI::MultiOptionPolicy::TakeLast);
    }
    leaf.options[name] = added;
  }

  CLI::App app_;
  std::vector<std::unique_ptr<Leaf>> leaves_;
  std::map<std::string, CLI::App*> groups_;
};

ParseResult usage_error(std::string message, const std::string& command) {
  ParseResult result;
  result.exit_code = exit_usage;
  result.to_stderr =
      fmt::format("staithe: {}\nSee 'staithe {}--help'.\n", message, command.empty() ? "" : command + " ");
  return result;
}

std::string suggestion(std::string_view word, const std::vector<std::string>& known) {
  const auto near = base::nearest(word, known);
  return near ? fmt::format("; did you mean '{}'?", *near) : "";
}

/// What `staithe WORD` was to be: a command of a group that was named alone, or the nearest one.
std::string command_suggestion(const std::string& typed) {
  if (const auto whole = command_of_group(typed)) return fmt::format("; did you mean '{}'?", *whole);
  std::vector<std::string> words;
  for (const auto& command : commands()) {
    const auto word = base::split(command.name, ' ').front();
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  return suggestion(typed, words);
}

/// Something was left over: a word that is no command, or an option that the command does not have.
ParseResult unknown(const std::vector<std::string>& rest, const Command* command) {
  // An option explains the words behind it that nobody takes either.
  auto first = std::find_if(rest.begin(), rest.end(), [](const auto& one) { return one.rfind('-', 0) == 0; });
  if (first == rest.end()) first = rest.begin();
  const std::string word = first == rest.end() ? "" : *first;
  if (command == nullptr && word.rfind('-', 0) == 0) {
    std::vector<std::string> options{"--version"};
    for (const auto& option : global_options()) options.push_back("--" + std::string(option.name));
    return usage_error(
        fmt::format("'{}' needs a command, or is no option{}", word, suggestion(word, options)), "");
  }
  if (command == nullptr)
    return usage_error(fmt::format("no command '{}'{}", word, command_suggestion(word)), "");
  std::vector<std::string> options;
  for (const auto& option : global_options()) options.push_back("--" + std::string(option.name));
  for (const auto& option : command->options) options.push_back("--" + std::string(option.name));
  const std::string name(command->name);
  const bool has_words_of_hosts = command->positionals.starts_with("--");
  if (word.rfind('-', 0) == 0) {
    const auto near = suggestion(word, options);
    return usage_error(
        fmt::format("{} has no option '{}'{}", name, word,
                    near.empty() && has_words_of_hosts ? "; its command stands behind '--'" : near),
        name);
  }
  if (has_words_of_hosts)
    return usage_error(
        fmt::format("{0} has its hosts behind -H: staithe {0} -H HOSTS {1}", name, command->positionals),
        name);
  return usage_error(fmt::format("{} takes no '{}'", name, word), name);
}

ParseResult unknown_in_group(const std::vector<std::string>& rest, const std::string& group) {
  std::vector<std::string> known;
  for (const auto& command : commands())
    if (command.name.rfind(group + " ", 0) == 0) known.push_back(base::split(command.name, ' ')[1]);
  const std::string word = rest.empty() ? "" : rest.front();
  return usage_error(fmt::format("no command '{} {}'{}", group, word, suggestion(word, known)), group);
}

bool is_blank(const std::string& text) {
  return base::trim(text).empty();
}

constexpr std::string_view empty_why = " (a variable that is not set?)";

/// What would mean everything or the default when a script's variable is not set. The words behind "--"
/// are the hosts' own.
std::optional<ParseResult> refuse_empty(const Parsed& parsed) {
  const auto& command = *parsed.command;
  if (command.family.empty()) return std::nullopt;  // asked by completion scripts, about half a word
  for (const auto& options : {command.options, global_options()})
    for (const auto& option : options) {
      const auto values = parsed.all(option.name);
      if (option.takes != Takes::nothing && std::any_of(values.begin(), values.end(), is_blank))
        return usage_error(fmt::format("--{} needs {}, and what it was given is empty{}", option.name,
                                       option.metavar, empty_why),
                           std::string(command.name));
    }
  const bool words_of_hosts = command.positionals.starts_with("--");
  if (!words_of_hosts && std::any_of(parsed.positionals.begin(), parsed.positionals.end(), is_blank))
    return usage_error(fmt::format("a word given to {} is empty{}", command.name, empty_why),
                       std::string(command.name));
  return std::nullopt;
}

std::optional<ParseResult> refuse_twice(const Parsed& parsed) {
  for (const auto option : selections) {
    const auto values = parsed.all(option);
    if (std::all_of(values.begin(), values.end(), [&](const auto& one) { return one == values.front(); }))
      continue;
    return usage_error(fmt::format("--{} is given {} times: join what is meant, as in --{} {}", option,
                                   values.size(), option, base::shell_quote(base::join(values, ","))),
                       std::string(parsed.command->name));
  }
  return std::nullopt;
}

/// How many words beside its options a command takes.
std::size_t most_words(const Command& command) {
  if (command.positionals.find("...") != std::string_view::npos)
    return std::numeric_limits<std::size_t>::max();
  return base::split(command.positionals, ' ').size();
}

/// Variables stand for global options that were not given.
void take_environment(Parsed& parsed) {
  for (const auto& variable : environment_variables()) {
    if (variable.option.empty() || parsed.has(variable.option)) continue;
    const char* value = std::getenv(std::string(variable.name).c_str());
    if (value == nullptr || *value == '\0') continue;
    parsed.values[std::string(variable.option)] = {value};
  }
}

/// CLI11's sentence about an option without its value names a type; ours names what is wanted.
std::string option_complaint(const std::string& text, const Command* command) {
  if (command == nullptr || text.find("required") == std::string::npos) return text;
  for (const auto& options : {command->options, global_options()})
    for (const auto& option : options)
      if (text.rfind(fmt::format("--{}:", option.name), 0) == 0)
        return fmt::format("--{} needs {}", option.name, option.metavar);
  return text;
}

ParseResult printed(std::string text) {
  ParseResult result;
  result.to_stdout = std::move(text);
  return result;
}

bool asks_for_help(int argc, const char* const* argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--") return false;
    if (word == "-h" || word == "--help") return true;
  }
  return false;
}

}  // namespace

std::string Parsed::value(std::string_view option, std::string_view otherwise) const {
  const auto found = values.find(option);
  return found == values.end() || found->second.empty() ? std::string(otherwise) : found->second.back();
}

std::vector<std::string> Parsed::all(std::string_view option) const {
  const auto found = values.find(option);
  return found == values.end() ? std::vector<std::string>{} : found->second;
}

namespace {

/// The global option that a word is, with its value behind '=' or without one; nullptr when it is none.
const Option* global_option(const std::string& word) {
  const auto spelled = word.substr(0, word.find('='));
  for (const auto& option : global_options())
    if (spelled == fmt::format("--{}", option.name) || spelled == fmt::format("-{}", option.shorthand))
      return &option;
  return nullptr;
}

bool takes_next_word(const std::string& word) {
  const auto* option = global_option(word);
  return option != nullptr && option->takes != Takes::nothing && word.find('=') == std::string::npos;
}

/// "staithe deploy --deadline TIME" for a word that is an option of some command, but not of every one: of
/// one that is among `words`, if it can be; "" for other words.
std::string example_with(const std::string& word, const std::vector<std::string>& words) {
  const auto spelled = word.substr(0, word.find('='));
  std::string example;
  if (global_option(word) != nullptr) return example;
  for (const auto& command : commands()) {
    const auto option = std::find_if(command.options.begin(), command.options.end(), [&](const Option& one) {
      return spelled == fmt::format("--{}", one.name);
    });
    if (option == command.options.end()) continue;
    const bool is_meant = std::find(words.begin(), words.end(), command.name) != words.end();
    if (!is_meant && !example.empty()) continue;
    example = fmt::format("staithe {} {}", command.name, spelled);
    if (option->takes != Takes::nothing) example += fmt::format(" {}", option->metavar);
    if (is_meant) break;
  }
  return example;
}

/// How many words stand in front of the command.
std::size_t words_in_front(const std::vector<std::string>& words) {
  std::size_t front = 0;
  while (front < words.size() && words[front].size() > 1 && words[front][0] == '-' && words[front] != "--")
    front += takes_next_word(words[front]) ? 2 : 1;
  return std::min(front, words.size());
}

/// Global options may stand in front of the command, where CLI11 does not know them: they are moved behind
/// what follows, but not behind "--".
std::vector<std::string> reordered(std::vector<std::string> words, std::size_t front) {
  if (front == 0 || front == words.size()) return words;
  const auto begin = words.begin() + static_cast<std::ptrdiff_t>(front);
  std::rotate(words.begin(), begin, std::find(begin, words.end(), "--"));
  return words;
}

}  // namespace

ParseResult parse(int argc, const char* const* argv) {
  if (argc < 2) {
    ParseResult result;
    result.to_stderr = overview();
    result.exit_code = exit_usage;
    return result;
  }
  std::vector<std::string> words(argv + 1, argv + argc);
  const auto front = words_in_front(words);
  for (std::size_t i = 0; i < front; ++i)
    if (const auto example = example_with(words[i], words); !example.empty())
      return usage_error(fmt::format("'{}' must come after the command, as in '{}'",
                                     words[i].substr(0, words[i].find('=')), example),
                         "");
  words = reordered(std::move(words), front);
  // CLI11 would take the next word for the value.
  for (const auto& word : words) {
    if (word == "--" || words.front().starts_with("__")) break;
    if (word.size() > 3 && word.starts_with("--") && word.find('=') == word.size() - 1)
      return usage_error(fmt::format("{} is empty{}", word, empty_why), "");
  }
  Tree tree(words);
  try {
    std::reverse(words.begin(), words.end());  // as CLI11 wants them
    tree.app().parse(std::move(words));
  } catch (const CLI::ExtrasError&) {
    if (asks_for_help(argc, argv) && tree.chosen() != nullptr) return printed(help_for(*tree.chosen()));
    auto rest = tree.app().remaining(true);
    const auto group = tree.chosen_group();
    if (tree.chosen() == nullptr && !group.empty()) return unknown_in_group(rest, group);
    return unknown(rest, tree.chosen());
  } catch (const CLI::CallForHelp&) {
    return printed(group_help(tree.chosen_group()));
  } catch (const CLI::ParseError& error) {
    const auto* command = tree.chosen();
    if (asks_for_help(argc, argv) && command != nullptr) return printed(help_for(*command));
    return usage_error(option_complaint(error.what(), command),
                       command == nullptr ? "" : std::string(command->name));
  }
  const Command* command = tree.chosen();
  if (command == nullptr) {
    if (tree.app().count("--version") > 0) return printed(version_text());
    const auto group = tree.chosen_group();
    if (!group.empty() && !asks_for_help(argc, argv))
      return usage_error(fmt::format("'{}' needs one of its commands", group), group);
    return printed(group.empty() ? overview() : group_help(group));
  }
  ParseResult result;
  result.parsed = tree.result();
  if (result.parsed->has("help")) return printed(help_for(*command));
  const auto& positionals = result.parsed->positionals;
  if (const auto most = most_words(*command); positionals.size() > most)
    return unknown({positionals[most]}, command);
  if (auto refusal = refuse_empty(*result.parsed)) return *refusal;
  if (auto refusal = refuse_twice(*result.parsed)) return *refusal;
  take_environment(*result.parsed);
  return result;
}

}  // namespace staithe::cli
