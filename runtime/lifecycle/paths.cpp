// Where the program, the standard library and its folders are.
//
// The standard library is CPython's pure-Python one, found in this order: $PYTHONHOME/lib/python3.14, AMPHIS_STDLIB in
// the environment, lib/amphis3.14t (free-threaded), lib/amphis3.14 and lib/python3.14 beside the executable's folder (or the one that pyvenv.cfg names),
// the folder that the build was configured with.
#include "lifecycle/config.h"

#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sys/stat.h>
#include <unistd.h>

#ifndef AMPHIS_STDLIB_PATH
#define AMPHIS_STDLIB_PATH "/usr/lib/python3.14"
#endif
#ifndef AMPHIS_BUILD_EXTENSIONS
#define AMPHIS_BUILD_EXTENSIONS ""
#endif

namespace amphis {

namespace {

constexpr char kVersionFolder[] = "python3.14";
constexpr char kOwnFolder[] = "amphis3.14" AMPHIS_ABIFLAGS;
constexpr char kSharedFolder[] = "amphis3.14";  // where both variants' installations have the library

bool is_file(const std::string& path) {
  struct stat s;
  return stat(path.c_str(), &s) == 0 && S_ISREG(s.st_mode);
}
bool is_folder(const std::string& path) {
  struct stat s;
  return stat(path.c_str(), &s) == 0 && S_ISDIR(s.st_mode);
}
bool is_program(const std::string& path) { return is_file(path) && access(path.c_str(), X_OK) == 0; }

std::string parent(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string base_name(const std::string& path) { return path.substr(path.rfind('/') + 1); }

std::string real_path(const std::string& path) {
  char* full = realpath(path.c_str(), nullptr);
  if (full == nullptr) return path;
  std::string result = full;
  free(full);
  return result;
}

std::string absolute(const std::string& path) {
  if (path.empty() || path[0] == '/') return path;
  char cwd[PATH_MAX];
  if (getcwd(cwd, sizeof cwd) == nullptr) return path;
  std::string relative = path.compare(0, 2, "./") == 0 ? path.substr(2) : path;
  return std::string(cwd) + (strcmp(cwd, "/") == 0 ? "" : "/") + relative;
}

// The program's own path, as argv[0] and PATH tell it; empty if unknown.
std::string find_executable(const std::string& program) {
  if (program.find('/') != std::string::npos) return absolute(program);
  if (program.empty()) return "";
  const char* path = getenv("PATH");
  std::string all = path != nullptr ? path : "";
  for (size_t start = 0; start <= all.size() && !all.empty();) {
    size_t colon = all.find(':', start);
    if (colon == std::string::npos) colon = all.size();
    std::string folder = all.substr(start, colon - start);
    std::string candidate = (folder.empty() ? "." : folder) + "/" + program;
    if (is_program(candidate)) return absolute(candidate);
    start = colon + 1;
  }
  return "";
}

// The value of `home` in the pyvenv.cfg of the folder, or empty.
std::string virtual_environment_home(const std::string& folder) {
  FILE* file = fopen((folder + "/pyvenv.cfg").c_str(), "r");
  if (file == nullptr) return "";
  char line[PATH_MAX + 100];
  std::string home;
  while (home.empty() && fgets(line, sizeof line, file) != nullptr) {
    std::string text = line;
    size_t equals = text.find('=');
    if (equals == std::string::npos) continue;
    auto strip = [](std::string s) {
      size_t first = s.find_first_not_of(" \t\r\n"), last = s.find_last_not_of(" \t\r\n");
      return first == std::string::npos ? std::string() : s.substr(first, last - first + 1);
    };
    if (strip(text.substr(0, equals)) == "home") home = strip(text.substr(equals + 1));
  }
  fclose(file);
  return home;
}

bool is_stdlib(const std::string& folder) { return is_file(folder + "/os.py"); }

struct Layout {
  std::string stdlib, prefix;
};

// The prefix of a library folder PREFIX/lib/NAME; the folder's parent if it has another shape.
std::string prefix_of(const std::string& stdlib) {
  std::string lib = parent(stdlib);
  return base_name(lib) == "lib" || base_name(lib) == "lib64" ? parent(lib) : lib;
}

Layout find_stdlib(const PyConfig* c, const std::string& executable, const std::string& platlibdir) {
  if (c->home != nullptr) {
    std::string home = encode_bytes(c->home);
    home = home.substr(0, home.find(':'));
    for (const char* name : {kOwnFolder, kSharedFolder}) {
      std::string own = home + "/" + platlibdir + "/" + name;
      if (is_stdlib(own)) return {own, home};
    }
    return {home + "/" + platlibdir + "/" + kVersionFolder, home};
  }
  if (const char* given = config_env(c, "AMPHIS_STDLIB")) {
    if (is_stdlib(given)) return {given, prefix_of(given)};
  }
  if (!executable.empty()) {
    for (std::string folder = parent(executable); !folder.empty(); folder = parent(folder)) {
      for (const char* name : {kOwnFolder, kSharedFolder, kVersionFolder}) {
        std::string candidate = folder + "/" + platlibdir + "/" + name;
        if (is_stdlib(candidate)) return {candidate, folder};
      }
      if (folder == "/") break;
    }
  }
  std::string built = AMPHIS_STDLIB_PATH;
  if (is_stdlib(built)) return {built, prefix_of(built)};
  std::string prefix = executable.empty() ? "/usr/local" : parent(parent(executable));
  return {"", prefix};
}

}  // namespace

PyStatus config_compute_paths(PyConfig* c) {
  PyStatus status = status_ok();
  auto put = [&](wchar_t** field, const std::string& text) {
    if (*field == nullptr && !PyStatus_Exception(status)) status = config_set_text(field, decode_bytes(text.c_str()));
  };
  if (c->program_name == nullptr) {
    put(&c->program_name, c->orig_argv.length > 0 && c->orig_argv.items[0][0] != 0 ? encode_bytes(c->orig_argv.items[0]) : "python3");
  }
  if (PyStatus_Exception(status)) return status;
  std::string executable =
      c->executable != nullptr ? encode_bytes(c->executable) : find_executable(encode_bytes(c->program_name));
  put(&c->executable, executable);

  // A virtual environment: the executable is a link or copy in it, the library belongs to the base.
  std::string folder = parent(executable);
  std::string base = executable;
  std::string venv_prefix;
  if (c->home == nullptr && !executable.empty()) {
    for (const std::string& place : {folder, parent(folder)}) {
      std::string home = virtual_environment_home(place);
      if (home.empty()) continue;
      venv_prefix = place;
      base = home + "/" + base_name(executable);
      if (!is_file(base)) base = home + "/amphis3.14" AMPHIS_ABIFLAGS;
      break;
    }
  }
  put(&c->base_executable, base);
  std::string origin = real_path(is_file(base) ? base : executable);
  Layout layout = find_stdlib(c, origin, encode_bytes(c->platlibdir));
  put(&c->base_prefix, layout.prefix);
  put(&c->base_exec_prefix, layout.prefix);
  put(&c->prefix, venv_prefix.empty() ? layout.prefix : venv_prefix);
  put(&c->exec_prefix, venv_prefix.empty() ? layout.prefix : venv_prefix);
  if (!layout.stdlib.empty()) put(&c->stdlib_dir, layout.stdlib);

  if (!c->module_search_paths_set && !PyStatus_Exception(status)) {
    auto add = [&](const std::string& path) {
      if (!PyStatus_Exception(status)) status = PyWideStringList_Append(&c->module_search_paths, decode_bytes(path.c_str()).c_str());
    };
    if (c->pythonpath_env != nullptr) {
      std::string all = encode_bytes(c->pythonpath_env);
      for (size_t start = 0; start <= all.size();) {
        size_t colon = all.find(':', start);
        if (colon == std::string::npos) colon = all.size();
        add(absolute(all.substr(start, colon - start)));
        start = colon + 1;
      }
    }
    std::string library_parent = layout.stdlib.empty() ? layout.prefix + "/lib" : parent(layout.stdlib);
    add(library_parent + "/python314.zip");
    add(layout.stdlib.empty() ? library_parent + "/" + kVersionFolder : layout.stdlib);
    // Extension modules: those of the build tree, if that is where this runs, else the installed ones.
    std::string built = AMPHIS_BUILD_EXTENSIONS;
    if (!built.empty() && parent(origin) == parent(built) && is_folder(built)) {
      add(built);
    } else {
      add(parent(parent(origin)) + "/lib/" + kOwnFolder + "/lib-dynload");
    }
    c->module_search_paths_set = 1;
  }
  return status;
}

void dump_path_configuration(const PyConfig* c) {
  auto text = [](const char* name, const wchar_t* value) {
    if (value == nullptr) {
      fprintf(stderr, "  %s = (not set)\n", name);
    } else {
      fprintf(stderr, "  %s = '%s'\n", name, encode_bytes(value).c_str());
    }
  };
  fprintf(stderr, "Python path configuration:\n");
  text("PYTHONHOME", c->home);
  text("PYTHONPATH", c->pythonpath_env);
  text("program name", c->program_name);
  fprintf(stderr, "  isolated = %i\n  environment = %i\n  user site = %i\n  safe_path = %i\n  import site = %i\n", c->isolated,
          c->use_environment, c->user_site_directory, c->safe_path, c->site_import);
  text("stdlib dir", c->stdlib_dir);
  text("sys._base_executable", c->base_executable);
  text("sys.base_prefix", c->base_prefix);
  text("sys.base_exec_prefix", c->base_exec_prefix);
  text("sys.platlibdir", c->platlibdir);
  text("sys.executable", c->executable);
  text("sys.prefix", c->prefix);
  text("sys.exec_prefix", c->exec_prefix);
  fprintf(stderr, "  sys.path = [\n");
  for (Py_ssize_t i = 0; i < c->module_search_paths.length; ++i) {
    fprintf(stderr, "    '%s',\n", encode_bytes(c->module_search_paths.items[i]).c_str());
  }
  fprintf(stderr, "  ]\n");
}

}  // namespace amphis
