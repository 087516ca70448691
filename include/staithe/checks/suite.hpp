#pragma once
#include "staithe/checks/expectation.hpp"
#include "staithe/checks/verdict.hpp"
#include "staithe/yaml/node.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

/// Suites of checks: read from YAML, complete and immutable once read, printed as plans are. Pure.
namespace staithe::base {
class Redactor;
}

namespace staithe::checks {

/// A value that a check keeps for those after it.
struct Save {
  std::string name;  ///< what uses call it: with its host, where the step is done for each
  std::string subject;
  std::string host{};  ///< whose value alone it is; "": there is one for all

  /// As the file calls it.
  std::string_view written() const;
};
/// What a value is called that steps save for each host.
std::string name_for_host(std::string_view name, std::string_view host);

/// Something in whose absence a check may hold less: only with evidence.
struct Tolerance {
  std::string neighbour;
  std::vector<Expectation> evidence;  ///< of the reply that was about to fail; one is enough
  bool probe = false;                 ///< the neighbour's own probe failing is evidence too
  std::vector<Expectation> expect;    ///< what must hold nevertheless
};

/// Still run and recorded, but not counted, until the day named.
struct Quarantine {
  std::string owner, reason;
  std::string until;      ///< "2026-12-31"
  double until_time = 0;  ///< seconds since 1970
};

enum class Part { setup, steps, cleanup, undo, sweep };
std::string_view name_of(Part part) noexcept;

/// One check, for one host and one case.
struct Check {
  std::string name;      ///< with its host or case
  bool unnamed = false;  ///< it is called by what it asks, on one line and without secrets
  std::string step;      ///< as the file calls it; equal for all hosts and cases of one step
  std::string row{};     ///< of the table: "row 1"; "": it is done once for all of them
  std::string key;       ///< "suite/name": what its history goes by
  std::string text_id;   ///< of what it asks and expects: its history begins anew when this changes
  Part part = Part::steps;
  Severity severity = Severity::major;
  diag::Position position;
  std::vector<std::string> tags;
  Request request;
  base::Duration timeout{10'000};
  bool safe = false;          ///< asking twice does no harm
  std::uint32_t retries = 0;  ///< recorded; only of what is safe
  base::Duration retry_after{0};
  std::uint32_t sample = 1;
  std::vector<Expectation> expect, warn;
  std::vector<Expectation> until, give_up_if;
  base::Duration every{1'000}, within{0};
  std::vector<Save> save;
  std::vector<Check> undo;  ///< none or one
  bool go_on = false;       ///< its failure does not keep the next ones from running
  std::vector<Tolerance> tolerate;
  std::optional<Quarantine> quarantine;
  std::set<std::string> needs;  ///< values known at run time that it uses

  bool asks_nothing() const { return std::holds_alternative<PauseRequest>(request); }
};

struct Neighbour {
  std::string name, about;
  std::optional<Check> probe;
  base::Duration patience{std::chrono::hours(6)};
};

/// Removes what killed runs left: lists, then removes each that is old enough.
struct Sweep {
  base::Duration older_than{std::chrono::hours(1)};
  Check list;
  Check each;  ///< uses item.*
};

struct Flaky {
  enum class Action { never, propose, automatic };
  std::uint32_t window = 200;  ///< runs
  std::uint32_t suspect = 2;   ///< flips
  Action quarantine = Action::propose;
};

struct Alert {
  std::uint32_t after = 2;  ///< failed runs in a row
  std::vector<std::string> to;
  bool recovered = true;           ///< what is said when `also_when` says nothing
  base::Duration degraded_for{0};  ///< zero: never
};

struct Suite {
  std::string name, about, owner, runbook;
  std::string file;
  std::string
      unread;  ///< why nothing of it is known: it stands for a file that is wrong, and ends with error
  bool brought = false;       ///< nobody named it: it is there because others need it
  bool name_guessed = false;  ///< of such a one: the name is the file's, and the suite's may be another
  Severity severity = Severity::major;
  std::vector<std::string> tags;
  std::string target;
  base::Duration budget{std::chrono::minutes(5)};
  base::Duration cleanup_budget{20'000};
  base::Duration schedule{0};  ///< how often `watch` runs it; zero: it does not
  std::string own_target{};    ///< as its file says
  bool stays = false;          ///< there, though another target is wanted: see Context::needed_by
  std::vector<std::string> depends_on;
  std::vector<std::pair<std::string, Text>>
      use;  ///< values that other suites export, under a name of our own
  std::vector<std::string> exports;
  std::vector<Neighbour> neighbours;
  std::vector<Check> setup, steps, cleanup;
  std::optional<Sweep> sweep;
  Flaky flaky;
  Alert alert;
  std::vector<std::string> secret_values{};  ///< of variables that are named for secrets
  std::set<std::string> names{};  ///< where Context::given has any: its variables, and what its texts name
};

struct SuitePlan {
  std::string release;  ///< what is judged, as far as it is known
  std::string environment;
  std::vector<Suite> suites;
  std::string project{};  ///< "" without one
};

/// What a suite's texts may name, beyond what its own steps save.
struct Context {
  struct Host {
    std::string name;
    std::map<std::string, std::string> values;  ///< "address", "name", "user", ...
  };
  std::map<std::string, std::string> values;  ///< "environment", "deploy.release", ...
  /// Those that whoever asks for this run has said: none of a suite's own `vars` stands above them.
  std::set<std::string> given;
  std::map<std::string, std::vector<Host>> groups;
  std::set<std::string> spared{};  ///< groups of which no host is to be asked: steps of theirs are left out
  std::map<std::string, plan::SecretRef> databases;  ///< by the name that `sql` uses
  std::string target;                                ///< instead of the suite's own
  /// Of a suite that is brought along: the one that needs it. `target` is meant for what is at the same place
  /// by the files; what is elsewhere stays there, and so does what is needed by what stays.
  struct NeededBy {
    std::string own_target;
    bool stays = false;
  };
  std::optional<NeededBy> needed_by{};
  std::string environment;
  /// What these tell of. Where a program says which hosts there are and was not asked, a group or a host's
  /// variable that is not there may well be one of those; where nothing is known, any name may. Neither is a
  /// mistake then, and the steps that need it are not in what is read.
  enum class Known { everything, no_hosts, nothing } known = Known::everything;
  /// Who can be alerted, and how grave it is to name somebody else; without it anybody may be named.
  struct Receivers {
    std::vector<std::string> names;
    diag::Severity otherwise = diag::Severity::error;
  };
  std::optional<Receivers> receivers;
  /// Text of a file beside the suite; `why` when there is none.
  std::function<std::optional<std::string>(const std::string& path, std::string& why)> read_file;
};

/// Reads one suite. Mistakes become findings; nothing comes back when there is an error among them.
/// `directory`: what paths in it start from.
std::optional<Suite> load_suite(const std::string& file, const std::string& text, const Context& context,
                                diag::Diagnostics& diagnostics);

/// Finds mistakes between suites: names used twice, circles, values that no suite exports. `lacking`: how
/// grave it is to need one that is not among them.
void check_together(const std::vector<Suite>& suites, diag::Diagnostics& diagnostics,
                    diag::Severity lacking = diag::Severity::warning);

/// First 12 hexadecimal digits of the SHA-256 over to_json().
std::string id_of(const SuitePlan& plan);
/// Canonical JSON on one line; holes are named, secrets are references.
/// `hidden`: what each text is shown without; the id is of the whole. Null: nothing.
std::string to_json(const SuitePlan& plan, const base::Redactor* hidden = nullptr);
/// Every request, and what is expected of it, for people.
std::string render(const SuitePlan& plan);
/// The same, a line for each request.
std::vector<std::string> listing(const SuitePlan& plan);

/// Every check of it: also those that put right, list what is left, and probe neighbours.
std::vector<const Check*> all_checks(const SuitePlan& plan);
std::vector<const Check*> all_checks(const Suite& suite);

/// Every secret that a run of it may need, each once.
std::vector<plan::SecretRef> secrets_of(const SuitePlan& plan);
std::vector<plan::SecretRef> secrets_of(const Suite& suite);
std::vector<plan::SecretRef> secrets_of(const Request& request);
/// Of the suites that may need that secret; zero when none does.
base::Duration longest_budget(const SuitePlan& plan, const plan::SecretRef& secret);
/// What stands in the suites though it is a secret: passwords in URLs, as they are written there and as they
/// are read, what `auth` and `proxy_auth` say word for word, the values of variables that are named for
/// secrets; and, where the suite does not say the same in clear, see OwnWords, what headers and environment
/// variables that are named for secrets say, what has such a name in a query, a body or a command, and the
/// password of curl's -u there.
std::vector<std::string> written_secrets(const SuitePlan& plan);

/// How many expectations a check declares: what coverage counts. At least one.
std::size_t declared(const Check& check);

}  // namespace staithe::checks
