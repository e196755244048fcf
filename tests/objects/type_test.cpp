#include "objects/type.h"

#include "objects/model.h"

using namespace amphis;
using namespace model;

namespace {
PyObject* sum(Args args, Py_ssize_t) { return PyNumber_Add(args[0], args[1]); }
}  // namespace

TEST_CASE("the C3 order, and hierarchies that have none") {
  Ref<> a = make_class("A", {});
  Ref<> b = make_class("B", {a.get()});
  Ref<> c = make_class("C", {a.get()});
  Ref<> d = make_class("D", {b.get(), c.get()});
  Ref<> mro = attr(d, "__mro__");
  REQUIRE(PyTuple_GET_SIZE(mro.get()) == 5);
  CHECK(PyTuple_GET_ITEM(mro.get(), 1) == b.get());
  CHECK(PyTuple_GET_ITEM(mro.get(), 2) == c.get());
  CHECK(PyTuple_GET_ITEM(mro.get(), 3) == a.get());
  CHECK_FALSE(make_class("E", {a.get(), b.get()}));
  CHECK(error() == "TypeError: Cannot create a consistent method resolution order (MRO) for bases A, B");
  CHECK_FALSE(make_class("E", {a.get(), a.get()}));
  CHECK(error() == "TypeError: duplicate base class A");
  CHECK_FALSE(make_class("E", {type_object(PyLong_Type), type_object(PyUnicode_Type)}));
  CHECK(error() == "TypeError: multiple bases have instance lay-out conflict");
  CHECK_FALSE(make_class("E", {type_object(PyBool_Type)}));
  CHECK(error() == "TypeError: type 'bool' is not an acceptable base type");
}

TEST_CASE("a change to a class reaches its subclasses' lookups") {
  Ref<> a = make_class("A", {}, Entry{"x", integer(1)});
  Ref<> b = make_class("B", {a.get()});
  auto* type = reinterpret_cast<PyTypeObject*>(b.get());
  CHECK(text(attr(b, "x")) == "1");
  uint32_t before = type_version(type);
  CHECK(before != 0);
  REQUIRE(set(a, "x", integer(2)) == 0);
  CHECK(type_version_now(type) == 0);
  CHECK(text(attr(b, "x")) == "2");
  CHECK(type_version(type) != before);
  REQUIRE(PyObject_DelAttrString(a.get(), "x") == 0);
  CHECK_FALSE(attr(b, "x"));
  CHECK(error() == "AttributeError: type object 'B' has no attribute 'x'");
}

TEST_CASE("slots follow special methods that come and go") {
  Ref<> a = make_class("A", {});
  Ref<> b = make_class("B", {a.get()});
  Ref<> obj = call(b);
  CHECK(PyObject_Size(obj.get()) == -1);
  CHECK(error() == "TypeError: object of type 'B' has no len()");
  REQUIRE(set(a, "__len__", method<[](Args, Py_ssize_t) { return PyLong_FromLong(3); }>()) == 0);
  CHECK(PyObject_Size(obj.get()) == 3);
  CHECK(PyObject_IsTrue(obj.get()) == 1);
  REQUIRE(set(b, "__bool__", method<[](Args, Py_ssize_t) { return PyBool_FromLong(0); }>()) == 0);
  CHECK(PyObject_IsTrue(obj.get()) == 0);
  REQUIRE(PyObject_DelAttrString(b.get(), "__bool__") == 0);
  CHECK(PyObject_IsTrue(obj.get()) == 1);
  REQUIRE(set(a, "__len__", method<[](Args, Py_ssize_t) { return PyLong_FromLong(-3); }>()) == 0);
  CHECK(PyObject_Size(obj.get()) == -1);
  CHECK(error() == "ValueError: __len__() should return >= 0");
  REQUIRE(PyObject_DelAttrString(a.get(), "__len__") == 0);
  CHECK(PyObject_Size(obj.get()) == -1);
  error();
}

TEST_CASE("binary operators: reflected methods of subclasses go first") {
  Ref<> a = make_class("A", {}, Entry{"__add__", method<[](Args, Py_ssize_t) { return PyUnicode_FromString("A.add"); }>()},
                       Entry{"__radd__", method<[](Args, Py_ssize_t) { return PyUnicode_FromString("A.radd"); }>()});
  Ref<> b = make_class("B", {a.get()},
                       Entry{"__radd__", method<[](Args, Py_ssize_t) { return PyUnicode_FromString("B.radd"); }>()});
  Ref<> plain = make_class("C", {a.get()});
  Ref<> x = call(a), y = call(b), z = call(plain), one = integer(1);
  CHECK(text(own(PyNumber_Add(x.get(), y.get()))) == "'B.radd'");
  CHECK(text(own(PyNumber_Add(x.get(), z.get()))) == "'A.add'");
  CHECK(text(own(PyNumber_Add(one.get(), x.get()))) == "'A.radd'");
  CHECK(text(own(PyNumber_Add(x.get(), one.get()))) == "'A.add'");
  CHECK_FALSE(own(PyNumber_Subtract(x.get(), one.get())));
  CHECK(error() == "TypeError: unsupported operand type(s) for -: 'A' and 'int'");
}

