#pragma once
#include "staithe/diag/diagnostic.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/steps/substitute.hpp"
#include "staithe/yaml/reader.hpp"

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The kinds of steps: an open set. Each parses one mapping and is lowered to a plan's actions.
namespace staithe::steps {

/// A text as its author wrote it, with `$(…)` in it, and where.
using Template = yaml::Located<std::string>;

/// The sections of a playbook.
enum class Place {
  before,   ///< once, before anything
  stage,    ///< every host in parallel; nothing live changes
  prepare,  ///< once, when all hosts are staged
  each,     ///< host by host
  after,    ///< once, at the end
};
std::string_view name_of(Place place) noexcept;

/// What every step may say besides its own keys.
struct Common {
  std::string name;
  std::optional<base::Duration> timeout;
  std::optional<std::uint32_t> attempts;  ///< at least 1; none: as is usual for the kind
  base::Duration retry_every{3'000};
  std::optional<Template> only;  ///< a selection: the hosts that this step is for
  std::optional<Template> on;    ///< in a section that runs once: the host to do it on
};

/// What the steps of a deploy need to know of the service and the release, for one host.
struct Release {
  std::string service;
  std::string repository;
  std::string path;  ///< on the host: releases/<id>, shared/, current -> releases/<id>
  std::string sha;
  std::string id;  ///< first 12 digits of sha
  std::vector<std::string> shared;
  std::uint32_t keep = 5;
  std::uint64_t min_free_bytes = 0;
  bool goes_back = false;  ///< a rollback: what it replaces is no release to go back to later

  std::string directory() const { return path + "/releases/" + id; }
};

/// How files beside the playbook are read while a plan is made. `why` says what went wrong.
struct Files {
  std::function<std::optional<std::string>(const std::string& path, std::string& why)> text;
  std::function<std::optional<std::string>(const std::string& path, std::string& why)> sha256;
  /// Regular files that a pattern of the shell means, sorted by their bytes.
  std::function<std::vector<std::string>(const std::string& pattern)> matching = {};
  /// The same of a commit, with their sums: from the root of the repository, names without directories,
  /// sorted by their paths' bytes. A commit holds the same files for ever, so a plan stays a function of what
  /// it was made from. Without it, and for a commit that nobody has resolved, nobody looks.
  std::function<std::optional<std::vector<plan::FileSum>>(
      const std::string& repository, const std::string& sha, const std::string& pattern, std::string& why)>
      in_commit = {};
  /// Why there is no suite of checks of that name, as a step says it; "" when there is one. `help` says which
  /// there are. Without it nobody looks.
  std::function<std::string(const std::string& name, std::string& help)> lacks_suite = {};
  /// Told of each step that asks a suite, with what in it chooses the checks: whether any is left is known
  /// only once the suite is read for the whole plan. May be empty.
  std::function<void(const plan::CheckSuite& check, const Template& choice)> asks_suite = {};
};

/// What a step became. Ids are given later, when all of a plan is known.
struct Lowered {
  std::vector<plan::Action> actions;
  std::vector<plan::Action> undo;    ///< of an opening step: gives back; of others: the author's own undo
  std::vector<plan::Action> repair;  ///< done again, in order, to bring the previous release back
};

/// Where a step is lowered.
struct Site {
  Place place = Place::each;
  std::string host;  ///< "" for this machine
  Variables* variables = nullptr;
  const Release* release = nullptr;  ///< null without a service or a repository
  const Files* files = nullptr;
  std::string directory;  ///< what relative paths on this machine start from; "" for the working directory
  diag::Diagnostics* diagnostics = nullptr;
  plan::Amount min_available{1, false};
  std::vector<plan::Text> notify_urls;
  bool in_rotation = true;  ///< the host stands for servers on a balancer
};

struct ParsedStep;

/// Expands texts for one site and makes actions; mistakes become findings and empty results.
class Lowering {
 public:
  Lowering(const Site& site, const ParsedStep& step) : site_(site), step_(step) {}

  const Site& site() const { return site_; }
  const std::string& host() const { return site_.host; }
  /// Where the step stands.
  const diag::Position& position() const;
  const std::string& path() const;

  /// What cannot be expanded is a finding; then the text is empty, the script too, and the others are
  /// nothing. Each is judged by itself: what else is wrong with the step is to be said at the same time.
  plan::Text text(const Template& text);
  std::optional<std::string> plain(const Template& text);
  Script shell(const Template& text);
  /// A file of this machine, as seen from the working directory.
  std::optional<std::string> local_path(const Template& text);
  /// The service and release; without one a finding is made and an empty release comes back.
  const Release& release();

  /// An action of this step; the step's own timeout and retry win over `timeout` and `usual_attempts`.
  plan::Action action(plan::Effect effect, std::string title, base::Duration timeout,
                      std::uint32_t usual_attempts = 1) const;
  /// The same for an action that must not be tried again.
  plan::Action single(plan::Effect effect, std::string title, base::Duration timeout) const;

  /// From here on `$(name)` is what the step will have captured.
  void declare_capture(const Template& name);

  void error(const Template& where, std::string message, std::string help = {});
  void error(std::string message, std::string help = {});
  void warning(const Template& where, std::string message, std::string help = {});
  /// No action can come of the step, and why has been said.
  void give_up() { failed_ = true; }
  bool failed() const { return failed_; }

 private:
  void add(diag::Severity severity, const Template& where, std::string message, std::string help,
           const diag::Position& cause = {});
  void report(const Template& where, const std::vector<Problem>& problems);
  Source source_of(const Template& text) const;
  std::string said_by(const Template& text) const;
  static Template in_file(const Template& where, const Source& source);

  const Site& site_;
  const ParsedStep& step_;
  bool failed_ = false;
};

/// One parsed step: what it says, independent of hosts.
class Step {
 public:
  virtual ~Step() = default;
  /// Whether it is done on a host; else on this machine.
  virtual bool needs_host() const { return true; }
  /// The name under which later steps have what it captures; "" for none.
  virtual std::string captures() const { return {}; }
  virtual void lower(Lowering& at, Lowered& out) const = 0;
};

class Fields;

/// One entry of the registry.
struct Kind {
  enum class Role { plain, opens, closes };
  std::string_view name;
  std::string_view summary;   ///< one line, for help
  std::string_view example;   ///< YAML: a list of steps
  std::string_view manual;    ///< its section of staithe-playbook(5), plain text
  std::string_view main_key;  ///< the key that the scalar form gives, "" when there is none
  Role role = Role::plain;
  std::span<const Place> places;  ///< where it may stand
  std::unique_ptr<Step> (*parse)(Fields& fields) = nullptr;
};

std::span<const Kind> kinds();
const Kind* find_kind(std::string_view name);

struct ParsedStep {
  const Kind* kind = nullptr;
  Common common;
  diag::Position position;
  std::uint32_t length = 1;
  std::string path;
  std::unique_ptr<Step> step;
};

/// Reads one item of a section. Mistakes become findings; nothing comes back when the kind is unknown.
std::optional<ParsedStep> parse_step(const yaml::Reader& item, Place place);
/// The kind that an item is, or was probably meant as where parse_step() knows none; nullptr when nothing is
/// near. Makes no finding.
const Kind* kind_meant(const yaml::Reader& item);

/// Lowers a step for one site. Empty when a finding was made.
std::optional<Lowered> lower(const ParsedStep& step, const Site& site);

}  // namespace staithe::steps
