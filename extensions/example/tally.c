// The module `tally`: an example of an extension for both variants, meant to be copied.
//
//     t = tally.Tally(); t.add("apple"); t.add("pear", 2); t["pear"]; len(t); t.total; t.merge(other); t.counts()
//     t.on_change = function            # called with (key, new count) after each add
//
// One source makes three binaries (setup.py, CMakeLists.txt): one for each variant, and one for the stable ABI of both
// (-DPy_TARGET_ABI3T). It shows, with the reason at each place:
//
//   module state          no static mutable data: what the module remembers hangs from the module object
//   per-object lock       Py_BEGIN_CRITICAL_SECTION around every look at an object's own data
//   borrowed references   what another thread can drop is held by a strong reference
//   Py_mod_gil            the declaration that all this is done
//   PEP 793 export        the module as an array of slots, with the older PyInit_ beside it
//
// Invariant: a Tally's `counts` is a dictionary from exact str to int that no other code ever sees, so the Tally's own lock
// guards it as well; `total` is the sum of its values.
#include <Python.h>

// ---- Module state -------------------------------------------------------------------------------------------------
// The module can be imported more than once (subinterpreters, tests, a second life of the runtime): each has its own.

typedef struct {
  PyObject* tally_type;
  PyObject* error;
  PyMutex merges_lock;  // plain data that belongs to no object needs a lock of its own; zeros are an unlocked one
  long long merges;
} State;

// ---- The type's data ----------------------------------------------------------------------------------------------
// PEP 697: the type says only how much it needs after its base's part (a negative basicsize), and asks for the place. So
// the layout of PyObject, which differs between the variants, is nobody's business here.

typedef struct {
  PyObject* counts;
  PyObject* on_change;  // or NULL
  long long total;
} Tally;

// Right because Tally is final: Py_TYPE(self) is the class that the data belongs to. In a class that can be a base, methods
// are told theirs (METH_METHOD) and slots ask PyType_GetBaseByToken.
static Tally* tally_data(PyObject* self) { return (Tally*)PyObject_GetTypeData(self, Py_TYPE(self)); }

// ---- Life ---------------------------------------------------------------------------------------------------------

static PyObject* tally_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (PyTuple_Size(args) != 0 || (kwargs != NULL && PyDict_Size(kwargs) != 0)) {
    PyErr_SetString(PyExc_TypeError, "Tally() takes no arguments");
    return NULL;
  }
  allocfunc alloc = (allocfunc)PyType_GetSlot(type, Py_tp_alloc);
  PyObject* self = alloc(type, 0);
  if (self == NULL) return NULL;
  // Nobody else can see the object yet: no lock. In tp_new and not in tp_init, which may never or repeatedly be called.
  tally_data(self)->counts = PyDict_New();
  if (tally_data(self)->counts == NULL) {
    Py_DECREF(self);
    return NULL;
  }
  return self;
}

// An instance of a heap type owns a reference to its type: it is visited here and given back by tally_dealloc. The
// collector stops all threads before it calls this: no lock.
static int tally_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Tally* tally = tally_data(self);
  Py_VISIT(tally->counts);
  Py_VISIT(tally->on_change);
  return 0;
}

static int tally_clear(PyObject* self) {
  Tally* tally = tally_data(self);
  // Not `counts`: methods may still be called on an object that the collector has cleared, and count on it. A dictionary of
  // strings and integers closes no cycle.
  Py_CLEAR(tally->on_change);
  return 0;
}

static void tally_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);  // first: the collector must not meet half an object
  tally_clear(self);
  Py_CLEAR(tally_data(self)->counts);
  freefunc free_self = (freefunc)PyType_GetSlot(type, Py_tp_free);
  free_self(self);
  Py_DECREF(type);
}

// ---- Methods ------------------------------------------------------------------------------------------------------

