// The functions behind wrapper descriptors ("slot wrapper"): they check the argument tuple and call the native slot.
#include "objects/memoryview.h"
#include "objects/type_slots.h"

#include "sync/ref.h"

#include <climits>

namespace amphis {

namespace {

template <typename F>
F function(void* wrapped) {
  return reinterpret_cast<F>(wrapped);
}

// `method` ends with a space; methods of one argument are not named in the message.
bool check_count(PyObject* args, Py_ssize_t n, const char* method = "") {
  Py_ssize_t got = PyTuple_GET_SIZE(args);
  if (got == n) return true;
  PyErr_Format(PyExc_TypeError, "%sexpected %zd argument%s, got %zd", method, n, n == 1 ? "" : "s", got);
  return false;
}

bool check_power(PyObject* args) {
  Py_ssize_t got = PyTuple_GET_SIZE(args);
  if (got == 1 || got == 2) return true;
  PyErr_Format(PyExc_TypeError, "expected 1 or 2 arguments, got %zd", got);
  return false;
}

PyObject* arg(PyObject* args, Py_ssize_t i) { return PyTuple_GET_ITEM(args, i); }
PyObject* none_or_error(int result) { return result < 0 ? nullptr : Py_NewRef(Py_None); }

// The index of a sequence method: negative ones count from the end.
Py_ssize_t sequence_index(PyObject* self, PyObject* value) {
  Py_ssize_t i = PyNumber_AsSsize_t(value, PyExc_OverflowError);
  if (i == -1 && PyErr_Occurred()) return -1;
  if (i < 0) {
    PySequenceMethods* methods = Py_TYPE(self)->tp_as_sequence;
    if (methods != nullptr && methods->sq_length != nullptr) {
      Py_ssize_t n = methods->sq_length(self);
      if (n < 0) return -1;
      i += n;
    }
  }
  return i;
}

// object.__setattr__(X, ...) must not go around the restrictions of a base class: no more derived native class may be
// skipped.
bool setattr_allowed(PyObject* self, setattrofunc func, const char* what) {
  for (PyTypeObject* base = Py_TYPE(self); base != nullptr && base->tp_setattro != func; base = base->tp_base) {
    if (base->tp_setattro != slot_setattr) {
      PyErr_Format(PyExc_TypeError, "can't apply this %s to %s object", what, Py_TYPE(self)->tp_name);
      return false;
    }
  }
  return true;
}

}  // namespace

PyObject* wrap_unary(PyObject* self, PyObject* args, void* wrapped) {
  return check_count(args, 0) ? function<unaryfunc>(wrapped)(self) : nullptr;
}

PyObject* wrap_binary(PyObject* self, PyObject* args, void* wrapped) {
  return check_count(args, 1) ? function<binaryfunc>(wrapped)(self, arg(args, 0)) : nullptr;
}

PyObject* wrap_binary_left(PyObject* self, PyObject* args, void* wrapped) { return wrap_binary(self, args, wrapped); }

PyObject* wrap_binary_right(PyObject* self, PyObject* args, void* wrapped) {
  return check_count(args, 1) ? function<binaryfunc>(wrapped)(arg(args, 0), self) : nullptr;
}

PyObject* wrap_ternary(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_power(args)) return nullptr;
  PyObject* third = PyTuple_GET_SIZE(args) > 1 ? arg(args, 1) : Py_None;
  return function<ternaryfunc>(wrapped)(self, arg(args, 0), third);
}

PyObject* wrap_ternary_right(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_power(args)) return nullptr;
  PyObject* third = PyTuple_GET_SIZE(args) > 1 ? arg(args, 1) : Py_None;
  return function<ternaryfunc>(wrapped)(arg(args, 0), self, third);
}

PyObject* wrap_inquiry(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 0)) return nullptr;
  int result = function<inquiry>(wrapped)(self);
  return result == -1 && PyErr_Occurred() ? nullptr : PyBool_FromLong(result);
}

PyObject* wrap_length(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 0)) return nullptr;
  Py_ssize_t n = function<lenfunc>(wrapped)(self);
  return n == -1 && PyErr_Occurred() ? nullptr : PyLong_FromSsize_t(n);
}

PyObject* wrap_repeat(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 1)) return nullptr;
  Py_ssize_t n = PyNumber_AsSsize_t(arg(args, 0), PyExc_OverflowError);
  if (n == -1 && PyErr_Occurred()) return nullptr;
  return function<ssizeargfunc>(wrapped)(self, n);
}

PyObject* wrap_item(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 1)) return nullptr;
  Py_ssize_t i = sequence_index(self, arg(args, 0));
  if (i == -1 && PyErr_Occurred()) return nullptr;
  return function<ssizeargfunc>(wrapped)(self, i);
}

PyObject* wrap_set_item(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 2, "__setitem__ ")) return nullptr;
  Py_ssize_t i = sequence_index(self, arg(args, 0));
  if (i == -1 && PyErr_Occurred()) return nullptr;
  return none_or_error(function<ssizeobjargproc>(wrapped)(self, i, arg(args, 1)));
}

