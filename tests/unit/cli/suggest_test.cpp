#include "suggest.hpp"

#include "catch.hpp"
#include "looking.hpp"
#include "support/directory.hpp"

#include "staithe/base/error.hpp"
#include "staithe/playbook/project.hpp"
#include "staithe/world/past_runs.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace staithe;
using cli::Asked;

namespace fs = std::filesystem;

namespace {

cli::Parsed parsed(std::vector<const char*> words) {
  words.insert(words.begin(), "staithe");
  auto result = cli::parse(static_cast<int>(words.size()), words.data());
  INFO(result.to_stderr);
  REQUIRE(result.parsed);
  return *result.parsed;
}

cli::Loaded loaded_from(const std::string& directory) {
  diag::Diagnostics diagnostics;
  auto project = playbook::load_project("staithe.yml",
                                        "staithe: 1\nproject: shop\nservices: {shop: {path: /srv/shop}}\n"
                                        "environments: {production: {hosts: {web1: {}, web2: {}}}}\n",
                                        diagnostics);
  REQUIRE(project);
  project->directory = directory;
  return {std::move(*project), "production", {}};
}

plan::Plan plan_of(const std::string& kind, const std::string& sha = {}) {
  plan::Plan plan;
  plan.kind = kind;
  plan.source = "deploy.yml";
  plan.sha = sha;
  plan.release = sha.substr(0, 12);
  return plan;
}

/// What is asked comes back from a state of its own.
Asked kept(const Asked& asked) {
  const test::Directory directory;
  const auto store = store::Store::open_sqlite(directory / "state.db");
  store::Run run;
  run.id = "run1";
  run.kind = "deploy";
  run.environment = "production";
  store->begin_run(run);
  if (const auto text = cli::text_of(asked); !text.empty()) world::note_asked(*store, run.id, text);
  return cli::asked_of(*store, run.id);
}

/// Where a test goes it comes back from.
struct Place {
  fs::path before = fs::current_path();
  ~Place() { fs::current_path(before); }
};

const std::string sha(40, 'a');

bool visible(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c != 0x7f; });
}

}  // namespace

TEST_CASE("what was said of a run comes back from the state as it was said") {
  Asked asked;
  CHECK(cli::text_of(asked).empty());
  CHECK(kept(asked) == asked);
  asked = {"shop", {"ref=main", "note=it's\x1b[31m red\n", "empty="}, {"vars/a b.yml"}, "2", "50%", "30m"};
  CHECK(kept(asked) == asked);
  CHECK(visible(cli::text_of(asked)));
}

TEST_CASE("no byte of the state reaches the terminal by a command that is suggested") {
  const cli::App app(parsed({"deploy", "-e", "production"}));
  const auto loaded = loaded_from(".");
  Asked asked;
  asked.service = "shop\x1b]0;owned\x07";
  asked.vars = {"note=\x1b[31mred\r\nstaithe: all is well", "na\x9bme=1"};
  asked.var_files = {"more\x1b.yml"};
  asked.deadline = "30m\n";
  const auto command = cli::same_command(app, loaded, asked, plan_of("run"));
  store::Run died;
  died.id = "run\x1b[2J";
  INFO(command);
  CHECK(visible(command));
  CHECK(command.find(R"(--var note=$'\x1b[31mred\x0d\x0astaithe: all is well')") != std::string::npos);
  CHECK(visible(cli::recover_command(app, died)));
  CHECK(visible(cli::settle_command(app, loaded, asked, "run\x1b[2J")));
  CHECK(visible(cli::exec_command(app, {"web1", "web\x1b[2J"})));
}

TEST_CASE("a command to repeat asks for a secret, and does not repeat it") {
  const cli::App app(parsed({"deploy", "--var", "api-token=opensesame", "--var", "max_tokens=4096"}));
  CHECK(cli::again_command(app).ends_with(R"( --var api-token="${API_TOKEN:?}" --var max_tokens=4096)"));
  CHECK(cli::option("var", "2_token=opensesame") == R"( --var 2_token="${_2_TOKEN:?}")");
  CHECK(cli::option("var", "token$(id)=opensesame") == R"( --var 'token$(id)'="${TOKEN__ID_:?}")");
  // As a run's note has it.
  CHECK(cli::option("var", "api_token=***") == R"( --var api_token="${API_TOKEN:?}")");
  CHECK(cli::option("var", "url=http://u:***@h/") == R"( --var url="${URL:?}")");
  for (const char* harmless :
       {"secret_enabled=true", "token=", "token=abc", "next_page_token=opensesame", "=x"})
    CHECK(cli::option("var", harmless).find('$') == std::string::npos);
}

TEST_CASE("of what was said of a run the values lose their secrets, and nothing else") {
  base::Redactor redactor;
  redactor.add_part("service");
  Asked asked;
  asked.service = "service";
  asked.vars = {"password=service", "service=a", "url=http://service/", "bare", ""};
  const auto said = cli::without_secrets(asked, redactor);
  CHECK(said.vars == std::vector<std::string>{"password=***", "service=a", "url=http://***/", "bare", ""});
  CHECK(kept(said) == said);
}

