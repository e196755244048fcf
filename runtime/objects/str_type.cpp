// The type str: slots, construction, indexing and iteration. The methods are in str_methods.cpp.
#include "objects/str.h"

#include "objects/container_support.h"
#include "objects/str_args.h"
#include "objects/str_concat.h"
#include "sync/ref.h"

namespace amphis {
namespace {

Py_ssize_t str_length(PyObject* s) {
  return PyUnicode_GET_LENGTH(s);
}

PyObject* str_item(PyObject* s, Py_ssize_t i) {
  if (i < 0 || i >= PyUnicode_GET_LENGTH(s)) {
    PyErr_SetString(PyExc_IndexError, "string index out of range");
    return nullptr;
  }
  return str_from_char(PyUnicode_READ_CHAR(s, i));
}

PyObject* str_subscript(PyObject* self, PyObject* key) {
  StrView s(self);
  if (PyIndex_Check(key)) {
    Py_ssize_t i = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (i == -1 && PyErr_Occurred()) return nullptr;
    return str_item(self, i < 0 ? i + s.length : i);
  }
  if (!PySlice_Check(key)) {
    PyErr_Format(PyExc_TypeError, "string indices must be integers, not '%.200s'", Py_TYPE(key)->tp_name);
    return nullptr;
  }
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(key, &start, &stop, &step) < 0) return nullptr;
  Py_ssize_t n = PySlice_AdjustIndices(s.length, &start, &stop, step);
  if (n <= 0) return empty_str();
  if (step == 1) return str_slice(self, start, start + n);
  if (n == 1) return str_from_char(s[start]);
  Py_UCS4 max_char = 0x7F;
  if (!s.ascii) {
    Py_UCS4 seen = 0;
    for (Py_ssize_t i = 0, at = start; i < n; i++, at += step) seen |= s[at];
    max_char = seen > kMaxCodePoint ? kMaxCodePoint : seen;
  }
  PyObject* result = PyUnicode_New(n, max_char);
  if (!result) return nullptr;
  int kind = static_cast<int>(PyUnicode_KIND(result));
  void* data = PyUnicode_DATA(result);
  if (kind == 1 && s.kind == 1) {
    const Py_UCS1* from = static_cast<const Py_UCS1*>(s.data);
    Py_UCS1* to = static_cast<Py_UCS1*>(data);
    for (Py_ssize_t i = 0, at = start; i < n; i++, at += step) to[i] = from[at];
  } else {
    for (Py_ssize_t i = 0, at = start; i < n; i++, at += step) PyUnicode_WRITE(kind, data, i, s[at]);
  }
  return result;
}

PyObject* str_str(PyObject* s) {
  return str_exact(s);
}
Py_hash_t str_hash_slot(PyObject* s) {
  return str_hash(s);
}

PyObject* str_remainder(PyObject* format, PyObject* args) {
  if (!PyUnicode_Check(format)) Py_RETURN_NOTIMPLEMENTED;
  return PyUnicode_Format(format, args);
}

// str(), str(object) or str(bytes, encoding, errors), as an exact str.
PyObject* make_str(PyObject* object, PyObject* encoding, PyObject* errors) {
  const char* encoding_text = nullptr;
  const char* errors_text = nullptr;
  if (encoding && !(encoding_text = text_argument("str", "argument 'encoding'", encoding))) return nullptr;
  if (errors && !(errors_text = text_argument("str", "argument 'errors'", errors))) return nullptr;
  if (!object) return empty_str();
  if (!encoding && !errors) return PyObject_Str(object);
  return PyUnicode_FromEncodedObject(object, encoding_text, errors_text);
}

// An instance of a subclass. It keeps its characters in a block of their own, since tp_basicsize is fixed.
PyObject* make_subclass_instance(PyTypeObject* type, PyObject* exact) {
  Ref<> owned = Ref<>::steal(exact);
  if (!owned) return nullptr;
  PyObject* source = exact;
  Ref<> converted;
  if (!PyUnicode_CheckExact(exact)) {
    // __str__ may have returned an instance of another subclass.
    converted = Ref<>::steal(str_exact(exact));
    if (!converted) return nullptr;
    source = converted.get();
  }
  Ref<> self = Ref<>::steal(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  StrView s(source);
  PyUnicodeObject* o = legacy_head(self.get());
  PyASCIIObject* head = ascii_head(self.get());
  head->length = s.length;
  head->hash = str_hash(source);
  head->state.interned = 0;
  head->state.kind = static_cast<unsigned>(s.kind);
  head->state.compact = 0;
  head->state.ascii = s.ascii;
  head->state.statically_allocated = 0;
  o->_base.utf8 = nullptr;
  o->_base.utf8_length = 0;
  size_t bytes = (static_cast<size_t>(s.length) + 1) * static_cast<size_t>(s.kind);
  o->data.any = PyMem_Malloc(bytes);
  if (!o->data.any) return PyErr_NoMemory();
  memcpy(o->data.any, s.data, bytes);
  if (s.ascii) {
    o->_base.utf8 = static_cast<char*>(o->data.any);
    o->_base.utf8_length = s.length;
  }
  return self.release();
}

constexpr const char* kStrParameters[] = {"object", "encoding", "errors"};
constexpr StrParameters kStrSignature = {"str", kStrParameters, 0, 0, 3};

PyObject* str_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (nargs > 3) {
    check_str_positional("str", nargs, 0, 3);
    return nullptr;
  }
  PyObject* a[3] = {nullptr, nullptr, nullptr};
  if (!kwargs || PyDict_GET_SIZE(kwargs) == 0) {
    for (Py_ssize_t i = 0; i < nargs; i++) a[i] = PyTuple_GET_ITEM(args, i);
  } else {
    static char* keywords[] = {const_cast<char*>("object"), const_cast<char*>("encoding"),
                               const_cast<char*>("errors"), nullptr};
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOO:str", keywords, &a[0], &a[1], &a[2])) return nullptr;
  }
  PyObject* s = make_str(a[0], a[1], a[2]);
  if (!s || type == &PyUnicode_Type) return s;
  return make_subclass_instance(type, s);
}

PyObject* str_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (type == reinterpret_cast<PyObject*>(&PyUnicode_Type) && nargs == 1 && !kwnames)
    return PyObject_Str(args[0]);
  if (nargs > 3) {
    check_str_positional("str", nargs + (kwnames ? PyTuple_GET_SIZE(kwnames) : 0), 0, 3);
    return nullptr;
  }
  PyObject* a[3];
  if (!bind_str_arguments(kStrSignature, args, nargs, kwnames, a)) return nullptr;
  return make_str(a[0], a[1], a[2]);
}

