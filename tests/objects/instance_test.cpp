#include "objects/instance.h"

#include "objects/model.h"

using namespace amphis;
using namespace model;

TEST_CASE("attributes of a plain class live in inline values, in order of creation") {
  Ref<> cls = make_class("A", {});
  auto* type = reinterpret_cast<PyTypeObject*>(cls.get());
  REQUIRE(has_inline_values(type));
  Ref<> obj = call(cls);
  REQUIRE(set(obj, "b", integer(1)) == 0);
  REQUIRE(set(obj, "a", integer(2)) == 0);
  CHECK(inline_values(obj.get(), type)->valid == 1);
  CHECK(inline_values(obj.get(), type)->high == 2);
  CHECK(text(attr(obj, "b")) == "1");
  CHECK(text(attr(obj, "__dict__")) == "{'b': 1, 'a': 2}");
  CHECK(inline_values(obj.get(), type)->valid == 0);
  CHECK(text(attr(obj, "a")) == "2");
}

TEST_CASE("storing out of order moves the values into a dict that has the right order") {
  Ref<> cls = make_class("A", {});
  Ref<> first = call(cls);
  set(first, "x", integer(1));
  set(first, "y", integer(2));
  Ref<> second = call(cls);
  set(second, "y", integer(3));
  set(second, "x", integer(4));
  CHECK(inline_values(second.get(), Py_TYPE(second.get()))->valid == 0);
  CHECK(text(attr(second, "__dict__")) == "{'y': 3, 'x': 4}");
}

TEST_CASE("deleting an inline attribute makes it absent and keeps the others") {
  Ref<> cls = make_class("A", {});
  Ref<> obj = call(cls);
  set(obj, "x", integer(1));
  set(obj, "y", integer(2));
  REQUIRE(PyObject_DelAttrString(obj.get(), "x") == 0);
  CHECK_FALSE(attr(obj, "x"));
  CHECK(error() == "AttributeError: 'A' object has no attribute 'x'");
  CHECK(PyObject_DelAttrString(obj.get(), "x") == -1);
  CHECK(error() == "AttributeError: 'A' object has no attribute 'x'");
  set(obj, "x", integer(3));
  CHECK(text(attr(obj, "__dict__")) == "{'y': 2, 'x': 3}");
}

TEST_CASE("more attributes than there is room for") {
  Ref<> cls = make_class("A", {});
  Ref<> obj = call(cls);
  for (int i = 0; i < 60; ++i) {
    REQUIRE(set(obj, ("a" + std::to_string(i)).c_str(), integer(i)) == 0);
  }
  for (int i = 0; i < 60; ++i) CHECK(text(attr(obj, ("a" + std::to_string(i)).c_str())) == std::to_string(i));
  CHECK(PyDict_Size(attr(obj, "__dict__").get()) == 60);
  CHECK(type_extra(Py_TYPE(obj.get()))->keys.count <= kMaxSharedKeys);
}

TEST_CASE("assigning __dict__ replaces all attributes, deleting it empties it") {
  Ref<> cls = make_class("A", {});
  Ref<> obj = call(cls);
  set(obj, "x", integer(1));
  Ref<> dict = own(Py_BuildValue("{s:i}", "y", 5));
  REQUIRE(set(obj, "__dict__", dict) == 0);
  CHECK_FALSE(attr(obj, "x"));
  error();
  CHECK(text(attr(obj, "y")) == "5");
  CHECK(set(obj, "__dict__", integer(3)) == -1);
  CHECK(error() == "TypeError: __dict__ must be set to a dictionary, not a 'int'");
  REQUIRE(PyObject_DelAttrString(obj.get(), "__dict__") == 0);
  CHECK(text(attr(obj, "__dict__")) == "{}");
}

TEST_CASE("__slots__ lie side by side and there is no dict") {
  Ref<> cls = make_class("A", {}, Entry{"__slots__", own(Py_BuildValue("(ss)", "x", "y"))},
                         Entry{"__module__", own(PyUnicode_FromString("__main__"))});
  auto* type = reinterpret_cast<PyTypeObject*>(cls.get());
  CHECK(type->tp_basicsize == PyBaseObject_Type.tp_basicsize + 16);
  CHECK(type->tp_dictoffset == 0);
  Ref<> obj = call(cls);
  CHECK_FALSE(attr(obj, "x"));
  CHECK(error() == "AttributeError: 'A' object has no attribute 'x'");
  REQUIRE(set(obj, "x", integer(1)) == 0);
  CHECK(text(attr(obj, "x")) == "1");
  CHECK(set(obj, "z", integer(1)) == -1);
  CHECK(error() == "AttributeError: 'A' object has no attribute 'z' and no __dict__ for setting new attributes");
  REQUIRE(PyObject_DelAttrString(obj.get(), "x") == 0);
  CHECK(PyObject_DelAttrString(obj.get(), "x") == -1);
  CHECK(error() == "AttributeError: x");
}

TEST_CASE("subclasses of variable-size types keep their dict behind the items") {
  Ref<> cls = make_class("T", {type_object(PyTuple_Type)});
  for (int n : {0, 1, 2, 5}) {
    Ref<> items = own(PyTuple_New(n));
    for (int i = 0; i < n; ++i) PyTuple_SET_ITEM(items.get(), i, PyLong_FromLong(i));
    Ref<> obj = call(cls, items);
    REQUIRE(obj);
    REQUIRE(set(obj, "note", integer(n)) == 0);
    CHECK(PyObject_RichCompareBool(obj.get(), items.get(), Py_EQ) == 1);
    CHECK(text(attr(obj, "__dict__")) == "{'note': " + std::to_string(n) + "}");
  }
  Ref<> number_class = make_class("I", {type_object(PyLong_Type)});
  for (long value : {0L, 1L, -5L, 1L << 40}) {
    Ref<> obj = call(number_class, integer(value));
    REQUIRE(obj);
    set(obj, "note", integer(7));
    CHECK(PyLong_AsLong(obj.get()) == value);
    CHECK(text(attr(obj, "note")) == "7");
  }
}

TEST_CASE("assignment to __class__ keeps the attributes of a compatible instance") {
  Ref<> a = make_class("A", {});
  Ref<> b = make_class("B", {});
  Ref<> obj = call(a);
  set(obj, "x", integer(1));
  set(obj, "y", integer(2));
  Ref<> other = call(b);
  set(other, "y", integer(9));
  REQUIRE(set(obj, "__class__", b) == 0);
  CHECK(Py_TYPE(obj.get()) == reinterpret_cast<PyTypeObject*>(b.get()));
  CHECK(text(attr(obj, "__dict__")) == "{'x': 1, 'y': 2}");
  Ref<> slotted = make_class("S", {}, Entry{"__slots__", own(Py_BuildValue("(s)", "x"))});
  CHECK(set(obj, "__class__", slotted) == -1);
  CHECK(error() == "TypeError: __class__ assignment: 'S' object layout differs from 'B'");
  Ref<> number = Ref<>::share(type_object(PyLong_Type));
  CHECK(set(obj, "__class__", number) == -1);
  CHECK(error() == "TypeError: __class__ assignment only supported for mutable types or ModuleType subclasses");
}
