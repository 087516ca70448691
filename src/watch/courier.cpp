#include "staithe/watch/courier.hpp"

#include "incident_json.hpp"

#include "staithe/base/error.hpp"
#include "staithe/http/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace staithe::watch {
namespace {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

constexpr std::size_t most_waiting = 1000;
constexpr std::uint32_t most_refusals = 5;
constexpr std::chrono::hours kept_for{24};
constexpr base::Duration longest_pause{300'000};
constexpr base::Duration patience{10'000};

/// The other side understood and says no; asking again soon will not help much.
class Refused : public base::Error {
 public:
  using base::Error::Error;
};

struct Waiting {
  Message message;
  std::uint64_t id = 0;  ///< in the order in which they came, of all destinations
  base::SteadyTime queued = Clock::now();
  std::uint32_t attempts = 0, refusals = 0;
};

void check_status(const http::Reply& reply) {
  if (reply.ok()) return;
  const auto text = fmt::format("it answered {}", reply.status);
  if (reply.status >= 400 && reply.status < 500 && reply.status != 408 && reply.status != 429)
    throw Refused(base::ErrorCode::failed, text);
  throw base::Error(base::ErrorCode::failed, text);
}

}  // namespace

class Courier::Desk {
 public:
  Desk(std::vector<Destination> destinations, Ways ways) : ways_(std::move(ways)) {
    place(std::move(destinations));
    thread_ = std::thread([this] { work(); });
  }
  ~Desk() {
    end_.request();
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Desk(const Desk&) = delete;
  Desk& operator=(const Desk&) = delete;

  void add(const std::vector<Message>& messages) {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& message : messages)
        for (auto& [name, line] : lines_)
          if (concerns(message, line.destination)) push(line, {message});
    }
    changed_.notify_all();
  }

  void redirect(std::vector<Destination> destinations) {
    {
      const std::lock_guard lock(mutex_);
      place(std::move(destinations));
    }
    changed_.notify_all();
  }

  Standing standing() const {
    const std::lock_guard lock(mutex_);
    Standing now;
    now.sent = sent_;
    now.failed = failed_;
    for (const auto& [name, line] : lines_) {
      now.waiting += line.waiting.size();
      if (!line.trouble.empty())
        now.trouble += (now.trouble.empty() ? "" : "\n") + name + ": " + line.trouble;
    }
    return now;
  }

  std::string to_json() const {
    const std::lock_guard lock(mutex_);
    auto list = json::array();
    for (const auto& [name, line] : lines_)
      for (const auto& one : line.waiting)
        list.push_back({{"to", name},
                        {"kind", name_of(one.message.kind)},
                        {"time", one.message.time.time_since_epoch().count()},
                        {"incident", json_of(one.message.incident)}});
    return list.dump(-1, ' ', false, json::error_handler_t::replace);
  }

  void restore(const std::string& text) {
    try {
      const std::lock_guard lock(mutex_);
      for (const auto& record : json::parse(text)) {
        const auto line = lines_.find(record.at("to").get<std::string>());
        if (line == lines_.end()) continue;
        Message message;
        const auto kind = record.at("kind").get<std::string>();
        message.kind = kind == "recovered"  ? Message::Kind::recovered
                       : kind == "reminder" ? Message::Kind::reminder
                                            : Message::Kind::fired;
        message.time = Time{std::chrono::milliseconds(record.at("time").get<std::int64_t>())};
        message.incident = incident_of(record.at("incident"));
        push(line->second, {std::move(message)});
      }
    } catch (const json::exception&) {
      // Damaged: what still holds is said again with the next reminder.
    }
    changed_.notify_all();
  }

 private:
  struct Line {
    Destination destination;
    std::deque<Waiting> waiting;
    base::SteadyTime not_before{};
    base::Duration pause{0};
    std::string trouble;
  };

  static bool concerns(const Message& message, const Destination& destination) {
    if (!message.notice && destination.kind == Destination::Kind::slack) return false;
    return message.to.empty() ||
           std::find(message.to.begin(), message.to.end(), destination.name) != message.to.end();
  }

  void push(Line& line, Waiting one) {
    one.id = ++last_id_;
    line.waiting.push_back(std::move(one));
    if (line.waiting.size() > most_waiting) line.waiting.pop_front();
  }

  void place(std::vector<Destination> destinations) {
    std::map<std::string, Line> lines;
    for (auto& destination : destinations) {
      auto& line = lines[destination.name];
      if (const auto old = lines_.find(destination.name); old != lines_.end())
        line.waiting = std::move(old->second.waiting);
      line.destination = std::move(destination);
    }
    lines_ = std::move(lines);
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (!ending_) {
      const auto now = Clock::now();
      auto earliest = now + std::chrono::hours(1);
      Line* ready = nullptr;
      for (auto& [name, line] : lines_) {
        if (line.waiting.empty()) continue;
        if (line.not_before <= now &&
            (ready == nullptr || line.waiting.front().id < ready->waiting.front().id))
          ready = &line;
        earliest = std::min(earliest, line.not_before);
      }
      if (ready == nullptr) {
        changed_.wait_until(lock, earliest);
        continue;
      }
      // The line may be gone when the answer is there: files are read anew meanwhile.
      const auto destination = ready->destination;
      const auto one = ready->waiting.front();
      lock.unlock();
      auto event = attempt(destination, one.message);
      lock.lock();
      settle(destination.name, one, event);
      lock.unlock();
      ways_.happened(event.first);
      lock.lock();
    }
  }

  /// What happened, and whether it was refused.
  std::pair<Event, bool> attempt(const Destination& destination, const Message& message) {
    Event event{Event::Kind::delivered, destination.name, message.incident.id,
                std::string(name_of(message.kind)), ""};
    bool refused = false;
    try {
      send(destination, message);
    } catch (const Refused& error) {
      refused = true;
      event.why = ways_.clean(error.what());
    } catch (const std::exception& error) {
      event.why = ways_.clean(error.what());
    }
    if (!event.why.empty()) event.kind = Event::Kind::failed;
    return {event, refused};
  }

  void send(const Destination& destination, const Message& message) {
    const auto scope = base::Scope::lasting(patience, &end_);
    const auto secret = ways_.secret(destination.secret, scope);
    http::Request request;
    request.method = "POST";
    request.headers.push_back({"Content-Type", "application/json"});
    const bool slack = destination.kind == Destination::Kind::slack;
    request.url = slack ? secret : destination.url;
    request.body =
        slack ? slack_body(message, ways_.project) : pagerduty_body(message, ways_.project, secret);
    request.timeout = patience;
    request.max_body_bytes = std::size_t{64} * 1024;
    request.proxy = http::Proxy::from_environment;
    check_status(http::send(request, scope));
  }

  void settle(const std::string& name, const Waiting& one, std::pair<Event, bool>& outcome) {
    auto& [event, refused] = outcome;
    const bool delivered = event.kind == Event::Kind::delivered;
    (delivered ? sent_ : failed_) += 1;
    const auto found = lines_.find(name);
    if (found == lines_.end()) return;
    auto& line = found->second;
    // It may have gone meanwhile, for newer ones.
    const bool there = !line.waiting.empty() && line.waiting.front().id == one.id;
    if (delivered) {
      if (there) line.waiting.pop_front();
      line.trouble.clear();
      line.pause = base::Duration{0};
      return;
    }
    line.trouble = event.why;
    line.pause = line.pause.count() == 0 ? ways_.first_pause : std::min(line.pause * 2, longest_pause);
    line.not_before = Clock::now() + line.pause;
    if (!there) return;
    auto& front = line.waiting.front();
    ++front.attempts;
    front.refusals += refused ? 1 : 0;
    if (front.refusals >= most_refusals || Clock::now() - one.queued > kept_for) {
      event.kind = Event::Kind::given_up;
      line.waiting.pop_front();
    }
  }

  Ways ways_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, Line> lines_;
  std::uint64_t sent_ = 0, failed_ = 0, last_id_ = 0;
  bool ending_ = false;
  base::Cancel end_;
  std::thread thread_;
};

Courier::Courier(std::vector<Destination> destinations, Ways ways)
    : desk_(std::make_unique<Desk>(std::move(destinations), std::move(ways))) {}
Courier::~Courier() = default;

void Courier::add(const std::vector<Message>& messages) {
  desk_->add(messages);
}
void Courier::redirect(std::vector<Destination> destinations) {
  desk_->redirect(std::move(destinations));
}
Courier::Standing Courier::standing() const {
  return desk_->standing();
}
std::string Courier::to_json() const {
  return desk_->to_json();
}
void Courier::restore(const std::string& json) {
  desk_->restore(json);
}

}  // namespace staithe::watch
