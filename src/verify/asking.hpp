#pragma once
#include "fill.hpp"
#include "found_secrets.hpp"
#include "tokens.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/verify/probes.hpp"
#include "staithe/verify/result.hpp"

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

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
  std::vector<base::Redactor::Hold> saved;  ///< secrets of the last reply in what is saved of it
  std::vector<base::Redactor::Hold> told;   ///< and all others
  /// What has a secret's name and may be one, or a number that stands anywhere: hidden there alone. See
  /// base::is_short_number().
  std::set<std::string> hidden_there;
  bool hidden = false;      ///< it gave more than can be looked for, so nothing of it is quoted
  bool no_command = false;  ///< the command is not there, and the check does not say that it may be so
  bool cut_short = false;   ///< it was not asked for as long as the check says: the scope ends before
};

/// What must not be seen, which saved values are of that kind, and what may be removed.
struct Secrecy {
  base::Redactor& redactor;
  const TokenNames& tokens;
  std::string owner;  ///< whose marks are ours, see mark_of_run(); "": nobody could tell
  checks::OwnWords own;

  /// Of a value that was saved or is used under that name: the whole, where it is a token, with what of it is
  /// a secret by itself. `true` and null are none, whatever they are called, nor is a word like "enabled",
  /// unless it is sent as a secret. Of any other object, what lies in it under a secret's name.
  void tell(const std::string& name, const checks::Value& value, FoundSecrets& found) const;
  /// Of a value that is saved under a token's name the whole and its parts, however many secrets there are.
  void keep(const std::string& name, const checks::Value& value, FoundSecrets& found) const;
  /// The same of a value that is a secret whatever it is called. Of a list or an object each text in it is
  /// one.
  void tell(const checks::Value& value, TokenUse use, FoundSecrets& found) const;
  /// Of what may have a harmless name: what lies in it under a secret's, in JSON or in any other text.
  void tell_inside(const checks::Value& value, FoundSecrets& found) const;
  /// Known to the redactor as long as what this gives lives.
  std::vector<base::Redactor::Hold> hold(std::span<const std::string> secrets) const {
    std::vector<base::Redactor::Hold> held;
    redactor.hold_parts(secrets, held);
    return held;
  }
};

/// Throws nothing but std::bad_alloc. What the check saves and is a token is told to the redactor before
/// anything of the reply is shown. `scope` is the suite's; the check's own timeout holds inside of it.
/// `each`: told of each request of many, of polls and of samples, as if it were the only one; not so of the
/// poll for which `until` holds, which is what ask() gives.
Asked ask(const checks::Check& check, const Captures& captures, Probes& probes, const Secrecy& secrecy,
          const base::Scope& scope, const std::function<void(Asked&)>& each = {});

/// For what is quoted of its reply; both must outlive it.
checks::Clean cleaner(const Asked& asked, const base::Redactor& redactor);
/// Judges `expectations`, which are filled, against its reply. What is quoted of it is redacted before it is
/// cut.
std::vector<checks::Judged> judge_all(const std::vector<checks::Expectation>& expectations,
                                      const Asked& asked, const base::Redactor& redactor);
/// False also where all of them held of nothing.
bool all_held(const std::vector<checks::Judged>& judged);
/// All held, and all of nothing: of each element of a list that is empty.
bool held_of_nothing(const std::vector<checks::Judged>& judged);
/// Why that is no pass.
std::string nothing_judged(const std::vector<checks::Judged>& judged);

}  // namespace staithe::verify
