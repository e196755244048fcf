// Asynchronous generators (PEP 525): the type, and the awaitables that __anext__, asend, athrow and aclose return.
//
// A value that the generator yields to its consumer travels through the coroutine protocol wrapped, so that it can be
// told from what its own awaits pass up to the event loop. Unwrapping ends an awaitable with StopIteration(value).
#include "gc/roots.h"
#include "interp/generator.h"
#include "interp/generator_methods.h"
#include "modules/warnings.h"
#include "objects/names.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <utility>

namespace amphis {

namespace {

struct WrappedValue {
  PyObject_HEAD
  PyObject* value;
};

enum AwaitState : uint8_t { kAwaitInit, kAwaitIterating, kAwaitClosed };

// asend(value) / __anext__(): `argument` is what is sent (null: None). athrow: the tuple of its arguments; aclose: null.
struct Awaitable {
  PyObject_HEAD
  GeneratorObject* gen;
  PyObject* argument;
  uint8_t state;
  bool throws;
};

struct AnextDefault {
  PyObject_HEAD
  PyObject* awaitable;
  PyObject* fallback;
};

extern "C" PyTypeObject AsyncGenWrapped_Type;
extern "C" PyTypeObject _PyAsyncGenASend_Type;
extern "C" PyTypeObject AsyncGenAThrow_Type;
extern "C" PyTypeObject AnextAwaitable_Type;

GeneratorObject* as_gen(PyObject* o) { return reinterpret_cast<GeneratorObject*>(o); }
Awaitable* as_awaitable(PyObject* o) { return reinterpret_cast<Awaitable*>(o); }

// The hooks of the thread, at first use of the generator. 0 or -1.
int init_hooks(GeneratorObject* gen) {
  if (sync::load_relaxed(gen->hooks_inited)) return 0;
  sync::store_relaxed(gen->hooks_inited, true);
  ThreadState* ts = current_thread();
  if (ts->async_gen_finalizer != nullptr) gen->origin_or_finalizer = Py_NewRef(ts->async_gen_finalizer);
  if (ts->async_gen_firstiter != nullptr) {
    Ref<> hook = Ref<>::share(ts->async_gen_firstiter);
    Ref<> done = Ref<>::steal(PyObject_CallOneArg(hook, reinterpret_cast<PyObject*>(gen)));
    if (!done) return -1;
  }
  return 0;
}

Awaitable* new_awaitable(PyTypeObject* type, GeneratorObject* gen, PyObject* argument, bool throws) {
  auto* a = PyObject_GC_New(Awaitable, type);
  if (a == nullptr) return nullptr;
  a->gen = as_gen(Py_NewRef(reinterpret_cast<PyObject*>(gen)));
  a->argument = Py_XNewRef(argument);
  a->state = kAwaitInit;
  a->throws = throws;
  PyObject_GC_Track(a);
  return a;
}

// The generator has run: what does the awaitable give? Takes `result` over.
PyObject* unwrap(GeneratorObject* gen, PyObject* result) {
  if (result == nullptr) {
    if (!PyErr_Occurred()) PyErr_SetNone(PyExc_StopAsyncIteration);
    if (PyErr_ExceptionMatches(PyExc_StopAsyncIteration) || PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
      sync::store_relaxed(gen->ag_closed, true);
    }
    sync::store_relaxed(gen->ag_running_async, 0);
    return nullptr;
  }
  if (generator_returned()) {
    sync::store_relaxed(gen->ag_closed, true);
    sync::store_relaxed(gen->ag_running_async, 0);
    Py_DECREF(result);
    PyErr_SetNone(PyExc_StopAsyncIteration);
    return nullptr;
  }
  if (Py_IS_TYPE(result, &AsyncGenWrapped_Type)) {
    Ref<> exc = Ref<>::steal(PyObject_CallOneArg(PyExc_StopIteration, reinterpret_cast<WrappedValue*>(result)->value));
    if (exc) PyErr_SetObject(PyExc_StopIteration, exc);
    Py_DECREF(result);
    sync::store_relaxed(gen->ag_running_async, 0);
    return nullptr;
  }
  return result;
}

// Of several threads that begin to run it one gets it.
bool claim(GeneratorObject* gen) {
  return sync::attached_claim(gen->ag_running_async, uint8_t{0}, uint8_t{1});
}

bool refuse_closed(Awaitable* a, const char* what) {
  if (sync::load_relaxed(a->state) != kAwaitClosed) return false;
  PyErr_Format(PyExc_RuntimeError, "cannot reuse already awaited %s", what);
  return true;
}

PyObject* throw_into(GeneratorObject* gen, PyObject* exc) {
  // generator_throw turns a return into StopIteration; asynchronous generators end with StopAsyncIteration.
  PyObject* result = generator_throw(reinterpret_cast<PyObject*>(gen), exc, false);
  if (result == nullptr && PyErr_ExceptionMatches(PyExc_StopIteration)) {
    PyErr_Clear();
    PyErr_SetNone(PyExc_StopAsyncIteration);
  }
  return result;
}

// --- asend, __anext__

PyObject* asend_send(PyObject* self, PyObject* value) {
  Awaitable* a = as_awaitable(self);
  if (refuse_closed(a, "__anext__()/asend()")) return nullptr;
  GeneratorObject* gen = a->gen;
  if (sync::load_relaxed(a->state) == kAwaitInit) {
    if (!claim(gen)) {
      sync::store_relaxed(a->state, kAwaitClosed);
      PyErr_SetString(PyExc_RuntimeError, "anext(): asynchronous generator is already running");
      return nullptr;
    }
    if (value == nullptr || value == Py_None) value = a->argument != nullptr ? a->argument : Py_None;
    sync::store_relaxed(a->state, kAwaitIterating);
  }
  if (sync::load_acquire(gen->state) == kGenFinished) {
    sync::store_relaxed(a->state, kAwaitClosed);
    sync::store_relaxed(gen->ag_running_async, 0);
    PyErr_SetNone(PyExc_StopAsyncIteration);
    return nullptr;
  }
  sync::store_relaxed(gen->ag_running_async, 1);
  PyObject* result = unwrap(gen, generator_resume(gen, value != nullptr ? value : Py_None));
  if (result == nullptr) sync::store_relaxed(a->state, kAwaitClosed);
  return result;
}
PyObject* asend_iternext(PyObject* self) { return asend_send(self, nullptr); }

PyObject* thrown_exception(const char* method, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional(method, nargs, 1, 3)) return nullptr;
  if (PyExceptionInstance_Check(args[0])) return Py_NewRef(args[0]);
  if (!PyExceptionClass_Check(args[0])) {
    PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                 Py_TYPE(args[0])->tp_name);
    return nullptr;
  }
  if (nargs > 1 && args[1] != Py_None) {
    if (PyExceptionInstance_Check(args[1])) return Py_NewRef(args[1]);
    return PyObject_CallOneArg(args[0], args[1]);
  }
  return PyObject_CallNoArgs(args[0]);
}

