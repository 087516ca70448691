#include "check_records.hpp"

#include "catch.hpp"

#include "staithe/base/error.hpp"
#include "staithe/world/world.hpp"

using namespace staithe;
using world::CheckRecords;

namespace {

event::CheckRecord some_record() {
  event::CheckRecord record;
  record.suite = "smoke";
  record.name = "charge \"it\"";
  record.key = "smoke/charge";
  record.part = "steps";
  record.severity = "critical";
  record.verdict = "fail";
  record.file = "checks/smoke.yml";
  record.line = 21;
  record.request = "POST http://h/charges";
  record.release = "4f1c2aa";
  record.started = "2026-03-04T12:05:02.000Z";
  record.duration = base::Duration(250);
  record.attempts = 2;
  record.flaky = record.quarantined = true;
  record.quarantine = "until 2027-01-01 (pay: slow)";
  record.reason = "wrong";
  record.tolerated = "bank";
  record.samples = 5;
  record.samples_good = 4;
  record.history = {12, 3, 0.125};
  record.judged = {{"json.amount", "100", "10000", "differs", "", false},
                   {"body", "matches x", "", "unjudged", "no text", true}};
  record.tries = {{"2026-03-04T12:05:01.000Z", "500 in 3 ms", "", true},
                  {"2026-03-04T12:05:02.000Z", "", "connection refused", false}};
  record.note = "201 in 2 ms";
  record.again = "staithe check checks/smoke.yml";
  record.curl = "curl -sS http://h/charges";
  return record;
}

std::string line_of(const event::CheckRecord& record) {
  return R"({"type":"check","run_id":"r",)" + event::to_json(record).substr(1) + "\n";
}

struct Read {
  std::vector<event::CheckRecord> records;
  CheckRecords reader{[this](std::vector<event::CheckRecord>&& some) {
    for (auto& record : some) records.push_back(std::move(record));
  }};
};

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  REQUIRE(at != std::string::npos);
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("records of checks: what is written can be read, however it is cut") {
  auto least = some_record();
  least = {};
  least.verdict = "pass";
  const auto bytes = line_of(some_record()) + R"({"type":"suite","name":"smoke"})" + "\n" + line_of(least);
  const std::size_t step = GENERATE(1U, 7U, 100'000U);
  Read read;
  for (std::size_t at = 0; at < bytes.size(); at += step)
    read.reader.push(std::string_view(bytes).substr(at, step));
  REQUIRE(read.records.size() == 2);
  CHECK(read.records[0] == some_record());
  CHECK(read.records[1] == least);
  CHECK(read.reader.trouble().empty());
}

TEST_CASE("records of checks: what is none is left out and told, and the next one is read") {
  const auto good = line_of(some_record());
  const auto bad = GENERATE_COPY(values<std::string>(
      {"no json\n", "\n", "[]\n", "{}\n", "{\"type\":\"check\"}\n", std::string(300, '[') + "\n",
       "{\"type\":7}\n", replaced(good, "\"fail\"", "\"great\""),
       replaced(good, "\"differs\"", "\"perhaps\""), replaced(good, "\"line\":21", "\"line\":-1"),
       replaced(good, "\"line\":21", "\"line\":1e99"),
       replaced(good, "\"duration_ms\":250", "\"duration_ms\":18446744073709551615"),
       replaced(good, "\"judged\":[", "\"judged\":[3,"), replaced(good, "\"name\":", "\"nme\":"),
       replaced(good, "smoke", "\xff"), replaced(good, "\"flaky\":true", "\"flaky\":\"yes\""),
       std::string(CheckRecords::longest_line + 1, ' ') + good}));
  CAPTURE(bad.substr(0, 100));
  Read read;
  read.reader.push(bad);
  read.reader.push(good);
  CHECK(read.records == std::vector{some_record()});
  CHECK(read.reader.trouble() ==
        "1 record of its checks is not in the reports: what its process wrote could not be read");
}

TEST_CASE("records of checks: no flood fills the memory, and none ends in a terminal's hands",
          "[one-thread]") {
  Read flood;
  for (int i = 0; i < 100; ++i) flood.reader.push(std::string(1U << 20U, 'x'));
  CHECK(flood.reader.trouble().empty());  // a line that never ended
  flood.reader.push("\n");
  CHECK_THAT(flood.reader.trouble(), ContainsSubstring("1 record"));

  auto large = some_record();
  large.note = std::string(200U << 10U, 'n');
  Read many;
  for (int i = 0; i < 200; ++i) many.reader.push(line_of(large));
  CHECK(many.records.size() < 200);
  CHECK(many.records.size() * large.note.size() <= CheckRecords::most_bytes);
  CHECK_THAT(many.reader.trouble(), ContainsSubstring("are not in the reports: they are too many"));

  auto hostile = some_record();
  hostile.name = "a\x1b[31mb";
  hostile.judged[0].got = "\x07red";
  Read clean;
  clean.reader.push(line_of(hostile));
  REQUIRE(clean.records.size() == 1);
  CHECK(clean.records[0].name.find('\x1b') == std::string::npos);
  CHECK(clean.records[0].judged[0].got == "red");
}

TEST_CASE("a suite's process hands its records on beside what it prints, and what is none stops nothing") {
  const plan::Plan plan;
  base::Redactor redactor;
  const std::map<std::string, std::string> captures;
  world::Settings settings;
  settings.check_command = {"/bin/sh", "-c",
                            "echo for people; exec 9>/proc/self/fd/$STAITHE_CHECK_RECORDS; printf '%s\\n' '" +
                                line_of(some_record()).substr(0, line_of(some_record()).size() - 1) +
                                "' 'no record' >&9"};
  world::World world(plan, nullptr, redactor, settings);
  std::string printed;
  std::vector<std::string> messages, names;
  exec::Performance performance{base::Scope::lasting(base::Duration(20'000)),
                                captures,
                                [&](std::string_view lines, bool) { printed += lines; },
                                [](const auto&) {},
                                [&](event::Level, const std::string& text) { messages.push_back(text); },
                                [](const auto&, const auto&) {},
                                [&](std::vector<event::CheckRecord>&& some) {
                                  for (const auto& record : some) names.push_back(record.name);
                                }};
  plan::CheckSuite suite;
  suite.suite = "smoke";
  const auto result = world.perform(suite, performance);
  CHECK(result.ok());
  CHECK(printed == "for people");
  CHECK(names == std::vector{some_record().name});
  REQUIRE(messages.size() == 1);
  CHECK(
      messages[0] ==
      "suite smoke: 1 record of its checks is not in the reports: what its process wrote could not be read");
}
