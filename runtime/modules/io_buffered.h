// The inside of BufferedReader, BufferedWriter and BufferedRandom, and the steps that their methods are made of.
//
// One buffer serves both directions, one at a time. Reading ahead: [pos, end) was read from the raw stream and not yet
// taken. Writing behind: [0, end) with `dirty` was not yet written. The raw stream stands `end - pos` bytes after, or
// `end` bytes before, where the object seems to stand. To change direction, BufferedRandom flushes or seeks back.
//
// A method that touches the buffer holds `lock` for its whole length, raw calls included: other threads wait (detached),
// the same thread gets RuntimeError.
#pragma once

#include "modules/io.h"

namespace amphis::io {

struct Buffered {
  IOBase base;
  PyObject* raw;  // null: not initialized, or detached; without the lock read by raw_of() only
  char* buffer;
  Py_ssize_t size, pos, end;
  int64_t raw_pos;  // of the raw stream, -1 unknown
  PyMutex lock;
  ThreadState* owner;  // of the lock
  bool ok, detached, dirty, readable, writable, finalizing;
};

inline Buffered* as_buffered(PyObject* op) { return reinterpret_cast<Buffered*>(op); }
inline bool own_type(PyObject* op) { return is_buffered(op); }

// RAII. False, with an exception: this thread is in the object already, the object is not usable (any more, once it had the
// lock), or there is no memory for the buffer, which is made when it is first needed.
class [[nodiscard]] BufferLock {
  Buffered* self_;

 public:
  enum Need { kNothing, kUsable, kBuffer };
  explicit BufferLock(PyObject* op, Need need = kBuffer);
  ~BufferLock() { unlock(); }
  void unlock();
  BufferLock(const BufferLock&) = delete;
  BufferLock& operator=(const BufferLock&) = delete;
  explicit operator bool() const { return self_ != nullptr; }
};

// Raises unless initialized and not detached.
bool usable(Buffered* self);
// The raw stream; null, with an exception, unless initialized and not detached.
Ref<> raw_of(Buffered* self);
// Raises "<what> of closed file" when the raw stream is closed.
bool check_open(Buffered* self, const char* message);

// All below: the lock is held.
inline Py_ssize_t ahead(const Buffered* self) { return self->dirty ? 0 : self->end - self->pos; }
Py_ssize_t raw_read(Buffered* self, char* to, Py_ssize_t size);
int64_t raw_seek(Buffered* self, int64_t offset, int whence);
int64_t raw_tell(Buffered* self);
// Writes out what is pending; false with an exception (BlockingIOError keeps the rest).
bool flush_pending(Buffered* self);
// Makes the object's position the raw stream's: flushes, or drops what was read ahead and seeks back.
bool synchronize(Buffered* self);
// Before reading: flushes.
inline bool begin_reading(Buffered* self) { return !self->dirty || flush_pending(self); }

extern PyMethodDef buffered_reader_methods[], buffered_writer_methods[], buffered_random_methods[];
// io_buffered_read.cpp
PyObject* buffered_next(PyObject* op);
PyObject* read_method(PyObject* op, PyObject* const* args, Py_ssize_t nargs);
PyObject* read1_method(PyObject* op, PyObject* const* args, Py_ssize_t nargs);
PyObject* peek_method(PyObject* op, PyObject* const* args, Py_ssize_t nargs);
PyObject* readline_method(PyObject* op, PyObject* const* args, Py_ssize_t nargs);
PyObject* readinto_method(PyObject* op, PyObject* target);
PyObject* readinto1_method(PyObject* op, PyObject* target);
// io_buffered_write.cpp
PyObject* write_method(PyObject* op, PyObject* data);

}  // namespace amphis::io