PyObject* asend_throw(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Awaitable* a = as_awaitable(self);
  if (refuse_closed(a, "__anext__()/asend()")) return nullptr;
  if (sync::load_relaxed(a->state) == kAwaitInit) {
    if (!claim(a->gen)) {
      sync::store_relaxed(a->state, kAwaitClosed);
      PyErr_SetString(PyExc_RuntimeError, "anext(): asynchronous generator is already running");
      return nullptr;
    }
    sync::store_relaxed(a->state, kAwaitIterating);
  }
  Ref<> exc = Ref<>::steal(thrown_exception("throw", args, nargs));
  if (!exc) return nullptr;
  PyObject* result = unwrap(a->gen, throw_into(a->gen, exc));
  if (result == nullptr) sync::store_relaxed(a->state, kAwaitClosed);
  return result;
}

PyObject* await_close(PyObject* self, PyObject*) {
  Awaitable* a = as_awaitable(self);
  if (sync::load_relaxed(a->state) == kAwaitClosed) Py_RETURN_NONE;
  if (sync::load_relaxed(a->state) == kAwaitInit) {
    sync::store_relaxed(a->state, kAwaitClosed);
    Py_RETURN_NONE;
  }
  PyObject* args[1] = {PyExc_GeneratorExit};
  Ref<> throw_method = Ref<>::steal(PyObject_GetAttr(self, names.str_throw));
  if (!throw_method) return nullptr;
  Ref<> result = Ref<>::steal(PyObject_Vectorcall(throw_method, args, 1, nullptr));
  if (result) {
    PyErr_SetString(PyExc_RuntimeError, "coroutine ignored GeneratorExit");
    return nullptr;
  }
  if (PyErr_ExceptionMatches(PyExc_StopIteration) || PyErr_ExceptionMatches(PyExc_StopAsyncIteration) ||
      PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
    PyErr_Clear();
    Py_RETURN_NONE;
  }
  return nullptr;
}

