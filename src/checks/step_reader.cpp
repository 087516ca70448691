#include "step_reader.hpp"

#include "kinds/http_fields.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"
#include "staithe/checks/judge.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace staithe::checks {
namespace {

/// "harmless wherever it stands in a shell command, quoted or not".
bool is_harmless(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return base::is_alnum(c) || std::string_view("_./:@%+,=-").find(c) != std::string_view::npos;
  });
}

class StepFields final : public Fields {
 public:
  StepFields(const yaml::Reader& item, const Instance& instance, const Frame& frame, const Names& names)
      : map_(item), instance_(instance), frame_(frame), names_(names), diagnostics_(item.diagnostics()) {}

  yaml::Mapping& map() override { return map_; }

  std::optional<Text> text(const yaml::Reader& reader) override {
    const auto written = reader.text();
    suspect(reader);
    return written ? names_.expand(*written, reader) : std::nullopt;
  }
  std::optional<Text> url(const yaml::Reader& reader) override {
    const auto written = reader.text();
    suspect(reader);
    return written ? names_.expand_url(*written, reader) : std::nullopt;
  }
  bool cell_says_whom(const yaml::Reader& reader, const Text& url) override {
    return names_.cell_says_whom(reader, url);
  }
  bool has_cell(const yaml::Reader& reader) override { return names_.cell_in(reader.node().text) != nullptr; }
  std::optional<std::string> plain(const yaml::Reader& reader) override {
    const auto written = reader.text();
    suspect(reader);
    return written ? names_.expand_plain(*written, reader) : std::nullopt;
  }
  std::optional<Text> json(const yaml::Reader& reader) override { return json_template(reader, names_); }

  std::optional<std::string> shell(const yaml::Reader& reader) override {
    const auto written = reader.text();
    if (!written) return std::nullopt;
    for (const auto& name : names_in(*written)) {
      const auto value = names_.expand("$(" + name + ")", reader);
      if (!value) return std::nullopt;
      if (value->is_literal() && is_harmless(value->shown())) continue;
      mistake(reader, fmt::format("'{}' cannot stand in a command", name),
              fmt::format("say env: {{VALUE: $({})}} and write \"$VALUE\"", name));
      return std::nullopt;
    }
    return names_.expand_plain(*written, reader);
  }

  std::optional<plan::SecretRef> database(const yaml::Reader& reader, const std::string& name) override {
    const auto found = frame_.context.databases.find(name);
    if (found != frame_.context.databases.end()) return found->second;
    std::vector<std::string> known;
    for (const auto& [one, url] : frame_.context.databases) known.push_back(one);
    const auto near = base::nearest(name, known);
    if (frame_.context.known == Context::Known::nothing) return std::nullopt;
    mistake(reader, fmt::format("no database is called '{}'", name),
            near ? fmt::format("did you mean '{}'?", *near)
                 : fmt::format("declare it in staithe.yml: databases: {{{}: {{url: env NAME}}}}", name));
    return std::nullopt;
  }

  std::optional<base::Duration> duration(const yaml::Reader& reader) override {
    if (names_in(reader.node().text).empty()) return reader.duration();
    const auto text = names_.expand_plain(reader.node().text, reader);
    if (!text) return std::nullopt;
    yaml::Node put_in = reader.node();
    put_in.text = *text;
    if (const auto* cell = names_.cell_in(reader.node().text)) put_in.position = *cell;
    return yaml::Reader(put_in, diagnostics_, reader.path()).duration();
  }

  void mistake(const yaml::Reader& reader, std::string message, std::string help) const override {
    names_.mistake(reader, std::move(message), std::move(help));
  }

  const std::string& target() const override { return frame_.target; }
  std::string host() const override { return instance_.host; }

  std::optional<yaml::Reader> default_of(std::string_view key) override {
    if (frame_.defaults == nullptr) return std::nullopt;
    const auto* node = frame_.defaults->find(key);
    if (node == nullptr) return std::nullopt;
    return yaml::Reader(*node, diagnostics_, yaml::path_of("defaults", key));
  }

 private:
  yaml::Mapping map_;
  const Instance& instance_;
  const Frame& frame_;
  const Names& names_;
  diag::Diagnostics& diagnostics_;
};

