// Owns the type object: slot signatures, the slot tables, flags, and making types from specs.
#ifndef AMPHIS_ABI_TYPE_H
#define AMPHIS_ABI_TYPE_H

#include "buffer.h"

Py_BEGIN_C_DECLS

    // ---- slot signatures ----
typedef PyObject* (*unaryfunc)(PyObject*);
typedef PyObject* (*binaryfunc)(PyObject*, PyObject*);
typedef PyObject* (*ternaryfunc)(PyObject*, PyObject*, PyObject*);
typedef int (*inquiry)(PyObject*);
typedef Py_ssize_t (*lenfunc)(PyObject*);
typedef PyObject* (*ssizeargfunc)(PyObject*, Py_ssize_t);
typedef PyObject* (*ssizessizeargfunc)(PyObject*, Py_ssize_t, Py_ssize_t);
typedef int (*ssizeobjargproc)(PyObject*, Py_ssize_t, PyObject*);
typedef int (*ssizessizeobjargproc)(PyObject*, Py_ssize_t, Py_ssize_t, PyObject*);
typedef int (*objobjargproc)(PyObject*, PyObject*, PyObject*);
typedef int (*objobjproc)(PyObject*, PyObject*);
typedef int (*visitproc)(PyObject*, void*);
typedef int (*traverseproc)(PyObject*, visitproc, void*);
typedef void (*freefunc)(void*);
typedef void (*destructor)(PyObject*);
typedef PyObject* (*getattrfunc)(PyObject*, char*);
typedef PyObject* (*getattrofunc)(PyObject*, PyObject*);
typedef int (*setattrfunc)(PyObject*, char*, PyObject*);
typedef int (*setattrofunc)(PyObject*, PyObject*, PyObject*);
typedef PyObject* (*reprfunc)(PyObject*);
typedef Py_hash_t (*hashfunc)(PyObject*);
typedef PyObject* (*richcmpfunc)(PyObject*, PyObject*, int);
typedef PyObject* (*getiterfunc)(PyObject*);
typedef PyObject* (*iternextfunc)(PyObject*);
typedef PyObject* (*descrgetfunc)(PyObject*, PyObject*, PyObject*);
typedef int (*descrsetfunc)(PyObject*, PyObject*, PyObject*);
typedef int (*initproc)(PyObject*, PyObject*, PyObject*);
typedef PyObject* (*newfunc)(PyTypeObject*, PyObject*, PyObject*);
typedef PyObject* (*allocfunc)(PyTypeObject*, Py_ssize_t);
#if _Py_SINCE(3, 12)
typedef PyObject* (*vectorcallfunc)(PyObject* callable, PyObject* const* args, size_t nargsf,
                                    PyObject* kwnames);
#endif
#ifndef Py_LIMITED_API
typedef Py_ssize_t printfunc;
#endif
#if _Py_SINCE(3, 10)
typedef enum { PYGEN_RETURN = 0, PYGEN_ERROR = -1, PYGEN_NEXT = 1 } PySendResult;
#endif
#ifndef Py_LIMITED_API
typedef PySendResult (*sendfunc)(PyObject* iter, PyObject* value, PyObject** result);
#endif
typedef PyObject* (*getter)(PyObject*, void*);
typedef int (*setter)(PyObject*, PyObject*, void*);

// Used inside tp_traverse, where the parameters are called `visit` and `arg`.
#define Py_VISIT(op)                                 \
  do {                                               \
    if (op) {                                        \
      int _py_stop = visit(_PyObject_CAST(op), arg); \
      if (_py_stop) return _py_stop;                 \
    }                                                \
  } while (0)

