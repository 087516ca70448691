#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/ssh/command.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::ssh {

/// A byte stream through a session to something that the server can reach. Belongs to the thread of its
/// session and must be destroyed before it.
class RemoteStream {
 public:
  RemoteStream() = default;
  RemoteStream(const RemoteStream&) = delete;
  RemoteStream& operator=(const RemoteStream&) = delete;
  virtual ~RemoteStream() = default;

  /// Blocks until at least one byte has come and returns how many; 0 at the end of the stream. Throws
  /// base::Error: timeout, cancelled, io.
  virtual std::size_t read(std::span<char> into, const base::Scope& scope) = 0;
  /// Returns when everything is handed to the connection. Throws base::Error: timeout, cancelled, io.
  virtual void write(std::string_view bytes, const base::Scope& scope) = 0;
  /// Says that no more bytes will be written; reading goes on.
  virtual void finish_writing(const base::Scope& scope) = 0;
  /// How the stream is carried: "streamlocal", "perl", "socat", "direct-tcpip".
  virtual std::string_view means() const noexcept = 0;
};

/// What was negotiated and how long it took: for `doctor`.
struct Timings {
  std::chrono::microseconds connect{0};    ///< name, TCP (or the bastion's channel)
  std::chrono::microseconds handshake{0};  ///< banner, key exchange, host key check
  std::chrono::microseconds authentication{0};
  std::chrono::microseconds first_command{0};  ///< from asking for a channel to the status; zero: none yet
  int attempts = 1;                            ///< connections made until one was let in
};
struct Negotiated {
  std::string server_banner;  ///< "SSH-2.0-OpenSSH_9.2p1 Debian-2"
  std::string key_exchange, cipher_out, cipher_in, mac_out, mac_in, host_key_type;
  std::string identity;  ///< what opened the door: "agent", or the file of the key
  /// What was to open it and could not even be shown, and why: "agent: /run/agent: No such file or
  /// directory".
  std::vector<std::string> not_shown;
};
struct Traffic {
  std::uint64_t sent_bytes = 0, received_bytes = 0;  ///< on the wire, this side of any bastion
  /// How many times something was sent and then waited for: the latency paid, in round trips.
  std::uint64_t round_trips = 0;
};

/// An authenticated connection to one host. One thread at a time. Closes without blocking when destroyed;
/// must not outlive its Engine.
class Session {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  virtual ~Session() = default;

  /// Runs a command to its end. A script that fails is a result, not an error. Throws base::Error: cancelled
  /// or timeout (the remote process group has been told to end, and is killed 3 s later if it has not), io
  /// (the connection, or the exit status, is lost), channel_denied, invalid. After cancelled and timeout the
  /// session can be used further as long as alive() says so.
  virtual Exit run(const Command& command, const OutputSink& sink, const base::Scope& scope) = 0;

  /// Writes a file atomically: a temporary name beside the target, size and SHA-256 checked on the host,
  /// mode, fsync, rename, fsync of the directory. Nothing is left behind when it fails. Repeating it is
  /// harmless. Throws base::Error: as run(), and permission, not_found (the directory), io (disk full,
  /// checksum).
  virtual void upload(const Upload& upload, const base::Scope& scope) = 0;

  /// Connects to a unix socket on the host: by streamlocal forwarding, else by a perl or socat process there;
  /// the way that worked is remembered. Throws base::Error: not_found (no such socket), permission,
  /// unavailable (no way works here), connect (nobody listens), as run().
  virtual std::unique_ptr<RemoteStream> open_unix(const std::string& path, const base::Scope& scope) = 0;
  /// Connects to a TCP port as the host sees it. Throws base::Error: connect, permission (forwarding is not
  /// allowed), as run().
  virtual std::unique_ptr<RemoteStream> open_tcp(const std::string& host, std::uint16_t port,
                                                 const base::Scope& scope) = 0;

  /// False once the connection is known to be lost. Looks, does not wait.
  virtual bool alive() = 0;

  virtual const Timings& timings() const noexcept = 0;
  virtual const Negotiated& negotiated() const noexcept = 0;
  virtual Traffic traffic() const noexcept = 0;

 protected:
  Session() = default;
};

}  // namespace staithe::ssh
