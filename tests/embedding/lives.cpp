// Lives of the runtime in one process: lives COUNT PROGRAM. Under PYTHONALLOCBALANCE each tells what it left.
#include <Python.h>

#include <stdlib.h>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  for (int life = atoi(argv[1]); life > 0; --life) {
    Py_InitializeEx(0);
    if (PyRun_SimpleString(argv[2]) != 0) return 1;
    if (Py_FinalizeEx() < 0) return 1;
  }
  return 0;
}
