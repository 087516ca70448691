#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/unique_fd.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

/// A server on 127.0.0.1 that answers each request, whatever it is, with the bytes that `answer` makes of it,
/// and closes. An empty answer keeps the connection open without a word.
class Server {
 public:
  using Answer = std::function<std::string(const std::string& request)>;

  explicit Server(Answer answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* plain = static_cast<sockaddr*>(static_cast<void*>(&address));
    if (::bind(listener_.get(), plain, size) != 0 || ::listen(listener_.get(), 16) != 0)
      throw std::bad_alloc();
    ::getsockname(listener_.get(), plain, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    stop_.request();
    thread_.join();
  }

  std::uint16_t port() const { return port_; }
  std::string url(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  void serve() {
    const auto scope = staithe::base::Scope::lasting(staithe::base::Duration{60'000}, &stop_);
    std::vector<staithe::base::UniqueFd> silent;
    while (staithe::base::wait_for(listener_.get(), 1, scope) == staithe::base::Woke::ready) {
      staithe::base::UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      const std::string request = read_request(connection.get(), scope);
      if (request.empty()) continue;
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(request);
      }
      const std::string reply = answer_(request);
      if (reply.empty())
        silent.push_back(std::move(connection));
      else
        send_all(connection.get(), reply);
    }
  }

  static std::string read_request(int fd, const staithe::base::Scope& scope) {
    std::string request;
    std::size_t wanted = std::string::npos;
    while (request.size() < wanted) {
      if (staithe::base::wait_for(fd, 1, scope) != staithe::base::Woke::ready) return {};
      char buffer[4096];
      const ssize_t count = ::recv(fd, buffer, sizeof buffer, 0);
      if (count <= 0) return {};
      request.append(buffer, static_cast<std::size_t>(count));
      const auto end = request.find("\r\n\r\n");
      if (end == std::string::npos) continue;
      const auto length = request.find("Content-Length: ");
      wanted = end + 4 + (length < end ? std::stoul(request.substr(length + 16)) : 0);
    }
    return request;
  }

  static void send_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (count <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }

  Answer answer_;
  staithe::base::UniqueFd listener_;
  std::uint16_t port_ = 0;
  staithe::base::Cancel stop_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};
