#include "describe.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

namespace staithe::plan {
namespace {

std::string amount_text(const Amount& amount) {
  return fmt::format("{}{}", amount.value, amount.percent ? "%" : "");
}

/// A script stands whole in the plan: on the line when it is one line, else below it.
Description script(std::string_view before, const std::string& text, const std::vector<Input>& inputs,
                   const std::string& capture) {
  Description description{std::string(before), {}};
  const auto body = base::trim(text);
  if (body.find('\n') == std::string_view::npos)
    description.line += body;
  else
    description.block = base::split(body, '\n');
  for (const auto& input : inputs)
    description.line += fmt::format("   with ${} = {}", input.variable, input.value.shown());
  if (!capture.empty()) description.line += fmt::format("   -> <{}: known at run time>", capture);
  return description;
}

/// "api/web1, admin/web1 on edge1, edge2", or the address that they are found by.
std::string servers_text(const Plan& plan, const std::string& host) {
  std::string where;
  for (const auto& balancer : plan.balancers) where += (where.empty() ? "" : ", ") + balancer.name;
  const auto found = plan.hosts.find(host);
  if (found == plan.hosts.end()) return "the servers of " + host;
  const Servers& servers = found->second.servers;
  std::string names;
  for (const auto& ref : servers.names)
    names += fmt::format("{}{}/{}", names.empty() ? "" : ", ", ref.backend, ref.server);
  if (names.empty())
    names = fmt::format("<servers at {}{}: known at run time>", servers.address,
                        servers.port != 0 ? fmt::format(":{}", servers.port) : std::string());
  return where.empty() ? names : fmt::format("{} on {}", names, where);
}

/// The exact command for each server, as it goes to the socket.
Description rotation_change(const ChangeRotation& change, const Plan& plan) {
  const auto found = plan.hosts.find(change.host);
  const bool named = found != plan.hosts.end() && !found->second.servers.names.empty();
  const auto list = [&](std::string_view pattern, std::string_view note) {
    Description description{servers_text(plan, change.host), {}};
    if (named)
      for (const auto& ref : found->second.servers.names)
        description.block.push_back(
            fmt::format(fmt::runtime(std::string(pattern)),
                        fmt::arg("server", fmt::format("{}/{}", ref.backend, ref.server))));
    else
      description.block.push_back(
          fmt::format(fmt::runtime(std::string(pattern)), fmt::arg("server", "<server>")));
    if (!note.empty()) description.block.back() += fmt::format("   ({})", note);
    return description;
  };
  switch (change.to) {
    case ChangeRotation::To::drain:
      return list("set server {server} state drain", "after 'disable agent' where one runs");
    case ChangeRotation::To::maint:
      return list("set server {server} state maint", "");
    case ChangeRotation::To::close_sessions:
      return list("shutdown sessions server {server}", "");
    case ChangeRotation::To::prove:
      return list("set server {server} state drain;set server {server} health down",
                  "health down only where HAProxy checks the server");
    case ChangeRotation::To::ready:
      return list("set server {server} state ready",
                  "weight and agent as they were found; its maxconn once more, if it has one");
    case ChangeRotation::To::undo:
      return list("set server {server} state ready",
                  "as found; what others had taken out stays out; its maxconn once more, if it has one");
  }
  return {};
}

std::string await_text(const AwaitRotation& wait, const Plan& plan) {
  const std::string servers = servers_text(plan, wait.host);
  switch (wait.until) {
    case AwaitRotation::Until::calm: {
      const char* at_deadline = wait.at_deadline == AwaitRotation::AtDeadline::close_sessions
                                    ? "; when its time is up: shutdown sessions"
                                : wait.at_deadline == AwaitRotation::AtDeadline::go_on
                                    ? "; when its time is up: go on"
                                    : "";
      return fmt::format("no session, no queue and no new request on {}{}", servers, at_deadline);
    }
    case AwaitRotation::Until::proven:
      return fmt::format("HAProxy's own checks find {} up", servers);
    case AwaitRotation::Until::serving:
      return fmt::format("{} ready and up{}", servers,
                         wait.bake.count() > 0 ? " for " + base::to_text(wait.bake) : std::string());
  }
  return {};
}

Description probe_text(const Probe& probe) {
  Description description;
  if (const auto* http = std::get_if<HttpProbe>(&probe.what)) {
    description.line = fmt::format("{} {}  expect {}", http->method, http->url.shown(), http->status);
    if (!http->contains.empty()) description.line += fmt::format(" with '{}'", http->contains.shown());
    if (!http->connect_to.empty()) description.line += fmt::format(" through {}", http->connect_to);
    for (const auto& [name, value] : http->headers)
      description.block.push_back(fmt::format("{}: {}", name, value.shown()));
    if (!http->body.empty()) description.block.push_back(http->body.shown());
  } else if (const auto* tcp = std::get_if<TcpProbe>(&probe.what)) {
    description.line = fmt::format("connect to {}:{}", tcp->address, tcp->port);
  } else if (const auto* command = std::get_if<CommandProbe>(&probe.what)) {
    description = script(command->host.empty() ? "exit 0 here of: " : "exit 0 of: ", command->script,
                         command->inputs, "");
  } else {
    description.line = fmt::format("file {} exists", std::get<FileProbe>(probe.what).path);
  }
  description.line += fmt::format("  within {}", base::to_text(probe.each_within));
  if (!probe.once) description.line += fmt::format(", asked every {}", base::to_text(probe.every));
  if (probe.passes > 1) description.line += fmt::format(", {} times in a row", probe.passes);
  return description;
}

/// The requests stand below it: what is asked is as much a part of the plan as a script is.
Description suite_text(const CheckSuite& check) {
  Description description{check.suite, check.requests};
  if (check.critical) description.line += "   critical checks";
  if (!check.tags.empty()) description.line += "   tagged " + base::join(check.tags, " or ");
  if (!check.host.empty()) description.line += "   for " + check.host;
  if (check.fail_on != "fail") description.line += fmt::format("   fails when {} too", check.fail_on);
  if (!check.suite_plan.empty()) description.line += "   plan " + check.suite_plan;
  return description;
}

/// What the rehearsal had to ask for, a line each.
std::vector<std::string> terms_text(const RehearsalTerms& terms) {
  std::vector<std::string> lines;
  if (!terms.command.empty()) lines.push_back("applied by: " + terms.command);
  std::string budgets = "blocking " + base::to_text(terms.budgets.blocking);
  if (terms.budgets.total) budgets += ", in all " + base::to_text(*terms.budgets.total);
  if (terms.budgets.rewrite_rows)
    budgets += fmt::format(", rewrites of {} rows", *terms.budgets.rewrite_rows);
  if (terms.budgets.wal_bytes) budgets += ", WAL " + base::bytes_text(*terms.budgets.wal_bytes);
  lines.push_back("allowed at most: " + budgets);
  std::vector<std::string> passes;
  if (terms.load) passes.emplace_back("under load");
  if (terms.open_for.count() > 0)
    passes.push_back("with a transaction open for " + base::to_text(terms.open_for));
  if (!passes.empty()) lines.push_back("made also: " + base::join(passes, ", "));
  if (!terms.asked) lines.emplace_back("may do without asking production");
  if (!terms.accepted.partial.empty())
    lines.push_back("may do without all rows of: " + base::join(terms.accepted.partial, ", "));
  if (!terms.accepted.masked.empty())
    lines.push_back("may do with masks on: " + base::join(terms.accepted.masked, ", "));
  return lines;
}

Description rehearsed_text(const RequireRehearsal& wanted) {
  Description description{fmt::format("{} {} rehearsed without a finding in {}", wanted.files.size(),
                                      wanted.files.size() == 1 ? "file" : "files", wanted.environment),
                          {}};
  if (wanted.snapshot_at_most.count() > 0)
    description.line += fmt::format(", on a snapshot of at most {}", base::to_text(wanted.snapshot_at_most));
  if (!wanted.sha.empty()) description.line += ", as commit " + wanted.sha.substr(0, 12) + " has them";
  for (const auto& file : wanted.files)
    description.block.push_back(fmt::format("{}  sha256 {}", file.name, file.sha256.substr(0, 12)));
  for (auto& line : terms_text(wanted.terms)) description.block.push_back(std::move(line));
  return description;
}

template <class Run>
std::string_view reading(const Run& run) {
  return run.reads_only ? "(reads only) " : "";
}

struct Describe {
  const Plan& plan;

