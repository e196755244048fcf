// The types generator and coroutine: methods, attributes, finalization. (Asynchronous generators: async_generator.cpp.)
#include "gc/roots.h"
#include "interp/frame_view.h"
#include "interp/generator.h"
#include "interp/generator_methods.h"
#include "objects/names.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/recursion.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <utility>

namespace amphis {

namespace {

GeneratorObject* as_gen(PyObject* o) { return reinterpret_cast<GeneratorObject*>(o); }
bool is_coroutine(PyObject* o) { return Py_IS_TYPE(o, &PyCoro_Type); }

uint8_t state_of(PyObject* o) { return __atomic_load_n(&as_gen(o)->state, __ATOMIC_ACQUIRE); }

// StopIteration(value), spelled so that a tuple or exception instance stays one value.
void raise_stop_iteration(PyObject* value) {
  Ref<> exc = Ref<>::steal(PyObject_CallOneArg(PyExc_StopIteration, value));
  if (exc) PyErr_SetObject(PyExc_StopIteration, exc);
}

// What send() and throw() give: a yielded value as it is, a returned one as StopIteration.
PyObject* finish_resume(PyObject* result) {
  if (result == nullptr || !generator_returned()) return result;
  if (result == Py_None) {
    PyErr_SetNone(PyExc_StopIteration);
  } else {
    raise_stop_iteration(result);
  }
  Py_DECREF(result);
  return nullptr;
}

bool refuse_finished(PyObject* self) {
  if (state_of(self) != kGenFinished) return false;
  if (is_coroutine(self)) {
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
  }
  return true;
}

PyObject* gen_iternext(PyObject* self) {
  if (state_of(self) == kGenFinished) return nullptr;
  PyObject* result = generator_resume(as_gen(self), Py_None);
  if (result == nullptr || !generator_returned()) return result;
  if (result != Py_None) raise_stop_iteration(result);
  Py_DECREF(result);
  return nullptr;
}

PySendResult gen_am_send(PyObject* self, PyObject* value, PyObject** result) {
  *result = nullptr;
  if (state_of(self) == kGenFinished) {
    if (is_coroutine(self)) {
      PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
      return PYGEN_ERROR;
    }
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
  }
  PyObject* got = generator_resume(as_gen(self), value != nullptr ? value : Py_None);
  if (got == nullptr) {
    if (PyErr_Occurred()) return PYGEN_ERROR;
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
  }
  *result = got;
  return generator_returned() ? PYGEN_RETURN : PYGEN_NEXT;
}

PyObject* gen_send(PyObject* self, PyObject* value) {
  if (refuse_finished(self)) {
    if (!PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
    return nullptr;
  }
  PyObject* result = finish_resume(generator_resume(as_gen(self), value));
  if (result == nullptr && !PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
  return result;
}

// Closes the iterator that a generator delegates to. -1 with an exception.
int close_iterator(PyObject* iterator) {
  if (PyGen_CheckExact(iterator) || PyCoro_CheckExact(iterator)) {
    Ref<> done = Ref<>::steal(generator_close(iterator));
    return done ? 0 : -1;
  }
  PyObject* found;
  if (PyObject_GetOptionalAttr(iterator, names.str_close, &found) < 0) {
    PyErr_WriteUnraisable(iterator);
    return 0;
  }
  Ref<> close = Ref<>::steal(found);
  if (!close) return 0;
  Ref<> done = Ref<>::steal(PyObject_CallNoArgs(close));
  return done ? 0 : -1;
}

// While the delegate works the generator counts as running and its frame stands in the chain. RAII; `claimed` false: an
// exception is set.
class Delegating {
  GeneratorObject* gen_;

 public:
  bool claimed;
  explicit Delegating(GeneratorObject* gen) : gen_(gen) {
    ThreadState* ts = current_thread();
    claimed = generator_begin(ts, gen);
    if (!claimed) return;
    gen->frame.prev = current_frame(ts);
    gen->frame.flags = kFrameGenerator;
    set_current_frame(ts, &gen->frame);
  }
  ~Delegating() {
    if (!claimed) return;
    set_current_frame(current_thread(), gen_->frame.prev);
    gen_->frame.prev = nullptr;
    __atomic_store_n(&gen_->state, static_cast<uint8_t>(kGenSuspended), __ATOMIC_RELEASE);
  }
  Delegating(const Delegating&) = delete;
  Delegating& operator=(const Delegating&) = delete;
};

// throw() with normalised exception `exc` (borrowed).
PyObject* throw_exception(PyObject* self, PyObject* exc, bool close_on_exit) {
  GeneratorObject* gen = as_gen(self);
  Ref<> delegate = generator_claimed_delegate(gen);
  if (delegate) {
    if (RecursionGuard guard(""); guard.refused()) return nullptr;
    if (close_on_exit && PyErr_GivenExceptionMatches(exc, PyExc_GeneratorExit)) {
      int status;
      {
        Delegating busy(gen);
        if (!busy.claimed) return nullptr;
        status = close_iterator(delegate);
      }
      if (status < 0) return generator_resume(gen, nullptr);
      PyErr_SetRaisedException(Py_NewRef(exc));
      return generator_resume(gen, nullptr);
    }
    PyObject* result = nullptr;
    {
      Delegating busy(gen);
      if (!busy.claimed) return nullptr;
      if (PyGen_CheckExact(delegate.get()) || PyCoro_CheckExact(delegate.get())) {
        result = finish_resume(throw_exception(delegate, exc, close_on_exit));
        if (result == nullptr && !PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
      } else {
        PyObject* found;
        if (PyObject_GetOptionalAttr(delegate, names.str_throw, &found) < 0) return nullptr;
        Ref<> method = Ref<>::steal(found);
        if (method) {
          result = PyObject_CallOneArg(method, exc);
        } else {
          PyErr_SetRaisedException(Py_NewRef(exc));
        }
      }
    }
    if (result != nullptr) {
      current_thread()->generator_returned = false;  // the generator has yielded what its delegate did
      return result;
    }
    // The delegate raised (or returned, as StopIteration): the generator sees it at its yield from.
    return generator_resume(gen, nullptr);
  }
  PyErr_SetRaisedException(Py_NewRef(exc));
  return generator_resume(gen, nullptr);
}

// Builds the exception that throw(type, value, traceback) means.
PyObject* make_thrown(PyObject* type, PyObject* value, PyObject* traceback) {
  if (traceback == Py_None) traceback = nullptr;
  if (traceback != nullptr && !PyTraceBack_Check(traceback)) {
    PyErr_SetString(PyExc_TypeError, "throw() third argument must be a traceback object");
    return nullptr;
  }
  Ref<> exc;
  if (PyExceptionClass_Check(type)) {
    if (value != nullptr && PyExceptionInstance_Check(value) &&
        PyType_IsSubtype(Py_TYPE(value), reinterpret_cast<PyTypeObject*>(type))) {
      exc = Ref<>::share(value);
    } else if (value == nullptr || value == Py_None) {
      exc = Ref<>::steal(PyObject_CallNoArgs(type));
    } else if (PyTuple_Check(value)) {
      exc = Ref<>::steal(PyObject_Call(type, value, nullptr));
    } else {
      exc = Ref<>::steal(PyObject_CallOneArg(type, value));
    }
    if (exc && !PyExceptionInstance_Check(exc.get())) {
      PyErr_Format(PyExc_TypeError, "calling %R should have returned an instance of BaseException, not %s", type,
                   Py_TYPE(exc.get())->tp_name);
      exc = {};
    }
    // An exception that cannot be made is thrown by what came up instead.
    if (!exc) return PyErr_GetRaisedException();
  } else if (PyExceptionInstance_Check(type)) {
    if (value != nullptr && value != Py_None) {
      PyErr_SetString(PyExc_TypeError, "instance exception may not have a separate value");
      return nullptr;
    }
    exc = Ref<>::share(type);
  } else {
    PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                 Py_TYPE(type)->tp_name);
    return nullptr;
  }
  if (traceback != nullptr && PyException_SetTraceback(exc, traceback) < 0) return nullptr;
  return exc.release();
}

PyObject* gen_throw(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 1 || nargs > 3) {
    PyErr_Format(PyExc_TypeError, "throw expected at %s %d argument%s, got %zd", nargs < 1 ? "least" : "most",
                 nargs < 1 ? 1 : 3, nargs < 1 ? "" : "s", nargs);
    return nullptr;
  }
  if (nargs > 1 && PyErr_WarnEx(PyExc_DeprecationWarning,
                                "the (type, exc, tb) signature of throw() is deprecated, use the single-arg "
                                "signature instead.",
                                1) < 0) {
    return nullptr;
  }
  Ref<> exc = Ref<>::steal(make_thrown(args[0], nargs > 1 ? args[1] : nullptr, nargs > 2 ? args[2] : nullptr));
  if (!exc) return nullptr;
  return generator_throw(self, exc, true);
}

PyObject* gen_close(PyObject* self, PyObject*) { return generator_close(self); }

PyObject* gen_repr(PyObject* self) {
  const Ref<> name = sync::get_ref(&as_gen(self)->qualname, self);
  return PyUnicode_FromFormat("<%s object %S at %p>", is_coroutine(self) ? "coroutine" : "generator", name.get(), self);
}

PyObject* get_name(PyObject* self, void*) { return sync::get_ref(&as_gen(self)->name, self).release(); }
PyObject* get_qualname(PyObject* self, void*) { return sync::get_ref(&as_gen(self)->qualname, self).release(); }
int set_str_field(PyObject* self, PyObject** field, PyObject* value, const char* message) {
  if (value == nullptr || !PyUnicode_Check(value)) {
    PyErr_SetString(PyExc_TypeError, message);
    return -1;
  }
  Ref<> old, given = Ref<>::share(value);
  ObjectLock lock(self);
  old = sync::exchange_slot_locked(field, std::move(given));
  return 0;
}
int set_name(PyObject* self, PyObject* value, void*) {
  return set_str_field(self, &as_gen(self)->name, value, "__name__ must be set to a string object");
}
int set_qualname(PyObject* self, PyObject* value, void*) {
  return set_str_field(self, &as_gen(self)->qualname, value, "__qualname__ must be set to a string object");
}
PyObject* get_running(PyObject* self, void*) { return PyBool_FromLong(state_of(self) == kGenRunning); }
PyObject* get_suspended(PyObject* self, void*) { return PyBool_FromLong(state_of(self) == kGenSuspended); }
PyObject* get_delegate(PyObject* self, void*) {
  Ref<> delegate = generator_watched_delegate(as_gen(self));
  return delegate ? delegate.release() : Py_NewRef(Py_None);
}
PyObject* get_frame(PyObject* self, void*) { return generator_get_frame(self); }
PyObject* get_code(PyObject* self, void*) {
  return Py_NewRef(reinterpret_cast<PyObject*>(as_gen(self)->frame.code));
}
PyObject* get_origin(PyObject* self, void*) {
  PyObject* origin = as_gen(self)->origin_or_finalizer;
  return Py_NewRef(origin != nullptr ? origin : Py_None);
}

PyObject* gen_sizeof(PyObject* self, PyObject*) {
  return PyLong_FromSize_t(sizeof(GeneratorObject) + as_gen(self)->register_count * sizeof(Value));
}

PyGetSetDef generator_getsets[] = {
    {"__name__", get_name, set_name, "name of the generator", nullptr},
    {"__qualname__", get_qualname, set_qualname, "qualified name of the generator", nullptr},
    {"gi_yieldfrom", get_delegate, nullptr, "object being iterated by yield from, or None", nullptr},
    {"gi_running", get_running, nullptr, nullptr, nullptr},
    {"gi_frame", get_frame, nullptr, nullptr, nullptr},
    {"gi_suspended", get_suspended, nullptr, nullptr, nullptr},
    {"gi_code", get_code, nullptr, nullptr, nullptr},
    {},
};

PyMethodDef generator_methods[] = {
    {"send", gen_send, METH_O,
     "send($self, value, /)\n--\n\nSend a value into the generator; return the next yielded value or raise "
     "StopIteration."},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(gen_throw)), METH_FASTCALL,
     "throw($self, typ, val=None, tb=None, /)\n--\n\nRaise an exception in the generator; return the next yielded "
     "value or raise StopIteration."},
    {"close", gen_close, METH_NOARGS, "close($self, /)\n--\n\nRaise GeneratorExit inside the generator."},
    {"__sizeof__", gen_sizeof, METH_NOARGS, "Size of the generator in memory, in bytes."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

PyAsyncMethods generator_as_async = {.am_send = gen_am_send};

// --- coroutines

struct CoroutineWrapper {
  PyObject_HEAD
  PyObject* coroutine;
};
PyObject* wrapped(PyObject* self) { return reinterpret_cast<CoroutineWrapper*>(self)->coroutine; }
extern "C" PyTypeObject _PyCoroWrapper_Type;

PyObject* coroutine_await(PyObject* self) {
  auto* wrapper = PyObject_GC_New(CoroutineWrapper, &_PyCoroWrapper_Type);
  if (wrapper == nullptr) return nullptr;
  wrapper->coroutine = Py_NewRef(self);
  PyObject_GC_Track(wrapper);
  return reinterpret_cast<PyObject*>(wrapper);
}

PyObject* wrapper_iternext(PyObject* self) {
  PyObject* coroutine = wrapped(self);
  if (refuse_finished(coroutine)) return nullptr;
  return gen_iternext(coroutine);
}
PyObject* wrapper_send(PyObject* self, PyObject* value) { return gen_send(wrapped(self), value); }
PyObject* wrapper_throw(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  return gen_throw(wrapped(self), args, nargs);
}
PyObject* wrapper_close(PyObject* self, PyObject*) { return generator_close(wrapped(self)); }
void wrapper_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(reinterpret_cast<CoroutineWrapper*>(self)->coroutine);
  PyObject_GC_Del(self);
}
int wrapper_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(wrapped(self));
  return 0;
}

PyMethodDef wrapper_methods[] = {
    {"send", wrapper_send, METH_O, "Send a value into the coroutine."},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(wrapper_throw)), METH_FASTCALL,
     "Raise an exception in the coroutine."},
    {"close", wrapper_close, METH_NOARGS, "Raise GeneratorExit inside the coroutine."},
    {},
};

