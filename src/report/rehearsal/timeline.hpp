#pragma once
#include "staithe/stage/rehearsal_report.hpp"

#include <string>

namespace staithe::report {

/// An SVG: a row for each statement, below it the locks that it held, coloured by whom they keep out; for a
/// pass under load a row of the stalls of each statement of the workload.
std::string timeline_svg(const stage::RehearsalReport& report);

/// "&", "<", ">" and quotes made harmless.
std::string html_text(const std::string& text);

/// "worst stall 120 ms", where one was long enough to be kept.
std::string stall_text(stage::Micros stall);

}  // namespace staithe::report
