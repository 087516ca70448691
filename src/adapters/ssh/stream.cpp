#include "session_impl.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;

/// Bytes through an open channel. Standard error, if any, waits in libssh and explains an early end.
class ChannelStream final : public RemoteStream {
 public:
  /// Once it has come to its end, the channel goes to `retired`.
  ChannelStream(Link& link, std::unique_ptr<Channel> channel, std::string_view means,
                std::vector<std::unique_ptr<Channel>>& retired)
      : link_(link), channel_(std::move(channel)), means_(means), retired_(retired) {}
  ChannelStream(const ChannelStream&) = delete;
  ChannelStream& operator=(const ChannelStream&) = delete;
  ~ChannelStream() override {
    if (channel_->ended()) retired_.push_back(std::move(channel_));
  }

  std::size_t read(std::span<char> into, const base::Scope& scope) override {
    for (;;) {
      const std::size_t count = channel_->read_some(Stream::out, into.data(), into.size());
      if (count > 0 || into.empty()) return count;
      if (channel_->ended()) return end_of_stream();
      if (!link_.connected()) throw Error(ErrorCode::io, "connection lost: " + link_.reason());
      // The answer may stand behind a small packet that came first, such as the word on the stream that was
      // asked for ahead: until that is acknowledged, the server's Nagle keeps it.
      link_.quick_ack();
      link_.turn(scope, "the answer");
    }
  }

  void write(std::string_view bytes, const base::Scope& scope) override {
    for (;;) {
      bytes.remove_prefix(channel_->write_some(bytes));
      if (bytes.empty()) return;
      if (channel_->closed()) throw Error(ErrorCode::io, "the other side has closed the stream");
      link_.turn(scope, "writing to the stream");
    }
  }

  void finish_writing(const base::Scope& scope) override {
    scope.check("ending the stream");
    if (!channel_->closed()) channel_->send_eof();
  }

  std::string_view means() const noexcept override { return means_; }

 private:
  /// A bridge that fails says why on standard error; that is no end but an error.
  std::size_t end_of_stream() {
    std::array<char, 2048> buffer{};
    const std::size_t count = channel_->read_some(Stream::err, buffer.data(), buffer.size());
    if (count == 0) return 0;
    std::string text = base::printable({buffer.data(), count});
    throw Error(ErrorCode::io, fmt::format("{}: {}", means_, base::trim(text)));
  }

  Link& link_;
  std::unique_ptr<Channel> channel_;
  std::string_view means_;
  std::vector<std::unique_ptr<Channel>>& retired_;
};

/// Says first whether there is a socket to connect to, with the user's own rights.
constexpr std::string_view look_first =
    "[ -e \"$1\" ] || { echo none; exit; }\n"
    "[ -S \"$1\" ] || { echo other; exit; }\n"
    "[ -r \"$1\" ] && [ -w \"$1\" ] || { echo denied; exit; }\n";

/// Needs nothing but perl-base, which is Essential in Debian. Copies both ways; the end of our side is passed
/// on.
constexpr std::string_view perl_bridge =
    "command -v perl >/dev/null || { echo unavailable; exit; }\n"
    "exec perl -e 'use Socket; $| = 1; $SIG{PIPE} = \"IGNORE\";\n"
    "socket(S, PF_UNIX, SOCK_STREAM, 0) && connect(S, pack_sockaddr_un($ARGV[0]))\n"
    "  or do { print \"refused\\n\"; exit };\n"
    "print \"ready\\n\";\n"
    "sub put { my ($h, $d) = @_; while (length $d) { my $n = syswrite($h, $d); exit unless $n;\n"
    "  substr($d, 0, $n) = \"\" } }\n"
    "my $open = 1;\n"
    "while (1) {\n"
    "  my $r = \"\"; vec($r, fileno(S), 1) = 1; vec($r, 0, 1) = 1 if $open;\n"
    "  next if select($r, undef, undef, undef) < 1;\n"
    "  if (vec($r, fileno(S), 1)) { sysread(S, my $d, 65536) or exit; put(*STDOUT, $d) }\n"
    "  if ($open && vec($r, 0, 1)) {\n"
    "    if (sysread(STDIN, my $d, 65536)) { put(*S, $d) } else { $open = 0; shutdown(S, 1) }\n"
    "  }\n"
    "}' \"$1\"";

