// functools._lru_cache_wrapper: the callable behind lru_cache and cache.
//
// The results are in a private dictionary. With a bound, its values are links of a circular list in order of
// use, whose root is the wrapper itself; both the dictionary and the list own a link. Invariants, with the
// wrapper's lock held: a link is in the list exactly while the dictionary maps its key to it; the list has at
// most `maxsize` links. Looking up a key may run code that uses the cache; therefore nothing is remembered
// across a lookup.
#include <cstdint>

#include "modules/functools.h"
#include "objects/dict.h"
#include "objects/tuple.h"
#include "sync/atomic_field.h"

namespace amphis::functools {
namespace {

struct Link {
  PyObject_HEAD Link* previous;
  Link* next;
  Py_hash_t hash;
  PyObject* key;
  PyObject* result;
};

struct Cache {
  PyObject_HEAD PyObject* function;
  PyObject* results;  // a dict
  PyObject* info_type;
  PyObject* keyword_mark;  // between positional and keyword arguments in a key
  PyObject* attributes;
  PyObject* weakrefs;
  Link* first;  // least recently used; null when the list is empty
  Link* last;
  Py_ssize_t maxsize;  // -1: no bound
  Py_ssize_t hits;
  Py_ssize_t misses;
  bool typed;
  vectorcallfunc vectorcall;
};

Cache* as_cache(PyObject* op) {
  return reinterpret_cast<Cache*>(op);
}
PyDictObject* results_of(Cache* self) {
  return reinterpret_cast<PyDictObject*>(self->results);
}

// ---- links ----

void link_dealloc(PyObject* op) {
  auto* link = reinterpret_cast<Link*>(op);
  untrack(op);
  Py_XDECREF(link->key);
  Py_XDECREF(link->result);
  PyObject_GC_Del(op);
}

int link_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<Link*>(op)->key);
  Py_VISIT(reinterpret_cast<Link*>(op)->result);
  return 0;
}

int link_clear(PyObject* op) {
  Py_CLEAR(reinterpret_cast<Link*>(op)->result);
  return 0;
}

// Takes the link out of the list; the list's reference becomes the caller's.
Ref<Link> unlink(Cache* self, Link* link) {
  (link->previous != nullptr ? link->previous->next : self->first) = link->next;
  (link->next != nullptr ? link->next->previous : self->last) = link->previous;
  link->previous = link->next = nullptr;
  return Ref<Link>::steal(link);
}

bool is_linked(Cache* self, Link* link) {
  return link->previous != nullptr || self->first == link;
}

void append(Cache* self, Ref<Link> owned) {
  Link* link = owned.release();
  link->previous = self->last;
  link->next = nullptr;
  (self->last != nullptr ? self->last->next : self->first) = link;
  self->last = link;
}

// ---- keys ----

bool is_simple_key(PyObject* op) {
  return PyUnicode_CheckExact(op) || PyLong_CheckExact(op);
}

// The key for a call: one str or int by itself, else a tuple of the arguments, a mark and the keywords as
// name, value pairs, and the types where they matter. A tuple never equals a str or an int.
Ref<> make_key(Cache* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  const Py_ssize_t nkw = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
  if (!self->typed && nkw == 0) {
    if (nargs == 1 && is_simple_key(args[0])) return Ref<>::share(args[0]);
    return Ref<>::steal(tuple_from_array(args, nargs));
  }
  const Py_ssize_t n = nargs + (nkw > 0 ? 1 + 2 * nkw : 0) + (self->typed ? nargs + nkw : 0);
  Ref<> key = Ref<>::steal(PyTuple_New(n));
  if (!key) return nullptr;
  Py_ssize_t at = 0;
  const auto put = [&](PyObject* item) { PyTuple_SET_ITEM(key.get(), at++, Py_NewRef(item)); };
  for (Py_ssize_t i = 0; i < nargs; i++) put(args[i]);
  if (nkw > 0) {
    put(self->keyword_mark);
    for (Py_ssize_t i = 0; i < nkw; i++) {
      put(PyTuple_GET_ITEM(kwnames, i));
      put(args[nargs + i]);
    }
  }
  if (self->typed) {
    for (Py_ssize_t i = 0; i < nargs + nkw; i++) put(reinterpret_cast<PyObject*>(Py_TYPE(args[i])));
  }
  return key;
}

// ---- calls ----

// The stored value of a key: 1 (a new reference), 0, -1.
int look_up(Cache* self, PyObject* key, Py_hash_t hash, Ref<>* value) {
  return dict_get_ref_hashed(results_of(self), key, hash, value->out());
}

int store(Cache* self, PyObject* key, Py_hash_t hash, PyObject* value) {
  PyDictObject* dict = results_of(self);
  ObjectLock lock(dict);
  return dict_insert(dict, key, hash, value);
}

