// Code objects: making, comparing, and what Python sees of them.
//
// Invariant: everything but the cache words and the specialised forms of instructions is immutable once made.
// Offsets that Python sees (co_lines, f_lasti) count two per instruction word.
#include "objects/code.h"

#include <atomic>
#include <cmath>
#include <cstring>

#include "gc/gc_bits.h"
#include "gc/object_new.h"
#include "interp/value.h"
#include "memory/heap.h"
#include "objects/code_flow.h"
#include "objects/code_tables.h"
#include "objects/container_support.h"
#include "sync/atomic_field.h"
#include "sync/deferred.h"
#include "sync/mutex.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {

namespace {

PyCodeObject* as_code(PyObject* o) { return reinterpret_cast<PyCodeObject*>(o); }

bool is_sharable(PyObject* o) {
  return PyTuple_CheckExact(o) || (PyUnicode_CheckExact(o) && !PyUnicode_CHECK_INTERNED(o)) || PyLong_CheckExact(o) ||
         PyFloat_CheckExact(o) || PyBytes_CheckExact(o) || PyComplex_CheckExact(o) || PyFrozenSet_CheckExact(o);
}

void make_constant_immortal(PyObject* o) {
  if (!is_sharable(o) || _Py_IsImmortal(o)) return;
  if (PyTuple_CheckExact(o)) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(o); ++i) make_constant_immortal(PyTuple_GET_ITEM(o, i));
  }
  gc::make_immortal(o);
}

// Constants that all code shares, by _PyCode_ConstantKey. Where threads run at once they are immortal, so that nobody
// counts them: one object for each value, that program text which is compiled again and again does not add to them.
PyObject* immortal_constants = nullptr;
sync::Mutex immortal_constants_mutex;

// The object that code uses for a constant: borrowed.
PyObject* shared_constant(PyObject* o) {
  if constexpr (kRaces) {
    if (!is_sharable(o) || _Py_IsImmortal(o)) return o;
    Ref<> key = Ref<>::steal(_PyCode_ConstantKey(o));
    sync::MutexLock lock(immortal_constants_mutex);
    if (immortal_constants == nullptr) immortal_constants = PyDict_New();
    PyObject* known = nullptr;
    if (key && immortal_constants != nullptr && PyDict_GetItemRef(immortal_constants, key, &known) > 0) {
      Py_DECREF(known);  // immortal
      return known;
    }
    make_constant_immortal(o);
    if (!key || immortal_constants == nullptr || PyDict_SetItem(immortal_constants, key, o) < 0) PyErr_Clear();
  }
  return o;
}

struct Watchers {
  sync::Mutex mutex;
  PyCode_WatchCallback callbacks[8] = {};
  std::atomic<bool> any{false};
};
Watchers watchers;

void notify(PyCodeEvent event, PyCodeObject* code) {
  if (!watchers.any.load(std::memory_order_relaxed)) return;
  for (PyCode_WatchCallback callback : watchers.callbacks) {
    if (callback != nullptr && callback(event, code) < 0) {
      PyErr_FormatUnraisable("Exception ignored in %s watcher callback for %R",
                             event == PY_CODE_EVENT_CREATE ? "PY_CODE_EVENT_CREATE" : "PY_CODE_EVENT_DESTROY", code);
    }
  }
}

// Registered users of co_extra.
struct ExtraUsers {
  sync::Mutex mutex;
  freefunc free[MAX_CO_EXTRA_USERS] = {};
  Py_ssize_t count = 0;
};
ExtraUsers extra_users;

struct ExtraSlots {
  Py_ssize_t size;
  void* slots[1];
};

