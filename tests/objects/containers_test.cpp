#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "objects/dict.h"
#include "objects/list.h"
#include "objects/model.h"
#include "objects/range.h"
#include "objects/set.h"
#include "objects/tuple.h"

using namespace amphis;
using namespace model;

namespace {

std::mt19937 random_numbers(12345);
int random_below(int n) {
  return static_cast<int>(random_numbers() % static_cast<unsigned>(n));
}

Ref<> string(const std::string& s) {
  return own(PyUnicode_FromString(s.c_str()));
}
Ref<> method_call(const Ref<>& obj, const char* name) {
  return own(PyObject_CallMethod(obj.get(), name, nullptr));
}
Ref<> list_of(const Ref<>& iterable) {
  return own(PySequence_List(iterable.get()));
}

template <class Key>
void check_dict_against_map(Key&& make_key) {
  Ref<> dict = own(PyDict_New());
  std::map<int, int> model;
  std::vector<int> order;
  for (int step = 0; step < 20000; step++) {
    const int k = random_below(step < 10000 ? 2000 : 40);
    Ref<> key = make_key(k);
    switch (random_below(4)) {
      case 0: {
        const int deleted = PyDict_DelItem(dict.get(), key.get());
        REQUIRE((deleted == 0) == (model.erase(k) == 1));
        if (deleted < 0) error();
        order.erase(std::remove(order.begin(), order.end(), k), order.end());
        break;
      }
      case 1: {
        PyObject* value = PyDict_GetItemWithError(dict.get(), key.get());
        REQUIRE((value != nullptr) == (model.count(k) == 1));
        if (value != nullptr) REQUIRE(PyLong_AsLong(value) == model[k]);
        break;
      }
      default:
        if (!model.count(k)) order.push_back(k);
        model[k] = step;
        REQUIRE(PyDict_SetItem(dict.get(), key.get(), integer(step).get()) == 0);
    }
    REQUIRE(PyDict_Size(dict.get()) == static_cast<Py_ssize_t>(model.size()));
  }
  Py_ssize_t pos = 0;
  size_t i = 0;
  PyObject *key, *value;
  while (PyDict_Next(dict.get(), &pos, &key, &value)) {
    REQUIRE(i < order.size());
    REQUIRE(PyObject_RichCompareBool(key, make_key(order[i]).get(), Py_EQ) == 1);
    REQUIRE(PyLong_AsLong(value) == model[order[i]]);
    i++;
  }
  CHECK(i == order.size());
}

}  // namespace

TEST_CASE("a dict of str keys behaves as a map that remembers the order of insertion") {
  check_dict_against_map([](int k) { return string("key" + std::to_string(k)); });
}
TEST_CASE("a dict of int keys behaves as a map that remembers the order of insertion") {
  check_dict_against_map([](int k) { return integer(static_cast<long>(k) << (k % 2 ? 8 : 20)); });
}
TEST_CASE("a dict of mixed keys behaves as a map that remembers the order of insertion") {
  check_dict_against_map([](int k) {
    return k % 3 == 0   ? integer(k)
           : k % 3 == 1 ? string(std::to_string(k))
                        : own(Py_BuildValue("(ii)", k, k));
  });
}

TEST_CASE("keys of one hash are told apart") {
  Ref<> dict = own(PyDict_New());
  // -1 and -2 hash alike; so do n and n + 2**61 - 1.
  for (long n : {-1L, -2L, 5L, 5L + ((1L << 61) - 1)}) {
    REQUIRE(PyDict_SetItem(dict.get(), integer(n).get(), integer(n).get()) == 0);
  }
  CHECK(text(dict) == "{-1: -1, -2: -2, 5: 5, 2305843009213693956: 2305843009213693956}");
}

TEST_CASE("the version of keys changes when an entry comes or goes, not when a value changes") {
  Ref<> ref = own(PyDict_New());
  auto* dict = reinterpret_cast<PyDictObject*>(ref.get());
  PyDict_SetItemString(ref.get(), "a", Py_None);
  const uint32_t version = dict_keys_version(dict);
  CHECK(version != 0);
  PyDict_SetItemString(ref.get(), "a", Py_True);
  CHECK(dict_keys_version(dict) == version);
  const Py_ssize_t index = dict_lookup_index_str(dict, string("a").get());
  REQUIRE(index >= 0);
  CHECK(*dict_entry_value_slot(dict, index) == Py_True);
  CHECK(PyUnicode_EqualToUTF8(dict_entry_key(dict, index), "a"));
  PyDict_SetItemString(ref.get(), "b", Py_True);
  CHECK(dict_keys_version(dict) != version);
  const uint32_t second = dict_keys_version(dict);
  PyDict_DelItemString(ref.get(), "b");
  CHECK(dict_keys_version(dict) != second);
}

