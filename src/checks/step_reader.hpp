#pragma once
#include "kinds.hpp"
#include "names.hpp"

namespace staithe::checks {

/// What all steps of a suite share.
struct Frame {
  const Context& context;
  std::string suite;
  Severity severity = Severity::major;
  std::vector<std::string> tags;
  std::string target;
  const yaml::Node* defaults = nullptr;  ///< null for none
  std::vector<std::string> neighbours;
};

/// One of the things that a step is done for: a host, a case.
struct Instance {
  std::string label;  ///< "web1"; "" for none
  std::string host;
  std::vector<std::pair<std::string, std::string>> values;
  std::vector<std::pair<std::string, diag::Position>> cells{};  ///< where values of a table stand
  bool alone = false;  ///< its group has no other host: what is saved of it is there once

  /// Whose value it is that a step saves; "": there is one for all.
  const std::string& saves_for() const {
    static const std::string nobody;
    return alone ? nobody : host;
  }
};

/// Names stand in lines that terminals and CI servers read; a table with some of them is written by others.
bool is_on_one_line(std::string_view name);
inline constexpr const char* not_on_one_line = "a name is one line, without tabs and control characters";

/// What a step without a name is called: its title on one line, for it stands in reports, in commands to
/// repeat and in the history; without `secrets` and what else is written out in it though it is one.
std::string name_made_of(const Request& request, std::vector<std::string> secrets);

/// What a step saves: the value of its `save`, or of a key that looks like a misspelt `save`, which is
/// reported elsewhere; null for none.
const yaml::Node* saves_of(const yaml::Node& step);

/// The hosts that `each` of a step names; one without a label when it says nothing. None, with a warning,
/// where all that are left of the group are spared: the step is left out.
std::vector<Instance> instances_of(const yaml::Reader& item, const Frame& frame);

/// Reads a step for one instance. What it saves is declared in `names`. Mistakes are findings, the same for
/// every instance.
std::optional<Check> read_step(const yaml::Reader& item, Part part, const Instance& instance,
                               const Frame& frame, Names& names);

/// The expectations of a mapping, or of the short form, which is about the kind's main subject.
std::vector<Expectation> read_expectations(const yaml::Reader& reader, const Kind& kind, const Names& names);

/// What is expected of a sample must be said of the one that the step takes; else that is a finding.
void check_sample(const Check& check, const yaml::Reader& step);

/// A time that something may take, as it was read: none at all is a mistake.
std::optional<base::Duration> read_patience(const yaml::Reader& reader, const Names& names,
                                            const std::optional<base::Duration>& patience);

/// "env NAME", "file PATH", "command …".
std::optional<plan::SecretRef> read_secret(const yaml::Reader& reader);

}  // namespace staithe::checks
