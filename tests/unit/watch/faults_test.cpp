#include "board.hpp"
#include "claim.hpp"
#include "hanging.hpp"
#include "unit/http/server.hpp"

#include "staithe/base/unique_fd.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

using namespace std::chrono_literals;
using namespace scenes;

namespace {

checks::Suite at_once(const std::string& name, base::Duration every) {
  auto made = scheduled(name, every);
  made.alert.after = 1;
  return made;
}

/// A watch of one suite on a store of its own, whose first run breaks off and whose second hangs: first it
/// fails, then it is silent.
class Watching {
 public:
  explicit Watching(const store::Settings& settings = {}) : kept(settings) {
    settings_.soft = &soft, settings_.hard = &hard;
    settings_.store = kept.store.get();
    settings_.ways = quiet_ways();
    settings_.ways.secret = [](const auto&, const auto&) { return std::string("key"); };
    settings_.log = [this](const watch::Note& note) {
      for (const auto& [name, value] : note.facts)
        if (name == "state") seen.add(note.event + " " + value);
    };
  }
  ~Watching() { end(); }
  Watching(const Watching&) = delete;
  Watching& operator=(const Watching&) = delete;

  /// `before`: what the first run waits for.
  void begin(std::function<void()> before = [] {}) {
    auto programme = scenes::programme(production({at_once("api", 1ms)}),
                                       [this, before](const auto&, const verify::Options&) {
                                         if (++runs_ > 1) {
                                           soft_or_end();
                                           return;
                                         }
                                         before();
                                         throw base::Error(base::ErrorCode::failed, "trouble");
                                       });
    programme.destinations = {pager("oncall", server.url())};
    watcher = std::make_unique<watch::Watcher>(std::move(programme), settings_);
    thread_ = std::thread([this] { watcher->run(); });
  }
  void end() {
    soft.request();
    if (thread_.joinable()) thread_.join();
    watcher.reset();
  }
  watch::Settings& settings() { return settings_; }
  void lock() {
    lock_.emplace(std::get<store::Lock>(kept.store->try_lock({"production/watch", "watch", "", ""})));
    settings_.lock = &*lock_;
  }
  base::Duration heartbeat_age() const {
    const auto now = watcher->overview();
    return std::chrono::duration_cast<base::Duration>(now.steady - now.heartbeat);
  }

  Kept kept;
  std::optional<store::Lock> lock_;
  Server server{[](const std::string&) { return accepted; }};
  base::Cancel soft, hard;
  Seen seen;
  std::unique_ptr<watch::Watcher> watcher;

 private:
  void soft_or_end() const { base::wait_for(-1, 0, base::Scope::lasting(std::chrono::minutes(2), &soft)); }

  watch::Settings settings_;
  std::atomic<int> runs_{0};
  std::thread thread_;
};

/// Where a service manager is told things.
class Manager {
 public:
  Manager() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  }
  std::string path() const { return directory_ / "notify"; }
  void forget() const {
    while (receive(0ms).has_value()) continue;
  }
  bool hears(const std::string& word, std::chrono::milliseconds patience) const {
    const auto end = std::chrono::steady_clock::now() + patience;
    for (auto left = patience; left >= 0ms;
         left = std::chrono::duration_cast<std::chrono::milliseconds>(end - std::chrono::steady_clock::now()))
      if (const auto text = receive(left); text && text->find(word) != std::string::npos) return true;
    return false;
  }

 private:
  std::optional<std::string> receive(std::chrono::milliseconds patience) const {
    pollfd waiting{socket_.get(), POLLIN, 0};
    if (::poll(&waiting, 1, static_cast<int>(patience.count())) <= 0) return std::nullopt;
    std::string text(4096, '\0');
    text.resize(
        static_cast<std::size_t>(std::max<ssize_t>(::recv(socket_.get(), text.data(), text.size(), 0), 0)));
    return text;
  }

  staithe::test::Directory directory_;
  base::UniqueFd socket_;
};

}  // namespace

