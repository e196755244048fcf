// The method resolution order (C3: Barrett et al., "A Monotonic Superclass Linearization for Dylan", 1996), the base
// that decides a class's layout, layout compatibility, and assignment to __bases__.
#include "objects/type_slots.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <atomic>
#include <vector>

namespace amphis {

namespace {
bool has_item(PyObject* tuple, PyTypeObject* type) {
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(tuple); i < n; ++i) {
    if (PyTuple_GET_ITEM(tuple, i) == as_object(type)) return true;
  }
  return false;
}
}  // namespace

bool type_is_subtype_of(PyTypeObject* a, PyTypeObject* b) {
  if (a == b) return true;
  if (b == &PyBaseObject_Type) return true;
  if (sync::only_thread()) {
    if (a->tp_mro != nullptr) return has_item(a->tp_mro, b);
  } else if (Ref<> mro = sync::get_ref(&a->tp_mro)) {
    return has_item(mro.get(), b);
  }
  // Not ready yet: only the chain of tp_base is known.
  for (PyTypeObject* t = a; t != nullptr; t = t->tp_base) {
    if (t == b) return true;
  }
  return false;
}

namespace {

PyObject* type_name_of(PyObject* cls) { return PyObject_GetAttr(cls, names.dunder_name); }

int raise_duplicate_base(PyObject* cls) {
  Ref<> name = Ref<>::steal(PyType_Check(cls) ? type_name_of(cls) : PyObject_Repr(cls));
  if (name) PyErr_Format(PyExc_TypeError, "duplicate base class %U", name.get());
  return -1;
}

struct Sequence {
  PyObject* items;  // tuple, borrowed
  Py_ssize_t next;
  Py_ssize_t size() const { return PyTuple_GET_SIZE(items); }
  PyObject* head() const { return next < size() ? PyTuple_GET_ITEM(items, next) : nullptr; }
  bool tail_has(PyObject* cls) const {
    for (Py_ssize_t i = next + 1; i < size(); ++i) {
      if (PyTuple_GET_ITEM(items, i) == cls) return true;
    }
    return false;
  }
};

PyObject* raise_inconsistent(const std::vector<Sequence>& sequences) {
  // The distinct remaining heads, in order.
  std::vector<PyObject*> heads;
  for (const Sequence& s : sequences) {
    PyObject* head = s.head();
    if (head == nullptr) continue;
    bool seen = false;
    for (PyObject* h : heads) seen = seen || h == head;
    if (!seen) heads.push_back(head);
  }
  Ref<> text = Ref<>::steal(PyUnicode_FromString(""));
  for (size_t i = 0; i < heads.size() && text; ++i) {
    Ref<> name = Ref<>::steal(type_name_of(heads[i]));
    if (!name) return nullptr;
    text = Ref<>::steal(PyUnicode_FromFormat(i == 0 ? "%U%U" : "%U, %U", text.get(), name.get()));
  }
  if (text) {
    PyErr_Format(PyExc_TypeError, "Cannot create a consistent method resolution order (MRO) for bases %U", text.get());
  }
  return nullptr;
}

PyObject* c3_merge(PyTypeObject* type, std::vector<Sequence>& sequences) {
  Ref<> result = Ref<>::steal(PyList_New(0));
  if (!result || PyList_Append(result.get(), as_object(type)) < 0) return nullptr;
  for (;;) {
    bool empty = true;
    PyObject* chosen = nullptr;
    for (const Sequence& s : sequences) {
      PyObject* head = s.head();
      if (head == nullptr) continue;
      empty = false;
      bool blocked = false;
      for (const Sequence& other : sequences) blocked = blocked || other.tail_has(head);
      if (!blocked) {
        chosen = head;
        break;
      }
    }
    if (empty) return PyList_AsTuple(result.get());
    if (chosen == nullptr) return raise_inconsistent(sequences);
    if (PyList_Append(result.get(), chosen) < 0) return nullptr;
    for (Sequence& s : sequences) {
      if (s.head() == chosen) ++s.next;
    }
  }
}

// type's MRO by the default rule, as a new tuple.
PyObject* default_mro(PyTypeObject* type) {
  Ref<> held = sync::get_ref(&type->tp_bases);
  PyObject* bases = held.get();
  Py_ssize_t n = PyTuple_GET_SIZE(bases);
  for (Py_ssize_t i = 0; i < n; ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases, i));
    if (sync::load_acquire(base->tp_mro) == nullptr) {
      PyErr_Format(PyExc_TypeError, "Cannot extend an incomplete type '%.100s'", base->tp_name);
      return nullptr;
    }
  }
  if (n == 0) return PyTuple_Pack(1, type);
  if (n == 1) {
    Ref<> base_mro = Ref<>::steal(type_mro_ref(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases, 0))));
    Py_ssize_t size = PyTuple_GET_SIZE(base_mro.get());
    PyObject* mro = PyTuple_New(size + 1);
    if (mro == nullptr) return nullptr;
    PyTuple_SET_ITEM(mro, 0, Py_NewRef(as_object(type)));
    for (Py_ssize_t i = 0; i < size; ++i) {
      PyTuple_SET_ITEM(mro, i + 1, Py_NewRef(PyTuple_GET_ITEM(base_mro.get(), i)));
    }
    return mro;
  }
  for (Py_ssize_t i = 0; i < n; ++i) {
    for (Py_ssize_t j = i + 1; j < n; ++j) {
      if (PyTuple_GET_ITEM(bases, i) == PyTuple_GET_ITEM(bases, j)) {
        raise_duplicate_base(PyTuple_GET_ITEM(bases, i));
        return nullptr;
      }
    }
  }
  std::vector<Ref<>> owners;
  std::vector<Sequence> sequences;
  for (Py_ssize_t i = 0; i < n; ++i) {
    owners.push_back(Ref<>::steal(type_mro_ref(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases, i)))));
    sequences.push_back({owners.back().get(), 0});
  }
  sequences.push_back({bases, 0});
  return c3_merge(type, sequences);
}

