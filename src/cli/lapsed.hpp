#pragma once
#include "staithe/world/survey.hpp"

#include <map>
#include <string>
#include <vector>

namespace staithe::cli {

/// A host that a run took out and that nothing of ours has given back, and that is let in all the same:
/// HAProxy forgets a drain when it is reloaded, and anybody may put a server back by hand.
struct Lapsed {
  world::TakenOut taken;
  std::vector<std::string> let_in;  ///< balancers where no command keeps visitors away
  bool serves = false;              ///< on one of them, now
};

/// By host, of those that no run has in hand. Pure.
std::map<std::string, Lapsed> lapsed(const std::map<std::string, world::TakenOut>& taken,
                                     const std::vector<world::BalancerLook>& balancers);

/// "web3 was drained by ann, run R, ...: drain web3: disk swap, but serves on edge1 (...)".
std::string in_words(const std::string& host, const Lapsed& lapsed);

/// What was said with --reason; "" for nothing.
std::string reason_of(const world::TakenOut& taken);

}  // namespace staithe::cli
