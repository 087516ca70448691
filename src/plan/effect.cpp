#include "staithe/plan/effect.hpp"

#include "enum_names.hpp"

#include "staithe/base/overloaded.hpp"

namespace staithe::plan {
namespace {

using base::Overloaded;

struct ProbeHost {
  std::string operator()(const HttpProbe&) const { return {}; }
  std::string operator()(const TcpProbe&) const { return {}; }
  std::string operator()(const CommandProbe& probe) const { return probe.host; }
  std::string operator()(const FileProbe& probe) const { return probe.host; }
};

}  // namespace

std::uint32_t Amount::of(std::uint32_t whole) const {
  if (!percent) return value;
  const std::uint64_t scaled = static_cast<std::uint64_t>(value) * whole;
  return static_cast<std::uint32_t>((scaled + 99) / 100);
}

std::string_view name_of(RecordRelease::State state) noexcept {
  return EnumNames<RecordRelease::State>::names[static_cast<std::size_t>(state)];
}

std::string host_of(const Effect& effect) {
  return std::visit(Overloaded{
                        [](const RunLocal&) { return std::string(); },
                        [](const Probe& probe) { return std::visit(ProbeHost{}, probe.what); },
                        [](const Confirm&) { return std::string(); },
                        [](const Notify&) { return std::string(); },
                        [](const TakeLock&) { return std::string(); },
                        [](const GiveLock&) { return std::string(); },
                        // It asks from this machine, whichever host it asks.
                        [](const CheckSuite&) { return std::string(); },
                        [](const RequireRehearsal&) { return std::string(); },
                        [](const auto& on_host) { return on_host.host; },
                    },
                    effect);
}

bool changes_the_world(const Effect& effect) {
  return std::visit(Overloaded{
                        [](const RunRemote& run) { return !run.reads_only; },
                        [](const RunLocal& run) { return !run.reads_only; },
                        [](const UploadFile&) { return true; },
                        [](const ChangeRotation&) { return true; },
                        // At its deadline it may be told to cut sessions.
                        [](const AwaitRotation& wait) {
                          return wait.at_deadline == AwaitRotation::AtDeadline::close_sessions;
                        },
                        [](const GuardCapacity&) { return false; },
                        [](const SurveyRotation&) { return false; },
                        [](const Probe& probe) { return std::holds_alternative<CommandProbe>(probe.what); },
                        [](const Confirm&) { return false; },
                        [](const Notify&) { return true; },
                        [](const TakeLock&) { return false; },
                        [](const GiveLock&) { return false; },
                        [](const RecordRelease&) { return false; },
                        [](const CheckSuite&) { return true; },
                        [](const RequireRehearsal&) { return false; },
                    },
                    effect);
}

std::string capture_of(const Effect& effect) {
  return std::visit(Overloaded{
                        [](const RunRemote& run) { return run.capture; },
                        [](const RunLocal& run) { return run.capture; },
                        [](const UploadFile&) { return std::string(); },
                        [](const ChangeRotation&) { return std::string(); },
                        [](const AwaitRotation&) { return std::string(); },
                        [](const GuardCapacity&) { return std::string(); },
                        [](const SurveyRotation&) { return std::string(); },
                        [](const Probe&) { return std::string(); },
                        [](const Confirm&) { return std::string(); },
                        [](const Notify&) { return std::string(); },
                        [](const TakeLock&) { return std::string(); },
                        [](const GiveLock&) { return std::string(); },
                        [](const RecordRelease&) { return std::string(); },
                        [](const CheckSuite&) { return std::string(); },
                        [](const RequireRehearsal&) { return std::string(); },
                    },
                    effect);
}

bool is_rotation(const Effect& effect) noexcept {
  return std::holds_alternative<ChangeRotation>(effect) || std::holds_alternative<AwaitRotation>(effect);
}

bool lets_in(const Effect& effect) noexcept {
  const auto* change = std::get_if<ChangeRotation>(&effect);
  return change != nullptr && change->to == ChangeRotation::To::ready;
}

bool brands(const Effect& effect) noexcept {
  const auto* record = std::get_if<RecordRelease>(&effect);
  return record != nullptr && record->state == RecordRelease::State::bad;
}

bool judges_release(const Effect& effect) noexcept {
  // That a balancer finds the host well, and goes on to, is what a release is judged by.
  if (const auto* wait = std::get_if<AwaitRotation>(&effect))
    return wait->until != AwaitRotation::Until::calm;
  // Not an upload: it brings what this machine has, and fails for a full disk or a right that is missing.
  return std::holds_alternative<RunRemote>(effect) || std::holds_alternative<Probe>(effect) ||
         std::holds_alternative<CheckSuite>(effect);
}

std::string kind_of(const Effect& effect) {
  return std::visit(Overloaded{
                        [](const RunRemote&) { return "ssh"; },
                        [](const RunLocal&) { return "local"; },
                        [](const UploadFile&) { return "upload"; },
                        [](const ChangeRotation&) { return "haproxy"; },
                        [](const AwaitRotation&) { return "wait"; },
                        [](const GuardCapacity&) { return "guard"; },
                        [](const SurveyRotation&) { return "survey"; },
                        [](const Probe&) { return "probe"; },
                        [](const Confirm&) { return "confirm"; },
                        [](const Notify&) { return "notify"; },
                        [](const TakeLock&) { return "lock"; },
                        [](const GiveLock&) { return "unlock"; },
                        [](const RecordRelease&) { return "record"; },
                        [](const CheckSuite&) { return "suite"; },
                        [](const RequireRehearsal&) { return "history"; },
                    },
                    effect);
}

}  // namespace staithe::plan
