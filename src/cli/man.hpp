#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace staithe::cli {

class App;

/// A part of the manual pages as mdoc, generated so that it cannot differ from the program:
/// "synopsis COMMAND", "options COMMAND", "examples COMMAND", "commands", "global", "environment", "steps".
/// Nothing when there is no such part.
std::optional<std::string> manual_part(std::string_view part);

/// The hidden command behind it; without a part it names them all.
int run_man(App& app);

}  // namespace staithe::cli
