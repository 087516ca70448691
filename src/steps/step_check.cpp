#include "kinds.hpp"
#include "probe_fields.hpp"

namespace staithe::steps {
namespace {

class Check final : public Step {
 public:
  explicit Check(Fields& fields) : what_(fields) {
    if (auto within = fields.map().duration("within")) within_ = within->value;
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

std::unique_ptr<Step> parse_check(Fields& fields) {
  if (fields.has("suite")) {
    fields.map().error_at("suite", "check suites are not available in this version",
                          "use 'check: {http: URL, expect: 200}' or 'check: {command: …}'");
    return nullptr;
  }
  return std::make_unique<Check>(fields);
}

}  // namespace

const Kind check_kind{
    "check",
    "asks once and fails when the answer is wrong",
    R"yaml(- check: {http: "https://www.example.com/health", contains: ok}
- check: {command: bin/smoke-test, retry: {times: 2, every: 5s}}
)yaml",
    R"(The same questions as 'wait', asked once; with 'retry', as often as it says. Under 'each', put it behind
'restore' to judge the host with real traffic on it.

http, tcp, command, file    as for 'wait'
within                      the time for the answer, 10s unless said otherwise)",
    "",
    Kind::Role::plain,
    every_place,
    parse_check};

}  // namespace staithe::steps
