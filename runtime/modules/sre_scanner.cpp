// What goes through a string match by match: the scanner object and finditer()'s iterator.
//
// Both hold a Session, which is not for two at once: whoever comes while a match is being looked for (another
// thread, or a signal handler) gets ValueError.
#include <new>

#include "modules/sre.h"

namespace amphis::sre {

namespace {

struct Scanner {
  PyObject_HEAD PyObject* pattern;
  PyObject* string;
  Session* session;
  bool busy;
  bool done;
};

Scanner* as_scanner(PyObject* op) {
  return reinterpret_cast<Scanner*>(op);
}

PyObject* make(PyTypeObject* type, Pattern* pattern, PyObject* string, Py_ssize_t pos, Py_ssize_t end_pos) {
  auto* scanner = make_gc_object<Scanner>(type);
  if (scanner == nullptr) return nullptr;
  scanner->pattern = Py_NewRef(reinterpret_cast<PyObject*>(pattern));
  scanner->string = Py_NewRef(string);
  scanner->busy = scanner->done = false;
  scanner->session = new (std::nothrow) Session;
  Ref<> made = Ref<>::steal(reinterpret_cast<PyObject*>(scanner));
  if (scanner->session == nullptr) return PyErr_NoMemory();
  if (!scanner->session->begin(pattern, string, pos, end_pos)) return nullptr;
  if (!PyUnicode_CheckExact(string) && !PyBytes_CheckExact(string)) track(made.get());
  return made.release();
}

int scanner_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_scanner(self)->pattern);
  Py_VISIT(as_scanner(self)->string);
  return 0;
}

void scanner_dealloc(PyObject* self) {
  untrack(self);
  delete as_scanner(self)->session;
  Py_DECREF(as_scanner(self)->pattern);
  Py_DECREF(as_scanner(self)->string);
  Py_TYPE(self)->tp_free(self);
}

enum class How { kMatch, kSearch };

// The next match, or null, with an exception or at the end.
PyObject* next(PyObject* self, How how) {
  Scanner* scanner = as_scanner(self);
  if (__atomic_exchange_n(&scanner->busy, true, __ATOMIC_ACQUIRE)) {
    PyErr_SetString(PyExc_ValueError, "regular expression scanner already executing");
    return nullptr;
  }
  PyObject* match = nullptr;
  if (!scanner->done) {
    Session& session = *scanner->session;
    const int status = how == How::kMatch ? session.match() : session.search();
    if (status > 0) {
      match = session.make_match();
      session.advance();
    } else if (status == 0) {
      scanner->done = true;
    }
  }
  __atomic_store_n(&scanner->busy, false, __ATOMIC_RELEASE);
  return match;
}

template <How kHow>
PyObject* scanner_next(PyObject* self, PyObject*) {
  PyObject* match = next(self, kHow);
  if (match == nullptr && !PyErr_Occurred()) Py_RETURN_NONE;
  return match;
}

PyObject* iterator_next(PyObject* self) {
  return next(self, How::kSearch);
}

PyMethodDef scanner_methods[] = {
    {"match", scanner_next<How::kMatch>, METH_NOARGS, "match($self, /)\n--\n\n"},
    {"search", scanner_next<How::kSearch>, METH_NOARGS, "search($self, /)\n--\n\n"},
    {},
};

PyMemberDef scanner_members[] = {
    {"pattern", Py_T_OBJECT_EX, offsetof(Scanner, pattern), Py_READONLY, nullptr},
    {},
};

}  // namespace

PyObject* make_scanner(Pattern* pattern, PyObject* string, Py_ssize_t pos, Py_ssize_t end_pos) {
  return make(&SreScanner_Type, pattern, string, pos, end_pos);
}

PyObject* make_match_iterator(Pattern* pattern, PyObject* string, Py_ssize_t pos, Py_ssize_t end_pos) {
  return make(&SreMatchIterator_Type, pattern, string, pos, end_pos);
}

}  // namespace amphis::sre

extern "C" {

using namespace amphis::sre;

PyTypeObject SreScanner_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "_sre.SRE_Scanner",
    .tp_basicsize = sizeof(Scanner),
    .tp_dealloc = scanner_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                Py_TPFLAGS_IMMUTABLETYPE,
    .tp_traverse = scanner_traverse,
    .tp_methods = scanner_methods,
    .tp_members = scanner_members,
    .tp_alloc = PyType_GenericAlloc,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject SreMatchIterator_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "callable_iterator",
    .tp_basicsize = sizeof(Scanner),
    .tp_dealloc = scanner_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                Py_TPFLAGS_IMMUTABLETYPE,
    .tp_traverse = scanner_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
    .tp_alloc = PyType_GenericAlloc,
    .tp_free = PyObject_GC_Del,
};

}  // extern "C"
