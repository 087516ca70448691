#include "reading.hpp"

#include "staithe/base/text.hpp"
#include "staithe/steps/variables.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

/// Source of the format: Ansible, "Developing dynamic inventory", inventory scripts (--list).
namespace staithe::playbook {
namespace {

using Json = nlohmann::json;

constexpr std::size_t max_json_bytes = 64 * 1024 * 1024;
constexpr std::size_t max_hosts = 10'000;

/// Scalars as their text; lists and objects as JSON.
std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

class InventoryReader {
 public:
  InventoryReader(Environment& environment, const std::string& program, diag::Diagnostics& diagnostics)
      : environment_(environment), diagnostics_(diagnostics) {
    where_.position.file = program;
    where_.path = program;
    for (const Host& host : environment.hosts) declared_.insert(host.name.value);
  }

  void read(const Json& root) {
    for (const auto& [name, value] : root.items()) {
      if (name != "_meta") group(name, value);
    }
    const auto meta = root.find("_meta");
    if (meta == root.end() || !meta->is_object()) return;
    const auto hostvars = meta->find("hostvars");
    if (hostvars == meta->end()) return;
    if (!hostvars->is_object()) return problem("_meta.hostvars is not an object");
    for (const auto& [name, values] : hostvars->items()) {
      Host* known = host(name);
      if (known == nullptr) continue;
      if (values.is_object()) {
        host_variables(*known, values);
      } else {
        problem("the variables of host '" + name + "' are not an object");
      }
    }
  }

 private:
  void group(const std::string& name, const Json& value) {
    if (value.is_array()) return members(name, value);
    if (!value.is_object()) return problem("group '" + name + "' is neither an object nor a list");
    if (const auto hosts = value.find("hosts"); hosts != value.end()) members(name, *hosts);
    Group& entry = group_entry(name);
    if (const auto children = value.find("children"); children != value.end()) {
      for (const std::string& child : names(name + ".children", *children)) {
        // Ansible's own two groups: everybody is in one, and nobody asks for the other.
        if (child != "all" && child != "ungrouped") entry.children.push_back(located(child));
      }
    }
    const auto vars = value.find("vars");
    if (vars == value.end()) return;
    if (!vars->is_object()) return problem("the vars of group '" + name + "' are not an object");
    for (const auto& [key, item] : vars->items()) add_variable(entry.vars, key, item);
  }

  void members(const std::string& group, const Json& list) {
    for (const std::string& name : names(group, list)) {
      Host* known = host(name);
      if (known == nullptr || group == "all" || group == "ungrouped") continue;
      const auto is_this = [&](const Text& g) { return g.value == group; };
      if (std::none_of(known->groups.begin(), known->groups.end(), is_this))
        known->groups.push_back(located(group));
    }
  }

  std::vector<std::string> names(const std::string& what, const Json& list) {
    std::vector<std::string> result;
    if (!list.is_array()) {
      problem("'" + what + "' is not a list of names");
      return result;
    }
    for (const Json& item : list) {
      if (item.is_string()) {
        result.push_back(item.get<std::string>());
      } else {
        problem("'" + what + "' holds something that is no name");
      }
    }
    return result;
  }

  Group& group_entry(const std::string& name) {
    for (Group& group : environment_.groups) {
      if (group.name.value == name) return group;
    }
    environment_.groups.emplace_back();
    environment_.groups.back().name = located(name);
    return environment_.groups.back();
  }

  Host* host(const std::string& name) {
    for (Host& known : environment_.hosts) {
      if (known.name.value == name) return &known;
    }
    if (!is_host_name(name) || name == "all") {
      problem("'" + base::printable(name) + "' cannot be the name of a host");
      return nullptr;
    }
    if (environment_.hosts.size() >= max_hosts) {
      problem("more than 10,000 hosts");
      return nullptr;
    }
    Host added;
    added.name = located(name);
    environment_.hosts.push_back(std::move(added));
    return &environment_.hosts.back();
  }

  void host_variables(Host& host, const Json& values) {
    // What staithe.yml says of a host wins: it comes after, in variables as in how to reach it.
    const bool declared = declared_.count(host.name.value) > 0;
    VariableEntries vars;
    for (const auto& [key, value] : values.items()) {
      if (!connection_variable(host, key, value, declared)) add_variable(vars, key, value);
    }
    if (declared) vars.insert(vars.end(), host.vars.begin(), host.vars.end());
    if (!declared) vars.insert(vars.begin(), host.vars.begin(), host.vars.end());
    host.vars = std::move(vars);
  }

  bool connection_variable(Host& host, const std::string& key, const Json& value, bool declared) {
    if (key.rfind("ansible_", 0) != 0) return false;
    const std::string text = text_of(value);
    const auto set = [&](std::string& field) {
      if (!declared || field.empty()) field = text;
    };
    if (key == "ansible_host" || key == "ansible_ssh_host") {
      if (is_host_name(text)) {
        set(host.address);
      } else {
        problem("host '" + host.name.value + "': '" + base::printable(text) + "' is not an address");
      }
    } else if (key == "ansible_user" || key == "ansible_ssh_user") {
      set(host.user);
    } else if (key == "ansible_port" || key == "ansible_ssh_port") {
      std::uint16_t port = 0;
      const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
      if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || port == 0) {
        problem("host '" + host.name.value + "': '" + base::printable(text) + "' is not a port");
      } else if (!declared || host.port == 0) {
        host.port = port;
      }
    } else if (key == "ansible_ssh_private_key_file" || key == "ansible_private_key_file") {
      if (!declared || host.identity_files.empty()) host.identity_files = {text};
    } else {
      return false;
    }
    return true;
  }

  void add_variable(VariableEntries& entries, const std::string& key, const Json& value) {
    // Names that no text could refer to, and those that are staithe's own, are left out: an inventory serves
    // others too.
    if (!steps::Variables::is_name(key) || is_reserved(key)) return;
    entries.push_back({located(key), located(text_of(value)), true});
  }

  Text located(const std::string& value) const { return Text{value, where_.position, 1, where_.path}; }

  void problem(std::string message) { diagnostics_.error(where_.position, std::move(message), ""); }

  Environment& environment_;

  diag::Diagnostics& diagnostics_;
  Text where_;
  std::set<std::string> declared_;
};

}  // namespace

void add_dynamic_inventory(Project& project, const std::string& environment, const std::string& program,
                           const std::string& json_text, diag::Diagnostics& diagnostics) {
  Environment* target = project.find_environment(environment);
  if (target == nullptr) return diagnostics.error({}, "there is no environment '" + environment + "'");
  target->inventory_asked = true;
  const diag::Position where{program, 0, 0};
  if (json_text.size() > max_json_bytes)
    return diagnostics.error(where, "the inventory is larger than 64 MiB");
  const Json root = Json::parse(json_text, nullptr, false);
  if (root.is_discarded()) {
    return diagnostics.error(where, "this inventory program did not print JSON", "",
                             "run it by hand; staithe reads what Ansible's --list prints");
  }
  if (!root.is_object()) return diagnostics.error(where, "the inventory is not a JSON object");
  try {
    InventoryReader(*target, program, diagnostics).read(root);
  } catch (const Json::exception& error) {
    // dump() of a text that is no UTF-8.
    diagnostics.error(where, std::string("the inventory cannot be read: ") + error.what());
  }
  check_environment(*target, diagnostics);
}

}  // namespace staithe::playbook
