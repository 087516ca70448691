#include "checks/http_reply.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/text.hpp"
#include "staithe/checks/expectation.hpp"

#include <fmt/format.h>

namespace staithe::world {

using checks::Value;

checks::Reply reply_of(http::Reply answer) {
  checks::Reply reply;
  if (const auto* type = answer.header("Content-Type")) reply.content_type = *type;
  auto& facts = reply.facts;
  facts.emplace("status", Value::count(static_cast<std::uint64_t>(answer.status)));
  facts.emplace("time", Value::milliseconds(answer.milliseconds));
  facts.emplace("size", Value::bytes(answer.body.size()));
  auto& version = facts.emplace("http", Value::of(answer.version)).first->second;
  version.kind = Value::Kind::number;
  version.number = checks::parse_number(answer.version).value_or(0);
  facts.emplace("redirects", Value::count(static_cast<std::uint64_t>(answer.redirects)));
  for (auto& [name, value] : answer.headers) {
    auto& fact = facts.try_emplace("header." + base::lower(name)).first->second;
    if (fact.kind == Value::Kind::absent)
      fact = Value::of(std::move(value));
    else
      fact.text += ", " + value;
  }
  reply.note = fmt::format("{} in {} ms from {}", answer.status, answer.duration.count(), answer.peer);
  reply.body = std::move(answer.body);
  if (answer.body_cut)
    for (const char* name : {"body", "size"}) reply.cut[name] = base::bytes_text(largest_http_body);
  reply.duration = answer.duration;
  return reply;
}

}  // namespace staithe::world
