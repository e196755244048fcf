// _tracemalloc: what tracemalloc.py is built on. This runtime does not record where memory was allocated: tracing cannot be
// started, everything else answers as if it never was.
#include "Python.h"

#include "modules/builtins.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyObject* start(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("start", nargs, 0, 1)) return nullptr;
  int frames = nargs > 0 ? PyLong_AsInt(args[0]) : 1;
  if (frames == -1 && PyErr_Occurred()) return nullptr;
  if (frames < 1 || frames > 0xffff) {
    PyErr_Format(PyExc_ValueError, "the number of frames must be in range [1; %d]", 0xffff);
    return nullptr;
  }
  PyErr_SetString(PyExc_NotImplementedError, "tracemalloc: this runtime cannot trace memory allocations");
  return nullptr;
}

PyObject* none(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyObject* is_tracing(PyObject*, PyObject*) { Py_RETURN_FALSE; }
PyObject* get_traces(PyObject*, PyObject*) { return PyList_New(0); }
PyObject* get_traceback_limit(PyObject*, PyObject*) { return PyLong_FromLong(1); }
PyObject* get_tracemalloc_memory(PyObject*, PyObject*) { return PyLong_FromLong(0); }
PyObject* get_traced_memory(PyObject*, PyObject*) { return Py_BuildValue("ii", 0, 0); }

PyMethodDef methods[] = {
    {"start", as_cfunction(start), METH_FASTCALL,
     "start($module, nframe=1, /)\n--\n\nStart tracing Python memory allocations.\n\nAlso set the maximum number of frames "
     "stored in the traceback of a\ntrace to nframe."},
    {"stop", none, METH_NOARGS,
     "stop($module, /)\n--\n\nStop tracing Python memory allocations.\n\nAlso clear traces of memory blocks allocated by Python."},
    {"is_tracing", is_tracing, METH_NOARGS,
     "is_tracing($module, /)\n--\n\nReturn True if the tracemalloc module is tracing Python memory allocations."},
    {"clear_traces", none, METH_NOARGS, "clear_traces($module, /)\n--\n\nClear traces of memory blocks allocated by Python."},
    {"reset_peak", none, METH_NOARGS,
     "reset_peak($module, /)\n--\n\nSet the peak size of memory blocks traced by tracemalloc to the current size.\n\nDo nothing "
     "if the tracemalloc module is not tracing memory allocations."},
    {"_get_traces", get_traces, METH_NOARGS, "_get_traces($module, /)\n--\n\nGet traces of all memory blocks allocated by Python."},
    {"_get_object_traceback", none, METH_O,
     "_get_object_traceback($module, obj, /)\n--\n\nGet the traceback where the Python object obj was allocated."},
    {"get_traceback_limit", get_traceback_limit, METH_NOARGS,
     "get_traceback_limit($module, /)\n--\n\nGet the maximum number of frames stored in the traceback of a trace."},
    {"get_tracemalloc_memory", get_tracemalloc_memory, METH_NOARGS,
     "get_tracemalloc_memory($module, /)\n--\n\nGet the memory usage in bytes of the tracemalloc module."},
    {"get_traced_memory", get_traced_memory, METH_NOARGS,
     "get_traced_memory($module, /)\n--\n\nGet the current size and peak size of memory blocks traced by tracemalloc."},
    {},
};
PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_tracemalloc",
    .m_doc = "Debug module to trace memory blocks allocated by Python.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

extern "C" {

PyObject* PyInit__tracemalloc(void) { return PyModuleDef_Init(&amphis::def); }

// -2: tracing is off.
int PyTraceMalloc_Track(unsigned int, uintptr_t, size_t) { return -2; }
int PyTraceMalloc_Untrack(unsigned int, uintptr_t) { return -2; }

}  // extern "C"
