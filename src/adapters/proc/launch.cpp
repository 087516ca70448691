#include "launch.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/error.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

// Boost.Process builds argv, forks and executes. The rest is ours, because its version 1
//  - makes pipes without O_CLOEXEC: a child of another thread holds them open and the reader waits for it
//    (boostorg/process#170); so the pipes are made here, and the error pipe of its own is avoided by
//    ignore_error;
//  - lets the child inherit signal mask, ignored signals, terminal and every descriptor that is not
//  O_CLOEXEC;
//  - reports a death by signal as an exit code; so the caller waits for the process itself.

namespace staithe::proc {
namespace {

namespace bp = boost::process;
using base::Error;
using base::ErrorCode;
using base::UniqueFd;

/// What failed between fork and exec: written by the child to a pipe that a successful exec closes.
struct StartFailure {
  enum Where : int { in_fork, in_directory, in_exec } where;
  int error_number;
};

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

/// A descriptor of 3 or more, so that no dup2 onto 0, 1, 2 in the child meets another one's source.
UniqueFd lifted(int fd) {
  UniqueFd owner(fd);
  if (fd > 2) return owner;
  UniqueFd high(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!high) throw base::system_error(ErrorCode::failed, "fcntl", errno);
  return high;
}

Pipe make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw base::system_error(ErrorCode::failed, "pipe", errno);
  UniqueFd second(ends[1]);
  UniqueFd first = lifted(ends[0]);
  return {std::move(first), lifted(second.release())};
}

Pipe make_output_pipe() {
  Pipe pipe = make_pipe();
  if (::fcntl(pipe.read.get(), F_SETFL, O_NONBLOCK) != 0)
    throw base::system_error(ErrorCode::failed, "fcntl", errno);
  return pipe;
}

/// Standard input as a file in memory: nothing has to be written while the program runs, so a program that
/// does not read its input can neither block us nor raise SIGPIPE.
UniqueFd make_input(const std::string& bytes) {
  if (bytes.empty()) {
    const int null = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (null < 0) throw base::system_error(ErrorCode::failed, "/dev/null", errno);
    return lifted(null);
  }
  const int raw = ::memfd_create("staithe-input", MFD_CLOEXEC);
  if (raw < 0) throw base::system_error(ErrorCode::failed, "memfd_create", errno);
  UniqueFd file = lifted(raw);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t written = ::write(file.get(), bytes.data() + at, bytes.size() - at);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) throw base::system_error(ErrorCode::failed, "keeping the input", errno);
    at += static_cast<std::size_t>(written);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw base::system_error(ErrorCode::failed, "lseek", errno);
  return file;
}

/// Runs in the child between fork and exec: async-signal-safe calls only.
class ChildSetup : public bp::extend::handler {
 public:
  ChildSetup(int in, int out, int err, int channel, int report, const char* directory, char** environment,
             StartFailure& fork_failure)
      : in_(in),
        out_(out),
        err_(err),
        channel_(channel),
        report_(report),
        directory_(directory),
        environment_(environment),
        parent_(::getpid()),
        fork_failure_(&fork_failure) {}

  template <typename Executor>
  void on_exec_setup(Executor& executor) const {
    executor.env = environment_;
    ::setsid();
    // Should staithe be killed, nobody watches this program any more.
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != parent_) ::_exit(127);
    if (*directory_ != '\0' && ::chdir(directory_) != 0) give_up(StartFailure::in_directory, errno);
    ::dup2(in_, 0);
    ::dup2(out_, 1);
    ::dup2(err_, 2);
    // Libraries open descriptors without O_CLOEXEC; marking, not closing, spares the report pipe until exec.
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    if (channel_ >= 0) ::fcntl(channel_, F_SETFD, 0);
    reset_signals();
  }

  template <typename Executor>
  void on_exec_error(Executor&, const std::error_code& error) const {
    give_up(StartFailure::in_exec, error.value());
  }

  template <typename Executor>
  void on_fork_error(Executor&, const std::error_code& error) const {
    *fork_failure_ = {StartFailure::in_fork, error.value()};
  }

 private:
  [[noreturn]] void give_up(StartFailure::Where where, int error_number) const {
    const StartFailure failure{where, error_number};
    [[maybe_unused]] const auto written = ::write(report_, &failure, sizeof failure);
    ::_exit(127);
  }

  static void reset_signals() {
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    for (int number = 1; number < NSIG; ++number) ::sigaction(number, &plain, nullptr);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
  }

  int in_;
  int out_;
  int err_;
  int channel_;
  int report_;
  const char* directory_;
  char** environment_;
  pid_t parent_;
  StartFailure* fork_failure_;
};

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

void check(const Command& command) {
  const auto refuse = [](std::string text) { throw Error(ErrorCode::invalid, std::move(text)); };
  if (command.argv.empty() == command.script.empty()) refuse("a command needs either arguments or a script");
  if (has_nul(command.script) || has_nul(command.directory)) refuse("a command cannot hold a NUL byte");
  for (const auto& word : command.argv)
    if (has_nul(word)) refuse("a command cannot hold a NUL byte");
  for (const auto& [name, value] : command.environment) {
    if (name.empty() || has_nul(name) || name.find('=') != std::string::npos)
      refuse("'" + base::printable(name) + "' cannot be the name of an environment variable");
    if (has_nul(value)) refuse("the environment variable " + name + " cannot hold a NUL byte");
  }
}

