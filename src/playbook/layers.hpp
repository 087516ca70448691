#pragma once
#include "staithe/playbook/make_plan.hpp"
#include "staithe/steps/variables.hpp"

#include <string>
#include <vector>

namespace staithe::playbook {

/// The layers of variables of one run, from which the variables of each host are made. Everything it is
/// given is referred to and must outlive it, the layers of --var-file excepted.
class Layers {
 public:
  Layers(const Project& project, const Environment& environment, const Service* service,
         const Playbook* playbook, const Request& request);

  /// Reads the variable files and judges --var. Findings are made once, here.
  void prepare(diag::Diagnostics& diagnostics);
  /// From here on `sha`, `release` and `release.path` are known.
  void set_release(const Refs& refs);

  /// What is known without a host: for steps on this machine.
  steps::Variables for_run() const;
  steps::Variables for_host(const Host& host) const;
  /// Of a host that only an inventory program knows, which was not asked.
  steps::Variables for_unknown_host() const;
  /// Whether any of the two has a variable of that name.
  bool declares(const std::string& name) const;

 private:
  steps::Variables make(const Host* host) const;
  void add_service(steps::Variables& variables) const;
  void add_groups(steps::Variables& variables, const Host& host) const;
  void add_own(steps::Variables& variables, const Host* host) const;
  bool is_mentioned(const std::string& name) const;
  void warn_of_slips(diag::Diagnostics& diagnostics) const;
  void check_var(const std::string& name, diag::Diagnostics& diagnostics) const;

  const Project& project_;
  const Environment& environment_;
  const Service* service_;
  const Playbook* playbook_;
  const Request& request_;
  std::vector<VariableEntries> files_;
  Refs refs_;
};

/// Id of a release: the first 12 digits of its commit.
std::string release_id(const std::string& sha);

/// Expands a text that is known when the plan is made; findings stand at the text.
std::optional<std::string> expand_plain(const Text& text, const steps::Variables& variables,
                                        diag::Diagnostics& diagnostics);

}  // namespace staithe::playbook
