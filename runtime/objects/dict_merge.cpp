// Filling a dictionary from another one, a mapping, an iterable of pairs or keys: PyDict_Merge,
// PyDict_Update, PyDict_MergeFromSeq2, PyDict_Copy and what dict.update and dict.fromkeys share.
//
// A dictionary whose class does not override __iter__ is read directly from its entries; any other mapping
// through keys() and __getitem__.
#include "base/compiler.h"
#include "objects/dict.h"
#include "objects/set.h"
#include "sync/retire.h"

using namespace amphis;

namespace amphis {

namespace {

PyDictObject* as_dict(PyObject* op) {
  return reinterpret_cast<PyDictObject*>(op);
}

bool reads_directly(PyObject* op) {
  return (PyDict_Check(op) && Py_TYPE(op)->tp_iter == PyDict_Type.tp_iter) || PyODict_CheckExact(op);
}

// Takes the whole of `source` into the empty `target`. Locks are held.
int adopt_copy(PyDictObject* target, PyDictObject* source) {
  const Py_ssize_t used = source->ma_used;
  DictKeys* clone = dict_clone_keys(source);
  if (clone == nullptr) return -1;
  DictKeys* old = dict_keys_field(target);
  sync::store_release(dict_keys_field(target), clone);
  sync::store_relaxed(target->ma_used, used);
  if (old != &dict_empty_keys.head) sync::retire(old);
  return 0;
}

bool worth_cloning(PyDictObject* dict) {
  // A block with many dead entries is better compacted by inserting its entries one by one.
  return dict->ma_used >= static_cast<Py_ssize_t>(dict_keys_field(dict)->nentries) * 2 / 3;
}

// Puts one item. 0 or -1. The target's lock is held.
int put(PyDictObject* target, PyObject* key, Py_hash_t hash, PyObject* value, OnDuplicate on_duplicate) {
  if (on_duplicate == OnDuplicate::kReplace) return dict_insert(target, key, hash, value);
  const Py_ssize_t index = dict_find(target, key, hash);
  if (index == kDictError) return -1;
  if (index == kDictMissing) return dict_append(target, Py_NewRef(key), hash, Py_NewRef(value));
  if (on_duplicate == OnDuplicate::kKeep) return 0;
  set_key_error(key);
  return -1;
}

int merge_dict(PyDictObject* target, PyDictObject* source, OnDuplicate on_duplicate) {
  ObjectLock2 lock(target, source);
  if (target == source || source->ma_used == 0) return 0;
  if (target->ma_used == 0) {
    if (worth_cloning(source)) return adopt_copy(target, source);
  }
  // At most one rebuild, sized for the case that no key is there yet.
  if (static_cast<Py_ssize_t>(dict_keys_field(target)->usable) * 3 < source->ma_used * 2 &&
      dict_reserve(target, source->ma_used) < 0) {
    return -1;
  }
  const Py_ssize_t used = source->ma_used;
  DictKeys* keys = dict_keys_field(source);
  const uint32_t nentries = keys->nentries;
  for (Py_ssize_t at = 0; (at = dict_first_entry(source, at)) >= 0; at++) {
    StrEntry* entry = dict_entry(keys, at);
    const Py_hash_t hash = dict_entry_hash(keys, entry);
    Ref<> key = Ref<>::share(entry->key);
    Ref<> value = Ref<>::share(entry->value);
    if (put(target, key.get(), hash, value.get(), on_duplicate) < 0) return -1;
    if (dict_keys_field(source) != keys || source->ma_used != used || keys->nentries != nentries) {
      PyErr_SetString(PyExc_RuntimeError, "dict mutated during update");
      return -1;
    }
  }
  return 0;
}

int put_unlocked(PyObject* target, PyObject* key, PyObject* value, OnDuplicate on_duplicate) {
  const Py_hash_t hash = dict_hash_key(key);
  if (hash == -1) return -1;
  ObjectLock lock(target);
  return put(as_dict(target), key, hash, value, on_duplicate);
}

int merge_mapping(PyObject* target, PyObject* source, OnDuplicate on_duplicate) {
  Ref<> keys = Ref<>::steal(PyMapping_Keys(source));
  if (!keys) return -1;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(keys.get()));
  if (!iterator) return -1;
  for (;;) {
    PyObject* item;
    const int more = PyIter_NextItem(iterator.get(), &item);
    if (more <= 0) return more;
    Ref<> key = Ref<>::steal(item);
    if (on_duplicate != OnDuplicate::kReplace) {
      const int present = PyDict_Contains(target, key.get());
      if (present < 0) return -1;
      if (present > 0) {
        if (on_duplicate == OnDuplicate::kKeep) continue;
        set_key_error(key.get());
        return -1;
      }
    }
    Ref<> value = Ref<>::steal(PyObject_GetItem(source, key.get()));
    if (!value || put_unlocked(target, key.get(), value.get(), OnDuplicate::kReplace) < 0) return -1;
  }
}

void note_bad_element(Py_ssize_t number) {
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) return;
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> note = Ref<>::steal(
      PyUnicode_FromFormat("Cannot convert dictionary update sequence element #%zd to a sequence", number));
  if (note) {
    Ref<> done =
        Ref<>::steal(PyObject_CallMethodOneArg(error.get(), AMPHIS_STATIC_NAME("add_note"), note.get()));
  }
  PyErr_Clear();
  PyErr_SetRaisedException(error.release());
}

}  // namespace

