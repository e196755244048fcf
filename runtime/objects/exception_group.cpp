// BaseExceptionGroup and ExceptionGroup (PEP 654): split, subgroup, derive, and what `except*` re-raises.
#include "objects/exceptions.h"
#include "objects/names.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyBaseExceptionGroupObject* as_group(PyObject* o) { return reinterpret_cast<PyBaseExceptionGroupObject*>(o); }
PyTypeObject* base_group_type() { return reinterpret_cast<PyTypeObject*>(PyExc_BaseExceptionGroup); }
bool is_group(PyObject* o) { return PyObject_TypeCheck(o, base_group_type()); }
PyObject* exception_group_class();

PyObject* group_new(PyTypeObject* type, PyObject* args, PyObject*) {
  PyObject *message, *given;
  if (!PyArg_ParseTuple(args, "UO:BaseExceptionGroup.__new__", &message, &given)) return nullptr;
  if (!PySequence_Check(given)) {
    PyErr_SetString(PyExc_TypeError, "second argument (exceptions) must be a sequence");
    return nullptr;
  }
  Ref<> excs = Ref<>::steal(PySequence_Tuple(given));
  if (!excs) return nullptr;
  Py_ssize_t count = PyTuple_GET_SIZE(excs.get());
  if (count == 0) {
    PyErr_SetString(PyExc_ValueError, "second argument (exceptions) must be a non-empty sequence");
    return nullptr;
  }
  bool only_exceptions = true;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* e = PyTuple_GET_ITEM(excs.get(), i);
    if (!PyExceptionInstance_Check(e)) {
      PyErr_Format(PyExc_ValueError, "Item %zd of second argument (exceptions) is not an exception", i);
      return nullptr;
    }
    if (!PyObject_TypeCheck(e, reinterpret_cast<PyTypeObject*>(PyExc_Exception))) only_exceptions = false;
  }
  auto* group_class = reinterpret_cast<PyTypeObject*>(exception_group_class());
  if (type == base_group_type()) {
    if (only_exceptions) type = group_class;
  } else if (!only_exceptions && PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(PyExc_Exception))) {
    if (type == group_class) {
      PyErr_SetString(PyExc_TypeError, "Cannot nest BaseExceptions in an ExceptionGroup");
    } else {
      PyErr_Format(PyExc_TypeError, "Cannot nest BaseExceptions in '%.200s'", type->tp_name);
    }
    return nullptr;
  }
  // repr shows a sequence of a kind of its own as it was when the group was made.
  Ref<> shown;
  if (!PyList_Check(given) && !PyTuple_Check(given)) {
    shown = Ref<>::steal(PyObject_Repr(given));
    if (!shown) return nullptr;
  }
  PyObject* self = exception_new(type, args, nullptr);
  if (self == nullptr) return nullptr;
  as_group(self)->excs_str = shown.release();
  as_group(self)->msg = Py_NewRef(message);
  as_group(self)->excs = excs.release();
  return self;
}

PyObject* group_str(PyObject* self) {
  Py_ssize_t count = PyTuple_GET_SIZE(as_group(self)->excs);
  return PyUnicode_FromFormat("%S (%zd sub-exception%s)", as_group(self)->msg, count, count > 1 ? "s" : "");
}

PyObject* group_repr(PyObject* self) {
  // The exceptions are shown as the kind of sequence that they were given as.
  if (PyObject* text = as_group(self)->excs_str) {
    return PyUnicode_FromFormat("%s(%R, %U)", _PyType_Name(Py_TYPE(self)), as_group(self)->msg, text);
  }
  Ref<> args = exception_args(self);
  Ref<> shown;
  if (PyTuple_GET_SIZE(args.get()) == 2 && PyList_Check(PyTuple_GET_ITEM(args.get(), 1))) {
    shown = Ref<>::steal(PySequence_List(as_group(self)->excs));
  } else {
    shown = Ref<>::share(as_group(self)->excs);
  }
  if (!shown) return nullptr;
  return PyUnicode_FromFormat("%s(%R, %R)", _PyType_Name(Py_TYPE(self)), as_group(self)->msg, shown.get());
}

PyObject* group_derive(PyObject* self, PyObject* excs) {
  return PyObject_CallFunctionObjArgs(PyExc_BaseExceptionGroup, as_group(self)->msg, excs, nullptr);
}

