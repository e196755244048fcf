// Attributes: the general forms, and the choice of a cached form (keyed by type version) after a site has run.
#include "interp/load.h"
#include "interp/ops.h"
#include "objects/names.h"
#include "objects/method.h"
#include "objects/type.h"
#include "sync/ref.h"
#include "sync/retire.h"

namespace amphis {

namespace {

PyObject* name_at(Frame* f, uint32_t i) { return code_extra(f->code)->names[i]; }

// A site specialises when it has run twice, and gives up after it has missed often. Both counts live in the second
// cache word; races between threads only make them inexact.
constexpr uint64_t kGiveUpAfter = 64;

bool should_specialize(const Word* pc) {
  auto* counter = const_cast<Word*>(&pc[2]);
  uint64_t count = __atomic_load_n(counter, __ATOMIC_RELAXED);
  if (count >= kGiveUpAfter) return false;
  __atomic_store_n(counter, count + 1, __ATOMIC_RELAXED);
  return count >= 1;
}

bool holds_record(Op op) {
  return op == Op::LOAD_ATTR_CLASS || op == Op::LOAD_METHOD_CLASS || op == Op::LOAD_METHOD_TYPE;
}

void publish_word(const Word* pc, uint64_t cache, Op op) {
  auto* word = const_cast<Word*>(pc);
  // The previous form may have held a record.
  Op old_op = word_op(__atomic_load_n(word, __ATOMIC_RELAXED));
  const bool had_record = holds_record(old_op);
  if (had_record) {
    rewrite_op(word, op_info(old_op).general);
    uint64_t old = __atomic_exchange_n(&word[1], uint64_t{0}, __ATOMIC_ACQ_REL);
    if (old != 0) sync::retire(reinterpret_cast<void*>(old));
  }
  __atomic_store_n(&word[1], cache, __ATOMIC_RELEASE);
  rewrite_op(word, op);
}

// Record forms and plain forms of one site never mix in the free-threaded build: a reader could take a plain word for
// a pointer. There a site keeps the kind that it chose first.
bool may_become(const Word* pc, bool record) {
  if constexpr (!kRaces) return true;
  Op op = word_op(__atomic_load_n(pc, __ATOMIC_ACQUIRE));
  if (op == Op::LOAD_ATTR || op == Op::LOAD_METHOD || op == Op::STORE_ATTR) {
    return __atomic_load_n(&pc[1], __ATOMIC_ACQUIRE) == 0;
  }
  const bool has_record = holds_record(op);
  return has_record == record && !record;
}

bool publish_record(const Word* pc, const AttrRecord& record, Op op) {
  if (!may_become(pc, true)) return false;
  auto* copy = static_cast<AttrRecord*>(PyMem_Malloc(sizeof(AttrRecord)));
  if (copy == nullptr) return false;
  *copy = record;
  auto* word = const_cast<Word*>(pc);
  uint64_t expected = __atomic_load_n(&word[1], __ATOMIC_ACQUIRE);
  Op old_op = word_op(__atomic_load_n(word, __ATOMIC_RELAXED));
  const bool had_record = holds_record(old_op);
  if constexpr (kRaces) {
    expected = 0;
    if (!__atomic_compare_exchange_n(&word[1], &expected, reinterpret_cast<uint64_t>(copy), false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_RELAXED)) {
      PyMem_Free(copy);
      return false;
    }
  } else {
    word[1] = reinterpret_cast<uint64_t>(copy);
    if (had_record && expected != 0) PyMem_Free(reinterpret_cast<void*>(expected));
  }
  rewrite_op(word, op);
  return true;
}

// The instance attribute `name` of o lies in its inline values: the cache word, or 0.
uint64_t inline_cache(PyObject* o, PyTypeObject* type, PyObject* name, uint32_t version, bool for_store) {
  if (!has_inline_values(type) || !sync::load_acquire(inline_values(o, type)->valid)) return 0;
  int index = shared_keys_index(type, name);
  if (index < 0 || type->tp_basicsize > 0xffff) return 0;
  if (index >= inline_values(o, type)->capacity) return 0;
  (void)for_store;
  return version | static_cast<uint64_t>(type->tp_basicsize) << 32 | static_cast<uint64_t>(index) << 48;
}

bool is_object_member(PyObject* descriptor, PyTypeObject* type) {
  if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) return false;
  auto* member = reinterpret_cast<PyMemberDescrObject*>(descriptor);
  return member->d_member->type == Py_T_OBJECT_EX && (member->d_member->flags & Py_READONLY) == 0 &&
         PyType_IsSubtype(type, member->d_common.d_type);
}

bool is_data_descriptor(PyObject* descriptor) { return Py_TYPE(descriptor)->tp_descr_set != nullptr; }

void specialize_module(const Word* pc, PyObject* module, PyObject* name, Op op) {
  auto* dict = reinterpret_cast<PyDictObject*>(PyModule_GetDict(module));
  uint32_t version = dict_keys_version(dict);
  Py_ssize_t index = dict_lookup_index_str(dict, name);
  if (version == 0 || index < 0) return;
  uint64_t cache = dict_cache_word(dict, version, index);
  if (cache != 0 && may_become(pc, false)) publish_word(pc, cache, op);
}

// Attributes of a class itself.
void specialize_class(const Word* pc, PyTypeObject* cls, PyObject* name, Op op) {
  if (Py_TYPE(cls) != &PyType_Type) return;
  Ref<> meta = Ref<>::steal(type_lookup(&PyType_Type, name));
  if (meta) return;
  uint32_t version;
  Ref<> value = Ref<>::steal(type_lookup_versioned(cls, name, &version));
  if (!value || version == 0) return;
  // Only what binding to a class leaves as it is.
  if (Py_TYPE(value.get())->tp_descr_get != nullptr && !PyFunction_Check(value.get())) return;
  publish_record(pc, AttrRecord{version, 0, false, 0, value.get()}, op);
}

void specialize_load(const Word* pc, PyObject* o, PyObject* name, bool method) {
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyModule_Type) {
    specialize_module(pc, o, name, method ? Op::LOAD_METHOD_MODULE : Op::LOAD_ATTR_MODULE);
    return;
  }
  if (type == &PyType_Type) {
    specialize_class(pc, reinterpret_cast<PyTypeObject*>(o), name, method ? Op::LOAD_METHOD_CLASS : Op::LOAD_ATTR_CLASS);
    return;
  }
  if (type->tp_getattro != PyObject_GenericGetAttr) return;
  if (type_version(type) == 0) return;
  uint32_t version;
  Ref<> found = Ref<>::steal(type_lookup_versioned(type, name, &version));
  if (version == 0) return;
  if (found && is_data_descriptor(found)) {
    if (!method && is_object_member(found, type)) {
      auto* member = reinterpret_cast<PyMemberDescrObject*>(found.get());
      if (may_become(pc, false)) {
        publish_word(pc, version | static_cast<uint64_t>(member->d_member->offset) << 32, Op::LOAD_ATTR_SLOT);
      }
    }
    return;
  }
  // An instance attribute wins over what is left.
  uint64_t cache = inline_cache(o, type, name, version, false);
  if (cache != 0) {
    if (sync::load_acquire(inline_values(o, type)->values[cache >> 48]) != nullptr) {
      if (may_become(pc, false)) publish_word(pc, cache, method ? Op::LOAD_METHOD_INLINE : Op::LOAD_ATTR_INLINE);
      return;
    }
    if (found) return;
  }
  if (found && method && PyType_HasFeature(Py_TYPE(found.get()), Py_TPFLAGS_METHOD_DESCRIPTOR)) {
    AttrRecord record{version, 0, false, 0, found.get()};
    if (has_inline_values(type)) {
      if (!sync::load_acquire(inline_values(o, type)->valid)) return;
      record.inline_guard = true;
      record.key_count = sync::load_acquire(type_extra(type)->keys.count);
      if (shared_keys_index(type, name) >= 0) return;
    } else if (type->tp_dictoffset > 0) {
      record.dict_offset = static_cast<int32_t>(type->tp_dictoffset);
    } else if (type->tp_dictoffset < 0) {
      return;
    }
    publish_record(pc, record, Op::LOAD_METHOD_TYPE);
    return;
  }
  if (!found && !method && type->tp_dictoffset != 0) {
    PyObject** slot = instance_dict_slot(o, type);
    if (slot == nullptr || *slot == nullptr || !PyDict_CheckExact(*slot)) return;
    Py_ssize_t index = dict_lookup_index_str(reinterpret_cast<PyDictObject*>(*slot), name);
    if (index >= 0 && may_become(pc, false)) {
      publish_word(pc, version | static_cast<uint64_t>(index) << 32, Op::LOAD_ATTR_DICT);
    }
  }
}

