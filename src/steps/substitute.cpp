#include "staithe/steps/substitute.hpp"

#include "shell_scanner.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <cctype>
#include <utility>

namespace staithe::steps {
namespace {

constexpr std::size_t max_result_bytes = 1024 * 1024;
constexpr std::size_t max_references = 10'000;
constexpr std::string_view secret_prefix = "secret.";

/// Where the parts of an expanded text go. `code` is what the author wrote around the values.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void code(std::string_view text) = 0;
  /// Empty when the value fits, else why not.
  virtual std::string value(std::string_view text) = 0;
  virtual std::string hole(const Variable& variable, std::string_view name) = 0;
  /// Of the hole that was just made: what is unwise about it; empty for nothing.
  virtual std::string caution() { return {}; }
};

class Expander {
 public:
  Expander(const Variables& variables, Sink& sink, std::vector<Problem>& problems)
      : variables_(variables), sink_(sink), problems_(problems) {}

  bool run(std::string_view text) {
    expand(text, true);
    return good_;
  }

 private:
  /// `as_code`: literal parts are the author's own script rather than part of a value.
  void expand(std::string_view text, bool as_code) {
    std::size_t at = 0;
    while (at < text.size()) {
      const std::size_t dollar = text.find("$(", at);
      if (dollar == std::string_view::npos) break;
      if (dollar > at && text[dollar - 1] == '$') {
        literal(text.substr(at, dollar - 1 - at), as_code);
        literal("$(", as_code);
        at = dollar + 2;
        continue;
      }
      literal(text.substr(at, dollar - at), as_code);
      const std::size_t close = text.find(')', dollar);
      if (close == std::string_view::npos) {
        place(dollar, 2);
        return problem("'$(' is never closed", "write $$( for a literal $(");
      }
      place(dollar, close + 1 - dollar);
      reference(base::trim(text.substr(dollar + 2, close - dollar - 2)), as_code);
      at = close + 1;
    }
    literal(text.substr(at), as_code);
  }

  void literal(std::string_view text, bool as_code) {
    if (text.empty() || !fits(text.size())) return;
    if (as_code) {
      sink_.code(text);
    } else {
      report(sink_.value(text));
    }
  }

  void reference(std::string_view content, bool as_code) {
    bool raw = false;
    if (content.substr(0, 4) == "raw ") {
      raw = true;
      content = base::trim(content.substr(4));
    }
    const bool is_reference = !content.empty() && std::all_of(content.begin(), content.end(), [](char c) {
      return base::is_alnum(c) || c == '_' || c == '-' || c == '.';
    });
    if (!is_reference) {
      return problem("'$(" + std::string(content) + ")' is not the name of a variable",
                     "write $$(…) for the shell's own command substitution");
    }
    const Variable* variable = variables_.find(content);
    if (variable == nullptr) return unknown(content);
    if (++references_ > max_references) return problem("too many substitutions in one text", "");
    substitute(*variable, std::string(content), raw && as_code);
  }

  void substitute(const Variable& variable, const std::string& name, bool raw) {
    switch (variable.kind) {
      case Variable::Kind::literal:
        if (!fits(variable.text.size())) return;
        if (raw) {
          sink_.code(variable.text);
        } else {
          report(sink_.value(variable.text));
        }
        return;
      case Variable::Kind::secret:
      case Variable::Kind::capture:
        if (raw) return problem("'$(raw " + name + ")': only quoted values are handed over at run time", "");
        report(sink_.hole(variable, name));
        return warn(sink_.caution());
      case Variable::Kind::text:
        break;
    }
    if (std::find(stack_.begin(), stack_.end(), name) != stack_.end()) {
      return problem("variable '" + name + "' is made of itself", base::join(stack_, " -> ") + " -> " + name);
    }
    if (variable.text.empty() && !raw) return report(sink_.value(""));
    stack_.push_back(name);
    expand(variable.text, raw);
    stack_.pop_back();
  }

  /// One is looked for among its own kind: no variable stands in for it, and no --var declares it.
  void unknown_secret(std::string_view name) {
    std::vector<std::string> known = variables_.names();
    std::erase_if(known, [](const std::string& one) { return !one.starts_with(secret_prefix); });
    const auto near = base::nearest(name, known);
    problem("no secret is called '" + std::string(name.substr(secret_prefix.size())) + "'" + within(),
            (near ? "did you mean '" + *near + "'? " : std::string()) +
                "secrets are declared under 'secrets' in staithe.yml, of the project or of the environment");
  }

