#pragma once
#include "support/postgres.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/event/event.hpp"

/// A server with a database "golden" that rehearsals are made on, one for the program.
namespace golden {

using namespace staithe;
using base::Scope;

inline constexpr const char* schema =
    "CREATE SCHEMA app; CREATE TABLE app.users (id bigserial PRIMARY KEY, tenant int NOT NULL, email text, "
    "country text, "
    "created_at timestamptz DEFAULT now()); INSERT INTO app.users (tenant, email, country) SELECT g % 10, "
    "'u' || g % 4999, "
    "CASE WHEN g % 5 = 0 THEN NULL ELSE 'DE' END FROM generate_series(1, 5000) g; CREATE TABLE app.orders "
    "(id bigserial "
    "PRIMARY KEY, user_id bigint, total numeric); INSERT INTO app.orders (user_id, total) SELECT g, g FROM "
    "generate_series(1, 5010) g; CREATE TABLE app.filled (id int PRIMARY KEY, a int, b text); INSERT INTO "
    "app.filled SELECT "
    "g, g, g FROM generate_series(1, 1000) g; UPDATE app.filled SET b = 'x' WHERE id = 7; ANALYZE";

inline test::Postgres& server() {
  auto& instance = test::server();
  static const bool made = [&] {
    instance.sql("CREATE DATABASE golden");
    instance.sql(schema, "golden");
    return true;
  }();
  (void)made;
  return instance;
}

inline Scope soon() {
  return Scope::lasting(std::chrono::seconds(120));
}

struct Deaf final : event::EventSink {
  void on_event(const event::Event&) noexcept override {}
};

}  // namespace golden
