#include "batch.hpp"

#include "staithe/base/text.hpp"
#include "staithe/base/utc.hpp"
#include "staithe/report/sinks.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <ctime>
#include <map>
#include <system_error>

namespace staithe::report {
namespace {

using Json = nlohmann::ordered_json;
using Clock = std::chrono::steady_clock;

/// Adding a field or a type is a minor step, another meaning a major one.
constexpr const char* schema = "1.0";
constexpr auto heartbeat_every = std::chrono::seconds(30);
constexpr auto progress_every = std::chrono::seconds(1);

const char* level_name(event::Level level) noexcept {
  switch (level) {
    case event::Level::info:
      return "info";
    case event::Level::warning:
      return "warning";
    case event::Level::error:
      return "error";
  }
  return "error";
}

class JsonLines final : public Sink {
 public:
  JsonLines(Output& output, const std::string& version, std::string plan_json)
      : output_(output), plan_json_(std::move(plan_json)) {
    Json record = begin("version");
    record["tool"] = "staithe";
    record["version"] = version;
    record["schema"] = schema;
    write(record);
  }

  void on_event(const event::Event& event) noexcept override {
    time_ = event.time;
    run_id_ = event.run_id;
    if (!plan_json_.empty()) write_plan();
    std::visit([this](const auto& payload) { show(payload); }, event.payload);
  }

  void begin_batch() noexcept override { batch_.begin(); }
  void end_batch() noexcept override { batch_.end(); }

  void on_tick(Clock::time_point now) noexcept override {
    if (run_id_.empty() || ended_ || now - written_ < heartbeat_every) return;
    time_ = std::chrono::system_clock::now();
    Json record = begin("heartbeat");
    auto running = Json::array();
    for (const auto& [id, action] : running_) {
      Json entry = Json::object();
      name(entry, action.host, action.action_id);
      entry["title"] = action.title;
      entry["duration_ms"] = std::chrono::duration_cast<base::Duration>(now - action.began).count();
      running.push_back(std::move(entry));
    }
    record["running"] = std::move(running);
    write(record);
  }

  std::string problem() const override {
    return output_.failed() ? std::generic_category().message(output_.error()) : std::string();
  }

 private:
  struct Running {
    std::string host, action_id, title;
    Clock::time_point began;
    Clock::time_point told;  ///< its last progress record; the epoch for none
  };

  Json begin(const char* type) {
    Json record;
    record["type"] = type;
    record["ts"] = base::utc_text_ms(time_);
    record["seq"] = ++seq_;
    if (!run_id_.empty()) record["run_id"] = run_id_;
    return record;
  }

  static void name(Json& record, const std::string& host, const std::string& action_id) {
    if (!host.empty()) record["host"] = host;
    record["action_id"] = action_id;
  }

