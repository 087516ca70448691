#include "snapshot/collations.hpp"

#include "catch.hpp"

using namespace staithe::stage;

namespace {

std::vector<Difference> differences(Collation used, std::vector<Collation> there) {
  Catalogue source;
  source.collations.push_back(std::move(used));
  TargetFacts target;
  target.collations = std::move(there);
  return collation_differences(source, target);
}

}  // namespace

TEST_CASE("a collation whose library is another on the target is a difference") {
  const Collation used{"phone", 'i', "de-u-co-phonebk", "153.112", "153.112"};
  const auto found = differences(used, {{"c", 'c', "de", "", "2.36"},
                                        {"sv-x-icu", 'i', "sv", "", "153.100"},
                                        {"de-x-icu", 'i', "de", "", "153.120"}});
  REQUIRE(found.size() == 1);
  CHECK(found[0].what == "collation phone");
  CHECK(found[0].why.starts_with("version 153.112 in the source, 153.120 in the target"));
}

TEST_CASE("the C library has one version for all of its locales") {
  const auto found =
      differences({"", 'c', "en_US.UTF-8", "2.31", "2.36"},
                  {{"C.utf8", 'c', "C.utf8", "", ""}, {"de_DE", 'c', "de_DE.utf8", "", "2.41"}});
  REQUIRE(found.size() == 1);
  CHECK(found[0].what == "the database's collation");
}

TEST_CASE("what is of the same version, or of none that is known, is no difference") {
  CHECK(
      differences({"sv-x-icu", 'i', "sv", "", "153.120"}, {{"sv-x-icu", 'i', "sv", "", "153.120"}}).empty());
  CHECK(
      differences({"sv-x-icu", 'i', "sv", "", "153.120"}, {{"de-x-icu", 'i', "de", "", "153.112"}}).empty());
  CHECK(differences({"sv-x-icu", 'i', "sv", "", "153.120"}, {}).empty());
  CHECK(differences({"", 'c', "C.UTF-8", "", ""}, {{"de_DE", 'c', "de_DE.utf8", "", "2.41"}}).empty());
}
