#include "table.hpp"

#include "commands/commands.hpp"
#include "man.hpp"
#include "table_options.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace staithe::cli {
namespace {

constexpr auto deploy_examples = std::to_array<Example>({
    {"staithe deploy -n", "print the plan, touch nothing"},
    {"staithe deploy web.yml --limit web1,web2", "only these hosts"},
    {"staithe deploy web.yml --expect-plan 3f9c0a1be2d4 --yes", "in Jenkins"},
});
constexpr auto exec_examples =
    std::to_array<Example>({{"staithe exec -H 'app & !web9' -- uptime", "on some hosts"}});
constexpr auto drain_examples =
    std::to_array<Example>({{"staithe drain web1 --reason 'disk swap'", "take it out"}});
constexpr auto restore_examples =
    std::to_array<Example>({{"staithe restore web1", "give it back as it was found"}});
constexpr auto rollback_examples = std::to_array<Example>({
    {"staithe rollback -n", "print where to, and the plan"},
    {"staithe rollback --to 9d1f3c2", "to this release"},
});
constexpr auto status_examples = std::to_array<Example>({
    {"staithe status", "everything"},
    {"staithe status app --json", "for machines"},
});
constexpr auto history_examples = std::to_array<Example>({
    {"staithe history", "the newest runs"},
    {"staithe history --kind deploy --last 5", "only deploys"},
    {"staithe history 20261120-204512-3f9c", "what one run did"},
});
constexpr auto recover_examples = std::to_array<Example>({
    {"staithe recover --dry-run", "what was left, what mends it"},
    {"staithe recover --settled RUN --reason 'web1 rebuilt'", "a person mended it"},
});
constexpr auto unlock_examples = std::to_array<Example>({
    {"staithe unlock --reason 'build 812 was killed'", "free what a dead run holds"},
    {"staithe unlock --force --reason 'stuck'", "take it from a living one"},
});
constexpr auto scan_examples = std::to_array<Example>({
    {"staithe hostkeys scan", "every host"},
    {"staithe hostkeys scan 'web[1-4]'", "these"},
});
constexpr auto suggest_examples = std::to_array<Example>(
    {{"staithe stage suggest-masks -e staging > masks.yml", "then read every line of it"}});
constexpr auto snapshot_examples = std::to_array<Example>({
    {"staithe stage snapshot -e staging -n", "print tables, sizes, masks"},
    {"staithe stage snapshot -e staging", "copy production into staging"},
    {"staithe stage snapshot -e staging --require-masks --name golden", "in Jenkins"},
});
constexpr auto rehearse_examples = std::to_array<Example>({
    {"staithe stage rehearse -e staging migrations/*.sql", "all passes, the report on stdout"},
    {"staithe stage rehearse -e staging 042.sql --report html=page.html", "with a timeline to look at"},
    {"staithe stage rehearse -e staging --command 'alembic upgrade head'", "whatever migrates"},
});
constexpr auto stage_backfill_examples = std::to_array<Example>({
    {"staithe stage backfill users --set \"land = 'DE'\" --not-null land", "on a clone"},
});
constexpr auto backfill_examples = std::to_array<Example>({
    {"staithe backfill users --set \"land = 'DE'\" --not-null land", "asks for the name"},
    {"staithe backfill users --tell pause", "to the one that is under way"},
    {"staithe backfill users --tell go --rest 300", "slower from now on"},
});
constexpr auto help_examples = std::to_array<Example>({
    {"staithe help exit-codes", "what each means"},
    {"staithe help drain", "the command and the step"},
});
constexpr auto completion_examples = std::to_array<Example>({
    {"staithe completion bash > ~/.local/share/bash-completion/completions/staithe", "for yourself"},
    {"staithe completion zsh > ~/.zfunc/_staithe", "fpath+=~/.zfunc in ~/.zshrc"},
    {"staithe completion fish > ~/.config/fish/completions/staithe.fish", "for yourself, in fish"},
});

constexpr auto check_examples = std::to_array<Example>({
    {"staithe check payments-smoke --critical", "after a deploy"},
    {"staithe check -n", "every request that it makes"},
    {"staithe check --fail-on degraded", "6 means unstable, for Jenkins"},
});

constexpr auto watch_examples = std::to_array<Example>({
    {"staithe watch", "every suite that has a schedule"},
    {"staithe watch payments-smoke --every 1m", "this one, each minute"},
});

constexpr auto variables = std::to_array<Variable>({
    {"STAITHE_FILE", "file", "the project file, as --file"},
    {"STAITHE_ENVIRONMENT", "environment", "the environment, as --environment"},
    {"STAITHE_SERVICE", "service", "the service, as --service"},
    {"STAITHE_COLOR", "color", "auto, always or never, as --color"},
    {"STAITHE_LOG_FILE", "log-file", "diagnostic log, as --log-file"},
    {"STAITHE_NO_INPUT", "no-input", "when not empty: never ask, as --no-input"},
    {"NO_COLOR", "", "when not empty: no colour"},
    {"CLICOLOR_FORCE", "", "when not empty: colour, also into a pipe"},
    {"FORCE_COLOR", "", "the same"},
    {"TERM", "", "'dumb': no colour, nothing is redrawn"},
    {"CI", "", "when not empty: lines instead of a redrawn display"},
    {"JENKINS_URL", "", "the same"},
    {"TZ", "", "the zone of the times in lines"},
    {"SSH_AUTH_SOCK", "", "the SSH agent"},
    {"https_proxy", "", "for webhooks; never for probes, nor for checks"},
});

// clang-format off: a line for each field is harder to read than this.
const std::array<Command, 30> table{{
    {"deploy", "Deploying", "Roll a release out, host by host.", "[PLAYBOOK]", Completes::playbook,
     "Without a playbook playbooks/deploy.yml beside staithe.yml is used, or where there is none the "
     "built-in "
     "one: stage everywhere, then drain, activate, reload, prove healthy and restore, host by host. "
     "'built-in' names that one.",
     deploy_examples, options::deploy, run_deploy},
    {"plan",
     "Deploying",
     "Print what deploy would do.",
     "[PLAYBOOK]",
     Completes::playbook,
     "The same as deploy --dry-run.",
     {},
     options::deploy,
     run_deploy},
    {"rollback", "Deploying", "Bring back a release that was good.", "[PLAYBOOK]", Completes::playbook,
     "Asks the hosts which releases they hold and goes back to the release that was live before the present "
     "one and is good on all of them. Nothing is fetched; the rolling part of the playbook runs as in a "
     "deploy.",
     rollback_examples, options::rollback, run_rollback},
    {"run", "Deploying", "Run a playbook.", "PLAYBOOK", Completes::playbook, "", {}, options::run, run_run},
    {"exec", "Deploying", "Run one command on many hosts.", "-- COMMAND...", Completes::nothing, "",
     exec_examples, options::exec, run_exec},
    {"check", "Looking", "Run suites of checks against the running system.", "[SUITE|FILE...]",
     Completes::suite,
     "A suite is checks/SUITE.yml beside staithe.yml; without one, all that are there. Ends with 1 when a "
     "check as "
     "severe as its suite failed, 4 when too little could be judged, 6 with --fail-on, else 0.",
     check_examples, options::check, run_check},
    {"watch", "Looking", "Run suites of checks on their schedules, report their state, and alert.",
     "[SUITE|FILE...]", Completes::suite,
     "Runs until it is told to stop. GET /verify answers 200 or 503 with what failed, /metrics is for "
     "Prometheus, / for "
     "a person. SIGHUP reads the files again; if they are wrong, the old ones stay in use.",
     watch_examples, options::watch, run_watch},
    {"status", "Looking", "Show balancers, servers, releases, locks, and what is out of rotation.",
     "[HOST...]", Completes::host,
     "Reads only. Ends with 5 when a run died or left a host out of rotation, or when releases are mixed; "
     "with 1 when something cannot be read; else with 0. A host that somebody drained on purpose is listed "
     "and does not make it 5.",
     status_examples, options::looking, run_status},
    {"history", "Looking", "List the runs, or show what one did.", "[RUN]", Completes::run, "",
     history_examples, options::history, run_history},
    {"doctor",
     "Looking",
     "Find what is slow, wrong or risky, host by host.",
     "[HOST...]",
     Completes::host,
     "Reads only: keys, algorithms, shell start time, rights, disk, git access and clock of each host; "
     "socket "
     "level, version and risky configuration of each balancer; and, but for single hosts, suites of checks "
     "and what they need. Ends with 1 when something is an error.",
     {},
     options::looking,
     run_doctor},
    {"drain", "By hand", "Take hosts out of rotation, without losing a request.", "HOST...", Completes::host,
     "", drain_examples, options::drain, run_drain},
    {"restore", "By hand", "Give hosts back to rotation, as they were found.", "HOST...", Completes::host, "",
     restore_examples, options::restore, run_restore},
    {"recover", "By hand", "Put right what a run that died left behind.", "[RUN]", Completes::run,
     "A run whose plan this build cannot read, or that cannot be put right any more, is ended with "
     "--settled once a person has looked.",
     recover_examples, options::recover, run_recover},
    {"unlock", "By hand", "Free a lock whose holder is gone, or take it away.", "[SCOPE]", Completes::nothing,
     "Without --force only a lock whose holder is gone is freed. Who did it, and why, is kept in the state.",
     unlock_examples, options::unlock, run_unlock},
    {"hostkeys scan",
     "Host keys",
     "Show hosts' keys, and whether they are on record.",
     "[HOST...]",
     Completes::host,
     "Writes nothing, and logs in nowhere.",
     scan_examples,
     {},
     run_hostkeys_scan},
    {"hostkeys pin",
     "Host keys",
     "Write the keys of hosts down.",
     "[HOST...]",
     Completes::host,
     "Into the environment's known_hosts, else into your own. Compare the fingerprints first. A key that "
     "differs from the one on record is written with --replace only.",
     {},
     options::pin,
     run_hostkeys_pin},
    {"hostkeys verify",
     "Host keys",
     "Check that every host shows the keys on record.",
     "[HOST...]",
     Completes::host,
     "Ends with 4 when one does not.",
     {},
     {},
     run_hostkeys_verify},
    {"stage snapshot", "Staging", "Copy production's PostgreSQL into staging: masked, whole or not at all.",
     "", Completes::nothing,
     "Only reads databases.source of the environment, whatever its role may do. Builds a database beside "
     "the one in use, verifies it, and gives it the name. A run that fails leaves the old one in use.",
     snapshot_examples, options::snapshot, run_stage_snapshot},
    {"stage rehearse", "Staging",
     "Run migrations on a clone of a snapshot and say what production would see.", "[FILE...]",
     Completes::file,
     "Each pass has a clone of its own: one measures locks, rewrites, rows and sizes, one runs under load, "
     "one beside "
     "an open transaction, one tries what is advised instead. Ends with 1 when a statement fails or a budget "
     "is "
     "broken. Nothing is written to the snapshot, and production is only asked for its settings and "
     "statements.",
     rehearse_examples, options::rehearse, run_stage_rehearse},
    {"stage backfill", "Staging", "Rehearse a backfill on a clone of a snapshot.", "TABLE",
     Completes::nothing,
     "Does what staithe backfill would do, on a clone that is dropped afterwards: shows how long it takes "
     "and whether every row can be filled.",
     stage_backfill_examples, options::stage_backfill, run_stage_backfill},
    {"stage list",
     "Staging",
     "List the snapshots in staging: age, size, origin.",
     "",
     Completes::nothing,
     "",
     {},
     {},
     run_stage_list},
    {"stage drop",
     "Staging",
     "Drop snapshots, or what a run that died left behind.",
     "[SNAPSHOT...]",
     Completes::nothing,
     "",
     {},
     options::drop_snapshot,
     run_stage_drop},
    {"stage suggest-masks", "Staging", "Print a first file of masks, based on names, types and a sample.", "",
     Completes::nothing,
     "Looks at the names and types of columns in databases.source and, on the server, at what share of a "
     "sample looks like addresses, numbers or keys. No value leaves it. Columns with a rule are left out.",
     suggest_examples, options::suggest_masks, run_stage_suggest_masks},
    {"backfill", "Staging", "Fill old rows in small batches, and make a column NOT NULL without an outage.",
     "TABLE", Completes::nothing,
     "Writes to databases.target of the environment, once the database's name is confirmed. Each batch is a "
     "transaction of its own and records its progress in a table staithe_backfill beside the filled one: the "
     "same command continues where a run that was stopped or killed left off. It rests while replication "
     "lags or sessions wait for locks.",
     backfill_examples, options::backfill, run_backfill},
    {"validate",
     "Files",
     "Report every mistake in the files.",
     "[FILE...]",
     Completes::playbook,
     "",
     {},
     options::validate,
     run_validate},
    {"help",
     "Files",
     "Explain a command, a step, or a topic.",
     "[TOPIC]",
     Completes::topic,
     "Topics: exit-codes, environment, steps; every command; every kind of step.",
     help_examples,
     {},
     run_help},
    {"version", "Files", "Print the version.", "", Completes::nothing, "", {}, {}, run_version},
    {"completion",
     "Files",
     "Print the completion script of a shell.",
     "SHELL",
     Completes::shell,
     "For bash, zsh or fish.",
     completion_examples,
     {},
     run_completion},
    {"__complete",
     "",
     "Print names that begin with a prefix, a line each.",
     "KIND [PREFIX]",
     Completes::nothing,
     "For completion scripts. Reads files only: neither the network nor inventory programs are asked.",
     {},
     {},
     run_complete},
    {"__man",
     "",
     "Print a generated part of the manual pages.",
     "[PART...]",
     Completes::nothing,
     "",
     {},
     {},
     run_man},
}};
// clang-format on

}  // namespace

