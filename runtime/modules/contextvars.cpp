// Context variables (PEP 567): Context, ContextVar, Token, and PyContext_*.
//
// A Context's values are a dict that copies share until one of them writes: copy() only marks the dict as shared, the
// first set() after it clones. Invariant: a dict that `shared` marks is never written.
#include "Python.h"
#include "objects/names.h"
#include "objects/unseen_end.h"
#include "objects/watchers.h"
#include "sync/atomic_field.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/thread_state.h"

namespace amphis {

namespace {

WatcherTable<PyContext_WatchCallback> watchers({"no more context watcher IDs available", "Invalid context watcher ID %d",
                                                "No context watcher set for ID %d"});

// The thread's context is another one now, or none.
void notify_switched(PyObject* context) {
  if (!watchers.any()) return;
  PyObject* shown = context != nullptr ? context : Py_None;
  watchers.each([shown](PyContext_WatchCallback callback) { return callback(Py_CONTEXT_SWITCHED, shown); },
                [shown] {
                  PyErr_FormatUnraisable("Exception ignored in %s watcher callback for %R", "Py_CONTEXT_SWITCHED", shown);
                });
}


struct Context {
  PyObject_HEAD
  PyObject* previous;  // the context to go back to while this one is entered
  PyObject* values;    // dict: ContextVar -> value
  PyObject* weakrefs;
  bool shared;
  bool entered;
};

struct ContextVar {
  PyObject_HEAD
  PyObject* name;
  PyObject* fallback;  // default, or null
  Py_hash_t hash;
};

struct Token {
  PyObject_HEAD
  PyObject* context;
  PyObject* var;
  PyObject* old_value;  // null: there was none
  bool used;
};

Context* as_context(PyObject* o) { return reinterpret_cast<Context*>(o); }
ContextVar* as_var(PyObject* o) { return reinterpret_cast<ContextVar*>(o); }
Token* as_token(PyObject* o) { return reinterpret_cast<Token*>(o); }

extern "C" PyTypeObject TokenMissing_Type;

struct StaticHead {
  PyObject head;
};
constinit StaticHead token_missing = {PyObject_HEAD_INIT(&TokenMissing_Type)};

PyObject* context_make(PyObject* values_shared) {
  auto* c = PyObject_GC_New(Context, &PyContext_Type);
  if (c == nullptr) return nullptr;
  c->previous = nullptr;
  c->values = nullptr;
  c->weakrefs = nullptr;
  c->entered = false;
  c->shared = values_shared != nullptr;
  c->values = values_shared != nullptr ? Py_NewRef(values_shared) : PyDict_New();
  PyObject_GC_Track(c);
  Ref<> made = Ref<>::steal(c);
  return as_context(made.get())->values != nullptr ? made.release() : nullptr;
}

PyObject* context_copy(PyObject* self) {
  ObjectLock lock(self);
  as_context(self)->shared = true;
  return context_make(as_context(self)->values);
}

// The thread's context (borrowed), made at first use.
PyObject* current_context() {
  ThreadState* ts = current_thread();
  if (ts->context == nullptr) ts->context = context_make(nullptr);
  return ts->context;
}

// New reference to the dict that may be written, under the context's lock.
int own_values(Context* c) {
  if (!c->shared) return 0;
  PyObject* copy = PyDict_Copy(c->values);
  if (copy == nullptr) return -1;
  Py_SETREF(c->values, copy);
  c->shared = false;
  return 0;
}

int context_set(PyObject* self, PyObject* var, PyObject* value) {
  ObjectLock lock(self);
  Context* c = as_context(self);
  if (own_values(c) < 0) return -1;
  Ref<> values = Ref<>::share(c->values);  // the lock may be lost while this waits for the dict's
  return value != nullptr ? PyDict_SetItem(values, var, value) : PyDict_Pop(values, var, nullptr) < 0 ? -1 : 0;
}

Ref<> values_of(PyObject* self) {
  LeafLock lock(self);
  return Ref<>::share(as_context(self)->values);
}

int context_get(PyObject* self, PyObject* var, PyObject** value) {
  return PyDict_GetItemRef(values_of(self).get(), var, value);
}

// --- Context

PyObject* context_tp_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) > 0 || (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0)) {
    PyErr_SetString(PyExc_TypeError, "Context() does not accept any arguments");
    return nullptr;
  }
  return context_make(nullptr);
}
int context_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_context(self)->previous);
  Py_VISIT(as_context(self)->values);
  return 0;
}
int context_clear(PyObject* self) {
  Py_CLEAR(as_context(self)->previous);
  Py_CLEAR(as_context(self)->values);
  return 0;
}
void context_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  if (sync::load_acquire(as_context(self)->weakrefs) != nullptr) PyObject_ClearWeakRefs(self);
  context_clear(self);
  PyObject_GC_Del(self);
}

