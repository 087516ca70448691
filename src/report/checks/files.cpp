#include "side_file.hpp"

#include "staithe/base/error.hpp"
#include "staithe/report/checks.hpp"
#include "staithe/store/records.hpp"

#include <algorithm>

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
  CheckFileWriter(CheckFile kind, std::string path, Trouble trouble)
      : kind_(kind), path_(std::move(path)), trouble_(std::move(trouble)) {
    // Now is the time to hear that it cannot be written. A report that is there is that of another run, and
    // should this one be killed, what is there then must not look as if nothing had been wrong.
    verify::RunResult nothing;
    nothing.interrupted = true;
    nothing.verdict = verify::Verdict::aborted;
    nothing.started = store::now();
    if (!is_special(path_)) replace_file(path_, text_of(kind_, nothing), Sync::no);
  }

  void interrupted(const verify::RunResult& so_far) noexcept override {
    // Until what is cleaned up is known.
    auto known = so_far;
    known.verdict = std::max(known.verdict, verify::Verdict::aborted);
    write(known);
  }
  void run_finished(const verify::RunResult& run) noexcept override { write(run); }

 private:
  void write(const verify::RunResult& run) noexcept {
    try {
      replace_file(path_, text_of(kind_, run), Sync::yes);
    } catch (const std::exception& error) {
      // The verdict stands; the file of before, which says that no run ended, stays too.
      if (trouble_) trouble_(path_ + " could not be written: " + error.what());
    }
  }

  CheckFile kind_;
  std::string path_;
  Trouble trouble_;
};

}  // namespace

std::unique_ptr<verify::Listener> make_check_file(CheckFile kind, const std::string& path, Trouble trouble) {
  return std::make_unique<CheckFileWriter>(kind, path, std::move(trouble));
}

}  // namespace staithe::report
