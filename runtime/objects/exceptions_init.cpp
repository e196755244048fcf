// Makes every exception class ready and puts it into the builtins namespace.
#include "objects/exceptions_init.h"

#include "objects/exceptions.h"
#include "sync/ref.h"

extern "C" PyObject* PyExc_IncompleteInputError;

namespace amphis {

void set_exception_data_bases();
void set_exception_os_bases();
void set_exception_unicode_bases();
void set_exception_group_base();
PyObject* make_exception_group_type();

namespace {

PyObject* const* const kExceptions[] = {
    // Bases before subclasses.
    &PyExc_BaseException, &PyExc_Exception, &PyExc_TypeError, &PyExc_StopAsyncIteration, &PyExc_StopIteration,
    &PyExc_GeneratorExit, &PyExc_SystemExit, &PyExc_KeyboardInterrupt, &PyExc_BaseExceptionGroup, &PyExc_ImportError,
    &PyExc_ModuleNotFoundError, &PyExc_OSError, &PyExc_EOFError, &PyExc_RuntimeError, &PyExc_RecursionError,
    &PyExc_PythonFinalizationError, &PyExc_NotImplementedError, &PyExc_NameError, &PyExc_UnboundLocalError,
    &PyExc_AttributeError, &PyExc_SyntaxError, &PyExc_IndentationError, &PyExc_TabError, &PyExc_IncompleteInputError,
    &PyExc_LookupError, &PyExc_IndexError, &PyExc_KeyError, &PyExc_ValueError, &PyExc_UnicodeError,
    &PyExc_UnicodeEncodeError, &PyExc_UnicodeDecodeError, &PyExc_UnicodeTranslateError, &PyExc_AssertionError,
    &PyExc_ArithmeticError, &PyExc_FloatingPointError, &PyExc_OverflowError, &PyExc_ZeroDivisionError,
    &PyExc_SystemError, &PyExc_ReferenceError, &PyExc_MemoryError, &PyExc_BufferError, &PyExc_Warning,
    &PyExc_UserWarning, &PyExc_DeprecationWarning, &PyExc_PendingDeprecationWarning, &PyExc_SyntaxWarning,
    &PyExc_RuntimeWarning, &PyExc_FutureWarning, &PyExc_ImportWarning, &PyExc_UnicodeWarning, &PyExc_BytesWarning,
    &PyExc_ResourceWarning, &PyExc_EncodingWarning, &PyExc_ConnectionError, &PyExc_BlockingIOError,
    &PyExc_BrokenPipeError, &PyExc_ChildProcessError, &PyExc_ConnectionAbortedError, &PyExc_ConnectionRefusedError,
    &PyExc_ConnectionResetError, &PyExc_FileExistsError, &PyExc_FileNotFoundError, &PyExc_IsADirectoryError,
    &PyExc_NotADirectoryError, &PyExc_InterruptedError, &PyExc_PermissionError, &PyExc_ProcessLookupError,
    &PyExc_TimeoutError, &PyExc_InterpreterError, &PyExc_InterpreterNotFoundError,
};

PyObject* exception_group = nullptr;

}  // namespace

int init_exceptions() {
  set_exception_data_bases();
  set_exception_os_bases();
  set_exception_unicode_bases();
  set_exception_group_base();
  for (PyObject* const* cls : kExceptions) {
    reinterpret_cast<PyTypeObject*>(*cls)->tp_flags |= _Py_TPFLAGS_STATIC_BUILTIN;
    if (PyType_Ready(reinterpret_cast<PyTypeObject*>(*cls)) < 0) return -1;
  }
  return 0;
}

int add_exceptions_to(PyObject* builtins_dict) {
  if (exception_group == nullptr) {
    exception_group = make_exception_group_type();
    if (exception_group == nullptr) return -1;
  }
  for (PyObject* const* cls : kExceptions) {
    // The classes of cross-interpreter errors are no builtins.
    if (*cls == PyExc_InterpreterError || *cls == PyExc_InterpreterNotFoundError) continue;
    if (PyDict_SetItemString(builtins_dict, reinterpret_cast<PyTypeObject*>(*cls)->tp_name, *cls) < 0) return -1;
  }
  if (PyDict_SetItemString(builtins_dict, "ExceptionGroup", exception_group) < 0) return -1;
  if (PyDict_SetItemString(builtins_dict, "EnvironmentError", PyExc_OSError) < 0) return -1;
  return PyDict_SetItemString(builtins_dict, "IOError", PyExc_OSError);
}

}  // namespace amphis
