// The types `set` and `frozenset` and the iterator over both: construction, slots and methods.
#include "objects/set.h"
#include "sync/atomic_field.h"
#include "sync/retire.h"

using namespace amphis;

namespace amphis {

namespace {

// ---- life ----

PyObject* set_new(PyTypeObject* type, PyObject*, PyObject*) {
  return set_make(type, nullptr);
}

int set_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (!check_no_kwargs("set", kwargs)) return -1;
  const Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (!check_positional("set", nargs, 0, 1)) return -1;
  {
    ObjectLock lock(self);
    set_clear(as_set(self));
  }
  return nargs == 0 ? 0 : set_update(self, PyTuple_GET_ITEM(args, 0));
}

PyObject* set_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (!check_no_kwnames("set", kwnames) || !check_positional("set", nargs, 0, 1)) return nullptr;
  return set_make(reinterpret_cast<PyTypeObject*>(type), nargs == 0 ? nullptr : args[0]);
}

PyObject* make_frozenset(PyTypeObject* type, PyObject* iterable) {
  if (type == &PyFrozenSet_Type && iterable != nullptr && PyFrozenSet_CheckExact(iterable))
    return Py_NewRef(iterable);
  return set_make(type, iterable);
}

PyObject* frozenset_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if ((type == &PyFrozenSet_Type || type->tp_init == PyFrozenSet_Type.tp_init) &&
      !check_no_kwargs("frozenset", kwargs)) {
    return nullptr;
  }
  const Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (!check_positional(type == &PyFrozenSet_Type ? "frozenset" : type->tp_name, nargs, 0, 1)) return nullptr;
  return make_frozenset(type, nargs == 0 ? nullptr : PyTuple_GET_ITEM(args, 0));
}

PyObject* frozenset_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (!check_no_kwnames("frozenset", kwnames) || !check_positional("frozenset", nargs, 0, 1)) return nullptr;
  return make_frozenset(reinterpret_cast<PyTypeObject*>(type), nargs == 0 ? nullptr : args[0]);
}

void set_dealloc(PyObject* self) {
  untrack(self);
  Py_TRASHCAN_BEGIN(self, set_dealloc) PySetObject* set = as_set(self);
  if (sync::load_acquire(set->weakreflist) != nullptr) PyObject_ClearWeakRefs(self);
  if (set->table != nullptr) {
    setentry* const table = set->table;
    for (Py_ssize_t i = 0, left = set->used; left > 0; i++) {
      if (!set_entry_live(&table[i])) continue;
      left--;
      Py_DECREF(table[i].key);
    }
    if (table != set->smalltable) {
      SetTableHead* const head = set_table_head(table);
      if (head->was_seen != 0)
        sync::retire(head);
      else
        PyMem_Free(head);
    }
  }
  Py_TYPE(self)->tp_free(self);
  Py_TRASHCAN_END
}

int set_traverse(PyObject* self, visitproc visit, void* arg) {
  PySetObject* set = as_set(self);
  if (set->table == nullptr) return 0;
  for (Py_ssize_t i = 0; i <= set->mask; i++) {
    if (set_entry_live(&set->table[i])) Py_VISIT(set->table[i].key);
  }
  return 0;
}

int set_clear_slot(PyObject* self) {
  set_clear(as_set(self));
  return 0;
}

// ---- slots ----

Py_ssize_t set_length(PyObject* self) {
  return PySet_GET_SIZE(self);
}

// The hash under which an element is looked up. A set stands for the frozenset with its elements; -1 with an
// error.
Py_hash_t lookup_hash(PyObject* key) {
  const Py_hash_t hash = set_hash_element(key);
  if (hash != -1 || !PySet_Check(key) || !PyErr_ExceptionMatches(PyExc_TypeError)) return hash;
  PyErr_Clear();
  return frozenset_hash(key);
}

