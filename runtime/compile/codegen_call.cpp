// Calls: of functions, of methods without making the bound method, through super(), with * and **.
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

namespace {

// More arguments than this are collected in a list.
constexpr size_t kManyArguments = 200;

bool has_unpacking(Seq<expr*> args, Seq<keyword*> keywords) {
  for (expr* a : args) {
    if (a->is<Starred>()) return true;
  }
  for (keyword* k : keywords) {
    if (k->arg == nullptr) return true;
  }
  return args.size + keywords.size > kManyArguments;
}

}  // namespace

void Compiler::validate_keywords(Seq<keyword*> keywords) {
  for (size_t i = 0; i < keywords.size; ++i) {
    keyword* k = keywords[i];
    if (k->arg == nullptr) continue;
    if (k->arg->view() == "__debug__") fail(k->location(), "cannot assign to __debug__");
    for (size_t j = i + 1; j < keywords.size; ++j) {
      if (keywords[j]->arg == k->arg) {
        syntax_error(ctx_.filename, keywords[j]->location(), "keyword argument repeated: %U", names_.str(k->arg));
      }
    }
  }
}

// super().name or super(a, b).name with the built-in in sight.
bool Compiler::optimized_super(Attribute* e) {
  auto* c = e->value->dyn<Call>();
  if (c == nullptr || !c->func->is<Name>() || c->func->as<Name>()->id->view() != "super" || !c->keywords.empty()) {
    return false;
  }
  if (e->attr->view() == "__class__") return false;
  if (c->args.size != 0 && c->args.size != 2) return false;
  for (ast::expr* a : c->args) {
    if (a->is<Starred>()) return false;
  }
  const Scope* scope = unit_->scope;
  if (scope->kind != ScopeKind::kFunction) return false;
  if (resolve(c->func->as<Name>()->id).kind != NameUse::kGlobal) return false;
  if (c->args.size == 2) return true;
  // The first parameter and the class must be at hand.
  if (unit_->argcount == 0) return false;
  Symbol* cls = scope->find(names_.intern("__class__"));
  return cls != nullptr && cls->scope == Resolved::kFree;
}

// R[t…] = super, class, self; then the attribute. For a method: the callable and its self at the result.
Operand Compiler::super_attribute(Attribute* e, int dst, bool method) {
  auto* c = e->value->as<Call>();
  const uint32_t base = top();
  {
    At here(code(), c->func->location());
    load_name(c->func->as<Name>()->id, static_cast<int>(base));
    push();
  }
  unsigned flags = method ? unsigned{kMethod} : 0u;
  if (c->args.size == 2) {
    push_argument(c->args[0], false);
    push_argument(c->args[1], true);
  } else {
    At here(code(), c->location());
    flags |= kSuperZeroArg;
    emit(Op::LOAD_DEREF, push(), cell_register(names_.intern("__class__")));
    Symbol* self = unit_->scope->find(unit_->scope->parameters[0]);
    const auto reg = static_cast<uint32_t>(self->reg);
    const uint32_t t = push();
    if (self->scope == Resolved::kCell) {
      emit(Op::LOAD_DEREF, t, reg);
    } else {
      if (!bound(reg)) emit(Op::CHECK_BOUND, reg);
      ++unit_->other_reads[reg];
      emit(Op::BORROW, t, reg);
    }
  }
  set_top(base);
  Operand d = method ? Operand{base, true} : destination(dst);
  if (method) {
    push();
    push();
  }
  emit(Op::LOAD_SUPER_ATTR, d.reg, base,
       static_cast<uint32_t>(name_index(scope_mangle(names_, unit_->scope, e->attr))), flags);
  return d;
}

Operand Compiler::call(Call* e, int dst) {
  warn_call(e);
  validate_keywords(e->keywords);
  const uint32_t base = top();
  auto* a = e->func->dyn<Attribute>();
  if (a != nullptr && a->ctx == expr_context::Load && !has_unpacking(e->args, e->keywords)) {
    At here(code(), a->location());
    if (optimized_super(a)) {
      super_attribute(a, kAny, true);
    } else {
      Operand o = expr(a->value);
      set_top(base);
      push();
      push();
      attribute_place(a);
      emit(Op::LOAD_METHOD, base, o.reg,
           static_cast<uint32_t>(name_index(scope_mangle(names_, unit_->scope, a->attr))), kill(o, kKillB));
    }
    at(e->location());
    if (a->end_lineno != a->lineno) {
      Location where = e->location();
      where.lineno = a->end_lineno;
      where.col_offset = a->end_col_offset - static_cast<int>(a->attr->size);
      if (where.col_offset >= 0) at(where);
    }
    return finish_call(base, true, e->args, e->keywords, 0, dst);
  }
  push_argument(e->func, e->args.empty() && e->keywords.empty());
  return finish_call(base, false, e->args, e->keywords, 0, dst);
}