void code_dealloc(PyObject* self) {
  PyCodeObject* code = as_code(self);
  if (watchers.any.load(std::memory_order_relaxed)) {
    gc::resurrect_begin(self);
    notify(PY_CODE_EVENT_DESTROY, code);
    if (!gc::resurrect_end(self)) return;
  }
  if constexpr (kRaces) {
    PyObject_GC_UnTrack(self);
    memory::gc_exempt(-1);
  }
  if (sync::load_acquire(code->co_weakreflist) != nullptr) PyObject_ClearWeakRefs(self);
  if (code->co_extra != nullptr) {
    auto* extra = static_cast<ExtraSlots*>(code->co_extra);
    for (Py_ssize_t i = 0; i < extra->size; ++i) {
      if (extra_users.free[i] != nullptr && extra->slots[i] != nullptr) extra_users.free[i](extra->slots[i]);
    }
    PyMem_Free(extra);
  }
  Py_XDECREF(code->co_consts);
  Py_XDECREF(code->co_names);
  Py_XDECREF(code->co_exceptiontable);
  Py_XDECREF(code->co_localsplusnames);
  Py_XDECREF(code->co_localspluskinds);
  Py_XDECREF(code->co_filename);
  Py_XDECREF(code->co_name);
  Py_XDECREF(code->co_qualname);
  Py_XDECREF(code->co_linetable);
  if (code->_co_cached != nullptr) {
    Py_DECREF(code->_co_cached->_co_code);
    PyMem_Free(code->_co_cached);
  }
  if (CodeExtra* extra = code_extra(code)) {
    if (code_release_caches != nullptr) code_release_caches(code);
    if (code->_co_monitoring != nullptr) code_release_monitor(code);
    PyMem_Free(extra->constants);
    PyMem_Free(const_cast<ExceptionRange*>(extra->ranges));
    PyMem_Free(extra);
  }
  free_object(self);
}

int code_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_code(self)->co_consts);
  return 0;
}

}  // namespace

void (*code_release_caches)(PyCodeObject* code) = nullptr;
void (*code_release_monitor)(PyCodeObject* code) = nullptr;