int set_contains(PyObject* self, PyObject* key) {
  const Py_hash_t hash = lookup_hash(key);
  if (hash == -1) return -1;
  return set_has(as_set(self), key, hash);
}

Py_hash_t hash_slot(PyObject* self) {
  const Py_hash_t cached = sync::load_relaxed(as_set(self)->hash);
  if (cached != -1) return cached;
  const Py_hash_t hash = frozenset_hash(self);
  sync::store_relaxed(as_set(self)->hash, hash);
  return hash;
}

PyObject* write_repr(PyObject* self) {
  Ref<> list = Ref<>::steal(PySequence_List(self));
  if (!list) return nullptr;
  Ref<> inner = Ref<>::steal(PyObject_Repr(list.get()));
  if (!inner) return nullptr;
  Ref<> items = Ref<>::steal(PyUnicode_Substring(inner.get(), 1, PyUnicode_GET_LENGTH(inner.get()) - 1));
  if (!items) return nullptr;
  if (Py_IS_TYPE(self, &PySet_Type)) return PyUnicode_FromFormat("{%U}", items.get());
  return PyUnicode_FromFormat("%s({%U})", Py_TYPE(self)->tp_name, items.get());
}

PyObject* set_repr(PyObject* self) {
  const int nested = Py_ReprEnter(self);
  if (nested != 0) return nested > 0 ? PyUnicode_FromFormat("%s(...)", Py_TYPE(self)->tp_name) : nullptr;
  PyObject* text =
      PySet_GET_SIZE(self) == 0 ? PyUnicode_FromFormat("%s()", Py_TYPE(self)->tp_name) : write_repr(self);
  Py_ReprLeave(self);
  return text;
}

PyObject* as_bool(int result) {
  return result < 0 ? nullptr : PyBool_FromLong(result);
}

// Only frozen sets remember their hash.
bool hashes_differ(PyObject* a, PyObject* b) {
  if (!PyFrozenSet_Check(a) || !PyFrozenSet_Check(b)) return false;
  const Py_hash_t x = sync::load_relaxed(as_set(a)->hash), y = sync::load_relaxed(as_set(b)->hash);
  return x != -1 && y != -1 && x != y;
}

