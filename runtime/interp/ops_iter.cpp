// Iteration, unpacking, delegation to sub-iterators and awaitables.
#include "interp/generator.h"
#include "interp/load.h"
#include "interp/monitoring.h"
#include "interp/ops.h"
#include "interp/shortcuts.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis {

bool next_pair_of_any(PyObject* one, PyObject* other, bool unbox, Value* first, Value* second) {
  if (*first == kEmpty) *first = iterator_step<Threads::kAsk>(one, unbox);
  if (*first == kEmpty) return false;
  // The collector may run, which does not know of `first`.
  if constexpr (kRaces) *first = to_owned(*first);
  *second = iterator_step<Threads::kAsk>(other, unbox);
  if (*second == kEmpty) drop(*first);
  return *second != kEmpty;
}

bool op_get_iter(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  PyObject* iterator = PyObject_GetIter(o);
  if (iterator == nullptr) return false;
  x.kill_b();
  return x.set_a(iterator);
}

namespace {

// Moves n items into R[A...]; the source register is dropped when it is killed and lies outside the run.
template <typename GetItem>
void unpack_items(const Regs& x, uint32_t n, GetItem item) {
  // Dropping old values may run code, and with it the collector, which knows uncounted objects by their registers.
  Value source = x.flag(kKillB) ? to_owned(x.B()) : kEmpty;
  if (x.flag(kKillB)) x.r[x.b()] = kEmpty;
  for (uint32_t i = 0; i < n; ++i) x.set(x.a() + i, item(i));
  drop(source);
}

[[gnu::cold]] void raise_unpack_count(Py_ssize_t expected, Py_ssize_t got) {
  if (got < expected) {
    PyErr_Format(PyExc_ValueError, "not enough values to unpack (expected %zd, got %zd)", expected, got);
  } else {
    PyErr_Format(PyExc_ValueError, "too many values to unpack (expected %zd, got %zd)", expected, got);
  }
}

bool raise_not_unpackable(PyObject* o) {
  if (PyErr_ExceptionMatches(PyExc_TypeError) && Py_TYPE(o)->tp_iter == nullptr && !PySequence_Check(o)) {
    PyErr_Format(PyExc_TypeError, "cannot unpack non-iterable %.200s object", Py_TYPE(o)->tp_name);
  }
  return false;
}

}  // namespace

bool op_unpack_sequence(Frame* f, const Word* pc) {
  Regs x(f, pc);
  const uint32_t n = x.c();
  Operand source(x.B());
  if (source.get() == nullptr) return false;
  PyObject* o = source;
  if (PyTuple_CheckExact(o)) {
    if (PyTuple_GET_SIZE(o) != static_cast<Py_ssize_t>(n)) {
      raise_unpack_count(n, PyTuple_GET_SIZE(o));
      return false;
    }
    unpack_items(x, n, [o](uint32_t i) { return value_shared(PyTuple_GET_ITEM(o, i)); });
    return true;
  }
  Ref<> items;
  Py_ssize_t count;
  if (PyList_CheckExact(o)) {
    // The run may be variables, whose old values run code when they go: the items are taken out first.
    constexpr uint32_t kFew = 8;
    Value few[kFew];
    if (n > kFew) {
      items = Ref<>::steal(PyList_AsTuple(o));
      if (!items) return false;
      count = PyTuple_GET_SIZE(items.get());
    } else {
      ObjectLock lock(o);
      count = PyList_GET_SIZE(o);
      if (count == static_cast<Py_ssize_t>(n)) {
        for (uint32_t i = 0; i < n; ++i) few[i] = value_owned(Py_NewRef(PyList_GET_ITEM(o, i)));
      }
    }
    if (count != static_cast<Py_ssize_t>(n)) {
      raise_unpack_count(n, count);
      return false;
    }
    if (n <= kFew) {
      unpack_items(x, n, [&few](uint32_t i) { return few[i]; });
      return true;
    }
  } else {
    Ref<> iterator = Ref<>::steal(PyObject_GetIter(o));
    if (!iterator) return raise_not_unpackable(o);
    items = Ref<>::steal(PyTuple_New(static_cast<Py_ssize_t>(n)));
    if (!items) return false;
    for (count = 0; count < static_cast<Py_ssize_t>(n); ++count) {
      PyObject* item;
      int more = PyIter_NextItem(iterator, &item);
      if (more < 0) return false;
      if (more == 0) {
        raise_unpack_count(n, count);
        return false;
      }
      PyTuple_SET_ITEM(items.get(), count, item);
    }
    PyObject* surplus;
    int more = PyIter_NextItem(iterator, &surplus);
    if (more < 0) return false;
    if (more > 0) {
      Py_DECREF(surplus);
      // A length is told only where the object knows it.
      if (PyDict_CheckExact(o)) {
        raise_unpack_count(n, PyDict_GET_SIZE(o));
      } else {
        PyErr_Format(PyExc_ValueError, "too many values to unpack (expected %u)", n);
      }
      return false;
    }
  }
  PyObject* tuple = items;
  unpack_items(x, n, [tuple](uint32_t i) { return value_shared(PyTuple_GET_ITEM(tuple, i)); });
  return true;
}

