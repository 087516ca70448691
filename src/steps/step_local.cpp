#include "kinds.hpp"
#include "script_fields.hpp"

namespace staithe::steps {
namespace {

class Local final : public Step {
 public:
  explicit Local(Fields& fields) : script_(fields), reads_only_(fields.map().boolean("read_only")) {}

  bool needs_host() const override { return false; }

  std::string captures() const override { return script_.captured_name(); }

  void lower(Lowering& at, Lowered& out) const override {
    Script script = script_.expand(at);
    plan::RunLocal effect{script.text, script.inputs, script_.capture(at), reads_only_ && reads_only_->value};
    out.actions.push_back(at.action(std::move(effect), headline(script.text), std::chrono::minutes(5)));
  }

 private:
  ScriptFields script_;
  std::optional<yaml::Located<bool>> reads_only_;
};

}  // namespace

const Kind local_kind{
    "local",
    "runs a shell command on this machine",
    R"yaml(- local: make test
- local: {command: git describe $(sha), capture: about, read_only: true}
)yaml",
    R"(As 'run', on the machine that runs staithe, in the directory of staithe.yml. A dry run does not run it
either. Under 'stage' and 'each' it runs once for each host.

command, directory, env, capture, read_only    as for 'run'
timeout                                        5m unless said otherwise)",
    "command",
    Kind::Role::plain,
    every_place,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<Local>(fields); }};

}  // namespace staithe::steps
