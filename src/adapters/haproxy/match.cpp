#include "staithe/haproxy/match.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <arpa/inet.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>

namespace staithe::haproxy {
namespace {

using base::Error;
using base::ErrorCode;
using Ipv6 = std::array<unsigned char, 16>;

/// Both families as one; IPv4 in its mapped form.
std::optional<Ipv6> numeric(const std::string& text) {
  Ipv6 address{};
  if (::inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  std::array<unsigned char, 4> four{};
  if (::inet_pton(AF_INET, text.c_str(), four.data()) != 1) return std::nullopt;
  address[10] = address[11] = 0xff;
  std::copy(four.begin(), four.end(), address.begin() + 12);
  return address;
}

bool has_address(const ServerState& server, const std::vector<std::string>& addresses) {
  return std::any_of(addresses.begin(), addresses.end(), [&](const auto& address) {
    return (!server.address.empty() && same_address(address, server.address)) ||
           (!server.fqdn.empty() && same_address(address, server.fqdn));
  });
}

/// An unresolved or unix address says nothing about the host. Names among the wanted addresses do not
/// contradict an IP: they may resolve to it.
bool contradicts(const ServerState& server, const Wanted& wanted) {
  if (has_address(server, wanted.addresses))
    return wanted.port != 0 && server.port != 0 && server.port != wanted.port;
  const bool any_number = std::any_of(wanted.addresses.begin(), wanted.addresses.end(),
                                      [](const auto& address) { return numeric(address).has_value(); });
  return any_number && numeric(server.address) && (server.admin & admin_bit::no_address) == 0;
}

std::string endpoint(const std::string& address, std::uint16_t port) {
  std::string text = address.find(':') == std::string::npos ? address : '[' + address + ']';
  if (port != 0) text += ':' + std::to_string(port);
  return text;
}

class Matcher {
 public:
  Matcher(const Wanted& wanted, std::span<const View> views) : wanted_(wanted), views_(views) {}

  std::vector<Pair> run() {
    if (wanted_.names.empty()) {
      by_address();
    } else {
      for (const auto& name : wanted_.names) by_name(name);
    }
    if (complaints_.empty() && pairs_.empty()) complain(ErrorCode::not_found, nobody_text());
    if (!complaints_.empty()) throw Unmatched(code_, wanted_.host + ": " + base::join(complaints_, "; "));
    order_by_view();
    return std::move(pairs_);
  }

 private:
  void complain(ErrorCode code, std::string text) {
    if (complaints_.empty()) code_ = code;
    complaints_.push_back(std::move(text));
  }

  std::string nobody_text() const {
    if (wanted_.addresses.empty()) return "no server stands for it: neither names nor an address are known";
    return "no server of any balancer has the address " + endpoint(wanted_.addresses.front(), wanted_.port);
  }

  void by_name(const ServerRef& name) {
    std::vector<std::string> missing_on;
    bool anywhere = false;
    for (const auto& view : views_) {
      const auto has_backend = [&](const auto& row) { return row.ref.backend == name.backend; };
      const auto row = std::find_if(view.servers.begin(), view.servers.end(),
                                    [&](const auto& server) { return server.ref == name; });
      if (row != view.servers.end()) {
        anywhere = true;
        take_named(view, *row);
      } else if (std::any_of(view.servers.begin(), view.servers.end(), has_backend)) {
        missing_on.push_back(view.balancer);
      }
    }
    if (!anywhere) {
      complain(ErrorCode::not_found, "no balancer has a server " + to_text(name) + suggestion(name));
    } else if (!missing_on.empty()) {
      complain(ErrorCode::not_found, base::join(missing_on, ", ") + " has the backend " + name.backend +
                                         ", but no server " + name.server + " in it" + suggestion(name));
    }
  }

  void take_named(const View& view, const ServerState& row) {
    if (!contradicts(row, wanted_)) {
      add(view, row.ref);
      return;
    }
    complain(ErrorCode::conflict, to_text(row.ref) + " on " + view.balancer + " is " +
                                      endpoint(row.address, row.port) + ", but the host is " +
                                      endpoint(wanted_.addresses.front(), wanted_.port));
  }

  void by_address() {
    for (const auto& view : views_) {
      std::map<std::string, const ServerState*> first_of;
      for (const auto& row : view.servers) {
        if (!takes(wanted_, row)) continue;
        const auto [first, is_new] = first_of.emplace(row.ref.backend, &row);
        if (!is_new && first->second->port != row.port)
          complain(ErrorCode::invalid, to_text(first->second->ref) + " (port " +
                                           std::to_string(first->second->port) + ") and " + to_text(row.ref) +
                                           " (port " + std::to_string(row.port) + ") on " + view.balancer +
                                           " both have its address: name the server or the port");
        add(view, row.ref);
      }
    }
  }

  void add(const View& view, const ServerRef& ref) {
    Pair pair{view.balancer, ref};
    if (std::find(pairs_.begin(), pairs_.end(), pair) == pairs_.end()) pairs_.push_back(std::move(pair));
  }

  std::string suggestion(const ServerRef& name) const {
    std::set<std::string> known;
    for (const auto& view : views_)
      for (const auto& row : view.servers) known.insert(to_text(row.ref));
    const std::vector<std::string> candidates(known.begin(), known.end());
    const auto near = base::nearest(to_text(name), candidates);
    return near ? " (did you mean " + *near + "?)" : "";
  }

  void order_by_view() {
    const auto place = [&](const Pair& pair) {
      return std::find_if(views_.begin(), views_.end(),
                          [&](const auto& view) { return view.balancer == pair.balancer; }) -
             views_.begin();
    };
    std::stable_sort(pairs_.begin(), pairs_.end(),
                     [&](const Pair& a, const Pair& b) { return place(a) < place(b); });
  }

  const Wanted& wanted_;
  std::span<const View> views_;
  std::vector<Pair> pairs_;
  std::vector<std::string> complaints_;
  ErrorCode code_ = ErrorCode::not_found;
};

}  // namespace

bool same_address(const std::string& a, const std::string& b) {
  const auto left = numeric(a);
  const auto right = numeric(b);
  if (left || right) return left == right;
  return ::strcasecmp(a.c_str(), b.c_str()) == 0;
}

bool takes(const Wanted& wanted, const ServerState& server) {
  if (!wanted.names.empty())
    return std::find(wanted.names.begin(), wanted.names.end(), server.ref) != wanted.names.end();
  return has_address(server, wanted.addresses) && (wanted.port == 0 || server.port == wanted.port);
}

std::vector<Pair> match(const Wanted& wanted, std::span<const View> views) {
  return Matcher(wanted, views).run();
}

}  // namespace staithe::haproxy
