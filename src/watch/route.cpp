#include "route.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/http/client.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::watch {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t most_refusals = 5;
constexpr std::chrono::hours kept_for{24};
constexpr base::Duration longest_pause{300'000};
constexpr base::Duration patience{10'000};
constexpr std::chrono::milliseconds between_looks{500};

/// The other side understood and says no; asking again soon will not help much.
class Refused : public base::Error {
 public:
  Refused(const std::string& text, std::string by)
      : base::Error(base::ErrorCode::failed, text), by_(std::move(by)) {}
  const std::string& by() const noexcept { return by_; }

 private:
  std::string by_;
};

/// Tells one address from another and is written down, so it must not tell the address: a webhook is a
/// secret. 32 bits are enough for the one, and fit too much for the other.
std::string mark_of(const std::string& url, const std::string& secret) {
  return base::sha256_hex(url + "\n" + secret).substr(0, 8);
}

void check_status(const http::Reply& reply, const std::string& mark) {
  if (reply.ok()) return;
  const auto text = fmt::format("it answered {}", reply.status);
  if (reply.status >= 400 && reply.status < 500 && reply.status != 408 && reply.status != 429)
    throw Refused(text, mark);
  throw base::Error(base::ErrorCode::failed, text);
}

}  // namespace

Route::Route(Destination destination, const Courier::Ways& ways, Tally& tally)
    : ways_(ways), tally_(tally), destination_(std::move(destination)) {
  thread_ = std::thread([this] { work(); });
}

Route::~Route() {
  end();
}

void Route::end() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    cut_->request();
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::optional<Message> Route::add(Message message, base::Duration waited) {
  std::optional<Message> gone;
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(message), Clock::now() - waited});
    if (waiting_.size() > most_waiting) {
      // What is on its way may arrive yet.
      const auto oldest = waiting_.begin() + (in_hand_ ? 1 : 0);
      gone = std::move(oldest->message);
      waiting_.erase(oldest);
    }
  }
  changed_.notify_all();
  return gone;
}

void Route::redirect(Destination destination) {
  {
    const std::lock_guard lock(mutex_);
    if (destination == destination_) return;
    auto next = std::make_shared<base::Cancel>();
    cut_->request();
    cut_ = ending_ ? cut_ : std::move(next);
    destination_ = std::move(destination);
    not_before_ = {};
    pause_ = base::Duration{0};
    trouble_.clear();
  }
  changed_.notify_all();
}

std::vector<Message> Route::waiting() const {
  const std::lock_guard lock(mutex_);
  std::vector<Message> all;
  for (const auto& one : waiting_) all.push_back(one.message);
  return all;
}

std::string Route::trouble() const {
  const std::lock_guard lock(mutex_);
  return trouble_;
}

bool Route::wants(const Message& message) const {
  const std::lock_guard lock(mutex_);
  if (!message.notice && destination_.kind == Destination::Kind::slack) return false;
  return message.to.empty() ||
         std::find(message.to.begin(), message.to.end(), destination_.name) != message.to.end();
}

void Route::work() {
  std::unique_lock lock(mutex_);
  while (!ending_) {
    if (waiting_.empty()) {
      changed_.wait(lock);
      continue;
    }
    if (Clock::now() < not_before_) {
      changed_.wait_until(lock, not_before_);
      continue;
    }
    if (ways_.may_send && !ways_.may_send()) {
      changed_.wait_for(lock, between_looks);
      continue;
    }
    const auto destination = destination_;
    const auto message = waiting_.front().message;
    const auto cut = cut_;
    in_hand_ = true;
    lock.unlock();
    auto outcome = attempt(destination, message, *cut);
    lock.lock();
    in_hand_ = false;
    if (cut->requested() && outcome.event.kind != Courier::Event::Kind::delivered) {
      // It waits for the next process, or is tried where the destination is by now: what the old address had
      // to say counts no more.
      if (ending_) return;
      continue;
    }
    settle(outcome);
    lock.unlock();
    happened(outcome.event);
    lock.lock();
  }
}

/// Whoever listens may fail, for want of memory or whatever else: what waits is delivered all the same.
void Route::happened(const Courier::Event& event) noexcept {
  try {
    ways_.happened(event);
  } catch (const std::exception&) {
    return;
  }
}

Route::Outcome Route::attempt(const Destination& destination, const Message& message,
                              const base::Cancel& cut) {
  using Kind = Courier::Event::Kind;
  Outcome outcome{
      {Kind::delivered, destination.name, message.incident.id, std::string(name_of(message.kind)), ""}};
  try {
    send(destination, message, cut);
    return outcome;
  } catch (const Refused& error) {
    outcome.refused_by = error.by();
    outcome.event.why = ways_.clean(error.what());
  } catch (const std::exception& error) {
    outcome.event.why = ways_.clean(error.what());
  }
  outcome.event.kind = Kind::failed;
  return outcome;
}

void Route::send(const Destination& destination, const Message& message, const base::Cancel& cut) {
  const auto scope = base::Scope::lasting(patience, &cut);
  const auto secret = ways_.secret(destination.secret, scope);
  http::Request request;
  request.method = "POST";
  request.headers.push_back({"Content-Type", "application/json"});
  const bool slack = destination.kind == Destination::Kind::slack;
  request.url = slack ? secret : destination.url;
  request.body = slack ? slack_body(message, ways_.project) : pagerduty_body(message, ways_.project, secret);
  request.timeout = patience;
  request.max_body_bytes = std::size_t{64} * 1024;
  request.proxy = http::Proxy::from_environment;
  check_status(http::send(request, scope), mark_of(request.url, secret));
}

void Route::settle(Outcome& outcome) {
  const bool delivered = outcome.event.kind == Courier::Event::Kind::delivered;
  ++(delivered ? tally_.sent : tally_.failed);
  if (delivered) {
    waiting_.pop_front();
    trouble_.clear();
    pause_ = base::Duration{0};
    return;
  }
  trouble_ = outcome.event.why;
  pause_ = pause_.count() == 0 ? ways_.first_pause : std::min(pause_ * 2, longest_pause);
  not_before_ = Clock::now() + pause_;
  auto& front = waiting_.front();
  if (!outcome.refused_by.empty()) {
    // Another address refused what was counted; the file of a webhook may have been mended without a word to
    // us.
    if (front.message.refused_by != outcome.refused_by) front.message.refusals = 0;
    front.message.refused_by = outcome.refused_by;
    ++front.message.refusals;
  }
  if (front.message.refusals >= most_refusals || Clock::now() - front.queued > kept_for) {
    outcome.event.kind = Courier::Event::Kind::given_up;
    waiting_.pop_front();
  }
}

}  // namespace staithe::watch
