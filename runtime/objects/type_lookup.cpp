// Finding attributes along the MRO: version tags, the per-thread method cache, invalidation, type watchers, and the
// list of direct subclasses that invalidation walks.
//
// A cache entry (version, name) -> value belongs to one thread and borrows the value: it is used only while the type
// still has that version, and a change zeroes the version before the old value is given up. The reader takes its
// reference with sync::try_incref and then compares the version again, so a value that was dropped
// in between is never returned.
#include "objects/type.h"

#include "base/spares.h"
#include "sync/deferred.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"
#include "sync/thread_state.h"

#include <atomic>
#include <cstdlib>
#include <cstring>

namespace amphis {

namespace {

sync::AttachedMutex type_mutex;
thread_local int type_lock_depth AMPHIS_TLS_IE = 0;

std::atomic<uint32_t> next_version{1};

struct CacheEntry {
  uint32_t version;
  PyObject* name;   // owned
  PyObject* value;  // borrowed; null: known to be absent
};
constexpr size_t kCacheSize = 2048;

inline size_t cache_index(uint32_t version, PyObject* name) {
  size_t address = reinterpret_cast<size_t>(name) >> 4;
  return (address ^ (address >> 11) ^ (static_cast<size_t>(version) * 0x9E3779B1u >> 7)) & (kCacheSize - 1);
}

bool cacheable(PyObject* name) { return PyUnicode_CheckExact(name) && PyUnicode_CHECK_INTERNED(name); }

// The MRO walk itself. Errors of key comparison are swallowed: a lookup cannot fail.
PyObject* lookup_in_mro(PyTypeObject* type, PyObject* name) {
  Ref<> mro = Ref<>::steal(type_mro_ref(type));
  if (!mro) return nullptr;
  Py_ssize_t n = PyTuple_GET_SIZE(mro.get());
  for (Py_ssize_t i = 0; i < n; ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro.get(), i));
    PyObject* dict = base->tp_dict;
    if (dict == nullptr) continue;
    PyObject* value;
    int found = PyDict_GetItemRef(dict, name, &value);
    if (found > 0) return value;
    if (found < 0) PyErr_Clear();
  }
  return nullptr;
}

}  // namespace

// Hangs from ThreadState::method_cache.
struct MethodCache {
  CacheEntry entries[kCacheSize];
};

namespace {

// Caches of threads that have ended. What they know is as true for the next thread, as long as the versions are.
Spares<MethodCache, 8> spare_caches;

void free_cache(MethodCache* cache) {
  for (CacheEntry& entry : cache->entries) Py_XDECREF(entry.name);
  std::free(cache);
}

void drop_cache(ThreadState* ts) {
  MethodCache* cache = ts->method_cache;
  ts->method_cache = nullptr;
  if (sync::finalizing()) {
    while (MethodCache* spare = spare_caches.take()) free_cache(spare);
  } else if (cache != nullptr && spare_caches.put(cache)) {
    return;
  }
  if (cache != nullptr) free_cache(cache);
}

constexpr int kMaxWatchers = 8;
PyType_WatchCallback watchers[kMaxWatchers];

void notify_watchers(PyTypeObject* type) {
  unsigned bits = type->tp_watched;
  for (int i = 0; bits != 0; ++i, bits >>= 1) {
    if ((bits & 1) == 0 || watchers[i] == nullptr) continue;
    if (watchers[i](type) < 0) PyErr_FormatUnraisable("Exception ignored in type watcher callback #%d for %R", i, type);
  }
}

bool check_watcher(int id) {
  if (id < 0 || id >= kMaxWatchers) {
    PyErr_Format(PyExc_ValueError, "Invalid type watcher ID %d", id);
    return false;
  }
  if (watchers[id] == nullptr) {
    PyErr_Format(PyExc_ValueError, "No type watcher set for ID %d", id);
    return false;
  }
  return true;
}

}  // namespace

TypeLock::TypeLock() {
  if (type_lock_depth++ == 0) type_mutex.lock();
}
TypeLock::~TypeLock() {
  if (--type_lock_depth == 0) type_mutex.unlock();
}

PyObject* type_mro_ref(PyTypeObject* type) { return sync::get_ref(&type->tp_mro).release(); }

namespace {

// The lock is held. A tag is given only after all bases have one, so that a change to a base always reaches here.
uint32_t assign_version(PyTypeObject* type) {
  uint32_t version = type_version_now(type);
  if (version != 0) return version;
  if (type->tp_versions_used >= kNeverVersioned || (type->tp_flags & Py_TPFLAGS_READY) == 0) return 0;
  PyObject* bases = type->tp_bases;
  if (bases != nullptr) {
    for (Py_ssize_t i = 0, n = PyTuple_GET_SIZE(bases); i < n; ++i) {
      if (assign_version(reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(bases, i))) == 0) return 0;
    }
  }
  version = next_version.load(std::memory_order_relaxed);
  if (version == 0) return 0;  // all 2^32 - 1 tags are spent
  next_version.store(version + 1, std::memory_order_relaxed);
  sync::store_release(type->tp_version_tag, static_cast<unsigned int>(version));
  return version;
}

}  // namespace

