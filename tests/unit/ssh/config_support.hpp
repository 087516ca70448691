#pragma once
#include "support/directory.hpp"

#include "staithe/base/text.hpp"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace config_support {

class TempDirectory : public staithe::test::Directory {
 public:
  /// Writes a file that ssh accepts as its configuration, and gives its path.
  std::string write(std::string_view name, std::string_view content) const {
    const std::string path = *this / name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << content;
    ::chmod(path.c_str(), 0600);
    return path;
  }
};

inline std::string slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

struct Ran {
  int status = -1;
  std::string out;  ///< both streams
};

/// Runs a program and gives its output.
inline Ran run(const std::vector<std::string>& words) {
  std::string command;
  for (const auto& word : words) command += staithe::base::shell_quote(word) + " ";
  command += "2>&1 </dev/null";
  Ran out;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (!pipe) throw std::runtime_error("popen");
  std::array<char, 4096> buffer{};
  while (const auto got = std::fread(buffer.data(), 1, buffer.size(), pipe))
    out.out.append(buffer.data(), got);
  const int status = ::pclose(pipe);
  out.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return out;
}

inline bool has(const char* program) {
  return run({"sh", "-c", std::string("command -v ") + program}).status == 0;
}

}  // namespace config_support
