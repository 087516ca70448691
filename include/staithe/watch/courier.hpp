#pragma once
#include "staithe/plan/text.hpp"
#include "staithe/watch/alerts.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace staithe::watch {

/// Where alerts go.
struct Destination {
  enum class Kind { slack, pagerduty };
  std::string name;  ///< as `to` of a suite says it
  Kind kind = Kind::slack;
  plan::SecretRef secret;  ///< slack: the webhook's URL; pagerduty: the routing key
  std::string url;         ///< pagerduty: where events go

  bool operator==(const Destination&) const = default;
};

/// Delivers alerts, to each destination in a thread of its own and in order, again and again while a
/// destination cannot be reached: for a day; five times when it refuses. Of each destination 1000 wait at the
/// most: the oldest is given up.
class Courier {
 public:
  struct Event {
    enum class Kind { delivered, failed, given_up };
    Kind kind = Kind::delivered;
    std::string destination, incident, message;  ///< message: name_of(Message::Kind)
    std::string why;
  };
  /// All are called from the courier's threads, several at once, and may be called after add() has returned.
  struct Ways {
    /// A secret's value; throws base::Error. It must have been told to the redactor.
    std::function<std::string(const plan::SecretRef&, const base::Scope&)> secret;
    /// The text, safe to be shown.
    std::function<std::string(const std::string&)> clean;
    std::function<void(const Event&)> happened;
    /// Asked before each attempt; while it says no, all waits. Empty: yes. Must not block.
    std::function<bool()> may_send;
    std::string project;
    base::Duration first_pause{5'000};  ///< after the first failure; doubled each time up to 5 minutes
  };
  struct Standing {
    std::uint64_t sent = 0, failed = 0;
    std::size_t waiting = 0;
    std::string trouble;
  };

  Courier(std::vector<Destination> destinations, Ways ways);
  /// What is not delivered stays in to_json(): take that before.
  ~Courier();
  /// Ends the threads: no way is called any more. What waits can still be taken. Not beside redirect().
  void end();
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  /// Returns at once. What is for somebody who is not declared any more is given up, and what too many came
  /// after: those are returned.
  std::vector<Event> add(const std::vector<Message>& messages);
  /// These are destinations too from now on, those of a name that is known at their new address.
  void welcome(std::vector<Destination> destinations);
  /// These are the destinations, and no others. What waits for one that is gone is given up, and returned.
  std::vector<Event> redirect(std::vector<Destination> destinations);
  Standing standing() const;

  /// What waits, for the next process: 3 MiB, shared equally; of whom more waits, the newest.
  std::string to_json() const;
  /// As add(), of what to_json() has made. Damaged: nothing; what still holds is told with the next reminder.
  std::vector<Event> restore(const std::string& json);

 private:
  class Desk;
  std::unique_ptr<Desk> desk_;
};

}  // namespace staithe::watch
