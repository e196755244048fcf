// The table of slots and special methods, and how slots are filled: by wrapping native slots as methods, by copying
// from bases, and by looking at what a class's special methods are.
#include "objects/type_slots.h"

#include "sync/ref.h"

#include <cstddef>
#include <cstring>

namespace amphis {

namespace {

template <typename F>
inline void* erase(F* function) {
  return reinterpret_cast<void*>(function);
}
inline void* erase(std::nullptr_t) { return nullptr; }
#define AMPHIS_SLOT(field, name, function, wrapper, flags, signature, text)                                \
  {"__" #name "__", static_cast<int>(offsetof(PyHeapTypeObject, field)), erase(function),                   \
   reinterpret_cast<wrapperfunc>(erase(wrapper)), "__" #name "__" signature "\n--\n\n" text, flags, nullptr},

wrapperbase table[] = {
#include "objects/type_slots.def"
};
#undef AMPHIS_SLOT
constexpr int kSlots = sizeof(table) / sizeof(table[0]);

// Rows by name: an open hash table of interned addresses to the first row, and chains of rows of one name.
constexpr unsigned kBuckets = 512;
int16_t first_row[kBuckets];
int16_t next_row[kSlots];

unsigned bucket_of(PyObject* name) {
  size_t address = reinterpret_cast<size_t>(name);
  return static_cast<unsigned>((address >> 4) ^ (address >> 13)) & (kBuckets - 1);
}

int find_row(PyObject* name) {
  for (unsigned b = bucket_of(name);; b = (b + 1) & (kBuckets - 1)) {
    int row = first_row[b];
    if (row < 0 || table[row].name_strobj == name) return row;
  }
}

// The first row of the run that shares row's slot.
int group_start(int row) {
  while (row > 0 && table[row - 1].offset == table[row].offset) --row;
  return row;
}

// Slots that bases hand down although no special method names them.
constexpr Py_ssize_t kUnnamedSlots[] = {
    offsetof(PyHeapTypeObject, ht_type.tp_getattr),       offsetof(PyHeapTypeObject, ht_type.tp_setattr),
    offsetof(PyHeapTypeObject, ht_type.tp_del),           offsetof(PyHeapTypeObject, ht_type.tp_is_gc),
    offsetof(PyHeapTypeObject, as_async.am_send),
};

struct Suite {
  Py_ssize_t begin, end;
  Py_ssize_t field;  // of the pointer in PyTypeObject
};
constexpr Suite kSuites[] = {
    {offsetof(PyHeapTypeObject, as_async), offsetof(PyHeapTypeObject, as_async) + sizeof(PyAsyncMethods),
     offsetof(PyTypeObject, tp_as_async)},
    {offsetof(PyHeapTypeObject, as_number), offsetof(PyHeapTypeObject, as_number) + sizeof(PyNumberMethods),
     offsetof(PyTypeObject, tp_as_number)},
    {offsetof(PyHeapTypeObject, as_mapping), offsetof(PyHeapTypeObject, as_mapping) + sizeof(PyMappingMethods),
     offsetof(PyTypeObject, tp_as_mapping)},
    {offsetof(PyHeapTypeObject, as_sequence), offsetof(PyHeapTypeObject, as_sequence) + sizeof(PySequenceMethods),
     offsetof(PyTypeObject, tp_as_sequence)},
    {offsetof(PyHeapTypeObject, as_buffer), offsetof(PyHeapTypeObject, as_buffer) + sizeof(PyBufferProcs),
     offsetof(PyTypeObject, tp_as_buffer)},
};

// What one row says about the slot of `type`.
struct Verdict {
  void* specific = nullptr;  // a native function that fits
  void* generic = nullptr;   // the function that calls Python code
  bool use_generic = false;
};

void weigh_row(PyTypeObject* type, const wrapperbase& row, Verdict* verdict) {
  Ref<> method = Ref<>::steal(type_lookup(type, row.name_strobj));
  if (!method) {
    if (row.offset == offsetof(PyHeapTypeObject, ht_type.tp_iternext)) {
      verdict->specific = reinterpret_cast<void*>(_PyObject_NextNotImplemented);
    }
    return;
  }
  PyObject* m = method.get();
  if (Py_TYPE(m) == &PyWrapperDescr_Type) {
    auto* descr = reinterpret_cast<PyWrapperDescrObject*>(m);
    const wrapperbase* base = descr->d_base;
    if (base->name_strobj == row.name_strobj && type_is_subtype_of(type, PyDescr_TYPE(m))) {
      if (base->offset != row.offset) return;  // it belongs to the name's other slot
      if (verdict->specific == nullptr || verdict->specific == descr->d_wrapped) {
        verdict->specific = descr->d_wrapped;
      } else {
        verdict->use_generic = true;
      }
      verdict->generic = row.function;
      return;
    }
  } else if (row.offset == offsetof(PyHeapTypeObject, ht_type.tp_new) && PyCFunction_CheckExact(m) &&
             PyCFunction_GET_FUNCTION(m) == reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(tp_new_wrapper))) {
    auto* owner = reinterpret_cast<PyTypeObject*>(PyCFunction_GET_SELF(m));
    verdict->specific = reinterpret_cast<void*>(owner->tp_new);
    return;
  } else if (m == Py_None && row.offset == offsetof(PyHeapTypeObject, ht_type.tp_hash)) {
    verdict->specific = reinterpret_cast<void*>(PyObject_HashNotImplemented);
    return;
  }
  verdict->use_generic = true;
  verdict->generic = row.function;
}

// Which of the three getattr functions fits.
void* refine_getattr(PyTypeObject* type) {
  Ref<> fallback = Ref<>::steal(type_lookup(type, names.dunder_getattr));
  Ref<> primary = Ref<>::steal(type_lookup(type, names.dunder_getattribute));
  bool native = primary && Py_TYPE(primary.get()) == &PyWrapperDescr_Type;
  if (!fallback) return reinterpret_cast<void*>(slot_getattribute);
  bool plain = native && reinterpret_cast<PyWrapperDescrObject*>(primary.get())->d_wrapped ==
                             reinterpret_cast<void*>(PyObject_GenericGetAttr);
  return reinterpret_cast<void*>(plain ? slot_getattr_fallback : slot_getattr_both);
}

void fill_group(PyTypeObject* type, int start) {
  Py_ssize_t offset = table[start].offset;
  void** slot = type_slot_pointer(type, offset);
  if (slot == nullptr) return;
  Verdict verdict;
  for (int row = start; row < kSlots && table[row].offset == offset; ++row) weigh_row(type, table[row], &verdict);
  void* value = verdict.specific != nullptr && !verdict.use_generic ? verdict.specific : verdict.generic;
  if (verdict.use_generic && offset == offsetof(PyHeapTypeObject, ht_type.tp_getattro)) value = refine_getattr(type);
  if (offset == offsetof(PyHeapTypeObject, ht_type.tp_call) && verdict.use_generic) {
    sync::store_relaxed(type->tp_flags, type->tp_flags & ~Py_TPFLAGS_HAVE_VECTORCALL);
  }
  sync::store_release(*slot, value);
}

bool dict_has(PyTypeObject* type, PyObject* name) {
  if (type->tp_dict == nullptr) return false;
  int has = PyDict_Contains(type->tp_dict, name);
  if (has < 0) PyErr_Clear();
  return has > 0;
}

void update_rows(PyTypeObject* type, int first, PyObject* name) {
  for (int row = first; row >= 0; row = next_row[row]) fill_group(type, group_start(row));
  type_each_subclass_locked(type, [&](PyTypeObject* child) {
    if (!dict_has(child, name)) update_rows(child, first, name);
  });
}

}  // namespace

int init_slot_table() {
  if (table[0].name_strobj != nullptr) return 0;
  for (int16_t& row : first_row) row = -1;
  for (int row = 0; row < kSlots; ++row) {
    PyObject* name = PyUnicode_InternFromString(table[row].name);
    if (name == nullptr) return -1;
    table[row].name_strobj = name;
    next_row[row] = -1;
    unsigned b = bucket_of(name);
    while (first_row[b] >= 0 && table[first_row[b]].name_strobj != name) b = (b + 1) & (kBuckets - 1);
    if (first_row[b] < 0) {
      first_row[b] = static_cast<int16_t>(row);
    } else {
      int16_t last = first_row[b];
      while (next_row[last] >= 0) last = next_row[last];
      next_row[last] = static_cast<int16_t>(row);
    }
  }
  return 0;
}

void** type_slot_pointer(PyTypeObject* type, Py_ssize_t offset) {
  char* base = reinterpret_cast<char*>(type);
  if (offset < static_cast<Py_ssize_t>(sizeof(PyTypeObject))) return reinterpret_cast<void**>(base + offset);
  for (const Suite& suite : kSuites) {
    if (offset < suite.begin || offset >= suite.end) continue;
    char* methods = *reinterpret_cast<char**>(base + suite.field);
    return methods == nullptr ? nullptr : reinterpret_cast<void**>(methods + (offset - suite.begin));
  }
  return nullptr;
}

bool is_slot_name(PyObject* name) { return find_row(name) >= 0; }

void type_update_slots_for(PyTypeObject* type, PyObject* name) {
  int row = find_row(name);
  if (row >= 0) update_rows(type, row, name);
}

void type_fill_slots_for(PyTypeObject* type, PyObject* name) {
  for (int row = find_row(name); row >= 0; row = next_row[row]) fill_group(type, group_start(row));
}

void type_fill_all_slots(PyTypeObject* type) {
  for (int row = 0; row < kSlots; ++row) {
    if (row == 0 || table[row].offset != table[row - 1].offset) fill_group(type, row);
  }
}

namespace {
void update_all(PyTypeObject* type) {
  if (!is_heap_type(type)) return;
  type_fill_all_slots(type);
  type_each_subclass_locked(type, update_all);
}
}  // namespace

void type_update_all_slots(PyTypeObject* type) {
  TypeChange change(type, TypeChange::kReplaces);
  update_all(type);
}

namespace {
// A built-in type whose table repeats its base's function inherits it. Comparison and hash count as one.
bool repeats_base(PyTypeObject* type, Py_ssize_t offset, void* function) {
  PyTypeObject* base = type->tp_base;
  if ((type->tp_flags & _Py_TPFLAGS_STATIC_BUILTIN) == 0 || base == nullptr) return false;
  void** theirs = type_slot_pointer(base, offset);
  if (theirs == nullptr || *theirs != function) return false;
  if (offset == offsetof(PyHeapTypeObject, ht_type.tp_hash) ||
      offset == offsetof(PyHeapTypeObject, ht_type.tp_richcompare)) {
    return type->tp_hash == base->tp_hash && type->tp_richcompare == base->tp_richcompare;
  }
  return true;
}
}  // namespace

int type_add_operators(PyTypeObject* type) {
  PyObject* dict = type->tp_dict;
  for (wrapperbase& row : table) {
    if (row.wrapper == nullptr) continue;
    void** slot = type_slot_pointer(type, row.offset);
    if (slot == nullptr || *slot == nullptr || repeats_base(type, row.offset, *slot)) continue;
    int present = PyDict_Contains(dict, row.name_strobj);
    if (present < 0) return -1;
    if (present) continue;
    if (*slot == reinterpret_cast<void*>(PyObject_HashNotImplemented)) {
      if (PyDict_SetItem(dict, row.name_strobj, Py_None) < 0) return -1;
      continue;
    }
    Ref<> descr = Ref<>::steal(PyDescr_NewWrapper(type, &row, *slot));
    if (!descr || PyDict_SetItem(dict, row.name_strobj, descr.get()) < 0) return -1;
  }
  return 0;
}

void type_copy_slots(PyTypeObject* type, PyTypeObject* base) {
  auto copy = [&](Py_ssize_t offset) {
    void** from = type_slot_pointer(base, offset);
    if (from == nullptr) return;
    void** to = type_slot_pointer(type, offset);
    if (to != nullptr && *to == nullptr) *to = *from;
  };
  for (int row = 0; row < kSlots; ++row) {
    if (row == 0 || table[row].offset != table[row - 1].offset) copy(table[row].offset);
  }
  for (Py_ssize_t offset : kUnnamedSlots) copy(offset);
}

// For types whose slots are filled by hand. A base hands a slot down where it differs from its own base: the first
// class in the MRO that really defines it wins.
void type_inherit_slots(PyTypeObject* type) {
  // Comparison and hash go together, attribute functions of the two kinds go together.
  bool takes_compare = type->tp_richcompare == nullptr && type->tp_hash == nullptr;
  if (takes_compare && (dict_has(type, names.dunder_eq) || dict_has(type, names.dunder_hash))) takes_compare = false;
  bool takes_getattr = type->tp_getattr == nullptr && type->tp_getattro == nullptr;
  bool takes_setattr = type->tp_setattr == nullptr && type->tp_setattro == nullptr;
  bool takes_call = type->tp_call == nullptr;

  // An only base has taken already what those above it define.
  PyObject* mro = type->tp_mro;
  const bool single = PyTuple_GET_SIZE(type->tp_bases) == 1;
  for (Py_ssize_t i = 1, n = single ? 2 : PyTuple_GET_SIZE(mro); i < n; ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro, i));
    PyTypeObject* above = single ? nullptr : base->tp_base;
    auto inherit = [&](Py_ssize_t offset) {
      switch (offset) {
        case offsetof(PyHeapTypeObject, ht_type.tp_hash):
        case offsetof(PyHeapTypeObject, ht_type.tp_richcompare):
          if (!takes_compare) return;
          break;
        case offsetof(PyHeapTypeObject, ht_type.tp_getattr):
        case offsetof(PyHeapTypeObject, ht_type.tp_getattro):
          if (!takes_getattr) return;
          break;
        case offsetof(PyHeapTypeObject, ht_type.tp_setattr):
        case offsetof(PyHeapTypeObject, ht_type.tp_setattro):
          if (!takes_setattr) return;
          break;
        case offsetof(PyHeapTypeObject, ht_type.tp_new):
          return;  // decided by tp_base alone
        default:
          break;
      }
      void** to = type_slot_pointer(type, offset);
      if (to == nullptr || *to != nullptr) return;
      void** from = type_slot_pointer(base, offset);
      if (from == nullptr || *from == nullptr || from == to) return;
      if (above != nullptr) {
        void** higher = type_slot_pointer(above, offset);
        if (higher != nullptr && *higher == *from) return;
      }
      *to = *from;
    };
    for (int row = 0; row < kSlots; ++row) {
      if (row == 0 || table[row].offset != table[row - 1].offset) inherit(table[row].offset);
    }
    for (Py_ssize_t offset : kUnnamedSlots) inherit(offset);
    if (type->tp_dealloc == nullptr && base->tp_dealloc != nullptr) type->tp_dealloc = base->tp_dealloc;
    if (type->tp_alloc == nullptr && base->tp_alloc != nullptr) type->tp_alloc = base->tp_alloc;
    if (type->tp_free == nullptr && base->tp_free != nullptr) {
      if ((type->tp_flags & Py_TPFLAGS_HAVE_GC) == (base->tp_flags & Py_TPFLAGS_HAVE_GC)) {
        type->tp_free = base->tp_free;
      } else if ((type->tp_flags & Py_TPFLAGS_HAVE_GC) != 0 && base->tp_free == PyObject_Free) {
        type->tp_free = PyObject_GC_Del;
      }
    }
    if (takes_call && type->tp_call != nullptr && type->tp_call == base->tp_call &&
        (base->tp_flags & Py_TPFLAGS_HAVE_VECTORCALL) != 0) {
      if (type->tp_vectorcall_offset == 0) type->tp_vectorcall_offset = base->tp_vectorcall_offset;
      type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
    }
    if (type->tp_descr_get != nullptr && type->tp_descr_get == base->tp_descr_get &&
        (base->tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR) != 0 && type_has_flag(type, Py_TPFLAGS_IMMUTABLETYPE)) {
      type->tp_flags |= Py_TPFLAGS_METHOD_DESCRIPTOR;
    }
  }
  for (const Suite& suite : kSuites) {
    // A static type without a suite of its own shares its base's; last, lest what it inherits be written into that.
    auto** mine = reinterpret_cast<void**>(reinterpret_cast<char*>(type) + suite.field);
    if (*mine == nullptr && type->tp_base != nullptr) {
      *mine = *reinterpret_cast<void**>(reinterpret_cast<char*>(type->tp_base) + suite.field);
    }
  }
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyObject* _PyObject_NextNotImplemented(PyObject* self) {
  PyErr_Format(PyExc_TypeError, "'%.200s' object is not iterable", Py_TYPE(self)->tp_name);
  return nullptr;
}

PyAPI_FUNC(PyObject*) _PyType_GetSlotWrapperNames(void);
PyObject* _PyType_GetSlotWrapperNames(void) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (const wrapperbase& row : table) {
    if (!list || PyList_Append(list.get(), row.name_strobj) < 0) return nullptr;
  }
  return list.release();
}

}  // extern "C"
