// Module objects: attribute access with module-level __getattr__, and the C API. module_create.cpp makes them for extensions.
#include "objects/module.h"

#include "gc/object_new.h"
#include "objects/dict.h"
#include "objects/type.h"
#include "sync/atomic_field.h"
#include "sync/deferred.h"
#include "sync/mutex.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

#include <unistd.h>

#include <atomic>
#include <climits>
#include <cstring>
#include <utility>
#include <vector>

namespace amphis {

PyObject* module_new_untracked(PyTypeObject* type) {
  PyObject* module = alloc_instance(type, 0);
  if (module == nullptr) return nullptr;
  reinterpret_cast<ModuleObject*>(module)->md_dict = PyDict_New();
  if (reinterpret_cast<ModuleObject*>(module)->md_dict == nullptr) {
    Py_DECREF(module);
    return nullptr;
  }
  return module;
}

namespace {

ModuleObject* as_module(PyObject* self) { return reinterpret_cast<ModuleObject*>(self); }

std::atomic<Py_ssize_t> next_module_index{1};

sync::AttachedMutex modules_mutex;
using AttachedLock = sync::LockGuard<sync::AttachedMutex>;
std::vector<PyObject*> modules_by_index;  // strong references; by PyModuleDef_Base::m_index

bool check_module(PyObject* obj) {
  if (PyModule_Check(obj)) return true;
  PyErr_BadArgument();
  return false;
}

int init_namespace(PyObject* module, PyObject* given_name, PyObject* doc) {
  PyObject* dict = module_dict(module);
  // Every function that a thread makes takes a reference to its module's name: interned, it need not be counted where
  // threads run at once.
  PyObject* interned = Py_NewRef(given_name);
  PyUnicode_InternInPlace(&interned);
  const Ref<> name = Ref<>::steal(interned);
  if (PyDict_SetItem(dict, names.dunder_name, name) < 0 || PyDict_SetItem(dict, names.dunder_doc, doc) < 0 ||
      PyDict_SetItem(dict, names.dunder_package, Py_None) < 0 ||
      PyDict_SetItem(dict, names.dunder_loader, Py_None) < 0 || PyDict_SetItem(dict, names.dunder_spec, Py_None) < 0) {
    return -1;
  }
  if (PyUnicode_CheckExact(name.get())) sync::set_slot(&as_module(module)->md_name, name.copy());
  return 0;
}

// All threads read modules, and the functions that they make refer to the namespace.
void hand_out(PyObject* module) {
  track(module);
  sync::set_deferred(module);
  sync::set_deferred(module_dict(module));
}

PyObject* module_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* module = module_new_untracked(type);
  if (module == nullptr) return nullptr;
  // A class made in Python may have a finalizer.
  if (type == &PyModule_Type)
    hand_out(module);
  else
    track(module);
  return module;
}

int module_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"name", "doc", nullptr};
  PyObject* name;
  PyObject* doc = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "U|O:module", const_cast<char**>(keywords), &name, &doc)) return -1;
  if (as_module(self)->md_dict == nullptr) {
    as_module(self)->md_dict = PyDict_New();
    if (as_module(self)->md_dict == nullptr) return -1;
  }
  return init_namespace(self, name, doc);
}

// A module without state that has one coming: the functions of its state must not run yet.
bool has_usable_state(ModuleObject* m) { return m->md_state_size <= 0 || m->md_state != nullptr; }

void module_dealloc(PyObject* self) {
  ModuleObject* m = as_module(self);
  PyObject_GC_UnTrack(self);
  if (sync::load_acquire(m->md_weaklist) != nullptr) PyObject_ClearWeakRefs(self);
  if (m->md_state_free != nullptr && has_usable_state(m)) m->md_state_free(self);
  Py_XDECREF(m->md_dict);
  Py_XDECREF(m->md_name);
  PyMem_Free(m->md_state);
  PyMem_Free(m->md_exec);
  Py_TYPE(self)->tp_free(self);
}

