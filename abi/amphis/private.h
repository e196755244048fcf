// Owns the private names that generated code (Argument Clinic, Cython and their like) and the standard
// library's own modules link against. They follow the conventions of their public neighbours and may change
// with any version.
#ifndef AMPHIS_ABI_PRIVATE_H
#define AMPHIS_ABI_PRIVATE_H

#include "legacy.h"

#ifndef Py_LIMITED_API
Py_BEGIN_C_DECLS

// ---- arguments: 1, or 0 with an exception ----
PyAPI_FUNC(void)
    _PyArg_BadArgument(const char* fname, const char* displayname, const char* expected, PyObject* arg);
PyAPI_FUNC(int) _PyArg_CheckPositional(const char*, Py_ssize_t, Py_ssize_t, Py_ssize_t);
PyAPI_FUNC(int) _PyArg_NoKeywords(const char* funcname, PyObject* kwargs);
PyAPI_FUNC(int) _PyArg_NoPositional(const char* funcname, PyObject* args);
PyAPI_FUNC(int) _PyArg_ParseStack(PyObject* const* args, Py_ssize_t nargs, const char* format, ...);
PyAPI_FUNC(int) _PyArg_ParseStackAndKeywords(PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                                             struct _PyArg_Parser*, ...);
// `buf` has room for every parameter; the result points into it or at `args`; null with an exception. All
// borrowed.
PyAPI_FUNC(PyObject* const*)
    _PyArg_UnpackKeywords(PyObject* const* args, Py_ssize_t nargs, PyObject* kwargs, PyObject* kwnames,
                          struct _PyArg_Parser* parser, int minpos, int maxpos, int minkw, int varpos,
                          PyObject** buf);
// "O&" converters: 1, or 0 with an exception.
PyAPI_FUNC(int) _PyLong_UnsignedShort_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_UnsignedInt_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_UnsignedLong_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_UnsignedLongLong_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_Size_t_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_UInt8_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_UInt16_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_UInt32_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_UInt64_Converter(PyObject*, void*);
PyAPI_FUNC(int) _PyLong_FileDescriptor_Converter(PyObject*, void*);
PyAPI_FUNC(int) _Py_convert_optional_to_ssize_t(PyObject*, void*);
PyAPI_FUNC(int) _Py_Uid_Converter(PyObject* obj, void* result);
PyAPI_FUNC(int) _Py_Gid_Converter(PyObject* obj, void* result);

// ---- bytes writer: begins in its own small buffer; each call returns the place to write on, null with an
// exception ----
typedef struct {
  PyObject* buffer;  // bytes or bytearray, once the small buffer is too small
  Py_ssize_t allocated;
  Py_ssize_t min_size;
  int use_bytearray;
  int overallocate;
  int use_small_buffer;
  char small_buffer[512];
} _PyBytesWriter;
PyAPI_FUNC(void) _PyBytesWriter_Init(_PyBytesWriter* writer);
PyAPI_FUNC(void*) _PyBytesWriter_Alloc(_PyBytesWriter* writer, Py_ssize_t size);
PyAPI_FUNC(void*) _PyBytesWriter_Prepare(_PyBytesWriter* writer, void* str, Py_ssize_t size);
PyAPI_FUNC(void*) _PyBytesWriter_Resize(_PyBytesWriter* writer, void* str, Py_ssize_t size);
PyAPI_FUNC(void*)
    _PyBytesWriter_WriteBytes(_PyBytesWriter* writer, void* str, const void* bytes, Py_ssize_t size);
PyAPI_FUNC(PyObject*) _PyBytesWriter_Finish(_PyBytesWriter* writer, void* str);
PyAPI_FUNC(void) _PyBytesWriter_Dealloc(_PyBytesWriter* writer);
PyAPI_FUNC(Py_ssize_t) _PyBytes_Find(const char* haystack, Py_ssize_t len_haystack, const char* needle,
                                     Py_ssize_t len_needle, Py_ssize_t offset);
PyAPI_FUNC(Py_ssize_t) _PyBytes_ReverseFind(const char* haystack, Py_ssize_t len_haystack, const char* needle,
                                            Py_ssize_t len_needle, Py_ssize_t offset);
PyAPI_FUNC(void) _PyBytes_Repeat(char* dest, Py_ssize_t len_dest, const char* src, Py_ssize_t len_src);
PyAPI_FUNC(PyObject*) _Py_strhex(const char* argbuf, const Py_ssize_t arglen);
PyAPI_FUNC(PyObject*) _Py_strhex_bytes_with_sep(const char* argbuf, const Py_ssize_t arglen, PyObject* sep,
                                                const int bytes_per_group);

