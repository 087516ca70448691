#include "names.hpp"

#include "staithe/base/origin.hpp"
#include "staithe/base/redact.hpp"
#include "staithe/checks/suite.hpp"
#include "staithe/plan/json_text.hpp"

#include <algorithm>
#include <map>
#include <string_view>
#include <type_traits>

/// The plan as JSON. Its bytes are what the plan's id is a hash of, and a suite may have thousands of checks:
/// so it is written as it goes, without a tree of it, and the keys of each object stand in the order of their
/// bytes.
namespace staithe::checks {
namespace {

class PlanJson {
 public:
  explicit PlanJson(const base::Redactor* hidden) : hidden_(hidden) {}

  std::string take() { return std::move(text_); }

  PlanJson& key(std::string_view name) {
    quoted(name);
    text_ += ':';
    fresh_ = true;
    return *this;
  }
  void value(std::string_view text) {
    if (hidden_ == nullptr) return quoted(text);
    quoted(hidden_->clean(text));
  }
  void value(const char* text) { value(std::string_view(text)); }
  void value(const std::string& text) { value(std::string_view(text)); }
  void value(const Text& text) { value(text.shown()); }
  void value(base::Duration span) { value(span.count()); }
  template <class Number>
  requires std::is_arithmetic_v<Number>
  void value(Number number) {
    lead();
    if constexpr (std::is_same_v<Number, bool>)
      text_ += number ? "true" : "false";
    else
      text_ += std::to_string(number);
  }
  void value(const Request& request);
  void value(const Expectation& one);
  void value(const Check& check);
  void value(const Suite& suite);
  template <class Item>
  void value(const std::vector<Item>& items) {
    open('[');
    for (const auto& item : items) value(item);
    close(']');
  }
  template <class Item>
  void value(const std::map<std::string, Item>& members) {
    object([&] {
      for (const auto& [name, one] : members) key(name).value(one);
    });
  }
  template <class Members>
  void object(Members members) {
    open('{');
    members();
    close('}');
  }
  /// What is as it is unless said otherwise is left out.
  template <class Some>
  void unless_empty(std::string_view name, const Some& some) {
    if (!some.empty()) key(name).value(some);
  }

