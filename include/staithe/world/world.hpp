#pragma once
#include "staithe/base/error.hpp"
#include "staithe/base/redact.hpp"
#include "staithe/exec/effects.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/store/store.hpp"
#include "staithe/world/reached.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace staithe::world {

/// Set where a run starts a suite of checks: the number of a descriptor, to which it writes its JSON Lines.
inline constexpr const char* check_records_variable = "STAITHE_CHECK_RECORDS";

/// Answers from the person, given by cli: null functions stand for "nobody is there".
struct Person {
  std::function<bool(const std::string& question, const base::Scope& scope)> confirm;
  std::function<std::optional<std::string>(const std::string& key_file)> passphrase;
};

struct Settings {
  std::string run_id;
  std::string ref;                     ///< for the history of releases
  base::Duration lock_wait{0};         ///< how long to wait for another run's lock
  const base::Cancel* stop = nullptr;  ///< soft stop: ends the wait for a lock
  Person person;
  std::string directory;  ///< where local commands run and relative files start; "" for the working directory
  /// How this program runs a suite of checks of the same project: "/usr/bin/staithe check -f …"; the rest of
  /// the command line follows. Empty: there is no such step.
  std::vector<std::string> check_command;
  /// Asked when a lock has been taken: what now blocks this run because of what the lock's previous holder
  /// left; "" for nothing. May be empty.
  std::function<std::string()> in_the_way;
};

struct ConnectFinding {
  std::string host;
  base::ErrorCode code;  ///< host_key: unknown, changed or revoked; the text has the fingerprint
  std::string text;
  bool changed_key = false;  ///< what is on record differs
};

/// What is wrong with secrets that cannot be had, a line for each.
struct MissingSecrets {
  std::vector<std::string> needed;
  std::vector<std::string> of_notices;  ///< of those that only notices need
};

/// A server that a run found out of rotation, as nobody of this run had left it, and that is so still.
struct LeftAlone {
  std::string backend, balancer;
  bool in_maintenance = false;  ///< else drained
};

/// Performs effects on real hosts, balancers and services. One connection for each host, kept for the run.
/// `plan`, `store` and `redactor` must outlive it.
class World final : public exec::Effects {
 public:
  World(const plan::Plan& plan, store::Store* store, base::Redactor& redactor, Settings settings);
  ~World() override;

  exec::EffectResult perform(const plan::Effect& effect, exec::Performance& performance) override;
  void lane_ended(const std::string& host) noexcept override;
  void done_with(const std::string& host) noexcept override;
  std::map<std::string, exec::Reach> reach(const std::set<std::string>& hosts,
                                           const base::Scope& scope) noexcept override;

  std::string unmet() noexcept override;

  /// Reads only, and only where there was something to leave alone: by host, of those that the run gave back.
  /// A balancer that does not answer is waited for two seconds at most, and then says nothing.
  std::map<std::string, std::vector<LeftAlone>> left_alone(const base::Scope& scope) noexcept;

  /// Goes on with a drain that a dead run began; `found` is what that run noted under found_key. `keep_out`:
  /// when it is still out, a balancer that is reloaded before its turn comes is told again. What is in
  /// maintenance where that run cannot have put it, by what is `known` of it, or where nobody can tell, is
  /// not ours; without that a person wants it back, whoever put it there.
  void adopt(const std::string& host, const std::string& found, bool keep_out,
             const std::optional<LastKnown>& known = std::nullopt);

  /// Of a host that the run which this one goes on with had given back: `found` as for adopt, "" where it had
  /// taken the host out of nothing. Whether visitors have met what that run brought hangs on it too.
  void given_back(const std::string& host, const std::string& found);

  /// Before anything runs: looks up every secret that the plan may need and keeps it, so that none is missed
  /// with a host half-way. What is wrong comes back all at once. Throws base::Error{cancelled}.
  MissingSecrets look_up_secrets(base::Duration each_within, const base::Cancel* stop);

  /// Before anything runs: connects to every host, bastion and balancer host of the plan and keeps the
  /// connections. What went wrong comes back all at once, sorted by host.
  std::vector<ConnectFinding> connect_all(std::size_t at_once, const base::Scope& scope);

 private:
  class Performer;
  std::unique_ptr<Performer> performer_;
};

}  // namespace staithe::world
