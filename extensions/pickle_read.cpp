// Unpickler, load and loads: a machine with a stack and a memo.
//
// `marks` holds the heights of the stack at its MARKs; nothing below the newest is popped.
#include "pickle_source.h"

#include <string>
#include <cstring>
#include <vector>

namespace pickle {
namespace {

using ext::Ref;

PyTypeObject *unpickler_type = nullptr, *memo_proxy_type = nullptr;

PyObject* underflow(bool marked) {
  PyErr_SetString(globals.unpickling_error, marked ? "unexpected MARK found" : "unpickling stack underflow");
  return nullptr;
}

// ---- the machine ----

struct Unpickler {
  PyObject_HEAD
  Source source;
  LoadMemo memo;
  std::vector<PyObject*> stack;
  std::vector<size_t> marks;
  PyObject *persistent_load, *buffers, *encoding, *errors;
  int proto;
  bool fix_imports, busy, bytes_encoding;
};

// find_class is called from other threads, too, while one loads.
int protocol_of(const Unpickler* u) { return __atomic_load_n(&u->proto, __ATOMIC_RELAXED); }
void set_protocol(Unpickler* u, int protocol) { __atomic_store_n(&u->proto, protocol, __ATOMIC_RELAXED); }

Unpickler* self_of(PyObject* object) { return reinterpret_cast<Unpickler*>(object); }

class Machine {
 public:
  explicit Machine(Unpickler* self) : u_(self), stack_(self->stack), source_(self->source) {}

  PyObject* run();

 private:
  size_t fence() const { return u_->marks.empty() ? 0 : u_->marks.back(); }
  void push(PyObject* steals) { stack_.push_back(steals); }
  bool push_checked(PyObject* steals) {
    if (steals != nullptr) push(steals);
    return steals != nullptr;
  }
  bool has(size_t n) {
    if (stack_.size() >= fence() + n) return true;
    return underflow(!u_->marks.empty()) != nullptr;
  }
  Ref pop() {
    Ref top(stack_.back());
    stack_.pop_back();
    return top;
  }
  void shrink(size_t height) {
    while (stack_.size() > height) pop();
  }
  bool pop_mark(size_t* height) {
    if (u_->marks.empty()) {
      PyErr_SetString(globals.unpickling_error, "could not find MARK");
      return false;
    }
    *height = u_->marks.back();
    u_->marks.pop_back();
    return true;
  }
  Ref tuple_from(size_t height) {
    const size_t n = stack_.size() - height;
    Ref tuple(PyTuple_New(static_cast<Py_ssize_t>(n)));
    if (!tuple) return tuple;
    for (size_t i = 0; i < n; i++) PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), stack_[height + i]);
    stack_.resize(height);
    return tuple;
  }
  Ref list_from(size_t height) {
    const size_t n = stack_.size() - height;
    Ref list(PyList_New(static_cast<Py_ssize_t>(n)));
    if (!list) return list;
    for (size_t i = 0; i < n; i++) PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), stack_[height + i]);
    stack_.resize(height);
    return list;
  }

  template <class T>
  bool number(T* value) {
    const char* data = source_.take(sizeof(T));
    if (data != nullptr) memcpy(value, data, sizeof(T));  // little-endian, as the machine
    return data != nullptr;
  }
  // A count of bytes.
  template <class T>
  bool count(const char* what, Py_ssize_t* n) {
    T value;
    if (!number(&value)) return false;
    if (static_cast<uint64_t>(value) <= static_cast<uint64_t>(PY_SSIZE_T_MAX)) {
      *n = static_cast<Py_ssize_t>(value);
      return true;
    }
    PyErr_Format(PyExc_OverflowError, "%s exceeds system's maximum size of %zd bytes", what, PY_SSIZE_T_MAX);
    return false;
  }
  // The text of a line, without its end.
  bool line(std::string* text, bool may_be_empty = false) {
    Py_ssize_t n;
    const char* data = source_.line(&n);
    if (data != nullptr && n < 2 && !may_be_empty) data = source_.truncated();
    if (data != nullptr) text->assign(data, static_cast<size_t>(n - 1));
    return data != nullptr;
  }

  template <class T>
  bool load_text(const char* what) {
    Py_ssize_t n;
    if (!count<T>(what, &n)) return false;
    const char* data = source_.take(n);
    return data != nullptr && push_checked(PyUnicode_DecodeUTF8(data, n, "surrogatepass"));
  }
  template <class T>
  bool load_bytes(const char* what) {
    Py_ssize_t n;
    if (!count<T>(what, &n)) return false;
    if (n <= 4096) {
      const char* data = source_.take(n);
      return data != nullptr && push_checked(PyBytes_FromStringAndSize(data, n));
    }
    Ref bytes(PyBytes_FromStringAndSize(nullptr, n));
    if (!bytes || !source_.into(PyBytes_AS_STRING(bytes.get()), n)) return false;
    push(bytes.release());
    return true;
  }
  template <class T>
  bool load_old_text(const char* what) {
    T n;
    if (!number(&n)) return false;
    if constexpr (sizeof(T) == 4) {
      if (static_cast<int32_t>(n) < 0) {
        PyErr_Format(globals.unpickling_error, "%s pickle has negative byte count", what);
        return false;
      }
    }
    const char* data = source_.take(static_cast<Py_ssize_t>(n));
    return data != nullptr && push_old_text(data, static_cast<Py_ssize_t>(n));
  }
  bool push_old_text(const char* data, Py_ssize_t n) {
    if (u_->bytes_encoding) return push_checked(PyBytes_FromStringAndSize(data, n));
    const char *encoding = PyUnicode_AsUTF8(u_->encoding), *errors = PyUnicode_AsUTF8(u_->errors);
    return encoding != nullptr && errors != nullptr && push_checked(PyUnicode_Decode(data, n, encoding, errors));
  }
  bool load_long_bytes(Py_ssize_t n) {
    const char* data = source_.take(n);
    return data != nullptr && push_checked(n == 0 ? PyLong_FromLong(0)
                                                  : PyLong_FromNativeBytes(data, static_cast<size_t>(n),
                                                                           Py_ASNATIVEBYTES_LITTLE_ENDIAN));
  }

  bool load_string();
  bool load_int();
  bool load_long();
  bool load_float();
  bool load_bytearray();
  bool load_buffer();
  bool load_readonly_buffer();
  bool load_persistent(Ref id);
  bool load_global(Ref module, Ref name);
  bool load_extension(int code);
  bool load_get(size_t index);
  bool put(size_t index);
  bool append(size_t height);
  bool set_items(size_t height);
  bool add_items();
  bool build();
  bool reduce();
  bool new_object(bool keywords);
  bool instantiate(Ref cls, Ref args);
  bool load_dict();
  bool step(unsigned char op);

  Unpickler* u_;
  std::vector<PyObject*>& stack_;
  Source& source_;
};

