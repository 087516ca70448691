#include "staithe/base/text.hpp"
#include "staithe/steps/step.hpp"

namespace staithe::steps {
namespace {

std::string without(std::string text, const std::string& words, std::string_view mark) {
  if (words.empty()) return text;
  for (auto at = text.find(words); at != std::string::npos; at = text.find(words, at + mark.size()))
    text.replace(at, words.size(), mark);
  return text;
}

}  // namespace

const diag::Position& Lowering::position() const {
  return step_.position;
}
const std::string& Lowering::path() const {
  return step_.path;
}

plan::Text Lowering::text(const Template& text) {
  std::vector<Problem> problems;
  auto result = expand_text(text.value, *site_.variables, problems);
  failed_ = failed_ || !result;
  report(text, problems);
  return result.value_or(plan::Text());
}

std::optional<std::string> Lowering::plain(const Template& text) {
  std::vector<Problem> problems;
  auto result = expand_plain(text.value, *site_.variables, problems);
  failed_ = failed_ || !result;
  report(text, problems);
  return result;
}

std::optional<std::string> Lowering::local_path(const Template& text) {
  auto path = plain(text);
  if (!path) return path;
  const bool is_free = path->empty() || path->front() == '/' || site_.directory.empty();
  return is_free ? path : site_.directory + "/" + *path;
}

Script Lowering::shell(const Template& text) {
  std::vector<Problem> problems;
  auto result = expand_shell(text.value, *site_.variables, problems);
  failed_ = failed_ || !result;
  report(text, problems);
  return result.value_or(Script());
}

const Release& Lowering::release() {
  static const Release none;
  if (site_.release != nullptr) return *site_.release;
  error("'" + std::string(step_.kind->name) + "' needs a service with a repository and a path",
        "name one with 'service:' in the playbook, or with --service");
  return none;
}

plan::Action Lowering::action(plan::Effect effect, std::string title, base::Duration timeout,
                              std::uint32_t usual_attempts) const {
  plan::Action action = single(std::move(effect), std::move(title), timeout);
  action.attempts = step_.common.attempts.value_or(usual_attempts);
  action.retry_every = step_.common.retry_every;
  return action;
}

plan::Action Lowering::single(plan::Effect effect, std::string title, base::Duration timeout) const {
  plan::Action action;
  action.step = std::string(step_.kind->name);
  action.title = std::move(title);
  action.effect = std::move(effect);
  action.timeout = step_.common.timeout.value_or(timeout);
  return action;
}

void Lowering::declare_capture(const Template& name) {
  if (!Variables::is_name(name.value)) {
    return error(name, "'" + name.value + "' cannot be a name", "use letters, digits and '_'");
  }
  if (const Variable* known = site_.variables->find(name.value);
      known != nullptr && known->kind != Variable::Kind::capture) {
    return error(name, "'" + name.value + "' is a variable already",
                 "choose another name for what is captured");
  }
  Variable captured;
  captured.kind = Variable::Kind::capture;
  captured.text = name.value;
  captured.origin = "a captured output";
  site_.variables->set(name.value, std::move(captured));
}

void Lowering::error(const Template& where, std::string message, std::string help) {
  if (where.position.file.empty()) message += said_by(where);
  add(diag::Severity::error, in_file(where, source_of(where)), std::move(message), std::move(help));
}

void Lowering::warning(const Template& where, std::string message, std::string help) {
  add(diag::Severity::warning, in_file(where, source_of(where)), std::move(message), std::move(help));
}

Source Lowering::source_of(const Template& text) const {
  const auto* variable = site_.variables == nullptr ? nullptr : variable_of(text.value, *site_.variables);
  return variable == nullptr ? Source() : variable->source;
}

/// Of a value that no file has: who says it.
std::string Lowering::said_by(const Template& text) const {
  const auto* variable = site_.variables == nullptr ? nullptr : variable_of(text.value, *site_.variables);
  const bool is_placed = variable == nullptr || !variable->source.position.file.empty();
  return is_placed ? std::string() : ", as " + variable->origin + " says";
}

/// What the built-in playbook says stands in no file: people find the value that it uses.
Template Lowering::in_file(const Template& where, const Source& source) {
  if (!where.position.file.empty() || source.position.file.empty()) return where;
  return {where.value, source.position, source.length, source.path};
}

void Lowering::add(diag::Severity severity, const Template& where, std::string message, std::string help,
                   const diag::Position& cause) {
  failed_ = failed_ || severity == diag::Severity::error;
  diag::Diagnostic finding;
  finding.severity = severity;
  finding.position = where.position;
  finding.length = where.length;
  finding.message = std::move(message);
  finding.path = where.path;
  finding.help = std::move(help);
  finding.cause = cause;
  if (!site_.host.empty()) {
    finding.host = site_.host;
    const auto* address = site_.variables->find("host.address");
    finding.common = without(finding.message, site_.host, "<host>");
    if (address != nullptr) finding.common = without(finding.common, address->text, "<address>");
  }
  site_.diagnostics->add(std::move(finding));
}

void Lowering::error(std::string message, std::string help) {
  error(Template{"", step_.position, step_.length, step_.path}, std::move(message), std::move(help));
}

void Lowering::report(const Template& where, const std::vector<Problem>& problems) {
  for (const Problem& problem : problems) {
    Template exact = where;
    // Only a text that stands as it is on one line, perhaps in quotes, has its bytes where the file has them.
    const std::size_t points = base::code_points(where.value);
    const bool quoted = points + 2 == where.length;
    const bool verbatim = (quoted || points == where.length) && where.value.find('\n') == std::string::npos;
    if (verbatim && problem.length > 0) {
      if (quoted) ++exact.position.column;
      const auto before = std::string_view(where.value).substr(0, problem.offset);
      exact.position.column += static_cast<std::uint32_t>(base::code_points(before));
      const auto inside = std::string_view(where.value).substr(problem.offset, problem.length);
      exact.length = static_cast<std::uint32_t>(base::code_points(inside));
    }
    const auto source = problem.source.position.file.empty() ? source_of(where) : problem.source;
    add(problem.is_warning ? diag::Severity::warning : diag::Severity::error, in_file(exact, source),
        problem.message, problem.help, problem.source.position);
  }
}

}  // namespace staithe::steps
