// Pickler, dump and dumps.
//
// The pickle grows in one block of memory. From protocol 4 on it is cut into frames: nine bytes are left free where one
// begins, and filled in when it ends. What a file is to get goes to it frame by frame.
#include "pickle_memo.h"

#include <cstring>
#include <string>

namespace pickle {
namespace {

using ext::Ref;

constexpr size_t kFrameTarget = 64 * 1024, kFrameHeader = 9, kSmallestFrame = 4;
constexpr Py_ssize_t kBatch = 1000;
constexpr size_t kNoFrame = SIZE_MAX;

PyTypeObject *pickler_type = nullptr, *memo_proxy_type = nullptr;

struct Pickler {
  PyObject_HEAD
  DumpMemo memo;
  PyObject *write, *persistent_id, *dispatch_table, *buffer_callback;
  PyObject *reducer, *pid;  // what save() asks, while dump() runs
  char* data;
  size_t size, capacity, frame;  // frame: where the header of the open one lies
  int proto, bin, fast;
  bool fix_imports, framing, busy;
};

Pickler* self_of(PyObject* object) { return reinterpret_cast<Pickler*>(object); }

bool raise(const char* format, PyObject* a = nullptr, PyObject* b = nullptr) {
  PyErr_Format(globals.pickling_error, format, a, b);
  return false;
}

// Turns the current exception into the context of a PicklingError.
bool raise_from(const char* format, PyObject* a, PyObject* b) {
  Ref context(PyErr_GetRaisedException());
  raise(format, a, b);
  PyObject* error = PyErr_GetRaisedException();
  Py_INCREF(context.get());
  PyException_SetCause(error, Py_NewRef(context.get()));
  PyException_SetContext(error, context.release());
  PyErr_SetRaisedException(error);
  return false;
}

// ---- writing ----

class Writer {
 public:
  explicit Writer(Pickler* self) : p_(self) {}

  bool dump(PyObject* object);

 private:
  bool reserve(size_t n) {
    if (p_->capacity - p_->size >= n) return true;
    size_t capacity = p_->capacity * 2 > p_->size + n ? p_->capacity * 2 : p_->size + n;
    if (capacity < 1024) capacity = 1024;
    auto* data = static_cast<char*>(PyMem_Realloc(p_->data, capacity));
    if (data == nullptr) return PyErr_NoMemory() != nullptr;
    p_->data = data;
    p_->capacity = capacity;
    return true;
  }
  // Room for n bytes, in a frame.
  char* room(size_t n) {
    if (!reserve(n + kFrameHeader)) return nullptr;
    if (p_->framing && p_->frame == kNoFrame) {
      p_->frame = p_->size;
      p_->size += kFrameHeader;
    }
    char* at = p_->data + p_->size;
    p_->size += n;
    return at;
  }
  bool write(const void* data, size_t n) {
    char* at = room(n);
    if (at != nullptr) memcpy(at, data, n);
    return at != nullptr;
  }
  bool op(Op code) {
    char* at = room(1);
    if (at != nullptr) *at = static_cast<char>(code);
    return at != nullptr;
  }
  // An opcode and a little-endian number.
  template <class T>
  bool op(Op code, T number) {
    char* at = room(1 + sizeof(T));
    if (at == nullptr) return false;
    *at = static_cast<char>(code);
    memcpy(at + 1, &number, sizeof(T));
    return true;
  }
  bool text_op(Op code, const std::string& text) { return op(code) && write(text.data(), text.size()) && write("\n", 1); }

  void end_frame() {
    if (p_->frame == kNoFrame) return;
    const size_t start = std::exchange(p_->frame, kNoFrame);
    char* header = p_->data + start;
    const uint64_t n = p_->size - start - kFrameHeader;
    if (n >= kSmallestFrame) {
      *header = static_cast<char>(kFrame);
      memcpy(header + 1, &n, sizeof n);
    } else {
      memmove(header, header + kFrameHeader, n);
      p_->size -= kFrameHeader;
    }
  }
  bool to_file(PyObject* steals) {
    Ref bytes(steals);
    Ref result(bytes ? PyObject_CallOneArg(p_->write, bytes.get()) : nullptr);
    return static_cast<bool>(result);
  }
  bool flush() {
    if (p_->write == nullptr || p_->size == 0) return true;
    const size_t n = std::exchange(p_->size, 0);
    return to_file(PyBytes_FromStringAndSize(p_->data, static_cast<Py_ssize_t>(n)));
  }
  // An opcode, its size and data. Large data lies outside of frames and goes to a file without a copy.
  bool sized(const char* header, size_t header_size, const char* data, size_t n, PyObject* owner) {
    if (n < kFrameTarget || !(p_->framing || p_->write != nullptr)) return write(header, header_size) && write(data, n);
    end_frame();
    const bool framing = std::exchange(p_->framing, false);
    bool ok = write(header, header_size);
    if (ok && p_->write != nullptr) {
      ok = flush() && to_file(owner != nullptr ? Py_NewRef(owner)
                                               : PyMemoryView_FromMemory(const_cast<char*>(data),
                                                                         static_cast<Py_ssize_t>(n), PyBUF_READ));
    } else if (ok) {
      ok = write(data, n);
    }
    p_->framing = framing;
    return ok;
  }
  bool sized_op(Op code8, Op code32, Op code64, const char* data, Py_ssize_t n, PyObject* owner) {
    char header[kFrameHeader];
    size_t header_size;
    const auto wide = static_cast<uint64_t>(n);
    memcpy(header + 1, &wide, sizeof wide);
    if (n <= 0xff && code8 != kStop) {
      header[0] = static_cast<char>(code8);
      header_size = 2;
    } else if (wide <= 0xffffffff && code32 != kStop) {
      header[0] = static_cast<char>(code32);
      header_size = 5;
    } else if (code64 != kStop && p_->proto >= 4) {
      header[0] = static_cast<char>(code64);
      header_size = 9;
    } else {
      PyErr_SetString(PyExc_OverflowError, "serializing an object larger than 4 GiB requires pickle protocol 4 or higher");
      return false;
    }
    return sized(header, header_size, data, static_cast<size_t>(n), owner);
  }

  bool get(size_t index) {
    if (!p_->bin) return text_op(kGet, std::to_string(index));
    return index < 256 ? op(kBinGet, static_cast<uint8_t>(index)) : op(kLongBinGet, static_cast<uint32_t>(index));
  }
  // A member is written without the lock.
  bool is_fast() const { return __atomic_load_n(&p_->fast, __ATOMIC_RELAXED) != 0; }
  bool memoize(PyObject* object) {
    if (is_fast()) return true;
    const size_t index = p_->memo.size();
    if (!p_->memo.add(object, index)) return false;
    if (p_->proto >= 4) return op(kMemoize);
    if (!p_->bin) return text_op(kPut, std::to_string(index));
    return index < 256 ? op(kBinPut, static_cast<uint8_t>(index)) : op(kLongBinPut, static_cast<uint32_t>(index));
  }
  const DumpMemo::Entry* memoized(PyObject* object) const { return is_fast() ? nullptr : p_->memo.find(object); }

