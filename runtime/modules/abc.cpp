// The module _abc: what abc.ABCMeta keeps per class (registry and caches of subclasses) and its instance and
// subclass checks.
//
// Each abstract class has a Data object in `_abc_impl` with three WeakTypeSets. Readers of the caches take no
// lock; changes are made under the lock of the Data object. The negative cache counts only while its version
// is the counter of registrations.
#include "objects/container_support.h"
#include "objects/names.h"
#include "objects/type.h"
#include "objects/weakref.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/retire.h"

#include <atomic>

namespace amphis {

namespace {

std::atomic<uint64_t> registrations{0};

// A set of classes, weakly held: open addressing over addresses. Each entry's weak reference says whether the
// class of that address is still the one that was added, for it names None before the memory of its class is
// given back. Invariant: at most half of the slots are taken; a slot once taken keeps its class until a new
// table replaces the whole one, except that the weak reference of a reused address is replaced by a newer
// one.
class WeakTypeSet {
  struct Slot {
    PyObject* type;
    PyObject* ref;
  };
  struct Table {
    size_t mask;
    size_t used;
    Slot slots[1];
  };
  Table* table_;

  static size_t start(PyObject* type, size_t mask) {
    auto bits = reinterpret_cast<uintptr_t>(type) >> 4;
    return (bits ^ (bits >> 9)) & mask;
  }
  // Whether `ref` refers to `type`, which the caller keeps alive. The weak reference itself may be dead
  // memory.
  static bool refers(PyObject* ref, PyObject* type) {
    return sync::load_acquire(reinterpret_cast<PyWeakReference*>(ref)->wr_object) == type;
  }
  static Table* make_table(size_t capacity) {
    auto* table = static_cast<Table*>(PyMem_Calloc(1, sizeof(Table) + (capacity - 1) * sizeof(Slot)));
    if (table != nullptr) table->mask = capacity - 1;
    return table;
  }
  static Slot* find(Table* table, PyObject* type) {
    for (size_t i = start(type, table->mask);; i = (i + 1) & table->mask) {
      Slot* slot = &table->slots[i];
      PyObject* there = sync::load_acquire(slot->type);
      if (there == type || there == nullptr) return slot;
    }
  }
  void drop_table(Table* table) {
    if (table == nullptr) return;
    for (size_t i = 0; i <= table->mask; ++i) {
      if (table->slots[i].ref != nullptr) Py_DECREF(table->slots[i].ref);
    }
    sync::retire(table);
  }

 public:
  // No lock is needed.
  bool contains(PyObject* type) {
    Table* table = sync::load_acquire(table_);
    if (table == nullptr) return false;
    Slot* slot = find(table, type);
    if (sync::load_acquire(slot->type) != type) return false;
    PyObject* ref = sync::load_acquire(slot->ref);
    if (!refers(ref, type)) return false;
    if constexpr (kRaces) {
      // The weak reference may have been freed and its memory used again: then it has left the set.
      return sync::load_acquire(slot->ref) == ref && sync::load_acquire(table_) == table;
    }
    return true;
  }

  // ---- the lock is held ----

  int add(PyObject* type) {
    Table* table = table_;
    if (table == nullptr || table->used * 2 > table->mask) {
      table = grown();
      if (table == nullptr) return -1;
    }
    Slot* slot = find(table, type);
    if (slot->type != nullptr && refers(slot->ref, type)) return 0;
    PyObject* ref = PyWeakref_NewRef(type, nullptr);
    if (ref == nullptr) return -1;
    if (slot->type != nullptr) {
      PyObject* old = slot->ref;
      sync::store_release(slot->ref, ref);
      Py_DECREF(old);
    } else {
      table->used++;
      sync::store_release(slot->ref, ref);
      sync::store_release(slot->type, type);
    }
    return 0;
  }

  void clear() {
    Table* old = table_;
    sync::store_release(table_, static_cast<Table*>(nullptr));
    drop_table(old);
  }

