// Attributes: the general forms, and the choice of a cached form (keyed by type version) after a site has run.
#include "interp/attr_table.h"
#include "interp/load.h"
#include "interp/ops.h"
#include "objects/descriptor_property.h"
#include "objects/names.h"
#include "objects/method.h"
#include "objects/type.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyObject* name_at(Frame* f, uint32_t i) { return code_extra(f->code)->names[i]; }

// A site takes a form of its own when it has run twice, and keeps the one that it has after some misses: the rest is
// the attribute table's. The count lives in the second cache word; races between threads only make it inexact.
constexpr uint64_t kGiveUpAfter = 16;

// How often the site has come here, this time not counted.
uint64_t count_miss(const Word* pc) {
  auto* counter = const_cast<Word*>(&pc[2]);
  const uint64_t count = __atomic_load_n(counter, __ATOMIC_RELAXED);
  if (count < kGiveUpAfter) __atomic_store_n(counter, count + 1, __ATOMIC_RELAXED);
  return count;
}

bool holds_record(Op op) {
  return op == Op::LOAD_ATTR_CLASS || op == Op::LOAD_ATTR_TYPE || op == Op::LOAD_ATTR_PROPERTY ||
         op == Op::LOAD_METHOD_CLASS || op == Op::LOAD_METHOD_TYPE || op == Op::LOAD_ATTR_GETSET ||
         op == Op::STORE_ATTR_GETSET || op == Op::STORE_ATTR_MEMBER;
}

// What the cache word means depends on the form, and another thread reads the two one after the other: while there are
// other threads a site keeps the form that it took first, and a record for ever.
bool may_become(const Word* pc, Op op) {
  if (sync::only_thread()) return true;
  const Op now = word_op(__atomic_load_n(pc, __ATOMIC_ACQUIRE));
  if (op_info(now).general == now) return __atomic_load_n(&pc[1], __ATOMIC_ACQUIRE) == 0;
  return now == op && !holds_record(op);
}

