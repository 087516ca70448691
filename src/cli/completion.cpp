#include "completion.hpp"

#include "help.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace staithe::cli {
namespace {

/// Commands that are shown to people.
std::vector<const Command*> shown_commands() {
  std::vector<const Command*> shown;
  for (const auto& command : commands())
    if (!command.family.empty()) shown.push_back(&command);
  return shown;
}

std::vector<std::string> first_words() {
  std::vector<std::string> words;
  for (const auto* command : shown_commands()) {
    const auto word = base::split(command->name, ' ').front();
    if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
  }
  return words;
}

/// The second words of "hostkeys".
std::vector<std::string> second_words(std::string_view group) {
  std::vector<std::string> words;
  for (const auto* command : shown_commands()) {
    const auto parts = base::split(command->name, ' ');
    if (parts.size() == 2 && parts[0] == group) words.push_back(parts[1]);
  }
  return words;
}

/// The first words of commands of two words: "hostkeys".
std::vector<std::string> group_names() {
  std::vector<std::string> names;
  for (const auto& word : first_words())
    if (!second_words(word).empty()) names.push_back(word);
  return names;
}

std::vector<Option> options_of(const Command& command) {
  std::vector<Option> options(command.options.begin(), command.options.end());
  for (const auto& option : global_options_of(command)) options.push_back(option);
  return options;
}

/// Every option once: the same name means the same everywhere.
std::map<std::string_view, const Option*> all_options() {
  std::map<std::string_view, const Option*> options;
  for (const auto& option : global_options()) options.emplace(option.name, &option);
  for (const auto& command : commands())
    for (const auto& option : command.options) options.emplace(option.name, &option);
  return options;
}

std::string spellings(const Option& option, std::string_view separator) {
  std::string text = "--" + std::string(option.name);
  if (option.shorthand != '\0') text += fmt::format("{}-{}", separator, option.shorthand);
  return text;
}

/// The options that take a value, apart from the three that say where the names are: those are kept for
/// __complete.
std::string value_options(std::string_view separator) {
  std::string values;
  for (const auto& [name, option] : all_options()) {
    if (option->takes == Takes::nothing) continue;
    if (name == "file" || name == "environment" || name == "chdir") continue;
    values += (values.empty() ? "" : std::string(separator)) + spellings(*option, separator);
  }
  return values;
}

// ---------------------------------------------------------------- bash

std::string bash_action(Completes completes) {
  switch (completes) {
    case Completes::file:
      return "_staithe_files";
    case Completes::directory:
      return "_staithe_files -d";
    case Completes::nothing:
      return ":";
    default:
      break;
  }
  const auto words = fixed_words(completes);
  if (!words.empty()) return fmt::format("_staithe_words \"{}\"", base::join(words, " "));
  return fmt::format("_staithe_ask {}", dynamic_kind(completes));
}

constexpr std::string_view bash_head = R"sh(# bash completion for staithe, made by: staithe completion bash

_staithe_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur"); }

_staithe_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen "${1:--f}" -- "$cur")
}

