#include "suggest.hpp"

#include "staithe/base/text.hpp"
#include "staithe/world/past_runs.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <filesystem>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::string option(std::string_view name, const std::string& value) {
  return value.empty() ? "" : fmt::format(" --{} {}", name, base::shell_quote(value));
}

/// KEY=VALUE as people write it: only a value that needs it is quoted.
std::string variable(const std::string& one) {
  const auto equals = one.find('=');
  if (equals == std::string::npos || equals + 1 == one.size()) return option("var", one);
  return fmt::format(" --var {}={}", base::shell_quote(one.substr(0, equals)),
                     base::shell_quote(one.substr(equals + 1)));
}

/// Where the files are, without the service.
std::string same_files(const App& app) {
  std::string text;
  const std::array<std::pair<const char*, const char*>, 3> options{
      {{"chdir", "-C"}, {"file", "-f"}, {"environment", "-e"}}};
  for (const auto& [name, letter] : options)
    if (app.args().has(name))
      text += fmt::format(" {} {}", letter, base::shell_quote(app.args().value(name)));
  return text;
}

/// A path that starts from the directory of staithe.yml, as it is typed where the person stands.
std::string from_here(const Loaded& loaded, const std::string& path) {
  return base::shell_quote((fs::path(loaded.project.directory) / path).lexically_normal().string());
}

/// The service that the run was told of, else the one of this command line.
std::string place_of(const App& app, const Asked& asked) {
  return same_files(app) +
         option("service", asked.service.empty() ? app.args().value("service") : asked.service);
}

std::string variables_of(const Loaded& loaded, const Asked& asked) {
  std::string text;
  for (const auto& file : asked.var_files) text += " --var-file " + from_here(loaded, file);
  for (const auto& one : asked.vars) text += variable(one);
  return text;
}

std::string playbook_of(const Loaded& loaded, const plan::Plan& plan) {
  return plan.source.empty() ? "" : " " + from_here(loaded, plan.source);
}

std::string pace_of(const Asked& asked) {
  return option("parallel", asked.parallel) + option("max-failures", asked.max_failures);
}

/// Whether staithe.yml itself reads the variable: without a playbook any other would be refused.
bool read_by_project(const Loaded& loaded, const std::string& key_and_value) {
  const auto name = key_and_value.substr(0, key_and_value.find('='));
  const auto& text = loaded.project.text;
  return text.find("$(" + name + ")") != std::string::npos ||
         text.find("$(raw " + name + ")") != std::string::npos;
}

std::string command_of(const plan::Plan& plan) {
  return plan.kind == "run" ? "staithe run" : "staithe deploy";
}

}  // namespace

Asked asked_of(const App& app, const Loaded& loaded) {
  Asked asked;
  const auto& args = app.args();
  asked.service = args.value("service");
  for (const auto& one : args.all("var"))
    if (!one.starts_with("ref=")) asked.vars.push_back(one);
  const auto home = fs::current_path() / loaded.project.directory;
  for (const auto& file : args.all("var-file")) asked.var_files.push_back(fs::proximate(file, home).string());
  asked.parallel = args.value("parallel");
  asked.max_failures = args.value("max-failures");
  return asked;
}

std::string text_of(const Asked& asked) {
  if (asked == Asked{}) return {};
  return json{{"service", asked.service},
              {"vars", asked.vars},
              {"var_files", asked.var_files},
              {"parallel", asked.parallel},
              {"max_failures", asked.max_failures}}
      .dump(-1, ' ', false, json::error_handler_t::replace);
}

Asked asked_of(store::Store& store, const std::string& run_id) {
  Asked asked;
  const auto known = json::parse(world::asked_for(store, run_id), nullptr, false);
  if (!known.is_object()) return asked;
  try {
    asked.service = known.value("service", "");
    asked.vars = known.value("vars", std::vector<std::string>());
    asked.var_files = known.value("var_files", std::vector<std::string>());
    asked.parallel = known.value("parallel", "");
    asked.max_failures = known.value("max_failures", "");
  } catch (const json::exception&) {
    return {};  // of another build
  }
  return asked;
}

std::string same_place(const App& app) {
  return place_of(app, {});
}

std::string recover_command(const App& app, const store::Run& run) {
  std::string text = "staithe recover" + same_files(app);
  if (!run.service.empty() && app.args().value("service") == run.service)
    text += option("service", run.service);
  // A recovery that died is not recovered itself: what it was for is looked for anew.
  return run.id.empty() || run.kind == "recover" ? text : text + " " + run.id;
}

std::string restore_command(const App& app, const Loaded& loaded, const Asked& asked,
                            const std::vector<std::string>& hosts) {
  Asked read = asked;
  std::erase_if(read.vars, [&](const std::string& one) { return !read_by_project(loaded, one); });
  return "staithe restore" + place_of(app, asked) + variables_of(loaded, read) + " " + base::join(hosts, " ");
}

std::vector<std::string> restore_commands(const App& app, const Loaded& loaded, store::Store& store,
                                          const std::map<std::string, std::string>& run_of) {
  std::map<std::string, std::vector<std::string>> hosts;  // by what was said of their runs
  std::map<std::string, Asked> said;
  for (const auto& [host, run] : run_of) {
    const auto asked = run.empty() ? Asked{} : asked_of(store, run);
    hosts[text_of(asked)].push_back(host);
    said.emplace(text_of(asked), asked);
  }
  std::vector<std::string> commands;
  for (const auto& [text, asked] : said) commands.push_back(restore_command(app, loaded, asked, hosts[text]));
  return commands;
}

std::string same_command(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan) {
  if (plan.kind == "rollback") return rollback_command(app, loaded, asked, plan) + option("to", plan.release);
  return command_of(plan) + place_of(app, asked) + playbook_of(loaded, plan) + variables_of(loaded, asked) +
         (plan.sha.empty() ? "" : " --var ref=" + plan.sha) + pace_of(asked);
}

std::string resume_command(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan) {
  return same_command(app, loaded, asked, plan) + (plan.kind == "rollback" ? "" : " --resume");
}

std::string rollback_command(const App& app, const Loaded& loaded, const Asked& asked,
                             const plan::Plan& plan) {
  return "staithe rollback" + place_of(app, asked) + playbook_of(loaded, plan) + variables_of(loaded, asked) +
         pace_of(asked);
}

std::string again_command(const App& app) {
  // What belongs to that one run, and not to what was wanted.
  constexpr std::array<std::string_view, 2> once{"expect-plan", "yes"};
  std::string text = "staithe " + std::string(app.args().command->name) + same_place(app);
  for (const auto& word : app.args().positionals) text += " " + base::shell_quote(word);
  text += option("limit", app.args().value("limit"));
  for (const auto& known : app.args().command->options) {
    if (!app.args().has(known.name) || std::find(once.begin(), once.end(), known.name) != once.end())
      continue;
    if (known.takes == Takes::nothing) text += fmt::format(" --{}", known.name);
    if (known.takes != Takes::nothing)
      for (const auto& value : app.args().all(known.name))
        text += known.name == "var" ? variable(value) : option(known.name, value);
  }
  return text;
}

std::string hostkeys_hint(const App& app, const std::string& hosts) {
  return fmt::format(
      "\n  next  staithe hostkeys scan{1}{0}    compare the fingerprints with the hosts' own\n"
      "        staithe hostkeys pin{1}{0}     then write them down",
      hosts, same_place(app));
}

}  // namespace staithe::cli
