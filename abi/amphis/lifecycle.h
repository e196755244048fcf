// Owns starting and stopping the runtime, and its configuration (PEP 587, PEP 741).
#ifndef AMPHIS_ABI_LIFECYCLE_H
#define AMPHIS_ABI_LIFECYCLE_H

#include "import.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct {
  enum { _PyStatus_TYPE_OK = 0, _PyStatus_TYPE_ERROR = 1, _PyStatus_TYPE_EXIT = 2 } _type;
  const char* func;
  const char* err_msg;
  int exitcode;
} PyStatus;
typedef struct {
  Py_ssize_t length;
  wchar_t** items;
} PyWideStringList;
typedef struct PyPreConfig {
  int _config_init;
  int parse_argv;
  int isolated;
  int use_environment;
  int configure_locale;
  int coerce_c_locale;
  int coerce_c_locale_warn;
  int utf8_mode;
  int dev_mode;
  int allocator;
} PyPreConfig;
typedef struct PyConfig {
  int _config_init;
  int isolated;
  int use_environment;
  int dev_mode;
  int install_signal_handlers;
  int use_hash_seed;
  unsigned long hash_seed;
  int faulthandler;
  int tracemalloc;
  int perf_profiling;
  int remote_debug;
  int import_time;
  int code_debug_ranges;
  int show_ref_count;
  int dump_refs;
  wchar_t* dump_refs_file;
  int malloc_stats;
  wchar_t* filesystem_encoding;
  wchar_t* filesystem_errors;
  wchar_t* pycache_prefix;
  int parse_argv;
  PyWideStringList orig_argv;
  PyWideStringList argv;
  PyWideStringList xoptions;
  PyWideStringList warnoptions;
  int site_import;
  int bytes_warning;
  int warn_default_encoding;
  int inspect;
  int interactive;
  int optimization_level;
  int parser_debug;
  int write_bytecode;
  int verbose;
  int quiet;
  int user_site_directory;
  int configure_c_stdio;
  int buffered_stdio;
  wchar_t* stdio_encoding;
  wchar_t* stdio_errors;
  wchar_t* check_hash_pycs_mode;
  int use_frozen_modules;
  int safe_path;
  int int_max_str_digits;
  int thread_inherit_context;
  int context_aware_warnings;
  int cpu_count;
  _Py_FREE_ONLY(int enable_gil; int tlbc_enabled;)
  int pathconfig_warnings;
  wchar_t* program_name;
  wchar_t* pythonpath_env;
  wchar_t* home;
  wchar_t* platlibdir;
  int module_search_paths_set;
  PyWideStringList module_search_paths;
  wchar_t* stdlib_dir;
  wchar_t* executable;
  wchar_t* base_executable;
  wchar_t* prefix;
  wchar_t* base_prefix;
  wchar_t* exec_prefix;
  wchar_t* base_exec_prefix;
  int skip_source_first_line;
  wchar_t* run_command;
  wchar_t* run_module;
  wchar_t* run_filename;
  wchar_t* sys_path_0;
  int _install_importlib;
  int _init_main;
  int _is_python_build;
} PyConfig;
PyAPI_FUNC(PyStatus) PyStatus_Ok(void);
PyAPI_FUNC(PyStatus) PyStatus_Error(const char* err_msg);
PyAPI_FUNC(PyStatus) PyStatus_NoMemory(void);
PyAPI_FUNC(PyStatus) PyStatus_Exit(int exitcode);
PyAPI_FUNC(int) PyStatus_IsError(PyStatus err);
PyAPI_FUNC(int) PyStatus_IsExit(PyStatus err);
PyAPI_FUNC(int) PyStatus_Exception(PyStatus err);
// Strings are copied into PyMem_RawMalloc'd blocks of the configuration; PyConfig_Clear frees them.
PyAPI_FUNC(PyStatus) PyWideStringList_Append(PyWideStringList* list, const wchar_t* item);
PyAPI_FUNC(PyStatus) PyWideStringList_Insert(PyWideStringList* list, Py_ssize_t index, const wchar_t* item);
PyAPI_FUNC(void) PyPreConfig_InitPythonConfig(PyPreConfig* config);
PyAPI_FUNC(void) PyPreConfig_InitIsolatedConfig(PyPreConfig* config);
PyAPI_FUNC(void) PyConfig_InitPythonConfig(PyConfig* config);
PyAPI_FUNC(void) PyConfig_InitIsolatedConfig(PyConfig* config);
PyAPI_FUNC(void) PyConfig_Clear(PyConfig*);
PyAPI_FUNC(PyStatus) PyConfig_SetString(PyConfig* config, wchar_t** config_str, const wchar_t* str);
PyAPI_FUNC(PyStatus) PyConfig_SetBytesString(PyConfig* config, wchar_t** config_str, const char* str);
PyAPI_FUNC(PyStatus) PyConfig_Read(PyConfig* config);
PyAPI_FUNC(PyStatus) PyConfig_SetBytesArgv(PyConfig* config, Py_ssize_t argc, char* const* argv);
PyAPI_FUNC(PyStatus) PyConfig_SetArgv(PyConfig* config, Py_ssize_t argc, wchar_t* const* argv);
PyAPI_FUNC(PyStatus)
    PyConfig_SetWideStringList(PyConfig* config, PyWideStringList* list, Py_ssize_t length, wchar_t** items);