  bool save(PyObject* object, bool ask_id = true);
  bool save_other(PyObject* object);
  bool save_persistent(PyObject* id);
  bool save_long(PyObject* object);
  bool save_float(PyObject* object);
  bool save_str(PyObject* object);
  bool save_bytes(PyObject* object);
  bool save_bytearray(PyObject* object);
  bool save_buffer(PyObject* object);
  bool save_tuple(PyObject* object);
  bool save_list(PyObject* object);
  bool save_dict(PyObject* object);
  bool save_set(PyObject* object);
  bool save_frozenset(PyObject* object);
  bool save_type(PyObject* object);
  bool save_global(PyObject* object, PyObject* name);
  bool save_top_name(PyObject* module, PyObject* name);
  bool save_reduce(PyObject* object, PyObject* value);
  bool save_call(PyObject* object, PyObject* function, PyObject* args_steals);
  bool batch_appends(PyObject* items, PyObject* object);
  bool batch_set_items(PyObject* items, PyObject* object);
  bool save_item(PyObject* item, PyObject* object, Py_ssize_t i) {
    if (save(item)) return true;
    _PyErr_FormatNote("when serializing %T item %zd", object, i);
    return false;
  }
  bool save_part(PyObject* part, PyObject* object, const char* what) {
    if (save(part)) return true;
    _PyErr_FormatNote("when serializing %T %s", object, what);
    return false;
  }
  bool save_pair(PyObject* pair, PyObject* object);

