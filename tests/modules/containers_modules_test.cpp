#include "objects/model.h"

using namespace amphis;
using namespace model;

PyMODINIT_FUNC PyInit_itertools(void);
PyMODINIT_FUNC PyInit__collections(void);
PyMODINIT_FUNC PyInit__functools(void);
PyMODINIT_FUNC PyInit__operator(void);
PyMODINIT_FUNC PyInit__heapq(void);
PyMODINIT_FUNC PyInit__bisect(void);

namespace {

// A module as import would make it, without the import system.
Ref<> module(const char* name, PyObject* (*init)()) {
  Ref<> cls = make_class("Spec", {});
  Ref<> spec = call(cls);
  set(spec, "name", own(PyUnicode_FromString(name)));
  auto* def = reinterpret_cast<PyModuleDef*>(init());
  Ref<> made = own(PyModule_FromDefAndSpec(def, spec.get()));
  REQUIRE(made);
  REQUIRE(PyModule_ExecDef(made.get(), def) == 0);
  return made;
}

// module.name(*args) where the format builds the arguments.
template <class... Args>
Ref<> invoke(const Ref<>& mod, const char* name, const char* format, Args... args) {
  Ref<> function = attr(mod, name);
  Ref<> built = own(Py_BuildValue(format, args...));
  Ref<> tuple = PyTuple_Check(built.get()) ? built.copy() : own(PyTuple_Pack(1, built.get()));
  return own(PyObject_Call(function.get(), tuple.get(), nullptr));
}

std::string list_text(const Ref<>& iterable) {
  if (!iterable) return error();
  Ref<> list = own(PySequence_List(iterable.get()));
  return list ? text(list) : error();
}

Ref<> first_few(const Ref<>& iterator, int n) {
  Ref<> list = own(PyList_New(0));
  for (int i = 0; i < n; i++) {
    Ref<> item = own(PyIter_Next(iterator.get()));
    if (!item) break;
    PyList_Append(list.get(), item.get());
  }
  return list;
}

}  // namespace

