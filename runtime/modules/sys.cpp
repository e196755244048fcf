// The sys module: its namespace and what the C API says about it.
#include "modules/sys.h"

#include "modules/builtins.h"
#include "modules/import_state.h"
#include "modules/running_config.h"
#include "objects/names.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <cstring>
#include <string>

namespace amphis {

PyConfig running_config;
PyPreConfig running_preconfig;
int gil_request = -1;

namespace {

PyObject* the_dict = nullptr;

PyModuleDef sys_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "sys",
    .m_doc = "This module provides access to some objects used or maintained by the\n"
             "interpreter and to functions that interact strongly with the interpreter.",
    .m_size = -1,
};

// Steals value. 0 or -1.
int set(PyObject* dict, const char* name, PyObject* value) {
  Ref<> v = Ref<>::steal(value);
  if (!v) return -1;
  Ref<> key = Ref<>::steal(PyUnicode_InternFromString(name));
  return key ? PyDict_SetItem(dict, key, v) : -1;
}

int set_wide(PyObject* dict, const char* name, const wchar_t* text) {
  return set(dict, name, text != nullptr ? PyUnicode_FromWideChar(text, -1) : Py_NewRef(Py_None));
}
int set_wide_or_empty(PyObject* dict, const char* name, const wchar_t* text) {
  return set(dict, name, PyUnicode_FromWideChar(text != nullptr ? text : L"", -1));
}

PyObject* wide_list(const PyWideStringList& list) {
  Ref<> result = Ref<>::steal(PyList_New(list.length));
  for (Py_ssize_t i = 0; result && i < list.length; ++i) {
    PyObject* item = PyUnicode_FromWideChar(list.items[i], -1);
    if (item == nullptr) return nullptr;
    PyList_SET_ITEM(result.get(), i, item);
  }
  return result.release();
}

PyObject* make_xoptions(const PyWideStringList& list) {
  Ref<> dict = Ref<>::steal(PyDict_New());
  for (Py_ssize_t i = 0; dict && i < list.length; ++i) {
    const wchar_t* text = list.items[i];
    const wchar_t* equals = wcschr(text, L'=');
    Ref<> name = Ref<>::steal(PyUnicode_FromWideChar(text, equals != nullptr ? equals - text : -1));
    Ref<> value = equals != nullptr ? Ref<>::steal(PyUnicode_FromWideChar(equals + 1, -1)) : Ref<>::share(Py_True);
    if (!name || !value || PyDict_SetItem(dict, name, value) < 0) return nullptr;
  }
  return dict.release();
}

PyTypeObject* version_info_type = nullptr;

PyObject* make_version_info() {
  static PyStructSequence_Field fields[] = {
      {"major", "Major release number"},
      {"minor", "Minor release number"},
      {"micro", "Patch release number"},
      {"releaselevel", "'alpha', 'beta', 'candidate', or 'final'"},
      {"serial", "Serial release number"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "sys.version_info", "sys.version_info\n\nVersion information as a named tuple.", fields, 5};
  if (version_info_type == nullptr) {
    version_info_type = _PyStructSequence_NewType(&description, Py_TPFLAGS_DISALLOW_INSTANTIATION);
    if (version_info_type == nullptr) return nullptr;
  }
  Ref<> info = Ref<>::steal(PyStructSequence_New(version_info_type));
  if (!info) return nullptr;
  PyObject* values[] = {PyLong_FromLong(PY_MAJOR_VERSION), PyLong_FromLong(PY_MINOR_VERSION),
                        PyLong_FromLong(PY_MICRO_VERSION), PyUnicode_InternFromString("final"),
                        PyLong_FromLong(PY_RELEASE_SERIAL)};
  for (Py_ssize_t i = 0; i < 5; ++i) PyStructSequence_SetItem(info, i, values[i]);
  return PyErr_Occurred() ? nullptr : info.release();
}

PyObject* make_implementation(PyObject* version_info) {
  Ref<> ns = Ref<>::steal(PyDict_New());
  if (!ns || set(ns, "name", PyUnicode_InternFromString("amphis")) < 0 ||
      set(ns, "cache_tag", PyUnicode_FromFormat("amphis-%d%d%s", PY_MAJOR_VERSION, PY_MINOR_VERSION, AMPHIS_ABIFLAGS)) < 0 ||
      set(ns, "version", Py_NewRef(version_info)) < 0 || set(ns, "hexversion", PyLong_FromUnsignedLong(PY_VERSION_HEX)) < 0 ||
      set(ns, "_multiarch", PyUnicode_FromString("x86_64-linux-gnu")) < 0 ||
      set(ns, "supports_isolated_interpreters", PyBool_FromLong(0)) < 0) {
    return nullptr;
  }
  return _PyNamespace_New(ns);
}

// Whether a JIT compiler runs: there is none.
PyObject* jit_false(PyObject*, PyObject*) { Py_RETURN_FALSE; }
PyMethodDef jit_methods[] = {
    {"is_available", jit_false, METH_NOARGS, "is_available($module, /)\n--\n\nReturn True if the interpreter has a JIT compiler."},
    {"is_enabled", jit_false, METH_NOARGS, "is_enabled($module, /)\n--\n\nReturn True if the JIT compiler is enabled."},
    {"is_active", jit_false, METH_NOARGS, "is_active($module, /)\n--\n\nReturn True if the calling frame runs compiled code."},
    {},
};
PyModuleDef jit_def = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "sys._jit", .m_size = -1, .m_methods = jit_methods};

int add_constants(PyObject* d) {
  Ref<> version_info = Ref<>::steal(make_version_info());
  if (!version_info) return -1;
  if (set(d, "version", PyUnicode_FromString(Py_GetVersion())) < 0 ||
      set(d, "hexversion", PyLong_FromUnsignedLong(PY_VERSION_HEX)) < 0 ||
      set(d, "_git", Py_BuildValue("(szz)", "Amphis", "", "")) < 0 ||
      set(d, "_framework", PyUnicode_FromString("")) < 0 ||
      set(d, "api_version", PyLong_FromLong(PYTHON_API_VERSION)) < 0 ||
      set(d, "copyright", PyUnicode_FromString(Py_GetCopyright())) < 0 ||
      set(d, "platform", PyUnicode_InternFromString(Py_GetPlatform())) < 0 ||
      set(d, "maxsize", PyLong_FromSsize_t(PY_SSIZE_T_MAX)) < 0 || set(d, "maxunicode", PyLong_FromLong(0x10FFFF)) < 0 ||
      set(d, "byteorder", PyUnicode_InternFromString("little")) < 0 ||
      set(d, "abiflags", PyUnicode_InternFromString(AMPHIS_ABIFLAGS)) < 0 ||
      set(d, "float_repr_style", PyUnicode_InternFromString("short")) < 0 ||
      set(d, "version_info", version_info.copy().release()) < 0 ||
      set(d, "implementation", make_implementation(version_info)) < 0 ||
      set(d, "builtin_module_names", import_builtin_names()) < 0 ||
      set(d, "stdlib_module_names", sys_stdlib_module_names()) < 0 ||
      set(d, "_jit", PyModule_Create(&jit_def)) < 0) {
    return -1;
  }
  return 0;
}

}  // namespace

