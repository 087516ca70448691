#include "suggest.hpp"

#include "playbook_files.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/redact.hpp"
#include "staithe/base/secret_names.hpp"
#include "staithe/base/text.hpp"
#include "staithe/playbook/make_plan.hpp"
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

/// How a shell calls what the person fills in: it refuses to run the command without.
std::string from_environment(std::string_view key) {
  std::string variable;
  for (const char c : key) variable += base::is_alnum(c) ? base::upper(c) : '_';
  return fmt::format("\"${{{}{}:?}}\"", base::is_digit(variable.front()) ? "_" : "", variable);
}

/// Of KEY=VALUE, where the value is not known any more, or not whole: as it stands it would be rolled out.
bool was_hidden(std::string_view key_and_value) {
  const auto equals = key_and_value.find('=');
  return equals != 0 && equals != key_and_value.npos &&
         key_and_value.find("***", equals) != key_and_value.npos;
}

/// KEY=VALUE as people write it: only a value that needs it is quoted. What is a secret is not repeated.
std::string assigned(std::string_view name, const std::string& one) {
  if (name == "var" && (is_typed_secret(one) || was_hidden(one))) {
    const auto key = std::string_view(one).substr(0, one.find('='));
    return fmt::format(" --{} {}={}", name, shell_word(key), from_environment(key));
  }
  const auto equals = one.find('=');
  if (equals == std::string::npos || equals + 1 == one.size())
    return fmt::format(" --{} {}", name, shell_word(one));
  return fmt::format(" --{} {}={}", name, shell_word(one.substr(0, equals)),
                     shell_word(one.substr(equals + 1)));
}

std::string variable(const std::string& one) {
  return assigned("var", one);
}

/// Where the files are, without the service.
std::string same_files(const App& app) {
  std::string text;
  const std::array<std::pair<const char*, const char*>, 3> options{
      {{"chdir", "-C"}, {"file", "-f"}, {"environment", "-e"}}};
  for (const auto& [name, letter] : options)
    if (app.args().has(name)) text += fmt::format(" {} {}", letter, shell_word(app.args().value(name)));
  return text;
}

/// A path that starts from the directory of staithe.yml, as it is typed where the person stands: without
/// detours where that is the same file, which it need not be behind a symbolic link.
std::string from_here(const Loaded& loaded, const std::string& path) {
  const auto whole = fs::path(loaded.project.directory) / path;
  const auto plain = whole.lexically_normal();
  std::error_code gone;
  return shell_word((fs::equivalent(plain, whole, gone) ? plain : whole).string());
}

/// The absolute path of what is named from `here`, which has no symbolic links: those of `path` stay.
fs::path absolute(fs::path here, const fs::path& path) {
  if (path.is_absolute()) return path;
  bool leading = true;
  for (const auto& part : path) {
    if (part.empty() || part == ".") continue;
    leading = leading && part == "..";
    if (leading)
      here = here.parent_path();
    else
      here /= part;
  }
  return here;
}

/// The other way round. What does not lie below the directory of staithe.yml, or was absolute, stays
/// absolute.
std::string from_project(const Loaded& loaded, const std::string& path) {
  std::error_code gone;
  const auto here = fs::current_path(gone);
  if (gone || fs::path(path).is_absolute()) return path;
  const auto whole = absolute(here, path);
  const auto below = whole.lexically_relative(absolute(here, loaded.project.directory));
  return (below.empty() || *below.begin() == ".." ? whole : below).string();
}

/// The service that the run was told of, else the one of this command line.
std::string place_of(const App& app, const Asked& asked) {
  return same_files(app) +
         option("service", asked.service.empty() ? app.args().value("service") : asked.service);
}

bool is_ref(const std::string& key_and_value) {
  return key_and_value.starts_with("ref=");
}

/// The commit that was resolved stands for the ref that was asked for.
std::string variables_of(const Loaded& loaded, const Asked& asked, const std::string& sha) {
  std::string text;
  for (const auto& file : asked.var_files) text += " --var-file " + from_here(loaded, file);
  for (const auto& one : asked.vars)
    if (sha.empty() || !is_ref(one)) text += variable(one);
  return text;
}

std::string playbook_of(const Loaded& loaded, const plan::Plan& plan) {
  if (!plan.source.empty()) return " " + from_here(loaded, plan.source);
  return own_playbook(loaded.project.directory).empty() ? "" : fmt::format(" {}", built_in_playbook);
}