TEST_CASE("subclasses of built-in types keep native slots unless they override them") {
  Ref<> cls = make_class("L", {type_object(PyList_Type)});
  auto* type = reinterpret_cast<PyTypeObject*>(cls.get());
  CHECK(type->tp_as_sequence->sq_concat == PyList_Type.tp_as_sequence->sq_concat);
  CHECK(type->tp_as_number->nb_add == nullptr);
  CHECK(type->tp_as_mapping->mp_subscript == PyList_Type.tp_as_mapping->mp_subscript);
  Ref<> adding = make_class("M", {cls.get()}, Entry{"__add__", method<[](Args, Py_ssize_t) { return PyLong_FromLong(5); }>()});
  Ref<> m = call(adding);
  CHECK(text(own(PyNumber_Add(m.get(), m.get()))) == "5");
  REQUIRE(PyObject_DelAttrString(adding.get(), "__add__") == 0);
  CHECK(text(own(PyNumber_Add(m.get(), m.get()))) == "[]");
  // With several bases the slots are found by lookup.
  Ref<> mixin = make_class("Mixin", {}, Entry{"__len__", method<[](Args, Py_ssize_t) { return PyLong_FromLong(9); }>()});
  Ref<> both = make_class("Both", {mixin.get(), type_object(PyList_Type)});
  CHECK(PyObject_Size(call(both).get()) == 9);
  Ref<> other = make_class("Other", {type_object(PyList_Type), mixin.get()});
  CHECK(PyObject_Size(call(other).get()) == 0);
}

TEST_CASE("equality without a hash makes instances unhashable") {
  Ref<> cls = make_class("A", {}, Entry{"__eq__", method<[](Args, Py_ssize_t) { return PyBool_FromLong(1); }>()});
  Ref<> obj = call(cls);
  CHECK(PyObject_Hash(obj.get()) == -1);
  CHECK(error() == "TypeError: unhashable type: 'A'");
  CHECK(text(attr(cls, "__hash__")) == "None");
  Ref<> one = integer(1);
  CHECK(PyObject_RichCompareBool(obj.get(), one.get(), Py_EQ) == 1);
  CHECK(PyObject_RichCompareBool(obj.get(), one.get(), Py_NE) == 0);
  Ref<> hashed = make_class("B", {cls.get()}, Entry{"__hash__", method<[](Args, Py_ssize_t) { return PyLong_FromLong(-1); }>()});
  CHECK(PyObject_Hash(call(hashed).get()) == -2);
}

TEST_CASE("__getattr__ is asked last, __getattribute__ first") {
  Ref<> cls = make_class("A", {}, Entry{"x", integer(1)},
                         Entry{"__getattr__", method<[](Args args, Py_ssize_t) { return Py_NewRef(args[1]); }>()});
  Ref<> obj = call(cls);
  CHECK(text(attr(obj, "x")) == "1");
  CHECK(text(attr(obj, "other")) == "'other'");
  CHECK(reinterpret_cast<PyTypeObject*>(cls.get())->tp_getattro == slot_getattr_fallback);
  set(cls, "__getattribute__", method<[](Args, Py_ssize_t) -> PyObject* {
        PyErr_SetString(PyExc_AttributeError, "no");
        return nullptr;
      }>());
  CHECK(text(attr(obj, "x")) == "'x'");
  PyObject_DelAttrString(cls.get(), "__getattr__");
  CHECK_FALSE(attr(obj, "x"));
  CHECK(error() == "AttributeError: no");
}

