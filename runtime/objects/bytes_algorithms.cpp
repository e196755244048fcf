// The algorithms behind the methods of bytes and bytearray.
#include "objects/bytes_algorithms.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "objects/int.h"
#include "objects/str_search.h"
#include "sync/ref.h"

namespace amphis {

bool ByteBuilder::reserve(Py_ssize_t n) {
  if (capacity_ - size_ >= n) return true;
  if (data_ == nullptr) return false;
  if (n > PY_SSIZE_T_MAX / 2 - size_) {
    PyErr_NoMemory();
    return false;
  }
  const Py_ssize_t wanted = std::max(size_ + n, size_ == 0 ? n : capacity_ + capacity_ / 2);
  if (object_ == nullptr) {
    object_ = PyBytes_FromStringAndSize(nullptr, wanted);
    if (object_ != nullptr) std::memcpy(PyBytes_AS_STRING(object_), inline_, static_cast<size_t>(size_));
  } else {
    _PyBytes_Resize(&object_, wanted);
  }
  if (object_ == nullptr) {
    data_ = nullptr;
    size_ = capacity_ = 0;
    return false;
  }
  data_ = reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(object_));
  capacity_ = wanted;
  return true;
}

PyObject* ByteBuilder::take_bytes() {
  if (data_ == nullptr) return nullptr;
  if (object_ == nullptr || size_ <= 1) return PyBytes_FromStringAndSize(reinterpret_cast<char*>(data_), size_);
  PyObject* result = std::exchange(object_, nullptr);
  data_ = inline_;
  capacity_ = kInline;
  if (Py_SIZE(result) != size_) _PyBytes_Resize(&result, size_);
  size_ = 0;
  return result;
}

void clip_slice(Py_ssize_t size, Py_ssize_t* start, Py_ssize_t* end) {
  if (*end > size) {
    *end = size;
  } else if (*end < 0) {
    *end = std::max<Py_ssize_t>(*end + size, 0);
  }
  if (*start < 0) *start = std::max<Py_ssize_t>(*start + size, 0);
}

Py_ssize_t find_bytes(ByteSpan text, ByteSpan part) {
  if (part.size == 1) {
    const void* hit = text.size == 0 ? nullptr : std::memchr(text.data, part.data[0], static_cast<size_t>(text.size));
    return hit == nullptr ? -1 : static_cast<const uint8_t*>(hit) - text.data;
  }
  if (part.size > text.size) return -1;
  if (part.size == 0) return 0;
  return search::find(text.data, text.size, part.data, part.size);
}

Py_ssize_t rfind_bytes(ByteSpan text, ByteSpan part) {
  if (part.size == 1) {
    const void* hit = text.size == 0 ? nullptr : memrchr(text.data, part.data[0], static_cast<size_t>(text.size));
    return hit == nullptr ? -1 : static_cast<const uint8_t*>(hit) - text.data;
  }
  if (part.size > text.size) return -1;
  if (part.size == 0) return text.size;
  return search::rfind(text.data, text.size, part.data, part.size);
}

Py_ssize_t count_bytes(ByteSpan text, ByteSpan part, Py_ssize_t limit) {
  if (part.size == 0) return std::min(text.size + 1, limit);
  Py_ssize_t n = 0;
  while (n < limit) {
    const Py_ssize_t at = find_bytes(text, part);
    if (at < 0) break;
    ++n;
    text = {text.data + at + part.size, text.size - at - part.size};
  }
  return n;
}

ByteSpan strip_bytes(ByteSpan text, const ByteSpan* set, Side side) {
  const auto strips = [set](uint8_t c) {
    return set == nullptr ? is_space(c)
                          : set->size != 0 && std::memchr(set->data, c, static_cast<size_t>(set->size)) != nullptr;
  };
  const auto sides = static_cast<int>(side);
  if (sides & static_cast<int>(Side::kLeft)) {
    while (text.size > 0 && strips(text.data[0])) {
      ++text.data;
      --text.size;
    }
  }
  if (sides & static_cast<int>(Side::kRight)) {
    while (text.size > 0 && strips(text.data[text.size - 1])) --text.size;
  }
  return text;
}