  Pickler* p_;
};

bool Writer::save_long(PyObject* object) {
  int overflow;
  const long long value = PyLong_AsLongLongAndOverflow(object, &overflow);
  const bool small = overflow == 0 && value >= INT32_MIN && value <= INT32_MAX;
  if (small && p_->bin) {
    if (value >= 0 && value <= 0xff) return op(kBinInt1, static_cast<uint8_t>(value));
    if (value >= 0 && value <= 0xffff) return op(kBinInt2, static_cast<uint16_t>(value));
    return op(kBinInt, static_cast<int32_t>(value));
  }
  if (p_->proto < 2) {
    Ref text(PyLong_Type.tp_repr(object));
    const char* digits = text ? PyUnicode_AsUTF8(text.get()) : nullptr;
    return digits != nullptr && text_op(small ? kInt : kLong, std::string(digits) + (small ? "" : "L"));
  }
  Py_ssize_t n = PyLong_AsNativeBytes(object, nullptr, 0, Py_ASNATIVEBYTES_LITTLE_ENDIAN);
  if (n < 0) return false;
  std::string bytes(static_cast<size_t>(n), '\0');
  if (PyLong_AsNativeBytes(object, bytes.data(), n, Py_ASNATIVEBYTES_LITTLE_ENDIAN) < 0) return false;
  // No byte that only repeats the sign.
  const auto byte = [&](size_t back) { return static_cast<signed char>(bytes[bytes.size() - back]); };
  while (bytes.size() > 1 && byte(1) == (byte(2) < 0 ? -1 : 0)) bytes.pop_back();
  if (bytes.size() > INT32_MAX) {
    PyErr_SetString(PyExc_OverflowError, "int too large to pickle");
    return false;
  }
  const bool head = bytes.size() < 256 ? op(kLong1, static_cast<uint8_t>(bytes.size()))
                                       : op(kLong4, static_cast<int32_t>(bytes.size()));
  return head && write(bytes.data(), bytes.size());
}

bool Writer::save_float(PyObject* object) {
  const double value = PyFloat_AS_DOUBLE(object);
  if (p_->bin) {
    char* at = room(9);
    if (at == nullptr) return false;
    *at = static_cast<char>(kBinFloat);
    return PyFloat_Pack8(value, at + 1, 0) == 0;
  }
  char* text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, nullptr);
  if (text == nullptr) return PyErr_NoMemory() != nullptr;
  const bool ok = text_op(kFloat, text);
  PyMem_Free(text);
  return ok;
}

// Protocol 0: the raw-unicode-escape encoding, with what ends a line or is escaped itself escaped, too.
std::string raw_escaped(PyObject* text) {
  std::string out;
  const int kind = PyUnicode_KIND(text);
  const void* data = PyUnicode_DATA(text);
  for (Py_ssize_t i = 0, n = PyUnicode_GET_LENGTH(text); i < n; i++) {
    const Py_UCS4 c = PyUnicode_READ(kind, data, i);
    char escape[16];
    if (c >= 0x10000)
      PyOS_snprintf(escape, sizeof escape, "\\U%08x", c);
    else if (c >= 256 || c == '\\' || c == 0 || c == '\n' || c == '\r' || c == 0x1a)
      PyOS_snprintf(escape, sizeof escape, "\\u%04x", c);
    else {
      out.push_back(static_cast<char>(c));
      continue;
    }
    out += escape;
  }
  return out;
}

bool Writer::save_str(PyObject* object) {
  if (!p_->bin) return text_op(kUnicode, raw_escaped(object)) && memoize(object);
  Ref encoded;
  Py_ssize_t n;
  const char* text = PyUnicode_AsUTF8AndSize(object, &n);
  if (text == nullptr) {
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
    PyErr_Clear();
    encoded = Ref(PyUnicode_AsEncodedString(object, "utf-8", "surrogatepass"));
    if (!encoded) return false;
    text = PyBytes_AS_STRING(encoded.get());
    n = PyBytes_GET_SIZE(encoded.get());
  }
  if (static_cast<size_t>(n) >= kFrameTarget && p_->write != nullptr && !encoded)
    encoded = Ref(PyBytes_FromStringAndSize(text, n));  // a file may keep what it is given
  return sized_op(p_->proto >= 4 ? kShortBinUnicode : kStop, kBinUnicode, kBinUnicode8, text, n, encoded.get()) &&
         memoize(object);
}

// As the call function(*args).
bool Writer::save_call(PyObject* object, PyObject* function, PyObject* args_steals) {
  Ref args(args_steals);
  Ref value(args ? PyTuple_Pack(2, function, args.get()) : nullptr);
  return value && save_reduce(object, value.get());
}

bool Writer::save_bytes(PyObject* object) {
  const Py_ssize_t n = PyBytes_GET_SIZE(object);
  if (p_->proto >= 3)
    return sized_op(kShortBinBytes, kBinBytes, kBinBytes8, PyBytes_AS_STRING(object), n,
                    PyBytes_CheckExact(object) ? object : nullptr) &&
           memoize(object);
  // Python 2 has no bytes: their characters, encoded when they are loaded.
  if (n == 0) return save_call(object, reinterpret_cast<PyObject*>(&PyBytes_Type), PyTuple_New(0));
  PyObject* text = PyUnicode_DecodeLatin1(PyBytes_AS_STRING(object), n, "strict");
  return text != nullptr && save_call(object, globals.codecs_encode, Py_BuildValue("(Ns)", text, "latin1"));
}

PyObject* bytes_of(PyObject* bytearray) {
  return PyBytes_FromStringAndSize(PyByteArray_AS_STRING(bytearray), PyByteArray_GET_SIZE(bytearray));
}

bool Writer::save_bytearray(PyObject* object) {
  Ref bytes(ext::locked<bytes_of>(object));  // the array may change while it is written
  if (!bytes) return false;
  const Py_ssize_t n = PyBytes_GET_SIZE(bytes.get());
  const char* data = PyBytes_AS_STRING(bytes.get());
  if (p_->proto >= 5) return sized_op(kStop, kStop, kByteArray8, data, n, nullptr) && memoize(object);
  auto* type = reinterpret_cast<PyObject*>(&PyByteArray_Type);
  return save_call(object, type, n == 0 ? PyTuple_New(0) : Py_BuildValue("(y#)", data, n));
}

bool Writer::save_buffer(PyObject* object) {
  if (p_->proto < 5) return raise("PickleBuffer can only be pickled with protocol >= 5");
  const Py_buffer* given = PyPickleBuffer_GetBuffer(object);
  if (given == nullptr) return false;
  // Held on its own: the callback may release the object's.
  ext::Buffer held;
  if (!held.get(object, given->readonly ? PyBUF_FULL_RO : PyBUF_FULL)) return false;
  const Py_buffer* view = held.view();
  if (view->suboffsets != nullptr || !PyBuffer_IsContiguous(view, 'A'))
    return raise("PickleBuffer can not be pickled when pointing to a non-contiguous buffer");
  bool in_band = true;
  if (p_->buffer_callback != nullptr) {
    Ref answer(PyObject_CallOneArg(p_->buffer_callback, object));
    const int truth = answer ? PyObject_IsTrue(answer.get()) : -1;
    if (truth < 0) return false;
    in_band = truth > 0;
  }
  if (!in_band) return op(kNextBuffer) && (!view->readonly || op(kReadOnlyBuffer));
  const auto* data = static_cast<const char*>(view->buf);
  return (view->readonly ? sized_op(kShortBinBytes, kBinBytes, kBinBytes8, data, view->len, nullptr)
                         : sized_op(kStop, kStop, kByteArray8, data, view->len, nullptr)) &&
         memoize(object);
}

bool Writer::save_tuple(PyObject* object) {
  const Py_ssize_t n = PyTuple_GET_SIZE(object);
  if (n == 0) return p_->bin ? op(kEmptyTuple) : op(kMark) && op(kTuple);
  const bool counted = n <= 3 && p_->proto >= 2;
  if (!counted && !op(kMark)) return false;
  for (Py_ssize_t i = 0; i < n; i++) {
    if (!save_item(PyTuple_GET_ITEM(object, i), object, i)) return false;
  }
  // Saving the items has saved a recursive tuple, too: the items go, and the tuple that exists is fetched.
  if (const DumpMemo::Entry* entry = memoized(object)) {
    const size_t index = entry->index;
    if (!counted && p_->bin) return op(kPopMark) && get(index);
    for (Py_ssize_t i = counted ? 0 : -1; i < n; i++) {
      if (!op(kPop)) return false;
    }
    return get(index);
  }
  return op(counted ? static_cast<Op>(kTuple1 + n - 1) : kTuple) && memoize(object);
}

bool Writer::save_list(PyObject* object) {
  if (!(p_->bin ? op(kEmptyList) : op(kMark) && op(kList)) || !memoize(object)) return false;
  if (!p_->bin) return batch_appends(object, object);
  Py_ssize_t i = 0;
  while (i < PyList_GET_SIZE(object)) {
    const Py_ssize_t first = i, end = first + kBatch;
    if (PyList_GET_SIZE(object) - first == 1) {
      Ref item(PyList_GetItemRef(object, i));
      return item && save_item(item.get(), object, i) && op(kAppend);
    }
    if (!op(kMark)) return false;
    for (; i < end && i < PyList_GET_SIZE(object); i++) {
      Ref item(PyList_GetItemRef(object, i));
      if (!item || !save_item(item.get(), object, i)) return false;
    }
    if (!op(kAppends)) return false;
  }
  return true;
}

// The items of any iterable, in batches.
bool Writer::batch_appends(PyObject* items, PyObject* object) {
  Ref iterator(PyObject_GetIter(items));
  if (!iterator) return false;
  Py_ssize_t i = 0;
  Ref item(PyIter_Next(iterator.get()));
  while (item) {
    Ref next(PyIter_Next(iterator.get()));
    if (!next && PyErr_Occurred()) return false;
    if (!p_->bin || !next) {
      if (!save_item(item.get(), object, i++) || !op(kAppend)) return false;
      item = std::move(next);
      continue;
    }
    if (!op(kMark)) return false;
    for (Py_ssize_t in_batch = 0; item && in_batch < kBatch; in_batch++) {
      if (!save_item(item.get(), object, i++)) return false;
      item = std::move(next);
      if (item && in_batch + 1 < kBatch) next = Ref(PyIter_Next(iterator.get()));
      if (PyErr_Occurred()) return false;
    }
    if (!op(kAppends)) return false;
  }
  return !PyErr_Occurred();
}

bool Writer::save_pair(PyObject* pair, PyObject* object) {
  if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
    PyErr_SetString(PyExc_TypeError, "dict items iterator must return 2-tuples");
    return false;
  }
  if (!save(PyTuple_GET_ITEM(pair, 0))) return false;
  if (save(PyTuple_GET_ITEM(pair, 1))) return true;
  _PyErr_FormatNote("when serializing %T item %R", object, PyTuple_GET_ITEM(pair, 0));
  return false;
}

bool Writer::batch_set_items(PyObject* items, PyObject* object) {
  Ref iterator(PyObject_GetIter(items));
  if (!iterator) return false;
  Ref pair(PyIter_Next(iterator.get()));
  while (pair) {
    Ref next(PyIter_Next(iterator.get()));
    if (!next && PyErr_Occurred()) return false;
    if (!p_->bin || !next) {
      if (!save_pair(pair.get(), object) || !op(kSetItem)) return false;
      pair = std::move(next);
      continue;
    }
    if (!op(kMark)) return false;
    for (Py_ssize_t in_batch = 0; pair && in_batch < kBatch; in_batch++) {
      if (!save_pair(pair.get(), object)) return false;
      pair = std::move(next);
      if (pair && in_batch + 1 < kBatch) next = Ref(PyIter_Next(iterator.get()));
      if (PyErr_Occurred()) return false;
    }
    if (!op(kSetItems)) return false;
  }
  return !PyErr_Occurred();
}

