// What an Unpickler reads from, and its memo.
//
// Data comes from memory, or from a file in the pieces that opcodes ask for: of a file that can peek, no more is consumed
// than was used.
#pragma once

#include "pickle.h"

#include <cstring>
#include <unordered_map>
#include <vector>

namespace pickle {

class Source {
 public:
  ~Source() { clear(); }
  void clear() {
    if (has_view_) PyBuffer_Release(&view_);
    has_view_ = false;
    for (PyObject** p : {&read_, &readline_, &readinto_, &peek_, &chunk_}) Py_CLEAR(*p);
    at_ = end_ = peeked_ = behind_ = nullptr;
  }
  int traverse(visitproc visit, void* arg) {
    Py_VISIT(read_);
    Py_VISIT(readline_);
    Py_VISIT(readinto_);
    Py_VISIT(peek_);
    Py_VISIT(chunk_);
    if (has_view_) Py_VISIT(view_.obj);
    return 0;
  }

  bool open_memory(PyObject* data) {
    clear();
    if (PyObject_GetBuffer(data, &view_, PyBUF_CONTIG_RO) < 0) return false;
    has_view_ = true;
    at_ = static_cast<const char*>(view_.buf);
    end_ = at_ + view_.len;
    return true;
  }
  bool open_file(PyObject* file) {
    clear();
    if (PyObject_GetOptionalAttrString(file, "peek", &peek_) < 0 ||
        PyObject_GetOptionalAttrString(file, "readinto", &readinto_) < 0 ||
        PyObject_GetOptionalAttrString(file, "read", &read_) < 0 ||
        PyObject_GetOptionalAttrString(file, "readline", &readline_) < 0)
      return false;
    if (read_ != nullptr && readline_ != nullptr) return true;
    clear();
    PyErr_SetString(PyExc_TypeError, "file must have 'read' and 'readline' attributes");
    return false;
  }
  bool is_open() const { return read_ != nullptr || has_view_; }

  // n bytes, valid until the next call; null with an exception. Within a frame, end_ is the frame's.
  const char* take(Py_ssize_t n) {
    if (n > end_ - at_ && !refill(n)) return nullptr;
    const char* data = at_;
    at_ += n;
    return data;
  }
  bool begin_frame(Py_ssize_t n) {
    if (behind_ != nullptr && at_ != end_) {
      PyErr_SetString(globals.unpickling_error, "beginning of a new frame before end of current frame");
      return false;
    }
    if (n == 0) return true;
    if (n > end_ - at_ && !refill(n)) return false;
    behind_ = end_;
    end_ = at_ + n;
    return true;
  }
  // A line with its end.
  const char* line(Py_ssize_t* n) {
    if (at_ == end_ && !leave_frame()) return nullptr;
    const void* found = at_ == end_ ? nullptr : memchr(at_, '\n', static_cast<size_t>(end_ - at_));
    if (found == nullptr) {
      if (!leave_frame()) return nullptr;
      if (read_ == nullptr) return truncated();
      if (!settle() || !receive(PyObject_CallNoArgs(readline_))) return nullptr;
      found = memchr(at_, '\n', static_cast<size_t>(end_ - at_));
      if (found == nullptr) return truncated();
    }
    const char* start = at_;
    at_ = static_cast<const char*>(found) + 1;
    *n = at_ - start;
    return start;
  }
  bool into(char* to, Py_ssize_t n) {
    if (behind_ != nullptr && n > end_ - at_ && !leave_frame()) return false;
    const Py_ssize_t here = end_ - at_ < n ? end_ - at_ : n;
    memcpy(to, at_, static_cast<size_t>(here));
    at_ += here;
    to += here;
    n -= here;
    if (n == 0) return true;
    if (read_ == nullptr) return truncated() != nullptr;
    if (readinto_ == nullptr) {
      const char* rest = take(n);
      if (rest != nullptr) memcpy(to, rest, static_cast<size_t>(n));
      return rest != nullptr;
    }
    if (!settle()) return false;
    ext::Ref room(PyMemoryView_FromMemory(to, n, PyBUF_WRITE));
    ext::Ref result(room ? PyObject_CallOneArg(readinto_, room.get()) : nullptr);
    const Py_ssize_t got = result ? PyLong_AsSsize_t(result.get()) : -1;
    if (got < 0) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "readinto() returned negative size");
      return false;
    }
    return got >= n || truncated() != nullptr;
  }
  // Gives back what was looked at and not used.
  bool settle() {
    if (peeked_ == nullptr) return true;
    const Py_ssize_t used = at_ - peeked_;
    peeked_ = at_ = end_ = behind_ = nullptr;
    if (used == 0) return true;
    ext::Ref skipped(PyObject_CallFunction(read_, "n", used));
    return static_cast<bool>(skipped);
  }

  const char* truncated() {
    PyErr_SetString(globals.unpickling_error, "pickle data was truncated");
    return nullptr;
  }

 private:
  bool receive(PyObject* steals) {
    ext::Ref data(steals);
    if (!data) return false;
    if (!PyBytes_Check(data.get())) {
      PyErr_Format(PyExc_TypeError, "read() returned %.200s instead of bytes", Py_TYPE(data.get())->tp_name);
      return false;
    }
    at_ = PyBytes_AS_STRING(data.get());
    end_ = at_ + PyBytes_GET_SIZE(data.get());
    Py_XSETREF(chunk_, data.release());
    return true;
  }
  // What follows the frame that was read to its end.
  bool leave_frame() {
    if (behind_ == nullptr) return true;
    if (at_ != end_) {
      PyErr_SetString(globals.unpickling_error, "pickle exhausted before end of frame");
      return false;
    }
    end_ = std::exchange(behind_, nullptr);
    return true;
  }
  bool refill(Py_ssize_t n) {
    if (!leave_frame()) return false;
    if (n <= end_ - at_) return true;
    if (read_ == nullptr) return truncated() != nullptr;
    if (!settle()) return false;
    if (peek_ != nullptr) {
      ext::Ref seen(PyObject_CallFunction(peek_, "n", Py_ssize_t{1} << 17));
      if (!seen) {
        if (!PyErr_ExceptionMatches(PyExc_NotImplementedError)) return false;
        PyErr_Clear();
        Py_CLEAR(peek_);
      } else if (PyBytes_Check(seen.get()) && PyBytes_GET_SIZE(seen.get()) >= n) {
        receive(seen.release());
        peeked_ = at_;
        return true;
      }
    }
    if (!receive(PyObject_CallFunction(read_, "n", n))) return false;
    return end_ - at_ >= n || truncated() != nullptr;
  }

  const char *at_ = nullptr, *end_ = nullptr, *peeked_ = nullptr;
  const char* behind_ = nullptr;  // the end of all data, within a frame
  PyObject *read_ = nullptr, *readline_ = nullptr, *readinto_ = nullptr, *peek_ = nullptr, *chunk_ = nullptr;
  Py_buffer view_;
  bool has_view_ = false;
};

