#include "reservations.hpp"

#include "catch.hpp"

using staithe::world::Reservations;

TEST_CASE("who looked at the same count as another is told to look again") {
  Reservations reservations;
  const auto first = reservations.look("web1");
  const auto second = reservations.look("web2");
  CHECK(first.gone.empty());
  CHECK(reservations.reserve("web1", first));
  CHECK_FALSE(reservations.reserve("web2", second));
  const auto again = reservations.look("web2");
  CHECK(again.gone == std::set<std::string>{"web1"});
  CHECK(reservations.reserve("web2", again));
}

TEST_CASE("only hosts that a lane works on are waited for, and all that are not back count as gone") {
  Reservations reservations;
  REQUIRE(reservations.reserve("web1", reservations.look("web1")));
  CHECK(reservations.look("web2").others_in_hand);
  CHECK_FALSE(reservations.look("web1").others_in_hand);
  reservations.lane_ended("web1");
  CHECK_FALSE(reservations.look("web2").others_in_hand);
  CHECK(reservations.look("web2").gone == std::set<std::string>{"web1"});
  // Its revert takes it in hand again, and brings it back.
  REQUIRE(reservations.reserve("web1", reservations.look("web1")));
  CHECK(reservations.look("web2").others_in_hand);
  reservations.give_back("web1");
  reservations.lane_ended("web1");
  CHECK(reservations.look("web2").gone.empty());
}
