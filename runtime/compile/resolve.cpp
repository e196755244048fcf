// Resolving names: for every name of every scope, whether it is local, global, free or a cell.
//
// A name that its scope does not bind is looked for outwards, past class bodies, in the blocks that enclose the scope.
// Found in the same code object (through inlined comprehensions) it is an ordinary local; found further out, it
// becomes a cell there and a free variable of every code object in between.
#include "compile/symtable.h"

namespace amphis::compile {

namespace {

class Resolver {
 public:
  Resolver(const CompilerContext& context, SymbolTable& table) : ctx_(context), names_(context.names), table_(table) {
    n_class_ = names_.intern("__class__");
    n_classdict_ = names_.intern("__classdict__");
    n_conditional_ = names_.intern("__conditional_annotations__");
  }
  void run() { scope(table_.top); }

 private:
  void scope(Scope* s) {
    check_stack();
    for (size_t i = 0; i < s->symbols.size(); ++i) resolve(s, &s->symbols[i]);
    for (Scope* child : s->children) scope(child);
  }

  void resolve(Scope* s, Symbol* symbol) {
    uint32_t flags = symbol->flags;
    if (flags & kDefGlobal) {
      if (flags & kDefNonlocal) {
        syntax_error(ctx_.filename, symbol->directive, "name '%U' is nonlocal and global", names_.str(symbol->name));
      }
      symbol->scope = Resolved::kGlobalExplicit;
      return;
    }
    if (flags & kDefNonlocal) {
      if (s->kind == ScopeKind::kModule) {
        syntax_error(ctx_.filename, symbol->directive, "nonlocal declaration not allowed at module level");
      }
      Resolved found = outward(s, symbol, true);
      if (found != Resolved::kFree && found != Resolved::kLocal) {
        syntax_error(ctx_.filename, symbol->directive, "no binding for nonlocal '%U' found",
                     names_.str(symbol->name));
      }
      return;
    }
    if (flags & kDefBound) {
      // A cell already, if a function inside was resolved first (it never is: parents come first).
      if (symbol->scope == Resolved::kUnknown) symbol->scope = Resolved::kLocal;
      return;
    }
    if (symbol->scope != Resolved::kUnknown) return;  // made free on behalf of an inner block
    if (!(flags & kUse)) {
      symbol->scope = Resolved::kGlobalImplicit;
      return;
    }
    if (special_class_name(s, symbol)) return;
    if (s->can_see_class_scope && symbol->name != n_classdict_) {
      // What the class binds is looked up in its namespace first, then globally.
      Scope* cls = s->parent;
      while (cls != nullptr && cls->kind != ScopeKind::kClass) cls = cls->parent;
      Symbol* in_class = cls != nullptr ? cls->find(symbol->name) : nullptr;
      if (in_class != nullptr) {
        if (in_class->flags & kDefGlobal) {
          symbol->scope = Resolved::kGlobalExplicit;
          return;
        }
        if ((in_class->flags & kDefBound) && !(in_class->flags & kDefNonlocal)) {
          symbol->scope = Resolved::kGlobalImplicit;
          return;
        }
      }
    }
    outward(s, symbol, false);
  }

  // The implicit variables of the class itself, used in its own block.
  bool special_class_name(Scope* s, Symbol* symbol) {
    if (symbol->name != n_conditional_) return false;
    if (s->kind == ScopeKind::kClass) {
      symbol->scope = Resolved::kCell;
      return true;
    }
    if (s->kind == ScopeKind::kModule) {
      symbol->scope = Resolved::kGlobalImplicit;
      return true;
    }
    return false;
  }

  bool class_provides(Scope* cls, Identifier name) {
    if (name == n_class_) {
      cls->needs_class_closure = true;
      return true;
    }
    if (name == n_classdict_) {
      cls->needs_classdict = true;
      return true;
    }
    return name == n_conditional_ && cls->has_conditional_annotations;
  }

  // Looks for a binding outside `s`; fills in symbol->scope and marks cells and free variables on the way.
  Resolved outward(Scope* s, Symbol* symbol, bool nonlocal) {
    const Identifier name = symbol->name;
    bool crossed = !s->inlined;
    Scope* found = nullptr;
    for (Scope* p = s->parent; p != nullptr; p = p->parent) {
      if (p->kind == ScopeKind::kModule) break;
      Symbol* there = p->find(name);
      if (p->kind == ScopeKind::kClass) {
        if (crossed && class_provides(p, name)) {
          found = p;
          break;
        }
        crossed = true;
        continue;
      }
      if (there != nullptr) {
        if (there->flags & kDefGlobal) {
          if (nonlocal) return Resolved::kGlobalExplicit;
          symbol->scope = s->inlined ? Resolved::kGlobalExplicit : Resolved::kGlobalImplicit;
          return symbol->scope;
        }
        if ((there->flags & kDefBound) && !(there->flags & kDefNonlocal)) {
          if (nonlocal && (there->flags & kDefTypeParam)) {
            syntax_error(ctx_.filename, symbol->directive, "nonlocal binding not allowed for type parameter '%U'",
                         names_.str(name));
          }
          found = p;
          break;
        }
      }
      if (!p->inlined) crossed = true;
    }
    if (found == nullptr) {
      symbol->scope = Resolved::kGlobalImplicit;
      return symbol->scope;
    }
    if (!crossed) {
      symbol->scope = Resolved::kLocal;  // a variable of the code object that the comprehension is inlined into
      return symbol->scope;
    }
    if (found->kind != ScopeKind::kClass) found->get(name)->scope = Resolved::kCell;
    symbol->scope = Resolved::kFree;
    // Every code object between is a closure that hands the cell on.
    for (Scope* p = s; p != found; p = p->parent) {
      if (!p->inlined && p != unit_of(found)) hand_through(p, name, p == s ? symbol : nullptr);
    }
    return Resolved::kFree;
  }

  static Scope* unit_of(Scope* s) {
    while (s->inlined) s = s->parent;
    return s;
  }

  void hand_through(Scope* p, Identifier name, Symbol* user) {
    Symbol* symbol = user != nullptr ? user : p->get(name);
    if (p->kind == ScopeKind::kClass) {
      if (symbol->flags & kDefBound && !(symbol->flags & kDefNonlocal)) {
        symbol->flags |= kDefFreeClass;
        return;
      }
      if (symbol->flags & kDefGlobal) {
        symbol->flags |= kDefFreeClass;
        return;
      }
    }
    symbol->scope = Resolved::kFree;
  }

  const CompilerContext& ctx_;
  Names& names_;
  SymbolTable& table_;
  Identifier n_class_, n_classdict_, n_conditional_;
};

}  // namespace

void resolve_symbols(const CompilerContext& context, SymbolTable& table) { Resolver(context, table).run(); }

}  // namespace amphis::compile
