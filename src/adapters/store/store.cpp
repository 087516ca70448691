#include "staithe/store/store.hpp"

#include "convert.hpp"
#include "core.hpp"
#include "process.hpp"
#include "schema.hpp"

namespace staithe::store {
namespace {

Settings checked(const Settings& settings) {
  if (settings.patience <= base::Duration::zero() || settings.heartbeat <= base::Duration::zero() ||
      settings.heartbeat * 3 > settings.lease) {
    throw base::Error(base::ErrorCode::invalid, "a lock's heartbeat must be at most a third of its lease");
  }
  return settings;
}

}  // namespace

Store::Core::Core(const OpenDatabase& open, const Settings& wanted)
    : settings(checked(wanted)),
      writer(random_token()),
      database_(open()),
      appends([this](std::span<PendingEntry* const> entries) { write_entries(entries); }),
      keeper(open, settings) {
  const auto scope = base::Scope::lasting(settings.patience, settings.stop);
  // Outside of run_on: a wrong address should be told at once, not after trying for a while.
  database_->open(scope);
  migrate(*database_, migrations(), scope);
}

Store::Store(std::unique_ptr<Core> core) : core_(std::move(core)) {}
Store::~Store() {
  try {
    if (core_) core_->appends.flush();
  } catch (...) {
    // What was only enqueued may be lost, as its callers know; there is nobody to tell.
    return;
  }
}

std::unique_ptr<Store> Store::open_sqlite(const std::string& path, const Settings& settings) {
  return std::make_unique<Store>(std::make_unique<Core>([path] { return sqlite_database(path); }, settings));
}

std::unique_ptr<Store> Store::open_postgres(const std::string& url, const Settings& settings) {
  return std::make_unique<Store>(std::make_unique<Core>([url] { return postgres_database(url); }, settings));
}

std::string Store::where() const {
  return core_->where();
}

std::string insert_of(std::string_view into, std::size_t width, std::size_t rows,
                      std::string_view on_conflict) {
  std::string sql(into);
  for (std::size_t value = 1; value <= rows * width; ++value) {
    const bool first = value % width == 1 || width == 1;
    sql += first ? (value == 1 ? " VALUES (" : ", (") : ", ";
    sql += "$" + std::to_string(value) + (value % width == 0 ? ")" : "");
  }
  return sql.append(" ").append(on_conflict);
}

bool wait_for_next_attempt(int attempt, const base::Scope& scope) {
  const auto pause = std::chrono::milliseconds(attempt < 4 ? 100 << attempt : 1000);
  return base::sleep_for(pause, scope) == base::Woke::ready;
}

}  // namespace staithe::store
