#pragma once
#include "parse.hpp"
#include "terminal.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/base/text.hpp"
#include "staithe/exec/runner.hpp"
#include "staithe/report/sinks.hpp"
#include "staithe/store/store.hpp"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace staithe::cli {

/// What every command works with: the parsed line, the streams, the stops, the redactor.
class App {
 public:
  explicit App(Parsed parsed);

  const Parsed& args() const { return args_; }
  const Terminal& terminal() const { return terminal_; }
  report::Output& out() { return out_; }
  report::Output& err() { return err_; }
  exec::Stops& stops() { return stops_; }
  base::Redactor& redactor() { return redactor_; }
  const base::Redactor& redactor() const { return redactor_; }

  /// From now on hosts may be in hand: what a signal does is said in those words.
  void begin_run() { in_run_ = true; }
  bool in_run() const { return in_run_; }

  /// From now on SIGHUP means this; null: to stop, as ever. The signal thread calls it.
  void on_hang_up(std::function<void()> what);
  bool hang_up();

  /// What mistakes in files mean from now on: "nothing was run" until then. Only while one thread reads
  /// files.
  void mistakes_mean(std::string consequence) { consequence_ = std::move(consequence); }
  const std::string& consequence() const { return consequence_; }

  bool json() const { return args_.has("json"); }
  bool quiet() const { return args_.has("quiet"); }
  int verbosity() const { return static_cast<int>(args_.all("verbose").size()); }
  ColorChoice color_choice() const;
  bool out_color() const { return terminal_.color(color_choice(), terminal_.stdout_tty); }
  bool err_color() const { return terminal_.color(color_choice(), terminal_.stderr_tty); }
  bool may_prompt() const { return terminal_.may_prompt() && !args_.has("no-input"); }

  /// The result, to stdout.
  void print(const std::string& text) { out_.write(text); }
  /// A plan, which says what is in the files and in `--var`, without what is known to be secret there.
  void print_plan(const std::string& text) { print(redactor_.clean(text)); }
  /// The same of JSON, whose values are cleaned, and nothing that makes it what it is. With the plan's id.
  void print_plan(const std::string& json, const std::string& id);
  /// Of JSON the values without what is known to be secret, on one line; what names them stays. "" stays "".
  std::string clean_values(const std::string& json) const;
  /// A sentence for the person, to stderr. Whoever wrote what stands in it, it moves no cursor and tells no
  /// secret that is known.
  void say(const std::string& text) { err_.write(base::printable(redactor_.clean(text)) + "\n"); }
  /// "staithe: TEXT" to stderr; returns `code`.
  int fail(int code, const std::string& text);
  /// What fail() said last; "" for nothing.
  const std::string& failure() const { return failure_; }

  /// A number of an option, or `otherwise`; throws UsageError for anything but digits.
  std::uint32_t number(std::string_view option, std::uint32_t otherwise) const;
  base::Duration duration(std::string_view option, base::Duration otherwise) const;

 private:
  Parsed args_;
  Terminal terminal_;
  report::Output out_{1};
  report::Output err_{2};
  exec::Stops stops_;
  base::Redactor redactor_;
  std::string failure_, consequence_ = "nothing was run";
  std::atomic<bool> in_run_{false};
  std::mutex hang_up_mutex_;
  std::function<void()> hang_up_;
};

/// The command line cannot be meant: exit 2.
class UsageError : public std::exception {
 public:
  explicit UsageError(std::string text) : text_(std::move(text)) {}
  const char* what() const noexcept override { return text_.c_str(); }

 private:
  std::string text_;
};

}  // namespace staithe::cli
