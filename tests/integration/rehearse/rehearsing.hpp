#pragma once
#include "catch.hpp"
#include "golden.hpp"

#include "staithe/stage/clone.hpp"
#include "staithe/stage/rehearse.hpp"
#include "staithe/stage/snapshots.hpp"

#include <algorithm>
#include <string_view>

/// Rehearsals of SQL on the database "golden", and what their reports say.
namespace golden {

inline stage::RehearsalReport rehearse(const std::string& sql, stage::RehearsalSettings settings = {},
                                       stage::Passes passes = {false, false, false},
                                       const std::string& down = {}, std::vector<std::string> partial = {},
                                       std::vector<std::string> masked = {},
                                       const std::string& production = {}) {
  diag::Diagnostics diagnostics;
  stage::MigrationSources sources{{{"1.sql", sql}}, {}};
  if (!down.empty()) sources.down["1.sql"] = {"1.down.sql", down};
  stage::RehearsalPlan plan;
  plan.snapshot = "golden";
  plan.files = stage::read_migrations(sources, diagnostics);
  REQUIRE_FALSE(diagnostics.has_errors());
  plan.settings = std::move(settings);
  plan.passes = passes;
  plan.partial = std::move(partial);
  plan.masked = std::move(masked);
  plan.snapshot_version = production;
  Deaf deaf;
  const auto as_it_is = [](const std::string& text) { return text; };
  static int number = 0;
  const std::atomic<int> interrupted{143};
  auto end = stage::run_rehearsal(plan, {server().url(), {}, "run" + std::to_string(++number), {}, as_it_is},
                                  deaf, soon(), interrupted);
  INFO(end.finished.failure);
  REQUIRE(end.report);
  auto report = std::move(*end.report);
  pg::Session cluster(server().url(), {}, soon());
  CHECK(stage::list_clones(cluster, soon()).empty());
  return report;
}

inline stage::RehearsalSettings short_reader(int milliseconds) {
  stage::RehearsalSettings settings;
  settings.open_transaction = base::Duration{milliseconds};
  return settings;
}

inline bool has(const stage::RehearsalReport& report, const std::string& code) {
  return std::any_of(report.findings.begin(), report.findings.end(),
                     [&](const auto& f) { return f.code == code; });
}
inline const stage::Finding& finding(const stage::RehearsalReport& report, std::string_view code) {
  for (const auto& one : report.findings)
    if (one.code == code) return one;
  FAIL("no finding " << code);
  return report.findings.front();
}
inline bool did(const stage::StatementReport& statement, stage::Deed::Kind kind) {
  return std::any_of(statement.deeds.begin(), statement.deeds.end(),
                     [&](const auto& d) { return d.kind == kind; });
}
inline bool locked(const stage::StatementReport& statement, const std::string& object,
                   const std::string& mode) {
  return std::any_of(statement.locks.begin(), statement.locks.end(),
                     [&](const auto& l) { return l.object == object && l.mode == mode; });
}

}  // namespace golden
