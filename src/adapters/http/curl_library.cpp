#include "curl_library.hpp"

#include "staithe/base/error.hpp"

#include <dlfcn.h>

namespace staithe::http {
namespace {

using base::Error;
using base::ErrorCode;

/// Of the interface that <curl/curl.h> declares, in every release since 2006.
constexpr const char* file = "libcurl.so.4";

Error unusable() {
  const char* reason = ::dlerror();
  return {ErrorCode::unavailable,
          std::string("libcurl cannot be loaded: ") + (reason == nullptr ? "" : reason)};
}

template <typename Function>
void find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(::dlsym(library, name));
  if (function == nullptr) throw unusable();
}

}  // namespace

const CurlLibrary& CurlLibrary::get() {
  static const CurlLibrary library;
  return library;
}

CurlLibrary::CurlLibrary() {
  void* library = ::dlopen(file, RTLD_LAZY | RTLD_LOCAL);
  if (library == nullptr) throw unusable();
  find(library, "curl_global_init", global_init);
  find(library, "curl_easy_init", easy_init);
  find(library, "curl_easy_cleanup", easy_cleanup);
  find(library, "curl_easy_reset", easy_reset);
  find(library, "curl_easy_setopt", easy_setopt);
  find(library, "curl_easy_getinfo", easy_getinfo);
  find(library, "curl_easy_strerror", easy_strerror);
  find(library, "curl_multi_init", multi_init);
  find(library, "curl_multi_cleanup", multi_cleanup);
  find(library, "curl_multi_add_handle", multi_add_handle);
  find(library, "curl_multi_remove_handle", multi_remove_handle);
  find(library, "curl_multi_perform", multi_perform);
  find(library, "curl_multi_poll", multi_poll);
  find(library, "curl_multi_info_read", multi_info_read);
  find(library, "curl_multi_strerror", multi_strerror);
  find(library, "curl_slist_append", slist_append);
  find(library, "curl_slist_free_all", slist_free_all);
}

}  // namespace staithe::http
