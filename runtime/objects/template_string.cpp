// string.templatelib's Template and Interpolation (PEP 750): what a t-string evaluates to.
#include "objects/template_string.h"

#include "objects/names.h"
#include "sync/ref.h"

namespace amphis {

namespace {

struct Interpolation {
  PyObject_HEAD
  PyObject* value;
  PyObject* expression;
  PyObject* conversion;
  PyObject* format_spec;
};

struct Template {
  PyObject_HEAD
  PyObject* strings;         // tuple, one longer than interpolations
  PyObject* interpolations;  // tuple
};

struct TemplateIterator {
  PyObject_HEAD
  PyObject* strings;         // iterators over the two tuples
  PyObject* interpolations;
  bool from_strings;
};

extern "C" PyTypeObject Interpolation_Type;
extern "C" PyTypeObject Template_Type;
extern "C" PyTypeObject TemplateIterator_Type;

Interpolation* as_interpolation(PyObject* o) { return reinterpret_cast<Interpolation*>(o); }
Template* as_template(PyObject* o) { return reinterpret_cast<Template*>(o); }
TemplateIterator* as_iterator(PyObject* o) { return reinterpret_cast<TemplateIterator*>(o); }

// --- Interpolation

PyObject* interpolation_tp_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"value", "expression", "conversion", "format_spec", nullptr};
  PyObject *value, *expression = nullptr, *conversion = Py_None, *spec = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|UOU:Interpolation", const_cast<char**>(keywords), &value,
                                   &expression, &conversion, &spec)) {
    return nullptr;
  }
  if (conversion != Py_None) {
    if (!PyUnicode_Check(conversion)) {
      PyErr_Format(PyExc_TypeError, "Interpolation() argument 'conversion' must be str, not %T", conversion);
      return nullptr;
    }
    if (!PyUnicode_EqualToUTF8(conversion, "s") && !PyUnicode_EqualToUTF8(conversion, "r") &&
        !PyUnicode_EqualToUTF8(conversion, "a")) {
      PyErr_SetString(PyExc_ValueError, "Interpolation() argument 'conversion' must be one of 's', 'a' or 'r'");
      return nullptr;
    }
  }
  Ref<> empty = Ref<>::steal(PyUnicode_FromStringAndSize(nullptr, 0));
  auto* self = as_interpolation(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->value = Py_NewRef(value);
  self->expression = Py_NewRef(expression != nullptr ? expression : empty.get());
  self->conversion = Py_NewRef(conversion);
  self->format_spec = Py_NewRef(spec != nullptr ? spec : empty.get());
  return reinterpret_cast<PyObject*>(self);
}

int interpolation_traverse(PyObject* self, visitproc visit, void* arg) {
  Interpolation* i = as_interpolation(self);
  Py_VISIT(i->value);
  Py_VISIT(i->expression);
  Py_VISIT(i->conversion);
  Py_VISIT(i->format_spec);
  return 0;
}
int interpolation_clear(PyObject* self) {
  Interpolation* i = as_interpolation(self);
  Py_CLEAR(i->value);
  Py_CLEAR(i->expression);
  Py_CLEAR(i->conversion);
  Py_CLEAR(i->format_spec);
  return 0;
}
void interpolation_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  interpolation_clear(self);
  Py_TYPE(self)->tp_free(self);
}
PyObject* interpolation_repr(PyObject* self) {
  Interpolation* i = as_interpolation(self);
  return PyUnicode_FromFormat("%s(%R, %R, %R, %R)", _PyType_Name(Py_TYPE(self)), i->value, i->expression,
                              i->conversion, i->format_spec);
}
PyObject* interpolation_reduce(PyObject* self, PyObject*) {
  Interpolation* i = as_interpolation(self);
  return Py_BuildValue("(O(OOOO))", Py_TYPE(self), i->value, i->expression, i->conversion, i->format_spec);
}

