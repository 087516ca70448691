#include "reply.hpp"

#include "text_scan.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace staithe::haproxy {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t quoted_at_most = 200;
constexpr std::size_t longest_text = 200;

/// A reply without its "[3]: " and that number; 7 (debug) for text without a prefix.
struct Severe {
  int severity = 7;
  std::string_view text;
};

Severe take_severity(std::string_view reply) {
  const bool prefixed = reply.size() >= 4 && reply[0] == '[' && reply[1] >= '0' && reply[1] <= '7' &&
                        reply[2] == ']' && reply[3] == ':';
  if (!prefixed) return {7, reply};
  return {reply[1] - '0', base::trim(reply.substr(4))};
}

std::string first_line(std::string_view text) {
  return base::printable(base::trim(take_line(text)).substr(0, quoted_at_most));
}

ErrorCode code_of(std::string_view text) {
  struct Known {
    std::string_view start;
    ErrorCode code;
  };
  // What 2.6 to 3.0 say; anything else is only "failed".
  static constexpr std::array<Known, 10> known{{{"Permission denied", ErrorCode::permission},
                                                {"No such backend", ErrorCode::not_found},
                                                {"No such server", ErrorCode::not_found},
                                                {"No such proxy", ErrorCode::not_found},
                                                {"Can't find backend", ErrorCode::not_found},
                                                {"No such session", ErrorCode::not_found},
                                                {"Can't find the target", ErrorCode::not_found},
                                                // An old worker that ends at this very moment.
                                                {"Can't connect to the target", ErrorCode::not_found},
                                                {"Proxy is disabled", ErrorCode::unavailable},
                                                {"The command is too big", ErrorCode::invalid}}};
  for (const auto& entry : known)
    if (text.starts_with(entry.start)) return entry.code;
  return ErrorCode::failed;
}

bool printable_value(std::string_view text) {
  return text.size() <= longest_text &&
         std::none_of(text.begin(), text.end(), [](char c) { return c < 0x20 || c > 0x7e; });
}

std::uint64_t required(std::optional<std::uint64_t> value, std::string_view what, std::string_view line) {
  if (!value) throw not_understood(what, line);
  return *value;
}

}  // namespace

std::vector<std::string_view> words(std::string_view line) {
  std::vector<std::string_view> found;
  std::size_t at = 0;
  while (at < line.size()) {
    const auto first = line.find_first_not_of(" \t", at);
    if (first == std::string_view::npos) break;
    const auto last = std::min(line.find_first_of(" \t", first), line.size());
    found.push_back(line.substr(first, last - first));
    at = last;
  }
  return found;
}

Error not_understood(std::string_view what, std::string_view text) {
  return {ErrorCode::protocol, "cannot understand HAProxy's " + std::string(what) + ": '" +
                                   base::printable(text.substr(0, quoted_at_most)) + "'"};
}

std::optional<Error> error_in(std::string_view reply) {
  const auto [severity, text] = take_severity(reply);
  if (text.starts_with("Unknown command"))
    return Error(ErrorCode::failed, "this HAProxy does not know the command");
  if (severity > 3) return std::nullopt;
  return Error(code_of(text), first_line(text));
}

std::optional<Error> refusal_in(std::string_view reply) {
  if (auto error = error_in(reply)) return error;
  const auto text = base::trim(take_severity(reply).text);
  if (text.empty()) return std::nullopt;
  // Texts without a severity: a master that does not know the worker says it so.
  return Error(code_of(text), "HAProxy answered '" + first_line(text) + "'");
}

std::vector<std::string> split_replies(std::string_view reply, std::size_t count) {
  if (reply.empty()) throw Error(ErrorCode::io, "the connection was closed without an answer");
  std::vector<std::string> parts;
  std::string current;
  auto rest = reply;
  while (!rest.empty() && parts.size() <= count + 1) {
    const bool whole = rest.find('\n') != std::string_view::npos;
    const auto line = take_line(rest);
    if (line.empty() && whole) {
      parts.push_back(std::exchange(current, {}));
    } else {
      current += line;
      if (whole) current += '\n';
    }
  }
  if (parts.size() == count + 1 && current.empty() && rest.empty() && parts.front().empty()) {
    parts.erase(parts.begin());
    return parts;
  }
  // "Empty weight string…" lacks its empty line, so an error explains a wrong count better than "truncated".
  if (!current.empty()) parts.push_back(current);
  for (const auto& part : parts)
    if (const auto error = error_in(part)) throw Error(*error);
  if (parts.size() > count + 1) throw not_understood("answer, which is longer than the question", reply);
  throw Error(ErrorCode::io, "the answer was cut short");
}

