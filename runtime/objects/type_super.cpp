// super: the attributes of an object as seen from behind one class in its MRO.
#include "objects/type.h"

#include "gc/gc_bits.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <utility>

namespace amphis {

int (*super_frame_hook)(PyObject** cls, PyObject** self) = nullptr;

namespace {

struct SuperObject {
  PyObject_HEAD
  PyTypeObject* type;
  PyObject* obj;
  PyTypeObject* obj_type;
};

SuperObject* as_super(PyObject* self) { return reinterpret_cast<SuperObject*>(self); }

// What it is made of, which __init__ may replace at any time.
struct Parts {
  Ref<PyTypeObject> type;
  Ref<> obj;
  Ref<PyTypeObject> obj_type;
};
Parts parts_of(PyObject* self) {
  SuperObject* s = as_super(self);
  LeafLock lock(self);
  return {Ref<PyTypeObject>::share(s->type), Ref<>::share(s->obj), Ref<PyTypeObject>::share(s->obj_type)};
}

// The class whose MRO is searched: obj itself if it is a subclass of cls, else obj's class. New reference.
PyTypeObject* check_arguments(PyTypeObject* cls, PyObject* obj) {
  if (PyType_Check(obj) && PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(obj), cls)) {
    return reinterpret_cast<PyTypeObject*>(Py_NewRef(obj));
  }
  if (PyType_IsSubtype(Py_TYPE(obj), cls)) {
    return reinterpret_cast<PyTypeObject*>(Py_NewRef(as_object(Py_TYPE(obj))));
  }
  PyObject* raw;
  if (PyObject_GetOptionalAttr(obj, names.dunder_class, &raw) < 0) return nullptr;
  Ref<> claimed = Ref<>::steal(raw);
  if (claimed && PyType_Check(claimed.get()) && claimed.get() != as_object(Py_TYPE(obj)) &&
      PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(claimed.get()), cls)) {
    return reinterpret_cast<PyTypeObject*>(claimed.release());
  }
  const char* what = PyType_Check(obj) ? "type" : "instance of";
  const char* name = PyType_Check(obj) ? reinterpret_cast<PyTypeObject*>(obj)->tp_name : Py_TYPE(obj)->tp_name;
  PyErr_Format(PyExc_TypeError,
               "super(type, obj): obj (%s %.200s) is not an instance or subtype of type (%.200s).", what, name,
               cls->tp_name);
  return nullptr;
}

// The raw attribute behind cls in start's MRO: new reference or null without an exception.
Ref<> find_behind(PyTypeObject* start, PyTypeObject* cls, PyObject* name) {
  Ref<> mro = Ref<>::steal(type_mro_ref(start));
  if (!mro) return Ref<>();
  Py_ssize_t n = PyTuple_GET_SIZE(mro.get());
  Py_ssize_t i = 0;
  while (i < n && PyTuple_GET_ITEM(mro.get(), i) != as_object(cls)) ++i;
  for (++i; i < n; ++i) {
    PyObject* dict = reinterpret_cast<PyTypeObject*>(PyTuple_GET_ITEM(mro.get(), i))->tp_dict;
    if (dict == nullptr) continue;
    PyObject* value = nullptr;
    int found = PyDict_GetItemRef(dict, name, &value);
    if (found > 0) return Ref<>::steal(value);
    if (found < 0) PyErr_Clear();
  }
  return Ref<>();
}

// Bound lookup. 1, 0 or -1. With `unbound`, plain functions are left unbound for a call with obj.
int lookup(PyTypeObject* cls, PyObject* obj, PyTypeObject* start, PyObject* name, bool* unbound, PyObject** result) {
  *result = nullptr;
  // __class__ is super's own.
  if (PyUnicode_GET_LENGTH(name) == 9 && PyUnicode_CompareWithASCIIString(name, "__class__") == 0) return 0;
  Ref<> found = find_behind(start, cls, name);
  if (!found) return 0;
  PyTypeObject* kind = Py_TYPE(found.get());
  if (unbound != nullptr && (kind->tp_flags & Py_TPFLAGS_METHOD_DESCRIPTOR) != 0 && obj != as_object(start)) {
    *unbound = true;
    *result = found.release();
    return 1;
  }
  descrgetfunc get = kind->tp_descr_get;
  if (get == nullptr) {
    *result = found.release();
    return 1;
  }
  // A class method wants only the class, a method the instance; super(T, T) has only the class.
  *result = get(found.get(), obj == as_object(start) ? nullptr : obj, as_object(start));
  return *result != nullptr ? 1 : -1;
}

