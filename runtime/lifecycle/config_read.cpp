// PyConfig_Read: from what the application set, the command line and the environment to a complete configuration.
#include "lifecycle/config.h"
#include "lifecycle/config_internal.h"
#include "lifecycle/runtime_state.h"
#include "modules/running_config.h"

#include <cstdio>

namespace amphis {

namespace {

PyStatus read_utf8_option(const PyConfig* c) {
  const wchar_t* text = config_xoption(c, L"utf8");
  if (text == nullptr) return status_ok();
  if (*text == 0 || wcscmp(text, L"1") == 0) {
    running_preconfig.utf8_mode = 1;
  } else if (wcscmp(text, L"0") == 0) {
    running_preconfig.utf8_mode = 0;
  } else {
    return status_error("preconfig_init_utf8_mode", "invalid -X utf8 option value");
  }
  return status_ok();
}

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" PyStatus PyConfig_Read(PyConfig* c) {
  PyPreConfig pre;
  PyPreConfig_InitPythonConfig(&pre);
  pre.use_environment = c->use_environment;
  pre.isolated = c->isolated;
  PyStatus status = preinitialize(&pre);
  if (PyStatus_Exception(status)) return status;
  config_take_flags(c);
  status = config_take_globals(c);
  if (PyStatus_Exception(status)) return status;
  if (c->orig_argv.length == 0 && c->argv.length > 0 && !(c->argv.length == 1 && c->argv.items[0][0] == 0)) {
    status = list_copy(&c->orig_argv, c->argv);
    if (PyStatus_Exception(status)) return status;
  }
  if (c->isolated > 0) {
    c->safe_path = 1;
    c->use_environment = 0;
    c->user_site_directory = 0;
  }
  if (c->parse_argv == 1 && c->argv.length > 0) {
    CommandLine what;
    std::wstring program = c->program_name != nullptr ? c->program_name : c->argv.items[0];
    status = config_parse_argv(c, &what);
    if (PyStatus_Exception(status)) return status;
    c->parse_argv = 2;
    if (what.help != 0) {
      print_help(what.help, program.c_str());
      return PyStatus_Exit(0);
    }
    if (what.version != 0) {
      printf("Python %s\n", what.version >= 2 ? Py_GetVersion() : PY_VERSION);
      return PyStatus_Exit(0);
    }
  } else if (c->argv.length == 0) {
    status = PyWideStringList_Append(&c->argv, L"");
    if (PyStatus_Exception(status)) return status;
  }
  status = read_utf8_option(c);
  if (!PyStatus_Exception(status)) status = config_read_environment(c);
  if (!PyStatus_Exception(status)) status = config_compute_paths(c);
  return status;
}
