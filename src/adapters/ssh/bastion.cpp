#include "bastion.hpp"

#include "bastion_pipe.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace staithe::ssh {

using base::Error;
using base::ErrorCode;

Bastion::Bastion(std::string label, Connect connect)
    : label_(std::move(label)), wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!wake_) throw base::system_error(ErrorCode::failed, "eventfd", errno);
  thread_ = std::thread([this, way = std::move(connect)] { run(way); });
}

Bastion::~Bastion() {
  stop_.request();
  thread_.join();
}

bool Bastion::usable() {
  const std::lock_guard lock(mutex_);
  return !ended_;
}

base::UniqueFd Bastion::open(const std::string& host, std::uint16_t port, const base::Scope& scope) {
  const auto order = std::make_shared<Order>();
  order->host = host;
  order->port = port;
  {
    const std::lock_guard lock(mutex_);
    if (ended_) throw Error(ErrorCode::connect, fmt::format("bastion {}: connection lost", label_));
    orders_.push_back(order);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  if (base::wait_for(order->done.fd(), POLLIN, scope) != base::Woke::ready) {
    order->abandoned.request();
    scope.check("connecting through the bastion");
  }
  const std::lock_guard lock(order->mutex);
  if (order->error) throw *order->error;
  return std::move(order->socket);
}

void Bastion::finish(Order& order, base::UniqueFd socket, std::optional<Error> error) {
  {
    const std::lock_guard lock(order.mutex);
    order.socket = std::move(socket);
    order.error = std::move(error);
  }
  order.done.request();
}

void Bastion::run(const Connect& connect) {
  try {
    const Connection connection = connect(stop_);
    try {
      serve(*connection.link);
    } catch (const Error& error) {
      end_with(error.within(fmt::format("bastion {}", label_)));
    }
    pipes_.clear();  // their channels go before the link
  } catch (const Error& error) {
    // What was worth repeating has been repeated; the hosts behind must not do it again, each for itself.
    const bool repeated = error.code() == ErrorCode::reset_before_auth;
    end_with(repeated ? Error(ErrorCode::connect, error.what()).within("bastion") : error.within("bastion"));
  } catch (const std::exception& error) {
    end_with(Error(ErrorCode::failed, error.what()).within(fmt::format("bastion {}", label_)));
  }
}

void Bastion::end_with(const Error& error) noexcept {
  std::deque<std::shared_ptr<Order>> orders;
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    orders.swap(orders_);
  }
  for (const auto& order : orders) finish(*order, {}, error);
  for (const auto& pipe : pipes_)
    if (pipe->order) finish(*pipe->order, {}, error);
}

void Bastion::serve(Link& link) {
  for (;;) {
    if (!link.alive()) throw link.failure(ErrorCode::io, "the session");
    link.quick_ack();
    accept_orders(link);
    wait_for_work(link);
  }
}

void Bastion::accept_orders(Link& link) {
  std::deque<std::shared_ptr<Order>> orders;
  {
    const std::lock_guard lock(mutex_);
    orders.swap(orders_);
  }
  for (auto& order : orders) {
    // One given up later is opened all the same; its socket is then closed unseen, and that ends it.
    if (order->abandoned.requested()) continue;
    pipes_.push_back(std::make_unique<Pipe>(link, std::move(order)));
    advance(link, *pipes_.back());
  }
}

/// Takes one more step with a channel that is being opened.
void Bastion::advance(Link& link, Pipe& pipe) {
  const int result = pipe.channel.open_tcp(pipe.order->host, pipe.order->port);
  if (result == SSH_OK)
    begin(pipe);
  else if (result != SSH_AGAIN)
    refuse(link, pipe);
}

void Bastion::begin(Pipe& pipe) {
  int pair[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    finish(*pipe.order, {}, base::system_error(ErrorCode::failed, "socketpair", errno));
  } else {
    pipe.local.reset(pair[0]);
    finish(*pipe.order, base::UniqueFd(pair[1]), std::nullopt);
  }
  pipe.order.reset();
}

void Bastion::refuse(Link& link, Pipe& pipe) {
  const std::string reason = link.reason();
  const auto code =
      reason.find("error (1)") == std::string::npos ? ErrorCode::connect : ErrorCode::permission;
  const std::string to = fmt::format("to {} port {}", pipe.order->host, pipe.order->port);
  const Error error = link.failure(code, to).within(fmt::format("bastion {}", label_));
  finish(*pipe.order, {}, error);
  pipe.order.reset();
}

/// Waits for the bastion, for orders and for the connections' owners, and serves each once.
void Bastion::wait_for_work(Link& link) {
  std::vector<pollfd> entries = {
      {link.fd(), link.wanted_events(), 0}, {wake_.get(), POLLIN, 0}, {stop_.fd(), POLLIN, 0}};
  for (const auto& pipe : pipes_) {
    pipe->poll_slot = -1;
    if (!pipe->local) continue;
    pipe->poll_slot = static_cast<int>(entries.size());
    entries.push_back({pipe->local.get(), pipe->wanted_events(), 0});
  }
  if (::poll(entries.data(), entries.size(), -1) < 0 && errno != EINTR)
    throw base::system_error(ErrorCode::io, "poll", errno);
  if (stop_.requested()) throw Error(ErrorCode::cancelled, "stopped");
  std::uint64_t count = 0;
  if (entries[1].revents != 0) [[maybe_unused]]
    const ssize_t taken = ::read(wake_.get(), &count, sizeof count);
  if (entries[0].revents != 0 && !link.alive()) throw link.failure(ErrorCode::io, "the session");

  for (auto at = pipes_.begin(); at != pipes_.end();) {
    Pipe& pipe = **at;
    if (pipe.order) advance(link, pipe);
    const auto slot = static_cast<std::size_t>(pipe.poll_slot < 0 ? 0 : pipe.poll_slot);
    const short revents = slot == 0 ? short{0} : entries[slot].revents;
    const bool over = !pipe.order && (!pipe.local || !pipe.shuttle(revents));
    at = over ? pipes_.erase(at) : std::next(at);
  }
}

}  // namespace staithe::ssh
