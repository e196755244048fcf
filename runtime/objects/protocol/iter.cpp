// The iteration protocol: PyObject_GetIter, PyIter_*, PyObject_GetAIter, PyAIter_Check.
#include "checked/checked.h"
#include "objects/container_support.h"

using namespace amphis;

extern "C" {

// The tp_iternext of classes that set __next__ to None.
PyObject* _PyObject_NextNotImplemented(PyObject* op);

int PyIter_Check(PyObject* op) {
  iternextfunc next = Py_TYPE(op)->tp_iternext;
  return next != nullptr && next != &_PyObject_NextNotImplemented;
}

PyObject* PyObject_GetIter(PyObject* op) {
  getiterfunc get = Py_TYPE(op)->tp_iter;
  if (get == nullptr) {
    if (PySequence_Check(op)) return PySeqIter_New(op);
    PyErr_Format(PyExc_TypeError, "'%.200s' object is not iterable", Py_TYPE(op)->tp_name);
    return nullptr;
  }
  PyObject* iterator = checked::slot_result(op, "tp_iter", get, get(op));
  if (iterator != nullptr && !PyIter_Check(iterator)) {
    PyErr_Format(PyExc_TypeError, "iter() returned non-iterator of type '%.100s'",
                 Py_TYPE(iterator)->tp_name);
    Py_CLEAR(iterator);
  }
  return iterator;
}

int PyIter_NextItem(PyObject* iterator, PyObject** item) {
  *item = nullptr;
  iternextfunc next = Py_TYPE(iterator)->tp_iternext;
  if (next == nullptr) {
    PyErr_Format(PyExc_TypeError, "expected an iterator, got '%T'", iterator);
    return -1;
  }
  *item = next(iterator);
  if (*item != nullptr) return 1;
  return iteration_ended() ? 0 : -1;
}

PyObject* PyIter_Next(PyObject* iterator) {
  PyObject* item = Py_TYPE(iterator)->tp_iternext(iterator);
  if (item == nullptr) iteration_ended();
  return item;
}

// What StopIteration carries becomes the result of a finished generator.
static PySendResult finish_send(PyObject** result) {
  if (!PyErr_Occurred()) {
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
  }
  if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return PYGEN_ERROR;
  Ref<> stop = Ref<>::steal(PyErr_GetRaisedException());
  *result = PyObject_GetAttr(stop.get(), AMPHIS_STATIC_NAME("value"));
  return *result == nullptr ? PYGEN_ERROR : PYGEN_RETURN;
}

PySendResult PyIter_Send(PyObject* iterator, PyObject* arg, PyObject** result) {
  PyAsyncMethods* async = Py_TYPE(iterator)->tp_as_async;
  if (async != nullptr && async->am_send != nullptr) return async->am_send(iterator, arg, result);
  if (arg == Py_None && PyIter_Check(iterator)) {
    *result = Py_TYPE(iterator)->tp_iternext(iterator);
  } else {
    *result = PyObject_CallMethodOneArg(iterator, AMPHIS_STATIC_NAME("send"), arg);
  }
  return *result != nullptr ? PYGEN_NEXT : finish_send(result);
}

int PyAIter_Check(PyObject* op) {
  PyAsyncMethods* async = Py_TYPE(op)->tp_as_async;
  return async != nullptr && async->am_anext != nullptr && async->am_anext != &_PyObject_NextNotImplemented;
}

PyObject* PyObject_GetAIter(PyObject* op) {
  PyAsyncMethods* async = Py_TYPE(op)->tp_as_async;
  if (async == nullptr || async->am_aiter == nullptr) {
    PyErr_Format(PyExc_TypeError, "'%.200s' object is not an async iterable", Py_TYPE(op)->tp_name);
    return nullptr;
  }
  PyObject* iterator = async->am_aiter(op);
  if (iterator != nullptr && !PyAIter_Check(iterator)) {
    PyErr_Format(PyExc_TypeError, "aiter() returned not an async iterator of type '%.100s'",
                 Py_TYPE(iterator)->tp_name);
    Py_CLEAR(iterator);
  }
  return iterator;
}

}  // extern "C"
