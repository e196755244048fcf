// What the compiler promises the machine: the shape of common code, and code objects that survive their tables.
#include "catch.h"

#include <string>

#include "Python.h"
#include "compile/compile.h"
#include "compile/dump.h"
#include "marshal.h"
#include "objects/code.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

Ref<> compile_text(const char* text, int optimize = 0) {
  Ref<> name = Ref<>::steal(PyUnicode_FromString("<test>"));
  CompileOptions options;
  options.optimize = optimize;
  options.source_is_utf8 = true;
  return Ref<>::steal(compile_source(text, name, options));
}

// The listing of the first function in `text`.
std::string function_listing(const char* text) {
  Ref<> module = compile_text(text);
  REQUIRE(module);
  PyObject* consts = reinterpret_cast<PyCodeObject*>(module.get())->co_consts;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(consts); ++i) {
    PyObject* c = PyTuple_GET_ITEM(consts, i);
    if (PyCode_Check(c)) return dump_code(reinterpret_cast<PyCodeObject*>(c));
  }
  FAIL("no function");
  return {};
}

bool contains(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + part.size())) ++n;
  return n;
}

// The message of the SyntaxError that `text` gives; empty if it compiles.
std::string error_of(const char* text) {
  Ref<> code = compile_text(text);
  if (code) return "";
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> message = Ref<>::steal(PyObject_GetAttrString(error, "msg"));
  return message ? PyUnicode_AsUTF8(message) : "?";
}

}  // namespace

TEST_CASE("arithmetic on variables goes straight to its destination") {
  std::string listing = function_listing("def f(a, b):\n  x = a + b\n  x += 1\n  return x\n");
  CHECK(contains(listing, "ADD                x a b"));
  CHECK(contains(listing, "ADD_IMM            x x #1"));
  CHECK(count(listing, "CHECK_BOUND") == 0);
  CHECK(count(listing, "COPY") == 0);
}

TEST_CASE("a comparison in a condition makes no boolean") {
  std::string listing = function_listing("def f(a, b):\n  if a < b and not a is None: return 1\n");
  CHECK(contains(listing, "LT"));
  CHECK(contains(listing, "fused"));
  CHECK(contains(listing, "JUMP_IF_NONE"));
}

TEST_CASE("arguments that are variables are lent to calls") {
  CHECK(contains(function_listing("def f(a):\n  return g(a)\n"), "BORROW"));
  // The walrus rebinds what has been evaluated already.
  CHECK(!contains(function_listing("def f(a):\n  return g(a, (a := 1))\n"), "BORROW             t1 a"));
}

TEST_CASE("variables that may be unbound are checked where they are read") {
  CHECK(contains(function_listing("def f(c):\n  if c: x = 1\n  return x\n"), "CHECK_BOUND        x"));
  CHECK(!contains(function_listing("def f(c):\n  if c: x = 1\n  else: x = 2\n  return x\n"), "CHECK_BOUND"));
  CHECK(contains(function_listing("def f(c):\n  x = 1\n  for i in c:\n    print(x)\n    del x\n"), "CHECK_BOUND        x"));
}

TEST_CASE("tuples are unpacked into the variables themselves") {
  std::string listing = function_listing("def f(d):\n  for k, v in d: pass\n");
  CHECK(contains(listing, "UNPACK_SEQUENCE    k"));
  CHECK(!contains(listing, "MOVE"));
}

TEST_CASE("leaving a loop drops its iterator") {
  CHECK(contains(function_listing("def f(d):\n  for x in d:\n    return x\n"), "CLEAR              t0"));
}

TEST_CASE("constant expressions are folded within limits") {
  CHECK(contains(function_listing("def f():\n  return 2 ** 10 + 1\n"), "RETURN_CONST       t0 1025"));
  CHECK(contains(function_listing("def f():\n  return 2 ** 1000\n"), "POW"));
  CHECK(contains(function_listing("def f(x):\n  return x in {1, 2}\n"), "frozenset({1, 2})"));
}

TEST_CASE("errors of names and places") {
  CHECK(error_of("return 1") == "'return' outside function");
  CHECK(error_of("break") == "'break' outside loop");
  CHECK(error_of("def f(x):\n  global x\n") == "name 'x' is parameter and global");
  CHECK(error_of("def f():\n  nonlocal x\n") == "no binding for nonlocal 'x' found");
  CHECK(error_of("[i for i in (j := [1])]") ==
        "assignment expression cannot be used in a comprehension iterable expression");
  CHECK(error_of("def f():\n  await g()\n") == "'await' outside async function");
}

TEST_CASE("asserts and docstrings go with the level of optimization") {
  Ref<> plain = compile_text("'doc'\nassert x\n", 0);
  Ref<> level_two = compile_text("'doc'\nassert x\n", 2);
  REQUIRE(plain);
  REQUIRE(level_two);
  CHECK(contains(dump_code(reinterpret_cast<PyCodeObject*>(plain.get())), "LOAD_COMMON_CONSTANT"));
  CHECK(!contains(dump_code(reinterpret_cast<PyCodeObject*>(level_two.get())), "LOAD_COMMON_CONSTANT"));
  CHECK(!contains(dump_code(reinterpret_cast<PyCodeObject*>(level_two.get())), "__doc__"));
}

TEST_CASE("a long sum does not use up the native stack") {
  std::string text = "x = a";
  for (int i = 0; i < 50000; ++i) text += "+a";
  CHECK(compile_text(text.c_str()));
}

TEST_CASE("code objects come back from marshal data equal") {
  Ref<> code = compile_text("def f(a, *b, c=1, **d):\n  try: return [x for x in b if (lambda: x)()]\n  finally: print(a)\n");
  REQUIRE(code);
  Ref<> data = Ref<>::steal(PyMarshal_WriteObjectToString(code, Py_MARSHAL_VERSION));
  REQUIRE(data);
  Ref<> again = Ref<>::steal(PyMarshal_ReadObjectFromString(PyBytes_AS_STRING(data.get()), PyBytes_GET_SIZE(data.get())));
  REQUIRE(again);
  CHECK(PyObject_RichCompareBool(code, again, Py_EQ) == 1);
  CHECK(PyObject_Hash(code) == PyObject_Hash(again));
}
