// Making modules for extensions and built-in modules: from a definition in one phase, from a definition and a spec in two
// (PEP 489), from slots and a spec (PEP 793), and running the second phase.
//
// Invariant: what a module needs of its definition or slots is copied into the module object; slots from PEP 793 may be
// gone once PyModule_FromSlotsAndSpec has returned.
#include "objects/module.h"

#include "gc/object_new.h"
#include "objects/names.h"
#include "sync/ref.h"

#include <cstring>

namespace amphis {

thread_local PyObject* package_context = nullptr;

namespace {

ModuleObject* as_module(PyObject* self) { return reinterpret_cast<ModuleObject*>(self); }

int allocate_state(PyObject* module) {
  if (as_module(module)->md_state_size <= 0) return 0;
  void* state = PyMem_Calloc(1, static_cast<size_t>(as_module(module)->md_state_size));
  if (state == nullptr) {
    PyErr_NoMemory();
    return -1;
  }
  as_module(module)->md_state = state;
  return 0;
}

int check_api_version(const char* name, int version) {
  if (version == PYTHON_API_VERSION || version == PYTHON_ABI_VERSION) return 0;
  return PyErr_WarnFormat(PyExc_RuntimeWarning, 1,
                          "Python C API version mismatch for module %.100s: This Python has API version %d, module "
                          "%.100s has version %d.",
                          name, PYTHON_API_VERSION, name, version);
}

void take_definition(PyObject* module, PyModuleDef* def) {
  ModuleObject* m = as_module(module);
  m->md_def = def;
  m->md_token = def;
  m->md_state_size = def->m_size;
  m->md_state_traverse = def->m_traverse;
  m->md_state_clear = def->m_clear;
  m->md_state_free = def->m_free;
}

// PEP 820 numbers module slots apart from PEP 793 and keeps flags in the upper half of the field.
constexpr int kSlotOptional = 1;
constexpr int kSubslots = 92;     // an array of slots in the new numbering
constexpr int kModuleSlots = 94;  // an array of PyModuleDef_Slot
constexpr int kNesting = 5;

int old_number(int id) {
  switch (id) {
    case 84:
      return Py_mod_create;
    case 85:
      return Py_mod_exec;
    case 86:
      return Py_mod_multiple_interpreters;
    case 87:
      return Py_mod_gil;
    case 100:
      return Py_mod_name;
    case 101:
      return Py_mod_doc;
    case 102:
      return Py_mod_state_size;
    case 103:
      return Py_mod_methods;
    case 104:
      return Py_mod_state_traverse;
    case 105:
      return Py_mod_state_clear;
    case 106:
      return Py_mod_state_free;
    case 109:
      return Py_mod_abi;
    case 110:
      return Py_mod_token;
    default:
      return id;
  }
}

// Reads an array of slots and those nested in it; `add` gets each number and value. 0, or -1 with an exception.
template <typename Add>
int for_each_slot(const PyModuleDef_Slot* slots, const char* name, int depth, Add&& add) {
  if (depth > kNesting) {
    PyErr_Format(PyExc_SystemError, "module %s has slots nested too deeply", name);
    return -1;
  }
  for (const PyModuleDef_Slot* slot = slots; slot != nullptr && slot->slot != 0; ++slot) {
    int id = slot->slot & 0xffff, flags = static_cast<int>(static_cast<unsigned>(slot->slot) >> 16);
    if (slot->slot < 0 && flags == 0xffff) id = slot->slot;  // a negative number, not flags
    if (id == kSubslots || id == kModuleSlots) {
      if (for_each_slot(static_cast<const PyModuleDef_Slot*>(slot->value), name, depth + 1, add) < 0) return -1;
      continue;
    }
    int number = old_number(id);
    if (number < Py_mod_create || number > _Py_mod_LAST_SLOT) {
      if ((flags & kSlotOptional) != 0 && id > 0) continue;
      PyErr_Format(PyExc_SystemError, "module %s uses unknown slot ID %i", name, id);
      return -1;
    }
    if (add(number, slot->value) < 0) return -1;
  }
  return 0;
}

constexpr const char* kSlotNames[] = {"", "Py_mod_create", "Py_mod_exec", "Py_mod_multiple_interpreters", "Py_mod_gil", "Py_mod_abi",
                                      "Py_mod_name", "Py_mod_doc", "Py_mod_state_size", "Py_mod_methods", "Py_mod_state_traverse",
                                      "Py_mod_state_clear", "Py_mod_state_free", "Py_mod_token"};

int exec_slot(PyObject* module, const char* name, void* function) {
  int result = reinterpret_cast<int (*)(PyObject*)>(function)(module);
  if (result != 0) {
    if (!PyErr_Occurred()) {
      PyErr_Format(PyExc_SystemError, "execution of module %s failed without setting an exception", name);
    }
    return -1;
  }
  if (PyErr_Occurred()) {
    _PyErr_FormatFromCause(PyExc_SystemError, "execution of module %s raised unreported exception", name);
    return -1;
  }
  return 0;
}

// What PyModule_FromDefAndSpec and PyModule_FromSlotsAndSpec share. `def` is null for the latter.
PyObject* create_module(PyModuleDef* def, const ModuleSlots& slots, PyObject* spec, PyObject* name_object, const char* name) {
  Ref<> module;
  if (slots.create != nullptr) {
    module = Ref<>::steal(slots.create(spec, def));
    if (!module) {
      if (!PyErr_Occurred()) {
        PyErr_Format(PyExc_SystemError, "creation of module %s failed without setting an exception", name);
      }
      return nullptr;
    }
    if (PyErr_Occurred()) {
      _PyErr_FormatFromCause(PyExc_SystemError, "creation of module %s raised unreported exception", name);
      return nullptr;
    }
  } else {
    module = Ref<>::steal(PyModule_NewObject(name_object));
    if (!module) return nullptr;
  }
  Py_ssize_t state_size = def != nullptr ? def->m_size : slots.state_size;
  if (PyModule_Check(module.get())) {
    ModuleObject* m = as_module(module.get());
    m->md_state = nullptr;
    if (def != nullptr) {
      take_definition(module.get(), def);
    } else {
      m->md_state_size = state_size;
      m->md_state_traverse = slots.state_traverse;
      m->md_state_clear = slots.state_clear;
      m->md_state_free = slots.state_free;
      m->md_token = slots.token;
    }
    m->md_gil = slots.gil;
  } else {
    bool hooks = def != nullptr ? def->m_traverse != nullptr || def->m_clear != nullptr || def->m_free != nullptr
                                : slots.state_traverse != nullptr || slots.state_clear != nullptr || slots.state_free != nullptr;
    if (state_size > 0 || hooks) {
      PyErr_Format(PyExc_SystemError, "module %s is not a module object, but requests module state", name);
      return nullptr;
    }
    if (slots.exec_count != 0) {
      PyErr_Format(PyExc_SystemError, "module %s specifies execution slots, but did not create a ModuleType instance",
                   name);
      return nullptr;
    }
    if (def == nullptr && slots.token != nullptr) {
      PyErr_Format(PyExc_SystemError, "module %s specifies a token, but did not create a ModuleType instance", name);
      return nullptr;
    }
  }
  PyMethodDef* methods = def != nullptr && def->m_methods != nullptr ? def->m_methods : slots.methods;
  const char* doc = def != nullptr && def->m_doc != nullptr ? def->m_doc : slots.doc;
  if (methods != nullptr && module_add_functions(module.get(), name_object, methods) < 0) return nullptr;
  if (doc != nullptr && PyModule_SetDocString(module.get(), doc) < 0) return nullptr;
  return module.release();
}

// The spec's name, as an object and as text that it owns. 0 or -1.
int spec_name(PyObject* spec, Ref<>* object, const char** text) {
  *object = Ref<>::steal(PyObject_GetAttr(spec, names.str_name));
  if (!*object) return -1;
  *text = PyUnicode_AsUTF8(object->get());
  return *text == nullptr ? -1 : 0;
}

}  // namespace

int read_module_slots(const PyModuleDef_Slot* slots, const char* name, ModuleSlots* result) {
  unsigned seen = 0;
  auto add = [&](int number, void* value) {
    if (number != Py_mod_exec) {
      if ((seen & (1u << number)) != 0) {
        switch (number) {
          case Py_mod_create:
            PyErr_Format(PyExc_SystemError, "module %s has multiple create slots", name);
            break;
          case Py_mod_multiple_interpreters:
            PyErr_Format(PyExc_SystemError, "module %s has more than one 'multiple interpreters' slots", name);
            break;
          case Py_mod_gil:
            PyErr_Format(PyExc_SystemError, "module %s has more than one 'gil' slot", name);
            break;
          default:
            PyErr_Format(PyExc_SystemError, "module %s has more than one %s slot", name, kSlotNames[number]);
        }
        return -1;
      }
      seen |= 1u << number;
    }
    switch (number) {
      case Py_mod_create:
        result->create = reinterpret_cast<decltype(result->create)>(value);
        result->has_create = true;
        break;
      case Py_mod_exec:
        if (value == nullptr) {
          PyErr_Format(PyExc_SystemError, "module %s has a Py_mod_exec slot without a function", name);
          return -1;
        }
        ++result->exec_count;
        break;
      case Py_mod_multiple_interpreters:
        result->multiple_interpreters = value;
        break;
      case Py_mod_gil:
        result->gil = value;
        break;
      case Py_mod_abi:
        return PyABIInfo_Check(static_cast<PyABIInfo*>(value), name);
      case Py_mod_doc:
        result->doc = static_cast<const char*>(value);
        break;
      case Py_mod_state_size:
        result->state_size = reinterpret_cast<Py_ssize_t>(value);
        if (result->state_size < 0) {
          PyErr_Format(PyExc_SystemError, "module %s: m_size may not be negative for multi-phase initialization", name);
          return -1;
        }
        break;
      case Py_mod_methods:
        result->methods = static_cast<PyMethodDef*>(value);
        break;
      case Py_mod_state_traverse:
        result->state_traverse = reinterpret_cast<traverseproc>(value);
        break;
      case Py_mod_state_clear:
        result->state_clear = reinterpret_cast<inquiry>(value);
        break;
      case Py_mod_state_free:
        result->state_free = reinterpret_cast<freefunc>(value);
        break;
      case Py_mod_token:
        if (value == nullptr) {
          PyErr_Format(PyExc_SystemError, "module %s: Py_mod_token slot is NULL", name);
          return -1;
        }
        result->token = value;
        break;
    }
    return 0;
  };
  return for_each_slot(slots, name, 0, add);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

PyAPI_FUNC(PyObject*) _PyModule_CreateInitialized(PyModuleDef* def, int apiver);
PyObject* _PyModule_CreateInitialized(PyModuleDef* def, int apiver) {
  if (PyModuleDef_Init(def) == nullptr || check_api_version(def->m_name, apiver) < 0) return nullptr;
  if (def->m_slots != nullptr) {
    PyErr_Format(PyExc_SystemError, "module %s: PyModule_Create is incompatible with m_slots", def->m_name);
    return nullptr;
  }
  // The definition knows "name", the import system "package.name": the module and its functions get the latter.
  Ref<> name = Ref<>::steal(PyUnicode_FromString(def->m_name));
  if (name && package_context != nullptr) {
    Py_ssize_t length = PyUnicode_GET_LENGTH(package_context);
    Py_ssize_t dot = PyUnicode_FindChar(package_context, '.', 0, length, -1);
    int matches = dot >= 0 && length - dot - 1 == PyUnicode_GET_LENGTH(name.get())
                      ? static_cast<int>(PyUnicode_Tailmatch(package_context, name.get(), 0, length, 1)) : 0;
    if (matches < 0) return nullptr;
    if (matches > 0) {
      name = Ref<>::share(package_context);
      package_context = nullptr;
    }
  }
  Ref<> module = name ? Ref<>::steal(PyModule_NewObject(name.get())) : Ref<>();
  if (!module) return nullptr;
  as_module(module.get())->md_state_size = def->m_size;
  if (allocate_state(module.get()) < 0) return nullptr;
  if (def->m_methods != nullptr && PyModule_AddFunctions(module.get(), def->m_methods) < 0) return nullptr;
  if (def->m_doc != nullptr && PyModule_SetDocString(module.get(), def->m_doc) < 0) return nullptr;
  take_definition(module.get(), def);
  return module.release();
}

PyObject* PyModule_Create2(PyModuleDef* def, int apiver) { return _PyModule_CreateInitialized(def, apiver); }

PyObject* PyModule_FromDefAndSpec2(PyModuleDef* def, PyObject* spec, int module_api_version) {
  if (PyModuleDef_Init(def) == nullptr) return nullptr;
  Ref<> name_object;
  const char* name;
  if (spec_name(spec, &name_object, &name) < 0 || check_api_version(name, module_api_version) < 0) return nullptr;
  if (def->m_size < 0) {
    PyErr_Format(PyExc_SystemError, "module %s: m_size may not be negative for multi-phase initialization", name);
    return nullptr;
  }
  ModuleSlots slots;
  if (read_module_slots(def->m_slots, name, &slots) < 0) return nullptr;
  return create_module(def, slots, spec, name_object.get(), name);
}

PyObject* PyModule_FromSlotsAndSpec(const PyModuleDef_Slot* array, PyObject* spec) {
  if (array == nullptr) {
    PyErr_SetString(PyExc_SystemError, "PyModule_FromSlotsAndSpec called with NULL slots");
    return nullptr;
  }
  Ref<> name_object;
  const char* name;
  ModuleSlots slots;
  if (spec_name(spec, &name_object, &name) < 0 || read_module_slots(array, name, &slots) < 0) return nullptr;
  Ref<> module = Ref<>::steal(create_module(nullptr, slots, spec, name_object.get(), name));
  if (!module || !PyModule_Check(module.get())) return module.release();
  // A copy of the execution slots, empty if there are none.
  auto* exec = static_cast<PyModuleDef_Slot*>(PyMem_Calloc(static_cast<size_t>(slots.exec_count) + 1, sizeof(PyModuleDef_Slot)));
  if (exec == nullptr) return PyErr_NoMemory();
  PyModuleDef_Slot* next = exec;
  auto copy = [&](int number, void* value) {
    if (number == Py_mod_exec) *next++ = {Py_mod_exec, value};
    return 0;
  };
  (void)for_each_slot(array, name, 0, copy);
  PyMem_Free(as_module(module.get())->md_exec);
  as_module(module.get())->md_exec = exec;
  return module.release();
}

int PyModule_Exec(PyObject* module) {
  if (!PyModule_Check(module)) {
    PyErr_Format(PyExc_TypeError, "expected module, got %T", module);
    return -1;
  }
  ModuleObject* m = as_module(module);
  if (m->md_def != nullptr) return PyModule_ExecDef(module, m->md_def);
  Ref<> name_object = Ref<>::steal(PyModule_GetNameObject(module));
  const char* name = name_object ? PyUnicode_AsUTF8(name_object.get()) : nullptr;
  if (name == nullptr || (m->md_state == nullptr && allocate_state(module) < 0)) return -1;
  for (PyModuleDef_Slot* slot = m->md_exec; slot != nullptr && slot->slot != 0; ++slot) {
    if (exec_slot(module, name, slot->value) < 0) return -1;
  }
  return 0;
}

int PyModule_ExecDef(PyObject* module, PyModuleDef* def) {
  const char* name = PyModule_GetName(module);
  if (name == nullptr) return -1;
  ModuleObject* m = as_module(module);
  if (m->md_state == nullptr) {
    m->md_state_size = def->m_size;
    if (allocate_state(module) < 0) return -1;
  }
  auto run = [&](int number, void* value) { return number == Py_mod_exec ? exec_slot(module, name, value) : 0; };
  return for_each_slot(def->m_slots, name, 0, run);
}

int PyABIInfo_Check(PyABIInfo* info, const char* module_name) {
  auto refuse = [&](const char* why) {
    PyErr_Format(PyExc_ImportError, "%s%s%s", module_name != nullptr ? module_name : "", module_name != nullptr ? ": " : "", why);
    return -1;
  };
  if (info == nullptr) {
    PyErr_SetString(PyExc_SystemError, "NULL PyABIInfo");
    return -1;
  }
  if (info->abiinfo_major_version == 0) return 0;
  if (info->abiinfo_major_version > 1) return refuse("PyABIInfo version too high");
  constexpr unsigned kMajorMinor = 0xffff0000u;
  const bool stable = (info->flags & PyABIInfo_STABLE) != 0;
  if ((info->flags & PyABIInfo_INTERNAL) != 0) {
    if (stable) return refuse("cannot use both internal and stable ABI");
    if (info->build_version != PY_VERSION_HEX) return refuse("incompatible internal ABI");
  }
  if ((info->flags & PyABIInfo_FREETHREADING_AGNOSTIC) != 0) {
    const bool own = (info->flags & (AMPHIS_ABIFLAGS[0] == 't' ? PyABIInfo_FREETHREADED : PyABIInfo_GIL)) != 0;
    if (!own) {
      return refuse(AMPHIS_ABIFLAGS[0] == 't'
                        ? "built for amphis-314 (with the GIL), this is amphis-314t (free-threaded): build it for amphis-314t or abi3t"
                        : "built for amphis-314t (free-threaded), this is amphis-314 (with the GIL): build it for amphis-314, abi3 or abi3t");
    }
  }
  if (stable) {
    // 3.15 and later binaries may name functions that are not here: those show as missing symbols, not here.
    if (info->abi_version != 0 && info->abi_version < 0x03020000u) return refuse("invalid stable ABI version");
    if ((info->abi_version >> 24) > PY_MAJOR_VERSION) return refuse("incompatible future stable ABI version");
  } else if (info->abi_version != 0 && (info->abi_version & kMajorMinor) != (PY_VERSION_HEX & kMajorMinor)) {
    return refuse("incompatible ABI version");
  }
  return 0;
}

}  // extern "C"