  Description operator()(const RunRemote& run) const {
    return script(reading(run), run.script, run.inputs, run.capture);
  }
  Description operator()(const RunLocal& run) const {
    return script(reading(run), run.script, run.inputs, run.capture);
  }
  Description operator()(const UploadFile& upload) const {
    Description description{fmt::format("{}  mode {:04o}", upload.path, upload.mode), {}};
    if (!upload.source.empty())
      description.line +=
          fmt::format("  from {}  sha256 {}", upload.source, upload.source_sha256.substr(0, 12));
    else
      description.block = base::split(upload.content.shown(), '\n');
    return description;
  }
  Description operator()(const ChangeRotation& change) const { return rotation_change(change, plan); }
  Description operator()(const AwaitRotation& wait) const { return {await_text(wait, plan), {}}; }
  Description operator()(const GuardCapacity& guard) const {
    return {fmt::format("at least {} usable servers left in every backend without {}",
                        amount_text(guard.min_available), servers_text(plan, guard.host)),
            {}};
  }
  Description operator()(const SurveyRotation& survey) const {
    return {fmt::format("{}: there, at this address, at admin level, not taken out by others",
                        servers_text(plan, survey.host)),
            {}};
  }
  Description operator()(const Probe& probe) const { return probe_text(probe); }
  Description operator()(const Confirm& confirm) const { return {confirm.question, {}}; }
  Description operator()(const Notify& notify) const {
    return {fmt::format("POST {}  {}", notify.url.shown(), notify.text), {}};
  }
  Description operator()(const TakeLock& lock) const {
    return {fmt::format("{}   ({})", lock.scope, lock.reason), {}};
  }
  Description operator()(const GiveLock& lock) const { return {lock.scope, {}}; }
  Description operator()(const RecordRelease& record) const {
    return {fmt::format("{} {} is {}{}", record.service, record.release, name_of(record.state),
                        record.host.empty() ? "" : " on " + record.host),
            {}};
  }
  Description operator()(const CheckSuite& check) const { return suite_text(check); }
  Description operator()(const RequireRehearsal& wanted) const { return rehearsed_text(wanted); }
};

}  // namespace

Description describe(const Effect& effect, const Plan& plan) {
  return std::visit(Describe{plan}, effect);
}

}  // namespace staithe::plan
