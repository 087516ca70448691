#pragma once
#include "app.hpp"

#include "staithe/plan/plan.hpp"
#include "staithe/report/sinks.hpp"

#include <memory>
#include <vector>

namespace staithe::cli {

/// The reporters of one run, chosen by the command line and the streams. All is written when it is destroyed.
class Sinks {
 public:
  Sinks(App& app, const plan::Plan& plan);
  ~Sinks();

  event::EventSink& pump() { return *pump_; }

 private:
  void add(std::unique_ptr<report::Sink> sink);

  std::vector<std::unique_ptr<report::Sink>> sinks_;
  std::unique_ptr<report::Pump> pump_;
};

}  // namespace staithe::cli