bool Writer::save_dict(PyObject* object) {
  if (!(p_->bin ? op(kEmptyDict) : op(kMark) && op(kDict)) || !memoize(object)) return false;
  const Py_ssize_t n = PyDict_GET_SIZE(object);
  if (n == 0) return true;
  if (!PyDict_CheckExact(object)) {
    Ref items(PyObject_CallMethod(object, "items", nullptr));
    return items && batch_set_items(items.get(), object);
  }
  // A copy of the pairs: saving them may run any code.
  Ref items(PyDict_Items(object));
  return items && batch_set_items(items.get(), object);
}

bool Writer::save_set(PyObject* object) {
  if (p_->proto < 4) {
    PyObject* items = PySequence_List(object);
    return items != nullptr && save_call(object, reinterpret_cast<PyObject*>(&PySet_Type), Py_BuildValue("(N)", items));
  }
  if (!op(kEmptySet) || !memoize(object)) return false;
  Ref items(PySequence_Tuple(object));
  if (!items) return false;
  const Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  for (Py_ssize_t i = 0; i < n;) {
    if (!op(kMark)) return false;
    for (const Py_ssize_t end = n - i < kBatch ? n : i + kBatch; i < end; i++) {
      if (!save_part(PyTuple_GET_ITEM(items.get(), i), object, "element")) return false;
    }
    if (!op(kAddItems)) return false;
  }
  return true;
}

bool Writer::save_frozenset(PyObject* object) {
  Ref items(p_->proto < 4 ? PySequence_List(object) : PySequence_Tuple(object));
  if (!items) return false;
  if (p_->proto < 4)
    return save_call(object, reinterpret_cast<PyObject*>(&PyFrozenSet_Type), Py_BuildValue("(O)", items.get()));
  if (!op(kMark)) return false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(items.get()); i++) {
    if (!save_part(PyTuple_GET_ITEM(items.get(), i), object, "element")) return false;
  }
  if (const DumpMemo::Entry* entry = memoized(object)) {
    const size_t index = entry->index;
    return op(kPopMark) && get(index);
  }
  return op(kFrozenSet) && memoize(object);
}

bool Writer::save_type(PyObject* object) {
  for (PyObject* single : {Py_None, Py_NotImplemented, Py_Ellipsis}) {
    if (object == reinterpret_cast<PyObject*>(Py_TYPE(single)))
      return save_call(object, reinterpret_cast<PyObject*>(&PyType_Type), PyTuple_Pack(1, single));
  }
  return save_global(object, nullptr);
}

// The name of the module where `object` is found as `name`; null with an exception when there is none.
Ref module_of(PyObject* object, PyObject* name, PyObject* path) {
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(path); i++) {
    if (!PyUnicode_EqualToUTF8(PyList_GET_ITEM(path, i), "<locals>")) continue;
    raise("Can't pickle local object %R", object);
    return Ref();
  }
  PyObject* found;
  if (PyObject_GetOptionalAttrString(object, "__module__", &found) < 0) return Ref();
  Ref module_name(found);
  if (!module_name || module_name.get() == Py_None) {
    Ref modules(Py_XNewRef(PyImport_GetModuleDict()));
    Ref pairs(modules && PyDict_Check(modules.get()) ? PyDict_Items(modules.get()) : nullptr);
    if (!pairs) {
      if (!PyErr_Occurred()) PyErr_SetString(PyExc_RuntimeError, "unable to get sys.modules");
      return Ref();
    }
    module_name = Ref(PyUnicode_FromString("__main__"));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(pairs.get()); i++) {
      PyObject *pair = PyList_GET_ITEM(pairs.get(), i), *key = PyTuple_GET_ITEM(pair, 0), *value = PyTuple_GET_ITEM(pair, 1);
      if (value == Py_None || (PyUnicode_Check(key) && (PyUnicode_EqualToUTF8(key, "__main__") ||
                                                        PyUnicode_EqualToUTF8(key, "__mp_main__"))))
        continue;
      Ref there = follow(value, path);
      if (!there) {
        if (PyErr_Occurred()) return Ref();
        continue;
      }
      if (there.get() == object) return Ref(Py_NewRef(key));
    }
  }
  Ref module;
  if (!PyUnicode_Check(module_name.get()))
    PyErr_Format(PyExc_TypeError, "module name must be a string, not %T", module_name.get());
  else
    module = import_module(module_name.get());
  if (!module) {
    if (!PyErr_ExceptionMatches(PyExc_ImportError) && !PyErr_ExceptionMatches(PyExc_ValueError) &&
        !PyErr_ExceptionMatches(PyExc_KeyError))
      return Ref();
    Ref error(PyErr_GetRaisedException()), text(PyObject_Str(error.get()));
    PyErr_SetRaisedException(error.release());
    if (text) raise_from("Can't pickle %R: %S", object, text.get());
    return Ref();
  }
  Ref there(Py_NewRef(module.get()));
  for (Py_ssize_t i = 0; there && i < PyList_GET_SIZE(path); i++)
    there = Ref(PyObject_GetAttr(there.get(), PyList_GET_ITEM(path, i)));
  if (there.get() == object) return module_name;
  if (!there && !PyErr_ExceptionMatches(PyExc_AttributeError)) return Ref();
  Ref missing(PyErr_GetRaisedException()), full(PyUnicode_FromFormat("%S.%S", module_name.get(), name));
  if (!full) return Ref();
  if (there) {
    raise("Can't pickle %R: it's not the same object as %S", object, full.get());
  } else {
    PyErr_SetRaisedException(missing.release());
    raise_from("Can't pickle %R: it's not found as %S", object, full.get());
  }
  return Ref();
}

bool Writer::save_top_name(PyObject* module, PyObject* name) {
  Ref module_name(Py_NewRef(module)), own_name(Py_NewRef(name));
  if (p_->fix_imports && p_->proto < 3) {
    Ref key(PyTuple_Pack(2, module, name));
    PyObject* found;
    if (!key || PyDict_GetItemRef(globals.reverse_name_mapping, key.get(), &found) < 0) return false;
    if (found != nullptr) {
      Ref pair(found);
      if (!PyTuple_Check(found) || PyTuple_GET_SIZE(found) != 2) {
        PyErr_Format(PyExc_RuntimeError, "_compat_pickle.REVERSE_NAME_MAPPING values should be 2-tuples, not %.200s",
                     Py_TYPE(found)->tp_name);
        return false;
      }
      module_name = Ref(Py_NewRef(PyTuple_GET_ITEM(found, 0)));
      own_name = Ref(Py_NewRef(PyTuple_GET_ITEM(found, 1)));
    } else {
      if (PyDict_GetItemRef(globals.reverse_import_mapping, module, &found) < 0) return false;
      if (found != nullptr) module_name = Ref(found);
    }
  }
  // Names beyond ASCII need protocol 3.
  const char* encoding = p_->proto >= 3 ? "utf-8" : "ascii";
  const auto line = [&](PyObject* text, const char* what) {
    Ref bytes(PyUnicode_AsEncodedString(text, encoding, "strict"));
    if (bytes) return write(PyBytes_AS_STRING(bytes.get()), static_cast<size_t>(PyBytes_GET_SIZE(bytes.get()))) && write("\n", 1);
    if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
    Ref protocol(PyLong_FromLong(p_->proto));
    const std::string message = std::string("can't pickle ") + what + " identifier %R using pickle protocol %S";
    return protocol && raise_from(message.c_str(), text, protocol.get());
  };
  return op(kGlobal) && line(module_name.get(), "module") && line(own_name.get(), "global");
}

