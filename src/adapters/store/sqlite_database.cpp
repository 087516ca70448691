#include "database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>
#include <system_error>

namespace staithe::store {
namespace {

using base::Error;
using base::ErrorCode;
using base::Scope;
using base::Woke;

struct CloseDatabase {
  void operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const noexcept { sqlite3_finalize(statement); }
};
using Handle = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

/// Statements are compiled once. With a limit, should a text ever differ each time.
constexpr std::size_t max_kept_statements = 32;

/// "$7" is a name to SQLite, numbered as it first appears and searched for at each use; "?7" is a number.
std::string numbered(std::string_view sql) {
  std::string text(sql);
  std::replace(text.begin(), text.end(), '$', '?');
  return text;
}

/// Ends the use of a kept statement: it holds its locks until it is reset.
struct Reset {
  sqlite3_stmt* statement;
  explicit Reset(sqlite3_stmt* used) : statement(used) {}
  Reset(const Reset&) = delete;
  Reset& operator=(const Reset&) = delete;
  ~Reset() {
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
  }
};

/// The directory with mode 0700 and, so that nobody commits the state by accident, a .gitignore in it.
void make_directory(const std::filesystem::path& directory) {
  if (directory.empty() || ::access(directory.c_str(), F_OK) == 0) return;
  make_directory(directory.parent_path());
  if (::mkdir(directory.c_str(), 0700) != 0) {
    if (errno == EEXIST) return;  // another process was faster
    const ErrorCode code = errno == EACCES || errno == EROFS ? ErrorCode::permission : ErrorCode::io;
    throw base::system_error(
        code, "cannot make the directory " + directory.string() + " ('state: sqlite PATH' puts it elsewhere)",
        errno);
  }
  const auto ignore = directory / ".gitignore";
  const base::UniqueFd fd(::open(ignore.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd) [[maybe_unused]]
    const auto written = ::write(fd.get(), "*\n", 2);
}

/// SQLite would create the file readable for all. Closing a descriptor of a database drops the locks that
/// this process has on it, so the file is touched only when it is new, and by one thread at a time.
void make_file(const std::string& path) {
  static std::mutex mutex;
  const std::lock_guard guard(mutex);
  const base::UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (fd || errno == EEXIST) return;
  const int error = errno;
  const ErrorCode code = error == EACCES || error == EROFS ? ErrorCode::permission : ErrorCode::io;
  throw base::system_error(code, path + ": cannot create the state file", error);
}

/// SQLite keeps no errno for a write that met the limit.
bool file_size_is_limited() {
  rlimit limit{};
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(const std::string& path)
      : path_(path), file_(std::filesystem::absolute(path).string()) {}

  void open(const Scope& scope) override {
    if (handle_) return;
    make_directory(std::filesystem::path(file_).parent_path());
    make_file(file_);
    sqlite3* raw = nullptr;
    // No mutex inside: the Store keeps its threads apart.
    const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    const int code = sqlite3_open_v2(file_.c_str(), &raw, flags, nullptr);
    Handle handle(raw);
    if (code != SQLITE_OK) throw error_of(handle.get(), code, scope);
    sqlite3_extended_result_codes(raw, 1);
    handle_ = std::move(handle);
    try {
      configure(scope);
    } catch (...) {
      statements_.clear();
      handle_.reset();
      throw;
    }
  }

  Rows exec(std::string_view sql, std::span<const Value> params, const Scope& scope) override {
    const Use use(*this, scope);
    sqlite3_stmt* const statement = prepared(sql, scope);
    const Reset reset(statement);
    for (std::size_t i = 0; i < params.size(); ++i)
      if (params[i]) bind(statement, i, *params[i], scope);  // unbound is NULL
    Rows result;
    int code = SQLITE_ROW;
    while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
      Row& row = result.rows.emplace_back();
      const int width = sqlite3_column_count(statement);
      for (int c = 0; c < width; ++c) {
        const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, c));
        const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, c));
        text == nullptr ? row.emplace_back() : row.emplace_back(std::string(text, size));
      }
    }
    if (code != SQLITE_DONE) throw error_of(handle_.get(), code, scope);
    result.changed = static_cast<std::uint64_t>(sqlite3_changes(handle_.get()));
    return result;
  }

  /// A row at a time, with a statement that is compiled once: one for all rows would be compiled anew for
  /// each number of them, which costs more than adding them.
  std::uint64_t insert(std::string_view into, std::size_t width, std::span<const std::string_view> values,
                       std::string_view on_conflict, const Scope& scope) override {
    begin(scope);
    std::uint64_t added = 0;
    {
      const Use use(*this, scope);
      sqlite3_stmt* const statement = prepared(insert_of(into, width, 1, on_conflict), scope);
      for (; !values.empty(); values = values.subspan(width)) {
        const Reset reset(statement);
        for (std::size_t i = 0; i < width; ++i) bind(statement, i, values[i], scope);
        if (const int code = sqlite3_step(statement); code != SQLITE_DONE)
          throw error_of(handle_.get(), code, scope);
        added += static_cast<std::uint64_t>(sqlite3_changes(handle_.get()));
      }
    }
    commit(scope);
    return added;
  }

  // IMMEDIATE: taking the write lock later, after a read, could fail at once instead of waiting.
  void begin(const Scope& scope) override { exec("BEGIN IMMEDIATE", {}, scope); }
  void commit(const Scope& scope) override { exec("COMMIT", {}, scope); }
  void rollback() noexcept override {
    if (handle_ && sqlite3_get_autocommit(handle_.get()) == 0) {
      sqlite3_exec(handle_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
    }
  }
  void exclude_others(const Scope&) override {}  // BEGIN IMMEDIATE has done it

  bool has_table(std::string_view name, const Scope& scope) override {
    const Value value{std::string(name)};
    return !exec("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = $1", {&value, 1}, scope)
                .rows.empty();
  }
  const char* now_sql() const noexcept override {
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)";
  }
  bool curable(const Error&) const noexcept override { return false; }
  std::string where() const override { return path_; }

 private:
  /// Lends the scope to the busy handler for the time of one statement.
  struct Use {
    Use(SqliteDatabase& database, const Scope& scope) : database_(database) { database.scope_ = &scope; }
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;
    ~Use() { database_.scope_ = nullptr; }
    SqliteDatabase& database_;
  };

  /// Called by SQLite while another process holds the lock that is needed; 0 gives up.
  static int busy(void* self, int) noexcept {
    const auto* database = static_cast<SqliteDatabase*>(self);
    if (database->scope_ == nullptr) return 0;
    try {
      return base::sleep_for(std::chrono::milliseconds(5), *database->scope_) == Woke::ready ? 1 : 0;
    } catch (const Error&) {
      return 0;
    }
  }

  void configure(const Scope& scope) {
    sqlite3_busy_handler(handle_.get(), &SqliteDatabase::busy, this);
    exec("PRAGMA trusted_schema = OFF", {}, scope);
    for (;;) {
      try {
        // Readers and one writer side by side, and a commit is one write and one fsync of the log.
        exec("PRAGMA journal_mode = WAL", {}, scope);
        break;
      } catch (const Error& error) {
        // The switch does not call the busy handler when another process switches at the same time.
        if (error.code() != ErrorCode::timeout || scope.expired()) throw;
        base::sleep_for(std::chrono::milliseconds(5), scope);
      }
    }
    exec("PRAGMA synchronous = FULL", {}, scope);  // without it a power loss could take acknowledged entries
    exec("PRAGMA cache_size = -256", {}, scope);   // KiB; a run writes the same few pages, and reads little
  }

  sqlite3_stmt* prepared(std::string_view sql, const Scope& scope) {
    const auto kept = statements_.find(sql);
    if (kept != statements_.end()) return kept->second.get();
    const std::string text = numbered(sql);
    sqlite3_stmt* raw = nullptr;
    const int code = sqlite3_prepare_v3(handle_.get(), text.data(), static_cast<int>(text.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
    Statement statement(raw);
    if (code != SQLITE_OK) throw error_of(handle_.get(), code, scope);
    if (statements_.size() >= max_kept_statements) statements_.clear();
    return statements_.emplace(std::string(sql), std::move(statement)).first->second.get();
  }

  /// SQLite reads `text` until the statement is reset.
  void bind(sqlite3_stmt* statement, std::size_t index, std::string_view text, const Scope& scope) {
    // No data at all would be NULL.
    const int code =
        sqlite3_bind_text64(statement, static_cast<int>(index) + 1, text.data() != nullptr ? text.data() : "",
                            text.size(), SQLITE_STATIC, SQLITE_UTF8);
    if (code != SQLITE_OK) throw error_of(handle_.get(), code, scope);
  }

  Error error_of(sqlite3* handle, int code, const Scope& scope) const {
    const std::string text = handle != nullptr ? sqlite3_errmsg(handle) : sqlite3_errstr(code);
    const int system = handle != nullptr ? sqlite3_system_errno(handle) : 0;
    const std::string cause = system != 0 ? text + ": " + std::generic_category().message(system) : text;
    switch (code & 0xff) {
      case SQLITE_FULL:
        return full();
      case SQLITE_IOERR:
        if (system == ENOSPC || system == EDQUOT || system == EFBIG) return full();
        if (code == SQLITE_IOERR_WRITE && file_size_is_limited()) return full();
        return {ErrorCode::io, path_ + ": cannot be read or written: " + cause + " (SQLite error " +
                                   std::to_string(code) + ")"};
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        return {ErrorCode::io, path_ + ": the state file is damaged (" + text + "); move " + path_ +
                                   "* away to start with an empty one; `sqlite3 " + path_ +
                                   " .recover` may show what was in it"};
      case SQLITE_READONLY:
      case SQLITE_PERM:
      case SQLITE_AUTH:
        return permission(cause);
      case SQLITE_CANTOPEN:
        if (system == EACCES || system == EROFS || system == EPERM) return permission(cause);
        return {ErrorCode::io, path_ + ": cannot be opened: " + cause};
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        if (scope.cancelled()) return {ErrorCode::cancelled, "stopped"};
        return {ErrorCode::timeout, path_ + ": another process keeps the state file busy"};
      case SQLITE_CONSTRAINT:
        return {ErrorCode::conflict, path_ + ": " + text};
      case SQLITE_TOOBIG:
        return {ErrorCode::invalid, path_ + ": " + text};
      default:
        return {ErrorCode::failed, path_ + ": " + cause};
    }
  }

  Error full() const {
    return {ErrorCode::io, path_ +
                               ": no space is left for the state file (disk, quota or file size limit); "
                               "what was saved before is safe: free some space and try again"};
  }
  Error permission(const std::string& cause) const {
    return {ErrorCode::permission,
            path_ + ": the state file and its directory must be writable for this user: " + cause};
  }

  std::string path_;  ///< as it was given, for people
  std::string file_;  ///< absolute: a later connection must find the same file from another directory
  const Scope* scope_ = nullptr;
  Handle handle_;
  std::map<std::string, Statement, std::less<>> statements_;  ///< by their text; gone before the handle
};

}  // namespace

std::unique_ptr<Database> sqlite_database(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    throw Error(ErrorCode::invalid, "the path of the state file is empty or has a NUL byte in it");
  }
  return std::make_unique<SqliteDatabase>(path);
}

}  // namespace staithe::store
