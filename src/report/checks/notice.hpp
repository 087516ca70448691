#pragma once
#include "staithe/verify/result.hpp"

#include <string>
#include <vector>

namespace staithe::report {

/// Which faults a run would have noticed: a line for each number of requests that checks made, the weakest
/// first; none when nothing that blocks was judged.
std::vector<std::string> would_notice_lines(const verify::RunResult& run);

}  // namespace staithe::report