bool replace_bytes(ByteSpan text, ByteSpan from, ByteSpan to, Py_ssize_t limit, ByteBuilder* out, bool* changed) {
  *changed = false;
  if (limit < 0) limit = PY_SSIZE_T_MAX;
  if (limit == 0 || (from.size == 0 && to.size == 0) || from.size > text.size) return true;
  if (from.size == 0) {
    // Before each byte and at the end.
    *changed = true;
    Py_ssize_t left = limit;
    Py_ssize_t i = 0;
    for (; i < text.size && left > 0; ++i, --left) {
      if (!out->append(to.data, to.size) || !out->push(text.data[i])) return false;
    }
    if (left > 0 && !out->append(to.data, to.size)) return false;
    return out->append(text.data + i, text.size - i);
  }
  for (; limit > 0; --limit) {
    const Py_ssize_t at = find_bytes(text, from);
    if (at < 0) break;
    *changed = true;
    if (!out->append(text.data, at) || !out->append(to.data, to.size)) return false;
    text = {text.data + at + from.size, text.size - at - from.size};
  }
  return !*changed || out->append(text.data, text.size);
}

bool expand_tabs(ByteSpan text, int tab_size, ByteBuilder* out) {
  Py_ssize_t column = 0;
  for (const uint8_t* p = text.data; p != text.end(); ++p) {
    if (*p == '\t') {
      if (tab_size > 0) {
        const Py_ssize_t width = tab_size - column % tab_size;
        if (!out->fill(' ', width)) return false;
        column += width;
      }
    } else {
      if (!out->push(*p)) return false;
      column = *p == '\n' || *p == '\r' ? 0 : column + 1;
    }
  }
  return true;
}

void to_lower(ByteSpan text, uint8_t* out) {
  std::transform(text.data, text.end(), out, [](uint8_t c) { return static_cast<uint8_t>(Py_TOLOWER(c)); });
}

void to_upper(ByteSpan text, uint8_t* out) {
  std::transform(text.data, text.end(), out, [](uint8_t c) { return static_cast<uint8_t>(Py_TOUPPER(c)); });
}

void to_title(ByteSpan text, uint8_t* out) {
  bool in_word = false;
  for (const uint8_t* p = text.data; p != text.end(); ++p) {
    *out++ = static_cast<uint8_t>(in_word ? Py_TOLOWER(*p) : Py_TOUPPER(*p));
    in_word = Py_ISALPHA(*p);
  }
}

void to_capitalized(ByteSpan text, uint8_t* out) {
  to_lower(text, out);
  if (text.size > 0) out[0] = static_cast<uint8_t>(Py_TOUPPER(text.data[0]));
}

void swap_case(ByteSpan text, uint8_t* out) {
  std::transform(text.data, text.end(), out, [](uint8_t c) {
    return static_cast<uint8_t>(Py_ISLOWER(c) ? Py_TOUPPER(c) : Py_ISUPPER(c) ? Py_TOLOWER(c) : c);
  });
}

