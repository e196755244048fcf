// The _thread module: its functions and its making. Types are in thread_lock.cpp, thread_handle.cpp, thread_local.cpp.
#include "Python.h"

#include "base/compiler.h"
#include "platform/os.h"
#include "sync/interpreter_state.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/thread_api.h"

#include "modules/thread_support.h"

#include <csignal>
#include <string_view>

namespace amphis::thread_module {

namespace {

struct State {
  PyTypeObject* lock_type;
  PyTypeObject* handle_type;
  PyTypeObject* hook_args_type;
};

State* state_of(PyObject* module) { return static_cast<State*>(PyModule_GetState(module)); }

template <class F>
PyCFunction as_function(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

// ---- Starting threads ----

PyObject* start_new_thread(PyObject*, PyObject* args) {
  PyObject *function, *call_args, *kwargs = nullptr;
  if (!PyArg_UnpackTuple(args, "start_new_thread", 2, 3, &function, &call_args, &kwargs)) return nullptr;
  if (!PyCallable_Check(function)) {
    PyErr_SetString(PyExc_TypeError, "first arg must be callable");
    return nullptr;
  }
  if (!PyTuple_Check(call_args)) {
    PyErr_SetString(PyExc_TypeError, "2nd arg must be a tuple");
    return nullptr;
  }
  if (kwargs && !PyDict_Check(kwargs)) {
    PyErr_SetString(PyExc_TypeError, "optional 3rd arg must be a dictionary");
    return nullptr;
  }
  if (PySys_Audit("_thread.start_new_thread", "OOO", function, call_args, kwargs ? kwargs : Py_None) < 0)
    return nullptr;
  unsigned long ident;
  if (!start_thread(function, call_args, kwargs, nullptr, true, &ident)) return nullptr;
  return PyLong_FromUnsignedLong(ident);
}

PyObject* start_joinable_thread(PyObject* module, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"function", "handle", "daemon", nullptr};
  PyObject *function, *given = nullptr;
  int daemon = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|Op:start_joinable_thread", const_cast<char**>(keywords), &function,
                                   &given, &daemon))
    return nullptr;
  if (!PyCallable_Check(function)) {
    PyErr_SetString(PyExc_TypeError, "thread function must be callable");
    return nullptr;
  }
  PyTypeObject* handle_type = state_of(module)->handle_type;
  Ref<> handle;
  if (!given || given == Py_None) {
    handle = Ref<>::steal(new_handle(handle_type));
    if (!handle) return nullptr;
  } else if (!Py_IS_TYPE(given, handle_type)) {
    PyErr_SetString(PyExc_TypeError, "'handle' must be a _ThreadHandle");
    return nullptr;
  } else {
    handle = Ref<>::share(given);
  }
  if (PySys_Audit("_thread.start_joinable_thread", "OiO", function, daemon, given != nullptr ? given : Py_None) < 0) {
    return nullptr;
  }
  Ref<> no_args = steal(PyTuple_New(0));
  if (!no_args) return nullptr;
  unsigned long ident;
  if (!start_thread(function, no_args, nullptr, record_of(handle), daemon != 0, &ident)) return nullptr;
  return handle.release();
}

