#include "staithe/checks/suite.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::checks {
namespace {

const Suite* find(const std::vector<Suite>& suites, const std::string& name) {
  const auto found =
      std::find_if(suites.begin(), suites.end(), [&](const Suite& one) { return one.name == name; });
  return found == suites.end() ? nullptr : &*found;
}

bool reaches(const std::vector<Suite>& suites, const Suite& from, const std::string& name,
             std::size_t depth) {
  if (depth > suites.size()) return false;
  return std::any_of(from.depends_on.begin(), from.depends_on.end(), [&](const std::string& next) {
    if (next == name) return true;
    const auto* suite = find(suites, next);
    return suite != nullptr && reaches(suites, *suite, name, depth + 1);
  });
}

void check_use(const Suite& suite, const std::vector<Suite>& suites, diag::Diagnostics& diagnostics) {
  for (const auto& [name, text] : suite.use)
    for (const auto& piece : text.pieces()) {
      const auto* capture = std::get_if<plan::CaptureRef>(&piece);
      if (capture == nullptr) continue;
      const auto dot = capture->name.find('.');
      const auto* other = find(suites, capture->name.substr(0, dot));
      if (other == nullptr || dot == std::string::npos || !other->unread.empty()) continue;
      const auto value = capture->name.substr(dot + 1);
      if (std::find(other->exports.begin(), other->exports.end(), value) == other->exports.end())
        diagnostics.error({suite.file, 0, 0},
                          fmt::format("suite '{}' does not export '{}'", other->name, value), "use." + name);
    }
}

}  // namespace

void check_together(const std::vector<Suite>& suites, diag::Diagnostics& diagnostics,
                    diag::Severity lacking) {
  for (std::size_t i = 0; i < suites.size(); ++i) {
    const auto& suite = suites[i];
    for (std::size_t j = 0; j < i; ++j)
      if (suites[j].name == suite.name)
        diagnostics.error({suite.file, 0, 0}, fmt::format("another suite is called '{}' too", suite.name), "",
                          "it stands in " + suites[j].file);
    if (reaches(suites, suite, suite.name, 0))
      diagnostics.error({suite.file, 0, 0}, fmt::format("suite '{}' depends on itself", suite.name),
                        "depends_on");
    for (const auto& name : suite.depends_on) {
      if (find(suites, name) != nullptr) continue;
      diag::Diagnostic finding;
      finding.severity = lacking;
      finding.position = {suite.file, 0, 0};
      finding.path = "depends_on";
      finding.message =
          fmt::format("suite '{}' needs '{}', which is not among those that run", suite.name, name);
      finding.help = fmt::format("its checks are skipped as blocked where there is no suite '{}'", name);
      diagnostics.add(std::move(finding));
    }
    check_use(suite, suites, diagnostics);
  }
}

}  // namespace staithe::checks