// The result of an overridden mro(), checked.
PyObject* custom_mro(PyTypeObject* type) {
  PyObject* self = as_object(type);
  Ref<> result = Ref<>::steal(call_special(names.str_mro, &self, 1));
  if (!result) return nullptr;
  Ref<> mro = Ref<>::steal(PySequence_Tuple(result.get()));
  if (!mro) return nullptr;
  if (PyTuple_GET_SIZE(mro.get()) == 0) {
    PyErr_Format(PyExc_TypeError, "type MRO must not be empty");
    return nullptr;
  }
  PyTypeObject* solid = type_solid_base(type);
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(mro.get()); i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(mro.get(), i);
    if (!PyType_Check(item)) {
      PyErr_Format(PyExc_TypeError, "mro() returned a non-class ('%.500s')", Py_TYPE(item)->tp_name);
      return nullptr;
    }
    auto* base = reinterpret_cast<PyTypeObject*>(item);
    if (!type_is_subtype_of(solid, type_solid_base(base))) {
      PyErr_Format(PyExc_TypeError, "mro() returned base with unsuitable layout ('%.500s')", base->tp_name);
      return nullptr;
    }
  }
  return mro.release();
}

// True if changes to `base` reach `type` through the lists of subclasses.
bool reaches(PyTypeObject* type, PyTypeObject* base) {
  if (type == base || base == &PyBaseObject_Type) return true;
  Ref<> bases = sync::get_ref(&type->tp_bases);
  for (Py_ssize_t i = 0, n = !bases ? 0 : PyTuple_GET_SIZE(bases.get()); i < n; ++i) {
    if (reaches(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases.get(), i)), base)) return true;
  }
  return false;
}

}  // namespace

static constinit std::atomic<uint64_t> mro_changes{0};  // written under the type lock
uint64_t type_mro_changes() { return mro_changes.load(std::memory_order_acquire); }

