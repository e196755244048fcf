// The module _lzma over liblzma: the formats .xz and .lzma, and raw streams with chains of filters.
#include "stream.h"

#include <lzma.h>

namespace {

using ext::Buffer;
using ext::Ref;
using stream::Lock;
using stream::Output;
using stream::Step;

enum Format { kAuto, kXz, kAlone, kRaw };
constexpr uint64_t kCheckUnknown = LZMA_CHECK_ID_MAX + 1;

PyObject* error_type = nullptr;

PyObject* raise(lzma_ret code) {
  const char* text = nullptr;
  switch (code) {
    case LZMA_UNSUPPORTED_CHECK: text = "Unsupported integrity check"; break;
    case LZMA_MEM_ERROR: return PyErr_NoMemory();
    case LZMA_MEMLIMIT_ERROR: text = "Memory usage limit exceeded"; break;
    case LZMA_FORMAT_ERROR: text = "Input format not supported by decoder"; break;
    case LZMA_OPTIONS_ERROR: text = "Invalid or unsupported options"; break;
    case LZMA_DATA_ERROR: text = "Corrupt input data"; break;
    case LZMA_BUF_ERROR: text = "Insufficient buffer space"; break;
    case LZMA_PROG_ERROR: text = "Internal error"; break;
    default: PyErr_Format(error_type, "Unrecognized error from liblzma: %d", code); return nullptr;
  }
  PyErr_SetString(error_type, text);
  return nullptr;
}
bool fine(lzma_ret code) {
  if (code == LZMA_OK || code == LZMA_STREAM_END || code == LZMA_GET_CHECK || code == LZMA_NO_CHECK) return true;
  raise(code);
  return false;
}

// ---- filters: dictionaries to liblzma's structures and back ----

union Options {
  lzma_options_lzma lzma;
  lzma_options_delta delta;
  lzma_options_bcj bcj;
};
struct Chain {
  lzma_filter filters[LZMA_FILTERS_MAX + 1];
  Options options[LZMA_FILTERS_MAX];
};

// A key of the dictionary as a number: 1 when it is there, 0 when not, -1 with an exception.
template <class T>
int number_at(PyObject* dict, const char* key, T* value) {
  PyObject* found;
  const int status = PyMapping_GetOptionalItemString(dict, key, &found);
  if (status <= 0) return status;
  Ref item(found);
  unsigned long long number;
  if (!ext::to_unsigned(item.get(), &number)) return -1;
  *value = static_cast<T>(number);
  if (static_cast<unsigned long long>(*value) == number) return 1;
  PyErr_Format(PyExc_OverflowError, "Python int too large for C %s", sizeof(T) == 4 ? "uint32_t" : "lzma_vli");
  return -1;
}

// Whether every key of the dictionary is one of `known`.
bool only_keys(PyObject* dict, std::initializer_list<const char*> known, const char* message) {
  Ref keys(PyMapping_Keys(dict));
  for (Py_ssize_t i = 0; keys && i < PyList_GET_SIZE(keys.get()); i++) {
    PyObject* key = PyList_GET_ITEM(keys.get(), i);
    const bool ok = PyUnicode_Check(key) && std::any_of(known.begin(), known.end(), [&](const char* name) {
                      return PyUnicode_EqualToUTF8(key, name);
                    });
    if (ok) continue;
    PyErr_SetString(PyExc_ValueError, message);
    return false;
  }
  return static_cast<bool>(keys);
}

bool to_filter(PyObject* spec, lzma_filter* filter, Options* options) {
  if (!PyMapping_Check(spec)) {
    PyErr_SetString(PyExc_TypeError, "Filter specifier must be a dict or dict-like object");
    return false;
  }
  const int has_id = number_at(spec, "id", &filter->id);
  if (has_id <= 0) {
    if (has_id == 0) PyErr_SetString(PyExc_ValueError, "Filter specifier must have an \"id\" entry");
    return false;
  }
  filter->options = options;
  switch (filter->id) {
    case LZMA_FILTER_LZMA1:
    case LZMA_FILTER_LZMA2: {
      uint32_t preset = LZMA_PRESET_DEFAULT;
      if (!only_keys(spec, {"id", "preset", "dict_size", "lc", "lp", "pb", "mode", "nice_len", "mf", "depth"},
                     "Invalid filter specifier for LZMA filter") ||
          number_at(spec, "preset", &preset) < 0)
        return false;
      lzma_options_lzma& o = options->lzma;
      if (lzma_lzma_preset(&o, preset)) {
        PyErr_Format(error_type, "Invalid compression preset: %u", preset);
        return false;
      }
      uint32_t mode = o.mode, finder = o.mf;
      if (number_at(spec, "dict_size", &o.dict_size) < 0 || number_at(spec, "lc", &o.lc) < 0 || number_at(spec, "lp", &o.lp) < 0 ||
          number_at(spec, "pb", &o.pb) < 0 || number_at(spec, "mode", &mode) < 0 || number_at(spec, "nice_len", &o.nice_len) < 0 ||
          number_at(spec, "mf", &finder) < 0 || number_at(spec, "depth", &o.depth) < 0)
        return false;
      o.mode = static_cast<lzma_mode>(mode);
      o.mf = static_cast<lzma_match_finder>(finder);
      return true;
    }
    case LZMA_FILTER_DELTA: {
      options->delta = {};
      options->delta.type = LZMA_DELTA_TYPE_BYTE;
      options->delta.dist = 1;
      return only_keys(spec, {"id", "dist"}, "Invalid filter specifier for delta filter") &&
             number_at(spec, "dist", &options->delta.dist) >= 0;
    }
    case LZMA_FILTER_X86:
    case LZMA_FILTER_POWERPC:
    case LZMA_FILTER_IA64:
    case LZMA_FILTER_ARM:
    case LZMA_FILTER_ARMTHUMB:
    case LZMA_FILTER_SPARC:
      options->bcj = {};
      return only_keys(spec, {"id", "start_offset"}, "Invalid filter specifier for BCJ filter") &&
             number_at(spec, "start_offset", &options->bcj.start_offset) >= 0;
    default:
      PyErr_Format(PyExc_ValueError, "Invalid filter ID: %llu", static_cast<unsigned long long>(filter->id));
      return false;
  }
}

bool to_chain(PyObject* specs, Chain* chain) {
  if (PySequence_Size(specs) < 0) return false;
  Ref items(PySequence_Tuple(specs));
  if (!items) return false;
  const Py_ssize_t n = PyTuple_GET_SIZE(items.get());
  if (n > LZMA_FILTERS_MAX) {
    PyErr_Format(PyExc_ValueError, "Too many filters - liblzma supports a maximum of %d", LZMA_FILTERS_MAX);
    return false;
  }
  for (Py_ssize_t i = 0; i < n; i++) {
    if (!to_filter(PyTuple_GET_ITEM(items.get(), i), &chain->filters[i], &chain->options[i])) return false;
  }
  chain->filters[n].id = LZMA_VLI_UNKNOWN;
  return true;
}

PyObject* filter_dict(const lzma_filter& filter) {
  Ref dict(PyDict_New());
  const auto set = [&](const char* key, unsigned long long value) {
    Ref number(PyLong_FromUnsignedLongLong(value));
    return number && PyDict_SetItemString(dict.get(), key, number.get()) == 0;
  };
  if (!dict || !set("id", filter.id)) return nullptr;
  bool ok = true;
  switch (filter.id) {
    case LZMA_FILTER_LZMA1: {
      const auto* o = static_cast<lzma_options_lzma*>(filter.options);
      ok = set("dict_size", o->dict_size) && set("lc", o->lc) && set("lp", o->lp) && set("pb", o->pb);
      break;
    }
    case LZMA_FILTER_LZMA2: ok = set("dict_size", static_cast<lzma_options_lzma*>(filter.options)->dict_size); break;
    case LZMA_FILTER_DELTA: ok = set("dist", static_cast<lzma_options_delta*>(filter.options)->dist); break;
    default:
      if (filter.options != nullptr) ok = set("start_offset", static_cast<lzma_options_bcj*>(filter.options)->start_offset);
  }
  return ok ? dict.release() : nullptr;
}

// ---- the compressor ----

struct Compressor {
  PyObject_HEAD
  PyMutex mutex;
  lzma_stream lz;
  bool flushed;
};
Compressor* self_of(PyObject* object) { return reinterpret_cast<Compressor*>(object); }

bool begin(lzma_stream* lz, int format, int check, uint32_t preset, PyObject* filters) {
  Chain chain;
  const bool given = filters != Py_None;
  if (given && !to_chain(filters, &chain)) return false;
  lzma_options_lzma options;
  switch (format) {
    case kXz:
      return fine(given ? lzma_stream_encoder(lz, chain.filters, static_cast<lzma_check>(check))
                        : lzma_easy_encoder(lz, preset, static_cast<lzma_check>(check)));
    case kAlone:
      if (!given) {
        if (lzma_lzma_preset(&options, preset)) {
          PyErr_Format(error_type, "Invalid compression preset: %u", preset);
          return false;
        }
        return fine(lzma_alone_encoder(lz, &options));
      }
      if (chain.filters[0].id == LZMA_FILTER_LZMA1 && chain.filters[1].id == LZMA_VLI_UNKNOWN)
        return fine(lzma_alone_encoder(lz, static_cast<lzma_options_lzma*>(chain.filters[0].options)));
      PyErr_SetString(PyExc_ValueError, "Invalid filter chain for FORMAT_ALONE - must be a single LZMA1 filter");
      return false;
    default: return fine(lzma_raw_encoder(lz, chain.filters));
  }
}

PyObject* compressor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"format", "check", "preset", "filters", nullptr};
  int format = kXz, check = -1;
  PyObject *preset_object = Py_None, *filters = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iiOO:LZMACompressor", const_cast<char**>(keywords), &format, &check,
                                   &preset_object, &filters))
    return nullptr;
  const char* wrong = preset_object != Py_None && filters != Py_None ? "Cannot specify both preset and filter chain"
                      : format != kXz && check != -1 && check != LZMA_CHECK_NONE
                          ? "Integrity checks are only supported by FORMAT_XZ"
                      : format == kRaw && filters == Py_None ? "Must specify filters for FORMAT_RAW"
                                                             : nullptr;
  if (wrong != nullptr) {
    PyErr_SetString(PyExc_ValueError, wrong);
    return nullptr;
  }
  if (format < kXz || format > kRaw) return PyErr_Format(PyExc_ValueError, "Invalid container format: %d", format);
  uint32_t preset = LZMA_PRESET_DEFAULT;
  if (preset_object != Py_None) {
    unsigned long long number;
    if (!ext::to_unsigned(preset_object, &number)) return nullptr;
    preset = static_cast<uint32_t>(number);
    if (preset != number) {
      PyErr_SetString(PyExc_OverflowError, "Python int too large for C uint32_t");
      return nullptr;
    }
  }
  Ref self(type->tp_alloc(type, 0));
  if (!self || !begin(&self_of(self.get())->lz, format, check == -1 ? LZMA_CHECK_CRC64 : check, preset, filters)) return nullptr;
  return self.release();
}
void compressor_dealloc(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  lzma_end(&self_of(object)->lz);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* run(Compressor* self, const uint8_t* in, size_t n, lzma_action action) {
  Output output(-1);
  self->lz.next_in = in;
  self->lz.avail_in = n;
  for (;;) {
    if (!output.offer(&self->lz.next_out, &self->lz.avail_out)) return nullptr;
    lzma_ret code;
    {
      ext::Away away;
      code = lzma_code(&self->lz, action);
    }
    output.take(self->lz.next_out);
    if (code == LZMA_BUF_ERROR && self->lz.avail_in == 0 && self->lz.avail_out > 0) code = LZMA_OK;
    if (!fine(code)) return nullptr;
    if (code == LZMA_STREAM_END || (action == LZMA_RUN && self->lz.avail_in == 0 && self->lz.avail_out > 0))
      return output.finish();
  }
}

PyObject* compressor_compress(PyObject* object, PyObject* source) {
  Buffer data;
  if (!data.get(source)) return nullptr;
  Lock lock(&self_of(object)->mutex);
  if (!self_of(object)->flushed) return run(self_of(object), data.data(), static_cast<size_t>(data.size()), LZMA_RUN);
  PyErr_SetString(PyExc_ValueError, "Compressor has been flushed");
  return nullptr;
}
PyObject* compressor_flush(PyObject* object, PyObject*) {
  Lock lock(&self_of(object)->mutex);
  if (std::exchange(self_of(object)->flushed, true)) {
    PyErr_SetString(PyExc_ValueError, "Repeated call to flush()");
    return nullptr;
  }
  return run(self_of(object), nullptr, 0, LZMA_FINISH);
}

// ---- the decompressor ----

struct Codec {
  static constexpr bool kEndsWithError = false;
  lzma_stream lz = LZMA_STREAM_INIT;
  lzma_ret error = LZMA_OK;
  uint64_t check = kCheckUnknown;

  ~Codec() { lzma_end(&lz); }
  Step step(const uint8_t** in, size_t* n, uint8_t** out, size_t* room) {
    lz.next_in = *in;
    lz.avail_in = *n;
    lz.next_out = *out;
    lz.avail_out = *room;
    error = lzma_code(&lz, LZMA_RUN);
    *in = lz.next_in;
    *n = lz.avail_in;
    *out = lz.next_out;
    *room = lz.avail_out;
    if (error == LZMA_BUF_ERROR && (*n == 0 || *room == 0)) error = LZMA_OK;
    if (error == LZMA_GET_CHECK || error == LZMA_NO_CHECK) check = lzma_get_check(&lz);
    if (error == LZMA_STREAM_END) return Step::kEnd;
    return error == LZMA_OK || error == LZMA_GET_CHECK || error == LZMA_NO_CHECK ? Step::kOk : Step::kFailed;
  }
  PyObject* report() const { return raise(error); }
};
using Decompressor = stream::Decompressor<Codec>;

PyObject* decompressor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"format", "memlimit", "filters", nullptr};
  int format = kAuto;
  PyObject *limit_object = Py_None, *filters = Py_None;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|iOO:LZMADecompressor", const_cast<char**>(keywords), &format, &limit_object,
                                   &filters))
    return nullptr;
  uint64_t limit = UINT64_MAX;
  const char* wrong = nullptr;
  if (limit_object != Py_None) {
    if (format == kRaw) wrong = "Cannot specify memory limit with FORMAT_RAW";
    unsigned long long number;
    if (!ext::to_unsigned(limit_object, &number)) return nullptr;
    limit = number;
  }
  if (wrong == nullptr && format == kRaw && filters == Py_None) wrong = "Must specify filters for FORMAT_RAW";
  if (wrong == nullptr && format != kRaw && filters != Py_None) wrong = "Cannot specify filters except with FORMAT_RAW";
  if (wrong != nullptr) {
    PyErr_SetString(PyExc_ValueError, wrong);
    return nullptr;
  }
  Ref self(Decompressor::make(type));
  if (!self) return nullptr;
  Codec& codec = Decompressor::of(self.get())->codec;
  constexpr uint32_t kFlags = LZMA_TELL_ANY_CHECK | LZMA_TELL_NO_CHECK;
  Chain chain;
  switch (format) {
    case kAuto: return fine(lzma_auto_decoder(&codec.lz, limit, kFlags)) ? self.release() : nullptr;
    case kXz: return fine(lzma_stream_decoder(&codec.lz, limit, kFlags)) ? self.release() : nullptr;
    case kAlone:
      codec.check = LZMA_CHECK_NONE;
      return fine(lzma_alone_decoder(&codec.lz, limit)) ? self.release() : nullptr;
    case kRaw:
      codec.check = LZMA_CHECK_NONE;
      return to_chain(filters, &chain) && fine(lzma_raw_decoder(&codec.lz, chain.filters)) ? self.release() : nullptr;
    default: return PyErr_Format(PyExc_ValueError, "Invalid container format: %d", format);
  }
}
PyObject* get_check(PyObject* self, void*) { return PyLong_FromUnsignedLongLong(Decompressor::of(self)->codec.check); }

