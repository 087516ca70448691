#include "staithe/playbook/selection.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::playbook {
namespace {

using Mask = std::vector<bool>;

constexpr std::size_t max_expression_bytes = 10'000;
constexpr int max_nesting = 100;

/// A recursive descent over the expression. The first mistake in the grammar ends it; unknown names are
/// collected.
class Selector {
 public:
  Selector(const Environment& environment, const Text& expression, diag::Diagnostics& diagnostics,
           const std::string& what)
      : environment_(environment),
        expression_(expression),
        text_(expression.value),
        diagnostics_(diagnostics),
        what_(what) {}

  std::optional<Mask> run() {
    if (text_.size() > max_expression_bytes) {
      problem("this selection is too long", "");
      return std::nullopt;
    }
    Mask mask = any_of();
    skip_blanks();
    if (good_ && at_ < text_.size()) {
      const auto next = word();
      problem(
          "unexpected '" + std::string(next.empty() ? text_.substr(at_, 1) : next) + "' in the selection",
          next.empty() && text_[at_] == ')' ? "there is no '(' for it" : "join names with '|', '&' or ','");
    }
    if (!good_ || !known_) return std::nullopt;
    return mask;
  }

 private:
  Mask any_of() {
    Mask left = all_of();
    for (skip_blanks(); good_ && at_ < text_.size() && (text_[at_] == '|' || text_[at_] == ',');
         skip_blanks()) {
      ++at_;
      const Mask right = all_of();
      for (std::size_t i = 0; i < left.size(); ++i) left[i] = left[i] || right[i];
    }
    return left;
  }

  Mask all_of() {
    Mask left = negation();
    for (skip_blanks(); good_ && at_ < text_.size() && text_[at_] == '&'; skip_blanks()) {
      ++at_;
      const Mask right = negation();
      for (std::size_t i = 0; i < left.size(); ++i) left[i] = left[i] && right[i];
    }
    return left;
  }

  Mask negation() {
    skip_blanks();
    bool negated = false;
    while (at_ < text_.size() && text_[at_] == '!') {
      negated = !negated;
      ++at_;
      skip_blanks();
    }
    Mask mask = primary();
    if (negated) mask.flip();
    return mask;
  }

  Mask primary() {
    if (at_ < text_.size() && text_[at_] == '(') {
      ++at_;
      if (++nesting_ > max_nesting) {
        problem("too many parentheses", "");
        return none();
      }
      Mask mask = any_of();
      --nesting_;
      skip_blanks();
      if (good_ && (at_ >= text_.size() || text_[at_] != ')')) problem("a '(' is never closed", "add a ')'");
      ++at_;
      return mask;
    }
    const std::string_view name = word();
    if (name.empty()) {
      if (good_) problem("a host or a group is missing in the selection", "such as 'app & !web9'");
      return none();
    }
    return named(std::string(name));
  }

