#include "board.hpp"
#include "samples.hpp"
#include "scenes.hpp"

using namespace std::chrono_literals;
using namespace scenes;

TEST_CASE("watcher: what ended before a pause of the watch, or on a longer schedule, is no silence") {
  const Kept kept;
  watch::Settings settings;
  settings.store = kept.store.get();
  auto before = samples::suite("api", checks::Verdict::pass);
  before.finished = store::now() - 1h;
  kept.store->keep_note("production", "watch/suite/api", watch::to_json(before));

  watch::Board board(settings, "production");
  board.place(production({scheduled("api", 1min)}));
  board.restore();
  CHECK(board.overview().suites.at(0).ever_ran());
  CHECK(board.between_runs({{"api"}}).messages.empty());

  before.finished = store::now() - 10min;
  kept.store->keep_note("production", "watch/suite/api", watch::to_json(before));
  watch::Board shortened(settings, "production");
  shortened.place(production({scheduled("api", 1h)}));
  shortened.restore();
  shortened.place(production({scheduled("api", 1min)}));
  CHECK(shortened.between_runs({{"api"}}).messages.empty());
}

TEST_CASE("watcher: silence of a suite that was waited for all the time is told") {
  watch::Settings settings;
  watch::Board board(settings, "production");
  board.place(production({scheduled("api", 1ms)}));
  board.broke_off({"api"}, "trouble");
  std::this_thread::sleep_for(20ms);
  const auto told = board.between_runs({{"api"}}).messages;
  REQUIRE(told.size() == 1);
  CHECK(told[0].incident.kind == watch::Incident::Kind::silent);
}

TEST_CASE("watcher: suites that depend on each other are run with what room there is") {
  Seen seen;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.at_once = 2;
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  bool beside = false;
  watch::Watcher watcher(
      programme(production({scheduled("long", 1ms), scheduled("a", 300ms), scheduled("b", 300ms, {"a"})}),
                [&](const checks::SuitePlan& part, const verify::Options& options) {
                  if (part.suites.front().name == "long") {
                    seen.add("long");
                    beside = seen.wait_for("pair beside it", 5s);
                    soft.request();
                  } else if (seen.wait_for("long", 0ms) && options.suites_at_once == 1) {
                    seen.add("pair beside it");
                  }
                }),
      std::move(settings));
  watcher.run();
  CHECK(beside);
}

TEST_CASE("watcher: who has waited longest is run first") {
  Seen seen;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.at_once = 1;
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  watch::Watcher watcher(
      programme(production({scheduled("a", 2ms), scheduled("b", 2ms), scheduled("last", 2ms)}),
                [&](const checks::SuitePlan& part, const verify::Options&) {
                  seen.add(part.suites.front().name);
                  std::this_thread::sleep_for(20ms);
                  if (part.suites.front().name == "last" || seen.all().size() >= 40) soft.request();
                }),
      std::move(settings));
  watcher.run();
  CHECK(seen.wait_for("last", 0ms));
}

TEST_CASE("watcher: an incident of a suite that was taken away during a pause ends") {
  const Kept kept;
  {
    watch::Alerts alerts({"production", 4h});
    checks::Suite policy;
    policy.name = "gone";
    policy.alert.after = 1;
    auto failed = samples::suite("gone", checks::Verdict::fail);
    failed.failed_in_a_row = 1;
    REQUIRE(alerts.after_run({&failed}, {{"gone", &policy}}, store::now()).size() == 1);
    kept.store->keep_note("production", "watch/alerts", alerts.to_json());
  }
  Seen told;
  base::Cancel soft, hard;
  watch::Settings settings;
  settings.soft = &soft, settings.hard = &hard;
  settings.store = kept.store.get();
  settings.ways = quiet_ways();
  settings.log = [&](const watch::Note& note) {
    for (const auto& [name, value] : note.facts)
      if (note.event == "alert" && (name == "state" || name == "suite")) told.add(value);
  };
  const watch::Watcher watcher(programme(production({scheduled("api", 1h)}), [](const auto&, const auto&) {}),
                               std::move(settings));
  CHECK(watcher.overview().incidents.empty());
  CHECK(told.all() == std::vector<std::string>{"recovered", "gone"});
  CHECK(await([&] { return kept.store->notes("production").at("watch/alerts") == "[]"; }));
}

TEST_CASE("watcher: trouble with the history is shown without secrets") {
  watch::Settings settings;
  settings.ways.clean = [](const std::string& text) { return std::string(text.empty() ? "" : "cleaned"); };
  watch::Board board(settings, "production");
  board.history_trouble("postgres://me:secret@db");
  CHECK(board.overview().history_trouble == "cleaned");
  board.history_trouble("");
  board.notes_trouble("postgres://me:secret@db");
  CHECK(board.overview().history_trouble == "cleaned");
}
