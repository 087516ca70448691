#pragma once
#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"
#include "staithe/base/redact.hpp"
#include "staithe/plan/text.hpp"

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace staithe::world {

/// Set where a run starts a suite of checks: the values of its secrets stand on standard input.
inline constexpr const char* handed_secrets_variable = "STAITHE_HANDED_SECRETS";

using Captures = std::map<std::string, std::string>;

/// Resolves secret references when they are needed, once each, and tells the redactor first. Thread safe: who
/// wants one that another thread looks up waits for it, as long as its own scope lets it.
class Secrets {
 public:
  /// How long the redactor knows them.
  enum class Known {
    for_good,
    while_used,  ///< as long as this lives, and a while: of a program that looks them up for months
  };

  /// Relative files start from `directory`, and commands run there; "" is the working directory.
  explicit Secrets(base::Redactor& redactor, std::string directory = {}, Known known = Known::for_good)
      : redactor_(redactor), directory_(std::move(directory)), known_for_(known) {}

  /// Something that was made of a secret, and is one.
  void tell_redactor(std::string_view secret);
  /// "user:password", or a user alone, where it is sent: the half that is a secret by itself.
  void tell_half(std::string_view credentials);

  /// Throws base::Error{not_found} for a variable or file that is not there, {invalid} for one that is empty,
  /// and what the command threw.
  std::string value(const plan::SecretRef& ref, const base::Scope& scope);

  /// Whether what cannot be had is looked for again when it is needed.
  enum class Failure { forgotten, kept };

  /// Looks all of them up, each within that time, and keeps them. Returns what is wrong with those that
  /// cannot be had, a line each. Throws base::Error{cancelled}.
  std::vector<std::string> look_up_all(const std::vector<plan::SecretRef>& refs, base::Duration each_within,
                                       const base::Cancel* stop, Failure failure);

  /// What is done about secrets that may have run out since they were looked up.
  struct Renewal {
    base::Duration older_than;  ///< counted from when it was looked up last, or that was tried
    base::Duration within;      ///< for each
    std::function<void(const std::string&)> say;  ///< of one that could not be had anew, without its value
  };
  /// Their values, for the standard input of a program that is to know them too; throws as value() does. What
  /// a command printed is asked for anew once it is old: a token may be good for minutes, and a program that
  /// is refused for it would blame what it checks. Where that fails, the value that is known has to do.
  std::string handed_on(const std::vector<plan::SecretRef>& refs, const base::Scope& scope,
                        const Renewal& renewal);
  /// The other end: what was handed on is not looked up again. Throws base::Error{protocol}.
  void take_over(std::string_view handed);

  struct Ahead {
    plan::SecretRef ref;
    base::Duration within;  ///< counted from when the first one is looked up
    /// From when it was looked for itself until it was had or given up, counted likewise; the same where its
    /// time was over before its turn came.
    base::Duration begun{0}, ended{0};
  };
  /// Looks up in that order, some at a time, what can be had within its time, and is silent about the rest,
  /// which is looked for again when it is needed.
  void look_ahead(std::vector<Ahead>& ahead, const base::Cancel* stop);

  /// The text, when every hole is a secret that was looked up.
  std::optional<std::string> known(const plan::Text& text);

  /// Why a secret surely cannot be had here, without looking at its value or running a command; "" when it
  /// may be.
  static std::string lacks(const plan::SecretRef& ref, const std::string& directory);

  /// The text with its holes filled. A capture that no action made is base::Error{not_found}.
  std::string fill(const plan::Text& text, const Captures& captures, const base::Scope& scope);

  /// Inputs as (variable, value).
  std::vector<std::pair<std::string, std::string>> fill(const std::vector<plan::Input>& inputs,
                                                        const Captures& captures, const base::Scope& scope);

 private:
  struct Age {
    unsigned renewals = 0;  ///< that went well: the values of later ones are known under keys of their own
    std::chrono::steady_clock::time_point looked_up{};
  };
  struct Search;
  class EndOfSearch;

  std::string value(const plan::SecretRef& ref, const std::string& key, const base::Scope& scope,
                    Failure failure);
  std::string search_for(const plan::SecretRef& ref, const std::string& key, const base::Scope& scope,
                         Failure kept, Search& search);
  std::string look_up(const plan::SecretRef& ref, const base::Scope& scope) const;
  std::string newest(const plan::SecretRef& ref, const base::Scope& scope, const Renewal& renewal);
  /// Called with the lock held.
  void tell(std::string_view secret);

  base::Redactor& redactor_;
  std::string directory_;
  Known known_for_;
  std::mutex mutex_;
  std::vector<base::Redactor::Hold> holds_;
  std::set<std::string, std::less<>> told_;
  std::map<std::string, std::string> known_;
  std::map<std::string, Age> ages_;                          ///< by the key of the first value
  std::map<std::string, base::Error> lacking_;               ///< looked for in vain, for good
  std::map<std::string, std::shared_ptr<Search>> searches_;  ///< under way
};

}  // namespace staithe::world
