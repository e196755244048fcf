// Functions that each misuse the C API in one way, for checked mode to find.
#include <Python.h>

// ---- Reference counts ----

static PyObject* drop_twice(PyObject* self, PyObject* unused) {
  PyObject* text = PyUnicode_FromString("a text of its own");
  Py_DECREF(text);
  Py_DECREF(text);
  Py_RETURN_NONE;
}
static PyObject* append_freed(PyObject* self, PyObject* list) {
  PyObject* item = PyList_New(0);
  Py_DECREF(item);
  if (PyList_Append(list, item) < 0) return NULL;
  Py_RETURN_NONE;
}
static PyObject* drop_borrowed(PyObject* self, PyObject* list) {
  Py_DECREF(PyList_GetItem(list, 0));
  Py_RETURN_NONE;
}
static PyObject* free_twice(PyObject* self, PyObject* unused) {
  void* memory = PyObject_Malloc(64);
  PyObject_Free(memory);
  PyObject_Free(memory);
  Py_RETURN_NONE;
}
static PyObject* drop_stolen(PyObject* self, PyObject* list) {
  PyObject* item = PyUnicode_FromString("a text that the list takes");
  if (PyList_SetItem(list, 0, item) < 0) return NULL;
  Py_DECREF(item);
  Py_RETURN_NONE;
}
static PyObject* drop_stolen_exception(PyObject* self, PyObject* unused) {
  PyObject* error = PyObject_CallNoArgs(PyExc_ValueError);
  PyErr_SetRaisedException(error);
  Py_DECREF(error);
  return NULL;
}

// ---- Thread states ----

static PyObject* call_detached(PyObject* self, PyObject* unused) {
  Py_BEGIN_ALLOW_THREADS
  PyList_New(0);
  Py_END_ALLOW_THREADS
  Py_RETURN_NONE;
}
static PyObject* parse_detached(PyObject* self, PyObject* args) {
  double a, b;
  Py_BEGIN_ALLOW_THREADS
  PyArg_ParseTuple(args, "dd", &a, &b);
  Py_END_ALLOW_THREADS
  Py_RETURN_NONE;
}
static PyObject* stay_detached(PyObject* self, PyObject* unused) {
  PyEval_SaveThread();
  return NULL;
}

// ---- Exceptions ----

static PyObject* call_with_exception(PyObject* self, PyObject* function) {
  PyErr_SetString(PyExc_KeyError, "forgotten");
  return PyObject_CallNoArgs(function);
}
static PyObject* exception_on_success(PyObject* self, PyObject* unused) {
  PyErr_SetString(PyExc_KeyError, "forgotten");
  Py_RETURN_NONE;
}
static PyObject* silent_failure(PyObject* self, PyObject* unused) { return NULL; }

// ---- Locks ----

static PyObject* walk_dict(PyObject* self, PyObject* dict) {
  Py_ssize_t position = 0;
  PyObject *key, *value;
  while (PyDict_Next(dict, &position, &key, &value)) {
  }
  if (PyErr_Occurred()) return NULL;
  Py_RETURN_NONE;
}
static PyObject* walk_dict_locked(PyObject* self, PyObject* dict) {
  PyObject* result;
  Py_BEGIN_CRITICAL_SECTION(dict);
  result = walk_dict(self, dict);
  Py_END_CRITICAL_SECTION();
  return result;
}
static PyObject* walk_changing_dict(PyObject* self, PyObject* dict) {
  Py_ssize_t position = 0;
  PyObject *key, *value;
  while (PyDict_Next(dict, &position, &key, &value)) {
    PyObject* other = PyLong_FromSsize_t(1000 + position);
    if (other == NULL || PyDict_SetItem(dict, other, value) < 0) return NULL;
    Py_DECREF(other);
  }
  if (PyErr_Occurred()) return NULL;
  Py_RETURN_NONE;
}
static PyObject* change_unlocked(PyObject* self, PyObject* dict) {
  PyAPI_FUNC(int) _PyDict_SetItem_KnownHash_LockHeld(PyDictObject*, PyObject*, PyObject*, Py_hash_t);
  Py_hash_t hash = PyObject_Hash(Py_None);
  if (_PyDict_SetItem_KnownHash_LockHeld((PyDictObject*)dict, Py_None, Py_None, hash) < 0) return NULL;
  Py_RETURN_NONE;
}
static PyObject* leave_section_open(PyObject* self, PyObject* object) {
  Py_BEGIN_CRITICAL_SECTION(object);
  Py_RETURN_NONE;
  Py_END_CRITICAL_SECTION();
}
static PyObject* cross_sections(PyObject* self, PyObject* object) {
#ifdef Py_GIL_DISABLED
  PyCriticalSection first, second;
  PyCriticalSection_Begin(&first, object);
  PyCriticalSection_Begin(&second, self);
  PyCriticalSection_End(&first);
  PyCriticalSection_End(&second);
#endif
  Py_RETURN_NONE;
}

#define METHOD(name, flags) {#name, name, flags, 0}
static PyMethodDef methods[] = {
    METHOD(drop_twice, METH_NOARGS), METHOD(append_freed, METH_O), METHOD(drop_borrowed, METH_O), METHOD(free_twice, METH_NOARGS),
    METHOD(drop_stolen, METH_O), METHOD(drop_stolen_exception, METH_NOARGS), METHOD(call_detached, METH_NOARGS),
    METHOD(parse_detached, METH_VARARGS), METHOD(stay_detached, METH_NOARGS), METHOD(call_with_exception, METH_O),
    METHOD(exception_on_success, METH_NOARGS), METHOD(silent_failure, METH_NOARGS), METHOD(walk_dict, METH_O),
    METHOD(walk_dict_locked, METH_O), METHOD(walk_changing_dict, METH_O), METHOD(change_unlocked, METH_O),
    METHOD(leave_section_open, METH_O), METHOD(cross_sections, METH_O), {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "misuse", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_misuse(void) { return PyModuleDef_Init(&def); }
