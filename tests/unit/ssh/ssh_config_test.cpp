#include "staithe/ssh/ssh_config.hpp"

#include "catch.hpp"
#include "config_support.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>

using namespace staithe;
using namespace config_support;

namespace {

ssh::Sources sources(const TempDirectory& directory, const std::string& user,
                     const std::string& system = {}) {
  ssh::Sources out;
  out.home = directory.path();
  out.user_file = directory.write(".ssh/config", user);
  out.system_file = directory.write("etc/ssh_config", system);
  out.local_user = "me";
  out.local_uid = "1000";
  out.local_host = "here.example";
  out.environment = {{"KEYS", "/keys"}};
  return out;
}

base::Error error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const base::Error& error) {
    return error;
  }
  return {base::ErrorCode::failed, "nothing was thrown"};
}

std::vector<std::string> names(const std::vector<ssh::Resolved>& way) {
  std::vector<std::string> out;
  for (const auto& hop : way) out.push_back(fmt::format("{}@{}:{}", hop.user, hop.hostname, hop.port));
  return out;
}

}  // namespace

TEST_CASE("without files the defaults hold", "[ssh][config]") {
  const TempDirectory directory;
  auto from = sources(directory, "");
  from.user_file = directory / "missing";
  from.system_file.clear();
  const auto all = ssh::resolve(from, "Web1");
  CHECK(all.alias == "Web1");
  CHECK(all.hostname == "web1");
  CHECK(all.user == "me");
  CHECK(all.port == 22);
  CHECK(all.identity_files_are_defaults);
  CHECK(all.identity_files.front() == directory / ".ssh/id_rsa");
  CHECK(all.user_known_hosts_files.front() == directory / ".ssh/known_hosts");
  CHECK(all.strict_host_key_checking == ssh::StrictHostKeys::ask);
  from.user_file_required = true;
  CHECK(error_of([&] { ssh::resolve(from, "web1"); }).code() == base::ErrorCode::not_found);
}

TEST_CASE("the user's file comes before the system's", "[ssh][config]") {
  const TempDirectory directory;
  const auto from = sources(directory, "User mine\nIdentityFile ~/a\n",
                            "User theirs\nPort 2200\nIdentityFile ~/a\nIdentityFile ~/b\n");
  const auto all = ssh::resolve(from, "web1");
  CHECK(all.user == "mine");
  CHECK(all.port == 2200);
  CHECK(all.identity_files == std::vector<std::string>{directory / "a", directory / "a", directory / "b"});
}

TEST_CASE("files are read once for many destinations when they are kept", "[ssh][config]") {
  const TempDirectory directory;
  directory.write(".ssh/more", "User first\n");
  auto from = sources(directory, "Include more\n");
  ssh::ConfigFiles files;
  from.files = &files;
  CHECK(ssh::resolve(from, "web1").user == "first");
  directory.write(".ssh/more", "User second\n");
  CHECK(ssh::resolve(from, "web2").user == "first");
  from.files = nullptr;
  CHECK(ssh::resolve(from, "web2").user == "second");
}

TEST_CASE("relative includes start in the directory of their kind", "[ssh][config]") {
  const TempDirectory directory;
  directory.write(".ssh/conf.d/10-a", "Port 1\n");
  directory.write(".ssh/conf.d/20-b", "Port 2\nUser b\n");
  directory.write("etc/more", "User system\nConnectTimeout 7\n");
  const auto from = sources(directory, "Include conf.d/*\n", "Include more\n");
  const auto all = ssh::resolve(from, "web1");
  CHECK(all.port == 1);
  CHECK(all.user == "b");
  CHECK(all.connect_timeout == std::chrono::seconds(7));
}

