// Arguments, and calls of C functions through libffi.
//
// Arguments are copied before the call: while a function runs, other threads may do so too (unless it is one of Python's own).
#include "ctypes_module.h"

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <memory>

namespace ctypes {

namespace {

// ---- the type of what from_param() and byref() make ----

bool is_literal(int c) { return c >= ' ' && c < 127 && c != '\\' && c != '\''; }

template <class T>
T value_as(const Argument* argument) {
  T value;
  std::memcpy(&value, argument->value, sizeof value);
  return value;
}

PyObject* argument_repr(PyObject* op) {
  auto* self = reinterpret_cast<Argument*>(op);
  switch (self->tag) {
    case 'b':
    case 'B': return PyUnicode_FromFormat("<cparam '%c' (%d)>", self->tag, value_as<signed char>(self));
    case 'h':
    case 'H': return PyUnicode_FromFormat("<cparam '%c' (%d)>", self->tag, value_as<short>(self));
    case 'i':
    case 'I': return PyUnicode_FromFormat("<cparam '%c' (%d)>", self->tag, value_as<int>(self));
    case 'l':
    case 'L': return PyUnicode_FromFormat("<cparam '%c' (%ld)>", self->tag, value_as<long>(self));
    case 'q':
    case 'Q': return PyUnicode_FromFormat("<cparam '%c' (%lld)>", self->tag, value_as<long long>(self));
    case 'd':
    case 'f': {
      Ref number(PyFloat_FromDouble(self->tag == 'f' ? static_cast<double>(value_as<float>(self)) : value_as<double>(self)));
      return number ? PyUnicode_FromFormat("<cparam '%c' (%R)>", self->tag, number.get()) : nullptr;
    }
    case 'c': {
      const auto c = static_cast<unsigned char>(self->value[0]);
      return PyUnicode_FromFormat(is_literal(c) ? "<cparam '%c' ('%c')>" : "<cparam '%c' ('\\x%02x')>", self->tag, c);
    }
    case 'z':
    case 'Z':
    case 'P': return PyUnicode_FromFormat("<cparam '%c' (%p)>", self->tag, value_as<void*>(self));
    default: return PyUnicode_FromFormat(is_literal(self->tag) ? "<cparam '%c' at %p>" : "<cparam 0x%02x at %p>", self->tag, op);
  }
}

int argument_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(op));
  Py_VISIT(reinterpret_cast<Argument*>(op)->object);
  return 0;
}
int argument_clear(PyObject* op) {
  Py_CLEAR(reinterpret_cast<Argument*>(op)->object);
  return 0;
}
void argument_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  PyTypeObject* type = Py_TYPE(op);
  argument_clear(op);
  type->tp_free(op);
  Py_DECREF(type);
}

PyMemberDef argument_members[] = {{"_obj", _Py_T_OBJECT, offsetof(Argument, object), Py_READONLY, "the wrapped object"}, {}};
PyType_Slot argument_slots[] = {{Py_tp_dealloc, slot(argument_dealloc)},
                                {Py_tp_traverse, slot(argument_traverse)},
                                {Py_tp_clear, slot(argument_clear)},
                                {Py_tp_repr, slot(argument_repr)},
                                {Py_tp_members, argument_members},
                                {0, nullptr}};
PyType_Spec argument_spec = {"_ctypes.CArgObject", sizeof(Argument), 0, Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, argument_slots};

// ---- one argument of a call ----

struct Passed {
  ffi_type* ffi;
  void* where;     // its value: below, or a copy of a large structure
  PyObject* keep;  // what the value needs
  bool copied;
  alignas(16) char value[kLargestSimple];

  template <class T>
  void put(ffi_type* type, T data) {
    ffi = type;
    std::memcpy(value, &data, sizeof data);
  }
  void clear() {
    if (copied) PyMem_Free(where);
    Py_XDECREF(keep);
  }
};

void free_text(PyObject* capsule) { PyMem_Free(PyCapsule_GetPointer(capsule, "_ctypes pymem")); }