int module_traverse(PyObject* self, visitproc visit, void* arg) {
  ModuleObject* m = as_module(self);
  if (m->md_state_traverse != nullptr && has_usable_state(m)) {
    int result = m->md_state_traverse(self, visit, arg);
    if (result != 0) return result;
  }
  Py_VISIT(m->md_dict);
  return 0;
}

int module_clear(PyObject* self) {
  ModuleObject* m = as_module(self);
  if (m->md_state_clear != nullptr && has_usable_state(m)) {
    int result = m->md_state_clear(self);
    if (PyErr_Occurred()) PyErr_FormatUnraisable("Exception ignored in m_clear of module%s%V", m->md_name != nullptr ? " " : "", m->md_name, "");
    if (result != 0) return result;
  }
  Py_CLEAR(m->md_dict);
  return 0;
}

// The import system's text for a module: it knows loaders and specs.
PyObject* module_repr(PyObject* self) {
  Ref<> importlib = Ref<>::steal(PyImport_ImportModule("importlib._bootstrap"));
  if (!importlib) {
    PyErr_Clear();
    importlib = Ref<>::steal(PyImport_ImportModule("_frozen_importlib"));
  }
  if (!importlib) {
    PyErr_Clear();
    Ref<> name = Ref<>::steal(PyModule_GetNameObject(self));
    if (!name) {
      PyErr_Clear();
      return PyUnicode_FromString("<module '?'>");
    }
    return PyUnicode_FromFormat("<module %R>", name.get());
  }
  return PyObject_CallMethod(importlib.get(), "_module_repr", "O", self);
}

// --- Missing attributes -------------------------------------------------------------------------------------------

// module.__spec__'s attribute as truth; errors and absence are false.
bool spec_flag(PyObject* spec, PyObject* name) {
  if (spec == nullptr || spec == Py_None) return false;
  PyObject* raw;
  if (PyObject_GetOptionalAttr(spec, name, &raw) < 0) {
    PyErr_Clear();
    return false;
  }
  Ref<> value = Ref<>::steal(raw);
  int truth = value ? PyObject_IsTrue(value.get()) : 0;
  if (truth < 0) PyErr_Clear();
  return truth > 0;
}

// The file that the spec names, if it has one.
Ref<> spec_origin(PyObject* spec) {
  if (spec == nullptr || spec == Py_None || !spec_flag(spec, names.str_has_location)) return Ref<>();
  PyObject* raw;
  if (PyObject_GetOptionalAttr(spec, names.str_origin, &raw) < 0) PyErr_Clear();
  Ref<> origin = Ref<>::steal(raw);
  if (origin && !PyUnicode_Check(origin.get())) return Ref<>();
  return origin;
}

// Could the file hide a module of the standard library or of site-packages? True if it lies in sys.path[0].
int possibly_shadowing(PyObject* origin) {
  Ref<> flags = Ref<>::share(PySys_GetObject("flags"));
  if (flags) {
    PyObject* raw;
    if (PyObject_GetOptionalAttrString(flags.get(), "safe_path", &raw) < 0) return -1;
    Ref<> safe = Ref<>::steal(raw);
    int truth = safe ? PyObject_IsTrue(safe.get()) : 0;
    if (truth != 0) return truth < 0 ? -1 : 0;
  }
  Ref<> path = Ref<>::share(PySys_GetObject("path"));
  if (!path || !PyList_Check(path.get()) || PyList_GET_SIZE(path.get()) == 0) return 0;
  Ref<> first = Ref<>::steal(PyList_GetItemRef(path.get(), 0));
  if (!first || !PyUnicode_Check(first.get())) return 0;
  const char* root = PyUnicode_AsUTF8(first.get());
  char here[PATH_MAX];
  if (root != nullptr && *root == 0 && getcwd(here, sizeof(here)) != nullptr) root = here;
  const char* file = PyUnicode_AsUTF8(origin);
  if (root == nullptr || file == nullptr) return -1;
  // ".../dir/name.py", or ".../dir/name/__init__.py" for a package.
  const char* slash = std::strrchr(file, '/');
  if (slash == nullptr) return 0;
  size_t length = static_cast<size_t>(slash - file);
  if (std::strcmp(slash, "/__init__.py") == 0) {
    while (length > 0 && file[length - 1] != '/') --length;
    if (length > 0) --length;
  }
  return std::strlen(root) == length && std::memcmp(root, file, length) == 0;
}