bool op_unpack_ex(Frame* f, const Word* pc) {
  Regs x(f, pc);
  const Py_ssize_t before = x.c() & 0xff, after = x.c() >> 8;
  Operand source(x.B());
  if (source.get() == nullptr) return false;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(source));
  if (!iterator) return raise_not_unpackable(source);
  Ref<> all = Ref<>::steal(PySequence_List(iterator));
  if (!all) return false;
  Py_ssize_t count = PyList_GET_SIZE(all.get());
  if (count < before + after) {
    PyErr_Format(PyExc_ValueError, "not enough values to unpack (expected at least %zd, got %zd)", before + after,
                 count);
    return false;
  }
  Ref<> middle = Ref<>::steal(PyList_GetSlice(all, before, count - after));
  if (!middle) return false;
  PyObject* list = all;
  PyObject* rest = middle;
  unpack_items(x, static_cast<uint32_t>(before + 1 + after), [=](uint32_t i) {
    Py_ssize_t at = static_cast<Py_ssize_t>(i);
    if (at < before) return value_shared(PyList_GET_ITEM(list, at));
    if (at == before) return value_owned(Py_NewRef(rest));
    return value_shared(PyList_GET_ITEM(list, count - after + (at - before - 1)));
  });
  return true;
}

bool op_get_yield_from_iter(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand source(x.B());
  if (source.get() == nullptr) return false;
  PyObject* o = source;
  PyObject* iterator;
  if (Py_IS_TYPE(o, &PyCoro_Type)) {
    if ((f->code->co_flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE)) == 0) {
      PyErr_SetString(PyExc_TypeError, "cannot 'yield from' a coroutine object in a non-coroutine generator");
      return false;
    }
    iterator = Py_NewRef(o);
  } else if (PyGen_CheckExact(o)) {
    iterator = Py_NewRef(o);
  } else {
    iterator = PyObject_GetIter(o);
    if (iterator == nullptr) return false;
  }
  x.kill_b();
  return x.set_a(iterator);
}

bool op_get_aiter(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  PyTypeObject* type = Py_TYPE(o.get());
  if (type->tp_as_async == nullptr || type->tp_as_async->am_aiter == nullptr) {
    PyErr_Format(PyExc_TypeError, "'async for' requires an object with __aiter__ method, got %.100s", type->tp_name);
    return false;
  }
  Ref<> iterator = Ref<>::steal(type->tp_as_async->am_aiter(o));
  if (!iterator) return false;
  PyTypeObject* got = Py_TYPE(iterator.get());
  if (got->tp_as_async == nullptr || got->tp_as_async->am_anext == nullptr) {
    PyErr_Format(PyExc_TypeError,
                 "'async for' received an object from __aiter__ that does not implement __anext__: %.100s",
                 got->tp_name);
    return false;
  }
  x.kill_b();
  return x.set_a(iterator.release());
}

bool op_get_anext(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* iterator = pointer_of(x.B());
  PyTypeObject* type = Py_TYPE(iterator);
  if (type->tp_as_async == nullptr || type->tp_as_async->am_anext == nullptr) {
    PyErr_Format(PyExc_TypeError, "'async for' requires an iterator with __anext__ method, got %.100s",
                 type->tp_name);
    return false;
  }
  Ref<> next = Ref<>::steal(type->tp_as_async->am_anext(iterator));
  if (!next) return false;
  if (Py_IS_TYPE(iterator, &PyAsyncGen_Type)) return x.set_a(next.release());
  PyObject* awaitable = coroutine_get_awaitable(next);
  if (awaitable == nullptr) {
    _PyErr_FormatFromCause(PyExc_TypeError, "'async for' received an invalid object from __anext__: %.100s",
                           Py_TYPE(next.get())->tp_name);
    return false;
  }
  return x.set_a(awaitable);
}

bool op_get_awaitable(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  Ref<> awaitable = Ref<>::steal(coroutine_get_awaitable(o));
  if (!awaitable) {
    if (x.c() != 0 && PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyTypeObject* type = Py_TYPE(o.get());
      if (type->tp_as_async == nullptr || type->tp_as_async->am_await == nullptr) {
        PyErr_Format(PyExc_TypeError,
                     "'async with' received an object from %s that does not implement __await__: %.100s",
                     x.c() == 1 ? "__aenter__" : "__aexit__", type->tp_name);
      }
    }
    return false;
  }
  if (Py_IS_TYPE(awaitable.get(), &PyCoro_Type) &&
      generator_delegate(reinterpret_cast<GeneratorObject*>(awaitable.get())) != nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "coroutine is being awaited already");
    return false;
  }
  x.kill_b();
  return x.set_a(awaitable.release());
}

int op_send(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* receiver = pointer_of(x.A());
  Ref<> sent = Ref<>::steal(x.take(x.a() + 1));
  if (!sent) return -1;
  PyObject* result = nullptr;
  PySendResult status;
  if (monitored(current_thread()) && sent.get() == Py_None && PyIter_Check(receiver)) [[unlikely]] {
    status = monitored_next(f, receiver, &result);
  } else {
    status = PyIter_Send(receiver, sent, &result);
    if (status == PYGEN_RETURN && monitored(current_thread())) [[unlikely]] monitored_end_of_send(f, result);
  }
  if (status == PYGEN_ERROR) return -1;
  x.set(x.a() + 1, value_owned(result));
  if (status == PYGEN_NEXT) return 1;
  x.clear(x.a());
  return 0;
}

bool op_cleanup_throw(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* exc = pointer_of(x.B());
  if (PyErr_GivenExceptionMatches(exc, PyExc_StopIteration)) {
    Ref<> given = sync::get_ref(&reinterpret_cast<PyStopIterationObject*>(exc)->value, exc);
    PyObject* value = given ? given.release() : Py_NewRef(Py_None);
    x.clear(x.a());
    x.clear(x.b());
    x.set(x.a() + 1, value_owned(value));
    return true;
  }
  PyErr_SetRaisedException(x.take(x.b()));
  return false;
}

bool op_end_async_for(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* exc = pointer_of(x.A());
  if (PyErr_GivenExceptionMatches(exc, PyExc_StopAsyncIteration)) {
    x.clear(x.a());
    x.clear(x.a() - 1);
    return true;
  }
  PyErr_SetRaisedException(x.take(x.a()));
  return false;
}

}  // namespace amphis