/// As a command takes it that has no playbook and no release: a variable that only those read would be
/// refused.
Asked without_playbook(const App& app, const Loaded& loaded, Asked asked) {
  if (asked.service.empty()) asked.service = app.args().value("service");
  std::erase_if(asked.vars, [&](const std::string& one) {
    return is_ref(one) || !playbook::takes_variable(loaded.project, loaded.env(), asked.service,
                                                    one.substr(0, one.find('=')));
  });
  return asked;
}

/// Those of this command line, which the other command takes as well.
std::string same_variables(const App& app) {
  std::string text;
  for (const char* name : {"var-file", "var"})
    for (const auto& value : app.args().all(name)) text += option(name, value);
  return text;
}

std::string pace_of(const Asked& asked) {
  return option("parallel", asked.parallel) + option("max-failures", asked.max_failures) +
         option("deadline", asked.deadline);
}

std::string command_of(const plan::Plan& plan) {
  return plan.kind == "run" ? "staithe run" : "staithe deploy";
}

}  // namespace

Asked asked_of(const App& app, const Loaded& loaded) {
  Asked asked;
  const auto& args = app.args();
  asked.service = args.value("service");
  asked.vars = args.all("var");
  for (const auto& file : args.all("var-file")) asked.var_files.push_back(from_project(loaded, file));
  asked.parallel = args.value("parallel");
  asked.max_failures = args.value("max-failures");
  asked.deadline = args.value("deadline");
  return asked;
}

std::string without_secrets(const std::string& key_and_value, const base::Redactor& redactor) {
  const auto value = std::min(key_and_value.find('='), key_and_value.size() - 1) + 1;
  return key_and_value.substr(0, value) + redactor.clean(std::string_view(key_and_value).substr(value));
}

Asked without_secrets(Asked asked, const base::Redactor& redactor) {
  for (auto& one : asked.vars) one = without_secrets(one, redactor);
  return asked;
}

std::string text_of(const Asked& asked) {
  if (asked == Asked{}) return {};
  return json{{"service", asked.service},           {"vars", asked.vars},
              {"var_files", asked.var_files},       {"parallel", asked.parallel},
              {"max_failures", asked.max_failures}, {"deadline", asked.deadline}}
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
    asked.deadline = known.value("deadline", "");
  } catch (const json::exception&) {
    return {};  // of another build
  }
  return asked;
}

bool is_typed_secret(std::string_view key_and_value) {
  const auto equals = key_and_value.find('=');
  return equals != 0 && equals != key_and_value.npos && base::names_secret(key_and_value.substr(0, equals)) &&
         !base::is_harmless(key_and_value.substr(equals + 1));
}

std::string shell_word(std::string_view text) {
  const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  if (base::printable(text) == text && std::none_of(text.begin(), text.end(), is_control))
    return base::shell_quote(text);
  std::string quote = "$'";
  for (const char byte : text) {
    const auto c = static_cast<unsigned char>(byte);
    if (c < 0x20 || c >= 0x7f)
      quote += fmt::format("\\x{:02x}", c);
    else if (c == '\'' || c == '\\')
      quote += {'\\', static_cast<char>(c)};
    else
      quote += static_cast<char>(c);
  }
  return quote + "'";
}

std::string option(std::string_view name, const std::string& value) {
  if (value.empty()) return {};
  return name == "var" || name == "report" ? assigned(name, value)
                                           : fmt::format(" --{} {}", name, shell_word(value));
}

std::string words(const std::vector<std::string>& hosts) {
  std::string text;
  for (const auto& host : hosts) text += " " + shell_word(host);
  return text;
}

std::string same_place(const App& app) {
  return place_of(app, {});
}

std::string status_command(const App& app) {
  return "staithe status" + same_place(app) + same_variables(app);
}

std::string rollback_command(const App& app) {
  return "staithe rollback" + same_place(app) + same_variables(app);
}

std::string recover_command(const App& app) {
  return "staithe recover" + same_place(app);
}

std::string settle_command(const App& app, const Loaded& loaded, const Asked& asked,
                           const std::string& run_id) {
  return recover_command(app) + " --settled " + shell_word(run_id) + " --reason TEXT" +
         variables_of(loaded, without_playbook(app, loaded, asked), {});
}

std::string exec_command(const App& app, const std::vector<std::string>& hosts) {
  return "staithe exec" + same_place(app) + " -H " + shell_word(base::join(hosts, ",")) + " -- COMMAND";
}

std::string recover_command(const App& app, const store::Run& run) {
  std::string text = "staithe recover" + same_files(app);
  if (!run.service.empty() && app.args().value("service") == run.service)
    text += option("service", run.service);
  // A recovery that died is not recovered itself: what it was for is looked for anew.
  return run.id.empty() || run.kind == "recover" ? text : text + " " + shell_word(run.id);
}

