#pragma once
#include "table.hpp"

#include <array>
#include <cstddef>
#include <utility>

/// The options of each command. Only table.cpp includes this.
namespace staithe::cli::options {

inline constexpr std::string_view what_group = "What to do";
inline constexpr std::string_view how_group = "How to do it";
inline constexpr std::string_view global_group = "Global options";

template <std::size_t A, std::size_t B, std::size_t... I, std::size_t... J>
constexpr std::array<Option, A + B> joined(const std::array<Option, A>& first,
                                           const std::array<Option, B>& second, std::index_sequence<I...>,
                                           std::index_sequence<J...>) {
  return {{first[I]..., second[J]...}};
}
template <std::size_t A, std::size_t B>
constexpr std::array<Option, A + B> joined(const std::array<Option, A>& first,
                                           const std::array<Option, B>& second) {
  return joined(first, second, std::make_index_sequence<A>(), std::make_index_sequence<B>());
}

template <std::size_t N, std::size_t... I>
constexpr std::array<Option, N - 1> without(std::string_view name, const std::array<Option, N>& options,
                                            std::index_sequence<I...>) {
  std::size_t at = 0;
  while (options.at(at).name != name) ++at;
  return {{options[I < at ? I : I + 1]...}};
}
template <std::size_t N>
constexpr std::array<Option, N - 1> without(std::string_view name, const std::array<Option, N>& options) {
  return without(name, options, std::make_index_sequence<N - 1>());
}

inline constexpr auto global = std::to_array<Option>({
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
     "also write a report to FILE: junit, jsonl or lines; of rehearsals html; of checks html, tap or github "
     "(repeatable)"},
    {"log-file", '\0', Takes::value, "FILE", Completes::file, global_group, "diagnostic log"},
    {"chdir", 'C', Takes::value, "DIR", Completes::directory, global_group, "work in DIR"},
    {"no-input", '\0', Takes::nothing, "", Completes::nothing, global_group, "never ask"},
    {"limit", '\0', Takes::value, "HOSTS", Completes::host, global_group,
     "only these hosts of the selection"},
    {"service", '\0', Takes::value, "NAME", Completes::service, global_group,
     "the service (default: the only one)"},
});

inline constexpr auto every_run = std::to_array<Option>({
    {"dry-run", 'n', Takes::nothing, "", Completes::nothing, what_group, "print the plan and stop"},
    {"expect-plan", '\0', Takes::value, "ID", Completes::nothing, what_group,
     "refuse unless the plan has this id"},
    {"var", '\0', Takes::values, "KEY=VALUE", Completes::nothing, what_group,
     "set a variable (repeatable); shown and kept in the state: a secret goes under 'secrets:'"},
    {"var-file", '\0', Takes::values, "FILE", Completes::file, what_group,
     "set the variables of a YAML file (repeatable)"},
    {"yes", 'y', Takes::nothing, "", Completes::nothing, how_group, "do not ask"},
    {"parallel", '\0', Takes::value, "N", Completes::nothing, how_group,
     "hosts in hand at a time (default: the playbook's)"},
    {"max-failures", '\0', Takes::value, "N|N%", Completes::nothing, how_group,
     "stop starting hosts after more failures than that"},
    {"deadline", '\0', Takes::value, "TIME", Completes::nothing, how_group,
     "give up and put back after that, for the whole run, e.g. 30m (default: the playbook's)"},
    {"lock-wait", '\0', Takes::value, "TIME", Completes::nothing, how_group,
     "wait for another run, e.g. 5m (default: fail at once)"},
});

/// One of them, for commands that heed only some.
constexpr Option one_of_a_run(std::string_view name) {
  for (const auto& option : every_run)
    if (option.name == name) return option;
  throw "no such option";
}

/// The same options with another text for one of them.
template <std::size_t N>
constexpr std::array<Option, N> explained(std::string_view name, std::string_view help,
                                          std::array<Option, N> options) {
  for (auto& option : options) {
    if (option.name != name) continue;
    option.help = help;
    return options;
  }
  throw "no such option";
}

/// Of commands that have no playbook.
inline constexpr auto every_run_by_hand =
    explained("deadline", "give up and put back after that, for the whole run, e.g. 30m (default: none)",
              explained("parallel", "hosts in hand at a time (default: 1)", every_run));

