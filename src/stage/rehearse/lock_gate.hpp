#pragma once
#include "observer.hpp"
#include "sql_text.hpp"

#include "staithe/pg/session.hpp"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace staithe::stage {

/// Tables that a statement names, by themselves or by an index of theirs; SQL names, sorted.
std::vector<std::string> tables_named_by(pg::Session& session, const SqlStatement& statement,
                                         const base::Scope& scope);

/// Makes the locks of a short statement certain to be seen: one outside a transaction cannot be asked before
/// its COMMIT what it holds, and on a busy machine it is over before anybody has looked. Another session
/// holds SHARE UPDATE EXCLUSIVE on its tables, which whatever such statements ask for has to wait for; the
/// observer opens the gate as soon as it has seen the statement wait, and only then the statement's time
/// begins.
class LockGate {
 public:
  LockGate(std::string url, const base::Scope& scope);
  LockGate(const LockGate&) = delete;
  LockGate& operator=(const LockGate&) = delete;

  /// False when none of them could be locked at once; the statement then runs as if there were no gate.
  bool close(const std::vector<std::string>& tables);
  /// From any thread. True for the call that opened it.
  bool open() noexcept;
  /// When it was opened by a statement that waited, which is when the statement began; never otherwise.
  SteadyTime opened() const;
  void note_opened(SteadyTime when);

 private:
  std::string url_;
  base::Scope scope_;
  mutable std::mutex mutex_;
  std::unique_ptr<pg::Session> session_;
  bool closed_ = false;
  SteadyTime opened_{};
};

}  // namespace staithe::stage
