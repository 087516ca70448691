#include "probes.hpp"

#include "staithe/base/text.hpp"
#include "staithe/http/client.hpp"
#include "staithe/net/tcp.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

namespace staithe::world {
namespace {

constexpr std::size_t shown_body = 120;

/// One question; "" when the answer was right, else what was wrong with it.
class Asker {
  /// With a secret that cannot be had nothing is asked.
  template <typename Holes>
  auto fill(const Holes& holes, const base::Scope& scope) {
    return before_sending([&] { return secrets_.fill(holes, performance_.captures, scope); }, Side::here);
  }

 public:
  Asker(exec::Performance& performance, Secrets& secrets, Hosts& hosts)
      : performance_(performance), secrets_(secrets), hosts_(hosts) {}

  std::string ask(const plan::HttpProbe& probe, const base::Scope& scope) {
    http::Request request;
    request.method = probe.method;
    request.url = fill(probe.url, scope);
    for (const auto& [name, value] : probe.headers) request.headers.push_back({name, fill(value, scope)});
    request.body = fill(probe.body, scope);
    request.timeout = scope.left();
    if (!probe.connect_to.empty()) request.connect_to.push_back("::" + probe.connect_to);
    const auto reply = http::send(request, scope);
    if (reply.status != probe.status)
      return fmt::format("answered {}, expected {}", reply.status, probe.status);
    const auto wanted = fill(probe.contains, scope);
    if (reply.body.find(wanted) == std::string::npos)
      return fmt::format("answered {} without '{}': {}", reply.status, wanted,
                         base::printable(reply.body.substr(0, shown_body)));
    return {};
  }

  std::string ask(const plan::TcpProbe& probe, const base::Scope& scope) {
    net::tcp_connects(probe.address, probe.port, scope);
    return {};
  }

  std::string ask(const plan::CommandProbe& probe, const base::Scope& scope) {
    const auto inputs = fill(probe.inputs, scope);
    if (!probe.host.empty()) {
      ssh::Command command;
      command.script = probe.script;
      command.inputs = inputs;
      return verdict(hosts_.run(probe.host, command, {}, scope));
    }
    proc::Command command;
    command.script = probe.script;
    command.environment = inputs;
    const auto exit = proc::run(command, scope);
    return exit.ok() ? std::string() : fmt::format("{} {}", exit.text(), last_line(exit.err));
  }

  std::string ask(const plan::FileProbe& probe, const base::Scope& scope) {
    ssh::Command command;
    command.script = "test -e " + base::shell_quote(probe.path);
    const auto exit = hosts_.run(probe.host, command, {}, scope);
    return exit.status == 0 ? std::string() : fmt::format("{} does not exist", probe.path);
  }

 private:
  static std::string last_line(const std::string& text) {
    const auto lines = base::split(base::trim(base::printable(text)), '\n');
    return lines.empty() ? std::string() : lines.back();
  }

  static std::string verdict(const ssh::Exit& exit) {
    if (!exit.signal.empty()) return "killed by SIG" + exit.signal;
    return exit.status == 0 ? std::string()
                            : fmt::format("exit status {} {}", exit.status, last_line(exit.err));
  }

  exec::Performance& performance_;
  Secrets& secrets_;
  Hosts& hosts_;
};

/// A secret that cannot be had, or a host that is not heard of where it is asked over SSH. Who connects to
/// the app itself has asked it.
bool is_unasked(const base::Error& error, const plan::Probe& probe) {
  if (dynamic_cast<const Unsent*>(&error) != nullptr) return true;
  const bool asks_app = std::holds_alternative<plan::HttpProbe>(probe.what) ||
                        std::holds_alternative<plan::TcpProbe>(probe.what);
  return !asks_app && from_error(error).outcome == event::Outcome::unreachable;
}

exec::EffectResult wrong_answer(event::Outcome outcome, std::string wrong, bool retryable, bool own_fault) {
  auto result = not_done(outcome, std::move(wrong), retryable);
  result.own_fault = own_fault;
  return result;
}

}  // namespace

exec::EffectResult probe(const plan::Probe& probe, exec::Performance& performance, Secrets& secrets,
                         Hosts& hosts) {
  Asker asker(performance, secrets, hosts);
  std::uint32_t passes = 0;
  std::string wrong;
  bool own_fault = false;  // of the last question, which did not come to the app
  for (;;) {
    bool retryable = true;
    try {
      const auto scope = performance.scope.at_most(probe.each_within);
      wrong = std::visit([&](const auto& what) { return asker.ask(what, scope); }, probe.what);
      own_fault = false;
    } catch (const base::Error& error) {
      if (error.code() == base::ErrorCode::cancelled) throw;
      // A missing secret or a refused key does not come right by waiting.
      retryable = from_error(error).retryable;
      // The last question had only what was left of the time: the answer before says more than that it was
      // cut off.
      const bool cut_off = error.code() == base::ErrorCode::timeout && performance.scope.expired();
      if (!cut_off || wrong.empty()) {
        wrong = error.what();
        own_fault = is_unasked(error, probe);
      }
    }
    passes = wrong.empty() ? passes + 1 : 0;
    if (passes >= probe.passes) return done();
    if (probe.once || !retryable) return wrong_answer(event::Outcome::failed, wrong, retryable, own_fault);
    performance.progress(
        {"", "", wrong.empty() ? fmt::format("{} of {} in a row", passes, probe.passes) : wrong, 0, 0, ""});
    if (base::sleep_for(probe.every, performance.scope) != base::Woke::ready) {
      if (performance.scope.cancelled())
        return not_done(event::Outcome::cancelled, "stopped while waiting: " + wrong);
      return wrong_answer(event::Outcome::timed_out, wrong.empty() ? "not right often enough" : wrong, false,
                          own_fault);
    }
  }
}

}  // namespace staithe::world
