// _thread._local: an object with one attribute dictionary per thread. A Cell joins one local and one thread and owns the
// dictionary. Each thread finds its cells in a table of its own, keyed by the local's address, without a lock; each
// local has a list of its cells for the collector and for its own end.
//
// Invariants: a cell is referred to by its thread's table and by its local's list, and is freed when both have let
// go. Whichever side ends first takes the dictionary. A cell's `owner` becomes null, once, when its local ends; then it
// no longer answers look-ups, even if another local comes to live at the same address. Lists, owners and dictionaries
// of cells change under `cells_lock`; only a thread itself reads or changes its table.
#include "Python.h"

#include "base/assert.h"
#include "platform/raw_mutex.h"
#include "sync/atomic_field.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include "modules/thread_support.h"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace amphis::thread_module {

namespace {

struct Cell;

struct Local {
  PyObject_HEAD
  PyObject* args;
  PyObject* kwargs;
  Cell* cells;
  PyObject* weakrefs;
};

struct Cell {
  std::atomic<Local*> owner;
  PyObject* dict;
  Cell* next = nullptr;  // in the local's list
  Cell* prev = nullptr;
  std::atomic<int> refs{2};
};

platform::RawMutex cells_lock;

Local* local_of(PyObject* op) { return reinterpret_cast<Local*>(op); }

void drop(Cell* c) {
  if (c->refs.fetch_sub(1, std::memory_order_acq_rel) == 1) delete c;
}

// With the lock held: takes the cell off its local's list.
void unlink(Cell* c) {
  Local* owner = c->owner.load(std::memory_order_relaxed);
  (c->prev ? c->prev->next : owner->cells) = c->next;
  if (c->next) c->next->prev = c->prev;
  c->owner.store(nullptr, std::memory_order_release);
}

// A thread's cells: open addressing with linear probing; dead cells are dropped when the table grows.
class Table {
  Cell** slots_ = nullptr;
  const Local** keys_ = nullptr;
  size_t capacity_ = 0;
  size_t used_ = 0;

  static size_t hash(const Local* key) { return (reinterpret_cast<uintptr_t>(key) >> 4) * 0x9E3779B97F4A7C15ull >> 20; }

  void put(const Local* key, Cell* cell) {
    size_t i = hash(key) & (capacity_ - 1);
    while (slots_[i]) i = (i + 1) & (capacity_ - 1);
    slots_[i] = cell;
    keys_[i] = key;
    used_++;
  }

  bool grow() {
    size_t live = 0;
    for (size_t i = 0; i < capacity_; i++)
      if (slots_[i] && slots_[i]->owner.load(std::memory_order_acquire)) live++;
    size_t capacity = 8;
    while (capacity < live * 3) capacity *= 2;
    auto** slots = static_cast<Cell**>(std::calloc(capacity, sizeof(Cell*)));
    auto** keys = static_cast<const Local**>(std::calloc(capacity, sizeof(Local*)));
    if (!slots || !keys) {
      std::free(slots);
      std::free(keys);
      return false;
    }
    Cell** old_slots = slots_;
    const Local** old_keys = keys_;
    size_t old_capacity = capacity_;
    slots_ = slots;
    keys_ = keys;
    capacity_ = capacity;
    used_ = 0;
    for (size_t i = 0; i < old_capacity; i++) {
      Cell* c = old_slots[i];
      if (!c) continue;
      if (c->owner.load(std::memory_order_acquire))
        put(old_keys[i], c);
      else
        drop(c);
    }
    std::free(old_slots);
    std::free(old_keys);
    return true;
  }

 public:
  Cell* find(const Local* key) const {
    if (!capacity_) return nullptr;
    for (size_t i = hash(key) & (capacity_ - 1); slots_[i]; i = (i + 1) & (capacity_ - 1))
      if (keys_[i] == key && slots_[i]->owner.load(std::memory_order_acquire) == key) return slots_[i];
    return nullptr;
  }

  bool add(const Local* key, Cell* cell) {
    if ((used_ + 1) * 3 > capacity_ * 2 && !grow()) return false;
    put(key, cell);
    return true;
  }

