// Audit hooks (PEP 578). Nothing is done, and nothing allocated, while there are no hooks. Nobody traces a hook that is written
// in Python unless it has a true `__cantrace__`: what it does is no part of the program.
// Invariant: a native hook, once added, stays until audit_clear(); the list only grows at its head.
#include "modules/builtins.h"
#include "modules/sys.h"
#include "objects/names.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"

#include <atomic>
#include <new>
#include <optional>

namespace amphis {

namespace {

struct NativeHook {
  Py_AuditHookFunction function;
  void* data;
  std::atomic<NativeHook*> next{nullptr};
};
std::atomic<NativeHook*> native_hooks{nullptr};
std::atomic<PyObject*> python_hooks{nullptr};  // list of callables, made by the first addaudithook

bool anybody_listens() {
  return native_hooks.load(std::memory_order_acquire) != nullptr ||
         (python_hooks.load(std::memory_order_acquire) != nullptr && current_thread() != nullptr);
}

// RAII: what runs meanwhile is not traced.
class [[nodiscard]] Untraced {
  PyThreadState* ts_ = PyThreadState_Get();

 public:
  Untraced() { PyThreadState_EnterTracing(ts_); }
  ~Untraced() { PyThreadState_LeaveTracing(ts_); }
  Untraced(const Untraced&) = delete;
  Untraced& operator=(const Untraced&) = delete;
};

// 1, 0, or -1 with an exception.
int may_be_traced(PyObject* hook) {
  const Untraced untraced;
  PyObject* found;
  if (PyObject_GetOptionalAttrString(hook, "__cantrace__", &found) <= 0) return found == nullptr && PyErr_Occurred() ? -1 : 0;
  const Ref<> wish = Ref<>::steal(found);
  return PyObject_IsTrue(wish);
}

int call_python_hooks(const char* event, PyObject* args) {
  PyObject* list = python_hooks.load(std::memory_order_acquire);
  if (list == nullptr) return 0;
  Ref<> name = Ref<>::steal(PyUnicode_InternFromString(event));
  Ref<> hooks = Ref<>::steal(PySequence_Tuple(list));
  if (!name || !hooks) return -1;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(hooks.get()); ++i) {
    PyObject* hook = PyTuple_GET_ITEM(hooks.get(), i);
    PyObject* call_args[2] = {name, args};
    const int traced = may_be_traced(hook);
    if (traced < 0) return -1;
    std::optional<Untraced> untraced;
    if (traced == 0) untraced.emplace();
    Ref<> done = Ref<>::steal(PyObject_Vectorcall(hook, call_args, 2, nullptr));
    if (!done) return -1;
  }
  return 0;
}

// `args` is a tuple. An exception that is set on entry stays set unless a hook raises.
int deliver(const char* event, PyObject* args) {
  PyObject* error = current_thread() != nullptr ? PyErr_GetRaisedException() : nullptr;
  for (NativeHook* h = native_hooks.load(std::memory_order_acquire); h != nullptr; h = h->next.load(std::memory_order_acquire)) {
    if (h->function(event, args, h->data) < 0) {
      Py_XDECREF(error);
      return -1;
    }
  }
  if (current_thread() != nullptr && call_python_hooks(event, args) < 0) {
    Py_XDECREF(error);
    return -1;
  }
  if (error != nullptr) PyErr_SetRaisedException(error);
  return 0;
}

PyObject* sys_addaudithook(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"hook", nullptr};
  PyObject* hook;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:addaudithook", const_cast<char**>(keywords), &hook)) return nullptr;
  // Existing hooks may refuse a new one by raising; what is not a RuntimeError passes on.
  if (PySys_Audit("sys.addaudithook", nullptr) < 0) {
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return nullptr;
    PyErr_Clear();
    Py_RETURN_NONE;
  }
  PyObject* list = python_hooks.load();
  if (list == nullptr) {
    PyObject* fresh = PyList_New(0);
    if (fresh == nullptr) return nullptr;
    PyObject_GC_UnTrack(fresh);  // gc.get_objects() does not hand the hooks out
    if (python_hooks.compare_exchange_strong(list, fresh)) {
      list = fresh;
    } else {
      Py_DECREF(fresh);
    }
  }
  if (PyList_Append(list, hook) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* sys_audit(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 1) {
    PyErr_SetString(PyExc_TypeError, "audit expected at least 1 argument, got 0");
    return nullptr;
  }
  if (!PyUnicode_Check(args[0])) {
    PyErr_Format(PyExc_TypeError, "audit() argument 1 must be str, not %.100s", Py_TYPE(args[0])->tp_name);
    return nullptr;
  }
  const char* event = PyUnicode_AsUTF8(args[0]);
  if (event == nullptr) return nullptr;
  if (!anybody_listens()) Py_RETURN_NONE;
  Ref<> rest = Ref<>::steal(_PyTuple_FromArray(args + 1, nargs - 1));
  if (!rest || deliver(event, rest) < 0) return nullptr;
  Py_RETURN_NONE;
}

}  // namespace

