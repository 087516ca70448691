#pragma once
#include "staithe/plan/effect.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace staithe::plan {

/// One effect with everything that governs it.
struct Action {
  std::string id;     ///< unique in the plan, stable: "roll/web1/4", "roll/web1/repair-2"
  std::string step;   ///< the step kind it came from: "drain", "checkout"
  std::string title;  ///< one line for people; with the exact command where there is one
  Effect effect;
  base::Duration timeout{60'000};
  std::uint32_t attempts = 1;  ///< at least 1
  base::Duration retry_every{3'000};
  bool alters_service = false;  ///< after it has begun, the app on the host may not be what it was
  bool operator==(const Action&) const = default;
};

/// What is taken is given back.
struct Bracket {
  /// When an action of the body fails after one that alters the service had begun.
  enum class OnFailure {
    keep,    ///< leave it taken, say so: a person decides
    repair,  ///< run `repair`, then release
  };
  std::string name;
  std::vector<Action> acquire;
  /// Gives back when an acquire action failed, or when nothing was altered yet. Empty: it would not be right
  /// to.
  std::vector<Action> undo;
  std::vector<Action> body;
  std::vector<Action> repair;  ///< brings the previous release back inside the bracket
  std::vector<Action> release;
  OnFailure on_failure = OnFailure::keep;
  bool operator==(const Bracket&) const = default;
};

using Node = std::variant<Action, Bracket>;

/// What happens, in order, on one host; "" is this machine.
struct Lane {
  std::string host;
  std::vector<Node> nodes;
  std::vector<Node> revert;    ///< brings this host back to the release before, when the lane had ended well
  bool brought_along = false;  ///< only ends what earlier runs did on a host that is not this run's
  bool mends = false;          ///< as the host is found is not as it should be: to leave it so is a failure
  bool operator==(const Lane&) const = default;
};

/// The id of the first action of its revert; "" without one.
std::string first_of_revert(const Lane& lane);
/// Under this key a run notes, at that action, that it has decided to revert the host, by its policy: before
/// it begins, so that a recovery knows what is owed and need not guess.
inline constexpr const char* revert_note = "reverting";

struct Strategy {
  enum class Window { sliding, lockstep };
  enum class OnFailure { stop, revert_batch, revert_all };
  std::vector<Amount> batches{{1, false}, {100, true}};  ///< sizes in turn, the last one repeated
  std::uint32_t parallel = 1;                            ///< hosts in hand at a time
  Window window = Window::sliding;
  Amount max_failures{0, false};  ///< over the whole fleet
  OnFailure on_failure = OnFailure::revert_batch;
  base::Duration deadline{0};  ///< of the whole run, once its locks are held; zero for none
  bool operator==(const Strategy&) const = default;
};

struct Stage {
  enum class Shape {
    gather,    ///< all lanes in parallel, all findings collected; any failure refuses the run (exit 4)
    parallel,  ///< all lanes at once; one that is begun runs to its end whatever becomes of the others
    rolling,   ///< host by host, by the plan's strategy
    once,      ///< one lane on this machine or on one host
  };
  std::string name;
  Shape shape = Shape::once;
  std::uint32_t at_once = 16;  ///< lanes in hand at a time; a rolling stage has the strategy's `parallel`
  std::vector<Lane> lanes;
  /// Of a parallel stage: after more failures than that no lane is begun. Nothing: all are.
  std::optional<Amount> max_failures{};
  bool operator==(const Stage&) const = default;
};

struct ServerRef {
  std::string backend;
  std::string server;
  bool operator==(const ServerRef&) const = default;
  auto operator<=>(const ServerRef&) const = default;  // NOLINT(modernize-use-nullptr): a mistake of tidy 14
};

/// The servers that stand for a host on every balancer: by name, checked against the address; or, with no
/// name declared, by address alone.
struct Servers {
  std::vector<ServerRef> names;
  std::string address;     ///< IP of the app; "" when unknown
  std::uint16_t port = 0;  ///< 0: any port of that address
  bool operator==(const Servers&) const = default;
};

/// How to reach a host. Empty strings and zeros mean "as ~/.ssh/config says".
struct Host {
  std::string name;
  std::string address;
  std::string user;
  std::uint16_t port = 0;
  std::vector<std::string> identity_files;
  std::string jump;
  Servers servers;
  bool operator==(const Host&) const = default;
};

struct Balancer {
  std::string name;
  std::string socket;         ///< path of a unix socket, or "tcp HOST:PORT"
  std::string master_socket;  ///< "" for none
  std::string on;             ///< host to reach the socket through; "" for this machine
  bool operator==(const Balancer&) const = default;
};

struct SshSettings {
  std::string known_hosts;  ///< a file kept with the project; "" for the user's own
  std::string config;       ///< an ssh_config file; "" for the user's own
  base::Duration connect_timeout{5'000};
  std::uint32_t max_handshakes = 8;  ///< at a time, for each server and each bastion
  bool operator==(const SshSettings&) const = default;
};

/// Everything a run is. Made once from files and resolved refs, then never changed.
struct Plan {
  std::string kind;  ///< "deploy", "rollback", "run", "exec", "drain", "restore", "recover"
  std::string title;
  std::string source;  ///< the playbook's path, "" for none
  std::string project;
  std::string environment;
  std::string service;
  std::string ref;  ///< as the user named it
  std::string sha;  ///< what it was resolved to
  std::string release;
  bool is_protected = false;
  std::map<std::string, Host> hosts;
  std::vector<Balancer> balancers;
  SshSettings ssh;
  Strategy strategy;
  std::vector<Action> open;  ///< before the first stage: locks
  std::vector<Stage> stages;
  std::vector<Action> close;           ///< always, in this order, whatever happened
  std::vector<Action> notify_failure;  ///< after a run that did not end well; their failure changes nothing

  bool operator==(const Plan&) const = default;
};

/// The plan as canonical JSON (sorted keys, no white space); from_json throws base::Error{invalid} on
/// anything that to_json could not have written.
std::string to_json(const Plan& plan);
Plan from_json(std::string_view text);

/// First 12 hexadecimal digits of SHA-256 over to_json.
std::string id_of(const Plan& plan);
/// The same for a plan that was written already: to_json() of a large one costs milliseconds.
std::string id_of_json(std::string_view plan_json);

/// The hosts that stages work on, in order; not balancer hosts, nor those that a deploy only tidies up after.
std::vector<std::string> target_hosts(const Plan& plan);

/// Those that a deploy only tidies up after: earlier runs of its rollout brought the release there.
std::vector<std::string> brought_along(const Plan& plan);

/// Number of actions that a run without failure performs, releases included.
std::size_t count_actions(const Plan& plan);
/// The same for one lane.
std::size_t count_actions(const Lane& lane);

enum class Detail { folded, full };

/// What --dry-run prints. Hosts whose actions differ in nothing but the host's own parameters are folded
/// into one line unless `full`.
std::string render(const Plan& plan, Detail detail);

/// Sizes of the batches for `hosts` hosts, first to last; none is zero and they add up to `hosts`.
std::vector<std::size_t> batch_sizes(const Strategy& strategy, std::size_t hosts);

}  // namespace staithe::plan
