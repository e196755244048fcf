// _codecs_iso2022: the seven-bit encodings that switch between character sets with escape sequences (ISO 2022; RFC 1468, 1554, 1557,
// 2237). The state holds the sets that G0, G1 and G2 designate, and flags.
#include "cjk_codecs.h"

#include <cstring>

namespace cjk {

namespace {

constexpr unsigned char kEsc = 0x1b, kShiftOut = 0x0e, kShiftIn = 0x0f;
constexpr unsigned char kTwoBytes = 0x80;  // of a charset's mark, beside its final character

enum Charset : unsigned char {
  kNone = 0,
  kAscii = 'B',
  kRoman = 'J',    // JIS X 0201
  kKatakana = 'I',
  kLatin1 = 'A',
  kGreek = 'F',    // ISO 8859-7
  kOldKanji = '@' | kTwoBytes,  // JIS C 6226
  kKanji = 'B' | kTwoBytes,     // JIS X 0208
  kMoreKanji = 'D' | kTwoBytes, // JIS X 0212
  kKorean = 'C' | kTwoBytes,    // KS X 1001
  kChineseSet = 'A' | kTwoBytes,
  kPlane1Of2000 = 'O' | kTwoBytes,  // JIS X 0213
  kPlane1Of2004 = 'Q' | kTwoBytes,
  kPlane2Of2000 = 'P' | kTwoBytes,
};

enum Flags : unsigned char { kShifted = 1, kThrough = 2 };
unsigned char& flags(State* state) { return state->c[7]; }

// In the order in which an encoder tries them. Latin-1 and Greek, in G2, are read only.
struct Sets {
  Charset charsets[9];
  bool g1;      // the two-byte set is in G1, between shifts
  bool second;  // G2 is used
  Set needs[6];
};


int width_of(unsigned char charset) { return charset & kTwoBytes ? 2 : 1; }

// One or two characters, or none.
int read_one(unsigned char charset, const unsigned char* in, Py_UCS4* out) {
  auto found = [out](Py_UCS4 c) {
    out[0] = c;
    return c != 0 ? 1 : 0;
  };
  switch (charset) {
    case kAscii: return found(in[0]);
    case kRoman: return found(in[0] == '\\' ? 0xa5 : in[0] == '~' ? 0x203e : in[0]);
    case kKatakana: return found(in[0] >= 0x21 && in[0] <= 0x5f ? 0xff61 + (in[0] - 0x21u) : 0);
    default: break;
  }
  const unsigned lead = in[0] | 0x80u, trail = in[1] | 0x80u;
  if (lead < 0xa1 || trail < 0xa1 || lead > 0xfe || trail > 0xfe) return 0;
  switch (charset) {
    case kOldKanji:
    case kKanji: return found(table(kEucJp).decode(lead, trail));
    case kMoreKanji: return found(table(kJisX0212).decode(lead, trail));
    case kKorean: return found(table(kEucKr).decode(lead, trail));
    case kChineseSet: return found(table(kGb2312).decode(lead, trail));
    case kPlane1Of2000: return read_jisx0213(true, false, lead, trail, out);
    case kPlane1Of2004: return read_jisx0213(false, false, lead, trail, out);
    case kPlane2Of2000: return read_jisx0213(false, true, lead, trail, out);
    default: return 0;
  }
}

// The code of c in the set, or 0.
unsigned write_one(Charset charset, Py_UCS4 c) {
  auto in_94_by_94 = [](unsigned code) { return (code >> 8) >= 0xa1 && (code & 0xff) >= 0xa1 ? code & 0x7f7f : 0; };
  switch (charset) {
    case kRoman: return c == 0xa5 ? '\\' : c == 0x203e ? '~' : 0;
    case kKatakana: return c >= 0xff61 && c <= 0xff9f ? c - 0xff61 + 0x21 : 0;
    case kKanji: return in_94_by_94(table(kEucJp).encode(c));
    case kMoreKanji: return in_94_by_94(table(kJisX0212).encode(c));
    case kKorean: return in_94_by_94(table(kEucKr).encode(c));
    case kChineseSet: return in_94_by_94(table(kGb2312).encode(c));
    default: return 0;
  }
}

// ISO 8859-7, above 0xa0: the Greek block but for these.
Py_UCS4 greek(unsigned char low) {
  const unsigned byte = low + 0x80u;
  switch (byte) {
    case 0xa1: return 0x2018;
    case 0xa2: return 0x2019;
    case 0xaf: return 0x2015;
    case 0xa4: case 0xa5: case 0xaa: case 0xae: case 0xd2: case 0xff: return 0;
    case 0xa0: case 0xa3: case 0xa6: case 0xa7: case 0xa8: case 0xa9: case 0xab: case 0xac: case 0xad: case 0xb0: case 0xb1: case 0xb2:
    case 0xb3: case 0xb7: case 0xbb: case 0xbd: return byte;
    default: return byte + 0x2d0;
  }
}

const Sets& sets_of(const Encoding* encoding);

bool has(const Sets& sets, unsigned char charset) {
  if (charset == kAscii) return true;
  for (const Charset* c = sets.charsets; *c != kNone; ++c) {
    if (*c == charset) return true;
  }
  return false;
}

bool ends_escape(unsigned char c) { return (c >= 'A' && c <= 'Z') || c == '@'; }

int escape(const Sets& sets, State* state, const unsigned char* in, Py_ssize_t n) {
  constexpr Py_ssize_t kLongest = 16;
  const bool japanese = !sets.g1;
  Py_ssize_t length = 0;
  for (Py_ssize_t i = 1; i < kLongest && length == 0; ++i) {
    if (i >= n) return kMore;
    if (ends_escape(in[i])) {
      length = i + 1;
    } else if (japanese && i + 1 < n && in[i] == '&' && in[i + 1] == '@') {
      i += 2;  // the announcement of an edition comes before
    }
  }
  if (length == 0) return -1;
  unsigned char charset;
  int designates;
  auto plane = [](unsigned char c) { return c == '(' ? 0 : c == ')' ? 1 : c == '.' ? 2 : -1; };
  if (length == 3) {
    charset = in[1] == '$' ? in[2] | kTwoBytes : in[2];
    designates = in[1] == '$' ? 0 : plane(in[1]);
    if (designates == 2 && !sets.second) designates = -1;
  } else if (length == 4 && in[1] == '$') {
    charset = in[3] | kTwoBytes;
    designates = plane(in[2]) < 2 ? plane(in[2]) : -1;
  } else if (length == 6 && japanese && in[3] == kEsc && in[4] == '$' && in[5] == 'B') {
    charset = kKanji;
    designates = 0;
  } else {
    return -static_cast<int>(length);
  }
  if (designates < 0 || !has(sets, charset)) return -static_cast<int>(length);
  state->c[designates] = charset;
  return static_cast<int>(length);
}

int iso2022_decode(const Encoding* self, State* state, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count) {
  const Sets& sets = sets_of(self);
  auto through = [&] {
    *out = in[0];
    *count = 1;
    return 1;
  };
  const unsigned char c = in[0];
  if (flags(state) & kThrough) {  // the rest of what is no escape sequence of ours
    if (ends_escape(c)) flags(state) &= static_cast<unsigned char>(~kThrough);
    return through();
  }
  switch (c) {
    case kEsc:
      if (n < 2) return kMore;
      if (strchr("()$.&", in[1]) != nullptr && in[1] != 0) return escape(sets, state, in, n);
      if (sets.second && in[1] == 'N') {
        if (n < 3) return kMore;
        switch (state->c[2]) {
          case kLatin1: *out = in[2] < 0x80 ? in[2] + 0x80u : 0; break;
          case kGreek: *out = in[2] < 0x80 ? greek(in[2]) : 0; break;
          default: *out = in[2] < 0x80 ? in[2] : 0; break;
        }
        if (*out == 0) return -3;
        *count = 1;
        return 3;
      }
      flags(state) |= kThrough;
      return through();
    case kShiftIn:
      if (!sets.g1) return through();
      flags(state) &= static_cast<unsigned char>(~kShifted);
      return 1;
    case kShiftOut:
      if (!sets.g1) return through();
      flags(state) |= kShifted;
      return 1;
    case '\n': flags(state) &= static_cast<unsigned char>(~kShifted); return through();
    default: break;
  }
  if (c < 0x20) return through();
  if (c >= 0x80) return -1;
  const unsigned char charset = state->c[flags(state) & kShifted ? 1 : 0];
  if (charset == kAscii) return through();
  if (!has(sets, charset)) return -1;
  const int width = width_of(charset);
  if (n < width) return kMore;
  *count = read_one(charset, in, out);
  return *count > 0 ? width : -width;
}

void shift_in(State* state, std::string* out) {
  if (flags(state) & kShifted) out->push_back(static_cast<char>(kShiftIn));
  flags(state) &= static_cast<unsigned char>(~kShifted);
}

void to_ascii(State* state, std::string* out) {
  if (state->c[0] != kAscii) out->append("\x1b(B");
  state->c[0] = kAscii;
}

void iso2022_encode_reset(State* state, std::string* out) {
  shift_in(state, out);
  to_ascii(state, out);
}

void iso2022_decode_reset(State* state) {
  state->c[0] = kAscii;
  flags(state) &= static_cast<unsigned char>(~kShifted);
}

int iso2022_encode(const Encoding* self, State* state, const Py_UCS4* in, Py_ssize_t n, bool last, std::string* out) {
  const Sets& sets = sets_of(self);
  if (in[0] < 0x80) {
    to_ascii(state, out);
    shift_in(state, out);
    out->push_back(static_cast<char>(in[0]));
    if (in[0] == '\n') flags(state) &= static_cast<unsigned char>(~kShifted);
    return 1;
  }
  const Charset* charset = sets.charsets;
  unsigned code = 0;
  int taken = 1;
  Charset chosen = kNone;
  if (*charset == kPlane1Of2000 || *charset == kPlane1Of2004) {
    // A pair of characters has a code in JIS X 0213 only; one alone is JIS X 0208's, if it is there.
    unsigned wide = 0;
    taken = in[0] == 0xff5e ? -1 : write_jisx0213(*charset == kPlane1Of2000, in, n, last, &wide);
    if (taken == kMore) return kMore;
    if (taken != 2) code = write_one(kKanji, in[0]);
    if (code != 0) {
      chosen = kKanji;
      taken = 1;
    } else if (taken > 0) {
      chosen = wide & kPlane2 ? kPlane2Of2000 : *charset;
      code = wide & 0x7f7f;
    }
  } else {
    for (; *charset != kNone; ++charset) {
      code = write_one(*charset, in[0]);
      if (code != 0) break;
    }
    chosen = *charset;
  }
  if (code == 0) return -1;
  charset = &chosen;
  const char final = static_cast<char>(*charset & 0x7f);
  if (sets.g1) {
    if (state->c[1] != *charset) out->append("\x1b$)").push_back(final);
    state->c[1] = *charset;
    if (!(flags(state) & kShifted)) out->push_back(static_cast<char>(kShiftOut));
    flags(state) |= kShifted;
  } else {
    if (state->c[0] != *charset) {
      const bool old = *charset == kKanji;  // from before the '(' was written
      out->append(*charset & kTwoBytes ? old ? "\x1b$" : "\x1b$(" : "\x1b(").push_back(final);
    }
    state->c[0] = *charset;
  }
  if (*charset & kTwoBytes) out->push_back(static_cast<char>(code >> 8));
  out->push_back(static_cast<char>(code));
  return taken;
}

constexpr Sets kSetsOf[] = {
    {{kKorean}, true, false, {kEucKr, kSets}},
    {{kKanji, kRoman, kOldKanji}, false, false, {kEucJp, kSets}},
    {{kKanji, kMoreKanji, kRoman, kOldKanji}, false, false, {kEucJp, kJisX0212, kSets}},
    {{kKanji, kMoreKanji, kKorean, kChineseSet, kRoman, kOldKanji, kLatin1, kGreek}, false, true, {kEucJp, kJisX0212, kEucKr, kGb2312, kSets}},
    {{kKanji, kMoreKanji, kRoman, kKatakana, kOldKanji}, false, false, {kEucJp, kJisX0212, kSets}},
    {{kPlane1Of2000, kKanji, kPlane2Of2000}, false, false, {kEucJp, kJisX0213a, kJisX0213b, kSets}},
    {{kPlane1Of2004, kKanji, kPlane2Of2000}, false, false, {kEucJp, kJisX0213a, kJisX0213b, kSets}},
};

#define AMPHIS_ISO2022(name, index) \
  {name, iso2022_decode, iso2022_encode, {{kAscii, kAscii}}, iso2022_encode_reset, iso2022_decode_reset, kSetsOf[index].needs}
constexpr Encoding kEncodings[] = {
    AMPHIS_ISO2022("iso2022_kr", 0),   AMPHIS_ISO2022("iso2022_jp", 1),     AMPHIS_ISO2022("iso2022_jp_1", 2),
    AMPHIS_ISO2022("iso2022_jp_2", 3), AMPHIS_ISO2022("iso2022_jp_ext", 4),
    AMPHIS_ISO2022("iso2022_jp_3", 5), AMPHIS_ISO2022("iso2022_jp_2004", 6), {},
};

const Sets& sets_of(const Encoding* encoding) { return kSetsOf[encoding - kEncodings]; }

PyObject* getcodec(PyObject*, PyObject* name) { return get_codec(kEncodings, name); }

PyMethodDef methods[] = {{"getcodec", getcodec, METH_O, nullptr}, {}};
PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef def = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "_codecs_iso2022", .m_size = 0, .m_methods = methods, .m_slots = slots};

}  // namespace

}  // namespace cjk

PyMODINIT_FUNC PyInit__codecs_iso2022(void) { return PyModuleDef_Init(&cjk::def); }
