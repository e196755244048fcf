// sys: frames, the exceptions being handled, tracing.
#include "interp/frame.h"
#include "interp/frame_variables.h"
#include "interp/monitoring.h"
#include "modules/builtins.h"
#include "modules/sys.h"
#include "objects/names.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"
#include "sync/stop_the_world.h"

#include <utility>
#include <vector>

namespace amphis {

namespace {

// The innermost exception that is being handled, or null: borrowed.
PyObject* handled_exception(ThreadState* ts) {
  for (_PyErr_StackItem* item = ts->exc_info; item != nullptr; item = item->previous_item) {
    if (item->exc_value != nullptr && item->exc_value != Py_None) return item->exc_value;
  }
  return nullptr;
}

PyObject* sys_exception(PyObject*, PyObject*) {
  PyObject* e = handled_exception(current_thread());
  return Py_NewRef(e != nullptr ? e : Py_None);
}

PyObject* sys_exc_info(PyObject*, PyObject*) {
  PyObject* e = handled_exception(current_thread());
  if (e == nullptr) return PyTuple_Pack(3, Py_None, Py_None, Py_None);
  Ref<> traceback = Ref<>::steal(PyException_GetTraceback(e));
  return PyTuple_Pack(3, reinterpret_cast<PyObject*>(Py_TYPE(e)), e, traceback ? traceback.get() : Py_None);
}

PyObject* sys_exit(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("exit", nargs, 0, 1)) return nullptr;
  PyErr_SetObject(PyExc_SystemExit, nargs > 0 ? args[0] : Py_None);
  return nullptr;
}

// The frame `depth` levels out from the caller; null without an exception beyond the outermost.
Frame* frame_at(int depth) {
  Frame* f = current_frame(current_thread());
  for (; f != nullptr && depth > 0; --depth) f = f->prev;
  return f;
}

PyObject* sys_getframe(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("_getframe", nargs, 0, 1)) return nullptr;
  int depth = 0;
  if (nargs > 0) {
    depth = PyLong_AsInt(args[0]);
    if (depth == -1 && PyErr_Occurred()) return nullptr;
  }
  Frame* f = frame_at(depth);
  if (f == nullptr) {
    PyErr_SetString(PyExc_ValueError, "call stack is not deep enough");
    return nullptr;
  }
  Ref<> frame = Ref<>::steal(frame_object(f));
  if (!frame || PySys_Audit("sys._getframe", "(O)", frame.get()) < 0) return nullptr;
  return frame.release();
}

PyObject* sys_getframemodulename(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"depth", nullptr};
  int depth = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i:_getframemodulename", const_cast<char**>(keywords), &depth)) {
    return nullptr;
  }
  if (PySys_Audit("sys._getframemodulename", "i", depth) < 0) return nullptr;
  Frame* f = frame_at(depth);
  if (f == nullptr) Py_RETURN_NONE;
  PyObject* name = PyFunction_GetModule(reinterpret_cast<PyObject*>(f->func()));
  return Py_NewRef(name != nullptr ? name : Py_None);
}

struct ThreadTop {
  unsigned long ident;
  Frame* frame;
  PyObject* exception;
};

// What every thread does, seen while all others stand still. `object_of` makes the value from one entry.
template <class F>
PyObject* by_thread(F&& object_of) {
  Ref<> result = Ref<>::steal(PyDict_New());
  if (!result) return nullptr;
  StopTheWorld stopped("sys._current_frames");
  std::vector<ThreadTop> tops;
  tops.reserve(64);
  for_each_thread([&](ThreadState* ts) {
    tops.push_back({ts->thread_id, current_frame(ts), handled_exception(ts)});
  });
  for (const ThreadTop& top : tops) {
    Ref<> value = Ref<>::steal(object_of(top));
    if (!value) {
      if (PyErr_Occurred()) return nullptr;
      continue;
    }
    Ref<> key = Ref<>::steal(PyLong_FromUnsignedLong(top.ident));
    if (!key || PyDict_SetItem(result, key, value) < 0) return nullptr;
  }
  return result.release();
}

PyObject* sys_current_frames(PyObject*, PyObject*) {
  if (PySys_Audit("sys._current_frames", nullptr) < 0) return nullptr;
  return by_thread([](const ThreadTop& top) {
    return top.frame != nullptr ? reinterpret_cast<PyObject*>(frame_object(top.frame)) : nullptr;
  });
}

