// Expressions to source text, as `ast.unparse` words them.
//
// Each node knows the precedence that its context requires; it puts itself in parentheses when its own is
// lower.
#include "syntax/unparse.h"

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "source/hooks.h"
#include "source/utf8.h"

namespace amphis {

using namespace ast;

namespace {

enum Precedence : int {
  kNamedExpr,  // <target> := <expr>
  kTuple,
  kYield,
  kTest,  // 'if'-'else', 'lambda'
  kOr,
  kAnd,
  kNot,
  kCompare,
  kBitOr,
  kBitXor,
  kBitAnd,
  kShift,
  kArith,
  kTerm,
  kFactor,
  kPower,
  kAwait,
  kAtom,
};

struct OperatorText {
  const char* text;
  int precedence;
};

constexpr OperatorText kBinary[] = {{"+", kArith},  {"-", kArith}, {"*", kTerm},   {"@", kTerm},
                                    {"/", kTerm},   {"%", kTerm},  {"**", kPower}, {"<<", kShift},
                                    {">>", kShift}, {"|", kBitOr}, {"^", kBitXor}, {"&", kBitAnd},
                                    {"//", kTerm}};
constexpr const char* kCompareText[] = {"==", "!=", "<", "<=", ">", ">=", "is", "is not", "in", "not in"};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

class Unparser {
 public:
  std::string out;

  void write(const expr* e, int required);