TEST_CASE("hosts are one word of a command, whatever they are called") {
  const cli::App app(parsed({"recover", "-e", "production", "-C", "my shop"}));
  CHECK(cli::exec_command(app, {"web1", "web2"}) ==
        "staithe exec -C 'my shop' -e production -H web1,web2 -- COMMAND");
  CHECK(cli::exec_command(app, {"web;1", "web2"}) ==
        "staithe exec -C 'my shop' -e production -H 'web;1,web2' -- COMMAND");
  const auto loaded = loaded_from(".");
  CHECK(cli::settle_command(app, loaded, {}, "run1") ==
        "staithe recover -C 'my shop' -e production --settled run1 --reason TEXT");
  CHECK(cli::status_command(app) == "staithe status -C 'my shop' -e production");
  const cli::App named(parsed({"restore", "web1", "--var", "pool=my api", "--var-file", "a b.yml"}));
  CHECK(cli::status_command(named) == "staithe status --var-file 'a b.yml' --var pool='my api'");
  CHECK(cli::rollback_command(named) == "staithe rollback --var-file 'a b.yml' --var pool='my api'");
}

TEST_CASE("a ref is said again as the commit that it was, and as it was said where nothing was resolved") {
  const Place place;
  const test::Directory directory;
  fs::current_path(directory.path());
  std::ofstream("deploy.yml") << "\n";
  const cli::App app(parsed({"deploy", "deploy.yml"}));
  const auto loaded = loaded_from(".");
  const Asked asked{"", {"ref=main", "color=red"}, {}, "", "", "30m"};
  CHECK(cli::same_command(app, loaded, asked, plan_of("deploy", sha)) ==
        "staithe deploy deploy.yml --var color=red --var ref=" + sha + " --deadline 30m");
  CHECK(cli::same_command(app, loaded, asked, plan_of("run")) ==
        "staithe run deploy.yml --var ref=main --var color=red --deadline 30m");
  CHECK(cli::resume_command(app, loaded, asked, plan_of("run")) ==
        cli::same_command(app, loaded, asked, plan_of("run")));
  // A restore knows neither releases nor this variable.
  CHECK(cli::restore_command(app, loaded, asked, {"web1"}) == "staithe restore web1");
}

TEST_CASE("what was confirmed once is not confirmed by the command that is suggested") {
  const cli::App app(parsed({"recover", "-e", "production", "--settled", "run1", "--reason", "it's well",
                             "--confirm", "other", "--yes"}));
  CHECK(cli::again_command(app) == R"(staithe recover -e production --settled run1 --reason 'it'\''s well')");
  // What ran out of time is done again with more.
  const cli::App late(parsed({"drain", "web1", "--deadline", "12s", "--reason", "disk"}));
  CHECK(cli::again_command(late, "24s") == "staithe drain web1 --reason disk --deadline 24s");
  CHECK(cli::again_command(late) == "staithe drain web1 --deadline 12s --reason disk");
  // Whoever wanted a report wants one of the next run as well.
  const cli::App paged(
      parsed({"stage", "rehearse", "a b.sql", "--report", "html=page.html", "--report", "lines=-"}));
  CHECK(cli::again_command(paged) ==
        "staithe stage rehearse 'a b.sql' --report html=page.html --report lines=-");
  CHECK(cli::confirmed_command(app, "run1") == cli::again_command(app) + " --confirm run1");
  // A backfill that was held back is held back as much, wherever its files are.
  const cli::App fill(parsed({"backfill", "-C", "shop", "users", "--set", "land = 'DE'", "--where",
                              "land IS NULL", "--max-lag", "1s", "--confirm", "shop"}));
  CHECK(cli::again_command(fill) ==
        R"(staithe backfill -C shop users --set 'land = '\''DE'\''' --where 'land IS NULL' --max-lag 1s)");
}

TEST_CASE("paths are said from where the person stands, also when that is elsewhere by then") {
  const Place place;
  const test::Directory directory;
  fs::create_directories(directory / "shop/vars");
  fs::create_directories(directory / "gone");
  std::ofstream(directory / "shop/vars/a.yml") << "\n";
  std::ofstream(directory / "shop/deploy.yml") << "\n";
  fs::current_path(directory.path());
  const cli::App app(parsed({"deploy", "--var-file", "shop/vars/a.yml", "--var-file", "b.yml"}));
  const auto asked = cli::asked_of(app, loaded_from("shop"));
  const auto outside = (fs::current_path() / "b.yml").string();
  CHECK(asked.var_files == std::vector<std::string>{"vars/a.yml", outside});
  const cli::App later(parsed({"status"}));
  CHECK(cli::same_command(later, loaded_from("shop"), asked, plan_of("run")) ==
        "staithe run shop/deploy.yml --var-file shop/vars/a.yml --var-file " + outside);
  fs::current_path("shop/vars");
  CHECK(cli::same_command(later, loaded_from(".."), asked, plan_of("run")) ==
        "staithe run ../deploy.yml --var-file ../vars/a.yml --var-file " + outside);
  fs::current_path(directory / "gone");
  fs::remove(directory / "gone");
  CHECK(cli::asked_of(app, loaded_from("..")).var_files ==
        std::vector<std::string>{"shop/vars/a.yml", "b.yml"});
}

TEST_CASE("a row of a table is one line, whatever was written into the state") {
  const auto text = cli::aligned({{"run1", "a\x1b[2J title\nDIED: run 2", "x"}, {"r", "b\tc", "y"}}, 2);
  CHECK(text == "  run1  a title DIED: run 2  x\n  r     b c                  y\n");
}
