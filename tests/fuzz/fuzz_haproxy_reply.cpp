/// Any bytes as HAProxy's answer: every reader takes them or refuses them with base::Error, and nothing that
/// it takes could be turned into a second command or reach a terminal as a control sequence.
#include "reply.hpp"

#include "staithe/base/error.hpp"
#include "staithe/haproxy/capacity.hpp"
#include "staithe/haproxy/found.hpp"
#include "staithe/haproxy/risks.hpp"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>

using namespace staithe;
using namespace staithe::haproxy;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool harmless(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7f;
  });
}

template <class Read>
void attempt(Read&& read) {
  try {
    read();
  } catch (const base::Error& error) {
    require(harmless(error.what()));
  }
}

void read_dump(Snapshot& snapshot, std::string_view text) {
  attempt([&] {
    snapshot.states = parse_servers(text);
    for (const auto& state : snapshot.states) {
      require(parse_ref(to_text(state.ref)) == state.ref && harmless(state.address) && harmless(state.fqdn));
      (void)state.usable();
    }
  });
  attempt([&] {
    snapshot.stats = parse_stats(text);
    for (const auto& stat : snapshot.stats)
      require(valid_name(stat.ref.backend) && harmless(stat.status) && harmless(stat.last_check));
  });
}

void read_everything(std::string_view text) {
  Overview overview;
  attempt([&] { overview.all.info = parse_info(text); });
  attempt([&] { overview.all.tables = parse_tables(text); });
  attempt([&] { overview.workers = parse_workers(text); });
  attempt([&] { overview.level = parse_level(text); });
  attempt([&] {
    for (const auto& session : parse_sessions(text)) require(parse_ref(to_text(session.ref)) == session.ref);
  });
  attempt([&] {
    const auto found = parse_found(text);
    require(parse_found(to_text(found)) == found);
  });
  (void)error_in(text);
  (void)refusal_in(text);
  read_dump(overview.all, text);
  for (const auto& finding : risks(overview)) require(harmless(finding.text));
  std::vector<ServerRef> out;
  if (!overview.all.states.empty()) out.push_back(overview.all.states.front().ref);
  for (const auto& shortage : shortages(overview.all, out, {50, true})) require(harmless(shortage.text()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  read_everything(text);
  for (const std::size_t count : {std::size_t{1}, std::size_t{3}})
    attempt([&] {
      for (const auto& part : split_replies(text, count)) read_everything(part);
    });
  return 0;
}
