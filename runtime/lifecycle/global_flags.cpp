// The global variables and functions that configured Python before PyConfig; programs still set and read them.
#include "compile/compile.h"
#include "lifecycle/config.h"
#include "lifecycle/config_internal.h"
#include "modules/running_config.h"

#include <cstdlib>
#include <string>

extern "C" {

int Py_DebugFlag = 0;
int Py_VerboseFlag = 0;
int Py_QuietFlag = 0;
int Py_InteractiveFlag = 0;
int Py_InspectFlag = 0;
int Py_OptimizeFlag = 0;
int Py_NoSiteFlag = 0;
int Py_BytesWarningFlag = 0;
int Py_FrozenFlag = 0;
int Py_IgnoreEnvironmentFlag = 0;
int Py_DontWriteBytecodeFlag = 0;
int Py_NoUserSiteDirectory = 0;
int Py_UnbufferedStdioFlag = 0;
int Py_HashRandomizationFlag = 0;
int Py_IsolatedFlag = 0;
PyAPI_DATA(int) Py_UTF8Mode;
int Py_UTF8Mode = 0;
PyAPI_DATA(const char*) Py_FileSystemDefaultEncoding;
PyAPI_DATA(const char*) Py_FileSystemDefaultEncodeErrors;
PyAPI_DATA(int) Py_HasFileSystemDefaultEncoding;
const char* Py_FileSystemDefaultEncoding = "utf-8";
const char* Py_FileSystemDefaultEncodeErrors = "surrogateescape";
int Py_HasFileSystemDefaultEncoding = 1;

}  // extern "C"

namespace amphis {

namespace {

constexpr int kCompatConfig = 1;

struct Flag {
  int PyConfig::*field;
  int* variable;
  bool inverted;
};
constexpr Flag kFlags[] = {
    {&PyConfig::parser_debug, &Py_DebugFlag, false},
    {&PyConfig::verbose, &Py_VerboseFlag, false},
    {&PyConfig::quiet, &Py_QuietFlag, false},
    {&PyConfig::interactive, &Py_InteractiveFlag, false},
    {&PyConfig::inspect, &Py_InspectFlag, false},
    {&PyConfig::optimization_level, &Py_OptimizeFlag, false},
    {&PyConfig::bytes_warning, &Py_BytesWarningFlag, false},
    {&PyConfig::isolated, &Py_IsolatedFlag, false},
    {&PyConfig::use_environment, &Py_IgnoreEnvironmentFlag, true},
    {&PyConfig::write_bytecode, &Py_DontWriteBytecodeFlag, true},
    {&PyConfig::user_site_directory, &Py_NoUserSiteDirectory, true},
    {&PyConfig::buffered_stdio, &Py_UnbufferedStdioFlag, true},
    {&PyConfig::pathconfig_warnings, &Py_FrozenFlag, true},
};

std::wstring global_program_name, global_home, global_path;

}  // namespace

void config_take_flags(PyConfig* c) {
  if (c->_config_init != kCompatConfig) return;
  for (const Flag& f : kFlags) {
    if (c->*f.field < 0) c->*f.field = f.inverted ? !*f.variable : *f.variable;
  }
  if (Py_NoSiteFlag) c->site_import = 0;
}

void config_publish_flags(const PyConfig* c) {
  for (const Flag& f : kFlags) *f.variable = f.inverted ? !(c->*f.field) : c->*f.field;
  Py_NoSiteFlag = !c->site_import;
  record_columns = c->code_debug_ranges != 0;
  Py_HashRandomizationFlag = c->use_hash_seed == 0 || c->hash_seed != 0;
  Py_UTF8Mode = running_preconfig.utf8_mode;
}

PyStatus config_take_globals(PyConfig* c) {
  PyStatus status = status_ok();
  if (c->program_name == nullptr && !global_program_name.empty()) status = config_set_text(&c->program_name, global_program_name);
  if (!PyStatus_Exception(status) && c->home == nullptr && !global_home.empty()) status = config_set_text(&c->home, global_home);
  if (!PyStatus_Exception(status) && !c->module_search_paths_set && !global_path.empty()) {
    for (size_t start = 0; start <= global_path.size() && !PyStatus_Exception(status);) {
      size_t colon = global_path.find(L':', start);
      if (colon == std::wstring::npos) colon = global_path.size();
      status = PyWideStringList_Append(&c->module_search_paths, global_path.substr(start, colon - start).c_str());
      start = colon + 1;
    }
    c->module_search_paths_set = 1;
  }
  return status;
}

}  // namespace amphis

using namespace amphis;

namespace {

// A string of the running configuration; null before the start.
wchar_t* running(wchar_t* text) { return Py_IsInitialized() ? text : nullptr; }

}  // namespace

extern "C" {

void Py_SetProgramName(const wchar_t* name) { global_program_name = name != nullptr ? name : L""; }
void Py_SetPythonHome(const wchar_t* home) { global_home = home != nullptr ? home : L""; }
void Py_SetPath(const wchar_t* path) { global_path = path != nullptr ? path : L""; }

wchar_t* Py_GetProgramName(void) { return running(running_config.program_name); }
wchar_t* Py_GetPythonHome(void) { return running(running_config.home); }
wchar_t* Py_GetProgramFullPath(void) { return running(running_config.executable); }
wchar_t* Py_GetPrefix(void) { return running(running_config.prefix); }
wchar_t* Py_GetExecPrefix(void) { return running(running_config.exec_prefix); }

wchar_t* Py_GetPath(void) {
  if (!Py_IsInitialized()) return nullptr;
  static std::wstring* joined = new std::wstring;  // handed out for the life of the process
  if (joined->empty()) {
    for (Py_ssize_t i = 0; i < running_config.module_search_paths.length; ++i) {
      if (i > 0) *joined += L':';
      *joined += running_config.module_search_paths.items[i];
    }
  }
  return joined->data();
}

void Py_GetArgcArgv(int* argc, wchar_t*** argv) {
  *argc = static_cast<int>(running_config.orig_argv.length);
  *argv = running_config.orig_argv.items;
}

char* Py_GETENV(const char* name) { return Py_IgnoreEnvironmentFlag ? nullptr : getenv(name); }

}  // extern "C"
