// What the rest of the runtime may ask of types beyond the C API: attribute lookup along the MRO, version tags,
// the lock that orders changes to types, and the data that class statements hang behind ht_cached_keys.
//
// Invariant of version tags: a type has a nonzero tp_version_tag only while every class in its MRO has one, no
// tag is ever used twice, and a tag is zeroed under the type lock before the change it announces becomes visible.
// So whoever reads tag, data, tag and sees the same nonzero tag twice has read data that belong to the tag.
#pragma once

#include <optional>

#include "Python.h"
#include "objects/names.h"
#include "sync/atomic_field.h"
#include "sync/mutex.h"
#include "sync/shared_slot.h"
#include "sync/stop_the_world.h"

#include <utility>

namespace amphis {

// Serialises every change to any type: dict entries, bases, slots, version tags. Recursive on one thread.
// No Python code runs while it is held.
class TypeLock {
 public:
  TypeLock();
  ~TypeLock();
  TypeLock(const TypeLock&) = delete;
  TypeLock& operator=(const TypeLock&) = delete;
};

// With the lock held: the class and its subclasses get other version tags, for what is remembered under these may be wrong.
void type_forget_version_locked(PyTypeObject* type);

// Around a change of what others read of a class without a lock and more than once (slots, flags, name, base).
// kReplaces: the world stands meanwhile, so that nobody finds a slot empty that was filled when they looked, or parts of a
// class that do not fit together. kFills: each slot or flag goes, by itself, from one that could be used to another, and
// nobody is stopped. Readers may see either for a while, under a version tag that is given up in the end: what they conclude
// meanwhile is not kept. The slots, which C code reads as plain fields, are words.
class [[nodiscard]] TypeChange {
  TypeLock lock_;  // first: in a stopped world nobody waits for it
  std::optional<StopTheWorld> stopped_;
  UncheckedWrites of_words_;
  PyTypeObject* filled_ = nullptr;

 public:
  enum Kind { kFills, kReplaces };
  TypeChange(PyTypeObject* type, Kind kind) {
    if (sync::only_thread()) return;
    if (kind == kFills)
      filled_ = type;
    else
      stopped_.emplace("class changes", type->tp_name);
  }
  ~TypeChange() {
    if (filled_ != nullptr) type_forget_version_locked(filled_);
  }
  TypeChange(const TypeChange&) = delete;
  TypeChange& operator=(const TypeChange&) = delete;
};

constexpr int kMaxSharedKeys = 30;
// tp_versions_used of a type that must never get a version tag.
constexpr uint16_t kNeverVersioned = 30000;

// The attribute names that instances of one class have stored so far, in order of first use. Append-only:
// an index, once given, means the same name for ever.
struct SharedKeys {
  uint8_t count;  // release-stored after the name; readers load it with acquire
  PyObject* names[kMaxSharedKeys];
};

// Behind PyHeapTypeObject::ht_cached_keys of every heap type.
struct TypeExtra {
  SharedKeys keys;
  uint8_t inline_capacity;  // values per instance; 0 until the first instance fixes it
  uint8_t capacity_guess;   // from the class body: how many attributes instances will want
  bool added_dict;          // this class (not a base) appended the dict slot to the layout
  bool added_weaklist;      // the same for the weak reference list
  bool plain_instances;     // instances are object's header, dict and weaklist slots and inline values, nothing else
  bool from_spec;           // made by PyType_FromSpec and its kin
  uint8_t managed_bytes;    // from_spec: what the MANAGED flags ask for, behind tp_basicsize and not counted in it
  uint8_t folded_bytes;     // from a class statement: the managed_bytes of its base, which its tp_basicsize counts
};

inline TypeExtra* type_extra(PyTypeObject* type) {
  return reinterpret_cast<TypeExtra*>(reinterpret_cast<PyHeapTypeObject*>(type)->ht_cached_keys);
}

inline bool type_has_flag(PyTypeObject* type, unsigned long flag) {
  return (sync::load_relaxed(type->tp_flags) & flag) != 0;
}
inline bool is_heap_type(PyTypeObject* type) { return type_has_flag(type, Py_TPFLAGS_HEAPTYPE); }
// What instances have behind tp_basicsize for the MANAGED flags of a type that an extension made.
inline size_t type_managed_bytes(PyTypeObject* type) {
  if (!type_has_flag(type, Py_TPFLAGS_PREHEADER) || !is_heap_type(type)) return 0;
  TypeExtra* extra = type_extra(type);
  return extra != nullptr ? extra->managed_bytes : 0;
}
inline PyObject* as_object(void* p) { return static_cast<PyObject*>(p); }

// The type's current version tag, assigned on demand; 0 if the type cannot have one (then nothing about it may
// be cached).
uint32_t type_version(PyTypeObject* type);
inline uint32_t type_version_now(PyTypeObject* type) {
  return static_cast<uint32_t>(sync::load_acquire(type->tp_version_tag));
}

// A class attribute: counted, except where only the collector can free it (sync/deferred.h), for every thread looks at the
// same ones. Uncounted it is good until the next safepoint, and as the function or an argument of a call: frames keep those
// while they run. Who needs it after code that may pass a safepoint calls count() first.
class [[nodiscard]] Found {
  PyObject* p_ = nullptr;
  bool counted_ = true;

