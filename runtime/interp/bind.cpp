// Binding of call arguments to parameters, and the TypeErrors of calls that do not fit.
//
// Parameters lie in registers in this order: positional (co_argcount, the first co_posonlyargcount by position only),
// keyword-only, *args, **kwargs.
#include <vector>

#include "interp/frame.h"
#include "interp/load.h"
#include "objects/dict.h"
#include "sync/atomic_field.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis {

namespace {

// For messages.
Ref<> name_of(PyFunctionObject* func) { return sync::get_ref(&func->func_qualname, func); }

PyObject* parameter_name(PyCodeObject* code, Py_ssize_t i) {
  return PyTuple_GET_ITEM(code->co_localsplusnames, i);
}

// Names of keywords may compare and hash by Python code, as their subclasses of str please, and what looks for a misspelled
// name is Python: such code must take its registers behind those that are being bound.
class RegistersInUse {
 public:
  explicit RegistersInUse(Value* end) : ts_(current_thread()), before_(ts_->reg_top) {
    if (end > before_) ts_->reg_top = end;
  }
  ~RegistersInUse() { ts_->reg_top = before_; }
  RegistersInUse(const RegistersInUse&) = delete;

 private:
  ThreadState* ts_;
  Value* before_;
};

struct Binding {
  PyFunctionObject* func;
  PyCodeObject* code;
  Value* regs;
  int positional, keyword_only;
  Value* extra_args;      // the register of *args, or null
  Value* extra_keywords;  // the register of **kwargs, or null

  Binding(PyFunctionObject* function, PyCodeObject* its_code, Value* registers)
      : func(function), code(its_code), regs(registers),
        positional(code->co_argcount), keyword_only(code->co_kwonlyargcount), extra_args(nullptr),
        extra_keywords(nullptr) {
    Value* next = regs + positional + keyword_only;
    if (code->co_flags & CO_VARARGS) extra_args = next++;
    if (code->co_flags & CO_VARKEYWORDS) extra_keywords = next;
  }
  int total() const {
    return positional + keyword_only + (extra_args != nullptr) + (extra_keywords != nullptr);
  }

  bool place(Value* args, size_t npos, size_t nkw, PyObject* kwnames);
  bool fill(Value* args, size_t npos, size_t nkw, PyObject* kwnames);
  bool defaults(size_t given);
  void too_many(size_t given);
  void missing(const char* kind, const std::vector<PyObject*>& names);
  bool positional_only_as_keywords(PyObject* kwnames);
};

int names_equal(PyObject* a, PyObject* b) {
  if (a == b) return 1;
  return PyUnicode_Equal(a, b);
}

// "a", "a and b", "a, b, and c", each quoted.
PyObject* join_names(const std::vector<PyObject*>& names) {
  Ref<> text = Ref<>::steal(PyUnicode_FromFormat("%R", names[0]));
  for (size_t i = 1; text && i < names.size(); ++i) {
    const char* separator = i + 1 < names.size() ? ", " : names.size() == 2 ? " and " : ", and ";
    text = Ref<>::steal(PyUnicode_FromFormat("%U%s%R", text.get(), separator, names[i]));
  }
  return text.release();
}

void Binding::missing(const char* kind, const std::vector<PyObject*>& names) {
  Ref<> list = Ref<>::steal(join_names(names));
  if (!list) return;
  PyErr_Format(PyExc_TypeError, "%U() missing %zd required %s argument%s: %U", name_of(func).get(),
               static_cast<Py_ssize_t>(names.size()), kind, names.size() == 1 ? "" : "s", list.get());
}

void Binding::too_many(size_t given) {
  int keyword_given = 0;
  for (int i = positional; i < positional + keyword_only; ++i) {
    if (regs[i] != kEmpty) ++keyword_given;
  }
  Ref<> values = sync::get_ref(&func->func_defaults, func);
  Py_ssize_t default_count = values ? PyTuple_GET_SIZE(values.get()) : 0;
  Ref<> accepts;
  bool plural;
  if (default_count > 0) {
    plural = true;
    accepts = Ref<>::steal(PyUnicode_FromFormat("from %zd to %d", positional - default_count, positional));
  } else {
    plural = positional != 1;
    accepts = Ref<>::steal(PyUnicode_FromFormat("%d", positional));
  }
  Ref<> keywords;
  if (keyword_given > 0) {
    keywords = Ref<>::steal(PyUnicode_FromFormat(" positional argument%s (and %d keyword-only argument%s)",
                                                 given != 1 ? "s" : "", keyword_given, keyword_given != 1 ? "s" : ""));
  } else {
    keywords = Ref<>::steal(PyUnicode_FromString(""));
  }
  if (!accepts || !keywords) return;
  PyErr_Format(PyExc_TypeError, "%U() takes %U positional argument%s but %zd%U %s given", name_of(func).get(),
               accepts.get(), plural ? "s" : "", static_cast<Py_ssize_t>(given), keywords.get(),
               given == 1 && keyword_given == 0 ? "was" : "were");
}

bool Binding::positional_only_as_keywords(PyObject* kwnames) {
  std::vector<PyObject*> found;
  for (int i = 0; i < code->co_posonlyargcount; ++i) {
    PyObject* name = parameter_name(code, i);
    for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(kwnames); ++k) {
      int equal = names_equal(name, PyTuple_GET_ITEM(kwnames, k));
      if (equal < 0) return true;
      if (equal) found.push_back(name);
    }
  }
  if (found.empty()) return false;
  Ref<> list = Ref<>::steal(PyUnicode_FromString(""));
  for (size_t i = 0; list && i < found.size(); ++i) {
    list = Ref<>::steal(PyUnicode_FromFormat("%U%s%U", list.get(), i ? ", " : "", found[i]));
  }
  if (list) {
    PyErr_Format(PyExc_TypeError, "%U() got some positional-only arguments passed as keyword arguments: '%U'",
                 name_of(func).get(), list.get());
  }
  return true;
}

