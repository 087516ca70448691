#pragma once
#include "staithe/base/duration.hpp"
#include "staithe/checks/value.hpp"
#include "staithe/plan/text.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What a check asks of the outside: a closed set. The kinds of checks, which are open, are lowered to these.
namespace staithe::checks {

using plan::Text;

struct HttpRequest {
  /// How a value that is put into the body is written there.
  enum class Encoding { raw, json, form };
  enum class Auth { none, basic, bearer };

  std::string method = "GET";
  Text url;
  std::string target;  ///< in front of an url that begins with '/'
  std::vector<std::pair<std::string, Text>> headers;
  Text body;
  Encoding encoding = Encoding::raw;
  Auth auth = Auth::none;
  Text credentials;          ///< "user:password", or a bearer token
  int follow_redirects = 0;  ///< how many
  std::string connect_to;    ///< HOST:PORT, round the balancer
  std::string proxy;         ///< http://HOST:PORT; "": straight to the peer, whatever the environment says
  Text proxy_credentials;    ///< "user:password" for it
  std::string ca_file, client_certificate, client_key;
};

/// A TLS handshake, and what the certificate says.
struct TlsRequest {
  Text host;
  std::uint16_t port = 443;
  std::string server_name;  ///< asked for and compared; "" for the host
  std::string connect_to;   ///< HOST:PORT
  std::string ca_file;
};

struct TcpRequest {
  Text host;
  std::uint16_t port = 0;
};

struct DnsRequest {
  Text name;
};

/// A query in a transaction that cannot write.
struct SqlRequest {
  std::string connection;  ///< as the inventory calls it
  plan::SecretRef url;
  std::string query;
  std::vector<Text> arguments;
};

struct RunRequest {
  std::string host;  ///< "" for this machine
  std::string command;
  std::vector<plan::Input> inputs;
};

/// The servers of one backend, as every balancer of the environment sees them.
struct HaproxyRequest {
  std::string backend;
  std::vector<std::string> balancers;  ///< none: all
};

/// Two queries by a key. What the right side lacks at first may come until `allowance` is over.
struct CompareRequest {
  SqlRequest left, right;
  std::string key;
  base::Duration allowance{0};
};

/// Lets time pass.
struct PauseRequest {
  base::Duration duration{0};
};

using Request = std::variant<HttpRequest, TlsRequest, TcpRequest, DnsRequest, SqlRequest, RunRequest,
                             HaproxyRequest, CompareRequest, PauseRequest>;

/// A URL as people may see it: without a password that its author has written into it.
Text shown_url(const Text& url);
/// "POST https://api.example.com/cards", without a secret.
std::string title_of(const Request& request);
/// Whether asking twice is the same as asking once.
bool is_safe(const Request& request);
/// A command line that asks the same, with "$NAME" and "***" in the place of secrets; "" where none does.
std::string curl_line(const Request& request);
/// Every text with holes in it.
std::vector<const Text*> texts_of(const Request& request);
std::vector<Text*> texts_of(Request& request);

/// What came back.
struct Reply {
  /// Why there is no answer at all. `unreachable`: the system under test did not answer; `ours`: the question
  /// could not be put (a name that does not resolve, a missing secret, a wrong certificate of our own).
  enum class Failure { none, unreachable, ours, cancelled };

  Failure failure = Failure::none;
  std::string reason;
  Facts facts;
  std::string body;
  /// Facts, and "body", of which only the first part was kept, and how much that is: what holds of a part
  /// need not hold of the whole.
  std::map<std::string, std::string, std::less<>> cut;
  /// Facts that are of nothing, as there was nothing to look at: what holds of them says nothing.
  std::set<std::string, std::less<>> hollow;
  /// By fact: what lies behind it, in words, for whom it is not as wanted. "expired 698 days ago".
  std::map<std::string, std::string, std::less<>> behind;
  std::string content_type;
  std::string note;    ///< for people: "200 in 12 ms from 127.0.0.1:80"
  std::string quoted;  ///< goes on with it: a line of the fact "err", which may hold what is secret
  base::Duration duration{0};
};

}  // namespace staithe::checks