// Iteration. The index is -1 once the iterator is exhausted; threads that share one may see a character
// twice, never anything out of range.
struct StrIterator {
  PyObject_HEAD Py_ssize_t index;
  PyObject* s;
};

void iterator_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_XDECREF(reinterpret_cast<StrIterator*>(self)->s);
  PyObject_GC_Del(self);
}

int iterator_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<StrIterator*>(self)->s);
  return 0;
}

template <bool kAscii>
PyObject* iterator_next(PyObject* self) {
  StrIterator* it = reinterpret_cast<StrIterator*>(self);
  Py_ssize_t i = __atomic_load_n(&it->index, __ATOMIC_RELAXED);
  if (i < 0) return nullptr;
  PyObject* s = it->s;
  if (i >= PyUnicode_GET_LENGTH(s)) {
    __atomic_store_n(&it->index, Py_ssize_t{-1}, __ATOMIC_RELAXED);
    return nullptr;
  }
  __atomic_store_n(&it->index, i + 1, __ATOMIC_RELAXED);
  if (kAscii) return latin1_char(static_cast<const Py_UCS1*>(_PyUnicode_COMPACT_DATA(s))[i]);
  return str_from_char(PyUnicode_READ_CHAR(s, i));
}

PyObject* iterator_length_hint(PyObject* self, PyObject*) {
  StrIterator* it = reinterpret_cast<StrIterator*>(self);
  Py_ssize_t i = __atomic_load_n(&it->index, __ATOMIC_RELAXED);
  Py_ssize_t n = i < 0 ? 0 : PyUnicode_GET_LENGTH(it->s) - i;
  return PyLong_FromSsize_t(n < 0 ? 0 : n);
}