PyObject* make_thread_handle(PyObject* module, PyObject* ident_obj) {
  if (!PyLong_Check(ident_obj)) {
    PyErr_SetString(PyExc_TypeError, "ident must be an integer");
    return nullptr;
  }
  unsigned long ident = PyLong_AsUnsignedLong(ident_obj);
  if (ident == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
  PyObject* handle = new_handle(state_of(module)->handle_type);
  if (handle) mark_foreign(record_of(handle), ident);
  return handle;
}

PyObject* shutdown(PyObject*, PyObject*) {
  join_all_threads();
  Py_RETURN_NONE;
}

PyObject* daemon_threads_allowed(PyObject*, PyObject*) { Py_RETURN_TRUE; }
PyObject* is_main_interpreter(PyObject*, PyObject*) { Py_RETURN_TRUE; }
PyObject* count(PyObject*, PyObject*) { return PyLong_FromLong(running_threads()); }

PyObject* exit_thread(PyObject*, PyObject*) {
  PyErr_SetNone(PyExc_SystemExit);
  return nullptr;
}

// ---- Identity ----

PyObject* get_ident(PyObject*, PyObject*) { return PyLong_FromUnsignedLong(platform::thread_handle()); }
PyObject* get_native_id(PyObject*, PyObject*) { return PyLong_FromUnsignedLong(platform::native_thread_id()); }
PyObject* get_main_thread_ident(PyObject*, PyObject*) { return PyLong_FromUnsignedLong(interpreter()->main_ident); }

constexpr int kNameMax = 15;

PyObject* set_name(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", nullptr};
  PyObject* name;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:set_name", const_cast<char**>(keywords), &name)) return nullptr;
  if (!PyUnicode_Check(name))
    return PyErr_Format(PyExc_TypeError, "set_name() argument 'name' must be str, not %T", name);
  Ref<> bytes = steal(PyUnicode_AsEncodedString(name, "utf-8", "replace"));
  if (!bytes) return nullptr;
  // What is too long is cut, also inside a character.
  const std::string_view text(PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get())));
  char buffer[kNameMax + 1] = {};
  text.copy(buffer, kNameMax);
  platform::set_thread_name(buffer);
  Py_RETURN_NONE;
}

PyObject* get_name(PyObject*, PyObject*) {
  char buffer[64];
  if (!platform::get_thread_name(buffer, sizeof(buffer))) return PyErr_SetFromErrno(PyExc_OSError);
  return PyUnicode_DecodeFSDefault(buffer);
}

// ---- The rest ----

PyObject* allocate_lock(PyObject* module, PyObject*) { return new_lock(state_of(module)->lock_type); }

PyObject* stack_size(PyObject*, PyObject* args) {
  Py_ssize_t size = 0;
  if (!PyArg_ParseTuple(args, "|n:stack_size", &size)) return nullptr;
  size_t old = sync::stack_size();
  if (PyTuple_GET_SIZE(args) != 0 && (size < 0 || !sync::set_stack_size(size_t(size))))
    return PyErr_Format(PyExc_ValueError, "size must be at least %zu bytes", sync::kMinStackRequest);
  return PyLong_FromSize_t(old);
}

PyObject* interrupt_main(PyObject*, PyObject* args) {
  int signum = SIGINT;
  if (!PyArg_ParseTuple(args, "|i:interrupt_main", &signum)) return nullptr;
  if (PyErr_SetInterruptEx(signum) < 0) {
    PyErr_SetString(PyExc_ValueError, "signal number out of range");
    return nullptr;
  }
  Py_RETURN_NONE;
}

// Writes the report of an exception to `file`; false with an exception set.
bool report(PyObject* file, PyObject* type, PyObject* value, PyObject* traceback, PyObject* thread) {
  Ref<> name;
  if (thread != Py_None && PyObject_GetOptionalAttrString(thread, "name", name.out()) < 0) return false;
  if (PyFile_WriteString("Exception in thread ", file) < 0) return false;
  if (name && name != Py_None) {
    if (PyFile_WriteObject(name, file, Py_PRINT_RAW) < 0) return false;
  } else {
    Ref<> ident = steal(PyUnicode_FromFormat("%lu", platform::thread_handle()));
    if (!ident || PyFile_WriteObject(ident, file, Py_PRINT_RAW) < 0) return false;
  }
  if (PyFile_WriteString(":\n", file) < 0) return false;
  if (PySys_GetObject("stderr") == file) {
    PyErr_Display(type, value, traceback);
  } else {
    Ref<> module = steal(PyImport_ImportModule("traceback"));
    Ref<> print = module ? steal(PyObject_GetAttrString(module, "print_exception")) : Ref<>();
    Ref<> args = print ? steal(Py_BuildValue("(OOO)", type, value, traceback)) : Ref<>();
    Ref<> kwargs = args ? steal(Py_BuildValue("{sO}", "file", file)) : Ref<>();
    if (!kwargs || !steal(PyObject_Call(print, args, kwargs))) return false;
  }
  return bool(steal(PyObject_CallMethod(file, "flush", nullptr)));
}

