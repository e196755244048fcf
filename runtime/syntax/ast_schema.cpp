// The run-time schema: tables expanded from ast_nodes.def.
#include "syntax/ast_schema.h"

// Nodes inherit their position, so they are not of standard layout; the offsets are nonetheless fixed, since
// no base is virtual.
#pragma GCC diagnostic ignored "-Winvalid-offsetof"

namespace amphis::ast {

namespace {

template <class T>
struct Schema;

template <class T>
void* make_node(Arena& arena) {
  return arena.make<T>();
}

template <class T>
constexpr bool is_located = std::is_base_of_v<Location, T>;

template <class T>
uint16_t location_offset() {
  if constexpr (is_located<T>) {
    alignas(T) static char probe[sizeof(T)];
    auto* node = reinterpret_cast<T*>(probe);
    return static_cast<uint16_t>(reinterpret_cast<char*>(static_cast<Location*>(node)) - probe);
  } else {
    return 0;
  }
}

// `int` cannot name an enumerator.
constexpr TypeTag tag_of_field(const char*, TypeTag tag) {
  return tag;
}
#define AMPHIS_TAG_int TypeTag::int_
#define AMPHIS_TAG_identifier TypeTag::identifier
#define AMPHIS_TAG_string TypeTag::string
#define AMPHIS_TAG_constant TypeTag::constant
#define AMPHIS_TAG_expr_context TypeTag::expr_context
#define AMPHIS_TAG_boolop TypeTag::boolop
#define AMPHIS_TAG_operator_ TypeTag::operator_
#define AMPHIS_TAG_unaryop TypeTag::unaryop
#define AMPHIS_TAG_cmpop TypeTag::cmpop
#define AMPHIS_TAG_comprehension TypeTag::comprehension
#define AMPHIS_TAG_arguments TypeTag::arguments
#define AMPHIS_TAG_arg TypeTag::arg
#define AMPHIS_TAG_keyword TypeTag::keyword
#define AMPHIS_TAG_alias TypeTag::alias
#define AMPHIS_TAG_withitem TypeTag::withitem
#define AMPHIS_TAG_match_case TypeTag::match_case
#define AMPHIS_TAG_stmt TypeTag::stmt
#define AMPHIS_TAG_expr TypeTag::expr
#define AMPHIS_TAG_excepthandler TypeTag::excepthandler
#define AMPHIS_TAG_pattern TypeTag::pattern
#define AMPHIS_TAG_type_ignore TypeTag::type_ignore
#define AMPHIS_TAG_type_param TypeTag::type_param

#define AST_FIELD(type, quantifier, name) \
  {#name, tag_of_field(#type, AMPHIS_TAG_##type), Quantifier::quantifier, offsetof(Self, name)},
#define AST_NODE(category, name, ...)                                                                  \
  template <>                                                                                          \
  struct Schema<name> {                                                                                \
    using Self = name;                                                                                 \
    static constexpr FieldInfo fields[] = {__VA_ARGS__{nullptr, TypeTag::kCount, Quantifier::One, 0}}; \
    static constexpr uint8_t count = sizeof(fields) / sizeof(fields[0]) - 1;                           \
  };
#define AST_PRODUCT(name, located, ...) AST_NODE(name, name, __VA_ARGS__)
#include "syntax/ast_nodes.def"

#define AST_NODE(category, name, ...)           \
  {#name,                                       \
   TypeTag::category,                           \
   static_cast<uint8_t>(category##_kind::name), \
   is_located<name>,                            \
   Schema<name>::count,                         \
   Schema<name>::fields,                        \
   sizeof(name),                                \
   location_offset<name>(),                     \
   make_node<name>},
#define AST_SUM(category, located) const NodeInfo category##_nodes[] = {
#define AST_SUM_END(category) \
  }                           \
  ;
#include "syntax/ast_nodes.def"

#define AST_PRODUCT(name, located, ...)                                                             \
  const NodeInfo name##_nodes[] = {{#name, TypeTag::name, 0, is_located<name>, Schema<name>::count, \
                                    Schema<name>::fields, sizeof(name), location_offset<name>(),    \
                                    make_node<name>}};
#include "syntax/ast_nodes.def"

#define AST_ENUM(category, python_name) const char* const category##_values[] = {
#define AST_ENUM_VALUE(category, name) #name,
#define AST_ENUM_END(category) \
  }                            \
  ;
#include "syntax/ast_nodes.def"

#define AMPHIS_COUNT(array) static_cast<uint8_t>(sizeof(array) / sizeof((array)[0]))

const TypeInfo types[] = {
    {"int", TypeClass::Primitive, false, 0, nullptr, 0, nullptr},
    {"identifier", TypeClass::Primitive, false, 0, nullptr, 0, nullptr},
    {"string", TypeClass::Primitive, false, 0, nullptr, 0, nullptr},
    {"constant", TypeClass::Primitive, false, 0, nullptr, 0, nullptr},
#define AST_ENUM(category, python_name)                                                          \
  {python_name,      TypeClass::Enumeration, false, 0, nullptr, AMPHIS_COUNT(category##_values), \
   category##_values},
#define AST_PRODUCT(name, located, ...) \
  {#name, TypeClass::Product, is_located<name>, 1, name##_nodes, 0, nullptr},
#define AST_SUM(category, located)                                                                    \
  {#category, TypeClass::Sum, is_located<category>, AMPHIS_COUNT(category##_nodes), category##_nodes, \
   0,         nullptr},
#include "syntax/ast_nodes.def"
};
static_assert(sizeof(types) / sizeof(types[0]) == static_cast<size_t>(TypeTag::kCount));

}  // namespace

const TypeInfo& type_info(TypeTag tag) {
  return types[static_cast<size_t>(tag)];
}

const NodeInfo& node_info(TypeTag tag, const void* node) {
  const TypeInfo& type = type_info(tag);
  switch (tag) {
#define AST_SUM(category, located) \
  case TypeTag::category:          \
    return type.nodes[static_cast<size_t>(static_cast<const category*>(node)->kind)];
#include "syntax/ast_nodes.def"
    default:
      return type.nodes[0];
  }
}

}  // namespace amphis::ast
