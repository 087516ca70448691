#include "staithe/base/redact.hpp"

#include "secret_forms.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::base {
namespace {

constexpr std::string_view mask = "***";
constexpr std::size_t shortest_line = 8;

}  // namespace

Redactor::Redactor() : forms_(std::make_shared<const SecretForms>()) {}
Redactor::~Redactor() = default;

void Redactor::add(std::string_view secret) {
  const std::string_view whole = trim(secret);
  if (whole.empty()) return;
  const std::lock_guard lock(mutex_);
  auto forms = std::make_shared<SecretForms>(*forms_);
  forms->add(whole);
  if (whole.find('\n') != std::string_view::npos) {
    for (const std::string& line : split(whole, '\n')) {
      const std::string_view words = trim(line);
      if (words.size() >= shortest_line) forms->add(words);
    }
  }
  forms_ = std::move(forms);
}

std::shared_ptr<const SecretForms> Redactor::forms() const {
  const std::lock_guard lock(mutex_);
  return forms_;
}

std::string Redactor::clean(std::string_view text) const {
  RedactingStream stream(*this);
  std::string result = stream.push(text);
  return result += stream.finish();
}

std::string RedactingStream::push(std::string_view chunk) {
  held_ += chunk;
  return take(false);
}

std::string RedactingStream::finish() {
  return take(true);
}

std::string RedactingStream::take(bool at_end) {
  const auto forms = redactor_.forms();
  std::string result;
  result.reserve(held_.size());
  std::size_t at = 0;
  // Every place is tried, also inside a find: secrets may overlap, and the tail of the second must not stay.
  for (; at < held_.size(); ++at) {
    if (forms->may_start(held_, at)) {
      const auto match = forms->match(held_, at);
      if (match.partial && !at_end) break;
      if (match.length > 0) {
        if (at >= covered_) result += mask;
        covered_ = std::max(covered_, at + match.length);
      }
    }
    if (at >= covered_) result += held_[at];
  }
  held_.erase(0, at);
  covered_ -= std::min(covered_, at);
  return result;
}

}  // namespace staithe::base
