// _lsprof: the profiler behind cProfile. A tool of sys.monitoring that adds up, for each function and each pair of caller and
// function, how often it was called and how long it took.
//
// Invariant: a thread's calls in progress lie on a stack of its own; tallies and stacks change under ObjectLock(profiler).
// The timer, which may be a program's own, is called outside of the lock and must not switch the profiler off.
#include <chrono>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "Python.h"
#include "interp/monitoring.h"
#include "modules/builtins.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

namespace amphis {

namespace {

struct Tally {
  long calls = 0, recursive = 0;
  int64_t total = 0, within = 0;  // with and without what was called
  long level = 0;                 // calls in progress

  void end(int64_t elapsed, int64_t own) {
    ++calls;
    within += own;
    if (--level == 0) {
      total += elapsed;
    } else {
      ++recursive;
    }
  }
};

struct Entry {
  Ref<> subject;  // code, or the name of a C function
  Tally tally;
  std::unordered_map<Entry*, Tally> callees;
};

struct Call {
  Entry* entry;
  int64_t start;
  int64_t in_callees;
};

struct Profile {
  std::unordered_map<const void*, std::unique_ptr<Entry>> entries;  // by code object or method definition
  std::unordered_map<uint64_t, std::vector<Call>> stacks;           // by thread
};

struct Profiler {
  PyObject_HEAD
  Profile* profile;
  PyObject* timer;  // null: the clock
  double unit;
  bool subcalls, builtins, enabled;
  int in_timer;
};

struct ModuleState {
  PyTypeObject* entry_type;
  PyTypeObject* subentry_type;
};
ModuleState types;

Profiler* as_profiler(PyObject* o) { return reinterpret_cast<Profiler*>(o); }

int64_t clock_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

int64_t timer_value(Profiler* p, PyObject* result) {
  if (p->unit > 0) return PyLong_AsLongLong(result);
  const double seconds = PyFloat_AsDouble(result);
  return static_cast<int64_t>(seconds * 1e9);
}

int64_t now(Profiler* p) {
  if (sync::load_acquire(p->timer) == nullptr) return clock_now();
  Ref<> timer;
  {
    LeafLock lock(p);
    timer = Ref<>::share(p->timer);
  }
  if (!timer) return clock_now();  // __init__ has taken it away meanwhile
  ++p->in_timer;
  Ref<> result = Ref<>::steal(PyObject_CallNoArgs(timer));
  --p->in_timer;
  const int64_t value = result ? timer_value(p, result) : 0;
  if (PyErr_Occurred()) {
    PyErr_FormatUnraisable("Exception ignored while calling _lsprof timer %R", timer.get());
    return 0;
  }
  return value;
}

std::vector<Call>& stack_here(Profiler* p) { return p->profile->stacks[current_thread()->id]; }

void enter(Profiler* p, const void* key, PyObject* subject) {
  {
    ObjectLock lock(reinterpret_cast<PyObject*>(p));
    std::unique_ptr<Entry>& entry = p->profile->entries[key];
    if (entry == nullptr) {
      entry = std::make_unique<Entry>();
      entry->subject = Ref<>::share(subject);
    }
    std::vector<Call>& stack = stack_here(p);
    ++entry->tally.level;
    if (p->subcalls && !stack.empty()) ++stack.back().entry->callees[entry.get()].level;
    stack.push_back({entry.get(), 0, 0});
  }
  const int64_t start = now(p);
  ObjectLock lock(reinterpret_cast<PyObject*>(p));
  std::vector<Call>& stack = stack_here(p);
  if (!stack.empty()) stack.back().start = start;
}

void end_call(Profiler* p, std::vector<Call>& stack, int64_t at) {
  const Call call = stack.back();
  stack.pop_back();
  const int64_t elapsed = at - call.start;
  const int64_t own = elapsed - call.in_callees;
  call.entry->tally.end(elapsed, own);
  if (stack.empty()) return;
  stack.back().in_callees += elapsed;
  if (!p->subcalls) return;
  auto found = stack.back().entry->callees.find(call.entry);
  if (found != stack.back().entry->callees.end()) found->second.end(elapsed, own);
}

void leave(Profiler* p, const void* key) {
  const int64_t at = now(p);
  ObjectLock lock(reinterpret_cast<PyObject*>(p));
  std::vector<Call>& stack = stack_here(p);
  auto found = p->profile->entries.find(key);
  // What began before the profiler was switched on is not counted.
  if (stack.empty() || found == p->profile->entries.end() || stack.back().entry != found->second.get()) return;
  end_call(p, stack, at);
}

// --- what monitoring calls

bool check_count(const char* name, Py_ssize_t given, Py_ssize_t wanted) {
  return _PyArg_CheckPositional(name, given, wanted, wanted) != 0;
}

PyObject* py_start(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("_pystart_callback", nargs, 2)) return nullptr;
  enter(as_profiler(self), args[0], args[0]);
  Py_RETURN_NONE;
}
PyObject* py_throw(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("_pythrow_callback", nargs, 3)) return nullptr;
  enter(as_profiler(self), args[0], args[0]);
  Py_RETURN_NONE;
}
PyObject* py_return(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("_pyreturn_callback", nargs, 3)) return nullptr;
  leave(as_profiler(self), args[0]);
  Py_RETURN_NONE;
}

