#pragma once
#include "hosts.hpp"

#include "staithe/checks/request.hpp"

#include <string>
#include <utility>
#include <vector>

namespace staithe::world {

using Variables = std::vector<std::pair<std::string, std::string>>;

/// What a command of a check came to, here or on a host.
struct Ran {
  int status = 0;
  std::string signal;    ///< "SIGKILL" of what was killed; "" of what ended by itself
  std::string out, err;  ///< of more than is kept its beginning, a word about the gap, and its end
  bool out_cut = false, err_cut = false;
};

/// They throw as proc::run and Hosts::run do.
Ran run_here(const std::string& script, const Variables& variables, const base::Scope& scope);
Ran run_on(Hosts& hosts, const std::string& host, const std::string& script, const Variables& variables,
           const base::Scope& scope);

checks::Reply reply_of(Ran ran);

}  // namespace staithe::world
