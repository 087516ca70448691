#include "sinks.hpp"

#include "log_sink.hpp"
#include "report_request.hpp"
#include "version.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/unique_fd.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace staithe::cli {
namespace {

constexpr std::chrono::seconds heartbeat{30};
/// Output is what exec is for: commands wait for who reads it. Nothing else does: hosts are out of rotation.
constexpr base::Duration exec_patience{10'000};

/// The second line of defence: the words of failures come from peers and may quote what they were sent.
/// Lines of output are redacted where they are read, because a secret may span two reads.
class Redacting final : public event::EventSink {
 public:
  Redacting(const base::Redactor& redactor, event::EventSink& next) : redactor_(redactor), next_(next) {}

  void on_event(const event::Event& event) noexcept override {
    if (std::holds_alternative<event::Output>(event.payload)) return next_.on_event(event);
    event::Event copy = event;
    std::visit([this](auto& payload) { clean(payload); }, copy.payload);
    next_.on_event(copy);
  }

 private:
  void clean(std::string& text) const { text = redactor_.clean(text); }
  template <class Other>
  void clean(Other& /*payload*/) const {}
  void clean(event::RunStarted& started) const { clean(started.title); }
  void clean(event::ActionStarted& started) const { clean(started.title); }
  void clean(event::Progress& progress) const { clean(progress.text); }
  void clean(event::Retried& retried) const { clean(retried.reason); }
  void clean(event::ChecksEnded& ended) const {
    for (auto& check : ended.checks) clean(check);
  }
  void clean(event::CheckRecord& check) const {
    for (auto* text :
         {&check.suite, &check.name, &check.key, &check.part, &check.severity, &check.file, &check.request,
          &check.release, &check.started, &check.quarantine, &check.quarantine_ended, &check.reason,
          &check.tolerated, &check.note, &check.again, &check.curl, &check.owner, &check.runbook})
      clean(*text);
    for (auto& judged : check.judged)
      for (auto* text : {&judged.subject, &judged.wanted, &judged.got, &judged.why}) clean(*text);
    for (auto& one : check.tries)
      for (auto* text : {&one.started, &one.note, &one.reason}) clean(*text);
  }
  void clean(event::ActionFinished& finished) const {
    clean(finished.title);
    clean(finished.detail);
    for (auto& line : finished.output_tail) clean(line);
  }
  void clean(event::HostFinished& finished) const { clean(finished.detail); }
  void clean(event::Message& message) const { clean(message.text); }
  void clean(event::RunFinished& finished) const {
    clean(finished.failed_action);
    clean(finished.failure);
    for (auto& command : finished.next) clean(command);
    for (auto& host : finished.hosts) clean(host.detail);
  }

  const base::Redactor& redactor_;
  event::EventSink& next_;
};

report::Color color_of(bool on) {
  return on ? report::Color::on : report::Color::off;
}

/// What --report can write of a run of the command, in the order in which it is said.
std::vector<std::string> reports_of(std::string_view command) {
  if (command == "check") return {"junit", "tap", "html", "jsonl", "lines", "github"};
  if (command == "stage rehearse") return {"junit", "html", "jsonl", "lines"};
  return {"junit", "jsonl", "lines"};
}

}  // namespace

struct Sinks::SideFile {
  explicit SideFile(int descriptor) : fd(descriptor), output(descriptor) {}
  base::UniqueFd fd;
  report::Output output;
};

Sinks::Sinks(App& app, const std::string& kind, const std::string& plan_json, Files files)
    : app_(app), kind_(kind), plan_json_(app.clean_values(plan_json)), side_files_(files) {
  if (app.json())
    reporters_.push_back({"stdout", report::make_jsonl(app.out(), version, plan_json_)});
  else
    add_for_person();
  for (const auto& request : app.args().all("report")) add_report(request);
  if (app.args().has("log-file")) reporters_.push_back({app.args().value("log-file"), make_log_sink()});
  std::vector<report::Sink*> listeners;
  for (const auto& reporter : reporters_) listeners.push_back(reporter.sink.get());
  pump_ = std::make_unique<report::Pump>(
      std::move(listeners), kind_ == "exec" ? exec_patience : base::Duration::zero(), &app.stops().soft);
  entrance_ = std::make_unique<Redacting>(app.redactor(), *pump_);
}

Sinks::~Sinks() {
  pump_->close();
  for (const auto& reporter : reporters_)
    if (const auto problem = reporter.sink->problem(); !problem.empty())
      app_.say(fmt::format("staithe: {}: not all was written: {}", reporter.name, problem));
}

void Sinks::add_for_person() {
  const int verbosity = app_.quiet() ? -1 : app_.verbosity();
  if (kind_ == "exec") {
    const auto fold = app_.args().has("fold") ? report::Fold::folded : report::Fold::prefixed;
    const auto color = color_of(app_.out_color() && app_.err_color());
    reporters_.push_back({"stdout", report::make_exec(app_.out(), app_.err(), fold, color, verbosity)});
    return;
  }
  const auto color = color_of(app_.err_color());
  if (app_.terminal().may_redraw() && !app_.quiet())
    reporters_.push_back(
        {"stderr", report::make_live(app_.err(), {verbosity, color, terminal_width, terminal_height})});
  else
    reporters_.push_back({"stderr", report::make_lines(app_.err(), {verbosity, color, heartbeat})});
}

void check_report(std::string_view command, const std::string& request) {
  if (tells_no_run(command))
    throw UsageError(
        fmt::format("{} takes no --report: that tells how a run went; --json is for programs", command));
  const bool of_checks = command == "check";
  const auto [kind, path] = report_request(request);
  auto kinds = reports_of(command);
  // GitHub says itself where its summary goes.
  const bool needs_file = !of_checks || kind != "github";
  if (needs_file && path.empty())
    throw UsageError(fmt::format("--report takes NAME=FILE, such as junit={}.xml, not '{}'",
                                 of_checks ? "checks" : "deploy", request));
  if (std::find(kinds.begin(), kinds.end(), kind) != kinds.end()) return;
  const auto last = std::exchange(kinds.back(), "");
  kinds.pop_back();
  throw UsageError(
      fmt::format("--report of {} knows {} and {}, not '{}'", command, base::join(kinds, ", "), last, kind));
}

void Sinks::add_report(const std::string& request) {
  const auto [kind, path] = report_request(request);
  if (kind == "html") return;  // a rehearsal's page is made of its report, not of events
  if (kind == "junit")
    reporters_.push_back({path, report::make_junit(path)});
  else if (kind == "jsonl")
    reporters_.push_back({path, report::make_jsonl(side_file(path), version, plan_json_)});
  else
    reporters_.push_back(
        {path, report::make_lines(side_file(path), {app_.verbosity(), report::Color::off, heartbeat})});
}

report::Output& Sinks::side_file(const std::string& path) {
  constexpr mode_t permissions = 0666;
  const int how = side_files_ == Files::add ? O_APPEND : O_TRUNC;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | how | O_CLOEXEC, permissions);
  if (fd < 0) throw base::system_error(base::ErrorCode::io, path, errno);
  files_.push_back(std::make_unique<SideFile>(fd));
  return files_.back()->output;
}

}  // namespace staithe::cli
