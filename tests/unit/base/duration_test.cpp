#include "staithe/base/duration.hpp"

#include "catch.hpp"

using namespace staithe::base;
using namespace std::chrono_literals;

TEST_CASE("durations are read with their unit") {
  CHECK(parse_duration("250ms") == 250ms);
  CHECK(parse_duration("5s") == 5s);
  CHECK(parse_duration("1.5s") == 1500ms);
  CHECK(parse_duration("0.001s") == 1ms);
  CHECK(parse_duration("2m") == 2min);
  CHECK(parse_duration("1h30m") == 90min);
  CHECK(parse_duration("1d") == 24h);
  CHECK(parse_duration("0s") == 0s);
  CHECK(parse_duration("365d") == 24h * 365);
}

TEST_CASE("what is no duration is refused") {
  for (const char* wrong : {"", "5", "s", "-5s", "+5s", "5 s", " 5s", "5s ", "5S", "5min", "1.s", ".5s",
                            "1.2345s", "366d", "365d1ms", "99999999999999999999s", "1h30", "1e3s", "5s\n"})
    CHECK_FALSE(parse_duration(wrong));
}

TEST_CASE("the text of a duration is read back as the same") {
  CHECK(to_text(90s) == "1m30s");
  CHECK(to_text(250ms) == "250ms");
  CHECK(to_text(0ms) == "0s");
  CHECK(to_text(-5s) == "0s");
  CHECK(to_text(25h) == "1d1h");
  for (const Duration duration : {Duration(1), Duration(999), Duration(61'001), Duration(86'400'000)})
    CHECK(parse_duration(to_text(duration)) == duration);
}

TEST_CASE("elapsed time for people") {
  CHECK(elapsed_text(0ms) == "0ms");
  CHECK(elapsed_text(999ms) == "999ms");
  CHECK(elapsed_text(1000ms) == "1.0s");
  CHECK(elapsed_text(12'345ms) == "12.3s");
  CHECK(elapsed_text(59'999ms) == "59.9s");
  CHECK(elapsed_text(125s) == "2m05s");
  CHECK(elapsed_text(3661s) == "1h01m01s");
}