PyMemberDef interpolation_members[] = {
    {"value", _Py_T_OBJECT, offsetof(Interpolation, value), Py_READONLY, "Value"},
    {"expression", _Py_T_OBJECT, offsetof(Interpolation, expression), Py_READONLY, "Expression"},
    {"conversion", _Py_T_OBJECT, offsetof(Interpolation, conversion), Py_READONLY, "Conversion"},
    {"format_spec", _Py_T_OBJECT, offsetof(Interpolation, format_spec), Py_READONLY, "Format specifier"},
    {},
};
PyMethodDef interpolation_methods[] = {
    {"__reduce__", interpolation_reduce, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

// --- Template

PyObject* template_tp_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0) {
    PyErr_SetString(PyExc_TypeError, "Template.__new__ only accepts *args arguments");
    return nullptr;
  }
  // Neighbouring strings are joined, neighbouring interpolations get an empty string between them.
  Ref<> strings = Ref<>::steal(PyList_New(0));
  Ref<> interpolations = Ref<>::steal(PyList_New(0));
  Ref<> pending = Ref<>::steal(PyUnicode_FromStringAndSize(nullptr, 0));
  if (!strings || !interpolations || !pending) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(args); ++i) {
    PyObject* part = PyTuple_GET_ITEM(args, i);
    if (PyUnicode_Check(part)) {
      pending = Ref<>::steal(PyUnicode_Concat(pending, part));
      if (!pending) return nullptr;
    } else if (PyObject_TypeCheck(part, &Interpolation_Type)) {
      if (PyList_Append(strings, pending) < 0 || PyList_Append(interpolations, part) < 0) return nullptr;
      pending = Ref<>::steal(PyUnicode_FromStringAndSize(nullptr, 0));
      if (!pending) return nullptr;
    } else {
      PyErr_Format(PyExc_TypeError,
                   "Template.__new__ *args need to be of type 'str' or 'Interpolation', got %T", part);
      return nullptr;
    }
  }
  if (PyList_Append(strings, pending) < 0) return nullptr;
  Ref<> string_tuple = Ref<>::steal(PyList_AsTuple(strings));
  Ref<> interpolation_tuple = Ref<>::steal(PyList_AsTuple(interpolations));
  if (!string_tuple || !interpolation_tuple) return nullptr;
  auto* self = as_template(type->tp_alloc(type, 0));
  if (self == nullptr) return nullptr;
  self->strings = string_tuple.release();
  self->interpolations = interpolation_tuple.release();
  return reinterpret_cast<PyObject*>(self);
}

int template_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_template(self)->strings);
  Py_VISIT(as_template(self)->interpolations);
  return 0;
}
int template_clear(PyObject* self) {
  Py_CLEAR(as_template(self)->strings);
  Py_CLEAR(as_template(self)->interpolations);
  return 0;
}
void template_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  template_clear(self);
  Py_TYPE(self)->tp_free(self);
}
PyObject* template_repr(PyObject* self) {
  return PyUnicode_FromFormat("%s(strings=%R, interpolations=%R)", _PyType_Name(Py_TYPE(self)),
                              as_template(self)->strings, as_template(self)->interpolations);
}

PyObject* template_iter(PyObject* self) {
  auto* it = PyObject_GC_New(TemplateIterator, &TemplateIterator_Type);
  if (it == nullptr) return nullptr;
  it->strings = PyObject_GetIter(as_template(self)->strings);
  it->interpolations = PyObject_GetIter(as_template(self)->interpolations);
  it->from_strings = true;
  PyObject_GC_Track(it);
  return reinterpret_cast<PyObject*>(it);
}

PyObject* template_concat(PyObject* left, PyObject* right) {
  if (!Py_IS_TYPE(left, &Template_Type) || !Py_IS_TYPE(right, &Template_Type)) {
    PyErr_Format(PyExc_TypeError, "can only concatenate string.templatelib.Template (not \"%T\") to "
                                  "string.templatelib.Template",
                 Py_IS_TYPE(left, &Template_Type) ? right : left);
    return nullptr;
  }
  PyObject* a = as_template(left)->strings;
  PyObject* b = as_template(right)->strings;
  const Py_ssize_t na = PyTuple_GET_SIZE(a), nb = PyTuple_GET_SIZE(b);
  Ref<> joint = Ref<>::steal(PyUnicode_Concat(PyTuple_GET_ITEM(a, na - 1), PyTuple_GET_ITEM(b, 0)));
  Ref<> strings = Ref<>::steal(PyTuple_New(na + nb - 1));
  if (!joint || !strings) return nullptr;
  for (Py_ssize_t i = 0; i < na - 1; ++i) PyTuple_SET_ITEM(strings.get(), i, Py_NewRef(PyTuple_GET_ITEM(a, i)));
  PyTuple_SET_ITEM(strings.get(), na - 1, joint.release());
  for (Py_ssize_t i = 1; i < nb; ++i) {
    PyTuple_SET_ITEM(strings.get(), na - 1 + i, Py_NewRef(PyTuple_GET_ITEM(b, i)));
  }
  Ref<> interpolations =
      Ref<>::steal(PySequence_Concat(as_template(left)->interpolations, as_template(right)->interpolations));
  return interpolations ? template_new(strings, interpolations) : nullptr;
}

PyObject* template_values(PyObject* self, void*) {
  PyObject* interpolations = as_template(self)->interpolations;
  const Py_ssize_t n = PyTuple_GET_SIZE(interpolations);
  PyObject* values = PyTuple_New(n);
  for (Py_ssize_t i = 0; values != nullptr && i < n; ++i) {
    PyTuple_SET_ITEM(values, i, Py_NewRef(as_interpolation(PyTuple_GET_ITEM(interpolations, i))->value));
  }
  return values;
}

