// collections.deque: a ring buffer of references whose capacity is a power of two, so that every item is
// found in one step and both ends grow in amortised constant time.
//
// Invariants, with the lock held: size <= capacity; item i is buffer[(head + i) & (capacity - 1)]; size <=
// maxlen where there is one. `state` counts the changes of length and order; whoever runs code between two
// looks compares it.
#include <cstring>

#include "modules/collections.h"
#include "sync/atomic_field.h"

namespace amphis::collections {
namespace {

struct Deque {
  PyObject_HEAD PyObject** buffer;  // null while capacity is 0
  size_t capacity;
  size_t head;
  Py_ssize_t size;
  Py_ssize_t maxlen;  // -1: none
  size_t state;
  PyObject* weakrefs;
};

Deque* as_deque(PyObject* op) {
  return reinterpret_cast<Deque*>(op);
}
bool is_deque(PyObject* op) {
  return PyObject_TypeCheck(op, &deque_type);
}
PyObject*& item_at(Deque* self, Py_ssize_t i) {
  return self->buffer[(self->head + static_cast<size_t>(i)) & (self->capacity - 1)];
}

void set_size(Deque* self, Py_ssize_t size) {
  sync::store_relaxed(self->size, size);
}
// Iterators and comparisons notice that the deque is not what it was.
void changed(Deque* self) {
  sync::store_relaxed(self->state, self->state + 1);
}
Py_ssize_t size_of(PyObject* op) {
  return sync::load_relaxed(as_deque(op)->size);
}

// ---- the ring; the lock is held ----

// Copies the items, in order, to the start of a buffer of `capacity`.
int change_capacity(Deque* self, size_t capacity) {
  if (capacity > static_cast<size_t>(PY_SSIZE_T_MAX) / sizeof(PyObject*)) {
    PyErr_NoMemory();
    return -1;
  }
  auto** fresh = static_cast<PyObject**>(PyMem_Malloc(capacity * sizeof(PyObject*)));
  if (fresh == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  const size_t n = static_cast<size_t>(self->size);
  const size_t first = n < self->capacity - self->head ? n : self->capacity - self->head;
  if (n > 0) {
    memcpy(fresh, self->buffer + self->head, first * sizeof(PyObject*));
    memcpy(fresh + first, self->buffer, (n - first) * sizeof(PyObject*));
  }
  PyMem_Free(self->buffer);
  self->buffer = fresh;
  self->capacity = capacity;
  self->head = 0;
  return 0;
}

int make_room(Deque* self, Py_ssize_t extra) {
  size_t capacity = self->capacity == 0 ? 8 : self->capacity;
  const size_t wanted = static_cast<size_t>(self->size) + static_cast<size_t>(extra);
  while (capacity < wanted) capacity *= 2;
  return capacity == self->capacity ? 0 : change_capacity(self, capacity);
}

void give_back_room(Deque* self) {
  const size_t n = static_cast<size_t>(self->size);
  if (self->capacity > 64 && n < self->capacity / 8 && change_capacity(self, self->capacity / 4) < 0)
    PyErr_Clear();
}

// Takes over the reference, also on failure. *dropped is what falls off the other end of a bounded deque, or
// null.
int push_right(Deque* self, PyObject* item, PyObject** dropped) {
  *dropped = nullptr;
  if (self->maxlen == 0) {
    *dropped = item;
    return 0;
  }
  if (self->size == self->maxlen) {
    *dropped = item_at(self, 0);
    self->head = (self->head + 1) & (self->capacity - 1);
    set_size(self, self->size - 1);
  }
  if (static_cast<size_t>(self->size) == self->capacity && make_room(self, 1) < 0) {
    Py_DECREF(item);
    return -1;
  }
  item_at(self, self->size) = item;
  set_size(self, self->size + 1);
  changed(self);
  return 0;
}

int push_left(Deque* self, PyObject* item, PyObject** dropped) {
  *dropped = nullptr;
  if (self->maxlen == 0) {
    *dropped = item;
    return 0;
  }
  if (self->size == self->maxlen) {
    *dropped = item_at(self, self->size - 1);
    set_size(self, self->size - 1);
  }
  if (static_cast<size_t>(self->size) == self->capacity && make_room(self, 1) < 0) {
    Py_DECREF(item);
    return -1;
  }
  self->head = (self->head - 1) & (self->capacity - 1);
  self->buffer[self->head] = item;
  set_size(self, self->size + 1);
  changed(self);
  return 0;
}

PyObject* pop_right(Deque* self) {
  PyObject* item = item_at(self, self->size - 1);
  set_size(self, self->size - 1);
  changed(self);
  give_back_room(self);
  return item;
}

PyObject* pop_left(Deque* self) {
  PyObject* item = self->buffer[self->head];
  self->head = (self->head + 1) & (self->capacity - 1);
  set_size(self, self->size - 1);
  changed(self);
  give_back_room(self);
  return item;
}

// Takes item i out; the shorter side moves.
PyObject* take_at(Deque* self, Py_ssize_t i) {
  PyObject* item = item_at(self, i);
  if (i < self->size / 2) {
    for (Py_ssize_t k = i; k > 0; k--) item_at(self, k) = item_at(self, k - 1);
    self->head = (self->head + 1) & (self->capacity - 1);
  } else {
    for (Py_ssize_t k = i; k < self->size - 1; k++) item_at(self, k) = item_at(self, k + 1);
  }
  set_size(self, self->size - 1);
  changed(self);
  return item;
}

void rotate(Deque* self, Py_ssize_t n) {
  const Py_ssize_t size = self->size;
  if (size <= 1) return;
  n %= size;
  if (n < 0) n += size;
  if (n == 0) return;
  changed(self);
  const size_t mask = self->capacity - 1;
  if (static_cast<size_t>(size) == self->capacity) {
    self->head = (self->head - static_cast<size_t>(n)) & mask;
  } else if (n <= size / 2) {
    for (; n > 0; n--) {
      PyObject* item = item_at(self, size - 1);
      self->head = (self->head - 1) & mask;
      self->buffer[self->head] = item;
    }
  } else {
    for (n = size - n; n > 0; n--) {
      PyObject* item = self->buffer[self->head];
      self->head = (self->head + 1) & mask;
      item_at(self, size - 1) = item;
    }
  }
}

void clear_items(PyObject* op) {
  Deque* self = as_deque(op);
  PyObject** buffer;
  size_t capacity, head;
  Py_ssize_t n;
  {
    ObjectLock lock(op);
    buffer = self->buffer;
    capacity = self->capacity;
    head = self->head;
    n = self->size;
    self->buffer = nullptr;
    self->capacity = self->head = 0;
    set_size(self, 0);
    changed(self);
  }
  for (Py_ssize_t i = 0; i < n; i++) Py_DECREF(buffer[(head + static_cast<size_t>(i)) & (capacity - 1)]);
  PyMem_Free(buffer);
}

// A new reference, or null without an error where there is no such item.
PyObject* get_ref(PyObject* op, Py_ssize_t i) {
  LeafLock lock(op);
  Deque* self = as_deque(op);
  return i >= 0 && i < self->size ? Py_NewRef(item_at(self, i)) : nullptr;
}

// ---- life ----

PyObject* deque_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* op = type->tp_alloc(type, 0);
  if (op != nullptr) as_deque(op)->maxlen = -1;
  return op;
}

template <bool kLeft>
int extend(PyObject* op, PyObject* iterable) {
  Ref<> source;
  if (iterable == op) {
    source = Ref<>::steal(PySequence_List(iterable));
    if (!source) return -1;
    iterable = source.get();
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return -1;
  iternextfunc next = Py_TYPE(iterator.get())->tp_iternext;
  while (PyObject* item = next(iterator.get())) {
    Ref<> dropped;
    ObjectLock lock(op);
    if ((kLeft ? push_left : push_right)(as_deque(op), item, dropped.out()) < 0) return -1;
  }
  return iteration_ended() ? 0 : -1;
}

int init_with(PyObject* op, PyObject* iterable, PyObject* maxlen_arg) {
  Py_ssize_t maxlen = -1;
  if (maxlen_arg != nullptr && maxlen_arg != Py_None) {
    if (!PyLong_Check(maxlen_arg)) {
      PyErr_SetString(PyExc_TypeError, "an integer is required");
      return -1;
    }
    maxlen = PyLong_AsSsize_t(maxlen_arg);
    if (maxlen == -1 && PyErr_Occurred()) return -1;
    if (maxlen < 0) {
      PyErr_SetString(PyExc_ValueError, "maxlen must be non-negative");
      return -1;
    }
  }
  {
    ObjectLock lock(op);
    sync::store_relaxed(as_deque(op)->maxlen, maxlen);
  }
  if (size_of(op) > 0) clear_items(op);
  return iterable == nullptr ? 0 : extend<false>(op, iterable);
}

const char* const init_names[] = {"iterable", "maxlen"};
const Parameters init_parameters = {"deque", init_names, 2, 0, 2, 0};

int deque_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  PyObject* given[2];
  return bind_call(init_parameters, args, kwargs, given) ? init_with(op, given[0], given[1]) : -1;
}

PyObject* deque_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  PyObject* given[2];
  if (!bind_arguments(init_parameters, args, PyVectorcall_NARGS(nargsf), kwnames, given)) return nullptr;
  Ref<> self = Ref<>::steal(deque_new(reinterpret_cast<PyTypeObject*>(type), nullptr, nullptr));
  if (!self || init_with(self.get(), given[0], given[1]) < 0) return nullptr;
  return self.release();
}

void deque_dealloc(PyObject* op) {
  untrack(op);
  Py_TRASHCAN_BEGIN(op, deque_dealloc) Deque* self = as_deque(op);
  if (sync::load_acquire(self->weakrefs) != nullptr) PyObject_ClearWeakRefs(op);
  for (Py_ssize_t i = 0; i < self->size; i++) Py_DECREF(item_at(self, i));
  PyMem_Free(self->buffer);
  Py_TYPE(op)->tp_free(op);
  Py_TRASHCAN_END
}

int deque_traverse(PyObject* op, visitproc visit, void* arg) {
  Deque* self = as_deque(op);
  for (Py_ssize_t i = 0; i < self->size; i++) Py_VISIT(item_at(self, i));
  return 0;
}

int deque_clear_slot(PyObject* op) {
  clear_items(op);
  return 0;
}

// A new deque of the same class with the same bound.
PyObject* copy_of(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  const Py_ssize_t maxlen = sync::load_relaxed(as_deque(op)->maxlen);
  if (type == &deque_type) {
    Ref<> copy = Ref<>::steal(deque_new(type, nullptr, nullptr));
    if (!copy) return nullptr;
    as_deque(copy.get())->maxlen = maxlen;
    ObjectLock2 lock(op, copy.get());
    Deque* self = as_deque(op);
    Deque* to = as_deque(copy.get());
    if (self->size > 0 && make_room(to, self->size) < 0) return nullptr;
    for (Py_ssize_t i = 0; i < self->size; i++) to->buffer[i] = Py_NewRef(item_at(self, i));
    to->size = self->size;
    return copy.release();
  }
  PyObject* copy = maxlen < 0 ? PyObject_CallOneArg(reinterpret_cast<PyObject*>(type), op)
                              : PyObject_CallFunction(reinterpret_cast<PyObject*>(type), "On", op, maxlen);
  if (copy != nullptr && !is_deque(copy)) {
    PyErr_Format(PyExc_TypeError, "%.200s() must return a deque, not %.200s", type->tp_name,
                 Py_TYPE(copy)->tp_name);
    Py_CLEAR(copy);
  }
  return copy;
}

// ---- slots ----

Py_ssize_t deque_length(PyObject* op) {
  return size_of(op);
}

PyObject* index_error() {
  PyErr_SetString(PyExc_IndexError, "deque index out of range");
  return nullptr;
}

PyObject* deque_item(PyObject* op, Py_ssize_t i) {
  PyObject* item = get_ref(op, i);
  return item != nullptr ? item : index_error();
}

int deque_assign(PyObject* op, Py_ssize_t i, PyObject* value) {
  Ref<> old;
  ObjectLock lock(op);
  Deque* self = as_deque(op);
  if (i < 0 || i >= self->size) {
    index_error();
    return -1;
  }
  if (value == nullptr) {
    old = Ref<>::steal(take_at(self, i));
  } else {
    old = Ref<>::steal(std::exchange(item_at(self, i), Py_NewRef(value)));
  }
  return 0;
}

// Compares the items with `value` from start to stop: the index of the first equal one, stop where there is
// none, -1 on error. The deque must not change meanwhile.
Py_ssize_t find(PyObject* op, PyObject* value, Py_ssize_t start, Py_ssize_t stop, PyObject* mutated_error) {
  // The lock is held all the way: where no comparison runs code, other threads do not get between.
  ObjectLock lock(op);
  Deque* self = as_deque(op);
  const size_t state = self->state;
  for (Py_ssize_t i = start; i < stop && i < self->size; i++) {
    Ref<> item = Ref<>::share(item_at(self, i));
    const int equal = PyObject_RichCompareBool(item.get(), value, Py_EQ);
    if (equal < 0) return -1;
    if (state != self->state) {
      PyErr_SetString(mutated_error, "deque mutated during iteration");
      return -1;
    }
    if (equal > 0) return i;
  }
  return stop;
}

int deque_contains(PyObject* op, PyObject* value) {
  const Py_ssize_t n = size_of(op);
  const Py_ssize_t i = find(op, value, 0, n, PyExc_RuntimeError);
  return i < 0 ? -1 : i < n;
}

PyObject* deque_inplace_concat(PyObject* op, PyObject* other) {
  return extend<false>(op, other) < 0 ? nullptr : Py_NewRef(op);
}

PyObject* deque_concat(PyObject* op, PyObject* other) {
  if (!is_deque(other)) {
    PyErr_Format(PyExc_TypeError, "can only concatenate deque (not \"%.200s\") to deque",
                 Py_TYPE(other)->tp_name);
    return nullptr;
  }
  Ref<> result = Ref<>::steal(copy_of(op));
  if (!result || extend<false>(result.get(), other) < 0) return nullptr;
  return result.release();
}

PyObject* deque_inplace_repeat(PyObject* op, Py_ssize_t times) {
  if (times <= 0) {
    clear_items(op);
    return Py_NewRef(op);
  }
  ObjectLock lock(op);
  Deque* self = as_deque(op);
  const Py_ssize_t n = self->size;
  if (n == 0 || times == 1) return Py_NewRef(op);
  if (self->maxlen >= 0 && times > self->maxlen / n + 1) times = (self->maxlen + n - 1) / n;
  if (n > PY_SSIZE_T_MAX / static_cast<Py_ssize_t>(sizeof(PyObject*)) / 2 / times) return PyErr_NoMemory();
  if (self->maxlen < 0 && make_room(self, n * (times - 1)) < 0) return nullptr;
  Ref<> items = Ref<>::steal(PySequence_List(op));
  if (!items) return nullptr;
  for (Py_ssize_t k = 1; k < times; k++) {
    for (Py_ssize_t i = 0; i < n; i++) {
      Ref<> dropped;
      if (push_right(self, Py_NewRef(PyList_GET_ITEM(items.get(), i)), dropped.out()) < 0) return nullptr;
    }
  }
  return Py_NewRef(op);
}

PyObject* deque_repeat(PyObject* op, Py_ssize_t times) {
  Ref<> copy = Ref<>::steal(copy_of(op));
  return copy ? deque_inplace_repeat(copy.get(), times) : nullptr;
}

const char* short_name(PyTypeObject* type) {
  const char* dot = strrchr(type->tp_name, '.');
  return dot == nullptr || PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE) ? type->tp_name : dot + 1;
}

