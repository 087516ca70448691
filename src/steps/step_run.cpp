#include "fields.hpp"
#include "kinds.hpp"
#include "script_fields.hpp"

namespace staithe::steps {
namespace {

class Run final : public Step {
 public:
  explicit Run(Fields& fields)
      : script_(fields),
        undo_(fields.text("undo")),
        silence_(fields.map().duration("silence")),
        reads_only_(fields.map().boolean("read_only")) {
    if (undo_ && reads_only()) fields.map().error_at("undo", "a step that only reads has nothing to undo");
    if (undo_ && fields.place() != Place::each)
      fields.map().error_at("undo",
                            "no undo is run under '" + std::string(name_of(fields.place())) +
                                "': what its steps did is not taken back",
                            "drop it, or put the step under 'each'");
  }

  std::string captures() const override { return script_.captured_name(); }

  void lower(Lowering& at, Lowered& out) const override {
    // An undo may run long after, in a lane of its own: what was captured is not known there.
    if (undo_) {
      Script undo = script_.expand_with_settings(at, *undo_);
      plan::RunRemote effect{at.host(), undo.text, undo.inputs, "", {}, false};
      out.undo.push_back(at.single(std::move(effect), headline(undo.text), default_timeout));
    }
    Script script = script_.expand(at);
    plan::RunRemote effect{at.host(), script.text, script.inputs, script_.capture(at), {}, reads_only()};
    if (silence_) effect.silence = silence_->value;
    plan::Action action = at.action(std::move(effect), headline(script.text), default_timeout);
    action.alters_service = at.site().place == Place::each && !reads_only();
    out.actions.push_back(std::move(action));
  }

 private:
  static constexpr base::Duration default_timeout = std::chrono::minutes(5);

  bool reads_only() const { return reads_only_ && reads_only_->value; }

  ScriptFields script_;
  std::optional<Template> undo_;
  std::optional<yaml::Located<base::Duration>> silence_;
  std::optional<yaml::Located<bool>> reads_only_;
};

}  // namespace

const Kind run_kind{
    "run",
    "runs a shell command on the host",
    R"yaml(- run: make -C $(release.path) install
- run:
    command: bin/migrate --to $(version)
    directory: $(release.path)
    env: {PGPASSWORD: $(secret.db_password)}
    undo: bin/migrate --back
    timeout: 20m
- run: {command: cat /etc/hostname, capture: hostname, read_only: true}
)yaml",
    R"(A POSIX shell script, run by sh on the host. Every substituted value is quoted for the shell, in whatever
quotes stand around it; $(raw NAME) puts a variable's text in as it is. $$( is the shell's own $(.
A secret and a captured value reach the script as environment variables, never in its text.
Where the script hands a secret to a program as an argument, everybody on the host can read it: a warning says so.

command    the script; the short form 'run: SCRIPT' is the same
directory  where to run it
env        environment variables; the way to hand a secret to a program
capture    a name: what the script prints is $(NAME) in later steps of this section on this host
undo       only under 'each': a script that takes the step back when a later step of the host fails, or the
           host is reverted; it must do no harm when the step itself never ran, or when it runs twice because
           the connection broke. What the other sections did is not taken back.
read_only  true: the step changes nothing, so that a failure needs no repair, and a run that is refused
           after it is reported as refused before any change (exit 4)
silence    the longest time without output
timeout    5m unless said otherwise)",
    "command",
    Kind::Role::plain,
    every_place,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<Run>(fields); }};

}  // namespace staithe::steps