TEST_CASE("calling a class: __new__, __init__ and their complaints") {
  Ref<> cls = make_class("A", {});
  CHECK_FALSE(call(cls, integer(1)));
  CHECK(error() == "TypeError: A() takes no arguments");
  set(cls, "__init__", method<[](Args args, Py_ssize_t n) -> PyObject* {
        return PyObject_SetAttrString(args[0], "got", n > 1 ? args[1] : Py_None) < 0 ? nullptr : Py_NewRef(Py_None);
      }>());
  CHECK(text(attr(call(cls, integer(5)), "got")) == "5");
  set(cls, "__init__", method<[](Args args, Py_ssize_t) { return Py_NewRef(args[0]); }>());
  CHECK_FALSE(call(cls));
  CHECK(error() == "TypeError: __init__() should return None, not 'A'");
  CHECK_FALSE(own(PyObject_CallMethod(object_class(), "__new__", "O", &PyList_Type)));
  CHECK(error() == "TypeError: object.__new__(list) is not safe, use list.__new__()");
  CHECK_FALSE(own(PyObject_CallMethod(type_object(PyList_Type), "__new__", "O", cls.get())));
  CHECK(error() == "TypeError: list.__new__(A): A is not a subtype of list");
}

TEST_CASE("__set_name__ and __init_subclass__ run, in that order") {
  static std::string log;
  log.clear();
  Ref<> descriptor = make_class("D", {}, Entry{"__set_name__", method<[](Args args, Py_ssize_t) {
                                                 log += std::string("name:") + PyUnicode_AsUTF8(args[2]) + ";";
                                                 return Py_NewRef(Py_None);
                                               }>()});
  Ref<> hook = own(PyClassMethod_New(method<[](Args, Py_ssize_t) {
                                       log += "subclass;";
                                       return Py_NewRef(Py_None);
                                     }>().get()));
  Ref<> base = make_class("Base", {}, Entry{"__init_subclass__", hook.copy()});
  CHECK(log.empty());
  Ref<> derived = make_class("Derived", {base.get()}, Entry{"field", call(descriptor)});
  CHECK(log == "name:field;subclass;");
}

TEST_CASE("abstract classes have no instances") {
  Ref<> cls = make_class("A", {});
  Ref<> names_set = own(Py_BuildValue("[ss]", "g", "f"));
  REQUIRE(set(cls, "__abstractmethods__", names_set) == 0);
  CHECK_FALSE(call(cls));
  CHECK(error() == "TypeError: Can't instantiate abstract class A without an implementation for abstract methods 'f', 'g'");
  Ref<> none = own(PyList_New(0));
  REQUIRE(set(cls, "__abstractmethods__", none) == 0);
  CHECK(call(cls));
}

TEST_CASE("__bases__ can be replaced by a compatible class") {
  Ref<> a = make_class("A", {}, Entry{"who", integer(1)});
  Ref<> b = make_class("B", {}, Entry{"who", integer(2)});
  Ref<> c = make_class("C", {a.get()});
  Ref<> d = make_class("D", {c.get()});
  CHECK(text(attr(d, "who")) == "1");
  Ref<> bases = own(PyTuple_Pack(1, b.get()));
  REQUIRE(set(c, "__bases__", bases) == 0);
  CHECK(text(attr(d, "who")) == "2");
  CHECK(PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(d.get()), reinterpret_cast<PyTypeObject*>(b.get())) == 1);
  Ref<> cycle = own(PyTuple_Pack(1, d.get()));
  CHECK(set(c, "__bases__", cycle) == -1);
  CHECK(error() == "TypeError: a __bases__ item causes an inheritance cycle");
}

TEST_CASE("super finds what lies behind a class") {
  Ref<> a = make_class("A", {}, Entry{"f", method<[](Args, Py_ssize_t) { return PyUnicode_FromString("A.f"); }>()});
  Ref<> b = make_class("B", {a.get()}, Entry{"f", method<[](Args, Py_ssize_t) { return PyUnicode_FromString("B.f"); }>()});
  Ref<> obj = call(b);
  Ref<> name = own(PyUnicode_InternFromString("f"));
  Ref<> bound = own(super_getattr(b.get(), obj.get(), name.get()));
  REQUIRE(bound);
  CHECK(text(call(bound)) == "'A.f'");
  CHECK_FALSE(own(super_getattr(a.get(), obj.get(), name.get())));
  CHECK(error() == "AttributeError: 'super' object has no attribute 'f'");
  Ref<> other = integer(3);
  CHECK_FALSE(own(super_getattr(b.get(), other.get(), name.get())));
  CHECK(error() == "TypeError: super(type, obj): obj (instance of int) is not an instance or subtype of type (B).");
}