  /// What a host that nobody has been asked for may have: no mistake, and nothing that can be judged.
  void undecided(std::string_view name) {
    good_ = false;
    if (Variables::is_of_host(name)) return;
    const auto near = base::nearest(name, variables_.names());
    add("unknown variable '" + std::string(name) + "'" + within() +
            ", unless a host has it: no inventory program was asked",
        near ? "did you mean '" + *near + "'?" : "", true);
  }

  void unknown(std::string_view name) {
    if (name.starts_with(secret_prefix)) return unknown_secret(name);
    if (variables_.may_have(name)) return undecided(name);
    const std::vector<std::string> known = variables_.names();
    const auto near = base::nearest(name, known);
    std::string help = near ? "did you mean '" + *near + "'?"
                            : "set it under vars: or with --var; write $$(" + std::string(name) +
                                  ") for the shell's own command substitution";
    problem("unknown variable '" + std::string(name) + "'" + within(), std::move(help));
    problems_.back().missing = name;
  }

  std::string within() const { return stack_.empty() ? std::string() : " in '" + stack_.back() + "'"; }

  bool fits(std::size_t bytes) {
    result_bytes_ += bytes;
    if (result_bytes_ <= max_result_bytes) return true;
    problem("the text grows beyond 1 MiB", "");
    return false;
  }

  /// Findings inside a variable's text are shown where it was used.
  void place(std::size_t offset, std::size_t length) {
    if (!stack_.empty()) return;
    offset_ = offset;
    length_ = length;
  }

  void report(std::string why) {
    if (!why.empty()) problem(std::move(why), "");
  }

  void warn(std::string why) {
    if (why.empty()) return;
    add(std::move(why), "use 'env:' and let the program read the variable, or a here-document", true);
  }

  void problem(std::string message, std::string help) {
    good_ = false;
    add(std::move(message), std::move(help), false);
  }

  void add(std::string message, std::string help, bool is_warning) {
    const auto* inner = stack_.empty() ? nullptr : variables_.find(stack_.back());
    problems_.push_back({std::move(message),
                         std::move(help),
                         offset_,
                         length_,
                         is_warning,
                         inner == nullptr ? Source() : inner->source,
                         {}});
  }

  const Variables& variables_;
  Sink& sink_;
  std::vector<Problem>& problems_;
  std::vector<std::string> stack_;
  std::size_t references_ = 0;
  std::size_t result_bytes_ = 0;
  std::size_t offset_ = 0;
  std::size_t length_ = 0;
  bool good_ = true;
};

class TextSink final : public Sink {
 public:
  void code(std::string_view text) override { result.append(text); }
  std::string value(std::string_view text) override {
    if (!text.empty()) result.append(text);
    return {};
  }
  std::string hole(const Variable& variable, std::string_view) override {
    if (variable.kind == Variable::Kind::secret) {
      result.append(variable.secret);
    } else {
      result.append(plan::CaptureRef{variable.text});
    }
    return {};
  }
  plan::Text result;
};

class PlainSink final : public Sink {
 public:
  void code(std::string_view text) override { result += text; }
  std::string value(std::string_view text) override {
    result += text;
    return {};
  }
  std::string hole(const Variable& variable, std::string_view name) override {
    if (variable.kind == Variable::Kind::secret) {
      return "the secret '" + std::string(name) + "' cannot stand here: it would be shown";
    }
    return "'" + std::string(name) + "' is known at run time only and cannot stand here";
  }
  std::string result;
};

std::string escaped(std::string_view text, std::string_view special) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) != std::string_view::npos) result += '\\';
    result += c;
  }
  return result;
}

class ShellSink final : public Sink {
 public:
  using Place = ShellScanner::Place;

  void code(std::string_view text) override {
    // "2" and ">" must not become the redirection "2>".
    if (after_digit_ && (text.front() == '<' || text.front() == '>')) script.text += "''";
    after_digit_ = false;
    script.text += text;
    scanner.feed(text);
  }

  std::string value(std::string_view text) override {
    if (text.find('\0') != std::string_view::npos) return "a value with a NUL byte cannot stand in a command";
    if (scanner.pending_escape()) return "a backslash in front of $(…): write $$( for a literal $(";
    const Place place = scanner.place();
    const bool harmless = !text.empty() && base::shell_quote(text) == text;
    std::string written(text);
    switch (place) {
      case Place::bare:
        written = base::shell_quote(text);
        break;
      case Place::double_quotes:
        written = escaped(text, "\\\"$`");
        break;
      case Place::single_quotes:
        written.clear();
        for (const char c : text) written += c == '\'' ? std::string("'\\''") : std::string(1, c);
        break;
      case Place::here_document:
      case Place::quoted_here_document:
        if (text.find('\n') != std::string_view::npos) {
          return "this value cannot stand in a here-document: upload a template instead";
        }
        if (place == Place::here_document) written = escaped(text, "\\$`");
        break;
      case Place::fragile:
        if (!harmless) {
          return "no quoting is safe here for this value: take $(…) out of the backquotes, ${…}, $((…)) or "
                 "comment";
        }
        break;
    }
    after_digit_ = place == Place::bare && harmless && base::is_digit(text.back());
    script.text += written;
    scanner.passed_value(written);
    return {};
  }

