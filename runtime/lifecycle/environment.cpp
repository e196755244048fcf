// Environment variables and -X options into the configuration. A value given on the command line wins.
#include "lifecycle/config.h"

#include "memory/balance.h"
#include "modules/running_config.h"
#include "objects/int.h"
#include "sync/stop_log.h"

#include <clocale>
#include <cstdlib>
#include <cstring>
#include <cwchar>

namespace amphis {

namespace {

// The flag's count in the environment: an integer, 1 for any other text, 0 if it is negative.
void env_count(const PyConfig* c, int* field, const char* name) {
  const char* text = config_env(c, name);
  if (text == nullptr) return;
  char* end;
  long value = strtol(text, &end, 10);
  int count = *end != '\0' || value > INT_MAX || value < 0 ? 1 : static_cast<int>(value);
  if (*end == '\0' && value < 0) count = 1;
  if (*field < count) *field = count;
}


PyStatus env_text(const PyConfig* c, wchar_t** field, const char* name) {
  if (*field != nullptr) return status_ok();
  const char* text = config_env(c, name);
  return text != nullptr ? config_set_text(field, decode_bytes(text)) : status_ok();
}

PyStatus read_hash_seed(PyConfig* c) {
  if (c->use_hash_seed >= 0) return status_ok();
  const char* text = config_env(c, "PYTHONHASHSEED");
  c->use_hash_seed = 0;
  c->hash_seed = 0;
  if (text == nullptr || strcmp(text, "random") == 0) return status_ok();
  char* end;
  errno = 0;
  unsigned long seed = strtoul(text, &end, 10);
  if (*end != '\0' || seed > 4294967295UL || errno == ERANGE) {
    return status_error("config_init_hash_seed",
                        "PYTHONHASHSEED must be \"random\" or an integer in range [0; 4294967295]");
  }
  c->use_hash_seed = 1;
  c->hash_seed = seed;
  return status_ok();
}

PyStatus read_int_max_str_digits(PyConfig* c) {
  auto valid = [](long long n) { return n == 0 || (n >= kMaxStrDigitsThreshold && n <= INT_MAX); };
  if (const char* text = config_env(c, "PYTHONINTMAXSTRDIGITS")) {
    long long n;
    if (!parse_int(decode_bytes(text).c_str(), &n) || !valid(n)) {
      return status_error("config_init_int_max_str_digits",
                          "PYTHONINTMAXSTRDIGITS: invalid limit; must be >= 640 or 0 for unlimited.");
    }
    c->int_max_str_digits = static_cast<int>(n);
  }
  if (const wchar_t* text = config_xoption(c, L"int_max_str_digits")) {
    long long n;
    if (!parse_int(text, &n) || !valid(n)) {
      return status_error("config_init_int_max_str_digits",
                          "-X int_max_str_digits: invalid limit; must be >= 640 or 0 for unlimited.");
    }
    c->int_max_str_digits = static_cast<int>(n);
  }
  if (c->int_max_str_digits < 0) c->int_max_str_digits = kDefaultMaxStrDigits;
  return status_ok();
}

PyStatus read_cpu_count(PyConfig* c) {
  constexpr char kMessage[] = "-X cpu_count=n option: n is missing or an invalid number, n must be greater than 0";
  auto parse = [&](const std::wstring& text) {
    long long n;
    if (text == L"default") {
      c->cpu_count = -1;
      return true;
    }
    if (!parse_int(text.c_str(), &n) || n < 1 || n > INT_MAX) return false;
    c->cpu_count = static_cast<int>(n);
    return true;
  };
  if (const char* text = config_env(c, "PYTHON_CPU_COUNT")) {
    if (!parse(decode_bytes(text))) return status_error("config_init_cpu_count", kMessage);
  }
  if (const wchar_t* text = config_xoption(c, L"cpu_count")) {
    if (!parse(text)) return status_error("config_init_cpu_count", kMessage);
  }
  return status_ok();
}

PyStatus read_tracemalloc(PyConfig* c) {
  constexpr int kMaxTraced = 0xffff;
  if (c->tracemalloc >= 0) return status_ok();
  c->tracemalloc = 0;
  long long n;
  if (const char* text = config_env(c, "PYTHONTRACEMALLOC")) {
    if (!parse_int(decode_bytes(text).c_str(), &n) || n < 0 || n > kMaxTraced) {
      return status_error("config_init_tracemalloc", "PYTHONTRACEMALLOC: invalid number of frames");
    }
    c->tracemalloc = static_cast<int>(n);
  }
  if (const wchar_t* text = config_xoption(c, L"tracemalloc")) {
    if (*text == 0) {
      n = 1;
    } else if (!parse_int(text, &n) || n < 0 || n > kMaxTraced) {
      return status_error("config_init_tracemalloc", "-X tracemalloc=NFRAME: invalid number of frames");
    }
    c->tracemalloc = static_cast<int>(n);
  }
  return status_ok();
}

PyStatus read_import_time(PyConfig* c) {
  const char* env = config_env(c, "PYTHONPROFILEIMPORTTIME");
  const wchar_t* option = config_xoption(c, L"importtime");
  if (option == nullptr && env == nullptr) return status_ok();
  std::wstring value = option != nullptr ? std::wstring(option) : decode_bytes(env);
  // What is no number switches it on, as the empty value does.
  long long number = 1;
  if (!value.empty() && !parse_int(value.c_str(), &number)) number = 1;
  if (number == 1 || number == 2) {
    c->import_time = static_cast<int>(number);
  } else {
    return status_error("config_init_import_time", option != nullptr
                                                       ? "-X importtime: values other than 1 and 2 are reserved for future use."
                                                       : "PYTHONPROFILEIMPORTTIME: values other than 1 and 2 are reserved for future use.");
  }
  return status_ok();
}

PyStatus read_switch(PyConfig* c, int* field, const char* env_name, const wchar_t* option_name, const char* function,
                     const char* env_message, const char* option_message, int fallback) {
  if (const char* text = config_env(c, env_name)) {
    if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0) return status_error(function, env_message);
    *field = *text == '1';
  }
  if (const wchar_t* text = config_xoption(c, option_name)) {
    if (wcscmp(text, L"0") != 0 && wcscmp(text, L"1") != 0) return status_error(function, option_message);
    *field = *text == L'1';
  }
  if (*field < 0) *field = fallback;
  return status_ok();
}

// -X gil and PYTHON_GIL: only the free-threaded build can do without.
template <class Config>
PyStatus read_gil(Config* c) {
  const char* env = config_env(c, "PYTHON_GIL");
  const wchar_t* option = config_xoption(c, L"gil");
  std::wstring value = option != nullptr ? std::wstring(option) : env != nullptr ? decode_bytes(env) : std::wstring();
  if (option == nullptr && env == nullptr) return status_ok();
  if (value != L"0" && value != L"1") {
    return status_error("config_read_gil", "PYTHON_GIL / -X gil must be \"0\" or \"1\"");
  }
  if constexpr (requires { c->enable_gil; }) {
    c->enable_gil = value == L"1";
  } else if (value == L"0") {
    return status_error("config_read_gil", "Disabling the GIL is not supported by this build");
  }
  return status_ok();
}

template <class Config>
constexpr bool free_threaded() {
  return requires(Config c) { c.enable_gil; };
}

// -X stop_log and PYTHONSTOPLOG. From here on, as threads may soon be started.
PyStatus read_stop_log(const PyConfig* c) {
  const wchar_t* option = config_xoption(c, L"stop_log");
  const char* env = config_env(c, "PYTHONSTOPLOG");
  if (option == nullptr && env == nullptr) return status_ok();
  std::string path = option == nullptr ? std::string(env) : encode_bytes(option);
  if (path.empty() || !sync::open_stop_log(path.c_str())) {
    return status_error("config_read_stop_log", "PYTHONSTOPLOG / -X stop_log=FILE: the file cannot be written");
  }
  return status_ok();
}

// -X alloc_balance and PYTHONALLOCBALANCE, for debug builds. From here on: there is no object yet.
void read_alloc_balance(const PyConfig* c) {
  const wchar_t* option = config_xoption(c, L"alloc_balance");
  const char* env = config_env(c, "PYTHONALLOCBALANCE");
  if (option == nullptr && env == nullptr) return;
  long long frames = 0;
  if (!parse_int(option != nullptr ? option : decode_bytes(env).c_str(), &frames) || frames < 0) frames = 0;
  memory::balance::start(static_cast<int>(frames < 64 ? frames : 64));
}

PyStatus read_warnings(PyConfig* c) {
  // In rising priority: what the options imply, the environment, -W, what the application set.
  PyWideStringList given = c->warnoptions;
  c->warnoptions = {0, nullptr};
  PyStatus status = status_ok();
  auto add = [&](const wchar_t* option) {
    if (PyStatus_Exception(status)) return;
    for (Py_ssize_t i = 0; i < c->warnoptions.length; ++i) {
      if (wcscmp(c->warnoptions.items[i], option) == 0) return;
    }
    status = PyWideStringList_Append(&c->warnoptions, option);
  };
  if (c->dev_mode) add(L"default");
  if (const char* text = config_env(c, "PYTHONWARNINGS")) {
    std::wstring all = decode_bytes(text);
    for (size_t start = 0; start <= all.size();) {
      size_t comma = all.find(L',', start);
      if (comma == std::wstring::npos) comma = all.size();
      if (comma > start) add(all.substr(start, comma - start).c_str());
      start = comma + 1;
    }
  }
  for (Py_ssize_t i = 0; i < given.length; ++i) add(given.items[i]);
  if (c->bytes_warning > 1) {
    add(L"error::BytesWarning");
  } else if (c->bytes_warning == 1) {
    add(L"default::BytesWarning");
  }
  list_clear(&given);
  return status;
}

PyStatus read_stdio(PyConfig* c) {
  if (c->buffered_stdio < 0) c->buffered_stdio = 1;
  if (const char* text = config_env(c, "PYTHONIOENCODING")) {
    std::wstring all = decode_bytes(text);
    size_t colon = all.find(L':');
    std::wstring encoding = all.substr(0, colon), errors = colon == std::wstring::npos ? L"" : all.substr(colon + 1);
    if (c->stdio_encoding == nullptr && !encoding.empty()) {
      PyStatus status = config_set_text(&c->stdio_encoding, encoding);
      if (PyStatus_Exception(status)) return status;
      if (c->stdio_errors == nullptr && errors.empty()) errors = L"strict";
    }
    if (c->stdio_errors == nullptr && !errors.empty()) {
      PyStatus status = config_set_text(&c->stdio_errors, errors);
      if (PyStatus_Exception(status)) return status;
    }
  }
  if (c->stdio_encoding == nullptr) {
    PyStatus status = config_set_text(&c->stdio_encoding, L"utf-8");
    if (PyStatus_Exception(status)) return status;
  }
  if (c->stdio_errors == nullptr) {
    // In the C and POSIX locales, and in UTF-8 mode, undecodable bytes pass through.
    const char* locale = setlocale(LC_CTYPE, nullptr);
    bool plain = locale == nullptr || strcmp(locale, "C") == 0 || strcmp(locale, "POSIX") == 0 ||
                 strcmp(locale, "C.UTF-8") == 0 || strcmp(locale, "C.utf8") == 0;
    return config_set_text(&c->stdio_errors, plain || running_preconfig.utf8_mode > 0 ? L"surrogateescape" : L"strict");
  }
  return status_ok();
}

}  // namespace