PyObject* template_reduce(PyObject* self, PyObject*) {
  Ref<> module = Ref<>::steal(PyImport_ImportModule("string.templatelib"));
  if (!module) return nullptr;
  Ref<> rebuild = Ref<>::steal(PyObject_GetAttrString(module, "_template_unpickle"));
  if (!rebuild) return nullptr;
  return Py_BuildValue("O(OO)", rebuild.get(), as_template(self)->strings, as_template(self)->interpolations);
}

PyMemberDef template_members[] = {
    {"strings", _Py_T_OBJECT, offsetof(Template, strings), Py_READONLY, "Strings"},
    {"interpolations", _Py_T_OBJECT, offsetof(Template, interpolations), Py_READONLY, "Interpolations"},
    {},
};
PyGetSetDef template_getsets[] = {
    {"values", template_values, nullptr, "Values of interpolations", nullptr},
    {},
};
PyMethodDef template_methods[] = {
    {"__reduce__", template_reduce, METH_NOARGS, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};
PySequenceMethods template_as_sequence = {.sq_concat = template_concat};

// Strings and interpolations in turn, without the empty strings.
PyObject* iterator_next(PyObject* self) {
  TemplateIterator* it = as_iterator(self);
  for (;;) {
    PyObject* source = it->from_strings ? it->strings : it->interpolations;
    PyObject* item = Py_TYPE(source)->tp_iternext(source);
    if (item == nullptr) return nullptr;
    const bool was_string = it->from_strings;
    it->from_strings = !was_string;
    if (was_string && PyUnicode_GET_LENGTH(item) == 0) {
      Py_DECREF(item);
      continue;
    }
    return item;
  }
}
int iterator_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_iterator(self)->strings);
  Py_VISIT(as_iterator(self)->interpolations);
  return 0;
}
void iterator_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_iterator(self)->strings);
  Py_CLEAR(as_iterator(self)->interpolations);
  PyObject_GC_Del(self);
}

}  // namespace

PyObject* interpolation_new(PyObject* value, PyObject* expression, int conversion, PyObject* spec) {
  auto* self = PyObject_GC_New(Interpolation, &Interpolation_Type);
  if (self == nullptr) return nullptr;
  const char* const letters[] = {nullptr, "s", "r", "a"};
  self->value = Py_NewRef(value);
  self->expression = Py_NewRef(expression);
  self->conversion = conversion == 0 ? Py_NewRef(Py_None) : PyUnicode_FromString(letters[conversion]);
  self->format_spec = spec != nullptr ? Py_NewRef(spec) : PyUnicode_FromStringAndSize(nullptr, 0);
  PyObject_GC_Track(self);
  return reinterpret_cast<PyObject*>(self);
}

int init_template_strings() {
  Ref<> fields = Ref<>::steal(Py_BuildValue("(ssss)", "value", "expression", "conversion", "format_spec"));
  return fields ? PyDict_SetItem(Interpolation_Type.tp_dict, names.dunder_match_args, fields) : -1;
}

PyObject* template_new(PyObject* strings, PyObject* interpolations) {
  auto* self = PyObject_GC_New(Template, &Template_Type);
  if (self == nullptr) return nullptr;
  self->strings = Py_NewRef(strings);
  self->interpolations = Py_NewRef(interpolations);
  PyObject_GC_Track(self);
  return reinterpret_cast<PyObject*>(self);
}

}  // namespace amphis

extern "C" {

using namespace amphis;

PyTypeObject Interpolation_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "string.templatelib.Interpolation",
    .tp_basicsize = sizeof(Interpolation),
    .tp_dealloc = interpolation_dealloc,
    .tp_repr = interpolation_repr,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Interpolation object",
    .tp_traverse = interpolation_traverse,
    .tp_clear = interpolation_clear,
    .tp_methods = interpolation_methods,
    .tp_members = interpolation_members,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = interpolation_tp_new,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject Template_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "string.templatelib.Template",
    .tp_basicsize = sizeof(Template),
    .tp_dealloc = template_dealloc,
    .tp_repr = template_repr,
    .tp_as_sequence = &template_as_sequence,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Template object",
    .tp_traverse = template_traverse,
    .tp_clear = template_clear,
    .tp_iter = template_iter,
    .tp_methods = template_methods,
    .tp_members = template_members,
    .tp_getset = template_getsets,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = template_tp_new,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject TemplateIterator_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "string.templatelib.TemplateIter",
    .tp_basicsize = sizeof(TemplateIterator),
    .tp_dealloc = iterator_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = iterator_traverse,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = iterator_next,
};

}  // extern "C"
