// Owns reading and writing the marshal format. Reading: a new reference, or null with an exception (EOFError,
// ValueError or TypeError). Writing to a file reports errors through the thread's current exception only.
#ifndef Py_MARSHAL_H
#define Py_MARSHAL_H

#include "Python.h"

Py_BEGIN_C_DECLS

#define Py_MARSHAL_VERSION 5

PyAPI_FUNC(PyObject*) PyMarshal_ReadObjectFromString(const char* data, Py_ssize_t size);
PyAPI_FUNC(PyObject*) PyMarshal_WriteObjectToString(PyObject* value, int version);
PyAPI_FUNC(long) PyMarshal_ReadLongFromFile(FILE* file);
PyAPI_FUNC(int) PyMarshal_ReadShortFromFile(FILE* file);
PyAPI_FUNC(PyObject*) PyMarshal_ReadObjectFromFile(FILE* file);
PyAPI_FUNC(PyObject*) PyMarshal_ReadLastObjectFromFile(FILE* file);
PyAPI_FUNC(void) PyMarshal_WriteLongToFile(long value, FILE* file, int version);
PyAPI_FUNC(void) PyMarshal_WriteObjectToFile(PyObject* value, FILE* file, int version);

Py_END_C_DECLS

#endif
