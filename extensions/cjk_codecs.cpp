// The encodings of _codecs_cn, _codecs_hk, _codecs_jp, _codecs_kr and _codecs_tw: how the bytes of two-byte character sets are told apart. Which
// character a pair of bytes means is in the tables (cjk_tables.h).
#include "cjk_codecs.h"

#include <cstring>

namespace cjk {

namespace {

constexpr Py_UCS4 kKana = 0xff61;  // JIS X 0201: a1..df are the narrow katakana

bool is_kana(Py_UCS4 c) { return c >= kKana && c <= 0xff9f; }

void put(std::string* out, unsigned code) {
  out->push_back(static_cast<char>(code >> 8));
  out->push_back(static_cast<char>(code));
}

int one(Py_UCS4 c, Py_UCS4* out, int* count) {
  *out = c;
  *count = 1;
  return 1;
}

// A pair of bytes in the table, after what is special about the encoding.
int pair(Set set, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (n < 2) return kMore;
  *out = table(set).decode(in[0], in[1]);
  if (*out == 0) return -1;
  *count = 1;
  return 2;
}

int write_pair(Set set, Py_UCS4 c, std::string* out) {
  const unsigned code = table(set).encode(c);
  if (code == 0) return -1;
  put(out, code);
  return 1;
}

// --- One table and ASCII

template <Set set>
int plain_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  return in[0] < 0x80 ? one(in[0], out, count) : pair(set, in, n, out, count);
}

template <Set set>
int plain_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t, bool, std::string* out) {
  if (in[0] >= 0x80) return write_pair(set, in[0], out);
  out->push_back(static_cast<char>(in[0]));
  return 1;
}

// --- GB 18030: four bytes for the rest of the basic plane, in order, and for the other planes

constexpr unsigned kPlanes = 15;  // first byte 0x81 + 15: from U+10000 on

int gb18030_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (in[0] < 0x80) return one(in[0], out, count);
  if (n < 2) return kMore;
  if (in[1] < 0x30 || in[1] > 0x39) return pair(kGb18030, in, n, out, count);
  if (n < 4) return kMore;
  if (in[0] < 0x81 || in[0] > 0xfe || in[2] < 0x81 || in[2] > 0xfe || in[3] < 0x30 || in[3] > 0x39) return -1;
  const unsigned first = in[0] - 0x81u;
  const unsigned rest = ((in[1] - 0x30u) * 126 + (in[2] - 0x81u)) * 10 + (in[3] - 0x30u);
  if (first < kPlanes) {
    const unsigned place = first * 12600 + rest;
    const auto& others = table(kGb18030).others;
    if (place >= others.size()) return -1;
    *out = others[place];
  } else {
    *out = 0x10000 + (first - kPlanes) * 12600 + rest;
    if (*out > 0x10ffff) return -1;
  }
  *count = 1;
  return 4;
}

int gb18030_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t, bool, std::string* out) {
  const Py_UCS4 c = in[0];
  const Table& t = table(kGb18030);
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
    return 1;
  }
  if (const unsigned code = t.encode(c)) {
    put(out, code);
    return 1;
  }
  unsigned place;
  if (c >= 0x10000) {
    place = kPlanes * 12600 + (c - 0x10000);
  } else if (t.other_index[c] != 0) {
    place = t.other_index[c] - 1u;
  } else {
    return -1;
  }
  const char bytes[4] = {static_cast<char>(0x81 + place / 12600), static_cast<char>(0x30 + place / 1260 % 10),
                         static_cast<char>(0x81 + place / 10 % 126), static_cast<char>(0x30 + place % 10)};
  out->append(bytes, 4);
  return 1;
}

// --- HZ (RFC 1843): seven bits; state c[0] says whether ~{ has been seen

