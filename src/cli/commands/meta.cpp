#include "commands.hpp"
#include "completion.hpp"
#include "exit_codes.hpp"
#include "help.hpp"
#include "looking.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::cli {

int run_version(App& app) {
  app.print(version_text());
  return exit_done;
}

int run_help(App& app) {
  const auto topic = base::join(app.args().positionals, " ");
  if (topic.empty()) {
    app.print(overview());
    return exit_done;
  }
  const auto text = help_on(topic);
  if (text) {
    app.print(*text);
    return exit_done;
  }
  const auto topics = help_topics();
  auto near = command_of_group(topic);
  if (!near) near = base::nearest(topic, topics);
  throw UsageError(fmt::format(
      "there is no help on '{}'{}", topic,
      near ? fmt::format("; did you mean '{}'?", *near) : "; topics: " + base::join(topics, ", ")));
}

int run_completion(App& app) {
  const auto& words = app.args().positionals;
  const auto script = words.size() == 1 ? completion_script(words.front()) : std::nullopt;
  if (!script) throw UsageError("completion is for bash, zsh or fish");
  app.print(*script);
  return exit_done;
}

}  // namespace staithe::cli
