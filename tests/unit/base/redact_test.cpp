#include "staithe/base/redact.hpp"

#include "catch.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <random>
#include <thread>
#include <vector>

using staithe::base::base64;
using staithe::base::RedactingStream;
using staithe::base::Redactor;

namespace {

std::string percent(std::string_view text, std::string_view kept) {
  std::string result;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || kept.find(c) != std::string_view::npos)
      result += c;
    else
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  return result;
}

std::string hex(std::string_view text) {
  std::string result;
  for (const char c : text) result += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return result;
}

std::string url_safe(std::string text) {
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string wrapped(const std::string& text, std::size_t width, const char* line_break = "\n") {
  std::string result;
  for (std::size_t at = 0; at < text.size(); at += width)
    result += text.substr(at, width) + (at + width < text.size() || *line_break == '\n' ? line_break : "");
  return result;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Each byte by a format, with something between them.
std::string bytes(std::string_view text, const char* format, std::string_view between = "") {
  std::string result;
  for (const char c : text) {
    char number[16];
    // NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): formats of this file
    std::snprintf(number, sizeof number, format, static_cast<unsigned>(static_cast<unsigned char>(c)));
    result += (result.empty() ? "" : std::string(between)) + number;
  }
  return result;
}

std::string base32(std::string_view text) {
  std::string bits, result;
  for (const char c : text)
    for (int bit = 7; bit >= 0; --bit) bits += (static_cast<unsigned char>(c) >> bit & 1) != 0 ? '1' : '0';
  while (bits.size() % 5 != 0) bits += '0';
  for (std::size_t at = 0; at < bits.size(); at += 5)
    result += "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[std::stoul(bits.substr(at, 5), nullptr, 2)];
  return result;
}

/// As a program of the world outside would write the secret.
/// UTF-8 that was read byte by byte, and written as UTF-8.
std::string as_latin(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const auto value = static_cast<unsigned>(static_cast<unsigned char>(c));
    if (value < 0x80)
      result += c;
    else
      result += {static_cast<char>(0xC0U | value >> 6U), static_cast<char>(0x80U | (value & 0x3FU))};
  }
  return result;
}

std::vector<std::string> forms_of(const std::string& secret) {
  const std::string json = nlohmann::json(secret).dump();
  const std::string ascii = nlohmann::json(secret).dump(-1, ' ', true);
  const std::string misread = nlohmann::json(as_latin(secret)).dump(-1, ' ', true);
  std::string upper = hex(secret);
  for (char& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return {secret,
          percent(secret, "-._~"),
          percent(secret, "-_.!~*'()/:@"),
          json.substr(1, json.size() - 2),
          ascii.substr(1, ascii.size() - 2),
          hex(secret),
          upper,
          base64(secret),
          url_safe(base64(secret)),
          percent(base64(secret), ""),
          staithe::base::shell_quote(secret),
          bytes(secret, "%02x", ":"),
          bytes(secret, "%02X", " "),
          bytes(secret, "%02X", "-"),
          bytes(secret, "%02x", ", 0x"),
          bytes(secret, "%u", ","),
          bytes(secret, "%u", ", "),
          bytes(secret, "%u", ",\n      "),
          bytes(secret, "\\%03o"),
          bytes(secret, "\\0%03o"),
          bytes(secret, "=%02X"),
          wrapped(bytes(secret, "=%02X"), 12, "=\r\n"),
          base32(secret),
          lower(base32(secret)),
          base64(base64(secret)),
          url_safe(base64(url_safe(base64(secret)))),
          base64(percent(secret, "-._~")),
          as_latin(secret),
          percent(as_latin(secret), "-._~"),
          misread.substr(1, misread.size() - 2),
          base64(as_latin(secret))};
}

std::string in_pieces(const Redactor& redactor, std::string_view text, std::mt19937& random) {
  RedactingStream stream(redactor);
  std::string result;
  while (!text.empty()) {
    const std::size_t size = std::min<std::size_t>(text.size(), 1 + random() % 5);
    result += stream.push(text.substr(0, size));
    text.remove_prefix(size);
  }
  return result + stream.finish();
}

/// A sanitizer makes each of them very slow, and sees in a few what there is to see.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int rounds_of_secrets = 10;
#else
constexpr int rounds_of_secrets = 60;
#endif

/// Code points that escape in different ways, among them 2-, 3- and 4-byte ones.
std::string random_secret(std::mt19937& random) {
  static const std::vector<std::string> letters{"a", "B", "7", "'", "\"", "\\", "/",  "%",
                                                "&", "<", " ", "+", "=",  "$",  "\t", "-",
                                                "é", "€", "😀", "x", "q",  ";",  "!",  "#"};
  std::string secret = "k";
  const std::size_t length = 5 + random() % 20;
  for (std::size_t index = 0; index < length; ++index) secret += letters[random() % letters.size()];
  return secret + "z";
}

}  // namespace

TEST_CASE("A secret whose UTF-8 was read as something else is replaced") {
  Redactor redactor;
  redactor.add("größe€99");
  CHECK(redactor.clean("a grÃ¶ÃŸeâ‚¬99 b") == "a *** b");  // as Windows-1252
  CHECK(redactor.clean("a gr\\u00c3\\u00b6\\u00c3\\u009fe\\u00e2\\u0082\\u00ac99 b") == "a *** b");
  CHECK(redactor.clean("größe99") == "größe99");
  redactor.add("pässword");
  CHECK(redactor.clean("p\xe4ssword p%E4ssword cORzc3dvcmQ=") == "*** *** ***");
}

TEST_CASE("Many parts are held at once, and let go") {
  Redactor redactor;
  std::vector<Redactor::Hold> held;
  redactor.hold_parts(std::vector<std::string>{"first-token", "second-token", "ab", ""}, held);
  CHECK(held.size() == 2);
  CHECK(redactor.clean("first-token second-token ab") == "*** *** ab");
}

TEST_CASE("A secret in escapes that are padded, or of other languages, is replaced") {
  Redactor redactor;
  redactor.add("it's-Secret");
  CHECK(redactor.clean("[it&#039;s-Secret it&#x0027;s-Secret it%u0027s-Secret it\\u{27}s-Secret]") ==
        "[*** *** *** ***]");
  std::string decimal, numbers;
  for (const unsigned char c : std::string("it's-Secret")) {
    decimal += fmt::format("&#{:05};", c);
    numbers += fmt::format("{:03} ", c);
  }
  CHECK(redactor.clean("[" + decimal + "]") == "[***]");
  CHECK(redactor.clean("[" + numbers + "]") == "[*** ]");
}

TEST_CASE("Every form of a secret is replaced, in one text and in pieces", "[one-thread]") {
  std::mt19937 random(20240607);
  for (int round = 0; round < rounds_of_secrets; ++round) {
    Redactor redactor;
    const std::string secret = random_secret(random);
    const std::string other = random_secret(random);
    redactor.add(secret);
    redactor.add(other);
    for (const std::string& which : {secret, other})
      for (const std::string& form : forms_of(which)) {
        INFO("secret " << which << " form " << form);
        const std::string cleaned = redactor.clean("[" + form + "]");
        const bool quoted = form.front() == '\'';
        CHECK(cleaned == (quoted ? "['***']" : "[***]"));
        CHECK(in_pieces(redactor, "[" + form + "]", random) == cleaned);
      }
  }
}

TEST_CASE("A secret inside encoded text is replaced whatever stands around it") {
  Redactor redactor;
  const std::string secret = "S3cret-pass/word";
  redactor.add(secret);
  for (std::size_t before = 0; before < 7; ++before)
    for (std::size_t after = 0; after < 7; ++after) {
      const std::string encoded = base64(std::string(before, 'u') + secret + std::string(after, 'v'));
      const std::string cleaned = redactor.clean("Basic " + encoded);
      CHECK_THAT(cleaned, ContainsSubstring("***"));
      // At each border one character may hold bits of both sides.
      const std::size_t own = (before + secret.size()) * 8 / 6 - (before * 8 + 5) / 6;
      CHECK(cleaned.size() <= std::string("Basic ***").size() + encoded.size() - own);
    }
  CHECK(redactor.clean("Basic " + base64("user:" + secret)) == "Basic dXNlcjp***");
}

TEST_CASE("What is encoded twice, or in base32, is replaced whatever stands around it") {
  Redactor redactor;
  const std::string secret = "S3cret-pass/word";
  redactor.add(secret);
  for (std::size_t before = 0; before < 7; ++before)
    for (std::size_t after = 0; after < 7; ++after) {
      const auto text = std::string(before, 'u') + secret + std::string(after, 'v');
      CAPTURE(before, after);
      for (const auto& encoded : {base64(base64(text)), base32(text)}) {
        const auto cleaned = redactor.clean("Basic " + encoded);
        CHECK_THAT(cleaned, ContainsSubstring("***"));
        // Of the secret's own characters at most one at each border is left, and it holds bits of both sides.
        const std::size_t own = encoded.size() * secret.size() / (text.size() + 2);
        CHECK(cleaned.size() <= std::string("Basic ***").size() + encoded.size() - own + 5);
      }
    }
}

TEST_CASE("A part of a secret is found as a secret, and a short one only as a word") {
  Redactor redactor;
  redactor.add_part("hunter2");
  redactor.add_part("nova");
  redactor.add_part("a");
  redactor.add_part("app");
  CHECK(redactor.clean("xhunter2y " + base64("hunter2")) == "x***y ***");
  CHECK(redactor.clean("nova: (nova) nova") == "***: (***) ***");
  CHECK(redactor.clean("innovation supernova nova_1 nova2 nov\xC3\xA1 a app apple") ==
        "innovation supernova nova_1 nova2 nov\xC3\xA1 a app apple");
  std::mt19937 random(3);
  for (int round = 0; round < 30; ++round)
    CHECK(in_pieces(redactor, "supernova, nova novae nova", random) == "supernova, *** novae ***");
  {
    const auto hold = redactor.hold_part("pico");
    CHECK(redactor.clean("picos pico") == "picos ***");
  }
  // What is a secret in its own right is found everywhere, whatever it was before.
  redactor.add("nova");
  CHECK(redactor.clean("supernova") == "super***");
}

TEST_CASE("The half of credentials that is a secret") {
  using staithe::base::secret_half;
  CHECK(secret_half("smoke:p4ss:w0rd") == "p4ss:w0rd");
  CHECK(secret_half("sk_live_1:") == "sk_live_1");
  CHECK(secret_half("sk_live_1") == "sk_live_1");
  CHECK(secret_half(":p") == "p");
}

TEST_CASE("Many secrets with all their forms leave other text alone, quickly", "[one-thread]") {
  Redactor redactor;
  for (int i = 0; i < 100; ++i) redactor.add(base64("secret number " + std::to_string(i * 7919)) + "/x");
  std::mt19937 random(11);
  std::string text;
  while (text.size() < 1'000'000) text += base64(std::to_string(random()) + "other") + "\n";
  const std::clock_t before = std::clock();
  CHECK(redactor.clean(text) == text);
  const auto seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  WARN("1 MB past 100 secrets: " << seconds << " s");
  CHECK(seconds < 20);  // a tenth of a second without a sanitizer
}

TEST_CASE("Base64 broken into lines is replaced") {
  Redactor redactor;
  std::string secret;
  for (int index = 0; index < 40; ++index) secret += fmt::format("key{:03}", index);
  redactor.add(secret);
  for (const std::size_t width : {76U, 64U, 7U})
    CHECK(redactor.clean(wrapped(base64(secret), width)) == "***\n");
}

TEST_CASE("Other text passes as it is") {
  Redactor redactor;
  CHECK(redactor.clean("anything") == "anything");
  CHECK(redactor.knows_none());
  redactor.add("hunter2-long");
  CHECK_FALSE(redactor.knows_none());
  redactor.add("");
  redactor.add(" \n");
  const std::string text = "hunter2 hunter3 100% \\n \\u00e9 hunter2-lon 6875 aHVudGVy\xff\n\0x";
  CHECK(redactor.clean(text) == text);
}

TEST_CASE("Short secrets are replaced only as they are") {
  Redactor redactor;
  redactor.add("a&b");
  CHECK(redactor.clean("xa&by a&amp;b a%26b YSZi") == "x***y a&amp;b a%26b YSZi");
}

TEST_CASE("Overlapping, nested and adjacent secrets leave nothing") {
  Redactor redactor;
  redactor.add("abcdefgh");
  redactor.add("efghijkl");
  redactor.add("abcd");
  CHECK(redactor.clean("<abcdefghijkl>") == "<***>");
  CHECK(redactor.clean("<abcdefgh>") == "<***>");
  CHECK(redactor.clean("<abcdabcd>") == "<******>");
  CHECK(redactor.clean("<abcdef>") == "<***ef>");
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round)
    CHECK(in_pieces(redactor, "<abcdefghijkl> abcdabcdef", random) == "<***> ******ef");
}