int hz_decode(const Encoding*, State* state, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  unsigned char& chinese = state->c[0];
  if (in[0] == '~') {
    if (n < 2) return kMore;
    if (in[1] == '}' && chinese) {
      chinese = 0;
    } else if (in[1] == '{' && !chinese) {
      chinese = 1;
    } else if (in[1] == '~' && !chinese) {
      one('~', out, count);
    } else if (in[1] != '\n' || chinese) {
      return -1;
    }
    return 2;
  }
  if (in[0] & 0x80) return -1;
  if (!chinese) return one(in[0], out, count);
  if (n < 2) return kMore;
  const unsigned char bytes[2] = {static_cast<unsigned char>(in[0] | 0x80), static_cast<unsigned char>(in[1] | 0x80)};
  return pair(kGb2312, bytes, 2, out, count);
}

void hz_reset(State* state, std::string* out) {
  if (state->c[0]) out->append("~}");
  state->c[0] = 0;
}

int hz_encode(const Encoding*, State* state, const Py_UCS4* in, Py_ssize_t, bool, std::string* out) {
  if (in[0] < 0x80) {
    hz_reset(state, out);
    out->append(in[0] == '~' ? 2 : 1, static_cast<char>(in[0]));
    return 1;
  }
  const unsigned code = table(kGb2312).encode(in[0]);
  if (code == 0) return -1;
  if (!state->c[0]) out->append("~{");
  state->c[0] = 1;
  put(out, code & 0x7f7f);
  return 1;
}

// --- EUC-KR: syllables that have no code are written as a filler and three letters (KS X 1001, annex 3)

constexpr unsigned char kInitials[] = {0xa1, 0xa2, 0xa4, 0xa7, 0xa8, 0xa9, 0xb1, 0xb2, 0xb3, 0xb5, 0xb6, 0xb7, 0xb8, 0xb9, 0xba, 0xbb, 0xbc, 0xbd, 0xbe};
constexpr unsigned char kFinals[] = {0xd4, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae,
                                     0xaf, 0xb0, 0xb1, 0xb2, 0xb4, 0xb5, 0xb6, 0xb7, 0xb8, 0xba, 0xbb, 0xbc, 0xbd, 0xbe};
constexpr unsigned kVowels = 21;
constexpr unsigned char kFirstVowel = 0xbf, kLetter = 0xa4, kFiller = 0xd4;

template <size_t N>
int find(const unsigned char (&letters)[N], unsigned char letter) {
  for (size_t i = 0; i < N; ++i) {
    if (letters[i] == letter) return static_cast<int>(i);
  }
  return -1;
}

int euc_kr_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (in[0] < 0x80) return one(in[0], out, count);
  if (n < 2) return kMore;
  if (in[0] != kLetter || in[1] != kFiller) return pair(kEucKr, in, n, out, count);
  if (n < 8) return kMore;
  const int initial = find(kInitials, in[3]), vowel = in[5] - kFirstVowel, final = find(kFinals, in[7]);
  if (in[2] != kLetter || in[4] != kLetter || in[6] != kLetter || initial < 0 || vowel < 0 || vowel >= static_cast<int>(kVowels) || final < 0) return -1;
  *out = 0xac00 + (static_cast<unsigned>(initial) * kVowels + static_cast<unsigned>(vowel)) * 28 + static_cast<unsigned>(final);
  *count = 1;
  return 8;
}

int euc_kr_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t, bool, std::string* out) {
  const Py_UCS4 c = in[0];
  if (c < 0x80) {
    out->push_back(static_cast<char>(c));
    return 1;
  }
  if (write_pair(kEucKr, c, out) > 0) return 1;
  if (c < 0xac00 || c > 0xd7a3) return -1;
  const unsigned index = c - 0xac00;
  const unsigned char letters[4] = {kFiller, kInitials[index / 28 / kVowels], static_cast<unsigned char>(kFirstVowel + index / 28 % kVowels),
                                    kFinals[index % 28]};
  for (unsigned char letter : letters) put(out, static_cast<unsigned>(kLetter) << 8 | letter);
  return 1;
}

// --- Japanese

