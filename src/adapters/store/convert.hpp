#pragma once
#include "database.hpp"

#include "staithe/store/records.hpp"

#include <cstddef>
#include <string>
#include <string_view>

namespace staithe::store {

/// A whole number as the tables hold it; NULL is 0. Anything else is base::Error{io}: a damaged state.
long long to_number(const Value& value);
Time to_time(const Value& value);
std::string to_value(Time time);
/// Text as it is, NULL as empty.
std::string to_text(const Value& value);

/// The columns of a row, one after the other.
class Columns {
 public:
  explicit Columns(const Row& row) : row_(row) {}

  const Value& value() { return row_.at(next_++); }
  std::string text() { return to_text(value()); }
  long long number() { return to_number(value()); }
  Time time() { return to_time(value()); }
  /// Into each of them, in this order.
  template <class... Texts>
  void texts(Texts&... to) {
    ((to = text()), ...);
  }

 private:
  const Row& row_;
  std::size_t next_ = 0;
};

/// Refuses with base::Error{invalid}, naming `what`, text that not both backends keep as it is: NUL bytes,
/// invalid UTF-8, more than `limit` bytes.
void check_text(std::string_view what, std::string_view text, std::size_t limit = 4096);

}  // namespace staithe::store