void specialize_store(const Word* pc, PyObject* o, PyObject* name) {
  PyTypeObject* type = Py_TYPE(o);
  if (type->tp_setattro != PyObject_GenericSetAttr || type_version(type) == 0) return;
  uint32_t version;
  Ref<> found = Ref<>::steal(type_lookup_versioned(type, name, &version));
  if (version == 0) return;
  if (found && is_data_descriptor(found)) {
    if (is_object_member(found, type)) {
      auto* member = reinterpret_cast<PyMemberDescrObject*>(found.get());
      publish_word(pc, version | static_cast<uint64_t>(member->d_member->offset) << 32, Op::STORE_ATTR_SLOT);
    }
    return;
  }
  uint64_t cache = inline_cache(o, type, name, version, true);
  if (cache != 0) publish_word(pc, cache, Op::STORE_ATTR_INLINE);
}

}  // namespace

bool op_load_attr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  PyObject* name = name_at(f, x.c());
  PyObject* value = PyObject_GetAttr(o, name);
  if (value == nullptr) return false;
  if (should_specialize(pc)) specialize_load(pc, o, name, false);
  x.kill_b();
  x.set(x.a(), value_owned(value));
  return true;
}

bool op_load_method(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, x.c());
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  bool unbound = false;
  PyObject* method = object_get_method(o, name, &unbound);
  if (method == nullptr) return false;
  if (should_specialize(pc)) specialize_load(pc, o, name, true);
  Value self = unbound ? value_owned(Py_NewRef(o.get())) : kEmpty;
  x.kill_b();
  x.set(x.a(), value_owned(method));
  x.set(x.a() + 1, self);
  return true;
}

