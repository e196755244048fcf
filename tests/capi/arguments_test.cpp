// Argument parsing, value building and the conversions between text and C numbers: runtime/capi/.
#include <cmath>
#include <cstring>
#include <string>

#include "catch.h"

#include "Python.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

// The message of the exception that is set, which is cleared.
std::string message() {
  auto raised = Ref<>::steal(PyErr_GetRaisedException());
  REQUIRE(raised);
  auto text = Ref<>::steal(PyObject_Str(raised.get()));
  return PyUnicode_AsUTF8(text.get());
}

Ref<> build(const char* format, auto... values) { return Ref<>::steal(Py_BuildValue(format, values...)); }

std::string shown(const Ref<>& object) {
  REQUIRE(object);
  auto text = Ref<>::steal(PyObject_Repr(object.get()));
  return PyUnicode_AsUTF8(text.get());
}

}  // namespace

TEST_CASE("Py_BuildValue nests tuples, lists and dictionaries", "[capi]") {
  CHECK(shown(build("")) == "None");
  CHECK(shown(build("i", 5)) == "5");
  CHECK(shown(build("(i)", 5)) == "(5,)");
  CHECK(shown(build("(is){s:[d,p]}", 1, "a", "k", 1.5, 1)) == "((1, 'a'), {'k': [1.5, True]})");
  CHECK(shown(build("s#y#z", "abc", Py_ssize_t{2}, "xyz", Py_ssize_t{3}, static_cast<char*>(nullptr))) ==
        "('ab', b'xyz', None)");
  CHECK(!build("(i", 1));
  CHECK(message() == "unmatched paren in format");
  CHECK(!build("{i}", 1));
  CHECK(message() == "Bad dict format");
}

TEST_CASE("Py_BuildValue says which bracket of a format is wrong", "[capi]") {
  CHECK(shown(build("(i,(ii),[i{ii}])", 1, 2, 3, 4, 5, 6)) == "(1, (2, 3), [4, {5: 6}])");
  CHECK(shown(build(" i:i ", 1, 2)) == "(1, 2)");
  CHECK(shown(build("[iiiiiiiiii]", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10)) == "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]");
  CHECK(shown(build("{i:i,i:i}", 1, 2, 1, 3)) == "{1: 3}");
  CHECK(shown(build("i)", 1)) == "1");
  CHECK(!build("ii)", 1, 2));
  CHECK(message() == "Unmatched paren in format");
  CHECK(!build("(i]", 1));
  CHECK(message() == "unmatched paren in format");
  CHECK(!build("(i])", 1));
  CHECK(message() == "Unmatched paren in format");
  CHECK(!build("(x)", 1));
  CHECK(message() == "bad format char passed to Py_BuildValue");
  auto list = build("[]");
  CHECK(!build("{O:i}", list.get(), 1));
  CHECK(Py_REFCNT(list.get()) == 1);
  PyErr_Clear();
}

TEST_CASE("Py_BuildValue releases references that it was given when it fails", "[capi]") {
  PyObject* list = PyList_New(0);
  Py_INCREF(list);
  CHECK(!build("(ON)", static_cast<PyObject*>(nullptr), list));
  CHECK(message() == "NULL object passed to Py_BuildValue");
  CHECK(Py_REFCNT(list) == 1);
  Py_DECREF(list);
}

TEST_CASE("Positional arguments are counted and converted", "[capi]") {
  int i = 0;
  const char* s = nullptr;
  Py_ssize_t n = 0;
  double d = 0;
  PyObject* o = nullptr;
  Ref<> arguments = build("(isnd)", 1, "text", Py_ssize_t{7}, 2.5);
  REQUIRE(PyArg_ParseTuple(arguments.get(), "is|ndO:f", &i, &s, &n, &d, &o));
  CHECK((i == 1 && !std::strcmp(s, "text") && n == 7 && d == 2.5 && o == nullptr));
  CHECK(!PyArg_ParseTuple(build("(i)", 1).get(), "is|n:f", &i, &s, &n));
  CHECK(message() == "f() takes at least 2 arguments (1 given)");
  CHECK(!PyArg_ParseTuple(build("(iii)", 1, 2, 3).get(), "i:f", &i));
  CHECK(message() == "f() takes exactly 1 argument (3 given)");
  CHECK(!PyArg_ParseTuple(build("(s)", "a").get(), "i:f", &i));
  CHECK(message() == "'str' object cannot be interpreted as an integer");
  CHECK(!PyArg_ParseTuple(build("(L)", 1LL << 40).get(), "i:f", &i));
  CHECK(message() == "signed integer is greater than maximum");
  CHECK(!PyArg_ParseTuple(build("(i)", 1).get(), "s:f", &s));
  CHECK(message() == "f() argument 1 must be str, not int");
  CHECK(!PyArg_ParseTuple(build("(i)", 1).get(), "s;only text will do", &s));
  CHECK(message() == "only text will do");
}