// The C function that is called, or null without an exception.
Ref<> c_function(PyObject* callable, PyObject* argument) {
  if (PyCFunction_Check(callable)) return Ref<>::share(callable);
  if (!Py_IS_TYPE(callable, &PyMethodDescr_Type) || argument == monitoring_missing) return {};
  Ref<> method = Ref<>::steal(
      Py_TYPE(callable)->tp_descr_get(callable, argument, reinterpret_cast<PyObject*>(Py_TYPE(argument))));
  if (!method) PyErr_Clear();
  return method && PyCFunction_Check(method.get()) ? std::move(method) : Ref<>();
}

Ref<> name_of(PyObject* function) {
  auto* f = reinterpret_cast<PyCFunctionObject*>(function);
  const char* name = f->m_ml->ml_name;
  PyObject* self = f->m_self;
  if (self == nullptr || PyModule_Check(self)) {
    if (f->m_module != nullptr && PyUnicode_Check(f->m_module)) {
      return Ref<>::steal(PyUnicode_FromFormat("<built-in method %U.%s>", f->m_module, name));
    }
    return Ref<>::steal(PyUnicode_FromFormat("<built-in method %s>", name));
  }
  Ref<> key = Ref<>::steal(PyUnicode_FromString(name));
  if (key) {
    Ref<> descriptor = Ref<>::share(_PyType_Lookup(Py_TYPE(self), key));
    if (descriptor) {
      Ref<> text = Ref<>::steal(PyObject_Repr(descriptor));
      if (text) return text;
    }
  }
  PyErr_Clear();
  return Ref<>::steal(PyUnicode_FromFormat("<built-in method %s>", name));
}

PyObject* c_call(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("_ccall_callback", nargs, 4)) return nullptr;
  Profiler* p = as_profiler(self);
  if (!p->builtins) Py_RETURN_NONE;
  Ref<> function = c_function(args[2], args[3]);
  if (!function) Py_RETURN_NONE;
  const void* key = reinterpret_cast<PyCFunctionObject*>(function.get())->m_ml;
  bool known;
  {
    ObjectLock lock(self);
    known = p->profile->entries.contains(key);
  }
  Ref<> name = known ? Ref<>() : name_of(function);
  if (!known && !name) return nullptr;
  enter(p, key, known ? Py_None : name.get());
  Py_RETURN_NONE;
}
PyObject* c_return(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_count("_creturn_callback", nargs, 4)) return nullptr;
  Profiler* p = as_profiler(self);
  if (!p->builtins) Py_RETURN_NONE;
  Ref<> function = c_function(args[2], args[3]);
  if (function) leave(p, reinterpret_cast<PyCFunctionObject*>(function.get())->m_ml);
  Py_RETURN_NONE;
}

