#include "kinds.hpp"
#include "probe_fields.hpp"

namespace staithe::steps {
namespace {

using Change = plan::ChangeRotation;
using Await = plan::AwaitRotation;
using std::chrono::seconds;

class Restore final : public Step {
 public:
  explicit Restore(Fields& fields) {
    yaml::Mapping& map = fields.map();
    if (auto within = map.duration("within")) within_ = within->value;
    if (auto bake = map.duration("bake")) bake_ = bake->value;
    if (within_ < seconds(1)) map.error_at("within", "HAProxy's own checks need at least 1s");
    if (auto smoke = map.mapping("smoke")) {
      smoke_.emplace(*smoke, smoke->text("url", yaml::Need::required).value_or(Template()));
      if (auto duration = smoke->duration("for")) smoke_for_ = duration->value;
      smoke->finish();
    }
  }

  void lower(Lowering& at, Lowered& out) const override {
    if (!at.site().in_rotation) return;  // drain says so
    const std::string& host = at.host();
    const auto add = [&](plan::Effect effect, std::string title, base::Duration timeout) {
      plan::Action action = at.single(std::move(effect), std::move(title), timeout);
      action.timeout = timeout;
      out.actions.push_back(std::move(action));
    };
    add(Change{host, Change::To::prove}, "let HAProxy's checks prove " + host, seconds(30));
    add(Await{host, Await::Until::proven, Await::AtDeadline::fail, {}}, host + " is proven", within_);
    if (smoke_) {
      plan::Probe probe;
      probe.what = smoke_->lower(at);
      probe.each_within = seconds(5);
      const std::string title = "smoke " + ProbeFields::title(probe);
      add(std::move(probe), title, smoke_for_);
    }
    add(Change{host, Change::To::ready}, "restore " + host, seconds(30));
    add(Await{host, Await::Until::serving, Await::AtDeadline::fail, bake_}, host + " serves",
        within_ + bake_);
  }

 private:
  base::Duration within_ = seconds(60);
  base::Duration bake_{0};
  std::optional<HttpFields> smoke_;
  base::Duration smoke_for_ = seconds(30);
};

}  // namespace

const Kind restore_kind{
    "restore",
    "puts the host back into HAProxy once it is proven",
    R"yaml(- restore: {}
- restore:
    bake: 10s
    smoke: {url: "https://www.example.com/health", header: "X-Server: $(host)", expect: 200}
)yaml",
    R"(Leaves maint for drain with health down, so that only HAProxy's own new checks can call the server up; waits
for that on every balancer; then gives back state, weight and agent check as the drain found them, and waits
until the servers serve.

within   how long HAProxy's checks may take, 60s unless said otherwise
bake     how long the servers must stay up, 0s
smoke    a request through HAProxy to this one server before anybody else gets there: url, header, headers,
         method, body, expect, contains, connect_to, for (30s). HAProxy must route it, with a
         'use-server' rule for the header or a cookie. After a revert the release before has to pass it too.)",
    "",
    Kind::Role::closes,
    only_each,
    [](Fields& fields) -> std::unique_ptr<Step> {
      if (fields.common().timeout) fields.error("'restore' has no single timeout", "use 'within'");
      return std::make_unique<Restore>(fields);
    }};

}  // namespace staithe::steps
