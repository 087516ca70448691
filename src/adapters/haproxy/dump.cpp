#include "reply.hpp"
#include "text_scan.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>
#include <utility>

namespace staithe::haproxy {
namespace {

using base::Error;
using base::ErrorCode;

constexpr std::size_t most_columns = 1'000;

/// Column names of a dump, and one row of it.
class Row {
 public:
  Row(std::string_view dump, const std::vector<std::string>& names) : dump_(dump), names_(names) {}

  std::vector<std::string>& fields() noexcept { return fields_; }

  /// "" for a column that this version of HAProxy does not have.
  const std::string& text(std::string_view column) const {
    static const std::string none;
    const auto at = std::find(names_.begin(), names_.end(), column);
    return at == names_.end() ? none : fields_[static_cast<std::size_t>(at - names_.begin())];
  }
  /// An empty field is 0.
  template <class Number = std::uint64_t>
  Number number(std::string_view column) const {
    const auto& field = text(column);
    if (field.empty()) return 0;
    const auto value = number_in<Number>(field);
    if (!value) throw not_understood(std::string(dump_) + ", column " + std::string(column), field);
    return *value;
  }

 private:
  std::string_view dump_;
  const std::vector<std::string>& names_;
  std::vector<std::string> fields_;
};

void require_columns(std::string_view dump, const std::vector<std::string>& names,
                     std::initializer_list<std::string_view> needed) {
  if (names.size() > most_columns)
    throw Error(ErrorCode::protocol, std::string(dump) + " has too many columns");
  for (const auto column : needed)
    if (std::find(names.begin(), names.end(), column) == names.end())
      throw Error(ErrorCode::protocol,
                  "HAProxy's " + std::string(dump) + " has no column '" + std::string(column) + "'");
}

/// One record of HAProxy's CSV off the front of `rest`: quotes are doubled inside quotes, and a quoted field
/// may hold commas and line ends.
std::vector<std::string> take_record(std::string_view& rest) {
  std::vector<std::string> fields;
  std::string field;
  bool quoted = false;
  std::size_t at = 0;
  for (; at < rest.size(); ++at) {
    const char c = rest[at];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (at + 1 < rest.size() && rest[at + 1] == '"') {
        field += c;
        ++at;
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.push_back(std::exchange(field, {}));
      if (fields.size() > most_columns) throw Error(ErrorCode::protocol, "show stat has too many columns");
    } else if (c == '\n') {
      break;
    } else if (c != '\r') {
      field += c;
    }
  }
  if (quoted || at == rest.size()) throw Error(ErrorCode::io, "show stat was cut short");
  fields.push_back(std::move(field));
  rest.remove_prefix(at + 1);
  return fields;
}

/// Internal proxies are called "<HTTPCLIENT>" and the like: nothing that anybody can deploy to.
bool internal(const std::string& name) {
  return name.starts_with('<');
}

ServerRef checked_ref(std::string_view dump, std::string backend, std::string server) {
  if (!valid_name(backend)) throw not_understood(std::string(dump) + ", a backend's name", backend);
  if (!valid_name(server)) throw not_understood(std::string(dump) + ", a server's name", server);
  return {std::move(backend), std::move(server)};
}

std::string without_dash(const std::string& field) {
  return field == "-" ? std::string{} : field;
}

/// "* L7STS": what the last one found, while the next one is under way.
std::string status_of_check(std::string_view field) {
  if (field.starts_with("* ")) field.remove_prefix(2);
  return base::printable(field);
}

/// Source: HAProxy 2.6 and 3.0, include/haproxy/check-t.h (CHK_RES_FAILED).
constexpr std::string_view check_result_failed = "2";

ServerState state_of(const Row& row, std::string_view dump) {
  ServerState state;
  state.ref = checked_ref(dump, row.text("be_name"), row.text("srv_name"));
  state.address = base::printable(without_dash(row.text("srv_addr")));
  state.port = row.number<std::uint16_t>("srv_port");
  state.fqdn = base::printable(without_dash(row.text("srv_fqdn")));
  const auto op = row.number<std::uint32_t>("srv_op_state");
  if (op > 3) throw not_understood("srv_op_state", row.text("srv_op_state"));
  state.op = static_cast<Op>(op);
  state.admin = row.number<std::uint32_t>("srv_admin_state");
  state.weight = row.number<std::uint32_t>("srv_uweight");
  state.initial_weight = row.number<std::uint32_t>("srv_iweight");
  state.unchanged_seconds = number_in<std::uint64_t>(row.text("srv_time_since_last_change"));
  state.check_failed = row.text("srv_check_result") == check_result_failed;
  state.check = row.number<std::uint32_t>("srv_check_state");
  state.agent = row.number<std::uint32_t>("srv_agent_state");
  return state;
}

ServerStat stat_of(const Row& row, bool is_backend) {
  ServerStat stat;
  stat.is_backend = is_backend;
  stat.ref = checked_ref("show stat", row.text("pxname"), row.text("svname"));
  stat.sessions = row.number("scur");
  stat.queued = row.number("qcur");
  stat.limit = row.number<std::uint32_t>("slim");
  stat.total_sessions = row.number("stot");
  stat.chosen = row.number("lbtot");
  stat.weight = row.number<std::uint32_t>("weight");
  stat.backup = row.number<std::uint32_t>("bck") > 0;
  stat.status = base::printable(row.text("status"));
  stat.check_status = status_of_check(row.text("check_status"));
  stat.last_check = base::printable(row.text("last_chk"));
  stat.address = base::printable(row.text("addr"));
  stat.cookie = base::printable(row.text("cookie"));
  stat.algorithm = base::printable(row.text("algo"));
  if (const auto& tracked = row.text("tracked"); !tracked.empty()) {
    const auto slash = tracked.find('/');
    if (slash == std::string::npos) throw not_understood("show stat, column tracked", tracked);
    stat.tracked = checked_ref("show stat", tracked.substr(0, slash), tracked.substr(slash + 1));
  }
  return stat;
}

}  // namespace

std::vector<ServerState> parse_servers(std::string_view text) {
  constexpr std::string_view dump = "show servers state";
  if (const auto error = error_in(text)) throw Error(*error);
  if (text.empty()) throw Error(ErrorCode::io, "show servers state was cut short");
  if (const auto version = take_line(text); version != "1") throw not_understood(dump, version);
  const auto header = take_line(text);
  if (!header.starts_with("# ")) throw not_understood(dump, header);
  std::vector<std::string> names;
  for (const auto name : words(header.substr(2))) names.emplace_back(name);
  require_columns(dump, names,
                  {"be_name", "srv_name", "srv_addr", "srv_op_state", "srv_admin_state", "srv_uweight",
                   "srv_iweight", "srv_check_state", "srv_agent_state", "srv_fqdn", "srv_port"});
  std::vector<ServerState> states;
  while (!text.empty()) {
    if (text.find('\n') == std::string_view::npos)
      throw Error(ErrorCode::io, "show servers state was cut short");
    const auto line = take_line(text);
    if (line.empty()) continue;
    const auto fields = words(line);
    if (fields.size() != names.size()) throw not_understood(dump, line);
    Row row(dump, names);
    row.fields().assign(fields.begin(), fields.end());
    if (!internal(row.text("be_name"))) states.push_back(state_of(row, dump));
  }
  return states;
}

std::vector<ServerStat> parse_stats(std::string_view text) {
  constexpr std::string_view dump = "show stat";
  if (const auto error = error_in(text)) throw Error(*error);
  if (text.empty()) throw Error(ErrorCode::io, "show stat was cut short");
  if (!text.starts_with("# ")) throw not_understood(dump, text);
  text.remove_prefix(2);
  const auto names = take_record(text);
  require_columns(dump, names,
                  {"pxname", "svname", "qcur", "scur", "stot", "status", "weight", "act", "bck", "lbtot",
                   "tracked", "type"});
  std::vector<ServerStat> stats;
  while (!text.empty()) {
    Row row(dump, names);
    row.fields() = take_record(text);
    if (row.fields().size() == 1 && row.fields().front().empty()) continue;
    if (row.fields().size() != names.size()) throw not_understood(dump, base::join(row.fields(), ","));
    const auto type = row.number<std::uint32_t>("type");
    constexpr std::uint32_t backend_row = 1;
    constexpr std::uint32_t server_row = 2;
    if ((type == backend_row || type == server_row) && !internal(row.text("pxname")))
      stats.push_back(stat_of(row, type == backend_row));
  }
  return stats;
}

}  // namespace staithe::haproxy
