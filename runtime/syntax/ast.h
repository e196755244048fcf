// The abstract syntax tree: plain structs in an arena, one per node of Python 3.14's ASDL, no Python objects.
//
// The structs are expansions of ast_nodes.def: categories keep their ASDL names (`ast::expr`, `ast::stmt`),
// nodes too (`ast::BinOp`), fields too. How an ASDL type looks in C++:
//   a node type       T*              (null only where the schema says Optional or ManyOptional)
//   an enumeration    enum class      (`ast::operator_::Add`; `operator` itself is a C++ keyword)
//   identifier        Identifier      interned per arena, null when absent
//   string            string_view     data() is null when absent
//   constant          ConstantValue
//   int               int
//   T*                Seq<T>
// Every sum type has `kind` (`expr_kind::BinOp`; in a `Constant*` the ASDL field `kind` hides it) and
// `as<BinOp>()`, `is<BinOp>()`, `dyn<BinOp>()`.
// Lines count from 1; columns count from 0 in bytes of UTF-8.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "source/arena.h"

namespace amphis::ast {

// An immutable array in the arena.
template <class T>
struct Seq {
  T* data = nullptr;
  size_t size = 0;
  T& operator[](size_t i) const {
    assert(i < size);
    return data[i];
  }
  T* begin() const { return data; }
  T* end() const { return data + size; }
  bool empty() const { return size == 0; }
  T& front() const { return (*this)[0]; }
  T& back() const { return (*this)[size - 1]; }
};

enum class ConstantKind : uint8_t { None, True, False, Ellipsis, Int, Float, Complex, Str, Bytes, Object };

// The value of a literal.
//   Int      `int_value` when `int_fits`; `text` always holds its digits (no prefix, no underscores) in
//   `base` Float    `real`;  Complex: `real` (zero for source text) and `imag` Str      `text` in UTF-8, lone
//   surrogates encoded as three bytes in the same scheme (WTF-8) Bytes    `text` Object   `object`, borrowed:
//   any other constant, for trees that did not come from source text
struct ConstantValue {
  ConstantKind kind = ConstantKind::None;
  uint8_t base = 10;
  bool int_fits = false;
  std::string_view text{};
  union {
    int64_t int_value = 0;
    double real;
    void* object;
  };
  double imag = 0;
};

// Where a node stands. Both ends are given as CPython gives them: the end column is exclusive.
struct Location {
  int lineno = 0;
  int col_offset = 0;
  int end_lineno = 0;
  int end_col_offset = 0;
};
struct Located : Location {
  const Location& location() const { return *this; }
};
struct Unlocated {};

#define AST_ENUM(category, python_name) enum class category : uint8_t {
#define AST_ENUM_VALUE(category, name) name,
#define AST_ENUM_END(category) \
  }                            \
  ;
#include "syntax/ast_nodes.def"

#define AST_SUM(category, located) enum class category##_kind : uint8_t {
#define AST_NODE(category, name, ...) name,
#define AST_SUM_END(category) \
  }                           \
  ;
#include "syntax/ast_nodes.def"

#define AST_SUM(category, located)                                     \
  struct category : located {                                          \
    category##_kind kind;                                              \
    explicit category(category##_kind k) : kind(k) {}                  \
    template <class T>                                                 \
    bool is() const {                                                  \
      return kind == T::kKind;                                         \
    }                                                                  \
    template <class T>                                                 \
    T* as() {                                                          \
      assert(kind == T::kKind);                                        \
      return static_cast<T*>(this);                                    \
    }                                                                  \
    template <class T>                                                 \
    const T* as() const {                                              \
      assert(kind == T::kKind);                                        \
      return static_cast<const T*>(this);                              \
    }                                                                  \
    template <class T>                                                 \
    T* dyn() {                                                         \
      return kind == T::kKind ? static_cast<T*>(this) : nullptr;       \
    }                                                                  \
    template <class T>                                                 \
    const T* dyn() const {                                             \
      return kind == T::kKind ? static_cast<const T*>(this) : nullptr; \
    }                                                                  \
  };
#define AST_PRODUCT(name, located, ...) struct name;
#include "syntax/ast_nodes.def"

// The C++ type of a field of each ASDL type.
using field_int = int;
using field_identifier = Identifier;
using field_string = std::string_view;
using field_constant = ConstantValue;
#define AST_ENUM(category, python_name) using field_##category = category;
#define AST_SUM(category, located) using field_##category = category*;
#define AST_PRODUCT(name, located, ...) using field_##name = name*;
#include "syntax/ast_nodes.def"

namespace quantified {
template <class T>
using One = T;
template <class T>
using Optional = T;
template <class T>
using Many = Seq<T>;
template <class T>
using ManyOptional = Seq<T>;
}  // namespace quantified

#define AST_FIELD(type, quantifier, name) quantified::quantifier<field_##type> name{};
#define AST_PRODUCT(name, located, ...) \
  struct name : located {               \
    __VA_ARGS__                         \
  };
#define AST_NODE(category, name, ...)                               \
  struct name : category {                                          \
    static constexpr category##_kind kKind = category##_kind::name; \
    name() : ::amphis::ast::category(kKind) {}                      \
    __VA_ARGS__                                                     \
  };
#include "syntax/ast_nodes.def"

}  // namespace amphis::ast
