#pragma once
#include "staithe/haproxy/socket.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

/// A HAProxy without a process: answers as 2.6 does (see transcripts/), keeps state as 2.6 does, and can be
/// reloaded, lost and interfered with at a chosen command.
namespace staithe::haproxy::test {

struct FakeServer {
  std::uint32_t admin = 0;
  std::uint32_t op = 2;
  std::uint32_t weight = 100;
  std::uint32_t initial_weight = 100;  ///< its file's, as the process has read it
  bool checked = true;
  bool agent = false;
  std::string cookie;
  std::string tracked;
  std::uint64_t sessions = 0;
  std::uint64_t total = 0;
  std::uint32_t limit = 0;      ///< its maxconn, 0 for none
  std::uint64_t unchanged = 0;  ///< seconds
  bool check_failed = false;    ///< its last one
};

class FakeBalancer {
 public:
  std::map<std::string, FakeServer> servers;     ///< by "backend/server"
  std::map<std::string, FakeServer> configured;  ///< what a reload goes back to
  std::uint64_t pid = 100;
  std::uint64_t uptime = 5;
  std::string level = "admin";
  bool refuses_connections = false;
  bool stopping = false;             ///< on its way out
  std::string refuses;               ///< start of a command that is not carried out
  std::vector<std::string> changes;  ///< every command that changes something, as it was received
  /// Called with every command before it is carried out.
  std::function<void(const std::string&)> before;
  std::string master_proc;  ///< what "show proc" lists under "# old workers"
  std::map<std::string, std::string> master_answers;

  Dial dial();
  Dial dial_master();
  void reload();
  std::string answer(const std::string& line);

 private:
  std::string one(const std::string& command);
  std::string change(const std::vector<std::string>& words);
  std::string set_state(FakeServer& server, const std::string& to);
  std::string show_servers(const std::string& backend);
  std::string show_stat(const std::string& backend);
  std::uint32_t inherited(const FakeServer& server);
};

}  // namespace staithe::haproxy::test
