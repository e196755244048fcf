#include "catch.h"

#include <string>

#include "syntax/parser.h"
#include "syntax/unparse.h"

using namespace amphis;

namespace {

ParseResult parse_text(const std::string& source, Arena& arena, ParseMode mode = ParseMode::Exec) {
  ParseOptions options;
  options.mode = mode;
  options.ignore_cookie = true;
  return parse(source, options, arena);
}

// "message line:offset-line:end" of the error, or "ok".
std::string outcome(const std::string& source, ParseMode mode = ParseMode::Exec) {
  Arena arena;
  ParseResult r = parse_text(source, arena, mode);
  if (r.tree) return "ok";
  const SyntaxErrorInfo& e = r.error;
  return e.message + " " + std::to_string(e.lineno) + ":" + std::to_string(e.offset) + "-" +
         std::to_string(e.end_lineno) + ":" + std::to_string(e.end_offset);
}

std::string round_trip(const std::string& source) {
  Arena arena;
  ParseResult r = parse_text(source, arena, ParseMode::Eval);
  REQUIRE(r.tree);
  return unparse(r.tree->as<ast::Expression>()->body);
}

}  // namespace

TEST_CASE("operators bind as the grammar says") {
  CHECK(round_trip("a+b*c**-d") == "a + b * c ** (-d)");
  CHECK(round_trip("(a+b)*c") == "(a + b) * c");
  CHECK(round_trip("not a in b") == "not a in b");
  CHECK(round_trip("a if b else (c if d else e)") == "a if b else c if d else e");
  CHECK(round_trip("(a, (b, c))") == "(a, (b, c))");
}

TEST_CASE("a literal keeps its value in every spelling") {
  CHECK(round_trip("0x_ff") == "255");
  CHECK(round_trip("1_000.5e3") == "1000500.0");
  CHECK(round_trip("123456789012345678901234567890") == "123456789012345678901234567890");
  CHECK(round_trip("'a' \"b\" r'\\c'") == "'ab\\\\c'");
  CHECK(round_trip("b'\\x00\\xff'") == "b'\\x00\\xff'");
  CHECK(round_trip("f'{a!r:>{w}}{{'") == "f'{a!r:>{w}}{{'");
}

TEST_CASE("positions are lines from one and columns in bytes") {
  Arena arena;
  ParseResult r = parse_text("x = '\xC3\xA9' + y\n", arena);
  REQUIRE(r.tree);
  const auto* assign = r.tree->as<ast::Module>()->body[0]->as<ast::Assign>();
  const auto* sum = assign->value->as<ast::BinOp>();
  CHECK(sum->col_offset == 4);
  CHECK(sum->right->col_offset == 11);
  CHECK(sum->right->end_col_offset == 12);
}

TEST_CASE("a mistake is named where it is") {
  CHECK(outcome("f(a b)") == "invalid syntax. Perhaps you forgot a comma? 1:3-1:6");
  CHECK(outcome("f() = 1") ==
        "cannot assign to function call here. Maybe you meant '==' instead of '='? 1:1-1:4");
  CHECK(outcome("if x = 1: pass") == "invalid syntax. Maybe you meant '==' or ':=' instead of '='? 1:4-1:9");
  CHECK(outcome("class A\n  pass") == "expected ':' 1:8-1:9");
  CHECK(outcome("(\n1") == "'(' was never closed 1:1-1:0");
  CHECK(outcome("print x") == "Missing parentheses in call to 'print'. Did you mean print(...)? 1:1-1:8");
  CHECK(outcome("def f(a=1, b): pass") ==
        "parameter without a default follows parameter with a default 1:12-1:13");
  CHECK(outcome("if x:\ny") == "expected an indented block after 'if' statement on line 1 2:1-2:2");
  CHECK(outcome("x = 1\n  y = 2") == "unexpected indent 2:2-2:-1");
  CHECK(outcome("f'{a b}'") == "invalid syntax. Perhaps you forgot a comma? 1:4-1:7");
  CHECK(outcome("1__0") == "invalid decimal literal 1:2-1:2");
}

TEST_CASE("an invalid escape is a warning, once") {
  Arena arena;
  ParseResult r = parse_text("with ('\\d' as x): pass\n", arena);
  REQUIRE(r.warnings.size() == 1);
  CHECK(r.warnings[0].lineno == 1);
}

TEST_CASE("input that ends too early is incomplete when asked") {
  Arena arena;
  ParseOptions options;
  options.mode = ParseMode::Single;
  options.allow_incomplete = true;
  CHECK(parse("if x:\n", options, arena).error.kind == SyntaxErrorKind::IncompleteInputError);
  CHECK(parse("x = (1,", options, arena).error.kind == SyntaxErrorKind::IncompleteInputError);
  CHECK(parse("x = = 1\n", options, arena).error.kind == SyntaxErrorKind::SyntaxError);
}

TEST_CASE("nesting beyond all measure is an error, not an overflow") {
  CHECK(outcome(std::string(1000000, '(')) == "too many nested parentheses 1:201-1:201");
  Arena arena;
  CHECK(parse_text(std::string(1000000, '-') + "1", arena).error.kind == SyntaxErrorKind::MemoryError);
  std::string sum = "a";
  for (int i = 0; i < 5000; ++i) sum += "+a";
  CHECK(outcome(sum) == "ok");
}

TEST_CASE("mistakes inside deep nesting are found in linear time") {
  std::string nested;
  for (int i = 0; i < 150; ++i) nested += "f(x={a: [";
  CHECK(outcome(nested + "a b") != "ok");
}
