#include "staithe/checks/suite.hpp"

#include "cases.hpp"
#include "check_names.hpp"
#include "receivers.hpp"
#include "step_reader.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/base/secret_names.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace staithe::checks {
namespace {

bool is_suite_name(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(),
                                      [](char c) { return base::is_alnum(c) || c == '_' || c == '-'; });
}

/// "200 runs", "2 flips", "2 failed runs in a row": the number in front.
std::optional<std::uint32_t> leading_number(const std::string& text) {
  std::uint32_t value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || (read.ptr != text.data() + text.size() && *read.ptr != ' '))
    return std::nullopt;
  return value;
}

class SuiteReader {
 public:
  SuiteReader(const std::string& file, const yaml::Node& root, const Context& context,
              diag::Diagnostics& diagnostics)
      : context_(context),
        diagnostics_(diagnostics),
        map_(root, diagnostics),
        frame_{context, "", Severity::major, {}, "", nullptr, {}},
        cases_(file, context) {
    suite_.file = file;
  }

  std::optional<Suite> read() {
    if (!map_.valid()) return std::nullopt;
    identity();
    names();
    timing();
    neighbours();
    if (const auto defaults = map_.value("defaults")) frame_.defaults = &check_defaults(*defaults);
    announce("setup");
    announce("steps");
    suite_.setup = section("setup", Part::setup);
    suite_.steps = section("steps", Part::steps);
    const bool left_out =
        left_out_ || (context_.known != Context::Known::everything && !map_.list("steps").empty());
    if (suite_.steps.empty() && !left_out && !diagnostics_.has_errors())
      map_.error_without({"steps"}, "a suite without steps judges nothing");
    suite_.cleanup = section("cleanup", Part::cleanup);
    sweep();
    ends();
    map_.finish();
    tell_apart(suite_);
    require_unique_names(suite_, diagnostics_);
    something_blocks();
    if (diagnostics_.has_errors()) return std::nullopt;
    return std::move(suite_);
  }

  /// The table that was read, for showing what is wrong in it.
  void add_source(diag::SourceMap& sources) const { cases_.add_source(sources); }

 private:
  void identity() {
    if (const auto name = map_.text("suite", yaml::Need::required)) {
      suite_.name = name->value;
      if (!is_suite_name(suite_.name))
        map_.error_at("suite", "a suite's name is made of letters, digits, '-' and '_'");
    }
    if (const auto text = map_.text("about")) suite_.about = text->value;
    if (const auto text = map_.text("owner")) suite_.owner = text->value;
    if (const auto text = map_.text("runbook")) suite_.runbook = text->value;
    if (const auto severity = map_.choice_of<Severity>(
            "severity",
            {{"critical", Severity::critical}, {"major", Severity::major}, {"minor", Severity::minor}}))
      suite_.severity = severity->value;
    for (const auto& tag : map_.texts("tags")) suite_.tags.push_back(tag.value);
    for (const auto& name : map_.texts("depends_on")) suite_.depends_on.push_back(name.value);
    frame_.suite = suite_.name;
    frame_.severity = suite_.severity;
    frame_.tags = suite_.tags;
  }