// Gives the site this form, if it may have it.
void publish(const Word* pc, const AttrForm& form) {
  if (op_info(form.op).general == form.op || !may_become(pc, form.op)) return;
  auto* word = const_cast<Word*>(pc);
  uint64_t cache = form.word;
  AttrRecord* copy = nullptr;
  if (holds_record(form.op)) {
    // Whole cache lines: all threads read it, and beside it would lie what this one writes.
    copy = static_cast<AttrRecord*>(PyMem_Malloc((sizeof(AttrRecord) + 63) & ~size_t{63}));
    if (copy == nullptr) return;
    *copy = form.record;
    cache = reinterpret_cast<uint64_t>(copy);
  }
  if (!sync::only_thread()) {
    // Of the threads that find a site without a form one gives it its form: the others' words would mean something else.
    uint64_t none = 0;
    if (copy == nullptr && word_op(__atomic_load_n(word, __ATOMIC_ACQUIRE)) == form.op) {
      __atomic_store_n(&word[1], cache, __ATOMIC_RELEASE);
    } else if (!__atomic_compare_exchange_n(&word[1], &none, cache, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
      PyMem_Free(copy);
      return;
    }
  } else {
    if (holds_record(word_op(*word))) PyMem_Free(reinterpret_cast<void*>(word[1]));
    word[1] = cache;
  }
  rewrite_op(word, form.op);
}

// The instance attribute `name` of o lies in its inline values: the cache word, or 0.
uint64_t inline_cache(PyObject* o, PyTypeObject* type, PyObject* name, uint32_t version) {
  if (!has_inline_values(type) || !sync::load_acquire(inline_values(o, type)->valid)) return 0;
  int index = shared_keys_index(type, name);
  if (index < 0 || type->tp_basicsize > 0xffff) return 0;
  if (index >= inline_values(o, type)->capacity) return 0;
  return version | static_cast<uint64_t>(type->tp_basicsize) << 32 | static_cast<uint64_t>(index) << 48;
}

// The definition of a struct member that type's instances have; null: something else, or one whose reads are audited.
PyMemberDef* member_definition(PyObject* descriptor, PyTypeObject* type) {
  if (!Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) return nullptr;
  auto* member = reinterpret_cast<PyMemberDescrObject*>(descriptor);
  const bool plain = (member->d_member->flags & (Py_AUDIT_READ | Py_RELATIVE_OFFSET)) == 0;
  return plain && PyType_IsSubtype(type, member->d_common.d_type) ? member->d_member : nullptr;
}
bool holds_object(const PyMemberDef* member) { return member->type == Py_T_OBJECT_EX || member->type == _Py_T_OBJECT; }

PyGetSetDef* getset_definition(PyObject* descriptor, PyTypeObject* type) {
  if (!Py_IS_TYPE(descriptor, &PyGetSetDescr_Type)) return nullptr;
  auto* getset = reinterpret_cast<PyGetSetDescrObject*>(descriptor);
  return PyType_IsSubtype(type, getset->d_common.d_type) ? getset->d_getset : nullptr;
}

// The cache word for a member that load_attr_member reads; 0: it does not.
uint64_t member_cache(const PyMemberDef* member, uint32_t version) {
  size_t size;
  switch (member->type) {
    case Py_T_BOOL:
    case Py_T_BYTE:
    case Py_T_UBYTE:
      size = 1;
      break;
    case Py_T_SHORT:
    case Py_T_USHORT:
      size = sizeof(short);
      break;
    case Py_T_INT:
    case Py_T_UINT:
    case Py_T_FLOAT:
      size = sizeof(int);
      break;
    case Py_T_LONG:
    case Py_T_LONGLONG:
    case Py_T_PYSSIZET:
    case Py_T_DOUBLE:
      size = sizeof(int64_t);
      break;
    default:
      return 0;
  }
  const auto offset = static_cast<uint64_t>(member->offset);
  if (offset > 0xffffff || offset % size != 0) return 0;
  return version | offset << 32 | static_cast<uint64_t>(member->type) << 56;
}

bool is_data_descriptor(PyObject* descriptor) { return Py_TYPE(descriptor)->tp_descr_set != nullptr; }

// The forms below choose from what is true now; `general` where there is no short way.

AttrForm form_of_module(PyObject* module, PyObject* name, Op op) {
  const AttrForm general{op_info(op).general, 0, {}};
  auto* dict = reinterpret_cast<PyDictObject*>(PyModule_GetDict(module));
  uint32_t version = dict_keys_version(dict);
  Py_ssize_t index = dict_lookup_index_str(dict, name);
  if (version == 0 || index < 0) return general;
  const uint64_t cache = dict_cache_word(dict, version, index);
  return cache != 0 ? AttrForm{op, cache, {}} : general;
}

// Attributes of a class itself.
AttrForm form_of_class(PyTypeObject* cls, PyObject* name, Op op) {
  const AttrForm general{op_info(op).general, 0, {}};
  if (Py_TYPE(cls) != &PyType_Type) return general;
  Ref<> meta = Ref<>::steal(type_lookup(&PyType_Type, name));
  if (meta) return general;
  uint32_t version;
  Ref<> value = Ref<>::steal(type_lookup_versioned(cls, name, &version));
  if (!value || version == 0) return general;
  // Only what binding to a class leaves as it is.
  if (Py_TYPE(value.get())->tp_descr_get != nullptr && !PyFunction_Check(value.get())) return general;
  return {op, 0, AttrRecord{version, 0, false, 0, value.get()}};
}

// An attribute of an object with the usual __getattribute__; `version` is its type's.
AttrForm form_of_instance(PyObject* o, PyTypeObject* type, PyObject* name, bool method, uint32_t version) {
  const AttrForm general{method ? Op::LOAD_METHOD : Op::LOAD_ATTR, 0, {}};
  uint32_t found_version;
  Ref<> found = Ref<>::steal(type_lookup_versioned(type, name, &found_version));
  if (found_version != version) return general;
  if (found && is_data_descriptor(found)) {
    if (method) return general;
    // A property's function is called like any other: no C code between the two frames.
    PyObject* getter = property_getter(found);
    if (getter != nullptr && PyFunction_Check(getter)) {
      return {Op::LOAD_ATTR_PROPERTY, 0, AttrRecord{version, 0, false, 0, found.get(), sync::is_deferred(found)}};
    }
    if (PyGetSetDef* getset = getset_definition(found, type); getset != nullptr && getset->get != nullptr) {
      return {Op::LOAD_ATTR_GETSET, 0, AttrRecord{version, 0, false, 0, nullptr, false, getset}};
    }
    const PyMemberDef* member = member_definition(found, type);
    if (member == nullptr) return general;
    if (holds_object(member)) {
      return {Op::LOAD_ATTR_SLOT, version | static_cast<uint64_t>(member->offset) << 32, {}};
    }
    const uint64_t word = member_cache(member, version);
    return word != 0 ? AttrForm{Op::LOAD_ATTR_MEMBER, word, {}} : general;
  }
  // An instance attribute wins over what is left.
  const uint64_t cache = inline_cache(o, type, name, version);
  if (cache != 0) {
    if (sync::load_acquire(inline_values(o, type)->values[cache >> 48]) != nullptr) {
      return {method ? Op::LOAD_METHOD_INLINE : Op::LOAD_ATTR_INLINE, cache, {}};
    }
    if (found) return general;
  }
  if (found) {
    PyTypeObject* kind = Py_TYPE(found.get());
    if (method ? !PyType_HasFeature(kind, Py_TPFLAGS_METHOD_DESCRIPTOR) : kind->tp_descr_get != nullptr) return general;
    AttrRecord record{version, 0, false, 0, found.get()};
    if (has_inline_values(type)) {
      if (!sync::load_acquire(inline_values(o, type)->valid)) return general;
      record.inline_guard = true;
      record.key_count = sync::load_acquire(type_extra(type)->keys.count);
      if (shared_keys_index(type, name) >= 0) return general;
    } else if (type->tp_dictoffset > 0) {
      record.dict_offset = static_cast<int32_t>(type->tp_dictoffset);
    } else if (type->tp_dictoffset < 0) {
      return general;
    }
    return {method ? Op::LOAD_METHOD_TYPE : Op::LOAD_ATTR_TYPE, 0, record};
  }
  // Where dicts are replaced while others look this form serves nobody (load_attr_dict).
  if (sync::only_thread() && !method && type->tp_dictoffset != 0) {
    PyObject** slot = instance_dict_slot(o, type);
    if (slot == nullptr || *slot == nullptr || !PyDict_CheckExact(*slot)) return general;
    Py_ssize_t index = dict_lookup_index_str(reinterpret_cast<PyDictObject*>(*slot), name);
    if (index >= 0) return {Op::LOAD_ATTR_DICT, version | static_cast<uint64_t>(index) << 32, {}};
  }
  return general;
}

AttrForm form_of_store(PyObject* o, PyTypeObject* type, PyObject* name, uint32_t version) {
  const AttrForm general{Op::STORE_ATTR, 0, {}};
  uint32_t found_version;
  Ref<> found = Ref<>::steal(type_lookup_versioned(type, name, &found_version));
  if (found_version != version) return general;
  if (found && is_data_descriptor(found)) {
    if (PyGetSetDef* getset = getset_definition(found, type); getset != nullptr && getset->set != nullptr) {
      return {Op::STORE_ATTR_GETSET, 0, AttrRecord{version, 0, false, 0, nullptr, false, getset}};
    }
    PyMemberDef* member = member_definition(found, type);
    if (member == nullptr || (member->flags & Py_READONLY) != 0) return general;
    if (holds_object(member)) {
      return {Op::STORE_ATTR_SLOT, version | static_cast<uint64_t>(member->offset) << 32, {}};
    }
    return {Op::STORE_ATTR_MEMBER, 0, AttrRecord{version, 0, false, 0, nullptr, false, member}};
  }
  const uint64_t cache = inline_cache(o, type, name, version);
  return cache != 0 ? AttrForm{Op::STORE_ATTR_INLINE, cache, {}} : general;
}

// After the general way has gone well for o: the site, and the thread's table, take note. `known`: the table had an
// entry, which was of no use.
void remember_load(const Word* pc, PyObject* o, PyObject* name, bool method, bool known) {
  const uint64_t misses = count_miss(pc);
  if (misses == 0 || (known && misses >= kGiveUpAfter)) return;
  PyTypeObject* type = Py_TYPE(o);
  if (type == &PyModule_Type || type == &PyType_Type) {
    if (misses >= kGiveUpAfter) return;
    publish(pc, type == &PyModule_Type
                    ? form_of_module(o, name, method ? Op::LOAD_METHOD_MODULE : Op::LOAD_ATTR_MODULE)
                    : form_of_class(reinterpret_cast<PyTypeObject*>(o), name,
                                    method ? Op::LOAD_METHOD_CLASS : Op::LOAD_ATTR_CLASS));
    return;
  }
  if (type->tp_getattro != PyObject_GenericGetAttr) return;
  const uint32_t version = type_version(type);
  if (version == 0) return;
  const AttrForm form = form_of_instance(o, type, name, method, version);
  attr_table_set(current_thread(), version, name, method ? AttrUse::kMethod : AttrUse::kLoad, form);
  if (misses < kGiveUpAfter) publish(pc, form);
}

void remember_store(const Word* pc, PyObject* o, PyObject* name, bool known) {
  const uint64_t misses = count_miss(pc);
  PyTypeObject* type = Py_TYPE(o);
  if (misses == 0 || (known && misses >= kGiveUpAfter) || type->tp_setattro != PyObject_GenericSetAttr) return;
  const uint32_t version = type_version(type);
  if (version == 0) return;
  const AttrForm form = form_of_store(o, type, name, version);
  attr_table_set(current_thread(), version, name, AttrUse::kStore, form);
  if (misses < kGiveUpAfter) publish(pc, form);
}

// The form that the thread's table has for this lookup, or null; the site takes it, too.
const AttrForm* known_form(const Word* pc, Value object, PyObject* name, AttrUse use) {
  if (!is_pointer(object)) return nullptr;
  PyTypeObject* type = Py_TYPE(pointer_of(object));
  const uint32_t version = type_version_now(type);
  const AttrEntry* entry = version != 0 ? attr_find(current_thread(), version, name, use) : nullptr;
  if (entry == nullptr) return nullptr;
  const AttrForm& form = entry->form;
  // Instances have got new attributes, this one may be among them.
  if (form.record.inline_guard && sync::load_acquire(type_extra(type)->keys.count) != form.record.key_count) {
    return nullptr;
  }
  if (op_info(form.op).general != form.op) {
    const uint64_t misses = count_miss(pc);
    if (misses != 0 && misses < kGiveUpAfter) publish(pc, form);
  }
  return &form;
}

template <Threads kThreads>
AMPHIS_ALWAYS_INLINE bool load_by_form_among(const AttrForm& form, PyObject* o, PyObject* name, bool unbox, Value* out) {
  switch (form.op) {
    case Op::LOAD_ATTR_INLINE:
    case Op::LOAD_METHOD_INLINE:
      return load_attr_inline<kThreads>(o, form.word, unbox, out);
    case Op::LOAD_ATTR_SLOT:
      return load_attr_slot<kThreads>(o, form.word, unbox, out);
    case Op::LOAD_ATTR_MEMBER:
      return load_attr_member(o, form.word, out);
    case Op::LOAD_ATTR_DICT:
      return load_attr_dict<kThreads>(o, form.word, name, unbox, out);
    case Op::LOAD_ATTR_TYPE:
    case Op::LOAD_METHOD_TYPE:
      return load_attr_type<kThreads>(o, &form.record, out);
    default:
      return false;
  }
}

// Asked once: nothing here runs code that could start a thread.
bool load_by_form(const AttrForm& form, PyObject* o, PyObject* name, bool unbox, Value* out) {
  if (kRaces && sync::only_thread()) return load_by_form_among<Threads::kOne>(form, o, name, unbox, out);
  return load_by_form_among<Threads::kAsk>(form, o, name, unbox, out);
}

bool store_by_form(const AttrForm& form, PyObject* o, const Regs& x) {
  if (form.op == Op::STORE_ATTR_INLINE) return store_attr_inline(o, form.word, x.r, x.w);
  return form.op == Op::STORE_ATTR_SLOT && store_attr_slot(o, form.word, x.r, x.w);
}

}  // namespace