TEST_CASE("dict: methods and errors") {
  Ref<> dict = own(Py_BuildValue("{s:i,s:i}", "a", 1, "b", 2));
  CHECK(text(dict) == "{'a': 1, 'b': 2}");
  CHECK(text(method_call(dict, "keys")) == "dict_keys(['a', 'b'])");
  CHECK(text(method_call(dict, "items")) == "dict_items([('a', 1), ('b', 2)])");
  CHECK(text(method_call(dict, "popitem")) == "('b', 2)");
  CHECK(text(own(PyObject_CallMethod(dict.get(), "setdefault", "si", "z", 9))) == "9");
  CHECK(text(own(PyObject_CallMethod(dict.get(), "pop", "si", "q", 7))) == "7");
  CHECK_FALSE(own(PyObject_CallMethod(dict.get(), "pop", "s", "q")));
  CHECK(error() == "KeyError: 'q'");
  Ref<> list = own(PyList_New(0));
  CHECK(PyDict_SetItem(dict.get(), list.get(), Py_None) == -1);
  CHECK(error() == "TypeError: cannot use 'list' as a dict key (unhashable type: 'list')");
  CHECK_FALSE(own(PyObject_CallMethod(dict.get(), "update", "[i]", 1)));
  CHECK(error() == "TypeError: object is not iterable");
  CHECK_FALSE(own(PyObject_CallMethod(dict.get(), "update", "[(i)]", 1)));
  CHECK(error() == "ValueError: dictionary update sequence element #0 has length 1; 2 is required");
  Ref<> other = own(Py_BuildValue("{s:i}", "y", 3));
  CHECK(text(own(PyNumber_Or(dict.get(), other.get()))) == "{'a': 1, 'z': 9, 'y': 3}");
  Ref<> copy = own(PyDict_Copy(dict.get()));
  CHECK(PyObject_RichCompareBool(copy.get(), dict.get(), Py_EQ) == 1);
  Ref<> keys = method_call(dict, "keys");
  CHECK(PyObject_Size(own(PyNumber_And(keys.get(), method_call(copy, "keys").get())).get()) == 2);
  PyDict_SetItem(dict.get(), integer(1).get(), dict.get());
  CHECK(text(dict) == "{'a': 1, 'z': 9, 1: {...}}");
  PyDict_Clear(dict.get());
  CHECK(text(dict) == "{}");
  CHECK_FALSE(method_call(dict, "popitem"));
  CHECK(error() == "KeyError: 'popitem(): dictionary is empty'");
}

TEST_CASE("changing a dict while iterating over it is noticed") {
  Ref<> dict = own(Py_BuildValue("{s:i,s:i}", "a", 1, "b", 2));
  Ref<> iterator = own(PyObject_GetIter(dict.get()));
  CHECK(text(own(PyIter_Next(iterator.get()))) == "'a'");
  PyDict_SetItemString(dict.get(), "c", Py_None);
  CHECK_FALSE(own(PyIter_Next(iterator.get())));
  CHECK(error() == "RuntimeError: dictionary changed size during iteration");
  Ref<> reversed = own(PyObject_CallMethod(dict.get(), "__reversed__", nullptr));
  CHECK(text(list_of(reversed)) == "['c', 'b', 'a']");
}

TEST_CASE("a queue of keys does not slow down") {
  Ref<> ref = own(PyDict_New());
  auto* dict = reinterpret_cast<PyDictObject*>(ref.get());
  for (int i = 0; i < 100000; i++) REQUIRE(PyDict_SetItem(ref.get(), integer(i).get(), Py_None) == 0);
  for (int i = 0; i < 100000; i++) {
    const Py_ssize_t first = dict_first_entry(dict, 0);
    REQUIRE(first >= 0);
    Ref<> key, value;
    dict_remove_entry(dict, first, key.out(), value.out());
    REQUIRE(PyLong_AsLong(key.get()) == i);
  }
  CHECK(PyDict_Size(ref.get()) == 0);
}

