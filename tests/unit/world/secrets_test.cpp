#include "staithe/world/secrets.hpp"

#include "catch.hpp"
#include "output.hpp"
#include "secret_refs.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/text.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

using namespace staithe;
using plan::SecretRef;
using test::env;
using test::soon;

TEST_CASE("a secret comes from the environment, a file or a command, and the redactor knows it first") {
  base::Redactor redactor;
  world::Secrets secrets(redactor);
  ::setenv("STAITHE_TEST_SECRET", "hunter2-hunter2", 1);
  CHECK(secrets.value(env("STAITHE_TEST_SECRET"), soon()) == "hunter2-hunter2");
  CHECK(redactor.clean("got hunter2-hunter2") == "got ***");

  const std::string file = "/tmp/staithe-secret-" + std::to_string(::getpid());
  std::ofstream(file) << "from-the-file\n";
  CHECK(secrets.value({SecretRef::Source::file, file}, soon()) == "from-the-file");
  ::unlink(file.c_str());
  // Resolved once: the file is gone, the value is known.
  CHECK(secrets.value({SecretRef::Source::file, file}, soon()) == "from-the-file");
  CHECK(secrets.value({SecretRef::Source::command, "printf 'from a command\\n'"}, soon()) ==
        "from a command");
}

TEST_CASE("a secret that rotates does not fill the memory of a program that runs for months") {
  base::Redactor redactor;
  const std::string file = "/tmp/staithe-rotating-" + std::to_string(::getpid());
  for (int i = 0; i < 500; ++i) {
    std::ofstream(file) << "rotating-" << 1000 + i;
    world::Secrets secrets(redactor, {}, world::Secrets::Known::while_used);
    const auto value = secrets.value({SecretRef::Source::file, file}, soon());
    secrets.tell_redactor("made-of-" + value);
    CHECK(redactor.clean("got " + value + " and made-of-" + value) == "got *** and ***");
  }
  ::unlink(file.c_str());
  CHECK(redactor.clean("rotating-1499") == "***");
  CHECK(redactor.clean("rotating-1000") == "rotating-1000");
}

TEST_CASE("relative files and commands of secrets start from the directory that is given") {
  base::Redactor redactor;
  const std::string directory = "/tmp/staithe-secrets-" + std::to_string(::getpid());
  std::filesystem::create_directory(directory);
  std::ofstream(directory + "/token") << "from-the-project\n";
  world::Secrets secrets(redactor, directory);
  CHECK(secrets.value({SecretRef::Source::file, "token"}, soon()) == "from-the-project");
  CHECK(secrets.value({SecretRef::Source::file, directory + "/token"}, soon()) == "from-the-project");
  CHECK(secrets.value({SecretRef::Source::command, "cat token"}, soon()) == "from-the-project");
  std::filesystem::remove_all(directory);
}

TEST_CASE("a secret that is not there is an error that shows nothing but its name") {
  base::Redactor redactor;
  world::Secrets secrets(redactor);
  CHECK_THROWS_AS(secrets.value(env("STAITHE_NO_SUCH_VARIABLE"), soon()), base::Error);
  try {
    secrets.value({SecretRef::Source::command, "echo half-a-secret; echo other-half >&2; exit 3"}, soon());
    FAIL("a failing command gave a secret");
  } catch (const base::Error& error) {
    CHECK(std::string(error.what()).find("exit status 3") != std::string::npos);
  }
}

TEST_CASE("all that is wrong with secrets is told at once, and what is there is looked up once") {
  base::Redactor redactor;
  const std::string base = "/tmp/staithe-all-secrets-" + std::to_string(::getpid());
  ::setenv("STAITHE_EMPTY_SECRET", "", 1);
  std::ofstream(base + ".empty") << "\n";
  const SecretRef counted{SecretRef::Source::command, "echo x >>" + base + ".count; echo counted"};
  const std::vector<SecretRef> refs{env("STAITHE_NO_SUCH_VARIABLE"),
                                    env("STAITHE_EMPTY_SECRET"),
                                    counted,
                                    {SecretRef::Source::file, base + ".none"},
                                    {SecretRef::Source::file, base + ".empty"},
                                    {SecretRef::Source::command, "true"}};
  world::Secrets secrets(redactor);
  CHECK(secrets.look_up_all(refs, std::chrono::seconds(10), nullptr, world::Secrets::Failure::kept) ==
        std::vector<std::string>{"the secret's environment variable STAITHE_NO_SUCH_VARIABLE is not set",
                                 "the secret's environment variable STAITHE_EMPTY_SECRET is set, but empty",
                                 "secret file " + base + ".none: No such file or directory",
                                 "secret file " + base + ".empty is empty",
                                 "the command of secret 'true' printed nothing"});
  CHECK(secrets.value(counted, soon()) == "counted");
  CHECK(std::filesystem::file_size(base + ".count") == 2);

  base::Cancel stop;
  stop.request();
  world::Secrets others(redactor);
  CHECK_THROWS_AS(
      others.look_up_all({counted}, std::chrono::seconds(10), &stop, world::Secrets::Failure::kept),
      base::Error);

  // Without a look at what it is.
  const auto lacks = [](const SecretRef& ref) { return world::Secrets::lacks(ref, ""); };
  CHECK_FALSE(lacks(refs[0]).empty());
  CHECK_FALSE(lacks(refs[1]).empty());
  CHECK(lacks(counted).empty());
  CHECK_FALSE(lacks(refs[3]).empty());
  CHECK(lacks(refs[4]).empty());
  for (const char* end : {".empty", ".count"}) std::filesystem::remove(base + end);
}

