#include "lock_gate.hpp"

#include "staithe/base/text.hpp"
#include "staithe/stage/clone.hpp"

#include <algorithm>

namespace staithe::stage {
namespace {

using base::Scope;

constexpr std::size_t most_names = 60;

/// Every name of the statement, and every pair of names with a dot between them, as identifiers.
std::vector<std::string> names_in(const SqlStatement& statement) {
  std::vector<std::string> names;
  const auto& tokens = statement.tokens;
  for (std::size_t i = 0; i < tokens.size() && names.size() < most_names; ++i) {
    if (!tokens[i].is_name()) continue;
    std::string name = pg::quoted_name(tokens[i].text);
    if (i + 2 < tokens.size() && tokens[i + 1].is_symbol('.') && tokens[i + 2].is_name()) {
      name += "." + pg::quoted_name(tokens[i + 2].text);
      i += 2;
    }
    names.push_back(pg::quoted_literal(name));
  }
  return names;
}

}  // namespace

std::vector<std::string> tables_named_by(pg::Session& session, const SqlStatement& statement,
                                         const Scope& scope) {
  const auto names = names_in(statement);
  std::vector<std::string> tables;
  if (names.empty()) return tables;
  const auto rows = session.run(
      "SELECT DISTINCT format('%I.%I', n.nspname, c.relname) FROM unnest(ARRAY[" + base::join(names, ", ") +
          "]) AS named(name) LEFT JOIN pg_index i ON i.indexrelid = to_regclass(named.name) JOIN pg_class c "
          "ON "
          "c.oid = coalesce(i.indrelid, to_regclass(named.name)) JOIN pg_namespace n ON n.oid = "
          "c.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND c.oid >= 16384 ORDER "
          "BY 1",
      scope);
  for (const auto& row : rows.rows) tables.push_back(row[0].value_or(""));
  return tables;
}

LockGate::LockGate(std::string url, const Scope& scope) : url_(std::move(url)), scope_(scope) {}

bool LockGate::close(const std::vector<std::string>& tables) {
  const std::lock_guard lock(mutex_);
  opened_ = {};
  if (tables.empty()) return false;
  try {
    if (!session_ || !session_->usable())
      session_ = std::make_unique<pg::Session>(connect_clone(url_, "gate", scope_));
    session_->run("BEGIN", scope_);
    for (const auto& table : tables)
      session_->run("LOCK TABLE ONLY " + table + " IN SHARE UPDATE EXCLUSIVE MODE NOWAIT", scope_);
    closed_ = true;
  } catch (const pg::StatementError&) {  // no right to, or somebody else is at it
    session_->run("ROLLBACK", scope_);
  }
  return closed_;
}

bool LockGate::open() noexcept {
  try {
    const std::lock_guard lock(mutex_);
    if (!closed_) return false;
    closed_ = false;
    try {
      session_->run("COMMIT", Scope::lasting(std::chrono::seconds(10)));
    } catch (const std::exception&) {
      session_.reset();  // its end gives the locks back all the same
    }
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

SteadyTime LockGate::opened() const {
  const std::lock_guard lock(mutex_);
  return opened_;
}

void LockGate::note_opened(SteadyTime when) {
  const std::lock_guard lock(mutex_);
  opened_ = when;
}

}  // namespace staithe::stage
