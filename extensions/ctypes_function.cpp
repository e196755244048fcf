// Function pointers: their metatype, how they are made (from a library, an address, a Python object), and how they are called.
#include "ctypes_module.h"

#include <cstring>
#include <vector>

namespace ctypes {

namespace {

Function* function_of(PyObject* op) { return reinterpret_cast<Function*>(op); }

enum Direction { kIn = 1, kOut = 2, kInOut = 3, kLocale = 4, kInLocale = 5 };

// ---- attributes ----

// Fields that setters change while calls read them.
Ref shared(PyObject* self, PyObject* Function::* field) {
  PyObject* value;
  Py_BEGIN_CRITICAL_SECTION(self);
  value = Py_XNewRef(function_of(self)->*field);
  Py_END_CRITICAL_SECTION();
  return Ref(value);
}
Ref shared_or(PyObject* self, PyObject* Function::* field, PyObject* inherited) {
  Ref own = shared(self, field);
  return own ? std::move(own) : Ref(Py_XNewRef(inherited));
}
void replace(PyObject* self, PyObject* Function::* field, PyObject* value) {
  Ref old;
  Py_BEGIN_CRITICAL_SECTION(self);
  old = Ref(std::exchange(function_of(self)->*field, Py_XNewRef(value)));
  Py_END_CRITICAL_SECTION();
}

TypeInfo* function_info(PyObject* self) { return instance_info(Py_TYPE(self)); }

PyObject* or_none(Ref value) { return value ? value.release() : Py_NewRef(Py_None); }

PyObject* get_errcheck(PyObject* self, void*) { return or_none(shared(self, &Function::errcheck)); }
int set_errcheck(PyObject* self, PyObject* value, void*) {
  if (value != nullptr && !PyCallable_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "the errcheck attribute must be callable");
    return -1;
  }
  replace(self, &Function::errcheck, value);
  return 0;
}

PyObject* get_restype(PyObject* self, void*) {
  TypeInfo* info = function_info(self);
  return info != nullptr ? or_none(shared_or(self, &Function::restype, info->restype)) : nullptr;
}
int set_restype(PyObject* self, PyObject* value, void*) {
  if (value == nullptr) {
    replace(self, &Function::restype, nullptr);
    replace(self, &Function::checker, nullptr);
    return 0;
  }
  if (value != Py_None && info_of_object(value) == nullptr && !PyCallable_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "restype must be a type, a callable, or None");
    return -1;
  }
  PyObject* checker;
  if (PyObject_GetOptionalAttr(value, names.check_retval, &checker) < 0) return -1;
  Ref owned(checker);
  replace(self, &Function::checker, checker);
  replace(self, &Function::restype, value);
  return 0;
}

PyObject* get_argtypes(PyObject* self, void*) {
  TypeInfo* info = function_info(self);
  return info != nullptr ? or_none(shared_or(self, &Function::argtypes, info->argtypes)) : nullptr;
}
// ---- paramflags ----

bool check_out_type(PyObject* type, int number) {
  TypeInfo* info = info_of_object(type);
  if (info != nullptr) {
    if (info->kind == Kind::kPointer || info->kind == Kind::kArray) return true;
    if (info->kind == Kind::kSimple && std::strchr("PzZ", info->code->letter) != nullptr) return true;
  }
  PyErr_Format(PyExc_TypeError, "'out' parameter %d must be a pointer type, not %s", number,
               PyType_Check(type) ? type_name(type) : Py_TYPE(type)->tp_name);
  return false;
}

bool read_flag(PyObject* item, int* flag, PyObject** name, PyObject** value) {
  *name = *value = nullptr;
  if (PyTuple_Check(item) && PyArg_ParseTuple(item, "i|OO", flag, name, value) &&
      (*name == nullptr || *name == Py_None || PyUnicode_Check(*name))) {
    if (*name == Py_None) *name = nullptr;
    return true;
  }
  PyErr_SetString(PyExc_TypeError, "paramflags must be a sequence of (int [,string [,value]]) tuples");
  return false;
}

