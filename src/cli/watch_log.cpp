#include "watch_log.hpp"

#include "looking.hpp"
#include "version.hpp"

#include "staithe/base/utc.hpp"
#include "staithe/report/checks.hpp"

#include <nlohmann/json.hpp>

namespace staithe::cli {

namespace {

constexpr std::size_t most_waiting = std::size_t{4} * 1024 * 1024;

std::string line_of(const nlohmann::json& record) {
  return record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace

WatchLog::WatchLog(App& app) : app_(app) {
  app_.out().go_on_after_errors();
  // Whoever reads the log, or has stopped, must not keep alerts waiting.
  app_.out().write_behind(most_waiting, [](std::size_t records) {
    return line_of({{"type", "watch"},
                    {"event", "log"},
                    {"time", base::utc_text_ms(store::now())},
                    {"left_out", records}});
  });
  // Its first record is the log's; each run has a listener of its own.
  report::make_check_jsonl(app.out(), version);
}

void WatchLog::note(const watch::Note& note) {
  nlohmann::json record{{"type", "watch"}, {"event", note.event}, {"time", base::utc_text_ms(store::now())}};
  for (const auto& [name, value] : note.facts) record[name] = app_.redactor().clean(value);
  app_.print(line_of(record));
}

WatchLog::~WatchLog() {
  app_.out().write_through();
}

std::unique_ptr<verify::Listener> WatchLog::listener() const {
  return report::make_check_jsonl(app_.out(), version, {false, !app_.quiet()});
}

}  // namespace staithe::cli
