#include "staithe/ssh/ssh_config.hpp"

#include <mutex>

namespace staithe::ssh {

/// Nodes of a map stay where they are, so what was handed out remains valid. The lock is held while a file is
/// read: others want the same one.
struct ConfigFiles::Data {
  std::mutex mutex;
  std::map<std::string, std::optional<std::string>> contents;
  std::map<std::string, std::vector<std::string>> paths;
};

ConfigFiles::ConfigFiles() : data_(std::make_unique<Data>()) {}
ConfigFiles::~ConfigFiles() = default;

const std::string* ConfigFiles::content(const std::string& key, const Read& read) {
  const std::lock_guard lock(data_->mutex);
  auto found = data_->contents.find(key);
  if (found == data_->contents.end()) found = data_->contents.emplace(key, read()).first;
  return found->second ? &*found->second : nullptr;
}

const std::vector<std::string>& ConfigFiles::paths(const std::string& pattern, const List& list) {
  const std::lock_guard lock(data_->mutex);
  auto found = data_->paths.find(pattern);
  if (found == data_->paths.end()) found = data_->paths.emplace(pattern, list()).first;
  return found->second;
}

}  // namespace staithe::ssh
