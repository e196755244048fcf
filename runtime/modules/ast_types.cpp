// The classes of `_ast`: made from the schema when first needed.
#include "modules/ast_types.h"

#include <atomic>
#include <string>
#include <unordered_map>
#include <vector>

#include "sync/ref.h"

namespace amphis {

namespace {

using ast::FieldInfo;
using ast::NodeInfo;
using ast::Quantifier;
using ast::TypeClass;
using ast::TypeInfo;
using ast::TypeTag;

constexpr size_t kTags = static_cast<size_t>(TypeTag::kCount);

struct AstObject {
  PyObject_HEAD
  PyObject* dict;
};

struct Classes {
  PyObject* base = nullptr;
  PyObject* category[kTags] = {};
  std::vector<PyObject*> nodes[kTags];      // of sums: per kind; of enumerations: per value
  std::vector<PyObject*> instances[kTags];  // of enumerations
  std::unordered_map<std::string, PyObject*> field_names;
  PyObject* fields = nullptr;       // "_fields"
  PyObject* attributes = nullptr;   // "_attributes"
  PyObject* field_types = nullptr;  // "_field_types"
};
Classes classes;
std::atomic<int> state{0};  // 0 not made, 1 being made, 2 ready

// --- AST itself

void ast_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(reinterpret_cast<AstObject*>(self)->dict);
  type->tp_free(self);
  Py_DECREF(type);
}

int ast_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(reinterpret_cast<AstObject*>(self)->dict);
  return 0;
}

int ast_clear(PyObject* self) {
  Py_CLEAR(reinterpret_cast<AstObject*>(self)->dict);
  return 0;
}

const char* type_name(PyObject* self) { return Py_TYPE(self)->tp_name; }

// type(self).<name>, or null without an exception if there is none.
int class_attribute(PyObject* self, PyObject* name, Ref<>* out) {
  PyObject* found = nullptr;
  int status = PyObject_GetOptionalAttr(reinterpret_cast<PyObject*>(Py_TYPE(self)), name, &found);
  *out = Ref<>::steal(found);
  return status;
}

int warn_deprecated(const char* format, const char* type, PyObject* name) {
  return PyErr_WarnFormat(PyExc_DeprecationWarning, 1, format, type, name);
}

// Gives a field that the constructor was not given its default, or complains.
int set_missing_field(PyObject* self, PyObject* name, PyObject* field_types) {
  PyObject* type = nullptr;
  if (field_types != nullptr && PyMapping_GetOptionalItem(field_types, name, &type) < 0) return -1;
  Ref<> holder = Ref<>::steal(type);
  if (field_types == nullptr) return 0;
  if (type == nullptr) {
    return PyErr_WarnFormat(PyExc_DeprecationWarning, 1,
                            "Field %R is missing from %.400s._field_types. This will become an error in Python 3.15.",
                            name, type_name(self));
  }
  if (Py_IS_TYPE(type, &_PyUnion_Type)) return 0;  // optional: None, from the class
  if (Py_IS_TYPE(type, &Py_GenericAliasType)) {
    Ref<> empty = Ref<>::steal(PyList_New(0));
    return empty ? PyObject_SetAttr(self, name, empty) : -1;
  }
  if (type == ast_category_class(TypeTag::expr_context)) {
    return PyObject_SetAttr(self, name, ast_enum_instance(TypeTag::expr_context, 0));
  }
  return warn_deprecated(
      "%.400s.__init__ missing 1 required positional argument: %R. This will become an error in Python 3.15.",
      type_name(self), name);
}

