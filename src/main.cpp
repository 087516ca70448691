#include "staithe/cli/run.hpp"

#include <malloc.h>

int main(int argc, char** argv) {
  // Lanes are many, and wait most of the time: an arena for each of them would only hold memory back.
  ::mallopt(M_ARENA_MAX, 2);
  return staithe::cli::run(argc, argv);
}
