#pragma once
#include "staithe/stage/masks.hpp"

#include <map>
#include <string>
#include <vector>

namespace staithe::stage {

/// Which rows of each table are taken. A row whose parent stays behind stays behind too, along every foreign
/// key; `rows: referenced` takes those parents that are pointed at.
class Filters {
 public:
  Filters(const Catalogue& catalogue, const Masks& masks) : catalogue_(catalogue), masks_(masks) {}

  /// A condition over the columns of `alias`, "" for all rows.
  std::string condition(const Table& table, const std::string& alias) const;
  /// Whether rows of some table may be left behind, so that foreign keys have to be looked at.
  bool any() const;

 private:
  std::string condition(const Table& table, const std::string& alias, std::vector<Oid> way) const;
  std::string own_condition(const Table& table, const std::string& alias) const;
  std::string referenced(const Table& table, const std::string& alias, const std::vector<Oid>& way) const;

  const Catalogue& catalogue_;
  const Masks& masks_;
};

/// Statements for the target that delete rows whose parents are not there: foreign keys in circles cannot be
/// followed in one condition. To be repeated until none deletes anything.
std::vector<std::string> orphan_statements(const Catalogue& catalogue);

}  // namespace staithe::stage
