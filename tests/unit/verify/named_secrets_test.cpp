#include "staithe/checks/named_secrets.hpp"

#include "flow.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>

using namespace flow;

namespace {

/// What the report of one step says that looks at such a reply, and what the one behind it does, which shows
/// where nothing has a name what was a secret.
std::string said_of(const std::string& body, const std::string& keys) {
  Fake fake([&](const std::string& title) -> std::pair<int, std::string> {
    return {200, title.find("/echo") == std::string::npos ? body : R"({"echo":"opensesame, page00"})"};
  });
  const Ran ran({head("steps:\n  - {name: ask, get: /, on_fail: continue, " + keys +
                      "}\n  - {name: again, get: /echo, expect: {json.echo: nothing}}\n")},
                fake);
  std::string text;
  for (const char* name : {"ask", "again"}) {
    text += ran.of(name).reason + " ";
    for (const auto& one : ran.of(name).judged) text += one.got + " ";
  }
  return text;
}

using Found = std::vector<std::string>;

bool has(const Found& found, const std::string& text) {
  return std::find(found.begin(), found.end(), text) != found.end();
}

const std::vector<std::string> no_json = {
    "access_token=opensesame&scope=repo",
    "user%5Bpassword%5D=opensesame",
    R"({"access_token":"opensesame","user":"jo",)",
    R"({"user":"jo","access_token":"opensesa)",
    R"({"user":"jo","tokens":["page00", "opensesame")",
    ")]}',\n{\"csrfToken\": \"opensesame\"}",
    "{'user': 'jo', 'password': 'opensesame'}",
    R"({"user" => "jo", "password" => "opensesame"})",
    "<r><password>opensesame</password></r>",
    "<r><l:password kind='x'><value><![CDATA[opensesame]]></value></l:password></r>",
    "<r><user password = 'opensesame'/></r>",
    "<r><user><password>opensesa",
    R"(<add key="ApiKey" value="opensesame" />)",
    R"(<property name="db.password">opensesame</property>)",
    R"(<form><input type="hidden" name="csrf_token" value="opensesame"></form>)",
    R"(<form><input value=opensesame type=password></form>)",
    R"(<meta content="opensesame" name="csrf-token" />)",
    R"(<script>window.state = {"user": {"csrfToken": "opensesame"}}</script>)",
    R"({"env":[{"name":"DB_PASSWORD","value":"opensesame"},{"name":"USER","value":"jo"}],)",
    R"({"env":[{"value" : "opensesame", "name" : "DB_PASSWORD"}],)",
    "[{'Key': 'api_key', 'Value': 'opensesame'}",
    "- name: DB_PASSWORD\n  value: opensesame\n- name: USER\n  value: jo\n",
    "user: jo\npassword: opensesame\n",
    "Authorization: Bearer opensesame\r\n",
    "the new password: opensesame",
    "{password: opensesame, user: jo}",
    "cannot reach postgres://jo:opensesame@h/shop?x=1",
    R"({"dsn":"amqp:\/\/jo:opensesame@h:5672",)",
    "https://x:opensesame@h",
};

}  // namespace

TEST_CASE("named secrets: a body that is not what was expected shows none of them where it is quoted") {
  for (const auto& body : no_json) {
    CAPTURE(body);
    for (const char* keys :
         {"expect: {json.user: jo}", "expect: {json: exists}", "expect: {body: contains nope}",
          "expect: {\"json $..x\": exists}", "expect: 200, save: {v: json.user}",
          "expect: 200, save: {v: json}", "expect: 200, warn: {json.user: jo}",
          "until: {json.user: jo}, for: 10ms, every: 10ms",
          "expect: 200, save: {token: json.access_token}"}) {
      CAPTURE(keys);
      const auto text = said_of(body, keys);
      CHECK(text.find("opensesa") == text.find("opensesame, page00"));
      // What is cut short is not known whole.
      if (body.find("opensesame") != std::string::npos) CHECK(text.find("opensesame") == std::string::npos);
    }
  }
}