PyObject* deque_repr(PyObject* op) {
  const int nested = Py_ReprEnter(op);
  if (nested != 0) return nested > 0 ? PyUnicode_FromString("[...]") : nullptr;
  PyObject* text = nullptr;
  if (Ref<> items = Ref<>::steal(PySequence_List(op)); items) {
    const char* name = short_name(Py_TYPE(op));
    const Py_ssize_t maxlen = sync::load_relaxed(as_deque(op)->maxlen);
    text = maxlen >= 0 ? PyUnicode_FromFormat("%s(%R, maxlen=%zd)", name, items.get(), maxlen)
                       : PyUnicode_FromFormat("%s(%R)", name, items.get());
  }
  Py_ReprLeave(op);
  return text;
}

PyObject* deque_compare(PyObject* a, PyObject* b, int op) {
  if (!is_deque(a) || !is_deque(b)) Py_RETURN_NOTIMPLEMENTED;
  const Py_ssize_t n = size_of(a), m = size_of(b);
  if (op == Py_EQ || op == Py_NE) {
    if (a == b) return PyBool_FromLong(op == Py_EQ);
    if (n != m) return PyBool_FromLong(op == Py_NE);
  }
  auto state_of = [](PyObject* o) { return sync::load_relaxed(as_deque(o)->state); };
  const size_t state_a = state_of(a), state_b = state_of(b);
  for (Py_ssize_t i = 0; i < n && i < m; i++) {
    Ref<> x = Ref<>::steal(get_ref(a, i));
    Ref<> y = Ref<>::steal(get_ref(b, i));
    if (!x || !y || state_of(a) != state_a || state_of(b) != state_b) {
      PyErr_SetString(PyExc_RuntimeError, "deque mutated during iteration");
      return nullptr;
    }
    const int equal = PyObject_RichCompareBool(x.get(), y.get(), Py_EQ);
    if (equal < 0) return nullptr;
    if (equal > 0) continue;
    if (op == Py_EQ || op == Py_NE) return PyBool_FromLong(op == Py_NE);
    return PyObject_RichCompare(x.get(), y.get(), op);
  }
  Py_RETURN_RICHCOMPARE(n, m, op);
}

