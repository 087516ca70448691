#include "receivers.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::checks {

void check_receiver(const yaml::Located<std::string>& to, const Context::Receivers& receivers,
                    diag::Diagnostics& diagnostics) {
  const auto& names = receivers.names;
  if (std::find(names.begin(), names.end(), to.value) != names.end()) return;
  const auto near = base::nearest(to.value, names);
  auto message = fmt::format("the suite alerts '{}', which is not declared", to.value);
  auto help =
      near ? fmt::format("did you mean '{}'?", *near)
           : fmt::format("add 'watch: {{alerts: {{{}: slack env NAME}}}}' to the environment in staithe.yml",
                         to.value);
  if (receivers.otherwise == diag::Severity::error)
    diagnostics.error(to.position, std::move(message), to.path, std::move(help));
  else
    diagnostics.warning(to.position, std::move(message), to.path, std::move(help));
}

}  // namespace staithe::checks
