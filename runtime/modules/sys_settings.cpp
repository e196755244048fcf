// sys: limits, sizes, names and switches.
#include "gc/gc_bits.h"
#include "memory/heap.h"
#include "modules/builtins.h"
#include "modules/running_config.h"
#include "modules/import_state.h"
#include "modules/sys.h"
#include "objects/int.h"
#include "objects/names.h"
#include "objects/str_intern.h"
#include "objects/type.h"
#include "sync/stop_log.h"
#include "sync/stop_the_world.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"

#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <memory>

namespace amphis {

namespace {

PyObject* getdefaultencoding(PyObject*, PyObject*) { return PyUnicode_InternFromString("utf-8"); }
PyObject* getfilesystemencoding(PyObject*, PyObject*) { return PyUnicode_InternFromString("utf-8"); }
PyObject* getfilesystemencodeerrors(PyObject*, PyObject*) { return PyUnicode_InternFromString("surrogateescape"); }

PyObject* intern(PyObject*, PyObject* s) {
  if (!PyUnicode_Check(s)) {
    PyErr_Format(PyExc_TypeError, "intern() argument must be str, not %.50s", s == Py_None ? "None" : Py_TYPE(s)->tp_name);
    return nullptr;
  }
  if (!PyUnicode_CheckExact(s)) {
    PyErr_Format(PyExc_TypeError, "can't intern %.400s", Py_TYPE(s)->tp_name);
    return nullptr;
  }
  Py_INCREF(s);
  PyUnicode_InternInPlace(&s);
  return s;
}

PyObject* is_interned(PyObject*, PyObject* s) {
  if (!PyUnicode_Check(s)) {
    PyErr_Format(PyExc_TypeError, "_is_interned() argument must be str, not %.50s", Py_TYPE(s)->tp_name);
    return nullptr;
  }
  return PyBool_FromLong(PyUnicode_CHECK_INTERNED(s) != 0);
}

PyObject* is_immortal(PyObject*, PyObject* op) { return PyBool_FromLong(PyUnstable_IsImmortal(op)); }

PyObject* getrecursionlimit(PyObject*, PyObject*) { return PyLong_FromLong(Py_GetRecursionLimit()); }

PyObject* setrecursionlimit(PyObject*, PyObject* arg) {
  int limit = PyLong_AsInt(arg);
  if (limit == -1 && PyErr_Occurred()) return nullptr;
  if (limit < 1) {
    PyErr_SetString(PyExc_ValueError, "recursion limit must be greater or equal than 1");
    return nullptr;
  }
  ThreadState* ts = current_thread();
  int depth = ts->py_recursion_limit - ts->py_recursion_remaining;
  if (depth >= limit) {
    PyErr_Format(PyExc_RecursionError, "cannot set the recursion limit to %i at the recursion depth %i: the limit is too low",
                 limit, depth);
    return nullptr;
  }
  Py_SetRecursionLimit(limit);
  Py_RETURN_NONE;
}

PyObject* getswitchinterval(PyObject*, PyObject*) {
  return PyFloat_FromDouble(1e-6 * static_cast<double>(sync::switch_interval()));
}

PyObject* setswitchinterval(PyObject*, PyObject* arg) {
  double seconds = PyFloat_AsDouble(arg);
  if (seconds == -1.0 && PyErr_Occurred()) return nullptr;
  if (!(seconds > 0.0)) {
    PyErr_SetString(PyExc_ValueError, "switch interval must be strictly positive");
    return nullptr;
  }
  sync::set_switch_interval(static_cast<unsigned long>(std::fmax(1.0, 1e6 * seconds)));
  Py_RETURN_NONE;
}

PyObject* getrefcount(PyObject*, PyObject* op) {
  if (!sync::is_deferred(op)) return PyLong_FromSsize_t(Py_REFCNT(op));
  // What the threads have counted each for itself belongs to it.
  StopTheWorld stopped("sys.getrefcount");
  sync::settle_deferred_counts();
  gc::settle_type_counts();
  return PyLong_FromSsize_t(gc::reference_count(op));
}

// The last stops of the world (sync/stop_log.h), oldest first: a list of dicts. Times are seconds.
PyObject* stop_log(PyObject*, PyObject*) {
  const auto stops = std::make_unique<sync::Stop[]>(sync::kStopsKept);
  const size_t n = sync::recent_stops(stops.get());
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return nullptr;
  for (size_t i = 0; i < n; ++i) {
    const sync::Stop& stop = stops[i];
    Ref<> entry = Ref<>::steal(Py_BuildValue(
        "{s:K,s:s,s:s,s:d,s:d,s:d,s:k,s:k}", "number", static_cast<unsigned long long>(stop.number), "why", stop.why, "what",
        stop.what, "time", double(stop.begin_ns) * 1e-9, "waited", double(stop.waited_ns) * 1e-9, "stood",
        double(stop.stood_ns) * 1e-9, "thread", stop.stopper, "last_thread", stop.last));
    if (!entry || PyList_Append(list, entry) < 0) return nullptr;
  }
  return list.release();
}

PyObject* getsizeof(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"object", "default", nullptr};
  PyObject *op, *fallback = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O:getsizeof", const_cast<char**>(keywords), &op, &fallback)) {
    return nullptr;
  }
  size_t size = _PySys_GetSizeOf(op);
  if (size == static_cast<size_t>(-1) && PyErr_Occurred()) {
    if (fallback == nullptr || !PyErr_ExceptionMatches(PyExc_TypeError)) return nullptr;
    PyErr_Clear();
    return Py_NewRef(fallback);
  }
  return PyLong_FromSize_t(size);
}

