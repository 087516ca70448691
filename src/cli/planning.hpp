#pragma once
#include "project.hpp"
#include "run_plan.hpp"
#include "suggest.hpp"

#include "staithe/playbook/make_plan.hpp"

#include <optional>
#include <string>
#include <vector>

namespace staithe::cli {

/// --environment, --service, --limit, --var, --var-file, --parallel, --max-failures, --deadline.
playbook::Request request_of(App& app);

/// The playbook that is named first on the command line, else playbooks/deploy.yml beside staithe.yml, which
/// is said, else the built-in one.
playbook::Playbook load_playbook_of(App& app, Loaded& loaded);

/// Asks the repository once which commit the ref means, and says so on stderr. Nothing to ask: empty.
playbook::Refs resolve_refs(App& app, Loaded& loaded, const playbook::Playbook& playbook,
                            const playbook::Request& request);

/// A plan, or FilesWrong once its findings are printed.
plan::Plan require_plan(App& app, Loaded& loaded, std::optional<plan::Plan> plan);

/// For a plan that was chosen by what runs had come to, as world::ended_runs tells it: it is refused where
/// that is another text once the lock is held.
Earlier resting_on(const std::string& environment, const std::string& service, const std::string& ended);

/// With --lock-wait: returns once nobody holds what the plan locks, so that what it is made from can be
/// looked at anew. `store` may be null. Throws base::Error{conflict} when that takes longer.
void await_locks(App& app, store::Store* store, const plan::Plan& plan);

/// Warns of those that surely cannot be had here. Another machine may have them: a dry run and `validate` go
/// on.
void warn_of_secrets(Loaded& loaded, const std::vector<plan::SecretRef>& secrets, const std::string& help);
/// The same of those of a plan: some refuse its run, others do not.
void warn_of_secrets(Loaded& loaded, const plan::Plan& plan);

/// Runs a plan whose state is the environment's. `asked` is what the commands that go on with it are to say:
/// what this command line says where nothing is given.
int run_loaded(App& app, Loaded& loaded, const plan::Plan& plan, Earlier earlier = {},
               std::optional<Asked> asked = std::nullopt);

}  // namespace staithe::cli
