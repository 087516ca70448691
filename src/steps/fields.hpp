#pragma once
#include "staithe/steps/step.hpp"

namespace staithe::steps {

/// Reads one step's own value: a scalar stands for the kind's main key; the keys that every step has may
/// stand here too.
class Fields {
 public:
  Fields(const yaml::Reader& value, const Kind& kind, Common& common, Place place);
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  /// The main key's text, in either form.
  std::optional<Template> main(yaml::Need need = yaml::Need::required);
  std::optional<Template> text(std::string_view key, yaml::Need need = yaml::Need::optional);
  yaml::Mapping& map() { return map_; }
  bool has(std::string_view key) { return map_.has(key); }
  const Common& common() const { return common_; }
  /// The section that the step stands in.
  Place place() const { return place_; }

  /// Reports what was not asked for.
  void finish();

  void error(std::string message, std::string help = {});
  /// At what main() gives.
  void main_error(std::string message, std::string help = {});

 private:
  const Kind& kind_;
  Common& common_;
  Place place_;
  yaml::Node nothing_;  ///< what a scalar's mapping reads
  std::optional<Template> scalar_;
  yaml::Mapping map_;
};

/// name, timeout, retry, only and on.
void read_common(yaml::Mapping& map, Common& common);

/// First line of a script, shortened: a title.
std::string headline(std::string_view script);

std::string short_sha(std::string_view sha);

}  // namespace staithe::steps