bool op_load_attr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, x.c());
  const Value b = x.B();
  const AttrForm* form = known_form(pc, b, name, AttrUse::kLoad);
  Value v;
  if (form != nullptr && load_by_form(*form, pointer_of(b), name, x.flag(kUnbox), &v)) {
    x.replace_b(v);
    return true;
  }
  if (form != nullptr && form->op == Op::LOAD_ATTR_GETSET) {
    PyObject* got = call_getter(pointer_of(b), name, static_cast<PyGetSetDef*>(form->record.definition));
    if (got == nullptr) return false;
    x.replace_b(x.flag(kUnbox) ? unboxed_result(got) : value_owned(got));
    return true;
  }
  Operand o(b);
  if (o.get() == nullptr) return false;
  PyObject* value = PyObject_GetAttr(o, name);
  if (value == nullptr) return false;
  remember_load(pc, o, name, false, form != nullptr);
  x.kill_b();
  x.set(x.a(), value_owned(value));
  return true;
}

bool op_load_method(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, x.c());
  const Value b = x.B();
  const AttrForm* form = known_form(pc, b, name, AttrUse::kMethod);
  const bool with_self = form != nullptr && form->op == Op::LOAD_METHOD_TYPE;
  Value v;
  if (form != nullptr && load_by_form(*form, pointer_of(b), name, false, &v)) {
    // The object moves (or is lent) to the self register; A may be B.
    const Value self = !with_self ? kEmpty : x.flag(kKillB) ? b : borrow_value(b);
    if (x.flag(kKillB)) x.r[x.b()] = kEmpty;
    x.set_pair(x.a(), v, self);
    if (x.flag(kKillB) && !with_self) drop(b);
    return true;
  }
  Operand o(b);
  if (o.get() == nullptr) return false;
  bool unbound = false;
  PyObject* method = object_get_method(o, name, &unbound);
  if (method == nullptr) return false;
  remember_load(pc, o, name, true, form != nullptr);
  // Moved or lent here too, so that the method sees as many references to its object as in every later execution.
  const Value now = x.B();
  const bool passed_on = unbound && is_pointer(now) && pointer_of(now) == o.get();
  const Value self = !unbound ? kEmpty : !passed_on ? value_held(o.get()) : x.flag(kKillB) ? now : borrow_value(now);
  const Value from = x.flag(kKillB) && !passed_on ? now : kEmpty;
  if (x.flag(kKillB)) x.r[x.b()] = kEmpty;
  x.set_pair(x.a(), value_owned(method), self);
  drop(from);
  return true;
}