 public:
  Found() = default;
  static Found counted(PyObject* stolen) {
    Found f;
    f.p_ = stolen;
    return f;
  }
  static Found uncounted(PyObject* borrowed) {
    Found f;
    f.p_ = borrowed;
    f.counted_ = false;
    return f;
  }
  Found(Found&& other) noexcept : p_(other.p_), counted_(other.counted_) { other.p_ = nullptr; }
  Found& operator=(Found&& other) noexcept {
    std::swap(p_, other.p_);
    std::swap(counted_, other.counted_);
    return *this;
  }
  ~Found() {
    if (counted_) Py_XDECREF(p_);
  }
  PyObject* get() const { return p_; }
  explicit operator bool() const { return p_ != nullptr; }
  bool is_counted() const { return counted_; }
  void count() {
    if (!counted_) Py_XINCREF(p_);
    counted_ = true;
  }
  // A new reference.
  PyObject* release() {
    count();
    PyObject* p = p_;
    p_ = nullptr;
    return p;
  }
};

// The attribute `name` (a str) found along type's MRO, as a new reference; null without an exception if there is none.
PyObject* type_lookup(PyTypeObject* type, PyObject* name);
Found type_find(PyTypeObject* type, PyObject* name);
// The same, and the version tag that the answer belongs to (0: do not cache).
PyObject* type_lookup_versioned(PyTypeObject* type, PyObject* name, uint32_t* version);
// Drops this thread's method cache (thread exit, PyType_ClearCache).
void type_cache_clear_thread();
// Makes threads drop their caches at their end. Once, at start-up.
void type_cache_init();

// obj's special method `name`, looked up on its type: 1 found, 0 absent, -1 error. If *self_needed is set, *method is
// unbound and obj is to be passed as first argument (no bound method was made).
int lookup_special(PyObject* obj, PyObject* name, PyObject** method, bool* self_needed);
int find_special(PyObject* obj, PyObject* name, Found* method, bool* self_needed);
// Calls obj.name(*args) through the type without binding. args[0] must be obj. Null with AttributeError(name) if absent.
PyObject* call_special(PyObject* name, PyObject* const* args, size_t nargs);
// The same; *found is false and the result null without an exception if the method does not exist.
PyObject* call_special_optional(PyObject* name, PyObject* const* args, size_t nargs, bool* found);

// PyObject_GenericGetAttr that returns null without an exception where the attribute is simply absent.
PyObject* generic_getattr_optional(PyObject* obj, PyObject* name);
// What tp_getattro of classes with a Python __getattr__ over object's __getattribute__ is: generic lookup may be cached.
PyObject* slot_getattr_fallback(PyObject* self, PyObject* name);

// --- Between the files of the type object ---------------------------------------------------------------------
PyObject* type_default_mro(PyTypeObject* type);  // the C3 order, whatever mro() says
PyObject* type_mro_ref(PyTypeObject* type);  // new reference to tp_mro or null
bool type_is_subtype_of(PyTypeObject* a, PyTypeObject* b);
// Zeroes version tags of type and all its subclasses. The type lock is held.
void type_modified_locked(PyTypeObject* type);
// Recomputes type->tp_mro. Calls an overridden mro(). 0 or -1.
int type_compute_mro(PyTypeObject* type);
// How often the MRO of a finished class has changed: whoever computes one from those of the bases looks before and, with
// the type lock held, after.
uint64_t type_mro_changes();
// tp_subclasses: the list of weakly held direct subclasses.
int type_add_subclass(PyTypeObject* base, PyTypeObject* type);
void type_remove_subclass(PyTypeObject* base, PyTypeObject* type);
// The same under the type lock; -1 without an error set.
int type_add_subclass_locked(PyTypeObject* base, PyTypeObject* type);
void type_remove_subclass_locked(PyTypeObject* base, PyTypeObject* type);
void type_free_subclasses(PyTypeObject* type);
PyObject* type_subclasses_list(PyTypeObject* type);  // new list of strong references
template <typename F>
void type_each_subclass_locked(PyTypeObject* type, F visit);

struct SubclassList {
  uint32_t count;
  uint32_t capacity;
  PyTypeObject* items[1];
};
template <typename F>
void type_each_subclass_locked(PyTypeObject* type, F visit) {
  auto* list = static_cast<SubclassList*>(type->tp_subclasses);
  if (list == nullptr) return;
  for (uint32_t i = 0; i < list->count; ++i) visit(list->items[i]);
}

// The class whose C layout `type` extends ("solid base"), for layout conflicts.
PyTypeObject* type_solid_base(PyTypeObject* type);
// The base that decides the layout of a class with these bases; borrowed, or null with TypeError.
PyTypeObject* type_best_base(PyObject* bases);
// 1 if `__class__`/`__bases__` assignment may treat the two as one layout.
bool type_same_layout(PyTypeObject* a, PyTypeObject* b);

// Adds methods, members, getsets of the static arrays to type->tp_dict.
int type_add_methods(PyTypeObject* type, PyMethodDef* methods);
int type_add_members(PyTypeObject* type, PyMemberDef* members);
int type_add_getset(PyTypeObject* type, PyGetSetDef* getset);
// Copies what a class inherits from its MRO (type_inherit.cpp).
void type_inherit_layout(PyTypeObject* type, PyTypeObject* base);
// Gives a type that an extension made the room behind its declared size that its MANAGED flags ask for.
void type_append_managed(PyTypeObject* type);
void type_inherit_slots(PyTypeObject* type);
PyObject* type_new(PyTypeObject* metatype, PyObject* args, PyObject* kwargs);
int type_setattro(PyObject* type, PyObject* name, PyObject* value);
PyObject* type_getattro(PyObject* type, PyObject* name);
// The same lookup: 1 found, 0 absent without an exception, -1 error.
int type_lookup_attribute(PyTypeObject* type, PyObject* name, PyObject** result);
int type_set_bases(PyTypeObject* type, PyObject* bases);
PyTypeObject* type_calculate_metaclass(PyTypeObject* metatype, PyObject* bases);
extern PyGetSetDef type_getsets[];
// The signature part and the text part of a built-in's doc string ("f(a, b)\n--\n\ntext").
// `flags`: METH_* of a method, which imply a signature where the text has none; 0 for anything else.
PyObject* text_signature_from_doc(const char* name, const char* doc, int flags);  // None if there is none
PyObject* doc_from_internal_doc(const char* name, const char* doc);    // None if empty

// tp_new of object and of type, and the wrapper that exposes a tp_new as __new__.
PyObject* object_new(PyTypeObject* type, PyObject* args, PyObject* kwargs);
PyObject* object_richcompare(PyObject* self, PyObject* other, int op);
int object_init(PyObject* self, PyObject* args, PyObject* kwargs);
PyObject* tp_new_wrapper(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
int type_add_new_wrapper(PyTypeObject* type);
PyObject* object_raise_abstract(PyTypeObject* type);

// Class-statement instances' own tp_dealloc/traverse/clear (instance.cpp).
void subtype_dealloc(PyObject* self);
// Once, at start-up.
void instance_init();
int subtype_traverse(PyObject* self, visitproc visit, void* arg);
int subtype_clear(PyObject* self);

// Calling a class whose metaclass does not override __call__; tp_vectorcall of every class made by a class statement.
PyObject* type_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames);
PyObject* type_call(PyObject* type, PyObject* args, PyObject* kwargs);

// super: the attribute `name` as seen from obj beyond cls (interpreter's LOAD_SUPER_ATTR), new reference or null.
PyObject* super_getattr(PyObject* cls, PyObject* obj, PyObject* name);
// The same for a call: like object_get_method, *unbound says that `self` has to be passed.
PyObject* super_get_method(PyObject* cls, PyObject* obj, PyObject* name, bool* unbound);
// Fills *cls and *self (new references) for super() without arguments from the running frame; -1 with RuntimeError.
extern int (*super_frame_hook)(PyObject** cls, PyObject** self);

// Makes all of static_types.def ready, once. 0 or -1.
int init_static_types();

// A name of the running code's builtins: new reference, or null with AttributeError.
PyObject* builtin_by_name(PyObject* name);

// Sets exception attributes name and obj on the current AttributeError, if they are unset.
void set_attribute_error_context(PyObject* obj, PyObject* name);

}  // namespace amphis

extern "C" {
// isinstance and issubclass without the hooks.
int _PyObject_RealIsInstance(PyObject* inst, PyObject* cls);
int _PyObject_RealIsSubclass(PyObject* derived, PyObject* cls);
PyObject* _PyObject_MakeTpCall(PyThreadState*, PyObject* callable, PyObject* const* args, Py_ssize_t nargs,
                               PyObject* keywords);
}
