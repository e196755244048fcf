// The module `_struct`: the type Struct, its iterator, and the functions that go through a cache of formats.
#include <cstring>
#include <utility>

#include "capi/getargs.h"
#include "modules/struct_format.h"
#include "objects/buffer_lock.h"
#include "objects/int.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis::structs {
namespace {

extern PyModuleDef definition;

struct State {
  PyObject* cache;  // str -> Struct
  PyTypeObject* struct_type;
  PyTypeObject* iterator_type;
  PyObject* error;
};

State* state_of(PyObject* module) { return static_cast<State*>(PyModule_GetState(module)); }
State* state_of_type(PyTypeObject* type) {
  PyObject* module = PyType_GetModuleByDef(type, &definition);
  return module != nullptr ? state_of(module) : nullptr;
}

// Invariant: `format` is null until __init__; formats of earlier __init__ calls hang on its chain and live as long.
struct Struct {
  PyObject_HEAD
  State* state;  // the module's: the type keeps it alive
  Format* format;
  PyObject* text;  // str
  PyObject* weakrefs;
};
Struct* as_struct(PyObject* o) { return reinterpret_cast<Struct*>(o); }

const Format* format_of(PyObject* self) {
  const Format* format = sync::load_acquire(as_struct(self)->format);
  if (format == nullptr) PyErr_SetString(PyExc_RuntimeError, "Struct object is not initialized");
  return format;
}

PyObject* make(PyTypeObject* type, PyObject*, PyObject*) {
  State* state = state_of_type(type);
  PyObject* self = state != nullptr ? type->tp_alloc(type, 0) : nullptr;
  if (self == nullptr) return nullptr;
  as_struct(self)->state = state;
  as_struct(self)->text = Py_NewRef(Py_None);
  return self;
}

int initialize(PyObject* self, PyObject* format) {
  State* state = as_struct(self)->state;
  Ref<> bytes, text;
  if (PyUnicode_Check(format)) {
    bytes = Ref<>::steal(PyUnicode_AsASCIIString(format));
    text = Ref<>::share(format);
  } else if (PyBytes_Check(format)) {
    bytes = Ref<>::share(format);
    text = Ref<>::steal(PyUnicode_DecodeASCII(PyBytes_AS_STRING(format), PyBytes_GET_SIZE(format), "surrogateescape"));
  } else {
    PyErr_Format(PyExc_TypeError, "Struct() argument 1 must be a str or bytes object, not %.200s",
                 Py_TYPE(format)->tp_name);
    return -1;
  }
  if (!bytes || !text) return -1;
  const char* data = PyBytes_AS_STRING(bytes.get());
  if (std::strlen(data) != static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))) {
    PyErr_SetString(state->error, "embedded null character");
    return -1;
  }
  Format* compiled = compile(data, state->error);
  if (compiled == nullptr) return -1;
  ObjectLock lock(self);
  compiled->next = as_struct(self)->format;
  sync::store_release(as_struct(self)->format, compiled);
  Py_SETREF(as_struct(self)->text, text.release());
  return 0;
}

int init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const names[] = {"format", nullptr};
  PyObject* format;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:Struct", const_cast<char**>(names), &format)) return -1;
  return initialize(self, format);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  return 0;
}

void dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  if (sync::load_acquire(as_struct(self)->weakrefs) != nullptr) PyObject_ClearWeakRefs(self);
  for (Format* f = as_struct(self)->format; f != nullptr;) PyMem_Free(std::exchange(f, f->next));
  Py_XDECREF(as_struct(self)->text);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* pack_values(PyObject* self, PyObject* const* values, Py_ssize_t count) {
  State* state = as_struct(self)->state;
  const Format* format = format_of(self);
  if (format == nullptr) return nullptr;
  if (count != format->values) {
    return PyErr_Format(state->error, "pack expected %zd items for packing (got %zd)", format->values, count);
  }
  auto result = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, format->size));
  if (!result || !pack(format, values, PyBytes_AS_STRING(result.get()), state->error)) return nullptr;
  return result.release();
}