  // Calls visit(weak reference) for each class that lives; stops at the first nonzero result and returns it.
  template <class F>
  int each(F&& visit) const {
    if (table_ == nullptr) return 0;
    for (size_t i = 0; i <= table_->mask; ++i) {
      PyObject* ref = table_->slots[i].ref;
      if (ref == nullptr || !weakref_target(reinterpret_cast<PyWeakReference*>(ref))) continue;
      if (int stop = visit(ref)) return stop;
    }
    return 0;
  }

  bool empty() const { return sync::load_acquire(table_) == nullptr; }

 private:
  // Makes room for one more; classes that died are left behind.
  Table* grown() {
    size_t live = 0;
    each([&](PyObject*) {
      ++live;
      return 0;
    });
    size_t capacity = 8;
    while (capacity < (live + 1) * 3) capacity *= 2;
    Table* fresh = make_table(capacity);
    if (fresh == nullptr) {
      PyErr_NoMemory();
      return nullptr;
    }
    Table* old = table_;
    if (old != nullptr) {
      for (size_t i = 0; i <= old->mask; ++i) {
        const Slot& from = old->slots[i];
        if (from.type == nullptr || !refers(from.ref, from.type)) continue;
        Slot* to = find(fresh, from.type);
        *to = {from.type, Py_NewRef(from.ref)};
        fresh->used++;
      }
    }
    sync::store_release(table_, fresh);
    drop_table(old);
    return fresh;
  }
};

struct Data {
  PyObject_HEAD WeakTypeSet registry;
  WeakTypeSet cache;
  WeakTypeSet negative;
  uint64_t negative_version;
};

Data* as_data(PyObject* op) {
  return reinterpret_cast<Data*>(op);
}

void data_dealloc(PyObject* self) {
  untrack(self);
  as_data(self)->registry.clear();
  as_data(self)->cache.clear();
  as_data(self)->negative.clear();
  Py_TYPE(self)->tp_free(self);
}

// The weak references in it are part of no cycle.
int data_traverse(PyObject*, visitproc, void*) { return 0; }

// Every thread asks an abstract class, so that its Data is deferred, as the class is.
PyObject* data_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  as_data(self)->negative_version = registrations.load(std::memory_order_relaxed);
  if (!gc::is_tracked(self)) track(self);
  sync::set_deferred(self);
  return self;
}

extern "C" PyTypeObject AbcData_Type;

// The Data of an abstract class: a new reference, or null.
Ref<> data_of(PyObject* cls) {
  static PyObject* const name = make_static_name("_abc_impl");
  Ref<> data;
  if (PyType_Check(cls)) data = Ref<>::steal(type_lookup(reinterpret_cast<PyTypeObject*>(cls), name));
  if (!data) data = Ref<>::steal(PyObject_GetAttr(cls, name));
  if (data && !Py_IS_TYPE(data.get(), &AbcData_Type)) {
    PyErr_SetString(PyExc_TypeError, "_abc_impl is set to a wrong type");
    return nullptr;
  }
  return data;
}

int add_to(PyObject* data, WeakTypeSet Data::* set, PyObject* type) {
  ObjectLock lock(data);
  return (as_data(data)->*set).add(type);
}

bool negative_is_current(PyObject* data) {
  return sync::load_acquire(as_data(data)->negative_version) == registrations.load(std::memory_order_acquire);
}

// --- Abstract methods

int is_abstract(PyObject* value) {
  PyObject* flag;
  const int found = PyObject_GetOptionalAttr(value, AMPHIS_STATIC_NAME("__isabstractmethod__"), &flag);
  if (found <= 0) return found;
  const int result = PyObject_IsTrue(flag);
  Py_DECREF(flag);
  return result;
}

int add_own_abstracts(PyObject* cls, PyObject* names_found) {
  Ref<> dict = Ref<>::steal(PyObject_GetAttr(cls, names.dunder_dict));
  Ref<> items = dict ? Ref<>::steal(PyMapping_Items(dict)) : Ref<>();
  if (!items) return -1;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.get()); ++i) {
    Ref<> item = Ref<>::steal(PySequence_Tuple(PyList_GET_ITEM(items.get(), i)));
    if (!item) return -1;
    if (PyTuple_GET_SIZE(item.get()) != 2) {
      PyErr_SetString(PyExc_TypeError, "Iteration over __dict__.items() must yield (name, value) pairs");
      return -1;
    }
    const int abstract = is_abstract(PyTuple_GET_ITEM(item.get(), 1));
    if (abstract < 0 || (abstract && PySet_Add(names_found, PyTuple_GET_ITEM(item.get(), 0)) < 0)) return -1;
  }
  return 0;
}

