#include <string>

#include "catch.h"
#include "objects/hash.h"
#include "objects/unicode_data.h"

using namespace amphis;

namespace {

std::string name_of(Py_UCS4 ch) {
  char name[unicode::kMaxNameLength];
  return std::string(name, static_cast<size_t>(unicode::character_name(ch, name)));
}

}  // namespace

TEST_CASE("Every character that has a name is found by it") {
  long named = 0;
  for (Py_UCS4 ch = 0; ch < 0x110000; ch++) {
    std::string name = name_of(ch);
    if (name.empty()) continue;
    Py_UCS4 found[unicode::kMaxSequenceLength];
    REQUIRE(unicode::lookup_name(name.data(), static_cast<Py_ssize_t>(name.size()), false, found) == 1);
    REQUIRE(found[0] == ch);
    named++;
  }
  REQUIRE(named > 140000);
}

TEST_CASE("Names follow the rules for syllables, ideographs and odd cases") {
  REQUIRE(name_of(0xAC01) == "HANGUL SYLLABLE GAG");
  REQUIRE(name_of(0x4E00) == "CJK UNIFIED IDEOGRAPH-4E00");
  REQUIRE(name_of(0x0F0A) == "TIBETAN MARK BKA- SHOG YIG MGO");
  Py_UCS4 found[unicode::kMaxSequenceLength];
  REQUIRE(unicode::lookup_name("nul", 3, false, found) == 1);
  REQUIRE(unicode::lookup_name("KEYCAP DIGIT ONE", 16, false, found) == 0);
  REQUIRE(unicode::lookup_name("KEYCAP DIGIT ONE", 16, true, found) == 3);
  REQUIRE(unicode::lookup_name("NO SUCH NAME", 12, true, found) == 0);
}

TEST_CASE("Case mappings: full mappings, title case and folding") {
  Py_UCS4 out[3];
  REQUIRE(unicode::to_upper_full(0xDF, out) == 2);
  REQUIRE((out[0] == 'S' && out[1] == 'S'));
  REQUIRE(unicode::to_title_full(0x1C6, out) == 1);
  REQUIRE(out[0] == 0x1C5);
  REQUIRE(unicode::to_folded_full(0x13A0, out) == 1);
  REQUIRE(out[0] == 0x13A0);
  REQUIRE(unicode::to_lower_full(0x130, out) == 2);
}

TEST_CASE("Composition undoes canonical decomposition") {
  REQUIRE(unicode::compose('e', 0x301) == 0xE9);
  REQUIRE(unicode::compose(0x1100, 0x1161) == 0xAC00);
  REQUIRE(unicode::compose(0xAC00, 0x11A8) == 0xAC01);
  REQUIRE(unicode::compose('e', 'e') == 0);
}

TEST_CASE("SipHash-1-3 gives the published kind of results: stable per key, 0 for nothing, never -1") {
  REQUIRE(hash_bytes("", 0) == 0);
  // The value that every implementation of the algorithm gives under the all-zero key.
  REQUIRE(static_cast<Py_hash_t>(siphash13(0, 0, "abc", 3)) == -4594863902769663758);
  REQUIRE(hash_bytes("abc", 3) != hash_bytes("abd", 3));
  REQUIRE(siphash13(1, 2, "abcdefgh", 8) != siphash13(1, 3, "abcdefgh", 8));
}
