// The functions in the slots of classes whose special methods are Python code: they find the method on the type and
// call it with `self` in the argument array, without making a bound method.
#include <utility>

#include "objects/memoryview.h"
#include "objects/type_slots.h"

#include "sync/ref.h"

namespace amphis {

namespace {

// A special method ready to call. `unbound`: self has to be passed.
struct Method {
  Found callable;
  bool unbound = false;
  explicit operator bool() const { return static_cast<bool>(callable); }
};

// 1 found, 0 absent, -1 error.
int find(PyObject* self, PyObject* name, Method* method) {
  return find_special(self, name, &method->callable, &method->unbound);
}

PyObject* call(const Method& method, PyObject* const* args, size_t nargs) {
  if (method.unbound) return PyObject_Vectorcall(method.callable.get(), args, nargs, nullptr);
  return PyObject_Vectorcall(method.callable.get(), args + 1, (nargs - 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr);
}

}  // namespace

int find_special(PyObject* obj, PyObject* name, Found* method, bool* self_needed) {
  PyTypeObject* type = Py_TYPE(obj);
  *method = type_find(type, name);
  *self_needed = false;
  if (!*method) return 0;
  PyTypeObject* kind = Py_TYPE(method->get());
  if (kind->tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR) {
    *self_needed = true;
    return 1;
  }
  if (kind->tp_descr_get == nullptr) return 1;
  *method = Found::counted(kind->tp_descr_get(method->get(), obj, as_object(type)));
  return *method ? 1 : -1;
}

int lookup_special(PyObject* obj, PyObject* name, PyObject** method, bool* self_needed) {
  Found found;
  const int outcome = find_special(obj, name, &found, self_needed);
  *method = outcome > 0 ? found.release() : nullptr;
  return outcome;
}

PyObject* call_special_optional(PyObject* name, PyObject* const* args, size_t nargs, bool* found) {
  Method method;
  int outcome = find(args[0], name, &method);
  *found = outcome != 0;
  return outcome > 0 ? call(method, args, nargs) : nullptr;
}

PyObject* call_special(PyObject* name, PyObject* const* args, size_t nargs) {
  bool found;
  PyObject* result = call_special_optional(name, args, nargs, &found);
  if (!found) {
    PyErr_Format(PyExc_AttributeError, "'%.100s' object has no attribute '%U'", Py_TYPE(args[0])->tp_name, name);
    set_attribute_error_context(args[0], name);
  }
  return result;
}

namespace {

// The call of a binary method; NotImplemented if it is absent.
PyObject* try_binary(PyObject* name, PyObject* self, PyObject* other) {
  PyObject* args[] = {self, other};
  bool found;
  PyObject* result = call_special_optional(name, args, 2, &found);
  return found ? result : Py_NewRef(Py_NotImplemented);
}

// Does the class of `right`, a subclass of left's, have its own reflected method?
bool reflected_differs(PyObject* left, PyObject* right, PyObject* rop) {
  Found theirs = type_find(Py_TYPE(right), rop);
  if (!theirs) return false;
  Found ours = type_find(Py_TYPE(left), rop);
  return ours.get() != theirs.get();
}

}  // namespace

PyObject* slot_binary_call(PyObject* self, PyObject* other, PyObject* op, PyObject* rop, bool self_has,
                           bool other_has) {
  bool same_type = Py_TYPE(self) == Py_TYPE(other);
  bool try_other = !same_type && other_has;
  if (self_has) {
    if (try_other && PyType_IsSubtype(Py_TYPE(other), Py_TYPE(self)) && reflected_differs(self, other, rop)) {
      PyObject* result = try_binary(rop, other, self);
      if (result != Py_NotImplemented) return result;
      Py_DECREF(result);
      try_other = false;
    }
    PyObject* result = try_binary(op, self, other);
    if (result != Py_NotImplemented || same_type) return result;
    Py_DECREF(result);
  }
  if (try_other) return try_binary(rop, other, self);
  return Py_NewRef(Py_NotImplemented);
}

PyObject* slot_power(PyObject* self, PyObject* other, PyObject* modulus) {
  auto has = [](PyObject* obj) {
    PyNumberMethods* methods = number_methods(obj);
    return methods != nullptr && methods->nb_power == slot_power;
  };
  if (modulus == Py_None) {
    return slot_binary_call(self, other, names.dunder_pow, names.dunder_rpow, has(self), has(other));
  }
  if (has(self)) {
    PyObject* args[] = {self, other, modulus};
    bool found;
    PyObject* result = call_special_optional(names.dunder_pow, args, 3, &found);
    if (found && result != Py_NotImplemented) return result;
    Py_XDECREF(result);
  }
  if (has(other) && Py_TYPE(self) != Py_TYPE(other)) {
    PyObject* args[] = {other, self, modulus};
    bool found;
    PyObject* result = call_special_optional(names.dunder_rpow, args, 3, &found);
    if (found) return result;
  }
  return Py_NewRef(Py_NotImplemented);
}

PyObject* slot_inplace_power(PyObject* self, PyObject* other, PyObject*) {
  PyObject* args[] = {self, other};
  return call_special(names.dunder_ipow, args, 2);
}

int slot_bool(PyObject* self) {
  bool found;
  Ref<> result = Ref<>::steal(call_special_optional(names.dunder_bool, &self, 1, &found));
  if (found) {
    if (!result) return -1;
    if (!PyBool_Check(result.get())) {
      PyErr_Format(PyExc_TypeError, "__bool__ should return bool, returned %.200s", Py_TYPE(result.get())->tp_name);
      return -1;
    }
    return result.get() == Py_True;
  }
  result = Ref<>::steal(call_special_optional(names.dunder_len, &self, 1, &found));
  if (!found) return 1;
  if (!result) return -1;
  return PyObject_IsTrue(result.get());
}

Py_ssize_t slot_length(PyObject* self) {
  Ref<> result = Ref<>::steal(call_special(names.dunder_len, &self, 1));
  if (!result) return -1;
  Ref<> index = Ref<>::steal(PyNumber_Index(result.get()));
  if (!index) return -1;
  Py_ssize_t length = PyLong_AsSsize_t(index.get());
  if (length >= 0) return length;
  // Distinguish "negative" from "too large".
  if (PyErr_Occurred()) {
    int overflow;
    Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
    PyLong_AsLongAndOverflow(index.get(), &overflow);
    if (overflow >= 0) {
      PyErr_SetRaisedException(error.release());
      return -1;
    }
  }
  PyErr_SetString(PyExc_ValueError, "__len__() should return >= 0");
  return -1;
}

PyObject* slot_item(PyObject* self, Py_ssize_t i) {
  Ref<> index = Ref<>::steal(PyLong_FromSsize_t(i));
  if (!index) return nullptr;
  PyObject* args[] = {self, index.get()};
  return call_special(names.dunder_getitem, args, 2);
}

int slot_ass_subscript(PyObject* self, PyObject* key, PyObject* value) {
  PyObject* args[] = {self, key, value};
  Ref<> result = Ref<>::steal(value == nullptr ? call_special(names.dunder_delitem, args, 2)
                                               : call_special(names.dunder_setitem, args, 3));
  return result ? 0 : -1;
}

int slot_ass_item(PyObject* self, Py_ssize_t i, PyObject* value) {
  Ref<> index = Ref<>::steal(PyLong_FromSsize_t(i));
  return index ? slot_ass_subscript(self, index.get(), value) : -1;
}

int slot_contains(PyObject* self, PyObject* value) {
  Method method;
  int outcome = find(self, names.dunder_contains, &method);
  if (outcome < 0) return -1;
  if (outcome > 0) {
    if (method.callable.get() == Py_None) {
      PyErr_Format(PyExc_TypeError, "'%.200s' object is not a container", Py_TYPE(self)->tp_name);
      return -1;
    }
    PyObject* args[] = {self, value};
    Ref<> result = Ref<>::steal(call(method, args, 2));
    return result ? PyObject_IsTrue(result.get()) : -1;
  }
  Ref<> iterator = Ref<>::steal(PyObject_GetIter(self));
  if (!iterator) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_Format(PyExc_TypeError, "argument of type '%.200s' is not a container or iterable",
                   Py_TYPE(self)->tp_name);
    }
    return -1;
  }
  PyObject* raw;
  int more;
  while ((more = PyIter_NextItem(iterator.get(), &raw)) > 0) {
    Ref<> item = Ref<>::steal(raw);
    int equal = PyObject_RichCompareBool(item.get(), value, Py_EQ);
    if (equal != 0) return equal;
  }
  return more;
}

