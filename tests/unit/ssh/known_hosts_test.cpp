#include "staithe/ssh/known_hosts.hpp"

#include "catch.hpp"
#include "config_support.hpp"
#include "key_support.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <thread>

using namespace staithe;
using namespace config_support;
using ssh::HostKeyState;

namespace {

ssh::KnownHosts hosts(const std::string& text) {
  ssh::KnownHosts out;
  out.add_text(text, "kh");
  return out;
}

HostKeyState state(const ssh::KnownHosts& all, const std::string& host, int port, const ssh::HostKey& one,
                   const std::string& alias = {}) {
  return all.check(host, port, alias, one).state;
}

}  // namespace

TEST_CASE("a key is ok, changed or unknown", "[ssh][known_hosts]") {
  const auto all = hosts("# comment\n\nweb1,10.0.0.1 " + text_of(key(1)) + " a comment\n" + "[web2]:2222 " +
                         text_of(key(2)) + "\n");
  CHECK(state(all, "web1", 22, key(1)) == HostKeyState::ok);
  CHECK(state(all, "WEB1", 22, key(1)) == HostKeyState::ok);
  CHECK(state(all, "10.0.0.1", 22, key(1)) == HostKeyState::ok);
  CHECK(state(all, "web9", 22, key(1)) == HostKeyState::unknown);
  CHECK(state(all, "web2", 2222, key(2)) == HostKeyState::ok);
  CHECK(state(all, "web2", 22, key(2)) == HostKeyState::unknown);
  CHECK(state(all, "anything", 2200, key(2), "[web2]:2222") == HostKeyState::ok);
  CHECK(state(all, "anything", 2200, key(1), "Web1") == HostKeyState::ok);

  const auto changed = all.check("web1", 22, {}, key(3));
  CHECK(changed.state == HostKeyState::changed);
  CHECK(changed.file == "kh");
  CHECK(changed.line == 3);
  CHECK_THAT(changed.detail, ContainsSubstring(ssh::fingerprint(key(3))));
  CHECK_THAT(changed.detail, ContainsSubstring(ssh::fingerprint(key(1))));
  // A key of a type that is not on record is a change too, as OpenSSH has it.
  CHECK(state(all, "web1", 22, key(1, "ssh-rsa")) == HostKeyState::changed);
}

TEST_CASE("without an entry for the port the bare host can only confirm", "[ssh][known_hosts]") {
  const auto all = hosts("web1 " + text_of(key(1)) + "\n");
  CHECK(state(all, "web1", 2222, key(1)) == HostKeyState::ok);
  CHECK(state(all, "web1", 2222, key(2)) == HostKeyState::unknown);
  CHECK(state(all, "other", 2222, key(1), "web2") == HostKeyState::unknown);

  const auto both = hosts("web1 " + text_of(key(1)) + "\n[web1]:2222 " + text_of(key(2)) + "\n");
  CHECK(state(both, "web1", 2222, key(1)) == HostKeyState::changed);
}

TEST_CASE("patterns and negation", "[ssh][known_hosts]") {
  const auto all =
      hosts("*.example,!db*.example,Mixed? " + text_of(key(1)) + "\n[*]:2022 " + text_of(key(2)) + "\n");
  CHECK(state(all, "web.example", 22, key(1)) == HostKeyState::ok);
  CHECK(state(all, "db1.example", 22, key(1)) == HostKeyState::unknown);
  CHECK(state(all, "mixed7", 22, key(1)) == HostKeyState::ok);
  CHECK(state(all, "whatever", 2022, key(2)) == HostKeyState::ok);
}

TEST_CASE("revoked keys are refused whatever else is said", "[ssh][known_hosts]") {
  const auto all = hosts("web1 " + text_of(key(1)) + "\n@revoked * " + text_of(key(1)) + "\nweb1 " +
                         text_of(key(2)) + "\n");
  const auto verdict = all.check("web1", 22, {}, key(1));
  CHECK(verdict.state == HostKeyState::revoked);
  CHECK(verdict.line == 2);
  CHECK(state(all, "web1", 22, key(2)) == HostKeyState::ok);
  CHECK(state(all, "unheard-of", 22, key(1)) == HostKeyState::revoked);
  CHECK(state(hosts("@revoked web1 " + text_of(key(1)) + "\n"), "web1", 2222, key(1)) ==
        HostKeyState::revoked);
}

TEST_CASE("a host known by an authority only is refused with a reason", "[ssh][known_hosts]") {
  const auto all =
      hosts("@cert-authority *.example " + text_of(key(1)) + "\nweb2.example " + text_of(key(2)) + "\n");
  const auto verdict = all.check("web1.example", 22, {}, key(3));
  CHECK(verdict.state == HostKeyState::needs_authority);
  CHECK_THAT(verdict.detail, ContainsSubstring("certificate authority"));
  // The authority's own key is not a host's key.
  CHECK(state(all, "web1.example", 22, key(1)) == HostKeyState::needs_authority);
  CHECK(state(all, "web2.example", 22, key(2)) == HostKeyState::ok);
}

