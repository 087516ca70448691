#include "staithe/playbook/make_plan.hpp"

#include "lanes.hpp"
#include "reading.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"
#include "staithe/playbook/selection.hpp"

#include <algorithm>

namespace staithe::playbook {
namespace {

using std::chrono::seconds;
using steps::Place;

enum class Purpose { deploy, rollback };

bool is_sha(const std::string& text) {
  return (text.size() == 40 || text.size() == 64) && std::all_of(text.begin(), text.end(), [](char c) {
           return base::is_digit(c) || (c >= 'a' && c <= 'f');
         });
}

/// The environment and the service that a playbook and a request mean together.
struct Choice {
  const Environment* environment = nullptr;
  const Service* service = nullptr;
  bool good = false;
  bool is_guessed = false;  ///< not good, and enough to find what else is wrong
};

Choice choose(const Project& project, const Playbook& playbook, const Request& request,
              diag::Diagnostics& diagnostics) {
  Choice choice;
  choice.environment = choose_environment(project, request.environment, diagnostics);
  choice.good = choice.environment != nullptr;
  if (!request.service.empty()) {
    choice.service = choose_service(project, request.service, diagnostics);
    choice.good = choice.good && choice.service != nullptr;
  } else if (playbook.service) {
    choice.service = project.find_service(playbook.service->value);
    if (choice.service == nullptr) {
      std::vector<std::string> known;
      for (const Service& service : project.services) known.push_back(service.name.value);
      const auto near = base::nearest(playbook.service->value, known);
      diagnostics.error(playbook.service->position,
                        "there is no service '" + playbook.service->value + "' in " + project.path,
                        playbook.service->path,
                        near ? "did you mean '" + *near + "'?" : "there are: " + base::join(known, ", "));
      // The rest is judged by the one that was probably meant.
      if (near || known.size() == 1) choice.service = project.find_service(near ? *near : known.front());
      choice.is_guessed = choice.good && choice.service != nullptr;
      choice.good = false;
    }
  } else {
    choice.service = choose_service(project, "", diagnostics);
  }
  return choice;
}

bool needs_release(const Playbook& playbook) {
  const auto mentions = [&](std::string_view text) { return playbook.text.find(text) != std::string::npos; };
  return playbook.uses("checkout") || playbook.uses("activate") || mentions("$(sha)") ||
         mentions("$(release)") || mentions("$(release.path)");
}

/// Makes one plan. Each step of the work is a function; findings stop it where the rest would be noise.
class PlanMaker {
 public:
  PlanMaker(const Project& project, const Playbook& playbook, const Request& request, const Choice& choice,
            diag::Diagnostics& diagnostics)
      : project_(project),
        playbook_(playbook),
        request_(request),
        environment_(*choice.environment),
        service_(choice.service),
        diagnostics_(diagnostics),
        layers_(project, environment_, service_, &playbook, request) {}

  std::optional<RefToResolve> ref() {
    layers_.prepare(diagnostics_);
    const steps::Variables variables = layers_.for_run();
    if (!require_repository()) return std::nullopt;
    const auto repository = expand_plain(*service_->repository, variables, diagnostics_);
    const auto ref = expand_plain(Text{"$(ref)", service_->name.position, 1, "ref"}, variables, diagnostics_);
    if (!repository || !ref) return std::nullopt;
    if (ref->empty()) diagnostics_.error({}, "variable 'ref' is empty: which commit?", "", "--var ref=main");
    return RefToResolve{*repository, *ref};
  }

