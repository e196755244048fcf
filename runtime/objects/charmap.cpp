// The character map codec: one byte per character by a table, a str of 256 characters or any mapping. Also
// the compact encoding map that the standard library's single-byte codecs build from their decoding tables.
#include "objects/codecs.h"
#include "objects/str.h"

namespace amphis {
namespace {

typedef unsigned char Byte;

constexpr Py_UCS4 kUndefined = 0xFFFE;
constexpr char kReason[] = "character maps to <undefined>";

// Encoding map: three levels of tables by bits 11.., 7..10 and 0..6 of the character. 0xFF on the first two
// levels: nothing there; 0 on the last: unmapped (the character 0 itself maps to 0 always).
struct EncodingMap {
  PyObject_HEAD Byte level1[32];
  int count2, count3;
  Byte level23[1];
};

int map_lookup(const EncodingMap* map, Py_UCS4 ch) {
  if (ch == 0) return 0;
  if (ch > 0xFFFF) return -1;
  int i = map->level1[ch >> 11];
  if (i == 0xFF) return -1;
  i = map->level23[16 * i + static_cast<int>(ch >> 7 & 15)];
  if (i == 0xFF) return -1;
  i = map->level23[16 * map->count2 + 128 * i + static_cast<int>(ch & 127)];
  return i ? i : -1;
}

PyObject* map_size(PyObject* self, PyObject*) {
  EncodingMap* map = reinterpret_cast<EncodingMap*>(self);
  return PyLong_FromLong(static_cast<long>(sizeof(EncodingMap)) + 16 * map->count2 + 128 * map->count3);
}

void map_dealloc(PyObject* self) {
  PyObject_Free(self);
}

PyMethodDef map_methods[] = {
    {"size", map_size, METH_NOARGS, PyDoc_STR("Return the size (in bytes) of this object")},
    {nullptr, nullptr, 0, nullptr},
};

PyTypeObject encoding_map_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "EncodingMap",
    .tp_basicsize = sizeof(EncodingMap),
    .tp_dealloc = map_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_methods = map_methods,
};

// Writes what the mapping gives for a byte. 1 done, 0 undefined, -1 exception.
int decode_by_mapping(StrWriter& out, PyObject* mapping, Byte byte) {
  Ref<> key = Ref<>::steal(PyLong_FromLong(byte));
  if (!key) return -1;
  Ref<> value = Ref<>::steal(PyObject_GetItem(mapping, key.get()));
  if (!value) {
    if (!PyErr_ExceptionMatches(PyExc_LookupError)) return -1;
    PyErr_Clear();
    return 0;
  }
  PyObject* v = value.get();
  if (v == Py_None) return 0;
  if (PyLong_Check(v)) {
    long code = PyLong_AsLong(v);
    if (code == static_cast<long>(kUndefined)) return 0;
    if (code < 0 || code > static_cast<long>(kMaxCodePoint)) {
      if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_SetString(PyExc_TypeError, "character mapping must be in range(0x110000)");
      }
      return -1;
    }
    return out.put(static_cast<Py_UCS4>(code)) ? 1 : -1;
  }
  if (PyUnicode_Check(v)) {
    if (PyUnicode_GET_LENGTH(v) == 1 && PyUnicode_READ_CHAR(v, 0) == kUndefined) return 0;
    return out.put_str(v) ? 1 : -1;
  }
  PyErr_SetString(PyExc_TypeError, "character mapping must return integer, None or str");
  return -1;
}

// The same in the other direction.
int encode_by_mapping(EncodedBytes& out, PyObject* mapping, Py_UCS4 ch) {
  if (Py_IS_TYPE(mapping, &encoding_map_type)) {
    int byte = map_lookup(reinterpret_cast<EncodingMap*>(mapping), ch);
    if (byte < 0) return 0;
    return out.put(static_cast<Byte>(byte)) ? 1 : -1;
  }
  Ref<> key = Ref<>::steal(PyLong_FromLong(static_cast<long>(ch)));
  if (!key) return -1;
  Ref<> value = Ref<>::steal(PyObject_GetItem(mapping, key.get()));
  if (!value) {
    if (!PyErr_ExceptionMatches(PyExc_LookupError)) return -1;
    PyErr_Clear();
    return 0;
  }
  PyObject* v = value.get();
  if (v == Py_None) return 0;
  if (PyLong_Check(v)) {
    long byte = PyLong_AsLong(v);
    if (byte < 0 || byte > 255) {
      if (!PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_OverflowError)) {
        PyErr_SetString(PyExc_TypeError, "character mapping must be in range(256)");
      }
      return -1;
    }
    return out.put(static_cast<Byte>(byte)) ? 1 : -1;
  }
  if (PyBytes_Check(v)) return out.put(PyBytes_AS_STRING(v), PyBytes_GET_SIZE(v)) ? 1 : -1;
  PyErr_Format(PyExc_TypeError, "character mapping must return integer, bytes or None, not %.400s",
               Py_TYPE(v)->tp_name);
  return -1;
}

}  // namespace

