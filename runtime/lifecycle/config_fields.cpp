// The table of configuration fields, and the operations on PyConfig that follow from it.
#include "lifecycle/config.h"
#include "lifecycle/config_internal.h"

#include "modules/running_config.h"

#include <cstring>

namespace amphis {

namespace {

constexpr ConfigField kFields[] = {
#define FIELD(name, type, use, sys_name) {#name, offsetof(PyConfig, name), FieldType::type, FieldUse::use, sys_name, false},
    FIELD(isolated, kBool, kInit, nullptr)
    FIELD(use_environment, kBool, kPublic, nullptr)
    FIELD(dev_mode, kBool, kInit, nullptr)
    FIELD(install_signal_handlers, kBool, kInit, nullptr)
    FIELD(use_hash_seed, kBool, kInit, nullptr)
    FIELD(hash_seed, kULong, kInit, nullptr)
    FIELD(faulthandler, kBool, kInit, nullptr)
    FIELD(tracemalloc, kUInt, kInit, nullptr)
    FIELD(perf_profiling, kUInt, kInit, nullptr)
    FIELD(remote_debug, kBool, kInit, nullptr)
    FIELD(import_time, kUInt, kInit, nullptr)
    FIELD(code_debug_ranges, kBool, kInit, nullptr)
    FIELD(show_ref_count, kBool, kInit, nullptr)
    FIELD(dump_refs, kBool, kInit, nullptr)
    FIELD(dump_refs_file, kOptionalText, kInit, nullptr)
    FIELD(malloc_stats, kBool, kInit, nullptr)
    FIELD(filesystem_encoding, kText, kInit, nullptr)
    FIELD(filesystem_errors, kText, kInit, nullptr)
    FIELD(pycache_prefix, kOptionalText, kPublic, "pycache_prefix")
    FIELD(parse_argv, kBool, kInit, nullptr)
    FIELD(orig_argv, kTextList, kReadOnly, "orig_argv")
    FIELD(argv, kTextList, kPublic, "argv")
    FIELD(xoptions, kTextList, kPublic, "_xoptions")
    FIELD(warnoptions, kTextList, kPublic, "warnoptions")
    FIELD(site_import, kBool, kInit, nullptr)
    FIELD(bytes_warning, kUInt, kPublic, nullptr)
    FIELD(warn_default_encoding, kBool, kInit, nullptr)
    FIELD(inspect, kBool, kPublic, nullptr)
    FIELD(interactive, kBool, kPublic, nullptr)
    FIELD(optimization_level, kUInt, kPublic, nullptr)
    FIELD(parser_debug, kBool, kPublic, nullptr)
    FIELD(write_bytecode, kBool, kPublic, nullptr)
    FIELD(verbose, kUInt, kPublic, nullptr)
    FIELD(quiet, kBool, kPublic, nullptr)
    FIELD(user_site_directory, kBool, kInit, nullptr)
    FIELD(configure_c_stdio, kBool, kInit, nullptr)
    FIELD(buffered_stdio, kBool, kInit, nullptr)
    FIELD(stdio_encoding, kText, kInit, nullptr)
    FIELD(stdio_errors, kText, kInit, nullptr)
    FIELD(check_hash_pycs_mode, kText, kInit, nullptr)
    FIELD(use_frozen_modules, kBool, kInit, nullptr)
    FIELD(safe_path, kBool, kInit, nullptr)
    FIELD(int_max_str_digits, kInt, kPublic, nullptr)
    FIELD(thread_inherit_context, kInt, kInit, nullptr)
    FIELD(context_aware_warnings, kInt, kInit, nullptr)
    FIELD(cpu_count, kInt, kPublic, nullptr)
    FIELD(pathconfig_warnings, kBool, kInit, nullptr)
    FIELD(program_name, kText, kInit, nullptr)
    FIELD(pythonpath_env, kOptionalText, kInit, nullptr)
    FIELD(home, kOptionalText, kInit, nullptr)
    FIELD(platlibdir, kText, kPublic, "platlibdir")
    FIELD(module_search_paths_set, kBool, kInit, nullptr)
    FIELD(module_search_paths, kTextList, kPublic, "path")
    FIELD(stdlib_dir, kOptionalText, kPublic, "_stdlib_dir")
    FIELD(executable, kOptionalText, kPublic, "executable")
    FIELD(base_executable, kOptionalText, kPublic, "_base_executable")
    FIELD(prefix, kOptionalText, kPublic, "prefix")
    FIELD(base_prefix, kOptionalText, kPublic, "base_prefix")
    FIELD(exec_prefix, kOptionalText, kPublic, "exec_prefix")
    FIELD(base_exec_prefix, kOptionalText, kPublic, "base_exec_prefix")
    FIELD(skip_source_first_line, kBool, kInit, nullptr)
    FIELD(run_command, kOptionalText, kInit, nullptr)
    FIELD(run_module, kOptionalText, kInit, nullptr)
    FIELD(run_filename, kOptionalText, kInit, nullptr)
    FIELD(sys_path_0, kOptionalText, kInit, nullptr)
#undef FIELD
#define FIELD(name, type) {#name, offsetof(PyPreConfig, name), FieldType::type, FieldUse::kInit, nullptr, true},
    FIELD(allocator, kInt)
    FIELD(configure_locale, kBool)
    FIELD(coerce_c_locale, kBool)
    FIELD(coerce_c_locale_warn, kBool)
    FIELD(utf8_mode, kBool)
#undef FIELD
};

bool is_text(FieldType t) { return t == FieldType::kText || t == FieldType::kOptionalText; }

template <class F>
void for_each_field(PyConfig* config, F&& visit) {
  for (const ConfigField& f : kFields) {
    if (!f.pre) visit(f, config);
  }
}

// The fields that only one variant has.
template <class Config>
void copy_variant_fields(Config* to, const Config* from) {
  if constexpr (requires { to->enable_gil; }) {
    to->enable_gil = from->enable_gil;
    to->tlbc_enabled = from->tlbc_enabled;
  }
}
template <class Config>
void init_variant_fields(Config* c) {
  if constexpr (requires { c->enable_gil; }) {
    c->enable_gil = -1;
    c->tlbc_enabled = 1;
  }
}

wchar_t* duplicate(const wchar_t* text) {
  size_t size = (wcslen(text) + 1) * sizeof(wchar_t);
  auto* copy = static_cast<wchar_t*>(PyMem_RawMalloc(size));
  if (copy != nullptr) memcpy(copy, text, size);
  return copy;
}

}  // namespace

std::span<const ConfigField> config_fields() { return kFields; }

const ConfigField* find_config_field(const char* name) {
  for (const ConfigField& f : kFields) {
    if (strcmp(f.name, name) == 0) return &f;
  }
  return nullptr;
}

PyStatus status_error(const char* function, const char* message) {
  PyStatus s = PyStatus_Error(message);
  s.func = function;
  return s;
}

PyStatus config_set_text(wchar_t** field, const wchar_t* text) {
  wchar_t* copy = nullptr;
  if (text != nullptr) {
    copy = duplicate(text);
    if (copy == nullptr) return PyStatus_NoMemory();
  }
  PyMem_RawFree(*field);
  *field = copy;
  return status_ok();
}

void list_clear(PyWideStringList* list) {
  for (Py_ssize_t i = 0; i < list->length; ++i) PyMem_RawFree(list->items[i]);
  PyMem_RawFree(list->items);
  list->length = 0;
  list->items = nullptr;
}

PyStatus list_copy(PyWideStringList* to, const PyWideStringList& from) {
  PyWideStringList fresh = {0, nullptr};
  for (Py_ssize_t i = 0; i < from.length; ++i) {
    PyStatus status = PyWideStringList_Append(&fresh, from.items[i]);
    if (PyStatus_Exception(status)) {
      list_clear(&fresh);
      return status;
    }
  }
  list_clear(to);
  *to = fresh;
  return status_ok();
}

PyStatus config_copy(PyConfig* to, const PyConfig* from) {
  PyStatus status = status_ok();
  auto* source = const_cast<PyConfig*>(from);
  to->_config_init = from->_config_init;
  to->_install_importlib = from->_install_importlib;
  to->_init_main = from->_init_main;
  to->_is_python_build = from->_is_python_build;
  copy_variant_fields(to, from);
  for_each_field(to, [&](const ConfigField& f, PyConfig* config) {
    if (PyStatus_Exception(status)) return;
    if (is_text(f.type)) {
      status = config_set_text(&field_of<wchar_t*>(config, f), field_of<wchar_t*>(source, f));
    } else if (f.type == FieldType::kTextList) {
      status = list_copy(&field_of<PyWideStringList>(config, f), field_of<PyWideStringList>(source, f));
    } else if (f.type == FieldType::kULong) {
      field_of<unsigned long>(config, f) = field_of<unsigned long>(source, f);
    } else {
      field_of<int>(config, f) = field_of<int>(source, f);
    }
  });
  return status;
}

// Values of _config_init.
enum ConfigKind : int { kCompat = 1, kPython = 2, kIsolated = 3 };

namespace {

void init_common(PyConfig* c, ConfigKind kind) {
  memset(c, 0, sizeof *c);
  c->_config_init = kind;
  c->isolated = c->use_environment = c->dev_mode = c->install_signal_handlers = -1;
  c->use_hash_seed = c->faulthandler = c->tracemalloc = -1;
  c->perf_profiling = c->remote_debug = -1;
  c->import_time = 0;
  c->code_debug_ranges = 1;
  c->module_search_paths_set = 0;
  c->site_import = 1;
  c->bytes_warning = -1;
  c->warn_default_encoding = 0;
  c->inspect = c->interactive = c->optimization_level = c->parser_debug = -1;
  c->write_bytecode = c->verbose = c->quiet = c->user_site_directory = -1;
  c->buffered_stdio = -1;
  c->configure_c_stdio = 0;
  c->use_frozen_modules = 1;
  c->safe_path = 0;
  c->int_max_str_digits = -1;
  c->cpu_count = -1;
  c->thread_inherit_context = c->context_aware_warnings = -1;
  c->pathconfig_warnings = -1;
  c->_install_importlib = 1;
  c->_init_main = 1;
  init_variant_fields(c);
}

void init_python_values(PyConfig* c) {
  c->isolated = 0;
  c->use_environment = 1;
  c->site_import = 1;
  c->bytes_warning = 0;
  c->inspect = c->interactive = c->optimization_level = c->parser_debug = 0;
  c->write_bytecode = 1;
  c->verbose = c->quiet = 0;
  c->user_site_directory = 1;
  c->buffered_stdio = 1;
  c->pathconfig_warnings = 1;
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyStatus PyStatus_Ok(void) { return PyStatus{PyStatus::_PyStatus_TYPE_OK, nullptr, nullptr, 0}; }
PyStatus PyStatus_Error(const char* message) { return PyStatus{PyStatus::_PyStatus_TYPE_ERROR, nullptr, message, 0}; }
PyStatus PyStatus_NoMemory(void) { return PyStatus_Error("memory allocation failed"); }
PyStatus PyStatus_Exit(int code) { return PyStatus{PyStatus::_PyStatus_TYPE_EXIT, nullptr, nullptr, code}; }
int PyStatus_IsError(PyStatus status) { return status._type == PyStatus::_PyStatus_TYPE_ERROR; }
int PyStatus_IsExit(PyStatus status) { return status._type == PyStatus::_PyStatus_TYPE_EXIT; }
int PyStatus_Exception(PyStatus status) { return status._type != PyStatus::_PyStatus_TYPE_OK; }

PyStatus PyWideStringList_Insert(PyWideStringList* list, Py_ssize_t index, const wchar_t* item) {
  if (index < 0) return PyStatus_Error("PyWideStringList_Insert index must be >= 0");
  if (index > list->length) index = list->length;
  wchar_t* copy = duplicate(item);
  size_t size = static_cast<size_t>(list->length + 1) * sizeof(wchar_t*);
  auto** items = copy != nullptr ? static_cast<wchar_t**>(PyMem_RawRealloc(list->items, size)) : nullptr;
  if (items == nullptr) {
    PyMem_RawFree(copy);
    return PyStatus_NoMemory();
  }
  memmove(items + index + 1, items + index, static_cast<size_t>(list->length - index) * sizeof(wchar_t*));
  items[index] = copy;
  list->items = items;
  list->length++;
  return PyStatus_Ok();
}

PyStatus PyWideStringList_Append(PyWideStringList* list, const wchar_t* item) {
  return PyWideStringList_Insert(list, list->length, item);
}

void PyPreConfig_InitPythonConfig(PyPreConfig* c) {
  *c = PyPreConfig{kPython, 1, 0, 1, 1, -1, -1, -1, -1, 0};
}
void PyPreConfig_InitIsolatedConfig(PyPreConfig* c) {
  *c = PyPreConfig{kIsolated, 0, 1, 0, 0, 0, 0, 0, 0, 0};
}
void _PyPreConfig_InitCompatConfig(PyPreConfig* c) {
  *c = PyPreConfig{kCompat, 0, -1, -1, 1, 0, 0, 0, -1, 0};
}

void PyConfig_InitPythonConfig(PyConfig* c) {
  init_common(c, kPython);
  init_python_values(c);
  c->configure_c_stdio = 1;
  c->parse_argv = 1;
}

void PyConfig_InitIsolatedConfig(PyConfig* c) {
  init_common(c, kIsolated);
  init_python_values(c);
  c->isolated = 1;
  c->use_environment = 0;
  c->user_site_directory = 0;
  c->dev_mode = 0;
  c->install_signal_handlers = 0;
  c->use_hash_seed = 0;
  c->tracemalloc = 0;
  c->perf_profiling = 0;
  c->int_max_str_digits = 4300;
  c->safe_path = 1;
  c->pathconfig_warnings = 0;
}

// What the functions without a configuration start with: the global flags decide where a field is unset.
void _PyConfig_InitCompatConfig(PyConfig* c) {
  init_common(c, kCompat);
  c->install_signal_handlers = 1;
}

void PyConfig_Clear(PyConfig* config) {
  for_each_field(config, [](const ConfigField& f, PyConfig* c) {
    if (is_text(f.type)) {
      PyMem_RawFree(field_of<wchar_t*>(c, f));
      field_of<wchar_t*>(c, f) = nullptr;
    } else if (f.type == FieldType::kTextList) {
      list_clear(&field_of<PyWideStringList>(c, f));
    }
  });
}

PyStatus PyConfig_SetString(PyConfig*, wchar_t** field, const wchar_t* text) { return config_set_text(field, text); }

PyStatus PyConfig_SetBytesString(PyConfig*, wchar_t** field, const char* text) {
  if (text == nullptr) return config_set_text(field, nullptr);
  return config_set_text(field, decode_bytes(text));
}

PyStatus PyConfig_SetWideStringList(PyConfig*, PyWideStringList* list, Py_ssize_t length, wchar_t** items) {
  return list_copy(list, PyWideStringList{length, items});
}

PyStatus PyConfig_SetArgv(PyConfig* config, Py_ssize_t argc, wchar_t* const* argv) {
  return list_copy(&config->argv, PyWideStringList{argc, const_cast<wchar_t**>(argv)});
}

PyStatus PyConfig_SetBytesArgv(PyConfig* config, Py_ssize_t argc, char* const* argv) {
  list_clear(&config->argv);
  for (Py_ssize_t i = 0; i < argc; ++i) {
    PyStatus status = PyWideStringList_Append(&config->argv, decode_bytes(argv[i]).c_str());
    if (PyStatus_Exception(status)) return status;
  }
  return PyStatus_Ok();
}

}  // extern "C"
