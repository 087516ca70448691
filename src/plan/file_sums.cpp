#include "staithe/plan/file_sums.hpp"

#include "staithe/base/digest.hpp"
#include "staithe/base/text.hpp"

#include <map>

namespace staithe::plan {

std::string_view file_name(std::string_view path) noexcept {
  return path.substr(path.rfind('/') + 1);
}

std::string text_of(const std::vector<FileSum>& files) {
  std::string text;
  for (const auto& file : files) text += file.sha256 + "  " + file.name + "\n";
  return text;
}

std::string id_of(const std::vector<FileSum>& files) {
  return base::sha256_hex(text_of(files));
}

std::string difference(std::string_view before, const std::vector<FileSum>& now) {
  std::map<std::string, std::string> old;
  for (const auto& line : base::split(std::string(before), '\n'))
    if (const auto space = line.find("  "); space != std::string::npos)
      old[line.substr(space + 2)] = line.substr(0, space);
  std::vector<std::string> said;
  for (const auto& file : now) {
    const auto found = old.find(file.name);
    if (found == old.end())
      said.push_back(file.name + " is new");
    else if (found->second != file.sha256)
      said.push_back(file.name + " is another one");
    if (found != old.end()) old.erase(found);
  }
  for (const auto& [name, sum] : old) said.push_back(name + " is not there any more");
  if (said.empty() && before != text_of(now)) said.emplace_back("the order is another one");
  return base::join(said, ", ");
}

}  // namespace staithe::plan
