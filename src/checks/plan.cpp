#include "staithe/base/origin.hpp"
#include "staithe/base/text.hpp"
#include "staithe/checks/suite.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::checks {
namespace {

/// "   expect status 201, json.id exists"; "" without any.
std::string said(std::string_view word, const std::vector<Expectation>& expectations) {
  std::string text;
  for (const auto& one : expectations)
    text +=
        fmt::format("{}{} {}", text.empty() ? fmt::format("   {} ", word) : ", ", one.subject, one.wanted);
  return text;
}

/// Its name says it already.
bool is_called_so(const Check& check) {
  return check.unnamed && check.part != Part::undo && check.name == check.step;
}

/// What is sent and what must hold, after what is asked.
std::string terms_of(const Check& check) {
  std::string text;
  if (const auto* http = std::get_if<HttpRequest>(&check.request); http != nullptr && !http->body.empty())
    text += "   send " + http->body.shown();
  return text + said("until", check.until) + said("expect", check.expect) + said("warn", check.warn);
}

std::string as_one_line(const std::string& text) {
  auto line = base::printable(text);
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

/// One plan as text.
class Renderer {
 public:
  explicit Renderer(const SuitePlan& plan) : plan_(plan) {}

  std::string text() {
    for (const auto& suite : plan_.suites) this->suite(suite);
    std::size_t checks = 0;
    for (const auto& one : plan_.suites) checks += one.setup.size() + one.steps.size();
    text_ += fmt::format("{} {}, {} {}.\nPlan id {}\n", checks, checks == 1 ? "check" : "checks",
                         plan_.suites.size(), plan_.suites.size() == 1 ? "suite" : "suites", id_of(plan_));
    return std::move(text_);
  }

 private:
  void suite(const Suite& suite) {
    text_ += fmt::format("{:<10} {}   {}, {}\n", "Suite", suite.name, name_of(suite.severity), suite.file);
    if (!suite.about.empty()) text_ += fmt::format("{:<10} {}\n", "About", suite.about);
    if (!suite.target.empty())
      text_ += fmt::format("{:<10} {}\n", "Target", base::without_secret(suite.target));
    if (!suite.depends_on.empty())
      text_ += fmt::format("{:<10} {}\n", "After", base::join(suite.depends_on, ", "));
    if (!plan_.release.empty()) text_ += fmt::format("{:<10} {}\n", "Release", plan_.release);
    text_ += fmt::format("{:<10} {}, and {} to clean up\n\n", "Within", base::to_text(suite.budget),
                         base::to_text(suite.cleanup_budget));
    part("Setup", suite.setup);
    part("Checks", suite.steps);
    part("Cleanup (always)", suite.cleanup);
    if (suite.sweep) {
      text_ += fmt::format("Sweep (of runs that were killed more than {} ago)\n",
                           base::to_text(suite.sweep->older_than));
      text_ += "       " + asked(suite.sweep->list) + "\n       each: " + asked(suite.sweep->each) + "\n\n";
    }
    neighbours(suite);
  }

  /// What is asked and must hold, on one line: of requests that are no checks of their own.
  static std::string asked(const Check& check) {
    return as_one_line(title_of(check.request) + terms_of(check));
  }

  void neighbours(const Suite& suite) {
    if (suite.neighbours.empty()) return;
    text_ += "Neighbours (asked when one is to blame)\n";
    for (const auto& one : suite.neighbours) {
      text_ += fmt::format("       {}{}, tolerated for {} at most\n", one.name,
                           one.about.empty() ? "" : ": " + one.about, base::to_text(one.patience));
      if (one.probe) line("ask", asked(*one.probe));
    }
    text_ += '\n';
  }

  void tolerance(const Tolerance& one) {
    line("tolerate", "when " + one.neighbour + " is down, with evidence");
    if (one.probe) line("evidence", "its probe fails");
    for (const auto& evidence : one.evidence) expectation("evidence", evidence);
    for (const auto& still : one.expect) expectation("then", still);
  }

  void part(const char* name, const std::vector<Check>& checks) {
    if (checks.empty()) return;
    text_ += fmt::format("{}\n", name);
    std::size_t number = 1;
    for (const auto& check : checks) this->check(number++, check);
    text_ += '\n';
  }

  void check(std::size_t number, const Check& check) {
    text_ += fmt::format("  {:>3}  {}{}\n", number, check.name, facts(check));
    if (!is_called_so(check)) line("ask", base::printable(title_of(check.request)));
    if (const auto* http = std::get_if<HttpRequest>(&check.request)) this->http(*http);
    if (const auto* sql = std::get_if<SqlRequest>(&check.request))
      for (const auto& argument : sql->arguments) line("with", argument.shown());
    if (const auto* run = std::get_if<RunRequest>(&check.request))
      for (const auto& input : run->inputs) line("with", "$" + input.variable + " = " + input.value.shown());
    if (const auto* compare = std::get_if<CompareRequest>(&check.request)) {
      sql("left", compare->left);
      sql("right", compare->right);
      if (compare->allowance.count() > 0) line("lag", "at most " + base::to_text(compare->allowance));
    }
    for (const auto& one : check.until) expectation("until", one);
    for (const auto& one : check.give_up_if) expectation("give up", one);
    for (const auto& one : check.expect) expectation("expect", one);
    for (const auto& one : check.warn) expectation("warn", one);
    for (const auto& one : check.tolerate) tolerance(one);
    for (const auto& saved : check.save) line("save", saved.name + " from " + saved.subject);
    for (const auto& undo : check.undo) line("undo", asked(undo));
    if (check.quarantine)
      line("quarantine", fmt::format("until {}: {}", check.quarantine->until, check.quarantine->reason));
  }

  static std::string facts(const Check& check) {
    std::string text;
    if (check.sample > 1) text += fmt::format("   {} samples", check.sample);
    if (check.retries > 0)
      text += fmt::format("   retry {} after {}", check.retries, base::to_text(check.retry_after));
    if (check.within.count() > 0)
      text += fmt::format("   every {} for {}", base::to_text(check.every), base::to_text(check.within));
    return text;
  }

  void http(const HttpRequest& http) {
    if (http.auth != HttpRequest::Auth::none)
      line("auth", (http.auth == HttpRequest::Auth::basic ? "basic " : "bearer ") + http.credentials.shown());
    for (const auto& [name, value] : http.headers) line("header", name + ": " + value.shown());
    if (!http.body.empty()) line("body", http.body.shown());
    if (!http.connect_to.empty()) line("connect", http.connect_to);
    if (!http.proxy.empty()) line("proxy", http.proxy);
    if (!http.client_certificate.empty()) line("as", http.client_certificate);
    if (http.follow_redirects > 0) line("follow", fmt::format("{} redirects", http.follow_redirects));
  }

  void sql(const char* side, const SqlRequest& sql) {
    line(side, fmt::format("{}: {}", sql.connection, base::printable(sql.query)));
    for (const auto& argument : sql.arguments) line("with", argument.shown());
  }

  void expectation(const char* word, const Expectation& one) { line(word, one.subject + ": " + one.wanted); }
  void line(const char* word, const std::string& text) {
    text_ += fmt::format("       {:<10} {}\n", word, text);
  }

  const SuitePlan& plan_;
  std::string text_;
};

}  // namespace

namespace {

/// "charge: POST https://…   expect status 201, json.id exists", on one line whatever it asks.
std::string one_line(const char* part, const Check& check) {
  std::string line = part;
  if (!is_called_so(check)) line += check.name + ": ";
  return as_one_line(line + title_of(check.request) + terms_of(check));
}

}  // namespace

std::vector<std::string> listing(const SuitePlan& plan) {
  std::vector<std::string> lines;
  const auto add = [&](const char* part, const std::vector<Check>& checks) {
    for (const auto& check : checks) {
      lines.push_back(one_line(part, check));
      for (const auto& undo : check.undo) lines.push_back(one_line("", undo));
    }
  };
  for (const auto& suite : plan.suites) {
    add("setup: ", suite.setup);
    add("", suite.steps);
    add("cleanup: ", suite.cleanup);
    if (suite.sweep) {
      lines.push_back(one_line("sweep: ", suite.sweep->list));
      lines.push_back(one_line("sweep each: ", suite.sweep->each));
    }
    for (const auto& neighbour : suite.neighbours)
      if (neighbour.probe) lines.push_back(one_line("when it is to blame: ", *neighbour.probe));
  }
  return lines;
}

std::string id_of(const SuitePlan& plan) {
  return base::sha256_hex(to_json(plan)).substr(0, 12);
}

std::string render(const SuitePlan& plan) {
  return Renderer(plan).text();
}

}  // namespace staithe::checks
