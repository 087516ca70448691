#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace staithe::base {

/// "3 hosts", "1 host", for nouns that take an "s".
std::string count_text(std::uint64_t count, std::string_view noun);

}  // namespace staithe::base