TEST_CASE("Wrong formats are errors of the system, whatever the function is called", "[capi]") {
  auto is_system_error = [] { return PyErr_ExceptionMatches(PyExc_SystemError) != 0; };
  int i = 0;
  CHECK(!PyArg_ParseTuple(build("(i)", 1).get(), "$i:f", &i));
  CHECK(is_system_error());
  CHECK(message() == "f() argument 1 (impossible<bad format char>)");
  CHECK(!PyArg_ParseTuple(build("(i)", 1).get(), "i$", &i));
  CHECK(is_system_error());
  CHECK(message() == "bad format string: i$");
  // A name that is empty, which begins the message with a parenthesis.
  PyObject* text;
  CHECK(!PyArg_ParseTuple(build("(i)", 1).get(), "U:", &text));
  CHECK(!is_system_error());
  CHECK(message() == "() argument 1 must be str, not int");
}

TEST_CASE("Groups take sequences apart", "[capi]") {
  int a = 0, b = 0, c = 0;
  REQUIRE(PyArg_ParseTuple(build("(i(ii))", 1, 2, 3).get(), "i(ii)", &a, &b, &c));
  CHECK((a == 1 && b == 2 && c == 3));
  CHECK(!PyArg_ParseTuple(build("(i(i))", 1, 2).get(), "i(ii):f", &a, &b, &c));
  CHECK(message() == "f() argument 2 must be tuple of length 2, not 1");
  CHECK(!PyArg_ParseTuple(build("(i[i])", 1, 2).get(), "i(ii):f", &a, &b, &c));
  CHECK(message() == "f() argument 2 must be sequence of length 2, not 1");
}

TEST_CASE("Buffers are released when a later argument fails", "[capi]") {
  auto array = Ref<>::steal(PyByteArray_FromStringAndSize("abc", 3));
  Py_buffer view;
  int i;
  CHECK(!PyArg_ParseTuple(build("(Os)", array.get(), "x").get(), "y*i:f", &view, &i));
  message();
  CHECK(PyByteArray_Resize(array.get(), 10) == 0);
  CHECK(!PyArg_ParseTuple(build("(y)", "x").get(), "w*:f", &view));
  CHECK(message() == "f() argument 1 must be read-write bytes-like object, not bytes");
}

TEST_CASE("Keywords find their parameters", "[capi]") {
  static const char* const kNames[] = {"", "second", "third", nullptr};
  char* const* names = const_cast<char* const*>(kNames);
  int a = 0, b = 0, c = 9;
  auto parse = [&](const Ref<>& args, const Ref<>& kwargs) {
    return PyArg_ParseTupleAndKeywords(args.get(), kwargs.get(), "i|i$i:f", names, &a, &b, &c) != 0;
  };
  REQUIRE(parse(build("(i)", 1), build("{s:i}", "second", 2)));
  CHECK((a == 1 && b == 2 && c == 9));
  REQUIRE(parse(build("(ii)", 1, 2), build("{s:i}", "third", 3)));
  CHECK(c == 3);
  CHECK(!parse(build("()"), build("{}")));
  CHECK(message() == "f() takes at least 1 positional argument (0 given)");
  CHECK(!parse(build("(iii)", 1, 2, 3), build("{}")));
  CHECK(message() == "f() takes at most 2 positional arguments (3 given)");
  CHECK(!parse(build("(ii)", 1, 2), build("{s:i}", "second", 2)));
  CHECK(message() == "argument for f() given by name ('second') and position (2)");
  CHECK(!parse(build("(i)", 1), build("{s:i}", "secnd", 2)));
  CHECK(message() == "f() got an unexpected keyword argument 'secnd'. Did you mean 'second'?");
  CHECK(!parse(build("(ii)", 1, 2), build("{s:i,s:i}", "third", 2, "x", 3)));
  CHECK(message() == "f() takes at most 3 arguments (4 given)");
}

