#include "staithe/world/checkup.hpp"

#include "hosts.hpp"
#include "together.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace staithe::world {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using Severity = Advice::Severity;

constexpr std::size_t at_once = 16;
constexpr base::Duration each_within{60'000};
constexpr int shell_tries = 3;

/// Slower than that costs a deploy of many steps noticeable time.
constexpr milliseconds slow_handshake{1'000};
constexpr milliseconds slow_authentication{1'500};
constexpr milliseconds slow_shell{300};
constexpr milliseconds far_clock{2'000};

std::string facts_script(const std::string& path) {
  std::string script = "echo \"user $(id -un)\"\n";
  if (!path.empty())
    script += fmt::format(
        "there={}; while [ ! -d \"$there\" ]; do there=$(dirname \"$there\"); done\n"
        "echo \"free $(df -Pk \"$there\" | awk 'NR == 2 {{ print $4 }}')\"\n",
        base::shell_quote(path));
  // Last, so that nothing slow comes between it and the reply.
  return script + "echo \"clock $(date +%s%3N)\"\n";
}

template <class Number>
bool read_number(const std::string& text, Number& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

void read_facts(const std::string& output, milliseconds here, milliseconds margin, Checkup& checkup) {
  for (const auto& line : base::split(output, '\n')) {
    const auto words = base::split(line, ' ');
    if (words.size() != 2) continue;
    std::uint64_t kib = 0;
    std::int64_t clock = 0;
    if (words[0] == "user") checkup.user = base::printable(words[1]);
    if (words[0] == "free" && read_number(words[1], kib)) {
      checkup.disk_known = true;
      checkup.free_bytes = kib * 1024;
    }
    // A `date` without %N prints it as it is, which is no number.
    if (words[0] == "clock" && read_number(words[1], clock)) {
      checkup.clock_known = true;
      checkup.clock_ahead = milliseconds(clock) - here;
      checkup.clock_margin = margin;
    }
  }
}

milliseconds clock_here() {
  return std::chrono::duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch());
}

class Examination {
 public:
  Examination(Hosts& hosts, const CheckupWish& wish, const base::Scope& scope)
      : hosts_(hosts), wish_(wish), scope_(scope.at_most(each_within)) {}

  Checkup run() {
    checkup_.host = wish_.host;
    checkup_.reload = wish_.reload;
    try {
      checkup_.said_for_name_alone = hosts_.said_for_name_alone(wish_.host);
      checkup_.unheard = hosts_.unheard(wish_.host);
      facts();
      time_shell();
      if (const auto* session = hosts_.session(wish_.host)) {
        checkup_.timings = session->timings();
        checkup_.negotiated = session->negotiated();
      }
      if (!wish_.preflight.empty()) obstacles();
    } catch (const base::Error& error) {
      checkup_.trouble = error.what();
      checkup_.code = error.code();
      if (checkup_.code == base::ErrorCode::host_key)
        checkup_.changed_key = hosts_.met_changed_key(wish_.host);
      return std::move(checkup_);
    }
    if (!wish_.socket.empty()) reach_socket();
    return std::move(checkup_);
  }

 private:
  ssh::Exit run_script(const std::string& script) {
    ssh::Command command;
    command.script = script;
    return hosts_.run(wish_.host, command, {}, scope_);
  }

  void facts() {
    run_script("true");  // connects: not to be counted among the clock's margin
    const auto before = clock_here();
    const auto exit = run_script(facts_script(wish_.path));
    const auto after = clock_here();
    read_facts(exit.out, before + (after - before) / 2, (after - before) / 2, checkup_);
  }

  void time_shell() {
    auto quickest = microseconds::max();
    for (int i = 0; i < shell_tries; ++i) {
      const auto begin = std::chrono::steady_clock::now();
      run_script("true");
      quickest = std::min(quickest,
                          std::chrono::duration_cast<microseconds>(std::chrono::steady_clock::now() - begin));
    }
    checkup_.shell = quickest;
  }

  void obstacles() {
    const auto exit = run_script(wish_.preflight);
    for (const auto& line : base::split(base::trim(base::printable(exit.err)), '\n'))
      if (!line.empty()) checkup_.obstacles.push_back(line);
    if (!exit.ok() && checkup_.obstacles.empty()) checkup_.obstacles.push_back(ssh::describe(exit));
  }

  void reach_socket() {
    try {
      checkup_.socket_means = hosts_.means_to(wish_.host, wish_.socket, scope_);
    } catch (const base::Error& error) {
      checkup_.socket_trouble = error.what();
    }
  }

  Hosts& hosts_;
  const CheckupWish& wish_;
  base::Scope scope_;
  Checkup checkup_;
};

std::string what_to_do(const Checkup& checkup, const std::string& place) {
  using base::ErrorCode;
  switch (checkup.code) {
    case ErrorCode::host_key:
      return fmt::format("staithe hostkeys scan{0} {1}, compare, then staithe hostkeys pin{2}{0} {1}", place,
                         checkup.host, checkup.changed_key ? " --replace" : "");
    case ErrorCode::auth:
      return "ssh-add the right key, name it as IdentityFile, or put its .pub into authorized_keys there";
    case ErrorCode::resolve:
      return "give its address in staithe.yml or in ~/.ssh/config";
    case ErrorCode::connect:
    case ErrorCode::timeout:
      return "is it up, and does a firewall let this machine through?";
    default:
      return {};
  }
}

template <class Span>
std::string ms(Span span) {
  return base::elapsed_text(std::chrono::duration_cast<milliseconds>(span));
}

/// Another key opened the door; where it is missing, as on another machine or in a build, nobody gets in.
void judge_keys(const Checkup& checkup, std::vector<Advice>& advice) {
  for (const auto& what : checkup.negotiated.not_shown) {
    const bool agent = what.starts_with("agent: ");
    advice.push_back(
        {Severity::warning,
         fmt::format("{}, so that only {} opens the door",
                     (agent ? "no SSH agent answers: " + what.substr(7) : what), checkup.negotiated.identity),
         agent ? "start it and ssh-add the key, or mend SSH_AUTH_SOCK or IdentityAgent ('none' means none)"
               : "mend the file, or take it out of IdentityFile and staithe.yml"});
  }
}

void judge_speed(const Checkup& checkup, std::vector<Advice>& advice) {
  if (checkup.timings.attempts > 1)
    advice.push_back({Severity::warning, fmt::format("let in at attempt {} only", checkup.timings.attempts),
                      "raise MaxStartups in its sshd_config, or lower ssh.max_handshakes in staithe.yml"});
  if (checkup.timings.handshake > slow_handshake)
    advice.push_back({Severity::warning, "the handshake takes " + ms(checkup.timings.handshake),
                      "is its CPU busy? Does sshd look the client's name up (UseDNS no)?"});
  if (checkup.timings.authentication > slow_authentication)
    advice.push_back({Severity::warning, "logging in takes " + ms(checkup.timings.authentication),
                      "offer fewer keys (IdentitiesOnly yes), look at PAM on the host"});
  if (checkup.shell > slow_shell)
    advice.push_back({Severity::warning, "a shell takes " + ms(checkup.shell) + " to start",
                      "look at ~/.bashrc, ~/.zshenv and PAM's session modules there: each step pays for it"});
}

/// Whether polkit lets the user do it: it answers so for one unit only to root, and else once it is done.
bool hangs_on_polkit(const Checkup& checkup) {
  const auto reload = base::trim(checkup.reload);
  const bool is_own = reload.find(" --user ") != std::string_view::npos;
  return checkup.user != "root" && reload.starts_with("systemctl ") && !is_own;
}

}  // namespace

std::vector<Checkup> examine(const plan::Plan& plan, const std::vector<CheckupWish>& wishes,
                             const Person& person, const base::Scope& scope) {
  Hosts hosts(plan, person);
  std::vector<Checkup> checkups(wishes.size());
  together(wishes.size(), at_once,
           [&](std::size_t i) { checkups[i] = Examination(hosts, wishes[i], scope).run(); });
  if (scope.cancelled()) throw base::Error(base::ErrorCode::cancelled, "stopped");
  return checkups;
}

std::vector<Advice> judge(const Checkup& checkup, const std::string& place) {
  std::vector<Advice> advice;
  if (!checkup.said_for_name_alone.empty())
    advice.push_back({Severity::warning, checkup.said_for_name_alone,
                      "say it in staithe.yml, leave 'address' out, or add the address to that Host line"});
  for (const auto& sentence : checkup.unheard) advice.push_back({Severity::note, sentence, ""});
  if (!checkup.trouble.empty()) {
    advice.push_back({Severity::error, checkup.trouble, what_to_do(checkup, place)});
    return advice;
  }
  judge_keys(checkup, advice);
  judge_speed(checkup, advice);
  if (checkup.negotiated.host_key_type == "ssh-dss")
    advice.push_back({Severity::warning, "its host key is of the outdated type DSA",
                      "make an Ed25519 key there: ssh-keygen -A"});
  for (const auto& obstacle : checkup.obstacles)
    advice.push_back({Severity::error, obstacle, "a deploy would be refused for that"});
  if (hangs_on_polkit(checkup))
    advice.push_back(
        {Severity::note,
         fmt::format("whether {} may run '{}' cannot be asked: a deploy finds out on the first host, "
                     "once that is out of rotation",
                     checkup.user, base::trim(checkup.reload)),
         "try it, or reload with 'sudo -n' in front, whose right is asked for"});
  const auto off = std::chrono::abs(checkup.clock_ahead);
  if (checkup.clock_known && off > far_clock + checkup.clock_margin)
    advice.push_back(
        {Severity::warning,
         fmt::format("its clock is {} {}", ms(off), checkup.clock_ahead.count() > 0 ? "ahead" : "behind"),
         "run chrony or systemd-timesyncd there"});
  if (!checkup.socket_trouble.empty())
    advice.push_back(
        {Severity::error, checkup.socket_trouble,
         "may the user reach the socket's file? AllowStreamLocalForwarding, perl or socat help"});
  else if (!checkup.socket_means.empty() && checkup.socket_means != "streamlocal")
    advice.push_back(
        {Severity::note,
         "the admin socket is reached by " + checkup.socket_means + ", as sshd does not forward unix sockets",
         "AllowStreamLocalForwarding yes is quicker"});
  return advice;
}

}  // namespace staithe::world