TEST_CASE("mistakes carry their place", "[ssh][config]") {
  const TempDirectory directory;
  const auto inner = directory.write(".ssh/inner", "\nPort many\n");
  const auto said = [&](const std::string& text) {
    return std::string(error_of([&] { ssh::resolve(sources(directory, text), "web1"); }).what());
  };
  const std::string file = directory / ".ssh/config";
  CHECK(said("User x\nPort 99999\n") == file + ":2: '99999' is no port");
  CHECK(said("Host other\n  Include inner\n") == inner + ":2: 'many' is no port");
  CHECK(said("User 'x\n") == file + ":1: a quote is not closed");
  CHECK(said("User\n") == file + ":1: a value is missing after user");
  CHECK(said("Match flavour sweet\n") == file + ":1: Match flavour is not supported");
  CHECK(said("Match exec true\n") == file + ":1: Match exec cannot be run here: true");
  CHECK_THAT(said("Include config\n"), ContainsSubstring("without end"));
  CHECK_THAT(said("IdentityFile ${NOT_SET}/x\n"), ContainsSubstring("'NOT_SET' is not set"));
  CHECK_THAT(said("IdentityFile %q\n"), ContainsSubstring("unknown token '%q'"));
  CHECK_THAT(said("HostName 'a b'\n"), ContainsSubstring("white space"));
  CHECK_THAT(said("CanonicalizeHostname yes\nCanonicalDomains lan\n"),
             ContainsSubstring("cannot look 'web1' up"));
  // Of what staithe does not need it does not judge the value; ssh itself would complain.
  CHECK(said("VisualHostKey \"\nLocalForward x\n") == "nothing was thrown");
  // A bastion that is misspelt must not be left out, wherever it stands.
  const std::string unknown = ":2: 'proxyjmp' is no keyword of ssh_config";
  CHECK_THAT(said("User x\nProxyJmp gate\n"), ContainsSubstring(file + unknown));
  CHECK_THAT(said("Host other\n  ProxyJmp gate\n"), ContainsSubstring(file + unknown));
  CHECK(said("IgnoreUnknown UseKeychain,Proxy*\nProxyJmp gate\n  usekeychain yes\n") == "nothing was thrown");
}

TEST_CASE("files that others can write are refused", "[ssh][config]") {
  const TempDirectory directory;
  const auto from = sources(directory, "Port 1\n");
  ::chmod(from.user_file.c_str(), 0666);
  const auto error = error_of([&] { ssh::resolve(from, "web1"); });
  CHECK(error.code() == base::ErrorCode::permission);
}

TEST_CASE("odd destinations are refused", "[ssh][config]") {
  const TempDirectory directory;
  const auto from = sources(directory, "Host evil\n HostName -oProxyCommand=x\n");
  for (const char* text :
       {"", "-oProxyCommand=x", "@web", "me@", "a b", "ssh://", "ssh://h:x", "evil", "a\x1b"})
    CHECK(error_of([&] { ssh::resolve(from, text); }).code() == base::ErrorCode::invalid);
  const auto uri = ssh::resolve(from, "ssh://you@web:2200/");
  CHECK(names({uri}) == std::vector<std::string>{"you@web:2200"});
  ssh::Overrides beside;
  beside.user = "beside";
  beside.port = 7;
  CHECK(ssh::resolve(from, "in@web", beside).user == "in");
  CHECK(ssh::resolve(from, "in@web", beside).port == 7);
}

TEST_CASE("settings from a command line win over files and are checked", "[ssh][config]") {
  const TempDirectory directory;
  const auto from = sources(directory, "User file\nIdentityFile ~/f\n");
  ssh::Overrides beside;
  beside.options = {"User=first", "User second", "IdentityFile ${KEYS}/k"};
  const auto all = ssh::resolve(from, "web1", beside);
  CHECK(all.user == "first");
  CHECK(all.identity_files == std::vector<std::string>{"/keys/k", directory / "f"});
  for (const char* option : {"Port x", "Host a", "Nope 1", "Port", ""}) {
    beside.options = {option};
    CHECK(error_of([&] { ssh::resolve(from, "web1", beside); }).code() == base::ErrorCode::invalid);
  }
}

TEST_CASE("a name is canonicalised through the domains, and read again", "[ssh][config]") {
  const TempDirectory directory;
  auto from = sources(directory,
                      "CanonicalizeHostname yes\nCanonicalDomains one.example two.example\n"
                      "Host web1.two.example\n  User found\nMatch canonical host *.two.example\n  Port 2200\n"
                      "Host proxied\n  ProxyCommand x\n");
  std::vector<std::string> asked;
  from.name_exists = [&](const std::string& name) {
    asked.push_back(name);
    return name.ends_with("two.example");
  };
  CHECK(names({ssh::resolve(from, "WEB1")}) == std::vector<std::string>{"found@web1.two.example:2200"});
  CHECK(asked == std::vector<std::string>{"web1.one.example", "web1.two.example"});
  CHECK(ssh::resolve(from, "a.b.c").hostname == "a.b.c");
  CHECK(ssh::resolve(from, "10.0.0.1").hostname == "10.0.0.1");
  CHECK(ssh::resolve(from, "proxied").hostname == "proxied");
  CHECK(asked.size() == 2);
}

