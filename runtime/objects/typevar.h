// Type parameters and type aliases (PEP 695, 696): what the interpreter's intrinsics need of typing's objects. All
// results are new references, or null with an exception; arguments are borrowed.
#pragma once

#include "Python.h"

namespace amphis {

// `evaluate_*` are functions called on demand, or null.
PyObject* typevar_new(PyObject* name, PyObject* evaluate_bound, PyObject* evaluate_constraints);
PyObject* paramspec_new(PyObject* name);
PyObject* typevartuple_new(PyObject* name);
// Sets the default's evaluator; returns the parameter itself.
PyObject* typeparam_set_default(PyObject* typeparam, PyObject* evaluate_default);
PyObject* typealias_new(PyObject* name, PyObject* type_params, PyObject* evaluate_value);
// typing.Generic[params].
PyObject* subscript_generic(PyObject* params);

// Gives type parameters the module that they have where the creating code names none. At start-up, after the static
// types; 0 or -1.
int init_type_parameters();

}  // namespace amphis