bool Machine::load_string() {
  std::string text;
  if (!line(&text)) return false;
  const size_t n = text.size();
  if (n < 2 || text[0] != text[n - 1] || (text[0] != '"' && text[0] != '\'')) {
    PyErr_SetString(globals.unpickling_error, "the STRING opcode argument must be quoted");
    return false;
  }
  Ref bytes(PyBytes_DecodeEscape(text.data() + 1, static_cast<Py_ssize_t>(n - 2), nullptr, 0, nullptr));
  return bytes && push_old_text(PyBytes_AS_STRING(bytes.get()), PyBytes_GET_SIZE(bytes.get()));
}

bool Machine::load_int() {
  std::string text;
  if (!line(&text)) return false;
  if (text == "00" || text == "01") {
    push(PyBool_FromLong(text[1] == '1'));
    return true;
  }
  Ref value(PyLong_FromString(text.c_str(), nullptr, 10));
  if (!value) {
    if (PyErr_ExceptionMatches(PyExc_ValueError)) PyErr_SetString(PyExc_ValueError, "could not convert string to int");
    return false;
  }
  push(value.release());
  return true;
}

bool Machine::load_long() {
  std::string text;
  if (!line(&text)) return false;
  if (!text.empty() && text.back() == 'L') text.pop_back();
  Ref value(PyLong_FromString(text.c_str(), nullptr, 10));
  return push_checked(value.release());
}

bool Machine::load_float() {
  std::string text;
  if (!line(&text)) return false;
  char* end;
  const double value = PyOS_string_to_double(text.c_str(), &end, PyExc_OverflowError);
  if (value == -1.0 && PyErr_Occurred()) return false;
  if (end == text.c_str() || *end != '\0') {
    PyErr_SetString(PyExc_ValueError, "could not convert string to float");
    return false;
  }
  return push_checked(PyFloat_FromDouble(value));
}

bool Machine::load_bytearray() {
  Py_ssize_t n;
  if (!count<uint64_t>("BYTEARRAY8", &n)) return false;
  Ref result(PyByteArray_FromStringAndSize(nullptr, n));
  if (!result || !source_.into(PyByteArray_AS_STRING(result.get()), n)) return false;
  push(result.release());
  return true;
}

bool Machine::load_buffer() {
  if (u_->buffers == nullptr) {
    PyErr_SetString(globals.unpickling_error,
                    "pickle stream refers to out-of-band data but no *buffers* argument was given");
    return false;
  }
  Ref buffer(PyIter_Next(u_->buffers));
  if (!buffer && !PyErr_Occurred()) PyErr_SetString(globals.unpickling_error, "not enough out-of-band buffers");
  return push_checked(buffer.release());
}

bool Machine::load_readonly_buffer() {
  if (!has(1)) return false;
  Ref view(PyMemoryView_FromObject(stack_.back()));
  if (!view) return false;
  if (PyMemoryView_GET_BUFFER(view.get())->readonly) return true;
  Ref frozen(PyObject_CallMethod(view.get(), "toreadonly", nullptr));
  if (!frozen) return false;
  PyObject* old = std::exchange(stack_.back(), frozen.release());
  Py_DECREF(old);
  return true;
}

bool Machine::load_persistent(Ref id) {
  if (!id) return false;
  if (Ref own(Py_XNewRef(u_->persistent_load)); own) return push_checked(PyObject_CallOneArg(own.get(), id.get()));
  Ref name(PyUnicode_FromString("persistent_load"));
  return name && push_checked(PyObject_CallMethodOneArg(reinterpret_cast<PyObject*>(u_), name.get(), id.get()));
}