bool check_paramflags(PyObject* types_given, PyObject* flags) {
  if (flags == nullptr || flags == Py_None || types_given == nullptr) return true;
  if (!PyTuple_Check(flags)) {
    PyErr_SetString(PyExc_TypeError, "paramflags must be a tuple or None");
    return false;
  }
  Ref argtypes(PySequence_Tuple(types_given));
  if (!argtypes) return false;
  if (PyTuple_GET_SIZE(flags) != PyTuple_GET_SIZE(argtypes.get())) {
    PyErr_SetString(PyExc_ValueError, "paramflags must have the same length as argtypes");
    return false;
  }
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(flags); i++) {
    int flag;
    PyObject *name, *value;
    if (!read_flag(PyTuple_GET_ITEM(flags, i), &flag, &name, &value)) return false;
    switch (flag & 7) {
      case 0:
      case kIn:
      case kInLocale:
      case kInOut: break;
      case kOut:
        if (!check_out_type(PyTuple_GET_ITEM(argtypes.get(), i), static_cast<int>(i + 1))) return false;
        break;
      default: PyErr_Format(PyExc_TypeError, "paramflag value %d not supported", flag); return false;
    }
  }
  return true;
}

int set_argtypes(PyObject* self, PyObject* value, void*) {
  if (value == nullptr || value == Py_None) {
    replace(self, &Function::converters, nullptr);
    replace(self, &Function::argtypes, nullptr);
    return 0;
  }
  Ref converters(converters_of(value));
  Ref paramflags = shared(self, &Function::paramflags);
  if (!converters || !check_paramflags(value, paramflags.get())) return -1;
  replace(self, &Function::converters, converters.get());
  replace(self, &Function::argtypes, value);
  return 0;
}

// The arguments of a call with paramflags, and which of them are results.
class FlaggedCall {
 public:
  bool build(PyObject* flags, PyObject* argtypes, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
    const Py_ssize_t count = PyTuple_GET_SIZE(flags);
    const Py_ssize_t given = nargs + (kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0);
    args_ = args, nargs_ = nargs, kwnames_ = kwnames;
    tuple_ = Ref(PyTuple_New(count));
    results_.assign(static_cast<size_t>(count), 0);
    for (Py_ssize_t i = 0; tuple_ && i < count; i++) {
      int flag;
      PyObject *name, *value;
      if (!read_flag(PyTuple_GET_ITEM(flags, i), &flag, &name, &value)) return false;
      Ref argument = one(flag, name, value, i < PyTuple_GET_SIZE(argtypes) ? PyTuple_GET_ITEM(argtypes, i) : nullptr, i);
      if (!argument) return false;
      PyTuple_SET_ITEM(tuple_.get(), i, argument.release());
    }
    if (!tuple_) return false;
    if (given != used_) {
      PyErr_Format(PyExc_TypeError, "call takes exactly %d arguments (%zd given)", static_cast<int>(used_), given);
      return false;
    }
    return true;
  }
  PyObject* tuple() const { return tuple_.get(); }

  // What the call returns: the out parameters, if there are any.
  PyObject* finish(Ref result) {
    Ref values(PyList_New(0));
    for (size_t i = 0; values && i < results_.size(); i++) {
      if (results_[i] == 0) continue;
      PyObject* argument = PyTuple_GET_ITEM(tuple_.get(), static_cast<Py_ssize_t>(i));
      Ref value(results_[i] == kOut ? PyObject_CallMethodNoArgs(argument, names.from_outparam) : Py_NewRef(argument));
      if (!value || PyList_Append(values.get(), value.get()) < 0) return nullptr;
    }
    if (!values) return nullptr;
    const Py_ssize_t n = PyList_GET_SIZE(values.get());
    if (n == 0) return result.release();
    return n == 1 ? PyList_GetItemRef(values.get(), 0) : PyList_AsTuple(values.get());
  }

