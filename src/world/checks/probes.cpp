#include "checks/balancers.hpp"
#include "checks/certificate_words.hpp"
#include "checks/command.hpp"
#include "checks/http_reply.hpp"
#include "checks/sql.hpp"
#include "hosts.hpp"

#include "staithe/base/elapsed.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"
#include "staithe/checks/expectation.hpp"
#include "staithe/http/client.hpp"
#include "staithe/net/addresses.hpp"
#include "staithe/net/tcp.hpp"
#include "staithe/plan/json_text.hpp"
#include "staithe/world/check_probes.hpp"
#include "staithe/world/secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace staithe::world {
namespace {

using checks::Reply;
using checks::Value;
using Clock = std::chrono::steady_clock;

constexpr std::uint16_t any_port = 80;
/// A store of secrets that hangs keeps the checks that need none of it no longer from being run. Of a shorter
/// budget something is left to them: what takes all of it leaves no time to ask for anything either way.
constexpr base::Duration ahead_within{10'000};

bool has_secret(const plan::Text& text) {
  return std::any_of(text.pieces().begin(), text.pieces().end(),
                     [](const auto& piece) { return std::holds_alternative<plan::SecretRef>(piece); });
}

/// What costs nothing first, then of each suite one: those of a suite whose commands hang may be many.
std::vector<plan::SecretRef> by_turns(const checks::SuitePlan& plan) {
  std::vector<plan::SecretRef> order;
  const auto add = [&](const plan::SecretRef& secret) {
    if (std::find(order.begin(), order.end(), secret) == order.end()) order.push_back(secret);
  };
  std::vector<std::vector<plan::SecretRef>> commands;
  for (const auto& suite : plan.suites) {
    commands.emplace_back();
    for (const auto& secret : checks::secrets_of(suite))
      if (secret.source == plan::SecretRef::Source::command)
        commands.back().push_back(secret);
      else
        add(secret);
  }
  for (std::size_t turn = 0, left = commands.size(); left > 0; ++turn) {
    left = 0;
    for (const auto& of_suite : commands) {
      if (turn < of_suite.size()) add(of_suite[turn]);
      if (turn + 1 < of_suite.size()) ++left;
    }
  }
  return order;
}

/// How long some of these were looked up, without the time between.
base::Duration time_of(const std::vector<plan::SecretRef>& secrets,
                       const std::vector<Secrets::Ahead>& ahead) {
  std::vector<std::pair<base::Duration, base::Duration>> spans;
  for (const auto& one : ahead)
    if (std::find(secrets.begin(), secrets.end(), one.ref) != secrets.end())
      spans.emplace_back(one.begun, one.ended);
  std::sort(spans.begin(), spans.end());
  base::Duration time{0}, until{0};
  for (const auto& [begun, ended] : spans) {
    time += std::max(ended - std::max(begun, until), base::Duration{0});
    until = std::max(until, ended);
  }
  return time;
}

/// Whose fault it is that there is no answer.
Reply::Failure failure_of(base::ErrorCode code) {
  using base::ErrorCode;
  switch (code) {
    case ErrorCode::cancelled:
      return Reply::Failure::cancelled;
    case ErrorCode::timeout:
    case ErrorCode::connect:
    case ErrorCode::auth:  // their certificate is not good
    case ErrorCode::protocol:
    case ErrorCode::io:
    case ErrorCode::failed:
      return Reply::Failure::unreachable;
    default:
      return Reply::Failure::ours;
  }
}

}  // namespace

class CheckProbes::Asker {
 public:
  Asker(const plan::Plan& plan, base::Redactor& redactor, Person person, std::string directory,
        Secrets::Known known)
      : plan_(plan),
        redactor_(redactor),
        directory_(std::move(directory)),
        secrets_(redactor, directory_, known),
        person_(std::move(person)) {}

  void take_over_secrets(std::string_view handed) { secrets_.take_over(handed); }

