#pragma once
#include "staithe/plan/plan.hpp"

#include <string>
#include <utility>

namespace staithe::test {

inline plan::Action action(const std::string& id, plan::Effect effect, bool alters = false) {
  plan::Action made;
  made.id = id;
  made.effect = std::move(effect);
  made.alters_service = alters;
  return made;
}

}  // namespace staithe::test