PyGetSetDef coroutine_getsets[] = {
    {"__name__", get_name, set_name, "name of the coroutine", nullptr},
    {"__qualname__", get_qualname, set_qualname, "qualified name of the coroutine", nullptr},
    {"cr_await", get_delegate, nullptr, "object being awaited on, or None", nullptr},
    {"cr_running", get_running, nullptr, nullptr, nullptr},
    {"cr_frame", get_frame, nullptr, nullptr, nullptr},
    {"cr_code", get_code, nullptr, nullptr, nullptr},
    {"cr_origin", get_origin, nullptr, nullptr, nullptr},
    {"cr_suspended", get_suspended, nullptr, nullptr, nullptr},
    {},
};

PyMethodDef coroutine_methods[] = {
    {"send", gen_send, METH_O,
     "send($self, value, /)\n--\n\nGive a value into coroutine; return the next value or raise StopIteration."},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(gen_throw)), METH_FASTCALL,
     "throw($self, typ, val=None, tb=None, /)\n--\n\nRaise an exception in coroutine; return the next value or raise StopIteration."},
    {"close", gen_close, METH_NOARGS, "close($self, /)\n--\n\nRaise GeneratorExit inside coroutine."},
    {"__sizeof__", gen_sizeof, METH_NOARGS, "Size of the coroutine in memory, in bytes."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

PyAsyncMethods coroutine_as_async = {.am_await = coroutine_await, .am_send = gen_am_send};

}  // namespace

