// iconv tells what each pair of bytes means. Where Python's encodings follow another edition of a standard, the pairs are named
// here. Of several pairs for one character the lowest is the one that is written, but for the exceptions named.
#include "cjk_tables.h"

#include <iconv.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace cjk {

namespace {

// The codes first..last mean `to` and what follows it; 0: nothing.
struct Means {
  uint16_t first, last;
  Py_UCS4 to;
};
// The character is written so; 0: not at all.
struct Written {
  uint16_t character;
  uint16_t code;
};

constexpr Means kGb18030Means[] = {
    {0xa6d9, 0xa6df, 0xe78d}, {0xa6ec, 0xa6ed, 0xe794}, {0xa6f3, 0xa6f3, 0xe796}, {0xa8bc, 0xa8bc, 0xe7c7}, {0xfe51, 0xfe53, 0xe816},
    {0xfe59, 0xfe59, 0xe81e}, {0xfe61, 0xfe61, 0xe826}, {0xfe66, 0xfe67, 0xe82b}, {0xfe6c, 0xfe6d, 0xe831}, {0xfe76, 0xfe76, 0xe83b},
    {0xfe7e, 0xfe7e, 0xe843}, {0xfe90, 0xfe91, 0xe854}, {0xfea0, 0xfea0, 0xe864},
};
constexpr Means kBig5Means[] = {
    {0xa145, 0xa145, 0x2022}, {0xa14e, 0xa14e, 0xff64}, {0xa1c2, 0xa1c2, 0x203e}, {0xa1e3, 0xa1e3, 0x223c},
    {0xa1f2, 0xa1f2, 0x2641}, {0xa1f3, 0xa1f3, 0x2609}, {0xa241, 0xa241, 0xff0f}, {0xa242, 0xa242, 0xff3c},
    {0xa244, 0xa244, 0xa5}, {0xa246, 0xa247, 0xa2}, {0xa3e1, 0xa3e1, 0}, {0xc6a1, 0xc6a1, 0x30fe}, {0xc6a2, 0xc6a3, 0x309d},
    {0xc6a4, 0xc6a4, 0x3005}, {0xc6a5, 0xc6f7, 0x3041}, {0xc6f8, 0xc6fe, 0x30a1}, {0xc740, 0xc77e, 0x30a8},
    {0xc7a1, 0xc7b0, 0x30e7}, {0xc7b1, 0xc7b2, 0x414}, {0xc7b3, 0xc7b3, 0x401}, {0xc7b4, 0xc7ba, 0x416},
    {0xc7bb, 0xc7cd, 0x423}, {0xc7ce, 0xc7ce, 0x451}, {0xc7cf, 0xc7e8, 0x436}, {0xc7e9, 0xc7f2, 0x2460},
    {0xc7f3, 0xc7fc, 0x2474}, {0xc7fd, 0xc7fe, 0}, {0xc840, 0xc87e, 0}, {0xc8a1, 0xc8fe, 0}, {0xf9d6, 0xf9fe, 0},
};
constexpr Means kCp950Means[] = {
    {0xc6a1, 0xc6a1, 0x30fe}, {0xc6a2, 0xc6a3, 0x309d}, {0xc6a4, 0xc6a4, 0x3005}, {0xc6a5, 0xc6f7, 0x3041},
    {0xc6f8, 0xc6fe, 0x30a1}, {0xc740, 0xc77e, 0x30a8}, {0xc7a1, 0xc7b0, 0x30e7}, {0xc7b1, 0xc7b2, 0x414},
    {0xc7b3, 0xc7b3, 0x401}, {0xc7b4, 0xc7ba, 0x416}, {0xc7bb, 0xc7cd, 0x423}, {0xc7ce, 0xc7ce, 0x451}, {0xc7cf, 0xc7e8, 0x436},
    {0xc7e9, 0xc7f2, 0x2460}, {0xc7f3, 0xc7fc, 0x2474}, {0xc7fd, 0xc7fe, 0}, {0xc840, 0xc87e, 0}, {0xc8a1, 0xc8fe, 0},
};
constexpr Means kEucKrMeans[] = {{0xa2e8, 0xa2e8, 0}, {0xa4d4, 0xa4d4, 0}};
constexpr Means kJohabMeans[] = {
    {0x8441, 0x8441, 0x3000}, {0x8442, 0x8443, 0x3131}, {0x8445, 0x8445, 0x3134}, {0x8448, 0x8448, 0x3137}, {0x8449, 0x8449, 0x3139},
    {0x8451, 0x8451, 0x3141}, {0x8453, 0x8453, 0x3142}, {0x8455, 0x8458, 0x3145}, {0x8459, 0x845d, 0x314a}, {0xd9e8, 0xd9e8, 0},
};
constexpr Means kJisX0212Means[] = {{0xa2b7, 0xa2b7, '~'}};
constexpr Means kJisX0213Means[] = {{0xa1bd, 0xa1bd, 0x2015}, {0xa2d6, 0xa2d7, 0x2985}};
constexpr Means kHkscsMeans[] = {
    {0x877a, 0x877e, 0},      {0x87a1, 0x87df, 0},      {0xa15a, 0xa15a, 0x2574}, {0xa1c3, 0xa1c3, 0xffe3}, {0xa1c5, 0xa1c5, 0x2cd},
    {0xa1fe, 0xa1fe, 0xff0f}, {0xa240, 0xa240, 0xff3c}, {0xa2cc, 0xa2cc, 0x5341}, {0xa2ce, 0xa2ce, 0x5345},
};
constexpr Written kBig5Written[] = {{0x5341, 0xa451}, {0x5345, 0xa4ca}, {0xff0f, 0xa241}, {0xff3c, 0xa242}};
constexpr Written kHkscsWritten[] = {
    {0x5341, 0xa451}, {0x5345, 0xa4ca}, {0xff0f, 0xa241}, {0xff3c, 0xa242}, {0x2550, 0xf9f9}, {0x255e, 0xf9e9},
    {0x2561, 0xf9eb}, {0x256a, 0xf9ea}, {0x256d, 0xf9fa}, {0x256e, 0xf9fb}, {0x256f, 0xf9fd}, {0x2570, 0xf9fc},
};
constexpr Written kCp950Written[] = {
    {0xa2, 0xa246},   {0xa3, 0xa247},   {0xa5, 0xa244},   {0x2022, 0xa145}, {0x203e, 0xa1c2}, {0x223c, 0xa1e3},
    {0x2609, 0xa1f3}, {0x2641, 0xa1f2}, {0x5341, 0xa451}, {0x5345, 0xa4ca}, {0xff64, 0xa14e},
};
constexpr Written kEucKrWritten[] = {{0x3164, 0xa4d4}};
// The letters alone, in the code of letters.
constexpr Written kJohabWritten[] = {
    {0x3000, 0xd931}, {0x3131, 0x8841}, {0x3132, 0x8c41}, {0x3134, 0x9041}, {0x3137, 0x9441}, {0x3139, 0x9c41},
    {0x3141, 0xa041}, {0x3142, 0xa441}, {0x3145, 0xac41}, {0x3146, 0xb041}, {0x3147, 0xb441}, {0x3148, 0xb841},
    {0x314a, 0xc041}, {0x314b, 0xc441}, {0x314c, 0xc841}, {0x314d, 0xcc41}, {0x314e, 0xd041},
};
constexpr Written kCp932Written[] = {{0xa2, 0x8191}, {0xa3, 0x8192}, {0xac, 0x81ca}, {0x2016, 0x8161}, {0x2212, 0x817c}, {0x301c, 0x8160}};

template <class T>
struct Span {
  const T* items = nullptr;
  size_t count = 0;
  constexpr Span() = default;
  template <size_t N>
  constexpr Span(const T (&array)[N]) : items(array), count(N) {}  // NOLINT
  const T* begin() const { return items; }
  const T* end() const { return items + count; }
};

struct Source {
  const char* iconv_name;
  int prefix;  // a byte before the two, or 0
  Span<Means> means;
  Span<Written> written;
  bool pairs = false;
};
const Source kSources[kSets] = {
    {"EUC-CN", 0, {}, {}},
    {"GBK", 0, {}, {}},
    {"GB18030", 0, kGb18030Means, {}},
    {"BIG5", 0, kBig5Means, kBig5Written},
    {"CP950", 0, kCp950Means, kCp950Written},
    {"EUC-KR", 0, kEucKrMeans, kEucKrWritten},
    {"CP949", 0, {}, {}},
    {"JOHAB", 0, kJohabMeans, kJohabWritten},
    {"EUC-JP", 0, {}, {}},
    {"EUC-JP", 0x8f, kJisX0212Means, {}},
    {"CP932", 0, {}, kCp932Written},
    {"SJIS", 0, {}, {}},
    {"EUC-JISX0213", 0, kJisX0213Means, {}, true},
    {"EUC-JISX0213", 0x8f, {}, {}},
    {"BIG5-HKSCS", 0, kHkscsMeans, kHkscsWritten, true},
};

// What iconv makes of these bytes: one or two characters, or none.
int characters(iconv_t converter, unsigned char* bytes, size_t size, Py_UCS4* found) {
  iconv(converter, nullptr, nullptr, nullptr, nullptr);
  char* in = reinterpret_cast<char*>(bytes);
  unsigned char result[16];
  char* out = reinterpret_cast<char*>(result);
  size_t room = sizeof result;
  if (iconv(converter, &in, &size, &out, &room) == static_cast<size_t>(-1)) return 0;
  iconv(converter, nullptr, nullptr, &out, &room);  // what waited for a second character
  const size_t count = (sizeof result - room) / 4;
  for (size_t i = 0; i < count && i < 2; ++i) {
    const unsigned char* at = result + 4 * i;
    found[i] = at[0] | at[1] << 8 | static_cast<Py_UCS4>(at[2]) << 16 | static_cast<Py_UCS4>(at[3]) << 24;
  }
  // A byte that is a character by itself and another one are no pair of bytes.
  return count == 1 || (count == 2 && found[1] >= 0x80) ? static_cast<int>(count) : 0;
}

Table* build(const Source& source, bool four_bytes) {
  iconv_t converter = iconv_open("UTF-32LE", source.iconv_name);
  if (converter == reinterpret_cast<iconv_t>(-1)) return nullptr;
  auto* made = new Table;
  made->chars.assign(0x8000, 0);
  made->codes.assign(0x10000, 0);
  for (unsigned lead = 0x81; lead <= 0xfe; ++lead) {
    for (unsigned trail = 0x30; trail <= 0xfe; ++trail) {
      unsigned char bytes[3] = {static_cast<unsigned char>(source.prefix), static_cast<unsigned char>(lead), static_cast<unsigned char>(trail)};
      const bool prefixed = source.prefix != 0;
      Py_UCS4 found[2] = {};
      const int count = characters(converter, bytes + !prefixed, 2 + prefixed, found);
      if (count == 1) made->chars[(lead & 0x7f) << 8 | trail] = found[0];
      if (count == 2 && source.pairs) made->pairs.push_back({static_cast<uint16_t>(lead << 8 | trail), found[0], found[1]});
    }
  }
  iconv_close(converter);
  for (const Means& m : source.means) {
    for (unsigned code = m.first; code <= m.last; ++code) made->chars[code & 0x7fff] = m.to ? m.to + (code - m.first) : 0;
  }
  for (unsigned code = 0; code < 0x8000; ++code) {
    const Py_UCS4 c = made->chars[code];
    if (c >= 0x10000) {
      made->far.push_back({c, static_cast<uint16_t>(code | 0x8000)});
    } else if (c != 0 && made->codes[c] == 0) {
      made->codes[c] = static_cast<uint16_t>(code | 0x8000);
    }
  }
  std::stable_sort(made->far.begin(), made->far.end(), [](const Far& a, const Far& b) { return a.character < b.character; });
  for (const Written& w : source.written) made->codes[w.character] = w.code;
  if (four_bytes) {
    made->other_index.assign(0x10000, 0);
    for (unsigned c = 0x80; c < 0x10000; ++c) {
      if (made->codes[c] != 0 || (c >= 0xd800 && c < 0xe000)) continue;
      made->others.push_back(static_cast<uint16_t>(c));
      made->other_index[c] = static_cast<uint16_t>(made->others.size());
    }
  }
  return made;
}

// Made once for the process.
std::atomic<const Table*> tables[kSets];
PyMutex making;

}  // namespace