int type_compute_mro(PyTypeObject* type) {
  PyTypeObject* meta = Py_TYPE(as_object(type));
  Ref<> mro;
  Ref<> before = Ref<>::steal(type_mro_ref(type));
  bool custom = false;
  if (meta != &PyType_Type) {
    Ref<> method = Ref<>::steal(type_lookup(meta, names.str_mro));
    Ref<> standard = Ref<>::steal(type_lookup(&PyType_Type, names.str_mro));
    custom = method && method.get() != standard.get();
    if (custom) mro = Ref<>::steal(custom_mro(type));
  }
  if (!custom) mro = Ref<>::steal(default_mro(type));
  if (!mro) return -1;
  // mro() has assigned __bases__ itself: what that computed is newer.
  if (custom && sync::load_acquire(type->tp_mro) != before.get()) return 0;
  bool versioned = true;
  if (custom) {
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(mro.get()); i < n; ++i) {
      versioned = versioned && reaches(type, reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro.get(), i)));
    }
  }
  Ref<> old;
  {
    TypeLock lock;
    type_modified_locked(type);
    if (!versioned) type->tp_versions_used = kNeverVersioned;
    old = sync::exchange_slot(&type->tp_mro, static_cast<Ref<>&&>(mro));
    if ((type->tp_flags & Py_TPFLAGS_READY) != 0) mro_changes.fetch_add(1, std::memory_order_release);
  }
  return 1;
}

PyObject* type_default_mro(PyTypeObject* type) { return default_mro(type); }

// --- Layout -----------------------------------------------------------------------------------------------------

namespace {

// The size of the C part and the __slots__ part, without the dict and weak reference slots of class statements and of MANAGED
// flags.
Py_ssize_t solid_size(PyTypeObject* type) {
  Py_ssize_t size = type->tp_basicsize;
  if (!is_heap_type(type) || type_extra(type) == nullptr) return size;
  for (PyTypeObject* t = type; t != nullptr && is_heap_type(t) && type_extra(t) != nullptr; t = t->tp_base) {
    if (type_extra(t)->added_dict) size -= static_cast<Py_ssize_t>(sizeof(PyObject*));
    if (type_extra(t)->added_weaklist) size -= static_cast<Py_ssize_t>(sizeof(PyObject*));
    size -= type_extra(t)->folded_bytes;
  }
  return size;
}

bool adds_state(PyTypeObject* type, PyTypeObject* base) {
  return type->tp_itemsize != base->tp_itemsize || solid_size(type) != solid_size(base);
}

}  // namespace

PyTypeObject* type_solid_base(PyTypeObject* type) {
  PyTypeObject* base = type->tp_base != nullptr ? type_solid_base(type->tp_base) : &PyBaseObject_Type;
  return adds_state(type, base) ? type : base;
}

PyTypeObject* type_best_base(PyObject* bases) {
  PyTypeObject* winner = nullptr;
  PyTypeObject* best = nullptr;
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(bases); i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(bases, i);
    if (!PyType_Check(item)) {
      PyErr_SetString(PyExc_TypeError, "bases must be types");
      return nullptr;
    }
    auto* candidate_type = reinterpret_cast<PyTypeObject*>(item);
    if (!PyType_HasFeature(candidate_type, Py_TPFLAGS_READY) && PyType_Ready(candidate_type) < 0) return nullptr;
    if (!PyType_HasFeature(candidate_type, Py_TPFLAGS_BASETYPE)) {
      PyErr_Format(PyExc_TypeError, "type '%.100s' is not an acceptable base type", candidate_type->tp_name);
      return nullptr;
    }
    PyTypeObject* candidate = type_solid_base(candidate_type);
    if (winner == nullptr) {
      winner = candidate;
      best = candidate_type;
    } else if (type_is_subtype_of(winner, candidate)) {
      continue;
    } else if (type_is_subtype_of(candidate, winner)) {
      winner = candidate;
      best = candidate_type;
    } else {
      PyErr_SetString(PyExc_TypeError, "multiple bases have instance lay-out conflict");
      return nullptr;
    }
  }
  return best;
}

namespace {
bool has_own_deallocator(PyTypeObject* type) {
  return type->tp_dealloc != subtype_dealloc && type->tp_dealloc != type->tp_base->tp_dealloc;
}
}  // namespace

