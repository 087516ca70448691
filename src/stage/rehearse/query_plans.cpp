#include "query_plans.hpp"

#include "catalog.hpp"
#include "reach.hpp"
#include "sql_text.hpp"

#include "staithe/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace staithe::stage {
namespace {

using nlohmann::json;

constexpr double worth_saying = 1.5;

std::string shape_of(const json& node) {
  std::string shape = node.value("Node Type", "?");
  for (const auto* key : {"Index Name", "Relation Name"})
    if (node.contains(key)) {
      shape += " " + node[key].get<std::string>();
      break;
    }
  if (!node.contains("Plans")) return shape;
  std::vector<std::string> inner;
  for (const auto& child : node["Plans"]) inner.push_back(shape_of(child));
  return shape + "(" + base::join(inner, ", ") + ")";
}

std::string nulls(std::size_t count) {
  if (count == 0) return {};
  return "(" + base::join(std::vector<std::string>(count, "NULL"), ", ") + ")";
}

}  // namespace

bool can_be_planned(const std::string& sql) {
  diag::Diagnostics ignored;
  const auto parsed = split_sql(sql, "", ignored);
  if (ignored.has_errors() || parsed.statements.size() != 1) return false;
  const auto& first = parsed.statements.front().tokens.front();
  for (const auto* word : {"select", "insert", "update", "delete", "with", "merge", "values"})
    if (first.is(word)) return true;
  return first.is_symbol('(');
}

namespace {

void explain(pg::Session& session, QueryPlan& plan, Whose whose, const base::Scope& scope) {
  const std::string name = "staithe_plan";
  if (whose == Whose::declared) {
    session.prepare(name, plan.sql, scope);
  } else if (const auto reach = prepare(session, name, plan.sql, Use::plan, scope); reach != Reach::stays) {
    plan.refused = reach == Reach::refused;
    return;
  }
  session.run("SET LOCAL plan_cache_mode = force_generic_plan", scope);
  const auto params = session.run(
      "SELECT cardinality(parameter_types) FROM pg_prepared_statements WHERE name = 'staithe_plan'", scope);
  const auto explained = session.run(
      "EXPLAIN (FORMAT JSON) EXECUTE staithe_plan" + nulls(number_of(params.rows.at(0)[0])), scope);
  const auto document = json::parse(explained.rows.at(0)[0].value_or(""));
  const auto& root = document.at(0).at("Plan");
  plan.cost = root.value("Total Cost", 0.0);
  plan.shape = shape_of(root);
}

}  // namespace

QueryPlan plan_of(pg::Session& session, const QueryPlan& asked, Whose whose, const base::Scope& scope) {
  QueryPlan plan{asked.name, asked.sql, asked.calls, 0, {}, {}};
  if (!can_be_planned(plan.sql)) {
    plan.error = "not a statement that has a plan";
    return plan;
  }
  session.run("BEGIN READ ONLY", scope);
  try {
    session.run("SET LOCAL standard_conforming_strings = on", scope);
    explain(session, plan, whose, scope);
  } catch (const pg::StatementError& error) {
    plan.error = error.refusal().message;
  } catch (const json::exception& error) {
    plan.error = error.what();
  }
  session.run("ROLLBACK", scope);
  session.run("DEALLOCATE ALL", scope);
  return plan;
}

Compared compare(const std::vector<QueryPlan>& before, const std::vector<QueryPlan>& after) {
  Compared compared;
  for (std::size_t i = 0; i < before.size() && i < after.size(); ++i) {
    const auto &old = before[i], &now = after[i];
    if (!old.error.empty()) {
      ++compared.skipped;
      continue;
    }
    PlanChange change;
    change.query = old.sql;
    change.calls = old.calls;
    change.cost_before = old.cost;
    change.cost_after = now.cost;
    change.shape_before = old.shape;
    change.shape_after = now.shape;
    change.error = now.error;
    const bool planned = !old.shape.empty() && !now.shape.empty();
    // Of what was not even read before, an error is no news.
    const bool breaks = !now.error.empty() && !old.refused;
    if (!breaks && !planned) ++compared.unplanned;
    if (breaks)
      change.kind = PlanChange::Kind::broken;
    else if (!planned)
      continue;
    else if (now.cost > old.cost * worth_saying)
      change.kind = PlanChange::Kind::worse;
    else if (now.cost * worth_saying < old.cost)
      change.kind = PlanChange::Kind::better;
    else if (now.shape != old.shape)
      change.kind = PlanChange::Kind::changed;
    else
      continue;
    compared.changes.push_back(std::move(change));
  }
  std::stable_sort(compared.changes.begin(), compared.changes.end(),
                   [](const PlanChange& a, const PlanChange& b) {
                     return static_cast<int>(a.kind) < static_cast<int>(b.kind);
                   });
  return compared;
}

}  // namespace staithe::stage