inline constexpr auto deploy =
    joined(every_run, std::to_array<Option>({
                          {"resume", '\0', Takes::nothing, "", Completes::nothing, what_group,
                           "only the hosts that runs of this commit left"},
                      }));
inline constexpr auto rollback =
    joined(every_run, std::to_array<Option>({
                          {"to", '\0', Takes::value, "RELEASE", Completes::nothing, what_group,
                           "this release, by its id or the beginning of its commit (default: the good one "
                           "that was live before)"},
                      }));
inline constexpr auto run = every_run;
inline constexpr auto looking = std::to_array<Option>({
    {"var", '\0', Takes::values, "KEY=VALUE", Completes::nothing, what_group,
     "set a variable that staithe.yml needs (repeatable)"},
    one_of_a_run("var-file"),
});
inline constexpr auto recover = std::to_array<Option>({
    one_of_a_run("dry-run"),
    one_of_a_run("expect-plan"),
    one_of_a_run("yes"),
    one_of_a_run("lock-wait"),
    {"settled", '\0', Takes::value, "RUN", Completes::run, what_group,
     "change nothing: a person has put right what RUN left, and it no longer blocks other runs"},
    {"reason", '\0', Takes::value, "TEXT", Completes::nothing, what_group,
     "with --settled, for the history; required"},
    {"confirm", '\0', Takes::value, "RUN", Completes::nothing, how_group,
     "with --settled: the run's id, for scripts"},
    {"var", '\0', Takes::values, "KEY=VALUE", Completes::nothing, what_group,
     "with --settled: set a variable that staithe.yml needs (repeatable)"},
    one_of_a_run("var-file"),
});
inline constexpr auto validate = std::to_array<Option>({one_of_a_run("var"), one_of_a_run("var-file")});
/// It takes no lock.
inline constexpr auto exec = joined(
    explained("deadline", "give up after that, for the whole run, e.g. 30m (default: none)",
              explained("max-failures", "stop starting hosts after more failures than that (default: never)",
                        explained("parallel", "hosts in hand at a time (default: 32)",
                                  without("lock-wait", every_run)))),
    std::to_array<Option>({
        {"hosts", 'H', Takes::value, "SELECTION", Completes::host, what_group, "which hosts (default: all)"},
        {"timeout", '\0', Takes::value, "TIME", Completes::nothing, how_group, "for each host (default: 5m)"},
        {"fold", '\0', Takes::nothing, "", Completes::nothing, how_group,
         "show identical output once, with the hosts that said it"},
    }));
inline constexpr Option by_hand_reason{
    "reason", '\0', Takes::value, "TEXT", Completes::nothing, what_group, "for the history and the lock"};
inline constexpr Option by_hand_min_available{"min-available",
                                              '\0',
                                              Takes::value,
                                              "N",
                                              Completes::nothing,
                                              how_group,
                                              "usable servers that must be left (default: 1)"};
inline constexpr auto drain =
    joined(every_run_by_hand, std::to_array<Option>({
                                  by_hand_reason,
                                  {"within", '\0', Takes::value, "TIME", Completes::nothing, how_group,
                                   "for sessions to end (default: 60s)"},
                                  {"close-sessions", '\0', Takes::nothing, "", Completes::nothing, how_group,
                                   "after that, cut what is still open instead of failing"},
                                  by_hand_min_available,
                              }));
/// A deadline would leave hosts out that are half-way back.
inline constexpr auto restore =
    joined(explained("max-failures", "stop starting hosts after more failures than that (default: never)",
                     without("deadline", every_run_by_hand)),
           std::to_array<Option>({
               by_hand_reason,
               {"within", '\0', Takes::value, "TIME", Completes::nothing, how_group,
                "for HAProxy's checks to find a host up, and then for it to serve (default: 60s)"},
               by_hand_min_available,
           }));
inline constexpr auto history = std::to_array<Option>({
    {"last", '\0', Takes::value, "N", Completes::nothing, what_group,
     "so many runs, newest first (default: 20)"},
    {"kind", '\0', Takes::value, "KIND", Completes::nothing, what_group,
     "only these: deploy, rollback, run, drain, restore, recover or exec"},
});
inline constexpr Option dry_run{"dry-run",
                                'n',
                                Takes::nothing,
                                "",
                                Completes::nothing,
                                what_group,
                                "say what would be done, and do nothing"};