std::string drain_command(const App& app, const Loaded& loaded, const Asked& asked,
                          const std::vector<std::string>& hosts, const std::string& reason) {
  const auto read = without_playbook(app, loaded, asked);
  return "staithe drain" + place_of(app, read) + variables_of(loaded, read, {}) + words(hosts) +
         option("reason", reason);
}

std::string restore_command(const App& app, const Loaded& loaded, const Asked& asked,
                            const std::vector<std::string>& hosts) {
  const auto read = without_playbook(app, loaded, asked);
  return "staithe restore" + place_of(app, read) + variables_of(loaded, read, {}) + words(hosts);
}

std::vector<std::string> restore_commands(const App& app, const Loaded& loaded, store::Store& store,
                                          const std::map<std::string, std::string>& run_of) {
  std::map<std::string, std::vector<std::string>> hosts;  // by what was said of their runs
  std::map<std::string, Asked> said;
  std::map<std::string, Asked> by_run{
      {"", asked_of(app, loaded)}};  // each run is read once, whatever it took
  for (const auto& [host, run] : run_of) {
    if (by_run.count(run) == 0) by_run[run] = asked_of(store, run);
    const auto text = text_of(by_run[run]);
    hosts[text].push_back(host);
    said.emplace(text, by_run[run]);
  }
  std::vector<std::string> commands;
  for (const auto& [text, asked] : said) commands.push_back(restore_command(app, loaded, asked, hosts[text]));
  return commands;
}

std::string same_command(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan) {
  if (plan.kind == "rollback") return rollback_command(app, loaded, asked, plan) + option("to", plan.release);
  return command_of(plan) + place_of(app, asked) + playbook_of(loaded, plan) +
         variables_of(loaded, asked, plan.sha) + (plan.sha.empty() ? "" : variable("ref=" + plan.sha)) +
         pace_of(asked);
}

std::string resume_command(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan) {
  return same_command(app, loaded, asked, plan) + (plan.kind == "deploy" ? " --resume" : "");
}

std::string rest_command(const App& app, const Loaded& loaded, const Asked& asked, const plan::Plan& plan,
                         const std::vector<std::string>& left) {
  return same_command(app, loaded, asked, plan) + option("limit", base::fold_names(left));
}

std::string rollback_command(const App& app, const Loaded& loaded, const Asked& asked,
                             const plan::Plan& plan) {
  return "staithe rollback" + place_of(app, asked) + playbook_of(loaded, plan) +
         variables_of(loaded, asked, plan.sha) + pace_of(asked);
}

std::string drop_command(const App& app, const std::string& clone) {
  return "staithe stage drop " + shell_word(clone) + same_place(app) + " --disconnect";
}

std::string again_command(const App& app, const std::string& deadline) {
  // What belongs to that one run, and not to what was wanted.
  constexpr std::array<std::string_view, 3> once{"confirm", "expect-plan", "yes"};
  std::string text = "staithe " + std::string(app.args().command->name) + same_place(app);
  for (const auto& word : app.args().positionals) text += " " + shell_word(word);
  text += option("limit", app.args().value("limit"));
  for (const auto& known : app.args().command->options) {
    if (!app.args().has(known.name) || std::find(once.begin(), once.end(), known.name) != once.end())
      continue;
    if (known.name == "deadline" && !deadline.empty()) continue;
    if (known.takes == Takes::nothing) text += fmt::format(" --{}", known.name);
    if (known.takes != Takes::nothing)
      for (const auto& value : app.args().all(known.name)) text += option(known.name, value);
  }
  for (const auto& report : app.args().all("report")) text += option("report", report);
  return text + option("deadline", deadline);
}

std::string confirmed_command(const App& app, const std::string& what) {
  return again_command(app) + option("confirm", what);
}

std::vector<std::string> hostkeys_steps(const App& app, const Distrusted& hosts) {
  const auto place = same_place(app);
  std::vector<std::string> steps{
      fmt::format("staithe hostkeys scan{}{}{}    compare the fingerprints with the hosts' own", place,
                  hosts.unknown, hosts.changed)};
  if (!hosts.unknown.empty())
    steps.push_back(fmt::format("staithe hostkeys pin{}{}     then write them down", place, hosts.unknown));
  if (!hosts.changed.empty())
    steps.push_back(fmt::format(
        "staithe hostkeys pin --replace{}{}     never unless compared: somebody may sit in between", place,
        hosts.changed));
  return steps;
}

std::string hostkeys_hint(const App& app, const Distrusted& hosts) {
  return "\n  next  " + base::join(hostkeys_steps(app, hosts), "\n        ");
}

}  // namespace staithe::cli
