#pragma once
#include "staithe/report/sinks.hpp"

#include <memory>

namespace staithe::cli {

/// Every event of a run into the diagnostic log: what began, what came of it and why, output of commands and
/// progress at level debug. Nothing when no log is open.
std::unique_ptr<report::Sink> make_log_sink();

}  // namespace staithe::cli
