#include "staithe/steps/variables.hpp"

#include "staithe/base/ascii.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace staithe::steps {

void Variables::set(const std::string& name, Variable variable) {
  values_.insert_or_assign(name, std::move(variable));
}

void Variables::set_literal(const std::string& name, std::string value, std::string origin) {
  set(name, Variable{Variable::Kind::literal, std::move(value), {}, std::move(origin)});
}

void Variables::set_text(const std::string& name, std::string value, std::string origin, Source source) {
  set(name, Variable{Variable::Kind::text, std::move(value), {}, std::move(origin), std::move(source)});
}

const Variable* Variables::find(std::string_view name) const {
  const auto found = values_.find(name);
  return found == values_.end() ? nullptr : &found->second;
}

std::vector<std::string> Variables::names() const {
  std::vector<std::string> all;
  all.reserve(values_.size());
  for (const auto& [name, variable] : values_) all.push_back(name);
  return all;
}

bool Variables::may_have(std::string_view name) const {
  return open_ && (is_name(name) || is_of_host(name));
}

bool Variables::is_of_host(std::string_view name) {
  constexpr std::array own{"host", "host.name", "host.address", "host.in_url", "host.user", "host.port", "n"};
  return std::find(own.begin(), own.end(), name) != own.end();
}

bool Variables::is_name(std::string_view name) {
  if (name.empty() || name.size() > 64) return false;
  if (std::isalpha(static_cast<unsigned char>(name.front())) == 0 && name.front() != '_') return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return base::is_alnum(c) || c == '_' || c == '-'; });
}

}  // namespace staithe::steps