TEST_CASE("watcher: a store that hangs delays neither the scheduler nor those who are told") {
  store::Settings settings;
  settings.patience = 4s;
  Watching scene(settings);
  auto hanging = std::make_unique<Hanging>(scene.kept.file());
  scene.begin();
  REQUIRE(scene.seen.wait_for("delivery delivered", 60s));
  REQUIRE(await([&] { return scene.watcher->overview().incidents.size() == 2; }));
  // The scheduler has told of the silence itself: a turn of it lasts a quarter of a second, and one that
  // waited would wait for four.
  base::Duration oldest{0};
  for (int i = 0; i < 170; ++i) {
    oldest = std::max(oldest, scene.heartbeat_age());
    std::this_thread::sleep_for(30ms);
  }
  CHECK(oldest < 3500ms);
  CHECK(note_of(*scene.kept.store, "watch/alerts").empty());
  hanging.reset();
  CHECK(
      await([&] { return note_of(*scene.kept.store, "watch/alerts").find("silent") != std::string::npos; }));
}

TEST_CASE("watcher: an alert and that it was decided are written together or not at all") {
  const Kept kept;
  watch::Settings settings;
  settings.store = kept.store.get();
  watch::Board board(settings, "production");
  auto ways = quiet_ways();
  ways.may_send = [] { return false; };
  watch::Courier courier({pager("oncall", "http://127.0.0.1:1/")}, ways);
  board.deliver_by(&courier);
  board.place(production({at_once("api", 1min)}), {"oncall"});
  std::atomic<bool> done{false};
  std::atomic<std::size_t> torn{0}, pictures{0};
  std::thread reader([&] {
    while (!done) {
      const auto notes = board.notes({});
      const bool decided = notes.at("watch/alerts") != "[]", waits = notes.at("watch/outbox") != "[]";
      torn += decided != waits ? 1 : 0;
      ++pictures;
    }
  });
  while (pictures == 0) std::this_thread::yield();
  board.broke_off({"api"}, "trouble");
  done = true;
  reader.join();
  CHECK(torn == 0);
  CHECK(board.notes({}).at("watch/outbox") != "[]");
}

TEST_CASE("watcher: whose lock was taken tells nobody any more, writes nothing, and ends") {
  store::Settings quick;
  quick.heartbeat = 100ms, quick.lease = 400ms;
  Watching scene(quick);
  scene.lock();
  std::atomic<int> lost{0};
  scene.settings().lock_lost = [&] {
    ++lost;
    scene.soft.request();
  };
  const auto other = scene.kept.open({});
  // It is taken while a run is under way that will fail.
  scene.begin([&] {
    other->steal("production/watch", "it was thought dead", "bob");
    other->keep_note("production", "watch/alerts", "the other's");
    scene.seen.wait_for("lock lost", 60s);
  });
  CHECK(scene.seen.wait_for("lock lost", 60s));
  CHECK(scene.seen.wait_for("alert fired", 60s));
  scene.end();
  CHECK(lost == 1);
  CHECK(scene.server.requests().empty());
  CHECK(note_of(*other, "watch/alerts") == "the other's");
}

TEST_CASE("watcher: what was written for a lock that is another's finds that out by itself") {
  store::Settings settings;
  settings.heartbeat = 15min, settings.lease = 1h;
  const Kept kept(settings);
  auto lock = std::get<store::Lock>(kept.store->try_lock({"production/watch", "watch", "", ""}));
  watch::Claim claim(&lock, 1h);
  Seen seen;
  watch::Scribe scribe(claim,
                       {[](const auto&) {
                          return watch::Scribe::Notes{{"watch/alerts", "ours"}};
                        },
                        [&](const auto& notes) { kept.store->keep_notes("production", notes, claim.info()); },
                        [&](const auto& why) { seen.add(why); },
                        [&](watch::Claim::State state) {
                          if (state == watch::Claim::State::lost) seen.add("lost");
                        }});
  scribe.changed();
  REQUIRE(await([&] { return note_of(*kept.store, "watch/alerts") == "ours"; }));
  kept.open({})->steal("production/watch", "", "bob");
  kept.store->keep_note("production", "watch/alerts", "the other's");
  // Long before the lock would be renewed.
  CHECK(claim.may_alert());
  scribe.changed();
  REQUIRE(seen.wait_for("lost", 60s));
  CHECK_FALSE(claim.may_alert());
  CHECK(note_of(*kept.store, "watch/alerts") == "the other's");
}

