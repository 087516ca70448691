#pragma once

namespace staithe::cli {

/// The whole program: parses the command line, runs the command, returns the exit code.
int run(int argc, const char* const* argv);

}  // namespace staithe::cli
