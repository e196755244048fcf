// Function objects: creation, attributes, annotations computed on demand (PEP 649), and their C API.
#include "objects/function.h"

#include "objects/code.h"
#include "objects/dict.h"
#include "objects/names.h"
#include "objects/watchers.h"
#include "sync/atomic_field.h"
#include "sync/deferred.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/retire.h"
#include "sync/shared_slot.h"

namespace amphis {

vectorcallfunc function_entry = nullptr;

namespace {

PyFunctionObject* as_function(PyObject* o) { return reinterpret_cast<PyFunctionObject*>(o); }

// Calls go through this, so that functions made before the interpreter registered its entry work too.
PyObject* function_call(PyObject* function, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  return function_entry(function, args, nargsf, kwnames);
}

// globals[name] as a new reference, with *word for the next time. 1, 0 (null) or -1.
int look_up(PyObject* globals, PyObject* name, uint64_t* word, PyObject** found) {
  if (!PyDict_CheckExact(globals)) return PyMapping_GetOptionalItem(globals, name, found);
  auto* dict = reinterpret_cast<PyDictObject*>(globals);
  *found = dict_get_by_word(dict, sync::load_relaxed(*word));
  if (*found != nullptr) return 1;
  const uint32_t version = dict_keys_version(dict);
  const Py_ssize_t index = version != 0 ? dict_lookup_index_str(dict, name) : -1;
  if (index >= 0) sync::store_relaxed(*word, dict_cache_word(dict, version, index));
  return PyDict_GetItemRef(globals, name, found);
}

PyObject* builtins_of(PyObject* globals, uint64_t* word) {
  PyObject* found;
  if (look_up(globals, names.dunder_builtins, word, &found) < 0) return nullptr;
  if (found != nullptr) {
    if (!PyModule_Check(found)) return found;
    PyObject* dict = Py_NewRef(PyModule_GetDict(found));
    Py_DECREF(found);
    return dict;
  }
  return Py_XNewRef(PyEval_GetBuiltins());
}

// --- watchers

WatcherTable<PyFunction_WatchCallback> watchers({"no more func watcher IDs available", "invalid func watcher ID %d",
                                                 "no func watcher set for ID %d"});

[[gnu::cold]] void tell_watchers(PyFunction_WatchEvent event, PyObject* function, PyObject* value) {
#define PY_EVENT_NAME(event) "PyFunction_EVENT_" #event,
  static const char* const event_names[] = {PY_FOREACH_FUNC_EVENT(PY_EVENT_NAME)};
#undef PY_EVENT_NAME
  auto* f = as_function(function);
  watchers.each([&](PyFunction_WatchCallback callback) { return callback(event, f, value); },
                [&] {
                  const Ref<> name = sync::get_ref(&f->func_qualname, function);
                  PyErr_FormatUnraisable("Exception ignored in %s watcher callback for function %U at %p",
                                         event_names[event], name.get(), function);
                });
}
inline void notify(PyFunction_WatchEvent event, PyObject* function, PyObject* value) {
  if (watchers.any()) tell_watchers(event, function, value);
}

// Frames borrow their code from the function that they run. Where the collector looks after code, it finds what frames run;
// elsewhere code that was replaced lives as long as its function, in a dict from the function's address to a list.
PyObject* replaced_codes = nullptr;
constexpr uint32_t kHasReplacedCode = 1;  // func_version

void keep_code(PyFunctionObject* f, Ref<> code) {
  if (sync::is_deferred(code.get())) return;
  Ref<> key = Ref<>::steal(PyLong_FromVoidPtr(f));
  if (replaced_codes == nullptr) replaced_codes = PyDict_New();
  PyObject* found = nullptr;
  if (key && replaced_codes != nullptr) {
    Ref<> list = Ref<>::steal(PyList_New(0));
    if (list && PyDict_SetDefaultRef(replaced_codes, key, list, &found) >= 0) {
      Ref<> kept = Ref<>::steal(found);
      f->func_version = kHasReplacedCode;
      if (PyList_Append(kept, code.get()) == 0) return;
    }
  }
  PyErr_Clear();
  (void)code.release();  // no memory for a place in the list: it lives on without one
}
void drop_replaced_code(PyFunctionObject* f) {
  if (f->func_version != kHasReplacedCode) [[likely]] return;
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  Ref<> key = Ref<>::steal(PyLong_FromVoidPtr(f));
  if (!key || PyDict_Pop(replaced_codes, key, nullptr) < 0) PyErr_Clear();
  PyErr_SetRaisedException(error.release());
}

// --- attributes

PyObject* none_if_null(PyObject* o) { return Py_NewRef(o != nullptr ? o : Py_None); }

template <PyObject* PyFunctionObject::*Field>
PyObject* get_field(PyObject* self, void*) {
  ObjectLock lock(self);
  return none_if_null(as_function(self)->*Field);
}

template <PyObject* PyFunctionObject::*Field>
Ref<> exchange_field(PyObject* self, PyObject* value) {
  ObjectLock lock(self);
  Ref<> old = Ref<>::steal(as_function(self)->*Field);
  sync::store_release(as_function(self)->*Field, Py_XNewRef(value));
  return old;
}
template <PyObject* PyFunctionObject::*Field>
void replace_field(PyObject* self, PyObject* value) {
  Ref<> old = exchange_field<Field>(self, value);
}
// The same for what calls read without a reference, between two safepoints.
template <PyObject* PyFunctionObject::*Field>
void replace_field_read_by_calls(PyObject* self, PyObject* value) {
  if (PyObject* old = exchange_field<Field>(self, value).release()) sync::retire_ref(old);
}

template <PyObject* PyFunctionObject::*Field>
int set_str(PyObject* self, PyObject* value, void* name) {
  if (value == nullptr || !PyUnicode_Check(value)) {
    PyErr_Format(PyExc_TypeError, "%s must be set to a string object", static_cast<const char*>(name));
    return -1;
  }
  replace_field<Field>(self, value);
  return 0;
}

int set_code(PyObject* self, PyObject* value, void*) {
  if (value == nullptr || !PyCode_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "__code__ must be set to a code object");
    return -1;
  }
  PyFunctionObject* f = as_function(self);
  int free_vars = reinterpret_cast<PyCodeObject*>(value)->co_nfreevars;
  Py_ssize_t closure = f->func_closure != nullptr ? PyTuple_GET_SIZE(f->func_closure) : 0;
  if (closure != free_vars) {
    const Ref<> name = sync::get_ref(&f->func_name, self);
    PyErr_Format(PyExc_ValueError, "%U() requires a code object with %zd free vars, not %d", name.get(), closure, free_vars);
    return -1;
  }
  constexpr int kKind = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR;
  const Ref<PyCodeObject> code = Ref<PyCodeObject>::steal(sync::get_ref(&f->func_code, self).release());
  if (((code->co_flags ^ reinterpret_cast<PyCodeObject*>(value)->co_flags) & kKind) != 0 &&
      PyErr_WarnEx(PyExc_DeprecationWarning,
                   "Assigning a code object of non-matching type is deprecated "
                   "(e.g., from a generator to a plain function)",
                   1) < 0) {
    return -1;
  }
  notify(PyFunction_EVENT_MODIFY_CODE, self, value);
  keep_code(f, exchange_field<&PyFunctionObject::func_code>(self, value));
  return 0;
}

int set_defaults(PyObject* self, PyObject* value, void*) {
  if (value == Py_None) value = nullptr;
  if (value != nullptr && !PyTuple_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "__defaults__ must be set to a tuple object");
    return -1;
  }
  notify(PyFunction_EVENT_MODIFY_DEFAULTS, self, value);
  replace_field_read_by_calls<&PyFunctionObject::func_defaults>(self, value);
  return 0;
}

