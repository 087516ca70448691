#include "watch_log.hpp"

#include "looking.hpp"
#include "version.hpp"

#include "staithe/base/utc.hpp"
#include "staithe/report/checks.hpp"

#include <nlohmann/json.hpp>

namespace staithe::cli {

/// Leaves out what is well.
class WatchLog::Worst final : public verify::Listener {
 public:
  explicit Worst(verify::Listener& records) : records_(records) {}

  void check_finished(const verify::SuiteResult& suite, const verify::CheckResult& check) noexcept override {
    if (check.verdict != verify::Verdict::pass) records_.check_finished(suite, check);
  }
  void suite_finished(const verify::SuiteResult& suite) noexcept override {
    if (suite.verdict != verify::Verdict::pass) records_.suite_finished(suite);
  }

 private:
  verify::Listener& records_;
};

WatchLog::WatchLog(App& app)
    : app_(app),
      records_(report::make_check_jsonl(app.out(), version)),
      worst_(std::make_unique<Worst>(*records_)) {}
WatchLog::~WatchLog() = default;

void WatchLog::note(const watch::Note& note) {
  nlohmann::json record{{"type", "watch"}, {"event", note.event}, {"time", base::utc_text_ms(store::now())}};
  for (const auto& [name, value] : note.facts) record[name] = app_.redactor().clean(value);
  app_.print(record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::vector<verify::Listener*> WatchLog::listeners() const {
  if (app_.quiet()) return {worst_.get()};
  return {records_.get()};
}

}  // namespace staithe::cli
