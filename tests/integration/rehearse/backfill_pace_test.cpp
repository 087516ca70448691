/// How large the batches of a backfill are.
#include "catch.hpp"
#include "golden.hpp"

#include "staithe/stage/backfill.hpp"

#include <algorithm>
#include <vector>

using namespace staithe;
using golden::server;
using golden::soon;

namespace {

/// The rows of each batch but the last, which has what is left.
std::vector<std::uint64_t> sizes_of_batches(const std::string& database, const stage::BackfillSpec& wanted) {
  std::vector<std::uint64_t> sizes;
  std::uint64_t seen = 0;
  stage::run_backfill(
      server().url(database), wanted,
      [&](const stage::BackfillProgress& now) {
        if (now.seen > seen) sizes.push_back(now.seen - seen);
        seen = now.seen;
      },
      soon());
  REQUIRE(sizes.size() > 8);
  sizes.pop_back();
  return sizes;
}

}  // namespace

TEST_CASE("a batch takes what it is to take: its size follows") {
  const auto database = server().create_database();
  server().sql(
      "CREATE TABLE t (id int PRIMARY KEY, c text); INSERT INTO t SELECT g FROM generate_series(1, 600) g",
      database);
  stage::BackfillSpec wanted;
  wanted.table = "t";
  wanted.set = "c = 'x'";
  wanted.where = "c IS NULL";
  wanted.first_batch = 100;
  SECTION("of slow rows there are few") {
    server().sql(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN "
        "NEW; END'; CREATE TRIGGER slowly BEFORE UPDATE ON t FOR EACH ROW EXECUTE FUNCTION slowly()",
        database);
    wanted.batch_time = base::Duration{20};
    const auto sizes = sizes_of_batches(database, wanted);
    CHECK(sizes.front() == wanted.first_batch);
    // A row takes a millisecond at least, however busy the machine is; a batch is at most twice the last.
    CHECK(*std::max_element(sizes.begin() + 4, sizes.end()) <= 20);
  }
  SECTION("of fast rows there are more and more, up to the most") {
    wanted.batch_time = base::Duration{20'000};
    wanted.first_batch = 1;
    wanted.most_batch = 64;
    const auto sizes = sizes_of_batches(database, wanted);
    CHECK(std::vector<std::uint64_t>(sizes.begin(), sizes.begin() + 8) ==
          std::vector<std::uint64_t>{1, 2, 4, 8, 16, 32, 64, 64});
  }
}