/// socat does not say when it is connected, so it is tried first. When one side has ended it waits for the
/// other, for as long as -t has it: so long may an answer pause once our side has ended. Where the socket
/// ends first, as HAProxy's does, shut-close lets go of the output at once; sshd passes that on only when
/// nothing holds the error stream either.
constexpr std::string_view socat_bridge =
    "command -v socat >/dev/null || { echo unavailable; exit; }\n"
    "socat -u /dev/null \"UNIX-CONNECT:$2\" 2>/dev/null || { echo refused; exit; }\n"
    "echo ready; exec socat -t 60 STDIO,shut-close \"UNIX-CONNECT:$2\" 2>/dev/null";

/// socat takes ',' ':' and '!' in an address for its own; a backslash makes them plain.
std::string socat_escaped(std::string_view path) {
  std::string text;
  for (const char c : path) {
    if (std::string_view(",:!\\'\"()[]{}").find(c) != std::string_view::npos) text += '\\';
    text += c;
  }
  return text;
}

/// A connection that waits longer may be talking to a process that is on its way out, or be given up there.
constexpr base::Duration ahead_lasts{1'000};

/// OpenSSH's reason code 1: the server's configuration forbids it.
bool is_prohibited(const std::string& reason) {
  return reason.find("error (1)") != std::string::npos;
}

/// connect(2) has failed there, or OpenSSH's configuration forbids it: it says the same.
bool is_refused(const std::string& reason) {
  return reason.find("error (2)") != std::string::npos;
}

[[noreturn]] void throw_verdict(const std::string& path, std::string_view word) {
  const std::string name = base::printable(path);
  if (word == "none") throw Error(ErrorCode::not_found, fmt::format("{}: no such socket", name));
  if (word == "other") throw Error(ErrorCode::invalid, fmt::format("{} is not a socket", name));
  if (word == "denied") throw Error(ErrorCode::permission, fmt::format("{}: permission denied", name));
  if (word == "refused") throw Error(ErrorCode::connect, fmt::format("{}: nobody listens", name));
  throw Error(ErrorCode::protocol, fmt::format("{}: the host answers '{}'", name, base::printable(word)));
}

/// A line of at most 200 bytes; what is there at the end of the stream otherwise.
std::string read_word(RemoteStream& stream, const base::Scope& scope) {
  std::string word;
  for (char c = 0; word.size() < 200 && stream.read({&c, 1}, scope) == 1 && c != '\n';) word += c;
  return word;
}

}  // namespace

std::unique_ptr<RemoteStream> SessionImpl::open_unix(const std::string& path, const base::Scope& scope) {
  if (path.empty() || path.find('\0') != std::string::npos)
    throw Error(ErrorCode::invalid, "a socket needs a path");
  constexpr std::array rungs = {Rung::streamlocal, Rung::perl, Rung::socat};
  for (const Rung rung : rungs) {
    if (rung_ && rung != *rung_) continue;
    auto stream = rung == Rung::streamlocal ? open_streamlocal(path, scope) : open_bridge(rung, path, scope);
    if (stream == nullptr) continue;
    rung_ = rung;
    return stream;
  }
  rung_.reset();  // what worked once may be gone: next time look again
  throw Error(
      ErrorCode::unavailable,
      fmt::format("{}: the server does not forward to unix sockets, and the host has neither perl nor "
                  "socat",
                  base::printable(path)));
}

/// Null when this way is not to be had here.
std::unique_ptr<RemoteStream> SessionImpl::open_streamlocal(const std::string& path,
                                                            const base::Scope& scope) {
  if (broken_ || !link().connected()) throw Error(ErrorCode::io, "connection lost: " + link().reason());
  retired_.clear();
  auto channel = take_ahead(path, scope);
  int result = SSH_OK;
  if (channel == nullptr) {
    channel = std::make_unique<Channel>(link());
    result = drive_open(*channel, path, scope);
  }
  if (result == SSH_OK) {
    ask_ahead(path);
    return std::make_unique<ChannelStream>(link(), std::move(channel), "streamlocal", retired_);
  }
  const std::string reason = link().reason();
  channel.reset();
  if (!link().connected()) throw Error(ErrorCode::io, "connection lost: " + reason);
  if (is_refused(reason)) look_at(path, scope);
  return nullptr;  // prohibited, unknown to the server, or libssh 0.10 does not know OpenSSH 10
}

