#include "staithe/report/checks.hpp"

#include "catch.hpp"

#include "staithe/base/text.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/verify/runner.hpp"

#include <fcntl.h>
#include <stdlib.h>

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

class Directory {
 public:
  Directory() {
    char name[] = "/tmp/staithe-report-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::bad_alloc();
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file(const std::string& name) const { return path_ + "/" + name; }
  std::string text(const std::string& name) const {
    std::ifstream file(this->file(name), std::ios::binary);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
  }

 private:
  std::string path_;
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
  - name: flaky
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
std::map<std::string, std::string> reports(verify::Probes& probes, const base::Redactor& redactor) {
  diag::Diagnostics diagnostics;
  auto suite = checks::load_suite("checks/smoke.yml", suite_text, {}, diagnostics);
  REQUIRE(suite);
  const checks::SuitePlan plan{"4f1c2aa", "production", {*suite}};
  const Directory directory;
  ToFile text(directory.file("text")), loud(directory.file("loud")), records(directory.file("jsonl")),
      github(directory.file("github"));
  const std::vector<std::unique_ptr<verify::Listener>> made = [&] {
    std::vector<std::unique_ptr<verify::Listener>> all;
    all.push_back(report::make_check_text(text.output, {}));
    all.push_back(report::make_check_text(loud.output, {1, report::Color::on}));
    all.push_back(report::make_check_jsonl(records.output, "1.0"));
    all.push_back(report::make_check_github(github.output, directory.file("summary")));
    all.push_back(report::make_check_file(report::CheckFile::junit, directory.file("junit")));
    all.push_back(report::make_check_file(report::CheckFile::tap, directory.file("tap")));
    all.push_back(report::make_check_file(report::CheckFile::html, directory.file("html")));
    return all;
  }();
  std::vector<verify::Listener*> listeners;
  for (const auto& one : made) listeners.push_back(one.get());
  verify::Options options;
  options.run_id = "20261121t120000-abcdef";
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

TEST_CASE("check reports: each tells what happened in its own way") {
  int flaky = 0;
  Fixed probes([&](const std::string& title) {
    if (title == "GET http://h/flaky") return reply(++flaky < 2 ? 500 : 200, "{}");
    return title == "GET http://h/wrong" ? reply(500, R"({"note":"<bad> & \"worse\""})") : reply(200, "{}");
  });
  const base::Redactor redactor;
  auto texts = reports(probes, redactor);
  CHECK_THAT(texts["text"], ContainsSubstring("FAIL  smoke: wrong   critical"));
  CHECK_THAT(texts["text"], ContainsSubstring("checks/smoke.yml:19  GET http://h/wrong"));
  CHECK_THAT(texts["text"], ContainsSubstring("status     wanted 200   got 500"));
  CHECK_THAT(texts["text"], ContainsSubstring("again    staithe check checks/smoke.yml --only wrong"));
  CHECK_THAT(texts["text"], ContainsSubstring("curl     curl -sS -i http://h/wrong"));
  CHECK_THAT(texts["text"], ContainsSubstring("fail: 2 pass, 1 degraded, 1 skipped, 1 fail"));
  CHECK(texts["text"].find('\033') == std::string::npos);
  CHECK(texts["loud"].find("\033[1;31m") != std::string::npos);
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
  CHECK_THAT(texts["html"], ContainsSubstring("&lt;b&gt;&amp; it"));
  CHECK(texts["html"].find("<script") == std::string::npos);
  CHECK(texts["html"].find("http-equiv=\"Content-Security-Policy\"") != std::string::npos);
  for (const auto& line : base::split(base::trim(texts["jsonl"]), '\n')) CHECK(line.front() == '{');
}

TEST_CASE("check reports: no secret in any of them, in any encoding, wherever a peer puts it") {
  // Values that are hard to keep out: quotes, markup, something that is UTF-8, something that looks like
  // base64.
  for (const std::string secret : {"s3cr3t-key-77", "pa\"ss<w>ord&/%x",
                                   "gr\xC3\xBC\xC3\x9F"
                                   "e-von-uns",
                                   "QUJDREVGR0g="}) {
    base::Redactor redactor;
    redactor.add(secret);
    const auto encoded = base::base64("user:" + secret);
    std::string percent, hex;
    for (const char c : secret) {
      char two[4];
      std::snprintf(two, sizeof two, "%%%02X", static_cast<unsigned>(static_cast<unsigned char>(c)));
      percent += two;
      std::snprintf(two, sizeof two, "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
      hex += two;
    }
    std::string json_escaped;
    for (const char c : secret)
      json_escaped += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
    const std::string everywhere = secret + " " + encoded + " " + percent + " " + hex;
    Fixed probes([&](const std::string& title) {
      if (title == "GET http://h/wrong") {
        auto made =
            reply(500, R"({"note":")" + json_escaped + " " + percent + " " + encoded + " " + hex + "\"}",
                  "500 " + everywhere);
        made.facts["status"] = checks::Value::of(everywhere);
        return made;
      }
      if (title == "GET http://h/flaky") {
        checks::Reply made;
        made.failure = checks::Reply::Failure::unreachable;
        made.reason = "refused for " + everywhere;
        return made;
      }
      return reply(200, everywhere, everywhere);
    });
    for (const auto& [name, text] : reports(probes, redactor)) {
      CAPTURE(name, secret);
      CHECK(text.find(secret) == std::string::npos);
      CHECK(text.find(encoded) == std::string::npos);
      CHECK(text.find(percent) == std::string::npos);
      CHECK(text.find(hex) == std::string::npos);
      CHECK(text.find("***") != std::string::npos);
    }
  }
}