 private:
  Ref one(int flag, PyObject* name, PyObject* value, PyObject* type, Py_ssize_t i) {
    switch (flag & 7) {
      case kInLocale: return value != nullptr ? Ref(Py_NewRef(value)) : Ref(PyLong_FromLong(0));
      case 0:
      case kIn: return given(name, value);
      case kInOut:
        results_[static_cast<size_t>(i)] = kInOut;
        return given(name, value);
      case kOut:
        results_[static_cast<size_t>(i)] = kOut;
        return value != nullptr ? Ref(Py_NewRef(value)) : new_target(type);
      default: PyErr_Format(PyExc_ValueError, "paramflag %u not yet implemented", static_cast<unsigned>(flag)); return Ref();
    }
  }
  Ref given(PyObject* name, PyObject* value) {
    if (used_ < nargs_) return Ref(Py_NewRef(args_[used_++]));
    if (kwnames_ != nullptr && name != nullptr) {
      for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(kwnames_); k++) {
        const int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(kwnames_, k), name, Py_EQ);
        if (same < 0) return Ref();
        if (same == 0) continue;
        used_++;
        return Ref(Py_NewRef(args_[nargs_ + k]));
      }
    }
    if (value != nullptr) return Ref(Py_NewRef(value));
    if (name != nullptr)
      PyErr_Format(PyExc_TypeError, "required argument '%S' missing", name);
    else
      PyErr_SetString(PyExc_TypeError, "not enough arguments");
    return Ref();
  }
  Ref new_target(PyObject* type) {
    TypeInfo* info = type != nullptr ? info_of_object(type) : nullptr;
    if (info == nullptr || (info->kind != Kind::kArray && info->item == nullptr)) {
      PyErr_SetString(PyExc_ValueError, "NULL stginfo unexpected");
      return Ref();
    }
    if (!PyType_Check(info->item)) {
      PyErr_Format(PyExc_TypeError, "%s 'out' parameter must be passed as default value", type_name(type));
      return Ref();
    }
    return Ref(PyObject_CallNoArgs(info->kind == Kind::kArray ? type : info->item));
  }

  PyObject* const* args_ = nullptr;
  Py_ssize_t nargs_ = 0, used_ = 0;
  PyObject* kwnames_ = nullptr;
  Ref tuple_;
  std::vector<char> results_;
};

// ---- calls ----

bool check_count(PyObject* converters, Py_ssize_t given, int flags) {
  if (converters == nullptr) return true;
  const Py_ssize_t required = PyTuple_GET_SIZE(converters);
  const bool at_least = (flags & kFlagCdecl) != 0;
  if (at_least ? given >= required : given == required) return true;
  PyErr_Format(PyExc_TypeError, at_least ? "this function takes at least %d argument%s (%d given)" : "this function takes %d argument%s (%d given)",
               static_cast<int>(required), required == 1 ? "" : "s", static_cast<int>(given));
  return false;
}

PyObject* function_call(PyObject* op, PyObject* const* args, size_t nargsf, PyObject* kwnames) {
  Py_ssize_t nargs = PyVectorcall_NARGS(nargsf);
  TypeInfo* info = function_info(op);
  if (info == nullptr) return nullptr;
  Ref restype = shared_or(op, &Function::restype, info->restype), converters = shared_or(op, &Function::converters, info->converters);
  Ref checker = shared_or(op, &Function::checker, info->checker), errcheck = shared(op, &Function::errcheck);
  Ref paramflags = shared(op, &Function::paramflags);
  Data* self = data_of(op);
  void* address = locked(self, [&] {
    void* value;
    std::memcpy(&value, self->memory, sizeof value);
    return value;
  });
  FlaggedCall flagged;
  const bool with_flags = paramflags && converters;
  if (with_flags) {
    Ref argtypes(shared_or(op, &Function::argtypes, info->argtypes));
    Ref list(argtypes ? PySequence_Tuple(argtypes.get()) : nullptr);
    if (!list || !flagged.build(paramflags.get(), list.get(), args, nargs, kwnames)) return nullptr;
    args = reinterpret_cast<PyTupleObject*>(flagged.tuple())->ob_item;
    nargs = PyTuple_GET_SIZE(flagged.tuple());
  }
  if (!check_count(converters.get(), nargs, info->flags)) return nullptr;
  if (address == nullptr) {
    PyErr_SetString(PyExc_ValueError, "NULL function pointer called");
    return nullptr;
  }
  Ref result(call_address(address, args, nargs, converters.get(), restype.get(), checker.get(), info->flags));
  if (!result) return nullptr;
  if (errcheck) {
    Ref all(with_flags ? Py_NewRef(flagged.tuple()) : PyTuple_New(nargs));
    if (!all) return nullptr;
    for (Py_ssize_t i = 0; !with_flags && i < nargs; i++) PyTuple_SET_ITEM(all.get(), i, Py_NewRef(args[i]));
    Ref checked(PyObject_CallFunctionObjArgs(errcheck.get(), result.get(), op, all.get(), nullptr));
    // To return the arguments means: go on.
    if (!checked || checked.get() != all.get()) return checked.release();
  }
  return with_flags ? flagged.finish(std::move(result)) : result.release();
}

// ---- construction ----

PyObject* from_address(PyTypeObject* type, void* address) {
  PyObject* result = new_data(type);
  if (result != nullptr) std::memcpy(data_of(result)->memory, &address, sizeof address);
  return result;
}