 private:
  void quoted(std::string_view text) {
    lead();
    const bool plain = std::all_of(text.begin(), text.end(),
                                   [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
    if (plain)
      text_.append(1, '"').append(text).append(1, '"');
    else
      text_ += plan::json_string(text);
  }
  void lead() {
    if (!std::exchange(fresh_, false)) text_ += ',';
  }
  void open(char bracket) {
    lead();
    text_ += bracket;
    fresh_ = true;
  }
  void close(char bracket) {
    text_ += bracket;
    fresh_ = false;
  }

  void fields(const HttpRequest& one);
  void fields(const TlsRequest& one);
  void fields(const TcpRequest& one);
  void fields(const DnsRequest& one);
  void fields(const SqlRequest& one);
  void fields(const RunRequest& one);
  void fields(const HaproxyRequest& one);
  void fields(const CompareRequest& one);
  void fields(const PauseRequest& one);

  const base::Redactor* hidden_;
  std::string text_;
  bool fresh_ = true;  ///< nothing stands before what comes next
};

const char* name_of(HttpRequest::Auth auth) {
  return auth == HttpRequest::Auth::basic ? "basic" : auth == HttpRequest::Auth::bearer ? "bearer" : "none";
}
const char* name_of(HttpRequest::Encoding encoding) {
  return encoding == HttpRequest::Encoding::json   ? "json"
         : encoding == HttpRequest::Encoding::form ? "form"
                                                   : "raw";
}

void PlanJson::fields(const HttpRequest& one) {
  if (one.auth != HttpRequest::Auth::none)
    key("auth").object([&] {
      key("credentials").value(one.credentials);
      key("scheme").value(name_of(one.auth));
    });
  if (!one.body.empty())
    key("body").object([&] {
      key("encoding").value(name_of(one.encoding));
      key("text").value(one.body);
    });
  unless_empty("ca", one.ca_file);
  unless_empty("certificate", one.client_certificate);
  unless_empty("connect_to", one.connect_to);
  if (one.follow_redirects > 0) key("follow").value(one.follow_redirects);
  if (!one.headers.empty()) {
    key("headers").open('[');
    for (const auto& [name, text] : one.headers)
      object([&, &header = name, &content = text] {
        key("name").value(header);
        key("value").value(content);
      });
    close(']');
  }
  unless_empty("key", one.client_key);
  key("kind").value("http");
  key("method").value(one.method);
  unless_empty("proxy", one.proxy);
  if (!one.proxy_credentials.empty()) key("proxy_credentials").value(one.proxy_credentials);
  unless_empty("target", base::without_secret(one.target));
  key("url").value(shown_url(one.url));
}

void PlanJson::fields(const TlsRequest& one) {
  unless_empty("ca", one.ca_file);
  unless_empty("connect_to", one.connect_to);
  key("host").value(one.host);
  key("kind").value("tls");
  key("port").value(one.port);
  unless_empty("server_name", one.server_name);
}

void PlanJson::fields(const TcpRequest& one) {
  key("host").value(one.host);
  key("kind").value("tcp");
  key("port").value(one.port);
}

void PlanJson::fields(const DnsRequest& one) {
  key("kind").value("dns");
  key("name").value(one.name);
}

void PlanJson::fields(const SqlRequest& one) {
  unless_empty("args", one.arguments);
  key("connection").value(one.connection);
  key("kind").value("sql");
  key("query").value(one.query);
}

void PlanJson::fields(const RunRequest& one) {
  std::map<std::string, Text> environment;
  for (const auto& input : one.inputs) environment[input.variable] = input.value;
  key("command").value(one.command);
  unless_empty("env", environment);
  unless_empty("host", one.host);
  key("kind").value("run");
}

void PlanJson::fields(const HaproxyRequest& one) {
  key("backend").value(one.backend);
  unless_empty("balancers", one.balancers);
  key("kind").value("haproxy");
}

void PlanJson::fields(const CompareRequest& one) {
  key("ignore_newer_than_ms").value(one.allowance);
  key("key").value(one.key);
  key("kind").value("compare");
  key("left").object([&] { fields(one.left); });
  key("right").object([&] { fields(one.right); });
}

void PlanJson::fields(const PauseRequest& one) {
  key("for_ms").value(one.duration);
  key("kind").value("wait");
}

/// All that makes a request what it is: two requests that ask differently are written differently.
void PlanJson::value(const Request& request) {
  object([&] { std::visit([this](const auto& one) { fields(one); }, request); });
}

void PlanJson::value(const Expectation& one) {
  object([&] {
    key("subject").value(one.subject);
    key("wanted").value(one.wanted);
  });
}

void PlanJson::value(const Check& check) {
  object([&] {
    key("expect").value(check.expect);
    key("key").value(check.key);
    key("line").value(check.position.line);
    key("name").value(check.name);
    if (check.go_on) key("on_fail").value("continue");
    if (check.quarantine)
      key("quarantine").object([&] {
        key("owner").value(check.quarantine->owner);
        key("reason").value(check.quarantine->reason);
        key("until").value(check.quarantine->until);
      });
    key("request").value(check.request);
    if (check.retries > 0)
      key("retry").object([&] {
        key("after_ms").value(check.retry_after);
        key("times").value(check.retries);
      });
    if (check.sample > 1) key("sample").value(check.sample);
    std::map<std::string, std::string> save;
    for (const auto& saved : check.save) save[saved.name] = saved.subject;
    unless_empty("save", save);
    key("severity").value(name_of(check.severity));
    key("tags").value(check.tags);
    key("timeout_ms").value(check.timeout);
    key("title").value(title_of(check.request));
    std::map<std::string_view, const Tolerance*> tolerate;
    for (const auto& one : check.tolerate) tolerate[one.neighbour] = &one;
    if (!tolerate.empty())
      key("tolerate").object([&] {
        for (const auto& [neighbour, one] : tolerate)
          key(neighbour).object([&, &tolerance = *one] {
            key("evidence").value(tolerance.evidence);
            key("expect").value(tolerance.expect);
            key("probe").value(tolerance.probe);
          });
      });
    if (!check.undo.empty()) key("undo").value(check.undo.back());
    if (!check.until.empty())
      key("until").object([&] {
        key("every_ms").value(check.every);
        key("expect").value(check.until);
        key("for_ms").value(check.within);
        key("give_up_if").value(check.give_up_if);
      });
    unless_empty("warn", check.warn);
  });
}

void PlanJson::value(const Suite& suite) {
  object([&] {
    key("about").value(suite.about);
    key("budget_ms").value(suite.budget);
    key("cleanup").value(suite.cleanup);
    key("cleanup_budget_ms").value(suite.cleanup_budget);
    key("depends_on").value(suite.depends_on);
    key("export").value(suite.exports);
    key("name").value(suite.name);
    std::map<std::string_view, const Neighbour*> neighbours;
    for (const auto& one : suite.neighbours)
      if (one.probe) neighbours[one.name] = &one;
    if (!neighbours.empty())
      key("neighbours").object([&] {
        for (const auto& [name, one] : neighbours)
          key(name).object([&, &neighbour = *one] {
            key("patience_ms").value(neighbour.patience);
            key("probe").value(*neighbour.probe);
          });
      });
    key("owner").value(suite.owner);
    key("setup").value(suite.setup);
    key("severity").value(name_of(suite.severity));
    key("steps").value(suite.steps);
    if (suite.sweep)
      key("sweep").object([&] {
        key("each").value(suite.sweep->each);
        key("list").value(suite.sweep->list);
        key("older_than_ms").value(suite.sweep->older_than);
      });
    key("tags").value(suite.tags);
    key("target").value(base::without_secret(suite.target));
    std::map<std::string, Text> use(suite.use.begin(), suite.use.end());
    unless_empty("use", use);
  });
}

}  // namespace

std::string to_json(const SuitePlan& plan, const base::Redactor* hidden) {
  PlanJson json(hidden);
  json.object([&] {
    json.key("environment").value(plan.environment);
    json.key("kind").value("check");
    json.key("release").value(plan.release);
    json.key("schema").value(1);
    json.key("suites").value(plan.suites);
  });
  return json.take();
}

}  // namespace staithe::checks
