// Names: globals, namespaces of class and module bodies, cells.
#include "interp/load.h"
#include "interp/ops.h"
#include "objects/names.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyObject* name_at(Frame* f, uint32_t i) { return code_extra(f->code)->names[i]; }

[[gnu::cold]] bool raise_name_error(PyObject* name) {
  Ref<> message = Ref<>::steal(PyUnicode_FromFormat("name '%U' is not defined", name));
  if (!message) return false;
  Ref<> exc = Ref<>::steal(PyObject_CallOneArg(PyExc_NameError, message));
  if (!exc) return false;
  if (PyObject_SetAttr(exc, names.str_name, name) < 0) return false;
  PyErr_SetObject(PyExc_NameError, exc);
  return false;
}

// globals[name], else builtins[name]: a new reference, or null (with an exception only on error).
PyObject* lookup_global(Frame* f, PyObject* name) {
  PyObject* globals = f->globals();
  PyObject* builtins = f->builtins();
  PyObject* value;
  if (PyDict_CheckExact(globals)) {
    value = dict_get_str(reinterpret_cast<PyDictObject*>(globals), name);
  } else if (PyMapping_GetOptionalItem(globals, name, &value) < 0) {
    return nullptr;
  }
  if (value != nullptr) return value;
  if (PyDict_CheckExact(builtins)) value = dict_get_str(reinterpret_cast<PyDictObject*>(builtins), name);
  if (value != nullptr) return value;
  // Before a name counts as unknown: keys that are no plain strings may equal it.
  if (PyDict_CheckExact(globals) && PyDict_GetItemRef(globals, name, &value) != 0) return value;
  if (PyMapping_GetOptionalItem(builtins, name, &value) < 0) return nullptr;
  return value;
}

// Rewrites a LOAD_GLOBAL that has run once before into its cached form, when both namespaces are exact dicts.
void specialize_global(Frame* f, const Word* pc, PyObject* name) {
  if (!PyDict_CheckExact(f->globals()) || !PyDict_CheckExact(f->builtins())) return;
  auto* globals = reinterpret_cast<PyDictObject*>(f->globals());
  auto* builtins = reinterpret_cast<PyDictObject*>(f->builtins());
  auto* word = const_cast<Word*>(pc);
  uint32_t globals_version = dict_keys_version(globals);
  if (globals_version == 0) return;
  Py_ssize_t index = dict_lookup_index_str(globals, name);
  Op op;
  if (index >= 0) {
    uint64_t cache = dict_cache_word(globals, globals_version, index);
    if (cache == 0) return;
    __atomic_store_n(&word[1], cache, __ATOMIC_RELEASE);
    op = Op::LOAD_GLOBAL_MODULE;
  } else {
    uint32_t builtins_version = dict_keys_version(builtins);
    index = dict_lookup_index_str(builtins, name);
    if (builtins_version == 0 || index < 0 || dict_keys_version_now(globals) != globals_version) return;
    uint64_t cache = dict_cache_word(builtins, builtins_version, index);
    if (cache == 0) return;
    __atomic_store_n(&word[1], cache, __ATOMIC_RELEASE);
    __atomic_store_n(&word[2], static_cast<uint64_t>(globals_version), __ATOMIC_RELEASE);
    op = Op::LOAD_GLOBAL_BUILTIN;
  }
  rewrite_op(word, op);
}

}  // namespace

bool op_load_global(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, static_cast<uint32_t>(x.bc()));
  PyObject* value = lookup_global(f, name);
  if (value == nullptr) {
    if (PyErr_Occurred()) return false;
    return raise_name_error(name);
  }
  specialize_global(f, pc, name);
  x.set(x.a(), value_owned(value));
  return true;
}

bool op_store_global(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Operand value(x.A());
  if (value.get() == nullptr) return false;
  if (PyDict_SetItem(f->globals(), name_at(f, static_cast<uint32_t>(x.bc())), value) < 0) return false;
  x.kill_a();
  return true;
}

bool op_delete_global(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, static_cast<uint32_t>(x.bc()));
  int found = PyDict_Pop(f->globals(), name, nullptr);
  if (found == 0) return raise_name_error(name);
  return found > 0;
}

namespace {

// The namespace of module and class bodies. A function made of such code (types.FunctionType) has its globals.
PyObject* frame_namespace(Frame* f) { return f->locals != nullptr ? f->locals : f->globals(); }

}  // namespace

bool op_load_name(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, static_cast<uint32_t>(x.bc()));
  PyObject* locals = frame_namespace(f);
  PyObject* value = nullptr;
  if (locals != f->globals()) {
    if (PyDict_CheckExact(locals)) {
      value = dict_get_str(reinterpret_cast<PyDictObject*>(locals), name);
    } else if (PyMapping_GetOptionalItem(locals, name, &value) < 0) {
      return false;
    }
  }
  if (value == nullptr) value = lookup_global(f, name);
  if (value == nullptr) {
    if (PyErr_Occurred()) return false;
    return raise_name_error(name);
  }
  x.set(x.a(), value_owned(value));
  return true;
}

bool op_store_name(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, static_cast<uint32_t>(x.bc()));
  Operand value(x.A());
  if (value.get() == nullptr) return false;
  PyObject* ns = frame_namespace(f);
  int status = PyDict_CheckExact(ns) ? PyDict_SetItem(ns, name, value) : PyObject_SetItem(ns, name, value);
  if (status < 0) return false;
  x.kill_a();
  return true;
}

