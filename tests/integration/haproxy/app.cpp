#include "app.hpp"

#include "net.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>

namespace staithe::haproxy::test {

void Listener::start() {
  stopping_ = false;
  listening_ = listen_on(port_);
  acceptor_ = std::thread([this] { accept_all(); });
}

void Listener::accept_all() {
  while (!stopping_) {
    pollfd entry{listening_.get(), POLLIN, 0};
    if (::poll(&entry, 1, 20) <= 0) continue;
    const int fd = ::accept4(listening_.get(), nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const std::lock_guard lock(mutex_);
    open_.push_back(fd);
    threads_.emplace_back([this, fd] {
      serve(fd);
      const std::lock_guard closing(mutex_);
      open_.erase(std::find(open_.begin(), open_.end(), fd));
      ::close(fd);
    });
  }
}

void Listener::stop() {
  if (!acceptor_.joinable()) return;
  stopping_ = true;
  acceptor_.join();
  listening_.reset();
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
    threads.swap(threads_);
  }
  for (auto& thread : threads) thread.join();
}

void App::serve(int fd) {
  std::string pending;
  for (;;) {
    const auto end = pending.find("\r\n\r\n");
    if (end == std::string::npos) {
      char buffer[4096];
      const auto got = ::recv(fd, buffer, sizeof buffer, 0);
      if (got <= 0) return;
      pending.append(buffer, static_cast<std::size_t>(got));
      continue;
    }
    const auto path = pending.substr(pending.find(' ') + 1,
                                     pending.find(' ', pending.find(' ') + 1) - pending.find(' ') - 1);
    pending.erase(0, end + 4);
    if (path == "/health") {
      const int status = health;
      if (!send_text(fd, "HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: 0\r\n\r\n")) return;
      continue;
    }
    ++in_hand;
    bool fine = true;
    if (path == "/endless") {
      fine = send_text(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      while (fine) {
        fine = send_text(fd, "1\r\nx\r\n");
        std::this_thread::sleep_for(std::chrono::milliseconds(30));
      }
    } else {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      fine = send_text(
          fd, "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(name_.size()) + "\r\n\r\n" + name_);
      ++served;
    }
    --in_hand;
    if (!fine) return;
  }
}

void Agent::say(std::string answer) {
  const std::lock_guard lock(answer_mutex_);
  answer_ = std::move(answer);
}

void Agent::serve(int fd) {
  ++asked;
  const std::lock_guard lock(answer_mutex_);
  send_text(fd, answer_ + "\n");
}

}  // namespace staithe::haproxy::test
