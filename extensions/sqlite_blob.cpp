// Blobs that are read and written in place, as files are.
#include "sqlite.h"

#include <climits>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

namespace sqlite {

namespace {

struct Blob {
  PyObject_HEAD
  Connection* connection;
  sqlite3_blob* blob;  // null: closed
  int offset;
  PyObject* weakrefs;
};
Blob* blob_of(PyObject* op) { return reinterpret_cast<Blob*>(op); }

// The use of a blob's connection, and of the blob.
class UseBlob {
 public:
  explicit UseBlob(Blob* blob) : use_(blob->connection), ok_(use_.ok()) {
    if (!ok_ || blob->blob != nullptr) return;
    PyErr_SetString(errors.programming, "Cannot operate on a closed blob.");
    ok_ = false;
  }
  bool ok() const { return ok_; }

 private:
  Use use_;
  bool ok_;
};

void close_handle(Blob* self) {
  sqlite3_blob* blob = std::exchange(self->blob, nullptr);
  if (blob == nullptr) return;
  ext::Away away;
  sqlite3_blob_close(blob);
}

int blob_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(op));
  Py_VISIT(object_of(blob_of(op)->connection));
  return 0;
}
void blob_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  PyObject_ClearWeakRefs(op);
  close_handle(blob_of(op));
  Py_XDECREF(object_of(std::exchange(blob_of(op)->connection, nullptr)));
  type->tp_free(op);
  Py_DECREF(type);
}

PyObject* read_bytes(Blob* self, Py_ssize_t size, int offset) {
  Ref bytes(PyBytes_FromStringAndSize(nullptr, size));
  if (!bytes) return nullptr;
  int code;
  {
    ext::Away away;
    code = sqlite3_blob_read(self->blob, PyBytes_AS_STRING(bytes.get()), static_cast<int>(size), offset);
  }
  if (code != SQLITE_OK) {
    raise_error(self->connection->db);
    return nullptr;
  }
  return bytes.release();
}
bool write_bytes(Blob* self, const void* bytes, Py_ssize_t size, int offset) {
  // As far as it is not the blob's to change its length.
  if (size > sqlite3_blob_bytes(self->blob) - offset) {
    PyErr_SetString(PyExc_ValueError, "data longer than blob length");
    return false;
  }
  int code;
  {
    ext::Away away;
    code = sqlite3_blob_write(self->blob, bytes, static_cast<int>(size), offset);
  }
  return code == SQLITE_OK || raise_error(self->connection->db);
}

PyObject* blob_read(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  int length = -1;
  if (!ext::check_positional("read", nargs, 0, 1) || (nargs > 0 && !ext::to_int(args[0], &length))) return nullptr;
  Blob* self = blob_of(op);
  UseBlob use(self);
  if (!use.ok()) return nullptr;
  const int rest = sqlite3_blob_bytes(self->blob) - self->offset;
  if (length < 0 || length > rest) length = rest;
  if (length == 0) return PyBytes_FromStringAndSize(nullptr, 0);
  PyObject* bytes = read_bytes(self, length, self->offset);
  if (bytes != nullptr) self->offset += length;
  return bytes;
}

PyObject* blob_write(PyObject* op, PyObject* data) {
  ext::Buffer buffer;
  if (!buffer.get(data)) return nullptr;
  Blob* self = blob_of(op);
  UseBlob use(self);
  if (!use.ok() || !write_bytes(self, buffer.data(), buffer.size(), self->offset)) return nullptr;
  self->offset += static_cast<int>(buffer.size());
  Py_RETURN_NONE;
}

PyObject* blob_seek(PyObject* op, PyObject* const* args, Py_ssize_t nargs) {
  int offset, origin = SEEK_SET;
  if (!ext::check_positional("seek", nargs, 1, 2) || !ext::to_int(args[0], &offset) || (nargs > 1 && !ext::to_int(args[1], &origin)))
    return nullptr;
  Blob* self = blob_of(op);
  UseBlob use(self);
  if (!use.ok()) return nullptr;
  const int size = sqlite3_blob_bytes(self->blob);
  const int base = origin == SEEK_SET ? 0 : origin == SEEK_CUR ? self->offset : size;
  if (origin != SEEK_SET && origin != SEEK_CUR && origin != SEEK_END) {
    PyErr_SetString(PyExc_ValueError, "'origin' should be os.SEEK_SET, os.SEEK_CUR, or os.SEEK_END");
    return nullptr;
  }
  if (offset > INT_MAX - base) {
    PyErr_SetString(PyExc_OverflowError, "seek offset results in overflow");
    return nullptr;
  }
  if (base + offset < 0 || base + offset > size) {
    PyErr_SetString(PyExc_ValueError, "offset out of blob range");
    return nullptr;
  }
  self->offset = base + offset;
  Py_RETURN_NONE;
}