void audit_clear() {
  PyObject* list = python_hooks.exchange(nullptr);
  NativeHook* hook = native_hooks.exchange(nullptr);
  while (hook != nullptr) {
    NativeHook* next = hook->next;
    PyMem_RawFree(hook);
    hook = next;
  }
  Py_XDECREF(list);
}

PyMethodDef sys_audit_methods[] = {
    {"addaudithook", as_cfunction(sys_addaudithook), METH_VARARGS | METH_KEYWORDS,
     "addaudithook($module, /, hook)\n--\n\nAdds a new audit hook callback."},
    {"audit", as_cfunction(sys_audit), METH_FASTCALL,
     "audit($module, event, /, *args)\n--\n\nPasses the event to any hooks that are attached."},
    {},
};

}  // namespace amphis

using namespace amphis;

extern "C" {

int PySys_Audit(const char* event, const char* format, ...) {
  if (!anybody_listens()) return 0;
  Ref<> args;
  if (format != nullptr && *format != '\0') {
    va_list values;
    va_start(values, format);
    PyObject* built = Py_VaBuildValue(format, values);
    va_end(values);
    if (built == nullptr) return -1;
    args = PyTuple_Check(built) ? Ref<>::steal(built) : Ref<>::steal(PyTuple_Pack(1, built));
    if (!PyTuple_Check(built)) Py_DECREF(built);
  } else {
    args = Ref<>::steal(PyTuple_New(0));
  }
  return args ? deliver(event, args) : -1;
}

int PySys_AuditTuple(const char* event, PyObject* args) {
  if (args != nullptr && !PyTuple_Check(args)) {
    PyErr_Format(PyExc_TypeError, "expected tuple, got %s", Py_TYPE(args)->tp_name);
    return -1;
  }
  if (!anybody_listens()) return 0;
  Ref<> none = args != nullptr ? Ref<>::share(args) : Ref<>::steal(PyTuple_New(0));
  return none ? deliver(event, none) : -1;
}

int PySys_AddAuditHook(Py_AuditHookFunction function, void* data) {
  if (current_thread() != nullptr && PySys_Audit("sys.addaudithook", nullptr) < 0) {
    if (PyErr_ExceptionMatches(PyExc_RuntimeError)) {
      PyErr_Clear();
      return 0;
    }
    return -1;
  }
  void* memory = PyMem_RawMalloc(sizeof(NativeHook));
  if (memory == nullptr) {
    if (current_thread() != nullptr) PyErr_NoMemory();
    return -1;
  }
  auto* hook = new (memory) NativeHook{function, data};
  // Hooks are called in the order in which they were added.
  std::atomic<NativeHook*>* slot = &native_hooks;
  NativeHook* expected = nullptr;
  while (!slot->compare_exchange_strong(expected, hook)) {
    slot = &expected->next;
    expected = nullptr;
  }
  return 0;
}

}  // extern "C"
