/// A connection that is lost at the worst moments: every call is repeated by the Store, and must have taken
/// effect exactly once, whether or not its first attempt did.
#include "core.hpp"
#include "support/directory.hpp"
#include "support/store_contract.hpp"

#include <filesystem>

using namespace staithe;
using base::ErrorCode;
using base::Scope;
using test::code_of;
using test::sample_request;
using test::sample_run;

namespace {

/// Where the connection breaks: at the countdown's end, before or after the statement has taken effect.
struct Plan {
  int countdown = -1;
  bool after = false;
  int broken = 0;
};

class Breaking final : public store::Database {
 public:
  Breaking(const std::string& path, Plan& plan) : inner_(store::sqlite_database(path)), plan_(plan) {}

  void open(const Scope& scope) override { inner_->open(scope); }
  store::Rows exec(std::string_view sql, std::span<const store::Value> params, const Scope& scope) override {
    return broken_around([&] { return inner_->exec(sql, params, scope); });
  }
  std::uint64_t insert(std::string_view into, std::size_t width, std::span<const std::string_view> values,
                       std::string_view on_conflict, const Scope& scope) override {
    return broken_around([&] { return inner_->insert(into, width, values, on_conflict, scope); });
  }
  void begin(const Scope& scope) override { inner_->begin(scope); }
  void commit(const Scope& scope) override {
    broken_around([&] {
      inner_->commit(scope);
      return 0;
    });
  }
  void rollback() noexcept override { inner_->rollback(); }
  void exclude_others(const Scope& scope) override { inner_->exclude_others(scope); }
  bool has_table(std::string_view name, const Scope& scope) override {
    return inner_->has_table(name, scope);
  }
  const char* now_sql() const noexcept override { return inner_->now_sql(); }
  bool curable(const base::Error& error) const noexcept override { return error.code() == ErrorCode::io; }
  std::string where() const override { return inner_->where(); }

 private:
  template <class F>
  auto broken_around(F work) -> decltype(work()) {
    const bool now = plan_.countdown-- == 0;
    if (now) ++plan_.broken;
    if (now && !plan_.after) throw base::Error(ErrorCode::io, "request lost");
    auto result = work();
    if (now) throw base::Error(ErrorCode::io, "reply lost");
    return result;
  }

  std::unique_ptr<store::Database> inner_;
  Plan& plan_;
};

class Bench {
 public:
  Bench() {
    const std::string path = directory_ / "state.db";
    store = std::make_unique<store::Store>(std::make_unique<store::Store::Core>(
        [path, this] { return std::make_unique<Breaking>(path, plan); }, store::Settings{}));
  }

  /// Runs `work` with the connection breaking at its statement `at`; false when it has fewer statements.
  template <class F>
  bool breaking_at(int at, bool after, F work) {
    plan = {at, after, 0};
    work();
    plan.countdown = -1;
    return plan.broken == 1;
  }

  Plan plan;
  std::unique_ptr<store::Store> store;

 private:
  test::Directory directory_;
};

/// Calls `check(at, after)` for statement 0, 1, 2, ... until it says that there is none, for lost requests
/// and for lost replies.
void at_every_statement(const std::function<bool(int, bool)>& check) {
  for (const bool after : {false, true}) {
    int at = 0;
    while (check(at, after)) ++at;
    CHECK(at > 0);
  }
}

}  // namespace

TEST_CASE("an entry is appended once") {
  at_every_statement([](int at, bool after) {
    Bench bench;
    bench.store->begin_run(sample_run("run-1"));
    bench.store->append("run-1", {0, {}, "web1", "a0", "note", "{}"});
    const bool broke = bench.breaking_at(at, after, [&] {
      CHECK(bench.store->append("run-1", {0, {}, "web1", "a1", "note", "{}"}) == 2);
    });
    CHECK(bench.store->journal("run-1").size() == 2);
    return broke;
  });
}

TEST_CASE("a run is begun and ended once, and its id stays taken") {
  at_every_statement([](int at, bool after) {
    Bench bench;
    const bool broke = bench.breaking_at(at, after, [&] { bench.store->begin_run(sample_run("run-1")); });
    CHECK(bench.store->history().size() == 1);
    CHECK(code_of([&] { bench.store->begin_run(sample_run("run-1")); }) == ErrorCode::conflict);
    return broke;
  });
  at_every_statement([](int at, bool after) {
    Bench bench;
    bench.store->begin_run(sample_run("run-1"));
    const bool broke = bench.breaking_at(at, after, [&] { bench.store->end_run("run-1", "done", 0, "{}"); });
    CHECK(bench.store->run("run-1")->outcome == "done");
    return broke;
  });
}

TEST_CASE("a lock is taken, given back and stolen once") {
  at_every_statement([](int at, bool after) {
    Bench bench;
    const bool broke = bench.breaking_at(at, after, [&] {
      const auto taken = bench.store->try_lock(sample_request());
      CHECK(std::holds_alternative<store::Lock>(taken));
      CHECK(bench.store->lock_info("production/payments"));
    });
    CHECK_FALSE(bench.store->lock_info("production/payments"));  // the destructor's release was repeated too
    return broke;
  });
  at_every_statement([](int at, bool after) {
    Bench bench;
    const auto taken = bench.store->try_lock(sample_request());
    std::optional<store::LockInfo> victim;
    const bool broke = bench.breaking_at(
        at, after, [&] { victim = bench.store->steal("production/payments", "why", "bob"); });
    REQUIRE(victim);
    CHECK(victim->holder == "ann@build1 pid 1");
    CHECK(bench.store->lock_events().size() == 1);
    CHECK_FALSE(bench.store->lock_info("production/payments"));
    return broke;
  });
}
