#include "gate.hpp"

#include <poll.h>

#include <algorithm>

namespace staithe::ssh {

Gate::Pass Gate::enter(const std::string& name, const base::Scope& scope) {
  auto waiter = std::make_shared<Waiter>();
  {
    const std::lock_guard lock(mutex_);
    Queue& queue = queues_[name];
    if (queue.inside < limit_) {
      ++queue.inside;
      return {this, name};
    }
    queue.waiting.push_back(waiter);
  }
  const auto woke = base::wait_for(waiter->admitted.fd(), POLLIN, scope);
  const std::lock_guard lock(mutex_);
  if (woke == base::Woke::ready || waiter->admitted.requested()) {
    Pass pass(this, name);
    return pass;
  }
  auto& waiting = queues_[name].waiting;
  waiting.erase(std::find(waiting.begin(), waiting.end(), waiter));
  scope.check("waiting for other connections to the same server");
  return {};
}

void Gate::leave(const std::string& name) noexcept {
  const std::lock_guard lock(mutex_);
  const auto found = queues_.find(name);
  Queue& queue = found->second;
  if (!queue.waiting.empty()) {
    queue.waiting.front()->admitted.request();  // the place is handed on
    queue.waiting.pop_front();
  } else if (--queue.inside == 0) {
    queues_.erase(found);
  }
}

}  // namespace staithe::ssh
