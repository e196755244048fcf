// The views dict.keys(), dict.values() and dict.items(). A view holds its dictionary and nothing else. Keys
// and items are set-like: their operators make new sets.
#include "objects/dict.h"
#include "objects/set.h"

using namespace amphis;

namespace amphis {

namespace {

PyDictObject* dict_of(PyObject* view) {
  return reinterpret_cast<DictView*>(view)->dict;
}

bool is_items(PyObject* op) {
  return PyObject_TypeCheck(op, &PyDictItems_Type);
}
bool is_set_view(PyObject* op) {
  return PyObject_TypeCheck(op, &PyDictKeys_Type) || is_items(op);
}

void view_dealloc(PyObject* self) {
  untrack(self);
  Py_XDECREF(dict_of(self));
  PyObject_GC_Del(self);
}

int view_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(dict_of(self));
  return 0;
}

Py_ssize_t view_length(PyObject* self) {
  return dict_of(self) == nullptr ? 0 : PyDict_GET_SIZE(dict_of(self));
}

PyObject* view_repr(PyObject* self) {
  const int nested = Py_ReprEnter(self);
  if (nested != 0) return nested > 0 ? PyUnicode_FromString("...") : nullptr;
  PyObject* text = nullptr;
  if (Ref<> list = Ref<>::steal(PySequence_List(self)); list) {
    text = PyUnicode_FromFormat("%s(%R)", Py_TYPE(self)->tp_name, list.get());
  }
  Py_ReprLeave(self);
  return text;
}

PyObject* view_mapping(PyObject* self, void*) {
  return PyDictProxy_New(reinterpret_cast<PyObject*>(dict_of(self)));
}

PyObject* keys_iter(PyObject* self) {
  return dict_new_iterator(dict_of(self), &PyDictIterKey_Type);
}
PyObject* values_iter(PyObject* self) {
  return dict_new_iterator(dict_of(self), &PyDictIterValue_Type);
}
PyObject* items_iter(PyObject* self) {
  return dict_new_iterator(dict_of(self), &PyDictIterItem_Type);
}
PyObject* keys_reversed(PyObject* self, PyObject*) {
  return dict_new_iterator(dict_of(self), &PyDictRevIterKey_Type);
}
PyObject* values_reversed(PyObject* self, PyObject*) {
  return dict_new_iterator(dict_of(self), &PyDictRevIterValue_Type);
}
PyObject* items_reversed(PyObject* self, PyObject*) {
  return dict_new_iterator(dict_of(self), &PyDictRevIterItem_Type);
}

int keys_contains(PyObject* self, PyObject* key) {
  return PyDict_Contains(reinterpret_cast<PyObject*>(dict_of(self)), key);
}

int items_contains(PyObject* self, PyObject* item) {
  if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) return 0;
  PyObject* found;
  const int present =
      PyDict_GetItemRef(reinterpret_cast<PyObject*>(dict_of(self)), PyTuple_GET_ITEM(item, 0), &found);
  if (present <= 0) return present;
  Ref<> value = Ref<>::steal(found);
  return PyObject_RichCompareBool(value.get(), PyTuple_GET_ITEM(item, 1), Py_EQ);
}

int set_view_contains(PyObject* view, PyObject* item) {
  return is_items(view) ? items_contains(view, item) : keys_contains(view, item);
}

// Calls visit(item) for the items of an iterable until it returns non-zero, which is the result; 0 at the
// end, -1 error.
template <class Visit>
int for_each(PyObject* iterable, Visit&& visit) {
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(iterable));
  if (!iterator) return -1;
  for (;;) {
    PyObject* next;
    const int more = PyIter_NextItem(iterator.get(), &next);
    if (more <= 0) return more;
    Ref<> item = Ref<>::steal(next);
    const int stop = visit(item.get());
    if (stop != 0) return stop;
  }
}

// 1 when every item of `a` is in `b`, 0 when not, -1 on error.
int all_contained(PyObject* a, PyObject* b) {
  const int stop = for_each(a, [b](PyObject* item) {
    const int present = PySequence_Contains(b, item);
    return present < 0 ? -1 : present == 0 ? 1 : 0;
  });
  return stop < 0 ? -1 : stop == 0;
}

PyObject* view_compare(PyObject* self, PyObject* other, int op) {
  if (!PyAnySet_Check(other) && !is_set_view(other)) Py_RETURN_NOTIMPLEMENTED;
  const Py_ssize_t a = PyObject_Size(self);
  const Py_ssize_t b = a < 0 ? -1 : PyObject_Size(other);
  if (b < 0) return nullptr;
  int result = 0;
  switch (op) {
    case Py_NE:
    case Py_EQ:
      if (a == b) result = all_contained(self, other);
      if (op == Py_NE && result >= 0) result = !result;
      break;
    case Py_LT:
      if (a < b) result = all_contained(self, other);
      break;
    case Py_LE:
      if (a <= b) result = all_contained(self, other);
      break;
    case Py_GT:
      if (a > b) result = all_contained(other, self);
      break;
    case Py_GE:
      if (a >= b) result = all_contained(other, self);
      break;
  }
  return result < 0 ? nullptr : PyBool_FromLong(result);
}

PyObject* updated_set(PyObject* self, PyObject* other, PyObject* method) {
  Ref<> result = Ref<>::steal(PySet_New(self));
  if (!result) return nullptr;
  Ref<> done = Ref<>::steal(PyObject_CallMethodOneArg(result.get(), method, other));
  return done ? result.release() : nullptr;
}

