#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/plan/text.hpp"

#include <string>

/// What tests of secrets have in common.
namespace staithe::test {

inline base::Scope soon() {
  return base::Scope::lasting(std::chrono::seconds(10));
}

inline plan::SecretRef env(const std::string& name) {
  return {plan::SecretRef::Source::env, name};
}

}  // namespace staithe::test
