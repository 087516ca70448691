#pragma once
#include "table.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::cli {

/// What stood on the command line, by the table's names.
struct Parsed {
  const Command* command = nullptr;
  std::map<std::string, std::vector<std::string>, std::less<>>
      values;  ///< a flag has one empty text each time
  std::vector<std::string> positionals;

  bool has(std::string_view option) const { return values.find(option) != values.end(); }
  std::string value(std::string_view option, std::string_view otherwise = {}) const;
  std::vector<std::string> all(std::string_view option) const;
};

/// Either a command to run, or what to print and how to end.
struct ParseResult {
  std::optional<Parsed> parsed;
  std::string to_stdout;
  std::string to_stderr;
  int exit_code = 0;
};

ParseResult parse(int argc, const char* const* argv);

}  // namespace staithe::cli
