// Exception classes that carry data: StopIteration, SystemExit, ImportError, NameError, AttributeError, SyntaxError.
#include "objects/exceptions.h"
#include "objects/names.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyTypeObject* exception_type() { return reinterpret_cast<PyTypeObject*>(PyExc_Exception); }

template <typename T>
T* as(PyObject* o) {
  return reinterpret_cast<T*>(o);
}

// Takes the named keywords out of kwargs into fields, which are empty without one; other keywords are an error.
struct KeywordField {
  const char* name;
  PyObject** field;
};
bool take_keywords(PyObject* self, PyObject* kwargs, std::initializer_list<KeywordField> fields) {
  for (const KeywordField& f : fields) set_exception_field(self, f.field, nullptr);
  if (kwargs == nullptr || PyDict_GET_SIZE(kwargs) == 0) return true;
  Ref<> rest = Ref<>::steal(PyDict_Copy(kwargs));
  if (!rest) return false;
  for (const KeywordField& f : fields) {
    PyObject* value;
    int found = PyDict_PopString(rest, f.name, &value);
    if (found < 0) return false;
    if (!found) continue;
    Ref<> old = exchange_exception_field(self, f.field, Ref<>::steal(value));
  }
  if (PyDict_GET_SIZE(rest.get()) == 0) return true;
  Py_ssize_t at = 0;
  PyObject *key, *value;
  PyDict_Next(rest, &at, &key, &value);
  PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%S'", _PyType_Name(Py_TYPE(self)), key);
  return false;
}

// --- StopIteration

int stop_iteration_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (exception_init(self, args, kwargs) < 0) return -1;
  set_exception_field(self, &as<PyStopIterationObject>(self)->value,
                      PyTuple_GET_SIZE(args) > 0 ? PyTuple_GET_ITEM(args, 0) : Py_None);
  return 0;
}
PyMemberDef stop_iteration_members[] = {
    {"value", _Py_T_OBJECT, offsetof(PyStopIterationObject, value), 0, "generator return value"},
    {},
};

// --- SystemExit

int system_exit_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (exception_init(self, args, kwargs) < 0) return -1;
  Py_ssize_t size = PyTuple_GET_SIZE(args);
  if (size == 0) return 0;
  set_exception_field(self, &as<PySystemExitObject>(self)->code, size == 1 ? PyTuple_GET_ITEM(args, 0) : args);
  return 0;
}
PyMemberDef system_exit_members[] = {
    {"code", _Py_T_OBJECT, offsetof(PySystemExitObject, code), 0, "exception code"},
    {},
};

// --- ImportError

int import_error_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  auto* e = as<PyImportErrorObject>(self);
  if (exception_init(self, args, nullptr) < 0) return -1;
  if (!take_keywords(self, kwargs, {{"name", &e->name}, {"path", &e->path}, {"name_from", &e->name_from}})) return -1;
  set_exception_field(self, &e->msg, PyTuple_GET_SIZE(args) == 1 ? PyTuple_GET_ITEM(args, 0) : nullptr);
  return 0;
}
PyObject* import_error_str(PyObject* self) {
  Ref<> msg = exception_field(self, &as<PyImportErrorObject>(self)->msg);
  if (msg && PyUnicode_CheckExact(msg.get())) return msg.release();
  return exception_str(self);
}
PyObject* import_error_reduce(PyObject* self, PyObject*) {
  auto* e = as<PyImportErrorObject>(self);
  Ref<> args = exception_args(self), dict = exception_field(self, &e->dict);
  Ref<> name = exception_field(self, &e->name), path = exception_field(self, &e->path);
  Ref<> name_from = exception_field(self, &e->name_from);
  if (!name && !path && !name_from && !dict) return PyTuple_Pack(2, Py_TYPE(self), args.get());
  Ref<> state = Ref<>::steal(dict ? PyDict_Copy(dict) : PyDict_New());
  if (!state) return nullptr;
  if (name && PyDict_SetItemString(state, "name", name) < 0) return nullptr;
  if (path && PyDict_SetItemString(state, "path", path) < 0) return nullptr;
  if (name_from && PyDict_SetItemString(state, "name_from", name_from) < 0) return nullptr;
  return PyTuple_Pack(3, Py_TYPE(self), args.get(), state.get());
}
PyMethodDef import_error_methods[] = {
    {"__reduce__", import_error_reduce, METH_NOARGS, nullptr},
    {},
};
PyMemberDef import_error_members[] = {
    {"msg", _Py_T_OBJECT, offsetof(PyImportErrorObject, msg), 0, "exception message"},
    {"name", _Py_T_OBJECT, offsetof(PyImportErrorObject, name), 0, "module name"},
    {"path", _Py_T_OBJECT, offsetof(PyImportErrorObject, path), 0, "module path"},
    {"name_from", _Py_T_OBJECT, offsetof(PyImportErrorObject, name_from), 0, "name imported from module"},
    {},
};

// --- NameError, AttributeError

