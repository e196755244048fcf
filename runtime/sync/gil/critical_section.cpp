// GIL build of the critical-section C API: extensions may call the functions; there is nothing to lock.
#include "Python.h"

extern "C" {

void PyCriticalSection_Begin(PyCriticalSection*, PyObject*) {}
void PyCriticalSection_BeginMutex(PyCriticalSection*, PyMutex*) {}
void PyCriticalSection_End(PyCriticalSection*) {}
void PyCriticalSection2_Begin(PyCriticalSection2*, PyObject*, PyObject*) {}
void PyCriticalSection2_BeginMutex(PyCriticalSection2*, PyMutex*, PyMutex*) {}
void PyCriticalSection2_End(PyCriticalSection2*) {}

}