  Reply perform(const checks::Request& request, const base::Scope& scope) {
    const auto begun = Clock::now();
    Reply reply;
    bool asks = false;  // a secret that cannot be had, in time or at all, tells nothing of who is asked
    try {
      for (const auto& secret : checks::secrets_of(request)) (void)secrets_.value(secret, scope);
      asks = true;
      reply = std::visit([&](const auto& one) { return ask(one, scope); }, request);
    } catch (const base::Error& error) {
      reply.failure = failure_of(error.code());
      if (std::holds_alternative<checks::RunRequest>(request) && error.code() == base::ErrorCode::auth)
        reply.failure = Reply::Failure::ours;
      if (std::holds_alternative<checks::SqlRequest>(request) && error.code() != base::ErrorCode::connect &&
          error.code() != base::ErrorCode::timeout && error.code() != base::ErrorCode::cancelled)
        reply.failure = Reply::Failure::ours;
      if (!asks && error.code() != base::ErrorCode::cancelled) reply.failure = Reply::Failure::ours;
      reply.reason = redactor_.clean(error.what());
      reply.duration = base::since(begun);
    }
    return reply;
  }

  verify::Foreseen foresee(const checks::SuitePlan& plan, const base::Cancel* stop) {
    std::vector<Secrets::Ahead> ahead;
    for (const auto& secret : by_turns(plan))
      ahead.push_back({secret, std::min(ahead_within, checks::longest_budget(plan, secret) * 9 / 10)});
    secrets_.look_ahead(ahead, stop);
    for (const auto* check : checks::all_checks(plan))
      if (const auto* http = std::get_if<checks::HttpRequest>(&check->request)) foresee(*http);
    verify::Foreseen taken;
    for (const auto& suite : plan.suites) taken[suite.name] = time_of(checks::secrets_of(suite), ahead);
    return taken;
  }

 private:
  /// A session that nobody else uses now.
  class Borrowed {
   public:
    explicit Borrowed(Asker& owner) : owner_(owner) {
      const std::lock_guard lock(owner.mutex_);
      if (owner.sessions_.empty()) return;
      session_ = std::move(owner.sessions_.back());
      owner.sessions_.pop_back();
    }
    ~Borrowed() {
      const std::lock_guard lock(owner_.mutex_);
      owner_.sessions_.push_back(std::move(session_));
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;
    http::Session& operator*() {
      if (!session_) session_ = std::make_unique<http::Session>();
      return *session_;
    }

   private:
    Asker& owner_;
    std::unique_ptr<http::Session> session_;
  };

  /// Files of the project are named from where staithe.yml is.
  std::string file(const std::string& path) const {
    return path.empty() || path.front() == '/' || directory_.empty() ? path : directory_ + "/" + path;
  }

  std::string fill(const plan::Text& text, const base::Scope& scope) {
    return secrets_.fill(text, {}, scope);
  }

  /// The redactor hears how each secret stands there.
  template <class ValueOf>
  std::string url_of(const plan::Text& url, ValueOf value_of) {
    base::UrlWriter writer;
    std::string made;
    for (const auto& piece : url.pieces()) {
      if (const auto* literal = std::get_if<std::string>(&piece)) made += writer.written(*literal);
      const auto* secret = std::get_if<plan::SecretRef>(&piece);
      if (secret == nullptr) continue;
      const auto written = writer.value(value_of(*secret), base::UrlWriter::From::secret);
      secrets_.tell_redactor(written);
      made += written;
    }
    return made;
  }

  std::string body_of(const checks::HttpRequest& request, const base::Scope& scope) {
    using Encoding = checks::HttpRequest::Encoding;
    if (request.encoding == Encoding::raw) return fill(request.body, scope);
    std::string body;
    for (const auto& piece : request.body.pieces()) {
      const auto* secret = std::get_if<plan::SecretRef>(&piece);
      if (const auto* literal = std::get_if<std::string>(&piece)) body += *literal;
      if (secret == nullptr) continue;
      const auto value = secrets_.value(*secret, scope);
      body += request.encoding == Encoding::json ? plan::json_inside(value) : base::percent_encoded(value);
    }
    return body;
  }

  static std::string in_basic(const std::string& credentials) {
    return base::base64(credentials.find(':') == std::string::npos ? credentials + ":" : credentials);
  }

  /// As they are sent, and as a page may quote them.
  void tell_of(const plan::Text& text, const std::string& encoded, const std::string& credentials) {
    secrets_.tell_redactor(encoded);
    if (has_secret(text)) secrets_.tell_half(credentials);
  }

