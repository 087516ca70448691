#include "commands.hpp"
#include "exit_codes.hpp"
#include "stage.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/stage/snapshot.hpp"

#include <fmt/format.h>

namespace staithe::cli {
namespace {

constexpr base::Duration sampling_patience{10 * 60'000};

/// The rules that there are: what they speak of is not suggested again.
stage::Masks present(App& app, Loaded& loaded, const std::string& path) {
  if (path.empty() || app.args().has("all")) return {};
  auto masks = stage::load_masks(path, read_text(path), loaded.diagnostics);
  stop_on_errors(app, loaded.diagnostics);
  return masks ? std::move(*masks) : stage::Masks();
}

}  // namespace

int run_stage_suggest_masks(App& app) {
  if (!app.args().positionals.empty())
    throw UsageError("stage suggest-masks takes no word; it prints the file");
  auto loaded = load(app);
  const auto masks = present(app, loaded, databases_of(loaded).snapshot.masks);
  const auto url = url_value(app, loaded, source_of(loaded).url);
  const auto scope = base::Scope::lasting(sampling_patience, &app.stops().soft);
  pg::Session source(url, stage::source_options(), scope);
  stage::guard_source(source, {}, scope);
  source.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", scope);
  const auto catalogue = stage::read_catalogue(source, scope);
  const auto suspects = stage::find_suspects(source, catalogue, masks, scope);
  source.run("COMMIT", scope);
  app.print(stage::suggested_file(suspects, catalogue));
  if (!app.quiet())
    app.say(fmt::format("{} of {} {} personal or secret", base::count_text(suspects.size(), "column"),
                        base::count_text(catalogue.tables.size(), "table"),
                        suspects.size() == 1 ? "looks" : "look"));
  return exit_done;
}

}  // namespace staithe::cli