TEST_CASE("itertools: one iterator in, one out") {
  Ref<> m = module("itertools", PyInit_itertools);
  CHECK(text(first_few(invoke(m, "count", "(ii)", 5, 2), 3)) == "[5, 7, 9]");
  CHECK(text(invoke(m, "count", "(i)", 5)) == "count(5)");
  CHECK(text(first_few(invoke(m, "count", "(L)", INT64_MAX - 1), 3)) ==
        "[9223372036854775806, 9223372036854775807, 9223372036854775808]");
  CHECK(list_text(invoke(m, "repeat", "(si)", "x", 3)) == "['x', 'x', 'x']");
  CHECK(text(invoke(m, "repeat", "(si)", "x", -1)) == "repeat('x', 0)");
  CHECK(text(first_few(invoke(m, "cycle", "([iii])", 1, 2, 3), 7)) == "[1, 2, 3, 1, 2, 3, 1]");
  CHECK(list_text(invoke(m, "chain", "([i]())", 1)) == "[1]");
  CHECK(list_text(invoke(m, "accumulate", "([iii])", 1, 2, 3)) == "[1, 3, 6]");
  CHECK(list_text(invoke(m, "compress", "(s[iii])", "abc", 1, 0, 1)) == "['a', 'c']");
  CHECK(list_text(invoke(m, "islice", "(siii)", "abcdefg", 1, 6, 2)) == "['b', 'd', 'f']");
  CHECK(list_text(invoke(m, "islice", "(siO)", "abcdefg", 5, Py_None)) == "['f', 'g']");
  CHECK(list_text(invoke(m, "pairwise", "(s)", "abcd")) == "[('a', 'b'), ('b', 'c'), ('c', 'd')]");
  CHECK(list_text(invoke(m, "zip_longest", "(ss)", "abc", "x")) == "[('a', 'x'), ('b', None), ('c', None)]");
  CHECK(list_text(invoke(m, "filterfalse", "(O[iii])", Py_None, 0, 1, 0)) == "[0, 0]");
  CHECK(list_text(invoke(m, "islice", "(si)", "abc", -1)) ==
        "ValueError: Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
}

TEST_CASE("itertools: selections") {
  Ref<> m = module("itertools", PyInit_itertools);
  CHECK(list_text(invoke(m, "product", "(s[ii])", "ab", 1, 2)) == "[('a', 1), ('a', 2), ('b', 1), ('b', 2)]");
  CHECK(list_text(invoke(m, "product", "()")) == "[()]");
  CHECK(list_text(invoke(m, "combinations", "(si)", "abcd", 2)) ==
        "[('a', 'b'), ('a', 'c'), ('a', 'd'), ('b', 'c'), ('b', 'd'), ('c', 'd')]");
  CHECK(list_text(invoke(m, "combinations", "(si)", "ab", 3)) == "[]");
  CHECK(list_text(invoke(m, "combinations", "(si)", "ab", 0)) == "[()]");
  CHECK(list_text(invoke(m, "combinations_with_replacement", "(si)", "ab", 2)) ==
        "[('a', 'a'), ('a', 'b'), ('b', 'b')]");
  CHECK(list_text(invoke(m, "permutations", "(si)", "abc", 2)) ==
        "[('a', 'b'), ('a', 'c'), ('b', 'a'), ('b', 'c'), ('c', 'a'), ('c', 'b')]");
  CHECK(PyObject_Size(own(PySequence_List(invoke(m, "permutations", "(s)", "abcdef").get())).get()) == 720);
}

TEST_CASE("itertools: groups and copies") {
  Ref<> m = module("itertools", PyInit_itertools);
  CHECK(list_text(invoke(m, "batched", "(si)", "abcde", 2)) == "[('a', 'b'), ('c', 'd'), ('e',)]");
  Ref<> groups = invoke(m, "groupby", "(s)", "aabcc");
  std::string seen;
  while (Ref<> pair = own(PyIter_Next(groups.get()))) {
    seen += text(PyTuple_GetItem(pair.get(), 0)) + list_text(Ref<>::share(PyTuple_GetItem(pair.get(), 1)));
  }
  CHECK(seen == "'a'['a', 'a']'b'['b']'c'['c', 'c']");
  Ref<> range = own(PyObject_CallFunction(type_object(PyRange_Type), "i", 1000));
  Ref<> pair = invoke(m, "tee", "(O)", range.get());
  Ref<> a = Ref<>::share(PyTuple_GetItem(pair.get(), 0)), b = Ref<>::share(PyTuple_GetItem(pair.get(), 1));
  pair = nullptr;
  CHECK(PyObject_Size(first_few(a, 500).get()) == 500);
  Ref<> copy = own(PyObject_CallMethod(a.get(), "__copy__", nullptr));
  CHECK(PyObject_Size(own(PySequence_List(b.get())).get()) == 1000);
  CHECK(PyObject_Size(own(PySequence_List(a.get())).get()) == 500);
  CHECK(text(first_few(copy, 2)) == "[500, 501]");
}

TEST_CASE("deque") {
  Ref<> m = module("_collections", PyInit__collections);
  Ref<> d = invoke(m, "deque", "(s)", "abc");
  const auto run = [&](const char* name, const char* format = nullptr, auto... args) {
    Ref<> result = own(PyObject_CallMethod(d.get(), name, format, args...));
    return result ? text(result) : error();
  };
  CHECK(text(d) == "deque(['a', 'b', 'c'])");
  CHECK(run("rotate", "i", 1) == "None");
  CHECK(text(d) == "deque(['c', 'a', 'b'])");
  CHECK(run("appendleft", "s", "z") == "None");
  CHECK(run("insert", "is", 2, "m") == "None");
  CHECK(text(d) == "deque(['z', 'c', 'm', 'a', 'b'])");
  CHECK(run("index", "s", "m") == "2");
  CHECK(run("remove", "s", "c") == "None");
  CHECK(run("reverse") == "None");
  CHECK(text(d) == "deque(['b', 'a', 'm', 'z'])");
  CHECK(run("popleft") == "'b'");
  CHECK(run("pop") == "'z'");
  CHECK(run("remove", "s", "q") == "ValueError: deque.remove(x): x not in deque");
  for (int i = 0; i < 1000; i++) run("append", "i", i);
  for (int i = 0; i < 1000; i++) run("rotate", "i", i % 37 - 18);
  CHECK(PyObject_Size(d.get()) == 1002);
  Ref<> bounded = invoke(m, "deque", "(si)", "abcdef", 3);
  CHECK(text(bounded) == "deque(['d', 'e', 'f'], maxlen=3)");
  CHECK(text(own(PySequence_Repeat(bounded.get(), 2))) == "deque(['d', 'e', 'f'], maxlen=3)");
  CHECK(run("clear") == "None");
  CHECK(run("popleft") == "IndexError: pop from an empty deque");
}

TEST_CASE("OrderedDict and defaultdict") {
  Ref<> m = module("_collections", PyInit__collections);
  Ref<> od = invoke(m, "OrderedDict", "([(si)(si)(si)])", "a", 1, "b", 2, "c", 3);
  REQUIRE(od);
  const auto run = [&](const char* name, const char* format = nullptr, auto... args) {
    Ref<> result = own(PyObject_CallMethod(od.get(), name, format, args...));
    return result ? text(result) : error();
  };
  CHECK(text(od) == "OrderedDict({'a': 1, 'b': 2, 'c': 3})");
  CHECK(run("move_to_end", "s", "a") == "None");
  CHECK(run("move_to_end", "si", "c", 0) == "None");
  CHECK(text(od) == "OrderedDict({'c': 3, 'b': 2, 'a': 1})");
  CHECK(run("popitem", "i", 0) == "('c', 3)");
  CHECK(run("keys") == "odict_keys(['b', 'a'])");
  CHECK(run("move_to_end", "s", "q") == "KeyError: 'q'");
  Ref<> same = invoke(m, "OrderedDict", "([(si)(si)])", "a", 1, "b", 2);
  CHECK(PyObject_RichCompareBool(od.get(), same.get(), Py_EQ) == 0);
  CHECK(PyObject_RichCompareBool(od.get(), own(PyDict_Copy(same.get())).get(), Py_EQ) == 1);
  CHECK(set(od, "x", integer(1)) == 0);
  CHECK(text(attr(od, "__dict__")) == "{'x': 1}");

  Ref<> dd = invoke(m, "defaultdict", "(O)", &PyList_Type);
  CHECK(text(own(PyObject_GetItem(dd.get(), integer(1).get()))) == "[]");
  CHECK(text(dd) == "defaultdict(<class 'list'>, {1: []})");
  CHECK(text(own(PyObject_CallMethod(dd.get(), "copy", nullptr))) == "defaultdict(<class 'list'>, {1: []})");
  Ref<> counts = own(PyDict_New());
  REQUIRE(invoke(m, "_count_elements", "(Os)", counts.get(), "abca"));
  CHECK(text(counts) == "{'a': 2, 'b': 1, 'c': 1}");
}

TEST_CASE("functools") {
  Ref<> m = module("_functools", PyInit__functools);
  Ref<> hole = attr(m, "Placeholder");
  Ref<> partial = invoke(m, "partial", "(OOi)", &PyRange_Type, hole.get(), 10);
  CHECK(text(partial) == "functools.partial(<class 'range'>, Placeholder, 10)");
  CHECK(text(own(PyObject_CallFunction(partial.get(), "ii", 1, 2))) == "range(1, 10, 2)");
  CHECK_FALSE(call(partial));
  CHECK(error() == "TypeError: missing positional arguments in 'partial' call; expected at least 1, got 0");
  Ref<> nested = invoke(m, "partial", "(Oi)", partial.get(), 4);
  CHECK(text(call(nested)) == "range(4, 10)");
  Ref<> keywords = own(Py_BuildValue("{s:i,s:i}", "a", 1, "b", 2));
  Ref<> dict_args = own(PyTuple_Pack(1, &PyDict_Type));
  Ref<> maker = own(PyObject_Call(attr(m, "partial").get(), dict_args.get(), keywords.get()));
  Ref<> more = own(Py_BuildValue("{s:i,s:i}", "b", 3, "c", 4));
  CHECK(text(own(PyObject_Call(maker.get(), own(PyTuple_New(0)).get(), more.get()))) ==
        "{'a': 1, 'b': 3, 'c': 4}");

  Ref<> cached = invoke(m, "_lru_cache_wrapper", "(OiiO)", &PyUnicode_Type, 2, 0, &PyRange_Type);
  REQUIRE(cached);
  for (int i : {1, 2, 1, 3, 2, 1, 1}) CHECK(text(call(cached, integer(i))) == "'" + std::to_string(i) + "'");
  // Hits: the second and the last 1.
  Ref<> info = own(PyObject_CallMethod(cached.get(), "cache_info", nullptr));
  CHECK(error() == "TypeError: range expected at most 3 arguments, got 4");
  CHECK(text(attr(cached, "__class__")) == "<class 'functools._lru_cache_wrapper'>");
  CHECK(text(own(PyObject_CallMethod(cached.get(), "cache_clear", nullptr))) == "None");
  CHECK(text(invoke(m, "reduce", "(O[[i][i]])", attr(module("_operator", PyInit__operator), "add").get(), 1,
                    2)) == "[1, 2]");
}

TEST_CASE("operator") {
  Ref<> m = module("_operator", PyInit__operator);
  CHECK(text(call(invoke(m, "itemgetter", "(ii)", 0, 2), own(PyUnicode_FromString("abc")))) == "('a', 'c')");
  CHECK(text(call(invoke(m, "attrgetter", "(s)", "real.imag"), integer(3))) == "0");
  CHECK(text(call(invoke(m, "methodcaller", "(ss)", "split", ","), own(PyUnicode_FromString("a,b")))) ==
        "['a', 'b']");
  CHECK(text(invoke(m, "methodcaller", "(ss)", "split", ",")) == "operator.methodcaller('split', ',')");
  CHECK(text(invoke(m, "countOf", "(ss)", "banana", "a")) == "3");
  CHECK(text(invoke(m, "_compare_digest", "(ss)", "abc", "abd")) == "False");
}

TEST_CASE("heaps and bisection") {
  Ref<> heapq = module("_heapq", PyInit__heapq);
  Ref<> heap = own(PyList_New(0));
  for (int i = 0; i < 200; i++) REQUIRE(invoke(heapq, "heappush", "(Oi)", heap.get(), (i * 7919) % 211));
  long last = -1;
  for (int i = 0; i < 200; i++) {
    Ref<> item = invoke(heapq, "heappop", "(O)", heap.get());
    REQUIRE(PyLong_AsLong(item.get()) >= last);
    last = PyLong_AsLong(item.get());
  }
  CHECK_FALSE(invoke(heapq, "heappop", "(O)", heap.get()));
  CHECK(error() == "IndexError: index out of range");
  Ref<> bisect = module("_bisect", PyInit__bisect);
  CHECK(text(invoke(bisect, "bisect_left", "([iiii]i)", 1, 2, 2, 3, 2)) == "1");
  CHECK(text(invoke(bisect, "bisect_right", "([iiii]i)", 1, 2, 2, 3, 2)) == "3");
}
