#include "scribe.hpp"

#include "staithe/base/error.hpp"

#include <utility>

namespace staithe::watch {
namespace {

constexpr std::chrono::seconds between_looks{1};
constexpr std::chrono::seconds before_another_try{5};

}  // namespace

Scribe::Scribe(Claim& claim, Ways ways) : claim_(claim), ways_(std::move(ways)) {
  thread_ = std::thread([this] { work(); });
}

Scribe::~Scribe() {
  end();
}

void Scribe::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  woken_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Scribe::changed(const std::vector<std::string>& suites) {
  {
    const std::lock_guard lock(mutex_);
    suites_.insert(suites.begin(), suites.end());
    changed_ = true;
  }
  woken_.notify_all();
}

void Scribe::work() {
  std::unique_lock lock(mutex_);
  base::SteadyTime not_before{};
  for (;;) {
    const auto may = [&] { return changed_ && (ending_ || std::chrono::steady_clock::now() >= not_before); };
    woken_.wait_for(lock, between_looks, [&] { return ending_ || may(); });
    const bool last = ending_, wanted = may();
    std::set<std::string> suites;
    if (wanted) {
      suites.swap(suites_);
      changed_ = false;
    }
    lock.unlock();
    look();
    const bool done = !wanted || write(suites);
    lock.lock();
    if (!done) {
      suites_.merge(suites);
      changed_ = true;
      not_before = std::chrono::steady_clock::now() + before_another_try;
    }
    if (last) return;
  }
}

void Scribe::look() {
  const auto now = claim_.confirm();
  if (std::exchange(known_, now) != now) ways_.claim(now);
}

bool Scribe::write(const std::set<std::string>& suites) {
  // What the other one has written is newer.
  if (claim_.state() == Claim::State::lost) return true;
  try {
    ways_.write(ways_.notes(suites));
  } catch (const base::Error& error) {
    if (error.code() == base::ErrorCode::conflict) {
      claim_.lose();
      look();
      return true;
    }
    troubled_ = true;
    ways_.trouble(error.what());
    return false;
  }
  if (std::exchange(troubled_, false)) ways_.trouble("");
  return true;
}

}  // namespace staithe::watch
