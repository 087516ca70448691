#include "catch.hpp"
#include "support/postgres.hpp"
#include "unit/http/server.hpp"

#include "staithe/checks/judge.hpp"
#include "staithe/world/check_probes.hpp"

#include <sys/resource.h>

#include <cstdlib>
#include <ctime>
#include <thread>

/// The questions of checks, put to real servers: good answers, hostile ones, and none.
using namespace staithe;
using checks::Reply;
using Failure = checks::Reply::Failure;

namespace {

struct Asking {
  plan::Plan nothing;
  base::Redactor redactor;
  world::CheckProbes probes{nothing, redactor, {}};

  Reply operator()(const checks::Request& request, base::Duration patience = std::chrono::seconds(60)) {
    return probes.perform(request, base::Scope::lasting(patience));
  }
  Reply get(const std::string& url, base::Duration patience = std::chrono::seconds(60)) {
    checks::HttpRequest request;
    request.url = checks::Text(url);
    return (*this)(request, patience);
  }
};

std::string http(const std::string& body, const std::string& more = "Content-Type: application/json\r\n") {
  return "HTTP/1.1 200 OK\r\n" + more + "Content-Length: " + std::to_string(body.size()) +
         "\r\nConnection: close\r\n\r\n" + body;
}

std::string judged(const Reply& reply, const std::string& subject, const std::string& phrase,
                   std::time_t now = 0) {
  std::string why, help;
  const auto matcher = checks::parse_matcher(checks::Text(phrase), checks::Matcher::Form::plain, why, help);
  const auto result = checks::Judge(reply, static_cast<double>(now)).judge({subject, *matcher, phrase, {}});
  if (result.outcome == checks::Judged::Outcome::unjudged) return "unjudged: " + result.why;
  if (result.outcome == checks::Judged::Outcome::differs) return "differs: " + result.got;
  return result.nothing ? "held of nothing" : "held";
}

}  // namespace

TEST_CASE("checks ask: what a good answer tells") {
  Server server([](const std::string&) {
    return http(R"({"a":[1,2]})", "Content-Type: application/json\r\nX-Two: a\r\nX-Two: b\r\n");
  });
  Asking asking;
  const auto reply = asking.get(server.url("/x"));
  REQUIRE(reply.failure == Failure::none);
  CHECK(judged(reply, "status", "200") == "held");
  CHECK(judged(reply, "http", "at least 1.1") == "held");
  CHECK(judged(reply, "header.x-two", "a, b") == "held");
  CHECK(judged(reply, "size", "11") == "held");
  CHECK(judged(reply, "json.a.1", "2") == "held");
  CHECK(judged(reply, "time", "at most 59s") == "held");
  CHECK_THAT(reply.note, ContainsSubstring("from 127.0.0.1:"));
}

TEST_CASE("checks ask: hostile answers end in a verdict, soon and in bounded memory") {
  const std::string big(20 * 1024 * 1024, 'x');
  Server server([&](const std::string& request) -> std::string {
    if (request.find("/big") != std::string::npos) return http(big);
    if (request.find("/html") != std::string::npos)
      return http("<html>down</html>", "Content-Type: text/html\r\n");
    if (request.find("/bytes") != std::string::npos) return http("{\"a\":\"\xff\xfe\"}");
    if (request.find("/loop") != std::string::npos)
      return "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    if (request.find("/short") != std::string::npos)
      return "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
    if (request.find("/noise") != std::string::npos) return "SSH-2.0-OpenSSH_9.2\r\n";
    return {};  // accepts, and says nothing
  });
  Asking asking;
  const auto cut = asking.get(server.url("/big"));
  CHECK(cut.cut.count("body") == 1);
  CHECK(cut.body.size() <= 4U * 1024 * 1024);
  CHECK(judged(cut, "json.a", "1") == "differs: the body is larger than the 4.0 MiB that are read of it");
  CHECK_THAT(judged(cut, "body", "not contains y"),
             ContainsSubstring("unjudged: there is more of it than the 4.0 MiB that are read"));
  CHECK(judged(cut, "body", "contains xx") == "held");
  CHECK_THAT(judged(cut, "size", "at most 5MB"),
             ContainsSubstring("unjudged: there is more of it than the 4.0 MiB that are read"));
  CHECK(judged(cut, "size", "at least 1MB") == "held");
  CHECK_THAT(judged(asking.get(server.url("/html")), "json.a", "1"),
             ContainsSubstring("the body is not JSON (text/html)"));
  CHECK_THAT(judged(asking.get(server.url("/bytes")), "json.a", "x"),
             ContainsSubstring("the body is not JSON"));

  checks::HttpRequest loop;
  loop.url = checks::Text(server.url("/loop"));
  loop.follow_redirects = 5;
  const auto redirected = asking(loop);
  CHECK(redirected.failure == Failure::unreachable);
  CHECK_THAT(redirected.reason, ContainsSubstring("redirects"));
  CHECK(asking.get(server.url("/short")).failure == Failure::unreachable);
  CHECK(asking.get(server.url("/noise")).failure == Failure::unreachable);

  const auto begun = std::chrono::steady_clock::now();
  const auto silent = asking.get(server.url("/silent"), std::chrono::milliseconds(200));
  CHECK(silent.failure == Failure::unreachable);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(30));
}

