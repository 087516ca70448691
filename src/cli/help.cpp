#include "help.hpp"

#include "version.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace staithe::cli {
namespace {

constexpr std::size_t width = 80;

std::string spelled(const Option& option) {
  std::string text = option.shorthand != '\0' ? fmt::format("-{}, ", option.shorthand) : "    ";
  text += fmt::format("--{}", option.name);
  if (option.takes != Takes::nothing) text += fmt::format(" {}", option.metavar);
  return text;
}

std::string option_lines(const Option& option) {
  constexpr std::size_t help_column = 28;
  const std::string left = "  " + spelled(option);
  std::string text = left;
  if (left.size() + 2 > help_column)
    text += '\n' + std::string(help_column, ' ');
  else
    text += std::string(help_column - left.size(), ' ');
  return text + wrapped(option.help, help_column, help_column) + '\n';
}

std::string examples_of(const Command& command) {
  std::string text;
  for (const auto& example : command.examples) {
    if (example.line.size() > 44)
      text += fmt::format("  {}\n{}{}\n", example.line, std::string(48, ' '), example.says);
    else
      text += fmt::format("  {:<46}{}\n", example.line, example.says);
  }
  return text;
}

std::string grouped_options(std::span<const Option> options) {
  std::vector<std::string_view> groups;
  for (const auto& option : options)
    if (std::find(groups.begin(), groups.end(), option.group) == groups.end()) groups.push_back(option.group);
  std::string text;
  for (const auto group : groups) {
    text += fmt::format("\n{}:\n", group);
    for (const auto& option : options)
      if (option.group == group) text += option_lines(option);
  }
  return text;
}

constexpr std::string_view exit_line =
    "\nExit: 0 done, 1 failed and put back, 2 usage, 3 files wrong, 4 refused before\n"
    "      any change, 5 failed and needs a person, 130/143 interrupted\n";

}  // namespace

std::string wrapped(std::string_view text, std::size_t indent, std::size_t column) {
  std::string lines;
  for (const auto& word : base::split(text, ' ')) {
    if (column + word.size() + 1 > width && column > indent) {
      lines += '\n' + std::string(indent, ' ');
      column = indent;
    } else if (!lines.empty() && lines.back() != ' ' && lines.back() != '\n') {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
  }
  return lines;
}

std::string overview() {
  std::string text =
      "staithe - roll releases out behind HAProxy without losing a request\n\n"
      "Usage: staithe <command> [options]\n\n"
      "  staithe deploy --dry-run            show what would happen\n"
      "  staithe deploy --yes                do it\n"
      "  staithe status                      balancers, servers, releases\n\n";
  std::vector<std::string_view> families;
  for (const auto& command : commands())
    if (!command.family.empty() &&
        std::find(families.begin(), families.end(), command.family) == families.end())
      families.push_back(command.family);
  for (const auto family : families) {
    std::string names, group;
    for (const auto& command : commands()) {
      if (command.family != family) continue;
      const auto words = base::split(command.name, ' ');
      // "hostkeys scan|pin|verify"
      if (words.size() == 2 && words[0] == group) {
        names += "|" + words[1];
        continue;
      }
      group = words.size() == 2 ? words[0] : "";
      names += (names.empty() ? "" : "  ") + std::string(command.name);
    }
    text += fmt::format("{:<12} {}\n", family, names);
  }
  return text + "\nRun 'staithe <command> --help' for options, 'man staithe' for everything.\n";
}

std::string help_for(const Command& command) {
  std::string text = fmt::format("{}\n\nUsage: staithe {} [options]{}{}\n", command.summary, command.name,
                                 command.positionals.empty() ? "" : " ", command.positionals);
  if (!command.about.empty()) text += '\n' + wrapped(command.about, 0, 0) + '\n';
  if (!command.examples.empty()) text += "\nExamples:\n" + examples_of(command);
  text += grouped_options(command.options);
  text += grouped_options(global_options_of(command));
  text.append(exit_line);
  const bool fails_on = std::any_of(command.options.begin(), command.options.end(),
                                    [](const Option& option) { return option.name == "fail-on"; });
  return fails_on ? text + "      6 what --fail-on says: degraded, or tolerated\n" : text;
}

std::string group_summary(std::string_view noun) {
  if (noun == "stage") return "Copy production's PostgreSQL into staging, and rehearse migrations there.";
  return noun == "hostkeys" ? "Show, write down and check host keys." : "";
}

std::string group_help(const std::string& noun) {
  if (noun.empty()) return overview();
  std::string text =
      fmt::format("{}\n\nUsage: staithe {} <command> [options]\n\n", group_summary(noun), noun);
  for (const auto& command : commands())
    if (command.name.rfind(noun + " ", 0) == 0)
      text += fmt::format("  {:<24}{}\n", command.name, command.summary);
  return text;
}

std::string version_text() {
  return fmt::format("staithe {}\n", version);
}

}  // namespace staithe::cli
