// The module `binascii`: bytes as text and back: hexadecimal, base64, uuencode, quoted-printable; and two checksums.
#include <zlib.h>

#include <array>
#include <cstring>

#include "capi/getargs.h"
#include "objects/bytes_span.h"
#include "objects/int.h"
#include "sync/ref.h"

namespace amphis::binascii {
namespace {

struct State {
  PyObject* error;
  PyObject* incomplete;
};
State* state_of(PyObject* module) { return static_cast<State*>(PyModule_GetState(module)); }

PyObject* fail(PyObject* module, const char* text) {
  PyErr_SetString(state_of(module)->error, text);
  return nullptr;
}

// Bytes, or a str of ASCII characters.
class AsciiArgument {
 public:
  bool acquire(PyObject* arg) {
    if (PyUnicode_Check(arg)) {
      if (!PyUnicode_IS_ASCII(arg)) {
        PyErr_SetString(PyExc_ValueError, "string argument should contain only ASCII characters");
        return false;
      }
      held_.set({PyUnicode_1BYTE_DATA(arg), PyUnicode_GET_LENGTH(arg)});
      return true;
    }
    if (held_.acquire(arg)) return true;
    PyErr_Format(PyExc_TypeError, "argument should be bytes, buffer or ASCII string, not '%.100s'",
                 Py_TYPE(arg)->tp_name);
    return false;
  }
  ByteSpan span() const { return held_.span(); }

 private:
  ByteArgument held_;
};

PyObject* to_bytes(ByteBuilder& out) { return out.take_bytes(); }

// An optional keyword-only flag behind one positional argument.
bool read_flag(PyObject* value, bool* out) {
  if (value == nullptr) return true;
  const int truth = PyObject_IsTrue(value);
  *out = truth > 0;
  return truth >= 0;
}

PyObject* hexlify(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"data", "sep", "bytes_per_sep", nullptr};
  PyObject* given[3];
  if (!unpack_keywords(args, nargs, kwnames, {"hexlify", kNames, 3, 1}, given)) return nullptr;
  ByteArgument data;
  if (!data.acquire(given[0])) return nullptr;
  int group = 1;
  if (given[2] != nullptr) {
    group = PyLong_AsInt(given[2]);
    if (group == -1 && PyErr_Occurred()) return nullptr;
  }
  return _Py_strhex_bytes_with_sep(reinterpret_cast<const char*>(data.span().data), data.span().size, given[1], group);
}

PyObject* unhexlify(PyObject* module, PyObject* arg) {
  AsciiArgument text;
  if (!text.acquire(arg)) return nullptr;
  const ByteSpan span = text.span();
  if (span.size % 2 != 0) return fail(module, "Odd-length string");
  PyObject* result = PyBytes_FromStringAndSize(nullptr, span.size / 2);
  if (result == nullptr) return nullptr;
  char* out = PyBytes_AS_STRING(result);
  for (Py_ssize_t i = 0; i < span.size; i += 2) {
    const int high = _PyLong_DigitValue[span.data[i]], low = _PyLong_DigitValue[span.data[i + 1]];
    if (high >= 16 || low >= 16) {
      Py_DECREF(result);
      return fail(module, "Non-hexadecimal digit found");
    }
    *out++ = static_cast<char>(high << 4 | low);
  }
  return result;
}

constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::array<uint8_t, 256> make_base64_values() {
  std::array<uint8_t, 256> values{};
  values.fill(64);
  for (uint8_t i = 0; i < 64; ++i) values[static_cast<uint8_t>(kBase64[i])] = i;
  return values;
}
constexpr std::array<uint8_t, 256> kBase64Values = make_base64_values();

PyObject* invalid_count(PyObject* module, Py_ssize_t count) {
  return PyErr_Format(state_of(module)->error,
                      "Invalid base64-encoded string: number of data characters (%zd) cannot be 1 more than a multiple "
                      "of 4",
                      count);
}

// Data characters in groups of four. Padding only completes the last group; what it says elsewhere, and characters that are
// none, count in strict mode alone.
PyObject* decode_base64(PyObject* module, ByteSpan text, bool strict) {
  ByteBuilder out(text.size / 4 * 3 + 3);
  if (!out.ok()) return nullptr;
  if (strict && text.size > 0 && text.data[0] == '=') return fail(module, "Leading padding not allowed");
  const uint8_t* p = text.data;
  Py_ssize_t count = 0;
  int position = 0, pads = 0;
  uint32_t bits = 0;
  // Whole groups of four data characters.
  while (text.end() - p >= 4) {
    const uint32_t a = kBase64Values[p[0]], b = kBase64Values[p[1]], c = kBase64Values[p[2]], d = kBase64Values[p[3]];
    if ((a | b | c | d) & 64) break;
    const uint32_t word = a << 18 | b << 12 | c << 6 | d;
    const uint8_t bytes[3] = {static_cast<uint8_t>(word >> 16), static_cast<uint8_t>(word >> 8),
                              static_cast<uint8_t>(word)};
    out.append(bytes, 3);
    p += 4;
    count += 4;
  }
  for (; p != text.end(); ++p) {
    if (*p == '=') {
      if (strict && position == 1) return invalid_count(module, count);
      if (position >= 2) ++pads;
      if (strict && (position == 0 || position + pads > 4)) return fail(module, "Excess padding not allowed");
      continue;
    }
    const uint8_t value = kBase64Values[*p];
    if (value == 64) {
      if (strict) return fail(module, "Only base64 data is allowed");
      continue;
    }
    if (strict && pads > 0) {
      return fail(module, position + pads == 4 ? "Excess data after padding" : "Discontinuous padding not allowed");
    }
    pads = 0;
    ++count;
    bits = bits << 6 | value;
    switch (position) {
      case 1:
        out.push(static_cast<uint8_t>(bits >> 4));
        break;
      case 2:
        out.push(static_cast<uint8_t>(bits >> 2));
        break;
      case 3:
        out.push(static_cast<uint8_t>(bits));
        break;
    }
    position = (position + 1) % 4;
  }
  if (position == 1) return invalid_count(module, count);
  if (position != 0 && position + pads < 4) return fail(module, "Incorrect padding");
  return to_bytes(out);
}

PyObject* a2b_base64(PyObject* module, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"", "strict_mode", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"a2b_base64", kNames, 1, 1}, given)) return nullptr;
  AsciiArgument text;
  bool strict = false;
  if (!text.acquire(given[0]) || !read_flag(given[1], &strict)) return nullptr;
  return decode_base64(module, text.span(), strict);
}

