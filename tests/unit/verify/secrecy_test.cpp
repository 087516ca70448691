#include "flow.hpp"
#include "tokens.hpp"

#include "staithe/base/secret_names.hpp"
#include "staithe/checks/named_secrets.hpp"
#include "staithe/checks/texts.hpp"

#include <nlohmann/json.hpp>

#include <set>

using namespace flow;

namespace {

/// What of `words`, which an answer repeats, its report shows; `value` is what was saved as `name`.
std::set<std::string> shown(const std::string& name, const std::string& value, const std::string& step,
                            const std::vector<std::string>& words) {
  std::string said = "said:";
  for (const auto& word : words) said += " " + word + " |";
  Fake fake([&](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"v":)" + value + R"(,"said":")" + said + R"("})"};
  });
  const Ran ran({head("steps:\n  - {name: make, post: /make, expect: 200, save: {" + name + ": json.v}}\n" +
                      "  - {name: ask, " + step + ", expect: {json.said: nothing}}\n")},
                fake);
  const auto& asked = ran.of("ask");
  REQUIRE(asked.verdict == Verdict::fail);
  REQUIRE(asked.judged.size() == 1);
  std::set<std::string> seen;
  for (const auto& word : words)
    if (asked.judged.front().got.find(word) != std::string::npos) seen.insert(word);
  return seen;
}

using Words = std::set<std::string>;

}  // namespace

TEST_CASE("secrecy: a name that says so makes a value secret, and one that only looks so does not") {
  // how the value is used, and whether it is hidden
  const std::vector<std::pair<std::string, bool>> table = {
      {"get: /, headers: {x-api-key: $(v)}", true},
      {"get: /, headers: {X-APIKEY: $(v)}", true},
      {"get: /, headers: {Ocp-Apim-Subscription-Key: $(v)}", true},
      {"get: /, headers: {x-auth: $(v)}", true},
      {"get: /, headers: {x-session-id: $(v)}", true},
      {"get: /, headers: {x-CSRFToken: $(v)}", true},
      {"get: /, headers: {x-author: $(v)}", false},
      {"get: /, headers: {x-tenant-key: $(v)}", false},
      {"get: /, headers: {partition-key: $(v)}", false},
      {"get: /, headers: {idempotency-key: $(v)}", false},
      {"get: /, headers: {x-tokenizer: $(v)}", false},
      {"get: /, headers: {cookie: \"sid=$(v); tenant=acme\"}", true},
      {"get: /, headers: {cookie: \"connect.sid=$(v)\"}", true},
      {"get: /, headers: {cookie: \"a=b; whatever=$(v)\"}", true},
      {"get: /, headers: {cookie: \"sid=1; tenant=$(v)\"}", false},
      {"get: \"/?access_token=$(v)\"", true},
      {"get: \"/?accessToken=$(v)\"", true},
      {"get: \"/?next_access_token=$(v)\"", true},
      {"get: \"/?page_token=$(v)\"", false},
      {"get: \"/?nextPageToken=$(v)\"", false},
      {"get: \"/?continuationToken=$(v)\"", false},
      {"get: \"/?token_type=$(v)\"", false},
      {"post: /, json: {csrfmiddlewaretoken: $(v), a: 1}", true},
      {"post: /, form: {client_secret: $(v)}", true},
      {"post: /, json: {api_key: $(v)}", true},
      {"post: /, json: {sort_key: $(v)}", false},
  };
  for (const auto& [step, hidden] : table) {
    CAPTURE(step);
    CHECK(shown("v", R"("opensesame")", step, {"opensesame", "other"}) ==
          (hidden ? Words{"other"} : Words{"opensesame", "other"}));
  }
}