int ast_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  Ref<> fields = Ref<>::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(Py_TYPE(self)), classes.fields));
  if (!fields) return -1;
  Py_ssize_t count = 0;
  if (fields) {
    count = PySequence_Size(fields);
    if (count < 0) return -1;
  }
  Ref<> remaining = Ref<>::steal(fields ? PySequence_List(fields) : PyList_New(0));
  if (!remaining) return -1;
  std::vector<bool> given(static_cast<size_t>(count), false);
  const Py_ssize_t npos = PyTuple_GET_SIZE(args);
  if (npos > count) {
    PyErr_Format(PyExc_TypeError, "%.400s constructor takes at most %zd positional argument%s", type_name(self), count,
                 count == 1 ? "" : "s");
    return -1;
  }
  for (Py_ssize_t i = 0; i < npos; ++i) {
    given[static_cast<size_t>(i)] = true;
    if (PyObject_SetAttr(self, PyList_GET_ITEM(remaining.get(), i), PyTuple_GET_ITEM(args, i)) < 0) return -1;
  }
  Ref<> attributes;
  if (kwargs != nullptr) {
    Py_ssize_t at = 0;
    PyObject *key, *value;
    while (PyDict_Next(kwargs, &at, &key, &value)) {
      Py_ssize_t index = 0;
      int found = 0;
      for (; index < count && found == 0; index += found == 0) {
        found = PyObject_RichCompareBool(PyList_GET_ITEM(remaining.get(), index), key, Py_EQ);
        if (found < 0) return -1;
      }
      if (found) {
        if (given[static_cast<size_t>(index)]) {
          PyErr_Format(PyExc_TypeError, "%.400s got multiple values for argument %R", type_name(self), key);
          return -1;
        }
        given[static_cast<size_t>(index)] = true;
      } else {
        if (!attributes && class_attribute(self, classes.attributes, &attributes) < 0) return -1;
        int known = attributes ? PySequence_Contains(attributes, key) : 0;
        if (known < 0) return -1;
        if (!known &&
            warn_deprecated("%.400s.__init__ got an unexpected keyword argument %R. Support for arbitrary keyword "
                            "arguments is deprecated and will be removed in Python 3.15.",
                            type_name(self), key) < 0) {
          return -1;
        }
      }
      if (PyObject_SetAttr(self, key, value) < 0) return -1;
    }
  }
  Ref<> field_types;
  for (Py_ssize_t i = 0; i < count; ++i) {
    if (given[static_cast<size_t>(i)]) continue;
    if (!field_types && class_attribute(self, classes.field_types, &field_types) < 0) return -1;
    if (set_missing_field(self, PyList_GET_ITEM(remaining.get(), i), field_types) < 0) return -1;
  }
  return 0;
}

PyObject* ast_reduce(PyObject* self, PyObject*) {
  Ref<> dict = Ref<>::steal(PyObject_GenericGetDict(self, nullptr));
  if (!dict) return nullptr;
  // The state holds everything; the arguments are there only so that the constructor finds nothing missing.
  Ref<> rest = Ref<>::steal(PyDict_Copy(dict));
  Ref<> fields;
  if (!rest || class_attribute(self, classes.fields, &fields) < 0) return nullptr;
  Ref<> positional = Ref<>::steal(PyList_New(0));
  if (!positional) return nullptr;
  const Py_ssize_t count = fields ? PySequence_Size(fields) : 0;
  if (count < 0) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) {
    Ref<> name = Ref<>::steal(PySequence_GetItem(fields, i));
    if (!name) return nullptr;
    int found = PyDict_Contains(rest, name);
    if (found < 0) return nullptr;
    if (found == 0) break;
    if (PyList_Append(positional, Py_None) < 0) return nullptr;
  }
  Ref<> args = Ref<>::steal(PyList_AsTuple(positional));
  return args ? PyTuple_Pack(3, Py_TYPE(self), args.get(), rest.get()) : nullptr;
}