# Names that the project's files give; nothing is asked over the network. What was typed with backslashes is asked for
# without and offered with them.
_staithe_ask() {
    local escaped=''
    [[ $cur != *\\* ]] || escaped=yes cur=${cur//\\/}
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" __complete "$1" "$cur" "${where[@]}" 2>/dev/null)
    [[ -z $escaped || ${#COMPREPLY[@]} == 0 ]] || mapfile -t COMPREPLY < <(printf '%q\n' "${COMPREPLY[@]}")
    [[ ${COMPREPLY[*]} != */ ]] || compopt -o nospace 2>/dev/null
}

)sh";

std::string bash() {
  std::string value_cases, option_cases, positional_cases;
  for (const auto& [name, option] : all_options()) {
    if (option->takes == Takes::nothing) continue;
    value_cases +=
        fmt::format("        {}) {}; return ;;\n", spellings(*option, " | "), bash_action(option->completes));
  }
  std::string group_cases;
  for (const auto& group : group_names())
    group_cases +=
        fmt::format("        {}) _staithe_words \"{}\" ;;\n", group, base::join(second_words(group), " "));
  for (const auto* command : shown_commands()) {
    std::string words;
    for (const auto& option : options_of(*command))
      words += (words.empty() ? "" : " ") + spellings(option, " ");
    option_cases += fmt::format("            '{}') _staithe_words \"{}\" ;;\n", command->name, words);
    positional_cases += fmt::format("        '{}') {} ;;\n", command->name, bash_action(command->completes));
  }
  return std::string(bash_head) + fmt::format(R"sh(_staithe() {{
    local cur=${{COMP_WORDS[COMP_CWORD]}} prev=${{COMP_WORDS[COMP_CWORD - 1]}} command='' word i
    local -a where=()
    COMPREPLY=()
    # bash makes three words of --name=value.
    if [[ $cur == = ]]; then cur=''
    elif [[ $prev == = ]]; then prev=${{COMP_WORDS[COMP_CWORD - 2]}}; fi
    # A quote that is open stays in front of what is offered.
    if [[ $cur == [\'\"]* ]]; then cur=${{cur:1}}; fi
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${{COMP_WORDS[i]}}
        if [[ ${{COMP_WORDS[i + 1]}} == = ]] && ((i + 1 < COMP_CWORD)); then ((i++)); fi
        case $word in
            --) return ;;
            -f | --file | -e | --environment | -C | --chdir)
                if ((i + 1 < COMP_CWORD)); then where+=("$word" "${{COMP_WORDS[i + 1]}}"); fi
                ((i++)) ;;
            {0}) ((i++)) ;;
            -*) ;;
            *)
                if [[ -z $command ]]; then command=$word
                elif [[ $command =~ ^({1})$ ]]; then command+=" $word"; fi ;;
        esac
    done
    case $prev in
{2}    esac
    if [[ $cur == -* ]]; then
        case $command in
{3}            *) _staithe_words "--help --version" ;;
        esac
        return
    fi
    case $command in
        '') _staithe_words "{4}" ;;
{5}{6}    esac
}}

complete -F _staithe staithe
)sh",
                                              value_options("|"), base::join(group_names(), "|"), value_cases,
                                              option_cases, base::join(first_words(), " "), group_cases,
                                              positional_cases);
}

// ---------------------------------------------------------------- zsh

/// Text inside single quotes and inside the brackets of an _arguments specification.
std::string zsh_text(std::string_view text) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'')
      quoted += "'\\''";
    else if (c == '[' || c == ']' || c == ':')
      quoted += std::string("\\") + c;
    else
      quoted += c;
  }
  return quoted;
}

std::string zsh_action(Completes completes) {
  switch (completes) {
    case Completes::file:
      return "_files";
    case Completes::directory:
      return "_files -/";
    case Completes::nothing:
      return " ";
    default:
      break;
  }
  const auto words = fixed_words(completes);
  if (!words.empty()) return "(" + base::join(words, " ") + ")";
  return fmt::format("_staithe_ask {}", dynamic_kind(completes));
}

std::string zsh_option(const Option& option) {
  const auto help = zsh_text(option.help);
  const std::string value = option.takes == Takes::nothing ? ""
                                                           : fmt::format(":{}:{}", zsh_text(option.metavar),
                                                                         zsh_action(option.completes));
  const std::string repeat = option.takes == Takes::values ? "*" : "";
  const auto* equals = option.takes == Takes::nothing ? "" : "=";
  std::string lines = fmt::format("'{}--{}{}[{}]{}'", repeat, option.name, equals, help, value);
  if (option.shorthand != '\0')
    lines += fmt::format(" \\\n        '{}-{}[{}]{}'", repeat, option.shorthand, help, value);
  return lines;
}

std::string zsh_arguments(const Command& command, std::string_view indent) {
  std::string text = "_arguments -s";
  for (const auto& option : options_of(command)) text += " \\\n        " + zsh_option(option);
  if (!command.positionals.empty())
    text +=
        fmt::format(" \\\n        '*:{}:{}'", zsh_text(command.positionals), zsh_action(command.completes));
  return std::string(indent) + text;
}

