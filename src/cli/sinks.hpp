#pragma once
#include "app.hpp"

#include "staithe/report/sinks.hpp"

#include <memory>
#include <string>
#include <vector>

namespace staithe::cli {

/// Throws UsageError for a --report that the command cannot make; whether its file can be written is another
/// matter.
void check_report(std::string_view command, const std::string& request);

/// What becomes of what is in the file of a --report already; JUnit's is replaced in any case.
enum class Files { replace, add };

/// The reporters of one run, chosen by the command line and the streams. All is written when it is destroyed;
/// what could not be written is then said. Throws UsageError or base::Error, before anything is run, for a
/// --report that cannot be written.
class Sinks {
 public:
  /// For a run whose plan is another kind of document.
  Sinks(App& app, const std::string& kind, const std::string& plan_json, Files files = Files::replace);
  ~Sinks();
  Sinks(const Sinks&) = delete;
  Sinks& operator=(const Sinks&) = delete;

  /// Takes a run's events: redacts them, then hands them to the reporters from a thread of its own.
  event::EventSink& pump() { return *entrance_; }

 private:
  struct Reporter {
    std::string name;  ///< where it writes to, for complaints
    std::unique_ptr<report::Sink> sink;
  };
  struct SideFile;

  void add_for_person();
  void add_report(const std::string& request);
  report::Output& side_file(const std::string& path);

  App& app_;
  std::string kind_, plan_json_;
  Files side_files_;
  std::vector<std::unique_ptr<SideFile>> files_;
  std::vector<Reporter> reporters_;
  std::unique_ptr<report::Pump> pump_;
  std::unique_ptr<event::EventSink> entrance_;
};

}  // namespace staithe::cli