PyCodeObject* code_new(const CodeSpec& spec) {
  const size_t words = spec.words.size();
  const size_t bytes = offsetof(PyCodeObject, co_code_adaptive) + words * sizeof(Word);
  PyCodeObject* code = kRaces ? new_gc_object_sized<PyCodeObject>(&PyCode_Type, bytes)
                              : new_object_sized<PyCodeObject>(&PyCode_Type, bytes);
  if (code == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  if constexpr (kRaces) memory::gc_exempt(1);
  std::memset(reinterpret_cast<char*>(code) + sizeof(PyVarObject), 0, bytes - sizeof(PyVarObject));
  Py_SET_SIZE(code, static_cast<Py_ssize_t>(words * (sizeof(Word) / 2)));
  Ref<> holder = Ref<>::steal(reinterpret_cast<PyObject*>(code));
  std::memcpy(code->co_code_adaptive, spec.words.data(), words * sizeof(Word));

  code->co_consts = Py_NewRef(spec.consts);
  code->co_names = Py_NewRef(spec.names);
  code->co_localsplusnames = Py_NewRef(spec.localsplusnames);
  code->co_filename = Py_NewRef(spec.filename);
  code->co_name = Py_NewRef(spec.name);
  PyObject* qualname = Py_NewRef(spec.qualname);
  // Each function made of the code counts for it: an immortal name is free.
  if (kRaces && PyUnicode_CheckExact(qualname)) PyUnicode_InternInPlace(&qualname);
  code->co_qualname = qualname;
  code->co_flags = spec.flags;
  code->co_argcount = spec.argcount;
  code->co_posonlyargcount = spec.posonlyargcount;
  code->co_kwonlyargcount = spec.kwonlyargcount;
  code->co_firstlineno = spec.firstlineno;
  code->co_nlocalsplus = static_cast<int>(spec.localspluskinds.size());
  code->co_stacksize = static_cast<int>(spec.temporaries);
  code->co_framesize = code->co_nlocalsplus + code->co_stacksize;
  code->_co_firsttraceable = 0;

  // Hidden variables share a name with another variable in co_varnames.
  RegisterLayout layout;
  layout.kinds = spec.localspluskinds;
  layout.hidden_names.resize(layout.kinds.size());
  std::vector<PyObject*> variables;
  for (size_t i = 0; i < layout.kinds.size(); ++i) {
    const uint8_t kind = layout.kinds[i];
    PyObject* name = PyTuple_GET_ITEM(spec.localsplusnames, static_cast<Py_ssize_t>(i));
    if (kind & kLocalFree) ++code->co_nfreevars;
    if (kind & kLocalCell) ++code->co_ncellvars;
    if ((kind & kLocal) == 0) continue;
    size_t at = variables.size();
    if (kind & kLocalHidden) {
      for (at = 0; at < variables.size() && variables[at] != name; ++at) {
      }
      layout.hidden_names[i] = static_cast<uint32_t>(at);
    }
    if (at == variables.size()) variables.push_back(name);
  }
  code->co_nlocals = static_cast<int>(variables.size());
  code->co_localspluskinds = PyBytes_FromStringAndSize(reinterpret_cast<const char*>(layout.kinds.data()),
                                                       static_cast<Py_ssize_t>(layout.kinds.size()));
  std::string lines = encode_line_table(layout, spec.positions, spec.line_marks, spec.firstlineno);
  code->co_linetable = spec.linetable != nullptr
                           ? Py_NewRef(spec.linetable)
                           : PyBytes_FromStringAndSize(lines.data(), static_cast<Py_ssize_t>(lines.size()));
  std::string ranges = encode_ranges(spec.ranges);
  code->co_exceptiontable = PyBytes_FromStringAndSize(ranges.data(), static_cast<Py_ssize_t>(ranges.size()));
  if (code->co_localspluskinds == nullptr || code->co_linetable == nullptr || code->co_exceptiontable == nullptr) {
    return nullptr;
  }

  auto* extra = static_cast<CodeExtra*>(PyMem_Calloc(1, sizeof(CodeExtra)));
  if (extra == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  code->co_executors = reinterpret_cast<_PyExecutorArray*>(extra);
  const Py_ssize_t nconsts = PyTuple_GET_SIZE(spec.consts);
  extra->constants = static_cast<uint64_t*>(PyMem_Malloc(static_cast<size_t>(nconsts + 1) * sizeof(uint64_t)));
  auto* range_copy = static_cast<ExceptionRange*>(PyMem_Malloc((spec.ranges.size() + 1) * sizeof(ExceptionRange)));
  extra->ranges = range_copy;
  if (extra->constants == nullptr || range_copy == nullptr) {
    PyErr_NoMemory();
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < nconsts; ++i) {
    PyObject* constant = shared_constant(PyTuple_GET_ITEM(spec.consts, i));
    extra->constants[i] = unboxed(value_borrowed(constant));
  }
  extra->names = reinterpret_cast<PyTupleObject*>(spec.names)->ob_item;
  if (!spec.ranges.empty()) {
    std::memcpy(range_copy, spec.ranges.data(), spec.ranges.size() * sizeof(ExceptionRange));
  }
  extra->range_count = static_cast<uint32_t>(spec.ranges.size());
  extra->nlocalsplus = static_cast<uint32_t>(code->co_nlocalsplus);
  extra->register_count = extra->nlocalsplus + spec.temporaries;
  extra->word_count = static_cast<uint32_t>(words);
  extra->simple_arguments = spec.kwonlyargcount == 0 && (spec.flags & (CO_VARARGS | CO_VARKEYWORDS)) == 0;
  extra->is_generator = (spec.flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) != 0;
  if constexpr (kRaces) {
    PyObject_GC_Track(code);
    sync::set_deferred(holder);
  }
  holder.release_obj();
  notify(PY_CODE_EVENT_CREATE, code);
  return code;
}

PyObject* code_varnames(const PyCodeObject* code) {
  RegisterLayout layout;
  const auto* kinds = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(code->co_localspluskinds));
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return nullptr;
  for (int i = 0; i < code->co_nlocalsplus; ++i) {
    if ((kinds[i] & kLocal) == 0) continue;
    PyObject* name = PyTuple_GET_ITEM(code->co_localsplusnames, i);
    if (kinds[i] & kLocalHidden) {
      bool known = false;
      for (Py_ssize_t k = 0; k < PyList_GET_SIZE(list.get()) && !known; ++k) {
        known = PyList_GET_ITEM(list.get(), k) == name;
      }
      if (known) continue;
    }
    if (PyList_Append(list, name) < 0) return nullptr;
  }
  return PyList_AsTuple(list);
}

namespace {

PyObject* names_of_kind(const PyCodeObject* code, uint8_t kind) {
  const auto* kinds = reinterpret_cast<const uint8_t*>(PyBytes_AS_STRING(code->co_localspluskinds));
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return nullptr;
  for (int i = 0; i < code->co_nlocalsplus; ++i) {
    if ((kinds[i] & kind) && PyList_Append(list, PyTuple_GET_ITEM(code->co_localsplusnames, i)) < 0) return nullptr;
  }
  return PyList_AsTuple(list);
}

PyObject* code_repr(PyObject* self) {
  PyCodeObject* code = as_code(self);
  if (code->co_filename != nullptr && PyUnicode_Check(code->co_filename)) {
    return PyUnicode_FromFormat("<code object %U at %p, file \"%U\", line %d>", code->co_name, code, code->co_filename,
                                code->co_firstlineno);
  }
  return PyUnicode_FromFormat("<code object %U at %p, file ???, line %d>", code->co_name, code, code->co_firstlineno);
}

Ref<> constants_key(PyObject* consts) { return Ref<>::steal(_PyCode_ConstantKey(consts)); }

PyObject* code_richcompare(PyObject* self, PyObject* other, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyCode_Check(self) || !PyCode_Check(other)) Py_RETURN_NOTIMPLEMENTED;
  PyCodeObject* a = as_code(self);
  PyCodeObject* b = as_code(other);
  auto same = [&]() -> int {
    if (a == b) return 1;
    int equal = PyObject_RichCompareBool(a->co_name, b->co_name, Py_EQ);
    if (equal <= 0) return equal;
    if (a->co_argcount != b->co_argcount || a->co_posonlyargcount != b->co_posonlyargcount ||
        a->co_kwonlyargcount != b->co_kwonlyargcount || a->co_flags != b->co_flags ||
        a->co_firstlineno != b->co_firstlineno || code_extra(a)->word_count != code_extra(b)->word_count ||
        code_general_words(a) != code_general_words(b)) {
      return 0;
    }
    Ref<> x = constants_key(a->co_consts), y = constants_key(b->co_consts);
    if (!x || !y) return -1;
    equal = PyObject_RichCompareBool(x, y, Py_EQ);
    if (equal <= 0) return equal;
    PyObject* pairs[][2] = {{a->co_names, b->co_names},
                            {a->co_localsplusnames, b->co_localsplusnames},
                            {a->co_linetable, b->co_linetable},
                            {a->co_exceptiontable, b->co_exceptiontable}};
    for (auto& pair : pairs) {
      equal = PyObject_RichCompareBool(pair[0], pair[1], Py_EQ);
      if (equal <= 0) return equal;
    }
    return 1;
  };
  int equal = same();
  if (equal < 0) return nullptr;
  return PyBool_FromLong((equal != 0) == (op == Py_EQ));
}

Py_hash_t code_hash(PyObject* self) {
  PyCodeObject* code = as_code(self);
  uint64_t h = 0x9E3779B97F4A7C15u;
  auto mix = [&](uint64_t v) { h = (h ^ v) * 0xff51afd7ed558ccdu, h ^= h >> 32; };
  PyObject* parts[] = {code->co_name,      code->co_names,     code->co_localsplusnames,
                       code->co_linetable, code->co_exceptiontable};
  for (PyObject* part : parts) {
    Py_hash_t one = PyObject_Hash(part);
    if (one == -1) return -1;
    mix(static_cast<uint64_t>(one));
  }
  Ref<> key = constants_key(code->co_consts);
  if (!key) return -1;
  Py_hash_t consts = PyObject_Hash(key);
  if (consts == -1) return -1;
  mix(static_cast<uint64_t>(consts));
  mix(static_cast<uint64_t>(code->co_argcount));
  mix(static_cast<uint64_t>(code->co_flags));
  mix(static_cast<uint64_t>(code->co_firstlineno));
  for (char c : code_general_words(code)) mix(static_cast<unsigned char>(c));
  auto result = static_cast<Py_hash_t>(h);
  return result == -1 ? -2 : result;
}

// --- attributes

PyMemberDef code_members[] = {
    {"co_argcount", Py_T_INT, offsetof(PyCodeObject, co_argcount), Py_READONLY, nullptr},
    {"co_posonlyargcount", Py_T_INT, offsetof(PyCodeObject, co_posonlyargcount), Py_READONLY, nullptr},
    {"co_kwonlyargcount", Py_T_INT, offsetof(PyCodeObject, co_kwonlyargcount), Py_READONLY, nullptr},
    {"co_nlocals", Py_T_INT, offsetof(PyCodeObject, co_nlocals), Py_READONLY, nullptr},
    {"co_stacksize", Py_T_INT, offsetof(PyCodeObject, co_stacksize), Py_READONLY, nullptr},
    {"co_flags", Py_T_INT, offsetof(PyCodeObject, co_flags), Py_READONLY, nullptr},
    {"co_names", _Py_T_OBJECT, offsetof(PyCodeObject, co_names), Py_READONLY, nullptr},
    {"co_filename", _Py_T_OBJECT, offsetof(PyCodeObject, co_filename), Py_READONLY, nullptr},
    {"co_name", _Py_T_OBJECT, offsetof(PyCodeObject, co_name), Py_READONLY, nullptr},
    {"co_qualname", _Py_T_OBJECT, offsetof(PyCodeObject, co_qualname), Py_READONLY, nullptr},
    {"co_firstlineno", Py_T_INT, offsetof(PyCodeObject, co_firstlineno), Py_READONLY, nullptr},
    {"co_consts", _Py_T_OBJECT, offsetof(PyCodeObject, co_consts), Py_READONLY, nullptr},
    {"co_linetable", _Py_T_OBJECT, offsetof(PyCodeObject, co_linetable), Py_READONLY, nullptr},
    {"co_exceptiontable", _Py_T_OBJECT, offsetof(PyCodeObject, co_exceptiontable), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyObject* get_code(PyObject* self, void*) { return PyCode_GetCode(as_code(self)); }
PyObject* get_varnames(PyObject* self, void*) { return code_varnames(as_code(self)); }
PyObject* get_cellvars(PyObject* self, void*) { return PyCode_GetCellvars(as_code(self)); }
PyObject* get_freevars(PyObject* self, void*) { return PyCode_GetFreevars(as_code(self)); }
PyObject* get_adaptive(PyObject* self, void*) {
  PyCodeObject* code = as_code(self);
  std::string bytes = code_guide(code);
  bytes.append(code->co_code_adaptive, code_extra(code)->word_count * sizeof(Word));
  return PyBytes_FromStringAndSize(bytes.data(), static_cast<Py_ssize_t>(bytes.size()));
}

PyObject* get_lnotab(PyObject* self, void*) {
  if (PyErr_WarnEx(PyExc_DeprecationWarning, "co_lnotab is deprecated, use co_lines instead.", 1) < 0) return nullptr;
  std::string out;
  int line = as_code(self)->co_firstlineno;
  uint32_t offset = 0;
  each_position(bytes_view(as_code(self)->co_linetable), line, [&](uint32_t first, uint32_t, const Position& p) {
    if (p.line < 0 || p.line == line) return true;
    uint32_t bytes = first * 2 - offset;
    int lines = p.line - line;
    for (; bytes > 255; bytes -= 255) out += std::string("\xff\x00", 2);
    while (lines < -128 || lines > 127) {
      out += static_cast<char>(bytes);
      out += static_cast<char>(lines < 0 ? -128 : 127);
      lines -= lines < 0 ? -128 : 127;
      bytes = 0;
    }
    out += static_cast<char>(bytes);
    out += static_cast<char>(lines);
    offset = first * 2;
    line = p.line;
    return true;
  });
  return PyBytes_FromStringAndSize(out.data(), static_cast<Py_ssize_t>(out.size()));
}

PyGetSetDef code_getset[] = {
    {"co_lnotab", get_lnotab, nullptr, nullptr, nullptr},
    {"_co_code_adaptive", get_adaptive, nullptr, nullptr, nullptr},
    {"co_varnames", get_varnames, nullptr, nullptr, nullptr},
    {"co_cellvars", get_cellvars, nullptr, nullptr, nullptr},
    {"co_freevars", get_freevars, nullptr, nullptr, nullptr},
    {"co_code", get_code, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyObject* none_or_int(int value) { return value < 0 ? Py_NewRef(Py_None) : PyLong_FromLong(value); }

PyObject* iterate(Ref<> list) { return list ? PyObject_GetIter(list) : nullptr; }

PyObject* code_lines(PyObject* self, PyObject*) {
  PyCodeObject* code = as_code(self);
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return nullptr;
  bool failed = false;
  uint32_t start = 0, end = 0;
  int line = 0;
  bool open = false;
  auto flush = [&] {
    if (!open) return;
    Ref<> number = Ref<>::steal(none_or_int(line));
    Ref<> item = Ref<>::steal(number ? Py_BuildValue("(IIO)", start * 2, end * 2, number.get()) : nullptr);
    if (!item || PyList_Append(list, item) < 0) failed = true;
  };
  if (!bytes_view(code->co_linetable).empty() &&
      static_cast<unsigned char>(bytes_view(code->co_linetable)[0]) != kLineTableMagic) {
    open = true;
    line = code->co_firstlineno;
    end = code_extra(code)->word_count;
  }
  each_position(bytes_view(code->co_linetable), code->co_firstlineno,
                [&](uint32_t first, uint32_t count, const Position& p) {
                  if (open && p.line == line) {
                    end = first + count;
                    return true;
                  }
                  flush();
                  open = true;
                  start = first;
                  end = first + count;
                  line = p.line;
                  return !failed;
                });
  if (!failed) flush();
  if (failed) return nullptr;
  return iterate(std::move(list));
}

PyObject* code_positions(PyObject* self, PyObject*) {
  PyCodeObject* code = as_code(self);
  Ref<> list = Ref<>::steal(PyList_New(0));
  if (!list) return nullptr;
  bool failed = false;
  each_position(bytes_view(code->co_linetable), code->co_firstlineno,
                [&](uint32_t, uint32_t count, const Position& p) {
                  Ref<> a = Ref<>::steal(none_or_int(p.line));
                  Ref<> b = Ref<>::steal(none_or_int(p.end_line));
                  Ref<> c = Ref<>::steal(none_or_int(p.column));
                  Ref<> d = Ref<>::steal(none_or_int(p.end_column));
                  Ref<> item;
                  if (a && b && c && d) item = Ref<>::steal(PyTuple_Pack(4, a.get(), b.get(), c.get(), d.get()));
                  if (!item) {
                    failed = true;
                    return false;
                  }
                  for (uint32_t i = 0; i < count; ++i) {
                    if (PyList_Append(list, item) < 0) {
                      failed = true;
                      return false;
                    }
                  }
                  return true;
                });
  // Code made by PyCode_NewEmpty has nothing but its first line; tracebacks ask for the position of its beginning.
  if (!failed && PyList_GET_SIZE(list.get()) == 0) {
    Ref<> item = Ref<>::steal(Py_BuildValue("(iiOO)", code->co_firstlineno, code->co_firstlineno, Py_None, Py_None));
    failed = !item || PyList_Append(list, item) < 0;
  }
  if (failed) return nullptr;
  return iterate(std::move(list));
}

PyObject* code_sizeof(PyObject* self, PyObject*) {
  return PyLong_FromSize_t(offsetof(PyCodeObject, co_code_adaptive) +
                           code_extra(as_code(self))->word_count * sizeof(Word) + sizeof(CodeExtra));
}

PyObject* varname_from_oparg(PyObject* self, PyObject* arg) {
  Py_ssize_t i = PyNumber_AsSsize_t(arg, PyExc_IndexError);
  if (i == -1 && PyErr_Occurred()) return nullptr;
  PyObject* all = as_code(self)->co_localsplusnames;
  if (i < 0 || i >= PyTuple_GET_SIZE(all)) {
    PyErr_SetString(PyExc_IndexError, "tuple index out of range");
    return nullptr;
  }
  return Py_NewRef(PyTuple_GET_ITEM(all, i));
}

PyObject* code_replace(PyObject* self, PyObject* args, PyObject* kwargs) { return code_replace_impl(self, args, kwargs); }

PyMethodDef code_methods[] = {
    {"__sizeof__", code_sizeof, METH_NOARGS, nullptr},
    {"co_lines", code_lines, METH_NOARGS, nullptr},
    {"co_branches", code_branches, METH_NOARGS, nullptr},
    {"co_positions", code_positions, METH_NOARGS, nullptr},
    {"_varname_from_oparg", varname_from_oparg, METH_O, nullptr},
    {"replace", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(code_replace)),
     METH_VARARGS | METH_KEYWORDS,
     "replace($self, /, **changes)\n--\n\nReturn a copy of the code object with new values for the specified fields."},
    {"__replace__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(code_replace)),
     METH_VARARGS | METH_KEYWORDS, "The same as replace()."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyCode_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "code",
    .tp_basicsize = offsetof(PyCodeObject, co_code_adaptive),
    .tp_itemsize = 2,
    .tp_dealloc = code_dealloc,
    .tp_repr = code_repr,
    .tp_hash = code_hash,
    .tp_flags = Py_TPFLAGS_DEFAULT | (kRaces ? Py_TPFLAGS_HAVE_GC : 0),
    .tp_doc = PyDoc_STR("code(argcount, posonlyargcount, kwonlyargcount, nlocals, stacksize,\n"
                        "     flags, codestring, constants, names, varnames, filename, name,\n"
                        "     qualname, firstlineno, linetable, exceptiontable, freevars=(),\n"
                        "     cellvars=(), /)\n--\n\nCreate a code object.  Not for mere mortals."),
    .tp_traverse = kRaces ? code_traverse : nullptr,
    .tp_richcompare = code_richcompare,
    .tp_weaklistoffset = offsetof(PyCodeObject, co_weakreflist),
    .tp_methods = code_methods,
    .tp_members = code_members,
    .tp_getset = code_getset,
    .tp_new = code_tp_new,
    .tp_free = kRaces ? PyObject_GC_Del : PyObject_Free,
};

// Kept once it has been made: who traces a program may ask for it at each event.
PyObject* PyCode_GetCode(PyCodeObject* code) {
  if (const _PyCoCached* cached = sync::load_acquire(code->_co_cached)) return Py_NewRef(cached->_co_code);
  const std::string text = code_guide(code) + code_general_words(code);
  Ref<> bytes = Ref<>::steal(PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
  auto* cached = static_cast<_PyCoCached*>(PyMem_Calloc(1, sizeof(_PyCoCached)));
  if (!bytes || cached == nullptr) {
    PyMem_Free(cached);
    return cached == nullptr ? PyErr_NoMemory() : nullptr;
  }
  cached->_co_code = bytes.get();
  _PyCoCached* none = nullptr;
  // Pairs with the load above.
  if (!sync::compare_exchange(code->_co_cached, none, cached)) {
    PyMem_Free(cached);
    return bytes.release();
  }
  return Py_NewRef(bytes.release());
}
PyObject* PyCode_GetVarnames(PyCodeObject* code) { return code_varnames(code); }
PyObject* PyCode_GetCellvars(PyCodeObject* code) { return names_of_kind(code, kLocalCell); }
PyObject* PyCode_GetFreevars(PyCodeObject* code) { return names_of_kind(code, kLocalFree); }

// A key that tells apart what == does not: the type, the sign of zero, and that of parts.
PyObject* _PyCode_ConstantKey(PyObject* o) {
  if (o == Py_None || o == Py_Ellipsis || PyLong_CheckExact(o) || PyUnicode_CheckExact(o) || PyCode_Check(o)) {
    return Py_NewRef(o);
  }
  if (PyBool_Check(o) || PyBytes_CheckExact(o)) return PyTuple_Pack(2, Py_TYPE(o), o);
  if (PyFloat_CheckExact(o)) {
    double d = PyFloat_AS_DOUBLE(o);
    if (d == 0.0 && std::signbit(d)) return PyTuple_Pack(3, Py_TYPE(o), o, Py_None);
    return PyTuple_Pack(2, Py_TYPE(o), o);
  }
  if (PyComplex_CheckExact(o)) {
    Py_complex z = PyComplex_AsCComplex(o);
    bool real = z.real == 0.0 && std::signbit(z.real), imag = z.imag == 0.0 && std::signbit(z.imag);
    if (real && imag) return PyTuple_Pack(3, Py_TYPE(o), o, Py_True);
    if (imag) return PyTuple_Pack(3, Py_TYPE(o), o, Py_False);
    if (real) return PyTuple_Pack(3, Py_TYPE(o), o, Py_None);
    return PyTuple_Pack(2, Py_TYPE(o), o);
  }
  if (PyTuple_CheckExact(o)) {
    const Py_ssize_t n = PyTuple_GET_SIZE(o);
    Ref<> keys = Ref<>::steal(PyTuple_New(n));
    for (Py_ssize_t i = 0; keys && i < n; ++i) {
      PyObject* key = _PyCode_ConstantKey(PyTuple_GET_ITEM(o, i));
      if (key == nullptr) return nullptr;
      PyTuple_SET_ITEM(keys.get(), i, key);
    }
    return keys ? PyTuple_Pack(2, keys.get(), o) : nullptr;
  }
  if (PyFrozenSet_CheckExact(o)) {
    Ref<> items = Ref<>::steal(PySequence_Tuple(o));
    Ref<> keys = Ref<>::steal(items ? PyList_New(0) : nullptr);
    for (Py_ssize_t i = 0; keys && i < PyTuple_GET_SIZE(items.get()); ++i) {
      Ref<> key = Ref<>::steal(_PyCode_ConstantKey(PyTuple_GET_ITEM(items.get(), i)));
      if (!key || PyList_Append(keys, key) < 0) return nullptr;
    }
    Ref<> set = Ref<>::steal(keys ? PyFrozenSet_New(keys) : nullptr);
    return set ? PyTuple_Pack(2, set.get(), o) : nullptr;
  }
  if (PySlice_Check(o)) {
    auto* slice = reinterpret_cast<PySliceObject*>(o);
    Ref<> parts = Ref<>::steal(PyTuple_Pack(3, slice->start, slice->stop, slice->step));
    Ref<> key = Ref<>::steal(parts ? _PyCode_ConstantKey(parts) : nullptr);
    return key ? PyTuple_Pack(2, key.get(), o) : nullptr;
  }
  // Anything else is itself only.
  Ref<> id = Ref<>::steal(PyLong_FromVoidPtr(o));
  return id ? PyTuple_Pack(2, id.get(), o) : nullptr;
}

int PyCode_Addr2Line(PyCodeObject* code, int offset) {
  if (offset < 0) return code->co_firstlineno;
  return code_position(code, static_cast<uint32_t>(offset) / 2).line;
}

int PyCode_Addr2Location(PyCodeObject* code, int offset, int* line, int* column, int* end_line, int* end_column) {
  if (offset < 0) {
    *line = *end_line = code->co_firstlineno;
    *column = *end_column = 0;
    return 1;
  }
  Position p = code_position(code, static_cast<uint32_t>(offset) / 2);
  *line = p.line;
  *column = p.column;
  *end_line = p.end_line;
  *end_column = p.end_column;
  return 1;
}

int _PyCode_CheckLineNumber(int lasti, PyCodeAddressRange* bounds) {
  if (lasti >= bounds->ar_start && lasti < bounds->ar_end) return bounds->ar_line;
  return -1;
}

PyObject* PyCode_Optimize(PyObject* code, PyObject*, PyObject*, PyObject*) { return Py_NewRef(code); }

int PyCode_AddWatcher(PyCode_WatchCallback callback) {
  sync::MutexLock lock(watchers.mutex);
  for (int i = 0; i < 8; ++i) {
    if (watchers.callbacks[i] != nullptr) continue;
    watchers.callbacks[i] = callback;
    watchers.any = true;
    return i;
  }
  PyErr_SetString(PyExc_RuntimeError, "no more code watcher IDs available");
  return -1;
}

int PyCode_ClearWatcher(int id) {
  if (id < 0 || id >= 8) {
    PyErr_Format(PyExc_ValueError, "Invalid code watcher ID %d", id);
    return -1;
  }
  sync::MutexLock lock(watchers.mutex);
  if (watchers.callbacks[id] == nullptr) {
    PyErr_Format(PyExc_ValueError, "No code watcher set for ID %d", id);
    return -1;
  }
  watchers.callbacks[id] = nullptr;
  return 0;
}

Py_ssize_t PyUnstable_Eval_RequestCodeExtraIndex(freefunc free) {
  sync::MutexLock lock(extra_users.mutex);
  if (extra_users.count == MAX_CO_EXTRA_USERS - 1) return -1;
  extra_users.free[extra_users.count] = free;
  return extra_users.count++;
}

int PyUnstable_Code_GetExtra(PyObject* code, Py_ssize_t index, void** extra) {
  if (!PyCode_Check(code)) {
    PyErr_BadInternalCall();
    return -1;
  }
  ObjectLock lock(code);
  auto* slots = static_cast<ExtraSlots*>(as_code(code)->co_extra);
  *extra = slots != nullptr && index >= 0 && index < slots->size ? slots->slots[index] : nullptr;
  return 0;
}

int PyUnstable_Code_SetExtra(PyObject* code, Py_ssize_t index, void* extra) {
  if (!PyCode_Check(code) || index < 0 || index >= extra_users.count) {
    PyErr_BadInternalCall();
    return -1;
  }
  ObjectLock lock(code);
  auto* slots = static_cast<ExtraSlots*>(as_code(code)->co_extra);
  const Py_ssize_t size = slots != nullptr ? slots->size : 0;
  if (index >= size) {
    const Py_ssize_t wanted = extra_users.count;
    auto* grown = static_cast<ExtraSlots*>(
        PyMem_Realloc(slots, sizeof(ExtraSlots) + static_cast<size_t>(wanted) * sizeof(void*)));
    if (grown == nullptr) {
      PyErr_NoMemory();
      return -1;
    }
    for (Py_ssize_t i = size; i < wanted; ++i) grown->slots[i] = nullptr;
    grown->size = wanted;
    as_code(code)->co_extra = slots = grown;
  }
  if (slots->slots[index] != nullptr && extra_users.free[index] != nullptr) extra_users.free[index](slots->slots[index]);
  slots->slots[index] = extra;
  return 0;
}

}  // extern "C"
