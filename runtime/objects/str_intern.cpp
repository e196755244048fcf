// Interned strings: one object per text, found by hash in a table of shards, each behind its own lock.
//
// The table's reference to a string is not counted. With a GIL, an interned string may die: its destructor
// takes it out of the table first. Without one, a lookup could meet a string whose last reference is just
// going away, so there every interned string is immortal.
#include "objects/str_intern.h"
#include "memory/balance.h"

#include <stdint.h>
#include <string.h>

#include "objects/hash.h"
#include "objects/str.h"
#include "sync/mutex.h"
#include "sync/shared_slot.h"

namespace amphis {
namespace {

constexpr bool kInternedMayDie = AMPHIS_GIL;
constexpr int kShardBits = 5;

void set_interned(PyObject* s, unsigned char state) {
  if constexpr (kInternedMayDie) {
    ascii_head(s)->state.interned = state;
  } else {
    // The first byte of the state in this ABI; other threads may read it while we write.
    __atomic_store_n(reinterpret_cast<unsigned char*>(&ascii_head(s)->state), state, __ATOMIC_RELAXED);
  }
}

class Shard {
 public:
  // The interned string with the characters of s, or s itself after putting it in. Null when out of memory.
  PyObject* find_or_add(PyObject* s, Py_hash_t hash) {
    PyObject** free_slot = nullptr;
    if (slots_) {
      for (size_t i = static_cast<size_t>(hash) & mask_;; i = (i + 1) & mask_) {
        PyObject* other = slots_[i];
        if (!other) {
          if (!free_slot) free_slot = &slots_[i];
          break;
        }
        if (other == kTombstone) {
          if (!free_slot) free_slot = &slots_[i];
        } else if (str_hash(other) == hash && same_chars(other, s)) {
          return other;
        }
      }
    }
    if (!slots_ || (filled_ + 1) * 3 > (mask_ + 1) * 2) {
      if (!grow()) return nullptr;
      free_slot = slot_for(slots_, mask_, hash);
    }
    if (*free_slot == nullptr) filled_++;
    used_++;
    *free_slot = s;
    return s;
  }

  // The interned string with these ASCII characters, borrowed, or null.
  PyObject* find_ascii(const char* text, Py_ssize_t n, Py_hash_t hash) const {
    if (slots_ == nullptr) return nullptr;
    for (size_t i = static_cast<size_t>(hash) & mask_; slots_[i] != nullptr; i = (i + 1) & mask_) {
      PyObject* s = slots_[i];
      if (s != kTombstone && str_hash(s) == hash && PyUnicode_IS_ASCII(s) && PyUnicode_GET_LENGTH(s) == n &&
          memcmp(PyUnicode_DATA(s), text, static_cast<size_t>(n)) == 0) {
        return s;
      }
    }
    return nullptr;
  }

  void remove(PyObject* s, Py_hash_t hash) {
    for (size_t i = static_cast<size_t>(hash) & mask_; slots_ && slots_[i]; i = (i + 1) & mask_) {
      if (slots_[i] == s) {
        slots_[i] = kTombstone;
        used_--;
        return;
      }
    }
  }

  Py_ssize_t used() const { return static_cast<Py_ssize_t>(used_); }
  sync::Mutex mutex;

 private:
  static inline PyObject* const kTombstone = reinterpret_cast<PyObject*>(uintptr_t{1});

  static PyObject** slot_for(PyObject** slots, size_t mask, Py_hash_t hash) {
    size_t i = static_cast<size_t>(hash) & mask;
    while (slots[i]) i = (i + 1) & mask;
    return &slots[i];
  }

  bool grow() {
    size_t capacity = 256;
    while (capacity < used_ * 3) capacity *= 2;
    const memory::balance::Permanent permanent("the table of interned strings");
    PyObject** bigger = static_cast<PyObject**>(PyMem_RawCalloc(capacity, sizeof(PyObject*)));
    if (!bigger) return false;
    if (slots_) {
      for (size_t i = 0; i <= mask_; i++) {
        PyObject* s = slots_[i];
        if (s && s != kTombstone) *slot_for(bigger, capacity - 1, str_hash(s)) = s;
      }
      PyMem_RawFree(slots_);
    }
    slots_ = bigger;
    mask_ = capacity - 1;
    filled_ = used_;
    return true;
  }

