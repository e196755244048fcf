// The records of sys that describe the implementation.
#include "modules/builtins.h"
#include "modules/sys.h"

#include "sync/ref.h"

#include <gnu/libc-version.h>

namespace amphis {

PyTypeObject* asyncgen_hooks_type = nullptr;

namespace {

// A record of a fresh type; steals the values.
template <size_t n>
PyObject* record(PyTypeObject* type, PyObject* (&&values)[n]) {
  Ref<> info = Ref<>::steal(type != nullptr ? PyStructSequence_New(type) : nullptr);
  for (size_t i = 0; i < n; ++i) {
    if (info) {
      PyStructSequence_SetItem(info, static_cast<Py_ssize_t>(i), values[i]);
    } else {
      Py_XDECREF(values[i]);
    }
  }
  return PyErr_Occurred() ? nullptr : info.release();
}

PyObject* make_hash_info() {
  static PyStructSequence_Field fields[] = {
      {"width", "width of the type used for hashing, in bits"},
      {"modulus", "prime number giving the modulus on which the hash function is based"},
      {"inf", "value to be used for hash of a positive infinity"},
      {"nan", "value to be used for hash of a nan"},
      {"imag", "multiplier used for the imaginary part of a complex number"},
      {"algorithm", "name of the algorithm for hashing of str, bytes and memoryviews"},
      {"hash_bits", "internal output size of hash algorithm"},
      {"seed_bits", "seed size of hash algorithm"},
      {"cutoff", "small string optimization cutoff"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "sys.hash_info", "hash_info\n\nA named tuple providing parameters used for computing hashes.", fields, 9};
  Ref<> type = Ref<>::steal(PyStructSequence_NewType(&description));
  return record(reinterpret_cast<PyTypeObject*>(type.get()),
                {PyLong_FromLong(8 * sizeof(Py_hash_t)), PyLong_FromSize_t(PyHASH_MODULUS), PyLong_FromLong(PyHASH_INF),
                 PyLong_FromLong(0), PyLong_FromLong(PyHASH_IMAG), PyUnicode_FromString("siphash13"),
                 PyLong_FromLong(64), PyLong_FromLong(128), PyLong_FromLong(0)});
}

PyObject* make_thread_info() {
  static PyStructSequence_Field fields[] = {
      {"name", "name of the thread implementation"},
      {"lock", "name of the lock implementation"},
      {"version", "name and version of the thread library"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "sys.thread_info", "sys.thread_info\n\nA named tuple holding information about the thread implementation.", fields,
      3};
  Ref<> type = Ref<>::steal(PyStructSequence_NewType(&description));
  return record(reinterpret_cast<PyTypeObject*>(type.get()),
                {PyUnicode_FromString("pthread"), Py_NewRef(Py_None),
                 PyUnicode_FromFormat("NPTL %s", gnu_get_libc_version())});
}

PyTypeObject* make_asyncgen_hooks_type() {
  static PyStructSequence_Field fields[] = {
      {"firstiter", "Hook to intercept first iteration"},
      {"finalizer", "Hook to intercept finalization"},
      {nullptr, nullptr},
  };
  static PyStructSequence_Desc description = {
      "builtins.asyncgen_hooks",
      "asyncgen_hooks\n\nNamed tuple providing information about asynchronous\ngenerators hooks.\nThe attributes are "
      "read only.",
      fields, 2};
  return PyStructSequence_NewType(&description);
}

int put(PyObject* dict, const char* name, PyObject* value) {
  Ref<> v = Ref<>::steal(value);
  return v ? PyDict_SetItemString(dict, name, v) : -1;
}

}  // namespace

int sys_add_info(PyObject* dict) {
  if (asyncgen_hooks_type == nullptr) asyncgen_hooks_type = make_asyncgen_hooks_type();
  if (asyncgen_hooks_type == nullptr) return -1;
  return put(dict, "float_info", PyFloat_GetInfo()) < 0 || put(dict, "int_info", PyLong_GetInfo()) < 0 ||
                 put(dict, "hash_info", make_hash_info()) < 0 || put(dict, "thread_info", make_thread_info()) < 0
             ? -1
             : 0;
}

}  // namespace amphis
