#include "file_kinds.hpp"

#include "catch.hpp"

using namespace staithe;

TEST_CASE("the playbook that is taken unasked is passed over only where it is plainly another tool's") {
  const auto passed_over = [](const std::string& text, const std::string& path = "playbooks/deploy.yml") {
    return cli::is_of_another_tool(text, path);
  };
  CHECK_FALSE(passed_over(GENERATE("", "---\n", "# to be written\n", "{}\n", "[]\n", "~\n")));
  CHECK_FALSE(passed_over("playbook: Deploy\n"));
  CHECK_FALSE(passed_over("name: Deploy\nservice: api\n"));
  CHECK_FALSE(passed_over("name: Deploy\nsteps: [run: make migrate, checkout]\n"));
  // Others in that directory are not run unasked.
  CHECK(
      passed_over(GENERATE("", "---\n", "# to be written\n", "{}\n", "[]\n", "~\n"), "playbooks/later.yml"));
  CHECK(passed_over("trigger: [main]\nsteps: [script: make]\n", "playbooks/azure.yml"));
  CHECK(passed_over("services: {web: {image: nginx}}\n"));
  CHECK(passed_over("- hosts: all\n  tasks: [ping: {}]\n"));
}

TEST_CASE("what has no word of a playbook may be another tool's after all") {
  const auto has_words = [](const std::string& text) {
    return cli::has_words_of_playbook(text, "playbooks/deploy.yml");
  };
  CHECK_FALSE(has_words(GENERATE("", "service: api\n", "trigger: [main]\nsteps: [script: make]\n")));
  CHECK(has_words(GENERATE("playbok: Deploy\n", "service: api\neach: []\n", "- playbook: Deploy\n")));
  CHECK(has_words("steps: [\n"));  // perhaps
}
