#include "staithe/playbook/project.hpp"

#include "reading.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <set>

namespace staithe::playbook {
namespace {

template <class Items>
auto* find_named(Items& items, std::string_view name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.name.value == name; });
  return found == items.end() ? nullptr : &*found;
}

template <class Items>
std::vector<std::string> names_of(const Items& items) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name.value);
  return names;
}

/// What to say when a name on the command line or in a playbook is unknown.
std::string suggestion(const std::string& wanted, const std::vector<std::string>& known) {
  const auto near = base::nearest(wanted, known);
  if (near) return "did you mean '" + *near + "'?";
  return known.empty() ? "there is none" : "there are: " + base::join(known, ", ");
}

}  // namespace

const Host* Environment::find_host(std::string_view host) const {
  return find_named(hosts, host);
}
const Group* Environment::find_group(std::string_view group) const {
  return find_named(groups, group);
}
const Service* Project::find_service(std::string_view service) const {
  return find_named(services, service);
}
const Environment* Project::find_environment(std::string_view wanted) const {
  return find_named(environments, wanted);
}
Environment* Project::find_environment(std::string_view wanted) {
  return find_named(environments, wanted);
}

std::vector<std::string> Environment::group_names() const {
  std::vector<std::string> names = names_of(groups);
  std::set<std::string> seen(names.begin(), names.end());
  for (const Host& host : hosts) {
    for (const Text& group : host.groups) {
      if (seen.insert(group.value).second) names.push_back(group.value);
    }
  }
  return names;
}

bool Environment::is_member(const Host& host, std::string_view wanted) const {
  // Child groups may form a circle by mistake: each is visited once.
  std::set<std::string, std::less<>> seen;
  std::vector<std::string> left{std::string(wanted)};
  while (!left.empty()) {
    const std::string current = std::move(left.back());
    left.pop_back();
    if (!seen.insert(current).second) continue;
    if (current == "all") return true;
    const auto says_so = [&](const Text& group) { return group.value == current; };
    if (std::any_of(host.groups.begin(), host.groups.end(), says_so)) return true;
    const Group* group = find_group(current);
    if (group == nullptr) continue;
    for (const Text& pattern : group->hosts) {
      const auto names = base::expand_range(pattern.value);
      if (names && std::find(names->begin(), names->end(), host.name.value) != names->end()) return true;
    }
    for (const Text& child : group->children) left.push_back(child.value);
  }
  return false;
}

std::optional<Project> load_project(const std::string& path, const std::string& text,
                                    diag::Diagnostics& diagnostics) {
  const auto root = yaml::parse(text, path, diagnostics);
  if (!root) return std::nullopt;
  yaml::Mapping map(*root, diagnostics);
  if (!map.valid()) return std::nullopt;
  Project project;
  project.path = path;
  project.directory = directory_of(path);
  project.text = text;
  if (auto version = map.integer("staithe", 1, 1'000'000, yaml::Need::required);
      version && version->value != 1) {
    map.error_at("staithe", "this staithe reads format 1 only", "a newer staithe may read it");
    return std::nullopt;
  }
  if (auto name = map.text("project", yaml::Need::required)) {
    project.name = std::move(*name);
    if (!is_host_name(project.name.value))
      map.error_at("project", "'" + project.name.value + "' cannot be the name of a project");
  }
  project.services = read_services(map);
  project.vars = read_variables(map);
  project.secrets = read_secrets(map);
  for (const yaml::Member& member : map.map("environments", yaml::Need::required)) {
    project.environments.push_back(read_environment(member, project.directory));
  }
  map.finish();
  for (const Environment& environment : project.environments) check_environment(environment, diagnostics);
  return project;
}

const Environment* choose_environment(const Project& project, const std::string& wanted,
                                      diag::Diagnostics& diagnostics) {
  const std::vector<std::string> known = names_of(project.environments);
  if (wanted.empty()) {
    if (project.environments.size() == 1) return &project.environments.front();
    if (project.environments.empty()) {
      // Where they are not read for a mistake, that has been told.
      if (!diagnostics.has_errors())
        diagnostics.error({}, project.path + " has no environment", "",
                          "declare one: environments: {staging: {hosts: [web1]}}");
      return nullptr;
    }
    diagnostics.error({}, "which environment? " + project.path + " has " + std::to_string(known.size()), "",
                      "name one with -e: " + base::join(known, ", "));
    return nullptr;
  }
  const Environment* found = project.find_environment(wanted);
  if (found == nullptr) {
    diagnostics.error({}, "there is no environment '" + wanted + "' in " + project.path, "",
                      suggestion(wanted, known));
  }
  return found;
}

const Service* choose_service(const Project& project, const std::string& wanted,
                              diag::Diagnostics& diagnostics) {
  if (wanted.empty()) return project.services.size() == 1 ? &project.services.front() : nullptr;
  const Service* found = project.find_service(wanted);
  if (found == nullptr) {
    diagnostics.error({}, "there is no service '" + wanted + "' in " + project.path, "",
                      suggestion(wanted, names_of(project.services)));
  }
  return found;
}

}  // namespace staithe::playbook
