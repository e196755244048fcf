"""What the C code that generators of extensions write (Cython, mypyc) relies on, beyond what is written by hand."""
import unittest

from test_loading import LoadingTest, setUpModule, tearDownModule

DESCRIBED = """
#include <stddef.h>
typedef struct { PyObject_HEAD PyObject* module; } Thing;
static int thing_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  PyObject* module;
  if (!PyArg_ParseTuple(args, "O", &module)) return -1;
  Py_XSETREF(((Thing*)self)->module, Py_NewRef(module));
  return 0;
}
static void thing_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_XDECREF(((Thing*)self)->module);
  type->tp_free(self);
  Py_DECREF(type);
}
static PyMemberDef members[] = {{"__module__", Py_T_OBJECT_EX, offsetof(Thing, module), 0, NULL}, {0}};
static PyType_Slot slots[] = {{Py_tp_init, thing_init}, {Py_tp_dealloc, thing_dealloc}, {Py_tp_members, members}, {0, 0}};
static PyType_Spec spec = {"described.Thing", sizeof(Thing), 0, Py_TPFLAGS_DEFAULT, slots};
static PyType_Slot no_slots[] = {{0, 0}};
static PyType_Spec plain = {"described.Plain", 0, 0, Py_TPFLAGS_DEFAULT, no_slots};
static int exec(PyObject* m) {
  if (PyModule_Add(m, "Thing", PyType_FromSpec(&spec)) < 0) return -1;
  return PyModule_Add(m, "Plain", PyType_FromSpec(&plain));
}
static PyModuleDef_Slot module_slots[] = {{Py_mod_exec, exec}, {Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "described", NULL, 0, NULL, module_slots};
PyMODINIT_FUNC PyInit_described(void) { return PyModuleDef_Init(&def); }
"""


class Types(LoadingTest):
    def test_a_spec_whose_members_describe_dunder_module_keeps_them(self):
        self.build("described", DESCRIBED)
        import described
        self.assertEqual(described.Thing("elsewhere").__module__, "elsewhere")
        self.assertEqual(described.Plain.__module__, "described")
        self.assertEqual(described.Plain().__module__, "described")


if __name__ == "__main__":
    unittest.main()