TEST_CASE("named secrets: what a value of JSON or XML holds as a text is looked through as well") {
  for (const auto& inner : no_json) {
    CAPTURE(inner);
    if (inner.find("opensesame") == std::string::npos) continue;
    const auto body = nlohmann::json({{"data", inner}, {"n", 1}}).dump();
    for (const char* looked_at : {"json.data", "json", "body", "json.*", "\"json $..data\""})
      CHECK(said_of(body, "expect: {" + std::string(looked_at) + ": nothing}").find("opensesame") ==
            std::string::npos);
    CHECK(said_of(body, "expect: 200, save: {v: json.data}").find("opensesame") == std::string::npos);
  }
  const std::string xml = "<r><user><name>jo</name><password>opensesame</password></user></r>";
  for (const char* looked_at : {"xml string(//user)", "xml //user/*", "xml //name"}) {
    CAPTURE(looked_at);
    CHECK(said_of(xml, "expect: {\"" + std::string(looked_at) + "\": nothing}").find("opensesame") ==
          std::string::npos);
  }
}

TEST_CASE("named secrets: what has another name, is said of a secret or is for people is none") {
  using checks::secrets_named_in;
  for (const char* text :
       {"",
        "=",
        ":",
        "<",
        "\"password\":",
        "password=",
        "a=b&page_token=next",
        "password: jonathan must say more",
        "token: 12 of 30 jonathan",
        "Token::jonathan()",
        "ssh://jonathan@h/x",
        "http://h/jonathan:x@y",
        R"([{"name":"password"},{"name":"user","value":"jonathan"}])",
        R"({"name":"password","id":7},{"value":"jonathan"})",
        "- name: token\n- value: jonathan\n",
        R"({"value":"jonathan","name":"user"},{"name":"token"})",
        "password:\njonathan",
        R"({"password":"required","token_type":"bearer","pass":1200,"has_token":true,"n":[1,2]})",
        R"({"password":{"length":12,"ok":[true]}})",
        "<label id=\"password\">Your word</label>",
        "<a name=\"token\">Tokens</a> and more",
        "<input name=\"token\"> Remember me",
        "<password/>next",
        "<r><password></password><name>jo</name></r>",
        "if (token == other) a < b; c > d",
        "PASSWORD=\nUSER=jonathan",
        "https://token/"}) {
    CAPTURE(text);
    const auto found = secrets_named_in(text);
    CHECK_FALSE(has(found, "jonathan"));
    CHECK(std::all_of(found.begin(), found.end(), [](const auto& one) { return one.size() < 4; }));
  }
  CHECK(secrets_named_in("access_token=a%2Fb+cdef&x=1") == Found{"a%2Fb+cdef", "a/b+cdef", "a/b cdef"});
  CHECK(secrets_named_in(R"({"password":"a\/b\"c","echo":"x"})") == Found{R"(a\/b\"c)", "a/b\"c"});
  CHECK(has(secrets_named_in(R"("{\"a\":\"{\\\"password\\\":\\\"a\\\\\\\/b\\\"}\"}")"), "a/b"));
  CHECK(secrets_named_in(R"({"token":{"id":"open1","list":["open2",{"n":"open3"}]},"x":"page0"})") ==
        Found{"open1", "open2", "open3"});
  CHECK(has(secrets_named_in("<password>a&amp;b&#x3c;c&euro;</password>"), "a&b<c&euro;"));
  CHECK(secrets_named_in(R"({"otp":123456})") == Found{"123456"});
  CHECK(secrets_named_in("password: a,b;c") == Found{"a", "a,b;c"});
  CHECK(secrets_named_in("mysql://u:p%40w%2F1@h") == Found{"p%40w%2F1", "p@w/1"});
  CHECK(secrets_named_in(R"({"name":"password","value":"required"})").empty());
}

/// So many that what takes longer and longer would not end; a sanitizer sees in a few what there is to see.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t very_many = 4'000;
#else
constexpr std::size_t very_many = 40'000;
#endif

TEST_CASE("named secrets: of a reply that has more of them than can be looked for nothing is shown",
          "[volume]") {
  const auto list_of = [](std::size_t tokens, std::size_t items) {
    std::string body = R"({"n":12,"note":"opensesame","on":false,"list":[)";
    for (std::size_t i = 0; i < items; ++i)
      body += (i > 0 ? "," : "") + std::string(R"({"name":"user)") + std::to_string(i) + R"(","token":"tok)" +
              std::to_string(1'000'000 + i % tokens) + R"(-abcdef"})";
    return body + "]}";
  };
  const auto asked = [&](const std::string& body, const std::string& subject) {
    return said_of(body, "expect: {" + subject + ": nothing}");
  };
  for (const char* subject : {"json", "body", "json.list", "json.list.*.token", "\"json $..token\""}) {
    CAPTURE(subject);
    const auto text = asked(list_of(very_many, very_many), subject);
    CHECK_THAT(text, ContainsSubstring("***"));
    CHECK(text.find("tok1") == std::string::npos);
    CHECK(text.find("user0") == std::string::npos);
  }
  CHECK(said_of(list_of(very_many, very_many), "expect: 200, save: {v: json.list}").find("tok1") ==
        std::string::npos);
  // What has many places, but few secrets, is shown without those.
  const auto few = asked(list_of(150, very_many), "json.list");
  CHECK_THAT(few, ContainsSubstring(R"([{"name":"user0","token":"***"})"));
  CHECK_THAT(few, ContainsSubstring(" bytes)"));
  // How many there are is what was asked for.
  CHECK_THAT(asked(list_of(300, 300), "json.list").substr(0, 9), ContainsSubstring("***"));
  CHECK_THAT(said_of(list_of(300, 300), "expect: {json.list: count 301}"), ContainsSubstring(" 300 in *** "));
  // Where nothing was looked at that has one.
  CHECK_THAT(asked(list_of(300, 300), "json.note"), ContainsSubstring("opensesame"));
  const auto hidden =
      said_of(list_of(300, 300), "expect: {json.list: exists, json.n: 1, json.on: true, json.note: x}");
  CHECK_THAT(hidden, ContainsSubstring(" 12 "));
  CHECK_THAT(hidden, ContainsSubstring(" false "));
  CHECK(hidden.find("opensesame") == hidden.find("opensesame, page00"));
  // Those that are saved are known all the same, wherever they stand among what is saved.
  const auto body = R"({"token":"Bearer opensesame",)" + list_of(300, 300).substr(1);
  for (const char* saves :
       {"token: json.token, v: json.list", "v: json.list, token: json.token", "v: body, token: json.token",
        "tokens: \"json $..token\", list_secret: json.list, token: json.token"}) {
    CAPTURE(saves);
    const auto saved = said_of(body, "expect: 200, save: {" + std::string(saves) + "}");
    CHECK(saved.find("opensesame") == std::string::npos);
  }
}

