#include <random>
#include <string>
#include <vector>

#include "catch.h"
#include "objects/str_search.h"

using namespace amphis;

namespace {

template <class Ch>
using Text = std::vector<Ch>;

template <class Ch>
Py_ssize_t naive_find(const Text<Ch>& h, const Text<Ch>& s, bool from_right) {
  Py_ssize_t n = static_cast<Py_ssize_t>(h.size()), m = static_cast<Py_ssize_t>(s.size());
  for (Py_ssize_t k = 0; k <= n - m; k++) {
    Py_ssize_t i = from_right ? n - m - k : k;
    if (std::equal(s.begin(), s.end(), h.begin() + i)) return i;
  }
  return -1;
}

template <class Ch>
Text<Ch> random_text(std::mt19937& random, size_t n, unsigned letters) {
  Text<Ch> t(n);
  for (Ch& c : t) c = static_cast<Ch>('a' + random() % letters);
  return t;
}

template <class Ch>
void compare_with_naive() {
  std::mt19937 random(7);
  for (int round = 0; round < 20000; round++) {
    unsigned letters = 1 + random() % 3;
    Text<Ch> hay = random_text<Ch>(random, random() % 200, letters);
    Text<Ch> needle = random_text<Ch>(random, random() % 12, letters);
    if (random() % 3 == 0 && hay.size() > 40)
      needle.assign(hay.begin() + 10, hay.begin() + 10 + random() % 30);
    Py_ssize_t n = static_cast<Py_ssize_t>(hay.size()), m = static_cast<Py_ssize_t>(needle.size());
    REQUIRE(search::find(hay.data(), n, needle.data(), m) == naive_find(hay, needle, false));
    REQUIRE(search::rfind(hay.data(), n, needle.data(), m) == naive_find(hay, needle, true));
    if (m > 0 && m <= n) {
      REQUIRE(search::TwoWay<Ch, false>(needle.data(), m).find(hay.data(), n) ==
              naive_find(hay, needle, false));
      Py_ssize_t at = search::TwoWay<Ch, true>(needle.data(), m).find(hay.data(), n);
      REQUIRE((at < 0 ? -1 : n - m - at) == naive_find(hay, needle, true));
    }
  }
}

}  // namespace

TEST_CASE("Substring search finds what a naive search finds, in every width and direction") {
  compare_with_naive<unsigned char>();
  compare_with_naive<Py_UCS2>();
  compare_with_naive<Py_UCS4>();
}

TEST_CASE("Substring search stays linear on periodic text") {
  // A search in quadratic time would take hours.
  std::string hay(4000000, 'a'), needle(200000, 'a');
  needle[100000] = 'b';
  auto h = reinterpret_cast<const unsigned char*>(hay.data());
  auto s = reinterpret_cast<const unsigned char*>(needle.data());
  REQUIRE(search::find(h, 4000000, s, 200000) == -1);
  REQUIRE(search::rfind(h, 4000000, s, 200000) == -1);
  REQUIRE(search::count(h, 4000000, s, 200000, PY_SSIZE_T_MAX) == 0);
}

TEST_CASE("A character whose low byte is everywhere is still found") {
  Text<Py_UCS2> hay(1000, 0x3131);
  hay[900] = 0x0131;
  REQUIRE(search::find_char(hay.data(), hay.data() + hay.size(), Py_UCS2{0x131}) == hay.data() + 900);
  REQUIRE(search::rfind_char(hay.data(), hay.data() + hay.size(), Py_UCS2{0x131}) == hay.data() + 900);
}
