#include "command_pass.hpp"

#include "catch.hpp"

using namespace staithe;

namespace {

stage::CheckReport failing(const std::string& prints) {
  stage::RehearsalRun run;
  run.directory = "/";
  run.redact = [](const std::string& text) {
    std::string out = text;
    for (auto at = out.find("hunter2"); at != std::string::npos; at = out.find("hunter2"))
      out.replace(at, 7, "***");
    return out;
  };
  const auto scope = base::Scope::lasting(std::chrono::seconds(60));
  return stage::run_program(prints + "; exit 3", "postgresql://u@h/d?sslpassword=x", run,
                            base::Duration{20'000}, scope);
}

}  // namespace

TEST_CASE("of what a program prints no half of a secret is shown, and no half of a character") {
  for (int before = 190; before < 205; ++before) {
    CAPTURE(before);
    // "xxx…hunter2yyy…hunter2zzz…", with a seam in each secret at one time or another.
    const auto check = failing("printf '%" + std::to_string(before) + "shunter2%800s' x y; printf 'hunter2%" +
                               std::to_string(before + 200) + "s' z");
    CHECK_FALSE(check.passed);
    CHECK(check.detail.find("hunt") == std::string::npos);
    CHECK(check.detail.find("ter2") == std::string::npos);
    CHECK(check.detail.find(" … ") != std::string::npos);
  }
  for (int before = 195; before < 200; ++before) {
    CAPTURE(before);
    const auto check =
        failing("printf '%" + std::to_string(before) +
                "s' x; for i in 1 2 3 4 5 6 7 8 9 0; do printf '\\342\\202\\254%100s' y; done");
    CHECK(check.detail.find("\xEF\xBF\xBD") == std::string::npos);
  }
}
