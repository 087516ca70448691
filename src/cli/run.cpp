#include "staithe/cli/run.hpp"

#include "app.hpp"
#include "exit_codes.hpp"
#include "project.hpp"
#include "signals.hpp"
#include "sinks.hpp"
#include "suggest.hpp"
#include "terminal.hpp"
#include "version.hpp"

#include "staithe/base/error.hpp"
#include "staithe/log/log.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <new>
#include <system_error>

namespace staithe::cli {
namespace {

/// Values belong into `secrets`; but what was typed all the same is shown no more than those are.
void know_typed_secrets(App& app) {
  for (const auto& typed : app.args().all("var"))
    if (is_typed_secret(typed)) app.redactor().add_part(std::string_view(typed).substr(typed.find('=') + 1));
}

/// What must be in force before the command does anything.
void prepare(App& app) {
  know_typed_secrets(app);
  if (app.args().has("chdir")) {
    std::error_code why;
    std::filesystem::current_path(app.args().value("chdir"), why);
    if (why) throw FilesWrong(fmt::format("{}: {}", app.args().value("chdir"), why.message()));
  }
  if (app.args().has("limit") && asks_no_hosts(app.args().command->name))
    throw UsageError(fmt::format("{} takes no --limit: it is about no hosts", app.args().command->name));
  // Of a dry run too: what is wrong with the command line is not to be found out by the real one.
  for (const auto& request : app.args().all("report")) check_report(app.args().command->name, request);
  if (app.args().has("lock-wait")) (void)app.duration("lock-wait", base::Duration{0});
  app.color_choice();
  if (!app.args().has("log-file")) return;
  log::set_filter([&app](std::string_view text) { return app.redactor().clean(text); });
  log::open(app.args().value("log-file"), log::Level::debug);
  log::info(fmt::format("staithe {} {}, process {}", version, app.args().command->name, ::getpid()));
}

void say_stopping(App& app, int count) {
  if (!app.in_run())
    app.say("Stopping.");
  else if (count == 1)
    app.say("Stopping: hosts in hand are finished or put back; once more to abandon them as they are.");
  else
    app.say("Abandoning: what is left is said below and stays in the journal.");
}

/// What became of it belongs behind the first line; what follows that says what to do next.
std::string with_consequence(std::string text, std::string_view consequence) {
  auto end = std::min(text.find('\n'), text.size());
  if (end > 0 && text[end - 1] == ':') --end;  // a list follows
  return text.insert(end, consequence);
}

/// What asks for another command, or none, is not mended by waiting.
bool stands_in_the_way(base::ErrorCode code) {
  using base::ErrorCode;
  return code != ErrorCode::not_found && code != ErrorCode::conflict && code != ErrorCode::invalid &&
         code != ErrorCode::cancelled;
}

/// Whether the text suggests a command itself.
bool says_next(std::string_view text) {
  return text.find("\n  next  ") != std::string_view::npos || text.find("; next: ") != std::string_view::npos;
}

/// The same command again, of those that make a run; what was typed after `exec --` may be long.
std::string once_mended(const App& app, std::string_view text) {
  const auto options = app.args().command->options;
  const bool runs = std::any_of(options.begin(), options.end(),
                                [](const auto& option) { return option.name == "expect-plan"; });
  if (!runs || app.args().command->name == "exec" || says_next(text)) return {};
  return fmt::format("\n  next  {}    again, once that is fixed", again_command(app));
}

/// Something that nobody foresaw. What is true of the hosts then depends on whether a run had begun.
int broke_off(App& app, int code, const std::string& text, const std::string& next = {}) {
  if (!app.in_run()) return app.fail(code, with_consequence(text, "; nothing was changed") + next);
  return app.fail(exit_needs_person,
                  with_consequence(text, "; the run may have changed hosts") +
                      fmt::format("\n"
                                  "  next  staithe status{0}     look at them\n"
                                  "        staithe recover{0}    put right what the run left",
                                  same_place(app)));
}

int run_command(App& app) {
  const SignalThread signals(
      app.stops(), [&app](int count, int) { say_stopping(app, count); }, [&app] { return app.hang_up(); });
  try {
    prepare(app);
    return app.args().command->run(app);
  } catch (const UsageError& error) {
    return app.fail(exit_usage, error.what());
  } catch (const FilesWrong& error) {
    if (*error.what() == '\0') return exit_files;
    return app.fail(exit_files, with_consequence(error.what(), "; nothing was run"));
  } catch (const base::Error& error) {
    const int code = error.code() == base::ErrorCode::cancelled ? app.stops().exit_code.load() : exit_refused;
    const auto text = app.redactor().clean(error.what());
    const auto next = stands_in_the_way(error.code()) ? app.redactor().clean(once_mended(app, text)) : "";
    return broke_off(app, code, text, next);
  } catch (const std::system_error& error) {
    return broke_off(app, exit_refused, app.redactor().clean(error.what()));
  } catch (const std::bad_alloc&) {
    return broke_off(app, exit_refused, "out of memory");
  }
}

/// A command that only looks has done nothing where its answer could not be written; who closes a pipe early
/// (`| head`) has read what he wanted. A run has its hosts to tell of, and says itself what was not written.
int answered(int code, const report::Output& out, bool in_run, report::Output& err) {
  if (code != exit_done || in_run || !out.failed() || out.error() == EPIPE) return code;
  const auto problem =
      base::system_error(base::ErrorCode::io, "staithe: stdout: not all was written", out.error());
  err.write(fmt::format("{}\n", problem.what()));
  return exit_refused;
}

int print(const ParseResult& parsed) {
  report::Output out(1);
  report::Output err(2);
  out.write(parsed.to_stdout);
  err.write(parsed.to_stderr);
  return answered(parsed.exit_code, out, false, err);
}

int run_parsed(Parsed parsed) {
  App app(std::move(parsed));
  const int code = run_command(app);
  log::close();
  return answered(code, app.out(), app.in_run(), app.err());
}

/// Not even what takes signals could be set up: no more files, no more threads.
int not_begun(const std::exception& error) {
  report::Output(2).write(fmt::format("staithe: {}; nothing was changed\n", error.what()));
  return exit_refused;
}

}  // namespace

int run(int argc, const char* const* argv) {
  keep_standard_streams();
  block_signals();
  auto parsed = parse(argc, argv);
  if (!parsed.parsed) return print(parsed);
  try {
    return run_parsed(std::move(*parsed.parsed));
  } catch (const base::Error& error) {
    return not_begun(error);
  } catch (const std::system_error& error) {
    return not_begun(error);
  }
}

}  // namespace staithe::cli
