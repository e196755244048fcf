// Calls of anything that is not a Python function and the choice of their forms (interp/call_forms.h), calls with unpacked arguments, and function objects.
#include "interp/call_forms.h"
#include "interp/ops.h"
#include "interp/shortcuts.h"
#include "objects/function.h"
#include "objects/method.h"
#include "sync/recursion.h"
#include "sync/ref.h"

namespace amphis {

namespace {

// A site takes the form of what it calls when it has called something in the general way twice, and none any more after this
// many misses. The count lives in the last cache word; races between threads only make it inexact.
constexpr uint64_t kGiveUpAfter = 16;

Word* miss_count(const Word* pc) {
  return const_cast<Word*>(&pc[op_info(word_op(__atomic_load_n(pc, __ATOMIC_RELAXED))).cache_words]);
}

uint64_t count_miss(const Word* pc) {
  Word* counter = miss_count(pc);
  const uint64_t count = __atomic_load_n(counter, __ATOMIC_RELAXED);
  if (count < kGiveUpAfter) __atomic_store_n(counter, count + 1, __ATOMIC_RELAXED);
  return count;
}

Op form_of_convention(int flags, bool method) {
  switch (flags & kCallConvention) {
    case METH_NOARGS:
      return method ? Op::CALL_METHOD_NOARGS : Op::CALL_C_NOARGS;
    case METH_O:
      return method ? Op::CALL_METHOD_O : Op::CALL_C_O;
    case METH_FASTCALL:
      return method ? Op::CALL_METHOD_FAST : Op::CALL_C_FAST;
    case METH_FASTCALL | METH_KEYWORDS:
      return method ? Op::CALL_METHOD_FAST_KEYWORDS : Op::CALL_C_FAST_KEYWORDS;
    default:
      return Op::CALL_VECTOR;
  }
}

// `first`: the site has not had a form yet. What the loop performs itself is tried once: it serves plain arguments only.
Op form_of_call(PyObject* callable, const Value* args, uint32_t nargs, bool first) {
  PyTypeObject* type = Py_TYPE(callable);
  if (nargs >= ArgumentRun::kMost) return Op::CALL;
  if (type == &PyType_Type) {
    return reinterpret_cast<PyTypeObject*>(callable)->tp_vectorcall != nullptr ? Op::CALL_TYPE : Op::CALL;
  }
  PyMethodDef* def = nullptr;
  PyObject* self = nullptr;
  if (find_function(callable, &def, &self)) {
    if (first && perform_len(callable, args, nargs) != kEmpty) return Op::CALL_LEN;
    if (first && perform_isinstance(callable, args, nargs) != kEmpty) return Op::CALL_ISINSTANCE;
    return form_of_convention(def->ml_flags, false);
  }
  if (find_method(callable, args, nargs, &def, &self)) {
    if (first && def->ml_meth == known_calls.list_append && PyList_CheckExact(self)) return Op::CALL_LIST_APPEND;
    return form_of_convention(def->ml_flags, true);
  }
  return vectorcall_of(callable) != nullptr && type != &PyMethod_Type ? Op::CALL_VECTOR : Op::CALL;
}

Op form_of_call_kw(PyObject* callable, const Value* args, uint32_t nargs) {
  if (nargs >= ArgumentRun::kMost) return Op::CALL_KW;
  PyMethodDef* def = nullptr;
  PyObject* self = nullptr;
  if ((find_function(callable, &def, &self) || find_method(callable, args, nargs, &def, &self)) &&
      (def->ml_flags & kCallConvention) == (METH_FASTCALL | METH_KEYWORDS)) {
    return Op::CALL_KW_C;
  }
  return vectorcall_of(callable) != nullptr ? Op::CALL_KW_VECTOR : Op::CALL_KW;
}

void take_form(const Word* pc, Op form) {
  auto* word = const_cast<Word*>(pc);
  if (word_op(__atomic_load_n(word, __ATOMIC_RELAXED)) != form) rewrite_op(word, form);
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
    const size_t keywords = kwnames != nullptr ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0;
    result = PyObject_Vectorcall(callable, run.items(), (nargs - keywords) | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
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

void call_form_missed(const Word* pc) {
  count_miss(pc);
  take_form(pc, op_info(word_op(__atomic_load_n(pc, __ATOMIC_RELAXED))).general);
}

bool op_call_object(Frame* f, const Word* pc, Value* args, uint32_t nargs) {
  const Regs x(f, pc);
  const uint64_t misses = count_miss(pc);
  if (misses != 0 && misses < kGiveUpAfter && is_pointer(x.A())) {
    take_form(pc, form_of_call(pointer_of(x.A()), args, nargs, misses == 1));
  }
  return call_run(x, args, nargs, nullptr);
}

bool op_call_kw_object(Frame* f, const Word* pc, Value* args, uint32_t nargs) {
  PyObject* kwnames = pointer_of(code_extra(f->code)->constants[static_cast<uint32_t>(pc[1])]);
  const Regs x(f, pc);
  const uint64_t misses = count_miss(pc);
  if (misses != 0 && misses < kGiveUpAfter && is_pointer(x.A())) {
    take_form(pc, form_of_call_kw(pointer_of(x.A()), args, nargs));
  }
  return call_run(x, args, nargs, kwnames);
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
