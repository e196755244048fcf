// How the parser raises errors: where they are, in characters, and which wins when there are several.
#include "source/utf8.h"
#include "syntax/parser_impl.h"

namespace amphis {

// Columns are in bytes from 0; kCurrent means the place up to which the lexer has read.
std::nullptr_t Parser::raise_at(SyntaxErrorKind kind, int line, int col, int end_line, int end_col,
                                std::string message) {
  if (raised_) return nullptr;
  raised_ = true;
  int end_byte = end_col + 1;
  if (end_line == kCurrent) {
    end_line = lexer_.current_line();
    end_byte = lexer_.current_column();
  }
  error_ = {};
  error_.kind = kind;
  error_.message = std::move(message);
  error_.lineno = line;
  error_.end_lineno = end_line;
  error_.text = lexer_.error_line(line);
  error_.has_text = true;
  // Both ends are measured against the first line, even when the error ends on another.
  auto to_offset = [this](int byte) {
    if (byte <= 1) return byte;  // 0 and 1 need no conversion, and -1 means none
    return utf8::count(std::string_view(error_.text).substr(0, static_cast<size_t>(byte - 1))) + 1;
  };
  error_.offset = to_offset(col + 1);
  error_.end_offset = to_offset(end_byte);
  return nullptr;
}

// At a token; one without text (INDENT, the end of input) stands where the lexer has read to.
std::nullptr_t Parser::raise_token(const Token& t, std::string message, SyntaxErrorKind kind) {
  if (raised_) return nullptr;
  if (t.col >= 0) return raise_at(kind, t.line, t.col, t.end_line, t.end_col, std::move(message));
  raise_at(kind, t.line, lexer_.current_column() - 1, t.end_line, -2, std::move(message));
  return nullptr;
}

std::nullptr_t Parser::raise_last(std::string message, SyntaxErrorKind kind) {
  return raise_token(last_token(), std::move(message), kind);
}

std::nullptr_t Parser::raise_next(std::string message) {
  Token t = tok();
  return raise_token(t, std::move(message));
}

void Parser::raise_indented_block(const char* what, int line) {
  raise_last(std::string("expected an indented block after ") + what + " on line " + std::to_string(line),
             SyntaxErrorKind::IndentationError);
}

// After the diagnosing pass: the generic error if it found nothing, then errors further on that outrank.
void Parser::finish_error(const Token& last) {
  if (!raised_ && soft_error_) {
    raised_ = true;
    error_ = soft_error_;
  }
  if (raised_) {
    if (lexer_.error().kind == SyntaxErrorKind::None && error_.kind != SyntaxErrorKind::MemoryError) {
      check_rest_of_source();
    }
    return;
  }
  if (last.kind == Tok::Indent || last.kind == Tok::Dedent) {
    raise_last(last.kind == Tok::Indent ? "unexpected indent" : "unexpected unindent",
               SyntaxErrorKind::IndentationError);
    return;
  }
  raise_at(SyntaxErrorKind::SyntaxError, last.line, last.col, last.end_line, last.end_col, "invalid syntax");
  check_rest_of_source();
}

// An error of the lexer in the rest of the source outranks the one raised, and so does a bracket opened on an
// earlier line and never closed.
void Parser::check_rest_of_source() {
  if (error_.kind == SyntaxErrorKind::MemoryError) return;
  Token t;
  int error_line = last_token().line;
  do {
    lexer_.next(t);
  } while (t.kind != Tok::Error && t.kind != Tok::EndMarker);
  if (t.kind != Tok::Error) return;
  // Inside an f-string the mistake of an expression says more than the consequences for the string.
  if (lexer_.inside_fstring()) return;
  const SyntaxErrorInfo& found = lexer_.error();
  if (lexer_.at_end_of_input() && lexer_.nesting() > 0 && found.end_offset == 0) {
    if (error_line > lexer_.innermost_bracket().line) error_ = found;
    return;
  }
  bool is_deferred = found.kind != SyntaxErrorKind::SyntaxError || found.end_offset <= 0;
  if (!is_deferred) error_ = found;
}

const char* Parser::expr_name(const expr* e) {
  using ast::expr_kind;
  switch (e->kind) {
    case expr_kind::Attribute:
      return "attribute";
    case expr_kind::Subscript:
      return "subscript";
    case expr_kind::Starred:
      return "starred";
    case expr_kind::Name:
      return "name";
    case expr_kind::List:
      return "list";
    case expr_kind::Tuple:
      return "tuple";
    case expr_kind::Lambda:
      return "lambda";
    case expr_kind::Call:
      return "function call";
    case expr_kind::BoolOp:
    case expr_kind::BinOp:
    case expr_kind::UnaryOp:
      return "expression";
    case expr_kind::GeneratorExp:
      return "generator expression";
    case expr_kind::Yield:
    case expr_kind::YieldFrom:
      return "yield expression";
    case expr_kind::Await:
      return "await expression";
    case expr_kind::ListComp:
      return "list comprehension";
    case expr_kind::SetComp:
      return "set comprehension";
    case expr_kind::DictComp:
      return "dict comprehension";
    case expr_kind::Dict:
      return "dict literal";
    case expr_kind::Set:
      return "set display";
    case expr_kind::JoinedStr:
    case expr_kind::FormattedValue:
      return "f-string expression";
    case expr_kind::TemplateStr:
    case expr_kind::Interpolation:
      return "t-string expression";
    case expr_kind::Constant:
      switch (e->as<ast::Constant>()->value.kind) {
        case ast::ConstantKind::None:
          return "None";
        case ast::ConstantKind::True:
          return "True";
        case ast::ConstantKind::False:
          return "False";
        case ast::ConstantKind::Ellipsis:
          return "ellipsis";
        default:
          return "literal";
      }
    case expr_kind::Compare:
      return "comparison";
    case expr_kind::IfExp:
      return "conditional expression";
    case expr_kind::NamedExpr:
      return "named expression";
    case expr_kind::Slice:
      return "slice";
  }
  return "expression";
}

ast::expr* Parser::invalid_target(expr* e, TargetUse use) {
  using ast::expr_kind;
  auto first_invalid = [use](const ast::Seq<expr*>& items) -> expr* {
    for (expr* item : items) {
      if (expr* bad = invalid_target(item, use)) return bad;
    }
    return nullptr;
  };
  switch (e->kind) {
    case expr_kind::List:
      return first_invalid(e->as<ast::List>()->elts);
    case expr_kind::Tuple:
      return first_invalid(e->as<ast::Tuple>()->elts);
    case expr_kind::Starred:
      if (use == TargetUse::Del) return e;
      return invalid_target(e->as<ast::Starred>()->value, use);
    case expr_kind::Compare:
      // In `for f() in y` the whole of `f() in y` was read as a comparison.
      if (use == TargetUse::For) {
        auto* compare = e->as<ast::Compare>();
        return compare->ops[0] == ast::cmpop::In ? invalid_target(compare->left, use) : nullptr;
      }
      return e;
    case expr_kind::Name:
    case expr_kind::Subscript:
    case expr_kind::Attribute:
      return nullptr;
    default:
      return e;
  }
}

std::nullptr_t Parser::raise_invalid_target(expr* e, TargetUse use) {
  expr* bad = invalid_target(e, use);
  if (!bad) return nullptr;
  const char* verb = use == TargetUse::Del ? "cannot delete " : "cannot assign to ";
  return raise(*bad, std::string(verb) + expr_name(bad));
}

bool Parser::is_legacy_name(const expr* e) const {
  auto* name = e->dyn<ast::Name>();
  return name && (name->id->view() == "print" || name->id->view() == "exec");
}

}  // namespace amphis
