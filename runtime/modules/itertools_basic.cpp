// itertools, one iterator in: count, repeat, cycle, chain, accumulate, starmap, takewhile, dropwhile,
// filterfalse, compress, islice, pairwise, zip_longest.
#include "modules/itertools.h"

namespace amphis::itertools {
namespace {

// ---- count ----

struct Count {
  PyObject_HEAD Py_ssize_t next;  // the next number, while `big` is null: then the step is 1
  PyObject* big;
  PyObject* step;
  template <class F>
  void fields(F&& f) {
    f(big);
    f(step);
  }
};
extern PyTypeObject count_type;

bool is_one(PyObject* op) {
  return PyLong_CheckExact(op) && PyLong_AsLongLong(op) == 1;
}

PyObject* count_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"start", "step"};
  static const Parameters parameters = {"count", names, 2, 0, 2, 0};
  PyObject* given[2];
  if (!bind_call(parameters, args, kwargs, given)) return nullptr;
  for (PyObject* number : given) {
    if (number != nullptr && !PyNumber_Check(number)) {
      PyErr_SetString(PyExc_TypeError, "a number is required");
      return nullptr;
    }
  }
  Ref<> start = given[0] != nullptr ? Ref<>::share(given[0]) : Ref<>::steal(PyLong_FromLong(0));
  Ref<> step = given[1] != nullptr ? Ref<>::share(given[1]) : Ref<>::steal(PyLong_FromLong(1));
  if (!start || !step) return nullptr;
  Py_ssize_t next = 0;
  bool fast = PyLong_Check(start.get()) && is_one(step.get());
  if (fast) {
    next = PyLong_AsSsize_t(start.get());
    if (next == -1 && PyErr_Occurred()) {
      PyErr_Clear();
      fast = false;
    }
  }
  PyErr_Clear();  // a step beyond long long is not one
  Count* self = alloc<Count>(type);
  if (self == nullptr) return nullptr;
  self->next = next;
  if (!fast) self->big = start.release();
  self->step = step.release();
  return object(self);
}

PyObject* count_next(PyObject* op) {
  Count* self = self_of<Count>(op);
  ObjectLock lock(op);
  if (self->big == nullptr) {
    if (self->next != PY_SSIZE_T_MAX) return PyLong_FromSsize_t(self->next++);
    self->big = PyLong_FromSsize_t(self->next);
    if (self->big == nullptr) return nullptr;
  }
  Ref<> number = Ref<>::share(self->big);
  PyObject* following = PyNumber_Add(number.get(), self->step);
  if (following == nullptr) return nullptr;
  Py_SETREF(self->big, following);
  return number.release();
}

PyObject* count_repr(PyObject* op) {
  Count* self = self_of<Count>(op);
  ObjectLock lock(op);
  const char* name = strrchr(Py_TYPE(op)->tp_name, '.');
  name = name == nullptr ? Py_TYPE(op)->tp_name : name + 1;
  if (self->big == nullptr) return PyUnicode_FromFormat("%s(%zd)", name, self->next);
  if (is_one(self->step)) return PyUnicode_FromFormat("%s(%R)", name, self->big);
  PyErr_Clear();
  return PyUnicode_FromFormat("%s(%R, %R)", name, self->big, self->step);
}

PyTypeObject count_type = make_type<Count>({
    .name = "itertools.count",
    .doc = "count(start=0, step=1)\n--\n\nstart, start + step, start + 2*step, and so on without end.",
    .make = count_new,
    .next = count_next,
    .repr = count_repr,
});

// ---- repeat ----

struct Repeat {
  PyObject_HEAD Py_ssize_t left;  // negative: without end
  PyObject* item;
  template <class F>
  void fields(F&& f) {
    f(item);
  }
};

PyObject* make_repeat(PyTypeObject* type, PyObject* item, PyObject* times) {
  Py_ssize_t left = -1;
  if (times != nullptr) {
    Ref<> index = Ref<>::steal(PyNumber_Index(times));
    left = index ? PyLong_AsSsize_t(index.get()) : -1;
    if (left == -1 && PyErr_Occurred()) return nullptr;
    if (left < 0) left = 0;
  }
  Repeat* self = alloc<Repeat>(type);
  if (self == nullptr) return nullptr;
  self->left = left;
  self->item = Py_NewRef(item);
  return object(self);
}

