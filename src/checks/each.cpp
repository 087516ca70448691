#include "step_reader.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

/// The hosts that a step is done for.
namespace staithe::checks {
namespace {

/// Stands for the hosts of a group that nobody has asked for: how many there are is not known either.
Instance some_host() {
  Instance instance{"host", "host", {{"host", "host"}}};
  for (const char* name : {"name", "address", "in_url", "user"})
    instance.values.emplace_back(std::string("host.") + name, "host");
  instance.alone = true;
  return instance;
}

/// Of the whole group: where it has more, a limit that leaves one makes no other file of a right one.
bool has_one_host(const std::string& group, const Context& context) {
  const auto count = context.values.find("hosts." + group + ".count");
  return count != context.values.end() ? count->second == "1" : context.groups.at(group).size() == 1;
}

void no_such_group(const yaml::Reader& reader, const std::string& group, const Context& context) {
  std::vector<std::string> known;
  for (const auto& [name, hosts] : context.groups) known.push_back(name);
  const auto near = base::nearest(group, known);
  reader.error(fmt::format("the inventory has no group '{}'", group),
               near ? fmt::format("did you mean '{}'?", *near) : "");
}

}  // namespace

std::vector<Instance> instances_of(const yaml::Reader& item, const Frame& frame) {
  const auto* each = item.node().find("each");
  if (each == nullptr || item.node().kind != yaml::Kind::map) return {Instance{}};
  const yaml::Reader reader(*each, item.diagnostics(), yaml::path_of(item.path(), "each"));
  const auto text = reader.text();
  if (!text) return {};
  const std::string_view phrase = base::trim(*text);
  constexpr std::string_view start = "host in $(hosts.";
  if (!phrase.starts_with(start) || !phrase.ends_with(')')) {
    reader.error(fmt::format("'{}' does not name hosts", *text), "write 'each: host in $(hosts.GROUP)'");
    return {};
  }
  const std::string group(phrase.substr(start.size(), phrase.size() - start.size() - 1));
  const auto& context = frame.context;
  const auto found = context.groups.find(group);
  const bool may_have_more = context.known != Context::Known::everything;
  if (may_have_more && (found == context.groups.end() || found->second.empty())) return {some_host()};
  if (found == context.groups.end()) return no_such_group(reader, group, context), std::vector<Instance>{};
  if (context.spared.count(group) > 0) {
    reader.warning(fmt::format("no host of '{}' is among those asked: this step is left out", group));
    return {};
  }
  std::vector<Instance> instances;
  for (const auto& host : found->second) {
    Instance instance{host.name, host.name, {{"host", host.name}}};
    for (const auto& [name, value] : host.values) instance.values.emplace_back("host." + name, value);
    instance.alone = has_one_host(group, context);
    instances.push_back(std::move(instance));
  }
  if (instances.empty())
    reader.error(fmt::format("the group '{}' has no hosts: nothing would be checked", group));
  return instances;
}

}  // namespace staithe::checks