TEST_CASE("named secrets: what a failed command has written last is quoted without them") {
  const auto note_of = [](const std::string& err, const std::string& expectations) {
    Fake fake([](const std::string&) -> std::pair<int, std::string> { return {0, ""}; });
    fake.err = err;
    fake.exit = 3;
    const Ran ran({head("steps: [{name: ask, run: \"false\", expect: {" + expectations + "}}]\n")}, fake);
    return ran.of("ask").attempts.back().note;
  };
  CHECK(note_of("token=opensesame", "exit: 0") == "0: token=***");
  CHECK(note_of("token=opensesame", "exit: 3") == "0: token=***");
  CHECK(note_of("{\"password\":\n\"opensesame\"}", "exit: 0") == "0: \"***\"}");
  CHECK(note_of("no such file", "exit: 0") == "0: no such file");
  std::string many;
  for (int i = 0; i < 300; ++i) many += "token=tok" + std::to_string(1000 + i) + "\n";
  CHECK(note_of(many + "token=opensesame", "exit: 0") == "0: ***");
}

TEST_CASE("named secrets: what is no markup, and a quote that is not closed, take nothing behind them") {
  using checks::secrets_named_in;
  for (const char* text :
       {"usage: tool <user> <password> <host>\nconnection refused by jonathan\ntry again",
        "usage: tool <password>\nconnection refused by jonathan", "Bearer <token>, jonathan says",
        "usage: <password>jonathan or none", "<token>\n<name>jonathan</name>",
        "<user><password> and more <password>opensesame</password> of jonathan",
        "<password>opensesame</password> of <password> jonathan", "password='opensesame\nof jonathan\n",
        "{\"tokens\":[\"opensesame\n of jonathan"}) {
    CAPTURE(text);
    const auto found = secrets_named_in(text);
    CHECK(std::none_of(found.begin(), found.end(),
                       [](const auto& one) { return one.find("jonathan") != std::string::npos; }));
    if (std::string_view(text).find("opensesame") != std::string_view::npos) CHECK(has(found, "opensesame"));
  }
  for (const char* text :
       {"<password>opensesame", "<r><password>opensesame</passw", "<r><password>opensesame<",
        "<l:password><value>opensesame", "{\"log\":\"<password>opensesame\", \"n\": 1}",
        R"("<r><password>opensesame<\/password><\/r>")", "<password><![CDATA[opensesame",
        "<password><![CDATA[opensesame]]>", "password=\"opensesame", "token='opensesame\r\nPath: x"}) {
    CAPTURE(text);
    CHECK(has(secrets_named_in(text), "opensesame"));
  }
}

