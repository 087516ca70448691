#include "report_request.hpp"

#include "app.hpp"

#include <fmt/format.h>

namespace staithe::cli {

ReportRequest report_request(const std::string& text) {
  const auto equals = text.find('=');
  ReportRequest request{text.substr(0, equals),
                        equals == std::string::npos ? std::string() : text.substr(equals + 1)};
  if (request.path == "-")
    throw UsageError(
        fmt::format("--report {}: a report goes to a file; stdout shows how the run goes "
                    "(--json: as records). ./- is a file of that name",
                    text));
  return request;
}

}  // namespace staithe::cli