const char* const repeat_names[] = {"object", "times"};
const Parameters repeat_parameters = {"repeat", repeat_names, 2, 0, 2, 1};

PyObject* repeat_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* given[2];
  return bind_call(repeat_parameters, args, kwargs, given) ? make_repeat(type, given[0], given[1]) : nullptr;
}

PyObject* repeat_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyObject* given[2];
  if (!bind_arguments(repeat_parameters, args, PyVectorcall_NARGS(nargsf), kwnames, given)) return nullptr;
  return make_repeat(self_of<PyTypeObject>(type), given[0], given[1]);
}

PyObject* repeat_next(PyObject* op) {
  Repeat* self = self_of<Repeat>(op);
  const Py_ssize_t left = sync::load_relaxed(self->left);
  if (left == 0) return nullptr;
  if (left > 0) sync::store_relaxed(self->left, left - 1);
  return Py_NewRef(self->item);
}

PyObject* repeat_repr(PyObject* op) {
  Repeat* self = self_of<Repeat>(op);
  const char* name = strrchr(Py_TYPE(op)->tp_name, '.');
  name = name == nullptr ? Py_TYPE(op)->tp_name : name + 1;
  const Py_ssize_t left = sync::load_relaxed(self->left);
  if (left < 0) return PyUnicode_FromFormat("%s(%R)", name, self->item);
  return PyUnicode_FromFormat("%s(%R, %zd)", name, self->item, left);
}

PyObject* repeat_length_hint(PyObject* op, PyObject*) {
  Repeat* self = self_of<Repeat>(op);
  const Py_ssize_t left = sync::load_relaxed(self->left);
  if (left >= 0) return PyLong_FromSsize_t(left);
  PyErr_SetString(PyExc_TypeError, "len() of unsized object");
  return nullptr;
}

PyMethodDef repeat_methods[] = {
    {"__length_hint__", repeat_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {},
};

PyTypeObject repeat_type = make_type<Repeat>({
    .name = "itertools.repeat",
    .doc = "repeat(object [,times]) -> the object, this many times or without end.",
    .make = repeat_new,
    .next = repeat_next,
    .vectorcall = repeat_vectorcall,
    .methods = repeat_methods,
    .repr = repeat_repr,
});

// ---- cycle ----

struct Cycle {
  PyObject_HEAD Py_ssize_t index;
  PyObject* iterator;  // null once it has ended
  PyObject* saved;
  template <class F>
  void fields(F&& f) {
    f(iterator);
    f(saved);
  }
};
extern PyTypeObject cycle_type;

PyObject* cycle_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!plain_kwargs(type, &cycle_type, "cycle", kwargs)) return nullptr;
  if (!check_positional("cycle", PyTuple_GET_SIZE(args), 1, 1)) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(PyTuple_GET_ITEM(args, 0)));
  Ref<> saved = iterator ? Ref<>::steal(PyList_New(0)) : nullptr;
  if (!saved) return nullptr;
  Cycle* self = alloc<Cycle>(type);
  if (self == nullptr) return nullptr;
  self->iterator = iterator.release();
  self->saved = saved.release();
  return object(self);
}

PyObject* cycle_next(PyObject* op) {
  Cycle* self = self_of<Cycle>(op);
  ObjectLock lock(op);
  if (self->iterator != nullptr) {
    Ref<> iterator = Ref<>::share(self->iterator);
    Ref<> item = Ref<>::steal(next_of(iterator.get()));
    if (item) return PyList_Append(self->saved, item.get()) < 0 ? nullptr : item.release();
    if (!iteration_ended()) return nullptr;
    Py_CLEAR(self->iterator);
  }
  const Py_ssize_t n = PyList_GET_SIZE(self->saved);
  if (n == 0) return nullptr;
  if (self->index >= n) self->index = 0;
  return PyList_GetItemRef(self->saved, self->index++);
}

PyTypeObject cycle_type = make_type<Cycle>({
    .name = "itertools.cycle",
    .doc = "cycle(iterable, /)\n--\n\nThe items of the iterable, then the same again and again.",
    .make = cycle_new,
    .next = cycle_next,
});

