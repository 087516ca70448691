#include "staithe/report/checks.hpp"

#include "catch.hpp"
#include "support/directory.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/report/rehearsal.hpp"
#include "staithe/verify/runner.hpp"

#include <fcntl.h>
#include <stdlib.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>

using namespace staithe;

namespace {

/// Answers every request with the same reply.
class Fixed final : public verify::Probes {
 public:
  explicit Fixed(std::function<checks::Reply(const std::string&)> answer) : answer_(std::move(answer)) {}
  checks::Reply perform(const checks::Request& request, const base::Scope&) override {
    return answer_(title_of(request));
  }

 private:
  std::function<checks::Reply(const std::string&)> answer_;
};

struct ToFile {
  explicit ToFile(const std::string& path)
      : fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)), output(fd.get()) {}
  base::UniqueFd fd;
  report::Output output;
};

constexpr const char* suite_text = R"(suite: smoke
severity: critical
target: http://h
about: "<b>& it's"
steps:
  - name: good & quick
    get: /good
    expect: 200
  - name: "slow #1"
    on_fail: continue
    get: /good
    expect: 200
    warn: {time: at most 1ms}
  - name: flaky *a* ~~b~~ $c$
    on_fail: continue
    get: /flaky
    retry: 2 after 1ms
    expect: 200
  - name: wrong
    get: /wrong
    retry: 1 after 1ms
    expect: {status: 200, json.note: fine, body: contains fine}
  - name: after
    get: /good
    expect: 200
)";

/// Every report of one run, by name.
std::map<std::string, std::string> reports(verify::Probes& probes, base::Redactor& redactor) {
  diag::Diagnostics diagnostics;
  auto suite = checks::load_suite("checks/smoke.yml", suite_text, {}, diagnostics);
  REQUIRE(suite);
  const checks::SuitePlan plan{"4f1c2aa", "production", {*suite}};
  const test::Directory directory;
  ToFile text(directory / "text"), loud(directory / "loud"), records(directory / "jsonl"),
      github(directory / "github");
  const std::vector<std::unique_ptr<verify::Listener>> made = [&] {
    std::vector<std::unique_ptr<verify::Listener>> all;
    all.push_back(report::make_check_text(text.output, {}));
    all.push_back(report::make_check_text(loud.output, {1, report::Color::on}));
    all.push_back(report::make_check_jsonl(records.output, "1.0"));
    all.push_back(report::make_check_github(github.output, directory / "summary"));
    all.push_back(report::make_check_file(report::CheckFile::junit, directory / "junit"));
    all.push_back(report::make_check_file(report::CheckFile::tap, directory / "tap"));
    all.push_back(report::make_check_file(report::CheckFile::html, directory / "html"));
    return all;
  }();
  std::vector<verify::Listener*> listeners;
  for (const auto& one : made) listeners.push_back(one.get());
  verify::Options options;
  options.run_id = "20261121t120000-abcdef";
  options.arguments = [](const checks::Suite&) { return std::string(" -e production"); };
  verify::run(plan, options, probes, nullptr, redactor, listeners);
  std::map<std::string, std::string> texts;
  for (const char* name : {"text", "loud", "jsonl", "github", "summary", "junit", "tap", "html"}) {
    texts[name] = directory.text(name);
    CHECK_FALSE(texts[name].empty());
  }
  return texts;
}

checks::Reply reply(int status, const std::string& body,
                    const std::string& note = "200 in 9 ms from 127.0.0.1:80") {
  checks::Reply made;
  made.facts["status"] = checks::Value::count(static_cast<std::uint64_t>(status));
  made.facts["time"] = checks::Value::milliseconds(9);
  made.body = body;
  made.note = note;
  return made;
}

}  // namespace

TEST_CASE("check reports: a summary for GitHub that is lost is told of, also when the disk is full") {
  const test::Directory directory;
  for (const auto& [path, why] : {std::pair<std::string, std::string>{"/dev/full", "No space left"},
                                  {directory / "none/summary", "No such file"}}) {
    std::string lost;
    {
      ToFile github(directory / "github");
      report::make_check_github(github.output, path, [&](const std::string& text) {
        lost = text;
      })->run_finished({});
    }
    CHECK_THAT(lost, ContainsSubstring(path));
    CHECK_THAT(lost, ContainsSubstring(why));
    CHECK_THAT(directory.text("github"), ContainsSubstring("::warning::the summary was not written"));
  }
}

