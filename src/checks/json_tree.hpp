#pragma once
#include <nlohmann/json_fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

/// JSON whose numbers are as they are written. Where a double would lose something of that, the last digits,
/// a zero behind the point, all of 1e400, the node is a binary one that holds the text: no text has such.
namespace staithe::checks {

/// Discarded where the text is no JSON.
nlohmann::json read_json(std::string_view text);
/// On one line.
std::string written(const nlohmann::json& node);

bool is_number(const nlohmann::json& node);
/// Of a number; infinite where it is beyond them.
double number_of(const nlohmann::json& node);
/// A number that reads like that.
nlohmann::json number_as_written(double number, std::string_view text);

/// 2.50 is 2.5, and of whole numbers all digits count.
bool same(const nlohmann::json& a, const nlohmann::json& b);
/// Both are numbers.
bool is_less(const nlohmann::json& a, const nlohmann::json& b);

/// nlohmann's parser ends at a number that is beyond doubles (its exception 406): a text that it reads, with
/// "0e7" for the seventh of them.
class InRange {
 public:
  explicit InRange(std::string_view text);
  const std::string& text() const { return text_; }
  /// What stood where the parser now meets a float that reads `written`.
  const std::string& original(const std::string& written) const;

  static constexpr int beyond = 406;

 private:
  std::string text_;
  std::vector<std::string> originals_;
};

}  // namespace staithe::checks