// ---- slot tables ----
#ifndef Py_LIMITED_API
typedef struct {
  binaryfunc nb_add;
  binaryfunc nb_subtract;
  binaryfunc nb_multiply;
  binaryfunc nb_remainder;
  binaryfunc nb_divmod;
  ternaryfunc nb_power;
  unaryfunc nb_negative;
  unaryfunc nb_positive;
  unaryfunc nb_absolute;
  inquiry nb_bool;
  unaryfunc nb_invert;
  binaryfunc nb_lshift;
  binaryfunc nb_rshift;
  binaryfunc nb_and;
  binaryfunc nb_xor;
  binaryfunc nb_or;
  unaryfunc nb_int;
  void* nb_reserved;
  unaryfunc nb_float;
  binaryfunc nb_inplace_add;
  binaryfunc nb_inplace_subtract;
  binaryfunc nb_inplace_multiply;
  binaryfunc nb_inplace_remainder;
  ternaryfunc nb_inplace_power;
  binaryfunc nb_inplace_lshift;
  binaryfunc nb_inplace_rshift;
  binaryfunc nb_inplace_and;
  binaryfunc nb_inplace_xor;
  binaryfunc nb_inplace_or;
  binaryfunc nb_floor_divide;
  binaryfunc nb_true_divide;
  binaryfunc nb_inplace_floor_divide;
  binaryfunc nb_inplace_true_divide;
  unaryfunc nb_index;
  binaryfunc nb_matrix_multiply;
  binaryfunc nb_inplace_matrix_multiply;
} PyNumberMethods;
typedef struct {
  lenfunc sq_length;
  binaryfunc sq_concat;
  ssizeargfunc sq_repeat;
  ssizeargfunc sq_item;
  void* was_sq_slice;
  ssizeobjargproc sq_ass_item;
  void* was_sq_ass_slice;
  objobjproc sq_contains;
  binaryfunc sq_inplace_concat;
  ssizeargfunc sq_inplace_repeat;
} PySequenceMethods;
typedef struct {
  lenfunc mp_length;
  binaryfunc mp_subscript;
  objobjargproc mp_ass_subscript;
} PyMappingMethods;
typedef struct {
  unaryfunc am_await;
  unaryfunc am_aiter;
  unaryfunc am_anext;
  sendfunc am_send;
} PyAsyncMethods;
typedef struct {
  getbufferproc bf_getbuffer;
  releasebufferproc bf_releasebuffer;
} PyBufferProcs;
#endif

// ---- what a type lists: methods are in cfunction.h, these two describe data ----
struct PyGetSetDef {
  const char* name;
  getter get;
  setter set;
  const char* doc;
  void* closure;
};
struct PyMemberDef {
  const char* name;
  int type;  // Py_T_*
  Py_ssize_t offset;
  int flags;
  const char* doc;
};
#define Py_T_SHORT 0
#define Py_T_INT 1
#define Py_T_LONG 2
#define Py_T_FLOAT 3
#define Py_T_DOUBLE 4
#define Py_T_STRING 5
#define _Py_T_OBJECT 6
#define Py_T_CHAR 7
#define Py_T_BYTE 8
#define Py_T_UBYTE 9
#define Py_T_USHORT 10
#define Py_T_UINT 11
#define Py_T_ULONG 12
#define Py_T_STRING_INPLACE 13
#define Py_T_BOOL 14
#define Py_T_OBJECT_EX 16
#define Py_T_LONGLONG 17
#define Py_T_ULONGLONG 18
#define Py_T_PYSSIZET 19
#define _Py_T_NONE 20
#define Py_READONLY 1
#define Py_AUDIT_READ 2
#define _Py_WRITE_RESTRICTED 4
#define Py_RELATIVE_OFFSET 8
// Reading gives a new reference, null with AttributeError for an empty Py_T_OBJECT_EX; writing 0 or -1.
PyAPI_FUNC(PyObject*) PyMember_GetOne(const char*, PyMemberDef*);
PyAPI_FUNC(int) PyMember_SetOne(char*, PyMemberDef*, PyObject*);