TEST_CASE("check reports: each tells what happened in its own way") {
  int flaky = 0;
  Fixed probes([&](const std::string& title) {
    if (title == "GET http://h/flaky") return reply(++flaky < 2 ? 500 : 200, "{}");
    return title == "GET http://h/wrong" ? reply(500, R"({"note":"<bad> & \"worse\""})") : reply(200, "{}");
  });
  base::Redactor redactor;
  auto texts = reports(probes, redactor);
  CHECK_THAT(texts["text"], ContainsSubstring("FAIL  smoke: wrong   critical"));
  CHECK_THAT(texts["text"], ContainsSubstring("checks/smoke.yml:19  GET http://h/wrong"));
  CHECK_THAT(texts["text"], ContainsSubstring("status     wanted 200   got 500"));
  CHECK_THAT(texts["text"],
             ContainsSubstring("again    staithe check -e production checks/smoke.yml --only wrong"));
  CHECK_THAT(texts["text"], ContainsSubstring("curl     curl -sS -i http://h/wrong"));
  CHECK_THAT(texts["text"], ContainsSubstring("; 2 pass, 1 degraded, 1 skipped, 1 fail"));
  CHECK(texts["text"].find('\033') == std::string::npos);
  CHECK(texts["loud"].find("\033[1;31m") != std::string::npos);
  CHECK_THAT(texts["loud"], ContainsSubstring("  \033[1;31mFAIL\033[0m  wrong"));
  // Jenkins: a failure has a message and a text and no skipped beside it; attempts that failed are visible.
  CHECK_THAT(texts["junit"],
             ContainsSubstring("<failure message=\"status: wanted 200, got 500\" type=\"assertion\">checks"));
  CHECK_THAT(texts["junit"], ContainsSubstring("<flakyFailure message="));
  CHECK_THAT(texts["junit"], ContainsSubstring("<rerunFailure message="));
  CHECK_THAT(texts["junit"], ContainsSubstring("<skipped message=\"blocked: "));
  CHECK_THAT(texts["junit"], ContainsSubstring("classname=\"checks.smoke\" name=\"good &amp; quick\""));
  CHECK_THAT(texts["tap"], ContainsSubstring("TAP version 14\n1..5\n"));
  CHECK_THAT(texts["tap"], ContainsSubstring("ok 2 - smoke: slow \\#1"));
  CHECK_THAT(texts["tap"], ContainsSubstring("not ok 4 - smoke: wrong\n  ---\n"));
  CHECK_THAT(texts["tap"], ContainsSubstring("ok 5 - smoke: after # SKIP blocked"));
  CHECK_THAT(texts["github"],
             ContainsSubstring("::error file=checks/smoke.yml,line=19,title=fail%3A wrong::"));
  CHECK_THAT(texts["github"], ContainsSubstring("::warning file="));
  CHECK_THAT(texts["summary"], ContainsSubstring("| smoke | wrong | fail |"));
  CHECK_THAT(texts["summary"], ContainsSubstring("| status: wanted 200, got 500 |"));
  CHECK_THAT(texts["summary"], ContainsSubstring(R"(| flaky \*a\* \~\~b\~\~ \$c\$ |)"));
  CHECK(texts["summary"].find("| wrong |") < texts["summary"].find("| good &amp; quick |"));
  CHECK_THAT(texts["html"], ContainsSubstring("&lt;b&gt;&amp; it"));
  CHECK(texts["html"].find("<script") == std::string::npos);
  CHECK(texts["html"].find("http-equiv=\"Content-Security-Policy\"") != std::string::npos);
  for (const auto& line : base::split(base::trim(texts["jsonl"]), '\n')) {
    CHECK(line.front() == '{');
    // Several runs may share a log: each record says whose it is.
    if (line.find("\"type\":\"version\"") == std::string::npos)
      CHECK_THAT(line, ContainsSubstring("\"run_id\":\"20261121t120000-abcdef\""));
  }
}

TEST_CASE(
    "check reports: that nothing answered is said in the line of the check, once below and in the last "
    "line") {
  Fixed probes([](const std::string& title) {
    if (title != "GET http://h/wrong") return reply(200, "{}");
    checks::Reply made;
    made.failure = checks::Reply::Failure::unreachable;
    made.reason = "GET http://h: Failed to connect";
    return made;
  });
  base::Redactor redactor;
  const auto texts = reports(probes, redactor);
  const auto& text = texts.at("text");
  std::size_t said = 0;
  for (auto at = text.find("Failed"); at != std::string::npos; at = text.find("Failed", at + 1)) ++said;
  CAPTURE(text);
  CHECK(said == 3);
  CHECK_THAT(text, ContainsSubstring("      no answer  GET http://h: Failed to connect\n"));
  CHECK_THAT(text, ContainsSubstring("      attempts 2, with the same reason\n"));
  for (const char* name : {"text", "loud", "github", "summary", "junit", "tap", "html"}) {
    CAPTURE(name);
    CHECK(texts.at(name).find("wanted any") == std::string::npos);
  }
}

