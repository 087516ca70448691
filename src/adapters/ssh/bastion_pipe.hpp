#pragma once
#include "bastion.hpp"

#include <string>

namespace staithe::ssh {

/// Carries bytes between a channel and a socket, both ways, with bounded memory.
struct Bastion::Pipe {
  Pipe(Link& link, std::shared_ptr<Order> asked);

  /// poll(2) bits to wait for on the socket; see also hung_up().
  short wanted_events() noexcept;
  /// Moves what can be moved now. False when the connection is over.
  bool shuttle(short revents);

  std::shared_ptr<Order> order;  ///< null once it is connected
  base::UniqueFd local;
  Channel channel;
  int poll_slot = -1;

 private:
  std::size_t take(std::string_view bytes);
  bool to_local();
  bool to_remote();

  std::string waiting;        ///< for the socket, which was full
  bool held_back = false;     ///< libssh still has bytes that `waiting` had no room for
  bool local_ended = false;   ///< the socket's owner writes no more
  bool remote_ended = false;  ///< passed on to the socket's owner
};

}  // namespace staithe::ssh