PyObject* sys_dict() { return the_dict; }
void sys_forget() { Py_CLEAR(the_dict); }

PyObject* sys_create() {
  Ref<> module = Ref<>::steal(PyModule_Create(&sys_def));
  if (!module) return nullptr;
  for (PyMethodDef* table : {sys_frame_methods, sys_hook_methods, sys_settings_methods, sys_audit_methods}) {
    if (PyModule_AddFunctions(module, table) < 0) return nullptr;
  }
  PyObject* d = PyModule_GetDict(module);
  Py_XSETREF(the_dict, Py_NewRef(d));  // the module may go before the last one who asks
  // The hooks as they were made, so that programs can restore them.
  for (const char* name : {"displayhook", "excepthook", "breakpointhook", "unraisablehook"}) {
    Ref<> saved = Ref<>::steal(PyUnicode_FromFormat("__%s__", name));
    PyObject* hook = PyDict_GetItemString(d, name);
    if (!saved || hook == nullptr || PyDict_SetItem(d, saved, hook) < 0) return nullptr;
  }
  if (add_constants(d) < 0 || sys_add_info(d) < 0 || sys_add_monitoring(d) < 0) return nullptr;
  if (set(d, "modules", Py_NewRef(import_modules())) < 0 || set(d, "meta_path", PyList_New(0)) < 0 ||
      set(d, "path_hooks", PyList_New(0)) < 0 || set(d, "path_importer_cache", PyDict_New()) < 0) {
    return nullptr;
  }
  return module.release();
}