uint32_t type_version(PyTypeObject* type) {
  uint32_t version = type_version_now(type);
  if (version != 0) return version;
  TypeLock lock;
  return assign_version(type);
}

namespace {
// False: it had no version.
bool drop_version(PyTypeObject* type) {
  if (type_version_now(type) == 0) return false;
  sync::store_release(type->tp_version_tag, 0u);
  if (is_heap_type(type)) {
    // Whatever a specialised instruction remembered about this class belongs to the old tag.
    auto* heap = reinterpret_cast<PyHeapTypeObject*>(type);
    heap->_spec_cache.getitem = nullptr;
    sync::store_release(heap->_spec_cache.init, static_cast<PyObject*>(nullptr));
  }
  return true;
}
}  // namespace

void type_modified_locked(PyTypeObject* type) {
  if (type->tp_watched != 0) notify_watchers(type);
  if (drop_version(type)) type_each_subclass_locked(type, type_modified_locked);
}

void type_forget_version_locked(PyTypeObject* type) {
  if (drop_version(type)) type_each_subclass_locked(type, type_forget_version_locked);
}

namespace {

// Deferred, and of a kind whose C code does not touch it any more after it has run other code.
bool needs_no_count(PyObject* value) {
  if (!sync::is_deferred(value)) return false;
  PyTypeObject* kind = Py_TYPE(value);
  if (kind == &PyFunction_Type || kind == &PyProperty_Type || kind == &PyStaticMethod_Type || kind == &PyClassMethod_Type) {
    return true;
  }
  return is_heap_type(kind) && type_extra(kind) != nullptr && type_extra(kind)->plain_instances;
}

Found find_versioned(PyTypeObject* type, PyObject* name, uint32_t* version_out) {
  uint32_t version = type_version_now(type);
  ThreadState* ts = current_thread();
  if (version != 0 && ts->method_cache != nullptr) {
    CacheEntry& entry = ts->method_cache->entries[cache_index(version, name)];
    if (entry.version == version && entry.name == name) {
      PyObject* value = entry.value;
      if (value == nullptr) {
        *version_out = version;
        return Found();
      }
      const bool deferred = needs_no_count(value);
      if (deferred || sync::try_incref(value)) {
        sync::settle_reads();
        if (type_version_now(type) == version) {
          *version_out = version;
          return deferred ? Found::uncounted(value) : Found::counted(value);
        }
        if (!deferred) Py_DECREF(value);
      }
    }
  }
  if (version == 0) version = type_version(type);
  PyObject* value = lookup_in_mro(type, name);
  if (version != 0 && type_version_now(type) != version) version = 0;
  *version_out = version;
  if (version != 0 && cacheable(name)) {
    if (ts->method_cache == nullptr) {
      ts->method_cache = spare_caches.take();
      if (ts->method_cache == nullptr) ts->method_cache = static_cast<MethodCache*>(std::calloc(1, sizeof(MethodCache)));
      if (ts->method_cache == nullptr) return Found::counted(value);
    }
    CacheEntry& entry = ts->method_cache->entries[cache_index(version, name)];
    if (value != nullptr) sync::publish(value);
    PyObject* old = entry.name;
    entry.version = version;
    entry.name = Py_NewRef(name);
    entry.value = value;
    Py_XDECREF(old);
  }
  return Found::counted(value);
}

}  // namespace

PyObject* type_lookup_versioned(PyTypeObject* type, PyObject* name, uint32_t* version) {
  return find_versioned(type, name, version).release();
}

PyObject* type_lookup(PyTypeObject* type, PyObject* name) {
  uint32_t version;
  return find_versioned(type, name, &version).release();
}

Found type_find(PyTypeObject* type, PyObject* name) {
  uint32_t version;
  return find_versioned(type, name, &version);
}

void type_cache_clear_thread() {
  MethodCache* cache = std::exchange(current_thread()->method_cache, nullptr);
  if (cache != nullptr) free_cache(cache);
}

void type_cache_init() { add_thread_hooks({nullptr, nullptr, drop_cache, nullptr, nullptr}); }

// --- tp_subclasses ----------------------------------------------------------------------------------------------

int type_add_subclass(PyTypeObject* base, PyTypeObject* type) {
  TypeLock lock;
  if (type_add_subclass_locked(base, type) == 0) return 0;
  PyErr_NoMemory();
  return -1;
}