std::string zsh() {
  std::string described, cases;
  std::set<std::string> groups;
  for (const auto* command : shown_commands()) {
    const auto parts = base::split(command->name, ' ');
    if (parts.size() == 1) {
      described += fmt::format("    '{}:{}'\n", command->name, zsh_text(command->summary));
      cases += fmt::format("    {})\n{} ;;\n", command->name, zsh_arguments(*command, "      "));
      continue;
    }
    if (!groups.insert(parts[0]).second) continue;
    described += fmt::format("    '{}:{}'\n", parts[0], zsh_text(group_summary(parts[0])));
    cases += fmt::format(
        "    {})\n      if (( CURRENT == 2 )); then _values command {}; return; fi\n"
        "      shift words; (( CURRENT-- ))\n      case $words[1] in\n",
        parts[0], base::join(second_words(parts[0]), " "));
    for (const auto* inner : shown_commands())
      if (base::split(inner->name, ' ').front() == parts[0] &&
          inner->name.find(' ') != std::string_view::npos)
        cases += fmt::format("      {})\n{} ;;\n", base::split(inner->name, ' ')[1],
                             zsh_arguments(*inner, "        "));
    cases += "      esac ;;\n";
  }
  std::string global;
  for (const auto& option : global_options()) global += " \\\n    " + zsh_option(option);
  return fmt::format(R"sh(#compdef staithe
# zsh completion for staithe, made by: staithe completion zsh

# Names that the project's files give; nothing is asked over the network. The last argument says which; _arguments
# puts compadd's before it.
_staithe_ask() {{
  local -a names where
  local i
  for (( i = 2; i <= $#staithe_line; i++ )); do
    case $staithe_line[i] in
    -f|--file|-e|--environment|-C|--chdir)
      (( i < $#staithe_line )) && where+=($staithe_line[i] $staithe_line[i+1]) ;;
    --file=*|--environment=*|--chdir=*) where+=($staithe_line[i]) ;;
    esac
  done
  names=(${{(f)"$(${{~staithe_line[1]}} __complete $@[-1] "$PREFIX" $where 2>/dev/null)"}})
  compadd "${{@[1,-2]}}" -a names
}}

_staithe() {{
  local curcontext=$curcontext state
  local -a commands line staithe_line=("${{(@Q)words[1,CURRENT-1]}}")
  local -A opt_args
  commands=(
{}  )
  _arguments -s -C{} \
    '(-): :->command' \
    '(-)*:: :->rest' && return
  if [[ $state == command ]]; then
    _describe command commands
    return
  fi
  case $words[1] in
{}  esac
}}

_staithe "$@"
)sh",
                     described, global, cases);
}

// ---------------------------------------------------------------- fish

std::string fish_text(std::string_view text) {
  std::string quoted = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "'";
}

std::string fish_action(Completes completes) {
  switch (completes) {
    case Completes::file:
      return " -F";
    case Completes::directory:
      return " -a '(__fish_complete_directories)'";
    case Completes::nothing:
      return "";
    default:
      break;
  }
  const auto words = fixed_words(completes);
  if (!words.empty()) return fmt::format(" -a '{}'", base::join(words, " "));
  return fmt::format(" -a '(__staithe_ask {})'", dynamic_kind(completes));
}

std::string fish_value(const Option& option) {
  if (option.takes == Takes::nothing) return "";
  return (option.completes == Completes::file ? " -r" : " -x") + fish_action(option.completes);
}

/// Not behind commands that take no such option.
std::string fish_unless_refused(const Option& option) {
  std::string condition;
  for (const auto* command : shown_commands()) {
    const auto taken = global_options_of(*command);
    const bool takes =
        std::any_of(taken.begin(), taken.end(), [&](const Option& one) { return one.name == option.name; });
    if (!takes)
      condition += fmt::format("{}not __staithe_at {}", condition.empty() ? "" : "; and ", command->name);
  }
  return condition.empty() ? "" : " -n '" + condition + "'";
}

std::string fish() {
  std::string text = R"sh(# fish completion for staithe, made by: staithe completion fish

# Names that the project's files give; nothing is asked over the network.
function __staithe_ask
    set -l words (commandline -opc)
    set -l where
    for i in (seq 2 (count $words))
        if contains -- $words[$i] -f --file -e --environment -C --chdir; and test $i -lt (count $words)
            set -a where $words[$i] $words[(math $i + 1)]
        else if string match -qr -- '^--(file|environment|chdir)=' $words[$i]
            set -a where $words[$i]
        end
    end
    # The value of --name=value is what is asked for.
    set -l typed (string replace -r -- '^--[a-z-]+=' '' (commandline -ct) | string replace -r -- '^[\'"]' '')
    command $words[1] __complete $argv[1] "$typed" $where 2>/dev/null
end

# Whether this is the command of the line, with its second word if it has one.
function __staithe_at
    set -l command
    set -l value no
    for word in (commandline -opc)[2..]
        if test $value = yes
            set value no
        else if test "$word" = --
            break
        else if contains -- $word -f --file -e --environment -C --chdir)sh";
  text += " " + value_options(" ") + R"sh(
            set value yes
        else if not string match -q -- '-*' $word
            if test (count $command) = 0; or begin; test (count $command) = 1; and contains -- $command[1])sh";
  text += " " + base::join(group_names(), " ") + R"sh(; end
                set -a command $word
            end
        end
    end
    test "$command" = "$argv"