  /// What of a request's credentials can be known before it is sent.
  void foresee(const checks::HttpRequest& request) {
    (void)url_of(request.url, [&](const auto& secret) {
      plan::Text alone;
      alone.append(secret);
      return secrets_.known(alone).value_or("");
    });
    if (request.auth == checks::HttpRequest::Auth::basic)
      if (const auto credentials = secrets_.known(request.credentials))
        tell_of(request.credentials, in_basic(*credentials), *credentials);
    if (request.proxy_credentials.empty()) return;
    if (const auto credentials = secrets_.known(request.proxy_credentials))
      tell_of(request.proxy_credentials, base::base64(*credentials), *credentials);
  }

  Reply ask(const checks::HttpRequest& request, const base::Scope& scope) {
    http::Request sent;
    sent.method = request.method;
    sent.url = url_of(request.url, [&](const auto& secret) { return secrets_.value(secret, scope); });
    if (sent.url.starts_with('/')) sent.url = request.target + sent.url;
    for (const auto& [name, value] : request.headers) sent.headers.push_back({name, fill(value, scope)});
    using Auth = checks::HttpRequest::Auth;
    if (request.auth != Auth::none) {
      const auto credentials = fill(request.credentials, scope);
      if (request.auth == Auth::basic) tell_of(request.credentials, in_basic(credentials), credentials);
      sent.headers.push_back({"Authorization", request.auth == Auth::basic ? "Basic " + in_basic(credentials)
                                                                           : "Bearer " + credentials});
    }
    sent.body = body_of(request, scope);
    sent.timeout = scope.left();
    sent.connect_timeout = scope.left();
    sent.max_body_bytes = largest_http_body;
    sent.follow_redirects = request.follow_redirects;
    if (!request.connect_to.empty()) sent.connect_to.push_back("::" + request.connect_to);
    sent.proxy_url = request.proxy;
    sent.proxy_credentials = fill(request.proxy_credentials, scope);
    if (!sent.proxy_credentials.empty())
      tell_of(request.proxy_credentials, base::base64(sent.proxy_credentials), sent.proxy_credentials);
    sent.ca_file = file(request.ca_file);
    sent.client_certificate = file(request.client_certificate);
    sent.client_key = file(request.client_key);
    sent.version = http::Version::any;
    Borrowed session(*this);
    auto answer = (*session).send(sent, scope);
    return reply_of(std::move(answer));
  }

  Reply ask(const checks::TlsRequest& request, const base::Scope& scope) {
    http::CertificateRequest wanted;
    wanted.host = fill(request.host, scope);
    wanted.port = request.port;
    wanted.server_name = request.server_name;
    wanted.connect_to = request.connect_to;
    wanted.ca_file = file(request.ca_file);
    wanted.timeout = scope.left();
    const auto certificate = http::certificate_of(wanted, scope);
    Reply reply;
    auto& facts = reply.facts;
    facts["trusted"] = Value::of(certificate.trusted);
    facts["names"] = Value::list(certificate.names);
    facts["subject"] = Value::of(certificate.subject);
    facts["issuer"] = Value::of(certificate.issuer);
    facts["not_before"] = Value::of(certificate.not_before);
    facts["not_after"] = Value::of(certificate.not_after);
    const auto end = checks::parse_date(certificate.not_after);
    const double days = end ? days_left(*end) : 0;
    facts["days_left"] = end ? Value::of_number(std::floor(days)) : Value();
    facts["address"] = Value::of(certificate.peer);
    if (!certificate.why.empty()) facts["why"] = Value::of(certificate.why);
    reply.duration = certificate.duration;
    const auto standing = standing_in_words(certificate);
    reply.behind["trusted"] = standing;
    reply.note = fmt::format("{}; for {}", standing, base::join(certificate.names, ", "));
    return reply;
  }

  Reply ask(const checks::TcpRequest& request, const base::Scope& scope) {
    Reply reply;
    const auto begun = Clock::now();
    try {
      const auto address = net::tcp_connects(fill(request.host, scope), request.port, scope);
      reply.facts["connected"] = Value::of(true);
      reply.facts["address"] = Value::of(address);
      reply.note = "connected to " + address;
    } catch (const base::Error& error) {
      if (error.code() != base::ErrorCode::connect && error.code() != base::ErrorCode::timeout) throw;
      reply.facts["connected"] = Value::of(false);
      reply.note = error.what();
    }
    reply.duration = base::since(begun);
    return reply;
  }

