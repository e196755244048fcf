// What the rest of the runtime may ask of typing.Union: the type of X | Y.
#pragma once

#include "Python.h"

extern "C" PyTypeObject _PyUnion_Type;

namespace amphis {

inline bool is_union(PyObject* op) { return Py_IS_TYPE(op, &_PyUnion_Type); }
// The members of a union, a tuple borrowed from it: isinstance() and issubclass() look at each.
PyObject* union_args(PyObject* op);
// Union[args]: a new union, or the only member; null with an exception.
PyObject* union_from_tuple(PyObject* args);
// Instances of `type` may stand in X | Y beside classes, None, generic aliases and unions. Start-up only.
void union_admit(PyTypeObject* type);

}  // namespace amphis
