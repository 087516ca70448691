#pragma once
#include <string>

namespace staithe::cli {

/// One --report.
struct ReportRequest {
  std::string kind;
  std::string path;  ///< "" when none was named: whether that will do depends on the kind
};

/// Takes NAME=FILE apart. Throws UsageError for "-" as the file: stdout has the run's own lines or records.
ReportRequest report_request(const std::string& text);

}  // namespace staithe::cli
