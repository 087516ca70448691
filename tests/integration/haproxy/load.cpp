#include "load.hpp"

#include "net.hpp"

#include <sys/socket.h>

#include <chrono>
#include <cstdlib>

namespace staithe::haproxy::test {

std::optional<Response> Client::read_response(bool& nothing_came) {
  std::string text;
  std::size_t body_at = std::string::npos;
  std::size_t length = 0;
  nothing_came = true;
  for (;;) {
    if (body_at != std::string::npos && text.size() >= body_at + length) break;
    char buffer[4096];
    const auto got = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (got <= 0) return std::nullopt;
    nothing_came = false;
    text.append(buffer, static_cast<std::size_t>(got));
    if (body_at == std::string::npos && text.find("\r\n\r\n") != std::string::npos) {
      body_at = text.find("\r\n\r\n") + 4;
      for (const auto* header : {"Content-Length: ", "content-length: "})
        if (const auto at = text.find(header); at < body_at)
          length = std::strtoul(text.c_str() + at + 16, nullptr, 10);
    }
  }
  Response response{std::atoi(text.c_str() + 9), text.substr(body_at, length), ""};
  for (const auto* header : {"Set-Cookie: ", "set-cookie: "})
    if (const auto at = text.find(header); at < body_at)
      response.cookie = text.substr(at + 12, text.find_first_of(";\r", at) - at - 12);
  if (text.find("onnection: close") < body_at) fd_.reset();
  return response;
}

std::optional<Response> Client::get(const std::string& path) {
  for (int attempt = 0;; ++attempt) {
    const bool reused = static_cast<bool>(fd_);
    if (!fd_) fd_ = connect_to(port_);
    if (!fd_) return std::nullopt;
    std::string request = "GET " + path + " HTTP/1.1\r\nHost: test\r\n";
    if (!cookie.empty()) request += "Cookie: " + cookie + "\r\n";
    if (!keeps_alive_) request += "Connection: close\r\n";
    bool nothing_came = true;
    std::optional<Response> response;
    if (send_text(fd_.get(), request + "\r\n")) response = read_response(nothing_came);
    if (!response || !keeps_alive_) fd_.reset();
    if (response && remembers && !response->cookie.empty()) cookie = response->cookie;
    if (response || !reused || !nothing_came || attempt > 0) return response;
  }
}

Visitors::Visitors(const std::vector<std::uint16_t>& ports, unsigned each, bool with_cookies) {
  for (const auto port : ports)
    for (unsigned at = 0; at < each; ++at)
      for (const bool keeps_alive : {true, false})
        threads_.emplace_back(
            [this, port, keeps_alive, with_cookies] { run(port, keeps_alive, with_cookies); });
}

void Visitors::run(std::uint16_t port, bool keeps_alive, bool with_cookies) {
  Client client(port, keeps_alive);
  client.remembers = with_cookies;
  while (!stopping_) {
    const auto response = client.get("/work");
    ++requests_;
    const bool fine = response && response->status == 200;
    if (!fine) ++failed_;
    const std::lock_guard lock(mutex_);
    ++by_body_[fine ? response->body : response ? std::to_string(response->status) : "cut"];
  }
}

Visitors::Result Visitors::finish() {
  stopping_ = true;
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  const std::lock_guard lock(mutex_);
  return {requests_, failed_, by_body_};
}

}  // namespace staithe::haproxy::test
