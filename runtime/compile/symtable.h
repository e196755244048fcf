// Symbol tables: which names each block of a program uses and binds, and where each of them lives.
//
// Scopes form a tree. An inlined comprehension (PEP 709) has a scope of its own but shares the code object of the
// block around it: `inlined` scopes belong to the unit of their nearest ancestor that is not inlined.
// Flag and scope values are those of CPython's `_symtable` module, which shows them.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "compile/names.h"
#include "syntax/ast.h"

namespace amphis::compile {

enum SymbolFlags : uint32_t {
  kDefGlobal = 1,
  kDefLocal = 2,
  kDefParam = 4,
  kDefNonlocal = 8,
  kUse = 16,
  kDefFreeClass = 64,  // a class body hands the name through to functions inside it
  kDefImport = 128,
  kDefAnnot = 256,
  kDefCompIter = 512,
  kDefTypeParam = 1024,
  kDefCompCell = 2048,
  kDefBound = kDefLocal | kDefParam | kDefImport | kDefTypeParam,
};

enum class Resolved : uint8_t { kUnknown, kLocal, kGlobalExplicit, kGlobalImplicit, kFree, kCell };

struct Symbol {
  Identifier name;
  uint32_t flags = 0;
  Resolved scope = Resolved::kUnknown;
  bool walrus = false;       // bound by := somewhere
  bool deleted = false;      // del, or the name of an except clause
  int reg = -1;              // register of the local, cell or free variable
  int free_reg = -1;         // kDefFreeClass: the free variable that is handed through
  ast::Location directive{}; // of the first definition, global or nonlocal statement
};

enum class ScopeKind : uint8_t {
  kFunction,
  kClass,
  kModule,
  kAnnotation,
  kTypeAlias,
  kTypeParameters,
  kTypeVariable,
};
enum class Comprehension : uint8_t { kNone, kList, kDict, kSet, kGenerator };

struct Scope {
  ScopeKind kind = ScopeKind::kModule;
  Comprehension comprehension = Comprehension::kNone;
  Identifier name = nullptr;
  Identifier private_name = nullptr;  // the class whose private names are mangled here
  // In the block of a generic class only the names of its type parameters are mangled with the class's name.
  std::shared_ptr<std::vector<Identifier>> mangled_only;
  Scope* parent = nullptr;
  Scope* annotations = nullptr;       // the annotation block of a module, class or function
  const void* node = nullptr;         // the node that it was made for
  ast::Location location{};
  std::vector<Scope*> children;
  std::deque<Symbol> symbols;         // in order of first appearance; addresses stay
  std::unordered_map<Identifier, Symbol*> index;
  std::vector<Identifier> parameters;

  bool nested = false;
  bool generator = false;
  bool coroutine = false;
  bool varargs = false;
  bool varkeywords = false;
  bool returns_value = false;
  bool inlined = false;
  bool is_lambda = false;
  bool needs_class_closure = false;     // class: __class__ is used inside
  bool needs_classdict = false;         // class: __classdict__ is used inside
  bool has_conditional_annotations = false;
  bool can_see_class_scope = false;
  bool in_comprehension_iterable = false;
  bool comprehension_target = false;
  bool has_docstring = false;
  bool method = false;                  // a function directly in a class body
  int comprehension_iter_depth = 0;
  bool in_conditional_block = false;
  bool in_try_block = false;
  bool in_unevaluated_annotation = false;
  const char* scope_info = nullptr;     // what a type variable's expression is, for messages

  bool is_function_like() const { return kind != ScopeKind::kModule && kind != ScopeKind::kClass; }
  Symbol* find(Identifier id) const {
    auto it = index.find(id);
    return it == index.end() ? nullptr : it->second;
  }
  Symbol* get(Identifier id);
};

// `name` as it is called in `scope`.
inline Identifier scope_mangle(Names& names, const Scope* scope, Identifier name) {
  if (scope->mangled_only != nullptr) {
    bool found = false;
    for (Identifier id : *scope->mangled_only) found |= id == name;
    if (!found) return name;
  }
  return names.mangle(scope->private_name, name);
}

// What a node's scope is for, where one node has several.
enum class ScopeRole : uint8_t { kBody = 0, kAnnotations = 1, kTypeParams = 2, kBound = 3, kDefault = 4 };

class SymbolTable {
 public:
  Scope* top = nullptr;
  Scope* of(const void* node, ScopeRole role = ScopeRole::kBody) const {
    auto it = scopes_.find(reinterpret_cast<uintptr_t>(node) + static_cast<uintptr_t>(role));
    return it == scopes_.end() ? nullptr : it->second;
  }
  Scope* make(ScopeKind kind, Identifier name, const void* node, ScopeRole role, Scope* parent,
              const ast::Location& at);

 private:
  std::deque<Scope> storage_;
  std::unordered_map<uintptr_t, Scope*> scopes_;
};

struct CompilerContext {
  PyObject* filename;  // borrowed
  PyObject* module;    // borrowed or null
  int flags;           // CO_FUTURE_* and PyCF_*
  int optimize;
  Names& names;
};

// Builds and resolves. Throws Failure with SyntaxError set.
std::unique_ptr<SymbolTable> build_symbols(const CompilerContext& context, ast::mod* tree);
void resolve_symbols(const CompilerContext& context, SymbolTable& table);

// The CO_FUTURE_* flags that the tree's `from __future__` imports ask for; the line of the last one (or -1).
int future_features(const CompilerContext& context, ast::mod* tree, ast::Location* last);

}  // namespace amphis::compile