PyObject* find_class(Unpickler* u, PyObject* module_name, PyObject* global_name) {
  if (PySys_Audit("pickle.find_class", "OO", module_name, global_name) < 0) return nullptr;
  Ref module(Py_NewRef(module_name)), name(Py_NewRef(global_name));
  if (protocol_of(u) < 3 && u->fix_imports) {
    Ref key(PyTuple_Pack(2, module_name, global_name));
    PyObject* found;
    if (!key || PyDict_GetItemRef(globals.name_mapping, key.get(), &found) < 0) return nullptr;
    Ref pair(found);
    if (pair) {
      if (!PyTuple_Check(pair.get()) || PyTuple_GET_SIZE(pair.get()) != 2) {
        PyErr_Format(PyExc_RuntimeError, "_compat_pickle.NAME_MAPPING values should be 2-tuples, not %.200s",
                     Py_TYPE(pair.get())->tp_name);
        return nullptr;
      }
      module = Ref(Py_NewRef(PyTuple_GET_ITEM(pair.get(), 0)));
      name = Ref(Py_NewRef(PyTuple_GET_ITEM(pair.get(), 1)));
    } else {
      if (PyDict_GetItemRef(globals.import_mapping, module_name, &found) < 0) return nullptr;
      if (found != nullptr) module = Ref(found);
    }
  }
  Ref source = import_module(module.get());
  if (!source) return nullptr;
  if (protocol_of(u) < 4) return PyObject_GetAttr(source.get(), name.get());
  Ref path = dotted_path(name.get());
  if (!path) return nullptr;
  if (PyList_GET_SIZE(path.get()) <= 1) return PyObject_GetAttr(source.get(), name.get());
  Ref result(Py_NewRef(source.get()));
  for (Py_ssize_t i = 0; result && i < PyList_GET_SIZE(path.get()); i++)
    result = Ref(PyObject_GetAttr(result.get(), PyList_GET_ITEM(path.get(), i)));
  if (!result && PyErr_ExceptionMatches(PyExc_AttributeError)) {
    Ref missing(PyErr_GetRaisedException());
    PyErr_Format(PyExc_AttributeError, "Can't resolve path %R on module %R", name.get(), module.get());
    PyObject* error = PyErr_GetRaisedException();
    PyException_SetContext(error, missing.release());
    PyErr_SetRaisedException(error);
  }
  return result.release();
}

PyObject* any_find_class(Unpickler* u, PyObject* module, PyObject* name) {
  auto* self = reinterpret_cast<PyObject*>(u);
  if (Py_IS_TYPE(self, unpickler_type)) return find_class(u, module, name);
  return PyObject_CallMethod(self, "find_class", "OO", module, name);
}

bool Machine::load_global(Ref module, Ref name) {
  return module && name && push_checked(any_find_class(u_, module.get(), name.get()));
}

bool Machine::load_extension(int code) {
  if (code <= 0) {
    PyErr_SetString(globals.unpickling_error, "EXT specifies code <= 0");
    return false;
  }
  Ref number(PyLong_FromLong(code));
  PyObject* found;
  if (!number || PyDict_GetItemRef(globals.extension_cache, number.get(), &found) < 0) return false;
  if (found != nullptr) return push_checked(found);
  if (PyDict_GetItemRef(globals.inverted_registry, number.get(), &found) < 0) return false;
  Ref pair(found);
  if (!pair) {
    PyErr_Format(PyExc_ValueError, "unregistered extension code %ld", static_cast<long>(code));
    return false;
  }
  if (!PyTuple_Check(pair.get()) || PyTuple_GET_SIZE(pair.get()) != 2 ||
      !PyUnicode_Check(PyTuple_GET_ITEM(pair.get(), 0)) || !PyUnicode_Check(PyTuple_GET_ITEM(pair.get(), 1))) {
    PyErr_Format(PyExc_ValueError, "_inverted_registry[%ld] isn't a 2-tuple of strings", static_cast<long>(code));
    return false;
  }
  Ref object(any_find_class(u_, PyTuple_GET_ITEM(pair.get(), 0), PyTuple_GET_ITEM(pair.get(), 1)));
  if (!object || PyDict_SetItem(globals.extension_cache, number.get(), object.get()) < 0) return false;
  push(object.release());
  return true;
}

bool Machine::load_get(size_t index) {
  PyObject* value = u_->memo.get(index);
  if (value == nullptr) {
    PyErr_Format(globals.unpickling_error, "Memo value not found at index %zu", index);
    return false;
  }
  push(Py_NewRef(value));
  return true;
}

bool Machine::put(size_t index) {
  if (!has(1)) return false;
  u_->memo.put(index, stack_.back());
  return true;
}

// Adds what lies at and above `height` to the list below it.
bool Machine::append(size_t height) {
  if (height <= fence() || height > stack_.size()) return underflow(!u_->marks.empty()) != nullptr;
  if (height == stack_.size()) return true;
  PyObject* list = stack_[height - 1];
  if (PyList_CheckExact(list)) {
    for (size_t i = height; i < stack_.size(); i++) {
      if (PyList_Append(list, stack_[i]) < 0) return false;
    }
    shrink(height);
    return true;
  }
  PyObject* found;
  if (PyObject_GetOptionalAttrString(list, "extend", &found) < 0) return false;
  Ref extend(found);
  Ref items = list_from(height);
  if (!items) return false;
  if (extend) {
    Ref result(PyObject_CallOneArg(extend.get(), items.get()));
    return static_cast<bool>(result);
  }
  // PEP 307 asks for both methods; older classes have append() alone.
  Ref append_one(PyObject_GetAttrString(list, "append"));
  for (Py_ssize_t i = 0; append_one && i < PyList_GET_SIZE(items.get()); i++) {
    Ref result(PyObject_CallOneArg(append_one.get(), PyList_GET_ITEM(items.get(), i)));
    if (!result) return false;
  }
  return static_cast<bool>(append_one);
}

bool Machine::set_items(size_t height) {
  if (height <= fence() || height > stack_.size()) return underflow(!u_->marks.empty()) != nullptr;
  if ((stack_.size() - height) % 2 != 0) {
    PyErr_SetString(globals.unpickling_error, "odd number of items for SETITEMS");
    return false;
  }
  PyObject* dict = stack_[height - 1];
  const bool exact = PyDict_CheckExact(dict);
  for (size_t i = height; i < stack_.size(); i += 2) {
    const int status = exact ? PyDict_SetItem(dict, stack_[i], stack_[i + 1]) : PyObject_SetItem(dict, stack_[i], stack_[i + 1]);
    if (status < 0) return false;
  }
  shrink(height);
  return true;
}