// Adds to one key; the object is locked. A new reference to the new count, or NULL.
//
// Between the two calls nobody may add to the same key. A critical section is suspended while other Python code runs, which
// the comparison of arbitrary keys could do: with exact strings there is none.
static PyObject* add_locked(Tally* tally, PyObject* key, long long n) {
  // Not PyDict_GetItem: a borrowed reference from a container lives only as long as no other thread replaces the item.
  PyObject* old;
  int found = PyDict_GetItemRef(tally->counts, key, &old);
  if (found < 0) return NULL;
  long long count = n;
  if (found) {
    long long before = PyLong_AsLongLong(old);
    Py_DECREF(old);
    if (before == -1 && PyErr_Occurred()) return NULL;
    if (__builtin_add_overflow(before, n, &count)) count = -1;
  }
  long long total;
  if (count < 0 || __builtin_add_overflow(tally->total, n, &total)) {
    PyErr_SetString(PyExc_OverflowError, "count out of range");
    return NULL;
  }
  PyObject* value = PyLong_FromLongLong(count);
  if (value == NULL) return NULL;
  if (PyDict_SetItem(tally->counts, key, value) < 0) {
    Py_DECREF(value);
    return NULL;
  }
  tally->total = total;
  return value;
}

static PyObject* tally_add(PyObject* self, PyTypeObject* cls, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  long long n = 1;
  if (nargs < 1 || nargs > 2 || (kwnames != NULL && PyTuple_Size(kwnames) != 0)) {
    PyErr_SetString(PyExc_TypeError, "add() takes a key and an optional count");
    return NULL;
  }
  // Arguments are checked and converted before the lock is taken: __index__ may run any code.
  PyObject* key = args[0];
  if (!PyUnicode_CheckExact(key)) {
    PyErr_SetString(PyExc_TypeError, "keys must be exact str objects");
    return NULL;
  }
  if (nargs == 2) {
    n = PyLong_AsLongLong(args[1]);
    if (n == -1 && PyErr_Occurred()) return NULL;
    if (n < 0) {
      State* state = (State*)PyType_GetModuleState(cls);
      PyErr_SetString(state->error, "a tally only grows");
      return NULL;
    }
  }
  Tally* tally = tally_data(self);
  PyObject* count;
  PyObject* callback;
  // No `return` between these two lines: it would leave the object locked.
  Py_BEGIN_CRITICAL_SECTION(self);
  count = add_locked(tally, key, n);
  callback = Py_XNewRef(tally->on_change);  // once unlocked, another thread may replace it
  Py_END_CRITICAL_SECTION();
  if (count != NULL && callback != NULL) {
    // Foreign code is called without the lock: it may want this object, or wait for a thread that does.
    PyObject* result = PyObject_CallFunctionObjArgs(callback, key, count, NULL);
    if (result == NULL) Py_CLEAR(count);
    Py_XDECREF(result);
  }
  Py_XDECREF(callback);
  if (count == NULL) return NULL;
  Py_DECREF(count);
  Py_RETURN_NONE;
}

// Two objects are locked at once, in an order that the runtime chooses: two nested sections would suspend the outer one.
static int merge_locked(Tally* tally, Tally* other) {
  // PyDict_Next lends its references, and that is fine here: both objects are locked, and nobody else has the dictionary.
  // A copy first where both are the same object: a dictionary must not change while it is walked.
  PyObject* items = tally == other ? PyDict_Copy(other->counts) : Py_NewRef(other->counts);
  if (items == NULL) return -1;
  Py_ssize_t position = 0;
  PyObject *key, *value;
  int status = 0;
  while (status == 0 && PyDict_Next(items, &position, &key, &value)) {
    PyObject* count = add_locked(tally, key, PyLong_AsLongLong(value));
    if (count == NULL) status = -1;
    Py_XDECREF(count);
  }
  Py_DECREF(items);
  return status;
}

