// Compiles a file (or standard input) and prints the listing of its code objects; with -q only says whether it compiled.
// For reading by eye; starts only as much of the runtime as the compiler needs.
#include <cstdio>
#include <cstring>
#include <string>

#include "Python.h"
#include "compile/compile.h"
#include "compile/dump.h"
#include "objects/exceptions_init.h"
#include "objects/hash.h"
#include "objects/names.h"
#include "objects/type.h"
#include "sync/interpreter_state.h"
#include "sync/ref.h"

using namespace amphis;

// Parts of the runtime that are not started here.
extern "C" __attribute__((weak)) int PyErr_CheckSignals() { return 0; }

int main(int argc, char** argv) {
  start_main_thread();
  init_hash_secret(0);
  if (init_names() < 0 || init_static_types() < 0 || init_exceptions() < 0) return 3;
  bool quiet = false;
  int status = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "-q") == 0) {
      quiet = true;
      continue;
    }
    std::FILE* f = std::strcmp(argv[i], "-") == 0 ? stdin : std::fopen(argv[i], "rb");
    if (f == nullptr) return 2;
    std::string text;
    char buffer[65536];
    size_t n;
    while ((n = std::fread(buffer, 1, sizeof buffer, f)) > 0) text.append(buffer, n);
    if (f != stdin) std::fclose(f);
    Ref<> name = Ref<>::steal(PyUnicode_FromString(argv[i]));
    CompileOptions options;
    options.optimize = 0;
    Ref<> code = Ref<>::steal(compile_source(text, name, options));
    if (!code) {
      Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
      Ref<> message = Ref<>::steal(error ? PyObject_Repr(error) : nullptr);
      const char* s = message ? PyUnicode_AsUTF8(message) : "?";
      std::printf("%s: %s\n", argv[i], s != nullptr ? s : "?");
      status = 1;
      continue;
    }
    if (!quiet) std::fputs(dump_code(reinterpret_cast<PyCodeObject*>(code.get())).c_str(), stdout);
  }
  return status;
}
