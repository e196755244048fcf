// The configuration (PEP 587): what its fields are, and the steps that fill them in.
//
// Invariant: every wchar_t* of a PyConfig is null or a block of PyMem_RawMalloc that the PyConfig owns.
#pragma once

#include "Python.h"

#include <span>
#include <string>

namespace amphis {

enum class FieldType : uint8_t { kInt, kUInt, kBool, kULong, kText, kOptionalText, kTextList };
enum class FieldUse : uint8_t {
  kInit,      // decides how the runtime starts; read-only afterwards
  kReadOnly,  // what a running program sees is an attribute of sys
  kPublic,    // the same, and PyConfig_Set may change it
};

struct ConfigField {
  const char* name;
  size_t offset;
  FieldType type;
  FieldUse use;
  const char* sys_name;  // attribute of sys that holds the value, or null
  bool pre;              // a field of PyPreConfig
};
std::span<const ConfigField> config_fields();
const ConfigField* find_config_field(const char* name);

template <class T>
T& field_of(void* config, const ConfigField& f) {
  return *reinterpret_cast<T*>(static_cast<char*>(config) + f.offset);
}

// PyStatus with the name of the failing step, as the fatal error shows it.
PyStatus status_error(const char* function, const char* message);
inline PyStatus status_ok() { return PyStatus_Ok(); }

// Copies every field. On failure `to` is as valid as before, but incomplete.
PyStatus config_copy(PyConfig* to, const PyConfig* from);
// Replaces a text field (text may be null).
PyStatus config_set_text(wchar_t** field, const wchar_t* text);
inline PyStatus config_set_text(wchar_t** field, const std::wstring& text) { return config_set_text(field, text.c_str()); }
void list_clear(PyWideStringList* list);
PyStatus list_copy(PyWideStringList* to, const PyWideStringList& from);

// The steps of PyConfig_Read.
struct CommandLine {
  int help = 0;  // 1: usage, 2: -X options, 3: environment, 4: all
  int version = 0;
};
PyStatus config_parse_argv(PyConfig* config, CommandLine* what);    // command_line.cpp
PyStatus config_read_environment(PyConfig* config);                 // environment.cpp
PyStatus config_compute_paths(PyConfig* config);                    // paths.cpp
// What the paths are and came from, to stderr: for a runtime that cannot start.
void dump_path_configuration(const PyConfig* config);
void print_usage(bool error, const wchar_t* program);
void print_help(int which, const wchar_t* program);

// An environment variable if the configuration uses the environment and it is not empty.
const char* config_env(const PyConfig* config, const char* name);
// The value of -X name or -X name=value: null if not given, "" without a value.
const wchar_t* config_xoption(const PyConfig* config, const wchar_t* name);
// Decimal int without anything around it.
bool parse_int(const wchar_t* text, long long* value);

// UTF-8 with surrogate escapes, the file system's encoding.
std::wstring decode_bytes(const char* text);
std::string encode_bytes(const wchar_t* text);

}  // namespace amphis
