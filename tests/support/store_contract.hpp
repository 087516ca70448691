#pragma once
/// What every Store must do, whichever way it keeps its state. Runs in the unit tests on SQLite and in the
/// integration tests on PostgreSQL.
#include "catch.hpp"

#include "staithe/base/error.hpp"
#include "staithe/store/store.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace staithe::test {

using OpenStore = std::function<std::unique_ptr<store::Store>(const store::Settings&)>;

inline store::Run sample_run(const std::string& id) {
  store::Run run;
  run.id = id;
  run.kind = "deploy";
  run.environment = "production";
  run.service = "payments";
  run.title = "deploy payments £ to 4 hosts";
  run.plan_id = "0123456789ab";
  run.plan_json = R"({"actions":[]})";
  run.user = "ann";
  run.release = "r1";
  run.sha = std::string(40, 'a');
  return run;
}

inline store::LockRequest sample_request(const std::string& scope = "production/payments") {
  return {scope, "deploy r1", "run-1", "ann@build1 pid 1"};
}

template <class F>
base::ErrorCode code_of(F work, std::string* text = nullptr) {
  try {
    work();
  } catch (const base::Error& error) {
    if (text != nullptr) *text = error.what();
    return error.code();
  }
  FAIL("no error was thrown");
  return {};
}

