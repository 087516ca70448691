#pragma once
#include "staithe/pg/session.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

/// Throw-away copies of a snapshot.
namespace staithe::stage {

/// What stands in the comment of a clone: the snapshot's name and the run.
struct CloneMark {
  std::string snapshot, run_id;
  std::int64_t made_at = 0;  ///< seconds since 1970
  bool kept = false;         ///< somebody wants to look at it
};
std::string to_comment(const CloneMark& mark);

/// The name of a run's clone, which says what it is and whose: a clone that was still being made when its run
/// was killed has no comment.
std::string clone_name(std::string_view prefix, std::string_view run_id, int number);
inline constexpr std::string_view rehearsal_clones = "staithe_rehearsal",
                                  backfill_clones = "staithe_backfill";
/// Behind the name of a clone: another one of the same run, which shows how it was before.
inline constexpr std::string_view untouched_clone = "_was";

/// While it lives, nobody takes the clones of this run for left behind, however long they have no session: an
/// advisory lock of a session of its own, which ends with the process; from PostgreSQL 14 on also where a
/// proxy keeps it open, once nothing was heard of the process for claim_unheard. A thread says every ten
/// seconds that it is there, and where the session was lost claims anew at once, each second until it can.
class CloneClaim {
 public:
  CloneClaim(const std::string& cluster_url, const std::string& run_id, const base::Scope& scope);
  ~CloneClaim();
  CloneClaim(const CloneClaim&) = delete;
  CloneClaim& operator=(const CloneClaim&) = delete;

 private:
  void claim(const base::Scope& scope);
  bool is_held() noexcept;
  bool is_claimed_anew() noexcept;
  void show_life() noexcept;

  std::string cluster_url_;
  std::uint32_t run_;
  std::optional<pg::Session> session_;
  base::Cancel done_;
  std::thread thread_;
};
inline constexpr base::Duration claim_unheard{2 * 60'000};

/// The application_name of what a run does on its own clones, by which its sessions are told from those of
/// anybody else there, also of other commands of ours: "staithe clone" and `what`.
std::string clone_session(std::string_view what);
/// A session of ours on a clone: the limits that came along from production's database are lifted for it.
pg::Session connect_clone(const std::string& url, std::string_view what, const base::Scope& scope);

struct CloneInfo {
  std::string database;
  std::uint64_t oid = 0;
  CloneMark mark;  ///< empty for one whose run was killed before it was there
  std::uint64_t size_bytes = 0;
  std::uint32_t sessions = 0;   ///< of anybody
  std::uint32_t strangers = 0;  ///< those of them that are not called as clone_session() says
  bool claimed = false;         ///< its run is alive
  /// Somebody works there. Sessions of ours without a claim are of a run that is gone, open behind a proxy;
  /// but one that is kept is there to be worked in.
  bool is_in_use() const { return claimed || strangers > 0 || (mark.kept && sessions > 0); }
  /// Of no use to anybody.
  bool is_left_behind() const { return !is_in_use() && !mark.kept; }
};

/// All clones of the cluster, the oldest first. One that somebody gave a name of their own counts as kept.
std::vector<CloneInfo> list_clones(pg::Session& cluster, const base::Scope& scope);

/// Drops one that is not in use. Unless it is kept, it ends the sessions of its run in it first. Throws
/// base::Error as drop_database() does, which it calls: conflict when somebody else came in meanwhile.
void drop_left_behind(pg::Session& cluster, const CloneInfo& clone, const base::Scope& scope);

/// Drops those that are left behind; returns their names. What cannot be dropped, since another role owns it
/// or somebody came in just now, stays.
std::vector<std::string> drop_stale_clones(pg::Session& cluster, const base::Scope& scope);

/// A database made with CREATE DATABASE … TEMPLATE, by copying files where the server can (15 and later), and
/// dropped with the object, whatever happens, unless another database has its name by then. The template must
/// have no sessions: others may not be made to it while it is copied; a few seconds are waited for sessions
/// that are just ending.
class Clone {
 public:
  /// `cluster_url` is any database of the cluster but the template. Database-level settings (ALTER DATABASE …
  /// SET), which TEMPLATE leaves behind, are set again. Throws base::Error: conflict when the template is in
  /// use, permission without CREATEDB. Where it cannot be dropped, its name is added to `left`, which
  /// outlives it; also one that may have been made by a server that was not heard of any more. Where only
  /// the connection was lost on which it is made, the server's process is ended that would go on with it.
  Clone(std::string cluster_url, const std::string& snapshot, const std::string& name,
        const std::string& run_id, std::vector<std::string>& left, const base::Scope& scope);
  Clone(Clone&& other) noexcept;
  Clone(const Clone&) = delete;
  Clone& operator=(const Clone&) = delete;
  Clone& operator=(Clone&&) = delete;
  ~Clone();

  const std::string& url() const { return url_; }
  const std::string& name() const { return name_; }
  std::chrono::microseconds took() const { return took_; }
  /// It stays when the object goes, until somebody drops it by its name.
  void keep(const base::Scope& scope);

 private:
  void make(const std::string& snapshot, const std::string& run_id, const base::Scope& scope);
  void drop() noexcept;
  void drop_it();

  std::string cluster_url_, name_, url_;
  std::vector<std::string>& left_;
  CloneMark mark_;
  std::chrono::microseconds took_{0};
  std::uint64_t oid_ = 0;
  std::vector<pg::Value> maker_;  ///< the server's process that makes it, and when that began
  bool made_ = false, kept_ = false;
};

}  // namespace staithe::stage
