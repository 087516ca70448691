#include "snapshot/script.hpp"

#include "catch.hpp"

using namespace staithe::stage;

namespace {

/// As pg_restore --verbose prints it, with everything in it that could be taken for a header.
const char* const script = R"(--
-- PostgreSQL database dump
--

\restrict abc

SET statement_timeout = 0;

--
-- TOC entry 7 (class 2615 OID 16385)
-- Name: app; Type: SCHEMA; Schema: -; Owner: -
--

CREATE SCHEMA app;


--
-- TOC entry 220 (class 1259 OID 16403)
-- Dependencies: 7
-- Name: odd; Type: x; Type: TABLE; Schema: app; Owner: -
--

CREATE TABLE app."odd; Type: x" (
    a text DEFAULT 'it''s
-- TOC entry 9 (class 9 OID 9)
-- Name: bogus; Type: TABLE; Schema: x; Owner: y
'
);


--
-- TOC entry 221 (class 1255 OID 16500)
-- Name: f(); Type: FUNCTION; Schema: app; Owner: -
--

CREATE FUNCTION app.f() RETURNS void LANGUAGE plpgsql AS $_$ begin
-- TOC entry 10 (class 10 OID 10)
\echo
perform $x$;$x$; end $_$;

\unrestrict abc
)";

}  // namespace

TEST_CASE("a script is taken apart at headers only where a comment may stand") {
  std::string preamble;
  const auto entries = split_script(script, preamble);
  REQUIRE(entries.size() == 3);
  CHECK(preamble.find("statement_timeout") != std::string::npos);
  CHECK(preamble.find("restrict") == std::string::npos);
  CHECK(entries[0].type == "SCHEMA");
  CHECK(entries[0].oid == 16385);
  CHECK(entries[1].catalogue == 1259);
  CHECK(entries[1].type == "TABLE");
  CHECK(entries[1].name == "odd; Type: x");
  CHECK(entries[1].sql.find("bogus") != std::string::npos);
  CHECK(entries[2].sql.find("-- TOC entry 10") != std::string::npos);
  CHECK(entries[2].sql.find("\\echo") != std::string::npos);
  CHECK(entries[2].sql.find("unrestrict") == std::string::npos);
}

TEST_CASE("a statement ends at its own semicolon") {
  const auto first = [](std::string_view sql) { return std::string(sql.substr(0, end_of_statement(sql))); };
  CHECK(first("a; b") == "a;");
  CHECK(first("a ';' ; b") == "a ';' ;");
  CHECK(first("E'\\';' ; b") == "E'\\';' ;");
  CHECK(first("\"a;\"\"b\" /* ; /* ; */ ; */ ; c") == "\"a;\"\"b\" /* ; /* ; */ ; */ ;");
  CHECK(first("$a$ ; $b$ ; $a$ ; c") == "$a$ ; $b$ ; $a$ ;");
  CHECK(first("price$1 ; c") == "price$1 ;");
  CHECK(first("no end '") == "no end '");
  CHECK(first("").empty());
}
