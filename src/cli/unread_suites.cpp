#include "unread_suites.hpp"

#include "project.hpp"

#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/yaml/node.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

namespace staithe::cli {
namespace {

namespace fs = std::filesystem;

/// As far as it can be told of a file that is wrong: what its suite is called and which steps it has.
class Look {
 public:
  explicit Look(const std::string& file) : name_(fs::path(file).stem().string()) {
    std::error_code none;
    if (!fs::is_regular_file(file, none)) return;
    try {
      text_ = read_text(file);
    } catch (const FilesWrong&) {
      return;
    }
    diag::Diagnostics unheard;
    root_ = yaml::parse(text_, file, unheard);
    if (root_ && root_->kind != yaml::Kind::map) root_.reset();
    const auto declared = root_ ? declared_in(*root_) : declared_in_line();
    guessed_ = declared.empty();
    if (!guessed_) name_ = declared;
  }

  const std::string& name() const { return name_; }
  /// Nothing says what the suite calls itself: the name is only that of the file.
  bool guessed() const { return guessed_; }

  /// Whether it would be watched by itself if it were right; so it is where that cannot be told.
  bool may_have_schedule() const {
    static const std::vector<std::string> wanted{"schedule"};
    return !root_ || std::any_of(root_->entries.begin(), root_->entries.end(), [](const yaml::Entry& one) {
      return base::nearest(one.key, wanted).has_value();
    });
  }

  /// Where nothing can be told apart, whether the name stands there at all.
  bool may_have(const std::string& step) const {
    const auto* steps = root_ ? root_->find("steps") : nullptr;
    if (steps == nullptr || steps->kind != yaml::Kind::list) return text_.find(step) != std::string::npos;
    return std::any_of(steps->items.begin(), steps->items.end(),
                       [&](const yaml::Node& one) { return may_be(one, step); });
  }

 private:
  static std::string declared_in(const yaml::Node& root) {
    const auto* declared = root.find("suite");
    return declared == nullptr ? "" : declared->text;
  }

  /// Where the file as a whole is no YAML, the line that says it may be.
  std::string declared_in_line() const {
    constexpr std::string_view key = "suite:", byte_order_mark = "\xEF\xBB\xBF";
    std::string_view rest = text_;
    if (rest.starts_with(byte_order_mark)) rest.remove_prefix(byte_order_mark.size());
    if (!rest.starts_with(key)) {
      const auto before = rest.find("\n" + std::string(key));
      if (before == std::string_view::npos) return {};
      rest.remove_prefix(before + 1);
    }
    diag::Diagnostics unheard;
    const auto line = yaml::parse(rest.substr(0, rest.find_first_of("\r\n")), "", unheard);
    return line && line->kind == yaml::Kind::map ? declared_in(*line) : "";
  }

  /// A step's host or case may be a part of its name, or stand behind it; without a name it is called by what
  /// it asks.
  static bool may_be(const yaml::Node& item, const std::string& step) {
    if (const auto* name = item.find("name"); name != nullptr) {
      const auto fixed = name->text.substr(0, name->text.find("$("));
      return name->text == step || step.starts_with(name->text + " [") ||
             (fixed.size() < name->text.size() && step.starts_with(fixed));
    }
    return std::any_of(item.entries.begin(), item.entries.end(), [&](const yaml::Entry& one) {
      return !one.value.text.empty() && step.find(one.value.text) != std::string::npos;
    });
  }