  std::string hole(const Variable& variable, std::string_view name) override {
    if (scanner.pending_escape()) return "a backslash in front of $(…): write $$( for a literal $(";
    plan::Input input;
    input.variable = input_name(variable, name);
    if (variable.kind == Variable::Kind::secret) {
      input.value.append(variable.secret);
    } else {
      input.value.append(plan::CaptureRef{variable.text});
    }
    const std::string expansion = "${" + input.variable + "}";
    shown_ = variable.kind == Variable::Kind::secret && scanner.place() != Place::here_document &&
                     becomes_argument(script.text)
                 ? std::string(name)
                 : std::string();
    switch (scanner.place()) {
      case Place::bare:
        script.text += '"' + expansion + '"';
        break;
      case Place::double_quotes:
      case Place::here_document:
        script.text += expansion;
        break;
      case Place::single_quotes:
        script.text += "'\"" + expansion + "\"'";
        break;
      case Place::quoted_here_document:
      case Place::fragile:
        return "'" + std::string(name) +
               "' is handed over as an environment variable, which is not safe here";
    }
    after_digit_ = false;
    scanner.passed_value();
    return add(std::move(input));
  }

  std::string caution() override {
    if (shown_.empty()) return {};
    return "'" + std::exchange(shown_, {}) +
           "' would be an argument of a program, which everybody on that machine can read";
  }

  Script script;
  ShellScanner scanner;

 private:
  std::string add(plan::Input input) {
    for (const plan::Input& known : script.inputs) {
      if (known.variable != input.variable) continue;
      if (known == input) return {};
      return "two different values would share the environment variable " + input.variable;
    }
    script.inputs.push_back(std::move(input));
    return {};
  }

  bool after_digit_ = false;
  std::string shown_;  ///< the secret that the last hole would show
};

}  // namespace

const Variable* variable_of(std::string_view text, const Variables& variables) {
  if (!text.starts_with("$(") || text.find(')') + 1 != text.size()) return nullptr;
  auto name = base::trim(text.substr(2, text.size() - 3));
  if (name.starts_with("raw ")) name = base::trim(name.substr(4));
  return variables.find(name);
}

std::optional<plan::Text> expand_text(std::string_view text, const Variables& variables,
                                      std::vector<Problem>& problems) {
  TextSink sink;
  if (!Expander(variables, sink, problems).run(text)) return std::nullopt;
  return std::move(sink.result);
}

std::optional<std::string> expand_plain(std::string_view text, const Variables& variables,
                                        std::vector<Problem>& problems) {
  PlainSink sink;
  if (!Expander(variables, sink, problems).run(text)) return std::nullopt;
  return std::move(sink.result);
}

std::optional<Script> expand_shell(std::string_view text, const Variables& variables,
                                   std::vector<Problem>& problems) {
  ShellSink sink;
  const bool good = Expander(variables, sink, problems).run(text);
  // Values are quoted whatever they are, so that quotes can be judged without them; but for what is put in
  // raw.
  if (!good && text.find("$(raw ") != std::string_view::npos) return std::nullopt;
  if (const auto quote = sink.scanner.open_quote()) {
    problems.push_back({std::string("the command has an unclosed ") + *quote, "", 0, 0, false, {}, {}});
    return std::nullopt;
  }
  if (sink.scanner.ended_by_value()) {
    problems.push_back({"a value makes up the line that ends a here-document",
                        "upload a template instead",
                        0,
                        0,
                        false,
                        {},
                        {}});
    return std::nullopt;
  }
  return good ? std::optional(std::move(sink.script)) : std::nullopt;
}

std::string input_name(const Variable& variable, std::string_view name) {
  std::string result = "STAITHE_CAPTURE_";
  if (variable.kind == Variable::Kind::secret) {
    result = "STAITHE_SECRET_";
    constexpr std::string_view prefix = secret_prefix;
    if (name.substr(0, prefix.size()) == prefix) name.remove_prefix(prefix.size());
  }
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    result += std::isalnum(byte) != 0 ? static_cast<char>(std::toupper(byte)) : '_';
  }
  return result;
}

}  // namespace staithe::steps
