// Frames are part of Python.h here; this name is for extensions that ask for them by it.
#ifndef Py_FRAMEOBJECT_H
#define Py_FRAMEOBJECT_H

#include "Python.h"

#endif