  std::optional<plan::Plan> make(Purpose purpose, const Refs& refs, const steps::Files& files) {
    const std::size_t errors_before = diagnostics_.count(diag::Severity::error);
    layers_.prepare(diagnostics_);
    refs_ = refs;
    layers_.set_release(refs);
    files_ = &files;
    if (!refs.sha.empty() && !is_sha(refs.sha))
      diagnostics_.error({}, "'" + refs.sha + "' is not the full name of a commit");
    if (diagnostics_.count(diag::Severity::error) > errors_before) return std::nullopt;
    auto hosts = choose_hosts();
    // A selection that is wrong does not keep the steps from being looked at: every mistake is told at once.
    if (!hosts) hosts = usual_hosts();
    if (!hosts && environment_.knows_hosts()) return std::nullopt;
    start(purpose, hosts.value_or(std::vector<std::string>()));
    add_stages(purpose);
    add_locks();
    add_failure_notice();
    number_actions(plan_);
    // Without all its hosts it was made only to find what is wrong.
    const bool good =
        diagnostics_.count(diag::Severity::error) == errors_before && environment_.knows_hosts();
    return good ? std::optional(std::move(plan_)) : std::nullopt;
  }

 private:
  bool require_repository() {
    if (service_ == nullptr) {
      std::vector<std::string> known;
      for (const Service& service : project_.services) known.push_back(service.name.value);
      diagnostics_.error({playbook_.path, 0, 0},
                         "which service? " + project_.path + " has " + std::to_string(known.size()), "",
                         "write 'service:' into the playbook, or name one with --service");
      return false;
    }
    const auto missing = [&](const char* key) {
      diagnostics_.error(service_->name.position, "service '" + service_->name.value + "' has no " + key,
                         service_->name.path, std::string("a release needs its ") + key);
      return false;
    };
    if (!service_->repository) return missing("repository");
    return service_->path ? true : missing("path");
  }

  std::optional<std::vector<std::string>> choose_hosts() {
    const Text expression = playbook_.hosts ? *playbook_.hosts : default_hosts(environment_, service_);
    auto hosts = select(environment_, expression, diagnostics_);
    if (!hosts || request_.limit.empty()) return hosts;
    const Text limit{request_.limit, {}, 1, ""};
    const auto limited = select(environment_, limit, diagnostics_, "--limit");
    if (!limited) return std::nullopt;
    std::vector<std::string> both;
    for (const std::string& host : *hosts) {
      if (std::find(limited->begin(), limited->end(), host) != limited->end()) both.push_back(host);
    }
    if (both.empty() && environment_.knows_hosts()) {
      diagnostics_.error({}, "--limit: '" + request_.limit + "' leaves none of the playbook's hosts", "",
                         "they are: " + base::fold_names(*hosts));
      return std::nullopt;
    }
    return both;
  }

  std::optional<std::vector<std::string>> usual_hosts() {
    diag::Diagnostics heard;
    return select(environment_, default_hosts(environment_, service_), heard);
  }

  void start(Purpose purpose, const std::vector<std::string>& hosts) {
    plan_ = begin_plan(project_, environment_, service_);
    const bool deploys = playbook_.uses("checkout") || playbook_.uses("activate");
    plan_.kind = purpose == Purpose::rollback ? "rollback" : deploys ? "deploy" : "run";
    plan_.title = purpose == Purpose::rollback ? "roll back " + plan_.service : playbook_.title;
    plan_.source = playbook_.path;
    plan_.ref = refs_.ref;
    plan_.sha = refs_.sha;
    plan_.release = release_id(refs_.sha);
    plan_.strategy = playbook_.strategy.strategy;
    if (request_.parallel) plan_.strategy.parallel = *request_.parallel;
    if (request_.max_failures) plan_.strategy.max_failures = *request_.max_failures;
    if (request_.deadline) plan_.strategy.deadline = *request_.deadline;
    run_.environment = &environment_;
    run_.playbook = &playbook_;
    run_.service = service_;
    run_.files = files_;
    run_.diagnostics = &diagnostics_;
    run_.directory = project_.directory;
    run_.refs = refs_;
    run_.variables = layers_.for_run();
    run_.release = release_of_run();
    for (const plan::SecretRef& url : environment_.notify) {
      run_.notify_urls.emplace_back();
      run_.notify_urls.back().append(url);
    }
    for (const std::string& name : hosts) add_site(*environment_.find_host(name));
    if (!environment_.knows_hosts()) add_stand_in();
    for (const std::string& name : request_.brought_along) add_brought_along(*environment_.find_host(name));
    check_shared_servers(plan_, service_, diagnostics_);
    if (drains()) {
      check_capacity();
      add_balancers(plan_, environment_);
      if (plan_.balancers.empty()) {
        diagnostics_.error(
            environment_.name.position,
            "environment '" + environment_.name.value + "' has no balancer to drain hosts from",
            environment_.name.path, "name some under 'balancers'");
      }
    }
  }

