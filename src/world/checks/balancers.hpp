#pragma once
#include "hosts.hpp"

#include "staithe/checks/request.hpp"
#include "staithe/plan/plan.hpp"

#include <functional>

namespace staithe::world {

/// The servers of a backend as the balancer that is worst off sees them. Throws base::Error{not_found} when
/// no balancer is declared that could be asked, or one has no such backend; else as haproxy::Socket does.
/// `hosts` is called only for a balancer that is asked.
checks::Reply ask_balancers(const checks::HaproxyRequest& request, const plan::Plan& plan,
                            const std::function<Hosts&()>& hosts, const base::Scope& scope);

}  // namespace staithe::world
