#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/stage/rehearsal.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::stage {
namespace {

using nlohmann::json;

constexpr std::size_t id_digits = 12;
constexpr std::size_t shown_statement = 100;

json optional_ms(const std::optional<base::Duration>& duration) {
  return duration ? json(duration->count()) : json();
}

json statements_json(const std::vector<PlannedStatement>& statements) {
  json out = json::array();
  for (const auto& statement : statements)
    out.push_back({{"sql", statement.text},
                   {"line", statement.line},
                   {"column", statement.column},
                   {"in_transaction", statement.in_transaction}});
  return out;
}

json file_json(const MigrationFile& file) {
  return {{"path", file.path},
          {"sha256", file.sha256},
          {"transactions", name_of(file.transactions)},
          {"lock_timeout_ms", optional_ms(file.lock_timeout)},
          {"expected_ms", optional_ms(file.expected)},
          {"statements", statements_json(file.statements)},
          {"down_path", file.down_path},
          {"down_sha256", file.down_sha256},
          {"down", statements_json(file.down)}};
}

json json_of(const Budgets& budgets) {
  json out{{"blocking_ms", budgets.blocking.count()}, {"total_ms", optional_ms(budgets.total)}};
  out["rewrite_rows"] = budgets.rewrite_rows ? json(*budgets.rewrite_rows) : json();
  out["wal_bytes"] = budgets.wal_bytes ? json(*budgets.wal_bytes) : json();
  return out;
}

json settings_json(const RehearsalSettings& settings) {
  json workload = json::array(), queries = json::array(), assertions = json::array();
  for (const auto& load : settings.workload)
    workload.push_back(
        {{"name", load.name}, {"sql", load.sql}, {"params", load.params}, {"every_ms", load.every.count()}});
  for (const auto& query : settings.queries) queries.push_back({{"name", query.name}, {"sql", query.sql}});
  for (const auto& assertion : settings.assertions)
    assertions.push_back({{"name", assertion.name}, {"sql", assertion.sql}});
  return {{"budgets", json_of(settings.budgets)},
          {"accept", {{"partial", settings.accepted.partial}, {"masked", settings.accepted.masked}}},
          {"workload", workload},
          {"queries", queries},
          {"assertions", assertions},
          {"checks", settings.checks},
          {"open_transaction_ms", settings.open_transaction.count()},
          {"top_statements", settings.top_statements},
          {"replay", settings.replay},
          {"production_rows", settings.production_rows}};
}

std::string file_text(const MigrationFile& file) {
  std::string how = "one transaction";
  if (file.transactions == Transactions::each) how = "each statement by itself";
  if (file.transactions == Transactions::own) how = "with its own transactions";
  if (file.lock_timeout) how += ", lock timeout " + base::to_text(*file.lock_timeout);
  if (file.expected) how += ", expected within " + base::to_text(*file.expected);
  std::string out = fmt::format("  {}  ({}; sha256 {})\n", file.path, how, file.sha256.substr(0, id_digits));
  for (const auto& statement : file.statements)
    out += fmt::format("    {:>4}  {}\n", statement.line, short_sql(statement.text, shown_statement));
  if (!file.down_path.empty())
    out += fmt::format("    and back by {}, {}\n", file.down_path,
                       base::count_text(file.down.size(), "statement"));
  return out;
}

std::string passes_text(const RehearsalPlan& plan) {
  std::string out = "Passes, each on a clone of its own, which is dropped afterwards:\n";
  int number = 0;
  out += fmt::format("  {}. measure: locks, what the server does, rows, WAL, sizes\n", ++number);
  const bool back = std::any_of(plan.files.begin(), plan.files.end(),
                                [](const auto& file) { return !file.down_path.empty(); });
  if (back) out += "     then back by the down scripts, and the schema compared\n";
  if (plan.passes.load) {
    const auto& settings = plan.settings;
    out += fmt::format("  {}. under load: {}\n", ++number,
                       settings.workload.empty()
                           ? "readers and writers on the tables that the first pass touched"
                           : "the declared workload");
    if (settings.workload.empty() && settings.replay > 0 && settings.top_statements > 0)
      out += fmt::format(
          "     and up to {} statements of production that work on them, if it can be asked, without their "
          "values\n",
          settings.replay);
  }
  if (plan.passes.open_transaction)
    out += fmt::format("  {}. with a reader's transaction open for {} before each strong lock\n", ++number,
                       base::to_text(plan.settings.open_transaction));
  if (plan.passes.advice) out += fmt::format("  {}. what is advised instead, if anything\n", ++number);
  return out;
}

/// Budgets hold on the clone, and for what is expected in production.
std::string budgets_text(const Budgets& budgets) {
  std::string out =
      "Fails when a statement fails, or when here or, by the number of rows there, in production\n";
  out += "  readers or writers are kept out for more than " + base::to_text(budgets.blocking) + "\n";
  if (budgets.total) out += "  all takes more than " + base::to_text(*budgets.total) + "\n";
  if (budgets.rewrite_rows)
    out += fmt::format("  a table of more than {} rows is rewritten\n", *budgets.rewrite_rows);
  if (budgets.wal_bytes) out += "  more WAL is written than " + base::bytes_text(*budgets.wal_bytes) + "\n";
  return out;
}

}  // namespace

