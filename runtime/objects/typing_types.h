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
extern PyTypeObject Generic_Type;
extern PyTypeObject ConstEvaluator_Type;
extern PyTypeObject NoDefault_Type;
extern PyObject no_default_object;
}

namespace amphis {
PyObject* paramspec_part_new(PyTypeObject* type, PyObject* origin);
}