std::span<const Command> commands() {
  return table;
}
std::span<const Option> global_options() {
  return options::global;
}

std::vector<Option> global_options_of(const Command& command) {
  const auto takes = [&](const Option& option) {
    if (option.name == "report") return !tells_no_run(command.name);
    // A recovery says itself why it takes none.
    if (option.name == "limit") return !asks_no_hosts(command.name) && command.name != "recover";
    return true;
  };
  std::vector<Option> taken;
  std::copy_if(options::global.begin(), options::global.end(), std::back_inserter(taken), takes);
  return taken;
}

const Command* find_command(std::string_view name) {
  for (const auto& command : table)
    if (command.name == name) return &command;
  return nullptr;
}

std::optional<std::string> command_of_group(std::string_view word) {
  const std::string ending = " " + std::string(word);
  for (const auto& command : table)
    if (command.name.size() > ending.size() &&
        command.name.substr(command.name.size() - ending.size()) == ending)
      return std::string(command.name);
  return std::nullopt;
}

bool tells_no_run(std::string_view command) {
  constexpr std::array<std::string_view, 15> names{"status",
                                                   "history",
                                                   "doctor",
                                                   "watch",
                                                   "unlock",
                                                   "hostkeys scan",
                                                   "hostkeys pin",
                                                   "hostkeys verify",
                                                   "stage list",
                                                   "stage drop",
                                                   "stage suggest-masks",
                                                   "validate",
                                                   "help",
                                                   "version",
                                                   "completion"};
  return std::find(names.begin(), names.end(), command) != names.end();
}

bool asks_no_hosts(std::string_view command) {
  constexpr std::array<std::string_view, 6> names{"history", "unlock",  "backfill",
                                                  "help",    "version", "completion"};
  return std::find(names.begin(), names.end(), command) != names.end() || command.starts_with("stage ");
}

std::span<const Variable> environment_variables() {
  return variables;
}

}  // namespace staithe::cli
