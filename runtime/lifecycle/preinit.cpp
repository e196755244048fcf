// Before the configuration is read: the locale and UTF-8 mode.
#include "lifecycle/config.h"
#include "lifecycle/runtime_state.h"
#include "modules/running_config.h"

#include <clocale>
#include <cstdlib>
#include <cstring>

namespace amphis {

Phase phase = Phase::kNone;
bool unhandled_keyboard_interrupt = false;

namespace {

// PEP 538: the C locale would make C libraries and child processes handle nothing but ASCII.
void coerce_c_locale(bool warn) {
  const char* now = setlocale(LC_CTYPE, nullptr);
  if (now == nullptr || strcmp(now, "C") != 0) return;
  const char* all = getenv("LC_ALL");
  if (all != nullptr && *all != '\0') return;
  for (const char* target : {"C.UTF-8", "C.utf8", "UTF-8"}) {
    if (setlocale(LC_CTYPE, target) == nullptr) continue;
    setenv("LC_CTYPE", target, 1);
    if (warn) {
      fprintf(stderr,
              "Python detected LC_CTYPE=C: LC_CTYPE coerced to %.20s (set another locale or PYTHONCOERCECLOCALE=0 to "
              "disable this locale coercion behavior).\n",
              target);
    }
    return;
  }
}

}  // namespace

PyStatus preinitialize(const PyPreConfig* config) {
  if (phase != Phase::kNone) return status_ok();
  PyPreConfig& c = running_preconfig;
  c = *config;
  if (c.isolated < 0) c.isolated = 0;
  if (c.use_environment < 0) c.use_environment = !c.isolated;
  auto env = [](const char* name) -> const char* {
    const char* text = c.use_environment ? getenv(name) : nullptr;
    return text != nullptr && *text != '\0' ? text : nullptr;
  };
  if (c.configure_locale) {
    setlocale(LC_CTYPE, "");
    bool coerce = c.coerce_c_locale != 0, warn = false;
    if (const char* text = env("PYTHONCOERCECLOCALE")) {
      if (strcmp(text, "0") == 0) coerce = false;
      if (strcmp(text, "warn") == 0) warn = true;
    }
    if (coerce) coerce_c_locale(warn);
  }
  c.coerce_c_locale = 0;
  c.coerce_c_locale_warn = 0;
  if (c.utf8_mode < 0) {
    c.utf8_mode = 0;
    if (const char* text = env("PYTHONUTF8")) {
      if (strcmp(text, "1") == 0) {
        c.utf8_mode = 1;
      } else if (strcmp(text, "0") != 0) {
        return status_error("preconfig_init_utf8_mode", "invalid PYTHONUTF8 environment variable value");
      }
    } else {
      const char* locale = setlocale(LC_CTYPE, nullptr);
      if (locale != nullptr && (strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0)) c.utf8_mode = 1;
    }
  }
  if (c.dev_mode < 0) c.dev_mode = 0;
  if (c.allocator < 0) c.allocator = 0;
  phase = Phase::kPreinitialized;
  return status_ok();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyStatus Py_PreInitialize(const PyPreConfig* config) { return preinitialize(config); }
PyStatus Py_PreInitializeFromArgs(const PyPreConfig* config, Py_ssize_t, wchar_t**) { return preinitialize(config); }
PyStatus Py_PreInitializeFromBytesArgs(const PyPreConfig* config, Py_ssize_t, char**) { return preinitialize(config); }

}  // extern "C"