// ---- containers ----
PyAPI_FUNC(int) _PyDict_SetItem_KnownHash(PyObject* mp, PyObject* key, PyObject* item, Py_hash_t hash);
PyAPI_FUNC(int) _PyDict_SetItem_KnownHash_LockHeld(PyDictObject* dict, PyObject* key, PyObject* item, Py_hash_t hash);
PyAPI_FUNC(int) _PyDict_DelItem_KnownHash(PyObject* mp, PyObject* key, Py_hash_t hash);
PyAPI_FUNC(PyObject*) _PyDict_FromItems(PyObject* const* keys, Py_ssize_t keys_offset,
                                        PyObject* const* values, Py_ssize_t values_offset, Py_ssize_t length);
PyAPI_FUNC(int) _PyDict_MergeEx(PyObject* mp, PyObject* other, int override);
PyAPI_FUNC(int) _PyDict_DelItemIf(PyObject* mp, PyObject* key, int (*predicate)(PyObject*, void*), void* arg);
PyAPI_FUNC(int) _PyDict_SetItem_Take2(PyDictObject* op, PyObject* key, PyObject* value);
PyAPI_FUNC(PyObject*) _PyDict_LoadGlobal(PyDictObject*, PyDictObject*, PyObject*);
PyAPI_FUNC(Py_ssize_t) _PyDict_SizeOf(PyDictObject*);
PyAPI_FUNC(PyObject*) _PyList_Extend(PyListObject*, PyObject*);
PyAPI_FUNC(PyObject*) _PyList_AsTupleAndClear(PyListObject* v);
PyAPI_FUNC(PyObject*) _PyTuple_FromArray(PyObject* const*, Py_ssize_t);
PyAPI_FUNC(PyObject*) _PyTuple_FromArraySteal(PyObject* const*, Py_ssize_t);
PyAPI_FUNC(int) _PySet_Update(PyObject* set, PyObject* iterable);
PyAPI_FUNC(int) _PySet_NextEntry(PyObject* set, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash);
PyAPI_FUNC(int) _PySet_NextEntryRef(PyObject* set, Py_ssize_t* pos, PyObject** key, Py_hash_t* hash);
PyAPI_FUNC(PyObject*) _PyNamespace_New(PyObject* kwds);

// ---- numbers and text: new references ----
PyAPI_FUNC(PyObject*) _PyLong_Add(PyLongObject* left, PyLongObject* right);
PyAPI_FUNC(PyObject*) _PyLong_Subtract(PyLongObject* left, PyLongObject* right);
PyAPI_FUNC(PyObject*) _PyLong_Multiply(PyLongObject* left, PyLongObject* right);
PyAPI_FUNC(PyObject*) _PyLong_DivmodNear(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) _PyLong_Lshift(PyObject*, int64_t);
PyAPI_FUNC(PyObject*) _PyLong_Rshift(PyObject*, int64_t);
PyAPI_FUNC(PyObject*) _PyLong_Format(PyObject* obj, int base);
PyAPI_FUNC(double) _PyLong_Frexp(PyLongObject* a, int64_t* e);
PyAPI_FUNC(PyObject*) _PyNumber_Index(PyObject* o);
PyAPI_FUNC(time_t) _PyLong_AsTime_t(PyObject* obj);
PyAPI_FUNC(PyObject*) _PyLong_FromTime_t(time_t sec);
PyAPI_FUNC(Py_complex) _Py_cr_sum(Py_complex, double);
PyAPI_FUNC(Py_complex) _Py_cr_diff(Py_complex, double);
PyAPI_FUNC(Py_complex) _Py_rc_diff(double, Py_complex);
PyAPI_FUNC(Py_complex) _Py_cr_prod(Py_complex, double);
PyAPI_FUNC(Py_complex) _Py_cr_quot(Py_complex, double);
PyAPI_FUNC(Py_complex) _Py_rc_quot(double, Py_complex);
PyAPI_FUNC(PyObject*) _PyUnicode_Copy(PyObject* unicode);
PyAPI_FUNC(PyObject*) _PyUnicode_JoinArray(PyObject* separator, PyObject* const* items, Py_ssize_t seqlen);
PyAPI_FUNC(PyObject*) _PyUnicode_AsUTF8String(PyObject* unicode, const char* errors);
PyAPI_FUNC(const char*) _PyUnicode_AsUTF8NoNUL(PyObject*);
PyAPI_FUNC(PyObject*) _PyUnicode_EncodeUTF16(PyObject* unicode, const char* errors, int byteorder);
PyAPI_FUNC(PyObject*) _PyUnicode_EncodeUTF32(PyObject* object, const char* errors, int byteorder);
PyAPI_FUNC(PyObject*) _PyUnicode_TransformDecimalAndSpaceToASCII(PyObject* unicode);
PyAPI_FUNC(Py_ssize_t) _PyUnicode_ScanIdentifier(PyObject*);
PyAPI_FUNC(int) _PyUnicode_CheckConsistency(PyObject* op, int check_content);
PyAPI_FUNC(int) _PyUnicode_Equal(PyObject*, PyObject*);
PyAPI_FUNC(int) _PyUnicode_EqualToASCIIString(PyObject* left, const char* right);
PyAPI_FUNC(void) _PyUnicode_InternInPlace(PyInterpreterState* interp, PyObject** p);
PyAPI_FUNC(void) _PyUnicode_InternMortal(PyInterpreterState* interp, PyObject**);
PyAPI_FUNC(void) _PyUnicode_InternImmortal(PyInterpreterState* interp, PyObject**);