PyObject* get_int_max_str_digits(PyObject*, PyObject*) { return PyLong_FromLong(int_max_str_digits()); }

PyObject* set_int_max_str_digits_(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"maxdigits", nullptr};
  int limit;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i:set_int_max_str_digits", const_cast<char**>(keywords), &limit)) {
    return nullptr;
  }
  if (limit != 0 && limit < kMaxStrDigitsThreshold) {
    PyErr_Format(PyExc_ValueError, "maxdigits must be >= %d or 0 for unlimited", kMaxStrDigitsThreshold);
    return nullptr;
  }
  set_int_max_str_digits(limit);
  running_config.int_max_str_digits = limit;
  Ref<> flags = Ref<>::steal(sys_make_flags());
  if (!flags || PyDict_SetItemString(sys_dict(), "flags", flags) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* is_finalizing(PyObject*, PyObject*) { return PyBool_FromLong(sync::finalizing()); }
PyObject* is_gil_enabled(PyObject*, PyObject*) { return PyBool_FromLong(sync::gil_enabled()); }
PyObject* getallocatedblocks(PyObject*, PyObject*) {
  int64_t blocks;
  {
    StopTheWorld stopped("sys.getallocatedblocks");
    memory::drain_all_heaps();
    blocks = memory::allocated_blocks();
  }
  return PyLong_FromLongLong(blocks);
}
PyObject* getunicodeinternedsize(PyObject*, PyObject*, PyObject*) { return PyLong_FromSsize_t(interned_count()); }

PyObject* clear_type_cache(PyObject*, PyObject*) {
  PyType_ClearCache();
  Py_RETURN_NONE;
}
// Descriptors of instance dictionaries and weak references keep their class alive; dataclasses replace it.
PyObject* clear_type_descriptors(PyObject*, PyObject* type) {
  if (!PyType_Check(type)) {
    return PyErr_Format(PyExc_TypeError, "_clear_type_descriptors() argument must be type, not %T", type);
  }
  auto* cls = reinterpret_cast<PyTypeObject*>(type);
  if (PyType_HasFeature(cls, Py_TPFLAGS_IMMUTABLETYPE)) {
    PyErr_SetString(PyExc_TypeError, "argument is immutable");
    return nullptr;
  }
  if (PyDict_Pop(cls->tp_dict, names.dunder_weakref, nullptr) < 0) return nullptr;
  if (PyDict_Pop(cls->tp_dict, names.dunder_dict, nullptr) < 0) return nullptr;
  PyType_Modified(cls);
  Py_RETURN_NONE;
}
PyObject* nothing(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyObject* debugmallocstats(PyObject*, PyObject*) {
  sys_print_malloc_stats();
  Py_RETURN_NONE;
}

PyObject* getdlopenflags(PyObject*, PyObject*) { return PyLong_FromLong(import_dlopen_flags()); }
PyObject* setdlopenflags(PyObject*, PyObject* arg) {
  int flags = PyLong_AsInt(arg);
  if (flags == -1 && PyErr_Occurred()) return nullptr;
  set_import_dlopen_flags(flags);
  Py_RETURN_NONE;
}

PyObject* cpu_count_config(PyObject*, PyObject*) { return PyLong_FromLong(running_config.cpu_count); }

PyObject* no_trampoline(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_NotImplementedError, "sys.activate_stack_trampoline: this runtime has no perf trampoline");
  return nullptr;
}
PyObject* remote_exec(PyObject*, PyObject*, PyObject*) {
  PyErr_SetString(PyExc_NotImplementedError, "sys.remote_exec: this runtime does not support remote debugging");
  return nullptr;
}
PyObject* no(PyObject*, PyObject*) { Py_RETURN_FALSE; }

PyObject* baserepl(PyObject*, PyObject*) {
  PyCompilerFlags flags = _PyCompilerFlags_INIT;
  PyRun_AnyFileExFlags(stdin, "<stdin>", 0, &flags);
  Py_RETURN_NONE;
}

}  // namespace

