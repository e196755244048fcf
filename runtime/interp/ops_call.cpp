// Calls of anything that is not a Python function and the choice of their forms (interp/call_forms.h), calls with unpacked arguments, and function objects.
#include "interp/call_forms.h"
#include "interp/ops.h"
#include "interp/shortcuts.h"
#include "objects/function.h"
#include "objects/method.h"
#include "objects/type_slots.h"
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
  // At most kMostArguments. False with MemoryError; then the registers are as before.
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
  AMPHIS_ALWAYS_INLINE void restore() {
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
  if (nargs >= kMostArguments) return Op::CALL;
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
  if (nargs >= kMostArguments) return Op::CALL_KW;
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
  if (nargs <= kMostArguments) [[likely]] {
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

// --- forms

namespace {

// Calls `function` with the objects in the registers: in an array on the stack, with the free place before it that vectorcall
// wants, or with many arguments right in their registers.
template <class F>
AMPHIS_ALWAYS_INLINE PyObject* call_with_array(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, F&& function) {
  constexpr uint32_t kShort = 6;
  if (nargs > kShort) [[unlikely]] {
    ArgumentRun run;
    if (!run.prepare(args, nargs)) return nullptr;
    PyObject* result = checked_result(ts, callable, function(run.items()));
    if (result == nullptr) {
      run.restore();
    } else {
      run.consume();
    }
    return result;
  }
  PyObject* items[kShort + 1];
  for (uint32_t i = 0; i < nargs; ++i) {
    const Value v = args[i];
    PyObject* item = pointer_of(v);
    if (!is_pointer(v)) [[unlikely]] {
      item = box_slow(v);
      if (item == nullptr) return nullptr;
      args[i] = value_owned(item);
    }
    items[i + 1] = item;
  }
  PyObject* result = checked_result(ts, callable, function(items + 1));
  if (result != nullptr) [[likely]] drop_arguments(args, nargs);
  return result;
}

PyObject* call_by_vector(ThreadState* ts, PyObject* callable, vectorcallfunc function, Value* args, uint32_t nargs,
                         PyObject* kwnames) {
  const size_t keywords = kwnames != nullptr ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0;
  return call_with_array(ts, callable, args, nargs, [&](PyObject** items) {
    return function(callable, items, (nargs - keywords) | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
  });
}

}  // namespace

template <int kFlags, bool kIsMethod>
PyObject* call_c_array(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs) {
  constexpr uint32_t kSelf = kIsMethod ? 1 : 0;
  PyMethodDef* def = nullptr;
  PyObject* self = nullptr;
  if (kIsMethod ? !find_method(callable, args, nargs, &def, &self) : !find_function(callable, &def, &self)) return nullptr;
  if ((def->ml_flags & kCallConvention) != kFlags) return nullptr;
  PyObject* result = call_with_array(ts, callable, args + kSelf, nargs - kSelf, [&](PyObject** items) {
    checked::NativeCall call(def);
    const auto n = static_cast<Py_ssize_t>(nargs - kSelf);
    if constexpr (kFlags == METH_FASTCALL) {
      return cfunction_detail::target<PyCFunctionFast>(def)(self, items, n);
    } else {
      return cfunction_detail::target<PyCFunctionFastWithKeywords>(def)(self, items, n, nullptr);
    }
  });
  if (kIsMethod && result != nullptr) drop_arguments(args, 1);
  return result;
}
template PyObject* call_c_array<METH_FASTCALL, false>(ThreadState*, PyObject*, Value*, uint32_t);
template PyObject* call_c_array<METH_FASTCALL, true>(ThreadState*, PyObject*, Value*, uint32_t);
template PyObject* call_c_array<METH_FASTCALL | METH_KEYWORDS, false>(ThreadState*, PyObject*, Value*, uint32_t);
template PyObject* call_c_array<METH_FASTCALL | METH_KEYWORDS, true>(ThreadState*, PyObject*, Value*, uint32_t);

PyObject* call_c_keywords(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject* kwnames) {
  PyMethodDef* def = nullptr;
  PyObject* self = nullptr;
  uint32_t skip = 0;
  const auto keywords = static_cast<uint32_t>(PyTuple_GET_SIZE(kwnames));
  if (!find_function(callable, &def, &self)) {
    if (nargs <= keywords || !find_method(callable, args, nargs, &def, &self)) return nullptr;
    skip = 1;
  }
  if ((def->ml_flags & kCallConvention) != (METH_FASTCALL | METH_KEYWORDS)) return nullptr;
  PyObject* result = call_with_array(ts, callable, args + skip, nargs - skip, [&](PyObject** items) {
    checked::NativeCall call(def);
    return cfunction_detail::target<PyCFunctionFastWithKeywords>(def)(
        self, items, static_cast<Py_ssize_t>(nargs - skip - keywords), kwnames);
  });
  if (result != nullptr) drop_arguments(args, skip);
  return result;
}

PyObject* call_type(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs) {
  if (!Py_IS_TYPE(callable, &PyType_Type)) return nullptr;
  auto* cls = reinterpret_cast<PyTypeObject*>(callable);
  if (cls == &PyType_Type && nargs == 1 && is_pointer(args[0])) {
    PyObject* of = Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(pointer_of(args[0]))));
    drop_arguments(args, 1);
    return of;
  }
  if (sync::load_relaxed(cls->tp_init) == slot_init && sync::load_relaxed(cls->tp_new) == object_new) return nullptr;
  const vectorcallfunc function = sync::load_relaxed(cls->tp_vectorcall);
  return function != nullptr ? call_by_vector(ts, callable, function, args, nargs, nullptr) : nullptr;
}

PyObject* call_vector(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs) {
  PyTypeObject* type = Py_TYPE(callable);
  if (type == &PyFunction_Type || type == &PyMethod_Type || type == &PyType_Type) return nullptr;
  const vectorcallfunc function = vectorcall_of(callable);
  return function != nullptr ? call_by_vector(ts, callable, function, args, nargs, nullptr) : nullptr;
}

PyObject* call_vector_keywords(ThreadState* ts, PyObject* callable, Value* args, uint32_t nargs, PyObject* kwnames) {
  const vectorcallfunc function = Py_IS_TYPE(callable, &PyFunction_Type) ? nullptr : vectorcall_of(callable);
  return function != nullptr ? call_by_vector(ts, callable, function, args, nargs, kwnames) : nullptr;
}

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
