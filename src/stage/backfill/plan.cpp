#include "staithe/base/text.hpp"
#include "staithe/stage/backfill.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace staithe::stage {

using nlohmann::json;

std::string to_json(const BackfillPlan& plan) {
  const auto& spec = plan.spec;
  const json document{{"kind", "backfill"},
                      {"project", plan.project},
                      {"environment", plan.environment},
                      {"database", plan.database},
                      {"snapshot", plan.snapshot},
                      {"table", spec.table},
                      {"set", spec.set},
                      {"where", spec.where},
                      {"not_null", spec.not_null},
                      {"batch_time_ms", spec.batch_time.count()},
                      {"first_batch", spec.first_batch},
                      {"most_batch", spec.most_batch},
                      {"lock_timeout_ms", spec.lock_timeout.count()},
                      {"attempts", spec.attempts},
                      {"most_lag_ms", spec.most_lag.count()},
                      {"most_waiting", spec.most_waiting},
                      {"most_active", spec.most_active},
                      {"rest_percent", spec.rest_percent},
                      {"pause_file", spec.pause_file}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string id_of(const BackfillPlan& plan) {
  return base::sha256_hex(to_json(plan)).substr(0, 12);
}

std::string not_null_check(const std::string& column) {
  std::string bare = column;
  if (bare.size() > 1 && bare.front() == '"') bare = bare.substr(1, bare.size() - 2);
  return bare + "_not_null_staithe";
}

std::vector<std::string> statements_of(const BackfillSpec& spec) {
  std::vector<std::string> out;
  const std::string check = pg::quoted_name(not_null_check(spec.not_null));
  const std::string update =
      fmt::format("UPDATE {} SET {} WHERE ({}) AND key > … AND key <= …", spec.table, spec.set, spec.where);
  out.push_back(update);
  if (spec.not_null.empty()) return out;
  out.push_back(fmt::format("ALTER TABLE {} ADD CONSTRAINT {} CHECK ({} IS NOT NULL) NOT VALID", spec.table,
                            check, spec.not_null));
  out.push_back(update);  // for what came in meanwhile
  out.push_back(fmt::format("ALTER TABLE {} VALIDATE CONSTRAINT {}", spec.table, check));
  out.push_back(fmt::format("ALTER TABLE {} ALTER COLUMN {} SET NOT NULL", spec.table, spec.not_null));
  out.push_back(fmt::format("ALTER TABLE {} DROP CONSTRAINT {}", spec.table, check));
  return out;
}

std::string render(const BackfillPlan& plan) {
  const auto& spec = plan.spec;
  std::string out = "Backfill of " + spec.table + " in " + plan.database + "\n";
  if (!plan.snapshot.empty())
    out += "  on a clone of snapshot " + plan.snapshot + ", which is dropped afterwards\n";
  out += "\nStatements, each a transaction of its own:\n";
  int number = 0;
  for (const auto& statement : statements_of(spec)) out += fmt::format("  {}. {}\n", ++number, statement);
  out += fmt::format(
      "\nBatches of about {} ({} rows at first, at most {}), by primary key, or by page where there is none\n"
      "No statement waits for a lock longer than {}; {} attempts\n"
      "Rests while replication is more than {} behind, more than {} sessions wait for locks{}{}\n",
      base::to_text(spec.batch_time), spec.first_batch, spec.most_batch, base::to_text(spec.lock_timeout),
      spec.attempts, base::to_text(spec.most_lag), spec.most_waiting,
      spec.most_active > 0 ? fmt::format(", more than {} are active", spec.most_active) : std::string(),
      spec.pause_file.empty() ? std::string() : ", or the file " + spec.pause_file + " exists");
  return out + "\nplan " + id_of(plan) + "\n";
}

}  // namespace staithe::stage
