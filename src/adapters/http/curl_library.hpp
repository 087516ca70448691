#pragma once
#include <curl/curl.h>

namespace staithe::http {

/// libcurl's functions, by their names without "curl_". The library is loaded when it is first asked for: it
/// brings twenty others, and linked to the program it would make up half of the time that every start takes.
class CurlLibrary {
 public:
  /// Throws base::Error{unavailable} when libcurl is not there or too old. Stays loaded to the end of the
  /// process, because other threads may be inside. Thread safe.
  static const CurlLibrary& get();

  decltype(&::curl_global_init) global_init;
  decltype(&::curl_easy_init) easy_init;
  decltype(&::curl_easy_cleanup) easy_cleanup;
  decltype(&::curl_easy_reset) easy_reset;
  decltype(&::curl_easy_setopt) easy_setopt;
  decltype(&::curl_easy_getinfo) easy_getinfo;
  decltype(&::curl_easy_strerror) easy_strerror;
  decltype(&::curl_multi_init) multi_init;
  decltype(&::curl_multi_cleanup) multi_cleanup;
  decltype(&::curl_multi_add_handle) multi_add_handle;
  decltype(&::curl_multi_remove_handle) multi_remove_handle;
  decltype(&::curl_multi_perform) multi_perform;
  decltype(&::curl_multi_poll) multi_poll;
  decltype(&::curl_multi_info_read) multi_info_read;
  decltype(&::curl_multi_strerror) multi_strerror;
  decltype(&::curl_slist_append) slist_append;
  decltype(&::curl_slist_free_all) slist_free_all;

 private:
  CurlLibrary();
};

inline const CurlLibrary& curl() {
  return CurlLibrary::get();
}

}  // namespace staithe::http