  std::string name_, text_;
  std::optional<yaml::Node> root_;
  bool guessed_ = true;
};

/// Who needs it, in words; "" when nobody does.
std::string needed_by(const Look& look, const checks::SuitePlan& wanted, const checks::Filter& filter) {
  for (const auto& step : filter.only)
    if (look.may_have(step)) return fmt::format("'{}' may stand in it", step);
  for (const auto& suite : wanted.suites)
    if (std::find(suite.depends_on.begin(), suite.depends_on.end(), look.name()) != suite.depends_on.end())
      return fmt::format("suite '{}' in {} needs what it exports", suite.name, suite.file);
  return {};
}

constexpr base::Duration between_errors = std::chrono::minutes(1);

/// The first mistake with its place, and how many there are.
std::string first_mistake(const UnreadSuite& one) {
  const auto findings = one.found.sorted();
  const auto first = std::find_if(findings.begin(), findings.end(), [](const diag::Diagnostic& finding) {
    return finding.severity == diag::Severity::error;
  });
  if (first == findings.end()) return one.file;
  const auto& at = first->position;
  auto text = one.file;
  if (at.line > 0) text += fmt::format(":{}:{}", at.line, at.column);
  text += ": " + first->message;
  const auto all = one.found.count(diag::Severity::error);
  return all > 1 ? fmt::format("{}, and {} more", text, base::count_text(all - 1, "mistake")) : text;
}

checks::Suite stand_in(const UnreadSuite& one, const checks::SuitePlan& plan, bool all_are_wanted) {
  const Look look(one.file);
  checks::Suite suite;
  suite.file = one.file;
  suite.name = look.name();
  suite.name_guessed = look.guessed();
  if (std::any_of(plan.suites.begin(), plan.suites.end(),
                  [&](const checks::Suite& other) { return other.name == suite.name; }))
    suite.name = one.file;
  suite.unread = fmt::format("it is not watched, for its file is wrong: {}", first_mistake(one));
  suite.severity = checks::Severity::critical;
  // Without a schedule of its own it runs when one does that needs it, like any other.
  if (all_are_wanted || look.may_have_schedule()) suite.schedule = between_errors;
  suite.alert.after = 1;
  return suite;
}

}  // namespace

void put_stand_ins(checks::SuitePlan& plan, std::vector<UnreadSuite>& unread,
                   const std::function<bool(const std::string& file)>& may_be_left_out, bool all_are_wanted) {
  // What stands for a file is there for those that need it.
  auto whole = plan;
  for (const auto& one : unread) whole.suites.push_back(stand_in(one, whole, all_are_wanted));
  diag::Diagnostics together;
  checks::check_together(whole.suites, together,
                         all_are_wanted ? diag::Severity::error : diag::Severity::warning);
  std::map<std::string, diag::Diagnostics> wrong;
  for (const auto& finding : together.sorted())
    if (const auto& file = finding.position.file.text();
        finding.severity == diag::Severity::error && may_be_left_out(file))
      wrong[file].add(finding);
  std::erase_if(plan.suites, [&](const checks::Suite& one) { return wrong.count(one.file) > 0; });
  for (auto& [file, found] : wrong) unread.push_back({file, std::move(found)});
  for (const auto& one : unread) plan.suites.push_back(stand_in(one, plan, all_are_wanted));
}

void take_over(const diag::Diagnostics& found, diag::Diagnostics& into) {
  for (const auto& finding : found.sorted()) {
    into.add(finding);
    std::error_code none;
    if (const auto& file = finding.position.file; !file.empty() && fs::exists(file.text(), none)) try {
        into.sources().add(file.text(), read_text(file.text()));
      } catch (const FilesWrong&) {
        // It is told without its line.
      }
  }
}

void judge_unread(const std::vector<UnreadSuite>& unread, const checks::SuitePlan& wanted,
                  const checks::Filter& filter, diag::Diagnostics& diagnostics) {
  for (const auto& one : unread) {
    const auto why = needed_by(Look(one.file), wanted, filter);
    const auto findings = one.found.sorted();
    const auto first = std::find_if(findings.begin(), findings.end(), [](const diag::Diagnostic& finding) {
      return finding.severity == diag::Severity::error;
    });
    if (why.empty()) {
      diag::Diagnostics left_out;
      left_out.warning(first->position, fmt::format("this file is left out: {}", first->message), first->path,
                       "nothing of it is needed here; 'staithe validate' tells all that is wrong with it");
      take_over(left_out, diagnostics);
      continue;
    }
    take_over(one.found, diagnostics);
    diagnostics.error({one.file, 0, 0}, fmt::format("this suite cannot be read, and {}", why));
  }
}

}  // namespace staithe::cli
