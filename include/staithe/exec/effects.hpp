#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/event/event.hpp"
#include "staithe/plan/plan.hpp"

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::exec {

/// What became of an effect. A failure is a value; policy is exec's.
struct EffectResult {
  event::Outcome outcome = event::Outcome::ok;
  std::string detail;  ///< one line: why it failed, or what was found
  std::optional<int> exit_status;
  std::string captured;                  ///< trimmed stdout when the effect captures
  std::vector<std::string> output_tail;  ///< last lines of output, printable and redacted
  bool retryable = false;                ///< another attempt may succeed
  bool nothing_done = false;             ///< surely: it failed before anything was sent or started
  bool wrong_servers = false;            ///< what the files say of a host's servers is not what HAProxy has
  bool own_fault = false;  ///< caused by this machine, a balancer or the run's deadline; does not count
                           ///< against the release
  /// Why visitors do not meet the host though all was done: somebody else took it out meanwhile. "" for none.
  std::string kept_out{};

  bool ok() const { return outcome == event::Outcome::ok; }
  /// Not where a person stopped it, the host was not heard of or did not let it in, somebody else has the
  /// server by now, or something else than what runs on the host failed.
  bool tells_of_release() const {
    return !ok() && !own_fault && !host_lost() && outcome != event::Outcome::cancelled &&
           outcome != event::Outcome::refused;
  }
  /// Whatever was done, the host is not heard of: its app may be gone with it.
  bool host_lost() const {
    return outcome == event::Outcome::unreachable || (nothing_done && outcome == event::Outcome::timed_out);
  }
};

/// What an effect may use while it is performed.
struct Performance {
  base::Scope scope;                                   ///< the attempt's deadline and who may stop it
  const std::map<std::string, std::string>& captures;  ///< of this lane, by name
  std::function<void(std::string_view lines, bool is_error)> output;
  std::function<void(const event::Progress&)> progress;
  std::function<void(event::Level, const std::string&)> message;
  /// Writes `text` to the journal before it returns; what must outlive a crash (the state found before a
  /// drain) is noted before it is acted on. Throws base::Error when the journal cannot be written.
  std::function<void(const std::string& key, const std::string& text)> note;
  /// Told of the checks that a suite has judged, as they end; may be empty.
  std::function<void(std::vector<event::CheckRecord>&&)> checks{};
  /// The first signal, also where `scope` is shielded from it: what only makes sure of what is done ends
  /// early.
  const base::Cancel* hurry = nullptr;
};

/// Where visitors meet a host, by what its balancers say: balancers' names.
struct Reach {
  std::vector<std::string> out;      ///< no visitor is sent to it there
  std::vector<std::string> serving;  ///< visitors are sent to it there
  std::vector<std::string> unknown;  ///< these do not answer

  bool everywhere() const { return !serving.empty() && out.empty() && unknown.empty(); }
  /// "NOT serving on lb1; serving on lb2"; "" when nothing is known.
  std::string text() const;
};

/// The one door to the outside. Thread safe for different hosts; blocks until done, deadline or stop.
class Effects {
 public:
  virtual ~Effects() = default;
  /// Never throws for a failure of the world.
  virtual EffectResult perform(const plan::Effect& effect, Performance& performance) = 0;
  /// A lane has ended: nothing works on `host` until another begins, perhaps its revert.
  virtual void lane_ended(const std::string& /*host*/) noexcept {}
  /// Reads only: where visitors meet these hosts now. Hosts of which nothing can be said are left away.
  virtual std::map<std::string, Reach> reach(const std::set<std::string>& /*hosts*/,
                                             const base::Scope& /*scope*/) noexcept {
    return {};
  }
  /// Why no visitor can have met what the run brought, though its hosts were given back: all of them are out
  /// by others' hands. "" when one may have: only then it may be called good.
  virtual std::string unmet() noexcept { return {}; }
  /// No later action of the run needs `host`: its connection may be closed.
  virtual void done_with(const std::string& host) noexcept = 0;
};

/// The write-ahead journal. intent() and note() return only when the record, and all before it, is durable;
/// outcome() and not_begun() may leave that to the next record of any lane. Thread safe; throws base::Error
/// when it cannot be written: then the action is not begun.
class Journal {
 public:
  virtual ~Journal() = default;
  virtual void intent(const std::string& host, const std::string& action_id) = 0;
  virtual void note(const std::string& host, const std::string& action_id, const std::string& key,
                    const std::string& text) = 0;
  virtual void outcome(const std::string& host, const std::string& action_id, const EffectResult& result) = 0;
  /// The outcome of an action that was stopped or failed before anything of it was done: its intent, if there
  /// is one, counts no more.
  virtual void not_begun(const std::string& host, const std::string& action_id,
                         const EffectResult& result) = 0;
};

}  // namespace staithe::exec
