#include "collations.hpp"

#include <fmt/format.h>

namespace staithe::stage {
namespace {

std::string title_of(const Collation& one) {
  return one.name.empty() ? "the database's collation" : "collation " + one.name;
}

/// "de" of "de-u-co-phonebk" and "de@collation=phonebook": attributes have no version of their own.
std::string without_attributes(const std::string& locale) {
  return locale.substr(0, std::min(locale.find("-u-"), locale.find('@')));
}

/// What the target has for it; "" when nothing there tells. The C library has one version for all locales.
std::string version_there(const Collation& wanted, const std::vector<Collation>& there) {
  for (const auto& one : there) {
    if (one.provider != wanted.provider || one.actual.empty()) continue;
    if (one.provider == 'c' || one.locale == without_attributes(wanted.locale)) return one.actual;
  }
  return {};
}

}  // namespace

std::vector<Difference> collation_differences(const Catalogue& source, const TargetFacts& target) {
  std::vector<Difference> differences;
  for (const auto& one : source.collations) {
    const auto there = version_there(one, target.collations);
    if (there.empty() || one.actual.empty() || there == one.actual) continue;
    differences.push_back({title_of(one), fmt::format("version {} in the source, {} in the target: text may "
                                                      "come in another order than in production",
                                                      one.actual, there)});
  }
  return differences;
}

std::vector<Difference> stale_collations(const Catalogue& source) {
  std::vector<Difference> stale;
  for (const auto& one : source.collations) {
    if (one.recorded.empty() || one.actual.empty() || one.recorded == one.actual) continue;
    stale.push_back(
        {fmt::format("{} of the source is of version {} now, and its indexes were built with {}: there they "
                     "may miss rows or hold doubles; the copy's are rebuilt, and a unique one may then "
                     "fail",
                     title_of(one), one.actual, one.recorded),
         fmt::format("on the source: REINDEX what uses it, then ALTER {} REFRESH {}VERSION",
                     one.name.empty() ? "DATABASE " + pg::quoted_name(source.origin.database)
                                      : "COLLATION " + pg::quoted_name(one.name),
                     one.name.empty() ? "COLLATION " : "")});
  }
  return stale;
}

}  // namespace staithe::stage
