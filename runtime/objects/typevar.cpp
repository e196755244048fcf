// Type parameters: TypeVar, ParamSpec, TypeVarTuple, their helpers, and type aliases (PEP 484, 612, 646, 695, 696).
//
// Bounds, constraints, defaults and alias values are evaluated when they are first asked for: a field is null until
// then, and beside it lies the function that computes it. What these objects mean for subscription is written in
// typing.py; the slots here call it.
#include "objects/typevar.h"

#include <atomic>


#include "interp/frame.h"
#include "objects/names.h"
#include "objects/type.h"
#include "objects/typing_types.h"
#include "objects/union.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {

namespace {

struct TypeParam {
  PyObject_HEAD
  PyObject* dict;
  PyObject* weakrefs;
  PyObject* name;
  PyObject* bound;  // null: not evaluated; Py_None: none
  PyObject* evaluate_bound;
  PyObject* constraints;
  PyObject* evaluate_constraints;
  PyObject* default_value;  // null: not evaluated or none; see evaluate_default
  PyObject* evaluate_default;
  bool covariant, contravariant, infer_variance;
};

struct ParamSpecPart {
  PyObject_HEAD
  PyObject* weakrefs;
  PyObject* origin;
};

struct TypeAlias {
  PyObject_HEAD
  PyObject* name;
  PyObject* type_params;  // tuple or null
  PyObject* evaluate;     // function or null
  PyObject* value;
  PyObject* module;       // str or null
};

TypeParam* as_param(PyObject* o) { return reinterpret_cast<TypeParam*>(o); }
ParamSpecPart* as_part(PyObject* o) { return reinterpret_cast<ParamSpecPart*>(o); }
TypeAlias* as_alias(PyObject* o) { return reinterpret_cast<TypeAlias*>(o); }

// --- NoDefault

PyObject* no_default_repr(PyObject*) { return PyUnicode_FromString("typing.NoDefault"); }
PyObject* no_default_reduce(PyObject*, PyObject*) { return PyUnicode_FromString("NoDefault"); }
PyObject* no_default_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 0 || (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0)) {
    PyErr_SetString(PyExc_TypeError, "NoDefaultType takes no arguments");
    return nullptr;
  }
  return Py_NewRef(&no_default_object);
}
PyMethodDef no_default_methods[] = {
    {"__reduce__", no_default_reduce, METH_NOARGS, nullptr},
    {},
};

// --- what typing.py does for us

PyObject* call_typing(const char* function, PyObject* const* args, size_t nargs) {
  Ref<> module = Ref<>::steal(PyImport_ImportModule("typing"));
  if (!module) return nullptr;
  Ref<> f = Ref<>::steal(PyObject_GetAttrString(module, function));
  return f ? PyObject_Vectorcall(f, args, nargs, nullptr) : nullptr;
}

// The module of the code that creates the object: new reference or null.
PyObject* caller_module() {
  Frame* f = current_frame(current_thread());
  if (f == nullptr) return nullptr;
  PyObject* module;
  if (PyDict_GetItemRef(f->globals(), names.dunder_name, &module) < 0) PyErr_Clear();
  return module;
}

int set_module(PyObject* self) {
  Ref<> module = Ref<>::steal(caller_module());
  return PyObject_SetAttr(self, names.dunder_module, module ? module.get() : Py_None);
}

// What an argument of a type parameter must be: a type or something that can stand for one; strings become forward
// references, None its type. New reference.
PyObject* type_check(PyObject* arg, const char* message) {
  if (arg == Py_None) return Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(Py_None)));
  if (PyType_Check(arg)) return Py_NewRef(arg);
  Ref<> text = Ref<>::steal(PyUnicode_FromString(message));
  if (!text) return nullptr;
  PyObject* args[2] = {arg, text};
  return call_typing("_type_check", args, 2);
}

// Calls an evaluator with format VALUE (1).
PyObject* evaluate(PyObject* function) {
  Ref<> format = Ref<>::steal(PyLong_FromLong(1));
  return PyObject_CallOneArg(function, format);
}

// The field, computed by its evaluator at first use: new reference.
PyObject* evaluated(PyObject* self, PyObject** field, PyObject* evaluator, PyObject* fallback) {
  {
    ObjectLock lock(self);
    if (*field != nullptr) return Py_NewRef(*field);
  }
  if (evaluator == nullptr) return Py_NewRef(fallback);
  Ref<> value = Ref<>::steal(evaluate(evaluator));
  if (!value) return nullptr;
  // An evaluation that asked for the field itself has set it meanwhile: the outermost one counts.
  Ref<> earlier;
  {
    ObjectLock lock(self);
    earlier = Ref<>::steal(*field);
    *field = Py_NewRef(value.get());
  }
  return value.release();
}

