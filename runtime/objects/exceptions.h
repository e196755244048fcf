// What the exception*.cpp files share: slots of BaseException that subclasses with more fields call, and the way a
// static exception type is written.
#pragma once

#include "Python.h"

#include "sync/atomic_field.h"
#include "sync/shared_slot.h"

namespace amphis {

inline PyBaseExceptionObject* as_exception(PyObject* o) { return reinterpret_cast<PyBaseExceptionObject*>(o); }

// Fields of exceptions, which any thread may assign at any time: a reference to what is in one, and its exchange.
inline Ref<> exception_field(PyObject* self, PyObject* const* field) { return sync::get_ref(field, self); }
inline Ref<> exception_args(PyObject* self) { return exception_field(self, &as_exception(self)->args); }
inline Ref<> exchange_exception_field(PyObject* self, PyObject** field, Ref<> value) {
  LeafLock lock(self);
  return sync::exchange_slot_locked(field, static_cast<Ref<>&&>(value));
}
inline void set_exception_field(PyObject* self, PyObject** field, PyObject* value) {
  Ref<> old = exchange_exception_field(self, field, Ref<>::share(value));
}
inline void set_exception_args(PyObject* self, PyObject* args) { set_exception_field(self, &as_exception(self)->args, args); }

PyObject* exception_new(PyTypeObject* type, PyObject* args, PyObject* kwargs);
int exception_init(PyObject* self, PyObject* args, PyObject* kwargs);
// tp_vectorcall of the static types that take what exception_new and exception_init take.
PyObject* exception_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames);
// Puts `frame` at the head of the exception's traceback; `line` -1: that of `lasti`. 0 or -1.
int exception_add_frame(PyObject* exc, PyObject* frame, int lasti, int line);
PyObject* exception_str(PyObject* self);
PyObject* exception_add_note(PyObject* self, PyObject* note);
PyObject* exception_reduce(PyObject* self, PyObject*);
void exception_dealloc(PyObject* self);
int exception_traverse(PyObject* self, visitproc visit, void* arg);
int exception_clear(PyObject* self);

// True (and TypeError set) if kwargs is not empty.
bool exception_refuses_keywords(PyObject* self, PyObject* kwargs);

// Fields beyond PyBaseExceptionObject: a run of PyObject* from `first` (offset), `count` of them, which dealloc,
// traverse and clear handle for every type by tp_basicsize.
}  // namespace amphis

// A static exception type. `extra` is a struct of its own layout, or PyBaseExceptionObject.
#define AMPHIS_EXCEPTION_TYPE(variable, text_name, base_type, layout, document, init, str, members, getsets, methods) \
  static PyTypeObject variable = {                                                                                    \
      .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)                                                               \
      .tp_name = text_name,                                                                                           \
      .tp_basicsize = sizeof(layout),                                                                                 \
      .tp_dealloc = exception_dealloc,                                                                                \
      .tp_str = str,                                                                                                  \
      .tp_getattro = PyObject_GenericGetAttr,                                                                         \
      .tp_setattro = PyObject_GenericSetAttr,                                                                         \
      .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,                                      \
      .tp_doc = document,                                                                                             \
      .tp_traverse = exception_traverse,                                                                              \
      .tp_clear = exception_clear,                                                                                    \
      .tp_methods = methods,                                                                                          \
      .tp_members = members,                                                                                          \
      .tp_getset = getsets,                                                                                           \
      .tp_base = base_type,                                                                                           \
      .tp_dictoffset = offsetof(PyBaseExceptionObject, dict),                                                         \
      .tp_init = init,                                                                                                \
      .tp_new = exception_new,                                                                                        \
      .tp_vectorcall = (init) == exception_init && sizeof(layout) == sizeof(PyBaseExceptionObject)                    \
                           ? exception_vectorcall                                                                     \
                           : nullptr,                                                                                 \
  }