int add_inherited_abstracts(PyObject* cls, PyObject* base, PyObject* names_found) {
  PyObject* raw;
  if (PyObject_GetOptionalAttr(base, names.dunder_abstractmethods, &raw) < 0) return -1;
  if (raw == nullptr) return 0;
  Ref<> inherited = Ref<>::steal(raw);
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(inherited));
  if (!iterator) return -1;
  for (;;) {
    Ref<> name = Ref<>::steal(PyIter_Next(iterator));
    if (!name) return PyErr_Occurred() ? -1 : 0;
    if (PyObject_GetOptionalAttr(cls, name, &raw) < 0) return -1;
    if (raw == nullptr) continue;
    Ref<> value = Ref<>::steal(raw);
    const int abstract = is_abstract(value);
    if (abstract < 0 || (abstract && PySet_Add(names_found, name) < 0)) return -1;
  }
}

int compute_abstract_methods(PyObject* cls) {
  Ref<> found = Ref<>::steal(PyFrozenSet_New(nullptr));
  if (!found || add_own_abstracts(cls, found) < 0) return -1;
  Ref<> bases = Ref<>::steal(PyObject_GetAttr(cls, names.dunder_bases));
  if (!bases) return -1;
  if (!PyTuple_Check(bases.get())) {
    PyErr_SetString(PyExc_TypeError, "__bases__ is not tuple");
    return -1;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(bases.get()); ++i) {
    if (add_inherited_abstracts(cls, PyTuple_GET_ITEM(bases.get(), i), found) < 0) return -1;
  }
  return PyObject_SetAttr(cls, names.dunder_abstractmethods, found);
}

// --- Whether match statements take instances as sequences or mappings

constexpr unsigned long kCollectionFlags = Py_TPFLAGS_SEQUENCE | Py_TPFLAGS_MAPPING;

// The type lock is held.
void set_collection_flag(PyTypeObject* type, unsigned long flag) {
  if (type_has_flag(type, Py_TPFLAGS_IMMUTABLETYPE) || (type->tp_flags & kCollectionFlags) == flag) return;
  sync::store_relaxed(type->tp_flags, (type->tp_flags & ~kCollectionFlags) | flag);
  type_each_subclass_locked(type, [&](PyTypeObject* subclass) { set_collection_flag(subclass, flag); });
}

// A class says what it is in `__abc_tpflags__`, which is taken out of its namespace.
int take_collection_flag(PyObject* cls) {
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  Ref<> dict = Ref<>::steal(PyType_GetDict(type));
  PyObject* raw;
  if (PyDict_Pop(dict, names.dunder_abc_tpflags, &raw) < 0) return -1;
  if (raw == nullptr) return 0;
  Ref<> value = Ref<>::steal(raw);
  PyType_Modified(type);
  if (!PyLong_CheckExact(value.get())) return 0;
  const long flags = PyLong_AsLong(value);
  if (flags == -1 && PyErr_Occurred()) return -1;
  const unsigned long wanted = static_cast<unsigned long>(flags) & kCollectionFlags;
  if (wanted == kCollectionFlags) {
    PyErr_SetString(PyExc_TypeError,
                    "__abc_tpflags__ cannot be both Py_TPFLAGS_SEQUENCE and Py_TPFLAGS_MAPPING");
    return -1;
  }
  if (wanted != 0) {
    TypeChange change(type, TypeChange::kFills);
    sync::store_relaxed(type->tp_flags, (type->tp_flags & ~kCollectionFlags) | wanted);
  }
  return 0;
}

