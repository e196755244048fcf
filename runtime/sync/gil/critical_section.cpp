// GIL build of the critical-section C API: extensions may call the functions; there is nothing to lock.
#include "Python.h"

extern "C" {

void PyCriticalSection_Begin(PyCriticalSection*, PyObject*) {}
void PyCriticalSection_BeginMutex(PyCriticalSection*, PyMutex*) {}
void PyCriticalSection_End(PyCriticalSection*) {}
void PyCriticalSection2_Begin(PyCriticalSection2*, PyObject*, PyObject*) {}
void PyCriticalSection2_BeginMutex(PyCriticalSection2*, PyMutex*, PyMutex*) {}
void PyCriticalSection2_End(PyCriticalSection2*) {}
void _PyCriticalSection_BeginSlow(PyCriticalSection*, PyMutex*) {}
void _PyCriticalSection2_BeginSlow(PyCriticalSection2*, PyMutex*, PyMutex*, int) {}
void _PyCriticalSection_Resume(PyThreadState*) {}
void _PyCriticalSection_SuspendAll(PyThreadState*) {}

}