bool pass_data(Passed* out, PyObject* object) {
  Data* data = data_of(object);
  TypeInfo* info = info_of(Py_TYPE(object));
  if (info == nullptr) {
    PyErr_SetString(PyExc_TypeError, "abstract class");
    return false;
  }
  if (out->keep == nullptr) out->keep = Py_NewRef(object);
  out->ffi = ffi_of(info);
  if (info->kind == Kind::kArray) {
    out->put(&ffi_type_pointer, data->memory);
    return true;
  }
  if (info->size > kLargestSimple) {
    out->where = PyMem_Malloc(static_cast<size_t>(info->size));
    if (out->where == nullptr) {
      out->where = out->value;
      PyErr_NoMemory();
      return false;
    }
    out->copied = true;
  }
  return locked(data, [&] {
    std::memcpy(out->where, data->memory, static_cast<size_t>(info->size));
    return true;
  });
}

// Converts an argument that nothing describes, or that from_param() has returned.
bool pass(Passed* out, PyObject* object, Py_ssize_t index) {
  if (is_data(object)) return pass_data(out, object);
  if (is_argument(object)) {
    auto* argument = reinterpret_cast<Argument*>(object);
    out->ffi = argument->ffi;
    std::memcpy(out->value, argument->value, sizeof out->value);
    if (out->keep == nullptr) out->keep = Py_NewRef(object);
    return true;
  }
  if (object == Py_None) {
    out->put<void*>(&ffi_type_pointer, nullptr);
    return true;
  }
  if (PyLong_Check(object)) {
    unsigned long number = PyLong_AsUnsignedLong(object);
    if (number == static_cast<unsigned long>(-1) && PyErr_Occurred()) {
      PyErr_Clear();
      const long negative = PyLong_AsLong(object);
      if (negative == -1 && PyErr_Occurred()) {
        PyErr_SetString(PyExc_OverflowError, "int too long to convert");
        return false;
      }
      number = static_cast<unsigned long>(negative);
    }
    out->put(&ffi_type_sint32, static_cast<int>(number));
    return true;
  }
  if (PyBytes_Check(object)) {
    out->put(&ffi_type_pointer, PyBytes_AS_STRING(object));
    if (out->keep == nullptr) out->keep = Py_NewRef(object);
    return true;
  }
  if (PyUnicode_Check(object)) {
    wchar_t* text = PyUnicode_AsWideCharString(object, nullptr);
    if (text == nullptr) return false;
    PyObject* capsule = PyCapsule_New(text, "_ctypes pymem", free_text);
    if (capsule == nullptr) {
      PyMem_Free(text);
      return false;
    }
    out->put(&ffi_type_pointer, text);
    Py_XSETREF(out->keep, capsule);
    return true;
  }
  PyObject* found;
  if (PyObject_GetOptionalAttr(object, names.as_parameter, &found) < 0) return false;
  if (found == nullptr) {
    PyErr_Format(PyExc_TypeError, "Don't know how to convert parameter %d", static_cast<int>(index + 1));
    return false;
  }
  Ref parameter(found);
  if (Py_EnterRecursiveCall(" while processing _as_parameter_")) return false;
  Py_XSETREF(out->keep, nullptr);
  const bool done = pass(out, parameter.get(), index);
  Py_LeaveRecursiveCall();
  return done;
}

// The from_param() of simple types and pointers without the detour through an object: 1 done, 0 not one of these, -1 error.
int pass_described(Passed* out, PyObject* converter, PyObject* object) {
  if (!PyCFunction_CheckExact(converter)) return 0;
  const PyCFunction function = PyCFunction_GetFunction(converter);
  PyObject* type = PyCFunction_GetSelf(converter);
  if (function == simple_from_param && !is_data(object)) {
    TypeInfo* info = info_of_object(type);
    if (info == nullptr || info->kind != Kind::kSimple) return 0;
    if (info->code->pack(object, out->value, &out->keep)) {
      out->ffi = info->code->ffi;
      return 1;
    }
    PyErr_Clear();  // the long way knows more kinds of objects, and raises this again
    return 0;
  }
  if (function == pointer_from_param) {
    if (object == Py_None) {
      out->put<void*>(&ffi_type_pointer, nullptr);
      return 1;
    }
    if (is_data(object) && PyObject_TypeCheck(object, reinterpret_cast<PyTypeObject*>(type))) return pass_data(out, object) ? 1 : -1;
  }
  return 0;
}

