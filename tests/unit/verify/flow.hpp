#pragma once
#include "catch.hpp"

#include "staithe/verify/runner.hpp"

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

/// Suites that are run against answers of the test's own.
namespace flow {

using namespace staithe;
using checks::Reply;
using checks::Value;
using checks::Verdict;

/// Answers as a test says, and remembers what was asked.
class Fake final : public verify::Probes {
 public:
  using Answer = std::function<std::pair<int, std::string>(const std::string& title)>;
  explicit Fake(Answer answer) : answer_(std::move(answer)) {}

  Reply perform(const checks::Request& request, const base::Scope& scope) override {
    const auto title = title_of(request);
    std::string body;
    if (const auto* http = std::get_if<checks::HttpRequest>(&request)) body = http->body.shown();
    {
      const std::lock_guard lock(mutex_);
      asked.push_back(body.empty() ? title : title + " " + body);
      had[title] = scope.left();
    }
    Reply reply;
    const auto [status, text] = answer_(title);
    if (scope.cancelled()) {
      reply.failure = Reply::Failure::cancelled;
      return reply;
    }
    if (status < 0) {
      reply.failure = status == -1 ? Reply::Failure::unreachable : Reply::Failure::ours;
      reply.reason = text;
      return reply;
    }
    reply.facts["status"] = Value::count(static_cast<std::uint64_t>(status));
    reply.body = text;
    reply.note = std::to_string(status);
    if (!err.empty()) {
      reply.facts["err"] = Value::of(err);
      reply.quoted = err.substr(err.rfind('\n') + 1);
    }
    if (cut) reply.cut["body"] = "4.0 MiB";
    if (exit) reply.facts["exit"] = Value::of_number(*exit);
    if (header) reply.facts["header.x-served-by"] = Value::of(header());
    return reply;
  }

  verify::Foreseen foresee(const checks::SuitePlan& plan, const base::Cancel*) override {
    asked_before_foreseen = asked.size();
    std::this_thread::sleep_for(foreseeing);
    for (const auto& ref : checks::secrets_of(plan)) foreseen += ref.name + " ";
    verify::Foreseen taken;
    for (const auto& suite : plan.suites)
      if (!checks::secrets_of(suite).empty()) taken[suite.name] = foreseeing;
    return taken;
  }

  std::string foreseen;          ///< names of secrets
  base::Duration foreseeing{0};  ///< so long they are looked up
  std::size_t asked_before_foreseen = 1;
  std::vector<std::string> asked;
  std::map<std::string, base::Duration> had;  ///< how much time, by what was asked
  std::function<std::string()> header;        ///< who says that they answered
  bool cut = false;                           ///< bodies are larger than what is read of them
  std::string err;                            ///< of commands, whose last line is quoted
  std::optional<double> exit;                 ///< of commands

 private:
  Answer answer_;
  std::mutex mutex_;
};

struct Ran {
  checks::SuitePlan plan;
  verify::RunResult result;

  Ran(const std::vector<std::string>& texts, Fake& fake, store::Store* history = nullptr,
      const base::Cancel* soft = nullptr, verify::Memory* memory = nullptr, std::size_t suites_at_once = 8,
      const std::string& project = "shop") {
    diag::Diagnostics diagnostics;
    checks::Context context;
    context.values["deploy.release"] = "r1";
    for (const std::string host : {"web1", "web2"})
      context.groups["app"].push_back({host, {{"name", host}, {"address", host}}});
    context.read_file = [](const std::string&, std::string&) { return "name,want\nr1,200\nr2,200\n"; };
    context.databases["ledger"] = {plan::SecretRef::Source::env, "LEDGER"};
    for (const auto& text : texts) {
      auto suite = load_suite("s.yml", text, context, diagnostics);
      for (const auto& finding : diagnostics.sorted()) UNSCOPED_INFO(finding.message << " " << finding.help);
      REQUIRE(suite);
      plan.suites.push_back(std::move(*suite));
    }
    plan.release = "r1";
    plan.project = project;
    base::Redactor redactor;
    verify::Options options;
    options.run_id = verify::new_run_id(store::now());
    options.soft = soft;
    options.memory = memory;
    options.suites_at_once = suites_at_once;
    result = verify::run(plan, options, fake, history, redactor, {});
  }

  const verify::CheckResult& of(const std::string& name) const {
    for (const auto& suite : result.suites)
      for (const auto& one : suite.checks)
        if (one.check->name == name) return one;
    FAIL("no check " << name);
    throw 0;
  }
  std::string verdicts() const {
    std::string text;
    for (const auto& suite : result.suites)
      for (const auto& one : suite.checks)
        text += (text.empty() ? "" : " ") + one.check->name + "=" + std::string(name_of(one.verdict));
    return text;
  }
};

inline std::string head(const std::string& more = "") {
  return "suite: s\nseverity: critical\ntarget: http://h\n" + more;
}

/// A check that is excused while a neighbour is down, for an hour.
inline const std::string tolerant = head(R"(neighbours:
  geo: {probe: {get: "http://geo/health", expect: 200}, patience: 1h}
steps:
  - name: decide
    get: /d
    expect: {json.miles: 2, json.ok: true}
    tolerate:
      geo:
        evidence: [{json.fallbacks: contains geo}, probe]
        expect: {json.miles: at least 100}
)");

}  // namespace flow
