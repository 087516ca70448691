#include "golden.hpp"

#include "staithe/base/text.hpp"
#include "staithe/plan/each_action.hpp"

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

/// The lines of the plan's commands, repairs and reverts included, that its text does not have.
std::vector<std::string> left_out(const plan::Plan& plan, const std::string& text) {
  std::vector<std::string> lines;
  plan::each_action(plan, [&](const plan::Action& action) {
    const auto* run = std::get_if<plan::RunRemote>(&action.effect);
    if (run == nullptr) return;
    for (auto& line : base::split(base::trim(run->script), '\n'))
      if (text.find(line) == std::string::npos) lines.push_back(std::move(line));
  });
  return lines;
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
    const auto text = plan::render(*plan, plan::Detail::full);
    golden::compare(directory / "plan.txt", text);
    CHECK(left_out(*plan, text).empty());
    CHECK(plan::from_json(plan::to_json(*plan)) == *plan);
  }
}