PyObject* from_library(PyTypeObject* type, TypeInfo* info, PyObject* args) {
  PyObject *spec, *paramflags = nullptr;
  if (!PyArg_ParseTuple(args, "O|O", &spec, &paramflags)) return nullptr;
  if (PyTuple_GET_SIZE(spec) != 2) {
    PyErr_SetString(PyExc_TypeError, "illegal func_spec argument");
    return nullptr;
  }
  Ref name(Py_NewRef(PyTuple_GET_ITEM(spec, 0))), library(Py_NewRef(PyTuple_GET_ITEM(spec, 1)));
  const char* text = nullptr;
  if (PyUnicode_Check(name.get()))
    text = PyUnicode_AsUTF8(name.get());
  else if (PyBytes_Check(name.get()))
    text = PyBytes_AS_STRING(name.get());
  else
    PyErr_SetString(PyExc_TypeError, "function name must be string, bytes object or integer");
  void* handle;
  if (text == nullptr || PySys_Audit("ctypes.dlsym", "OO", library.get(), name.get()) < 0 || !library_handle(library.get(), &handle))
    return nullptr;
  void* address = find_symbol(handle, text, PyExc_AttributeError);
  if (address == nullptr || !check_paramflags(info->argtypes, paramflags)) return nullptr;
  Ref result(from_address(type, address));
  if (!result || !keep_alive(data_of(result.get()), 0, library.get())) return nullptr;
  if (paramflags != nullptr && paramflags != Py_None) function_of(result.get())->paramflags = Py_NewRef(paramflags);
  return result.release();
}

PyObject* from_callable(PyTypeObject* type, TypeInfo* info, PyObject* callable) {
  if (!PyCallable_Check(callable)) {
    PyErr_SetString(PyExc_TypeError, "argument must be callable or integer function address");
    return nullptr;
  }
  Ref argtypes(info->argtypes != nullptr ? PySequence_Tuple(info->argtypes) : nullptr);
  if (!argtypes) {
    if (!PyErr_Occurred()) PyErr_SetString(PyExc_TypeError, "cannot construct instance of this class: no argtypes");
    return nullptr;
  }
  void* address;
  Ref thunk(new_thunk(callable, argtypes.get(), info->restype, info->flags, &address));
  Ref result(thunk ? from_address(type, address) : nullptr);
  if (!result || !keep_alive(data_of(result.get()), 0, thunk.get())) return nullptr;
  function_of(result.get())->callable = Py_NewRef(callable);
  return result.release();
}

PyObject* function_new(PyTypeObject* type, PyObject* args, PyObject*) {
  TypeInfo* info = instance_info(type);
  if (info == nullptr) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(args);
  if (n == 0) return new_data(type);
  PyObject* first = PyTuple_GET_ITEM(args, 0);
  if (PyTuple_Check(first) && n <= 2) return from_library(type, info, args);
  if (n > 1) return PyErr_Format(PyExc_TypeError, "function takes exactly 1 argument (%zd given)", n);
  if (!PyLong_Check(first)) return from_callable(type, info, first);
  void* address = PyLong_AsVoidPtr(first);
  return address == nullptr && PyErr_Occurred() ? nullptr : from_address(type, address);
}

PyObject* function_repr(PyObject* self) { return PyUnicode_FromFormat("<%s object at %p>", Py_TYPE(self)->tp_name, self); }

int function_bool(PyObject* op) {
  Data* self = data_of(op);
  return locked(self, [&] {
    void* address;
    std::memcpy(&address, self->memory, sizeof address);
    return address != nullptr ? 1 : 0;
  });
}

constexpr PyObject* Function::* kHeld[] = {&Function::callable, &Function::converters, &Function::argtypes, &Function::restype,
                                           &Function::checker,  &Function::errcheck,   &Function::paramflags};

int function_traverse(PyObject* op, visitproc visit, void* arg) {
  for (auto field : kHeld) Py_VISIT(function_of(op)->*field);
  return types.data->tp_traverse(op, visit, arg);
}
int function_clear(PyObject* op) {
  for (auto field : kHeld) Py_CLEAR(function_of(op)->*field);
  return types.data->tp_clear(op);
}
void function_dealloc(PyObject* op) {
  PyObject_GC_UnTrack(op);
  for (auto field : kHeld) Py_CLEAR(function_of(op)->*field);
  PyObject_GC_Track(op);  // the base's deallocator expects that
  types.data->tp_dealloc(op);
}

