// The quarantine of freed objects. A block keeps its place in its page, so nothing is allocated there, until as many others as
// the ring holds have been freed after it. Meanwhile, and afterwards until its memory is used again, its type is Freed_Type,
// whose slots raise SystemErrors, and its count is one, so that the next reference that somebody drops gets to
// its tp_dealloc: a count that has become negative.
#include "checked/freed.h"

#if AMPHIS_CHECKED

#include "checked/report.h"
#include "gc/gc_bits.h"
#include "memory/alloc.h"
#include "platform/raw_mutex.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

#include <vector>

namespace amphis::checked {

namespace {

constexpr size_t kRing = 4096;

struct Entry {
  PyObject* op;
  char type_name[48];
  const char* api;
  const void* caller;
  const char* method;
};

platform::RawMutex mutex;
Entry ring[kRing];
size_t next_entry = 0;

struct Segment {
  uintptr_t begin, end;
};
std::vector<Segment>* segments = nullptr;  // guarded by mutex

// Whether a pointer that may be anything is one to a type: memory that an extension frees may never have become an object.
bool is_type(const void* p) {
  const auto address = reinterpret_cast<uintptr_t>(p);
  if (address % alignof(PyTypeObject) != 0 || address >> memory::kAddressBits != 0) return false;
  bool readable = memory::in_chunk(p);
  for (size_t i = 0; !readable && i < segments->size(); ++i) readable = address >= (*segments)[i].begin && address < (*segments)[i].end;
  if (!readable) return false;
  PyTypeObject* kind = static_cast<const PyTypeObject*>(p)->ob_base.ob_base.ob_type;
  return kind == &PyType_Type || (kind != p && is_type(kind) && PyType_HasFeature(kind, Py_TPFLAGS_TYPE_SUBCLASS));
}

const Entry* find(const PyObject* op) {
  for (const Entry& entry : ring) {
    if (entry.op == op) return &entry;
  }
  return nullptr;
}

void raise_use(PyObject* op, const char* how) {
  PyErr_Format(PyExc_SystemError, "%s of %s", how, describe_freed(op).c_str());
}

PyObject* freed_repr(PyObject* op) { return raise_use(op, "repr()"), nullptr; }
PyObject* freed_getattro(PyObject* op, PyObject*) { return raise_use(op, "an attribute"), nullptr; }
int freed_setattro(PyObject* op, PyObject*, PyObject*) { return raise_use(op, "setting an attribute"), -1; }
Py_hash_t freed_hash(PyObject* op) { return raise_use(op, "hash()"), -1; }
PyObject* freed_call(PyObject* op, PyObject*, PyObject*) { return raise_use(op, "a call"), nullptr; }
PyObject* freed_compare(PyObject* op, PyObject*, int) { return raise_use(op, "comparison"), nullptr; }
PyObject* freed_iter(PyObject* op) { return raise_use(op, "iteration"), nullptr; }
Py_ssize_t freed_length(PyObject* op) { return raise_use(op, "len()"), -1; }
PyObject* freed_subscript(PyObject* op, PyObject*) { return raise_use(op, "an item"), nullptr; }

PyMappingMethods freed_as_mapping = {.mp_length = freed_length, .mp_subscript = freed_subscript};

void freed_dealloc(PyObject* op) {
  const std::string text = "negative reference count: one more reference was dropped than there were, of " + describe_freed(op);
  const Site* site = newest_site();
  if (site != nullptr) fatal_finding(*site, text);
  _Py_FatalErrorFunc("_Py_Dealloc", text.c_str());
}

PyTypeObject Freed_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "freed object",
    .tp_basicsize = sizeof(PyObject),
    .tp_dealloc = freed_dealloc,
    .tp_repr = freed_repr,
    .tp_as_mapping = &freed_as_mapping,
    .tp_hash = freed_hash,
    .tp_call = freed_call,
    .tp_str = freed_repr,
    .tp_getattro = freed_getattro,
    .tp_setattro = freed_setattro,
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_richcompare = freed_compare,
    .tp_iter = freed_iter,
    .tp_iternext = freed_iter,
};

bool quarantine(void* block) {
  if (current_thread() == nullptr) return false;
  const memory::Page* page = memory::page_of(block);
  // Large memory goes back at once.
  if (page->block_size == 0) return false;
  auto* op = static_cast<PyObject*>(block);
  const PyTypeObject* type = Py_TYPE(op);
  Entry entry{op, {}, nullptr, nullptr, nullptr};
  if (const Site* site = newest_site()) {
    entry.api = site->api;
    entry.caller = site->caller;
    entry.method = method_now();
  }
  PyObject* out;
  {
    platform::RawLock lock(mutex);
    snprintf(entry.type_name, sizeof entry.type_name, "%s", is_type(type) ? type->tp_name : "memory without a type");
    out = ring[next_entry].op;
    ring[next_entry] = entry;
    next_entry = (next_entry + 1) % kRing;
    // Before the mutex is free: others may push the block out again as soon as it is.
    gc::init_gc_header(op, &Freed_Type);
  }
  if (out != nullptr) memory::release_freed(out);
  return true;
}

}  // namespace

void add_data_segment(uintptr_t begin, uintptr_t end) {
  platform::RawLock lock(mutex);
  if (segments == nullptr) segments = new std::vector<Segment>;
  segments->push_back({begin, end});
}

void start_quarantine() {
  if (memory::take_freed == nullptr && PyType_Ready(&Freed_Type) == 0) memory::take_freed = quarantine;
}

bool is_freed(const PyObject* op) {
  const auto address = reinterpret_cast<uintptr_t>(op);
  if (address < 4096 || address % alignof(PyObject) != 0) return true;
  return Py_TYPE(const_cast<PyObject*>(op)) == &Freed_Type;
}

bool is_freed_memory(const void* p) {
  if (!is_freed(static_cast<const PyObject*>(p))) return false;
  platform::RawLock lock(mutex);
  return find(static_cast<const PyObject*>(p)) != nullptr;
}

std::string describe_freed(const PyObject* op) {
  const auto address = reinterpret_cast<uintptr_t>(op);
  if (address < 4096 || address % alignof(PyObject) != 0) return "an address that is no object's";
  platform::RawLock lock(mutex);
  const Entry* entry = find(op);
  if (entry == nullptr) return "an object that was freed long ago";
  std::string text = std::string("an object that was freed (a '") + entry->type_name + "'";
  if (entry->caller != nullptr) text += ", freed in a call of " + std::string(entry->api) + "() from " + place_of(entry->caller, entry->method);
  return text + ")";
}

}  // namespace amphis::checked

#endif
