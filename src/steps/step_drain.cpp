#include "fields.hpp"
#include "kinds.hpp"

namespace staithe::steps {
namespace {

using Change = plan::ChangeRotation;
using Await = plan::AwaitRotation;
using std::chrono::seconds;

/// How long one exchange with every balancer may take.
constexpr base::Duration command_timeout = seconds(30);

class Drain final : public Step {
 public:
  explicit Drain(Fields& fields) {
    yaml::Mapping& map = fields.map();
    if (auto within = map.duration("within")) within_ = within->value;
    if (auto within = map.duration("maint_within")) maint_within_ = within->value;
    if (auto within = map.duration("capacity_within")) capacity_within_ = within->value;
    if (auto choice = map.choice_of<Await::AtDeadline>(
            "at_deadline",
            {{"fail", Await::AtDeadline::fail}, {"close sessions", Await::AtDeadline::close_sessions}})) {
      at_deadline_ = choice->value;
    }
    for (const auto& [key, value] :
         {std::pair{"within", within_}, std::pair{"maint_within", maint_within_}}) {
      if (value < seconds(1)) map.error_at(key, "a drain needs at least 1s: it watches three times in a row");
    }
  }

  void lower(Lowering& at, Lowered& out) const override {
    if (!at.site().in_rotation) {
      return at.error(
          "host '" + at.host() + "' stands for no server on any balancer",
          "name its servers under the service's 'servers', or leave the host out with 'hosts' or 'only'");
    }
    const std::string& host = at.host();
    const auto change = [&](Change::To to, std::string title) {
      return at_with_timeout(at, Change{host, to}, std::move(title), command_timeout);
    };
    out.actions.push_back(at_with_timeout(at, plan::GuardCapacity{host, at.site().min_available},
                                          "enough servers without " + host, capacity_within_));
    out.actions.push_back(change(Change::To::drain, "drain " + host));
    out.actions.push_back(at_with_timeout(at, Await{host, Await::Until::calm, Await::AtDeadline::go_on, {}},
                                          host + " is calm", within_));
    out.actions.push_back(change(Change::To::maint, host + " to maintenance"));
    out.actions.push_back(at_with_timeout(at, Await{host, Await::Until::calm, at_deadline_, {}},
                                          "nothing in flight on " + host, maint_within_));
    out.undo.push_back(change(Change::To::undo, "put " + host + " back as it was found"));
    out.undo.push_back(at_with_timeout(at, Await{host, Await::Until::serving, Await::AtDeadline::fail, {}},
                                       host + " serves again", seconds(60)));
  }

 private:
  /// Several actions come of this step: each has its own time.
  static plan::Action at_with_timeout(Lowering& at, plan::Effect effect, std::string title,
                                      base::Duration timeout) {
    plan::Action action = at.single(std::move(effect), std::move(title), timeout);
    action.timeout = timeout;
    return action;
  }

  base::Duration within_ = seconds(60);
  base::Duration maint_within_ = seconds(30);
  base::Duration capacity_within_ = std::chrono::minutes(2);
  Await::AtDeadline at_deadline_ = Await::AtDeadline::fail;
};

}  // namespace

const Kind drain_kind{
    "drain",
    "takes the host out of HAProxy without losing a request",
    R"yaml(- drain: {within: 60s, at_deadline: fail}
- drain: {within: 5m, maint_within: 1m, at_deadline: close sessions}
)yaml",
    R"(Waits until every backend can do without the host's servers (min_available of the strategy), sets them to drain
on every balancer, waits until nothing is in flight, sets them to maint so that visitors bound by a cookie go
elsewhere too, and waits again. Only then do the following steps run. When something fails before the app was
touched, the servers are put back as they were found. What another person drained is left alone.

Every 'drain' needs a 'restore' after it.

within           how long to wait in drain, 60s unless said otherwise; then maint follows
maint_within     how long to wait in maint, 30s
at_deadline      when something is in flight even then: 'fail' puts the host back and fails it,
                 'close sessions' cuts what is left; fail unless said otherwise
capacity_within  how long to wait for enough other servers, 2m)",
    "",
    Kind::Role::opens,
    only_each,
    [](Fields& fields) -> std::unique_ptr<Step> {
      if (fields.common().timeout)
        fields.error("'drain' has no single timeout", "use 'within' and 'maint_within'");
      return std::make_unique<Drain>(fields);
    }};

}  // namespace staithe::steps
