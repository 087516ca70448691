#include "man.hpp"

#include "app.hpp"
#include "exit_codes.hpp"
#include "table.hpp"

#include "staithe/base/text.hpp"
#include "staithe/checks/help.hpp"
#include "staithe/steps/step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

/// Source of the markup: mdoc(7).
namespace staithe::cli {
namespace {

/// A line of text that roff takes for nothing else.
std::string escaped(std::string_view text) {
  constexpr std::string_view ellipsis = "…";
  std::string out;
  if (!text.empty() && (text.front() == '.' || text.front() == '\'')) out = "\\&";
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i, ellipsis.size()) == ellipsis) {
      out += "...";
      i += ellipsis.size() - 1;
    } else if (text[i] == '\\') {
      out += "\\e";
    } else {
      out += text[i];
    }
  }
  return out;
}

/// One argument of a macro, whatever is in it.
std::string argument(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : escaped(text)) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string sentence(std::string text) {
  if (text.empty()) return text;
  if (text.back() != '.' && text.back() != '?') text += '.';
  if (text.front() >= 'a' && text.front() <= 'z') text.front() = static_cast<char>(text.front() - 'a' + 'A');
  return text;
}

std::string item(const Option& option) {
  std::string line = ".It ";
  if (option.shorthand != '\0') line += fmt::format("Fl {} , ", option.shorthand);
  line += fmt::format("Fl Fl {}", option.name);
  if (option.takes != Takes::nothing) line += fmt::format(" Ar {}", argument(option.metavar));
  return fmt::format("{}\n{}\n", line, escaped(sentence(std::string(option.help))));
}

std::string items(std::span<const Option> options) {
  std::string text = ".Bl -tag -width Ds\n";
  for (const auto& option : options) text += item(option);
  return text + ".El\n";
}

std::string positional(std::string word) {
  const bool optional = word.size() > 2 && word.front() == '[' && word.back() == ']';
  if (optional) word = word.substr(1, word.size() - 2);
  const bool repeated = word.ends_with("...");
  if (repeated) word.resize(word.size() - 3);
  const auto macro = word == "--" ? std::string("Fl \\-") : fmt::format("Ar {}", word);
  return fmt::format(".{}{}{}\n", optional ? "Op " : "", macro, repeated ? " ..." : "");
}

std::string synopsis_of(const Command& command) {
  std::string text = fmt::format(".Nm staithe {}\n.Op Ar options\n", command.name);
  if (!command.positionals.empty())
    for (const auto& word : base::split(command.positionals, ' ')) text += positional(word);
  return text;
}

std::string example_list(const Command& command) {
  std::string text = ".Bl -tag -width Ds\n";
  for (const auto& example : command.examples)
    text +=
        fmt::format(".It Ic {}\n{}\n", argument(example.line), escaped(sentence(std::string(example.says))));
  return text + ".El\n";
}

std::string command_list() {
  std::string text;
  std::string_view family;
  for (const auto& command : commands()) {
    if (command.family.empty()) continue;
    if (command.family != family) {
      if (!family.empty()) text += ".El\n";
      family = command.family;
      text += fmt::format(".Ss {}\n.Bl -tag -width Ds\n", family);
    }
    const auto page = base::split(command.name, ' ').front();
    text += fmt::format(".It Ic {}\n{}\nSee\n.Xr staithe-{} 1 .\n", argument(command.name),
                        escaped(command.summary), page);
  }
  return text + ".El\n";
}

std::string environment_list() {
  std::string text = ".Bl -tag -width Ds\n";
  for (const auto& variable : environment_variables())
    text += fmt::format(".It Ev {}\n{}\n", variable.name, escaped(sentence(std::string(variable.says))));
  return text + ".El\n";
}

/// Each sentence on a line of its own, as roff wants it.
std::string sentences(std::string_view text) {
  std::string out;
  for (std::size_t end = text.find(". "); end != std::string_view::npos; end = text.find(". ")) {
    out += escaped(text.substr(0, end + 1)) + '\n';
    text = base::trim(text.substr(end + 1));
  }
  return out + escaped(text) + '\n';
}