  void write(const Json& record) {
    batch_.write(output_, record.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    written_ = Clock::now();
  }

  /// The record with the members of an object that is JSON already.
  void write_with(const Json& record, std::string_view object) {
    auto text = record.dump(-1, ' ', false, Json::error_handler_t::replace);
    text.back() = ',';
    batch_.write(output_, text.append(object.substr(1)) + "\n");
    written_ = Clock::now();
  }

  /// The plan is canonical: it goes in as it is.
  void write_plan() {
    write_with(begin("plan"), "{\"plan\":" + plan_json_ + "}");
    plan_json_.clear();
  }

  void show(const event::RunStarted& started) {
    Json record = begin("run_started");
    record["plan_id"] = started.plan_id;
    record["kind"] = started.kind;
    record["title"] = started.title;
    record["environment"] = started.environment;
    record["service"] = started.service;
    record["release"] = started.release;
    record["sha"] = started.sha;
    record["actions"] = started.actions;
    record["hosts"] = started.hosts;
    if (started.deadline.count() > 0) record["deadline_ms"] = started.deadline.count();
    write(record);
  }
  void show(const event::StageStarted& started) {
    Json record = begin("stage_started");
    record["stage"] = started.stage;
    record["lanes"] = started.hosts;
    write(record);
  }
  void show(const event::BatchStarted& started) {
    Json record = begin("batch_started");
    record["number"] = started.number;
    record["of"] = started.of;
    record["hosts"] = started.hosts;
    write(record);
  }
  void show(const event::ActionStarted& started) {
    running_[started.host + "\n" + started.action_id] = {
        started.host, started.action_id, started.title, Clock::now(), {}};
    Json record = begin("action_started");
    name(record, started.host, started.action_id);
    record["kind"] = started.kind;
    record["step"] = started.step;
    record["title"] = started.title;
    record["index"] = started.index;
    record["of"] = started.of;
    record["timeout_ms"] = started.timeout.count();
    write(record);
  }
  void show(const event::Output& output) {
    auto lines = base::split(output.line, '\n');
    if (lines.empty()) lines.emplace_back();
    for (auto& line : lines) {
      Json record = begin("action_output");
      name(record, output.host, output.action_id);
      record["stream"] = output.is_error ? "stderr" : "stdout";
      record["line"] = std::move(line);
      write(record);
    }
  }
  void show(const event::Progress& progress) {
    const auto now = Clock::now();
    if (const auto found = running_.find(progress.host + "\n" + progress.action_id);
        found != running_.end()) {
      auto& told = found->second.told;
      const bool complete = progress.total > 0 && progress.done >= progress.total;
      if (told != Clock::time_point{} && now - told < progress_every && !complete) return;
      told = now;
    }
    Json record = begin("progress");
    name(record, progress.host, progress.action_id);
    record["text"] = progress.text;
    record["done"] = progress.done;
    if (progress.total > 0) record["total"] = progress.total;
    record["unit"] = progress.unit;
    write(record);
  }
  void show(const event::Retried& retried) {
    Json record = begin("retried");
    name(record, retried.host, retried.action_id);
    record["attempt"] = retried.attempt;
    record["of"] = retried.of;
    record["reason"] = retried.reason;
    write(record);
  }
  void show(const event::ChecksEnded& ended) {
    for (const auto& check : ended.checks) {
      Json record = begin("check");
      name(record, ended.host, ended.action_id);
      record["step"] = ended.step;
      write_with(record, event::to_json(check));
    }
  }
  void show(const event::ActionFinished& finished) {
    running_.erase(finished.host + "\n" + finished.action_id);
    Json record = begin("action_finished");
    name(record, finished.host, finished.action_id);
    record["kind"] = finished.kind;
    record["step"] = finished.step;
    record["title"] = finished.title;
    record["index"] = finished.index;
    record["of"] = finished.of;
    record["outcome"] = event::name_of(finished.outcome);
    record["detail"] = finished.detail;
    if (finished.exit_status) record["exit_status"] = *finished.exit_status;
    record["duration_ms"] = finished.duration.count();
    record["output_tail"] = finished.output_tail;
    write(record);
  }
  void show(const event::HostFinished& finished) {
    Json record = begin("host_finished");
    record["host"] = finished.host;
    record["stage"] = finished.stage;
    record["state"] = event::name_of(finished.state);
    record["detail"] = finished.detail;
    record["actions"] = finished.actions;
    record["duration_ms"] = finished.duration.count();
    record["drained_ms"] = finished.drained.count();
    write(record);
  }
  void show(const event::Message& message) {
    Json record = begin("message");
    record["level"] = level_name(message.level);
    if (!message.host.empty()) record["host"] = message.host;
    record["text"] = message.text;
    write(record);
  }
  void show(const event::RunFinished& finished) {
    ended_ = true;
    Json record = begin("summary");
    record["exit_code"] = finished.exit_code;
    record["verdict"] = finished.verdict;
    record["failed_action"] = finished.failed_action;
    record["failed_host"] = finished.failed_host;
    record["failure"] = finished.failure;
    auto hosts = Json::array();
    for (const auto& host : finished.hosts) {
      Json entry{{"host", host.name}, {"state", event::name_of(host.state)}, {"detail", host.detail}};
      if (!host.reach.empty()) entry["reach"] = host.reach;
      hosts.push_back(std::move(entry));
    }
    record["hosts"] = std::move(hosts);
    record["next"] = finished.next;
    if (!finished.stays.empty()) record["stays"] = finished.stays;
    if (finished.deadline.count() > 0) record["deadline_ms"] = finished.deadline.count();
    record["duration_ms"] = finished.duration.count();
    write(record);
  }

  Output& output_;
  Batch batch_;
  std::string plan_json_;
  std::string run_id_;
  std::chrono::system_clock::time_point time_ = std::chrono::system_clock::now();
  Clock::time_point written_;
  std::uint64_t seq_ = 0;
  bool ended_ = false;
  std::map<std::string, Running> running_;
};

}  // namespace

std::unique_ptr<Sink> make_jsonl(Output& output, const std::string& version, std::string plan_json) {
  return std::make_unique<JsonLines>(output, version, std::move(plan_json));
}

}  // namespace staithe::report