void add_needs(const Text& text, Check& check) {
  for (const auto& piece : text.pieces()) {
    const auto* capture = std::get_if<plan::CaptureRef>(&piece);
    if (capture == nullptr) continue;
    if (capture->name.rfind("run.", 0) != 0 && capture->name.rfind("item.", 0) != 0)
      check.needs.insert(capture->name);
  }
}
void add_needs(const Matcher& matcher, Check& check) {
  for (const auto& operand : matcher.operands) add_needs(operand, check);
  for (const auto& inner : matcher.inner) add_needs(inner, check);
}
void add_needs(const std::vector<Expectation>& expectations, Check& check) {
  for (const auto& expectation : expectations) add_needs(expectation.matcher, check);
}

/// Reads the keys that every kind has.
class StepReader {
 public:
  StepReader(const yaml::Reader& item, Part part, const Instance& instance, const Frame& frame, Names& names)
      : item_(item),
        instance_(instance),
        frame_(frame),
        names_(names),
        fields_(item, instance, frame, names) {
    check_.part = part;
    check_.position = item.node().position;
    check_.severity = frame.severity;
  }

  std::optional<Check> read() {
    if (!fields_.map().valid()) return std::nullopt;
    const auto before = item_.diagnostics().count(diag::Severity::error);
    if (!find_kind_of_step()) return std::nullopt;
    const auto value = fields_.map().value(kind_->name);
    auto request = kind_->parse(fields_, *value);
    if (request) check_.request = std::move(*request);
    identity(request.has_value());
    policy();
    polling();
    expectations();
    tolerance();
    check_sample(check_, item_);
    save();
    undo();
    fields_.map().value("each");
    fields_.map().finish();
    collect();
    if (!request || item_.diagnostics().count(diag::Severity::error) > before) return std::nullopt;
    return std::move(check_);
  }

 private:
  bool find_kind_of_step() {
    std::vector<std::string> found;
    for (const auto& kind : kinds())
      if (fields_.map().has(kind.name)) {
        found.emplace_back(kind.name);
        kind_ = &kind;
      }
    if (found.size() == 1) return true;
    if (found.size() > 1) {
      item_.error("a step asks one thing, this one says " + base::join(found, " and "));
      return false;
    }
    std::vector<std::string> known;
    for (const auto& kind : kinds()) known.emplace_back(kind.name);
    for (const auto& entry : item_.node().entries)
      if (const auto near = base::nearest(entry.key, known)) {
        item_.error(fmt::format("'{}' is not a kind of check", entry.key),
                    fmt::format("did you mean '{}'?", *near));
        return false;
      }
    item_.error("this step does not say what it asks", "it needs one of " + base::join(known, ", "));
    return false;
  }

