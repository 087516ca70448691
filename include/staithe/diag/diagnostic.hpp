#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::diag {

enum class Severity { error, warning };

/// "error", "warning". Stable: it stands in JSON.
std::string_view name_of(Severity severity) noexcept;

/// A file's name, kept once however many places name it: a suite of 200 checks has some ten thousand places,
/// and a copy of the name for each was a twenty-fifth of the whole run. Names are kept to the end of the
/// process, each once; for any thread. {file, 1, 1} is how places are written, so nothing here is explicit.
class FileName {
 public:
  FileName() noexcept;
  FileName(const std::string& name);
  FileName(const char* name) : FileName(std::string(name)) {}

  const std::string& text() const noexcept { return *name_; }
  bool empty() const noexcept { return name_->empty(); }

  friend bool operator==(FileName a, FileName b) noexcept { return a.name_ == b.name_; }
  friend bool operator<(FileName a, FileName b) noexcept { return *a.name_ < *b.name_; }

 private:
  const std::string* name_;  ///< one pointer for one name, so that they can be compared
};

/// A place in a file of the user's. Lines and columns count from 1, columns in code points.
/// Line 0 means the file as a whole; an empty file name means no file at all (the command line, say).
struct Position {
  FileName file;
  std::uint32_t line = 0;
  std::uint32_t column = 0;
};

bool operator==(const Position& a, const Position& b);
inline bool operator!=(const Position& a, const Position& b) {
  return !(a == b);
}
/// By file name, then line, then column.
bool operator<(const Position& a, const Position& b);

/// One finding about the user's files.
struct Diagnostic {
  Severity severity = Severity::error;
  Position position;
  std::uint32_t length = 1;  ///< code points to underline, from `position` on
  std::string message;       ///< what is wrong, without a full stop
  std::string path;          ///< where in the structure: "steps[2].drain.timeout"; may be empty
  std::string help;          ///< what to do next: "did you mean 'drain'?"; may be empty
  /// Of a text that is the same for many hosts: the one that it was wrong for, and the message without that
  /// host's own words. Findings that differ in nothing else are one mistake.
  std::string host{}, common{};
  /// Where the value stands that is at fault, when `position` is only where it is used.
  Position cause{};
};

/// The texts that positions point into, so that a finding can show its line.
class SourceMap {
 public:
  /// Replaces what was known under that name. Lines end with "\n" or "\r\n".
  void add(const std::string& file, std::string text);
  /// Without its line end; nothing when the file or the line is not known.
  std::optional<std::string> line(const std::string& file, std::uint32_t number) const;

 private:
  struct Source {
    std::string text;
    std::vector<std::size_t> line_starts;
  };
  std::map<std::string, Source> sources_;
};

/// Collects findings. Not for several threads at once.
class Diagnostics {
 public:
  /// Exact repetitions are dropped, one mistake met once per host is told once, with the other hosts behind
  /// it, and what comes after the first 1000 is only counted.
  void add(Diagnostic diagnostic);
  void error(Position position, std::string message, std::string path = {}, std::string help = {});
  void warning(Position position, std::string message, std::string path = {}, std::string help = {});
  /// Takes a finding back, by place and message, which another one turned out to explain. Nothing happens
  /// when it is not there.
  void withdraw(const Diagnostic& diagnostic);

  /// By position; findings at the same place keep their order. Without the secrets of URLs, here and in
  /// what render() shows of a source line.
  std::vector<Diagnostic> sorted() const;
  std::size_t count(Severity severity) const noexcept;
  bool has_errors() const noexcept { return errors_ > 0; }
  bool empty() const noexcept { return errors_ + warnings_ == 0; }

  SourceMap& sources() noexcept { return sources_; }
  const SourceMap& sources() const noexcept { return sources_; }

 private:
  bool fold(const Diagnostic& diagnostic);

  std::vector<Diagnostic> found_;
  std::map<std::size_t, std::vector<std::string>> also_;  ///< by place in found_: the other hosts
  std::size_t errors_ = 0;
  std::size_t warnings_ = 0;
  SourceMap sources_;
};

}  // namespace staithe::diag