// ---- objects and types ----
PyAPI_FUNC(PyObject*) _PyObject_MakeTpCall(PyThreadState* tstate, PyObject* callable, PyObject* const* args,
                                           Py_ssize_t nargs, PyObject* keywords);
PyAPI_FUNC(PyObject*) _PyObject_CallMethod(PyObject* obj, PyObject* name, const char* format, ...);
PyAPI_FUNC(PyObject*)
    _Py_CheckFunctionResult(PyThreadState* tstate, PyObject* callable, PyObject* result, const char* where);
PyAPI_FUNC(int) _PyObject_GetMethod(PyObject* obj, PyObject* name, PyObject** method);
PyAPI_FUNC(PyObject*) _PyObject_LookupSpecial(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) _PyObject_GetState(PyObject*);
PyAPI_FUNC(PyObject*) _PyType_GetDict(PyTypeObject*);
PyAPI_FUNC(PyObject*)
    _PySuper_Lookup(PyTypeObject* su_type, PyObject* su_obj, PyObject* name, int* meth_found);
PyAPI_FUNC(PyTypeObject*) _PyStructSequence_NewType(PyStructSequence_Desc* desc, unsigned long tp_flags);
PyAPI_FUNC(int) _PyCapsule_SetTraverse(PyObject* op, traverseproc traverse_func, inquiry clear_func);
PyAPI_FUNC(int) _PyWeakref_IsDead(PyObject* weakref);
PyAPI_FUNC(PyObject*) _Py_union_type_or(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) _PyTemplate_Build(PyObject* strings, PyObject* interpolations);
PyAPI_FUNC(PyObject*)
    _PyInterpolation_Build(PyObject* value, PyObject* str, int conversion, PyObject* format_spec);
PyAPI_FUNC(void) _Py_SetImmortal(PyObject* op);
PyAPI_FUNC(void) _Py_SetImmortalUntracked(PyObject* op);
_Py_NO_RETURN PyAPI_FUNC(void) _Py_FatalRefcountErrorFunc(const char* func, const char* message);
PyAPI_FUNC(int) _PyGen_SetStopIterationValue(PyObject*);
PyAPI_FUNC(int) _PyGen_FetchStopIterationValue(PyObject**);
PyAPI_FUNC(PyObject*) _PyCoro_GetAwaitableIter(PyObject* o);

// ---- errors: as the public functions of the same name, with the thread given ----
PyAPI_FUNC(void) _PyErr_SetString(PyThreadState* tstate, PyObject* exception, const char* string);
PyAPI_FUNC(PyObject*) _PyErr_Format(PyThreadState* tstate, PyObject* exception, const char* format, ...);
PyAPI_FUNC(PyObject*)
    _PyErr_FormatV(PyThreadState* tstate, PyObject* exception, const char* format, va_list vargs);
PyAPI_FUNC(void) _PyErr_Clear(PyThreadState* tstate);
PyAPI_FUNC(int) _PyErr_ExceptionMatches(PyThreadState* tstate, PyObject* exc);
PyAPI_FUNC(PyObject*) _PyErr_GetRaisedException(PyThreadState* tstate);
PyAPI_FUNC(void) _PyErr_SetRaisedException(PyThreadState* tstate, PyObject* exc);
PyAPI_FUNC(void) _PyErr_SetKeyError(PyObject*);
PyAPI_FUNC(PyObject*) _PyErr_FormatFromCause(PyObject* exception, const char* format, ...);
PyAPI_FUNC(void) _PyErr_FormatNote(const char* format, ...);
PyAPI_FUNC(void) _PyErr_SetFromPyStatus(PyStatus status);
PyAPI_FUNC(void) _PyTraceback_Add(const char*, const char*, int);

