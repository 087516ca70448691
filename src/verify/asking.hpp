#pragma once
#include "fill.hpp"
#include "tokens.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/verify/probes.hpp"
#include "staithe/verify/result.hpp"

namespace staithe::verify {

/// One attempt at a check: a request, polls until something holds, or many samples; and what was judged.
struct Asked {
  Attempt attempt;
  checks::Reply reply;  ///< the last one
  std::vector<checks::Judged> warnings;
  std::uint32_t samples = 1, samples_good = 1;
  std::size_t of_each = 0;  ///< expectations that each sample was held to, beside those that are shown
  bool silent = false;      ///< at least once nothing answered at all
  bool cancelled = false;
  std::vector<base::Redactor::Hold> told;  ///< tokens that the last reply gave
  bool cut_short = false;  ///< it was not asked for as long as the check says: the scope ends before
};

/// What must not be seen, which saved values are of that kind, and what may be removed.
struct Secrecy {
  base::Redactor& redactor;
  const TokenNames& tokens;
  std::string owner{};  ///< whose marks are ours, see mark_of_run(); "": nobody could tell

  /// A value that was saved or is used under that name: known to the redactor as long as that lives, where it
  /// is a token, with what of it is a secret by itself. `true` and null are none, whatever they are called,
  /// nor is a word like "enabled", unless it is sent as a secret. Of any other object, what lies in it under
  /// a secret's name.
  void tell(const std::string& name, const checks::Value& value,
            std::vector<base::Redactor::Hold>& told) const;
  /// The same of a value that is a secret whatever it is called. Of a list or an object each text in it is
  /// one.
  void tell(const checks::Value& value, TokenUse use, std::vector<base::Redactor::Hold>& told) const;
  /// Of what may have a harmless name: what lies in it under a secret's, in JSON or in any other text.
  void tell_inside(const checks::Value& value, std::vector<base::Redactor::Hold>& told) const;
};

/// Throws nothing but std::bad_alloc. What the check saves and is a token is told to the redactor before
/// anything of the reply is shown. `scope` is the suite's; the check's own timeout holds inside of it.
Asked ask(const checks::Check& check, const Captures& captures, Probes& probes, const Secrecy& secrecy,
          const base::Scope& scope);

/// For what is quoted of a reply outside of ask().
checks::Clean cleaner(const base::Redactor& redactor);
/// Judges `expectations`, which are filled, against a reply. What is quoted of it is redacted before it is
/// cut.
std::vector<checks::Judged> judge_all(const std::vector<checks::Expectation>& expectations,
                                      const checks::Reply& reply, const base::Redactor& redactor);
/// False also where all of them held of nothing.
bool all_held(const std::vector<checks::Judged>& judged);
/// All held, and all of nothing: of each element of a list that is empty.
bool held_of_nothing(const std::vector<checks::Judged>& judged);
/// Why that is no pass.
std::string nothing_judged(const std::vector<checks::Judged>& judged);

}  // namespace staithe::verify