// Characters of JIS X 0201's Roman set that share bytes with ASCII.
char roman(Py_UCS4 c) { return c < 0x80 ? static_cast<char>(c) : c == 0xa5 ? '\\' : c == 0x203e ? '~' : '\0'; }
bool is_roman(Py_UCS4 c) { return c < 0x80 || c == 0xa5 || c == 0x203e; }

int euc_jp_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (in[0] < 0x80) return one(in[0], out, count);
  if (in[0] != 0x8f) return pair(kEucJp, in, n, out, count);
  if (n < 3) return kMore;
  *out = table(kJisX0212).decode(in[1], in[2]);
  if (*out == 0) return -1;
  *count = 1;
  return 3;
}

int euc_jp_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t, bool, std::string* out) {
  if (is_roman(in[0])) {
    out->push_back(roman(in[0]));
    return 1;
  }
  if (write_pair(kEucJp, in[0], out) > 0) return 1;
  const unsigned code = table(kJisX0212).encode(in[0]);
  if (code == 0) return -1;
  out->push_back('\x8f');
  put(out, code);
  return 1;
}

bool leads(unsigned char c, unsigned char last) { return (c >= 0x81 && c <= 0x9f) || (c >= 0xe0 && c <= last); }

int shift_jis_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (in[0] < 0x80) return one(in[0], out, count);
  if (in[0] >= 0xa1 && in[0] <= 0xdf) return one(kKana + (in[0] - 0xa1u), out, count);
  return leads(in[0], 0xea) ? pair(kShiftJis, in, n, out, count) : -1;
}

int shift_jis_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t, bool, std::string* out) {
  if (!is_roman(in[0]) && !is_kana(in[0])) return write_pair(kShiftJis, in[0], out);
  out->push_back(is_kana(in[0]) ? static_cast<char>(in[0] - kKana + 0xa1) : roman(in[0]));
  return 1;
}

// Bytes that are no characters have places in the private use area.
int cp932_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (in[0] <= 0x80) return one(in[0], out, count);
  if (in[0] >= 0xa0 && in[0] <= 0xdf) return one(in[0] == 0xa0 ? 0xf8f0 : kKana + (in[0] - 0xa1u), out, count);
  return in[0] >= 0xfd ? one(0xf8f1 + (in[0] - 0xfdu), out, count) : pair(kCp932, in, n, out, count);
}

int cp932_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t, bool, std::string* out) {
  const Py_UCS4 c = in[0];
  unsigned byte = 0;
  if (c <= 0x80) {
    byte = c;
  } else if (is_kana(c)) {
    byte = c - kKana + 0xa1;
  } else if (c >= 0xf8f0 && c <= 0xf8f3) {
    byte = c == 0xf8f0 ? 0xa0 : c - 0xf8f1 + 0xfd;
  } else {
    return write_pair(kCp932, c, out);
  }
  out->push_back(static_cast<char>(byte));
  return 1;
}

// --- Japanese with JIS X 0213

template <bool year_2000>
int euc_jisx0213_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (in[0] < 0x80) return one(in[0], out, count);
  const int width = in[0] == 0x8f ? 3 : 2;
  if (n < width) return kMore;
  if (in[0] == 0x8e) {
    if (in[1] < 0xa1 || in[1] > 0xdf) return -1;
    out[0] = kKana + (in[1] - 0xa1u);
    *count = 1;
  } else if (width == 3) {
    *count = read_jisx0213(year_2000, true, in[1], in[2], out);
    // The old supplement stays where the new standard has nothing.
    if (*count == 0 && (out[0] = table(kJisX0212).decode(in[1], in[2])) != 0) *count = 1;
  } else {
    *count = read_jisx0213(year_2000, false, in[0], in[1], out);
    if (*count < 0) return -2;
  }
  return *count > 0 ? width : -1;
}

