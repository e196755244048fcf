// Calls of anything that is not a Python function, calls with unpacked arguments, and function objects.
#include "interp/load.h"
#include "interp/ops.h"
#include "objects/function.h"
#include "sync/ref.h"

namespace amphis {

namespace {

// The arguments of a call as the vectorcall protocol wants them: plain borrowed pointers, with a free slot in front.
// Numbers are boxed back into their registers, which are dropped after the call.
class ArgumentVector {
  static constexpr uint32_t kFew = 12;
  PyObject* few_[kFew + 1];
  PyObject** items_ = few_;
  Value* regs_;
  uint32_t count_;
  bool ok_ = true;

 public:
  ArgumentVector(Value* regs, uint32_t count) : regs_(regs), count_(count) {
    if (count > kFew) {
      items_ = static_cast<PyObject**>(PyMem_Malloc((count + 1) * sizeof(PyObject*)));
      if (items_ == nullptr) {
        PyErr_NoMemory();
        ok_ = false;
        return;
      }
    }
    items_[0] = nullptr;
    for (uint32_t i = 0; i < count; ++i) {
      Value v = regs[i];
      if (!is_pointer(v)) {
        PyObject* boxed = box_slow(v);
        if (boxed == nullptr) {
          ok_ = false;
          return;
        }
        regs[i] = value_owned(boxed);
        items_[i + 1] = boxed;
      } else {
        items_[i + 1] = pointer_of(v);
      }
    }
  }
  ~ArgumentVector() {
    if (items_ != few_) PyMem_Free(items_);
  }
  ArgumentVector(const ArgumentVector&) = delete;
  ArgumentVector& operator=(const ArgumentVector&) = delete;
  bool ok() const { return ok_; }
  PyObject** args() { return items_ + 1; }
  void consume() {
    for (uint32_t i = 0; i < count_; ++i) {
      Value v = regs_[i];
      regs_[i] = kEmpty;
      drop(v);
    }
  }
};

bool call_vector(const Regs& x, Value* args, uint32_t nargs, PyObject* kwnames) {
  Operand callable(x.A());
  if (callable.get() == nullptr) return false;
  ArgumentVector vector(args, nargs);
  if (!vector.ok()) return false;
  size_t positional = nargs - (kwnames != nullptr ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0);
  PyObject* result =
      PyObject_Vectorcall(callable, vector.args(), positional | PY_VECTORCALL_ARGUMENTS_OFFSET, kwnames);
  if (result == nullptr) return false;
  vector.consume();
  x.clear(x.a());
  x.set(x.c(), value_owned(result));
  return true;
}

}  // namespace

bool op_call_object(Frame* f, const Word* pc, Value* args, uint32_t nargs) {
  return call_vector(Regs(f, pc), args, nargs, nullptr);
}

bool op_call_kw_object(Frame* f, const Word* pc, Value* args, uint32_t nargs) {
  PyObject* kwnames = pointer_of(code_extra(f->code)->constants[static_cast<uint32_t>(pc[1])]);
  return call_vector(Regs(f, pc), args, nargs, kwnames);
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
