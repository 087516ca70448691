#include "staithe/haproxy/calm.hpp"

#include <algorithm>

namespace staithe::haproxy {

void CalmDetector::reset() noexcept {
  streak_ = 0;
  last_.clear();
}

void CalmDetector::feed(const std::map<std::string, Load>& loads) {
  const bool idle = std::all_of(loads.begin(), loads.end(), [](const auto& load) {
    return load.second.sessions == 0 && load.second.queued == 0;
  });
  // The first poll has nothing to be compared with, so it counts when it is idle; any key not seen in the
  // poll before is a process or a server whose past is unknown.
  const bool same = last_.empty() || std::all_of(loads.begin(), loads.end(), [&](const auto& load) {
                      const auto before = last_.find(load.first);
                      return before != last_.end() && before->second == load.second;
                    });
  streak_ = !idle ? 0 : same ? streak_ + 1 : 1;
  last_ = loads;
}

}  // namespace staithe::haproxy
