#include "abbreviation.hpp"
#include "builder.hpp"
#include "source.hpp"
#include "syntax.hpp"

#include "staithe/yaml/node.hpp"

#include <fmt/format.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <sstream>
#include <string>

namespace staithe::yaml {
namespace {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// False when the file cannot be handed to the parser at all.
bool acceptable(std::string_view text, const std::string& file, diag::Diagnostics& diagnostics) {
  if (text.size() > max_file_bytes) {
    diagnostics.error({file, 0, 0}, fmt::format("the file is larger than {} KiB", max_file_bytes / 1024));
    return false;
  }
  if (text.starts_with("\xFE\xFF") || text.starts_with("\xFF\xFE")) {
    diagnostics.error({file, 0, 0}, "the file is UTF-16", "", "save the file as UTF-8");
    return false;
  }
  return true;
}

}  // namespace

std::optional<Node> parse(std::string_view text, const std::string& file, diag::Diagnostics& diagnostics) {
  if (!acceptable(text, file, diagnostics)) return std::nullopt;
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  diagnostics.sources().add(file, std::string(text));
  Source source(text, file);
  if (!source.check_bytes(diagnostics)) return std::nullopt;
  const std::size_t first = source.skip_blanks(0);
  if (first < text.size() && text[first] == '%') {
    diagnostics.error(source.position(first), "YAML directives are not supported", "", "remove the line");
    return std::nullopt;
  }

  // yaml-cpp takes the end of the file for a closing quote; an end marker makes it notice. The line feed is
  // added only where one is missing, because block scalars keep what they find.
  const Abbreviation shortened(text);
  std::string input = shortened.text();
  if (!input.empty() && input.back() != '\n') input += '\n';
  input += "...\n";
  std::istringstream stream(std::move(input));
  Builder builder(source, shortened, diagnostics);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Abandoned&) {
    return std::nullopt;
  } catch (const YAML::ParserException& exception) {
    const auto offset = builder.offset_of(exception.mark);
    if (!builder.saw_tab()) diagnostics.add(explain_syntax_error(exception.msg, offset, source, builder));
    return std::nullopt;
  }
  Node root = builder.take();
  if (root.kind == Kind::null) root.position = {file, 1, 1};
  return root;
}

}  // namespace staithe::yaml