inline constexpr auto unlock = std::to_array<Option>({
    dry_run,
    {"reason", '\0', Takes::value, "TEXT", Completes::nothing, what_group, "for the history; required"},
    {"force", '\0', Takes::nothing, "", Completes::nothing, what_group,
     "also when the holder is alive; asks for the name of what is locked"},
    {"confirm", '\0', Takes::value, "SCOPE", Completes::nothing, how_group,
     "that name, for scripts: production/web"},
});
inline constexpr auto pin = std::to_array<Option>({
    dry_run,
    {"replace", '\0', Takes::nothing, "", Completes::nothing, what_group,
     "also keys that differ from those on record"},
    {"yes", 'y', Takes::nothing, "", Completes::nothing, how_group, "do not ask"},
});

inline constexpr Option expect_plan{"expect-plan",
                                    '\0',
                                    Takes::value,
                                    "ID",
                                    Completes::nothing,
                                    what_group,
                                    "refuse unless the plan has this id"};
inline constexpr Option replace_database{
    "replace",
    '\0',
    Takes::nothing,
    "",
    Completes::nothing,
    what_group,
    "put it in the place of a database that is no snapshot or is in use; "
    "its sessions are ended"};
inline constexpr Option yes{"yes", 'y', Takes::nothing, "", Completes::nothing, how_group, "do not ask"};
inline constexpr Option masks{"masks",
                              '\0',
                              Takes::value,
                              "FILE",
                              Completes::file,
                              what_group,
                              "what becomes of each column (default: staithe.yml's)"};
inline constexpr auto snapshot = std::to_array<Option>({
    dry_run,
    expect_plan,
    {"name", '\0', Takes::value, "NAME", Completes::nothing, what_group,
     "of the snapshot and its database (default: the database of the target's URL)"},
    masks,
    {"require-masks", '\0', Takes::nothing, "", Completes::nothing, what_group,
     "fail when a column that looks personal has no rule"},
    {"keep-live", '\0', Takes::nothing, "", Completes::nothing, what_group,
     "also copy queues and secrets that no rule mentions"},
    replace_database,
    {"jobs", 'j', Takes::value, "N", Completes::nothing, how_group,
     "tables at a time (default: staithe.yml's, 2)"},
    yes,
});
inline constexpr auto every_backfill = std::to_array<Option>({
    dry_run,
    expect_plan,
    {"set", '\0', Takes::value, "SQL", Completes::nothing, what_group,
     "what becomes of the rows: \"country = 'DE'\""},
    {"where", '\0', Takes::value, "SQL", Completes::nothing, what_group,
     "which rows (default with --not-null: where it is NULL)"},
    {"not-null", '\0', Takes::value, "COLUMN", Completes::nothing, what_group,
     "make this column NOT NULL around it, without keeping anybody out"},
    {"batch-time", '\0', Takes::value, "TIME", Completes::nothing, how_group,
     "what a batch should take; its size follows (default: 200ms)"},
    {"lock-timeout", '\0', Takes::value, "TIME", Completes::nothing, how_group,
     "the longest that a statement may wait for a lock; it is tried again (default: 500ms)"},
    {"max-lag", '\0', Takes::value, "TIME", Completes::nothing, how_group,
     "rest while replication is further behind (default: 10s)"},
    {"max-waiting", '\0', Takes::value, "N", Completes::nothing, how_group,
     "rest while more sessions wait for locks (default: 5)"},
    {"max-active", '\0', Takes::value, "N", Completes::nothing, how_group,
     "rest while more sessions are active (default: never)"},
    {"rest", '\0', Takes::value, "PERCENT", Completes::nothing, how_group,
     "rest after each batch, in percent of what it took (default: 0)"},
    {"pause-file", '\0', Takes::value, "FILE", Completes::file, how_group, "rest while FILE is there"},
    {"timeout", '\0', Takes::value, "TIME", Completes::nothing, how_group, "for all of it (default: 30d)"},
});

inline constexpr auto backfill =
    joined(every_backfill, std::to_array<Option>({
                               {"confirm", '\0', Takes::value, "DATABASE", Completes::nothing, how_group,
                                "the database's name, for scripts; else it is asked for"},
                               {"tell", '\0', Takes::value, "WORD", Completes::nothing, what_group,
                                "pause, go or abort the backfill that is running; limits given with it apply "
                                "from its next batch on"},
                           }));