bool convert(Passed* out, PyObject* converter, PyObject* object, Py_ssize_t index) {
  out->where = out->value;
  out->keep = nullptr;
  out->copied = false;
  if (converter == nullptr) return pass(out, object, index);
  if (const int done = pass_described(out, converter, object); done != 0) return done > 0;
  out->keep = PyObject_CallOneArg(converter, object);
  if (out->keep == nullptr) return false;
  Ref converted(Py_NewRef(out->keep));
  return pass(out, converted.get(), index);
}

// The arguments of one call: few are on the stack.
class Arguments {
 public:
  explicit Arguments(Py_ssize_t count) {
    if (count <= kFew) return;
    more_.reset(static_cast<Passed*>(PyMem_Malloc(static_cast<size_t>(count) * (sizeof(Passed) + 2 * sizeof(void*)))));
    if (more_ == nullptr) return;
    passed_ = more_.get();
    types_ = reinterpret_cast<ffi_type**>(passed_ + count);
    values_ = reinterpret_cast<void**>(types_ + count);
  }
  ~Arguments() {
    for (Py_ssize_t i = 0; i < converted_; i++) passed_[i].clear();
  }
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;

  bool room(Py_ssize_t count) const { return count <= kFew || more_ != nullptr; }
  bool add(PyObject* converter, PyObject* object) {
    const Py_ssize_t i = converted_++;
    if (!convert(&passed_[i], converter, object, i)) return false;
    types_[i] = passed_[i].ffi;
    values_[i] = passed_[i].where;
    return true;
  }
  ffi_type** types() { return types_; }
  void** values() { return values_; }

 private:
  static constexpr Py_ssize_t kFew = 8;
  struct Free {
    void operator()(Passed* p) const { PyMem_Free(p); }
  };
  Passed few_[kFew];
  ffi_type* few_types_[kFew];
  void* few_values_[kFew];
  std::unique_ptr<Passed, Free> more_;
  Passed* passed_ = few_;
  ffi_type** types_ = few_types_;
  void** values_ = few_values_;
  Py_ssize_t converted_ = 0;
};

struct CallArguments {
  PyObject* const* args;
  Py_ssize_t count;
};
PyObject* audited_arguments(void* context) {
  auto* call = static_cast<CallArguments*>(context);
  PyObject* tuple = PyTuple_New(call->count);
  for (Py_ssize_t i = 0; tuple != nullptr && i < call->count; i++) PyTuple_SET_ITEM(tuple, i, Py_NewRef(call->args[i]));
  return tuple;
}

void exchange_errno(int flags) {
  if ((flags & kFlagErrno) != 0) std::swap(errno, saved_errno());
}

bool invoke(void* address, ffi_type* result_type, void* result, Arguments& arguments, Py_ssize_t count, Py_ssize_t described,
            int flags) {
  ffi_cif cif;
  // More arguments than described are those of a function with "...".
  const bool variadic = described != 0 && described < count;
  const ffi_status status =
      variadic ? ffi_prep_cif_var(&cif, FFI_DEFAULT_ABI, static_cast<unsigned>(described), static_cast<unsigned>(count), result_type,
                                  arguments.types())
               : ffi_prep_cif(&cif, FFI_DEFAULT_ABI, static_cast<unsigned>(count), result_type, arguments.types());
  if (status != FFI_OK) {
    PyErr_SetString(PyExc_RuntimeError, variadic ? "ffi_prep_cif_var failed" : "ffi_prep_cif failed");
    return false;
  }
  const auto call = [&] {
    exchange_errno(flags);
    ffi_call(&cif, FFI_FN(address), result, arguments.values());
    exchange_errno(flags);
  };
  if ((flags & kFlagPythonApi) != 0) {
    call();
    return !PyErr_Occurred();
  }
  ext::Away away;
  call();
  return true;
}