bool op_store_attr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, x.c());
  Operand o(x.A());
  Operand value(x.B());
  if (o.get() == nullptr || value.get() == nullptr) return false;
  if (PyObject_SetAttr(o, name, value) < 0) return false;
  if (should_specialize(pc)) specialize_store(pc, o, name);
  x.kill_b();
  x.kill_a();
  return true;
}

bool op_delete_attr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.A());
  if (o.get() == nullptr || PyObject_DelAttr(o, name_at(f, x.c())) < 0) return false;
  x.kill_a();
  return true;
}

bool op_load_super_attr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, x.c());
  PyObject* super = pointer_of(x.r[x.b()]);
  Operand cls(x.r[x.b() + 1]);
  Operand self(x.r[x.b() + 2]);
  if (cls.get() == nullptr || self.get() == nullptr) return false;
  PyObject* value;
  bool unbound = false;
  if (super == reinterpret_cast<PyObject*>(&PySuper_Type)) {
    if (!PyType_Check(cls.get())) {
      if (x.flag(kSuperZeroArg)) {
        PyErr_Format(PyExc_RuntimeError, "super(): __class__ is not a type (%s)", Py_TYPE(cls.get())->tp_name);
      } else {
        PyErr_Format(PyExc_TypeError, "super() argument 1 must be a type, not %.200s", Py_TYPE(cls.get())->tp_name);
      }
      return false;
    }
    value = x.flag(kMethod) ? super_get_method(cls, self, name, &unbound) : super_getattr(cls, self, name);
  } else {
    // Somebody replaced `super`: called as written.
    PyObject* args[2] = {cls, self};
    Ref<> object = Ref<>::steal(x.flag(kSuperZeroArg) ? PyObject_CallNoArgs(super)
                                                      : PyObject_Vectorcall(super, args, 2, nullptr));
    if (!object) return false;
    value = PyObject_GetAttr(object, name);
  }
  if (value == nullptr) return false;
  Value bound_self = unbound ? value_owned(Py_NewRef(self.get())) : kEmpty;
  uint32_t run = x.b();
  x.clear(run);
  x.clear(run + 1);
  x.clear(run + 2);
  x.set(x.a(), value_owned(value));
  if (x.flag(kMethod)) x.set(x.a() + 1, bound_self);
  return true;
}

