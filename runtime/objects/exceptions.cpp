// BaseException and the exception classes that add no data of their own.
//
// All instances share one deallocation: a type's own fields are PyObject pointers between the end of
// PyBaseExceptionObject and its layout's size, described by ExceptionFields.
#include "objects/exceptions.h"

#include "gc/object_new.h"
#include "objects/names.h"
#include "objects/tuple.h"
#include "objects/type.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <utility>

namespace amphis {

namespace {

// Where the nearest ancestor of the runtime's own keeps its own references: [first, end) bytes, pointer-sized steps.
// What types of extensions add, static ones too, is theirs.
struct ExceptionFields {
  size_t first = 0, end = 0;
};

ExceptionFields own_fields(PyTypeObject* type) {
  while (type != nullptr && !type_has_flag(type, _Py_TPFLAGS_STATIC_BUILTIN)) type = type->tp_base;
  ExceptionFields fields;
  auto is = [type](PyObject* cls) { return PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(cls)); };
  if (type == nullptr || type->tp_basicsize == static_cast<Py_ssize_t>(sizeof(PyBaseExceptionObject))) return fields;
  fields.first = sizeof(PyBaseExceptionObject);
  fields.end = static_cast<size_t>(type->tp_basicsize);
  if (is(PyExc_OSError)) fields.end = offsetof(PyOSErrorObject, written);
  return fields;
}

template <typename F>
int each_own_field(PyObject* self, F f) {
  PyTypeObject* type = Py_TYPE(self);
  ExceptionFields fields = own_fields(type);
  const bool unicode = fields.end != 0 && PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(PyExc_UnicodeError)) &&
                       fields.end == sizeof(PyUnicodeErrorObject);
  for (size_t at = fields.first; at < fields.end; at += sizeof(PyObject*)) {
    if (unicode && (at == offsetof(PyUnicodeErrorObject, start) || at == offsetof(PyUnicodeErrorObject, end))) continue;
    if (int status = f(reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self) + at))) return status;
  }
  return 0;
}

PyObject* exception_repr(PyObject* self) {
  const char* name = _PyType_Name(Py_TYPE(self));
  Ref<> args = exception_args(self);
  if (PyTuple_GET_SIZE(args.get()) == 1) return PyUnicode_FromFormat("%s(%R)", name, PyTuple_GET_ITEM(args.get(), 0));
  return PyUnicode_FromFormat("%s%R", name, args.get());
}

PyObject* exception_setstate(PyObject* self, PyObject* state) {
  if (state == Py_None) Py_RETURN_NONE;
  if (!PyDict_Check(state)) {
    PyErr_SetString(PyExc_TypeError, "state is not a dictionary");
    return nullptr;
  }
  Py_ssize_t at = 0;
  PyObject *key, *value;
  ObjectLock lock(state);
  while (PyDict_Next(state, &at, &key, &value)) {
    Ref<> k = Ref<>::share(key), v = Ref<>::share(value);
    if (PyObject_SetAttr(self, k, v) < 0) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* exception_with_traceback(PyObject* self, PyObject* traceback) {
  if (PyException_SetTraceback(self, traceback) < 0) return nullptr;
  return Py_NewRef(self);
}

PyObject* get_args(PyObject* self, void*) { return exception_args(self).release(); }
int set_args(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "args may not be deleted");
    return -1;
  }
  Ref<> args = Ref<>::steal(PySequence_Tuple(value));
  if (!args) return -1;
  set_exception_args(self, args);
  return 0;
}

PyObject* get_traceback(PyObject* self, void*) {
  PyObject* tb = PyException_GetTraceback(self);
  return tb != nullptr ? tb : Py_NewRef(Py_None);
}
int set_traceback(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "__traceback__ may not be deleted");
    return -1;
  }
  return PyException_SetTraceback(self, value);
}

PyObject* get_context(PyObject* self, void*) {
  PyObject* o = PyException_GetContext(self);
  return o != nullptr ? o : Py_NewRef(Py_None);
}
PyObject* get_cause(PyObject* self, void*) {
  PyObject* o = PyException_GetCause(self);
  return o != nullptr ? o : Py_NewRef(Py_None);
}

