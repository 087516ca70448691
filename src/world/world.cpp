#include "staithe/world/world.hpp"

#include "balancer_dial.hpp"
#include "check_records.hpp"
#include "hosts.hpp"
#include "locks.hpp"
#include "output.hpp"
#include "probes.hpp"
#include "rehearsals.hpp"
#include "rotations.hpp"
#include "told_notes.hpp"

#include "staithe/base/text.hpp"
#include "staithe/event/exit_codes.hpp"
#include "staithe/http/client.hpp"
#include "staithe/plan/json_text.hpp"
#include "staithe/plan/secrets.hpp"
#include "staithe/proc/run.hpp"
#include "staithe/world/secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <mutex>
#include <set>
#include <sstream>

namespace staithe::world {
namespace {

constexpr std::size_t tail_lines = 20;
constexpr std::size_t largest_capture = 64 * 1024;
/// What a suite that is stopped has to undo what it made.
constexpr base::Duration suite_grace{8'000};
/// Shorter than the usual lifetime of a short-lived token (15 minutes or more).
constexpr base::Duration tokens_last{300'000};
constexpr base::Duration renewal_patience{20'000};

/// The history has no word for a release that is live and not yet judged.
store::ReleaseState in_history(plan::RecordRelease::State state) {
  switch (state) {
    case plan::RecordRelease::State::staged:
    case plan::RecordRelease::State::live:
      return store::ReleaseState::staged;
    case plan::RecordRelease::State::good:
      return store::ReleaseState::good;
    case plan::RecordRelease::State::bad:
      return store::ReleaseState::bad;
  }
  return store::ReleaseState::staged;
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw base::system_error(base::ErrorCode::not_found, path, errno);
  std::ostringstream bytes;
  bytes << file.rdbuf();
  return std::move(bytes).str();
}

}  // namespace

/// One visitor over the closed set of effects; each function is one effect.
class World::Performer {
 public:
  Performer(const plan::Plan& plan, store::Store* store, base::Redactor& redactor, Settings settings)
      : plan_(plan),
        store_(store),
        redactor_(redactor),
        settings_(std::move(settings)),
        secrets_(redactor, settings_.directory),
        hosts_(plan, settings_.person),
        locks_(store, settings_),
        told_notes_(store, settings_.run_id),
        rotations_(
            plan,
            [this](const plan::Balancer& balancer, SocketKind kind) {
              return dial_balancer(hosts_, balancer, kind);
            },
            [this](const std::string& host, const std::string& found) { told_notes_.add(host, found); }) {}

  exec::EffectResult perform(const plan::Effect& effect, exec::Performance& performance) {
    try {
      if (const auto lost = locks_.lost();
          !lost.empty() && plan::changes_the_world(effect) && !gives_back(effect))
        return refused_unsent("the lock on " + lost + " was taken away from this run");
      return std::visit([&](const auto& one) { return act(one, performance); }, effect);
    } catch (const Unsent& error) {
      auto result = told(error);
      result.nothing_done = true;
      result.own_fault = error.is_own_fault();
      return result;
    } catch (const base::Error& error) {
      return told(error);
    }
  }

  void lane_ended(const std::string& host) noexcept { rotations_.lane_ended(host); }
  void done_with(const std::string& host) noexcept { hosts_.close(host); }
  std::map<std::string, exec::Reach> reach(const std::set<std::string>& hosts,
                                           const base::Scope& scope) noexcept {
    try {
      return rotations_.reach(hosts, scope);
    } catch (const std::exception&) {
      return {};  // then nothing is known, and that is what is told
    }
  }
  std::string unmet() noexcept {
    try {
      return rotations_.unmet();
    } catch (const std::exception&) {
      return {};
    }
  }
  std::map<std::string, std::vector<LeftAlone>> left_alone(const base::Scope& scope) noexcept {
    try {
      return rotations_.left_alone(scope);
    } catch (const std::exception&) {
      return {};
    }
  }
  void adopt(const std::string& host, const std::string& found, bool keep_out,
             const std::optional<LastKnown>& known) {
    rotations_.adopt(host, found, keep_out, known);
  }
  void given_back(const std::string& host, const std::string& found) { rotations_.given_back(host, found); }
  MissingSecrets look_up_secrets(base::Duration each_within, const base::Cancel* stop) {
    MissingSecrets missing;
    // A recovery goes on without: what was late once may be there by the time that a host needs it. A notice
    // is worth no second wait.
    using Failure = Secrets::Failure;
    missing.needed =
        secrets_.look_up_all(plan::needed_secrets_of(plan_), each_within, stop, Failure::forgotten);
    missing.of_notices =
        secrets_.look_up_all(plan::secrets_of_notices(plan_), each_within, stop, Failure::kept);
    return missing;
  }
  std::vector<ConnectFinding> connect_all(std::size_t at_once, const base::Scope& scope) {
    return hosts_.connect_all(at_once, scope);
  }

 private:
  exec::EffectResult told(const base::Error& error) const {
    auto result = from_error(error);
    result.detail = redactor_.clean(result.detail);
    result.wrong_servers = dynamic_cast<const haproxy::Unmatched*>(&error) != nullptr;
    return result;
  }

  static exec::EffectResult refused_unsent(std::string detail) {
    auto result = not_done(event::Outcome::refused, std::move(detail));
    result.nothing_done = result.own_fault = true;
    return result;
  }

  /// With a secret that cannot be had nothing is sent.
  template <typename Holes>
  auto fill(const Holes& holes, exec::Performance& performance) {
    return before_sending([&] { return secrets_.fill(holes, performance.captures, performance.scope); },
                          Side::here);
  }

  static bool gives_back(const plan::Effect& effect) {
    const auto* change = std::get_if<plan::ChangeRotation>(&effect);
    using To = plan::ChangeRotation::To;
    return change != nullptr &&
           (change->to == To::ready || change->to == To::undo || change->to == To::prove);
  }

  exec::EffectResult act(const plan::RunRemote& effect, exec::Performance& performance) {
    ssh::Command command;
    command.script = effect.script;
    command.inputs = fill(effect.inputs, performance);
    command.silence_timeout = effect.silence;
    command.keep_bytes = largest_capture;
    command.more_follow = plan_.kind != "exec";
    LineOutput output(redactor_, performance.output, tail_lines);
    const auto exit = hosts_.run(
        effect.host, command,
        [&](ssh::Stream stream, std::string_view bytes) { output.push(stream == ssh::Stream::err, bytes); },
        performance.scope);
    output.finish();
    exec::EffectResult result;
    if (exit.signal.empty()) result.exit_status = exit.status;
    result.output_tail = output.tail();
    if (!exit.signal.empty()) return failed(std::move(result), "killed by SIG" + exit.signal);
    if (exit.status != 0) return failed(std::move(result), fmt::format("exit status {}", exit.status));
    return captured(std::move(result), effect.capture, exit.out);
  }

  /// A process of this machine, with its status and the end of its output in `result`.
  proc::Exit run_here(const proc::Command& command, exec::Performance& performance,
                      exec::EffectResult& result, CheckRecords* records = nullptr) {
    LineOutput output(redactor_, performance.output, tail_lines);
    auto exit = proc::run(
        command,
        [&](proc::Stream stream, std::string_view bytes) {
          if (stream != proc::Stream::channel)
            output.push(stream == proc::Stream::err, bytes);
          else if (records != nullptr)
            records->push(bytes);
        },
        performance.scope);
    output.finish();
    if (exit.signal == 0) result.exit_status = exit.status;
    result.output_tail = output.tail();
    return exit;
  }

  exec::EffectResult act(const plan::RunLocal& effect, exec::Performance& performance) {
    proc::Command command;
    command.script = effect.script;
    command.directory = settings_.directory;
    command.environment = fill(effect.inputs, performance);
    exec::EffectResult result;
    const auto exit = run_here(command, performance, result);
    if (!exit.ok()) return failed(std::move(result), exit.text());
    return captured(std::move(result), effect.capture, exit.out);
  }

  /// A process of its own: it has its own budget, and cleans up after itself whatever becomes of the run.
  exec::EffectResult act(const plan::CheckSuite& effect, exec::Performance& performance) {
    proc::Command command;
    command.argv = settings_.check_command;
    const auto add = [&](const std::string& option, const std::string& value) {
      if (!value.empty()) command.argv.insert(command.argv.end(), {option, value});
    };
    command.argv.insert(command.argv.end(), {effect.suite, "--no-input", "--color", "never"});
    add("--expect-plan", effect.suite_plan);
    add("--service", plan_.service);
    add("--limit", effect.limit);
    if (effect.critical) command.argv.emplace_back("--critical");
    for (const auto& tag : effect.tags) add("--tag", tag);
    add("--fail-on", effect.fail_on);
    if (!effect.release.empty()) add("--var", "deploy.release=" + effect.release);
    const Secrets::Renewal renewal{tokens_last, renewal_patience, [&](const std::string& why) {
                                     performance.message(
                                         event::Level::warning,
                                         why + ": the suite gets the value that was looked up before");
                                   }};
    command.input = before_sending(
        [&] { return secrets_.handed_on(effect.secrets, performance.scope, renewal); }, Side::here);
    if (!command.input.empty()) command.environment = {{handed_secrets_variable, "stdin"}};
    command.directory = settings_.directory;
    command.term_grace = suite_grace;
    command.channel_variable = check_records_variable;
    CheckRecords records(performance.checks);
    exec::EffectResult result;
    const auto exit = run_here(command, performance, result, &records);
    if (const auto lost = records.trouble(); !lost.empty())
      performance.message(event::Level::warning, fmt::format("suite {}: {}", effect.suite, lost));
    if (!exit.ok()) {
      // Only these say that what was asked is not right; the others, that it was not asked, or not to its
      // end.
      const bool judged =
          exit.signal == 0 && (exit.status == event::exit_failed || exit.status == event::exit_degraded);
      result.own_fault = !judged;
      // The suite's last line tells what is wrong; with which status its process told it is no news then.
      return failed(std::move(result), judged ? std::string() : exit.text());
    }
    // "degraded: 5 pass, 1 degraded in 2s" is worth a line though it stops nothing.
    if (!result.output_tail.empty()) result.detail = result.output_tail.back();
    return result;
  }

  static exec::EffectResult failed(exec::EffectResult result, std::string detail) {
    result.outcome = event::Outcome::failed;
    result.detail = std::move(detail);
    result.retryable = true;
    const auto& tail = result.output_tail;
    const auto said =
        std::find_if(tail.rbegin(), tail.rend(), [](const auto& line) { return !line.empty(); });
    if (said != tail.rend()) result.detail += (result.detail.empty() ? "" : ": ") + *said;
    return result;
  }

  static exec::EffectResult captured(exec::EffectResult result, const std::string& capture,
                                     const std::string& out) {
    if (!capture.empty()) result.captured = std::string(base::trim(out));
    return result;
  }

  exec::EffectResult act(const plan::UploadFile& effect, exec::Performance& performance) {
    std::string bytes;
    if (effect.source.empty()) {
      bytes = fill(effect.content, performance);
    } else {
      const bool is_free = effect.source.front() == '/' || settings_.directory.empty();
      const auto path = is_free ? effect.source : settings_.directory + "/" + effect.source;
      bytes = before_sending([&] { return read_file(path); }, Side::here);
      if (base::sha256_hex(bytes) != effect.source_sha256)
        return refused_unsent(effect.source + " changed since the plan was made");
    }
    hosts_.upload(effect.host, effect.path, bytes, effect.mode, performance.scope);
    return done(base::bytes_text(bytes.size()));
  }

  exec::EffectResult act(const plan::ChangeRotation& effect, exec::Performance& performance) {
    return rotations_.change(effect, performance);
  }
  /// Only what HAProxy itself finds wrong with the host is the release's; that it does not answer is not.
  exec::EffectResult act(const plan::AwaitRotation& effect, exec::Performance& performance) {
    try {
      return rotations_.await(effect, performance);
    } catch (const base::Error& error) {
      auto result = told(error);
      result.own_fault = dynamic_cast<const haproxy::Unwell*>(&error) == nullptr;
      return result;
    }
  }
  exec::EffectResult act(const plan::GuardCapacity& effect, exec::Performance& performance) {
    return rotations_.guard(effect, performance);
  }
  exec::EffectResult act(const plan::SurveyRotation& effect, exec::Performance& performance) {
    return rotations_.survey(effect, performance);
  }
  exec::EffectResult act(const plan::Probe& effect, exec::Performance& performance) {
    return probe(effect, performance, secrets_, hosts_);
  }

  exec::EffectResult act(const plan::Confirm& effect, exec::Performance& performance) {
    if (!settings_.person.confirm)
      return not_done(event::Outcome::refused, "--yes is needed when not running interactively");
    if (settings_.person.confirm(effect.question, performance.scope)) return done();
    if (performance.scope.cancelled()) return not_done(event::Outcome::cancelled, "stopped while asking");
    return not_done(event::Outcome::refused, "not confirmed");
  }

  exec::EffectResult act(const plan::Notify& effect, exec::Performance& performance) {
    http::Request request;
    request.method = "POST";
    try {
      request.url = secrets_.fill(effect.url, performance.captures, performance.scope);
    } catch (const base::Error& error) {
      if (error.code() == base::ErrorCode::cancelled) throw;
      // It was told before the run began: no host is put back for a webhook that nobody can name.
      performance.message(event::Level::warning, "nobody is notified: " + redactor_.clean(error.what()));
      return done("nobody was notified");
    }
    request.headers.push_back({"Content-Type", "application/json"});
    request.body = "{\"text\":" + plan::json_string(effect.text) + "}";
    request.proxy = http::Proxy::from_environment;
    const auto reply = http::send(request, performance.scope);
    if (!reply.ok())
      return not_done(event::Outcome::failed, fmt::format("the webhook answered {}", reply.status), true);
    return done();
  }

  exec::EffectResult act(const plan::RequireRehearsal& effect, exec::Performance&) {
    return require_rehearsal(store_, plan_.project, effect);
  }
  exec::EffectResult act(const plan::TakeLock& effect, exec::Performance& performance) {
    return locks_.take(effect, performance);
  }
  exec::EffectResult act(const plan::GiveLock& effect, exec::Performance&) { return locks_.give(effect); }

  /// History only: when it cannot be written, the host is no worse for it, and a repair must go on.
  exec::EffectResult act(const plan::RecordRelease& effect, exec::Performance& performance) {
    const bool bad = effect.state == plan::RecordRelease::State::bad;
    {
      // What failed on one host does not become good again because another host took it.
      const std::lock_guard lock(bad_mutex_);
      if (bad && bad_releases_.insert(effect.release).second)
        performance.message(
            event::Level::warning,
            fmt::format("{} is a bad release from now on: rollbacks pass it over", effect.release));
      if (!bad && bad_releases_.count(effect.release) > 0) return done("stays bad: it failed on a host");
    }
    try {
      store_->record_release({plan_.environment,
                              effect.service,
                              effect.release,
                              effect.sha,
                              plan_.ref,
                              in_history(effect.state),
                              {},
                              settings_.run_id});
    } catch (const base::Error& error) {
      performance.message(event::Level::warning, fmt::format("not in the history: {}", error.what()));
    }
    return done();
  }

  const plan::Plan& plan_;
  store::Store* store_;
  base::Redactor& redactor_;
  Settings settings_;
  Secrets secrets_;
  Hosts hosts_;
  Locks locks_;
  std::mutex bad_mutex_;
  std::set<std::string> bad_releases_;
  ToldNotes told_notes_;
  Rotations rotations_;  // last: its sockets dial through hosts_
};

World::World(const plan::Plan& plan, store::Store* store, base::Redactor& redactor, Settings settings)
    : performer_(std::make_unique<Performer>(plan, store, redactor, std::move(settings))) {}
World::~World() = default;

exec::EffectResult World::perform(const plan::Effect& effect, exec::Performance& performance) {
  return performer_->perform(effect, performance);
}
void World::lane_ended(const std::string& host) noexcept {
  performer_->lane_ended(host);
}
void World::done_with(const std::string& host) noexcept {
  performer_->done_with(host);
}
std::map<std::string, exec::Reach> World::reach(const std::set<std::string>& hosts,
                                                const base::Scope& scope) noexcept {
  return performer_->reach(hosts, scope);
}
std::string World::unmet() noexcept {
  return performer_->unmet();
}
std::map<std::string, std::vector<LeftAlone>> World::left_alone(const base::Scope& scope) noexcept {
  return performer_->left_alone(scope);
}
void World::adopt(const std::string& host, const std::string& found, bool keep_out,
                  const std::optional<LastKnown>& known) {
  performer_->adopt(host, found, keep_out, known);
}
void World::given_back(const std::string& host, const std::string& found) {
  performer_->given_back(host, found);
}
MissingSecrets World::look_up_secrets(base::Duration each_within, const base::Cancel* stop) {
  return performer_->look_up_secrets(each_within, stop);
}
std::vector<ConnectFinding> World::connect_all(std::size_t at_once, const base::Scope& scope) {
  return performer_->connect_all(at_once, scope);
}

}  // namespace staithe::world
