#include "catch.hpp"
#include "recording.hpp"
#include "support/directory.hpp"
#include "xml.hpp"

#include "staithe/base/error.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace staithe;
using namespace staithe::test;

namespace {

std::string junit_of(const Recording& run) {
  const Directory directory;
  const auto path = directory / "report.xml";
  const auto sink = report::make_junit(path);
  run.play(*sink);
  CHECK(sink->problem().empty());
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
  return directory.text("report.xml");
}

}  // namespace

TEST_CASE("junit: a failure, as Jenkins shows it") {
  CHECK(junit_of(failure()) == R"xml(<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="deploy-web-production">
<testsuite name="deploy-web-production roll" tests="3" failures="2" errors="0" skipped="0" time="59.400" timestamp="2026-03-04T12:04:01Z">
<testcase classname="deploy-web-production.roll.web1" name="drain: haproxy" time="12.300" timestamp="2026-03-04T12:04:01Z">
<system-out>drain web1
</system-out>
</testcase>
<testcase classname="deploy-web-production.roll.web1" name="reload" time="47.000" timestamp="2026-03-04T12:04:13Z">
<failure message="reload: systemctl reload web: exit status 1" type="failed">Job for web.service failed.
</failure>
</testcase>
<testcase classname="deploy-web-production.roll.web1" name="activate (repair)" time="0.100" timestamp="2026-03-04T12:05:02Z">
<failure message="activate: the release before: timed_out" type="timed_out"/>
</testcase>
</testsuite>
<testsuite name="deploy-web-production run" tests="4" failures="2" errors="0" skipped="2" time="61.200" timestamp="2026-03-04T12:05:02Z">
<testcase classname="deploy-web-production.run.hosts" name="web1" time="0.000" timestamp="2026-03-04T12:05:02Z">
<failure message="out: exit status 1" type="out"/>
</testcase>
<testcase classname="deploy-web-production.run.hosts" name="web2" time="0.000" timestamp="2026-03-04T12:05:02Z">
<skipped message="untouched"/>
</testcase>
<testcase classname="deploy-web-production.run.hosts" name="web3" time="0.000" timestamp="2026-03-04T12:05:02Z">
<skipped message="untouched"/>
</testcase>
<testcase classname="deploy-web-production.run.run" name="run" time="61.200" timestamp="2026-03-04T12:04:01Z">
<failure message="needs a person: web1: systemctl reload web: exit status 1" type="exit 5">staithe restore web1      put it back with the old code
staithe deploy --resume      go on</failure>
</testcase>
</testsuite>
</testsuites>
)xml");
}

TEST_CASE("junit: an attempt that failed before the one that held is a flaky failure") {
  const auto text = junit_of(success());
  CHECK_THAT(text, ContainsSubstring("<flakyFailure message=\"exit status 1: busy\" type=\"failed\"/>"));
  CHECK(text.find("<failure") == std::string::npos);
  CHECK(text.find("<error") == std::string::npos);
}

TEST_CASE("junit: what fails and is let pass is no failure in the report of a run that went well") {
  Recording run;
  run.send(deploy_started());
  auto& finished = run.act("web9", "cleanup/web9/1", "ssh", "cleanup", "mark it good", 1, 1, seconds(5));
  finished.outcome = Outcome::unreachable;
  finished.detail = "connection refused";
  const bool let_pass = GENERATE(true, false);
  finished.let_pass = let_pass;
  const auto text = junit_of(run);
  CHECK((text.find("<skipped message=\"cleanup: mark it good: connection refused\"/>") !=
         std::string::npos) == let_pass);
  CHECK((text.find("<error message=\"cleanup: mark it good: connection refused\"") != std::string::npos) ==
        !let_pass);
}

TEST_CASE("junit: names hold no commit, no dot of a host, and count what repeats") {
  Recording run;
  auto started = deploy_started();
  started.hosts = {"web1.example.com"};
  run.send(started);
  for (const std::string number : {"1", "2"})
    run.act("web1.example.com", "roll/web1.example.com/" + number, "wait", "drain", "9d1f3c2 calm", 1, 2,
            milliseconds(1));
  const auto text = junit_of(run);
  CHECK_THAT(text, ContainsSubstring(
                       "classname=\"deploy-web-production.roll.web1_example_com\" name=\"drain: wait\""));
  CHECK_THAT(text, ContainsSubstring("name=\"drain: wait #2\""));
  CHECK(text.find("name=\"9d1f") == std::string::npos);
}

