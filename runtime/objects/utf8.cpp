// UTF-8: decoding, encoding and the cached UTF-8 form of a str.
//
// Decoding scans the input once to learn length and widest character, then writes into a string of the exact
// size. Only input with errors takes the slower way through a writer.
#include "objects/codecs.h"
#include "objects/str.h"
#include "objects/str_writer.h"

namespace amphis {
namespace {

typedef unsigned char Byte;

inline bool is_continuation(Byte b) {
  return (b & 0xC0) == 0x80;
}

struct Sequence {
  int length;  // bytes of a valid sequence, or 0
  Py_UCS4 ch;
  int bad_length;      // where invalid: how many bytes belong to the error
  const char* reason;  // where invalid: null means the input ends inside a sequence
};

// Reads one sequence whose first byte is not ASCII. Well-formedness after the Unicode standard, table 3-7.
inline Sequence read_sequence(const Byte* p, const Byte* end) {
  Byte lead = p[0];
  Py_ssize_t left = end - p;
  if (lead < 0xC2 || lead > 0xF4) return {0, 0, 1, "invalid start byte"};
  if (lead < 0xE0) {
    if (left < 2) return {0, 0, static_cast<int>(left), nullptr};
    if (!is_continuation(p[1])) return {0, 0, 1, "invalid continuation byte"};
    return {2, static_cast<Py_UCS4>((lead & 0x1F) << 6 | (p[1] & 0x3F)), 0, nullptr};
  }
  Byte low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  Byte high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (left < 2) return {0, 0, static_cast<int>(left), nullptr};
  if (p[1] < low || p[1] > high) return {0, 0, 1, "invalid continuation byte"};
  if (left < 3) return {0, 0, static_cast<int>(left), nullptr};
  if (!is_continuation(p[2])) return {0, 0, 2, "invalid continuation byte"};
  if (lead < 0xF0) {
    return {3, static_cast<Py_UCS4>((lead & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F)), 0, nullptr};
  }
  if (left < 4) return {0, 0, static_cast<int>(left), nullptr};
  if (!is_continuation(p[3])) return {0, 0, 3, "invalid continuation byte"};
  return {
      4, static_cast<Py_UCS4>((lead & 0x07) << 18 | (p[1] & 0x3F) << 12 | (p[2] & 0x3F) << 6 | (p[3] & 0x3F)),
      0, nullptr};
}

// The start of an encoded surrogate that the input breaks off: an error handler may want all of it, so it
// counts as incomplete.
inline bool may_become_surrogate(const Byte* p, const Byte* end) {
  return end - p == 2 && p[0] == 0xED && p[1] >= 0xA0 && p[1] <= 0xBF;
}

struct Scan {
  Py_ssize_t chars;
  Py_UCS4 seen;      // or of all characters
  const Byte* stop;  // the end, or the first byte that is not part of a valid sequence
};

Scan scan(const Byte* p, const Byte* end) {
  Py_ssize_t chars = 0;
  Py_UCS4 seen = 0;
  while (p < end) {
    if (*p < 0x80) {
      Py_ssize_t run = ascii_prefix(reinterpret_cast<const char*>(p), reinterpret_cast<const char*>(end));
      p += run;
      chars += run;
      continue;
    }
    // The common sequences, with their tests in line; read_sequence() judges the rest.
    if (end - p >= 3) {
      Byte lead = p[0];
      if (lead < 0xE0) {
        if (lead >= 0xC2 && is_continuation(p[1])) {
          seen |= static_cast<Py_UCS4>((lead & 0x1F) << 6 | (p[1] & 0x3F));
          chars++;
          p += 2;
          continue;
        }
      } else if (lead < 0xF0 && is_continuation(p[1]) && is_continuation(p[2])) {
        Py_UCS4 ch = static_cast<Py_UCS4>((lead & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F));
        if (ch >= 0x800 && !Py_UNICODE_IS_SURROGATE(ch)) {
          seen |= ch;
          chars++;
          p += 3;
          continue;
        }
      }
    }
    Sequence s = read_sequence(p, end);
    if (s.length == 0) break;
    seen |= s.ch;
    chars++;
    p += s.length;
  }
  return {chars, seen, p};
}

// The input is known to be valid and to hold as many characters as [to, to_end) has room for.
template <class Ch>
void write_valid(const Byte* p, const Byte* end, Ch* to, Ch* to_end) {
  while (p < end) {
    Byte lead = *p;
    if (lead < 0x80) {
      // Eight at a time, whatever they are: what comes after the ASCII run is overwritten.
      if (end - p >= 8 && to_end - to >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        uint64_t high = word & 0x8080808080808080ULL;
        for (int i = 0; i < 8; i++) to[i] = p[i];
        int run = high ? __builtin_ctzll(high) >> 3 : 8;
        p += run;
        to += run;
      } else {
        *to++ = *p++;
      }
    } else if (lead < 0xE0) {
      *to++ = static_cast<Ch>((lead & 0x1F) << 6 | (p[1] & 0x3F));
      p += 2;
    } else if (lead < 0xF0) {
      *to++ = static_cast<Ch>((lead & 0x0F) << 12 | (p[1] & 0x3F) << 6 | (p[2] & 0x3F));
      p += 3;
    } else {
      *to++ = static_cast<Ch>((lead & 0x07) << 18 | (p[1] & 0x3F) << 12 | (p[2] & 0x3F) << 6 | (p[3] & 0x3F));
      p += 4;
    }
  }
}

void write_valid(const Byte* p, const Byte* end, int kind, void* to, Py_ssize_t at, Py_ssize_t n) {
  if (kind == 1) {
    write_valid(p, end, static_cast<Py_UCS1*>(to) + at, static_cast<Py_UCS1*>(to) + at + n);
  } else if (kind == 2) {
    write_valid(p, end, static_cast<Py_UCS2*>(to) + at, static_cast<Py_UCS2*>(to) + at + n);
  } else {
    write_valid(p, end, static_cast<Py_UCS4*>(to) + at, static_cast<Py_UCS4*>(to) + at + n);
  }
}

inline Py_UCS4 bound_of(Py_UCS4 bits) {
  return bits < 0x80 ? 0x7F : bits < 0x100 ? 0xFF : bits < 0x10000 ? 0xFFFF : kMaxCodePoint;
}

inline char* put_utf8(char* to, Py_UCS4 ch) {
  if (ch < 0x80) {
    *to++ = static_cast<char>(ch);
  } else if (ch < 0x800) {
    *to++ = static_cast<char>(0xC0 | ch >> 6);
    *to++ = static_cast<char>(0x80 | (ch & 0x3F));
  } else if (ch < 0x10000) {
    *to++ = static_cast<char>(0xE0 | ch >> 12);
    *to++ = static_cast<char>(0x80 | (ch >> 6 & 0x3F));
    *to++ = static_cast<char>(0x80 | (ch & 0x3F));
  } else {
    *to++ = static_cast<char>(0xF0 | ch >> 18);
    *to++ = static_cast<char>(0x80 | (ch >> 12 & 0x3F));
    *to++ = static_cast<char>(0x80 | (ch >> 6 & 0x3F));
    *to++ = static_cast<char>(0x80 | (ch & 0x3F));
  }
  return to;
}

// The encoded size, or the position of the first surrogate as a negative number (-1 - position).
template <class Ch>
Py_ssize_t encoded_size(const Ch* p, Py_ssize_t n) {
  Py_ssize_t size = n;
  if constexpr (sizeof(Ch) == 1) {
    for (Py_ssize_t i = 0; i < n; i++) size += p[i] >> 7;
    return size;
  } else {
    // Blocks of a fixed size without branches, which the compiler turns into vector code.
    Py_ssize_t i = 0;
    for (; n - i >= 64; i += 64) {
      unsigned more = 0, surrogates = 0;
      for (int k = 0; k < 64; k++) {
        Py_UCS4 ch = p[i + k];
        more += (ch >= 0x80) + (ch >= 0x800) + (sizeof(Ch) == 4 && ch >= 0x10000);
        surrogates |= (ch & ~Py_UCS4{0x7FF}) == 0xD800;
      }
      if (surrogates) break;
      size += more;
    }
    for (; i < n; i++) {
      Py_UCS4 ch = p[i];
      if (Py_UNICODE_IS_SURROGATE(ch)) return -1 - i;
      size += (ch >= 0x80) + (ch >= 0x800) + (sizeof(Ch) == 4 && ch >= 0x10000);
    }
    return size;
  }
}

template <class Ch>
char* encode_run(const Ch* p, Py_ssize_t n, char* to) {
  const Ch* end = p + n;
  while (p < end) {
    Py_UCS4 ch = *p++;
    if (ch < 0x80) {
      *to++ = static_cast<char>(ch);
    } else if (ch < 0x800 || sizeof(Ch) == 1) {
      to[0] = static_cast<char>(0xC0 | ch >> 6);
      to[1] = static_cast<char>(0x80 | (ch & 0x3F));
      to += 2;
    } else if (ch < 0x10000 || sizeof(Ch) == 2) {
      to[0] = static_cast<char>(0xE0 | ch >> 12);
      to[1] = static_cast<char>(0x80 | (ch >> 6 & 0x3F));
      to[2] = static_cast<char>(0x80 | (ch & 0x3F));
      to += 3;
    } else {
      to = put_utf8(to, ch);
    }
  }
  return to;
}

PyObject* encode_with_errors(PyObject* text, const char* errors) {
  StrView view(text);
  EncodeErrors report("utf-8", errors, text);
  EncodedBytes out;
  if (!out.reserve(view.length * 2)) return nullptr;
  for (Py_ssize_t i = 0; i < view.length;) {
    Py_UCS4 ch = view[i];
    if (!Py_UNICODE_IS_SURROGATE(ch)) {
      if (!out.reserve(4)) return nullptr;
      out.advance_to(put_utf8(out.tail(), ch));
      i++;
      continue;
    }
    Py_ssize_t stop = i + 1;
    while (stop < view.length && Py_UNICODE_IS_SURROGATE(view[stop])) stop++;
    if (report.mode() == ErrorMode::kSurrogatePass) {
      if (!out.reserve((stop - i) * 3)) return nullptr;
      for (; i < stop; i++) out.advance_to(put_utf8(out.tail(), view[i]));
      continue;
    }
    Py_ssize_t next;
    Ref<> replacement = Ref<>::steal(report.handle(i, stop, "surrogates not allowed", &next));
    if (!replacement) return nullptr;
    PyObject* r = replacement.get();
    if (PyBytes_Check(r)) {
      if (!out.put(PyBytes_AS_STRING(r), PyBytes_GET_SIZE(r))) return nullptr;
    } else if (PyUnicode_IS_ASCII(r)) {
      if (!out.put(PyUnicode_1BYTE_DATA(r), PyUnicode_GET_LENGTH(r))) return nullptr;
    } else {
      report.raise(i, stop, "surrogates not allowed");
      return nullptr;
    }
    i = next;
  }
  return out.finish();
}

// Makes the cached UTF-8 form of a non-ASCII string. Several threads may do so at once; the first to publish
// wins.
bool fill_utf8_cache(PyObject* s) {
  PyCompactUnicodeObject* compact = compact_head(s);
  StrView view(s);
  Py_ssize_t size =
      view.ascii ? view.length : with_chars(view, [&](auto* p) { return encoded_size(p, view.length); });
  if (size < 0) {
    EncodeErrors report("utf-8", nullptr, s);
    Py_ssize_t start = -1 - size, stop = start + 1;
    while (stop < view.length && Py_UNICODE_IS_SURROGATE(view[stop])) stop++;
    report.raise(start, stop, "surrogates not allowed");
    return false;
  }
  char* buffer = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(size) + 1));
  if (!buffer) {
    PyErr_NoMemory();
    return false;
  }
  char* end = with_chars(view, [&](auto* p) { return encode_run(p, view.length, buffer); });
  *end = 0;
  __atomic_store_n(&compact->utf8_length, size, __ATOMIC_RELAXED);
  char* expected = nullptr;
  // The release pairs with the acquire in PyUnicode_AsUTF8AndSize.
  if (!__atomic_compare_exchange_n(&compact->utf8, &expected, buffer, false, __ATOMIC_RELEASE,
                                   __ATOMIC_RELAXED)) {
    PyMem_Free(buffer);
  }
  return true;
}

}  // namespace

