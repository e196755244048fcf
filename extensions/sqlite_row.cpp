// Rows with names, and the protocol object of adapters.
#include "sqlite.h"

#include <cstring>

namespace sqlite {

namespace {

struct Row {
  PyObject_HEAD
  PyObject *data, *description;
};
Row* row_of(PyObject* op) { return reinterpret_cast<Row*>(op); }

PyObject* row_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  PyObject *cursor, *data;
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0 && type == types.row) {
    PyErr_SetString(PyExc_TypeError, "Row() takes no keyword arguments");
    return nullptr;
  }
  if (!PyArg_UnpackTuple(args, "Row", 2, 2, &cursor, &data)) return nullptr;
  if (!PyObject_TypeCheck(cursor, types.cursor))
    return PyErr_Format(PyExc_TypeError, "Row() argument 1 must be sqlite3.Cursor, not %s", Py_TYPE(cursor)->tp_name);
  if (!PyTuple_Check(data)) return PyErr_Format(PyExc_TypeError, "Row() argument 2 must be tuple, not %s", Py_TYPE(data)->tp_name);
  PyObject* result = type->tp_alloc(type, 0);
  if (result == nullptr) return nullptr;
  row_of(result)->data = Py_NewRef(data);
  row_of(result)->description = read_field(cursor, cursor_of(cursor)->description);
  return result;
}

int row_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(op));
  Py_VISIT(row_of(op)->data);
  Py_VISIT(row_of(op)->description);
  return 0;
}
int row_clear(PyObject* op) {
  Py_CLEAR(row_of(op)->data);
  Py_CLEAR(row_of(op)->description);
  return 0;
}
void row_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  row_clear(op);
  type->tp_free(op);
  Py_DECREF(type);
}

Py_ssize_t column_count(PyObject* op) {
  PyObject* description = row_of(op)->description;
  return description != nullptr && PyTuple_Check(description) ? PyTuple_GET_SIZE(description) : 0;
}
// The name of a column: borrowed from the description, which does not change.
PyObject* column_name(PyObject* op, Py_ssize_t i) { return PyTuple_GET_ITEM(PyTuple_GET_ITEM(row_of(op)->description, i), 0); }

PyObject* keys(PyObject* op, PyObject*) {
  Ref list(PyList_New(0));
  for (Py_ssize_t i = 0; list && i < column_count(op); i++) {
    if (PyList_Append(list.get(), column_name(op, i)) < 0) return nullptr;
  }
  return list.release();
}

// Names are equal without regard to the case of ASCII letters: 1, 0, or -1 with an exception.
int same_name(PyObject* a, PyObject* b) {
  if (PyUnicode_GET_LENGTH(a) != PyUnicode_GET_LENGTH(b)) return 0;
  if (!PyUnicode_IS_ASCII(a) || !PyUnicode_IS_ASCII(b)) return PyUnicode_Compare(a, b) == 0 ? 1 : PyErr_Occurred() ? -1 : 0;
  return sqlite3_strnicmp(static_cast<const char*>(PyUnicode_DATA(a)), static_cast<const char*>(PyUnicode_DATA(b)),
                          static_cast<int>(PyUnicode_GET_LENGTH(a))) == 0;
}

PyObject* row_subscript(PyObject* op, PyObject* key) {
  PyObject* data = row_of(op)->data;
  if (PyLong_Check(key)) {
    Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
    if (index == -1 && PyErr_Occurred()) return nullptr;
    if (index < 0) index += PyTuple_GET_SIZE(data);
    if (index >= 0 && index < PyTuple_GET_SIZE(data)) return Py_NewRef(PyTuple_GET_ITEM(data, index));
    PyErr_SetString(PyExc_IndexError, "tuple index out of range");
    return nullptr;
  }
  if (PyUnicode_Check(key)) {
    for (Py_ssize_t i = 0; i < column_count(op) && i < PyTuple_GET_SIZE(data); i++) {
      const int same = same_name(key, column_name(op, i));
      if (same < 0) return nullptr;
      if (same > 0) return Py_NewRef(PyTuple_GET_ITEM(data, i));
    }
    return PyErr_Format(PyExc_IndexError, "No item with key %R", key);
  }
  if (PySlice_Check(key)) return PyObject_GetItem(data, key);
  PyErr_SetString(PyExc_IndexError, "Index must be int or string");
  return nullptr;
}

