#include "secret_search.hpp"

#include "catch.hpp"
#include "spellings.hpp"

#include "staithe/base/redact.hpp"
#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <ctime>
#include <random>

using namespace staithe::base;

namespace {

/// What a search has to tell apart: spellings, cut anywhere, one behind the other.
std::string random_text(const std::vector<std::string>& secrets, std::mt19937& random) {
  static const std::vector<std::string> between{
      "\n", "\r\n", "\\n", "\\r\\n", "=\n",  "=\r\n", "\\",    "%",  "&",  "\"", "'",  "_",
      "+",  " ",    "=",   "%25",    "\\\\", "&amp;", "\\u00", "0x", ", ", ":",  "10", "k"};
  std::string text;
  const std::size_t pieces = 1 + random() % 6;
  for (std::size_t i = 0; i < pieces; ++i) {
    const auto& secret = secrets[random() % secrets.size()];
    std::string piece = random() % 3 == 0 ? base64(secret) : secret;
    std::string spelled;
    for (std::size_t at = 0; at < piece.size();) {
      const auto length = code_point_length(std::string_view(piece).substr(at));
      const auto unit = piece.substr(at, length);
      const auto spellings =
          length == 1 ? byte_spellings()[static_cast<unsigned char>(unit[0])] : spellings_of_code_point(unit);
      spelled += random() % 2 == 0 ? unit : spellings[random() % spellings.size()];
      if (random() % 12 == 0) spelled += between[random() % between.size()];
      at += length;
    }
    if (random() % 4 == 0) {
      spelled.clear();
      for (const char c : secret)
        spelled += random() % 2 == 0
                       ? fmt::format("{:02X}{}", static_cast<unsigned char>(c), random() % 3 == 0 ? ":" : "")
                       : fmt::format("{}, ", static_cast<unsigned char>(c));
    }
    const auto from = random() % 3 == 0 ? random() % spelled.size() : 0;
    text += spelled.substr(from, random() % 3 == 0 ? random() % spelled.size() : spelled.size());
    text += between[random() % between.size()];
  }
  if (random() % 2 == 0) text.resize(random() % text.size());
  return text;
}

/// A sanitizer makes each of them very slow, and sees in a few what there is to see.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int rounds_of_texts = 100;
#else
constexpr int rounds_of_texts = 400;
#endif

double seconds_for(const Redactor& redactor, const std::string& text) {
  const std::clock_t before = std::clock();
  CHECK(redactor.clean(text) == text);
  return static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
}

}  // namespace

TEST_CASE("The search finds what trying every form at every place finds", "[one-thread]") {
  std::mt19937 random(20261130);
  const std::vector<std::string> secrets{"k/'\"\\ %&<x", "héllo €uro 😀",       "é1é2", "a b_c+d",
                                         "sk_live_1",    "\x01\x02\x03\x04zz", "ab",   "'''''''",
                                         "10:48:52 x",   "line one\nline two"};
  SecretForms forms;
  for (const auto& secret : secrets) forms.add(secret);
  forms.add_word("nova");
  forms.ready();
  std::size_t found = 0;
  for (int round = 0; round < rounds_of_texts; ++round) {
    const auto text = random_text(secrets, random);
    SecretSearch open(forms, text, SecretSearch::Text::goes_on);
    SecretSearch whole(forms, text, SecretSearch::Text::whole);
    std::size_t next = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
      const char before = at > 0 ? text[at - 1] : '\0';
      const auto wanted = forms.try_all(text, at, before);
      const auto got = open.at(at, before);
      if (next < at || at == 0) next = open.next(at);
      const bool same = got.length == wanted.length && whole.at(at, before).length == wanted.length &&
                        (got.partial || !wanted.partial) &&
                        (next == at || (wanted.length == 0 && !wanted.partial));
      found += wanted.length > 0 ? 1 : 0;
      if (!same) {
        INFO(printable(text) << " at " << at);
        REQUIRE(got.length == wanted.length);
        REQUIRE(same);
      }
    }
  }
  CHECK(found > static_cast<std::size_t>(rounds_of_texts) / 4);
}

TEST_CASE("However many secrets there are, text goes by as fast", "[one-thread]") {
  std::mt19937 random(7);
  const auto word = [&] { return base64("s" + std::to_string(random()) + std::to_string(random())); };
  Redactor few, many;
  few.add(word());
  for (int i = 0; i < 200; ++i) many.add(word());
  std::string json, escaped;
  while (json.size() < 400'000)
    json +=
        fmt::format("{{\"created_at\": \"2026-11-30 10:{}\", \"total\": {}, \"name\": \"wine & cheese\"}},\n",
                    random() % 60, random() % 100'000);
  while (escaped.size() < 100'000)
    escaped += fmt::format("{{\\\"caf\\u00e9\\\": %7B\\\\n%22{}%22 &amp; &#233;\\n}}", random() % 100'000);
  for (const auto* text : {&json, &escaped}) {
    const auto one = seconds_for(few, *text), all = seconds_for(many, *text);
    WARN(text->size() << " bytes past 1 and past 200 secrets: " << one << " s, " << all << " s");
    CHECK(all < 5 * one + 0.05);
  }
}
