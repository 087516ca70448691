#include "link.hpp"

#include "algorithms.hpp"

#include "staithe/base/text.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <libssh/server.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <initializer_list>
#include <utility>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;

/// What one turn may take from the socket before the caller looks at its scope again: about 1 MiB.
constexpr int most_pumps = 256;
/// The same where the callbacks take their time.
constexpr base::Duration longest_turn{100};
/// libssh reads this much at a time; when less has come, the socket was empty.
constexpr std::uint64_t libssh_read_bytes = 4096;
/// Bytes handed to libssh per writable moment of the socket; its smallest send buffer takes as much.
constexpr std::size_t write_budget = 32U * 1024U;

}  // namespace

std::string text_of(const char* text) {
  return text == nullptr ? std::string() : std::string(text);
}

Link::Link(const Endpoint& endpoint, base::UniqueFd socket, std::string_view only_type)
    : session_(::ssh_new()),
      unclaimed_(std::move(socket)),
      fd_(unclaimed_.get()),
      user_(endpoint.user),
      keepalive_interval_(endpoint.keepalive_interval),
      keepalive_count_(endpoint.keepalive_count) {
  if (session_ == nullptr) throw Error(ErrorCode::failed, "libssh cannot make a session");
  configure(endpoint, only_type);
  ::ssh_set_blocking(session_.get(), 0);
  ::ssh_set_counters(session_.get(), &counter_, nullptr);
}

Link::~Link() {
  if (connected()) ::ssh_disconnect(session_.get());
  if (event_ != nullptr) ::ssh_event_remove_session(event_.get(), session_.get());
}

void Link::set(ssh_options_e option, const void* value, const char* name) {
  if (::ssh_options_set(session_.get(), option, value) < 0)
    throw Error(ErrorCode::invalid, fmt::format("libssh refuses the {}: {}", name, reason()));
}

void Link::configure(const Endpoint& endpoint, std::string_view only_type) {
  const int no = 0;
  set(SSH_OPTIONS_PROCESS_CONFIG, &no, "configuration");
  // The host name serves libssh's messages only: the socket is already connected.
  set(SSH_OPTIONS_HOST, "host", "host name");
  set(SSH_OPTIONS_USER, endpoint.user.c_str(), "user name");
  // Own verifier, own keys: libssh need not look at the home directory.
  set(SSH_OPTIONS_SSH_DIR, "/nonexistent", "directory");
  set(SSH_OPTIONS_KNOWNHOSTS, "/dev/null", "known hosts");
  set(SSH_OPTIONS_GLOBAL_KNOWNHOSTS, "/dev/null", "known hosts");
  offer(endpoint, only_type);
  set(SSH_OPTIONS_FD, &fd_, "socket");
}

/// libssh leaves out the names that it does not know, and refuses a list of which nothing is left.
void Link::offer(const Endpoint& endpoint, std::string_view only_type) {
  const Algorithms& wish = endpoint.algorithms;
  const auto offered = [&](std::initializer_list<ssh_options_e> options, const std::string& names,
                           const std::string& setting, const char* keyword) {
    for (const auto option : options)
      if (names.empty() || ::ssh_options_set(session_.get(), option, names.c_str()) < 0)
        throw Error(ErrorCode::invalid,
                    fmt::format("{} '{}' of ssh_config leaves nothing that libssh {} knows", keyword,
                                base::printable(setting), ::ssh_version(0)));
  };
  offered({SSH_OPTIONS_CIPHERS_C_S, SSH_OPTIONS_CIPHERS_S_C}, ciphers_of(wish), wish.ciphers, "Ciphers");
  const auto keys = host_key_algorithms_of(wish, endpoint.host_key_types, only_type);
  if (keys.empty() && !only_type.empty())
    throw Error(ErrorCode::invalid, fmt::format("host keys of type {} are not supported", only_type));
  offered({SSH_OPTIONS_HOSTKEYS}, keys, wish.host_keys, "HostKeyAlgorithms");
  // Less than this libssh takes from nobody.
  constexpr int least_of_libssh = 1024;
  if (wish.least_rsa_bits > least_of_libssh)
    set(SSH_OPTIONS_RSA_MIN_SIZE, &wish.least_rsa_bits, "size of RSA keys");
  // What is not set stays as libssh has it, which newer ones add to.
  if (!wish.macs.empty())
    offered({SSH_OPTIONS_HMAC_C_S, SSH_OPTIONS_HMAC_S_C}, macs_of(wish), wish.macs, "MACs");
  if (!wish.key_exchanges.empty())
    offered({SSH_OPTIONS_KEY_EXCHANGE}, key_exchanges_of(wish), wish.key_exchanges, "KexAlgorithms");
  if (!wish.signatures.empty())
    offered({SSH_OPTIONS_PUBLICKEY_ACCEPTED_TYPES}, signatures_of(wish), wish.signatures,
            "PubkeyAcceptedAlgorithms");
}

