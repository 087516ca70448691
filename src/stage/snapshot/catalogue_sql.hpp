#pragma once

/// Queries on the system catalogue. All of them run with an empty search_path, so that what the server's
/// functions print is qualified, and need no right but SELECT on the catalogue.
namespace staithe::stage::sql {

#define STAITHE_DATABASE_COLUMNS                                                       \
  "SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()), d.datname,"  \
  " pg_catalog.current_setting('server_version'), pg_catalog.pg_is_in_recovery(),"     \
  " coalesce(pg_catalog.current_setting('hot_standby_feedback', true), 'off') = 'on'," \
  " pg_catalog.current_setting('max_standby_streaming_delay'),"                        \
  " pg_catalog.pg_encoding_to_char(d.encoding), d.datcollate, d.datctype,"
#define STAITHE_DATABASE_REST                                              \
  " pg_catalog.pg_database_size(d.oid), (SELECT pg_catalog.count(*) FROM " \
  "pg_catalog.pg_largeobject_metadata)"                                    \
  " FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()"

inline constexpr const char* database = STAITHE_DATABASE_COLUMNS
    " d.datlocprovider,"
    // The column was renamed in 17.
    " coalesce(pg_catalog.to_jsonb(d)->>'daticulocale', "
    "pg_catalog.to_jsonb(d)->>'datlocale')," STAITHE_DATABASE_REST;
inline constexpr const char* database_before_15 =
    STAITHE_DATABASE_COLUMNS " 'c', NULL," STAITHE_DATABASE_REST;

/// pg_monitor is a member of it.
inline constexpr const char* sees_others = "SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')";

inline constexpr const char* settings =
    "SELECT pg_catalog.unnest(s.setconfig) FROM pg_catalog.pg_db_role_setting s"
    " JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase"
    " WHERE s.setrole = 0 AND d.datname = pg_catalog.current_database()";

inline constexpr const char* extensions =
    "SELECT extname, extversion FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql' ORDER BY 1";

// The column of ICU's locale was renamed in 17; C and POSIX have no version.
#define STAITHE_COLLATION                                                                                 \
  "SELECT c.collname, c.collprovider, coalesce(pg_catalog.to_jsonb(c)->>'colliculocale',"                 \
  " pg_catalog.to_jsonb(c)->>'colllocale', c.collcollate), c.collversion,"                                \
  " pg_catalog.pg_collation_actual_version(c.oid) FROM pg_catalog.pg_collation c WHERE c.collprovider IN" \
  " ('c', 'i')"

inline constexpr const char* collations = STAITHE_COLLATION;
inline constexpr const char* used_collations = STAITHE_COLLATION
    " AND c.oid IN (SELECT a.attcollation FROM pg_catalog.pg_attribute a WHERE a.attrelid >= 16384"
    " AND a.attnum > 0 AND NOT a.attisdropped"
    " UNION SELECT pg_catalog.unnest(i.indcollation::pg_catalog.oid[]) FROM pg_catalog.pg_index i"
    " WHERE i.indexrelid >= 16384) ORDER BY 1";
/// Since 15.
inline constexpr const char* default_collation =
    "SELECT '', d.datlocprovider, coalesce(pg_catalog.to_jsonb(d)->>'daticulocale',"
    " pg_catalog.to_jsonb(d)->>'datlocale', d.datcollate), d.datcollversion,"
    " pg_catalog.pg_database_collation_actual_version(d.oid) FROM pg_catalog.pg_database d"
    " WHERE d.datname = pg_catalog.current_database() AND d.datlocprovider IN ('c', 'i')";

// Tables with rows of their own that belong to the user: no partitioned parents, nothing temporary, of an
// extension only what it declares as configuration.
#define STAITHE_COPIED_TABLES                                                                       \
  " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"            \
  " LEFT JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass"     \
  "  AND d.objid = c.oid AND d.objsubid = 0 AND d.deptype = 'e'"                                    \
  " LEFT JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid"                                      \
  " WHERE c.relkind = 'r' AND c.relpersistence <> 't'"                                              \
  " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_toast%'" \
  " AND n.nspname NOT LIKE 'pg\\_temp\\_%' AND (e.oid IS NULL OR c.oid = ANY (e.extconfig))"

inline constexpr const char* tables =
    "SELECT c.oid, n.nspname, c.relname, pg_catalog.pg_table_size(c.oid),"
    " greatest(c.reltuples, 0)::bigint, pg_catalog.row_security_active(c.oid),"
    " c.relpersistence = 'u', coalesce(e.extname, ''),"
    " coalesce(e.extcondition[pg_catalog.array_position(e.extconfig, c.oid)], ''),"
    " pg_catalog.has_table_privilege(c.oid, 'SELECT') AND"
    "  pg_catalog.has_schema_privilege(n.oid, 'USAGE'), pg_catalog.pg_relation_size(c.oid) /"
    "  pg_catalog.current_setting('block_size')::bigint" STAITHE_COPIED_TABLES " ORDER BY 2, 3";

/// The same tables with their columns in a row: what the plan's statements name must be what is locked.
inline constexpr const char* table_shapes =
    "SELECT c.oid, n.nspname, c.relname, coalesce((SELECT pg_catalog.string_agg(a.attname || ' ' ||"
    " pg_catalog.format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attgenerated <> '' THEN ' generated'"
    " ELSE '' END, ', ' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid"
    " AND a.attnum > 0 AND NOT a.attisdropped), '')" STAITHE_COPIED_TABLES " ORDER BY 2, 3";

// The binary form of reg* types, composite types and arrays of types of this database holds OIDs, which mean
// something else in another database; some types have no binary form at all.
inline constexpr const char* columns =
    "WITH RECURSIVE base(oid, root) AS ("
    " SELECT t.oid, t.oid FROM pg_catalog.pg_type t"
    " UNION ALL SELECT t.typbasetype, b.root FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid"
    "  WHERE t.typtype = 'd')"
    " SELECT a.attrelid, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod),"
    " pg_catalog.format_type(t.oid, NULL), t.typcategory, a.attgenerated <> '', a.attnotnull,"
    " EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique"
    "  AND i.indnkeyatts = 1 AND i.indkey[0] = a.attnum AND i.indpred IS NULL),"
    " t.typsend = 0 OR t.typreceive = 0 OR t.typtype = 'c' OR t.typname LIKE 'reg%'"
    "  OR (t.typelem >= 16384 AND t.typlen = -1 AND t.typcategory = 'A')"
    "  OR (t.typtype IN ('r', 'm') AND t.oid >= 16384)"
    "  OR (t.typelem <> 0 AND t.typcategory = 'A'"
    "   AND EXISTS (SELECT 1 FROM pg_catalog.pg_type el WHERE el.oid = t.typelem"
    "    AND (el.typname LIKE 'reg%' OR el.typsend = 0 OR el.typtype = 'c'))),"
    " EXISTS (SELECT 1 FROM pg_catalog.pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary"
    "  AND a.attnum = ANY (i.indkey))"
    " FROM pg_catalog.pg_attribute a"
    " JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'"
    " JOIN base b ON b.root = a.atttypid"
    " JOIN pg_catalog.pg_type t ON t.oid = b.oid AND t.typtype <> 'd'"
    " WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relnamespace NOT IN"
    "  (SELECT oid FROM pg_catalog.pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema'))"
    " ORDER BY a.attrelid, a.attnum";

inline constexpr const char* indexes =
    "SELECT i.indexrelid, i.indrelid, coalesce(con.oid, 0), c.relname,"
    " pg_catalog.pg_get_indexdef(i.indexrelid), coalesce(con.contype, ' '),"
    " pg_catalog.pg_relation_size(i.indexrelid)"
    " FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'"
    " JOIN pg_catalog.pg_class t ON t.oid = i.indrelid AND t.relkind = 'r'"
    " LEFT JOIN pg_catalog.pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid"
    "  AND con.contype IN ('p', 'u', 'x') WHERE i.indexrelid >= 16384";

inline constexpr const char* view_indexes =
    "SELECT i.indexrelid FROM pg_catalog.pg_index i"
    " JOIN pg_catalog.pg_class c ON c.oid = i.indrelid AND c.relkind = 'm'";

inline constexpr const char* foreign_keys =
    "SELECT con.oid, con.conname, con.conrelid, con.confrelid,"
    " (SELECT pg_catalog.json_agg(a.attname ORDER BY k.n) FROM pg_catalog.unnest(con.conkey)"
    "   WITH ORDINALITY k(num, n) JOIN pg_catalog.pg_attribute a ON a.attrelid = con.conrelid"
    "   AND a.attnum = k.num),"
    " (SELECT pg_catalog.json_agg(a.attname ORDER BY k.n) FROM pg_catalog.unnest(con.confkey)"
    "   WITH ORDINALITY k(num, n) JOIN pg_catalog.pg_attribute a ON a.attrelid = con.confrelid"
    "   AND a.attnum = k.num), con.convalidated"
    " FROM pg_catalog.pg_constraint con WHERE con.contype = 'f' ORDER BY 1";

/// What was never checked against the rows that were there. Asked of both ends.
inline constexpr const char* unchecked_constraints =
    "SELECT pg_catalog.format('%s on %s.%s', con.conname, n.nspname, c.relname)"
    " FROM pg_catalog.pg_constraint con JOIN pg_catalog.pg_class c ON c.oid = con.conrelid"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE NOT con.convalidated ORDER BY 1";

inline constexpr const char* sequences =
    "SELECT c.oid, n.nspname, c.relname, coalesce((SELECT pg_catalog.format('%s.%s.%s', tn.nspname, "
    "t.relname,"
    "  a.attname) FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_class t ON t.oid = d.refobjid"
    "  JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace"
    "  JOIN pg_catalog.pg_attribute a ON a.attrelid = t.oid AND a.attnum = d.refobjsubid"
    "  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid"
    "  AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass LIMIT 1), "
    "'')"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', "
    "'information_schema')"
    " AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')"
    " ORDER BY 2, 3";

// A view can only read what was there before it, but may be replaced later: the depth is counted along the
// dependencies, through plain views too.
inline constexpr const char* views =
    "WITH RECURSIVE reads(view, source) AS ("
    " SELECT DISTINCT r.ev_class, d.refobjid FROM pg_catalog.pg_rewrite r"
    " JOIN pg_catalog.pg_depend d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass"
    "  AND d.objid = r.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "  AND d.refobjid <> r.ev_class"
    " JOIN pg_catalog.pg_class c ON c.oid = d.refobjid AND c.relkind IN ('v', 'm')),"
    " depth(view, level) AS (SELECT c.oid, 0 FROM pg_catalog.pg_class c WHERE c.relkind IN ('v', 'm')"
    " UNION SELECT r.view, p.level + 1 FROM depth p JOIN reads r ON r.source = p.view WHERE p.level < 1000)"
    " SELECT c.oid, n.nspname, c.relname, c.relispopulated FROM depth p"
    " JOIN pg_catalog.pg_class c ON c.oid = p.view AND c.relkind = 'm'"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " WHERE n.nspname NOT IN ('pg_catalog', 'information_schema')"
    " GROUP BY 1, 2, 3, 4 ORDER BY pg_catalog.max(p.level), 2, 3";

inline constexpr const char* owners =
    "SELECT pg_catalog.pg_get_userbyid(c.relowner), pg_catalog.count(*) FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm', 'S', "
    "'f')"
    " AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\\_%'"
    " GROUP BY 1 ORDER BY 1";

inline constexpr const char* roles =
    "SELECT rolname FROM pg_catalog.pg_roles WHERE rolname NOT LIKE 'pg\\_%' ORDER BY 1";

/// What pg_dump of a schema does not have, and nobody else brings.
inline constexpr const char* left_behind =
    "SELECT 'large objects', 'come with their numbers; owners, rights and comments stay behind'"
    "  WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_largeobject_metadata)"
    " UNION ALL SELECT 'tablespace ' || s.spcname, 'what is in it comes to the default one'"
    "  FROM pg_catalog.pg_tablespace s WHERE EXISTS (SELECT 1 FROM pg_catalog.pg_class c"
    "   WHERE c.reltablespace = s.oid AND c.oid >= 16384)"
    " UNION ALL SELECT 'settings of the role ' || r.rolname || ' in this database', 'stay behind'"
    "  FROM pg_catalog.pg_db_role_setting s JOIN pg_catalog.pg_roles r ON r.oid = s.setrole"
    "  JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase"
    "  WHERE d.datname = pg_catalog.current_database()"
    " UNION ALL SELECT 'comment of the database', 'the copy has one of its own, which says what it is'"
    "  FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database()"
    "  AND pg_catalog.shobj_description(d.oid, 'pg_database') IS NOT NULL ORDER BY 1";

inline constexpr const char* foreign_tables =
    "SELECT pg_catalog.format('%s.%s', n.nspname, c.relname) FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f' ORDER BY 1";

/// What reaches out, fires by itself or may hold a secret. Source: tried on PostgreSQL 15.
inline constexpr const char* live_things =
    "SELECT 'foreign server' AS kind, s.srvname::text, coalesce(pg_catalog.array_to_string(ARRAY(SELECT o "
    "FROM"
    "  pg_catalog.unnest(s.srvoptions) o WHERE o !~* 'password|secret|key'), ' '), '')"
    "  FROM pg_catalog.pg_foreign_server s"
    " UNION ALL SELECT 'user mapping', pg_catalog.format('%s on %s', usename, srvname), ''"
    "  FROM pg_catalog.pg_user_mappings"
    " UNION ALL SELECT 'event trigger', evtname, evtevent FROM pg_catalog.pg_event_trigger"
    "  WHERE evtenabled <> 'D'"
    " UNION ALL SELECT 'publication', pubname, '' FROM pg_catalog.pg_publication"
    " UNION ALL SELECT 'subscription', s.subname, '' FROM pg_catalog.pg_subscription s"
    "  JOIN pg_catalog.pg_database d ON d.oid = s.subdbid"
    "  WHERE d.datname = pg_catalog.current_database()"
    " UNION ALL SELECT 'extension that reaches out', extname, extversion FROM pg_catalog.pg_extension"
    "  WHERE extname IN ('pg_cron', 'pg_net', 'http', 'dblink', 'postgres_fdw', 'file_fdw', 'plpython3u',"
    "  'plperlu', 'plsh', 'pg_background', 'pgmq', 'timescaledb', 'pg_partman', 'pgagent', 'aws_s3',"
    "  'aws_lambda')"
    " UNION ALL SELECT 'trigger that notifies', pg_catalog.format('%I ON %I.%I', t.tgname, n.nspname, "
    "c.relname),"
    "  p.proname FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid = t.tgfoid"
    "  JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace n ON n.oid = "
    "c.relnamespace"
    "  WHERE NOT t.tgisinternal AND t.tgenabled <> 'D'"
    "  AND p.prosrc ~* 'pg_notify|notify |dblink|http_|net\\.http'"
    " UNION ALL SELECT 'queue-like table', pg_catalog.format('%s.%s', n.nspname, c.relname), ''"
    "  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND c.relname ~*"
    "  '(^|_)(jobs?|queue|outbox|tasks?|deliver|scheduled|webhooks?|notifications?|emails?)($|_)'"
    " UNION ALL SELECT 'secret-like column', pg_catalog.format('%s.%s.%s', n.nspname, c.relname, a.attname),"
    "  pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a"
    "  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid AND c.relkind = 'r'"
    "  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    "  WHERE a.attnum > 0 AND NOT a.attisdropped AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
    "  AND a.attname ~* '(secret|password|passwd|token|api_?key|private_key|credential|otp|salt|webhook)'"
    " ORDER BY 1, 2";

#undef STAITHE_DATABASE_COLUMNS
#undef STAITHE_DATABASE_REST
#undef STAITHE_COPIED_TABLES
#undef STAITHE_COLLATION

}  // namespace staithe::stage::sql