// ---- methods ----

PyObject* none_or_error(int done) {
  if (done < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_append(PyObject* op, PyObject* item) {
  Ref<> dropped;
  return none_or_error(with_leaf_lock(op, [&] { return push_right(as_deque(op), Py_NewRef(item), dropped.out()); }));
}

PyObject* method_appendleft(PyObject* op, PyObject* item) {
  Ref<> dropped;
  return none_or_error(with_leaf_lock(op, [&] { return push_left(as_deque(op), Py_NewRef(item), dropped.out()); }));
}

template <PyObject* (*kTake)(Deque*)>
PyObject* method_take(PyObject* op, PyObject*) {
  PyObject* taken = with_leaf_lock(op, [op] { return as_deque(op)->size != 0 ? kTake(as_deque(op)) : nullptr; });
  if (taken != nullptr) return taken;
  PyErr_SetString(PyExc_IndexError, "pop from an empty deque");
  return nullptr;
}

PyObject* method_clear(PyObject* op, PyObject*) {
  clear_items(op);
  Py_RETURN_NONE;
}

PyObject* method_copy(PyObject* op, PyObject*) {
  return copy_of(op);
}
PyObject* method_extend(PyObject* op, PyObject* iterable) {
  return none_or_error(extend<false>(op, iterable));
}
PyObject* method_extendleft(PyObject* op, PyObject* iterable) {
  return none_or_error(extend<true>(op, iterable));
}

PyObject* method_count(PyObject* op, PyObject* value) {
  const Py_ssize_t n = size_of(op);
  Py_ssize_t count = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    i = find(op, value, i, n, PyExc_RuntimeError);
    if (i < 0) return nullptr;
    count += i < n;
  }
  return PyLong_FromSsize_t(count);
}

PyObject* method_index(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("index", nargs, 1, 3)) return nullptr;
  const Py_ssize_t n = size_of(op);
  Py_ssize_t bounds[2] = {0, n};
  for (Py_ssize_t i = 1; i < nargs; i++) {
    Py_ssize_t& bound = bounds[i - 1];
    if (!_PyEval_SliceIndexNotNone(args[i], &bound)) return nullptr;
    if (bound < 0) bound = bound + n < 0 ? 0 : bound + n;
    if (bound > n) bound = n;
  }
  if (bounds[0] > bounds[1]) bounds[0] = bounds[1];
  const Py_ssize_t i = find(op, args[0], bounds[0], bounds[1], PyExc_RuntimeError);
  if (i < 0) return nullptr;
  if (i < bounds[1]) return PyLong_FromSsize_t(i);
  PyErr_SetString(PyExc_ValueError, "deque.index(x): x not in deque");
  return nullptr;
}