// --- on and off

struct Listened {
  Event event;
  const char* method;
};
constexpr Listened kListened[] = {
    {Event::kPyStart, "_pystart_callback"},   {Event::kPyResume, "_pystart_callback"},
    {Event::kPyThrow, "_pythrow_callback"},   {Event::kPyReturn, "_pyreturn_callback"},
    {Event::kPyYield, "_pyreturn_callback"},  {Event::kPyUnwind, "_pyreturn_callback"},
    {Event::kCall, "_ccall_callback"},        {Event::kCReturn, "_creturn_callback"},
    {Event::kCRaise, "_creturn_callback"},
};
constexpr int kProfilerId = 2;

Ref<> monitoring() {
  Ref<> module = Ref<>::share(PySys_GetObject("monitoring"));
  if (!module) PyErr_SetString(PyExc_RuntimeError, "lost sys.monitoring");
  return module;
}

PyObject* enable(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"subcalls", "builtins", nullptr};
  int subcalls = -1, builtins = -1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|pp:enable", const_cast<char**>(keywords), &subcalls, &builtins)) {
    return nullptr;
  }
  Profiler* p = as_profiler(self);
  Ref<> tools = monitoring();
  if (!tools || !Ref<>::steal(PyObject_CallMethod(tools, "use_tool_id", "is", kProfilerId, "cProfile"))) return nullptr;
  uint32_t set = 0;
  for (const Listened& l : kListened) {
    Ref<> callback = Ref<>::steal(PyObject_GetAttrString(self, l.method));
    if (!callback || !Ref<>::steal(PyObject_CallMethod(tools, "register_callback", "iIO", kProfilerId, event_bit(l.event),
                                                       callback.get()))) {
      return nullptr;
    }
    set |= event_bit(l.event);
  }
  {
    ObjectLock lock(self);
    if (subcalls >= 0) p->subcalls = subcalls != 0;
    if (builtins >= 0) p->builtins = builtins != 0;
    p->enabled = true;
  }
  if (!Ref<>::steal(PyObject_CallMethod(tools, "set_events", "iI", kProfilerId, set))) return nullptr;
  Py_RETURN_NONE;
}

// Calls that were in progress end here.
void end_all(Profiler* p) {
  bool any = false;
  {
    ObjectLock lock(reinterpret_cast<PyObject*>(p));
    for (auto& [thread, stack] : p->profile->stacks) any |= !stack.empty();
  }
  if (!any) return;
  const int64_t at = now(p);
  ObjectLock lock(reinterpret_cast<PyObject*>(p));
  for (auto& [thread, stack] : p->profile->stacks) {
    while (!stack.empty()) end_call(p, stack, at);
  }
  p->profile->stacks.clear();
}

bool refuse_in_timer(Profiler* p, const char* what) {
  if (p->in_timer == 0) return false;
  PyErr_Format(PyExc_RuntimeError, "cannot %s profiler in external timer", what);
  return true;
}

PyObject* disable(PyObject* self, PyObject*) {
  Profiler* p = as_profiler(self);
  if (refuse_in_timer(p, "disable")) return nullptr;
  {
    ObjectLock lock(self);
    if (!std::exchange(p->enabled, false)) Py_RETURN_NONE;
  }
  Ref<> tools = monitoring();
  if (!tools) return nullptr;
  for (const Listened& l : kListened) {
    if (!Ref<>::steal(PyObject_CallMethod(tools, "register_callback", "iIO", kProfilerId, event_bit(l.event), Py_None))) {
      return nullptr;
    }
  }
  if (!Ref<>::steal(PyObject_CallMethod(tools, "set_events", "ii", kProfilerId, 0)) ||
      !Ref<>::steal(PyObject_CallMethod(tools, "free_tool_id", "i", kProfilerId))) {
    return nullptr;
  }
  end_all(p);
  if (PyErr_Occurred()) return nullptr;
  Py_RETURN_NONE;
}