int warn_about(PyObject* message, PyObject* source) {
  Ref<> done = Ref<>::steal(warn_at_level(PyExc_RuntimeWarning, message, 1, source, nullptr));
  return done ? 0 : -1;
}

// --- athrow, aclose

// After a run on behalf of aclose(): a yielded value means that GeneratorExit was ignored.
PyObject* finish_aclose(Awaitable* a, PyObject* result) {
  GeneratorObject* gen = a->gen;
  if (result != nullptr && !generator_returned() && Py_IS_TYPE(result, &AsyncGenWrapped_Type)) {
    Py_DECREF(result);
    sync::store_relaxed(gen->ag_running_async, 0);
    sync::store_relaxed(a->state, kAwaitClosed);
    PyErr_SetString(PyExc_RuntimeError, "async generator ignored GeneratorExit");
    return nullptr;
  }
  if (result != nullptr && !generator_returned()) return result;
  Py_XDECREF(result);
  sync::store_relaxed(gen->ag_running_async, 0);
  sync::store_relaxed(a->state, kAwaitClosed);
  if (result != nullptr || !PyErr_Occurred() || PyErr_ExceptionMatches(PyExc_StopAsyncIteration) ||
      PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
    PyErr_Clear();
    sync::store_relaxed(gen->ag_closed, true);
    PyErr_SetNone(PyExc_StopIteration);
  }
  return nullptr;
}

PyObject* athrow_send(PyObject* self, PyObject* value) {
  Awaitable* a = as_awaitable(self);
  const bool closing = a->argument == nullptr;
  if (refuse_closed(a, "aclose()/athrow()")) return nullptr;
  GeneratorObject* gen = a->gen;
  if (sync::load_acquire(gen->state) == kGenFinished) {
    sync::store_relaxed(a->state, kAwaitClosed);
    PyErr_SetNone(PyExc_StopIteration);
    return nullptr;
  }
  if (sync::load_relaxed(a->state) == kAwaitInit) {
    if (!claim(gen)) {
      sync::store_relaxed(a->state, kAwaitClosed);
      PyErr_SetString(PyExc_RuntimeError, closing ? "aclose(): asynchronous generator is already running"
                                                  : "athrow(): asynchronous generator is already running");
      return nullptr;
    }
    if (sync::load_relaxed(gen->ag_closed)) {
      sync::store_relaxed(gen->ag_running_async, 0);
      sync::store_relaxed(a->state, kAwaitClosed);
      PyErr_SetNone(PyExc_StopAsyncIteration);
      return nullptr;
    }
    if (value != nullptr && value != Py_None) {
      sync::store_relaxed(gen->ag_running_async, 0);
      PyErr_SetString(PyExc_RuntimeError, "can't send non-None value to a just-started coroutine");
      return nullptr;
    }
    sync::store_relaxed(a->state, kAwaitIterating);
    if (closing) {
      sync::store_relaxed(gen->ag_closed, true);
      Ref<> exit = Ref<>::steal(PyObject_CallNoArgs(PyExc_GeneratorExit));
      if (!exit) return nullptr;
      return finish_aclose(a, throw_into(gen, exit));
    }
    Ref<> exc = Ref<>::steal(
        thrown_exception("athrow", &PyTuple_GET_ITEM(a->argument, 0), PyTuple_GET_SIZE(a->argument)));
    if (!exc) {
      sync::store_relaxed(gen->ag_running_async, 0);
      sync::store_relaxed(a->state, kAwaitClosed);
      return nullptr;
    }
    PyObject* result = unwrap(gen, throw_into(gen, exc));
    if (result == nullptr) sync::store_relaxed(a->state, kAwaitClosed);
    return result;
  }
  PyObject* result = generator_resume(gen, value != nullptr ? value : Py_None);
  if (closing) return finish_aclose(a, result);
  result = unwrap(gen, result);
  if (result == nullptr) sync::store_relaxed(a->state, kAwaitClosed);
  return result;
}
PyObject* athrow_iternext(PyObject* self) { return athrow_send(self, nullptr); }

