#pragma once
#include "fake_effects.hpp"

/// A plan run by the real runner with effects that are not.
namespace staithe::test::running {

struct Rig {
  FakeEffects effects;
  test::FakeJournal journal;
  test::EventLog log;
  exec::Stops stops;

  exec::RunResult run(const plan::Plan& plan) {
    return exec::run(plan, {"run1", {}}, effects, journal, log, stops);
  }
};

inline plan::Strategy strategy(plan::Strategy::OnFailure on_failure) {
  plan::Strategy made;
  made.on_failure = on_failure;
  return made;
}

constexpr auto revert_batch = plan::Strategy::OnFailure::revert_batch;
constexpr auto revert_all = plan::Strategy::OnFailure::revert_all;
constexpr auto stop = plan::Strategy::OnFailure::stop;

}  // namespace staithe::test::running
