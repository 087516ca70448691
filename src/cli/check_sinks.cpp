#include "check_sinks.hpp"

#include "report_request.hpp"
#include "version.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/unique_fd.hpp"
#include "staithe/report/checks.hpp"
#include "staithe/world/world.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string_view>

namespace staithe::cli {
namespace {

/// The pipe to the run that has started this suite, or none. Asked once: nothing that the suite starts is to
/// write there, or to hold it open.
base::UniqueFd pipe_to_deploy() {
  const char* variable = std::getenv(world::check_records_variable);
  if (variable == nullptr) return {};
  const std::string number = variable;
  ::unsetenv(world::check_records_variable);
  int fd = -1;
  const auto read = std::from_chars(number.data(), number.data() + number.size(), fd);
  struct stat status {};
  if (read.ec != std::errc() || read.ptr != number.data() + number.size() || fd <= STDERR_FILENO ||
      ::fstat(fd, &status) != 0 || !S_ISFIFO(status.st_mode) || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
    return {};
  return base::UniqueFd(fd);
}

}  // namespace

struct CheckSinks::SideFile {
  SideFile(std::string name, int descriptor) : path(std::move(name)), fd(descriptor), output(descriptor) {}
  std::string path;
  base::UniqueFd fd;
  report::Output output;
};

CheckSinks::CheckSinks(App& app) : app_(app) {
  if (app.json()) {
    listeners_.push_back(report::make_check_jsonl(app.out(), version));
  } else {
    const auto color = app.out_color() ? report::Color::on : report::Color::off;
    listeners_.push_back(report::make_check_text(app.out(), {app.quiet() ? -1 : app.verbosity(), color}));
  }
  const char* actions = std::getenv("GITHUB_ACTIONS");
  if (actions != nullptr && std::string_view(actions) == "true" && !app.json()) add_report("github");
  for (const auto& request : app.args().all("report")) add_report(request);
  add_records_for_deploy();
}

CheckSinks::~CheckSinks() = default;

void CheckSinks::add_report(const std::string& request) {
  const auto [kind, path] = report_request(request);
  const auto tell = [this](const std::string& text) {
    lost_ = true;
    app_.say("staithe: " + text);
  };
  if (kind == "github") {
    const char* summary = std::getenv("GITHUB_STEP_SUMMARY");
    const std::string where = !path.empty() ? path : summary != nullptr ? summary : "";
    listeners_.push_back(report::make_check_github(app_.out(), where, tell));
  } else if (kind == "junit") {
    listeners_.push_back(report::make_check_file(report::CheckFile::junit, path, tell));
  } else if (kind == "tap") {
    listeners_.push_back(report::make_check_file(report::CheckFile::tap, path, tell));
  } else if (kind == "html") {
    listeners_.push_back(report::make_check_file(report::CheckFile::html, path, tell));
  } else {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0) throw base::system_error(base::ErrorCode::io, path, errno);
    files_.push_back(std::make_unique<SideFile>(path, fd));
    auto& output = files_.back()->output;
    listeners_.push_back(kind == "jsonl"
                             ? report::make_check_jsonl(output, version)
                             : report::make_check_text(output, {app_.verbosity(), report::Color::off}));
  }
}

void CheckSinks::add_records_for_deploy() {
  auto pipe = pipe_to_deploy();
  if (!pipe) return;
  files_.push_back(std::make_unique<SideFile>("records for the run that asks", pipe.release()));
  listeners_.push_back(report::make_check_jsonl(files_.back()->output, version));
}

bool CheckSinks::all_written() {
  for (const auto& file : files_) {
    if (!file->output.failed()) continue;
    lost_ = true;
    app_.say(fmt::format(
        "staithe: {}",
        base::system_error(base::ErrorCode::io, file->path + ": not all was written", file->output.error())
            .what()));
  }
  return !lost_;
}

std::vector<verify::Listener*> CheckSinks::listeners() const {
  std::vector<verify::Listener*> all;
  for (const auto& one : listeners_) all.push_back(one.get());
  return all;
}

}  // namespace staithe::cli
