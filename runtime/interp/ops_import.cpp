// import statements and the intrinsics of opcode.h.
#include "interp/generator.h"
#include "interp/load.h"
#include "interp/ops.h"
#include "modules/import.h"
#include "objects/names.h"
#include "objects/template_string.h"
#include "objects/typevar.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyObject* import_name(Frame* f, PyObject* name, PyObject* fromlist, PyObject* level) {
  PyObject* found;
  if (PyMapping_GetOptionalItem(f->builtins(), names.dunder_import, &found) < 0) return nullptr;
  Ref<> import = Ref<>::steal(found);
  if (!import) {
    PyErr_SetString(PyExc_ImportError, "__import__ not found");
    return nullptr;
  }
  PyObject* locals = f->locals != nullptr ? f->locals : Py_None;
  if (PyCFunction_Check(import.get()) && is_builtin_import(import)) {
    int depth = PyLong_AsInt(level);
    if (depth == -1 && PyErr_Occurred()) return nullptr;
    return PyImport_ImportModuleLevelObject(name, f->globals(), locals, fromlist, depth);
  }
  PyObject* args[5] = {name, f->globals(), locals, fromlist, level};
  return PyObject_Vectorcall(import, args, 5, nullptr);
}

// The module's own __name__ and file for the text of a failed from-import; either may be null.
PyObject* import_from(PyObject* module, PyObject* name) {
  PyObject* value;
  if (PyObject_GetOptionalAttr(module, name, &value) != 0) return value;
  // A submodule that is being imported may be in sys.modules before it is an attribute.
  PyObject* found;
  if (PyObject_GetOptionalAttr(module, names.dunder_name, &found) < 0) return nullptr;
  Ref<> package = Ref<>::steal(found);
  if (package && PyUnicode_Check(package.get())) {
    Ref<> full = Ref<>::steal(PyUnicode_FromFormat("%U.%U", package.get(), name));
    if (!full) return nullptr;
    Ref<> sub = Ref<>::steal(PyImport_GetModule(full));
    if (sub) return sub.release();
    if (PyErr_Occurred()) return nullptr;
  } else {
    package = Ref<>::steal(PyUnicode_FromString("<unknown module name>"));
    if (!package) return nullptr;
  }
  raise_import_from_error(module, package, name);
  return nullptr;
}

bool import_star(Frame* f, PyObject* module) {
  PyObject* ns = f->locals != nullptr ? f->locals : f->globals();
  PyObject* found;
  if (PyObject_GetOptionalAttr(module, names.dunder_all, &found) < 0) return false;
  Ref<> all = Ref<>::steal(found);
  const bool skip_private = !all;
  if (!all) {
    if (PyObject_GetOptionalAttr(module, names.dunder_dict, &found) < 0) return false;
    Ref<> dict = Ref<>::steal(found);
    if (!dict) {
      PyErr_SetString(PyExc_ImportError, "from-import-* object has no __dict__ and no __all__");
      return false;
    }
    all = Ref<>::steal(PyMapping_Keys(dict));
    if (!all) return false;
  }
  Ref<> list = Ref<>::steal(PySequence_List(all));
  if (!list) return false;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
    PyObject* name = PyList_GET_ITEM(list.get(), i);
    if (!PyUnicode_Check(name)) {
      Ref<> module_name = Ref<>::steal(PyObject_GetAttr(module, names.dunder_name));
      if (!module_name) return false;
      PyErr_Format(PyExc_TypeError, "%s in %U.%s must be str, not %.100s", skip_private ? "Key" : "Item",
                   module_name.get(), skip_private ? "__dict__" : "__all__", Py_TYPE(name)->tp_name);
      return false;
    }
    if (skip_private && PyUnicode_GET_LENGTH(name) > 0 && PyUnicode_READ_CHAR(name, 0) == '_') continue;
    Ref<> value = Ref<>::steal(PyObject_GetAttr(module, name));
    if (!value || PyObject_SetItem(ns, name, value) < 0) return false;
  }
  return true;
}

// PEP 479: StopIteration (and StopAsyncIteration in asynchronous generators) must not leave a generator as itself.
PyObject* stop_iteration_error(Frame* f, PyObject* exc) {
  const int flags = f->code->co_flags;
  const char* message = nullptr;
  if (PyErr_GivenExceptionMatches(exc, PyExc_StopIteration)) {
    message = flags & CO_ASYNC_GENERATOR ? "async generator raised StopIteration"
              : flags & CO_COROUTINE     ? "coroutine raised StopIteration"
                                         : "generator raised StopIteration";
  } else if ((flags & CO_ASYNC_GENERATOR) && PyErr_GivenExceptionMatches(exc, PyExc_StopAsyncIteration)) {
    message = "async generator raised StopAsyncIteration";
  }
  if (message == nullptr) return Py_NewRef(exc);
  Ref<> text = Ref<>::steal(PyUnicode_FromString(message));
  if (!text) return nullptr;
  Ref<> error = Ref<>::steal(PyObject_CallOneArg(PyExc_RuntimeError, text));
  if (!error) return nullptr;
  PyException_SetCause(error, Py_NewRef(exc));
  PyException_SetContext(error, Py_NewRef(exc));
  return error.release();
}