PyObject* excepthook(PyObject* module, PyObject* args) {
  if (!Py_IS_TYPE(args, state_of(module)->hook_args_type)) {
    PyErr_SetString(PyExc_TypeError, "_thread.excepthook argument type must be ExceptHookArgs");
    return nullptr;
  }
  PyObject* type = PyStructSequence_GetItem(args, 0);
  PyObject* value = PyStructSequence_GetItem(args, 1);
  PyObject* traceback = PyStructSequence_GetItem(args, 2);
  PyObject* thread = PyStructSequence_GetItem(args, 3);
  if (type == PyExc_SystemExit) Py_RETURN_NONE;  // an ordinary way to end a thread
  Ref<> file = share(PySys_GetObject("stderr"));
  if (!file || file == Py_None) {
    // At the end of the process the thread remembers the stream it was started with.
    if (thread == Py_None) Py_RETURN_NONE;
    file = steal(PyObject_GetAttrString(thread, "_stderr"));
    if (!file) return nullptr;
    if (file == Py_None) Py_RETURN_NONE;
  }
  if (!report(file, type, value, traceback, thread)) return nullptr;
  Py_RETURN_NONE;
}

PyStructSequence_Field hook_args_fields[] = {{"exc_type", "Exception type"},
                                             {"exc_value", "Exception value"},
                                             {"exc_traceback", "Exception traceback"},
                                             {"thread", "Thread"},
                                             {nullptr, nullptr}};
PyStructSequence_Desc hook_args_desc = {"_thread._ExceptHookArgs",
                                        "ExceptHookArgs\n\nWhat threading.excepthook is called with.", hook_args_fields,
                                        4};

PyDoc_STRVAR(start_new_thread_doc,
             "start_new_thread($module, function, args, kwargs={}, /)\n--\n\n"
             "Run function(*args, **kwargs) in a thread of its own and return the thread's identifier.\n\n"
             "The thread ends with the function. Its result is dropped; an exception other than SystemExit is reported.");
PyDoc_STRVAR(start_joinable_thread_doc,
             "start_joinable_thread($module, /, function, handle=None, daemon=True)\n--\n\n"
             "For the threading module: run function() in a thread of its own and return a handle to join it by, the\n"
             "given one or a new one. The end of the process waits for the thread unless daemon is true.");
PyDoc_STRVAR(stack_size_doc,
             "stack_size($module, size=0, /)\n--\n\n"
             "Set the size in bytes of the stacks of threads that will be started, 0 for the default, and return the\n"
             "size that was set before.");
PyDoc_STRVAR(allocate_lock_doc, "allocate_lock($module, /)\n--\n\nMake a new lock.");
PyDoc_STRVAR(exit_doc, "exit($module, /)\n--\n\nEnd this thread by raising SystemExit.");

PyMethodDef methods[] = {
    {"start_new_thread", start_new_thread, METH_VARARGS, start_new_thread_doc},
    {"start_new", start_new_thread, METH_VARARGS,
     "start_new($module, function, args, kwargs={}, /)\n--\n\nOld name of start_new_thread()."},
    {"start_joinable_thread", as_function(start_joinable_thread), METH_VARARGS | METH_KEYWORDS,
     start_joinable_thread_doc},
    {"daemon_threads_allowed", daemon_threads_allowed, METH_NOARGS,
     "daemon_threads_allowed($module, /)\n--\n\nWhether this interpreter may have daemon threads."},
    {"allocate_lock", allocate_lock, METH_NOARGS, allocate_lock_doc},
    {"allocate", allocate_lock, METH_NOARGS, "allocate($module, /)\n--\n\nOld name of allocate_lock()."},
    {"exit_thread", exit_thread, METH_NOARGS, "exit_thread($module, /)\n--\n\nOld name of exit()."},
    {"exit", exit_thread, METH_NOARGS, exit_doc},
    {"interrupt_main", interrupt_main, METH_VARARGS,
     "interrupt_main($module, signum=signal.SIGINT, /)\n--\n\n"
     "Make the main thread run its handler of the signal, as if the signal had arrived."},
    {"get_ident", get_ident, METH_NOARGS,
     "get_ident($module, /)\n--\n\nThe identifier of this thread: not zero, unlike that of any other living thread."},
    {"get_native_id", get_native_id, METH_NOARGS,
     "get_native_id($module, /)\n--\n\nThe number by which the kernel knows this thread."},
    {"_count", count, METH_NOARGS, "_count($module, /)\n--\n\nHow many threads started by this module are running."},
    {"stack_size", stack_size, METH_VARARGS, stack_size_doc},
    {"_excepthook", excepthook, METH_O,
     "_excepthook($module, args, /)\n--\n\nReport an exception that ended a thread."},
    {"_is_main_interpreter", is_main_interpreter, METH_NOARGS,
     "_is_main_interpreter($module, /)\n--\n\nWhether this is the main interpreter."},
    {"_shutdown", shutdown, METH_NOARGS,
     "_shutdown($module, /)\n--\n\nWait for the end of all other threads that are not daemons."},
    {"_make_thread_handle", make_thread_handle, METH_O,
     "_make_thread_handle($module, ident, /)\n--\n\nA handle of a thread that this module did not start."},
    {"_get_main_thread_ident", get_main_thread_ident, METH_NOARGS,
     "_get_main_thread_ident($module, /)\n--\n\nThe identifier of the main thread."},
    {"set_name", as_function(set_name), METH_VARARGS | METH_KEYWORDS,
     "set_name($module, /, name)\n--\n\nTell the system this thread's name."},
    {"_get_name", get_name, METH_NOARGS, "_get_name($module, /)\n--\n\nThis thread's name in the system."},
    {nullptr, nullptr, 0, nullptr}};

