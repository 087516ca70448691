#include "staithe/world/checkup.hpp"

#include "catch.hpp"

using namespace staithe;
using namespace std::chrono_literals;
using world::Advice;
using world::Checkup;

namespace {

/// Severity, text and what to do next, one finding in a line.
std::string judged(const Checkup& checkup) {
  std::string text;
  for (const auto& one : world::judge(checkup, " -e production"))
    text += std::to_string(static_cast<int>(one.severity)) + " " + one.text + " | " + one.next + "\n";
  return text;
}

Checkup healthy() {
  Checkup checkup;
  checkup.host = "web1";
  checkup.timings.handshake = 20ms;
  checkup.timings.authentication = 20ms;
  checkup.shell = 5ms;
  checkup.negotiated.host_key_type = "ssh-ed25519";
  checkup.socket_means = "streamlocal";
  return checkup;
}

}  // namespace

TEST_CASE("a checkup: of a host that is well nothing is said") {
  CHECK(judged(healthy()) == "");
}

TEST_CASE("a checkup: that a right which polkit gives cannot be asked for is said, of whom it may lack") {
  const auto [reload, user, said] =
      GENERATE(table<const char*, const char*, bool>({{"systemctl reload payments", "deploy", true},
                                                      {" systemctl restart payments\n", "deploy", true},
                                                      {"systemctl reload payments", "root", false},
                                                      {"sudo -n systemctl reload payments", "deploy", false},
                                                      {"systemctl --user restart app", "deploy", false},
                                                      {"kill -HUP 1", "deploy", false},
                                                      {"", "deploy", false}}));
  auto checkup = healthy();
  checkup.reload = reload;
  checkup.user = user;
  CHECK(judged(checkup).starts_with("0 whether deploy may run 'systemctl re") == said);
}

TEST_CASE("a checkup: each thing that is slow or wrong is said, with what helps") {
  const std::string warning = std::to_string(static_cast<int>(Advice::Severity::warning)) + " ";
  const std::string error = std::to_string(static_cast<int>(Advice::Severity::error)) + " ";
  const std::string note = std::to_string(static_cast<int>(Advice::Severity::note)) + " ";
  Checkup all = healthy();
  const auto also = [&](const std::string& begins) {
    const auto lines = judged(all);
    INFO(lines);
    CHECK_THAT(lines, ContainsSubstring(begins));
  };
  all.timings.attempts = 3;
  also(warning + "let in at attempt 3 only | raise MaxStartups");
  all.timings.handshake = 1'001ms;
  also(warning + "the handshake takes 1.0s | ");
  all.timings.authentication = 1'501ms;
  also(warning + "logging in takes 1.5s | offer fewer keys");
  all.shell = 301ms;
  also(warning + "a shell takes 301ms to start | ");
  all.negotiated.host_key_type = "ssh-dss";
  also(warning + "its host key is of the outdated type DSA | ");
  all.obstacles = {"no right to run: sudo -n true"};
  also(error + "no right to run: sudo -n true | a deploy would be refused for that");
  all.clock_known = true;
  all.clock_ahead = -2'101ms;
  all.clock_margin = 100ms;
  also(warning + "its clock is 2.1s behind | ");
  all.socket_means = "perl";
  also(note + "the admin socket is reached by perl");
  all.socket_trouble = "permission denied";
  also(error + "permission denied | may the user reach the socket's file?");
  all.negotiated.identity = "/keys/deploy";
  all.negotiated.not_shown = {"agent: /run/agent: Connection refused", "/keys/old: not readable"};
  also(warning +
       "no SSH agent answers: /run/agent: Connection refused, so that only /keys/deploy opens the door | "
       "start it");
  also(warning + "/keys/old: not readable, so that only /keys/deploy opens the door | mend the file");
  all.said_for_name_alone = "ssh_config has a proxy (gate) for the name web1";
  also(warning + "ssh_config has a proxy (gate) for the name web1");
  CHECK(world::judge(all, "").size() == 11);  // why the socket is not reached, instead of how it would be
}

TEST_CASE("a checkup: what is within the limits is not worth a word") {
  Checkup checkup = healthy();
  checkup.timings.handshake = 1'000ms;
  checkup.timings.authentication = 1'500ms;
  checkup.shell = 300ms;
  checkup.clock_known = true;
  checkup.clock_ahead = 2'100ms;
  checkup.clock_margin = 100ms;
  CHECK(judged(checkup) == "");
  checkup.clock_known = false;
  checkup.clock_ahead = 1h;
  CHECK(judged(checkup) == "");
}

TEST_CASE("a checkup: of a host that lets nobody in only that is said, and the way in") {
  Checkup checkup = healthy();
  checkup.obstacles = {"never asked"};
  const auto with = [&](base::ErrorCode code) {
    checkup.trouble = "web1: no";
    checkup.code = code;
    const auto advice = world::judge(checkup, " -e production");
    REQUIRE(advice.size() == 1);
    CHECK(advice[0].severity == Advice::Severity::error);
    CHECK(advice[0].text == "web1: no");
    return advice[0].next;
  };
  CHECK(with(base::ErrorCode::host_key) ==
        "staithe hostkeys scan -e production web1, compare, then staithe hostkeys pin -e production web1");
  CHECK_THAT(with(base::ErrorCode::auth), ContainsSubstring("ssh-add"));
  CHECK_THAT(with(base::ErrorCode::resolve), ContainsSubstring("address"));
  CHECK_THAT(with(base::ErrorCode::connect), ContainsSubstring("firewall"));
  CHECK_THAT(with(base::ErrorCode::timeout), ContainsSubstring("firewall"));
}
