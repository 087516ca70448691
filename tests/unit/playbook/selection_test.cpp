#include "staithe/playbook/selection.hpp"

#include "catch.hpp"

#include "staithe/base/text.hpp"

using namespace staithe;

namespace {

const char* const four_hosts = R"(staithe: 1
project: x
environments:
  e:
    hosts:
      web[1-3]: {groups: [app, front]}
      db[01-02]: {groups: [data]}
      lone: {}
    groups:
      most: {children: [app, data]}
      loop: {children: [pool]}
      pool: {children: [loop], hosts: [lone]}
)";

struct Result {
  std::optional<std::vector<std::string>> names;
  std::string message, help;
};

Result select(const std::string& expression) {
  diag::Diagnostics diagnostics;
  const auto project = playbook::load_project("staithe.yml", four_hosts, diagnostics);
  REQUIRE(project);
  REQUIRE(diagnostics.empty());
  Result result;
  result.names = playbook::select(project->environments[0], {expression, {}, 1, ""}, diagnostics);
  const auto found = diagnostics.sorted();
  CHECK(found.empty() == result.names.has_value());
  if (!found.empty()) {
    result.message = found[0].message;
    result.help = found[0].help;
  }
  return result;
}

std::string hosts(const std::string& expression) {
  INFO(expression);
  const Result result = select(expression);
  INFO(result.message);
  REQUIRE(result.names);
  return base::join(*result.names, " ");
}

}  // namespace

TEST_CASE("expressions select hosts in the order of the inventory") {
  CHECK(hosts("all") == "web1 web2 web3 db01 db02 lone");
  CHECK(hosts("app") == "web1 web2 web3");
  CHECK(hosts("db02,web1") == "web1 db02");
  CHECK(hosts("db02 | web1") == "web1 db02");
  CHECK(hosts("app & !web2") == "web1 web3");
  CHECK(hosts("web[1,3]") == "web1 web3");
  CHECK(hosts("web[1-2], db[01-02]") == "web1 web2 db01 db02");
  CHECK(hosts("w*3") == "web3");
  CHECK(hosts("fro?t") == "web1 web2 web3");
  CHECK(hosts("!app") == "db01 db02 lone");
  CHECK(hosts("!!lone") == "lone");
  CHECK(hosts("most") == "web1 web2 web3 db01 db02");
  CHECK(hosts("loop") == "lone");
}

TEST_CASE("not binds more than and, and more than or; parentheses change it") {
  CHECK(hosts("lone | app & web1") == "web1 lone");
  CHECK(hosts("(lone | app) & web1") == "web1");
  CHECK(hosts("!(app | data)") == "lone");
  CHECK(hosts("((web1))") == "web1");
}

TEST_CASE("what cannot be meant is said, with a suggestion") {
  CHECK(select("wbe1").message == "no host or group is called 'wbe1' in e");
  CHECK(select("wbe1").help == "did you mean 'web1'?");
  CHECK_THAT(select("web[1-9]").message, ContainsSubstring("'web4'"));
  CHECK_THAT(select("web[3-1]").message, ContainsSubstring("is not a range"));
  CHECK_THAT(select("zz*").message, ContainsSubstring("looks like 'zz*'"));
  CHECK(select("app & data").message == "'app & data' selects no host in e");
  CHECK_THAT(select("(app").message, ContainsSubstring("never closed"));
  CHECK_THAT(select("app)").message, ContainsSubstring("unexpected ')'"));
  CHECK_THAT(select("app data").message, ContainsSubstring("unexpected 'data'"));
  CHECK_THAT(select("app &").message, ContainsSubstring("is missing"));
  CHECK_THAT(select("").message, ContainsSubstring("is missing"));
  CHECK_THAT(select(std::string(300, '(')).message, ContainsSubstring("parentheses"));
  CHECK_THAT(select(std::string(20'000, 'a')).message, ContainsSubstring("too long"));
}