TEST_CASE("entries move to either end") {
  Ref<> ref = own(PyDict_New());
  auto* dict = reinterpret_cast<PyDictObject*>(ref.get());
  std::deque<int> model;
  for (int i = 0; i < 50; i++) {
    PyDict_SetItem(ref.get(), integer(i).get(), Py_None);
    model.push_back(i);
  }
  for (int step = 0; step < 5000; step++) {
    const int k = random_below(50);
    const bool to_end = random_below(2);
    const Py_ssize_t index = dict_find(dict, integer(k).get(), k);
    REQUIRE(index >= 0);
    REQUIRE(dict_move_entry(dict, index, to_end) == 0);
    model.erase(std::find(model.begin(), model.end(), k));
    to_end ? model.push_back(k) : model.push_front(k);
  }
  Ref<> keys = own(PyDict_Keys(ref.get()));
  for (int i = 0; i < 50; i++)
    REQUIRE(PyLong_AsLong(PyList_GetItem(keys.get(), i)) == model[static_cast<size_t>(i)]);
}

TEST_CASE("list.sort is stable and agrees with std::stable_sort") {
  for (int kind = 0; kind < 5; kind++) {
    for (int n : {0, 1, 2, 3, 23, 24, 25, 100, 1000, 5000}) {
      for (int shape = 0; shape < 4; shape++) {
        std::vector<int> values;
        for (int i = 0; i < n; i++) {
          values.push_back(shape == 0   ? random_below(n)
                           : shape == 1 ? i
                           : shape == 2 ? n - i / 3
                                        : (i * 7) % (n / 2 + 1));
        }
        Ref<> list = own(PyList_New(0));
        for (int v : values) {
          Ref<> item = kind == 0   ? integer(v)
                       : kind == 1 ? own(PyFloat_FromDouble(v / 2.0))
                       : kind == 2
                           ? string(std::string(static_cast<size_t>(v % 7), 'q') + std::to_string(100000 + v))
                       : kind == 3 ? own(Py_BuildValue("(ii)", v / 3, v))
                                   : own(PyFrozenSet_New(nullptr));
          if (kind == 4) item = own(Py_BuildValue("[i]", v));
          REQUIRE(PyList_Append(list.get(), item.get()) == 0);
        }
        Ref<> expected = own(PyList_GetSlice(list.get(), 0, n));
        PyObject** items = as_list(expected.get())->ob_item;
        std::stable_sort(items, items + n,
                         [](PyObject* a, PyObject* b) { return PyObject_RichCompareBool(a, b, Py_LT) == 1; });
        REQUIRE(PyList_Sort(list.get()) == 0);
        for (int i = 0; i < n; i++) REQUIRE(PyList_GetItem(list.get(), i) == items[i]);
        // And downwards: equal items keep their order.
        REQUIRE(list_sort(as_list(list.get()), nullptr, true) == 0);
        std::stable_sort(items, items + n,
                         [](PyObject* a, PyObject* b) { return PyObject_RichCompareBool(b, a, Py_LT) == 1; });
        for (int i = 0; i < n; i++) REQUIRE(PyList_GetItem(list.get(), i) == items[i]);
      }
    }
  }
}

TEST_CASE("sorting what cannot be compared fails and keeps all items") {
  Ref<> list = own(Py_BuildValue("[isi]", 1, "a", 2));
  CHECK(PyList_Sort(list.get()) == -1);
  CHECK(error() == "TypeError: '<' not supported between instances of 'str' and 'int'");
  CHECK(PyList_Size(list.get()) == 3);
}

TEST_CASE("list: slices, insertion, deletion") {
  Ref<> list = list_of(own(PyObject_CallFunction(type_object(PyRange_Type), "i", 10)));
  CHECK(text(list) == "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]");
  Ref<> step = own(PySlice_New(nullptr, nullptr, integer(3).get()));
  CHECK(text(own(PyObject_GetItem(list.get(), step.get()))) == "[0, 3, 6, 9]");
  REQUIRE(PyObject_DelItem(list.get(), step.get()) == 0);
  CHECK(text(list) == "[1, 2, 4, 5, 7, 8]");
  Ref<> back = own(PySlice_New(nullptr, nullptr, integer(-2).get()));
  REQUIRE(PyObject_SetItem(list.get(), back.get(), own(Py_BuildValue("(sss)", "x", "y", "z")).get()) == 0);
  CHECK(text(list) == "[1, 'z', 4, 'y', 7, 'x']");
  REQUIRE(PyObject_DelItem(list.get(), back.get()) == 0);
  CHECK(text(list) == "[1, 4, 7]");
  REQUIRE(PyList_SetSlice(list.get(), 1, 2, list.get()) == 0);
  CHECK(text(list) == "[1, 1, 4, 7, 7]");
  REQUIRE(PyList_Insert(list.get(), -1, Py_None) == 0);
  CHECK(text(list) == "[1, 1, 4, 7, None, 7]");
  REQUIRE(PyList_SetSlice(list.get(), 0, 100, nullptr) == 0);
  CHECK(text(list) == "[]");
  REQUIRE(PyList_Extend(list.get(), own(Py_BuildValue("{s:i}", "k", 1)).get()) == 0);
  REQUIRE(PyList_Extend(list.get(), list.get()) == 0);
  CHECK(text(list) == "['k', 'k']");
  CHECK(text(own(PySequence_Repeat(list.get(), 2))) == "['k', 'k', 'k', 'k']");
  CHECK(text(own(PySequence_Concat(list.get(), list.get()))) == "['k', 'k', 'k', 'k']");
  PyList_Append(list.get(), list.get());
  CHECK(text(list) == "['k', 'k', [...]]");
  PyList_Clear(list.get());
}

