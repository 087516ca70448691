#define PCRE2_CODE_UNIT_WIDTH 8
#include "pattern.hpp"

#include "staithe/base/error.hpp"

#include <fmt/format.h>
#include <pcre2.h>

#include <array>
#include <utility>

namespace staithe::checks {
namespace {

// A pattern that needs more than that on one text is a mistake; 80 ms of work at the most.
constexpr std::uint32_t match_limit = 1'000'000;
constexpr std::uint32_t heap_kib = 16 * 1024;

struct FreeCode {
  void operator()(pcre2_code* code) const noexcept { ::pcre2_code_free(code); }
};
struct FreeContext {
  void operator()(pcre2_match_context* context) const noexcept { ::pcre2_match_context_free(context); }
};
struct FreeMatch {
  void operator()(pcre2_match_data* data) const noexcept { ::pcre2_match_data_free(data); }
};

}  // namespace

struct Pattern::Compiled {
  std::unique_ptr<pcre2_code, FreeCode> code;
  std::unique_ptr<pcre2_match_context, FreeContext> context;
};

Pattern::Pattern(std::string_view source, Extent extent) : compiled_(std::make_unique<Compiled>()) {
  const std::uint32_t whole = extent == Extent::whole ? PCRE2_ANCHORED | PCRE2_ENDANCHORED : 0U;
  int error = 0;
  std::size_t offset = 0;
  compiled_->code.reset(::pcre2_compile(reinterpret_cast<PCRE2_SPTR>(source.data()), source.size(),
                                        PCRE2_UTF | PCRE2_NEVER_BACKSLASH_C | whole, &error, &offset,
                                        nullptr));
  if (!compiled_->code) {
    std::array<PCRE2_UCHAR, 256> text{};
    ::pcre2_get_error_message(error, text.data(), text.size());
    throw base::Error(base::ErrorCode::invalid,
                      fmt::format("{} at character {} of the pattern",
                                  reinterpret_cast<const char*>(text.data()), offset + 1));
  }
  compiled_->context.reset(::pcre2_match_context_create(nullptr));
  if (!compiled_->context) throw std::bad_alloc();
  ::pcre2_set_match_limit(compiled_->context.get(), match_limit);
  ::pcre2_set_heap_limit(compiled_->context.get(), heap_kib);
}

Pattern::~Pattern() = default;
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;

Pattern::Found Pattern::find(std::string_view text) const {
  const std::unique_ptr<pcre2_match_data, FreeMatch> data(
      ::pcre2_match_data_create_from_pattern(compiled_->code.get(), nullptr));
  if (!data) throw std::bad_alloc();
  const int found = ::pcre2_match(compiled_->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), 0, 0, data.get(), compiled_->context.get());
  if (found >= 0) return Found::yes;
  if (found == PCRE2_ERROR_NOMATCH) return Found::no;
  return found <= PCRE2_ERROR_UTF8_ERR1 && found >= PCRE2_ERROR_UTF8_ERR21 ? Found::bad_text
                                                                           : Found::too_expensive;
}

std::string from_iregexp(std::string_view source) {
  std::string pattern;
  bool in_class = false;
  bool first = true;  // of an alternative
  for (std::size_t i = 0; i < source.size(); ++i) {
    const char c = source[i];
    const bool begins = std::exchange(first, !in_class && (c == '(' || c == '|'));
    if (c == '\\' && i + 1 < source.size()) {
      pattern += c;
      pattern += source[++i];
    } else if (c == '.' && !in_class) {
      pattern += "[^\\n\\r]";
    } else if ((c == '^' || c == '$') && !in_class) {
      // RFC 9485 has plain characters there. Where people mean an anchor the compliance suite of RFC 9535
      // does too.
      const bool ends = i + 1 == source.size() || source[i + 1] == ')' || source[i + 1] == '|';
      if (c == '^' && begins)
        pattern += "\\A";
      else if (c == '$' && ends)
        pattern += "\\z";
      else
        (pattern += '\\') += c;
    } else {
      if (c == '[') in_class = true;
      if (c == ']') in_class = false;
      pattern += c;
    }
  }
  return pattern;
}

}  // namespace staithe::checks