PyObject* generator_throw(PyObject* self, PyObject* exc, bool close_on_exit) {
  if (state_of(self) == kGenFinished && is_coroutine(self)) {
    PyErr_SetString(PyExc_RuntimeError, "cannot reuse already awaited coroutine");
    return nullptr;
  }
  PyObject* result = finish_resume(throw_exception(self, exc, close_on_exit));
  if (result == nullptr && !PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
  return result;
}

PyObject* generator_close(PyObject* self) {
  GeneratorObject* gen = as_gen(self);
  if (state_of(self) == kGenFinished) Py_RETURN_NONE;
  if (sync::attached_claim(gen->state, kGenCreated, kGenRunning)) {
    generator_abandon(gen);
    Py_RETURN_NONE;
  }
  Ref<> delegate = generator_claimed_delegate(gen);
  int status = 0;
  if (delegate) {
    Delegating busy(gen);
    if (!busy.claimed) return nullptr;
    status = close_iterator(delegate);
  }
  if (status == 0) PyErr_SetNone(PyExc_GeneratorExit);
  PyObject* result = generator_resume(gen, nullptr);
  if (result != nullptr) {
    if (generator_returned()) return result;
    Py_DECREF(result);
    PyErr_Format(PyExc_RuntimeError, "%s ignored GeneratorExit",
                 is_coroutine(self) ? "coroutine" : PyAsyncGen_CheckExact(self) ? "async generator" : "generator");
    return nullptr;
  }
  if (PyErr_ExceptionMatches(PyExc_StopIteration) || PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
    PyErr_Clear();
    Py_RETURN_NONE;
  }
  return nullptr;
}

void generator_abandon(GeneratorObject* gen) {
  __atomic_store_n(&gen->state, static_cast<uint8_t>(kGenFinished), __ATOMIC_RELEASE);
  Frame* f = &gen->frame;
  if (f->object != nullptr) frame_object_detach(f);
  for (uint32_t i = 0; i < gen->register_count; ++i) {
    Value v = gen->regs[i];
    gen->regs[i] = kEmpty;
    drop(v);
  }
  Py_CLEAR(f->locals);
  Py_CLEAR(gen->exc_state.exc_value);
}

PyObject* generator_get_frame(PyObject* self) {
  if (state_of(self) == kGenFinished) Py_RETURN_NONE;
  {
    FrameView f(&as_gen(self)->frame);
    if (state_of(self) != kGenFinished) return reinterpret_cast<PyObject*>(frame_object(f.get()));
  }
  Py_RETURN_NONE;
}

void generator_dealloc(PyObject* self) {
  GeneratorObject* gen = as_gen(self);
  untrack(self);
  if (sync::load_acquire(gen->weakrefs) != nullptr) PyObject_ClearWeakRefs(self);
  // One that has ended has nothing to finalize.
  if (gen->state != kGenFinished) {
    track(self);
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;  // resurrected
    untrack(self);
  }
  if (gen->state != kGenFinished) generator_abandon(gen);
  drop(gen->frame.function);
  Py_CLEAR(gen->origin_or_finalizer);
  Py_CLEAR(gen->name);
  Py_CLEAR(gen->qualname);
  Py_CLEAR(gen->exc_state.exc_value);
  PyObject_GC_Del(self);
}

int generator_traverse(PyObject* self, visitproc visit, void* arg) {
  GeneratorObject* gen = as_gen(self);
  Py_VISIT(gen->name);
  Py_VISIT(gen->qualname);
  Py_VISIT(gen->origin_or_finalizer);
  Py_VISIT(gen->exc_state.exc_value);
  if (is_owned(gen->frame.function)) {
    Py_VISIT(pointer_of(gen->frame.function));
  } else if (gen->frame.function != kEmpty) {
    gc::visit_uncounted(pointer_of(gen->frame.function), visit, arg);
  }
  gc::visit_uncounted(reinterpret_cast<PyObject*>(gen->frame.code), visit, arg);
  Py_VISIT(reinterpret_cast<PyObject*>(gen->frame.object));
  Py_VISIT(gen->frame.locals);
  for (uint32_t i = 0; i < gen->register_count; ++i) {
    Value v = gen->regs[i];
    if (is_owned(v)) {
      Py_VISIT(pointer_of(v));
    } else if (is_pointer(v) && v != kEmpty) {
      gc::visit_uncounted(pointer_of(v), visit, arg);
    }
  }
  return 0;
}

void generator_finalize(PyObject* self) {
  GeneratorObject* gen = as_gen(self);
  if (state_of(self) == kGenFinished) return;
  Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
  if (Py_IS_TYPE(self, &PyCoro_Type) && state_of(self) == kGenCreated) {
    warn_unawaited_coroutine(self);
    generator_abandon(gen);
  } else {
    Ref<> result = Ref<>::steal(generator_close(self));
    if (!result && PyErr_Occurred()) {
      PyErr_FormatUnraisable("Exception ignored while closing generator %R", self);
    }
  }
  PyErr_SetRaisedException(saved.release());
}

void warn_unawaited_coroutine(PyObject* coroutine) {
  Ref<> warnings = Ref<>::steal(PyImport_ImportModule("warnings"));
  Ref<> warn;
  if (warnings) warn = Ref<>::steal(PyObject_GetAttrString(warnings, "_warn_unawaited_coroutine"));
  if (!warn) PyErr_Clear();
  bool warned = false;
  if (warn) {
    Ref<> done = Ref<>::steal(PyObject_CallOneArg(warn, coroutine));
    warned = done || PyErr_ExceptionMatches(PyExc_RuntimeWarning);
    if (!done) PyErr_FormatUnraisable("Exception ignored while finalizing coroutine %R", coroutine);
  }
  const Ref<> name = sync::get_ref(&as_gen(coroutine)->qualname, coroutine);
  if (!warned && PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine '%S' was never awaited", name.get()) < 0) {
    PyErr_WriteUnraisable(coroutine);
  }
}

PyObject* coroutine_get_awaitable(PyObject* o) {
  if (PyCoro_CheckExact(o)) return Py_NewRef(o);
  if (PyGen_CheckExact(o) && (as_gen(o)->frame.code->co_flags & CO_ITERABLE_COROUTINE)) return Py_NewRef(o);
  PyTypeObject* type = Py_TYPE(o);
  if (type->tp_as_async != nullptr && type->tp_as_async->am_await != nullptr) {
    Ref<> iterator = Ref<>::steal(type->tp_as_async->am_await(o));
    if (!iterator) return nullptr;
    if (PyCoro_CheckExact(iterator.get()) ||
        (PyGen_CheckExact(iterator.get()) && (as_gen(iterator)->frame.code->co_flags & CO_ITERABLE_COROUTINE))) {
      PyErr_SetString(PyExc_TypeError, "__await__() returned a coroutine");
      return nullptr;
    }
    if (!PyIter_Check(iterator.get())) {
      PyErr_Format(PyExc_TypeError, "__await__() returned non-iterator of type '%.100s'", Py_TYPE(iterator.get())->tp_name);
      return nullptr;
    }
    return iterator.release();
  }
  PyErr_Format(PyExc_TypeError, "'%.100s' object can't be awaited", type->tp_name);
  return nullptr;
}

}  // namespace amphis