PyObject* b2a_base64(PyObject* module, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"", "newline", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"b2a_base64", kNames, 1, 1}, given)) return nullptr;
  ByteArgument data;
  bool newline = true;
  if (!data.acquire(given[0]) || !read_flag(given[1], &newline)) return nullptr;
  const ByteSpan in = data.span();
  if (in.size > (PY_SSIZE_T_MAX - 3) / 2) return fail(module, "Too much data for base64 line");
  PyObject* result = PyBytes_FromStringAndSize(nullptr, (in.size + 2) / 3 * 4 + newline);
  if (result == nullptr || Py_SIZE(result) == 0) return result;
  char* out = PyBytes_AS_STRING(result);
  const uint8_t* p = in.data;
  for (; in.end() - p >= 3; p += 3) {
    const uint32_t word = static_cast<uint32_t>(p[0]) << 16 | static_cast<uint32_t>(p[1]) << 8 | p[2];
    *out++ = kBase64[word >> 18];
    *out++ = kBase64[word >> 12 & 63];
    *out++ = kBase64[word >> 6 & 63];
    *out++ = kBase64[word & 63];
  }
  if (const auto left = in.end() - p; left > 0) {
    const uint32_t word = static_cast<uint32_t>(p[0]) << 16 | (left > 1 ? static_cast<uint32_t>(p[1]) << 8 : 0);
    *out++ = kBase64[word >> 18];
    *out++ = kBase64[word >> 12 & 63];
    *out++ = left > 1 ? kBase64[word >> 6 & 63] : '=';
    *out++ = '=';
  }
  if (newline) *out++ = '\n';
  return result;
}

