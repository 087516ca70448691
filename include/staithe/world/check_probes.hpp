#pragma once
#include "staithe/base/redact.hpp"
#include "staithe/plan/plan.hpp"
#include "staithe/verify/probes.hpp"
#include "staithe/world/secrets.hpp"
#include "staithe/world/world.hpp"

#include <memory>

namespace staithe::world {

/// Asks what checks ask: HTTP, TLS, TCP, DNS, SQL, commands here and on hosts, balancers. Hosts and balancers
/// are those of `plan`, which may have none and must outlive it, as must `redactor`. Connections are kept
/// while it lives; thread safe. Bodies over 4 MiB are cut, output of commands over 256 KiB.
class CheckProbes final : public verify::Probes {
 public:
  /// `directory`: where the secrets' files start and their commands run; "" is the working directory.
  CheckProbes(const plan::Plan& plan, base::Redactor& redactor, Person person, std::string directory = {},
              Secrets::Known known = Secrets::Known::for_good);
  ~CheckProbes() override;

  /// Secrets that another program has looked up; see Secrets::take_over.
  void take_over_secrets(std::string_view handed);

  checks::Reply perform(const checks::Request& request, const base::Scope& scope) override;
  verify::Foreseen foresee(const checks::SuitePlan& plan, const base::Cancel* stop) override;

 private:
  class Asker;
  std::unique_ptr<Asker> asker_;
};

}  // namespace staithe::world