template <bool year_2000>
int euc_jisx0213_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t n, bool last, std::string* out) {
  if (in[0] < 0x80) {
    out->push_back(static_cast<char>(in[0]));
    return 1;
  }
  if (is_kana(in[0])) {
    put(out, 0x8e00 | (in[0] - kKana + 0xa1));
    return 1;
  }
  unsigned code;
  int taken = write_jisx0213(year_2000, in, n, last, &code);
  if (taken == -1 && (code = table(kJisX0212).encode(in[0])) != 0) {
    code |= kPlane2;
    taken = 1;
  }
  if (taken <= 0) return taken < 0 ? -1 : taken;
  if (code & kPlane2) out->push_back('\x8f');
  put(out, code & 0xffff);
  return taken;
}

// The rows of the second plane, in the order of the lead bytes f0..fc.
constexpr unsigned char kRows[] = {0xa1, 0xa8, 0xa3, 0xa4, 0xa5, 0xac, 0xad, 0xae, 0xaf, 0xee, 0xef, 0xf0, 0xf1,
                                   0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xf8, 0xf9, 0xfa, 0xfb, 0xfc, 0xfd, 0xfe};
constexpr unsigned kFirstPlaneRows = 94;

template <bool year_2000>
int shift_jisx0213_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (in[0] < 0x80) return one(in[0] == '\\' ? 0xa5 : in[0] == '~' ? 0x203e : in[0], out, count);
  if (in[0] >= 0xa1 && in[0] <= 0xdf) return one(kKana + (in[0] - 0xa1u), out, count);
  if (!leads(in[0], 0xfc)) return -1;
  if (n < 2) return kMore;
  if (in[1] < 0x40 || in[1] == 0x7f || in[1] > 0xfc) return -1;
  const unsigned cell = in[1] - (in[1] < 0x80 ? 0x40u : 0x41u);
  const unsigned row = 2 * (in[0] - (in[0] < 0xe0 ? 0x81u : 0xc1u)) + cell / 94;
  const unsigned trail = 0xa1 + cell % 94;
  const bool plane2 = row >= kFirstPlaneRows;
  *count = read_jisx0213(year_2000, plane2, plane2 ? kRows[row - kFirstPlaneRows] : 0xa1 + row, trail, out);
  if (*count <= 0) return *count - 1;
  // The full-width forms of what the Roman set lacks.
  if (out[0] == 0xff3c) out[0] = '\\';
  if (out[0] == 0xff5e) out[0] = '~';
  return 2;
}

template <bool year_2000>
int shift_jisx0213_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t n, bool last, std::string* out) {
  const Py_UCS4 c = in[0];
  if (is_kana(c) || (is_roman(c) && c != '\\' && c != '~')) {
    out->push_back(is_kana(c) ? static_cast<char>(c - kKana + 0xa1) : roman(c));
    return 1;
  }
  unsigned code = 0;
  int taken = 1;
  if (c == '\\') {
    code = 0xa1c0;
  } else if (c == '~') {
    code = 0xa2b2;
  } else {
    taken = c == 0xff3c || c == 0xff5e ? -1 : write_jisx0213(year_2000, in, n, last, &code);
  }
  if (taken <= 0) return taken < 0 ? -1 : taken;
  unsigned row = (code >> 8 & 0xff) - 0xa1;
  if (code & kPlane2) row = kFirstPlaneRows + static_cast<unsigned>(find(kRows, static_cast<unsigned char>(code >> 8)));
  const unsigned cell = (code & 0xff) - 0xa1 + row % 2 * 94;
  const unsigned lead = row / 2 + 0x81;
  put(out, (lead < 0xa0 ? lead : lead + 0x40) << 8 | (cell + (cell < 0x3f ? 0x40u : 0x41u)));
  return taken;
}

// --- Big5 with Hong Kong's supplement

int big5hkscs_decode(const Encoding*, State*, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  if (in[0] < 0x80) return one(in[0], out, count);
  if (n < 2) return kMore;
  *count = table(kHkscs).read(in[0], in[1], out);
  return *count > 0 ? 2 : -1;
}

