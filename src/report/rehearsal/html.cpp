#include "staithe/report/rehearsal.hpp"

namespace staithe::report {

std::string rehearsal_html(const stage::RehearsalReport& report) {
  return stage::to_json(report);
}

}  // namespace staithe::report
