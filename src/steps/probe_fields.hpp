#pragma once
#include "fields.hpp"

#include <utility>
#include <vector>

namespace staithe::steps {

/// Reports a URL that is not http:// or https://, or names no host, as far as it is known when a plan is
/// made.
void check_http_url(Lowering& at, const Template& where, const plan::Text& url);

/// An HTTP request and the answer that is right: shared by wait, check and restore's smoke.
class HttpFields {
 public:
  HttpFields(yaml::Mapping& map, Template url);

  plan::HttpProbe lower(Lowering& at) const;

 private:
  Template url_;
  std::string method_ = "GET";
  std::vector<std::pair<std::string, Template>> headers_;
  std::optional<Template> body_;
  std::uint16_t status_ = 200;
  std::optional<Template> contains_;
  std::optional<Template> connect_to_;
};

/// One question of wait and check: http, tcp, command or file, whichever key is there.
class ProbeFields {
 public:
  /// Reports when none or several of the keys are there.
  explicit ProbeFields(Fields& fields);

  bool needs_host() const { return form_ == Form::command || form_ == Form::file; }
  plan::Probe lower(Lowering& at) const;
  /// "GET http://…", "connect to …": what a title says.
  static std::string title(const plan::Probe& probe);

 private:
  enum class Form { none, http, tcp, command, file };

  void lower_tcp(Lowering& at, plan::Probe& probe) const;

  Form form_ = Form::none;
  Template subject_;
  std::optional<HttpFields> http_;
};

}  // namespace staithe::steps