PyObject* slot_repr(PyObject* self) {
  bool found;
  PyObject* result = call_special_optional(names.dunder_repr, &self, 1, &found);
  if (found) return result;
  return PyUnicode_FromFormat("<%s object at %p>", Py_TYPE(self)->tp_name, self);
}

Py_hash_t slot_hash(PyObject* self) {
  Method method;
  int outcome = find(self, names.dunder_hash, &method);
  if (outcome < 0) return -1;
  if (outcome == 0 || method.callable.get() == Py_None) return PyObject_HashNotImplemented(self);
  Ref<> result = Ref<>::steal(call(method, &self, 1));
  if (!result) return -1;
  if (!PyLong_Check(result.get())) {
    PyErr_SetString(PyExc_TypeError, "__hash__ method should return an integer");
    return -1;
  }
  // The value itself if it fits, as documented; otherwise what int makes of it.
  Py_hash_t hash = PyLong_AsSsize_t(result.get());
  if (hash == -1 && PyErr_Occurred()) {
    PyErr_Clear();
    hash = PyLong_Type.tp_hash(result.get());
  }
  return hash == -1 ? -2 : hash;
}

PyObject* slot_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  Method method;
  int outcome = find(self, names.dunder_call, &method);
  if (outcome < 0) return nullptr;
  if (outcome == 0) {
    PyErr_Format(PyExc_TypeError, "'%.200s' object is not callable", Py_TYPE(self)->tp_name);
    return nullptr;
  }
  if (!method.unbound) return PyObject_Call(method.callable.get(), args, kwargs);
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  PyObject* small[8];
  PyObject** stack = n + 1 <= 8 ? small : static_cast<PyObject**>(PyMem_Malloc((n + 1) * sizeof(PyObject*)));
  if (stack == nullptr) return PyErr_NoMemory();
  stack[0] = self;
  for (Py_ssize_t i = 0; i < n; ++i) stack[i + 1] = PyTuple_GET_ITEM(args, i);
  PyObject* result = PyObject_VectorcallDict(method.callable.get(), stack, static_cast<size_t>(n + 1), kwargs);
  if (stack != small) PyMem_Free(stack);
  return result;
}