PyObject* pack_into(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  State* state = as_struct(self)->state;
  const Format* format = format_of(self);
  if (format == nullptr) return nullptr;
  if (nargs != format->values + 2) {
    if (nargs == 0) return PyErr_Format(state->error, "pack_into expected buffer argument");
    if (nargs == 1) return PyErr_Format(state->error, "pack_into expected offset argument");
    return PyErr_Format(state->error, "pack_into expected %zd items for packing (got %zd)", format->values, nargs - 2);
  }
  Py_buffer view;
  if (!PyArg_Parse(args[0], "w*", &view)) return nullptr;
  struct Guard {
    Py_buffer* view;
    ~Guard() { PyBuffer_Release(view); }
  } guard{&view};
  Py_ssize_t offset = PyNumber_AsSsize_t(args[1], PyExc_IndexError);
  if (offset == -1 && PyErr_Occurred()) return nullptr;
  if (offset < 0) {
    if (offset + format->size > 0) {
      return PyErr_Format(state->error, "no space to pack %zd bytes at offset %zd", format->size, offset);
    }
    if (offset + view.len < 0) {
      return PyErr_Format(state->error, "offset %zd out of range for %zd-byte buffer", offset, view.len);
    }
    offset += view.len;
  }
  if (view.len - offset < format->size) {
    return PyErr_Format(state->error,
                        "pack_into requires a buffer of at least %zu bytes for packing %zd bytes at offset %zd (actual "
                        "buffer size is %zd)",
                        static_cast<size_t>(format->size) + static_cast<size_t>(offset), format->size, offset, view.len);
  }
  BufferLock lock(&view);
  if (!pack(format, args + 2, static_cast<char*>(view.buf) + offset, state->error)) return nullptr;
  Py_RETURN_NONE;
}

PyObject* unpack_all(PyObject* self, PyObject* buffer) {
  State* state = as_struct(self)->state;
  const Format* format = format_of(self);
  if (format == nullptr) return nullptr;
  Py_buffer view;
  if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE) < 0) return nullptr;
  PyObject* result = nullptr;
  if (view.len != format->size) {
    PyErr_Format(state->error, "unpack requires a buffer of %zd bytes", format->size);
  } else {
    BufferLock lock(&view);
    result = unpack(format, static_cast<char*>(view.buf));
  }
  PyBuffer_Release(&view);
  return result;
}

PyObject* unpack_at(PyObject* self, PyObject* buffer, PyObject* offset_object) {
  State* state = as_struct(self)->state;
  const Format* format = format_of(self);
  if (format == nullptr) return nullptr;
  Py_ssize_t offset = 0;
  Py_buffer view;
  if (PyObject_GetBuffer(buffer, &view, PyBUF_SIMPLE) < 0) return nullptr;
  struct Guard {
    Py_buffer* view;
    ~Guard() { PyBuffer_Release(view); }
  } guard{&view};
  if (offset_object != nullptr) {
    auto index = Ref<>::steal(_PyNumber_Index(offset_object));
    if (!index) return nullptr;
    offset = PyLong_AsSsize_t(index.get());
    if (offset == -1 && PyErr_Occurred()) return nullptr;
  }
  if (offset < 0) {
    if (offset + format->size > 0) {
      return PyErr_Format(state->error, "not enough data to unpack %zd bytes at offset %zd", format->size, offset);
    }
    if (offset + view.len < 0) {
      return PyErr_Format(state->error, "offset %zd out of range for %zd-byte buffer", offset, view.len);
    }
    offset += view.len;
  }
  if (view.len - offset < format->size) {
    return PyErr_Format(state->error,
                        "unpack_from requires a buffer of at least %zu bytes for unpacking %zd bytes at offset %zd "
                        "(actual buffer size is %zd)",
                        static_cast<size_t>(format->size) + static_cast<size_t>(offset), format->size, offset, view.len);
  }
  BufferLock lock(&view);
  return unpack(format, static_cast<char*>(view.buf) + offset);
}

// The iterator holds the buffer until it is exhausted.
struct UnpackIterator {
  PyObject_HEAD
  PyObject* owner;  // the Struct; null when exhausted
  Py_buffer view;
  Py_ssize_t index;
};
UnpackIterator* as_iterator(PyObject* o) { return reinterpret_cast<UnpackIterator*>(o); }

