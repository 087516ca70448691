#include "tally.hpp"

#include <algorithm>
#include <cstdio>

namespace load {
namespace {

constexpr std::size_t bucket_count = 600'000;
constexpr std::size_t max_examples = 50;
constexpr std::size_t max_names = 200;

std::string number(double value) {
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.1f", value);
  return text.data();
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return out + '"';
}

}  // namespace

Tally::Tally(Clock::time_point start) : start_(start), buckets_(bucket_count) {}

double Tally::seconds(Clock::time_point now) const {
  return std::chrono::duration<double>(now - start_).count();
}

void Tally::see(std::map<std::string, Seen>& all, const std::string& name, double at) {
  if (all.size() >= max_names && all.count(name) == 0) {
    return;
  }
  auto& seen = all[name];
  if (seen.count++ == 0) {
    seen.first_s = at;
  }
  seen.last_s = at;
}

void Tally::answered(const std::string& version, const std::string& host, Clock::duration took,
                     Clock::time_point now) {
  ++answered_;
  max_ = std::max(max_, took);
  const auto tenths = std::chrono::duration_cast<std::chrono::microseconds>(took).count() / 100;
  ++buckets_[std::min(static_cast<std::size_t>(std::max<long>(tenths, 0)), bucket_count - 1)];
  see(versions_, version, seconds(now));
  see(hosts_, host, seconds(now));
}

void Tally::failed(Failure kind, const std::string& where, const std::string& detail, Clock::time_point now) {
  const auto index = static_cast<std::size_t>(kind);
  ++failed_.at(index);
  if (examples_.size() < max_examples) {
    examples_.push_back(number(seconds(now)) + "s " + where + " " + std::string(failure_names.at(index)) +
                        ": " + detail);
  }
}

std::uint64_t Tally::failures() const {
  std::uint64_t sum = 0;
  for (const auto count : failed_) {
    sum += count;
  }
  return sum;
}

double Tally::percentile_ms(double part) const {
  const auto wanted = static_cast<std::uint64_t>(part * static_cast<double>(answered_));
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    sum += buckets_[i];
    if (sum > wanted) {
      return static_cast<double>(i + 1) / 10;
    }
  }
  return 0;
}

std::string Tally::json(Clock::time_point now) const {
  std::string out = "{\"requests\":" + std::to_string(requests()) +
                    ",\"failed\":" + std::to_string(failures()) + ",\"retried\":" + std::to_string(retried_) +
                    ",\"failed_by\":{";
  for (std::size_t i = 0; i < failed_.size(); ++i) {
    out += (i == 0 ? "" : ",") + json_text(failure_names.at(i)) + ":" + std::to_string(failed_.at(i));
  }
  out += "},\"seconds\":" + number(seconds(now)) + ",\"p50_ms\":" + number(percentile_ms(0.5)) +
         ",\"p99_ms\":" + number(percentile_ms(0.99)) +
         ",\"max_ms\":" + number(std::chrono::duration<double, std::milli>(max_).count());
  for (const auto& [key, all] : {std::pair{"versions", &versions_}, std::pair{"hosts", &hosts_}}) {
    out += ",\"" + std::string(key) + "\":[";
    for (const auto& [name, seen] : *all) {
      out += (out.back() == '[' ? "" : ",") + ("{\"name\":" + json_text(name)) +
             ",\"count\":" + std::to_string(seen.count) + ",\"first_s\":" + number(seen.first_s) +
             ",\"last_s\":" + number(seen.last_s) + "}";
    }
    out += "]";
  }
  out += ",\"failures\":[";
  for (const auto& example : examples_) {
    out += (out.back() == '[' ? "" : ",") + json_text(example);
  }
  return out + "]}";
}

std::string Tally::line(Clock::time_point now) const {
  std::string out = std::to_string(requests()) + " requests in " + number(seconds(now)) + " s, " +
                    std::to_string(failures()) + " failed; p50 " + number(percentile_ms(0.5)) + " ms, p99 " +
                    number(percentile_ms(0.99)) + " ms, longest " +
                    number(std::chrono::duration<double, std::milli>(max_).count()) + " ms";
  for (const auto& [name, seen] : versions_) {
    out += "; " + name + " " + number(seen.first_s) + "-" + number(seen.last_s) + " s";
  }
  return out;
}

}  // namespace load