int set_linked(PyObject* self, PyObject* value, const char* name, void (*set)(PyObject*, PyObject*)) {
  if (value == nullptr) {
    PyErr_Format(PyExc_TypeError, "%s may not be deleted", name);
    return -1;
  }
  if (value == Py_None) {
    value = nullptr;
  } else if (!PyExceptionInstance_Check(value)) {
    PyErr_Format(PyExc_TypeError, "exception %s must be None or derive from BaseException",
                 name[2] == 'c' && name[3] == 'o' ? "context" : "cause");
    return -1;
  }
  set(self, Py_XNewRef(value));
  return 0;
}
int set_context(PyObject* self, PyObject* value, void*) {
  return set_linked(self, value, "__context__", PyException_SetContext);
}
int set_cause(PyObject* self, PyObject* value, void*) {
  return set_linked(self, value, "__cause__", PyException_SetCause);
}

PyMethodDef base_methods[] = {
    {"__reduce__", exception_reduce, METH_NOARGS, nullptr},
    {"__setstate__", exception_setstate, METH_O, nullptr},
    {"with_traceback", exception_with_traceback, METH_O,
     "with_traceback($self, object, /)\n--\n\nSet self.__traceback__ to tb and return self."},
    {"add_note", exception_add_note, METH_O,
     "add_note($self, object, /)\n--\n\nAdd a note to the exception"},
    {},
};

PyMemberDef base_members[] = {
    {"__suppress_context__", Py_T_BOOL, offsetof(PyBaseExceptionObject, suppress_context), 0, nullptr},
    {},
};

PyGetSetDef base_getsets[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"args", get_args, set_args, nullptr, nullptr},
    {"__traceback__", get_traceback, set_traceback, nullptr, nullptr},
    {"__context__", get_context, set_context, "exception context", nullptr},
    {"__cause__", get_cause, set_cause, "exception cause", nullptr},
    {},
};

PyTypeObject base_exception_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "BaseException",
    .tp_basicsize = sizeof(PyBaseExceptionObject),
    .tp_dealloc = exception_dealloc,
    .tp_repr = exception_repr,
    .tp_str = exception_str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASE_EXC_SUBCLASS,
    .tp_doc = "Common base class for all exceptions",
    .tp_traverse = exception_traverse,
    .tp_clear = exception_clear,
    .tp_methods = base_methods,
    .tp_members = base_members,
    .tp_getset = base_getsets,
    .tp_dictoffset = offsetof(PyBaseExceptionObject, dict),
    .tp_init = exception_init,
    .tp_new = exception_new,
};

PyObject* key_error_str(PyObject* self) {
  // A missing key may be the empty string: show it quoted.
  Ref<> args = exception_args(self);
  if (PyTuple_GET_SIZE(args.get()) == 1) return PyObject_Repr(PyTuple_GET_ITEM(args.get(), 0));
  return exception_str(self);
}

}  // namespace