bool check_var(PyObject* key) {
  if (Py_IS_TYPE(key, &PyContextVar_Type)) return true;
  PyErr_Format(PyExc_TypeError, "a ContextVar key was expected, got %R", key);
  return false;
}
Py_ssize_t context_length(PyObject* self) {
  ObjectLock lock(self);
  return PyDict_GET_SIZE(as_context(self)->values);
}
PyObject* context_subscript(PyObject* self, PyObject* key) {
  PyObject* value;
  if (!check_var(key) || context_get(self, key, &value) < 0) return nullptr;
  if (value == nullptr) PyErr_SetObject(PyExc_KeyError, key);
  return value;
}
int context_contains(PyObject* self, PyObject* key) {
  PyObject* value;
  if (!check_var(key) || context_get(self, key, &value) < 0) return -1;
  Py_XDECREF(value);
  return value != nullptr;
}
PyObject* context_get_method(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("get", nargs, 1, 2) || !check_var(args[0])) return nullptr;
  PyObject* value;
  if (context_get(self, args[0], &value) < 0) return nullptr;
  return value != nullptr ? value : Py_NewRef(nargs == 2 ? args[1] : Py_None);
}
template <PyObject* (*Make)(PyObject*)>
PyObject* context_view(PyObject* self, PyObject*) {
  Ref<> list = Ref<>::steal(Make(values_of(self).get()));
  return list ? PyObject_GetIter(list) : nullptr;
}
PyObject* context_iter(PyObject* self) { return context_view<PyDict_Keys>(self, nullptr); }
PyObject* context_copy_method(PyObject* self, PyObject*) { return context_copy(self); }

PyObject* context_richcompare(PyObject* a, PyObject* b, int op) {
  if (!Py_IS_TYPE(b, &PyContext_Type) || (op != Py_EQ && op != Py_NE)) Py_RETURN_NOTIMPLEMENTED;
  const Ref<> x = values_of(a), y = values_of(b);
  return PyObject_RichCompare(x, y, op);
}

PyObject* context_run(PyObject* self, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  if (nargs < 1) {
    PyErr_SetString(PyExc_TypeError, "run() missing 1 required positional argument");
    return nullptr;
  }
  if (PyContext_Enter(self) < 0) return nullptr;
  PyObject* result = PyObject_Vectorcall(args[0], args + 1, static_cast<size_t>(nargs - 1), kwnames);
  if (PyContext_Exit(self) < 0) Py_CLEAR(result);
  return result;
}

template <typename F>
PyCFunction fast(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}
PyMethodDef context_methods[] = {
    {"get", fast(context_get_method), METH_FASTCALL, nullptr},
    {"items", context_view<PyDict_Items>, METH_NOARGS, nullptr},
    {"keys", context_view<PyDict_Keys>, METH_NOARGS, nullptr},
    {"values", context_view<PyDict_Values>, METH_NOARGS, nullptr},
    {"copy", context_copy_method, METH_NOARGS, nullptr},
    {"run", fast(context_run), METH_FASTCALL | METH_KEYWORDS, nullptr},
    {},
};
PySequenceMethods context_as_sequence = {.sq_contains = context_contains};
PyMappingMethods context_as_mapping = {context_length, context_subscript, nullptr};

// --- ContextVar

