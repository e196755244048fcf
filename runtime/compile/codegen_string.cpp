// f-strings (PEP 701) and t-strings (PEP 750).
#include "compile/codegen.h"

namespace amphis::compile {

using namespace ast;

namespace {
constexpr uint32_t kManyParts = 250;
}

Operand Compiler::formatted(FormattedValue* e, int dst) {
  const uint32_t base = top();
  Operand o = expr(e->value);
  if (e->conversion != -1) {
    const uint32_t how = e->conversion == 's' ? 1 : e->conversion == 'r' ? 2 : 3;
    need(base + 1);
    emit(Op::CONVERT, base, o.reg, how, kill(o, kKillB));
    o = Operand{base, true};
  }
  if (e->format_spec != nullptr) {
    set_top(o.temp ? base + 1 : base);
    o = keep(o, e->format_spec);
    Operand spec = expr(e->format_spec);
    set_top(base);
    Operand d = destination(dst);
    emit(Op::FORMAT_WITH_SPEC, d.reg, o.reg, spec.reg, kill(o, kKillB) | kill(spec, kKillC));
    return d;
  }
  set_top(base);
  Operand d = destination(dst);
  emit(Op::FORMAT_SIMPLE, d.reg, o.reg, 0, kill(o, kKillB));
  return d;
}

Operand Compiler::joined_string(JoinedStr* e, int dst) {
  const uint32_t base = top();
  if (e->values.empty()) {
    Ref<> empty = Ref<>::steal(check(PyUnicode_FromString("")));
    return constant(empty, dst);
  }
  if (e->values.size == 1 && !e->values[0]->is<Constant>()) return expr(e->values[0], dst);
  if (e->values.size == 1) return expr(e->values[0], dst);
  for (ast::expr* part : e->values) {
    push_expr(part);
    if (top() - base >= kManyParts) {
      emit(Op::BUILD_STRING, base, base, top() - base);
      set_top(base + 1);
    }
  }
  const uint32_t count = top() - base;
  set_top(base);
  Operand d = destination(dst);
  emit(Op::BUILD_STRING, d.reg, base, count);
  return d;
}

// Pushes one Interpolation.
void Compiler::interpolation(Interpolation* e) {
  const uint32_t base = top();
  push_argument(e->value, false);
  Ref<> text = constant_object(ctx_, e->location(), e->str);
  emit_const(push(), text);
  uint32_t how = 0;
  if (e->conversion != -1) how = e->conversion == 's' ? 1 : e->conversion == 'r' ? 2 : 3;
  how <<= 1;
  if (e->format_spec != nullptr) {
    push_expr(e->format_spec);
    how |= 1;
  }
  emit(Op::BUILD_INTERPOLATION, base, base, how);
  set_top(base + 1);
}

Operand Compiler::template_string(TemplateStr* e, int dst) {
  const uint32_t base = top();
  // The strings are constants: always one more than there are interpolations.
  std::vector<Ref<>> strings;
  bool last_was_string = false;
  Ref<> empty = Ref<>::steal(check(PyUnicode_FromString("")));
  for (ast::expr* part : e->values) {
    if (auto* c = part->dyn<Constant>()) {
      strings.push_back(constant_object(ctx_, part->location(), c->value));
      last_was_string = true;
    } else {
      if (!last_was_string) strings.push_back(empty.copy());
      last_was_string = false;
    }
  }
  if (!last_was_string) strings.push_back(empty.copy());
  Ref<> tuple = Ref<>::steal(check(PyTuple_New(static_cast<Py_ssize_t>(strings.size()))));
  for (size_t i = 0; i < strings.size(); ++i) {
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), strings[i].release());
  }
  emit_const(push(), tuple);
  const uint32_t first = top();
  uint32_t count = 0;
  for (ast::expr* part : e->values) {
    if (part->is<Constant>()) continue;
    At here(code(), part->location());
    interpolation(part->as<Interpolation>());
    ++count;
  }
  need(first + 1);
  emit(Op::BUILD_TUPLE, first, first, count);
  set_top(base);
  Operand d = destination(dst);
  need(base + 2);
  emit(Op::BUILD_TEMPLATE, d.reg, base);
  return d;
}

// "…%s…" % (a, b) with nothing but %s, %r and %a is an f-string.
Operand Compiler::percent_format(BinOp* e, int dst, bool* done) {
  *done = false;
  auto* format = e->left->dyn<Constant>();
  auto* args = e->right->dyn<Tuple>();
  if (format == nullptr || args == nullptr || format->value.kind != ConstantKind::Str) return Operand{};
  for (ast::expr* a : args->elts) {
    if (a->is<Starred>()) return Operand{};
  }
  struct Part {
    std::string text;
    char conversion = 0;
  };
  std::vector<Part> parts(1);
  std::string_view text = format->value.text;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      parts.back().text += text[i];
      continue;
    }
    if (++i >= text.size()) return Operand{};
    if (text[i] == '%') {
      parts.back().text += '%';
    } else if (text[i] == 's' || text[i] == 'r' || text[i] == 'a') {
      parts.back().conversion = text[i];
      parts.emplace_back();
    } else {
      return Operand{};
    }
  }
  if (parts.size() - 1 != args->elts.size || parts.size() > kManyParts / 2) return Operand{};
  *done = true;
  At here(code(), e->location());
  const uint32_t base = top();
  for (size_t i = 0; i < parts.size(); ++i) {
    if (!parts[i].text.empty()) {
      ConstantValue value{};
      value.kind = ConstantKind::Str;
      value.text = parts[i].text;
      Ref<> s = constant_object(ctx_, format->location(), value);
      emit_const(push(), s);
    }
    if (parts[i].conversion == 0) continue;
    const uint32_t t = top();
    Operand o = expr(args->elts[i]);
    need(t + 1);
    const uint32_t how = parts[i].conversion == 's' ? 1 : parts[i].conversion == 'r' ? 2 : 3;
    emit(Op::CONVERT, t, o.reg, how, kill(o, kKillB));
    emit(Op::FORMAT_SIMPLE, t, t, 0, kKillB);
    set_top(t + 1);
  }
  const uint32_t count = top() - base;
  set_top(base);
  Operand d = destination(dst);
  emit(Op::BUILD_STRING, d.reg, base, count);
  return d;
}

}  // namespace amphis::compile