extern "C" {

using namespace amphis;

PyTypeObject PyGen_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "generator",
    .tp_basicsize = sizeof(GeneratorObject),
    .tp_dealloc = generator_dealloc,
    .tp_as_async = &generator_as_async,
    .tp_repr = gen_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = generator_traverse,
    .tp_weaklistoffset = offsetof(GeneratorObject, weakrefs),
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = gen_iternext,
    .tp_methods = generator_methods,
    .tp_getset = generator_getsets,
    .tp_finalize = generator_finalize,
};

PyTypeObject PyCoro_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "coroutine",
    .tp_basicsize = sizeof(GeneratorObject),
    .tp_dealloc = generator_dealloc,
    .tp_as_async = &coroutine_as_async,
    .tp_repr = gen_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = generator_traverse,
    .tp_weaklistoffset = offsetof(GeneratorObject, weakrefs),
    .tp_methods = coroutine_methods,
    .tp_getset = coroutine_getsets,
    .tp_finalize = generator_finalize,
};

PyTypeObject _PyCoroWrapper_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "coroutine_wrapper",
    .tp_basicsize = sizeof(CoroutineWrapper),
    .tp_dealloc = wrapper_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = wrapper_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = wrapper_iternext,
    .tp_methods = wrapper_methods,
};

PyCodeObject* PyGen_GetCode(PyGenObject* gen) {
  return reinterpret_cast<PyCodeObject*>(
      Py_NewRef(reinterpret_cast<PyObject*>(reinterpret_cast<GeneratorObject*>(gen)->frame.code)));
}

}  // extern "C"