  void names() {
    for (const auto& [group, hosts] : context_.groups)
      names_.set("hosts." + group + ".count", std::to_string(hosts.size()));
    for (const auto& [name, value] : context_.values) names_.set(name, value);
    for (const char* name : {"run.id", "run.started"}) names_.declare(name);
    for (const auto& name : suite_.depends_on) names_.declare_prefix(name + ".");
    if (context_.known == Context::Known::no_hosts) names_.assume("hosts.");
    if (context_.known == Context::Known::nothing) names_.assume("");
    for (const auto& member : map_.map_or_slip("secrets"))
      if (const auto secret = read_secret(member.value)) names_.set_secret(member.key.value, *secret);
    for (const auto& member : map_.map_or_slip("vars")) {
      suspect(member.value);
      if (context_.given.count(member.key.value) > 0) continue;
      if (const auto text = member.value.text()) {
        assign(member.key.value, names_.expand_plain(*text, member.value));
        if (text->find("$(") != std::string::npos) names_.set_made_of_others(member.key.value);
      }
    }
    suite_.secret_values = names_.secret_values();
    for (const auto& member : map_.map_or_slip("use")) {
      suspect(member.value);
      if (const auto text = member.value.text()) {
        if (auto value = names_.expand(*text, member.value)) {
          forbid_secret(member.key.value, *value, member.value);
          suite_.use.emplace_back(member.key.value, std::move(*value));
          names_.declare(member.key.value);
        } else {
          names_.assume(member.key.value);
        }
      }
    }
    if (const auto target = map_.value_or_slip("target"))
      if (const auto text = target->text())
        suite_.target = names_.expand_plain_url(*text, *target).value_or("http://unknown");
    suite_.own_target = suite_.target;
    suite_.stays = !context_.target.empty() && !suite_.target.empty() && stays();
    if (!context_.target.empty() && !suite_.stays) suite_.target = context_.target;
    const bool has_host = base::http_place(suite_.target).has_value();
    while (has_host && suite_.target.ends_with('/')) suite_.target.pop_back();
    if (!suite_.target.empty() && !suite_.target.starts_with("http://") &&
        !suite_.target.starts_with("https://"))
      map_.error_at("target", "a target begins with http:// or https://");
    else if (!suite_.target.empty() && !has_host)
      map_.error_at("target", "this target names no host", "write https://HOST or https://HOST:PORT");
    else if (suite_.target.find_first_of("?#") != std::string::npos)
      map_.error_at("target", "a target holds no '?' and no '#': the paths of the steps come after it");
    frame_.target = suite_.target;
  }

  bool stays() const {
    const auto& by = context_.needed_by;
    return by && (by->stays || !base::same_target(by->own_target, suite_.own_target));
  }

  /// What is used is text from then on, like all that is saved: no report would know it as a secret.
  static void forbid_secret(const std::string& name, const Text& value, const yaml::Reader& reader) {
    const auto& pieces = value.pieces();
    if (std::none_of(pieces.begin(), pieces.end(),
                     [](const auto& piece) { return std::holds_alternative<plan::SecretRef>(piece); }))
      return;
    reader.error(fmt::format("'{}' holds a secret, and 'use' is for values of other suites", name),
                 "write $(NAME) of the secret itself where it is needed");
  }

  /// What a variable without a value lacks has been said, or nobody could know.
  void assign(const std::string& name, std::optional<std::string> value) {
    if (value)
      names_.set(name, std::move(*value));
    else
      names_.assume(name);
  }

  void timing() {
    if (const auto budget = map_.value("budget"))
      suite_.budget = read_patience(*budget, names_, budget->duration()).value_or(suite_.budget);
    if (const auto budget = map_.value("cleanup_budget"))
      suite_.cleanup_budget =
          read_patience(*budget, names_, budget->duration()).value_or(suite_.cleanup_budget);
    if (const auto schedule = map_.text("schedule")) {
      const auto text = std::string_view(schedule->value);
      const auto every =
          text.starts_with("every ") ? base::parse_duration(base::trim(text.substr(6))) : std::nullopt;
      if (!every || every->count() < 1000)
        map_.error_at("schedule", "this is no schedule", "write 'every 5m'");
      else
        suite_.schedule = *every;
    }
  }

  void neighbours() {
    const auto members = map_.map_or_slip("neighbours");
    for (const auto& member : members) {
      yaml::Mapping map(member.value);
      Neighbour neighbour;
      neighbour.name = member.key.value;
      if (!is_on_one_line(neighbour.name)) member.value.error(not_on_one_line);
      if (const auto about = map.text("about")) neighbour.about = about->value;
      if (const auto patience = map.duration("patience")) neighbour.patience = patience->value;
      if (const auto probe = map.value("probe"))
        neighbour.probe = read_step(*probe, Part::undo, {}, frame_, names_);
      map.finish();
      frame_.neighbours.push_back(neighbour.name);
      suite_.neighbours.push_back(std::move(neighbour));
    }
  }

  /// Whether there is a proxy anywhere below. A 'proxy' in what is sent is taken for one as well.
  static bool has_proxy(const yaml::Node& node) {
    return std::any_of(node.items.begin(), node.items.end(), has_proxy) ||
           std::any_of(node.entries.begin(), node.entries.end(), [](const yaml::Entry& entry) {
             return (entry.key == "proxy" && entry.value.text != "none") || has_proxy(entry.value);
           });
  }

