#pragma once
#include "catch.hpp"
#include "support/directory.hpp"

#include "staithe/base/error.hpp"
#include "staithe/store/store.hpp"
#include "staithe/watch/watcher.hpp"

#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <mutex>
#include <thread>

/// What tests of a watch are made of.
namespace scenes {

namespace watch = staithe::watch;
namespace checks = staithe::checks;
namespace verify = staithe::verify;
namespace store = staithe::store;
namespace base = staithe::base;

/// What a destination answers that takes an alert.
constexpr const char* accepted = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";

/// A store in a directory of its own.
struct Kept {
  explicit Kept(const store::Settings& settings = {}) : store(open(settings)) {}
  std::unique_ptr<store::Store> open(const store::Settings& settings) const {
    return store::Store::open_sqlite(file(), settings);
  }
  std::string file() const { return directory / "state.db"; }

  staithe::test::Directory directory;
  std::unique_ptr<store::Store> store;
};

inline checks::Suite scheduled(const std::string& name, base::Duration every,
                               std::vector<std::string> needs = {}) {
  checks::Suite made;
  made.name = name;
  made.schedule = every;
  made.depends_on = std::move(needs);
  return made;
}

inline checks::SuitePlan production(std::vector<checks::Suite> suites) {
  return {"", "production", std::move(suites)};
}

inline watch::Courier::Ways quiet_ways() {
  watch::Courier::Ways ways;
  ways.clean = [](const std::string& text) { return text; };
  ways.happened = [](const watch::Courier::Event&) {};
  ways.secret = [](const auto&, const auto&) -> std::string {
    throw base::Error(base::ErrorCode::failed, "nobody knows it");
  };
  return ways;
}

/// What has been seen, for threads that wait for it.
class Seen {
 public:
  void add(const std::string& what) {
    {
      const std::lock_guard lock(mutex_);
      all_.push_back(what);
    }
    changed_.notify_all();
  }
  bool wait_for(const std::string& what, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, patience, [&] { return count(what) > 0; });
  }
  std::vector<std::string> all() {
    const std::lock_guard lock(mutex_);
    return all_;
  }

 private:
  std::ptrdiff_t count(const std::string& what) const { return std::count(all_.begin(), all_.end(), what); }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

/// Looks again and again until it holds; false when it does not in `patience`.
inline bool await(const std::function<bool()>& holds,
                  std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  const auto end = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

using Run = std::function<void(const checks::SuitePlan& part, const verify::Options& options)>;

inline watch::Programme programme(checks::SuitePlan plan, Run run) {
  watch::Programme made;
  made.plan = std::move(plan);
  made.run = [run = std::move(run)](const checks::SuitePlan& part, const verify::Options& options) {
    run(part, options);
    verify::RunResult result;
    result.interrupted = true;
    return result;
  };
  return made;
}

inline watch::Message message_for(const std::string& suite, std::vector<std::string> to) {
  watch::Message made;
  made.incident.id = suite;
  made.incident.suite = suite;
  made.to = std::move(to);
  return made;
}

inline watch::Destination pager(const std::string& name, const std::string& url) {
  watch::Destination made;
  made.name = name;
  made.kind = watch::Destination::Kind::pagerduty;
  made.url = url;
  return made;
}

}  // namespace scenes
