#include "kinds/http_fields.hpp"

#include "names.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/origin.hpp"
#include "staithe/base/text.hpp"
#include "staithe/base/url_parts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::checks {
namespace {

/// No value of a header can hold it. A secret's or a saved one's is looked at when it is sent.
bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == '\x7f';
  });
}

class HttpReader {
 public:
  HttpReader(Fields& fields, std::string method) : fields_(fields) { request_.method = std::move(method); }

  std::optional<Request> read(const yaml::Reader& value) {
    url(value);
    if (const auto defaults = fields_.default_of("headers")) headers(*defaults);
    if (const auto own = fields_.map().value("headers")) headers(*own);
    body();
    auth();
    auto& map = fields_.map();
    if (const auto follow = map.integer("follow", 0, 50))
      request_.follow_redirects = static_cast<int>(follow->value);
    connect_to();
    proxy();
    if (const auto ca = fields_.value_or_default("ca"))
      if (const auto path = fields_.plain(*ca)) request_.ca_file = *path;
    if (const auto certificate = fields_.value_or_default("certificate")) own_certificate(*certificate);
    keep_to_target(value);
    if (!good_) return std::nullopt;
    return Request(std::move(request_));
  }

 private:
  void url(const yaml::Reader& value) {
    const auto text = fields_.url(value);
    if (!text) return bad();
    request_.url = *text;
    request_.target = fields_.target();
    if (text->empty()) return bad(value, "a path or a URL is missing");
    const auto* start = std::get_if<std::string>(&text->pieces().front());
    if (start == nullptr) return;
    const bool whole = start->starts_with("http://") || start->starts_with("https://");
    if (!whole && !start->starts_with('/'))
      bad(value, "this is neither a URL nor a path", "paths begin with '/'");
    const bool goes_on = text->pieces().size() > 1 &&
                         start->find_first_of("/?#\\", start->find("//") + 2) == std::string::npos;
    if (whole && !goes_on && !base::http_place(*start)) bad(value, "this URL names no host");
    if (start->starts_with('/') && request_.target.empty())
      bad(value, "a path needs a target", "say 'target: https://…' in the suite, or write the whole URL");
  }

  void headers(const yaml::Reader& reader) {
    // Those of the defaults come first; the step's own win.
    const auto members = reader.map();
    if (!members) return bad();
    for (const auto& member : *members) {
      const auto other = std::find_if(members->begin(), members->end(), [&](const auto& one) {
        return base::equal_ignoring_case(one.key.value, member.key.value);
      });
      if (other->key.value != member.key.value)
        bad(member.value,
            fmt::format("'{}' and '{}' are the same header", other->key.value, member.key.value));
      if (!base::is_http_token(member.key.value)) {
        bad(member.value, fmt::format("'{}' cannot be the name of a header", member.key.value));
        continue;
      }
      const auto text = fields_.text(member.value);
      if (!text) return bad();
      if (has_control(text->shown()))
        bad(member.value, fmt::format("the header '{}' holds a control character", member.key.value),
            "a header is one line of text");
      std::erase_if(request_.headers,
                    [&](const auto& one) { return base::equal_ignoring_case(one.first, member.key.value); });
      request_.headers.emplace_back(member.key.value, *text);
    }
  }

  void body() {
    auto& map = fields_.map();
    const auto json = map.value("json");
    const auto form = map.value("form");
    const auto text = map.value("body");
    if ((json ? 1 : 0) + (form ? 1 : 0) + (text ? 1 : 0) > 1)
      return bad(json ? *json : *form, "a request has one of json, form and body");
    if (json) {
      if (auto made = fields_.json(*json))
        request_.body = std::move(*made);
      else
        bad();
      request_.encoding = HttpRequest::Encoding::json;
      default_type("application/json");
    } else if (form) {
      form_fields(*form);
      default_type("application/x-www-form-urlencoded");
    } else if (text) {
      if (auto made = fields_.text(*text))
        request_.body = std::move(*made);
      else
        bad();
    }
  }

