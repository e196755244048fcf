// Units: laying out the registers of a code object, its prologue and epilogue, names and constants.
#include <algorithm>

#include "compile/codegen.h"

namespace amphis::compile {

Position position_of(const ast::Location& where) {
  return Position{where.lineno, where.end_lineno, where.col_offset, where.end_col_offset};
}

void Compiler::at(const ast::Location& where) { code().position = position_of(where); }

int Compiler::const_index(PyObject* value) { return unit_->consts.add(value); }

void Compiler::emit_const(uint32_t a, PyObject* value) {
  if (!code().reachable()) return;
  if (PyLong_CheckExact(value)) {
    int overflow = 0;
    long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0 && n >= INT32_MIN && n <= INT32_MAX) {
      emit_int(a, n);
      return;
    }
  }
  code().emit_wide(Op::LOAD_CONST, a, const_index(value));
}

int Compiler::name_index(Identifier name) {
  auto [it, fresh] = unit_->name_index.try_emplace(name, static_cast<int>(unit_->names.size()));
  if (fresh) {
    // Names of code that cannot be reached are left out.
    if (!code().reachable()) {
      unit_->name_index.erase(it);
      return 0;
    }
    unit_->names.push_back(name);
  }
  return it->second;
}

Operand Compiler::destination(int dst) {
  if (dst == kAny) return Operand{push(), true};
  const auto reg = static_cast<uint32_t>(dst);
  need(reg + 1);
  return Operand{reg, is_temp(reg)};
}

Bits Compiler::interrupted(const Bits& before) const {
  Bits result = before;
  for (size_t i = 0; i < result.size(); ++i) result[i] &= ~unit_->deletable[i];
  return result;
}

namespace {

void add_register(Unit& u, Identifier name, uint8_t kind) {
  u.register_names.push_back(name);
  u.register_kinds.push_back(kind);
}

}  // namespace

void Compiler::add_comprehension_registers(Unit& u, Scope* scope, size_t depth,
                                           std::vector<std::unordered_map<Identifier, uint32_t>>& seen) {
  check_stack();
  for (Scope* child : scope->children) {
    if (!child->inlined) continue;
    if (seen.size() <= depth) seen.resize(depth + 1);
    // Comprehensions beside each other share registers, those inside each other do not.
    for (Symbol& symbol : child->symbols) {
      if ((symbol.flags & kDefParam) || !(symbol.flags & kDefBound)) continue;
      if (symbol.flags & (kDefGlobal | kDefNonlocal)) continue;
      if (symbol.scope != Resolved::kLocal && symbol.scope != Resolved::kCell) continue;
      auto [it, fresh] = seen[depth].try_emplace(symbol.name, static_cast<uint32_t>(u.register_names.size()));
      const bool cell = symbol.scope == Resolved::kCell;
      if (fresh) add_register(u, symbol.name, kLocalHidden | kLocal);
      if (cell) u.register_kinds[it->second] |= kLocalCell;
      symbol.reg = static_cast<int>(it->second);
    }
    add_comprehension_registers(u, child, depth + 1, seen);
  }
}