TEST_CASE("checks ask: whose fault it is that there is no answer") {
  Asking asking;
  std::uint16_t port = 0;
  {
    const Server gone([](const std::string&) { return std::string(); });
    port = gone.port();
  }
  const auto url = "http://127.0.0.1:" + std::to_string(port) + "/";
  CHECK(asking.get(url).failure == Failure::unreachable);
  CHECK(asking.get("http://no-such-host.invalid/").failure == Failure::ours);
  checks::HttpRequest secret;
  secret.url = checks::Text(url);
  secret.auth = checks::HttpRequest::Auth::bearer;
  secret.credentials.append(plan::SecretRef{plan::SecretRef::Source::env, "STAITHE_NO_SUCH_VARIABLE"});
  CHECK(asking(secret).failure == Failure::ours);

  const auto refused = asking(checks::TcpRequest{checks::Text("127.0.0.1"), port});
  CHECK(refused.failure == Failure::none);
  CHECK(judged(refused, "connected", "false") == "held");
  CHECK(judged(asking(checks::DnsRequest{checks::Text("no-such-host.invalid")}), "resolves", "false") ==
        "held");
  CHECK(judged(asking(checks::DnsRequest{checks::Text("localhost")}), "addresses", "contains 127.0.0.1") ==
        "held");
}

TEST_CASE(
    "checks ask: secrets are sent where they belong, encoded as it needs there, and redacted from then on") {
  std::string seen;
  Server server([&](const std::string& request) {
    seen = request;
    return http("{}");
  });
  ::setenv("STAITHE_TEST_SECRET", "a\"b&c d", 1);
  const plan::SecretRef ref{plan::SecretRef::Source::env, "STAITHE_TEST_SECRET"};
  Asking asking;
  checks::HttpRequest request;
  request.method = "POST";
  request.url = checks::Text(server.url("/"));
  request.auth = checks::HttpRequest::Auth::basic;
  request.credentials.append(ref);
  request.body = checks::Text("{\"k\":\"");
  request.body.append(ref);
  request.body.append("\"}");
  request.encoding = checks::HttpRequest::Encoding::json;
  CHECK(asking(request).failure == Failure::none);
  CHECK_THAT(seen, ContainsSubstring(R"({"k":"a\"b&c d"})"));
  CHECK_THAT(seen, ContainsSubstring("Authorization: Basic YSJiJmMgZDo="));
  CHECK(asking.redactor.clean("got a\"b&c d and YSJiJmMgZDo=") == "got *** and ***");
  request.encoding = checks::HttpRequest::Encoding::form;
  CHECK(asking(request).failure == Failure::none);
  CHECK_THAT(seen, ContainsSubstring("a%22b%26c%20d"));
}

