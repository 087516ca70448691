#pragma once

namespace staithe::base {

/// For std::visit: one handler for each alternative. Where it has none for `auto`, the compiler names every
/// visit that a new alternative is missing in.
template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};
template <class... Handlers>
Overloaded(Handlers...) -> Overloaded<Handlers...>;

}  // namespace staithe::base
