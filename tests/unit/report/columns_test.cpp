#include "columns.hpp"

#include "catch.hpp"

using namespace staithe::report;

TEST_CASE("columns: what a terminal counts") {
  CHECK(columns_of("web1") == 4);
  CHECK(columns_of("\xC3\xA9t\xC3\xA9") == 3);
  CHECK(columns_of("e\xCC\x81") == 1);
  CHECK(columns_of("\xE6\xBC\xA2\xE5\xAD\x97") == 4);
  CHECK(columns_of("\xF0\x9F\x9A\x80") == 2);
  CHECK(columns_of("\x1b[1;31mFAILED\x1b[0m") == 6);
}

TEST_CASE("elide: the middle gives way and never half a character") {
  CHECK(elide_middle("short", 5) == "short");
  CHECK(elide_middle("systemctl reload web", 11) == "syst... web");
  CHECK(elide_middle("anything", 2) == "..");
  CHECK(elide_middle("anything", 0).empty());
  const std::string wide = "\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97\xE6\xBC\xA2\xE5\xAD\x97";
  for (unsigned columns = 0; columns < 14; ++columns)
    CHECK(columns_of(elide_middle(wide, columns)) <= columns);
  CHECK(elide_middle(wide, 8) == "\xE6\xBC\xA2...\xE5\xAD\x97");
}