bool Writer::save_global(PyObject* object, PyObject* given) {
  Ref name(Py_XNewRef(given));
  if (!name) {
    PyObject* found;
    if (PyObject_GetOptionalAttrString(object, "__qualname__", &found) < 0) return false;
    name = Ref(found);
    if (!name) name = Ref(PyObject_GetAttrString(object, "__name__"));
    if (!name) return false;
  }
  if (!PyUnicode_Check(name.get())) {
    PyErr_Format(PyExc_TypeError, "name must be a string, not %T", name.get());
    return false;
  }
  Ref path = dotted_path(name.get());
  if (!path) return false;
  Ref module = module_of(object, name.get(), path.get());
  if (!module) return false;
  if (p_->proto >= 2) {
    Ref key(PyTuple_Pack(2, module.get(), name.get()));
    PyObject* found;
    if (!key || PyDict_GetItemRef(globals.extension_registry, key.get(), &found) < 0) return false;
    if (found != nullptr) {
      Ref number(found);
      if (!PyLong_Check(found)) return raise("Can't pickle %R: extension code %R isn't an integer", object, found);
      const long code = PyLong_AsLong(found);
      if (code <= 0 || code > 0x7fffffff) {
        if (!PyErr_Occurred()) PyErr_Format(PyExc_RuntimeError, "extension code %ld is out of range", code);
        return false;
      }
      if (code <= 0xff) return op(kExt1, static_cast<uint8_t>(code));
      if (code <= 0xffff) return op(kExt2, static_cast<uint16_t>(code));
      return op(kExt4, static_cast<int32_t>(code));
    }
  }
  if (p_->proto >= 4) return save(module.get()) && save(name.get()) && op(kStackGlobal) && memoize(object);
  // Older protocols know top-level names alone: the rest of the path is a chain of getattr().
  const Py_ssize_t steps = PyList_GET_SIZE(path.get()) - 1;
  for (Py_ssize_t i = 0; i < steps; i++) {
    if (!save(globals.getattr) || (p_->proto < 2 && !op(kMark))) return false;
  }
  if (!save_top_name(module.get(), PyList_GET_ITEM(path.get(), 0))) return false;
  for (Py_ssize_t i = 1; i <= steps; i++) {
    if (!save(PyList_GET_ITEM(path.get(), i)) || !op(p_->proto < 2 ? kTuple : kTuple2) || !op(kReduce)) return false;
  }
  return memoize(object);
}

// `value`: what __reduce__ returned for `object`, a tuple.
bool Writer::save_reduce(PyObject* object, PyObject* value) {
  const Py_ssize_t n = PyTuple_GET_SIZE(value);
  if (n < 2 || n > 6) return raise("tuple returned by __reduce__ must contain 2 through 6 elements");
  const auto part = [&](Py_ssize_t i) -> PyObject* {
    PyObject* item = i < n ? PyTuple_GET_ITEM(value, i) : nullptr;
    return item == Py_None && i >= 2 ? nullptr : item;
  };
  PyObject *function = part(0), *args = part(1), *state = part(2), *list_items = part(3), *dict_items = part(4),
           *state_setter = part(5);
  if (!PyCallable_Check(function))
    return raise("first item of the tuple returned by __reduce__ must be callable, not %T", function);
  if (!PyTuple_Check(args)) return raise("second item of the tuple returned by __reduce__ must be a tuple, not %T", args);
  if (list_items != nullptr && !PyIter_Check(list_items))
    return raise("fourth item of the tuple returned by __reduce__ must be an iterator, not %T", list_items);
  if (dict_items != nullptr && !PyIter_Check(dict_items))
    return raise("fifth item of the tuple returned by __reduce__ must be an iterator, not %T", dict_items);
  if (state_setter != nullptr && !PyCallable_Check(state_setter))
    return raise("sixth item of the tuple returned by __reduce__ must be callable, not %T", state_setter);

  bool new_object = false, new_object_ex = false;
  if (p_->proto >= 2) {
    PyObject* found;
    if (PyObject_GetOptionalAttrString(function, "__name__", &found) < 0) return false;
    Ref name(found);
    if (name && PyUnicode_Check(name.get())) {
      new_object = PyUnicode_EqualToUTF8(name.get(), "__newobj__");
      new_object_ex = PyUnicode_EqualToUTF8(name.get(), "__newobj_ex__");
    }
  }
  if (new_object || new_object_ex) {
    const char* called = new_object ? "__newobj__" : "__newobj_ex__";
    const Py_ssize_t given = PyTuple_GET_SIZE(args);
    if (new_object_ex ? given != 3 : given < 1) {
      PyErr_Format(globals.pickling_error, new_object_ex ? "%s expected 3 arguments, got %zd" : "%s expected at least 1 argument, got %zd",
                   called, given);
      return false;
    }
    PyObject* cls = PyTuple_GET_ITEM(args, 0);
    if (!PyType_Check(cls)) {
      PyErr_Format(globals.pickling_error, "first argument to %s() must be a class, not %T", called, cls);
      return false;
    }
    if (reinterpret_cast<PyTypeObject*>(cls)->tp_new == nullptr) {
      PyErr_Format(globals.pickling_error, "first argument to %s() has no __new__", called);
      return false;
    }
    if (object != nullptr) {
      Ref own(PyObject_GetAttrString(object, "__class__"));
      if (!own) return false;
      if (own.get() != cls) {
        PyErr_Format(globals.pickling_error, "first argument to %s() must be %R, not %R", called, own.get(), cls);
        return false;
      }
    }
    if (new_object_ex) {
      PyObject *positional = PyTuple_GET_ITEM(args, 1), *keywords = PyTuple_GET_ITEM(args, 2);
      if (!PyTuple_Check(positional)) return raise("second argument to __newobj_ex__() must be a tuple, not %T", positional);
      if (!PyDict_Check(keywords)) return raise("third argument to __newobj_ex__() must be a dict, not %T", keywords);
      if (p_->proto >= 4) {
        if (!save_part(cls, object, "class") || !save_part(positional, object, "__new__ arguments") ||
            !save_part(keywords, object, "__new__ arguments") || !op(kNewObjEx))
          return false;
      } else {
        // partial(cls.__new__, cls, *args, **kwargs)()
        Ref make(PyObject_GetAttrString(cls, "__new__")), head(make ? PyTuple_Pack(2, make.get(), cls) : nullptr),
            all(head ? PySequence_Concat(head.get(), positional) : nullptr),
            call(all ? PyObject_Call(globals.partial, all.get(), keywords) : nullptr), none(PyTuple_New(0));
        if (!call || !none || !save_part(call.get(), object, "reconstructor") || !save(none.get()) || !op(kReduce))
          return false;
      }
    } else {
      Ref rest(PyTuple_GetSlice(args, 1, given));
      if (!rest || !save_part(cls, object, "class") || !save_part(rest.get(), object, "__new__ arguments") || !op(kNewObj))
        return false;
    }
  } else if (!save_part(function, object, "reconstructor") || !save_part(args, object, "reconstructor arguments") ||
             !op(kReduce)) {
    return false;
  }
  if (object != nullptr) {
    // Saving the arguments has saved a recursive object, too: this one goes, and the one that exists is fetched.
    if (const DumpMemo::Entry* entry = memoized(object)) {
      const size_t index = entry->index;
      if (!op(kPop) || !get(index)) return false;
    } else if (!memoize(object)) {
      return false;
    }
  }
  if (list_items != nullptr && !batch_appends(list_items, object)) return false;
  if (dict_items != nullptr && !batch_set_items(dict_items, object)) return false;
  if (state == nullptr) return true;
  if (state_setter == nullptr) return save_part(state, object, "state") && op(kBuild);
  // state_setter(object, state), whose result nobody wants.
  return save_part(state_setter, object, "state setter") && save(object) && save_part(state, object, "state") &&
         op(kTuple2) && op(kReduce) && op(kPop);
}

