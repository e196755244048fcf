// What the files of the module _io share. Each class of the module is a static type; every object of one begins with
// IOBase, so that attributes and weak references work in subclasses of any depth.
//
// Errors follow the C API. "Would block" is its own result of the raw functions: kWouldBlock.
#pragma once

#include "Python.h"
#include "objects/container_support.h"
#include "sync/atomic_field.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis::io {

constexpr Py_ssize_t kDefaultBufferSize = 131072;
constexpr Py_ssize_t kWouldBlock = -2;

struct IOBase {
  PyObject_HEAD
  PyObject* dict;
  PyObject* weakrefs;
};

extern PyTypeObject iobase_type, raw_iobase_type, buffered_iobase_type, text_iobase_type;
extern PyTypeObject fileio_type, bytesio_type, bytesio_buffer_type, stringio_type, newline_decoder_type;
extern PyTypeObject buffered_reader_type, buffered_writer_type, buffered_random_type, buffered_rwpair_type;
extern PyTypeObject textio_type;

// The class UnsupportedOperation; borrowed, made when the module is.
extern PyObject* unsupported_operation;
inline PyObject* raise_unsupported(const char* what) {
  PyErr_SetString(unsupported_operation, what);
  return nullptr;
}

template <class T>
T* self_of(PyObject* op) {
  return reinterpret_cast<T*>(op);
}

// ---- io_base.cpp ----
// Runs the finalizer (which closes) of an object about to be freed; -1: it lives on.
int finalize(PyObject* self);
void drop_base(IOBase* self);
// Under the object's lock: takes the attributes of an unpickled state over.
bool merge_dict(IOBase* self, PyObject* state);
// Raise unless self.closed is false, self.readable() is true and so on.
bool check_closed(PyObject* self);
bool check_readable(PyObject* self);
bool check_writable(PyObject* self);
bool check_seekable(PyObject* self);
// 1 or 0, or -1 with an exception.
int attribute_is_true(PyObject* self, PyObject* name);
// "cannot pickle 'T' instances".
PyObject* no_pickle(PyObject* self, PyObject*);
// The getter and setter of __dict__.
extern PyGetSetDef dict_getset[];

// One optional size argument: int, None (leaves *size) or absent.
bool size_argument(const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t* size);
bool offset_from(PyObject* number, int64_t* offset);
// The arguments of seek(position, whence=0).
bool seek_arguments(PyObject* const* args, Py_ssize_t nargs, PyObject** position, int* whence);
// True and cleared, when the current exception is an OSError from an interrupted system call and no handler raised.
bool interrupted_call();
// The exception of a failed second step becomes current, the one before it its context. `first` may be null.
void chain(Ref<> first);

// ---- io_file.cpp ----
struct FileIO {
  IOBase base;
  int fd;  // -1: closed
  bool created, readable, writable, appending, closefd, finalizing;
  signed char seekable;  // -1: not asked yet
  unsigned int block_size;
  int64_t size_at_open;  // -1: unknown
  bool regular;
};
inline bool is_fileio(PyObject* op) { return Py_IS_TYPE(op, &fileio_type); }
// Straight to the system: the count, kWouldBlock, or -1 with an exception. The file was checked to be open.
Py_ssize_t file_read(FileIO* self, char* to, Py_ssize_t size);
Py_ssize_t file_write(FileIO* self, const char* from, Py_ssize_t size);
int64_t file_seek(FileIO* self, int64_t offset, int whence);

// ---- io_buffered.cpp ----
inline bool is_buffered(PyObject* op) {
  return Py_IS_TYPE(op, &buffered_reader_type) || Py_IS_TYPE(op, &buffered_writer_type) ||
         Py_IS_TYPE(op, &buffered_random_type);
}
// For exact objects: 1 or 0, or -1 with an exception.
int buffered_closed(PyObject* self);
// For exact objects: certainly closed. Raises nothing.
bool buffered_known_closed(PyObject* self);
// What the methods of the same names do, for exact objects.
PyObject* buffered_read1(PyObject* self, Py_ssize_t size);
bool buffered_write_bytes(PyObject* self, const char* data, Py_ssize_t size);
PyObject* buffered_flush(PyObject* self);
void reset_buffered_lock(PyObject* self);

// ---- io_newline.cpp ----
// Universal newlines over pieces of text.
struct NewlineState {
  bool translate = false;
  bool pending_cr = false;
  unsigned char seen = 0;
};
enum : unsigned char { kSeenCr = 1, kSeenLf = 2, kSeenCrLf = 4 };
// Steals `text`; the piece with its ends normalised, or null.
PyObject* translate_newlines(NewlineState* state, PyObject* text, bool final);
// The value of the attribute `newlines`.
PyObject* newlines_seen(unsigned char seen);
// Finds the end of the line that starts at `start`: the index after it, or -1; *tail says where a next search for more
// text must begin. `newline` null: universal (untranslated) when `universal`, else "\n".
Py_ssize_t find_line_end(PyObject* text, Py_ssize_t start, bool universal, PyObject* newline, Py_ssize_t* tail);
// s.replace("\n", newline).
PyObject* replace_newlines(PyObject* text, const char* newline);

// ---- io.cpp ----
PyObject* open_file(PyObject* file, const char* mode, int buffering, const char* encoding, const char* errors,
                    const char* newline, bool closefd, PyObject* opener);
// The name of the locale's encoding: a new reference.
PyObject* locale_encoding();
// 0, or -1 with the warning turned into an exception.
int warn_default_encoding(Py_ssize_t stack_level);
// What the configuration says, read when the module is made.
struct Settings {
  bool utf8_mode = false, dev_mode = false, warn_default_encoding = false;
};
extern Settings settings;

}  // namespace amphis::io