PyObject* slot_getattribute(PyObject* self, PyObject* name) {
  PyObject* args[] = {self, name};
  return call_special(names.dunder_getattribute, args, 2);
}

namespace {
PyObject* call_getattr(PyObject* self, PyObject* name, bool* found) {
  PyObject* args[] = {self, name};
  return call_special_optional(names.dunder_getattr, args, 2, found);
}
}  // namespace

PyObject* slot_getattr_fallback(PyObject* self, PyObject* name) {
  PyObject* result = generic_getattr_optional(self, name);
  if (result != nullptr) return result;
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return nullptr;
    PyErr_Clear();
  }
  bool found;
  result = call_getattr(self, name, &found);
  if (!found) return PyObject_GenericGetAttr(self, name);
  return result;
}

PyObject* slot_getattr_both(PyObject* self, PyObject* name) {
  PyObject* result = slot_getattribute(self, name);
  if (result != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return result;
  Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
  bool found;
  result = call_getattr(self, name, &found);
  if (!found) PyErr_SetRaisedException(error.release());
  return result;
}

int slot_setattr(PyObject* self, PyObject* name, PyObject* value) {
  PyObject* args[] = {self, name, value};
  Ref<> result = Ref<>::steal(value == nullptr ? call_special(names.dunder_delattr, args, 2)
                                               : call_special(names.dunder_setattr, args, 3));
  return result ? 0 : -1;
}

PyObject* slot_richcompare(PyObject* self, PyObject* other, int op) {
  PyObject* const methods[] = {names.dunder_lt, names.dunder_le, names.dunder_eq,
                               names.dunder_ne, names.dunder_gt, names.dunder_ge};
  PyObject* args[] = {self, other};
  Method method;
  const int outcome = find(self, methods[op], &method);
  if (outcome > 0) return call(method, args, 2);
  // A method that is not there after all does not compare.
  if (outcome < 0) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return nullptr;
    PyErr_Clear();
  }
  return Py_NewRef(Py_NotImplemented);
}

PyObject* slot_iter(PyObject* self) {
  Method method;
  int outcome = find(self, names.dunder_iter, &method);
  if (outcome < 0) return nullptr;
  if (outcome > 0 && method.callable.get() != Py_None) return call(method, &self, 1);
  if (outcome == 0) {
    Ref<> getitem = Ref<>::steal(type_lookup(Py_TYPE(self), names.dunder_getitem));
    if (getitem) return PySeqIter_New(self);
  }
  PyErr_Format(PyExc_TypeError, "'%.200s' object is not iterable", Py_TYPE(self)->tp_name);
  return nullptr;
}

