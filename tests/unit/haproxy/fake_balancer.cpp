#include "fake_balancer.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <memory>

namespace staithe::haproxy::test {
namespace {

class FakeStream final : public Stream {
 public:
  explicit FakeStream(std::function<std::string(const std::string&)> answer) : answer_(std::move(answer)) {}
  void write_all(std::string_view bytes, const base::Scope&) override { asked_ += bytes; }
  void close_write() override {}
  std::string read_some(const base::Scope&) override {
    if (done_) return {};
    done_ = true;
    return answer_(asked_);
  }

 private:
  std::function<std::string(const std::string&)> answer_;
  std::string asked_;
  bool done_ = false;
};

bool changes_something(const std::string& command) {
  return command.rfind("show ", 0) != 0 && command.rfind("set severity", 0) != 0;
}

}  // namespace

Dial FakeBalancer::dial() {
  return [this](const base::Scope& scope) -> std::unique_ptr<Stream> {
    if (scope.expired()) throw base::Error(base::ErrorCode::timeout, "connecting took too long");
    if (refuses_connections) throw base::Error(base::ErrorCode::connect, "connection refused");
    return std::make_unique<FakeStream>([this](const std::string& line) { return answer(line); });
  };
}

Dial FakeBalancer::dial_master() {
  return [this](const base::Scope&) -> std::unique_ptr<Stream> {
    return std::make_unique<FakeStream>([this](const std::string& line) -> std::string {
      const auto command = line.substr(0, line.find('\n'));
      if (command.find("show ") == std::string::npos) changes.push_back(command);
      if (command == "show proc")
        return "#<PID> <type> <reloads>\n1 master 0\n# workers\n" + std::to_string(pid) +
               " worker 0\n# old workers\n" + master_proc + "# programs\n\n";
      const auto known = master_answers.find(command);
      return known == master_answers.end() ? "Can't find the target PID matching the prefix\n\n"
                                           : known->second;
    });
  };
}

void FakeBalancer::reload() {
  ++pid;
  servers = configured;
  for (auto& [name, server] : servers) server.initial_weight = server.weight;
}

std::string FakeBalancer::answer(const std::string& line) {
  std::string reply;
  for (const auto& command : base::split(std::string_view(line).substr(0, line.find('\n')), ';')) {
    if (before) before(command);
    if (changes_something(command)) changes.push_back(command);
    reply += one(command) + "\n";
  }
  return reply;
}

std::string FakeBalancer::one(const std::string& command) {
  if (command == "set severity-output number") return "";
  if (command == "show cli level") return "[6]: " + level + "\n";
  if (command == "show table") return "";
  if (command == "show info")
    return "Name: HAProxy\nVersion: 2.6.12\nPid: " + std::to_string(pid) +
           "\nUptime_sec: " + std::to_string(uptime) + "\nStopping: " + (stopping ? "1\n" : "0\n");
  const auto words = base::split(command, ' ');
  if (command.rfind("show servers state", 0) == 0) return show_servers(words.size() > 3 ? words[3] : "");
  if (command.rfind("show stat ", 0) == 0) return show_stat(words[2] == "-1" ? "" : words[2]);
  if (level != "admin") return "[3]: Permission denied\n";
  if (!refuses.empty() && command.rfind(refuses, 0) == 0)
    return "[3]: Backend is using a static LB algorithm and only accepts weights '0%' and '100%'.\n";
  return change(words);
}

std::string FakeBalancer::change(const std::vector<std::string>& words) {
  const bool three = words[0] == "shutdown";
  const auto& name = words[three ? 3 : 2];
  const auto at = servers.find(name);
  if (at == servers.end()) return "[3]: No such server.\n";
  auto& server = at->second;
  if (words[0] == "disable" || words[0] == "enable") server.agent = words[0] == "enable";
  if (words[0] == "set" && words[1] == "weight")
    server.weight = static_cast<std::uint32_t>(std::stoul(words[3]));
  if (three) server.sessions = 0;
  if (words.size() > 4 && words[3] == "state") return set_state(server, words[4]);
  if (words.size() > 4 && words[3] == "health") {
    if (!server.tracked.empty()) return "[3]: cannot change health on a tracking server.\n";
    server.op = 0;
  }
  return "";
}

std::string FakeBalancer::set_state(FakeServer& server, const std::string& to) {
  const bool leaves_maint = (server.admin & 1U) != 0 && to != "maint";
  if (leaves_maint) server.op = 2;  // declared UP before any check
  server.admin &= ~9U;
  if (to == "maint") server.admin |= 1U;
  if (to == "drain") server.admin |= 8U;
  return "";
}

std::uint32_t FakeBalancer::inherited(const FakeServer& server) {
  if (server.tracked.empty()) return 0;
  const auto& target = servers.at(server.tracked);
  const auto all = target.admin | inherited(target);
  return ((all & 3U) != 0 ? 2U : 0U) | ((all & 0x18U) != 0 ? 0x10U : 0U);
}

std::string FakeBalancer::show_servers(const std::string& backend) {
  std::string text =
      "1\n# be_name srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight srv_check_state "
      "srv_agent_state srv_fqdn srv_port srv_time_since_last_change srv_check_result\n";
  for (const auto& [name, server] : servers) {
    const auto slash = name.find('/');
    if (!backend.empty() && name.substr(0, slash) != backend) continue;
    text += name.substr(0, slash) + ' ' + name.substr(slash + 1) + " 10.0.0.1 " + std::to_string(server.op) +
            ' ' + std::to_string(server.admin | inherited(server)) + ' ' + std::to_string(server.weight) +
            ' ' + std::to_string(server.initial_weight) + ' ' + (server.checked ? "6 " : "0 ") +
            (server.agent ? "22" : "18") + " - 80 " + std::to_string(server.unchanged) +
            (server.check_failed ? " 2\n" : " 3\n");
  }
  return text;
}

std::string FakeBalancer::show_stat(const std::string& backend) {
  std::string text =
      "# pxname,svname,qcur,scur,stot,status,weight,act,bck,lbtot,tracked,type,check_status,cookie,slim,\n";
  for (const auto& [name, server] : servers) {
    const auto slash = name.find('/');
    if (!backend.empty() && name.substr(0, slash) != backend) continue;
    text += name.substr(0, slash) + ',' + name.substr(slash + 1) + ",0," + std::to_string(server.sessions) +
            ',' + std::to_string(server.total) + ',' + (server.op == 0 ? "DOWN" : "UP") + ',' +
            std::to_string(server.weight) + ",1,0," + std::to_string(server.total) + ',' + server.tracked +
            ",2," + (server.op == 0 ? "L4CON," : "L7OK,") + server.cookie + ',' +
            (server.limit == 0 ? "" : std::to_string(server.limit)) + ",\n";
  }
  return text;
}

}  // namespace staithe::haproxy::test
