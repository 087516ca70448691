#include "leash.hpp"

#include "capture.hpp"
#include "catch.hpp"
#include "support/directory.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/sha256.hpp"
#include "staithe/base/text.hpp"
#include "staithe/ssh/command.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace staithe;
using namespace staithe::ssh;

namespace {

std::string content(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

/// Runs a leash as an SSH server does: in a session of its own, by the login shell, with `input` coming in.
/// The input stays open until the script is done, like a channel.
int run_leash(const std::string& text, const std::string& input, const std::string& shell = "sh") {
  const std::string command = "exec setsid -w " + shell + " -c " + base::shell_quote(text) + " 2>/dev/null";
  FILE* pipe = ::popen(command.c_str(), "w");
  REQUIRE(pipe != nullptr);
  std::fwrite(input.data(), 1, input.size(), pipe);
  std::fflush(pipe);
  ::usleep(300'000);  // pclose() is the end of the channel: the script must have had its time
  const int status = ::pclose(pipe);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

base::ErrorCode refused(const Command& command) {
  try {
    static_cast<void>(leash(command));
  } catch (const base::Error& error) {
    return error.code();
  }
  return base::ErrorCode::failed;
}

}  // namespace

TEST_CASE("a leashed script gets its inputs, whatever they hold, in every shell at hand") {
  const test::Directory directory;
  Command command;
  command.inputs = {{"A", "it's\n\\n \"x\"\\"}, {"B", "  two  "}};
  command.script = "printf '%s|%s' \"$A\" \"$B\" > " + directory / "out" + "; exit 7";
  for (const std::string shell : {"sh", "bash", "dash"}) {
    if (std::system(("command -v " + shell + " >/dev/null").c_str()) != 0) continue;
    CHECK(run_leash(leash(command), encode_inputs(command), shell) == 7);
    CHECK(content(directory / "out") == "it's\n\\n \"x\"\\|  two  ");
  }
}

TEST_CASE("a script does not run when its inputs or its standard input are cut short") {
  const test::Directory directory;
  Command command;
  command.script = "touch " + directory / "ran";
  command.inputs = {{"A", "1"}, {"B", "2"}};
  CHECK(run_leash(leash(command), "1\n") == 125);
  command.inputs.clear();
  command.stdin_bytes = "0123456789";
  CHECK(run_leash(leash(command), "01234") == 125);
  CHECK_FALSE(std::filesystem::exists(directory / "ran"));
  CHECK(run_leash(leash(command), command.stdin_bytes) == 0);
  CHECK(std::filesystem::exists(directory / "ran"));
}

TEST_CASE("what cannot be leashed is refused") {
  Command command;
  command.script = std::string("a\0b", 3);
  CHECK(refused(command) == base::ErrorCode::invalid);
  for (const std::string name : {"", "1A", "A-B", "A=B", "A;rm"}) {
    command.script = "true";
    command.inputs = {{name, "x"}};
    CHECK(refused(command) == base::ErrorCode::invalid);
  }
  command.inputs = {{"A", std::string("\0", 1)}};
  CHECK_THROWS_AS(encode_inputs(command), base::Error);
  command.inputs.clear();
  command.script = std::string(200'000, 'x');
  CHECK(refused(command) == base::ErrorCode::invalid);
  CHECK_THROWS_AS(leash(Upload::of("", "x")), base::Error);
  CHECK_THROWS_AS(leash(Upload::of("dir/", "x")), base::Error);
  CHECK_THROWS_AS(leash(Upload::of("file", "x", 010000)), base::Error);
}

TEST_CASE("an upload's script checks the sum and leaves the old file when it is cut short") {
  const test::Directory directory;
  const std::string path = directory / "a 'file'";
  const std::string text = leash(Upload::of(path, "new bytes", 0640));
  const std::string sum = base::sha256_hex("new bytes") + "\n";
  std::ofstream(path) << "old";

  CHECK(run_leash(text, "new") != 0);
  CHECK(run_leash(text, "new bytes") != 0);
  CHECK(run_leash(text, "NEW BYTES" + sum) != 0);
  CHECK(content(path) == "old");
  CHECK(run_leash(text, "new bytes" + sum) == 0);
  CHECK(content(path) == "new bytes");
  using std::filesystem::perms;
  CHECK(std::filesystem::status(path).permissions() ==
        (perms::owner_read | perms::owner_write | perms::group_read));
  CHECK(std::distance(std::filesystem::directory_iterator(directory.path()), {}) == 1);
}

TEST_CASE("the head and the tail of a long stream are kept, whatever its pieces") {
  std::string all;
  for (int i = 0; i < 100'000; ++i) all += std::to_string(i) + "\n";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{4096}, all.size()}) {
    Capture capture(1000);
    for (std::size_t at = 0; at < all.size(); at += piece)
      capture.add(std::string_view(all).substr(at, piece));
    CHECK(capture.total() == all.size());
    CHECK(capture.truncated());
    const std::string text = capture.text();
    CHECK(text.substr(0, 500) == all.substr(0, 500));
    CHECK(text.substr(text.size() - 500) == all.substr(all.size() - 500));
    CHECK(text.size() < 1040);
  }
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{999}, std::size_t{1000}}) {
    Capture capture(1000);
    capture.add(std::string_view(all).substr(0, size / 2));
    capture.add(std::string_view(all).substr(size / 2, size - size / 2));
    CHECK(capture.text() == all.substr(0, size));
    CHECK_FALSE(capture.truncated());
  }
}

TEST_CASE("a checksum in pieces is the checksum of the whole") {
  base::Sha256 digest;
  digest.update("new ");
  digest.update("");
  digest.update("bytes");
  CHECK(digest.finish() == base::sha256_hex("new bytes"));
}