PyObject* athrow_throw(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Awaitable* a = as_awaitable(self);
  const bool closing = a->argument == nullptr;
  if (refuse_closed(a, "aclose()/athrow()")) return nullptr;
  if (sync::load_relaxed(a->state) == kAwaitInit) {
    if (!claim(a->gen)) {
      sync::store_relaxed(a->state, kAwaitClosed);
      PyErr_SetString(PyExc_RuntimeError, closing ? "aclose(): asynchronous generator is already running"
                                                  : "athrow(): asynchronous generator is already running");
      return nullptr;
    }
    sync::store_relaxed(a->state, kAwaitIterating);
  }
  Ref<> exc = Ref<>::steal(thrown_exception("throw", args, nargs));
  if (!exc) return nullptr;
  PyObject* result = throw_into(a->gen, exc);
  if (closing) return finish_aclose(a, result);
  result = unwrap(a->gen, result);
  if (result == nullptr) sync::store_relaxed(a->state, kAwaitClosed);
  return result;
}

// An awaitable that nobody awaited is a mistake like a coroutine that nobody awaited.
void awaitable_finalize(PyObject* self) {
  Awaitable* a = as_awaitable(self);
  if (sync::load_relaxed(a->state) != kAwaitInit) return;
  Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
  auto* gen = reinterpret_cast<PyObject*>(a->gen);
  const char* method = !a->throws ? "asend" : a->argument != nullptr ? "athrow" : "aclose";
  const Ref<> name = sync::get_ref(&a->gen->qualname, a->gen);
  Ref<> message = Ref<>::steal(PyUnicode_FromFormat("coroutine method '%s' of %R was never awaited", method, name.get()));
  if (!message || warn_about(message.get(), gen) < 0) {
    PyErr_FormatUnraisable("Exception ignored while finalizing async generator %R", gen);
  }
  PyErr_SetRaisedException(saved.release());
}

void awaitable_dealloc(PyObject* self) {
  if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
  PyObject_GC_UnTrack(self);
  Awaitable* a = as_awaitable(self);
  Py_CLEAR(a->gen);
  Py_CLEAR(a->argument);
  PyObject_GC_Del(self);
}
int awaitable_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<PyObject*>(as_awaitable(self)->gen));
  Py_VISIT(as_awaitable(self)->argument);
  return 0;
}

PyMethodDef asend_methods[] = {
    {"send", asend_send, METH_O, nullptr},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(asend_throw)), METH_FASTCALL, nullptr},
    {"close", await_close, METH_NOARGS, nullptr},
    {},
};
PyMethodDef athrow_methods[] = {
    {"send", athrow_send, METH_O, nullptr},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(athrow_throw)), METH_FASTCALL, nullptr},
    {"close", await_close, METH_NOARGS, nullptr},
    {},
};
PyAsyncMethods awaitable_as_async = {.am_await = PyObject_SelfIter};

// --- the generator's own methods

PyObject* gen_anext(PyObject* self) {
  if (init_hooks(as_gen(self)) < 0) return nullptr;
  return reinterpret_cast<PyObject*>(new_awaitable(&_PyAsyncGenASend_Type, as_gen(self), nullptr, false));
}
PyObject* gen_asend(PyObject* self, PyObject* value) {
  if (init_hooks(as_gen(self)) < 0) return nullptr;
  return reinterpret_cast<PyObject*>(new_awaitable(&_PyAsyncGenASend_Type, as_gen(self), value, false));
}
PyObject* gen_aclose(PyObject* self, PyObject*) {
  if (init_hooks(as_gen(self)) < 0) return nullptr;
  return reinterpret_cast<PyObject*>(new_awaitable(&AsyncGenAThrow_Type, as_gen(self), nullptr, true));
}
PyObject* gen_athrow(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs > 1 && PyErr_WarnEx(PyExc_DeprecationWarning,
                                "the (type, exc, tb) signature of athrow() is deprecated, use the single-arg "
                                "signature instead.",
                                1) < 0) {
    return nullptr;
  }
  if (init_hooks(as_gen(self)) < 0) return nullptr;
  Ref<> tuple = Ref<>::steal(_PyTuple_FromArray(args, nargs));
  if (!tuple) return nullptr;
  return reinterpret_cast<PyObject*>(new_awaitable(&AsyncGenAThrow_Type, as_gen(self), tuple, true));
}

