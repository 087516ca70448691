#include "staithe/ssh/revoked_keys.hpp"

#include "catch.hpp"
#include "config_support.hpp"
#include "key_support.hpp"

using namespace staithe;
using namespace config_support;
using ssh::RevokedKeys;

namespace {

constexpr const char* every_key = "so no key is taken: ";

ssh::HostKey read_public(const std::string& path) {
  const auto words = base::split(slurp(path), ' ');
  return ssh::parse_key(words.at(0), words.at(1)).value();
}

/// The key of a new pair NAME, beside it NAME.pub.
ssh::HostKey made(const TempDirectory& directory, const std::string& name) {
  REQUIRE(run({"ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", directory / name}).status == 0);
  return read_public(directory / (name + ".pub"));
}

}  // namespace

TEST_CASE("revoked keys: a file of public keys") {
  const TempDirectory directory;
  const auto file = directory.write("revoked", "# stolen in May\n\n  " + text_of(key(1)) + " root@web1\n" +
                                                   "\n \t\n" + text_of(key(2)) + "\r\n");
  const auto revoked = RevokedKeys::load(file);
  CHECK(revoked.refusal(key(1)) ==
        "the ED25519 key " + ssh::fingerprint(key(1)) + " is revoked by " + directory / "revoked");
  CHECK(revoked.refusal(key(2)) != "");
  CHECK(revoked.refusal(key(3)) == "");
  CHECK(RevokedKeys::load("/dev/null").refusal(key(1)) == "");
}

TEST_CASE("revoked keys: a file with a line that is no key revokes every key") {
  const std::string whole = text_of(key(1)) + "\n", cut = text_of(key(2)).substr(0, 40);
  const std::string certificate = text_of(key(2, "ssh-ed25519-cert-v01@openssh.com"));
  for (const auto& broken : {std::string("what is this"), cut, certificate, "web1 " + whole}) {
    INFO(broken);
    const auto revoked = RevokedKeys::of("# stolen in May\n\n" + whole + broken + "\n", "revoked");
    CHECK(revoked.refusal(key(3)) ==
          "RevokedHostKeys cannot be used, " + std::string(every_key) + "revoked: line 4 is no public key");
  }
}

TEST_CASE("revoked keys: a file that cannot be read revokes every key") {
  const TempDirectory directory;
  CHECK(RevokedKeys::load(directory / "missing").refusal(key(1)) ==
        "RevokedHostKeys cannot be used, " + std::string(every_key) + (directory / "missing") +
            ": there is no such file");
  CHECK_THAT(RevokedKeys::load(directory / ".").refusal(key(1)), ContainsSubstring(every_key));
}

TEST_CASE("revoked keys: a list that ssh-keygen has made") {
  if (!has("ssh-keygen")) {
    WARN("no ssh-keygen on this machine");
    return;
  }
  const TempDirectory directory;
  const auto bad = made(directory, "bad"), good = made(directory, "good");
  const std::string print = "SHA256:" + ssh::fingerprint(bad).substr(7);
  const std::string specification =
      GENERATE(std::string("key"), std::string("sha1"), std::string("sha256"), std::string("hash"));
  INFO(specification);
  const auto said = specification == "hash" ? "hash: " + print : specification + ": " + text_of(bad);
  REQUIRE(run({"ssh-keygen", "-k", "-f", directory / "list", directory.write("said", said + "\n")}).status ==
          0);
  const auto list = RevokedKeys::load(directory / "list");
  CHECK_THAT(list.refusal(bad), ContainsSubstring("is revoked by"));
  CHECK(list.refusal(good) == "");

  // Cut anywhere, it says nothing about any key; but between two parts nobody can tell.
  const auto whole = slurp(directory / "list");
  for (std::size_t size = 6; size + 1 < whole.size(); ++size) {
    INFO(size);
    const auto cut = RevokedKeys::of(std::string_view(whole).substr(0, size), "list");
    const auto refusal = cut.refusal(good);
    CHECK((refusal == "" || refusal.find(every_key) != std::string::npos));
    CHECK((refusal != "" || cut.refusal(bad) == ""));
  }
  CHECK_THAT(RevokedKeys::of(whole + "\x04" + wire("a signature"), "list").refusal(good),
             ContainsSubstring(every_key));
}