TEST_CASE("hashes of tuples, frozensets and slices are CPython's") {
  CHECK(PyObject_Hash(own(PyTuple_New(0)).get()) == 5740354900026072187);
  CHECK(PyObject_Hash(own(Py_BuildValue("(iii)", 1, 2, 3)).get()) == 529344067295497451);
  CHECK(PyObject_Hash(own(PyFrozenSet_New(nullptr)).get()) == 133146708735736);
  CHECK(PyObject_Hash(own(PyFrozenSet_New(own(Py_BuildValue("(iii)", 1, 2, 3)).get())).get()) ==
        -272375401224217160);
  Ref<> range = own(PyObject_CallFunction(type_object(PyRange_Type), "i", 100));
  CHECK(PyObject_Hash(own(PyFrozenSet_New(range.get())).get()) == 4411996150312757951);
  CHECK(PyObject_Hash(own(PySlice_New(integer(1).get(), integer(2).get(), integer(3).get())).get()) ==
        -2340833382717974474);
  CHECK(PyObject_Hash(own(PyObject_CallFunction(type_object(PyRange_Type), "i", 5)).get()) ==
        5795932985296280846);
  CHECK(PyObject_Hash(own(PyObject_CallFunction(type_object(PyRange_Type), "i", 0)).get()) ==
        2676694398852732306);
}

TEST_CASE("a set behaves as a set") {
  Ref<> set = own(PySet_New(nullptr));
  std::set<int> model;
  for (int step = 0; step < 20000; step++) {
    const int k = random_below(500) * 64;
    if (random_below(3) == 0) {
      REQUIRE(PySet_Discard(set.get(), integer(k).get()) == static_cast<int>(model.erase(k)));
    } else {
      model.insert(k);
      REQUIRE(PySet_Add(set.get(), integer(k).get()) == 0);
    }
    REQUIRE(PySet_Size(set.get()) == static_cast<Py_ssize_t>(model.size()));
  }
  for (int k = 0; k < 500; k++) {
    REQUIRE(PySet_Contains(set.get(), integer(k * 64).get()) == static_cast<int>(model.count(k * 64)));
  }
}

TEST_CASE("set operations keep CPython's order") {
  const auto set_of = [](const char* format, auto... args) {
    // As a display of constants is built: through a frozenset.
    return own(PySet_New(own(PyFrozenSet_New(own(Py_BuildValue(format, args...)).get())).get()));
  };
  CHECK(text(set_of("(iiiiiii)", 3, 1, 2, 10, 8, 16, 17)) == "{16, 1, 2, 3, 17, 8, 10}");
  CHECK(text(set_of("(iii)", -1, -2, -3)) == "{-3, -1, -2}");
  Ref<> a = set_of("(iiiii)", 1, 2, 3, 40, 5), b = set_of("(i)", 1);
  CHECK(text(own(PyNumber_Subtract(a.get(), b.get()))) == "{40, 2, 3, 5}");
  Ref<> c = set_of("(iii)", 1, 2, 3), d = set_of("(iiii)", 3, 2, 9, 7);
  CHECK(text(own(PyNumber_And(c.get(), d.get()))) == "{2, 3}");
  CHECK(text(own(PyNumber_Xor(c.get(), d.get()))) == "{1, 7, 9}");
  CHECK(text(own(PyNumber_Or(set_of("(ii)", 100, 200).get(), set_of("(ii)", 300, 1).get()))) ==
        "{200, 1, 100, 300}");
  CHECK(text(own(PySet_New(nullptr))) == "set()");
  CHECK(text(own(PyFrozenSet_New(b.get()))) == "frozenset({1})");
  CHECK(PySet_Add(a.get(), own(PyList_New(0)).get()) == -1);
  CHECK(error() == "TypeError: cannot use 'list' as a set element (unhashable type: 'list')");
}

