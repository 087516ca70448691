#include "staithe/watch/schedule.hpp"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

namespace staithe::watch {
namespace {

constexpr base::Duration longest_first_delay{10'000};
constexpr base::Duration longest_jitter{5'000};

std::size_t index_of(const checks::SuitePlan& plan, const std::string& name) {
  const auto found =
      std::find_if(plan.suites.begin(), plan.suites.end(), [&](const auto& one) { return one.name == name; });
  return static_cast<std::size_t>(found - plan.suites.begin());
}

/// FNV-1a, and splitmix64's finish: the same in every process and library, unlike std::hash.
std::uint64_t mixed(std::string_view text, std::uint64_t number) {
  std::uint64_t value = 0xcbf29ce484222325ULL;
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  value += number * 0x9e3779b97f4a7c15ULL;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

base::Duration part_of(base::Duration most, std::uint64_t dice) {
  return most.count() <= 0
             ? base::Duration{0}
             : base::Duration(static_cast<std::int64_t>(dice % static_cast<std::uint64_t>(most.count())));
}

}  // namespace

std::vector<std::vector<std::size_t>> units_of(const checks::SuitePlan& plan) {
  std::vector<std::size_t> leader(plan.suites.size());
  std::iota(leader.begin(), leader.end(), std::size_t{0});
  const std::function<std::size_t(std::size_t)> find = [&](std::size_t one) {
    return leader[one] == one ? one : leader[one] = find(leader[one]);
  };
  for (std::size_t i = 0; i < plan.suites.size(); ++i)
    for (const auto& name : plan.suites[i].depends_on)
      if (const auto other = index_of(plan, name); other < plan.suites.size()) {
        const auto [low, high] = std::minmax({find(i), find(other)});
        leader[high] = low;
      }
  std::vector<std::vector<std::size_t>> units;
  for (std::size_t i = 0; i < plan.suites.size(); ++i) {
    if (find(i) != i) continue;
    units.emplace_back();
    for (std::size_t other = i; other < plan.suites.size(); ++other)
      if (find(other) == i) units.back().push_back(other);
  }
  return units;
}

std::vector<base::Duration> intervals_of(const checks::SuitePlan& plan) {
  std::vector<base::Duration> every;
  for (const auto& suite : plan.suites) every.push_back(suite.schedule);
  // Along chains of dependencies, however long; what has a schedule of its own keeps it.
  for (std::size_t round = 0; round < plan.suites.size(); ++round)
    for (std::size_t i = 0; i < plan.suites.size(); ++i)
      for (const auto& name : plan.suites[i].depends_on) {
        const auto other = index_of(plan, name);
        if (other >= plan.suites.size() || plan.suites[other].schedule.count() > 0) continue;
        if (every[i].count() > 0 && (every[other].count() == 0 || every[i] < every[other]))
          every[other] = every[i];
      }
  return every;
}

Timetable::Timetable(const checks::SuitePlan& plan, std::vector<std::size_t> unit, base::SteadyTime start)
    : plan_(plan), unit_(std::move(unit)), start_(start) {
  base::Duration shortest{0};
  for (const auto index : unit_) {
    const auto every = plan_.suites[index].schedule;
    if (every.count() <= 0) continue;
    entries_.push_back({index, every});
    shortest = shortest.count() == 0 ? every : std::min(shortest, every);
  }
  if (unit_.empty()) return;
  seed_ = mixed(plan_.suites[unit_.front()].name, 0);
  first_ = part_of(std::min(shortest / 2, longest_first_delay), seed_);
  jitter_ = std::min(shortest / 20, longest_jitter);
}

base::SteadyTime Timetable::time_of(const Entry& entry) const {
  const auto on_grid = entry.every * static_cast<std::int64_t>(entry.tick);
  // By the grid's moment, not by the suite: those of one unit that fall together stay together.
  const auto dice = mixed("tick", seed_ ^ static_cast<std::uint64_t>(on_grid.count()));
  const auto jitter = entry.tick == 0 ? base::Duration{0} : part_of(jitter_, dice);
  return start_ + first_ + on_grid + jitter;
}

base::SteadyTime Timetable::next() const {
  auto earliest = base::SteadyTime::max();
  for (const auto& entry : entries_) earliest = std::min(earliest, time_of(entry));
  return earliest;
}

std::vector<std::size_t> Timetable::due(base::SteadyTime now) {
  std::set<std::size_t> wanted;
  for (auto& entry : entries_) {
    if (time_of(entry) > now) continue;
    wanted.insert(entry.suite);
    ++entry.tick;
  }
  std::vector<std::size_t> open(wanted.begin(), wanted.end());
  while (!open.empty()) {
    const auto index = open.back();
    open.pop_back();
    for (const auto& name : plan_.suites[index].depends_on)
      if (const auto other = index_of(plan_, name);
          other < plan_.suites.size() && wanted.insert(other).second)
        open.push_back(other);
  }
  return {wanted.begin(), wanted.end()};
}

std::vector<std::pair<std::size_t, std::size_t>> Timetable::skip_passed(base::SteadyTime now) {
  std::vector<std::pair<std::size_t, std::size_t>> skipped;
  for (auto& entry : entries_) {
    if (time_of(entry) > now) continue;
    const auto passed = std::chrono::duration_cast<base::Duration>(now - start_ - first_) / entry.every;
    const auto before = entry.tick;
    entry.tick =
        std::max<std::uint64_t>(entry.tick, static_cast<std::uint64_t>(std::max<std::int64_t>(passed, 0)));
    while (time_of(entry) <= now) ++entry.tick;
    skipped.emplace_back(entry.suite, entry.tick - before);
  }
  return skipped;
}

}  // namespace staithe::watch
