#include "kinds.hpp"

#include "staithe/base/ascii.hpp"

#include <algorithm>
#include <array>

namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 8> run_subjects{"exit", "out",   "err",   "time",
                                                       "json", "json.", "json ", "signal"};

bool is_variable(std::string_view name) {
  return !name.empty() && !base::is_digit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return base::is_alnum(c) || c == '_'; });
}

std::optional<Request> parse_run(Fields& fields, const yaml::Reader& value) {
  RunRequest request;
  const auto command = fields.shell(value);
  request.host = fields.host();
  if (const auto on = fields.map().value("on")) request.host = fields.plain(*on).value_or("");
  for (const auto& member : fields.map().map("env")) {
    const auto text = fields.text(member.value);
    if (!is_variable(member.key.value))
      member.value.error("'" + member.key.value + "' cannot name a variable");
    if (text) request.inputs.push_back({member.key.value, *text});
  }
  if (!command) return std::nullopt;
  request.command = *command;
  return request;
}

}  // namespace

const Kind run_kind{
    "run",
    "run a command",
    "each: host in $(hosts.app)\nrun: /srv/app/bin/python -m app.selftest\nexpect: {exit: 0}",
    R"(A command by sh: under 'each' on the host, over SSH; else on this machine, or on the host that 'on' names. It
says that something works with the app's own interpreter and libraries. It must not change anything unless the
suite cleans up.

on              the host
env             environment variables: the place for saved values and secrets
What a signal has killed has no exit status: exit is absent then, and nothing else holds of it.
After 126 and 127, which say that there is no such command, nothing holds, whatever it is about, unless that number itself
is expected.
Expectations: exit, signal, out, err, time, and json.PATH of what it printed.)",
    run_subjects,
    "exit",
    parse_run};

}  // namespace staithe::checks
