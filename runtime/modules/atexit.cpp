// The atexit module. Invariant: `callbacks` is a list of (function, args, kwargs or None), oldest first; entries are only
// taken off its end or cleared.
#include "modules/atexit.h"

#include "modules/builtins.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

#include <vector>

namespace amphis {

namespace {

PyObject* callbacks = nullptr;  // made when the module is

struct NativeCallback {
  atexit_datacallbackfunc function;
  void* data;
};
std::vector<NativeCallback>* native_callbacks = nullptr;
sync::Mutex native_mutex;

PyObject* register_(PyObject*, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) == 0) {
    PyErr_SetString(PyExc_TypeError, "register() takes at least 1 argument (0 given)");
    return nullptr;
  }
  PyObject* function = PyTuple_GET_ITEM(args, 0);
  if (!PyCallable_Check(function)) {
    PyErr_SetString(PyExc_TypeError, "the first argument must be callable");
    return nullptr;
  }
  Ref<> rest = Ref<>::steal(PyTuple_GetSlice(args, 1, PyTuple_GET_SIZE(args)));
  Ref<> entry = rest ? Ref<>::steal(PyTuple_Pack(3, function, rest.get(), kwargs != nullptr ? kwargs : Py_None)) : Ref<>();
  if (!entry || PyList_Append(callbacks, entry) < 0) return nullptr;
  return Py_NewRef(function);
}

PyObject* unregister(PyObject*, PyObject* function) {
  // Comparisons may run Python code that changes the list: work on a copy and take out what matched.
  Ref<> copy = Ref<>::steal(PySequence_List(callbacks));
  if (!copy) return nullptr;
  for (Py_ssize_t i = PyList_GET_SIZE(copy.get()); i-- > 0;) {
    PyObject* entry = PyList_GET_ITEM(copy.get(), i);
    int equal = PyObject_RichCompareBool(PyTuple_GET_ITEM(entry, 0), function, Py_EQ);
    if (equal < 0) return nullptr;
    if (!equal) continue;
    ObjectLock lock(callbacks);
    for (Py_ssize_t k = PyList_GET_SIZE(callbacks); k-- > 0;) {
      if (PyList_GET_ITEM(callbacks, k) != entry) continue;
      if (PyList_SetSlice(callbacks, k, k + 1, nullptr) < 0) return nullptr;
      break;
    }
  }
  Py_RETURN_NONE;
}

PyObject* run(PyObject*, PyObject*) {
  run_exit_callbacks();
  Py_RETURN_NONE;
}

PyObject* clear(PyObject*, PyObject*) {
  if (PyList_SetSlice(callbacks, 0, PyList_GET_SIZE(callbacks), nullptr) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* count(PyObject*, PyObject*) { return PyLong_FromSsize_t(PyList_GET_SIZE(callbacks)); }

PyMethodDef methods[] = {
    {"register", as_cfunction(register_), METH_VARARGS | METH_KEYWORDS,
     "register($module, func, /, *args, **kwargs)\n--\n\nRegister a function to be executed upon normal program termination"},
    {"_clear", clear, METH_NOARGS, "_clear($module, /)\n--\n\nClear the list of previously registered exit functions."},
    {"unregister", unregister, METH_O,
     "unregister($module, func, /)\n--\n\nUnregister an exit function which was previously registered using "
     "atexit.register"},
    {"_run_exitfuncs", run, METH_NOARGS, "_run_exitfuncs($module, /)\n--\n\nRun all registered exit functions."},
    {"_ncallbacks", count, METH_NOARGS, "_ncallbacks($module, /)\n--\n\nReturn the number of registered exit functions."},
    {},
};

int exec(PyObject*) {
  if (callbacks == nullptr) callbacks = PyList_New(0);
  return callbacks != nullptr ? 0 : -1;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "atexit",
    .m_doc = "allow programmer to define multiple exit functions to be executed\nupon normal program termination.\n\nTwo "
             "public functions, register and unregister, are defined.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

void run_exit_callbacks() {
  while (callbacks != nullptr) {
    Py_ssize_t n = PyList_GET_SIZE(callbacks);
    if (n == 0) break;
    Ref<> entry = Ref<>::steal(PyList_GetItemRef(callbacks, n - 1));
    if (!entry || PyList_SetSlice(callbacks, n - 1, n, nullptr) < 0) {
      PyErr_Clear();
      continue;
    }
    PyObject* kwargs = PyTuple_GET_ITEM(entry.get(), 2);
    Ref<> done = Ref<>::steal(PyObject_Call(PyTuple_GET_ITEM(entry.get(), 0), PyTuple_GET_ITEM(entry.get(), 1),
                                            kwargs != Py_None ? kwargs : nullptr));
    if (!done) {
      Ref<> function = Ref<>::share(PyTuple_GET_ITEM(entry.get(), 0));
      PyErr_FormatUnraisable("Exception ignored in atexit callback %R", function.get());
    }
  }
  for (;;) {
    NativeCallback next{};
    {
      sync::MutexLock lock(native_mutex);
      if (native_callbacks == nullptr || native_callbacks->empty()) break;
      next = native_callbacks->back();
      native_callbacks->pop_back();
    }
    next.function(next.data);
  }
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* PyInit_atexit(void) { return PyModuleDef_Init(&def); }

int PyUnstable_AtExit(PyInterpreterState*, atexit_datacallbackfunc function, void* data) {
  sync::MutexLock lock(native_mutex);
  if (native_callbacks == nullptr) native_callbacks = new std::vector<NativeCallback>;
  native_callbacks->push_back({function, data});
  return 0;
}

}  // extern "C"