TEST_CASE("A secret of several lines is found whole, line by line, and without its last line break") {
  Redactor redactor;
  redactor.add("-----BEGIN KEY-----\nMIIEvQIBADANBg\nshort\n-----END KEY-----\n");
  CHECK(redactor.clean("MIIEvQIBADANBg short") == "*** short");
  CHECK(redactor.clean("x-----BEGIN KEY-----\r\nMIIEvQIBADANBg\r\nshort\r\n-----END KEY-----y") == "x***y");
  CHECK(redactor.clean("\"-----BEGIN KEY-----\\nMIIEvQIBADANBg\\nshort\\n-----END KEY-----\\n\"") ==
        "\"***\\n\"");
}

TEST_CASE("A stream holds back only what may be a secret") {
  Redactor redactor;
  redactor.add("secret-value");
  RedactingStream stream(redactor);
  CHECK(stream.push("hello sec") == "hello ");
  CHECK(stream.push("ond secret-val") == "second ");
  CHECK(stream.push("ue!") == "***!");
  CHECK(stream.push("\nsecret-") == "\n");
  CHECK(stream.finish() == "secret-");
  CHECK(stream.finish().empty());
}

TEST_CASE("A secret that can be spelled in very many ways does not make it slow", "[one-thread][volume]") {
  Redactor redactor;
  redactor.add(std::string(40, '\''));
  redactor.add(std::string(300, 'A'));
  const std::clock_t before = std::clock();
  CHECK(redactor.clean(std::string(4000, '\'') + std::string(4000, 'A') + "B").size() < 1000);
  // About one second; thirty times that where the same quotes are looked at once for each way to read them.
  CHECK(std::clock() - before < 5 * CLOCKS_PER_SEC);
}

