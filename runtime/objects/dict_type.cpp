// The type `dict`: construction, slots and methods. Comparison and repr walk the entries one by one with
// dict_next_ref, because what they call may change the dictionary.
#include "objects/dict.h"

using namespace amphis;

namespace amphis {

PyObject* dict_subscript(PyObject* self, PyObject* key) {
  PyObject* value;
  const int found = PyDict_GetItemRef(self, key, &value);
  if (found != 0) return value;
  if (!PyDict_CheckExact(self)) {
    Ref<> missing = Ref<>::steal(lookup_special(self, AMPHIS_STATIC_NAME("__missing__")));
    if (missing) return PyObject_CallOneArg(missing.get(), key);
    if (PyErr_Occurred()) return nullptr;
  }
  set_key_error(key);
  return nullptr;
}

namespace {

PyDictObject* as_dict(PyObject* op) {
  return reinterpret_cast<PyDictObject*>(op);
}

// ---- life ----

PyObject* dict_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  PyDictObject* dict = as_dict(self);
  dict->ma_used = 0;
  dict->_ma_watcher_tag = 0;
  dict_keys_field(dict) = &dict_empty_keys.head;
  dict->ma_values = nullptr;
  return self;
}

int update_from_args(PyObject* self, PyObject* args, PyObject* kwargs, const char* name) {
  const Py_ssize_t nargs = PyTuple_GET_SIZE(args);
  if (!check_positional(name, nargs, 0, 1)) return -1;
  if (nargs == 1 && dict_update_from(self, PyTuple_GET_ITEM(args, 0)) < 0) return -1;
  if (kwargs == nullptr) return 0;
  if (!PyArg_ValidateKeywordArguments(kwargs)) return -1;
  return PyDict_Merge(self, kwargs, 1);
}

int dict_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  return update_from_args(self, args, kwargs, "dict");
}

PyObject* dict_vectorcall(PyObject* type, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  const Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (!check_positional("dict", nargs, 0, 1)) return nullptr;
  auto* cls = reinterpret_cast<PyTypeObject*>(type);
  Ref<> self = Ref<>::steal(cls == &PyDict_Type ? PyDict_New() : dict_new(cls, nullptr, nullptr));
  if (!self) return nullptr;
  if (nargs == 1 && dict_update_from(self.get(), args[0]) < 0) return nullptr;
  const Py_ssize_t nkw = kwnames == nullptr ? 0 : PyTuple_GET_SIZE(kwnames);
  if (nkw > 0 && dict_reserve(as_dict(self.get()), nkw) < 0) return nullptr;
  for (Py_ssize_t i = 0; i < nkw; i++) {
    if (PyDict_SetItem(self.get(), PyTuple_GET_ITEM(kwnames, i), args[nargs + i]) < 0) return nullptr;
  }
  return self.release();
}

void dict_dealloc(PyObject* self) {
  untrack(self);
  Py_TRASHCAN_BEGIN(self, dict_dealloc) dict_free_storage(as_dict(self));
  Py_TYPE(self)->tp_free(self);
  Py_TRASHCAN_END
}

int dict_traverse(PyObject* self, visitproc visit, void* arg) {
  DictKeys* keys = dict_keys_field(as_dict(self));
  if (keys == nullptr) return 0;
  for (uint32_t i = keys->live_begin; i < keys->nentries; i++) {
    StrEntry* entry = dict_entry(keys, i);
    if (entry->key == nullptr) continue;
    if (keys->general) Py_VISIT(entry->key);
    Py_VISIT(entry->value);
  }
  return 0;
}

int dict_clear_slot(PyObject* self) {
  PyDict_Clear(self);
  return 0;
}

// ---- slots ----

Py_ssize_t dict_length(PyObject* self) {
  return PyDict_GET_SIZE(self);
}

int dict_assign(PyObject* self, PyObject* key, PyObject* value) {
  return value == nullptr ? PyDict_DelItem(self, key) : PyDict_SetItem(self, key, value);
}

PyObject* dict_iter(PyObject* self) {
  return dict_new_iterator(as_dict(self), &PyDictIterKey_Type);
}

PyObject* write_repr(PyObject* self) {
  PyUnicodeWriter* writer = PyUnicodeWriter_Create(2 + PyDict_GET_SIZE(self) * 6);
  if (writer == nullptr) return nullptr;
  bool ok = PyUnicodeWriter_WriteChar(writer, '{') == 0;
  Py_ssize_t pos = 0;
  bool first = true;
  PyObject *k, *v;
  while (ok && dict_next_ref(as_dict(self), &pos, &k, &v)) {
    Ref<> key = Ref<>::steal(k);
    Ref<> value = Ref<>::steal(v);
    ok = (first || PyUnicodeWriter_WriteASCII(writer, ", ", 2) == 0) &&
         PyUnicodeWriter_WriteRepr(writer, key.get()) == 0 &&
         PyUnicodeWriter_WriteASCII(writer, ": ", 2) == 0 &&
         PyUnicodeWriter_WriteRepr(writer, value.get()) == 0;
    first = false;
  }
  ok = ok && PyUnicodeWriter_WriteChar(writer, '}') == 0;
  if (ok) return PyUnicodeWriter_Finish(writer);
  PyUnicodeWriter_Discard(writer);
  return nullptr;
}

