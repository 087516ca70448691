#include "project.hpp"

#include "looking.hpp"

#include "staithe/base/error.hpp"
#include "staithe/diag/render.hpp"
#include "staithe/playbook/files.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t largest_file = 1024 * 1024;
constexpr base::Duration inventory_patience{30'000};
constexpr std::size_t largest_inventory = 8 * 1024 * 1024;

diag::Style style_for(const App& app) {
  if (!app.err_color()) return {};
  return {"\033[1m", "\033[1;31m", "\033[1;35m", "\033[32m", "\033[36m", "\033[0m"};
}

std::string find_project_file() {
  auto found = playbook::find_project(fs::current_path().string());
  if (!found) throw FilesWrong("no staithe.yml here or in any directory above; -f FILE names one");
  return fs::proximate(*found).string();
}

/// Programs of the inventory run in the directory of staithe.yml, as a person there would run them.
void ask_inventory(App& app, Loaded& loaded) {
  const auto& environment = loaded.env();
  std::vector<std::string> programs;
  for (const auto& program : environment.inventory) programs.push_back(program.value);
  for (const auto& program : programs) {
    proc::Command command;
    command.script = program;
    command.directory = loaded.project.directory;
    command.keep_bytes = largest_inventory;
    const auto exit = proc::run(command, base::Scope::lasting(inventory_patience, &app.stops().soft));
    if (!exit.ok())
      throw base::Error(base::ErrorCode::failed, fmt::format("the inventory program '{}' ended with {}: {}",
                                                             program, exit.text(), exit.err));
    playbook::add_dynamic_inventory(loaded.project, loaded.environment, program, exit.out,
                                    loaded.diagnostics);
  }
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
  if (!diagnostics.empty()) app.err().write(diag::render(diagnostics, style_for(app)));
}

void print_warnings(App& app, const diag::Diagnostics& diagnostics) {
  if (diagnostics.count(diag::Severity::warning) > 0 && !app.quiet())
    app.err().write(diag::render(diagnostics, style_for(app)));
}

void stop_on_errors(App& app, const diag::Diagnostics& diagnostics) {
  if (!diagnostics.has_errors()) return;
  print_findings(app, diagnostics);
  throw FilesWrong::printed(diag::render(diagnostics));
}

Loaded load_files(App& app) {
  const auto path = app.args().has("file") ? app.args().value("file") : find_project_file();
  Loaded loaded;
  auto project = playbook::load_project(path, read_text(path), loaded.diagnostics);
  if (!project) {
    stop_on_errors(app, loaded.diagnostics);
    throw FilesWrong();
  }
  loaded.project = std::move(*project);
  diag::Diagnostics unheard;
  const auto* environment =
      playbook::choose_environment(loaded.project, app.args().value("environment"), unheard);
  if (environment != nullptr) loaded.environment = environment->name.value;
  return loaded;
}

Loaded load(App& app) {
  const auto path = app.args().has("file") ? app.args().value("file") : find_project_file();
  Loaded loaded;
  auto project = playbook::load_project(path, read_text(path), loaded.diagnostics);
  if (!project) {
    stop_on_errors(app, loaded.diagnostics);
    throw FilesWrong();
  }
  loaded.project = std::move(*project);
  const auto* environment =
      playbook::choose_environment(loaded.project, app.args().value("environment"), loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  loaded.environment = environment->name.value;
  ask_inventory(app, loaded);
  stop_on_errors(app, loaded.diagnostics);
  return loaded;
}

std::string state_path(const Loaded& loaded) {
  const auto& path = loaded.env().state.path;
  if (!path.empty()) return path;
  const auto& directory = loaded.project.directory;
  return ((directory.empty() ? fs::path(".") : fs::path(directory)) / ".staithe" / "state.db").string();
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