void Link::handshake(const base::Scope& scope) {
  int result = ::ssh_connect(session_.get());
  const std::string first_reason = reason();
  // libssh closes a socket given by SSH_OPTIONS_FD on some paths and leaves it open on others. Taking the
  // option back (the call reports failure and does it) makes it the owner on all of them.
  const int none = -1;
  ::ssh_options_set(session_.get(), SSH_OPTIONS_FD, &none);
  unclaimed_.release();
  if (result == SSH_ERROR) throw handshake_failure(first_reason);
  wait(scope, "the SSH handshake");
  const auto step = [this] {
    hold_back();  // the last message of the key exchange goes with the first one after it
    return ::ssh_connect(session_.get());
  };
  result = drive(step, SSH_AGAIN, scope, "the SSH handshake");
  if (result != SSH_OK) throw handshake_failure(reason());
  // libssh has set the socket to blocking; a send that finds the buffer full must not stop this thread.
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) | O_NONBLOCK);
  event_.reset(::ssh_event_new());
  if (event_ == nullptr || ::ssh_event_add_session(event_.get(), session_.get()) != SSH_OK)
    throw Error(ErrorCode::failed, "libssh cannot poll the session");
}

Error Link::handshake_failure(const std::string& text) const {
  const bool silent = ::ssh_get_serverbanner(session_.get()) == nullptr;
  // Before the banner libssh names the socket's trouble in various ways, and only this one is of the peer's
  // making; after it, an end or a reset of the connection reads "Socket error", in 0.10 and 0.11.
  if (silent ? !text.starts_with("Receiving banner") : text.starts_with("Socket error"))
    return {ErrorCode::reset_before_auth,
            silent ? "the server closed the connection at once (too many connections, or no SSH server)"
                   : "the server closed the connection during the handshake"};
  return {ErrorCode::protocol, "SSH handshake: " + text};
}

HostKey Link::host_key() {
  ssh_key key = nullptr;
  if (::ssh_get_server_publickey(session_.get(), &key) != SSH_OK)
    throw failure(ErrorCode::protocol, "no host key");
  const std::unique_ptr<ssh_key_struct, decltype(&::ssh_key_free)> owner(key, &::ssh_key_free);
  char* encoded = nullptr;
  if (::ssh_pki_export_pubkey_base64(key, &encoded) != SSH_OK)
    throw failure(ErrorCode::protocol, "unreadable host key");
  const std::unique_ptr<char, decltype(&::ssh_string_free_char)> text(encoded, &::ssh_string_free_char);
  const auto blob = base::base64_decode(encoded);
  const auto type = blob ? type_in_blob(*blob) : std::nullopt;
  if (!type) throw Error(ErrorCode::protocol, "unreadable host key");
  return {*type, *blob};
}

Negotiated Link::negotiated() const {
  ssh_session raw = session_.get();
  Negotiated result;
  result.server_banner = base::printable(text_of(::ssh_get_serverbanner(raw)));
  result.key_exchange = text_of(::ssh_get_kex_algo(raw));
  result.cipher_out = text_of(::ssh_get_cipher_out(raw));
  result.cipher_in = text_of(::ssh_get_cipher_in(raw));
  result.mac_out = text_of(::ssh_get_hmac_out(raw));
  result.mac_in = text_of(::ssh_get_hmac_in(raw));
  return result;
}

void Link::note_traffic() noexcept {
  if (counter_.in_bytes != in_seen_) {
    in_seen_ = counter_.in_bytes;
    unanswered_ = 0;
    if (awaiting_) ++round_trips_;
    awaiting_ = false;
  }
  if (counter_.out_bytes != out_seen_) {
    out_seen_ = counter_.out_bytes;
    awaiting_ = true;
  }
}