bool all_alpha(ByteSpan text) {
  return text.size > 0 && std::all_of(text.data, text.end(), [](uint8_t c) { return Py_ISALPHA(c) != 0; });
}
bool all_alnum(ByteSpan text) {
  return text.size > 0 && std::all_of(text.data, text.end(), [](uint8_t c) { return Py_ISALNUM(c) != 0; });
}
bool all_digit(ByteSpan text) {
  return text.size > 0 && std::all_of(text.data, text.end(), [](uint8_t c) { return Py_ISDIGIT(c) != 0; });
}
bool all_space(ByteSpan text) { return text.size > 0 && std::all_of(text.data, text.end(), is_space); }
bool all_ascii(ByteSpan text) {
  const uint8_t* p = text.data;
  uint64_t word;
  for (; text.end() - p >= 8; p += 8) {
    std::memcpy(&word, p, 8);
    if (word & 0x8080808080808080u) return false;
  }
  return std::all_of(p, text.end(), [](uint8_t c) { return c < 128; });
}
bool is_lower(ByteSpan text) {
  return std::none_of(text.data, text.end(), [](uint8_t c) { return Py_ISUPPER(c) != 0; }) &&
         std::any_of(text.data, text.end(), [](uint8_t c) { return Py_ISLOWER(c) != 0; });
}
bool is_upper(ByteSpan text) {
  return std::none_of(text.data, text.end(), [](uint8_t c) { return Py_ISLOWER(c) != 0; }) &&
         std::any_of(text.data, text.end(), [](uint8_t c) { return Py_ISUPPER(c) != 0; });
}
bool is_title(ByteSpan text) {
  bool cased = false, in_word = false;
  for (const uint8_t* p = text.data; p != text.end(); ++p) {
    if (Py_ISUPPER(*p)) {
      if (in_word) return false;
      in_word = cased = true;
    } else if (Py_ISLOWER(*p)) {
      if (!in_word) return false;
    } else {
      in_word = false;
    }
  }
  return cased;
}

bool read_byte(PyObject* value, uint8_t* out) {
  auto index = Ref<>::steal(_PyNumber_Index(value));
  if (!index) return false;
  int64_t n;
  if (!int_to_int64(index.get(), &n) || n < 0 || n > 255) {
    PyErr_SetString(PyExc_ValueError, "byte must be in range(0, 256)");
    return false;
  }
  *out = static_cast<uint8_t>(n);
  return true;
}

bool read_size(PyObject* value, Py_ssize_t* out) {
  auto index = Ref<>::steal(_PyNumber_Index(value));
  if (!index) return false;
  *out = PyLong_AsSsize_t(index.get());
  return *out != -1 || !PyErr_Occurred();
}

bool read_slice_arguments(const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* start, Py_ssize_t* end) {
  if (!_PyArg_CheckPositional(name, nargs, 1, 3)) return false;
  if (nargs > 1 && args[1] != Py_None && !_PyEval_SliceIndex(args[1], start)) return false;
  return nargs <= 2 || args[2] == Py_None || _PyEval_SliceIndex(args[2], end);
}

bool read_find_arguments(const char* name, PyObject* const* args, Py_ssize_t nargs, FindArguments* out) {
  if (!read_slice_arguments(name, args, nargs, &out->start, &out->end)) return false;
  PyObject* part = args[0];
  if (PyObject_CheckBuffer(part)) {
    if (!out->held.acquire_stable(part)) return false;
    out->part = out->held.span();
    return true;
  }
  if (!PyIndex_Check(part)) {
    PyErr_Format(PyExc_TypeError, "argument should be integer or bytes-like object, not '%.200s'",
                 Py_TYPE(part)->tp_name);
    return false;
  }
  if (!read_byte(part, &out->byte)) return false;
  out->part = {&out->byte, 1};
  return true;
}

int tail_match(ByteSpan text, ByteSpan part, Py_ssize_t start, Py_ssize_t end, bool at_end) {
  clip_slice(text.size, &start, &end);
  if (end - start < part.size || start > text.size) return 0;
  const uint8_t* at = at_end ? text.data + end - part.size : text.data + start;
  return std::memcmp(at, part.data, static_cast<size_t>(part.size)) == 0;
}

PyObject* make_translation(PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("maketrans", nargs, 2, 2)) return nullptr;
  ByteArgument from, to;
  if (!from.acquire_stable(args[0]) || !to.acquire_stable(args[1])) return nullptr;
  if (from.span().size != to.span().size) {
    PyErr_SetString(PyExc_ValueError, "maketrans arguments must have same length");
    return nullptr;
  }
  PyObject* table = PyBytes_FromStringAndSize(nullptr, 256);
  if (table == nullptr) return nullptr;
  char* out = PyBytes_AS_STRING(table);
  for (int i = 0; i < 256; ++i) out[i] = static_cast<char>(i);
  for (Py_ssize_t i = 0; i < from.span().size; ++i) out[from.span().data[i]] = static_cast<char>(to.span().data[i]);
  return table;
}