 private:
  template <class F>
  void enclosed(bool condition, F&& body) {
    if (condition) out += '(';
    body();
    if (condition) out += ')';
  }
  template <class T, class F>
  void joined(const Seq<T>& items, const char* separator, F&& each) {
    bool first = true;
    for (const auto& item : items) {
      if (!first) out += separator;
      first = false;
      each(item);
    }
  }
  void list(const Seq<expr*>& items, int required) {
    joined(items, ", ", [&](const expr* item) { write(item, required); });
  }
  // A tuple without its parentheses, one comma for one item.
  void tuple_items(const Tuple* t) {
    list(t->elts, kTest);
    if (t->elts.size == 1) out += ',';
  }
  void comprehensions(const Seq<comprehension*>& clauses);
  void parameters(const arguments* args);
  void constant(const ConstantValue& value);
  void call(const Call* c);
  void subscript(const Subscript* s);
  void formatted(const Seq<expr*>& values, char prefix);
  void formatted_parts(const Seq<expr*>& values, std::string& text, std::string& forbidden);
};

void append_hex(std::string& out, const char* format, unsigned value) {
  char buffer[16];
  std::snprintf(buffer, sizeof(buffer), format, value);
  out += buffer;
}

// The repr of a double that is a literal: shortest digits, a point or exponent, infinities overflow on
// purpose.
std::string float_text(double value) {
  if (value - value != 0) return "1e309";
  char buffer[40];
  auto [end, status] = std::to_chars(buffer, buffer + sizeof(buffer), value, std::chars_format::scientific);
  (void)status;
  std::string_view shortest(buffer, static_cast<size_t>(end - buffer));
  size_t e = shortest.find('e');
  int exponent = 0;
  const char* digits_end = shortest.data() + e;
  const char* p = digits_end + 1;
  if (*p == '+') ++p;
  std::from_chars(p, shortest.data() + shortest.size(), exponent);
  std::string digits;
  for (const char* q = shortest.data(); q < digits_end; ++q) {
    if (*q != '.' && *q != '-') digits += *q;
  }
  std::string text = shortest[0] == '-' ? "-" : "";
  if (exponent < -4 || exponent >= 16) {
    text += digits[0];
    if (digits.size() > 1) text += "." + digits.substr(1);
    char suffix[16];
    std::snprintf(suffix, sizeof(suffix), "e%c%02d", exponent < 0 ? '-' : '+',
                  exponent < 0 ? -exponent : exponent);
    return text + suffix;
  }
  if (exponent < 0) return text + "0." + std::string(static_cast<size_t>(-exponent - 1), '0') + digits;
  size_t whole = static_cast<size_t>(exponent) + 1;
  if (digits.size() <= whole) return text + digits + std::string(whole - digits.size(), '0') + ".0";
  return text + digits.substr(0, whole) + "." + digits.substr(whole);
}

// Digits of any base to decimal.
std::string decimal_text(std::string_view digits, unsigned base) {
  if (base == 10) {
    size_t first = digits.find_first_not_of('0');
    return first == std::string_view::npos ? "0" : std::string(digits.substr(first));
  }
  std::string limbs(1, '\0');  // decimal digits, least significant first
  for (char c : digits) {
    unsigned carry = static_cast<unsigned>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    for (char& limb : limbs) {
      carry += static_cast<unsigned>(limb) * base;
      limb = static_cast<char>(carry % 10);
      carry /= 10;
    }
    for (; carry; carry /= 10) limbs += static_cast<char>(carry % 10);
  }
  std::string text;
  for (size_t i = limbs.size(); i-- > 0;) text += static_cast<char>('0' + limbs[i]);
  return text;
}

bool is_printable(uint32_t c) {
  if (c < 0x7F) return c >= 0x20;
  if (c < 0xA1 || c == 0xAD || (c >= 0xD800 && c < 0xE000)) return false;
  return !source_hooks.is_printable || source_hooks.is_printable(c);
}

// repr() of a str or of bytes.
std::string quoted(std::string_view text, bool is_bytes) {
  bool single = has(text, "'"), twice = has(text, "\"");
  char quote = single && !twice ? '"' : '\'';
  std::string out = is_bytes ? "b" : "";
  out += quote;
  for (size_t i = 0; i < text.size();) {
    auto b = static_cast<unsigned char>(text[i]);
    uint32_t c = is_bytes ? b : utf8::decode(text.data() + i);
    size_t size = is_bytes ? 1 : static_cast<size_t>(utf8::sequence_length(b));
    if (c == static_cast<unsigned char>(quote) || c == '\\') {
      out += '\\';
      out += static_cast<char>(c);
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c < 0x20 || c == 0x7F || (is_bytes && c >= 0x7F)) {
      append_hex(out, "\\x%02x", c);
    } else if (is_bytes || is_printable(c)) {
      out.append(text.substr(i, size));
    } else if (c < 0x100) {
      append_hex(out, "\\x%02x", c);
    } else if (c < 0x10000) {
      append_hex(out, "\\u%04x", c);
    } else {
      append_hex(out, "\\U%08x", c);
    }
    i += size;
  }
  out += quote;
  return out;
}

}  // namespace

namespace {

void Unparser::constant(const ConstantValue& value) {
  switch (value.kind) {
    case ConstantKind::None:
      out += "None";
      return;
    case ConstantKind::True:
      out += "True";
      return;
    case ConstantKind::False:
      out += "False";
      return;
    case ConstantKind::Ellipsis:
      out += "...";
      return;
    case ConstantKind::Int:
      out += value.int_fits ? std::to_string(value.int_value) : decimal_text(value.text, value.base);
      return;
    case ConstantKind::Float:
      out += float_text(value.real);
      return;
    case ConstantKind::Complex: {
      std::string text = float_text(value.imag);
      if (text.size() > 2 && text.compare(text.size() - 2, 2, ".0") == 0) text.resize(text.size() - 2);
      out += text + "j";
      return;
    }
    case ConstantKind::Str:
      out += quoted(value.text, false);
      return;
    case ConstantKind::Bytes:
      out += quoted(value.text, true);
      return;
    case ConstantKind::Object:
      out += "...";
      return;  // not from source text: has no spelling here
  }
}

void Unparser::comprehensions(const Seq<comprehension*>& clauses) {
  for (const comprehension* c : clauses) {
    out += c->is_async ? " async for " : " for ";
    write(c->target, kTuple);
    out += " in ";
    write(c->iter, kTest + 1);
    for (const expr* condition : c->ifs) {
      out += " if ";
      write(condition, kTest + 1);
    }
  }
}

void Unparser::parameters(const arguments* a) {
  bool first = true;
  auto separate = [&] {
    if (!first) out += ", ";
    first = false;
  };
  auto one = [&](const arg* p) {
    out += p->arg->view();
    if (p->annotation) {
      out += ": ";
      write(p->annotation, kTest);
    }
  };
  size_t positional = a->posonlyargs.size + a->args.size;
  size_t plain = positional - a->defaults.size;
  for (size_t i = 0; i < positional; ++i) {
    separate();
    one(i < a->posonlyargs.size ? a->posonlyargs[i] : a->args[i - a->posonlyargs.size]);
    if (i >= plain) {
      out += '=';
      write(a->defaults[i - plain], kTest);
    }
    if (i + 1 == a->posonlyargs.size) out += ", /";
  }
  if (a->vararg || !a->kwonlyargs.empty()) {
    separate();
    out += '*';
    if (a->vararg) one(a->vararg);
  }
  for (size_t i = 0; i < a->kwonlyargs.size; ++i) {
    separate();
    one(a->kwonlyargs[i]);
    if (a->kw_defaults[i]) {
      out += '=';
      write(a->kw_defaults[i], kTest);
    }
  }
  if (a->kwarg) {
    separate();
    out += "**";
    one(a->kwarg);
  }
}

void Unparser::call(const Call* c) {
  write(c->func, kAtom);
  if (c->args.size == 1 && c->keywords.empty() && c->args[0]->is<GeneratorExp>()) {
    write(c->args[0], kTest);  // its own parentheses are those of the call
    return;
  }
  out += '(';
  bool first = true;
  auto separate = [&] {
    if (!first) out += ", ";
    first = false;
  };
  for (const expr* e : c->args) {
    separate();
    write(e, kTest);
  }
  for (const keyword* k : c->keywords) {
    separate();
    if (k->arg) {
      out += k->arg->view();
      out += '=';
    } else {
      out += "**";
    }
    write(k->value, kTest);
  }
  out += ')';
}

void Unparser::subscript(const Subscript* s) {
  write(s->value, kAtom);
  out += '[';
  const Tuple* t = s->slice->dyn<Tuple>();
  if (t && !t->elts.empty()) {
    tuple_items(t);
  } else {
    write(s->slice, kTest);
  }
  out += ']';
}

// The text of an f-string's or t-string's inside. What may not stand in its quotes goes to `forbidden`.
void Unparser::formatted_parts(const Seq<expr*>& values, std::string& text, std::string& forbidden) {
  for (const expr* value : values) {
    if (auto* c = value->dyn<Constant>()) {
      for (char b : c->value.text) {
        if (b == '{' || b == '}') text += b;
        text += b;
      }
      continue;
    }
    const expr* field_value;
    int conversion;
    const expr* spec;
    std::string_view source;
    if (auto* f = value->dyn<FormattedValue>()) {
      field_value = f->value;
      conversion = f->conversion;
      spec = f->format_spec;
    } else if (auto* i = value->dyn<Interpolation>()) {
      field_value = i->value;
      conversion = i->conversion;
      spec = i->format_spec;
      if (i->str.kind == ConstantKind::Str) source = i->str.text;
    } else if (auto* j = value->dyn<JoinedStr>()) {
      formatted_parts(j->values, text, forbidden);
      continue;
    } else {
      continue;
    }
    Unparser field;
    if (source.data()) {
      field.out = source;  // a t-string keeps its expressions as they were written
    } else {
      field.write(field_value, kTest + 1);
    }
    text += '{';
    if (!field.out.empty() && field.out[0] == '{') text += ' ';  // `{{` would be a brace
    text += field.out;
    forbidden += field.out;
    if (conversion >= 0) {
      text += '!';
      text += static_cast<char>(conversion);
    }
    if (spec) {
      text += ':';
      if (auto* j = spec->dyn<JoinedStr>()) formatted_parts(j->values, text, forbidden);
    }
    text += '}';
  }
}

void Unparser::formatted(const Seq<expr*>& values, char prefix) {
  std::string text, forbidden;
  formatted_parts(values, text, forbidden);
  // As a str literal would be quoted, with the quotes chosen to keep clear of the fields.
  std::string body = quoted(text, false);
  char natural = body[0];
  body = body.substr(1, body.size() - 2);
  out += prefix;
  for (std::string_view quote : {"'", "\"", "\"\"\"", "'''"}) {
    if (quote[0] != natural && quote.size() == 1) continue;
    if (!has(forbidden, quote)) {
      out += quote;
      out += body;
      out += quote;
      return;
    }
  }
  out += natural;
  out += body;
  out += natural;
}

void Unparser::write(const expr* e, int required) {
  switch (e->kind) {
    case expr_kind::BoolOp: {
      auto* b = e->as<BoolOp>();
      int mine = b->op == boolop::And ? kAnd : kOr;
      enclosed(required > mine, [&] {
        joined(b->values, b->op == boolop::And ? " and " : " or ",
               [&](const expr* v) { write(v, mine + 1); });
      });
      return;
    }
    case expr_kind::NamedExpr: {
      auto* n = e->as<NamedExpr>();
      enclosed(required > kNamedExpr, [&] {
        write(n->target, kAtom);
        out += " := ";
        write(n->value, kAtom);
      });
      return;
    }
    case expr_kind::BinOp: {
      auto* b = e->as<BinOp>();
      OperatorText op = kBinary[static_cast<size_t>(b->op)];
      bool is_power = b->op == operator_::Pow;
      enclosed(required > op.precedence, [&] {
        write(b->left, is_power ? op.precedence + 1 : op.precedence);
        out += ' ';
        out += op.text;
        out += ' ';
        write(b->right, is_power ? op.precedence : op.precedence + 1);
      });
      return;
    }
    case expr_kind::UnaryOp: {
      auto* u = e->as<UnaryOp>();
      int mine = u->op == unaryop::Not ? kNot : kFactor;
      enclosed(required > mine, [&] {
        out += u->op == unaryop::Not      ? "not "
               : u->op == unaryop::Invert ? "~"
               : u->op == unaryop::UAdd   ? "+"
                                          : "-";
        write(u->operand, mine);
      });
      return;
    }
    case expr_kind::Lambda: {
      auto* l = e->as<Lambda>();
      enclosed(required > kTest, [&] {
        // No space before a star: so CPython writes annotations, and they can be compared as strings.
        out += l->args->args.empty() && l->args->posonlyargs.empty() ? "lambda" : "lambda ";
        parameters(l->args);
        out += ": ";
        write(l->body, kTest);
      });
      return;
    }
    case expr_kind::IfExp: {
      auto* i = e->as<IfExp>();
      enclosed(required > kTest, [&] {
        write(i->body, kTest + 1);
        out += " if ";
        write(i->test, kTest + 1);
        out += " else ";
        write(i->orelse, kTest);
      });
      return;
    }
    case expr_kind::Dict: {
      auto* d = e->as<Dict>();
      out += '{';
      for (size_t i = 0; i < d->values.size; ++i) {
        if (i) out += ", ";
        if (d->keys[i]) {
          write(d->keys[i], kTest);
          out += ": ";
          write(d->values[i], kTest);
        } else {
          out += "**";
          write(d->values[i], kBitOr);
        }
      }
      out += '}';
      return;
    }
    case expr_kind::Set: {
      auto* s = e->as<Set>();
      out += '{';
      if (s->elts.empty()) {
        out += "*()";
      } else {
        list(s->elts, kTest);
      }
      out += '}';
      return;
    }
    case expr_kind::ListComp: {
      auto* c = e->as<ListComp>();
      out += '[';
      write(c->elt, kTest);
      comprehensions(c->generators);
      out += ']';
      return;
    }
    case expr_kind::SetComp: {
      auto* c = e->as<SetComp>();
      out += '{';
      write(c->elt, kTest);
      comprehensions(c->generators);
      out += '}';
      return;
    }
    case expr_kind::DictComp: {
      auto* c = e->as<DictComp>();
      out += '{';
      write(c->key, kTest);
      out += ": ";
      write(c->value, kTest);
      comprehensions(c->generators);
      out += '}';
      return;
    }
    case expr_kind::GeneratorExp: {
      auto* c = e->as<GeneratorExp>();
      out += '(';
      write(c->elt, kTest);
      comprehensions(c->generators);
      out += ')';
      return;
    }
    case expr_kind::Await: {
      auto* a = e->as<Await>();
      enclosed(required > kAwait, [&] {
        out += "await ";
        write(a->value, kAtom);
      });
      return;
    }
    case expr_kind::Yield: {
      auto* y = e->as<Yield>();
      enclosed(required > kYield, [&] {
        out += "yield";
        if (y->value) {
          out += ' ';
          write(y->value, kAtom);
        }
      });
      return;
    }
    case expr_kind::YieldFrom: {
      auto* y = e->as<YieldFrom>();
      enclosed(required > kYield, [&] {
        out += "yield from ";
        write(y->value, kAtom);
      });
      return;
    }
    case expr_kind::Compare: {
      auto* c = e->as<Compare>();
      enclosed(required > kCompare, [&] {
        write(c->left, kCompare + 1);
        for (size_t i = 0; i < c->ops.size; ++i) {
          out += ' ';
          out += kCompareText[static_cast<size_t>(c->ops[i])];
          out += ' ';
          write(c->comparators[i], kCompare + 1);
        }
      });
      return;
    }
    case expr_kind::Call:
      return call(e->as<Call>());
    case expr_kind::JoinedStr:
      return formatted(e->as<JoinedStr>()->values, 'f');
    case expr_kind::TemplateStr:
      return formatted(e->as<TemplateStr>()->values, 't');
    case expr_kind::FormattedValue:
    case expr_kind::Interpolation: {
      expr* self = const_cast<expr*>(e);
      return formatted(Seq<expr*>{&self, 1}, e->is<Interpolation>() ? 't' : 'f');
    }
    case expr_kind::Constant: {
      auto* c = e->as<Constant>();
      if (c->kind == "u") out += 'u';
      return constant(c->value);
    }
    case expr_kind::Attribute: {
      auto* a = e->as<Attribute>();
      write(a->value, kAtom);
      // `3 .real`: without the space the dot would belong to the number.
      auto* c = a->value->dyn<Constant>();
      if (c && c->value.kind == ConstantKind::Int) out += ' ';
      out += '.';
      out += a->attr->view();
      return;
    }
    case expr_kind::Subscript:
      return subscript(e->as<Subscript>());
    case expr_kind::Starred:
      out += '*';
      return write(e->as<Starred>()->value, kBitOr);
    case expr_kind::Name:
      out += e->as<Name>()->id->view();
      return;
    case expr_kind::List:
      out += '[';
      list(e->as<List>()->elts, kTest);
      out += ']';
      return;
    case expr_kind::Tuple: {
      auto* t = e->as<Tuple>();
      enclosed(t->elts.empty() || required > kTuple, [&] { tuple_items(t); });
      return;
    }
    case expr_kind::Slice: {
      auto* s = e->as<Slice>();
      if (s->lower) write(s->lower, kTest);
      out += ':';
      if (s->upper) write(s->upper, kTest);
      if (s->step) {
        out += ':';
        write(s->step, kTest);
      }
      return;
    }
  }
}

}  // namespace

std::string unparse(const expr* e) {
  Unparser unparser;
  unparser.write(e, kTest);
  return std::move(unparser.out);
}

}  // namespace amphis
