#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/ssh/endpoint.hpp"
#include "staithe/ssh/host_key.hpp"
#include "staithe/ssh/session.hpp"

#include <libssh/libssh.h>

#include <memory>
#include <string>
#include <string_view>

namespace staithe::ssh {

/// One non-blocking libssh session over a connected socket, and the only place that waits for it. Every wait
/// watches the socket and the scope, so nothing here can hang. One thread at a time.
///
/// Writing rule: libssh buffers without limit, so a caller writes to a channel only while room() allows.
class Link {
 public:
  /// Takes a connected stream socket. `only_type` narrows the host key types asked for to one.
  Link(const Endpoint& endpoint, base::UniqueFd socket, std::string_view only_type = {});
  Link(const Link&) = delete;
  Link& operator=(const Link&) = delete;
  /// Says goodbye if that can be done at once, and closes.
  ~Link();

  /// Banner and key exchange. Throws reset_before_auth when the peer closes meanwhile.
  void handshake(const base::Scope& scope);
  HostKey host_key();
  /// All but the host key's type and the identity, which others know.
  Negotiated negotiated() const;

  ssh_session raw() const noexcept { return session_.get(); }
  int fd() const noexcept { return fd_; }
  const std::string& user() const noexcept { return user_; }

  /// Repeats a non-blocking libssh call until it no longer says `again`. `what` is named when time is up.
  /// When the connection goes meanwhile the result is SSH_ERROR; some calls would say `again` for ever.
  template <typename Call>
  int drive(Call call, int again, const base::Scope& scope, const char* what) {
    for (bool sent = false;; sent = write_pending()) {
      const int result = call();
      if (result != again) return result;
      if (!connected()) return SSH_ERROR;
      // libssh waits for room after all that it sends, and nearly always there is some: it finds that out by
      // being called once more, without our asking first.
      sent || !write_pending() ? wait(scope, what) : note_traffic();
    }
  }

  /// Blocks until the socket has something for libssh to do (or a keepalive was due), without doing it.
  /// Throws cancelled, timeout, or io when the peer no longer answers.
  void wait(const base::Scope& scope, const char* what);
  /// Lets libssh read, write and call back, without blocking. False when nothing more is there at once.
  bool pump();
  /// wait(), then pump() until quiet (bounded, so that the caller sees its scope in a flood).
  void turn(const base::Scope& scope, const char* what);
  /// How many bytes may be handed to libssh now; 0 until the socket has taken what went before.
  std::size_t room() noexcept;
  void used(std::size_t bytes) noexcept { queued_ += bytes; }
  /// poll(2) bits to wait for on fd().
  short wanted_events() const noexcept;

  bool connected() const noexcept;
  /// Looks at the socket without waiting.
  bool alive();
  /// Makes the first reply after a request leave the peer at once (see quick_ack in the .cpp).
  void quick_ack() noexcept;
  /// What is sent from here to the next wait goes out together: a packet of its own for each small message
  /// costs both sides more than the message does.
  void hold_back() noexcept;
  Traffic traffic() const noexcept;

  /// What libssh says went wrong, printable.
  std::string reason() const;
  /// io when the connection is gone, else `code`: "what: reason".
  base::Error failure(base::ErrorCode code, std::string_view what) const;

 private:
  struct FreeSession {
    void operator()(ssh_session session) const noexcept { ::ssh_free(session); }
  };
  struct FreeEvent {
    void operator()(ssh_event event) const noexcept { ::ssh_event_free(event); }
  };

  void configure(const Endpoint& endpoint, std::string_view only_type);
  void offer(const Endpoint& endpoint, std::string_view only_type);
  void set(ssh_options_e option, const void* value, const char* name);
  base::Error handshake_failure(const std::string& reason) const;
  bool write_pending() const noexcept;
  void note_traffic() noexcept;
  void keep_alive();
  void let_go() noexcept;

  std::unique_ptr<ssh_session_struct, FreeSession> session_;
  std::unique_ptr<ssh_event_struct, FreeEvent> event_;
  base::UniqueFd unclaimed_;  // the socket until libssh owns it
  int fd_ = -1;
  std::string user_;
  ssh_counter_struct counter_{};

  base::Duration keepalive_interval_;
  int keepalive_count_;
  int unanswered_ = 0;
  base::SteadyTime quiet_since_{};

  std::size_t queued_ = 0;
  std::uint64_t in_seen_ = 0, out_seen_ = 0, round_trips_ = 0;
  bool awaiting_ = false;
  bool held_back_ = false;
};

/// Reads and throws away libssh's C strings.
std::string text_of(const char* text);

}  // namespace staithe::ssh