PyObject* set_compare(PyObject* a, PyObject* b, int op) {
  if (!PyAnySet_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  const Py_ssize_t n = PySet_GET_SIZE(a), m = PySet_GET_SIZE(b);
  switch (op) {
    case Py_EQ:
    case Py_NE: {
      int equal = n == m;
      if (equal && hashes_differ(a, b))
        equal = 0;
      if (equal) equal = set_is_subset(a, b);
      return as_bool(equal < 0 ? -1 : equal == (op == Py_EQ));
    }
    case Py_LE:
      return as_bool(set_is_subset(a, b));
    case Py_GE:
      return as_bool(set_is_subset(b, a));
    case Py_LT:
      return as_bool(n < m ? set_is_subset(a, b) : 0);
    case Py_GT:
      return as_bool(n > m ? set_is_subset(b, a) : 0);
  }
  Py_RETURN_NOTIMPLEMENTED;
}

bool both_sets(PyObject* a, PyObject* b) {
  return PyAnySet_Check(a) && PyAnySet_Check(b);
}

PyObject* or_slot(PyObject* a, PyObject* b) {
  if (!both_sets(a, b)) Py_RETURN_NOTIMPLEMENTED;
  Ref<> result = Ref<>::steal(set_copy(a));
  if (!result || (a != b && set_fill(result.get(), b) < 0)) return nullptr;
  return result.release();
}
PyObject* and_slot(PyObject* a, PyObject* b) {
  if (!both_sets(a, b)) Py_RETURN_NOTIMPLEMENTED;
  return set_intersection(a, b);
}
PyObject* sub_slot(PyObject* a, PyObject* b) {
  if (!both_sets(a, b)) Py_RETURN_NOTIMPLEMENTED;
  return set_difference(a, b);
}
PyObject* symmetric_difference(PyObject* a, PyObject* b) {
  Ref<> result = Ref<>::steal(set_copy(a));
  if (!result) return nullptr;
  PyObject* other = a == b ? result.get() : b;
  if (set_symmetric_difference_update(as_set(result.get()), other) < 0) return nullptr;
  return result.release();
}
PyObject* xor_slot(PyObject* a, PyObject* b) {
  if (!both_sets(a, b)) Py_RETURN_NOTIMPLEMENTED;
  return symmetric_difference(a, b);
}

int intersection_update(PyObject* self, PyObject* other) {
  Ref<> common = Ref<>::steal(set_intersection(self, other));
  if (!common) return -1;
  ObjectLock2 lock(self, common.get());
  if (set_swap_contents(as_set(self), as_set(common.get())) < 0) return -1;
  return 0;
}

PyObject* inplace(PyObject* self, int done) {
  return done < 0 ? nullptr : Py_NewRef(self);
}

PyObject* ior_slot(PyObject* a, PyObject* b) {
  if (!PyAnySet_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return inplace(a, set_update(a, b));
}
PyObject* iand_slot(PyObject* a, PyObject* b) {
  if (!PyAnySet_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return inplace(a, intersection_update(a, b));
}
PyObject* isub_slot(PyObject* a, PyObject* b) {
  if (!PyAnySet_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return inplace(a, set_difference_update(as_set(a), b));
}
PyObject* ixor_slot(PyObject* a, PyObject* b) {
  if (!PyAnySet_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  return inplace(a, set_symmetric_difference_update(as_set(a), b));
}

// ---- methods ----

PyObject* none_or_error(int done) {
  if (done < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_add(PyObject* self, PyObject* key) {
  return none_or_error(PySet_Add(self, key));
}

PyObject* method_clear(PyObject* self, PyObject*) {
  return none_or_error(PySet_Clear(self));
}

PyObject* method_copy(PyObject* self, PyObject*) {
  return set_copy(self);
}

PyObject* frozenset_copy(PyObject* self, PyObject*) {
  return PyFrozenSet_CheckExact(self) ? Py_NewRef(self) : set_copy(self);
}

PyObject* method_contains(PyObject* self, PyObject* key) {
  return as_bool(set_contains(self, key));
}

int discard_key(PyObject* self, PyObject* key) {
  const Py_hash_t hash = lookup_hash(key);
  if (hash == -1) return -1;
  ObjectLock lock(self);
  return set_discard(as_set(self), key, hash);
}

PyObject* method_discard(PyObject* self, PyObject* key) {
  return none_or_error(discard_key(self, key));
}

PyObject* method_remove(PyObject* self, PyObject* key) {
  const int removed = discard_key(self, key);
  if (removed == 0) set_key_error(key);
  return none_or_error(removed - (removed == 0));
}

PyObject* method_pop(PyObject* self, PyObject*) {
  return PySet_Pop(self);
}

PyObject* method_update(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  for (Py_ssize_t i = 0; i < nargs; i++) {
    if (set_update(self, args[i]) < 0) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* method_union(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Ref<> result = Ref<>::steal(set_copy(self));
  if (!result) return nullptr;
  for (Py_ssize_t i = 0; i < nargs; i++) {
    if (args[i] != self && set_update(result.get(), args[i]) < 0) return nullptr;
  }
  return result.release();
}

PyObject* method_intersection(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs == 0) return set_copy(self);
  Ref<> result = Ref<>::share(self);
  for (Py_ssize_t i = 0; i < nargs && result; i++)
    result = Ref<>::steal(set_intersection(result.get(), args[i]));
  return result.release();
}

PyObject* method_intersection_update(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Ref<> common = Ref<>::steal(method_intersection(self, args, nargs));
  if (!common) return nullptr;
  ObjectLock2 lock(self, common.get());
  if (set_swap_contents(as_set(self), as_set(common.get())) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_difference(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs == 0) return set_copy(self);
  Ref<> result = Ref<>::steal(set_difference(self, args[0]));
  for (Py_ssize_t i = 1; i < nargs && result; i++) {
    if (set_difference_update(as_set(result.get()), args[i]) < 0) return nullptr;
  }
  return result.release();
}

PyObject* method_difference_update(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  for (Py_ssize_t i = 0; i < nargs; i++) {
    if (set_difference_update(as_set(self), args[i]) < 0) return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* method_symmetric_difference(PyObject* self, PyObject* other) {
  return symmetric_difference(self, other);
}

PyObject* method_symmetric_difference_update(PyObject* self, PyObject* other) {
  return none_or_error(set_symmetric_difference_update(as_set(self), other));
}

PyObject* method_isdisjoint(PyObject* self, PyObject* other) {
  return as_bool(set_is_disjoint(self, other));
}
PyObject* method_issubset(PyObject* self, PyObject* other) {
  return as_bool(set_is_subset(self, other));
}
PyObject* method_issuperset(PyObject* self, PyObject* other) {
  return as_bool(set_is_superset(self, other));
}

PyObject* method_reduce(PyObject* self, PyObject*) {
  Ref<> keys = Ref<>::steal(PySequence_List(self));
  if (!keys) return nullptr;
  Ref<> state = Ref<>::steal(_PyObject_GetState(self));
  if (!state) return nullptr;
  return Py_BuildValue("O(O)O", Py_TYPE(self), keys.get(), state.get());
}

PyObject* method_sizeof(PyObject* self, PyObject*) {
  Py_ssize_t size = Py_TYPE(self)->tp_basicsize;
  PySetObject* set = as_set(self);
  if (set->table != set->smalltable) size += (set->mask + 1) * static_cast<Py_ssize_t>(sizeof(setentry));
  return PyLong_FromSsize_t(size);
}

#define AMPHIS_SET_READING_METHODS                                                                          \
  {"__contains__", method_contains, METH_O | METH_COEXIST,                                                  \
   "__contains__($self, object, /)\n--\n\nx.__contains__(y) <==> y in x."},                                 \
      {"__reduce__", method_reduce, METH_NOARGS,                                                            \
       "__reduce__($self, /)\n--\n\nReturn state information for pickling."},                               \
      {"__sizeof__", method_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\nSize in memory, in bytes."},  \
      {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,                                           \
       "__class_getitem__($type, object, /)\n--\n\nSee PEP 585"},                                           \
      {"union", AMPHIS_METHOD(method_union), METH_FASTCALL,                                                 \
       "union($self, /, *others)\n--\n\nA new set with the elements of this set and of all others."},       \
      {"intersection", AMPHIS_METHOD(method_intersection), METH_FASTCALL,                                   \
       "intersection($self, /, *others)\n--\n\nA new set with the elements that this set and all others "   \
       "share."},                                                                                           \
      {"difference", AMPHIS_METHOD(method_difference), METH_FASTCALL,                                       \
       "difference($self, /, *others)\n--\n\nA new set with the elements of this set that no other has."},  \
      {"symmetric_difference", method_symmetric_difference, METH_O,                                         \
       "symmetric_difference($self, other, /)\n--\n\nA new set with the elements that only one of the two " \
       "has."},                                                                                             \
      {"isdisjoint", method_isdisjoint, METH_O,                                                             \
       "isdisjoint($self, other, /)\n--\n\nWhether the set and other share nothing."},                      \
      {"issubset", method_issubset, METH_O,                                                                 \
       "issubset($self, other, /)\n--\n\nWhether other has every element of this set."},                    \
      {"issuperset", method_issuperset, METH_O,                                                             \
       "issuperset($self, other, /)\n--\n\nWhether this set has every element of other."}

PyMethodDef methods_of_set[] = {
    AMPHIS_SET_READING_METHODS,
    {"copy", method_copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a shallow copy of a set."},
    {"add", method_add, METH_O, "add($self, object, /)\n--\n\nAdd an element, unless it is there."},
    {"clear", method_clear, METH_NOARGS, "clear($self, /)\n--\n\nRemove all elements from this set."},
    {"discard", method_discard, METH_O,
     "discard($self, object, /)\n--\n\nRemove an element, if it is there."},
    {"remove", method_remove, METH_O,
     "remove($self, object, /)\n--\n\nRemove an element; KeyError if it is not there."},
    {"pop", method_pop, METH_NOARGS,
     "pop($self, /)\n--\n\nRemove some element and return it; KeyError if there is none."},
    {"update", AMPHIS_METHOD(method_update), METH_FASTCALL,
     "update($self, /, *others)\n--\n\nAdd the elements of all others."},
    {"intersection_update", AMPHIS_METHOD(method_intersection_update), METH_FASTCALL,
     "intersection_update($self, /, *others)\n--\n\nKeep only the elements that all others have too."},
    {"difference_update", AMPHIS_METHOD(method_difference_update), METH_FASTCALL,
     "difference_update($self, /, *others)\n--\n\nRemove the elements of all others."},
    {"symmetric_difference_update", method_symmetric_difference_update, METH_O,
     "symmetric_difference_update($self, other, /)\n--\n\nKeep the elements that only one of the two has."},
    {},
};

PyMethodDef methods_of_frozenset[] = {
    AMPHIS_SET_READING_METHODS,
    {"copy", frozenset_copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a shallow copy of a set."},
    {},
};

PyNumberMethods set_number = {
    .nb_subtract = sub_slot,
    .nb_and = and_slot,
    .nb_xor = xor_slot,
    .nb_or = or_slot,
    .nb_inplace_subtract = isub_slot,
    .nb_inplace_and = iand_slot,
    .nb_inplace_xor = ixor_slot,
    .nb_inplace_or = ior_slot,
};
PyNumberMethods frozenset_number = {
    .nb_subtract = sub_slot, .nb_and = and_slot, .nb_xor = xor_slot, .nb_or = or_slot};
PySequenceMethods as_sequence = {.sq_length = set_length, .sq_contains = set_contains};

// ---- the iterator ----

struct SetIterator {
  PyObject_HEAD PySetObject* set;  // null once used up (GIL build)
  Py_ssize_t used;                 // size at the beginning; negative after an error or at the end
  Py_ssize_t pos;
  Py_ssize_t left;
};

SetIterator* as_iterator(PyObject* op) {
  return reinterpret_cast<SetIterator*>(op);
}

PyObject* set_iter(PyObject* set) {
  auto* self = make_gc_object<SetIterator>(&PySetIter_Type);
  if (self == nullptr) return nullptr;
  self->set = as_set(Py_NewRef(set));
  self->used = self->left = PySet_GET_SIZE(set);
  self->pos = 0;
  track(self);
  return reinterpret_cast<PyObject*>(self);
}

PyObject* iterator_next(PyObject* op) {
  SetIterator* self = as_iterator(op);
  PySetObject* set = self->set;
  if (set == nullptr) return nullptr;
  // Threads that share an iterator may be in the same step.
  const Py_ssize_t used = sync::load_relaxed(self->used);
  if (used == -2) return nullptr;
  if (used != sync::load_relaxed(set->used)) {
    PyErr_SetString(PyExc_RuntimeError, "Set changed size during iteration");
    sync::store_relaxed(self->used, Py_ssize_t{-1});  // and keeps failing
    return nullptr;
  }
  Py_ssize_t pos = sync::load_relaxed(self->pos);
  PyObject* key;
  Py_hash_t hash;
  if (set_next_ref(set, &pos, &key, &hash) != 0) {
    sync::store_relaxed(self->pos, pos);
    sync::store_relaxed(self->left, sync::load_relaxed(self->left) - 1);
    return key;
  }
  sync::store_relaxed(self->left, Py_ssize_t{0});
  if constexpr (kRaces) sync::store_relaxed(self->used, Py_ssize_t{-2});
  if (sync::only_thread()) {  // another thread may be in the same step otherwise
    self->set = nullptr;
    Py_DECREF(set);
  }
  return nullptr;
}

void iterator_dealloc(PyObject* op) {
  untrack(op);
  Py_XDECREF(as_iterator(op)->set);
  PyObject_GC_Del(op);
}

int iterator_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_iterator(op)->set);
  return 0;
}

PyObject* iterator_length_hint(PyObject* op, PyObject*) {
  SetIterator* self = as_iterator(op);
  if (self->set == nullptr) return PyLong_FromLong(0);
  const bool unchanged = sync::load_relaxed(self->used) == sync::load_relaxed(self->set->used);
  return PyLong_FromSsize_t(unchanged ? sync::load_relaxed(self->left) : 0);
}

PyObject* iterator_reduce(PyObject* op, PyObject*) {
  SetIterator* self = as_iterator(op);
  Ref<> list;
  if (self->set == nullptr) {
    list = Ref<>::steal(PyList_New(0));
  } else {
    Ref<> copy = Ref<>::steal(set_iter(reinterpret_cast<PyObject*>(self->set)));
    if (!copy) return nullptr;
    as_iterator(copy.get())->used = sync::load_relaxed(self->used);
    as_iterator(copy.get())->pos = sync::load_relaxed(self->pos);
    as_iterator(copy.get())->left = sync::load_relaxed(self->left);
    list = Ref<>::steal(PySequence_List(copy.get()));
  }
  if (!list) return nullptr;
  return Py_BuildValue("N(N)", builtin_function("iter"), list.release());
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS,
     "Private method returning an estimate of len(list(it))."},
    {"__reduce__", iterator_reduce, METH_NOARGS, "Return state information for pickling."},
    {},
};

}  // namespace
}  // namespace amphis

PyTypeObject PySet_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "set",
    .tp_basicsize = sizeof(PySetObject),
    .tp_dealloc = set_dealloc,
    .tp_repr = set_repr,
    .tp_as_number = &set_number,
    .tp_as_sequence = &as_sequence,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | _Py_TPFLAGS_MATCH_SELF,
    .tp_doc = "set(iterable=(), /)\n--\n\nBuild an unordered collection of unique elements.",
    .tp_traverse = set_traverse,
    .tp_clear = set_clear_slot,
    .tp_richcompare = set_compare,
    .tp_weaklistoffset = offsetof(PySetObject, weakreflist),
    .tp_iter = set_iter,
    .tp_methods = methods_of_set,
    .tp_init = set_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = set_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = set_vectorcall,
};

PyTypeObject PyFrozenSet_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "frozenset",
    .tp_basicsize = sizeof(PySetObject),
    .tp_dealloc = set_dealloc,
    .tp_repr = set_repr,
    .tp_as_number = &frozenset_number,
    .tp_as_sequence = &as_sequence,
    .tp_hash = hash_slot,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | _Py_TPFLAGS_MATCH_SELF,
    .tp_doc = "frozenset(iterable=(), /)\n--\n\nBuild an immutable unordered collection of unique elements.",
    .tp_traverse = set_traverse,
    .tp_clear = set_clear_slot,
    .tp_richcompare = set_compare,
    .tp_weaklistoffset = offsetof(PySetObject, weakreflist),
    .tp_iter = set_iter,
    .tp_methods = methods_of_frozenset,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = frozenset_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = frozenset_vectorcall,
};

PyTypeObject PySetIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "set_iterator",
    .tp_basicsize = sizeof(SetIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
    .tp_methods = iterator_methods,
};
