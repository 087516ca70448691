#include "staithe/ssh/host_key.hpp"

#include "catch.hpp"
#include "config_support.hpp"
#include "key_support.hpp"

#include "staithe/base/error.hpp"
#include "staithe/ssh/known_hosts.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <thread>

using namespace staithe;
using namespace config_support;
using ssh::Existing;
using ssh::Hashing;

namespace {

const base::Scope& scope() {
  static const auto value = base::Scope::lasting(std::chrono::seconds(60));
  return value;
}

base::ErrorCode code_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const base::Error& error) {
    return error.code();
  }
  return base::ErrorCode::failed;
}

}  // namespace

TEST_CASE("fingerprints and names are those of ssh-keygen", "[ssh][host_key]") {
  if (!has("ssh-keygen")) return;
  const TempDirectory directory;
  for (const std::string type : {"ed25519", "ecdsa", "rsa"}) {
    const std::string path = directory / type;
    REQUIRE(run({"ssh-keygen", "-q", "-t", type, "-N", "", "-f", path}).status == 0);
    const auto fields = base::split(slurp(path + ".pub"), ' ');
    const auto parsed = ssh::parse_key(fields.at(0), fields.at(1));
    REQUIRE(parsed.has_value());
    const auto shown = run({"ssh-keygen", "-l", "-f", path + ".pub"}).out;
    CHECK_THAT(shown, ContainsSubstring(" " + ssh::fingerprint(*parsed) + " "));
    CHECK_THAT(shown, ContainsSubstring(fmt::format("({})", ssh::type_label(parsed->type))));
    CHECK_FALSE(ssh::parse_key("ssh-dss", fields.at(1)).has_value());
    CHECK_FALSE(ssh::parse_key(fields.at(0), fields.at(1).substr(4)).has_value());
  }
}

TEST_CASE("blobs are read strictly", "[ssh][host_key]") {
  CHECK(ssh::type_in_blob(key(1).blob) == "ssh-ed25519");
  for (std::size_t cut = 0; cut < key(1).blob.size(); ++cut)
    CHECK_FALSE(ssh::type_in_blob(key(1).blob.substr(0, cut)));
  CHECK_FALSE(ssh::type_in_blob(key(1).blob + "x"));
  CHECK_FALSE(ssh::type_in_blob(std::string("\0\0\0\1 \0\0\0\1x", 10)));
  CHECK_FALSE(ssh::type_in_blob(std::string("\xff\xff\xff\xffx", 5)));
  CHECK(ssh::signature_algorithms("ssh-rsa") == std::vector<std::string>{"rsa-sha2-512", "rsa-sha2-256"});
  CHECK(ssh::known_hosts_name("WEB", 22) == "web");
  CHECK(ssh::known_hosts_name("fe80::1", 2222) == "[fe80::1]:2222");
}

TEST_CASE("pins are added to a new file, once", "[ssh][pin]") {
  const TempDirectory directory;
  const std::string file = directory / "ssh/known_hosts";
  const std::vector<ssh::Pin> pins{{"Web1", key(1)}, {"[web2]:2222", key(2)}, {"web1", key(1)}};
  CHECK(ssh::pin(file, pins, Existing::keep, Hashing::plain, scope()).added == 2);
  CHECK(slurp(file) == "web1 " + text_of(key(1)) + "\n[web2]:2222 " + text_of(key(2)) + "\n");
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0600U);
  CHECK(ssh::pin(file, pins, Existing::keep, Hashing::plain, scope()).added == 0);
  CHECK(ssh::pin(file, pins, Existing::replace, Hashing::plain, scope()).removed == 0);
  CHECK_FALSE(std::filesystem::exists(file + ".lock"));
}