// ---- the type object ----
#ifndef Py_LIMITED_API
struct _typeobject {
  PyObject_VAR_HEAD const char* tp_name;  // "module.Name"
  Py_ssize_t tp_basicsize;
  Py_ssize_t tp_itemsize;
  destructor tp_dealloc;
  Py_ssize_t tp_vectorcall_offset;
  getattrfunc tp_getattr;
  setattrfunc tp_setattr;
  PyAsyncMethods* tp_as_async;
  reprfunc tp_repr;
  PyNumberMethods* tp_as_number;
  PySequenceMethods* tp_as_sequence;
  PyMappingMethods* tp_as_mapping;
  hashfunc tp_hash;
  ternaryfunc tp_call;
  reprfunc tp_str;
  getattrofunc tp_getattro;
  setattrofunc tp_setattro;
  PyBufferProcs* tp_as_buffer;
  unsigned long tp_flags;
  const char* tp_doc;
  traverseproc tp_traverse;
  inquiry tp_clear;
  richcmpfunc tp_richcompare;
  Py_ssize_t tp_weaklistoffset;
  getiterfunc tp_iter;
  iternextfunc tp_iternext;
  PyMethodDef* tp_methods;
  PyMemberDef* tp_members;
  PyGetSetDef* tp_getset;
  PyTypeObject* tp_base;
  PyObject* tp_dict;
  descrgetfunc tp_descr_get;
  descrsetfunc tp_descr_set;
  Py_ssize_t tp_dictoffset;
  initproc tp_init;
  allocfunc tp_alloc;
  newfunc tp_new;
  freefunc tp_free;
  inquiry tp_is_gc;
  PyObject* tp_bases;
  PyObject* tp_mro;
  PyObject* tp_cache;
  void* tp_subclasses;
  PyObject* tp_weaklist;
  destructor tp_del;
  unsigned int tp_version_tag;  // 0: not assigned
  destructor tp_finalize;
  vectorcallfunc tp_vectorcall;
  unsigned char tp_watched;
  uint16_t tp_versions_used;
};

struct _specialization_cache {
  PyObject* getitem;
  uint32_t getitem_version;
  PyObject* init;
};

// A type made at run time: the slot tables lie inside it. Members of the metatype follow at tp_basicsize of
// the metatype.
typedef struct _heaptypeobject {
  PyTypeObject ht_type;
  PyAsyncMethods as_async;
  PyNumberMethods as_number;
  PyMappingMethods as_mapping;
  PySequenceMethods as_sequence;
  PyBufferProcs as_buffer;
  PyObject* ht_name;
  PyObject* ht_slots;
  PyObject* ht_qualname;
  struct _dictkeysobject* ht_cached_keys;
  PyObject* ht_module;
  char* _ht_tpname;
  void* ht_token;
  struct _specialization_cache _spec_cache;
  _Py_FREE_ONLY(Py_ssize_t unique_id;)
} PyHeapTypeObject;

