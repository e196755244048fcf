// The module _ctypes: its functions and constants.
#include "ctypes_module.h"

#include <dlfcn.h>
#include <link.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <cwchar>

namespace ctypes {

namespace {

bool check_data(const char* what, PyObject* op) {
  if (is_data(op)) return true;
  PyErr_Format(PyExc_TypeError, "%s must be _ctypes._CData, not %s", what, op == Py_None ? "None" : Py_TYPE(op)->tp_name);
  return false;
}

PyObject* size_of(PyObject*, PyObject* op) {
  if (TypeInfo* info = info_of_object(op)) return PyLong_FromSsize_t(info->size);
  if (is_data(op)) return PyLong_FromSsize_t(locked(data_of(op), [&] { return data_of(op)->size; }));
  PyErr_SetString(PyExc_TypeError, "this type has no size");
  return nullptr;
}

// The record of a type, or of an instance's type.
TypeInfo* info_of_either(PyObject* op) {
  TypeInfo* info = info_of_object(op);
  return info != nullptr ? info : info_of_instance(op);
}

PyObject* alignment(PyObject*, PyObject* op) {
  if (TypeInfo* info = info_of_either(op)) return PyLong_FromSsize_t(info->align);
  PyErr_SetString(PyExc_TypeError, "no alignment info");
  return nullptr;
}

PyObject* buffer_info(PyObject*, PyObject* op) {
  TypeInfo* info = info_of_either(op);
  if (info == nullptr) {
    PyErr_SetString(PyExc_TypeError, "not a ctypes type or object");
    return nullptr;
  }
  Ref shape(PyTuple_New(info->ndim));
  for (int i = 0; shape && i < info->ndim; i++) {
    PyObject* extent = PyLong_FromSsize_t(info->shape[i]);
    if (extent == nullptr) return nullptr;
    PyTuple_SET_ITEM(shape.get(), i, extent);
  }
  const bool aggregate = info->kind == Kind::kStruct || info->kind == Kind::kUnion;
  return shape ? Py_BuildValue("ziO", info->format == nullptr && aggregate ? "B" : info->format, info->ndim, shape.get()) : nullptr;
}

PyObject* by_reference(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("byref", nargs, 1, 2) || !check_data("byref() argument 1", args[0])) return nullptr;
  const Py_ssize_t offset = nargs > 1 ? PyNumber_AsSsize_t(args[1], PyExc_OverflowError) : 0;
  return offset == -1 && PyErr_Occurred() ? nullptr : byref(args[0], offset);
}

PyObject* address_of(PyObject*, PyObject* op) {
  if (!check_data("addressof() argument", op) || PySys_Audit("ctypes.addressof", "(O)", op) < 0) return nullptr;
  return PyLong_FromVoidPtr(locked(data_of(op), [&] { return static_cast<void*>(data_of(op)->memory); }));
}

PyObject* resize(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("resize", nargs, 2, 2) || !check_data("resize() argument 1", args[0])) return nullptr;
  const Py_ssize_t size = PyNumber_AsSsize_t(args[1], PyExc_OverflowError);
  if (size == -1 && PyErr_Occurred()) return nullptr;
  Data* self = data_of(args[0]);
  TypeInfo* info = instance_info(Py_TYPE(args[0]));
  if (info == nullptr) return nullptr;
  if (size < info->size) return PyErr_Format(PyExc_ValueError, "minimum size is %zd", info->size);
  if (!self->owns) {
    PyErr_SetString(PyExc_ValueError, "Memory cannot be resized because this object doesn't own it");
    return nullptr;
  }
  const bool done = locked(self, [&] {
    const bool small = self->memory == self->small;
    if (!small || size > static_cast<Py_ssize_t>(sizeof self->small)) {
      void* memory = small ? PyMem_Malloc(static_cast<size_t>(size)) : PyMem_Realloc(self->memory, static_cast<size_t>(std::max<Py_ssize_t>(size, 1)));
      if (memory == nullptr) return false;
      if (small) std::memcpy(memory, self->small, static_cast<size_t>(self->size));
      self->memory = static_cast<char*>(memory);
      if (size > self->size) std::memset(self->memory + self->size, 0, static_cast<size_t>(size - self->size));
    }
    self->size = size;
    return true;
  });
  if (!done) return PyErr_NoMemory();
  Py_RETURN_NONE;
}