namespace {

std::string times(std::string_view text, std::size_t count) {
  std::string made;
  for (std::size_t i = 0; i < count; ++i) made += text;
  return made;
}

}  // namespace

TEST_CASE("Of a secret that repeats itself nothing is left, in any form") {
  for (const auto& secret : {times("a", 100), times("ab", 60), times("abc", 40) + "Z", times("\xc3\xa9", 50),
                             times("a", 40) + times("b", 40), times(times("a", 20) + "b", 9),
                             "start" + times("xy", 50), times("0123456789abcdefghij", 5) + "01"}) {
    Redactor redactor;
    redactor.add(secret);
    for (const auto& form : forms_of(secret)) {
      INFO("secret " << secret << " form " << form);
      auto left = redactor.clean("[" + form + "]");
      for (auto at = left.find("***"); at != std::string::npos; at = left.find("***", at)) left.erase(at, 3);
      // What stands between numbers or breaks lines.
      CHECK(left.find_first_not_of("[]', :-\n\r=0x") == std::string::npos);
    }
    CHECK(redactor.clean("<" + secret.substr(0, 12) + ">") == "<" + secret.substr(0, 12) + ">");
  }
}

TEST_CASE("A secret that repeats itself takes time that grows with the text", "[one-thread][volume]") {
  for (const auto& piece : {times("a", 1), times("ab", 1), times("=", 1), times("\\", 1), times("%", 1),
                            times("0", 1), times("a", 999) + "b", times(times("a", 30) + "b", 40) + "c"}) {
    // Backslashes are read in so many ways that each place takes a tenth of a millisecond.
    const auto secret = times(piece, (piece == "\\" ? 2'000 : 20'000) / piece.size());
    Redactor redactor;
    redactor.add(secret);
    for (const auto& form : {secret, percent(secret, ""), hex(secret), base64(secret)}) {
      const std::clock_t before = std::clock();
      CHECK(redactor.clean("[" + form + form + "]").size() < form.size() / 10);
      const auto seconds = static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
      CAPTURE(piece.substr(0, 4), form.substr(0, 8), seconds);
      CHECK(seconds < 4);
    }
  }
}