PyObject* raise_missing(PyObject* obj, PyObject* name) {
  PyErr_Format(PyExc_AttributeError, "'super' object has no attribute '%U'", name);
  set_attribute_error_context(obj, name);
  return nullptr;
}

PyObject* getattr_impl(PyObject* cls, PyObject* obj, PyObject* name, bool* unbound) {
  if (unbound != nullptr) *unbound = false;
  if (!PyType_Check(cls)) {
    PyErr_Format(PyExc_RuntimeError, "super(): __class__ is not a type (%s)", Py_TYPE(cls)->tp_name);
    return nullptr;
  }
  auto* type = reinterpret_cast<PyTypeObject*>(cls);
  PyTypeObject* start = check_arguments(type, obj);
  if (start == nullptr) return nullptr;
  PyObject* result;
  int found = lookup(type, obj, start, name, unbound, &result);
  Py_DECREF(as_object(start));
  if (found != 0) return result;
  // What super itself has, such as __class__, needs the object.
  PyObject* args[] = {cls, obj};
  Ref<> super = Ref<>::steal(PyObject_Vectorcall(as_object(&PySuper_Type), args, 2, nullptr));
  return super ? PyObject_GetAttr(super.get(), name) : nullptr;
}

PyObject* super_getattro(PyObject* self, PyObject* name) {
  const Parts s = parts_of(self);
  if (s.obj_type) {
    PyObject* result;
    int found = lookup(s.type, s.obj, s.obj_type, name, nullptr, &result);
    if (found != 0) return result;
  }
  PyObject* result = _PyObject_GenericGetAttrWithDict(self, name, nullptr, 1);
  if (result != nullptr || PyErr_Occurred()) return result;
  return raise_missing(self, name);
}

// Takes over the reference to obj_type.
void set_fields(SuperObject* s, PyObject* type, PyObject* obj, PyTypeObject* obj_type) {
  Parts parts{Ref<PyTypeObject>::share(type), Ref<>::share(obj), Ref<PyTypeObject>::steal(obj_type)};
  LeafLock lock(s);
  parts.type = sync::exchange_slot_locked(&s->type, std::move(parts.type));
  parts.obj = sync::exchange_slot_locked(&s->obj, std::move(parts.obj));
  parts.obj_type = sync::exchange_slot_locked(&s->obj_type, std::move(parts.obj_type));
}

int init_fields(PyObject* self, PyObject* type, PyObject* obj) {
  Ref<> type_ref;
  Ref<> obj_ref;
  if (type == nullptr) {
    if (super_frame_hook == nullptr) {
      PyErr_SetString(PyExc_RuntimeError, "super(): no current frame");
      return -1;
    }
    PyObject* cls_raw = nullptr;
    PyObject* self_raw = nullptr;
    if (super_frame_hook(&cls_raw, &self_raw) < 0) return -1;
    type_ref = Ref<>::steal(cls_raw);
    obj_ref = Ref<>::steal(self_raw);
    type = type_ref.get();
    obj = obj_ref.get();
    if (!PyType_Check(type)) {
      PyErr_Format(PyExc_RuntimeError, "super(): __class__ is not a type (%s)", Py_TYPE(type)->tp_name);
      return -1;
    }
  }
  if (obj == Py_None) obj = nullptr;
  PyTypeObject* obj_type = nullptr;
  if (obj != nullptr) {
    obj_type = check_arguments(reinterpret_cast<PyTypeObject*>(type), obj);
    if (obj_type == nullptr) return -1;
  }
  set_fields(as_super(self), type, obj, obj_type);
  return 0;
}

bool check_type_argument(PyObject* type) {
  if (PyType_Check(type)) return true;
  PyErr_Format(PyExc_TypeError, "super() argument 1 must be a type, not %.200s", Py_TYPE(type)->tp_name);
  return false;
}

int super_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (kwargs != nullptr && PyDict_GET_SIZE(kwargs) != 0) {
    PyErr_SetString(PyExc_TypeError, "super() takes no keyword arguments");
    return -1;
  }
  PyObject* type = nullptr;
  PyObject* obj = nullptr;
  if (!PyArg_UnpackTuple(args, "super", 0, 2, &type, &obj)) return -1;
  if (type != nullptr && !check_type_argument(type)) return -1;
  return init_fields(self, type, obj);
}