void Compiler::assign_registers(Unit& u) {
  Scope* scope = u.scope;
  const bool function_like = scope->is_function_like();
  // What stands in a finally block is compiled once for each way through it.
  for (Symbol& symbol : scope->symbols) symbol.reg = symbol.free_reg = -1;
  if (function_like) {
    for (size_t i = 0; i < scope->parameters.size(); ++i) {
      Symbol* symbol = scope->find(scope->parameters[i]);
      uint8_t kind = kLocal;
      const int n = static_cast<int>(i);
      if (n < u.posonly) {
        kind |= kLocalArgPos;
      } else if (n < u.argcount) {
        kind |= kLocalArgPos | kLocalArgKw;
      } else if (n < u.argcount + u.kwonly) {
        kind |= kLocalArgKw;
      } else if (scope->varargs && n == u.argcount + u.kwonly) {
        kind |= kLocalArgVar | kLocalArgPos;
      } else if (scope->varkeywords) {
        kind |= kLocalArgVar | kLocalArgKw;
      }
      if (symbol->scope == Resolved::kCell) kind |= kLocalCell;
      symbol->reg = static_cast<int>(i);
      add_register(u, symbol->name, kind);
    }
    for (Symbol& symbol : scope->symbols) {
      if (symbol.reg >= 0 || symbol.scope != Resolved::kLocal || !(symbol.flags & kDefBound)) continue;
      symbol.reg = static_cast<int>(u.register_names.size());
      add_register(u, symbol.name, kLocal);
    }
  }
  std::vector<std::unordered_map<Identifier, uint32_t>> seen;
  add_comprehension_registers(u, scope, 0, seen);

  auto by_name = [](const Symbol* a, const Symbol* b) { return a->name->view() < b->name->view(); };
  std::vector<Symbol*> cells, free;
  for (Symbol& symbol : scope->symbols) {
    if (function_like && symbol.scope == Resolved::kCell && symbol.reg < 0) cells.push_back(&symbol);
    if (symbol.scope == Resolved::kFree || (symbol.flags & kDefFreeClass)) free.push_back(&symbol);
  }
  std::sort(cells.begin(), cells.end(), by_name);
  std::sort(free.begin(), free.end(), by_name);
  for (Symbol* symbol : cells) {
    symbol->reg = static_cast<int>(u.register_names.size());
    add_register(u, symbol->name, kLocalCell);
  }
  if (scope->kind == ScopeKind::kClass) {
    auto implicit = [&](bool wanted, const char* name) {
      if (!wanted) return;
      Identifier id = names_.intern(name);
      u.cells_by_name[id] = static_cast<uint32_t>(u.register_names.size());
      add_register(u, id, kLocalCell);
    };
    implicit(scope->needs_class_closure, "__class__");
    implicit(scope->needs_classdict, "__classdict__");
    implicit(scope->has_conditional_annotations, "__conditional_annotations__");
  }
  u.first_free = static_cast<uint32_t>(u.register_names.size());
  u.free_count = static_cast<uint32_t>(free.size());
  for (Symbol* symbol : free) {
    const int reg = static_cast<int>(u.register_names.size());
    if (symbol->flags & kDefFreeClass) {
      symbol->free_reg = reg;
    } else {
      symbol->reg = reg;
    }
    add_register(u, symbol->name, kLocalFree);
  }
  u.first_temp = u.top = u.max_top = static_cast<uint32_t>(u.register_names.size());
  u.other_reads.assign(u.first_temp, 0);

  const size_t words = u.register_names.size() / 64 + 1;
  u.assigned.assign(words, 0);
  u.deletable.assign(words, 0);
  u.rebound.assign(words, 0);
  if (!function_like) return;
  for (Symbol& symbol : scope->symbols) {
    if (symbol.reg < 0 || static_cast<uint32_t>(symbol.reg) >= u.first_free) continue;
    const auto reg = static_cast<size_t>(symbol.reg);
    const uint64_t bit = uint64_t{1} << (reg % 64);
    if (symbol.flags & kDefParam) u.assigned[reg / 64] |= bit;
    if (symbol.deleted) u.deletable[reg / 64] |= bit;
    if (symbol.walrus) u.rebound[reg / 64] |= bit;
  }
}

void Compiler::enter_unit(std::unique_ptr<Unit>& unit, Scope* scope, PyObject* name, int firstlineno) {
  unit->name = Ref<>::share(name);
  unit->firstlineno = firstlineno;
  assign_registers(*unit);
  unit_ = unit.get();
  set_qualname(*unit);
  (void)scope;
}

void Compiler::set_qualname(Unit& u) {
  Unit* parent = u.parent;
  if (parent != nullptr && parent->scope->kind == ScopeKind::kTypeParameters) parent = parent->parent;
  if (parent == nullptr || parent->parent == nullptr) {
    u.qualname = u.name.copy();
    if (parent == nullptr || u.parent == parent) return;
    if (parent->scope->kind == ScopeKind::kModule) return;
  }
  Scope* scope = u.scope;
  const bool definition = (scope->kind == ScopeKind::kFunction && scope->comprehension == Comprehension::kNone &&
                           !scope->is_lambda) ||
                          scope->kind == ScopeKind::kClass;
  if (definition && scope->name != nullptr) {
    // A name that the block declares global belongs to the module.
    Scope* outer = parent->scope;
    Symbol* symbol = outer->find(scope_mangle(names_, outer, scope->name));
    if (symbol != nullptr && symbol->scope == Resolved::kGlobalExplicit) {
      u.qualname = u.name.copy();
      return;
    }
  }
  const Scope* outer = parent->scope;
  const bool function = outer->kind == ScopeKind::kFunction && outer->comprehension == Comprehension::kNone;
  u.qualname = Ref<>::steal(check(PyUnicode_FromFormat(function ? "%U.<locals>.%U" : "%U.%U", parent->qualname.get(),
                                                       u.name.get())));
}

