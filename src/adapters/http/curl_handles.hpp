#pragma once
#include "curl_library.hpp"

#include "staithe/base/cancel.hpp"
#include "staithe/base/error.hpp"

#include <memory>
#include <new>
#include <string>
#include <string_view>

/// What everything that uses libcurl shares.
namespace staithe::http {

struct FreeMulti {
  void operator()(CURLM* multi) const noexcept { curl().multi_cleanup(multi); }
};
struct FreeEasy {
  void operator()(CURL* easy) const noexcept { curl().easy_cleanup(easy); }
};
using Multi = std::unique_ptr<CURLM, FreeMulti>;
using Easy = std::unique_ptr<CURL, FreeEasy>;

/// Once for the process, on first use; never undone, because other threads may be inside. Throws
/// base::Error{unavailable} when there is no libcurl.
void initialise();
/// Both throw std::bad_alloc.
Multi new_multi();
Easy new_easy();

base::ErrorCode code_of(CURLcode code);
/// What libcurl says of a failure, printable; of a peer that answers a handshake with something else, what
/// that means.
std::string words_of(CURLcode code, std::string_view detail);

/// A PEM file, or the system's authorities: by directory alone, where there is one. With Debian's file every
/// new connection parses 145 certificates, which costs 20 times the handshake.
void trust_authorities(CURL* easy, const std::string& ca_file);

/// An append-only curl_slist.
class List {
 public:
  List() = default;
  List(const List&) = delete;
  List& operator=(const List&) = delete;
  ~List() { curl().slist_free_all(head_); }
  void add(const std::string& text) {
    curl_slist* longer = curl().slist_append(head_, text.c_str());
    if (longer == nullptr) throw std::bad_alloc();
    head_ = longer;
  }
  curl_slist* get() const noexcept { return head_; }

 private:
  curl_slist* head_ = nullptr;
};

}  // namespace staithe::http
