#include "staithe/cli/run.hpp"

int main(int argc, char** argv) {
  return staithe::cli::run(argc, argv);
}