int set_kwdefaults(PyObject* self, PyObject* value, void*) {
  if (value == Py_None) value = nullptr;
  if (value != nullptr && !PyDict_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "__kwdefaults__ must be set to a dict object");
    return -1;
  }
  notify(PyFunction_EVENT_MODIFY_KWDEFAULTS, self, value);
  replace_field_read_by_calls<&PyFunctionObject::func_kwdefaults>(self, value);
  return 0;
}

// The annotations dict (a new reference), computed by __annotate__ the first time; null with an exception.
PyObject* annotations_of(PyObject* self) {
  PyFunctionObject* f = as_function(self);
  Ref<> annotate;
  {
    ObjectLock lock(self);
    if (f->func_annotations != nullptr) return Py_NewRef(f->func_annotations);
    annotate = Ref<>::share(f->func_annotate);
  }
  Ref<> dict;
  if (annotate && PyCallable_Check(annotate.get())) {
    Ref<> format = Ref<>::steal(PyLong_FromLong(1));
    dict = Ref<>::steal(PyObject_CallOneArg(annotate, format));
    if (!dict) return nullptr;
    if (!PyDict_Check(dict.get())) {
      PyErr_Format(PyExc_TypeError, "__annotate__ returned non-dict of type '%.100s'", Py_TYPE(dict.get())->tp_name);
      return nullptr;
    }
  } else {
    dict = Ref<>::steal(PyDict_New());
    if (!dict) return nullptr;
  }
  ObjectLock lock(self);
  if (f->func_annotations == nullptr) f->func_annotations = dict.release();
  return Py_NewRef(f->func_annotations);
}

