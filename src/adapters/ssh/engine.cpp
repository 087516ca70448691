#include "staithe/ssh/engine.hpp"

#include "connector.hpp"
#include "session_impl.hpp"

namespace staithe::ssh {

class Engine::Impl {
 public:
  explicit Impl(Options options) : connector(std::move(options)) {}
  Connector connector;
};

Engine::Engine(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Engine::~Engine() = default;

std::unique_ptr<Session> Engine::connect(const Endpoint& endpoint, const base::Scope& scope) {
  return std::make_unique<SessionImpl>(impl_->connector.connect(endpoint, scope));
}

HostKey Engine::scan(const Endpoint& endpoint, const base::Scope& scope, std::string_view only_type) {
  return impl_->connector.scan(endpoint, scope, only_type);
}

}  // namespace staithe::ssh