  void add_site(const Host& host) {
    HostSite site;
    site.host = &host;
    site.variables = layers_.for_host(host);
    plan::Servers servers;
    if (service_ != nullptr && drains()) {
      const auto found = servers_of(environment_, *service_, host, site.variables, diagnostics_);
      site.in_rotation = found.has_value();
      servers = found.value_or(plan::Servers());
    }
    site.release = release_at(site.variables);
    add_host(plan_, environment_, host, std::move(servers));
    run_.hosts.push_back(std::move(site));
  }

  /// With one host out the others must be enough. HAProxy may have servers that no file names.
  void check_capacity() {
    const auto& least = playbook_.strategy.min_available_said;
    diag::Diagnostics heard;
    const auto all = select(environment_, default_hosts(environment_, service_), heard);
    if (!least || least->position.file.empty() || !all || !environment_.knows_hosts()) return;
    const auto& amount = playbook_.strategy.min_available;
    const auto needed = amount.percent ? (all->size() * amount.value + 99) / 100 : amount.value;
    if (needed < all->size()) return;
    diag::Diagnostic finding;
    finding.severity = diag::Severity::warning;
    finding.position = least->position;
    finding.length = least->length;
    finding.path = least->path;
    finding.message = "with this no host could ever be drained: " + environment_.name.value + " has " +
                      std::to_string(all->size());
    finding.help = "ask for fewer, unless the balancers have servers beside these hosts";
    diagnostics_.add(std::move(finding));
  }

  /// For the hosts that only a program knows: what is wrong whatever they are is found with it.
  void add_stand_in() {
    static const Host nobody;
    HostSite site;
    site.host = &nobody;
    site.stands_in = true;
    site.variables = layers_.for_unknown_host();
    site.in_rotation = true;
    site.release = release_at(site.variables);
    if (service_ != nullptr && drains()) check_server_names(*service_, site.variables, diagnostics_);
    run_.hosts.push_back(std::move(site));
  }

  /// Nothing but the release's directory on it is touched: its servers are none of the plan's.
  void add_brought_along(const Host& host) {
    HostSite site;
    site.host = &host;
    site.variables = layers_.for_host(host);
    site.release = release_at(site.variables);
    add_host(plan_, environment_, host, {});
    run_.brought_along.push_back(std::move(site));
  }

  /// One about which something was found, or that nobody knows yet, is there all the same: steps are not to
  /// say that there is none.
  std::optional<steps::Release> release_at(const steps::Variables& variables) {
    if (service_ == nullptr || refs_.sha.empty() || !service_->path || !service_->repository)
      return std::nullopt;
    return release_for(variables).value_or(steps::Release());
  }

  std::optional<steps::Release> release_for(const steps::Variables& variables) {
    const auto path = expand_plain(named("path", *service_->path), variables, diagnostics_);
    const auto repository = expand_plain(named("repository", *service_->repository), variables, diagnostics_);
    if (!path || !repository) return std::nullopt;
    if (path->size() < 2 || path->front() != '/' || path->back() == '/') {
      report(written(variables, "path"), diagnostics_,
             "'" + *path + "' is not an absolute path" + said_by(variables, "path"),
             "such as /srv/" + service_->name.value);
      return std::nullopt;
    }
    if (repository->empty() || repository->front() == '-') {
      report(written(variables, "repository"), diagnostics_,
             "'" + *repository + "' is not a repository" + said_by(variables, "repository"));
      return std::nullopt;
    }
    steps::Release release;
    release.service = service_->name.value;
    release.path = *path;
    release.repository = *repository;
    release.sha = refs_.sha;
    release.id = release_id(refs_.sha);
    for (const Text& entry : service_->shared) release.shared.push_back(entry.value);
    release.goes_back = plan_.kind == "rollback";
    release.keep = service_->keep_releases;
    release.min_free_bytes = service_->min_free_bytes;
    return release;
  }