PyObject* iterator_reduce(PyObject* self, PyObject*) {
  StrIterator* it = reinterpret_cast<StrIterator*>(self);
  PyObject* iter = builtin_function("iter");
  if (!iter) return nullptr;
  Py_ssize_t i = __atomic_load_n(&it->index, __ATOMIC_RELAXED);
  if (i < 0) return Py_BuildValue("N(N)", iter, empty_str());
  return Py_BuildValue("N(O)n", iter, it->s, i);
}

PyObject* iterator_setstate(PyObject* self, PyObject* state) {
  StrIterator* it = reinterpret_cast<StrIterator*>(self);
  Py_ssize_t i = PyLong_AsSsize_t(state);
  if (i == -1 && PyErr_Occurred()) return nullptr;
  Py_ssize_t n = PyUnicode_GET_LENGTH(it->s);
  if (__atomic_load_n(&it->index, __ATOMIC_RELAXED) >= 0) {
    __atomic_store_n(&it->index, i < 0 ? 0 : i > n ? n : i, __ATOMIC_RELAXED);
  }
  Py_RETURN_NONE;
}

PyMethodDef iterator_methods[] = {
    {"__length_hint__", iterator_length_hint, METH_NOARGS,
     PyDoc_STR("Private method returning an estimate of len(list(it)).")},
    {"__reduce__", iterator_reduce, METH_NOARGS, PyDoc_STR("Return state information for pickling.")},
    {"__setstate__", iterator_setstate, METH_O, PyDoc_STR("Set state information for unpickling.")},
    {nullptr, nullptr, 0, nullptr},
};

PyNumberMethods str_as_number = {
    .nb_remainder = str_remainder,
};

PySequenceMethods str_as_sequence = {
    .sq_length = str_length,
    .sq_concat = PyUnicode_Concat,
    .sq_repeat = str_repeat,
    .sq_item = str_item,
    .sq_contains = PyUnicode_Contains,
};

PyMappingMethods str_as_mapping = {
    .mp_length = str_length,
    .mp_subscript = str_subscript,
};

constexpr char kStrDoc[] =
    "str(object='') -> str\n"
    "str(bytes_or_buffer[, encoding[, errors]]) -> str\n"
    "\n"
    "Create a new string object from the given object. If encoding or\n"
    "errors is specified, then the object must expose a data buffer\n"
    "that will be decoded using the given encoding and error handler.\n"
    "Otherwise, returns the result of object.__str__() (if defined)\n"
    "or repr(object).\n"
    "encoding defaults to 'utf-8'.\n"
    "errors defaults to 'strict'.";

}  // namespace
}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyUnicode_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "str",
    .tp_basicsize = sizeof(PyUnicodeObject),
    .tp_dealloc = str_dealloc,
    .tp_repr = str_repr,
    .tp_as_number = &str_as_number,
    .tp_as_sequence = &str_as_sequence,
    .tp_as_mapping = &str_as_mapping,
    .tp_hash = str_hash_slot,
    .tp_str = str_str,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags =
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_UNICODE_SUBCLASS | _Py_TPFLAGS_MATCH_SELF,
    .tp_doc = kStrDoc,
    .tp_richcompare = PyUnicode_RichCompare,
    .tp_iter = str_iter,
    .tp_methods = str_methods,
    .tp_new = str_new,
    .tp_free = PyObject_Free,
    .tp_vectorcall = str_vectorcall,
};

PyTypeObject PyUnicodeIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "str_iterator",
    .tp_basicsize = sizeof(StrIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next<false>,
    .tp_methods = iterator_methods,
};

PyTypeObject _PyUnicodeASCIIIter_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "str_ascii_iterator",
    .tp_basicsize = sizeof(StrIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next<true>,
    .tp_methods = iterator_methods,
};

}  // extern "C"

namespace amphis {

PyObject* str_iter(PyObject* s) {
  StrIterator* it = PyUnicode_IS_COMPACT_ASCII(s) ? PyObject_GC_New(StrIterator, &_PyUnicodeASCIIIter_Type)
                                                  : PyObject_GC_New(StrIterator, &PyUnicodeIter_Type);
  if (!it) return nullptr;
  it->index = 0;
  it->s = Py_NewRef(s);
  PyObject_GC_Track(reinterpret_cast<PyObject*>(it));
  return reinterpret_cast<PyObject*>(it);
}

}  // namespace amphis