// The parameter that a misspelled keyword may have meant: borrowed, or null.
PyObject* closest_parameter(PyCodeObject* code, PyObject* name) {
  Ref<> candidates = Ref<>::steal(PyList_New(0));
  if (!candidates) return nullptr;
  int end = code->co_argcount + code->co_kwonlyargcount;
  for (int i = code->co_posonlyargcount; i < end; ++i) {
    if (PyList_Append(candidates, parameter_name(code, i)) < 0) return nullptr;
  }
  Ref<> module = Ref<>::steal(PyImport_ImportModule("_suggestions"));
  if (!module) {
    PyErr_Clear();
    return nullptr;
  }
  Ref<> best = Ref<>::steal(
      PyObject_CallMethod(module, "_generate_suggestions", "OO", candidates.get(), name));
  if (!best) {
    PyErr_Clear();
    return nullptr;
  }
  for (int i = code->co_posonlyargcount; i < end; ++i) {
    if (PyUnicode_Check(best.get()) && names_equal(parameter_name(code, i), best) == 1) return parameter_name(code, i);
  }
  return nullptr;
}

// The common call: nothing to collect, positional arguments that all have a parameter, keywords that are the very names.
// Moves the arguments to their parameters and empties the others; false, with nothing done: fill() must look closer.
bool Binding::place(Value* args, size_t npos, size_t nkw, PyObject* kwnames) {
  constexpr size_t kFew = 8;
  if (extra_args != nullptr || extra_keywords != nullptr || npos > static_cast<size_t>(positional) || nkw > kFew) {
    return false;
  }
  const int named_end = positional + keyword_only;
  const int given = static_cast<int>(npos);
  const int first = given > code->co_posonlyargcount ? given : code->co_posonlyargcount;
  int at[kFew];
  Value moved[kFew];
  for (size_t k = 0; k < nkw; ++k) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, static_cast<Py_ssize_t>(k));
    int i = first;
    while (i < named_end && parameter_name(code, i) != name) ++i;
    if (i == named_end) return false;
    at[k] = i;
  }
  for (size_t k = 0; k < nkw; ++k) {
    moved[k] = args[npos + k];
    args[npos + k] = kEmpty;
  }
  if (regs != args) {
    for (int i = 0; i < given; ++i) {
      regs[i] = args[i];
      args[i] = kEmpty;
    }
  }
  for (int i = given; i < named_end; ++i) regs[i] = kEmpty;
  for (size_t k = 0; k < nkw; ++k) {
    drop(regs[at[k]]);  // the same name twice, from a caller that does not check
    regs[at[k]] = moved[k];
  }
  return true;
}

bool Binding::fill(Value* args, size_t npos, size_t nkw, PyObject* kwnames) {
  size_t copied = npos < static_cast<size_t>(positional) ? npos : static_cast<size_t>(positional);
  for (size_t i = 0; i < copied; ++i) {
    regs[i] = args[i];
    args[i] = kEmpty;
  }
  if (extra_keywords != nullptr) {
    PyObject* dict = PyDict_New();
    if (dict == nullptr) return false;
    *extra_keywords = value_owned(dict);
  }
  if (extra_args != nullptr) {
    Py_ssize_t count = static_cast<Py_ssize_t>(npos - copied);
    PyObject* tuple = PyTuple_New(count);
    if (tuple == nullptr) return false;
    *extra_args = value_owned(tuple);
    for (Py_ssize_t i = 0; i < count; ++i) {
      Value v = args[copied + static_cast<size_t>(i)];
      args[copied + static_cast<size_t>(i)] = kEmpty;
      PyObject* item = value_take_object(v);
      if (item == nullptr) return false;
      PyTuple_SET_ITEM(tuple, i, item);
    }
  }
  const int named_end = positional + keyword_only;
  for (size_t k = 0; k < nkw; ++k) {
    PyObject* name = PyTuple_GET_ITEM(kwnames, static_cast<Py_ssize_t>(k));
    Value* value = &args[npos + k];
    if (!PyUnicode_Check(name)) {
      PyErr_Format(PyExc_TypeError, "%U() keywords must be strings", name_of(func).get());
      return false;
    }
    int at = -1;
    for (int i = code->co_posonlyargcount; i < named_end && at < 0; ++i) {
      if (parameter_name(code, i) == name) at = i;
    }
    for (int i = code->co_posonlyargcount; i < named_end && at < 0; ++i) {
      int equal = names_equal(parameter_name(code, i), name);
      if (equal < 0) return false;
      if (equal) at = i;
    }
    if (at >= 0) {
      if (regs[at] != kEmpty) {
        PyErr_Format(PyExc_TypeError, "%U() got multiple values for argument '%S'", name_of(func).get(), name);
        return false;
      }
      regs[at] = *value;
      *value = kEmpty;
      continue;
    }
    if (extra_keywords != nullptr) {
      Value v = *value;
      *value = kEmpty;
      Ref<> item = Ref<>::steal(value_take_object(v));
      if (!item || PyDict_SetItem(pointer_of(*extra_keywords), name, item) < 0) return false;
      continue;
    }
    if (code->co_posonlyargcount > 0 && positional_only_as_keywords(kwnames)) return false;
    PyObject* meant = closest_parameter(code, name);
    if (meant != nullptr) {
      PyErr_Format(PyExc_TypeError, "%U() got an unexpected keyword argument '%S'. Did you mean '%S'?",
                   name_of(func).get(), name, meant);
    } else {
      PyErr_Format(PyExc_TypeError, "%U() got an unexpected keyword argument '%S'", name_of(func).get(), name);
    }
    return false;
  }
  if (npos > static_cast<size_t>(positional) && extra_args == nullptr) {
    too_many(npos);
    return false;
  }
  return defaults(npos);
}

