// Trees to AST objects and back, generic over the schema.
#include <cstring>
#include <string>

#include "compile/constants.h"
#include "modules/ast_types.h"
#include "sync/ref.h"

namespace amphis {

namespace {

using ast::FieldInfo;
using ast::NodeInfo;
using ast::Quantifier;
using ast::TypeClass;
using ast::TypeInfo;
using ast::TypeTag;

template <class T>
T& field_at(void* node, const FieldInfo& f) {
  return *reinterpret_cast<T*>(static_cast<char*>(node) + f.offset);
}

// What every sequence of the tree looks like in memory.
struct AnySeq {
  void* data;
  size_t size;
};
static_assert(sizeof(AnySeq) == sizeof(ast::Seq<ast::expr*>));

struct LocationNames {
  PyObject *lineno, *col_offset, *end_lineno, *end_col_offset;
  LocationNames()
      : lineno(PyUnicode_InternFromString("lineno")), col_offset(PyUnicode_InternFromString("col_offset")),
        end_lineno(PyUnicode_InternFromString("end_lineno")),
        end_col_offset(PyUnicode_InternFromString("end_col_offset")) {}
};
const LocationNames& location_names() {
  static LocationNames names;
  return names;
}

// --- tree to objects

class ToObject {
 public:
  ToObject(PyObject* filename) : names_(arena_), context_{filename, nullptr, 0, 0, names_} {}

  Ref<> node(TypeTag tag, void* node);

 private:
  Ref<> scalar(const FieldInfo& f, void* at);
  Ref<> sequence(const FieldInfo& f, AnySeq& seq);
  Ref<> text(std::string_view s) {
    if (s.data() == nullptr) return Ref<>::share(Py_None);
    return Ref<>::steal(compile::check(
        PyUnicode_DecodeUTF8(s.data(), static_cast<Py_ssize_t>(s.size()), "surrogatepass")));
  }
  Ref<> number(long n) { return Ref<>::steal(compile::check(PyLong_FromLong(n))); }

  Arena arena_;
  compile::Names names_;
  compile::CompilerContext context_;
};

Ref<> ToObject::scalar(const FieldInfo& f, void* at) {
  switch (f.type) {
    case TypeTag::int_:
      return number(*static_cast<int*>(at));
    case TypeTag::identifier: {
      Identifier id = *static_cast<Identifier*>(at);
      if (id == nullptr) return Ref<>::share(Py_None);
      PyObject* s = compile::check(PyUnicode_DecodeUTF8(id->data, static_cast<Py_ssize_t>(id->size), "surrogatepass"));
      PyUnicode_InternInPlace(&s);
      return Ref<>::steal(s);
    }
    case TypeTag::string:
      return text(*static_cast<std::string_view*>(at));
    case TypeTag::constant: {
      ast::Location where{};
      where.lineno = 1;
      return compile::constant_object(context_, where, *static_cast<ast::ConstantValue*>(at));
    }
    default:
      break;
  }
  const TypeInfo& type = ast::type_info(f.type);
  if (type.type_class == TypeClass::Enumeration) {
    return Ref<>::share(ast_enum_instance(f.type, *static_cast<uint8_t*>(at)));
  }
  void* child = *static_cast<void**>(at);
  return child != nullptr ? node(f.type, child) : Ref<>::share(Py_None);
}

Ref<> ToObject::sequence(const FieldInfo& f, AnySeq& seq) {
  Ref<> list = Ref<>::steal(compile::check(PyList_New(static_cast<Py_ssize_t>(seq.size))));
  const bool bytes = ast::type_info(f.type).type_class == TypeClass::Enumeration;
  for (size_t i = 0; i < seq.size; ++i) {
    void* at = static_cast<char*>(seq.data) + i * (bytes ? 1 : sizeof(void*));
    PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), scalar(f, at).release());
  }
  return list;
}