// A group like `self` with other members: traceback, context, cause and notes carried over.
PyObject* derive_like(PyObject* self, PyObject* excs) {
  Ref<> made = Ref<>::steal(PyObject_CallMethod(self, "derive", "(O)", excs));
  if (!made) return nullptr;
  if (!is_group(made)) {
    PyErr_SetString(PyExc_TypeError, "derive must return an instance of BaseExceptionGroup");
    return nullptr;
  }
  Ref<> traceback = Ref<>::steal(PyException_GetTraceback(self));
  if (traceback && PyException_SetTraceback(made, traceback) < 0) return nullptr;
  PyException_SetContext(made, PyException_GetContext(self));
  PyException_SetCause(made, PyException_GetCause(self));
  Ref<> name = Ref<>::steal(PyUnicode_InternFromString("__notes__"));
  PyObject* found;
  if (!name || PyObject_GetOptionalAttr(self, name, &found) < 0) return nullptr;
  Ref<> notes = Ref<>::steal(found);
  if (notes) {
    Ref<> copy = Ref<>::steal(PySequence_List(notes));
    if (!copy) {
      PyErr_Clear();
    } else if (PyObject_SetAttr(made, name, copy) < 0) {
      return nullptr;
    }
  }
  return made.release();
}

// How exceptions are told apart: by class or tuple of classes, by a predicate, or by identity in a set of ids.
struct Matcher {
  enum Kind { kTypes, kPredicate, kIds } kind;
  PyObject* value;
  int operator()(PyObject* exc) const {
    switch (kind) {
      case kTypes:
        return PyErr_GivenExceptionMatches(exc, value);
      case kPredicate: {
        Ref<> result = Ref<>::steal(PyObject_CallOneArg(value, exc));
        return result ? PyObject_IsTrue(result) : -1;
      }
      default: {
        if (is_group(exc)) return 0;
        Ref<> id = Ref<>::steal(PyLong_FromVoidPtr(exc));
        return id ? PySet_Contains(value, id) : -1;
      }
    }
  }
};

bool make_matcher(PyObject* condition, Matcher* out) {
  if (PyExceptionClass_Check(condition)) {
    *out = {Matcher::kTypes, condition};
    return true;
  }
  if (PyFunction_Check(condition) || (PyCallable_Check(condition) && !PyType_Check(condition))) {
    *out = {Matcher::kPredicate, condition};
    return true;
  }
  if (PyTuple_CheckExact(condition)) {
    bool all = true;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(condition); ++i) {
      all = all && PyExceptionClass_Check(PyTuple_GET_ITEM(condition, i));
    }
    if (all) {
      *out = {Matcher::kTypes, condition};
      return true;
    }
  }
  PyErr_SetString(PyExc_TypeError, "expected an exception type, a tuple of exception types, or a callable (other than "
                                   "a class)");
  return false;
}

// Splits exc into the part that matches and the rest; either may come back null. With rest == null only the match is
// built.
bool split(PyObject* exc, const Matcher& matches, Ref<>* match, Ref<>* rest) {
  int whole = matches(exc);
  if (whole < 0) return false;
  if (whole) {
    *match = Ref<>::share(exc);
    return true;
  }
  if (!is_group(exc)) {
    if (rest != nullptr) *rest = Ref<>::share(exc);
    return true;
  }
  if (Py_EnterRecursiveCall(" in exceptiongroup_split_recursive")) return false;
  Ref<> matched = Ref<>::steal(PyList_New(0));
  Ref<> others = Ref<>::steal(PyList_New(0));
  bool ok = matched && others;
  Ref<> excs = Ref<>::share(as_group(exc)->excs);
  for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(excs.get()); ++i) {
    Ref<> part, remainder;
    ok = split(PyTuple_GET_ITEM(excs.get(), i), matches, &part, rest != nullptr ? &remainder : nullptr);
    if (ok && part) ok = PyList_Append(matched, part) == 0;
    if (ok && remainder) ok = PyList_Append(others, remainder) == 0;
  }
  if (ok && PyList_GET_SIZE(matched.get()) > 0) {
    *match = Ref<>::steal(derive_like(exc, matched));
    ok = static_cast<bool>(*match);
  }
  if (ok && rest != nullptr && PyList_GET_SIZE(others.get()) > 0) {
    *rest = Ref<>::steal(derive_like(exc, others));
    ok = static_cast<bool>(*rest);
  }
  Py_LeaveRecursiveCall();
  return ok;
}

PyObject* or_none(Ref<>& o) { return o ? o.release() : Py_NewRef(Py_None); }

PyObject* group_split(PyObject* self, PyObject* condition) {
  Matcher matcher;
  Ref<> match, rest;
  if (!make_matcher(condition, &matcher) || !split(self, matcher, &match, &rest)) return nullptr;
  Ref<> a = Ref<>::steal(or_none(match)), b = Ref<>::steal(or_none(rest));
  return PyTuple_Pack(2, a.get(), b.get());
}

PyObject* group_subgroup(PyObject* self, PyObject* condition) {
  Matcher matcher;
  Ref<> match;
  if (!make_matcher(condition, &matcher) || !split(self, matcher, &match, nullptr)) return nullptr;
  return or_none(match);
}

PyMethodDef methods[] = {
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {"derive", group_derive, METH_O, nullptr},
    {"split", group_split, METH_O, nullptr},
    {"subgroup", group_subgroup, METH_O, nullptr},
    {},
};
PyMemberDef members[] = {
    {"message", _Py_T_OBJECT, offsetof(PyBaseExceptionGroupObject, msg), Py_READONLY, "exception message"},
    {"exceptions", _Py_T_OBJECT, offsetof(PyBaseExceptionGroupObject, excs), Py_READONLY, "nested exceptions"},
    {},
};