PyObject* var_tp_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  if (PyTuple_GET_SIZE(args) == 0) {
    PyErr_SetString(PyExc_TypeError, "ContextVar() takes exactly 1 positional argument (0 given)");
    return nullptr;
  }
  static const char* const keywords[] = {"", "default", nullptr};
  PyObject *name, *fallback = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$O:ContextVar", const_cast<char**>(keywords), &name, &fallback)) {
    return nullptr;
  }
  if (!PyUnicode_Check(name)) {
    PyErr_SetString(PyExc_TypeError, "context variable name must be a str");
    return nullptr;
  }
  const Py_hash_t name_hash = PyObject_Hash(name);
  if (name_hash == -1) return nullptr;
  auto* v = PyObject_GC_New(ContextVar, &PyContextVar_Type);
  if (v == nullptr) return nullptr;
  v->name = Py_NewRef(name);
  v->fallback = Py_XNewRef(fallback);
  v->hash = Py_HashPointer(v) ^ name_hash;
  if (v->hash == -1) v->hash = -2;
  PyObject_GC_Track(v);
  return reinterpret_cast<PyObject*>(v);
}
int var_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_var(self)->name);
  Py_VISIT(as_var(self)->fallback);
  return 0;
}
void var_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_var(self)->name);
  Py_CLEAR(as_var(self)->fallback);
  PyObject_GC_Del(self);
}
Py_hash_t var_hash(PyObject* self) { return as_var(self)->hash; }
PyObject* var_repr(PyObject* self) {
  ContextVar* v = as_var(self);
  if (v->fallback != nullptr) {
    return PyUnicode_FromFormat("<ContextVar name=%R default=%R at %p>", v->name, v->fallback, self);
  }
  return PyUnicode_FromFormat("<ContextVar name=%R at %p>", v->name, self);
}
PyObject* var_get(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!_PyArg_CheckPositional("get", nargs, 0, 1)) return nullptr;
  PyObject* value;
  if (PyContextVar_Get(self, nargs == 1 ? args[0] : nullptr, &value) < 0) return nullptr;
  if (value == nullptr) PyErr_SetObject(PyExc_LookupError, self);
  return value;
}
PyObject* var_set(PyObject* self, PyObject* value) { return PyContextVar_Set(self, value); }
PyObject* var_reset(PyObject* self, PyObject* token) {
  if (!Py_IS_TYPE(token, &PyContextToken_Type)) {
    PyErr_Format(PyExc_TypeError, "expected an instance of Token, got %R", token);
    return nullptr;
  }
  if (PyContextVar_Reset(self, token) < 0) return nullptr;
  Py_RETURN_NONE;
}
PyMemberDef var_members[] = {
    {"name", _Py_T_OBJECT, offsetof(ContextVar, name), Py_READONLY, nullptr},
    {},
};
PyMethodDef var_methods[] = {
    {"get", fast(var_get), METH_FASTCALL, nullptr},
    {"set", var_set, METH_O, nullptr},
    {"reset", var_reset, METH_O, nullptr},
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {},
};

// --- Token

int token_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_token(self)->context);
  Py_VISIT(as_token(self)->var);
  Py_VISIT(as_token(self)->old_value);
  return 0;
}
void token_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_token(self)->context);
  Py_CLEAR(as_token(self)->var);
  Py_CLEAR(as_token(self)->old_value);
  PyObject_GC_Del(self);
}
PyObject* token_repr(PyObject* self) {
  return PyUnicode_FromFormat("<Token%s var=%R at %p>", as_token(self)->used ? " used" : "", as_token(self)->var, self);
}
PyObject* token_var(PyObject* self, void*) { return Py_NewRef(as_token(self)->var); }
PyObject* token_old_value(PyObject* self, void*) {
  PyObject* old = as_token(self)->old_value;
  return Py_NewRef(old != nullptr ? old : &token_missing.head);
}
PyObject* token_enter(PyObject* self, PyObject*) { return Py_NewRef(self); }
PyObject* token_exit(PyObject* self, PyObject*) {
  if (PyContextVar_Reset(as_token(self)->var, self) < 0) return nullptr;
  Py_RETURN_NONE;
}
PyGetSetDef token_getsets[] = {
    {"var", token_var, nullptr, nullptr, nullptr},
    {"old_value", token_old_value, nullptr, nullptr, nullptr},
    {},
};
PyMethodDef token_methods[] = {
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS, "See PEP 585"},
    {"__enter__", token_enter, METH_NOARGS, nullptr},
    {"__exit__", token_exit, METH_VARARGS, nullptr},
    {},
};
PyObject* token_tp_new(PyTypeObject*, PyObject*, PyObject*) {
  PyErr_SetString(PyExc_RuntimeError, "Tokens can only be created by ContextVars");
  return nullptr;
}
PyObject* missing_repr(PyObject*) { return PyUnicode_FromString("<Token.MISSING>"); }