inline constexpr auto stage_backfill =
    joined(every_backfill, std::to_array<Option>({
                               {"source", '\0', Takes::value, "SNAPSHOT", Completes::nothing, what_group,
                                "the snapshot to clone (default: the newest)"},
                               {"keep-clone", '\0', Takes::nothing, "", Completes::nothing, how_group,
                                "keep the clone for inspection"},
                           }));
inline constexpr auto rehearse = std::to_array<Option>({
    dry_run,
    expect_plan,
    {"source", '\0', Takes::value, "SNAPSHOT", Completes::nothing, what_group,
     "the snapshot to clone (default: the newest); fresh: take one first"},
    {"command", '\0', Takes::value, "TEXT", Completes::nothing, what_group,
     "a migration command; DATABASE_URL in its environment is the clone"},
    {"with", '\0', Takes::value, "FILE", Completes::file, what_group,
     "budgets, workload, queries, assertions and checks, as staithe-stage(1) says"},
    {"blocking", '\0', Takes::value, "TIME", Completes::nothing, what_group,
     "the longest that readers or writers may be kept out (default: the file's, 1s)"},
    {"offline", '\0', Takes::nothing, "", Completes::nothing, what_group,
     "do not ask production for its settings and statements"},
    {"no-load", '\0', Takes::nothing, "", Completes::nothing, how_group, "leave out the pass under load"},
    {"no-open-transaction", '\0', Takes::nothing, "", Completes::nothing, how_group,
     "leave out the pass with an open transaction"},
    {"no-advice", '\0', Takes::nothing, "", Completes::nothing, how_group, "do not try what is advised"},
    {"open-transaction", '\0', Takes::value, "TIME", Completes::nothing, how_group,
     "how long that transaction stays open (default: 2s)"},
    {"keep-clone", '\0', Takes::nothing, "", Completes::nothing, how_group,
     "keep the clone of the first pass for inspection"},
    {"timeout", '\0', Takes::value, "TIME", Completes::nothing, how_group, "for all of it (default: 8h)"},
    yes,
});
inline constexpr auto drop_snapshot = std::to_array<Option>({
    dry_run,
    {"confirm", '\0', Takes::value, "NAME", Completes::nothing, how_group, "the name again, for scripts"},
    {"disconnect", '\0', Takes::nothing, "", Completes::nothing, what_group,
     "end the sessions that are open in it"},
    {"unfinished", '\0', Takes::nothing, "", Completes::nothing, what_group,
     "every database that a run which died was building"},
});
inline constexpr auto suggest_masks = std::to_array<Option>({
    {"all", '\0', Takes::nothing, "", Completes::nothing, what_group, "also columns that have a rule"},
});

inline constexpr auto check = std::to_array<Option>({
    {"dry-run", 'n', Takes::nothing, "", Completes::nothing, what_group,
     "print what would be asked and stop"},
    {"expect-plan", '\0', Takes::value, "ID", Completes::nothing, what_group,
     "refuse unless the plan has this id"},
    {"critical", '\0', Takes::nothing, "", Completes::nothing, what_group, "only critical checks"},
    {"tag", '\0', Takes::values, "TAG", Completes::nothing, what_group,
     "only checks with this tag (repeatable)"},
    {"only", '\0', Takes::values, "CHECK", Completes::nothing, what_group,
     "only the check or step of this name, and what it needs (repeatable)"},
    {"target", '\0', Takes::value, "URL", Completes::nothing, what_group, "instead of what the suites name"},
    {"var", '\0', Takes::values, "KEY=VALUE", Completes::nothing, what_group, "set a variable (repeatable)"},
    {"fail-on", '\0', Takes::value, "VERDICT", Completes::nothing, how_group,
     "also end with 6 when the verdict is degraded, or tolerated (default: fail)"},
    {"no-history", '\0', Takes::nothing, "", Completes::nothing, how_group,
     "neither read nor keep what was found"},
});

inline constexpr auto watch = std::to_array<Option>({
    {"listen", '\0', Takes::value, "ADDRESS:PORT", Completes::nothing, how_group,
     "where /, /verify and /metrics are (default: staithe.yml's, else 127.0.0.1:9797)"},
    {"every", '\0', Takes::value, "TIME", Completes::nothing, what_group,
     "how often suites run that have no schedule (default: never)"},
});

}  // namespace staithe::cli::options