std::string to_json(const RehearsalPlan& plan) {
  json files = json::array();
  for (const auto& file : plan.files) files.push_back(file_json(file));
  const json document{{"kind", "rehearse"},
                      {"project", plan.project},
                      {"environment", plan.environment},
                      {"snapshot", plan.snapshot},
                      {"snapshot_taken_at", plan.snapshot_taken_at},
                      {"snapshot_origin", plan.snapshot_origin},
                      {"snapshot_lsn", plan.snapshot_lsn},
                      {"snapshot_version", plan.snapshot_version},
                      {"masked", plan.masked},
                      {"nulls_kept", plan.nulls_kept},
                      {"partial", plan.partial},
                      {"files", files},
                      {"command", plan.command},
                      {"command_files", plan::text_of(plan.command_files)},
                      {"settings", settings_json(plan.settings)},
                      {"passes",
                       {{"load", plan.passes.load},
                        {"open_transaction", plan.passes.open_transaction},
                        {"advice", plan.passes.advice}}},
                      {"keep_clone", plan.keep_clone}};
  return document.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string id_of(const RehearsalPlan& plan) {
  return base::sha256_hex(to_json(plan)).substr(0, id_digits);
}

std::vector<plan::FileSum> file_sums(const RehearsalPlan& plan) {
  std::vector<plan::FileSum> sums;
  for (const auto& file : plan.files) sums.push_back({std::string(plan::file_name(file.path)), file.sha256});
  sums.insert(sums.end(), plan.command_files.begin(), plan.command_files.end());
  return sums;
}

std::string migration_hash(const RehearsalPlan& plan) {
  return plan::id_of(file_sums(plan));
}

std::string render(const RehearsalPlan& plan) {
  std::string out = "Rehearse " + (plan.project.empty() ? std::string() : plan.project + " ") +
                    "on snapshot " + plan.snapshot;
  if (!plan.snapshot_taken_at.empty()) out += ", taken " + plan.snapshot_taken_at;
  if (!plan.snapshot_origin.empty()) out += " of " + plan.snapshot_origin;
  out += "\n\n";
  if (!plan.command.empty())
    out += "Command, with DATABASE_URL in its environment:\n  " + plan.command + "\n";
  for (const auto& file : plan.command_files)
    out += fmt::format("  applies {}  sha256 {}\n", file.name, file.sha256.substr(0, 12));
  if (!plan.files.empty()) out += "Files, in this order:\n";
  for (const auto& file : plan.files) out += file_text(file);
  out += "\n" + passes_text(plan);
  const auto& settings = plan.settings;
  if (!settings.workload.empty()) {
    out += "\nWorkload:\n";
    for (const auto& load : settings.workload)
      out += fmt::format("  {}, every {}: {}\n", load.name, base::to_text(load.every),
                         short_sql(load.sql, shown_statement));
  }
  if (!settings.assertions.empty() || !settings.checks.empty()) out += "\nAfterwards:\n";
  for (const auto& assertion : settings.assertions)
    out += fmt::format("  assert {}: {}\n", assertion.name, short_sql(assertion.sql, shown_statement));
  for (const auto& check : settings.checks) out += "  run    " + check + "\n";
  out += "\n" + budgets_text(settings.budgets);
  const auto& accepted = settings.accepted;
  if (!accepted.partial.empty())
    out += "\nDeclared to do without all rows: " + base::join(accepted.partial, ", ") + "\n";
  if (!accepted.masked.empty())
    out += "\nDeclared to do with masks: " + base::join(accepted.masked, ", ") + "\n";
  return out + "\nplan " + id_of(plan) + "\n";
}

}  // namespace staithe::stage