PyObject* get_annotations(PyObject* self, void*) {
  return annotations_of(self);
}

int set_annotations(PyObject* self, PyObject* value, void*) {
  if (value == Py_None) value = nullptr;
  if (value != nullptr && !PyDict_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "__annotations__ must be set to a dict object");
    return -1;
  }
  replace_field<&PyFunctionObject::func_annotations>(self, value);
  replace_field<&PyFunctionObject::func_annotate>(self, nullptr);
  return 0;
}

int set_annotate(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "__annotate__ cannot be deleted");
    return -1;
  }
  if (value == Py_None) {
    replace_field<&PyFunctionObject::func_annotate>(self, value);
    return 0;
  }
  if (!PyCallable_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "__annotate__ must be callable or None");
    return -1;
  }
  replace_field<&PyFunctionObject::func_annotate>(self, value);
  replace_field<&PyFunctionObject::func_annotations>(self, nullptr);
  return 0;
}

PyObject* get_type_params(PyObject* self, void*) {
  ObjectLock lock(self);
  PyObject* params = as_function(self)->func_typeparams;
  return params != nullptr ? Py_NewRef(params) : PyTuple_New(0);
}

int set_type_params(PyObject* self, PyObject* value, void*) {
  if (value == nullptr || !PyTuple_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "__type_params__ must be set to a tuple");
    return -1;
  }
  replace_field<&PyFunctionObject::func_typeparams>(self, value);
  return 0;
}

PyMemberDef function_members[] = {
    {"__closure__", _Py_T_OBJECT, offsetof(PyFunctionObject, func_closure), Py_READONLY, nullptr},
    {"__doc__", _Py_T_OBJECT, offsetof(PyFunctionObject, func_doc), 0, nullptr},
    {"__globals__", _Py_T_OBJECT, offsetof(PyFunctionObject, func_globals), Py_READONLY, nullptr},
    {"__module__", _Py_T_OBJECT, offsetof(PyFunctionObject, func_module), 0, nullptr},
    {"__builtins__", _Py_T_OBJECT, offsetof(PyFunctionObject, func_builtins), Py_READONLY, nullptr},
    {},
};

char kName[] = "__name__";
char kQualname[] = "__qualname__";

