// FrameLocalsProxy (PEP 667): f_locals of function frames, a mapping that reads and writes the variables themselves.
#include "interp/frame_variables.h"
#include "interp/frame_view.h"
#include "interp/load.h"
#include "objects/names.h"
#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis {

namespace {

FrameObject* frame_of(PyObject* proxy) {
  return reinterpret_cast<FrameObject*>(reinterpret_cast<PyFrameLocalsProxyObject*>(proxy)->frame);
}

// The register of a variable name, or -1.
int find_variable(Frame* f, PyObject* name) {
  if (!PyUnicode_Check(name)) return -1;
  const int count = static_cast<int>(code_extra(f->code)->nlocalsplus);
  int found = -1;
  for (int i = 0; i < count; ++i) {
    PyObject* candidate = PyTuple_GET_ITEM(f->code->co_localsplusnames, i);
    if (candidate != name && PyUnicode_Equal(candidate, name) != 1) continue;
    auto kind = static_cast<uint8_t>(PyBytes_AS_STRING(f->code->co_localspluskinds)[i]);
    if (!(kind & kLocalHidden)) {
      if (found < 0) found = i;
    } else if (f->regs != nullptr && f->regs[i] != kEmpty) {
      found = i;  // a comprehension runs, whose variable hides the others
    }
  }
  return found;
}

// New reference or null (an exception only on error).
PyObject* lookup(PyObject* self, PyObject* key) {
  FrameObject* o = frame_of(self);
  Value v = kEmpty;
  {
    FrameView f(o);
    int i = find_variable(f.get(), key);
    if (i >= 0) v = frame_variable(f.get(), static_cast<uint32_t>(i));
  }
  if (v != kEmpty) return value_take_object(v);
  Ref<> extra = sync::get_ref(&o->extra_locals, o);
  PyObject* value = nullptr;
  if (extra && PyDict_GetItemRef(extra, key, &value) < 0) return nullptr;
  return value;
}

// Keeps a value that a callee may hold uncounted alive with the frame object.
bool keep_overwritten(FrameObject* o, PyObject* value) {
  ObjectLock lock(o);
  if (o->overwritten == nullptr) o->overwritten = PyList_New(0);
  return o->overwritten != nullptr && PyList_Append(o->overwritten, value) == 0;
}

// Gives the variable of this name the value (borrowed, null: refuses). 1: done; 0: there is no such variable.
int assign_variable(FrameObject* o, PyObject* key, PyObject* value) {
  Value displaced = kEmpty;
  Ref<> cell;
  {
    FrameView f(o);
    const int i = find_variable(f.get(), key);
    if (i < 0 || f->regs == nullptr) return 0;
    if (value != nullptr) {
      Value* reg = &f->regs[i];
      const Value old = *reg;
      auto kind = static_cast<uint8_t>(PyBytes_AS_STRING(o->code->co_localspluskinds)[i]);
      if ((kind & (kLocalCell | kLocalFree)) && is_pointer(old) && old != kEmpty && PyCell_Check(pointer_of(old))) {
        cell = Ref<>::share(pointer_of(old));
      } else {
        if (f.get() != &o->kept && is_owned(old) && !keep_overwritten(o, pointer_of(old))) return -1;
        *reg = value_owned(Py_NewRef(value));
        displaced = old;
      }
    }
  }
  if (value == nullptr) {
    PyErr_SetString(PyExc_ValueError, "cannot remove local variables from FrameLocalsProxy");
    return -1;
  }
  if (cell) return PyCell_Set(cell, value) < 0 ? -1 : 1;
  drop(displaced);
  return 1;
}

PyObject* proxy_subscript(PyObject* self, PyObject* key) {
  PyObject* value = lookup(self, key);
  if (value == nullptr && !PyErr_Occurred()) PyErr_Format(PyExc_KeyError, "local variable '%R' is not defined", key);
  return value;
}

int proxy_ass_subscript(PyObject* self, PyObject* key, PyObject* value) {
  FrameObject* o = frame_of(self);
  if (int done = assign_variable(o, key, value); done != 0) return done < 0 ? -1 : 0;
  Ref<> extra = sync::get_ref(&o->extra_locals, o);
  if (value == nullptr) {
    if (!extra) {
      PyErr_SetObject(PyExc_KeyError, key);
      return -1;
    }
    return PyDict_DelItem(extra, key);
  }
  if (!extra) {
    Ref<> made = Ref<>::steal(PyDict_New());
    if (!made) return -1;
    ObjectLock lock(o);
    if (o->extra_locals == nullptr) sync::store_release(o->extra_locals, made.release());
    extra = Ref<>::share(o->extra_locals);
  }
  return PyDict_SetItem(extra, key, value);
}

PyObject* snapshot(PyObject* self) { return frame_locals_snapshot(frame_of(self)); }

Py_ssize_t proxy_length(PyObject* self) {
  Ref<> dict = Ref<>::steal(snapshot(self));
  return dict ? PyDict_GET_SIZE(dict.get()) : -1;
}

int proxy_contains(PyObject* self, PyObject* key) {
  Ref<> value = Ref<>::steal(lookup(self, key));
  if (value) return 1;
  return PyErr_Occurred() ? -1 : 0;
}

PyObject* proxy_iter(PyObject* self) {
  Ref<> dict = Ref<>::steal(snapshot(self));
  if (!dict) return nullptr;
  Ref<> keys = Ref<>::steal(PyDict_Keys(dict));
  return keys ? PyObject_GetIter(keys) : nullptr;
}

PyObject* proxy_keys(PyObject* self, PyObject*) {
  Ref<> dict = Ref<>::steal(snapshot(self));
  return dict ? PyDict_Keys(dict) : nullptr;
}
PyObject* proxy_values(PyObject* self, PyObject*) {
  Ref<> dict = Ref<>::steal(snapshot(self));
  return dict ? PyDict_Values(dict) : nullptr;
}
PyObject* proxy_items(PyObject* self, PyObject*) {
  Ref<> dict = Ref<>::steal(snapshot(self));
  return dict ? PyDict_Items(dict) : nullptr;
}
PyObject* proxy_copy(PyObject* self, PyObject*) { return snapshot(self); }

PyObject* proxy_get(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 1 || nargs > 2) {
    PyErr_SetString(PyExc_TypeError, "get expected 1 or 2 arguments");
    return nullptr;
  }
  PyObject* value = lookup(self, args[0]);
  if (value != nullptr || PyErr_Occurred()) return value;
  return Py_NewRef(nargs == 2 ? args[1] : Py_None);
}

