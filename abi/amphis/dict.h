// Owns dict, its views and OrderedDict.
#ifndef AMPHIS_ABI_DICT_H
#define AMPHIS_ABI_DICT_H

#include "tuple.h"

Py_BEGIN_C_DECLS

#ifndef Py_LIMITED_API
typedef struct _dictkeysobject PyDictKeysObject;
typedef struct _dictvalues PyDictValues;
typedef struct {
  PyObject_HEAD Py_ssize_t ma_used;
  uint64_t _ma_watcher_tag;
  PyDictKeysObject* ma_keys;
  PyDictValues* ma_values;
} PyDictObject;
#endif
PyAPI_DATA(PyTypeObject) PyDict_Type;
PyAPI_DATA(PyTypeObject) PyDictKeys_Type;
PyAPI_DATA(PyTypeObject) PyDictValues_Type;
PyAPI_DATA(PyTypeObject) PyDictItems_Type;
PyAPI_DATA(PyTypeObject) PyDictIterKey_Type;
PyAPI_DATA(PyTypeObject) PyDictIterValue_Type;
PyAPI_DATA(PyTypeObject) PyDictIterItem_Type;
PyAPI_DATA(PyTypeObject) PyDictRevIterKey_Type;
PyAPI_DATA(PyTypeObject) PyDictRevIterItem_Type;
PyAPI_DATA(PyTypeObject) PyDictRevIterValue_Type;
#define PyDict_Check(op) PyType_FastSubclass(Py_TYPE(op), Py_TPFLAGS_DICT_SUBCLASS)
#define PyDict_CheckExact(op) Py_IS_TYPE((op), &PyDict_Type)
#define PyDictKeys_Check(op) PyObject_TypeCheck((op), &PyDictKeys_Type)
#define PyDictValues_Check(op) PyObject_TypeCheck((op), &PyDictValues_Type)
#define PyDictItems_Check(op) PyObject_TypeCheck((op), &PyDictItems_Type)
#define PyDictViewSet_Check(op) (PyDictKeys_Check(op) || PyDictItems_Check(op))
#ifndef Py_LIMITED_API
static inline Py_ssize_t PyDict_GET_SIZE(PyObject* op) {
  assert(PyDict_Check(op));
  return _Py_LOAD_SHARED(((PyDictObject*)op)->ma_used);
}
#define PyDict_GET_SIZE(op) PyDict_GET_SIZE(_PyObject_CAST(op))
#endif

// New references.
PyAPI_FUNC(PyObject*) PyDict_New(void);
PyAPI_FUNC(PyObject*) PyDict_Copy(PyObject* mp);
PyAPI_FUNC(PyObject*) PyDict_Keys(PyObject* mp);
PyAPI_FUNC(PyObject*) PyDict_Values(PyObject* mp);
PyAPI_FUNC(PyObject*) PyDict_Items(PyObject* mp);
PyAPI_FUNC(PyObject*) PyDictProxy_New(PyObject*);
PyAPI_FUNC(Py_ssize_t) PyDict_Size(PyObject* mp);
#if _Py_SINCE(3, 13)
// Found: 1 and a new reference in *result; 0 and null; -1 with an exception.
PyAPI_FUNC(int) PyDict_GetItemRef(PyObject* mp, PyObject* key, PyObject** result);
PyAPI_FUNC(int) PyDict_GetItemStringRef(PyObject* mp, const char* key, PyObject** result);
#endif
// Borrowed. Null: absent, and for ...WithError also a failure with an exception; the other two swallow
// errors.
PyAPI_FUNC(PyObject*) PyDict_GetItemWithError(PyObject* mp, PyObject* key);
PyAPI_FUNC(PyObject*) PyDict_GetItem(PyObject* mp, PyObject* key);
PyAPI_FUNC(PyObject*) PyDict_GetItemString(PyObject* dp, const char* key);
// 1, 0, or -1 with an exception.
PyAPI_FUNC(int) PyDict_Contains(PyObject* mp, PyObject* key);
#ifndef Py_LIMITED_API
PyAPI_FUNC(int) PyDict_ContainsString(PyObject* mp, const char* key);
#endif
// 0, or -1 with an exception. Nothing is stolen.
PyAPI_FUNC(int) PyDict_SetItem(PyObject* mp, PyObject* key, PyObject* item);
PyAPI_FUNC(int) PyDict_SetItemString(PyObject* dp, const char* key, PyObject* item);
PyAPI_FUNC(int) PyDict_DelItem(PyObject* mp, PyObject* key);
PyAPI_FUNC(int) PyDict_DelItemString(PyObject* dp, const char* key);
PyAPI_FUNC(int) PyDict_Update(PyObject* mp, PyObject* other);
PyAPI_FUNC(int) PyDict_Merge(PyObject* mp, PyObject* other, int override);
PyAPI_FUNC(int) PyDict_MergeFromSeq2(PyObject* d, PyObject* seq2, int override);
PyAPI_FUNC(void) PyDict_Clear(PyObject* mp);
#ifndef Py_LIMITED_API
// SetDefault borrows; SetDefaultRef: 1 present, 0 inserted, -1 error, with a new reference in *result unless
// that is null.
PyAPI_FUNC(PyObject*) PyDict_SetDefault(PyObject* mp, PyObject* key, PyObject* defaultobj);
PyAPI_FUNC(int) PyDict_SetDefaultRef(PyObject* mp, PyObject* key, PyObject* default_value, PyObject** result);
// 1 with the value's reference handed over in *result, 0 absent, -1 with an exception.
PyAPI_FUNC(int) PyDict_Pop(PyObject* dict, PyObject* key, PyObject** result);
PyAPI_FUNC(int) PyDict_PopString(PyObject* dict, const char* key, PyObject** result);
#endif
// Borrowed key and value; the dict may not change size meanwhile, nor may other threads change it.
PyAPI_FUNC(int) PyDict_Next(PyObject* mp, Py_ssize_t* pos, PyObject** key, PyObject** value);

