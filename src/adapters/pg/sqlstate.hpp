#pragma once
#include "staithe/base/error.hpp"

#include <string>
#include <string_view>

/// What the two kinds of sessions make of the server's and libpq's words.
namespace staithe::pg {

/// Line ends and tabs become spaces; none at the end.
std::string one_line(std::string text);

base::ErrorCode code_of(std::string_view sqlstate);

/// libpq gives no code for what goes wrong while connecting.
base::ErrorCode connect_code(std::string_view text);

/// Whether a failed connection was refused by a server that lives, in whatever language it speaks: libpq puts
/// two spaces behind the colon of its "FATAL:  sorry, too many clients already", and of no text of its own.
/// Whatever else went wrong, nobody was heard.
bool is_of_server(const base::Error& error);

}  // namespace staithe::pg
