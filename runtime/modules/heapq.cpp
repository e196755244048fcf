// The module _heapq: binary heaps in lists, smallest or (the _max functions) largest item first.
//
// Comparing may run code that changes the list; every step therefore looks at its size again, and a change is
// a RuntimeError. The list's lock is held, which is worth something only until a comparison suspends it.
#include "objects/list.h"

namespace amphis {
namespace {

enum class Order { kMin, kMax };

bool check_list(const char* function, PyObject* heap, bool only_argument) {
  if (PyList_Check(heap)) return true;
  PyErr_Format(PyExc_TypeError, "%s() argument %smust be list, not %.50s", function,
               only_argument ? "" : "1 ", Py_TYPE(heap)->tp_name);
  return false;
}

// Whether `a` belongs above `b`: 1, 0 or -1.
template <Order kOrder>
int above(PyObject* a, PyObject* b) {
  return kOrder == Order::kMin ? object_less(a, b) : object_less(b, a);
}

// The same for two items of a list whose size must stay.
template <Order kOrder>
int above_at(PyListObject* heap, Py_ssize_t i, Py_ssize_t j) {
  const Py_ssize_t size = heap->ob_base.ob_size;
  Ref<> a = Ref<>::share(heap->ob_item[i]);
  Ref<> b = Ref<>::share(heap->ob_item[j]);
  const int result = above<kOrder>(a.get(), b.get());
  if (result < 0) return -1;
  if (size != heap->ob_base.ob_size) {
    PyErr_SetString(PyExc_RuntimeError, "list changed size during iteration");
    return -1;
  }
  return result;
}

void swap_items(PyListObject* heap, Py_ssize_t i, Py_ssize_t j) {
  PyObject* item = heap->ob_item[i];
  sync::store_release(heap->ob_item[i], heap->ob_item[j]);
  sync::store_release(heap->ob_item[j], item);
}

// Moves the item at `pos` up to where it belongs, not above `start`.
template <Order kOrder>
int move_up(PyListObject* heap, Py_ssize_t start, Py_ssize_t pos) {
  while (pos > start) {
    const Py_ssize_t parent = (pos - 1) >> 1;
    const int swap = above_at<kOrder>(heap, pos, parent);
    if (swap < 0) return -1;
    if (swap == 0) break;
    swap_items(heap, parent, pos);
    pos = parent;
  }
  return 0;
}

// Moves the item at `pos` down to a leaf along the children that belong above, and from there up to its
// place: most items that come to the top of a heap belong near its bottom (Knuth, Vol. 3, 5.2.3, exercise
// 18).
template <Order kOrder>
int move_down(PyListObject* heap, Py_ssize_t pos) {
  const Py_ssize_t size = heap->ob_base.ob_size;
  const Py_ssize_t start = pos;
  const Py_ssize_t first_leaf = size >> 1;
  while (pos < first_leaf) {
    Py_ssize_t child = 2 * pos + 1;
    if (child + 1 < size) {
      const int left = above_at<kOrder>(heap, child, child + 1);
      if (left < 0) return -1;
      if (left == 0) child++;
    }
    swap_items(heap, child, pos);
    pos = child;
  }
  return move_up<kOrder>(heap, start, pos);
}

template <Order kOrder>
PyObject* push(const char* name, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional(name, nargs, 2, 2) || !check_list(name, args[0], false)) return nullptr;
  ObjectLock lock(args[0]);
  PyListObject* heap = as_list(args[0]);
  if (list_append_locked(heap, Py_NewRef(args[1])) < 0) return nullptr;
  if (move_up<kOrder>(heap, 0, heap->ob_base.ob_size - 1) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* index_error() {
  PyErr_SetString(PyExc_IndexError, "index out of range");
  return nullptr;
}

template <Order kOrder>
PyObject* pop(const char* name, PyObject* op) {
  if (!check_list(name, op, true)) return nullptr;
  ObjectLock lock(op);
  PyListObject* heap = as_list(op);
  const Py_ssize_t size = heap->ob_base.ob_size;
  if (size == 0) return index_error();
  Ref<> last = Ref<>::steal(list_take_at(heap, size - 1));
  if (size == 1) return last.release();
  Ref<> first = Ref<>::steal(heap->ob_item[0]);
  sync::store_release(heap->ob_item[0], last.release());
  return move_down<kOrder>(heap, 0) < 0 ? nullptr : first.release();
}

template <Order kOrder>
PyObject* replace(const char* name, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional(name, nargs, 2, 2) || !check_list(name, args[0], false)) return nullptr;
  ObjectLock lock(args[0]);
  PyListObject* heap = as_list(args[0]);
  if (heap->ob_base.ob_size == 0) return index_error();
  Ref<> first = Ref<>::steal(heap->ob_item[0]);
  sync::store_release(heap->ob_item[0], Py_NewRef(args[1]));
  return move_down<kOrder>(heap, 0) < 0 ? nullptr : first.release();
}

template <Order kOrder>
PyObject* push_pop(const char* name, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional(name, nargs, 2, 2) || !check_list(name, args[0], false)) return nullptr;
  ObjectLock lock(args[0]);
  PyListObject* heap = as_list(args[0]);
  if (heap->ob_base.ob_size == 0) return Py_NewRef(args[1]);
  Ref<> first = Ref<>::share(heap->ob_item[0]);
  const int stays = above<kOrder>(first.get(), args[1]);
  if (stays < 0) return nullptr;
  if (stays == 0) return Py_NewRef(args[1]);
  if (heap->ob_base.ob_size == 0) return index_error();
  first = Ref<>::steal(heap->ob_item[0]);
  sync::store_release(heap->ob_item[0], Py_NewRef(args[1]));
  return move_down<kOrder>(heap, 0) < 0 ? nullptr : first.release();
}

template <Order kOrder>
PyObject* heapify(const char* name, PyObject* op) {
  if (!check_list(name, op, true)) return nullptr;
  ObjectLock lock(op);
  PyListObject* heap = as_list(op);
  for (Py_ssize_t i = heap->ob_base.ob_size >> 1; i-- > 0;) {
    if (move_down<kOrder>(heap, i) < 0) return nullptr;
  }
  Py_RETURN_NONE;
}

#define AMPHIS_HEAP_FAST(function, suffix, text, order)                                 \
  PyObject* module_##text##suffix(PyObject*, PyObject* const* args, Py_ssize_t nargs) { \
    return function<Order::order>(#text #suffix, args, nargs);                          \
  }
#define AMPHIS_HEAP_ONE(function, suffix, text, order)         \
  PyObject* module_##text##suffix(PyObject*, PyObject* heap) { \
    return function<Order::order>(#text #suffix, heap);        \
  }

AMPHIS_HEAP_FAST(push, , heappush, kMin)
AMPHIS_HEAP_FAST(push, _max, heappush, kMax)
AMPHIS_HEAP_FAST(replace, , heapreplace, kMin)
AMPHIS_HEAP_FAST(replace, _max, heapreplace, kMax)
AMPHIS_HEAP_FAST(push_pop, , heappushpop, kMin)
AMPHIS_HEAP_FAST(push_pop, _max, heappushpop, kMax)
AMPHIS_HEAP_ONE(pop, , heappop, kMin)
AMPHIS_HEAP_ONE(pop, _max, heappop, kMax)
AMPHIS_HEAP_ONE(heapify, , heapify, kMin)
AMPHIS_HEAP_ONE(heapify, _max, heapify, kMax)

PyMethodDef methods[] = {
    {"heappush", AMPHIS_METHOD(module_heappush), METH_FASTCALL,
     "heappush($module, heap, item, /)\n--\n\nPush item onto heap, maintaining the heap invariant."},
    {"heappushpop", AMPHIS_METHOD(module_heappushpop), METH_FASTCALL,
     "heappushpop($module, heap, item, /)\n--\n\nPush item on the heap, then pop and return the smallest "
     "item."},
    {"heappop", module_heappop, METH_O,
     "heappop($module, heap, /)\n--\n\nPop the smallest item off the heap, maintaining the heap invariant."},
    {"heapreplace", AMPHIS_METHOD(module_heapreplace), METH_FASTCALL,
     "heapreplace($module, heap, item, /)\n--\n\nPop and return the smallest item, and add the new item."},
    {"heapify", module_heapify, METH_O,
     "heapify($module, heap, /)\n--\n\nTransform list into a heap, in-place, in O(len(heap)) time."},
    {"heappush_max", AMPHIS_METHOD(module_heappush_max), METH_FASTCALL,
     "heappush_max($module, heap, item, /)\n--\n\nPush item onto max heap, maintaining the heap invariant."},
    {"heappushpop_max", AMPHIS_METHOD(module_heappushpop_max), METH_FASTCALL,
     "heappushpop_max($module, heap, item, /)\n--\n\nPush item on the max heap, then pop and return the "
     "largest item."},
    {"heappop_max", module_heappop_max, METH_O,
     "heappop_max($module, heap, /)\n--\n\nPop the largest item off the heap, maintaining the heap "
     "invariant."},
    {"heapreplace_max", AMPHIS_METHOD(module_heapreplace_max), METH_FASTCALL,
     "heapreplace_max($module, heap, item, /)\n--\n\nPop and return the largest item, and add the new item."},
    {"heapify_max", module_heapify_max, METH_O,
     "heapify_max($module, heap, /)\n--\n\nMaxheap variant of heapify."},
    {},
};

int exec(PyObject* module) {
  return PyModule_AddStringConstant(module, "__about__",
                                    "Heaps: binary trees in lists, with every parent before its children.");
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_heapq",
    .m_doc = "Heap queue algorithm (a.k.a. priority queue).",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis

PyMODINIT_FUNC PyInit__heapq(void) {
  return PyModuleDef_Init(&amphis::definition);
}