PyObject* blob_tell(PyObject* op, PyObject*) {
  UseBlob use(blob_of(op));
  return use.ok() ? PyLong_FromLong(blob_of(op)->offset) : nullptr;
}
PyObject* blob_close(PyObject* op, PyObject*) {
  Use use(blob_of(op)->connection);
  if (!use.ok()) return nullptr;
  close_handle(blob_of(op));
  Py_RETURN_NONE;
}
PyObject* blob_enter(PyObject* op, PyObject*) {
  UseBlob use(blob_of(op));
  return use.ok() ? Py_NewRef(op) : nullptr;
}
PyObject* blob_exit(PyObject* op, PyObject* const*, Py_ssize_t nargs) {
  if (!ext::check_positional("__exit__", nargs, 3, 3)) return nullptr;
  UseBlob use(blob_of(op));
  if (!use.ok()) return nullptr;
  close_handle(blob_of(op));
  Py_RETURN_FALSE;
}

Py_ssize_t blob_length(PyObject* op) {
  UseBlob use(blob_of(op));
  return use.ok() ? sqlite3_blob_bytes(blob_of(op)->blob) : -1;
}

bool to_position(Blob* self, PyObject* key, int* position) {
  Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
  if (index == -1 && PyErr_Occurred()) return false;
  const int size = sqlite3_blob_bytes(self->blob);
  if (index < 0) index += size;
  if (index >= 0 && index < size) {
    *position = static_cast<int>(index);
    return true;
  }
  PyErr_SetString(PyExc_IndexError, "Blob index out of range");
  return false;
}

struct Slice {
  Py_ssize_t start, step, count;
};
bool to_slice(Blob* self, PyObject* key, Slice* slice) {
  Py_ssize_t stop;
  if (PySlice_Unpack(key, &slice->start, &stop, &slice->step) < 0) return false;
  slice->count = PySlice_AdjustIndices(sqlite3_blob_bytes(self->blob), &slice->start, &stop, slice->step);
  if (slice->step > 0 || slice->count == 0) return true;
  PyErr_SetString(PyExc_ValueError, "Blob doesn't support slices with a negative step");
  return false;
}

PyObject* blob_subscript(PyObject* op, PyObject* key) {
  Blob* self = blob_of(op);
  UseBlob use(self);
  if (!use.ok()) return nullptr;
  if (PyIndex_Check(key)) {
    int position;
    Ref byte(to_position(self, key, &position) ? read_bytes(self, 1, position) : nullptr);
    return byte ? PyLong_FromLong(static_cast<unsigned char>(PyBytes_AS_STRING(byte.get())[0])) : nullptr;
  }
  if (!PySlice_Check(key)) {
    PyErr_SetString(PyExc_TypeError, "Blob indices must be integers");
    return nullptr;
  }
  Slice slice;
  if (!to_slice(self, key, &slice)) return nullptr;
  if (slice.count == 0) return PyBytes_FromStringAndSize(nullptr, 0);
  Ref all(read_bytes(self, (slice.count - 1) * slice.step + 1, static_cast<int>(slice.start)));
  if (!all || slice.step == 1) return all.release();
  PyObject* result = PyBytes_FromStringAndSize(nullptr, slice.count);
  for (Py_ssize_t i = 0; result != nullptr && i < slice.count; i++)
    PyBytes_AS_STRING(result)[i] = PyBytes_AS_STRING(all.get())[i * slice.step];
  return result;
}

int assign_byte(Blob* self, PyObject* key, PyObject* value) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Blob doesn't support item deletion");
    return -1;
  }
  if (!PyLong_Check(value)) {
    PyErr_Format(PyExc_TypeError, "'%s' object cannot be interpreted as an integer", Py_TYPE(value)->tp_name);
    return -1;
  }
  int position;
  if (!to_position(self, key, &position)) return -1;
  int overflow;
  const long byte = PyLong_AsLongAndOverflow(value, &overflow);
  if (overflow != 0 || byte < 0 || byte > 255) {
    PyErr_SetString(PyExc_ValueError, "byte must be in range(0, 256)");
    return -1;
  }
  const auto data = static_cast<unsigned char>(byte);
  return write_bytes(self, &data, 1, position) ? 0 : -1;
}

