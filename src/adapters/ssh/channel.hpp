#pragma once
#include "link.hpp"

#include <libssh/callbacks.h>

#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace staithe::ssh {

/// One channel of a link. Not movable: libssh keeps a pointer to the callbacks. Must be gone before its Link.
class Channel {
 public:
  /// Takes data as it comes and returns how much of it is dealt with; the rest is offered again together with
  /// what comes next, and the peer may send only about a megabyte more.
  using Receive = std::function<std::size_t(Stream, std::string_view)>;

  /// Without a receiver the data waits in libssh for read_some().
  explicit Channel(Link& link, Receive receive = nullptr);
  void set_receiver(Receive receive) { receive_ = std::move(receive); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  /// Asks the peer to close; does not wait.
  ~Channel();

  /// Each returns SSH_OK, SSH_AGAIN or SSH_ERROR and is to be repeated on SSH_AGAIN.
  int open_session() { return ::ssh_channel_open_session(raw_); }
  int open_tcp(const std::string& host, std::uint16_t port);
  int open_unix(const std::string& path);
  int request_exec(const std::string& text) { return ::ssh_channel_request_exec(raw_, text.c_str()); }

  /// Hands over as much as the link has room for and the peer's window takes, without blocking, and says how
  /// much that was. To a channel that the peer has closed nothing can be given: what came before tells why.
  /// Throws io when the connection is gone.
  std::size_t write_some(std::string_view bytes);
  /// Bytes that write_some would take now.
  std::size_t room() noexcept;
  /// What has come on a stream, without blocking; 0: nothing yet, or the end (see ended()).
  std::size_t read_some(Stream stream, char* into, std::size_t capacity);
  void send_eof() { ::ssh_channel_send_eof(raw_); }

  bool ended() const noexcept { return eof_ || closed_; }  ///< the peer sends no more data
  bool closed() const noexcept { return closed_; }
  const std::optional<int>& status() const noexcept { return status_; }
  const std::string& signal() const noexcept { return signal_; }
  /// The process there has ended and said how.
  bool finished() const noexcept { return status_.has_value() || !signal_.empty(); }
  /// Rethrows what `receive` has thrown.
  void rethrow();

 private:
  static int on_data(ssh_session, ssh_channel, void* data, std::uint32_t size, int is_stderr, void* self);
  static void on_eof(ssh_session, ssh_channel, void* self);
  static void on_close(ssh_session, ssh_channel, void* self);
  static void on_status(ssh_session, ssh_channel, int status, void* self);
  static void on_signal(ssh_session, ssh_channel, const char* name, int core, const char* message,
                        const char* language, void* self);

  Link& link_;
  ssh_channel raw_;
  Receive receive_;
  ssh_channel_callbacks_struct callbacks_{};
  bool eof_ = false;
  bool closed_ = false;
  std::optional<int> status_;
  std::string signal_;
  std::exception_ptr thrown_;
};

}  // namespace staithe::ssh