TEST_CASE("check reports: runs beside each other in one log keep their own names") {
  const test::Directory directory;
  ToFile log(directory / "log");
  const auto one = report::make_check_jsonl(log.output, "1.0");
  const auto other = report::make_check_jsonl(log.output, "1.0", {false, false});
  verify::RunResult first, second;
  first.run_id = "run-1", first.release = "aaa";
  second.run_id = "run-2", second.release = "bbb";
  const checks::SuitePlan plan;
  one->run_started(first, plan);
  other->run_started(second, plan);
  checks::Suite suite;
  suite.name = "api";
  checks::Check check;
  check.name = "charge";
  verify::SuiteResult result;
  result.suite = &suite;
  verify::CheckResult found;
  found.check = &check;
  found.verdict = result.verdict = checks::Verdict::fail;
  one->check_finished(result, found);
  other->check_finished(result, found);
  other->suite_finished(result);
  found.verdict = result.verdict = checks::Verdict::pass;
  other->check_finished(result, found);
  other->suite_finished(result);
  other->run_finished(second);
  const auto lines = base::split(base::trim(directory.text("log")), '\n');
  REQUIRE(lines.size() == 5);
  CHECK_THAT(lines[0], ContainsSubstring("\"version\""));
  CHECK_THAT(lines[2], ContainsSubstring("\"release\":\"aaa\"") && ContainsSubstring("\"run-1\""));
  CHECK_THAT(lines[3], ContainsSubstring("\"release\":\"bbb\"") && ContainsSubstring("\"run-2\""));
  CHECK_THAT(lines[4], ContainsSubstring("\"type\":\"suite\"") && ContainsSubstring("\"run-2\""));
}

namespace {

std::string formatted(const std::string& text, const char* format) {
  std::string made;
  for (const char c : text) {
    char piece[16];
    const auto byte = static_cast<unsigned>(static_cast<unsigned char>(c));
    // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): formats of this file
    std::snprintf(piece, sizeof piece, format, byte);
    made += piece;
  }
  return made;
}

std::string replaced(std::string text, const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string made, firsts;
  for (const auto& pair : pairs) firsts += pair.first.front();
  for (std::size_t at = 0; at < text.size();) {
    // Whole pages come here: what begins none of the pairs is taken as one piece.
    const auto next = std::min(text.find_first_of(firsts, at), text.size());
    made.append(text, at, next - at);
    at = next;
    if (at == text.size()) break;
    const auto pair = std::find_if(pairs.begin(), pairs.end(), [&](const auto& one) {
      return text.compare(at, one.first.size(), one.first) == 0;
    });
    if (pair == pairs.end()) {
      made += text[at++];
    } else {
      made += pair->second;
      at += pair->first.size();
    }
  }
  return made;
}

std::string url_alphabet(std::string text) {
  for (auto& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

/// How peers and libraries write a text, by name.
std::map<std::string, std::string> encodings(const std::string& secret) {
  std::map<std::string, std::string> all{
      {"raw", secret},
      {"hex", formatted(secret, "%02x")},
      {"HEX", formatted(secret, "%02X")},
      {"percent", formatted(secret, "%%%02X")},
      {"percent, lower", formatted(secret, "%%%02x")},
      {"form",
       replaced(secret, {{" ", "+"}, {"\"", "%22"}, {"<", "%3C"}, {">", "%3E"}, {"&", "%26"}, {"%", "%25"}})},
      {"JSON", replaced(secret, {{"\"", "\\\""}, {"\\", "\\\\"}, {"/", "\\/"}, {"\n", "\\n"}})},
      {"JSON, all escaped", formatted(secret, "\\u%04x")},
      {"C", formatted(secret, "\\x%02x")},
      {"octal", formatted(secret, "\\%03o")},
      {"quoted-printable", formatted(secret, "=%02X")},
      {"hex with colons", formatted(secret, "%02x:")},
      {"hex with blanks", formatted(secret, "%02X ")},
      {"numbers", formatted(secret, "%u,")},
      {"base64 of base64", base::base64(base::base64(secret))},
      {"base64 of base64, inside", base::base64("x" + base::base64("user:" + secret) + "y")},
      {"HTML",
       replaced(secret, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}})},
      {"XML, decimal", formatted(secret, "&#%u;")},
      {"XML, hexadecimal", formatted(secret, "&#x%x;")},
      {"shell", replaced(secret, {{"'", "'\\''"}})},
      {"SQL", replaced(secret, {{"'", "''"}})}};
  // Wherever it stands in the encoded bytes: as user:password, as a bearer token in JSON, ...
  for (const std::string before : {"", "u", "us", "user:"}) {
    all["base64 after '" + before + "'"] = base::base64(before + secret + "!!");
    all["base64url after '" + before + "'"] = url_alphabet(base::base64(before + secret + "!!"));
  }
  if (std::any_of(secret.begin(), secret.end(), [](char c) { return (c & 0x80) != 0; })) {
    // Escapes of code points are not those of bytes.
    all.erase("JSON, all escaped");
    all.erase("XML, decimal");
    all.erase("XML, hexadecimal");
  }
  return all;
}

/// What a reader of the report sees: JSON's and markup's own escapes undone.
std::string read_back(const std::string& text) {
  return replaced(text, {{"&amp;", "&"},
                         {"&lt;", "<"},
                         {"&gt;", ">"},
                         {"&quot;", "\""},
                         {"&#39;", "'"},
                         {"\\\"", "\""},
                         {"\\\\", "\\"},
                         {"%25", "%"},
                         {"%3A", ":"},
                         {"\\#", "#"}});
}

}  // namespace