PyObject* copy_context(PyObject*, PyObject*) { return PyContext_CopyCurrent(); }
PyMethodDef module_methods[] = {
    {"copy_context", copy_context, METH_NOARGS, nullptr},
    {},
};

int contextvars_exec(PyObject* module) {
  declare_unseen_end(&PyContextVar_Type);
  if (PyDict_SetItemString(PyContextToken_Type.tp_dict, "MISSING", &token_missing.head) < 0) return -1;
  PyType_Modified(&PyContextToken_Type);
  if (PyModule_AddObjectRef(module, "Context", reinterpret_cast<PyObject*>(&PyContext_Type)) < 0 ||
      PyModule_AddObjectRef(module, "ContextVar", reinterpret_cast<PyObject*>(&PyContextVar_Type)) < 0 ||
      PyModule_AddObjectRef(module, "Token", reinterpret_cast<PyObject*>(&PyContextToken_Type)) < 0) {
    return -1;
  }
  return 0;
}
PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(contextvars_exec)},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};
PyModuleDef contextvars_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_contextvars",
    .m_doc = "Context Variables",
    .m_size = 0,
    .m_methods = module_methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__contextvars(void) { return PyModuleDef_Init(&amphis::contextvars_def); }

extern "C" {

using namespace amphis;

PyTypeObject PyContext_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_contextvars.Context",
    .tp_basicsize = sizeof(Context),
    .tp_dealloc = context_dealloc,
    .tp_as_sequence = &context_as_sequence,
    .tp_as_mapping = &context_as_mapping,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = context_traverse,
    .tp_clear = context_clear,
    .tp_richcompare = context_richcompare,
    .tp_weaklistoffset = offsetof(Context, weakrefs),
    .tp_iter = context_iter,
    .tp_methods = context_methods,
    .tp_new = context_tp_new,
};

PyTypeObject PyContextVar_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_contextvars.ContextVar",
    .tp_basicsize = sizeof(ContextVar),
    .tp_dealloc = var_dealloc,
    .tp_repr = var_repr,
    .tp_hash = var_hash,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = var_traverse,
    .tp_methods = var_methods,
    .tp_members = var_members,
    .tp_new = var_tp_new,
};

PyTypeObject PyContextToken_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_contextvars.Token",
    .tp_basicsize = sizeof(Token),
    .tp_dealloc = token_dealloc,
    .tp_repr = token_repr,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_traverse = token_traverse,
    .tp_methods = token_methods,
    .tp_getset = token_getsets,
    .tp_new = token_tp_new,
};

PyTypeObject TokenMissing_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "Token.MISSING",
    .tp_basicsize = sizeof(PyObject),
    .tp_repr = missing_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
};

PyObject* PyContext_New(void) { return context_make(nullptr); }

PyObject* PyContext_Copy(PyObject* context) {
  if (!Py_IS_TYPE(context, &PyContext_Type)) {
    PyErr_SetString(PyExc_TypeError, "an instance of Context was expected");
    return nullptr;
  }
  return context_copy(context);
}

PyObject* PyContext_CopyCurrent(void) {
  PyObject* context = current_context();
  return context != nullptr ? context_copy(context) : nullptr;
}

int PyContext_AddWatcher(PyContext_WatchCallback callback) { return watchers.add(callback); }
int PyContext_ClearWatcher(int id) { return watchers.clear(id); }

