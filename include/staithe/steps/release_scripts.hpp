#pragma once
#include "staithe/steps/step.hpp"

#include <string>
#include <vector>

/// The POSIX shell scripts that work on a service's directory on a host:
///   repo.git                    what has been fetched; refs/staithe/<id> keeps each release's commit
///   releases/<id>               one release; REVISION is its full SHA, .staithe-good says that it was live
///   shared/                     what every release links to
///   current -> releases/<id>
///   .staithe/before/<id>        what `current` pointed to before <id> was activated
///   .staithe/served             the way back: what was live here, oldest first, without what was rolled back
///   .staithe/served-before      the same as it was before the newest activation
namespace staithe::steps {

/// Fetches and unpacks the release, once; an unfinished one never has its final name.
std::string checkout_script(const Release& release);

/// Points `current` to the release, atomically, and remembers what it pointed to. Going back to a release
/// takes what has come after it off the way back.
std::string activate_script(const Release& release);

/// Points `current` back to what activate_script found, unless it has been elsewhere all along. Prints the
/// id (or the name) of the release that is current then.
std::string reactivate_script(const Release& release);

/// Succeeds when `current` is the release.
std::string verify_script(const Release& release);

/// Marks the release good, and removes what is neither live, nor was live before it, nor is what a rollback
/// would go to, nor among the newest `keep` good ones.
std::string cleanup_script(const Release& release);

struct Preflight {
  bool needs_checkout = false;
  bool needs_activate = false;        ///< without a checkout: the release must be there
  std::vector<std::string> commands;  ///< literal commands that will run; "sudo -n …" is asked for its right
};
/// Reads only. Says everything that is in the way on stderr, a line each. "" when there is nothing to ask.
std::string preflight_script(const Release* release, const Preflight& wanted);

}  // namespace staithe::steps
