#include "rig.hpp"

/// Weights that change while a host is in hand: a person's stay, and what a reload made of a person's is put
/// right.
using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;

namespace {

constexpr const char* web1 = "api/web1";

/// web1 on lb1 alone, in maintenance; `found` is its weight before, of a file that says 100.
struct Weighed : Rig {
  Rotation rotation = rotation_of({{"api", "web1"}});

  explicit Weighed(std::uint32_t found) {
    one.servers[web1].weight = found;
    rotation.find(soon());
    rotation.drain(soon());
    rotation.quiesce(soon());
  }

  std::uint32_t weight() { return one.servers[web1].weight; }
  std::string notes() { return base::join(rotation.take_notes(), "\n"); }

  void given_back() {
    CHECK(rotation.undo(soon()).empty());
    rotation.wait_serving(soon(), base::Duration(0));
  }
};

}  // namespace

TEST_CASE("a weight that somebody sets while the host is out is theirs, what a reload makes of it is not") {
  Weighed rig(40);
  const bool noticed = GENERATE(true, false);
  SECTION("set at run time") {
    rig.one.servers[web1].weight = 0;
    rig.given_back();
    CHECK(rig.weight() == 0);
    CHECK_THAT(rig.notes(),
               ContainsSubstring("lb1 api/web1 has weight 0 now and had 40, not by staithe, and keeps it"));
  }
  SECTION("forgotten by a reload") {
    rig.one.reload();
    if (noticed) CHECK(rig.rotation.wait_calm(soon()).reached);
    if (noticed) CHECK(rig.weight() == 40);
    rig.given_back();
    CHECK(rig.weight() == 40);
    CHECK_THAT(rig.notes(), !ContainsSubstring("keeps it"));
  }
  SECTION("written into the file, and reloaded") {
    rig.one.configured[web1].weight = 20;
    rig.one.reload();
    if (noticed) CHECK(rig.rotation.wait_calm(soon()).reached);
    rig.given_back();
    CHECK(rig.weight() == 20);
    CHECK_THAT(rig.notes(),
               ContainsSubstring("lb1 api/web1 has weight 20 now and had 40, not by staithe, and keeps it"));
    // Nor is it forgotten at the next one.
    rig.rotation.find_again(soon());
    rig.rotation.quiesce(soon());
    rig.one.reload();
    rig.given_back();
    CHECK(rig.weight() == 20);
  }
  SECTION("set at run time since a reload") {
    rig.one.reload();
    rig.one.servers[web1].weight = 10;
    if (noticed) CHECK(rig.rotation.wait_calm(soon()).reached);
    rig.given_back();
    CHECK(rig.weight() == 10);
  }
}

TEST_CASE("a weight that could not be set again after a reload is not taken for a person's") {
  Weighed rig(40);
  rig.one.reload();
  SECTION("refused while the host was out") {
    rig.one.refuses = "set weight";
    CHECK(rig.rotation.wait_calm(soon()).reached);
    CHECK_THAT(rig.notes(), ContainsSubstring("lb1: weights are as its file says"));
    rig.one.refuses.clear();
  }
  SECTION("lost on the way back") {
    rig.one.before = [first = true](const std::string& line) mutable {
      if (line.rfind("set weight", 0) == 0 && std::exchange(first, false))
        throw Error(ErrorCode::failed, "no");
    };
    CHECK_FALSE(rig.rotation.undo(soon()).empty());
  }
  rig.given_back();
  CHECK(rig.weight() == 40);
  CHECK_THAT(rig.notes(), !ContainsSubstring("keeps it"));
}

TEST_CASE("another process knows which weight the file had") {
  Weighed rig(40);
  const auto record = to_text(rig.rotation.found());
  std::uint32_t after = 40;
  Before before{true, {}};
  SECTION("and that it is the same since a reload") {
    rig.one.reload();
  }
  SECTION("and that it is another one") {
    rig.one.configured[web1].weight = after = 20;
    rig.one.reload();
  }
  SECTION("and that a person has set it in a process that the dead one had told") {
    rig.one.reload();
    Found told = rig.rotation.found();
    told.balancers[0].pid = rig.one.pid;
    before.told = {told};
    rig.one.servers[web1].admin = 1;
    rig.one.servers[web1].weight = after = 100;
  }
  Rotation later({&rig.lb1}, parse_found(record), Phase::proving, rig.options);
  later.expect_others(before);
  CHECK(later.undo(soon()).empty());
  CHECK(rig.weight() == after);
  CHECK(rig.one.servers[web1].admin == 0);
}
