// Search in str: brings both sides to one width and calls the templates of str_search.h.
#pragma once

#include "objects/str.h"

namespace amphis {

// The needle's characters in the width of the haystack. A needle wider than the haystack cannot occur:
// impossible().
class Needle {
 public:
  Needle(const StrView& needle, int hay_kind) : length_(needle.length) {
    if (needle.kind == hay_kind) {
      data_ = needle.data;
    } else if (needle.kind > hay_kind) {
      impossible_ = true;
    } else {
      Py_ssize_t bytes = needle.length * hay_kind;
      void* room = small_;
      if (bytes > static_cast<Py_ssize_t>(sizeof small_)) {
        room = PyMem_Malloc(static_cast<size_t>(bytes));
        if (!room) {
          PyErr_NoMemory();
          return;
        }
      }
      copy_chars_to(hay_kind, room, 0, needle.kind, needle.data, 0, needle.length);
      data_ = owned_ = room;
    }
  }
  ~Needle() {
    if (owned_ && owned_ != small_) PyMem_Free(owned_);
  }
  Needle(const Needle&) = delete;
  Needle& operator=(const Needle&) = delete;

  bool failed() const { return !impossible_ && !data_; }
  bool impossible() const { return impossible_; }
  Py_ssize_t length() const { return length_; }
  template <class Ch>
  const Ch* as() const {
    return static_cast<const Ch*>(data_);
  }

 private:
  const void* data_ = nullptr;
  void* owned_ = nullptr;
  Py_ssize_t length_;
  bool impossible_ = false;
  alignas(8) char small_[128];
};

// Limits start and end as slices do.
inline void clamp_range(Py_ssize_t* start, Py_ssize_t* end, Py_ssize_t length) {
  if (*end > length) {
    *end = length;
  } else if (*end < 0) {
    *end += length;
    if (*end < 0) *end = 0;
  }
  if (*start < 0) {
    *start += length;
    if (*start < 0) *start = 0;
  }
}

// The index of needle in hay[start:end] (indices clamped), -1 for none, -2 with an exception.
Py_ssize_t str_find(PyObject* hay, PyObject* needle, Py_ssize_t start, Py_ssize_t end, bool from_right);
Py_ssize_t str_find_char(const StrView& hay, Py_UCS4 ch, Py_ssize_t start, Py_ssize_t end, bool from_right);
Py_ssize_t str_count(PyObject* hay, PyObject* needle, Py_ssize_t start, Py_ssize_t end);
// Whether hay[start:end] starts (or ends) with affix.
bool str_tail_match(PyObject* hay, PyObject* affix, Py_ssize_t start, Py_ssize_t end, bool at_end);

// An index argument of find() and its like: None leaves *value, others must have __index__ and are clamped.
bool slice_index(PyObject* o, Py_ssize_t* value);

// The methods, for the table in str_methods.cpp.
PyObject* str_m_find(PyObject*, PyObject* const*, Py_ssize_t);
PyObject* str_m_rfind(PyObject*, PyObject* const*, Py_ssize_t);
PyObject* str_m_index(PyObject*, PyObject* const*, Py_ssize_t);
PyObject* str_m_rindex(PyObject*, PyObject* const*, Py_ssize_t);
PyObject* str_m_count(PyObject*, PyObject* const*, Py_ssize_t);
PyObject* str_m_startswith(PyObject*, PyObject* const*, Py_ssize_t);
PyObject* str_m_endswith(PyObject*, PyObject* const*, Py_ssize_t);
PyObject* str_m_removeprefix(PyObject*, PyObject*);
PyObject* str_m_removesuffix(PyObject*, PyObject*);

}  // namespace amphis
