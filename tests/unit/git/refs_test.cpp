#include "refs.hpp"

#include "catch.hpp"
#include "url.hpp"

#include "staithe/base/error.hpp"

#include <string>

using staithe::base::Error;
using staithe::base::ErrorCode;
using staithe::git::LsRemote;
using staithe::git::parse_ref;
using staithe::git::parse_url;
using staithe::git::RefKind;
using staithe::git::Resolved;
using staithe::git::Wanted;

namespace {

const std::string one(40, '1');
const std::string two(40, '2');
const std::string three(40, '3');

template <typename Work>
Error error_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  return {ErrorCode::failed, "nothing was thrown"};
}

Resolved read(const std::string& ref, const std::string& reply, std::size_t piece = 7) {
  const Wanted wanted = parse_ref(ref);
  LsRemote reader(wanted);
  for (std::size_t at = 0; at < reply.size(); at += piece)
    reader.feed(std::string_view(reply).substr(at, piece));
  return reader.result();
}

std::string line(const std::string& object, const std::string& ref) {
  return object + "\t" + ref + "\n";
}

}  // namespace

TEST_CASE("Names that git would misread are refused") {
  for (const char* ref : {"",         "-x",    "--upload-pack=touch /tmp/x",
                          "a b",      "a..b",  "a~1",
                          "a^",       "a:b",   "a?",
                          "a*",       "a[",    "a\\b",
                          "@",        "a@{1}", "/a",
                          "a/",       "a//b",  "a.",
                          ".a",       "x/.a",  "a.lock",
                          "a.lock/b", "a\nb",  "a\x7f"}) {
    INFO(ref);
    CHECK(error_of([&] { parse_ref(ref); }).code() == ErrorCode::invalid);
  }
  CHECK(error_of([] { parse_ref(std::string(5000, 'a')); }).code() == ErrorCode::invalid);
  for (const char* ref : {"main", "v1.2.3", "feature/é", "refs/pull/1/head", "HEAD", "a-b", "a@b", "dead"}) {
    INFO(ref);
    CHECK(parse_ref(ref).name == ref);
  }
}

TEST_CASE("A commit is known by its length") {
  CHECK(parse_ref(std::string(40, 'A')).name == std::string(40, 'a'));
  CHECK(parse_ref(std::string(40, 'A')).is_commit);
  CHECK(parse_ref(std::string(64, 'a')).is_commit);
  CHECK_FALSE(parse_ref(std::string(41, 'a')).is_commit);
  CHECK(parse_ref("abc1234").looks_short);
  CHECK_FALSE(parse_ref("abc").looks_short);
  CHECK_FALSE(parse_ref("abcg1234").looks_short);
}

TEST_CASE("A branch, a tag, a peeled tag, HEAD and a full name are found exactly") {
  const Resolved branch =
      read("main", line(one, "refs/heads/main") + line(two, "refs/heads/x/refs/heads/main"));
  CHECK(branch.sha == one);
  CHECK(branch.ref == "refs/heads/main");
  CHECK(branch.kind == RefKind::branch);
  CHECK(branch.verified);
  const std::string tags = line(two, "refs/tags/v1") + line(three, "refs/tags/v1^{}");
  CHECK(read("v1", tags).sha == three);
  CHECK(read("v1", tags).kind == RefKind::tag);
  CHECK(read("v1", line(two, "refs/tags/v1")).sha == two);
  CHECK(read("HEAD", line(one, "HEAD") + line(two, "refs/remotes/x/HEAD")).sha == one);
  CHECK(read("refs/tags/v1", tags).sha == three);
  CHECK(read("refs/pull/1/head", line(one, "refs/pull/1/head")).kind == RefKind::other);
  CHECK(read("main", line(std::string(64, 'a'), "refs/heads/main")).sha == std::string(64, 'a'));
}