TEST_CASE("secrecy: the name under which a value is saved, or of its field, makes it secret") {
  CHECK(shown("reset_token", R"("opensesame")", "get: /reset/$(reset_token)", {"opensesame"}).empty());
  CHECK(shown("page_token", R"("opensesame")", "get: /", {"opensesame"}) == Words{"opensesame"});
  CHECK(shown("has_token", "true", "get: /", {"is true"}) == Words{"is true"});
  for (const auto& [subject, hidden] :
       {std::pair{"json.session.access_token", true}, std::pair{"json $.session['access_token']", true},
        std::pair{"json.session.token_type", false}, std::pair{"json.session.author", false}}) {
    CAPTURE(subject);
    Fake fake([&](const std::string&) -> std::pair<int, std::string> {
      return {
          200,
          R"({"session":{"access_token":"opensesame","token_type":"opensesame","author":"opensesame"},"copy":"opensesame"})"};
    });
    const Ran ran(
        {head(
            std::string(
                "steps:\n  - {name: ask, get: /, expect: 200, warn: {json.copy: nothing}, save: {\"v\": \"") +
            subject + "\"}}\n")},
        fake);
    const auto& got = ran.of("ask").judged.back().got;
    CHECK((got.find("opensesame") == std::string::npos) == hidden);
  }
}

TEST_CASE("secrecy: of a cookie each value is secret, of credentials a half, of other tokens the whole") {
  const std::string cookie =
      R"("sid=opensesame; Path=/payments; HttpOnly; lang=german, remember=whoiswho; Max-Age=864000")";
  const std::vector<std::string> words{"opensesame", "whoiswho", "/payments", "german", "HttpOnly", "864000"};
  CHECK(shown("v", cookie, "get: /, headers: {cookie: $(v)}", words) ==
        Words{"/payments", "german", "HttpOnly", "864000"});
  CHECK(shown("cookie", cookie, "get: /", words) == Words{"/payments", "german", "HttpOnly", "864000"});
  CHECK(shown("v", R"("Bearer opensesame")", "get: /, headers: {authorization: $(v)}",
              {"opensesame", "the Bearer"}) == Words{"the Bearer"});
  CHECK(shown("session_cookie", R"("Basic dXNlcjE6b3BlbnNlc2FtZQ==")", "get: /",
              {"opensesame", "dXNlcjE6b3BlbnNlc2FtZQ", "the Basic"}) == Words{"the Basic"});
  CHECK(shown("v", R"("user1:opensesame")", "get: /, auth: basic $(v)", {"opensesame", "user1"}) ==
        Words{"user1"});
  CHECK(shown("v", R"("v1:production")", "get: /, auth: bearer $(v)", {"in production", "v1:production"}) ==
        Words{"in production"});
}

TEST_CASE("secrecy: an attribute is no cookie, a session of a tenant is one, and a comma may end a value") {
  const std::string cookie =
      R"("sid=opensesame,behind; SameSite=Strict; Expires=Wed, 21 Oct 2026 07:28:00 GMT, tenant_session=whoiswho")";
  CHECK(shown("cookie", cookie, "get: /",
              {"opensesame", "behind it", "opensesame,behind", "Strict-Transport", "whoiswho"}) ==
        Words{"opensesame", "behind it", "Strict-Transport"});
  // Two cookies, or one with a '=' in its value: nobody can tell.
  CHECK(shown("cookie", R"("sid=abc,lang=opensesame; Path=/payments, sid2=whoiswho,b=sesame99")", "get: /",
              {"abc,lang=opensesame", "whoiswho", "whoiswho,b=sesame99", "sesame99", "/payments",
               "lang=open"}) == Words{"/payments", "lang=open"});
}

TEST_CASE("secrecy: what lies under a secret's name in a saved object is a secret") {
  const std::string user =
      R"({"name":"whoiswho","login":{"password":"opensesame","keys":["sesame00"]},"secrets":["sesame11"],)"
      R"("list":[{"access_token":"Bearer sesame22","page_token":"sesame33"}]})";
  CHECK(shown("user", user, "get: /",
              {"whoiswho", "opensesame", "sesame00", "sesame11", "sesame22", "sesame33"}) ==
        Words{"whoiswho", "sesame00", "sesame33"});
  CHECK(shown("user", "[" + user + "]", "get: /", {"whoiswho", "opensesame"}) == Words{"whoiswho"});
}