PyObject* result_object(PyObject* restype, PyObject* checker, const char* result) {
  if (restype == nullptr) return PyLong_FromLong(*reinterpret_cast<const int*>(result));
  if (restype == Py_None) Py_RETURN_NONE;
  TypeInfo* info = info_of_object(restype);
  if (info == nullptr) return PyObject_CallFunction(restype, "i", *reinterpret_cast<const int*>(result));
  Ref value;
  if (info->plain) {
    value = Ref(info->code->unpack(result));
    if (value && info->code->letter == 'O') Py_DECREF(value.get());  // the function's result was a new reference
  } else {
    value = Ref(new_data(reinterpret_cast<PyTypeObject*>(restype), result));
  }
  if (!value || checker == nullptr) return value.release();
  return PyObject_CallOneArg(checker, value.get());
}

}  // namespace

int& saved_errno() {
  static thread_local int number;
  return number;
}

void extend_error(PyObject* type, const char* format, ...) {
  va_list va;
  va_start(va, format);
  PyObject* raised = PyErr_GetRaisedException();
  Ref old(raised), prefix(PyUnicode_FromFormatV(format, va));
  va_end(va);
  if (!prefix) return;
  Ref name(PyType_GetName(Py_TYPE(raised))), text(PyObject_Str(raised));
  if (!text) {
    PyErr_Clear();
    text = Ref(PyUnicode_FromString("???"));
  }
  if (name && text) PyErr_Format(type, "%U%U: %U", prefix.get(), name.get(), text.get());
}

Argument* new_argument() {
  auto* result = reinterpret_cast<Argument*>(types.argument->tp_alloc(types.argument, 0));
  if (result != nullptr) result->ffi = &ffi_type_pointer;
  return result;
}

PyObject* byref(PyObject* object, Py_ssize_t offset) {
  Argument* argument = new_argument();
  if (argument == nullptr) return nullptr;
  argument->tag = 'P';
  char* address = data_of(object)->memory + offset;
  std::memcpy(argument->value, &address, sizeof address);
  argument->object = Py_NewRef(object);
  return reinterpret_cast<PyObject*>(argument);
}

PyObject* call_address(void* address, PyObject* const* args, Py_ssize_t count, PyObject* converters, PyObject* restype,
                       PyObject* checker, int flags) {
  CallArguments audited = {args, count};
  if (PySys_Audit("ctypes.call_function", "nO&", reinterpret_cast<Py_ssize_t>(address), audited_arguments, &audited) < 0) return nullptr;
  if (count > kMaxArguments) {
    return PyErr_Format(types.argument_error, "too many arguments (%zi), maximum is %i", count, static_cast<int>(kMaxArguments));
  }
  Arguments arguments(count);
  if (!arguments.room(count)) return PyErr_NoMemory();
  const Py_ssize_t described = converters != nullptr ? PyTuple_GET_SIZE(converters) : 0;
  for (Py_ssize_t i = 0; i < count; i++) {
    if (!arguments.add(i < described ? PyTuple_GET_ITEM(converters, i) : nullptr, args[i])) {
      extend_error(types.argument_error, "argument %zd: ", i + 1);
      return nullptr;
    }
  }
  TypeInfo* info = restype != nullptr ? info_of_object(restype) : nullptr;
  ffi_type* result_type = restype == Py_None ? &ffi_type_void : info != nullptr ? ffi_of(info) : &ffi_type_sint32;
  // libffi writes a whole register at least; an instance is made from as many bytes as its type has.
  alignas(16) char few[64] = {};
  std::unique_ptr<char, decltype(&PyMem_Free)> more(nullptr, PyMem_Free);
  const size_t size = std::max(result_type->size, info != nullptr ? static_cast<size_t>(info->size) : 0);
  if (size > sizeof few) {
    more.reset(static_cast<char*>(PyMem_Calloc(1, size)));
    if (more == nullptr) return PyErr_NoMemory();
  }
  char* result = more != nullptr ? more.get() : few;
  if (!invoke(address, result_type, result, arguments, count, described, flags)) return nullptr;
  return result_object(restype, checker, result);
}

bool make_argument_type(PyObject* module) {
  types.argument = make_type(nullptr, module, &argument_spec, nullptr);
  return types.argument != nullptr;
}

}  // namespace ctypes