// ---- chain ----

struct Chain {
  PyObject_HEAD PyObject* source;  // an iterator over the iterables; null at the end
  PyObject* active;
  template <class F>
  void fields(F&& f) {
    f(source);
    f(active);
  }
};
extern PyTypeObject chain_type;

// Takes over the reference to the source.
PyObject* make_chain(PyTypeObject* type, PyObject* source) {
  if (source == nullptr) return nullptr;
  Chain* self = alloc<Chain>(type);
  if (self == nullptr) {
    Py_DECREF(source);
    return nullptr;
  }
  self->source = source;
  return object(self);
}

PyObject* chain_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!plain_kwargs(type, &chain_type, "chain", kwargs)) return nullptr;
  return make_chain(type, PyObject_GetIter(args));
}

PyObject* chain_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  if (!check_no_kwnames("chain", kwnames)) return nullptr;
  Ref<> iterables = Ref<>::steal(tuple_from_array(args, PyVectorcall_NARGS(nargsf)));
  return iterables ? make_chain(self_of<PyTypeObject>(type), PyObject_GetIter(iterables.get())) : nullptr;
}

PyObject* chain_from_iterable(PyObject* type, PyObject* iterable) {
  return make_chain(self_of<PyTypeObject>(type), PyObject_GetIter(iterable));
}

PyObject* chain_next(PyObject* op) {
  Chain* self = self_of<Chain>(op);
  ObjectLock lock(op);
  while (self->source != nullptr) {
    if (self->active == nullptr) {
      Ref<> source = Ref<>::share(self->source);
      Ref<> iterable = Ref<>::steal(next_of(source.get()));
      PyObject* iterator = iterable ? PyObject_GetIter(iterable.get()) : nullptr;
      if (iterator == nullptr) {
        Py_CLEAR(self->source);
        return nullptr;
      }
      Py_XSETREF(self->active, iterator);
    }
    Ref<> active = Ref<>::share(self->active);
    PyObject* item = next_of(active.get());
    if (item != nullptr) return item;
    if (!iteration_ended()) return nullptr;
    if (self->active == active.get()) Py_CLEAR(self->active);
  }
  return nullptr;
}

PyMethodDef chain_methods[] = {
    {"from_iterable", chain_from_iterable, METH_O | METH_CLASS,
     "from_iterable($type, iterable, /)\n--\n\nThe items of the iterables that an iterable gives."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

PyTypeObject chain_type = make_type<Chain>({
    .name = "itertools.chain",
    .doc = "chain(*iterables)\n--\n\nThe items of the first iterable, then those of the next, until all have "
           "ended.",
    .make = chain_new,
    .next = chain_next,
    .vectorcall = chain_vectorcall,
    .methods = chain_methods,
});

// ---- accumulate ----

struct Accumulate {
  PyObject_HEAD PyObject* iterator;
  PyObject* function;  // null: addition
  PyObject* total;
  PyObject* initial;  // to be delivered first; null once done
  template <class F>
  void fields(F&& f) {
    f(iterator);
    f(function);
    f(total);
    f(initial);
  }
};

PyObject* accumulate_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"iterable", "func", "initial"};
  static const Parameters parameters = {"accumulate", names, 3, 0, 2, 1};
  PyObject* given[3];
  if (!bind_call(parameters, args, kwargs, given)) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(given[0]));
  if (!iterator) return nullptr;
  Accumulate* self = alloc<Accumulate>(type);
  if (self == nullptr) return nullptr;
  self->iterator = iterator.release();
  if (given[1] != Py_None) self->function = Py_XNewRef(given[1]);
  if (given[2] != Py_None) self->initial = Py_XNewRef(given[2]);
  return object(self);
}