// The callable lies at `callee` (and its self above it), `extra` arguments have been pushed already.
Operand Compiler::finish_call(uint32_t callee, bool method, Seq<ast::expr*> args, Seq<keyword*> keywords,
                              uint32_t extra, int dst) {
  if (!method && has_unpacking(args, keywords)) return call_ex(callee, extra, args, keywords, dst);
  const size_t total = args.size + keywords.size;
  size_t done = 0;
  for (ast::expr* a : args) push_argument(a, ++done == total);
  for (keyword* k : keywords) {
    At here(code(), k->location());
    push_argument(k->value, ++done == total);
  }
  set_top(callee);
  Operand d = destination(dst);
  const auto count = static_cast<uint32_t>(total) + extra;
  if (keywords.empty()) {
    emit(Op::CALL, callee, count, d.reg, method ? unsigned{kMethod} : 0u);
    return d;
  }
  Ref<> names = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(keywords.size))));
  for (size_t i = 0; i < keywords.size; ++i) {
    PyTuple_SET_ITEM(names.get(), static_cast<Py_ssize_t>(i), Py_NewRef(names_.str(keywords[i]->arg)));
  }
  const uint64_t index = code().reachable() ? static_cast<uint64_t>(const_index(names)) : 0;
  emit(Op::CALL_KW, callee, count, d.reg, method ? unsigned{kMethod} : 0u, index);
  return d;
}

Operand Compiler::call_ex(uint32_t callee, uint32_t extra, Seq<ast::expr*> args, Seq<keyword*> keywords, int dst) {
  const uint32_t positional = callee + 1;
  if (extra == 0 && args.size == 1 && args[0]->is<Starred>()) {
    push_argument(args[0]->as<Starred>()->value, keywords.empty());
  } else if (extra == 0 && args.empty()) {
    Ref<> empty = Ref<>::steal(check(PyTuple_New(0)));
    emit_const(push(), empty);
  } else {
    if (extra == 0) {
      push();
      emit(Op::BUILD_LIST, positional, positional, 0);
    } else {
      emit(Op::BUILD_LIST, positional, positional, extra);
    }
    for (ast::expr* a : args) {
      set_top(positional + 1);
      if (a->is<Starred>()) {
        Operand o = expr(a->as<Starred>()->value);
        emit(Op::LIST_EXTEND, positional, o.reg, 0, kCallArgs | kill(o, kKillB));
      } else {
        Operand o = expr(a);
        emit(Op::LIST_APPEND, positional, o.reg, 0, kill(o, kKillB));
      }
    }
    set_top(positional + 1);
  }
  const uint32_t mapping = positional + 1;
  if (keywords.empty()) {
    push();
    emit(Op::CLEAR, mapping);
  } else {
    push();
    bool made = false;
    size_t i = 0;
    while (i < keywords.size) {
      if (keywords[i]->arg == nullptr) {
        if (!made) emit(Op::BUILD_MAP, mapping, mapping, 0);
        made = true;
        set_top(mapping + 1);
        At here(code(), keywords[i]->value->location());
        Operand o = expr(keywords[i]->value);
        emit(Op::DICT_MERGE, mapping, o.reg, callee, kill(o, kKillB));
        ++i;
        continue;
      }
      size_t end = i;
      while (end < keywords.size && keywords[end]->arg != nullptr && end - i < kManyArguments / 2) ++end;
      set_top(made ? mapping + 1 : mapping);
      const uint32_t run = top();
      for (size_t k = i; k < end; ++k) {
        emit_const(push(), names_.str(keywords[k]->arg));
        push_argument(keywords[k]->value, false);
      }
      emit(Op::BUILD_MAP, run, run, static_cast<uint32_t>(end - i));
      if (made) {
        emit(Op::DICT_MERGE, mapping, run, callee, kKillB);
      } else {
        made = true;
      }
      set_top(mapping + 1);
      i = end;
    }
  }
  set_top(callee);
  need(mapping + 1);
  Operand d = destination(dst);
  emit(Op::CALL_EX, callee, 0, d.reg);
  return d;
}

// --- warnings about expressions that cannot work

