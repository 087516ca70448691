#include "fields.hpp"
#include "kinds.hpp"
#include "probe_fields.hpp"

namespace staithe::steps {
namespace {

class NotifyStep final : public Step {
 public:
  explicit NotifyStep(Fields& fields) : url_(fields.text("url")) {
    if (auto text = fields.main()) text_ = std::move(*text);
  }

  bool needs_host() const override { return false; }

  void lower(Lowering& at, Lowered& out) const override {
    std::vector<plan::Text> urls = at.site().notify_urls;
    if (url_) {
      urls = {at.text(*url_)};
      check_http_url(at, *url_, urls.front());
    }
    if (urls.empty()) {
      return at.error("there is nobody to notify",
                      "add 'notify: [slack env SLACK_WEBHOOK]' to the environment, or a 'url'");
    }
    const std::string text = at.plain(text_).value_or("");
    for (plan::Text& url : urls) {
      out.actions.push_back(at.action(plan::Notify{std::move(url), text}, text, std::chrono::seconds(10)));
    }
  }

 private:
  Template text_;
  std::optional<Template> url_;
};

}  // namespace

const Kind notify_kind{
    "notify",
    "posts a message to a Slack-compatible webhook",
    R"yaml(- notify: $(service) $(ref) is live on $(environment)
- notify: {text: "starting $(sha)", url: $(secret.webhook)}
)yaml",
    R"(Posts {"text": …} to the webhooks of the environment's 'notify', or to 'url'. Without any step, they
are also told when a run does not end well.

text     the short form 'notify: TEXT' is the same
url      another webhook, usually a secret
timeout  10s unless said otherwise)",
    "text",
    Kind::Role::plain,
    every_place,
    [](Fields& fields) -> std::unique_ptr<Step> { return std::make_unique<NotifyStep>(fields); }};

}  // namespace staithe::steps