PyObject* accumulate_next(PyObject* op) {
  Accumulate* self = self_of<Accumulate>(op);
  ObjectLock lock(op);
  if (self->initial != nullptr) {
    PyObject* first = self->initial;
    self->initial = nullptr;
    Py_XSETREF(self->total, Py_NewRef(first));
    return first;
  }
  Ref<> item = Ref<>::steal(next_of(self->iterator));
  if (!item) return nullptr;
  if (self->total == nullptr) {
    self->total = Py_NewRef(item.get());
    return item.release();
  }
  Ref<> total = Ref<>::share(self->total);
  PyObject* sum = self->function == nullptr
                      ? PyNumber_Add(total.get(), item.get())
                      : PyObject_CallFunctionObjArgs(self->function, total.get(), item.get(), nullptr);
  if (sum == nullptr) return nullptr;
  Py_XSETREF(self->total, Py_NewRef(sum));
  return sum;
}

PyTypeObject accumulate_type = make_type<Accumulate>({
    .name = "itertools.accumulate",
    .doc = "accumulate(iterable, func=None, *, initial=None)\n--\n\nRunning sums, or running results of a "
           "function of two "
           "arguments.",
    .make = accumulate_new,
    .next = accumulate_next,
});

// ---- a function and an iterator: starmap, takewhile, dropwhile, filterfalse ----

struct FunctionIterator {
  PyObject_HEAD PyObject* function;
  PyObject* iterator;
  bool flag;  // takewhile: has ended; dropwhile: has begun
  template <class F>
  void fields(F&& f) {
    f(function);
    f(iterator);
  }
};

const char* short_name(PyTypeObject* type) {
  const char* dot = strrchr(type->tp_name, '.');
  return dot == nullptr ? type->tp_name : dot + 1;
}

template <PyTypeObject* own>
PyObject* function_iterator_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  const char* name = short_name(own);
  if (!plain_kwargs(type, own, name, kwargs)) return nullptr;
  if (!check_positional(name, PyTuple_GET_SIZE(args), 2, 2)) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(PyTuple_GET_ITEM(args, 1)));
  if (!iterator) return nullptr;
  auto* self = alloc<FunctionIterator>(type);
  if (self == nullptr) return nullptr;
  self->function = Py_NewRef(PyTuple_GET_ITEM(args, 0));
  self->iterator = iterator.release();
  return object(self);
}

PyObject* starmap_next(PyObject* op) {
  auto* self = self_of<FunctionIterator>(op);
  Ref<> args = Ref<>::steal(next_of(self->iterator));
  if (!args) return nullptr;
  if (!PyTuple_CheckExact(args.get())) {
    args = Ref<>::steal(PySequence_Tuple(args.get()));
    if (!args) return nullptr;
  }
  return PyObject_Vectorcall(self->function, self_of<PyTupleObject>(args.get())->ob_item,
                             static_cast<size_t>(PyTuple_GET_SIZE(args.get())), nullptr);
}

// Truth of function(item); None and bool stand for the item's own.
int verdict(PyObject* function, PyObject* item) {
  if (function == Py_None || function == object(&PyBool_Type)) return PyObject_IsTrue(item);
  Ref<> result = Ref<>::steal(PyObject_CallOneArg(function, item));
  return result ? PyObject_IsTrue(result.get()) : -1;
}

int predicate(PyObject* function, PyObject* item) {
  Ref<> result = Ref<>::steal(PyObject_CallOneArg(function, item));
  return result ? PyObject_IsTrue(result.get()) : -1;
}

PyObject* takewhile_next(PyObject* op) {
  auto* self = self_of<FunctionIterator>(op);
  if (sync::load_relaxed(self->flag)) return nullptr;
  Ref<> item = Ref<>::steal(next_of(self->iterator));
  if (!item) return nullptr;
  const int go_on = predicate(self->function, item.get());
  if (go_on > 0) return item.release();
  if (go_on == 0) sync::store_relaxed(self->flag, true);
  return nullptr;
}

PyObject* dropwhile_next(PyObject* op) {
  auto* self = self_of<FunctionIterator>(op);
  for (;;) {
    Ref<> item = Ref<>::steal(next_of(self->iterator));
    if (!item || sync::load_relaxed(self->flag)) return item.release();
    const int drop = predicate(self->function, item.get());
    if (drop < 0) return nullptr;
    if (drop == 0) {
      sync::store_relaxed(self->flag, true);
      return item.release();
    }
  }
}

