// The extension that bench/capi_calls measures: functions of each calling convention, a type with attributes, lists and dicts
// built from C, and a buffer read.
#include <Python.h>
#include <stddef.h>

static PyObject* noargs(PyObject* self, PyObject* unused) { Py_RETURN_NONE; }
static PyObject* one(PyObject* self, PyObject* argument) { return Py_NewRef(argument); }
static PyObject* fast(PyObject* self, PyObject* const* args, Py_ssize_t nargs) { return Py_NewRef(args[nargs - 1]); }
static PyObject* keywords(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* names) {
  return Py_NewRef(args[nargs + (names != NULL ? PyTuple_GET_SIZE(names) : 0) - 1]);
}
static PyObject* parsed(PyObject* self, PyObject* args, PyObject* kwargs) {
  static char* names[] = {"a", "b", NULL};
  int a, b = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i|i", names, &a, &b)) return NULL;
  return PyLong_FromLong(a + b);
}

static PyObject* build_list(PyObject* self, PyObject* argument) {
  Py_ssize_t n = PyLong_AsSsize_t(argument);
  PyObject* list = PyList_New(0);
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyLong_FromSsize_t(i);
    if (PyList_Append(list, item) < 0) return NULL;
    Py_DECREF(item);
  }
  return list;
}
static PyObject* build_sized_list(PyObject* self, PyObject* argument) {
  Py_ssize_t n = PyLong_AsSsize_t(argument);
  PyObject* list = PyList_New(n);
  for (Py_ssize_t i = 0; i < n; ++i) PyList_SET_ITEM(list, i, PyFloat_FromDouble((double)i));
  return list;
}
static PyObject* build_dict(PyObject* self, PyObject* argument) {
  Py_ssize_t n = PyLong_AsSsize_t(argument);
  PyObject* dict = PyDict_New();
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyLong_FromSsize_t(i);
    if (PyDict_SetItem(dict, item, item) < 0) return NULL;
    Py_DECREF(item);
  }
  return dict;
}
static PyObject* build_record(PyObject* self, PyObject* unused) {
  return Py_BuildValue("{s:i,s:s,s:d,s:[iii]}", "id", 1, "name", "a name", "weight", 2.5, "place", 1, 2, 3);
}
static PyObject* read_buffer(PyObject* self, PyObject* object) {
  Py_buffer view;
  if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) return NULL;
  unsigned char first = view.len > 0 ? *(unsigned char*)view.buf : 0;
  PyBuffer_Release(&view);
  return PyLong_FromLong(first);
}

typedef struct {
  PyObject_HEAD
  vectorcallfunc vectorcall;
  long number;
  PyObject* object;
} Point;
static PyObject* point_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* names) {
  return Py_NewRef(PyVectorcall_NARGS(nargsf) > 0 ? args[0] : Py_None);
}
static PyObject* point_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  Point* point = (Point*)type->tp_alloc(type, 0);
  if (point == NULL) return NULL;
  point->vectorcall = point_vectorcall;
  point->number = 7;
  point->object = Py_NewRef(Py_None);
  return (PyObject*)point;
}
static void point_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_DECREF(((Point*)self)->object);
  type->tp_free(self);
  Py_DECREF(type);
}
static PyObject* point_method(PyObject* self, PyObject* unused) { Py_RETURN_NONE; }
static PyObject* point_get(PyObject* self, void* closure) { return Py_NewRef(((Point*)self)->object); }
static int point_set(PyObject* self, PyObject* value, void* closure) {
  Py_XSETREF(((Point*)self)->object, Py_XNewRef(value));
  return 0;
}
static PyMemberDef point_members[] = {
    {"number", Py_T_LONG, offsetof(Point, number), 0, NULL},
    {"object", Py_T_OBJECT_EX, offsetof(Point, object), 0, NULL},
    {"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(Point, vectorcall), Py_READONLY, NULL},
    {NULL},
};
static PyGetSetDef point_getset[] = {{"property", point_get, point_set, NULL, NULL}, {NULL}};
static PyMethodDef point_methods[] = {{"method", point_method, METH_NOARGS, NULL}, {NULL}};
static PyType_Slot point_slots[] = {
    {Py_tp_new, point_new}, {Py_tp_dealloc, point_dealloc}, {Py_tp_members, point_members}, {Py_tp_getset, point_getset},
    {Py_tp_methods, point_methods}, {Py_tp_call, PyVectorcall_Call}, {0, NULL}};
static PyType_Spec point_spec = {"capi_probe.Point", sizeof(Point), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_VECTORCALL, point_slots};

static PyMethodDef methods[] = {
    {"noargs", noargs, METH_NOARGS, NULL},
    {"one", one, METH_O, NULL},
    {"fast", (PyCFunction)(void (*)(void))fast, METH_FASTCALL, NULL},
    {"keywords", (PyCFunction)(void (*)(void))keywords, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"parsed", (PyCFunction)(void (*)(void))parsed, METH_VARARGS | METH_KEYWORDS, NULL},
    {"build_list", build_list, METH_O, NULL},
    {"build_sized_list", build_sized_list, METH_O, NULL},
    {"build_dict", build_dict, METH_O, NULL},
    {"build_record", build_record, METH_NOARGS, NULL},
    {"read_buffer", read_buffer, METH_O, NULL},
    {NULL},
};
static int execute(PyObject* module) {
  PyObject* type = PyType_FromModuleAndSpec(module, &point_spec, NULL);
  return type != NULL ? PyModule_AddType(module, (PyTypeObject*)type) : -1;
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "capi_probe", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_capi_probe(void) { return PyModuleDef_Init(&def); }
