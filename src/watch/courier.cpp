#include "staithe/watch/courier.hpp"

#include "incident_json.hpp"
#include "kept.hpp"
#include "route.hpp"

#include "staithe/store/records.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>

namespace staithe::watch {
namespace {

using nlohmann::json;
using Events = std::vector<Courier::Event>;

Courier::Event given_up(const Message& message, const std::string& name, std::string why) {
  return {Courier::Event::Kind::given_up, name, message.incident.id, std::string(name_of(message.kind)),
          std::move(why)};
}
Courier::Event nobody_there(const Message& message, const std::string& name) {
  return given_up(message, name, "no such destination is declared any more");
}
Courier::Event too_many(const Message& message, const std::string& name) {
  return given_up(message, name, fmt::format("more than {} wait", Route::most_waiting));
}

/// The newest that there is room for, oldest first.
std::deque<std::string> records_of(const std::string& name, const Route& route, std::size_t room) {
  const auto waiting = route.waiting();
  std::deque<std::string> records;
  for (auto message = waiting.rbegin(); message != waiting.rend(); ++message) {
    const json record{{"to", name},
                      {"kind", name_of(message->kind)},
                      {"time", message->time.time_since_epoch().count()},
                      {"refusals", message->refusals},
                      {"refused_by", message->refused_by},
                      {"incident", json_of(message->incident)}};
    auto text = record.dump(-1, ' ', false, json::error_handler_t::replace);
    if (text.size() + 1 > room) break;
    room -= text.size() + 1;
    records.push_front(std::move(text));
  }
  return records;
}

Message message_of(const json& record) {
  Message message;
  const auto kind = record.at("kind").get<std::string>();
  message.kind = kind == "recovered"  ? Message::Kind::recovered
                 : kind == "reminder" ? Message::Kind::reminder
                                      : Message::Kind::fired;
  message.time = Time{std::chrono::milliseconds(record.at("time").get<std::int64_t>())};
  message.incident = incident_of(record.at("incident"));
  message.to = {record.at("to").get<std::string>()};
  message.refusals = record.value("refusals", 0U);
  message.refused_by = record.value("refused_by", "");
  return message;
}

}  // namespace

class Courier::Desk {
 public:
  Desk(std::vector<Destination> destinations, Ways ways) : ways_(std::move(ways)) {
    redirect(std::move(destinations));
  }

  /// `now`: of messages that wait since their time, as far as the wall clock can tell; else they are new.
  Events add(const std::vector<Message>& messages, std::optional<Time> now = std::nullopt) {
    const std::lock_guard lock(mutex_);
    Events lost;
    for (const auto& message : messages) {
      const auto waited = now ? std::max(*now - message.time, base::Duration{0}) : base::Duration{0};
      for (auto& [name, route] : routes_) {
        if (!route->wants(message)) continue;
        if (const auto gone = route->add(message, waited)) lost.push_back(too_many(*gone, name));
      }
      for (const auto& name : message.to)
        if (routes_.count(name) == 0) lost.push_back(nobody_there(message, name));
    }
    return lost;
  }

  void welcome(std::vector<Destination> destinations) {
    const std::lock_guard lock(mutex_);
    for (auto& destination : destinations) {
      const auto name = destination.name;
      if (const auto route = routes_.find(name); route != routes_.end())
        route->second->redirect(std::move(destination));
      else
        routes_.emplace(name, std::make_unique<Route>(std::move(destination), ways_, tally_));
    }
  }

  Events redirect(std::vector<Destination> destinations) {
    std::set<std::string> names;
    for (const auto& one : destinations) names.insert(one.name);
    welcome(std::move(destinations));
    std::map<std::string, std::unique_ptr<Route>> gone;
    {
      const std::lock_guard lock(mutex_);
      for (auto route = routes_.begin(); route != routes_.end();)
        if (const auto next = std::next(route); names.count(route->first) == 0) {
          gone.insert(routes_.extract(route));
          route = next;
        } else {
          route = next;
        }
    }
    Events lost;
    for (auto& [name, route] : gone) {
      route->end();
      for (const auto& message : route->waiting()) lost.push_back(nobody_there(message, name));
    }
    return lost;
  }

  void end() {
    std::vector<Route*> routes;
    {
      const std::lock_guard lock(mutex_);
      for (auto& [name, route] : routes_) routes.push_back(route.get());
    }
    // Without the lock: their threads may be adding.
    for (auto* route : routes) route->end();
  }

  Standing standing() const {
    const std::lock_guard lock(mutex_);
    Standing now;
    now.sent = tally_.sent;
    now.failed = tally_.failed;
    for (const auto& [name, route] : routes_) {
      now.waiting += route->waiting().size();
      if (const auto trouble = route->trouble(); !trouble.empty())
        now.trouble += (now.trouble.empty() ? "" : "\n") + name + ": " + trouble;
    }
    return now;
  }

  std::string to_json() const {
    const std::lock_guard lock(mutex_);
    std::string list;
    for (const auto& [name, route] : routes_)
      for (const auto& record : records_of(name, *route, most_kept / routes_.size()))
        list += (list.empty() ? "" : ",") + record;
    return "[" + list + "]";
  }

  Events restore(const std::string& text) {
    std::vector<Message> messages;
    try {
      for (const auto& record : json::parse(text)) messages.push_back(message_of(record));
    } catch (const json::exception&) {
      return {};
    }
    return add(messages, store::now());
  }

 private:
  const Ways ways_;
  mutable std::mutex mutex_;
  Route::Tally tally_;
  std::map<std::string, std::unique_ptr<Route>> routes_;
};

Courier::Courier(std::vector<Destination> destinations, Ways ways)
    : desk_(std::make_unique<Desk>(std::move(destinations), std::move(ways))) {}
Courier::~Courier() = default;

void Courier::end() {
  desk_->end();
}
std::vector<Courier::Event> Courier::add(const std::vector<Message>& messages) {
  return desk_->add(messages);
}
void Courier::welcome(std::vector<Destination> destinations) {
  desk_->welcome(std::move(destinations));
}
std::vector<Courier::Event> Courier::redirect(std::vector<Destination> destinations) {
  return desk_->redirect(std::move(destinations));
}
Courier::Standing Courier::standing() const {
  return desk_->standing();
}
std::string Courier::to_json() const {
  return desk_->to_json();
}
std::vector<Courier::Event> Courier::restore(const std::string& json) {
  return desk_->restore(json);
}

}  // namespace staithe::watch