// ---- the running interpreter ----
PyAPI_FUNC(PyThreadState*) _PyThreadState_GetCurrent(void);
PyAPI_FUNC(PyObject*) _PyThreadState_GetDict(PyThreadState* tstate);
PyAPI_FUNC(PyInterpreterState*) _PyInterpreterState_Main(void);
PyAPI_FUNC(PyObject*) _PyEval_GetBuiltin(PyObject*);
PyAPI_FUNC(int) _Py_CheckRecursiveCall(PyThreadState* tstate, const char* where);
PyAPI_FUNC(int) _Py_HandlePending(PyThreadState* tstate);
PyAPI_FUNC(int) _PyEval_MakePendingCalls(PyThreadState*);
PyAPI_FUNC(int) _PyEval_SetProfile(PyThreadState* tstate, Py_tracefunc func, PyObject* arg);
PyAPI_FUNC(void) _PyEval_StopTheWorld(PyInterpreterState* interp);
PyAPI_FUNC(void) _PyEval_StartTheWorld(PyInterpreterState* interp);
// Borrowed results do not occur here: new references; the Optional ones return 1, 0, or -1 with an exception.
PyAPI_FUNC(PyObject*) _PySys_GetRequiredAttr(PyObject*);
PyAPI_FUNC(PyObject*) _PySys_GetRequiredAttrString(const char*);
PyAPI_FUNC(int) _PySys_GetOptionalAttr(PyObject*, PyObject**);
PyAPI_FUNC(int) _PySys_GetOptionalAttrString(const char*, PyObject**);
PyAPI_FUNC(size_t) _PySys_GetSizeOf(PyObject*);
PyAPI_FUNC(int) _PyImport_SetModule(PyObject* name, PyObject* module);
PyAPI_FUNC(int) _PyCode_ReturnsOnlyNone(PyCodeObject*);

// ---- the slow halves of locks ----
PyAPI_FUNC(void) _PyCriticalSection_BeginSlow(PyCriticalSection* c, PyMutex* m);
PyAPI_FUNC(void)
    _PyCriticalSection2_BeginSlow(PyCriticalSection2* c, PyMutex* m1, PyMutex* m2, int is_m1_locked);
PyAPI_FUNC(void) _PyCriticalSection_Resume(PyThreadState* tstate);
PyAPI_FUNC(void) _PyCriticalSection_SuspendAll(PyThreadState* tstate);
typedef struct {
  uint8_t v;
} PyEvent;
PyAPI_FUNC(void) PyEvent_Wait(PyEvent* evt);
PyAPI_FUNC(int) PyEvent_WaitTimed(PyEvent* evt, PyTime_t timeout_ns, int detach);
PyAPI_FUNC(int) _PyEvent_IsSet(PyEvent* evt);
PyAPI_FUNC(void) _PyEvent_Notify(PyEvent* evt);

// ---- threads that can be joined ----
typedef unsigned long long PyThread_ident_t;
typedef Py_uintptr_t PyThread_handle_t;
PyAPI_FUNC(int) PyThread_start_joinable_thread(void (*func)(void*), void* arg, PyThread_ident_t* ident,
                                               PyThread_handle_t* handle);
PyAPI_FUNC(int) PyThread_join_thread(PyThread_handle_t);
PyAPI_FUNC(int) PyThread_detach_thread(PyThread_handle_t);
PyAPI_FUNC(PyThread_ident_t) PyThread_get_thread_ident_ex(void);
PyAPI_FUNC(PyLockStatus) PyThread_acquire_lock_timed_with_retries(PyThread_type_lock, long long microseconds);
// PY_LOCK_ACQUIRED, PY_LOCK_FAILURE when the time in nanoseconds is over (negative: never), PY_LOCK_INTR at a signal: with
// _PY_LOCK_HANDLE_SIGNALS if its Python handler has raised, with _PY_FAIL_IF_INTERRUPTED for any. Waits detached.
typedef enum {
  _Py_LOCK_DONT_DETACH = 0,
  _PY_LOCK_DETACH = 1,
  _PY_LOCK_HANDLE_SIGNALS = 2,
  _PY_FAIL_IF_INTERRUPTED = 4,
  _PY_LOCK_PYTHONLOCK = 8,
} _PyLockFlags;
PyAPI_FUNC(PyLockStatus) _PyMutex_LockTimed(PyMutex* m, PyTime_t timeout, _PyLockFlags flags);
PyAPI_FUNC(int) PyThread_ParseTimeoutArg(PyObject* arg, int blocking, long long* timeout);