PyGetSetDef function_getsets[] = {
    {"__code__", get_field<&PyFunctionObject::func_code>, set_code, nullptr, nullptr},
    {"__defaults__", get_field<&PyFunctionObject::func_defaults>, set_defaults, nullptr, nullptr},
    {"__kwdefaults__", get_field<&PyFunctionObject::func_kwdefaults>, set_kwdefaults, nullptr, nullptr},
    {"__annotations__", get_annotations, set_annotations, nullptr, nullptr},
    {"__annotate__", get_field<&PyFunctionObject::func_annotate>, set_annotate, nullptr, nullptr},
    {"__dict__", PyObject_GenericGetDict, PyObject_GenericSetDict, nullptr, nullptr},
    {"__name__", get_field<&PyFunctionObject::func_name>, set_str<&PyFunctionObject::func_name>, nullptr, kName},
    {"__qualname__", get_field<&PyFunctionObject::func_qualname>, set_str<&PyFunctionObject::func_qualname>, nullptr,
     kQualname},
    {"__type_params__", get_type_params, set_type_params, nullptr, nullptr},
    {},
};

PyObject* function_repr(PyObject* self) {
  Ref<> name = Ref<>::steal(get_field<&PyFunctionObject::func_qualname>(self, nullptr));
  return PyUnicode_FromFormat("<function %U at %p>", name.get(), self);
}

PyObject* function_descr_get(PyObject* self, PyObject* obj, PyObject*) {
  if (obj == nullptr || obj == Py_None) return Py_NewRef(self);
  return PyMethod_New(self, obj);
}

PyObject* function_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"code", "globals", "name", "argdefs", "closure", "kwdefaults", nullptr};
  PyObject *code, *globals, *name = Py_None, *defaults = Py_None, *closure = Py_None, *kwdefaults = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O!O!|OOOO:function", const_cast<char**>(keywords), &PyCode_Type,
                                   &code, &PyDict_Type, &globals, &name, &defaults, &closure, &kwdefaults)) {
    return nullptr;
  }
  if (name != Py_None && !PyUnicode_Check(name)) {
    PyErr_SetString(PyExc_TypeError, "arg 3 (name) must be None or string");
    return nullptr;
  }
  if (defaults != Py_None && !PyTuple_Check(defaults)) {
    PyErr_SetString(PyExc_TypeError, "arg 4 (defaults) must be None or tuple");
    return nullptr;
  }
  const int free_vars = reinterpret_cast<PyCodeObject*>(code)->co_nfreevars;
  if (!PyTuple_Check(closure)) {
    if (free_vars != 0 && closure == Py_None) {
      PyErr_SetString(PyExc_TypeError, "arg 5 (closure) must be tuple");
      return nullptr;
    }
    if (closure != Py_None) {
      PyErr_SetString(PyExc_TypeError, "arg 5 (closure) must be None or tuple");
      return nullptr;
    }
  }
  const Py_ssize_t given = closure == Py_None ? 0 : PyTuple_GET_SIZE(closure);
  if (given != free_vars) {
    PyErr_Format(PyExc_ValueError, "%U requires closure of length %d, not %zd",
                 reinterpret_cast<PyCodeObject*>(code)->co_name, free_vars, given);
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < given; ++i) {
    if (!PyCell_Check(PyTuple_GET_ITEM(closure, i))) {
      PyErr_Format(PyExc_TypeError, "arg 5 (closure) expected cell, found %s",
                   Py_TYPE(PyTuple_GET_ITEM(closure, i))->tp_name);
      return nullptr;
    }
  }
  if (kwdefaults != Py_None && !PyDict_Check(kwdefaults)) {
    PyErr_SetString(PyExc_TypeError, "arg 6 (kwdefaults) must be None or dict");
    return nullptr;
  }
  Ref<> made = Ref<>::steal(PyFunction_New(code, globals));
  if (!made) return nullptr;
  PyFunctionObject* f = as_function(made);
  if (name != Py_None) Py_XSETREF(f->func_name, Py_NewRef(name));
  if (defaults != Py_None) f->func_defaults = Py_NewRef(defaults);
  if (given > 0) f->func_closure = Py_NewRef(closure);
  if (kwdefaults != Py_None) f->func_kwdefaults = Py_NewRef(kwdefaults);
  return made.release();
}

