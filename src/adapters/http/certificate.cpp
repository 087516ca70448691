#include "curl_handles.hpp"

#include "staithe/base/text.hpp"
#include "staithe/http/client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

namespace staithe::http {
namespace {

using base::Duration;
using base::Error;
using base::ErrorCode;

enum class Trust { verified, nothing };

struct Handshake {
  CURLcode code = CURLE_OK;
  long verdict = 0;  ///< X509_V_*
  std::string text;
  Certificate certificate;
};

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

/// "DNS:a.example, IP Address:127.0.0.1" to its names.
std::vector<std::string> names_of(std::string_view text) {
  std::vector<std::string> names;
  for (const auto& part : base::split(text, ',')) {
    const auto trimmed = base::trim(part);
    for (const std::string_view kind : {"DNS:", "IP Address:"})
      if (trimmed.starts_with(kind)) names.emplace_back(base::trim(trimmed.substr(kind.size())));
  }
  return names;
}

void read_leaf(CURL* easy, Certificate& certificate) {
  curl_certinfo* chain = nullptr;
  if (curl().easy_getinfo(easy, CURLINFO_CERTINFO, &chain) != CURLE_OK || chain == nullptr ||
      chain->num_of_certs < 1)
    return;
  for (const auto* entry = chain->certinfo[0]; entry != nullptr; entry = entry->next) {
    const std::string_view line(entry->data);
    const auto value = [&](std::string_view name, std::string& into) {
      if (line.size() > name.size() && line.starts_with(name) && line[name.size()] == ':')
        into = base::printable(line.substr(name.size() + 1));
    };
    std::string names;
    value("Subject", certificate.subject);
    value("Issuer", certificate.issuer);
    value("Start date", certificate.not_before);
    value("Expire date", certificate.not_after);
    value("X509v3 Subject Alternative Name", names);
    if (!names.empty()) certificate.names = names_of(names);
  }
}

class Shaking {
 public:
  Shaking(const CertificateRequest& request, Trust trust) : multi_(new_multi()), easy_(new_easy()) {
    name_ = request.server_name.empty() ? request.host : request.server_name;
    url_ = fmt::format("https://{}:{}/", bracketed(name_), request.port);
    const auto where = request.connect_to.empty()
                           ? fmt::format("{}:{}", bracketed(request.host), request.port)
                           : request.connect_to;
    connect_to_.add("::" + where);
    const auto set = [&](CURLoption option, auto value) { curl().easy_setopt(easy_.get(), option, value); };
    set(CURLOPT_URL, url_.c_str());
    set(CURLOPT_CONNECT_ONLY, 1L);
    set(CURLOPT_CONNECT_TO, connect_to_.get());
    set(CURLOPT_CERTINFO, 1L);
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_QUICK_EXIT, 1L);
    set(CURLOPT_PROXY, "");
    set(CURLOPT_ERRORBUFFER, error_.data());
    set(CURLOPT_TIMEOUT_MS, static_cast<long>(std::max(request.timeout, Duration{1}).count()));
    trust_authorities(easy_.get(), request.ca_file);
    if (trust == Trust::nothing) {
      set(CURLOPT_SSL_VERIFYPEER, 0L);
      set(CURLOPT_SSL_VERIFYHOST, 0L);
    }
  }

  Handshake shake(const base::Scope& scope) {
    curl().multi_add_handle(multi_.get(), easy_.get());
    Handshake result;
    const auto begun = std::chrono::steady_clock::now();
    for (int running = 1; running > 0;) {
      curl().multi_perform(multi_.get(), &running);
      if (running == 0) break;
      if (scope.cancelled() || scope.expired()) {
        curl().multi_remove_handle(multi_.get(), easy_.get());
        scope.check("a TLS handshake");
      }
      curl_waitfd stop{};
      if (scope.cancel != nullptr) stop = {scope.cancel->fd(), CURL_WAIT_POLLIN, 0};
      const auto rest = std::clamp(scope.left(), Duration{1}, Duration{1'000});
      curl().multi_poll(multi_.get(), &stop, scope.cancel != nullptr ? 1 : 0, static_cast<int>(rest.count()),
                        nullptr);
    }
    int left = 0;
    if (const CURLMsg* message = curl().multi_info_read(multi_.get(), &left))
      result.code = message->data.result;
    curl().easy_getinfo(easy_.get(), CURLINFO_SSL_VERIFYRESULT, &result.verdict);
    result.text = error_[0] != '\0' ? error_.data() : curl().easy_strerror(result.code);
    result.certificate.duration =
        std::chrono::duration_cast<Duration>(std::chrono::steady_clock::now() - begun);
    const char* address = nullptr;
    long port = 0;
    curl().easy_getinfo(easy_.get(), CURLINFO_PRIMARY_IP, &address);
    curl().easy_getinfo(easy_.get(), CURLINFO_PRIMARY_PORT, &port);
    if (address != nullptr) result.certificate.peer = fmt::format("{}:{}", bracketed(address), port);
    read_leaf(easy_.get(), result.certificate);
    curl().multi_remove_handle(multi_.get(), easy_.get());
    return result;
  }

 private:
  std::string name_, url_;
  List connect_to_;
  std::array<char, CURL_ERROR_SIZE> error_{};
  Multi multi_;
  Easy easy_;
};

/// Source: X509_V_ERR_* of OpenSSL's x509_vfy.h.
std::string reason(const Handshake& failed, const std::string& name) {
  switch (failed.verdict) {
    case 9:
      return "not valid yet";
    case 10:
      return "expired";
    case 18:
      return "signed by itself";
    case 19:
      return "its chain ends at an authority that is not trusted";
    case 2:
    case 20:
    case 21:
      return "issued by somebody who is not trusted, or an intermediate certificate is missing";
    case 0:
    case 1:
    case 62:
      return "it is for other names than " + name;
    default:
      return base::printable(failed.text);
  }
}

}  // namespace

Certificate certificate_of(const CertificateRequest& request, const base::Scope& scope) {
  if (request.host.empty() || request.host.find_first_of("/ \t\r\n@") != std::string::npos)
    throw Error(ErrorCode::invalid, "'" + base::printable(request.host) + "' is not a host");
  initialise();
  const auto place = fmt::format("TLS {}:{}", request.host, request.port);
  auto strict = Shaking(request, Trust::verified).shake(scope);
  if (strict.code == CURLE_OK) {
    strict.certificate.trusted = true;
    return std::move(strict.certificate);
  }
  if (strict.code != CURLE_PEER_FAILED_VERIFICATION)
    throw Error(code_of(strict.code), place + ": " + words_of(strict.code, strict.text));
  auto loose = Shaking(request, Trust::nothing).shake(scope);
  loose.certificate.duration = strict.certificate.duration;
  loose.certificate.why = reason(strict, request.server_name.empty() ? request.host : request.server_name);
  return std::move(loose.certificate);
}

}  // namespace staithe::http
