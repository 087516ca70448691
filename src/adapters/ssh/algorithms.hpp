#pragma once
#include "staithe/ssh/endpoint.hpp"

#include <string>
#include <string_view>
#include <vector>

/// Which algorithms a session offers: ours, or what ssh_config makes of them.
namespace staithe::ssh {

/// An algorithm list as ssh_config(5) writes it: "a,b" stands for itself, "+a,b" comes after the defaults,
/// "-a*,b" is taken out of them (with wildcards), "^a,b" comes before them. Empty: the defaults.
std::vector<std::string> listed(std::string_view setting, const std::vector<std::string>& defaults);

std::string ciphers_of(const Algorithms& wish);
std::string macs_of(const Algorithms& wish);
std::string key_exchanges_of(const Algorithms& wish);
/// For proving who we are.
std::string signatures_of(const Algorithms& wish);

/// For the server's key. Types of `known` come first, as with ssh(1) unless the setting has an order of its
/// own; with `only_type` keys of this type only. Names that libssh cannot verify are left out; empty when
/// nothing is left.
std::string host_key_algorithms_of(const Algorithms& wish, const std::vector<std::string>& known,
                                   std::string_view only_type);

}  // namespace staithe::ssh
