#pragma once
#include "sql_text.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace staithe::stage {

/// What one part of a statement asks for, as far as words show it.
enum class Act {
  other,
  set_not_null,
  add_column,
  alter_type,
  add_check,
  add_foreign_key,
  add_unique,  ///< UNIQUE and PRIMARY KEY
  add_exclude,
  validate,
  create_index,
  drop_index,
  reindex,
  drop_column,
  drop_table,
  drop_constraint,
  rename,
  update,
  remove,  ///< DELETE
  insert,
  truncate,
  rewrite,  ///< VACUUM FULL, CLUSTER, SET TABLESPACE, SET LOGGED
  lock_table,
  create_table,
  refresh_view,
  control,  ///< BEGIN, COMMIT, ROLLBACK, SAVEPOINT
  set_lock_timeout,
};

struct Fact {
  Act act = Act::other;
  std::string table;             ///< as written, "" when the words do not show it
  std::string column;            ///< as written
  std::string name;              ///< of the constraint or index, as written
  std::string clause;            ///< the part of the statement that asks for it, as written
  std::string rest;              ///< expression of a CHECK; "(columns) REFERENCES …"; "(columns)"
  std::string type;              ///< of alter_type: the new one with its COLLATE, as written
  std::string using_expression;  ///< of alter_type: how the new value is made, "" for a cast
  bool concurrently = false, not_valid = false, using_index = false;
  bool not_null = false, has_default = false, volatile_default = false;
};

/// At least one; ALTER TABLE has one for each of its actions.
std::vector<Fact> facts_of(const SqlStatement& statement);

/// An UPDATE that leaves no NULL in the column, as far as words show it: of that table, with the column in
/// its SET, and no WHERE but that it IS NULL. In a DO one that is done whatever holds (in no IF), also in a
/// LOOP or WHILE whose batches ask for NULLs and that ends when the last of them found none: not by what
/// another statement found. Names as written.
bool fills(const SqlStatement& statement, const std::string& table, const std::string& column);

/// Whether a statement that begins so begins or ends a transaction or a part of one; in lower case.
bool controls_transaction(std::string_view word);

/// False for what the server refuses inside a transaction block.
bool may_run_in_transaction(const SqlStatement& statement);

}  // namespace staithe::stage
