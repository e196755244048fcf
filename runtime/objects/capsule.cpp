// Owns capsules: a C pointer under a name, with a destructor and a context. The name is compared, never copied: it
// must outlive the capsule. A capsule is watched by the collector only once it has been given functions to walk it.
#include <cstring>

#include "base/assert.h"
#include "gc/object_new.h"
#include "sync/atomic_field.h"
#include "sync/ref.h"

using namespace amphis;

namespace {

struct Capsule {
  PyObject_HEAD
  void* pointer;
  const char* name;
  void* context;
  PyCapsule_Destructor destructor;
  traverseproc traverse;
  inquiry clear;
};

bool same_name(const char* a, const char* b) { return a == b || (a && b && std::strcmp(a, b) == 0); }

// The capsule, or null with the error of `function`.
Capsule* checked(PyObject* op, const char* error) {
  auto* capsule = reinterpret_cast<Capsule*>(op);
  if (op && PyCapsule_CheckExact(op) && sync::load_acquire(capsule->pointer)) return capsule;
  PyErr_SetString(PyExc_ValueError, error);
  return nullptr;
}
#define AMPHIS_INVALID(function) function " called with invalid PyCapsule object"

void capsule_dealloc(PyObject* self) {
  auto* capsule = reinterpret_cast<Capsule*>(self);
  PyObject_GC_UnTrack(self);
  if (capsule->destructor) capsule->destructor(self);
  PyObject_GC_Del(self);
}

int capsule_traverse(PyObject* self, visitproc visit, void* arg) {
  auto* capsule = reinterpret_cast<Capsule*>(self);
  return capsule->traverse ? capsule->traverse(self, visit, arg) : 0;
}

int capsule_clear(PyObject* self) {
  auto* capsule = reinterpret_cast<Capsule*>(self);
  return capsule->clear ? capsule->clear(self) : 0;
}

PyObject* capsule_repr(PyObject* self) {
  auto* capsule = reinterpret_cast<Capsule*>(self);
  const char* quote = capsule->name ? "\"" : "";
  return PyUnicode_FromFormat("<capsule object %s%s%s at %p>", quote, capsule->name ? capsule->name : "NULL", quote, self);
}

}  // namespace

extern "C" {

PyTypeObject PyCapsule_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "PyCapsule",
    .tp_basicsize = sizeof(Capsule),
    .tp_dealloc = capsule_dealloc,
    .tp_repr = capsule_repr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = PyDoc_STR("Capsule objects let you wrap a C \"void *\" pointer in a Python object.\n"
                        "They are how one extension module hands its C functions to another."),
    .tp_traverse = capsule_traverse,
    .tp_clear = capsule_clear,
    .tp_free = PyObject_GC_Del,
};

PyObject* PyCapsule_New(void* pointer, const char* name, PyCapsule_Destructor destructor) {
  if (!pointer) {
    PyErr_SetString(PyExc_ValueError, "PyCapsule_New called with null pointer");
    return nullptr;
  }
  auto* capsule = new_gc_object<Capsule>(&PyCapsule_Type);
  if (!capsule) return PyErr_NoMemory();
  capsule->pointer = pointer;
  capsule->name = name;
  capsule->context = nullptr;
  capsule->destructor = destructor;
  capsule->traverse = nullptr;
  capsule->clear = nullptr;
  return reinterpret_cast<PyObject*>(capsule);
}

int PyCapsule_IsValid(PyObject* op, const char* name) {
  auto* capsule = reinterpret_cast<Capsule*>(op);
  return op && PyCapsule_CheckExact(op) && sync::load_acquire(capsule->pointer) &&
         same_name(sync::load_relaxed(capsule->name), name);
}

void* PyCapsule_GetPointer(PyObject* op, const char* name) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("PyCapsule_GetPointer"));
  if (!capsule) return nullptr;
  if (!same_name(name, sync::load_relaxed(capsule->name))) {
    PyErr_SetString(PyExc_ValueError, "PyCapsule_GetPointer called with incorrect name");
    return nullptr;
  }
  return sync::load_acquire(capsule->pointer);
}

const char* PyCapsule_GetName(PyObject* op) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("PyCapsule_GetName"));
  return capsule ? sync::load_relaxed(capsule->name) : nullptr;
}

PyCapsule_Destructor PyCapsule_GetDestructor(PyObject* op) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("PyCapsule_GetDestructor"));
  return capsule ? sync::load_relaxed(capsule->destructor) : nullptr;
}

void* PyCapsule_GetContext(PyObject* op) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("PyCapsule_GetContext"));
  return capsule ? sync::load_acquire(capsule->context) : nullptr;
}

int PyCapsule_SetPointer(PyObject* op, void* pointer) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("PyCapsule_SetPointer"));
  if (!capsule) return -1;
  if (!pointer) {
    PyErr_SetString(PyExc_ValueError, "PyCapsule_SetPointer called with null pointer");
    return -1;
  }
  sync::store_release(capsule->pointer, pointer);
  return 0;
}

int PyCapsule_SetName(PyObject* op, const char* name) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("PyCapsule_SetName"));
  if (!capsule) return -1;
  sync::store_release(capsule->name, name);
  return 0;
}

int PyCapsule_SetDestructor(PyObject* op, PyCapsule_Destructor destructor) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("PyCapsule_SetDestructor"));
  if (!capsule) return -1;
  sync::store_release(capsule->destructor, destructor);
  return 0;
}

int PyCapsule_SetContext(PyObject* op, void* context) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("PyCapsule_SetContext"));
  if (!capsule) return -1;
  sync::store_release(capsule->context, context);
  return 0;
}

int _PyCapsule_SetTraverse(PyObject* op, traverseproc traverse, inquiry clear) {
  Capsule* capsule = checked(op, AMPHIS_INVALID("_PyCapsule_SetTraverse"));
  if (!capsule) return -1;
  if (!traverse || !clear) {
    PyErr_SetString(PyExc_ValueError, "_PyCapsule_SetTraverse() called with NULL callback");
    return -1;
  }
  capsule->traverse = traverse;
  capsule->clear = clear;
  if (!PyObject_GC_IsTracked(op)) track(op);
  return 0;
}

// "package.module.attribute": the first part is imported, the rest are attributes.
void* PyCapsule_Import(const char* name, int) {
  Ref<> object;
  const char* part = name;
  for (;;) {
    const char* dot = std::strchr(part, '.');
    auto text = Ref<>::steal(PyUnicode_FromStringAndSize(part, dot ? dot - part : Py_ssize_t(std::strlen(part))));
    if (!text) return nullptr;
    if (!object) {
      object = Ref<>::steal(PyImport_Import(text));
      if (!object) {
        PyErr_Format(PyExc_ImportError, "PyCapsule_Import could not import module \"%U\"", text.get());
        return nullptr;
      }
    } else {
      object = Ref<>::steal(PyObject_GetAttr(object, text));
      if (!object) return nullptr;
    }
    if (!dot) break;
    part = dot + 1;
  }
  if (PyCapsule_IsValid(object, name)) return reinterpret_cast<Capsule*>(object.get())->pointer;
  PyErr_Format(PyExc_AttributeError, "PyCapsule_Import \"%s\" is not valid", name);
  return nullptr;
}

}  // extern "C"
