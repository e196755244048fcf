// Making, resizing and freeing str objects, and the characters below U+0100 that exist once.
#include "objects/str.h"

#include "gc/object_new.h"
#include "memory/alloc.h"
#include "objects/immutable_memory.h"
#include "objects/str_intern.h"
#include "sync/shared_slot.h"

namespace amphis {
namespace {

struct StaticAsciiChar {
  PyASCIIObject head;
  Py_UCS1 data[8];
};
struct StaticLatin1Char {
  PyCompactUnicodeObject head;
  Py_UCS1 data[8];
};

// One immortal object per character, filled in before main() so that no caller needs to ask whether they are
// there.
struct Singletons {
  StaticAsciiChar empty;
  StaticAsciiChar ascii[128];
  StaticLatin1Char latin1[128];

  static void init_head(PyASCIIObject& head, Py_ssize_t length, bool ascii) {
    static const struct {
      PyObject head;
    } kImmortal = {PyObject_HEAD_INIT(&PyUnicode_Type)};
    memcpy(static_cast<void*>(&head), &kImmortal, sizeof(PyObject));
    head.length = length;
    head.hash = -1;
    head.state.interned = SSTATE_INTERNED_IMMORTAL_STATIC;  // there is no second object of the same text
    head.state.kind = PyUnicode_1BYTE_KIND;
    head.state.compact = 1;
    head.state.ascii = ascii;
    head.state.statically_allocated = 1;
  }
  Singletons() noexcept {
    memset(static_cast<void*>(this), 0, sizeof *this);
    init_head(empty.head, 0, true);
    for (int i = 0; i < 128; i++) {
      init_head(ascii[i].head, 1, true);
      ascii[i].data[0] = static_cast<Py_UCS1>(i);
      init_head(latin1[i].head._base, 1, false);
      latin1[i].data[0] = static_cast<Py_UCS1>(i + 128);
    }
  }
};

alignas(64) Singletons singletons;

template <class Ch>
Py_UCS4 or_of_all(const Ch* p, Py_ssize_t n, Py_UCS4 enough) {
  Py_UCS4 seen = 0;
  while (n >= 64) {
    Ch block = 0;
    for (int i = 0; i < 64; i++) block |= p[i];
    seen |= block;
    if (seen >= enough) return seen;
    p += 64;
    n -= 64;
  }
  for (; n > 0; n--) seen |= *p++;
  return seen;
}

Py_UCS4 class_of(Py_UCS4 bits) {
  return bits < 0x80 ? 0x7F : bits < 0x100 ? 0xFF : bits < 0x10000 ? 0xFFFF : kMaxCodePoint;
}

// The whole allocation of a compact string, or -1 where it would not fit the address space.
inline Py_ssize_t compact_size(Py_ssize_t n, int kind, bool ascii) {
  Py_ssize_t head = ascii ? sizeof(PyASCIIObject) : sizeof(PyCompactUnicodeObject);
  if (n > (PY_SSIZE_T_MAX - head) / kind - 1) return -1;
  return head + (n + 1) * kind;
}

void write_terminator(int kind, void* data, Py_ssize_t n) {
  if (kind == 1) {
    static_cast<Py_UCS1*>(data)[n] = 0;
  } else if (kind == 2) {
    static_cast<Py_UCS2*>(data)[n] = 0;
  } else {
    static_cast<Py_UCS4*>(data)[n] = 0;
  }
}

void drop_utf8_cache(PyObject* s) {
  if (PyUnicode_IS_COMPACT_ASCII(s)) return;
  PyCompactUnicodeObject* compact = compact_head(s);
  if (compact->utf8 && compact->utf8 != PyUnicode_DATA(s)) PyMem_Free(compact->utf8);
  compact->utf8 = nullptr;
  compact->utf8_length = 0;
}

// Resizes a modifiable compact string where it stands, or moves it. `slack` asks for room to grow further
// when it moves: repeated appending then costs linear time, since the room that a block has left is used
// before it moves again.
PyObject* resize_compact(PyObject* s, Py_ssize_t n, bool slack) {
  int kind = static_cast<int>(PyUnicode_KIND(s));
  Py_ssize_t bytes = compact_size(n, kind, PyUnicode_IS_ASCII(s));
  if (bytes < 0) {
    PyErr_NoMemory();
    return nullptr;
  }
  drop_utf8_cache(s);
  size_t wanted = static_cast<size_t>(bytes), room = object_block_size(s);
  if (wanted > room || (!slack && wanted < room / 2)) {
    if (slack) wanted += wanted / 8;
    void* moved = realloc_object(s, wanted);
    if (!moved) {
      PyErr_NoMemory();
      return nullptr;
    }
    s = static_cast<PyObject*>(moved);
  }
  ascii_head(s)->length = n;
  write_terminator(kind, PyUnicode_DATA(s), n);
  return s;
}

// A compact string of n > 0 characters, still to be written; its end is.
template <int kKind, bool kAscii>
inline PyObject* make(Py_ssize_t n) {
  Py_ssize_t bytes = compact_size(n, kKind, kAscii);
  if (bytes < 0) return PyErr_NoMemory();
  PyObject* s = new_object_sized<PyObject>(&PyUnicode_Type, static_cast<size_t>(bytes));
  if (!s) return PyErr_NoMemory();
  PyASCIIObject* head = ascii_head(s);
  head->length = n;
  head->hash = -1;
  head->state.interned = 0;
  head->state.kind = kKind;
  head->state.compact = 1;
  head->state.ascii = kAscii;
  head->state.statically_allocated = 0;
  if constexpr (kAscii) {
    reinterpret_cast<Py_UCS1*>(head + 1)[n] = 0;
  } else {
    PyCompactUnicodeObject* compact = compact_head(s);
    compact->utf8 = nullptr;
    compact->utf8_length = 0;
    write_terminator(kKind, compact + 1, n);
  }
  return s;
}

// `trusted`: the characters are known to be code points.
template <class Ch>
PyObject* from_wide(const Ch* data, Py_ssize_t n, bool trusted) {
  if (n == 0) return empty_str();
  if (n == 1) return str_from_char(*data);
  Py_UCS4 max_char = class_of(or_of_all(data, n, sizeof(Ch) == 2 ? 0x100 : 0x10000));
  if (!trusted && max_char == kMaxCodePoint && sizeof(Ch) == 4) {
    for (Py_ssize_t i = 0; i < n; i++) {
      if (data[i] > kMaxCodePoint) {
        PyErr_Format(PyExc_ValueError, "character U+%x is not in range [U+0000; U+10ffff]",
                     static_cast<unsigned>(data[i]));
        return nullptr;
      }
    }
  }
  PyObject* s = PyUnicode_New(n, max_char);
  if (!s) return nullptr;
  void* to = PyUnicode_DATA(s);
  int kind = kind_for(max_char);
  if (kind == 1) {
    convert_chars(data, n, static_cast<Py_UCS1*>(to));
  } else if (kind == 2) {
    convert_chars(data, n, static_cast<Py_UCS2*>(to));
  } else {
    convert_chars(data, n, static_cast<Py_UCS4*>(to));
  }
  return s;
}

}  // namespace

PyObject* latin1_char(Py_UCS4 ch) {
  return ch < 128 ? reinterpret_cast<PyObject*>(&singletons.ascii[ch].head)
                  : reinterpret_cast<PyObject*>(&singletons.latin1[ch - 128].head);
}

PyObject* empty_str() {
  return reinterpret_cast<PyObject*>(&singletons.empty.head);
}

Py_UCS4 max_char_class(int kind, const void* data, Py_ssize_t n) {
  if (kind == 1) return bytes_are_ascii(data, n) ? 0x7F : 0xFF;
  if (kind == 2) return class_of(or_of_all(static_cast<const Py_UCS2*>(data), n, 0x100));
  return class_of(or_of_all(static_cast<const Py_UCS4*>(data), n, 0x10000));
}

PyObject* str_from_char(Py_UCS4 ch) {
  if (ch < 0x100) return latin1_char(ch);
  PyObject* s = PyUnicode_New(1, ch);
  if (!s) return nullptr;
  if (ch < 0x10000) {
    PyUnicode_2BYTE_DATA(s)[0] = static_cast<Py_UCS2>(ch);
  } else {
    PyUnicode_4BYTE_DATA(s)[0] = ch;
  }
  return s;
}

PyObject* str_from_ascii(const char* data, Py_ssize_t n) {
  if (n <= 1) return n == 0 ? empty_str() : latin1_char(static_cast<unsigned char>(*data));
  PyObject* s = make<1, true>(n);
  if (s) memcpy(reinterpret_cast<char*>(ascii_head(s) + 1), data, static_cast<size_t>(n));
  return s;
}

PyObject* str_from_latin1(const Py_UCS1* data, Py_ssize_t n) {
  if (n <= 1) return n == 0 ? empty_str() : latin1_char(*data);
  PyObject* s = PyUnicode_New(n, bytes_are_ascii(data, n) ? 0x7F : 0xFF);
  if (s) memcpy(PyUnicode_1BYTE_DATA(s), data, static_cast<size_t>(n));
  return s;
}

PyObject* str_from_ucs2(const Py_UCS2* data, Py_ssize_t n) {
  return from_wide(data, n, true);
}
PyObject* str_from_ucs4(const Py_UCS4* data, Py_ssize_t n) {
  return from_wide(data, n, false);
}

PyObject* str_slice(PyObject* s, Py_ssize_t start, Py_ssize_t end) {
  Py_ssize_t n = end - start;
  StrView view(s);
  if (n == view.length && PyUnicode_CheckExact(s)) return Py_NewRef(s);
  if (view.ascii) return str_from_ascii(static_cast<const char*>(view.data) + start, n);
  if (view.kind == 1) return str_from_latin1(static_cast<const Py_UCS1*>(view.data) + start, n);
  if (view.kind == 2) return from_wide(static_cast<const Py_UCS2*>(view.data) + start, n, true);
  return from_wide(static_cast<const Py_UCS4*>(view.data) + start, n, true);
}

PyObject* str_copy(PyObject* s) {
  StrView view(s);
  if (view.length == 0) return empty_str();
  PyObject* copy = PyUnicode_New(view.length, view.max_char());
  if (copy) memcpy(PyUnicode_DATA(copy), view.data, static_cast<size_t>(view.length) * view.kind);
  return copy;
}

PyObject* str_exact(PyObject* s) {
  if (PyUnicode_CheckExact(s)) return Py_NewRef(s);
  StrView view(s);
  if (view.length == 1 && view.kind == 1) return latin1_char(view[0]);
  return str_copy(s);
}

void copy_chars_to(int to_kind, void* to, Py_ssize_t to_start, int from_kind, const void* from,
                   Py_ssize_t from_start, Py_ssize_t n) {
  if (to_kind == from_kind) {
    memcpy(static_cast<char*>(to) + to_start * to_kind,
           static_cast<const char*>(from) + from_start * from_kind, static_cast<size_t>(n) * to_kind);
  } else if (from_kind == 1) {
    const Py_UCS1* p = static_cast<const Py_UCS1*>(from) + from_start;
    if (to_kind == 2) {
      convert_chars(p, n, static_cast<Py_UCS2*>(to) + to_start);
    } else {
      convert_chars(p, n, static_cast<Py_UCS4*>(to) + to_start);
    }
  } else if (from_kind == 2) {
    const Py_UCS2* p = static_cast<const Py_UCS2*>(from) + from_start;
    if (to_kind == 4) {
      convert_chars(p, n, static_cast<Py_UCS4*>(to) + to_start);
    } else {
      convert_chars(p, n, static_cast<Py_UCS1*>(to) + to_start);
    }
  } else {
    const Py_UCS4* p = static_cast<const Py_UCS4*>(from) + from_start;
    if (to_kind == 2) {
      convert_chars(p, n, static_cast<Py_UCS2*>(to) + to_start);
    } else {
      convert_chars(p, n, static_cast<Py_UCS1*>(to) + to_start);
    }
  }
}

void copy_chars(PyObject* to, Py_ssize_t to_start, PyObject* from, Py_ssize_t from_start, Py_ssize_t n) {
  copy_chars_to(static_cast<int>(PyUnicode_KIND(to)), PyUnicode_DATA(to), to_start,
                static_cast<int>(PyUnicode_KIND(from)), PyUnicode_DATA(from), from_start, n);
}

void fill_chars(int kind, void* data, Py_ssize_t start, Py_ssize_t n, Py_UCS4 ch) {
  if (kind == 1) {
    memset(static_cast<Py_UCS1*>(data) + start, static_cast<int>(ch), static_cast<size_t>(n));
  } else if (kind == 2) {
    Py_UCS2* p = static_cast<Py_UCS2*>(data) + start;
    for (Py_ssize_t i = 0; i < n; i++) p[i] = static_cast<Py_UCS2>(ch);
  } else {
    Py_UCS4* p = static_cast<Py_UCS4*>(data) + start;
    for (Py_ssize_t i = 0; i < n; i++) p[i] = ch;
  }
}

bool str_modifiable(PyObject* s) {
  PyASCIIObject* head = ascii_head(s);
  return PyUnicode_CheckExact(s) && sync::is_unique(s) && !PyUnicode_CHECK_INTERNED(s) &&
         !head->state.statically_allocated && head->state.compact &&
         __atomic_load_n(&head->hash, __ATOMIC_RELAXED) == -1;
}

void str_dealloc(PyObject* s) {
  if (PyUnicode_CHECK_INTERNED(s) && !forget_interned(s)) return;
  if (!PyUnicode_IS_COMPACT_ASCII(s)) {
    PyCompactUnicodeObject* compact = compact_head(s);
    if (compact->utf8 && compact->utf8 != PyUnicode_DATA(s)) PyMem_Free(compact->utf8);
    if (!PyUnicode_IS_COMPACT(s) && legacy_head(s)->data.any) PyMem_Free(legacy_head(s)->data.any);
  }
  if (PyUnicode_CheckExact(s)) {
    free_immutable(s);
  } else {
    Py_TYPE(s)->tp_free(s);
  }
}

bool str_grow_in_place(PyObject** slot, Py_ssize_t n) {
  PyObject* moved = resize_compact(*slot, n, true);
  if (!moved) return false;
  *slot = moved;
  return true;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyUnicode_New(Py_ssize_t n, Py_UCS4 max_char) {
  if (n == 0) return empty_str();
  if (n < 0) [[unlikely]] {
    PyErr_SetString(PyExc_SystemError, "Negative size passed to PyUnicode_New");
    return nullptr;
  }
  if (max_char > kMaxCodePoint) [[unlikely]] {
    PyErr_SetString(PyExc_SystemError, "invalid maximum character passed to PyUnicode_New");
    return nullptr;
  }
  if (max_char < 0x80) return make<1, true>(n);
  if (max_char < 0x100) return make<1, false>(n);
  return max_char < 0x10000 ? make<2, false>(n) : make<4, false>(n);
}

int PyUnicode_Resize(PyObject** slot, Py_ssize_t n) {
  if (!slot || !*slot || !PyUnicode_Check(*slot) || n < 0) {
    PyErr_BadInternalCall();
    return -1;
  }
  PyObject* s = *slot;
  Py_ssize_t old = PyUnicode_GET_LENGTH(s);
  if (n == old) return 0;
  if (n == 0) {
    *slot = empty_str();
    Py_DECREF(s);
    return 0;
  }
  if (str_modifiable(s)) {
    PyObject* moved = resize_compact(s, n, false);
    if (!moved) return -1;
    *slot = moved;
    return 0;
  }
  PyObject* copy = PyUnicode_New(n, PyUnicode_MAX_CHAR_VALUE(s));
  if (!copy) return -1;
  copy_chars(copy, 0, s, 0, n < old ? n : old);
  *slot = copy;
  Py_DECREF(s);
  return 0;
}

PyObject* PyUnicode_FromOrdinal(int ordinal) {
  if (ordinal < 0 || static_cast<Py_UCS4>(ordinal) > kMaxCodePoint) {
    PyErr_SetString(PyExc_ValueError, "chr() arg not in range(0x110000)");
    return nullptr;
  }
  return str_from_char(static_cast<Py_UCS4>(ordinal));
}

PyObject* PyUnicode_FromKindAndData(int kind, const void* data, Py_ssize_t n) {
  if (n < 0) {
    PyErr_SetString(PyExc_ValueError, "size must be positive");
    return nullptr;
  }
  switch (kind) {
    case PyUnicode_1BYTE_KIND:
      return str_from_latin1(static_cast<const Py_UCS1*>(data), n);
    case PyUnicode_2BYTE_KIND:
      return str_from_ucs2(static_cast<const Py_UCS2*>(data), n);
    case PyUnicode_4BYTE_KIND:
      return str_from_ucs4(static_cast<const Py_UCS4*>(data), n);
    default:
      PyErr_SetString(PyExc_SystemError, "invalid kind");
      return nullptr;
  }
}

PyObject* PyUnicode_FromString(const char* text) {
  size_t n = strlen(text);
  if (n > static_cast<size_t>(PY_SSIZE_T_MAX)) {
    PyErr_SetString(PyExc_OverflowError, "input too long");
    return nullptr;
  }
  return PyUnicode_DecodeUTF8Stateful(text, static_cast<Py_ssize_t>(n), nullptr, nullptr);
}

PyObject* PyUnicode_FromStringAndSize(const char* text, Py_ssize_t n) {
  if (n < 0) {
    PyErr_SetString(PyExc_SystemError, "Negative size passed to PyUnicode_FromStringAndSize");
    return nullptr;
  }
  if (text) return PyUnicode_DecodeUTF8Stateful(text, n, nullptr, nullptr);
  if (n > 0) {
    PyErr_SetString(PyExc_SystemError,
                    "NULL string with positive size with NULL passed to PyUnicode_FromStringAndSize");
    return nullptr;
  }
  return empty_str();
}

PyObject* PyUnicode_FromObject(PyObject* o) {
  if (PyUnicode_Check(o)) return str_exact(o);
  PyErr_Format(PyExc_TypeError, "Can't convert '%.100s' object to str implicitly", Py_TYPE(o)->tp_name);
  return nullptr;
}

PyObject* PyUnicode_Substring(PyObject* s, Py_ssize_t start, Py_ssize_t end) {
  Py_ssize_t length = PyUnicode_GET_LENGTH(s);
  if (end > length) end = length;
  if (start == 0 && end == length) return str_exact(s);
  if (start < 0 || end < 0) {
    PyErr_SetString(PyExc_IndexError, "string index out of range");
    return nullptr;
  }
  if (start >= length || end < start) return empty_str();
  return str_slice(s, start, end);
}

Py_ssize_t PyUnicode_GetLength(PyObject* s) {
  if (!PyUnicode_Check(s)) {
    PyErr_BadArgument();
    return -1;
  }
  return PyUnicode_GET_LENGTH(s);
}

Py_UCS4 PyUnicode_ReadChar(PyObject* s, Py_ssize_t i) {
  if (!PyUnicode_Check(s)) {
    PyErr_BadArgument();
    return static_cast<Py_UCS4>(-1);
  }
  if (i < 0 || i >= PyUnicode_GET_LENGTH(s)) {
    PyErr_SetString(PyExc_IndexError, "string index out of range");
    return static_cast<Py_UCS4>(-1);
  }
  return PyUnicode_READ_CHAR(s, i);
}

int PyUnicode_WriteChar(PyObject* s, Py_ssize_t i, Py_UCS4 ch) {
  if (!PyUnicode_Check(s) || !PyUnicode_IS_COMPACT(s)) {
    PyErr_BadArgument();
    return -1;
  }
  if (i < 0 || i >= PyUnicode_GET_LENGTH(s)) {
    PyErr_SetString(PyExc_IndexError, "string index out of range");
    return -1;
  }
  if (!str_modifiable(s)) {
    PyErr_SetString(PyExc_SystemError, "Cannot modify a string currently used");
    return -1;
  }
  if (ch > PyUnicode_MAX_CHAR_VALUE(s)) {
    PyErr_SetString(PyExc_ValueError, "character out of range");
    return -1;
  }
  PyUnicode_WRITE(static_cast<int>(PyUnicode_KIND(s)), PyUnicode_DATA(s), i, ch);
  return 0;
}

Py_ssize_t PyUnicode_CopyCharacters(PyObject* to, Py_ssize_t to_start, PyObject* from, Py_ssize_t from_start,
                                    Py_ssize_t n) {
  if (!PyUnicode_Check(from) || !PyUnicode_Check(to)) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (from_start < 0 || from_start > PyUnicode_GET_LENGTH(from) || to_start < 0 ||
      to_start > PyUnicode_GET_LENGTH(to)) {
    PyErr_SetString(PyExc_IndexError, "string index out of range");
    return -1;
  }
  if (n < 0) {
    PyErr_SetString(PyExc_SystemError, "how_many cannot be negative");
    return -1;
  }
  Py_ssize_t available = PyUnicode_GET_LENGTH(from) - from_start;
  if (n > available) n = available;
  if (to_start + n > PyUnicode_GET_LENGTH(to)) {
    PyErr_Format(PyExc_SystemError, "Cannot write %zi characters at %zi in a string of %zi characters", n,
                 to_start, PyUnicode_GET_LENGTH(to));
    return -1;
  }
  if (n == 0) return 0;
  if (!str_modifiable(to)) {
    PyErr_SetString(PyExc_SystemError, "Cannot modify a string currently used");
    return -1;
  }
  StrView source(from);
  if (source.max_char() > PyUnicode_MAX_CHAR_VALUE(to)) {
    Py_UCS4 used = max_char_class(source.kind, source.at(from_start), n);
    if (used > PyUnicode_MAX_CHAR_VALUE(to)) {
      PyErr_Format(PyExc_SystemError, "Cannot copy %s characters into a string of %s characters",
                   source.kind == 1   ? "latin1"
                   : source.kind == 2 ? "UCS2"
                                      : "UCS4",
                   PyUnicode_IS_ASCII(to)    ? "ascii"
                   : PyUnicode_KIND(to) == 1 ? "latin1"
                                             : "UCS2");
      return -1;
    }
  }
  copy_chars(to, to_start, from, from_start, n);
  return n;
}

Py_ssize_t PyUnicode_Fill(PyObject* s, Py_ssize_t start, Py_ssize_t n, Py_UCS4 ch) {
  if (!PyUnicode_Check(s)) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (!str_modifiable(s)) {
    PyErr_SetString(PyExc_SystemError, "Cannot modify a string currently used");
    return -1;
  }
  if (start < 0) {
    PyErr_SetString(PyExc_IndexError, "string index out of range");
    return -1;
  }
  if (ch > PyUnicode_MAX_CHAR_VALUE(s)) {
    PyErr_SetString(PyExc_ValueError, "fill character is bigger than the string maximum character");
    return -1;
  }
  Py_ssize_t available = PyUnicode_GET_LENGTH(s) - start;
  if (n > available) n = available;
  if (n <= 0) return 0;
  fill_chars(static_cast<int>(PyUnicode_KIND(s)), PyUnicode_DATA(s), start, n, ch);
  return n;
}

#undef PyUnicode_KIND
#undef PyUnicode_DATA
int PyUnicode_KIND(PyObject* s) {
  return ascii_head(s)->state.kind;
}
void* PyUnicode_DATA(PyObject* s) {
  return _PyUnicode_DATA(s);
}

static Py_UCS4* copy_as_ucs4(PyObject* s, Py_UCS4* buffer, Py_ssize_t capacity, bool terminate) {
  StrView view(s);
  Py_ssize_t needed = view.length + (terminate ? 1 : 0);
  if (capacity < needed) {
    PyErr_SetString(PyExc_SystemError, "string is longer than the buffer");
    if (terminate && capacity > 0) buffer[0] = 0;
    return nullptr;
  }
  copy_chars_to(4, buffer, 0, view.kind, view.data, 0, view.length);
  if (terminate) buffer[view.length] = 0;
  return buffer;
}

Py_UCS4* PyUnicode_AsUCS4(PyObject* s, Py_UCS4* buffer, Py_ssize_t capacity, int terminate) {
  if (!buffer || capacity < 0) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return copy_as_ucs4(s, buffer, capacity, terminate != 0);
}

Py_UCS4* PyUnicode_AsUCS4Copy(PyObject* s) {
  Py_ssize_t n = PyUnicode_GET_LENGTH(s) + 1;
  if (n > PY_SSIZE_T_MAX / 4) {
    PyErr_NoMemory();
    return nullptr;
  }
  Py_UCS4* buffer = static_cast<Py_UCS4*>(PyMem_Malloc(static_cast<size_t>(n) * 4));
  if (!buffer) {
    PyErr_NoMemory();
    return nullptr;
  }
  return copy_as_ucs4(s, buffer, n, true);
}

}  // extern "C"