// One line: a length character, then groups of four characters for three bytes. Blanks at the end may be missing.
PyObject* a2b_uu(PyObject* module, PyObject* arg) {
  AsciiArgument text;
  if (!text.acquire(arg)) return nullptr;
  const uint8_t* p = text.span().data;
  const uint8_t* const end = text.span().end();
  if (p == end) return fail(module, "Missing length byte");
  const Py_ssize_t length = (*p++ - ' ') & 63;
  ByteBuilder out(length);
  uint32_t bits = 0;
  int have = 0;
  while (out.ok() && out.size() < length) {
    uint32_t value = 0;
    if (p != end && *p != '\n' && *p != '\r') {
      if (*p < ' ' || *p > ' ' + 64) return fail(module, "Illegal char");
      value = (*p++ - ' ') & 63;
    }
    bits = bits << 6 | value;
    have += 6;
    if (have >= 8) {
      have -= 8;
      out.push(static_cast<uint8_t>(bits >> have));
    }
  }
  for (; p != end; ++p) {
    if (*p != ' ' && *p != ' ' + 64 && *p != '\n' && *p != '\r') return fail(module, "Trailing garbage");
  }
  return to_bytes(out);
}

PyObject* b2a_uu(PyObject* module, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"", "backtick", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"b2a_uu", kNames, 1, 1}, given)) return nullptr;
  ByteArgument data;
  bool backtick = false;
  if (!data.acquire(given[0]) || !read_flag(given[1], &backtick)) return nullptr;
  const ByteSpan in = data.span();
  if (in.size > 45) return fail(module, "At most 45 bytes at once");
  const auto character = [backtick](uint32_t value) {
    return static_cast<uint8_t>(backtick && value == 0 ? '`' : value + ' ');
  };
  ByteBuilder out(2 + (in.size + 2) / 3 * 4);
  if (!out.ok()) return nullptr;
  out.push(character(static_cast<uint32_t>(in.size)));
  for (Py_ssize_t i = 0; i < in.size; i += 3) {
    uint32_t word = 0;
    for (Py_ssize_t k = i; k < i + 3; ++k) word = word << 8 | (k < in.size ? in.data[k] : 0);
    for (int shift = 18; shift >= 0; shift -= 6) out.push(character(word >> shift & 63));
  }
  out.push('\n');
  return to_bytes(out);
}

PyObject* read_crc(PyObject* arg, unsigned long* crc) {
  *crc = PyLong_AsUnsignedLongMask(arg);
  return *crc == static_cast<unsigned long>(-1) && PyErr_Occurred() ? nullptr : Py_None;
}

// CRC-CCITT, polynomial 0x1021, as BinHex 4 used it.
PyObject* crc_hqx(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("crc_hqx", nargs, 2, 2)) return nullptr;
  ByteArgument data;
  unsigned long crc;
  if (!data.acquire(args[0]) || read_crc(args[1], &crc) == nullptr) return nullptr;
  crc &= 0xFFFF;
  for (const uint8_t* p = data.span().data; p != data.span().end(); ++p) {
    crc ^= static_cast<unsigned long>(*p) << 8;
    for (int i = 0; i < 8; ++i) crc = (crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1) & 0xFFFF;
  }
  return int_from_int64(static_cast<int64_t>(crc));
}

PyObject* crc32(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("crc32", nargs, 1, 2)) return nullptr;
  ByteArgument data;
  unsigned long crc = 0;
  if (!data.acquire(args[0]) || (nargs > 1 && read_crc(args[1], &crc) == nullptr)) return nullptr;
  const ByteSpan in = data.span();
  constexpr Py_ssize_t kRelease = 5 * 1024;
  uLong result;
  if (in.size > kRelease) {
    Py_BEGIN_ALLOW_THREADS
    result = crc32_z(static_cast<uint32_t>(crc), in.data, static_cast<z_size_t>(in.size));
    Py_END_ALLOW_THREADS
  } else {
    // zlib takes a null pointer for "the first checksum".
    result = in.size == 0 ? static_cast<uint32_t>(crc)
                          : crc32_z(static_cast<uint32_t>(crc), in.data, static_cast<z_size_t>(in.size));
  }
  return int_from_uint64(result & 0xFFFFFFFFu);
}

