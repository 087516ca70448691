#pragma once
#include "staithe/diag/diagnostic.hpp"
#include "staithe/plan/text.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::steps {

/// Where a text stands that a variable has; no file for what none says.
struct Source {
  diag::Position position;
  std::uint32_t length = 1;
  std::string path{};
};

/// What `$(name)` stands for.
struct Variable {
  enum class Kind {
    text,     ///< written in a file: may itself hold `$(…)`
    literal,  ///< from the command line, an inventory program or staithe itself: taken as it is
    secret,
    capture,  ///< known at run time
  };
  Kind kind = Kind::literal;
  std::string text;  ///< the text or literal; the capture's name
  plan::SecretRef secret;
  std::string origin;  ///< for people: "host web1", "--var"
  Source source{};     ///< of a text
};

/// The names that may be used in the texts of one host (or of this machine). A later set() replaces an
/// earlier one, so layers are added from the lowest precedence to the highest.
class Variables {
 public:
  void set(const std::string& name, Variable variable);
  void set_literal(const std::string& name, std::string value, std::string origin = "staithe");
  void set_text(const std::string& name, std::string value, std::string origin, Source source = {});
  /// These are of a host that nobody has been asked for: it may have others beside them.
  void leave_open() { open_ = true; }

  const Variable* find(std::string_view name) const;
  std::vector<std::string> names() const;
  /// Whether a name that stands for nothing here may stand for something once hosts are known.
  bool may_have(std::string_view name) const;
  /// Whether staithe itself sets it for each host.
  static bool is_of_host(std::string_view name);

  /// Whether `name` may be declared in a file: a letter or '_', then letters, digits, '_' and '-'. Dots are
  /// kept for staithe's own names.
  static bool is_name(std::string_view name);

 private:
  std::map<std::string, Variable, std::less<>> values_;
  bool open_ = false;
};

}  // namespace staithe::steps
