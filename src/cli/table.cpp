#include "table.hpp"

#include "commands/commands.hpp"

#include <array>

namespace staithe::cli {
namespace {

constexpr std::string_view what_group = "What to do";
constexpr std::string_view how_group = "How to do it";
constexpr std::string_view global_group = "Global options";

constexpr std::array<Option, 13> globals{{
    {"help", 'h', Takes::nothing, "", Completes::nothing, global_group, "show this help"},
    {"file", 'f', Takes::value, "FILE", Completes::file, global_group,
     "the project file (default: staithe.yml here or in a directory above)"},
    {"environment", 'e', Takes::value, "NAME", Completes::environment, global_group,
     "the environment (default: the only one)"},
    {"quiet", 'q', Takes::nothing, "", Completes::nothing, global_group, "no progress"},
    {"verbose", 'v', Takes::nothing, "", Completes::nothing, global_group,
     "more; once: output of commands that went well; in a plan: every host"},
    {"color", '\0', Takes::value, "WHEN", Completes::color, global_group, "auto, always or never"},
    {"json", '\0', Takes::nothing, "", Completes::nothing, global_group, "JSON on stdout"},
    {"report", '\0', Takes::values, "NAME=FILE", Completes::file, global_group,
     "also write junit, jsonl or lines to FILE (repeatable)"},
    {"log-file", '\0', Takes::value, "FILE", Completes::file, global_group, "diagnostic log"},
    {"chdir", 'C', Takes::value, "DIR", Completes::directory, global_group, "work in DIR"},
    {"no-input", '\0', Takes::nothing, "", Completes::nothing, global_group, "never ask"},
    {"limit", '\0', Takes::value, "HOSTS", Completes::host, global_group,
     "only these hosts of the selection"},
    {"service", '\0', Takes::value, "NAME", Completes::nothing, global_group,
     "the service (default: the only one)"},
}};

#define STAITHE_RUN_OPTIONS                                                                        \
  {"dry-run", 'n', Takes::nothing, "", Completes::nothing, what_group, "print the plan and stop"}, \
      {"expect-plan",                                                                              \
       '\0',                                                                                       \
       Takes::value,                                                                               \
       "ID",                                                                                       \
       Completes::nothing,                                                                         \
       what_group,                                                                                 \
       "refuse unless the plan has this id"},                                                      \
      {"var",                                                                                      \
       '\0',                                                                                       \
       Takes::values,                                                                              \
       "KEY=VALUE",                                                                                \
       Completes::nothing,                                                                         \
       what_group,                                                                                 \
       "set a variable (repeatable)"},                                                             \
      {"var-file",                                                                                 \
       '\0',                                                                                       \
       Takes::values,                                                                              \
       "FILE",                                                                                     \
       Completes::file,                                                                            \
       what_group,                                                                                 \
       "set the variables of a YAML file (repeatable)"},                                           \
      {"yes", 'y', Takes::nothing, "", Completes::nothing, how_group, "do not ask"},               \
      {"parallel",                                                                                 \
       '\0',                                                                                       \
       Takes::value,                                                                               \
       "N",                                                                                        \
       Completes::nothing,                                                                         \
       how_group,                                                                                  \
       "hosts in hand at a time (default: the playbook's)"},                                       \
      {"max-failures",                                                                             \
       '\0',                                                                                       \
       Takes::value,                                                                               \
       "N|N%",                                                                                     \
       Completes::nothing,                                                                         \
       how_group,                                                                                  \
       "stop starting hosts after more failures than that"},                                       \
  {                                                                                                \
    "lock-wait", '\0', Takes::value, "TIME", Completes::nothing, how_group,                        \
        "wait for another run, e.g. 5m (default: fail at once)"                                    \
  }

constexpr std::array<Option, 9> deploy_options{{
    STAITHE_RUN_OPTIONS,
    {"resume", '\0', Takes::nothing, "", Completes::nothing, what_group,
     "only the hosts that the last run of this commit left"},
}};
constexpr std::array<Option, 8> run_options{{STAITHE_RUN_OPTIONS}};
constexpr std::array<Option, 10> exec_options{{
    STAITHE_RUN_OPTIONS,
    {"hosts", 'H', Takes::value, "SELECTION", Completes::host, what_group, "which hosts (default: all)"},
    {"timeout", '\0', Takes::value, "TIME", Completes::nothing, how_group, "for each host (default: 5m)"},
}};
constexpr std::array<Option, 12> rotation_options{{
    STAITHE_RUN_OPTIONS,
    {"reason", '\0', Takes::value, "TEXT", Completes::nothing, what_group, "for the history and the lock"},
    {"within", '\0', Takes::value, "TIME", Completes::nothing, how_group,
     "for sessions to end (default: 60s)"},
    {"close-sessions", '\0', Takes::nothing, "", Completes::nothing, how_group,
     "at that deadline: cut what is still open, instead of failing"},
    {"min-available", '\0', Takes::value, "N", Completes::nothing, how_group,
     "usable servers that must be left (default: 1)"},
}};

constexpr std::array<Example, 3> deploy_examples{{
    {"staithe deploy -n", "print the plan, touch nothing"},
    {"staithe deploy web.yml --limit web1,web2", "only these hosts"},
    {"staithe deploy web.yml --expect-plan 3f9c0a1be2d4 --yes", "in Jenkins"},
}};
constexpr std::array<Example, 1> exec_examples{
    {{"staithe exec -H 'app & !web9' -- uptime", "on some hosts"}}};
constexpr std::array<Example, 1> drain_examples{{{"staithe drain web1 --reason 'disk swap'", "take it out"}}};
constexpr std::array<Example, 1> restore_examples{{{"staithe restore web1", "give it back as it was found"}}};

const std::array<Command, 8> table{{
    {"deploy", "Deploying", "Roll a release out, host by host.", "[PLAYBOOK]", Completes::playbook,
     "Without a playbook the built-in one is used: stage everywhere, then drain, activate, reload, prove "
     "healthy "
     "and restore, host by host.",
     deploy_examples, deploy_options, run_deploy},
    {"plan",
     "Deploying",
     "Print what deploy would do.",
     "[PLAYBOOK]",
     Completes::playbook,
     "The same as deploy --dry-run.",
     {},
     deploy_options,
     run_deploy},
    {"run", "Deploying", "Run a playbook.", "PLAYBOOK", Completes::playbook, "", {}, run_options, run_run},
    {"exec", "Deploying", "Run one command on many hosts.", "-- COMMAND...", Completes::nothing, "",
     exec_examples, exec_options, run_exec},
    {"drain", "By hand", "Take hosts out of rotation, without losing a request.", "HOST...", Completes::host,
     "", drain_examples, rotation_options, run_drain},
    {"restore", "By hand", "Give hosts back to rotation, as they were found.", "HOST...", Completes::host, "",
     restore_examples, rotation_options, run_restore},
    {"recover",
     "By hand",
     "Put right what a run that died left.",
     "[RUN]",
     Completes::run,
     "",
     {},
     run_options,
     run_recover},
    {"validate",
     "Files",
     "Report every mistake in the files.",
     "[PLAYBOOK...]",
     Completes::playbook,
     "",
     {},
     run_options,
     run_validate},
}};

}  // namespace

std::span<const Command> commands() {
  return table;
}
std::span<const Option> global_options() {
  return globals;
}

const Command* find_command(std::string_view name) {
  for (const auto& command : table)
    if (command.name == name) return &command;
  return nullptr;
}

}  // namespace staithe::cli