static PyObject* tally_merge(PyObject* self, PyTypeObject* cls, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (nargs != 1 || (kwnames != NULL && PyTuple_Size(kwnames) != 0)) {
    PyErr_SetString(PyExc_TypeError, "merge() takes one Tally");
    return NULL;
  }
  State* state = (State*)PyType_GetModuleState(cls);
  if (!PyObject_TypeCheck(args[0], (PyTypeObject*)state->tally_type)) {
    PyErr_SetString(PyExc_TypeError, "merge() takes one Tally");
    return NULL;
  }
  int status;
  Py_BEGIN_CRITICAL_SECTION2(self, args[0]);
  status = merge_locked(tally_data(self), tally_data(args[0]));
  Py_END_CRITICAL_SECTION2();
  if (status < 0) return NULL;
  PyMutex_Lock(&state->merges_lock);
  ++state->merges;
  PyMutex_Unlock(&state->merges_lock);
  Py_RETURN_NONE;
}

// The dictionary itself stays inside: whoever had it could change it without the object's lock.
static PyObject* tally_counts(PyObject* self, PyObject* unused) {
  (void)unused;
  PyObject* copy;
  Py_BEGIN_CRITICAL_SECTION(self);
  copy = PyDict_Copy(tally_data(self)->counts);
  Py_END_CRITICAL_SECTION();
  return copy;
}

static Py_ssize_t tally_length(PyObject* self) {
  Py_ssize_t length;
  Py_BEGIN_CRITICAL_SECTION(self);
  length = PyDict_Size(tally_data(self)->counts);
  Py_END_CRITICAL_SECTION();
  return length;
}

static PyObject* tally_subscript(PyObject* self, PyObject* key) {
  if (!PyUnicode_CheckExact(key)) {
    PyErr_SetString(PyExc_TypeError, "keys must be exact str objects");
    return NULL;
  }
  PyObject* value;
  int found;
  Py_BEGIN_CRITICAL_SECTION(self);
  found = PyDict_GetItemRef(tally_data(self)->counts, key, &value);
  Py_END_CRITICAL_SECTION();
  return found == 0 ? PyLong_FromLong(0) : value;
}

static PyObject* get_total(PyObject* self, void* unused) {
  (void)unused;
  long long total;
  Py_BEGIN_CRITICAL_SECTION(self);
  total = tally_data(self)->total;
  Py_END_CRITICAL_SECTION();
  return PyLong_FromLongLong(total);
}

static PyObject* get_on_change(PyObject* self, void* unused) {
  (void)unused;
  PyObject* callback;
  Py_BEGIN_CRITICAL_SECTION(self);
  callback = Py_XNewRef(tally_data(self)->on_change);
  Py_END_CRITICAL_SECTION();
  return callback != NULL ? callback : Py_NewRef(Py_None);
}

static int set_on_change(PyObject* self, PyObject* value, void* unused) {
  (void)unused;
  if (value == Py_None) value = NULL;
  if (value != NULL && !PyCallable_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "on_change must be callable or None");
    return -1;
  }
  Tally* tally = tally_data(self);
  PyObject* old;
  Py_BEGIN_CRITICAL_SECTION(self);
  old = tally->on_change;
  tally->on_change = Py_XNewRef(value);
  Py_END_CRITICAL_SECTION();
  Py_XDECREF(old);  // outside: the last reference may run a finalizer, which is foreign code
  return 0;
}

#define WITH_CLASS(function) (PyCFunction)(void (*)(void))(function), METH_METHOD | METH_FASTCALL | METH_KEYWORDS
static PyMethodDef tally_methods[] = {
    {"add", WITH_CLASS(tally_add), PyDoc_STR("add($self, key, n=1, /)\n--\n\nCounts key n times more.")},
    {"merge", WITH_CLASS(tally_merge), PyDoc_STR("merge($self, other, /)\n--\n\nAdds all counts of another Tally.")},
    {"counts", tally_counts, METH_NOARGS, PyDoc_STR("counts($self, /)\n--\n\nA new dict of the counts.")},
    {NULL, NULL, 0, NULL},
};
static PyGetSetDef tally_getset[] = {
    {"total", get_total, NULL, PyDoc_STR("The sum of all counts."), NULL},
    {"on_change", get_on_change, set_on_change, PyDoc_STR("Called with key and count after each add, or None."), NULL},
    {NULL, NULL, NULL, NULL, NULL},
};
static PyType_Slot tally_slots[] = {
    {Py_tp_doc, (void*)PyDoc_STR("Counts strings.")},
    {Py_tp_new, (void*)tally_new},
    {Py_tp_dealloc, (void*)tally_dealloc},
    {Py_tp_traverse, (void*)tally_traverse},
    {Py_tp_clear, (void*)tally_clear},
    {Py_tp_methods, tally_methods},
    {Py_tp_getset, tally_getset},
    {Py_mp_length, (void*)tally_length},
    {Py_mp_subscript, (void*)tally_subscript},
    {0, NULL},
};
// A type from a spec belongs to one module object, and can be immutable: then no thread needs a lock to read it.
static PyType_Spec tally_spec = {
    .name = "tally.Tally",
    .basicsize = -(int)sizeof(Tally),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
    .slots = tally_slots,
};