PyObject* get_errno(PyObject*, PyObject*) {
  if (PySys_Audit("ctypes.get_errno", nullptr) < 0) return nullptr;
  return PyLong_FromLong(saved_errno());
}
PyObject* set_errno(PyObject*, PyObject* args) {
  int number;
  if (!PyArg_ParseTuple(args, "i", &number)) return nullptr;
  if (PySys_Audit("ctypes.set_errno", "O", PyTuple_GET_ITEM(args, 0)) < 0) return nullptr;
  return PyLong_FromLong(std::exchange(saved_errno(), number));
}

// ---- libraries ----

int to_address(PyObject* op, void* result) {
  *static_cast<void**>(result) = PyLong_AsVoidPtr(op);
  return PyErr_Occurred() == nullptr;
}

PyObject* open_library(PyObject*, PyObject* args) {
  PyObject* name;
  int mode = RTLD_NOW;
  if (!PyArg_ParseTuple(args, "O|i:dlopen", &name, &mode)) return nullptr;
  Ref path;
  if (name != Py_None && !PyUnicode_FSConverter(name, path.out())) return nullptr;
  if (PySys_Audit("ctypes.dlopen", "O", name) < 0) return nullptr;
  void* handle;
  {
    ext::Away away;  // constructors of the library run
    handle = dlopen(path ? PyBytes_AS_STRING(path.get()) : nullptr, mode | RTLD_NOW);
  }
  if (handle != nullptr) return PyLong_FromVoidPtr(handle);
  if (!raise_dl_error(PyExc_OSError)) PyErr_SetString(PyExc_OSError, "dlopen() error");
  return nullptr;
}

PyObject* close_library(PyObject*, PyObject* args) {
  void* handle;
  if (!PyArg_ParseTuple(args, "O&:dlclose", to_address, &handle)) return nullptr;
  int failed;
  {
    ext::Away away;
    failed = dlclose(handle);
  }
  if (failed == 0) Py_RETURN_NONE;
  if (!raise_dl_error(PyExc_OSError)) PyErr_SetString(PyExc_OSError, "dlclose() error");
  return nullptr;
}

PyObject* library_symbol(PyObject*, PyObject* args) {
  void* handle;
  const char* name;
  if (!PyArg_ParseTuple(args, "O&s:dlsym", to_address, &handle, &name)) return nullptr;
  if (PySys_Audit("ctypes.dlsym/handle", "O", args) < 0) return nullptr;
  void* address = find_symbol(handle, name, PyExc_OSError);
  return address != nullptr ? PyLong_FromVoidPtr(address) : nullptr;
}

int add_library(dl_phdr_info* info, size_t, void* list) {
  Ref name(PyUnicode_DecodeFSDefault(info->dlpi_name != nullptr ? info->dlpi_name : ""));
  return name && PyList_Append(static_cast<PyObject*>(list), name.get()) == 0 ? 0 : -1;
}
PyObject* list_libraries(PyObject*, PyObject*) {
  Ref list(PyList_New(0));
  return list && dl_iterate_phdr(add_library, list.get()) == 0 ? list.release() : nullptr;
}

// ---- calls and objects by their address ----

template <int flags>
PyObject* call_function(PyObject*, PyObject* args) {
  void* address;
  PyObject* arguments;
  if (!PyArg_ParseTuple(args, "O&O!", to_address, &address, &PyTuple_Type, &arguments)) return nullptr;
  return call_address(address, reinterpret_cast<PyTupleObject*>(arguments)->ob_item, PyTuple_GET_SIZE(arguments), nullptr, nullptr,
                      nullptr, flags);
}