/// Runs `work` in a child process and returns its wait status; what it throws becomes exit status 99. To be
/// called while this process has one thread only.
inline int in_child(const std::function<void()>& work) {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    try {
      work();
      ::_exit(0);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
      ::_exit(99);
    }
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

inline void check_runs(const OpenStore& open) {
  const auto store = open({});
  store->begin_run(sample_run("run-1"));
  SECTION("a run is found as it was begun") {
    const auto run = store->run("run-1");
    REQUIRE(run);
    CHECK(run->kind == "deploy");
    CHECK(run->environment == "production");
    CHECK(run->service == "payments");
    CHECK(run->title == "deploy payments £ to 4 hosts");
    CHECK(run->plan_id == "0123456789ab");
    CHECK(run->plan_json == R"({"actions":[]})");
    CHECK(run->user == "ann");
    CHECK(run->release == "r1");
    CHECK(run->sha == std::string(40, 'a'));
    CHECK(std::chrono::abs(run->started - store::now()) < std::chrono::minutes(1));
    CHECK_FALSE(run->ended);
    CHECK_FALSE(run->exit_code);
    CHECK(run->owner == store::Owner::running);
    CHECK_FALSE(store->run("run-2"));
  }
  SECTION("an id is used once") {
    std::string text;
    CHECK(code_of([&] { store->begin_run(sample_run("run-1")); }, &text) == base::ErrorCode::conflict);
    CHECK_THAT(text, ContainsSubstring("run-1"));
    CHECK(code_of([&] { open({})->begin_run(sample_run("run-1")); }) == base::ErrorCode::conflict);
  }
  SECTION("an ended run is finished, and may be ended again") {
    CHECK(store->unfinished().size() == 1);
    CHECK(store->unfinished("production", "payments").size() == 1);
    CHECK(store->unfinished("staging").empty());
    store->end_run("run-1", "failed", 5, "{}");
    store->end_run("run-1", "recovered", 0, R"({"hosts":4})");
    CHECK(store->unfinished().empty());
    const auto run = store->run("run-1");
    REQUIRE(run);
    CHECK(run->ended);
    CHECK(run->outcome == "recovered");
    CHECK(run->exit_code == 0);
    CHECK(run->summary_json == R"({"hosts":4})");
    CHECK(code_of([&] { store->end_run("run-9", "done", 0, "{}"); }) == base::ErrorCode::not_found);
  }
  SECTION("history is newest first, filtered and limited") {
    for (int i = 2; i <= 5; ++i) {
      auto run = sample_run("run-" + std::to_string(i));
      run.started = store::now() + std::chrono::minutes(i);
      if (i == 4) run.environment = "staging";
      store->begin_run(run);
    }
    const auto all = store->history();
    REQUIRE(all.size() == 5);
    CHECK(all.front().id == "run-5");
    CHECK(all.back().id == "run-1");
    CHECK(all.front().plan_json.empty());
    CHECK(store->history({}, 2).size() == 2);
    store::HistoryFilter filter;
    filter.environment = "staging";
    REQUIRE(store->history(filter).size() == 1);
    CHECK(store->history(filter)[0].id == "run-4");
    filter = {};
    filter.since = store::now() + std::chrono::minutes(4) - std::chrono::seconds(30);
    CHECK(store->history(filter).size() == 2);
    filter = {};
    filter.outcome = "done";
    CHECK(store->history(filter).empty());
  }
  SECTION("history goes on behind a run, without those of a kind") {
    const auto now = store::now();
    for (int i = 2; i <= 8; ++i) {
      auto run = sample_run("run-" + std::to_string(i));
      run.started = now + std::chrono::minutes(i / 2);  // two at a time
      if (i % 4 == 0) run.kind = "exec";
      store->begin_run(run);
    }
    store::HistoryFilter filter;
    filter.other_than = "exec";
    std::vector<std::string> ids;
    for (auto piece = store->history(filter, 2); !piece.empty(); piece = store->history(filter, 2)) {
      for (const auto& run : piece) ids.push_back(run.id);
      filter.behind = {piece.back().started, piece.back().id};
    }
    CHECK(ids == std::vector<std::string>{"run-7", "run-6", "run-5", "run-3", "run-2", "run-1"});
  }
  SECTION("commands do not drive other runs out of the history") {
    for (int i = 2; i <= 7; ++i) {
      auto run = sample_run("run-" + std::to_string(i));
      run.started = store::now() + std::chrono::minutes(i);
      if (i > 3) run.kind = "exec";
      store->begin_run(run);
      store->end_run(run.id, "done", 0, "{}");
    }
    CHECK(store->prune("production", 2) == 2);
    for (const auto* gone : {"run-4", "run-5"}) CHECK_FALSE(store->run(gone));
    for (const auto* kept : {"run-2", "run-3", "run-6", "run-7"}) CHECK(store->run(kept));
  }
  SECTION("the oldest ended runs go with their journals, those without an end stay") {
    for (int i = 2; i <= 7; ++i) {
      auto run = sample_run("run-" + std::to_string(i));
      run.started = store::now() + std::chrono::minutes(i);
      if (i == 6) run.environment = "staging";
      store->begin_run(run);
      store->append(run.id, {0, {}, "web1", "a", "intent", "{}"});
      if (i != 3) store->end_run(run.id, "done", 0, "{}");
    }
    // Ended in production: 2, 4, 5, 7. Run 1 and run 3 have no end.
    CHECK(store->prune("production", 4) == 0);
    CHECK(store->prune("production", 2) == 2);
    for (const auto* gone : {"run-2", "run-4"}) {
      CHECK_FALSE(store->run(gone));
      CHECK(store->journal(gone).empty());
    }
    for (const auto* kept : {"run-1", "run-3", "run-5", "run-6", "run-7"}) CHECK(store->run(kept));
    CHECK(store->journal("run-3").size() == 1);
    CHECK(store->journal("run-7").size() == 1);
    CHECK(store->prune("production", 2) == 0);
    CHECK(store->prune("production", 0) == 2);
    CHECK(store->unfinished("production").size() == 2);
  }
  SECTION("text that a backend would not keep is refused by both") {
    for (const std::string& bad :
         {std::string("nul\0", 4), std::string("\xff"), std::string("\xc0\x80"), std::string("\xed\xa0\x80"),
          std::string("\xe2\x82"), std::string(5000, 'x')}) {
      auto run = sample_run("run-bad");
      run.title = bad;
      CHECK(code_of([&] { store->begin_run(run); }) == base::ErrorCode::invalid);
      CHECK(code_of([&] {
              store->append("run-1", {0, {}, bad, "", "note", ""});
            }) == base::ErrorCode::invalid);
    }
    store->append("run-1", {0, {}, "web1", "a", "note", "\xf0\x9f\x9a\xa2 \xed\x9f\xbf \t\n\x1b[0m"});
    CHECK(store->journal("run-1").at(0).body == "\xf0\x9f\x9a\xa2 \xed\x9f\xbf \t\n\x1b[0m");
  }
}

inline void check_journal(const OpenStore& open) {
  auto store = open({});
  store->begin_run(sample_run("run-1"));
  SECTION("entries come back in order, also to another process") {
    CHECK(store->append("run-1", {0, {}, "web1", "a1", "intent", R"({"say":"it's"})"}) == 1);
    CHECK(store->append("run-1", {0, store::Time{std::chrono::milliseconds(1234567890123)}, "", "a1",
                                  "outcome", ""}) == 2);
    store.reset();
    const auto entries = open({})->journal("run-1");
    REQUIRE(entries.size() == 2);
    CHECK(entries[0].seq == 1);
    CHECK(entries[0].host == "web1");
    CHECK(entries[0].action_id == "a1");
    CHECK(entries[0].kind == "intent");
    CHECK(entries[0].body == R"({"say":"it's"})");
    CHECK(entries[1].time == store::Time{std::chrono::milliseconds(1234567890123)});
  }
  SECTION("a later process goes on where the first one stopped") {
    store->append("run-1", {0, {}, "web1", "a1", "intent", ""});
    const auto later = open({});
    CHECK(later->append("run-1", {0, {}, "web1", "a1", "note", ""}) == 2);
    // The first one is not dead after all: it must not write over the other's entry.
    CHECK(code_of([&] {
            store->append("run-1", {0, {}, "web1", "a1", "outcome", ""});
          }) == base::ErrorCode::conflict);
    CHECK(later->journal("run-1").at(1).kind == "note");
  }
  SECTION("pages") {
    for (int i = 0; i < 10; ++i) store->append("run-1", {0, {}, "web1", std::to_string(i), "note", ""});
    const auto page = store->journal("run-1", 4, 3);
    REQUIRE(page.size() == 3);
    CHECK(page[0].action_id == "4");
    CHECK(page[2].action_id == "6");
  }
  SECTION("no run, no journal") {
    CHECK(code_of([&] {
            store->append("run-9", {0, {}, "", "", "note", ""});
          }) == base::ErrorCode::not_found);
    CHECK(store->journal("run-9").empty());
  }
  SECTION("a body is at most 1 MiB") {
    store->append("run-1", {0, {}, "", "", "note", std::string(1 << 20, 'x')});
    CHECK(store->journal("run-1").at(0).body.size() == 1 << 20);
    CHECK(code_of([&] {
            store->append("run-1", {0, {}, "", "", "note", std::string((1 << 20) + 1, 'x')});
          }) == base::ErrorCode::invalid);
  }
  SECTION("what is enqueued is there for whoever reads, and after the end") {
    CHECK(store->enqueue("run-1", {0, {}, "web1", "a1", "outcome", "{}"}) == 1);
    CHECK(store->journal("run-1").size() == 1);
    store->enqueue("run-1", {0, {}, "web1", "a2", "outcome", "{}"});
    store.reset();
    CHECK(open({})->journal("run-1").size() == 2);
  }
  SECTION("entries that are written together are there once each, however many they are") {
    for (std::size_t together = 1; together <= 9; ++together) {
      const auto before = store->journal("run-1").size();
      for (std::size_t i = 1; i < together; ++i)
        store->enqueue("run-1", {0, {}, "", std::to_string(i), "outcome", ""});
      store->append("run-1", {0, {}, "", "last", "note", "longer than the others"});
      const auto entries = store->journal("run-1");
      REQUIRE(entries.size() == before + together);
      CHECK(entries.back().action_id == "last");
      CHECK(entries.back().body == "longer than the others");
    }
  }
  SECTION("many threads append to two runs: nothing is lost, each run is in order") {
    store->begin_run(sample_run("run-2"));
    constexpr int threads = 16;
    constexpr int each = 40;
    std::vector<std::vector<std::uint64_t>> given(threads);
    std::vector<std::thread> lanes;
    for (int lane = 0; lane < threads; ++lane) {
      lanes.emplace_back([&, lane] {
        for (int i = 0; i < each; ++i) {
          const std::string run = lane % 2 == 0 ? "run-1" : "run-2";
          given[static_cast<std::size_t>(lane)].push_back(
              store->append(run, {0, {}, std::to_string(lane), std::to_string(i), "note", "{}"}));
        }
      });
    }
    for (auto& lane : lanes) lane.join();
    for (const std::string run : {"run-1", "run-2"}) {
      const auto entries = store->journal(run);
      REQUIRE(entries.size() == threads * each / 2);
      for (std::size_t i = 0; i < entries.size(); ++i) CHECK(entries[i].seq == i + 1);
      std::vector<std::size_t> next(threads, 0);
      for (const auto& entry : entries) {
        const auto lane = static_cast<std::size_t>(std::stoi(entry.host));
        REQUIRE(entry.action_id == std::to_string(next[lane]));
        CHECK(given[lane][next[lane]++] == entry.seq);
      }
    }
  }
}

inline void check_checks(const OpenStore& open) {
  const auto store = open({});
  const auto record = [](const std::string& key, int minute) {
    store::CheckRecord one;
    one.environment = "production";
    one.suite = "api";
    one.key = key;
    one.run_id = "run-" + std::to_string(minute);
    one.verdict = "pass";
    one.time = store::now() - std::chrono::minutes(100 - minute);
    return one;
  };
  for (int minute = 0; minute < 20; ++minute)
    store->record_checks({record("api/a", minute), record("api/b", minute)});
  const auto newest = store->check_history_of("production", "api", "api/a", 3);
  REQUIRE(newest.size() == 3);
  CHECK(newest[0].run_id == "run-19");
  CHECK(newest[2].run_id == "run-17");
  CHECK(newest[0].key == "api/a");
  CHECK(store->check_history("production", "api", 5).size() == 10);
  CHECK(store->check_history_of("staging", "api", "api/a").empty());
  store->prune_checks("staging", "api", 0);
  store->prune_checks("production", "other", 0);
  CHECK(store->check_history("production", "api").size() == 40);
  store->prune_checks("production", "api", 4);
  CHECK(store->check_history_of("production", "api", "api/a").size() == 4);
  CHECK(store->check_history_of("production", "api", "api/b").back().run_id == "run-16");
}

inline void check_old_checks(const OpenStore& open) {
  const auto store = open({});
  constexpr int day = 24 * 60;
  const auto record = [](int minutes_ago, const std::string& key = "api/a") {
    store::CheckRecord one;
    one.environment = "production", one.suite = "api", one.key = key;
    one.run_id = "run-" + std::to_string(minutes_ago);
    one.verdict = "pass";
    one.time = store::now() - std::chrono::minutes(minutes_ago);
    return one;
  };
  const auto runs = [&](const std::string& key = "api/a") {
    return store->check_history_of("production", "api", key, 10'000);
  };
  // As after a clock's jump of a year: what was of today is of a year ago.
  store->record_checks({record(365 * day), record(366 * day), record(366 * day, "api/seldom"),
                        record(4 * 365 * day), record(4 * 365 * day, "api/gone"),
                        record(366 * day, "api/gone")});
  CHECK(runs("api/gone").size() == 1);
  store->record_checks({record(61)});
  CHECK(runs().size() == 3);
  std::vector<store::CheckRecord> many;
  for (int minute = 1; minute < 600; ++minute) many.push_back(record(minute));
  store->record_checks(many);
  CHECK(runs().size() == 599);
  CHECK(runs().back().run_id == "run-599");
  CHECK(runs("api/seldom").size() == 1);
  // Of a check that has many of that age, the newest stay.
  std::vector<store::CheckRecord> aged;
  for (int minute = 0; minute < 600; ++minute) aged.push_back(record(200 * day + minute, "api/seldom"));
  store->record_checks(aged);
  CHECK(runs("api/seldom").size() == 500);
}

inline void check_notes(const OpenStore& open) {
  const std::string large(100'000, 'x');
  {
    const auto store = open({});
    CHECK(store->notes("production").empty());
    store->keep_note("production", "watch/a", "{\"first\": 1}");
    store->keep_note("production", "watch/a", "{\"second\": \"£ ' $1\"}");
    store->keep_note("production", "watch/b", large);
    store->keep_note("staging", "watch/a", "other");
    CHECK(code_of([&] { store->keep_note("production", "c", std::string("a\0b", 3)); }) ==
          base::ErrorCode::invalid);
    CHECK(code_of([&] { store->keep_note("production", "c", std::string(5'000'000, 'x')); }) ==
          base::ErrorCode::invalid);
    // All or none.
    CHECK(code_of([&] {
            store->keep_notes("production", {{"watch/b", "half"}, {"watch/z", std::string("a\0b", 3)}});
          }) == base::ErrorCode::invalid);
  }
  const auto again = open({});
  const std::map<std::string, std::string> kept{{"watch/a", "{\"second\": \"£ ' $1\"}"}, {"watch/b", large}};
  CHECK(again->notes("production") == kept);
}

/// A process that was stopped for a while must not write over what its successor has written.
inline void check_notes_of_a_lock(const OpenStore& open) {
  const auto store = open({});
  const auto other = open({});
  auto taken = store->try_lock(sample_request("production/watch"));
  const auto held = std::get<store::Lock>(taken).info();
  store->keep_notes("production", {{"a", "1"}, {"b", "1"}}, &held);
  REQUIRE(other->steal("production/watch", "it stands still", "bob"));
  CHECK(code_of([&] { store->keep_notes("production", {{"a", "2"}}, &held); }) == base::ErrorCode::conflict);
  auto again = other->try_lock(sample_request("production/watch"));
  const auto successor = std::get<store::Lock>(again).info();
  other->keep_notes("production", {{"a", "3"}}, &successor);
  CHECK(code_of([&] { store->keep_notes("production", {{"a", "2"}}, &held); }) == base::ErrorCode::conflict);
  CHECK(other->notes("production") == std::map<std::string, std::string>{{"a", "3"}, {"b", "1"}});
}

inline void check_releases(const OpenStore& open) {
  const auto store = open({});
  const auto at = [](int second) { return store::Time{std::chrono::seconds(1'700'000'000 + second)}; };
  store->record_release(
      {"production", "payments", "r1", "aaa", "main", store::ReleaseState::good, at(1), "run-1"});
  store->record_release(
      {"production", "payments", "r2", "bbb", "v2", store::ReleaseState::staged, at(2), "run-2"});
  store->record_release(
      {"staging", "payments", "r3", "ccc", "v3", store::ReleaseState::good, at(3), "run-3"});
  auto releases = store->releases("production", "payments");
  REQUIRE(releases.size() == 2);
  CHECK(releases[0].id == "r2");
  CHECK(releases[0].state == store::ReleaseState::staged);
  CHECK(releases[1].sha == "aaa");
  CHECK(releases[1].time == at(1));
  store->record_release(
      {"production", "payments", "r2", "bbb", "v2", store::ReleaseState::bad, at(4), "run-2"});
  releases = store->releases("production", "payments", 1);
  REQUIRE(releases.size() == 1);
  CHECK(releases[0].state == store::ReleaseState::bad);
  CHECK(store->releases("production", "web").empty());
  CHECK(code_of([&] { store->record_release({}); }) == base::ErrorCode::invalid);
}

inline void check_rehearsals(const OpenStore& open) {
  const auto store = open({});
  const auto at = [](int second) { return store::Time{std::chrono::seconds(1'700'000'000 + second)}; };
  store::Rehearsal first{"run-1",         "shop", "staging", "shop_1", at(0), "f1",
                         "aa  001.sql\n", true,   "safe",    "{}",     1500,  at(1)};
  store->record_rehearsal(first);
  store::Rehearsal second = first;
  second.run_id = "run-2";
  second.passed = false;
  second.verdict = "would fail at 001.sql:1";
  second.time = at(2);
  store->record_rehearsal(second);
  second.run_id = "run-3";
  second.files_id = "f2";
  second.time = at(3);
  store->record_rehearsal(second);
  const auto all = store->rehearsals("staging");
  REQUIRE(all.size() == 3);
  CHECK(all[0].files_id == "f2");
  const auto last = store->last_rehearsal("shop", "staging", "f1");
  REQUIRE(last);
  CHECK(last->run_id == "run-2");
  CHECK_FALSE(last->passed);
  CHECK(last->verdict == "would fail at 001.sql:1");
  CHECK(all[2].passed);
  CHECK(all[2].files == first.files);
  CHECK(all[2].snapshot == "shop_1");
  CHECK(all[2].snapshot_taken == at(0));
  CHECK(all[2].duration_ms == 1500);
  CHECK(all[2].time == at(1));
  CHECK_FALSE(store->last_rehearsal("shop", "production", "f1"));
  CHECK_FALSE(store->last_rehearsal("shop", "staging", "f3"));
  CHECK_FALSE(store->last_rehearsal("mail", "staging", "f1"));
  CHECK(code_of([&] { store->record_rehearsal({}); }) == base::ErrorCode::invalid);
  for (int i = 0; i < 510; ++i) {
    second.run_id = "many-" + std::to_string(i);
    second.time = at(10 + i);
    store->record_rehearsal(second);
  }
  CHECK(store->rehearsals("staging", 1000).size() == 500);
}

}  // namespace staithe::test
