#include "catalog.hpp"

#include <algorithm>
#include <charconv>

namespace staithe::stage {
namespace {

constexpr const char* relations_sql =
    "SELECT c.oid, format('%I.%I', n.nspname, c.relname), c.relname, c.relkind, c.relfilenode, "
    "coalesce(i.indrelid, 0), greatest(c.reltuples, 0)::bigint, n.nspname = 'pg_toast' "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = "
    "c.oid "
    "WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'm', 'i', 'I', 'S', 'v', 't')";

constexpr const char* touched_sql =
    "SELECT relid, format('%I.%I', schemaname, relname), coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, "
    "0), "
    "n_tup_ins, n_tup_upd, n_tup_del, n_tup_hot_upd FROM pg_stat_xact_user_tables "
    "WHERE seq_tup_read > 0 OR idx_tup_fetch > 0 OR n_tup_ins > 0 OR n_tup_upd > 0 OR n_tup_del > 0";

constexpr const char* sizes_sql =
    "SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn, pg_database_size(current_database())";

/// The first name in double quotes of a message, or "".
std::string quoted_part(const std::string& message, std::size_t from = 0) {
  const std::size_t open = message.find('"', from);
  const std::size_t close = open == std::string::npos ? open : message.find('"', open + 1);
  return close == std::string::npos ? std::string() : message.substr(open + 1, close - open - 1);
}

bool is_hidden(std::string_view bare) {
  return bare.starts_with("pg_toast") || bare.starts_with("pg_temp");
}

std::string full_name(const CatalogState& before, const CatalogState& after, const std::string& bare) {
  for (const auto* state : {&after, &before})
    if (const auto* found = state->find_bare(bare)) return found->name;
  return bare;
}

/// Deeds that notices alone show.
void add_said(const CatalogState& before, const CatalogState& after, const pg::Notice& notice,
              std::vector<Deed>& deeds) {
  const std::string bare = quoted_part(notice.message);
  if (bare.empty() || is_hidden(bare)) return;
  const bool rewriting = notice.message.starts_with("rewriting");
  Deed deed;
  deed.object = full_name(before, after, bare);
  if (notice.function == "ATRewriteTable") {
    deed.kind = rewriting ? Deed::Kind::rewrite : Deed::Kind::scan;
  } else if (notice.function == "NotNullImpliedByRelConstraints" ||
             notice.function == "ConstraintImpliedByRelConstraint") {
    deed.kind = Deed::Kind::scan_skipped;
    deed.object = bare;  // "table.column"
    deed.detail = "a constraint that holds already proves it";
  } else if (notice.function == "validateForeignKeyConstraint") {
    deed.kind = Deed::Kind::foreign_key_check;
    deed.object = bare;
  } else if (notice.function == "index_build") {
    deed.kind = Deed::Kind::index_build;
    const std::size_t workers = notice.message.find("request for ");
    if (workers != std::string::npos) deed.detail = notice.message.substr(workers + 12);
  } else {
    return;
  }
  if (const auto* relation = before.find_bare(bare)) deed.rows = relation->rows;
  deeds.push_back(std::move(deed));
}

bool has_deed(const std::vector<Deed>& deeds, Deed::Kind kind, const std::string& object) {
  return std::any_of(deeds.begin(), deeds.end(),
                     [&](const Deed& deed) { return deed.kind == kind && deed.object == object; });
}

}  // namespace

const Relation* CatalogState::find_bare(std::string_view bare) const {
  for (const auto& [oid, relation] : relations)
    if (relation.bare == bare) return &relation;
  return nullptr;
}

CatalogState read_state(pg::Session& session, const base::Scope& scope) {
  CatalogState state;
  for (const auto& row : session.run(relations_sql, scope).rows) {
    Relation relation;
    relation.name = row[1].value_or("");
    relation.bare = row[2].value_or("");
    relation.kind = row[3] && !row[3]->empty() ? row[3]->front() : 'r';
    relation.filenode = static_cast<Oid>(number_of(row[4]));
    relation.table = static_cast<Oid>(number_of(row[5]));
    relation.rows = number_of(row[6]);
    relation.is_toast = row[7] == "t";
    state.relations.emplace(static_cast<Oid>(number_of(row[0])), std::move(relation));
  }
  for (const auto& row : session.run(touched_sql, scope).rows)
    state.touched[static_cast<Oid>(number_of(row[0]))] = {row[1].value_or(""), number_of(row[2]),
                                                          number_of(row[3]),   number_of(row[4]),
                                                          number_of(row[5]),   number_of(row[6])};
  const auto sizes = session.run(sizes_sql, scope);
  state.wal = number_of(sizes.rows.at(0)[0]);
  state.size_bytes = number_of(sizes.rows.at(0)[1]);
  return state;
}

std::vector<std::pair<Oid, std::string>> held_locks(pg::Session& session, const base::Scope& scope) {
  std::vector<std::pair<Oid, std::string>> held;
  const auto rows = session.run(
      "SELECT relation, mode FROM pg_locks WHERE pid = pg_backend_pid() AND granted AND locktype = "
      "'relation' "
      "AND relation >= 16384",
      scope);
  for (const auto& row : rows.rows)
    held.emplace_back(static_cast<Oid>(number_of(row[0])), row[1].value_or(""));
  return held;
}

std::vector<Deed> deeds_of(const CatalogState& before, const CatalogState& after,
                           const std::vector<pg::Notice>& notices) {
  std::vector<Deed> deeds;
  for (const auto& notice : notices) add_said(before, after, notice, deeds);
  for (const auto& [oid, relation] : after.relations) {
    if (relation.is_toast || is_hidden(relation.bare)) continue;
    const auto old = before.relations.find(oid);
    const bool is_table = relation.kind == 'r' || relation.kind == 'm';
    if (old == before.relations.end()) {
      if (is_table || relation.kind == 'p') deeds.push_back({Deed::Kind::new_table, relation.name, "", 0, 0});
      if (relation.kind == 'i' && !has_deed(deeds, Deed::Kind::index_build, relation.name))
        deeds.push_back({Deed::Kind::index_build, relation.name, "", 0, 0});
    } else if (is_table && old->second.filenode != relation.filenode &&
               !has_deed(deeds, Deed::Kind::rewrite, relation.name)) {
      deeds.push_back({Deed::Kind::rewrite, relation.name, "a new file", old->second.rows, 0});
    }
  }
  for (const auto& [oid, relation] : before.relations)
    if (!after.relations.contains(oid) && !relation.is_toast && relation.kind != 'S')
      deeds.push_back({Deed::Kind::dropped, relation.name, "", relation.rows, 0});
  return deeds;
}

std::uint64_t temp_bytes_of(const std::vector<pg::Notice>& notices) {
  std::uint64_t bytes = 0;
  for (const auto& notice : notices) {
    if (notice.function != "ReportTemporaryFileUsage") continue;
    const std::size_t at = notice.message.rfind("size ");
    if (at != std::string::npos) bytes += number_of(notice.message.substr(at + 5));
  }
  return bytes;
}

std::vector<Touched> touched_between(const CatalogState& before, const CatalogState& after) {
  std::vector<Touched> out;
  for (const auto& [oid, now] : after.touched) {
    Touched difference = now;
    if (const auto old = before.touched.find(oid); old != before.touched.end()) {
      // A commit in between may have begun the counters anew.
      const auto less = [](std::uint64_t& value, std::uint64_t by) {
        value = value >= by ? value - by : value;
      };
      less(difference.read, old->second.read);
      less(difference.inserted, old->second.inserted);
      less(difference.updated, old->second.updated);
      less(difference.deleted, old->second.deleted);
      less(difference.hot, old->second.hot);
    }
    if (difference.read + difference.inserted + difference.updated + difference.deleted > 0)
      out.push_back(std::move(difference));
  }
  return out;
}

}  // namespace staithe::stage