  // The thread ends: every dictionary goes.
  void clear() {
    for (size_t i = 0; i < capacity_; i++) {
      Cell* c = slots_[i];
      if (!c) continue;
      PyObject* dict = nullptr;
      {
        platform::RawLock lock(cells_lock);
        if (c->owner.load(std::memory_order_relaxed)) {
          unlink(c);
          dict = std::exchange(c->dict, nullptr);
        }
      }
      slots_[i] = nullptr;
      drop(c);
      Py_XDECREF(dict);
    }
    std::free(slots_);
    std::free(keys_);
  }
};

Table* table_of(ThreadState* ts) { return static_cast<Table*>(ts->local_table); }

// Values may be locals of this thread again, so dropping them may make a new table.
void clear_thread_locals(ThreadState* ts) {
  while (Table* t = table_of(ts)) {
    ts->local_table = nullptr;
    t->clear();
    delete t;
  }
}

// The local ends or is cleared: its cells give up their dictionaries.
void clear_cells(Local* self) {
  for (;;) {
    PyObject* dict;
    Cell* c;
    {
      platform::RawLock lock(cells_lock);
      c = self->cells;
      if (!c) return;
      unlink(c);
      dict = std::exchange(c->dict, nullptr);
    }
    drop(c);
    Py_XDECREF(dict);
  }
}

bool has_own_init(PyTypeObject* type) { return type->tp_init != PyBaseObject_Type.tp_init; }

// A dictionary for this thread. Null with an exception set on failure.
Cell* make_cell(Local* self, ThreadState* ts) {
  Ref<> dict = steal(PyDict_New());
  if (!dict) return nullptr;
  if (!ts->local_table && !(ts->local_table = new (std::nothrow) Table())) {
    PyErr_NoMemory();
    return nullptr;
  }
  auto* cell = new (std::nothrow) Cell{{self}, dict.get()};
  if (!cell || !table_of(ts)->add(self, cell)) {
    delete cell;
    PyErr_NoMemory();
    return nullptr;
  }
  (void)dict.release();
  platform::RawLock lock(cells_lock);
  cell->next = self->cells;
  if (cell->next) cell->next->prev = cell;
  self->cells = cell;
  return cell;
}

// This thread's dictionary, borrowed: only this thread or the end of the local takes it away. A thread that is new to
// the local runs __init__ first.
PyObject* dict_here(PyObject* op) {
  Local* self = local_of(op);
  ThreadState* ts = current_thread();
  Table* t = table_of(ts);
  if (Cell* c = t ? t->find(self) : nullptr) [[likely]] return c->dict;
  Cell* c = make_cell(self, ts);
  if (!c) return nullptr;
  PyObject* dict = c->dict;
  PyTypeObject* type = Py_TYPE(op);
  if (has_own_init(type) && type->tp_init(op, self->args, self->kwargs) < 0) {
    // Not initialized: the next access tries again.
    {
      platform::RawLock lock(cells_lock);
      if (!c->owner.load(std::memory_order_relaxed)) return nullptr;
      unlink(c);
      dict = std::exchange(c->dict, nullptr);
    }
    drop(c);
    Py_DECREF(dict);
    return nullptr;
  }
  return dict;
}

PyObject* local_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (!has_own_init(type)) {
    bool any = (args && PyTuple_GET_SIZE(args) != 0) || (kwargs && PyDict_GET_SIZE(kwargs) != 0);
    if (any) {
      PyErr_SetString(PyExc_TypeError, "Initialization arguments are not supported");
      return nullptr;
    }
  }
  Ref<> op = steal(type->tp_alloc(type, 0));
  if (!op) return nullptr;
  Local* self = local_of(op);
  self->args = Py_XNewRef(args);
  self->kwargs = Py_XNewRef(kwargs);
  // type.__call__ runs __init__ for this thread.
  return make_cell(self, current_thread()) ? op.release() : nullptr;
}

int local_traverse(PyObject* op, visitproc visit, void* arg) {
  Local* self = local_of(op);
  Py_VISIT(Py_TYPE(op));
  Py_VISIT(self->args);
  Py_VISIT(self->kwargs);
  for (Cell* c = self->cells; c; c = c->next) Py_VISIT(c->dict);
  return 0;
}

int local_clear(PyObject* op) {
  Local* self = local_of(op);
  Py_CLEAR(self->args);
  Py_CLEAR(self->kwargs);
  clear_cells(self);
  return 0;
}

void local_dealloc(PyObject* op) {
  PyTypeObject* type = Py_TYPE(op);
  PyObject_GC_UnTrack(op);
  if (sync::load_acquire(local_of(op)->weakrefs)) PyObject_ClearWeakRefs(op);
  local_clear(op);
  type->tp_free(op);
  Py_DECREF(type);
}

int is_dict_name(PyObject* name) { return PyUnicode_Check(name) && PyUnicode_EqualToUTF8(name, "__dict__"); }

PyObject* local_getattro(PyObject* op, PyObject* name) {
  PyObject* dict = dict_here(op);
  if (!dict) return nullptr;
  if (is_dict_name(name)) return Py_NewRef(dict);
  Ref<> alive = Ref<>::share(dict);  // the attribute may be a property that drops the local
  return _PyObject_GenericGetAttrWithDict(op, name, dict, 0);
}

int local_setattro(PyObject* op, PyObject* name, PyObject* value) {
  PyObject* dict = dict_here(op);
  if (!dict) return -1;
  if (is_dict_name(name)) {
    PyErr_Format(PyExc_AttributeError, "'%.100s' object attribute '%U' is read-only", Py_TYPE(op)->tp_name, name);
    return -1;
  }
  Ref<> alive = Ref<>::share(dict);
  return _PyObject_GenericSetAttrWithDict(op, name, value, dict);
}

PyMemberDef local_members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Local, weakrefs), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr}};
PyType_Slot local_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(local_dealloc)},
                             {Py_tp_getattro, reinterpret_cast<void*>(local_getattro)},
                             {Py_tp_setattro, reinterpret_cast<void*>(local_setattro)},
                             {Py_tp_doc, const_cast<char*>("_local()\n--\n\nAttributes that each thread has for itself.")},
                             {Py_tp_traverse, reinterpret_cast<void*>(local_traverse)},
                             {Py_tp_clear, reinterpret_cast<void*>(local_clear)},
                             {Py_tp_new, reinterpret_cast<void*>(local_new)},
                             {Py_tp_members, local_members},
                             {0, nullptr}};
PyType_Spec local_spec = {"_thread._local", sizeof(Local), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE,
                          local_slots};

}  // namespace

PyTypeObject* make_local_type(PyObject* module) {
  static std::atomic<bool> hooked{false};
  if (!hooked.exchange(true)) add_thread_hooks({nullptr, nullptr, clear_thread_locals, nullptr, nullptr});
  return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, &local_spec, nullptr));
}

}  // namespace amphis::thread_module