// RFC 1522 (header) and RFC 2045.
PyObject* a2b_qp(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"data", "header", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"a2b_qp", kNames, 2, 1}, given)) return nullptr;
  AsciiArgument text;
  bool header = false;
  if (!text.acquire(given[0]) || !read_flag(given[1], &header)) return nullptr;
  const uint8_t* p = text.span().data;
  const uint8_t* const end = text.span().end();
  ByteBuilder out(text.span().size);
  if (!out.ok()) return nullptr;
  while (p != end) {
    if (*p != '=') {
      out.push(header && *p == '_' ? ' ' : *p);
      ++p;
      continue;
    }
    if (++p == end) break;
    if (*p == '\n' || *p == '\r') {
      // A soft line break: up to the end of the line.
      while (p != end && *p != '\n') ++p;
      if (p != end) ++p;
    } else if (*p == '=') {
      out.push('=');  // written so by old encoders
      ++p;
    } else if (end - p >= 2 && _PyLong_DigitValue[p[0]] < 16 && _PyLong_DigitValue[p[1]] < 16) {
      out.push(static_cast<uint8_t>(_PyLong_DigitValue[p[0]] << 4 | _PyLong_DigitValue[p[1]]));
      p += 2;
    } else {
      out.push('=');
    }
  }
  return to_bytes(out);
}

class QuotedPrintable {
 public:
  QuotedPrintable(ByteSpan in, bool quote_tabs, bool is_text, bool header)
      : in_(in), out_(in.size + in.size / 8), quote_tabs_(quote_tabs), is_text_(is_text), header_(header) {
    // Line ends are written as the first of them was.
    const void* newline = in.size == 0 ? nullptr : std::memchr(in.data, '\n', static_cast<size_t>(in.size));
    const auto* p = static_cast<const uint8_t*>(newline);
    crlf_ = p != nullptr && p != in.data && p[-1] == '\r';
  }

  PyObject* encode() {
    for (const uint8_t* p = in_.data; out_.ok() && p != in_.end();) {
      if (must_quote(p)) {
        if (line_ + 3 >= kMaxLine) soft_break();
        put_quoted(*p++);
        line_ += 3;
        continue;
      }
      if (is_text_ && (*p == '\n' || (*p == '\r' && has_next(p) && p[1] == '\n'))) {
        // White space at the end of a line would not survive transport.
        if (out_.size() > 0 && (last() == ' ' || last() == '\t')) {
          const uint8_t blank = last();
          drop_last();
          put_quoted(blank);
        }
        new_line();
        p += *p == '\r' ? 2 : 1;
        continue;
      }
      if (has_next(p) && p[1] != '\n' && line_ + 1 >= kMaxLine) soft_break();
      ++line_;
      out_.push(header_ && *p == ' ' ? '_' : *p);
      ++p;
    }
    return to_bytes(out_);
  }

 private:
  static constexpr Py_ssize_t kMaxLine = 76;
  bool has_next(const uint8_t* p) const { return p + 1 != in_.end(); }
  bool must_quote(const uint8_t* p) const {
    const uint8_t c = *p;
    if (c > 126 || c == '=' || (header_ && c == '_')) return true;
    if (c == '.' && line_ == 0 && (!has_next(p) || p[1] == '\n' || p[1] == '\r' || p[1] == 0)) return true;
    if (!is_text_ && (c == '\r' || c == '\n')) return true;
    if ((c == '\t' || c == ' ') && !has_next(p)) return true;
    return c < 33 && c != '\r' && c != '\n' && (quote_tabs_ || (c != '\t' && c != ' '));
  }
  uint8_t last() { return out_.data()[out_.size() - 1]; }
  void drop_last() { out_.shrink(1); }
  void put_quoted(uint8_t c) {
    constexpr char kHex[] = "0123456789ABCDEF";
    const char text[] = {'=', kHex[c >> 4], kHex[c & 15]};
    out_.append(text, 3);
  }
  void new_line() {
    if (crlf_) out_.push('\r');
    out_.push('\n');
    line_ = 0;
  }
  void soft_break() {
    out_.push('=');
    new_line();
  }

  ByteSpan in_;
  ByteBuilder out_;
  bool quote_tabs_, is_text_, header_, crlf_;
  Py_ssize_t line_ = 0;
};

PyObject* b2a_qp(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"data", "quotetabs", "istext", "header", nullptr};
  PyObject* given[4];
  if (!unpack_keywords(args, nargs, kwnames, {"b2a_qp", kNames, 4, 1}, given)) return nullptr;
  ByteArgument data;
  bool quote_tabs = false, is_text = true, header = false;
  if (!data.acquire(given[0]) || !read_flag(given[1], &quote_tabs) || !read_flag(given[2], &is_text) ||
      !read_flag(given[3], &header)) {
    return nullptr;
  }
  return QuotedPrintable(data.span(), quote_tabs, is_text, header).encode();
}

