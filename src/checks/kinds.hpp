#pragma once
#include "staithe/checks/suite.hpp"
#include "staithe/yaml/reader.hpp"

#include <optional>
#include <span>
#include <string>
#include <string_view>

/// The kinds of checks: an open set. Each reads the keys that are its own and makes a request of them.
namespace staithe::checks {

class Fields;

/// One entry of the registry.
struct Kind {
  std::string_view name;     ///< the key in a step
  std::string_view summary;  ///< one line
  std::string_view example;  ///< YAML: one step
  std::string_view manual;   ///< its section of staithe-suite(5)
  /// What can be expected of it, separated by blanks; a name that ends in '.' or in " " is a prefix.
  std::span<const std::string_view> subjects;
  std::string_view main_subject;  ///< what `expect: 201` means
  /// Reads `value`, what stands behind the key, and further keys of the step.
  std::optional<Request> (*parse)(Fields& fields, const yaml::Reader& value);
};

std::span<const Kind> kinds();
const Kind* find_kind(std::string_view name);

/// A step as a kind sees it: its keys, with the names in texts replaced.
class Fields {
 public:
  virtual ~Fields() = default;
  virtual yaml::Mapping& map() = 0;
  /// A text that may have holes; mistakes are findings.
  virtual std::optional<Text> text(const yaml::Reader& reader) = 0;
  /// The same of a URL: see base::UrlWriter.
  virtual std::optional<Text> url(const yaml::Reader& reader) = 0;
  /// Whether it is a cell of the table, and not the suite, that says whom `url`, as it was read there, asks.
  virtual bool cell_says_whom(const yaml::Reader& reader, const Text& url) = 0;
  /// Whether a cell of the table stands in it.
  virtual bool has_cell(const yaml::Reader& reader) = 0;
  /// A text that must be known now.
  virtual std::optional<std::string> plain(const yaml::Reader& reader) = 0;
  /// A tree as JSON; see json_template().
  virtual std::optional<Text> json(const yaml::Reader& reader) = 0;
  /// A shell command. What is put into it must be harmless there; anything else belongs into `env`.
  virtual std::optional<std::string> shell(const yaml::Reader& reader) = 0;
  /// The connection of that name; a finding when the inventory has none.
  virtual std::optional<plan::SecretRef> database(const yaml::Reader& reader, const std::string& name) = 0;
  /// A time, which may be a cell of the table or another value that is known now.
  virtual std::optional<base::Duration> duration(const yaml::Reader& reader) = 0;
  /// A finding about what `reader` holds, told in the table where that comes from one.
  virtual void mistake(const yaml::Reader& reader, std::string message, std::string help) const = 0;
  virtual const std::string& target() const = 0;
  /// The step's own key, or what `defaults` says.
  std::optional<yaml::Reader> value_or_default(std::string_view key);
  virtual std::optional<yaml::Reader> default_of(std::string_view key) = 0;
  /// Where the step is said to run: the name of its host, or "".
  virtual std::string host() const = 0;
};

/// HOST:PORT or [V6]:PORT, the port optional.
struct Address {
  std::string host;
  std::uint16_t port = 0;
};
std::optional<Address> split_address(std::string_view text);

// Each in a file of its own in kinds/.
extern const Kind get_kind, post_kind, put_kind, patch_kind, delete_kind, head_kind, tls_kind, tcp_kind,
    dns_kind, sql_kind, run_kind, haproxy_kind, compare_kind, wait_kind;

}  // namespace staithe::checks