PyObject* dict_repr(PyObject* self) {
  const int nested = Py_ReprEnter(self);
  if (nested != 0) return nested > 0 ? PyUnicode_FromString("{...}") : nullptr;
  PyObject* text = PyDict_GET_SIZE(self) == 0 ? PyUnicode_FromString("{}") : write_repr(self);
  Py_ReprLeave(self);
  return text;
}

// 1 equal, 0 different, -1 error.
int dicts_equal(PyObject* a, PyObject* b) {
  if (PyDict_GET_SIZE(a) != PyDict_GET_SIZE(b)) return 0;
  Py_ssize_t pos = 0;
  PyObject *k, *v;
  Py_hash_t hash;
  while (dict_next_ref(as_dict(a), &pos, &k, &v, &hash)) {
    Ref<> key = Ref<>::steal(k);
    Ref<> value = Ref<>::steal(v);
    PyObject* other;
    const int found = dict_get_ref_hashed(as_dict(b), key.get(), hash, &other);
    if (found <= 0) return found;
    Ref<> hold = Ref<>::steal(other);
    const int equal = PyObject_RichCompareBool(value.get(), other, Py_EQ);
    if (equal <= 0) return equal;
  }
  return 1;
}

PyObject* dict_compare(PyObject* a, PyObject* b, int op) {
  if ((op != Py_EQ && op != Py_NE) || !PyDict_Check(a) || !PyDict_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  const int equal = dicts_equal(a, b);
  return equal < 0 ? nullptr : PyBool_FromLong(equal == (op == Py_EQ));
}

PyObject* dict_or(PyObject* a, PyObject* b) {
  if (!PyDict_Check(a) || !PyDict_Check(b)) Py_RETURN_NOTIMPLEMENTED;
  Ref<> result = Ref<>::steal(PyDict_Copy(a));
  if (!result || dict_update_from(result.get(), b) < 0) return nullptr;
  return result.release();
}

PyObject* dict_inplace_or(PyObject* self, PyObject* other) {
  return dict_update_from(self, other) < 0 ? nullptr : Py_NewRef(self);
}

// ---- methods ----

PyObject* method_get(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("get", nargs, 1, 2)) return nullptr;
  PyObject* value;
  const int found = PyDict_GetItemRef(self, args[0], &value);
  if (found != 0) return value;
  return Py_NewRef(nargs == 2 ? args[1] : Py_None);
}

PyObject* method_setdefault(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("setdefault", nargs, 1, 2)) return nullptr;
  PyObject* value;
  PyDict_SetDefaultRef(self, args[0], nargs == 2 ? args[1] : Py_None, &value);
  return value;
}

PyObject* method_pop(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("pop", nargs, 1, 2)) return nullptr;
  PyObject* value;
  const int found = PyDict_Pop(self, args[0], &value);
  if (found != 0) return value;
  if (nargs == 2) return Py_NewRef(args[1]);
  set_key_error(args[0]);
  return nullptr;
}

PyObject* method_popitem(PyObject* self, PyObject*) {
  PyObject *key, *value;
  {
    ObjectLock lock(self);
    const Py_ssize_t index = dict_last_entry(as_dict(self));
    if (index < 0) {
      PyErr_SetString(PyExc_KeyError, "popitem(): dictionary is empty");
      return nullptr;
    }
    dict_remove_entry(as_dict(self), index, &key, &value);
  }
  return pack_pair(key, value);
}