int Compiler::code_flags(Unit& u) {
  Scope* scope = u.scope;
  int flags = ctx_.flags & PyCF_MASK;
  if (scope->is_function_like()) {
    flags |= CO_NEWLOCALS | CO_OPTIMIZED;
    if (scope->nested) flags |= CO_NESTED;
    if (scope->generator) flags |= scope->coroutine ? CO_ASYNC_GENERATOR : CO_GENERATOR;
    if (scope->coroutine && !scope->generator) flags |= CO_COROUTINE;
    if (scope->varargs) flags |= CO_VARARGS;
    if (scope->varkeywords) flags |= CO_VARKEYWORDS;
    if (scope->method) flags |= CO_METHOD;
    if (scope->has_docstring && ctx_.optimize < 2) flags |= CO_HAS_DOCSTRING;
  } else if (scope->kind == ScopeKind::kModule && scope->coroutine &&
             (ctx_.flags & PyCF_ALLOW_TOP_LEVEL_AWAIT) != 0) {
    flags |= CO_COROUTINE;
  }
  return flags;
}

// Cells, closure and generator set-up. The statements follow.
void Compiler::begin_body(bool) {
  Unit& u = *unit_;
  u.flags = code_flags(u);
  code().position = Position{u.firstlineno, u.firstlineno, 0, 0};
  if (u.free_count > 0) code().emit_wide(Op::COPY_FREE_VARS, u.first_free, u.free_count);
  for (uint32_t r = 0; r < u.first_free; ++r) {
    if ((u.register_kinds[r] & kLocalCell) && !(u.register_kinds[r] & kLocalHidden)) emit(Op::MAKE_CELL, r);
  }
  if (u.flags & (CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR)) {
    emit(Op::RETURN_GENERATOR);
    u.generator_handler = new_label();
    u.generator_start = code().size();
  }
}

// StopIteration must not leave a generator as such.
void Compiler::end_generator() {
  Unit& u = *unit_;
  if (u.generator_handler == kNoLabel) return;
  const size_t end = code().size();
  code().bind_handler(u.generator_handler, end > u.generator_start);
  code().position = Position{};
  const uint32_t h = u.first_temp;
  need(h + 1);
  emit(Op::INTRINSIC_1, h, h, static_cast<uint32_t>(Intrinsic1::kStopIterationError), kKillB);
  emit(Op::RERAISE, h);
  code().add_range(u.generator_start, end, u.generator_handler, h);
}

// Ends the unit: the code object. The caller's unit is current again.
Ref<> Compiler::leave_unit() {
  Unit& u = *unit_;
  if (code().reachable()) {
    Inherit line(code());
    code().emit_wide(Op::RETURN_CONST, 0, const_index(Py_None));
  }
  end_generator();
  CodeSpec spec;
  code().unbox_variables(u.other_reads);
  code().mark_unwanted_results();
  code().finish(spec, u.scope->kind == ScopeKind::kModule ? 0 : u.firstlineno);
  Ref<> consts = u.consts.tuple();
  Ref<> names = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(u.names.size()))));
  for (size_t i = 0; i < u.names.size(); ++i) {
    PyTuple_SET_ITEM(names.get(), static_cast<Py_ssize_t>(i), Py_NewRef(names_.str(u.names[i])));
  }
  Ref<> registers = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(u.register_names.size()))));
  for (size_t i = 0; i < u.register_names.size(); ++i) {
    PyTuple_SET_ITEM(registers.get(), static_cast<Py_ssize_t>(i), Py_NewRef(names_.str(u.register_names[i])));
  }
  spec.filename = ctx_.filename;
  spec.name = u.name;
  spec.qualname = u.qualname;
  spec.consts = consts;
  spec.names = names;
  spec.localsplusnames = registers;
  spec.localspluskinds = u.register_kinds;
  spec.argcount = u.argcount;
  spec.posonlyargcount = u.posonly;
  spec.kwonlyargcount = u.kwonly;
  spec.flags = u.flags;
  spec.firstlineno = u.firstlineno;
  spec.temporaries = u.max_top - u.first_temp;
  if (u.max_top > 0xfff0) {
    PyErr_SetString(PyExc_SyntaxError, "too many variables and temporaries in one code object");
    throw Failure{};
  }
  Ref<> result = Ref<>::steal(reinterpret_cast<PyObject*>(check(code_new(spec))));
  unit_ = u.parent;
  return result;
}

