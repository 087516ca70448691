#include "catch.hpp"
#include "fixture.hpp"

#include "staithe/base/text.hpp"

#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <thread>

using namespace staithe;
using namespace staithe::ssh;
using namespace staithe::ssh::test;
using base::ErrorCode;
namespace fs = std::filesystem;

namespace {

unsigned mode_of(const std::string& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

std::size_t entries(const std::string& directory) {
  const auto begin = fs::directory_iterator(directory);
  return static_cast<std::size_t>(std::distance(fs::begin(begin), fs::end(begin)));
}

std::string noise(std::size_t size) {
  std::string text(size, '\0');
  std::uint32_t state = 1;
  for (char& c : text) c = static_cast<char>((state = state * 1664525U + 1013904223U) >> 24U);
  return text;
}

}  // namespace

TEST_CASE("an upload writes exactly the bytes and the mode, replacing what was there") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Directory target;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{32768}, std::size_t{10'000'000}}) {
    const std::string bytes = noise(size);
    const std::string path = target / "it's a \"file\"";
    Upload upload = Upload::of(path, bytes, 0751);
    std::uint64_t last = 0;
    upload.progress = [&](std::uint64_t sent) { last = sent; };
    session->upload(upload, soon());
    CHECK(base::sha256_hex(read_file(path)) == base::sha256_hex(bytes));
    CHECK(mode_of(path) == 0751);
    CHECK(last == size);
    CHECK(entries(target.path()) == 1);
  }
}

TEST_CASE("a failed upload says why, leaves the old file and nothing else") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Directory target;
  const std::string path = target / "file";
  write_file(path, "old");

  SECTION("no directory") {
    const Caught error = caught([&] { session->upload(Upload::of(target / "no/file", "x"), soon()); });
    CHECK(error.code == ErrorCode::not_found);
  }
  SECTION("the target is a directory") {
    fs::create_directory(target / "sub");
    const Caught error = caught([&] { session->upload(Upload::of(target / "sub", "x"), soon()); });
    INFO(error.text);
    CHECK(error.code == ErrorCode::conflict);
    CHECK(entries(target / "sub") == 0);
    fs::remove(target / "sub");
  }
  SECTION("a source shorter than announced") {
    Upload upload = Upload::of(path, "new");
    upload.size = 100'000;
    CHECK(caught([&] { session->upload(upload, soon()); }).code == ErrorCode::io);
  }
  SECTION("a source that throws") {
    Upload upload = Upload::of(path, "new");
    upload.read = [](char*, std::size_t) -> std::size_t { throw base::Error(ErrorCode::not_found, "gone"); };
    CHECK(caught([&] { session->upload(upload, soon()); }).text == "gone");
  }
  SECTION("a stop in the middle") {
    base::Cancel cancel;
    Upload upload = Upload::of(path, "");
    upload.size = std::uint64_t{1} << 40U;
    std::uint64_t given = 0;
    upload.read = [&](char* buffer, std::size_t capacity) {
      if ((given += capacity) > 20'000'000) cancel.request();
      std::fill_n(buffer, capacity, 'x');
      return capacity;
    };
    const Caught error = caught([&] { session->upload(upload, soon(&cancel)); });
    CHECK(error.code == ErrorCode::cancelled);
  }
  CHECK(eventually([&] { return entries(target.path()) == 1; }));
  CHECK(read_file(path) == "old");
  CHECK(session->alive());
  session->upload(Upload::of(path, "new"), soon());
  CHECK(read_file(path) == "new");
}

TEST_CASE("bytes changed on the way are noticed on the host") {
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Directory target;
  // A host whose sha256sum disagrees stands for a disk or a network that changes bytes.
  fs::create_directory(target / "bin");
  write_file(target / "bin/sha256sum", "#!/bin/sh\necho 0000  -\n", 0755);
  Upload upload = Upload::of(target / "file", "x");
  const Server changed("SetEnv SHLVL=1 PATH=" + (target / "bin") + ":/usr/bin:/bin");
  const auto other = engine.connect(changed.endpoint(), soon());
  const Caught error = caught([&] { other->upload(upload, soon()); });
  CHECK(error.code == ErrorCode::io);
  CHECK_THAT(error.text, ContainsSubstring("checksum differs"));
  CHECK(entries(target.path()) == 1);
}

TEST_CASE("the bytes are on the disk before they have the file's name, and then the name is") {
  const Directory target;
  const std::string path = target / "file";
  fs::create_directory(target / "bin");
  write_file(path, "old\n");
  // The host's own program, which also says what it was asked for while the file held what.
  write_file(target / "bin/sync",
             "#!/bin/sh\nread -r held <" + path + "\necho \"$* while $held\" >>" + (target / "asked") +
                 "\nexec " + shell("command -v sync | tr -d '\n'") + " \"$@\"\n",
             0755);
  const Server server("SetEnv SHLVL=1 PATH=" + (target / "bin") + ":/usr/bin:/bin");
  Engine engine(accept_all());
  engine.connect(server.endpoint(), soon())->upload(Upload::of(path, "new\n"), soon());
  const auto asked = base::split(read_file(target / "asked"), '\n');
  REQUIRE(asked.size() == 3);
  CHECK(asked[0].rfind(path + ".staithe-", 0) == 0);
  CHECK(asked[0].substr(asked[0].size() - 10) == " while old");
  CHECK(asked[1] == target.path() + " while new");
}

TEST_CASE("a full disk fails the upload at once and keeps the old file") {
  const Directory target;
  fs::create_directory(target / "small");
  if (::mount("none", (target / "small").c_str(), "tmpfs", 0, "size=256k") != 0) {
    WARN("no right to mount: not tested");
    return;
  }
  const Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  write_file(target / "small/file", "old");
  const std::string bytes = noise(8'000'000);
  const Caught error = caught([&] { session->upload(Upload::of(target / "small/file", bytes), soon()); });
  CHECK(error.code == ErrorCode::failed);  // the host is there: no reason to try again
  CHECK_THAT(error.text, ContainsSubstring("No space left"));
  CHECK(read_file(target / "small/file") == "old");
  CHECK(entries(target / "small") == 1);
  CHECK(session->alive());
  ::umount((target / "small").c_str());
}

TEST_CASE("an upload over a connection that breaks leaves nothing behind") {
  Server server;
  Engine engine(accept_all());
  const auto session = engine.connect(server.endpoint(), soon());
  const Directory target;
  Upload upload = Upload::of(target / "file", "");
  upload.size = std::uint64_t{1} << 40U;
  std::uint64_t given = 0;
  upload.read = [&](char* buffer, std::size_t capacity) {
    if (given < 10'000'000 && given + capacity >= 10'000'000) server.kill_all();
    given += capacity;
    std::fill_n(buffer, capacity, 'x');
    return capacity;
  };
  CHECK(caught([&] { session->upload(upload, soon()); }).code == ErrorCode::io);
  CHECK(eventually([&] { return entries(target.path()) == 0; }));
}