bool op_store_attr(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, x.c());
  const Value a = x.A();
  const AttrForm* form = known_form(pc, a, name, AttrUse::kStore);
  if (form != nullptr && store_by_form(*form, pointer_of(a), x)) {
    x.kill_a();
    return true;
  }
  Operand o(a);
  Operand value(x.B());
  if (o.get() == nullptr || value.get() == nullptr) return false;
  if (form != nullptr && form->op == Op::STORE_ATTR_GETSET) {
    if (call_setter(o, value, static_cast<PyGetSetDef*>(form->record.definition)) < 0) return false;
  } else {
    if (PyObject_SetAttr(o, name, value) < 0) return false;
    remember_store(pc, o, name, form != nullptr);
  }
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

namespace {

// A new reference, or null without an exception.
PyObject* known_super_method(PyObject* cls, PyObject* self, PyObject* name) {
  const uint32_t version = type_version_now(Py_TYPE(self));
  const AttrEntry* entry = version != 0 ? attr_find(current_thread(), version, name, AttrUse::kSuper) : nullptr;
  Value v;
  if (entry == nullptr || entry->form.word != reinterpret_cast<Word>(cls) || !load_attr_type(self, &entry->form.record, &v)) {
    return nullptr;
  }
  return pointer_of(to_owned(v));
}

// `version` is what type(self) had before the method was looked for.
void remember_super_method(uint32_t version, PyObject* cls, PyObject* self, PyObject* name, PyObject* method) {
  PyTypeObject* type = Py_TYPE(self);
  // super() also takes an object whose __class__ only says that it belongs.
  if (version == 0 || type_version_now(type) != version ||
      !PyType_IsSubtype(type, reinterpret_cast<PyTypeObject*>(cls))) {
    return;
  }
  const AttrForm form{Op::LOAD_SUPER_ATTR, reinterpret_cast<Word>(cls), AttrRecord{version, 0, false, 0, method}};
  attr_table_set(current_thread(), version, name, AttrUse::kSuper, form);
}

}  // namespace

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
    if (!x.flag(kMethod)) {
      value = super_getattr(cls, self, name);
    } else if (PyType_Check(self.get())) {
      // A class may stand for itself or be an instance of its metaclass.
      value = super_get_method(cls, self, name, &unbound);
    } else if (value = known_super_method(cls, self, name); value != nullptr) {
      unbound = true;
    } else {
      const uint32_t version = type_version(Py_TYPE(self.get()));
      value = super_get_method(cls, self, name, &unbound);
      if (value != nullptr && unbound) remember_super_method(version, cls, self, name, value);
    }
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
  Found method;
  bool self_needed = false;
  int found = find_special(o, method_names[x.c()], &method, &self_needed);
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
  const Value self = self_needed ? value_held(o.get()) : kEmpty;
  const Value from = x.flag(kKillB) ? x.B() : kEmpty;
  if (x.flag(kKillB)) x.r[x.b()] = kEmpty;
  x.set_pair(x.a(), method.is_counted() ? value_owned(method.release()) : value_borrowed(method.get()), self);
  drop(from);
  return true;
}

PyObject* class_python_init_slow(PyTypeObject* cls) {
  // First the version: whatever changes after this makes it another one, and nothing is remembered.
  const uint32_t version = is_heap_type(cls) ? type_version(cls) : 0;
  if (version == 0 || sync::load_relaxed(cls->tp_new) != object_new || sync::load_relaxed(cls->tp_init) == object_init ||
      sync::load_relaxed(cls->tp_alloc) != PyType_GenericAlloc || type_has_flag(cls, Py_TPFLAGS_IS_ABSTRACT)) {
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

void release_attr_records(PyCodeObject* code) {
  Word* words = code_words(code);
  for (uint32_t i = 0, n = code_extra(code)->word_count; i < n; i += 1u + op_info(word_op(words[i])).cache_words) {
    if (holds_record(word_op(words[i]))) PyMem_Free(reinterpret_cast<void*>(words[i + 1]));
  }
}

void raise_init_result(Value result) {
  Operand o(result);
  if (o.get() != nullptr) {
    PyErr_Format(PyExc_TypeError, "__init__() should return None, not '%.200s'", Py_TYPE(o.get())->tp_name);
  }
}

}  // namespace amphis
