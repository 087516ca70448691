#include "kinds.hpp"
#include "probe_fields.hpp"

namespace staithe::steps {
namespace {

class Wait final : public Step {
 public:
  explicit Wait(Fields& fields) : what_(fields) {
    yaml::Mapping& map = fields.map();
    if (auto duration = map.duration("for")) for_ = duration->value;
    if (auto every = map.duration("every")) every_ = every->value;
    if (auto within = map.duration("within")) within_ = within->value;
    if (auto passes = map.integer("passes", 1, 1000)) passes_ = static_cast<std::uint32_t>(passes->value);
    if (every_ < std::chrono::milliseconds(10)) map.error_at("every", "ask no more often than every 10ms");
    if (within_ < std::chrono::milliseconds(10)) map.error_at("within", "an answer needs at least 10ms");
    if (for_ <= base::Duration::zero()) map.error_at("for", "no answer comes in no time");
    if (for_ < every_ * (passes_ - 1)) map.error_at("for", "too short for that many answers in a row");
  }

  bool needs_host() const override { return what_.needs_host(); }

  void lower(Lowering& at, Lowered& out) const override {
    plan::Probe probe = what_.lower(at);
    probe.every = every_;
    probe.each_within = within_;
    probe.passes = passes_;
    const std::string title = "until " + ProbeFields::title(probe);
    plan::Action action = at.action(std::move(probe), title, for_);
    out.actions.push_back(action);
    out.repair.push_back(std::move(action));  // the release before must pass the same gate
  }

 private:
  ProbeFields what_;
  base::Duration for_ = std::chrono::seconds(60);
  base::Duration every_ = std::chrono::milliseconds(250);
  base::Duration within_ = std::chrono::seconds(2);
  std::uint32_t passes_ = 1;
};

}  // namespace

const Kind wait_kind{
    "wait",
    "asks until the answer is right: HTTP, a TCP port, a command, a file",
    R"yaml(- wait: {http: $(health), for: 30s}
- wait: {http: "https://$(host.address)/ready", expect: 204, passes: 3, every: 500ms, for: 2m}
- wait: {tcp: "$(host.address):5432"}
- wait: {command: systemctl is-active payments}
- wait: {file: /run/payments.ready}
)yaml",
    R"(Exactly one of http, tcp, command and file. http and tcp are asked from the machine that runs staithe, straight
at the host; command and file on the host. After a revert the release before has to pass the same wait, unless
that stands behind 'restore'.

http     a URL; the answer is right when its status is 'expect' (200) and its body holds 'contains'. With it:
         method, headers, header, body, connect_to (HOST:PORT to really connect to). Redirections are answers,
         they are not followed. Certificates are always verified.
tcp      HOST:PORT that accepts a connection
command  a script that exits 0
file     a file that exists
for      how long to ask before it fails, 60s unless said otherwise
every    the time between two questions, 250ms
within   the time for one answer, 2s
passes   right answers in a row that are needed, 1)",
    "",
    Kind::Role::plain,
    every_place,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<Wait>(fields); }};

}  // namespace staithe::steps
