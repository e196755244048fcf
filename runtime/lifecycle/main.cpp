// The executable: everything is in the library.
#include "Python.h"

int main(int argc, char** argv) { return Py_BytesMain(argc, argv); }