int name_error_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (exception_init(self, args, nullptr) < 0) return -1;
  return take_keywords(self, kwargs, {{"name", &as<PyNameErrorObject>(self)->name}}) ? 0 : -1;
}
PyMemberDef name_error_members[] = {
    {"name", _Py_T_OBJECT, offsetof(PyNameErrorObject, name), 0, "name"},
    {},
};

int attribute_error_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  auto* e = as<PyAttributeErrorObject>(self);
  if (exception_init(self, args, nullptr) < 0) return -1;
  return take_keywords(self, kwargs, {{"name", &e->name}, {"obj", &e->obj}}) ? 0 : -1;
}
PyObject* attribute_error_state(PyObject* self, bool always) {
  auto* e = as<PyAttributeErrorObject>(self);
  Ref<> dict = exception_field(self, &e->dict), name = exception_field(self, &e->name);
  if (!dict && !name && !always) return Py_NewRef(Py_None);
  Ref<> state = Ref<>::steal(dict ? PyDict_Copy(dict) : PyDict_New());
  if (!state) return nullptr;
  if (name && PyDict_SetItemString(state, "name", name) < 0) return nullptr;
  if (PyDict_SetItemString(state, "args", exception_args(self).get()) < 0) return nullptr;
  return state.release();
}
PyObject* attribute_error_getstate(PyObject* self, PyObject*) { return attribute_error_state(self, false); }
PyObject* attribute_error_reduce(PyObject* self, PyObject*) {
  Ref<> state = Ref<>::steal(attribute_error_state(self, true));
  return state ? PyTuple_Pack(3, Py_TYPE(self), exception_args(self).get(), state.get()) : nullptr;
}
PyMethodDef attribute_error_methods[] = {
    {"__getstate__", attribute_error_getstate, METH_NOARGS, nullptr},
    {"__reduce__", attribute_error_reduce, METH_NOARGS, nullptr},
    {},
};
PyMemberDef attribute_error_members[] = {
    {"name", _Py_T_OBJECT, offsetof(PyAttributeErrorObject, name), 0, "attribute name"},
    {"obj", _Py_T_OBJECT, offsetof(PyAttributeErrorObject, obj), 0, "object"},
    {},
};

// --- SyntaxError

int syntax_error_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  auto* e = as<PySyntaxErrorObject>(self);
  if (exception_init(self, args, kwargs) < 0) return -1;
  Py_ssize_t count = PyTuple_GET_SIZE(args);
  if (count >= 1) set_exception_field(self, &e->msg, PyTuple_GET_ITEM(args, 0));
  if (count != 2) return 0;
  Ref<> info = Ref<>::steal(PySequence_Tuple(PyTuple_GET_ITEM(args, 1)));
  if (!info) return -1;
  set_exception_field(self, &e->end_lineno, nullptr);
  set_exception_field(self, &e->end_offset, nullptr);
  PyObject *filename, *lineno, *offset, *text, *end_lineno = nullptr, *end_offset = nullptr, *metadata = nullptr;
  if (!PyArg_ParseTuple(info, "OOOO|OOO", &filename, &lineno, &offset, &text, &end_lineno, &end_offset, &metadata)) {
    return -1;
  }
  if (end_lineno != nullptr && end_offset == nullptr) {
    PyErr_SetString(PyExc_TypeError, "end_offset must be provided when end_lineno is provided");
    return -1;
  }
  set_exception_field(self, &e->filename, filename);
  set_exception_field(self, &e->lineno, lineno);
  set_exception_field(self, &e->offset, offset);
  set_exception_field(self, &e->text, text);
  set_exception_field(self, &e->end_lineno, end_lineno);
  set_exception_field(self, &e->end_offset, end_offset);
  set_exception_field(self, &e->metadata, metadata);
  return 0;
}

PyObject* base_name(PyObject* path) {
  Py_ssize_t slash = PyUnicode_FindChar(path, '/', 0, PyUnicode_GET_LENGTH(path), -1);
  return slash < 0 ? Py_NewRef(path) : PyUnicode_Substring(path, slash + 1, PyUnicode_GET_LENGTH(path));
}

PyObject* syntax_error_str(PyObject* self) {
  auto* e = as<PySyntaxErrorObject>(self);
  Ref<> given = exception_field(self, &e->msg), file = exception_field(self, &e->filename);
  Ref<> line = exception_field(self, &e->lineno);
  PyObject* msg = given ? given.get() : Py_None;
  if (file) file = Ref<>::steal(PyUnicode_Check(file.get()) ? base_name(file) : nullptr);
  if (!file && PyErr_Occurred()) return nullptr;
  const bool has_line = line && PyLong_CheckExact(line.get());
  if (!file && !has_line) return PyObject_Str(msg);
  if (file && has_line) return PyUnicode_FromFormat("%S (%U, line %S)", msg, file.get(), line.get());
  if (file) return PyUnicode_FromFormat("%S (%U)", msg, file.get());
  return PyUnicode_FromFormat("%S (line %S)", msg, line.get());
}