bool Machine::add_items() {
  size_t height;
  if (!pop_mark(&height)) return false;
  if (height <= fence() || height > stack_.size()) return underflow(!u_->marks.empty()) != nullptr;
  if (height == stack_.size()) return true;
  PyObject* set = stack_[height - 1];
  if (PySet_Check(set)) {
    for (size_t i = height; i < stack_.size(); i++) {
      if (PySet_Add(set, stack_[i]) < 0) return false;
    }
  } else {
    Ref add(PyObject_GetAttrString(set, "add"));
    for (size_t i = height; add && i < stack_.size(); i++) {
      Ref result(PyObject_CallOneArg(add.get(), stack_[i]));
      if (!result) return false;
    }
    if (!add) return false;
  }
  shrink(height);
  return true;
}

// Whether inst.__dict__[name] = value may be done as setting an attribute, which spares the instance a dictionary.
bool plain_attribute(PyTypeObject* type, PyObject* name) {
  if (!(type->tp_flags & Py_TPFLAGS_MANAGED_DICT) || type->tp_setattro != PyObject_GenericSetAttr) return false;
  PyObject* descriptor = _PyType_Lookup(type, name);
  return descriptor == nullptr || Py_TYPE(descriptor)->tp_descr_set == nullptr;
}

bool Machine::build() {
  if (!has(2)) return false;
  Ref state = pop();
  PyObject* instance = stack_.back();
  PyObject* found;
  if (PyObject_GetOptionalAttrString(instance, "__setstate__", &found) < 0) return false;
  if (found != nullptr) {
    Ref setstate(found);
    Ref result(PyObject_CallOneArg(setstate.get(), state.get()));
    return static_cast<bool>(result);
  }
  Ref slots;
  if (PyTuple_Check(state.get()) && PyTuple_GET_SIZE(state.get()) == 2) {
    Ref pair = std::move(state);
    state = Ref(Py_NewRef(PyTuple_GET_ITEM(pair.get(), 0)));
    slots = Ref(Py_NewRef(PyTuple_GET_ITEM(pair.get(), 1)));
  }
  Py_ssize_t at = 0;
  PyObject *key, *value;
  if (state.get() != Py_None) {
    if (!PyDict_Check(state.get())) {
      PyErr_SetString(globals.unpickling_error, "state is not a dictionary");
      return false;
    }
    Ref dict;
    while (PyDict_Next(state.get(), &at, &key, &value)) {
      Ref name(Py_NewRef(key)), item(Py_NewRef(value));
      if (PyUnicode_CheckExact(key)) {
        PyObject* interned = name.release();
        PyUnicode_InternInPlace(&interned);
        name = Ref(interned);
        if (!dict && plain_attribute(Py_TYPE(instance), interned)) {
          if (PyObject_GenericSetAttr(instance, interned, item.get()) < 0) return false;
          continue;
        }
      }
      if (!dict) dict = Ref(PyObject_GetAttrString(instance, "__dict__"));
      if (!dict || PyObject_SetItem(dict.get(), name.get(), item.get()) < 0) return false;
    }
  }
  if (slots && slots.get() != Py_None) {
    if (!PyDict_Check(slots.get())) {
      PyErr_SetString(globals.unpickling_error, "slot state is not a dictionary");
      return false;
    }
    at = 0;
    while (PyDict_Next(slots.get(), &at, &key, &value)) {
      Ref name(Py_NewRef(key)), item(Py_NewRef(value));
      if (PyObject_SetAttr(instance, name.get(), item.get()) < 0) return false;
    }
  }
  return true;
}

bool Machine::reduce() {
  if (!has(2)) return false;
  Ref args = pop(), function = pop();
  if (!PyTuple_Check(args.get())) args = Ref(PySequence_Tuple(args.get()));
  return args && push_checked(PyObject_CallObject(function.get(), args.get()));
}

bool Machine::new_object(bool keywords) {
  const char* name = keywords ? "NEWOBJ_EX" : "NEWOBJ";
  if (!has(keywords ? 3 : 2)) return false;
  Ref kwargs;
  if (keywords) kwargs = pop();
  Ref args = pop(), cls = pop();
  if (!PyType_Check(cls.get())) {
    PyErr_Format(globals.unpickling_error, "%s class argument must be a type, not %.200s", name,
                 Py_TYPE(cls.get())->tp_name);
    return false;
  }
  auto* type = reinterpret_cast<PyTypeObject*>(cls.get());
  if (type->tp_new == nullptr) {
    PyErr_Format(globals.unpickling_error, "%s class argument '%.200s' doesn't have __new__", name, type->tp_name);
    return false;
  }
  if (!PyTuple_Check(args.get())) {
    PyErr_Format(globals.unpickling_error, "%s args argument must be a tuple, not %.200s", name,
                 Py_TYPE(args.get())->tp_name);
    return false;
  }
  if (kwargs && !PyDict_Check(kwargs.get())) {
    PyErr_Format(globals.unpickling_error, "%s kwargs argument must be a dict, not %.200s", name,
                 Py_TYPE(kwargs.get())->tp_name);
    return false;
  }
  return push_checked(type->tp_new(type, args.get(), kwargs.get()));
}

