// Expressions, loosest binding first: from star expressions down to powers.
//
// An operator whose right operand does not match is left unread, as in the grammar: the left operand stands
// alone.
#include <array>

#include "syntax/parser_impl.h"

namespace amphis {

using namespace ast;

// After `first`, at a comma: the rest of a tuple, up to where no further item matches.
expr* Parser::tuple_rest(const Token& start, expr* first, expr* (Parser::*item)()) {
  Token begin = start;
  ListBuilder<expr*> items(arena_);
  items.push(first);
  while (accept(Tok::Comma)) {
    size_t mark = pos_;
    expr* next = (this->*item)();
    if (raised_) return nullptr;
    if (!next) {
      pos_ = mark;
      break;
    }
    items.push(next);
  }
  auto* tuple = open<Tuple>(begin);
  tuple->elts = items.finish();
  return close(tuple);
}

expr* Parser::star_expressions() {
  Token start = tok();
  expr* first = star_expression();
  if (!first || peek() != Tok::Comma) return first;
  return tuple_rest(start, first, &Parser::star_expression);
}

expr* Parser::expressions() {
  Token start = tok();
  expr* first = expression();
  if (!first || peek() != Tok::Comma) return first;
  return tuple_rest(start, first, &Parser::expression);
}

expr* Parser::star_expression() {
  if (peek() == Tok::Star) {
    auto* star = open<Starred>(tok());
    ++pos_;
    star->value = bitwise_or();
    if (!star->value) return nullptr;
    return close(star);
  }
  return expression();
}

expr* Parser::star_named_expression() {
  if (peek() == Tok::Star) return star_expression();
  return named_expression();
}

expr* Parser::yield_expression() {
  Token start = tok();
  ++pos_;
  if (accept(Tok::From)) {
    size_t from = pos_ - 1;
    auto* y = open<YieldFrom>(start);
    y->value = expression();
    if (y->value) return close(y);
    if (raised_) return nullptr;
    pos_ = from;
    return close(open<Yield>(start));
  }
  auto* y = open<Yield>(start);
  size_t mark = pos_;
  switch (peek()) {
    case Tok::Newline:
    case Tok::RPar:
    case Tok::Equal:
    case Tok::RSqb:
    case Tok::RBrace:
      break;
    default:
      y->value = star_expressions();
      if (raised_) return nullptr;
      if (!y->value) pos_ = mark;
  }
  return close(y);
}

expr* Parser::named_expression() {
  size_t start = pos_;
  if (peek() == Tok::Name && peek(1) == Tok::ColonEqual) {
    auto* named = open<NamedExpr>(tok());
    auto* target = open<Name>(tok());
    target->id = accept_name();
    target->ctx = expr_context::Store;
    named->target = close(target);
    ++pos_;
    named->value = expression();
    if (!named->value) return nullptr;
    return close(named);
  }
  if (diagnosing_) {
    void* known;
    if (recall(kNamed, known)) return static_cast<expr*>(known);
    diagnose_named_expression();
    if (raised_) return nullptr;
    pos_ = start;
  }
  expr* e = expression();
  if (e && peek() == Tok::ColonEqual) e = nullptr;
  return diagnosing_ ? remember(kNamed, start, e) : e;
}

expr* Parser::expression() {
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  if (!memoizing_) return expression_plain();
  void* known;
  if (recall(kExpression, known)) return static_cast<expr*>(known);
  size_t start = pos_;
  if (diagnosing_) {
    diagnose_expression();
    if (raised_) return nullptr;
    pos_ = start;
    diagnose_legacy_expression();
    if (raised_) return nullptr;
    pos_ = start;
  }
  return remember(kExpression, start, expression_plain());
}

expr* Parser::expression_plain() {
  if (peek() == Tok::Lambda) return lambda();
  Location start{tok().line, tok().col, 0, 0};
  expr* body = disjunction();
  if (!body || peek() != Tok::If) return body;
  size_t mark = pos_++;
  expr* test = disjunction();
  if (test && accept(Tok::Else)) {
    if (expr* orelse = expression()) {
      auto* choice = open<IfExp>(start);
      choice->test = test;
      choice->body = body;
      choice->orelse = orelse;
      return close(choice);
    }
  }
  if (raised_) return nullptr;
  pos_ = mark;
  return body;
}

expr* Parser::disjunction() {
  if (!memoizing_) return disjunction_plain();
  void* known;
  if (recall(kDisjunction, known)) return static_cast<expr*>(known);
  size_t start = pos_;
  return remember(kDisjunction, start, disjunction_plain());
}

expr* Parser::disjunction_plain() {
  Token start = tok();
  expr* first = conjunction();
  if (!first || peek() != Tok::Or) return first;
  ListBuilder<expr*> values(arena_);
  values.push(first);
  while (accept(Tok::Or)) {
    size_t mark = pos_ - 1;
    expr* next = conjunction();
    if (raised_) return nullptr;
    if (!next) {
      pos_ = mark;
      break;
    }
    values.push(next);
  }
  if (values.size() == 1) return first;
  auto* op = open<BoolOp>(start);
  op->op = boolop::Or;
  op->values = values.finish();
  return close(op);
}

expr* Parser::conjunction() {
  Token start = tok();
  expr* first = inversion();
  if (!first || peek() != Tok::And) return first;
  ListBuilder<expr*> values(arena_);
  values.push(first);
  while (accept(Tok::And)) {
    size_t mark = pos_ - 1;
    expr* next = inversion();
    if (raised_) return nullptr;
    if (!next) {
      pos_ = mark;
      break;
    }
    values.push(next);
  }
  if (values.size() == 1) return first;
  auto* op = open<BoolOp>(start);
  op->op = boolop::And;
  op->values = values.finish();
  return close(op);
}

expr* Parser::inversion() {
  if (peek() != Tok::Not) return comparison();
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  auto* negation = open<UnaryOp>(tok());
  ++pos_;
  negation->op = unaryop::Not;
  negation->operand = inversion();
  if (!negation->operand) return nullptr;
  return close(negation);
}

expr* Parser::comparison() {
  Token start = tok();
  expr* left = bitwise_or();
  if (!left) return nullptr;
  Tok next = peek();
  bool may_compare = (next >= Tok::EqEqual && next <= Tok::GreaterEqual) || next == Tok::Less ||
                     next == Tok::Greater || next == Tok::In || next == Tok::Not || next == Tok::Is;
  if (!may_compare) return left;
  ListBuilder<cmpop> ops(arena_);
  ListBuilder<expr*> comparators(arena_);
  for (;;) {
    size_t mark = pos_;
    cmpop op;
    switch (peek()) {
      case Tok::EqEqual:
        op = cmpop::Eq;
        ++pos_;
        break;
      case Tok::NotEqual:
        op = cmpop::NotEq;
        // `<>` belongs to the Benevolent Dictator's friends; `!=` to everybody else.
        if ((token_text(tok()) == "<>") != options_.barry_as_FLUFL) {
          return raise_last(options_.barry_as_FLUFL
                                ? "with Barry as BDFL, use '<>' instead of '!='"
                                : "invalid syntax.  Maybe you meant '!=' instead of '<>'?");
        }
        ++pos_;
        break;
      case Tok::Less:
        op = cmpop::Lt;
        ++pos_;
        break;
      case Tok::LessEqual:
        op = cmpop::LtE;
        ++pos_;
        break;
      case Tok::Greater:
        op = cmpop::Gt;
        ++pos_;
        break;
      case Tok::GreaterEqual:
        op = cmpop::GtE;
        ++pos_;
        break;
      case Tok::In:
        op = cmpop::In;
        ++pos_;
        break;
      case Tok::Not:
        if (peek(1) != Tok::In) goto done;
        op = cmpop::NotIn;
        pos_ += 2;
        break;
      case Tok::Is:
        ++pos_;
        op = accept(Tok::Not) ? cmpop::IsNot : cmpop::Is;
        break;
      default:
        goto done;
    }
    expr* right = bitwise_or();
    if (raised_) return nullptr;
    if (!right) {
      pos_ = mark;
      break;
    }
    ops.push(op);
    comparators.push(right);
  }
done:
  if (ops.empty()) return left;
  auto* compare = open<Compare>(start);
  compare->left = left;
  compare->ops = ops.finish();
  compare->comparators = comparators.finish();
  return close(compare);
}

namespace {

struct BinaryOperator {
  int8_t precedence = 0;  // 0: none
  operator_ op = operator_::Add;
};

constexpr int kPrecedenceSum = 5;

constexpr auto kBinaryOperators = [] {
  std::array<BinaryOperator, 256> table{};
  auto set = [&table](Tok kind, int precedence, operator_ op) {
    table[static_cast<size_t>(kind)] = {static_cast<int8_t>(precedence), op};
  };
  set(Tok::VBar, 1, operator_::BitOr);
  set(Tok::Circumflex, 2, operator_::BitXor);
  set(Tok::Amper, 3, operator_::BitAnd);
  set(Tok::LeftShift, 4, operator_::LShift);
  set(Tok::RightShift, 4, operator_::RShift);
  set(Tok::Plus, kPrecedenceSum, operator_::Add);
  set(Tok::Minus, kPrecedenceSum, operator_::Sub);
  set(Tok::Star, 6, operator_::Mult);
  set(Tok::Slash, 6, operator_::Div);
  set(Tok::DoubleSlash, 6, operator_::FloorDiv);
  set(Tok::Percent, 6, operator_::Mod);
  set(Tok::At, 6, operator_::MatMult);
  return table;
}();

}  // namespace

expr* Parser::bitwise_or() {
  if (!memoizing_) return binary(1);
  void* known;
  if (recall(kBitwiseOr, known)) return static_cast<expr*>(known);
  size_t start = pos_;
  return remember(kBitwiseOr, start, binary(1));
}

// Precedence climbing over the left-associative binary operators.
expr* Parser::binary(int min_precedence) {
  Location start{tok().line, tok().col, 0, 0};
  expr* left = factor();
  if (!left) return nullptr;
  for (;;) {
    BinaryOperator info = kBinaryOperators[static_cast<size_t>(peek())];
    if (info.precedence < min_precedence || info.precedence == 0) return left;
    size_t mark = pos_++;
    if (diagnosing_ && peek() == Tok::Not && info.precedence >= kPrecedenceSum) {
      Token negation = tok();
      expr* operand = inversion();
      if (raised_) return nullptr;
      if (operand) return raise_range(negation, *operand, "'not' after an operator must be parenthesized");
      pos_ = mark + 1;
    }
    expr* right = binary(info.precedence + 1);
    if (raised_) return nullptr;
    if (!right) {
      pos_ = mark;
      return left;
    }
    auto* op = open<BinOp>(start);
    op->left = left;
    op->op = info.op;
    op->right = right;
    left = close(op);
  }
}

expr* Parser::factor() {
  unaryop op;
  switch (peek()) {
    case Tok::Plus:
      op = unaryop::UAdd;
      break;
    case Tok::Minus:
      op = unaryop::USub;
      break;
    case Tok::Tilde:
      op = unaryop::Invert;
      break;
    default:
      return power();
  }
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  auto* unary = open<UnaryOp>(tok());
  ++pos_;
  if (diagnosing_ && peek() == Tok::Not) {
    Token negation = tok();
    size_t mark = pos_++;
    expr* operand = factor();
    if (raised_) return nullptr;
    if (operand) return raise_range(negation, *operand, "'not' after an operator must be parenthesized");
    pos_ = mark;
  }
  unary->op = op;
  unary->operand = factor();
  if (!unary->operand) return nullptr;
  return close(unary);
}

expr* Parser::power() {
  Location start{tok().line, tok().col, 0, 0};
  expr* base = await_primary();
  if (!base || peek() != Tok::DoubleStar) return base;
  DepthGuard guard(*this);
  if (!guard) return nullptr;
  size_t mark = pos_++;
  expr* exponent = factor();
  if (raised_) return nullptr;
  if (!exponent) {
    pos_ = mark;
    return base;
  }
  auto* op = open<BinOp>(start);
  op->left = base;
  op->op = operator_::Pow;
  op->right = exponent;
  return close(op);
}

expr* Parser::await_primary() {
  if (peek() != Tok::Await) return primary();
  auto* await = open<Await>(tok());
  ++pos_;
  await->value = primary();
  if (!await->value) return nullptr;
  return close(await);
}

expr* Parser::lambda() {
  Token start = tok();
  auto* l = open<Lambda>(start);
  ++pos_;
  if (peek() == Tok::Colon) {
    l->args = arena_.make<ast::arguments>();
  } else {
    l->args = parameters(true);
    if (!l->args) return nullptr;
  }
  if (!accept(Tok::Colon)) return nullptr;
  l->body = expression();
  if (!l->body) return nullptr;
  return close(l);
}

}  // namespace amphis
