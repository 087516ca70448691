#pragma once
#include "staithe/diag/diagnostic.hpp"
#include "staithe/stage/catalogue.hpp"
#include "staithe/yaml/reader.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What becomes of each column on its way from a source to a snapshot; staithe-masks(5).
namespace staithe::stage {

struct Mask {
  enum class Kind {
    keep,
    null,
    constant,
    hash,        ///< keyed SHA-256: equal values stay equal
    fake_email,  ///< likewise, in the shape of an address that no mail reaches
    partial,     ///< the first and last characters stay
    shift_days,  ///< a date moved by a keyed number of days
    sql,         ///< the user's own expression
  };
  Kind kind = Kind::keep;
  std::string text;  ///< of constant and sql
  std::uint32_t first = 0, last = 0;
  std::uint32_t days = 0;
  std::string by;  ///< shift_days: the column whose value decides how far; "" for the date itself
};

struct ColumnMask {
  yaml::Located<std::string> column;
  Mask mask;
};

struct TableRules {
  enum class Rows {
    all,
    none,
    referenced,  ///< only those that kept rows of other tables point at
  };
  yaml::Located<std::string> table;  ///< "schema.table"
  std::vector<ColumnMask> columns;
  Rows rows = Rows::all;
  std::string where;        ///< SQL over the table's columns, "" for none
  std::uint64_t limit = 0;  ///< most rows, 0 for no limit
  bool live_kept = false;   ///< a queue whose rows may come along

  const ColumnMask* find(std::string_view column) const;
};

struct Masks {
  std::string path;
  std::vector<TableRules> tables;
  const TableRules* find(std::string_view table) const;
  /// Whether a rule needs the secret key.
  bool needs_key() const;
};

/// Reads a file of masks. Every mistake is a finding.
std::optional<Masks> load_masks(const std::string& path, const std::string& text,
                                diag::Diagnostics& diagnostics);

/// Holds the rules against the tables that are there: names, types that a mask cannot make, keys that would
/// not be unique any more, foreign keys whose ends would not meet.
void check_masks(const Masks& masks, const Catalogue& catalogue, diag::Diagnostics& diagnostics);

/// The SQL that makes the value to send out of a column. NULL stays NULL, except by `constant`-free `sql`.
/// Keyed masks read the key from the session setting `staithe.mask_key`. `encoding`: the database's, by the
/// server's name; the same text is masked as the same in all of them.
std::string mask_expression(const Column& column, const Mask& mask, const std::string& encoding);
/// Whether what it makes is NULL where the column is, and nowhere else.
bool keeps_nulls(const Mask& mask);
/// "hash", "partial 1…2": for plans.
std::string mask_text(const Mask& mask);

/// A column that looks as if it held something about a person, or a secret.
struct Suspect {
  std::string table, column, type;
  std::string why;  ///< "its name", "its type", "94% of 500 rows look like e-mail addresses"
  Mask suggestion;
};

/// Columns without a rule that look personal by name, by type, or, judged on the source so that no value
/// leaves it, by a sample of their content. Empty tables are judged by name and type.
std::vector<Suspect> find_suspects(pg::Session& source, const Catalogue& catalogue, const Masks& masks,
                                   const base::Scope& scope);

/// A first file of masks for what was found.
std::string suggested_file(const std::vector<Suspect>& suspects, const Catalogue& catalogue);

}  // namespace staithe::stage