bool Machine::instantiate(Ref cls, Ref args) {
  if (!cls || !args) return false;
  if (PyTuple_GET_SIZE(args.get()) == 0 && PyType_Check(cls.get())) {
    PyObject* found;
    if (PyObject_GetOptionalAttrString(cls.get(), "__getinitargs__", &found) < 0) return false;
    Ref hook(found);
    if (!hook) return push_checked(PyObject_CallMethod(cls.get(), "__new__", "O", cls.get()));
  }
  return push_checked(PyObject_CallObject(cls.get(), args.get()));
}

bool Machine::load_dict() {
  size_t height;
  if (!pop_mark(&height)) return false;
  if ((stack_.size() - height) % 2 != 0) {
    PyErr_SetString(globals.unpickling_error, "odd number of items for DICT");
    return false;
  }
  Ref dict(PyDict_New());
  if (!dict) return false;
  for (size_t i = height; i < stack_.size(); i += 2) {
    if (PyDict_SetItem(dict.get(), stack_[i], stack_[i + 1]) < 0) return false;
  }
  shrink(height);
  push(dict.release());
  return true;
}

// A line as an index of the memo.
bool to_index(const std::string& text, Py_ssize_t* index) {
  Ref value(PyLong_FromString(text.c_str(), nullptr, 10));
  if (!value) return false;
  *index = PyLong_AsSsize_t(value.get());
  return !(*index == -1 && PyErr_Occurred());
}

Ref ascii(const std::string& text) {
  return Ref(PyUnicode_DecodeASCII(text.data(), static_cast<Py_ssize_t>(text.size()), "strict"));
}
Ref utf8(const std::string& text) {
  return Ref(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "strict"));
}

bool Machine::step(unsigned char op) {
  size_t height;
  uint8_t byte;
  uint16_t word;
  int32_t number32;
  uint32_t index32;
  std::string text, more;
  Py_ssize_t index;
  switch (op) {
    case kNone: push(Py_NewRef(Py_None)); return true;
    case kNewTrue: push(Py_NewRef(Py_True)); return true;
    case kNewFalse: push(Py_NewRef(Py_False)); return true;
    case kBinInt: return number(&number32) && push_checked(PyLong_FromLong(number32));
    case kBinInt1: return number(&byte) && push_checked(PyLong_FromLong(byte));
    case kBinInt2: return number(&word) && push_checked(PyLong_FromLong(word));
    case kInt: return load_int();
    case kLong: return load_long();
    case kLong1: return number(&byte) && load_long_bytes(byte);
    case kLong4:
      if (!number(&number32)) return false;
      if (number32 < 0) {
        PyErr_SetString(globals.unpickling_error, "LONG pickle has negative byte count");
        return false;
      }
      return load_long_bytes(number32);
    case kFloat: return load_float();
    case kBinFloat: {
      const char* data = source_.take(8);
      if (data == nullptr) return false;
      const double value = PyFloat_Unpack8(data, 0);
      return !(value == -1.0 && PyErr_Occurred()) && push_checked(PyFloat_FromDouble(value));
    }
    case kShortBinBytes: return load_bytes<uint8_t>("SHORT_BINBYTES");
    case kBinBytes: return load_bytes<uint32_t>("BINBYTES");
    case kBinBytes8: return load_bytes<uint64_t>("BINBYTES8");
    case kByteArray8: return load_bytearray();
    case kNextBuffer: return load_buffer();
    case kReadOnlyBuffer: return load_readonly_buffer();
    case kShortBinString: return load_old_text<uint8_t>("SHORT_BINSTRING");
    case kBinString: return load_old_text<uint32_t>("BINSTRING");
    case kString: return load_string();
    case kUnicode:
      return line(&text, true) && push_checked(PyUnicode_DecodeRawUnicodeEscape(
                                text.data(), static_cast<Py_ssize_t>(text.size()), nullptr));
    case kShortBinUnicode: return load_text<uint8_t>("SHORT_BINUNICODE");
    case kBinUnicode: return load_text<uint32_t>("BINUNICODE");
    case kBinUnicode8: return load_text<uint64_t>("BINUNICODE8");
    case kEmptyTuple: return push_checked(PyTuple_New(0));
    case kTuple1:
    case kTuple2:
    case kTuple3:
      return has(static_cast<size_t>(op - kTuple1 + 1)) &&
             push_checked(tuple_from(stack_.size() - static_cast<size_t>(op - kTuple1 + 1)).release());
    case kTuple: return pop_mark(&height) && push_checked(tuple_from(height).release());
    case kEmptyList: return push_checked(PyList_New(0));
    case kList: return pop_mark(&height) && push_checked(list_from(height).release());
    case kEmptyDict: return push_checked(PyDict_New());
    case kDict: return load_dict();
    case kEmptySet: return push_checked(PySet_New(nullptr));
    case kAddItems: return add_items();
    case kFrozenSet: {
      if (!pop_mark(&height)) return false;
      Ref items = tuple_from(height);
      return items && push_checked(PyFrozenSet_New(items.get()));
    }
    case kObj: {
      if (!pop_mark(&height)) return false;
      if (stack_.size() - height < 1) return underflow(!u_->marks.empty()) != nullptr;
      Ref args = tuple_from(height + 1);
      return instantiate(pop(), std::move(args));
    }
    case kInst: {
      if (!pop_mark(&height) || !line(&text) || !line(&more)) return false;
      Ref module = ascii(text), name = ascii(more);
      if (!module || !name) return false;
      Ref cls(any_find_class(u_, module.get(), name.get()));
      return cls && instantiate(std::move(cls), tuple_from(height));
    }
    case kNewObj: return new_object(false);
    case kNewObjEx: return new_object(true);
    case kGlobal: return line(&text) && line(&more) && load_global(utf8(text), utf8(more));
    case kStackGlobal: {
      if (!has(2)) return false;
      Ref name = pop(), module = pop();
      if (!PyUnicode_CheckExact(name.get()) || !PyUnicode_CheckExact(module.get())) {
        PyErr_SetString(globals.unpickling_error, "STACK_GLOBAL requires str");
        return false;
      }
      return load_global(std::move(module), std::move(name));
    }
    case kPersId: {
      if (!line(&text, true)) return false;
      Ref id = ascii(text);
      if (!id && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError))
        PyErr_SetString(globals.unpickling_error, "persistent IDs in protocol 0 must be ASCII strings");
      return load_persistent(std::move(id));
    }
    case kBinPersId: return has(1) && load_persistent(pop());
    case kPop:
      // The mark itself, when there is nothing above it.
      if (!u_->marks.empty() && u_->marks.back() == stack_.size())
        u_->marks.pop_back();
      else if (has(1))
        pop();
      else
        return false;
      return true;
    case kPopMark:
      if (!pop_mark(&height)) return false;
      shrink(height);
      return true;
    case kDup:
      if (!has(1)) return false;
      push(Py_NewRef(stack_.back()));
      return true;
    case kGet:
      if (!line(&text) || !to_index(text, &index)) return false;
      if (index < 0) {
        PyErr_Format(globals.unpickling_error, "Memo value not found at index %zd", index);
        return false;
      }
      return load_get(static_cast<size_t>(index));
    case kBinGet: return number(&byte) && load_get(byte);
    case kLongBinGet: return number(&index32) && load_get(index32);
    case kPut:
      if (!line(&text) || !to_index(text, &index)) return false;
      if (index < 0) {
        PyErr_SetString(PyExc_ValueError, "negative PUT argument");
        return false;
      }
      return put(static_cast<size_t>(index));
    case kBinPut: return number(&byte) && put(byte);
    case kLongBinPut: return number(&index32) && put(index32);
    case kMemoize:
      if (!has(1)) return false;
      u_->memo.add(stack_.back());
      return true;
    case kAppend: return has(1) && append(stack_.size() - 1);
    case kAppends: return pop_mark(&height) && append(height);
    case kSetItem: return has(2) && set_items(stack_.size() - 2);
    case kSetItems: return pop_mark(&height) && set_items(height);
    case kBuild: return build();
    case kReduce: return reduce();
    case kMark: u_->marks.push_back(stack_.size()); return true;
    case kExt1: return number(&byte) && load_extension(byte);
    case kExt2: return number(&word) && load_extension(word);
    case kExt4: return number(&number32) && load_extension(number32);
    case kProto:
      if (!number(&byte)) return false;
      if (byte > kHighestProtocol) {
        PyErr_Format(PyExc_ValueError, "unsupported pickle protocol: %d", byte);
        return false;
      }
      set_protocol(u_, byte);
      return true;
    case kFrame:
      // Fetched whole; it is read like the rest.
      return count<uint64_t>("FRAME", &index) && source_.begin_frame(index);
    default:
      PyErr_Format(globals.unpickling_error, op >= 0x20 && op <= 0x7e && op != '\'' && op != '\\'
                                                 ? "invalid load key, '%c'."
                                                 : "invalid load key, '\\x%02x'.",
                   op);
      return false;
  }
}