// An evaluator for a value that is known already: a callable that returns it for VALUE and describes it otherwise.
struct ConstEvaluator {
  PyObject_HEAD
  PyObject* value;
};
PyObject* const_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  int format;
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0) {
    PyErr_SetString(PyExc_TypeError, "constevaluator() takes no keyword arguments");
    return nullptr;
  }
  if (!PyArg_ParseTuple(args, "i:constevaluator.__call__", &format)) return nullptr;
  PyObject* value = reinterpret_cast<ConstEvaluator*>(self)->value;
  if (format != 4) return Py_NewRef(value);
  // STRING: annotationlib knows how a type is spelled.
  Ref<> module = Ref<>::steal(PyImport_ImportModule("annotationlib"));
  if (!module) return nullptr;
  if (!PyTuple_Check(value)) return PyObject_CallMethod(module, "type_repr", "O", value);
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (Py_ssize_t i = 0; list && i < PyTuple_GET_SIZE(value); ++i) {
    Ref<> text = Ref<>::steal(PyObject_CallMethod(module, "type_repr", "O", PyTuple_GET_ITEM(value, i)));
    if (!text || PyList_Append(list, text) < 0) return nullptr;
  }
  Ref<> separator = Ref<>::steal(PyUnicode_FromString(", "));
  Ref<> joined = Ref<>::steal(PyUnicode_Join(separator, list));
  return joined ? PyUnicode_FromFormat("(%U)", joined.get()) : nullptr;
}
PyObject* const_repr(PyObject* self) {
  return PyUnicode_FromFormat("<constevaluator %R>", reinterpret_cast<ConstEvaluator*>(self)->value);
}
int const_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<ConstEvaluator*>(self)->value);
  return 0;
}
void const_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(reinterpret_cast<ConstEvaluator*>(self)->value);
  PyObject_GC_Del(self);
}
PyObject* const_evaluator(PyObject* value) {
  auto* o = PyObject_GC_New(ConstEvaluator, &ConstEvaluator_Type);
  if (o == nullptr) return nullptr;
  o->value = Py_NewRef(value);
  PyObject_GC_Track(o);
  return reinterpret_cast<PyObject*>(o);
}

// The evaluate_x attribute: the function, or a constant evaluator over the known value, or None.
PyObject* evaluator_of(PyObject* function, PyObject* value) {
  if (function != nullptr) return Py_NewRef(function);
  if (value != nullptr && value != Py_None) return const_evaluator(value);
  return Py_NewRef(Py_None);
}

// --- the three kinds of parameters

TypeParam* param_alloc(PyTypeObject* type, PyObject* name) {
  auto* p = as_param(type->tp_alloc(type, 0));
  if (p == nullptr) return nullptr;
  p->name = Py_NewRef(name);
  return p;
}

int param_traverse(PyObject* self, visitproc visit, void* arg) {
  TypeParam* p = as_param(self);
  Py_VISIT(p->dict);
  Py_VISIT(p->bound);
  Py_VISIT(p->evaluate_bound);
  Py_VISIT(p->constraints);
  Py_VISIT(p->evaluate_constraints);
  Py_VISIT(p->default_value);
  Py_VISIT(p->evaluate_default);
  return 0;
}
int param_clear(PyObject* self) {
  TypeParam* p = as_param(self);
  Py_CLEAR(p->dict);
  Py_CLEAR(p->bound);
  Py_CLEAR(p->evaluate_bound);
  Py_CLEAR(p->constraints);
  Py_CLEAR(p->evaluate_constraints);
  Py_CLEAR(p->default_value);
  Py_CLEAR(p->evaluate_default);
  return 0;
}
void param_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (sync::load_acquire(as_param(self)->weakrefs) != nullptr) PyObject_ClearWeakRefs(self);
  param_clear(self);
  Py_CLEAR(as_param(self)->name);
  Py_TYPE(self)->tp_free(self);
}

PyObject* param_repr(PyObject* self) {
  TypeParam* p = as_param(self);
  if (Py_IS_TYPE(self, &TypeVarTuple_Type) || p->infer_variance) return Py_NewRef(p->name);
  return PyUnicode_FromFormat("%s%U", p->covariant ? "+" : p->contravariant ? "-" : "~", p->name);
}

PyObject* param_reduce(PyObject* self, PyObject*) { return Py_NewRef(as_param(self)->name); }
PyObject* param_mro_entries(PyObject* self, PyObject*) {
  PyErr_Format(PyExc_TypeError, "Cannot subclass an instance of %s", _PyType_Name(Py_TYPE(self)));
  return nullptr;
}

PyObject* get_bound(PyObject* self, void*) {
  return evaluated(self, &as_param(self)->bound, as_param(self)->evaluate_bound, Py_None);
}
PyObject* get_constraints(PyObject* self, void*) {
  TypeParam* p = as_param(self);
  if (p->constraints == nullptr && p->evaluate_constraints == nullptr) return PyTuple_New(0);
  return evaluated(self, &p->constraints, p->evaluate_constraints, Py_None);
}
PyObject* get_default(PyObject* self, void*) {
  return evaluated(self, &as_param(self)->default_value, as_param(self)->evaluate_default, &no_default_object);
}
PyObject* get_evaluate_bound(PyObject* self, void*) {
  return evaluator_of(as_param(self)->evaluate_bound, as_param(self)->bound);
}
PyObject* get_evaluate_constraints(PyObject* self, void*) {
  return evaluator_of(as_param(self)->evaluate_constraints, as_param(self)->constraints);
}
PyObject* get_evaluate_default(PyObject* self, void*) {
  return evaluator_of(as_param(self)->evaluate_default, as_param(self)->default_value);
}
PyObject* param_has_default(PyObject* self, PyObject*) {
  TypeParam* p = as_param(self);
  return PyBool_FromLong(p->evaluate_default != nullptr ||
                         (p->default_value != nullptr && p->default_value != &no_default_object));
}