PyObject* object_at(PyObject*, PyObject* args) {
  void* address;
  if (!PyArg_ParseTuple(args, "O&:PyObj_FromPtr", to_address, &address)) return nullptr;
  auto* object = static_cast<PyObject*>(address);
  if (PySys_Audit("ctypes.PyObj_FromPtr", "(O)", object) < 0) return nullptr;
  return Py_NewRef(object);
}
PyObject* add_reference(PyObject*, PyObject* op) {
  Py_INCREF(op);
  return Py_NewRef(op);
}
PyObject* drop_reference(PyObject*, PyObject* op) {
  Py_DECREF(op);
  return Py_NewRef(op);
}

// What ctypes calls by address, as functions of C with the rules of pythonapi.
PyObject* string_at(const char* address, int size) {
  if (PySys_Audit("ctypes.string_at", "ni", reinterpret_cast<Py_ssize_t>(address), size) < 0) return nullptr;
  return size == -1 ? PyBytes_FromStringAndSize(address, static_cast<Py_ssize_t>(std::strlen(address))) : PyBytes_FromStringAndSize(address, size);
}
PyObject* wide_string_at(const wchar_t* address, int size) {
  if (PySys_Audit("ctypes.wstring_at", "ni", reinterpret_cast<Py_ssize_t>(address), size) < 0) return nullptr;
  if (size < -1) {
    PyErr_SetString(PyExc_SystemError, "Negative size passed to wstring_at");
    return nullptr;
  }
  return PyUnicode_FromWideChar(address, size == -1 ? static_cast<Py_ssize_t>(std::wcslen(address)) : size);
}
PyObject* memory_at(char* address, Py_ssize_t size, int readonly) {
  if (PySys_Audit("ctypes.memoryview_at", "nni", reinterpret_cast<Py_ssize_t>(address), size, readonly) < 0) return nullptr;
  if (size < 0) return PyErr_Format(PyExc_ValueError, "memoryview_at: size is negative (or overflowed): %zd", size);
  return PyMemoryView_FromMemory(address, size, readonly != 0 ? PyBUF_READ : PyBUF_WRITE);
}
PyObject* cast_at(void* address, PyObject* source, PyObject* type) { return cast_address(address, source, type); }

// ---- the module ----