PyObject* slot_descr_get(PyObject* self, PyObject* obj, PyObject* type) {
  // As documented for descriptors, __get__ itself is not bound.
  Found get = type_find(Py_TYPE(self), names.dunder_get);
  if (!get) {
    // A lost __get__: clear the slot, it was stale.
    if (Py_TYPE(self)->tp_descr_get == slot_descr_get) Py_TYPE(self)->tp_descr_get = nullptr;
    return Py_NewRef(self);
  }
  PyObject* args[] = {self, obj == nullptr ? Py_None : obj, type == nullptr ? Py_None : type};
  return PyObject_Vectorcall(get.get(), args, 3, nullptr);
}

int slot_descr_set(PyObject* self, PyObject* target, PyObject* value) {
  PyObject* args[] = {self, target, value};
  Ref<> result = Ref<>::steal(value == nullptr ? call_special(names.dunder_delete, args, 2)
                                               : call_special(names.dunder_set, args, 3));
  return result ? 0 : -1;
}

int slot_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  Method method;
  int outcome = find(self, names.dunder_init, &method);
  if (outcome < 0) return -1;
  if (outcome == 0) {
    PyErr_SetObject(PyExc_AttributeError, names.dunder_init);
    return -1;
  }
  Ref<> result;
  if (method.unbound) {
    Py_ssize_t n = PyTuple_GET_SIZE(args);
    PyObject* small[8];
    PyObject** stack = n + 1 <= 8 ? small : static_cast<PyObject**>(PyMem_Malloc((n + 1) * sizeof(PyObject*)));
    if (stack == nullptr) {
      PyErr_NoMemory();
      return -1;
    }
    stack[0] = self;
    for (Py_ssize_t i = 0; i < n; ++i) stack[i + 1] = PyTuple_GET_ITEM(args, i);
    result = Ref<>::steal(
        PyObject_VectorcallDict(method.callable.get(), stack, static_cast<size_t>(n + 1), kwargs));
    if (stack != small) PyMem_Free(stack);
  } else {
    result = Ref<>::steal(PyObject_Call(method.callable.get(), args, kwargs));
  }
  if (!result) return -1;
  if (result.get() != Py_None) {
    PyErr_Format(PyExc_TypeError, "__init__() should return None, not '%.200s'", Py_TYPE(result.get())->tp_name);
    return -1;
  }
  return 0;
}

PyObject* slot_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  Ref<> method = Ref<>::steal(PyObject_GetAttr(as_object(type), names.dunder_new));
  if (!method) return nullptr;
  Py_ssize_t n = PyTuple_GET_SIZE(args);
  PyObject* small[8];
  PyObject** stack = n + 1 <= 8 ? small : static_cast<PyObject**>(PyMem_Malloc((n + 1) * sizeof(PyObject*)));
  if (stack == nullptr) return PyErr_NoMemory();
  stack[0] = as_object(type);
  for (Py_ssize_t i = 0; i < n; ++i) stack[i + 1] = PyTuple_GET_ITEM(args, i);
  PyObject* result = PyObject_VectorcallDict(method.get(), stack, static_cast<size_t>(n + 1), kwargs);
  if (stack != small) PyMem_Free(stack);
  return result;
}

void slot_finalize(PyObject* self) {
  Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
  Method method;
  if (find(self, names.dunder_del, &method) > 0) {
    Ref<> result = Ref<>::steal(call(method, &self, 1));
    if (!result) {
      PyErr_FormatUnraisable("Exception ignored while calling deallocator %R", method.callable.get());
    }
  }
  PyErr_SetRaisedException(saved.release());
}

// --- Buffers from Python code (PEP 688) --------------------------------------------------------------------------