TEST_CASE("named secrets: the time that looking takes grows with the text, whatever it is", "[volume]") {
  constexpr std::size_t size = 300'000;
  const auto many = [](const std::string& piece) {
    std::string text;
    while (text.size() < size) text += piece;
    return text;
  };
  const std::clock_t begun = std::clock();
  for (const char* piece : {"=",
                            ":",
                            "token=",
                            "token:",
                            "\"token\":",
                            "\"token\":[",
                            "\"token\":{",
                            "\"token\":\"",
                            "\\",
                            "\\\"",
                            "'",
                            "token='",
                            "<",
                            "<a ",
                            "<token>",
                            "</token>",
                            "<a token=",
                            "<a b=\"",
                            "<![CDATA[",
                            "<password ",
                            " ",
                            "token= ",
                            "&",
                            "<token>&",
                            "<token>x</token>",
                            "<token></",
                            "<\\",
                            "token='x\n",
                            "token=\\'x\n",
                            "\"token\":\"\\\\\"",
                            "a%",
                            "a://",
                            "a://b:c@",
                            "a:\\/",
                            "\"name\":\"",
                            "\"name\":\"token\",\"value\":",
                            "name: token\n",
                            "value='\\\"",
                            "token: a ",
                            "value=",
                            "value:",
                            "\"value\":",
                            "<a pass=1200 value=1200 name=pass ",
                            "<a name=token>"}) {
    CAPTURE(piece);
    (void)checks::secrets_named_in(many(piece));
  }
  CHECK(std::clock() - begun < 20 * CLOCKS_PER_SEC);
}

TEST_CASE("named secrets: a word is taken as long as tokens are, and not anew for each of the names in it") {
  const auto token = "eyJ" + std::string(2000, 'a');
  CHECK(has(checks::secrets_named_in("token: " + token), token));
  CHECK(has(checks::secrets_named_in("password:opensesame,token:page00"), "opensesame"));
  std::string names;
  for (int i = 0; i < 400; ++i) names += "password:";
  std::size_t bytes = 0;
  const auto found = checks::secrets_named_in("x " + names + "opensesame\ntoken: page00\n");
  for (const auto& one : found) bytes += one.size();
  CHECK(bytes < 20 * names.size());
  CHECK(has(found, "page00"));
}
