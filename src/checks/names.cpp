#include "names.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/secret_names.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"
#include "staithe/plan/json_text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace staithe::checks {
namespace {

/// The pieces of a text: literal, or a name.
struct Piece {
  bool is_name = false;
  std::string text;
};

/// `open`: a `$(` without its end was met.
std::vector<Piece> pieces_of(std::string_view text, bool& open) {
  std::vector<Piece> pieces;
  open = false;
  std::string literal;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    if (text[i] == '$' && next == '$') {
      literal += '$';
      ++i;
    } else if (text[i] == '$' && next == '(') {
      const auto end = text.find(')', i);
      if (end == std::string_view::npos) {
        open = true;
        return pieces;
      }
      if (!literal.empty()) pieces.push_back({false, std::exchange(literal, {})});
      pieces.push_back({true, std::string(base::trim(text.substr(i + 2, end - i - 2)))});
      i = end;
    } else {
      literal += text[i];
    }
  }
  if (!literal.empty()) pieces.push_back({false, std::move(literal)});
  return pieces;
}

/// What `secrets` would take: "env NAME", "file ./PATH", "file /PATH".
bool names_secret(std::string_view text) {
  const auto rest_after = [&](std::string_view word) {
    return text.starts_with(word) ? base::trim(text.substr(word.size())) : std::string_view();
  };
  const auto variable = rest_after("env "), path = rest_after("file ");
  const auto is_word = [](char c) { return base::is_alnum(c) || c == '_'; };
  return (!variable.empty() && std::all_of(variable.begin(), variable.end(), is_word)) ||
         (!path.empty() && path.find(' ') == std::string_view::npos &&
          path.find('/') != std::string_view::npos);
}

/// Of a cell; see base::UrlWriter::is_unclear().
std::string unclear_in_url(const std::string& cell) {
  return fmt::format(
      "'{}' comes right after a value that ends with '/', so it is unclear whether its '{}' begins a "
      "query",
      cell, cell[cell.find_first_of("?#")]);
}
constexpr std::string_view write_slash =
    "where it is a piece of the path, write the '/' in the suite, /$({}); where it is a query, let the cell "
    "begin "
    "with '/' and the value before it end without";

bool is_json_literal(std::string_view text) {
  if (text == "true" || text == "false" || text == "null") return true;
  if (text.empty() || (text.front() != '-' && (text.front() < '0' || text.front() > '9'))) return false;
  const auto parsed = nlohmann::json::parse(text.begin(), text.end(), nullptr, false);
  return parsed.is_number();
}

}  // namespace

void suspect(const yaml::Reader& reader) {
  const auto& node = reader.node();
  if (node.kind != yaml::Kind::scalar || node.quoted) return;
  const std::string_view text = node.text;
  if (names_secret(text)) {
    reader.error(
        fmt::format("'{}' is literal text here, not a secret", text),
        fmt::format("say secrets: {{NAME: {}}} and write $(NAME) here; if the text is meant, put it in "
                    "quotes",
                    text));
    return;
  }
  for (const auto& [open, close] : {std::pair{"${", "}"}, std::pair{"{{", "}}"}}) {
    const auto begin = text.find(open);
    if (begin == std::string_view::npos) continue;
    const auto end = text.find(close, begin);
    if (end == std::string_view::npos) continue;
    const auto name = base::trim(text.substr(begin + 2, end - begin - 2));
    reader.warning(fmt::format("{}{}{} is literal text here, not a name", open, name, close),
                   fmt::format("write $({}); if the text is meant, put it in quotes", name));
    return;
  }
}

std::vector<std::string> names_in(std::string_view text) {
  std::vector<std::string> names;
  if (text.find('$') == std::string_view::npos) return names;
  bool open = false;
  for (auto& piece : pieces_of(text, open))
    if (piece.is_name) names.push_back(std::move(piece.text));
  return names;
}

Text with_holes(std::string_view text) {
  Text made;
  bool open = false;
  for (const auto& piece : pieces_of(text, open)) {
    if (piece.is_name)
      made.append(plan::CaptureRef{piece.text});
    else
      made.append(std::string_view(piece.text));
  }
  return made;
}

void collect_names(const yaml::Node& node, std::set<std::string>& names) {
  for (auto& name : names_in(node.text)) names.insert(std::move(name));
  for (const auto& item : node.items) collect_names(item, names);
  for (const auto& entry : node.entries) collect_names(entry.value, names);
}

std::set<std::string> names_of_suite(const yaml::Node& root) {
  std::set<std::string> names;
  collect_names(root, names);
  if (const auto* vars = root.find("vars"))
    for (const auto& entry : vars->entries) names.insert(entry.key);
  return names;
}

std::optional<Text> Names::expand(const std::string& text, const yaml::Reader& reader) const {
  if (text.find('$') == std::string::npos) return Text(text);  // most texts
  return expand(text, reader, nullptr);
}