// --- The module's functions

PyObject* abc_init(PyObject*, PyObject* cls) {
  if (compute_abstract_methods(cls) < 0) return nullptr;
  Ref<> data = Ref<>::steal(data_new(&AbcData_Type, nullptr, nullptr));
  if (!data || PyObject_SetAttr(cls, AMPHIS_STATIC_NAME("_abc_impl"), data) < 0) return nullptr;
  if (PyType_Check(cls) && take_collection_flag(cls) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* abc_register(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("_abc_register", nargs, 2, 2)) return nullptr;
  PyObject* cls = args[0];
  PyObject* subclass = args[1];
  if (!PyType_Check(subclass)) {
    PyErr_SetString(PyExc_TypeError, "Can only register classes");
    return nullptr;
  }
  int result = PyObject_IsSubclass(subclass, cls);
  if (result > 0) return Py_NewRef(subclass);
  if (result < 0) return nullptr;
  // After the test for "is one already": registering a class with itself is no cycle.
  result = PyObject_IsSubclass(cls, subclass);
  if (result > 0) PyErr_SetString(PyExc_RuntimeError, "Refusing to create an inheritance cycle");
  if (result != 0) return nullptr;
  Ref<> data = data_of(cls);
  if (!data || add_to(data, &Data::registry, subclass) < 0) return nullptr;
  registrations.fetch_add(1, std::memory_order_release);
  if (PyType_Check(cls)) {
    const unsigned long flag = reinterpret_cast<PyTypeObject*>(cls)->tp_flags & kCollectionFlags;
    if (flag != 0) {
      TypeChange change(reinterpret_cast<PyTypeObject*>(subclass), TypeChange::kFills);
      set_collection_flag(reinterpret_cast<PyTypeObject*>(subclass), flag);
    }
  }
  return Py_NewRef(subclass);
}

// instance.__class__, by way of the type alone where nothing can have changed it.
Ref<> class_of(PyObject* instance) {
  static PyObject* const plain = type_lookup(&PyBaseObject_Type, names.dunder_class);
  PyTypeObject* type = Py_TYPE(instance);
  if (type->tp_getattro == PyObject_GenericGetAttr) {
    Ref<> found = Ref<>::steal(type_lookup(type, names.dunder_class));
    if (found.get() == plain) return Ref<>::share(as_object(type));
  }
  PyObject* raw;
  if (PyObject_GetOptionalAttr(instance, names.dunder_class, &raw) < 0) return nullptr;
  return raw != nullptr ? Ref<>::steal(raw) : Ref<>::share(as_object(type));
}

Ref<> ask_subclasscheck(PyObject* cls, PyObject* subclass) {
  return Ref<>::steal(PyObject_CallMethodOneArg(cls, names.dunder_subclasscheck, subclass));
}

PyObject* abc_instancecheck(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("_abc_instancecheck", nargs, 2, 2)) return nullptr;
  PyObject* cls = args[0];
  Ref<> data = data_of(cls);
  if (!data) return nullptr;
  PyObject* type_now = as_object(Py_TYPE(args[1]));
  if (as_data(data.get())->cache.contains(type_now)) Py_RETURN_TRUE;
  // The code that is asked below may change the instance's class.
  Ref<> type = Ref<>::share(type_now);
  Ref<> claimed = class_of(args[1]);
  if (!claimed) return nullptr;
  if (claimed == type) {
    if (negative_is_current(data) && as_data(data.get())->negative.contains(type)) Py_RETURN_FALSE;
    return ask_subclasscheck(cls, type).release();
  }
  if (PyType_Check(claimed.get()) && as_data(data.get())->cache.contains(claimed)) Py_RETURN_TRUE;
  Ref<> answer = ask_subclasscheck(cls, claimed);
  if (!answer) return nullptr;
  const int yes = PyObject_IsTrue(answer);
  if (yes < 0) return nullptr;
  return yes ? answer.release() : ask_subclasscheck(cls, type).release();
}