PyObject* encode_utf8(PyObject* text, const char* errors) {
  if (!PyUnicode_Check(text)) {
    PyErr_BadArgument();
    return nullptr;
  }
  StrView view(text);
  if (view.ascii) return PyBytes_FromStringAndSize(static_cast<const char*>(view.data), view.length);
  if (const char* cached = __atomic_load_n(&compact_head(text)->utf8, __ATOMIC_ACQUIRE)) {
    return PyBytes_FromStringAndSize(cached,
                                     __atomic_load_n(&compact_head(text)->utf8_length, __ATOMIC_RELAXED));
  }
  Py_ssize_t size = with_chars(view, [&](auto* p) { return encoded_size(p, view.length); });
  if (size < 0) return encode_with_errors(text, errors);
  PyObject* bytes = PyBytes_FromStringAndSize(nullptr, size);
  if (!bytes) return nullptr;
  with_chars(view, [&](auto* p) { return encode_run(p, view.length, PyBytes_AS_STRING(bytes)); });
  return bytes;
}

bool write_utf8(_PyUnicodeWriter* w, const char* data, Py_ssize_t n, const char* errors,
                Py_ssize_t* consumed) {
  DecodeErrors report("utf-8", errors, data, n);
  const char* at = data;
  for (;;) {
    const Byte* p = reinterpret_cast<const Byte*>(at);
    const Byte* end = reinterpret_cast<const Byte*>(report.end());
    Scan run = scan(p, end);
    if (run.chars > 0) {
      if (_PyUnicodeWriter_Prepare(w, run.chars, bound_of(run.seen)) < 0) return false;
      write_valid(p, run.stop, w->kind, w->data, w->pos, run.chars);
      w->pos += run.chars;
    }
    at = reinterpret_cast<const char*>(run.stop);
    if (run.stop == end) break;
    Sequence bad = read_sequence(run.stop, end);
    if (consumed && (!bad.reason || may_become_surrogate(run.stop, end))) break;
    at = report.handle(at, at + bad.bad_length, bad.reason ? bad.reason : "unexpected end of data", w);
    if (!at) return false;
  }
  if (consumed) *consumed = at - report.begin();
  return true;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_DecodeUTF8Stateful(const char* data, Py_ssize_t n, const char* errors,
                                       Py_ssize_t* consumed) {
  if (n == 0) {
    if (consumed) *consumed = 0;
    return empty_str();
  }
  const char* end = data + n;
  Py_ssize_t ascii = ascii_prefix(data, end);
  if (ascii == n) {
    if (consumed) *consumed = n;
    return str_from_ascii(data, n);
  }
  const Byte* rest = reinterpret_cast<const Byte*>(data + ascii);
  Scan run = scan(rest, reinterpret_cast<const Byte*>(end));
  bool complete = run.stop == reinterpret_cast<const Byte*>(end);
  if (!complete && consumed) {
    Sequence bad = read_sequence(run.stop, reinterpret_cast<const Byte*>(end));
    complete = bad.reason == nullptr || may_become_surrogate(run.stop, reinterpret_cast<const Byte*>(end));
  }
  if (complete) {
    Py_ssize_t chars = ascii + run.chars;
    if (consumed) *consumed = reinterpret_cast<const char*>(run.stop) - data;
    if (run.seen == 0) return str_from_ascii(data, chars);
    if (chars == 1) return str_from_char(run.seen);
    Py_UCS4 bound = bound_of(run.seen);
    PyObject* s = PyUnicode_New(chars, bound);
    if (!s) return nullptr;
    void* to = PyUnicode_DATA(s);
    int kind = kind_for(bound);
    copy_chars_to(kind, to, 0, 1, data, 0, ascii);
    write_valid(rest, run.stop, kind, to, ascii, run.chars);
    return s;
  }
  StrWriter out(n);
  if (!write_utf8(out.raw(), data, n, errors, consumed)) return nullptr;
  return out.finish();
}

PyObject* PyUnicode_DecodeUTF8(const char* data, Py_ssize_t n, const char* errors) {
  return PyUnicode_DecodeUTF8Stateful(data, n, errors, nullptr);
}

PyObject* PyUnicode_AsUTF8String(PyObject* s) {
  return encode_utf8(s, nullptr);
}

const char* PyUnicode_AsUTF8AndSize(PyObject* s, Py_ssize_t* size) {
  if (!PyUnicode_Check(s)) {
    PyErr_BadArgument();
    if (size) *size = -1;
    return nullptr;
  }
  if (PyUnicode_IS_COMPACT_ASCII(s)) {
    if (size) *size = PyUnicode_GET_LENGTH(s);
    return static_cast<const char*>(PyUnicode_DATA(s));
  }
  PyCompactUnicodeObject* compact = compact_head(s);
  char* cached = __atomic_load_n(&compact->utf8, __ATOMIC_ACQUIRE);
  if (!cached) {
    if (!fill_utf8_cache(s)) {
      if (size) *size = -1;
      return nullptr;
    }
    cached = __atomic_load_n(&compact->utf8, __ATOMIC_ACQUIRE);
  }
  if (size) *size = __atomic_load_n(&compact->utf8_length, __ATOMIC_RELAXED);
  return cached;
}

const char* PyUnicode_AsUTF8(PyObject* s) {
  return PyUnicode_AsUTF8AndSize(s, nullptr);
}

int PyUnicode_EqualToUTF8AndSize(PyObject* s, const char* text, Py_ssize_t n) {
  if (PyUnicode_IS_ASCII(s)) {
    return n == PyUnicode_GET_LENGTH(s) && memcmp(PyUnicode_DATA(s), text, static_cast<size_t>(n)) == 0;
  }
  StrView view(s);
  const char* end = text + n;
  for (Py_ssize_t i = 0; i < view.length; i++) {
    char one[4];
    Py_UCS4 ch = view[i];
    if (Py_UNICODE_IS_SURROGATE(ch)) return 0;
    Py_ssize_t size = put_utf8(one, ch) - one;
    if (end - text < size || memcmp(text, one, static_cast<size_t>(size)) != 0) return 0;
    text += size;
  }
  return text == end;
}

int PyUnicode_EqualToUTF8(PyObject* s, const char* text) {
  return PyUnicode_EqualToUTF8AndSize(s, text, static_cast<Py_ssize_t>(strlen(text)));
}

}  // extern "C"
