#include "retry.hpp"

#include <algorithm>
#include <random>

namespace staithe::ssh {

base::Duration pause_before(int attempt) {
  thread_local std::minstd_rand random{std::random_device{}()};
  const long long middle = std::min(150LL << std::min(attempt - 1, 10), 3000LL);
  return base::Duration(std::uniform_int_distribution<long long>(middle / 2, middle * 3 / 2)(random));
}

}  // namespace staithe::ssh
