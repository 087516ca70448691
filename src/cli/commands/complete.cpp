#include "checking.hpp"
#include "commands.hpp"
#include "exit_codes.hpp"
#include "looking.hpp"

#include "staithe/base/error.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

/// Names for the shells' completions: quick, silent about every mistake, and without asking anything but
/// files.
namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_runs = 50;

std::vector<std::string> files_in(const fs::path& directory, const std::string& shown) {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const auto name = entry.path().filename().string();
    if (name.empty() || name.front() == '.') continue;
    if (entry.is_directory(error))
      names.push_back(shown + name + "/");
    else if ((name.ends_with(".yml") || name.ends_with(".yaml")) && name != "staithe.yml")
      names.push_back(shown + name);
  }
  return names;
}

/// Files of YAML, and directories that may have some.
std::vector<std::string> files(const std::string& prefix) {
  const auto slash = prefix.rfind('/');
  const auto directory = slash == std::string::npos ? std::string() : prefix.substr(0, slash + 1);
  return files_in(directory.empty() ? fs::path(".") : fs::path(directory), directory);
}

std::vector<std::string> playbooks(const std::string& prefix) {
  auto names = files(prefix);
  if (prefix.find('/') == std::string::npos)
    for (auto& name : files_in("playbooks", "playbooks/")) names.push_back(std::move(name));
  return names;
}

/// By name; where none begins so, as files.
std::vector<std::string> suites(App& app, const std::string& prefix) {
  std::vector<std::string> names;
  for (const auto& file : suite_files(has_project(app) ? load_files(app).project.directory : std::string()))
    if (auto name = fs::path(file).stem().string(); name.starts_with(prefix))
      names.push_back(std::move(name));
  return names.empty() ? files(prefix) : names;
}

/// A selection names several: what is typed in front of the last name stays.
std::vector<std::string> in_selection(std::vector<std::string> names, const std::string& prefix) {
  const auto operators = prefix.find_last_of(" ,&|!()");
  if (operators == std::string::npos) return names;
  for (auto& name : names) name.insert(0, prefix, 0, operators + 1);
  return names;
}

std::vector<std::string> runs(App& app, const Loaded& loaded) {
  if (loaded.env().state.kind != playbook::StateStore::Kind::sqlite) return {};
  const auto store = open_store_if_there(app, loaded);
  if (!store) return {};
  store::HistoryFilter filter;
  filter.environment = loaded.environment;
  std::vector<std::string> names;
  for (const auto& run : store->history(filter, most_runs)) names.push_back(run.id);
  return names;
}

std::vector<std::string> names_of(App& app, const std::string& kind, const std::string& prefix) {
  if (kind == "playbooks") return playbooks(prefix);
  if (kind == "suites") return suites(app, prefix);
  const auto loaded = load_files(app);
  std::vector<std::string> names;
  if (kind == "environments")
    for (const auto& environment : loaded.project.environments) names.push_back(environment.name.value);
  if (kind == "services")
    for (const auto& service : loaded.project.services) names.push_back(service.name.value);
  // Without -e the names of every environment are offered: one of them will be named.
  for (const auto& environment : loaded.project.environments) {
    if (!loaded.environment.empty() && environment.name.value != loaded.environment) continue;
    if (kind == "hosts")
      for (const auto& host : environment.hosts) names.push_back(host.name.value);
    if (kind == "hosts" || kind == "groups")
      for (const auto& group : environment.group_names()) names.push_back(group);
  }
  if (kind == "runs" && !loaded.environment.empty()) return runs(app, loaded);
  return kind == "hosts" ? in_selection(std::move(names), prefix) : names;
}

}  // namespace

int run_complete(App& app) {
  const auto& words = app.args().positionals;
  if (words.empty()) throw UsageError("__complete needs a kind");
  const auto prefix = words.size() > 1 ? words[1] : "";
  std::vector<std::string> names;
  try {
    names = names_of(app, words[0], prefix);
  } catch (const base::Error&) {
    return exit_done;  // a person who presses TAB wants no complaint
  } catch (const FilesWrong&) {
    return exit_done;
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  std::string text;
  for (const auto& name : names)
    if (name.starts_with(prefix)) text += name + "\n";
  app.print(text);
  return exit_done;
}

}  // namespace staithe::cli
