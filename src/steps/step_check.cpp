#include "kinds.hpp"
#include "probe_fields.hpp"

namespace staithe::steps {
namespace {

class Check final : public Step {
 public:
  explicit Check(Fields& fields) : what_(fields) {
    if (auto within = fields.map().duration("within")) within_ = within->value;
    if (within_ <= base::Duration::zero()) fields.map().error_at("within", "no answer comes in no time");
  }

  bool needs_host() const override { return what_.needs_host(); }

  void lower(Lowering& at, Lowered& out) const override {
    plan::Probe probe = what_.lower(at);
    probe.each_within = within_;
    probe.once = true;
    const std::string title = "check " + ProbeFields::title(probe);
    // Each attempt is one answer; it gets a little more than the answer may take.
    out.actions.push_back(at.action(std::move(probe), title, within_ + std::chrono::seconds(5)));
  }

 private:
  ProbeFields what_;
  base::Duration within_ = std::chrono::seconds(10);
};

/// A suite of checks, judged by this same program in a process of its own: it has its own budget, cleans up
/// after itself whatever becomes of the deploy, and keeps its own history.
class SuiteCheck final : public Step {
 public:
  explicit SuiteCheck(Fields& fields) {
    if (auto suite = fields.text("suite")) suite_ = *suite;
    if (auto critical = fields.map().boolean("critical")) critical_ = critical->value;
    tags_ = fields.map().texts("tags");
    if (auto fail_on = fields.map().choice("fail_on", {"fail", "degraded", "tolerated"}))
      fail_on_ = fail_on->value;
  }

  bool needs_host() const override { return false; }

  void lower(Lowering& at, Lowered& out) const override {
    plan::CheckSuite effect;
    const auto suite = at.plain(suite_);
    if (!suite || is_missing(at, *suite)) return;
    effect.suite = *suite;
    // Under 'each' the other hosts may still run the release before: they are not asked.
    effect.host = at.site().host;
    effect.critical = critical_;
    for (const auto& tag : tags_) effect.tags.push_back(tag.value);
    effect.fail_on = fail_on_;
    const auto* sha = at.site().variables == nullptr ? nullptr : at.site().variables->find("sha");
    if (sha != nullptr && sha->kind == Variable::Kind::literal) effect.release = sha->text;
    const std::string title = "check suite " + effect.suite + (critical_ ? ", critical checks" : "") +
                              (effect.host.empty() ? "" : " on " + effect.host);
    if (at.site().files != nullptr && at.site().files->asks_suite)
      at.site().files->asks_suite(effect, tags_.empty() ? suite_ : tags_.front());
    out.actions.push_back(at.action(std::move(effect), title, std::chrono::minutes(10)));
  }

 private:
  bool is_missing(Lowering& at, const std::string& suite) const {
    if (at.site().files == nullptr || !at.site().files->lacks_suite) return false;
    std::string help;
    const auto why = at.site().files->lacks_suite(suite, help);
    if (!why.empty()) at.error(suite_, why, help);
    return !why.empty();
  }

  Template suite_;
  bool critical_ = false;
  std::vector<Template> tags_;
  std::string fail_on_ = "fail";
};

std::unique_ptr<Step> parse_check(Fields& fields) {
  if (fields.has("suite")) return std::make_unique<SuiteCheck>(fields);
  return std::make_unique<Check>(fields);
}

}  // namespace

const Kind check_kind{
    "check",
    "asks once and fails when the answer is wrong",
    R"yaml(- check: {http: "https://www.example.com/health", contains: ok}
- check: {command: bin/smoke-test, retry: {times: 2, every: 5s}}
- check: {suite: payments-smoke, critical: true}
)yaml",
    R"(The same questions as 'wait', asked once; with 'retry', as often as it says. Under 'each', put it after
'restore' to judge the host with real traffic on it.

http, tcp, command, file    as for 'wait'
within                      the time for the answer, 10s unless said otherwise

suite       a suite of checks, checks/NAME.yml beside staithe.yml or a file; see staithe-suite(5). It is run as by
            'staithe check' with $(deploy.release) set to the commit, and so are the suites that it depends on,
            under 'each' for every host anew. Of a group with hosts of the playbook only those are asked, under
            'each' only this one; a group of other hosts of the same service is left out, and its steps with it; one
            of none of its hosts is asked as a whole. Where nobody would be left, a step outside of 'each' asks all
            that the suite names. A check that fails and is as severe as its suite fails the
            step. The plan lists what it asks; when the suite's files change after the plan was made, the step fails
            and nothing is asked.
critical    only the critical checks
tags        only checks with one of these tags
fail_on     degraded or tolerated: that fails the step too
timeout     10m unless said otherwise)",
    "",
    Kind::Role::plain,
    every_place,
    parse_check};

}  // namespace staithe::steps
