#pragma once
#include "staithe/plan/plan.hpp"

#include <iterator>
#include <variant>

/// One list of fields for each type serves both directions, so that writing and reading cannot disagree.
/// An archive has `field(name, value)`; WriteFields and ReadFields (json_archive.hpp) are the two. A journal
/// may have been written by an older build: `later(name, value)` is a field that it may lack and whose
/// default means what it did then; `said(name, value)` is written only where it differs from its default.
/// Fields that nobody knows any more are not read.
namespace staithe::plan {

template <class A>
void fields(A& a, SecretRef& v) {
  a.field("source", v.source);
  a.field("name", v.name);
}
template <class A>
void fields(A& a, CaptureRef& v) {
  a.field("name", v.name);
}
template <class A>
void fields(A& a, Input& v) {
  a.field("variable", v.variable);
  a.field("value", v.value);
}
template <class A>
void fields(A& a, Amount& v) {
  a.field("value", v.value);
  a.field("percent", v.percent);
}
template <class A>
void fields(A& a, RunRemote& v) {
  a.field("host", v.host);
  a.field("script", v.script);
  a.field("inputs", v.inputs);
  a.field("capture", v.capture);
  a.field("silence", v.silence);
  a.field("reads_only", v.reads_only);
}
template <class A>
void fields(A& a, RunLocal& v) {
  a.field("script", v.script);
  a.field("inputs", v.inputs);
  a.field("capture", v.capture);
}
template <class A>
void fields(A& a, UploadFile& v) {
  a.field("host", v.host);
  a.field("path", v.path);
  a.field("mode", v.mode);
  a.field("source", v.source);
  a.field("source_sha256", v.source_sha256);
  a.field("content", v.content);
}
template <class A>
void fields(A& a, ChangeRotation& v) {
  a.field("host", v.host);
  a.field("to", v.to);
}
template <class A>
void fields(A& a, AwaitRotation& v) {
  a.field("host", v.host);
  a.field("until", v.until);
  a.field("at_deadline", v.at_deadline);
  a.field("bake", v.bake);
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
  a.field("url", v.url);
  a.field("method", v.method);
  a.field("headers", v.headers);
  a.field("body", v.body);
  a.field("status", v.status);
  a.field("contains", v.contains);
  a.field("connect_to", v.connect_to);
}
template <class A>
void fields(A& a, TcpProbe& v) {
  a.field("address", v.address);
  a.field("port", v.port);
}
template <class A>
void fields(A& a, CommandProbe& v) {
  a.field("host", v.host);
  a.field("script", v.script);
  a.field("inputs", v.inputs);
}
template <class A>
void fields(A& a, FileProbe& v) {
  a.field("host", v.host);
  a.field("path", v.path);
}
template <class A>
void fields(A& a, Probe& v) {
  a.field("what", v.what);
  a.field("every", v.every);
  a.field("each_within", v.each_within);
  a.field("passes", v.passes);
  a.field("once", v.once);
}
template <class A>
void fields(A& a, Confirm& v) {
  a.field("question", v.question);
}
template <class A>
void fields(A& a, Notify& v) {
  a.field("url", v.url);
  a.field("text", v.text);
}
template <class A>
void fields(A& a, TakeLock& v) {
  a.field("scope", v.scope);
  a.field("reason", v.reason);
}
template <class A>
void fields(A& a, GiveLock& v) {
  a.field("scope", v.scope);
}
template <class A>
void fields(A& a, RecordRelease& v) {
  a.field("host", v.host);
  a.field("service", v.service);
  a.field("release", v.release);
  a.field("sha", v.sha);
  a.field("state", v.state);
}
template <class A>
void fields(A& a, CheckSuite& v) {
  a.field("suite", v.suite);
  a.field("host", v.host);
  a.field("critical", v.critical);
  a.field("tags", v.tags);
  a.field("fail_on", v.fail_on);
  a.field("release", v.release);
  a.field("suite_plan", v.suite_plan);
  a.field("requests", v.requests);
  a.said("secrets", v.secrets);
}
template <class A>
void fields(A& a, FileSum& v) {
  a.field("name", v.name);
  a.field("sha256", v.sha256);
}
template <class A>
void fields(A& a, Budgets& v) {
  a.field("blocking", v.blocking);
  a.field("total", v.total);
  a.field("rewrite_rows", v.rewrite_rows);
  a.field("wal_bytes", v.wal_bytes);
}
template <class A>
void fields(A& a, Accepted& v) {
  a.field("partial", v.partial);
  a.field("masked", v.masked);
}
template <class A>
void fields(A& a, RehearsalTerms& v) {
  a.field("command", v.command);
  a.field("budgets", v.budgets);
  a.field("load", v.load);
  a.later("open_for", v.open_for);
  a.later("asked", v.asked);
  a.field("accepted", v.accepted);
}
template <class A>
void fields(A& a, RequireRehearsal& v) {
  a.field("files", v.files);
  a.later("sha", v.sha);
  a.field("environment", v.environment);
  a.field("snapshot_at_most", v.snapshot_at_most);
  a.later("terms", v.terms);
  a.later("rehearse", v.rehearse);
}
template <class A>
void fields(A& a, Action& v) {
  a.field("id", v.id);
  a.field("step", v.step);
  a.field("title", v.title);
  a.field("effect", v.effect);
  a.field("timeout", v.timeout);
  a.field("attempts", v.attempts);
  a.field("retry_every", v.retry_every);
  a.field("alters_service", v.alters_service);
}
template <class A>
void fields(A& a, Bracket& v) {
  a.field("name", v.name);
  a.field("acquire", v.acquire);
  a.field("undo", v.undo);
  a.field("body", v.body);
  a.field("repair", v.repair);
  a.field("release", v.release);
  a.field("on_failure", v.on_failure);
}
template <class A>
void fields(A& a, Lane& v) {
  a.field("host", v.host);
  a.field("nodes", v.nodes);
  a.field("revert", v.revert);
}
template <class A>
void fields(A& a, Strategy& v) {
  a.field("batches", v.batches);
  a.field("parallel", v.parallel);
  a.field("window", v.window);
  a.field("max_failures", v.max_failures);
  a.field("on_failure", v.on_failure);
  a.said("deadline", v.deadline);
}
template <class A>
void fields(A& a, Stage& v) {
  a.field("name", v.name);
  a.field("shape", v.shape);
  a.field("at_once", v.at_once);
  a.field("lanes", v.lanes);
  a.said("max_failures", v.max_failures);
}
template <class A>
void fields(A& a, ServerRef& v) {
  a.field("backend", v.backend);
  a.field("server", v.server);
}
template <class A>
void fields(A& a, Servers& v) {
  a.field("names", v.names);
  a.field("address", v.address);
  a.field("port", v.port);
}
template <class A>
void fields(A& a, Host& v) {
  a.field("name", v.name);
  a.field("address", v.address);
  a.field("user", v.user);
  a.field("port", v.port);
  a.field("identity_files", v.identity_files);
  a.field("jump", v.jump);
  a.field("servers", v.servers);
}
template <class A>
void fields(A& a, Balancer& v) {
  a.field("name", v.name);
  a.field("socket", v.socket);
  a.field("master_socket", v.master_socket);
  a.field("on", v.on);
}
template <class A>
void fields(A& a, SshSettings& v) {
  a.field("known_hosts", v.known_hosts);
  a.field("config", v.config);
  a.field("connect_timeout", v.connect_timeout);
  a.field("max_handshakes", v.max_handshakes);
}
template <class A>
void fields(A& a, Plan& v) {
  a.field("kind", v.kind);
  a.field("title", v.title);
  a.field("source", v.source);
  a.field("project", v.project);
  a.field("environment", v.environment);
  a.field("service", v.service);
  a.field("ref", v.ref);
  a.field("sha", v.sha);
  a.field("release", v.release);
  a.field("is_protected", v.is_protected);
  a.field("hosts", v.hosts);
  a.field("balancers", v.balancers);
  a.field("ssh", v.ssh);
  a.field("strategy", v.strategy);
  a.field("open", v.open);
  a.field("stages", v.stages);
  a.field("close", v.close);
  a.field("notify_failure", v.notify_failure);
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
