#pragma once
#include "staithe/playbook/project.hpp"
#include "staithe/steps/step.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::playbook {

/// `strategy:` as far as the playbook says it.
struct StrategyEntry {
  plan::Strategy strategy;
  plan::Amount min_available{1, false};
  std::optional<yaml::Located<yaml::Amount>> min_available_said{};  ///< where the file says it
};

/// A playbook as typed values. Movable only: it owns its steps.
struct Playbook {
  std::string path;       ///< as it was named; "" for the built-in one
  std::string directory;  ///< what relative paths in it start from
  std::string text;
  std::string title;
  std::optional<Text> service;
  std::optional<Text> hosts;
  VariableEntries vars;
  std::vector<SecretEntry> secrets;
  StrategyEntry strategy;
  std::vector<steps::ParsedStep> before, stage, prepare, each, after;

  const std::vector<steps::ParsedStep>& section(steps::Place place) const;
  /// Whether any section has a step of that kind.
  bool uses(std::string_view kind) const;
};

/// Reads a playbook; as load_project does with mistakes. What is wrong whatever the project is (a drain
/// without restore, a step that has no effect) is found here.
std::optional<Playbook> load_playbook(const std::string& path, const std::string& text,
                                      diag::Diagnostics& diagnostics);

/// The text of the deploy playbook that is used when a project has none of its own.
std::string_view default_playbook_text();
Playbook default_playbook();

}  // namespace staithe::playbook
