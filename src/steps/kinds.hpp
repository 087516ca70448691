#pragma once
#include "staithe/steps/step.hpp"

#include <array>

/// One entry for each kind of step; each is defined in its own step_<name>.cpp. To add one: write that file,
/// declare it here, and list it in registry.cpp.
namespace staithe::steps {

inline constexpr std::array every_place{Place::before, Place::stage, Place::prepare, Place::each,
                                        Place::after};
inline constexpr std::array only_stage{Place::stage};
inline constexpr std::array only_each{Place::each};

extern const Kind run_kind;
extern const Kind local_kind;
extern const Kind upload_kind;
extern const Kind template_kind;
extern const Kind checkout_kind;
extern const Kind activate_kind;
extern const Kind reload_kind;
extern const Kind drain_kind;
extern const Kind restore_kind;
extern const Kind wait_kind;
extern const Kind confirm_kind;
extern const Kind notify_kind;
extern const Kind check_kind;
extern const Kind rehearsed_kind;

}  // namespace staithe::steps