PyObject* Machine::run() {
  set_protocol(u_, 0);
  u_->marks.clear();
  shrink(0);
  for (;;) {
    const char* op = source_.take(1);
    if (op == nullptr) {
      if (PyErr_ExceptionMatches(globals.unpickling_error)) PyErr_SetString(PyExc_EOFError, "Ran out of input");
      return nullptr;
    }
    if (*op == kStop) break;
    if (!step(static_cast<unsigned char>(*op))) return nullptr;
  }
  if (!has(1)) return nullptr;
  Ref result = pop();
  if (!source_.settle()) return nullptr;
  return result.release();
}

PyObject* run(Unpickler* self) {
  Busy busy(&self->busy, "Unpickler");
  if (!busy) return nullptr;
  Machine machine(self);
  PyObject* result = machine.run();
  // Nothing stays behind: the objects may be large.
  std::vector<PyObject*> left = std::move(self->stack);
  self->stack.clear();
  self->marks.clear();
  for (PyObject* item : left) Py_DECREF(item);
  return result;
}

// ---- the type ----

PyObject* unpickler_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* object = type->tp_alloc(type, 0);
  if (object == nullptr) return nullptr;
  Unpickler* self = self_of(object);
  new (&self->source) Source();
  new (&self->memo) LoadMemo();
  new (&self->stack) std::vector<PyObject*>();
  new (&self->marks) std::vector<size_t>();
  return object;
}

// Everything but where the data comes from.
bool configure(Unpickler* self, int fix_imports, PyObject* encoding, PyObject* errors, PyObject* buffers) {
  Ref iterator;
  if (buffers != nullptr && buffers != Py_None) {
    iterator = Ref(PyObject_GetIter(buffers));
    if (!iterator) return false;
  }
  Py_XSETREF(self->buffers, iterator.release());
  Py_XSETREF(self->encoding, encoding ? Py_NewRef(encoding) : PyUnicode_FromString("ASCII"));
  Py_XSETREF(self->errors, errors ? Py_NewRef(errors) : PyUnicode_FromString("strict"));
  if (self->encoding == nullptr || self->errors == nullptr) return false;
  self->bytes_encoding = PyUnicode_EqualToUTF8(self->encoding, "bytes");
  self->fix_imports = fix_imports;
  self->proto = 0;
  return true;
}