PyObject* exception_add_note(PyObject* self, PyObject* note) {
  if (!PyUnicode_Check(note)) {
    PyErr_Format(PyExc_TypeError, "note must be a str, not '%s'", Py_TYPE(note)->tp_name);
    return nullptr;
  }
  PyObject* found;
  Ref<> name = Ref<>::steal(PyUnicode_InternFromString("__notes__"));
  if (!name || PyObject_GetOptionalAttr(self, name, &found) < 0) return nullptr;
  Ref<> notes = Ref<>::steal(found);
  if (!notes) {
    notes = Ref<>::steal(PyList_New(0));
    if (!notes || PyObject_SetAttr(self, name, notes) < 0) return nullptr;
  } else if (!PyList_Check(notes.get())) {
    PyErr_SetString(PyExc_TypeError, "Cannot add note: __notes__ is not a list");
    return nullptr;
  }
  if (PyList_Append(notes, note) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* exception_new(PyTypeObject* type, PyObject* args, PyObject*) {
  auto* self = reinterpret_cast<PyBaseExceptionObject*>(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  if (args != nullptr) {
    self->args = Py_NewRef(args);
  } else {
    self->args = PyTuple_New(0);
  }
  if (PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(PyExc_OSError))) {
    reinterpret_cast<PyOSErrorObject*>(self)->written = -1;
  }
  return reinterpret_cast<PyObject*>(self);
}

bool exception_refuses_keywords(PyObject* self, PyObject* kwargs) {
  if (kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0) return false;
  PyErr_Format(PyExc_TypeError, "%s() takes no keyword arguments", _PyType_Name(Py_TYPE(self)));
  return true;
}

int exception_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (exception_refuses_keywords(self, kwargs)) return -1;
  set_exception_args(self, args);
  return 0;
}

PyObject* exception_vectorcall(PyObject* cls, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  if (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0) {
    PyErr_Format(PyExc_TypeError, "%s() takes no keyword arguments", _PyType_Name(type));
    return nullptr;
  }
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  Ref<> arguments = Ref<>::steal(nargs == 0 ? Py_NewRef(empty_tuple()) : tuple_from_array(args, nargs));
  if (!arguments) return nullptr;
  PyObject* self = alloc_instance(type, 0);
  if (self == nullptr) return nullptr;
  as_exception(self)->args = arguments.release();
  track(self);
  return self;
}

PyObject* exception_str(PyObject* self) {
  Ref<> args = exception_args(self);
  switch (PyTuple_GET_SIZE(args.get())) {
    case 0:
      return PyUnicode_FromStringAndSize(nullptr, 0);
    case 1:
      return PyObject_Str(PyTuple_GET_ITEM(args.get(), 0));
    default:
      return PyObject_Str(args);
  }
}

PyObject* exception_reduce(PyObject* self, PyObject*) {
  Ref<> args = exception_args(self), dict = exception_field(self, &as_exception(self)->dict);
  if (dict) return PyTuple_Pack(3, Py_TYPE(self), args.get(), dict.get());
  return PyTuple_Pack(2, Py_TYPE(self), args.get());
}

int exception_clear(PyObject* self) {
  PyBaseExceptionObject* e = as_exception(self);
  Py_CLEAR(e->dict);
  Py_CLEAR(e->args);
  Py_CLEAR(e->notes);
  Py_CLEAR(e->traceback);
  Py_CLEAR(e->cause);
  Py_CLEAR(e->context);
  return each_own_field(self, [](PyObject** field) {
    Py_CLEAR(*field);
    return 0;
  });
}

void exception_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  exception_clear(self);
  Py_TYPE(self)->tp_free(self);
}

int exception_traverse(PyObject* self, visitproc visit, void* arg) {
  PyBaseExceptionObject* e = as_exception(self);
  Py_VISIT(e->dict);
  Py_VISIT(e->args);
  Py_VISIT(e->notes);
  Py_VISIT(e->traceback);
  Py_VISIT(e->cause);
  Py_VISIT(e->context);
  return each_own_field(self, [=](PyObject** field) {
    Py_VISIT(*field);
    return 0;
  });
}

#define AMPHIS_SIMPLE_EXCEPTION(name, base, document)                                                      \
  AMPHIS_EXCEPTION_TYPE(name##_type, #name, reinterpret_cast<PyTypeObject*>(&base), PyBaseExceptionObject, \
                        document, exception_init, nullptr, nullptr, nullptr, nullptr)
#define AMPHIS_SIMPLE_EXCEPTION_STR(name, base, document, str)                                             \
  AMPHIS_EXCEPTION_TYPE(name##_type, #name, reinterpret_cast<PyTypeObject*>(&base), PyBaseExceptionObject, \
                        document, exception_init, str, nullptr, nullptr, nullptr)

AMPHIS_SIMPLE_EXCEPTION(Exception, base_exception_type, "Common base class for all non-exit exceptions.");
AMPHIS_SIMPLE_EXCEPTION(TypeError, Exception_type, "Inappropriate argument type.");
AMPHIS_SIMPLE_EXCEPTION(StopAsyncIteration, Exception_type, "Signal the end from iterator.__anext__().");
AMPHIS_SIMPLE_EXCEPTION(GeneratorExit, base_exception_type, "Request that a generator exit.");
AMPHIS_SIMPLE_EXCEPTION(KeyboardInterrupt, base_exception_type, "Program interrupted by user.");
AMPHIS_SIMPLE_EXCEPTION(EOFError, Exception_type, "Read beyond end of file.");
AMPHIS_SIMPLE_EXCEPTION(RuntimeError, Exception_type, "Unspecified run-time error.");
AMPHIS_SIMPLE_EXCEPTION(RecursionError, RuntimeError_type, "Recursion limit exceeded.");
AMPHIS_SIMPLE_EXCEPTION(PythonFinalizationError, RuntimeError_type,
                        "Operation blocked during Python finalization.");
AMPHIS_SIMPLE_EXCEPTION(NotImplementedError, RuntimeError_type,
                        "Method or function hasn't been implemented yet.");