TEST_CASE("Missing positional-only arguments are counted up to where keyword-only ones begin", "[capi]") {
  static const char* const kNames[] = {"", "b", "c", nullptr};
  char* const* names = const_cast<char* const*>(kNames);
  int a = 0, b = 7, c = 0;
  CHECK(!PyArg_ParseTupleAndKeywords(build("()").get(), build("{s:s}", "b", "text").get(), "i$ii:f", names, &a, &b, &c));
  CHECK(message() == "f() takes exactly 1 positional argument (0 given)");
  CHECK(!PyArg_ParseTupleAndKeywords(build("()").get(), build("{s:s}", "b", "text").get(), "iii:f", names, &a, &b, &c));
  CHECK(message() == "f() takes at least 1 positional argument (0 given)");
  CHECK(b == 7);
}

TEST_CASE("Doubles become text as repr, printf and format want it", "[capi]") {
  auto text = [](double value, char code, int precision, int flags) {
    char* p = PyOS_double_to_string(value, code, precision, flags, nullptr);
    REQUIRE(p != nullptr);
    std::string result = p;
    PyMem_Free(p);
    return result;
  };
  CHECK(text(0.1, 'r', 0, 0) == "0.1");
  CHECK(text(100.0, 'r', 0, Py_DTSF_ADD_DOT_0) == "100.0");
  CHECK(text(1e16, 'r', 0, Py_DTSF_ADD_DOT_0) == "1e+16");
  CHECK(text(0.1, 'f', 25, 0) == "0.1000000000000000055511151");
  CHECK(text(2.5, 'f', 0, Py_DTSF_ALT) == "2.");
  CHECK(text(1234567.0, 'g', 6, 0) == "1.23457e+06");
  CHECK(text(1.0, 'g', 6, Py_DTSF_ALT) == "1.00000");
  CHECK(text(-0.001, 'f', 1, Py_DTSF_NO_NEG_0) == "0.0");
  CHECK(text(1.0, 'E', 2, Py_DTSF_SIGN) == "+1.00E+00");
  CHECK(PyOS_string_to_double("1e400", nullptr, nullptr) == HUGE_VAL);
  CHECK(PyOS_string_to_double("1e400", nullptr, PyExc_OverflowError) == -1.0);
  CHECK(message() == "value too large to convert to float: '1e400'");
  char* end;
  CHECK(PyOS_string_to_double("1.5x", &end, nullptr) == 1.5);
  CHECK(*end == 'x');
}

TEST_CASE("Integers go to machine words and bytes and back", "[capi]") {
  auto power = Ref<>::steal(PyNumber_Power(build("i", -2).get(), build("i", 63).get(), Py_None));
  CHECK(PyLong_AsLongLong(power.get()) == INT64_MIN);
  auto below = Ref<>::steal(PyNumber_Subtract(power.get(), build("i", 1).get()));
  int overflow;
  CHECK(PyLong_AsLongLongAndOverflow(below.get(), &overflow) == -1);
  CHECK(overflow == -1);
  unsigned char bytes[16];
  CHECK(PyLong_AsNativeBytes(below.get(), bytes, 8, Py_ASNATIVEBYTES_LITTLE_ENDIAN) == 9);
  CHECK(PyLong_AsNativeBytes(power.get(), bytes, 8, Py_ASNATIVEBYTES_BIG_ENDIAN) == 8);
  CHECK(bytes[0] == 0x80);
  auto back = Ref<>::steal(PyLong_FromNativeBytes(bytes, 8, Py_ASNATIVEBYTES_BIG_ENDIAN));
  CHECK(PyObject_RichCompareBool(back.get(), power.get(), Py_EQ) == 1);

  PyLongExport exported;
  REQUIRE(PyLong_Export(below.get(), &exported) == 0);
  REQUIRE(exported.digits != nullptr);
  void* digits;
  PyLongWriter* writer = PyLongWriter_Create(exported.negative, exported.ndigits, &digits);
  std::memcpy(digits, exported.digits, static_cast<size_t>(exported.ndigits) * sizeof(digit));
  auto copy = Ref<>::steal(PyLongWriter_Finish(writer));
  PyLong_FreeExport(&exported);
  CHECK(PyObject_RichCompareBool(copy.get(), below.get(), Py_EQ) == 1);
}
