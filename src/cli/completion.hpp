#pragma once
#include "table.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::cli {

/// The completion script of "bash", "zsh" or "fish", made from the table; nothing for another shell.
std::optional<std::string> completion_script(std::string_view shell);

/// What `staithe __complete` calls a kind; "" for one that is not asked for there.
std::string_view dynamic_kind(Completes completes);
/// Words that never change, for kinds that have some.
std::vector<std::string> fixed_words(Completes completes);

}  // namespace staithe::cli