PyObject* gen_repr(PyObject* self) {
  const Ref<> name = sync::get_ref(&as_gen(self)->qualname, self);
  return PyUnicode_FromFormat("<async_generator object %S at %p>", name.get(), self);
}
PyObject* get_name(PyObject* self, void*) { return sync::get_ref(&as_gen(self)->name, self).release(); }
PyObject* get_qualname(PyObject* self, void*) { return sync::get_ref(&as_gen(self)->qualname, self).release(); }
int set_text(PyObject* self, PyObject** field, PyObject* value, const char* message) {
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
  return set_text(self, &as_gen(self)->name, value, "__name__ must be set to a string object");
}
int set_qualname(PyObject* self, PyObject* value, void*) {
  return set_text(self, &as_gen(self)->qualname, value, "__qualname__ must be set to a string object");
}
PyObject* get_running(PyObject* self, void*) { return PyBool_FromLong(sync::load_relaxed(as_gen(self)->ag_running_async)); }
PyObject* get_suspended(PyObject* self, void*) { return PyBool_FromLong(sync::load_acquire(as_gen(self)->state) == kGenSuspended); }
PyObject* get_await(PyObject* self, void*) {
  Ref<> delegate = generator_watched_delegate(as_gen(self));
  return delegate ? delegate.release() : Py_NewRef(Py_None);
}
PyObject* get_frame(PyObject* self, void*) { return generator_get_frame(self); }
PyObject* get_code(PyObject* self, void*) {
  return Py_NewRef(reinterpret_cast<PyObject*>(as_gen(self)->frame.code));
}

void gen_finalize(PyObject* self) {
  GeneratorObject* gen = as_gen(self);
  if (sync::load_acquire(gen->state) == kGenFinished) return;
  if (gen->origin_or_finalizer != nullptr && !sync::load_relaxed(gen->ag_closed) && sync::load_acquire(gen->state) != kGenCreated) {
    Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
    Ref<> hook = Ref<>::share(gen->origin_or_finalizer);
    Ref<> done = Ref<>::steal(PyObject_CallOneArg(hook, self));
    if (!done) PyErr_FormatUnraisable("Exception ignored while finalizing generator %R", self);
    PyErr_SetRaisedException(saved.release());
    return;
  }
  generator_finalize(self);
}

PyMethodDef gen_methods[] = {
    {"asend", gen_asend, METH_O, "asend($self, v, /)\n--\n\nSend 'v' in generator."},
    {"athrow", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(gen_athrow)), METH_FASTCALL,
     "athrow(value)\nathrow(type[,value[,tb]])\n\nRaise exception in generator."},
    {"aclose", gen_aclose, METH_NOARGS, "aclose($self, /)\n--\n\nRaise GeneratorExit inside generator."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};
PyGetSetDef gen_getsets[] = {
    {"__name__", get_name, set_name, "name of the async generator", nullptr},
    {"__qualname__", get_qualname, set_qualname, "qualified name of the async generator", nullptr},
    {"ag_await", get_await, nullptr, "object being awaited on, or None", nullptr},
    {"ag_frame", get_frame, nullptr, nullptr, nullptr},
    {"ag_running", get_running, nullptr, nullptr, nullptr},
    {"ag_code", get_code, nullptr, nullptr, nullptr},
    {"ag_suspended", get_suspended, nullptr, nullptr, nullptr},
    {},
};
PyAsyncMethods gen_as_async = {.am_aiter = PyObject_SelfIter, .am_anext = gen_anext};

void wrapped_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(reinterpret_cast<WrappedValue*>(self)->value);
  PyObject_GC_Del(self);
}
int wrapped_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<WrappedValue*>(self)->value);
  return 0;
}

// --- anext(iterator, default): StopAsyncIteration becomes StopIteration(default)

AnextDefault* as_anext(PyObject* o) { return reinterpret_cast<AnextDefault*>(o); }

PyObject* anext_catch(PyObject* self, PyObject* result) {
  if (result != nullptr || !PyErr_ExceptionMatches(PyExc_StopAsyncIteration)) return result;
  PyErr_Clear();
  Ref<> exc = Ref<>::steal(PyObject_CallOneArg(PyExc_StopIteration, as_anext(self)->fallback));
  if (exc) PyErr_SetObject(PyExc_StopIteration, exc);
  return nullptr;
}

// The iterator behind the awaitable: new reference.
PyObject* anext_iterator(PyObject* self) {
  Ref<> it = Ref<>::steal(coroutine_get_awaitable(as_anext(self)->awaitable));
  if (!it) return nullptr;
  if (PyCoro_CheckExact(it.get())) return Py_TYPE(it.get())->tp_as_async->am_await(it);
  return it.release();
}