// A new reference, or null. The dict is borrowed, as long as nothing needs its lock (see Binding::defaults).
PyObject* keyword_default(PyFunctionObject* func, PyObject* name, Value* bound_end) {
  PyObject* values = sync::load_acquire(func->func_kwdefaults);
  if (values == nullptr) return nullptr;
  PyObject* value = nullptr;
  if (PyDict_CheckExact(values) && dict_try_get_str(reinterpret_cast<PyDictObject*>(values), name, &value)) {
    return value;
  }
  Ref<> held = sync::get_ref(&func->func_kwdefaults, func);
  RegistersInUse parameters(bound_end);
  if (held) (void)PyDict_GetItemRef(held.get(), name, &value);
  return value;
}

bool Binding::defaults(size_t given) {
  if (given < static_cast<size_t>(positional)) {
    // Borrowed: the reference of what is replaced is dropped at a safepoint, and there is none before the end of the loop.
    PyObject* values = sync::load_acquire(func->func_defaults);
    int count = values != nullptr ? static_cast<int>(PyTuple_GET_SIZE(values)) : 0;
    int first = positional - count;
    std::vector<PyObject*> absent;
    for (int i = static_cast<int>(given); i < positional; ++i) {
      if (regs[i] != kEmpty) continue;
      if (i >= first && count > 0) {
        regs[i] = copy_value(value_borrowed(PyTuple_GET_ITEM(values, i - first)));
      } else {
        absent.push_back(parameter_name(code, i));
      }
    }
    if (!absent.empty()) {
      missing("positional", absent);
      return false;
    }
  }
  std::vector<PyObject*> absent;
  for (int i = positional; i < positional + keyword_only; ++i) {
    if (regs[i] != kEmpty) continue;
    PyObject* value = keyword_default(func, parameter_name(code, i), regs + total());
    if (value == nullptr && PyErr_Occurred()) return false;
    if (value != nullptr) {
      regs[i] = value_owned(value);
    } else {
      absent.push_back(parameter_name(code, i));
    }
  }
  if (!absent.empty()) {
    missing("keyword-only", absent);
    return false;
  }
  return true;
}

}  // namespace

bool bind_arguments(PyFunctionObject* function, PyCodeObject* code, const Value* args, size_t nargs,
                    PyObject* kwnames, Value* regs) {
  const size_t nkw = kwnames != nullptr ? static_cast<size_t>(PyTuple_GET_SIZE(kwnames)) : 0;
  auto* from = const_cast<Value*>(args);
  Binding binding(function, code, regs);
  const int total = binding.total();
  auto clear = [&] {
    for (int i = 0; i < total; ++i) {
      Value v = regs[i];
      regs[i] = kEmpty;
      drop(v);
    }
    return false;
  };
  if (binding.place(from, nargs - nkw, nkw, kwnames)) [[likely]] {
    return binding.defaults(nargs - nkw) || clear();
  }
  // The arguments move out of the registers first: parameters are laid out over the same ones.
  constexpr size_t kFew = 32;
  Value few[kFew];
  std::vector<Value> many;
  Value* moved = few;
  if (nargs > kFew) {
    many.resize(nargs);
    moved = many.data();
  }
  for (size_t i = 0; i < nargs; ++i) {
    moved[i] = from[i];
    from[i] = kEmpty;
  }
  for (int i = 0; i < total; ++i) regs[i] = kEmpty;
  bool filled;
  {
    RegistersInUse parameters(regs + total);
    filled = binding.fill(moved, nargs - nkw, nkw, kwnames);
  }
  if (filled) return true;
  for (size_t i = 0; i < nargs; ++i) drop(moved[i]);
  return clear();
}

}  // namespace amphis
