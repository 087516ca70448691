#pragma once
#include "staithe/report/sinks.hpp"
#include "staithe/stage/rehearsal_report.hpp"

#include <string>

/// A rehearsal's report for people and for other programs.
namespace staithe::report {

/// The verdict first, then what was found with what to do instead, then each statement.
std::string rehearsal_text(const stage::RehearsalReport& report, Color color);

/// One page that needs nothing else: a timeline of statements, locks and stalls, and all of the report.
std::string rehearsal_html(const stage::RehearsalReport& report);

/// The page in its place until there is one, and where there will be none: `verdict` says why. `run_id` is
/// "" as long as there is no run.
std::string unfinished_rehearsal_html(const std::string& run_id, const std::string& verdict);

/// Puts it in place of the file `path`, whole or not at all. Throws base::Error.
void write_rehearsal(const std::string& path, const std::string& text);

}  // namespace staithe::report