// --- names

NameUse Compiler::resolve(Identifier name) {
  Unit& u = *unit_;
  const Scope* innermost = u.comprehensions.empty() ? u.scope : u.comprehensions.back();
  Identifier id = scope_mangle(names_, innermost, name);
  NameUse use{NameUse::kName, 0, id};
  for (size_t i = u.comprehensions.size(); i-- > 0;) {
    Symbol* symbol = u.comprehensions[i]->find(id);
    if (symbol == nullptr) continue;
    if (symbol->reg >= 0 && (symbol->scope == Resolved::kLocal || symbol->scope == Resolved::kCell)) {
      use.kind = symbol->scope == Resolved::kCell ? NameUse::kDeref : NameUse::kFast;
      use.reg = static_cast<uint32_t>(symbol->reg);
      return use;
    }
    if (symbol->scope == Resolved::kGlobalExplicit) {
      use.kind = NameUse::kGlobal;
      return use;
    }
    // The body of a class is not visible from its comprehensions.
    if (u.scope->kind == ScopeKind::kClass && symbol->scope != Resolved::kLocal) {
      if (symbol->scope == Resolved::kFree) {
        Symbol* through = u.scope->find(id);
        use.kind = NameUse::kDeref;
        use.reg = static_cast<uint32_t>(through->free_reg >= 0 ? through->free_reg : through->reg);
      } else {
        use.kind = NameUse::kGlobal;
      }
      return use;
    }
  }
  auto implicit = u.cells_by_name.find(id);
  Symbol* symbol = u.scope->find(id);
  if (implicit != u.cells_by_name.end() && (symbol == nullptr || symbol->scope == Resolved::kCell)) {
    use.kind = NameUse::kDeref;
    use.reg = implicit->second;
    return use;
  }
  if (symbol == nullptr) {
    use.kind = u.scope->is_function_like() ? NameUse::kGlobal : NameUse::kName;
    return use;
  }
  switch (symbol->scope) {
    case Resolved::kLocal:
      if (u.scope->is_function_like()) use.kind = NameUse::kFast;
      break;
    case Resolved::kCell:
      use.kind = NameUse::kDeref;
      break;
    case Resolved::kFree:
      if (u.scope->kind == ScopeKind::kClass || u.scope->can_see_class_scope) {
        use.kind = NameUse::kDictOrDeref;
      } else {
        use.kind = NameUse::kDeref;
      }
      break;
    case Resolved::kGlobalExplicit:
      use.kind = NameUse::kGlobal;
      break;
    default:
      if (u.scope->is_function_like()) {
        use.kind = u.scope->can_see_class_scope ? NameUse::kDictOrGlobals : NameUse::kGlobal;
      }
      break;
  }
  if (symbol->reg >= 0) use.reg = static_cast<uint32_t>(symbol->reg);
  return use;
}

uint32_t Compiler::cell_register(Identifier name) {
  Unit& u = *unit_;
  for (size_t i = u.comprehensions.size(); i-- > 0;) {
    Symbol* symbol = u.comprehensions[i]->find(name);
    if (symbol != nullptr && symbol->scope == Resolved::kCell && symbol->reg >= 0) {
      return static_cast<uint32_t>(symbol->reg);
    }
  }
  auto implicit = u.cells_by_name.find(name);
  if (implicit != u.cells_by_name.end()) return implicit->second;
  Symbol* symbol = u.scope->find(name);
  if (symbol == nullptr) {
    PyErr_Format(PyExc_SystemError, "compiler: no cell for %R in %R", names_.str(name), u.name.get());
    throw Failure{};
  }
  return static_cast<uint32_t>(symbol->free_reg >= 0 ? symbol->free_reg : symbol->reg);
}