bool is_stdlib_name(PyObject* name) {
  Ref<> known = Ref<>::share(PySys_GetObject("stdlib_module_names"));
  if (!known || !PyAnySet_Check(known.get())) return false;
  int has = PySet_Contains(known.get(), name);
  if (has < 0) PyErr_Clear();
  return has > 0;
}

}  // namespace

PyObject* module_raise_missing(PyObject* module, PyObject* name) {
  PyObject* raw = nullptr;
  if (module_dict(module) != nullptr && PyDict_GetItemRef(module_dict(module), names.dunder_name, &raw) < 0) {
    return nullptr;
  }
  Ref<> module_name = Ref<>::steal(raw);
  if (!module_name || !PyUnicode_Check(module_name.get())) {
    PyErr_Format(PyExc_AttributeError, "module has no attribute '%U'", name);
    set_attribute_error_context(module, name);
    return nullptr;
  }
  raw = nullptr;
  if (PyDict_GetItemRef(module_dict(module), names.dunder_spec, &raw) < 0) return nullptr;
  Ref<> spec = Ref<>::steal(raw);
  Ref<> origin = spec_origin(spec.get());
  int shadowing = origin ? possibly_shadowing(origin.get()) : 0;
  if (shadowing < 0) {
    PyErr_Clear();
    shadowing = 0;
  }
  bool stdlib_shadowed = shadowing && is_stdlib_name(module_name.get());
  if (stdlib_shadowed) {
    PyErr_Format(PyExc_AttributeError,
                 "module '%U' has no attribute '%U' (consider renaming '%U' since it has the same name as the standard "
                 "library module named '%U' and prevents importing that standard library module)",
                 module_name.get(), name, origin.get(), module_name.get());
  } else if (spec_flag(spec.get(), names.str__initializing)) {
    if (shadowing) {
      PyErr_Format(PyExc_AttributeError,
                   "module '%U' has no attribute '%U' (consider renaming '%U' if it has the same name as a library you "
                   "intended to import)",
                   module_name.get(), name, origin.get());
    } else if (origin) {
      PyErr_Format(PyExc_AttributeError,
                   "partially initialized module '%U' from '%U' has no attribute '%U' (most likely due to a circular "
                   "import)",
                   module_name.get(), origin.get(), name);
    } else {
      PyErr_Format(PyExc_AttributeError,
                   "partially initialized module '%U' has no attribute '%U' (most likely due to a circular import)",
                   module_name.get(), name);
    }
  } else {
    // A submodule that is being imported right now.
    int pending = 0;
    if (spec && spec.get() != Py_None) {
      PyObject* list = nullptr;
      if (PyObject_GetOptionalAttr(spec.get(), names.str__uninitialized_submodules, &list) < 0) PyErr_Clear();
      Ref<> submodules = Ref<>::steal(list);
      if (submodules) pending = PySequence_Contains(submodules.get(), name);
      if (pending < 0) {
        PyErr_Clear();
        pending = 0;
      }
    }
    if (pending) {
      PyErr_Format(PyExc_AttributeError,
                   "cannot access submodule '%U' of module '%U' (most likely due to a circular import)", name,
                   module_name.get());
    } else {
      PyErr_Format(PyExc_AttributeError, "module '%U' has no attribute '%U'", module_name.get(), name);
    }
  }
  set_attribute_error_context(module, name);
  return nullptr;
}

int module_lookup_attribute(PyObject* module, PyObject* name, PyObject** result) {
  *result = _PyObject_GenericGetAttrWithDict(module, name, nullptr, 1);
  if (*result != nullptr) return 1;
  if (PyErr_Occurred()) {
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) return -1;
    PyErr_Clear();
  }
  PyObject* dict = module_dict(module);
  if (dict == nullptr) return 0;
  PyObject* raw = nullptr;
  if (PyDict_GetItemRef(dict, names.dunder_getattr, &raw) < 0) return -1;
  if (raw == nullptr) return 0;
  Ref<> fallback = Ref<>::steal(raw);
  *result = PyObject_CallOneArg(fallback.get(), name);
  return *result != nullptr ? 1 : -1;
}