Ref<> ToObject::node(TypeTag tag, void* node) {
  if (Py_EnterRecursiveCall(" during ast construction") != 0) throw compile::Failure{};
  struct Leave {
    ~Leave() { Py_LeaveRecursiveCall(); }
  } leave;
  const NodeInfo& info = ast::node_info(tag, node);
  auto* cls = reinterpret_cast<PyTypeObject*>(ast_node_class(tag, info.kind));
  Ref<> object = Ref<>::steal(compile::check(PyType_GenericNew(cls, nullptr, nullptr)));
  for (unsigned i = 0; i < info.field_count; ++i) {
    const FieldInfo& f = info.fields[i];
    const bool many = f.quantifier == Quantifier::Many || f.quantifier == Quantifier::ManyOptional;
    Ref<> value =
        many ? sequence(f, field_at<AnySeq>(node, f)) : scalar(f, static_cast<char*>(node) + f.offset);
    compile::check(PyObject_SetAttr(object, ast_field_name(f), value));
  }
  if (info.located) {
    auto* at = reinterpret_cast<ast::Location*>(static_cast<char*>(node) + info.location_offset);
    const LocationNames& names = location_names();
    compile::check(PyObject_SetAttr(object, names.lineno, number(at->lineno).get()));
    compile::check(PyObject_SetAttr(object, names.col_offset, number(at->col_offset).get()));
    compile::check(PyObject_SetAttr(object, names.end_lineno, number(at->end_lineno).get()));
    compile::check(PyObject_SetAttr(object, names.end_col_offset, number(at->end_col_offset).get()));
  }
  return object;
}

// --- objects to tree

class FromObject {
 public:
  FromObject(Arena& arena, PyObject* keep) : arena_(arena), keep_(keep) {}

  void* node(TypeTag tag, PyObject* object);

 private:
  [[noreturn]] void fail(PyObject* type, const char* format, ...) {
    va_list values;
    va_start(values, format);
    PyErr_FormatV(type, format, values);
    va_end(values);
    throw compile::Failure{};
  }
  Ref<> attribute(PyObject* object, PyObject* name) {
    PyObject* value = nullptr;
    compile::check(PyObject_GetOptionalAttr(object, name, &value));
    return Ref<>::steal(value);
  }
  void fill(const NodeInfo& info, TypeTag tag, PyObject* object, void* node);
  void scalar(const FieldInfo& f, PyObject* value, void* at, bool optional);
  void sequence(const NodeInfo& info, const FieldInfo& f, PyObject* list, AnySeq* seq);
  int integer(PyObject* value);
  unsigned enumeration(TypeTag tag, PyObject* value);
  ast::ConstantValue constant(PyObject* value);
  std::string_view text(PyObject* s) {
    Ref<> utf8 = Ref<>::steal(compile::check(PyUnicode_AsEncodedString(s, "utf-8", "surrogatepass")));
    return arena_.copy({PyBytes_AS_STRING(utf8.get()), static_cast<size_t>(PyBytes_GET_SIZE(utf8.get()))});
  }
  bool is(PyObject* object, PyObject* cls) {
    int yes = PyObject_IsInstance(object, cls);
    compile::check(yes);
    return yes != 0;
  }

  Arena& arena_;
  PyObject* keep_;
};

int FromObject::integer(PyObject* value) {
  if (!PyLong_Check(value)) fail(PyExc_ValueError, "invalid integer value: %R", value);
  int n = PyLong_AsInt(value);
  if (n == -1 && PyErr_Occurred()) throw compile::Failure{};
  return n;
}

unsigned FromObject::enumeration(TypeTag tag, PyObject* value) {
  const TypeInfo& type = ast::type_info(tag);
  for (unsigned i = 0; i < type.value_count; ++i) {
    if (is(value, ast_node_class(tag, i))) return i;
  }
  fail(PyExc_TypeError, "expected some sort of %s, but got %R", type.name, value);
}

