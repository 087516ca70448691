#include "catch.hpp"

#include "staithe/stage/snapshots.hpp"

using namespace staithe::stage;

namespace {

Marker example() {
  Marker marker;
  marker.name = "shop's \"copy\"";
  marker.state = Marker::State::complete;
  marker.origin = {"7389", "shop", "postgres://u@h:5432/shop", "15.14"};
  marker.lsn = "0/1FF";
  marker.taken_at = Instant(std::chrono::seconds(1'790'000'000));
  marker.masked = {"public.users.email"};
  marker.nulls_kept = {"public.users.email"};
  marker.partial = {"public.events"};
  marker.rows = 12'345'678'901;
  marker.plan_id = "0123456789ab";
  marker.run_id = "20261120-204512-3f9c";
  return marker;
}

}  // namespace

TEST_CASE("a marker is read back as it was written") {
  const auto comment = to_comment(example());
  CHECK(comment.rfind("{\"staithe\":", 0) == 0);  // what list_snapshots looks for
  const auto back = from_comment(comment);
  REQUIRE(back);
  CHECK(*back == example());
}

TEST_CASE("other comments are no markers") {
  for (const char* comment : {"", "production", "{}", "[]", "null", "{\"staithe\":1}", "{\"staithe\":{}}",
                              "{\"staithe\":{\"format\":1}}",
                              "{\"staithe\":{\"format\":1,\"kind\":\"snapshot\",\"state\":\"complete\","
                              "\"taken_at\":\"yesterday\"}}"})
    CHECK_FALSE(from_comment(comment));
  auto later = to_comment(example());
  later.replace(later.find("\"format\":1"), 10, "\"format\":2");
  CHECK_FALSE(from_comment(later));
}