PyObject* iterate(PyObject* self, PyObject* buffer) {
  State* state = as_struct(self)->state;
  const Format* format = format_of(self);
  if (format == nullptr) return nullptr;
  if (format->size == 0) {
    return PyErr_Format(state->error, "cannot iteratively unpack with a struct of length 0");
  }
  auto it = Ref<>::steal(state->iterator_type->tp_alloc(state->iterator_type, 0));
  if (!it) return nullptr;
  UnpackIterator* iterator = as_iterator(it.get());
  if (PyObject_GetBuffer(buffer, &iterator->view, PyBUF_SIMPLE) < 0) return nullptr;
  if (iterator->view.len % format->size != 0) {
    return PyErr_Format(state->error, "iterative unpacking requires a buffer of a multiple of %zd bytes", format->size);
  }
  iterator->owner = Py_NewRef(self);
  return it.release();
}

PyObject* iterator_next(PyObject* o) {
  UnpackIterator* it = as_iterator(o);
  ObjectLock lock(o);
  if (it->owner == nullptr) return nullptr;
  const Format* format = format_of(it->owner);
  if (format == nullptr) return nullptr;
  if (it->index > it->view.len - format->size) {
    Py_buffer view = std::exchange(it->view, Py_buffer{});
    Ref<> owner = Ref<>::steal(std::exchange(it->owner, nullptr));
    PyBuffer_Release(&view);
    return nullptr;
  }
  // The position first: locking the buffer may let another thread in here.
  const char* at = static_cast<char*>(it->view.buf) + it->index;
  it->index += format->size;
  BufferLock memory(&it->view);
  return unpack(format, at);
}

PyObject* iterator_length_hint(PyObject* o, PyObject*) {
  UnpackIterator* it = as_iterator(o);
  ObjectLock lock(o);
  const Format* format = it->owner != nullptr ? sync::load_acquire(as_struct(it->owner)->format) : nullptr;
  return int_from_int64(format == nullptr || format->size == 0 ? 0 : (it->view.len - it->index) / format->size);
}

int iterator_traverse(PyObject* o, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(o));
  Py_VISIT(as_iterator(o)->owner);
  Py_VISIT(as_iterator(o)->view.obj);
  return 0;
}

void iterator_dealloc(PyObject* o) {
  PyTypeObject* type = Py_TYPE(o);
  PyObject_GC_UnTrack(o);
  Py_XDECREF(as_iterator(o)->owner);
  PyBuffer_Release(&as_iterator(o)->view);
  type->tp_free(o);
  Py_DECREF(type);
}

// Methods of Struct.
PyObject* method_pack(PyObject* self, PyObject* const* args, Py_ssize_t nargs) { return pack_values(self, args, nargs); }
PyObject* method_unpack_from(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"buffer", "offset", nullptr};
  PyObject* given[2];
  if (!unpack_keywords(args, nargs, kwnames, {"unpack_from", kNames, 2, 1}, given)) return nullptr;
  return unpack_at(self, given[0], given[1]);
}
PyObject* method_sizeof(PyObject* self, PyObject*) {
  const Format* format = format_of(self);
  if (format == nullptr) return nullptr;
  const Py_ssize_t codes = format->count;
  return int_from_int64(static_cast<int64_t>(sizeof(Struct) + sizeof(Format) + sizeof(Code) * static_cast<size_t>(codes)));
}
PyObject* get_size(PyObject* self, void*) {
  const Format* format = sync::load_acquire(as_struct(self)->format);
  return int_from_int64(format != nullptr ? format->size : -1);
}
PyObject* get_format(PyObject* self, void*) {
  ObjectLock lock(self);
  if (format_of(self) == nullptr) return nullptr;
  return Py_NewRef(as_struct(self)->text);
}
PyObject* repr(PyObject* self) {
  auto text = Ref<>::steal(get_format(self, nullptr));
  auto name = text ? Ref<>::steal(PyType_GetName(Py_TYPE(self))) : Ref<>();
  return name ? PyUnicode_FromFormat("%U(%R)", name.get(), text.get()) : nullptr;
}