// The running configuration: new references; 0, or -1 with an exception.
PyAPI_FUNC(PyObject*) PyConfig_Get(const char* name);
PyAPI_FUNC(int) PyConfig_GetInt(const char* name, int* value);
PyAPI_FUNC(PyObject*) PyConfig_Names(void);
PyAPI_FUNC(int) PyConfig_Set(const char* name, PyObject* value);
typedef struct PyInitConfig PyInitConfig;
// 0, or -1 with the error kept in the object; strings handed out are for the caller to free().
PyAPI_FUNC(PyInitConfig*) PyInitConfig_Create(void);
PyAPI_FUNC(void) PyInitConfig_Free(PyInitConfig* config);
PyAPI_FUNC(int) PyInitConfig_GetError(PyInitConfig* config, const char** err_msg);
PyAPI_FUNC(int) PyInitConfig_GetExitCode(PyInitConfig* config, int* exitcode);
PyAPI_FUNC(int) PyInitConfig_HasOption(PyInitConfig* config, const char* name);
PyAPI_FUNC(int) PyInitConfig_GetInt(PyInitConfig* config, const char* name, int64_t* value);
PyAPI_FUNC(int) PyInitConfig_GetStr(PyInitConfig* config, const char* name, char** value);
PyAPI_FUNC(int)
    PyInitConfig_GetStrList(PyInitConfig* config, const char* name, size_t* length, char*** items);
PyAPI_FUNC(void) PyInitConfig_FreeStrList(size_t length, char** items);
PyAPI_FUNC(int) PyInitConfig_SetInt(PyInitConfig* config, const char* name, int64_t value);
PyAPI_FUNC(int) PyInitConfig_SetStr(PyInitConfig* config, const char* name, const char* value);
PyAPI_FUNC(int)
    PyInitConfig_SetStrList(PyInitConfig* config, const char* name, size_t length, char* const* items);
PyAPI_FUNC(int) PyInitConfig_AddModule(PyInitConfig* config, const char* name, PyObject* (*initfunc)(void));
PyAPI_FUNC(int) Py_InitializeFromInitConfig(PyInitConfig* config);
PyAPI_FUNC(void) Py_GetArgcArgv(int* argc, wchar_t*** argv);

typedef struct {
  int use_main_obmalloc;
  int allow_fork;
  int allow_exec;
  int allow_threads;
  int allow_daemon_threads;
  int check_multi_interp_extensions;
  int gil;
} PyInterpreterConfig;
#define PyInterpreterConfig_DEFAULT_GIL (0)
#define PyInterpreterConfig_SHARED_GIL (1)
#define PyInterpreterConfig_OWN_GIL (2)
#define _PyInterpreterConfig_LEGACY_CHECK_MULTI_INTERP_EXTENSIONS _Py_FREE_ONLY(1) _Py_GIL_ONLY(0)
#define _PyInterpreterConfig_INIT {0, 0, 0, 1, 0, 1, PyInterpreterConfig_OWN_GIL}
#define _PyInterpreterConfig_LEGACY_INIT \
  {1, 1, 1, 1, 1, _PyInterpreterConfig_LEGACY_CHECK_MULTI_INTERP_EXTENSIONS, PyInterpreterConfig_SHARED_GIL}

PyAPI_FUNC(PyStatus) Py_PreInitialize(const PyPreConfig* src_config);
PyAPI_FUNC(PyStatus)
    Py_PreInitializeFromBytesArgs(const PyPreConfig* src_config, Py_ssize_t argc, char** argv);