TEST_CASE("checks ask: commands of this machine, and how they end") {
  Asking asking;
  const auto run = [&](const std::string& command, base::Duration patience = std::chrono::seconds(60)) {
    return asking(checks::RunRequest{"", command, {{"VALUE", checks::Text("it's 1")}}}, patience);
  };
  CHECK(judged(run("exit 3"), "exit", "3") == "held");
  CHECK(judged(run("printf '{\"v\":\"%s\"}' \"$VALUE\""), "json.v", "it's 1") == "held");
  CHECK(judged(run("echo broken >&2; exit 1"), "err", "broken") == "held");
  CHECK(judged(run("kill -9 $$"), "signal", "SIGKILL") == "held");
  for (const char* phrase : {"0", "not 0", "not 1", "under 9"})
    CHECK(judged(run("kill -9 $$"), "exit", phrase) == "differs: absent (it was killed by SIGKILL)");
  CHECK(judged(run("kill -9 $$"), "exit", "absent") == "held");
  CHECK(run("sleep 300", std::chrono::milliseconds(200)).failure == Failure::unreachable);
  CHECK(asking(checks::RunRequest{"web9", "true", {}}).failure == Failure::ours);
}

TEST_CASE("checks ask: databases are read, and nothing else") {
  staithe::test::Postgres server;
  server.sql("CREATE TABLE journal (id int primary key, amount numeric, note text)");
  server.sql("INSERT INTO journal VALUES (1, -144.00, 'a'), (2, 10, NULL)");
  server.sql("CREATE TABLE copy AS SELECT * FROM journal");
  ::setenv("STAITHE_TEST_DATABASE", server.url().c_str(), 1);
  const plan::SecretRef url{plan::SecretRef::Source::env, "STAITHE_TEST_DATABASE"};
  Asking asking;
  const auto ask = [&](const std::string& query, std::vector<checks::Text> arguments = {},
                       base::Duration patience = std::chrono::seconds(60)) {
    return asking(checks::SqlRequest{"ledger", url, query, std::move(arguments)}, patience);
  };
  const auto reply = ask("SELECT amount, note FROM journal WHERE id <= $1 ORDER BY id", {checks::Text("2")});
  REQUIRE(reply.failure == Failure::none);
  CHECK(judged(reply, "rows", "2") == "held");
  CHECK(judged(reply, "row.0.0", "-144.00 within 0.005") == "held");
  CHECK(judged(reply, "row.1.note", "null") == "held");
  CHECK(judged(reply, "column.amount", "contains 10") == "held");

  for (const char* query :
       {"INSERT INTO journal VALUES (3, 1, 'x')", "COMMIT; INSERT INTO journal VALUES (4, 1, 'x')",
        "WITH gone AS (DELETE FROM journal RETURNING 1) SELECT * FROM gone", "SELECT nothing"}) {
    CAPTURE(query);
    const auto refused = ask(query);
    CHECK(refused.failure == Failure::ours);
    CHECK(refused.reason.find(staithe::test::Postgres::superuser_password()) == std::string::npos);
  }
  CHECK(server.sql("SELECT count(*) FROM journal") == "2");
  CHECK(judged(ask("SHOW transaction_read_only"), "row.0.0", "true") == "differs: \"on\"");
  CHECK(judged(ask("SELECT n FROM generate_series(1, 25000) n;"), "rows", "25000") == "held");
  CHECK(judged(ask("SELECT 1 WHERE false"), "rows", "0") == "held");
  const std::string bad_late =
      "SELECT CASE WHEN n = 1400 THEN 'bad' ELSE 'ok' END AS status FROM generate_series(1, ";
  CHECK_THAT(judged(ask(bad_late + "1500) n"), "column.status", "not contains bad"),
             ContainsSubstring("differs"));
  CHECK(judged(ask(bad_late + "1500) n"), "column.status", "count 1500") == "held");
  CHECK_THAT(judged(ask(bad_late + "10001) n"), "column.status", "not contains worse"),
             ContainsSubstring("unjudged: there is more of it than the 10000 rows that are read"));
  const std::string states = "SELECT * FROM (VALUES (1, 'ok', current_date), (2, 'ok', current_date)";
  const auto all_ok = ask(states + ") AS all_ok (n, state, at)");
  const auto one_bad = ask(states + ", (6, 'bad', NULL)) AS one_bad (n, state, at)");
  for (const auto& [subject, phrase] : {std::pair{"column.state", "ok"},
                                        {"column.state", "not bad"},
                                        {"column.state", "not matches ^b"},
                                        {"column.n", "1 to 5"},
                                        {"column.at", "not null"},
                                        {"column.at", "not empty"},
                                        {"column.at", "date within 2d of now"}}) {
    CAPTURE(subject, phrase);
    CHECK(judged(all_ok, subject, phrase, std::time(nullptr)) == "held");
    CHECK_THAT(judged(one_bad, subject, phrase, std::time(nullptr)), ContainsSubstring("differs: 3 values"));
  }
  CHECK(judged(ask("SELECT NULL AS email UNION ALL SELECT NULL"), "column.email", "null") == "held");
  // Without a row there is nothing to judge.
  const auto none = ask("SELECT 'x' AS status WHERE false");
  CHECK(judged(none, "column.status", "not bad") == "held of nothing");
  CHECK(judged(none, "column.status", "count 0") == "held");
  CHECK_THAT(judged(none, "column.status", "not empty"), ContainsSubstring("differs"));

  // What a query finds does not have to fit into memory.
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  for (const char* query :
       {"SELECT repeat('x', 100000) FROM generate_series(1, 10000)",
        "SELECT repeat('x', CASE WHEN n <= 100 THEN 1 ELSE 3000000 END) FROM generate_series(1, 500) n"}) {
    CAPTURE(query);
    const auto huge = ask(query);
    CHECK(huge.failure == Failure::ours);
    CHECK_THAT(huge.reason, ContainsSubstring("the query gives more than 128.0 MiB"));
  }
  ::getrusage(RUSAGE_SELF, &after);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they keep much beside what is used
  CHECK(after.ru_maxrss - before.ru_maxrss < 256 * 1024);
#endif
  const auto begun = std::chrono::steady_clock::now();
  CHECK(ask("SELECT pg_sleep(300)", {}, std::chrono::milliseconds(700)).failure != Failure::none);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(60));
  // The server does not go on with it.
  const auto going_on =
      "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep%' AND pid "
      "<> pg_backend_pid()";
  for (int i = 0; i < 1000 && server.sql(going_on) != "0"; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(server.sql(going_on) == "0");

  checks::CompareRequest compare;
  compare.left = {"ledger", url, "SELECT id, amount FROM journal", {}};
  compare.right = {"ledger", url, "SELECT id, amount FROM copy", {}};
  compare.key = "id";
  CHECK(judged(asking(compare), "missing", "0") == "held");
  auto of_nothing = compare;
  of_nothing.left.query += " WHERE false";
  of_nothing.right.query += " WHERE false";
  CHECK(asking(of_nothing).hollow.count("missing") == 1);
  CHECK(asking(compare).hollow.empty());
  server.sql("INSERT INTO journal VALUES (3, 5, 'new')");
  server.sql("UPDATE copy SET amount = 11 WHERE id = 2");
  server.sql("INSERT INTO copy VALUES (9, 9, 'extra')");
  const auto different = asking(compare);
  CHECK(judged(different, "missing", "1") == "held");
  CHECK(judged(different, "different", "1") == "held");
  CHECK(judged(different, "extra", "1") == "held");
  CHECK_THAT(different.note, ContainsSubstring("e.g. id"));
  // What did not come has no lag, however short it was waited for.
  for (const char* phrase : {"at most 60s", "under 60s", "not over 60s", "0s to 60s", "exists"}) {
    CAPTURE(phrase);
    CHECK_THAT(judged(different, "lag", phrase),
               ContainsSubstring("differs: absent (2 rows are not the same on the right after "));
  }
  CHECK(judged(different, "lag", "absent") == "held");
  // What comes within the allowance is a lag, not a difference.
  compare.allowance = std::chrono::seconds(60);
  std::thread late([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    server.sql("UPDATE copy SET amount = 10 WHERE id = 2");
    server.sql("INSERT INTO copy VALUES (3, 5, 'new')");
  });
  const auto lagging = asking(compare, std::chrono::seconds(120));
  late.join();
  CHECK(judged(lagging, "missing", "0") == "held");
  CHECK(judged(lagging, "lag", "500ms to 60s") == "held");
}