TEST_CASE("secrecy: of what is looked at and has a secret's name nothing is shown, nor of a list of them") {
  const auto got = [](const std::string& subject, const std::string& phrase, const std::string& body) {
    Fake fake([&](const std::string&) -> std::pair<int, std::string> { return {200, body}; });
    const Ran ran({head("steps:\n  - {name: ask, get: /, expect: {" + subject + ": " + phrase + "}}\n" +
                        "  - {name: again, get: /, expect: {json.echo: exists}}\n")},
                  fake);
    std::string text;
    for (const char* name : {"ask", "again"})
      for (const auto& one : ran.of(name).judged) text += one.got + " ";
    return text;
  };
  const std::string body =
      R"({"access_token":"opensesame","pwd":"opensesame","password":{"value":"opensesame"},"codes":{"tokens":["opensesame"]},)"
      R"("echo":"opensesame","error":{"password":"is required"}})";
  for (const char* subject : {"json.access_token", "json.pwd", "json.codes.tokens", "json.codes.tokens.*",
                              "json.codes.tokens.0", "\"json $.codes.tokens[0]\"", "json.password.value"}) {
    CAPTURE(subject);
    CHECK(got(subject, "exists", body).find("opensesame") == std::string::npos);
    CHECK(got(subject, "absent", body).find("opensesame") == std::string::npos);
  }
  // In an object that is looked at, and in a list of such, whatever these are called.
  const std::string inside = R"({"user":{"login":{"password":"opensesame"}},"echo":"opensesame"})";
  for (const char* subject : {"json.user", "json", "json.*.login", "\"json $.user\""}) {
    CAPTURE(subject);
    CHECK(got(subject, "exists", inside).find("opensesame") == std::string::npos);
  }
  CHECK(got("json.error.password", "is required", body).find("is required") != std::string::npos);
}

TEST_CASE("secrecy: what lies under a secret's name in a text that is JSON itself is a secret") {
  // The second check shows the same again, where it has no name.
  const auto shown_of = [](const std::string& body, const std::string& expectation,
                           const std::string& save = "") {
    Fake fake([&](const std::string&) -> std::pair<int, std::string> { return {200, body}; });
    const Ran ran({head("steps:\n  - {name: ask, get: /, on_fail: continue, expect: {" + expectation + "}" +
                        save + "}\n  - {name: again, get: /, expect: {json.echo: nothing}}\n")},
                  fake);
    std::string text;
    for (const char* name : {"ask", "again"})
      for (const auto& one : ran.of(name).judged) text += one.got + " ";
    return text;
  };
  const auto in_text = [](const std::string& json) { return nlohmann::json(json).dump(); };
  const std::string claims = R"({"user":{"access_token":"open\/sesame"},"next_page_token":"page00"})";
  const std::string twice = R"({"event":)" + in_text(claims) + "}";
  for (const auto& text : {claims, twice, "[" + claims + "]", in_text(claims), claims.substr(0, 60)}) {
    const auto body = R"({"body":)" + in_text(text) + R"(,"echo":"open/sesame"})";
    CAPTURE(body);
    for (const char* looked_at :
         {"json.body: nothing", "json: nothing", "body: contains nothing", "\"json $..body\": nothing"}) {
      CAPTURE(looked_at);
      const auto got = shown_of(body, looked_at);
      CHECK(got.find("sesame") == std::string::npos);
      CHECK_THAT(got, ContainsSubstring("***"));
    }
    CHECK(shown_of(body, "status: 200", ", save: {b: json.body}").find("sesame") == std::string::npos);
  }
  // Under a secret's name the whole is one, and each text in it.
  const auto pair = shown_of(R"({"token":)" + in_text(R"({"id":"opensesame"})") + R"(,"echo":"opensesame"})",
                             "json.token: nothing");
  CHECK(pair.find("sesame") == std::string::npos);
  // What has no such name is shown, and what only begins like JSON.
  CHECK_THAT(shown_of(R"({"body":)" + in_text(claims) + R"(,"echo":"page00"})", "json.body: nothing"),
             ContainsSubstring("\"page00\" "));
  CHECK_THAT(shown_of(R"({"body":"{passage: opensesame","echo":"opensesame"})", "json.body: nothing"),
             ContainsSubstring("{passage: opensesame"));
}

TEST_CASE("secrecy: a text that is no JSON but for its beginning is looked through as far as it goes") {
  for (const char* tail : {"0e5-3]", "0e0-3]", "0e99999999999999999999-3]"}) {
    CAPTURE(tail);
    const auto value = Value::of(R"([{"token":"opensesame"},1e400,)" + std::string(tail));
    const auto found = checks::named_texts_in(value, base::names_secret);
    REQUIRE(!found.empty());
    CHECK(found.front().second == "opensesame");
  }
}

TEST_CASE("secrecy: no text is so deep or so large that looking through it takes long") {
  std::string deep = R"({"password":"opensesame"})";
  for (int i = 0; i < 6; ++i) deep = nlohmann::json(deep).dump();
  auto value = Value::of(deep);
  const auto of_interest = [](std::string_view name) { return name == "password"; };
  CHECK(checks::named_texts_in(value, of_interest).empty());
  value = Value::of(std::string(1'000'000, '['));
  CHECK(checks::texts_in(value).empty());
  value = Value::of(R"({"password":"opensesame","rest":")" + std::string(1'000'000, 'x') + "\"}");
  CHECK(checks::named_texts_in(value, of_interest).size() == 1);
}

