// Callbacks: machine code, made by libffi, that calls a Python object. C may call it from any thread.
#include "ctypes_module.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace ctypes {

namespace {

struct Thunk {
  PyObject_HEAD
  ffi_closure* closure;
  ffi_cif cif;
  ffi_type** argument_types;
  PyObject *callable, *argtypes;
  const Code* result;  // null: none
  int flags;
};

Thunk* thunk_of(PyObject* op) { return reinterpret_cast<Thunk*>(op); }

// An argument for the Python function.
PyObject* received(PyObject* type, const void* data) {
  TypeInfo* info = info_of_object(type);
  if (info == nullptr) return PyErr_Format(PyExc_TypeError, "cannot build parameter of type %R", type);
  if (info->plain) return info->code->unpack(data);
  Ref made(PyObject_CallNoArgs(type));
  if (!made) return nullptr;
  if (!is_data(made.get()) || data_of(made.get())->size < info->size)
    return PyErr_Format(PyExc_TypeError, "%R returned unexpected result of type %T", type, made.get());
  Data* instance = data_of(made.get());
  if (info->kind == Kind::kArray) {
    // An array as a parameter is a pointer to its first item.
    const void* items;
    std::memcpy(&items, data, sizeof items);
    if (items == nullptr) return made.release();
    std::memcpy(instance->memory, items, static_cast<size_t>(info->size));
  } else {
    std::memcpy(instance->memory, data, static_cast<size_t>(info->size));
  }
  return made.release();
}

void store_result(Thunk* self, PyObject* value, void* out) {
  const Code* code = self->result;
  alignas(16) char packed[kLargestSimple] = {};
  PyObject* keep = nullptr;
  if (!code->pack(value, packed, &keep)) {
    PyErr_FormatUnraisable("Exception ignored while converting result of ctypes callback function %R", self->callable);
    return;
  }
  std::memcpy(out, packed, code->size);
  if (code->size < sizeof(ffi_arg) && code->byte_class == ByteClass::kInteger) {
    // Small integers fill the register.
    const bool negative = code->ffi->type == FFI_TYPE_SINT8 || code->ffi->type == FFI_TYPE_SINT16 || code->ffi->type == FFI_TYPE_SINT32;
    const int fill = negative && (packed[code->size - 1] & 0x80) != 0 ? 0xff : 0;
    std::memset(static_cast<char*>(out) + code->size, fill, sizeof(ffi_arg) - code->size);
  }
  // The caller owns an object that it gets; for other memory there is no moment at which it could be freed.
  if (keep == nullptr || code->letter == 'O') return;
  if (PyErr_WarnEx(PyExc_RuntimeWarning, "memory leak in callback function.", 1) < 0)
    PyErr_FormatUnraisable("Exception ignored while converting result of ctypes callback function %R", self->callable);
}

void run(Thunk* self, void* out, void** data) {
  if (self->callable == nullptr) return;  // the collector has taken it apart
  const Py_ssize_t count = PyTuple_GET_SIZE(self->argtypes);
  Ref args(PyTuple_New(count));
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject* value = args ? received(PyTuple_GET_ITEM(self->argtypes, i), data[i]) : nullptr;
    if (value == nullptr) {
      PyErr_FormatUnraisable("Exception ignored while creating argument %zd for ctypes callback function %R", i, self->callable);
      return;
    }
    PyTuple_SET_ITEM(args.get(), i, value);
  }
  const bool with_errno = (self->flags & kFlagErrno) != 0;
  if (with_errno) std::swap(errno, saved_errno());
  Ref result(PyObject_CallObject(self->callable, args.get()));
  if (with_errno) std::swap(errno, saved_errno());
  if (!result)
    PyErr_FormatUnraisable("Exception ignored while calling ctypes callback function %R", self->callable);
  else if (self->result != nullptr)
    store_result(self, result.get(), out);
}