Operand Compiler::load_name(Identifier name, int dst) {
  NameUse use = resolve(name);
  switch (use.kind) {
    case NameUse::kFast: {
      if (!bound(use.reg)) {
        emit(Op::CHECK_BOUND, use.reg);
        if (code().reachable()) set_bound(use.reg);
      }
      ++unit_->other_reads[use.reg];
      if (dst == kAny || static_cast<uint32_t>(dst) == use.reg) return Operand{use.reg, false};
      Operand d = destination(dst);
      emit(Op::COPY, d.reg, use.reg);
      return d;
    }
    case NameUse::kDeref: {
      Operand d = destination(dst);
      emit(Op::LOAD_DEREF, d.reg, use.reg);
      return d;
    }
    case NameUse::kGlobal: {
      Operand d = destination(dst);
      emit_name(Op::LOAD_GLOBAL, d.reg, use.name);
      return d;
    }
    case NameUse::kName: {
      Operand d = destination(dst);
      emit_name(Op::LOAD_NAME, d.reg, use.name);
      return d;
    }
    case NameUse::kDictOrDeref:
    case NameUse::kDictOrGlobals: {
      // The namespace of the class: the frame's own in its body, __classdict__ in blocks inside it.
      const uint32_t t = push();
      if (unit_->scope->kind == ScopeKind::kClass) {
        emit(Op::LOAD_LOCALS, t);
      } else {
        emit(Op::LOAD_DEREF, t, cell_register(names_.intern("__classdict__")));
      }
      set_top(t);
      Operand d = destination(dst);
      if (use.kind == NameUse::kDictOrDeref) {
        emit(Op::LOAD_FROM_DICT_OR_DEREF, d.reg, t, use.reg, kKillB);
      } else {
        emit(Op::LOAD_FROM_DICT_OR_GLOBALS, d.reg, t, static_cast<uint32_t>(name_index(use.name)), kKillB);
      }
      return d;
    }
  }
  return Operand{};
}

void Compiler::store_name(Identifier name, Operand value) {
  NameUse use = resolve(name);
  switch (use.kind) {
    case NameUse::kFast:
      if (value.reg != use.reg) emit(value.temp ? Op::MOVE : Op::COPY, use.reg, value.reg);
      if (code().reachable()) set_bound(use.reg);
      return;
    case NameUse::kDeref:
    case NameUse::kDictOrDeref:
      emit(Op::STORE_DEREF, use.reg, value.reg, 0, kill(value, kKillB));
      return;
    case NameUse::kGlobal:
    case NameUse::kDictOrGlobals:
      code().emit_wide(Op::STORE_GLOBAL, value.reg, name_index(use.name), static_cast<uint8_t>(kill(value, kKillA)));
      return;
    case NameUse::kName:
      code().emit_wide(Op::STORE_NAME, value.reg, name_index(use.name), static_cast<uint8_t>(kill(value, kKillA)));
      return;
  }
}

void Compiler::delete_name(Identifier name) {
  NameUse use = resolve(name);
  switch (use.kind) {
    case NameUse::kFast:
      emit(bound(use.reg) ? Op::CLEAR : Op::DELETE_FAST, use.reg);
      set_unbound(use.reg);
      return;
    case NameUse::kDeref:
    case NameUse::kDictOrDeref:
      emit(Op::DELETE_DEREF, use.reg);
      return;
    case NameUse::kGlobal:
    case NameUse::kDictOrGlobals:
      emit_name(Op::DELETE_GLOBAL, 0, use.name);
      return;
    case NameUse::kName:
      emit_name(Op::DELETE_NAME, 0, use.name);
      return;
  }
}

int Compiler::local_register(ast::expr* target) {
  auto* name = target->dyn<ast::Name>();
  if (name == nullptr) return -1;
  NameUse use = resolve(name->id);
  return use.kind == NameUse::kFast ? static_cast<int>(use.reg) : -1;
}

}  // namespace amphis::compile