bool type_same_layout(PyTypeObject* a, PyTypeObject* b) {
  auto reduce = [](PyTypeObject* t) {
    while (t->tp_base != nullptr && is_heap_type(t)) {
      PyTypeObject* base = t->tp_base;
      if (t->tp_basicsize != base->tp_basicsize || t->tp_itemsize != base->tp_itemsize ||
          t->tp_dictoffset != base->tp_dictoffset || t->tp_weaklistoffset != base->tp_weaklistoffset ||
          has_own_deallocator(t)) {
        break;
      }
      t = base;
    }
    return t;
  };
  a = reduce(a);
  b = reduce(b);
  if (a == b) return true;
  if (!is_heap_type(a) || !is_heap_type(b) || a->tp_base == nullptr || b->tp_base == nullptr) return false;
  if (a->tp_basicsize != b->tp_basicsize || a->tp_itemsize != b->tp_itemsize ||
      a->tp_dictoffset != b->tp_dictoffset || a->tp_weaklistoffset != b->tp_weaklistoffset) {
    return false;
  }
  if (a->tp_base != b->tp_base) return false;
  PyObject* slots_a = reinterpret_cast<PyHeapTypeObject*>(a)->ht_slots;
  PyObject* slots_b = reinterpret_cast<PyHeapTypeObject*>(b)->ht_slots;
  if (Py_SIZE(as_object(a)) == 0 && Py_SIZE(as_object(b)) == 0) return true;
  if (slots_a == nullptr || slots_b == nullptr) return slots_a == slots_b;
  int same = PyObject_RichCompareBool(slots_a, slots_b, Py_EQ);
  if (same < 0) PyErr_Clear();
  return same > 0;
}

// --- __bases__ --------------------------------------------------------------------------------------------------

namespace {

// Recomputes the MROs of type and everything below it; *undo collects (type, old mro) pairs.
int recompute_hierarchy(PyTypeObject* type, PyObject* undo) {
  Ref<> old = Ref<>::steal(type_mro_ref(type));
  if (int changed = type_compute_mro(type); changed <= 0) return changed;
  Ref<> pair = Ref<>::steal(PyTuple_Pack(2, type, old ? old.get() : Py_None));
  if (!pair || PyList_Append(undo, pair.get()) < 0) return -1;
  Ref<> children = Ref<>::steal(type_subclasses_list(type));
  if (!children) return -1;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(children.get()); ++i) {
    auto* child = reinterpret_cast<PyTypeObject*>(PyList_GET_ITEM(children.get(), i));
    if (recompute_hierarchy(child, undo) < 0) return -1;
  }
  return 0;
}

// Along the bases as they are assigned now: within a nested assignment the MROs still tell of the old ones.
bool inherits_from(PyTypeObject* type, PyTypeObject* base) {
  if (type == base) return true;
  Ref<> bases = sync::get_ref(&type->tp_bases);
  for (Py_ssize_t i = 0, n = !bases ? 0 : PyTuple_GET_SIZE(bases.get()); i < n; ++i) {
    if (inherits_from(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases.get(), i)), base)) return true;
  }
  return false;
}

void restore_mros(PyObject* undo) {
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  for (Py_ssize_t i = PyList_GET_SIZE(undo) - 1; i >= 0; --i) {
    PyObject* pair = PyList_GET_ITEM(undo, i);
    auto* type = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(pair, 0));
    PyObject* mro = PyTuple_GET_ITEM(pair, 1);
    Ref<> dropped;
    TypeLock lock;
    type_modified_locked(type);
    dropped = sync::exchange_slot(&type->tp_mro, Ref<>::share(mro == Py_None ? nullptr : mro));
    mro_changes.fetch_add(1, std::memory_order_release);
  }
  PyErr_SetRaisedException(error.release());
}

}  // namespace

namespace {

// Gives `type` these bases and this base and moves it from the lists of subclasses of the old bases to those of the new
// ones, in one step, so that a class is always in the lists of just the bases that it has. Hands out what it had. -1: no
// memory, nothing has changed.
int exchange_bases(PyTypeObject* type, Ref<>* bases, Ref<>* base) {
  TypeLock lock;
  PyObject* fresh = bases->get();
  PyObject* old = type->tp_bases;
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(fresh); i < n; ++i) {
    if (type_add_subclass_locked(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(fresh, i)), type) == 0) continue;
    while (i-- > 0) type_remove_subclass_locked(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(fresh, i)), type);
    return -1;
  }
  for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(old); i < n; ++i) {
    type_remove_subclass_locked(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(old, i)), type);
  }
  TypeChange change(type, TypeChange::kReplaces);
  type_modified_locked(type);
  *bases = sync::exchange_slot(&type->tp_bases, static_cast<Ref<>&&>(*bases));
  Ref<PyTypeObject> new_base = Ref<PyTypeObject>::steal(base->release());
  *base = sync::exchange_slot(&type->tp_base, static_cast<Ref<PyTypeObject>&&>(new_base));
  return 0;
}