ast::ConstantValue FromObject::constant(PyObject* value) {
  ast::ConstantValue result{};
  if (value == Py_None) {
    result.kind = ast::ConstantKind::None;
  } else if (value == Py_True) {
    result.kind = ast::ConstantKind::True;
  } else if (value == Py_False) {
    result.kind = ast::ConstantKind::False;
  } else if (value == Py_Ellipsis) {
    result.kind = ast::ConstantKind::Ellipsis;
  } else {
    int overflow = 1;
    long long n = 0;
    if (PyLong_CheckExact(value)) n = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (PyLong_CheckExact(value) && overflow == 0) {
      result.kind = ast::ConstantKind::Int;
      result.int_fits = true;
      result.int_value = n;
    } else if (PyUnicode_CheckExact(value)) {
      result.kind = ast::ConstantKind::Str;
      result.text = text(value);
    } else {
      result.kind = ast::ConstantKind::Object;
      result.object = value;
      compile::check(PyList_Append(keep_, value));
    }
  }
  return result;
}

void FromObject::scalar(const FieldInfo& f, PyObject* value, void* at, bool optional) {
  switch (f.type) {
    case TypeTag::int_:
      *static_cast<int*>(at) = optional && value == Py_None ? 0 : integer(value);
      return;
    case TypeTag::identifier: {
      if (optional && value == Py_None) return;
      if (!PyUnicode_CheckExact(value)) fail(PyExc_TypeError, "AST identifier must be of type str");
      *static_cast<Identifier*>(at) = arena_.intern(text(value));
      return;
    }
    case TypeTag::string:
      if (optional && value == Py_None) return;
      if (!PyUnicode_CheckExact(value) && !PyBytes_CheckExact(value)) {
        fail(PyExc_TypeError, "AST string must be of type str");
      }
      *static_cast<std::string_view*>(at) =
          PyBytes_CheckExact(value)
              ? arena_.copy({PyBytes_AS_STRING(value), static_cast<size_t>(PyBytes_GET_SIZE(value))})
              : text(value);
      return;
    case TypeTag::constant:
      *static_cast<ast::ConstantValue*>(at) = constant(value);
      return;
    default:
      break;
  }
  if (ast::type_info(f.type).type_class == TypeClass::Enumeration) {
    *static_cast<uint8_t*>(at) = static_cast<uint8_t>(enumeration(f.type, value));
    return;
  }
  *static_cast<void**>(at) = value == Py_None ? nullptr : node(f.type, value);
}

void FromObject::sequence(const NodeInfo& info, const FieldInfo& f, PyObject* list, AnySeq* seq) {
  if (!PyList_Check(list)) {
    fail(PyExc_TypeError, "%s field \"%s\" must be a list, not a %.200s", info.name, f.name,
         Py_TYPE(list)->tp_name);
  }
  const Py_ssize_t n = PyList_GET_SIZE(list);
  const size_t item = ast::type_info(f.type).type_class == TypeClass::Enumeration ? 1 : sizeof(void*);
  seq->size = static_cast<size_t>(n);
  seq->data = arena_.allocate(item * seq->size + 1);
  std::memset(seq->data, 0, item * seq->size);
  for (Py_ssize_t i = 0; i < n; ++i) {
    PyObject* borrowed = PyList_GetItemRef(list, i);
    Ref<> value = Ref<>::steal(compile::check(borrowed));
    scalar(f, value, static_cast<char*>(seq->data) + static_cast<size_t>(i) * item, false);
    if (PyList_GET_SIZE(list) != n) {
      fail(PyExc_RuntimeError, "%s field \"%s\" changed size during iteration", info.name, f.name);
    }
  }
}