void on_call(ffi_cif* cif, void* out, void** data, void* context) {
  const PyGILState_STATE state = PyGILState_Ensure();
  auto* self = static_cast<Thunk*>(context);
  Py_INCREF(self);  // the function may drop the last other reference
  if (self->result != nullptr) std::memset(out, 0, std::max(cif->rtype->size, sizeof(ffi_arg)));
  run(self, out, data);
  Py_DECREF(self);
  PyGILState_Release(state);
}

int thunk_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(op));
  Py_VISIT(thunk_of(op)->callable);
  Py_VISIT(thunk_of(op)->argtypes);
  return 0;
}
// C may still call it: the callable goes with the thunk only.
int thunk_clear(PyObject* op) {
  Py_CLEAR(thunk_of(op)->callable);
  Py_CLEAR(thunk_of(op)->argtypes);
  return 0;
}
void thunk_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  Thunk* self = thunk_of(op);
  if (self->closure != nullptr) ffi_closure_free(self->closure);
  PyMem_Free(self->argument_types);
  thunk_clear(op);
  type->tp_free(op);
  Py_DECREF(type);
}

PyType_Slot thunk_slots[] = {{Py_tp_doc, const_cast<char*>("CThunkObject")},
                             {Py_tp_traverse, slot(thunk_traverse)},
                             {Py_tp_clear, slot(thunk_clear)},
                             {Py_tp_dealloc, slot(thunk_dealloc)},
                             {0, nullptr}};
PyType_Spec thunk_spec = {"_ctypes.CThunkObject", sizeof(Thunk), 0, Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, thunk_slots};

}  // namespace

PyObject* new_thunk(PyObject* callable, PyObject* argtypes, PyObject* restype, int flags, void** address) {
  TypeInfo* info = restype != nullptr && restype != Py_None ? info_of_object(restype) : nullptr;
  if (restype != nullptr && restype != Py_None && (info == nullptr || info->kind != Kind::kSimple)) {
    PyErr_SetString(PyExc_TypeError, "invalid result type for callback function");
    return nullptr;
  }
  Ref result(types.thunk->tp_alloc(types.thunk, 0));
  if (!result) return nullptr;
  Thunk* self = thunk_of(result.get());
  const Py_ssize_t count = PyTuple_GET_SIZE(argtypes);
  self->argument_types = static_cast<ffi_type**>(PyMem_Malloc(sizeof(ffi_type*) * static_cast<size_t>(count + 1)));
  self->closure = static_cast<ffi_closure*>(ffi_closure_alloc(sizeof(ffi_closure), address));
  if (self->argument_types == nullptr || self->closure == nullptr) return PyErr_NoMemory();
  for (Py_ssize_t i = 0; i < count; i++) {
    TypeInfo* type = info_of_object(PyTuple_GET_ITEM(argtypes, i));
    self->argument_types[i] = type != nullptr ? ffi_of(type) : &ffi_type_sint32;
  }
  self->callable = Py_NewRef(callable);
  self->argtypes = Py_NewRef(argtypes);
  self->result = info != nullptr ? info->code : nullptr;
  self->flags = flags;
  ffi_type* result_type = info != nullptr ? ffi_of(info) : &ffi_type_void;
  ffi_status status = ffi_prep_cif(&self->cif, FFI_DEFAULT_ABI, static_cast<unsigned>(count), result_type, self->argument_types);
  if (status != FFI_OK) return PyErr_Format(PyExc_RuntimeError, "ffi_prep_cif failed with %d", static_cast<int>(status));
  status = ffi_prep_closure_loc(self->closure, &self->cif, on_call, self, *address);
  if (status != FFI_OK) return PyErr_Format(PyExc_RuntimeError, "ffi_prep_closure failed with %d", static_cast<int>(status));
  return result.release();
}

bool make_thunk_type(PyObject* module) {
  types.thunk = make_type(nullptr, module, &thunk_spec, nullptr);
  return types.thunk != nullptr;
}

}  // namespace ctypes
