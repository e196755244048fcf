// Raising, catching and matching exceptions.
#include "interp/load.h"
#include "interp/ops.h"
#include "objects/exceptions.h"
#include "sync/ref.h"

#include <utility>

namespace amphis {

void add_traceback(Frame* f) {
  ThreadState* ts = current_thread();
  if (ts->current_exception == nullptr) PyErr_SetString(PyExc_SystemError, "error return without exception set");
  PyObject* exc = std::exchange(ts->current_exception, nullptr);
  FrameObject* object = frame_object(f);
  // Without memory for it the traceback lacks this frame.
  if (object == nullptr ||
      exception_add_frame(exc, reinterpret_cast<PyObject*>(object), static_cast<int>(f->index()) * 2, -1) < 0) {
    PyErr_Clear();
  }
  Py_XDECREF(object);
  PyErr_SetRaisedException(exc);
}

void place_of_raise(Frame* f) {
  if (!word_has(__atomic_load_n(f->pc, __ATOMIC_RELAXED), kHidden)) return;
  Ref<> exc = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> traceback = exc ? Ref<>::steal(PyException_GetTraceback(exc)) : Ref<>();
  if (traceback && PyTraceBack_Check(traceback.get())) {
    auto* entry = reinterpret_cast<PyTracebackObject*>(traceback.get());
    const uint32_t index = static_cast<uint32_t>(entry->tb_lasti) / 2;
    if (entry->tb_frame == reinterpret_cast<PyFrameObject*>(f->object) && entry->tb_lasti >= 0 &&
        index < code_extra(f->code)->word_count) {
      f->pc = code_words(f->code) + index;
    }
  }
  PyErr_SetRaisedException(exc.release());
}

bool op_raise(Frame* f, const Word* pc) {
  Regs x(f, pc);
  if (x.c() == 0) {
    PyObject* handled = PyErr_GetHandledException();
    if (handled == nullptr || handled == Py_None) {
      Py_XDECREF(handled);
      PyErr_SetString(PyExc_RuntimeError, "No active exception to reraise");
      return false;
    }
    PyErr_SetRaisedException(handled);
    return true;
  }
  Ref<> exc = Ref<>::steal(x.take(x.b()));
  Ref<> cause;
  if (x.c() == 2) {
    cause = Ref<>::steal(x.take(x.b() + 1));
    if (!cause) return false;
  }
  if (!exc) return false;
  if (PyExceptionClass_Check(exc.get())) {
    Ref<> instance = Ref<>::steal(PyObject_CallNoArgs(exc));
    if (!instance) return false;
    if (!PyExceptionInstance_Check(instance.get())) {
      PyErr_Format(PyExc_TypeError, "calling %R should have returned an instance of BaseException, not %R", exc.get(),
                   Py_TYPE(instance.get()));
      return false;
    }
    exc = std::move(instance);
  } else if (!PyExceptionInstance_Check(exc.get())) {
    PyErr_SetString(PyExc_TypeError, "exceptions must derive from BaseException");
    return false;
  }
  if (cause) {
    if (PyExceptionClass_Check(cause.get())) {
      Ref<> instance = Ref<>::steal(PyObject_CallNoArgs(cause));
      if (!instance) return false;
      if (!PyExceptionInstance_Check(instance.get())) {
        PyErr_Format(PyExc_TypeError, "calling %R should have returned an instance of BaseException, not %R",
                     cause.get(), Py_TYPE(instance.get()));
        return false;
      }
      PyException_SetCause(exc, instance.release());
    } else if (cause.get() == Py_None) {
      PyException_SetCause(exc, nullptr);
    } else if (PyExceptionInstance_Check(cause.get())) {
      PyException_SetCause(exc, cause.release());
    } else {
      PyErr_SetString(PyExc_TypeError, "exception causes must derive from BaseException");
      return false;
    }
  }
  PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(exc.get())), exc);
  return false;
}

void op_reraise(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyErr_SetRaisedException(x.take(x.a()));
}

bool op_push_exc_info(Frame* f, const Word* pc) {
  Regs x(f, pc);
  _PyErr_StackItem* info = current_thread()->exc_info;
  PyObject* previous = info->exc_value;
  // The register takes over the reference of the handled exception; POP_EXCEPT gives it back.
  x.set(x.a() + 1, previous != nullptr ? value_owned(previous) : value_none());
  info->exc_value = Py_NewRef(pointer_of(x.A()));
  return true;
}

bool op_pop_except(Frame* f, const Word* pc) {
  Regs x(f, pc);
  _PyErr_StackItem* info = current_thread()->exc_info;
  Value previous = x.r[x.a() + 1];
  x.r[x.a() + 1] = kEmpty;
  PyObject* handled = info->exc_value;
  info->exc_value = is_none(previous) || previous == kEmpty ? nullptr : value_take_object(previous);
  Py_XDECREF(handled);
  x.clear(x.a());
  return true;
}

