#include "fill_url.hpp"

#include "staithe/base/error.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::verify {
namespace {

using UrlPart = base::UrlCursor::Part;

class Filling {
 public:
  Filling(const plan::Text& url, const std::string& target, const Captures& captures)
      : url_(url), target_(target), captures_(captures) {}

  plan::Text fill() {
    for (const auto& piece : url_.pieces()) {
      if (const auto* literal = std::get_if<std::string>(&piece)) {
        follows(*literal);
        made_.append(std::string_view(*literal));
        pass(*literal);
        continues_value_ = continues_value_ && literal->empty();
      } else if (const auto* secret = std::get_if<plan::SecretRef>(&piece)) {
        follows("a secret");
        made_.append(*secret);
        cursor_.pass_hidden();
        continues_value_ = false;
      } else {
        hole(std::get<plan::CaptureRef>(piece).name);
        continues_value_ = cursor_.part() == UrlPart::path && cursor_.last() == '/';
      }
    }
    check_last_segment();
    return std::move(made_);
  }

 private:
  /// What the author has written: it says where the next hole stands.
  void pass(std::string_view text) {
    for (const char c : cursor_.leave_start(text)) {
      if ((c == '?' || c == '#') && cursor_.part() != UrlPart::query) check_last_segment();
      put(c, false);
    }
  }

  /// A path of the author's behind a query that came with a value would be part of that query.
  void follows(std::string_view text) {
    if (!brought_query_) return;
    if (!text.starts_with('&') && !text.starts_with('#'))
      refuse(fmt::format(
          "has a query or a fragment of its own, and {} would be part of that",
          text.starts_with('/') || text.starts_with('?') ? base::printable(text) : "what comes after it"));
    brought_query_ = false;
  }

  void put(char c, bool filled) {
    cursor_.put(c);
    if (cursor_.part() != UrlPart::path) return;
    if (c == '/') return check_last_segment();
    segment_ += c;
    filled_ = filled_ || filled;
  }

  void hole(const std::string& name) {
    const auto found = captures_.find(name);
    if (found == captures_.end())
      throw base::Error(base::ErrorCode::not_found, fmt::format("nothing was saved as '{}'", name));
    const auto& value = found->second;
    follows("a value");
    name_ = name;
    if (const auto what = value.no_word(); !what.empty()) refuse("is " + what);
    if (cursor_.part() != UrlPart::query && base::climbs(value.text))
      refuse(fmt::format("is \"{}\"", base::printable(value.text)));
    switch (cursor_.part()) {
      case UrlPart::start:
        return reference(value.text);
      case UrlPart::host:
        // "http://10.0.0.1:5000$(card)", where a path was saved.
        return value.text.starts_with('/') && cursor_.has_host() && !cursor_.at_port() ? reference(value.text)
                                                                                       : host(value.text);
      case UrlPart::path:
        if (continues_value_ && value.text.find_first_of("?#") != std::string::npos)
          refuse(
              fmt::format("is \"{}\" right after a value that ends with '/', so it is unclear whether that "
                          "is a query",
                          base::printable(value.text)));
        // A path that goes on below what was written, "/v1$(card)", or one piece.
        return value.text.starts_with('/') && cursor_.last() != '/' ? reference(value.text)
                                                                    : segment(value.text);
      case UrlPart::query:
        made_.append(std::string_view(base::percent_encoded(value.text, base::in_url_value)));
        return;
    }
  }

  void reference(const std::string& value) {
    const bool whole = value.starts_with("http://") || value.starts_with("https://");
    if (!whole && !value.starts_with('/'))
      refuse(fmt::format("is \"{}\", which is neither a URL nor a path", base::printable(value)));
    const auto text = base::url_reference(value);
    if (whole && cursor_.part() == UrlPart::start && !target_.empty() && !base::same_origin(text, target_))
      refuse(fmt::format("names another host than {}: {}", base::printable(target_), origin_shown(text)));
    made_.append(std::string_view(text));
    filled_ = !whole || cursor_.part() == UrlPart::path;
    pass(text);
    filled_ = filled_ || cursor_.part() == UrlPart::path;
    brought_query_ = cursor_.part() == UrlPart::query;
  }

  static std::string origin_shown(std::string_view url) {
    const auto place = base::http_place(url);
    if (!place) return "none that can be read";
    return (place->secure ? "https://" : "http://") + base::printable(place->authority);
  }

  /// Whom is asked is for the author to say.
  void host(const std::string& value) {
    const bool is_port = cursor_.at_port() && value.size() <= 5 &&
                         std::all_of(value.begin(), value.end(), [](char c) { return c >= '0' && c <= '9'; });
    if (!is_port && name_ != "run.id")
      refuse(fmt::format("is \"{}\", and what was saved may say no part of a host's name",
                         base::printable(value)));
    made_.append(std::string_view(value));
    for (const char c : value) cursor_.put(c);
  }

  void segment(const std::string& value) {
    const auto text = base::percent_encoded(value, base::in_url_segment);
    made_.append(std::string_view(text));
    for (const char c : text) put(c, true);
  }

  /// A dot that was put beside a dot.
  void check_last_segment() {
    if (filled_ && base::climbs(segment_))
      refuse(fmt::format("makes \"{}\" of it", base::printable(segment_)));
    segment_.clear();
    filled_ = false;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw base::Error(
        base::ErrorCode::invalid,
        fmt::format("nothing was asked: '{}' cannot stand in {}: it {}", name_, url_.shown(), why));
  }

  const plan::Text& url_;
  const std::string& target_;
  const Captures& captures_;
  plan::Text made_;
  base::UrlCursor cursor_;        ///< of what is made
  bool continues_value_ = false;  ///< the last hole's value ends with '/', in the path
  bool brought_query_ = false;    ///< the last hole's value ends in a query
  std::string name_;              ///< of the last hole
  std::string segment_;           ///< as far as it is made
  bool filled_ = false;           ///< there is something of a hole in it
};

}  // namespace

plan::Text url_filled(const plan::Text& url, const std::string& target, const Captures& captures) {
  return url.is_literal() ? url : Filling(url, target, captures).fill();
}

}  // namespace staithe::verify
