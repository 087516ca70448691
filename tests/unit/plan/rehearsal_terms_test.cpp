#include "staithe/plan/rehearsal_terms.hpp"

#include "catch.hpp"

#include <nlohmann/json.hpp>

using namespace staithe;
using plan::RehearsalTerms;
using plan::shortfall;

TEST_CASE("terms of a rehearsal are written and read, and what is none is none") {
  RehearsalTerms terms;
  terms.command = "alembic upgrade head";
  terms.budgets = {base::Duration{500}, base::Duration{60'000}, 1000, std::nullopt};
  terms.load = false;
  terms.accepted = {{"app.users"}, {"app.users.email"}};
  CHECK(plan::rehearsal_terms(plan::to_json(terms)) == terms);
  CHECK(plan::rehearsal_terms(plan::to_json(RehearsalTerms{})) == RehearsalTerms{});
  for (const auto* text : {"", "{}", "[1]", "{\"blocking_ms\":1000}", "null"})
    CHECK_FALSE(plan::rehearsal_terms(text));
  for (const auto* later : {"open_for", "asked"}) {
    auto written = nlohmann::json::parse(plan::to_json(terms));
    REQUIRE(written.erase(later) == 1);
    CHECK_FALSE(plan::rehearsal_terms(written.dump()));
  }
}

TEST_CASE("a rehearsal that asked for as much, or for more, will do") {
  RehearsalTerms wanted, had;
  CHECK(shortfall(had, wanted).empty());
  had.budgets = {base::Duration{10}, base::Duration{10}, 0, 0};
  CHECK(shortfall(had, wanted).empty());
  wanted.load = wanted.asked = false;
  wanted.open_for = base::Duration{0};
  CHECK(shortfall(had, wanted).empty());
  wanted.accepted.partial = {"app.users"};
  CHECK(shortfall(had, wanted).empty());
}

TEST_CASE("every way to ask for less is named") {
  RehearsalTerms wanted, had;
  const auto said = [&] { return shortfall(had, wanted); };
  had.command = "make migrate";
  CHECK(said() == "by the command 'make migrate' (wanted: as files of SQL)");
  had = {};
  had.budgets.blocking = base::Duration{60'000};
  CHECK(said() == "with 1m of blocking allowed (wanted: 1s)");
  had = {};
  had.load = false;
  had.open_for = base::Duration{0};
  had.asked = false;
  CHECK(said() == "without a load beside them, without an open transaction, without asking production");
  had = {};
  had.open_for = base::Duration{1};
  CHECK(said() == "with a transaction open for 1ms only (wanted: 2s)");
  had = {};
  had.accepted = {{"app.users", "app.orders"}, {"app.users.email"}};
  wanted.accepted.partial = {"app.orders"};
  CHECK(said() == "on a copy without all rows of app.users, on a copy with masks on app.users.email");
  had = {};
  wanted.budgets = {base::Duration{1000}, base::Duration{60'000}, 10, 1024};
  CHECK(said() ==
        "with any in all allowed (wanted: 1m), with any rows to be rewritten allowed (wanted: 10), with any "
        "of WAL "
        "allowed (wanted: 1.0 KiB)");
}