PyObject* row_item(PyObject* op, Py_ssize_t index) {
  PyObject* data = row_of(op)->data;
  if (index >= 0 && index < PyTuple_GET_SIZE(data)) return Py_NewRef(PyTuple_GET_ITEM(data, index));
  PyErr_SetString(PyExc_IndexError, "tuple index out of range");
  return nullptr;
}
Py_ssize_t row_length(PyObject* op) { return PyTuple_GET_SIZE(row_of(op)->data); }
PyObject* row_iter(PyObject* op) { return PyObject_GetIter(row_of(op)->data); }

Py_hash_t row_hash(PyObject* op) {
  const Py_hash_t description = PyObject_Hash(row_of(op)->description);
  const Py_hash_t data = description == -1 ? -1 : PyObject_Hash(row_of(op)->data);
  if (data == -1) return -1;
  return (description ^ data) == -1 ? -2 : description ^ data;
}

PyObject* row_compare(PyObject* op, PyObject* other, int how) {
  if ((how != Py_EQ && how != Py_NE) || !PyObject_TypeCheck(other, types.row)) Py_RETURN_NOTIMPLEMENTED;
  const int same = PyObject_RichCompareBool(row_of(op)->description, row_of(other)->description, Py_EQ);
  if (same < 0) return nullptr;
  if (same > 0) return PyObject_RichCompare(row_of(op)->data, row_of(other)->data, how);
  return PyBool_FromLong(how == Py_NE);
}

PyMethodDef row_methods[] = {{"keys", keys, METH_NOARGS, "keys($self, /)\n--\n\nReturns the keys of the row."}, {nullptr, nullptr, 0, nullptr}};
PyType_Slot row_slots[] = {{Py_tp_new, slot(row_new)},
                           {Py_tp_dealloc, slot(row_dealloc)},
                           {Py_tp_traverse, slot(row_traverse)},
                           {Py_tp_clear, slot(row_clear)},
                           {Py_tp_hash, slot(row_hash)},
                           {Py_tp_iter, slot(row_iter)},
                           {Py_tp_richcompare, slot(row_compare)},
                           {Py_tp_methods, row_methods},
                           {Py_mp_length, slot(row_length)},
                           {Py_mp_subscript, slot(row_subscript)},
                           {Py_sq_length, slot(row_length)},
                           {Py_sq_item, slot(row_item)},
                           {0, nullptr}};
PyType_Spec row_spec = {"sqlite3.Row", sizeof(Row), 0,
                        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, row_slots};

int protocol_init(PyObject*, PyObject*, PyObject*) { return 0; }
int protocol_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(op));
  return 0;
}
void protocol_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  type->tp_free(op);
  Py_DECREF(type);
}
PyType_Slot protocol_slots[] = {{Py_tp_doc, const_cast<char*>("PEP 246 style object adaption protocol type.")},
                                {Py_tp_new, slot(PyType_GenericNew)},
                                {Py_tp_init, slot(protocol_init)},
                                {Py_tp_traverse, slot(protocol_traverse)},
                                {Py_tp_dealloc, slot(protocol_dealloc)},
                                {0, nullptr}};
PyType_Spec protocol_spec = {"sqlite3.PrepareProtocol", sizeof(PyObject), 0,
                             Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, protocol_slots};

}  // namespace

bool make_row_types(PyObject* module) {
  if (types.row == nullptr) {
    types.row = make_type(module, &row_spec, false);
    types.protocol = types.row != nullptr ? make_type(module, &protocol_spec, false) : nullptr;
  }
  return types.protocol != nullptr && PyModule_AddType(module, types.row) == 0 && PyModule_AddType(module, types.protocol) == 0;
}

}  // namespace sqlite
