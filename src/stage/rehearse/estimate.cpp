#include "estimate.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::stage {
namespace {

/// Below that the numbers of rows, which are estimates of the two servers, are the same.
constexpr double noticeably_more = 1.2;
/// Fewer rows than these were found by an index or written one by one: so they will be there.
constexpr std::uint64_t few_rows = 1'000;

double rows_of(const std::map<std::string, double>& rows, const std::string& table) {
  const auto found = rows.find(table);
  return found == rows.end() ? 0 : found->second;
}

Micros times(Micros time, double by) {
  constexpr double longest = 1e15;  // thirty years: beyond that nobody asks
  return Micros{static_cast<Micros::rep>(std::min(longest, static_cast<double>(time.count()) * by))};
}

/// 1 for a table that is not larger there, and where nobody knows.
double ratio_of(const RehearsalReport& report, const std::string& table, std::uint64_t rows_seen) {
  const double there = rows_of(report.production_rows, table);
  double here = rows_of(report.clone_rows, table);
  if (here <= 0) here = static_cast<double>(rows_seen);
  if (there <= 0 || here <= 0) return 1;
  return there / here < noticeably_more ? 1 : there / here;
}

double times_rows(const RehearsalReport& report, const StatementReport& one) {
  double most = 1;
  bool all_rows = false;
  for (const auto& deed : one.deeds) {
    if (!works_on_all_rows(deed)) continue;
    all_rows = true;
    most = std::max(most, ratio_of(report, deed.object, deed.rows));
  }
  // Of an index and of a constraint the deeds have the name, the locks have the table.
  if (all_rows)
    for (const auto& lock : one.locks)
      if (!lock.is_new && lock.blocks != Blocks::nobody)
        most = std::max(most, ratio_of(report, lock.object, 0));
  for (const auto& touched : one.touched) {
    const auto rows = touched.read + touched.inserted + touched.updated + touched.deleted;
    const double of_all =
        static_cast<double>(rows) / std::max(1.0, rows_of(report.clone_rows, touched.table));
    constexpr double good_part = 0.1;
    if (rows >= few_rows || of_all >= good_part) most = std::max(most, ratio_of(report, touched.table, rows));
  }
  return most;
}

/// What of a lock's time is a statement's grows with that statement; what lies between statements does not.
Micros held_in_production(const LockSpan& lock, const std::vector<StatementReport>& statements) {
  Micros held = lock.held;
  for (const auto& one : statements) {
    const auto from = std::max(lock.from, one.began);
    const auto to = std::min(lock.from + lock.held, one.began + one.took);
    if (to > from && one.times_rows > 1) held += times(to - from, one.times_rows - 1);
  }
  return held > lock.held ? held : Micros{0};
}

}  // namespace

Estimate in_production(Micros here, double times_rows) {
  // Measured from a tenth to the whole the error was -9 to +5 %, from a thirtieth -7 to +36 %, and another
  // machine is not this one: hence the range.
  constexpr double far = 10;
  const double low = times_rows > far ? 0.7 : 0.9, high = times_rows > far ? 1.5 : 1.2;
  const auto middle = times(here, times_rows);
  return {times(middle, low), middle, times(middle, high)};
}

std::string estimate_text(const Estimate& estimate) {
  return fmt::format("about {} to {}", micros_text(estimate.low), micros_text(estimate.high));
}

bool works_on_all_rows(const Deed& deed) {
  return deed.kind == Deed::Kind::rewrite || deed.kind == Deed::Kind::scan ||
         deed.kind == Deed::Kind::foreign_key_check || deed.kind == Deed::Kind::index_build;
}

namespace {

/// What the range rests on. It was measured at one size: how the time grows is known of what the server does
/// to a table as a whole, and not of a plan, which may be another one there.
std::string assumption(const StatementReport& one) {
  const bool as_a_whole = std::any_of(one.deeds.begin(), one.deeds.end(), works_on_all_rows);
  if (as_a_whole)
    return "if its time grows with the rows, as that of scans, rewrites and index builds did in other "
           "databases (measured at one size here)";
  return fmt::format(
      "if its time grows with the rows, which was measured at one size only: not less than {} if an index "
      "finds its rows, up to {} if it reads a table again for each row",
      micros_text(one.took), micros_text(times(one.took, one.times_rows * one.times_rows)));
}

}  // namespace

void add_estimates(RehearsalReport& report) {
  for (auto& one : report.statements) {
    one.times_rows = times_rows(report, one);
    if (one.times_rows <= 1) continue;
    one.estimate =
        fmt::format("in production {}: {:.3g} times the rows, on a machine like this one, {}",
                    estimate_text(in_production(one.took, one.times_rows)), one.times_rows, assumption(one));
  }
  for (auto& one : report.statements)
    for (auto& lock : one.locks) lock.in_production = held_in_production(lock, report.statements);
}

Micros total_in_production(const RehearsalReport& report) {
  Micros total{0};
  for (const auto& one : report.statements) total += times(one.took, one.times_rows);
  return total;
}

std::uint64_t wal_in_production(const RehearsalReport& report) {
  double bytes = 0;
  for (const auto& one : report.statements) bytes += static_cast<double>(one.wal_bytes) * one.times_rows;
  return static_cast<std::uint64_t>(bytes);
}

}  // namespace staithe::stage
