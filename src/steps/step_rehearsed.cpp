#include "fields.hpp"
#include "kinds.hpp"

#include "staithe/base/text.hpp"
#include "staithe/terms/read.hpp"

#include <fmt/format.h>

namespace staithe::steps {
namespace {

constexpr std::array before_any_host{Place::before, Place::prepare};

/// Where the files are looked for.
enum class From { release, project };

class Rehearsed final : public Step {
 public:
  explicit Rehearsed(Fields& fields) {
    if (const auto value = fields.map().value("migrations", yaml::Need::required)) {
      if (value->node().kind == yaml::Kind::scalar)
        migrations_.push_back(value->located(value->text().value_or("")));
      else if (auto several = value->texts())
        migrations_ = std::move(*several);
    }
    if (auto environment = fields.text("environment", yaml::Need::required)) environment_ = *environment;
    if (auto most = fields.map().duration("snapshot_at_most")) snapshot_at_most_ = most->value;
    if (auto command = fields.text("command")) command_ = *command;
    read_from(fields);
    if (auto budgets = fields.map().mapping("budgets")) terms::read_budgets(*budgets, terms_.budgets);
    read_passes(fields);
    if (auto accepted = fields.map().mapping("accept")) terms::read_accepted(*accepted, terms_.accepted);
    if (auto offline = fields.map().boolean("offline")) terms_.asked = !offline->value;
  }

  bool needs_host() const override { return false; }

  void lower(Lowering& at, Lowered& out) const override {
    plan::RequireRehearsal effect;
    effect.environment = at.plain(environment_).value_or("");
    effect.snapshot_at_most = snapshot_at_most_;
    effect.terms = terms_;
    if (command_) effect.terms.command = at.plain(*command_).value_or("");
    effect.rehearse = "staithe stage rehearse -e " + effect.environment;
    if (!effect.terms.command.empty())
      effect.rehearse += " --command " + base::shell_quote(effect.terms.command);
    const bool of_release = from_.value_or(From::release) == From::release && at.site().release != nullptr;
    if (from_ == From::release && !of_release)
      return at.error(environment_, "this playbook brings no release whose files could be looked up",
                      "a service with its repository, and a playbook that brings a release");
    for (const auto& pattern : migrations_)
      if (of_release)
        add_of_release(at, pattern, effect);
      else
        add_files(at, pattern, effect);
    if (at.failed()) return;
    const std::string title = fmt::format("rehearsed: {} {}", effect.files.size(),
                                          effect.files.size() == 1 ? "migration" : "migrations");
    out.actions.push_back(at.single(std::move(effect), title, std::chrono::seconds(30)));
  }

 private:
  void read_from(Fields& fields) {
    const auto from = fields.text("from");
    if (!from) return;
    if (from->value == "release")
      from_ = From::release;
    else if (from->value == "project")
      from_ = From::project;
    else
      fields.error("'from' is release or project, not '" + from->value + "'");
  }

  void read_passes(Fields& fields) {
    bool is_open = !command_;  // for a command there is no such pass
    if (fields.has("passes")) {
      terms_.load = is_open = false;
      for (const auto& pass : fields.map().texts("passes")) {
        if (pass.value == "load")
          terms_.load = true;
        else if (pass.value == "open_transaction" && !command_)
          is_open = true;
        else
          fields.error(
              fmt::format("a pass is load{}, not '{}'", command_ ? "" : " or open_transaction", pass.value));
      }
    }
    const auto open_for = fields.map().duration("open_transaction");
    if (open_for && !is_open)
      fields.error("'open_transaction' says how long one is open, and no pass with one is asked for");
    if (open_for) terms_.open_for = open_for->value;
    if (!is_open) terms_.open_for = base::Duration{0};
  }

  static void add_files(Lowering& at, const Template& pattern, plan::RequireRehearsal& effect) {
    const auto path = at.local_path(pattern);
    if (!path) return;
    effect.rehearse += " " + pattern.value;
    std::size_t added = 0;
    for (const auto& file : at.site().files->matching(*path)) {
      if (file.ends_with(down_suffix)) continue;  // these belong to the others
      std::string why;
      const auto sum = at.site().files->sha256(file, why);
      if (!sum) return at.error(pattern, "cannot read the migration: " + why);
      effect.files.push_back({std::string(plan::file_name(file)), *sum});
      ++added;
    }
    if (added == 0)
      at.error(pattern, "no file matches '" + *path + "'", "it starts from the directory of staithe.yml");
  }

  /// What will be deployed counts, whatever lies about on this machine.
  static void add_of_release(Lowering& at, const Template& pattern, plan::RequireRehearsal& effect) {
    const auto& release = *at.site().release;
    const auto path = at.plain(pattern);
    if (!path) return;
    effect.rehearse += " " + pattern.value;
    effect.sha = release.sha;
    if (!at.site().files->in_commit) return;
    std::string why;
    const auto found = at.site().files->in_commit(release.repository, release.sha, *path, why);
    if (!found) return at.error(pattern, "cannot read the migrations of " + release.id + ": " + why);
    std::size_t added = 0;
    for (const auto& file : *found) {
      if (file.name.ends_with(down_suffix)) continue;
      effect.files.push_back(file);
      ++added;
    }
    if (added == 0)
      at.error(pattern, fmt::format("commit {} has no file '{}'", release.id, *path),
               "it starts from the root of the repository; 'from: project' means files beside staithe.yml");
  }

  static constexpr std::string_view down_suffix = ".down.sql";

  std::vector<Template> migrations_;
  Template environment_;
  std::optional<Template> command_;
  std::optional<From> from_;
  plan::RehearsalTerms terms_;
  base::Duration snapshot_at_most_{0};
};

}  // namespace

const Kind rehearsed_kind{
    "rehearsed",
    "goes on only with migrations that were rehearsed",
    R"yaml(- rehearsed: {migrations: migrations/*.sql, environment: staging, snapshot_at_most: 7d}
)yaml",
    R"(Refuses the deploy, with exit code 4 and the command that rehearses them, unless the last 'staithe stage rehearse'
of exactly these files, in this order, ended without a finding that fails it, and asked for no less than is given
here. The plan holds the checksums of the files. Put it before the step that migrates.

migrations        the files, or shell patterns that match them, in the order of their bytes; files that end in
                  .down.sql are left out
from              release: the files of the commit that is deployed, relative to the root of its repository; project:
                  those on this machine, relative to the directory of staithe.yml. The default is release where one is
                  deployed. From a repository on another machine all files of that commit are fetched, however large,
                  and none of its history
environment       the one in which they are rehearsed; it must keep its state in the same place as this one
snapshot_at_most  the oldest that the snapshot may be today, 7d for a week; any age unless said otherwise
command           what migrates, as --command of the rehearsal had it; files that are applied as they are unless said
                  otherwise
budgets           blocking (1s unless said otherwise), total, rewrite_rows, wal_bytes: the most that the rehearsal may
                  have allowed
passes            those that must have been made, of load and open_transaction; both unless said otherwise. A command
                  is not rehearsed with an open transaction. A pass that was skipped, because there was no workload
                  for it, was not made
open_transaction  the least time that a transaction must have been open in that pass, 2s unless said otherwise
offline           true: it will do when production was not asked for its size and its statements
accept            partial: [TABLES], masked: [COLUMNS]: what the rehearsal may have been declared to do without
timeout           30s unless said otherwise)",
    "",
    Kind::Role::plain,
    before_any_host,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<Rehearsed>(fields); }};

}  // namespace staithe::steps
