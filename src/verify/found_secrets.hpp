#pragma once
#include "staithe/base/text.hpp"
#include "staithe/checks/own_words.hpp"

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace staithe::verify {

/// What must not be seen of one reply, before a redactor is told of it. Bounded, for each costs time wherever
/// is looked for it: of a reply that has more, nothing is shown.
class FoundSecrets {
 public:
  static constexpr std::size_t most = 200, most_bytes = 256 * 1024;

  /// `own`, whose words are no secrets that a reply has let out, must outlive it.
  explicit FoundSecrets(const checks::OwnWords& own) : own_(own) {}

  void add(std::string secret) {
    if (too_many_ || !is_new(secret) || own_.have(secret)) return;
    too_many_ = all_.size() >= most || bytes_ + secret.size() > most_bytes;
    if (!too_many_) take(std::move(secret));
  }
  /// However many there are: what a step saves may stand wherever it is used.
  void keep(std::string secret) {
    if (is_new(secret)) take(std::move(secret));
  }
  bool too_many() const { return too_many_; }
  /// As they were found.
  const std::vector<std::string>& all() const { return all_; }

 private:
  bool is_new(const std::string& secret) const {
    constexpr std::size_t shortest = 4;  // see base::Redactor::add_part
    return base::trim(secret).size() >= shortest && known_.count(secret) == 0;
  }
  void take(std::string secret) {
    bytes_ += secret.size();
    known_.insert(secret);
    all_.push_back(std::move(secret));
  }

  const checks::OwnWords& own_;
  std::vector<std::string> all_;
  std::set<std::string, std::less<>> known_;
  std::size_t bytes_ = 0;
  bool too_many_ = false;
};

}  // namespace staithe::verify
