#include "staithe/base/redact.hpp"

#include "secret_search.hpp"

#include "staithe/base/text.hpp"

#include <algorithm>

namespace staithe::base {
namespace {

constexpr std::string_view mask = "***";
constexpr std::size_t shortest_line = 8;
constexpr std::size_t shortest_part = 6, shortest_word = 4;
/// Forgetting makes all forms anew: so it is done for many at a time.
constexpr std::size_t kept_free = 64;
/// Of what is cleaned piece by piece the first; the next ones are larger, as a secret may be.
constexpr std::size_t first_piece = 4096;

}  // namespace

Redactor::Redactor() : forms_(std::make_shared<const SecretForms>()) {}
Redactor::~Redactor() = default;

void Redactor::add_forms(std::string_view secret, const Known& known, SecretForms& forms) {
  if (!known.everywhere) return forms.add_word(secret);
  forms.add(secret);
  if (secret.find('\n') == std::string_view::npos) return;
  for (const std::string& line : split(secret, '\n')) {
    const std::string_view words = trim(line);
    if (words.size() >= shortest_line) forms.add_line(words);
  }
}

/// Called with the lock held.
Redactor::Known& Redactor::know(std::string_view secret, bool everywhere) {
  auto found = known_.find(secret);
  if (found != known_.end() && (found->second.everywhere || !everywhere)) return found->second;
  if (found == known_.end()) found = known_.emplace(std::string(secret), Known{}).first;
  found->second.everywhere = everywhere;
  if (!next_) next_ = std::make_shared<SecretForms>(*forms_);
  add_forms(secret, found->second, *next_);
  return found->second;
}

/// Called with the lock held, behind know(): who reads from now on sees what was added.
void Redactor::publish() {
  if (!next_) return;
  next_->ready();
  forms_ = std::move(next_);
  next_.reset();
}

void Redactor::add(std::string_view secret) {
  const std::string_view whole = trim(secret);
  if (whole.empty()) return;
  const std::lock_guard lock(mutex_);
  know(whole, true).for_good = true;
  publish();
}

void Redactor::add_part(std::string_view secret) {
  const std::string_view part = trim(secret);
  if (part.size() < shortest_word) return;
  const std::lock_guard lock(mutex_);
  know(part, part.size() >= shortest_part).for_good = true;
  publish();
}

Redactor::Hold Redactor::hold(std::string_view secret) {
  const std::string_view whole = trim(secret);
  return whole.empty() ? Hold() : hold(whole, true);
}

Redactor::Hold Redactor::hold_part(std::string_view secret) {
  const std::string_view part = trim(secret);
  return part.size() < shortest_word ? Hold() : hold(part, part.size() >= shortest_part);
}

Redactor::Hold Redactor::hold(std::string_view secret, bool everywhere) {
  const std::lock_guard lock(mutex_);
  auto held = keep(secret, everywhere);
  publish();
  return held;
}

/// Called with the lock held.
Redactor::Hold Redactor::keep(std::string_view secret, bool everywhere) {
  if (++know(secret, everywhere).holds == 1) std::erase(free_, secret);
  return {this, std::string(secret)};
}

void Redactor::hold_parts(std::span<const std::string> secrets, std::vector<Hold>& held) {
  if (secrets.empty()) return;
  const std::lock_guard lock(mutex_);
  for (const auto& secret : secrets)
    if (const auto part = trim(secret); part.size() >= shortest_word)
      held.push_back(keep(part, part.size() >= shortest_part));
  publish();
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
    // As many as are in use, or letting many go would take time that grows with their square.
    if (free_.size() <= kept_free + std::max(kept_free, known_.size() - free_.size())) return;
    for (; free_.size() > kept_free; free_.pop_front())
      if (const auto oldest = known_.find(free_.front()); !oldest->second.for_good) known_.erase(oldest);
    auto forms = std::make_shared<SecretForms>();
    for (const auto& [text, one] : known_) add_forms(text, one, *forms);
    forms->ready();
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

std::string Redactor::clean_front(std::string_view text, std::size_t enough) const {
  RedactingStream stream(*this);
  std::string result;
  for (std::size_t piece = first_piece; !text.empty() && result.size() <= enough; piece *= 2) {
    result += stream.push(text.substr(0, piece));
    text.remove_prefix(std::min(piece, text.size()));
  }
  return text.empty() ? result += stream.finish() : result;
}

std::string_view secret_half(std::string_view credentials) {
  const auto colon = credentials.find(':');
  if (colon == std::string_view::npos || trim(credentials.substr(colon + 1)).empty())
    return credentials.substr(0, colon);
  return credentials.substr(colon + 1);
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
  SecretSearch search(*forms, held_, at_end ? SecretSearch::Text::whole : SecretSearch::Text::goes_on);
  std::string result;
  result.reserve(held_.size());
  std::size_t at = 0;
  // Every place is tried, also inside a find: secrets may overlap, and the tail of the second must not stay.
  for (; at < held_.size(); ++at) {
    const auto next = forms->empty() ? held_.size() : search.next(at);
    if (const auto shown = std::max(at, covered_); shown < next) result.append(held_, shown, next - shown);
    at = next;
    if (at == held_.size()) break;
    const auto match = search.at(at, at > 0 ? held_[at - 1] : before_);
    if (match.partial && !at_end) break;
    if (match.length > 0) {
      if (at >= covered_) result += mask;
      covered_ = std::max(covered_, at + match.length);
    }
    if (at >= covered_) result += held_[at];
  }
  if (at > 0) before_ = held_[at - 1];
  held_.erase(0, at);
  covered_ -= std::min(covered_, at);
  return result;
}

}  // namespace staithe::base