int function_clear(PyObject* self) {
  PyFunctionObject* f = as_function(self);
  Py_CLEAR(f->func_globals);
  Py_CLEAR(f->func_module);
  Py_CLEAR(f->func_defaults);
  Py_CLEAR(f->func_kwdefaults);
  Py_CLEAR(f->func_doc);
  Py_CLEAR(f->func_dict);
  Py_CLEAR(f->func_closure);
  Py_CLEAR(f->func_annotations);
  Py_CLEAR(f->func_annotate);
  Py_CLEAR(f->func_typeparams);
  // Name, code and builtins stay: repr and a call of a half-cleared function must not crash.
  return 0;
}

void function_dealloc(PyObject* self) {
  PyFunctionObject* f = as_function(self);
  PyObject_GC_UnTrack(self);
  if (watchers.any()) [[unlikely]] {
    Py_SET_REFCNT(self, 1);
    tell_watchers(PyFunction_EVENT_DESTROY, self, nullptr);
    Py_SET_REFCNT(self, 0);
  }
  if (sync::load_acquire(f->func_weakreflist) != nullptr) PyObject_ClearWeakRefs(self);
  function_clear(self);
  Py_CLEAR(f->func_name);
  Py_CLEAR(f->func_qualname);
  Py_CLEAR(f->func_code);
  drop_replaced_code(f);
  Py_CLEAR(f->func_builtins);
  PyObject_GC_Del(self);
}

int function_traverse(PyObject* self, visitproc visit, void* arg) {
  PyFunctionObject* f = as_function(self);
  Py_VISIT(f->func_code);
  Py_VISIT(f->func_globals);
  Py_VISIT(f->func_builtins);
  Py_VISIT(f->func_module);
  Py_VISIT(f->func_defaults);
  Py_VISIT(f->func_kwdefaults);
  Py_VISIT(f->func_doc);
  Py_VISIT(f->func_name);
  Py_VISIT(f->func_qualname);
  Py_VISIT(f->func_dict);
  Py_VISIT(f->func_closure);
  Py_VISIT(f->func_annotations);
  Py_VISIT(f->func_annotate);
  Py_VISIT(f->func_typeparams);
  return 0;
}

}  // namespace

}  // namespace amphis

extern "C" {

using namespace amphis;

PyTypeObject PyFunction_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "function",
    .tp_basicsize = sizeof(PyFunctionObject),
    .tp_dealloc = function_dealloc,
    .tp_vectorcall_offset = offsetof(PyFunctionObject, vectorcall),
    .tp_repr = function_repr,
    .tp_call = PyVectorcall_Call,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_METHOD_DESCRIPTOR,
    .tp_doc = "function(code, globals, name=None, argdefs=None, closure=None,\n         kwdefaults=None)\n--\n\n"
              "Create a function object.",
    .tp_traverse = function_traverse,
    .tp_clear = function_clear,
    .tp_weaklistoffset = offsetof(PyFunctionObject, func_weakreflist),
    .tp_members = function_members,
    .tp_getset = function_getsets,
    .tp_descr_get = function_descr_get,
    .tp_dictoffset = offsetof(PyFunctionObject, func_dict),
    .tp_new = function_new,
};

