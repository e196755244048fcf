// Traceback objects: the chain from the frame that caught to the frame that raised.
#include "Python.h"
#include "frameobject.h"
#include "gc/object_new.h"
#include "internal/pycore_frame.h"
#include "objects/error_display.h"
#include "objects/exceptions.h"
#include "objects/names.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <climits>
#include <utility>

namespace amphis {

namespace {

struct TracebackObject {
  PyObject_HEAD
  TracebackObject* next;
  PyObject* frame;
  int lasti;
  int lineno;  // -1: computed from lasti on demand
};

TracebackObject* as_tb(PyObject* o) { return reinterpret_cast<TracebackObject*>(o); }

TracebackObject* traceback_make(PyObject* next, PyObject* frame, int lasti, int lineno) {
  auto* tb = new_gc_object<TracebackObject>(&PyTraceBack_Type);
  if (tb == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  tb->next = as_tb(Py_XNewRef(next));
  tb->frame = Py_NewRef(frame);
  tb->lasti = lasti;
  tb->lineno = lineno;
  track(tb);
  return tb;
}

}  // namespace

int exception_add_frame(PyObject* exc, PyObject* frame, int lasti, int line) {
  TracebackObject* tb = traceback_make(nullptr, frame, lasti, line);
  if (tb == nullptr) return -1;
  ObjectLock lock(exc);
  tb->next = as_tb(std::exchange(as_exception(exc)->traceback, reinterpret_cast<PyObject*>(tb)));
  return 0;
}

namespace {

PyObject* tb_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"tb_next", "tb_frame", "tb_lasti", "tb_lineno", nullptr};
  PyObject *next, *frame;
  int lasti, lineno;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO!ii:TracebackType", const_cast<char**>(keywords), &next,
                                   &PyFrame_Type, &frame, &lasti, &lineno)) {
    return nullptr;
  }
  if (next == Py_None) {
    next = nullptr;
  } else if (!PyTraceBack_Check(next)) {
    PyErr_Format(PyExc_TypeError, "expected traceback object or None, got '%s'", Py_TYPE(next)->tp_name);
    return nullptr;
  }
  return reinterpret_cast<PyObject*>(traceback_make(next, frame, lasti, lineno));
}

Ref<TracebackObject> next_of(TracebackObject* tb) { return sync::get_ref(&tb->next, tb); }

// Exchanges tb->next for *next; false: that would close a ring. One at a time: two assignments that know nothing of each other
// could close one, too.
bool link(TracebackObject* tb, Ref<TracebackObject>* next) {
  static constinit sync::AttachedMutex assignments;
  sync::LockGuard<sync::AttachedMutex> one_at_a_time(assignments);
  for (TracebackObject* at = next->get(); at != nullptr; at = at->next) {
    if (at == tb) return false;
  }
  LeafLock lock(tb);
  *next = sync::exchange_slot_locked(&tb->next, std::move(*next));
  return true;
}

PyObject* get_next(PyObject* self, void*) {
  Ref<TracebackObject> next = next_of(as_tb(self));
  return next ? next.release_obj() : Py_NewRef(Py_None);
}

int set_next(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "can't delete tb_next attribute");
    return -1;
  }
  if (value == Py_None) {
    value = nullptr;
  } else if (!PyTraceBack_Check(value)) {
    PyErr_Format(PyExc_TypeError, "expected traceback object, got '%s'", Py_TYPE(value)->tp_name);
    return -1;
  }
  Ref<TracebackObject> given = Ref<TracebackObject>::share(value);
  if (link(as_tb(self), &given)) return 0;
  PyErr_SetString(PyExc_ValueError, "traceback loop detected");
  return -1;
}

int line_of(TracebackObject* tb) {
  if (tb->lineno != -1) return tb->lineno;
  PyCodeObject* code = PyFrame_GetCode(reinterpret_cast<PyFrameObject*>(tb->frame));
  int line = PyCode_Addr2Line(code, tb->lasti);
  Py_DECREF(code);
  return line;
}

PyObject* get_lineno(PyObject* self, void*) {
  int line = line_of(as_tb(self));
  if (line == -1) Py_RETURN_NONE;
  return PyLong_FromLong(line);
}

PyObject* tb_dir(PyObject*, PyObject*) {
  return Py_BuildValue("[ssss]", "tb_frame", "tb_next", "tb_lasti", "tb_lineno");
}

void tb_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  // A long chain is taken apart here, not by recursion.
  TracebackObject* next = as_tb(self)->next;
  as_tb(self)->next = nullptr;
  Py_CLEAR(as_tb(self)->frame);
  PyObject_GC_Del(self);
  while (next != nullptr && Py_REFCNT(reinterpret_cast<PyObject*>(next)) == 1) {
    TracebackObject* after = next->next;
    next->next = nullptr;
    Py_DECREF(reinterpret_cast<PyObject*>(next));
    next = after;
  }
  Py_XDECREF(reinterpret_cast<PyObject*>(next));
}

