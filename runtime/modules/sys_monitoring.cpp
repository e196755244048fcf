// sys.monitoring (PEP 669): what programs call. Checks what it is given; interp/monitoring.h does the rest.
//
// Invariant: names and callbacks of tools are replaced under `tools_mutex`; the machine reads callbacks without it.
#include "interp/monitoring.h"
#include "modules/builtins.h"
#include "modules/sys.h"
#include "sync/shared_slot.h"

namespace amphis {

namespace {

constexpr uint32_t kCReturnAndRaise = event_bit(Event::kCReturn) | event_bit(Event::kCRaise);
constexpr uint32_t kCallGroup = kCReturnAndRaise | event_bit(Event::kCall);
constexpr uint32_t kBothBranches = event_bit(Event::kBranchLeft) | event_bit(Event::kBranchRight);

sync::Mutex tools_mutex;

bool check_tool(long tool) {
  if (tool >= 0 && tool < kUserTools) return true;
  PyErr_Format(PyExc_ValueError, "invalid tool %ld (must be between 0 and 5)", tool);
  return false;
}
bool check_in_use(long tool) {
  if (!check_tool(tool)) return false;
  if (sync::load_acquire(events.names[tool]) != nullptr) return true;
  PyErr_Format(PyExc_ValueError, "tool %ld is not in use", tool);
  return false;
}

bool int_argument(PyObject* arg, int* value) {
  *value = PyLong_AsInt(arg);
  return *value != -1 || !PyErr_Occurred();
}

// The one argument that is a tool's id.
bool tool_argument(PyObject* arg, int* tool) { return int_argument(arg, tool) && check_tool(*tool); }

PyObject* use_tool_id(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int tool;
  if (!_PyArg_CheckPositional("use_tool_id", nargs, 2, 2) || !tool_argument(args[0], &tool)) return nullptr;
  if (!PyUnicode_Check(args[1])) {
    PyErr_SetString(PyExc_ValueError, "tool name must be a str");
    return nullptr;
  }
  bool taken;
  {
    sync::MutexLock lock(tools_mutex);
    taken = events.names[tool] != nullptr;
    if (!taken) sync::set_slot(&events.names[tool], Ref<>::share(args[1]));
  }
  if (taken) {
    PyErr_Format(PyExc_ValueError, "tool %d is already in use", tool);
    return nullptr;
  }
  Py_RETURN_NONE;
}

// All that the tool has asked for is taken back: globally at once, for code objects as they are seen again.
void forget_tool(int tool) {
  clear_tool_events(tool);
  for (auto& slot : events.callbacks[tool]) {
    Ref<> old;
    sync::MutexLock lock(tools_mutex);
    old = sync::exchange_slot(&slot, Ref<>());
  }
  events.old_branch[tool] = false;
}

PyObject* clear_tool_id(PyObject*, PyObject* arg) {
  int tool;
  if (!tool_argument(arg, &tool)) return nullptr;
  if (sync::load_acquire(events.names[tool]) != nullptr) forget_tool(tool);
  Py_RETURN_NONE;
}

PyObject* free_tool_id(PyObject*, PyObject* arg) {
  int tool;
  if (!tool_argument(arg, &tool)) return nullptr;
  if (sync::load_acquire(events.names[tool]) != nullptr) forget_tool(tool);
  Ref<> old;
  {
    sync::MutexLock lock(tools_mutex);
    old = sync::exchange_slot(&events.names[tool], Ref<>());
  }
  Py_RETURN_NONE;
}

PyObject* get_tool(PyObject*, PyObject* arg) {
  int tool;
  if (!tool_argument(arg, &tool)) return nullptr;
  Ref<> name = sync::get_ref(&events.names[tool]);
  return name ? name.release() : Py_NewRef(Py_None);
}

PyObject* register_callback(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int tool, set;
  if (!_PyArg_CheckPositional("register_callback", nargs, 3, 3) || !int_argument(args[0], &tool) ||
      !int_argument(args[1], &set) || !check_tool(tool)) {
    return nullptr;
  }
  if (set <= 0 || __builtin_popcount(static_cast<unsigned>(set)) != 1) {
    PyErr_SetString(PyExc_ValueError, "The callback can only be set for one event at a time");
    return nullptr;
  }
  const int event = __builtin_ctz(static_cast<unsigned>(set));
  if (event >= kEventCount) {
    PyErr_Format(PyExc_ValueError, "invalid event %d", set);
    return nullptr;
  }
  if (PySys_Audit("sys.monitoring.register_callback", "O", args[2]) < 0) return nullptr;
  Ref<> callback = Ref<>::share(args[2] == Py_None ? nullptr : args[2]);
  Ref<> old, other;
  {
    sync::MutexLock lock(tools_mutex);
    PyObject** slots = events.callbacks[tool];
    if (static_cast<Event>(event) == Event::kBranch) {
      events.old_branch[tool] = callback.get() != nullptr;
      old = sync::exchange_slot(&slots[event_index(Event::kBranchLeft)], Ref<>::share(callback.get()));
      other = sync::exchange_slot(&slots[event_index(Event::kBranchRight)], Ref<>::share(callback.get()));
    } else {
      old = sync::exchange_slot(&slots[event], std::move(callback));
    }
  }
  return old ? old.release() : Py_NewRef(Py_None);
}

// What programs give as a set of events, in the machine's terms.
bool resolve_set(int given, const char* kind, uint32_t most, uint32_t* set) {
  auto bits = static_cast<uint32_t>(given);
  if (bits >= 1u << kEventCount) {
    PyErr_Format(PyExc_ValueError, "invalid %s 0x%x", kind, bits);
    return false;
  }
  if ((bits & kCReturnAndRaise) != 0) {
    if ((bits & kCallGroup) != kCallGroup) {
      PyErr_SetString(PyExc_ValueError, "cannot set C_RETURN or C_RAISE events independently");
      return false;
    }
    bits &= ~kCReturnAndRaise;
  }
  if ((bits & event_bit(Event::kBranch)) != 0) bits = (bits & ~event_bit(Event::kBranch)) | kBothBranches;
  if (bits >= most) {
    PyErr_Format(PyExc_ValueError, "invalid %s 0x%x", kind, bits);
    return false;
  }
  *set = bits;
  return true;
}

PyObject* get_events(PyObject*, PyObject* arg) {
  int tool;
  if (!tool_argument(arg, &tool)) return nullptr;
  return PyLong_FromLong(static_cast<long>(sync::load_relaxed(events.tool_events[tool])));
}

PyObject* set_events(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int tool, given;
  uint32_t set;
  if (!_PyArg_CheckPositional("set_events", nargs, 2, 2) || !int_argument(args[0], &tool) || !int_argument(args[1], &given) ||
      !check_tool(tool) || !resolve_set(given, "event set", 1u << kEventCount, &set) || !check_in_use(tool)) {
    return nullptr;
  }
  set_tool_events(tool, set);
  Py_RETURN_NONE;
}

bool code_argument(PyObject* arg) {
  if (PyCode_Check(arg)) return true;
  PyErr_SetString(PyExc_TypeError, "code must be a code object");
  return false;
}

PyObject* get_local_events(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int tool;
  if (!_PyArg_CheckPositional("get_local_events", nargs, 2, 2) || !int_argument(args[0], &tool) || !code_argument(args[1]) ||
      !check_tool(tool)) {
    return nullptr;
  }
  const CodeMonitor* m = code_monitor_of(reinterpret_cast<PyCodeObject*>(args[1]));
  return PyLong_FromLong(m != nullptr ? static_cast<long>(local_events_of(m, tool)) : 0);
}

PyObject* set_local_events(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  int tool, given;
  uint32_t set;
  if (!_PyArg_CheckPositional("set_local_events", nargs, 3, 3) || !int_argument(args[0], &tool) ||
      !int_argument(args[2], &given) || !code_argument(args[1]) || !check_tool(tool) ||
      !resolve_set(given, "local event set", 1u << kLocalEvents, &set) || !check_in_use(tool)) {
    return nullptr;
  }
  if (set_local_tool_events(tool, reinterpret_cast<PyCodeObject*>(args[1]), set) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* restart_events(PyObject*, PyObject*) {
  restart_tool_events();
  Py_RETURN_NONE;
}

PyObject* all_events(PyObject*, PyObject*) {
  Ref<> dict = Ref<>::steal(PyDict_New());
  if (!dict) return nullptr;
  for (int e = 0; e < kUngroupedEvents; ++e) {
    const uint8_t tools = sync::load_relaxed(events.tools[e]);
    if (tools == 0) continue;
    Ref<> value = Ref<>::steal(PyLong_FromLong(tools));
    if (!value || PyDict_SetItemString(dict, kEventNames[e], value) < 0) return nullptr;
  }
  return dict.release();
}

PyMethodDef methods[] = {
    {"use_tool_id", as_cfunction(use_tool_id), METH_FASTCALL, "use_tool_id($module, tool_id, name, /)\n--\n\n"},
    {"clear_tool_id", clear_tool_id, METH_O, "clear_tool_id($module, tool_id, /)\n--\n\n"},
    {"free_tool_id", free_tool_id, METH_O, "free_tool_id($module, tool_id, /)\n--\n\n"},
    {"get_tool", get_tool, METH_O, "get_tool($module, tool_id, /)\n--\n\n"},
    {"register_callback", as_cfunction(register_callback), METH_FASTCALL,
     "register_callback($module, tool_id, event, func, /)\n--\n\n"},
    {"get_events", get_events, METH_O, "get_events($module, tool_id, /)\n--\n\n"},
    {"set_events", as_cfunction(set_events), METH_FASTCALL, "set_events($module, tool_id, event_set, /)\n--\n\n"},
    {"get_local_events", as_cfunction(get_local_events), METH_FASTCALL,
     "get_local_events($module, tool_id, code, /)\n--\n\n"},
    {"set_local_events", as_cfunction(set_local_events), METH_FASTCALL,
     "set_local_events($module, tool_id, code, event_set, /)\n--\n\n"},
    {"restart_events", restart_events, METH_NOARGS, "restart_events($module, /)\n--\n\n"},
    {"_all_events", all_events, METH_NOARGS, "_all_events($module, /)\n--\n\n"},
    {},
};
PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "sys.monitoring", .m_size = -1, .m_methods = methods};

}  // namespace

void monitoring_clear() {
  for (int tool = 0; tool < kUserTools; ++tool) {
    forget_tool(tool);
    Ref<> name = sync::exchange_slot(&events.names[tool], Ref<>());
  }
}

int sys_add_monitoring(PyObject* dict) {
  Ref<> module = Ref<>::steal(PyModule_Create(&module_def));
  Ref<> names = Ref<>::steal(PyDict_New());
  if (!module || !names) return -1;
  for (int e = 0; e <= kEventCount; ++e) {
    Ref<> bit = Ref<>::steal(PyLong_FromLong(e == kEventCount ? 0 : 1L << e));
    if (!bit || PyDict_SetItemString(names, e == kEventCount ? "NO_EVENTS" : kEventNames[e], bit) < 0) return -1;
  }
  Ref<> ns = Ref<>::steal(_PyNamespace_New(names));
  if (!ns || PyModule_AddObjectRef(module, "events", ns) < 0 ||
      PyModule_AddObjectRef(module, "DISABLE", monitoring_disable) < 0 ||
      PyModule_AddObjectRef(module, "MISSING", monitoring_missing) < 0 ||
      PyModule_AddIntConstant(module, "DEBUGGER_ID", 0) < 0 || PyModule_AddIntConstant(module, "COVERAGE_ID", 1) < 0 ||
      PyModule_AddIntConstant(module, "PROFILER_ID", 2) < 0 || PyModule_AddIntConstant(module, "OPTIMIZER_ID", 5) < 0) {
    return -1;
  }
  return PyDict_SetItemString(dict, "monitoring", module);
}

}  // namespace amphis