PyObject* module_getattro(PyObject* module, PyObject* name) {
  PyObject* result;
  if (module_lookup_attribute(module, name, &result) == 0) return module_raise_missing(module, name);
  return result;
}

void module_clear_namespace(PyObject* module) {
  PyObject* dict = module_dict(module);
  if (dict == nullptr) return;
  // Names with one leading underscore go first: they are what the others' finalizers rely on least.
  for (int pass = 0; pass < 2; ++pass) {
    Ref<> keys = Ref<>::steal(PyDict_Keys(dict));
    if (!keys) {
      PyErr_Clear();
      return;
    }
    for (Py_ssize_t i = 0, n = PyList_GET_SIZE(keys.get()); i < n; ++i) {
      PyObject* key = PyList_GET_ITEM(keys.get(), i);
      if (!PyUnicode_Check(key)) continue;
      bool underscore = PyUnicode_GET_LENGTH(key) > 0 && PyUnicode_READ_CHAR(key, 0) == '_';
      bool single = underscore && (PyUnicode_GET_LENGTH(key) == 1 || PyUnicode_READ_CHAR(key, 1) != '_');
      if (pass == 0 ? !single : PyUnicode_CompareWithASCIIString(key, "__builtins__") == 0) continue;
      if (PyDict_SetItem(dict, key, Py_None) < 0) PyErr_FormatUnraisable("Exception ignored while clearing module dict");
    }
  }
}

namespace {

PyObject* module_dir(PyObject* self, PyObject*) {
  Ref<> dict = Ref<>::steal(PyObject_GetAttr(self, names.dunder_dict));
  if (!dict) return nullptr;
  if (!PyDict_Check(dict.get())) {
    PyErr_Format(PyExc_TypeError, "%R.__dict__ is not a dictionary", self);
    return nullptr;
  }
  PyObject* raw;
  Ref<> own_name = Ref<>::steal(PyUnicode_InternFromString("__dir__"));
  if (!own_name || PyDict_GetItemRef(dict.get(), own_name.get(), &raw) < 0) return nullptr;
  Ref<> function = Ref<>::steal(raw);
  return function ? PyObject_CallNoArgs(function.get()) : PyDict_Keys(dict.get());
}

// While a module runs its body its annotations are still incomplete and must not be cached.
bool is_initializing(PyObject* dict) {
  PyObject* raw = nullptr;
  if (PyDict_GetItemRef(dict, names.dunder_spec, &raw) < 0) PyErr_Clear();
  Ref<> spec = Ref<>::steal(raw);
  return spec_flag(spec.get(), names.str__initializing);
}

PyObject* get_annotate(PyObject* self, void*) {
  PyObject* dict = module_dict(self);
  PyObject* value = nullptr;
  if (PyDict_GetItemRef(dict, names.dunder_annotate, &value) != 0) return value;
  return PyDict_SetItem(dict, names.dunder_annotate, Py_None) < 0 ? nullptr : Py_NewRef(Py_None);
}

int set_annotate(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "cannot delete __annotate__ attribute");
    return -1;
  }
  if (value != Py_None && !PyCallable_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "__annotate__ must be callable or None");
    return -1;
  }
  PyObject* dict = module_dict(self);
  if (PyDict_SetItem(dict, names.dunder_annotate, value) < 0) return -1;
  if (value == Py_None) return 0;
  return PyDict_Pop(dict, names.dunder_annotations, nullptr) < 0 ? -1 : 0;
}