TEST_CASE("secrecy: a word that is said of a secret is none") {
  const auto got_of = [](const std::string& body, const std::string& subject) {
    Fake fake([&](const std::string&) -> std::pair<int, std::string> { return {200, body}; });
    const Ran ran(
        {head("steps: [{name: ask, get: /, expect: {" + subject + ": nothing, json.echo: nothing}}]\n")},
        fake);
    std::string text;
    for (const auto& one : ran.of("ask").judged) text += one.got + " ";
    return text;
  };
  for (const char* word :
       {"enabled", "Disabled", "REQUIRED", "optional", "none", "false", "not set", "expired"}) {
    CAPTURE(word);
    const auto body =
        R"({"features":{"password":")" + std::string(word) + R"("},"echo":"is )" + word + R"("})";
    for (const char* subject : {"json.features", "json.features.password", "json", "json.features.*"})
      CHECK_THAT(got_of(body, subject), ContainsSubstring("is " + std::string(word)));
  }
  // What might be one is, however bad.
  for (const char* word : {"default", "changeme", "secret", "enabled1", "trustno1", "password"}) {
    CAPTURE(word);
    const auto body =
        R"({"features":{"password":")" + std::string(word) + R"("},"echo":"is )" + word + R"("})";
    for (const char* subject : {"json.features", "json.features.password"})
      CHECK(got_of(body, subject).find("is " + std::string(word)) == std::string::npos);
  }
  // What opens something is a secret whatever it reads like.
  CHECK(shown("v", R"("required")", "get: /, auth: bearer $(v)", {"required"}).empty());
  CHECK(shown("v", R"("u:required")", "get: /, auth: basic $(v)", {"is required"}).empty());
  CHECK(shown("v", R"("required")", "get: /, headers: {x-api-key: $(v)}", {"required"}).empty());
  CHECK(shown("v", R"("required")", "post: /, json: {password: $(v)}", {"required"}).empty());
  CHECK(shown("password", R"("required")", "get: /", {"required"}) == Words{"required"});
  CHECK(checks::secrets_named_in("/login?password=required&token=abcdef") ==
        std::vector<std::string>{"abcdef"});
}

TEST_CASE("secrecy: the fields of a reply's header go by a header's rule, and how many pass is no secret") {
  for (const char* header : {"header.x-session-id", "header.x-auth", "header.x-api-key"})
    CHECK(verify::use_of_subject(header));
  for (const char* harmless :
       {"header.content-type", "header.x-request-id", "json.items.0", "json.0", "0", "value"})
    CHECK_FALSE(verify::use_of_subject(harmless));
  Fake fake([](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"tests":{"pass":1200,"fail":1200}})"};
  });
  const Ran ran(
      {head("steps: [{name: ask, get: /, expect: {json.tests.pass: at least 1, json.tests.fail: 0}}]\n")},
      fake);
  CHECK(ran.of("ask").judged.back().got == "1200");
}

