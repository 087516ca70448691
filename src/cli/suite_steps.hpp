#pragma once
#include "checking.hpp"

#include "staithe/steps/step.hpp"

#include <map>
#include <string>
#include <vector>

/// Suites of checks that are steps of a plan.
namespace staithe::cli {

/// A suite as a step names it: a file is looked for beside staithe.yml, as all that a playbook names.
std::string suite_of_step(const std::string& directory, const std::string& name);

/// Where steps say which checks of a suite they want, by what they say.
using SuiteChoices = std::map<std::string, steps::Template>;

/// Files of this machine, and the suites of a project. `choices` is filled while a plan is made with them.
steps::Files files_beside(const Loaded& loaded, SuiteChoices* choices = nullptr);

/// The plan with what its suites ask in it: their requests, and the ids of their own plans, so that the id of
/// the whole changes when one of them does. Throws FilesWrong once the findings are printed.
plan::Plan with_suites(App& app, const Loaded& loaded, plan::Plan plan, const SuiteChoices& choices);

/// Finds the mistakes in suites that a plan would run, and puts what secrets they need into it; `loaded` has
/// an environment. Adds to its diagnostics.
void validate_suites(App& app, Loaded& loaded, plan::Plan& plan, const SuiteChoices& choices);

/// How this program runs a suite of the same project, whatever directory it is started in.
std::vector<std::string> check_command(const App& app);

}  // namespace staithe::cli
