#pragma once
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace staithe::base {

class SecretForms;

/// Replaces known secrets in text by "***": the second line of defence, after never printing them.
///
/// A secret is found as it is; with any of its bytes percent-, JSON-, C-, shell-, SQL- or XML-escaped, in any
/// mixture; in hexadecimal; and in base64 (both alphabets) wherever it stands in the encoded bytes. Not
/// found: base64 broken into lines inside the secret, compressed or encrypted bytes, a secret cut short. A
/// secret of several lines is also found line by line (lines of at least 8 bytes) and without the white space
/// around it. Secrets of less than 4 bytes are found only as they are, wherever they stand: their encodings
/// are too short to be told from other text. Overlapping finds become one "***".
///
/// Every function may be called from any thread.
class Redactor {
 public:
  /// A secret that is in use as long as this lives; see hold(). Must not outlive the Redactor.
  class Hold {
   public:
    Hold() = default;
    Hold(Hold&& other) noexcept
        : owner_(std::exchange(other.owner_, nullptr)), secret_(std::move(other.secret_)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    friend class Redactor;
    Hold(Redactor* owner, std::string secret) : owner_(owner), secret_(std::move(secret)) {}
    Redactor* owner_ = nullptr;
    std::string secret_;
  };

  Redactor();
  ~Redactor();
  Redactor(const Redactor&) = delete;
  Redactor& operator=(const Redactor&) = delete;

  /// For good. An empty secret is ignored.
  void add(std::string_view secret);
  /// As add(), for one that is replaced by others while the program runs: it is known while a Hold of it
  /// lives, and the newest 64 that were let go still are, since texts that hold them may come late.
  [[nodiscard]] Hold hold(std::string_view secret);
  std::string clean(std::string_view text) const;
  /// No secret is known: every text is clean as it is.
  bool knows_none() const;

 private:
  friend class RedactingStream;
  std::shared_ptr<const SecretForms> forms() const;
  struct Known {
    std::size_t holds = 0;
    bool for_good = false;
  };

  Known& know(std::string_view secret);
  void let_go(const std::string& secret) noexcept;
  static void add_forms(std::string_view secret, SecretForms& forms);

  mutable std::mutex mutex_;
  std::map<std::string, Known, std::less<>> known_;
  std::deque<std::string> free_;              // nobody holds them, oldest first
  std::shared_ptr<const SecretForms> forms_;  // replaced, never changed: readers keep theirs
};

/// Redaction of text that comes in pieces: a secret across the border of two is found. Holds back only what
/// may be the beginning of a secret. For one thread; the Redactor must outlive it.
class RedactingStream {
 public:
  explicit RedactingStream(const Redactor& redactor) : redactor_(redactor) {}

  /// What can be shown now.
  std::string push(std::string_view chunk);
  /// The rest, at the end of the stream.
  std::string finish();

 private:
  std::string take(bool at_end);

  const Redactor& redactor_;
  std::string held_;
  std::size_t covered_ = 0;  // so many bytes of held_ belong to a secret that is already replaced
};

}  // namespace staithe::base
