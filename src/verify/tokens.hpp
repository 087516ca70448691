#pragma once
#include "staithe/checks/suite.hpp"

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::verify {

/// What of a secret value is a secret by itself too.
struct TokenUse {
  bool halves = false;  ///< it goes to `auth: basic`, or to a proxy: the half behind ':'
  bool cookie = false;  ///< it is a whole cookie: each of its values
  bool sent = false;    ///< it opens something, whatever it reads like

  bool operator==(const TokenUse&) const = default;
};

/// Names of values that are secrets because of how they are called or where they go.
using TokenNames = std::map<std::string, TokenUse, std::less<>>;

/// For each suite, by its name: the values, saved or used from another suite, whose own name or that of the
/// field they are saved from says so (reset_token, set-cookie), and those that are put into credentials, into
/// a header that carries some (x-api-key, cookie), or behind a name that says so in a URL, a body or a
/// command's environment (access_token=…). What a suite exports counts where another one does that with it.
std::map<std::string, TokenNames> tokens_of(const checks::SuitePlan& plan);

/// Of what a subject of a reply names, where its last part says that it is a secret: json.access_token.
std::optional<TokenUse> use_of_subject(std::string_view subject);

/// The value, and what of it is a secret without the rest: of "Bearer X" that is X, of "Basic X" also
/// the pair that X is for, and its half.
std::vector<std::string> secrets_in(std::string_view token, TokenUse use);

}  // namespace staithe::verify
