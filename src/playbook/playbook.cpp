#include "staithe/playbook/playbook.hpp"

#include "reading.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>

namespace staithe::playbook {
namespace {

using steps::ParsedStep;
using steps::Place;

constexpr std::array places{Place::before, Place::stage, Place::prepare, Place::each, Place::after};

plan::Amount amount_of(const yaml::Amount& amount) {
  return {amount.value, amount.unit == yaml::Amount::Unit::percent};
}

void read_strategy(yaml::Mapping& playbook, StrategyEntry& entry) {
  auto map = playbook.mapping("strategy");
  if (!map) return;
  plan::Strategy& strategy = entry.strategy;
  if (const auto items = map->list("batches"); map->has("batches")) {
    strategy.batches.clear();
    for (const yaml::Reader& item : items) {
      if (const auto amount = item.percent_or_count(1)) {
        if (amount->value == 0) item.error("a batch of nothing");
        strategy.batches.push_back(amount_of(*amount));
      }
    }
    const bool is_list = map->node().find("batches")->kind == yaml::Kind::list;
    if (items.empty() && is_list) map->error_at("batches", "no batch at all");
  }
  if (auto parallel = map->integer("parallel", 1, 10'000))
    strategy.parallel = static_cast<std::uint32_t>(parallel->value);
  using Window = plan::Strategy::Window;
  if (auto window =
          map->choice_of<Window>("window", {{"sliding", Window::sliding}, {"lockstep", Window::lockstep}})) {
    strategy.window = window->value;
  }
  if (auto most = map->percent_or_count("max_failures")) strategy.max_failures = amount_of(most->value);
  entry.min_available_said = map->percent_or_count("min_available");
  if (const auto& least = entry.min_available_said) entry.min_available = amount_of(least->value);
  using OnFailure = plan::Strategy::OnFailure;
  if (auto policy = map->choice_of<OnFailure>("on_failure", {{"stop", OnFailure::stop},
                                                             {"revert_batch", OnFailure::revert_batch},
                                                             {"revert_all", OnFailure::revert_all}})) {
    strategy.on_failure = policy->value;
  }
  if (auto deadline = map->duration("deadline")) {
    if (deadline->value == base::Duration::zero()) map->error_at("deadline", "no time at all");
    strategy.deadline = deadline->value;
  }
  map->finish();
}

/// A selection is one text, where other tools have a list.
std::optional<Text> read_selection(yaml::Mapping& playbook) {
  const auto value = playbook.value("hosts");
  if (!value) return std::nullopt;
  if (value->node().kind == yaml::Kind::list) {
    std::vector<std::string> names;
    for (const auto& item : value->node().items) names.push_back(item.text);
    value->error("expected text, found a list", "write '" + base::join(names, ", ") + "'");
    return std::nullopt;
  }
  auto text = value->text();
  return text ? std::optional(value->located(std::move(*text))) : std::nullopt;
}

/// What could not be read but was probably meant as some kind stands in its place, without a step, until the
/// order has been judged: else its slip of the pen would be followed by findings about what is missing. Such
/// a guess excuses other steps and accuses none.
std::vector<ParsedStep> read_section(yaml::Mapping& map, Place place) {
  std::vector<ParsedStep> parsed;
  const std::string key(steps::name_of(place));
  if (!map.has(key)) return parsed;
  const std::vector<yaml::Reader> items = map.list(key);
  if (items.empty()) return parsed;
  for (const yaml::Reader& item : items) {
    if (auto step = steps::parse_step(item, place))
      parsed.push_back(std::move(*step));
    else if (const auto* meant = steps::kind_meant(item))
      parsed.push_back(ParsedStep{meant, {}, item.node().position, 1, item.path(), nullptr});
  }
  return parsed;
}

bool is_guessed(const ParsedStep& step) {
  return step.step == nullptr;
}

/// Nothing about a step that is only guessed.
void complain(diag::Diagnostics& diagnostics, diag::Severity severity, const ParsedStep& step,
              std::string message, std::string help = {}) {
  if (is_guessed(step)) return;
  diag::Diagnostic finding;
  finding.severity = severity;
  finding.position = step.position;
  finding.length = step.length;
  finding.message = std::move(message);
  finding.path = step.path;
  finding.help = std::move(help);
  diagnostics.add(std::move(finding));
}

/// Which step of its section it is, counted with those that could not be read and have no place among them.
std::size_t place_in_section(const ParsedStep& step) {
  const auto open = step.path.find('[');
  return open == std::string::npos ? 0 : std::strtoul(step.path.c_str() + open + 1, nullptr, 10);
}

/// A drain is given back, once, and something happens in between.
void check_brackets(const Playbook& playbook, diag::Diagnostics& diagnostics) {
  const ParsedStep* open = nullptr;
  bool drained = false;
  for (const ParsedStep& step : playbook.each) {
    if (step.kind->role == steps::Kind::Role::opens) {
      if (open != nullptr && !is_guessed(*open)) {
        complain(diagnostics, diag::Severity::error, step, "drain twice without a restore in between");
      } else if (drained) {
        complain(diagnostics, diag::Severity::error, step, "a host is drained once in a playbook",
                 "put the steps of both between one drain and one restore");
      }
      drained = drained || !is_guessed(step);
      open = &step;
    }
    if (step.kind->role != steps::Kind::Role::closes) continue;
    if (open == nullptr) {
      complain(diagnostics, diag::Severity::error, step, "restore without a drain before it",
               "add '- drain: {within: 60s}' in front of the steps that touch the app");
    } else if (place_in_section(*open) + 1 == place_in_section(step)) {
      complain(diagnostics, diag::Severity::warning, *open,
               "a step without effect: nothing is done between drain and restore");
    }
    const auto hosts_of = [](const ParsedStep& one) {
      return one.common.only ? one.common.only->value : std::string();
    };
    if (open != nullptr && !is_guessed(*open) && hosts_of(*open) != hosts_of(step)) {
      complain(diagnostics, diag::Severity::error, step, "drain and its restore are for different hosts",
               "give both the same 'only'");
    }
    open = nullptr;
  }
  if (open != nullptr) {
    complain(diagnostics, diag::Severity::error, *open,
             "drain without a restore after it: the host would stay out", "add '- restore: {}'");
  }
}

const ParsedStep* first_of(const std::vector<ParsedStep>& section, std::string_view kind) {
  const auto found =
      std::find_if(section.begin(), section.end(), [&](const ParsedStep& s) { return s.kind->name == kind; });
  return found == section.end() ? nullptr : &*found;
}

/// Both bring a host to what the plan says; to do that again changes nothing.
void check_repeated(const std::vector<ParsedStep>& section, std::string_view kind,
                    diag::Diagnostics& diagnostics) {
  const ParsedStep* first = first_of(section, kind);
  if (first == nullptr || is_guessed(*first)) return;
  for (const ParsedStep& step : section)
    if (step.kind->name == kind && &step != first && !step.common.only && !first->common.only)
      complain(diagnostics, diag::Severity::warning, step,
               "a step without effect: '" + std::string(kind) + "' stands before it");
}

void check_release_steps(const Playbook& playbook, diag::Diagnostics& diagnostics) {
  check_repeated(playbook.stage, "checkout", diagnostics);
  check_repeated(playbook.each, "activate", diagnostics);
  const ParsedStep* checkout = first_of(playbook.stage, "checkout");
  const ParsedStep* activate = first_of(playbook.each, "activate");
  const ParsedStep* reload = first_of(playbook.each, "reload");
  if (checkout != nullptr && activate == nullptr) {
    complain(diagnostics, diag::Severity::warning, *checkout,
             "checkout without activate: the release is staged and never goes live",
             "add '- activate: {}' under 'each'");
  }
  if (activate != nullptr && checkout == nullptr) {
    complain(diagnostics, diag::Severity::warning, *activate,
             "activate without checkout: the release must be on the hosts already",
             "add '- checkout: {}' under 'stage'");
  }
  if (activate != nullptr && reload != nullptr && reload < activate) {
    complain(diagnostics, diag::Severity::warning, *reload,
             "reload in front of activate: the app would still run the release before");
  }
}

void check_sections(const Playbook& playbook, diag::Diagnostics& diagnostics) {
  for (const Place place : {Place::stage, Place::each}) {
    for (const ParsedStep& step : playbook.section(place)) {
      // "on: $(host)" says what is so anyway.
      if (!step.common.on || step.common.on->value == "$(host)") continue;
      complain(diagnostics, diag::Severity::error, step,
               "'on' is for sections that run once; here every host has its turn",
               "use 'only' to leave hosts out");
    }
  }
  for (const Place place : {Place::before, Place::prepare, Place::after}) {
    for (const ParsedStep& step : playbook.section(place)) {
      if (!step.common.only) continue;
      complain(diagnostics, diag::Severity::error, step,
               "'only' is for sections where every host has its turn; this one runs once",
               "use 'on' to say where");
    }
  }
}

}  // namespace

const std::vector<ParsedStep>& Playbook::section(Place place) const {
  switch (place) {
    case Place::before:
      return before;
    case Place::stage:
      return stage;
    case Place::prepare:
      return prepare;
    case Place::each:
      return each;
    case Place::after:
      break;
  }
  return after;
}

bool Playbook::uses(std::string_view kind) const {
  return std::any_of(places.begin(), places.end(),
                     [&](Place place) { return first_of(section(place), kind) != nullptr; });
}

std::optional<Playbook> load_playbook(const std::string& path, const std::string& text,
                                      diag::Diagnostics& diagnostics) {
  const auto root = yaml::parse(text, path, diagnostics);
  if (!root) return std::nullopt;
  yaml::Mapping map(*root, diagnostics);
  if (!map.valid()) return std::nullopt;
  Playbook playbook;
  playbook.path = path;
  playbook.directory = directory_of(path);
  playbook.text = text;
  if (auto title = map.text("playbook", yaml::Need::required)) playbook.title = title->value;
  playbook.service = map.text("service");
  playbook.hosts = read_selection(map);
  playbook.vars = read_variables(map);
  playbook.secrets = read_secrets(map);
  read_strategy(map, playbook.strategy);
  playbook.before = read_section(map, Place::before);
  playbook.stage = read_section(map, Place::stage);
  playbook.prepare = read_section(map, Place::prepare);
  playbook.each = read_section(map, Place::each);
  playbook.after = read_section(map, Place::after);
  const bool has_section = std::any_of(places.begin(), places.end(), [&](Place place) {
    const yaml::Node* node = root->find(steps::name_of(place));
    // What is no list has been said to be none.
    return node != nullptr && (!node->items.empty() || node->kind == yaml::Kind::map || !node->text.empty());
  });
  if (!has_section)
    map.error_without({"before", "stage", "prepare", "each", "after"}, "a playbook without a step",
                      "add steps under 'each'");
  map.finish();
  check_brackets(playbook, diagnostics);
  check_release_steps(playbook, diagnostics);
  check_sections(playbook, diagnostics);
  for (auto* section :
       {&playbook.before, &playbook.stage, &playbook.prepare, &playbook.each, &playbook.after})
    std::erase_if(*section, is_guessed);
  return playbook;
}

std::string_view default_playbook_text() {
  return R"yaml(playbook: deploy
strategy:
  batches: [1, 25%, 100%]
  window: sliding
  max_failures: 0
  min_available: 1
  on_failure: revert_batch
stage:
  - checkout: {}
each:
  - drain: {within: 60s, at_deadline: fail}
  - activate: {}
  - reload: {}
  - wait: {http: $(health), for: 30s}
  - restore: {}
)yaml";
}

Playbook default_playbook() {
  diag::Diagnostics none;
  auto playbook = load_playbook("", std::string(default_playbook_text()), none);
  return std::move(*playbook);
}

}  // namespace staithe::playbook