int init_locked(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"file", "fix_imports", "encoding", "errors", "buffers", nullptr};
  PyObject *file, *encoding = nullptr, *errors = nullptr, *buffers = nullptr;
  int fix_imports = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$pUUO:Unpickler", const_cast<char**>(keywords), &file, &fix_imports,
                                   &encoding, &errors, &buffers))
    return -1;
  Unpickler* self = self_of(object);
  Busy busy(&self->busy, "Unpickler");
  if (!busy) return -1;
  self->memo.clear();
  return self->source.open_file(file) && configure(self, fix_imports, encoding, errors, buffers) ? 0 : -1;
}
int unpickler_init(PyObject* object, PyObject* args, PyObject* kwargs) { return ext::locked<init_locked>(object, args, kwargs); }

int unpickler_traverse(PyObject* object, visitproc visit, void* arg) {
  Unpickler* self = self_of(object);
  Py_VISIT(Py_TYPE(object));
  Py_VISIT(self->persistent_load);
  Py_VISIT(self->buffers);
  for (PyObject* item : self->stack) Py_VISIT(item);
  if (int status = self->source.traverse(visit, arg)) return status;
  return self->memo.traverse(visit, arg);
}
int unpickler_clear(PyObject* object) {
  Unpickler* self = self_of(object);
  Py_CLEAR(self->persistent_load);
  Py_CLEAR(self->buffers);
  self->source.clear();
  self->memo.clear();
  return 0;
}
void unpickler_dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  Unpickler* self = self_of(object);
  unpickler_clear(object);
  Py_CLEAR(self->encoding);
  Py_CLEAR(self->errors);
  self->source.~Source();
  self->memo.~LoadMemo();
  self->stack.~vector();
  self->marks.~vector();
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* load_locked(PyObject* object) {
  Unpickler* self = self_of(object);
  if (!self->source.is_open()) {
    PyErr_Format(globals.unpickling_error, "Unpickler.__init__() was not called by %s.__init__()",
                 Py_TYPE(object)->tp_name);
    return nullptr;
  }
  return run(self);
}
PyObject* unpickler_load(PyObject* object, PyObject*) { return ext::locked<load_locked>(object); }

PyObject* unpickler_find_class(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("find_class", nargs, 2, 2)) return nullptr;
  return find_class(self_of(self), args[0], args[1]);
}
PyObject* unpickler_persistent_load(PyObject*, PyObject*) {
  PyErr_SetString(globals.unpickling_error, "A load persistent id instruction was encountered, but no persistent_load "
                                            "function was specified.");
  return nullptr;
}
PyObject* unpickler_sizeof(PyObject* object, PyObject*) {
  Unpickler* self = self_of(object);
  return PyLong_FromSize_t(sizeof(Unpickler) + self->memo.items().capacity() * sizeof(void*));
}

// persistent_load may be set on an instance.
PyObject* read_persistent_load(PyObject* object) { return Py_XNewRef(self_of(object)->persistent_load); }
int write_persistent_load(PyObject* object, PyObject* value) {
  Py_XSETREF(self_of(object)->persistent_load, Py_XNewRef(value));
  return 0;
}
PyObject* unpickler_getattr(PyObject* object, PyObject* name) {
  if (PyUnicode_Check(name) && PyUnicode_EqualToUTF8(name, "persistent_load")) {
    if (PyObject* own = ext::locked<read_persistent_load>(object)) return own;
  }
  return PyObject_GenericGetAttr(object, name);
}
int unpickler_setattr(PyObject* object, PyObject* name, PyObject* value) {
  if (PyUnicode_Check(name) && PyUnicode_EqualToUTF8(name, "persistent_load")) return ext::locked<write_persistent_load>(object, value);
  return PyObject_GenericSetAttr(object, name, value);
}

// ---- the memo as Python sees it ----

struct MemoProxy {
  PyObject_HEAD
  PyObject* unpickler;
};
PyObject* owner_of(PyObject* proxy) { return reinterpret_cast<MemoProxy*>(proxy)->unpickler; }

PyObject* copy_memo(PyObject* unpickler) { return self_of(unpickler)->memo.to_dict(); }
PyObject* clear_memo(PyObject* unpickler) {
  self_of(unpickler)->memo.clear();
  Py_RETURN_NONE;
}
int swap_memo(PyObject* unpickler, LoadMemo* memo) {
  self_of(unpickler)->memo.swap(*memo);
  return 0;
}