PyObject* typevar_subst(PyObject* self, PyObject* arg) {
  PyObject* args[2] = {self, arg};
  return call_typing("_typevar_subst", args, 2);
}
PyObject* typevar_prepare_subst(PyObject* self, PyObject* const* given, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("__typing_prepare_subst__", nargs, 2, 2)) return nullptr;
  PyObject* alias = given[0];
  PyObject* args = given[1];
  Ref<> params = Ref<>::steal(PyObject_GetAttrString(alias, "__parameters__"));
  if (!params) return nullptr;
  Ref<> arg_tuple = Ref<>::steal(PySequence_Tuple(args));
  Py_ssize_t index = PySequence_Index(params, self);
  if (!arg_tuple || index < 0) return nullptr;
  const Py_ssize_t given_count = PyTuple_GET_SIZE(arg_tuple.get());
  if (index < given_count) return arg_tuple.release();
  if (index == given_count) {
    Ref<> value = Ref<>::steal(get_default(self, nullptr));
    if (!value) return nullptr;
    if (value.get() != &no_default_object) {
      Ref<> extra = Ref<>::steal(PyTuple_Pack(1, value.get()));
      return extra ? PySequence_Concat(arg_tuple, extra) : nullptr;
    }
  }
  PyErr_Format(PyExc_TypeError, "Too few arguments for %S; actual %zd, expected at least %zd", alias, given_count,
               index + 1);
  return nullptr;
}

PyObject* union_or(PyObject* a, PyObject* b) { return _Py_union_type_or(a, b); }
// Union[a, b]: unlike classes, type parameters make unions with anything that typing takes for a type.
PyObject* param_or(PyObject* a, PyObject* b) {
  Ref<> members = Ref<>::steal(PyTuple_Pack(2, a, b));
  return members ? union_from_tuple(members) : nullptr;
}
PyNumberMethods param_as_number = {.nb_or = param_or};

PyObject* typevar_tp_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"bound", "default", "covariant", "contravariant", "infer_variance", nullptr};
  PyObject *bound = Py_None, *default_value = &no_default_object;
  int covariant = 0, contravariant = 0, infer = 0;
  const Py_ssize_t count = PyTuple_GET_SIZE(args);
  PyObject* name = count > 0 ? PyTuple_GET_ITEM(args, 0) : nullptr;
  Ref<> rest = kwargs != nullptr ? Ref<>::steal(PyDict_Copy(kwargs)) : Ref<>::steal(PyDict_New());
  if (!rest) return nullptr;
  Ref<> name_kw;
  if (name == nullptr) {
    PyObject* found;
    if (PyDict_PopString(rest, "name", &found) < 0) return nullptr;
    name_kw = Ref<>::steal(found);
    name = found;
    if (name == nullptr) {
      PyErr_SetString(PyExc_TypeError, "typevar() missing required argument 'name' (pos 1)");
      return nullptr;
    }
  }
  if (!PyUnicode_Check(name)) {
    PyErr_Format(PyExc_TypeError, "typevar() argument 'name' must be str, not %.50s", Py_TYPE(name)->tp_name);
    return nullptr;
  }
  Ref<> none = Ref<>::steal(PyTuple_New(0));
  if (!PyArg_ParseTupleAndKeywords(none, rest, "|$OOppp:typevar", const_cast<char**>(keywords), &bound, &default_value,
                                   &covariant, &contravariant, &infer)) {
    return nullptr;
  }
  if (covariant && contravariant) {
    PyErr_SetString(PyExc_ValueError, "Bivariant types are not supported.");
    return nullptr;
  }
  if (infer && (covariant || contravariant)) {
    PyErr_SetString(PyExc_ValueError, "Variance cannot be specified with infer_variance.");
    return nullptr;
  }
  Ref<> checked_bound;
  if (bound != Py_None) {
    checked_bound = Ref<>::steal(type_check(bound, "Bound must be a type."));
    if (!checked_bound) return nullptr;
  }
  Ref<> constraints;
  if (count == 2) {
    PyErr_SetString(PyExc_TypeError, "A single constraint is not allowed");
    return nullptr;
  }
  if (count > 2) {
    if (bound != Py_None) {
      PyErr_SetString(PyExc_TypeError, "Constraints cannot be combined with bound=...");
      return nullptr;
    }
    constraints = Ref<>::steal(PyTuple_GetSlice(args, 1, count));
    if (!constraints) return nullptr;
  }
  TypeParam* p = param_alloc(type, name);
  if (p == nullptr) return nullptr;
  Ref<> self = Ref<>::steal(p);
  p->bound = checked_bound.release();
  p->constraints = constraints.release();
  p->default_value = Py_NewRef(default_value);
  p->covariant = covariant != 0;
  p->contravariant = contravariant != 0;
  p->infer_variance = infer != 0;
  return set_module(self) < 0 ? nullptr : self.release();
}