bool op_load_special(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand o(x.B());
  if (o.get() == nullptr) return false;
  PyObject* const method_names[] = {names.dunder_enter, names.dunder_exit, names.dunder_aenter, names.dunder_aexit};
  const auto which = static_cast<SpecialMethod>(x.c());
  PyObject* method = nullptr;
  bool self_needed = false;
  int found = lookup_special(o, method_names[x.c()], &method, &self_needed);
  if (found < 0) return false;
  if (found == 0) {
    const bool async = which == SpecialMethod::kAenter || which == SpecialMethod::kAexit;
    const char* missing = which == SpecialMethod::kEnter   ? "__enter__"
                          : which == SpecialMethod::kExit  ? "__exit__"
                          : which == SpecialMethod::kAenter ? "__aenter__"
                                                            : "__aexit__";
    // A manager of the other kind gets a hint.
    PyTypeObject* type = Py_TYPE(o.get());
    Ref<> other_enter = Ref<>::steal(type_lookup(type, async ? names.dunder_enter : names.dunder_aenter));
    Ref<> other_exit = Ref<>::steal(type_lookup(type, async ? names.dunder_exit : names.dunder_aexit));
    const char* hint = "";
    if (other_enter && other_exit) {
      hint = async ? " but it supports the context manager protocol. Did you mean to use 'with'?"
                   : " but it supports the asynchronous context manager protocol. Did you mean to use 'async with'?";
    }
    PyErr_Format(PyExc_TypeError, "'%T' object does not support the %scontext manager protocol (missed %s method)%s",
                 o.get(), async ? "asynchronous " : "", missing, hint);
    return false;
  }
  Value self = self_needed ? value_owned(Py_NewRef(o.get())) : kEmpty;
  x.kill_b();
  x.set(x.a(), value_owned(method));
  x.set(x.a() + 1, self);
  return true;
}

PyObject* class_python_init_slow(PyTypeObject* cls) {
  // First the version: whatever changes after this makes it another one, and nothing is remembered.
  const uint32_t version = is_heap_type(cls) ? type_version(cls) : 0;
  if (version == 0 || cls->tp_new != object_new || cls->tp_init == object_init ||
      cls->tp_alloc != PyType_GenericAlloc || type_has_flag(cls, Py_TPFLAGS_IS_ABSTRACT)) {
    return nullptr;
  }
  PyObject* init = type_lookup(cls, names.dunder_init);
  if (init == nullptr) return nullptr;
  if (!Py_IS_TYPE(init, &PyFunction_Type)) {
    Py_DECREF(init);
    return nullptr;
  }
  // Until the class changes (type_modified_locked); the lock orders this with such a change.
  TypeLock lock;
  if (type_version_now(cls) == version && (!kRaces || sync::is_deferred(init))) {
    sync::store_release(reinterpret_cast<PyHeapTypeObject*>(cls)->_spec_cache.init, init);
  }
  return init;
}

void raise_init_result(Value result) {
  Operand o(result);
  if (o.get() != nullptr) {
    PyErr_Format(PyExc_TypeError, "__init__() should return None, not '%.200s'", Py_TYPE(o.get())->tp_name);
  }
}

}  // namespace amphis
