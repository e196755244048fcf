// Subject and the parts of Session that do not depend on the width of characters: opening, registers,
// results.
#include "modules/sre.h"
#include "objects/str.h"

#include <string.h>

namespace amphis::sre {

bool Subject::open(PyObject* string) {
  string_ = string;
  if (PyUnicode_Check(string)) {
    const StrView view(string);
    data_ = static_cast<const char*>(view.data);
    length_ = view.length;
    width_ = view.kind;
    ascii_ = view.ascii;
    return true;
  }
  is_bytes_ = true;
  if (PyBytes_CheckExact(string)) {
    data_ = PyBytes_AS_STRING(string);
    length_ = PyBytes_GET_SIZE(string);
    return true;
  }
  if (!PyObject_CheckBuffer(string)) {
    PyErr_Format(PyExc_TypeError, "expected string or bytes-like object, got '%.200s'",
                 Py_TYPE(string)->tp_name);
    return false;
  }
  if (PyObject_GetBuffer(string, &view_, PyBUF_SIMPLE) != 0) return false;
  held_ = true;
  if (view_.buf == nullptr && view_.len != 0) {
    PyErr_SetString(PyExc_ValueError, "Buffer is NULL");
    return false;
  }
  data_ = static_cast<const char*>(view_.buf);
  length_ = view_.len;
  return true;
}

PyObject* Subject::slice(Py_ssize_t start, Py_ssize_t end) const {
  if (!is_bytes_) {
    if (ascii_ && end - start != length_) return str_from_ascii(data_ + start, end - start);
    return str_slice(string_, start, end);
  }
  if (start == 0 && end == length_ && PyBytes_CheckExact(string_)) return Py_NewRef(string_);
  return PyBytes_FromStringAndSize(data_ + start, end - start);
}

Session::~Session() {
  if (stack_ != inline_entries_) PyMem_RawFree(stack_);
  PyMem_RawFree(register_block_);
}

bool Session::begin(Pattern* pattern, PyObject* string, Py_ssize_t pos, Py_ssize_t end_pos) {
  pattern_ = pattern;
  program_ = pattern->program;
  if (!subject_.open(string)) return false;
  if (subject_.is_bytes() && pattern->is_bytes == 0) {
    PyErr_SetString(PyExc_TypeError, "cannot use a string pattern on a bytes-like object");
    return false;
  }
  if (!subject_.is_bytes() && pattern->is_bytes > 0) {
    PyErr_SetString(PyExc_TypeError, "cannot use a bytes pattern on a string-like object");
    return false;
  }
  const Py_ssize_t length = subject_.length();
  auto clamp = [=](Py_ssize_t at) { return at < 0 ? 0 : at > length ? length : at; };
  pos_ = start_ = clamp(pos);
  end_pos_ = clamp(end_pos);
  return allocate_registers(*program_);
}

bool Session::allocate_registers(const Program& program) {
  static_assert(sizeof(Loop) == 2 * sizeof(uintptr_t));
  const size_t words = size_t{2} * program.groups + size_t{2} * program.loops + program.barriers;
  uintptr_t* block = inline_words_;
  if (words > kInlineWords) {
    register_block_ = PyMem_RawMalloc(words * sizeof(uintptr_t));
    if (register_block_ == nullptr) {
      PyErr_NoMemory();
      return false;
    }
    block = static_cast<uintptr_t*>(register_block_);
  }
  marks_ = reinterpret_cast<const void**>(block);
  loops_ = reinterpret_cast<Loop*>(block + size_t{2} * program.groups);
  barriers_ = block + size_t{2} * program.groups + size_t{2} * program.loops;
  // What a loop's register held before the loop began is laid on the stack: let it be something.
  for (Word i = 0; i < program.loops; ++i) loops_[i] = {0, nullptr};
  return true;
}

void Session::reset_marks() {
  last_index_ = -1;
  const size_t n = size_t{2} * program_->groups;
  for (size_t i = 0; i < n; ++i) marks_[i] = nullptr;
}

bool Session::group(Py_ssize_t index, Py_ssize_t* start, Py_ssize_t* end) const {
  const auto* from = static_cast<const char*>(marks_[2 * (index - 1)]);
  const auto* to = static_cast<const char*>(marks_[2 * (index - 1) + 1]);
  if (from == nullptr || to == nullptr || to < from) return false;
  const int shift = subject_.width() >> 1;
  *start = (from - subject_.data()) >> shift;
  *end = (to - subject_.data()) >> shift;
  return true;
}

PyObject* Session::group_text(Py_ssize_t index, bool empty) const {
  Py_ssize_t start, end;
  if (!group(index, &start, &end)) {
    if (!empty) Py_RETURN_NONE;
    start = end = 0;
  }
  return subject_.slice(start, end);
}

PyObject* Session::make_match() const {
  const Py_ssize_t groups = pattern_->groups + 1;
  const size_t size = offsetof(Match, spans) + 2 * static_cast<size_t>(groups) * sizeof(Py_ssize_t);
  auto* match = new_gc_object_sized<Match>(&SreMatch_Type, size);
  if (match == nullptr) return PyErr_NoMemory();
  Py_SET_SIZE(match, groups);
  match->string = Py_NewRef(subject_.string());
  match->regs = nullptr;
  match->pattern = as_pattern(Py_NewRef(reinterpret_cast<PyObject*>(pattern_)));
  match->pos = pos_;
  match->end_pos = end_pos_;
  match->last_index = last_index_;
  match->groups = groups;
  match->spans[0] = match_start_;
  match->spans[1] = match_end_;
  for (Py_ssize_t i = 1; i < groups; ++i) {
    Py_ssize_t* span = match->spans + 2 * i;
    if (!group(i, &span[0], &span[1])) span[0] = span[1] = -1;
  }
  // Exact strings refer to nothing: no cycle can come through this match then, but for the pattern's own.
  if (!PyUnicode_CheckExact(match->string) && !PyBytes_CheckExact(match->string)) track(match);
  return reinterpret_cast<PyObject*>(match);
}

PyObject* match_or_none(const Session& session, int status) {
  if (status > 0) return session.make_match();
  if (status < 0) return nullptr;
  Py_RETURN_NONE;
}

}  // namespace amphis::sre
