// The optimized tree (PyCF_OPTIMIZED_AST): `__debug__`, numbers in patterns, "…%s" % (a,) as an f-string, and no
// docstrings at level two. A walk over the schema; the compiler itself folds while it generates code.
#include <string>

#include "compile/constants.h"
#include "modules/ast_types.h"

namespace amphis {

namespace {

using namespace ast;

class Optimizer {
 public:
  Optimizer(Arena& arena, int level)
      : arena_(arena), level_(level), names_(arena), context_{Py_None, nullptr, 0, level, names_} {}

  // A field's node; may replace it.
  void node(TypeTag tag, void** slot);

 private:
  void children(const NodeInfo& info, void* node);
  void docstring(Seq<stmt*>& body);
  expr* simplified(expr* e);
  expr* format(BinOp* e);
  // A number with a sign, or a complex sum, of a pattern.
  void pattern_number(expr** slot);
  expr* constant(PyObject* value, const Location& at);
  template <class T>
  T* make(const Location& at) {
    T* made = arena_.make<T>();
    static_cast<Location&>(*made) = at;
    return made;
  }

  Arena& arena_;
  int level_;
  compile::Names names_;
  compile::CompilerContext context_;
};

expr* Optimizer::constant(PyObject* value, const Location& at) {
  auto* made = make<Constant>(at);
  made->value.kind = value == Py_True    ? ConstantKind::True
                     : value == Py_False ? ConstantKind::False
                                         : ConstantKind::Object;
  if (PyLong_CheckExact(value)) {
    int overflow;
    long long n = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow == 0) {
      made->value.kind = ConstantKind::Int;
      made->value.int_fits = true;
      made->value.int_value = n;
    }
  } else if (PyFloat_CheckExact(value)) {
    made->value.kind = ConstantKind::Float;
    made->value.real = PyFloat_AS_DOUBLE(value);
  } else if (PyComplex_CheckExact(value)) {
    Py_complex z = PyComplex_AsCComplex(value);
    made->value.kind = ConstantKind::Complex;
    made->value.real = z.real;
    made->value.imag = z.imag;
  }
  // Folded numbers of patterns are small: nothing else comes here.
  return made->value.kind == ConstantKind::Object ? nullptr : made;
}

void Optimizer::pattern_number(expr** slot) {
  expr* e = *slot;
  if (!e->is<UnaryOp>() && !e->is<BinOp>()) return;
  Ref<> value = compile::fold(context_, e);
  expr* folded = value ? constant(value, e->location()) : nullptr;
  if (folded != nullptr) *slot = folded;
}

// "…%s…%r" % (a, b): also with flags, width and precision as the format specification knows them.
expr* Optimizer::format(BinOp* e) {
  auto* text = e->left->dyn<Constant>();
  auto* args = e->right->dyn<Tuple>();
  if (e->op != operator_::Mod || text == nullptr || text->value.kind != ConstantKind::Str || args == nullptr) return e;
  for (expr* a : args->elts) {
    if (a->is<Starred>()) return e;
  }
  std::string_view format = text->value.text;
  std::vector<expr*> parts;
  std::string literal;
  size_t used = 0;
  auto flush = [&] {
    if (literal.empty()) return;
    auto* c = make<Constant>(e->left->location());
    c->value.kind = ConstantKind::Str;
    c->value.text = arena_.copy(literal);
    parts.push_back(c);
    literal.clear();
  };
  for (size_t i = 0; i < format.size(); ++i) {
    if (format[i] != '%') {
      literal += format[i];
      continue;
    }
    ++i;
    if (i < format.size() && format[i] == '%') {
      literal += '%';
      continue;
    }
    bool left = false;
    for (; i < format.size() && format[i] == '-'; ++i) left = true;
    std::string width, precision;
    bool dot = false;
    while (i < format.size() && format[i] >= '0' && format[i] <= '9') width += format[i++];
    if (i < format.size() && format[i] == '.') {
      dot = true;
      ++i;
      while (i < format.size() && format[i] >= '0' && format[i] <= '9') precision += format[i++];
    }
    if (i >= format.size() || (format[i] != 's' && format[i] != 'r' && format[i] != 'a')) return e;
    if (width.size() > 2 || precision.size() > 2 || (!width.empty() && width[0] == '0')) return e;
    if (used >= args->elts.size) return e;
    flush();
    std::string spec;
    if (!left && !width.empty()) spec += '>';
    spec += width;
    if (dot) spec += '.' + (precision.empty() ? std::string("0") : precision);
    auto* value = make<FormattedValue>(args->elts[used]->location());
    value->value = args->elts[used++];
    value->conversion = format[i];
    if (!spec.empty()) {
      auto* c = make<Constant>(e->left->location());
      c->value.kind = ConstantKind::Str;
      c->value.text = arena_.copy(spec);
      auto* joined = make<JoinedStr>(e->left->location());
      joined->values.data = static_cast<expr**>(arena_.allocate(sizeof(expr*)));
      joined->values.data[0] = c;
      joined->values.size = 1;
      value->format_spec = joined;
    }
    parts.push_back(value);
  }
  if (used != args->elts.size) return e;
  flush();
  auto* result = make<JoinedStr>(e->location());
  result->values.size = parts.size();
  result->values.data = static_cast<expr**>(arena_.allocate(parts.size() * sizeof(expr*) + 1));
  for (size_t i = 0; i < parts.size(); ++i) result->values.data[i] = parts[i];
  return result;
}

expr* Optimizer::simplified(expr* e) {
  if (auto* name = e->dyn<Name>()) {
    if (name->ctx == expr_context::Load && name->id->view() == "__debug__") {
      return constant(level_ == 0 ? Py_True : Py_False, e->location());
    }
  } else if (auto* b = e->dyn<BinOp>()) {
    return format(b);
  }
  return e;
}

void Optimizer::docstring(Seq<stmt*>& body) {
  if (level_ < 2 || body.empty()) return;
  auto* e = body[0]->dyn<Expr>();
  if (e == nullptr || !e->value->is<Constant>() || e->value->as<Constant>()->value.kind != ConstantKind::Str) return;
  if (body.size == 1) {
    Location at = e->location();
    at.end_lineno = at.lineno;
    at.end_col_offset = at.col_offset + 4;
    body.data[0] = make<Pass>(at);
    return;
  }
  ++body.data;
  --body.size;
}

void Optimizer::children(const NodeInfo& info, void* node) {
  for (unsigned i = 0; i < info.field_count; ++i) {
    const FieldInfo& f = info.fields[i];
    const TypeInfo& type = type_info(f.type);
    if (type.type_class != TypeClass::Sum && type.type_class != TypeClass::Product) continue;
    char* at = static_cast<char*>(node) + f.offset;
    if (f.quantifier == Quantifier::One || f.quantifier == Quantifier::Optional) {
      auto** slot = reinterpret_cast<void**>(at);
      if (*slot != nullptr) this->node(f.type, slot);
      continue;
    }
    auto& seq = *reinterpret_cast<Seq<void*>*>(at);
    for (size_t k = 0; k < seq.size; ++k) {
      if (seq.data[k] != nullptr) this->node(f.type, &seq.data[k]);
    }
  }
}

void Optimizer::node(TypeTag tag, void** slot) {
  compile::check_stack();
  switch (tag) {
    case TypeTag::mod:
      if (auto* m = static_cast<mod*>(*slot)->dyn<Module>()) docstring(m->body);
      break;
    case TypeTag::stmt: {
      auto* s = static_cast<stmt*>(*slot);
      if (auto* f = s->dyn<FunctionDef>()) docstring(f->body);
      if (auto* f = s->dyn<AsyncFunctionDef>()) docstring(f->body);
      if (auto* c = s->dyn<ClassDef>()) docstring(c->body);
      break;
    }
    case TypeTag::pattern: {
      auto* p = static_cast<pattern*>(*slot);
      if (auto* v = p->dyn<MatchValue>()) pattern_number(&v->value);
      if (auto* m = p->dyn<MatchMapping>()) {
        for (expr*& key : m->keys) pattern_number(&key);
      }
      break;
    }
    default:
      break;
  }
  children(node_info(tag, *slot), *slot);
  if (tag == TypeTag::expr) *slot = simplified(static_cast<expr*>(*slot));
}

}  // namespace

bool ast_optimize(mod* tree, Arena& arena, int level) {
  try {
    Optimizer optimizer(arena, level);
    void* root = tree;
    optimizer.node(TypeTag::mod, &root);
    return true;
  } catch (const compile::Failure&) {
    return false;
  }
}

}  // namespace amphis
