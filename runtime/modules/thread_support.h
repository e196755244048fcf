// What the files of the _thread module share.
#pragma once

#include "Python.h"

#include <cstdint>

namespace amphis::thread_module {

// Seconds (int or float) to nanoseconds, rounded away from zero; -1 with an exception on failure.
bool seconds_to_ns(PyObject* seconds, int64_t* ns);
// (blocking=True, timeout=-1) of acquire(), as vectorcall passes them; 0 ns: do not block, -1: for ever.
bool parse_acquire(PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, int64_t* timeout_ns);

PyTypeObject* make_lock_type(PyObject* module);
PyTypeObject* make_rlock_type(PyObject* module);
PyTypeObject* make_handle_type(PyObject* module);
PyTypeObject* make_local_type(PyObject* module);
PyObject* new_lock(PyTypeObject* lock_type);

struct ThreadRecord;
// The record inside a _ThreadHandle, borrowed.
ThreadRecord* record_of(PyObject* handle);
PyObject* new_handle(PyTypeObject* handle_type);

// Starts a thread that calls function(*args, **kwargs); `record` may be null (then nobody can join it).
bool start_thread(PyObject* function, PyObject* args, PyObject* kwargs, ThreadRecord* record, bool daemon,
                  unsigned long* ident);
unsigned long record_ident(ThreadRecord* record);
void mark_foreign(ThreadRecord* record, unsigned long ident);
// Joins every thread that is not a daemon, the calling one excepted.
void join_all_threads();
long running_threads();

}  // namespace amphis::thread_module
