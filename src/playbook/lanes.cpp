#include "lanes.hpp"

#include "reading.hpp"

#include "staithe/base/text.hpp"
#include "staithe/plan/secrets.hpp"
#include "staithe/playbook/selection.hpp"
#include "staithe/steps/release_scripts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace staithe::playbook {
namespace {

using State = plan::RecordRelease::State;
using Actions = std::vector<plan::Action>;
using std::chrono::seconds;

void append(Actions& to, Actions from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

plan::Action record(const HostSite& host, State state) {
  const steps::Release& release = *host.release;
  plan::RecordRelease effect{host.host->name.value, release.service, release.id, release.sha, state};
  return make_action("record", std::move(effect),
                     fmt::format("release {} is {}", release.id, plan::name_of(state)), seconds(10));
}

bool alters(const Actions& actions) {
  return std::any_of(actions.begin(), actions.end(),
                     [](const plan::Action& action) { return action.alters_service; });
}

/// What later steps of a lane may call by name.
std::vector<std::string> captures_of(const steps::Lowered& lowered) {
  std::vector<std::string> names;
  for (const plan::Action& action : lowered.actions)
    if (auto name = plan::capture_of(action.effect); !name.empty()) names.push_back(std::move(name));
  return names;
}

/// A look whose answer can be had again, at any time, with no value from elsewhere.
bool is_plain_look(const plan::Effect& effect) {
  const auto is_plain = [](const auto* run) {
    return run != nullptr && run->reads_only && run->inputs.empty();
  };
  return is_plain(std::get_if<plan::RunRemote>(&effect)) || is_plain(std::get_if<plan::RunLocal>(&effect));
}

}  // namespace

plan::Action make_action(std::string step, plan::Effect effect, std::string title, base::Duration timeout) {
  plan::Action action;
  action.step = std::move(step);
  action.title = std::move(title);
  action.effect = std::move(effect);
  action.timeout = timeout;
  return action;
}

/// The captured values that an action needs.
void add_captures_used(const plan::Action& action, std::set<std::string>& names) {
  plan::each_text(action.effect, [&](const plan::Text& text) {
    for (const plan::Text::Piece& piece : text.pieces()) {
      if (const auto* capture = std::get_if<plan::CaptureRef>(&piece)) names.insert(capture->name);
    }
  });
}

/// A rolling lane while it is put together.
struct LaneMaker::Assembly {
  std::vector<plan::Node> nodes;
  std::optional<plan::Bracket> open;     ///< drained, not yet restored
  std::optional<plan::Bracket> bracket;  ///< the one that is closed: what the revert repeats
  Actions undo;                          ///< the authors' own undos, the latest first
  Actions repair;                        ///< `current` first: what is done again is done with it
  bool verified = false;
  std::map<std::string, std::pair<plan::Action, const steps::ParsedStep*>> captures;
};

bool LaneMaker::is_meant(const steps::ParsedStep& step, const HostSite& host) {
  if (!step.common.only || host.stands_in) return true;
  const auto hosts = select_any(*run_.environment, *step.common.only, *run_.diagnostics);
  return hosts && std::find(hosts->begin(), hosts->end(), host.host->name.value) != hosts->end();
}

std::optional<steps::Lowered> LaneMaker::lower(const steps::ParsedStep& step, steps::Place place,
                                               HostSite* host, steps::Variables& variables) {
  steps::Site site;
  site.place = place;
  site.variables = &variables;
  site.files = run_.files;
  site.directory = run_.directory;
  site.diagnostics = run_.diagnostics;
  site.min_available = run_.playbook->strategy.min_available;
  site.notify_urls = run_.notify_urls;
  if (host != nullptr) {
    site.host = host->host->name.value;
    site.in_rotation = host->in_rotation;
    if (host->release) site.release = &*host->release;
  } else if (run_.release) {
    site.release = &*run_.release;
  }
  auto lowered = steps::lower(step, site);
  if (!lowered) return lowered;
  if (!step.common.name.empty()) {
    for (plan::Action& action : lowered->actions) {
      action.title = lowered->actions.size() == 1 ? step.common.name : step.common.name + ": " + action.title;
    }
  }
  if (host != nullptr) {
    for (const plan::Action& action : lowered->actions) {
      const auto* remote = std::get_if<plan::RunRemote>(&action.effect);
      if (remote != nullptr && remote->inputs.empty()) host->commands.push_back(remote->script);
    }
  }
  return lowered;
}

std::vector<plan::Lane> LaneMaker::parallel(steps::Place place) {
  std::vector<plan::Lane> lanes;
  for (HostSite& host : run_.hosts) {
    plan::Lane lane;
    lane.host = host.host->name.value;
    steps::Variables variables = host.variables;
    for (const steps::ParsedStep& step : run_.playbook->section(place)) {
      if (!is_meant(step, host)) continue;
      auto lowered = lower(step, place, &host, variables);
      if (!lowered) continue;
      for (plan::Action& action : lowered->actions) lane.nodes.emplace_back(std::move(action));
    }
    if (!lane.nodes.empty()) lanes.push_back(std::move(lane));
  }
  return lanes;
}

std::vector<plan::Lane> LaneMaker::rolling() {
  std::vector<plan::Lane> lanes;
  for (HostSite& host : run_.hosts) {
    plan::Lane lane = rolling_lane(host);
    if (!lane.nodes.empty()) lanes.push_back(std::move(lane));
  }
  return lanes;
}

plan::Lane LaneMaker::rolling_lane(HostSite& host) {
  Assembly lane;
  steps::Variables variables = host.variables;
  for (const steps::ParsedStep& step : run_.playbook->each) {
    if (!is_meant(step, host)) continue;
    auto lowered = lower(step, steps::Place::each, &host, variables);
    if (!lowered) continue;
    take(step, std::move(*lowered), host, lane);
  }
  return finish(std::move(lane), host);
}

void LaneMaker::take(const steps::ParsedStep& step, steps::Lowered lowered, HostSite& host, Assembly& lane) {
  using Role = steps::Kind::Role;
  if (step.kind->role == Role::opens) {
    lane.open.emplace();
    lane.open->name = "rotation";
    lane.open->acquire = std::move(lowered.actions);
    lane.open->undo = std::move(lowered.undo);
    return;
  }
  if (step.kind->role == Role::closes) {
    if (!lane.open) return;  // found when the playbook was read
    lane.open->release = std::move(lowered.actions);
    close(lane, host);
    return;
  }
  const bool activates = step.kind->name == "activate";
  host.activated = host.activated || activates;
  for (const std::string& name : captures_of(lowered)) lane.captures[name] = {lowered.actions.front(), &step};
  lane.undo.insert(lane.undo.begin(), std::make_move_iterator(lowered.undo.rbegin()),
                   std::make_move_iterator(lowered.undo.rend()));
  // A revert does it all while the host is out: what is asked of one that serves is not asked then.
  if (lane.bracket) std::erase_if(lowered.repair, [](const auto& action) { return !action.alters_service; });
  lane.repair.insert(activates ? lane.repair.begin() : lane.repair.end(),
                     std::make_move_iterator(lowered.repair.begin()),
                     std::make_move_iterator(lowered.repair.end()));
  if (lane.open) {
    append(lane.open->body, std::move(lowered.actions));
  } else {
    for (plan::Action& action : lowered.actions) lane.nodes.emplace_back(std::move(action));
  }
}

/// The commit that runs is the commit that was meant: what the app itself says, or else what `current` is.
void LaneMaker::verify(Assembly& lane, const HostSite& host) {
  if (!host.activated || !host.release || lane.verified) return;
  lane.verified = true;
  const steps::Release& release = *host.release;
  plan::Action forward;
  if (host.variables.find("release_url") == nullptr) {
    plan::RunRemote effect;
    effect.host = host.host->name.value;
    effect.script = steps::verify_script(release);
    effect.reads_only = true;
    forward = make_action("verify", std::move(effect), "current is " + release.id, seconds(30));
  } else {
    std::vector<steps::Problem> problems;
    const auto url = steps::expand_text("$(release_url)", host.variables, problems);
    const auto& written = host.variables.find("release_url")->source;
    report(Text{"", written.position, written.length, written.path}, *run_.diagnostics, problems);
    plan::HttpProbe probe;
    probe.url = url.value_or(plan::Text());
    probe.contains = plan::Text(release.id);
    plan::Probe effect;
    effect.each_within = seconds(5);
    effect.what = probe;
    forward = make_action("verify", effect, probe.url.shown() + " says " + release.id, seconds(30));
    probe.contains = {};
    probe.contains.append(plan::CaptureRef{"staithe.previous"});
    effect.what = probe;
    lane.repair.push_back(make_action("verify", std::move(effect),
                                      probe.url.shown() + " says the release before", seconds(30)));
  }
  if (lane.open) {
    lane.open->body.push_back(std::move(forward));
  } else {
    lane.nodes.emplace_back(std::move(forward));
  }
}

/// What brings the host back, by the steps so far.
Actions LaneMaker::way_back(const Assembly& lane, const HostSite& host) {
  // Asking again how the app is would repair nothing. The authors' own undos are meant, whatever they alter.
  if (!alters(lane.repair) && lane.undo.empty()) return {};
  Actions back = lane.undo;
  append(back, lane.repair);
  if (host.activated && host.release) back.push_back(record(host, State::bad));
  return back;
}

void LaneMaker::close(Assembly& lane, HostSite& host) {
  verify(lane, host);
  const bool reverts = run_.playbook->strategy.strategy.on_failure != plan::Strategy::OnFailure::stop;
  lane.open->repair = way_back(lane, host);
  lane.open->on_failure = reverts && !lane.open->repair.empty() ? plan::Bracket::OnFailure::repair
                                                                : plan::Bracket::OnFailure::keep;
  lane.bracket = lane.open;
  lane.nodes.emplace_back(std::move(*lane.open));
  lane.open.reset();
}

/// A revert begins with nothing captured: what its actions need is looked up again, which only steps that
/// read may be.
std::vector<plan::Node> LaneMaker::recaptured(const Assembly& lane, const Actions& repair) {
  std::set<std::string> used;
  for (const plan::Action& action : repair) add_captures_used(action, used);
  std::vector<plan::Node> nodes;
  for (const auto& [name, source] : lane.captures) {
    if (used.count(name) == 0) continue;
    if (is_plain_look(source.first.effect)) {
      nodes.emplace_back(source.first);
    } else if (run_.playbook->strategy.strategy.on_failure != plan::Strategy::OnFailure::stop) {
      const steps::ParsedStep& step = *source.second;
      report(Text{"", step.position, step.length, step.path}, *run_.diagnostics,
             "'" + name + "' would be needed to revert a host, where this step does not run again",
             "give it 'read_only: true' when it changes nothing, or use 'on_failure: stop'");
    }
  }
  return nodes;
}

plan::Lane LaneMaker::finish(Assembly assembly, const HostSite& host) {
  plan::Lane lane;
  lane.host = host.host->name.value;
  if (!assembly.bracket && host.activated) verify(assembly, host);
  lane.nodes = std::move(assembly.nodes);
  if (host.activated && host.release) lane.nodes.emplace_back(record(host, State::live));
  // A worker's reload alone does not take back what a bracket did that has no way back.
  const bool stays = assembly.bracket && assembly.bracket->repair.empty() && assembly.undo.empty();
  Actions back = way_back(assembly, host);
  if (back.empty() || (stays && !host.activated)) return lane;
  lane.revert = recaptured(assembly, back);
  if (assembly.bracket) {
    // What came after it too: an undo puts back before `current` is, a worker is reloaded behind the app.
    plan::Bracket again = std::move(*assembly.bracket);
    again.body = std::move(back);
    again.repair.clear();
    again.on_failure = plan::Bracket::OnFailure::keep;
    lane.revert.emplace_back(std::move(again));
    return lane;
  }
  for (plan::Action& action : back) lane.revert.emplace_back(std::move(action));
  return lane;
}

HostSite* LaneMaker::host_of_once(const steps::ParsedStep& step) {
  if (!step.common.on) return run_.hosts.empty() ? nullptr : &run_.hosts.front();
  const auto name = expand_plain(*step.common.on, run_.variables, *run_.diagnostics);
  if (!name) return nullptr;
  for (HostSite& host : run_.hosts) {
    if (host.host->name.value == *name) return &host;
  }
  if (!run_.hosts.empty() && run_.hosts.back().stands_in) return &run_.hosts.back();
  const std::string why =
      run_.environment->find_host(*name) == nullptr ? "' is no host of " : "' is not selected in ";
  std::vector<std::string> known;
  for (const HostSite& host : run_.hosts) known.push_back(host.host->name.value);
  const auto near = base::nearest(*name, known);
  report(*step.common.on, *run_.diagnostics, "'" + *name + why + run_.environment->name.value,
         near ? "did you mean '" + *near + "'?"
              : "name one of the playbook's hosts: " + base::fold_names(known));
  return nullptr;
}

std::vector<plan::Lane> LaneMaker::once(steps::Place place) {
  plan::Lane lane;
  std::vector<std::string> captured;
  for (const steps::ParsedStep& step : run_.playbook->section(place)) {
    HostSite* host = step.step->needs_host() ? host_of_once(step) : nullptr;
    if (step.step->needs_host() && host == nullptr) continue;
    steps::Variables variables = host == nullptr ? run_.variables : host->variables;
    for (const std::string& name : captured) {
      variables.set(name, steps::Variable{steps::Variable::Kind::capture, name, {}, "a captured output"});
    }
    auto lowered = lower(step, place, host, variables);
    if (!lowered) continue;
    for (std::string& name : captures_of(*lowered)) captured.push_back(std::move(name));
    for (plan::Action& action : lowered->actions) lane.nodes.emplace_back(std::move(action));
  }
  std::vector<plan::Lane> lanes;
  if (!lane.nodes.empty()) lanes.push_back(std::move(lane));
  return lanes;
}

std::vector<plan::Lane> LaneMaker::preflight(bool has_checkout, bool drains) {
  std::vector<plan::Lane> lanes;
  for (HostSite& host : run_.hosts) {
    plan::Lane lane;
    lane.host = host.host->name.value;
    steps::Preflight wanted;
    wanted.needs_checkout = has_checkout;
    wanted.needs_activate = host.activated;
    wanted.commands = host.commands;
    plan::RunRemote look;
    look.host = lane.host;
    look.script = steps::preflight_script(host.release ? &*host.release : nullptr, wanted);
    look.reads_only = true;
    if (!look.script.empty()) {
      lane.nodes.emplace_back(
          make_action("preflight", std::move(look), "what " + lane.host + " needs is there", seconds(60)));
    }
    if (drains && host.in_rotation) {
      lane.nodes.emplace_back(make_action("preflight", plan::SurveyRotation{lane.host},
                                          "the servers of " + lane.host + " can be drained", seconds(30)));
    }
    if (!lane.nodes.empty()) lanes.push_back(std::move(lane));
  }
  return lanes;
}

plan::Lane LaneMaker::cleanup_lane(const HostSite& host) {
  plan::Lane lane;
  lane.host = host.host->name.value;
  plan::RunRemote effect;
  effect.host = lane.host;
  effect.script = steps::cleanup_script(*host.release);
  lane.nodes.emplace_back(make_action("cleanup", std::move(effect),
                                      "mark " + host.release->id + " good and remove old releases",
                                      std::chrono::minutes(5)));
  lane.nodes.emplace_back(record(host, State::good));
  return lane;
}

std::vector<plan::Lane> LaneMaker::cleanup() {
  std::vector<plan::Lane> lanes;
  for (const HostSite& host : run_.hosts)
    if (host.activated && host.release) lanes.push_back(cleanup_lane(host));
  if (lanes.empty()) return lanes;
  for (const HostSite& host : run_.brought_along) {
    if (!host.release) continue;
    lanes.push_back(cleanup_lane(host));
    lanes.back().brought_along = true;
  }
  return lanes;
}

}  // namespace staithe::playbook
