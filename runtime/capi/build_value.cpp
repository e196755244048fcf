// Py_BuildValue: making objects from C values by a format.
//
// Grammar: an item is a unit letter with its modifiers, or a group in (), [] or {}; ',', ':', space and tab between items mean
// nothing. References taken by "N" are released even when something else fails, so the whole format is always walked. It is
// walked once: how many items a group has is known when they are made.
#include <array>
#include <climits>
#include <cstring>

#include "capi/getargs.h"
#include "objects/dict.h"
#include "objects/list.h"
#include "objects/tuple.h"
#include "sync/ref.h"

namespace amphis {
namespace {

enum Kind : uint8_t { kUnit, kNothing, kOpening, kClosing };
constexpr auto kKinds = [] {
  std::array<Kind, 256> table{};
  for (unsigned char c : {'#', '&', ',', ':', ' ', '\t'}) table[c] = kNothing;
  for (unsigned char c : {'(', '[', '{'}) table[c] = kOpening;
  for (unsigned char c : {')', ']', '}', '\0'}) table[c] = kClosing;
  return table;
}();
Kind kind_of(char c) { return kKinds[static_cast<unsigned char>(c)]; }

// The items of a group up to the closing bracket, by its brackets' number alone; -1: there are too few.
Py_ssize_t count_items(const char* format, char closing) {
  Py_ssize_t count = 0;
  for (int level = 0; level > 0 || *format != closing; ++format) {
    if (*format == '\0') return -1;
    const Kind kind = kind_of(*format);
    count += level == 0 && (kind == kUnit || kind == kOpening);
    level += (kind == kOpening) - (kind == kClosing);
  }
  return count;
}

// The items of a group as they are made; owns them until they are taken.
class Items {
 public:
  Items() = default;
  ~Items() {
    while (count_ > 0) Py_DECREF(items_[--count_]);
    if (items_ != inline_) PyMem_Free(items_);
  }
  Items(const Items&) = delete;
  Items& operator=(const Items&) = delete;

  Py_ssize_t count() const { return count_; }
  // Takes the item over, also on failure.
  bool add(PyObject* item) {
    if (count_ == capacity_ && !grow()) {
      Py_DECREF(item);
      return false;
    }
    items_[count_++] = item;
    return true;
  }
  // The references go to the caller.
  PyObject* const* take() {
    count_ = 0;
    return items_;
  }

 private:
  bool grow() {
    const size_t bytes = static_cast<size_t>(capacity_) * sizeof(PyObject*);
    auto* grown = static_cast<PyObject**>(PyMem_Realloc(items_ != inline_ ? items_ : nullptr, 2 * bytes));
    if (grown == nullptr) {
      PyErr_NoMemory();
      return false;
    }
    if (items_ == inline_) std::memcpy(grown, inline_, bytes);
    items_ = grown;
    capacity_ *= 2;
    return true;
  }