std::optional<Text> Names::expand_url(const std::string& text, const yaml::Reader& reader) const {
  base::UrlWriter url;
  return expand(text, reader, &url);
}

std::optional<Text> Names::expand(const std::string& text, const yaml::Reader& reader,
                                  base::UrlWriter* url) const {
  bool open = false;
  const auto pieces = pieces_of(text, open);
  if (open) {
    reader.error("'$(' has no ')'", "write '$$(' when no name is meant");
    return std::nullopt;
  }
  Text expanded;
  UrlPath path;
  bool good = true;
  for (const auto& piece : pieces) {
    if (!piece.is_name) {
      const auto written = url ? url->written(piece.text) : piece.text;
      path.written(written);
      expanded.append(std::string_view(written));
    } else if (const auto value = values_.find(piece.text); value != values_.end()) {
      using From = base::UrlWriter::From;
      const auto cell = cells_.find(piece.text);
      const auto from = cell != cells_.end() ? From::cell : From::author;
      if (url && url->is_unclear(value->second, from)) {
        reader.diagnostics().error(cell->second, unclear_in_url(value->second), reader.path(),
                                   fmt::format(write_slash, piece.text));
        good = false;
      }
      const auto written = url ? url->value(value->second, from) : value->second;
      path.value(piece.text, written);
      expanded.append(std::string_view(written));
    } else if (const auto secret = secrets_.find(piece.text); secret != secrets_.end()) {
      expanded.append(secret->second);
      if (url) url->pass_hidden(), path.hidden();
    } else if (is_runtime(piece.text)) {
      auto name = at_run_time(piece.text, reader);
      if (name)
        expanded.append(plan::CaptureRef{std::move(*name)});
      else
        good = false;
      if (url) url->pass_hidden(), path.hidden();
    } else {
      unknown(piece.text, reader);
      good = false;
    }
  }
  if (const auto trouble = path.trouble(); url && trouble) {
    misplaced(*trouble, text, reader);
    return std::nullopt;
  }
  if (!good) return std::nullopt;
  return expanded;
}

void Names::misplaced(const UrlPath::Trouble& trouble, const std::string& url,
                      const yaml::Reader& reader) const {
  auto message = fmt::format("'{}' cannot stand in {}: it {}", trouble.name, url, trouble.why);
  const auto* help = "another place would be asked than is written";
  if (const auto cell = cells_.find(trouble.name); cell != cells_.end())
    reader.diagnostics().error(cell->second, std::move(message), reader.path(), help);
  else
    reader.error(std::move(message), help);
}

std::optional<std::string> Names::expand_plain(const std::string& text, const yaml::Reader& reader) const {
  if (text.find('$') == std::string::npos) return text;
  return known_now(expand(text, reader), text, reader);
}

std::optional<std::string> Names::expand_plain_url(const std::string& text,
                                                   const yaml::Reader& reader) const {
  return known_now(expand_url(text, reader), text, reader);
}

std::optional<std::string> Names::known_now(const std::optional<Text>& expanded, const std::string& text,
                                            const yaml::Reader& reader) {
  if (!expanded) return std::nullopt;
  if (!expanded->is_literal()) {
    reader.error(fmt::format("'{}' is known at run time only and cannot stand here", text));
    return std::nullopt;
  }
  return expanded->shown();
}

const diag::Position* Names::cell_in(std::string_view text) const {
  if (cells_.empty()) return nullptr;
  for (const auto& name : names_in(text))
    if (const auto found = cells_.find(name); found != cells_.end()) return &found->second;
  return nullptr;
}

bool Names::is_cell(std::string_view text) const {
  if (cells_.empty()) return false;
  bool open = false;
  const auto pieces = pieces_of(base::trim(text), open);
  return pieces.size() == 1 && pieces.front().is_name && cells_.count(pieces.front().text) > 0;
}

void Names::mistake(const yaml::Reader& reader, std::string message, std::string help) const {
  const auto* cell = cell_in(reader.node().text);
  if (cell == nullptr) return reader.error(std::move(message), std::move(help));
  reader.diagnostics().error(*cell, std::move(message), reader.path(), std::move(help));
}

void Names::declare(const std::string& name) {
  runtime_.insert(name);
  hosts_.erase(name);
}

void Names::declare_for(const std::string& name, const std::string& host) {
  runtime_.insert(name);
  hosts_[name].insert(host);
}

std::optional<std::string> Names::at_run_time(const std::string& name, const yaml::Reader& reader) const {
  const auto of = hosts_.find(name);
  if (of == hosts_.end()) return name;
  if (of->second.count(host_) > 0) return name_for_host(name, host_);
  if (host_.empty())
    reader.error(fmt::format("'{}' has a value for each host, and this is done once", name),
                 "say 'each' here as the step does that saves it");
  else if (!is_assumed("host."))
    reader.error(fmt::format("'{}' is not known of {}: it is saved for {}", name, host_,
                             base::join(std::vector(of->second.begin(), of->second.end()), ", ")),
                 "say the same 'each' here as the step does that saves it");
  return std::nullopt;
}

