#include "staithe/log/log.hpp"

#include "catch.hpp"
#include "support/directory.hpp"

#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <regex>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <vector>

namespace diary = staithe::log;  // `log` is a function of <cmath>

namespace {

/// A fresh file; the log is closed and the filter gone at the end.
class LogFile {
 public:
  LogFile() = default;
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
  ~LogFile() {
    diary::close();
    diary::set_filter(nullptr);
  }
  const std::string& path() const { return file_; }
  const std::string& directory() const { return directory_.path(); }
  std::vector<std::string> lines() const {
    std::ifstream stream(file_);
    std::vector<std::string> all;
    for (std::string line; std::getline(stream, line);) all.push_back(line);
    return all;
  }

 private:
  staithe::test::Directory directory_;
  std::string file_ = directory_ / "run.log";
};

}  // namespace

TEST_CASE("The log is off until it is opened") {
  diary::error("nowhere");
  CHECK_FALSE(diary::enabled(diary::Level::error));
}

TEST_CASE("Lines carry UTC time, level and thread, from the level on that was asked for") {
  const LogFile file;
  diary::open(file.path(), diary::Level::info);
  diary::debug("not this");
  diary::info("hello {} %v");
  diary::warn("careful");
  diary::error("bad");
  const auto lines = file.lines();
  REQUIRE(lines.size() == 3);
  const std::string start = R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z )";
  CHECK(std::regex_match(lines[0], std::regex(start + R"(I \[\d+\] hello \{\} %v)")));
  CHECK(std::regex_match(lines[1], std::regex(start + R"(W \[\d+\] careful)")));
  CHECK(std::regex_match(lines[2], std::regex(start + R"(E \[\d+\] bad)")));
  CHECK_FALSE(diary::enabled(diary::Level::debug));
  CHECK(diary::enabled(diary::Level::info));
  struct stat status {};
  REQUIRE(::stat(file.path().c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600U);
  diary::close();
  diary::error("after");
  CHECK(file.lines().size() == 3);
}

TEST_CASE("A message is one line and not longer than it may be") {
  const LogFile file;
  diary::open(file.path(), diary::Level::debug);
  diary::info("a\nb\x1b[31m\r");
  diary::info(std::string(100000, 'x'));
  const auto lines = file.lines();
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0], ContainsSubstring("a\\nb\\x1b[31m\\x0d"));
  CHECK(lines[1].size() < 17000);
  CHECK_THAT(lines[1], ContainsSubstring("(100000 bytes)"));
}

TEST_CASE("The filter sees every message, and one that fails lets nothing through") {
  const LogFile file;
  diary::open(file.path(), diary::Level::debug);
  diary::set_filter([](std::string_view message) -> std::string {
    if (message == "throw") throw std::runtime_error("filter");
    return message == "secret" ? "***" : std::string(message);
  });
  diary::info("secret");
  diary::info("throw");
  diary::info("plain");
  const auto lines = file.lines();
  REQUIRE(lines.size() == 2);
  CHECK_THAT(lines[0], ContainsSubstring("] ***"));
  CHECK_THAT(lines[1], ContainsSubstring("] plain"));
}

TEST_CASE("An old log is added to, and a big one rotated, readable by the owner alone") {
  const LogFile file;
  diary::open(file.path(), diary::Level::debug);
  diary::info("first");
  diary::close();
  diary::open(file.path(), diary::Level::debug);
  diary::info("second");
  CHECK(file.lines().size() == 2);
  const std::string big(16000, 'x');
  for (int count = 0; count < 2600; ++count) diary::debug(big);  // 41 MB
  std::uintmax_t total = 0;
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(file.directory())) {
    total += entry.file_size();
    ++files;
    struct stat status {};
    REQUIRE(::stat(entry.path().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777U) == 0600U);
  }
  CHECK(files == 3);
  CHECK(total < 32U * 1024 * 1024);
}

TEST_CASE("A file that cannot be opened is said, a full disk is borne") {
  CHECK_THROWS_AS(diary::open("/no/such/directory/x.log", diary::Level::debug), std::system_error);
  diary::open("/dev/full", diary::Level::debug);
  for (int count = 0; count < 100; ++count) diary::info(std::string(10000, 'x'));
  diary::close();

  const LogFile file;
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  const rlimit small{20000, before.rlim_max};
  diary::open(file.path(), diary::Level::debug);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  for (int count = 0; count < 10; ++count) diary::info(std::string(8000, 'x'));
  ::setrlimit(RLIMIT_FSIZE, &before);
  CHECK(std::filesystem::file_size(file.path()) <= 20000);
}

TEST_CASE("Threads write whole lines, also while the log is opened and closed") {
  const LogFile file;
  diary::open(file.path(), diary::Level::debug);
  std::vector<std::thread> writers;
  for (int index = 0; index < 4; ++index)
    writers.emplace_back([] {
      for (int count = 0; count < 500; ++count) diary::info("0123456789");
    });
  for (auto& writer : writers) writer.join();
  const auto lines = file.lines();
  CHECK(lines.size() == 2000);
  for (const auto& line : lines) CHECK(line.substr(line.size() - 11) == " 0123456789");
  std::thread writer([] {
    for (int count = 0; count < 2000; ++count) diary::info("x");
  });
  for (int count = 0; count < 20; ++count) {
    diary::close();
    diary::open(file.path(), diary::Level::debug);
    diary::set_filter([](std::string_view message) { return std::string(message); });
  }
  writer.join();
}
