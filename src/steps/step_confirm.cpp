#include "fields.hpp"
#include "kinds.hpp"

namespace staithe::steps {
namespace {

class ConfirmStep final : public Step {
 public:
  explicit ConfirmStep(Fields& fields) {
    if (auto question = fields.main()) question_ = std::move(*question);
  }

  bool needs_host() const override { return false; }

  void lower(Lowering& at, Lowered& out) const override {
    plan::Confirm effect{at.plain(question_).value_or("")};
    const std::string title = effect.question;
    out.actions.push_back(at.single(std::move(effect), title, std::chrono::hours(1)));
  }

 private:
  Template question_;
};

}  // namespace

const Kind confirm_kind{
    "confirm",
    "waits for a person's yes",
    R"yaml(- confirm: Does the canary look well?
)yaml",
    R"(Asks on the terminal. Without a terminal only --yes answers; else the run is refused before anything is changed.
Under 'each' it asks for every host.

question  the short form 'confirm: QUESTION' is the same
timeout   1h unless said otherwise; no answer is a no)",
    "question",
    Kind::Role::plain,
    every_place,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<ConfirmStep>(fields); }};

}  // namespace staithe::steps