// One assignment at a time; mro() may assign again within one.
class BasesLock {
  static constinit sync::Mutex mutex_;
  static constinit std::atomic<ThreadState*> owner_;
  bool outer_;

 public:
  BasesLock() : outer_(owner_.load(std::memory_order_relaxed) != current_thread()) {
    if (!outer_) return;
    mutex_.lock();
    owner_.store(current_thread(), std::memory_order_relaxed);
  }
  ~BasesLock() {
    if (!outer_) return;
    owner_.store(nullptr, std::memory_order_relaxed);
    mutex_.unlock();
  }
  BasesLock(const BasesLock&) = delete;
  BasesLock& operator=(const BasesLock&) = delete;
};
constinit sync::Mutex BasesLock::mutex_;
constinit std::atomic<ThreadState*> BasesLock::owner_{nullptr};

}  // namespace

int type_set_bases(PyTypeObject* type, PyObject* bases) {
  BasesLock one_at_a_time;
  if (type_has_flag(type, Py_TPFLAGS_IMMUTABLETYPE)) {
    PyErr_Format(PyExc_TypeError, "cannot set '%s' attribute of immutable type '%s'", "__bases__", type->tp_name);
    return -1;
  }
  if (bases == nullptr) {
    PyErr_Format(PyExc_TypeError, "cannot delete '%s' attribute of immutable type '%s'", "__bases__", type->tp_name);
    return -1;
  }
  if (!PyTuple_Check(bases)) {
    PyErr_Format(PyExc_TypeError, "can only assign tuple to %s.__bases__, not %s", type->tp_name,
                 Py_TYPE(bases)->tp_name);
    return -1;
  }
  Py_ssize_t n = PyTuple_GET_SIZE(bases);
  if (n == 0) {
    PyErr_Format(PyExc_TypeError, "can only assign non-empty tuple to %s.__bases__, not ()", type->tp_name);
    return -1;
  }
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* item = PyTuple_GET_ITEM(bases, i);
    if (!PyType_Check(item)) {
      PyErr_Format(PyExc_TypeError, "%s.__bases__ must be tuple of classes, not '%s'", type->tp_name,
                   Py_TYPE(item)->tp_name);
      return -1;
    }
    auto* base = reinterpret_cast<PyTypeObject*>(item);
    if (type_is_subtype_of(base, type) || inherits_from(base, type)) {
      PyErr_SetString(PyExc_TypeError, "a __bases__ item causes an inheritance cycle");
      return -1;
    }
  }
  PyTypeObject* new_base = type_best_base(bases);
  if (new_base == nullptr) return -1;
  if (type->tp_base != nullptr && type->tp_base->tp_free != new_base->tp_free) {
    PyErr_Format(PyExc_TypeError, "__bases__ assignment: '%s' deallocator differs from '%s'", new_base->tp_name,
                 type->tp_base->tp_name);
    return -1;
  }
  if (type->tp_base == nullptr || !type_same_layout(type->tp_base, new_base)) {
    PyErr_Format(PyExc_TypeError, "__bases__ assignment: '%s' object layout differs from '%s'", new_base->tp_name,
                 type->tp_base != nullptr ? type->tp_base->tp_name : "object");
    return -1;
  }
  Ref<> old_bases = Ref<>::share(bases);
  Ref<> old_base = Ref<>::share(as_object(new_base));
  if (exchange_bases(type, &old_bases, &old_base) < 0) {
    PyErr_NoMemory();
    return -1;
  }
  Ref<> undo = Ref<>::steal(PyList_New(0));
  if (!undo || recompute_hierarchy(type, undo.get()) < 0) {
    if (undo) restore_mros(undo.get());
    if (type->tp_bases == bases) (void)exchange_bases(type, &old_bases, &old_base);
    return -1;
  }
  // A nested assignment from mro() may have replaced our bases; then it has done the rest.
  if (type->tp_bases == bases) {
    type_update_all_slots(type);
    PyType_Modified(type);
  }
  return 0;
}

}  // namespace amphis

using namespace amphis;

extern "C" int PyType_IsSubtype(PyTypeObject* a, PyTypeObject* b) { return type_is_subtype_of(a, b); }