int big5hkscs_encode(const Encoding*, State*, const Py_UCS4* in, Py_ssize_t n, bool last, std::string* out) {
  if (in[0] < 0x80) {
    out->push_back(static_cast<char>(in[0]));
    return 1;
  }
  unsigned code;
  const int taken = table(kHkscs).write(in, n, last, &code);
  if (taken > 0) put(out, code);
  return taken;
}

constexpr Set kNeedsGb2312[] = {kGb2312, kSets}, kNeedsGbk[] = {kGbk, kSets}, kNeedsGb18030[] = {kGb18030, kSets}, kNeedsBig5[] = {kBig5, kSets},
              kNeedsCp950[] = {kCp950, kSets}, kNeedsEucKr[] = {kEucKr, kSets}, kNeedsCp949[] = {kCp949, kSets}, kNeedsJohab[] = {kJohab, kSets},
              kNeedsEucJp[] = {kEucJp, kJisX0212, kSets}, kNeedsShiftJis[] = {kShiftJis, kSets}, kNeedsCp932[] = {kCp932, kSets},
              kNeedsJisX0213[] = {kJisX0213a, kJisX0213b, kJisX0212, kSets}, kNeedsHkscs[] = {kHkscs, kSets};

constexpr Encoding kChinese[] = {
    {"gb2312", plain_decode<kGb2312>, plain_encode<kGb2312>, {}, nullptr, nullptr, kNeedsGb2312},
    {"gbk", plain_decode<kGbk>, plain_encode<kGbk>, {}, nullptr, nullptr, kNeedsGbk},
    {"gb18030", gb18030_decode, gb18030_encode, {}, nullptr, nullptr, kNeedsGb18030},
    {"hz", hz_decode, hz_encode, {}, hz_reset, nullptr, kNeedsGb2312},
    {},
};
constexpr Encoding kTaiwanese[] = {
    {"big5", plain_decode<kBig5>, plain_encode<kBig5>, {}, nullptr, nullptr, kNeedsBig5},
    {"cp950", plain_decode<kCp950>, plain_encode<kCp950>, {}, nullptr, nullptr, kNeedsCp950},
    {},
};
constexpr Encoding kHongKong[] = {
    {"big5hkscs", big5hkscs_decode, big5hkscs_encode, {}, nullptr, nullptr, kNeedsHkscs},
    {},
};
constexpr Encoding kKorean[] = {
    {"euc_kr", euc_kr_decode, euc_kr_encode, {}, nullptr, nullptr, kNeedsEucKr},
    {"cp949", plain_decode<kCp949>, plain_encode<kCp949>, {}, nullptr, nullptr, kNeedsCp949},
    {"johab", plain_decode<kJohab>, plain_encode<kJohab>, {}, nullptr, nullptr, kNeedsJohab},
    {},
};
constexpr Encoding kJapanese[] = {
    {"shift_jis", shift_jis_decode, shift_jis_encode, {}, nullptr, nullptr, kNeedsShiftJis},
    {"cp932", cp932_decode, cp932_encode, {}, nullptr, nullptr, kNeedsCp932},
    {"euc_jp", euc_jp_decode, euc_jp_encode, {}, nullptr, nullptr, kNeedsEucJp},
    {"euc_jisx0213", euc_jisx0213_decode<true>, euc_jisx0213_encode<true>, {}, nullptr, nullptr, kNeedsJisX0213},
    {"euc_jis_2004", euc_jisx0213_decode<false>, euc_jisx0213_encode<false>, {}, nullptr, nullptr, kNeedsJisX0213},
    {"shift_jisx0213", shift_jisx0213_decode<true>, shift_jisx0213_encode<true>, {}, nullptr, nullptr, kNeedsJisX0213},
    {"shift_jis_2004", shift_jisx0213_decode<false>, shift_jisx0213_encode<false>, {}, nullptr, nullptr, kNeedsJisX0213},
    {},
};

}  // namespace

