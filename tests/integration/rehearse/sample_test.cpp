/// What a copy is held against before it may be used: that a wrong one is seen.
#include "snapshot/sample.hpp"

#include "catch.hpp"
#include "golden.hpp"

using namespace golden;

namespace {

struct Copies {
  Copies() {
    for (const auto* database : {"as_it_is", "as_it_came"}) {
      server().sql(std::string("CREATE DATABASE ") + database);
      server().sql(
          "CREATE TABLE kept (id int, part text, v text, secret text, PRIMARY KEY (id, part)); INSERT INTO "
          "kept "
          "SELECT g, 'p' || g, 'v' || g, 's' || g FROM generate_series(1, 150) g; CREATE TABLE plain AS "
          "SELECT "
          "id, v FROM kept",
          database);
    }
  }
  ~Copies() {
    for (const auto* database : {"as_it_is", "as_it_came"})
      server().sql(std::string("DROP DATABASE ") + database);
  }

  /// What is wrong with a table of the copy; "" when nothing is seen.
  static std::string wrong(const std::string& name, bool has_key, bool filtered = false) {
    stage::Table table;
    table.schema = "public";
    table.name = name;
    for (const auto& [column, type] : std::vector<std::pair<std::string, std::string>>{
             {"id", "integer"}, {"part", "text"}, {"v", "text"}, {"secret", "text"}}) {
      if (!has_key && (column == "part" || column == "secret")) continue;
      stage::Column one;
      one.name = column;
      one.type = type;
      table.columns.push_back(one);
    }
    if (has_key) table.primary_key = {"id", "part"};
    table.bytes = 8192;
    table.rows = 150;
    stage::TableCopy copy;
    copy.filtered = filtered;
    copy.masks = {{"secret", "hash"}};
    pg::Session source(server().url("as_it_is"), {}, soon()), target(server().url("as_it_came"), {}, soon());
    try {
      stage::compare_sample(source, target, table, copy, soon());
    } catch (const base::Error& error) {
      CHECK(error.code() == base::ErrorCode::conflict);
      return error.what();
    }
    return {};
  }
  static void in_copy(const std::string& sql) { server().sql(sql, "as_it_came"); }
};

}  // namespace

TEST_CASE("a copy is held against its source by the keys of sampled rows, masked columns apart") {
  const Copies copies;
  CHECK(Copies::wrong("kept", true).empty());
  Copies::in_copy("UPDATE kept SET secret = 'masked'");
  CHECK(Copies::wrong("kept", true).empty());
  Copies::in_copy("UPDATE kept SET v = 'other' WHERE id = 77");
  CHECK(Copies::wrong("kept", true)
            .find("the copy of public.kept is not what the source has: the row with the key "
                  "[\"77\", \"p77\"] differs") != std::string::npos);
  Copies::in_copy("UPDATE kept SET v = 'v77', part = 'nobody' WHERE id = 77");
  CHECK(Copies::wrong("kept", true).find("149 of 150 sampled rows are there") != std::string::npos);
}

TEST_CASE("a small table without a key is held against its source as a whole, unless rows stayed behind") {
  const Copies copies;
  CHECK(Copies::wrong("plain", false).empty());
  Copies::in_copy("UPDATE plain SET v = 'other' WHERE id = 77");
  CHECK(Copies::wrong("plain", false).find("its checksum differs") != std::string::npos);
  CHECK(Copies::wrong("plain", false, true).empty());
  Copies::in_copy("UPDATE plain SET v = 'v77' WHERE id = 77; DELETE FROM plain WHERE id = 3");
  CHECK(Copies::wrong("plain", false).find("its checksum differs") != std::string::npos);
}