TEST_CASE(
    "a secret file may be a pipe: what looks at it does not open it, and who reads it waits no longer "
    "than he may") {
  base::Redactor redactor;
  const std::string pipe = "/tmp/staithe-secret-pipe-" + std::to_string(::getpid());
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const SecretRef ref{SecretRef::Source::file, pipe};
  const auto code_of = [&](const base::Scope& scope) {
    world::Secrets secrets(redactor);
    try {
      (void)secrets.value(ref, scope);
    } catch (const base::Error& error) {
      return error.code();
    }
    return base::ErrorCode::failed;
  };
  CHECK(world::Secrets::lacks(ref, "").empty());
  CHECK(code_of(base::Scope::lasting(base::Duration(50))) == base::ErrorCode::timeout);
  base::Cancel stop;
  std::thread stopping([&] { stop.request(); });
  CHECK(code_of(base::Scope::lasting(std::chrono::seconds(60), &stop)) == base::ErrorCode::cancelled);
  stopping.join();
  // One that writes late, and in two pieces.
  std::thread writing([&] {
    std::ofstream out(pipe);
    out << "from-" << std::flush;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    out << "a-pipe\n";
  });
  world::Secrets secrets(redactor);
  CHECK(secrets.value(ref, soon()) == "from-a-pipe");
  writing.join();
  ::unlink(pipe.c_str());
  CHECK(world::Secrets::lacks({SecretRef::Source::file, "/tmp"}, "") == "secret file /tmp: Is a directory");
}

TEST_CASE("a secret that hangs keeps nobody from another, and who waits for it hears a stop") {
  base::Redactor redactor;
  world::Secrets secrets(redactor);
  ::setenv("STAITHE_TEST_SECRET", "hunter2-hunter2", 1);
  const std::string count = "/tmp/staithe-secret-count-" + std::to_string(::getpid());
  const SecretRef hanging{SecretRef::Source::command, "echo x >>" + count + "; sleep 300"};
  base::Cancel all, mine;
  const auto ended_with = [&](const base::Cancel& stop) {
    try {
      (void)secrets.value(hanging, base::Scope::lasting(std::chrono::seconds(120), &stop));
    } catch (const base::Error& error) {
      return error.code();
    }
    return base::ErrorCode::failed;
  };
  auto first = std::async(std::launch::async, [&] { return ended_with(all); });
  while (!std::filesystem::exists(count)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK(secrets.value(env("STAITHE_TEST_SECRET"), soon()) == "hunter2-hunter2");
  auto second = std::async(std::launch::async, [&] { return ended_with(mine); });
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  mine.request();
  CHECK(second.get() == base::ErrorCode::cancelled);
  CHECK(std::filesystem::file_size(count) == 2);
  all.request();
  CHECK(first.get() == base::ErrorCode::cancelled);
  std::filesystem::remove(count);
}

TEST_CASE("what was looked for in vain before the run is not looked for again in it where that is wanted") {
  base::Redactor redactor;
  const std::string count = "/tmp/staithe-secret-vain-" + std::to_string(::getpid());
  const SecretRef ref{SecretRef::Source::command, "echo x >>" + count + "; exit 3"};
  world::Secrets secrets(redactor);
  CHECK(secrets.look_up_all({ref}, std::chrono::seconds(10), nullptr, world::Secrets::Failure::kept).size() ==
        1);
  CHECK_THROWS_AS(secrets.value(ref, soon()), base::Error);
  CHECK(std::filesystem::file_size(count) == 2);
  // Where the run goes on without, it may be there by the time that it is needed.
  world::Secrets others(redactor);
  CHECK(others.look_up_all({ref}, std::chrono::seconds(10), nullptr, world::Secrets::Failure::forgotten)
            .size() == 1);
  CHECK_THROWS_AS(others.value(ref, soon()), base::Error);
  CHECK(std::filesystem::file_size(count) == 6);
  std::filesystem::remove(count);
}

TEST_CASE("what can be had is known ahead of its use, and what hangs or lacks keeps nobody long") {
  base::Redactor redactor;
  world::Secrets secrets(redactor);
  ::setenv("STAITHE_AHEAD", "known-ahead", 1);
  std::vector<SecretRef> refs{env("STAITHE_NO_SUCH_VARIABLE"), {SecretRef::Source::command, "sleep 300"}};
  for (int i = 0; i < 6; ++i)
    refs.push_back({SecretRef::Source::command, "sleep 0.5; echo word-number-" + std::to_string(i)});
  refs.push_back(env("STAITHE_AHEAD"));
  const auto begun = std::chrono::steady_clock::now();
  std::vector<world::Secrets::Ahead> ahead;
  for (const auto& ref : refs) ahead.push_back({ref, std::chrono::seconds(8)});
  ahead[1].within = std::chrono::seconds(4);
  secrets.look_ahead(ahead, nullptr);
  CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(60));
  CHECK(redactor.clean("known-ahead word-number-0 word-number-5") == "*** *** ***");
  // Who needs others has not waited for the one that hangs.
  CHECK(ahead[1].ended >= std::chrono::seconds(4));
  CHECK(ahead[2].ended < ahead[1].ended);
  plan::Text text("user:");
  text.append(env("STAITHE_AHEAD"));
  CHECK(secrets.known(text) == "user:known-ahead");
  plan::Text unknown("user:");
  unknown.append(env("STAITHE_NO_SUCH_VARIABLE"));
  CHECK_FALSE(secrets.known(unknown));
  text.append(plan::CaptureRef{"later"});
  CHECK_FALSE(secrets.known(text));
  // Who needs it hears of it as ever, and it may be there by then.
  CHECK_THROWS_AS(secrets.value(env("STAITHE_NO_SUCH_VARIABLE"), soon()), base::Error);
  base::Cancel stop;
  stop.request();
  for (auto& one : ahead) one.within = std::chrono::seconds(300);
  world::Secrets(redactor).look_ahead(ahead, &stop);
}

