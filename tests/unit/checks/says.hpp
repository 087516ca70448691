#pragma once
#include "staithe/checks/judge.hpp"

#include <string>

namespace staithe::checks::test {

inline constexpr double noon = 1'795'262'400;  // 2026-11-21T12:00:00Z

inline std::string says(const Reply& reply, const std::string& subject, const Matcher& matcher) {
  const auto judged = Judge(reply, noon).judge({subject, matcher, "", {}});
  if (judged.outcome == Judged::Outcome::unjudged) return "unjudged: " + judged.why;
  return judged.outcome == Judged::Outcome::held ? "held" : "differs";
}

/// What an expectation says of a body and some facts: "held", "differs", "unjudged: WHY", or "refused: WHY".
inline std::string says(const std::string& subject, const std::string& phrase, const std::string& body,
                        Matcher::Form form = Matcher::Form::plain) {
  std::string why, help;
  const auto matcher = parse_matcher(plan::Text(phrase), form, why, help);
  if (!matcher) return "refused: " + why;
  Reply reply;
  reply.body = body;
  reply.facts["status"] = Value::count(201);
  reply.facts["time"] = Value::milliseconds(812.5);
  reply.facts["size"] = Value::bytes(6000);
  reply.facts["header.length"] = Value::of(std::string("12"));
  reply.facts["names"] = Value::list({"*.example.com", "example.com"});
  return says(reply, subject, *matcher);
}

inline std::string in_json(const std::string& phrase, const std::string& value,
                           Matcher::Form form = Matcher::Form::plain) {
  return says("json.v", phrase, "{\"v\":" + value + "}", form);
}

}  // namespace staithe::checks::test
