#include "fields.hpp"
#include "kinds.hpp"

#include "staithe/steps/release_scripts.hpp"

namespace staithe::steps {
namespace {

class Activate final : public Step {
 public:
  void lower(Lowering& at, Lowered& out) const override {
    const Release& release = at.release();
    if (at.failed()) return;
    plan::RunRemote forward;
    forward.host = at.host();
    forward.script = activate_script(release);
    // Never a second attempt: it would remember the new release as the one before.
    plan::Action action = at.single(std::move(forward), release.path + "/current -> releases/" + release.id,
                                    std::chrono::minutes(1));
    action.alters_service = true;
    out.actions.push_back(std::move(action));

    plan::RunRemote back;
    back.host = at.host();
    back.script = reactivate_script(release);
    back.capture = "staithe.previous";
    plan::Action repair =
        at.single(std::move(back), release.path + "/current -> the release before", std::chrono::minutes(1));
    repair.alters_service = true;
    out.repair.push_back(std::move(repair));
  }
};

}  // namespace

const Kind activate_kind{
    "activate",
    "points 'current' to the new release, atomically",
    R"yaml(- activate: {}
)yaml",
    R"(Replaces the symbolic link PATH/current in one step and remembers in PATH/.staithe/before/ID what it pointed
to; PATH/.staithe/served lists what was live there, which is what 'staithe rollback' goes by. When a later step of the host fails and the strategy says revert, the link is put back before the app is
reloaded again. A host where the release is not staged is refused.

timeout  1m unless said otherwise)",
    "",
    Kind::Role::plain,
    only_each,
    [](Fields& fields) -> std::unique_ptr<Step> {
      if (fields.common().attempts.value_or(1) > 1) fields.error("'activate' is never tried twice");
      return std::make_unique<Activate>();
    }};

}  // namespace staithe::steps