bool op_delete_name(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, static_cast<uint32_t>(x.bc()));
  PyObject* ns = frame_namespace(f);
  if (PyObject_DelItem(ns, name) == 0) return true;
  if (PyErr_ExceptionMatches(PyExc_KeyError)) {
    PyErr_Clear();
    return raise_name_error(name);
  }
  return false;
}

bool op_make_cell(Frame* f, const Word* pc) {
  Regs x(f, pc);
  Value v = x.A();
  PyObject* content = nullptr;
  if (v != kEmpty) {
    content = value_to_object(v);
    if (content == nullptr) return false;
  }
  PyObject* cell = PyCell_New(content);
  Py_XDECREF(content);
  return x.set_a(cell);
}

bool op_store_deref(Frame* f, const Word* pc) {
  Regs x(f, pc);
  auto* cell = reinterpret_cast<PyCellObject*>(pointer_of(x.A()));
  Ref<> old;
  {
    LeafLock lock(cell);
    if (cell->ob_ref != nullptr && store_number_in_place(cell->ob_ref, x.B())) return true;
    PyObject* value = take_operand(x.r, x.b(), x.flag(kKillB));
    if (value == nullptr) return false;
    old = sync::exchange_slot_locked(&cell->ob_ref, Ref<>::steal(value));
  }
  return true;
}

bool op_delete_deref(Frame* f, const Word* pc) {
  Regs x(f, pc);
  auto* cell = reinterpret_cast<PyCellObject*>(pointer_of(x.A()));
  Ref<> old;
  {
    ObjectLock lock(cell);
    old = sync::exchange_slot_locked(&cell->ob_ref, Ref<>());
  }
  if (old) return true;
  raise_unbound(f, x.a());
  return false;
}

bool op_load_locals(Frame* f, const Word* pc) {
  Regs x(f, pc);
  return x.set_a(Py_NewRef(frame_namespace(f)));
}

bool op_load_from_dict_or_deref(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = PyTuple_GET_ITEM(f->code->co_localsplusnames, x.c());
  PyObject* value;
  if (PyMapping_GetOptionalItem(pointer_of(x.B()), name, &value) < 0) return false;
  Value result;
  if (value != nullptr) {
    result = value_owned(value);
  } else {
    result = load_slot(&reinterpret_cast<PyCellObject*>(pointer_of(x.C()))->ob_ref, pointer_of(x.C()), false);
    if (result == kEmpty) {
      raise_unbound(f, x.c());
      return false;
    }
  }
  x.replace_b(result);
  return true;
}

bool op_load_from_dict_or_globals(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* name = name_at(f, x.c());
  PyObject* value;
  if (PyMapping_GetOptionalItem(pointer_of(x.B()), name, &value) < 0) return false;
  if (value == nullptr) {
    value = lookup_global(f, name);
    if (value == nullptr) {
      if (PyErr_Occurred()) return false;
      return raise_name_error(name);
    }
  }
  x.kill_b();
  return x.set_a(value);
}

bool op_load_build_class(Frame* f, const Word* pc) {
  Regs x(f, pc);
  PyObject* value;
  if (PyMapping_GetOptionalItem(f->builtins(), names.dunder_build_class, &value) < 0) return false;
  if (value == nullptr) {
    PyErr_SetString(PyExc_NameError, "__build_class__ not found");
    return false;
  }
  return x.set_a(value);
}

bool op_load_common_constant(Frame* f, const Word* pc) {
  Regs x(f, pc);
  switch (x.bc()) {
    case 0:
      return x.set_a(Py_NewRef(PyExc_AssertionError));
    case 1:
      return x.set_a(Py_NewRef(PyExc_NotImplementedError));
    case 2:
      return x.set_a(Py_NewRef(reinterpret_cast<PyObject*>(&PyTuple_Type)));
    default: {
      Ref<> builtins = Ref<>::steal(PyImport_ImportModule("builtins"));
      if (!builtins) return false;
      return x.set_a(PyObject_GetAttrString(builtins, x.bc() == 3 ? "all" : "any"));
    }
  }
}

bool op_setup_annotations(Frame* f, const Word*) {
  PyObject* ns = frame_namespace(f);
  PyObject* present;
  if (PyMapping_GetOptionalItem(ns, names.dunder_annotations, &present) < 0) return false;
  if (present != nullptr) {
    Py_DECREF(present);
    return true;
  }
  Ref<> dict = Ref<>::steal(PyDict_New());
  return dict && PyObject_SetItem(ns, names.dunder_annotations, dict) == 0;
}

void raise_unbound(Frame* f, uint32_t reg) {
  PyObject* name = PyTuple_GET_ITEM(f->code->co_localsplusnames, static_cast<Py_ssize_t>(reg));
  auto kind = static_cast<uint8_t>(PyBytes_AS_STRING(f->code->co_localspluskinds)[reg]);
  if (kind & kLocalFree) {
    Ref<> message = Ref<>::steal(PyUnicode_FromFormat(
        "cannot access free variable '%U' where it is not associated with a value in enclosing scope", name));
    if (!message) return;
    Ref<> exc = Ref<>::steal(PyObject_CallOneArg(PyExc_NameError, message));
    if (!exc || PyObject_SetAttr(exc, names.str_name, name) < 0) return;
    PyErr_SetObject(PyExc_NameError, exc);
    return;
  }
  PyErr_Format(PyExc_UnboundLocalError, "cannot access local variable '%U' where it is not associated with a value",
               name);
}

}  // namespace amphis
