#include "unread_suites.hpp"

#include "project.hpp"

#include "staithe/base/count_text.hpp"
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
    const auto* declared = root_ ? root_->find("suite") : nullptr;
    if (declared != nullptr && !declared->text.empty()) name_ = declared->text;
  }

  const std::string& name() const { return name_; }

  /// Where nothing can be told apart, whether the name stands there at all.
  bool may_have(const std::string& step) const {
    const auto* steps = root_ ? root_->find("steps") : nullptr;
    if (steps == nullptr || steps->kind != yaml::Kind::list) return text_.find(step) != std::string::npos;
    return std::any_of(steps->items.begin(), steps->items.end(),
                       [&](const yaml::Node& one) { return may_be(one, step); });
  }

 private:
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

checks::Suite stand_in(const UnreadSuite& one, const checks::SuitePlan& plan) {
  checks::Suite suite;
  suite.file = one.file;
  suite.name = Look(one.file).name();
  if (std::any_of(plan.suites.begin(), plan.suites.end(),
                  [&](const checks::Suite& other) { return other.name == suite.name; }))
    suite.name = one.file;
  suite.unread = fmt::format("it is not watched, for its file is wrong: {}", first_mistake(one));
  suite.severity = checks::Severity::critical;
  suite.schedule = between_errors;
  suite.alert.after = 1;
  return suite;
}

}  // namespace

void put_stand_ins(checks::SuitePlan& plan, std::vector<UnreadSuite>& unread,
                   const std::function<bool(const std::string& file)>& may_be_left_out) {
  diag::Diagnostics together;
  checks::check_together(plan.suites, together);
  std::map<std::string, diag::Diagnostics> wrong;
  for (const auto& finding : together.sorted())
    if (const auto& file = finding.position.file.text();
        finding.severity == diag::Severity::error && may_be_left_out(file))
      wrong[file].add(finding);
  std::erase_if(plan.suites, [&](const checks::Suite& one) { return wrong.count(one.file) > 0; });
  for (auto& [file, found] : wrong) unread.push_back({file, std::move(found)});
  for (const auto& one : unread) plan.suites.push_back(stand_in(one, plan));
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