namespace {

const char* literal_type(expr* e) {
  switch (e->kind) {
    case expr_kind::Constant:
      switch (e->as<Constant>()->value.kind) {
        case ConstantKind::None:
          return "NoneType";
        case ConstantKind::True:
        case ConstantKind::False:
          return "bool";
        case ConstantKind::Ellipsis:
          return "ellipsis";
        case ConstantKind::Int:
          return "int";
        case ConstantKind::Float:
          return "float";
        case ConstantKind::Complex:
          return "complex";
        case ConstantKind::Str:
          return "str";
        case ConstantKind::Bytes:
          return "bytes";
        case ConstantKind::Object:
          return Py_TYPE(static_cast<PyObject*>(e->as<Constant>()->value.object))->tp_name;
      }
      return nullptr;
    case expr_kind::Tuple:
      return "tuple";
    case expr_kind::List:
    case expr_kind::ListComp:
      return "list";
    case expr_kind::Dict:
    case expr_kind::DictComp:
      return "dict";
    case expr_kind::Set:
    case expr_kind::SetComp:
      return "set";
    case expr_kind::GeneratorExp:
      return "generator";
    case expr_kind::Lambda:
      return "function";
    case expr_kind::JoinedStr:
    case expr_kind::FormattedValue:
      return "str";
    case expr_kind::TemplateStr:
    case expr_kind::Interpolation:
      return "string.templatelib.Template";
    default:
      return nullptr;
  }
}

// 0: not a literal, 1: of a type that `is` must not be used with, 2: None, Ellipsis, bool
bool suspicious_identity(expr* e, const char** type) {
  if (auto* t = e->dyn<Tuple>()) {
    *type = "tuple";
    for (expr* item : t->elts) {
      const char* ignored;
      if (!item->is<Constant>() && !suspicious_identity(item, &ignored)) return false;
    }
    return true;
  }
  if (!e->is<Constant>()) return false;
  switch (e->as<Constant>()->value.kind) {
    case ConstantKind::None:
    case ConstantKind::True:
    case ConstantKind::False:
    case ConstantKind::Ellipsis:
      return false;
    default:
      *type = literal_type(e);
      return true;
  }
}

}  // namespace

void Compiler::warn_compare(Compare* e) {
  const char* left_type = nullptr;
  bool left = suspicious_identity(e->left, &left_type);
  for (size_t i = 0; i < e->ops.size; ++i) {
    const char* right_type = nullptr;
    bool right = suspicious_identity(e->comparators[i], &right_type);
    const cmpop op = e->ops[i];
    if ((op == cmpop::Is || op == cmpop::IsNot) && (left || right)) {
      warn(e->location(),
           op == cmpop::Is ? "\"is\" with '%.200s' literal. Did you mean \"==\"?"
                           : "\"is not\" with '%.200s' literal. Did you mean \"!=\"?",
           left ? left_type : right_type);
    }
    left = right;
    left_type = right_type;
  }
}

void Compiler::warn_call(Call* e) {
  ast::expr* f = e->func;
  if (f->is<Lambda>()) return;
  if (f->is<NamedExpr>()) return;
  const char* type = literal_type(f);
  if (type != nullptr) {
    warn(f->location(), "'%.200s' object is not callable; perhaps you missed a comma?", type);
  }
}

void Compiler::warn_subscript(Subscript* e) {
  ast::expr* value = e->value;
  bool unsubscriptable = false;
  switch (value->kind) {
    case expr_kind::Constant:
      switch (value->as<Constant>()->value.kind) {
        case ConstantKind::Str:
        case ConstantKind::Bytes:
        case ConstantKind::Object:
          break;
        default:
          unsubscriptable = true;
      }
      break;
    case expr_kind::Set:
    case expr_kind::SetComp:
    case expr_kind::GeneratorExp:
    case expr_kind::Lambda:
    case expr_kind::TemplateStr:
    case expr_kind::Interpolation:
      unsubscriptable = true;
      break;
    default:
      break;
  }
  if (unsubscriptable) {
    warn(value->location(), "'%.200s' object is not subscriptable; perhaps you missed a comma?", literal_type(value));
    return;
  }
  bool indexed = value->is<Tuple>() || value->is<List>() || value->is<ListComp>() || value->is<JoinedStr>() ||
                 value->is<FormattedValue>();
  if (auto* c = value->dyn<Constant>()) {
    indexed = c->value.kind == ConstantKind::Str || c->value.kind == ConstantKind::Bytes;
  }
  if (!indexed) return;
  const char* index = literal_type(e->slice);
  if (index == nullptr) return;
  const std::string_view type = index;
  if (type == "int" || type == "bool") return;
  warn(value->location(), "%.200s indices must be integers or slices, not %.200s; perhaps you missed a comma?",
       literal_type(value), index);
}

}  // namespace amphis::compile