// An index argument; false with an error.
bool index_argument(PyObject* arg, Py_ssize_t* index) {
  Ref<> number = Ref<>::steal(PyNumber_Index(arg));
  *index = number ? PyLong_AsSsize_t(number.get()) : -1;
  return *index != -1 || !PyErr_Occurred();
}

PyObject* method_insert(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t index;
  if (!check_positional("insert", nargs, 2, 2) || !index_argument(args[0], &index)) return nullptr;
  ObjectLock lock(op);
  Deque* self = as_deque(op);
  const Py_ssize_t n = self->size;
  if (n == self->maxlen) {
    PyErr_SetString(PyExc_IndexError, "deque already at its maximum size");
    return nullptr;
  }
  if (index < 0) index = index + n < 0 ? 0 : index + n;
  if (index > n) index = n;
  PyObject* dropped;
  if (index <= n / 2) {
    if (push_left(self, Py_NewRef(args[1]), &dropped) < 0) return nullptr;
    for (Py_ssize_t i = 0; i < index; i++) std::swap(item_at(self, i), item_at(self, i + 1));
  } else {
    if (push_right(self, Py_NewRef(args[1]), &dropped) < 0) return nullptr;
    for (Py_ssize_t i = n; i > index; i--) std::swap(item_at(self, i), item_at(self, i - 1));
  }
  Py_RETURN_NONE;
}

