#pragma once
#include "staithe/base/unique_fd.hpp"
#include "staithe/proc/run.hpp"

#include <sys/types.h>

#include <string>

namespace staithe::proc {

struct Launched {
  pid_t pid = -1;
  base::UniqueFd out;  ///< read ends, non-blocking
  base::UniqueFd err;
  base::UniqueFd channel;  ///< none unless the command asks for it
};

/// Starts the command as run() documents. The caller reaps the process.
Launched launch(const Command& command);

}  // namespace staithe::proc
