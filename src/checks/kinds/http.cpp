#include "kinds.hpp"
#include "kinds/http_fields.hpp"

#include <array>

/// One kind for each method: the verb is the key.
namespace staithe::checks {
namespace {

constexpr std::array<std::string_view, 15> http_subjects{"status",    "time",    "size",  "http", "header.",
                                                         "json",      "json.",   "json ", "xml ", "body",
                                                         "redirects", "success", "p50",   "p95",  "p99"};
constexpr std::string_view manual =
    R"(An HTTP request to a URL, or to a path below the suite's target.

headers             a mapping; names as in RFC 9110
json, form, body    what is sent: a tree, fields, or text
auth                basic USER:PASSWORD, bearer TOKEN, or none
follow              how many redirects are followed; 0 unless said otherwise
                    301, 302 and 303 are followed without the body, and a POST as GET; others with the same
                    method and body
                    to another origin (scheme, host or port) goes a GET or HEAD, also one that a POST has become,
                    with no header of ours but Accept, Accept-Language, Accept-Encoding, Content-Type and
                    User-Agent; one that would send any other method or a body there is a failure
connect_to          HOST:PORT to connect to in the place of what the URL names: round the balancer
proxy               http://HOST:PORT of a proxy to go through, or none; the environment's is never used
                    one that takes the connection and stays silent is a failure: it may be waiting for the server
proxy_auth          USER:PASSWORD for it; a mistake where there is no proxy to give it to
ca                  a PEM file instead of the system's certificates
certificate         {file: PEM, key: PEM}, our own
Expectations: status, time, size, http (the version), header.NAME, json.PATH, "json $.QUERY", "xml XPATH",
body, redirects; with sample also success, p50, p95 and p99.)";

template <const char* method>
std::optional<Request> parse_http(Fields& fields, const yaml::Reader& value) {
  return read_http(fields, value, method);
}
constexpr char get[] = "GET", post[] = "POST", put[] = "PUT", patch[] = "PATCH", erase[] = "DELETE",
               head[] = "HEAD";

}  // namespace

const Kind get_kind{"get",    "GET a URL",    "get: /health\nexpect: 200", manual, http_subjects,
                    "status", parse_http<get>};
const Kind post_kind{"post",
                     "POST to a URL",
                     "post: /cards\njson: {number: \"4111\"}\nexpect: {status: 201, json.id: matches ^CC}",
                     "As get.",
                     http_subjects,
                     "status",
                     parse_http<post>};
const Kind put_kind{"put",          "PUT to a URL", "put: /cards/1\nbody: hello\nexpect: 2xx",
                    "As get.",      http_subjects,  "status",
                    parse_http<put>};
const Kind patch_kind{"patch",          "PATCH a URL", "patch: /cards/1\njson: {state: closed}\nexpect: 200",
                      "As get.",        http_subjects, "status",
                      parse_http<patch>};
const Kind delete_kind{"delete",         "DELETE a URL", "delete: /cards/1\nexpect: [200, 204]",
                       "As get.",        http_subjects,  "status",
                       parse_http<erase>};
const Kind head_kind{"head",   "HEAD of a URL", "head: /logo.png\nexpect: 200", "As get.", http_subjects,
                     "status", parse_http<head>};

}  // namespace staithe::checks
