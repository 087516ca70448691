#include "finds.hpp"

#include "staithe/world/past_runs.hpp"
#include "staithe/world/recovery.hpp"

#include <utility>

namespace staithe::world {

std::string Finds::of(const std::string& host) {
  if (!read_) {
    for (const auto& record : store_.journal(run_id_))
      if (auto found = noted(record, found_key); !found.empty())
        found_.insert_or_assign(record.host, std::move(found));
    read_ = true;
  }
  const auto known = found_.find(host);
  return known == found_.end() ? std::string() : known->second;
}

bool Finds::in_service(const std::string& host) {
  const auto found = of(host);
  return !found.empty() && !was_out(found);
}

}  // namespace staithe::world
