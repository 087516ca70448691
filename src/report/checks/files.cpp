#include "side_file.hpp"

#include "staithe/base/error.hpp"
#include "staithe/report/checks.hpp"

namespace staithe::report {
namespace {

std::string text_of(CheckFile kind, const verify::RunResult& run) {
  switch (kind) {
    case CheckFile::junit:
      return check_junit(run);
    case CheckFile::tap:
      return check_tap(run);
    case CheckFile::html:
      return check_html(run);
  }
  return {};
}

class CheckFileWriter final : public verify::Listener {
 public:
  CheckFileWriter(CheckFile kind, std::string path) : kind_(kind), path_(std::move(path)) {
    // Now is the time to hear that it cannot be written. A report that is there is that of another run.
    verify::RunResult nothing;
    nothing.interrupted = true;
    if (!is_special(path_)) replace_file(path_, text_of(kind_, nothing), Sync::no);
  }

  void interrupted(const verify::RunResult& so_far) noexcept override { write(so_far); }
  void run_finished(const verify::RunResult& run) noexcept override { write(run); }

 private:
  void write(const verify::RunResult& run) noexcept {
    try {
      replace_file(path_, text_of(kind_, run), Sync::yes);
    } catch (const std::exception&) {
      // The verdict stands and is told elsewhere; the file of before stays.
    }
  }

  CheckFile kind_;
  std::string path_;
};

}  // namespace

std::unique_ptr<verify::Listener> make_check_file(CheckFile kind, const std::string& path) {
  return std::make_unique<CheckFileWriter>(kind, path);
}

}  // namespace staithe::report
