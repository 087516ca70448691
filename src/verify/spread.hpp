#pragma once
#include "asking.hpp"

#include <map>
#include <string>

namespace staithe::verify {

/// What several requests of one check say together. Behind a balancer, a failure that the next attempt does
/// not have may be one bad host: its answers name it, where a header does.
class Spread {
 public:
  void add(const Asked& asked);

  std::uint32_t asked() const { return good_ + bad_; }
  std::uint32_t good() const { return good_; }
  /// "x-served-by web3": what all bad answers have and no good one has; "" when nothing is so.
  std::string culprit() const;

 private:
  struct Seen {
    std::uint32_t good = 0, bad = 0;
  };
  std::uint32_t good_ = 0, bad_ = 0;
  std::map<std::string, std::map<std::string, Seen>> headers_;  ///< by name and value
};

/// Whether a request may be answered by one host now and by another then.
bool may_be_balanced(const checks::Check& check);

}  // namespace staithe::verify
