// The thread's current exception (PyErr_*): raising with implicit chaining, asking, handing over.
// Invariant: ThreadState::current_exception is null or an exception instance that the thread state owns.
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <utility>

#include "Python.h"
#include "objects/exceptions.h"
#include "objects/names.h"
#include "sync/atomic_field.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"
#include "sync/thread_state.h"

namespace amphis {

namespace {

PyObject*& current() { return current_thread()->current_exception; }

// The exception that is being handled: the innermost one on the chain of handlers; borrowed or null.
PyObject* handled_exception() {
  for (_PyErr_StackItem* item = current_thread()->exc_info; item != nullptr; item = item->previous_item) {
    if (item->exc_value != nullptr && item->exc_value != Py_None) return item->exc_value;
  }
  return nullptr;
}

void replace_current(PyObject* exc) {
  PyObject* old = current();
  current() = exc;
  Py_XDECREF(old);
}

// Makes `handled` the context of `exc` and cuts the link that would close a ring (Floyd's two pointers guard
// against a ring that user code made).
void chain_context(PyObject* exc, PyObject* handled) {
  if (exc == handled) return;
  const auto context_of = [](const Ref<>& e) { return sync::get_ref(&as_exception(e.get())->context, e.get()); };
  Ref<> slow = Ref<>::share(handled);
  Ref<> at = Ref<>::share(handled);
  bool advance_slow = false;
  while (Ref<> context = context_of(at)) {
    if (context.get() == exc) {
      PyException_SetContext(at, nullptr);
      break;
    }
    at = std::move(context);
    if (at.get() == slow.get()) break;
    if (advance_slow) slow = context_of(slow);
    if (!slow) break;  // another thread took the chain apart
    advance_slow = !advance_slow;
  }
  PyException_SetContext(exc, Py_NewRef(handled));
}

// class(value) as `raise class, value` meant it: new reference.
PyObject* instantiate(PyObject* cls, PyObject* value) {
  PyObject* made;
  if (value == nullptr || value == Py_None) {
    made = PyObject_CallNoArgs(cls);
  } else if (PyTuple_Check(value)) {
    made = PyObject_Call(cls, value, nullptr);
  } else {
    made = PyObject_CallOneArg(cls, value);
  }
  if (made != nullptr && !PyExceptionInstance_Check(made)) {
    PyErr_Format(PyExc_TypeError, "calling %R should have returned an instance of BaseException, not %s", cls,
                 Py_TYPE(made)->tp_name);
    Py_CLEAR(made);
  }
  return made;
}

// Tells, in a note on the exception in flight, which one could not be made. Where that fails the exception stays as it is.
void note_what_was_not_made(PyObject* cls, PyObject* value) {
  Ref<> raised = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> args = Ref<>::steal(PyObject_Repr(value));
  if (!args) {
    PyErr_Clear();
    args = Ref<>::steal(PyUnicode_FromString("<unknown>"));
  }
  Ref<> note;
  if (args)
    note = Ref<>::steal(PyUnicode_FromFormat("Normalization failed: type=%s args=%U",
                                             reinterpret_cast<PyTypeObject*>(cls)->tp_name, args.get()));
  if (note) Py_XDECREF(exception_add_note(raised, note));
  PyErr_Clear();
  PyErr_SetRaisedException(raised.release());
}

}  // namespace

}  // namespace amphis

