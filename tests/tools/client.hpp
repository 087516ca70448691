#pragma once
#include "tally.hpp"

#include <netinet/in.h>

namespace load {

struct Target {
  sockaddr_in address{};
  std::string name;  // as given: host:port
};

struct Request {
  std::string path = "/";
  std::chrono::milliseconds timeout{10'000};
  bool cookies = false;  // remember one cookie and send it
};

enum class Reuse { keep_alive, one_shot };

/// One HTTP/1.1 client with at most one request in hand. Never blocks; poll its fd for its events.
class Client {
 public:
  Client(const Target& target, Reuse reuse, const Request& request, Tally& tally);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool idle() const { return state_ == State::idle; }
  int fd() const { return fd_; }
  short events() const;

  /// Sends a request, on the kept connection when there is one.
  void begin(Clock::time_point now);
  void on_ready(Clock::time_point now);
  /// Gives the request up when its time is over.
  void check_time(Clock::time_point now);

 private:
  enum class State : std::uint8_t { idle, connecting, sending, receiving };

  void connect(Clock::time_point now);
  void send(Clock::time_point now);
  void receive(Clock::time_point now);
  /// The connection ended or broke; `error` is an errno, 0 for an end of file.
  void ended(int error, Clock::time_point now);
  bool parse_head();
  void finish(Clock::time_point now);
  void fail(Failure kind, const std::string& detail, Clock::time_point now);
  void drop();

  const Target& target_;
  const Reuse reuse_;
  const Request& request_;
  Tally& tally_;
  State state_ = State::idle;
  int fd_ = -1;
  bool reused_ = false;  // this request went out on a connection that had served another
  bool keep_ = false;    // the server lets us keep the connection
  Clock::time_point began_, deadline_;
  std::string out_, in_, cookie_, version_, host_;
  std::size_t sent_ = 0;
  std::size_t head_bytes_ = 0;
  long long body_bytes_ = -1;  // -1: until the connection ends
  int status_ = 0;
};

}  // namespace load
