#pragma once
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace staithe::plan {

/// Where a secret's value is found when it is needed. The value itself never stands in a plan.
struct SecretRef {
  enum class Source { env, file, command };
  Source source = Source::env;
  std::string name;  ///< variable name, path, or shell command

  bool operator==(const SecretRef&) const = default;
};

/// A value that an earlier action of the same lane captured, known only at run time.
struct CaptureRef {
  std::string name;

  bool operator==(const CaptureRef&) const = default;
};

/// Text with holes that are filled when an effect is performed: in a URL, a header, a file's content.
/// Shell commands have no holes: there, secrets and captures are inputs (environment variables).
class Text {
 public:
  using Piece = std::variant<std::string, SecretRef, CaptureRef>;

  Text() = default;
  explicit Text(std::string literal);
  explicit Text(const char* literal) : Text(std::string(literal)) {}

  void append(std::string_view literal);
  void append(SecretRef secret) { pieces_.emplace_back(std::move(secret)); }
  void append(CaptureRef capture) { pieces_.emplace_back(std::move(capture)); }
  void append(const Text& other);

  const std::vector<Piece>& pieces() const { return pieces_; }
  bool empty() const { return pieces_.empty(); }
  bool is_literal() const;
  /// For people: holes as "<secret env TOKEN>" and "<previous: known at run time>".
  std::string shown() const;

  bool operator==(const Text&) const = default;

 private:
  std::vector<Piece> pieces_;
};

/// "env TOKEN", "file /etc/key", "command pass show x".
std::string shown(const SecretRef& secret);

/// One value handed to a command as an environment variable, never in its text or argv.
struct Input {
  std::string variable;
  Text value;

  bool operator==(const Input&) const = default;
};

}  // namespace staithe::plan
