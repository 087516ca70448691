#pragma once
#include "staithe/diag/diagnostic.hpp"

#include <cstddef>
#include <string>

namespace staithe::diag {

/// Strings put around the parts of a finding, usually escape sequences. The default is plain text.
struct Style {
  std::string location;
  std::string error;
  std::string warning;
  std::string caret;
  std::string note;
  std::string reset;
  std::string consequence = "nothing was run";  ///< of errors
};

/// One finding in the shape of a compiler's, which editors and CI servers parse:
///
///     deploy.yml:4:5: error: unknown key 'drian'
///       4 |   - drian: {within: 60s}
///         |     ^~~~~
///         = at each[0]
///         = help: did you mean 'drain'?
///
/// Control characters in any part are made harmless; tabs of the source line are kept.
std::string render(const Diagnostic& diagnostic, const SourceMap& sources, const Style& style = {});

/// All findings, sorted, at most `limit` of them (errors before warnings when there are more), then how
/// many there are, and what that means: "3 errors, 1 warning; nothing was run." Empty when nothing was found.
std::string render(const Diagnostics& diagnostics, const Style& style = {}, std::size_t limit = 20);

/// One JSON object on one line, without the line end: type ("diagnostic"), severity, file, line, column,
/// length, message, path, help. Bytes that are no UTF-8 become U+FFFD.
std::string to_json(const Diagnostic& diagnostic);

/// JSON Lines: every finding that was kept, sorted, one to_json() and "\n" each.
std::string to_json_lines(const Diagnostics& diagnostics);

}  // namespace staithe::diag