PyObject* paramspec_tp_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", "bound", "default", "covariant", "contravariant", "infer_variance",
                                         nullptr};
  PyObject *name, *bound = Py_None, *default_value = &no_default_object;
  int covariant = 0, contravariant = 0, infer = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|$OOppp:paramspec", const_cast<char**>(keywords), &name, &bound,
                                   &default_value, &covariant, &contravariant, &infer)) {
    return nullptr;
  }
  if (covariant && contravariant) {
    PyErr_SetString(PyExc_ValueError, "Bivariant types are not supported.");
    return nullptr;
  }
  if (infer && (covariant || contravariant)) {
    PyErr_SetString(PyExc_ValueError, "Variance cannot be specified with infer_variance.");
    return nullptr;
  }
  TypeParam* p = param_alloc(type, name);
  if (p == nullptr) return nullptr;
  Ref<> self = Ref<>::steal(p);
  p->bound = Py_NewRef(bound);
  p->default_value = Py_NewRef(default_value);
  p->covariant = covariant != 0;
  p->contravariant = contravariant != 0;
  p->infer_variance = infer != 0;
  return set_module(self) < 0 ? nullptr : self.release();
}

PyObject* typevartuple_tp_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", "default", nullptr};
  PyObject *name, *default_value = &no_default_object;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|$O:typevartuple", const_cast<char**>(keywords), &name,
                                   &default_value)) {
    return nullptr;
  }
  TypeParam* p = param_alloc(type, name);
  if (p == nullptr) return nullptr;
  Ref<> self = Ref<>::steal(p);
  p->default_value = Py_NewRef(default_value);
  return set_module(self) < 0 ? nullptr : self.release();
}

PyObject* paramspec_subst(PyObject* self, PyObject* arg) {
  PyObject* args[2] = {self, arg};
  return call_typing("_paramspec_subst", args, 2);
}
PyObject* paramspec_prepare_subst(PyObject* self, PyObject* const* given, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("__typing_prepare_subst__", nargs, 2, 2)) return nullptr;
  PyObject* args[3] = {self, given[0], given[1]};
  return call_typing("_paramspec_prepare_subst", args, 3);
}
PyObject* typevartuple_subst(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_TypeError, "Substitution of bare TypeVarTuple is not supported");
  return nullptr;
}
PyObject* typevartuple_prepare_subst(PyObject* self, PyObject* const* given, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("__typing_prepare_subst__", nargs, 2, 2)) return nullptr;
  PyObject* args[3] = {self, given[0], given[1]};
  return call_typing("_typevartuple_prepare_subst", args, 3);
}

// Iterating a TypeVarTuple gives its unpacked form, once: *Ts.
PyObject* typevartuple_iter(PyObject* self) {
  Ref<> module = Ref<>::steal(PyImport_ImportModule("typing"));
  if (!module) return nullptr;
  Ref<> unpack = Ref<>::steal(PyObject_GetAttrString(module, "Unpack"));
  if (!unpack) return nullptr;
  Ref<> unpacked = Ref<>::steal(PyObject_GetItem(unpack, self));
  if (!unpacked) return nullptr;
  Ref<> tuple = Ref<>::steal(PyTuple_Pack(1, unpacked.get()));
  return tuple ? PyObject_GetIter(tuple) : nullptr;
}