PyObject* sys_current_exceptions(PyObject*, PyObject*) {
  if (PySys_Audit("sys._current_exceptions", nullptr) < 0) return nullptr;
  return by_thread([](const ThreadTop& top) { return Py_NewRef(top.exception != nullptr ? top.exception : Py_None); });
}

// --- tracing and profiling

int hook_thread(int (*install)(ThreadState*, Py_tracefunc, PyObject*), Py_tracefunc function, PyObject* arg) {
  return arg == Py_None ? install(current_thread(), nullptr, nullptr) : install(current_thread(), function, arg);
}
int hook_threads(int (*install)(Py_tracefunc, PyObject*), Py_tracefunc function, PyObject* arg) {
  return arg == Py_None ? install(nullptr, nullptr) : install(function, arg);
}
PyObject* none_unless(int failed) { return failed < 0 ? nullptr : Py_NewRef(Py_None); }

PyObject* sys_settrace(PyObject*, PyObject* arg) { return none_unless(hook_thread(set_trace_function, trace_python, arg)); }
PyObject* sys_setprofile(PyObject*, PyObject* arg) {
  return none_unless(hook_thread(set_profile_function, profile_python, arg));
}
PyObject* sys_settraceall(PyObject*, PyObject* arg) {
  return none_unless(hook_threads(set_trace_function_everywhere, trace_python, arg));
}
PyObject* sys_setprofileall(PyObject*, PyObject* arg) {
  return none_unless(hook_threads(set_profile_function_everywhere, profile_python, arg));
}
PyObject* hook_or_none(PyObject* hook) { return Py_NewRef(hook != nullptr ? hook : Py_None); }
PyObject* sys_gettrace(PyObject*, PyObject*) { return hook_or_none(current_thread()->c_traceobj); }
PyObject* sys_getprofile(PyObject*, PyObject*) { return hook_or_none(current_thread()->c_profileobj); }

// Calls as from code that no callback runs in.
PyObject* sys_call_tracing(PyObject*, PyObject* args) {
  PyObject *function, *arguments;
  if (!PyArg_ParseTuple(args, "OO!:call_tracing", &function, &PyTuple_Type, &arguments)) return nullptr;
  ThreadState* ts = current_thread();
  const int tracing = std::exchange(ts->tracing, 0);
  refresh_monitor_bit(ts);
  PyObject* result = PyObject_Call(function, arguments, nullptr);
  ts->tracing = tracing;
  refresh_monitor_bit(ts);
  return result;
}

// --- asynchronous generators and coroutines

int check_hook(PyObject* hook, const char* name) {
  if (hook == nullptr || hook == Py_None || PyCallable_Check(hook)) return 0;
  PyErr_Format(PyExc_TypeError, "callable %s expected, got %.50s", name, Py_TYPE(hook)->tp_name);
  return -1;
}

void store_hook(PyObject** slot, PyObject* hook) {
  if (hook == nullptr) return;
  PyObject* old = *slot;
  *slot = hook == Py_None ? nullptr : Py_NewRef(hook);
  Py_XDECREF(old);
}

PyObject* sys_set_asyncgen_hooks(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"firstiter", "finalizer", nullptr};
  PyObject *firstiter = nullptr, *finalizer = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OO:set_asyncgen_hooks", const_cast<char**>(keywords), &firstiter,
                                   &finalizer) ||
      check_hook(finalizer, "finalizer") < 0 || check_hook(firstiter, "firstiter") < 0) {
    return nullptr;
  }
  if (finalizer != nullptr && PySys_Audit("sys.set_asyncgen_hooks_finalizer", nullptr) < 0) return nullptr;
  if (firstiter != nullptr && PySys_Audit("sys.set_asyncgen_hooks_firstiter", nullptr) < 0) return nullptr;
  ThreadState* ts = current_thread();
  store_hook(&ts->async_gen_finalizer, finalizer);
  store_hook(&ts->async_gen_firstiter, firstiter);
  Py_RETURN_NONE;
}

