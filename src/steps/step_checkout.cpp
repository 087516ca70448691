#include "fields.hpp"
#include "kinds.hpp"

#include "staithe/steps/release_scripts.hpp"

namespace staithe::steps {
namespace {

class Checkout final : public Step {
 public:
  void lower(Lowering& at, Lowered& out) const override {
    const Release& release = at.release();
    if (at.failed()) return;
    plan::RunRemote effect;
    effect.host = at.host();
    effect.script = checkout_script(release);
    out.actions.push_back(at.action(
        std::move(effect), "fetch " + short_sha(release.sha) + " and unpack it into " + release.directory(),
        std::chrono::minutes(10)));
    plan::RecordRelease record{at.host(), release.service, release.id, release.sha,
                               plan::RecordRelease::State::staged};
    out.actions.push_back(
        at.single(std::move(record), "release " + release.id + " is staged", std::chrono::seconds(10)));
  }
};

}  // namespace

const Kind checkout_kind{
    "checkout",
    "puts the commit that was resolved into a new release directory",
    R"yaml(- checkout: {}
)yaml",
    R"(The ref (variable 'ref') is resolved to one commit, once, on this machine. Each host fetches exactly that
commit into PATH/repo.git and unpacks it into PATH/releases/ID, where ID is the first 12 digits; REVISION in it
holds the commit, and the service's 'shared' entries become links to PATH/shared. A release that is there
already is left as it is. Nothing live changes.

The host needs git, tar, and access to the repository. Submodules are not fetched.

timeout  10m unless said otherwise)",
    "",
    Kind::Role::plain,
    only_stage,
    [](Fields&) -> std::unique_ptr<Step> { return std::make_unique<Checkout>(); }};

}  // namespace staithe::steps
