#pragma once
#include "catch.hpp"
#include "fake_balancer.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/haproxy/rotation.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace staithe::haproxy::test {

using base::Error;
using base::ErrorCode;
using base::Scope;
using Lines = std::vector<std::string>;

struct Rig {
  FakeBalancer one;
  FakeBalancer two;
  Socket lb1{"lb1", one.dial()};
  Socket lb2{"lb2", two.dial()};
  RotationOptions options{base::Duration(2), 3, base::Duration(120)};

  Rig() {
    for (auto* balancer : {&one, &two}) {
      balancer->servers = {{"api/web1", {}}, {"api/web2", {}}, {"adm/web1", {}}};
      balancer->configured = balancer->servers;
    }
  }

  Rotation rotation() { return Rotation({{&lb1, {{"api", "web1"}}}, {&lb2, {{"api", "web1"}}}}, options); }
  Rotation rotation_of(std::vector<ServerRef> refs) { return Rotation({{&lb1, std::move(refs)}}, options); }
};

inline Scope soon() {
  return Scope::lasting(base::Duration(60'000));
}
inline Scope at_once() {
  return Scope::lasting(base::Duration(1'000));
}

inline bool has(const Lines& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

template <class Call>
inline std::string failure(ErrorCode code, Call&& call) {
  try {
    call();
  } catch (const Error& error) {
    CHECK(error.code() == code);
    return error.what();
  }
  FAIL("nothing was thrown");
  return {};
}

}  // namespace staithe::haproxy::test