PyMethodDef struct_methods[] = {
    {"iter_unpack", iterate, METH_O,
     "iter_unpack($self, buffer, /)\n--\n\nAn iterator of tuples, each from the next piece of the buffer."},
    {"pack", _PyCFunction_CAST(method_pack), METH_FASTCALL, "pack(v1, v2, ...) -> bytes\n\nThe values as bytes."},
    {"pack_into", _PyCFunction_CAST(pack_into), METH_FASTCALL,
     "pack_into(buffer, offset, v1, v2, ...)\n\nWrites the values to a writable buffer."},
    {"unpack", unpack_all, METH_O, "unpack($self, buffer, /)\n--\n\nA tuple of the values in the buffer, which must be as large as the format."},
    {"unpack_from", _PyCFunction_CAST(method_unpack_from), METH_FASTCALL | METH_KEYWORDS,
     "unpack_from($self, /, buffer, offset=0)\n--\n\nA tuple of the values in the buffer from the offset on."},
    {"__sizeof__", method_sizeof, METH_NOARGS, "S.__sizeof__() -> size of S in memory, in bytes"},
    {nullptr, nullptr, 0, nullptr},
};

PyMemberDef struct_members[] = {
    {"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Struct, weakrefs), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

PyGetSetDef struct_getset[] = {
    {"format", get_format, nullptr, "struct format string", nullptr},
    {"size", get_size, nullptr, "struct size in bytes", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot struct_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(dealloc)},
    {Py_tp_getattro, reinterpret_cast<void*>(PyObject_GenericGetAttr)},
    {Py_tp_setattro, reinterpret_cast<void*>(PyObject_GenericSetAttr)},
    {Py_tp_doc, const_cast<char*>("Struct(fmt) --> compiled struct object\n\nA format that has been read once, for many uses.")},
    {Py_tp_traverse, reinterpret_cast<void*>(traverse)},
    {Py_tp_repr, reinterpret_cast<void*>(repr)},
    {Py_tp_methods, struct_methods},
    {Py_tp_members, struct_members},
    {Py_tp_getset, struct_getset},
    {Py_tp_init, reinterpret_cast<void*>(init)},
    {Py_tp_new, reinterpret_cast<void*>(make)},
    {0, nullptr},
};
PyType_Spec struct_spec = {
    "_struct.Struct", sizeof(Struct), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_IMMUTABLETYPE, struct_slots};

PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS, nullptr},
    {nullptr, nullptr, 0, nullptr},
};
PyType_Slot iterator_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(iterator_dealloc)},
    {Py_tp_getattro, reinterpret_cast<void*>(PyObject_GenericGetAttr)},
    {Py_tp_traverse, reinterpret_cast<void*>(iterator_traverse)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(iterator_next)},
    {Py_tp_methods, iterator_methods},
    {0, nullptr},
};
PyType_Spec iterator_spec = {
    "_struct.unpack_iterator", sizeof(UnpackIterator), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    iterator_slots};

// The Struct of a format: from the cache, which is emptied when it has grown large. Its keys are texts: comparing one with
// bytes may be an error.
Ref<> cached(PyObject* module, PyObject* format) {
  constexpr Py_ssize_t kCacheLimit = 100;
  State* state = state_of(module);
  Ref<> text;
  if (PyBytes_Check(format)) {
    text = Ref<>::steal(PyUnicode_DecodeASCII(PyBytes_AS_STRING(format), PyBytes_GET_SIZE(format), "surrogateescape"));
    if (!text) return nullptr;
    format = text.get();
  }
  PyObject* found;
  if (PyDict_GetItemRef(state->cache, format, &found) < 0) return nullptr;
  if (found != nullptr) return Ref<>::steal(found);
  auto fresh = Ref<>::steal(PyObject_CallOneArg(reinterpret_cast<PyObject*>(state->struct_type), format));
  if (!fresh) return nullptr;
  if (PyDict_GET_SIZE(state->cache) >= kCacheLimit) PyDict_Clear(state->cache);
  // The cache only saves time.
  if (PyDict_SetItem(state->cache, format, fresh.get()) < 0) PyErr_Clear();
  return fresh;
}

bool check_format(Py_ssize_t nargs) {
  if (nargs > 0) return true;
  PyErr_SetString(PyExc_TypeError, "missing format argument");
  return false;
}

