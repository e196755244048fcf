// The module _bz2 over libbz2.
#include "stream.h"

#include <bzlib.h>

#include <climits>

namespace {

using ext::Buffer;
using ext::Ref;
using stream::Lock;
using stream::Output;
using stream::Step;

PyObject* raise(int code) {
  switch (code) {
    case BZ_PARAM_ERROR: PyErr_SetString(PyExc_ValueError, "Internal error - invalid parameters passed to libbzip2"); break;
    case BZ_MEM_ERROR: return PyErr_NoMemory();
    case BZ_DATA_ERROR:
    case BZ_DATA_ERROR_MAGIC: PyErr_SetString(PyExc_OSError, "Invalid data stream"); break;
    case BZ_IO_ERROR: PyErr_SetString(PyExc_OSError, "Unknown I/O error"); break;
    case BZ_UNEXPECTED_EOF:
      PyErr_SetString(PyExc_EOFError, "Compressed file ended before the logical end-of-stream was detected");
      break;
    case BZ_SEQUENCE_ERROR:
      PyErr_SetString(PyExc_RuntimeError, "Internal error - Invalid sequence of commands sent to libbzip2");
      break;
    default: PyErr_Format(PyExc_OSError, "Unrecognized error from libbzip2: %d", code);
  }
  return nullptr;
}

// One call with counters that are unsigned ints in the library.
template <class F>
int limited(bz_stream* bz, const uint8_t** in, size_t* n, uint8_t** out, size_t* room, F call) {
  const auto in_piece = static_cast<unsigned>(std::min<size_t>(*n, UINT_MAX)),
             out_piece = static_cast<unsigned>(std::min<size_t>(*room, UINT_MAX));
  bz->next_in = reinterpret_cast<char*>(const_cast<uint8_t*>(*in));
  bz->avail_in = in_piece;
  bz->next_out = reinterpret_cast<char*>(*out);
  bz->avail_out = out_piece;
  const int code = call();
  *in += in_piece - bz->avail_in;
  *n -= in_piece - bz->avail_in;
  *out += out_piece - bz->avail_out;
  *room -= out_piece - bz->avail_out;
  return code;
}

struct Compressor {
  PyObject_HEAD
  PyMutex mutex;
  bz_stream bz;
  bool open, flushed;
};
Compressor* self_of(PyObject* object) { return reinterpret_cast<Compressor*>(object); }

PyObject* compressor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", nullptr};
  int level = 9;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|i:BZ2Compressor", const_cast<char**>(keywords), &level)) return nullptr;
  if (level < 1 || level > 9) {
    PyErr_SetString(PyExc_ValueError, "compresslevel must be between 1 and 9");
    return nullptr;
  }
  Ref self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  const int code = BZ2_bzCompressInit(&self_of(self.get())->bz, level, 0, 0);
  if (code != BZ_OK) return raise(code);
  self_of(self.get())->open = true;
  return self.release();
}
void compressor_dealloc(PyObject* object) {
  PyTypeObject* type = Py_TYPE(object);
  if (self_of(object)->open) BZ2_bzCompressEnd(&self_of(object)->bz);
  type->tp_free(object);
  Py_DECREF(type);
}

PyObject* run(Compressor* self, const uint8_t* in, size_t n, int action) {
  Output output(-1);
  for (;;) {
    uint8_t* out;
    size_t room;
    if (!output.offer(&out, &room)) return nullptr;
    int code;
    {
      ext::Away away;
      code = limited(&self->bz, &in, &n, &out, &room, [&] { return BZ2_bzCompress(&self->bz, n > UINT_MAX ? BZ_RUN : action); });
    }
    output.take(out);
    if (code < 0) return raise(code);
    if (code == BZ_STREAM_END || (action == BZ_RUN && n == 0 && room != 0)) return output.finish();
  }
}

PyObject* compressor_compress(PyObject* object, PyObject* source) {
  Buffer data;
  if (!data.get(source)) return nullptr;
  Compressor* self = self_of(object);
  Lock lock(&self->mutex);
  if (self->flushed) {
    PyErr_SetString(PyExc_ValueError, "Compressor has been flushed");
    return nullptr;
  }
  if (data.size() == 0) return PyBytes_FromStringAndSize("", 0);
  return run(self, data.data(), static_cast<size_t>(data.size()), BZ_RUN);
}
PyObject* compressor_flush(PyObject* object, PyObject*) {
  Compressor* self = self_of(object);
  Lock lock(&self->mutex);
  if (self->flushed) {
    PyErr_SetString(PyExc_ValueError, "Repeated call to flush()");
    return nullptr;
  }
  self->flushed = true;
  return run(self, nullptr, 0, BZ_FINISH);
}

