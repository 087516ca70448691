#include "project.hpp"

#include "looking.hpp"

#include "staithe/base/duration.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/diag/render.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t largest_file = 1024 * 1024;
constexpr base::Duration inventory_patience{30'000};
constexpr std::size_t largest_inventory = 8 * 1024 * 1024;
constexpr std::size_t every_finding = std::numeric_limits<std::size_t>::max();

diag::Style style_for(const App& app) {
  diag::Style style;
  if (app.err_color()) style = {"\033[1m", "\033[1;31m", "\033[1;35m", "\033[32m", "\033[36m", "\033[0m"};
  style.consequence = app.consequence();
  return style;
}

std::string find_project_file() {
  auto found = playbook::find_project(fs::current_path().string());
  if (!found) throw FilesWrong("no staithe.yml here or in any directory above; -f FILE names one");
  return fs::proximate(*found).string();
}

/// What a program of the inventory prints. It runs in the directory of staithe.yml, as a person there would
/// run it.
std::string ask_program(App& app, const Loaded& loaded, const std::string& program) {
  proc::Command command;
  command.script = program;
  command.directory = loaded.project.directory;
  command.keep_bytes = largest_inventory;
  const auto name = fmt::format("the inventory program '{}'", program);
  try {
    std::size_t bytes = 0;
    const auto count = [&](proc::Stream, std::string_view text) {
      // Ended here: one that never ends would be read for as long as it may run.
      if ((bytes += text.size()) > largest_inventory)
        throw base::Error(base::ErrorCode::failed, name + " printed more than 8 MiB");
    };
    const auto exit = proc::run(command, count, base::Scope::lasting(inventory_patience, &app.stops().soft));
    const auto said = base::trim(exit.err);
    if (!exit.ok())
      throw base::Error(base::ErrorCode::failed, fmt::format("{} ended with {}{}{}", name, exit.text(),
                                                             said.empty() ? "" : ": ", said));
    return exit.out;
  } catch (const base::Error& error) {
    if (error.code() != base::ErrorCode::timeout) throw;
    throw base::Error(error.code(),
                      fmt::format("{} did not end within {}", name, base::elapsed_text(inventory_patience)));
  }
}

std::vector<playbook::Text> programs_of(const Loaded& loaded) {
  return loaded.env().inventory;  // a copy: adding what one says moves the environment
}

}  // namespace

std::string read_text(const std::string& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (!error && size > largest_file) throw FilesWrong(path + " is larger than 1 MiB");
  std::ifstream file(path, std::ios::binary);
  if (!file || fs::is_directory(path, error))
    throw FilesWrong(base::system_error(base::ErrorCode::not_found, path, file ? EISDIR : errno).what());
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) throw FilesWrong(base::system_error(base::ErrorCode::io, path, EIO).what());
  return std::move(text).str();
}

void print_findings(App& app, const diag::Diagnostics& diagnostics) {
  if (app.json()) {
    const Records records(app);
    app.print(diag::to_json_lines(diagnostics));
    return;
  }
  if (!diagnostics.empty()) app.err().write(diag::render(diagnostics, style_for(app), every_finding));
}

void print_warnings(App& app, const diag::Diagnostics& diagnostics) {
  if (diagnostics.count(diag::Severity::warning) > 0 && !app.quiet())
    app.err().write(diag::render(diagnostics, style_for(app)));
}

void stop_on_errors(App& app, const diag::Diagnostics& diagnostics) {
  if (!diagnostics.has_errors()) return;
  print_findings(app, diagnostics);
  diag::Style plain;
  plain.consequence = app.consequence();
  throw FilesWrong::printed(diag::render(diagnostics, plain));
}

namespace {

Loaded load_project_at(App& app, const std::string& path) {
  Loaded loaded;
  auto project = playbook::load_project(path, read_text(path), loaded.diagnostics);
  if (!project) {
    stop_on_errors(app, loaded.diagnostics);
    throw FilesWrong();
  }
  loaded.project = std::move(*project);
  return loaded;
}

}  // namespace

Loaded load_files(App& app, const std::string& file) {
  const auto named = file.empty() ? app.args().value("file") : file;
  auto loaded = load_project_at(app, named.empty() ? find_project_file() : named);
  diag::Diagnostics unheard;
  const auto* environment =
      playbook::choose_environment(loaded.project, app.args().value("environment"), unheard);
  if (environment != nullptr) loaded.environment = environment->name.value;
  return loaded;
}

Loaded load(App& app) {
  auto loaded = load_project_at(app, app.args().has("file") ? app.args().value("file") : find_project_file());
  const auto* environment =
      playbook::choose_environment(loaded.project, app.args().value("environment"), loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  loaded.environment = environment->name.value;
  ask_inventory_and_go_on(app, loaded);
  stop_on_errors(app, loaded.diagnostics);
  return loaded;
}

void ask_inventory_and_go_on(App& app, Loaded& loaded) {
  for (const auto& program : programs_of(loaded)) {
    try {
      const auto said = ask_program(app, loaded, program.value);
      playbook::add_dynamic_inventory(loaded.project, loaded.environment, program.value, said,
                                      loaded.diagnostics);
    } catch (const base::Error& error) {
      if (error.code() == base::ErrorCode::cancelled) throw;
      diag::Diagnostic finding;
      finding.position = program.position;
      finding.length = program.length;
      finding.message = app.redactor().clean(error.what());
      finding.path = program.path;
      loaded.diagnostics.add(std::move(finding));
    }
  }
}

std::string state_path(const Loaded& loaded) {
  const auto& path = loaded.env().state.path;
  if (!path.empty()) return path;
  return (fs::path(loaded.project.directory) / ".staithe" / "state.db").string();
}

std::unique_ptr<store::Store> open_store(App& app, const Loaded& loaded) {
  store::Settings settings;
  settings.stop = &app.stops().hard;
  const auto& state = loaded.env().state;
  if (state.kind == playbook::StateStore::Kind::postgres) {
    const char* url = std::getenv(state.url.name.c_str());
    if (state.url.source != plan::SecretRef::Source::env || url == nullptr)
      throw base::Error(base::ErrorCode::not_found,
                        fmt::format("the state's URL, {}, is not there", plan::shown(state.url)));
    app.redactor().add(url);
    return store::Store::open_postgres(url, settings);
  }
  return store::Store::open_sqlite(state_path(loaded), settings);
}

}  // namespace staithe::cli