// ---- functions ----

PyObject* is_check_supported(PyObject*, PyObject* argument) {
  int check;
  return ext::to_int(argument, &check) ? PyBool_FromLong(lzma_check_is_supported(static_cast<lzma_check>(check))) : nullptr;
}
PyObject* encode_properties(PyObject*, PyObject* spec) {
  lzma_filter filter;
  Options options;
  uint32_t size;
  if (!to_filter(spec, &filter, &options) || !fine(lzma_properties_size(&size, &filter))) return nullptr;
  Ref bytes(PyBytes_FromStringAndSize(nullptr, size));
  if (!bytes || !fine(lzma_properties_encode(&filter, reinterpret_cast<uint8_t*>(PyBytes_AS_STRING(bytes.get()))))) return nullptr;
  return bytes.release();
}
PyObject* decode_properties(PyObject*, PyObject* args) {
  unsigned long long id;
  PyObject* object;
  if (!PyArg_ParseTuple(args, "KO:_decode_filter_properties", &id, &object)) return nullptr;
  Buffer data;
  if (!data.get(object)) return nullptr;
  lzma_filter filter{id, nullptr};
  if (!fine(lzma_properties_decode(&filter, nullptr, data.data(), static_cast<size_t>(data.size())))) return nullptr;
  PyObject* dict = filter_dict(filter);
  free(filter.options);
  return dict;
}