std::vector<std::string> Names::secret_values() const {
  // {user: admin, password: admin} has no secret, and an ordinary word must be left where it stands.
  std::set<std::string_view> clear;
  for (const auto& [name, value] : values_)
    if (!base::names_secret(name) && made_of_others_.count(name) == 0) clear.insert(value);
  std::vector<std::string> found;
  for (const auto& [name, value] : values_)
    if (base::names_secret(name) && !base::is_harmless(value) && clear.count(value) == 0)
      found.push_back(value);
  return found;
}

bool Names::is_runtime(const std::string& name) const {
  if (runtime_.count(name) > 0) return true;
  for (const auto& prefix : prefixes_)
    if (name.rfind(prefix, 0) == 0) return true;
  return false;
}

bool Names::is_assumed(const std::string& name) const {
  return std::any_of(assumed_.begin(), assumed_.end(),
                     [&](const std::string& prefix) { return name.starts_with(prefix); });
}

void Names::unknown(const std::string& name, const yaml::Reader& reader) const {
  if (const auto later = later_.find(name); later != later_.end())
    return reader.error(fmt::format("'{}' is used before it is saved", name),
                        fmt::format("'{}' saves it, which comes later", later->second));
  if (is_assumed(name)) return;
  if (name.rfind("deploy.", 0) == 0)
    return reader.error(fmt::format("'{}' is known in a deploy only", name),
                        fmt::format("outside of one, give --var {}=VALUE", name));
  std::vector<std::string> known;
  for (const auto& [one, value] : values_) known.push_back(one);
  for (const auto& [one, secret] : secrets_) known.push_back(one);
  known.insert(known.end(), runtime_.begin(), runtime_.end());
  const auto near = base::nearest(name, known);
  reader.error(fmt::format("nothing is called '{}' here", name),
               near ? fmt::format("did you mean '{}'?", *near) : "a step that comes before must save it");
}

std::string json_scalar(std::string_view plain) {
  return is_json_literal(plain) ? std::string(plain) : plan::json_string(plain);
}

namespace {

/// A scalar that holds only values known now, or one hole and nothing else, keeps its type; a hole inside of
/// text is part of that text.
bool append_scalar(Text& out, const yaml::Reader& reader, const Names& names) {
  const auto& node = reader.node();
  const auto text = names.expand(node.text, reader);
  if (!text) return false;
  if (text->is_literal()) {
    const auto shown = text->shown();
    out.append(std::string_view(node.quoted ? plan::json_string(shown) : json_scalar(shown)));
    return true;
  }
  const bool lone =
      text->pieces().size() == 1 && std::holds_alternative<plan::CaptureRef>(text->pieces().front());
  if (lone && !node.quoted) {
    out.append(*text);
    return true;
  }
  out.append("\"");
  for (const auto& piece : text->pieces()) {
    if (const auto* literal = std::get_if<std::string>(&piece)) {
      out.append(std::string_view(plan::json_inside(*literal)));
    } else if (const auto* secret = std::get_if<plan::SecretRef>(&piece)) {
      out.append(*secret);
    } else {
      out.append(std::get<plan::CaptureRef>(piece));
    }
  }
  out.append("\"");
  return true;
}

bool append(Text& out, const yaml::Reader& reader, const Names& names) {
  const auto& node = reader.node();
  if (node.refused) return false;
  bool good = true;
  const char* separator = "";
  switch (node.kind) {
    case yaml::Kind::null:
      if (node.text.empty())
        reader.warning("nothing is written here, so null is sent",
                       "write null when that is meant; '#' begins a comment: quote it");
      out.append("null");
      return true;
    case yaml::Kind::scalar:
      suspect(reader);
      return append_scalar(out, reader, names);
    case yaml::Kind::list:
      out.append("[");
      for (std::size_t i = 0; i < node.items.size(); ++i, separator = ",") {
        out.append(separator);
        good = append(out, {node.items[i], reader.diagnostics(), yaml::path_of(reader.path(), i)}, names) &&
               good;
      }
      out.append("]");
      return good;
    case yaml::Kind::map:
      out.append("{");
      for (const auto& entry : node.entries) {
        out.append(separator);
        out.append(std::string_view(plan::json_string(entry.key)));
        out.append(":");
        good = append(out, {entry.value, reader.diagnostics(), yaml::path_of(reader.path(), entry.key)},
                      names) &&
               good;
        separator = ",";
      }
      out.append("}");
      return good;
  }
  return good;
}

}  // namespace

std::optional<Text> json_template(const yaml::Reader& reader, const Names& names) {
  Text text;
  if (!append(text, reader, names)) return std::nullopt;
  return text;
}

}  // namespace staithe::checks