PyObject* sys_make_flags() {
  static PyStructSequence_Field fields[] = {
      {"debug", "-d"},
      {"inspect", "-i"},
      {"interactive", "-i"},
      {"optimize", "-O or -OO"},
      {"dont_write_bytecode", "-B"},
      {"no_user_site", "-s"},
      {"no_site", "-S"},
      {"ignore_environment", "-E"},
      {"verbose", "-v"},
      {"bytes_warning", "-b"},
      {"quiet", "-q"},
      {"hash_randomization", "-R"},
      {"isolated", "-I"},
      {"dev_mode", "-X dev"},
      {"utf8_mode", "-X utf8"},
      {"warn_default_encoding", "-X warn_default_encoding"},
      {"safe_path", "-P"},
      {"int_max_str_digits", "-X int_max_str_digits"},
      {"gil", "-X gil"},
      {"thread_inherit_context", "-X thread_inherit_context"},
      {"context_aware_warnings", "-X context_aware_warnings"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "sys.flags", "sys.flags\n\nFlags provided through command line arguments or environment vars.", fields, 18};
  static PyTypeObject* type = nullptr;
  if (type == nullptr) {
    type = _PyStructSequence_NewType(&description, Py_TPFLAGS_DISALLOW_INSTANTIATION);
    if (type == nullptr) return nullptr;
  }
  Ref<> flags = Ref<>::steal(PyStructSequence_New(type));
  if (!flags) return nullptr;
  const PyConfig& c = running_config;
  PyObject* gil = sync::gil_enabled() ? PyLong_FromLong(1) : PyLong_FromLong(0);
  PyObject* values[] = {
      PyLong_FromLong(c.parser_debug != 0),
      PyLong_FromLong(c.inspect),
      PyLong_FromLong(c.interactive),
      PyLong_FromLong(c.optimization_level),
      PyLong_FromLong(!c.write_bytecode),
      PyLong_FromLong(!c.user_site_directory),
      PyLong_FromLong(!c.site_import),
      PyLong_FromLong(!c.use_environment),
      PyLong_FromLong(c.verbose),
      PyLong_FromLong(c.bytes_warning),
      PyLong_FromLong(c.quiet != 0),
      PyLong_FromLong(c.use_hash_seed == 0 || c.hash_seed != 0),
      PyLong_FromLong(c.isolated),
      PyBool_FromLong(c.dev_mode),
      PyLong_FromLong(running_preconfig.utf8_mode),
      PyLong_FromLong(c.warn_default_encoding),
      PyBool_FromLong(c.safe_path),
      PyLong_FromLong(c.int_max_str_digits),
      gil,
      PyLong_FromLong(c.thread_inherit_context),
      PyLong_FromLong(c.context_aware_warnings),
  };
  Py_ssize_t i = 0;
  for (PyObject* v : values) PyStructSequence_SetItem(flags, i++, v);
  return PyErr_Occurred() ? nullptr : flags.release();
}

int sys_configure() {
  PyObject* d = the_dict;
  const PyConfig& c = running_config;
  if (set(d, "flags", sys_make_flags()) < 0 || set(d, "argv", wide_list(c.argv)) < 0 ||
      set(d, "orig_argv", wide_list(c.orig_argv)) < 0 || set(d, "warnoptions", wide_list(c.warnoptions)) < 0 ||
      set(d, "_xoptions", make_xoptions(c.xoptions)) < 0 || set(d, "path", wide_list(c.module_search_paths)) < 0 ||
      set(d, "dont_write_bytecode", PyBool_FromLong(!c.write_bytecode)) < 0 ||
      set_wide_or_empty(d, "executable", c.executable) < 0 ||
      set_wide_or_empty(d, "_base_executable", c.base_executable) < 0 ||
      set_wide_or_empty(d, "prefix", c.prefix) < 0 || set_wide_or_empty(d, "base_prefix", c.base_prefix) < 0 ||
      set_wide_or_empty(d, "exec_prefix", c.exec_prefix) < 0 ||
      set_wide_or_empty(d, "base_exec_prefix", c.base_exec_prefix) < 0 ||
      set_wide_or_empty(d, "platlibdir", c.platlibdir != nullptr ? c.platlibdir : L"lib") < 0 ||
      set_wide(d, "pycache_prefix", c.pycache_prefix) < 0 || set_wide(d, "_stdlib_dir", c.stdlib_dir) < 0 ||
      set_wide(d, "_home", c.home) < 0) {
    return -1;
  }
  return 0;
}

}  // namespace amphis