PyMethodDef methods[] = {
    {"get_errno", get_errno, METH_NOARGS, "get_errno($self, /)\n--\n\n"},
    {"set_errno", set_errno, METH_VARARGS, "set_errno(value)"},
    {"_unpickle", unpickle, METH_VARARGS, nullptr},
    {"buffer_info", buffer_info, METH_O, "buffer_info($self, object, /)\n--\n\nReturn buffer interface information"},
    {"resize", ext::method(resize), METH_FASTCALL, "resize($module, obj, size, /)\n--\n\n"},
    {"dlopen", open_library, METH_VARARGS, "dlopen(name, flag={RTLD_GLOBAL|RTLD_LOCAL}) open a shared library"},
    {"dlclose", close_library, METH_VARARGS, "dlclose a library"},
    {"dlsym", library_symbol, METH_VARARGS, "find symbol in shared library"},
    {"dllist", list_libraries, METH_NOARGS, "dllist($self, /)\n--\n\ndllist() return a list of loaded shared libraries"},
    {"alignment", alignment, METH_O,
     "alignment($self, object, /)\n--\n\nalignment(C type) -> integer\nalignment(C instance) -> integer\n"
     "Return the alignment requirements of a C instance"},
    {"sizeof", size_of, METH_O, "sizeof($module, obj, /)\n--\n\nReturn the size in bytes of a C instance."},
    {"byref", ext::method(by_reference), METH_FASTCALL,
     "byref($module, obj, offset=0, /)\n--\n\nReturn a pointer lookalike to a C instance, only usable as function argument."},
    {"addressof", address_of, METH_O, "addressof($module, obj, /)\n--\n\nReturn the address of the C instance internal buffer"},
    {"call_function", call_function<0>, METH_VARARGS, nullptr},
    {"call_cdeclfunction", call_function<kFlagCdecl>, METH_VARARGS, nullptr},
    {"PyObj_FromPtr", object_at, METH_VARARGS, nullptr},
    {"Py_INCREF", add_reference, METH_O, "Py_INCREF($self, object, /)\n--\n\n"},
    {"Py_DECREF", drop_reference, METH_O, "Py_DECREF($self, object, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

bool make_names() {
  const struct {
    PyObject** name;
    const char* text;
  } all[] = {{&names.type, "_type_"},
             {&names.length, "_length_"},
             {&names.fields, "_fields_"},
             {&names.anonymous, "_anonymous_"},
             {&names.abstract, "_abstract_"},
             {&names.flags, "_flags_"},
             {&names.argtypes, "_argtypes_"},
             {&names.restype, "_restype_"},
             {&names.from_param, "from_param"},
             {&names.as_parameter, "_as_parameter_"},
             {&names.check_retval, "_check_retval_"},
             {&names.handle, "_handle"},
             {&names.from_outparam, "__ctypes_from_outparam__"},
             {&names.dict, "__dict__"},
             {&names.ctype_le, "__ctype_le__"},
             {&names.ctype_be, "__ctype_be__"}};
  for (const auto& entry : all) {
    *entry.name = PyUnicode_InternFromString(entry.text);
    if (*entry.name == nullptr) return false;
  }
  return true;
}

// The types are made once: a second import finds them.
bool make_types(PyObject* module) {
  if (types.argument_error != nullptr) return true;
  if (!make_names() || !make_argument_type(module) || !make_thunk_type(module) || !make_data_types(module) ||
      !make_field_type(module) || !make_struct_types(module) || !make_pointer_types(module) || !make_array_types(module) ||
      !make_simple_types(module) || !make_function_types(module))
    return false;
  types.unpickle = PyObject_GetAttrString(module, "_unpickle");
  types.argument_error = types.unpickle != nullptr ? PyErr_NewException("ctypes.ArgumentError", nullptr, nullptr) : nullptr;
  return types.argument_error != nullptr;
}

template <class F>
bool add_address(PyObject* module, const char* name, F function) {
  return PyModule_Add(module, name, PyLong_FromVoidPtr(reinterpret_cast<void*>(function))) == 0;
}

const ext::IntConstant constants[] = {{"FUNCFLAG_CDECL", kFlagCdecl},
                                      {"FUNCFLAG_PYTHONAPI", kFlagPythonApi},
                                      {"FUNCFLAG_USE_ERRNO", kFlagErrno},
                                      {"FUNCFLAG_USE_LASTERROR", kFlagLastError},
                                      {"RTLD_LOCAL", RTLD_LOCAL},
                                      {"RTLD_GLOBAL", RTLD_GLOBAL},
                                      {"CTYPES_MAX_ARGCOUNT", kMaxArguments},
                                      {"SIZEOF_TIME_T", sizeof(time_t)}};

int execute(PyObject* module) {
  if (!make_types(module)) return -1;
  for (PyTypeObject* type : {types.structure, types.union_, types.pointer, types.array, types.simple, types.function, types.field}) {
    if (PyModule_AddType(module, type) < 0) return -1;
  }
  const bool added = PyModule_AddObjectRef(module, "ArgumentError", types.argument_error) == 0 &&
                     PyModule_AddStringConstant(module, "__version__", "1.1.0") == 0 &&
                     add_address(module, "_memmove_addr", static_cast<void* (*)(void*, const void*, size_t)>(std::memmove)) &&
                     add_address(module, "_memset_addr", static_cast<void* (*)(void*, int, size_t)>(std::memset)) &&
                     add_address(module, "_string_at_addr", string_at) && add_address(module, "_wstring_at_addr", wide_string_at) &&
                     add_address(module, "_memoryview_at_addr", memory_at) && add_address(module, "_cast_addr", cast_at);
  return added ? ext::add_constants(module, constants) : -1;
}

PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_ctypes",
    .m_doc = "Create and manipulate C compatible data types in Python.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace ctypes

PyMODINIT_FUNC PyInit__ctypes(void) { return PyModuleDef_Init(&ctypes::definition); }
