#include "builder.hpp"

#include "words.hpp"

#include "staithe/yaml/reader.hpp"

#include <fmt/format.h>
#include <yaml-cpp/mark.h>

#include <algorithm>
#include <utility>

namespace staithe::yaml {
namespace {

/// Tags that the parser gives to values without one.
bool is_implicit(const std::string& tag) {
  return tag.empty() || tag == "?" || tag == "!";
}

/// The word for null that the text begins with, "" when it begins with something else.
std::string null_at(std::string_view text) {
  for (const std::string_view word : {"~", "null", "Null", "NULL"}) {
    if (!text.starts_with(word)) continue;
    const auto rest = text.substr(word.size());
    if (rest.empty() || std::string_view(" \t\r\n,]}").find(rest.front()) != std::string_view::npos)
      return std::string(word);
  }
  return {};
}

}  // namespace

std::size_t Builder::offset_of(const YAML::Mark& mark) const {
  if (mark.pos < 0) return 0;
  return std::min(read_.original_offset(static_cast<std::size_t>(mark.pos)), source_.text().size());
}

void Builder::OnDocumentStart(const YAML::Mark& mark) {
  if (++documents_ == 1) return;
  const std::size_t offset = offset_of(mark);
  // The parser takes what follows a complete root value for another document, even without a "---".
  if (source_.text().compare(offset, 3, "---") == 0) {
    diagnostics_.error(source_.position(offset), "a second document", "",
                       "a file holds one document: remove '---' or use another file");
  } else {
    diagnostics_.error(source_.position(source_.skip_blanks(offset)),
                       "this does not belong to what stands before it", "",
                       "check the indentation: keys of one mapping start in the same column");
  }
  throw Abandoned{};
}

void Builder::error(std::size_t offset, std::uint32_t length, std::string message, std::string help) {
  diagnostics_.add(
      {diag::Severity::error, source_.position(offset), length, std::move(message), path(), std::move(help)});
}

void Builder::refuse_anchor(std::size_t offset) {
  error(offset, 1, "anchors and aliases are not supported",
        "write the value out where it is needed, or use a variable");
}

Node Builder::begin(Kind kind, std::size_t offset, const std::string& tag, YAML::anchor_t anchor) {
  if (++nodes_ > max_nodes) {
    diagnostics_.error(source_.position(offset), fmt::format("more than {} values in one file", max_nodes));
    throw Abandoned{};
  }
  const std::size_t tab = source_.indenting_tab(offset);
  if (kind != Kind::null && tab != npos) {
    diagnostics_.error(source_.position(tab), "a tab cannot indent", "", "use spaces");
    saw_tab_ = true;
  }
  Node node;
  node.kind = kind;
  node.position = source_.position(offset);
  if (anchor != YAML::NullAnchor) refuse_anchor(offset);
  const bool explicit_tag = offset < source_.text().size() && source_.text()[offset] == '!';
  if (kind != Kind::null && (!is_implicit(tag) || explicit_tag)) {
    error(offset, source_.length_to(offset, source_.text().find_first_of(" \t\r\n,]}", offset)),
          "tags are not supported", "remove it: what a value means is decided by its key");
    node.refused = true;
  }
  return node;
}

void Builder::OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       const std::string& value) {
  const std::size_t offset = offset_of(mark);
  Node node = begin(Kind::scalar, offset, tag, anchor);
  node.text = read_.expand(static_cast<std::size_t>(std::max(mark.pos, 0)), value);
  token_start_ = offset;
  token_end_ = source_.scalar_end(offset, node.text);
  node.length = source_.length_to(offset, token_end_);
  node.quoted = tag == "!";
  if (node.text.find('\0') != npos) {
    error(offset, node.length, "a NUL character cannot stand in a text", "remove the escape");
    node.refused = true;
  }
  deliver(std::move(node));
}

void Builder::OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) {
  // yaml-cpp marks an absent value at the next token, which may be lines away.
  const auto& text = source_.text();
  std::size_t offset = offset_of(mark);
  const bool written =
      offset < text.size() && (text[offset] == '~' || text[offset] == 'n' || text[offset] == 'N');
  const bool in_list = !frames_.empty() && frames_.back().node.kind == Kind::list;
  if (in_list && !written) {
    offset = source_.skip_blanks(token_end_);
    while (offset < text.size() && (text[offset] == ']' || text[offset] == '}'))
      offset = source_.skip_blanks(offset + 1);
    token_end_ = std::min(offset + 1, text.size());
  }
  Node node = begin(Kind::null, offset, "?", anchor);
  if (offset < text.size()) node.text = null_at(std::string_view(text).substr(offset));
  if (!frames_.empty() && frames_.back().pending) {
    node.position = frames_.back().pending->position;
    node.length = frames_.back().pending->length;
  }
  deliver(std::move(node));
}

