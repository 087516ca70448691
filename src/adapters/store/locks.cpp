#include "convert.hpp"
#include "core.hpp"
#include "process.hpp"

#include <algorithm>

namespace staithe::store {

class Lock::State {
 public:
  State(Store::Core& core, std::shared_ptr<HeldLock> held, LockInfo taken, std::optional<LockInfo> from)
      : info(std::move(taken)), reclaimed(std::move(from)), core_(core), held_(std::move(held)) {
    core_.keeper.add(held_);
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    try {
      release();
    } catch (const std::exception&) {
      // The row stays; it counts as abandoned once this process has ended.
    }
  }

  bool lost() const noexcept { return held_->lost(); }

  bool confirm() {
    if (held_->stolen) return false;
    return core_.run(Work::single, [&](Session& session) { return renew(*held_, session); });
  }

  void release() {
    if (released_) return;
    core_.keeper.remove(held_.get());
    released_ = true;
    // Shielded from the stop: giving back is part of stopping.
    const auto limit = std::min<base::Duration>(core_.settings.patience, std::chrono::seconds(3));
    core_.run_within(base::Scope::lasting(limit), Work::single, [&](Session& session) {
      session.exec("DELETE FROM staithe_locks WHERE scope = $1 AND token = $2", {held_->scope, held_->token});
    });
  }

  const LockInfo info;
  const std::optional<LockInfo> reclaimed;