int assign_slice(Blob* self, PyObject* key, PyObject* value) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "Blob doesn't support slice deletion");
    return -1;
  }
  Slice slice;
  if (!to_slice(self, key, &slice)) return -1;
  ext::Buffer buffer;
  if (!buffer.get(value)) return -1;
  if (buffer.size() != slice.count) {
    PyErr_SetString(PyExc_IndexError, "Blob slice assignment is wrong size");
    return -1;
  }
  if (slice.count == 0) return 0;
  if (slice.step == 1) return write_bytes(self, buffer.data(), slice.count, static_cast<int>(slice.start)) ? 0 : -1;
  const Py_ssize_t span = (slice.count - 1) * slice.step + 1;
  Ref all(read_bytes(self, span, static_cast<int>(slice.start)));
  if (!all) return -1;
  std::string changed(PyBytes_AS_STRING(all.get()), static_cast<size_t>(span));
  for (Py_ssize_t i = 0; i < slice.count; i++) changed[static_cast<size_t>(i * slice.step)] = static_cast<char>(buffer.data()[i]);
  return write_bytes(self, changed.data(), span, static_cast<int>(slice.start)) ? 0 : -1;
}

int blob_ass_subscript(PyObject* op, PyObject* key, PyObject* value) {
  UseBlob use(blob_of(op));
  if (!use.ok()) return -1;
  if (PyIndex_Check(key)) return assign_byte(blob_of(op), key, value);
  if (PySlice_Check(key)) return assign_slice(blob_of(op), key, value);
  PyErr_SetString(PyExc_TypeError, "Blob indices must be integers");
  return -1;
}

PyMemberDef blob_members[] = {{"__weaklistoffset__", Py_T_PYSSIZET, offsetof(Blob, weakrefs), Py_READONLY, nullptr}, {}};
PyMethodDef blob_methods[] = {
    {"read", ext::method(blob_read), METH_FASTCALL, "read($self, length=-1, /)\n--\n\nRead data at the current offset position."},
    {"write", blob_write, METH_O, "write($self, data, /)\n--\n\nWrite data at the current offset."},
    {"seek", ext::method(blob_seek), METH_FASTCALL, "seek($self, offset, origin=0, /)\n--\n\nSet the current access position to offset."},
    {"tell", blob_tell, METH_NOARGS, "tell($self, /)\n--\n\nReturn the current access position for the blob."},
    {"close", blob_close, METH_NOARGS, "close($self, /)\n--\n\nClose the blob."},
    {"__enter__", blob_enter, METH_NOARGS, "__enter__($self, /)\n--\n\nBlob context manager enter."},
    {"__exit__", ext::method(blob_exit), METH_FASTCALL, "__exit__($self, type, val, tb, /)\n--\n\nBlob context manager exit."},
    {nullptr, nullptr, 0, nullptr}};
PyType_Slot blob_slots[] = {{Py_tp_dealloc, slot(blob_dealloc)},
                            {Py_tp_traverse, slot(blob_traverse)},
                            {Py_tp_methods, blob_methods},
                            {Py_tp_members, blob_members},
                            {Py_sq_length, slot(blob_length)},
                            {Py_mp_length, slot(blob_length)},
                            {Py_mp_subscript, slot(blob_subscript)},
                            {Py_mp_ass_subscript, slot(blob_ass_subscript)},
                            {0, nullptr}};
PyType_Spec blob_spec = {"sqlite3.Blob", sizeof(Blob), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, blob_slots};

}  // namespace

void close_blob(PyObject* blob) { close_handle(blob_of(blob)); }

PyObject* open_blob(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "", "", "readonly", "name", nullptr};
  const char *table, *column, *name = "main";
  long long row;
  int readonly = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "ssL|$ps:blobopen", const_cast<char**>(keywords), &table, &column, &row, &readonly,
                                   &name))
    return nullptr;
  Connection* self = connection_of(op);
  Use use(self);
  if (!use.ok()) return nullptr;
  sqlite3_blob* handle;
  int code;
  {
    ext::Away away;
    code = sqlite3_blob_open(self->db, name, table, column, row, !readonly, &handle);
  }
  if (code != SQLITE_OK) {
    raise_error(self->db);
    return nullptr;
  }
  PyObject* result = types.blob->tp_alloc(types.blob, 0);
  if (result == nullptr) {
    sqlite3_blob_close(handle);
    return nullptr;
  }
  blob_of(result)->connection = connection_of(Py_NewRef(op));
  blob_of(result)->blob = handle;
  remember_blob(self, result);
  return result;
}

bool make_blob_type(PyObject* module) {
  if (types.blob == nullptr) types.blob = make_type(module, &blob_spec, false);
  return types.blob != nullptr && PyModule_AddType(module, types.blob) == 0;
}

}  // namespace sqlite
