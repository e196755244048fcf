// The codec registry: search functions, the cache of codecs found, and encoding and decoding through them.
//
// An encoding's name is normalised before search functions see it. The package `encodings`, which registers
// the standard search function, is imported at the first look-up that no cache answers.
#include "objects/codecs.h"
#include "sync/mutex.h"

namespace amphis {
namespace {

// A list and a dictionary that live as long as the process; each operation on them is atomic by itself. What is in them belongs
// to one life of the runtime.
sync::Mutex state_mutex;
PyObject* search_path;
PyObject* cache;
bool encodings_imported;

bool ready() {
  if (__atomic_load_n(&search_path, __ATOMIC_ACQUIRE)) return true;
  Ref<> list = Ref<>::steal(PyList_New(0));
  Ref<> dict = Ref<>::steal(PyDict_New());
  if (!list || !dict) return false;
  sync::MutexLock lock(state_mutex);
  if (!search_path) {
    cache = dict.release();
    __atomic_store_n(&search_path, list.release(), __ATOMIC_RELEASE);
  }
  return true;
}

bool import_encodings() {
  if (__atomic_load_n(&encodings_imported, __ATOMIC_ACQUIRE)) return true;
  Ref<> module = Ref<>::steal(PyImport_ImportModule("encodings"));
  if (!module) return false;
  __atomic_store_n(&encodings_imported, true, __ATOMIC_RELEASE);
  return true;
}

// Lower case; runs of anything but ASCII letters, digits and dots as one underscore.
PyObject* normalized_name(const char* name) {
  StrWriter out(static_cast<Py_ssize_t>(strlen(name)));
  bool punctuation = false;
  for (const char* p = name; *p; p++) {
    unsigned char c = static_cast<unsigned char>(*p);
    if (c >= 'A' && c <= 'Z') c = static_cast<unsigned char>(c + 32);
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.')) {
      punctuation = true;
      continue;
    }
    if (punctuation && out.size() > 0 && !out.put('_')) return nullptr;
    punctuation = false;
    if (!out.put(c)) return nullptr;
  }
  return out.finish();
}

}  // namespace

void codecs_forget() {
  codec_errors_forget();
  __atomic_store_n(&encodings_imported, false, __ATOMIC_RELEASE);
  if (!__atomic_load_n(&search_path, __ATOMIC_ACQUIRE)) return;
  PyDict_Clear(cache);
  if (PyList_Clear(search_path) < 0) PyErr_Clear();
}

namespace {

PyObject* item_of(PyObject* codec_info, Py_ssize_t i) {
  if (!codec_info) return nullptr;
  PyObject* item = PyTuple_GetItem(codec_info, i);
  return Py_XNewRef(item);
}

PyObject* codec_item(const char* encoding, Py_ssize_t i) {
  Ref<> info = Ref<>::steal(codec_lookup(encoding));
  return item_of(info.get(), i);
}

PyObject* call_codec(PyObject* codec, PyObject* object, const char* errors) {
  if (!errors) return PyObject_CallOneArg(codec, object);
  Ref<> name = Ref<>::steal(PyUnicode_FromString(errors));
  if (!name) return nullptr;
  PyObject* args[] = {object, name.get()};
  return PyObject_Vectorcall(codec, args, 2, nullptr);
}

// Runs an encoder or decoder; the first item of the (object, length) pair that it returns. Failures get a
// note that names the codec.
PyObject* run_codec(PyObject* codec, PyObject* object, const char* encoding, const char* errors,
                    bool encode) {
  if (!codec) return nullptr;
  Ref<> result = Ref<>::steal(call_codec(codec, object, errors));
  if (!result) {
    Ref<> error = Ref<>::steal(PyErr_GetRaisedException());
    if (error) {
      Ref<> note = Ref<>::steal(
          PyUnicode_FromFormat("%s with '%s' codec failed", encode ? "encoding" : "decoding", encoding));
      Ref<> added;
      if (note) added = Ref<>::steal(PyObject_CallMethod(error.get(), "add_note", "O", note.get()));
      if (!added) PyErr_Clear();
      PyErr_SetRaisedException(error.release());
    }
    return nullptr;
  }
  if (!PyTuple_Check(result.get()) || PyTuple_GET_SIZE(result.get()) != 2) {
    PyErr_SetString(PyExc_TypeError, encode ? "encoder must return a tuple (object, integer)"
                                            : "decoder must return a tuple (object,integer)");
    return nullptr;
  }
  return Py_NewRef(PyTuple_GET_ITEM(result.get(), 0));
}

PyObject* incremental(const char* encoding, const char* errors, const char* attribute) {
  Ref<> info = Ref<>::steal(codec_lookup(encoding));
  if (!info) return nullptr;
  Ref<> factory = Ref<>::steal(PyObject_GetAttrString(info.get(), attribute));
  if (!factory) return nullptr;
  return errors ? PyObject_CallFunction(factory.get(), "s", errors) : PyObject_CallNoArgs(factory.get());
}

PyObject* stream(const char* encoding, PyObject* file, const char* errors, Py_ssize_t index) {
  Ref<> factory = Ref<>::steal(codec_item(encoding, index));
  if (!factory) return nullptr;
  return errors ? PyObject_CallFunction(factory.get(), "Os", file, errors)
                : PyObject_CallOneArg(factory.get(), file);
}

}  // namespace

