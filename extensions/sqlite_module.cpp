// The module _sqlite3: its errors, adapters and converters, and its functions.
#include "sqlite.h"

#include <cstring>
#include <string>

namespace sqlite {

Errors errors;
Types types;
std::atomic<bool> base_type_adapted, callback_tracebacks;

namespace {

struct NamedCode {
  const char* name;
  int code;
};
#define SQLITE_CODE(name) {#name, name},
#define SQLITE_NUMBER(name)
constexpr NamedCode codes[] = {
#include "sqlite_constants.def"
};
#undef SQLITE_CODE
#undef SQLITE_NUMBER
#define SQLITE_CODE(name)
#define SQLITE_NUMBER(name) {#name, name},
constexpr NamedCode numbers[] = {
#include "sqlite_constants.def"
};
#undef SQLITE_CODE
#undef SQLITE_NUMBER

const char* code_name(int code) {
  for (const NamedCode& known : codes) {
    if (known.code == code) return known.name;
  }
  return "unknown";
}

PyObject* error_of(int code) {
  switch (code & 0xff) {
    case SQLITE_INTERNAL:
    case SQLITE_NOTFOUND: return errors.internal;
    case SQLITE_ERROR:
    case SQLITE_PERM:
    case SQLITE_ABORT:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_INTERRUPT:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_EMPTY:
    case SQLITE_SCHEMA: return errors.operational;
    case SQLITE_TOOBIG: return errors.data;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH: return errors.integrity;
    case SQLITE_MISUSE:
    case SQLITE_RANGE: return errors.interface;
    default: return errors.database;
  }
}

// ---- functions ----

constexpr char kTooManyPositional[] =
    "Passing more than 1 positional argument to sqlite3.connect() is deprecated. Parameters 'timeout', 'detect_types', "
    "'isolation_level', 'check_same_thread', 'factory', 'cached_statements' and 'uri' will become keyword-only parameters in "
    "Python 3.15.";

PyObject* connect(PyObject*, PyObject* const* args, Py_ssize_t nargsf, PyObject* kwnames) {
  constexpr Py_ssize_t kFactory = 5;
  const Py_ssize_t nargs = PyVectorcall_NARGS(static_cast<size_t>(nargsf));
  if (nargs > 1 && PyErr_WarnEx(PyExc_DeprecationWarning, kTooManyPositional, 1) < 0) return nullptr;
  PyObject* factory = nargs > kFactory ? args[kFactory] : object_of(types.connection);
  for (Py_ssize_t i = 0; kwnames != nullptr && nargs <= kFactory && i < PyTuple_GET_SIZE(kwnames); i++) {
    if (PyUnicode_EqualToUTF8(PyTuple_GET_ITEM(kwnames, i), "factory")) factory = args[nargs + i];
  }
  return PyObject_Vectorcall(factory, args, static_cast<size_t>(nargs), kwnames);
}

PyObject* complete_statement(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"statement", nullptr};
  PyObject* statement;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:complete_statement", const_cast<char**>(keywords), &statement)) return nullptr;
  const char* text = text_argument(statement, "complete_statement() argument 'statement'");
  return text != nullptr ? PyBool_FromLong(sqlite3_complete(text)) : nullptr;
}

PyObject* register_adapter(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("register_adapter", nargs, 2, 2)) return nullptr;
  for (PyTypeObject* type : {&PyLong_Type, &PyFloat_Type, &PyUnicode_Type, &PyByteArray_Type}) {
    if (args[0] == object_of(type)) base_type_adapted.store(true, std::memory_order_relaxed);
  }
  Ref key(PyTuple_Pack(2, args[0], types.protocol));
  if (!key || PyDict_SetItem(types.adapters, key.get(), args[1]) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* register_converter(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("register_converter", nargs, 2, 2)) return nullptr;
  if (!PyUnicode_Check(args[0]))
    return PyErr_Format(PyExc_TypeError, "register_converter() argument 1 must be str, not %s", Py_TYPE(args[0])->tp_name);
  Ref name(PyObject_CallMethod(args[0], "upper", nullptr));
  if (!name || PyDict_SetItem(types.converters, name.get(), args[1]) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* enable_tracebacks(PyObject*, PyObject* argument) {
  int enable;
  if (!ext::to_int(argument, &enable)) return nullptr;
  callback_tracebacks.store(enable != 0, std::memory_order_relaxed);
  Py_RETURN_NONE;
}

PyObject* adapt_object(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("adapt", nargs, 1, 3)) return nullptr;
  return adapt(args[0], nargs > 1 ? args[1] : object_of(types.protocol), nargs > 2 ? args[2] : nullptr);
}

PyMethodDef methods[] = {
    {"adapt", ext::method(adapt_object), METH_FASTCALL,
     "adapt($module, obj, proto=PrepareProtocolType, alt=<unrepresentable>, /)\n--\n\n"
     "Adapt given object to given protocol."},
    {"complete_statement", ext::method(complete_statement), METH_VARARGS | METH_KEYWORDS,
     "complete_statement($module, /, statement)\n--\n\nChecks if a string contains a complete SQL statement."},
    {"connect", ext::method(connect), METH_FASTCALL | METH_KEYWORDS,
     "connect($module, /, database, timeout=5.0, detect_types=0,\n        isolation_level='', check_same_thread=True,\n"
     "        factory=ConnectionType, cached_statements=128, uri=False, *,\n"
     "        autocommit=sqlite3.LEGACY_TRANSACTION_CONTROL)\n--\n\nOpen a connection to the SQLite database file 'database'.\n\n"
     "You can use \":memory:\" to open a database connection to a database that\nresides in RAM instead of on disk."},
    {"enable_callback_tracebacks", enable_tracebacks, METH_O,
     "enable_callback_tracebacks($module, enable, /)\n--\n\nEnable or disable callback functions throwing errors to stderr."},
    {"register_adapter", ext::method(register_adapter), METH_FASTCALL,
     "register_adapter($module, type, adapter, /)\n--\n\nRegister a function to adapt Python objects to SQLite values."},
    {"register_converter", ext::method(register_converter), METH_FASTCALL,
     "register_converter($module, typename, converter, /)\n--\n\nRegister a function to convert SQLite values to Python objects."},
    {nullptr, nullptr, 0, nullptr}};

bool make_errors() {
  if (errors.error != nullptr) return true;
  const struct {
    PyObject** error;
    const char* name;
    PyObject** base;
  } all[] = {{&errors.warning, "Warning", &PyExc_Exception},
             {&errors.error, "Error", &PyExc_Exception},
             {&errors.interface, "InterfaceError", &errors.error},
             {&errors.database, "DatabaseError", &errors.error},
             {&errors.internal, "InternalError", &errors.database},
             {&errors.operational, "OperationalError", &errors.database},
             {&errors.programming, "ProgrammingError", &errors.database},
             {&errors.integrity, "IntegrityError", &errors.database},
             {&errors.data, "DataError", &errors.database},
             {&errors.not_supported, "NotSupportedError", &errors.database}};
  for (const auto& entry : all) {
    *entry.error = PyErr_NewException((std::string("sqlite3.") + entry.name).c_str(), *entry.base, nullptr);
    if (*entry.error == nullptr) return false;
  }
  return true;
}

int add_all(PyObject* module) {
  for (PyObject* error : {errors.warning, errors.error, errors.interface, errors.database, errors.internal, errors.operational,
                          errors.programming, errors.integrity, errors.data, errors.not_supported}) {
    if (PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(error)) < 0) return -1;
  }
  for (const NamedCode& code : codes) {
    if (PyModule_AddIntConstant(module, code.name, code.code) < 0) return -1;
  }
  for (const NamedCode& number : numbers) {
    if (PyModule_AddIntConstant(module, number.name, number.code) < 0) return -1;
  }
  // The levels of DB-API 2.0 for "single thread", "multi thread" and "serialized".
  const int threads = sqlite3_threadsafe();
  const int level = threads == 0 ? 0 : threads == 2 ? 1 : 3;
  if (PyModule_AddIntConstant(module, "LEGACY_TRANSACTION_CONTROL", kLegacy) < 0 ||
      PyModule_AddIntConstant(module, "PARSE_DECLTYPES", kParseDecltypes) < 0 ||
      PyModule_AddIntConstant(module, "PARSE_COLNAMES", kParseColnames) < 0 ||
      PyModule_AddIntConstant(module, "threadsafety", level) < 0 ||
      PyModule_AddStringConstant(module, "sqlite_version", sqlite3_libversion()) < 0 ||
      PyModule_AddObjectRef(module, "adapters", types.adapters) < 0 || PyModule_AddObjectRef(module, "converters", types.converters) < 0)
    return -1;
  return 0;
}

int execute(PyObject* module) {
  if (sqlite3_initialize() != SQLITE_OK) {
    PyErr_SetString(PyExc_ImportError, "SQLite could not be initialized");
    return -1;
  }
  if (types.adapters == nullptr) types.adapters = PyDict_New();
  if (types.converters == nullptr) types.converters = PyDict_New();
  if (types.adapters == nullptr || types.converters == nullptr || !make_errors()) return -1;
  if (!make_connection_type(module, callback_methods) || !make_cursor_types(module) || !make_row_types(module) || !make_blob_type(module))
    return -1;
  return add_all(module);
}

PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_sqlite3",
    .m_doc = nullptr,
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

// The result of object.NAME(argument), of a class, with TypeErrors and None as "no answer".
Ref ask(PyObject* object, const char* name, PyObject* argument) {
  Ref key(PyUnicode_FromString(name));
  PyObject* found;
  if (!key || PyObject_GetOptionalAttr(object, key.get(), &found) <= 0) return Ref();
  Ref method(found), answer(PyObject_CallOneArg(method.get(), argument));
  if (!answer && PyErr_ExceptionMatches(PyExc_TypeError)) PyErr_Clear();
  return answer && answer.get() != Py_None ? std::move(answer) : Ref();
}

}  // namespace