TEST_CASE("A name of both a branch and a tag is refused with both") {
  const Error error = error_of([] {
    read("v1", line(one, "refs/heads/v1") + line(two, "refs/tags/v1") + line(three, "refs/tags/v1^{}"));
  });
  CHECK(error.code() == ErrorCode::conflict);
  CHECK_THAT(error.what(),
             ContainsSubstring("refs/heads/v1, " + one) && ContainsSubstring("refs/tags/v1, " + three));
}

TEST_CASE("What is not there is said, and a shortened commit is told apart") {
  CHECK(error_of([] { read("main", ""); }).code() == ErrorCode::not_found);
  CHECK(error_of([] { read("refs/heads/main", line(one, "refs/heads/x/refs/heads/main")); }).code() ==
        ErrorCode::not_found);
  const Error error = error_of([] { read("1111111", ""); });
  CHECK(error.code() == ErrorCode::invalid);
  CHECK_THAT(error.what(), ContainsSubstring("all 40 digits"));
  CHECK(read("1111111", line(two, "refs/heads/1111111")).sha == two);
}

TEST_CASE("A full commit is itself, and verified when it is a tip") {
  CHECK(read(one, line(two, "refs/heads/main")).sha == one);
  CHECK_FALSE(read(one, line(two, "refs/heads/main")).verified);
  CHECK(read(one, line(two, "refs/heads/main") + line(one, "refs/tags/v1^{}")).verified);
}

TEST_CASE("Anything but ls-remote's lines is refused") {
  const std::string good = line(one, "refs/heads/main");
  for (const std::string& reply :
       {std::string("<html>\n"), one + " refs/heads/main\n", one.substr(1) + "\trefs/heads/main\n",
        std::string(40, 'A') + "\trefs/heads/main\n", one + "\t\n", one + "\tmain\n",
        one + "\trefs/heads/a b\n", one + "\trefs/heads/a\x1b[2J\n", good + good,
        good.substr(0, good.size() - 1), one + "\trefs/heads/" + std::string(9000, 'a'), std::string("\n"),
        good + one}) {
    INFO(reply);
    for (const std::size_t piece : {1U, 7U, 100000U})
      CHECK(error_of([&] { read("main", reply, piece); }).code() == ErrorCode::protocol);
  }
}

TEST_CASE("URLs that git would misuse are refused") {
  for (const char* url : {"", "-x", "--upload-pack=x", "ext::sh -c x", "fd::3", "relative/path", "file",
                          "ftp://host/x", "ssh://-oProxyCommand=x/y", "ssh://", "ssh://user:pw@host/x",
                          "https://h/\n", "x://y", "http://a%0Ab@host/x"}) {
    INFO(url);
    CHECK(error_of([&] { parse_url(url); }).code() == ErrorCode::invalid);
  }
  CHECK(parse_url("git@host:team/app.git").url == "git@host:team/app.git");
  CHECK(parse_url("ssh://git@host:2222/app").url == "ssh://git@host:2222/app");
  CHECK(parse_url("/srv/app.git").path == "/srv/app.git");
  CHECK(parse_url("file:///srv/a%20b").path == "/srv/a b");
}

TEST_CASE("A password is taken out of a URL") {
  const auto remote = parse_url("https://dep%40loy:to%2Fken:x@host:8443/a@b.git");
  CHECK(remote.url == "https://host:8443/a@b.git");
  CHECK(remote.user == "dep@loy");
  CHECK(remote.password == "to/ken:x");
  CHECK(staithe::git::display_url("https://deploy:token@host/a.git") == "https://host/a.git");
  CHECK(staithe::git::display_url("https://token@host/a.git") == "https://host/a.git");
  CHECK(staithe::git::display_url("ssh://git@host/a.git") == "ssh://git@host/a.git");
  CHECK(staithe::git::display_url("git@host:a.git") == "git@host:a.git");
  CHECK(std::string(error_of([] { parse_url("ssh://user:pw@host/x"); }).what()).find("pw") ==
        std::string::npos);
}