PyMemberDef syntax_error_members[] = {
    {"msg", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, msg), 0, "exception msg"},
    {"filename", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, filename), 0, "exception filename"},
    {"lineno", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, lineno), 0, "exception lineno"},
    {"offset", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, offset), 0, "exception offset"},
    {"text", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, text), 0, "exception text"},
    {"end_lineno", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, end_lineno), 0, "exception end lineno"},
    {"end_offset", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, end_offset), 0, "exception end offset"},
    {"print_file_and_line", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, print_file_and_line), 0,
     "exception print_file_and_line"},
    {"_metadata", _Py_T_OBJECT, offsetof(PySyntaxErrorObject, metadata), 0, "exception private metadata"},
    {},
};

}  // namespace

#define AMPHIS_EXCEPTION_BASE nullptr  // set by init_exception_bases: other files' types have no constant address here

AMPHIS_EXCEPTION_TYPE(StopIteration_type, "StopIteration", AMPHIS_EXCEPTION_BASE, PyStopIterationObject,
                      "Signal the end from iterator.__next__().", stop_iteration_init, nullptr,
                      stop_iteration_members, nullptr, nullptr);
AMPHIS_EXCEPTION_TYPE(SystemExit_type, "SystemExit", AMPHIS_EXCEPTION_BASE, PySystemExitObject,
                      "Request to exit from the interpreter.", system_exit_init, nullptr, system_exit_members, nullptr,
                      nullptr);
AMPHIS_EXCEPTION_TYPE(ImportError_type, "ImportError", AMPHIS_EXCEPTION_BASE, PyImportErrorObject,
                      "Import can't find module, or can't find name in module.", import_error_init, import_error_str,
                      import_error_members, nullptr, import_error_methods);
AMPHIS_EXCEPTION_TYPE(ModuleNotFoundError_type, "ModuleNotFoundError", &ImportError_type, PyImportErrorObject,
                      "Module not found.", import_error_init, import_error_str, nullptr, nullptr, nullptr);
AMPHIS_EXCEPTION_TYPE(NameError_type, "NameError", AMPHIS_EXCEPTION_BASE, PyNameErrorObject,
                      "Name not found globally.", name_error_init, nullptr, name_error_members, nullptr, nullptr);
AMPHIS_EXCEPTION_TYPE(UnboundLocalError_type, "UnboundLocalError", &NameError_type, PyNameErrorObject,
                      "Local name referenced but not bound to a value.", name_error_init, nullptr, nullptr, nullptr,
                      nullptr);
AMPHIS_EXCEPTION_TYPE(AttributeError_type, "AttributeError", AMPHIS_EXCEPTION_BASE, PyAttributeErrorObject,
                      "Attribute not found.", attribute_error_init, nullptr, attribute_error_members, nullptr,
                      attribute_error_methods);
AMPHIS_EXCEPTION_TYPE(SyntaxError_type, "SyntaxError", AMPHIS_EXCEPTION_BASE, PySyntaxErrorObject, "Invalid syntax.",
                      syntax_error_init, syntax_error_str, syntax_error_members, nullptr, nullptr);
AMPHIS_EXCEPTION_TYPE(IndentationError_type, "IndentationError", &SyntaxError_type, PySyntaxErrorObject,
                      "Improper indentation.", syntax_error_init, syntax_error_str, nullptr, nullptr, nullptr);
AMPHIS_EXCEPTION_TYPE(TabError_type, "TabError", &IndentationError_type, PySyntaxErrorObject,
                      "Improper mixture of spaces and tabs.", syntax_error_init, syntax_error_str, nullptr, nullptr,
                      nullptr);
AMPHIS_EXCEPTION_TYPE(IncompleteInputError_type, "_IncompleteInputError", &SyntaxError_type, PySyntaxErrorObject,
                      "incomplete input.", syntax_error_init, syntax_error_str, nullptr, nullptr, nullptr);

void set_exception_data_bases() {
  StopIteration_type.tp_base = exception_type();
  SystemExit_type.tp_base = reinterpret_cast<PyTypeObject*>(PyExc_BaseException);
  ImportError_type.tp_base = exception_type();
  NameError_type.tp_base = exception_type();
  AttributeError_type.tp_base = exception_type();
  SyntaxError_type.tp_base = exception_type();
}

}  // namespace amphis

extern "C" {

using namespace amphis;

#define AMPHIS_EXPORT_EXCEPTION(name) PyObject* PyExc_##name = reinterpret_cast<PyObject*>(&name##_type);
AMPHIS_EXPORT_EXCEPTION(StopIteration)
AMPHIS_EXPORT_EXCEPTION(SystemExit)
AMPHIS_EXPORT_EXCEPTION(ImportError)
AMPHIS_EXPORT_EXCEPTION(ModuleNotFoundError)
AMPHIS_EXPORT_EXCEPTION(NameError)
AMPHIS_EXPORT_EXCEPTION(UnboundLocalError)
AMPHIS_EXPORT_EXCEPTION(AttributeError)
AMPHIS_EXPORT_EXCEPTION(SyntaxError)
AMPHIS_EXPORT_EXCEPTION(IndentationError)
AMPHIS_EXPORT_EXCEPTION(TabError)
Py_EXPORTED_SYMBOL PyObject* PyExc_IncompleteInputError = reinterpret_cast<PyObject*>(&IncompleteInputError_type);

}  // extern "C"