PyObject* get_annotations(PyObject* self, void*) {
  PyObject* dict = module_dict(self);
  PyObject* value = nullptr;
  if (PyDict_GetItemRef(dict, names.dunder_annotations, &value) != 0) return value;
  PyObject* raw = nullptr;
  if (PyDict_GetItemRef(dict, names.dunder_annotate, &raw) < 0) return nullptr;
  Ref<> annotate = Ref<>::steal(raw);
  Ref<> annotations;
  if (annotate && PyCallable_Check(annotate.get())) {
    Ref<> format = Ref<>::steal(PyLong_FromLong(1));  // annotationlib.Format.VALUE
    annotations = format ? Ref<>::steal(PyObject_CallOneArg(annotate.get(), format.get())) : Ref<>();
    if (!annotations) return nullptr;
    if (!PyDict_Check(annotations.get())) {
      PyErr_Format(PyExc_TypeError, "__annotate__ returned non-dict of type '%.100s'",
                   Py_TYPE(annotations.get())->tp_name);
      return nullptr;
    }
  } else {
    annotations = Ref<>::steal(PyDict_New());
    if (!annotations) return nullptr;
  }
  if (!is_initializing(dict) && PyDict_SetItem(dict, names.dunder_annotations, annotations.get()) < 0) return nullptr;
  return annotations.release();
}

int set_annotations(PyObject* self, PyObject* value, void*) {
  PyObject* dict = module_dict(self);
  if (value != nullptr) {
    if (PyDict_SetItem(dict, names.dunder_annotations, value) < 0) return -1;
  } else {
    int popped = PyDict_Pop(dict, names.dunder_annotations, nullptr);
    if (popped == 0) PyErr_SetString(PyExc_AttributeError, "__annotations__");
    if (popped <= 0) return -1;
  }
  return PyDict_Pop(dict, names.dunder_annotate, nullptr) < 0 ? -1 : 0;
}

PyMethodDef module_methods[] = {
    {"__dir__", module_dir, METH_NOARGS, "__dir__() -> list\nspecialized dir() implementation"},
    {nullptr, nullptr, 0, nullptr},
};
PyMemberDef module_members[] = {
    {"__dict__", _Py_T_OBJECT, offsetof(ModuleObject, md_dict), Py_READONLY, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};
PyGetSetDef module_getsets[] = {
    {"__annotations__", get_annotations, set_annotations, nullptr, nullptr},
    {"__annotate__", get_annotate, set_annotate, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

}  // namespace

int module_add_functions(PyObject* module, PyObject* name, PyMethodDef* functions) {
  PyObject* dict = PyModule_CheckExact(module) ? module_dict(module) : nullptr;
  if (dict != nullptr) {
    Py_ssize_t count = 0;
    while (functions[count].ml_name != nullptr) ++count;
    ObjectLock lock(dict);
    if (dict_reserve(reinterpret_cast<PyDictObject*>(dict), count) < 0) return -1;
  }
  for (PyMethodDef* def = functions; def->ml_name != nullptr; ++def) {
    if ((def->ml_flags & (METH_CLASS | METH_STATIC)) != 0) {
      PyErr_SetString(PyExc_ValueError, "module functions cannot set METH_CLASS or METH_STATIC");
      return -1;
    }
    Ref<> function = Ref<>::steal(PyCFunction_NewEx(def, module, name));
    if (!function) return -1;
    sync::set_deferred(function.get());
    Ref<> key = Ref<>::steal(PyUnicode_InternFromString(def->ml_name));
    if (!key) return -1;
    // The class has attributes of its own under names with underscores only.
    const bool plain = dict != nullptr && def->ml_name[0] != '_';
    if ((plain ? PyDict_SetItem(dict, key, function) : PyObject_SetAttr(module, key, function)) < 0) return -1;
  }
  return 0;
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyTypeObject PyModule_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "module",
    .tp_basicsize = sizeof(ModuleObject),
    .tp_dealloc = module_dealloc,
    .tp_repr = module_repr,
    .tp_getattro = module_getattro,
    .tp_setattro = PyObject_GenericSetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE,
    .tp_doc = "module(name, doc=None)\n--\n\n"
              "Create a module object.\n\n"
              "The name must be a string; the optional doc argument can have any type.",
    .tp_traverse = module_traverse,
    .tp_clear = module_clear,
    .tp_weaklistoffset = offsetof(ModuleObject, md_weaklist),
    .tp_methods = module_methods,
    .tp_members = module_members,
    .tp_getset = module_getsets,
    .tp_dictoffset = offsetof(ModuleObject, md_dict),
    .tp_init = module_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = module_new,
    .tp_free = PyObject_GC_Del,
};

PyTypeObject PyModuleDef_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "moduledef",
    .tp_basicsize = sizeof(PyModuleDef),
};

PyObject* PyModuleDef_Init(PyModuleDef* def) {
  if (def->m_base.m_index == 0) {
    if (PyType_Ready(&PyModuleDef_Type) < 0) return nullptr;
    Py_SET_TYPE(reinterpret_cast<PyObject*>(def), &PyModuleDef_Type);
    def->m_base.m_index = next_module_index.fetch_add(1);
  }
  return reinterpret_cast<PyObject*>(def);
}

PyObject* PyModule_NewObject(PyObject* name) {
  Ref<> module = Ref<>::steal(module_new_untracked(&PyModule_Type));
  if (!module || init_namespace(module.get(), name, Py_None) < 0) return nullptr;
  hand_out(module.get());
  return module.release();
}

PyObject* PyModule_New(const char* name) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(name));
  return text ? PyModule_NewObject(text.get()) : nullptr;
}