TEST_CASE("check reports: no secret in any of them, in any encoding, wherever a peer puts it",
          "[one-thread]") {
  // Values that are hard to keep out: quotes, markup, several words, no ASCII, what looks like base64.
  for (const std::string secret : {"s3cr3t-key-77", "pa\"ss<w>ord&/%x", "it's a 'word'",
                                   "gr\xC3\xBC\xC3\x9F"
                                   "e-von-uns",
                                   "QUJDREVGR0g=", "c:\\temp\\new"}) {
    base::Redactor redactor;
    redactor.add(secret);
    for (const auto& [encoding, text] : encodings(secret)) {
      Fixed probes([&form = text](const std::string& title) {
        if (title == "GET http://h/wrong") {
          const auto quoted = replaced(form, {{"\"", "\\\""}, {"\\", "\\\\"}});
          auto made = reply(500, R"({"note":")" + quoted + "\"}", "500 " + form);
          made.facts["status"] = checks::Value::of(form);
          return made;
        }
        if (title == "GET http://h/flaky") {
          checks::Reply made;
          made.failure = checks::Reply::Failure::unreachable;
          made.reason = "refused for " + form;
          return made;
        }
        return reply(200, form, form);
      });
      for (const auto& [name, report] : reports(probes, redactor)) {
        CAPTURE(name, secret, encoding, text);
        CHECK(report.find(text) == std::string::npos);
        const auto seen = read_back(report);
        CHECK(seen.find(text) == std::string::npos);
        CHECK(read_back(seen).find(secret) == std::string::npos);
        CHECK(report.find(name == "summary" ? R"(\*\*\*)" : "***") != std::string::npos);
      }
    }
  }
}

TEST_CASE("check reports: a secret at the place where a long text is cut leaves nothing of itself") {
  const std::string secret = "0123456789abcdefghijklmnop";
  base::Redactor redactor;
  redactor.add(secret);
  for (std::size_t before = 170; before <= 202; before += 2) {
    const std::string note = std::string(before, '.') + secret + std::string(400, '.');
    Fixed probes([&](const std::string& title) {
      if (title == "GET http://h/wrong") return reply(500, R"({"note":")" + note + "\"}");
      return reply(200, note);
    });
    for (const auto& [name, report] : reports(probes, redactor)) {
      CAPTURE(name, before);
      CHECK(report.find(".0123") == std::string::npos);
    }
  }
}

TEST_CASE("a file that cannot be written is named as it was asked for, and not by its temporary name") {
  const staithe::test::Directory directory;
  const auto page = directory.path() + "/gone/page.html";
  try {
    staithe::report::write_rehearsal(page, "x");
    FAIL("it was written");
  } catch (const staithe::base::Error& error) {
    CHECK(std::string(error.what()).starts_with(page + ":"));
  }
}

