// Compiles modules of the standard library and writes them as arrays of marshalled code: modules that start-up needs,
// and that are there without any file. It is the runtime itself without frozen modules; it starts no import system.
//
//   amphis_freeze LIBRARY-FOLDER OUTPUT.cpp [NAME FILE]...
//
// NAME FILE: one more module, from a file outside the library; it takes the place of the library's own of that name.
#include "Python.h"

#include "compile/compile.h"
#include "marshal.h"
#include "modules/import_state.h"
#include "sync/ref.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <unistd.h>

namespace amphis {

const FrozenModule frozen_modules[] = {{nullptr, nullptr, 0, false, nullptr}};

namespace {

struct Source {
  const char* name;    // as imported
  const char* file;    // below the library folder; null: the code of the entry `origin`
  const char* origin;  // its name in the library; null: it has none of its own there
  bool package = false;
};

constexpr Source kModules[] = {
    {"_frozen_importlib", "importlib/_bootstrap.py", "importlib._bootstrap"},
    {"_frozen_importlib_external", "importlib/_bootstrap_external.py", "importlib._bootstrap_external"},
    {"zipimport", "zipimport.py", "zipimport"},
    {"abc", "abc.py", "abc"},
    {"codecs", "codecs.py", "codecs"},
    {"io", "io.py", "io"},
    {"_collections_abc", "_collections_abc.py", "_collections_abc"},
    {"_sitebuiltins", "_sitebuiltins.py", "_sitebuiltins"},
    {"genericpath", "genericpath.py", "genericpath"},
    {"posixpath", "posixpath.py", "posixpath"},
    {"os.path", nullptr, "posixpath"},
    {"os", "os.py", "os"},
    {"site", "site.py", "site"},
    {"stat", "stat.py", "stat"},
    {"linecache", "linecache.py", "linecache"},
    {"importlib", "importlib/__init__.py", "importlib", true},
    {"importlib.util", "importlib/util.py", "importlib.util"},
    {"importlib.machinery", "importlib/machinery.py", "importlib.machinery"},
    {"importlib._abc", "importlib/_abc.py", "importlib._abc"},
    {"runpy", "runpy.py", "runpy"},
    {"encodings", "encodings/__init__.py", "encodings", true},
    {"encodings.aliases", "encodings/aliases.py", "encodings.aliases"},
    {"encodings.utf_8", "encodings/utf_8.py", "encodings.utf_8"},
    {"__hello__", "__hello__.py", "__hello__"},
    {"__hello_alias__", nullptr, "__hello__"},
    {"__phello_alias__", nullptr, "__hello__", true},
    {"__phello_alias__.spam", nullptr, "__hello__"},
    {"__phello__", "__phello__/__init__.py", "__phello__", true},
    {"__phello__.__init__", nullptr, "__phello__"},
    {"__phello__.ham", "__phello__/ham/__init__.py", "__phello__.ham", true},
    {"__phello__.ham.__init__", nullptr, "__phello__.ham"},
    {"__phello__.ham.eggs", "__phello__/ham/eggs.py", "__phello__.ham.eggs"},
    {"__phello__.spam", "__phello__/spam.py", "__phello__.spam"},
    {"__hello_only__", "__hello__.py", nullptr},
};

[[noreturn]] void fail(const std::string& what) {
  fprintf(stderr, "amphis_freeze: %s\n", what.c_str());
  if (PyErr_Occurred()) {
    Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
    Ref<> text = Ref<>::steal(PyObject_Repr(error));
    fprintf(stderr, "%s\n", text ? PyUnicode_AsUTF8(text) : "?");
  }
  exit(1);
}

std::string read_file(const std::string& path) {
  FILE* file = fopen(path.c_str(), "rb");
  if (file == nullptr) fail("cannot read " + path);
  std::string text;
  char buffer[65536];
  for (size_t n; (n = fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
  fclose(file);
  return text;
}

std::string array_name(size_t i) { return "code_" + std::to_string(i); }

size_t entry_of(const char* origin) {
  for (size_t i = 0; i < std::size(kModules); ++i) {
    if (kModules[i].file != nullptr && kModules[i].origin != nullptr && std::string(kModules[i].origin) == origin)
      return i;
  }
  fail(std::string("no entry is called ") + origin);
}

void write_code(FILE* out, const std::string& array, const std::string& path, const std::string& name) {
  std::string text = read_file(path);
  std::string shown = "<frozen " + name + ">";
  Ref<> filename = Ref<>::steal(PyUnicode_FromString(shown.c_str()));
  Ref<> code = filename ? Ref<>::steal(compile_source(text, filename, {})) : Ref<>();
  if (!code) fail("cannot compile " + path);
  Ref<> bytes = Ref<>::steal(PyMarshal_WriteObjectToString(code, Py_MARSHAL_VERSION));
  if (!bytes) fail("cannot marshal " + path);
  auto* data = reinterpret_cast<unsigned char*>(PyBytes_AS_STRING(bytes.get()));
  fprintf(out, "const unsigned char %s[] = {", array.c_str());
  for (Py_ssize_t k = 0; k < PyBytes_GET_SIZE(bytes.get()); ++k)
    fprintf(out, "%s%u,", k % 32 == 0 ? "\n" : "", data[k]);
  fputs("\n};\n", out);
}

// The file that was given for a module of the list above, or null.
const char* replacement(const char* name, char** extra, size_t extra_count) {
  for (size_t i = 0; i < extra_count; ++i) {
    if (std::string(name) == extra[2 * i]) return extra[2 * i + 1];
  }
  return nullptr;
}

bool is_listed(const char* name) {
  for (const Source& m : kModules) {
    if (std::string(name) == m.name) return true;
  }
  return false;
}

// Distributions leave out some of the modules that only tests import.
bool present(const Source& m, const std::string& library) {
  return std::string(m.name).rfind("__phello__", 0) != 0 || access((library + "/" + m.file).c_str(), R_OK) == 0;
}

int run(const std::string& library, const char* output, char** extra, size_t extra_count) {
  PyConfig config;
  PyConfig_InitIsolatedConfig(&config);
  config._install_importlib = 0;
  config.use_hash_seed = 1;  // the same input gives the same bytes
  config.hash_seed = 0;
  PyStatus status = Py_InitializeFromConfig(&config);
  if (PyStatus_Exception(status)) fail(status.err_msg != nullptr ? status.err_msg : "cannot start");
  std::string temporary = std::string(output) + ".new";
  FILE* out = fopen(temporary.c_str(), "w");
  if (out == nullptr) fail("cannot write " + temporary);
  fputs(
      "// Made by tools/freeze.cpp from the standard library, whose licence applies. Do not edit.\n"
      "#include \"modules/import_state.h\"\n\nnamespace amphis {\n\nnamespace {\n\n",
      out);
  for (size_t i = 0; i < std::size(kModules); ++i) {
    const Source& m = kModules[i];
    if (m.file == nullptr || !present(m, library)) continue;
    const char* given = replacement(m.name, extra, extra_count);
    write_code(out, array_name(i), given != nullptr ? given : library + "/" + m.file, m.origin != nullptr ? m.origin : m.name);
  }
  for (size_t i = 0; i < extra_count; ++i)
    if (!is_listed(extra[2 * i])) write_code(out, "extra_" + std::to_string(i), extra[2 * i + 1], extra[2 * i]);
  fputs("\n}  // namespace\n\nconst FrozenModule frozen_modules[] = {\n", out);
  for (size_t i = 0; i < std::size(kModules); ++i) {
    const Source& m = kModules[i];
    if (!present(m.file != nullptr ? m : kModules[entry_of(m.origin)], library)) continue;
    std::string array = array_name(m.file != nullptr ? i : entry_of(m.origin));
    // importlib's mark of a package under another name.
    const char* mark = m.file == nullptr && kModules[entry_of(m.origin)].package ? "<" : "";
    std::string origin = m.origin != nullptr ? "\"" + std::string(mark) + m.origin + "\"" : "nullptr";
    fprintf(out, "    {\"%s\", %s, sizeof %s, %s, %s},\n", m.name, array.c_str(), array.c_str(),
            m.package ? "true" : "false", origin.c_str());
  }
  for (size_t i = 0; i < extra_count; ++i) {
    if (is_listed(extra[2 * i])) continue;
    fprintf(out, "    {\"%s\", extra_%zu, sizeof extra_%zu, false, nullptr},\n", extra[2 * i], i, i);
  }
  fputs("    {nullptr, nullptr, 0, false, nullptr},\n};\n\n}  // namespace amphis\n", out);
  if (fclose(out) != 0 || rename(temporary.c_str(), output) != 0) fail("cannot write the output");
  return 0;
}

}  // namespace

}  // namespace amphis

int main(int argc, char** argv) {
  if (argc < 3 || argc % 2 == 0) {
    fprintf(stderr, "usage: amphis_freeze LIBRARY-FOLDER OUTPUT.cpp [NAME FILE]...\n");
    return 2;
  }
  return amphis::run(argv[1], argv[2], argv + 3, size_t(argc - 3) / 2);
}