// copy.replace(node, **changes)
PyObject* ast_replace(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (!PyArg_ParseTuple(args, ":__replace__")) return nullptr;
  Ref<> fields, attributes, field_types;
  if (class_attribute(self, classes.fields, &fields) < 0 ||
      class_attribute(self, classes.attributes, &attributes) < 0 ||
      class_attribute(self, classes.field_types, &field_types) < 0) {
    return nullptr;
  }
  Ref<> dict = Ref<>::steal(PyObject_GenericGetDict(self, nullptr));
  if (!dict) return nullptr;
  Ref<> known = Ref<>::steal(PySet_New(fields ? fields.get() : nullptr));
  if (!known) return nullptr;
  if (attributes) {
    Ref<> more = Ref<>::steal(PyObject_CallMethod(known, "update", "(O)", attributes.get()));
    if (!more) return nullptr;
  }
  Ref<> payload = Ref<>::steal(PyDict_New());
  if (!payload) return nullptr;
  Py_ssize_t at = 0;
  PyObject *key, *value;
  if (kwargs != nullptr) {
    while (PyDict_Next(kwargs, &at, &key, &value)) {
      int ok = PySet_Contains(known, key);
      if (ok < 0) return nullptr;
      if (!ok) {
        PyErr_Format(PyExc_TypeError, "%.400s.__replace__ got an unexpected keyword argument %R.", type_name(self), key);
        return nullptr;
      }
    }
  }
  Ref<> all = Ref<>::steal(PySequence_List(known));
  Ref<> missing = Ref<>::steal(PyList_New(0));
  if (!all || !missing) return nullptr;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all.get()); ++i) {
    PyObject* name = PyList_GET_ITEM(all.get(), i);
    PyObject* found = nullptr;
    if (kwargs != nullptr && PyDict_GetItemRef(kwargs, name, &found) < 0) return nullptr;
    if (found == nullptr && PyDict_GetItemRef(dict, name, &found) < 0) return nullptr;
    Ref<> holder = Ref<>::steal(found);
    if (found != nullptr) {
      if (PyDict_SetItem(payload, name, found) < 0) return nullptr;
      continue;
    }
    // Optional fields and attributes may be absent.
    PyObject* type = nullptr;
    if (field_types && PyMapping_GetOptionalItem(field_types, name, &type) < 0) return nullptr;
    Ref<> type_holder = Ref<>::steal(type);
    if (type != nullptr && !Py_IS_TYPE(type, &_PyUnion_Type) && PyList_Append(missing, name) < 0) return nullptr;
  }
  const Py_ssize_t absent = PyList_GET_SIZE(missing.get());
  if (absent > 0) {
    if (PyList_Sort(missing) < 0) return nullptr;
    Ref<> text = Ref<>::steal(PyUnicode_FromString(""));
    for (Py_ssize_t i = 0; text && i < absent; ++i) {
      text = Ref<>::steal(PyUnicode_FromFormat(i ? "%U, %R" : "%U%R", text.get(), PyList_GET_ITEM(missing.get(), i)));
    }
    if (text) {
      PyErr_Format(PyExc_TypeError, "%.400s.__replace__ missing %zd keyword argument%s: %U.", type_name(self), absent,
                   absent == 1 ? "" : "s", text.get());
    }
    return nullptr;
  }
  Ref<> empty = Ref<>::steal(PyTuple_New(0));
  return empty ? PyObject_Call(reinterpret_cast<PyObject*>(Py_TYPE(self)), empty, payload) : nullptr;
}

// --- repr: nested three deep, lists by their ends

PyObject* repr_node(PyObject* self, int depth);

bool is_node(PyObject* o) { return PyObject_TypeCheck(o, reinterpret_cast<PyTypeObject*>(classes.base)); }

PyObject* repr_value(PyObject* value, int depth) {
  return is_node(value) ? repr_node(value, depth - 1) : PyObject_Repr(value);
}

PyObject* repr_list(PyObject* list, int depth) {
  const bool tuple = PyTuple_Check(list);
  Ref<> items = Ref<>::steal(PySequence_Tuple(list));
  if (!items) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  Ref<> first = Ref<>::steal(n > 0 ? repr_value(PyTuple_GET_ITEM(items.get(), 0), depth) : PyUnicode_FromString(""));
  if (!first) return nullptr;
  if (n < 2) return PyUnicode_FromFormat(tuple ? "(%U)" : "[%U]", first.get());
  Ref<> last = Ref<>::steal(repr_value(PyTuple_GET_ITEM(items.get(), n - 1), depth));
  if (!last) return nullptr;
  return PyUnicode_FromFormat(tuple ? "(%U%s, %U)" : "[%U%s, %U]", first.get(), n > 2 ? ", ..." : "", last.get());
}