void FromObject::fill(const NodeInfo& info, TypeTag tag, PyObject* object, void* node) {
  (void)tag;
  for (unsigned i = 0; i < info.field_count; ++i) {
    const FieldInfo& f = info.fields[i];
    const bool many = f.quantifier == Quantifier::Many || f.quantifier == Quantifier::ManyOptional;
    Ref<> value = attribute(object, ast_field_name(f));
    if (many) {
      if (value) sequence(info, f, value, &field_at<AnySeq>(node, f));
      continue;
    }
    const bool optional = f.quantifier == Quantifier::Optional;
    if (!value) {
      if (optional) continue;
      if (f.type == TypeTag::expr_context) continue;  // Load
      fail(PyExc_TypeError, "required field \"%s\" missing from %s", f.name, info.name);
    }
    if (value.get() == Py_None && !optional && f.type != TypeTag::constant) {
      const TypeInfo& type = ast::type_info(f.type);
      if (type.type_class == TypeClass::Sum || type.type_class == TypeClass::Product ||
          f.type == TypeTag::identifier) {
        fail(PyExc_ValueError, "field '%s' is required for %s", f.name, info.name);
      }
    }
    scalar(f, value, static_cast<char*>(node) + f.offset, optional);
  }
}

void* FromObject::node(TypeTag tag, PyObject* object) {
  const TypeInfo& type = ast::type_info(tag);
  std::string where = std::string(" while traversing '") + type.name + "' node";
  if (Py_EnterRecursiveCall(where.c_str()) != 0) throw compile::Failure{};
  struct Leave {
    ~Leave() { Py_LeaveRecursiveCall(); }
  } leave;
  // Places come first, as the attributes of the category.
  ast::Location at{};
  if (type.located) {
    const LocationNames& names = location_names();
    auto required = [&](PyObject* name, const char* text) {
      Ref<> value = attribute(object, name);
      if (!value) fail(PyExc_TypeError, "required field \"%s\" missing from %s", text, type.name);
      return integer(value);
    };
    auto optional = [&](PyObject* name, int otherwise) {
      Ref<> value = attribute(object, name);
      return !value || value.get() == Py_None ? otherwise : integer(value);
    };
    at.lineno = required(names.lineno, "lineno");
    at.col_offset = required(names.col_offset, "col_offset");
    at.end_lineno = optional(names.end_lineno, at.lineno);
    at.end_col_offset = optional(names.end_col_offset, at.col_offset);
  }
  const NodeInfo* info = nullptr;
  if (type.type_class == TypeClass::Product) {
    info = &type.nodes[0];
  } else {
    for (unsigned i = 0; i < type.node_count && info == nullptr; ++i) {
      if (is(object, ast_node_class(tag, i))) info = &type.nodes[i];
    }
    if (info == nullptr) fail(PyExc_TypeError, "expected some sort of %s, but got %R", type.name, object);
  }
  void* made = info->make(arena_);
  fill(*info, tag, object, made);
  if (info->located) *reinterpret_cast<ast::Location*>(static_cast<char*>(made) + info->location_offset) = at;
  return made;
}

}  // namespace

PyObject* ast_to_object(ast::mod* tree, PyObject* filename) {
  if (ast_types_ready() < 0) return nullptr;
  try {
    ToObject converter(filename);
    return converter.node(TypeTag::mod, tree).release();
  } catch (const compile::Failure&) {
    return nullptr;
  }
}

ast::mod* ast_from_object(PyObject* object, int mode, Arena& arena, PyObject* keep) {
  static const char* const wanted[] = {"Module", "Expression", "Interactive", "FunctionType"};
  static const ast::mod_kind kinds[] = {ast::mod_kind::Module, ast::mod_kind::Expression, ast::mod_kind::Interactive,
                                        ast::mod_kind::FunctionType};
  if (ast_types_ready() < 0) return nullptr;
  int matches = PyObject_IsInstance(object, ast_node_class(TypeTag::mod, static_cast<unsigned>(kinds[mode])));
  if (matches < 0) return nullptr;
  if (!matches) {
    PyErr_Format(PyExc_TypeError, "expected %s node, got %.400s", wanted[mode], Py_TYPE(object)->tp_name);
    return nullptr;
  }
  try {
    FromObject converter(arena, keep);
    auto* tree = static_cast<ast::mod*>(converter.node(TypeTag::mod, object));
    return tree;
  } catch (const compile::Failure&) {
    return nullptr;
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
    return nullptr;
  }
}

}  // namespace amphis