PyObject* proxy_setdefault(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (nargs < 1 || nargs > 2) {
    PyErr_SetString(PyExc_TypeError, "setdefault expected 1 or 2 arguments");
    return nullptr;
  }
  PyObject* value = lookup(self, args[0]);
  if (value != nullptr || PyErr_Occurred()) return value;
  PyObject* fallback = nargs == 2 ? args[1] : Py_None;
  if (proxy_ass_subscript(self, args[0], fallback) < 0) return nullptr;
  return Py_NewRef(fallback);
}

int merge(PyObject* self, PyObject* other) {
  Ref<> dict = Ref<>::steal(PyDict_New());
  if (!dict || PyDict_Update(dict, other) < 0) return -1;
  Py_ssize_t at = 0;
  PyObject *key, *value;
  while (PyDict_Next(dict, &at, &key, &value)) {
    if (proxy_ass_subscript(self, key, value) < 0) return -1;
  }
  return 0;
}

PyObject* proxy_update(PyObject* self, PyObject* other) {
  if (merge(self, other) < 0) return nullptr;
  Py_RETURN_NONE;
}

PyObject* proxy_or(PyObject* a, PyObject* b) {
  const bool left = Py_IS_TYPE(a, &PyFrameLocalsProxy_Type);
  PyObject* other = left ? b : a;
  if (!PyDict_Check(other) && !Py_IS_TYPE(other, &PyFrameLocalsProxy_Type)) Py_RETURN_NOTIMPLEMENTED;
  Ref<> dict = Ref<>::steal(PyDict_New());
  if (!dict || PyDict_Update(dict, a) < 0 || PyDict_Update(dict, b) < 0) return nullptr;
  return dict.release();
}

PyObject* proxy_ior(PyObject* self, PyObject* other) {
  if (!PyDict_Check(other) && !Py_IS_TYPE(other, &PyFrameLocalsProxy_Type)) Py_RETURN_NOTIMPLEMENTED;
  if (merge(self, other) < 0) return nullptr;
  return Py_NewRef(self);
}

PyObject* proxy_reversed(PyObject* self, PyObject*) {
  Ref<> keys = Ref<>::steal(proxy_keys(self, nullptr));
  if (!keys || PyList_Reverse(keys) < 0) return nullptr;
  return PyObject_GetIter(keys);
}

PyObject* proxy_repr(PyObject* self) {
  int entered = Py_ReprEnter(self);
  if (entered != 0) return entered > 0 ? PyUnicode_FromString("{...}") : nullptr;
  Ref<> dict = Ref<>::steal(snapshot(self));
  PyObject* text = dict ? PyObject_Repr(dict) : nullptr;
  Py_ReprLeave(self);
  return text;
}