PyObject* repr_node(PyObject* self, int depth) {
  if (depth <= 0) return PyUnicode_FromFormat("%s(...)", type_name(self));
  int status = Py_ReprEnter(self);
  if (status != 0) return status > 0 ? PyUnicode_FromFormat("%s(...)", type_name(self)) : nullptr;
  Ref<> text = Ref<>::steal(PyUnicode_FromFormat("%s(", type_name(self)));
  Ref<> fields;
  Ref<> names;
  if (text && class_attribute(self, classes.fields, &fields) >= 0) {
    names = Ref<>::steal(fields ? PySequence_Tuple(fields) : PyTuple_New(0));
  }
  if (!names) text = nullptr;
  for (Py_ssize_t i = 0; text && i < PyTuple_GET_SIZE(names.get()); ++i) {
    PyObject* name = PyTuple_GET_ITEM(names.get(), i);
    Ref<> value = Ref<>::steal(PyObject_GetAttr(self, name));
    Ref<> shown;
    if (value) {
      shown = Ref<>::steal(PyList_Check(value.get()) || PyTuple_Check(value.get()) ? repr_list(value, depth)
                                                                                  : repr_value(value, depth));
    }
    text = shown ? Ref<>::steal(PyUnicode_FromFormat(i ? "%U, %U=%U" : "%U%U=%U", text.get(), name, shown.get()))
                 : Ref<>();
  }
  Py_ReprLeave(self);
  return text ? PyUnicode_FromFormat("%U)", text.get()) : nullptr;
}

PyObject* ast_repr(PyObject* self) { return repr_node(self, 3); }

