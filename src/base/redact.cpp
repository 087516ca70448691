#include "staithe/base/redact.hpp"

#include "secret_forms.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::base {
namespace {

constexpr std::string_view mask = "***";
constexpr std::size_t shortest_line = 8;
/// Forgetting makes all forms anew: so it is done for many at a time.
constexpr std::size_t kept_free = 64;
constexpr std::size_t most_free = 2 * kept_free;

}  // namespace

Redactor::Redactor() : forms_(std::make_shared<const SecretForms>()) {}
Redactor::~Redactor() = default;

void Redactor::add_forms(std::string_view secret, SecretForms& forms) {
  forms.add(secret);
  if (secret.find('\n') == std::string_view::npos) return;
  for (const std::string& line : split(secret, '\n')) {
    const std::string_view words = trim(line);
    if (words.size() >= shortest_line) forms.add(words);
  }
}

/// Called with the lock held.
Redactor::Known& Redactor::know(std::string_view secret) {
  if (const auto found = known_.find(secret); found != known_.end()) return found->second;
  auto forms = std::make_shared<SecretForms>(*forms_);
  add_forms(secret, *forms);
  auto& known = known_[std::string(secret)];
  forms_ = std::move(forms);
  return known;
}

void Redactor::add(std::string_view secret) {
  const std::string_view whole = trim(secret);
  if (whole.empty()) return;
  const std::lock_guard lock(mutex_);
  know(whole).for_good = true;
}

Redactor::Hold Redactor::hold(std::string_view secret) {
  const std::string_view whole = trim(secret);
  if (whole.empty()) return {};
  const std::lock_guard lock(mutex_);
  if (++know(whole).holds == 1) std::erase(free_, whole);
  return {this, std::string(whole)};
}

Redactor::Hold::~Hold() {
  if (owner_ != nullptr) owner_->let_go(secret_);
}

void Redactor::let_go(const std::string& secret) noexcept {
  try {
    const std::lock_guard lock(mutex_);
    auto& known = known_.at(secret);
    if (--known.holds > 0 || known.for_good) return;
    free_.push_back(secret);
    if (free_.size() <= most_free) return;
    for (; free_.size() > kept_free; free_.pop_front())
      if (const auto oldest = known_.find(free_.front()); !oldest->second.for_good) known_.erase(oldest);
    auto forms = std::make_shared<SecretForms>();
    for (const auto& [text, one] : known_) add_forms(text, *forms);
    forms_ = std::move(forms);
  } catch (const std::exception&) {
    // Out of memory: what is known stays known.
  }
}

std::shared_ptr<const SecretForms> Redactor::forms() const {
  const std::lock_guard lock(mutex_);
  return forms_;
}

bool Redactor::knows_none() const {
  const std::lock_guard lock(mutex_);
  return forms_->empty();
}

std::string Redactor::clean(std::string_view text) const {
  if (knows_none()) return std::string(text);
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
