#include "staithe/stage/backfill.hpp"

#include <algorithm>
#include <random>

namespace staithe::stage {
namespace {

constexpr base::Duration first_timeout{100};
constexpr base::Duration first_rest{50};
constexpr base::Duration longest_rest{5'000};
constexpr base::Duration reset_patience{5'000};

/// Between half and one and a half of it: two runs must not meet again and again.
base::Duration with_jitter(base::Duration rest) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  std::uniform_int_distribution<base::Duration::rep> share(rest.count() / 2, rest.count() * 3 / 2);
  return base::Duration{share(random)};
}

/// However the tries end, the session waits for locks as it did before.
class LockTimeout {
 public:
  explicit LockTimeout(pg::Session& session) : session_(session) {}
  ~LockTimeout() {
    try {
      if (session_.usable() && !session_.in_transaction())
        session_.run("RESET lock_timeout", base::Scope::lasting(reset_patience));  // also after a stop
    } catch (const std::exception&) {
      // A session that does not answer is of no more use.
    }
  }
  LockTimeout(const LockTimeout&) = delete;
  LockTimeout& operator=(const LockTimeout&) = delete;

  void set(base::Duration timeout, const base::Scope& scope) {
    session_.run("SET lock_timeout = " + std::to_string(timeout.count()), scope);
  }

 private:
  pg::Session& session_;
};

}  // namespace

std::uint64_t run_with_lock_retries(pg::Session& session, const std::string& sql, base::Duration longest,
                                    std::uint32_t attempts, const base::Scope& scope) {
  base::Duration timeout = std::min(first_timeout, longest);
  base::Duration rest = first_rest;
  LockTimeout lock_timeout(session);
  for (std::uint32_t attempt = 0;; ++attempt) {
    lock_timeout.set(timeout, scope);
    try {
      session.run(sql, scope);
      return attempt;
    } catch (const pg::StatementError& error) {
      if (error.sqlstate() != "55P03" && error.sqlstate() != "40P01") throw;
      if (attempt + 1 >= attempts)
        throw base::Error(base::ErrorCode::timeout,
                          "the lock could not be had in " + std::to_string(attempts) + " attempts: " + sql);
    }
    base::sleep_for(with_jitter(rest), scope);
    scope.check("a lock");
    timeout = std::min(longest, timeout * 3 / 2);
    rest = std::min(longest_rest, rest * 3 / 2);
  }
}

}  // namespace staithe::stage
