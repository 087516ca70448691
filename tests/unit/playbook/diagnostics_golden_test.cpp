#include "golden.hpp"

using namespace staithe;

TEST_CASE("every broken example is reported as committed") {
  for (const auto& directory : golden::sorted(golden::data() / "broken")) {
    const std::string name = directory.filename().string();
    INFO(name);
    diag::Diagnostics diagnostics;
    const bool own_project = std::filesystem::exists(directory / "staithe.yml");
    const std::string text =
        golden::read(own_project ? directory / "staithe.yml" : golden::data() / "good.yml");
    const auto project = playbook::load_project("staithe.yml", text, diagnostics);
    std::optional<playbook::Playbook> playbook;
    if (std::filesystem::exists(directory / "playbook.yml")) {
      playbook =
          playbook::load_playbook("playbook.yml", golden::read(directory / "playbook.yml"), diagnostics);
    }
    if (project) {
      playbook::validate(*project, playbook ? &*playbook : nullptr, {}, playbook::disk_files(), diagnostics);
    }
    CHECK_FALSE(diagnostics.empty());
    golden::compare(directory / "expected.txt", diag::render(diagnostics, {}, 100));
  }
}

TEST_CASE("hosts at one address share nothing where no balancer has servers") {
  auto text = golden::read(golden::data() / "broken/shared-address/staithe.yml");
  text.resize(text.find("    balancers:"));
  text.insert(text.find("    servers: auto"), "    hosts: app\n");
  diag::Diagnostics diagnostics;
  const auto project = playbook::load_project("staithe.yml", text, diagnostics);
  REQUIRE(project);
  playbook::validate(*project, nullptr, {}, playbook::disk_files(), diagnostics);
  CHECK(diag::render(diagnostics).empty());
}

TEST_CASE("the good project has nothing to report") {
  diag::Diagnostics diagnostics;
  const auto project =
      playbook::load_project("staithe.yml", golden::read(golden::data() / "good.yml"), diagnostics);
  REQUIRE(project);
  playbook::validate(*project, nullptr, {}, playbook::disk_files(), diagnostics);
  CHECK(diag::render(diagnostics).empty());
}

TEST_CASE("the files that the format was drawn up with load in every environment") {
  const auto directory = golden::data() / "example";
  for (const std::string name : {"deploy.yml", "uptime.yml"}) {
    diag::Diagnostics diagnostics;
    const auto project =
        playbook::load_project("staithe.yml", golden::read(directory / "staithe.yml"), diagnostics);
    const auto playbook = playbook::load_playbook(name, golden::read(directory / name), diagnostics);
    REQUIRE(project);
    REQUIRE(playbook);
    playbook::validate(*project, &*playbook, {}, playbook::disk_files(), diagnostics);
    CHECK_FALSE(diagnostics.has_errors());
    // Its staging has one host, and two are to stay usable.
    for (const auto& finding : diagnostics.sorted())
      CHECK(finding.message.find("no host could ever be drained: staging") != std::string::npos);
  }
}