int dict_merge(PyObject* self, PyObject* other, OnDuplicate on_duplicate) {
  other = mapping_behind(other);
  if (reads_directly(other)) return merge_dict(as_dict(self), as_dict(other), on_duplicate);
  return merge_mapping(self, other, on_duplicate);
}

int dict_update_from(PyObject* self, PyObject* arg) {
  if (PyDict_CheckExact(arg)) return dict_merge(self, arg, OnDuplicate::kReplace);
  Ref<> method;
  const int has_keys = PyObject_GetOptionalAttr(arg, AMPHIS_STATIC_NAME("keys"), method.out());
  if (has_keys < 0) return -1;
  return has_keys ? PyDict_Merge(self, arg, 1) : PyDict_MergeFromSeq2(self, arg, 1);
}

namespace {

// The next key of an exact dict or set with its hash; a new reference.
int next_known_hash(PyObject* container, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash) {
  if (PyDict_CheckExact(container)) return dict_next_hash(as_dict(container), pos, key, hash);
  ObjectLock lock(container);
  setentry* entry;
  if (!set_next(as_set(container), pos, &entry)) return 0;
  *key = Py_NewRef(entry->key);
  *hash = entry->hash;
  return 1;
}

}  // namespace

// dict.fromkeys for any class.
PyObject* dict_from_keys(PyObject* cls, PyObject* iterable, PyObject* value) {
  Ref<> result = Ref<>::steal(PyObject_CallNoArgs(cls));
  if (!result) return nullptr;
  if (PyDict_CheckExact(result.get())) {
    auto* dict = as_dict(result.get());
    const bool sized = PyDict_CheckExact(iterable) || PyAnySet_CheckExact(iterable);
    if (sized && dict->ma_used == 0) {
      ObjectLock lock(dict);
      if (dict_reserve(dict, PyObject_Size(iterable)) < 0) return nullptr;
    }
  }
  const bool direct = PyDict_CheckExact(result.get());
  // Keys whose hashes are known.
  if (direct && (PyAnySet_CheckExact(iterable) || PyDict_CheckExact(iterable))) {
    Py_ssize_t pos = 0;
    PyObject* next;
    Py_hash_t hash;
    while (next_known_hash(iterable, &pos, &next, &hash)) {
      Ref<> key = Ref<>::steal(next);
      ObjectLock lock(result.get());
      if (dict_insert(as_dict(result.get()), key.get(), hash, value) < 0) return nullptr;
    }
    return result.release();
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return nullptr;
  for (;;) {
    PyObject* item;
    const int more = PyIter_NextItem(iterator.get(), &item);
    if (more < 0) return nullptr;
    if (more == 0) return result.release();
    Ref<> key = Ref<>::steal(item);
    const int done = direct ? put_unlocked(result.get(), key.get(), value, OnDuplicate::kReplace)
                            : PyObject_SetItem(result.get(), key.get(), value);
    if (done < 0) return nullptr;
  }
}

}  // namespace amphis

extern "C" {

int PyDict_Merge(PyObject* self, PyObject* other, int override) {
  if (self == nullptr || !PyDict_Check(self) || other == nullptr) {
    PyErr_BadInternalCall();
    return -1;
  }
  return dict_merge(self, other, override ? OnDuplicate::kReplace : OnDuplicate::kKeep);
}

int PyDict_Update(PyObject* self, PyObject* other) {
  return PyDict_Merge(self, other, 1);
}

AMPHIS_EXPORT int _PyDict_MergeEx(PyObject* self, PyObject* other, int override) {
  return dict_merge(self, other,
                    override == 0   ? OnDuplicate::kKeep
                    : override == 1 ? OnDuplicate::kReplace
                                    : OnDuplicate::kRaise);
}

int PyDict_MergeFromSeq2(PyObject* self, PyObject* seq2, int override) {
  const OnDuplicate on_duplicate = override ? OnDuplicate::kReplace : OnDuplicate::kKeep;
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(seq2));
  if (!iterator) return -1;
  for (Py_ssize_t i = 0;; i++) {
    PyObject* next;
    const int more = PyIter_NextItem(iterator.get(), &next);
    if (more <= 0) return more;
    Ref<> item = Ref<>::steal(next);
    Ref<> pair = Ref<>::steal(PySequence_Fast(item.get(), "object is not iterable"));
    if (!pair) {
      note_bad_element(i);
      return -1;
    }
    Ref<> key, value;
    {
      ObjectLock lock(pair.get());
      const Py_ssize_t n = PySequence_Fast_GET_SIZE(pair.get());
      if (n != 2) {
        PyErr_Format(PyExc_ValueError,
                     "dictionary update sequence element #%zd has length %zd; 2 is required", i, n);
        return -1;
      }
      key = Ref<>::share(PySequence_Fast_GET_ITEM(pair.get(), 0));
      value = Ref<>::share(PySequence_Fast_GET_ITEM(pair.get(), 1));
    }
    if (put_unlocked(self, key.get(), value.get(), on_duplicate) < 0) return -1;
  }
}

PyObject* PyDict_Copy(PyObject* op) {
  if (op == nullptr || !PyDict_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  Ref<> copy = Ref<>::steal(PyDict_New());
  if (!copy || dict_merge(copy.get(), op, OnDuplicate::kReplace) < 0) return nullptr;
  return copy.release();
}

}  // extern "C"
