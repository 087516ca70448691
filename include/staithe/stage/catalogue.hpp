#pragma once
#include "staithe/pg/session.hpp"
#include "staithe/stage/snapshots.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

/// What the catalogue of a source says, read in one read-only transaction.
namespace staithe::stage {

using Oid = std::uint32_t;

struct Column {
  std::string name;
  std::string type;       ///< as format_type has it: "character varying(20)"
  std::string base_type;  ///< below domains, qualified when it is no built-in: "public.citext"
  char category = 'U';    ///< pg_type.typcategory of it
  bool is_generated = false;
  bool not_null = false;
  bool is_unique = false;  ///< by itself a key or a unique index
};

struct Table {
  Oid oid = 0;
  std::string schema, name;
  std::vector<Column> columns;
  std::vector<std::string> primary_key;
  std::uint64_t bytes = 0;   ///< with TOAST, without indexes
  std::uint64_t rows = 0;    ///< estimate
  std::uint64_t pages = 0;   ///< without TOAST
  bool text_only = false;    ///< a column's binary form means something else in another database
  bool hidden_rows = false;  ///< row security would hide rows from this role
  bool is_unlogged = false;
  bool readable = true;
  std::string condition;  ///< of a configuration table of an extension: "WHERE …" or ""
  std::string extension;  ///< whose configuration table it is, "" for none
  std::string full_name() const { return schema + "." + name; }
  /// Quoted and qualified.
  std::string sql() const { return pg::quoted_name(schema) + "." + pg::quoted_name(name); }
};

struct Index {
  Oid oid = 0;
  Oid table = 0;
  Oid constraint = 0;  ///< 0 for none
  std::string name;
  std::string definition;
  char constraint_type = ' ';  ///< 'p', 'u', 'x'
  std::uint64_t bytes = 0;
};

struct ForeignKey {
  Oid oid = 0;
  std::string name;
  Oid table = 0, parent = 0;
  std::vector<std::string> columns, parent_columns;
  bool is_valid = true;
};

struct Sequence {
  Oid oid = 0;
  std::string schema, name;
  std::string owner;  ///< "schema.table.column", "" for none
  std::string sql() const { return pg::quoted_name(schema) + "." + pg::quoted_name(name); }
};

struct MaterializedView {
  Oid oid = 0;
  std::string schema, name;
  bool is_populated = true;
  std::string sql() const { return pg::quoted_name(schema) + "." + pg::quoted_name(name); }
};

/// Something that acts on the world, fires by itself or holds a secret.
struct LiveThing {
  std::string kind;  ///< "subscription", "foreign server", "queue-like table", …
  std::string name;
  std::string detail;
};

/// An order of text whose version its provider says: what sorts and compares by it depends on that library.
struct Collation {
  std::string name;      ///< "sv-x-icu"; "" for the default of the database
  char provider = 'c';   ///< 'c' for the C library, 'i' for ICU
  std::string locale;    ///< as the provider calls it
  std::string recorded;  ///< the version with which indexes were built, as far as is known; "" for none
  std::string actual;    ///< the version of the library that is there
};

struct Catalogue {
  Origin origin;
  std::string server;  ///< as server_identity has it
  int version = 0;     ///< 150014
  bool in_recovery = false;
  bool hot_standby_feedback = false;
  bool sees_others = true;  ///< the role that reads has pg_read_all_stats, by itself or by pg_monitor
  std::string
      standby_delay;  ///< max_standby_streaming_delay: how long replay waits for readers, "-1" for ever
  std::string encoding, collate, ctype, icu_locale;
  char locale_provider = 'c';
  std::uint64_t database_bytes = 0;
  std::uint64_t large_objects = 0;
  std::string search_path;        ///< of the role that reads
  std::vector<Table> tables;      ///< in dependency-free order: by name
  std::vector<Index> indexes;     ///< of tables
  std::vector<Oid> view_indexes;  ///< of materialized views
  std::vector<ForeignKey> foreign_keys;
  std::vector<Sequence> sequences;
  std::vector<MaterializedView> views;  ///< materialized ones, each after those it reads
  std::vector<std::string> unchecked;   ///< constraints that are NOT VALID: "name on schema.table"
  std::vector<LiveThing> live;
  std::vector<std::pair<std::string, std::string>> settings;    ///< ALTER DATABASE … SET
  std::vector<std::pair<std::string, std::string>> extensions;  ///< name and version
  std::vector<std::string> foreign_tables;
  std::vector<std::pair<std::string, std::string>> left_behind;  ///< what a copy does not have, and why
  std::vector<std::pair<std::string, std::uint64_t>> owners;     ///< roles and how many relations are theirs
  std::vector<std::string> roles;                                ///< all of the cluster
  std::vector<Collation> collations;                             ///< that columns and indexes use

  const Table* find(Oid oid) const;
};

/// Blocks for some statements' time. Throws base::Error.
Catalogue read_catalogue(pg::Session& source, const base::Scope& scope);

/// The order in which the materialized views of a database can be refreshed: each after those that it reads,
/// also through plain views.
std::vector<MaterializedView> read_views(pg::Session& session, const base::Scope& scope);

/// Those that a server's cluster was made with, for comparison with the ones that a database uses.
std::vector<Collation> read_collations(pg::Session& session, const base::Scope& scope);

/// The constraints of a database that are NOT VALID: "name on schema.table", by name.
std::vector<std::string> read_unchecked(pg::Session& session, const base::Scope& scope);

/// A table that a snapshot copies, with its columns and their types, or a sequence: what must be the same
/// when the plan is made and once everything is locked.
struct Shape {
  std::string name, columns;
  bool operator==(const Shape&) const = default;
};
std::map<Oid, Shape> shapes_now(pg::Session& source, const base::Scope& scope);
std::map<Oid, Shape> shapes_of(const Catalogue& catalogue);

}  // namespace staithe::stage