TEST_CASE("check reports: the last line names what could not be judged too, behind what failed") {
  const auto last_line = [](bool fails) {
    Fixed probes([&](const std::string& title) {
      if (title == "GET http://h/good") return reply(200, "{}");
      if (title == "GET http://h/wrong" && fails) return reply(500, "{}");
      checks::Reply made;
      made.failure = checks::Reply::Failure::ours;
      made.reason = "no secret";
      return made;
    });
    base::Redactor redactor;
    const auto lines = base::split(base::trim(reports(probes, redactor)["text"]), '\n');
    return lines.back();
  };
  CHECK_THAT(last_line(true),
             ContainsSubstring("fail: wrong: status: wanted 200, got 500; flaky *a* ~~b~~ $c$ could "
                               "not be judged: no secret; 1 pass"));
  CHECK_THAT(last_line(false),
             ContainsSubstring("error: flaky *a* ~~b~~ $c$ could not be judged: no secret; wrong "
                               "could not be judged: no secret; "));
}

TEST_CASE("check words: every lost point is told where there is room, and the rest is counted elsewhere") {
  verify::RunResult run;
  run.verdict = verify::Verdict::pass;
  for (int i = 0; i < 12; ++i) run.confidence.lost.push_back({1.0, "check " + std::to_string(i), "is flaky"});
  const auto all = base::join(report::check_worth(run, report::Itemised::all), "\n");
  CHECK_THAT(all, ContainsSubstring("'check 11' is flaky"));
  const auto most = base::join(report::check_worth(run), "\n");
  CHECK(most.find("'check 11'") == std::string::npos);
  CHECK_THAT(most, ContainsSubstring("in 4 other places (-v and the html report name each)"));
}

TEST_CASE("check words: what sets up or puts right is run again with its suite") {
  checks::Suite suite;
  suite.file = "checks/s.yml";
  verify::SuiteResult result;
  result.suite = &suite;
  checks::Check check;
  check.name = "cl1";
  verify::CheckResult one;
  one.check = &check;
  for (const auto part : {checks::Part::setup, checks::Part::undo, checks::Part::cleanup}) {
    check.part = part;
    CHECK(report::check_again(result, one) == "staithe check checks/s.yml");
  }
  check.part = checks::Part::steps;
  CHECK(report::check_again(result, one) == "staithe check checks/s.yml --only cl1");
}

TEST_CASE("check reports: what has one name in two parts of a suite has two names in JUnit") {
  Fixed probes([](const std::string&) { return reply(200, "{}"); });
  diag::Diagnostics diagnostics;
  checks::SuitePlan plan;
  plan.suites.push_back(*checks::load_suite("s.yml",
                                            "suite: s\ntarget: http://h\n"
                                            "setup: [{name: same, get: /, expect: 200}]\n"
                                            "steps: [{name: same, post: /, expect: 200, undo: {delete: /}}]\n"
                                            "cleanup: [{name: same, get: /, expect: 200}]\n",
                                            {}, diagnostics));
  base::Redactor redactor;
  const auto junit = report::check_junit(verify::run(plan, {}, probes, nullptr, redactor, {}));
  for (const char* name : {"setup: same", "same", "undo: same", "cleanup: same"}) {
    const auto wanted = " name=\"" + std::string(name) + "\"";
    const auto at = junit.find(wanted);
    CAPTURE(name, junit);
    REQUIRE(at != std::string::npos);
    CHECK(junit.find(wanted, at + 1) == std::string::npos);
  }
}

TEST_CASE("check reports: what has one name several times is numbered in JUnit") {
  int number = 0;
  Fixed probes([&](const std::string&) { return reply(200, "{\"id\":" + std::to_string(++number) + "}"); });
  diag::Diagnostics diagnostics;
  checks::SuitePlan plan;
  plan.suites.push_back(*checks::load_suite(
      "s.yml",
      "suite: s\ntarget: http://h\n"
      "steps: [{name: make, post: /, safe: true, sample: 3, expect: 200, save: {id: json.id}, "
      "undo: {delete: /$(id), expect: 200}}]\n",
      {}, diagnostics));
  base::Redactor redactor;
  const auto junit = report::check_junit(verify::run(plan, {}, probes, nullptr, redactor, {}));
  CAPTURE(junit);
  for (const char* name : {"make", "undo: make", "undo: make #2", "undo: make #3"}) {
    const auto wanted = " name=\"" + std::string(name) + "\"";
    const auto at = junit.find(wanted);
    CAPTURE(name);
    REQUIRE(at != std::string::npos);
    CHECK(junit.find(wanted, at + 1) == std::string::npos);
  }
}
