/* What checks cost at the least: GETs by libcurl in one process, on one connection or on a new one each, and nothing
 * but the status and a substring of the body looked at. Usage: libcurl URL COUNT [fresh]
 * Authorities are looked up by their hash: to read the whole bundle would be 30 ms for each connection. */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct Body {
  char text[4096];
  size_t size;
};

static size_t keep(char *bytes, size_t size, size_t count, void *to) {
  struct Body *body = to;
  size_t more = size * count;
  if (body->size + more >= sizeof body->text) return 0;
  memcpy(body->text + body->size, bytes, more);
  body->size += more;
  body->text[body->size] = '\0';
  return more;
}

int main(int count, char **words) {
  CURL *easy;
  long number, wanted;
  if (count < 3 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK || (easy = curl_easy_init()) == NULL) return 2;
  wanted = strtol(words[2], NULL, 10);
  for (number = 0; number < wanted; ++number) {
    struct Body body = {"", 0};
    long status = 0;
    char url[512];
    snprintf(url, sizeof url, "%s/%ld", words[1], number);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL);
    curl_easy_setopt(easy, CURLOPT_CAPATH, "/etc/ssl/certs");
    curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, count > 3 ? 1L : 0L);
    curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, count > 3 ? 1L : 0L);
    if (curl_easy_perform(easy) != CURLE_OK) return 1;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200 || strstr(body.text, "\"ok\"") == NULL) return 1;
  }
  curl_easy_cleanup(easy);
  curl_global_cleanup();
  return 0;
}