bool append_ints(PyObject* iterable, ByteBuilder* out, const char* range_error) {
  const auto append = [&](PyObject* item) {
    // Values beyond a word are clipped, and so out of range as well.
    const Py_ssize_t value = PyNumber_AsSsize_t(item, nullptr);
    if (value == -1 && PyErr_Occurred()) return false;
    if (value < 0 || value > 255) {
      PyErr_SetString(PyExc_ValueError, range_error);
      return false;
    }
    return out->push(static_cast<uint8_t>(value));
  };
  if (PyTuple_CheckExact(iterable)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(iterable); ++i) {
      if (!append(PyTuple_GET_ITEM(iterable, i))) return false;
    }
    return true;
  }
  if (PyList_CheckExact(iterable)) {
    // The list may change while an item's __index__ runs.
    for (Py_ssize_t i = 0;; ++i) {
      if (i >= PyList_GET_SIZE(iterable)) return true;
      auto item = Ref<>::steal(PyList_GetItemRef(iterable, i));
      if (!item) {
        PyErr_Clear();
        return true;
      }
      if (!append(item.get())) return false;
    }
  }
  auto iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return false;
  const Py_ssize_t hint = PyObject_LengthHint(iterable, 64);
  if (hint < 0 || !out->reserve(hint)) return false;
  for (;;) {
    PyObject* next;
    if (PyIter_NextItem(iterator.get(), &next) < 0) return false;
    if (next == nullptr) return true;
    auto item = Ref<>::steal(next);
    if (!append(item.get())) return false;
  }
}

bool join_bytes(ByteSpan separator, PyObject* iterable, ByteBuilder* out) {
  // A list is copied: it must not change between the items.
  auto items = Ref<>::steal(PyList_CheckExact(iterable) ? PyList_AsTuple(iterable) : PySequence_Fast(iterable, "can only join an iterable"));
  if (!items) return false;
  const Py_ssize_t count = PySequence_Fast_GET_SIZE(items.get());
  PyObject** slots = PySequence_Fast_ITEMS(items.get());
  // The exact size, as far as bytes objects tell it.
  Py_ssize_t total = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    const Py_ssize_t size = (PyBytes_Check(slots[i]) ? PyBytes_GET_SIZE(slots[i]) : 0) + (i > 0 ? separator.size : 0);
    if (__builtin_add_overflow(total, size, &total)) {
      PyErr_SetString(PyExc_OverflowError, "join() result is too long");
      return false;
    }
  }
  if (!out->reserve(total)) return false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    ByteArgument item;
    if (!PyBytes_Check(slots[i]) && !PyObject_CheckBuffer(slots[i])) {
      PyErr_Format(PyExc_TypeError, "sequence item %zd: expected a bytes-like object, %.80s found", i,
                   Py_TYPE(slots[i])->tp_name);
      return false;
    }
    if (!item.acquire(slots[i])) return false;
    if (PyList_CheckExact(iterable) && PyList_GET_SIZE(iterable) != count) {
      PyErr_SetString(PyExc_RuntimeError, "sequence changed size during iteration");
      return false;
    }
    if (i > 0 && separator.size > 0 && !out->append(separator.data, separator.size)) return false;
    BufferLock lock(item.owner());
    if (!out->append(item.span().data, item.span().size)) return false;
  }
  return out->ok();
}

bool warn_comparison(PyObject* a, PyObject* b, const char* type_name, int op) {
  if (Py_BytesWarningFlag == 0 || (op != Py_EQ && op != Py_NE)) return true;
  char text[80];
  if (PyUnicode_Check(a) || PyUnicode_Check(b)) {
    PyOS_snprintf(text, sizeof(text), "Comparison between %s and string", type_name);
  } else if (PyLong_Check(a) || PyLong_Check(b)) {
    PyOS_snprintf(text, sizeof(text), "Comparison between %s and int", type_name);
  } else {
    return true;
  }
  return PyErr_WarnEx(PyExc_BytesWarning, text, 1) == 0;
}

}  // namespace amphis