end

complete -c staithe -f
)sh";
  for (const auto& group : group_names())
    text += fmt::format("complete -c staithe -n __staithe_at -a {} -d {}\n", group,
                        fish_text(group_summary(group)));
  for (const auto* command : shown_commands()) {
    const auto parts = base::split(command->name, ' ');
    const auto above = parts.size() == 1 ? "__staithe_at" : "'__staithe_at " + parts[0] + "'";
    text += fmt::format("complete -c staithe -n {} -a {} -d {}\n", above, parts.back(),
                        fish_text(command->summary));
    const auto condition = fmt::format("complete -c staithe -n '__staithe_at {}'", command->name);
    if (!command->positionals.empty() && command->completes != Completes::nothing)
      text += condition + fish_action(command->completes) + "\n";
    for (const auto& option : command->options) {
      text += condition + " -l " + std::string(option.name);
      if (option.shorthand != '\0') text += fmt::format(" -s {}", option.shorthand);
      text += fish_value(option);
      text += " -d " + fish_text(option.help) + "\n";
    }
  }
  for (const auto& option : global_options()) {
    text += "complete -c staithe" + fish_unless_refused(option) + " -l " + std::string(option.name);
    if (option.shorthand != '\0') text += fmt::format(" -s {}", option.shorthand);
    text += fish_value(option);
    text += " -d " + fish_text(option.help) + "\n";
  }
  return text;
}

}  // namespace

std::string_view dynamic_kind(Completes completes) {
  switch (completes) {
    case Completes::playbook:
      return "playbooks";
    case Completes::suite:
      return "suites";
    case Completes::host:
      return "hosts";
    case Completes::environment:
      return "environments";
    case Completes::service:
      return "services";
    case Completes::run:
      return "runs";
    default:
      return "";
  }
}

std::vector<std::string> fixed_words(Completes completes) {
  switch (completes) {
    case Completes::color:
      return {"auto", "always", "never"};
    case Completes::shell:
      return {"bash", "zsh", "fish"};
    case Completes::command:
      return first_words();
    case Completes::topic:
      return help_topics();
    default:
      return {};
  }
}

std::optional<std::string> completion_script(std::string_view shell) {
  if (shell == "bash") return bash();
  if (shell == "zsh") return zsh();
  if (shell == "fish") return fish();
  return std::nullopt;
}

}  // namespace staithe::cli