PyObject* super_vectorcall(PyObject* self, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  if (kwnames != nullptr && PyTuple_GET_SIZE(kwnames) != 0) {
    PyErr_SetString(PyExc_TypeError, "super() takes no keyword arguments");
    return nullptr;
  }
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  if (nargs > 2) {
    PyErr_Format(PyExc_TypeError, "super() expected at most 2 arguments, got %zd", nargs);
    return nullptr;
  }
  PyObject* type = nargs > 0 ? args[0] : nullptr;
  if (type != nullptr && !check_type_argument(type)) return nullptr;
  auto* cls = reinterpret_cast<PyTypeObject*>(self);
  Ref<> result = Ref<>::steal(cls->tp_alloc(cls, 0));
  if (!result || init_fields(result.get(), type, nargs > 1 ? args[1] : nullptr) < 0) return nullptr;
  return result.release();
}

PyObject* super_repr(PyObject* self) {
  const Parts s = parts_of(self);
  const char* name = s.type ? s.type->tp_name : "NULL";
  if (s.obj_type) {
    return PyUnicode_FromFormat("<super: <class '%s'>, <%s object>>", name, s.obj_type->tp_name);
  }
  return PyUnicode_FromFormat("<super: <class '%s'>, NULL>", name);
}

// An unbound super found in a class binds like a method.
PyObject* super_descr_get(PyObject* self, PyObject* obj, PyObject*) {
  const Parts s = parts_of(self);
  if (obj == nullptr || obj == Py_None || s.obj) return Py_NewRef(self);
  if (Py_TYPE(self) != &PySuper_Type) {
    return PyObject_CallFunctionObjArgs(as_object(Py_TYPE(self)), s.type.obj(), obj, nullptr);
  }
  PyTypeObject* obj_type = check_arguments(s.type, obj);
  if (obj_type == nullptr) return nullptr;
  PyObject* bound = PySuper_Type.tp_new(&PySuper_Type, nullptr, nullptr);
  if (bound == nullptr) {
    Py_DECREF(as_object(obj_type));
    return nullptr;
  }
  set_fields(as_super(bound), s.type.obj(), obj, obj_type);
  return bound;
}

void super_dealloc(PyObject* self) {
  PyObject_GC_UnTrack(self);
  SuperObject* s = as_super(self);
  Py_XDECREF(as_object(s->type));
  Py_XDECREF(s->obj);
  Py_XDECREF(as_object(s->obj_type));
  Py_TYPE(self)->tp_free(self);
}

int super_traverse(PyObject* self, visitproc visit, void* arg) {
  SuperObject* s = as_super(self);
  Py_VISIT(s->obj);
  Py_VISIT(s->type);
  Py_VISIT(s->obj_type);
  return 0;
}

PyMemberDef super_members[] = {
    {"__thisclass__", _Py_T_OBJECT, offsetof(SuperObject, type), Py_READONLY, "the class invoking super()"},
    {"__self__", _Py_T_OBJECT, offsetof(SuperObject, obj), Py_READONLY, "the instance invoking super(); may be None"},
    {"__self_class__", _Py_T_OBJECT, offsetof(SuperObject, obj_type), Py_READONLY,
     "the type of the instance invoking super(); may be None"},
    {nullptr, 0, 0, 0, nullptr},
};

}  // namespace

PyObject* super_getattr(PyObject* cls, PyObject* obj, PyObject* name) {
  return getattr_impl(cls, obj, name, nullptr);
}

PyObject* super_get_method(PyObject* cls, PyObject* obj, PyObject* name, bool* unbound) {
  return getattr_impl(cls, obj, name, unbound);
}

}  // namespace amphis

using namespace amphis;

extern "C" {
PyTypeObject PySuper_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "super",
    .tp_basicsize = sizeof(SuperObject),
    .tp_dealloc = super_dealloc,
    .tp_repr = super_repr,
    .tp_getattro = super_getattro,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc = "super() -> same as super(__class__, <first argument>)\n"
              "super(type) -> unbound super object\n"
              "super(type, obj) -> bound super object; requires isinstance(obj, type)\n"
              "super(type, type2) -> bound super object; requires issubclass(type2, type)\n"
              "Typical use to call a cooperative superclass method:\n"
              "class C(B):\n"
              "    def meth(self, arg):\n"
              "        super().meth(arg)\n"
              "This works for class methods too:\n"
              "class C(B):\n"
              "    @classmethod\n"
              "    def cmeth(cls, arg):\n"
              "        super().cmeth(arg)\n",
    .tp_traverse = super_traverse,
    .tp_members = super_members,
    .tp_descr_get = super_descr_get,
    .tp_init = super_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = PyType_GenericNew,
    .tp_free = PyObject_GC_Del,
    .tp_vectorcall = super_vectorcall,
};
}
