#include "staithe/checks/own_words.hpp"

#include <cctype>

namespace staithe::checks {
namespace {

bool goes_on_with(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}

/// From `at` on; moves that behind it. "" at the end.
std::string_view next_word(std::string_view text, std::size_t& at) {
  while (at < text.size() && !goes_on_with(text[at])) ++at;
  const auto begin = at;
  while (at < text.size() && goes_on_with(text[at])) ++at;
  return text.substr(begin, at - begin);
}

void add(std::string_view text, std::string& all) {
  all.append(text).append("\n");
}

void add(const Matcher& matcher, std::string& all) {
  for (const auto& operand : matcher.operands)
    for (const auto& piece : operand.pieces())
      if (const auto* literal = std::get_if<std::string>(&piece)) add(*literal, all);
  for (const auto& inner : matcher.inner) add(inner, all);
}

void add(const std::vector<Expectation>& expectations, std::string& all) {
  for (const auto& one : expectations) add(one.matcher, all);
}

}  // namespace

bool OwnWords::have(std::string_view text) const {
  if (all_.empty()) {
    add(suite_->name, all_);
    for (const auto& neighbour : suite_->neighbours) add(neighbour.name, all_);
    for (const auto* check : all_checks(*suite_)) {
      // What it asks may hold a secret; a name that a person gave holds what he meant to be read.
      if (!check->unnamed) add(check->name, all_);
      for (const auto* expectations : {&check->expect, &check->warn, &check->until, &check->give_up_if})
        add(*expectations, all_);
      for (const auto& tolerance : check->tolerate)
        add(tolerance.evidence, all_), add(tolerance.expect, all_);
    }
    std::size_t at = 0;
    for (auto word = next_word(all_, at); !word.empty(); word = next_word(all_, at)) words_.emplace(word);
  }
  std::size_t next = 0;
  if (const auto first = next_word(text, next); !first.empty() && words_.count(first) == 0) return false;
  for (std::size_t at = 0; !text.empty() && (at = all_.find(text, at)) != std::string::npos; ++at) {
    const auto end = at + text.size();
    if ((at == 0 || !goes_on_with(all_[at - 1])) && (end == all_.size() || !goes_on_with(all_[end])))
      return true;
  }
  return false;
}

}  // namespace staithe::checks
