// ASCII and Latin-1: one byte per character.
#include "objects/codecs.h"
#include "objects/str.h"

namespace amphis {
namespace {

PyObject* encode_single_byte(PyObject* text, const char* errors, Py_UCS4 limit) {
  if (!PyUnicode_Check(text)) {
    PyErr_BadArgument();
    return nullptr;
  }
  StrView s(text);
  if (s.ascii || (limit == 256 && s.kind == 1)) {
    return PyBytes_FromStringAndSize(static_cast<const char*>(s.data), s.length);
  }
  const char* reason = limit == 256 ? "ordinal not in range(256)" : "ordinal not in range(128)";
  EncodeErrors report(limit == 256 ? "latin-1" : "ascii", errors, text);
  EncodedBytes out;
  if (!out.reserve(s.length)) return nullptr;
  for (Py_ssize_t i = 0; i < s.length;) {
    if (!out.reserve(s.length - i)) return nullptr;
    i = with_chars(s, [&](auto* p) {
      char* to = out.tail();
      Py_ssize_t at = i, n = s.length;
      for (; at < n && p[at] < limit; at++) *to++ = static_cast<char>(p[at]);
      out.advance_to(to);
      return at;
    });
    if (i == s.length) break;
    Py_ssize_t stop = i + 1;
    while (stop < s.length && s[stop] >= limit) stop++;
    if (report.mode() == ErrorMode::kReplace) {
      memset(out.tail(), '?', static_cast<size_t>(stop - i));
      out.advance_to(out.tail() + (stop - i));
      i = stop;
      continue;
    }
    if (report.mode() == ErrorMode::kIgnore) {
      i = stop;
      continue;
    }
    Py_ssize_t next;
    Ref<> replacement = Ref<>::steal(report.handle(i, stop, reason, &next));
    if (!replacement) return nullptr;
    PyObject* r = replacement.get();
    if (PyBytes_Check(r)) {
      if (!out.put(PyBytes_AS_STRING(r), PyBytes_GET_SIZE(r))) return nullptr;
    } else {
      StrView v(r);
      if (v.kind != 1 || (limit == 128 && !v.ascii)) {
        report.raise(i, stop, reason);
        return nullptr;
      }
      if (!out.put(v.data, v.length)) return nullptr;
    }
    i = next;
  }
  return out.finish();
}

}  // namespace

PyObject* encode_latin1(PyObject* text, const char* errors) {
  return encode_single_byte(text, errors, 256);
}
PyObject* encode_ascii(PyObject* text, const char* errors) {
  return encode_single_byte(text, errors, 128);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_AsLatin1String(PyObject* s) {
  return encode_latin1(s, nullptr);
}
PyObject* PyUnicode_AsASCIIString(PyObject* s) {
  return encode_ascii(s, nullptr);
}

PyObject* PyUnicode_DecodeLatin1(const char* data, Py_ssize_t n, const char*) {
  return str_from_latin1(reinterpret_cast<const Py_UCS1*>(data), n);
}

PyObject* PyUnicode_DecodeASCII(const char* data, Py_ssize_t n, const char* errors) {
  Py_ssize_t ascii = ascii_prefix(data, data + n);
  if (ascii == n) return str_from_ascii(data, n);
  StrWriter out(n);
  DecodeErrors report("ascii", errors, data, n);
  const char* at = data;
  for (;;) {
    Py_ssize_t run = ascii_prefix(at, report.end());
    if (!out.put_ascii(at, run)) return nullptr;
    at += run;
    if (at == report.end()) return out.finish();
    at = report.handle(at, at + 1, "ordinal not in range(128)", out.raw());
    if (!at) return nullptr;
  }
}

}  // extern "C"