PyMethodDef compressor_methods[] = {
    {"compress", compressor_compress, METH_O, "compress($self, data, /)\n--\n\nProvide data to the compressor object."},
    {"flush", compressor_flush, METH_NOARGS, "flush($self, /)\n--\n\nFinish the compression process."},
    {nullptr, nullptr, 0, nullptr}};
PyMethodDef decompressor_methods[] = {
    {"decompress", ext::method(Decompressor::decompress), METH_VARARGS | METH_KEYWORDS,
     "decompress($self, /, data, max_length=-1)\n--\n\nDecompress *data*, returning uncompressed data as bytes."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef decompressor_getset[] = {{"check", get_check, nullptr, nullptr, nullptr},
                                     {"eof", Decompressor::get_eof, nullptr, nullptr, nullptr},
                                     {"needs_input", Decompressor::get_needs_input, nullptr, nullptr, nullptr},
                                     {"unused_data", Decompressor::get_unused, nullptr, nullptr, nullptr},
                                     {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot compressor_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(compressor_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(compressor_dealloc)},
    {Py_tp_methods, compressor_methods},
    {Py_tp_doc, const_cast<char*>("LZMACompressor(format=FORMAT_XZ, check=-1, preset=None, filters=None)\n\nCompresses one stream.")},
    {0, nullptr}};
PyType_Slot decompressor_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(decompressor_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(Decompressor::dealloc)},
    {Py_tp_methods, decompressor_methods},
    {Py_tp_getset, decompressor_getset},
    {Py_tp_doc, const_cast<char*>("LZMADecompressor(format=FORMAT_AUTO, memlimit=None, filters=None)\n--\n\nDecompresses one stream.")},
    {0, nullptr}};
PyType_Spec compressor_spec = {"_lzma.LZMACompressor", sizeof(Compressor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                               compressor_slots};
PyType_Spec decompressor_spec = {"_lzma.LZMADecompressor", sizeof(Decompressor), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, decompressor_slots};

#define NAMED(name) {#name, static_cast<long long>(LZMA_##name)}
const ext::IntConstant constants[] = {
    {"FORMAT_AUTO", kAuto}, {"FORMAT_XZ", kXz}, {"FORMAT_ALONE", kAlone}, {"FORMAT_RAW", kRaw},
    {"CHECK_UNKNOWN", static_cast<long long>(kCheckUnknown)},
    NAMED(CHECK_NONE), NAMED(CHECK_CRC32), NAMED(CHECK_CRC64), NAMED(CHECK_SHA256), NAMED(CHECK_ID_MAX),
    NAMED(FILTER_LZMA1), NAMED(FILTER_LZMA2), NAMED(FILTER_DELTA), NAMED(FILTER_X86), NAMED(FILTER_POWERPC),
    NAMED(FILTER_IA64), NAMED(FILTER_ARM), NAMED(FILTER_ARMTHUMB), NAMED(FILTER_SPARC),
    NAMED(MF_HC3), NAMED(MF_HC4), NAMED(MF_BT2), NAMED(MF_BT3), NAMED(MF_BT4), NAMED(MODE_FAST), NAMED(MODE_NORMAL),
    NAMED(PRESET_DEFAULT), NAMED(PRESET_EXTREME),
};

int execute(PyObject* module) {
  if (!ext::keep(&error_type, PyErr_NewExceptionWithDoc("_lzma.LZMAError", "Call to liblzma failed.", nullptr, nullptr)) ||
      PyModule_AddObjectRef(module, "LZMAError", error_type) < 0) return -1;
  for (PyType_Spec* spec : {&compressor_spec, &decompressor_spec}) {
    Ref type(PyType_FromModuleAndSpec(module, spec, nullptr));
    if (!type || PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type.get())) < 0) return -1;
  }
  return ext::add_constants(module, constants);
}
PyMethodDef methods[] = {
    {"is_check_supported", is_check_supported, METH_O, "is_check_supported($module, check_id, /)\n--\n\n"},
    {"_encode_filter_properties", encode_properties, METH_O, "_encode_filter_properties($module, filter, /)\n--\n\n"},
    {"_decode_filter_properties", decode_properties, METH_VARARGS,
     "_decode_filter_properties($module, filter_id, encoded_props, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT, .m_name = "_lzma", .m_size = 0, .m_methods = methods, .m_slots = slots};

}  // namespace

PyMODINIT_FUNC PyInit__lzma(void) { return PyModuleDef_Init(&definition); }
