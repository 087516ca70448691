/// Steady HTTP load on several addresses, and an honest count of what failed: the witness of every claim that
/// a deploy loses no request.
#include "client.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace {

using load::Clock;

constexpr const char* usage = R"(Usage: staithe-load [options] ADDRESS:PORT[,ADDRESS:PORT...]
  --keep-alive N    clients that keep their connection (12)
  --one-shot N      clients with a connection for each request (12)
  --rate N          requests a second, all clients together (500)
  --seconds N       for so long (default: until SIGTERM or SIGINT)
  --until-eof       or until standard input is closed
  --path PATH       what to ask for (/)
  --timeout-ms N    for one request (10000)
  --cookies         clients remember one cookie
  --quiet           no line for people on standard error
Prints one JSON line. Exit: 0 nothing failed, 1 a request failed, 2 usage, 3 no request was made.
)";

struct Options {
  std::vector<load::Target> targets;
  load::Request request;
  long keep_alive = 12, one_shot = 12, rate = 500, seconds = 0;
  bool until_eof = false, quiet = false;
};

volatile std::sig_atomic_t stop_asked = 0;

void ask_to_stop(int /*signal*/) {
  stop_asked = 1;
}

std::optional<long> to_number(std::string_view text) {
  long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

bool add_targets(const std::string& list, Options& options) {
  for (std::size_t at = 0; at <= list.size();) {
    const auto end = std::min(list.find(',', at), list.size());
    load::Target target;
    target.name = list.substr(at, end - at);
    at = end + 1;
    const auto colon = target.name.rfind(':');
    if (colon == std::string::npos) {
      return false;
    }
    const auto port = to_number(std::string_view(target.name).substr(colon + 1));
    target.address.sin_family = AF_INET;
    if (!port || *port < 1 || *port > 65535 ||
        ::inet_pton(AF_INET, target.name.substr(0, colon).c_str(), &target.address.sin_addr) != 1) {
      return false;
    }
    target.address.sin_port = htons(static_cast<std::uint16_t>(*port));
    options.targets.push_back(std::move(target));
  }
  return true;
}

bool read_numbers(const std::string& name, std::string_view text, Options& options) {
  const auto value = to_number(text);
  if (!value) {
    return false;
  }
  if (name == "--keep-alive") {
    options.keep_alive = *value;
  } else if (name == "--one-shot") {
    options.one_shot = *value;
  } else if (name == "--rate" && *value > 0) {
    options.rate = *value;
  } else if (name == "--seconds") {
    options.seconds = *value;
  } else if (name == "--timeout-ms" && *value > 0) {
    options.request.timeout = std::chrono::milliseconds(*value);
  } else {
    return false;
  }
  return true;
}

std::optional<Options> read_options(const std::vector<std::string>& arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const auto& name = arguments[i];
    if (name == "--until-eof") {
      options.until_eof = true;
    } else if (name == "--cookies") {
      options.request.cookies = true;
    } else if (name == "--quiet") {
      options.quiet = true;
    } else if (name.rfind("--", 0) != 0) {
      if (!add_targets(name, options)) {
        return std::nullopt;
      }
    } else if (++i == arguments.size()) {
      return std::nullopt;
    } else if (name == "--path") {
      options.request.path = arguments[i];
    } else if (!read_numbers(name, arguments[i], options)) {
      return std::nullopt;
    }
  }
  if (options.targets.empty() || options.keep_alive + options.one_shot < 1 ||
      options.keep_alive + options.one_shot > 1000) {
    return std::nullopt;
  }
  return options;
}

bool stdin_closed() {
  pollfd in{0, POLLIN, 0};
  if (::poll(&in, 1, 0) <= 0) {
    return false;
  }
  char byte = 0;
  return ::read(0, &byte, 1) <= 0;
}

/// Closed loop with an upper rate: a client that waits for its answer sends nothing.
class Driver {
 public:
  explicit Driver(const Options& options)
      : options_(options),
        start_(Clock::now()),
        next_(start_),
        tally_(start_),
        gap_(std::chrono::duration_cast<Clock::duration>(std::chrono::seconds(1)) / options.rate) {
    for (long i = 0; i < options.keep_alive + options.one_shot; ++i) {
      const auto& target = options.targets[static_cast<std::size_t>(i) % options.targets.size()];
      const auto reuse = i < options.keep_alive ? load::Reuse::keep_alive : load::Reuse::one_shot;
      clients_.push_back(std::make_unique<load::Client>(target, reuse, options.request, tally_));
    }
  }

  const load::Tally& run() {
    while (!over()) {
      send_due();
      wait(std::chrono::milliseconds(2));
    }
    // What is in hand is heard to its end, so that every request counts exactly once.
    while (busy()) {
      wait(std::chrono::milliseconds(5));
    }
    return tally_;
  }

 private:
  bool over() const {
    return stop_asked != 0 ||
           (options_.seconds > 0 && Clock::now() - start_ >= std::chrono::seconds(options_.seconds)) ||
           (options_.until_eof && stdin_closed());
  }

  bool busy() const {
    for (const auto& client : clients_) {
      if (!client->idle()) {
        return true;
      }
    }
    return false;
  }

  void send_due() {
    const auto now = Clock::now();
    // After a stall the lost time is not made up for: that would be a burst, not a rate.
    next_ = std::max(next_, now - std::chrono::milliseconds(20));
    for (std::size_t tried = 0; next_ <= now && tried < clients_.size(); ++tried) {
      turn_ = (turn_ + 1) % clients_.size();
      if (clients_[turn_]->idle()) {
        clients_[turn_]->begin(now);
        next_ += gap_;
      }
    }
  }

  void wait(std::chrono::milliseconds most) {
    fds_.clear();
    for (const auto& client : clients_) {
      fds_.push_back({client->fd(), client->events(), 0});
    }
    ::poll(fds_.data(), fds_.size(), static_cast<int>(most.count()));
    const auto now = Clock::now();
    for (std::size_t i = 0; i < clients_.size(); ++i) {
      if (fds_[i].fd >= 0 && fds_[i].revents != 0) {
        clients_[i]->on_ready(now);
      }
      clients_[i]->check_time(now);
    }
  }

  const Options& options_;
  Clock::time_point start_, next_;
  load::Tally tally_;
  Clock::duration gap_;
  std::vector<std::unique_ptr<load::Client>> clients_;
  std::vector<pollfd> fds_;
  std::size_t turn_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const auto options = read_options({argv + 1, argv + argc});
  if (!options) {
    std::fputs(usage, stderr);
    return 2;
  }
  std::signal(SIGTERM, ask_to_stop);
  std::signal(SIGINT, ask_to_stop);
  Driver driver(*options);
  const auto& tally = driver.run();
  const auto now = Clock::now();
  std::printf("%s\n", tally.json(now).c_str());
  if (!options->quiet) {
    std::fprintf(stderr, "load: %s\n", tally.line(now).c_str());
  }
  if (tally.requests() == 0) {
    return 3;
  }
  return tally.failures() == 0 ? 0 : 1;
}
