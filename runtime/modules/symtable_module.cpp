// The module `_symtable`: the compiler's symbol tables as objects.
#include "compile/compile.h"
#include "compile/symtable.h"
#include "compile/tree.h"
#include "sync/ref.h"

namespace amphis {

namespace {

// One block. The attributes are plain data made once.
struct Entry {
  PyObject_HEAD
  PyObject* id;
  PyObject* name;
  PyObject* symbols;
  PyObject* varnames;
  PyObject* children;
  int nested;
  int type;
  int lineno;
};

PyObject* entry_type = nullptr;

void entry_dealloc(PyObject* self) {
  auto* e = reinterpret_cast<Entry*>(self);
  PyTypeObject* type = Py_TYPE(self);
  Py_XDECREF(e->id);
  Py_XDECREF(e->name);
  Py_XDECREF(e->symbols);
  Py_XDECREF(e->varnames);
  Py_XDECREF(e->children);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* entry_repr(PyObject* self) {
  auto* e = reinterpret_cast<Entry*>(self);
  return PyUnicode_FromFormat("<symtable entry %U(%S), line %d>", e->name, e->id, e->lineno);
}

PyMemberDef members[] = {
    {"id", _Py_T_OBJECT, offsetof(Entry, id), Py_READONLY, nullptr},
    {"name", _Py_T_OBJECT, offsetof(Entry, name), Py_READONLY, nullptr},
    {"symbols", _Py_T_OBJECT, offsetof(Entry, symbols), Py_READONLY, nullptr},
    {"varnames", _Py_T_OBJECT, offsetof(Entry, varnames), Py_READONLY, nullptr},
    {"children", _Py_T_OBJECT, offsetof(Entry, children), Py_READONLY, nullptr},
    {"nested", Py_T_INT, offsetof(Entry, nested), Py_READONLY, nullptr},
    {"type", Py_T_INT, offsetof(Entry, type), Py_READONLY, nullptr},
    {"lineno", Py_T_INT, offsetof(Entry, lineno), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyType_Slot entry_slots[] = {
    {Py_tp_dealloc, reinterpret_cast<void*>(entry_dealloc)},
    {Py_tp_repr, reinterpret_cast<void*>(entry_repr)},
    {Py_tp_members, members},
    {0, nullptr},
};
PyType_Spec entry_spec = {"symtable entry", sizeof(Entry), 0,
                          Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, entry_slots};

constexpr int kScopeShift = 12;

// Whether an inlined comprehension uses a name of the scope around it.
bool used_in_comprehensions(const compile::Scope& scope, Identifier name) {
  for (const compile::Scope* child : scope.children) {
    if (!child->inlined) continue;
    const compile::Symbol* symbol = child->find(name);
    if (symbol != nullptr && (symbol->flags & compile::kDefBound)) continue;
    if (symbol != nullptr && (symbol->flags & compile::kUse)) return true;
    if (used_in_comprehensions(*child, name)) return true;
  }
  return false;
}

// What only inlined comprehensions use shows in the scope that they are part of.
void add_from_comprehensions(const compile::Scope& scope, compile::Names& names, PyObject* symbols) {
  for (const compile::Scope* child : scope.children) {
    if (!child->inlined) continue;
    for (const compile::Symbol& symbol : child->symbols) {
      if (symbol.flags & compile::kDefParam) continue;
      const bool cell = (symbol.flags & compile::kDefBound) && symbol.scope == compile::Resolved::kCell;
      auto value = static_cast<long>(symbol.flags | (cell ? uint32_t{compile::kDefCompCell} : 0u)) |
                   static_cast<long>(symbol.scope) << kScopeShift;
      Ref<> number = Ref<>::steal(compile::check(PyLong_FromLong(value)));
      compile::check(PyDict_SetDefaultRef(symbols, names.str(symbol.name), number, nullptr));
    }
    add_from_comprehensions(*child, names, symbols);
  }
}

Ref<> entry(const compile::Scope& scope, compile::Names& names);

// Inlined comprehensions are no blocks of their own: theirs count as blocks of the scope around.
void add_children(const compile::Scope& scope, compile::Names& names, PyObject* list) {
  for (const compile::Scope* child : scope.children) {
    if (child->inlined) {
      add_children(*child, names, list);
      continue;
    }
    Ref<> made = entry(*child, names);
    compile::check(PyList_Append(list, made));
  }
}

Ref<> entry(const compile::Scope& scope, compile::Names& names) {
  compile::check_stack();
  auto* type = reinterpret_cast<PyTypeObject*>(entry_type);
  Ref<> object = Ref<>::steal(compile::check(type->tp_alloc(type, 0)));
  auto* e = reinterpret_cast<Entry*>(object.get());
  e->id = compile::check(PyLong_FromVoidPtr(const_cast<compile::Scope*>(&scope)));
  e->name = Py_NewRef(names.str(scope.name));
  e->symbols = compile::check(PyDict_New());
  for (const compile::Symbol& symbol : scope.symbols) {
    uint32_t flags = symbol.flags;
    if (scope.kind != compile::ScopeKind::kClass && used_in_comprehensions(scope, symbol.name)) flags |= compile::kUse;
    auto where = static_cast<long>(symbol.scope);
    Ref<> value = Ref<>::steal(compile::check(PyLong_FromLong(static_cast<long>(flags) | where << kScopeShift)));
    compile::check(PyDict_SetItem(e->symbols, names.str(symbol.name), value));
  }
  add_from_comprehensions(scope, names, e->symbols);
  e->varnames = compile::check(PyList_New(0));
  for (Identifier id : scope.parameters) compile::check(PyList_Append(e->varnames, names.str(id)));
  e->children = compile::check(PyList_New(0));
  add_children(scope, names, e->children);
  e->nested = scope.nested;
  e->type = static_cast<int>(scope.kind);
  e->lineno = scope.location.lineno;
  return object;
}

PyObject* symtable(PyObject*, PyObject* args) {
  PyObject *source, *filename;
  const char* mode;
  if (!PyArg_ParseTuple(args, "OO&s:symtable", &source, PyUnicode_FSDecoder, &filename, &mode)) return nullptr;
  Ref<> name = Ref<>::steal(filename);
  CompileOptions options;
  const std::string_view m = mode;
  if (m == "exec") {
    options.mode = CompileMode::kExec;
  } else if (m == "eval") {
    options.mode = CompileMode::kEval;
  } else if (m == "single") {
    options.mode = CompileMode::kSingle;
  } else {
    PyErr_SetString(PyExc_ValueError, "symtable() arg 3 must be 'exec' or 'eval' or 'single'");
    return nullptr;
  }
  std::string_view text;
  Py_buffer view{};
  if (PyUnicode_Check(source)) {
    Py_ssize_t size;
    const char* data = PyUnicode_AsUTF8AndSize(source, &size);
    if (data == nullptr) return nullptr;
    text = {data, static_cast<size_t>(size)};
    options.source_is_utf8 = true;
  } else {
    if (PyObject_GetBuffer(source, &view, PyBUF_SIMPLE) < 0) {
      PyErr_SetString(PyExc_TypeError, "symtable() arg 1 must be a string or bytes");
      return nullptr;
    }
    text = {static_cast<const char*>(view.buf), static_cast<size_t>(view.len)};
  }
  struct Release {
    Py_buffer* view;
    ~Release() {
      if (view->obj != nullptr) PyBuffer_Release(view);
    }
  } release{&view};
  Arena arena;
  ast::mod* tree = nullptr;
  if (!parse_source(text, name, options, arena, &tree)) return nullptr;
  try {
    compile::Names names(arena);
    compile::CompilerContext context{name, nullptr, 0, 0, names};
    ast::Location last{};
    context.flags |= compile::future_features(context, tree, &last);
    std::unique_ptr<compile::SymbolTable> table = compile::build_symbols(context, tree);
    return entry(*table->top, names).release();
  } catch (const compile::Failure&) {
    return nullptr;
  }
}

PyMethodDef methods[] = {
    {"symtable", symtable, METH_VARARGS,
     "symtable($module, source, filename, startstr, /)\n--\n\nReturn symbol and scope dictionaries used internally by "
     "compiler."},
    {nullptr, nullptr, 0, nullptr},
};

int exec_module(PyObject* module) {
  if (entry_type == nullptr) {
    entry_type = PyType_FromSpec(&entry_spec);
    if (entry_type == nullptr) return -1;
  }
  const struct {
    const char* name;
    long value;
  } constants[] = {
      {"USE", compile::kUse},
      {"DEF_GLOBAL", compile::kDefGlobal},
      {"DEF_NONLOCAL", compile::kDefNonlocal},
      {"DEF_LOCAL", compile::kDefLocal},
      {"DEF_PARAM", compile::kDefParam},
      {"DEF_TYPE_PARAM", compile::kDefTypeParam},
      {"DEF_FREE_CLASS", compile::kDefFreeClass},
      {"DEF_IMPORT", compile::kDefImport},
      {"DEF_BOUND", compile::kDefBound},
      {"DEF_ANNOT", compile::kDefAnnot},
      {"DEF_COMP_ITER", compile::kDefCompIter},
      {"DEF_COMP_CELL", compile::kDefCompCell},
      {"TYPE_FUNCTION", static_cast<long>(compile::ScopeKind::kFunction)},
      {"TYPE_CLASS", static_cast<long>(compile::ScopeKind::kClass)},
      {"TYPE_MODULE", static_cast<long>(compile::ScopeKind::kModule)},
      {"TYPE_ANNOTATION", static_cast<long>(compile::ScopeKind::kAnnotation)},
      {"TYPE_TYPE_ALIAS", static_cast<long>(compile::ScopeKind::kTypeAlias)},
      {"TYPE_TYPE_PARAMETERS", static_cast<long>(compile::ScopeKind::kTypeParameters)},
      {"TYPE_TYPE_VARIABLE", static_cast<long>(compile::ScopeKind::kTypeVariable)},
      {"LOCAL", static_cast<long>(compile::Resolved::kLocal)},
      {"GLOBAL_EXPLICIT", static_cast<long>(compile::Resolved::kGlobalExplicit)},
      {"GLOBAL_IMPLICIT", static_cast<long>(compile::Resolved::kGlobalImplicit)},
      {"FREE", static_cast<long>(compile::Resolved::kFree)},
      {"CELL", static_cast<long>(compile::Resolved::kCell)},
      {"SCOPE_OFF", kScopeShift},
      {"SCOPE_MASK", 15},
  };
  for (const auto& c : constants) {
    if (PyModule_AddIntConstant(module, c.name, c.value) < 0) return -1;
  }
  return 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec_module)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_symtable",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__symtable() { return PyModuleDef_Init(&amphis::definition); }