  void identity(bool has_request) {
    std::string raw;
    if (const auto name = fields_.map().value("name")) {
      raw = name->text().value_or("");
      // What a step is called is no value: it may well begin with "env".
      check_.name = names_.expand_plain(raw, *name).value_or(raw);
      if (!is_on_one_line(check_.name)) names_.mistake(*name, not_on_one_line, {});
    }
    check_.unnamed = check_.name.empty() && has_request;
    if (check_.unnamed) check_.name = name_made_of(check_.request, names_.secret_values());
    if (check_.part == Part::undo) check_.name = "undo: " + check_.name;
    check_.step = check_.name;
    if (!instance_.label.empty()) {
      const auto names = names_in(raw);
      const bool told_apart = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
        return std::any_of(instance_.values.begin(), instance_.values.end(),
                           [&](const auto& value) { return value.first == name; });
      });
      if (told_apart)
        check_.step = raw;
      else
        check_.name += " [" + instance_.label + "]";
    }
    check_.key = frame_.suite + "/" +
                 (check_.part == Part::steps ? "" : std::string(name_of(check_.part)) + ": ") + check_.name;
    if (const auto severity = fields_.map().choice_of<Severity>(
            "severity",
            {{"critical", Severity::critical}, {"major", Severity::major}, {"minor", Severity::minor}}))
      check_.severity = severity->value;
    check_.tags = frame_.tags;
    for (const auto& tag : fields_.map().texts("tags")) check_.tags.push_back(tag.value);
  }

  void policy() {
    auto& map = fields_.map();
    if (const auto timeout = fields_.value_or_default("timeout"))
      check_.timeout = read_patience(*timeout, names_, fields_.duration(*timeout)).value_or(check_.timeout);
    check_.safe = is_safe(check_.request);
    if (const auto safe = map.boolean("safe")) check_.safe = safe->value;
    if (const auto* http = std::get_if<HttpRequest>(&check_.request))
      for (const auto& [name, value] : http->headers)
        check_.safe = check_.safe || (base::equal_ignoring_case(name, "idempotency-key") &&
                                      !(value.is_literal() && base::trim(value.shown()).empty()));
    if (const auto own = map.value("retry")) {
      retry(*own);
      if (!check_.safe && check_.retries > 0)
        own->error("this request may change something and is not repeated",
                   "say 'safe: true' when asking twice does no harm, or send an idempotency-key");
    } else if (const auto common = fields_.default_of("retry"); common && check_.safe) {
      retry(*common);
    }
    if (const auto sample = map.integer("sample", 1, 10'000)) {
      check_.sample = static_cast<std::uint32_t>(sample->value);
      if (!check_.safe)
        map.error_at("sample", "only what is safe is asked many times", "say 'safe: true' when it is");
    }
    for (const auto& on_fail : {map.value("on_fail"), fields_.default_of("on_fail")}) {
      if (!on_fail) continue;
      const std::vector<std::string> words{"stop", "continue"};
      if (const auto word = on_fail->choice(words)) check_.go_on = *word == "continue";
      break;
    }
    if (const auto quarantined = map.mapping("quarantine")) quarantine(*quarantined);
  }

  void retry(const yaml::Reader& reader) {
    const auto text = reader.text();
    if (!text) return;
    const auto after = text->find(" after ");
    const auto count = base::trim(std::string_view(*text).substr(0, after));
    std::uint32_t times = 0;
    const auto read = std::from_chars(count.data(), count.data() + count.size(), times);
    const auto pause = after == std::string::npos
                           ? std::optional<base::Duration>(base::Duration{500})
                           : base::parse_duration(base::trim(std::string_view(*text).substr(after + 7)));
    if (read.ec != std::errc() || read.ptr != count.data() + count.size() || times > 10 || !pause)
      return reader.error(fmt::format("'{}' is no retry", *text), "write '1 after 500ms'; 10 times at most");
    check_.retries = times;
    check_.retry_after = *pause;
  }

  void quarantine(yaml::Mapping map) {
    Quarantine quarantine;
    const auto owner = map.text("owner", yaml::Need::required);
    const auto reason = map.text("reason", yaml::Need::required);
    const auto until = map.text("until", yaml::Need::required);
    map.finish();
    if (!owner || !reason || !until) return;
    const auto time = parse_date(until->value);
    if (!time || until->value.size() < 10)
      return map.error_at("until", "this is no date", "write 2026-12-31");
    check_.quarantine = Quarantine{owner->value, reason->value, until->value, *time};
  }

  void polling() {
    auto& map = fields_.map();
    const auto until = map.value("until");
    if (until) check_.until = read_expectations(*until, *kind_, names_);
    if (const auto give_up = map.value("give_up_if"))
      check_.give_up_if = read_expectations(*give_up, *kind_, names_);
    if (const auto every = map.value("every"))
      check_.every = std::max(fields_.duration(*every).value_or(check_.every), base::Duration{10});
    if (const auto within = map.value("for"))
      check_.within = fields_.duration(*within).value_or(base::Duration{1});
    if (until && check_.within.count() == 0)
      map.error_without({"for"}, *until, "'until' does not say for how long", "say 'for: 30s' as well");
    if (!until && (map.has("every") || map.has("for") || map.has("give_up_if")))
      map.error_without({"until"}, "'every', 'for' and 'give_up_if' belong to 'until', which is not here");
    if (until && check_.sample > 1) until->error("a step either polls or takes samples");
  }

  void expectations() {
    auto& map = fields_.map();
    const auto expect = map.value("expect");
    if (expect) check_.expect = read_expectations(*expect, *kind_, names_);
    const auto warn = map.value("warn");
    if (warn) check_.warn = read_expectations(*warn, *kind_, names_);
    const bool says_something = expect || warn || map.has("until");  // what is wrong with one is said there
    // What is common is meant for what is asked; what is taken away again may well answer otherwise, as 204
    // does.
    const bool takes_away = check_.part == Part::undo || check_.part == Part::sweep;
    if (takes_away && !says_something) return implied();
    common_expectations();
    if (check_.sample > 1 && says_something && nothing_of_each())
      map.error_at("sample", "nothing says what a good answer is, so any would count",
                   fmt::format("say it besides: expect: {{{}: …}}", kind_->main_subject));
    if (says_something || kind_->subjects.empty()) return;  // what only lets time pass

    map.error_without({"expect", "until", "warn"}, "this step expects nothing: it could never fail",
                      fmt::format("say what must hold: expect: {{{}: …}}", kind_->main_subject));
  }

  bool nothing_of_each() const {
    return std::all_of(check_.expect.begin(), check_.expect.end(),
                       [](const Expectation& one) { return is_of_all_samples(one.subject); });
  }

  /// Those of `defaults`, where this kind knows the subject and the step says nothing of it.
  void common_expectations() {
    const auto common = fields_.default_of("expect");
    if (!common || !std::holds_alternative<HttpRequest>(check_.request)) return;
    for (auto& expectation : read_expectations(*common, *kind_, names_)) {
      const bool said = std::any_of(check_.expect.begin(), check_.expect.end(),
                                    [&](const auto& own) { return own.subject == expectation.subject; });
      if (!said) check_.expect.push_back(std::move(expectation));
    }
  }

  void implied() {
    if (!std::holds_alternative<HttpRequest>(check_.request)) return;
    std::string why, help;
    if (auto matcher = parse_matcher(Text("2xx"), Matcher::Form::plain, why, help))
      check_.expect.push_back({"status", std::move(*matcher), "2xx", check_.position});
  }

  void tolerance() {
    for (const auto& member : fields_.map().map("tolerate")) {
      Tolerance tolerance;
      tolerance.neighbour = member.key.value;
      if (std::find(frame_.neighbours.begin(), frame_.neighbours.end(), tolerance.neighbour) ==
          frame_.neighbours.end())
        member.value.error(fmt::format("no neighbour is called '{}'", tolerance.neighbour),
                           "declare it under 'neighbours' of the suite");
      yaml::Mapping map(member.value);
      const auto evidence = map.list("evidence", yaml::Need::required);
      for (const auto& item : evidence) {
        if (item.node().kind == yaml::Kind::scalar && item.node().text == "probe") {
          tolerance.probe = true;
          continue;
        }
        auto expectations = read_expectations(item, *kind_, names_);
        tolerance.evidence.insert(tolerance.evidence.end(), expectations.begin(), expectations.end());
      }
      if (const auto expect = map.value("expect", yaml::Need::required))
        tolerance.expect = read_expectations(*expect, *kind_, names_);
      map.finish();
      check_.tolerate.push_back(std::move(tolerance));
    }
  }

  void save() {
    for (const auto& member : fields_.map().map_or_slip("save")) {
      const auto subject = member.value.text();
      if (!subject) continue;
      if (const auto why = check_subject(*subject); !why.empty())
        member.value.error("'" + *subject + "' is no path: " + why);
      const auto& name = member.key.value;
      const auto host = instance_.saves_for();
      check_.save.push_back({host.empty() ? name : name_for_host(name, host), *subject, host});
      if (host.empty())
        names_.declare(name);
      else
        names_.declare_for(name, host);
    }
  }

  void undo() {
    const auto inner = fields_.map().value("undo");
    if (!inner) return;
    Frame frame = frame_;
    if (auto undone = read_step(*inner, Part::undo, instance_, frame, names_)) {
      const bool has_name = inner->node().find("name") != nullptr;
      if (!has_name) undone->name = "undo: " + check_.name;
      undone->unnamed = !has_name && check_.unnamed;
      undone->key = frame_.suite + "/" + undone->name;
      check_.undo.push_back(std::move(*undone));
    }
  }

  void collect() {
    for (const auto* text : texts_of(static_cast<const Request&>(check_.request))) add_needs(*text, check_);
    for (const auto* list : {&check_.expect, &check_.warn, &check_.until, &check_.give_up_if})
      add_needs(*list, check_);
  }

  const yaml::Reader& item_;
  const Instance& instance_;
  const Frame& frame_;
  Names& names_;
  StepFields fields_;
  const Kind* kind_ = nullptr;
  Check check_;
};

}  // namespace

std::optional<yaml::Reader> Fields::value_or_default(std::string_view key) {
  if (auto own = map().value(key)) return own;
  return default_of(key);
}

bool is_on_one_line(std::string_view name) {
  return base::one_line(name) == name;
}

const yaml::Node* saves_of(const yaml::Node& step) {
  if (const auto* saved = step.find("save")) return saved;
  const std::vector<std::string> meant{"save"};
  for (const auto& entry : step.entries)
    if (entry.value.kind == yaml::Kind::map && base::nearest(entry.key, meant)) return &entry.value;
  return nullptr;
}

std::optional<Check> read_step(const yaml::Reader& item, Part part, const Instance& instance,
                               const Frame& frame, Names& names) {
  return StepReader(item, part, instance, frame, names).read();
}

std::optional<base::Duration> read_patience(const yaml::Reader& reader, const Names& names,
                                            const std::optional<base::Duration>& patience) {
  if (!patience || patience->count() > 0) return patience;
  names.mistake(reader, "nothing can be asked in no time", "write how long it may take, like 10s");
  return std::nullopt;
}

}  // namespace staithe::checks