PyObject* call_unbounded(Cache* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Ref<> key = make_key(self, args, PyVectorcall_NARGS(nargsf), kwnames);
  const Py_hash_t hash = key ? PyObject_Hash(key.get()) : -1;
  if (hash == -1) return nullptr;
  Ref<> found;
  const int present = look_up(self, key.get(), hash, &found);
  if (present < 0) return nullptr;
  if (present > 0) {
    sync::fetch_add(self->hits, 1);
    return found.release();
  }
  sync::fetch_add(self->misses, 1);
  Ref<> result = Ref<>::steal(PyObject_Vectorcall(self->function, args, nargsf, kwnames));
  if (!result || store(self, key.get(), hash, result.get()) < 0) return nullptr;
  return result.release();
}

// Marks the link as just used. The lock is held.
void touch(Cache* self, Link* link) {
  if (is_linked(self, link) && self->last != link) append(self, unlink(self, link));
}

// Forgets the least recently used result. False with an error. The lock is held.
bool evict(Cache* self, Ref<Link>* evicted) {
  Link* oldest = self->first;
  if (oldest == nullptr) return true;
  *evicted = unlink(self, oldest);
  PyDictObject* dict = results_of(self);
  Ref<> key, value;
  ObjectLock lock(dict);
  const Py_ssize_t index = dict_find(dict, (*evicted)->key, (*evicted)->hash);
  if (index == kDictError) {
    append(self, static_cast<Ref<Link>&&>(*evicted));
    return false;
  }
  // Keys that compare equal only now and then may have hidden it.
  if (index >= 0) dict_remove_entry(dict, index, key.out(), value.out());
  return true;
}

PyObject* call_bounded(Cache* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Ref<> key = make_key(self, args, PyVectorcall_NARGS(nargsf), kwnames);
  const Py_hash_t hash = key ? PyObject_Hash(key.get()) : -1;
  if (hash == -1) return nullptr;
  {
    ObjectLock lock(self);
    Ref<> found;
    const int present = look_up(self, key.get(), hash, &found);
    if (present < 0) return nullptr;
    if (present > 0) {
      self->hits++;
      auto* link = reinterpret_cast<Link*>(found.get());
      touch(self, link);
      return Py_NewRef(link->result);
    }
    self->misses++;
  }
  Ref<> result = Ref<>::steal(PyObject_Vectorcall(self->function, args, nargsf, kwnames));
  if (!result) return nullptr;

  Ref<Link> evicted;
  ObjectLock lock(self);
  // The call may have filled the cache with this very key.
  Ref<> found;
  const int present = look_up(self, key.get(), hash, &found);
  if (present < 0) return nullptr;
  if (present > 0) return result.release();
  if (PyDict_GET_SIZE(self->results) >= self->maxsize && !evict(self, &evicted)) return nullptr;
  auto* link = make_gc_object<Link>(&lru_link_type);
  if (link == nullptr) return nullptr;
  link->previous = link->next = nullptr;
  link->hash = hash;
  link->key = Py_NewRef(key.get());
  link->result = Py_NewRef(result.get());
  track(link);
  Ref<Link> owned = Ref<Link>::steal(link);
  if (store(self, key.get(), hash, owned.obj()) < 0) return nullptr;
  if (!is_linked(self, link)) append(self, static_cast<Ref<Link>&&>(owned));
  return result.release();
}

PyObject* cache_vectorcall(PyObject* op, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Cache* self = as_cache(op);
  if (self->maxsize < 0) return call_unbounded(self, args, nargsf, kwnames);
  if (self->maxsize > 0) return call_bounded(self, args, nargsf, kwnames);
  sync::fetch_add(self->misses, 1);
  return PyObject_Vectorcall(self->function, args, nargsf, kwnames);
}

// ---- life ----

PyObject* cache_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"user_function", "maxsize", "typed", "cache_info_type"};
  static const Parameters parameters = {"lru_cache", names, 4, 0, 4, 4};
  PyObject* given[4];
  if (!bind_call(parameters, args, kwargs, given)) return nullptr;
  if (!PyCallable_Check(given[0])) {
    PyErr_SetString(PyExc_TypeError, "the first argument must be callable");
    return nullptr;
  }
  Py_ssize_t maxsize = -1;
  if (given[1] != Py_None) {
    if (!PyIndex_Check(given[1])) {
      PyErr_SetString(PyExc_TypeError, "maxsize should be integer or None");
      return nullptr;
    }
    maxsize = PyNumber_AsSsize_t(given[1], PyExc_OverflowError);
    if (maxsize == -1 && PyErr_Occurred()) return nullptr;
    if (maxsize < 0) maxsize = 0;
  }
  const int typed = PyObject_IsTrue(given[2]);
  if (typed < 0) return nullptr;
  Ref<> results = Ref<>::steal(PyDict_New());
  Ref<> mark = Ref<>::steal(PyObject_CallNoArgs(reinterpret_cast<PyObject*>(&PyBaseObject_Type)));
  if (!results || !mark) return nullptr;
  PyObject* op = type->tp_alloc(type, 0);
  if (op == nullptr) return nullptr;
  Cache* self = as_cache(op);
  self->function = Py_NewRef(given[0]);
  self->results = results.release();
  self->info_type = Py_NewRef(given[3]);
  self->keyword_mark = mark.release();
  self->maxsize = maxsize;
  self->typed = typed != 0;
  self->vectorcall = cache_vectorcall;
  return op;
}