TEST_CASE("hashed names", "[ssh][known_hosts]") {
  const auto all = hosts(ssh::hashed_name("web1") + " " + text_of(key(1)) + "\n" +
                         ssh::hashed_name("[web2]:2222") + " " + text_of(key(2)) + "\n");
  CHECK(state(all, "web1", 22, key(1)) == HostKeyState::ok);
  CHECK(state(all, "WEB1", 22, key(1)) == HostKeyState::ok);
  CHECK(state(all, "web2", 2222, key(2)) == HostKeyState::ok);
  CHECK(state(all, "web2", 22, key(2)) == HostKeyState::unknown);
  CHECK(ssh::hashed_name("web1") != ssh::hashed_name("web1"));
}

TEST_CASE("known types come in the order of the file, once each", "[ssh][known_hosts]") {
  const auto all =
      hosts("web1 " + text_of(key(1, "ssh-rsa")) + "\nweb1 " + text_of(key(2)) + "\nweb1 " +
            text_of(key(3, "ssh-rsa")) + "\n@revoked web1 " + text_of(key(4, "ecdsa-sha2-nistp256")) + "\n");
  CHECK(all.known_key_types("web1", 22) == std::vector<std::string>{"ssh-rsa", "ssh-ed25519"});
  CHECK(all.known_key_types("web1", 2222) == std::vector<std::string>{"ssh-rsa", "ssh-ed25519"});
  CHECK(all.known_key_types("x", 1, "web1").size() == 2);
  CHECK(all.known_key_types("web2", 22).empty());
}

TEST_CASE("lines that cannot be used are told and skipped", "[ssh][known_hosts]") {
  const std::string good = text_of(key(1));
  const auto all =
      hosts("web1\nweb1 ssh-ed25519\nweb1 ssh-rsa " + base::base64(key(1).blob) +
            "\nweb1 ssh-ed25519 AAAA\n@odd web1 " + good + "\n@revoked @revoked web1 " + good +
            "\n|1|bad|bad " + good + "\nweb1 1024 35 12345\nweb1 " +
            text_of({"ssh-ed25519", key(1).blob.substr(0, 40)}) + "\n  \tweb1\t" + good + "\r\n");
  CHECK(all.size() == 1);
  REQUIRE(all.bad_lines().size() == 9);
  CHECK(all.bad_lines()[0].line == 1);
  CHECK(all.bad_lines()[8].line == 9);
  CHECK(state(all, "web1", 22, key(1)) == HostKeyState::ok);
}

TEST_CASE("files are read in order, missing ones are empty", "[ssh][known_hosts]") {
  const TempDirectory directory;
  const auto one = directory.write("one", "web1 " + text_of(key(1)) + "\n");
  const auto two = directory.write("two", "web1 " + text_of(key(2)));
  const auto all = ssh::KnownHosts::load({one, directory / "missing", two});
  CHECK(all.size() == 2);
  const auto verdict = all.check("web1", 22, {}, key(2));
  CHECK(verdict.ok());
  CHECK(verdict.file == two);
  CHECK_THROWS_AS(ssh::KnownHosts::load({directory.path()}), base::Error);
}

TEST_CASE("ten thousand hashed lines are looked up by many threads", "[ssh][known_hosts]") {
  constexpr int lines = 10000;
  std::string text;
  for (int i = 0; i < lines; ++i)
    text += ssh::hashed_name(fmt::format("web{}", i)) + " " + text_of(key(i)) + "\n";
  const auto begin = std::chrono::steady_clock::now();
  const auto all = hosts(text);
  const auto parsed = std::chrono::steady_clock::now();
  CHECK(state(all, "web9999", 22, key(9999)) == HostKeyState::ok);
  const auto found = std::chrono::steady_clock::now();
  CHECK(all.known_key_types("web9999", 22).size() == 1);
  const auto again = std::chrono::steady_clock::now();
  // Generous, for sanitizers and busy machines; a plain run takes a few milliseconds each.
  CHECK(parsed - begin < std::chrono::seconds(10));
  CHECK(found - parsed < std::chrono::seconds(10));
  CHECK(again - found < found - parsed);
  using Milliseconds = std::chrono::duration<double, std::milli>;
  CAPTURE(Milliseconds(parsed - begin).count());
  CAPTURE(Milliseconds(found - parsed).count());
  CHECK(all.size() == lines);
  std::vector<std::thread> threads;
  std::atomic<int> right{0};
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 10; ++i)
        if (state(all, fmt::format("web{}", t + i), 22, key(t + i)) == HostKeyState::ok) ++right;
    });
  for (auto& thread : threads) thread.join();
  CHECK(right == 40);
}
