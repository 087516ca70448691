#include "sinks.hpp"

namespace staithe::cli {

Sinks::Sinks(App& app, const plan::Plan& /*plan*/) {
  const auto color = app.err_color() ? report::Color::on : report::Color::off;
  if (!app.quiet()) add(report::make_lines(app.err(), {app.verbosity(), color, std::chrono::seconds(30)}));
  std::vector<report::Sink*> listeners;
  for (const auto& sink : sinks_) listeners.push_back(sink.get());
  pump_ = std::make_unique<report::Pump>(std::move(listeners));
}

Sinks::~Sinks() {
  pump_->close();
}

void Sinks::add(std::unique_ptr<report::Sink> sink) {
  sinks_.push_back(std::move(sink));
}

}  // namespace staithe::cli