bool Writer::save_persistent(PyObject* id) {
  if (p_->bin) return save(id, false) && op(kBinPersId);
  Ref text(PyObject_Str(id));
  if (!text) return false;
  if (!PyUnicode_IS_ASCII(text.get())) return raise("persistent IDs in protocol 0 must be ASCII strings");
  return text_op(kPersId, PyUnicode_AsUTF8(text.get()));
}

// Everything that is no atom and was not saved before.
bool Writer::save_other(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (type == &PyUnicode_Type) return save_str(object);
  if (type == &PyBytes_Type) return save_bytes(object);
  Ref value;
  if (p_->reducer != nullptr) {
    value = Ref(PyObject_CallOneArg(p_->reducer, object));
    if (!value) return false;
    if (value.get() == Py_NotImplemented) value = Ref();
  }
  if (!value) {
    if (type == &PyDict_Type) return save_dict(object);
    if (type == &PySet_Type) return save_set(object);
    if (type == &PyFrozenSet_Type) return save_frozenset(object);
    if (type == &PyList_Type) return save_list(object);
    if (type == &PyTuple_Type) return save_tuple(object);
    if (type == &PyByteArray_Type) return save_bytearray(object);
    if (type == &PyPickleBuffer_Type) return save_buffer(object);
    if (type == &PyType_Type) return save_type(object);
    if (type == &PyFunction_Type) return save_global(object, nullptr);

    PyObject* found = nullptr;
    auto* key = reinterpret_cast<PyObject*>(type);
    if (p_->dispatch_table == nullptr) {
      if (PyDict_GetItemRef(globals.dispatch_table, key, &found) < 0) return false;
    } else if (PyMapping_GetOptionalItem(Ref(Py_NewRef(p_->dispatch_table)).get(), key, &found) < 0) {
      return false;
    }
    Ref reduce(found);
    if (reduce) {
      value = Ref(PyObject_CallOneArg(reduce.get(), object));
    } else if (PyType_IsSubtype(type, &PyType_Type)) {
      return save_global(object, nullptr);
    } else {
      if (PyObject_GetOptionalAttrString(object, "__reduce_ex__", &found) < 0) return false;
      reduce = Ref(found);
      if (reduce) {
        Ref protocol(PyLong_FromLong(p_->proto));
        value = Ref(PyObject_CallOneArg(reduce.get(), protocol.get()));
      } else {
        if (PyObject_GetOptionalAttrString(object, "__reduce__", &found) < 0) return false;
        reduce = Ref(found);
        if (!reduce) return raise("Can't pickle %T object", object);
        value = Ref(PyObject_CallNoArgs(reduce.get()));
      }
    }
    if (!value) return false;
  }
  if (PyUnicode_Check(value.get())) return save_global(object, value.get());
  const bool ok = PyTuple_Check(value.get())
                      ? save_reduce(object, value.get())
                      : raise("__reduce__ must return a string or tuple, not %T", value.get());
  if (!ok) _PyErr_FormatNote("when serializing %T object", object);
  return ok;
}

bool Writer::save(PyObject* object, bool ask_id) {
  if (p_->frame != kNoFrame && p_->size - p_->frame >= kFrameTarget + kFrameHeader) {
    end_frame();
    if (!flush()) return false;
  }
  if (ask_id && p_->pid != nullptr) {
    Ref id(PyObject_CallOneArg(p_->pid, object));
    if (!id) return false;
    if (id.get() != Py_None) return save_persistent(id.get());
  }
  if (object == Py_None) return op(kNone);
  if (object == Py_True || object == Py_False) {
    if (p_->proto >= 2) return op(object == Py_True ? kNewTrue : kNewFalse);
    return text_op(kInt, object == Py_True ? "01" : "00");
  }
  if (PyLong_CheckExact(object)) return save_long(object);
  if (PyFloat_CheckExact(object)) return save_float(object);
  if (const DumpMemo::Entry* entry = memoized(object)) return get(entry->index);
  if (Py_EnterRecursiveCall(" while pickling an object")) return false;
  const bool ok = save_other(object);
  Py_LeaveRecursiveCall();
  return ok;
}

bool Writer::dump(PyObject* object) {
  p_->size = 0;
  p_->frame = kNoFrame;
  p_->framing = false;
  if (p_->proto >= 2 && !op(kProto, static_cast<uint8_t>(p_->proto))) return false;
  p_->framing = p_->proto >= 4;
  const bool ok = save(object) && op(kStop);
  end_frame();
  p_->framing = false;
  return ok && flush();
}

// The hooks that a subclass or an instance has, for the time of one dump().
bool look_up_hooks(Pickler* self);

bool run(Pickler* self, PyObject* object) {
  Busy busy(&self->busy, "Pickler");
  if (!busy || !look_up_hooks(self)) return false;
  const bool ok = Writer(self).dump(object);
  Py_CLEAR(self->reducer);
  Py_CLEAR(self->pid);
  return ok;
}