  PyObject** slots_ = nullptr;
  size_t mask_ = 0;
  size_t used_ = 0;    // strings
  size_t filled_ = 0;  // strings and tombstones
};

alignas(64) Shard shards[1 << kShardBits];

Shard& shard_for(Py_hash_t hash) {
  return shards[static_cast<uint64_t>(hash) >> (64 - kShardBits)];
}

}  // namespace

void intern_in_place(PyObject** slot, bool immortal) {
  PyObject* s = *slot;
  if (!s || !PyUnicode_CheckExact(s)) return;
  if (PyUnicode_CHECK_INTERNED(s) && !immortal) return;
  Py_ssize_t n = PyUnicode_GET_LENGTH(s);
  if (n == 0 || (n == 1 && PyUnicode_KIND(s) == PyUnicode_1BYTE_KIND)) {
    PyObject* one = n == 0 ? empty_str() : latin1_char(PyUnicode_READ_CHAR(s, 0));
    if (one != s) {
      *slot = one;
      Py_DECREF(s);
    }
    return;
  }
  if (!kInternedMayDie) immortal = true;
  Py_hash_t hash = str_hash(s);
  if (immortal && !kInternedMayDie && !PyUnicode_CHECK_INTERNED(s) && !_Py_IsImmortal(s) &&
      !sync::is_unique(s)) {
    // Others may be counting references to this object at this moment: look it up, and put in a copy if it is
    // new.
    PyObject* copy = str_copy(s);
    if (!copy) {
      PyErr_Clear();
      return;
    }
    ascii_head(copy)->hash = hash;
    *slot = copy;
    Py_DECREF(s);
    s = copy;
  }
  Shard& shard = shard_for(hash);
  PyObject* found;
  {
    sync::MutexLock lock(shard.mutex);
    found = shard.find_or_add(s, hash);
    if (!found) return;
    if (found == s) {
      if (immortal && !_Py_IsImmortal(s)) _Py_SetImmortalUntracked(s);
      if (PyUnicode_CHECK_INTERNED(s) < SSTATE_INTERNED_IMMORTAL) {
        set_interned(s, _Py_IsImmortal(s) ? SSTATE_INTERNED_IMMORTAL : SSTATE_INTERNED_MORTAL);
      }
      return;
    }
    if (immortal && !_Py_IsImmortal(found)) {
      _Py_SetImmortalUntracked(found);
      set_interned(found, SSTATE_INTERNED_IMMORTAL);
    }
    Py_INCREF(found);
  }
  *slot = found;
  Py_DECREF(s);
}

PyObject* intern_static(const char* ascii) {
  PyObject* s = str_from_ascii(ascii);
  if (!s) return nullptr;
  intern_in_place(&s, true);
  return s;
}

bool forget_interned(PyObject* s) {
  if (PyUnicode_CHECK_INTERNED(s) != SSTATE_INTERNED_MORTAL) return false;
  Py_hash_t hash = str_hash(s);
  Shard& shard = shard_for(hash);
  sync::MutexLock lock(shard.mutex);
  shard.remove(s, hash);
  return true;
}

Py_ssize_t interned_count() {
  Py_ssize_t n = 0;
  for (Shard& shard : shards) {
    sync::MutexLock lock(shard.mutex);
    n += shard.used();
  }
  return n;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

void PyUnicode_InternInPlace(PyObject** slot) {
  intern_in_place(slot, false);
}

void PyUnicode_InternImmortal(PyObject** slot) {
  intern_in_place(slot, true);
}

PyObject* PyUnicode_InternFromString(const char* text) {
  const auto n = static_cast<Py_ssize_t>(strlen(text));
  // Most texts are known: then no string is made.
  Py_hash_t hash = -1;
  if (n > 1 && bytes_are_ascii(text, n)) {
    hash = hash_bytes(text, n);
    Shard& shard = shard_for(hash);
    sync::MutexLock lock(shard.mutex);
    if (PyObject* found = shard.find_ascii(text, n, hash)) return Py_NewRef(found);
  }
  PyObject* s = PyUnicode_FromStringAndSize(text, n);
  if (!s) return nullptr;
  if (hash != -1) ascii_head(s)->hash = hash;
  intern_in_place(&s, false);
  return s;
}

// The identifier's index field, which no caller looks at, keeps the immortal string once it is known.
PyObject* _PyUnicode_FromId(_Py_Identifier* id) {
  Py_ssize_t known = __atomic_load_n(&id->index, __ATOMIC_ACQUIRE);
  if (known != -1 && known != 0) return reinterpret_cast<PyObject*>(known);
  PyObject* s = PyUnicode_FromString(id->string);
  if (!s) return nullptr;
  intern_in_place(&s, true);
  __atomic_store_n(&id->index, reinterpret_cast<Py_ssize_t>(s), __ATOMIC_RELEASE);
  return s;
}

}  // extern "C"