PyMethodDef methods[] = {
    {"a2b_uu", a2b_uu, METH_O, "a2b_uu($module, data, /)\n--\n\nDecode a line of uuencoded data."},
    {"b2a_uu", _PyCFunction_CAST(b2a_uu), METH_FASTCALL | METH_KEYWORDS,
     "b2a_uu($module, data, /, *, backtick=False)\n--\n\nUuencode line of data."},
    {"a2b_base64", _PyCFunction_CAST(a2b_base64), METH_FASTCALL | METH_KEYWORDS,
     "a2b_base64($module, data, /, *, strict_mode=False)\n--\n\n"
     "Decode base64 data; in strict mode characters outside the alphabet and wrong padding are errors."},
    {"b2a_base64", _PyCFunction_CAST(b2a_base64), METH_FASTCALL | METH_KEYWORDS,
     "b2a_base64($module, data, /, *, newline=True)\n--\n\nBase64-code line of data."},
    {"a2b_hex", unhexlify, METH_O, "a2b_hex($module, hexstr, /)\n--\n\nBinary data of hexadecimal representation."},
    {"b2a_hex", _PyCFunction_CAST(hexlify), METH_FASTCALL | METH_KEYWORDS,
     "b2a_hex($module, /, data, sep=<unrepresentable>, bytes_per_sep=1)\n--\n\n"
     "Hexadecimal representation of binary data, with sep between groups of bytes_per_sep bytes."},
    {"hexlify", _PyCFunction_CAST(hexlify), METH_FASTCALL | METH_KEYWORDS,
     "hexlify($module, /, data, sep=<unrepresentable>, bytes_per_sep=1)\n--\n\n"
     "Hexadecimal representation of binary data, with sep between groups of bytes_per_sep bytes."},
    {"unhexlify", unhexlify, METH_O, "unhexlify($module, hexstr, /)\n--\n\nBinary data of hexadecimal representation."},
    {"crc_hqx", _PyCFunction_CAST(crc_hqx), METH_FASTCALL,
     "crc_hqx($module, data, crc, /)\n--\n\nCompute CRC-CCITT incrementally."},
    {"crc32", _PyCFunction_CAST(crc32), METH_FASTCALL,
     "crc32($module, data, crc=0, /)\n--\n\nCompute CRC-32 incrementally."},
    {"a2b_qp", _PyCFunction_CAST(a2b_qp), METH_FASTCALL | METH_KEYWORDS,
     "a2b_qp($module, /, data, header=False)\n--\n\nDecode a string of qp-encoded data."},
    {"b2a_qp", _PyCFunction_CAST(b2a_qp), METH_FASTCALL | METH_KEYWORDS,
     "b2a_qp($module, /, data, quotetabs=False, istext=True, header=False)\n--\n\n"
     "Encode a string using quoted-printable encoding.\n\n"
     "istext says that newlines are line ends, and not data to be quoted."},
    {nullptr, nullptr, 0, nullptr},
};

int exec(PyObject* module) {
  State* state = state_of(module);
  state->error = PyErr_NewException("binascii.Error", PyExc_ValueError, nullptr);
  state->incomplete = PyErr_NewException("binascii.Incomplete", nullptr, nullptr);
  if (PyModule_AddObjectRef(module, "Error", state->error) < 0) return -1;
  return PyModule_AddObjectRef(module, "Incomplete", state->incomplete);
}

int traverse(PyObject* module, visitproc visit, void* arg) {
  State* state = state_of(module);
  if (state == nullptr) return 0;
  Py_VISIT(state->error);
  Py_VISIT(state->incomplete);
  return 0;
}

int clear(PyObject* module) {
  State* state = state_of(module);
  if (state == nullptr) return 0;
  Py_CLEAR(state->error);
  Py_CLEAR(state->incomplete);
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "binascii",
    .m_doc = "Conversion between binary data and ASCII",
    .m_size = sizeof(State),
    .m_methods = methods,
    .m_slots = slots,
    .m_traverse = traverse,
    .m_clear = clear,
};

}  // namespace
}  // namespace amphis::binascii

PyMODINIT_FUNC PyInit_binascii(void) { return PyModuleDef_Init(&amphis::binascii::definition); }