PyObject* filterfalse_next(PyObject* op) {
  auto* self = self_of<FunctionIterator>(op);
  for (;;) {
    Ref<> item = Ref<>::steal(next_of(self->iterator));
    if (!item) return nullptr;
    const int out = verdict(self->function, item.get());
    if (out < 0) return nullptr;
    if (out == 0) return item.release();
  }
}

extern PyTypeObject starmap_type, takewhile_type, dropwhile_type, filterfalse_type;

PyTypeObject starmap_type = make_type<FunctionIterator>({
    .name = "itertools.starmap",
    .doc = "starmap(function, iterable, /)\n--\n\nfunction(*item) for each item of the iterable.",
    .make = function_iterator_new<&starmap_type>,
    .next = starmap_next,
});
PyTypeObject takewhile_type = make_type<FunctionIterator>({
    .name = "itertools.takewhile",
    .doc = "takewhile(predicate, iterable, /)\n--\n\nThe items before the first for which predicate(item) is "
           "false.",
    .make = function_iterator_new<&takewhile_type>,
    .next = takewhile_next,
});
PyTypeObject dropwhile_type = make_type<FunctionIterator>({
    .name = "itertools.dropwhile",
    .doc = "dropwhile(predicate, iterable, /)\n--\n\nThe items from the first on for which predicate(item) "
           "is false.",
    .make = function_iterator_new<&dropwhile_type>,
    .next = dropwhile_next,
});
PyTypeObject filterfalse_type = make_type<FunctionIterator>({
    .name = "itertools.filterfalse",
    .doc = "filterfalse(function, iterable, /)\n--\n\nThe items for which function(item) is false, or that "
           "are false "
           "where function is None.",
    .make = function_iterator_new<&filterfalse_type>,
    .next = filterfalse_next,
});

// ---- compress ----

struct Compress {
  PyObject_HEAD PyObject* data;
  PyObject* selectors;
  template <class F>
  void fields(F&& f) {
    f(data);
    f(selectors);
  }
};

PyObject* compress_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"data", "selectors"};
  static const Parameters parameters = {"compress", names, 2, 0, 2, 2};
  PyObject* given[2];
  if (!bind_call(parameters, args, kwargs, given)) return nullptr;
  Ref<> data = Ref<>::steal(PyObject_GetIter(given[0]));
  Ref<> selectors = data ? Ref<>::steal(PyObject_GetIter(given[1])) : nullptr;
  if (!selectors) return nullptr;
  Compress* self = alloc<Compress>(type);
  if (self == nullptr) return nullptr;
  self->data = data.release();
  self->selectors = selectors.release();
  return object(self);
}

PyObject* compress_next(PyObject* op) {
  Compress* self = self_of<Compress>(op);
  for (;;) {
    Ref<> item = Ref<>::steal(next_of(self->data));
    if (!item) return nullptr;
    Ref<> selector = Ref<>::steal(next_of(self->selectors));
    if (!selector) return nullptr;
    const int take = PyObject_IsTrue(selector.get());
    if (take < 0) return nullptr;
    if (take > 0) return item.release();
  }
}

PyTypeObject compress_type = make_type<Compress>({
    .name = "itertools.compress",
    .doc = "compress(data, selectors)\n--\n\nThe items of data whose selectors are true.",
    .make = compress_new,
    .next = compress_next,
});

// ---- islice ----

struct Islice {
  PyObject_HEAD PyObject* iterator;  // null at the end
  Py_ssize_t next;                   // number of the next item to deliver
  Py_ssize_t stop;                   // -1: none
  Py_ssize_t step;
  Py_ssize_t count;  // items taken from the iterator
  template <class F>
  void fields(F&& f) {
    f(iterator);
  }
};
extern PyTypeObject islice_type;

// A non-negative number or None (which leaves *out); -1 with an error cleared otherwise.
bool islice_index(PyObject* arg, Py_ssize_t* out) {
  if (arg == Py_None) return true;
  const Py_ssize_t value = PyNumber_AsSsize_t(arg, PyExc_OverflowError);
  if (value < 0) {
    PyErr_Clear();
    return false;
  }
  *out = value;
  return true;
}