TEST_CASE("junit: hostile bytes leave well-formed XML") {
  const auto text = junit_of(interrupted());
  for (const char byte : text) CHECK((byte == '\n' || static_cast<unsigned char>(byte) >= 0x20));
  CHECK_THAT(text, ContainsSubstring("10%\n100% red \xEF\xBF\xBD &amp; &lt;b&gt;"));
  CHECK_THAT(text, ContainsSubstring("<error message=\"run: printf '': stopped\" type=\"cancelled\">"));
  CHECK(report::xml_text("a\xEF\xBF\xBFz\"<>&\x01") == "az&quot;&lt;&gt;&amp;");
}

TEST_CASE("junit: while the run lasts, and when it was killed, the file is not green") {
  const Directory directory;
  const auto path = directory / "report.xml";
  const auto sink = report::make_junit(path);
  CHECK_THAT(directory.text("report.xml"), ContainsSubstring("<error message=\"the run had not ended"));
  Recording run;
  run.send(deploy_started());
  run.send(ActionStarted{"web1", "roll/web1/1", "ssh", "run", "sleep 60", 1, 1, seconds(60)});
  for (const auto& event : run.events()) sink->on_event(event);
  sink->on_tick(std::chrono::steady_clock::now() + seconds(6));
  CHECK_THAT(directory.text("report.xml"),
             ContainsSubstring("type=\"unfinished\">under way: web1 run: sleep 60"));
}

TEST_CASE("junit: a file that cannot be written is refused before the run, or told after it") {
  CHECK_THROWS_AS(report::make_junit("/nonexistent/report.xml"), base::Error);
  std::unique_ptr<report::Sink> sink;
  {
    const Directory directory;
    sink = report::make_junit(directory / "report.xml");
  }
  success().play(*sink);
  CHECK_THAT(sink->problem(), ContainsSubstring("No such file"));
}

TEST_CASE("junit: a link is followed, another's temporary file is not") {
  const Directory directory;
  std::ofstream(directory / "real.xml") << "old";
  std::filesystem::create_symlink(directory / "real.xml", directory / "link.xml");
  success().play(*report::make_junit(directory / "link.xml"));
  CHECK(std::filesystem::is_symlink(directory / "link.xml"));
  CHECK(directory.text("real.xml").find("<?xml") == 0);

  const auto planted = directory / "r.xml" + "." + std::to_string(::getpid()) + ".tmp";
  std::ofstream(directory / "victim") << "precious";
  std::filesystem::create_symlink(directory / "victim", planted);
  success().play(*report::make_junit(directory / "r.xml"));
  CHECK(directory.text("victim") == "precious");
}

TEST_CASE("junit: something that is no regular file gets the report once, at the end") {
  const Directory directory;
  const auto fifo = directory / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const auto sink = report::make_junit(fifo);
  const base::UniqueFd reader(::open(fifo.c_str(), O_RDONLY | O_NONBLOCK));
  failure().play(*sink);
  char bytes[65536];
  const auto got = ::read(reader.get(), bytes, sizeof bytes);
  REQUIRE(got > 0);
  const std::string text(bytes, static_cast<std::size_t>(got));
  CHECK(text.find("<?xml") == 0);
  CHECK(text.substr(text.size() - 14) == "</testsuites>\n");
}

TEST_CASE("junit: a step that is put in between does not change the names of the others") {
  const auto names = [](const std::vector<std::string>& titles, const std::string& release) {
    Recording run;
    auto started = deploy_started();
    started.release = release;
    started.sha = release + std::string(28, '0');
    run.send(started);
    for (std::size_t i = 0; i < titles.size(); ++i) {
      auto title = titles[i];
      if (const auto at = title.find('@'); at != std::string::npos) title.replace(at, 1, release);
      run.act("web1", "roll/web1/" + std::to_string(i + 1), "ssh", "run", title, i + 1, titles.size(),
              milliseconds(5));
    }
    const auto text = junit_of(run);
    std::vector<std::string> found;
    for (std::size_t at = 0; (at = text.find("\" name=\"run", at)) != std::string::npos; ++at) {
      const auto from = at + 8;
      found.push_back(text.substr(from, text.find('"', from) - from));
    }
    std::erase(found, "run");  // the run as a whole
    return found;
  };
  CHECK(names({"make -C /srv/@ install", "bin/warm"}, "9d1f3c2ab4e5") ==
        std::vector<std::string>{"run: make -C /srv/RELEASE install", "run: bin/warm"});
  CHECK(names({"make -C /srv/@ install", "bin/check", "bin/warm"}, "210f75087b37") ==
        std::vector<std::string>{"run: make -C /srv/RELEASE install", "run: bin/check", "run: bin/warm"});
  CHECK(names({"true", "true"}, "210f75087b37") == std::vector<std::string>{"run: true", "run: true #2"});
}
