#pragma once
#include "staithe/base/duration.hpp"
#include "staithe/plan/file_sums.hpp"
#include "staithe/plan/rehearsal_terms.hpp"
#include "staithe/plan/text.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The closed set of things that staithe does to the world. A step kind is lowered to these; exec orders
/// them; world performs them. A new one is rare: every std::visit over Effect must learn it.
namespace staithe::plan {

/// A POSIX shell script on a host, under the leash that ends it when its channel goes.
struct RunRemote {
  std::string host;
  std::string script;
  std::vector<Input> inputs;
  std::string capture;        ///< name for its trimmed stdout, "" for none
  base::Duration silence{0};  ///< longest time without output, 0 for no limit
  bool reads_only = false;    ///< it changes nothing: a preflight, a look at what is there
  bool operator==(const RunRemote&) const = default;
};

/// A POSIX shell script on the machine that runs staithe.
struct RunLocal {
  std::string script;
  std::vector<Input> inputs;
  std::string capture;
  bool reads_only = false;  ///< as of RunRemote
  bool operator==(const RunLocal&) const = default;
};

/// Puts a file on a host: temporary name, checksum, fsync, rename. Exactly one of `source` (a path on this
/// machine, with the digest it had when the plan was made) and `content` is used.
struct UploadFile {
  std::string host;
  std::string path;
  unsigned mode = 0644;
  std::string source;
  std::string source_sha256;
  Text content;
  bool operator==(const UploadFile&) const = default;
};

/// A change of the servers that stand for `host`, on every balancer. Which servers: Plan::host(host).servers.
struct ChangeRotation {
  enum class To {
    drain,           ///< no new visitors; remembers the state found before
    maint,           ///< nobody at all: persistent visitors go elsewhere too
    close_sessions,  ///< cuts what is still in flight
    prove,           ///< drain with health down: only new successful checks lift it
    ready,           ///< state, weight and agent as they were found
    undo,            ///< the same, when nothing was done to the host since the drain
  };
  std::string host;
  To to = To::drain;
  bool operator==(const ChangeRotation&) const = default;
};

/// A wait on those servers.
struct AwaitRotation {
  enum class Until { calm, proven, serving };
  enum class AtDeadline {
    fail,
    close_sessions,
    go_on,  ///< it counts as done: maint, which comes next, moves persistent visitors that drain never loses
  };
  std::string host;
  Until until = Until::calm;
  AtDeadline at_deadline = AtDeadline::fail;
  base::Duration bake{0};  ///< serving: how long it must stay so
  bool in_service =
      false;  ///< serving: also what was out by command when it was found is to serve, or it fails
  bool operator==(const AwaitRotation&) const = default;
};

/// A number or a share of a whole.
struct Amount {
  std::uint32_t value = 0;
  bool percent = false;