TEST_CASE("Secrets may be added while others read") {
  Redactor redactor;
  redactor.add("first-secret");
  std::thread writer([&] {
    for (int index = 0; index < 50; ++index) redactor.add(fmt::format("secret-number-{}", index));
  });
  bool clean = true;
  for (int index = 0; index < 200; ++index) clean = clean && redactor.clean("a first-secret b") == "a *** b";
  writer.join();
  CHECK(clean);
  CHECK(redactor.clean("secret-number-7") == "***");
}

TEST_CASE("Of a long text as much is cleaned as is shown, and the border is no way out",
          "[one-thread][volume]") {
  Redactor redactor;
  const std::string secret = "open sesame 7";
  redactor.add(secret);
  for (std::size_t before = 4070; before < 4110; ++before) {
    const auto text = std::string(before, '-') + secret + std::string(1'000'000, '-');
    for (const std::size_t enough : {std::size_t{10}, before - 2, before, before + 2, before + 100}) {
      CAPTURE(before, enough);
      const auto front = redactor.clean_front(text, enough);
      CHECK(front.size() > enough);
      CHECK(front.size() < 100'000);
      CHECK(redactor.clean(text).starts_with(front));
    }
  }
  std::string many;
  for (int i = 0; i < 5000; ++i) many += secret + " ";
  CHECK(redactor.clean_front(many, 200).size() < 2000);
  CHECK(redactor.clean_front(many, 100'000) == redactor.clean(many));
  CHECK(redactor.clean_front("", 10).empty());
  CHECK(redactor.clean_front(secret, 10) == "***");
}

TEST_CASE("That many secrets are let go at once takes no time that grows with their square",
          "[one-thread][volume]") {
  Redactor redactor;
  const auto seconds = [&](int count) {
    std::vector<std::string> secrets;
    for (int i = 0; i < count; ++i) secrets.push_back(fmt::format("token-number-{:06}", i));
    std::vector<Redactor::Hold> held;
    redactor.hold_parts(secrets, held);
    const auto begun = std::chrono::steady_clock::now();
    held.clear();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
  };
  (void)seconds(500);
  const double few = seconds(500), many = seconds(4000);
  CAPTURE(few, many);
  CHECK(many < 25 * few);
}

TEST_CASE("A secret that rotates is forgotten when others have long taken its place, and not before",
          "[one-thread][volume]") {
  Redactor redactor;
  redactor.add("for-good-secret");
  const auto used = redactor.hold("still-in-use");
  auto first = std::make_unique<Redactor::Hold>(redactor.hold("shared-token"));
  auto second = std::make_unique<Redactor::Hold>(redactor.hold("shared-token"));
  for (int i = 0; i < 1000; ++i) {
    const auto hold = redactor.hold(fmt::format("token-number-{:04}", i));
    CHECK(redactor.clean(fmt::format("token-number-{:04}", i)) == "***");
  }
  for (const char* known :
       {"for-good-secret", "still-in-use", "shared-token", "token-number-0999", "token-number-0936"})
    CHECK(redactor.clean(known) == "***");
  // Otherwise a year of them would be kept, and looked for in every line.
  std::size_t left = 0;
  for (int i = 0; i < 1000; ++i)
    left += redactor.clean(fmt::format("token-number-{:04}", i)) == "***" ? 1 : 0;
  CHECK(left <= 128);
  CHECK(redactor.clean("token-number-0000") == "token-number-0000");

  // What two have held is in use until both have let it go, and is known for good when somebody says so.
  first.reset();
  redactor.add("still-in-use");
  for (int i = 1000; i < 2000; ++i) (void)redactor.hold(fmt::format("token-number-{}", i));
  CHECK(redactor.clean("shared-token") == "***");
  second.reset();
  for (int i = 2000; i < 3000; ++i) (void)redactor.hold(fmt::format("token-number-{}", i));
  CHECK(redactor.clean("shared-token") == "shared-token");
  CHECK(redactor.clean("still-in-use") == "***");
}