PyObject* view_sub(PyObject* self, PyObject* other) {
  return updated_set(self, other, AMPHIS_STATIC_NAME("difference_update"));
}
PyObject* view_or(PyObject* self, PyObject* other) {
  return updated_set(self, other, AMPHIS_STATIC_NAME("update"));
}
PyObject* view_xor(PyObject* self, PyObject* other) {
  return updated_set(self, other, AMPHIS_STATIC_NAME("symmetric_difference_update"));
}

PyObject* view_and(PyObject* self, PyObject* other) {
  if (!is_set_view(self)) std::swap(self, other);  // the reflected operator
  const Py_ssize_t size = view_length(self);
  if (PySet_CheckExact(other) && size <= PySet_GET_SIZE(other)) {
    return PyObject_CallMethodOneArg(other, AMPHIS_STATIC_NAME("intersection"), self);
  }
  if (is_set_view(other) && view_length(other) > size) std::swap(self, other);
  Ref<> result = Ref<>::steal(PySet_New(nullptr));
  if (!result) return nullptr;
  const int stop = for_each(other, [&](PyObject* item) {
    const int present = set_view_contains(self, item);
    return present <= 0 ? present : PySet_Add(result.get(), item);
  });
  return stop < 0 ? nullptr : result.release();
}

PyObject* view_isdisjoint(PyObject* self, PyObject* other) {
  if (self == other) return PyBool_FromLong(view_length(self) == 0);
  if (PyAnySet_CheckExact(other) || is_set_view(other)) {
    const Py_ssize_t size = PyObject_Size(other);
    if (size < 0) return nullptr;
    if (size > view_length(self)) std::swap(self, other);  // walk the smaller one
  }
  const int stop = for_each(other, [self](PyObject* item) { return PySequence_Contains(self, item); });
  return stop < 0 ? nullptr : PyBool_FromLong(stop == 0);
}

#define AMPHIS_VIEW_SHARED_METHODS(reversed) \
  {"__reversed__", reversed, METH_NOARGS,    \
   "__reversed__($self, /)\n--\n\nReturn a reverse iterator over the view."}

PyMethodDef keys_methods[] = {
    {"isdisjoint", view_isdisjoint, METH_O,
     "isdisjoint($self, other, /)\n--\n\nWhether the view and other share nothing."},
    AMPHIS_VIEW_SHARED_METHODS(keys_reversed),
    {},
};
PyMethodDef items_methods[] = {
    {"isdisjoint", view_isdisjoint, METH_O,
     "isdisjoint($self, other, /)\n--\n\nWhether the view and other share nothing."},
    AMPHIS_VIEW_SHARED_METHODS(items_reversed),
    {},
};
PyMethodDef values_methods[] = {AMPHIS_VIEW_SHARED_METHODS(values_reversed), {}};

PyGetSetDef view_getset[] = {
    {"mapping", view_mapping, nullptr, "dictionary that this view refers to", nullptr},
    {},
};

PyNumberMethods view_number = {
    .nb_subtract = view_sub, .nb_and = view_and, .nb_xor = view_xor, .nb_or = view_or};
PySequenceMethods keys_sequence = {.sq_length = view_length, .sq_contains = keys_contains};
PySequenceMethods items_sequence = {.sq_length = view_length, .sq_contains = items_contains};
PySequenceMethods values_sequence = {.sq_length = view_length};

}  // namespace

PyObject* dict_new_view(PyObject* dict, PyTypeObject* type) {
  if (dict == nullptr) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  if (!PyDict_Check(dict)) {
    PyErr_Format(PyExc_TypeError, "%s() requires a dict argument, not '%s'", type->tp_name,
                 Py_TYPE(dict)->tp_name);
    return nullptr;
  }
  DictView* view = make_gc_object<DictView>(type);
  if (view == nullptr) return nullptr;
  view->dict = reinterpret_cast<PyDictObject*>(Py_NewRef(dict));
  track(view);
  return reinterpret_cast<PyObject*>(view);
}

}  // namespace amphis

PyTypeObject PyDictKeys_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "dict_keys",
    .tp_basicsize = sizeof(DictView),
    .tp_dealloc = view_dealloc,
    .tp_repr = view_repr,
    .tp_as_number = &view_number,
    .tp_as_sequence = &keys_sequence,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = view_traverse,
    .tp_richcompare = view_compare,
    .tp_iter = keys_iter,
    .tp_methods = keys_methods,
    .tp_getset = view_getset,
};

PyTypeObject PyDictItems_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "dict_items",
    .tp_basicsize = sizeof(DictView),
    .tp_dealloc = view_dealloc,
    .tp_repr = view_repr,
    .tp_as_number = &view_number,
    .tp_as_sequence = &items_sequence,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = view_traverse,
    .tp_richcompare = view_compare,
    .tp_iter = items_iter,
    .tp_methods = items_methods,
    .tp_getset = view_getset,
};

PyTypeObject PyDictValues_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "dict_values",
    .tp_basicsize = sizeof(DictView),
    .tp_dealloc = view_dealloc,
    .tp_repr = view_repr,
    .tp_as_sequence = &values_sequence,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = view_traverse,
    .tp_iter = values_iter,
    .tp_methods = values_methods,
    .tp_getset = view_getset,
};