  const yaml::Node& check_defaults(const yaml::Reader& reader) {
    yaml::Mapping map(reader);
    for (const char* key : {"auth", "timeout", "retry", "expect", "headers", "ca", "certificate",
                            "connect_to", "proxy", "proxy_auth", "on_fail"})
      map.value(key);
    map.finish();
    if (const auto auth = map.value("proxy_auth"); auth && !has_proxy(map_.node()))
      auth->error("'proxy_auth' is for a 'proxy', and neither the defaults nor a step has one",
                  "say 'proxy: http://HOST:PORT' as well");
    return reader.node();
  }

  /// What later steps save, so that a use before is told apart from a slip of the pen.
  void announce(std::string_view key) {
    for (const auto& item : map_.list(key)) {
      const auto* saved = saves_of(item.node());
      const auto* name = item.node().find("name");
      if (saved == nullptr) continue;
      for (const auto& entry : saved->entries)
        names_.announce(entry.key, name != nullptr ? name->text : "a later step");
    }
  }

  /// Steps that speak of a case, or of what such a step saved, are done case by case; neighbours together.
  std::vector<Check> section(std::string_view key, Part part) {
    const auto items = map_.list(key);
    const auto reader = part == Part::steps ? map_.value("cases") : std::nullopt;
    const auto cases = reader ? cases_.read(*reader) : std::vector<Instance>{};
    std::vector<Check> checks;
    checks.reserve(items.size());
    for (std::size_t i = 0; i < items.size();) {
      if (!uses_case(items[i])) {
        add(items[i++], part, {}, checks);
        continue;
      }
      std::size_t end = i;
      while (end < items.size() && uses_case(items[end])) note_case_saves(items[end++]);
      for (const auto& one : cases)
        for (std::size_t at = i; at < end; ++at) add(items[at], part, one, checks);
      if (part != Part::steps)
        items[i].error(fmt::format("{} is done once for all cases and cannot speak of one", key),
                       "put the step under 'steps'");
      else if (!map_.has("cases"))
        map_.error_without({"cases"}, items[i], "this step speaks of a case, and the suite has no cases",
                           "say 'cases: FILE.csv'");
      i = end;
    }
    return checks;
  }

  bool uses_case(const yaml::Reader& item) const {
    std::set<std::string> used;
    collect_names(item.node(), used);
    return std::any_of(used.begin(), used.end(), [&](const auto& name) { return names_.is_per_case(name); });
  }

  void note_case_saves(const yaml::Reader& item) {
    if (const auto* saved = saves_of(item.node()))
      for (const auto& entry : saved->entries) names_.set_per_case(entry.key);
  }

  void add(const yaml::Reader& item, Part part, const Instance& one_case, std::vector<Check>& checks) {
    std::vector<std::string> hosts;
    for (auto instance : instances_of(item, frame_)) {
      if (!one_case.label.empty()) {
        instance.label = instance.label.empty() ? one_case.label : one_case.label + ", " + instance.label;
        instance.values.insert(instance.values.end(), one_case.values.begin(), one_case.values.end());
        instance.cells = one_case.cells;
      }
      Names names = names_;
      names.stand_for(instance.host);
      for (const auto& [name, value] : instance.values) names.set(name, value);
      for (const auto& [name, value] : instance.values)
        if (name.starts_with("host.") && base::names_secret(name) && !base::is_harmless(value))
          suite_.secret_values.push_back(value);
      for (const auto& [name, position] : instance.cells) names.set_cell(name, position);
      if (context_.known != Context::Known::everything && item.node().find("each") != nullptr)
        names.assume("host.");
      auto check = read_step(item, part, instance, frame_, names);
      if (check && uses_unsaved(item, *check)) continue;
      hosts.push_back(instance.saves_for());
      if (!check) continue;
      check->row = one_case.label;
      check->text_id = text_id(*check);
      judge_patience(item, names, *check);
      checks.push_back(std::move(*check));
    }
    if (part == Part::steps && hosts.empty()) left_out_ = true;
    declare_saves(item.node(), hosts);
  }

