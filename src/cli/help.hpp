#pragma once
#include "table.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::cli {

/// What `staithe` alone prints.
std::string overview();
std::string help_for(const Command& command);
/// For a noun with several commands: "hostkeys".
std::string group_help(const std::string& noun);
std::string version_text();
/// The words of `text` in lines of at most 80 columns; all but the first, which begins at `column`, have
/// `indent` blanks in front.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t column);
/// One line about a noun with several commands.
std::string group_summary(std::string_view noun);

/// What `staithe help TOPIC` explains: commands, kinds of steps, and some subjects.
std::vector<std::string> help_topics();
std::optional<std::string> help_on(const std::string& topic);

}  // namespace staithe::cli