  /// For steps that run once: which commit of which repository. It has no directory, which hosts may have
  /// each in a place of its own; what is wrong with the repository is told for each host.
  std::optional<steps::Release> release_of_run() const {
    if (service_ == nullptr || refs_.sha.empty() || !service_->repository) return std::nullopt;
    diag::Diagnostics told_elsewhere;
    const auto repository =
        expand_plain(named("repository", *service_->repository), run_.variables, told_elsewhere);
    if (!repository || repository->empty() || repository->front() == '-') return std::nullopt;
    steps::Release release;
    release.service = service_->name.value;
    release.repository = *repository;
    release.sha = refs_.sha;
    release.id = release_id(refs_.sha);
    return release;
  }

  /// The variable that stands for a field of the service, which a higher layer may have set.
  static Text named(const std::string& name, const Text& where) {
    return Text{"$(" + name + ")", where.position, where.length, where.path};
  }

  /// Where the value stands that a field of the service has in the end.
  static Text written(const steps::Variables& variables, const std::string& name) {
    const auto& source = variables.find(name)->source;
    return Text{"", source.position, source.length, source.path};
  }

  /// Of a value that stands in no file: who says it.
  static std::string said_by(const steps::Variables& variables, const std::string& name) {
    const auto* variable = variables.find(name);
    return variable->source.position.file.empty() ? ", as " + variable->origin + " says of '" + name + "'"
                                                  : "";
  }

  bool drains() const { return playbook_.uses("drain"); }

  void add_stages(Purpose purpose) {
    const bool is_deploy = purpose == Purpose::deploy;
    LaneMaker lanes(run_);
    using Shape = plan::Stage::Shape;
    // The preflight asks for what the other stages will do: it is made last and put first.
    if (is_deploy) add_stage("before", Shape::once, lanes.once(Place::before));
    if (is_deploy) add_stage("stage", Shape::parallel, lanes.parallel(Place::stage));
    if (is_deploy) add_stage("prepare", Shape::once, lanes.once(Place::prepare));
    add_stage("roll", Shape::rolling, lanes.rolling());
    add_stage("after", Shape::once, lanes.once(Place::after));
    add_stage("cleanup", Shape::parallel, lanes.cleanup());
    const bool checks_out = is_deploy && playbook_.uses("checkout");
    auto preflight = lanes.preflight(checks_out, drains());
    add_stage("preflight", Shape::gather, std::move(preflight));
    const bool made = !plan_.stages.empty() && plan_.stages.back().name == "preflight";
    if (made) std::rotate(plan_.stages.begin(), plan_.stages.end() - 1, plan_.stages.end());
    check_effects();
  }

  void add_stage(std::string name, plan::Stage::Shape shape, std::vector<plan::Lane> lanes) {
    if (lanes.empty()) return;
    plan::Stage stage;
    stage.name = std::move(name);
    stage.shape = shape;
    stage.lanes = std::move(lanes);
    plan_.stages.push_back(std::move(stage));
  }

