// list.sort: a stable, natural merge sort with a nearly-optimal merge policy, after Munro and Wild,
// "Nearly-Optimal Mergesorts: Fast, Practical Sorting Methods That Optimally Adapt to Existing Runs" (ESA
// 2018), with binary insertion for short runs and galloping merges after McIlroy, "Optimistic Sorting and
// Information Theoretic Complexity" (1993).
//
// The keys are looked at once: where all of them are int, float or str of one size, what is sorted is an
// array of plain machine values with the object beside them, and no comparison can fail or run Python code.
// The list's lock is held all the time, but for what Python code called from here may block on. Where no Python code
// can be called, readers without the lock see the list as it was and then sorted. Otherwise the list is empty while it
// is sorted, and ValueError tells that somebody has changed it meanwhile.
#include <bit>
#include <cstring>
#include <memory>
#include <new>

#include "objects/list.h"
#include "sync/mutex.h"

using namespace amphis;

namespace amphis {

namespace {

// ---- the algorithm, over any element and any "less": 1, 0 or (only where it can fail) -1 ----
//
// An element with kCheapOrder compares without a call and cannot fail: its merges choose by conditional
// moves, because a branch on the order of random values is mispredicted half of the time.

constexpr size_t kMinRun = 24;   // shorter natural runs are extended by binary insertion
constexpr size_t kGallop = 7;    // wins in a row after which a merge searches instead of stepping
constexpr size_t kBlock = 32;    // steps of a merge without branches before it looks for a winning streak
constexpr size_t kMaxRuns = 96;  // powers on the stack strictly increase and are at most 64

template <class T>
constexpr bool cheap_order() {
  if constexpr (requires { T::kCheapOrder; }) return T::kCheapOrder;
  return false;
}

template <class T, class Less>
class Sorter {
 public:
  Sorter(T* data, size_t n, Less less) : data_(data), n_(n), less_(less) {}

  // False with an exception set; the data are then a permutation of what they were.
  bool sort() {
    size_t begin = 0;
    size_t end = 0;
    if (!find_run(0, &end)) return false;
    while (end < n_) {
      size_t next_end = 0;
      if (!find_run(end, &next_end)) return false;
      const int power = node_power(begin, end, next_end);
      while (depth_ > 0 && stack_[depth_ - 1].power > power) {
        if (!merge(stack_[depth_ - 1].begin, begin, end)) return false;
        begin = stack_[--depth_].begin;
      }
      stack_[depth_++] = {begin, power};
      begin = end;
      end = next_end;
    }
    while (depth_ > 0) {
      const size_t left = stack_[--depth_].begin;
      if (!merge(left, begin, n_)) return false;
      begin = left;
    }
    return true;
  }

 private:
  struct Run {
    size_t begin;
    int power;  // of the boundary between this run and the next
  };

  // The depth of the boundary in a perfectly balanced tree over [0, n): the first bit in which the midpoints
  // of the two runs, as fractions of n, differ.
  int node_power(size_t begin, size_t middle, size_t end) const {
    using Wide = unsigned __int128;
    const Wide two_n = static_cast<Wide>(n_) * 2;
    const auto a = static_cast<uint64_t>((static_cast<Wide>(begin + middle) << 63) / two_n);
    const auto b = static_cast<uint64_t>((static_cast<Wide>(middle + end) << 63) / two_n);
    return std::countl_zero(a ^ b);
  }

  // The natural run at `begin`, reversed if strictly descending, extended to kMinRun.
  bool find_run(size_t begin, size_t* end) {
    T* const a = data_;
    size_t at = begin + 1;
    if (at < n_) {
      int less = less_(a[at], a[begin]);
      if (less < 0) return false;
      const bool descending = less > 0;
      for (at++; at < n_; at++) {
        less = less_(a[at], a[at - 1]);
        if (less < 0) return false;
        if ((less > 0) != descending) break;
      }
      if (descending) {
        for (size_t i = begin, j = at - 1; i < j; i++, j--) std::swap(a[i], a[j]);
      }
    }
    const size_t wanted = n_ - begin < kMinRun ? n_ : begin + kMinRun;
    for (; at < wanted; at++) {
      const T pivot = a[at];
      size_t low = begin;
      for (size_t n = at - begin; n > 0;) {
        const size_t half = n / 2;
        const int less = less_(pivot, a[low + half]);
        if (less < 0) return false;
        low = less ? low : low + half + 1;
        n = less ? half : n - half - 1;
      }
      memmove(static_cast<void*>(a + low + 1), a + low, (at - low) * sizeof(T));
      a[low] = pivot;
    }
    *end = at;
    return true;
  }