PyObject* clear(PyObject* self, PyObject*) {
  Profiler* p = as_profiler(self);
  if (refuse_in_timer(p, "clear")) return nullptr;
  Profile dropped;
  ObjectLock lock(self);
  std::swap(dropped.entries, p->profile->entries);
  p->profile->stacks.clear();
  Py_RETURN_NONE;
}

// --- the result

PyObject* number_of(double factor, int64_t time) { return PyFloat_FromDouble(factor * static_cast<double>(time)); }

Ref<> record(PyTypeObject* type, const Ref<>& subject, const Tally& t, double factor) {
  Ref<> row = Ref<>::steal(PyStructSequence_New(type));
  if (!row) return row;
  PyStructSequence_SetItem(row, 0, Py_NewRef(subject.get()));
  PyStructSequence_SetItem(row, 1, PyLong_FromLong(t.calls));
  PyStructSequence_SetItem(row, 2, PyLong_FromLong(t.recursive));
  PyStructSequence_SetItem(row, 3, number_of(factor, t.total));
  PyStructSequence_SetItem(row, 4, number_of(factor, t.within));
  return PyErr_Occurred() ? Ref<>() : std::move(row);
}

PyObject* getstats(PyObject* self, PyObject*) {
  Profiler* p = as_profiler(self);
  const double factor = p->timer != nullptr && p->unit > 0 ? p->unit : 1e-9;
  Ref<> list = Ref<>::steal(PyList_New(0));
  ObjectLock lock(self);
  for (auto& [key, entry] : p->profile->entries) {
    if (!list) return nullptr;
    if (entry->tally.calls == 0) continue;
    Ref<> calls;
    for (auto& [callee, tally] : entry->callees) {
      if (tally.calls == 0) continue;
      if (!calls) calls = Ref<>::steal(PyList_New(0));
      Ref<> row = record(types.subentry_type, callee->subject, tally, factor);
      if (!calls || !row || PyList_Append(calls, row) < 0) return nullptr;
    }
    Ref<> row = record(types.entry_type, entry->subject, entry->tally, factor);
    if (!row) return nullptr;
    PyStructSequence_SetItem(row, 5, calls ? calls.release() : Py_NewRef(Py_None));
    if (PyList_Append(list, row) < 0) return nullptr;
  }
  return list.release();
}

// --- the type

PyObject* profiler_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  Profiler* p = as_profiler(self);
  p->profile = new Profile;
  p->subcalls = p->builtins = true;
  return self;
}

int profiler_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"timer", "timeunit", "subcalls", "builtins", nullptr};
  PyObject* timer = nullptr;
  double unit = 0;
  int subcalls = 1, builtins = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|Odpp:Profiler", const_cast<char**>(keywords), &timer, &unit, &subcalls,
                                   &builtins)) {
    return -1;
  }
  Profiler* p = as_profiler(self);
  Ref<> old;
  ObjectLock lock(self);
  old = Ref<>::steal(std::exchange(p->timer, timer == nullptr || timer == Py_None ? nullptr : Py_NewRef(timer)));
  p->unit = unit;
  p->subcalls = subcalls != 0;
  p->builtins = builtins != 0;
  return 0;
}

int profiler_traverse(PyObject* self, visitproc visit, void* arg) {
  Profiler* p = as_profiler(self);
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(p->timer);
  if (p->profile != nullptr) {
    for (auto& [key, entry] : p->profile->entries) Py_VISIT(entry->subject.get());
  }
  return 0;
}

int profiler_tp_clear(PyObject* self) {
  Py_CLEAR(as_profiler(self)->timer);
  return 0;
}

