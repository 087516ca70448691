#pragma once
#include <chrono>
#include <ctime>
#include <string>

/// Times of day for people and files, in UTC wherever this machine stands.
namespace staithe::base {

std::tm utc(std::chrono::system_clock::time_point time);

/// RFC 3339: "2026-11-20T18:04:05Z", and with milliseconds "2026-11-20T18:04:05.250Z".
std::string utc_text(std::chrono::system_clock::time_point time);
std::string utc_text_ms(std::chrono::system_clock::time_point time);

}  // namespace staithe::base