TEST_CASE("replacing touches the pinned names only", "[ssh][pin]") {
  const TempDirectory directory;
  const std::string hashed = ssh::hashed_name("web1");
  const std::string file = directory.write(
      "kh", "# mine\nweb1,10.0.0.1 " + text_of(key(1)) + " note\nweb1 " + text_of(key(2)) + "\n" + hashed +
                " " + text_of(key(3)) + "\n*.example,web1 " + text_of(key(4)) + "\n@cert-authority web1 " +
                text_of(key(5)) + "\nbroken line\nweb2 " + text_of(key(6)));
  ::chmod(file.c_str(), 0644);
  const auto result = ssh::pin(file, {{"web1", key(7)}}, Existing::replace, Hashing::plain, scope());
  CHECK(result.added == 1);
  CHECK(result.removed == 3);
  CHECK(slurp(file) == "# mine\n10.0.0.1 " + text_of(key(1)) + " note\n*.example,web1 " + text_of(key(4)) +
                           "\n@cert-authority web1 " + text_of(key(5)) + "\nbroken line\nweb2 " +
                           text_of(key(6)) + "\nweb1 " + text_of(key(7)) + "\n");
  struct stat info {};
  REQUIRE(::stat(file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777U) == 0644U);
  // A key that is already there stays on its line.
  CHECK(ssh::pin(file, {{"10.0.0.1", key(1)}}, Existing::replace, Hashing::plain, scope()).added == 0);
}

TEST_CASE("hashed pins hide the name and are found by ssh-keygen", "[ssh][pin]") {
  const TempDirectory directory;
  const std::string file = directory / "kh";
  ssh::pin(file, {{"web1", key(1)}, {"[web2]:2222", key(2)}}, Existing::keep, Hashing::hashed, scope());
  CHECK(slurp(file).find("web") == std::string::npos);
  CHECK(ssh::KnownHosts::load({file}).check("web2", 2222, {}, key(2)).ok());
  CHECK(ssh::pin(file, {{"web1", key(1)}}, Existing::replace, Hashing::hashed, scope()).added == 0);
  if (has("ssh-keygen")) {
    CHECK(run({"ssh-keygen", "-F", "web1", "-f", file}).status == 0);
    CHECK(run({"ssh-keygen", "-F", "[web2]:2222", "-f", file}).status == 0);
    CHECK(run({"ssh-keygen", "-F", "web2", "-f", file}).status == 1);
  }
}

TEST_CASE("a symbolic link stays one", "[ssh][pin]") {
  const TempDirectory directory;
  const std::string real = directory.write("real", "");
  std::filesystem::create_symlink(real, directory / "link");
  ssh::pin(directory / "link", {{"web1", key(1)}}, Existing::keep, Hashing::plain, scope());
  CHECK(std::filesystem::is_symlink(directory / "link"));
  CHECK_THAT(slurp(real), ContainsSubstring("web1"));
}

TEST_CASE("what cannot be pinned is refused and leaves the file alone", "[ssh][pin]") {
  const TempDirectory directory;
  const std::string content = "@revoked * " + text_of(key(1)) + "\n";
  const std::string file = directory.write("kh", content);
  const auto attempt = [&](const std::string& name, const ssh::HostKey& one) {
    return code_of([&] { ssh::pin(file, {{name, one}}, Existing::keep, Hashing::plain, scope()); });
  };
  CHECK(attempt("web1", key(1)) == base::ErrorCode::host_key);
  for (const char* name : {"", "a b", "a,b", "*", "!a", "|1|x", "#a", "@revoked", "a\nb"})
    CHECK(attempt(name, key(2)) == base::ErrorCode::invalid);
  CHECK(attempt("web1", {"ssh-rsa", key(2).blob}) == base::ErrorCode::invalid);
  CHECK(slurp(file) == content);
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
}

TEST_CASE("a held lock is waited for, no longer than the scope", "[ssh][pin]") {
  const TempDirectory directory;
  const std::string file = directory / "kh";
  const base::UniqueFd holder(::open((file + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::flock(holder.get(), LOCK_EX) == 0);
  const auto brief = base::Scope::lasting(std::chrono::milliseconds(100));
  CHECK(code_of([&] {
          ssh::pin(file, {{"a", key(1)}}, Existing::keep, Hashing::plain, brief);
        }) == base::ErrorCode::timeout);
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("many writers lose nothing", "[ssh][pin]") {
  const TempDirectory directory;
  const std::string file = directory / "kh";
  std::vector<std::thread> threads;
  for (int t = 0; t < 6; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i)
        ssh::pin(file, {{fmt::format("web{}", t * 5 + i), key(t)}}, Existing::keep, Hashing::plain, scope());
    });
  for (auto& thread : threads) thread.join();
  CHECK(ssh::KnownHosts::load({file}).size() == 30);
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
}