using namespace amphis;

namespace {

// The part of the path that scripts in `argv0` import their neighbours from: its folder with links resolved.
PyObject* script_folder(const wchar_t* argv0) {
  if (argv0 == nullptr || wcscmp(argv0, L"-c") == 0 || wcscmp(argv0, L"-m") == 0) return PyUnicode_FromString("");
  std::wstring path = argv0;
  Ref<> text = Ref<>::steal(PyUnicode_FromWideChar(argv0, -1));
  Ref<> bytes = text ? Ref<>::steal(PyUnicode_EncodeFSDefault(text)) : Ref<>();
  if (!bytes) return nullptr;
  char* full = realpath(PyBytes_AS_STRING(bytes.get()), nullptr);
  std::string file = full != nullptr ? full : PyBytes_AS_STRING(bytes.get());
  free(full);
  size_t slash = file.rfind('/');
  std::string folder = slash == std::string::npos ? "" : slash == 0 ? "/" : file.substr(0, slash);
  return PyUnicode_DecodeFSDefault(folder.c_str());
}

PyObject* wide_argv(int argc, wchar_t** argv) {
  static wchar_t empty[] = L"";
  wchar_t* none[] = {empty};
  if (argc < 1 || argv == nullptr) {
    argc = 1;
    argv = none;
  }
  PyWideStringList list = {argc, argv};
  return wide_list(list);
}

void write_formatted(const char* name, FILE* fallback, PyObject* text) {
  PyObject* error = PyErr_GetRaisedException();
  PyObject* file = PySys_GetObject(name);
  if (text == nullptr || file == nullptr || PyFile_WriteObject(text, file, Py_PRINT_RAW) < 0) {
    PyErr_Clear();
    const char* utf8 = text != nullptr ? PyUnicode_AsUTF8(text) : nullptr;
    if (utf8 != nullptr) fputs(utf8, fallback);
    PyErr_Clear();
  }
  PyErr_SetRaisedException(error);
}

void write_limited(const char* name, FILE* fallback, const char* format, va_list args) {
  char buffer[1001];
  PyObject* error = PyErr_GetRaisedException();
  int written = vsnprintf(buffer, sizeof buffer, format, args);
  auto put = [&](const char* text) {
    PyObject* file = PySys_GetObject(name);
    if (file == nullptr || PyFile_WriteString(text, file) != 0) {
      PyErr_Clear();
      fputs(text, fallback);
    }
  };
  put(buffer);
  if (written < 0 || static_cast<size_t>(written) >= sizeof buffer) put("... truncated");
  PyErr_SetRaisedException(error);
}

}  // namespace

extern "C" {

PyObject* PySys_GetObject(const char* name) {
  PyObject* dict = sys_dict();
  if (dict == nullptr) return nullptr;
  // Borrowed, and silent about errors: that is what the function has always been.
  PyObject* error = PyErr_GetRaisedException();
  PyObject* value = nullptr;
  if (PyDict_GetItemStringRef(dict, name, &value) < 0) PyErr_Clear();
  Py_XDECREF(value);
  PyErr_SetRaisedException(error);
  return value;
}

int PySys_SetObject(const char* name, PyObject* value) {
  PyObject* dict = sys_dict();
  Ref<> key = Ref<>::steal(PyUnicode_InternFromString(name));
  if (!key) return -1;
  if (value == nullptr) return PyDict_Pop(dict, key, nullptr) < 0 ? -1 : 0;
  return PyDict_SetItem(dict, key, value);
}

int _PySys_GetOptionalAttr(PyObject* name, PyObject** value) {
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "attribute name must be string, not '%.200s'", Py_TYPE(name)->tp_name);
    *value = nullptr;
    return -1;
  }
  *value = nullptr;
  return sys_dict() != nullptr ? PyDict_GetItemRef(sys_dict(), name, value) : 0;
}

int _PySys_GetOptionalAttrString(const char* name, PyObject** value) {
  *value = nullptr;
  return sys_dict() != nullptr ? PyDict_GetItemStringRef(sys_dict(), name, value) : 0;
}

PyObject* _PySys_GetRequiredAttr(PyObject* name) {
  PyObject* value;
  if (_PySys_GetOptionalAttr(name, &value) == 0) PyErr_Format(PyExc_RuntimeError, "lost sys.%U", name);
  return value;
}

