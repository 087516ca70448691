#pragma once
#include "staithe/http/client.hpp"

#include <string>

namespace staithe::world {

/// Of a certificate that ends then, in seconds since 1970; below zero once it has.
double days_left(double not_after);

/// "trusted; 40 days left", "expired 35 days ago", "not valid yet, but in 3 days; 90 days left".
std::string standing_in_words(const http::Certificate& certificate);

}  // namespace staithe::world
