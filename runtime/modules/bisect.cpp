// The module _bisect: binary search in sorted sequences, and insertion that keeps them sorted.
#include "objects/list.h"

namespace amphis {
namespace {

enum class Side { kLeft, kRight };

struct Search {
  PyObject* sequence;
  PyObject* item;
  Py_ssize_t low;
  Py_ssize_t high;  // -1: the length
  PyObject* key;    // null: none
};

bool index_of(PyObject* arg, Py_ssize_t* value) {
  Ref<> number = Ref<>::steal(PyNumber_Index(arg));
  *value = number ? PyLong_AsSsize_t(number.get()) : -1;
  return *value != -1 || !PyErr_Occurred();
}

bool parse(const char* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, Search* search) {
  static const char* const names[] = {"a", "x", "lo", "hi", "key"};
  const Parameters parameters = {function, names, 5, 0, 4, 2};
  PyObject* given[5];
  if (!bind_arguments(parameters, args, nargs, kwnames, given)) return false;
  *search = {given[0], given[1], 0, -1, given[4] == Py_None ? nullptr : given[4]};
  if (given[2] != nullptr && !index_of(given[2], &search->low)) return false;
  if (given[3] != nullptr && given[3] != Py_None && !index_of(given[3], &search->high)) return false;
  return true;
}

PyObject* item_at(PyObject* sequence, Py_ssize_t index) {
  if (!PyList_CheckExact(sequence)) return PySequence_GetItem(sequence, index);
  PyObject* item = list_get_item_ref(as_list(sequence), index);
  if (item == nullptr) PyErr_SetString(PyExc_IndexError, "list index out of range");
  return item;
}

// The place of `item` (to which no key function applies any more); -1 on error.
template <Side kSide>
Py_ssize_t find(const Search& search, PyObject* item) {
  Py_ssize_t low = search.low, high = search.high;
  if (low < 0) {
    PyErr_SetString(PyExc_ValueError, "lo must be non-negative");
    return -1;
  }
  if (high == -1) {
    high = PySequence_Size(search.sequence);
    if (high < 0) return -1;
  }
  while (low < high) {
    const Py_ssize_t middle = low + (high - low) / 2;
    Ref<> other = Ref<>::steal(item_at(search.sequence, middle));
    if (other && search.key != nullptr) other = Ref<>::steal(PyObject_CallOneArg(search.key, other.get()));
    if (!other) return -1;
    const int less = kSide == Side::kRight ? object_less(item, other.get()) : object_less(other.get(), item);
    if (less < 0) return -1;
    if ((kSide == Side::kRight) == (less > 0)) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

template <Side kSide>
PyObject* bisect(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Search search;
  if (!parse(kSide == Side::kLeft ? "bisect_left" : "bisect_right", args, nargs, kwnames, &search))
    return nullptr;
  const Py_ssize_t index = find<kSide>(search, search.item);
  return index < 0 ? nullptr : PyLong_FromSsize_t(index);
}

template <Side kSide>
PyObject* insort(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  Search search;
  if (!parse(kSide == Side::kLeft ? "insort_left" : "insort_right", args, nargs, kwnames, &search))
    return nullptr;
  Ref<> key = search.key == nullptr ? Ref<>::share(search.item)
                                    : Ref<>::steal(PyObject_CallOneArg(search.key, search.item));
  if (!key) return nullptr;
  const Py_ssize_t index = find<kSide>(search, key.get());
  if (index < 0) return nullptr;
  if (PyList_CheckExact(search.sequence)) {
    if (PyList_Insert(search.sequence, index, search.item) < 0) return nullptr;
  } else {
    Ref<> done = Ref<>::steal(PyObject_CallMethod(search.sequence, "insert", "nO", index, search.item));
    if (!done) return nullptr;
  }
  Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"bisect_left", AMPHIS_METHOD(bisect<Side::kLeft>), METH_FASTCALL | METH_KEYWORDS,
     "bisect_left($module, /, a, x, lo=0, hi=None, *, key=None)\n--\n\n"
     "The index before the items of sorted a that are not less than x."},
    {"bisect_right", AMPHIS_METHOD(bisect<Side::kRight>), METH_FASTCALL | METH_KEYWORDS,
     "bisect_right($module, /, a, x, lo=0, hi=None, *, key=None)\n--\n\n"
     "The index after the items of sorted a that are not greater than x."},
    {"insort_left", AMPHIS_METHOD(insort<Side::kLeft>), METH_FASTCALL | METH_KEYWORDS,
     "insort_left($module, /, a, x, lo=0, hi=None, *, key=None)\n--\n\nInsert x into sorted a, before its "
     "equals."},
    {"insort_right", AMPHIS_METHOD(insort<Side::kRight>), METH_FASTCALL | METH_KEYWORDS,
     "insort_right($module, /, a, x, lo=0, hi=None, *, key=None)\n--\n\nInsert x into sorted a, after its "
     "equals."},
    {},
};

PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_bisect",
    .m_doc = "Bisection algorithms: searching and inserting in sorted sequences.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis

PyMODINIT_FUNC PyInit__bisect(void) {
  return PyModuleDef_Init(&amphis::definition);
}