TEST_CASE("watcher: while nobody knows who watches, alerts wait; they come when it is ours again") {
  store::Settings quick;
  quick.heartbeat = 100ms, quick.lease = 400ms, quick.patience = 300ms;
  Watching scene(quick);
  scene.lock();
  auto hanging = std::make_unique<Hanging>(scene.kept.file());
  scene.begin([&] { scene.seen.wait_for("lock unsure", 60s); });
  REQUIRE(scene.seen.wait_for("alert fired", 60s));
  CHECK_FALSE(scene.seen.wait_for("delivery delivered", 1s));
  CHECK_FALSE(scene.watcher->overview().lock_trouble.empty());
  CHECK(scene.watcher->overview().alerts_held);
  hanging.reset();
  CHECK(scene.seen.wait_for("lock confirmed", 60s));
  CHECK(scene.seen.wait_for("delivery delivered", 60s));
  CHECK(scene.watcher->overview().lock_trouble.empty());
}

TEST_CASE("watcher: a store that stays away does not keep alerts for ever") {
  store::Settings quick;
  quick.heartbeat = 100ms, quick.lease = 400ms, quick.patience = 300ms;
  Watching scene(quick);
  scene.lock();
  scene.settings().unsure_for = 500ms;
  const Hanging hanging(scene.kept.file());
  scene.begin([&] { scene.seen.wait_for("lock unsure", 60s); });
  CHECK(scene.seen.wait_for("delivery delivered", 60s));
  const auto now = scene.watcher->overview();
  CHECK_FALSE(now.lock_trouble.empty());
  CHECK_FALSE(now.alerts_held);
  CHECK(watch::page_html(now).find("Alerts may come twice") != std::string::npos);
}

TEST_CASE("watcher: who cannot read what was left does not begin, and writes nothing over it") {
  const Kept kept;
  kept.store->keep_note("production", "watch/alerts", "the earlier one's");
  change(kept.file(), "ALTER TABLE staithe_notes RENAME COLUMN body TO elsewhere");
  watch::Settings settings;
  settings.store = kept.store.get();
  settings.ways = quiet_ways();
  settings.log = [](const watch::Note&) {};
  const auto begin = [&] {
    return watch::Watcher(programme(production({scheduled("api", 1h)}), [](const auto&, const auto&) {}),
                          settings);
  };
  CHECK_THROWS_AS(begin(), base::Error);
  change(kept.file(), "ALTER TABLE staithe_notes RENAME COLUMN elsewhere TO body");
  CHECK(note_of(*kept.store, "watch/alerts") == "the earlier one's");
}

TEST_CASE("watcher: that nothing can be written is said for as long as it is so, and no longer") {
  const Kept kept;
  watch::Settings settings;
  settings.ways = quiet_ways();
  watch::Board board(settings, "production");
  watch::Claim claim(nullptr, 1min);
  change(kept.file(), "ALTER TABLE staithe_notes RENAME TO away");
  watch::Scribe scribe(claim,
                       {[](const auto&) {
                          return watch::Scribe::Notes{{"watch/alerts", "ours"}};
                        },
                        [&](const auto& notes) { kept.store->keep_notes("production", notes); },
                        [&](const auto& why) { board.notes_trouble(why); }, [](watch::Claim::State) {}});
  scribe.changed();
  REQUIRE(await([&] { return !board.overview().history_trouble.empty(); }));
  // A run that could keep its own results says nothing about these.
  board.ended({});
  CHECK_FALSE(board.overview().history_trouble.empty());
  change(kept.file(), "ALTER TABLE away RENAME TO staithe_notes");
  CHECK(await([&] { return board.overview().history_trouble.empty(); }));
  CHECK(note_of(*kept.store, "watch/alerts") == "ours");
}

TEST_CASE("watcher: a scheduler that hangs gives its watchdog no sign of life, and gets old") {
  const Manager manager;
  watch::ServiceManager service(manager.path(), "300000");
  Watching scene;
  scene.settings().service = &service;
  // Who is told that the suite is silent is told by the scheduler, and does not come back.
  scene.settings().log = [&](const watch::Note& note) {
    for (const auto& [name, value] : note.facts)
      if (note.event == "alert" && name == "incident" && value.ends_with("/silent")) {
        scene.seen.add("hangs");
        scene.seen.wait_for("goes on", 60s);
      }
  };
  scene.begin();
  CHECK(manager.hears("WATCHDOG=1", 60s));
  REQUIRE(scene.seen.wait_for("hangs", 60s));
  manager.forget();
  CHECK_FALSE(manager.hears("WATCHDOG=1", 2500ms));
  CHECK(scene.heartbeat_age() >= 900ms);
  scene.seen.add("goes on");
  CHECK(manager.hears("WATCHDOG=1", 60s));
}