TEST_CASE("holes are filled with secrets and captures; a capture that nothing made is an error") {
  base::Redactor redactor;
  world::Secrets secrets(redactor);
  ::setenv("STAITHE_TEST_SECRET", "s3cr3t-s3cr3t", 1);
  plan::Text text("a=");
  text.append(env("STAITHE_TEST_SECRET"));
  text.append(std::string_view("&b="));
  text.append(plan::CaptureRef{"sha"});
  CHECK(secrets.fill(text, {{"sha", "9d1f"}}, soon()) == "a=s3cr3t-s3cr3t&b=9d1f");
  CHECK_THROWS_AS(secrets.fill(text, {}, soon()), base::Error);
}

TEST_CASE("output becomes redacted, printable lines, however it is cut into pieces") {
  base::Redactor redactor;
  redactor.add("s3cr3t-value");
  const std::string bytes = "one\ntwo s3cr3t-value\n\033[31mred\033[0m\nlast without end";
  for (std::size_t size = 1; size < 9; ++size) {
    std::vector<std::string> lines;
    world::LineOutput output(
        redactor,
        [&](std::string_view block, bool) {
          for (auto& line : base::split(block, '\n')) lines.push_back(std::move(line));
        },
        2);
    for (std::size_t at = 0; at < bytes.size(); at += size)
      output.push(false, std::string_view(bytes).substr(at, size));
    output.finish();
    CHECK(lines == std::vector<std::string>{"one", "two ***", "red", "last without end"});
    CHECK(output.tail() == std::vector<std::string>{"red", "last without end"});
  }
}

TEST_CASE("a line without end stays bounded") {
  base::Redactor redactor;
  std::size_t longest = 0, most = 0;
  world::LineOutput output(
      redactor,
      [&](std::string_view block, bool) {
        most = std::max(most, block.size());
        for (const auto& line : base::split(block, '\n')) longest = std::max(longest, line.size());
      },
      3);
  const std::string block(64 * 1024, 'x');
  for (int i = 0; i < 32; ++i) output.push(true, block);
  output.finish();
  CHECK(longest <= 4096);
  CHECK(most <= 16384);
}

TEST_CASE("lines that come together are handed on together, each stream's, and empty ones as well") {
  const base::Redactor redactor;
  std::vector<std::string> blocks;
  world::LineOutput output(
      redactor,
      [&](std::string_view block, bool is_error) {
        blocks.push_back((is_error ? "2:" : "1:") + std::string(block));
      },
      3);
  output.push(false, "one\n\nthree\nbegin");
  output.push(true, "oops\n");
  output.push(false, "ning\n");
  output.push(false, "\n");
  output.finish();
  CHECK(blocks == std::vector<std::string>{"1:one\n\nthree", "2:oops", "1:beginning", "1:"});
  CHECK(output.tail() == std::vector<std::string>{"oops", "beginning", ""});
}