int type_add_subclass_locked(PyTypeObject* base, PyTypeObject* type) {
  sync::publish(as_object(type));
  auto* list = static_cast<SubclassList*>(base->tp_subclasses);
  if (list == nullptr || list->count == list->capacity) {
    uint32_t capacity = list == nullptr ? 4 : list->capacity * 2;
    auto* bigger = static_cast<SubclassList*>(
        std::realloc(list, sizeof(SubclassList) + (capacity - 1) * sizeof(PyTypeObject*)));
    if (bigger == nullptr) return -1;
    if (list == nullptr) bigger->count = 0;
    bigger->capacity = capacity;
    base->tp_subclasses = list = bigger;
  }
  list->items[list->count++] = type;
  return 0;
}

void type_remove_subclass(PyTypeObject* base, PyTypeObject* type) {
  TypeLock lock;
  type_remove_subclass_locked(base, type);
}

void type_remove_subclass_locked(PyTypeObject* base, PyTypeObject* type) {
  auto* list = static_cast<SubclassList*>(base->tp_subclasses);
  if (list == nullptr) return;
  for (uint32_t i = 0; i < list->count; ++i) {
    if (list->items[i] != type) continue;
    std::memmove(&list->items[i], &list->items[i + 1], (list->count - i - 1) * sizeof(PyTypeObject*));
    --list->count;
    return;
  }
}

void type_free_subclasses(PyTypeObject* type) {
  std::free(type->tp_subclasses);
  type->tp_subclasses = nullptr;
}

PyObject* type_subclasses_list(PyTypeObject* type) {
  Ref<> result = Ref<>::steal(PyList_New(0));
  if (!result) return nullptr;
  // Strong references are taken under the lock into a plain array, the list is filled outside.
  PyTypeObject** found = nullptr;
  uint32_t count = 0;
  {
    TypeLock lock;
    auto* list = static_cast<SubclassList*>(type->tp_subclasses);
    if (list != nullptr && list->count != 0) {
      found = static_cast<PyTypeObject**>(std::malloc(list->count * sizeof(PyTypeObject*)));
      if (found == nullptr) return PyErr_NoMemory();
      for (uint32_t i = 0; i < list->count; ++i) {
        if (sync::try_incref(as_object(list->items[i]))) found[count++] = list->items[i];
      }
    }
  }
  bool failed = false;
  for (uint32_t i = 0; i < count; ++i) {
    if (!failed && PyList_Append(result.get(), as_object(found[i])) < 0) failed = true;
    Py_DECREF(as_object(found[i]));
  }
  std::free(found);
  return failed ? nullptr : result.release();
}

}  // namespace amphis

using namespace amphis;

extern "C" {

void PyType_Modified(PyTypeObject* type) {
  if (type_version_now(type) == 0 && type->tp_watched == 0) return;
  TypeLock lock;
  type_modified_locked(type);
}

unsigned int PyType_ClearCache(void) {
  type_cache_clear_thread();
  return next_version.load(std::memory_order_relaxed) - 1;
}

int PyUnstable_Type_AssignVersionTag(PyTypeObject* type) { return type_version(type) != 0; }

PyObject* _PyType_LookupRef(PyTypeObject* type, PyObject* name) { return type_lookup(type, name); }

PyObject* _PyType_Lookup(PyTypeObject* type, PyObject* name) {
  PyObject* value = type_lookup(type, name);
  if (value != nullptr) Py_DECREF(value);
  return value;
}

int PyType_AddWatcher(PyType_WatchCallback callback) {
  TypeLock lock;
  // Watcher 0 is reserved by convention of the public interface.
  for (int i = 1; i < kMaxWatchers; ++i) {
    if (watchers[i] == nullptr) {
      watchers[i] = callback;
      return i;
    }
  }
  PyErr_SetString(PyExc_RuntimeError, "no more type watcher IDs available");
  return -1;
}

int PyType_ClearWatcher(int watcher_id) {
  if (!check_watcher(watcher_id)) return -1;
  watchers[watcher_id] = nullptr;
  return 0;
}

int PyType_Watch(int watcher_id, PyObject* obj) {
  if (!PyType_Check(obj)) {
    PyErr_SetString(PyExc_ValueError, "Cannot watch non-type");
    return -1;
  }
  if (!check_watcher(watcher_id)) return -1;
  auto* type = reinterpret_cast<PyTypeObject*>(obj);
  TypeLock lock;
  assign_version(type);  // without a tag no modification would be noticed
  type->tp_watched |= static_cast<unsigned char>(1 << watcher_id);
  return 0;
}

int PyType_Unwatch(int watcher_id, PyObject* obj) {
  if (!PyType_Check(obj)) {
    PyErr_SetString(PyExc_ValueError, "Cannot watch non-type");
    return -1;
  }
  if (!check_watcher(watcher_id)) return -1;
  TypeLock lock;
  reinterpret_cast<PyTypeObject*>(obj)->tp_watched &= static_cast<unsigned char>(~(1 << watcher_id));
  return 0;
}

}  // extern "C"