 private:
  Store::Core& core_;
  std::shared_ptr<HeldLock> held_;
  bool released_ = false;
};

Lock::Lock(std::unique_ptr<State> state) : state_(std::move(state)) {}
Lock::Lock(Lock&&) noexcept = default;
Lock& Lock::operator=(Lock&&) noexcept = default;
Lock::~Lock() = default;
const LockInfo& Lock::info() const noexcept {
  return state_->info;
}
bool Lock::lost() const noexcept {
  return state_->lost();
}
bool Lock::confirm() {
  return state_->confirm();
}
void Lock::release() {
  state_->release();
}
const std::optional<LockInfo>& Lock::reclaimed_from() const noexcept {
  return state_->reclaimed;
}

namespace {

/// The columns of lock_of, the store's clock last.
std::string select_locks(const Session& session) {
  return "SELECT scope, holder, reason, run_id, token, taken, heartbeat, process, lease_ms, " +
         session.now_sql() + " FROM staithe_locks";
}

LockInfo lock_of(const Row& row) {
  LockInfo info;
  Columns columns(row);
  columns.texts(info.scope, info.holder, info.reason, info.run_id, info.token);
  info.taken = columns.time();
  info.heartbeat = columns.time();
  info.owner = owner_of(columns.text());
  const auto lease_ms = columns.number();
  const bool silent = (columns.time() - info.heartbeat).count() > lease_ms;
  // An owner that lives on this machine keeps its lock even when it is stopped or cut off: it may wake up.
  info.abandoned = info.owner == Owner::gone || (info.owner == Owner::unknown && silent);
  return info;
}

std::optional<LockInfo> find_lock(Session& session, const std::string& scope) {
  const Rows rows = session.exec(select_locks(session) + " WHERE scope = $1", {scope});
  if (rows.rows.empty()) return std::nullopt;
  return lock_of(rows.rows.front());
}

void record_event(Session& session, const std::string& id, const std::string& what, const std::string& who,
                  const std::string& reason, const LockInfo& from) {
  session.exec(
      "INSERT INTO staithe_lock_events (id, time, scope, what, who, reason, from_holder, from_run_id) "
      "VALUES ($1, " +
          session.now_sql() + ", $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING",
      {id, from.scope, what, who, reason, from.holder, from.run_id});
}

/// Ends exactly the claim that was looked at; false when it has shown a sign of life or ended meanwhile.
bool end_claim(Session& session, const LockInfo& info) {
  return session
             .exec("DELETE FROM staithe_locks WHERE scope = $1 AND token = $2 AND heartbeat = $3",
                   {info.scope, info.token, to_value(info.heartbeat)})
             .changed == 1;
}

}  // namespace

LockResult Store::try_lock(const LockRequest& request) {
  if (request.scope.empty()) throw base::Error(base::ErrorCode::invalid, "a lock needs a scope");
  LockRequest wanted = request;
  if (wanted.holder.empty()) wanted.holder = this_process();
  for (const std::string* text : {&wanted.scope, &wanted.reason, &wanted.run_id, &wanted.holder}) {
    check_text("lock", *text);
  }
  auto held = std::make_shared<HeldLock>();
  held->scope = wanted.scope;
  held->token = random_token();
  held->lease_ms = core_->settings.lease.count();
  std::optional<LockInfo> reclaimed;
  const LockInfo found = core_->run(Work::transaction, [&](Session& session) {
    session.exclude_others();
    const auto present = find_lock(session, wanted.scope);
    // This may be our own claim, when the connection was lost in the first attempt's commit.
    if (present && !present->abandoned) return *present;
    if (present) {
      if (!end_claim(session, *present)) return find_lock(session, wanted.scope).value_or(*present);
      record_event(session, held->token, "reclaimed", wanted.holder, wanted.reason, *present);
      reclaimed = present;
    }
    held->renewed_ms = boottime_ms();
    session.exec(
        "INSERT INTO staithe_locks (scope, holder, reason, run_id, token, process, taken, heartbeat, "
        "lease_ms) "
        "VALUES ($1, $2, $3, $4, $5, $6, " +
            session.now_sql() + ", " + session.now_sql() + ", $7)",
        {wanted.scope, wanted.holder, wanted.reason, wanted.run_id, held->token, process_identity(),
         std::to_string(held->lease_ms)});
    return find_lock(session, wanted.scope).value();
  });
  if (found.token != held->token) return found;
  return Lock(std::make_unique<Lock::State>(*core_, held, found, reclaimed));
}

LockResult Store::lock(const LockRequest& request, const base::Scope& scope,
                       const std::function<void(const LockInfo&)>& on_wait) {
  std::string told;
  for (;;) {
    LockResult result = try_lock(request);
    const auto* holder = std::get_if<LockInfo>(&result);
    if (holder == nullptr) return result;
    if (on_wait && told != holder->token) on_wait(*holder);
    told = holder->token;
    switch (base::sleep_for(std::chrono::milliseconds(300), scope)) {
      case base::Woke::ready:
        continue;
      case base::Woke::deadline:
        return result;
      case base::Woke::cancelled:
        throw base::Error(base::ErrorCode::cancelled, "stopped");
    }
  }
}

std::optional<LockInfo> Store::lock_info(std::string_view scope) {
  check_text("lock", scope);
  return core_->run(Work::single, [&](Session& session) { return find_lock(session, std::string(scope)); });
}

std::vector<LockInfo> Store::locks() {
  const Rows rows = core_->run(Work::single, [](Session& session) {
    return session.exec(select_locks(session) + " ORDER BY scope LIMIT 10000");
  });
  std::vector<LockInfo> locks;
  for (const Row& row : rows.rows) locks.push_back(lock_of(row));
  return locks;
}

std::optional<LockInfo> Store::steal(std::string_view scope, std::string_view reason, std::string_view who) {
  check_text("lock", scope);
  check_text("reason", reason);
  check_text("name", who);
  const std::string event_id = random_token();
  std::optional<LockInfo> victim;
  core_->run(Work::transaction, [&](Session& session) {
    session.exclude_others();
    const auto present = find_lock(session, std::string(scope));
    // On a repeat after a lost connection the first attempt may have done it: then `victim` stands already.
    if (!present || (victim && present->token != victim->token)) return;
    victim = present;
    session.exec("DELETE FROM staithe_locks WHERE scope = $1 AND token = $2",
                 {present->scope, present->token});
    record_event(session, event_id, "stolen", std::string(who), std::string(reason), *present);
  });
  return victim;
}

std::vector<LockEvent> Store::lock_events(std::string_view scope, std::size_t limit) {
  check_text("lock", scope);
  const std::string condition = scope.empty() ? "" : " WHERE scope = $1";
  std::vector<Value> values;
  if (!scope.empty()) values.emplace_back(std::string(scope));
  const Rows rows = core_->run(Work::single, [&](Session& session) {
    return session.exec(
        "SELECT time, scope, what, who, reason, from_holder, from_run_id FROM staithe_lock_events" +
            condition + " ORDER BY time DESC, id DESC LIMIT " + std::to_string(limit),
        values);
  });
  std::vector<LockEvent> events;
  for (const Row& row : rows.rows) {
    events.push_back({to_time(row.at(0)), to_text(row.at(1)), to_text(row.at(2)), to_text(row.at(3)),
                      to_text(row.at(4)), to_text(row.at(5)), to_text(row.at(6))});
  }
  return events;
}

}  // namespace staithe::store