PyObject* method_remove(PyObject* op, PyObject* value) {
  const Py_ssize_t n = size_of(op);
  const Py_ssize_t i = find(op, value, 0, n, PyExc_IndexError);
  if (i < 0) return nullptr;
  if (i == n) {
    PyErr_SetString(PyExc_ValueError, "deque.remove(x): x not in deque");
    return nullptr;
  }
  return none_or_error(deque_assign(op, i, nullptr));
}

PyObject* method_reverse(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  Deque* self = as_deque(op);
  for (Py_ssize_t i = 0, j = self->size - 1; i < j; i++, j--) std::swap(item_at(self, i), item_at(self, j));
  Py_RETURN_NONE;
}

PyObject* method_rotate(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  Py_ssize_t n = 1;
  if (!check_positional("rotate", nargs, 0, 1) || (nargs == 1 && !index_argument(args[0], &n)))
    return nullptr;
  ObjectLock lock(op);
  rotate(as_deque(op), n);
  Py_RETURN_NONE;
}

PyObject* method_reduce(PyObject* op, PyObject*) {
  Ref<> state = Ref<>::steal(_PyObject_GetState(op));
  if (!state) return nullptr;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(op));
  if (!iterator) return nullptr;
  const Py_ssize_t maxlen = sync::load_relaxed(as_deque(op)->maxlen);
  if (maxlen < 0) return Py_BuildValue("O()OO", Py_TYPE(op), state.get(), iterator.get());
  return Py_BuildValue("O(()n)OO", Py_TYPE(op), maxlen, state.get(), iterator.get());
}

