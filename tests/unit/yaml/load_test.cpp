#include "catch.hpp"
#include "support/directory.hpp"

#include "staithe/base/error.hpp"
#include "staithe/yaml/node.hpp"

#include <unistd.h>

#include <cstdlib>
#include <fstream>

using namespace staithe;

namespace {

base::ErrorCode code_of_loading(const std::string& file) {
  diag::Diagnostics diagnostics;
  try {
    yaml::load(file, diagnostics);
  } catch (const base::Error& error) {
    CHECK_THAT(error.what(), ContainsSubstring(file));
    return error.code();
  }
  return base::ErrorCode::failed;
}

}  // namespace

TEST_CASE("load reads a file and knows its lines") {
  const test::Directory directory;
  const std::string file = directory / "f.yml";
  std::ofstream(file) << "a: 1\nb: 2\n";
  diag::Diagnostics diagnostics;
  const auto root = yaml::load(file, diagnostics);
  REQUIRE(root);
  CHECK(root->find("b")->text == "2");
  CHECK(root->position.file == file);
  CHECK(diagnostics.sources().line(file, 2) == "b: 2");
}

TEST_CASE("load throws for what the environment does, and reports what the user did") {
  const test::Directory directory;
  CHECK(code_of_loading(directory / "none.yml") == base::ErrorCode::not_found);
  CHECK(code_of_loading(directory.path()) == base::ErrorCode::io);
  const std::string file = directory / "f.yml";
  std::ofstream(file) << std::string(3 * yaml::max_file_bytes, ' ');
  diag::Diagnostics diagnostics;
  CHECK_FALSE(yaml::load(file, diagnostics));
  CHECK(diagnostics.count(diag::Severity::error) == 1);
}