PyObject* proxy_richcompare(PyObject* self, PyObject* other, int op) {
  if (op != Py_EQ && op != Py_NE) Py_RETURN_NOTIMPLEMENTED;
  if (Py_IS_TYPE(other, &PyFrameLocalsProxy_Type)) {
    return PyBool_FromLong((frame_of(self) == frame_of(other)) == (op == Py_EQ));
  }
  if (!PyDict_Check(other)) Py_RETURN_NOTIMPLEMENTED;
  Ref<> dict = Ref<>::steal(snapshot(self));
  return dict ? PyObject_RichCompare(dict, other, op) : nullptr;
}

PyObject* proxy_refuse_removal(PyObject*, PyObject*) {
  PyErr_SetString(PyExc_ValueError, "cannot remove local variables from FrameLocalsProxy");
  return nullptr;
}

PyObject* proxy_new(PyTypeObject*, PyObject* args, PyObject* kwargs) {
  PyObject* frame;
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) > 0) {
    PyErr_SetString(PyExc_TypeError, "FrameLocalsProxy takes no keyword arguments");
    return nullptr;
  }
  if (!PyArg_ParseTuple(args, "O!:FrameLocalsProxy", &PyFrame_Type, &frame)) return nullptr;
  return frame_locals_proxy_new(frame);
}

void proxy_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  Py_CLEAR(reinterpret_cast<PyFrameLocalsProxyObject*>(self)->frame);
  PyObject_GC_Del(self);
}
int proxy_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(reinterpret_cast<PyObject*>(frame_of(self)));
  return 0;
}

PyNumberMethods proxy_as_number = {.nb_or = proxy_or, .nb_inplace_or = proxy_ior};
PySequenceMethods proxy_as_sequence = {.sq_contains = proxy_contains};
PyMappingMethods proxy_as_mapping = {proxy_length, proxy_subscript, proxy_ass_subscript};

template <typename F>
PyCFunction as_cfunction(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void*>(f));
}

PyMethodDef proxy_methods[] = {
    {"__contains__", as_cfunction(+[](PyObject* s, PyObject* k) -> PyObject* {
       int found = proxy_contains(s, k);
       return found < 0 ? nullptr : PyBool_FromLong(found);
     }), METH_O | METH_COEXIST, nullptr},
    {"__getitem__", proxy_subscript, METH_O | METH_COEXIST, nullptr},
    {"copy", proxy_copy, METH_NOARGS, nullptr},
    {"__copy__", proxy_copy, METH_NOARGS, nullptr},
    {"keys", proxy_keys, METH_NOARGS, nullptr},
    {"values", proxy_values, METH_NOARGS, nullptr},
    {"items", proxy_items, METH_NOARGS, nullptr},
    {"update", proxy_update, METH_O, nullptr},
    {"get", as_cfunction(proxy_get), METH_FASTCALL, nullptr},
    {"setdefault", as_cfunction(proxy_setdefault), METH_FASTCALL, nullptr},
    {"pop", proxy_refuse_removal, METH_VARARGS, nullptr},
    {"popitem", proxy_refuse_removal, METH_VARARGS, nullptr},
    {"clear", proxy_refuse_removal, METH_VARARGS, nullptr},
    {"__reversed__", proxy_reversed, METH_NOARGS, nullptr},
    {},
};

}  // namespace

PyObject* frame_locals_proxy_new(PyObject* frame) {
  auto* proxy = PyObject_GC_New(PyFrameLocalsProxyObject, &PyFrameLocalsProxy_Type);
  if (proxy == nullptr) return nullptr;
  proxy->frame = reinterpret_cast<PyFrameObject*>(Py_NewRef(frame));
  PyObject_GC_Track(proxy);
  return reinterpret_cast<PyObject*>(proxy);
}

}  // namespace amphis

extern "C" {

using namespace amphis;

PyTypeObject PyFrameLocalsProxy_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "FrameLocalsProxy",
    .tp_basicsize = sizeof(PyFrameLocalsProxyObject),
    .tp_dealloc = proxy_dealloc,
    .tp_repr = proxy_repr,
    .tp_as_number = &proxy_as_number,
    .tp_as_sequence = &proxy_as_sequence,
    .tp_as_mapping = &proxy_as_mapping,
    .tp_hash = PyObject_HashNotImplemented,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_MAPPING,
    .tp_traverse = proxy_traverse,
    .tp_richcompare = proxy_richcompare,
    .tp_iter = proxy_iter,
    .tp_methods = proxy_methods,
    .tp_new = proxy_new,
};

}  // extern "C"
