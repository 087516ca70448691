#pragma once
#include "scenes.hpp"

#include <sqlite3.h>

/// What a store in a file can suffer from others.
namespace scenes {

/// While it lives, whoever writes to the store waits.
class Hanging {
 public:
  explicit Hanging(const std::string& file) {
    REQUIRE(::sqlite3_open(file.c_str(), &database_) == SQLITE_OK);
    ::sqlite3_busy_timeout(database_, 10'000);
    REQUIRE(::sqlite3_exec(database_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  ~Hanging() { ::sqlite3_close(database_); }
  Hanging(const Hanging&) = delete;
  Hanging& operator=(const Hanging&) = delete;

 private:
  sqlite3* database_ = nullptr;
};

inline void change(const std::string& file, const char* sql) {
  sqlite3* database = nullptr;
  REQUIRE(::sqlite3_open(file.c_str(), &database) == SQLITE_OK);
  ::sqlite3_busy_timeout(database, 10'000);
  CHECK(::sqlite3_exec(database, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  ::sqlite3_close(database);
}

inline std::string note_of(store::Store& store, const std::string& name) {
  const auto notes = store.notes("production");
  const auto found = notes.find(name);
  return found == notes.end() ? "" : found->second;
}

}  // namespace scenes