// ---- tp_flags ----
#define _Py_TPFLAGS_STATIC_BUILTIN (1 << 1)
#endif
#define Py_TPFLAGS_HAVE_FINALIZE (1UL << 0)
#ifndef Py_LIMITED_API
#define Py_TPFLAGS_INLINE_VALUES (1 << 2)
#define Py_TPFLAGS_MANAGED_WEAKREF (1 << 3)
#define Py_TPFLAGS_MANAGED_DICT (1 << 4)
#define Py_TPFLAGS_PREHEADER (Py_TPFLAGS_MANAGED_WEAKREF | Py_TPFLAGS_MANAGED_DICT)
#define Py_TPFLAGS_SEQUENCE (1 << 5)
#define Py_TPFLAGS_MAPPING (1 << 6)
#endif
#define Py_TPFLAGS_DISALLOW_INSTANTIATION (1UL << 7)
#define Py_TPFLAGS_IMMUTABLETYPE (1UL << 8)
#define Py_TPFLAGS_HEAPTYPE (1UL << 9)
#define Py_TPFLAGS_BASETYPE (1UL << 10)
#if _Py_SINCE(3, 12)
#define Py_TPFLAGS_HAVE_VECTORCALL (1UL << 11)
#endif
#ifndef Py_LIMITED_API
#define _Py_TPFLAGS_HAVE_VECTORCALL Py_TPFLAGS_HAVE_VECTORCALL
#endif
#define Py_TPFLAGS_READY (1UL << 12)
#define Py_TPFLAGS_READYING (1UL << 13)
#define Py_TPFLAGS_HAVE_GC (1UL << 14)
#define Py_TPFLAGS_HAVE_STACKLESS_EXTENSION 0
#define Py_TPFLAGS_METHOD_DESCRIPTOR (1UL << 17)
#define Py_TPFLAGS_HAVE_VERSION_TAG (1UL << 18)
#define Py_TPFLAGS_VALID_VERSION_TAG (1UL << 19)
#define Py_TPFLAGS_IS_ABSTRACT (1UL << 20)
#define _Py_TPFLAGS_MATCH_SELF (1UL << 22)
#define Py_TPFLAGS_ITEMS_AT_END (1UL << 23)
#define Py_TPFLAGS_LONG_SUBCLASS (1UL << 24)
#define Py_TPFLAGS_LIST_SUBCLASS (1UL << 25)
#define Py_TPFLAGS_TUPLE_SUBCLASS (1UL << 26)
#define Py_TPFLAGS_BYTES_SUBCLASS (1UL << 27)
#define Py_TPFLAGS_UNICODE_SUBCLASS (1UL << 28)
#define Py_TPFLAGS_DICT_SUBCLASS (1UL << 29)
#define Py_TPFLAGS_BASE_EXC_SUBCLASS (1UL << 30)
#define Py_TPFLAGS_TYPE_SUBCLASS (1UL << 31)
#define Py_TPFLAGS_DEFAULT (Py_TPFLAGS_HAVE_STACKLESS_EXTENSION | 0)

// ---- specs ----
typedef struct {
  int slot;
  void* pfunc;
} PyType_Slot;
typedef struct {
  const char* name;
  int basicsize;
  int itemsize;
  unsigned int flags;
  PyType_Slot* slots;  // ends with slot 0
} PyType_Spec;
#if _Py_SINCE(3, 14)
#define Py_TP_USE_SPEC _Py_NULL
#endif

// Slot numbers: the ABI fixes them.
#define Py_bf_getbuffer 1
#define Py_bf_releasebuffer 2
#define Py_mp_ass_subscript 3
#define Py_mp_length 4
#define Py_mp_subscript 5
#define Py_nb_absolute 6
#define Py_nb_add 7
#define Py_nb_and 8
#define Py_nb_bool 9
#define Py_nb_divmod 10
#define Py_nb_float 11
#define Py_nb_floor_divide 12
#define Py_nb_index 13
#define Py_nb_inplace_add 14
#define Py_nb_inplace_and 15
#define Py_nb_inplace_floor_divide 16
#define Py_nb_inplace_lshift 17
#define Py_nb_inplace_multiply 18
#define Py_nb_inplace_or 19
#define Py_nb_inplace_power 20
#define Py_nb_inplace_remainder 21
#define Py_nb_inplace_rshift 22
#define Py_nb_inplace_subtract 23
#define Py_nb_inplace_true_divide 24
#define Py_nb_inplace_xor 25
#define Py_nb_int 26
#define Py_nb_invert 27
#define Py_nb_lshift 28
#define Py_nb_multiply 29
#define Py_nb_negative 30
#define Py_nb_or 31
#define Py_nb_positive 32
#define Py_nb_power 33
#define Py_nb_remainder 34
#define Py_nb_rshift 35
#define Py_nb_subtract 36
#define Py_nb_true_divide 37
#define Py_nb_xor 38
#define Py_sq_ass_item 39
#define Py_sq_concat 40
#define Py_sq_contains 41
#define Py_sq_inplace_concat 42
#define Py_sq_inplace_repeat 43
#define Py_sq_item 44
#define Py_sq_length 45
#define Py_sq_repeat 46
#define Py_tp_alloc 47
#define Py_tp_base 48
#define Py_tp_bases 49
#define Py_tp_call 50
#define Py_tp_clear 51
#define Py_tp_dealloc 52
#define Py_tp_del 53
#define Py_tp_descr_get 54
#define Py_tp_descr_set 55
#define Py_tp_doc 56
#define Py_tp_getattr 57
#define Py_tp_getattro 58
#define Py_tp_hash 59
#define Py_tp_init 60
#define Py_tp_is_gc 61
#define Py_tp_iter 62
#define Py_tp_iternext 63
#define Py_tp_methods 64
#define Py_tp_new 65
#define Py_tp_repr 66
#define Py_tp_richcompare 67
#define Py_tp_setattr 68
#define Py_tp_setattro 69
#define Py_tp_str 70
#define Py_tp_traverse 71
#define Py_tp_members 72
#define Py_tp_getset 73
#define Py_tp_free 74
#define Py_nb_matrix_multiply 75
#define Py_nb_inplace_matrix_multiply 76
#define Py_am_await 77
#define Py_am_aiter 78
#define Py_am_anext 79
#if _Py_SINCE(3, 5)
#define Py_tp_finalize 80
#endif
#if _Py_SINCE(3, 10)
#define Py_am_send 81
#endif
#if _Py_SINCE(3, 14)
#define Py_tp_vectorcall 82
#define Py_tp_token 83
#endif