PyObject* exception_group_type = nullptr;
PyObject* exception_group_class() { return exception_group_type; }

// Collects the ids of the leaves of a group tree.
bool collect_leaf_ids(PyObject* exc, PyObject* ids) {
  if (!is_group(exc)) {
    Ref<> id = Ref<>::steal(PyLong_FromVoidPtr(exc));
    return id && PySet_Add(ids, id) == 0;
  }
  if (Py_EnterRecursiveCall(" in collect_exception_group_leaf_ids")) return false;
  bool ok = true;
  for (Py_ssize_t i = 0; ok && i < PyTuple_GET_SIZE(as_group(exc)->excs); ++i) {
    ok = collect_leaf_ids(PyTuple_GET_ITEM(as_group(exc)->excs, i), ids);
  }
  Py_LeaveRecursiveCall();
  return ok;
}

// An exception that came out of `orig` unchanged has the same traceback, cause and context as it.
bool came_from(PyObject* exc, PyObject* orig) {
  PyBaseExceptionObject* a = as_exception(exc);
  PyBaseExceptionObject* b = as_exception(orig);
  const auto same = [=](PyObject* PyBaseExceptionObject::* field) {
    return sync::load_relaxed(a->*field) == sync::load_relaxed(b->*field);
  };
  return same(&PyBaseExceptionObject::notes) && same(&PyBaseExceptionObject::traceback) &&
         same(&PyBaseExceptionObject::cause) && same(&PyBaseExceptionObject::context);
}

}  // namespace

AMPHIS_EXCEPTION_TYPE(BaseExceptionGroup_type, "BaseExceptionGroup", nullptr, PyBaseExceptionGroupObject,
                      "A combination of multiple unrelated exceptions.", exception_init, group_str, members, nullptr,
                      methods);

void set_exception_group_base() {
  BaseExceptionGroup_type.tp_base = reinterpret_cast<PyTypeObject*>(PyExc_BaseException);
  BaseExceptionGroup_type.tp_new = group_new;
  BaseExceptionGroup_type.tp_repr = group_repr;
}

// ExceptionGroup(BaseExceptionGroup, Exception): a class with two bases is made at start-up. New reference.
PyObject* make_exception_group_type() {
  Ref<> bases = Ref<>::steal(PyTuple_Pack(2, PyExc_BaseExceptionGroup, PyExc_Exception));
  if (!bases) return nullptr;
  exception_group_type = PyErr_NewException("builtins.ExceptionGroup", bases, nullptr);
  return Py_XNewRef(exception_group_type);
}

}  // namespace amphis

extern "C" {

using namespace amphis;

PyObject* PyExc_BaseExceptionGroup = reinterpret_cast<PyObject*>(&BaseExceptionGroup_type);

PyObject* PyUnstable_Exc_PrepReraiseStar(PyObject* orig, PyObject* excs) {
  if (orig == nullptr || !PyExceptionInstance_Check(orig)) {
    PyErr_SetString(PyExc_TypeError, "orig must be an exception");
    return nullptr;
  }
  if (excs == nullptr || !PyList_Check(excs)) {
    PyErr_SetString(PyExc_TypeError, "excs must be a list of exceptions");
    return nullptr;
  }
  Ref<> raised = Ref<>::steal(PyList_New(0));
  Ref<> reraised = Ref<>::steal(PyList_New(0));
  if (!raised || !reraised) return nullptr;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(excs); ++i) {
    PyObject* e = PyList_GET_ITEM(excs, i);
    if (e == Py_None) continue;
    if (!is_group(orig)) {
      // A naked exception was caught: what comes out is raised as it is.
      return Py_NewRef(e);
    }
    if (PyList_Append(came_from(e, orig) ? reraised : raised, e) < 0) return nullptr;
  }
  if (!is_group(orig)) Py_RETURN_NONE;
  Ref<> projection;
  if (PyList_GET_SIZE(reraised.get()) > 0) {
    Ref<> ids = Ref<>::steal(PySet_New(nullptr));
    if (!ids) return nullptr;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(reraised.get()); ++i) {
      if (!collect_leaf_ids(PyList_GET_ITEM(reraised.get(), i), ids)) return nullptr;
    }
    if (!split(orig, Matcher{Matcher::kIds, ids}, &projection, nullptr)) return nullptr;
  }
  if (PyList_GET_SIZE(raised.get()) == 0) return or_none(projection);
  if (projection && PyList_Append(raised, projection) < 0) return nullptr;
  if (PyList_GET_SIZE(raised.get()) == 1) return Py_NewRef(PyList_GET_ITEM(raised.get(), 0));
  return PyObject_CallFunction(PyExc_BaseExceptionGroup, "sO", "", raised.get());
}

}  // extern "C"