int function_meta_init(PyObject* self, PyObject*, PyObject*) {
  TypeInfo* info = begin_info(self);
  if (info == nullptr) return -1;
  info->data = PyType_IsSubtype(reinterpret_cast<PyTypeObject*>(self), types.function);
  set_pass_by_pointer(info);
  PyObject* found;
  if (PyObject_GetOptionalAttr(self, names.flags, &found) < 0) return -1;
  Ref flags(found);
  if (!flags || !PyLong_Check(flags.get())) {
    PyErr_SetString(PyExc_TypeError, "class must define _flags_ which must be an integer");
    return -1;
  }
  if (!ext::to_int(flags.get(), &info->flags)) return -1;
  if (PyObject_GetOptionalAttr(self, names.argtypes, &found) < 0) return -1;
  if (Ref argtypes(found); argtypes) {
    info->converters = converters_of(argtypes.get());
    if (info->converters == nullptr) return -1;
    info->argtypes = argtypes.release();
  }
  if (PyObject_GetOptionalAttr(self, names.restype, &found) < 0) return -1;
  if (Ref restype(found); restype) {
    if (restype.get() != Py_None && info_of_object(restype.get()) == nullptr && !PyCallable_Check(restype.get())) {
      PyErr_SetString(PyExc_TypeError, "_restype_ must be a type, a callable, or None");
      return -1;
    }
    if (PyObject_GetOptionalAttr(restype.get(), names.check_retval, &info->checker) < 0) return -1;
    info->restype = restype.release();
  }
  info->format = copy_text("", "X{}");
  if (info->format == nullptr) return -1;
  info->kind = Kind::kFunction;
  return 0;
}

PyType_Slot meta_slots[] = {{Py_tp_doc, const_cast<char*>("metatype for C function pointers")},
                            {Py_tp_init, slot(function_meta_init)},
                            {Py_tp_methods, meta_methods},
                            {0, nullptr}};
PyType_Spec meta_spec = {"_ctypes.PyCFuncPtrType", 0, 0, 0, meta_slots};

PyGetSetDef function_getset[] = {{"errcheck", get_errcheck, set_errcheck, "a function to check for errors", nullptr},
                                 {"restype", get_restype, set_restype, "specify the result type", nullptr},
                                 {"argtypes", get_argtypes, set_argtypes, "specify the argument types", nullptr},
                                 {}};
PyMemberDef function_members[] = {{"__vectorcalloffset__", Py_T_PYSSIZET, offsetof(Function, vectorcall), Py_READONLY, nullptr}, {}};
PyType_Slot function_slots[] = {{Py_tp_doc, const_cast<char*>("Function Pointer")},
                                {Py_tp_new, slot(function_new)},
                                {Py_tp_call, slot(PyVectorcall_Call)},
                                {Py_tp_repr, slot(function_repr)},
                                {Py_tp_traverse, slot(function_traverse)},
                                {Py_tp_clear, slot(function_clear)},
                                {Py_tp_dealloc, slot(function_dealloc)},
                                {Py_tp_members, function_members},
                                {Py_tp_getset, function_getset},
                                {Py_nb_bool, slot(function_bool)},
                                {0, nullptr}};
PyType_Spec function_spec = {"_ctypes.CFuncPtr", sizeof(Function), 0, Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_VECTORCALL, function_slots};

}  // namespace

const vectorcallfunc function_vectorcall = function_call;

PyObject* converters_of(PyObject* argtypes) {
  Ref list = ext::as_tuple(argtypes, "_argtypes_ must be a sequence of types");
  if (!list) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(list.get());
  if (n > kMaxArguments) {
    return PyErr_Format(types.argument_error, "_argtypes_ has too many arguments (%zi), maximum is %i", n, static_cast<int>(kMaxArguments));
  }
  Ref converters(PyTuple_New(n));
  for (Py_ssize_t i = 0; converters && i < n; i++) {
    PyObject* converter;
    if (PyObject_GetOptionalAttr(PyTuple_GET_ITEM(list.get(), i), names.from_param, &converter) <= 0) {
      if (!PyErr_Occurred()) PyErr_Format(PyExc_TypeError, "item %zd in _argtypes_ has no from_param method", i + 1);
      return nullptr;
    }
    PyTuple_SET_ITEM(converters.get(), i, converter);
  }
  return converters.release();
}

bool make_function_types(PyObject* module) {
  types.function_meta = make_meta(module, &meta_spec);
  types.function = types.function_meta != nullptr ? make_type(types.function_meta, module, &function_spec, types.data) : nullptr;
  return types.function != nullptr;
}

}  // namespace ctypes
