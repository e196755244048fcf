// Owns the operations on any object that are not an arithmetic, sequence or mapping protocol: attributes,
// comparison, hashing, text forms, life cycle hooks.
#ifndef AMPHIS_ABI_GENERIC_H
#define AMPHIS_ABI_GENERIC_H

#include "type.h"

Py_BEGIN_C_DECLS

// Attributes. Get: new reference or null with an exception. Set and Del: 0, or -1 with an exception; setting
// never steals. GetOptional: 1 with a new reference in *result, 0 with null there and no exception, -1 with
// an exception.
PyAPI_FUNC(PyObject*) PyObject_GetAttr(PyObject*, PyObject*);
PyAPI_FUNC(PyObject*) PyObject_GetAttrString(PyObject*, const char*);
PyAPI_FUNC(int) PyObject_SetAttr(PyObject*, PyObject*, PyObject*);
PyAPI_FUNC(int) PyObject_SetAttrString(PyObject*, const char*, PyObject*);
PyAPI_FUNC(int) PyObject_DelAttr(PyObject* v, PyObject* name);
PyAPI_FUNC(int) PyObject_DelAttrString(PyObject* v, const char* name);
#if _Py_SINCE(3, 13)
PyAPI_FUNC(int) PyObject_GetOptionalAttr(PyObject*, PyObject*, PyObject**);
PyAPI_FUNC(int) PyObject_GetOptionalAttrString(PyObject*, const char*, PyObject**);
PyAPI_FUNC(int) PyObject_HasAttrWithError(PyObject*, PyObject*);
PyAPI_FUNC(int) PyObject_HasAttrStringWithError(PyObject*, const char*);
#endif
// These two swallow every error.
PyAPI_FUNC(int) PyObject_HasAttr(PyObject*, PyObject*);
PyAPI_FUNC(int) PyObject_HasAttrString(PyObject*, const char*);
// Ready-made slot functions.
PyAPI_FUNC(PyObject*) PyObject_GenericGetAttr(PyObject*, PyObject*);
PyAPI_FUNC(int) PyObject_GenericSetAttr(PyObject*, PyObject*, PyObject*);
#if _Py_SINCE(3, 10)
PyAPI_FUNC(PyObject*) PyObject_GenericGetDict(PyObject*, void*);
#endif
#if _Py_SINCE(3, 3)
PyAPI_FUNC(int) PyObject_GenericSetDict(PyObject*, PyObject*, void*);
#endif
PyAPI_FUNC(PyObject*) PyObject_SelfIter(PyObject*);
PyAPI_FUNC(Py_hash_t) PyObject_HashNotImplemented(PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(Py_hash_t) PyObject_GenericHash(PyObject*);
PyAPI_FUNC(PyObject*) _PyObject_GenericGetAttrWithDict(PyObject*, PyObject*, PyObject*, int);
PyAPI_FUNC(int) _PyObject_GenericSetAttrWithDict(PyObject*, PyObject*, PyObject*, PyObject*);
PyAPI_FUNC(PyObject**) _PyObject_GetDictPtr(PyObject*);
PyAPI_FUNC(int) PyObject_VisitManagedDict(PyObject* obj, visitproc visit, void* arg);
PyAPI_FUNC(void) PyObject_ClearManagedDict(PyObject* obj);
PyAPI_FUNC(int) _PyObject_SetManagedDict(PyObject* obj, PyObject* new_dict);
#endif

// Comparison and truth: 1, 0, or -1 with an exception. RichCompare returns a new reference.
PyAPI_FUNC(PyObject*) PyObject_RichCompare(PyObject*, PyObject*, int);
PyAPI_FUNC(int) PyObject_RichCompareBool(PyObject*, PyObject*, int);
PyAPI_FUNC(int) PyObject_IsTrue(PyObject*);
PyAPI_FUNC(int) PyObject_Not(PyObject*);
PyAPI_FUNC(int) PyObject_IsInstance(PyObject* object, PyObject* typeorclass);
PyAPI_FUNC(int) PyObject_IsSubclass(PyObject* object, PyObject* typeorclass);
PyAPI_FUNC(int) PyCallable_Check(PyObject*);
// -1 with an exception is the only error value: no object hashes to -1.
PyAPI_FUNC(Py_hash_t) PyObject_Hash(PyObject*);

// Text forms and other conversions: new references.
PyAPI_FUNC(PyObject*) PyObject_Repr(PyObject*);
PyAPI_FUNC(PyObject*) PyObject_Str(PyObject*);
PyAPI_FUNC(PyObject*) PyObject_ASCII(PyObject*);
PyAPI_FUNC(PyObject*) PyObject_Bytes(PyObject*);
PyAPI_FUNC(PyObject*) PyObject_Format(PyObject* obj, PyObject* format_spec);
PyAPI_FUNC(PyObject*) PyObject_Dir(PyObject*);
PyAPI_FUNC(PyObject*) PyObject_Type(PyObject* o);
#ifndef Py_LIMITED_API
// Writes to a C stream: 0, or -1 with an exception.
PyAPI_FUNC(int) PyObject_Print(PyObject*, FILE*, int);
#endif
#define Py_PRINT_RAW 1
// Guard of repr() against cycles: 1 means already inside, 0 entered, -1 with an exception.
PyAPI_FUNC(int) Py_ReprEnter(PyObject*);
PyAPI_FUNC(void) Py_ReprLeave(PyObject*);

// Weak references to the object are cleared by its tp_dealloc; callbacks run inside the first of these.
PyAPI_FUNC(void) PyObject_ClearWeakRefs(PyObject*);
#ifndef Py_LIMITED_API
PyAPI_FUNC(void) PyUnstable_Object_ClearWeakRefsNoCallbacks(PyObject*);
PyAPI_FUNC(int) PyType_SUPPORTS_WEAKREFS(PyTypeObject* type);
PyAPI_FUNC(PyObject**) PyObject_GET_WEAKREFS_LISTPTR(PyObject* op);
#endif

// Fresh objects in memory that the caller allocated: the argument back, its type counted if that is a heap
// type.
PyAPI_FUNC(PyObject*) PyObject_Init(PyObject*, PyTypeObject*);
PyAPI_FUNC(PyVarObject*) PyObject_InitVar(PyVarObject*, PyTypeObject*, Py_ssize_t);
// Allocate and initialize: a new reference, or null with MemoryError.
PyAPI_FUNC(PyObject*) _PyObject_New(PyTypeObject*);
PyAPI_FUNC(PyVarObject*) _PyObject_NewVar(PyTypeObject*, Py_ssize_t);
#define PyObject_New(type, typeobj) ((type*)_PyObject_New(typeobj))
#define PyObject_NewVar(type, typeobj, n) ((type*)_PyObject_NewVar((typeobj), (n)))
#define PyObject_NEW(type, typeobj) PyObject_New(type, (typeobj))
#define PyObject_NEW_VAR(type, typeobj, n) PyObject_NewVar(type, (typeobj), (n))
#define PyObject_INIT(op, typeobj) PyObject_Init(_PyObject_CAST(op), (typeobj))
#define PyObject_INIT_VAR(op, typeobj, size) PyObject_InitVar(_PyVarObject_CAST(op), (typeobj), (size))
#ifndef Py_LIMITED_API
static inline size_t _PyObject_SIZE(PyTypeObject* type) {
  return (size_t)type->tp_basicsize;
}
static inline size_t _PyObject_VAR_SIZE(PyTypeObject* type, Py_ssize_t count) {
  size_t bytes = (size_t)type->tp_basicsize + (size_t)count * (size_t)type->tp_itemsize;
  return _Py_SIZE_ROUND_UP(bytes, SIZEOF_VOID_P);
}

// Run tp_finalize once; the second returns -1 if that revived the object.
PyAPI_FUNC(void) PyObject_CallFinalizer(PyObject*);
PyAPI_FUNC(int) PyObject_CallFinalizerFromDealloc(PyObject*);
// Deallocation of deeply nested containers is flattened by _Py_Dealloc, so these mark nothing in either ABI.
#define Py_TRASHCAN_BEGIN(op, dealloc)
#define Py_TRASHCAN_END
PyAPI_FUNC(void) _PyTrash_thread_deposit_object(PyThreadState* tstate, PyObject* op);
PyAPI_FUNC(void) _PyTrash_thread_destroy_chain(PyThreadState* tstate);
PyAPI_FUNC(int) _Py_ReachedRecursionLimitWithMargin(PyThreadState* tstate, int margin_count);

// Debugging aids.
PyAPI_FUNC(void) _PyObject_Dump(PyObject*);
PyAPI_FUNC(void) _Py_BreakPoint(void);
PyAPI_FUNC(PyObject*) _PyObject_FunctionStr(PyObject*);
_Py_NO_RETURN PyAPI_FUNC(void) _PyObject_AssertFailed(PyObject* obj, const char* expr, const char* msg,
                                                      const char* file, int line, const char* function);
#endif
#ifdef NDEBUG
#define _PyObject_ASSERT_FROM(obj, expression, message, file, line, function) ((void)0)
#else
#define _PyObject_ASSERT_FROM(obj, expression, message, file, line, function) \
  ((expression)                                                               \
       ? (void)0                                                              \
       : _PyObject_AssertFailed((obj), Py_STRINGIFY(expression), (message), (file), (line), (function)))
#endif
#ifndef Py_LIMITED_API
#define _PyObject_ASSERT_WITH_MSG(obj, expression, message) \
  _PyObject_ASSERT_FROM((obj), expression, (message), __FILE__, __LINE__, __func__)
#define _PyObject_ASSERT(obj, expression) _PyObject_ASSERT_WITH_MSG((obj), expression, _Py_NULL)
#define _PyObject_ASSERT_FAILED_MSG(obj, message) \
  _PyObject_AssertFailed((obj), _Py_NULL, (message), __FILE__, __LINE__, __func__)

// Names that the runtime interns on first use, once per process and place in the code.
typedef struct _Py_Identifier {
  const char* string;
  Py_ssize_t index;
  struct {
    uint8_t v;
  } mutex;
} _Py_Identifier;
#define _Py_static_string_init(value) {(value), -1, {0}}
#define _Py_static_string(variable, value) static _Py_Identifier variable = _Py_static_string_init(value)
#define _Py_IDENTIFIER(name) _Py_static_string(PyId_##name, #name)
PyAPI_FUNC(PyObject*) _PyObject_GetAttrId(PyObject*, _Py_Identifier*);
#endif

Py_END_C_DECLS

#endif