const char* config_env(const PyConfig* c, const char* name) {
  if (!c->use_environment) return nullptr;
  const char* text = getenv(name);
  return text != nullptr && *text != '\0' ? text : nullptr;
}

const wchar_t* config_xoption(const PyConfig* c, const wchar_t* name) {
  size_t n = wcslen(name);
  const wchar_t* found = nullptr;
  for (Py_ssize_t i = 0; i < c->xoptions.length; ++i) {
    const wchar_t* text = c->xoptions.items[i];
    if (wcsncmp(text, name, n) != 0) continue;
    if (text[n] == 0) found = text + n;
    if (text[n] == L'=') found = text + n + 1;
  }
  return found;
}

PyStatus config_read_environment(PyConfig* c) {
  if (c->use_environment < 0) c->use_environment = 1;
  if (c->isolated < 0) c->isolated = 0;
  env_count(c, &c->parser_debug, "PYTHONDEBUG");
  env_count(c, &c->verbose, "PYTHONVERBOSE");
  env_count(c, &c->optimization_level, "PYTHONOPTIMIZE");
  if (config_env(c, "PYTHONINSPECT") != nullptr) c->inspect = 1;
  if (config_env(c, "PYTHONDONTWRITEBYTECODE") != nullptr) c->write_bytecode = 0;
  if (config_env(c, "PYTHONNOUSERSITE") != nullptr) c->user_site_directory = 0;
  if (config_env(c, "PYTHONUNBUFFERED") != nullptr) c->buffered_stdio = 0;
  if (config_env(c, "PYTHONSAFEPATH") != nullptr) c->safe_path = 1;
  if (config_env(c, "PYTHONMALLOCSTATS") != nullptr) c->malloc_stats = 1;
  if (config_env(c, "PYTHONFAULTHANDLER") != nullptr || config_xoption(c, L"faulthandler") != nullptr) c->faulthandler = 1;
  if (config_env(c, "PYTHONNODEBUGRANGES") != nullptr || config_xoption(c, L"no_debug_ranges") != nullptr) c->code_debug_ranges = 0;
  if (config_env(c, "PYTHONWARNDEFAULTENCODING") != nullptr || config_xoption(c, L"warn_default_encoding") != nullptr) {
    c->warn_default_encoding = 1;
  }
  if (config_env(c, "PYTHONDEVMODE") != nullptr || config_xoption(c, L"dev") != nullptr) c->dev_mode = 1;
  if (c->dev_mode < 0) c->dev_mode = 0;
  if (c->dev_mode) c->faulthandler = 1;
  if (c->parser_debug > 1) c->parser_debug = 1;
  for (int* field : {&c->parser_debug, &c->verbose, &c->optimization_level, &c->inspect, &c->interactive, &c->bytes_warning,
                     &c->quiet, &c->faulthandler, &c->perf_profiling}) {
    if (*field < 0) *field = 0;
  }
  for (int* field : {&c->write_bytecode, &c->user_site_directory, &c->install_signal_handlers, &c->remote_debug, &c->pathconfig_warnings}) {
    if (*field < 0) *field = 1;
  }
  constexpr bool kFree = free_threaded<PyConfig>();
  PyStatus status = status_ok();
  auto step = [&status](PyStatus s) {
    if (!PyStatus_Exception(status)) status = s;
  };
  step(read_hash_seed(c));
  step(read_int_max_str_digits(c));
  step(read_cpu_count(c));
  step(read_tracemalloc(c));
  step(read_import_time(c));
  step(read_gil(c));
  step(read_stop_log(c));
  read_alloc_balance(c);
  step(read_switch(c, &c->thread_inherit_context, "PYTHON_THREAD_INHERIT_CONTEXT", L"thread_inherit_context",
                   "config_init_thread_inherit_context", "PYTHON_THREAD_INHERIT_CONTEXT must be \"0\" or \"1\"",
                   "-X thread_inherit_context must be \"0\" or \"1\"", kFree));
  step(read_switch(c, &c->context_aware_warnings, "PYTHON_CONTEXT_AWARE_WARNINGS", L"context_aware_warnings",
                   "config_init_context_aware_warnings", "PYTHON_CONTEXT_AWARE_WARNINGS must be \"0\" or \"1\"",
                   "-X context_aware_warnings must be \"0\" or \"1\"", kFree));
  if (PyStatus_Exception(status)) return status;

  const wchar_t* frozen = config_xoption(c, L"frozen_modules");
  std::wstring frozen_env;
  if (frozen == nullptr) {
    if (const char* text = config_env(c, "PYTHON_FROZEN_MODULES")) {
      frozen_env = decode_bytes(text);
      frozen = frozen_env.c_str();
    }
  }
  if (frozen != nullptr) {
    if (wcscmp(frozen, L"on") == 0 || *frozen == 0) {
      c->use_frozen_modules = 1;
    } else if (wcscmp(frozen, L"off") == 0) {
      c->use_frozen_modules = 0;
    } else {
      return PyStatus_Error("bad value for option -X frozen_modules (expected \"on\" or \"off\")");
    }
  }
  if (c->pycache_prefix == nullptr) {
    if (const wchar_t* prefix = config_xoption(c, L"pycache_prefix")) {
      if (*prefix != 0) step(config_set_text(&c->pycache_prefix, prefix));
    } else {
      step(env_text(c, &c->pycache_prefix, "PYTHONPYCACHEPREFIX"));
    }
  }
  step(env_text(c, &c->home, "PYTHONHOME"));
  step(env_text(c, &c->pythonpath_env, "PYTHONPATH"));
  step(env_text(c, &c->platlibdir, "PYTHONPLATLIBDIR"));
  if (!PyStatus_Exception(status) && c->platlibdir == nullptr) step(config_set_text(&c->platlibdir, L"lib"));
  if (!PyStatus_Exception(status) && c->check_hash_pycs_mode == nullptr) step(config_set_text(&c->check_hash_pycs_mode, L"default"));
  if (!PyStatus_Exception(status)) step(config_set_text(&c->filesystem_encoding, L"utf-8"));
  if (!PyStatus_Exception(status)) step(config_set_text(&c->filesystem_errors, L"surrogateescape"));
  if (!PyStatus_Exception(status)) step(read_stdio(c));
  if (!PyStatus_Exception(status)) step(read_warnings(c));
  return status;
}

}  // namespace amphis