  static constexpr Py_ssize_t kInline = 8;
  PyObject* inline_[kInline];
  PyObject** items_ = inline_;
  Py_ssize_t count_ = 0;
  Py_ssize_t capacity_ = kInline;
};

PyObject* build_item(const char** format, VarArgs* va);

// Walks the rest of a group for its side effects after a failure, keeping the exception.
void discard_items(const char** format, VarArgs* va) {
  PyObject* raised = PyErr_GetRaisedException();
  for (;;) {
    const Kind kind = kind_of(**format);
    if (kind == kClosing) break;
    if (kind == kNothing) {
      ++*format;
      continue;
    }
    PyObject* item = build_item(format, va);
    if (item == nullptr) PyErr_Clear();
    Py_XDECREF(item);
  }
  if (**format != '\0') ++*format;
  PyErr_SetRaisedException(raised);
}

// Makes the items of a group and goes behind its bracket.
bool build_items(const char** format, VarArgs* va, char closing, Items* items) {
  const char* start = *format;
  for (;;) {
    const Kind kind = kind_of(**format);
    if (kind == kClosing) [[unlikely]] break;
    if (kind == kNothing) {
      ++*format;
      continue;
    }
    PyObject* item = build_item(format, va);
    if (item == nullptr || !items->add(item)) {
      discard_items(format, va);
      return false;
    }
  }
  if (**format == closing) [[likely]] {
    *format += closing != '\0';
    return true;
  }
  // What stands behind a single item and its stray bracket is not looked at.
  const Py_ssize_t count = count_items(start, closing);
  if (closing == '\0' && count <= 1 && items->count() == count) return true;
  PyErr_SetString(PyExc_SystemError, count < 0                        ? "unmatched paren in format"
                                     : closing == '\0' && count == 1 ? "bad format char passed to Py_BuildValue"
                                                                     : "Unmatched paren in format");
  return false;
}

PyObject* dict_from_items(PyObject* const* items, Py_ssize_t count) { return dict_from_pairs_take(items, count / 2); }

// Not a part of build_item, whose other cases need no room for items.
template <PyObject* (*FromArrayTake)(PyObject* const*, Py_ssize_t)>
AMPHIS_NOINLINE PyObject* build_group(const char** format, VarArgs* va, char closing) {
  Items items;
  if (!build_items(format, va, closing, &items)) return nullptr;
  const Py_ssize_t count = items.count();
  if (closing == '}' && count % 2 != 0) {
    PyErr_SetString(PyExc_SystemError, "Bad dict format");
    return nullptr;
  }
  return FromArrayTake(items.take(), count);
}

// An optional '#' and the length that it announces; -1: the text ends at its null.
Py_ssize_t read_length(const char** format, VarArgs* va) {
  if (**format != '#') return -1;
  ++*format;
  return va_arg(va->list, Py_ssize_t);
}

PyObject* build_item(const char** format, VarArgs* va) {
  switch (*(*format)++) {
    case '(':
      return build_group<tuple_from_array_take>(format, va, ')');
    case '[':
      return build_group<list_from_array_take>(format, va, ']');
    case '{':
      return build_group<dict_from_items>(format, va, '}');
    case 'b':
    case 'B':
    case 'h':
    case 'i':
      return PyLong_FromLong(va_arg(va->list, int));
    case 'H':
    case 'I':
      return PyLong_FromUnsignedLong(va_arg(va->list, unsigned int));
    case 'n':
      return PyLong_FromSsize_t(va_arg(va->list, Py_ssize_t));
    case 'l':
      return PyLong_FromLong(va_arg(va->list, long));
    case 'k':
      return PyLong_FromUnsignedLong(va_arg(va->list, unsigned long));
    case 'L':
      return PyLong_FromLongLong(va_arg(va->list, long long));
    case 'K':
      return PyLong_FromUnsignedLongLong(va_arg(va->list, unsigned long long));
    case 'p':
      return PyBool_FromLong(va_arg(va->list, int));
    case 'f':
    case 'd':
      return PyFloat_FromDouble(va_arg(va->list, double));
    case 'D':
      return PyComplex_FromCComplex(*va_arg(va->list, Py_complex*));
    case 'c': {
      const char c = static_cast<char>(va_arg(va->list, int));
      return PyBytes_FromStringAndSize(&c, 1);
    }
    case 'C':
      return PyUnicode_FromOrdinal(va_arg(va->list, int));
    case 'u': {
      const auto* text = va_arg(va->list, const wchar_t*);
      const Py_ssize_t length = read_length(format, va);
      if (text == nullptr) Py_RETURN_NONE;
      return PyUnicode_FromWideChar(text, length);
    }
    case 's':
    case 'z':
    case 'U': {
      const char* text = va_arg(va->list, const char*);
      const Py_ssize_t length = read_length(format, va);
      if (text == nullptr) Py_RETURN_NONE;
      return PyUnicode_FromStringAndSize(text, length < 0 ? static_cast<Py_ssize_t>(std::strlen(text)) : length);
    }
    case 'y': {
      const char* text = va_arg(va->list, const char*);
      const Py_ssize_t length = read_length(format, va);
      if (text == nullptr) Py_RETURN_NONE;
      return PyBytes_FromStringAndSize(text, length < 0 ? static_cast<Py_ssize_t>(std::strlen(text)) : length);
    }
    case 'N':
    case 'S':
    case 'O': {
      if (**format == '&') {
        ++*format;
        using Maker = PyObject* (*)(void*);
        auto make = va_arg(va->list, Maker);
        return make(va_arg(va->list, void*));
      }
      const char kind = (*format)[-1];
      PyObject* object = va_arg(va->list, PyObject*);
      if (object != nullptr) return kind == 'N' ? object : Py_NewRef(object);
      // A failed call as an argument: its exception goes through.
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_SystemError, "NULL object passed to Py_BuildValue");
      return nullptr;
    }
    default:
      PyErr_SetString(PyExc_SystemError, "bad format char passed to Py_BuildValue");
      return nullptr;
  }
}

PyObject* build(const char* format, VarArgs* va) {
  Items items;
  if (!build_items(&format, va, '\0', &items)) return nullptr;
  const Py_ssize_t count = items.count();
  if (count == 0) Py_RETURN_NONE;
  PyObject* const* made = items.take();
  return count == 1 ? made[0] : tuple_from_array_take(made, count);
}

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* Py_BuildValue(const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  PyObject* result = build(format, &va);
  va_end(va.list);
  return result;
}

PyObject* Py_VaBuildValue(const char* format, va_list list) {
  VarArgs va;
  va_copy(va.list, list);
  PyObject* result = build(format, &va);
  va_end(va.list);
  return result;
}

PyObject* _Py_BuildValue_SizeT(const char* format, ...) {
  VarArgs va;
  va_start(va.list, format);
  PyObject* result = build(format, &va);
  va_end(va.list);
  return result;
}

PyObject* _Py_VaBuildValue_SizeT(const char* format, va_list list) { return Py_VaBuildValue(format, list); }

}  // extern "C"
