// Calls of anything that is not a Python function, calls with unpacked arguments, and function objects.
#include "interp/load.h"
#include "interp/ops.h"
#include "objects/cfunction.h"
#include "objects/function.h"
#include "objects/method.h"
#include "sync/recursion.h"
#include "sync/ref.h"

namespace amphis {

namespace {

// The arguments of a call, made into the array of borrowed pointers that C functions take: right in their registers,
// by moving the "owned" bits into a mask. Until they are put back or dropped the registers look borrowed, which the
// collector takes for one more reference, and nobody else reads temporaries.
class ArgumentRun {
  Value* regs_;
  uint32_t count_;
  uint64_t owned_ = 0;

 public:
  static constexpr uint32_t kMost = 64;

  // False with MemoryError; then the registers are as before.
  AMPHIS_ALWAYS_INLINE bool prepare(Value* regs, uint32_t count) {
    regs_ = regs;
    count_ = count;
    for (uint32_t i = 0; i < count; ++i) {
      const Value v = regs[i];
      if (is_pointer(v)) [[likely]] {
        owned_ |= (v & kOwned) << i;
        regs[i] = v & ~kOwned;
      } else {
        PyObject* boxed = box_slow(v);
        if (boxed == nullptr) {
          count_ = i;
          restore();
          return false;
        }
        owned_ |= uint64_t{1} << i;
        regs[i] = value_borrowed(boxed);
      }
    }
    return true;
  }
  PyObject** items() const { return reinterpret_cast<PyObject**>(regs_); }
  void restore() {
    for (uint32_t i = 0; i < count_; ++i) regs_[i] |= owned_ >> i & 1;
  }
  AMPHIS_ALWAYS_INLINE void consume() {
    for (uint32_t i = 0; i < count_; ++i) {
      PyObject* o = pointer_of(regs_[i]);
      regs_[i] = kEmpty;
      if (owned_ >> i & 1) Py_DECREF(o);
    }
  }
};

// A C function without keywords, called with its own convention. False: it has another one, or the arguments are
// wrong, which its vectorcall function tells. `items` are the arguments after self.
AMPHIS_ALWAYS_INLINE bool call_definition(PyMethodDef* def, PyObject* self, PyObject** items, uint32_t n,
                                          PyObject** result) {
  constexpr int kKinds = METH_VARARGS | METH_FASTCALL | METH_NOARGS | METH_O | METH_KEYWORDS | METH_METHOD;
  checked::NativeCall call(def);
  switch (def->ml_flags & kKinds) {
    case METH_O:
      if (n != 1) return false;
      *result = def->ml_meth(self, items[0]);
      return true;
    case METH_NOARGS:
      if (n != 0) return false;
      *result = def->ml_meth(self, nullptr);
      return true;
    case METH_FASTCALL:
      *result = cfunction_detail::target<PyCFunctionFast>(def)(self, items, static_cast<Py_ssize_t>(n));
      return true;
    case METH_FASTCALL | METH_KEYWORDS:
      *result = cfunction_detail::target<PyCFunctionFastWithKeywords>(def)(self, items, static_cast<Py_ssize_t>(n), nullptr);
      return true;
    default:
      return false;
  }
}

AMPHIS_ALWAYS_INLINE PyObject* checked(ThreadState* ts, PyObject* callable, PyObject* result) {
  if ((result == nullptr) == (ts->current_exception != nullptr)) [[likely]] return result;
  return check_call_result(callable, result);
}

AMPHIS_ALWAYS_INLINE PyObject* call_positional(PyObject* callable, PyObject** items, uint32_t n) {
  PyTypeObject* type = Py_TYPE(callable);
  PyObject* result;
  ThreadState* ts = current_thread();
  if (!stack_nearly_full(ts)) [[likely]] {
    if (type == &PyMethodDescr_Type) {
      auto* descr = reinterpret_cast<PyMethodDescrObject*>(callable);
      if (n > 0 && (Py_TYPE(items[0]) == descr->d_common.d_type ||
                    PyType_IsSubtype(Py_TYPE(items[0]), descr->d_common.d_type)) &&
          call_definition(descr->d_method, items[0], items + 1, n - 1, &result)) {
        return checked(ts, callable, result);
      }
    } else if (type == &PyCFunction_Type) {
      auto* function = reinterpret_cast<PyCFunctionObject*>(callable);
      if (call_definition(function->m_ml, PyCFunction_GET_SELF(callable), items, n, &result)) {
        return checked(ts, callable, result);
      }
    }
  }
  return PyObject_Vectorcall(callable, items, n | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

// Calls with more arguments than an ArgumentRun has bits.
PyObject* call_many(PyObject* callable, Value* args, uint32_t nargs, PyObject* kwnames) {
  auto** items = static_cast<PyObject**>(PyMem_Malloc((nargs + 1) * sizeof(PyObject*)));
  if (items == nullptr) return PyErr_NoMemory();
  items[0] = nullptr;
  PyObject* result = nullptr;
  uint32_t n = 0;
  for (; n < nargs; ++n) {
    if (!is_pointer(args[n])) {
      PyObject* boxed = box_slow(args[n]);
      if (boxed == nullptr) break;
      args[n] = value_owned(boxed);
    }
    items[n + 1] = pointer_of(args[n]);
  }
  if (n == nargs) {
    const size_t keywords = kwnames != nullptr ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0;
    result = PyObject_Vectorcall(callable, items + 1, (nargs - keywords) | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
  }
  PyMem_Free(items);
  if (result == nullptr) return nullptr;
  for (uint32_t i = 0; i < nargs; ++i) {
    Value v = args[i];
    args[i] = kEmpty;
    drop(v);
  }
  return result;
}

// R[C] = callable R[A] called with the run; the callable goes last, as what it holds may be what is called.
AMPHIS_ALWAYS_INLINE bool call_run(const Regs& x, Value* args, uint32_t nargs, PyObject* kwnames) {
  Operand callable(x.A());
  if (callable.get() == nullptr) return false;
  PyObject* result;
  if (nargs <= ArgumentRun::kMost) [[likely]] {
    ArgumentRun run;
    if (!run.prepare(args, nargs)) return false;
    if (kwnames == nullptr) {
      result = call_positional(callable, run.items(), nargs);
    } else {
      const size_t positional = nargs - static_cast<size_t>(PyTuple_GET_SIZE(kwnames));
      result = PyObject_Vectorcall(callable, run.items(), positional | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
    }
    if (result == nullptr) {
      run.restore();
      return false;
    }
    run.consume();
  } else {
    result = call_many(callable, args, nargs, kwnames);
    if (result == nullptr) return false;
  }
  x.clear(x.a());
  x.set(x.c(), x.flag(kUnbox) ? unboxed_result(result) : value_owned(result));
  return true;
}

}  // namespace

bool op_call_object(Frame* f, const Word* pc, Value* args, uint32_t nargs) {
  return call_run(Regs(f, pc), args, nargs, nullptr);
}

bool op_call_kw_object(Frame* f, const Word* pc, Value* args, uint32_t nargs) {
  PyObject* kwnames = pointer_of(code_extra(f->code)->constants[static_cast<uint32_t>(pc[1])]);
  return call_run(Regs(f, pc), args, nargs, kwnames);
}

bool op_call_ex(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand callable(x.A());
  Operand iterable(x.r[x.a() + 1]);
  if (callable.get() == nullptr || iterable.get() == nullptr) return false;
  Value kw = x.r[x.a() + 2];
  Ref<> positional;
  if (PyTuple_CheckExact(iterable.get())) {
    positional = Ref<>::share(iterable.get());
  } else {
    PyObject* o = iterable;
    if (Py_TYPE(o)->tp_iter == nullptr && !PySequence_Check(o)) {
      Ref<> name = Ref<>::steal(_PyObject_FunctionStr(callable));
      if (name) {
        PyErr_Format(PyExc_TypeError, "%U argument after * must be an iterable, not %.200s", name.get(),
                     Py_TYPE(o)->tp_name);
      }
      return false;
    }
    positional = Ref<>::steal(PySequence_Tuple(o));
    if (!positional) return false;
  }
  Ref<> keywords;
  if (kw != kEmpty) {
    PyObject* mapping = pointer_of(kw);
    if (PyDict_CheckExact(mapping)) {
      keywords = Ref<>::share(mapping);
    } else {
      keywords = Ref<>::steal(PyDict_New());
      if (!keywords) return false;
      if (PyDict_Update(keywords, mapping) < 0) {
        if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
          Ref<> name = Ref<>::steal(_PyObject_FunctionStr(callable));
          if (name) {
            PyErr_Format(PyExc_TypeError, "%U argument after ** must be a mapping, not %.200s", name.get(),
                         Py_TYPE(mapping)->tp_name);
          }
        }
        return false;
      }
    }
  }
  PyObject* result = PyObject_Call(callable, positional, keywords);
  if (result == nullptr) return false;
  x.clear(x.a());
  x.clear(x.a() + 1);
  x.clear(x.a() + 2);
  x.set(x.c(), value_owned(result));
  return true;
}

bool op_dict_merge(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand mapping(x.B());
  if (mapping.get() == nullptr) return false;
  if (dict_merge(pointer_of(x.A()), mapping, OnDuplicate::kRaise) == 0) {
    x.kill_b();
    return true;
  }
  Operand callable(x.C());
  if (callable.get() == nullptr) return false;
  if (PyErr_ExceptionMatches(PyExc_AttributeError)) {
    PyErr_Clear();
    Ref<> name = Ref<>::steal(_PyObject_FunctionStr(callable));
    if (name) {
      PyErr_Format(PyExc_TypeError, "%U argument after ** must be a mapping, not %.200s", name.get(),
                   Py_TYPE(mapping.get())->tp_name);
    }
  } else if (PyErr_ExceptionMatches(PyExc_KeyError)) {
    Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
    Ref<> args = Ref<>::steal(PyObject_GetAttrString(exc, "args"));
    if (args && PyTuple_Check(args.get()) && PyTuple_GET_SIZE(args.get()) == 1) {
      PyObject* key = PyTuple_GET_ITEM(args.get(), 0);
      Ref<> name = Ref<>::steal(_PyObject_FunctionStr(callable));
      if (!name) return false;
      PyErr_Format(PyExc_TypeError, "%U got multiple values for keyword argument '%S'", name.get(), key);
    } else {
      PyErr_SetRaisedException(exc.release());
    }
  }
  return false;
}

bool op_make_function(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* code = pointer_of(code_extra(f->code)->constants[static_cast<uint32_t>(pc[1])]);
  Ref<> function = Ref<>::steal(PyFunction_New(code, f->globals()));
  if (!function) return false;
  auto* func = reinterpret_cast<PyFunctionObject*>(function.get());
  uint32_t at = x.b();
  if (x.c() & kFuncDefaults) func->func_defaults = x.take(at++);
  if (x.c() & kFuncKwDefaults) func->func_kwdefaults = x.take(at++);
  if (x.c() & kFuncAnnotations) func->func_annotations = x.take(at++);
  if (x.c() & kFuncClosure) func->func_closure = x.take(at++);
  if (x.c() & kFuncAnnotate) func->func_annotate = x.take(at++);
  return x.set_a(function.release());
}

}  // namespace amphis