PyMemberDef typevar_members[] = {
    {"__name__", _Py_T_OBJECT, offsetof(TypeParam, name), Py_READONLY, nullptr},
    {"__covariant__", Py_T_BOOL, offsetof(TypeParam, covariant), Py_READONLY, nullptr},
    {"__contravariant__", Py_T_BOOL, offsetof(TypeParam, contravariant), Py_READONLY, nullptr},
    {"__infer_variance__", Py_T_BOOL, offsetof(TypeParam, infer_variance), Py_READONLY, nullptr},
    {},
};
PyMemberDef typevartuple_members[] = {
    {"__name__", _Py_T_OBJECT, offsetof(TypeParam, name), Py_READONLY, nullptr},
    {},
};
PyGetSetDef typevar_getsets[] = {
    {"__bound__", get_bound, nullptr, nullptr, nullptr},
    {"__constraints__", get_constraints, nullptr, nullptr, nullptr},
    {"__default__", get_default, nullptr, nullptr, nullptr},
    {"evaluate_bound", get_evaluate_bound, nullptr, nullptr, nullptr},
    {"evaluate_constraints", get_evaluate_constraints, nullptr, nullptr, nullptr},
    {"evaluate_default", get_evaluate_default, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {},
};
PyGetSetDef typevartuple_getsets[] = {
    {"__default__", get_default, nullptr, nullptr, nullptr},
    {"evaluate_default", get_evaluate_default, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {},
};
PyObject* get_args(PyObject* self, void*) { return paramspec_part_new(&ParamSpecArgs_Type, self); }
PyObject* get_kwargs(PyObject* self, void*) { return paramspec_part_new(&ParamSpecKwargs_Type, self); }
PyGetSetDef paramspec_getsets[] = {
    {"args", get_args, nullptr, "Represents positional arguments.", nullptr},
    {"kwargs", get_kwargs, nullptr, "Represents keyword arguments.", nullptr},
    {"__bound__", get_bound, nullptr, nullptr, nullptr},
    {"__default__", get_default, nullptr, nullptr, nullptr},
    {"evaluate_default", get_evaluate_default, nullptr, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {},
};

template <typename F>
PyCFunction fast(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}
#define AMPHIS_PARAM_METHODS(table, subst, prepare)                          \
  PyMethodDef table[] = {                                                    \
      {"__typing_subst__", subst, METH_O, nullptr},                          \
      {"__typing_prepare_subst__", fast(prepare), METH_FASTCALL, nullptr},   \
      {"__mro_entries__", param_mro_entries, METH_O, nullptr},               \
      {"__reduce__", param_reduce, METH_NOARGS, nullptr},                    \
      {"has_default", param_has_default, METH_NOARGS, nullptr},              \
      {},                                                                    \
  }
AMPHIS_PARAM_METHODS(typevar_methods, typevar_subst, typevar_prepare_subst);
AMPHIS_PARAM_METHODS(paramspec_methods, paramspec_subst, paramspec_prepare_subst);
AMPHIS_PARAM_METHODS(typevartuple_methods, typevartuple_subst, typevartuple_prepare_subst);

// --- P.args, P.kwargs

PyObject* part_tp_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"origin", nullptr};
  PyObject* origin;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O", const_cast<char**>(keywords), &origin)) return nullptr;
  return paramspec_part_new(type, origin);
}
PyObject* part_repr(PyObject* self) {
  const char* suffix = Py_IS_TYPE(self, &ParamSpecArgs_Type) ? "args" : "kwargs";
  PyObject* origin = as_part(self)->origin;
  if (Py_IS_TYPE(origin, &ParamSpec_Type)) return PyUnicode_FromFormat("%U.%s", as_param(origin)->name, suffix);
  return PyUnicode_FromFormat("%R.%s", origin, suffix);
}
PyObject* part_richcompare(PyObject* self, PyObject* other, int op) {
  if (Py_TYPE(self) != Py_TYPE(other) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  return PyObject_RichCompare(as_part(self)->origin, as_part(other)->origin, op);
}
PyObject* part_mro_entries(PyObject* self, PyObject*) {
  PyErr_Format(PyExc_TypeError, "Cannot subclass an instance of %s", _PyType_Name(Py_TYPE(self)));
  return nullptr;
}
int part_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_part(self)->origin);
  return 0;
}
void part_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (sync::load_acquire(as_part(self)->weakrefs) != nullptr) PyObject_ClearWeakRefs(self);
  Py_CLEAR(as_part(self)->origin);
  Py_TYPE(self)->tp_free(self);
}
PyMemberDef part_members[] = {
    {"__origin__", _Py_T_OBJECT, offsetof(ParamSpecPart, origin), Py_READONLY, nullptr},
    {},
};
PyMethodDef part_methods[] = {
    {"__mro_entries__", part_mro_entries, METH_O, nullptr},
    {},
};

// --- type aliases

PyObject* alias_tp_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", "value", "type_params", nullptr};
  PyObject *name, *value, *params = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "UO|$O:typealias", const_cast<char**>(keywords), &name, &value,
                                   &params)) {
    return nullptr;
  }
  if (params != nullptr && !PyTuple_Check(params)) {
    PyErr_SetString(PyExc_TypeError, "type_params must be a tuple");
    return nullptr;
  }
  if (params != nullptr) {
    bool default_seen = false;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(params); ++i) {
      PyObject* p = PyTuple_GET_ITEM(params, i);
      if (!Py_IS_TYPE(p, &TypeVar_Type) && !Py_IS_TYPE(p, &ParamSpec_Type) && !Py_IS_TYPE(p, &TypeVarTuple_Type)) {
        PyErr_Format(PyExc_TypeError, "Expected a type param, got %R", p);
        return nullptr;
      }
      Ref<> has = Ref<>::steal(param_has_default(p, nullptr));
      const bool has_default = has.get() == Py_True;
      if (default_seen && !has_default) {
        PyErr_Format(PyExc_TypeError, "non-default type parameter '%R' follows default type parameter", p);
        return nullptr;
      }
      default_seen = default_seen || has_default;
    }
    if (PyTuple_GET_SIZE(params) == 0) params = nullptr;
  }
  auto* alias = PyObject_GC_New(TypeAlias, &TypeAliasType_Type);
  if (alias == nullptr) return nullptr;
  alias->name = Py_NewRef(name);
  alias->type_params = Py_XNewRef(params);
  alias->evaluate = nullptr;
  alias->value = Py_NewRef(value);
  alias->module = caller_module();
  PyObject_GC_Track(alias);
  return reinterpret_cast<PyObject*>(alias);
}

