#include "fields.hpp"
#include "kinds.hpp"

#include <fmt/format.h>

namespace staithe::steps {
namespace {

constexpr std::array before_any_host{Place::before, Place::prepare};

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
  }

  bool needs_host() const override { return false; }

  void lower(Lowering& at, Lowered& out) const override {
    plan::RequireRehearsal effect;
    effect.environment = at.plain(environment_);
    effect.snapshot_at_most = snapshot_at_most_;
    effect.command = "staithe stage rehearse -e " + effect.environment;
    for (const auto& pattern : migrations_) add_files(at, pattern, effect);
    if (at.failed()) return;
    const std::string title = fmt::format("rehearsed: {} {}", effect.files.size(),
                                          effect.files.size() == 1 ? "migration" : "migrations");
    out.actions.push_back(at.single(std::move(effect), title, std::chrono::seconds(30)));
  }

 private:
  static void add_files(Lowering& at, const Template& pattern, plan::RequireRehearsal& effect) {
    const std::string path = at.local_path(pattern);
    if (at.failed()) return;
    effect.command += " " + pattern.value;
    std::size_t added = 0;
    for (const auto& file : at.site().files->matching(path)) {
      if (file.ends_with(".down.sql")) continue;  // these belong to the others
      std::string why;
      const auto sum = at.site().files->sha256(file, why);
      if (!sum) return at.error(pattern, "cannot read the migration: " + why);
      effect.files.push_back({std::string(plan::file_name(file)), *sum});
      ++added;
    }
    if (added == 0)
      at.error(pattern, "no file is meant by '" + path + "'", "it starts from the directory of staithe.yml");
  }

  std::vector<Template> migrations_;
  Template environment_;
  base::Duration snapshot_at_most_{0};
};

}  // namespace

const Kind rehearsed_kind{
    "rehearsed",
    "goes on only with migrations that were rehearsed",
    R"yaml(- rehearsed: {migrations: migrations/*.sql, environment: staging, snapshot_at_most: 7d}
)yaml",
    R"(Refuses the deploy, with exit code 4 and the command that rehearses them, unless the last 'staithe stage rehearse'
of exactly these files, in this order, ended without a finding that fails it. The checksums of the files stand in
the plan. Put it in front of the step that migrates.

migrations        the files, or patterns of the shell that mean them, from the directory of staithe.yml, in the order
                  of their bytes; files that end in .down.sql are left out
environment       the one in which they are rehearsed; it must keep its state in the same place as this one
snapshot_at_most  the oldest that the snapshot may be today, 7d for a week; any age unless said otherwise
timeout           30s unless said otherwise)",
    "",
    Kind::Role::plain,
    before_any_host,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<Rehearsed>(fields); }};

}  // namespace staithe::steps