PyAPI_FUNC(PyStatus) Py_PreInitializeFromArgs(const PyPreConfig* src_config, Py_ssize_t argc, wchar_t** argv);
#endif
PyAPI_FUNC(void) Py_Initialize(void);
PyAPI_FUNC(void) Py_InitializeEx(int);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyStatus) Py_InitializeFromConfig(const PyConfig* config);
#endif
PyAPI_FUNC(int) Py_IsInitialized(void);
#if _Py_SINCE(3, 13)
PyAPI_FUNC(int) Py_IsFinalizing(void);
#endif
PyAPI_FUNC(void) Py_Finalize(void);
#if _Py_SINCE(3, 6)
PyAPI_FUNC(int) Py_FinalizeEx(void);
#endif
PyAPI_FUNC(int) Py_Main(int argc, wchar_t** argv);
PyAPI_FUNC(int) Py_BytesMain(int argc, char** argv);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) Py_RunMain(void);
PyAPI_FUNC(int) Py_FrozenMain(int argc, char** argv);
#endif
_Py_NO_RETURN PyAPI_FUNC(void) Py_Exit(int);
#ifndef Py_LIMITED_API
_Py_NO_RETURN PyAPI_FUNC(void) Py_ExitStatusException(PyStatus err);
#endif
PyAPI_FUNC(int) Py_AtExit(void (*func)(void));
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) Py_FdIsInteractive(FILE*, const char*);
#endif
PyAPI_FUNC(PyThreadState*) Py_NewInterpreter(void);
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyStatus) Py_NewInterpreterFromConfig(PyThreadState** tstate_p, const PyInterpreterConfig* config);
#endif
PyAPI_FUNC(void) Py_EndInterpreter(PyThreadState*);
#ifndef Py_LIMITED_API
typedef void (*atexit_datacallbackfunc)(void*);
PyAPI_FUNC(int) PyUnstable_AtExit(PyInterpreterState*, atexit_datacallbackfunc, void*);
#endif
// Strings of the runtime, not to be freed.
PyAPI_FUNC(const char*) Py_GetVersion(void);
PyAPI_FUNC(const char*) Py_GetPlatform(void);
PyAPI_FUNC(const char*) Py_GetCopyright(void);
PyAPI_FUNC(const char*) Py_GetCompiler(void);
PyAPI_FUNC(const char*) Py_GetBuildInfo(void);
Py_DEPRECATED() PyAPI_FUNC(void) Py_SetProgramName(const wchar_t*);
Py_DEPRECATED() PyAPI_FUNC(wchar_t*) Py_GetProgramName(void);
Py_DEPRECATED() PyAPI_FUNC(void) Py_SetPythonHome(const wchar_t*);
Py_DEPRECATED() PyAPI_FUNC(wchar_t*) Py_GetPythonHome(void);
Py_DEPRECATED() PyAPI_FUNC(wchar_t*) Py_GetProgramFullPath(void);
Py_DEPRECATED() PyAPI_FUNC(wchar_t*) Py_GetPrefix(void);
Py_DEPRECATED() PyAPI_FUNC(wchar_t*) Py_GetExecPrefix(void);
Py_DEPRECATED() PyAPI_FUNC(wchar_t*) Py_GetPath(void);
#if _Py_SINCE(3, 14)
PyAPI_FUNC(uint32_t) Py_PACK_FULL_VERSION(int x, int y, int z, int level, int serial);
PyAPI_FUNC(uint32_t) Py_PACK_VERSION(int x, int y);
#define Py_PACK_FULL_VERSION _Py_PACK_FULL_VERSION
#define Py_PACK_VERSION(major, minor) _Py_PACK_FULL_VERSION((major), (minor), 0, 0, 0)
#endif
#if _Py_SINCE(3, 11)
PyAPI_DATA(const unsigned long) Py_Version;
#endif
#ifndef Py_LIMITED_API
PyAPI_DATA(int) Py_DebugFlag;
PyAPI_DATA(int) Py_VerboseFlag;
PyAPI_DATA(int) Py_QuietFlag;
PyAPI_DATA(int) Py_InteractiveFlag;
PyAPI_DATA(int) Py_InspectFlag;
PyAPI_DATA(int) Py_OptimizeFlag;
PyAPI_DATA(int) Py_NoSiteFlag;
PyAPI_DATA(int) Py_BytesWarningFlag;
PyAPI_DATA(int) Py_FrozenFlag;
PyAPI_DATA(int) Py_IgnoreEnvironmentFlag;
PyAPI_DATA(int) Py_DontWriteBytecodeFlag;
PyAPI_DATA(int) Py_NoUserSiteDirectory;
PyAPI_DATA(int) Py_UnbufferedStdioFlag;
PyAPI_DATA(int) Py_HashRandomizationFlag;
PyAPI_DATA(int) Py_IsolatedFlag;
PyAPI_FUNC(char*) Py_GETENV(const char* name);
#endif

Py_END_C_DECLS

#endif
