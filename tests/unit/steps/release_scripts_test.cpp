#include "staithe/steps/release_scripts.hpp"

#include "catch.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace staithe::steps;
namespace fs = std::filesystem;

namespace {

struct Ran {
  int status = 0;
  std::string output;
};

/// A directory with a git repository and room for a service, gone at the end.
class Rig {
 public:
  Rig() {
    std::array<char, 40> name{"/tmp/staithe scripts-XXXXXX"};
    root_ = ::mkdtemp(name.data());
    sh("git init --quiet --initial-branch=main origin && cd origin && git config user.email a@b && git "
       "config user.name n");
    old_sha = commit("one");
    new_sha = commit("two");
  }
  Rig(const Rig&) = delete;
  Rig& operator=(const Rig&) = delete;
  ~Rig() { fs::remove_all(root_); }

  std::string commit(const std::string& text) {
    sh("cd origin && echo " + text +
       " >file && mkdir -p log && touch log/inside && git add . && git commit --quiet -m " + text);
    std::string sha = sh("git -C origin rev-parse HEAD").output;
    sha.pop_back();
    return sha;
  }

  Release release(const std::string& sha) const {
    Release release;
    release.service = "app";
    release.repository = "file://" + (root_ / "origin").string();
    release.path = (root_ / "srv").string();
    release.sha = sha;
    release.id = sha.substr(0, 12);
    release.shared = {"log/", "etc/app.env"};
    release.keep = 2;
    return release;
  }

