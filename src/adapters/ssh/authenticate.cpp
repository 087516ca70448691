#include "authenticate.hpp"

#include "agent.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace staithe::ssh {
namespace {

using base::Error;
using base::ErrorCode;

class Authentication {
 public:
  Authentication(Link& link, const Endpoint& endpoint, KeyRing& ring, const base::Scope& scope)
      : link_(link), endpoint_(endpoint), ring_(ring), scope_(scope) {}

  Admission run() {
    if (with_agent()) return {"agent", std::move(notes_)};
    for (const std::string& file : endpoint_.identity_files)
      if (with_file(file)) return {file, std::move(notes_)};
    throw refusal();
  }

 private:
  /// True when it opened the door, false when the next thing may be tried.
  bool accepted(int result) {
    switch (result) {
      case SSH_AUTH_SUCCESS:
        return true;
      case SSH_AUTH_DENIED:
        return false;
      case SSH_AUTH_PARTIAL:
        partial_ = true;
        return false;
      default:
        break;
    }
    scope_.check("authentication");
    if (!link_.connected())
      throw Error(ErrorCode::auth,
                  fmt::format("the server ended the connection during authentication: {}", link_.reason()));
    return false;
  }

  bool with_file(const std::string& file) {
    const Identity identity = ring_.load(file, endpoint_.certificate_files);
    if (!identity.problem.empty()) notes_.push_back(fmt::format("{}: {}", file, identity.problem));
    if (identity.is_missing && !endpoint_.identity_files_are_defaults)
      notes_.push_back(file + ": no such file");
    if (identity.keys.empty()) return false;
    for (const auto& key : identity.keys) {
      const auto step = [&] { return ::ssh_userauth_publickey(link_.raw(), nullptr, key->raw()); };
      if (accepted(link_.drive(step, SSH_AUTH_AGAIN, scope_, "authentication"))) return true;
    }
    tried_.push_back(file);
    return false;
  }

  bool with_agent() {
    std::string problem;
    std::optional<Agent> agent = Agent::connect(endpoint_.identity_agent, problem);
    if (!agent) {
      if (!problem.empty()) notes_.push_back("agent: " + problem);
      return false;
    }
    std::vector<AgentKey> keys;
    try {
      keys = chosen(agent->keys(scope_));
    } catch (const Error& error) {
      scope_.check("the SSH agent");
      notes_.push_back(fmt::format("agent: {}", error.what()));
    }
    holds_none_ = keys.empty();
    if (keys.empty()) return false;
    const AgentRelay relay(std::move(*agent), keys, scope_);
    ::ssh_set_agent_socket(link_.raw(), relay.socket());
    const Detach detach{link_.raw()};
    const auto step = [&] { return ::ssh_userauth_agent(link_.raw(), nullptr); };
    if (accepted(link_.drive(step, SSH_AUTH_AGAIN, scope_, "authentication"))) return true;
    tried_.push_back(fmt::format("agent ({} {})", keys.size(), keys.size() == 1 ? "key" : "keys"));
    return false;
  }

  /// Takes the relay's socket away from libssh, which would close it.
  struct Detach {
    ssh_session session;
    ~Detach() { ::ssh_set_agent_socket(session, -1); }
  };

  /// The agent's keys in the order to be shown: those of the identity files, in the files' order, then the
  /// others unless only identities are wanted. A server counts every key shown, and gives up soon.
  std::vector<AgentKey> chosen(std::vector<AgentKey> keys) {
    std::vector<AgentKey> result;
    if (keys.empty()) return result;
    for (const std::string& file : endpoint_.identity_files) {
      const PublicIdentity identity = ring_.load_public(file, endpoint_.certificate_files);
      for (const std::string& blob : identity.blobs) {
        const auto same = [&](const AgentKey& key) { return key.blob == blob; };
        const auto found = std::find_if(keys.begin(), keys.end(), same);
        if (found == keys.end()) continue;
        result.push_back(std::move(*found));
        keys.erase(found);
      }
    }
    if (!endpoint_.identities_only) std::move(keys.begin(), keys.end(), std::back_inserter(result));
    return result;
  }

  Error refusal() {
    const std::string none = endpoint_.identity_files_are_defaults
                                 ? "no key to show: no file is named, and none of ssh's usual ones has a key"
                                 : "no key to show";
    std::string text = tried_.empty() ? none : "the server refused " + base::join(tried_, ", ");
    text = fmt::format("authentication as {} failed: {}", base::printable(endpoint_.user), text);
    if (partial_) text += "; a key was accepted, but the server wants a further method";
    const int list = tried_.empty() ? 0 : ::ssh_userauth_list(link_.raw(), nullptr);
    const auto methods = static_cast<unsigned>(list);
    if (methods != 0 && (methods & SSH_AUTH_METHOD_PUBLICKEY) == 0)
      text += "; the server does not accept public keys";
    if (holds_none_ && notes_.empty()) notes_.emplace_back("agent: it holds no key for this");
    if (!notes_.empty()) text += fmt::format(" ({})", base::join(notes_, "; "));
    return {ErrorCode::auth, text};
  }

  Link& link_;
  const Endpoint& endpoint_;
  KeyRing& ring_;
  const base::Scope& scope_;
  bool partial_ = false;
  std::vector<std::string> tried_;  ///< shown and refused
  std::vector<std::string> notes_;  ///< what could not be shown, and why
  bool holds_none_ = false;         ///< an agent answered, and no key of its own was to be shown
};

}  // namespace

Admission authenticate(Link& link, const Endpoint& endpoint, KeyRing& keys, const base::Scope& scope) {
  return Authentication(link, endpoint, keys, scope).run();
}

}  // namespace staithe::ssh
