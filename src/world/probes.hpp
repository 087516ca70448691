#pragma once
#include "hosts.hpp"
#include "outcome.hpp"

#include "staithe/world/secrets.hpp"

namespace staithe::world {

/// Asks a probe's question until it is answered right, as often as the probe says.
exec::EffectResult probe(const plan::Probe& probe, exec::Performance& performance, Secrets& secrets,
                         Hosts& hosts);

}  // namespace staithe::world
