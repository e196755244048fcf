// The schema of the tree at run time: what a generic walk over nodes needs (the `_ast` module, the dump
// tool).
//
// Invariant: it is an expansion of ast_nodes.def, as the structs are, so offsets and types agree with ast.h.
#pragma once

#include <cstddef>
#include <cstdint>

#include "syntax/ast.h"

namespace amphis::ast {

// Every ASDL type a field can have, primitives first.
enum class TypeTag : uint8_t {
  int_,
  identifier,
  string,
  constant,
#define AST_ENUM(category, python_name) category,
#define AST_PRODUCT(name, located, ...) name,
#define AST_SUM(category, located) category,
#include "syntax/ast_nodes.def"
  kCount
};

enum class Quantifier : uint8_t { One, Optional, Many, ManyOptional };

struct FieldInfo {
  const char* name;
  TypeTag type;
  Quantifier quantifier;
  uint16_t offset;  // in the node's struct
};

// One node type: an alternative of a sum, or a product (whose `category` is itself).
struct NodeInfo {
  const char* name;
  TypeTag category;
  uint8_t kind;  // the value of `kind` in a sum; 0 in a product
  bool located;
  uint8_t field_count;
  const FieldInfo* fields;
  uint16_t size;
  uint16_t location_offset;  // of the Location subobject, when located
  void* (*make)(Arena&);     // a fresh node with empty fields
};

enum class TypeClass : uint8_t { Primitive, Enumeration, Product, Sum };

struct TypeInfo {
  const char* name;  // the name in Python: "operator", not "operator_"
  TypeClass type_class;
  bool located;
  uint8_t node_count;  // a sum's alternatives, one for a product
  const NodeInfo* nodes;
  uint8_t value_count;        // an enumeration's values
  const char* const* values;  // their names
};

const TypeInfo& type_info(TypeTag tag);

// The description of the node at `node`, whose static type is `tag` (a sum or a product).
const NodeInfo& node_info(TypeTag tag, const void* node);

}  // namespace amphis::ast
