#pragma once
#include "staithe/pg/session.hpp"

#include <cstdint>
#include <string>
#include <vector>

/// Throw-away copies of a snapshot.
namespace staithe::stage {

/// What stands in the comment of a clone, so that it is known for one: the snapshot's name and the run.
struct CloneMark {
  std::string snapshot, run_id;
  std::int64_t made_at = 0;  ///< seconds since 1970
};
std::string to_comment(const CloneMark& mark);

struct CloneInfo {
  std::string database;
  CloneMark mark;
  std::uint64_t size_bytes = 0;
  std::uint32_t sessions = 0;
};

/// All clones of the cluster, the oldest first.
std::vector<CloneInfo> list_clones(pg::Session& cluster, const base::Scope& scope);

/// Drops those whose run is gone: nobody is connected and they are older than `age`. Returns their names.
std::vector<std::string> drop_stale_clones(pg::Session& cluster, std::chrono::seconds age,
                                           const base::Scope& scope);

/// A database made with CREATE DATABASE … TEMPLATE, by copying files where the server can (15 and later), and
/// dropped with the object, whatever happens. The template must have no sessions: others may not be made to
/// it while it is copied; a few seconds are waited for sessions that are just ending.
class Clone {
 public:
  /// `cluster_url` is any database of the cluster but the template. Database-level settings (ALTER DATABASE …
  /// SET), which TEMPLATE leaves behind, are set again. Throws base::Error: conflict when the template is in
  /// use, permission without CREATEDB.
  Clone(std::string cluster_url, const std::string& snapshot, const std::string& name,
        const std::string& run_id, const base::Scope& scope);
  Clone(Clone&& other) noexcept;
  Clone(const Clone&) = delete;
  Clone& operator=(const Clone&) = delete;
  Clone& operator=(Clone&&) = delete;
  ~Clone();

  const std::string& url() const { return url_; }
  const std::string& name() const { return name_; }
  std::chrono::microseconds took() const { return took_; }
  /// It stays when the object goes.
  void keep() { kept_ = true; }

 private:
  void drop() noexcept;

  std::string cluster_url_, name_, url_;
  std::chrono::microseconds took_{0};
  bool made_ = false, kept_ = false;
};

}  // namespace staithe::stage