PyMethodDef base_methods[] = {
    {"__reduce__", ast_reduce, METH_NOARGS, nullptr},
    {"__replace__", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(ast_replace)),
     METH_VARARGS | METH_KEYWORDS, "__replace__($self, /, **fields)\n--\n\nReturn a copy of the AST node with new values for the specified fields."},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef base_members[] = {
    {"__dictoffset__", Py_T_PYSSIZET, offsetof(AstObject, dict), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef base_getset[] = {
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};
PyType_Slot base_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(ast_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(ast_repr)},
    {Py_tp_getattro, reinterpret_cast<void*>(PyObject_GenericGetAttr)},
    {Py_tp_setattro, reinterpret_cast<void*>(PyObject_GenericSetAttr)},
    {Py_tp_traverse, reinterpret_cast<void*>(ast_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(ast_clear)},
    {Py_tp_members, base_members},
    {Py_tp_methods, base_methods},
    {Py_tp_getset, base_getset},
    {Py_tp_init, reinterpret_cast<void*>(ast_init)},
    {Py_tp_new, reinterpret_cast<void*>(PyType_GenericNew)},
    {Py_tp_free, reinterpret_cast<void*>(PyObject_GC_Del)},
    {0, nullptr},
};
PyType_Spec base_spec = {"ast.AST", sizeof(AstObject), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, base_slots};

// --- the classes of the schema

std::string quantified(const FieldInfo& f) {
  std::string text = ast::type_info(f.type).name;
  switch (f.quantifier) {
    case Quantifier::One:
      break;
    case Quantifier::Optional:
      text += '?';
      break;
    case Quantifier::Many:
      text += '*';
      break;
    case Quantifier::ManyOptional:
      text += "?*";
      break;
  }
  return text;
}

std::string node_text(const NodeInfo& node) {
  std::string text = node.name;
  for (unsigned i = 0; i < node.field_count; ++i) {
    text += i == 0 ? "(" : ", ";
    text += quantified(node.fields[i]) + " " + node.fields[i].name;
  }
  if (node.field_count > 0) text += ')';
  return text;
}

std::string sum_text(const TypeInfo& type) {
  std::string text = std::string(type.name) + " = ";
  if (type.type_class == TypeClass::Enumeration) {
    for (unsigned i = 0; i < type.value_count; ++i) text += (i ? " | " : "") + std::string(type.values[i]);
    return text;
  }
  bool fields = false;
  for (unsigned i = 0; i < type.node_count; ++i) fields |= type.nodes[i].field_count > 0;
  const std::string indent(std::char_traits<char>::length(type.name) + 1, ' ');
  for (unsigned i = 0; i < type.node_count; ++i) {
    if (i > 0) text += fields ? "\n" + indent + "| " : " | ";
    text += node_text(type.nodes[i]);
  }
  return text;
}

PyObject* make_class(const char* name, PyObject* base, const NodeInfo* node, const std::string& doc) {
  const unsigned n = node != nullptr ? node->field_count : 0;
  Ref<> fields = Ref<>::steal(PyTuple_New(static_cast<Py_ssize_t>(n)));
  if (!fields) return nullptr;
  for (unsigned i = 0; i < n; ++i) {
    PyObject* field = ast_field_name(node->fields[i]);
    if (field == nullptr) return nullptr;
    PyTuple_SET_ITEM(fields.get(), static_cast<Py_ssize_t>(i), Py_NewRef(field));
  }
  return PyObject_CallFunction(reinterpret_cast<PyObject*>(&PyType_Type), "s(O){sOsOssss}", name, base, "_fields",
                               fields.get(), "__match_args__", fields.get(), "__module__", "ast", "__doc__",
                               doc.c_str());
}

bool set_attributes(PyObject* cls, bool located) {
  Ref<> names = Ref<>::steal(located ? Py_BuildValue("(ssss)", "lineno", "col_offset", "end_lineno", "end_col_offset")
                                     : PyTuple_New(0));
  if (!names || PyObject_SetAttr(cls, classes.attributes, names) < 0) return false;
  return !located || (PyObject_SetAttrString(cls, "end_lineno", Py_None) == 0 &&
                      PyObject_SetAttrString(cls, "end_col_offset", Py_None) == 0);
}

// Optional fields are None unless set; _field_types says what each holds.
bool finish_node_class(PyObject* cls, const NodeInfo& node) {
  Ref<> types = Ref<>::steal(PyDict_New());
  if (!types) return false;
  for (unsigned i = 0; i < node.field_count; ++i) {
    const FieldInfo& f = node.fields[i];
    PyObject* name = ast_field_name(f);
    if (name == nullptr) return false;
    PyObject* type;
    switch (f.type) {
      case TypeTag::identifier:
      case TypeTag::string:
        type = reinterpret_cast<PyObject*>(&PyUnicode_Type);
        break;
      case TypeTag::int_:
        type = reinterpret_cast<PyObject*>(&PyLong_Type);
        break;
      case TypeTag::constant:
        type = reinterpret_cast<PyObject*>(&PyBaseObject_Type);
        break;
      default:
        type = ast_category_class(f.type);
    }
    Ref<> described;
    switch (f.quantifier) {
      case Quantifier::One:
        described = Ref<>::share(type);
        break;
      case Quantifier::Optional:
        described = Ref<>::steal(PyNumber_Or(type, Py_None));
        if (PyObject_SetAttr(cls, name, Py_None) < 0) return false;
        break;
      default:
        described = Ref<>::steal(Py_GenericAlias(reinterpret_cast<PyObject*>(&PyList_Type), type));
    }
    if (!described || PyDict_SetItem(types, name, described) < 0) return false;
  }
  return PyObject_SetAttr(cls, classes.field_types, types) == 0 &&
         PyObject_SetAttrString(cls, "__annotations__", types) == 0;
}

bool make_classes() {
  classes.fields = PyUnicode_InternFromString("_fields");
  classes.attributes = PyUnicode_InternFromString("_attributes");
  classes.field_types = PyUnicode_InternFromString("_field_types");
  if (classes.fields == nullptr || classes.attributes == nullptr || classes.field_types == nullptr) return false;
  classes.base = PyType_FromSpec(&base_spec);
  if (classes.base == nullptr) return false;
  Ref<> empty = Ref<>::steal(PyTuple_New(0));
  if (!empty || PyObject_SetAttr(classes.base, classes.fields, empty) < 0 ||
      PyObject_SetAttrString(classes.base, "__match_args__", empty) < 0 ||
      PyObject_SetAttr(classes.base, classes.attributes, empty) < 0) {
    return false;
  }
  for (size_t t = 0; t < kTags; ++t) {
    const TypeInfo& type = ast::type_info(static_cast<TypeTag>(t));
    if (type.type_class == TypeClass::Primitive) continue;
    const NodeInfo* product = type.type_class == TypeClass::Product ? &type.nodes[0] : nullptr;
    PyObject* cls = make_class(type.name, classes.base, product,
                               product != nullptr ? node_text(*product) : sum_text(type));
    if (cls == nullptr || !set_attributes(cls, type.located)) return false;
    classes.category[t] = cls;
    if (product != nullptr) continue;
    const unsigned n = type.type_class == TypeClass::Sum ? type.node_count : type.value_count;
    for (unsigned i = 0; i < n; ++i) {
      const NodeInfo* node = type.type_class == TypeClass::Sum ? &type.nodes[i] : nullptr;
      const char* name = node != nullptr ? node->name : type.values[i];
      PyObject* member = make_class(name, cls, node, node != nullptr ? node_text(*node) : name);
      if (member == nullptr) return false;
      classes.nodes[t].push_back(member);
      if (node != nullptr) continue;
      PyObject* instance = PyType_GenericNew(reinterpret_cast<PyTypeObject*>(member), nullptr, nullptr);
      if (instance == nullptr) return false;
      classes.instances[t].push_back(instance);
    }
  }
  for (size_t t = 0; t < kTags; ++t) {
    const TypeInfo& type = ast::type_info(static_cast<TypeTag>(t));
    if (type.type_class == TypeClass::Product && !finish_node_class(classes.category[t], type.nodes[0])) return false;
    if (type.type_class != TypeClass::Sum) {
      static const NodeInfo no_fields{};
      for (PyObject* member : classes.nodes[t]) {
        if (!finish_node_class(member, no_fields)) return false;
      }
      continue;
    }
    for (unsigned i = 0; i < type.node_count; ++i) {
      if (!finish_node_class(classes.nodes[t][i], type.nodes[i])) return false;
    }
  }
  return true;
}

}  // namespace

int ast_types_ready() {
  if (state.load(std::memory_order_acquire) == 2) return 0;
  int expected = 0;
  if (!state.compare_exchange_strong(expected, 1)) {
    // Another thread is at it.
    while (state.load(std::memory_order_acquire) == 1) {
      Py_BEGIN_ALLOW_THREADS
      Py_END_ALLOW_THREADS
    }
    return state.load() == 2 ? 0 : ast_types_ready();
  }
  if (!make_classes()) {
    state.store(0);
    return -1;
  }
  state.store(2, std::memory_order_release);
  return 0;
}

void ast_types_forget() {
  if (state.load() != 2) return;
  state.store(0);
  Classes gone = std::move(classes);
  classes = Classes{};
  for (size_t t = 0; t < kTags; ++t) {
    Py_XDECREF(gone.category[t]);
    for (PyObject* node : gone.nodes[t]) Py_DECREF(node);
    for (PyObject* instance : gone.instances[t]) Py_DECREF(instance);
  }
  for (const auto& [name, text] : gone.field_names) Py_DECREF(text);
  for (PyObject* object : {gone.base, gone.fields, gone.attributes, gone.field_types}) Py_XDECREF(object);
}

PyObject* ast_base_class() { return classes.base; }
PyObject* ast_category_class(TypeTag tag) { return classes.category[static_cast<size_t>(tag)]; }
PyObject* ast_node_class(TypeTag tag, unsigned kind) {
  const auto& nodes = classes.nodes[static_cast<size_t>(tag)];
  return nodes.empty() ? ast_category_class(tag) : nodes[kind];
}
PyObject* ast_enum_instance(TypeTag tag, unsigned value) { return classes.instances[static_cast<size_t>(tag)][value]; }

PyObject* ast_field_name(const FieldInfo& field) {
  auto it = classes.field_names.find(field.name);
  if (it != classes.field_names.end()) return it->second;
  PyObject* s = PyUnicode_InternFromString(field.name);
  if (s != nullptr) classes.field_names[field.name] = s;
  return s;
}

}  // namespace amphis
