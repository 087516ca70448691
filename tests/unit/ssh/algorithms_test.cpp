#include "algorithms.hpp"

#include "catch.hpp"

#include "staithe/base/text.hpp"

using namespace staithe;
using namespace staithe::ssh;

namespace {

std::string changed(const std::string& setting) {
  return base::join(listed(setting, {"a1", "a2", "b1"}), ",");
}

std::string host_keys(const std::string& setting, const std::vector<std::string>& known,
                      const std::string& only = "") {
  Algorithms wish;
  wish.host_keys = setting;
  return host_key_algorithms_of(wish, known, only);
}

}  // namespace

TEST_CASE("algorithms: a list replaces the defaults, or changes them") {
  CHECK(changed("") == "a1,a2,b1");
  CHECK(changed("b1,x") == "b1,x");
  CHECK(changed("+x,a2") == "a1,a2,b1,x");
  CHECK(changed("^b1,x") == "b1,x,a1,a2");
  CHECK(changed("-a*") == "b1");
  CHECK(changed("-a1,b?") == "a2");
  CHECK(changed("-*") == "");
}

TEST_CASE("algorithms: the types of keys on record come first, unless the file has an order of its own") {
  CHECK(host_keys("", {}) ==
        "ssh-ed25519,ecdsa-sha2-nistp256,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521,rsa-sha2-512,rsa-sha2-256");
  CHECK(host_keys("", {"ssh-rsa", "ecdsa-sha2-nistp256"}) ==
        "rsa-sha2-512,rsa-sha2-256,ecdsa-sha2-nistp256,ssh-ed25519,ecdsa-sha2-nistp384,ecdsa-sha2-nistp521");
  CHECK(host_keys("-ecdsa*,rsa-sha2-256", {"ssh-rsa"}) == "rsa-sha2-512,ssh-ed25519");
  CHECK(host_keys("ssh-ed25519,rsa-sha2-512", {"ssh-rsa"}) == "ssh-ed25519,rsa-sha2-512");
  CHECK(host_keys("^rsa-sha2-512", {"ssh-ed25519"}).starts_with("rsa-sha2-512,ssh-ed25519,"));
}

TEST_CASE("algorithms: of host keys those that can be verified, the outdated only where it is named") {
  CHECK(host_keys("+ssh-rsa", {}).ends_with(",rsa-sha2-256,ssh-rsa"));
  CHECK(host_keys("ssh-ed25519-cert-v01@openssh.com,ssh-dss", {}) == "");
  CHECK(host_keys("ssh-ed25519-cert-v01@openssh.com,ssh-ed25519", {}) == "ssh-ed25519");
  // Who looks at the keys of a server sees all, whatever a session takes.
  CHECK(host_keys("ssh-ed25519", {}, "ssh-rsa") == "rsa-sha2-512,rsa-sha2-256");
  CHECK(host_keys("+ssh-rsa", {}, "ssh-rsa") == "rsa-sha2-512,rsa-sha2-256,ssh-rsa");
  CHECK(host_keys("", {}, "ssh-dss") == "");
}
