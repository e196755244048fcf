// The types of typevar.cpp, for the _typing module.
#pragma once

#include "Python.h"

extern "C" {
extern PyTypeObject TypeVar_Type;
extern PyTypeObject ParamSpec_Type;
extern PyTypeObject TypeVarTuple_Type;
extern PyTypeObject ParamSpecArgs_Type;
extern PyTypeObject ParamSpecKwargs_Type;
extern PyTypeObject TypeAliasType_Type;
extern PyTypeObject ConstEvaluator_Type;
extern PyTypeObject NoDefault_Type;
extern PyObject no_default_object;
}

namespace amphis {
// typing.Generic, borrowed; made at first use. A heap type: copyreg's __reduce_ex__ asks the first class in the MRO that
// is none for its state. Null with an exception.
PyObject* generic_type();
PyObject* paramspec_part_new(PyTypeObject* type, PyObject* origin);
}
