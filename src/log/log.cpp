#include "staithe/log/log.hpp"

#include <fcntl.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/rotating_file_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <mutex>
#include <system_error>

namespace staithe::log {
namespace {

constexpr std::size_t file_bytes = 10 * 1024 * 1024;
constexpr std::size_t old_files = 2;
constexpr std::size_t message_bytes = 16 * 1024;

struct State {
  std::mutex mutex;
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<const Filter> filter;
};

/// Never destroyed: a detached thread may log while the process ends.
State& state() {
  static State* only = new State;
  return *only;
}

std::atomic<Level> threshold{Level::off};

spdlog::level::level_enum spdlog_level(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warn:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      break;
  }
  return spdlog::level::off;
}

/// One line whatever the message holds: a peer's text must not forge a record.
std::string one_line(std::string_view message) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string line;
  const bool cut = message.size() > message_bytes;
  for (const char c : message.substr(0, message_bytes)) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if ((byte < 0x20 && c != '\t') || byte == 0x7f) {
      line += {'\\', 'x', digits[byte >> 4U], digits[byte & 0xFU]};
    } else {
      line += c;
    }
  }
  if (cut) line += " … (" + std::to_string(message.size()) + " bytes)";
  return line;
}

void write(Level level, std::string_view message) noexcept try {
  if (!enabled(level)) return;
  std::shared_ptr<spdlog::logger> logger;
  std::shared_ptr<const Filter> filter;
  {
    const std::lock_guard lock(state().mutex);
    logger = state().logger;
    filter = state().filter;
  }
  if (!logger) return;
  const std::string line = filter ? one_line((*filter)(message)) : one_line(message);
  logger->log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
} catch (...) {
  // A log that cannot be written must not stop a deploy.
}

/// spdlog reports neither why a file could not be opened nor creates it for the owner alone.
void create(const std::string& file) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), "log file " + file);
  ::close(fd);
}

}  // namespace

void open(const std::string& file, Level level) {
  create(file);
  spdlog::file_event_handlers handlers;
  handlers.after_open = [](const spdlog::filename_t&, std::FILE* stream) {
    struct stat status {};
    const int fd = ::fileno(stream);
    if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode)) ::fchmod(fd, 0600);
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
  };
  std::shared_ptr<spdlog::logger> logger;
  try {
    auto sink =
        std::make_shared<spdlog::sinks::rotating_file_sink_mt>(file, file_bytes, old_files, false, handlers);
    logger = std::make_shared<spdlog::logger>("staithe", std::move(sink));
  } catch (const spdlog::spdlog_ex& error) {
    throw std::system_error(EIO, std::generic_category(), error.what());
  }
  logger->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %L [%t] %v",
                                                                    spdlog::pattern_time_type::utc));
  logger->set_level(spdlog_level(level));
  // The last lines before a crash are the ones that matter.
  logger->flush_on(spdlog::level::debug);
  logger->set_error_handler([](const std::string&) {});  // the default prints to stderr
  const std::lock_guard lock(state().mutex);
  state().logger = std::move(logger);
  threshold = level;
}

void close() noexcept {
  threshold = Level::off;
  const std::lock_guard lock(state().mutex);
  state().logger.reset();
}

void set_filter(Filter filter) {
  auto shared = filter ? std::make_shared<const Filter>(std::move(filter)) : nullptr;
  const std::lock_guard lock(state().mutex);
  state().filter = std::move(shared);
}

bool enabled(Level level) noexcept {
  const Level least = threshold.load(std::memory_order_relaxed);
  return least != Level::off && level != Level::off && level >= least;
}

void debug(std::string_view message) noexcept {
  write(Level::debug, message);
}
void info(std::string_view message) noexcept {
  write(Level::info, message);
}
void warn(std::string_view message) noexcept {
  write(Level::warn, message);
}
void error(std::string_view message) noexcept {
  write(Level::error, message);
}

}  // namespace staithe::log
