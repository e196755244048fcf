"""What the C code that generators of extensions write (Cython, mypyc) relies on, beyond what is written by hand."""
import threading
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

INTERNAL = """
#define Py_BUILD_CORE
#include "internal/pycore_frame.h"
#include "internal/pycore_genobject.h"
#include "internal/pycore_lock.h"
#include "internal/pycore_object.h"
#include "internal/pycore_pyerrors.h"
#include "internal/pycore_setobject.h"
static PyObject* lookup(PyObject* self, PyObject* key) {
  PyObject* set = PySet_New(NULL);
  if (set == NULL || _PySet_Update(set, key) < 0) {
    Py_XDECREF(set);
    return _PyErr_FormatFromCause(PyExc_RuntimeError, "no keys in %R", key);
  }
  Py_DECREF(set);
  _PyErr_SetKeyError(key);
  return NULL;
}
static PyObject* try_reference(PyObject* self, PyObject* object) {
  if (_Py_XNewRefWithLock(NULL) != NULL || _Py_XNewRefWithLock(object) != object) return NULL;
  Py_DECREF(object);
#ifdef Py_GIL_DISABLED
  int fast = _Py_TryIncrefFast(object);
  int shared = fast ? 1 : _Py_TryIncRefShared(object);
  if (shared) return Py_BuildValue("(iN)", fast, object);
  return PyErr_Format(PyExc_AssertionError, "no reference to a living object");
#else
  return Py_BuildValue("(iO)", 1, object);
#endif
}
static PyObject* lock(PyObject* self, PyObject* unused) {
  PyMutex mutex = {0};
  int results[5];
  results[0] = PyMutex_LockFast(&mutex);
  results[1] = PyMutex_LockFast(&mutex);
  results[2] = _PyMutex_LockTimed(&mutex, 0, _Py_LOCK_DONT_DETACH);
  results[3] = _PyMutex_LockTimed(&mutex, 1000, _PY_LOCK_DETACH | _PY_LOCK_HANDLE_SIGNALS);
  PyMutex_Unlock(&mutex);
  results[4] = _PyMutex_LockTimed(&mutex, -1, _PY_LOCK_DETACH);
  PyMutex_Unlock(&mutex);
  return Py_BuildValue("(iiiii)", results[0], results[1], results[2], results[3], results[4]);
}
static PyMethodDef methods[] = {{"lock", lock, METH_NOARGS, NULL}, {"lookup", lookup, METH_O, NULL}, {"try_reference", try_reference, METH_O, NULL}, {0}};
static PyModuleDef_Slot slots[] = {{Py_mod_gil, Py_MOD_GIL_NOT_USED}, {0, NULL}};
static PyModuleDef def = {PyModuleDef_HEAD_INIT, "internals", NULL, 0, methods, slots};
PyMODINIT_FUNC PyInit_internals(void) { return PyModuleDef_Init(&def); }
"""


class Types(LoadingTest):
    def test_a_spec_whose_members_describe_dunder_module_keeps_them(self):
        self.build("described", DESCRIBED)
        import described
        self.assertEqual(described.Thing("elsewhere").__module__, "elsewhere")
        self.assertEqual(described.Plain.__module__, "described")
        self.assertEqual(described.Plain().__module__, "described")


class InternalHeaders(LoadingTest):
    def test_the_headers_that_mypyc_includes_are_there_with_what_it_uses(self):
        self.build("internals", INTERNAL)
        import internals
        with self.assertRaises(KeyError) as caught:
            internals.lookup((1, 2))
        self.assertEqual(caught.exception.args, ((1, 2),))
        with self.assertRaisesRegex(RuntimeError, "no keys in 5") as caught:
            internals.lookup(5)
        self.assertIsInstance(caught.exception.__cause__, TypeError)
        failure, acquired = 0, 1
        self.assertEqual(internals.lock(), (1, 0, failure, failure, acquired))
        own, others = object(), []
        thread = threading.Thread(target=lambda: others.append(object()))
        thread.start()
        thread.join()
        self.assertEqual(internals.try_reference(own), (1, own))
        self.assertIs(internals.try_reference(others[0])[1], others[0])
        self.assertIs(internals.try_reference(None)[1], None)


if __name__ == "__main__":
    unittest.main()