PyObject* clear_cache(PyObject* module, PyObject*) {
  PyDict_Clear(state_of(module)->cache);
  Py_RETURN_NONE;
}
PyObject* calcsize(PyObject* module, PyObject* format) {
  auto s = cached(module, format);
  return s ? get_size(s.get(), nullptr) : nullptr;
}
PyObject* pack_function(PyObject* module, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_format(nargs)) return nullptr;
  auto s = cached(module, args[0]);
  return s ? pack_values(s.get(), args + 1, nargs - 1) : nullptr;
}
PyObject* pack_into_function(PyObject* module, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_format(nargs)) return nullptr;
  auto s = cached(module, args[0]);
  return s ? pack_into(s.get(), args + 1, nargs - 1) : nullptr;
}
PyObject* unpack_function(PyObject* module, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("unpack", nargs, 2, 2)) return nullptr;
  auto s = cached(module, args[0]);
  return s ? unpack_all(s.get(), args[1]) : nullptr;
}
PyObject* unpack_from_function(PyObject* module, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static constexpr const char* kNames[] = {"", "buffer", "offset", nullptr};
  PyObject* given[3];
  if (!unpack_keywords(args, nargs, kwnames, {"unpack_from", kNames, 3, 2}, given)) return nullptr;
  auto s = cached(module, given[0]);
  return s ? unpack_at(s.get(), given[1], given[2]) : nullptr;
}
PyObject* iter_unpack_function(PyObject* module, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("iter_unpack", nargs, 2, 2)) return nullptr;
  auto s = cached(module, args[0]);
  return s ? iterate(s.get(), args[1]) : nullptr;
}

PyMethodDef functions[] = {
    {"_clearcache", clear_cache, METH_NOARGS, "_clearcache($module, /)\n--\n\nEmpties the cache of formats."},
    {"calcsize", calcsize, METH_O, "calcsize($module, format, /)\n--\n\nThe size in bytes of what the format describes."},
    {"iter_unpack", _PyCFunction_CAST(iter_unpack_function), METH_FASTCALL,
     "iter_unpack($module, format, buffer, /)\n--\n\nAn iterator of tuples, each from the next piece of the buffer."},
    {"pack", _PyCFunction_CAST(pack_function), METH_FASTCALL,
     "pack(format, v1, v2, ...) -> bytes\n\nThe values as bytes, by the format."},
    {"pack_into", _PyCFunction_CAST(pack_into_function), METH_FASTCALL,
     "pack_into(format, buffer, offset, v1, v2, ...)\n\nWrites the values to a writable buffer."},
    {"unpack", _PyCFunction_CAST(unpack_function), METH_FASTCALL,
     "unpack($module, format, buffer, /)\n--\n\nA tuple of the values in the buffer."},
    {"unpack_from", _PyCFunction_CAST(unpack_from_function), METH_FASTCALL | METH_KEYWORDS,
     "unpack_from($module, format, /, buffer, offset=0)\n--\n\nA tuple of the values in the buffer from the offset on."},
    {nullptr, nullptr, 0, nullptr},
};

int exec(PyObject* module) {
  State* state = state_of(module);
  state->cache = PyDict_New();
  if (state->cache == nullptr) return -1;
  const auto make_type = [module](PyType_Spec* spec) {
    return reinterpret_cast<PyTypeObject*>(PyType_FromModuleAndSpec(module, spec, nullptr));
  };
  state->struct_type = make_type(&struct_spec);
  state->iterator_type = make_type(&iterator_spec);
  state->error = PyErr_NewException("struct.error", nullptr, nullptr);
  if (state->struct_type == nullptr || state->iterator_type == nullptr || state->error == nullptr) return -1;
  if (PyModule_AddType(module, state->struct_type) < 0) return -1;
  return PyModule_AddObjectRef(module, "error", state->error);
}

int module_traverse(PyObject* module, visitproc visit, void* arg) {
  State* state = state_of(module);
  if (state == nullptr) return 0;
  Py_VISIT(state->cache);
  Py_VISIT(state->struct_type);
  Py_VISIT(state->iterator_type);
  Py_VISIT(state->error);
  return 0;
}

int module_clear(PyObject* module) {
  State* state = state_of(module);
  if (state == nullptr) return 0;
  Py_CLEAR(state->cache);
  Py_CLEAR(state->struct_type);
  Py_CLEAR(state->iterator_type);
  Py_CLEAR(state->error);
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_struct",
    .m_doc = "Functions to convert between Python values and C structs.\n"
             "Python bytes objects are used to hold the data representing the C struct\n"
             "and also as format strings (explained below) to describe the layout of data\n"
             "in the C struct.",
    .m_size = sizeof(State),
    .m_methods = functions,
    .m_slots = slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
};

}  // namespace
}  // namespace amphis::structs

PyMODINIT_FUNC PyInit__struct(void) { return PyModuleDef_Init(&amphis::structs::definition); }
