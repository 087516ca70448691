#pragma once
#include "staithe/playbook/playbook.hpp"
#include "staithe/playbook/project.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// From files to plans. Pure: a function of the files, the request and the resolved ref.
///
/// Precedence of variables, lowest first: what the service says (path, repository, reload, health,
/// release_url) and ref=HEAD; the project's vars; the environment's; its groups' (a group in front of its
/// child groups); the host's; the playbook's; --var-file; --var. What staithe sets itself cannot be set:
/// host, host.name, host.address, host.in_url (an IPv6 address in brackets), host.user, host.port, n,
/// environment, service, project, sha, release, release.path, secret.NAME.
namespace staithe::playbook {

/// What the command line asks for.
struct Request {
  std::string environment;  ///< -e; "" when not given
  std::string service;      ///< --service; "" when not given
  std::string limit;        ///< --limit: a selection within the playbook's hosts
  /// Hosts that earlier runs of the same rollout have brought to the release: what ends it marks it good
  /// there too.
  std::vector<std::string> brought_along;
  std::vector<std::pair<std::string, std::string>> vars;       ///< --var, in order
  std::vector<std::pair<std::string, std::string>> var_files;  ///< path and text of each --var-file, in order
  std::optional<std::uint32_t> parallel;
  std::optional<plan::Amount> max_failures;
  std::optional<base::Duration> deadline;  ///< of the whole run
};

/// A ref, as resolved by the caller before the plan is made.
struct Refs {
  std::string ref;  ///< as it was named
  std::string sha;  ///< 40 or 64 hexadecimal digits
  std::string subject;
};

/// What must be resolved first.
struct RefToResolve {
  std::string repository;
  std::string ref;
};

/// Whether a plan that is made without a playbook, such as that of a restore, has a use for the variable;
/// what it has none for is refused. Files of --var-file are not looked at. `service` may be "".
bool takes_variable(const Project& project, const Environment& environment, const std::string& service,
                    const std::string& name);
/// Whether staithe.yml puts it in anywhere.
bool names_variable(const Project& project, const std::string& name);

/// What the playbook needs resolved; nothing when it needs no release, or after findings.
std::optional<RefToResolve> ref_to_resolve(const Project& project, const Playbook& playbook,
                                           const Request& request, diag::Diagnostics& diagnostics);

/// A deploy when the playbook brings a release to the hosts, else a run. Nothing comes back after findings
/// that are errors, nor where programs name hosts that were not asked: then it finds what is wrong whatever
/// those are, and what they alone decide is a warning.
std::optional<plan::Plan> make_plan(const Project& project, const Playbook& playbook, const Request& request,
                                    const Refs& refs, const steps::Files& files,
                                    diag::Diagnostics& diagnostics);

/// The playbook's rolling part with a release that is on the hosts already. `before`, `stage` and `prepare`
/// are left out: a rollback must work when things are broken.
std::optional<plan::Plan> make_rollback_plan(const Project& project, const Playbook& playbook,
                                             const Request& request, const Refs& release,
                                             const steps::Files& files, diag::Diagnostics& diagnostics);

/// One command, as it is (nothing is substituted), on every host of `selection`, at most `request.parallel`
/// at a time (32 when not given). No failure stops the others.
std::optional<plan::Plan> make_exec_plan(const Project& project, const Request& request,
                                         const std::string& selection, const std::string& command,
                                         base::Duration timeout, diag::Diagnostics& diagnostics);

enum class Rotation { drain, restore };
struct RotationRequest {
  Rotation rotation = Rotation::drain;
  std::string selection;
  std::string reason;
  base::Duration within{60'000};
  plan::AwaitRotation::AtDeadline at_deadline = plan::AwaitRotation::AtDeadline::fail;
  plan::Amount min_available{1, false};
};
/// An operator's drain or restore. Without a service the servers of every service are meant. A restore has
/// no deadline whatever `request` says: a host that is half-way back would be left out.
std::optional<plan::Plan> make_rotation_plan(const Project& project, const Request& request,
                                             const RotationRequest& rotation, diag::Diagnostics& diagnostics);

/// The hosts, balancers and settings of an environment as every plan carries them, for commands that only
/// look (status, doctor, hostkeys). `selection` "" means all.
std::optional<plan::Plan> make_survey_plan(const Project& project, const Request& request,
                                           const std::string& selection, diag::Diagnostics& diagnostics);

/// The plan with its files of keys and settings as they are found from the working directory. A plan names
/// them as staithe.yml does, from `directory`, which is that file's: its id must not depend on where it was
/// made.
plan::Plan located(plan::Plan plan, const std::string& directory);

/// Everything that `staithe validate` reports beyond what loading found: for each environment (or the one of
/// the request) the playbook is planned with a made-up commit.
void validate(const Project& project, const Playbook* playbook, const Request& request,
              const steps::Files& files, diag::Diagnostics& diagnostics);

}  // namespace staithe::playbook