// The registered classes that live.
Ref<> registered(PyObject* data) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list || as_data(data)->registry.empty()) return list;
  ObjectLock lock(data);
  const int failed = as_data(data)->registry.each([&](PyObject* ref) {
    Ref<> type = weakref_target(reinterpret_cast<PyWeakReference*>(ref));
    return type ? PyList_Append(list, type) : 0;
  });
  return failed ? Ref<>() : static_cast<Ref<>&&>(list);
}

// 1, 0 or -1: whether subclass derives from one of the classes in the list.
int derives_from_any(PyObject* subclass, PyObject* list) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
    Ref<> cls = Ref<>::share(PyList_GET_ITEM(list, i));
    const int result = PyObject_IsSubclass(subclass, cls);
    if (result != 0) return result;
  }
  return 0;
}

// What __subclasshook__ says: 1, 0, -1 error, 2 nothing.
int ask_hook(PyObject* cls, PyObject* subclass) {
  Ref<> answer =
      Ref<>::steal(PyObject_CallMethodOneArg(cls, AMPHIS_STATIC_NAME("__subclasshook__"), subclass));
  if (!answer) return -1;
  if (answer.get() == Py_True) return 1;
  if (answer.get() == Py_False) return 0;
  if (answer.get() == Py_NotImplemented) return 2;
  PyErr_SetString(PyExc_AssertionError, "__subclasshook__ must return either False, True, or NotImplemented");
  return -1;
}

int decide_subclass(PyObject* cls, PyObject* data, PyObject* subclass) {
  const int hook = ask_hook(cls, subclass);
  if (hook != 2) return hook;
  if (PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(subclass), reinterpret_cast<PyTypeObject*>(cls)))
    return 1;
  if (as_data(data)->registry.contains(subclass)) return 1;
  Ref<> list = registered(data);
  if (!list) return -1;
  const int result = derives_from_any(subclass, list);
  if (result != 0) return result;
  list = Ref<>::steal(PyObject_CallMethodNoArgs(cls, AMPHIS_STATIC_NAME("__subclasses__")));
  if (!list) return -1;
  if (!PyList_Check(list.get())) {
    PyErr_SetString(PyExc_TypeError, "__subclasses__() must return a list");
    return -1;
  }
  return derives_from_any(subclass, list);
}

PyObject* abc_subclasscheck(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("_abc_subclasscheck", nargs, 2, 2)) return nullptr;
  PyObject* cls = args[0];
  PyObject* subclass = args[1];
  if (!PyType_Check(subclass)) {
    PyErr_SetString(PyExc_TypeError, "issubclass() arg 1 must be a class");
    return nullptr;
  }
  Ref<> data = data_of(cls);
  if (!data) return nullptr;
  if (as_data(data.get())->cache.contains(subclass)) Py_RETURN_TRUE;
  const uint64_t version = registrations.load(std::memory_order_acquire);
  if (sync::load_acquire(as_data(data.get())->negative_version) == version) {
    if (as_data(data.get())->negative.contains(subclass)) Py_RETURN_FALSE;
  } else {
    ObjectLock lock(data.get());
    as_data(data.get())->negative.clear();
    sync::store_release(as_data(data.get())->negative_version, version);
  }
  const int result = decide_subclass(cls, data, subclass);
  if (result < 0) return nullptr;
  if (add_to(data, result ? &Data::cache : &Data::negative, subclass) < 0) return nullptr;
  return PyBool_FromLong(result);
}

Ref<> dump(const WeakTypeSet& set) {
  Ref<> out = Ref<>::steal(PySet_New(nullptr));
  if (out && set.each([&](PyObject* ref) { return PySet_Add(out, ref); }) < 0) return nullptr;
  return out;
}

