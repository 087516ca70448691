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
};

/// Delivers alerts in a thread of its own, in order for each destination, again and again while a destination
/// cannot be reached: for a day; five times when it refuses. Waiting alerts are bounded, the oldest goes.
class Courier {
 public:
  struct Event {
    enum class Kind { delivered, failed, given_up };
    Kind kind = Kind::delivered;
    std::string destination, incident, message;  ///< message: name_of(Message::Kind)
    std::string why;
  };
  /// All are called from the courier's thread, and may be called after add() has returned.
  struct Ways {
    /// A secret's value; throws base::Error. It must have been told to the redactor.
    std::function<std::string(const plan::SecretRef&, const base::Scope&)> secret;
    /// The text, safe to be shown.
    std::function<std::string(const std::string&)> clean;
    std::function<void(const Event&)> happened;
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
  Courier(const Courier&) = delete;
  Courier& operator=(const Courier&) = delete;

  void add(const std::vector<Message>& messages);
  /// Other destinations; what waits for one that is gone goes.
  void redirect(std::vector<Destination> destinations);
  Standing standing() const;

  /// What waits, for the next process.
  std::string to_json() const;
  void restore(const std::string& json);

 private:
  class Desk;
  std::unique_ptr<Desk> desk_;
};

}  // namespace staithe::watch