int PyContext_Enter(PyObject* context) {
  if (!Py_IS_TYPE(context, &PyContext_Type)) {
    PyErr_SetString(PyExc_TypeError, "an instance of Context was expected");
    return -1;
  }
  ThreadState* ts = current_thread();
  {
    ObjectLock lock(context);
    Context* c = as_context(context);
    if (c->entered) {
      PyErr_Format(PyExc_RuntimeError, "cannot enter context: %R is already entered", context);
      return -1;
    }
    sync::store_release(c->entered, true);
    c->previous = ts->context;  // the reference moves
  }
  ts->context = Py_NewRef(context);
  ++ts->context_ver;
  notify_switched(context);
  return 0;
}

int PyContext_Exit(PyObject* context) {
  ThreadState* ts = current_thread();
  Context* c = as_context(context);
  if (!sync::load_acquire(c->entered)) {
    PyErr_Format(PyExc_RuntimeError, "cannot exit context: %R has not been entered", context);
    return -1;
  }
  if (ts->context != context) {
    PyErr_SetString(PyExc_RuntimeError, "cannot exit context: thread state references a different context object");
    return -1;
  }
  PyObject* previous;
  {
    ObjectLock lock(context);
    previous = c->previous;
    c->previous = nullptr;
    sync::store_release(c->entered, false);
  }
  ts->context = previous;
  ++ts->context_ver;
  notify_switched(previous);
  Py_DECREF(context);
  return 0;
}

PyObject* PyContextVar_New(const char* name, PyObject* fallback) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  if (!text) return nullptr;
  Ref<> args = Ref<>::steal(PyTuple_Pack(1, text.get()));
  Ref<> kwargs = Ref<>::steal(PyDict_New());
  if (!args || !kwargs || (fallback != nullptr && PyDict_SetItemString(kwargs, "default", fallback) < 0)) {
    return nullptr;
  }
  return var_tp_new(&PyContextVar_Type, args, kwargs);
}

int PyContextVar_Get(PyObject* var, PyObject* fallback, PyObject** value) {
  *value = nullptr;
  if (!Py_IS_TYPE(var, &PyContextVar_Type)) {
    PyErr_SetString(PyExc_TypeError, "an instance of ContextVar was expected");
    return -1;
  }
  PyObject* context = current_thread()->context;
  if (context != nullptr && context_get(context, var, value) < 0) return -1;
  if (*value != nullptr) return 0;
  if (fallback == nullptr) fallback = as_var(var)->fallback;
  *value = Py_XNewRef(fallback);
  return 0;
}

PyObject* PyContextVar_Set(PyObject* var, PyObject* value) {
  if (!Py_IS_TYPE(var, &PyContextVar_Type)) {
    PyErr_SetString(PyExc_TypeError, "an instance of ContextVar was expected");
    return nullptr;
  }
  PyObject* context = current_context();
  PyObject* old;
  if (context == nullptr || context_get(context, var, &old) < 0) return nullptr;
  auto* token = PyObject_GC_New(Token, &PyContextToken_Type);
  if (token == nullptr) {
    Py_XDECREF(old);
    return nullptr;
  }
  token->context = Py_NewRef(context);
  token->var = Py_NewRef(var);
  token->old_value = old;
  token->used = false;
  PyObject_GC_Track(token);
  if (context_set(context, var, value) < 0) {
    Py_DECREF(token);
    return nullptr;
  }
  return reinterpret_cast<PyObject*>(token);
}

int PyContextVar_Reset(PyObject* var, PyObject* token_object) {
  Token* token = as_token(token_object);
  if (token->used) {
    PyErr_Format(PyExc_RuntimeError, "%R has already been used once", token_object);
    return -1;
  }
  if (token->var != var) {
    PyErr_Format(PyExc_ValueError, "%R was created by a different ContextVar", token_object);
    return -1;
  }
  PyObject* context = current_context();
  if (context != token->context) {
    PyErr_Format(PyExc_ValueError, "%R was created in a different Context", token_object);
    return -1;
  }
  token->used = true;
  return context_set(context, var, token->old_value);
}

}  // extern "C"
