#include "playbook_files.hpp"

#include "checking.hpp"
#include "file_kinds.hpp"
#include "suggest.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

/// As they are typed from here.
std::vector<std::string> files_near(const std::string& directory, const std::string& named) {
  std::error_code none;
  std::vector<std::string> files;
  const auto beside = fs::is_directory(named, none) ? fs::path(named) : fs::path(named).parent_path();
  for (const auto& place : {beside / "", fs::path(directory) / "playbooks" / ""})
    for (const auto& file : yaml_files_in(place.empty() ? "." : place.string(), ""))
      if (fs::path(file).filename() != "staithe.yml") files.push_back(file);
  return files;
}

}  // namespace

std::string own_playbook(const std::string& directory) {
  std::error_code none;
  const auto own = fs::path(directory) / "playbooks" / "deploy.yml";
  return fs::is_regular_file(own, none) ? own.lexically_normal().string() : std::string();
}

std::string meant_file(const std::string& directory, const std::string& named) {
  const auto files = files_near(directory, named);
  std::error_code none;
  if (files.empty()) return {};
  if (fs::is_directory(named, none)) return fmt::format("name a file in it, such as '{}'", files.front());
  if (const auto near = base::nearest(named, files)) return fmt::format("did you mean '{}'?", *near);
  std::vector<std::string> stems;
  for (const auto& file : files) stems.push_back(fs::path(file).stem().string());
  const auto near = base::nearest(fs::path(named).stem().string(), stems);
  for (std::size_t i = 0; i < files.size(); ++i)
    if (near && stems[i] == *near) return fmt::format("did you mean '{}'?", files[i]);
  return {};
}

void refuse_other_kinds(const std::string& path, const std::string& text) {
  diag::Diagnostics unheard;
  const auto kind = kind_of(text, path, unheard);
  if (kind == FileKind::project)
    throw FilesWrong(fmt::format("{} is a project file, no playbook; -f names one", path));
  if (kind == FileKind::suite)
    throw FilesWrong(fmt::format("{0} is a suite of checks, no playbook: 'staithe check {1}' runs it", path,
                                 shell_word(path)));
}

}  // namespace staithe::cli
