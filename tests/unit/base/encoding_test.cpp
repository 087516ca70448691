#include "catch.hpp"

#include "staithe/base/text.hpp"

using namespace staithe::base;

TEST_CASE("UTF-8 sequences are judged by the Unicode table") {
  CHECK(utf8_sequence("") == 0);
  CHECK(utf8_sequence("a") == 1);
  CHECK(utf8_sequence("\xC3\xA9x") == 2);
  CHECK(utf8_sequence("\xE2\x82\xAC") == 3);
  CHECK(utf8_sequence("\xF0\x9F\x98\x80") == 4);
  for (const char* wrong :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xC3(", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xE2\x82",
        "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82("})
    CHECK(utf8_sequence(wrong) == 0);
  CHECK(is_utf8("na\xC3\xAFve"));
  CHECK_FALSE(is_utf8("na\xEFve"));
  CHECK(code_points("na\xC3\xAFve \xF0\x9F\x98\x80") == 7);
}

TEST_CASE("printable removes what could act on a terminal") {
  CHECK(printable("plain \xC3\xA9\ttext\n") == "plain \xC3\xA9\ttext\n");
  CHECK(printable("\x1b[31mred\x1b[0m") == "red");
  CHECK(printable("\x1b[?25l\x1b[2J\x1b[1;1Hx") == "x");
  CHECK(printable("\x1b]0;title\ax") == "x");
  CHECK(printable("\x1b]8;;http://e\x1b\\link\x1b]8;;\x1b\\") == "link");
  CHECK(printable("\x1bPq#0\x1b\\x") == "x");
  CHECK(printable("\x1b(Bx\x1b"
                  "7y\x1b=z") == "xyz");
  CHECK(printable("a\x07"
                  "b\x08"
                  "c\x7f"
                  "d\x0b") == "abcd");
  CHECK(printable(std::string_view("a\0b", 3)) == "ab");
  CHECK(printable("x\xC2\x9B"
                  "31my\xC2\x85z") == "x31myz");
  CHECK(printable("\xC2\xA0") == "\xC2\xA0");
  CHECK(printable("x\x1b") == "x");
  CHECK(printable("x\x1b[") == "x");
}

TEST_CASE("printable: an unfinished sequence cannot swallow the next line") {
  CHECK(printable("\x1b]0;evil\nimportant") == "\nimportant");
  CHECK(printable("\x1b[12\nimportant") == "\nimportant");
  CHECK(printable("\x1b]0;a\x1b[31mb") == "b");
  CHECK(printable("\x1b\nx") == "\nx");
}

TEST_CASE("printable settles line ends and broken bytes") {
  CHECK(printable("a\r\nb\rc\r\r\nd\r") == "a\nb\nc\n\nd\n");
  CHECK(printable("a\xFF"
                  "b") ==
        "a\xEF\xBF\xBD"
        "b");
  // One mark for the longest well-begun part (Unicode 15, 3.9 "U+FFFD substitution of maximal subparts").
  CHECK(printable("\xF0\x9F\x98(") == "\xEF\xBF\xBD(");
  CHECK(printable("\xE2\x82") == "\xEF\xBF\xBD");
  CHECK(printable("\xC0\x80") == "\xEF\xBF\xBD\xEF\xBF\xBD");
  CHECK(printable("\xE2\x1b[31mx") == "\xEF\xBF\xBDx");
}

TEST_CASE("printable yields nothing but text, whatever the bytes") {
  std::string bytes;
  unsigned state = 1;
  for (int i = 0; i < 200'000; ++i) {
    state = state * 1664525U + 1013904223U;
    bytes += static_cast<char>(static_cast<unsigned char>(state >> 24U));
  }
  const std::string text = printable(bytes);
  CHECK(is_utf8(text));
  CHECK(printable(text) == text);
  bool controls = false;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    controls = controls || (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F;
  }
  CHECK_FALSE(controls);
}

TEST_CASE("SHA-256 by the vectors of FIPS 180-4") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("base64 by the vectors of RFC 4648") {
  const std::pair<std::string, std::string> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xFF\xFE\xFD", "//79"}};
  for (const auto& [plain, coded] : vectors) {
    CHECK(base64(plain) == coded);
    CHECK(base64_decode(coded) == plain);
  }
  for (const char* wrong :
       {"Z", "Zg", "Zg=", "Zg===", "====", "Zh==", "Zm9=", "Z=g=", "Zm9v\n", "Zm9v ", "-_79", "=Zg="})
    CHECK_FALSE(base64_decode(wrong));
}