#ifndef Py_LIMITED_API
#define PY_FOREACH_DICT_EVENT(V) V(ADDED) V(MODIFIED) V(DELETED) V(CLONED) V(CLEARED) V(DEALLOCATED)
typedef enum {
#define PY_DEFINE_EVENT(event) PyDict_EVENT_##event,
  PY_FOREACH_DICT_EVENT(PY_DEFINE_EVENT)
#undef PY_DEFINE_EVENT
} PyDict_WatchEvent;
typedef int (*PyDict_WatchCallback)(PyDict_WatchEvent event, PyObject* dict, PyObject* key,
                                    PyObject* new_value);
PyAPI_FUNC(int) PyDict_AddWatcher(PyDict_WatchCallback callback);
PyAPI_FUNC(int) PyDict_ClearWatcher(int watcher_id);
PyAPI_FUNC(int) PyDict_Watch(int watcher_id, PyObject* dict);
PyAPI_FUNC(int) PyDict_Unwatch(int watcher_id, PyObject* dict);

// Private, but used by generated code.
PyAPI_FUNC(PyObject*) _PyDict_GetItem_KnownHash(PyObject* mp, PyObject* key, Py_hash_t hash);
Py_DEPRECATED() PyAPI_FUNC(PyObject*) _PyDict_GetItemStringWithError(PyObject*, const char*);
PyAPI_FUNC(PyObject*) _PyDict_NewPresized(Py_ssize_t minused);
Py_DEPRECATED() PyAPI_FUNC(PyObject*) _PyDict_Pop(PyObject* dict, PyObject* key, PyObject* default_value);

typedef struct _odictobject PyODictObject;
PyAPI_DATA(PyTypeObject) PyODict_Type;
PyAPI_DATA(PyTypeObject) PyODictIter_Type;
PyAPI_DATA(PyTypeObject) PyODictKeys_Type;
PyAPI_DATA(PyTypeObject) PyODictItems_Type;
PyAPI_DATA(PyTypeObject) PyODictValues_Type;
#define PyODict_Check(op) PyObject_TypeCheck((op), &PyODict_Type)
#define PyODict_CheckExact(op) Py_IS_TYPE((op), &PyODict_Type)
#define PyODict_SIZE(op) PyDict_GET_SIZE((op))
PyAPI_FUNC(PyObject*) PyODict_New(void);
PyAPI_FUNC(int) PyODict_SetItem(PyObject* od, PyObject* key, PyObject* item);
PyAPI_FUNC(int) PyODict_DelItem(PyObject* od, PyObject* key);
#define PyODict_GetItem(od, key) PyDict_GetItem(_PyObject_CAST(od), (key))
#define PyODict_GetItemWithError(od, key) PyDict_GetItemWithError(_PyObject_CAST(od), (key))
#define PyODict_GetItemString(od, key) PyDict_GetItemString(_PyObject_CAST(od), (key))
#define PyODict_Contains(od, key) PyDict_Contains(_PyObject_CAST(od), (key))
#define PyODict_Size(od) PyDict_Size(_PyObject_CAST(od))
#endif

Py_END_C_DECLS

#endif