PyObject* method_sizeof(PyObject* op, PyObject*) {
  return PyLong_FromSize_t(static_cast<size_t>(Py_TYPE(op)->tp_basicsize) +
                           as_deque(op)->capacity * sizeof(PyObject*));
}

PyObject* get_maxlen(PyObject* op, void*) {
  const Py_ssize_t maxlen = sync::load_relaxed(as_deque(op)->maxlen);
  if (maxlen < 0) Py_RETURN_NONE;
  return PyLong_FromSsize_t(maxlen);
}

// ---- iterators ----

struct DequeIterator {
  PyObject_HEAD PyObject* deque;
  size_t state;
  Py_ssize_t index;  // how many were delivered
  Py_ssize_t left;
};

DequeIterator* as_iterator(PyObject* op) {
  return reinterpret_cast<DequeIterator*>(op);
}

PyObject* make_iterator(PyTypeObject* type, PyObject* deque) {
  auto* self = make_gc_object<DequeIterator>(type);
  if (self == nullptr) return nullptr;
  ObjectLock lock(deque);
  self->deque = Py_NewRef(deque);
  self->state = as_deque(deque)->state;
  self->index = 0;
  self->left = as_deque(deque)->size;
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

PyObject* deque_iter(PyObject* op) {
  return make_iterator(&deque_iterator_type, op);
}
PyObject* method_reversed(PyObject* op, PyObject*) {
  return make_iterator(&deque_reverse_iterator_type, op);
}

template <bool kReverse>
PyObject* iterator_next(PyObject* op) {
  DequeIterator* self = as_iterator(op);
  Deque* deque = as_deque(self->deque);
  ObjectLock lock(deque);
  if (self->state != deque->state) {
    sync::store_relaxed(self->left, Py_ssize_t{0});
    PyErr_SetString(PyExc_RuntimeError, "deque mutated during iteration");
    return nullptr;
  }
  if (self->left <= 0) return nullptr;
  sync::store_relaxed(self->left, self->left - 1);
  const Py_ssize_t i = self->index++;
  return Py_NewRef(item_at(deque, kReverse ? deque->size - 1 - i : i));
}

template <bool kReverse>
PyObject* iterator_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs(type->tp_name, kwargs)) return nullptr;
  PyObject* deque;
  Py_ssize_t index = 0;
  if (!PyArg_ParseTuple(args, "O!|n", &deque_type, &deque, &index)) return nullptr;
  PyObject* op = make_iterator(type, deque);
  if (op == nullptr) return nullptr;
  DequeIterator* self = as_iterator(op);
  if (index > self->left) index = self->left;
  if (index > 0) {
    self->index = index;
    self->left -= index;
  }
  return op;
}