AMPHIS_SIMPLE_EXCEPTION(AssertionError, Exception_type, "Assertion failed.");
AMPHIS_SIMPLE_EXCEPTION(ArithmeticError, Exception_type, "Base class for arithmetic errors.");
AMPHIS_SIMPLE_EXCEPTION(FloatingPointError, ArithmeticError_type, "Floating-point operation failed.");
AMPHIS_SIMPLE_EXCEPTION(OverflowError, ArithmeticError_type, "Result too large to be represented.");
AMPHIS_SIMPLE_EXCEPTION(ZeroDivisionError, ArithmeticError_type,
                        "Second argument to a division or modulo operation was zero.");
AMPHIS_SIMPLE_EXCEPTION(LookupError, Exception_type, "Base class for lookup errors.");
AMPHIS_SIMPLE_EXCEPTION(IndexError, LookupError_type, "Sequence index out of range.");
AMPHIS_SIMPLE_EXCEPTION_STR(KeyError, LookupError_type, "Mapping key not found.", key_error_str);
AMPHIS_SIMPLE_EXCEPTION(ValueError, Exception_type, "Inappropriate argument value (of correct type).");
AMPHIS_SIMPLE_EXCEPTION(UnicodeError, ValueError_type, "Unicode related error.");
AMPHIS_SIMPLE_EXCEPTION(SystemError, Exception_type,
                        "Internal error in the Python interpreter.\n\nPlease report this to the Python maintainer, "
                        "along with the traceback,\nthe Python version, and the hardware/OS platform and version.");
AMPHIS_SIMPLE_EXCEPTION(ReferenceError, Exception_type, "Weak ref proxy used after referent went away.");
AMPHIS_SIMPLE_EXCEPTION(MemoryError, Exception_type, "Out of memory.");
AMPHIS_SIMPLE_EXCEPTION(BufferError, Exception_type, "Buffer error.");
AMPHIS_SIMPLE_EXCEPTION(Warning, Exception_type, "Base class for warning categories.");
AMPHIS_SIMPLE_EXCEPTION(UserWarning, Warning_type, "Base class for warnings generated by user code.");
AMPHIS_SIMPLE_EXCEPTION(DeprecationWarning, Warning_type, "Base class for warnings about deprecated features.");
AMPHIS_SIMPLE_EXCEPTION(PendingDeprecationWarning, Warning_type,
                        "Base class for warnings about features which will be deprecated\nin the future.");
AMPHIS_SIMPLE_EXCEPTION(SyntaxWarning, Warning_type, "Base class for warnings about dubious syntax.");
AMPHIS_SIMPLE_EXCEPTION(RuntimeWarning, Warning_type, "Base class for warnings about dubious runtime behavior.");
AMPHIS_SIMPLE_EXCEPTION(FutureWarning, Warning_type,
                        "Base class for warnings about constructs that will change semantically\nin the future.");
AMPHIS_SIMPLE_EXCEPTION(ImportWarning, Warning_type,
                        "Base class for warnings about probable mistakes in module imports");
AMPHIS_SIMPLE_EXCEPTION(UnicodeWarning, Warning_type,
                        "Base class for warnings about Unicode related problems, mostly\nrelated to conversion "
                        "problems.");
AMPHIS_SIMPLE_EXCEPTION(BytesWarning, Warning_type,
                        "Base class for warnings about bytes and buffer related problems, mostly\nrelated to "
                        "conversion from str or comparing to str.");
AMPHIS_SIMPLE_EXCEPTION(ResourceWarning, Warning_type, "Base class for warnings about resource usage.");
AMPHIS_SIMPLE_EXCEPTION(EncodingWarning, Warning_type, "Base class for warnings about encodings.");
AMPHIS_SIMPLE_EXCEPTION(InterpreterError, Exception_type, "A cross-interpreter operation failed");
AMPHIS_SIMPLE_EXCEPTION(InterpreterNotFoundError, InterpreterError_type, "An interpreter was not found");

}  // namespace amphis

