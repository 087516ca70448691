#pragma once
#include "channel.hpp"
#include "connection.hpp"

#include "staithe/ssh/session.hpp"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace staithe::ssh {

/// Takes the time of the session's first command, and opens its channels.
class SessionImpl final : public Session {
 public:
  explicit SessionImpl(Connection connection) : connection_(std::move(connection)) {}
  /// What is left to say goes out with the end of the connection.
  ~SessionImpl() override { link().hold_back(); }

  Exit run(const Command& command, const OutputSink& sink, const base::Scope& scope) override;
  void upload(const Upload& upload, const base::Scope& scope) override;
  std::unique_ptr<RemoteStream> open_unix(const std::string& path, const base::Scope& scope) override;
  std::unique_ptr<RemoteStream> open_tcp(const std::string& host, std::uint16_t port,
                                         const base::Scope& scope) override;
  bool alive() override { return !broken_ && link().alive(); }
  const Timings& timings() const noexcept override { return connection_.timings; }
  const Negotiated& negotiated() const noexcept override { return connection_.negotiated; }
  Traffic traffic() const noexcept override { return connection_.link->traffic(); }

 private:
  /// What a remote process is fed: pieces until it is done.
  class Feed {
   public:
    virtual ~Feed() = default;
    /// Bytes to be sent next, empty when all are sent. They stay valid until the next call.
    virtual std::string_view next() = 0;
    virtual void sent(std::size_t bytes) = 0;
  };
  class TextFeed;
  class UploadFeed;

  enum class Rung { streamlocal, perl, socat };

  Link& link() noexcept { return *connection_.link; }
  /// An open session channel; a server that has none left is asked again for a while.
  std::unique_ptr<Channel> open_channel(Channel::Receive receive, const base::Scope& scope);
  /// Asks for the next command's channel while this one runs, which saves that a round trip.
  void prepare_spare();
  /// Sends the exec request, and of the feed what the window takes (OpenSSH opens it only with its answer).
  void start(Channel& channel, const std::string& text, Feed& feed, const Command& limits,
             const base::Scope& scope);
  void feed_some(Channel& channel, Feed& feed);
  /// Until the process has ended and its output is in. `last_output` moves whenever some comes.
  void attend(Channel& channel, Feed& feed, const Command& limits, const base::SteadyTime& last_output,
              const base::Scope& scope);
  /// Takes what output is still to come, for a moment to which the time that the sink has `held` does not
  /// count.
  void attend_closing(Channel& channel, const base::SteadyTime::duration& held, const base::Scope& scope);
  /// Tells the leash to end the process group, and waits a little for that.
  void stop(Channel& channel) noexcept;
  Exit perform(const std::string& text, Feed& feed, const Command& limits, const OutputSink& sink,
               const base::Scope& scope);

  std::unique_ptr<RemoteStream> open_streamlocal(const std::string& path, const base::Scope& scope);
  int drive_open(Channel& channel, const std::string& path, const base::Scope& scope);
  /// The stream that was asked for ahead, if it is for this path, young and whole.
  std::unique_ptr<Channel> take_ahead(const std::string& path, const base::Scope& scope);
  void ask_ahead(const std::string& path);
  std::unique_ptr<RemoteStream> open_bridge(Rung rung, const std::string& path, const base::Scope& scope);
  void look_at(const std::string& path, const base::Scope& scope);

  Connection connection_;
  bool broken_ = false;  // a channel was given up in the middle of being opened
  std::optional<Rung> rung_;
  std::unique_ptr<Channel> spare_;  // being opened or open, for the next command
  bool spares_denied_ = false;      // the server has no second channel for us

  /// A stream to a unix socket that is being opened, or open, for the next who wants one: that saves the
  /// round trip of opening where exchanges follow each other, each on a connection of its own.
  struct Ahead {
    std::string path;
    std::unique_ptr<Channel> channel;
    base::SteadyTime asked;
  };
  std::optional<Ahead> ahead_;

  /// Channels that the other side is done with. They are closed together with the next request: a close of
  /// its own would be a packet, and its answer another, that nobody waits for but that cost as much.
  std::vector<std::unique_ptr<Channel>> retired_;
};

}  // namespace staithe::ssh
