#include "kinds.hpp"

namespace staithe::checks {
namespace {

std::optional<Request> parse_wait(Fields& fields, const yaml::Reader& value) {
  const auto duration = fields.duration(value);
  if (!duration) return std::nullopt;
  return PauseRequest{*duration};
}

}  // namespace

const Kind wait_kind{
    "wait",
    "let time pass",
    "wait: 2s",
    R"(Nothing is asked and nothing can be expected; it has no timeout. To wait for something, give its check 'until' and 'for'.)",
    {},
    "",
    parse_wait};

}  // namespace staithe::checks
