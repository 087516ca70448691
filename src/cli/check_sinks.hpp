#pragma once
#include "app.hpp"

#include "staithe/verify/result.hpp"

#include <memory>
#include <string>
#include <vector>

namespace staithe::cli {

/// The reporters of a run of checks, chosen by the command line and the streams. Throws UsageError or
/// base::Error, before anything is run, for a --report that cannot be written.
class CheckSinks {
 public:
  explicit CheckSinks(App& app);
  ~CheckSinks();

  std::vector<verify::Listener*> listeners() const;
  /// After the run, once: says which reports are not, or not all, written. False when there are any.
  bool all_written();

 private:
  struct SideFile;

  void add_report(const std::string& request);
  /// Records of this run for the deploy that has started it as a step of its own, if one has.
  void add_records_for_deploy();

  App& app_;
  bool lost_ = false;
  std::vector<std::unique_ptr<SideFile>> files_;
  std::vector<std::unique_ptr<verify::Listener>> listeners_;
};

}  // namespace staithe::cli
