// The module _pickle: its exceptions, and the tables of other modules that it looks into.
#include "pickle.h"

namespace pickle {

using ext::Ref;

Globals globals;

Ref import_module(PyObject* name) {
  Ref module(PyImport_GetModule(name));
  if (module || PyErr_Occurred()) return module;
  Ref top(PyImport_ImportModuleLevelObject(name, nullptr, nullptr, nullptr, 0));
  if (!top) return Ref();
  module = Ref(PyImport_GetModule(name));
  if (!module && !PyErr_Occurred()) PyErr_SetObject(PyExc_KeyError, name);
  return module;
}

namespace {

int execute(PyObject* module) {
  const auto attribute = [](const char* from, const char* name) -> PyObject* {
    Ref source(PyImport_ImportModule(from));
    return source ? PyObject_GetAttrString(source.get(), name) : nullptr;
  };
  const struct {
    PyObject** to;
    const char *module, *name;
    bool dict;
  } wanted[] = {
      {&globals.dispatch_table, "copyreg", "dispatch_table", true},
      {&globals.extension_registry, "copyreg", "_extension_registry", true},
      {&globals.inverted_registry, "copyreg", "_inverted_registry", true},
      {&globals.extension_cache, "copyreg", "_extension_cache", true},
      {&globals.name_mapping, "_compat_pickle", "NAME_MAPPING", true},
      {&globals.import_mapping, "_compat_pickle", "IMPORT_MAPPING", true},
      {&globals.reverse_name_mapping, "_compat_pickle", "REVERSE_NAME_MAPPING", true},
      {&globals.reverse_import_mapping, "_compat_pickle", "REVERSE_IMPORT_MAPPING", true},
      {&globals.codecs_encode, "codecs", "encode", false},
      {&globals.partial, "functools", "partial", false},
      {&globals.getattr, "builtins", "getattr", false},
  };
  for (const auto& want : wanted) {
    Ref value(attribute(want.module, want.name));
    if (!value) return -1;
    if (want.dict && !PyDict_CheckExact(value.get())) {
      PyErr_Format(PyExc_RuntimeError, "%s.%s should be a dict, not %.200s", want.module, want.name,
                   Py_TYPE(value.get())->tp_name);
      return -1;
    }
    Py_XSETREF(*want.to, value.release());
  }
  Py_XSETREF(globals.error, PyErr_NewException("_pickle.PickleError", nullptr, nullptr));
  if (globals.error == nullptr) return -1;
  Py_XSETREF(globals.pickling_error, PyErr_NewException("_pickle.PicklingError", globals.error, nullptr));
  Py_XSETREF(globals.unpickling_error, PyErr_NewException("_pickle.UnpicklingError", globals.error, nullptr));
  if (globals.pickling_error == nullptr || globals.unpickling_error == nullptr ||
      PyModule_AddObjectRef(module, "PickleError", globals.error) < 0 ||
      PyModule_AddObjectRef(module, "PicklingError", globals.pickling_error) < 0 ||
      PyModule_AddObjectRef(module, "UnpicklingError", globals.unpickling_error) < 0)
    return -1;
  PyTypeObject* pickler = make_pickler_types(module);
  PyTypeObject* unpickler = pickler ? make_unpickler_types(module) : nullptr;
  return unpickler == nullptr || PyModule_AddType(module, pickler) < 0 || PyModule_AddType(module, unpickler) < 0 ||
                 PyModule_AddType(module, &PyPickleBuffer_Type) < 0
             ? -1
             : 0;
}

PyMethodDef methods[] = {
    {"dump", ext::method(dump), METH_VARARGS | METH_KEYWORDS,
     "dump($module, /, obj, file, protocol=None, *, fix_imports=True,\n     buffer_callback=None)\n--\n\n"
     "Write a pickled representation of obj to the open file object file."},
    {"dumps", ext::method(dumps), METH_VARARGS | METH_KEYWORDS,
     "dumps($module, /, obj, protocol=None, *, fix_imports=True,\n      buffer_callback=None)\n--\n\n"
     "Return the pickled representation of the object as a bytes object."},
    {"load", ext::method(load), METH_VARARGS | METH_KEYWORDS,
     "load($module, /, file, *, fix_imports=True, encoding='ASCII',\n     errors='strict', buffers=())\n--\n\n"
     "Read and return an object from the pickle data stored in a file."},
    {"loads", ext::method(loads), METH_VARARGS | METH_KEYWORDS,
     "loads($module, data, /, *, fix_imports=True, encoding='ASCII',\n      errors='strict', buffers=())\n--\n\n"
     "Read and return an object from the given pickle data."},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_pickle",
    .m_doc = "Optimized implementation for the Python pickle module.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace pickle

PyMODINIT_FUNC PyInit__pickle(void) { return PyModuleDef_Init(&pickle::definition); }
