#include "help.hpp"

#include "staithe/base/text.hpp"
#include "staithe/steps/step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace staithe::cli {
namespace {

constexpr std::string_view exit_codes =
    R"(Exit codes, the same for every command:

    0  done; or the plan was printed; or everything is well
    1  failed, and everything is put back: no host is out of rotation, and all
       run the same release
    2  the command line is wrong
    3  staithe.yml or a playbook is wrong; nothing was run
    4  refused before any change: the lock is held, the plan has another id,
       nobody confirmed, a host key is unknown or changed, the preflight failed,
       too few servers would be left
    5  failed, and needs a person: a host is left out of rotation, releases are
       mixed, or something could not be put back. The last lines say what, and
       the command to run next
    6  of check, with --fail-on: nothing failed, but the verdict is degraded, or
       tolerated
   70  a bug in staithe
  130  interrupted by Ctrl-C; the hosts in hand were finished or put back. Those
       that were done before keep the new release: the last lines say which, and
       the command that goes on
  143  the same, by SIGTERM, or by SIGHUP: the terminal went away

The exit status of a command on a host is never passed on.
)";

std::string variables_text() {
  std::string text = "Environment variables that staithe reads:\n\n";
  for (const auto& variable : environment_variables())
    text += fmt::format("  {:<22}{}\n", variable.name, variable.says);
  return text +
         "\nThe command line wins. Secrets of a project come from the\n"
         "variables that its files name ('env NAME').\n";
}

/// Where the text of a "name   what it is" line begins; 0 for a line of a paragraph.
std::size_t text_column(std::string_view line) {
  const auto gap = line.find("  ");
  if (gap == std::string_view::npos) return 0;
  const auto text = line.find_first_not_of(' ', gap);
  return text == std::string_view::npos ? 0 : text;
}

/// A manual's text for 80 columns: paragraphs and the lines of a list are filled anew, empty lines stay.
std::string filled(std::string_view manual) {
  std::string text, entry;
  std::size_t column = 0;
  const auto flush = [&] {
    if (!entry.empty())
      text +=
          entry.substr(0, column) + wrapped(std::string_view(entry).substr(column), column, column) + '\n';
    entry.clear();
  };
  for (const auto& line : base::split(manual, '\n')) {
    const auto words = base::trim(line);
    const bool indented = !line.empty() && line[0] == ' ';
    const bool goes_on =
        !entry.empty() && !words.empty() && (column > 0 ? indented : !indented && text_column(line) == 0);
    if (goes_on) {
      entry.append(" ").append(words);
      continue;
    }
    flush();
    if (words.empty()) {
      text += '\n';
      continue;
    }
    entry = line;
    column = text_column(line);
  }
  flush();
  return text;
}

std::string steps_text() {
  std::string text = "Kinds of steps in a playbook:\n\n";
  for (const auto& kind : steps::kinds()) text += fmt::format("  {:<10}{}\n", kind.name, kind.summary);
  return text + "\n'staithe help KIND' explains one, staithe-playbook(5) everything.\n";
}

std::string step_text(const steps::Kind& kind) {
  std::string text =
      fmt::format("Step {}: {}\n\n{}\nExample:\n", kind.name, kind.summary, filled(base::trim(kind.manual)));
  for (const auto& line : base::split(base::trim(kind.example), '\n')) text += "  " + line + "\n";
  return text;
}

struct Subject {
  std::string_view name;
  std::string (*text)();
};

constexpr std::array<Subject, 3> subjects{{
    {"exit-codes", [] { return std::string(exit_codes); }},
    {"environment", variables_text},
    {"steps", steps_text},
}};

}  // namespace

std::vector<std::string> help_topics() {
  std::vector<std::string> topics;
  for (const auto& subject : subjects) topics.emplace_back(subject.name);
  for (const auto& command : commands())
    if (!command.family.empty()) topics.emplace_back(base::split(command.name, ' ').front());
  for (const auto& kind : steps::kinds()) topics.emplace_back(kind.name);
  std::sort(topics.begin(), topics.end());
  topics.erase(std::unique(topics.begin(), topics.end()), topics.end());
  return topics;
}

std::optional<std::string> help_on(const std::string& topic) {
  for (const auto& subject : subjects)
    if (topic == subject.name) return subject.text();
  std::string text;
  if (const auto* command = find_command(topic)) text = help_for(*command);
  if (text.empty() && !group_summary(topic).empty()) text = group_help(topic);
  if (const auto* kind = steps::find_kind(topic)) text += (text.empty() ? "" : "\n") + step_text(*kind);
  if (text.empty()) return std::nullopt;
  return text;
}

}  // namespace staithe::cli