namespace {

// What `except` may name: exception classes, or tuples of them.
bool check_exception_type(PyObject* type) {
  constexpr const char* kMessage = "catching classes that do not inherit from BaseException is not allowed";
  if (PyTuple_Check(type)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type); ++i) {
      if (!PyExceptionClass_Check(PyTuple_GET_ITEM(type, i))) {
        PyErr_SetString(PyExc_TypeError, kMessage);
        return false;
      }
    }
    return true;
  }
  if (PyExceptionClass_Check(type)) return true;
  PyErr_SetString(PyExc_TypeError, kMessage);
  return false;
}

bool is_group_type(PyObject* type) {
  return PyType_Check(type) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(type),
                                                reinterpret_cast<PyTypeObject*>(PyExc_BaseExceptionGroup));
}

bool check_star_type(PyObject* type) {
  if (!check_exception_type(type)) return false;
  bool group = false;
  if (PyTuple_Check(type)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(type); ++i) group |= is_group_type(PyTuple_GET_ITEM(type, i));
  } else {
    group = is_group_type(type);
  }
  if (!group) return true;
  PyErr_SetString(PyExc_TypeError, "catching ExceptionGroup with except* is not allowed. Use except instead.");
  return false;
}

}  // namespace

bool op_check_exc_match(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand type(x.C());
  if (type.get() == nullptr || !check_exception_type(type)) return false;
  bool match = PyErr_GivenExceptionMatches(pointer_of(x.B()), type) != 0;
  x.kill_c();
  x.set(x.a(), value_bool(match));
  return true;
}

bool op_check_eg_match(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand type(x.C());
  if (type.get() == nullptr || !check_star_type(type)) return false;
  PyObject* exc = pointer_of(x.B());
  Ref<> match, rest;
  if (exc == Py_None) {
    match = Ref<>::share(Py_None);
    rest = Ref<>::share(Py_None);
  } else if (PyErr_GivenExceptionMatches(exc, type)) {
    if (is_group_type(reinterpret_cast<PyObject*>(Py_TYPE(exc)))) {
      match = Ref<>::share(exc);
    } else {
      // A naked exception is wrapped, so that `except*` always binds a group.
      Ref<> list = Ref<>::steal(PyTuple_Pack(1, exc));
      if (!list) return false;
      match = Ref<>::steal(PyObject_CallFunction(PyExc_BaseExceptionGroup, "sO", "", list.get()));
      if (!match) return false;
      // The group comes from here.
      PyErr_SetRaisedException(match.release());
      add_traceback(f);
      match = Ref<>::steal(PyErr_GetRaisedException());
    }
    rest = Ref<>::share(Py_None);
  } else if (is_group_type(reinterpret_cast<PyObject*>(Py_TYPE(exc)))) {
    Ref<> pair = Ref<>::steal(PyObject_CallMethod(exc, "split", "(O)", type.get()));
    if (!pair) return false;
    if (!PyTuple_CheckExact(pair.get())) {
      PyErr_Format(PyExc_TypeError, "%.200s.split must return a tuple, not %.200s", Py_TYPE(exc)->tp_name,
                   Py_TYPE(pair.get())->tp_name);
      return false;
    }
    if (PyTuple_GET_SIZE(pair.get()) < 2) {
      PyErr_Format(PyExc_TypeError, "%.200s.split must return a 2-tuple, got tuple of size %zd",
                   Py_TYPE(exc)->tp_name, PyTuple_GET_SIZE(pair.get()));
      return false;
    }
    match = Ref<>::share(PyTuple_GET_ITEM(pair.get(), 0));
    rest = Ref<>::share(PyTuple_GET_ITEM(pair.get(), 1));
  } else {
    match = Ref<>::share(Py_None);
    rest = Ref<>::share(exc);
  }
  if (match.get() != Py_None) PyErr_SetHandledException(match);
  x.kill_c();
  x.set(x.b(), value_owned(rest.release()));
  x.set(x.a(), value_owned(match.release()));
  return true;
}

bool op_with_except_start(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand exit(x.B());
  Value self = x.r[x.b() + 1];
  PyObject* exc = pointer_of(x.r[x.b() + 2]);
  Ref<> traceback = Ref<>::steal(PyException_GetTraceback(exc));
  PyObject* args[5] = {nullptr, nullptr, reinterpret_cast<PyObject*>(Py_TYPE(exc)), exc,
                       traceback ? traceback.get() : Py_None};
  PyObject* result;
  if (self != kEmpty) {
    Operand self_object(self);
    args[1] = self_object;
    result = PyObject_Vectorcall(exit, args + 1, 4, nullptr);
  } else {
    result = PyObject_Vectorcall(exit, args + 2, 3, nullptr);
  }
  return x.set_a(result);
}

}  // namespace amphis