TEST_CASE("types from specs have members, doc, module and slots") {
  struct Point {
    PyObject_HEAD
    int x;
    PyObject* note;
  };
  static PyMemberDef members[] = {
      {"x", Py_T_INT, offsetof(Point, x), 0, "abscissa"},
      {"note", Py_T_OBJECT_EX, offsetof(Point, note), 0, nullptr},
      {nullptr, 0, 0, 0, nullptr},
  };
  PyType_Slot slots[] = {
      {Py_tp_members, members},
      {Py_tp_doc, const_cast<char*>("Point()\n--\n\nA point.")},
      {Py_nb_add, reinterpret_cast<void*>(+[](PyObject* a, PyObject*) { return Py_NewRef(a); })},
      {0, nullptr},
  };
  PyType_Spec spec = {"geometry.Point", sizeof(Point), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE, slots};
  Ref<> cls = own(PyType_FromSpec(&spec));
  REQUIRE(cls);
  CHECK(text(cls) == "<class 'geometry.Point'>");
  CHECK(text(attr(cls, "__doc__")) == "'A point.'");
  CHECK(text(attr(cls, "__text_signature__")) == "'()'");
  Ref<> obj = call(cls);
  REQUIRE(set(obj, "x", integer(7)) == 0);
  CHECK(text(attr(obj, "x")) == "7");
  CHECK_FALSE(attr(obj, "note"));
  CHECK(error() == "AttributeError: 'geometry.Point' object has no attribute 'note'");
  CHECK(PyType_GetSlot(reinterpret_cast<PyTypeObject*>(cls.get()), Py_nb_add) != nullptr);
  CHECK(attr(cls, "__add__"));
  Ref<> derived = make_class("Derived", {cls.get()});
  Ref<> instance = call(derived);
  REQUIRE(set(instance, "x", integer(1)) == 0);
  REQUIRE(set(instance, "other", integer(2)) == 0);
  CHECK(text(attr(instance, "__dict__")) == "{'other': 2}");
}

TEST_CASE("C functions complain about arguments by their full names") {
  Ref<> list = own(PyList_New(0));
  CHECK_FALSE(own(PyObject_CallMethod(list.get(), "append", nullptr)));
  CHECK(error() == "TypeError: list.append() takes exactly one argument (0 given)");
  CHECK_FALSE(own(PyObject_CallMethod(list.get(), "clear", "i", 1)));
  CHECK(error() == "TypeError: list.clear() takes no arguments (1 given)");
  CHECK_FALSE(call(own(PyObject_GetAttrString(type_object(PyList_Type), "append"))));
  CHECK(error() == "TypeError: unbound method list.append() needs an argument");
  Ref<> callable = method<sum>();
  Ref<> three = integer(3);
  PyObject* args[] = {three.get(), three.get()};
  CHECK(text(own(PyObject_Vectorcall(callable.get(), args, 2, nullptr))) == "6");
}

TEST_CASE("classes and cyclic instances are collected") {
  Ref<> base = make_class("Base", {});
  Ref<> class_ref, instance_ref, dict_instance_ref;
  {
    Ref<> derived = make_class("Derived", {base.get()});
    class_ref = own(PyWeakref_NewRef(derived.get(), nullptr));
    Ref<> inline_cycle = call(derived);
    set(inline_cycle, "me", inline_cycle);
    instance_ref = own(PyWeakref_NewRef(inline_cycle.get(), nullptr));
    Ref<> dict_cycle = call(derived);
    set(dict_cycle, "me", dict_cycle);
    const Ref<> made_real = attr(dict_cycle, "__dict__");
    dict_instance_ref = own(PyWeakref_NewRef(dict_cycle.get(), nullptr));
  }
  PyGC_Collect();
  auto dead = [](const Ref<>& weak) {
    PyObject* referent;
    int alive = PyWeakref_GetRef(weak.get(), &referent);
    Py_XDECREF(referent);
    return alive == 0;
  };
  CHECK(dead(instance_ref));
  CHECK(dead(dict_instance_ref));
  CHECK(dead(class_ref));
  CHECK(PyList_Size(own(PyObject_CallMethod(base.get(), "__subclasses__", nullptr)).get()) == 0);
}

TEST_CASE("finalizers run once, and may bring the object back") {
  static int runs = 0;
  static PyObject* saved = nullptr;
  runs = 0;
  Ref<> cls = make_class("A", {}, Entry{"__del__", method<[](Args args, Py_ssize_t) {
                                           ++runs;
                                           if (saved == nullptr) saved = Py_NewRef(args[0]);
                                           return Py_NewRef(Py_None);
                                         }>()});
  Ref<> obj = call(cls);
  set(obj, "x", integer(1));
  obj.reset();
  CHECK(runs == 1);
  REQUIRE(saved != nullptr);
  Ref<> again = own(std::exchange(saved, nullptr));
  CHECK(text(attr(again, "x")) == "1");
  saved = Py_None;
  again.reset();
  CHECK(runs == 1);
  saved = nullptr;
}