  /// A step for hosts that this run does not have does nothing.
  void check_effects() {
    for (const Place place : {Place::stage, Place::each}) {
      for (const steps::ParsedStep& step : playbook_.section(place)) {
        if (!step.common.only || !request_.limit.empty()) continue;
        const auto hosts = select_any(environment_, *step.common.only, diagnostics_);
        if (!hosts || !environment_.knows_hosts()) continue;
        const bool any = std::any_of(run_.hosts.begin(), run_.hosts.end(), [&](const HostSite& site) {
          return std::find(hosts->begin(), hosts->end(), site.host->name.value) != hosts->end();
        });
        if (any) continue;
        diagnostics_.error(
            step.common.only->position,
            "a step without effect: 'only' leaves none of the playbook's hosts in " + environment_.name.value,
            step.common.only->path);
      }
    }
  }

  void add_locks() {
    const bool deploys = playbook_.uses("checkout") || playbook_.uses("activate");
    if (!drains() && !deploys && !playbook_.service) return;
    const std::string scope =
        environment_.name.value + "/" + (plan_.service.empty() ? plan_.project : plan_.service);
    std::string reason = plan_.title;
    if (!refs_.sha.empty())
      reason += ", " + (refs_.ref.empty() ? plan_.release : refs_.ref + " " + plan_.release);
    plan::Action take;
    take.step = "lock";
    take.title = "lock " + scope;
    take.effect = plan::TakeLock{scope, std::move(reason)};
    take.timeout = seconds(30);
    plan::Action give = take;
    give.title = "unlock " + scope;
    give.effect = plan::GiveLock{scope};
    plan_.open.push_back(std::move(take));
    plan_.close.push_back(std::move(give));
  }

  void add_failure_notice() {
    std::string text = plan_.title + " on " + plan_.environment;
    if (!refs_.sha.empty())
      text += " (" + (refs_.ref.empty() ? plan_.release : refs_.ref + " " + plan_.release) + ")";
    text += " did not end well";
    if (plan_.open.empty()) return;  // nothing of a service was touched
    for (const plan::Text& url : run_.notify_urls) {
      plan::Action action;
      action.step = "notify";
      action.title = text;
      action.effect = plan::Notify{url, text};
      action.timeout = seconds(10);
      plan_.notify_failure.push_back(std::move(action));
    }
  }

  const Project& project_;
  const Playbook& playbook_;
  const Request& request_;
  const Environment& environment_;
  const Service* service_;
  diag::Diagnostics& diagnostics_;
  Layers layers_;
  Refs refs_;
  const steps::Files* files_ = nullptr;
  RunSite run_;
  plan::Plan plan_;
};

std::optional<plan::Plan> make(const Project& project, const Playbook& playbook, const Request& request,
                               const Refs& refs, const steps::Files& files, diag::Diagnostics& diagnostics,
                               Purpose purpose) {
  const Choice choice = choose(project, playbook, request, diagnostics);
  if (!choice.good && !choice.is_guessed) return std::nullopt;
  auto plan = PlanMaker(project, playbook, request, choice, diagnostics).make(purpose, refs, files);
  return choice.good ? std::move(plan) : std::nullopt;
}

}  // namespace

std::optional<RefToResolve> ref_to_resolve(const Project& project, const Playbook& playbook,
                                           const Request& request, diag::Diagnostics& diagnostics) {
  if (!needs_release(playbook)) return std::nullopt;
  const Choice choice = choose(project, playbook, request, diagnostics);
  if (!choice.good) return std::nullopt;
  return PlanMaker(project, playbook, request, choice, diagnostics).ref();
}

std::optional<plan::Plan> make_plan(const Project& project, const Playbook& playbook, const Request& request,
                                    const Refs& refs, const steps::Files& files,
                                    diag::Diagnostics& diagnostics) {
  return make(project, playbook, request, refs, files, diagnostics, Purpose::deploy);
}

std::optional<plan::Plan> make_rollback_plan(const Project& project, const Playbook& playbook,
                                             const Request& request, const Refs& release,
                                             const steps::Files& files, diag::Diagnostics& diagnostics) {
  return make(project, playbook, request, release, files, diagnostics, Purpose::rollback);
}

}  // namespace staithe::playbook