  // The number of elements of a[0..n) that come before `key`: those less than it, and (kRight) those equal to
  // it. Searched from the front in doubling steps. SIZE_MAX on error.
  template <bool kRight>
  size_t gallop(const T& key, const T* a, size_t n) {
    size_t low = 0, step = 1;
    for (;;) {
      const size_t at = low + step - 1;
      if (at >= n) break;
      const int before = precedes<kRight>(a[at], key);
      if (before < 0) return SIZE_MAX;
      if (!before) {
        n = at;
        break;
      }
      low = at + 1;
      step *= 2;
    }
    size_t high = n;
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      const int before = precedes<kRight>(a[middle], key);
      if (before < 0) return SIZE_MAX;
      if (before) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  // The same from the back: the number of elements of a[0..n) that come before `key`.
  template <bool kRight>
  size_t gallop_back(const T& key, const T* a, size_t n) {
    size_t high = n, step = 1, low = 0;
    for (;;) {
      if (step > high) break;
      const size_t at = high - step;
      const int before = precedes<kRight>(a[at], key);
      if (before < 0) return SIZE_MAX;
      if (before) {
        low = at + 1;
        break;
      }
      high = at;
      step *= 2;
    }
    while (low < high) {
      const size_t middle = low + (high - low) / 2;
      const int before = precedes<kRight>(a[middle], key);
      if (before < 0) return SIZE_MAX;
      if (before) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  template <bool kRight>
  int precedes(const T& item, const T& key) {
    if constexpr (kRight) {
      const int less = less_(key, item);
      return less < 0 ? -1 : !less;
    } else {
      return less_(item, key);
    }
  }

  bool reserve(size_t n) {
    if (n <= capacity_) return true;
    buffer_.reset(new (std::nothrow) T[n]);
    capacity_ = buffer_ ? n : 0;
    if (!buffer_) PyErr_NoMemory();
    return buffer_ != nullptr;
  }

  bool merge(size_t begin, size_t middle, size_t end) {
    // What is already in place at both ends takes no part.
    const size_t skip = gallop<true>(data_[middle], data_ + begin, middle - begin);
    if (skip == SIZE_MAX) return false;
    begin += skip;
    if (begin == middle) return true;
    const size_t keep = gallop_back<false>(data_[middle - 1], data_ + middle, end - middle);
    if (keep == SIZE_MAX) return false;
    end = middle + keep;
    if (middle == end) return true;
    return middle - begin <= end - middle ? merge_low(begin, middle, end) : merge_high(begin, middle, end);
  }

  // Left part in the buffer, filling from the front.
  bool merge_low(size_t begin, size_t middle, size_t end) {
    size_t n = middle - begin;
    if (!reserve(n)) return false;
    memcpy(static_cast<void*>(buffer_.get()), data_ + begin, n * sizeof(T));
    T* left = buffer_.get();
    T* const left_end = left + n;
    T* right = data_ + middle;
    T* const right_end = data_ + end;
    T* to = data_ + begin;
    bool ok = true;
    while (left < left_end && right < right_end) {
      size_t left_wins = 0, right_wins = 0;
      if constexpr (cheap_order<T>()) {
        size_t block = left_end - left < right_end - right ? left_end - left : right_end - right;
        if (block > kBlock) block = kBlock;
        for (size_t i = 0; i < block; i++) {
          const bool take_right = less_(*right, *left);
          const T* from = take_right ? right : left;
          *to++ = *from;
          right += take_right;
          left += !take_right;
          left_wins += !take_right;
        }
        if (left_wins != 0 && left_wins != block) continue;
      }
      while (!cheap_order<T>() && left < left_end && right < right_end && left_wins < kGallop &&
             right_wins < kGallop) {
        const int less = less_(*right, *left);
        if (less < 0) {
          ok = false;
          break;
        }
        if (less) {
          *to++ = *right++;
          right_wins++;
          left_wins = 0;
        } else {
          *to++ = *left++;
          left_wins++;
          right_wins = 0;
        }
      }
      if (!ok) break;
      while (left < left_end && right < right_end) {
        const size_t from_left = gallop<true>(*right, left, left_end - left);
        if (from_left == SIZE_MAX) {
          ok = false;
          break;
        }
        memcpy(static_cast<void*>(to), left, from_left * sizeof(T));
        to += from_left;
        left += from_left;
        if (left == left_end) break;
        const size_t from_right = gallop<false>(*left, right, right_end - right);
        if (from_right == SIZE_MAX) {
          ok = false;
          break;
        }
        memmove(static_cast<void*>(to), right, from_right * sizeof(T));
        to += from_right;
        right += from_right;
        if (from_left < kGallop && from_right < kGallop) break;
      }
      if (!ok) break;
    }
    memcpy(static_cast<void*>(to), left, (left_end - left) * sizeof(T));
    return ok;
  }

  // Right part in the buffer, filling from the back.
  bool merge_high(size_t begin, size_t middle, size_t end) {
    size_t n = end - middle;
    if (!reserve(n)) return false;
    memcpy(static_cast<void*>(buffer_.get()), data_ + middle, n * sizeof(T));
    T* const left_begin = data_ + begin;
    T* left = data_ + middle;  // one past the next
    T* const right_begin = buffer_.get();
    T* right = right_begin + n;
    T* to = data_ + end;
    bool ok = true;
    while (left > left_begin && right > right_begin) {
      size_t left_wins = 0, right_wins = 0;
      if constexpr (cheap_order<T>()) {
        size_t block = left - left_begin < right - right_begin ? left - left_begin : right - right_begin;
        if (block > kBlock) block = kBlock;
        for (size_t i = 0; i < block; i++) {
          const bool take_left = less_(right[-1], left[-1]);
          const T* from = take_left ? left : right;
          *--to = from[-1];
          left -= take_left;
          right -= !take_left;
          left_wins += take_left;
        }
        if (left_wins != 0 && left_wins != block) continue;
      }
      while (!cheap_order<T>() && left > left_begin && right > right_begin && left_wins < kGallop &&
             right_wins < kGallop) {
        const int less = less_(right[-1], left[-1]);
        if (less < 0) {
          ok = false;
          break;
        }
        if (less) {
          *--to = *--left;
          left_wins++;
          right_wins = 0;
        } else {
          *--to = *--right;
          right_wins++;
          left_wins = 0;
        }
      }
      if (!ok) break;
      while (left > left_begin && right > right_begin) {
        const size_t stay_left = gallop_back<true>(right[-1], left_begin, left - left_begin);
        if (stay_left == SIZE_MAX) {
          ok = false;
          break;
        }
        const size_t from_left = static_cast<size_t>(left - left_begin) - stay_left;
        to -= from_left;
        left -= from_left;
        memmove(static_cast<void*>(to), left, from_left * sizeof(T));
        if (left == left_begin) break;
        const size_t stay_right = gallop_back<false>(left[-1], right_begin, right - right_begin);
        if (stay_right == SIZE_MAX) {
          ok = false;
          break;
        }
        const size_t from_right = static_cast<size_t>(right - right_begin) - stay_right;
        to -= from_right;
        right -= from_right;
        memcpy(static_cast<void*>(to), right, from_right * sizeof(T));
        if (from_left < kGallop && from_right < kGallop) break;
      }
      if (!ok) break;
    }
    const size_t rest = right - right_begin;
    memcpy(static_cast<void*>(to - rest), right_begin, rest * sizeof(T));
    return ok;
  }

  T* data_;
  size_t n_;
  Less less_;
  std::unique_ptr<T[]> buffer_;
  size_t capacity_ = 0;
  Run stack_[kMaxRuns];
  size_t depth_ = 0;
};

// ---- elements ----

template <class Rank>
struct Ranked {
  static constexpr bool kCheapOrder = true;
  Rank rank;
  PyObject* item;
};

// A str key with its first eight bytes as a big-endian number, which decides most comparisons.
struct StrElement {
  uint64_t prefix;
  PyObject* key;
  PyObject* item;
};

struct KeyedElement {
  PyObject* key;
  PyObject* item;
};

// A tuple key with the rank of its first item, which decides unless it is equal to the other's (or a NaN).
template <class Rank>
struct TupleElement {
  Rank rank;
  PyObject* key;
  PyObject* item;
};

uint64_t prefix_of(PyObject* str) {
  unsigned char bytes[8] = {};
  const Py_ssize_t n = PyUnicode_GET_LENGTH(str);
  memcpy(bytes, PyUnicode_1BYTE_DATA(str), static_cast<size_t>(n < 8 ? n : 8));
  uint64_t word;
  memcpy(&word, bytes, 8);
  return __builtin_bswap64(word);
}

bool latin1_less(PyObject* a, PyObject* b) {
  const Py_ssize_t n = PyUnicode_GET_LENGTH(a), m = PyUnicode_GET_LENGTH(b);
  const int order =
      memcmp(PyUnicode_1BYTE_DATA(a), PyUnicode_1BYTE_DATA(b), static_cast<size_t>(n < m ? n : m));
  return order != 0 ? order < 0 : n < m;
}

// -2 unless both are of one of the types whose order is known here.
int atom_less(PyObject* a, PyObject* b) {
  PyTypeObject* type = Py_TYPE(a);
  if (type != Py_TYPE(b)) return -2;
  if (type == &PyLong_Type) {
    auto* x = reinterpret_cast<PyLongObject*>(a);
    auto* y = reinterpret_cast<PyLongObject*>(b);
    if (!PyUnstable_Long_IsCompact(x) || !PyUnstable_Long_IsCompact(y)) return -2;
    return PyUnstable_Long_CompactValue(x) < PyUnstable_Long_CompactValue(y);
  }
  if (type == &PyFloat_Type) return PyFloat_AS_DOUBLE(a) < PyFloat_AS_DOUBLE(b);
  if (type == &PyUnicode_Type && PyUnicode_KIND(a) == 1 && PyUnicode_KIND(b) == 1) return latin1_less(a, b);
  return -2;
}

}  // namespace

int object_less(PyObject* a, PyObject* b) {
  const int known = atom_less(a, b);
  return known != -2 ? known : PyObject_RichCompareBool(a, b, Py_LT);
}

namespace {

// Exact tuples: what tuple.__lt__ does, without a bool object for the deciding comparison.
int tuple_less(PyObject* a, PyObject* b) {
  const Py_ssize_t n = PyTuple_GET_SIZE(a), m = PyTuple_GET_SIZE(b);
  const Py_ssize_t shorter = n < m ? n : m;
  for (Py_ssize_t i = 0; i < shorter; i++) {
    PyObject* x = PyTuple_GET_ITEM(a, i);
    PyObject* y = PyTuple_GET_ITEM(b, i);
    const int less = atom_less(x, y);
    if (less == 1) return 1;
    if (less == 0 && x != y && atom_less(y, x) == 1) return 0;
    const int equal = PyObject_RichCompareBool(x, y, Py_EQ);
    if (equal < 0) return -1;
    if (equal == 0) return less == 0 ? 0 : object_less(x, y);
  }
  return n < m;
}

// ---- looking at the keys ----

enum class KeyKind { kInt, kFloat, kStr, kTuple, kOther };

KeyKind kind_of_keys(PyObject* const* keys, size_t n) {
  PyTypeObject* type = Py_TYPE(keys[0]);
  if (type == &PyLong_Type) {
    for (size_t i = 0; i < n; i++) {
      if (!PyLong_CheckExact(keys[i]) ||
          !PyUnstable_Long_IsCompact(reinterpret_cast<PyLongObject*>(keys[i]))) {
        return KeyKind::kOther;
      }
    }
    return KeyKind::kInt;
  }
  if (type == &PyUnicode_Type) {
    for (size_t i = 0; i < n; i++) {
      if (!PyUnicode_CheckExact(keys[i]) || PyUnicode_KIND(keys[i]) != 1) return KeyKind::kOther;
    }
    return KeyKind::kStr;
  }
  if (type != &PyFloat_Type && type != &PyTuple_Type) return KeyKind::kOther;
  for (size_t i = 1; i < n; i++) {
    if (Py_TYPE(keys[i]) != type) return KeyKind::kOther;
  }
  return type == &PyFloat_Type ? KeyKind::kFloat : KeyKind::kTuple;
}

// The kind of the first items of exact tuples; kOther also where one is empty.
KeyKind kind_of_first_items(PyObject* const* keys, size_t n) {
  if (PyTuple_GET_SIZE(keys[0]) == 0) return KeyKind::kOther;
  PyTypeObject* type = Py_TYPE(PyTuple_GET_ITEM(keys[0], 0));
  for (size_t i = 0; i < n; i++) {
    if (PyTuple_GET_SIZE(keys[i]) == 0) return KeyKind::kOther;
    PyObject* first = PyTuple_GET_ITEM(keys[i], 0);
    if (Py_TYPE(first) != type) return KeyKind::kOther;
    if (type == &PyLong_Type && !PyUnstable_Long_IsCompact(reinterpret_cast<PyLongObject*>(first))) {
      return KeyKind::kOther;
    }
    if (type == &PyUnicode_Type && PyUnicode_KIND(first) != 1) return KeyKind::kOther;
  }
  return type == &PyLong_Type      ? KeyKind::kInt
         : type == &PyFloat_Type   ? KeyKind::kFloat
         : type == &PyUnicode_Type ? KeyKind::kStr
                                   : KeyKind::kOther;
}

// Sorts `items` by `keys` as elements of type T; make(i) builds one. The items end up in sorted order, and
// the keys too where `keys` is another array (their references only have to survive).
template <class T, class Make, class Less>
bool sort_as(PyObject** items, size_t n, Make make, Less less) {
  std::unique_ptr<T[]> elements(new (std::nothrow) T[n]);
  if (!elements) {
    PyErr_NoMemory();
    return false;
  }
  for (size_t i = 0; i < n; i++) elements[i] = make(i);
  const bool ok = Sorter<T, Less>(elements.get(), n, less).sort();
  for (size_t i = 0; i < n; i++) sync::store_release(items[i], elements[i].item);  // readers may still see the array
  return ok;
}

template <class Rank, class RankOf>
bool sort_tuples_by(PyObject** items, PyObject* const* keys, size_t n, RankOf rank_of) {
  using Element = TupleElement<Rank>;
  return sort_as<Element>(
      items, n, [=](size_t i) { return Element{rank_of(PyTuple_GET_ITEM(keys[i], 0)), keys[i], items[i]}; },
      [](const Element& a, const Element& b) -> int {
        if (a.rank < b.rank) return 1;
        return b.rank < a.rank ? 0 : tuple_less(a.key, b.key);
      });
}

bool sort_tuples(PyObject** items, PyObject* const* keys, size_t n) {
  switch (kind_of_first_items(keys, n)) {
    case KeyKind::kInt:
      return sort_tuples_by<int64_t>(items, keys, n, [](PyObject* first) -> int64_t {
        return PyUnstable_Long_CompactValue(reinterpret_cast<PyLongObject*>(first));
      });
    case KeyKind::kFloat:
      return sort_tuples_by<double>(items, keys, n, [](PyObject* first) { return PyFloat_AS_DOUBLE(first); });
    case KeyKind::kStr:
      return sort_tuples_by<uint64_t>(items, keys, n, prefix_of);
    default:
      return sort_as<KeyedElement>(
          items, n, [=](size_t i) { return KeyedElement{keys[i], items[i]}; },
          [](const KeyedElement& a, const KeyedElement& b) { return tuple_less(a.key, b.key); });
  }
}

bool sort_items_of(KeyKind kind, PyObject** items, PyObject* const* keys, size_t n) {
  switch (kind) {
    case KeyKind::kInt:
      return sort_as<Ranked<int64_t>>(
          items, n,
          [=](size_t i) {
            return Ranked<int64_t>{PyUnstable_Long_CompactValue(reinterpret_cast<PyLongObject*>(keys[i])),
                                   items[i]};
          },
          [](const Ranked<int64_t>& a, const Ranked<int64_t>& b) -> int { return a.rank < b.rank; });
    case KeyKind::kFloat:
      return sort_as<Ranked<double>>(
          items, n, [=](size_t i) { return Ranked<double>{PyFloat_AS_DOUBLE(keys[i]), items[i]}; },
          [](const Ranked<double>& a, const Ranked<double>& b) -> int { return a.rank < b.rank; });
    case KeyKind::kStr:
      return sort_as<StrElement>(
          items, n, [=](size_t i) { return StrElement{prefix_of(keys[i]), keys[i], items[i]}; },
          [](const StrElement& a, const StrElement& b) -> int {
            return a.prefix != b.prefix ? a.prefix < b.prefix : latin1_less(a.key, b.key);
          });
    case KeyKind::kTuple:
      return sort_tuples(items, keys, n);
    case KeyKind::kOther:
      break;
  }
  return sort_as<KeyedElement>(
      items, n, [=](size_t i) { return KeyedElement{keys[i], items[i]}; },
      [](const KeyedElement& a, const KeyedElement& b) { return object_less(a.key, b.key); });
}

bool sort_items(PyObject** items, PyObject* const* keys, size_t n) {
  return sort_items_of(kind_of_keys(keys, n), items, keys, n);
}

void reverse_items(PyObject** items, size_t n) {
  for (size_t i = 0; i + 1 < n - i; i++) {
    PyObject* item = items[i];
    sync::store_release(items[i], items[n - 1 - i]);
    sync::store_release(items[n - 1 - i], item);
  }
}

// Calls `function` on each item. The references of the keys are the caller's, also on failure (null ends
// them).
bool compute_keys(PyObject* function, PyObject* const* items, size_t n, PyObject** keys) {
  for (size_t i = 0; i < n; i++) {
    keys[i] = PyObject_CallOneArg(function, items[i]);
    if (keys[i] == nullptr) return false;
  }
  return true;
}

bool sort_with_key(PyObject** items, size_t n, PyObject* function) {
  std::unique_ptr<PyObject*[]> keys(new (std::nothrow) PyObject*[n]());
  if (!keys) {
    PyErr_NoMemory();
    return false;
  }
  const bool ok = compute_keys(function, items, n, keys.get()) && sort_items(items, keys.get(), n);
  for (size_t i = 0; i < n; i++) Py_XDECREF(keys[i]);
  return ok;
}

}  // namespace

namespace {

// Sorts where no comparison runs Python code. The lock is held.
int sort_without_calls(PyListObject* list, KeyKind kind, bool reverse) {
  PyObject** items = list->ob_item;
  PyObject** sorted = items;
  const auto n = static_cast<size_t>(list->ob_base.ob_size);
  const bool watched = kRaces && !sync::only_thread() && !sync::is_private(reinterpret_cast<PyObject*>(list));
  if (watched) {
    sorted = list_new_array(list->allocated);
    if (sorted == nullptr) {
      PyErr_NoMemory();
      return -1;
    }
    memcpy(sorted, items, n * sizeof(PyObject*));
  }
  // A stable descending sort: the reverse of the stable ascending sort of the reverse.
  if (reverse) reverse_items(sorted, n);
  const bool ok = sort_items_of(kind, sorted, sorted, n);
  if (reverse) reverse_items(sorted, n);
  if (watched) {
    sync::store_release(list->ob_item, sorted);
    list_retire_array(items);
  }
  return ok ? 0 : -1;
}

}  // namespace

int list_sort(PyListObject* list, PyObject* key, bool reverse) {
  ObjectLock lock(list);
  PyObject** items = list->ob_item;
  const Py_ssize_t n = list->ob_base.ob_size;
  const Py_ssize_t allocated = list->allocated;
  if (key == nullptr && n > 1) {
    const KeyKind kind = kind_of_keys(items, static_cast<size_t>(n));
    if (kind != KeyKind::kOther && kind != KeyKind::kTuple) return sort_without_calls(list, kind, reverse);
  }
  sync::store_release(list->ob_base.ob_size, Py_ssize_t{0});
  sync::store_release(list->ob_item, static_cast<PyObject**>(nullptr));
  list->allocated = -1;  // any operation on the list changes this
  bool ok = true;
  if (n > 0 && (n > 1 || key != nullptr)) {
    const auto count = static_cast<size_t>(n);
    if (reverse) reverse_items(items, count);
    ok = key != nullptr ? sort_with_key(items, count, key) : sort_items(items, items, count);
    if (reverse) reverse_items(items, count);
  }
  PyObject** others = list->ob_item;
  const Py_ssize_t other_n = list->ob_base.ob_size;
  if (list->allocated != -1 && ok) {
    PyErr_SetString(PyExc_ValueError, "list modified during sort");
    ok = false;
  }
  sync::store_release(list->ob_item, items);
  list->allocated = allocated;
  sync::store_release(list->ob_base.ob_size, n);
  if (others != nullptr) {
    for (Py_ssize_t i = other_n; i-- > 0;) Py_XDECREF(others[i]);
    list_retire_array(others);
  }
  return ok ? 0 : -1;
}

}  // namespace amphis
