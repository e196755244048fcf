// Types whose slots break their promise, all in the same way: mode 0, they fail without an exception; mode 1, they succeed with
// one set.
#include <Python.h>

static int mode;
static PyObject* broken(PyObject* good) {
  if (mode == 0) return NULL;
  PyErr_SetString(PyExc_ValueError, "left over");
  return Py_NewRef(good);
}
static int broken_status(int good) {
  if (mode == 0) return -1;
  PyErr_SetString(PyExc_ValueError, "left over");
  return good;
}

static PyObject* s_unary(PyObject* self) { return broken(self); }
static PyObject* s_text(PyObject* self) { return broken(PyUnicode_FromString("text")); }
static Py_hash_t s_hash(PyObject* self) { return broken_status(5); }
static PyObject* s_compare(PyObject* a, PyObject* b, int op) { return broken(Py_True); }
static PyObject* s_binary(PyObject* a, PyObject* b) { return broken(Py_True); }
static PyObject* s_ternary(PyObject* a, PyObject* b, PyObject* c) { return broken(a); }
static PyObject* s_number(PyObject* self) { return broken(PyLong_FromLong(3)); }
static PyObject* s_float(PyObject* self) { return broken(PyFloat_FromDouble(3)); }
static Py_ssize_t s_length(PyObject* self) { return broken_status(1); }
static int s_true(PyObject* self) { return broken_status(1); }
static int s_set_item(PyObject* self, PyObject* key, PyObject* value) { return broken_status(0); }
static int s_contains(PyObject* self, PyObject* value) { return broken_status(0); }
static PyObject* s_get_attribute(PyObject* self, PyObject* name) {
  return PyUnicode_CompareWithASCIIString(name, "attribute") == 0 ? broken(self) : PyObject_GenericGetAttr(self, name);
}
static PyObject* s_get(PyObject* self, void* closure) { return broken(self); }
static int s_set(PyObject* self, PyObject* value, void* closure) { return broken_status(0); }
static int s_buffer(PyObject* self, Py_buffer* view, int flags) {
  if (mode != 0) return broken_status(PyBuffer_FillInfo(view, self, "x", 1, 1, flags));
  view->obj = NULL;
  return -1;
}
static int s_init(PyObject* self, PyObject* args, PyObject* kwargs) { return broken_status(0); }
static PyObject* s_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) { return broken((PyObject*)type); }

static PyGetSetDef getset[] = {{"property", s_get, s_set}, {0}};
static PyType_Slot broken_slots[] = {
    {Py_tp_repr, s_text}, {Py_tp_str, s_text}, {Py_tp_hash, s_hash}, {Py_tp_richcompare, s_compare}, {Py_nb_add, s_binary},
    {Py_nb_power, s_ternary}, {Py_nb_inplace_add, s_binary}, {Py_nb_negative, s_number}, {Py_nb_int, s_number},
    {Py_nb_index, s_number}, {Py_nb_float, s_float}, {Py_nb_bool, s_true}, {Py_tp_iter, s_unary}, {Py_mp_length, s_length},
    {Py_mp_subscript, s_binary}, {Py_mp_ass_subscript, s_set_item}, {Py_sq_contains, s_contains}, {Py_tp_call, s_ternary},
    {Py_tp_getattro, s_get_attribute}, {Py_tp_getset, getset}, {Py_bf_getbuffer, s_buffer}, {0}};
static PyType_Spec broken_spec = {"slots.Broken", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, broken_slots};
static PyType_Slot setter_slots[] = {{Py_tp_setattro, s_set_item}, {0}};
static PyType_Spec setter_spec = {"slots.BrokenSetter", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, setter_slots};
static PyType_Slot init_slots[] = {{Py_tp_init, s_init}, {0}};
static PyType_Spec init_spec = {"slots.BrokenInit", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, init_slots};
static PyType_Slot new_slots[] = {{Py_tp_new, s_new}, {0}};
static PyType_Spec new_spec = {"slots.BrokenNew", sizeof(PyObject), 0, Py_TPFLAGS_DEFAULT, new_slots};

static PyObject* set_mode(PyObject* self, PyObject* value) {
  mode = (int)PyLong_AsLong(value);
  Py_RETURN_NONE;
}
static PyMethodDef methods[] = {{"set_mode", set_mode, METH_O, 0}, {0}};
static int execute(PyObject* module) {
  PyType_Spec* specs[] = {&broken_spec, &setter_spec, &init_spec, &new_spec};
  for (int i = 0; i < 4; ++i) {
    PyObject* type = PyType_FromSpec(specs[i]);
    if (type == NULL || PyModule_AddType(module, (PyTypeObject*)type) < 0) return -1;
  }
  return 0;
}
static PyModuleDef_Slot slots[] = {{Py_mod_exec, execute}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "slots", 0, 0, methods, slots};
PyMODINIT_FUNC PyInit_slots(void) { return PyModuleDef_Init(&def); }
