#include "checks/command.hpp"

#include "staithe/base/text.hpp"
#include "staithe/proc/run.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::world {
namespace {

using checks::Value;

constexpr std::size_t largest_output = 256 * 1024;
constexpr std::size_t kept_whole = largest_output / 2;

}  // namespace

Ran run_here(const std::string& script, const Variables& variables, const base::Scope& scope) {
  proc::Command command;
  command.script = script;
  command.environment = variables;
  command.keep_bytes = largest_output;
  auto exit = proc::run(command, scope);
  return {exit.status,
          exit.signal != 0 ? proc::signal_name(exit.signal) : "",
          std::move(exit.out),
          std::move(exit.err),
          exit.out_bytes > largest_output,
          exit.err_bytes > largest_output};
}

Ran run_on(Hosts& hosts, const std::string& host, const std::string& script, const Variables& variables,
           const base::Scope& scope) {
  ssh::Command command;
  command.script = script;
  command.inputs = variables;
  command.keep_bytes = largest_output;
  auto exit = hosts.run(host, command, {}, scope);
  return {exit.status,         exit.signal.empty() ? "" : "SIG" + exit.signal,
          std::move(exit.out), std::move(exit.err),
          exit.out_truncated,  exit.err_truncated};
}

checks::Reply reply_of(Ran ran) {
  checks::Reply reply;
  // What was killed has no exit status, of which "not 1" would hold.
  const bool killed = !ran.signal.empty();
  reply.facts["exit"] = killed ? Value() : Value::count(static_cast<std::uint64_t>(ran.status));
  if (killed) {
    reply.facts["signal"] = Value::of(ran.signal);
    reply.behind["exit"] = "it was killed by " + ran.signal;
  }
  const auto lines = base::split(base::trim(base::printable(ran.err)), '\n');
  if (ran.status != 0 && !lines.empty()) reply.quoted = lines.back();
  // Of what was cut only the beginning is judged; what a program says last is why it failed.
  for (const auto& [is_cut, text] : {std::pair{ran.out_cut, &ran.out}, std::pair{ran.err_cut, &ran.err}})
    if (is_cut) text->resize(std::min(text->size(), kept_whole));
  reply.facts["out"] = Value::of(std::string(base::trim(ran.out)));
  reply.facts["err"] = Value::of(std::string(base::trim(ran.err)));
  reply.note = killed ? "killed by " + ran.signal : fmt::format("exit status {}", ran.status);
  reply.body = std::move(ran.out);
  const auto cut = [&](const char* name) { reply.cut[name] = base::bytes_text(kept_whole); };
  if (ran.out_cut) cut("out"), cut("body");
  if (ran.err_cut) cut("err");
  return reply;
}

}  // namespace staithe::world