// Cuts the whole list off; drop_list takes its references back.
Link* take_list(Cache* self) {
  Link* first = self->first;
  self->first = self->last = nullptr;
  for (Link* link = first; link != nullptr; link = link->next) link->previous = nullptr;
  return first;
}

void drop_list(Link* link) {
  while (link != nullptr) {
    Link* next = link->next;
    link->next = nullptr;
    Py_DECREF(link);
    link = next;
  }
}

int cache_clear_slot(PyObject* op) {
  Cache* self = as_cache(op);
  drop_list(take_list(self));
  Py_CLEAR(self->function);
  if (self->results != nullptr) PyDict_Clear(self->results);
  Py_CLEAR(self->info_type);
  Py_CLEAR(self->attributes);
  return 0;
}

void cache_dealloc(PyObject* op) {
  Cache* self = as_cache(op);
  untrack(op);
  if (sync::load_acquire(self->weakrefs) != nullptr) PyObject_ClearWeakRefs(op);
  cache_clear_slot(op);
  Py_XDECREF(self->results);
  Py_XDECREF(self->keyword_mark);
  Py_TYPE(op)->tp_free(op);
}

int cache_traverse(PyObject* op, visitproc visit, void* arg) {
  Cache* self = as_cache(op);
  for (Link* link = self->first; link != nullptr; link = link->next) Py_VISIT(link);
  Py_VISIT(self->function);
  Py_VISIT(self->results);
  Py_VISIT(self->info_type);
  Py_VISIT(self->keyword_mark);
  Py_VISIT(self->attributes);
  return 0;
}

// ---- methods ----

PyObject* method_cache_info(PyObject* op, PyObject*) {
  Cache* self = as_cache(op);
  ObjectLock lock(op);
  const Py_ssize_t size = PyDict_GET_SIZE(self->results);
  if (self->maxsize < 0) {
    return PyObject_CallFunction(self->info_type, "nnOn", sync::load_relaxed(self->hits),
                                 sync::load_relaxed(self->misses), Py_None, size);
  }
  return PyObject_CallFunction(self->info_type, "nnnn", sync::load_relaxed(self->hits),
                               sync::load_relaxed(self->misses), self->maxsize, size);
}

PyObject* method_cache_clear(PyObject* op, PyObject*) {
  Cache* self = as_cache(op);
  Link* list;
  {
    ObjectLock lock(op);
    list = take_list(self);
    sync::store_relaxed(self->hits, 0);
    sync::store_relaxed(self->misses, 0);
  }
  PyDict_Clear(self->results);
  drop_list(list);
  Py_RETURN_NONE;
}

PyObject* method_reduce(PyObject* op, PyObject*) {
  return PyObject_GetAttrString(op, "__qualname__");
}
PyObject* method_copy(PyObject* op, PyObject*) {
  return Py_NewRef(op);
}

PyObject* cache_get(PyObject* op, PyObject* instance, PyObject*) {
  return instance == Py_None || instance == nullptr ? Py_NewRef(op) : PyMethod_New(op, instance);
}

PyMethodDef cache_methods[] = {
    {"cache_info", method_cache_info, METH_NOARGS, "cache_info($self, /)\n--\n\nReport cache statistics"},
    {"cache_clear", method_cache_clear, METH_NOARGS,
     "cache_clear($self, /)\n--\n\nClear the cache and cache statistics"},
    {"__reduce__", method_reduce, METH_NOARGS, nullptr},
    {"__copy__", method_copy, METH_NOARGS, nullptr},
    {"__deepcopy__", method_copy, METH_O, nullptr},
    {},
};
PyGetSetDef cache_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr}, {}};

}  // namespace

PyTypeObject lru_link_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "functools._lru_list_elem",
    .tp_basicsize = sizeof(Link),
    .tp_dealloc = link_dealloc,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = link_traverse,
    .tp_clear = link_clear,
};

PyTypeObject lru_cache_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "functools._lru_cache_wrapper",
    .tp_basicsize = sizeof(Cache),
    .tp_dealloc = cache_dealloc,
    .tp_vectorcall_offset = offsetof(Cache, vectorcall),
    .tp_call = PyVectorcall_Call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_METHOD_DESCRIPTOR | Py_TPFLAGS_HAVE_VECTORCALL,
    .tp_doc =
        "Create a cached callable that wraps another function.\n\n"
        "user_function: the function being cached; maxsize: 0 for no caching, None for no limit, n for a "
        "bound;\n"
        "typed: keep arguments of different types apart; cache_info_type: the type of what cache_info() "
        "returns.",
    .tp_traverse = cache_traverse,
    .tp_clear = cache_clear_slot,
    .tp_weaklistoffset = offsetof(Cache, weakrefs),
    .tp_methods = cache_methods,
    .tp_getset = cache_getset,
    .tp_descr_get = cache_get,
    .tp_dictoffset = offsetof(Cache, attributes),
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = cache_new,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::functools
