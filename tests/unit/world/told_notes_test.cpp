#include "told_notes.hpp"

#include "catch.hpp"
#include "history.hpp"
#include "recovery_parts.hpp"

/// Which processes of HAProxy a run has told anew, in its journal.
using namespace staithe;

TEST_CASE("what the balancers of a host were told anew last is in the journal") {
  test::History history;
  history.begin("run", test::plan_of("deploy"));
  {
    world::ToldNotes notes(&history.store(), "run");
    notes.add("web1", "first");
    notes.add("web2", "other");
    notes.add("web1", "second");
  }
  const auto journal = world::read_journal(history.store(), "run");
  CHECK(world::parts::told_in("web1", journal) == std::vector<std::string>{"second"});
  CHECK(world::parts::told_in("web2", journal) == std::vector<std::string>{"other"});
  CHECK(world::parts::told_in("web3", journal).empty());
}

TEST_CASE("a note that cannot be written, or for which there is no journal, is none") {
  test::History history;
  world::ToldNotes(&history.store(), "no such run").add("web1", "found");
  world::ToldNotes(nullptr, "run").add("web1", "found");
  CHECK(history.store().unfinished().empty());
}