namespace {

// What the edition of 2004 added.
bool is_new_in_2004(unsigned code) {
  constexpr unsigned kCodes[] = {0xaea1, 0xaffe, 0xcfd4, 0xcffe, 0xf4a7, 0xfefa, 0xfefb, 0xfefc, 0xfefd, 0xfefe};
  for (unsigned added : kCodes) {
    if (code == added) return true;
  }
  return false;
}

}  // namespace

// The code of a character whose form changed in 2004: it was kOldForm before, and is another one now.
constexpr unsigned kChangedCode = 0xfdbb;
constexpr Py_UCS4 kOldForm = 0x9b1d, kNewForm = 0x9b1c;

int read_jisx0213(bool year_2000, bool plane2, unsigned lead, unsigned trail, Py_UCS4* out) {
  if (lead < 0xa1 || trail < 0xa1) return 0;
  if (year_2000 && !plane2 && is_new_in_2004(lead << 8 | trail)) return -1;
  const int count = table(plane2 ? kJisX0213b : kJisX0213a).read(lead, trail, out);
  if (year_2000 && plane2 && (lead << 8 | trail) == kChangedCode) out[0] = kOldForm;
  return count;
}

int write_jisx0213(bool year_2000, const Py_UCS4* in, Py_ssize_t n, bool last, unsigned* code) {
  if (year_2000 && (in[0] == kOldForm || in[0] == kNewForm)) {
    *code = kChangedCode | kPlane2;
    return in[0] == kOldForm ? 1 : -2;
  }
  const int taken = table(kJisX0213a).write(in, n, last, code);
  if (taken == 0) return 0;
  if (taken > 0 && year_2000 && is_new_in_2004(*code)) return -2;
  if (taken > 0 && *code >> 8 != 0x8e) return taken;  // narrow katakana have a prefix of their own in EUC
  *code = table(kJisX0213b).encode(in[0]) | kPlane2;
  return *code != kPlane2 ? 1 : -1;
}

PyObject* get_codec(const Encoding* encodings, PyObject* name) {
  if (!PyUnicode_Check(name)) {
    PyErr_SetString(PyExc_TypeError, "encoding name must be a string.");
    return nullptr;
  }
  const Encoding* found = encodings;
  while (found->name != nullptr && PyUnicode_CompareWithASCIIString(name, found->name) != 0) ++found;
  if (found->name == nullptr) {
    PyErr_SetString(PyExc_LookupError, "no such codec is supported.");
    return nullptr;
  }
  for (auto* set = static_cast<const Set*>(found->data); *set != kSets; ++set) {
    if (make_table(*set) == nullptr) return nullptr;
  }
  ext::Ref capsule(PyCapsule_New(const_cast<Encoding*>(found), multibyte::kCapsule, nullptr));
  ext::Ref module(capsule ? PyImport_ImportModule("_multibytecodec") : nullptr);
  return module ? PyObject_CallMethod(module.get(), "__create_codec", "O", capsule.get()) : nullptr;
}

}  // namespace cjk

namespace {

template <const cjk::Encoding* encodings>
PyObject* getcodec(PyObject*, PyObject* name) {
  return cjk::get_codec(encodings, name);
}

PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

}  // namespace

#define AMPHIS_CJK_MODULE(name, encodings)                                                                   \
  static PyMethodDef name##_methods[] = {{"getcodec", getcodec<encodings>, METH_O, nullptr}, {}};            \
  static PyModuleDef name##_def = {                                                                          \
      .m_base = PyModuleDef_HEAD_INIT, .m_name = #name, .m_size = 0, .m_methods = name##_methods, .m_slots = slots}; \
  PyMODINIT_FUNC PyInit_##name(void) { return PyModuleDef_Init(&name##_def); }

AMPHIS_CJK_MODULE(_codecs_cn, cjk::kChinese)
AMPHIS_CJK_MODULE(_codecs_tw, cjk::kTaiwanese)
AMPHIS_CJK_MODULE(_codecs_hk, cjk::kHongKong)
AMPHIS_CJK_MODULE(_codecs_kr, cjk::kKorean)
AMPHIS_CJK_MODULE(_codecs_jp, cjk::kJapanese)
