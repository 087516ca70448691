#include "golden.hpp"

#include "staithe/plan/plan.hpp"

#include <algorithm>

using namespace staithe;

namespace {

/// Files of a directory under data/plans, as if it were the working directory.
steps::Files files_in(const std::filesystem::path& directory) {
  const steps::Files disk = playbook::disk_files();
  return {
      [=](const std::string& path, std::string& why) { return disk.text((directory / path).string(), why); },
      [=](const std::string& path, std::string& why) {
        return disk.sha256((directory / path).string(), why);
      }};
}

}  // namespace

TEST_CASE("every example directory gives the plan that is committed") {
  for (const auto& directory : golden::sorted(golden::data() / "plans")) {
    INFO(directory.filename().string());
    diag::Diagnostics diagnostics;
    auto project =
        playbook::load_project("staithe.yml", golden::read(directory / "staithe.yml"), diagnostics);
    REQUIRE(project);
    // As if the programs had been asked, and had named nobody.
    for (auto& environment : project->environments) environment.inventory_asked = true;
    const auto playbook =
        playbook::load_playbook("playbook.yml", golden::read(directory / "playbook.yml"), diagnostics);
    REQUIRE(playbook);
    playbook::Request request;
    request.environment = project->find_environment("production") != nullptr ? "production" : "";
    const auto wanted = playbook::ref_to_resolve(*project, *playbook, request, diagnostics);
    playbook::Refs refs;
    if (wanted) refs = {wanted->ref, golden::sha, "a commit"};
    const auto plan =
        playbook::make_plan(*project, *playbook, request, refs, files_in(directory), diagnostics);
    INFO(diag::render(diagnostics));
    REQUIRE(plan);
    CHECK(diagnostics.empty());
    golden::compare(directory / "plan.txt", plan::render(*plan, plan::Detail::full));
    CHECK(plan::from_json(plan::to_json(*plan)) == *plan);
  }
}
