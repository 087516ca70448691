#include "staithe/diag/diagnostic.hpp"

#include "staithe/base/hide.hpp"
#include "staithe/base/text.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <tuple>
#include <utility>

namespace staithe::diag {
namespace {

constexpr std::size_t most_kept = 1000;

bool same(const Diagnostic& a, const Diagnostic& b) {
  return a.severity == b.severity && a.position == b.position && a.message == b.message && a.path == b.path;
}

}  // namespace

std::string_view name_of(Severity severity) noexcept {
  switch (severity) {
    case Severity::error:
      return "error";
    case Severity::warning:
      return "warning";
  }
  return "error";
}

FileName::FileName() noexcept {
  static const std::string none;
  name_ = &none;
}

FileName::FileName(const std::string& name) : FileName() {
  if (name.empty()) return;
  static std::mutex mutex;
  static std::set<std::string> names;  // whose elements stay where they are
  const std::lock_guard lock(mutex);
  name_ = &*names.insert(name).first;
}

bool operator==(const Position& a, const Position& b) {
  return a.line == b.line && a.column == b.column && a.file == b.file;
}

bool operator<(const Position& a, const Position& b) {
  return std::tie(a.file, a.line, a.column) < std::tie(b.file, b.line, b.column);
}

void SourceMap::add(const std::string& file, std::string text) {
  Source source{std::move(text), {0}};
  for (std::size_t at = 0; at < source.text.size(); ++at)
    if (source.text[at] == '\n') source.line_starts.push_back(at + 1);
  sources_[file] = std::move(source);
}

std::optional<std::string> SourceMap::line(const std::string& file, std::uint32_t number) const {
  const auto found = sources_.find(file);
  if (found == sources_.end() || number == 0) return std::nullopt;
  const auto& [text, starts] = found->second;
  if (number > starts.size()) return std::nullopt;
  const std::size_t start = starts[number - 1];
  std::string line = text.substr(start, text.find('\n', start) - start);
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

void Diagnostics::add(Diagnostic diagnostic) {
  const auto repeated = [&](const Diagnostic& known) { return same(known, diagnostic); };
  if (std::any_of(found_.begin(), found_.end(), repeated) || fold(diagnostic)) return;
  ++(diagnostic.severity == Severity::error ? errors_ : warnings_);
  if (found_.size() < most_kept) found_.push_back(std::move(diagnostic));
}

/// Whether it is a mistake that is known from another host.
bool Diagnostics::fold(const Diagnostic& diagnostic) {
  if (diagnostic.host.empty()) return false;
  const auto known = std::find_if(found_.begin(), found_.end(), [&](const Diagnostic& one) {
    return !one.host.empty() && one.severity == diagnostic.severity && one.position == diagnostic.position &&
           one.path == diagnostic.path && one.common == diagnostic.common;
  });
  if (known == found_.end() || known->host == diagnostic.host) return false;
  auto& hosts = also_[static_cast<std::size_t>(known - found_.begin())];
  if (std::find(hosts.begin(), hosts.end(), diagnostic.host) == hosts.end()) hosts.push_back(diagnostic.host);
  return true;
}

void Diagnostics::error(Position position, std::string message, std::string path, std::string help) {
  add({Severity::error, position, 1, std::move(message), std::move(path), std::move(help)});
}

void Diagnostics::warning(Position position, std::string message, std::string path, std::string help) {
  add({Severity::warning, position, 1, std::move(message), std::move(path), std::move(help)});
}

void Diagnostics::withdraw(const Diagnostic& diagnostic) {
  const auto gone = std::find_if(found_.begin(), found_.end(),
                                 [&](const Diagnostic& known) { return same(known, diagnostic); });
  if (gone == found_.end()) return;
  const auto place = static_cast<std::size_t>(gone - found_.begin());
  std::map<std::size_t, std::vector<std::string>> moved;
  for (auto& [at, hosts] : also_)
    if (at != place) moved.emplace(at > place ? at - 1 : at, std::move(hosts));
  also_ = std::move(moved);
  found_.erase(gone);
  --(diagnostic.severity == Severity::error ? errors_ : warnings_);
}

std::vector<Diagnostic> Diagnostics::sorted() const {
  std::vector<Diagnostic> ordered = found_;
  for (const auto& [place, hosts] : also_)
    ordered[place].message += " (and so on " + base::fold_names(hosts) + ")";
  for (auto& one : ordered) {
    for (auto* said : {&one.message, &one.help}) *said = base::hide_secrets_in_urls(std::move(*said));
    one.path = base::hide_written_secrets(std::move(one.path));
  }
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Diagnostic& a, const Diagnostic& b) { return a.position < b.position; });
  return ordered;
}

std::size_t Diagnostics::count(Severity severity) const noexcept {
  return severity == Severity::error ? errors_ : warnings_;
}

}  // namespace staithe::diag
