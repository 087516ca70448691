#pragma once
#include "catch.hpp"

#include "staithe/diag/render.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/playbook/make_plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

/// Golden files: STAITHE_ACCEPT=1 writes what was found instead of comparing.
namespace golden {

inline std::filesystem::path data() {
  return std::filesystem::path(STAITHE_SOURCE_DIR) / "tests/unit/playbook/data";
}

inline std::string read(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

inline void compare(const std::filesystem::path& path, const std::string& found) {
  if (std::getenv("STAITHE_ACCEPT") != nullptr) {
    std::ofstream(path, std::ios::binary) << found;
    return;
  }
  INFO("golden file " << path.filename().string() << "; STAITHE_ACCEPT=1 accepts what is found now");
  CHECK(read(path) == found);
}

inline std::vector<std::filesystem::path> sorted(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

const inline std::string sha = "9d1f3c2ab4e5f60718293a4b5c6d7e8f90123456";

}  // namespace golden