TEST_CASE("secrecy: what a URL or a body says under a secret's name is not shown with it") {
  CHECK(checks::secrets_named_in("/cb?access_token=a%2Fbcdefg&x=1#id_token=zzzzzz") ==
        std::vector<std::string>{"a%2Fbcdefg", "a/bcdefg", "zzzzzz"});
  CHECK(checks::secrets_named_in("a=b&page_token=next").empty());
  CHECK(verify::use_of_subject("json.session.id"));
  CHECK_FALSE(verify::use_of_subject("json.order.id"));
  Fake fake([](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"access_token":"opensesame","n":1})"};
  });
  const Ran ran({head("steps: [{name: ask, get: /, expect: {body: contains nothing}}]\n")}, fake);
  CHECK(ran.of("ask").judged.back().got.find("opensesame") == std::string::npos);
}

TEST_CASE("secrecy: only the suite's own words are no secret, and not what is put into them") {
  const auto reported = [](const std::string& keys) {
    Fake fake([&](const std::string&) -> std::pair<int, std::string> {
      return {200, R"({"access_token":"opensesame","same":"opensesame","ok":true})"};
    });
    const Ran ran({head("steps:\n  - {name: other, get: /, expect: 200, save: {other: json.same}}\n"
                        "  - {name: ask, get: /, " +
                        keys +
                        "}\n"
                        "  - {name: again, get: /, expect: {json.same: nothing}}\n")},
                  fake);
    std::string text;
    for (const char* name : {"ask", "again"})
      for (const auto& one : ran.of(name).judged) text += one.got + " " + one.wanted + "\n";
    return text;
  };
  for (const char* keys :
       {"expect: {json.access_token: $(other)}",
        "expect: {json.access_token: not $(other)}, on_fail: continue",
        "expect: 200, warn: {json.access_token: [$(other), x]}",
        "until: {json.access_token: $(other)}, for: 1s, every: 10ms",
        "until: {json.ok: true}, give_up_if: {json.access_token: not $(other)}, for: 1s, every: 10ms"}) {
    CAPTURE(keys);
    const auto text = reported(keys);
    CHECK_THAT(text, ContainsSubstring("***"));
    CHECK(text.find("opensesame") == std::string::npos);
  }
  CHECK_THAT(reported("expect: {json.access_token: opensesame}"), ContainsSubstring("opensesame"));
  const std::string geo = "neighbours: {geo: {probe: {get: /g, expect: 200}}}\n";
  Fake fake([](const std::string&) -> std::pair<int, std::string> {
    return {200, R"({"access_token":"opensesame","why":"opensesame"})"};
  });
  const Ran ran({head(geo + "steps:\n  - {name: ask, get: /, expect: {json.why: nothing}, tolerate: {geo: "
                            "{evidence: [{json.access_token: absent}], expect: 200}}}\n")},
                fake);
  CHECK(ran.of("ask").judged.front().got.find("opensesame") == std::string::npos);
}

TEST_CASE("secrecy: secrets are known before anything is asked, wherever the plan has them") {
  Fake fake([](const std::string&) -> std::pair<int, std::string> { return {200, "[]"}; });
  const Ran ran({head(R"yml(secrets: {a: env A, b: env B, c: env C, d: env D, e: env E, f: env F}
neighbours: {geo: {probe: {get: /geo, auth: bearer $(a), expect: 200}}}
setup:
  - {name: first, get: /, expect: 200}
steps:
  - {name: make, post: /, expect: 200, undo: {delete: /, auth: bearer $(b)}}
  - {name: last, post: /, form: {key: $(c)}, expect: 200}
cleanup:
  - {name: end, get: /, auth: bearer $(d), expect: 200}
sweep: {older_than: 1h, list: "/?k=$(e)", each: {delete: "/$(item.id)", auth: basic $(f)}}
)yml")},
                fake);
  CHECK(fake.asked_before_foreseen == 0);
  for (const char* name : {"A ", "B ", "C ", "D ", "E ", "F "}) {
    CAPTURE(name);
    CHECK(fake.foreseen.find(name) != std::string::npos);
  }
  CHECK(ran.of("last").verdict == Verdict::pass);
}