unsigned Table::far_code(Py_UCS4 c) const {
  auto found = std::lower_bound(far.begin(), far.end(), c, [](const Far& a, Py_UCS4 b) { return a.character < b; });
  return found != far.end() && found->character == c ? found->code : 0;
}

int Table::read(unsigned lead, unsigned trail, Py_UCS4* out) const {
  out[0] = decode(lead, trail);
  if (out[0] != 0) return 1;
  for (const Pair& pair : pairs) {
    if (pair.code != (lead << 8 | trail)) continue;
    out[0] = pair.first;
    out[1] = pair.second;
    return 2;
  }
  return 0;
}

int Table::write(const Py_UCS4* in, Py_ssize_t n, bool last, unsigned* code) const {
  for (const Pair& pair : pairs) {
    if (pair.first != in[0]) continue;
    if (n < 2) {
      if (!last) return 0;
      break;
    }
    if (pair.second != in[1]) continue;
    *code = pair.code;
    return 2;
  }
  *code = encode(in[0]);
  return *code != 0 ? 1 : -1;
}

const Table& table(Set set) { return *tables[set].load(std::memory_order_acquire); }

const Table* make_table(Set set) {
  if (const Table* known = tables[set].load(std::memory_order_acquire)) return known;
  PyMutex_Lock(&making);
  const Table* made = tables[set].load(std::memory_order_relaxed);
  if (made == nullptr) {
    made = build(kSources[set], set == kGb18030);
    tables[set].store(made, std::memory_order_release);
  }
  PyMutex_Unlock(&making);
  if (made == nullptr) PyErr_Format(PyExc_LookupError, "the C library's iconv does not know %s", kSources[set].iconv_name);
  return made;
}

}  // namespace cjk