bool Link::write_pending() const noexcept {
  return (::ssh_get_poll_flags(session_.get()) & SSH_WRITE_PENDING) != 0;
}

short Link::wanted_events() const noexcept {
  return static_cast<short>(write_pending() ? POLLIN | POLLOUT : POLLIN);
}

void Link::wait(const base::Scope& scope, const char* what) {
  const auto began = std::chrono::steady_clock::now();
  scope.check(what);
  let_go();
  note_traffic();
  base::Scope watch = scope;
  const bool probing = event_ != nullptr && keepalive_interval_ > base::Duration::zero();
  if (probing) {
    quiet_since_ = std::max(quiet_since_, began);
    watch.deadline = std::min(scope.deadline, quiet_since_ + keepalive_interval_);
  }
  switch (base::wait_for(fd_, wanted_events(), watch)) {
    case base::Woke::ready:
      return;
    case base::Woke::cancelled:
      scope.check(what);
      return;
    case base::Woke::deadline:
      break;
  }
  scope.check(what);
  if (probing) keep_alive();
}

void Link::keep_alive() {
  note_traffic();
  if (unanswered_ >= keepalive_count_)
    throw Error(ErrorCode::io, fmt::format("connection lost: no sign of life for {}",
                                           base::elapsed_text(keepalive_interval_ * (unanswered_ + 1))));
  // The first call takes the answer to the last probe, if there was one, and only then does a call send.
  // While a probe is unanswered neither sends again; TCP itself repeats it.
  ::ssh_send_keepalive(session_.get());
  ::ssh_send_keepalive(session_.get());
  ++unanswered_;
  quiet_since_ = std::chrono::steady_clock::now();
}

bool Link::pump() {
  const std::uint64_t before = counter_.in_bytes;
  ::ssh_event_dopoll(event_.get(), 0);
  return counter_.in_bytes - before >= libssh_read_bytes;
}

void Link::turn(const base::Scope& scope, const char* what) {
  wait(scope, what);
  const auto enough = std::chrono::steady_clock::now() + longest_turn;
  for (int count = 0; count < most_pumps && pump(); ++count)
    if (std::chrono::steady_clock::now() >= enough) break;
  quiet_since_ = std::chrono::steady_clock::now();
}

std::size_t Link::room() noexcept {
  if (!write_pending()) queued_ = 0;
  return queued_ >= write_budget ? 0 : write_budget - queued_;
}

bool Link::connected() const noexcept {
  return ::ssh_is_connected(session_.get()) != 0 &&
         (::ssh_get_status(session_.get()) & (SSH_CLOSED | SSH_CLOSED_ERROR)) == 0;
}

bool Link::alive() {
  for (int count = 0; count < most_pumps && connected() && pump(); ++count) continue;
  return connected();
}

// OpenSSH before 10 leaves Nagle's algorithm on until the first command runs, and holds its small answer
// back until our delayed acknowledgement, 40 ms later. Acknowledging at once lets it go. (No effect, and no
// harm, on what is not a TCP socket.)
void Link::quick_ack() noexcept {
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

// Only while connected: libssh closes the socket when it is lost, and its number may be another one's by
// then.
void Link::hold_back() noexcept {
  if (!connected()) return;
  const int on = 1;
  held_back_ = ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &on, sizeof on) == 0;
}

void Link::let_go() noexcept {
  if (!std::exchange(held_back_, false) || !connected()) return;
  const int off = 0;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_CORK, &off, sizeof off);
}

Traffic Link::traffic() const noexcept {
  const bool answered = awaiting_ && counter_.in_bytes != in_seen_;
  return {counter_.out_bytes, counter_.in_bytes, round_trips_ + (answered ? 1 : 0)};
}

std::string Link::reason() const {
  return base::printable(text_of(::ssh_get_error(session_.get())));
}

Error Link::failure(ErrorCode code, std::string_view what) const {
  if (!connected()) return {ErrorCode::io, fmt::format("{}: connection lost: {}", what, reason())};
  return {code, fmt::format("{}: {}", what, reason())};
}

}  // namespace staithe::ssh
