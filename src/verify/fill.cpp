#include "fill_url.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"
#include "staithe/plan/json_text.hpp"

#include <fmt/format.h>

namespace staithe::verify {
namespace {

using plan::Text;
using Escape = std::string (*)(const Captured&);

const Captured& find(const Captures& captures, const std::string& name) {
  const auto found = captures.find(name);
  if (found == captures.end())
    throw base::Error(base::ErrorCode::not_found, fmt::format("nothing was saved as '{}'", name));
  return found->second;
}

/// Most texts have no holes, and stay as they are.
template <class Fill>
void fill_in(Text& text, Fill fill) {
  if (text.is_literal()) return;
  Text made;
  for (const auto& piece : text.pieces()) {
    if (const auto* capture = std::get_if<plan::CaptureRef>(&piece))
      made.append(std::string_view(fill(capture->name)));
    else if (const auto* literal = std::get_if<std::string>(&piece))
      made.append(std::string_view(*literal));
    else
      made.append(std::get<plan::SecretRef>(piece));
  }
  text = std::move(made);
}

/// Whether a hole stands inside quotes is told by the literals before it.
Text json_filled(const Text& text, const Captures& captures) {
  Text made;
  bool in_string = false;
  for (const auto& piece : text.pieces()) {
    if (const auto* literal = std::get_if<std::string>(&piece)) {
      for (std::size_t i = 0; i < literal->size(); ++i) {
        if ((*literal)[i] == '\\')
          ++i;
        else if ((*literal)[i] == '"')
          in_string = !in_string;
      }
      made.append(std::string_view(*literal));
    } else if (const auto* secret = std::get_if<plan::SecretRef>(&piece)) {
      made.append(*secret);
    } else {
      const auto& value = find(captures, std::get<plan::CaptureRef>(piece).name);
      made.append(std::string_view(in_string ? plan::json_inside(value.text) : value.json));
    }
  }
  return made;
}

auto raw_of(const Captures& captures) {
  return [&captures](const std::string& name) { return find(captures, name).text; };
}

void fill(checks::Matcher& matcher, const Captures& captures) {
  for (auto& operand : matcher.operands) fill_in(operand, raw_of(captures));
  for (auto& inner : matcher.inner) fill(inner, captures);
}

}  // namespace

Captured Captured::of_text(std::string text) {
  auto json = plan::json_string(text);
  return {std::move(text), std::move(json)};
}

Captured Captured::of(const checks::Value& value) {
  using Kind = checks::Value::Kind;
  auto made = value.kind == Kind::text || !value.items.empty() ? of_text(value.text)
                                                               : Captured{value.text, value.text};
  made.kind = value.kind;
  return made;
}

std::string Captured::no_word() const {
  using Kind = checks::Value::Kind;
  if (kind == Kind::null) return "null";
  if (kind == Kind::list) return "a list";
  if (kind == Kind::object) return "an object";
  return base::trim(text).empty() ? "empty" : "";
}

std::string missing(const std::set<std::string>& needs, const Captures& captures) {
  for (const auto& name : needs)
    if (captures.find(name) == captures.end()) return name;
  return {};
}

Text filled(const Text& text, const Captures& captures) {
  Text made = text;
  fill_in(made, raw_of(captures));
  return made;
}

checks::Request filled(const checks::Request& request, const Captures& captures) {
  checks::Request made = request;
  if (auto* http = std::get_if<checks::HttpRequest>(&made)) {
    const auto raw = raw_of(captures);
    http->url = url_filled(http->url, http->target, captures);
    for (auto& header : http->headers) fill_in(header.second, raw);
    fill_in(http->credentials, raw);
    if (http->encoding == checks::HttpRequest::Encoding::json)
      http->body = json_filled(http->body, captures);
    else if (http->encoding == checks::HttpRequest::Encoding::form)
      fill_in(http->body,
              [&](const std::string& name) { return base::percent_encoded(find(captures, name).text); });
    else
      fill_in(http->body, raw);
    return made;
  }
  for (auto* text : checks::texts_of(made)) fill_in(*text, raw_of(captures));
  return made;
}

std::vector<checks::Expectation> filled(const std::vector<checks::Expectation>& expectations,
                                        const Captures& captures) {
  auto made = expectations;
  for (auto& one : made) {
    fill(one.matcher, captures);
    // What is wanted reads as it was meant for this run.
    if (one.wanted.find(": known at run time>") == std::string::npos) continue;
    for (const auto& [name, value] : captures) {
      const std::string hole = "<" + name + ": known at run time>";
      for (std::size_t at = 0; (at = one.wanted.find(hole, at)) != std::string::npos; at += value.text.size())
        one.wanted.replace(at, hole.size(), value.text);
    }
  }
  return made;
}

}  // namespace staithe::verify
