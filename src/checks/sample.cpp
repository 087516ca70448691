#include "step_reader.hpp"

#include <fmt/format.h>

/// What is said of a sample, and the sample that is taken.
namespace staithe::checks {
namespace {

/// How many good answers that needs; nothing where it is not known, or none.
std::optional<double> least_of(const Matcher& matcher) {
  using Word = Matcher::Word;
  const auto word = matcher.word;
  if (word != Word::at_least && word != Word::over && word != Word::equals && word != Word::range) return {};
  if (!matcher.operands[0].is_literal()) return {};
  const auto value = parse_quantity(matcher.operands[0].shown());
  if (!value) return {};
  return word == Word::over ? value->number + 1 : value->number;
}

class Sample {
 public:
  Sample(std::uint32_t size, const yaml::Reader& step) : size_(size), step_(step) {}

  void judge(const Expectation& one) const {
    if (!is_of_all_samples(one.subject)) return;
    if (size_ > 1) return judge(one, one.matcher);
    mistake(one, fmt::format("{} is of a sample, and this step takes none", one.subject),
            "say 'sample: 20' as well");
  }

 private:
  void judge(const Expectation& one, const Matcher& matcher) const {
    if (one.subject != "success") return;
    for (const auto& inner : matcher.inner) judge(one, inner);
    const auto least = least_of(matcher);
    if (matcher.of && *matcher.of != size_)
      mistake(one, fmt::format("'{}' is said of {}, and the sample is {}", one.wanted, *matcher.of, size_),
              fmt::format("write 'of {}', or 'sample: {}'", size_, *matcher.of));
    else if (least && *least > size_)
      mistake(one, fmt::format("'{}' can never hold of a sample of {}", one.wanted, size_),
              fmt::format("write 'at least {} of {}'", size_ - size_ / 20, size_));
  }
  void mistake(const Expectation& one, std::string message, std::string help) const {
    step_.diagnostics().error(one.position, std::move(message), step_.path(), std::move(help));
  }

  std::uint32_t size_;
  const yaml::Reader& step_;
};

}  // namespace

void check_sample(const Check& check, const yaml::Reader& step) {
  const Sample sample(check.sample, step);
  for (const auto* list : {&check.expect, &check.warn})
    for (const auto& one : *list) sample.judge(one);
  for (const auto& tolerance : check.tolerate)
    for (const auto* list : {&tolerance.evidence, &tolerance.expect})
      for (const auto& one : *list) sample.judge(one);
}

}  // namespace staithe::checks