void sys_print_malloc_stats() {
  fprintf(stderr, "Small block threshold = %zu, in size classes; above it mimalloc serves.\n", size_t{memory::kMaxSmall});
}

PyMethodDef sys_settings_methods[] = {
    {"_baserepl", baserepl, METH_NOARGS, "_baserepl($module, /)\n--\n\nPrivate function for getting the base REPL"},
    {"_clear_internal_caches", nothing, METH_NOARGS,
     "_clear_internal_caches($module, /)\n--\n\nClear all internal performance-related caches."},
    {"_clear_type_cache", clear_type_cache, METH_NOARGS,
     "_clear_type_cache($module, /)\n--\n\nClear the internal type lookup cache."},
    {"_clear_type_descriptors", clear_type_descriptors, METH_O, "_clear_type_descriptors($module, type, /)\n--\n\n"},
    {"_debugmallocstats", debugmallocstats, METH_NOARGS,
     "_debugmallocstats($module, /)\n--\n\nPrint debug info to stderr about the state of the memory allocator."},
    {"_get_cpu_count_config", cpu_count_config, METH_NOARGS,
     "_get_cpu_count_config($module, /)\n--\n\nPrivate function for getting PyConfig.cpu_count"},
    {"_is_gil_enabled", is_gil_enabled, METH_NOARGS,
     "_is_gil_enabled($module, /)\n--\n\nReturn True if the GIL is currently enabled."},
    {"_is_immortal", is_immortal, METH_O, "_is_immortal($module, op, /)\n--\n\nReturn True if the given object is \"immortal\" per PEP 683."},
    {"_is_interned", is_interned, METH_O, "_is_interned($module, string, /)\n--\n\nReturn True if the given string is \"interned\"."},
    {"_stop_log", stop_log, METH_NOARGS,
     "_stop_log($module, /)\n--\n\nReturn a list of dictionaries that say who stopped the other threads, why and for how long."},
    {"activate_stack_trampoline", no_trampoline, METH_O,
     "activate_stack_trampoline($module, backend, /)\n--\n\nActivate stack profiler trampoline *backend*."},
    {"deactivate_stack_trampoline", nothing, METH_NOARGS,
     "deactivate_stack_trampoline($module, /)\n--\n\nDeactivate the current stack profiler trampoline backend."},
    {"get_int_max_str_digits", get_int_max_str_digits, METH_NOARGS,
     "get_int_max_str_digits($module, /)\n--\n\nReturn the maximum string digits limit for non-binary int<->str conversions."},
    {"getallocatedblocks", getallocatedblocks, METH_NOARGS,
     "getallocatedblocks($module, /)\n--\n\nReturn the number of memory blocks currently allocated."},
    {"getdefaultencoding", getdefaultencoding, METH_NOARGS,
     "getdefaultencoding($module, /)\n--\n\nReturn the current default encoding used by the Unicode implementation."},
    {"getdlopenflags", getdlopenflags, METH_NOARGS,
     "getdlopenflags($module, /)\n--\n\nReturn the current value of the flags that are used for dlopen calls."},
    {"getfilesystemencodeerrors", getfilesystemencodeerrors, METH_NOARGS,
     "getfilesystemencodeerrors($module, /)\n--\n\nReturn the error mode used for Unicode to OS filename conversion."},
    {"getfilesystemencoding", getfilesystemencoding, METH_NOARGS,
     "getfilesystemencoding($module, /)\n--\n\nReturn the encoding used to convert Unicode filenames to OS filenames."},
    {"getrecursionlimit", getrecursionlimit, METH_NOARGS,
     "getrecursionlimit($module, /)\n--\n\nReturn the current value of the recursion limit."},
    {"getrefcount", getrefcount, METH_O, "getrefcount($module, object, /)\n--\n\nReturn the reference count of object."},
    {"getsizeof", as_cfunction(getsizeof), METH_VARARGS | METH_KEYWORDS,
     "getsizeof(object [, default]) -> int\n\nReturn the size of object in bytes."},
    {"getswitchinterval", getswitchinterval, METH_NOARGS,
     "getswitchinterval($module, /)\n--\n\nReturn the current thread switch interval; see sys.setswitchinterval()."},
    {"getunicodeinternedsize", as_cfunction(getunicodeinternedsize), METH_VARARGS | METH_KEYWORDS,
     "getunicodeinternedsize($module, /, *, _only_immortal=False)\n--\n\nReturn the number of elements of the unicode "
     "interned dictionary"},
    {"intern", intern, METH_O, "intern($module, string, /)\n--\n\n``Intern'' the given string."},
    {"is_finalizing", is_finalizing, METH_NOARGS, "is_finalizing($module, /)\n--\n\nReturn True if Python is exiting."},
    {"is_remote_debug_enabled", no, METH_NOARGS,
     "is_remote_debug_enabled($module, /)\n--\n\nReturn True if remote debugging is enabled, False otherwise."},
    {"is_stack_trampoline_active", no, METH_NOARGS,
     "is_stack_trampoline_active($module, /)\n--\n\nReturn *True* if a stack profiler trampoline is active."},
    {"remote_exec", as_cfunction(remote_exec), METH_VARARGS | METH_KEYWORDS,
     "remote_exec($module, /, pid, script)\n--\n\nExecutes a file containing Python code in a given remote Python process."},
    {"set_int_max_str_digits", as_cfunction(set_int_max_str_digits_), METH_VARARGS | METH_KEYWORDS,
     "set_int_max_str_digits($module, /, maxdigits)\n--\n\nSet the maximum string digits limit for non-binary int<->str "
     "conversions."},
    {"setdlopenflags", setdlopenflags, METH_O,
     "setdlopenflags($module, flags, /)\n--\n\nSet the flags used by the interpreter for dlopen calls."},
    {"setrecursionlimit", setrecursionlimit, METH_O,
     "setrecursionlimit($module, limit, /)\n--\n\nSet the maximum depth of the Python interpreter stack to n."},
    {"setswitchinterval", setswitchinterval, METH_O,
     "setswitchinterval($module, interval, /)\n--\n\nSet the ideal thread switching delay inside the Python interpreter."},
    {},
};

}  // namespace amphis

using namespace amphis;

extern "C" size_t _PySys_GetSizeOf(PyObject* op) {
  constexpr auto kError = static_cast<size_t>(-1);
  if (PyType_Ready(Py_TYPE(op)) < 0) return kError;
  PyObject* args[1] = {op};
  bool found;
  Ref<> name = Ref<>::steal(PyUnicode_InternFromString("__sizeof__"));
  if (!name) return kError;
  Ref<> result = Ref<>::steal(call_special_optional(name, args, 1, &found));
  if (!found && !PyErr_Occurred()) {
    PyErr_Format(PyExc_TypeError, "Type %.100s doesn't define __sizeof__", Py_TYPE(op)->tp_name);
  }
  if (!result) return kError;
  Py_ssize_t size = PyLong_AsSsize_t(result);
  if (size == -1 && PyErr_Occurred()) return kError;
  if (size < 0) {
    PyErr_SetString(PyExc_ValueError, "__sizeof__() should return >= 0");
    return kError;
  }
  return static_cast<size_t>(size);
}