PyObject* alias_value(PyObject* self, void*) {
  return evaluated(self, &as_alias(self)->value, as_alias(self)->evaluate, Py_None);
}
PyObject* alias_evaluate_value(PyObject* self, void*) {
  return evaluator_of(as_alias(self)->evaluate, as_alias(self)->value);
}
PyObject* alias_type_params(PyObject* self, void*) {
  PyObject* p = as_alias(self)->type_params;
  return p != nullptr ? Py_NewRef(p) : PyTuple_New(0);
}
// __parameters__: a TypeVarTuple stands for its unpacked form.
PyObject* alias_parameters(PyObject* self, void*) {
  PyObject* params = as_alias(self)->type_params;
  if (params == nullptr) return PyTuple_New(0);
  Ref<> result = Ref<>::steal(PyTuple_New(PyTuple_GET_SIZE(params)));
  for (Py_ssize_t i = 0; result && i < PyTuple_GET_SIZE(params); ++i) {
    PyObject* p = PyTuple_GET_ITEM(params, i);
    if (Py_IS_TYPE(p, &TypeVarTuple_Type)) {
      Ref<> it = Ref<>::steal(typevartuple_iter(p));
      PyObject* unpacked = it ? PyIter_Next(it) : nullptr;
      if (unpacked == nullptr) return nullptr;
      PyTuple_SET_ITEM(result.get(), i, unpacked);
    } else {
      PyTuple_SET_ITEM(result.get(), i, Py_NewRef(p));
    }
  }
  return result.release();
}
PyObject* alias_module(PyObject* self, void*) {
  PyObject* m = as_alias(self)->module;
  return Py_NewRef(m != nullptr ? m : Py_None);
}
PyObject* alias_repr(PyObject* self) { return Py_NewRef(as_alias(self)->name); }
PyObject* alias_reduce(PyObject* self, PyObject*) { return Py_NewRef(as_alias(self)->name); }
PyObject* alias_subscript(PyObject* self, PyObject* args) {
  if (as_alias(self)->type_params == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Only generic type aliases are subscriptable");
    return nullptr;
  }
  return Py_GenericAlias(self, args);
}
PyObject* alias_iter(PyObject* self) {
  Ref<> module = Ref<>::steal(PyImport_ImportModule("typing"));
  if (!module) return nullptr;
  Ref<> unpack = Ref<>::steal(PyObject_GetAttrString(module, "Unpack"));
  Ref<> unpacked;
  if (unpack) unpacked = Ref<>::steal(PyObject_GetItem(unpack, self));
  if (!unpacked) return nullptr;
  Ref<> tuple = Ref<>::steal(PyTuple_Pack(1, unpacked.get()));
  return tuple ? PyObject_GetIter(tuple) : nullptr;
}
int alias_traverse(PyObject* self, visitproc visit, void* arg) {
  TypeAlias* a = as_alias(self);
  Py_VISIT(a->type_params);
  Py_VISIT(a->evaluate);
  Py_VISIT(a->value);
  Py_VISIT(a->module);
  return 0;
}
int alias_clear(PyObject* self) {
  TypeAlias* a = as_alias(self);
  Py_CLEAR(a->type_params);
  Py_CLEAR(a->evaluate);
  Py_CLEAR(a->value);
  Py_CLEAR(a->module);
  return 0;
}
void alias_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  alias_clear(self);
  Py_CLEAR(as_alias(self)->name);
  PyObject_GC_Del(self);
}
PyMemberDef alias_members[] = {
    {"__name__", _Py_T_OBJECT, offsetof(TypeAlias, name), Py_READONLY, nullptr},
    {},
};
PyGetSetDef alias_getsets[] = {
    {"__value__", alias_value, nullptr, nullptr, nullptr},
    {"evaluate_value", alias_evaluate_value, nullptr, nullptr, nullptr},
    {"__type_params__", alias_type_params, nullptr, nullptr, nullptr},
    {"__parameters__", alias_parameters, nullptr, nullptr, nullptr},
    {"__module__", alias_module, nullptr, nullptr, nullptr},
    {},
};
PyMethodDef alias_methods[] = {
    {"__reduce__", alias_reduce, METH_NOARGS, nullptr},
    {},
};
PyNumberMethods alias_as_number = {.nb_or = union_or};
PyMappingMethods alias_as_mapping = {.mp_subscript = alias_subscript};

// --- Generic

