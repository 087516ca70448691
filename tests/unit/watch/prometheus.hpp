#pragma once
#include <cctype>
#include <cmath>
#include <map>
#include <stdexcept>
#include <string>

/// A strict reader of Prometheus' text format 0.0.4: every sample belongs to the family above it, counters
/// end in _total, nothing is there twice. Throws std::runtime_error.
namespace prometheus {

using Labels = std::map<std::string, std::string>;
struct Family {
  std::string type, help;
  std::map<Labels, double> samples;
};

class Reader {
 public:
  explicit Reader(const std::string& text) : text_(text) {}

  std::map<std::string, Family> families() {
    std::string current;
    while (at_ < text_.size()) {
      if (accept("# HELP ")) {
        current = name();
        expect(" ");
        if (!families_.emplace(current, Family{"", until('\n'), {}}).second) wrong("a family twice");
      } else if (accept("# TYPE ")) {
        if (name() != current) wrong("TYPE of another family");
        expect(" ");
        auto& family = families_[current];
        if (!family.type.empty()) wrong("TYPE twice");
        family.type = until('\n');
        if (family.type != "gauge" && family.type != "counter") wrong("no such type");
        if ((family.type == "counter") != current.ends_with("_total")) wrong("_total is for counters");
      } else {
        sample(current);
      }
    }
    return families_;
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const {
    throw std::runtime_error(what + " at byte " + std::to_string(at_));
  }
  bool accept(const std::string& word) {
    if (text_.compare(at_, word.size(), word) != 0) return false;
    at_ += word.size();
    return true;
  }
  void expect(const std::string& word) {
    if (!accept(word)) wrong("expected '" + word + "'");
  }
  std::string name() {
    const auto begin = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_'))
      ++at_;
    if (at_ == begin || std::isdigit(static_cast<unsigned char>(text_[begin])) != 0) wrong("expected a name");
    return text_.substr(begin, at_ - begin);
  }
  std::string until(char end) {
    const auto found = text_.find(end, at_);
    if (found == std::string::npos) wrong("the last line has no end");
    auto part = text_.substr(at_, found - at_);
    at_ = found + 1;
    return part;
  }
  std::string quoted() {
    expect("\"");
    std::string value;
    for (;;) {
      if (at_ >= text_.size() || text_[at_] == '\n') wrong("a label's value has no end");
      const char c = text_[at_++];
      if (c == '"') return value;
      if (c != '\\') {
        value += c;
        continue;
      }
      const char next = at_ < text_.size() ? text_[at_++] : '\0';
      if (next != '\\' && next != '"' && next != 'n') wrong("no such escape");
      value += next == 'n' ? '\n' : next;
    }
  }
  void sample(const std::string& current) {
    if (name() != current || families_[current].type.empty()) wrong("a sample without its family");
    Labels labels;
    if (accept("{")) {
      do {
        const auto label = name();
        expect("=");
        if (!labels.emplace(label, quoted()).second) wrong("a label twice");
      } while (accept(","));
      expect("}");
    }
    expect(" ");
    const auto number = until('\n');
    std::size_t used = 0;
    const double value = std::stod(number, &used);
    if (used != number.size() || !std::isfinite(value)) wrong("no number: " + number);
    if (!families_[current].samples.emplace(labels, value).second) wrong("a sample twice");
  }

  const std::string& text_;
  std::size_t at_ = 0;
  std::map<std::string, Family> families_;
};

inline std::map<std::string, Family> parse(const std::string& text) {
  return Reader(text).families();
}

}  // namespace prometheus
