/// Any bytes as a file: they are read and judged without a crash, and what is said about them is printable.
#include "staithe/base/text.hpp"
#include "staithe/diag/render.hpp"
#include "staithe/yaml/reader.hpp"

#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace staithe;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

/// Reads every value as every type, as some step kind might.
void read_all(const yaml::Reader& reader, std::size_t depth) {
  require(depth <= yaml::max_depth + 1);
  require(reader.node().position.line >= 1 && reader.node().position.column >= 1);
  (void)reader.text();
  (void)reader.integer(-10, 10);
  (void)reader.duration();
  (void)reader.boolean();
  (void)reader.percent_or_count();
  (void)reader.texts();
  yaml::Mapping mapping(reader);
  (void)mapping.text("name", yaml::Need::required);
  mapping.finish();
  for (const auto& item : reader.list().value_or(std::vector<yaml::Reader>{})) read_all(item, depth + 1);
  for (const auto& member : reader.map().value_or(std::vector<yaml::Member>{}))
    read_all(member.value, depth + 1);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  diag::Diagnostics diagnostics;
  const auto root = yaml::parse(text, "f.yml", diagnostics);
  // No tree without a reason.
  require(root.has_value() || diagnostics.has_errors());
  if (root) read_all(yaml::Reader(*root, diagnostics), 1);
  const std::string printed = diag::render(diagnostics);
  require(base::printable(printed) == printed);
  require(base::is_utf8(diag::to_json_lines(diagnostics)));
  return 0;
}
