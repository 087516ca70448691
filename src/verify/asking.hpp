#pragma once
#include "fill.hpp"

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
  bool cancelled = false;
  bool cut_short = false;  ///< it was not asked for as long as the check says: the scope ends before
};

/// Throws nothing but std::bad_alloc. `scope` is the suite's; the check's own timeout holds inside of it.
Asked ask(const checks::Check& check, const Captures& captures, Probes& probes,
          const base::Redactor& redactor, const base::Scope& scope);

/// Judges `expectations`, which are filled, against a reply. What is quoted of it is redacted before it is
/// cut.
std::vector<checks::Judged> judge_all(const std::vector<checks::Expectation>& expectations,
                                      const checks::Reply& reply, const base::Redactor& redactor);
bool all_held(const std::vector<checks::Judged>& judged);

}  // namespace staithe::verify
