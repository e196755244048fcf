// The module `marshal`.
#include "modules/marshal_io.h"

#include "modules/marshal_format.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyObject* marshal_dump(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "", "", "allow_code", nullptr};
  PyObject *value, *file;
  int version = marshal::kVersion, allow_code = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|i$p:dump", const_cast<char**>(keywords), &value, &file, &version,
                                   &allow_code)) {
    return nullptr;
  }
  if (PySys_Audit("marshal.dumps", "Oi", value, version) < 0) return nullptr;
  Ref<> data = Ref<>::steal(marshal::write_string(value, version, allow_code != 0));
  return data ? PyObject_CallMethod(file, "write", "O", data.get()) : nullptr;
}

PyObject* marshal_load(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "allow_code", nullptr};
  PyObject* file;
  int allow_code = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$p:load", const_cast<char**>(keywords), &file, &allow_code)) {
    return nullptr;
  }
  if (PySys_Audit("marshal.load", nullptr) < 0) return nullptr;
  return marshal::read_file(file, allow_code != 0);
}

PyObject* marshal_dumps(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "", "allow_code", nullptr};
  PyObject* value;
  int version = marshal::kVersion, allow_code = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|i$p:dumps", const_cast<char**>(keywords), &value, &version,
                                   &allow_code)) {
    return nullptr;
  }
  if (PySys_Audit("marshal.dumps", "Oi", value, version) < 0) return nullptr;
  return marshal::write_string(value, version, allow_code != 0);
}

PyObject* marshal_loads(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "allow_code", nullptr};
  Py_buffer data;
  int allow_code = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "y*|$p:loads", const_cast<char**>(keywords), &data, &allow_code)) {
    return nullptr;
  }
  PyObject* result = nullptr;
  if (PySys_Audit("marshal.loads", "y#", data.buf, data.len) == 0) {
    result = marshal::read_string(static_cast<const char*>(data.buf), data.len, allow_code != 0, nullptr);
  }
  PyBuffer_Release(&data);
  return result;
}

#define WITH_KEYWORDS(f) reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f)), METH_VARARGS | METH_KEYWORDS
PyMethodDef methods[] = {
    {"dump", WITH_KEYWORDS(marshal_dump),
     "dump($module, value, file, version=version, /, *, allow_code=True)\n--\n\nWrite the value on the open file."},
    {"load", WITH_KEYWORDS(marshal_load),
     "load($module, file, /, *, allow_code=True)\n--\n\nRead one value from the open file and return it."},
    {"dumps", WITH_KEYWORDS(marshal_dumps),
     "dumps($module, value, version=version, /, *, allow_code=True)\n--\n\nReturn the bytes object that would be written "
     "to a file by dump(value, file)."},
    {"loads", WITH_KEYWORDS(marshal_loads),
     "loads($module, data, /, *, allow_code=True)\n--\n\nConvert the bytes-like object to a value."},
    {nullptr, nullptr, 0, nullptr},
};

int exec_module(PyObject* module) { return PyModule_AddIntConstant(module, "version", marshal::kVersion); }

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec_module)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "marshal",
    .m_doc = "Values of Python's own types as bytes, for compiled modules. The format may change between versions.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit_marshal() { return PyModuleDef_Init(&amphis::definition); }
