#pragma once
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::base {

/// Optimal string alignment distance: a swap of neighbours costs 1. Works on bytes.
/// Source: https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance#Optimal_string_alignment_distance
std::size_t edit_distance(std::string_view a, std::string_view b);

/// The candidate nearest to `word`, when it is near enough to be what was meant (distance at most 2 and
/// less than half of the longer word).
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates);

/// One word for a POSIX shell: left as it is when it is harmless, else in single quotes. NUL is refused with
/// base::Error{invalid}.
std::string shell_quote(std::string_view word);

/// Parts between separators; "a,,b" has an empty one. An empty text has no part.
std::vector<std::string> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string join(std::span<const std::string> parts, std::string_view separator);

/// Bytes from a peer made safe for a terminal or a log: ESC sequences, C0 (but not \n and \t), DEL and C1
/// are removed, "\r\n" becomes "\n", a lone "\r" becomes "\n", invalid UTF-8 becomes U+FFFD.
std::string printable(std::string_view bytes);

/// The same on one line: a blank for each line break and tab, so that no text of strangers looks like our
/// next line.
std::string one_line(std::string_view bytes);

/// The text, or its beginning and "..." when it has more than `most` bytes (3 or more); no character is cut.
std::string shortened(std::string_view text, std::size_t most);

/// Bytes of the well-formed UTF-8 sequence (1 to 4) that `text` begins with; 0 when it begins with none.
std::size_t utf8_sequence(std::string_view text);
bool is_utf8(std::string_view text);
/// Code points in well-formed UTF-8 (anything else: bytes that do not continue a sequence).
std::size_t code_points(std::string_view text);

/// Lower-case SHA-256 in hexadecimal, 64 digits.
std::string sha256_hex(std::string_view bytes);

/// RFC 4648 base64 with padding. Decoding refuses anything else with nullopt.
std::string base64(std::string_view bytes);
std::optional<std::string> base64_decode(std::string_view text);

/// "1.5 MiB", "812 B".
std::string bytes_text(unsigned long long bytes);

/// Host names written as ranges: "web[1-3,7].example" to its names, in the order given; leading zeros are
/// kept ("web[08-10]"). No brackets: the one name. Malformed, descending or over 10,000 names: nullopt.
std::optional<std::vector<std::string>> expand_range(std::string_view pattern);

/// The inverse for display: {"web1","web2","web3","db"} to "web[1-3],db". Order: as first met.
std::string fold_names(std::span<const std::string> names);

/// '*' any run, '?' one byte; everything else literal.
bool wildcard_match(std::string_view pattern, std::string_view text);

}  // namespace staithe::base