extern "C" {

using namespace amphis;

#undef PyErr_BadInternalCall

PyObject* PyErr_GetRaisedException(void) {
  PyObject* exc = current();
  current() = nullptr;
  return exc;
}

void PyErr_SetRaisedException(PyObject* exc) { replace_current(exc); }

PyObject* PyErr_Occurred(void) {
  ThreadState* ts = current_thread();
  if (ts == nullptr || ts->current_exception == nullptr) return nullptr;
  return reinterpret_cast<PyObject*>(Py_TYPE(ts->current_exception));
}

void PyErr_Clear(void) { replace_current(nullptr); }

void PyErr_SetObject(PyObject* cls, PyObject* value) {
  if (cls != nullptr && !PyExceptionClass_Check(cls)) {
    PyErr_Format(PyExc_SystemError, "exception %R is not a BaseException subclass", cls);
    return;
  }
  Ref<> exc;
  Ref<> kept_value = Ref<>::share(value);
  if (cls == nullptr) {
    PyErr_Clear();
    return;
  }
  if (value != nullptr && PyExceptionInstance_Check(value) &&
      PyType_IsSubtype(Py_TYPE(value), reinterpret_cast<PyTypeObject*>(cls))) {
    exc = Ref<>::share(value);
  } else {
    PyErr_Clear();
    exc = Ref<>::steal(instantiate(cls, value));
    if (!exc) {
      note_what_was_not_made(cls, value);
      return;
    }
  }
  PyObject* handled = handled_exception();
  if (handled != nullptr) {
    Ref<> keep = Ref<>::share(handled);
    chain_context(exc, keep);
  }
  replace_current(exc.release());
}

void PyErr_SetNone(PyObject* cls) { PyErr_SetObject(cls, nullptr); }

void PyErr_SetString(PyObject* cls, const char* text) {
  Ref<> message = Ref<>::steal(PyUnicode_FromString(text));
  if (message) PyErr_SetObject(cls, message);
}

PyObject* PyErr_FormatV(PyObject* cls, const char* format, va_list args) {
  // The text is made with no exception set: conversions may run Python code.
  PyErr_Clear();
  Ref<> message = Ref<>::steal(PyUnicode_FromFormatV(format, args));
  if (message) PyErr_SetObject(cls, message);
  return nullptr;
}

PyObject* PyErr_Format(PyObject* cls, const char* format, ...) {
  va_list args;
  va_start(args, format);
  PyErr_FormatV(cls, format, args);
  va_end(args);
  return nullptr;
}

PyObject* _PyErr_FormatFromCause(PyObject* cls, const char* format, ...) {
  Ref<> cause = Ref<>::steal(PyErr_GetRaisedException());
  va_list args;
  va_start(args, format);
  PyErr_FormatV(cls, format, args);
  va_end(args);
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  if (exc && cause) {
    PyException_SetCause(exc, Py_NewRef(cause.get()));
    PyException_SetContext(exc, cause.release());
  }
  PyErr_SetRaisedException(exc.release());
  return nullptr;
}

void _PyErr_FormatNote(const char* format, ...) {
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  va_list args;
  va_start(args, format);
  Ref<> note = Ref<>::steal(PyUnicode_FromFormatV(format, args));
  va_end(args);
  if (note && exc) {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(exc, "add_note", "O", note.get()));
    if (!done) PyErr_Clear();
  }
  PyErr_SetRaisedException(exc.release());
}

void _PyErr_SetString(PyThreadState*, PyObject* cls, const char* text) { PyErr_SetString(cls, text); }
PyObject* _PyErr_FormatV(PyThreadState*, PyObject* cls, const char* format, va_list args) {
  return PyErr_FormatV(cls, format, args);
}
PyObject* _PyErr_Format(PyThreadState*, PyObject* cls, const char* format, ...) {
  va_list args;
  va_start(args, format);
  PyErr_FormatV(cls, format, args);
  va_end(args);
  return nullptr;
}
void _PyErr_Clear(PyThreadState*) { PyErr_Clear(); }
int _PyErr_ExceptionMatches(PyThreadState*, PyObject* cls) { return PyErr_ExceptionMatches(cls); }
PyObject* _PyErr_GetRaisedException(PyThreadState*) { return PyErr_GetRaisedException(); }
void _PyErr_SetRaisedException(PyThreadState*, PyObject* exc) { PyErr_SetRaisedException(exc); }

void _PyErr_SetKeyError(PyObject* key) {
  Ref<> exc = Ref<>::steal(PyObject_CallOneArg(PyExc_KeyError, key));
  if (exc) PyErr_SetObject(PyExc_KeyError, exc);
}

int PyErr_GivenExceptionMatches(PyObject* err, PyObject* cls) {
  if (err == nullptr || cls == nullptr) return 0;
  if (PyTuple_Check(cls)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(cls); ++i) {
      if (PyErr_GivenExceptionMatches(err, PyTuple_GET_ITEM(cls, i))) return 1;
    }
    return 0;
  }
  if (PyExceptionInstance_Check(err)) err = PyExceptionInstance_Class(err);
  if (PyExceptionClass_Check(err) && PyExceptionClass_Check(cls)) {
    return PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(err), reinterpret_cast<PyTypeObject*>(cls));
  }
  return err == cls;
}

int PyErr_ExceptionMatches(PyObject* cls) { return PyErr_GivenExceptionMatches(PyErr_Occurred(), cls); }