void Builder::OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) {
  const std::size_t offset = offset_of(mark);
  Node node = begin(Kind::null, offset, "?", YAML::NullAnchor);
  node.refused = true;
  token_start_ = token_end_ = offset;
  // "<<: *base" is one mistake, told at its key.
  const bool skipped = !frames_.empty() && frames_.back().skip;
  if (!skipped) refuse_anchor(offset);
  deliver(std::move(node));
}

void Builder::open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
  const std::size_t offset = offset_of(mark);
  Node node = begin(kind, offset, tag, anchor);
  if (frames_.size() >= max_depth) {
    diagnostics_.error(source_.position(offset), fmt::format("nested more than {} levels deep", max_depth),
                       path());
    throw Abandoned{};
  }
  token_start_ = token_end_ = offset;
  const auto& text = source_.text();
  const bool bracket = offset < text.size() && (text[offset] == '[' || text[offset] == '{');
  if (bracket) ++token_end_;
  frames_.push_back({std::move(node), bracket ? offset : npos, std::nullopt, false, {}});
}

void Builder::OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                              YAML::EmitterStyle::value /*style*/) {
  open(Kind::list, mark, tag, anchor);
}

void Builder::OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value /*style*/) {
  open(Kind::map, mark, tag, anchor);
}

void Builder::close() {
  Node node = std::move(frames_.back().node);
  frames_.pop_back();
  deliver(std::move(node));
}

/// Where a key of this mapping stands already. Most have a handful; a file may be one of many thousands.
std::optional<std::uint32_t> Builder::line_of_key(Frame& frame, const std::string& key) {
  constexpr std::size_t few = 16;
  const auto& entries = frame.node.entries;
  auto& lines = frame.first_lines;
  if (entries.size() <= few) {
    const auto found =
        std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.key == key; });
    return found == entries.end() ? std::nullopt : std::optional(found->position.line);
  }
  for (std::size_t i = lines.size(); i < entries.size(); ++i)
    lines.emplace(entries[i].key, entries[i].position.line);
  const auto found = lines.find(key);
  return found == lines.end() ? std::nullopt : std::optional(found->second);
}

void Builder::take_key(Node node) {
  auto& frame = frames_.back();
  std::string key = node.text;
  const diag::Position position = node.position;
  const std::uint32_t length = node.length;
  const auto refuse = [&](std::string message, std::string help) {
    diagnostics_.add({diag::Severity::error, position, length, std::move(message), path(), std::move(help)});
    frame.skip = true;
  };
  if (node.refused) {
    frame.skip = true;
  } else if (node.kind != Kind::scalar) {
    const bool braces = node.kind == Kind::map || node.kind == Kind::list;
    refuse(fmt::format("a key must be text, not {}", describe(node.kind)),
           braces ? "a text that starts with '{' or '[' needs quotes"
                  : "write a key before ':', in quotes if it is 'null'");
  } else if (key == "<<" && !node.quoted) {
    refuse("merge keys are not supported", "write the keys out where they are needed");
  } else if (const auto first = line_of_key(frame, key)) {
    refuse(fmt::format("duplicate key {}", in_quotes(key)),
           fmt::format("it stands on line {} already: keep one of them", *first));
  }
  frame.pending = Entry{std::move(key), position, length, {}};
}

void Builder::deliver(Node node) {
  if (frames_.empty()) {
    root_ = std::move(node);
    return;
  }
  if (expects_key()) {
    take_key(std::move(node));
    return;
  }
  auto& frame = frames_.back();
  if (frame.node.kind == Kind::list) {
    frame.node.items.push_back(std::move(node));
    return;
  }
  frame.pending->value = std::move(node);
  auto& entries = frame.node.entries;
  if (entries.empty()) entries.reserve(4);  // what most mappings have
  if (!frame.skip) entries.push_back(std::move(*frame.pending));
  frame.pending.reset();
  frame.skip = false;
}

std::size_t Builder::open_bracket() const noexcept {
  return frames_.empty() ? npos : frames_.back().bracket;
}

std::string Builder::path() const {
  std::string path;
  for (const auto& frame : frames_) {
    if (frame.node.kind == Kind::list)
      path = path_of(path, frame.node.items.size());
    else if (frame.pending)
      path = path_of(path, frame.pending->key);
  }
  return path;
}

}  // namespace staithe::yaml