PyObject* islice_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!plain_kwargs(type, &islice_type, "islice", kwargs)) return nullptr;
  const Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (!check_positional("islice", nargs, 2, 4)) return nullptr;
  Py_ssize_t start = 0, stop = -1, step = 1;
  PyObject* stop_arg = PyTuple_GET_ITEM(args, nargs == 2 ? 1 : 2);
  if (!islice_index(stop_arg, &stop)) {
    PyErr_SetString(PyExc_ValueError,
                    "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
    return nullptr;
  }
  if (nargs > 2 && !islice_index(PyTuple_GET_ITEM(args, 1), &start)) {
    PyErr_SetString(PyExc_ValueError,
                    "Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
    return nullptr;
  }
  if (nargs == 4 && (!islice_index(PyTuple_GET_ITEM(args, 3), &step) || step < 1)) {
    PyErr_SetString(PyExc_ValueError, "Step for islice() must be a positive integer or None.");
    return nullptr;
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(PyTuple_GET_ITEM(args, 0)));
  if (!iterator) return nullptr;
  Islice* self = alloc<Islice>(type);
  if (self == nullptr) return nullptr;
  self->iterator = iterator.release();
  self->next = start;
  self->stop = stop;
  self->step = step;
  return object(self);
}

PyObject* islice_next(PyObject* op) {
  Islice* self = self_of<Islice>(op);
  ObjectLock lock(op);
  if (self->iterator == nullptr) return nullptr;
  Ref<> iterator = Ref<>::share(self->iterator);
  const Py_ssize_t stop = self->stop;
  while (self->count < self->next && (stop == -1 || self->count < stop)) {
    Ref<> skipped = Ref<>::steal(next_of(iterator.get()));
    if (!skipped) {
      Py_CLEAR(self->iterator);
      return nullptr;
    }
    self->count++;
  }
  PyObject* item = stop == -1 || self->count < stop ? next_of(iterator.get()) : nullptr;
  if (item == nullptr) {
    Py_CLEAR(self->iterator);
    return nullptr;
  }
  self->count++;
  const Py_ssize_t before = self->next;
  // Unsigned: past the largest index there is nothing but the end.
  self->next = static_cast<Py_ssize_t>(static_cast<size_t>(self->next) + static_cast<size_t>(self->step));
  if (self->next < before || (stop != -1 && self->next > stop))
    self->next = stop == -1 ? PY_SSIZE_T_MAX : stop;
  return item;
}

PyTypeObject islice_type = make_type<Islice>({
    .name = "itertools.islice",
    .doc = "islice(iterable, stop) --> islice object\nislice(iterable, start, stop[, step]) --> islice "
           "object\n\n"
           "The items of an iterable that a slice would take from a list.",
    .make = islice_new,
    .next = islice_next,
});

// ---- pairwise ----

struct Pairwise {
  PyObject_HEAD PyObject* iterator;  // null at the end
  PyObject* old;
  PyObject* pair;
  template <class F>
  void fields(F&& f) {
    f(iterator);
    f(old);
    f(pair);
  }
};
extern PyTypeObject pairwise_type;

PyObject* pairwise_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!plain_kwargs(type, &pairwise_type, "pairwise", kwargs)) return nullptr;
  if (!check_positional("pairwise", PyTuple_GET_SIZE(args), 1, 1)) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(PyTuple_GET_ITEM(args, 0)));
  if (!iterator) return nullptr;
  Pairwise* self = alloc<Pairwise>(type);
  if (self == nullptr) return nullptr;
  self->iterator = iterator.release();
  return object(self);
}

PyObject* pairwise_next(PyObject* op) {
  Pairwise* self = self_of<Pairwise>(op);
  ObjectLock lock(op);
  if (self->iterator == nullptr) return nullptr;
  Ref<> iterator = Ref<>::share(self->iterator);
  Ref<> old = Ref<>::share(self->old);
  if (!old) {
    old = Ref<>::steal(next_of(iterator.get()));
    Py_XSETREF(self->old, Py_XNewRef(old.get()));
    if (!old) {
      Py_CLEAR(self->iterator);
      return nullptr;
    }
    // The step above may have run this one to the end.
    if (self->iterator == nullptr) {
      Py_CLEAR(self->old);
      return nullptr;
    }
  }
  PyObject* fresh = next_of(iterator.get());
  if (fresh == nullptr) {
    Py_CLEAR(self->iterator);
    Py_CLEAR(self->old);
    return nullptr;
  }
  Py_XSETREF(self->old, Py_NewRef(fresh));
  if (!sync::only_thread()) return tuple_pair_take(old.release(), fresh);
  return reuse_pair(&self->pair, old.release(), fresh);
}