PyObject* anext_iternext(PyObject* self) {
  Ref<> it = Ref<>::steal(anext_iterator(self));
  if (!it) return nullptr;
  return anext_catch(self, Py_TYPE(it.get())->tp_iternext(it));
}
PyObject* anext_forward(PyObject* self, const char* method, PyObject* const* args, Py_ssize_t nargs) {
  Ref<> it = Ref<>::steal(anext_iterator(self));
  if (!it) return nullptr;
  Ref<> bound = Ref<>::steal(PyObject_GetAttrString(it, method));
  if (!bound) return nullptr;
  return anext_catch(self, PyObject_Vectorcall(bound, args, static_cast<size_t>(nargs), nullptr));
}
PyObject* anext_send(PyObject* self, PyObject* value) { return anext_forward(self, "send", &value, 1); }
PyObject* anext_throw(PyObject* self, PyObject* const* args, Py_ssize_t n) {
  return anext_forward(self, "throw", args, n);
}
PyObject* anext_close(PyObject* self, PyObject*) { return anext_forward(self, "close", nullptr, 0); }
void anext_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_anext(self)->awaitable);
  Py_CLEAR(as_anext(self)->fallback);
  PyObject_GC_Del(self);
}
int anext_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_anext(self)->awaitable);
  Py_VISIT(as_anext(self)->fallback);
  return 0;
}
PyMethodDef anext_methods[] = {
    {"send", anext_send, METH_O, nullptr},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(anext_throw)), METH_FASTCALL, nullptr},
    {"close", anext_close, METH_NOARGS, nullptr},
    {},
};

}  // namespace

PyObject* async_gen_wrap(PyObject* value) {
  auto* wrapped = PyObject_GC_New(WrappedValue, &AsyncGenWrapped_Type);
  if (wrapped == nullptr) return nullptr;
  wrapped->value = Py_NewRef(value);
  PyObject_GC_Track(wrapped);
  return reinterpret_cast<PyObject*>(wrapped);
}

PyObject* anext_with_default(PyObject* awaitable, PyObject* fallback) {
  auto* a = PyObject_GC_New(AnextDefault, &AnextAwaitable_Type);
  if (a == nullptr) return nullptr;
  a->awaitable = Py_NewRef(awaitable);
  a->fallback = Py_NewRef(fallback);
  PyObject_GC_Track(a);
  return reinterpret_cast<PyObject*>(a);
}

}  // namespace amphis

extern "C" {

using namespace amphis;

PyTypeObject PyAsyncGen_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "async_generator",
    .tp_basicsize = sizeof(GeneratorObject),
    .tp_dealloc = generator_dealloc,
    .tp_as_async = &gen_as_async,
    .tp_repr = gen_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = generator_traverse,
    .tp_weaklistoffset = offsetof(GeneratorObject, weakrefs),
    .tp_methods = gen_methods,
    .tp_getset = gen_getsets,
    .tp_finalize = gen_finalize,
};

PyTypeObject AsyncGenWrapped_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "async_generator_wrapped_value",
    .tp_basicsize = sizeof(WrappedValue),
    .tp_dealloc = wrapped_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = wrapped_traverse,
};

PyTypeObject _PyAsyncGenASend_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "async_generator_asend",
    .tp_basicsize = sizeof(Awaitable),
    .tp_dealloc = awaitable_dealloc,
    .tp_as_async = &awaitable_as_async,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = awaitable_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = asend_iternext,
    .tp_methods = asend_methods,
    .tp_finalize = awaitable_finalize,
};

PyTypeObject AsyncGenAThrow_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "async_generator_athrow",
    .tp_basicsize = sizeof(Awaitable),
    .tp_dealloc = awaitable_dealloc,
    .tp_as_async = &awaitable_as_async,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = awaitable_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = athrow_iternext,
    .tp_methods = athrow_methods,
    .tp_finalize = awaitable_finalize,
};

PyTypeObject AnextAwaitable_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "anext_awaitable",
    .tp_basicsize = sizeof(AnextDefault),
    .tp_dealloc = anext_dealloc,
    .tp_as_async = &awaitable_as_async,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = anext_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = anext_iternext,
    .tp_methods = anext_methods,
};

}  // extern "C"