void PyErr_Fetch(PyObject** type, PyObject** value, PyObject** traceback) {
  PyObject* exc = PyErr_GetRaisedException();
  *value = exc;
  if (exc == nullptr) {
    *type = *traceback = nullptr;
    return;
  }
  *type = Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(exc)));
  *traceback = PyException_GetTraceback(exc);
}

void PyErr_Restore(PyObject* type, PyObject* value, PyObject* traceback) {
  Ref<> cls = Ref<>::steal(type);
  Ref<> given = Ref<>::steal(value);
  Ref<> tb = Ref<>::steal(traceback);
  if (!cls) {
    PyErr_Clear();
    return;
  }
  Ref<> exc;
  if (given && PyExceptionInstance_Check(given.get())) {
    exc = std::move(given);
  } else {
    exc = Ref<>::steal(instantiate(cls, given));
    if (!exc) return;
  }
  if (tb && tb.get() != Py_None) {
    PyException_SetTraceback(exc, tb);
  } else if (sync::load_relaxed(as_exception(exc)->traceback) != nullptr) {
    PyException_SetTraceback(exc, Py_None);
  }
  replace_current(exc.release());
}

void PyErr_NormalizeException(PyObject** type, PyObject** value, PyObject** traceback) {
  if (*type == nullptr) return;
  if (*value != nullptr && PyExceptionInstance_Check(*value)) {
    Py_XSETREF(*type, Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(*value))));
    return;
  }
  if (!PyExceptionClass_Check(*type)) return;
  PyObject* made = instantiate(*type, *value);
  if (made == nullptr) {
    Py_CLEAR(*type);
    Py_CLEAR(*value);
    Py_CLEAR(*traceback);
    PyErr_Fetch(type, value, traceback);
    return;
  }
  Py_XSETREF(*value, made);
  Py_XSETREF(*type, Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(made))));
}

void _PyErr_ChainExceptions1(PyObject* exc) {
  if (exc == nullptr) return;
  if (PyErr_Occurred()) {
    PyObject* raised = PyErr_GetRaisedException();
    PyException_SetContext(raised, exc);
    PyErr_SetRaisedException(raised);
  } else {
    PyErr_SetRaisedException(exc);
  }
}

PyObject* PyErr_GetHandledException(void) { return Py_XNewRef(handled_exception()); }

void PyErr_SetHandledException(PyObject* exc) {
  PyObject*& slot = current_thread()->exc_info->exc_value;
  PyObject* old = slot;
  slot = exc == Py_None ? nullptr : Py_XNewRef(exc);
  Py_XDECREF(old);
}

void PyErr_GetExcInfo(PyObject** type, PyObject** value, PyObject** traceback) {
  PyObject* exc = handled_exception();
  *value = Py_NewRef(exc != nullptr ? exc : Py_None);
  *type = Py_NewRef(exc != nullptr ? reinterpret_cast<PyObject*>(Py_TYPE(exc)) : Py_None);
  PyObject* tb = exc != nullptr ? PyException_GetTraceback(exc) : nullptr;
  *traceback = tb != nullptr ? tb : Py_NewRef(Py_None);
}

void PyErr_SetExcInfo(PyObject* type, PyObject* value, PyObject* traceback) {
  PyErr_SetHandledException(value);
  Py_XDECREF(value);
  Py_XDECREF(type);
  Py_XDECREF(traceback);
}

PyObject* PyErr_NoMemory(void) {
  PyErr_SetNone(PyExc_MemoryError);
  return nullptr;
}

int PyErr_BadArgument(void) {
  PyErr_SetString(PyExc_TypeError, "bad argument type for built-in operation");
  return 0;
}

void _PyErr_BadInternalCall(const char* filename, int lineno) {
  PyErr_Format(PyExc_SystemError, "%s:%d: bad argument to internal function", filename, lineno);
}

void PyErr_BadInternalCall(void) { PyErr_SetString(PyExc_SystemError, "bad argument to internal function"); }