  std::string_view word() {
    const std::size_t start = at_;
    bool in_brackets = false;
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '[') in_brackets = true;
      if (c == ']') in_brackets = false;
      if (!in_brackets && std::string_view(" \t\n,&|!()").find(c) != std::string_view::npos) break;
    }
    return text_.substr(start, at_ - start);
  }

  Mask named(const std::string& name) {
    if (name == "all") return Mask(environment_.hosts.size(), true);
    if (name.find_first_of("*?") != std::string::npos) return by_wildcard(name);
    if (name.find('[') != std::string::npos) return by_range(name);
    return by_name(name);
  }

  Mask by_wildcard(const std::string& pattern) {
    Mask mask = none();
    bool found = false;
    for (std::size_t i = 0; i < mask.size(); ++i) {
      mask[i] = base::wildcard_match(pattern, environment_.hosts[i].name.value);
      found = found || mask[i];
    }
    for (const std::string& group : environment_.group_names()) {
      if (!base::wildcard_match(pattern, group)) continue;
      found = true;
      const Mask members = of_group(group);
      for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = mask[i] || members[i];
    }
    if (!found) unknown("no host or group looks like '" + pattern + "'", "");
    return mask;
  }

  Mask by_range(const std::string& pattern) {
    Mask mask = none();
    const auto names = base::expand_range(pattern);
    if (!names) {
      problem("'" + pattern + "' is not a range", "write it as web[1-9] or web[1-3,7]");
      return mask;
    }
    for (const std::string& name : *names) {
      const Mask one = by_name(name);
      for (std::size_t i = 0; i < mask.size(); ++i) mask[i] = mask[i] || one[i];
    }
    return mask;
  }

  Mask by_name(const std::string& name) {
    Mask mask = none();
    for (std::size_t i = 0; i < mask.size(); ++i) {
      if (environment_.hosts[i].name.value == name) {
        mask[i] = true;
        return mask;
      }
    }
    std::vector<std::string> known = environment_.group_names();
    if (std::find(known.begin(), known.end(), name) != known.end()) return of_group(name);
    for (const Host& host : environment_.hosts) known.push_back(host.name.value);
    const auto near = base::nearest(name, known);
    const std::string missing = "no host or group is called '" + name + "' in " + environment_.name.value;
    if (!environment_.knows_hosts()) {
      // Only the inventory program could tell.
      warning(missing + "; its inventory program was not asked");
      return mask;
    }
    unknown(missing, near ? "did you mean '" + *near + "'?" : known_names());
    return mask;
  }

  Mask of_group(const std::string& group) const {
    Mask mask = none();
    for (std::size_t i = 0; i < mask.size(); ++i)
      mask[i] = environment_.is_member(environment_.hosts[i], group);
    return mask;
  }

  std::string known_names() const {
    std::vector<std::string> hosts;
    for (const Host& host : environment_.hosts) hosts.push_back(host.name.value);
    std::string text = "hosts: " + (hosts.empty() ? std::string("none") : base::fold_names(hosts));
    const std::vector<std::string> groups = environment_.group_names();
    if (!groups.empty()) text += "; groups: " + base::join(groups, ", ");
    return text;
  }

  Mask none() const { return Mask(environment_.hosts.size(), false); }

  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }

  void add(diag::Severity severity, std::string message, std::string help) {
    diag::Diagnostic finding;
    finding.severity = severity;
    finding.position = expression_.position;
    finding.length = expression_.length;
    finding.message = what_.empty() ? std::move(message) : what_ + ": " + message;
    finding.path = expression_.path;
    finding.help = std::move(help);
    diagnostics_.add(std::move(finding));
  }
  void problem(std::string message, std::string help) {
    good_ = false;
    // On a command line nothing else shows it.
    if (!what_.empty() && message.find(text_) == std::string::npos)
      message += ": \"" + std::string(text_) + "\"";
    add(diag::Severity::error, std::move(message), std::move(help));
  }
  /// The grammar is judged to the end all the same.
  void unknown(std::string message, std::string help) {
    known_ = false;
    add(diag::Severity::error, std::move(message), std::move(help));
  }
  void warning(std::string message) { add(diag::Severity::warning, std::move(message), ""); }

  const Environment& environment_;
  const Text& expression_;
  std::string_view text_;
  diag::Diagnostics& diagnostics_;
  const std::string& what_;
  std::size_t at_ = 0;
  int nesting_ = 0;
  bool good_ = true;   ///< the grammar
  bool known_ = true;  ///< the names
};

}  // namespace

std::optional<std::vector<std::string>> select_any(const Environment& environment, const Text& expression,
                                                   diag::Diagnostics& diagnostics, const std::string& what) {
  const auto mask = Selector(environment, expression, diagnostics, what).run();
  if (!mask) return std::nullopt;
  std::vector<std::string> names;
  for (std::size_t i = 0; i < mask->size(); ++i) {
    if ((*mask)[i]) names.push_back(environment.hosts[i].name.value);
  }
  return names;
}

std::optional<std::vector<std::string>> select(const Environment& environment, const Text& expression,
                                               diag::Diagnostics& diagnostics, const std::string& what) {
  auto names = select_any(environment, expression, diagnostics, what);
  if (!names || !names->empty()) return names;
  if (!environment.knows_hosts()) return names;
  diag::Diagnostic finding;
  finding.position = expression.position;
  finding.length = expression.length;
  finding.message = (what.empty() ? "" : what + ": ") + "'" + expression.value + "' selects no host in " +
                    environment.name.value;
  finding.path = expression.path;
  diagnostics.add(std::move(finding));
  return std::nullopt;
}

}  // namespace staithe::playbook