namespace {

// Stands between a consumer's Py_buffer and the memoryview that __buffer__ returned; its end calls
// __release_buffer__.
struct BufferWrapper {
  PyObject_HEAD
  PyObject* view;
  PyObject* owner;
};

int wrapper_traverse(PyObject* self, visitproc visit, void* arg) {
  auto* w = reinterpret_cast<BufferWrapper*>(self);
  Py_VISIT(w->view);
  Py_VISIT(w->owner);
  return 0;
}

void wrapper_dealloc(PyObject* self) {
  auto* w = reinterpret_cast<BufferWrapper*>(self);
  PyObject_GC_UnTrack(self);
  Py_XDECREF(w->view);
  Py_XDECREF(w->owner);
  Py_TYPE(self)->tp_free(self);
}

// Calls __release_buffer__(view) with no exception in the way.
void call_release_buffer(PyObject* owner, PyObject* view) {
  Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
  PyObject* args[] = {owner, view};
  bool found;
  Ref<> result = Ref<>::steal(call_special_optional(names.dunder_release_buffer, args, 2, &found));
  if (found && !result) PyErr_FormatUnraisable("Exception ignored in __release_buffer__ of %s", Py_TYPE(owner)->tp_name);
  PyErr_SetRaisedException(saved.release());
}

void wrapper_release(PyObject* self, Py_buffer* buffer) {
  auto* w = reinterpret_cast<BufferWrapper*>(self);
  Ref<> view = Ref<>::steal(std::exchange(w->view, nullptr));
  Ref<> owner = Ref<>::steal(std::exchange(w->owner, nullptr));
  if (!view || !owner) return;
  Py_TYPE(view.get())->tp_as_buffer->bf_releasebuffer(view.get(), buffer);
  // The view's own end releases a native buffer of the owner, and __release_buffer__ is called then. A view of
  // something else has no such end: the owner gets the very view that its __buffer__ returned.
  PyBufferProcs* procs = Py_TYPE(owner.get())->tp_as_buffer;
  if (PyMemoryView_GET_BUFFER(view.get())->obj != owner.get() && procs != nullptr &&
      procs->bf_releasebuffer == slot_releasebuffer) {
    call_release_buffer(owner.get(), view.get());
  }
}

PyBufferProcs wrapper_as_buffer = {
    .bf_getbuffer = nullptr,
    .bf_releasebuffer = wrapper_release,
};

}  // namespace

extern "C" {
PyTypeObject BufferWrapper_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_buffer_wrapper",
    .tp_basicsize = sizeof(BufferWrapper),
    .tp_dealloc = wrapper_dealloc,
    .tp_as_buffer = &wrapper_as_buffer,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_traverse = wrapper_traverse,
    .tp_alloc = PyType_GenericAlloc,
    .tp_free = PyObject_GC_Del,
};
}

int slot_getbuffer(PyObject* self, Py_buffer* view, int flags) {
  Ref<> flags_object = Ref<>::steal(PyLong_FromLong(flags));
  if (!flags_object) return -1;
  PyObject* args[] = {self, flags_object.get()};
  Ref<> result = Ref<>::steal(call_special(names.dunder_buffer, args, 2));
  if (!result) return -1;
  if (!PyMemoryView_Check(result.get())) {
    PyErr_Format(PyExc_TypeError, "__buffer__ returned non-memoryview object");
    return -1;
  }
  if (PyObject_GetBuffer(result.get(), view, flags) < 0) return -1;
  auto* wrapper = PyObject_GC_New(BufferWrapper, &BufferWrapper_Type);
  if (wrapper == nullptr) {
    PyBuffer_Release(view);
    return -1;
  }
  Py_XDECREF(view->obj);
  wrapper->view = result.release();
  wrapper->owner = Py_NewRef(self);
  view->obj = reinterpret_cast<PyObject*>(wrapper);
  PyObject_GC_Track(wrapper);
  return 0;
}

// A native buffer of an object whose class has a Python __release_buffer__: that first, then the native end.
void slot_releasebuffer(PyObject* self, Py_buffer* buffer) {
  Ref<> saved = Ref<>::steal(PyErr_GetRaisedException());
  if (Ref<> view = Ref<>::steal(memoryview_restricted(self, buffer))) {
    call_release_buffer(self, view.get());
    Ref<> name = Ref<>::steal(PyUnicode_FromString("release"));
    Ref<> done = name ? Ref<>::steal(PyObject_CallMethodNoArgs(view.get(), name.get())) : Ref<>();
    if (!done) PyErr_WriteUnraisable(self);
  } else {
    PyErr_WriteUnraisable(self);
  }
  PyErr_SetRaisedException(saved.release());
  Ref<> mro = Ref<>::share(Py_TYPE(self)->tp_mro);
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(mro.get()); ++i) {
    auto* base = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro.get(), i));
    PyBufferProcs* procs = base->tp_as_buffer;
    if (procs != nullptr && procs->bf_releasebuffer != nullptr && procs->bf_releasebuffer != slot_releasebuffer) {
      procs->bf_releasebuffer(self, buffer);
      return;
    }
  }
}

}  // namespace amphis