TEST_CASE("ranges of any size") {
  const auto range = [](const char* format, auto... args) {
    return own(PyObject_CallFunction(type_object(PyRange_Type), format, args...));
  };
  CHECK(text(range("iii", 1, 10, 3)) == "range(1, 10, 3)");
  CHECK(text(list_of(range("iii", 10, 0, -3))) == "[10, 7, 4, 1]");
  CHECK(PyObject_Size(range("LLL", INT64_MIN, INT64_MAX, int64_t{1} << 62).get()) == 4);
  CHECK(text(list_of(range("LLL", INT64_MIN, INT64_MAX, int64_t{1} << 62))) ==
        "[-9223372036854775808, -4611686018427387904, 0, 4611686018427387904]");
  Ref<> big = own(PyNumber_Lshift(integer(1).get(), integer(70).get()));
  Ref<> huge = range("O", big.get());
  CHECK(PyObject_Size(huge.get()) == -1);
  CHECK(error() == "OverflowError: Python int too large to convert to C ssize_t");
  CHECK(text(own(PyObject_GetItem(huge.get(), integer(-1).get()))) == "1180591620717411303423");
  CHECK(text(own(PyObject_GetItem(huge.get(), own(PySlice_New(nullptr, nullptr, big.get())).get()))) ==
        "range(0, 1180591620717411303424, 1180591620717411303424)");
  CHECK(PySequence_Contains(huge.get(), integer(7).get()) == 1);
  CHECK(PySequence_Contains(range("iii", 0, 10, 2).get(), integer(3).get()) == 0);
  CHECK(PyObject_RichCompareBool(range("i", 0).get(), range("ii", 2, 1).get(), Py_EQ) == 1);
  Ref<> slice = own(PySlice_New(nullptr, nullptr, integer(-1).get()));
  CHECK(text(own(PyObject_GetItem(range("i", 10).get(), slice.get()))) == "range(9, -1, -1)");
  CHECK_FALSE(range("iii", 1, 2, 0));
  CHECK(error() == "ValueError: range() arg 3 must not be zero");
}

TEST_CASE("tuples of items from any iterable") {
  for (int n : {0, 1, 15, 16, 17, 40}) {
    Ref<> iterator =
        own(PyObject_GetIter(own(PyObject_CallFunction(type_object(PyRange_Type), "i", n)).get()));
    Ref<> tuple = own(PySequence_Tuple(iterator.get()));
    REQUIRE(PyTuple_Size(tuple.get()) == n);
    for (int i = 0; i < n; i++) CHECK(PyLong_AsLong(PyTuple_GetItem(tuple.get(), i)) == i);
  }
  CHECK(text(own(Py_BuildValue("(i)", 1))) == "(1,)");
}

TEST_CASE("zip, map, enumerate and reversed") {
  Ref<> a = own(Py_BuildValue("[iii]", 1, 2, 3)), b = own(Py_BuildValue("(ss)", "x", "y"));
  CHECK(text(list_of(own(PyObject_CallFunctionObjArgs(type_object(PyZip_Type), a.get(), b.get(),
                                                      nullptr)))) == "[(1, 'x'), (2, 'y')]");
  CHECK(text(list_of(own(PyObject_CallOneArg(type_object(PyEnum_Type), b.get())))) == "[(0, 'x'), (1, 'y')]");
  CHECK(text(list_of(own(PyObject_CallOneArg(type_object(PyReversed_Type), b.get())))) == "['y', 'x']");
  CHECK(text(list_of(own(PyObject_CallOneArg(type_object(PyReversed_Type), a.get())))) == "[3, 2, 1]");
  Ref<> strings = own(
      PyObject_CallFunctionObjArgs(type_object(PyMap_Type), type_object(PyUnicode_Type), a.get(), nullptr));
  CHECK(text(list_of(strings)) == "['1', '2', '3']");
  Ref<> zeros = own(Py_BuildValue("[iii]", 0, 2, 0));
  CHECK(text(list_of(own(PyObject_CallFunctionObjArgs(type_object(PyFilter_Type), Py_None, zeros.get(),
                                                      nullptr)))) == "[2]");
}