// What was memoized, by index.
class LoadMemo {
 public:
  LoadMemo() = default;
  ~LoadMemo() { clear(); }
  LoadMemo(const LoadMemo&) = delete;
  LoadMemo& operator=(const LoadMemo&) = delete;
  void swap(LoadMemo& other) {
    items_.swap(other.items_);
    far_.swap(other.far_);
    std::swap(count_, other.count_);
  }
  void clear() {
    std::vector<PyObject*> items = std::move(items_);
    std::unordered_map<size_t, PyObject*> far = std::move(far_);
    items_.clear();
    far_.clear();
    count_ = 0;
    for (PyObject* item : items) Py_XDECREF(item);
    for (auto& [index, item] : far) Py_DECREF(item);
  }
  int traverse(visitproc visit, void* arg) {
    for (PyObject* item : items_) Py_VISIT(item);
    for (auto& [index, item] : far_) Py_VISIT(item);
    return 0;
  }
  PyObject* get(size_t i) const {
    if (i < items_.size()) return items_[i];
    const auto found = far_.find(i);
    return found == far_.end() ? nullptr : found->second;
  }
  void put(size_t i, PyObject* item) {
    Py_INCREF(item);
    PyObject** slot;
    // Indices follow each other; one from nowhere must not cost memory for all that it skips.
    if (i >= items_.size() + 4096) {
      slot = &far_[i];
    } else {
      if (i >= items_.size()) items_.resize(i + 1);
      slot = &items_[i];
    }
    PyObject* old = std::exchange(*slot, item);
    if (old == nullptr) count_++;
    Py_XDECREF(old);
  }
  void add(PyObject* item) { put(count_, item); }
  PyObject* to_dict() const {
    ext::Ref dict(PyDict_New());
    const auto add = [&](size_t i, PyObject* item) {
      ext::Ref key(PyLong_FromSize_t(i));
      return key && PyDict_SetItem(dict.get(), key.get(), item) == 0;
    };
    if (!dict) return nullptr;
    for (size_t i = 0; i < items_.size(); i++) {
      if (items_[i] != nullptr && !add(i, items_[i])) return nullptr;
    }
    for (auto& [i, item] : far_) {
      if (!add(i, item)) return nullptr;
    }
    return dict.release();
  }
  const std::vector<PyObject*>& items() const { return items_; }

 private:
  std::vector<PyObject*> items_;
  std::unordered_map<size_t, PyObject*> far_;
  size_t count_ = 0;
};

}  // namespace pickle
