// The classes of the module `_ast`, one per node, category and enumeration value of the schema, and the conversions
// between their instances and the tree of syntax/ast.h.
#pragma once

#include "Python.h"
#include "source/arena.h"
#include "syntax/ast.h"
#include "syntax/ast_schema.h"

namespace amphis {

// Makes the classes, once. 0, or -1 with an exception.
int ast_types_ready();
// The runtime ends: programs add to these classes, so the next life makes new ones.
void ast_types_forget();

// Borrowed classes (after ast_types_ready): of a category or product, of a node, of an enumeration's value.
PyObject* ast_base_class();
PyObject* ast_category_class(ast::TypeTag tag);
PyObject* ast_node_class(ast::TypeTag tag, unsigned kind);
// The shared instance of an enumeration's value; borrowed.
PyObject* ast_enum_instance(ast::TypeTag tag, unsigned value);
// Interned name of a field; borrowed.
PyObject* ast_field_name(const ast::FieldInfo& field);

// The objects for a tree; new reference or null.
PyObject* ast_to_object(ast::mod* tree, PyObject* filename);
// The tree for an object, checked for its shape, in the arena; references that constants borrow are kept in `keep`
// (a list). Null with an exception.
ast::mod* ast_from_object(PyObject* object, int mode, Arena& arena, PyObject* keep);
// What the compiler simplifies in the tree itself, for PyCF_OPTIMIZED_AST. False with an exception.
bool ast_optimize(ast::mod* tree, Arena& arena, int level);
// Refuses trees that no source text gives. False with an exception.
bool ast_validate(ast::mod* tree);

}  // namespace amphis