PyObject* encode_charmap(PyObject* text, PyObject* mapping, const char* errors) {
  if (!mapping || mapping == Py_None) return encode_latin1(text, errors);
  if (!PyUnicode_Check(text)) {
    PyErr_BadArgument();
    return nullptr;
  }
  StrView s(text);
  EncodeErrors report("charmap", errors, text);
  EncodedBytes out;
  if (!out.reserve(s.length)) return nullptr;
  for (Py_ssize_t i = 0; i < s.length;) {
    Py_ssize_t before = out.size();
    int done = encode_by_mapping(out, mapping, s[i]);
    if (done < 0) return nullptr;
    if (done > 0) {
      i++;
      continue;
    }
    // The run of characters that the map does not know.
    Py_ssize_t stop = i + 1;
    for (; stop < s.length; stop++) {
      int known = encode_by_mapping(out, mapping, s[stop]);
      if (known < 0) return nullptr;
      if (known > 0) break;
    }
    out.advance_to(out.data() + before);
    Py_ssize_t next;
    Ref<> replacement = Ref<>::steal(report.handle(i, stop, kReason, &next));
    if (!replacement) return nullptr;
    PyObject* r = replacement.get();
    if (PyBytes_Check(r)) {
      if (!out.put(PyBytes_AS_STRING(r), PyBytes_GET_SIZE(r))) return nullptr;
    } else {
      StrView v(r);
      for (Py_ssize_t k = 0; k < v.length; k++) {
        int known = encode_by_mapping(out, mapping, v[k]);
        if (known < 0) return nullptr;
        if (known == 0) {
          report.raise(i, stop, kReason);
          return nullptr;
        }
      }
    }
    i = next;
  }
  return out.finish();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_AsCharmapString(PyObject* s, PyObject* mapping) {
  if (!s || !PyUnicode_Check(s) || !mapping) {
    PyErr_BadArgument();
    return nullptr;
  }
  return encode_charmap(s, mapping, nullptr);
}

PyObject* PyUnicode_DecodeCharmap(const char* data, Py_ssize_t n, PyObject* mapping, const char* errors) {
  if (!mapping || mapping == Py_None) return PyUnicode_DecodeLatin1(data, n, errors);
  if (n == 0) return empty_str();
  DecodeErrors report("charmap", errors, data, n);
  StrWriter out(n);
  const char* at = data;
  bool by_text = PyUnicode_Check(mapping);
  while (at < report.end()) {
    Byte byte = static_cast<Byte>(*at);
    int done;
    if (by_text) {
      Py_UCS4 ch = byte < PyUnicode_GET_LENGTH(mapping) ? PyUnicode_READ_CHAR(mapping, byte) : kUndefined;
      done = ch == kUndefined ? 0 : out.put(ch) ? 1 : -1;
    } else {
      done = decode_by_mapping(out, mapping, byte);
    }
    if (done < 0) return nullptr;
    if (done > 0) {
      at++;
      continue;
    }
    at = report.handle(at, at + 1, kReason, out.raw());
    if (!at) return nullptr;
  }
  return out.finish();
}

PyObject* PyUnicode_BuildEncodingMap(PyObject* table) {
  if (!PyUnicode_Check(table) || PyUnicode_GET_LENGTH(table) == 0) {
    PyErr_BadArgument();
    return nullptr;
  }
  StrView s(table);
  Py_ssize_t n = s.length < 256 ? s.length : 256;
  Byte level1[32], level2[512];
  memset(level1, 0xFF, sizeof level1);
  memset(level2, 0xFF, sizeof level2);
  int count2 = 0, count3 = 0;
  bool compact = s[0] == 0;  // 0 must stand for itself, since it also means "unmapped"
  for (Py_ssize_t i = 1; compact && i < n; i++) {
    Py_UCS4 ch = s[i];
    if (ch == 0 || ch > 0xFFFF) {
      compact = false;
    } else if (ch != kUndefined) {
      if (level1[ch >> 11] == 0xFF) level1[ch >> 11] = static_cast<Byte>(count2++);
      if (level2[ch >> 7] == 0xFF) level2[ch >> 7] = static_cast<Byte>(count3++);
    }
  }
  if (count2 >= 0xFF || count3 >= 0xFF) compact = false;
  if (!compact) {
    Ref<> result = Ref<>::steal(PyDict_New());
    if (!result) return nullptr;
    for (Py_ssize_t i = 0; i < n; i++) {
      Ref<> key = Ref<>::steal(PyLong_FromLong(static_cast<long>(s[i])));
      Ref<> value = Ref<>::steal(PyLong_FromSsize_t(i));
      if (!key || !value || PyDict_SetItem(result.get(), key.get(), value.get()) < 0) return nullptr;
    }
    return result.release();
  }
  if (PyType_Ready(&encoding_map_type) < 0) return nullptr;
  size_t tables = static_cast<size_t>(16 * count2 + 128 * count3);
  EncodingMap* map = static_cast<EncodingMap*>(PyObject_Malloc(sizeof(EncodingMap) + tables));
  if (!map) return PyErr_NoMemory();
  PyObject_Init(reinterpret_cast<PyObject*>(map), &encoding_map_type);
  map->count2 = count2;
  map->count3 = count3;
  memcpy(map->level1, level1, sizeof level1);
  Byte* middle = map->level23;
  Byte* last = map->level23 + 16 * count2;
  memset(middle, 0xFF, static_cast<size_t>(16 * count2));
  memset(last, 0, static_cast<size_t>(128 * count3));
  count3 = 0;
  for (Py_ssize_t i = 1; i < n; i++) {
    Py_UCS4 ch = s[i];
    if (ch == kUndefined) continue;
    int i2 = 16 * map->level1[ch >> 11] + static_cast<int>(ch >> 7 & 15);
    if (middle[i2] == 0xFF) middle[i2] = static_cast<Byte>(count3++);
    last[128 * middle[i2] + static_cast<int>(ch & 127)] = static_cast<Byte>(i);
  }
  return reinterpret_cast<PyObject*>(map);
}

}  // extern "C"