  void form_fields(const yaml::Reader& reader) {
    request_.encoding = HttpRequest::Encoding::form;
    const auto members = reader.map();
    if (!members) return bad();
    const char* separator = "";
    for (const auto& member : *members) {
      const auto value = fields_.text(member.value);
      if (!value) return bad();
      request_.body.append(separator);
      request_.body.append(std::string_view(base::percent_encoded(member.key.value) + "="));
      for (const auto& piece : value->pieces()) {
        if (const auto* literal = std::get_if<std::string>(&piece))
          request_.body.append(std::string_view(base::percent_encoded(*literal)));
        else if (const auto* secret = std::get_if<plan::SecretRef>(&piece))
          request_.body.append(*secret);
        else
          request_.body.append(std::get<plan::CaptureRef>(piece));
      }
      separator = "&";
    }
  }

  void default_type(const char* type) {
    for (const auto& [name, value] : request_.headers)
      if (base::equal_ignoring_case(name, "Content-Type")) return;
    request_.headers.emplace_back("content-type", Text(type));
  }

  void auth() {
    const auto reader = fields_.value_or_default("auth");
    if (!reader) return;
    auto text = fields_.text(*reader);
    if (!text) return bad();
    if (text->is_literal() && text->shown() == "none") return;
    const auto* start = text->pieces().empty() ? nullptr : std::get_if<std::string>(&text->pieces().front());
    const std::string help =
        "write 'auth: bearer $(token)', 'auth: basic $(user_and_password)' or 'auth: none'";
    if (start == nullptr) return bad(*reader, "'auth' says basic, bearer or none", help);
    const auto blank = start->find(' ');
    const auto scheme = start->substr(0, blank);
    if ((scheme != "basic" && scheme != "bearer") || blank == std::string::npos)
      return bad(*reader, "'auth' says basic, bearer or none", help);
    request_.auth = scheme == "basic" ? HttpRequest::Auth::basic : HttpRequest::Auth::bearer;
    Text rest;
    rest.append(std::string_view(*start).substr(blank + 1));
    for (std::size_t i = 1; i < text->pieces().size(); ++i) {
      const auto& piece = text->pieces()[i];
      if (const auto* literal = std::get_if<std::string>(&piece))
        rest.append(std::string_view(*literal));
      else if (const auto* secret = std::get_if<plan::SecretRef>(&piece))
        rest.append(*secret);
      else
        rest.append(std::get<plan::CaptureRef>(piece));
    }
    request_.credentials = rest;
  }

  /// What the defaults say of who we are is for the target, and for whom the suite itself names. A table is
  /// written by others.
  void keep_to_target(const yaml::Reader& value) {
    if (good_) keep_to_proxy();
    if (!good_ || request_.target.empty()) return;
    const auto what = who_we_are_by_defaults();
    if (what.empty()) return;
    const auto* start = std::get_if<std::string>(&request_.url.pieces().front());
    const bool elsewhere =
        start != nullptr && !start->starts_with('/') && !base::same_origin(*start, request_.target);
    if (elsewhere && fields_.cell_says_whom(value, request_.url))
      return not_for(value, "this URL is not of the target's origin", what);
    // Who has no certificate of the URL's host hears nothing.
    const auto place =
        base::http_place(start == nullptr || start->starts_with('/') ? request_.target : *start);
    if (place && place->secure) return;
    for (const auto& [key, way] :
         {std::pair("connect_to", &request_.connect_to), std::pair("proxy", &request_.proxy)})
      if (const auto said = fields_.value_or_default(key); said && !way->empty() && fields_.has_cell(*said))
        return not_for(*said, "it is a cell that says whom to connect to", what);
  }

  /// A proxy hears its password in clear, whatever it is asked for.
  void keep_to_proxy() {
    if (request_.proxy_credentials.empty() || fields_.map().has("proxy_auth")) return;
    if (const auto said = fields_.value_or_default("proxy"); said && fields_.has_cell(*said))
      bad(*said, "it is a cell that says which proxy, and 'proxy_auth' of the defaults is not for any proxy",
          "say 'proxy_auth' in the step itself");
  }