// ---- The module ---------------------------------------------------------------------------------------------------

static PyObject* merges(PyObject* module, PyObject* unused) {
  (void)unused;
  State* state = (State*)PyModule_GetState(module);
  PyMutex_Lock(&state->merges_lock);
  long long n = state->merges;
  PyMutex_Unlock(&state->merges_lock);
  return PyLong_FromLongLong(n);
}

static PyMethodDef module_methods[] = {
    {"merges", merges, METH_NOARGS, PyDoc_STR("merges($module, /)\n--\n\nHow many merges there have been.")},
    {NULL, NULL, 0, NULL},
};

static int module_exec(PyObject* module) {
  State* state = (State*)PyModule_GetState(module);  // zeros
  state->error = PyErr_NewExceptionWithDoc("tally.TallyError", "A count that would shrink.", PyExc_ValueError, NULL);
  if (state->error == NULL || PyModule_AddObjectRef(module, "TallyError", state->error) < 0) return -1;
  state->tally_type = PyType_FromModuleAndSpec(module, &tally_spec, NULL);
  if (state->tally_type == NULL) return -1;
  return PyModule_AddObjectRef(module, "Tally", state->tally_type);
}

static int module_traverse(PyObject* module, visitproc visit, void* arg) {
  State* state = (State*)PyModule_GetState(module);
  Py_VISIT(state->tally_type);
  Py_VISIT(state->error);
  return 0;
}

static int module_clear(PyObject* module) {
  State* state = (State*)PyModule_GetState(module);
  Py_CLEAR(state->tally_type);
  Py_CLEAR(state->error);
  return 0;
}

// What either way to export the module says. Py_mod_gil comes last in writing, not in order: it is the promise that everything
// above has been thought of. Without it the free-threaded variant turns the GIL on for the whole process.
#define COMMON_SLOTS                                              \
  {Py_mod_exec, (void*)module_exec}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, \
      {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED}

#define MODULE_DOC "Counts strings, safely from many threads."

// PEP 793 (Amphis, CPython 3.15): an array of slots, no object with a layout of its own.
#ifdef Py_mod_name
PyABIInfo_VAR(abi_info);
static PyModuleDef_Slot export_slots[] = {
    {Py_mod_abi, &abi_info},
    {Py_mod_name, (void*)"tally"},
    {Py_mod_doc, (void*)MODULE_DOC},
    {Py_mod_methods, module_methods},
    {Py_mod_state_size, (void*)sizeof(State)},
    {Py_mod_state_traverse, (void*)module_traverse},
    {Py_mod_state_clear, (void*)module_clear},
    COMMON_SLOTS,
    {0, NULL},
};
PyMODEXPORT_FUNC PyModExport_tally(void) { return export_slots; }
#endif

// PEP 489, for runtimes that know nothing newer. A binary for both variants has no definitions.
#ifndef Py_TARGET_ABI3T
static PyModuleDef_Slot definition_slots[] = {COMMON_SLOTS, {0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "tally",
    .m_doc = MODULE_DOC,
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = definition_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};
PyMODINIT_FUNC PyInit_tally(void) { return PyModuleDef_Init(&definition); }
#endif