PyObject* print_expression(PyObject* value) {
  Ref<> hook = Ref<>::share(PySys_GetObject("displayhook"));
  if (!hook) {
    PyErr_SetString(PyExc_RuntimeError, "lost sys.displayhook");
    return nullptr;
  }
  return PyObject_CallOneArg(hook, value);
}

PyObject* type_alias(PyObject* parts) {
  // The compiler passes (name, type parameters or None, evaluator) as one tuple.
  PyObject* params = PyTuple_GET_ITEM(parts, 1);
  return typealias_new(PyTuple_GET_ITEM(parts, 0), params == Py_None ? nullptr : params, PyTuple_GET_ITEM(parts, 2));
}

}  // namespace

bool op_import_name(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand level(x.r[x.b()]);
  Operand fromlist(x.r[x.b() + 1]);
  if (level.get() == nullptr || fromlist.get() == nullptr) return false;
  PyObject* module = import_name(f, code_extra(f->code)->names[x.c()], fromlist, level);
  if (module == nullptr) return false;
  x.clear(x.b());
  x.clear(x.b() + 1);
  return x.set_a(module);
}

bool op_import_from(Frame* f, const Word* pc) {
  Regs x(f, pc);
  return x.set_a(import_from(pointer_of(x.B()), code_extra(f->code)->names[x.c()]));
}

bool op_intrinsic_1(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  PyObject* result = nullptr;
  switch (static_cast<Intrinsic1>(x.c())) {
    case Intrinsic1::kPrint:
      result = print_expression(o);
      break;
    case Intrinsic1::kImportStar:
      result = import_star(f, o) ? Py_NewRef(Py_None) : nullptr;
      break;
    case Intrinsic1::kStopIterationError:
      result = stop_iteration_error(f, o);
      break;
    case Intrinsic1::kAsyncGenWrap:
      result = async_gen_wrap(o);
      break;
    case Intrinsic1::kTypeVar:
      result = typevar_new(o, nullptr, nullptr);
      break;
    case Intrinsic1::kParamSpec:
      result = paramspec_new(o);
      break;
    case Intrinsic1::kTypeVarTuple:
      result = typevartuple_new(o);
      break;
    case Intrinsic1::kSubscriptGeneric:
      result = subscript_generic(o);
      break;
    case Intrinsic1::kTypeAlias:
      result = type_alias(o);
      break;
  }
  if (result == nullptr) return false;
  x.kill_b();
  return x.set_a(result);
}

bool op_intrinsic_2(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand first(x.r[x.b()]);
  Operand second(x.r[x.b() + 1]);
  if (first.get() == nullptr || second.get() == nullptr) return false;
  PyObject* result = nullptr;
  switch (static_cast<Intrinsic2>(x.c())) {
    case Intrinsic2::kPrepReraiseStar:
      result = PyUnstable_Exc_PrepReraiseStar(first, second);
      break;
    case Intrinsic2::kTypeVarWithBound:
      result = typevar_new(first, second, nullptr);
      break;
    case Intrinsic2::kTypeVarWithConstraints:
      result = typevar_new(first, nullptr, second);
      break;
    case Intrinsic2::kSetFunctionTypeParams: {
      auto* func = reinterpret_cast<PyFunctionObject*>(first.get());
      Py_XSETREF(func->func_typeparams, Py_NewRef(second.get()));
      result = Py_NewRef(first.get());
      break;
    }
    case Intrinsic2::kSetTypeParamDefault:
      result = typeparam_set_default(first, second);
      break;
  }
  if (result == nullptr) return false;
  x.clear(x.b());
  x.clear(x.b() + 1);
  return x.set_a(result);
}

bool op_build_interpolation(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Ref<> value = Ref<>::steal(x.take(x.b()));
  Ref<> text = Ref<>::steal(x.take(x.b() + 1));
  Ref<> spec;
  if (x.c() & 1) spec = Ref<>::steal(x.take(x.b() + 2));
  if (!value || !text) return false;
  return x.set_a(interpolation_new(value, text, static_cast<int>(x.c() >> 1), spec));
}

bool op_build_template(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Ref<> strings = Ref<>::steal(x.take(x.b()));
  Ref<> interpolations = Ref<>::steal(x.take(x.b() + 1));
  if (!strings || !interpolations) return false;
  return x.set_a(template_new(strings, interpolations));
}

}  // namespace amphis