PyObject* get_dump(PyObject*, PyObject* cls) {
  Ref<> object = data_of(cls);
  if (!object) return nullptr;
  ObjectLock lock(object.get());
  Data* data = as_data(object.get());
  Ref<> registry = dump(data->registry);
  Ref<> cache = registry ? dump(data->cache) : Ref<>();
  Ref<> negative = cache ? dump(data->negative) : Ref<>();
  if (!negative) return nullptr;
  return Py_BuildValue("NNNK", registry.release(), cache.release(), negative.release(),
                       static_cast<unsigned long long>(data->negative_version));
}

PyObject* reset_registry(PyObject*, PyObject* cls) {
  Ref<> data = data_of(cls);
  if (!data) return nullptr;
  ObjectLock lock(data.get());
  as_data(data.get())->registry.clear();
  Py_RETURN_NONE;
}

PyObject* reset_caches(PyObject*, PyObject* cls) {
  Ref<> data = data_of(cls);
  if (!data) return nullptr;
  ObjectLock lock(data.get());
  as_data(data.get())->cache.clear();
  as_data(data.get())->negative.clear();
  Py_RETURN_NONE;
}

PyObject* get_cache_token(PyObject*, PyObject*) {
  return PyLong_FromUnsignedLongLong(registrations.load(std::memory_order_acquire));
}

PyMethodDef methods[] = {
    {"get_cache_token", get_cache_token, METH_NOARGS,
     "get_cache_token($module, /)\n--\n\nReturns the current ABC cache token.\n\n"
     "The token is an opaque object (supporting equality testing) identifying\n"
     "the current version of the ABC cache for virtual subclasses.  The token\n"
     "changes with every call to register() on any ABC."},
    {"_abc_init", abc_init, METH_O,
     "_abc_init($module, self, /)\n--\n\n"
     "Internal ABC helper for class set-up. Should be never used outside abc module."},
    {"_reset_registry", reset_registry, METH_O,
     "_reset_registry($module, self, /)\n--\n\n"
     "Internal ABC helper to reset registry of a given class.\n\nShould be only used by refleak.py"},
    {"_reset_caches", reset_caches, METH_O,
     "_reset_caches($module, self, /)\n--\n\n"
     "Internal ABC helper to reset both caches of a given class.\n\nShould be only used by refleak.py"},
    {"_get_dump", get_dump, METH_O,
     "_get_dump($module, self, /)\n--\n\nInternal ABC helper for cache and registry debugging.\n\n"
     "Return shallow copies of registry, of both caches, and\nnegative cache version. Don't call this "
     "function directly,\n"
     "instead use ABC._dump_registry() for a nice repr."},
    {"_abc_register", AMPHIS_METHOD(abc_register), METH_FASTCALL,
     "_abc_register($module, self, subclass, /)\n--\n\n"
     "Internal ABC helper for subclasss registration. Should be never used outside abc module."},
    {"_abc_instancecheck", AMPHIS_METHOD(abc_instancecheck), METH_FASTCALL,
     "_abc_instancecheck($module, self, instance, /)\n--\n\n"
     "Internal ABC helper for instance checks. Should be never used outside abc module."},
    {"_abc_subclasscheck", AMPHIS_METHOD(abc_subclasscheck), METH_FASTCALL,
     "_abc_subclasscheck($module, self, subclass, /)\n--\n\n"
     "Internal ABC helper for subclasss checks. Should be never used outside abc module."},
    {},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};

PyModuleDef abc_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_abc",
    .m_doc = "Module contains faster C implementation of abc.ABCMeta",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__abc(void) {
  return PyModuleDef_Init(&amphis::abc_def);
}

extern "C" {

using namespace amphis;

PyTypeObject AbcData_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "_abc._abc_data",
    .tp_basicsize = sizeof(Data),
    .tp_dealloc = data_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Internal state held by ABC machinery.",
    .tp_traverse = data_traverse,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = data_new,
    .tp_free = PyObject_GC_Del,
};

}  // extern "C"