PyObject* codec_lookup(const char* encoding) {
  if (!encoding) {
    PyErr_BadArgument();
    return nullptr;
  }
  if (!ready()) return nullptr;
  Ref<> name = Ref<>::steal(normalized_name(encoding));
  if (!name) return nullptr;
  PyObject* known;
  int cached = PyDict_GetItemRef(cache, name.get(), &known);
  if (cached != 0) return cached > 0 ? known : nullptr;
  if (!import_encodings()) return nullptr;
  if (PyList_GET_SIZE(search_path) == 0) {
    PyErr_SetString(PyExc_LookupError, "no codec search functions registered: can't find encoding");
    return nullptr;
  }
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(search_path); i++) {
    Ref<> search = Ref<>::steal(PyList_GetItemRef(search_path, i));
    if (!search) return nullptr;
    Ref<> info = Ref<>::steal(PyObject_CallOneArg(search.get(), name.get()));
    if (!info) return nullptr;
    if (info.get() == Py_None) continue;
    if (!PyTuple_Check(info.get()) || PyTuple_GET_SIZE(info.get()) != 4) {
      PyErr_SetString(PyExc_TypeError, "codec search functions must return 4-tuples");
      return nullptr;
    }
    if (PyDict_SetItem(cache, name.get(), info.get()) < 0) return nullptr;
    return info.release();
  }
  PyErr_Format(PyExc_LookupError, "unknown encoding: %s", encoding);
  return nullptr;
}

PyObject* codec_lookup_text_encoding(const char* encoding, const char* alternate_command) {
  Ref<> info = Ref<>::steal(codec_lookup(encoding));
  if (!info) return nullptr;
  if (!PyTuple_CheckExact(info.get())) {
    PyObject* flag;
    int has = PyObject_GetOptionalAttrString(info.get(), "_is_text_encoding", &flag);
    if (has < 0) return nullptr;
    if (has > 0) {
      int is_text = PyObject_IsTrue(flag);
      Py_DECREF(flag);
      if (is_text < 0) return nullptr;
      if (!is_text) {
        if (alternate_command) {
          PyErr_Format(PyExc_LookupError,
                       "'%.400s' is not a text encoding; use %s to handle arbitrary codecs", encoding,
                       alternate_command);
        } else {
          PyErr_Format(PyExc_LookupError, "'%.400s' is not a text encoding", encoding);
        }
        return nullptr;
      }
    }
  }
  return info.release();
}

PyObject* codec_encode_text(PyObject* text, const char* encoding, const char* errors) {
  Ref<> info = Ref<>::steal(codec_lookup_text_encoding(encoding, "codecs.encode()"));
  Ref<> codec = Ref<>::steal(item_of(info.get(), 0));
  return run_codec(codec.get(), text, encoding, errors, true);
}

PyObject* codec_decode_text(PyObject* data, const char* encoding, const char* errors) {
  Ref<> info = Ref<>::steal(codec_lookup_text_encoding(encoding, "codecs.decode()"));
  Ref<> codec = Ref<>::steal(item_of(info.get(), 1));
  return run_codec(codec.get(), data, encoding, errors, false);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

int PyCodec_Register(PyObject* search) {
  if (!ready()) return -1;
  if (!search) {
    PyErr_BadArgument();
    return -1;
  }
  if (!PyCallable_Check(search)) {
    PyErr_SetString(PyExc_TypeError, "argument must be callable");
    return -1;
  }
  return PyList_Append(search_path, search);
}

int PyCodec_Unregister(PyObject* search) {
  if (!__atomic_load_n(&search_path, __ATOMIC_ACQUIRE)) return 0;
  for (Py_ssize_t i = 0;; i++) {
    Ref<> one = Ref<>::steal(PyList_GetItemRef(search_path, i));
    if (!one) {
      PyErr_Clear();
      return 0;
    }
    if (one.get() == search) {
      PyDict_Clear(cache);
      return PyList_SetSlice(search_path, i, i + 1, nullptr);
    }
  }
}

int PyCodec_KnownEncoding(const char* encoding) {
  PyObject* info = codec_lookup(encoding);
  if (!info) {
    PyErr_Clear();
    return 0;
  }
  Py_DECREF(info);
  return 1;
}

PyObject* _PyCodec_Lookup(const char* encoding) {
  return codec_lookup(encoding);
}

PyObject* PyCodec_Encoder(const char* encoding) {
  return codec_item(encoding, 0);
}
PyObject* PyCodec_Decoder(const char* encoding) {
  return codec_item(encoding, 1);
}

PyObject* PyCodec_IncrementalEncoder(const char* encoding, const char* errors) {
  return incremental(encoding, errors, "incrementalencoder");
}
PyObject* PyCodec_IncrementalDecoder(const char* encoding, const char* errors) {
  return incremental(encoding, errors, "incrementaldecoder");
}

PyObject* PyCodec_StreamReader(const char* encoding, PyObject* file, const char* errors) {
  return stream(encoding, file, errors, 2);
}
PyObject* PyCodec_StreamWriter(const char* encoding, PyObject* file, const char* errors) {
  return stream(encoding, file, errors, 3);
}

PyObject* PyCodec_Encode(PyObject* object, const char* encoding, const char* errors) {
  Ref<> codec = Ref<>::steal(PyCodec_Encoder(encoding));
  return run_codec(codec.get(), object, encoding, errors, true);
}

PyObject* PyCodec_Decode(PyObject* object, const char* encoding, const char* errors) {
  Ref<> codec = Ref<>::steal(PyCodec_Decoder(encoding));
  return run_codec(codec.get(), object, encoding, errors, false);
}

}  // extern "C"