bool raise_error(sqlite3* db) {
  if (db == nullptr) {
    // What SQL has called has closed the connection.
    PyErr_SetString(errors.programming, "Cannot operate on a closed database.");
    return false;
  }
  const int code = sqlite3_errcode(db), extended = sqlite3_extended_errcode(db);
  if (code == SQLITE_OK) return false;
  if ((code & 0xff) == SQLITE_NOMEM) {
    PyErr_NoMemory();
    return false;
  }
  PyObject* type = error_of(code);
  Ref exception(PyObject_CallFunction(type, "s", sqlite3_errmsg(db)));
  Ref number(PyLong_FromLong(extended)), name(PyUnicode_FromString(code_name(extended)));
  if (exception && number && name && PyObject_SetAttrString(exception.get(), "sqlite_errorcode", number.get()) == 0 &&
      PyObject_SetAttrString(exception.get(), "sqlite_errorname", name.get()) == 0)
    PyErr_SetObject(type, exception.get());
  return false;
}

const char* text_argument(PyObject* value, const char* where) {
  if (!PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "%s must be str, not %s", where, value == Py_None ? "None" : Py_TYPE(value)->tp_name);
    return nullptr;
  }
  Py_ssize_t size;
  const char* text = PyUnicode_AsUTF8AndSize(value, &size);
  if (text != nullptr && std::strlen(text) != static_cast<size_t>(size)) {
    PyErr_SetString(PyExc_ValueError, "embedded null character");
    return nullptr;
  }
  return text;
}

PyObject* adapt(PyObject* object, PyObject* protocol, PyObject* alternative) {
  Ref key(PyTuple_Pack(2, Py_TYPE(object), protocol));
  PyObject* found;
  if (!key || PyDict_GetItemRef(types.adapters, key.get(), &found) < 0) return nullptr;
  if (Ref adapter(found); adapter) return PyObject_CallOneArg(adapter.get(), object);
  Ref answer = ask(protocol, "__adapt__", object);
  if (!answer && !PyErr_Occurred()) answer = ask(object, "__conform__", protocol);
  if (answer || PyErr_Occurred()) return answer.release();
  if (alternative != nullptr) return Py_NewRef(alternative);
  PyErr_SetString(errors.programming, "can't adapt");
  return nullptr;
}

}  // namespace sqlite

PyMODINIT_FUNC PyInit__sqlite3(void) { return PyModuleDef_Init(&sqlite::definition); }
