#include "file_fields.hpp"
#include "kinds.hpp"

#include <algorithm>

namespace staithe::steps {
namespace {

class TemplateStep final : public Step {
 public:
  explicit TemplateStep(Fields& fields) : to_(fields) {
    const auto which = fields.map().one_of({"from", "content"});
    if (!which) return;
    is_file_ = *which == "from";
    if (auto text = fields.text(*which, yaml::Need::required)) text_ = std::move(*text);
  }

  void lower(Lowering& at, Lowered& out) const override {
    plan::UploadFile effect = to_.effect(at);
    effect.content = is_file_ ? from_file(at) : at.text(text_);
    if (at.failed()) return;
    const std::string title =
        (is_file_ ? at.plain(text_).value() : std::string("text")) + " to " + effect.path;
    out.actions.push_back(FileFields::action(at, std::move(effect), title, std::chrono::minutes(1)));
  }

 private:
  plan::Text from_file(Lowering& at) const {
    const auto path = text_.value.empty() ? std::nullopt : at.local_path(text_);
    if (!path) return {};
    std::string why;
    const auto content = at.site().files->text(*path, why);
    if (!content) {
      at.error(text_, why);
      return {};
    }
    std::vector<Problem> problems;
    const auto result = expand_text(*content, *at.site().variables, problems);
    for (const Problem& problem : problems) {
      const auto lines =
          std::count(content->begin(), content->begin() + static_cast<std::ptrdiff_t>(problem.offset), '\n');
      auto message = *path + ":" + std::to_string(lines + 1) + ": " + problem.message;
      if (problem.is_warning)
        at.warning(text_, std::move(message), problem.help);
      else
        at.error(text_, std::move(message), problem.help);
    }
    if (!result) at.give_up();
    return result.value_or(plan::Text());
  }

  FileFields to_;
  Template text_;
  bool is_file_ = true;
};

}  // namespace

const Kind template_kind{
    "template",
    "writes a file on the host from a text with $(name) in it",
    R"yaml(- template: {from: etc/payments.conf.in, to: $(path)/shared/payments.conf, mode: "0640"}
- template: {content: "listen $(port)\n", to: /etc/payments/listen.conf}
)yaml",
    R"(Like 'upload', with every $(name) in the text replaced. Secrets and captured values may stand in it; they are
filled in when the file is written and appear in no plan. Nothing is quoted: it is a file, not a command. As with
'upload', a connection that breaks, or a timeout, costs another attempt, not the step.

from     a file on this machine, at most 1 MiB
content  the text itself, instead of 'from'
to       an absolute path on the host
mode     "0644" unless said otherwise; use "0600" for secrets
timeout  1m unless said otherwise)",
    "",
    Kind::Role::plain,
    every_place,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<TemplateStep>(fields); }};

}  // namespace staithe::steps
