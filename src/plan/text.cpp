#include "staithe/plan/text.hpp"

namespace staithe::plan {

Text::Text(std::string literal) {
  if (!literal.empty()) pieces_.emplace_back(std::move(literal));
}

void Text::append(std::string_view literal) {
  if (literal.empty()) return;
  // Neighbouring literals are one piece, so that equal texts compare and hash equal.
  if (!pieces_.empty())
    if (auto* last = std::get_if<std::string>(&pieces_.back())) {
      last->append(literal);
      return;
    }
  pieces_.emplace_back(std::string(literal));
}

void Text::append(const Text& other) {
  for (const auto& piece : other.pieces_) {
    if (const auto* literal = std::get_if<std::string>(&piece))
      append(std::string_view(*literal));
    else
      pieces_.push_back(piece);
  }
}

bool Text::is_literal() const {
  for (const auto& piece : pieces_)
    if (!std::holds_alternative<std::string>(piece)) return false;
  return true;
}

std::string Text::shown() const {
  std::string text;
  for (const auto& piece : pieces_) {
    if (const auto* literal = std::get_if<std::string>(&piece))
      text += *literal;
    else if (const auto* secret = std::get_if<SecretRef>(&piece))
      text += "<secret " + plan::shown(*secret) + ">";
    else
      text += "<" + std::get<CaptureRef>(piece).name + ": known at run time>";
  }
  return text;
}

std::string shown(const SecretRef& secret) {
  switch (secret.source) {
    case SecretRef::Source::env:
      return "env " + secret.name;
    case SecretRef::Source::file:
      return "file " + secret.name;
    case SecretRef::Source::command:
      return "command " + secret.name;
  }
  return secret.name;
}

}  // namespace staithe::plan