int PyModule_AddFunctions(PyObject* module, PyMethodDef* functions) {
  Ref<> name = Ref<>::steal(PyModule_GetNameObject(module));
  return name ? module_add_functions(module, name.get(), functions) : -1;
}

int PyModule_SetDocString(PyObject* module, const char* doc) {
  Ref<> text = Ref<>::steal(PyUnicode_FromString(doc));
  return text ? PyObject_SetAttr(module, names.dunder_doc, text.get()) : -1;
}

PyObject* PyModule_GetDict(PyObject* module) {
  if (!PyModule_Check(module)) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  return module_dict(module);
}

PyObject* PyModule_GetNameObject(PyObject* module) {
  if (!check_module(module)) return nullptr;
  PyObject* dict = module_dict(module);
  PyObject* raw = nullptr;
  if (dict != nullptr && PyDict_Check(dict) && PyDict_GetItemRef(dict, names.dunder_name, &raw) < 0) return nullptr;
  Ref<> name = Ref<>::steal(raw);
  if (!name || !PyUnicode_Check(name.get())) {
    PyErr_SetString(PyExc_SystemError, "nameless module");
    return nullptr;
  }
  return name.release();
}

const char* PyModule_GetName(PyObject* module) {
  Ref<> name = Ref<>::steal(PyModule_GetNameObject(module));
  return name ? PyUnicode_AsUTF8(name.get()) : nullptr;  // the dict keeps it alive
}

