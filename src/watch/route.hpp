#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/watch/courier.hpp"

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace staithe::watch {

/// What waits for one destination, and the thread that takes it there: who hangs keeps only its own waiting.
class Route {
 public:
  struct Tally {
    std::atomic<std::uint64_t> sent{0}, failed{0};
  };

  /// `ways` and `tally` must outlive it.
  Route(Destination destination, const Courier::Ways& ways, Tally& tally);
  ~Route();
  Route(const Route&) = delete;
  Route& operator=(const Route&) = delete;

  static constexpr std::size_t most_waiting = 1000;
  /// `waited`: how long it has waited already, in an earlier process. What has gone for it: the oldest, when
  /// too many wait.
  std::optional<Message> add(Message message, base::Duration waited = base::Duration{0});
  /// The same name, and perhaps another address: what waits is tried there at once, and an attempt at the old
  /// one is cut off. It may have been received there all the same.
  void redirect(Destination destination);
  /// Cuts off an attempt in hand, whose message goes on waiting. Twice is as once.
  void end();

  std::vector<Message> waiting() const;
  std::string trouble() const;
  bool wants(const Message& message) const;

 private:
  struct Waiting {
    Message message;
    base::SteadyTime queued;
  };
  struct Outcome {
    Courier::Event event;
    std::string refused_by{};  ///< the mark of the address that said no
  };

  void work();
  Outcome attempt(const Destination& destination, const Message& message, const base::Cancel& cut);
  /// Throws Refused, which says by whom.
  void send(const Destination& destination, const Message& message, const base::Cancel& cut);
  void happened(const Courier::Event& event) noexcept;
  /// Of the first that waits: it stays while it is in hand.
  void settle(Outcome& outcome);

  const Courier::Ways& ways_;
  Tally& tally_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Destination destination_;
  std::deque<Waiting> waiting_;
  base::SteadyTime not_before_{};
  base::Duration pause_{0};
  std::string trouble_;
  bool in_hand_ = false, ending_ = false;
  /// Of the attempt in hand, or the next one; another one for each address.
  std::shared_ptr<base::Cancel> cut_ = std::make_shared<base::Cancel>();
  std::thread thread_;
};

}  // namespace staithe::watch