  /// Also what a step would save that could not be read: that is no mistake of those that use it. Once it has
  /// been read for all of its `hosts`, for it may save anew what it uses.
  void declare_saves(const yaml::Node& item, const std::vector<std::string>& hosts) {
    const auto* saved = saves_of(item);
    if (saved == nullptr) return;
    for (const auto& entry : saved->entries) {
      if (!hosts.empty())
        unsaved_.erase(entry.key);
      else if (names_.is_runtime(entry.key))
        continue;
      else
        unsaved_.insert(entry.key);
      if (hosts.empty() || hosts.front().empty()) names_.declare(entry.key);
      for (const auto& host : hosts)
        if (!host.empty()) names_.declare_for(entry.key, host);
    }
  }

  /// Where a step is left out because its hosts are not asked, so is what uses what it would have saved.
  bool uses_unsaved(const yaml::Reader& item, const Check& check) const {
    std::set<std::string> needs;
    for (const auto& undone : check.undo) needs.insert(undone.needs.begin(), undone.needs.end());
    for (const auto& own : check.save) needs.erase(std::string(own.written()));
    needs.insert(check.needs.begin(), check.needs.end());
    const auto used =
        std::find_if(needs.begin(), needs.end(), [&](const auto& name) { return unsaved_.count(name) > 0; });
    if (used == needs.end()) return false;
    item.warning(fmt::format("'{}' is saved by a step that is left out: so is this one", *used));
    return true;
  }

  /// Polls that the budget cuts short say nothing of what is waited for: that is known before they begin.
  void judge_patience(const yaml::Reader& item, const Names& names, const Check& check) const {
    const bool tidies = check.part == Part::cleanup || check.part == Part::undo;
    const char* name = tidies ? "cleanup_budget" : "budget";
    const auto budget = tidies ? suite_.cleanup_budget : suite_.budget;
    const auto* within = item.node().find("for");
    if (within != nullptr && check.within > budget)
      names.mistake({*within, diagnostics_, yaml::path_of(item.path(), "for")},
                    fmt::format("the suite's {} of {} is over before that", name, base::to_text(budget)),
                    fmt::format("write less, or say '{}: {}' or more", name, base::to_text(check.within)));
    const auto* undo = item.node().find("undo");
    if (undo == nullptr) return;
    for (const auto& undone : check.undo)
      judge_patience({*undo, diagnostics_, yaml::path_of(item.path(), "undo")}, names, undone);
  }

  static std::string text_id(const Check& check) {
    std::string text = title_of(check.request);
    for (const auto* one : texts_of(check.request)) text += "\n" + one->shown();
    for (const auto* list : {&check.expect, &check.warn, &check.until, &check.give_up_if})
      for (const auto& expectation : *list) text += "\n" + expectation.subject + ": " + expectation.wanted;
    return base::sha256_hex(text).substr(0, 12);
  }

  void sweep() {
    auto map = map_.mapping("sweep");
    if (!map) return;
    Sweep sweep;
    if (const auto age = map->duration("older_than", yaml::Need::required)) sweep.older_than = age->value;
    const auto list = map->value("list", yaml::Need::required);
    const auto each = map->value("each", yaml::Need::required);
    map->finish();
    if (!list || !each) return;
    yaml::Node step;
    step.kind = yaml::Kind::map;
    step.position = list->node().position;
    step.entries.push_back({"get", list->node().position, 1, list->node()});
    auto asked = read_step({step, diagnostics_, list->path()}, Part::sweep, {}, frame_, names_);
    Names with_item = names_;
    with_item.declare_prefix("item.");
    auto removed = read_step(*each, Part::sweep, {}, frame_, with_item);
    if (!asked || !removed) return;
    asked->unnamed = removed->unnamed = false;
    asked->name = "sweep: what is left of killed runs";
    asked->key = suite_.name + "/" + asked->name;
    removed->name = "sweep: remove";
    removed->key = suite_.name + "/" + removed->name;
    sweep.list = std::move(*asked);
    sweep.each = std::move(*removed);
    suite_.sweep = std::move(sweep);
  }

