#include "staithe/steps/step.hpp"

#include "fields.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace staithe::steps {
namespace {

constexpr std::array common_keys{"name", "timeout", "retry", "only", "on"};

bool is_common(std::string_view key) {
  return std::find(common_keys.begin(), common_keys.end(), key) != common_keys.end();
}

std::vector<std::string> words() {
  std::vector<std::string> all(common_keys.begin(), common_keys.end());
  for (const Kind& kind : kinds()) all.emplace_back(kind.name);
  return all;
}

/// What other tools call a kind of step: no misspelling leads there, or it leads elsewhere.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> other_words{{{"restart", "reload"},
                                                                                     {"service", "reload"},
                                                                                     {"systemd", "reload"},
                                                                                     {"shell", "run"},
                                                                                     {"command", "run"},
                                                                                     {"script", "run"},
                                                                                     {"exec", "run"},
                                                                                     {"copy", "upload"},
                                                                                     {"git", "checkout"},
                                                                                     {"symlink", "activate"},
                                                                                     {"undrain", "restore"},
                                                                                     {"sleep", "wait"},
                                                                                     {"pause", "confirm"},
                                                                                     {"slack", "notify"}}};

/// The kind or the common key that a word was probably meant as.
std::optional<std::string> meant_by(const std::string& word) {
  for (const auto& [other, ours] : other_words)
    if (word == other) return std::string(ours);
  return base::nearest(word, words());
}

void unknown_key(const yaml::Member& member, bool has_kind, diag::Diagnostics& diagnostics) {
  const auto near = has_kind ? base::nearest(member.key.value, words()) : meant_by(member.key.value);
  diag::Diagnostic finding;
  finding.position = member.key.position;
  finding.length = member.key.length;
  finding.message = (has_kind ? "unknown key '" : "unknown step '") + member.key.value + "'";
  finding.path = member.key.path;
  finding.help = near ? "did you mean '" + *near + "'?" : "'staithe help steps' lists the kinds of steps";
  diagnostics.add(std::move(finding));
}

std::string listed(std::span<const Place> places) {
  std::string names;
  for (const Place place : places) names += (names.empty() ? "" : ", ") + std::string(name_of(place));
  return names;
}

/// A step may be as short as "- activate".
std::optional<ParsedStep> parse_word(const yaml::Reader& item, Place place) {
  const auto word = item.text();
  const Kind* kind = word ? find_kind(*word) : nullptr;
  if (const Kind* meant = kind == nullptr ? kind_meant(item) : nullptr) {
    item.error("unknown step '" + *word + "'", "did you mean '" + std::string(meant->name) + "'?");
    return std::nullopt;
  }
  if (kind == nullptr) {
    item.error("a step is a mapping such as 'run: uptime'");
    return std::nullopt;
  }
  yaml::Node nothing;
  nothing.position = item.node().position;
  nothing.length = item.node().length;
  yaml::Node map;
  map.kind = yaml::Kind::map;
  map.position = nothing.position;
  map.length = nothing.length;
  map.entries.push_back(yaml::Entry{*word, nothing.position, nothing.length, nothing});
  return parse_step(yaml::Reader(map, item.diagnostics(), item.path()), place);
}

}  // namespace

std::string_view name_of(Place place) noexcept {
  switch (place) {
    case Place::before:
      return "before";
    case Place::stage:
      return "stage";
    case Place::prepare:
      return "prepare";
    case Place::each:
      return "each";
    case Place::after:
      return "after";
  }
  return "";
}

const Kind* find_kind(std::string_view name) {
  for (const Kind& kind : kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

std::optional<ParsedStep> parse_step(const yaml::Reader& item, Place place) {
  if (item.node().kind == yaml::Kind::scalar) return parse_word(item, place);
  const auto members = item.map();
  if (!members) return std::nullopt;
  const yaml::Member* chosen = nullptr;
  ParsedStep parsed;
  yaml::Mapping map(item);
  const bool has_kind = std::any_of(members->begin(), members->end(),
                                    [](const yaml::Member& m) { return find_kind(m.key.value) != nullptr; });
  for (const yaml::Member& member : *members) {
    const Kind* kind = find_kind(member.key.value);
    if (kind == nullptr) {
      if (!is_common(member.key.value)) unknown_key(member, has_kind, item.diagnostics());
      continue;
    }
    if (chosen != nullptr) {
      map.error_at(member.key.value, "one step, one kind: this one is '" + chosen->key.value + "' already",
                   "begin another step with '- " + member.key.value + ":'");
      continue;
    }
    chosen = &member;
    parsed.kind = kind;
  }
  if (chosen == nullptr) {
    const bool silent = std::any_of(members->begin(), members->end(),
                                    [](const yaml::Member& m) { return !is_common(m.key.value); });
    if (!silent) item.error("a step without effect: it has no kind", "such as 'run: uptime'");
    return std::nullopt;
  }
  parsed.position = chosen->key.position;
  parsed.length = chosen->key.length;
  parsed.path = chosen->key.path;
  const auto places = parsed.kind->places;
  if (std::find(places.begin(), places.end(), place) == places.end()) {
    map.error_at(chosen->key.value,
                 "'" + chosen->key.value + "' cannot stand under '" + std::string(name_of(place)) + "'",
                 "it may stand under: " + listed(places));
  }
  read_common(map, parsed.common);
  Fields fields(chosen->value, *parsed.kind, parsed.common, place);
  if (!fields.map().valid()) return std::nullopt;
  parsed.step = parsed.kind->parse(fields);
  fields.finish();
  if (parsed.step == nullptr) return std::nullopt;
  return parsed;
}

const Kind* kind_meant(const yaml::Reader& item) {
  const auto meant = [](const std::string& word) -> const Kind* {
    const auto near = meant_by(word);
    return near ? find_kind(*near) : nullptr;
  };
  if (item.node().kind == yaml::Kind::scalar) return meant(item.node().text);
  for (const auto& entry : item.node().entries)
    if (const Kind* kind = meant(entry.key)) return kind;
  return nullptr;
}

std::optional<Lowered> lower(const ParsedStep& step, const Site& site) {
  Lowering at(site, step);
  Lowered out;
  step.step->lower(at, out);
  if (at.failed()) return std::nullopt;
  return out;
}

}  // namespace staithe::steps
