#include "rig.hpp"

#include "staithe/base/text.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <chrono>
#include <thread>

using namespace staithe;
using namespace staithe::haproxy;
using namespace staithe::haproxy::test;

namespace {

struct OneBalancer {
  Apps apps;
  std::uint16_t port = free_port();
  Balancer lb{"lb1", web(apps, port)};
  Rotation rotation{{{&lb.full_socket(), {{"web", "s2"}}}}};

  OneBalancer() {
    REQUIRE(all_up(lb));
    rotation.find(soon());
    rotation.drain(soon());
  }
};

/// A visitor whose request on the app never ends.
struct EndlessVisitor {
  base::UniqueFd fd;
  explicit EndlessVisitor(OneBalancer& rig) {
    const auto before = rig.apps[1].in_hand.load();
    // The others are filled first: round robin reaches every app within three.
    while (rig.apps[1].in_hand == before) {
      fd = connect_to(rig.port);
      REQUIRE(send_text(fd.get(), "GET /endless HTTP/1.1\r\nHost: x\r\n\r\n"));
      char first[64];
      REQUIRE(::recv(fd.get(), first, sizeof first, 0) > 0);
    }
  }
};

}  // namespace

TEST_CASE("a reload while drained: drained again before anything else") {
  OneBalancer rig;
  rig.lb.reload();
  // It has forgotten; for a moment the old worker may still take a question from the socket that both hold.
  CHECK(eventually([&] { return own_state(rig.lb.state("web/s2").admin) == Own::ready; }));
  CHECK(rig.rotation.wait_calm(soon()).reached);
  CHECK(own_state(rig.lb.state("web/s2").admin) == Own::drain);
  CHECK_THAT(base::join(rig.rotation.take_notes(), "\n"), ContainsSubstring("lb1: HAProxy was reloaded"));
  CHECK(rig.rotation.undo(soon()).empty());
  rig.rotation.wait_serving(soon(), base::Duration(100));
}

TEST_CASE("a restart while in maintenance, with a gap in which nobody answers") {
  OneBalancer rig;
  rig.rotation.quiesce(soon());
  REQUIRE(rig.rotation.wait_calm(soon()).reached);
  rig.lb.stop();
  std::thread later([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    rig.lb.start();
  });
  std::vector<std::string> notes;
  CHECK(eventually([&] {
    try {
      notes = rig.rotation.reassert(soon(), base::Duration(200),
                                    [](Socket& socket) { return socket.info(soon()); });
    } catch (const base::Error& error) {
      CHECK(name_of(error.code()) == name_of(base::ErrorCode::connect));
    }
    return !notes.empty();
  }));
  later.join();
  CHECK(notes.size() == 1);
  CHECK(own_state(rig.lb.state("web/s2").admin) == Own::maint);
  rig.rotation.prove(soon());
  rig.rotation.wait_proven(soon());
  CHECK(rig.rotation.ready(soon()).empty());
}

TEST_CASE("a reload in the middle of the proof") {
  OneBalancer rig;
  rig.rotation.quiesce(soon());
  rig.apps[1].health = 503;
  rig.rotation.prove(soon());
  rig.lb.reload();
  // The new worker believes it UP; only the proof sent again says what is true.
  CHECK(in_time([&] {
    failure(base::ErrorCode::timeout, [&] { rig.rotation.wait_proven(within(800)); });
    return own_state(rig.lb.state("web/s2").admin) == Own::drain;
  }));
  rig.apps[1].health = 200;
  rig.rotation.wait_proven(soon());
  CHECK(rig.rotation.ready(soon()).empty());
}

TEST_CASE("a balancer that does not come back") {
  OneBalancer rig;
  RotationOptions impatient;
  impatient.patience = base::Duration(300);
  Rotation rotation({&rig.lb.socket()}, rig.rotation.found(), Phase::draining, impatient);
  rig.lb.stop();
  CHECK_THAT(failure(base::ErrorCode::connect, [&] { rotation.wait_calm(soon()); }),
             ContainsSubstring("lb1: "));
  CHECK(rotation.undo(soon()).size() == 1);
  rig.lb.start();
  CHECK(rotation.undo(soon()).empty());
}

TEST_CASE("sessions of old workers hold the drain, and can be closed") {
  OneBalancer rig;
  CHECK(rig.rotation.undo(soon()).empty());
  EndlessVisitor visitor(rig);
  rig.lb.reload();
  Rotation rotation({{&rig.lb.full_socket(), {{"web", "s2"}}}});
  rotation.find(soon());
  rotation.drain(soon());
  CHECK(rig.lb.stat("web/s2").sessions == 0);  // the new worker knows nothing of it
  never_calm(rotation, 1'000, "(old worker ");
  bool told = false;
  for (const auto& finding : Rotation({{&rig.lb.full_socket(), {{"web", "s2"}}}}).survey(soon()))
    told = told || finding.text.find("old worker") == 0;
  CHECK(told);
  rotation.close_sessions(soon());
  CHECK(rotation.wait_calm(soon()).reached);
  CHECK(rig.apps[1].in_hand == 0);
  CHECK(rotation.undo(soon()).empty());
}

TEST_CASE("an endless session at the deadline: told, closed, gone") {
  OneBalancer rig;
  CHECK(rig.rotation.undo(soon()).empty());
  EndlessVisitor visitor(rig);
  Rotation rotation({{&rig.lb.full_socket(), {{"web", "s2"}}}});
  rotation.find(soon());
  rotation.drain(soon());
  std::uint64_t most = 0;
  never_calm(rotation, 600, "1 session: lb1",
             [&](const RotationProgress& progress) { most = std::max(most, progress.sessions); });
  CHECK(most == 1);
  rotation.quiesce(soon());
  CHECK_FALSE(rotation.wait_calm(within(500)).reached);  // maintenance does not cut it either
  rotation.close_sessions(soon());
  CHECK(rotation.wait_calm(soon()).reached);
  CHECK(rotation.undo(soon()).empty());
}
