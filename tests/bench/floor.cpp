// floor CONCURRENCY PORT USER KEY HOSTS_FILE COMMANDS: runs `true` so many times on each host with libssh and
// nothing else: one thread, sessions that do not block, no configuration, no check of host keys, no leash, no
// journal, no report. What is cheaper than this uses another library.
#include <libssh/callbacks.h>
#include <libssh/libssh.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace {

struct Access {
  unsigned port;
  std::string user;
  ssh_key key;
  int commands;
};

/// One session, which goes through its steps as far as it can without waiting.
class Host {
 public:
  Host(const std::string& address, const Access& access) : access_(access) {
    const int yes = 1, no = 0;
    set(SSH_OPTIONS_PROCESS_CONFIG, &no);
    set(SSH_OPTIONS_HOST, address.c_str());
    set(SSH_OPTIONS_PORT, &access.port);
    set(SSH_OPTIONS_USER, access.user.c_str());
    set(SSH_OPTIONS_NODELAY, &yes);
    set(SSH_OPTIONS_SSH_DIR, "/nonexistent");
    for (const auto option : {SSH_OPTIONS_KNOWNHOSTS, SSH_OPTIONS_GLOBAL_KNOWNHOSTS})
      set(option, "/dev/null");
    for (const auto option : {SSH_OPTIONS_CIPHERS_C_S, SSH_OPTIONS_CIPHERS_S_C})
      set(option, "aes128-gcm@openssh.com");
    ssh_set_blocking(session_, 0);
    callbacks_.userdata = &status_;
    callbacks_.channel_exit_status_function = [](ssh_session, ssh_channel, int status, void* into) {
      *static_cast<int*>(into) = status;
    };
    ssh_callbacks_init(&callbacks_);
  }
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host() {
    ssh_event_free(event_);
    ssh_disconnect(session_);
    ssh_free(session_);
  }

  pollfd wants() const {
    const bool pending = (ssh_get_poll_flags(session_) & SSH_WRITE_PENDING) != 0;
    return {ssh_get_fd(session_), static_cast<short>(pending ? POLLIN | POLLOUT : POLLIN), 0};
  }

  /// True when `true` has ended there.
  bool advance() {
    static constexpr int (Host::*steps[])() = {&Host::connect, &Host::authenticate, &Host::open, &Host::exec,
                                               &Host::end};
    for (; step_ < std::size(steps); ++step_) {
      const int result = (this->*steps[step_])();
      if (result == SSH_AGAIN) return false;
      if (result != SSH_OK) fprintf(stderr, "floor: %s\n", ssh_get_error(session_)), exit(1);
    }
    return true;
  }

 private:
  void set(ssh_options_e option, const void* value) {
    if (ssh_options_set(session_, option, value) < 0) fprintf(stderr, "floor: option %d\n", option), exit(1);
  }

  int connect() { return ssh_connect(session_); }

  int authenticate() {
    const int result = ssh_userauth_publickey(session_, nullptr, access_.key);
    if (result == SSH_AUTH_AGAIN) return SSH_AGAIN;
    if (result != SSH_AUTH_SUCCESS) return SSH_ERROR;
    return ssh_event_add_session(event_, session_);
  }

  int open() {
    if (channel_ == nullptr) {
      channel_ = ssh_channel_new(session_);
      ssh_set_channel_callbacks(channel_, &callbacks_);
      status_ = -1;
    }
    const int result = ssh_channel_open_session(channel_);
    // OpenSSH before 10 holds its answer back until what came before it is acknowledged: 40 ms.
    const int on = 1;
    setsockopt(ssh_get_fd(session_), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
    return result;
  }

  int exec() { return ssh_channel_request_exec(channel_, "true"); }

  int end() {
    // Reading from the channel would stop at its end, and the status may come after that.
    ssh_event_dopoll(event_, 0);
    if (status_ < 0) return ssh_channel_is_closed(channel_) ? SSH_ERROR : SSH_AGAIN;
    if (status_ != 0) return SSH_ERROR;
    ssh_channel_free(std::exchange(channel_, nullptr));
    if (++ended_ < access_.commands) step_ = first_of_command - 1;
    return SSH_OK;
  }

  const Access& access_;
  ssh_session session_ = ssh_new();
  ssh_event event_ = ssh_event_new();
  ssh_channel channel_ = nullptr;
  ssh_channel_callbacks_struct callbacks_{};
  static constexpr std::size_t first_of_command = 2;
  std::size_t step_ = 0;
  int status_ = -1;
  int ended_ = 0;
};

void run_all(const std::vector<std::string>& addresses, std::size_t at_once, const Access& access) {
  std::vector<std::unique_ptr<Host>> hosts;
  std::vector<pollfd> polled;
  for (std::size_t next = 0; next < addresses.size() || !hosts.empty();) {
    for (; hosts.size() < at_once && next < addresses.size(); ++next) {
      hosts.push_back(std::make_unique<Host>(addresses[next], access));
      hosts.back()->advance();
    }
    polled.clear();
    for (const auto& host : hosts) polled.push_back(host->wants());
    poll(polled.data(), polled.size(), -1);
    for (std::size_t i = hosts.size(); i-- > 0;)
      if (polled[i].revents != 0 && hosts[i]->advance())
        hosts.erase(hosts.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 7) return fputs("usage: floor CONCURRENCY PORT USER KEY HOSTS_FILE COMMANDS\n", stderr), 2;
  Access access{static_cast<unsigned>(atoi(arguments[2])), arguments[3], nullptr, atoi(arguments[6])};
  if (ssh_pki_import_privkey_file(arguments[4], nullptr, nullptr, nullptr, &access.key) != SSH_OK)
    return fprintf(stderr, "floor: %s cannot be read\n", arguments[4]), 1;
  std::ifstream file(arguments[5]);
  std::vector<std::string> addresses;
  for (std::string line; file >> line;) addresses.push_back(line);
  run_all(addresses, static_cast<std::size_t>(atoi(arguments[1])), access);
  ssh_key_free(access.key);
  return 0;
}
