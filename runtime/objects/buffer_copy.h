// A view with shape and strides filled in, however little the exporter was asked for.
#pragma once

#include "Python.h"

namespace amphis {

class FullView {
 public:
  explicit FullView(const Py_buffer* view) : view_(*view) {
    if (view_.shape == nullptr) {
      // Without a shape the buffer is a run of items.
      view_.ndim = view_.ndim == 0 ? 0 : 1;
      shape_[0] = view_.itemsize != 0 ? view_.len / view_.itemsize : 0;
      view_.shape = shape_;
    }
    if (view_.strides == nullptr) {
      PyBuffer_FillContiguousStrides(view_.ndim, view_.shape, strides_, static_cast<int>(view_.itemsize), 'C');
      view_.strides = strides_;
    }
  }
  FullView(const FullView&) = delete;
  FullView& operator=(const FullView&) = delete;
  const Py_buffer* get() const { return &view_; }

 private:
  Py_buffer view_;
  Py_ssize_t shape_[1];
  Py_ssize_t strides_[PyBUF_MAX_NDIM];
};

}  // namespace amphis
