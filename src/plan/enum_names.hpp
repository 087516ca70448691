#pragma once
#include "staithe/base/error.hpp"
#include "staithe/plan/plan.hpp"

#include <string>

/// The words of enums in the JSON of a plan, in the order of their values: one table each.
namespace staithe::plan {

template <class E>
struct EnumNames;

#define STAITHE_ENUM_NAMES(type, ...)                     \
  template <>                                             \
  struct EnumNames<type> {                                \
    static constexpr const char* names[] = {__VA_ARGS__}; \
  };
STAITHE_ENUM_NAMES(SecretRef::Source, "env", "file", "command")
STAITHE_ENUM_NAMES(ChangeRotation::To, "drain", "maint", "close_sessions", "prove", "ready", "undo")
STAITHE_ENUM_NAMES(AwaitRotation::Until, "calm", "proven", "serving")
STAITHE_ENUM_NAMES(AwaitRotation::AtDeadline, "fail", "close_sessions", "go_on")
STAITHE_ENUM_NAMES(RecordRelease::State, "staged", "live", "good", "bad")
STAITHE_ENUM_NAMES(Bracket::OnFailure, "keep", "repair")
STAITHE_ENUM_NAMES(Strategy::Window, "sliding", "lockstep")
STAITHE_ENUM_NAMES(Strategy::OnFailure, "stop", "revert_batch", "revert_all")
STAITHE_ENUM_NAMES(Stage::Shape, "gather", "parallel", "rolling", "once")
#undef STAITHE_ENUM_NAMES

template <class E>
E enum_from(const std::string& name) {
  int index = 0;
  for (const char* known : EnumNames<E>::names) {
    if (name == known) return static_cast<E>(index);
    ++index;
  }
  throw base::Error(base::ErrorCode::invalid, "not a plan: unknown word '" + name + "'");
}

}  // namespace staithe::plan
