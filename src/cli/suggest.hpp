#pragma once
#include "project.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/store/store.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

/// The commands that are suggested. They are built here or with same_place(), so that each does what it says
/// when it is pasted where the person stands: with the files, variables and names that the run was made with.
namespace staithe::cli {

/// What was said of a run beside where it is: its plan does not tell.
struct Asked {
  std::string service;                 ///< --service
  std::vector<std::string> vars;       ///< KEY=VALUE as it was said, the ref too
  std::vector<std::string> var_files;  ///< below the directory of staithe.yml and from there, or absolute
  std::string parallel, max_failures, deadline;

  bool operator==(const Asked&) const = default;
};

/// Of the run that this command line makes. A path stays as it is where the working directory is gone.
Asked asked_of(const App& app, const Loaded& loaded);
/// Of an earlier run, from its journal; empty for one of an older build, or that is no such text. Throws
/// base::Error when the state cannot be read.
Asked asked_of(store::Store& store, const std::string& run_id);
/// KEY=VALUE whose value shows no secret that is known. The key is no value: where a password is `service`,
/// the name of that variable is none.
std::string without_secrets(const std::string& key_and_value, const base::Redactor& redactor);
Asked without_secrets(Asked asked, const base::Redactor& redactor);
/// As the journal keeps it; "" when nothing was said.
std::string text_of(const Asked& asked);

/// A word of a command, for the shells that know $'...': nothing in it reaches the terminal but what can be
/// seen, wherever it came from.
std::string shell_word(std::string_view text);
/// NAME=VALUE of `--var`, named for a secret: no command repeats the value. Not so where that stands
/// everywhere by chance: `secret_enabled=true`, `max_tokens=4096`.
bool is_typed_secret(std::string_view key_and_value);
/// " --NAME VALUE", where --var has only its value quoted; "" without a value.
std::string option(std::string_view name, const std::string& value);
/// shell_word() of each, a blank in front of it.
std::string words(const std::vector<std::string>& hosts);

/// " -C DIR -f FILE -e ENVIRONMENT --service NAME" as far as the person had said so.
std::string same_place(const App& app);

/// What looks at everything again, with the variables that this command line has for staithe.yml.
std::string status_command(const App& app);
/// What brings every host back, where no run says how it was made: with the same variables.
std::string rollback_command(const App& app);

/// What recovers whatever was left of what this command line is about.
std::string recover_command(const App& app);
/// What recovers that run, which may be of another service than the command that suggests it.
std::string recover_command(const App& app, const store::Run& run);
/// What ends a run that cannot be recovered, once a person has put right what it left.
std::string settle_command(const App& app, const Loaded& loaded, const Asked& asked,
                           const std::string& run_id);

/// What runs a command, for the person to write, on these hosts.
std::string exec_command(const App& app, const std::vector<std::string>& hosts);

/// What drains these hosts again, for the same reason.
std::string drain_command(const App& app, const Loaded& loaded, const Asked& asked,
                          const std::vector<std::string>& hosts, const std::string& reason);
/// What gives these hosts back as they are.
std::string restore_command(const App& app, const Loaded& loaded, const Asked& asked,
                            const std::vector<std::string>& hosts);
/// Restore commands for these hosts, grouped so that hosts with the same variables share one. `run_of` maps a
/// host to the run that took it out; "" if unknown (this command line's variables are used).
std::vector<std::string> restore_commands(const App& app, const Loaded& loaded, store::Store& store,
                                          const std::map<std::string, std::string>& run_of);

/// What brings a release to hosts that the run of `plan` was not for: the same playbook, and the same commit
/// wherever its branch is by then.
std::string same_command(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan);
/// The same for these hosts only.
std::string rest_command(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan,
                         const std::vector<std::string>& left);
/// The same for the hosts that it left, as a deploy knows them itself; of other kinds all its hosts.
std::string resume_command(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan);
/// What drops that clone in the target's cluster, whoever is connected to it.
std::string drop_command(const App& app, const std::string& clone);
/// This command line again, without what was for this time only: --yes, --confirm, --expect-plan; with that
/// --deadline instead of its own, unless it is "".
std::string again_command(const App& app, const std::string& deadline = {});
/// The same with what was to be typed, `what`, said already.
std::string confirmed_command(const App& app, const std::string& what);

/// What takes every host back to the good release that was live before, with the playbook of `plan`.
std::string rollback_command(const App& app, const Loaded& loaded, const Asked& asked,
                             const plan::Plan& plan);

/// Hosts whose keys are not trusted: their names, a blank in front of each.
struct Distrusted {
  std::string unknown, changed;

  bool none() const noexcept { return unknown.empty() && changed.empty(); }
  void add(const std::string& host, bool is_changed) { (is_changed ? changed : unknown) += " " + host; }
};
/// What to type about them, a line each.
std::vector<std::string> hostkeys_steps(const App& app, const Distrusted& hosts);
/// The same as lines to add to a message.
std::string hostkeys_hint(const App& app, const Distrusted& hosts);

}  // namespace staithe::cli
