#pragma once
#include "staithe/stage/rehearsal_report.hpp"

#include <optional>

namespace staithe::stage {

/// What a time on the clone becomes in production, where there are `times_rows` as many rows.
struct Estimate {
  Micros low{0}, middle{0}, high{0};
};
Estimate in_production(Micros here, double times_rows);
/// "about 3.1 s to 4.2 s".
std::string estimate_text(const Estimate& estimate);

/// It takes longer where there are more rows.
bool works_on_all_rows(const Deed& deed);

/// Says of each statement how many times the rows it meets in production, and of each lock how long it would
/// be held there. Statements whose tables have as many rows here keep 1.
void add_estimates(RehearsalReport& report);

/// All statements together.
Micros total_in_production(const RehearsalReport& report);
std::uint64_t wal_in_production(const RehearsalReport& report);

}  // namespace staithe::stage