/// What the program will find in its environment, as execve wants it. Our own, because Boost's reads beyond
/// the end of short entries when it looks one up.
class Environment {
 public:
  Environment(const Command& command, int channel) {
    const auto is_named = [](const std::string& entry, const std::string& name) {
      return entry.size() > name.size() && entry[name.size()] == '=' &&
             entry.compare(0, name.size(), name) == 0;
    };
    for (char** inherited = ::environ; inherited != nullptr && *inherited != nullptr; ++inherited) {
      const std::string entry = *inherited;
      const auto replaced = [&](const auto& variable) { return is_named(entry, variable.first); };
      const auto unset = [&](const std::string& name) { return is_named(entry, name); };
      if (!command.channel_variable.empty() && unset(command.channel_variable)) continue;
      if (std::none_of(command.environment.begin(), command.environment.end(), replaced) &&
          std::none_of(command.unset.begin(), command.unset.end(), unset))
        entries_.push_back(entry);
    }
    for (const auto& [name, value] : command.environment) entries_.push_back(name + "=" + value);
    if (channel >= 0) entries_.push_back(command.channel_variable + "=" + std::to_string(channel));
    for (auto& entry : entries_) pointers_.push_back(entry.data());
    pointers_.push_back(nullptr);
  }

  char** data() { return pointers_.data(); }

 private:
  std::vector<std::string> entries_;
  std::vector<char*> pointers_;
};

bool runs(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

/// Relative parts of PATH are skipped: they would run whatever lies in the current directory.
std::string find_in(std::string_view path, const std::string& name) {
  for (const auto& directory : base::split(path, ':')) {
    if (directory.empty() || directory.front() != '/') continue;
    std::string candidate = directory + "/" + name;
    if (runs(candidate)) return candidate;
  }
  return {};
}

/// The file to execute for `name`, by the PATH that the program will see.
std::string executable_of(const Command& command, const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* inherited = std::getenv("PATH");
  std::string_view path = inherited != nullptr ? inherited : "/usr/local/bin:/usr/bin:/bin";
  for (const auto& [variable, value] : command.environment)
    if (variable == "PATH") path = value;
  std::string found = name.empty() ? std::string() : find_in(path, name);
  if (found.empty()) throw Error(ErrorCode::not_found, "no program '" + base::printable(name) + "' in PATH");
  return found;
}

ErrorCode code_of(int error_number) {
  if (error_number == ENOENT || error_number == ENOTDIR) return ErrorCode::not_found;
  if (error_number == EACCES || error_number == EPERM) return ErrorCode::permission;
  return ErrorCode::failed;
}

std::optional<StartFailure> read_failure(int fd) {
  StartFailure failure{};
  ssize_t count = 0;
  do {
    count = ::read(fd, &failure, sizeof failure);
  } while (count < 0 && errno == EINTR);
  if (count != static_cast<ssize_t>(sizeof failure)) return std::nullopt;
  return failure;
}

[[noreturn]] void report(const StartFailure& failure, const Command& command, const std::string& file) {
  const bool in_directory = failure.where == StartFailure::in_directory;
  const std::string subject = in_directory ? "directory " + command.directory : "starting " + file;
  throw base::system_error(code_of(failure.error_number), base::printable(subject), failure.error_number);
}

}  // namespace

std::string find_program(const std::string& name) {
  if (name.find('/') != std::string::npos) return runs(name) ? name : std::string();
  try {
    return executable_of(Command{}, name);
  } catch (const Error&) {
    return {};
  }
}

Launched launch(const Command& command) {
  check(command);
  const std::vector<std::string> shell{"sh", "-c", command.script};
  const std::vector<std::string>& argv = command.argv.empty() ? shell : command.argv;
  const std::string file = executable_of(command, argv.front());
  const std::vector<std::string> arguments(argv.begin() + 1, argv.end());

  const UniqueFd in = make_input(command.input);
  Pipe out = make_output_pipe();
  Pipe err = make_output_pipe();
  Pipe channel = command.channel_variable.empty() ? Pipe{} : make_output_pipe();
  Environment environment(command, channel.write.get());
  Pipe failure = make_pipe();
  StartFailure fork_failure{StartFailure::in_fork, 0};
  bp::child child(
      bp::exe = file, bp::args = arguments, bp::ignore_error,
      ChildSetup(in.get(), out.write.get(), err.write.get(), channel.write.get(), failure.write.get(),
                 command.directory.c_str(), environment.data(), fork_failure));
  if (fork_failure.error_number != 0) report(fork_failure, command, file);
  Launched launched{child.id(), std::move(out.read), std::move(err.read), std::move(channel.read)};
  child.detach();

  failure.write.reset();
  if (const auto failed = read_failure(failure.read.get())) {
    while (::waitpid(launched.pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    report(*failed, command, file);
  }
  return launched;
}

}  // namespace staithe::proc