// ---- the type ----

PyObject* pickler_new(PyTypeObject* type, PyObject*, PyObject*) {
  PyObject* object = type->tp_alloc(type, 0);
  if (object == nullptr) return nullptr;
  Pickler* self = self_of(object);
  new (&self->memo) DumpMemo();
  self->frame = kNoFrame;
  return object;
}

bool configure(Pickler* self, PyObject* protocol, int fix_imports, PyObject* buffer_callback) {
  int proto = kDefaultProtocol;
  if (protocol != nullptr && protocol != Py_None) {
    if (!ext::to_int(protocol, &proto)) return false;
    if (proto < 0) {
      proto = kHighestProtocol;
    } else if (proto > kHighestProtocol) {
      PyErr_Format(PyExc_ValueError, "pickle protocol must be <= %d", kHighestProtocol);
      return false;
    }
  }
  if (buffer_callback == Py_None) buffer_callback = nullptr;
  if (buffer_callback != nullptr && proto < 5) {
    PyErr_SetString(PyExc_ValueError, "buffer_callback needs protocol >= 5");
    return false;
  }
  Py_XSETREF(self->buffer_callback, Py_XNewRef(buffer_callback));
  self->proto = proto;
  self->bin = proto > 0;
  self->fast = 0;
  self->fix_imports = fix_imports && proto < 3;
  return true;
}

bool open_file(Pickler* self, PyObject* file) {
  PyObject* write;
  if (PyObject_GetOptionalAttrString(file, "write", &write) < 0) return false;
  if (write == nullptr) {
    PyErr_SetString(PyExc_TypeError, "file must have a 'write' attribute");
    return false;
  }
  Py_XSETREF(self->write, write);
  return true;
}

int init_locked(PyObject* object, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"file", "protocol", "fix_imports", "buffer_callback", nullptr};
  PyObject *file, *protocol = nullptr, *buffer_callback = nullptr;
  int fix_imports = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|OpO:Pickler", const_cast<char**>(keywords), &file, &protocol,
                                   &fix_imports, &buffer_callback))
    return -1;
  Pickler* self = self_of(object);
  Busy busy(&self->busy, "Pickler");
  if (!busy || !configure(self, protocol, fix_imports, buffer_callback) || !open_file(self, file)) return -1;
  self->memo.clear();
  PyObject* table;
  if (PyObject_GetOptionalAttrString(object, "dispatch_table", &table) < 0) return -1;
  Py_XSETREF(self->dispatch_table, table);
  return 0;
}
int pickler_init(PyObject* object, PyObject* args, PyObject* kwargs) { return ext::locked<init_locked>(object, args, kwargs); }

int pickler_traverse(PyObject* object, visitproc visit, void* arg) {
  Pickler* self = self_of(object);
  Py_VISIT(Py_TYPE(object));
  for (PyObject* p : {self->write, self->persistent_id, self->dispatch_table, self->buffer_callback, self->reducer, self->pid})
    Py_VISIT(p);
  return self->memo.each([&](const DumpMemo::Entry& entry) {
    Py_VISIT(entry.object);
    return 0;
  });
}
int pickler_clear(PyObject* object) {
  Pickler* self = self_of(object);
  for (PyObject** p : {&self->write, &self->persistent_id, &self->dispatch_table, &self->buffer_callback, &self->reducer, &self->pid})
    Py_CLEAR(*p);
  self->memo.clear();
  return 0;
}
void pickler_dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  Pickler* self = self_of(object);
  pickler_clear(object);
  self->memo.~DumpMemo();
  PyMem_Free(self->data);
  PyTypeObject* type = Py_TYPE(object);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* dump_locked(PyObject* object, PyObject* value) {
  Pickler* self = self_of(object);
  if (self->write == nullptr) {
    PyErr_Format(globals.pickling_error, "Pickler.__init__() was not called by %s.__init__()", Py_TYPE(object)->tp_name);
    return nullptr;
  }
  if (!run(self, value)) return nullptr;
  Py_RETURN_NONE;
}
PyObject* pickler_dump(PyObject* object, PyObject* value) { return ext::locked<dump_locked>(object, value); }
PyObject* clear_memo(PyObject* object) {
  self_of(object)->memo.clear();
  Py_RETURN_NONE;
}
PyObject* pickler_clear_memo(PyObject* object, PyObject*) { return ext::locked<clear_memo>(object); }
PyObject* pickler_persistent_id(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyObject* pickler_sizeof(PyObject* object, PyObject*) {
  Pickler* self = self_of(object);
  return PyLong_FromSize_t(sizeof(Pickler) + self->memo.capacity() * sizeof(DumpMemo::Entry) + self->capacity);
}

bool look_up_hooks(Pickler* self) {
  auto* object = reinterpret_cast<PyObject*>(self);
  if (self->persistent_id != nullptr) {
    self->pid = Py_NewRef(self->persistent_id);
  } else if (!Py_IS_TYPE(object, pickler_type)) {
    if (PyObject_GetOptionalAttrString(object, "persistent_id", &self->pid) < 0) return false;
    if (self->pid != nullptr && PyCFunction_Check(self->pid) &&
        PyCFunction_GetFunction(self->pid) == pickler_persistent_id)
      Py_CLEAR(self->pid);
  }
  if (Py_IS_TYPE(object, pickler_type)) return true;
  return PyObject_GetOptionalAttrString(object, "reducer_override", &self->reducer) >= 0;
}

// persistent_id may be set on an instance.
PyObject* read_persistent_id(PyObject* object) { return Py_XNewRef(self_of(object)->persistent_id); }
int write_persistent_id(PyObject* object, PyObject* value) {
  Py_XSETREF(self_of(object)->persistent_id, Py_XNewRef(value));
  return 0;
}
PyObject* pickler_getattr(PyObject* object, PyObject* name) {
  if (PyUnicode_Check(name) && PyUnicode_EqualToUTF8(name, "persistent_id")) {
    if (PyObject* own = ext::locked<read_persistent_id>(object)) return own;
  }
  return PyObject_GenericGetAttr(object, name);
}
int pickler_setattr(PyObject* object, PyObject* name, PyObject* value) {
  if (PyUnicode_Check(name) && PyUnicode_EqualToUTF8(name, "persistent_id")) return ext::locked<write_persistent_id>(object, value);
  return PyObject_GenericSetAttr(object, name, value);
}

// ---- the memo as Python sees it: {id: (index, object)} ----

struct MemoProxy {
  PyObject_HEAD
  PyObject* pickler;
};
PyObject* owner_of(PyObject* proxy) { return reinterpret_cast<MemoProxy*>(proxy)->pickler; }

Ref to_dict(const DumpMemo& memo) {
  Ref dict(PyDict_New());
  const int status = memo.each([&](const DumpMemo::Entry& entry) {
    Ref key(PyLong_FromVoidPtr(entry.object)), value(Py_BuildValue("(nO)", static_cast<Py_ssize_t>(entry.index), entry.object));
    return key && value && dict && PyDict_SetItem(dict.get(), key.get(), value.get()) == 0 ? 0 : -1;
  });
  return status < 0 ? Ref() : std::move(dict);
}

PyObject* get_memo(PyObject* self, void*) {
  PyObject* proxy = memo_proxy_type->tp_alloc(memo_proxy_type, 0);
  if (proxy != nullptr) reinterpret_cast<MemoProxy*>(proxy)->pickler = Py_NewRef(self);
  return proxy;
}
int copy_entries(PyObject* pickler, DumpMemo* memo) {
  return self_of(pickler)->memo.each([&](const DumpMemo::Entry& e) { return memo->add(e.object, e.index) ? 0 : -1; });
}
PyObject* copy_memo(PyObject* pickler) { return to_dict(self_of(pickler)->memo).release(); }
int swap_memo(PyObject* pickler, DumpMemo* memo) {
  self_of(pickler)->memo.swap(*memo);
  return 0;
}

int set_memo(PyObject* object, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_TypeError, "attribute deletion is not supported");
    return -1;
  }
  DumpMemo memo;
  if (Py_IS_TYPE(value, memo_proxy_type)) {
    if (ext::locked<copy_entries>(owner_of(value), &memo) < 0) return -1;
  } else if (PyDict_Check(value)) {
    Ref items(PyDict_Values(value));
    for (Py_ssize_t i = 0; items && i < PyList_GET_SIZE(items.get()); i++) {
      PyObject* pair = PyList_GET_ITEM(items.get(), i);
      if (!PyTuple_Check(pair) || PyTuple_GET_SIZE(pair) != 2) {
        PyErr_SetString(PyExc_TypeError, "'memo' values must be 2-item tuples");
        return -1;
      }
      const Py_ssize_t index = PyLong_AsSsize_t(PyTuple_GET_ITEM(pair, 0));
      if (index == -1 && PyErr_Occurred()) return -1;
      if (!memo.add(PyTuple_GET_ITEM(pair, 1), static_cast<size_t>(index))) return -1;
    }
    if (!items) return -1;
  } else {
    PyErr_Format(PyExc_TypeError, "'memo' attribute must be a PicklerMemoProxy object or dict, not %.200s",
                 Py_TYPE(value)->tp_name);
    return -1;
  }
  return ext::locked<swap_memo>(object, &memo);
}
PyObject* proxy_clear(PyObject* proxy, PyObject*) { return pickler_clear_memo(owner_of(proxy), nullptr); }
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
  Py_CLEAR(reinterpret_cast<MemoProxy*>(proxy)->pickler);
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
PyType_Spec proxy_spec = {"_pickle.PicklerMemoProxy", sizeof(MemoProxy), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                          proxy_slots};

