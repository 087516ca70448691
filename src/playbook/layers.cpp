#include "layers.hpp"

#include "reading.hpp"

#include "staithe/base/text.hpp"
#include "staithe/steps/substitute.hpp"

#include <algorithm>

namespace staithe::playbook {
namespace {

steps::Source source_of(const Text& text) {
  return {text.position, text.length, text.path};
}

void add_entries(steps::Variables& variables, const VariableEntries& entries, const std::string& origin) {
  for (const VariableEntry& entry : entries) {
    if (entry.is_literal) {
      variables.set_literal(entry.name.value, entry.value.value, origin);
    } else {
      variables.set_text(entry.name.value, entry.value.value, origin, source_of(entry.value));
    }
  }
}

void add_secrets(steps::Variables& variables, const std::vector<SecretEntry>& secrets,
                 const std::string& origin) {
  for (const SecretEntry& secret : secrets) {
    variables.set("secret." + secret.name.value,
                  steps::Variable{steps::Variable::Kind::secret, "", secret.source, origin});
  }
}

bool mentions(const std::string& text, const std::string& name) {
  return text.find("$(" + name + ")") != std::string::npos ||
         text.find("$(raw " + name + ")") != std::string::npos;
}

}  // namespace

bool names_variable(const Project& project, const std::string& name) {
  return mentions(project.text, name);
}

bool takes_variable(const Project& project, const Environment& environment, const std::string& service,
                    const std::string& name) {
  const Request nothing;
  return names_variable(project, name) ||
         Layers(project, environment, project.find_service(service), nullptr, nothing).declares(name);
}

std::string release_id(const std::string& sha) {
  return sha.substr(0, 12);
}

std::optional<std::string> expand_plain(const Text& text, const steps::Variables& variables,
                                        diag::Diagnostics& diagnostics) {
  std::vector<steps::Problem> problems;
  auto result = steps::expand_plain(text.value, variables, problems);
  report(text, diagnostics, problems);
  return result;
}

Layers::Layers(const Project& project, const Environment& environment, const Service* service,
               const Playbook* playbook, const Request& request)
    : project_(project),
      environment_(environment),
      service_(service),
      playbook_(playbook),
      request_(request) {}

void Layers::prepare(diag::Diagnostics& diagnostics) {
  for (const auto& [path, text] : request_.var_files) {
    const auto root = yaml::parse(text, path, diagnostics);
    if (!root) continue;
    if (const auto members = yaml::Reader(*root, diagnostics).map())
      files_.push_back(read_variables(*members));
  }
  warn_of_slips(diagnostics);
  for (const auto& [name, value] : request_.vars) check_var(name, diagnostics);
}

bool Layers::is_mentioned(const std::string& name) const {
  return mentions(project_.text, name) || (playbook_ != nullptr && mentions(playbook_->text, name));
}

/// A file of variables may be meant for other playbooks too; what is near a name that is there is hardly.
void Layers::warn_of_slips(diag::Diagnostics& diagnostics) const {
  if (files_.empty() || !environment_.knows_hosts()) return;
  const Request without;
  const Layers layers(project_, environment_, service_, playbook_, without);
  for (const VariableEntries& file : files_)
    for (const VariableEntry& entry : file) {
      const auto& name = entry.name.value;
      if (is_mentioned(name) || layers.declares(name)) continue;
      const auto near = base::nearest(name, layers.for_run().names());
      if (near)
        diagnostics.add({diag::Severity::warning, entry.name.position, entry.name.length,
                         "nothing uses a variable of the name '" + name + "'", entry.name.path,
                         "did you mean '" + *near + "'?"});
    }
}

/// A mistyped --var that nobody reads would deploy something else than what was meant.
void Layers::check_var(const std::string& name, diag::Diagnostics& diagnostics) const {
  if (!steps::Variables::is_name(name)) {
    const bool is_secret = name.starts_with("secret.");
    return diagnostics.error(
        {}, "--var " + name + ": this cannot be the name of a variable", "",
        is_secret ? "a secret is never written down: 'secrets:' in staithe.yml says where it is"
                  : "use letters, digits, '_' and '-'; begin with a letter");
  }
  if (is_reserved(name))
    return diagnostics.error({}, "--var " + name + ": it is set by staithe itself", "",
                             name == "sha" || name == "release"
                                 ? "--var ref=BRANCH, a tag or a commit says which"
                                 : "choose another name");
  if (is_mentioned(name)) return;
  Request without = request_;
  without.vars.clear();
  Layers layers(project_, environment_, service_, playbook_, without);
  layers.files_ = files_;
  if (layers.declares(name)) return;
  const auto near = base::nearest(name, layers.for_run().names());
  diagnostics.error({}, "--var " + name + ": nothing uses a variable of that name", "",
                    near ? "did you mean '" + *near + "'?" : "declare it under 'vars' of the playbook");
}

bool Layers::declares(const std::string& name) const {
  return for_run().find(name) != nullptr ||
         std::any_of(environment_.hosts.begin(), environment_.hosts.end(),
                     [&](const Host& host) { return for_host(host).find(name) != nullptr; });
}

void Layers::set_release(const Refs& refs) {
  refs_ = refs;
}

steps::Variables Layers::for_run() const {
  return make(nullptr);
}
steps::Variables Layers::for_host(const Host& host) const {
  return make(&host);
}

steps::Variables Layers::for_unknown_host() const {
  auto variables = make(nullptr);
  // What the known ones have the others will have too, some value or other.
  const auto add_usual = [&](const VariableEntries& entries) {
    VariableEntries missing;
    for (const auto& entry : entries)
      if (variables.find(entry.name.value) == nullptr) missing.push_back(entry);
    add_entries(variables, missing, "another host");
  };
  for (const Host& host : environment_.hosts) add_usual(host.vars);
  for (const Group& group : environment_.groups) add_usual(group.vars);
  variables.leave_open();
  return variables;
}

steps::Variables Layers::make(const Host* host) const {
  steps::Variables variables;
  variables.set_literal("ref", "HEAD");
  add_service(variables);
  add_entries(variables, project_.vars, "the project");
  add_entries(variables, environment_.vars, "environment " + environment_.name.value);
  if (host != nullptr) {
    add_groups(variables, *host);
    add_entries(variables, host->vars, "host " + host->name.value);
  }
  if (playbook_ != nullptr) add_entries(variables, playbook_->vars, "the playbook");
  for (const VariableEntries& file : files_) add_entries(variables, file, "--var-file");
  for (const auto& [name, value] : request_.vars) variables.set_literal(name, value, "--var");
  add_own(variables, host);
  add_secrets(variables, project_.secrets, "the project");
  add_secrets(variables, environment_.secrets, "environment " + environment_.name.value);
  if (playbook_ != nullptr) add_secrets(variables, playbook_->secrets, "the playbook");
  return variables;
}

void Layers::add_service(steps::Variables& variables) const {
  if (service_ == nullptr) return;
  const std::string origin = "service " + service_->name.value;
  const std::pair<const char*, const std::optional<Text>*> fields[] = {
      {"repository", &service_->repository},   {"path", &service_->path},
      {"reload", &service_->reload},           {"health", &service_->health},
      {"release_url", &service_->release_url}, {"port", &service_->port}};
  for (const auto& [name, text] : fields) {
    if (*text) variables.set_text(name, (*text)->value, origin, source_of(**text));
  }
}

void Layers::add_groups(steps::Variables& variables, const Host& host) const {
  // A group that others descend from is more general than they are.
  std::vector<std::pair<std::size_t, const Group*>> member_of;
  for (const Group& group : environment_.groups) {
    if (!environment_.is_member(host, group.name.value)) continue;
    std::set<std::string> descendants;
    std::vector<std::string> left{group.name.value};
    while (!left.empty()) {
      const std::string name = std::move(left.back());
      left.pop_back();
      if (!descendants.insert(name).second) continue;
      if (const Group* at = environment_.find_group(name)) {
        for (const Text& child : at->children) left.push_back(child.value);
      }
    }
    member_of.emplace_back(descendants.size(), &group);
  }
  std::stable_sort(member_of.begin(), member_of.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (const auto& [size, group] : member_of)
    add_entries(variables, group->vars, "group " + group->name.value);
}

void Layers::add_own(steps::Variables& variables, const Host* host) const {
  variables.set_literal("project", project_.name.value);
  variables.set_literal("environment", environment_.name.value);
  if (service_ != nullptr) variables.set_literal("service", service_->name.value);
  if (!refs_.sha.empty()) {
    const std::string id = release_id(refs_.sha);
    variables.set_literal("sha", refs_.sha);
    variables.set_literal("release", id);
    if (variables.find("path") != nullptr)
      variables.set_text("release.path", "$(path)/releases/" + id, "staithe");
  }
  if (host == nullptr) return;
  variables.set_literal("host", host->name.value);
  variables.set_literal("host.name", host->name.value);
  const std::string address = host->address.empty() ? host->name.value : host->address;
  variables.set_literal("host.address", address);
  variables.set_literal("host.in_url",
                        address.find(':') == std::string::npos ? address : "[" + address + "]");
  variables.set_literal("host.user", host->user);
  variables.set_literal("host.port", host->port == 0 ? "" : std::to_string(host->port));
  if (!host->number.empty()) variables.set_literal("n", host->number);
}

}  // namespace staithe::playbook
