#include "reading.hpp"

#include "staithe/base/origin.hpp"

#include <algorithm>

namespace staithe::playbook {
namespace {

constexpr std::string_view pagerduty_events = "https://events.pagerduty.com/v2/enqueue";
constexpr std::int64_t most_at_once = 64;
constexpr std::chrono::seconds shortest_reminder{10};

/// "slack env NAME", "pagerduty env NAME", or {pagerduty: env NAME, url: https://…}.
std::optional<AlertTarget> read_target(const yaml::Member& member) {
  using Kind = AlertTarget::Kind;
  AlertTarget target;
  target.name = member.key;
  target.url = pagerduty_events;
  std::optional<plan::SecretRef> secret;
  if (member.value.node().kind == yaml::Kind::map) {
    yaml::Mapping fields(member.value);
    if (const auto kind = fields.one_of({"slack", "pagerduty"})) {
      target.kind = *kind == "slack" ? Kind::slack : Kind::pagerduty;
      if (const auto text = fields.text(*kind)) secret = read_secret(*fields.value(*kind), text->value);
    }
    if (const auto url = fields.text("url")) {
      target.url = url->value;
      if (!target.url.starts_with("https://") && !target.url.starts_with("http://"))
        fields.error_at("url", "a URL begins with https://");
      else if (!base::http_place(target.url))
        fields.error_at("url", "this URL names no host");
      if (target.kind == Kind::slack)
        fields.error_at("url", "a Slack webhook's URL is its secret", "write 'slack: env NAME'");
    }
    fields.finish();
  } else if (const auto text = member.value.text()) {
    const auto blank = std::min(text->find(' '), text->size());
    const auto word = text->substr(0, blank);
    target.kind = word == "slack" ? Kind::slack : Kind::pagerduty;
    if (word == "slack" || word == "pagerduty")
      secret = parse_secret(std::string_view(*text).substr(std::min(blank + 1, text->size())));
    if (!secret)
      member.value.error(
          "'" + *text + "' is nobody to alert",
          "write 'slack env NAME' with the variable that holds the webhook, or 'pagerduty env NAME' "
          "with the one that holds the routing key");
  }
  if (!secret) return std::nullopt;
  target.secret = std::move(*secret);
  return target;
}

/// What 'notify' has is there for alerts too, under the name that suites give it.
void add_notify(const std::vector<plan::SecretRef>& notify, WatchSettings& settings) {
  const bool named = std::any_of(settings.alerts.begin(), settings.alerts.end(),
                                 [](const auto& one) { return one.name.value == "slack"; });
  if (notify.empty() || named) return;
  AlertTarget target;
  target.name.value = "slack";
  target.secret = notify.front();
  settings.alerts.push_back(std::move(target));
}

}  // namespace

WatchSettings read_watch(yaml::Mapping& map, const std::vector<plan::SecretRef>& notify) {
  WatchSettings settings;
  if (auto fields = map.mapping("watch")) {
    settings.listen = fields->text("listen");
    if (const auto token = fields->text("token"))
      settings.token = read_secret(*fields->value("token"), token->value);
    for (const auto& member : fields->map("alerts"))
      if (auto target = read_target(member)) settings.alerts.push_back(std::move(*target));
    if (const auto value = fields->value("remind"); value && value->node().text == "never")
      settings.remind = base::Duration{0};
    else if (const auto remind = value ? value->duration() : std::nullopt) {
      settings.remind = *remind;
      if (*remind < shortest_reminder) fields->error_at("remind", "nobody wants to be reminded that often");
    }
    if (const auto most = fields->integer("at_once", 1, most_at_once))
      settings.at_once = static_cast<std::uint32_t>(most->value);
    fields->finish();
  }
  add_notify(notify, settings);
  return settings;
}

}  // namespace staithe::playbook