PyObject* _PySys_GetRequiredAttrString(const char* name) {
  PyObject* value;
  if (_PySys_GetOptionalAttrString(name, &value) == 0) PyErr_Format(PyExc_RuntimeError, "lost sys.%s", name);
  return value;
}

PyObject* PySys_GetXOptions(void) { return PySys_GetObject("_xoptions"); }

void PySys_WriteStdout(const char* format, ...) {
  va_list args;
  va_start(args, format);
  write_limited("stdout", stdout, format, args);
  va_end(args);
}

void PySys_WriteStderr(const char* format, ...) {
  va_list args;
  va_start(args, format);
  write_limited("stderr", stderr, format, args);
  va_end(args);
}

void PySys_FormatStdout(const char* format, ...) {
  va_list args;
  va_start(args, format);
  Ref<> text = Ref<>::steal(PyUnicode_FromFormatV(format, args));
  va_end(args);
  write_formatted("stdout", stdout, text);
}

void PySys_FormatStderr(const char* format, ...) {
  va_list args;
  va_start(args, format);
  Ref<> text = Ref<>::steal(PyUnicode_FromFormatV(format, args));
  va_end(args);
  write_formatted("stderr", stderr, text);
}

void PySys_SetArgvEx(int argc, wchar_t** argv, int update_path) {
  Ref<> list = Ref<>::steal(wide_argv(argc, argv));
  if (!list || PySys_SetObject("argv", list) < 0) Py_FatalError("can't assign sys.argv");
  if (!update_path) return;
  Ref<> first = Ref<>::steal(script_folder(argc > 0 && argv != nullptr ? argv[0] : nullptr));
  PyObject* path = PySys_GetObject("path");
  if (!first) Py_FatalError("can't compute path0 from argv");
  if (path != nullptr && PyList_Insert(path, 0, first) < 0) Py_FatalError("can't prepend path0 to sys.path");
}

void PySys_SetArgv(int argc, wchar_t** argv) { PySys_SetArgvEx(argc, argv, running_config.isolated == 0); }

void PySys_SetPath(const wchar_t* path) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (const wchar_t* start = path; list;) {
    const wchar_t* colon = wcschr(start, L':');
    Ref<> item = Ref<>::steal(PyUnicode_FromWideChar(start, colon != nullptr ? colon - start : -1));
    if (!item || PyList_Append(list, item) < 0) list = nullptr;
    if (colon == nullptr) break;
    start = colon + 1;
  }
  if (!list || PySys_SetObject("path", list) < 0) Py_FatalError("can't assign sys.path");
}

void PySys_AddWarnOptionUnicode(PyObject* option) {
  PyObject* list = PySys_GetObject("warnoptions");
  if (list == nullptr || !PyList_Check(list)) {
    Ref<> fresh = Ref<>::steal(PyList_New(0));
    if (fresh && PySys_SetObject("warnoptions", fresh) == 0) list = fresh.get();
  }
  if (list == nullptr || PyList_Append(list, option) < 0) PyErr_Clear();
}

void PySys_AddWarnOption(const wchar_t* option) {
  if (sys_dict() == nullptr) {
    PyWideStringList_Append(&running_config.warnoptions, option);
    return;
  }
  Ref<> text = Ref<>::steal(PyUnicode_FromWideChar(option, -1));
  if (text) PySys_AddWarnOptionUnicode(text);
}

void PySys_ResetWarnOptions(void) {
  PyObject* list = PySys_GetObject("warnoptions");
  if (list != nullptr && PyList_Check(list)) PyList_SetSlice(list, 0, PyList_GET_SIZE(list), nullptr);
}

int PySys_HasWarnOptions(void) {
  PyObject* list = PySys_GetObject("warnoptions");
  return list != nullptr && PyList_Check(list) && PyList_GET_SIZE(list) > 0;
}

void PySys_AddXOption(const wchar_t* option) {
  if (sys_dict() == nullptr) {
    PyWideStringList_Append(&running_config.xoptions, option);
    return;
  }
  wchar_t* copy = const_cast<wchar_t*>(option);
  PyWideStringList one = {1, &copy};
  Ref<> options = Ref<>::steal(make_xoptions(one));
  PyObject* all = PySys_GetXOptions();
  if (!options || all == nullptr || PyDict_Update(all, options) < 0) PyErr_Clear();
}

}  // extern "C"
