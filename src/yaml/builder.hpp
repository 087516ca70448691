#pragma once
#include "abbreviation.hpp"
#include "source.hpp"

#include "staithe/yaml/node.hpp"

#include <yaml-cpp/eventhandler.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace staithe::yaml {

/// Thrown through the parser when there is no use in going on; the finding has been made.
struct Abandoned {};

/// Makes the tree out of the parser's events. Events and not yaml-cpp's own nodes, because only they tell
/// anchors, aliases, every duplicate key and the place of each.
class Builder : public YAML::EventHandler {
 public:
  /// `read` is what the parser is given of the source.
  Builder(Source& source, const Abbreviation& read, diag::Diagnostics& diagnostics)
      : source_(source), read_(read), diagnostics_(diagnostics) {}

  void OnDocumentStart(const YAML::Mark& mark) override;
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override;
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override;
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override;
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override;
  void OnMapEnd() override { close(); }

  /// The tree; call it once, after the parser is done.
  Node take() { return std::move(root_); }

  /// What the parser had behind it when it stopped: for finding the true place of a mistake.
  std::size_t token_start() const noexcept { return token_start_; }
  std::size_t token_end() const noexcept { return token_end_; }
  /// The innermost '[' or '{' that is still open, or npos.
  std::size_t open_bracket() const noexcept;
  /// A tab was reported: what the parser makes of the lines after it is not worth saying.
  bool saw_tab() const noexcept { return saw_tab_; }
  std::string path() const;
  /// Where in the source a mark of the parser is. Never past the end of the text: the end marker is not the
  /// user's.
  std::size_t offset_of(const YAML::Mark& mark) const;

 private:
  struct Frame {
    Node node;
    std::size_t bracket;           ///< offset of its '[' or '{'; npos in block style
    std::optional<Entry> pending;  ///< the key that waits for its value
    bool skip = false;             ///< the pending key was refused, and so goes its value
    std::unordered_map<std::string, std::uint32_t> first_lines;  ///< of the keys, once there are many
  };

  bool expects_key() const {
    return !frames_.empty() && frames_.back().node.kind == Kind::map && !frames_.back().pending;
  }
  Node begin(Kind kind, std::size_t offset, const std::string& tag, YAML::anchor_t anchor);
  void open(Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor);
  void close();
  void deliver(Node node);
  void take_key(Node node);
  static std::optional<std::uint32_t> line_of_key(Frame& frame, const std::string& key);
  void refuse_anchor(std::size_t offset);
  void error(std::size_t offset, std::uint32_t length, std::string message, std::string help);

  Source& source_;
  const Abbreviation& read_;
  diag::Diagnostics& diagnostics_;
  Node root_;
  std::vector<Frame> frames_;
  std::size_t nodes_ = 0;
  std::size_t documents_ = 0;
  bool saw_tab_ = false;
  std::size_t token_start_ = 0;
  std::size_t token_end_ = 0;
};

}  // namespace staithe::yaml