/// The plain text of a step's section: paragraphs, and lists of "key  what it is" whose further lines are
/// indented.
class PlainText {
 public:
  std::string render(std::string_view text) {
    for (const auto& line : base::split(text, '\n')) add(line);
    close();
    return std::move(out_);
  }

 private:
  void add(const std::string& line) {
    if (line.empty()) {
      close();
      wants_paragraph_ = !out_.empty();
      return;
    }
    if (line.front() == ' ') {
      out_ += sentences(base::trim(line));
      return;
    }
    const auto gap = line.find("  ");
    if (gap == std::string::npos) {
      close();
      if (wants_paragraph_) out_ += ".Pp\n";
      wants_paragraph_ = false;
      out_ += sentences(line);
      return;
    }
    if (!in_list_) out_ += ".Bl -tag -width Ds\n";
    in_list_ = true;
    wants_paragraph_ = false;
    out_ += fmt::format(".It Cm {}\n{}", argument(line.substr(0, gap)),
                        sentences(base::trim(std::string_view(line).substr(gap))));
  }

  void close() {
    if (in_list_) out_ += ".El\n";
    in_list_ = false;
  }

  std::string out_;
  bool in_list_ = false;
  bool wants_paragraph_ = false;
};

std::string step_section(const steps::Kind& kind) {
  std::string places;
  for (const auto place : kind.places)
    places += fmt::format("{}{}", places.empty() ? "" : ", ", steps::name_of(place));
  std::string text = fmt::format(".Ss {}\n{}\nIt may stand under: {}.\n.Pp\n", kind.name,
                                 escaped(sentence(std::string(kind.summary))), places);
  text += PlainText().render(kind.manual);
  text += ".Bd -literal -offset indent\n";
  for (const auto& line : base::split(base::trim(kind.example), '\n')) text += escaped(line) + '\n';
  return text + ".Ed\n";
}

std::string check_section(const checks::KindHelp& kind) {
  std::string text =
      fmt::format(".Ss {}\n{}\n.Pp\n", kind.name, escaped(sentence(std::string(kind.summary))));
  text += PlainText().render(kind.manual);
  text += ".Bd -literal -offset indent\n";
  for (const auto& line : base::split(base::trim(kind.example), '\n')) text += escaped(line) + '\n';
  return text + ".Ed\n";
}

std::vector<std::string> part_names() {
  std::vector<std::string> names{"commands", "global", "environment", "steps", "checks"};
  for (const auto& command : commands()) {
    if (command.family.empty()) continue;
    names.push_back(fmt::format("synopsis {}", command.name));
    if (!command.options.empty()) names.push_back(fmt::format("options {}", command.name));
    if (!command.examples.empty()) names.push_back(fmt::format("examples {}", command.name));
  }
  return names;
}

}  // namespace

std::optional<std::string> manual_part(std::string_view part) {
  if (part == "commands") return command_list();
  if (part == "global") return items(global_options());
  if (part == "environment") return environment_list();
  if (part == "steps") {
    std::string text;
    for (const auto& kind : steps::kinds()) text += step_section(kind);
    return text;
  }
  if (part == "checks") {
    std::string text;
    for (const auto& kind : checks::kind_help()) text += check_section(kind);
    return text;
  }
  const auto space = part.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  const auto* command = find_command(part.substr(space + 1));
  if (command == nullptr || command->family.empty()) return std::nullopt;
  const auto what = part.substr(0, space);
  if (what == "synopsis") return synopsis_of(*command);
  if (what == "options" && !command->options.empty()) return items(command->options);
  if (what == "examples" && !command->examples.empty()) return example_list(*command);
  return std::nullopt;
}

int run_man(App& app) {
  const auto& words = app.args().positionals;
  if (words.empty()) {
    app.print(base::join(part_names(), "\n") + "\n");
    return exit_done;
  }
  const auto part = base::join(words, " ");
  const auto text = manual_part(part);
  if (!text) return app.fail(exit_usage, fmt::format("the manual has no generated part '{}'", part));
  app.print(*text);
  return exit_done;
}

}  // namespace staithe::cli