PyObject* PyErr_SetFromErrnoWithFilenameObjects(PyObject* cls, PyObject* filename, PyObject* filename2) {
  const int code = errno;
  if (code == EINTR && PyErr_CheckSignals() < 0) return nullptr;
  Ref<> message = Ref<>::steal(PyUnicode_DecodeLocale(code != 0 ? strerror(code) : "Error", "surrogateescape"));
  if (!message) return nullptr;
  Ref<> args;
  if (filename2 != nullptr) {
    args = Ref<>::steal(Py_BuildValue("(iOOiO)", code, message.get(), filename, 0, filename2));
  } else if (filename != nullptr) {
    args = Ref<>::steal(Py_BuildValue("(iOO)", code, message.get(), filename));
  } else {
    args = Ref<>::steal(Py_BuildValue("(iO)", code, message.get()));
  }
  if (!args) return nullptr;
  Ref<> exc = Ref<>::steal(PyObject_Call(cls, args, nullptr));
  if (exc) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exc.get())), exc);
  return nullptr;
}

PyObject* PyErr_SetFromErrnoWithFilenameObject(PyObject* cls, PyObject* filename) {
  return PyErr_SetFromErrnoWithFilenameObjects(cls, filename, nullptr);
}

PyObject* PyErr_SetFromErrnoWithFilename(PyObject* cls, const char* filename) {
  const int code = errno;
  Ref<> name;
  if (filename != nullptr) {
    name = Ref<>::steal(PyUnicode_DecodeFSDefault(filename));
    if (!name) return nullptr;
  }
  errno = code;
  return PyErr_SetFromErrnoWithFilenameObjects(cls, name, nullptr);
}

PyObject* PyErr_SetFromErrno(PyObject* cls) { return PyErr_SetFromErrnoWithFilenameObjects(cls, nullptr, nullptr); }

PyObject* PyErr_SetImportErrorSubclass(PyObject* cls, PyObject* message, PyObject* name, PyObject* path) {
  int is_import_error = PyObject_IsSubclass(cls, PyExc_ImportError);
  if (is_import_error < 0) return nullptr;
  if (!is_import_error) {
    PyErr_SetString(PyExc_TypeError, "expected a subclass of ImportError");
    return nullptr;
  }
  if (message == nullptr) {
    PyErr_SetString(PyExc_TypeError, "expected a message argument");
    return nullptr;
  }
  Ref<> kwargs = Ref<>::steal(PyDict_New());
  if (!kwargs || PyDict_SetItemString(kwargs, "name", name != nullptr ? name : Py_None) < 0 ||
      PyDict_SetItemString(kwargs, "path", path != nullptr ? path : Py_None) < 0) {
    return nullptr;
  }
  PyObject* args[1] = {message};
  Ref<> exc = Ref<>::steal(PyObject_VectorcallDict(cls, args, 1, kwargs));
  if (exc) PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exc.get())), exc);
  return nullptr;
}

PyObject* PyErr_SetImportError(PyObject* message, PyObject* name, PyObject* path) {
  return PyErr_SetImportErrorSubclass(PyExc_ImportError, message, name, path);
}

PyObject* PyErr_NewException(const char* name, PyObject* base, PyObject* dict) {
  const char* dot = strrchr(name, '.');
  if (dot == nullptr) {
    PyErr_SetString(PyExc_SystemError, "PyErr_NewException: name must be module.class");
    return nullptr;
  }
  if (base == nullptr) base = PyExc_Exception;
  Ref<> members = dict != nullptr ? Ref<>::share(dict) : Ref<>::steal(PyDict_New());
  if (!members) return nullptr;
  int has_module = PyDict_Contains(members, names.dunder_module);
  if (has_module < 0) return nullptr;
  if (!has_module) {
    Ref<> module = Ref<>::steal(PyUnicode_FromStringAndSize(name, dot - name));
    if (!module || PyDict_SetItem(members, names.dunder_module, module) < 0) return nullptr;
  }
  Ref<> bases = PyTuple_Check(base) ? Ref<>::share(base) : Ref<>::steal(PyTuple_Pack(1, base));
  if (!bases) return nullptr;
  return PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "sOO", dot + 1, bases.get(),
                               members.get());
}

PyObject* PyErr_NewExceptionWithDoc(const char* name, const char* doc, PyObject* base, PyObject* dict) {
  Ref<> members = dict != nullptr ? Ref<>::share(dict) : Ref<>::steal(PyDict_New());
  if (!members) return nullptr;
  if (doc != nullptr) {
    Ref<> text = Ref<>::steal(PyUnicode_FromString(doc));
    if (!text || PyDict_SetItem(members, names.dunder_doc, text) < 0) return nullptr;
  }
  return PyErr_NewException(name, base, members);
}

}  // extern "C"