TEST_CASE("jumps are parsed as ssh does", "[ssh][config]") {
  using Jumps = std::vector<ssh::Jump>;
  CHECK(ssh::parse_proxy_jump("none") == Jumps{});
  CHECK(ssh::parse_proxy_jump("a") == Jumps{{"", "a", 0}});
  CHECK(ssh::parse_proxy_jump("u@a:2200,ssh://v@b:33,[::1]:44") ==
        Jumps{{"u", "a", 2200}, {"v", "b", 33}, {"", "::1", 44}});
  CHECK(ssh::parse_proxy_jump("ssh://u%40corp@h") == Jumps{{"u@corp", "h", 0}});
  for (const char* text :
       {"a,", ",a", "a:x", "@a", "a:0", "a:70000", "[::1", "ssh://", "ssh://u@:22", "ssh://a/path", "a/b"})
    CHECK_FALSE(ssh::parse_proxy_jump(text).has_value());
}

TEST_CASE("a route resolves every hop through the files", "[ssh][config]") {
  const TempDirectory directory;
  const auto from = sources(directory,
                            "Host gate\n  HostName gate.example\n  User keeper\n  Port 2200\n"
                            "Host inner\n  ProxyJump gate\n  User in\n"
                            "Host web*\n  ProxyJump inner\n"
                            "Host db\n  ProxyJump gate,amy@inner:99\n"
                            "Host loop\n  ProxyJump pool\nHost pool\n  ProxyJump loop\n"
                            "Host self\n  ProxyJump self\n"
                            "Host tunnel\n  ProxyCommand nc %h %p %r %n\n  HostName t.example\n"
                            "Host far\n  ProxyJump tunnel\n");
  CHECK(names(ssh::route(from, "plain")) == std::vector<std::string>{"me@plain:22"});
  CHECK(names(ssh::route(from, "web1")) ==
        std::vector<std::string>{"keeper@gate.example:2200", "in@inner:22", "me@web1:22"});
  // Jumps that are listed replace the ProxyJump of the later ones, as with ssh -J.
  CHECK(names(ssh::route(from, "bob@db")) ==
        std::vector<std::string>{"keeper@gate.example:2200", "amy@inner:99", "bob@db:22"});
  const auto far = ssh::route(from, "far");
  REQUIRE(far.size() == 2);
  CHECK(far.front().proxy_command == "nc t.example 22 me tunnel");
  for (const char* name : {"loop", "self"}) {
    const auto error = error_of([&] { ssh::route(from, name); });
    CHECK(error.code() == base::ErrorCode::invalid);
    CHECK_THAT(error.what(), ContainsSubstring("circle"));
  }
  ssh::Overrides direct;
  direct.options = {"ProxyJump none"};
  CHECK(ssh::route(from, "web1", direct).size() == 1);
}

TEST_CASE("agents named by a variable are looked up", "[ssh][config]") {
  const TempDirectory directory;
  const auto agent = [&](const std::string& value) {
    return ssh::resolve(sources(directory, "IdentityAgent " + value + "\n"), "web1").identity_agent;
  };
  CHECK(agent("none") == "none");
  CHECK(agent("SSH_AUTH_SOCK") == "");
  CHECK(agent("$KEYS") == "/keys");
  CHECK(agent("$UNSET") == "none");
  CHECK(agent("~/%u.sock") == directory / "me.sock");
}

TEST_CASE("Match exec is run by a shell, within its time", "[ssh][config]") {
  const TempDirectory directory;
  auto from = ssh::Sources::of_process();
  from.user_file = directory.write("config", "Match exec \"sleep 600\"\n Port 1\n");
  from.system_file.clear();
  const auto begin = std::chrono::steady_clock::now();
  const auto brief = base::Scope::lasting(std::chrono::milliseconds(200));
  CHECK(error_of([&] { ssh::resolve(from, "web1", {}, brief); }).code() == base::ErrorCode::timeout);
  base::Cancel cancel;
  cancel.request();
  const auto cancelled = base::Scope::lasting(std::chrono::seconds(30), &cancel);
  CHECK(error_of([&] { ssh::resolve(from, "web1", {}, cancelled); }).code() == base::ErrorCode::cancelled);
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(60));
  directory.write("config", "Match exec \"exit 1\"\n Port 1\nMatch exec \"test %h = web1\"\n Port 2\n");
  CHECK(ssh::resolve(from, "web1").port == 2);
}