  bool has_auth_of_defaults() {
    return request_.auth != HttpRequest::Auth::none && !fields_.map().has("auth");
  }

  /// "auth", or the name of a header; "" when the step says all of it itself.
  std::string who_we_are_by_defaults() {
    if (has_auth_of_defaults()) return "auth";
    for (const auto& header : request_.headers)
      if (says_who_we_are(header) && !is_own_header(header.first)) return header.first;
    return {};
  }

  void not_for(const yaml::Reader& reader, std::string_view why, const std::string& what) {
    bad(reader, fmt::format("{}, and '{}' of the defaults is for the target only", why, what),
        has_auth_of_defaults() ? "say 'auth' in the step itself, or 'auth: none'"
                               : fmt::format("say '{}' in the headers of the step itself", what));
  }

  bool is_own_header(const std::string& name) {
    const auto own = fields_.map().value("headers");
    return own && std::any_of(own->node().entries.begin(), own->node().entries.end(),
                              [&](const auto& entry) { return base::equal_ignoring_case(entry.key, name); });
  }

  static bool says_who_we_are(const std::pair<std::string, Text>& header) {
    for (const char* name : {"authorization", "cookie"})
      if (base::equal_ignoring_case(header.first, name)) return true;
    const auto& pieces = header.second.pieces();
    return std::any_of(pieces.begin(), pieces.end(), [](const auto& piece) {
      const auto* saved = std::get_if<plan::CaptureRef>(&piece);
      return saved != nullptr ? !saved->name.starts_with("run.")
                              : std::holds_alternative<plan::SecretRef>(piece);
    });
  }

  void connect_to() {
    const auto reader = fields_.value_or_default("connect_to");
    if (!reader) return;
    const auto text = fields_.plain(*reader);
    if (!text) return bad();
    const auto address = split_address(*text);
    if (!address || address->port == 0) return bad(*reader, "'" + *text + "' is not HOST:PORT");
    request_.connect_to = *text;
  }

  void proxy() {
    const auto reader = fields_.value_or_default("proxy");
    const auto text = reader ? fields_.plain(*reader) : std::optional<std::string>("none");
    if (!text) return bad();
    if (*text == "none") {
      if (const auto own = fields_.map().value("proxy_auth"))
        bad(*own, "'proxy_auth' is for a 'proxy', and there is none");
      return;
    }
    const auto address = text->starts_with("http://") ? split_address(text->substr(7)) : std::nullopt;
    if (!address || address->port == 0)
      return bad(*reader, "'" + *text + "' is not the URL of a proxy", "write http://HOST:PORT, or none");
    request_.proxy = *text;
    const auto auth = fields_.value_or_default("proxy_auth");
    if (!auth) return;
    auto credentials = fields_.text(*auth);
    if (!credentials) return bad();
    if (credentials->is_literal() && credentials->shown().find(':') == std::string::npos)
      return bad(*auth, "'" + credentials->shown() + "' is not USER:PASSWORD",
                 "a password is best a secret: \"USER:$(NAME)\"");
    request_.proxy_credentials = std::move(*credentials);
  }

  void own_certificate(const yaml::Reader& reader) {
    yaml::Mapping map(reader);
    const auto file = map.value("file", yaml::Need::required);
    const auto key = map.value("key", yaml::Need::required);
    map.finish();
    if (!file || !key) return bad();
    request_.client_certificate = fields_.plain(*file).value_or("");
    request_.client_key = fields_.plain(*key).value_or("");
  }

  void bad() { good_ = false; }
  void bad(const yaml::Reader& reader, std::string why, std::string help = {}) {
    fields_.mistake(reader, std::move(why), std::move(help));
    good_ = false;
  }

  Fields& fields_;
  HttpRequest request_;
  bool good_ = true;
};

}  // namespace

std::optional<Request> read_http(Fields& fields, const yaml::Reader& value, const std::string& method) {
  return HttpReader(fields, method).read(value);
}

}  // namespace staithe::checks
