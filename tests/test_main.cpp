// Runs the C++ tests inside an initialised runtime: every test finds this thread attached.
#define CATCH_CONFIG_RUNNER
#include "catch.h"

#include "Python.h"

int main(int argc, char** argv) {
  Py_InitializeEx(0);
  PyGC_Collect();  // tests that count garbage do not find that of the start
  const int failed = Catch::Session().run(argc, argv);
  if (Py_FinalizeEx() < 0) return 120;
  return failed > 255 ? 255 : failed;
}
