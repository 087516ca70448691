#include "reading.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"
#include "staithe/steps/substitute.hpp"

#include <algorithm>

namespace staithe::playbook {
namespace {

/// Texts of a host entry know only the host itself: how it is reached cannot depend on a playbook.
class HostTexts {
 public:
  HostTexts(const std::string& host, const std::string& number, const std::string& environment) {
    variables_.set_literal("host", host);
    variables_.set_literal("environment", environment);
    if (!number.empty()) variables_.set_literal("n", number);
  }

  std::string expand(const std::optional<Text>& text, diag::Diagnostics& diagnostics) const {
    if (!text) return {};
    std::vector<steps::Problem> problems;
    auto result = steps::expand_plain(text->value, variables_, problems);
    for (const steps::Problem& problem : problems) {
      report(*text, diagnostics, problem.message, "here only $(n), $(host) and $(environment) are known");
    }
    return result.value_or("");
  }

 private:
  steps::Variables variables_;
};

/// The number that $(n) is for each name of a range: what its first brackets counted.
std::vector<std::string> numbers_of(const std::string& pattern, std::size_t count) {
  std::vector<std::string> numbers(count);
  const std::size_t open = pattern.find('[');
  if (open == std::string::npos) return numbers;
  const std::size_t close = pattern.find(']', open);
  const auto counted = base::expand_range(pattern.substr(open, close - open + 1));
  if (!counted || counted->empty()) return numbers;
  const std::size_t run = count / counted->size();
  for (std::size_t i = 0; i < count; ++i) numbers[i] = (*counted)[i / run];
  return numbers;
}

struct HostFields {
  std::optional<Text> address, user, jump;
  std::vector<Text> identity;
  Host common;
};

HostFields read_fields(const yaml::Reader& value) {
  HostFields fields;
  yaml::Mapping map(value);
  fields.address = map.text("address");
  fields.user = map.text("user");
  fields.jump = map.text("jump");
  if (auto port = map.integer("port", 1, 65535)) fields.common.port = static_cast<std::uint16_t>(port->value);
  if (auto identity = map.value("identity")) {
    if (identity->node().kind == yaml::Kind::scalar) {
      if (auto text = identity->text()) fields.identity.push_back(identity->located(*text));
    } else if (auto texts = identity->texts()) {
      fields.identity = std::move(*texts);
    }
  }
  fields.common.groups = map.texts("groups");
  fields.common.vars = read_variables(map);
  if (auto servers = map.value("servers")) fields.common.servers = read_servers(*servers);
  map.finish();
  return fields;
}

void read_host(const yaml::Member& member, const std::string& environment, std::vector<Host>& hosts) {
  diag::Diagnostics& diagnostics = member.value.diagnostics();
  auto names = base::expand_range(member.key.value);
  const bool is_broken = !names;
  if (is_broken) {
    report_key(member, "'" + member.key.value + "' is not a range", "write it as web[1-9] or web[1-3,7]");
    // A host all the same: its groups are not to be missed wherever they are named.
    names = std::vector{member.key.value};
  }
  const HostFields fields = read_fields(member.value);
  const auto numbers =
      is_broken ? std::vector<std::string>{"1"} : numbers_of(member.key.value, names->size());
  for (std::size_t i = 0; i < names->size(); ++i) {
    const std::string& name = (*names)[i];
    if (!is_broken && (!is_host_name(name) || name == "all"))
      return report_key(member, "'" + name + "' cannot be the name of a host");
    const bool known =
        std::any_of(hosts.begin(), hosts.end(), [&](const Host& h) { return h.name.value == name; });
    if (known) {
      report_key(member, "host '" + name + "' is there already");
      continue;
    }
    Host host = fields.common;
    if (is_broken)
      host.servers = {ServersSpec::Form::none, {}, {}};  // what its name makes of them is no finding
    host.name = member.key;
    host.name.value = name;
    host.number = numbers[i];
    const HostTexts texts(name, host.number, environment);
    host.address = texts.expand(fields.address, diagnostics);
    host.user = texts.expand(fields.user, diagnostics);
    host.jump = texts.expand(fields.jump, diagnostics);
    for (const Text& file : fields.identity) host.identity_files.push_back(texts.expand(file, diagnostics));
    if (fields.address && !host.address.empty() && !is_host_name(host.address)) {
      report(*fields.address, diagnostics, "'" + host.address + "' is not an address");
    }
    hosts.push_back(std::move(host));
  }
}

}  // namespace

bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  if (!base::is_alnum(name.front()) && name.front() != ':') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return base::is_alnum(c) || std::string_view("._-:%").find(c) != std::string_view::npos;
  });
}

std::vector<Host> read_hosts(const yaml::Reader& value, const std::string& environment) {
  std::vector<Host> hosts;
  if (value.node().kind == yaml::Kind::list) {
    // Only names: everything else is as ~/.ssh/config says.
    const auto texts = value.texts();
    if (!texts) return hosts;
    const yaml::Node nothing;
    for (const Text& text : *texts) {
      read_host(yaml::Member{text, yaml::Reader(nothing, value.diagnostics(), text.path)}, environment,
                hosts);
    }
    return hosts;
  }
  const auto members = value.map();
  if (!members) return hosts;
  for (const yaml::Member& member : *members) read_host(member, environment, hosts);
  return hosts;
}

}  // namespace staithe::playbook