PyObject* PyFunction_NewWithQualName(PyObject* code, PyObject* globals, PyObject* qualname) {
  auto* co = reinterpret_cast<PyCodeObject*>(code);
  Ref<> builtins = Ref<>::steal(builtins_of(globals, &code_extra(co)->builtins_word));
  if (!builtins && PyErr_Occurred()) return nullptr;
  PyObject* module = nullptr;
  if (look_up(globals, names.dunder_name, &code_extra(co)->name_word, &module) < 0) return nullptr;
  auto* f = PyObject_GC_New(PyFunctionObject, &PyFunction_Type);
  if (f == nullptr) {
    Py_XDECREF(module);
    return nullptr;
  }
  f->func_globals = Py_NewRef(globals);
  f->func_builtins = builtins.release();
  f->func_name = Py_NewRef(co->co_name);
  f->func_qualname = Py_NewRef(qualname != nullptr ? qualname : co->co_qualname);
  f->func_code = Py_NewRef(code);
  f->func_defaults = nullptr;
  f->func_kwdefaults = nullptr;
  f->func_closure = nullptr;
  f->func_doc = nullptr;
  f->func_dict = nullptr;
  f->func_weakreflist = nullptr;
  f->func_module = module;
  f->func_annotations = nullptr;
  f->func_annotate = nullptr;
  f->func_typeparams = nullptr;
  f->vectorcall = function_call;
  f->func_version = 0;
  PyObject* doc = Py_None;
  if ((co->co_flags & CO_HAS_DOCSTRING) && PyTuple_GET_SIZE(co->co_consts) > 0) {
    doc = PyTuple_GET_ITEM(co->co_consts, 0);
  }
  f->func_doc = Py_NewRef(doc);
  PyObject_GC_Track(f);
  // Functions of a module's or class's own are called by every thread; a closure usually dies where it was made.
  if ((co->co_flags & CO_NESTED) == 0) sync::set_deferred(reinterpret_cast<PyObject*>(f));
  notify(PyFunction_EVENT_CREATE, reinterpret_cast<PyObject*>(f), nullptr);
  return reinterpret_cast<PyObject*>(f);
}

int PyFunction_AddWatcher(PyFunction_WatchCallback callback) { return watchers.add(callback); }
int PyFunction_ClearWatcher(int id) { return watchers.clear(id); }

PyObject* PyFunction_New(PyObject* code, PyObject* globals) {
  return PyFunction_NewWithQualName(code, globals, nullptr);
}

PyObject* PyFunction_GetCode(PyObject* op) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return as_function(op)->func_code;
}

PyObject* PyFunction_GetGlobals(PyObject* op) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return as_function(op)->func_globals;
}

PyObject* PyFunction_GetModule(PyObject* op) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return as_function(op)->func_module;
}

PyObject* PyFunction_GetDefaults(PyObject* op) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return as_function(op)->func_defaults;
}

int PyFunction_SetDefaults(PyObject* op, PyObject* defaults) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (defaults != Py_None && !PyTuple_Check(defaults)) {
    PyErr_SetString(PyExc_SystemError, "non-tuple default args");
    return -1;
  }
  return set_defaults(op, defaults, nullptr);
}

void PyFunction_SetVectorcall(PyFunctionObject* func, vectorcallfunc vectorcall) { func->vectorcall = vectorcall; }

PyObject* PyFunction_GetKwDefaults(PyObject* op) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return as_function(op)->func_kwdefaults;
}

int PyFunction_SetKwDefaults(PyObject* op, PyObject* defaults) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (defaults != Py_None && !PyDict_Check(defaults)) {
    PyErr_SetString(PyExc_SystemError, "non-dict keyword only default args");
    return -1;
  }
  return set_kwdefaults(op, defaults, nullptr);
}

PyObject* PyFunction_GetClosure(PyObject* op) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return as_function(op)->func_closure;
}

int PyFunction_SetClosure(PyObject* op, PyObject* closure) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return -1;
  }
  if (closure == Py_None) closure = nullptr;
  if (closure != nullptr && !PyTuple_Check(closure)) {
    PyErr_Format(PyExc_SystemError, "expected tuple for closure, got '%.100s'", Py_TYPE(closure)->tp_name);
    return -1;
  }
  replace_field<&PyFunctionObject::func_closure>(op, closure);
  return 0;
}

PyObject* PyFunction_GetAnnotations(PyObject* op) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  PyObject* annotations = annotations_of(op);
  Py_XDECREF(annotations);  // borrowed from the function
  return annotations;
}

int PyFunction_SetAnnotations(PyObject* op, PyObject* annotations) {
  if (!PyFunction_Check(op)) {
    PyErr_BadInternalCall();
    return -1;
  }
  return set_annotations(op, annotations, nullptr);
}

}  // extern "C"
