#include "staithe/event/check_record.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace staithe::event {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 7> verdicts{"pass",    "skipped", "tolerated", "degraded",
                                                   "aborted", "error",   "fail"};
constexpr std::array<std::string_view, 3> outcomes{"held", "differs", "unjudged"};

// The fields of a record, for both directions. What is always there is `must`; what is only there when it has
// something to say, `may`.

template <class A, class V>
void fields(A& a, V& v, const CheckRecord::Judged* /*of*/) {
  a.must("subject", v.subject);
  a.must("wanted", v.wanted);
  a.must("got", v.got);
  a.must("outcome", v.outcome);
  a.may("why", v.why);
  a.may("warns", v.warns);
}

template <class A, class V>
void fields(A& a, V& v, const CheckRecord::Try* /*of*/) {
  a.must("started", v.started);
  a.may("note", v.note);
  a.may("reason", v.reason);
  a.may("judged", v.judged);
}

template <class A, class V>
void fields(A& a, V& v, const CheckRecord::History* /*of*/) {
  a.must("runs", v.runs);
  a.must("flips", v.flips);
  a.may("noise", v.noise);
}

template <class A, class V>
void fields(A& a, V& v, const CheckRecord* /*of*/) {
  a.must("suite", v.suite);
  a.must("name", v.name);
  a.must("key", v.key);
  a.must("part", v.part);
  a.must("severity", v.severity);
  a.must("verdict", v.verdict);
  a.must("file", v.file);
  a.must("line", v.line);
  a.must("request", v.request);
  a.must("release", v.release);
  a.must("started", v.started);
  a.must("duration_ms", v.duration);
  a.must("attempts", v.attempts);
  a.may("owner", v.owner);
  a.may("runbook", v.runbook);
  a.may("flaky", v.flaky);
  a.may("quarantined", v.quarantined);
  a.may("quarantine", v.quarantine);
  a.may("quarantine_ended", v.quarantine_ended);
  a.may("reason", v.reason);
  a.may("tolerated", v.tolerated);
  a.samples("samples", v.samples, v.samples_good);
  a.may("history", v.history);
  a.must("judged", v.judged);
  a.may("tries", v.tries);
  a.may("note", v.note);
  a.may("again", v.again);
  a.may("curl", v.curl);
}

template <class T>
Json written(const T& value);

class Writer {
 public:
  template <class T>
  void must(const char* name, const T& value) {
    json_[name] = written(value);
  }
  template <class T>
  void may(const char* name, const T& value) {
    if (!(value == T{})) must(name, value);
  }
  void samples(const char* name, const std::uint64_t& asked, const std::uint64_t& good) {
    if (asked > 1) json_[name] = {{"asked", asked}, {"good", good}};
  }
  Json json() && { return std::move(json_); }

 private:
  Json json_ = Json::object();
};

template <class T>
Json written_object(const T& value) {
  Writer writer;
  fields(writer, value, static_cast<const T*>(nullptr));
  return std::move(writer).json();
}

template <class T>
struct Written {
  static Json of(const T& value) {
    if constexpr (std::is_class_v<T> && !std::is_same_v<T, std::string>)
      return written_object(value);
    else
      return value;
  }
};
template <>
struct Written<base::Duration> {
  static Json of(const base::Duration& value) { return value.count(); }
};
template <class T>
struct Written<std::optional<T>> {
  static Json of(const std::optional<T>& value) { return written(*value); }
};
template <class T>
struct Written<std::vector<T>> {
  static Json of(const std::vector<T>& values) {
    auto all = Json::array();
    for (const auto& one : values) all.push_back(written(one));
    return all;
  }
};
template <class T>
Json written(const T& value) {
  return Written<T>::of(value);
}

[[noreturn]] void malformed(const std::string& what) {
  throw base::Error(base::ErrorCode::protocol, "not a record of a check: " + what);
}

class Reader {
 public:
  explicit Reader(const Json& json) : json_(json) {
    if (!json.is_object()) malformed("not an object");
  }

  template <class T>
  void must(const char* name, T& value) const {
    const auto found = json_.find(name);
    if (found == json_.end()) malformed(std::string("no ") + name);
    if (!read(*found, value)) malformed(name);
  }
  template <class T>
  void may(const char* name, T& value) const {
    if (json_.contains(name)) must(name, value);
  }
  void samples(const char* name, std::uint64_t& asked, std::uint64_t& good) const {
    const auto found = json_.find(name);
    if (found == json_.end()) return;
    const Reader inner(*found);
    inner.must("asked", asked);
    inner.must("good", good);
  }

 private:
  static bool read(const Json& from, std::string& to) {
    if (!from.is_string()) return false;
    to = base::printable(from.get_ref<const std::string&>());
    return true;
  }
  static bool read(const Json& from, bool& to) {
    if (from.is_boolean()) to = from.get<bool>();
    return from.is_boolean();
  }
  static bool read(const Json& from, std::uint64_t& to) {
    if (from.is_number_unsigned()) to = from.get<std::uint64_t>();
    return from.is_number_unsigned();
  }
  static bool read(const Json& from, double& to) {
    if (from.is_number()) to = from.get<double>();
    return from.is_number();
  }
  static bool read(const Json& from, base::Duration& to) {
    constexpr std::uint64_t longest = 366ULL * 24 * 3'600'000;
    std::uint64_t count = 0;
    if (!read(from, count) || count > longest) return false;
    to = base::Duration(static_cast<base::Duration::rep>(count));
    return true;
  }
  template <class T>
  static bool read(const Json& from, std::optional<T>& to) {
    return read(from, to.emplace());
  }
  template <class T>
  static bool read(const Json& from, std::vector<T>& to) {
    return from.is_array() && std::all_of(from.begin(), from.end(),
                                          [&](const Json& one) { return read(one, to.emplace_back()); });
  }
  template <class T>
  static bool read(const Json& from, T& to) {
    const Reader inner(from);
    fields(inner, to, static_cast<const T*>(nullptr));
    return true;
  }

  const Json& json_;
};

template <class Names>
bool is_one_of(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::string to_json(const CheckRecord& record) {
  return written(record).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::optional<CheckRecord> read_check_record(std::string_view line) {
  const auto json = Json::parse(line, nullptr, false);
  if (!json.is_object()) malformed("not an object");
  const auto type = json.find("type");
  if (type == json.end() || !type->is_string()) malformed("no type");
  if (*type != "check") return std::nullopt;
  CheckRecord record;
  const Reader reader(json);
  fields(reader, record, static_cast<const CheckRecord*>(nullptr));
  if (!is_one_of(verdicts, record.verdict)) malformed("verdict");
  for (const auto& judged : record.judged)
    if (!is_one_of(outcomes, judged.outcome)) malformed("outcome");
  return record;
}

}  // namespace staithe::event
