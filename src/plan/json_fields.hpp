#pragma once
#include "enum_names.hpp"

#include "staithe/base/error.hpp"
#include "staithe/plan/plan.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

/// One list of fields for each type serves both directions, so that writing and reading cannot disagree.
/// An archive has `field(name, value)`; WriteFields and ReadFields are the two. A journal may have been
/// written by an older build: `later(name, value)` is a field that it may lack and whose default means what
/// it did then; `said(name, value)` is written only where it differs from its default. Fields that nobody
/// knows any more are not read.
namespace staithe::plan {

template <class T>
void write_value(std::string& to, const T& value);
template <class T>
void read_value(const nlohmann::json& from, T& value);

inline void write_string(std::string& to, std::string_view text) {
  const bool plain = std::all_of(text.begin(), text.end(),
                                 [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
  if (plain)
    to.append("\"").append(text).append("\"");
  else
    to += nlohmann::json(text).dump();
}

/// Writes an object's text at the end of `to`, its members sorted by name as a parsed document would have
/// them. No document is made first, which would cost several times as much.
class WriteFields {
 public:
  explicit WriteFields(std::string& to) : to_(to), begin_(to.size()) {}

  template <class T>
  void field(const char* name, T& value) {
    const std::size_t begin = to_.size();
    write_value(to_, value);
    members_.push_back({name, begin, to_.size()});
  }
  template <class T>
  void later(const char* name, T& value) {
    field(name, value);
  }
  template <class T>
  void said(const char* name, T& value) {
    if (value != T{}) field(name, value);
  }
  void close() {
    std::sort(members_.begin(), members_.end(),
              [](const Member& one, const Member& other) { return one.name < other.name; });
    constexpr std::size_t room_for_name = 20;
    std::string text;
    text.reserve(to_.size() - begin_ + members_.size() * room_for_name);
    text += '{';
    for (const Member& member : members_) {
      if (text.size() > 1) text += ',';
      write_string(text, member.name);
      text.append(":").append(to_, member.begin, member.end - member.begin);
    }
    to_.resize(begin_);
    to_ += text + "}";
  }

 private:
  struct Member {
    std::string_view name;
    std::size_t begin, end;  ///< of its value in `to`
  };
  std::string& to_;
  std::size_t begin_;
  std::vector<Member> members_;
};
struct ReadFields {
  const nlohmann::json& from;
  template <class T>
  void field(const char* name, T& value) {
    read_value(from.at(name), value);
  }
  template <class T>
  void later(const char* name, T& value) {
    if (from.contains(name)) field(name, value);
  }
  template <class T>
  void said(const char* name, T& value) {
    later(name, value);
  }
};

// ---- types --------------------------------------------------------------------------------------------
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

template <class V, std::size_t index = 0>
void read_alternative(const std::string& kind, const nlohmann::json& from, V& value) {
  if constexpr (index < std::variant_size_v<V>) {
    if (kind == VariantNames<V>::names[index]) {
      std::variant_alternative_t<index, V> alternative;
      read_value(from, alternative);
      value = std::move(alternative);
      return;
    }
    read_alternative<V, index + 1>(kind, from, value);
  } else {
    throw base::Error(base::ErrorCode::invalid, "not a plan: unknown kind '" + kind + "'");
  }
}

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsPair : std::false_type {};
template <class A, class B>
struct IsPair<std::pair<A, B>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};
template <class T>
struct IsVariant : std::false_type {};
template <class... T>
struct IsVariant<std::variant<T...>> : std::true_type {};

template <class Items, class Write>
void write_list(std::string& to, const Items& items, Write write) {
  to += '[';
  for (const auto& item : items) {
    if (to.back() != '[') to += ',';
    write(item);
  }
  to += ']';
}

inline void write_text(std::string& to, const Text& text) {
  write_list(to, text.pieces(), [&](const auto& piece) {
    if (const auto* literal = std::get_if<std::string>(&piece)) return write_string(to, *literal);
    WriteFields object(to);
    if (const auto* secret = std::get_if<SecretRef>(&piece))
      object.field("secret", *secret);
    else
      object.field("capture", std::get<CaptureRef>(piece).name);
    object.close();
  });
}

inline void read_text(const nlohmann::json& from, Text& text) {
  for (const auto& piece : from) {
    if (piece.is_string()) {
      text.append(std::string_view(piece.get_ref<const std::string&>()));
    } else if (piece.contains("secret")) {
      SecretRef secret;
      read_value(piece.at("secret"), secret);
      text.append(std::move(secret));
    } else {
      text.append(CaptureRef{piece.at("capture").get<std::string>()});
    }
  }
}

/// An object's members; a variant's are those of what it holds, and which that is.
template <class T>
void write_members(WriteFields& object, const T& value) {
  if constexpr (IsVariant<T>::value) {
    std::visit([&](const auto& alternative) { write_members(object, alternative); }, value);
    const std::string kind = VariantNames<T>::names[value.index()];
    object.field("kind", kind);
  } else {
    fields(object, const_cast<T&>(value));  // NOLINT(cppcoreguidelines-pro-type-const-cast): only read
  }
}

template <class T>
void write_value(std::string& to, const T& value) {
  if constexpr (std::is_same_v<T, Text>) {
    write_text(to, value);
  } else if constexpr (std::is_same_v<T, base::Duration>) {
    to += std::to_string(value.count());
  } else if constexpr (std::is_enum_v<T>) {
    write_string(to, EnumNames<T>::names[static_cast<std::size_t>(value)]);
  } else if constexpr (std::is_same_v<T, bool>) {
    to += value ? "true" : "false";
  } else if constexpr (std::is_integral_v<T>) {
    to += std::to_string(value);
  } else if constexpr (std::is_same_v<T, std::string>) {
    write_string(to, value);
  } else if constexpr (IsVector<T>::value) {
    write_list(to, value, [&](const auto& item) { write_value(to, item); });
  } else if constexpr (IsOptional<T>::value) {
    if (value)
      write_value(to, *value);
    else
      to += "null";
  } else if constexpr (IsPair<T>::value) {
    write_value(to.append("["), value.first);
    write_value(to.append(","), value.second);
    to += ']';
  } else if constexpr (IsMap<T>::value) {
    WriteFields object(to);
    for (const auto& [key, item] : value) object.field(key.c_str(), item);
    object.close();
  } else {
    WriteFields object(to);
    write_members(object, value);
    object.close();
  }
}

template <class T>
void read_value(const nlohmann::json& from, T& value) {
  if constexpr (std::is_same_v<T, Text>) {
    read_text(from, value);
  } else if constexpr (std::is_same_v<T, base::Duration>) {
    value = base::Duration(from.get<std::int64_t>());
  } else if constexpr (std::is_enum_v<T>) {
    value = enum_from<T>(from.get<std::string>());
  } else if constexpr (std::is_arithmetic_v<T> || std::is_same_v<T, std::string>) {
    value = from.get<T>();
  } else if constexpr (IsVector<T>::value) {
    value.clear();  // a default such as the strategy's batches is replaced, not added to
    for (const auto& item : from) {
      value.emplace_back();
      read_value(item, value.back());
    }
  } else if constexpr (IsOptional<T>::value) {
    value.reset();
    if (!from.is_null()) read_value(from, value.emplace());
  } else if constexpr (IsPair<T>::value) {
    read_value(from.at(0), value.first);
    read_value(from.at(1), value.second);
  } else if constexpr (IsMap<T>::value) {
    for (const auto& [key, item] : from.items()) read_value(item, value[key]);
  } else if constexpr (IsVariant<T>::value) {
    read_alternative(from.at("kind").get<std::string>(), from, value);
  } else {
    ReadFields reader{from};
    fields(reader, value);
  }
}

}  // namespace staithe::plan