  void ends() {
    for (const auto& name : map_.texts("export")) {
      if (!names_.is_runtime(name.value))
        diagnostics_.error(name.position, fmt::format("no step saves '{}'", name.value), name.path);
      else if (names_.is_per_host(name.value))
        diagnostics_.error(name.position,
                           fmt::format("'{}' has a value for each host, and one is exported", name.value),
                           name.path, "save it in a step without 'each'");
      // Whoever uses one that nothing saves today is told before anything is asked.
      if (unsaved_.count(name.value) == 0) suite_.exports.push_back(name.value);
    }
    flaky();
    alert();
  }

  void flaky() {
    auto map = map_.mapping("flaky");
    if (!map) return;
    const auto number = [&](const char* key, std::uint32_t& into, const char* help) {
      const auto text = map->text(key);
      if (!text) return;
      if (const auto value = leading_number(text->value); value && *value > 0)
        into = *value;
      else
        map->error_at(key, "a number is expected here", help);
    };
    number("window", suite_.flaky.window, "write '200 runs'");
    number("suspect", suite_.flaky.suspect, "write '2 flips'");
    using Action = Flaky::Action;
    if (const auto action = map->choice_of<Action>(
            "quarantine",
            {{"never", Action::never}, {"propose", Action::propose}, {"auto", Action::automatic}}))
      suite_.flaky.quarantine = action->value;
    map->finish();
  }

  void alert() {
    auto map = map_.mapping("alert");
    if (!map) return;
    if (const auto after = map->text("after")) {
      const auto value = leading_number(after->value);
      if (value && *value > 0)
        suite_.alert.after = *value;
      else
        map->error_at("after", "a number of runs is expected here", "write '2 failed runs in a row'");
    }
    for (const auto& to : map->texts("to")) {
      suite_.alert.to.push_back(to.value);
      if (context_.receivers) check_receiver(to, *context_.receivers, diagnostics_);
    }
    suite_.alert.recovered = !map->has("also_when");
    for (const auto& when : map->texts("also_when")) {
      constexpr std::string_view degraded = "degraded for ";
      const auto span = when.value.rfind(degraded, 0) == 0
                            ? base::parse_duration(when.value.substr(degraded.size()))
                            : std::nullopt;
      if (when.value == "recovered")
        suite_.alert.recovered = true;
      else if (span)
        suite_.alert.degraded_for = *span;
      else
        diagnostics_.error(when.position, fmt::format("'{}' is no occasion", when.value), when.path,
                           "it is 'recovered' or 'degraded for 1h'");
    }
    map->finish();
  }

  /// A suite that ends well whatever its steps find is hardly meant.
  void something_blocks() {
    const auto blocks = [this](const Check& check) { return check.severity >= suite_.severity; };
    const auto any = [&](const std::vector<Check>& part) {
      return std::any_of(part.begin(), part.end(), blocks);
    };
    const bool all_known = context_.known == Context::Known::everything;
    if (!all_known || suite_.steps.empty() || any(suite_.setup) || any(suite_.steps)) return;
    if (const auto place = map_.value(map_.has("severity") ? "severity" : "suite"))
      place->warning("no step is as severe as the suite, so it can never fail",
                     fmt::format("a step blocks when it is {}, as it is without a severity of its own",
                                 name_of(suite_.severity)));
  }

  const Context& context_;
  diag::Diagnostics& diagnostics_;
  yaml::Mapping map_;
  Frame frame_;
  Names names_;
  Suite suite_;
  CaseReader cases_;
  bool left_out_ = false;          ///< a step, with a warning or a mistake
  std::set<std::string> unsaved_;  ///< what only steps that are left out save
};

}  // namespace

std::optional<Suite> load_suite(const std::string& file, const std::string& text, const Context& context,
                                diag::Diagnostics& diagnostics) {
  const auto before = diagnostics.count(diag::Severity::error);
  const auto root = yaml::parse(text, file, diagnostics);
  if (!root) return std::nullopt;
  diag::Diagnostics own;
  own.sources().add(file, text);
  SuiteReader reader(file, *root, context, own);
  auto suite = reader.read();
  reader.add_source(diagnostics.sources());
  for (const auto& finding : own.sorted()) diagnostics.add(finding);
  if (diagnostics.count(diag::Severity::error) > before) return std::nullopt;
  if (suite && !context.given.empty()) suite->names = names_of_suite(*root);
  return suite;
}

}  // namespace staithe::checks
