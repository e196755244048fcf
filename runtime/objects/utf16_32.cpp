// UTF-16 and UTF-32 in both byte orders.
#include "objects/codecs.h"
#include "objects/str.h"
#include "objects/str_writer.h"

namespace amphis {
namespace {

typedef unsigned char Byte;

template <bool kBig>
inline Py_UCS4 read16(const Byte* p) {
  return kBig ? static_cast<Py_UCS4>(p[0] << 8 | p[1]) : static_cast<Py_UCS4>(p[1] << 8 | p[0]);
}
template <bool kBig>
inline Py_UCS4 read32(const Byte* p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return kBig ? __builtin_bswap32(v) : v;
}

// Decodes what is valid at p; stops at the end, at an incomplete unit or at an error.
template <bool kBig>
const Byte* decode16_run(const Byte* p, const Byte* end, StrWriter& out, bool* ok) {
  *ok = true;
  while (end - p >= 2) {
    // A stretch without surrogates goes in one piece.
    const Byte* q = p;
    Py_UCS4 seen = 0;
    while (end - q >= 64) {
      uint16_t any = 0, surrogates = 0;
      for (int k = 0; k < 32; k++) {
        uint16_t unit;
        memcpy(&unit, q + 2 * k, 2);
        if (kBig) unit = __builtin_bswap16(unit);
        any |= unit;
        surrogates |= (unit & 0xF800) == 0xD800;
      }
      if (surrogates) break;
      seen |= any;
      q += 64;
    }
    while (end - q >= 2) {
      Py_UCS4 ch = read16<kBig>(q);
      if (Py_UNICODE_IS_SURROGATE(ch)) break;
      seen |= ch;
      q += 2;
    }
    if (q > p) {
      Py_ssize_t n = (q - p) / 2;
      Py_UCS4 bound = seen < 0x80 ? 0x7F : seen < 0x100 ? 0xFF : 0xFFFF;
      if (!out.prepare(n, bound)) {
        *ok = false;
        return p;
      }
      _PyUnicodeWriter* w = out.raw();
      if (w->kind == 1) {
        Py_UCS1* to = static_cast<Py_UCS1*>(w->data) + w->pos;
        for (Py_ssize_t i = 0; i < n; i++) to[i] = static_cast<Py_UCS1>(read16<kBig>(p + 2 * i));
      } else if (w->kind == 2) {
        Py_UCS2* to = static_cast<Py_UCS2*>(w->data) + w->pos;
        memcpy(to, p, static_cast<size_t>(n) * 2);
        if (kBig) {
          for (Py_ssize_t i = 0; i < n; i++) to[i] = __builtin_bswap16(to[i]);
        }
      } else {
        Py_UCS4* to = static_cast<Py_UCS4*>(w->data) + w->pos;
        for (Py_ssize_t i = 0; i < n; i++) to[i] = read16<kBig>(p + 2 * i);
      }
      w->pos += n;
      p = q;
      continue;
    }
    Py_UCS4 high = read16<kBig>(p);
    if (!Py_UNICODE_IS_HIGH_SURROGATE(high) || end - p < 4) return p;
    Py_UCS4 low = read16<kBig>(p + 2);
    if (!Py_UNICODE_IS_LOW_SURROGATE(low)) return p;
    if (!out.put(Py_UNICODE_JOIN_SURROGATES(high, low))) {
      *ok = false;
      return p;
    }
    p += 4;
  }
  return p;
}

PyObject* decode16(const char* data, Py_ssize_t n, const char* errors, int* order, Py_ssize_t* consumed) {
  int bo = order ? *order : 0;
  const char* at = data;
  if (bo == 0 && n >= 2) {
    Py_UCS4 mark = read16<false>(reinterpret_cast<const Byte*>(data));
    if (mark == 0xFEFF) {
      bo = -1;
      at += 2;
    } else if (mark == 0xFFFE) {
      bo = 1;
      at += 2;
    }
  }
  bool big = bo == 1;
  DecodeErrors report(big ? "utf-16-be" : "utf-16-le", errors, data, n);
  StrWriter out(n / 2);
  for (;;) {
    bool ok;
    const Byte* p = reinterpret_cast<const Byte*>(at);
    const Byte* end = reinterpret_cast<const Byte*>(report.end());
    p = big ? decode16_run<true>(p, end, out, &ok) : decode16_run<false>(p, end, out, &ok);
    if (!ok) return nullptr;
    at = reinterpret_cast<const char*>(p);
    if (p == end) break;
    const char* reason;
    const char* stop = at + 2;
    if (end - p == 1) {
      if (consumed) break;
      reason = "truncated data";
      stop = at + 1;
    } else {
      Py_UCS4 ch = big ? read16<true>(p) : read16<false>(p);
      if (!Py_UNICODE_IS_HIGH_SURROGATE(ch)) {
        reason = "illegal encoding";
      } else if (end - p < 4) {
        if (consumed) break;
        reason = "unexpected end of data";
        stop = report.end();
      } else {
        reason = "illegal UTF-16 surrogate";
      }
    }
    at = report.handle(at, stop, reason, out.raw());
    if (!at) return nullptr;
  }
  if (order) *order = bo;
  if (consumed) *consumed = at - report.begin();
  return out.finish();
}

PyObject* decode32(const char* data, Py_ssize_t n, const char* errors, int* order, Py_ssize_t* consumed) {
  int bo = order ? *order : 0;
  const char* at = data;
  if (bo == 0 && n >= 4) {
    Py_UCS4 mark = read32<false>(reinterpret_cast<const Byte*>(data));
    if (mark == 0xFEFF) {
      bo = -1;
      at += 4;
    } else if (mark == 0xFFFE0000) {
      bo = 1;
      at += 4;
    }
  }
  bool big = bo == 1;
  DecodeErrors report(big ? "utf-32-be" : "utf-32-le", errors, data, n);
  StrWriter out(n / 4);
  for (;;) {
    const Byte* p = reinterpret_cast<const Byte*>(at);
    const Byte* end = reinterpret_cast<const Byte*>(report.end());
    const char* reason = nullptr;
    while (end - p >= 4) {
      Py_UCS4 ch = big ? read32<true>(p) : read32<false>(p);
      if (ch > kMaxCodePoint) {
        reason = "code point not in range(0x110000)";
        break;
      }
      if (Py_UNICODE_IS_SURROGATE(ch)) {
        reason = "code point in surrogate code point range(0xd800, 0xe000)";
        break;
      }
      if (!out.put(ch)) return nullptr;
      p += 4;
    }
    at = reinterpret_cast<const char*>(p);
    const char* stop = at + 4;
    if (!reason) {
      if (p == end || consumed) break;
      reason = "truncated data";
      stop = report.end();
    }
    at = report.handle(at, stop, reason, out.raw());
    if (!at) return nullptr;
  }
  if (order) *order = bo;
  if (consumed) *consumed = at - report.begin();
  return out.finish();
}

// Writers of one code point in the target encoding.
struct Writer16 {
  static constexpr int kUnit = 2;
  bool big;
  void unit(EncodedBytes& out, Py_UCS4 v) const {
    Byte b[2] = {static_cast<Byte>(v), static_cast<Byte>(v >> 8)};
    if (big) {
      Byte t = b[0];
      b[0] = b[1];
      b[1] = t;
    }
    memcpy(out.tail(), b, 2);
    out.advance_to(out.tail() + 2);
  }
  void put(EncodedBytes& out, Py_UCS4 ch) const {
    if (ch < 0x10000) {
      unit(out, ch);
    } else {
      unit(out, Py_UNICODE_HIGH_SURROGATE(ch));
      unit(out, Py_UNICODE_LOW_SURROGATE(ch));
    }
  }
};
struct Writer32 {
  static constexpr int kUnit = 4;
  bool big;
  void put(EncodedBytes& out, Py_UCS4 ch) const {
    uint32_t v = big ? __builtin_bswap32(ch) : ch;
    memcpy(out.tail(), &v, 4);
    out.advance_to(out.tail() + 4);
  }
};

// Text without lone surrogates in native byte order: straight into a result of the right size.
// Null, without an exception, where the text is of another kind.
template <class Writer>
PyObject* encode_plain(const StrView& s, int order) {
  typedef std::conditional_t<Writer::kUnit == 2, uint16_t, uint32_t> Unit;
  if (order == 1) return nullptr;
  Py_ssize_t pairs = 0;
  bool plain = s.kind == 1 || with_chars(s, [&](auto* p) {
                 bool surrogate = false;
                 Py_ssize_t wide = 0;
                 for (Py_ssize_t i = 0, n = s.length; i < n; i++) {
                   surrogate |= (p[i] & ~Py_UCS4{0x7FF}) == 0xD800;
                   wide += p[i] >= 0x10000;
                 }
                 if (Writer::kUnit == 2) pairs = wide;
                 return !surrogate;
               });
  if (!plain) return nullptr;
  Py_ssize_t mark = order == 0;
  PyObject* bytes = PyBytes_FromStringAndSize(nullptr, (s.length + pairs + mark) * Writer::kUnit);
  if (!bytes) return nullptr;
  char* to = PyBytes_AS_STRING(bytes);
  if (mark) {
    Unit bom = 0xFEFF;
    memcpy(to, &bom, sizeof bom);
    to += sizeof bom;
  }
  with_chars(s, [&](auto* p) {
    char* __restrict out = to;
    if (pairs) {
      for (Py_ssize_t i = 0, n = s.length; i < n; i++) {
        Py_UCS4 ch = p[i];
        uint32_t units = ch;
        if (ch >= 0x10000) units = Py_UNICODE_HIGH_SURROGATE(ch) | Py_UNICODE_LOW_SURROGATE(ch) << 16;
        memcpy(out, &units, ch >= 0x10000 ? 4 : 2);
        out += ch >= 0x10000 ? 4 : 2;
      }
      return;
    }
    for (Py_ssize_t i = 0, n = s.length; i < n; i++) {
      Unit unit = static_cast<Unit>(p[i]);
      memcpy(out + i * static_cast<Py_ssize_t>(sizeof unit), &unit, sizeof unit);
    }
  });
  return bytes;
}

template <class Writer>
PyObject* encode_wide(PyObject* text, const char* errors, int order, const char* native, const char* little,
                      const char* big) {
  if (!PyUnicode_Check(text)) {
    PyErr_BadArgument();
    return nullptr;
  }
  StrView s(text);
  Writer writer{order == 1};
  EncodeErrors report(order == -1 ? little : order == 1 ? big : native, errors, text);
  if (s.length > (PY_SSIZE_T_MAX - 8) / 4) return PyErr_NoMemory();
  EncodedBytes out;
  if (PyObject* whole = encode_plain<Writer>(s, order)) return whole;
  if (PyErr_Occurred()) return nullptr;
  if (!out.reserve(s.length * (s.kind == 4 ? 4 : Writer::kUnit) + 8)) return nullptr;
  if (order == 0) writer.put(out, 0xFEFF);
  for (Py_ssize_t i = 0; i < s.length;) {
    Py_UCS4 ch = s[i];
    if (!Py_UNICODE_IS_SURROGATE(ch)) {
      if (!out.reserve(4)) return nullptr;
      writer.put(out, ch);
      i++;
      continue;
    }
    Py_ssize_t next;
    Ref<> replacement = Ref<>::steal(report.handle(i, i + 1, "surrogates not allowed", &next));
    if (!replacement) return nullptr;
    PyObject* r = replacement.get();
    if (PyBytes_Check(r)) {
      if (PyBytes_GET_SIZE(r) % Writer::kUnit != 0) {
        report.raise(i, i + 1, "surrogates not allowed");
        return nullptr;
      }
      if (!out.put(PyBytes_AS_STRING(r), PyBytes_GET_SIZE(r))) return nullptr;
    } else {
      StrView v(r);
      if (!v.ascii) {
        report.raise(i, i + 1, "surrogates not allowed");
        return nullptr;
      }
      if (!out.reserve(v.length * 4)) return nullptr;
      for (Py_ssize_t k = 0; k < v.length; k++) writer.put(out, v[k]);
    }
    i = next;
  }
  return out.finish();
}

}  // namespace

PyObject* encode_utf16(PyObject* text, const char* errors, int byte_order) {
  return encode_wide<Writer16>(text, errors, byte_order, "utf-16", "utf-16-le", "utf-16-be");
}

PyObject* encode_utf32(PyObject* text, const char* errors, int byte_order) {
  return encode_wide<Writer32>(text, errors, byte_order, "utf-32", "utf-32-le", "utf-32-be");
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_DecodeUTF16Stateful(const char* data, Py_ssize_t n, const char* errors, int* order,
                                        Py_ssize_t* consumed) {
  return decode16(data, n, errors, order, consumed);
}
PyObject* PyUnicode_DecodeUTF16(const char* data, Py_ssize_t n, const char* errors, int* order) {
  return decode16(data, n, errors, order, nullptr);
}
PyObject* PyUnicode_AsUTF16String(PyObject* s) {
  return encode_utf16(s, nullptr, 0);
}

PyObject* PyUnicode_DecodeUTF32Stateful(const char* data, Py_ssize_t n, const char* errors, int* order,
                                        Py_ssize_t* consumed) {
  return decode32(data, n, errors, order, consumed);
}
PyObject* PyUnicode_DecodeUTF32(const char* data, Py_ssize_t n, const char* errors, int* order) {
  return decode32(data, n, errors, order, nullptr);
}
PyObject* PyUnicode_AsUTF32String(PyObject* s) {
  return encode_utf32(s, nullptr, 0);
}

}  // extern "C"
