#include "catch.hpp"

#include "staithe/diag/render.hpp"
#include "staithe/steps/step.hpp"

#include <algorithm>
#include <set>

using namespace staithe;

TEST_CASE("every kind of step has help, a manual section, and an example that parses and lowers") {
  std::set<std::string_view> names;
  for (const steps::Kind& kind : steps::kinds()) {
    INFO(kind.name);
    CHECK(names.insert(kind.name).second);
    CHECK(kind.summary.size() > 10);
    CHECK(kind.manual.size() > 60);
    CHECK_FALSE(kind.places.empty());
    REQUIRE(kind.parse != nullptr);
    CHECK(steps::find_kind(kind.name) == &kind);

    diag::Diagnostics diagnostics;
    const auto root = yaml::parse(kind.example, "example.yml", diagnostics);
    REQUIRE(root);
    const auto items = yaml::Reader(*root, diagnostics).list();
    REQUIRE(items);
    CHECK_FALSE(items->empty());

    steps::Variables variables;
    for (const char* name : {"host", "service", "environment", "ref", "sha", "version"})
      variables.set_literal(name, "x1");
    variables.set_literal("host.address", "10.0.0.1");
    variables.set_literal("port", "80");
    variables.set_literal("path", "/srv/x");
    variables.set_literal("release.path", "/srv/x/releases/1");
    variables.set_literal("health", "http://10.0.0.1/health");
    variables.set_text("reload", "sudo -n systemctl reload x", "test");
    for (const char* name : {"secret.db_password", "secret.webhook"}) {
      variables.set(name, {steps::Variable::Kind::secret, "", {}, "test"});
    }
    steps::Release release;
    release.path = "/srv/x";
    release.sha = std::string(40, 'a');
    release.id = std::string(12, 'a');
    const steps::Files files{
        [](const std::string&, std::string&) { return std::optional<std::string>("text $(host)"); },
        [](const std::string&, std::string&) { return std::optional<std::string>("digest"); },
        [](const std::string& pattern) {
          return std::vector<std::string>{pattern + ".1", pattern + ".down.sql"};
        }};
    // What a host has its turn with may be more than what is done once: an undo.
    const bool rolls =
        std::find(kind.places.begin(), kind.places.end(), steps::Place::each) != kind.places.end();
    const auto place = rolls ? steps::Place::each : kind.places.front();
    for (const yaml::Reader& item : *items) {
      const auto parsed = steps::parse_step(item, place);
      INFO(diag::render(diagnostics));
      REQUIRE(parsed);
      CHECK(parsed->kind == &kind);
      steps::Variables own = variables;
      steps::Site site;
      site.place = place;
      site.host = parsed->step->needs_host() ? "x1" : "";
      site.variables = &own;
      site.release = &release;
      site.files = &files;
      site.diagnostics = &diagnostics;
      site.notify_urls = {plan::Text("https://hooks.example/x")};
      const auto lowered = steps::lower(*parsed, site);
      INFO(diag::render(diagnostics));
      REQUIRE(lowered);
      REQUIRE_FALSE(lowered->actions.empty());
      for (const plan::Action& action : lowered->actions) {
        CHECK_FALSE(action.title.empty());
        CHECK(action.step == kind.name);
        CHECK(action.timeout > base::Duration(0));
        CHECK(action.attempts >= 1);
      }
      const bool gives_back = kind.role != steps::Kind::Role::opens || !lowered->undo.empty();
      CHECK(gives_back);
    }
    INFO(diag::render(diagnostics));
    CHECK(diagnostics.empty());
  }
  CHECK(names.size() == 14);
}
