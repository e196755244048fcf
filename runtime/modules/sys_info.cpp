// The records of sys that describe the implementation, and sys.monitoring.
#include "modules/builtins.h"
#include "modules/sys.h"

#include "sync/ref.h"

#include <gnu/libc-version.h>

namespace amphis {

PyTypeObject* asyncgen_hooks_type = nullptr;

namespace {

// A record of a fresh type; steals the values.
template <size_t n>
PyObject* record(PyTypeObject* type, PyObject* (&&values)[n]) {
  Ref<> info = Ref<>::steal(type != nullptr ? PyStructSequence_New(type) : nullptr);
  for (size_t i = 0; i < n; ++i) {
    if (info) {
      PyStructSequence_SetItem(info, static_cast<Py_ssize_t>(i), values[i]);
    } else {
      Py_XDECREF(values[i]);
    }
  }
  return PyErr_Occurred() ? nullptr : info.release();
}

PyObject* make_hash_info() {
  static PyStructSequence_Field fields[] = {
      {"width", "width of the type used for hashing, in bits"},
      {"modulus", "prime number giving the modulus on which the hash function is based"},
      {"inf", "value to be used for hash of a positive infinity"},
      {"nan", "value to be used for hash of a nan"},
      {"imag", "multiplier used for the imaginary part of a complex number"},
      {"algorithm", "name of the algorithm for hashing of str, bytes and memoryviews"},
      {"hash_bits", "internal output size of hash algorithm"},
      {"seed_bits", "seed size of hash algorithm"},
      {"cutoff", "small string optimization cutoff"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "sys.hash_info", "hash_info\n\nA named tuple providing parameters used for computing hashes.", fields, 9};
  Ref<> type = Ref<>::steal(PyStructSequence_NewType(&description));
  return record(reinterpret_cast<PyTypeObject*>(type.get()),
                {PyLong_FromLong(8 * sizeof(Py_hash_t)), PyLong_FromSize_t(PyHASH_MODULUS), PyLong_FromLong(PyHASH_INF),
                 PyLong_FromLong(0), PyLong_FromLong(PyHASH_IMAG), PyUnicode_FromString("siphash13"),
                 PyLong_FromLong(64), PyLong_FromLong(128), PyLong_FromLong(0)});
}

PyObject* make_thread_info() {
  static PyStructSequence_Field fields[] = {
      {"name", "name of the thread implementation"},
      {"lock", "name of the lock implementation"},
      {"version", "name and version of the thread library"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "sys.thread_info", "sys.thread_info\n\nA named tuple holding information about the thread implementation.", fields,
      3};
  Ref<> type = Ref<>::steal(PyStructSequence_NewType(&description));
  return record(reinterpret_cast<PyTypeObject*>(type.get()),
                {PyUnicode_FromString("pthread"), Py_NewRef(Py_None),
                 PyUnicode_FromFormat("NPTL %s", gnu_get_libc_version())});
}

PyTypeObject* make_asyncgen_hooks_type() {
  static PyStructSequence_Field fields[] = {
      {"firstiter", "Hook to intercept first iteration"},
      {"finalizer", "Hook to intercept finalization"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "builtins.asyncgen_hooks",
      "asyncgen_hooks\n\nNamed tuple providing information about asynchronous\ngenerators hooks.\nThe attributes are "
      "read only.",
      fields, 2};
  return PyStructSequence_NewType(&description);
}

int put(PyObject* dict, const char* name, PyObject* value) {
  Ref<> v = Ref<>::steal(value);
  return v ? PyDict_SetItemString(dict, name, v) : -1;
}

// --- sys.monitoring: the events' names exist, so that modules can ask for them; tools cannot be registered.

PyObject* no_monitoring(PyObject*, PyObject* const*, Py_ssize_t, PyObject*) {
  PyErr_SetString(PyExc_NotImplementedError, "sys.monitoring: this runtime does not deliver monitoring events");
  return nullptr;
}

PyObject* get_tool(PyObject*, PyObject* arg) {
  long id = PyLong_AsLong(arg);
  if (id == -1 && PyErr_Occurred()) return nullptr;
  if (id < 0 || id >= 8) {
    PyErr_Format(PyExc_ValueError, "invalid tool %ld (must be between 0 and 7)", id);
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyMethodDef monitoring_methods[] = {
    {"use_tool_id", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"clear_tool_id", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"free_tool_id", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"get_tool", get_tool, METH_O, nullptr},
    {"register_callback", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"get_events", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"set_events", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"get_local_events", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"set_local_events", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"restart_events", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {"_all_events", as_cfunction(no_monitoring), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {},
};
PyModuleDef monitoring_def = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "sys.monitoring", .m_size = -1, .m_methods = monitoring_methods};

}  // namespace

int sys_add_info(PyObject* dict) {
  if (asyncgen_hooks_type == nullptr) asyncgen_hooks_type = make_asyncgen_hooks_type();
  if (asyncgen_hooks_type == nullptr) return -1;
  return put(dict, "float_info", PyFloat_GetInfo()) < 0 || put(dict, "int_info", PyLong_GetInfo()) < 0 ||
                 put(dict, "hash_info", make_hash_info()) < 0 || put(dict, "thread_info", make_thread_info()) < 0
             ? -1
             : 0;
}

int sys_add_monitoring(PyObject* dict) {
  Ref<> module = Ref<>::steal(PyModule_Create(&monitoring_def));
  Ref<> events = Ref<>::steal(PyDict_New());
  if (!module || !events) return -1;
  const struct {
    const char* name;
    int bit;
  } kEvents[] = {{"PY_START", 0},     {"PY_RESUME", 1},  {"PY_RETURN", 2},   {"PY_YIELD", 3},
                 {"CALL", 4},         {"LINE", 5},       {"INSTRUCTION", 6}, {"JUMP", 7},
                 {"BRANCH_LEFT", 8},  {"BRANCH_RIGHT", 9}, {"STOP_ITERATION", 10}, {"RAISE", 11},
                 {"EXCEPTION_HANDLED", 12}, {"PY_UNWIND", 13}, {"PY_THROW", 14}, {"RERAISE", 15},
                 {"C_RETURN", 16},    {"C_RAISE", 17},   {"BRANCH", 18}};
  for (const auto& e : kEvents) {
    if (put(events, e.name, PyLong_FromLong(1L << e.bit)) < 0) return -1;
  }
  if (put(events, "NO_EVENTS", PyLong_FromLong(0)) < 0) return -1;
  Ref<> ns = Ref<>::steal(_PyNamespace_New(events));
  if (!ns || PyModule_AddObjectRef(module, "events", ns) < 0) return -1;
  Ref<> marker = Ref<>::steal(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type)));
  if (!marker || PyModule_AddObjectRef(module, "DISABLE", marker) < 0) return -1;
  Ref<> missing = Ref<>::steal(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type)));
  if (!missing || PyModule_AddObjectRef(module, "MISSING", missing) < 0 ||
      PyModule_AddIntConstant(module, "DEBUGGER_ID", 0) < 0 || PyModule_AddIntConstant(module, "COVERAGE_ID", 1) < 0 ||
      PyModule_AddIntConstant(module, "PROFILER_ID", 2) < 0 || PyModule_AddIntConstant(module, "OPTIMIZER_ID", 5) < 0) {
    return -1;
  }
  return PyDict_SetItemString(dict, "monitoring", module);
}

}  // namespace amphis
