#pragma once
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace staithe::base {

class SecretForms;

/// Replaces known secrets in text by "***": the second line of defence, after never printing them.
///
/// A secret is found as it is; with any of its bytes percent-, JSON-, C-, octal-, shell-, SQL-, XML- or
/// quoted-printable-escaped, in any mixture; as the numbers of its bytes, in hexadecimal with or without
/// something between them, or in decimal; in base64 (both alphabets) and in base32 wherever it stands in the
/// encoded bytes; likewise in Latin-1, where its UTF-8 was read as that or as Windows-1252 (not as numbers or
/// base32), and in UTF-16 (as numbers or in base64); up to 4 KiB, in base64 of its base64, of its
/// percent-encoding and of its JSON; and one of 16 hexadecimal digits or more in any case, with the dashes of
/// a UUID or without. Not found: compressed or encrypted bytes, other encodings of encodings, a secret cut
/// short. A secret of several lines is also found line by line (lines of at least 8 bytes) and without the
/// white space around it. Secrets of less than 4 bytes are found only as they are, wherever they stand: their
/// encodings are too short to be told from other text. Overlapping finds become one "***".
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
    Hold& operator=(Hold&& other) noexcept {
      std::swap(owner_, other.owner_);
      std::swap(secret_, other.secret_);
      return *this;
    }
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
  /// lives, and the newest 64 that were let go at least, since texts that hold them may come late.
  [[nodiscard]] Hold hold(std::string_view secret);
  /// As add() and hold(), for what is secret only because of where it comes from or goes to: half of a
  /// secret, a token that a peer has given. It may be any word, so one of 4 or 5 bytes is found only as it is
  /// and where no letter, digit or '_' stands beside it, and a shorter one is not looked for: half of every
  /// report would be gone with it, and it keeps nobody out.
  void add_part(std::string_view secret);
  [[nodiscard]] Hold hold_part(std::string_view secret);
  /// The same of many: what is known is made anew once.
  void hold_parts(std::span<const std::string> secrets, std::vector<Hold>& held);
  std::string clean(std::string_view text) const;
  /// The same of a text of which only the beginning is shown: where it has more than `enough` bytes once it
  /// is clean, at least that many and one more, and not much of what comes behind them is looked at.
  std::string clean_front(std::string_view text, std::size_t enough) const;
  /// No secret is known: every text is clean as it is.
  bool knows_none() const;

 private:
  friend class RedactingStream;
  std::shared_ptr<const SecretForms> forms() const;
  struct Known {
    std::size_t holds = 0;
    bool for_good = false;
    bool everywhere = false;  ///< in all forms; else only as a word
  };

  Hold hold(std::string_view secret, bool everywhere);
  Known& know(std::string_view secret, bool everywhere);
  Hold keep(std::string_view secret, bool everywhere);
  void publish();
  void let_go(const std::string& secret) noexcept;
  static void add_forms(std::string_view secret, const Known& known, SecretForms& forms);

  mutable std::mutex mutex_;
  std::map<std::string, Known, std::less<>> known_;
  std::deque<std::string> free_;              // nobody holds them, oldest first
  std::shared_ptr<SecretForms> next_;         // what is being made; null between calls
  std::shared_ptr<const SecretForms> forms_;  // replaced, never changed: readers keep theirs
};

/// What of "user:password" is a secret by itself: the password; without one the user, as API keys are sent.
std::string_view secret_half(std::string_view credentials);

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
  char before_ = '\0';       // what stood in front of held_
  std::size_t covered_ = 0;  // so many bytes of held_ belong to a secret that is already replaced
};

}  // namespace staithe::base
