#include "fields.hpp"
#include "kinds.hpp"

namespace staithe::steps {
namespace {

class Reload final : public Step {
 public:
  explicit Reload(Fields& fields) : command_(fields.main(yaml::Need::optional)) {}

  void lower(Lowering& at, Lowered& out) const override {
    Script script;
    if (command_) {
      script = at.shell(*command_);
    } else if (at.site().variables->find("reload") == nullptr) {
      return at.error("the service has no command to reload it",
                      "add 'reload: COMMAND' to the service in staithe.yml");
    } else {
      Template declared;
      declared.value = "$(raw reload)";
      declared.position = at.position();
      declared.path = at.path();
      script = at.shell(declared);
    }
    plan::RunRemote effect{at.host(), script.text, script.inputs, "", {}, false};
    plan::Action action = at.action(effect, headline(script.text), std::chrono::minutes(5));
    action.alters_service = true;
    out.actions.push_back(action);
    out.repair.push_back(std::move(action));
  }

 private:
  std::optional<Template> command_;
};

}  // namespace

const Kind reload_kind{
    "reload",
    "makes the app run what 'current' points to",
    R"yaml(- reload: {}
- reload: sudo -n systemctl restart payments
)yaml",
    R"(Runs the service's 'reload' command on the host, or the one given here. It runs again when the host is
reverted, after 'current' has been put back and, also where it stands behind 'restore', before visitors are let
in. With 'sudo -n' in front, the right to run it is checked before anything begins. A right that polkit gives, as
to a plain 'systemctl reload', cannot be asked for: where it is missing, the first host finds out when it is out
of rotation.

command  instead of the service's own
timeout  5m unless said otherwise)",
    "command",
    Kind::Role::plain,
    only_each,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<Reload>(fields); }};

}  // namespace staithe::steps
