#include "reading.hpp"

#include "staithe/base/text.hpp"

#include <charconv>

namespace staithe::playbook {
namespace {

/// "200MiB", "200M", "2G": binary units, as df counts.
std::optional<std::uint64_t> parse_size(std::string_view text) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc()) return std::nullopt;
  const std::string_view unit(parsed.ptr, static_cast<std::size_t>(text.data() + text.size() - parsed.ptr));
  std::uint64_t factor = 0;
  if (unit == "B") factor = 1;
  if (unit == "K" || unit == "KiB") factor = 1024;
  if (unit == "M" || unit == "MiB") factor = 1024 * 1024;
  if (unit == "G" || unit == "GiB") factor = 1024 * 1024 * 1024;
  if (factor == 0 || number > (1ULL << 50U) / factor) return std::nullopt;
  return number * factor;
}

std::vector<Text> read_shared(yaml::Mapping& map, diag::Diagnostics& diagnostics) {
  std::vector<Text> shared;
  for (Text& entry : map.texts("shared")) {
    const std::vector<std::string> parts = base::split(entry.value, '/');
    bool good = !entry.value.empty() && entry.value.front() != '/' && entry.value != "/";
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const bool last_empty = parts[i].empty() && i + 1 == parts.size();
      if ((parts[i].empty() && !last_empty) || parts[i] == "." || parts[i] == "..") good = false;
    }
    if (good) {
      shared.push_back(std::move(entry));
    } else {
      report(entry, diagnostics, "'" + entry.value + "' is not a path inside a release",
             "such as log/ or config/app.yml");
    }
  }
  return shared;
}

bool is_server(const std::string& text) {
  const std::size_t slash = text.find('/');
  return slash != std::string::npos && slash > 0 && slash + 1 < text.size() &&
         text.find('/', slash + 1) == std::string::npos;
}

std::vector<Text> read_server_names(const yaml::Reader& value) {
  std::vector<Text> names;
  std::optional<std::vector<Text>> texts;
  if (value.node().kind == yaml::Kind::scalar) {
    texts.emplace();
    if (auto text = value.text()) texts->push_back(value.located(*text));
  } else {
    texts = value.texts();
  }
  if (!texts) return names;
  for (Text& text : *texts) {
    if (is_server(text.value)) {
      names.push_back(std::move(text));
    } else {
      report(text, value.diagnostics(), "'" + text.value + "' is not BACKEND/SERVER", "such as api/$(host)");
    }
  }
  return names;
}

Service read_service(const yaml::Member& member) {
  Service service;
  service.name = member.key;
  if (!is_host_name(service.name.value))
    report_key(member, "'" + service.name.value + "' cannot be the name of a service");
  yaml::Mapping map(member.value);
  service.repository = map.text("repository");
  service.path = map.text("path");
  service.shared = read_shared(map, member.value.diagnostics());
  if (auto servers = map.value("servers")) service.servers = read_servers(*servers);
  service.reload = map.text("reload");
  service.health = map.text("health");
  service.release_url = map.text("release_url");
  service.address = map.text("address");
  service.port = map.text("port");
  service.hosts = map.text("hosts");
  if (auto keep = map.integer("keep_releases", 1, 1000))
    service.keep_releases = static_cast<std::uint32_t>(keep->value);
  if (auto size = map.text("min_free")) {
    if (const auto bytes = parse_size(size->value)) {
      service.min_free_bytes = *bytes;
    } else {
      map.error_at("min_free", "'" + size->value + "' is not a size", "write it as 200MiB or 2GiB");
    }
  }
  map.finish();
  return service;
}

}  // namespace

ServersSpec read_servers(const yaml::Reader& value) {
  ServersSpec spec;
  const yaml::Node& node = value.node();
  if (node.kind == yaml::Kind::scalar && !node.quoted && (node.text == "auto" || node.text == "none")) {
    spec.form = node.text == "auto" ? ServersSpec::Form::automatic : ServersSpec::Form::none;
    return spec;
  }
  if (node.kind == yaml::Kind::map) {
    spec.form = ServersSpec::Form::by_host;
    const auto members = value.map();
    if (!members) return spec;
    for (const yaml::Member& member : *members) {
      spec.by_host.emplace_back(member.key, read_server_names(member.value));
    }
    return spec;
  }
  spec.form = ServersSpec::Form::names;
  spec.names = read_server_names(value);
  return spec;
}

std::vector<Service> read_services(yaml::Mapping& map) {
  std::vector<Service> services;
  for (const yaml::Member& member : map.map("services")) services.push_back(read_service(member));
  return services;
}

}  // namespace staithe::playbook
