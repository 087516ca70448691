#pragma once
#include "staithe/pg/session.hpp"

#include <memory>
#include <string>

namespace staithe::pg {

/// Tells a server that works for long from one that will never be heard again. Keepalives do not: a proxy or
/// a tunnel in between that carries nothing any more still answers them. So the server is asked over a second
/// connection, now and then while the first one is silent, whether it works for it. For one thread.
class SilenceWatch {
 public:
  /// `url`: of the very server that the silent session is on; `pid`: of its process there. Without
  /// `options.silence` nobody asks.
  SilenceWatch(std::string url, Options options, int pid, std::string where);

  /// Waiting begins, or something came or went.
  void broken() noexcept;
  /// `scope`, or until the server is to be asked.
  base::Scope until_look(const base::Scope& scope) const;
  /// Asks, when it is time to; nothing otherwise. Throws base::Error{io} when nobody answered within
  /// `options.silence`, or when the server said twice that it does not work for this session, {cancelled}.
  void look(const base::Scope& scope);
  /// The second connection ends.
  void end() noexcept { second_.reset(); }

 private:
  /// Whether the server works for the session; that it refuses to be asked counts as work.
  bool is_working(const base::Scope& scope);
  void connect(const base::Scope& scope);
  [[noreturn]] void give_up(const std::string& why) const;

  std::string url_;
  Options options_;
  int pid_;
  std::string where_, why_;
  base::SteadyTime since_, next_;
  int in_vain_ = 0;  ///< looks on end that saw no work
  std::unique_ptr<Session> second_;
};

}  // namespace staithe::pg
