#pragma once
#include "url_path.hpp"

#include "staithe/checks/suite.hpp"
#include "staithe/yaml/reader.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace staithe::checks {

/// What `$(name)` means at one place of a suite: a value that is known now, a secret, or something that is
/// known when the suite runs.
class Names {
 public:
  void set(const std::string& name, std::string value) { values_[name] = std::move(value); }
  /// Its value is made of others': it says nothing in clear by itself.
  void set_made_of_others(const std::string& name) { made_of_others_.insert(name); }
  void set_secret(const std::string& name, plan::SecretRef secret) { secrets_[name] = std::move(secret); }
  /// As set(), for a table cell; `position` is where mistakes in it are reported.
  void set_cell(const std::string& name, const diag::Position& position) { cells_[name] = position; }
  /// Where the first cell stands that a text names; null for none.
  const diag::Position* cell_in(std::string_view text) const;
  /// Whether the text is one cell and nothing else.
  bool is_cell(std::string_view text) const;
  /// Whether it is a cell, and not the suite, that says whom the URL at `reader` asks, which was read as
  /// `url`.
  bool cell_says_whom(const yaml::Reader& reader, const Text& url) const;
  /// A finding about what stands at `reader`; where a cell was put in there, the mistake is the cell's.
  void mistake(const yaml::Reader& reader, std::string message, std::string help = {}) const;
  /// Known from here on, at run time.
  void declare(const std::string& name);
  /// The same of what a step saves that is done for each host: there it has a value of its own.
  void declare_for(const std::string& name, const std::string& host);
  /// The host that the step in hand is done for; "": it is done once.
  void stand_for(const std::string& host) { host_ = host; }
  /// The same for every name that begins so.
  void declare_prefix(const std::string& prefix) { prefixes_.insert(prefix); }
  /// Will be saved by a later step: for the message.
  void announce(const std::string& name, const std::string& step) { later_.emplace(name, step); }
  /// May well be known, though not here: nothing that begins so is reported, and no text comes of it.
  void assume(const std::string& prefix) { assumed_.insert(prefix); }
  /// Saved by a step that runs once for each case: so does what uses it.
  void set_per_case(const std::string& name) { per_case_.insert(name); }

  /// What is known now under a name that says that it is secret, and may be.
  std::vector<std::string> secret_values() const;

  bool is_runtime(const std::string& name) const;
  bool is_per_host(const std::string& name) const { return hosts_.count(name) > 0; }
  bool is_per_case(const std::string& name) const {
    return name.rfind("case.", 0) == 0 || per_case_.count(name) > 0;
  }

  /// Replaces what is known and leaves holes for the rest; `$$` is a dollar, and a `$` in front of anything
  /// else than `(` or `$` stays. Unknown names are findings at `reader`, but for those that are assumed.
  std::optional<Text> expand(const std::string& text, const yaml::Reader& reader) const;
  /// The same of a URL, see base::UrlWriter; a value that would ask for another place is a finding, see
  /// UrlPath.
  std::optional<Text> expand_url(const std::string& text, const yaml::Reader& reader) const;
  /// The same where everything must be known now.
  std::optional<std::string> expand_plain(const std::string& text, const yaml::Reader& reader) const;
  std::optional<std::string> expand_plain_url(const std::string& text, const yaml::Reader& reader) const;

 private:
  std::optional<Text> expand(const std::string& text, const yaml::Reader& reader, base::UrlWriter* url) const;
  static std::optional<std::string> known_now(const std::optional<Text>& expanded, const std::string& text,
                                              const yaml::Reader& reader);
  void unknown(const std::string& name, const yaml::Reader& reader) const;
  /// What it is called at run time; nothing where it is of other hosts than the step.
  std::optional<std::string> at_run_time(const std::string& name, const yaml::Reader& reader) const;
  void misplaced(const UrlPath::Trouble& trouble, const std::string& url, const yaml::Reader& reader) const;
  bool is_assumed(const std::string& name) const;

  std::map<std::string, std::string> values_;
  std::set<std::string> made_of_others_;
  std::map<std::string, plan::SecretRef> secrets_;
  std::set<std::string> runtime_, prefixes_, per_case_, assumed_;
  std::map<std::string, std::string> later_;
  std::map<std::string, std::set<std::string>> hosts_;  ///< of names that have a value for each: which
  std::string host_;
  std::map<std::string, diag::Position> cells_;
};

/// Findings about a text that is most likely meant otherwise: `env NAME`, which names a secret only in
/// `secrets`, and `${x}` or `{{x}}`, which are names in other tools. Text in quotes is meant as it stands.
void suspect(const yaml::Reader& reader);

/// The names between `$(` and `)` in a text.
std::vector<std::string> names_in(std::string_view text);
/// What its author wrote of it: a hole for each name, also where the value is known.
Text with_holes(std::string_view text);
/// The names in every scalar below a node.
void collect_names(const yaml::Node& node, std::set<std::string>& names);
/// Those of a whole suite, and its variables.
std::set<std::string> names_of_suite(const yaml::Node& root);

/// What a value looks like in JSON: numbers, true, false and null as they are, anything else as a string.
std::string json_scalar(std::string_view plain);

/// A JSON text whose holes stand where the author's stand. See HttpRequest::Encoding::json.
std::optional<Text> json_template(const yaml::Reader& reader, const Names& names);

/// RFC 4180: the first row names the columns. Lines and columns of the file count as those of a Position.
struct Cell {
  std::string text;
  std::uint32_t line = 1, column = 1;  ///< where it begins, its quote included
};
struct Table {
  std::vector<std::string> columns;
  std::vector<std::vector<Cell>> rows;
};
/// What is wrong with a table, and where; line 0 stands for the whole.
struct TableFault {
  std::string why;
  std::uint32_t line = 0, column = 0;
};
std::optional<Table> parse_csv(std::string_view text, TableFault& fault);

}  // namespace staithe::checks
