#pragma once
#include "staithe/plan/plan.hpp"

#include <iterator>
#include <variant>

/// One list of fields for each type serves both directions, so that writing and reading cannot disagree.
/// An archive has `field(name, value)`; WriteFields and ReadFields (json_archive.hpp) are the two. A journal
/// may have been written by an older build: `later(name, value)` is a field that it may lack and whose
/// default means what it did then; `said(name, value)` is written only where it differs from its default.
/// Fields that nobody knows any more are not read. Each list is sorted by name, as the text is: so it is
/// written from the beginning to the end.
namespace staithe::plan {

template <class A>
void fields(A& a, SecretRef& v) {
  a.field("name", v.name);
  a.field("source", v.source);
}
template <class A>
void fields(A& a, CaptureRef& v) {
  a.field("name", v.name);
}
template <class A>
void fields(A& a, Input& v) {
  a.field("value", v.value);
  a.field("variable", v.variable);
}
template <class A>
void fields(A& a, Amount& v) {
  a.field("percent", v.percent);
  a.field("value", v.value);
}
template <class A>
void fields(A& a, RunRemote& v) {
  a.field("capture", v.capture);
  a.field("host", v.host);
  a.field("inputs", v.inputs);
  a.field("reads_only", v.reads_only);
  a.field("script", v.script);
  a.field("silence", v.silence);
}
template <class A>
void fields(A& a, RunLocal& v) {
  a.field("capture", v.capture);
  a.field("inputs", v.inputs);
  a.said("reads_only", v.reads_only);
  a.field("script", v.script);
}
template <class A>
void fields(A& a, UploadFile& v) {
  a.field("content", v.content);
  a.field("host", v.host);
  a.field("mode", v.mode);
  a.field("path", v.path);
  a.field("source", v.source);
  a.field("source_sha256", v.source_sha256);
}
template <class A>
void fields(A& a, ChangeRotation& v) {
  a.field("host", v.host);
  a.field("to", v.to);
}
template <class A>
void fields(A& a, AwaitRotation& v) {
  a.field("at_deadline", v.at_deadline);
  a.field("bake", v.bake);
  a.field("host", v.host);
  a.said("in_service", v.in_service);
  a.field("until", v.until);
}
template <class A>
void fields(A& a, GuardCapacity& v) {
  a.field("host", v.host);
  a.field("min_available", v.min_available);
}
template <class A>
void fields(A& a, SurveyRotation& v) {
  a.field("host", v.host);
}
template <class A>
void fields(A& a, HttpProbe& v) {
  a.field("body", v.body);
  a.field("connect_to", v.connect_to);
  a.field("contains", v.contains);
  a.field("headers", v.headers);
  a.field("method", v.method);
  a.field("status", v.status);
  a.field("url", v.url);
}
template <class A>
void fields(A& a, TcpProbe& v) {
  a.field("address", v.address);
  a.field("port", v.port);
}
template <class A>
void fields(A& a, CommandProbe& v) {
  a.field("host", v.host);
  a.field("inputs", v.inputs);
  a.field("script", v.script);
}
template <class A>
void fields(A& a, FileProbe& v) {
  a.field("host", v.host);
  a.field("path", v.path);
}
template <class A>
void fields(A& a, Probe& v) {
  a.field("each_within", v.each_within);
  a.field("every", v.every);
  a.field("once", v.once);
  a.field("passes", v.passes);
  a.field("what", v.what);
}
template <class A>
void fields(A& a, Confirm& v) {
  a.field("question", v.question);
}
template <class A>
void fields(A& a, Notify& v) {
  a.field("text", v.text);
  a.field("url", v.url);
}
template <class A>
void fields(A& a, TakeLock& v) {
  a.field("reason", v.reason);
  a.field("scope", v.scope);
}
template <class A>
void fields(A& a, GiveLock& v) {
  a.field("scope", v.scope);
}
template <class A>
void fields(A& a, RecordRelease& v) {
  a.field("host", v.host);
  a.field("release", v.release);
  a.field("service", v.service);
  a.field("sha", v.sha);
  a.field("state", v.state);
}
template <class A>
void fields(A& a, CheckSuite& v) {
  a.field("critical", v.critical);
  a.field("fail_on", v.fail_on);
  a.field("host", v.host);
  a.later("limit", v.limit);
  a.field("release", v.release);
  a.field("requests", v.requests);
  a.said("secrets", v.secrets);
  a.field("suite", v.suite);
  a.field("suite_plan", v.suite_plan);
  a.field("tags", v.tags);
}
template <class A>
void fields(A& a, FileSum& v) {
  a.field("name", v.name);
  a.field("sha256", v.sha256);
}
template <class A>
void fields(A& a, Budgets& v) {
  a.field("blocking", v.blocking);
  a.field("rewrite_rows", v.rewrite_rows);
  a.field("total", v.total);
  a.field("wal_bytes", v.wal_bytes);
}
template <class A>
void fields(A& a, Accepted& v) {
  a.field("masked", v.masked);
  a.field("partial", v.partial);
}
template <class A>
void fields(A& a, RehearsalTerms& v) {
  a.field("accepted", v.accepted);
  a.later("asked", v.asked);
  a.field("budgets", v.budgets);
  a.field("command", v.command);
  a.field("load", v.load);
  a.later("open_for", v.open_for);
}
template <class A>
void fields(A& a, RequireRehearsal& v) {
  a.field("environment", v.environment);
  a.field("files", v.files);
  a.later("rehearse", v.rehearse);
  a.later("sha", v.sha);
  a.field("snapshot_at_most", v.snapshot_at_most);
  a.later("terms", v.terms);
}
template <class A>
void fields(A& a, Action& v) {
  a.field("alters_service", v.alters_service);
  a.field("attempts", v.attempts);
  a.field("effect", v.effect);
  a.field("id", v.id);
  a.field("retry_every", v.retry_every);
  a.field("step", v.step);
  a.field("timeout", v.timeout);
  a.field("title", v.title);
}
template <class A>
void fields(A& a, Bracket& v) {
  a.field("acquire", v.acquire);
  a.field("body", v.body);
  a.field("name", v.name);
  a.field("on_failure", v.on_failure);
  a.field("release", v.release);
  a.field("repair", v.repair);
  a.field("undo", v.undo);
}
template <class A>
void fields(A& a, Lane& v) {
  a.said("brought_along", v.brought_along);
  a.field("host", v.host);
  a.said("mends", v.mends);
  a.field("nodes", v.nodes);
  a.field("revert", v.revert);
}
template <class A>
void fields(A& a, Strategy& v) {
  a.field("batches", v.batches);
  a.said("deadline", v.deadline);
  a.field("max_failures", v.max_failures);
  a.field("on_failure", v.on_failure);
  a.field("parallel", v.parallel);
  a.field("window", v.window);
}
template <class A>
void fields(A& a, Stage& v) {
  a.field("at_once", v.at_once);
  a.field("lanes", v.lanes);
  a.said("max_failures", v.max_failures);
  a.field("name", v.name);
  a.field("shape", v.shape);
}
template <class A>
void fields(A& a, ServerRef& v) {
  a.field("backend", v.backend);
  a.field("server", v.server);
}
template <class A>
void fields(A& a, Servers& v) {
  a.field("address", v.address);
  a.field("names", v.names);
  a.field("port", v.port);
}
template <class A>
void fields(A& a, Host& v) {
  a.field("address", v.address);
  a.field("identity_files", v.identity_files);
  a.field("jump", v.jump);
  a.field("name", v.name);
  a.field("port", v.port);
  a.field("servers", v.servers);
  a.field("user", v.user);
}
template <class A>
void fields(A& a, Balancer& v) {
  a.field("master_socket", v.master_socket);
  a.field("name", v.name);
  a.field("on", v.on);
  a.field("socket", v.socket);
}
template <class A>
void fields(A& a, SshSettings& v) {
  a.field("config", v.config);
  a.field("connect_timeout", v.connect_timeout);
  a.field("known_hosts", v.known_hosts);
  a.field("max_handshakes", v.max_handshakes);
}
template <class A>
void fields(A& a, Plan& v) {
  a.field("balancers", v.balancers);
  a.field("close", v.close);
  a.field("environment", v.environment);
  a.field("hosts", v.hosts);
  a.field("is_protected", v.is_protected);
  a.field("kind", v.kind);
  a.field("notify_failure", v.notify_failure);
  a.field("open", v.open);
  a.field("project", v.project);
  a.field("ref", v.ref);
  a.field("release", v.release);
  a.field("service", v.service);
  a.field("sha", v.sha);
  a.field("source", v.source);
  a.field("ssh", v.ssh);
  a.field("stages", v.stages);
  a.field("strategy", v.strategy);
  a.field("title", v.title);
}

// ---- variants: {"kind": alternative, ...its fields} ---------------------------------------------------
template <class V>
struct VariantNames;
template <>
struct VariantNames<Effect> {
  static constexpr const char* names[] = {
      "run_remote",     "run_local",       "upload_file",    "change_rotation", "await_rotation",
      "guard_capacity", "survey_rotation", "probe",          "confirm",         "notify",
      "take_lock",      "give_lock",       "record_release", "check_suite",     "require_rehearsal"};
  static_assert(std::size(names) == std::variant_size_v<Effect>);
};
template <>
struct VariantNames<decltype(Probe::what)> {
  static constexpr const char* names[] = {"http", "tcp", "command", "file"};
};
template <>
struct VariantNames<Node> {
  static constexpr const char* names[] = {"action", "bracket"};
};

}  // namespace staithe::plan