PyObject* PyModule_GetFilenameObject(PyObject* module) {
  if (!check_module(module)) return nullptr;
  PyObject* dict = module_dict(module);
  PyObject* raw = nullptr;
  if (dict != nullptr && PyDict_GetItemRef(dict, names.dunder_file, &raw) < 0) return nullptr;
  Ref<> file = Ref<>::steal(raw);
  if (!file || !PyUnicode_Check(file.get())) {
    PyErr_SetString(PyExc_SystemError, "module filename missing");
    return nullptr;
  }
  return file.release();
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
const char* PyModule_GetFilename(PyObject* module) {
  Ref<> file = Ref<>::steal(PyModule_GetFilenameObject(module));
  return file ? PyUnicode_AsUTF8(file.get()) : nullptr;
}
#pragma GCC diagnostic pop

PyModuleDef* PyModule_GetDef(PyObject* module) { return check_module(module) ? as_module(module)->md_def : nullptr; }
void* PyModule_GetState(PyObject* module) { return check_module(module) ? as_module(module)->md_state : nullptr; }

int PyModule_GetStateSize(PyObject* module, Py_ssize_t* result) {
  *result = -1;
  if (!PyModule_Check(module)) {
    PyErr_Format(PyExc_TypeError, "expected module, got %T", module);
    return -1;
  }
  *result = as_module(module)->md_state_size;
  return 0;
}

int PyModule_GetToken(PyObject* module, void** result) {
  *result = nullptr;
  if (!PyModule_Check(module)) {
    PyErr_Format(PyExc_TypeError, "expected module, got %T", module);
    return -1;
  }
  *result = const_cast<void*>(as_module(module)->md_token);
  return 0;
}

int PyModule_AddObjectRef(PyObject* module, const char* name, PyObject* value) {
  if (!PyModule_Check(module)) {
    PyErr_SetString(PyExc_TypeError, "PyModule_AddObjectRef() first argument must be a module");
    return -1;
  }
  if (value == nullptr) {
    if (!PyErr_Occurred()) {
      PyErr_SetString(PyExc_SystemError, "PyModule_AddObjectRef() must be called with an exception raised if value is NULL");
    }
    return -1;
  }
  return PyDict_SetItemString(module_dict(module), name, value);
}

int PyModule_Add(PyObject* module, const char* name, PyObject* value) {
  int result = PyModule_AddObjectRef(module, name, value);
  Py_XDECREF(value);
  return result;
}

int PyModule_AddObject(PyObject* module, const char* name, PyObject* value) {
  int result = PyModule_AddObjectRef(module, name, value);
  if (result == 0) Py_DECREF(value);
  return result;
}

int PyModule_AddIntConstant(PyObject* module, const char* name, long value) {
  return PyModule_Add(module, name, PyLong_FromLong(value));
}

int PyModule_AddStringConstant(PyObject* module, const char* name, const char* value) {
  return PyModule_Add(module, name, PyUnicode_FromString(value));
}

int PyModule_AddType(PyObject* module, PyTypeObject* type) {
  if (PyType_Ready(type) < 0) return -1;
  const char* dot = std::strrchr(type->tp_name, '.');
  return PyModule_AddObjectRef(module, dot == nullptr ? type->tp_name : dot + 1, as_object(type));
}

// --- Single-phase modules by definition ---

int PyState_AddModule(PyObject* module, PyModuleDef* def) {
  if (def == nullptr) {
    Py_FatalError("module definition is NULL");
    return -1;
  }
  if (def->m_slots != nullptr) {
    PyErr_SetString(PyExc_SystemError, "PyState_AddModule called on module with slots");
    return -1;
  }
  PyModuleDef_Init(def);
  Ref<> old;
  AttachedLock lock(modules_mutex);
  auto index = static_cast<size_t>(def->m_base.m_index);
  if (modules_by_index.size() <= index) modules_by_index.resize(index + 1);
  old = Ref<>::steal(modules_by_index[index]);
  modules_by_index[index] = Py_NewRef(module);
  return 0;
}

// Old binaries for the stable ABI call it.
PyAPI_FUNC(int) _PyState_AddModule(PyThreadState*, PyObject* module, PyModuleDef* def);
int _PyState_AddModule(PyThreadState*, PyObject* module, PyModuleDef* def) { return PyState_AddModule(module, def); }

int PyState_RemoveModule(PyModuleDef* def) {
  if (def->m_slots != nullptr) {
    PyErr_SetString(PyExc_SystemError, "PyState_RemoveModule called on module with slots");
    return -1;
  }
  Ref<> old;
  AttachedLock lock(modules_mutex);
  auto index = static_cast<size_t>(def->m_base.m_index);
  if (modules_by_index.size() > index) old = Ref<>::steal(std::exchange(modules_by_index[index], nullptr));
  return 0;
}

PyObject* PyState_FindModule(PyModuleDef* def) {
  if (def->m_slots != nullptr) return nullptr;
  AttachedLock lock(modules_mutex);
  auto index = static_cast<size_t>(def->m_base.m_index);
  return modules_by_index.size() > index ? modules_by_index[index] : nullptr;
}

// Read by the loader of extension modules.
PyAPI_FUNC(int) PyUnstable_Module_SetGIL(PyObject* module, void* gil);
int PyUnstable_Module_SetGIL(PyObject* module, void* gil) {
  if (PyModule_Check(module)) {
    as_module(module)->md_gil = gil;
    return 0;
  }
  PyErr_BadInternalCall();
  return -1;
}

}  // extern "C"
