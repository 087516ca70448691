#include "client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

namespace load {
namespace {

constexpr std::size_t max_answer = 16U << 20U;

bool same_name(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

template <typename Number>
bool read_number(std::string_view text, Number& value) {
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc{};
}

}  // namespace

Client::Client(const Target& target, Reuse reuse, const Request& request, Tally& tally)
    : target_(target), reuse_(reuse), request_(request), tally_(tally) {}

Client::~Client() {
  drop();
}

void Client::drop() {
  if (fd_ >= 0) {
    ::close(fd_);
    fd_ = -1;
  }
  state_ = State::idle;
}

short Client::events() const {
  return state_ == State::connecting || state_ == State::sending ? POLLOUT : POLLIN;
}

void Client::begin(Clock::time_point now) {
  began_ = now;
  deadline_ = now + request_.timeout;
  reused_ = fd_ >= 0;
  out_ = "GET " + request_.path + " HTTP/1.1\r\nHost: " + target_.name + "\r\n" +
         (reuse_ == Reuse::one_shot ? "Connection: close\r\n" : "") +
         (cookie_.empty() ? "" : "Cookie: " + cookie_ + "\r\n") + "\r\n";
  if (reused_) {
    sent_ = 0;
    state_ = State::sending;
    send(now);
  } else {
    connect(now);
  }
}

void Client::connect(Clock::time_point now) {
  in_.clear();
  sent_ = 0;
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr address{};
  static_assert(sizeof address == sizeof target_.address);
  std::memcpy(&address, &target_.address, sizeof address);
  if (fd_ < 0 || (::connect(fd_, &address, sizeof address) != 0 && errno != EINPROGRESS)) {
    fail(Failure::refused, std::strerror(errno), now);
    return;
  }
  state_ = State::connecting;
}

void Client::on_ready(Clock::time_point now) {
  switch (state_) {
    case State::idle:  // the server closed a connection between requests, or said something unasked
      drop();
      break;
    case State::connecting: {
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        fail(Failure::refused, std::strerror(error), now);
        break;
      }
      state_ = State::sending;
      [[fallthrough]];
    }
    case State::sending:
      send(now);
      break;
    case State::receiving:
      receive(now);
      break;
  }
}

void Client::send(Clock::time_point now) {
  while (sent_ < out_.size()) {
    const auto count = ::send(fd_, out_.data() + sent_, out_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0) {
      if (errno != EAGAIN && errno != EINTR) {
        ended(errno, now);
      }
      return;
    }
    sent_ += static_cast<std::size_t>(count);
  }
  head_bytes_ = 0;
  state_ = State::receiving;
}

void Client::receive(Clock::time_point now) {
  std::array<char, 16384> chunk{};
  while (state_ == State::receiving) {
    const auto count = ::recv(fd_, chunk.data(), chunk.size(), 0);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) {
      return;
    }
    if (count <= 0) {
      ended(count < 0 ? errno : 0, now);
      return;
    }
    in_.append(chunk.data(), static_cast<std::size_t>(count));
    if (head_bytes_ == 0 && in_.find("\r\n\r\n") != std::string::npos && !parse_head()) {
      fail(Failure::garbage, "not an HTTP answer: " + in_.substr(0, 60), now);
      return;
    }
    if (in_.size() > max_answer) {
      fail(Failure::garbage, "the answer has no end", now);
      return;
    }
    if (head_bytes_ != 0 && body_bytes_ >= 0 &&
        in_.size() >= head_bytes_ + static_cast<std::size_t>(body_bytes_)) {
      finish(now);
    }
  }
}

void Client::ended(int error, Clock::time_point now) {
  if (head_bytes_ != 0 && body_bytes_ < 0 && error == 0) {
    keep_ = false;
    finish(now);
    return;
  }
  if (in_.empty() && reused_) {
    tally_.retried();
    drop();
    reused_ = false;
    connect(now);
    return;
  }
  const std::string why = error == 0 ? "connection closed" : std::strerror(error);
  if (in_.empty()) {
    fail(Failure::reset, why + " before the answer", now);
  } else {
    fail(Failure::cut, why + " after " + std::to_string(in_.size()) + " bytes", now);
  }
}

bool Client::parse_head() {
  const std::string_view head = std::string_view(in_).substr(0, in_.find("\r\n\r\n") + 2);
  if (head.size() < 12 || head.substr(0, 7) != "HTTP/1." || !read_number(head.substr(9, 3), status_)) {
    return false;
  }
  head_bytes_ = head.size() + 2;
  body_bytes_ = -1;
  keep_ = head[7] == '1' && reuse_ == Reuse::keep_alive;
  version_ = host_ = "none";
  for (auto at = head.find("\r\n") + 2; at < head.size();) {
    const auto end = head.find("\r\n", at);
    const auto line = head.substr(at, end - at);
    at = end + 2;
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
      return false;
    }
    const auto name = line.substr(0, colon);
    auto value = line.substr(colon + 1);
    value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
    if (same_name(name, "content-length") && (!read_number(value, body_bytes_) || body_bytes_ < 0)) {
      return false;
    }
    if (same_name(name, "connection") && same_name(value, "close")) {
      keep_ = false;
    } else if (same_name(name, "x-version")) {
      version_ = value;
    } else if (same_name(name, "x-host")) {
      host_ = value;
    } else if (same_name(name, "set-cookie") && request_.cookies) {
      cookie_ = value.substr(0, value.find(';'));
    }
  }
  return true;
}

void Client::finish(Clock::time_point now) {
  if (status_ != 200) {
    fail(Failure::status, std::to_string(status_) + " from " + host_, now);
    return;
  }
  tally_.answered(version_, host_, now - began_, now);
  in_.clear();
  state_ = State::idle;
  if (!keep_) {
    drop();
  }
}

void Client::fail(Failure kind, const std::string& detail, Clock::time_point now) {
  tally_.failed(kind, target_.name, detail, now);
  in_.clear();
  drop();
}

void Client::check_time(Clock::time_point now) {
  if (state_ != State::idle && now >= deadline_) {
    fail(Failure::timeout, std::to_string(request_.timeout.count()) + " ms without the whole answer", now);
  }
}

}  // namespace load