  Reply ask(const checks::DnsRequest& request, const base::Scope& scope) {
    Reply reply;
    const auto begun = Clock::now();
    try {
      std::vector<std::string> addresses;
      for (const auto& address : net::resolve(fill(request.name, scope), any_port, scope))
        addresses.push_back(address.host());
      reply.note = base::join(addresses, ", ");
      reply.facts["addresses"] = Value::list(std::move(addresses));
      reply.facts["resolves"] = Value::of(true);
    } catch (const base::Error& error) {
      if (error.code() != base::ErrorCode::resolve) throw;
      reply.facts["addresses"] = Value::list({});
      reply.facts["resolves"] = Value::of(false);
      reply.note = error.what();
    }
    reply.duration = base::since(begun);
    return reply;
  }

  Reply ask(const checks::SqlRequest& request, const base::Scope& scope) {
    return ask_sql(request, secrets_, scope);
  }
  Reply ask(const checks::CompareRequest& request, const base::Scope& scope) {
    return ask_compare(request, secrets_, scope);
  }

  Reply ask(const checks::RunRequest& request, const base::Scope& scope) {
    const auto begun = Clock::now();
    const auto inputs = secrets_.fill(request.inputs, {}, scope);
    if (!request.host.empty() && plan_.hosts.count(request.host) == 0)
      throw base::Error(base::ErrorCode::not_found, "the inventory has no host '" + request.host + "'");
    auto ran = request.host.empty() ? run_here(request.command, inputs, scope)
                                    : run_on(hosts(), request.host, request.command, inputs, scope);
    const auto duration = base::since(begun);
    auto reply = reply_of(std::move(ran));
    reply.duration = duration;
    return reply;
  }

  Reply ask(const checks::HaproxyRequest& request, const base::Scope& scope) {
    const auto begun = Clock::now();
    auto reply = ask_balancers(
        request, plan_, [this]() -> Hosts& { return hosts(); }, scope);
    reply.duration = base::since(begun);
    return reply;
  }

  Reply ask(const checks::PauseRequest& request, const base::Scope& scope) {
    const auto begun = Clock::now();
    const auto woke = base::sleep_for(request.duration, scope);
    Reply reply;
    reply.duration = base::since(begun);
    reply.note = "waited " + base::elapsed_text(reply.duration);
    if (woke == base::Woke::ready) return reply;
    const bool stopped = woke == base::Woke::cancelled;
    reply.failure = stopped ? Reply::Failure::cancelled : Reply::Failure::ours;
    reply.reason = stopped ? "stopped" : "there was no time for all of it";
    return reply;
  }

  /// Made when first needed: suites without hosts need no known_hosts.
  Hosts& hosts() {
    const std::lock_guard lock(hosts_mutex_);
    if (!hosts_) hosts_ = std::make_unique<Hosts>(plan_, person_);
    return *hosts_;
  }

  const plan::Plan& plan_;
  base::Redactor& redactor_;
  const std::string directory_;
  Secrets secrets_;
  Person person_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<http::Session>> sessions_;
  std::mutex hosts_mutex_;
  std::unique_ptr<Hosts> hosts_;
};

CheckProbes::CheckProbes(const plan::Plan& plan, base::Redactor& redactor, Person person,
                         std::string directory, Secrets::Known known)
    : asker_(std::make_unique<Asker>(plan, redactor, std::move(person), std::move(directory), known)) {}
CheckProbes::~CheckProbes() = default;

void CheckProbes::take_over_secrets(std::string_view handed) {
  asker_->take_over_secrets(handed);
}

Reply CheckProbes::perform(const checks::Request& request, const base::Scope& scope) {
  return asker_->perform(request, scope);
}

verify::Foreseen CheckProbes::foresee(const checks::SuitePlan& plan, const base::Cancel* stop) {
  return asker_->foresee(plan, stop);
}

}  // namespace staithe::world