// ---- the basic types ----
PyAPI_DATA(PyTypeObject) PyType_Type;
PyAPI_DATA(PyTypeObject) PyBaseObject_Type;
PyAPI_DATA(PyTypeObject) PySuper_Type;

PyAPI_FUNC(unsigned long) PyType_GetFlags(PyTypeObject*);
PyAPI_FUNC(int) PyType_IsSubtype(PyTypeObject*, PyTypeObject*);
static inline int PyType_HasFeature(PyTypeObject* type, unsigned long feature) {
#ifdef Py_LIMITED_API
  return (PyType_GetFlags(type) & feature) != 0;
#else
  return (_Py_LOAD_SHARED(type->tp_flags) & feature) != 0;
#endif
}
#define PyType_FastSubclass(type, flag) PyType_HasFeature((type), (flag))
static inline int PyType_Check(PyObject* op) {
  return PyType_FastSubclass(Py_TYPE(op), Py_TPFLAGS_TYPE_SUBCLASS);
}
#ifndef Py_LIMITED_API
#define PyType_Check(op) PyType_Check(_PyObject_CAST(op))
#endif
static inline int PyType_CheckExact(PyObject* op) {
  return Py_IS_TYPE(op, &PyType_Type);
}
#ifndef Py_LIMITED_API
#define PyType_CheckExact(op) PyType_CheckExact(_PyObject_CAST(op))
#endif
#define _PyType_CAST(op) (assert(PyType_Check(op)), _Py_CAST(PyTypeObject*, (op)))
static inline int PyObject_TypeCheck(PyObject* ob, PyTypeObject* type) {
  return Py_IS_TYPE(ob, type) || PyType_IsSubtype(Py_TYPE(ob), type);
}
#ifndef Py_LIMITED_API
#define PyObject_TypeCheck(ob, type) PyObject_TypeCheck(_PyObject_CAST(ob), (type))
#endif
#define PyType_IS_GC(type) PyType_HasFeature((type), Py_TPFLAGS_HAVE_GC)