PyObject* method_update(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (update_from_args(self, args, kwargs, "update") < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* method_fromkeys(PyObject* cls, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("fromkeys", nargs, 1, 2)) return nullptr;
  return dict_from_keys(cls, args[0], nargs == 2 ? args[1] : Py_None);
}

PyObject* method_clear(PyObject* self, PyObject*) {
  PyDict_Clear(self);
  Py_RETURN_NONE;
}

PyObject* method_copy(PyObject* self, PyObject*) {
  return PyDict_Copy(self);
}

PyObject* method_contains(PyObject* self, PyObject* key) {
  const int found = PyDict_Contains(self, key);
  return found < 0 ? nullptr : PyBool_FromLong(found);
}

PyObject* method_keys(PyObject* self, PyObject*) {
  return dict_new_view(self, &PyDictKeys_Type);
}
PyObject* method_values(PyObject* self, PyObject*) {
  return dict_new_view(self, &PyDictValues_Type);
}
PyObject* method_items(PyObject* self, PyObject*) {
  return dict_new_view(self, &PyDictItems_Type);
}

PyObject* method_reversed(PyObject* self, PyObject*) {
  return dict_new_iterator(as_dict(self), &PyDictRevIterKey_Type);
}

extern "C" Py_ssize_t _PyDict_SizeOf(PyDictObject* dict);
PyObject* method_sizeof(PyObject* self, PyObject*) {
  return PyLong_FromSsize_t(_PyDict_SizeOf(as_dict(self)));
}

PyMethodDef methods[] = {
    {"__contains__", method_contains, METH_O | METH_COEXIST,
     "__contains__($self, key, /)\n--\n\nWhether the dictionary has this key."},
    {"__getitem__", dict_subscript, METH_O | METH_COEXIST,
     "__getitem__($self, key, /)\n--\n\nReturn self[key]."},
    {"__sizeof__", method_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\nSize in memory, in bytes."},
    {"get", AMPHIS_METHOD(method_get), METH_FASTCALL,
     "get($self, key, default=None, /)\n--\n\nThe value of key, or default where the key is missing."},
    {"setdefault", AMPHIS_METHOD(method_setdefault), METH_FASTCALL,
     "setdefault($self, key, default=None, /)\n--\n\nThe value of key, which becomes default where it is "
     "missing."},
    {"pop", AMPHIS_METHOD(method_pop), METH_FASTCALL,
     "pop($self, key, default=<unrepresentable>, /)\n--\n\n"
     "Remove the key and return its value; default, or KeyError without one, where it is missing."},
    {"popitem", method_popitem, METH_NOARGS,
     "popitem($self, /)\n--\n\nRemove the newest pair and return it as (key, value)."},
    {"keys", method_keys, METH_NOARGS,
     "keys($self, /)\n--\n\nReturn a set-like object providing a view on the dict's keys."},
    {"items", method_items, METH_NOARGS,
     "items($self, /)\n--\n\nReturn a set-like object providing a view on the dict's items."},
    {"values", method_values, METH_NOARGS,
     "values($self, /)\n--\n\nReturn an object providing a view on the dict's values."},
    {"update", AMPHIS_METHOD(method_update), METH_VARARGS | METH_KEYWORDS,
     "D.update([E, ]**F) -> None.  Set D[k] = v for the pairs of the mapping or iterable E, then of F."},
    {"fromkeys", AMPHIS_METHOD(method_fromkeys), METH_FASTCALL | METH_CLASS,
     "fromkeys($type, iterable, value=None, /)\n--\n\nA new dictionary with these keys, each with this "
     "value."},
    {"clear", method_clear, METH_NOARGS, "clear($self, /)\n--\n\nRemove all items from the dict."},
    {"copy", method_copy, METH_NOARGS, "copy($self, /)\n--\n\nReturn a shallow copy of the dict."},
    {"__reversed__", method_reversed, METH_NOARGS,
     "__reversed__($self, /)\n--\n\nReturn a reverse iterator over the dict keys."},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

PyNumberMethods as_number = {.nb_or = dict_or, .nb_inplace_or = dict_inplace_or};
PySequenceMethods as_sequence = {.sq_contains = PyDict_Contains};
PyMappingMethods as_mapping = {
    .mp_length = dict_length, .mp_subscript = dict_subscript, .mp_ass_subscript = dict_assign};

constexpr const char* kDoc =
    "dict() -> new empty dictionary\n"
    "dict(mapping) -> new dictionary with the pairs of a mapping\n"
    "dict(iterable) -> new dictionary from an iterable of (key, value) pairs\n"
    "dict(**kwargs) -> new dictionary with the name=value pairs of the call";

}  // namespace
}  // namespace amphis

PyTypeObject PyDict_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "dict",
    .tp_basicsize = sizeof(PyDictObject),
    .tp_dealloc = dict_dealloc,
    .tp_repr = dict_repr,
    .tp_as_number = &as_number,
    .tp_as_sequence = &as_sequence,
    .tp_as_mapping = &as_mapping,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DICT_SUBCLASS |
                _Py_TPFLAGS_MATCH_SELF | Py_TPFLAGS_MAPPING,
    .tp_doc = kDoc,
    .tp_traverse = dict_traverse,
    .tp_clear = dict_clear_slot,
    .tp_richcompare = dict_compare,
    .tp_iter = dict_iter,
    .tp_methods = methods,
    .tp_init = dict_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = dict_new,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = dict_vectorcall,
};
