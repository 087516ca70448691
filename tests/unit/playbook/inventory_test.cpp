#include "catch.hpp"

#include "staithe/diag/render.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/playbook/make_plan.hpp"
#include "staithe/playbook/selection.hpp"

using namespace staithe;

namespace {

const char* const text = R"(staithe: 1
project: x
environments:
  e:
    hosts:
      web1: {address: 10.0.0.1, vars: {color: red}}
    inventory: [./cloud --list]
)";

playbook::Project load(diag::Diagnostics& diagnostics) {
  auto project = playbook::load_project("staithe.yml", text, diagnostics);
  REQUIRE(project);
  return std::move(*project);
}

std::string command_on(const playbook::Project& project, const std::string& host,
                       const std::string& command) {
  diag::Diagnostics diagnostics;
  const auto book = playbook::load_playbook(
      "p.yml", "playbook: x\nhosts: " + host + "\neach:\n  - run: " + command + "\n", diagnostics);
  REQUIRE(book);
  const auto plan = playbook::make_plan(project, *book, {}, {}, playbook::disk_files(), diagnostics);
  INFO(diag::render(diagnostics));
  REQUIRE(plan);
  const auto& node = plan->stages.back().lanes.at(0).nodes.at(0);
  return std::get<plan::RunRemote>(std::get<plan::Action>(node).effect).script;
}

}  // namespace

TEST_CASE("an inventory program adds hosts, groups and variables; staithe.yml wins") {
  diag::Diagnostics diagnostics;
  playbook::Project project = load(diagnostics);
  playbook::add_dynamic_inventory(project, "e", "./cloud", R"({
    "app": {"hosts": ["web1", "web2"], "vars": {"size": 3, "color": "green"}, "children": []},
    "parent": {"children": ["app"], "vars": {"size": 1, "list": [1, "a"]}},
    "plain": ["web2"],
    "all": {"children": ["app", "ungrouped"]},
    "_meta": {"hostvars": {
      "web1": {"ansible_host": "192.0.2.1", "color": "blue", "extra": "$(sha) `id`"},
      "web2": {"ansible_host": "192.0.2.2", "ansible_user": "ops", "ansible_port": 2022, "bad-name!": 1,
               "ansible_ssh_private_key_file": "~/.ssh/cloud"}}}})",
                                  diagnostics);
  INFO(diag::render(diagnostics));
  REQUIRE(diagnostics.empty());
  const playbook::Environment& environment = project.environments[0];
  REQUIRE(environment.hosts.size() == 2);
  CHECK(environment.hosts[0].address == "10.0.0.1");
  CHECK(environment.hosts[1].address == "192.0.2.2");
  CHECK(environment.hosts[1].user == "ops");
  CHECK(environment.hosts[1].port == 2022);
  CHECK(environment.hosts[1].identity_files == std::vector<std::string>{"~/.ssh/cloud"});
  CHECK(playbook::select(environment, {"parent & plain", {}, 1, ""}, diagnostics) ==
        std::vector<std::string>{"web2"});
  CHECK(command_on(project, "web1", "echo $(color) $(size) $(extra)") == "echo red 3 '$(sha) `id`'");
  CHECK(command_on(project, "web2", "echo $(color) $(list)") == "echo green '[1,\"a\"]'");
}

TEST_CASE("an inventory that is not one is refused with a reason") {
  const auto refused = [](const std::string& json) {
    diag::Diagnostics diagnostics;
    playbook::Project project = load(diagnostics);
    playbook::add_dynamic_inventory(project, "e", "./cloud", json, diagnostics);
    CHECK(diagnostics.has_errors());
    return diag::render(diagnostics);
  };
  CHECK_THAT(refused("{"), ContainsSubstring("did not print JSON"));
  CHECK_THAT(refused("[]"), ContainsSubstring("not a JSON object"));
  CHECK_THAT(refused(R"({"g": 3})"), ContainsSubstring("neither an object nor a list"));
  CHECK_THAT(refused(R"({"g": {"hosts": "web"}})"), ContainsSubstring("not a list of names"));
  CHECK_THAT(refused(R"({"g": ["-oProxyCommand=touch x"]})"),
             ContainsSubstring("cannot be the name of a host"));
  CHECK_THAT(refused(R"({"g": ["a b"]})"), ContainsSubstring("cannot be the name of a host"));
  CHECK_THAT(refused(R"({"_meta": {"hostvars": {"h": {"ansible_port": "x"}}}})"),
             ContainsSubstring("is not a port"));
  CHECK_THAT(refused(R"({"_meta": {"hostvars": {"h": {"ansible_host": "a;b"}}}})"),
             ContainsSubstring("is not an address"));
  CHECK_THAT(refused(R"({"_meta": {"hostvars": {"h": 3}}})"), ContainsSubstring("are not an object"));
}

TEST_CASE("names that only an inventory program could know are a warning until it is asked") {
  diag::Diagnostics diagnostics;
  playbook::Project project = load(diagnostics);
  CHECK(playbook::select(project.environments[0], {"cloud1", {}, 1, ""}, diagnostics));
  CHECK_FALSE(diagnostics.has_errors());
  CHECK(diagnostics.count(diag::Severity::warning) == 1);
  playbook::add_dynamic_inventory(project, "e", "./cloud", "{}", diagnostics);
  CHECK_FALSE(playbook::select(project.environments[0], {"cloud1", {}, 1, ""}, diagnostics));
}
