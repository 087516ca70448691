#pragma once
#include "staithe/checks/expectation.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace staithe::checks {

/// What came of one expectation.
struct Judged {
  enum class Outcome { held, differs, unjudged };
  Outcome outcome = Outcome::unjudged;
  std::string subject, wanted, got;
  std::string why;  ///< of `unjudged`: what could not be understood
  diag::Position position;
  bool warns = false;  ///< stood under `warn`

  /// Held, of no value at all: of each element of an empty list.
  bool nothing = false;

  /// The only thing that is judged where no answer came: `got` says why not.
  static constexpr std::string_view answer = "answer";
  bool is_silence() const { return outcome == Outcome::differs && subject == answer; }
  /// "status: wanted 200, got 503", or why there was no answer.
  std::string in_words() const {
    return is_silence() ? got : subject + ": wanted " + wanted + ", got " + got;
  }
};

/// Holds one reply against expectations. The body is parsed once, when it is first asked for. For one thread.
///
/// Bounded: a body is what the probe kept (see Reply::cut), JSON is at most 200 levels deep, a subject finds
/// at most 100,000 values of 16 MiB together, a pattern stops at a million steps. What cannot be judged says
/// so and never passes.
class Judge {
 public:
  /// `reply` must outlive it. `now`: seconds since 1970, for dates. `clean` is applied to whatever is quoted.
  Judge(const Reply& reply, double now, Clean clean = {});
  ~Judge();
  Judge(const Judge&) = delete;
  Judge& operator=(const Judge&) = delete;

  /// The expectation's texts have no holes any more.
  Judged judge(const Expectation& expectation) const;

  struct Selected {
    std::vector<Value> values;
    bool definite = true;   ///< the subject names at most one value
    std::string why;        ///< it could not be looked for
    bool unjudged = false;  ///< `why` is a limit of ours: it says nothing of the system
    bool lost = false;      ///< nothing was found, and no empty list is why: only words of presence can hold
    std::string gap{};      ///< of a dotted path with '*': the first way that finds nothing
  };
  Selected select(std::string_view subject) const;

 private:
  struct Body;
  /// As select(), but of a column, which is saved as one list, the values of its rows.
  Selected judged_in(std::string_view subject) const;
  std::unique_ptr<Body> body_;
  const Reply& reply_;
  double now_;
  Clean clean_;
};

/// A shell ends with 126 and 127 where there is no command that it could run: nothing was asked then.
bool says_no_command(const Reply& reply);
/// Whether one of them says the very exit status that the reply has.
bool name_exit_of(const Reply& reply, const std::vector<Expectation>& expectations);
/// Of a reply that says_no_command(), and of which nothing differs: that something holds of what a command
/// has printed that was never run says nothing.
void doubt_without_command(const Reply& reply, std::vector<Judged>& judged);

/// A mistake in a subject's path, known without any reply; "" when there is none.
std::string check_subject(std::string_view subject);

}  // namespace staithe::checks