PyTypeObject pairwise_type = make_type<Pairwise>({
    .name = "itertools.pairwise",
    .doc = "pairwise(iterable, /)\n--\n\nEach item of the iterable with the one after it.",
    .make = pairwise_new,
    .next = pairwise_next,
});

// ---- zip_longest ----

struct ZipLongest {
  PyObject_HEAD PyObject* iterators;  // a tuple; a place is null where the iterator has ended
  PyObject* fill;
  PyObject* result;
  Py_ssize_t active;
  template <class F>
  void fields(F&& f) {
    f(iterators);
    f(fill);
    f(result);
  }
};

PyObject* zip_longest_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject* fill = Py_None;
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0) {
    PyObject* given = PyDict_GetItemString(kwargs, "fillvalue");
    if (given == nullptr || PyDict_GET_SIZE(kwargs) > 1) {
      PyErr_SetString(PyExc_TypeError, "zip_longest() got an unexpected keyword argument");
      return nullptr;
    }
    fill = given;
  }
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  Ref<> iterators = Ref<>::steal(PyTuple_New(n));
  if (!iterators) return nullptr;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* iterator = PyObject_GetIter(PyTuple_GET_ITEM(args, i));
    if (iterator == nullptr) return nullptr;
    PyTuple_SET_ITEM(iterators.get(), i, iterator);
  }
  ZipLongest* self = alloc<ZipLongest>(type);
  if (self == nullptr) return nullptr;
  self->iterators = iterators.release();
  self->fill = Py_NewRef(fill);
  self->active = n;
  return object(self);
}

PyObject* zip_longest_next(PyObject* op) {
  ZipLongest* self = self_of<ZipLongest>(op);
  ObjectLock lock(op);
  const Py_ssize_t n = PyTuple_GET_SIZE(self->iterators);
  if (n == 0 || self->active == 0) return nullptr;
  Ref<PyTupleObject> result;
  if (PyTupleObject* kept = take_unique_tuple(self->result); kept != nullptr) {
    result = Ref<PyTupleObject>::share(kept);
  } else {
    result = Ref<PyTupleObject>::steal(PyTuple_New(n));
    if (!result) return nullptr;
    if (sync::only_thread()) Py_XSETREF(self->result, Py_NewRef(object(result.get())));
  }
  PyObject** slots = self_of<PyTupleObject>(self->iterators)->ob_item;
  for (Py_ssize_t i = 0; i < n; i++) {
    PyObject* item = nullptr;
    if (slots[i] != nullptr) {
      Ref<> iterator = Ref<>::share(slots[i]);
      item = next_of(iterator.get());
      if (item == nullptr) {
        self->active--;
        if (!iteration_ended() || self->active <= 0) {
          self->active = 0;
          return nullptr;
        }
        Py_CLEAR(slots[i]);
      }
    }
    if (item == nullptr) item = Py_NewRef(self->fill);
    Py_XSETREF(result->ob_item[i], item);
  }
  return object(result.release());
}

PyTypeObject zip_longest_type = make_type<ZipLongest>({
    .name = "itertools.zip_longest",
    .doc = "zip_longest(*iterables, fillvalue=None)\n--\n\n"
           "Tuples of the first items of all iterables, of their second items, and so on, until the longest "
           "iterable\n"
           "ends; the fill value stands for the items of those that ended before.",
    .make = zip_longest_new,
    .next = zip_longest_next,
});

}  // namespace

PyTypeObject* const kBasicTypes[] = {
    &accumulate_type, &chain_type,       &compress_type,    &count_type,  &cycle_type,
    &dropwhile_type,  &filterfalse_type, &islice_type,      &repeat_type, &pairwise_type,
    &starmap_type,    &takewhile_type,   &zip_longest_type, nullptr,
};

}  // namespace amphis::itertools
