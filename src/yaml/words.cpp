#include "words.hpp"

#include "staithe/base/text.hpp"

namespace staithe::yaml {

std::string in_quotes(std::string_view word) {
  constexpr std::size_t longest = 40;
  std::size_t end = 0;
  for (std::size_t count = 0; end < word.size() && count < longest; ++count) {
    const std::size_t length = base::utf8_sequence(word.substr(end));
    end += length == 0 ? 1 : length;
  }
  std::string text = "'";
  text += word.substr(0, end);
  if (end < word.size()) text += "...";
  return text + "'";
}

}  // namespace staithe::yaml
