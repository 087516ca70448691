#include "told_notes.hpp"

#include "staithe/base/error.hpp"
#include "staithe/world/recovery.hpp"

#include <nlohmann/json.hpp>

#include <exception>
#include <utility>

namespace staithe::world {

void ToldNotes::add(const std::string& host, const std::string& found) noexcept {
  if (store_ == nullptr) return;
  try {
    const std::lock_guard lock(mutex_);
    waiting_[host] = found;
    if (!writer_.joinable()) writer_ = std::jthread([this](const std::stop_token& stop) { write(stop); });
    added_.notify_one();
  } catch (const std::exception&) {
    // No thread or no memory to be had: it reads as not told.
  }
}

void ToldNotes::write(const std::stop_token& stop) noexcept {
  std::unique_lock lock(mutex_);
  while (added_.wait(lock, stop, [this] { return !waiting_.empty(); })) {
    const auto batch = std::exchange(waiting_, {});
    lock.unlock();
    for (const auto& [host, found] : batch) {
      try {
        const nlohmann::json body{{"key", told_key}, {"text", found}};
        store_->append(run_id_, {0, {}, host, told_action(host), "note", body.dump()});
      } catch (const std::exception&) {
        // It reads as not told.
      }
    }
    lock.lock();
  }
}

}  // namespace staithe::world