void iterator_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_iterator(op)->deque);
  PyObject_GC_Del(op);
}

int iterator_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_iterator(op)->deque);
  return 0;
}

PyObject* iterator_length_hint(PyObject* op, PyObject*) {
  return PyLong_FromSsize_t(sync::load_relaxed(as_iterator(op)->left));
}

PyObject* iterator_reduce(PyObject* op, PyObject*) {
  DequeIterator* self = as_iterator(op);
  ObjectLock lock(self->deque);
  return Py_BuildValue("O(On)", Py_TYPE(op), self->deque, as_deque(self->deque)->size - self->left);
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", iterator_reduce, METH_NOARGS, "Return state information for pickling."},
    {},
};

PyMethodDef methods[] = {
    {"append", method_append, METH_O,
     "append($self, item, /)\n--\n\nAdd an element to the right side of the deque."},
    {"appendleft", method_appendleft, METH_O,
     "appendleft($self, item, /)\n--\n\nAdd an element to the left side of the deque."},
    {"clear", method_clear, METH_NOARGS, "clear($self, /)\n--\n\nRemove all elements from the deque."},
    {"__copy__", method_copy, METH_NOARGS, "__copy__($self, /)\n--\n\nReturn a shallow copy of a deque."},
    {"copy", method_copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a shallow copy of a deque."},
    {"count", method_count, METH_O, "count($self, value, /)\n--\n\nReturn number of occurrences of value."},
    {"extend", method_extend, METH_O,
     "extend($self, iterable, /)\n--\n\nAdd the items of an iterable on the right."},
    {"extendleft", method_extendleft, METH_O,
     "extendleft($self, iterable, /)\n--\n\nAdd the items of an iterable on the left, one after the other."},
    {"index", AMPHIS_METHOD(method_index), METH_FASTCALL,
     "index($self, value, [start, [stop]])\n--\n\n"
     "The index of the first item equal to value; ValueError if there is none."},
    {"insert", AMPHIS_METHOD(method_insert), METH_FASTCALL,
     "insert($self, index, value, /)\n--\n\nInsert value before index."},
    {"pop", method_take<pop_right>, METH_NOARGS, "pop($self, /)\n--\n\nRemove and return the rightmost element."},
    {"popleft", method_take<pop_left>, METH_NOARGS,
     "popleft($self, /)\n--\n\nRemove and return the leftmost element."},
    {"__reduce__", method_reduce, METH_NOARGS,
     "__reduce__($self, /)\n--\n\nReturn state information for pickling."},
    {"remove", method_remove, METH_O, "remove($self, value, /)\n--\n\nRemove first occurrence of value."},
    {"__reversed__", method_reversed, METH_NOARGS,
     "__reversed__($self, /)\n--\n\nReturn a reverse iterator over the deque."},
    {"reverse", method_reverse, METH_NOARGS, "reverse($self, /)\n--\n\nReverse *IN PLACE*."},
    {"rotate", AMPHIS_METHOD(method_rotate), METH_FASTCALL,
     "rotate($self, n=1, /)\n--\n\nRotate the deque n steps to the right.  If n is negative, rotates left."},
    {"__sizeof__", method_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\nSize in memory, in bytes."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

PyGetSetDef getset[] = {
    {"maxlen", get_maxlen, nullptr, "maximum size of a deque or None if unbounded", nullptr},
    {},
};

PySequenceMethods as_sequence = {
    .sq_length = deque_length,
    .sq_concat = deque_concat,
    .sq_repeat = deque_repeat,
    .sq_item = deque_item,
    .sq_ass_item = deque_assign,
    .sq_contains = deque_contains,
    .sq_inplace_concat = deque_inplace_concat,
    .sq_inplace_repeat = deque_inplace_repeat,
};

}  // namespace

PyTypeObject deque_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "collections.deque",
    .tp_basicsize = sizeof(Deque),
    .tp_dealloc = deque_dealloc,
    .tp_repr = deque_repr,
    .tp_as_sequence = &as_sequence,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_SEQUENCE,
    .tp_doc =
        "deque([iterable[, maxlen]])\n--\n\nA list-like sequence optimized for data accesses near its "
        "endpoints.",
    .tp_traverse = deque_traverse,
    .tp_clear = deque_clear_slot,
    .tp_richcompare = deque_compare,
    .tp_weaklistoffset = offsetof(Deque, weakrefs),
    .tp_iter = deque_iter,
    .tp_methods = methods,
    .tp_getset = getset,
    .tp_init = deque_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = deque_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = deque_vectorcall,
};

PyTypeObject deque_iterator_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "collections._deque_iterator",
    .tp_basicsize = sizeof(DequeIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next<false>,
    .tp_methods = iterator_methods,
    .tp_new = iterator_new<false>,
};

PyTypeObject deque_reverse_iterator_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "collections._deque_reverse_iterator",
    .tp_basicsize = sizeof(DequeIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next<true>,
    .tp_methods = iterator_methods,
    .tp_new = iterator_new<true>,
};

}  // namespace amphis::collections
