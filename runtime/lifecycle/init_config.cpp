// PyInitConfig: configuring the runtime before it starts, by name and without structs (PEP 741).
#include "lifecycle/config.h"
#include "lifecycle/runtime_state.h"

#include <climits>
#include <cstdlib>
#include <cstring>
#include <vector>

struct PyInitConfig {
  PyPreConfig pre;
  PyConfig config;
  PyStatus status;
  std::string error;
  std::vector<std::pair<std::string, PyObject* (*)()>> modules;
};

namespace amphis {

namespace {

int fail(PyInitConfig* c, const std::string& message) {
  c->error = message;
  c->status = PyStatus_Error(c->error.c_str());
  return -1;
}

const ConfigField* field(PyInitConfig* c, const char* name) {
  const ConfigField* f = find_config_field(name);
  if (f == nullptr) fail(c, "unknown config option name");
  return f;
}

void* holder(PyInitConfig* c, const ConfigField& f) {
  return f.pre ? static_cast<void*>(&c->pre) : static_cast<void*>(&c->config);
}

bool is_number(const ConfigField& f) { return f.type <= FieldType::kULong; }
bool is_text(const ConfigField& f) { return f.type == FieldType::kText || f.type == FieldType::kOptionalText; }

char* duplicate(const std::string& text) { return strdup(text.c_str()); }

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyInitConfig* PyInitConfig_Create(void) {
  auto* c = new (std::nothrow) PyInitConfig{};
  if (c == nullptr) return nullptr;
  PyPreConfig_InitIsolatedConfig(&c->pre);
  PyConfig_InitIsolatedConfig(&c->config);
  c->status = PyStatus_Ok();
  return c;
}

void PyInitConfig_Free(PyInitConfig* c) {
  if (c == nullptr) return;
  PyConfig_Clear(&c->config);
  delete c;
}

int PyInitConfig_GetError(PyInitConfig* c, const char** message) {
  if (PyStatus_IsExit(c->status)) {
    c->error = "exit code " + std::to_string(c->status.exitcode);
    *message = c->error.c_str();
    return 1;
  }
  if (PyStatus_IsError(c->status)) {
    if (c->status.func != nullptr) {
      c->error = std::string(c->status.func) + ": " + c->status.err_msg;
      *message = c->error.c_str();
    } else {
      *message = c->status.err_msg;
    }
    return 1;
  }
  *message = nullptr;
  return 0;
}

int PyInitConfig_GetExitCode(PyInitConfig* c, int* code) {
  if (!PyStatus_IsExit(c->status)) return 0;
  *code = c->status.exitcode;
  return 1;
}

int PyInitConfig_HasOption(PyInitConfig*, const char* name) { return find_config_field(name) != nullptr; }

int PyInitConfig_GetInt(PyInitConfig* c, const char* name, int64_t* value) {
  const ConfigField* f = field(c, name);
  if (f == nullptr) return -1;
  if (!is_number(*f)) return fail(c, "config option type is not int");
  *value = f->type == FieldType::kULong ? static_cast<int64_t>(field_of<unsigned long>(holder(c, *f), *f))
                                        : field_of<int>(holder(c, *f), *f);
  return 0;
}

int PyInitConfig_GetStr(PyInitConfig* c, const char* name, char** value) {
  const ConfigField* f = field(c, name);
  if (f == nullptr) return -1;
  if (!is_text(*f)) return fail(c, "config option type is not string");
  wchar_t* text = field_of<wchar_t*>(holder(c, *f), *f);
  *value = text != nullptr ? duplicate(encode_bytes(text)) : nullptr;
  return text != nullptr && *value == nullptr ? fail(c, "memory allocation failed") : 0;
}

int PyInitConfig_GetStrList(PyInitConfig* c, const char* name, size_t* length, char*** items) {
  const ConfigField* f = field(c, name);
  if (f == nullptr) return -1;
  if (f->type != FieldType::kTextList) return fail(c, "config option type is not string list");
  auto& list = field_of<PyWideStringList>(holder(c, *f), *f);
  auto** copy = static_cast<char**>(malloc((static_cast<size_t>(list.length) + 1) * sizeof(char*)));
  if (copy == nullptr) return fail(c, "memory allocation failed");
  for (Py_ssize_t i = 0; i < list.length; ++i) copy[i] = duplicate(encode_bytes(list.items[i]));
  *length = static_cast<size_t>(list.length);
  *items = copy;
  return 0;
}

void PyInitConfig_FreeStrList(size_t length, char** items) {
  for (size_t i = 0; i < length; ++i) free(items[i]);
  free(items);
}

int PyInitConfig_SetInt(PyInitConfig* c, const char* name, int64_t value) {
  const ConfigField* f = field(c, name);
  if (f == nullptr) return -1;
  if (f->type == FieldType::kULong) {
    if (value < 0 || static_cast<uint64_t>(value) > ULONG_MAX) return fail(c, "config option value out of ulong range");
    field_of<unsigned long>(holder(c, *f), *f) = static_cast<unsigned long>(value);
    if (strcmp(name, "hash_seed") == 0) c->config.use_hash_seed = 1;
    return 0;
  }
  if (!is_number(*f)) return fail(c, "config option type is not int");
  if (value > INT_MAX || value < INT_MIN) return fail(c, "config option value out of int range");
  if (f->type != FieldType::kInt && value < 0) return fail(c, "config option value must be >= 0");
  field_of<int>(holder(c, *f), *f) = static_cast<int>(value);
  return 0;
}

int PyInitConfig_SetStr(PyInitConfig* c, const char* name, const char* value) {
  const ConfigField* f = field(c, name);
  if (f == nullptr) return -1;
  if (!is_text(*f)) return fail(c, "config option type is not string");
  if (value == nullptr && f->type != FieldType::kOptionalText) return fail(c, "config option string cannot be NULL");
  auto& slot = field_of<wchar_t*>(holder(c, *f), *f);
  PyStatus status = value != nullptr ? config_set_text(&slot, decode_bytes(value)) : config_set_text(&slot, nullptr);
  if (!PyStatus_Exception(status)) return 0;
  c->status = status;
  return -1;
}

int PyInitConfig_SetStrList(PyInitConfig* c, const char* name, size_t length, char* const* items) {
  const ConfigField* f = field(c, name);
  if (f == nullptr) return -1;
  if (f->type != FieldType::kTextList) return fail(c, "config option type is not string list");
  auto& list = field_of<PyWideStringList>(holder(c, *f), *f);
  list_clear(&list);
  for (size_t i = 0; i < length; ++i) {
    PyStatus status = PyWideStringList_Append(&list, decode_bytes(items[i]).c_str());
    if (PyStatus_Exception(status)) {
      c->status = status;
      return -1;
    }
  }
  if (strcmp(name, "module_search_paths") == 0) c->config.module_search_paths_set = 1;
  return 0;
}

int PyInitConfig_AddModule(PyInitConfig* c, const char* name, PyObject* (*init)(void)) {
  c->modules.emplace_back(name, init);
  return 0;
}

int Py_InitializeFromInitConfig(PyInitConfig* c) {
  for (auto& [name, init] : c->modules) {
    if (PyImport_AppendInittab(strdup(name.c_str()), init) < 0) return fail(c, "failed to create the table of modules");
  }
  c->modules.clear();
  c->status = preinitialize(&c->pre);
  if (!PyStatus_Exception(c->status)) c->status = Py_InitializeFromConfig(&c->config);
  return PyStatus_Exception(c->status) ? -1 : 0;
}

}  // extern "C"