PyObject* get_memo(PyObject* self, void*) {
  PyObject* proxy = memo_proxy_type->tp_alloc(memo_proxy_type, 0);
  if (proxy != nullptr) reinterpret_cast<MemoProxy*>(proxy)->unpickler = Py_NewRef(self);
  return proxy;
}
int set_memo(PyObject* object, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "attribute deletion is not supported");
    return -1;
  }
  Ref dict;
  if (Py_IS_TYPE(value, memo_proxy_type))
    dict = Ref(ext::locked<copy_memo>(owner_of(value)));
  else if (PyDict_Check(value))
    dict = Ref(PyDict_Copy(value));
  else
    PyErr_Format(PyExc_TypeError, "'memo' attribute must be an UnpicklerMemoProxy object or dict, not %.200s",
                 Py_TYPE(value)->tp_name);
  if (!dict) return -1;
  LoadMemo memo;
  Py_ssize_t at = 0;
  PyObject *key, *item;
  while (PyDict_Next(dict.get(), &at, &key, &item)) {
    if (!PyLong_Check(key)) {
      PyErr_SetString(PyExc_TypeError, "memo key must be integers");
      return -1;
    }
    const Py_ssize_t index = PyLong_AsSsize_t(key);
    if (index < 0) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_ValueError, "memo key must be positive integers.");
      return -1;
    }
    memo.put(static_cast<size_t>(index), item);
  }
  return ext::locked<swap_memo>(object, &memo);
}
PyObject* proxy_clear(PyObject* proxy, PyObject*) { return ext::locked<clear_memo>(owner_of(proxy)); }
PyObject* proxy_copy(PyObject* proxy, PyObject*) { return ext::locked<copy_memo>(owner_of(proxy)); }
PyObject* proxy_reduce(PyObject* proxy, PyObject*) {
  PyObject* dict = proxy_copy(proxy, nullptr);
  return dict == nullptr ? nullptr : Py_BuildValue("(O(N))", &PyDict_Type, dict);
}
int proxy_traverse(PyObject* proxy, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(proxy));
  Py_VISIT(owner_of(proxy));
  return 0;
}
void proxy_dealloc(PyObject* proxy) {
  PyObject_GC_UnTrack(proxy);
  PyTypeObject* type = Py_TYPE(proxy);
  Py_CLEAR(reinterpret_cast<MemoProxy*>(proxy)->unpickler);
  type->tp_free(proxy);
  Py_DECREF(type);
}

PyMethodDef proxy_methods[] = {{"clear", proxy_clear, METH_NOARGS, "clear($self, /)\n--\n\nRemove all items from memo."},
                               {"copy", proxy_copy, METH_NOARGS, "copy($self, /)\n--\n\nCopy the memo to a new object."},
                               {"__reduce__", proxy_reduce, METH_NOARGS, "__reduce__($self, /)\n--\n\n"},
                               {nullptr, nullptr, 0, nullptr}};
PyType_Slot proxy_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(proxy_dealloc)},
                             {Py_tp_traverse, reinterpret_cast<void*>(proxy_traverse)},
                             {Py_tp_methods, proxy_methods},
                             {Py_tp_hash, reinterpret_cast<void*>(PyObject_HashNotImplemented)},
                             {0, nullptr}};
PyType_Spec proxy_spec = {"_pickle.UnpicklerMemoProxy", sizeof(MemoProxy), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                          proxy_slots};

PyMethodDef unpickler_methods[] = {
    {"load", unpickler_load, METH_NOARGS, "load($self, /)\n--\n\nLoad a pickle and return the object that it represents."},
    {"find_class", ext::method(unpickler_find_class), METH_FASTCALL,
     "find_class($self, module_name, global_name, /)\n--\n\nReturn an object from a specified module, importing it if necessary."},
    {"persistent_load", unpickler_persistent_load, METH_O, "persistent_load($self, pid, /)\n--\n\n"},
    {"__sizeof__", unpickler_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\nReturns size in memory, in bytes."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef unpickler_getset[] = {{"memo", get_memo, set_memo, nullptr, nullptr},
                                  {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot unpickler_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(unpickler_new)},
    {Py_tp_init, reinterpret_cast<void*>(unpickler_init)},
    {Py_tp_dealloc, reinterpret_cast<void*>(unpickler_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(unpickler_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(unpickler_clear)},
    {Py_tp_getattro, reinterpret_cast<void*>(unpickler_getattr)},
    {Py_tp_setattro, reinterpret_cast<void*>(unpickler_setattr)},
    {Py_tp_methods, unpickler_methods},
    {Py_tp_getset, unpickler_getset},
    {Py_tp_doc, const_cast<char*>("Unpickler(file, *, fix_imports=True, encoding='ASCII', errors='strict',\n"
                                  "          buffers=())\n--\n\nThis takes a binary file for reading a pickle data stream.")},
    {0, nullptr}};
PyType_Spec unpickler_spec = {"_pickle.Unpickler", sizeof(Unpickler), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, unpickler_slots};

}  // namespace

PyTypeObject* make_unpickler_types(PyObject* module) {
  if (!ext::keep(&memo_proxy_type, PyType_FromModuleAndSpec(module, &proxy_spec, nullptr))) return nullptr;
  ext::keep(&unpickler_type, PyType_FromModuleAndSpec(module, &unpickler_spec, nullptr));
  return unpickler_type;
}

PyObject* load(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"file", "fix_imports", "encoding", "errors", "buffers", nullptr};
  PyObject *file, *encoding = nullptr, *errors = nullptr, *buffers = nullptr;
  int fix_imports = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$pUUO:load", const_cast<char**>(keywords), &file, &fix_imports,
                                   &encoding, &errors, &buffers))
    return nullptr;
  Ref unpickler(unpickler_new(unpickler_type, nullptr, nullptr));
  if (!unpickler) return nullptr;
  Unpickler* self = self_of(unpickler.get());
  if (!self->source.open_file(file) || !configure(self, fix_imports, encoding, errors, buffers)) return nullptr;
  return run(self);
}

PyObject* loads(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "fix_imports", "encoding", "errors", "buffers", nullptr};
  PyObject *data, *encoding = nullptr, *errors = nullptr, *buffers = nullptr;
  int fix_imports = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$pUUO:loads", const_cast<char**>(keywords), &data, &fix_imports,
                                   &encoding, &errors, &buffers))
    return nullptr;
  Ref unpickler(unpickler_new(unpickler_type, nullptr, nullptr));
  if (!unpickler) return nullptr;
  Unpickler* self = self_of(unpickler.get());
  if (!self->source.open_memory(data) || !configure(self, fix_imports, encoding, errors, buffers)) return nullptr;
  return run(self);
}

}  // namespace pickle