int SessionImpl::drive_open(Channel& channel, const std::string& path, const base::Scope& scope) {
  const auto step = [&] {
    const int code = channel.open_unix(path);
    link().quick_ack();
    return code;
  };
  try {
    return link().drive(step, SSH_AGAIN, scope, "opening the socket");
  } catch (const Error&) {
    broken_ = true;
    throw;
  }
}

std::unique_ptr<Channel> SessionImpl::take_ahead(const std::string& path, const base::Scope& scope) {
  if (!ahead_) return nullptr;
  Ahead ahead = std::move(*ahead_);
  ahead_.reset();
  // To its end even when it is not wanted: libssh does not forget a channel that is being opened.
  const bool open = drive_open(*ahead.channel, ahead.path, scope) == SSH_OK;
  // What the other end has closed says so by now: the answer to its close would have come with this look.
  const bool whole = open && link().alive() && !ahead.channel->ended();
  const bool young = std::chrono::steady_clock::now() - ahead.asked < ahead_lasts;
  return whole && young && ahead.path == path ? std::move(ahead.channel) : nullptr;
}

void SessionImpl::ask_ahead(const std::string& path) {
  Ahead ahead{path, std::make_unique<Channel>(link()), std::chrono::steady_clock::now()};
  if (ahead.channel->open_unix(path) != SSH_ERROR) ahead_ = std::move(ahead);
}

/// Throws when the reason is to be found at the path itself.
void SessionImpl::look_at(const std::string& path, const base::Scope& scope) {
  Command look;
  look.script = fmt::format("set -- {}\n{}", base::shell_quote(path), look_first);
  if (rung_ == Rung::streamlocal) look.script += "echo refused";  // it has worked before: not forbidden
  const Exit exit = run(look, nullptr, scope);
  if (exit.ok() && !exit.out.empty()) throw_verdict(path, base::trim(exit.out));
}

/// A process on the host that connects its standard streams to the socket. It ends with its input, so it
/// needs no leash.
std::unique_ptr<RemoteStream> SessionImpl::open_bridge(Rung rung, const std::string& path,
                                                       const base::Scope& scope) {
  const bool socat = rung == Rung::socat;
  const std::string script = std::string(look_first) + std::string(socat ? socat_bridge : perl_bridge);
  const std::string text = fmt::format("exec sh -c {} sh {} {}", base::shell_quote(script),
                                       base::shell_quote(path), base::shell_quote(socat_escaped(path)));
  auto channel = open_channel(nullptr, scope);
  const auto step = [&] { return channel->request_exec(text); };
  if (link().drive(step, SSH_AGAIN, scope, "starting the bridge") != SSH_OK) return nullptr;
  auto stream =
      std::make_unique<ChannelStream>(link(), std::move(channel), socat ? "socat" : "perl", retired_);
  const std::string word = read_word(*stream, scope);
  if (word == "ready") return stream;
  if (word == "unavailable") return nullptr;
  throw_verdict(path, word);
}

std::unique_ptr<RemoteStream> SessionImpl::open_tcp(const std::string& host, std::uint16_t port,
                                                    const base::Scope& scope) {
  if (broken_ || !link().connected()) throw Error(ErrorCode::io, "connection lost: " + link().reason());
  retired_.clear();
  auto channel = std::make_unique<Channel>(link());
  int result = SSH_ERROR;
  try {
    const auto step = [&] {
      const int code = channel->open_tcp(host, port);
      link().quick_ack();
      return code;
    };
    result = link().drive(step, SSH_AGAIN, scope, "opening the connection");
  } catch (const Error&) {
    broken_ = true;
    throw;
  }
  if (result == SSH_OK)
    return std::make_unique<ChannelStream>(link(), std::move(channel), "direct-tcpip", retired_);
  const auto code = is_prohibited(link().reason()) ? ErrorCode::permission : ErrorCode::connect;
  throw link().failure(code, fmt::format("{} port {}", base::printable(host), port));
}

}  // namespace staithe::ssh