// Making types: a new reference, or null with an exception. The spec may go away afterwards, its strings may
// not.
PyAPI_FUNC(PyObject*) PyType_FromSpec(PyType_Spec*);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*) PyType_FromSpecWithBases(PyType_Spec*, PyObject*);
#endif
#if _Py_SINCE(3, 9)
PyAPI_FUNC(PyObject*) PyType_FromModuleAndSpec(PyObject*, PyType_Spec*, PyObject*);
#endif
#if _Py_SINCE(3, 12)
PyAPI_FUNC(PyObject*) PyType_FromMetaclass(PyTypeObject*, PyObject*, PyType_Spec*, PyObject*);
#endif
// Completing and sealing a type: 0, or -1 with an exception.
PyAPI_FUNC(int) PyType_Ready(PyTypeObject*);
#if _Py_SINCE(3, 14)
PyAPI_FUNC(int) PyType_Freeze(PyTypeObject* type);
#endif
// tp_alloc and tp_new for plain types: new references.
PyAPI_FUNC(PyObject*) PyType_GenericAlloc(PyTypeObject*, Py_ssize_t);
PyAPI_FUNC(PyObject*) PyType_GenericNew(PyTypeObject*, PyObject*, PyObject*);
#if _Py_SINCE(3, 11)
// Names and the namespace of a type: new references.
PyAPI_FUNC(PyObject*) PyType_GetName(PyTypeObject*);
PyAPI_FUNC(PyObject*) PyType_GetQualName(PyTypeObject*);
#endif
#if _Py_SINCE(3, 13)
PyAPI_FUNC(PyObject*) PyType_GetFullyQualifiedName(PyTypeObject* type);
PyAPI_FUNC(PyObject*) PyType_GetModuleName(PyTypeObject* type);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(PyObject*) PyType_GetDict(PyTypeObject*);
#endif
#if _Py_SINCE(3, 9)
// The module a type belongs to: borrowed, null with TypeError if it has none. ..._GetModuleByDef searches the
// MRO.
PyAPI_FUNC(PyObject*) PyType_GetModule(PyTypeObject*);
PyAPI_FUNC(void*) PyType_GetModuleState(PyTypeObject*);
#endif
#if _Py_SINCE(3, 13)
PyAPI_FUNC(PyObject*) PyType_GetModuleByDef(PyTypeObject*, PyModuleDef*);
#endif
#if _Py_SINCE(3, 4)
PyAPI_FUNC(void*) PyType_GetSlot(PyTypeObject*, int);
#endif
#if _Py_SINCE(3, 12)
PyAPI_FUNC(Py_ssize_t) PyType_GetTypeDataSize(PyTypeObject* cls);
PyAPI_FUNC(void*) PyObject_GetTypeData(PyObject* obj, PyTypeObject* cls);
#endif
#ifndef Py_LIMITED_API
PyAPI_FUNC(void*) PyObject_GetItemData(PyObject* obj);
#endif
#if _Py_SINCE(3, 14)
// Found: 1 and a new reference in *result (which may be null if unwanted); 0 not found; -1 with an exception.
PyAPI_FUNC(int) PyType_GetBaseByToken(PyTypeObject*, void*, PyTypeObject**);
#endif
// Caches: call PyType_Modified after changing a type's slots or dictionary by hand.
PyAPI_FUNC(void) PyType_Modified(PyTypeObject*);
PyAPI_FUNC(unsigned int) PyType_ClearCache(void);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyUnstable_Type_AssignVersionTag(PyTypeObject* type);

typedef int (*PyType_WatchCallback)(PyTypeObject*);
// Watchers hear of the first change after each registration. -1 with an exception on a bad id.
PyAPI_FUNC(int) PyType_AddWatcher(PyType_WatchCallback callback);
PyAPI_FUNC(int) PyType_ClearWatcher(int watcher_id);
PyAPI_FUNC(int) PyType_Watch(int watcher_id, PyObject* type);
PyAPI_FUNC(int) PyType_Unwatch(int watcher_id, PyObject* type);

// Lookup along the MRO without descriptors or errors: borrowed, and a new reference. Null without an
// exception: absent.
PyAPI_FUNC(PyObject*) _PyType_Lookup(PyTypeObject*, PyObject*);
PyAPI_FUNC(PyObject*) _PyType_LookupRef(PyTypeObject*, PyObject*);
PyAPI_FUNC(const char*) _PyType_Name(PyTypeObject*);
#endif

Py_END_C_DECLS

#endif
