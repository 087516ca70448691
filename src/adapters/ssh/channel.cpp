#include "channel.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::ssh {

using base::Error;
using base::ErrorCode;

Channel::Channel(Link& link, Receive receive)
    : link_(link), raw_(::ssh_channel_new(link.raw())), receive_(std::move(receive)) {
  if (raw_ == nullptr) throw link.failure(ErrorCode::io, "no channel can be made");
  callbacks_.userdata = this;
  callbacks_.channel_data_function = &Channel::on_data;
  callbacks_.channel_eof_function = &Channel::on_eof;
  callbacks_.channel_close_function = &Channel::on_close;
  callbacks_.channel_exit_status_function = &Channel::on_status;
  callbacks_.channel_exit_signal_function = &Channel::on_signal;
  callbacks_.size = sizeof callbacks_;
  ::ssh_set_channel_callbacks(raw_, &callbacks_);
}

Channel::~Channel() {
  // libssh keeps a freed channel until the peer has closed it too, and would still call back.
  ::ssh_remove_channel_callbacks(raw_, &callbacks_);
  ::ssh_channel_free(raw_);
}

int Channel::open_tcp(const std::string& host, std::uint16_t port) {
  return ::ssh_channel_open_forward(raw_, host.c_str(), port, "127.0.0.1", 0);
}

int Channel::open_unix(const std::string& path) {
  return ::ssh_channel_open_forward_unix(raw_, path.c_str(), "127.0.0.1", 0);
}

std::size_t Channel::room() noexcept {
  return std::min<std::size_t>(link_.room(), ::ssh_channel_window_size(raw_));
}

std::size_t Channel::write_some(std::string_view bytes) {
  const std::size_t size = std::min(bytes.size(), room());
  if (size == 0) return 0;
  const int written = ::ssh_channel_write(raw_, bytes.data(), static_cast<std::uint32_t>(size));
  if (written < 0 && closed_) return 0;
  if (written < 0) throw link_.failure(ErrorCode::io, "writing to the host");
  link_.used(static_cast<std::size_t>(written));
  return static_cast<std::size_t>(written);
}

std::size_t Channel::read_some(Stream stream, char* into, std::size_t capacity) {
  const int is_stderr = stream == Stream::err ? 1 : 0;
  const auto most = static_cast<std::uint32_t>(std::min<std::size_t>(capacity, 64U * 1024U));
  const int count = ::ssh_channel_read_nonblocking(raw_, into, most, is_stderr);
  if (count == SSH_ERROR && !ended()) throw link_.failure(ErrorCode::io, "reading from the host");
  return count > 0 ? static_cast<std::size_t>(count) : 0;
}

void Channel::rethrow() {
  if (thrown_) std::rethrow_exception(std::exchange(thrown_, nullptr));
}

int Channel::on_data(ssh_session, ssh_channel, void* data, std::uint32_t size, int is_stderr, void* self) {
  auto& channel = *static_cast<Channel*>(self);
  if (!channel.receive_) return 0;
  if (channel.thrown_) return static_cast<int>(size);  // the command is being ended: drop it
  try {
    const auto stream = is_stderr != 0 ? Stream::err : Stream::out;
    return static_cast<int>(channel.receive_(stream, {static_cast<const char*>(data), size}));
  } catch (...) {  // an exception must not cross libssh's C frames
    channel.thrown_ = std::current_exception();
    return static_cast<int>(size);
  }
}

void Channel::on_eof(ssh_session, ssh_channel, void* self) {
  static_cast<Channel*>(self)->eof_ = true;
}

void Channel::on_close(ssh_session, ssh_channel, void* self) {
  static_cast<Channel*>(self)->closed_ = true;
}

void Channel::on_status(ssh_session, ssh_channel, int status, void* self) {
  static_cast<Channel*>(self)->status_ = status;
}

void Channel::on_signal(ssh_session, ssh_channel, const char* name, int, const char*, const char*,
                        void* self) {
  auto& signal = static_cast<Channel*>(self)->signal_;
  signal = base::printable(text_of(name));
  if (signal.empty()) signal = "unknown";
}

}  // namespace staithe::ssh