extern "C" {

using namespace amphis;

#define AMPHIS_EXPORT_EXCEPTION(name) PyObject* PyExc_##name = reinterpret_cast<PyObject*>(&name##_type);
PyObject* PyExc_BaseException = reinterpret_cast<PyObject*>(&base_exception_type);
AMPHIS_EXPORT_EXCEPTION(Exception)
AMPHIS_EXPORT_EXCEPTION(TypeError)
AMPHIS_EXPORT_EXCEPTION(StopAsyncIteration)
AMPHIS_EXPORT_EXCEPTION(GeneratorExit)
AMPHIS_EXPORT_EXCEPTION(KeyboardInterrupt)
AMPHIS_EXPORT_EXCEPTION(EOFError)
AMPHIS_EXPORT_EXCEPTION(RuntimeError)
AMPHIS_EXPORT_EXCEPTION(RecursionError)
AMPHIS_EXPORT_EXCEPTION(PythonFinalizationError)
AMPHIS_EXPORT_EXCEPTION(NotImplementedError)
AMPHIS_EXPORT_EXCEPTION(AssertionError)
AMPHIS_EXPORT_EXCEPTION(ArithmeticError)
AMPHIS_EXPORT_EXCEPTION(FloatingPointError)
AMPHIS_EXPORT_EXCEPTION(OverflowError)
AMPHIS_EXPORT_EXCEPTION(ZeroDivisionError)
AMPHIS_EXPORT_EXCEPTION(LookupError)
AMPHIS_EXPORT_EXCEPTION(IndexError)
AMPHIS_EXPORT_EXCEPTION(KeyError)
AMPHIS_EXPORT_EXCEPTION(ValueError)
AMPHIS_EXPORT_EXCEPTION(UnicodeError)
AMPHIS_EXPORT_EXCEPTION(SystemError)
AMPHIS_EXPORT_EXCEPTION(ReferenceError)
AMPHIS_EXPORT_EXCEPTION(MemoryError)
AMPHIS_EXPORT_EXCEPTION(BufferError)
AMPHIS_EXPORT_EXCEPTION(Warning)
AMPHIS_EXPORT_EXCEPTION(UserWarning)
AMPHIS_EXPORT_EXCEPTION(DeprecationWarning)
AMPHIS_EXPORT_EXCEPTION(PendingDeprecationWarning)
AMPHIS_EXPORT_EXCEPTION(SyntaxWarning)
AMPHIS_EXPORT_EXCEPTION(RuntimeWarning)
AMPHIS_EXPORT_EXCEPTION(FutureWarning)
AMPHIS_EXPORT_EXCEPTION(ImportWarning)
AMPHIS_EXPORT_EXCEPTION(UnicodeWarning)
AMPHIS_EXPORT_EXCEPTION(BytesWarning)
AMPHIS_EXPORT_EXCEPTION(ResourceWarning)
AMPHIS_EXPORT_EXCEPTION(EncodingWarning)
AMPHIS_EXPORT_EXCEPTION(InterpreterError)
AMPHIS_EXPORT_EXCEPTION(InterpreterNotFoundError)

int PyException_SetTraceback(PyObject* self, PyObject* traceback) {
  if (traceback != nullptr && traceback != Py_None && !PyTraceBack_Check(traceback)) {
    PyErr_SetString(PyExc_TypeError, "__traceback__ must be a traceback or None");
    return -1;
  }
  Ref<> old, given = Ref<>::share(traceback == Py_None ? nullptr : traceback);
  ObjectLock lock(self);
  old = sync::exchange_slot_locked(&as_exception(self)->traceback, std::move(given));
  return 0;
}

PyObject* PyException_GetTraceback(PyObject* self) {
  ObjectLock lock(self);
  return Py_XNewRef(as_exception(self)->traceback);
}

PyObject* PyException_GetCause(PyObject* self) {
  ObjectLock lock(self);
  return Py_XNewRef(as_exception(self)->cause);
}

void PyException_SetCause(PyObject* self, PyObject* cause) {
  Ref<> old, given = Ref<>::steal(cause);
  ObjectLock lock(self);
  sync::store_relaxed(as_exception(self)->suppress_context, 1);
  old = sync::exchange_slot_locked(&as_exception(self)->cause, std::move(given));
}

PyObject* PyException_GetContext(PyObject* self) {
  ObjectLock lock(self);
  return Py_XNewRef(as_exception(self)->context);
}

void PyException_SetContext(PyObject* self, PyObject* context) {
  Ref<> old, given = Ref<>::steal(context);
  ObjectLock lock(self);
  old = sync::exchange_slot_locked(&as_exception(self)->context, std::move(given));
}

PyObject* PyException_GetArgs(PyObject* self) { return exception_args(self).release(); }

void PyException_SetArgs(PyObject* self, PyObject* args) { set_exception_args(self, args); }

const char* PyExceptionClass_Name(PyObject* cls) { return reinterpret_cast<PyTypeObject*>(cls)->tp_name; }

}  // extern "C"
