#pragma once
#include "step_reader.hpp"

#include <optional>
#include <string>
#include <vector>

namespace staithe::checks {

/// The table that a suite's `cases` names: each row is what a step is done for once.
class CaseReader {
 public:
  /// `file` is the suite's: the table's name starts from where that is.
  CaseReader(const std::string& file, const Context& context) : suite_file_(file), context_(context) {}

  /// `reader` holds the table's name. Mistakes are findings, in the table where they stand there.
  std::vector<Instance> read(const yaml::Reader& reader);
  /// The table that was read, for showing what is wrong in it.
  void add_source(diag::SourceMap& sources) const {
    if (text_) sources.add(file_, *text_);
  }

 private:
  Instance case_of(const Table& table, std::size_t row) const;
  static diag::Position place_of_label(const Instance& one);

  std::string suite_file_;
  const Context& context_;
  std::string file_;
  std::optional<std::string> text_;
};

}  // namespace staithe::checks