PyObject* wrap_del_item(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 1)) return nullptr;
  Py_ssize_t i = sequence_index(self, arg(args, 0));
  if (i == -1 && PyErr_Occurred()) return nullptr;
  return none_or_error(function<ssizeobjargproc>(wrapped)(self, i, nullptr));
}

PyObject* wrap_contains(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 1)) return nullptr;
  int result = function<objobjproc>(wrapped)(self, arg(args, 0));
  return result == -1 && PyErr_Occurred() ? nullptr : PyBool_FromLong(result);
}

PyObject* wrap_set_subscript(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 2, "__setitem__ ")) return nullptr;
  return none_or_error(function<objobjargproc>(wrapped)(self, arg(args, 0), arg(args, 1)));
}

PyObject* wrap_del_subscript(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 1)) return nullptr;
  return none_or_error(function<objobjargproc>(wrapped)(self, arg(args, 0), nullptr));
}

PyObject* wrap_setattr(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 2, "__setattr__ ")) return nullptr;
  auto func = function<setattrofunc>(wrapped);
  if (!setattr_allowed(self, func, "__setattr__")) return nullptr;
  return none_or_error(func(self, arg(args, 0), arg(args, 1)));
}

PyObject* wrap_delattr(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 1)) return nullptr;
  auto func = function<setattrofunc>(wrapped);
  if (!setattr_allowed(self, func, "__delattr__")) return nullptr;
  return none_or_error(func(self, arg(args, 0), nullptr));
}

PyObject* wrap_hash(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 0)) return nullptr;
  Py_hash_t hash = function<hashfunc>(wrapped)(self);
  return hash == -1 && PyErr_Occurred() ? nullptr : PyLong_FromSsize_t(hash);
}

PyObject* wrap_call(PyObject* self, PyObject* args, void* wrapped, PyObject* kwargs) {
  return function<ternaryfunc>(wrapped)(self, args, kwargs);
}

PyObject* wrap_richcompare(PyObject* self, PyObject* args, void* wrapped, int op) {
  return check_count(args, 1) ? function<richcmpfunc>(wrapped)(self, arg(args, 0), op) : nullptr;
}

PyObject* wrap_next(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 0)) return nullptr;
  PyObject* result = function<iternextfunc>(wrapped)(self);
  if (result == nullptr && !PyErr_Occurred()) PyErr_SetNone(PyExc_StopIteration);
  return result;
}

PyObject* wrap_descr_get(PyObject* self, PyObject* args, void* wrapped) {
  if (!_PyArg_CheckPositional("__get__", PyTuple_GET_SIZE(args), 1, 2)) return nullptr;
  PyObject* obj = arg(args, 0) == Py_None ? nullptr : arg(args, 0);
  PyObject* type = PyTuple_GET_SIZE(args) > 1 && arg(args, 1) != Py_None ? arg(args, 1) : nullptr;
  if (obj == nullptr && type == nullptr) {
    PyErr_SetString(PyExc_TypeError, "__get__(None, None) is invalid");
    return nullptr;
  }
  return function<descrgetfunc>(wrapped)(self, obj, type);
}

PyObject* wrap_descr_set(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 2, "__set__ ")) return nullptr;
  return none_or_error(function<descrsetfunc>(wrapped)(self, arg(args, 0), arg(args, 1)));
}

PyObject* wrap_descr_delete(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 1)) return nullptr;
  return none_or_error(function<descrsetfunc>(wrapped)(self, arg(args, 0), nullptr));
}

PyObject* wrap_init(PyObject* self, PyObject* args, void* wrapped, PyObject* kwargs) {
  return none_or_error(function<initproc>(wrapped)(self, args, kwargs));
}

PyObject* wrap_del(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 0)) return nullptr;
  function<destructor>(wrapped)(self);
  return Py_NewRef(Py_None);
}

PyObject* wrap_buffer(PyObject* self, PyObject* args, void* wrapped) {
  if (!check_count(args, 1)) return nullptr;
  Py_ssize_t flags = PyNumber_AsSsize_t(arg(args, 0), PyExc_OverflowError);
  if (flags == -1 && PyErr_Occurred()) return nullptr;
  if (flags > INT_MAX || flags < INT_MIN) {
    PyErr_SetString(PyExc_OverflowError, "buffer flags out of range");
    return nullptr;
  }
  return memoryview_from_proc(self, static_cast<int>(flags), function<getbufferproc>(wrapped));
}

PyObject* wrap_releasebuffer(PyObject* self, PyObject* args, void*) {
  if (!check_count(args, 1)) return nullptr;
  PyObject* view = arg(args, 0);
  if (!PyMemoryView_Check(view)) {
    PyErr_SetString(PyExc_TypeError, "expected a memoryview object");
    return nullptr;
  }
  Py_buffer* buffer = PyMemoryView_GET_BUFFER(view);
  if (buffer->obj == nullptr) {
    PyErr_SetString(PyExc_ValueError, "memoryview's buffer has already been released");
    return nullptr;
  }
  if (buffer->obj != self) {
    PyErr_SetString(PyExc_ValueError, "memoryview's buffer is not this object");
    return nullptr;
  }
  Ref<> name = Ref<>::steal(PyUnicode_FromString("release"));
  return name ? PyObject_CallMethodNoArgs(view, name.get()) : nullptr;
}

}  // namespace amphis