void profiler_dealloc(PyObject* self) {
  Profiler* p = as_profiler(self);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  delete std::exchange(p->profile, nullptr);
  Py_CLEAR(p->timer);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMethodDef profiler_methods[] = {
    {"getstats", getstats, METH_NOARGS,
     "list of profiler_entry objects.\n\ngetstats() -> list of profiler_entry objects\n\nReturn all that was collected."},
    {"enable", as_cfunction(enable), METH_VARARGS | METH_KEYWORDS,
     "enable($self, /, subcalls=True, builtins=True)\n--\n\nStart collecting profiling information."},
    {"disable", disable, METH_NOARGS, "disable($self, /)\n--\n\nStop collecting profiling information."},
    {"clear", clear, METH_NOARGS, "clear($self, /)\n--\n\nClear all profiling information collected so far."},
    {"_pystart_callback", as_cfunction(py_start), METH_FASTCALL, nullptr},
    {"_pythrow_callback", as_cfunction(py_throw), METH_FASTCALL, nullptr},
    {"_pyreturn_callback", as_cfunction(py_return), METH_FASTCALL, nullptr},
    {"_ccall_callback", as_cfunction(c_call), METH_FASTCALL, nullptr},
    {"_creturn_callback", as_cfunction(c_return), METH_FASTCALL, nullptr},
    {},
};

void* slot(auto* function) { return reinterpret_cast<void*>(function); }

PyStructSequence_Field entry_fields[] = {
    {"code", "code object or built-in function name"},
    {"callcount", "how many times this was called"},
    {"reccallcount", "how many times called recursively"},
    {"totaltime", "total time in this entry"},
    {"inlinetime", "inline time in this entry (not in subcalls)"},
    {"calls", "details of the calls"},
    {},
};
PyStructSequence_Field subentry_fields[] = {
    {"code", "called code object or built-in function name"},
    {"callcount", "how many times this is called"},
    {"reccallcount", "how many times this is called recursively"},
    {"totaltime", "total time spent in this call"},
    {"inlinetime", "inline time (not in further subcalls)"},
    {},
};
PyStructSequence_Desc entry_description = {"_lsprof.profiler_entry", nullptr, entry_fields, 6};
PyStructSequence_Desc subentry_description = {"_lsprof.profiler_subentry", nullptr, subentry_fields, 5};

int module_exec(PyObject* module) {
  PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Profiler(timer=None, timeunit=None, subcalls=True, builtins=True)\n--\n\n"
                                    "Build a profiler object using the specified timer function.\n\n"
                                    "The default timer is a fast built-in one based on real time.\n"
                                    "For custom timer functions returning integers, 'timeunit' can\n"
                                    "be a float specifying a scale (that is, how long each integer unit\n"
                                    "is, in seconds).")},
      {Py_tp_new, slot(profiler_new)},
      {Py_tp_init, slot(profiler_init)},
      {Py_tp_dealloc, slot(profiler_dealloc)},
      {Py_tp_traverse, slot(profiler_traverse)},
      {Py_tp_clear, slot(profiler_tp_clear)},
      {Py_tp_methods, profiler_methods},
      {0, nullptr},
  };
  PyType_Spec spec = {"_lsprof.Profiler", sizeof(Profiler), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, slots};
  Ref<> type = Ref<>::steal(PyType_FromModuleAndSpec(module, &spec, nullptr));
  if (types.entry_type == nullptr) types.entry_type = PyStructSequence_NewType(&entry_description);
  if (types.subentry_type == nullptr) types.subentry_type = PyStructSequence_NewType(&subentry_description);
  if (!type || types.entry_type == nullptr || types.subentry_type == nullptr) return -1;
  return PyModule_AddObjectRef(module, "Profiler", type) < 0 ||
                 PyModule_AddObjectRef(module, "profiler_entry", reinterpret_cast<PyObject*>(types.entry_type)) < 0 ||
                 PyModule_AddObjectRef(module, "profiler_subentry", reinterpret_cast<PyObject*>(types.subentry_type)) < 0
             ? -1
             : 0;
}

PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(module_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_MULTIPLE_INTERPRETERS_NOT_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef module_def = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_lsprof", .m_doc = "Fast profiler", .m_size = 0, .m_slots = module_slots};

}  // namespace

}  // namespace amphis

extern "C" PyObject* PyInit__lsprof(void) { return PyModuleDef_Init(&amphis::module_def); }