  Ran sh(const std::string& script) const {
    const fs::path file = root_ / ".script";
    std::ofstream(file) << script;
    const std::string command =
        "cd '" + root_.string() + "' && HOME='" + root_.string() + "' sh .script 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    REQUIRE(pipe != nullptr);
    Ran ran;
    std::array<char, 4096> buffer{};
    for (std::size_t size = 0; (size = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
      ran.output.append(buffer.data(), size);
    }
    const int status = ::pclose(pipe);
    ran.status = WIFEXITED(status) ? WEXITSTATUS(status) : 255;
    return ran;
  }

  void good(const std::string& script) const {
    const Ran ran = sh(script);
    INFO(script << "\n--> " << ran.output);
    REQUIRE(ran.status == 0);
  }

  void deploy(const Release& release) const {
    good(checkout_script(release));
    good(activate_script(release));
    good(verify_script(release));
    good(cleanup_script(release));
  }

  std::string read(const std::string& path) const {
    std::ifstream in(root_ / path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
  }
  std::string current() const { return fs::read_symlink(root_ / "srv/current").string(); }
  bool has(const Release& release) const { return fs::exists(release.directory()); }
  const fs::path& root() const { return root_; }

  std::string old_sha, new_sha;

 private:
  fs::path root_;
};

}  // namespace

TEST_CASE("a checkout brings exactly the commit, links what is shared, and may be repeated") {
  const Rig rig;
  const Release release = rig.release(rig.old_sha);  // not the tip of any branch
  rig.good(checkout_script(release));
  const std::string directory = "srv/releases/" + release.id + "/";
  CHECK(rig.read(directory + "file") == "one\n");
  CHECK(rig.read(directory + "REVISION") == rig.old_sha + "\n");
  CHECK(fs::read_symlink(rig.root() / (directory + "log")).string() == release.path + "/shared/log");
  CHECK(fs::is_directory(rig.root() / "srv/shared/log"));
  CHECK(fs::is_symlink(rig.root() / (directory + "etc/app.env")));
  const Ran again = rig.sh(checkout_script(release));
  CHECK(again.status == 0);
  CHECK_THAT(again.output, ContainsSubstring("is there"));
}

TEST_CASE("a checkout that was cut off is begun again, and a broken one never gets its name") {
  const Rig rig;
  Release release = rig.release(rig.new_sha);
  fs::create_directories(rig.root() / "srv/releases" / (".tmp-" + release.id) / "rest");
  fs::create_directories(fs::path(release.directory()) / "half");
  rig.good(checkout_script(release));
  CHECK_FALSE(fs::exists(fs::path(release.directory()) / "half"));
  CHECK_FALSE(fs::exists(fs::path(release.directory()) / "rest"));

  Release missing = rig.release(std::string(40, 'e'));
  CHECK(rig.sh(checkout_script(missing)).status != 0);
  CHECK_FALSE(rig.has(missing));

  // git archive fails in the middle of its pipe: an object is gone from the cache.
  Release other = rig.release(rig.old_sha);
  rig.good("cd srv/repo.git && git fetch --quiet --no-tags " + std::string("'") + other.repository + "' " +
           other.sha + ":refs/staithe/" + other.id);
  rig.good(
      "cd srv/repo.git && git unpack-objects -q <$(ls objects/pack/*.pack 2>/dev/null | head -n 1) || :\n"
      "blob=$(git rev-parse " +
      other.sha +
      ":file) && rm -f objects/pack/* && "
      "for o in $(git -C ../../origin rev-list --objects --all | cut -d' ' -f1); do "
      "git -C ../../origin cat-file $(git -C ../../origin cat-file -t $o) $o | "
      "git hash-object -w --stdin -t $(git -C ../../origin cat-file -t $o) --literally >/dev/null; done; "
      "rm -f objects/$(echo $blob | cut -c1-2)/$(echo $blob | cut -c3-)");
  fs::remove_all(rig.root() / "origin");
  const Ran broken = rig.sh(checkout_script(other));
  INFO(broken.output);
  CHECK(broken.status != 0);
  CHECK_FALSE(rig.has(other));
}

TEST_CASE("half a repository and git's locks, left by a checkout that was killed, stand in nobody's way") {
  const Rig rig;
  rig.good("mkdir -p srv/repo.git/objects srv/.tmp-repo.git");
  rig.good(checkout_script(rig.release(rig.new_sha)));
  const Release other = rig.release(rig.old_sha);
  rig.good("touch srv/repo.git/shallow.lock srv/repo.git/refs/staithe/" + other.id + ".lock");
  rig.good(checkout_script(other));
  CHECK(rig.has(other));
}

TEST_CASE("activate switches, reactivate goes back, and both say what stands in their way") {
  const Rig rig;
  const Release one = rig.release(rig.old_sha);
  const Release two = rig.release(rig.new_sha);
  CHECK(rig.sh(activate_script(two)).status != 0);  // nothing is staged
  rig.deploy(one);
  CHECK(rig.current() == "releases/" + one.id);
  Ran first = rig.sh(reactivate_script(one));
  CHECK(first.status != 0);
  CHECK_THAT(first.output, ContainsSubstring("no release before"));

  rig.good(checkout_script(two));
  // Killed before activate did anything: going back leaves what is live.
  Ran idle = rig.sh(reactivate_script(two));
  CHECK(idle.status == 0);
  CHECK(idle.output == one.id + "\n");
  CHECK(rig.current() == "releases/" + one.id);

  rig.good(activate_script(two));
  CHECK(rig.sh(verify_script(one)).status != 0);
  const Ran back = rig.sh(reactivate_script(two));
  CHECK(back.status == 0);
  CHECK(back.output == one.id + "\n");
  CHECK(rig.current() == "releases/" + one.id);
  rig.good(verify_script(one));

  // The same commit once more: what was before it is itself.
  rig.good(activate_script(one));
  rig.good(reactivate_script(one));
  CHECK(rig.current() == "releases/" + one.id);
}

TEST_CASE("a host keeps the list of what was live, without what was rolled back") {
  Rig rig;
  std::vector<Release> releases{rig.release(rig.old_sha), rig.release(rig.new_sha)};
  for (const char* name : {"three", "four"}) releases.push_back(rig.release(rig.commit(name)));
  for (auto& release : releases) release.keep = 9;
  const auto served = [&] { return rig.read("srv/.staithe/served"); };
  const auto ids = [&](const std::vector<std::size_t>& numbers) {
    std::string text;
    for (const auto number : numbers) text += releases[number - 1].id + "\n";
    return text;
  };
  const auto back_to = [&](std::size_t number) {
    Release release = releases[number - 1];
    release.goes_back = true;
    rig.good(activate_script(release));
  };
  for (const std::size_t number : {1, 2, 3}) rig.deploy(releases[number - 1]);
  CHECK(served() == ids({1, 2, 3}));
  back_to(2);
  CHECK(served() == ids({1, 2}));
  rig.good(reactivate_script(releases[1]));  // the rollback did not end well
  CHECK(served() == ids({1, 2, 3}));
  back_to(2);
  back_to(2);  // resumed
  CHECK(served() == ids({1, 2}));
  rig.deploy(releases[3]);
  CHECK(served() == ids({1, 2, 4}));
  rig.good(reactivate_script(releases[3]));
  CHECK(served() == ids({1, 2}));
  rig.deploy(releases[0]);
  CHECK(served() == ids({1, 2, 1}));
  back_to(3);                   // forward, to one that was gone back from
  CHECK(served() == ids({3}));  // what stood there may be newer: the next way back is not to that
  rig.deploy(releases[0]);
  CHECK(served() == ids({3, 1}));

  SECTION("that a crash has left with what never was live") {
    rig.good("echo " + releases[3].id + " >>srv/.staithe/served");
    back_to(3);
    CHECK(served() == ids({3}));
  }
  SECTION("that a full disk does not cost") {
    rig.good("ln -s /dev/full srv/.staithe/.served-before");
    back_to(3);
    CHECK(rig.current() == "releases/" + releases[2].id);
    CHECK(served() == ids({3, 1}));
    rig.good(reactivate_script(releases[2]));
    CHECK(rig.current() == "releases/" + releases[0].id);
    CHECK(served() == ids({3, 1}));
  }
  SECTION("by ids that are told apart though they read as numbers") {
    for (const char* id : {"1e5000000000", "2e6000000000"}) {
      releases.push_back(releases[0]);
      releases.back().id = id;
      rig.good("cp -r srv/releases/" + releases[0].id + " srv/releases/" + id);
      rig.good(activate_script(releases.back()));
    }
    CHECK(served() == ids({3, 1, 5, 6}));
    back_to(5);
    CHECK(served() == ids({3, 1, 5}));
  }
  SECTION("and goes back without it where it cannot be written") {
    rig.good("rm srv/.staithe/served srv/.staithe/served-before && mkdir srv/.staithe/served-before");
    rig.good("chmod 500 srv/.staithe/served-before; mkdir srv/.staithe/.served");
    back_to(2);
    CHECK(rig.current() == "releases/" + releases[1].id);
  }
}

TEST_CASE("cleanup keeps what a rollback would go to") {
  Rig rig;
  std::vector<Release> releases{rig.release(rig.old_sha), rig.release(rig.new_sha)};
  releases.push_back(rig.release(rig.commit("three")));
  for (auto& release : releases) release.keep = 3;
  for (const auto& release : releases) rig.deploy(release);
  Release back = releases[1];
  back.goes_back = true;
  back.keep = 2;
  rig.good("sleep 1.1");
  rig.good(activate_script(back));
  rig.good(cleanup_script(back));
  CHECK(rig.has(releases[0]));
}

TEST_CASE("a 'current' that is no link is refused, not moved") {
  const Rig rig;
  const Release one = rig.release(rig.old_sha);
  rig.good(checkout_script(one));
  fs::create_directories(rig.root() / "srv/current/precious");
  CHECK(rig.sh(activate_script(one)).status != 0);
  CHECK(fs::exists(rig.root() / "srv/current/precious"));
  const Ran preflight = rig.sh(preflight_script(&one, {true, true, {}}));
  CHECK(preflight.status == 1);
  CHECK_THAT(preflight.output, ContainsSubstring("is not a symbolic link"));
}

TEST_CASE("cleanup keeps good, live and previous releases, and removes the rest") {
  Rig rig;
  std::vector<Release> releases{rig.release(rig.old_sha), rig.release(rig.new_sha)};
  for (const char* name : {"three", "four", "five"}) releases.push_back(rig.release(rig.commit(name)));
  rig.deploy(releases[0]);
  rig.deploy(releases[1]);
  // Staged and live for a while, but never good.
  rig.good(checkout_script(releases[2]));
  rig.good(activate_script(releases[2]));
  rig.good(reactivate_script(releases[2]));
  fs::create_directories(rig.root() / "srv/releases/20190101120000");
  rig.good("sleep 1.1");
  rig.deploy(releases[3]);
  CHECK_FALSE(rig.has(releases[0]));
  CHECK(rig.has(releases[1]));
  CHECK_FALSE(rig.has(releases[2]));
  CHECK(rig.has(releases[3]));
  CHECK(fs::exists(rig.root() / "srv/releases/20190101120000"));
  rig.good("sleep 1.1");
  rig.deploy(releases[4]);
  CHECK_FALSE(rig.has(releases[1]));
  CHECK(rig.has(releases[3]));
  CHECK(rig.has(releases[4]));
  CHECK(rig.sh("git -C srv/repo.git for-each-ref --format='%(refname)' refs/staithe | wc -l").output ==
        "2\n");
  // What was live before is kept even when it never became good.
  CHECK(rig.sh(reactivate_script(releases[4])).output == releases[3].id + "\n");
}

TEST_CASE("cleanup keeps what is live and what was live before, though neither ever became good") {
  Rig rig;
  std::vector<Release> releases{rig.release(rig.old_sha), rig.release(rig.new_sha)};
  for (const char* name : {"three", "four", "five"}) releases.push_back(rig.release(rig.commit(name)));
  const auto make_live = [&](const Release& release) {
    rig.good(checkout_script(release));
    rig.good(activate_script(release));
  };
  for (const std::size_t good : {std::size_t{0}, std::size_t{1}}) {
    make_live(releases[good]);
    rig.good(cleanup_script(releases[good]));
  }
  make_live(releases[2]);
  make_live(releases[3]);
  rig.good(cleanup_script(releases[3]));
  CHECK_FALSE(rig.has(releases[0]));
  CHECK(rig.has(releases[2]));  // the way back from the fourth
  CHECK(rig.sh(reactivate_script(releases[3])).output == releases[2].id + "\n");
  // One that comes late finds another release live.
  make_live(releases[4]);
  rig.good(cleanup_script(releases[3]));
  CHECK(rig.has(releases[4]));
  rig.good(verify_script(releases[4]));
}

TEST_CASE("what df does not tell of inodes refuses nothing, too few of them do") {
  const Rig rig;
  Release release = rig.release(rig.new_sha);
  release.shared.clear();
  release.min_free_bytes = 0;
  const auto inodes = [&](const std::string& columns) {
    fs::create_directories(rig.root() / "bin");
    std::ofstream(rig.root() / "bin/df")
        << "#!/bin/sh\necho head\nif [ \"$1\" = -Pk ]; then echo /dev/x 9 0 9 "
           "0% /srv; else echo /dev/x "
        << columns << " 1% /srv; fi\n";
    fs::permissions(rig.root() / "bin/df", fs::perms::owner_all);
    return rig.sh("PATH=\"$PWD/bin:$PATH\"\n" + preflight_script(&release, {true, false, {}}));
  };
  const Ran few = inodes("1000000 999001 999");
  CHECK(few.status == 1);
  CHECK_THAT(few.output, ContainsSubstring("only 999 inodes free"));
  for (const auto* columns : {"1000000 999000 1000", "1000000 - -", "1000000 5 -", "0 0 0", "- - -", ""}) {
    const Ran ran = inodes(columns);
    INFO(columns << ": " << ran.output);
    CHECK(ran.status == 0);
  }
}

TEST_CASE("the preflight says everything at once and changes nothing") {
  const Rig rig;
  Release release = rig.release(rig.new_sha);
  release.min_free_bytes = 1ULL << 60U;
  release.repository = "file:///nowhere";
  const Ran ran = rig.sh(preflight_script(&release, {true, true, {"sudo -n /no/such/command now"}}));
  CHECK(ran.status == 1);
  CHECK_THAT(ran.output, ContainsSubstring("KiB free for"));
  CHECK_THAT(ran.output, ContainsSubstring("shared/etc/app.env is missing"));
  CHECK_THAT(ran.output, ContainsSubstring("git cannot reach file:///nowhere"));
  CHECK_THAT(ran.output, ContainsSubstring("no right to run: sudo -n /no/such/command now"));
  CHECK_FALSE(fs::exists(rig.root() / "srv"));

  release = rig.release(rig.new_sha);
  release.shared.clear();
  rig.good(preflight_script(&release, {true, true, {"make install", "sudo -n true; rm x"}}));
  CHECK_FALSE(fs::exists(rig.root() / "srv"));
  CHECK(preflight_script(nullptr, {}).empty());
}
