/// Files as they were when somebody looked.
#include "staithe/plan/file_sums.hpp"

#include "catch.hpp"

using namespace staithe;

TEST_CASE("the id of files depends on their contents, names and order, and on no directory") {
  const std::vector<plan::FileSum> files{{"001.sql", "aa"}, {"002.sql", "bb"}};
  CHECK(plan::text_of(files) == "aa  001.sql\nbb  002.sql\n");
  CHECK(plan::id_of(files).size() == 64);
  CHECK(plan::id_of(files) == plan::id_of(std::vector<plan::FileSum>(files)));
  CHECK(plan::id_of(files) != plan::id_of({{"002.sql", "bb"}, {"001.sql", "aa"}}));
  CHECK(plan::id_of(files) != plan::id_of({{"001.sql", "aa"}, {"002.sql", "bc"}}));
  CHECK(plan::file_name("migrations/001.sql") == "001.sql");
  CHECK(plan::file_name("001.sql") == "001.sql");
}

TEST_CASE("what is otherwise is said in words") {
  const std::vector<plan::FileSum> before{{"001.sql", "aa"}, {"002.sql", "bb"}};
  const auto text = plan::text_of(before);
  CHECK(plan::difference(text, before).empty());
  CHECK(plan::difference(text, {{"001.sql", "ab"}, {"003.sql", "cc"}}) ==
        "001.sql is another one, 003.sql is new, 002.sql is not there any more");
  CHECK(plan::difference(text, {{"002.sql", "bb"}, {"001.sql", "aa"}}) == "the order is another one");
}