PyObject* call_typing_class(const char* function, PyObject* cls, PyObject* args, PyObject* kwargs) {
  Ref<> module = Ref<>::steal(PyImport_ImportModule("typing"));
  if (!module) return nullptr;
  Ref<> f = Ref<>::steal(PyObject_GetAttrString(module, function));
  Ref<> first = Ref<>::steal(PyTuple_Pack(1, cls));
  if (!f || !first) return nullptr;
  Ref<> all = Ref<>::steal(PySequence_Concat(first, args));
  return all ? PyObject_Call(f, all, kwargs) : nullptr;
}
PyObject* generic_class_getitem(PyObject* cls, PyObject* args, PyObject* kwargs) {
  return call_typing_class("_generic_class_getitem", cls, args, kwargs);
}
PyObject* generic_init_subclass(PyObject* cls, PyObject* args, PyObject* kwargs) {
  return call_typing_class("_generic_init_subclass", cls, args, kwargs);
}
PyMethodDef generic_methods[] = {
    {"__class_getitem__", fast(generic_class_getitem), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
     "Parameterizes a generic class."},
    {"__init_subclass__", fast(generic_init_subclass), METH_VARARGS | METH_KEYWORDS | METH_CLASS,
     "Function to initialize subclasses."},
    {},
};

}  // namespace

int init_type_parameters() {
  Ref<> module = Ref<>::steal(PyUnicode_InternFromString("typing"));
  if (!module) return -1;
  for (PyTypeObject* type : {&TypeVar_Type, &ParamSpec_Type, &TypeVarTuple_Type}) {
    if (PyDict_SetItem(type->tp_dict, names.dunder_module, module) < 0) return -1;
  }
  return 0;
}

PyObject* generic_type() {
  static std::atomic<PyObject*> type{nullptr};
  if (PyObject* known = type.load(std::memory_order_acquire)) return known;
  static PyType_Slot slots[] = {
      {Py_tp_doc, const_cast<char*>("Abstract base class for generic types.")},
      {Py_tp_methods, generic_methods},
      {},
  };
  static PyType_Spec spec = {
      .name = "typing.Generic",
      .basicsize = sizeof(PyObject),
      .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE,
      .slots = slots,
  };
  Ref<> made = Ref<>::steal(PyType_FromSpec(&spec));
  if (!made) return nullptr;
  PyObject* expected = nullptr;
  if (type.compare_exchange_strong(expected, made.get(), std::memory_order_acq_rel)) return made.release();
  return expected;
}

PyObject* paramspec_part_new(PyTypeObject* type, PyObject* origin) {
  auto* part = as_part(type->tp_alloc(type, 0));
  if (part == nullptr) return nullptr;
  part->origin = Py_NewRef(origin);
  return reinterpret_cast<PyObject*>(part);
}

PyObject* typevar_new(PyObject* name, PyObject* evaluate_bound, PyObject* evaluate_constraints) {
  TypeParam* p = param_alloc(&TypeVar_Type, name);
  if (p == nullptr) return nullptr;
  p->evaluate_bound = Py_XNewRef(evaluate_bound);
  p->evaluate_constraints = Py_XNewRef(evaluate_constraints);
  p->infer_variance = true;
  return reinterpret_cast<PyObject*>(p);
}

PyObject* paramspec_new(PyObject* name) {
  TypeParam* p = param_alloc(&ParamSpec_Type, name);
  if (p == nullptr) return nullptr;
  p->infer_variance = true;
  return reinterpret_cast<PyObject*>(p);
}

PyObject* typevartuple_new(PyObject* name) {
  TypeParam* p = param_alloc(&TypeVarTuple_Type, name);
  if (p == nullptr) return nullptr;
  return reinterpret_cast<PyObject*>(p);
}

PyObject* typeparam_set_default(PyObject* typeparam, PyObject* evaluate_default) {
  Py_XSETREF(as_param(typeparam)->evaluate_default, Py_NewRef(evaluate_default));
  return Py_NewRef(typeparam);
}

PyObject* typealias_new(PyObject* name, PyObject* type_params, PyObject* evaluate_value) {
  auto* alias = PyObject_GC_New(TypeAlias, &TypeAliasType_Type);
  if (alias == nullptr) return nullptr;
  alias->name = Py_NewRef(name);
  alias->type_params = Py_XNewRef(type_params);
  alias->evaluate = Py_NewRef(evaluate_value);
  alias->value = nullptr;
  alias->module = caller_module();
  PyObject_GC_Track(alias);
  return reinterpret_cast<PyObject*>(alias);
}

// A TypeVarTuple among the parameters of a class statement subscripts Generic in its unpacked form.
PyObject* subscript_generic(PyObject* params) {
  Ref<> unpacked = Ref<>::steal(PyTuple_New(PyTuple_GET_SIZE(params)));
  for (Py_ssize_t i = 0; unpacked && i < PyTuple_GET_SIZE(params); ++i) {
    PyObject* p = PyTuple_GET_ITEM(params, i);
    PyObject* item;
    if (Py_IS_TYPE(p, &TypeVarTuple_Type)) {
      Ref<> it = Ref<>::steal(typevartuple_iter(p));
      item = it ? PyIter_Next(it) : nullptr;
    } else {
      item = Py_NewRef(p);
    }
    if (item == nullptr) return nullptr;
    PyTuple_SET_ITEM(unpacked.get(), i, item);
  }
  if (!unpacked) return nullptr;
  Ref<> module = Ref<>::steal(PyImport_ImportModule("typing"));
  if (!module) return nullptr;
  Ref<> make = Ref<>::steal(PyObject_GetAttrString(module, "_GenericAlias"));
  if (!make) return nullptr;
  PyObject* generic = generic_type();
  return generic != nullptr ? PyObject_CallFunctionObjArgs(make, generic, unpacked.get(), nullptr) : nullptr;
}

}  // namespace amphis