int tb_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<PyObject*>(as_tb(self)->next));
  Py_VISIT(as_tb(self)->frame);
  return 0;
}

int tb_clear(PyObject* self) {
  PyObject* next = reinterpret_cast<PyObject*>(as_tb(self)->next);
  as_tb(self)->next = nullptr;
  Py_XDECREF(next);
  Py_CLEAR(as_tb(self)->frame);
  return 0;
}

PyMethodDef tb_methods[] = {
    {"__dir__", tb_dir, METH_NOARGS, nullptr},
    {},
};
PyMemberDef tb_members[] = {
    {"tb_frame", _Py_T_OBJECT, offsetof(TracebackObject, frame), Py_READONLY, nullptr},
    {"tb_lasti", Py_T_INT, offsetof(TracebackObject, lasti), Py_READONLY, nullptr},
    {},
};
PyGetSetDef tb_getsets[] = {
    {"tb_next", get_next, set_next, nullptr, nullptr},
    {"tb_lineno", get_lineno, nullptr, nullptr, nullptr},
    {},
};

int write_text(PyObject* file, PyObject* text) {
  if (text == nullptr) return -1;
  int status = PyFile_WriteObject(text, file, Py_PRINT_RAW);
  Py_DECREF(text);
  return status;
}

constexpr long kTracebackLimit = 1000;
constexpr long kSameLines = 3;

int write_repeated(PyObject* file, long same) {
  if (same <= kSameLines) return 0;
  const long more = same - kSameLines;
  return write_text(file, PyUnicode_FromFormat("  [Previous line repeated %ld more time%s]\n", more, more > 1 ? "s" : ""));
}

bool same_text(PyObject* a, PyObject* b) { return a == b || PyUnicode_Compare(a, b) == 0; }

}  // namespace

}  // namespace amphis

extern "C" {

using namespace amphis;

PyTypeObject PyTraceBack_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "traceback",
    .tp_basicsize = sizeof(TracebackObject),
    .tp_dealloc = tb_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "TracebackType(tb_next, tb_frame, tb_lasti, tb_lineno)\n--\n\nCreate a new traceback object.",
    .tp_traverse = tb_traverse,
    .tp_clear = tb_clear,
    .tp_methods = tb_methods,
    .tp_members = tb_members,
    .tp_getset = tb_getsets,
    .tp_new = tb_new,
};

int PyTraceBack_Here(PyFrameObject* frame) {
  PyObject* exc = PyErr_GetRaisedException();
  // Made by an extension, the frame has a line of its own and no place in the code.
  const int line = frame->f_lineno;
  if (exception_add_frame(exc, reinterpret_cast<PyObject*>(frame), PyFrame_GetLasti(frame), line != 0 ? line : -1) < 0) {
    _PyErr_ChainExceptions1(exc);
    return -1;
  }
  PyErr_SetRaisedException(exc);
  return 0;
}

int PyTraceBack_Print(PyObject* traceback, PyObject* file) {
  if (traceback == nullptr) return 0;
  if (!PyTraceBack_Check(traceback)) {
    PyErr_BadInternalCall();
    return -1;
  }
  long limit = kTracebackLimit;
  Ref<> wanted = Ref<>::share(PySys_GetObject("tracebacklimit"));
  if (wanted && PyLong_Check(wanted.get())) {
    int overflow;
    limit = PyLong_AsLongAndOverflow(wanted, &overflow);
    if (overflow > 0) {
      limit = LONG_MAX;
    } else if (limit <= 0 || overflow < 0) {
      return 0;
    }
  }
  if (write_text(file, PyUnicode_FromString("Traceback (most recent call last):\n")) < 0) return -1;
  long depth = 0;
  for (auto tb = Ref<TracebackObject>::share(traceback); tb; tb = next_of(tb)) ++depth;
  auto tb = Ref<TracebackObject>::share(traceback);
  for (; tb && depth > limit; --depth) tb = next_of(tb);
  // A line of a recursive function is shown a few times, then counted.
  Ref<PyCodeObject> last;
  int last_line = -1;
  long same = 0;
  for (; tb; tb = next_of(tb)) {
    auto code = Ref<PyCodeObject>::steal(PyFrame_GetCode(reinterpret_cast<PyFrameObject*>(tb->frame)));
    const int line = line_of(tb);
    if (last && last_line == line && same_text(last.get()->co_filename, code.get()->co_filename) &&
        same_text(last.get()->co_name, code.get()->co_name)) {
      ++same;
    } else {
      if (write_repeated(file, same) < 0) return -1;
      last = Ref<PyCodeObject>::share(code.get());
      last_line = line;
      same = 1;
    }
    if (same > kSameLines) continue;
    if (write_text(file, PyUnicode_FromFormat("  File \"%U\", line %d, in %U\n", code.get()->co_filename, line,
                                              code.get()->co_name)) < 0 ||
        display_source_line(file, code.get()->co_filename, line, 4) < 0 || PyErr_CheckSignals() < 0) {
      return -1;
    }
  }
  return write_repeated(file, same);
}

}  // extern "C"