int add_type(PyObject* module, const char* name, PyTypeObject* type) {
  return type ? PyModule_AddObjectRef(module, name, reinterpret_cast<PyObject*>(type)) : -1;
}

int execute(PyObject* module) {
  State* state = state_of(module);
  state->lock_type = make_lock_type(module);
  if (add_type(module, "lock", state->lock_type) < 0 || add_type(module, "LockType", state->lock_type) < 0) return -1;
  state->handle_type = make_handle_type(module);
  if (add_type(module, "_ThreadHandle", state->handle_type) < 0) return -1;
  state->hook_args_type = PyStructSequence_NewType(&hook_args_desc);
  if (add_type(module, "_ExceptHookArgs", state->hook_args_type) < 0) return -1;
  Ref<PyTypeObject> rlock_type = Ref<PyTypeObject>::steal(make_rlock_type(module));
  if (add_type(module, "RLock", rlock_type) < 0) return -1;
  Ref<PyTypeObject> local_type = Ref<PyTypeObject>::steal(make_local_type(module));
  if (add_type(module, "_local", local_type) < 0) return -1;
  if (PyModule_AddObjectRef(module, "error", PyExc_RuntimeError) < 0) return -1;
  if (PyModule_AddIntConstant(module, "_NAME_MAXLEN", kNameMax) < 0) return -1;
  // Whole seconds, so that every value up to it is a valid timeout.
  return PyModule_Add(module, "TIMEOUT_MAX", PyFloat_FromDouble(double(INT64_MAX / 1000000000)));
}

int traverse(PyObject* module, visitproc visit, void* arg) {
  State* state = state_of(module);
  Py_VISIT(state->lock_type);
  Py_VISIT(state->handle_type);
  Py_VISIT(state->hook_args_type);
  return 0;
}

int clear(PyObject* module) {
  State* state = state_of(module);
  Py_CLEAR(state->lock_type);
  Py_CLEAR(state->handle_type);
  Py_CLEAR(state->hook_args_type);
  return 0;
}

PyModuleDef_Slot slots[] = {{Py_mod_exec, reinterpret_cast<void*>(execute)},
                            {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
                            {Py_mod_gil, Py_MOD_GIL_NOT_USED},
                            {0, nullptr}};

PyModuleDef definition = {PyModuleDef_HEAD_INIT,
                          "_thread",
                          "Threads and locks as the system has them. The threading module builds on this one.",
                          sizeof(State),
                          methods,
                          slots,
                          traverse,
                          clear,
                          nullptr};

}  // namespace

}  // namespace amphis::thread_module

PyMODINIT_FUNC PyInit__thread(void) { return PyModuleDef_Init(&amphis::thread_module::definition); }