extern "C" {

using namespace amphis;

#define AMPHIS_PARAM_TYPE(variable, text, doc, members, getsets, methods, number, iter, create)                      \
  PyTypeObject variable = {                                                                                          \
      .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)                                                              \
      .tp_name = text,                                                                                               \
      .tp_basicsize = sizeof(TypeParam),                                                                             \
      .tp_dealloc = param_dealloc,                                                                                   \
      .tp_repr = param_repr,                                                                                         \
      .tp_as_number = number,                                                                                        \
      .tp_getattro = PyObject_GenericGetAttr,                                                                        \
      .tp_setattro = PyObject_GenericSetAttr,                                                                        \
      .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,                                                           \
      .tp_doc = doc,                                                                                                 \
      .tp_traverse = param_traverse,                                                                                 \
      .tp_clear = param_clear,                                                                                       \
      .tp_weaklistoffset = offsetof(TypeParam, weakrefs),                                                            \
      .tp_iter = iter,                                                                                               \
      .tp_methods = methods,                                                                                         \
      .tp_members = members,                                                                                         \
      .tp_getset = getsets,                                                                                          \
      .tp_dictoffset = offsetof(TypeParam, dict),                                                                    \
      .tp_alloc = PyType_GenericAlloc,                                                                               \
      .tp_new = create,                                                                                              \
      .tp_free = PyObject_GC_Del,                                                                                    \
  }
AMPHIS_PARAM_TYPE(TypeVar_Type, "typing.TypeVar", "Type variable.", typevar_members, typevar_getsets, typevar_methods,
                  &param_as_number, nullptr, typevar_tp_new);
AMPHIS_PARAM_TYPE(ParamSpec_Type, "typing.ParamSpec", "Parameter specification variable.", typevar_members,
                  paramspec_getsets, paramspec_methods, &param_as_number, nullptr, paramspec_tp_new);
AMPHIS_PARAM_TYPE(TypeVarTuple_Type, "typing.TypeVarTuple", "Type variable tuple.", typevartuple_members,
                  typevartuple_getsets, typevartuple_methods, nullptr, typevartuple_iter, typevartuple_tp_new);

#define AMPHIS_PART_TYPE(variable, text)                                                            \
  PyTypeObject variable = {                                                                         \
      .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)                                             \
      .tp_name = text,                                                                              \
      .tp_basicsize = sizeof(ParamSpecPart),                                                        \
      .tp_dealloc = part_dealloc,                                                                   \
      .tp_repr = part_repr,                                                                         \
      .tp_hash = PyObject_HashNotImplemented,                                                       \
      .tp_getattro = PyObject_GenericGetAttr,                                                       \
      .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,                                          \
      .tp_traverse = part_traverse,                                                                 \
      .tp_richcompare = part_richcompare,                                                           \
      .tp_weaklistoffset = offsetof(ParamSpecPart, weakrefs),                                       \
      .tp_methods = part_methods,                                                                   \
      .tp_members = part_members,                                                                   \
      .tp_alloc = PyType_GenericAlloc,                                                              \
      .tp_new = part_tp_new,                                                                        \
      .tp_free = PyObject_GC_Del,                                                                   \
  }
AMPHIS_PART_TYPE(ParamSpecArgs_Type, "typing.ParamSpecArgs");
AMPHIS_PART_TYPE(ParamSpecKwargs_Type, "typing.ParamSpecKwargs");

PyTypeObject TypeAliasType_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "typing.TypeAliasType",
    .tp_basicsize = sizeof(TypeAlias),
    .tp_dealloc = alias_dealloc,
    .tp_repr = alias_repr,
    .tp_as_number = &alias_as_number,
    .tp_as_mapping = &alias_as_mapping,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Type alias.",
    .tp_traverse = alias_traverse,
    .tp_clear = alias_clear,
    .tp_iter = alias_iter,
    .tp_methods = alias_methods,
    .tp_members = alias_members,
    .tp_getset = alias_getsets,
    .tp_new = alias_tp_new,
};

PyTypeObject ConstEvaluator_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_typing._ConstEvaluator",
    .tp_basicsize = sizeof(ConstEvaluator),
    .tp_dealloc = const_dealloc,
    .tp_repr = const_repr,
    .tp_call = const_call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = const_traverse,
};

PyTypeObject NoDefault_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "NoDefaultType",
    .tp_basicsize = sizeof(PyObject),
    .tp_repr = no_default_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_doc = "The type of the NoDefault singleton.",
    .tp_methods = no_default_methods,
    .tp_new = no_default_new,
};

namespace {
struct StaticHead {
  PyObject head;
};
constexpr StaticHead kNoDefault = {PyObject_HEAD_INIT(&NoDefault_Type)};
}  // namespace
constinit PyObject no_default_object = kNoDefault.head;

}  // extern "C"
