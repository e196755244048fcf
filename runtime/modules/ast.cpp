// The module `_ast`, and compile() of AST objects.
#include "compile/compile.h"
#include "compile/tree.h"
#include "modules/ast_types.h"
#include "sync/ref.h"

namespace amphis {

namespace {

bool optimized(const CompileOptions& options) {
  return (options.flags & PyCF_OPTIMIZED_AST) == PyCF_OPTIMIZED_AST;
}
int optimize_level(const CompileOptions& options) {
  return options.optimize >= 0 ? options.optimize : Py_OptimizeFlag;
}

}  // namespace

int ast_check(PyObject* o) {
  if (ast_types_ready() < 0) return -1;
  return PyObject_IsInstance(o, ast_base_class());
}

PyObject* parse_to_ast_object(std::string_view source, PyObject* filename, const CompileOptions& options) {
  Arena arena;
  ast::mod* tree = nullptr;
  if (!parse_source(source, filename, options, arena, &tree)) return nullptr;
  if (optimized(options) && !ast_optimize(tree, arena, optimize_level(options))) return nullptr;
  return ast_to_object(tree, filename);
}

PyObject* compile_ast_object(PyObject* object, PyObject* filename, const CompileOptions& options) {
  Ref<> keep = Ref<>::steal(PyList_New(0));
  if (!keep) return nullptr;
  Arena arena;
  ast::mod* tree = ast_from_object(object, static_cast<int>(options.mode), arena, keep);
  if (tree == nullptr || !ast_validate(tree)) return nullptr;
  if ((options.flags & PyCF_ONLY_AST) != 0) {
    if (!optimized(options)) return Py_NewRef(object);
    if (!ast_optimize(tree, arena, optimize_level(options))) return nullptr;
    return ast_to_object(tree, filename);
  }
  return compile_tree(tree, arena, filename, options);
}

namespace {

int exec_module(PyObject* module) {
  if (ast_types_ready() < 0) return -1;
  if (PyModule_AddObjectRef(module, "AST", ast_base_class()) < 0 ||
      PyModule_AddIntConstant(module, "PyCF_ALLOW_TOP_LEVEL_AWAIT", PyCF_ALLOW_TOP_LEVEL_AWAIT) < 0 ||
      PyModule_AddIntConstant(module, "PyCF_ONLY_AST", PyCF_ONLY_AST) < 0 ||
      PyModule_AddIntConstant(module, "PyCF_TYPE_COMMENTS", PyCF_TYPE_COMMENTS) < 0 ||
      PyModule_AddIntConstant(module, "PyCF_OPTIMIZED_AST", PyCF_OPTIMIZED_AST) < 0) {
    return -1;
  }
  for (unsigned t = 0; t < static_cast<unsigned>(ast::TypeTag::kCount); ++t) {
    const auto tag = static_cast<ast::TypeTag>(t);
    const ast::TypeInfo& type = ast::type_info(tag);
    if (type.type_class == ast::TypeClass::Primitive) continue;
    if (PyModule_AddObjectRef(module, type.name, ast_category_class(tag)) < 0) return -1;
    if (type.type_class == ast::TypeClass::Product) continue;
    const bool sum = type.type_class == ast::TypeClass::Sum;
    const unsigned n = sum ? type.node_count : type.value_count;
    for (unsigned i = 0; i < n; ++i) {
      const char* name = sum ? type.nodes[i].name : type.values[i];
      if (PyModule_AddObjectRef(module, name, ast_node_class(tag, i)) < 0) return -1;
    }
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
    .m_name = "_ast",
    .m_size = 0,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__ast() { return PyModuleDef_Init(&amphis::definition); }
