#pragma once

namespace staithe::event {

/// How a run ended, as the program says it to whoever called it; see `staithe help exit-codes`. Stable.
enum ExitCode : int {
  exit_done = 0,
  exit_failed = 1,
  exit_usage = 2,
  exit_files = 3,
  exit_refused = 4,
  exit_needs_person = 5,
  exit_degraded = 6,  ///< of checks, with --fail-on: for "unstable" in Jenkins
  exit_bug = 70,
  exit_interrupted = 130,
  exit_terminated = 143,
};

}  // namespace staithe::event