// ---- the operating system: -1 with an exception, or without one for the noraise functions ----
PyAPI_FUNC(int) _Py_fstat(int fd, struct stat* status);
PyAPI_FUNC(int) _Py_fstat_noraise(int fd, struct stat* status);
PyAPI_FUNC(int) _Py_stat(PyObject* path, struct stat* status);
PyAPI_FUNC(int) _Py_open(const char* pathname, int flags);
PyAPI_FUNC(int) _Py_open_noraise(const char* pathname, int flags);
PyAPI_FUNC(Py_ssize_t) _Py_write(int fd, const void* buf, size_t count);
PyAPI_FUNC(Py_ssize_t) _Py_write_noraise(int fd, const void* buf, size_t count);
PyAPI_FUNC(int) _Py_dup(int fd);
PyAPI_FUNC(int) _Py_set_inheritable(int fd, int inheritable, int* atomic_flag_works);
PyAPI_FUNC(void) _Py_closerange(int first, int last);
PyAPI_FUNC(int) _Py_IsValidFD(int fd);
PyAPI_FUNC(int) _PyOS_IsMainThread(void);
PyAPI_FUNC(int) _PyOS_URandomNonblock(void* buffer, Py_ssize_t size);
PyAPI_FUNC(char*) _PyMem_Strdup(const char* str);
typedef enum {
  _PyTime_ROUND_FLOOR = 0,
  _PyTime_ROUND_CEILING = 1,
  _PyTime_ROUND_HALF_EVEN = 2,
  _PyTime_ROUND_UP = 3,
  _PyTime_ROUND_TIMEOUT = _PyTime_ROUND_UP
} _PyTime_round_t;
PyAPI_FUNC(PyTime_t) _PyTime_FromSeconds(int seconds);
PyAPI_FUNC(int) _PyTime_FromSecondsObject(PyTime_t* t, PyObject* obj, _PyTime_round_t round);
PyAPI_FUNC(int) _PyTime_FromMillisecondsObject(PyTime_t* t, PyObject* obj, _PyTime_round_t round);
PyAPI_FUNC(int) _PyTime_FromLong(PyTime_t* t, PyObject* obj);
PyAPI_FUNC(PyObject*) _PyTime_AsLong(PyTime_t t);
PyAPI_FUNC(PyTime_t) _PyTime_AsMicroseconds(PyTime_t t, _PyTime_round_t round);
PyAPI_FUNC(PyTime_t) _PyTime_AsMilliseconds(PyTime_t t, _PyTime_round_t round);
PyAPI_FUNC(int) _PyTime_AsTimeval(PyTime_t t, struct timeval* tv, _PyTime_round_t round);
PyAPI_FUNC(int) _PyTime_AsTimespec(PyTime_t t, struct timespec* ts);
PyAPI_FUNC(int) _PyTime_ObjectToTime_t(PyObject* obj, time_t* sec, _PyTime_round_t);
PyAPI_FUNC(int) _PyTime_ObjectToTimeval(PyObject* obj, time_t* sec, long* usec, _PyTime_round_t);
PyAPI_FUNC(int) _PyTime_ObjectToTimespec(PyObject* obj, time_t* sec, long* nsec, _PyTime_round_t);
PyAPI_FUNC(int) _PyTime_localtime(time_t t, struct tm* tm);
PyAPI_FUNC(int) _PyTime_gmtime(time_t t, struct tm* tm);
PyAPI_FUNC(PyTime_t) _PyDeadline_Init(PyTime_t timeout);
PyAPI_FUNC(PyTime_t) _PyDeadline_Get(PyTime_t deadline);

// ---- data ----
PyAPI_DATA(PyTypeObject) _PyNone_Type;
PyAPI_DATA(PyTypeObject) _PyNotImplemented_Type;
PyAPI_DATA(PyTypeObject) _PyUnion_Type;
PyAPI_DATA(unsigned char)
    _PyLong_DigitValue[256];      // value of an ASCII digit in bases up to 36, 37 for what is none
PyAPI_DATA(int) _Py_SwappedOp[];  // Py_LT to Py_GT and so on

Py_END_C_DECLS
#endif

#endif