  /// The share of `whole` that is meant; a percentage is rounded up for minima.
  std::uint32_t of(std::uint32_t whole) const;
  bool operator==(const Amount&) const = default;
};

/// Refuses to go on when draining `host` would leave a backend with fewer usable servers than
/// `min_available`. Counted live; hosts of the same run on their way out count as gone, and it waits for
/// them to come back until the action's timeout.
struct GuardCapacity {
  std::string host;
  Amount min_available{1, false};
  bool operator==(const GuardCapacity&) const = default;
};

/// Read only: do the servers of `host` exist, is the socket at admin level, is anything in the way of a
/// drain?
struct SurveyRotation {
  std::string host;
  bool operator==(const SurveyRotation&) const = default;
};

struct HttpProbe {
  Text url;
  std::string method = "GET";
  std::vector<std::pair<std::string, Text>> headers;
  Text body;
  std::uint16_t status = 200;
  Text contains;           ///< the body must hold this, "" for any body
  std::string connect_to;  ///< host:port to really connect to, "" for the URL's
  bool operator==(const HttpProbe&) const = default;
};
struct TcpProbe {
  std::string address;
  std::uint16_t port = 0;
  bool operator==(const TcpProbe&) const = default;
};
/// Succeeds when the script exits 0 on `host` ("" for this machine).
struct CommandProbe {
  std::string host;
  std::string script;
  std::vector<Input> inputs;
  bool operator==(const CommandProbe&) const = default;
};
struct FileProbe {
  std::string host;
  std::string path;
  bool operator==(const FileProbe&) const = default;
};

/// Asks the same question until the answer is right, every `every`, until the action's timeout; `passes`
/// right answers in a row are needed.
struct Probe {
  std::variant<HttpProbe, TcpProbe, CommandProbe, FileProbe> what;
  base::Duration every{1000};
  base::Duration each_within{2000};
  std::uint32_t passes = 1;
  bool once = false;  ///< one answer decides: a check, not a wait
  bool operator==(const Probe&) const = default;
};

/// Waits for a person's yes; without a terminal only --yes answers.
struct Confirm {
  std::string question;
  bool operator==(const Confirm&) const = default;
};

/// A Slack-compatible webhook.
struct Notify {
  Text url;
  std::string text;
  bool operator==(const Notify&) const = default;
};

struct TakeLock {
  std::string scope;  ///< "production/payments"
  std::string reason;
  bool operator==(const TakeLock&) const = default;
};
struct GiveLock {
  std::string scope;
  bool operator==(const GiveLock&) const = default;
};

/// Writes into staithe's own history what became of a release on a host.
struct RecordRelease {
  enum class State { staged, live, good, bad };
  std::string host;
  std::string service;
  std::string release;
  std::string sha;
  State state = State::staged;
  bool operator==(const RecordRelease&) const = default;
};

/// Runs a suite of checks, by this same program in a process of its own, which refuses to when the suite is
/// no longer the one that the plan holds.
struct CheckSuite {
  std::string suite;  ///< a name, or a file
  std::string host;   ///< under `each`: the one that the step is for; "" for all hosts of the run
  bool critical = false;
  std::vector<std::string> tags;
  std::string fail_on;     ///< "fail", "degraded" or "tolerated"
  std::string limit{};     ///< the hosts that are asked, by commas; "" for all that the suite names
  std::string release;     ///< the commit that is judged; "" when none is known
  std::string suite_plan;  ///< id of the suite's own plan
  std::vector<std::string> requests;  ///< one line each: what is asked, and what is expected
  std::vector<SecretRef> secrets;     ///< that it needs; the run hands their values on
  bool operator==(const CheckSuite&) const = default;
};

/// Refuses to go on unless the last rehearsal of exactly these files, in this order, was passed on a snapshot
/// that is not too old today, and asked for no less than the terms.
struct RequireRehearsal {
  std::vector<FileSum> files;
  std::string sha;                     ///< the commit that they are of; "" for files of this machine
  std::string environment;             ///< the one in which it was rehearsed
  base::Duration snapshot_at_most{0};  ///< 0 for any age
  RehearsalTerms terms;
  std::string rehearse;  ///< the command line that rehearses them
  bool operator==(const RequireRehearsal&) const = default;
};

using Effect = std::variant<RunRemote, RunLocal, UploadFile, ChangeRotation, AwaitRotation, GuardCapacity,
                            SurveyRotation, Probe, Confirm, Notify, TakeLock, GiveLock, RecordRelease,
                            CheckSuite, RequireRehearsal>;

/// "staged", "live", "good", "bad".
std::string_view name_of(RecordRelease::State state) noexcept;

/// The host that the effect acts on or through; "" for this machine.
std::string host_of(const Effect& effect);

/// Whether performing it can change anything outside staithe's own state.
bool changes_the_world(const Effect& effect);

/// The name by which later actions of the lane call what it prints; "" for none.
std::string capture_of(const Effect& effect);

/// Whether it moves a host out of or back into rotation, or waits for that.
bool is_rotation(const Effect& effect) noexcept;

/// Lets visitors in again.
bool lets_in(const Effect& effect) noexcept;

/// Says that the release is bad. The runner leaves it out, without a line in the journal, where nothing spoke
/// against the release.
bool brands(const Effect& effect) noexcept;

/// Whether its failure may be the fault of the release that is rolled out: not where it asks for capacity,
/// tells the balancers something or waits for visitors to leave, nor where it is this machine's or a
/// person's.
bool judges_release(const Effect& effect) noexcept;

/// The short kind that plans and events show: "ssh", "local", "upload", "haproxy", "wait", "guard", "probe",
/// "confirm", "notify", "lock", "unlock", "record", "suite", "history".
std::string kind_of(const Effect& effect);

}  // namespace staithe::plan