struct Codec {
  static constexpr bool kEndsWithError = true;
  bz_stream bz{};
  bool open = false;
  int error = BZ_OK;

  ~Codec() {
    if (open) BZ2_bzDecompressEnd(&bz);
  }
  Step step(const uint8_t** in, size_t* n, uint8_t** out, size_t* room) {
    error = limited(&bz, in, n, out, room, [&] { return BZ2_bzDecompress(&bz); });
    return error == BZ_STREAM_END ? Step::kEnd : error == BZ_OK ? Step::kOk : Step::kFailed;
  }
  PyObject* report() const { return raise(error); }
};
using Decompressor = stream::Decompressor<Codec>;

PyObject* decompressor_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {nullptr};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, ":BZ2Decompressor", const_cast<char**>(keywords))) return nullptr;
  Ref self(Decompressor::make(type));
  if (!self) return nullptr;
  Codec& codec = Decompressor::of(self.get())->codec;
  const int code = BZ2_bzDecompressInit(&codec.bz, 0, 0);
  if (code != BZ_OK) return raise(code);
  codec.open = true;
  return self.release();
}

PyMethodDef compressor_methods[] = {
    {"compress", compressor_compress, METH_O, "compress($self, data, /)\n--\n\nProvide data to the compressor object."},
    {"flush", compressor_flush, METH_NOARGS, "flush($self, /)\n--\n\nFinish the compression process."},
    {nullptr, nullptr, 0, nullptr}};
PyMethodDef decompressor_methods[] = {
    {"decompress", ext::method(Decompressor::decompress), METH_VARARGS | METH_KEYWORDS,
     "decompress($self, /, data, max_length=-1)\n--\n\nDecompress *data*, returning uncompressed data as bytes."},
    {nullptr, nullptr, 0, nullptr}};
PyGetSetDef decompressor_getset[] = {{"eof", Decompressor::get_eof, nullptr, nullptr, nullptr},
                                     {"needs_input", Decompressor::get_needs_input, nullptr, nullptr, nullptr},
                                     {"unused_data", Decompressor::get_unused, nullptr, nullptr, nullptr},
                                     {nullptr, nullptr, nullptr, nullptr, nullptr}};
PyType_Slot compressor_slots[] = {{Py_tp_new, reinterpret_cast<void*>(compressor_new)},
                                  {Py_tp_dealloc, reinterpret_cast<void*>(compressor_dealloc)},
                                  {Py_tp_methods, compressor_methods},
                                  {Py_tp_doc, const_cast<char*>("BZ2Compressor(compresslevel=9, /)\n--\n\nCompresses one stream.")},
                                  {0, nullptr}};
PyType_Slot decompressor_slots[] = {{Py_tp_new, reinterpret_cast<void*>(decompressor_new)},
                                    {Py_tp_dealloc, reinterpret_cast<void*>(Decompressor::dealloc)},
                                    {Py_tp_methods, decompressor_methods},
                                    {Py_tp_getset, decompressor_getset},
                                    {Py_tp_doc, const_cast<char*>("BZ2Decompressor()\n--\n\nDecompresses one stream.")},
                                    {0, nullptr}};
PyType_Spec compressor_spec = {"_bz2.BZ2Compressor", sizeof(Compressor), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE,
                               compressor_slots};
PyType_Spec decompressor_spec = {"_bz2.BZ2Decompressor", sizeof(Decompressor), 0,
                                 Py_TPFLAGS_DEFAULT | Py_TPFLAGS_IMMUTABLETYPE, decompressor_slots};

int execute(PyObject* module) {
  for (PyType_Spec* spec : {&compressor_spec, &decompressor_spec}) {
    Ref type(PyType_FromModuleAndSpec(module, spec, nullptr));
    if (!type || PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(type.get())) < 0) return -1;
  }
  return 0;
}
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {.m_base = PyModuleDef_HEAD_INIT, .m_name = "_bz2", .m_size = 0, .m_slots = slots};

}  // namespace

PyMODINIT_FUNC PyInit__bz2(void) { return PyModuleDef_Init(&definition); }