PyMethodDef pickler_methods[] = {
    {"dump", pickler_dump, METH_O,
     "dump($self, obj, /)\n--\n\nWrite a pickled representation of the given object to the open file."},
    {"clear_memo", pickler_clear_memo, METH_NOARGS, "clear_memo($self, /)\n--\n\nClears the pickler's \"memo\"."},
    {"persistent_id", pickler_persistent_id, METH_O, "persistent_id($self, obj, /)\n--\n\n"},
    {"__sizeof__", pickler_sizeof, METH_NOARGS, "__sizeof__($self, /)\n--\n\nReturns size in memory, in bytes."},
    {nullptr, nullptr, 0, nullptr}};
PyMemberDef pickler_members[] = {{"bin", Py_T_INT, offsetof(Pickler, bin), 0, nullptr},
                                 {"fast", Py_T_INT, offsetof(Pickler, fast), 0, nullptr},
                                 {"dispatch_table", Py_T_OBJECT_EX, offsetof(Pickler, dispatch_table), 0, nullptr},
                                 {nullptr, 0, 0, 0, nullptr}};
PyGetSetDef pickler_getset[] = {{"memo", get_memo, set_memo, nullptr, nullptr},
                                {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot pickler_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(pickler_new)},
    {Py_tp_init, reinterpret_cast<void*>(pickler_init)},
    {Py_tp_dealloc, reinterpret_cast<void*>(pickler_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(pickler_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(pickler_clear)},
    {Py_tp_getattro, reinterpret_cast<void*>(pickler_getattr)},
    {Py_tp_setattro, reinterpret_cast<void*>(pickler_setattr)},
    {Py_tp_methods, pickler_methods},
    {Py_tp_members, pickler_members},
    {Py_tp_getset, pickler_getset},
    {Py_tp_doc, const_cast<char*>("Pickler(file, protocol=None, fix_imports=True, buffer_callback=None)\n--\n\n"
                                  "This takes a binary file for writing a pickle data stream.")},
    {0, nullptr}};
PyType_Spec pickler_spec = {"_pickle.Pickler", sizeof(Pickler), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC, pickler_slots};

}  // namespace

PyTypeObject* make_pickler_types(PyObject* module) {
  if (!ext::keep(&memo_proxy_type, PyType_FromModuleAndSpec(module, &proxy_spec, nullptr))) return nullptr;
  ext::keep(&pickler_type, PyType_FromModuleAndSpec(module, &pickler_spec, nullptr));
  return pickler_type;
}

PyObject* dump(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"obj", "file", "protocol", "fix_imports", "buffer_callback", nullptr};
  PyObject *object, *file, *protocol = nullptr, *buffer_callback = nullptr;
  int fix_imports = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OO|O$pO:dump", const_cast<char**>(keywords), &object, &file, &protocol,
                                   &fix_imports, &buffer_callback))
    return nullptr;
  Ref pickler(pickler_new(pickler_type, nullptr, nullptr));
  if (!pickler) return nullptr;
  Pickler* self = self_of(pickler.get());
  if (!configure(self, protocol, fix_imports, buffer_callback) || !open_file(self, file) || !run(self, object))
    return nullptr;
  Py_RETURN_NONE;
}

PyObject* dumps(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"obj", "protocol", "fix_imports", "buffer_callback", nullptr};
  PyObject *object, *protocol = nullptr, *buffer_callback = nullptr;
  int fix_imports = 1;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|O$pO:dumps", const_cast<char**>(keywords), &object, &protocol,
                                   &fix_imports, &buffer_callback))
    return nullptr;
  Ref pickler(pickler_new(pickler_type, nullptr, nullptr));
  if (!pickler) return nullptr;
  Pickler* self = self_of(pickler.get());
  if (!configure(self, protocol, fix_imports, buffer_callback) || !run(self, object)) return nullptr;
  return PyBytes_FromStringAndSize(self->data, static_cast<Py_ssize_t>(self->size));
}

}  // namespace pickle