Info parse_info(std::string_view text) {
  if (const auto error = error_in(text)) throw Error(*error);
  Info info;
  bool has_pid = false;
  while (!text.empty()) {
    const auto line = take_line(text);
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) {
      if (base::trim(line).empty()) continue;
      throw not_understood("show info", line);
    }
    const auto key = line.substr(0, colon);
    const auto value = base::trim(line.substr(colon + 1));
    const auto number = number_in<std::uint64_t>(value);
    if (key == "Pid") info.pid = required(number, "show info", line), has_pid = true;
    if (key == "Start_time_sec") info.started = required(number, "show info", line);
    if (key == "Uptime_sec") info.uptime_seconds = required(number, "show info", line);
    if (key == "Stopping") info.stopping = required(number, "show info", line) != 0;
    if ((key == "Version" || key == "node") && !printable_value(value))
      throw not_understood("show info", line);
    if (key == "Version") info.version = value;
    if (key == "node") info.node = value;
  }
  if (!has_pid) throw Error(ErrorCode::protocol, "HAProxy's show info names no Pid");
  return info;
}

std::string parse_level(std::string_view text) {
  if (const auto error = error_in(text)) throw Error(*error);
  const auto level = base::trim(take_severity(text).text);
  for (const std::string_view known : {"admin", "operator", "user"})
    if (level == known) return std::string(known);
  throw not_understood("level", text);
}

std::vector<StickTable> parse_tables(std::string_view text) {
  if (const auto error = error_in(text)) throw Error(*error);
  std::vector<StickTable> tables;
  constexpr std::string_view start = "# table: ";
  while (!text.empty()) {
    const auto line = take_line(text);
    if (base::trim(line).empty()) continue;
    if (!line.starts_with(start)) throw not_understood("show table", line);
    StickTable table;
    bool first = true;
    for (const auto& part : base::split(line.substr(start.size()), ',')) {
      const auto field = base::trim(part);
      if (first) table.name = field;
      if (field.starts_with("type: ")) table.type = field.substr(6);
      if (field.starts_with("used:"))
        table.used = required(number_in<std::uint64_t>(base::trim(field.substr(5))), "show table", line);
      first = false;
    }
    if (table.name.empty() || !printable_value(table.name) || !printable_value(table.type))
      throw not_understood("show table", line);
    tables.push_back(std::move(table));
  }
  return tables;
}

std::vector<Worker> parse_workers(std::string_view text) {
  if (const auto error = error_in(text)) throw Error(*error);
  if (!text.starts_with("#<PID>")) throw not_understood("show proc", text);
  std::vector<Worker> workers;
  bool old = false;
  while (!text.empty()) {
    const auto line = take_line(text);
    if (line.starts_with("# ")) {
      old = line.starts_with("# old workers");
      continue;
    }
    const auto fields = words(line);
    // Masters and programs are listed too.
    if (fields.size() < 3 || fields[1] != "worker") continue;
    const auto pid = number_in<std::uint64_t>(fields[0]);
    const auto reloads = number_in<std::uint64_t>(fields[2]);
    if (!pid || !reloads) throw not_understood("show proc", line);
    workers.push_back({*pid, old, *reloads});
  }
  return workers;
}

std::vector<Session> parse_sessions(std::string_view text) {
  if (const auto error = error_in(text)) throw Error(*error);
  std::vector<Session> sessions;
  while (!text.empty()) {
    const auto line = take_line(text);
    if (!line.starts_with("0x")) continue;
    const auto id = line.substr(0, line.find(':'));
    if (id.size() > 18 || !number_in<std::uint64_t>(id.substr(2), 16))
      throw not_understood("show sess", line);
    Session session{std::string(id), {}};
    for (const auto word : words(line)) {
      if (word.starts_with("be=")) session.ref.backend = word.substr(3);
      if (word.starts_with("srv=")) session.ref.server = word.substr(4);
    }
    // "<NONE>" and "<none>" are no names.
    if (valid_name(session.ref.backend) && valid_name(session.ref.server))
      sessions.push_back(std::move(session));
  }
  return sessions;
}

}  // namespace staithe::haproxy
