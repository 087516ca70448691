#include "kinds.hpp"

namespace staithe::steps {

std::span<const Kind> kinds() {
  // In the order of the manual: commands, files, the release, the balancer, waiting, people.
  static const std::array all{run_kind,      local_kind,     upload_kind,  template_kind, checkout_kind,
                              activate_kind, reload_kind,    drain_kind,   restore_kind,  wait_kind,
                              check_kind,    rehearsed_kind, confirm_kind, notify_kind};
  return all;
}

}  // namespace staithe::steps