PyObject* sys_get_asyncgen_hooks(PyObject*, PyObject*) {
  PyObject* hooks = PyStructSequence_New(asyncgen_hooks_type);
  if (hooks == nullptr) return nullptr;
  ThreadState* ts = current_thread();
  PyStructSequence_SetItem(hooks, 0, Py_NewRef(ts->async_gen_firstiter != nullptr ? ts->async_gen_firstiter : Py_None));
  PyStructSequence_SetItem(hooks, 1, Py_NewRef(ts->async_gen_finalizer != nullptr ? ts->async_gen_finalizer : Py_None));
  return hooks;
}

PyObject* sys_get_origin_depth(PyObject*, PyObject*) {
  return PyLong_FromLong(current_thread()->coroutine_origin_tracking_depth);
}

PyObject* sys_set_origin_depth(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"depth", nullptr};
  int depth;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i:set_coroutine_origin_tracking_depth", const_cast<char**>(keywords),
                                   &depth)) {
    return nullptr;
  }
  if (depth < 0) {
    PyErr_SetString(PyExc_ValueError, "depth must be >= 0");
    return nullptr;
  }
  current_thread()->coroutine_origin_tracking_depth = depth;
  Py_RETURN_NONE;
}

}  // namespace

PyMethodDef sys_frame_methods[] = {
    {"_current_exceptions", sys_current_exceptions, METH_NOARGS,
     "_current_exceptions($module, /)\n--\n\nReturn a dict mapping each thread's identifier to its current raised exception."},
    {"_current_frames", sys_current_frames, METH_NOARGS,
     "_current_frames($module, /)\n--\n\nReturn a dict mapping each thread's thread id to its current stack frame."},
    {"_getframe", as_cfunction(sys_getframe), METH_FASTCALL,
     "_getframe($module, depth=0, /)\n--\n\nReturn a frame object from the call stack."},
    {"_getframemodulename", as_cfunction(sys_getframemodulename), METH_VARARGS | METH_KEYWORDS,
     "_getframemodulename($module, /, depth=0)\n--\n\nReturn the name of the module for a calling frame."},
    {"_setprofileallthreads", sys_setprofileall, METH_O, "_setprofileallthreads($module, function, /)\n--\n\n"},
    {"_settraceallthreads", sys_settraceall, METH_O, "_settraceallthreads($module, function, /)\n--\n\n"},
    {"call_tracing", sys_call_tracing, METH_VARARGS, "call_tracing($module, func, args, /)\n--\n\nCall func(*args)."},
    {"exc_info", sys_exc_info, METH_NOARGS,
     "exc_info($module, /)\n--\n\nReturn current exception information: (type, value, traceback)."},
    {"exception", sys_exception, METH_NOARGS, "exception($module, /)\n--\n\nReturn the current exception."},
    {"exit", as_cfunction(sys_exit), METH_FASTCALL,
     "exit($module, status=None, /)\n--\n\nExit the interpreter by raising SystemExit(status)."},
    {"get_asyncgen_hooks", sys_get_asyncgen_hooks, METH_NOARGS,
     "get_asyncgen_hooks($module, /)\n--\n\nReturn the installed asynchronous generators hooks."},
    {"get_coroutine_origin_tracking_depth", sys_get_origin_depth, METH_NOARGS,
     "get_coroutine_origin_tracking_depth($module, /)\n--\n\nCheck status of origin tracking for coroutine objects in "
     "this thread."},
    {"getprofile", sys_getprofile, METH_NOARGS, "getprofile($module, /)\n--\n\nReturn the profiling function set with sys.setprofile."},
    {"gettrace", sys_gettrace, METH_NOARGS,
     "gettrace($module, /)\n--\n\nReturn the global debug tracing function set with sys.settrace."},
    {"set_asyncgen_hooks", as_cfunction(sys_set_asyncgen_hooks), METH_VARARGS | METH_KEYWORDS,
     "set_asyncgen_hooks([firstiter] [, finalizer])\n\nSet a finalizer for async generators objects."},
    {"set_coroutine_origin_tracking_depth", as_cfunction(sys_set_origin_depth), METH_VARARGS | METH_KEYWORDS,
     "set_coroutine_origin_tracking_depth($module, /, depth)\n--\n\nEnable or disable origin tracking for coroutine "
     "objects in this thread."},
    {"setprofile", sys_setprofile, METH_O, "setprofile($module, function, /)\n--\n\nSet the profiling function."},
    {"settrace", sys_settrace, METH_O, "settrace($module, function, /)\n--\n\nSet the global debug tracing function."},
    {},
};

}  // namespace amphis
