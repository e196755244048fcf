// Threads and locks are part of Python.h here; this name is for extensions that ask for them by it.
#ifndef Py_PYTHREAD_H
#define Py_PYTHREAD_H

#include "Python.h"

#endif
