// The module _codecs: the registry and the built-in codecs as functions that return (result, length
// consumed).
#include "objects/codecs.h"
#include "objects/str_args.h"

namespace amphis {
namespace {

// An `errors` argument: a str without nulls or None. False with an exception.
bool errors_argument(const char* function, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t at,
                     const char** errors) {
  *errors = nullptr;
  if (nargs <= at || args[at] == Py_None) return true;
  if (!PyUnicode_Check(args[at])) {
    PyErr_Format(PyExc_TypeError, "%s() argument %zd must be str or None, not %.50s", function, at + 1,
                 Py_TYPE(args[at])->tp_name);
    return false;
  }
  *errors = text_argument(function, "argument", args[at]);
  return *errors != nullptr;
}

bool flag_argument(PyObject* const* args, Py_ssize_t nargs, Py_ssize_t at, bool* flag) {
  if (nargs <= at) return true;
  int truth = PyObject_IsTrue(args[at]);
  if (truth < 0) return false;
  *flag = truth != 0;
  return true;
}

bool int_argument(PyObject* const* args, Py_ssize_t nargs, Py_ssize_t at, int* value) {
  if (nargs <= at) return true;
  *value = PyLong_AsInt(args[at]);
  return *value != -1 || !PyErr_Occurred();
}

// The bytes of a buffer, or of a str as UTF-8 where that is allowed.
class Input {
 public:
  ~Input() {
    if (view_.obj) PyBuffer_Release(&view_);
  }
  bool open(PyObject* o, bool text_allowed) {
    if (text_allowed && PyUnicode_Check(o)) {
      data = PyUnicode_AsUTF8AndSize(o, &size);
      return data != nullptr;
    }
    if (PyObject_GetBuffer(o, &view_, PyBUF_SIMPLE) < 0) return false;
    data = static_cast<const char*>(view_.buf);
    size = view_.len;
    return true;
  }
  const char* data = nullptr;
  Py_ssize_t size = 0;

 private:
  Py_buffer view_ = {};
};

PyObject* with_length(PyObject* result, Py_ssize_t n) {
  return result ? Py_BuildValue("(Nn)", result, n) : nullptr;
}

// ---- decoders ----

typedef PyObject* (*StatefulDecoder)(const char*, Py_ssize_t, const char*, Py_ssize_t*);

PyObject* decode_stateful(const char* name, StatefulDecoder decoder, PyObject* const* args, Py_ssize_t nargs,
                          bool default_final, bool text_allowed) {
  const char* errors = nullptr;
  bool final_input = default_final;
  Input input;
  if (!check_str_positional(name, nargs, 1, 3) || !input.open(args[0], text_allowed) ||
      !errors_argument(name, args, nargs, 1, &errors) || !flag_argument(args, nargs, 2, &final_input)) {
    return nullptr;
  }
  Py_ssize_t consumed = input.size;
  PyObject* text = decoder(input.data, input.size, errors, final_input ? nullptr : &consumed);
  return with_length(text, consumed);
}

PyObject* decode_simple(const char* name, PyObject* (*decoder)(const char*, Py_ssize_t, const char*),
                        PyObject* const* args, Py_ssize_t nargs) {
  const char* errors = nullptr;
  Input input;
  if (!check_str_positional(name, nargs, 1, 2) || !input.open(args[0], false) ||
      !errors_argument(name, args, nargs, 1, &errors)) {
    return nullptr;
  }
  return with_length(decoder(input.data, input.size, errors), input.size);
}

typedef PyObject* (*OrderedDecoder)(const char*, Py_ssize_t, const char*, int*, Py_ssize_t*);

PyObject* decode_ordered(const char* name, OrderedDecoder decoder, int order, PyObject* const* args,
                         Py_ssize_t nargs) {
  const char* errors = nullptr;
  bool final_input = false;
  Input input;
  if (!check_str_positional(name, nargs, 1, 3) || !input.open(args[0], false) ||
      !errors_argument(name, args, nargs, 1, &errors) || !flag_argument(args, nargs, 2, &final_input)) {
    return nullptr;
  }
  Py_ssize_t consumed = input.size;
  PyObject* text = decoder(input.data, input.size, errors, &order, final_input ? nullptr : &consumed);
  return with_length(text, consumed);
}

// (text, consumed, byte order found)
PyObject* decode_ex(const char* name, OrderedDecoder decoder, PyObject* const* args, Py_ssize_t nargs) {
  const char* errors = nullptr;
  bool final_input = false;
  int order = 0;
  Input input;
  if (!check_str_positional(name, nargs, 1, 4) || !input.open(args[0], false) ||
      !errors_argument(name, args, nargs, 1, &errors) || !int_argument(args, nargs, 2, &order) ||
      !flag_argument(args, nargs, 3, &final_input)) {
    return nullptr;
  }
  Py_ssize_t consumed = input.size;
  PyObject* text = decoder(input.data, input.size, errors, &order, final_input ? nullptr : &consumed);
  return text ? Py_BuildValue("(Nni)", text, consumed, order) : nullptr;
}

// ---- encoders ----

bool text_to_encode(const char* name, PyObject* const* args, Py_ssize_t nargs, Py_ssize_t most,
                    const char** errors) {
  if (!check_str_positional(name, nargs, 1, most)) return false;
  if (!PyUnicode_Check(args[0])) return bad_argument(name, "argument 1", "str", args[0]);
  return errors_argument(name, args, nargs, 1, errors);
}

PyObject* encode_simple(const char* name, PyObject* (*encoder)(PyObject*, const char*), PyObject* const* args,
                        Py_ssize_t nargs) {
  const char* errors = nullptr;
  if (!text_to_encode(name, args, nargs, 2, &errors)) return nullptr;
  return with_length(encoder(args[0], errors), PyUnicode_GET_LENGTH(args[0]));
}

PyObject* encode_ordered(const char* name, PyObject* (*encoder)(PyObject*, const char*, int), int order,
                         bool order_given, PyObject* const* args, Py_ssize_t nargs) {
  const char* errors = nullptr;
  if (!text_to_encode(name, args, nargs, order_given ? 2 : 3, &errors)) return nullptr;
  if (!order_given && !int_argument(args, nargs, 2, &order)) return nullptr;
  return with_length(encoder(args[0], errors, order), PyUnicode_GET_LENGTH(args[0]));
}

PyObject* unicode_escape_of(PyObject* s, const char*) {
  return PyUnicode_AsUnicodeEscapeString(s);
}
PyObject* raw_unicode_escape_of(PyObject* s, const char*) {
  return PyUnicode_AsRawUnicodeEscapeString(s);
}

// A function of this module per codec.
#define DECODER(name, decoder, default_final, text_allowed)                           \
  PyObject* name(PyObject*, PyObject* const* args, Py_ssize_t nargs) {                \
    return decode_stateful(#name, decoder, args, nargs, default_final, text_allowed); \
  }
#define ORDERED_DECODER(name, decoder, order)                          \
  PyObject* name(PyObject*, PyObject* const* args, Py_ssize_t nargs) { \
    return decode_ordered(#name, decoder, order, args, nargs);         \
  }
#define ENCODER(name, encoder)                                         \
  PyObject* name(PyObject*, PyObject* const* args, Py_ssize_t nargs) { \
    return encode_simple(#name, encoder, args, nargs);                 \
  }
#define ORDERED_ENCODER(name, encoder, order, given)                   \
  PyObject* name(PyObject*, PyObject* const* args, Py_ssize_t nargs) { \
    return encode_ordered(#name, encoder, order, given, args, nargs);  \
  }

DECODER(utf_8_decode, PyUnicode_DecodeUTF8Stateful, false, false)
DECODER(utf_7_decode, PyUnicode_DecodeUTF7Stateful, false, false)
DECODER(unicode_escape_decode, decode_unicode_escape_warning, true, true)
DECODER(raw_unicode_escape_decode, decode_raw_unicode_escape, true, true)
ORDERED_DECODER(utf_16_decode, PyUnicode_DecodeUTF16Stateful, 0)
ORDERED_DECODER(utf_16_le_decode, PyUnicode_DecodeUTF16Stateful, -1)
ORDERED_DECODER(utf_16_be_decode, PyUnicode_DecodeUTF16Stateful, 1)
ORDERED_DECODER(utf_32_decode, PyUnicode_DecodeUTF32Stateful, 0)
ORDERED_DECODER(utf_32_le_decode, PyUnicode_DecodeUTF32Stateful, -1)
ORDERED_DECODER(utf_32_be_decode, PyUnicode_DecodeUTF32Stateful, 1)
ENCODER(utf_8_encode, encode_utf8)
ENCODER(utf_7_encode, encode_utf7)
ENCODER(latin_1_encode, encode_latin1)
ENCODER(ascii_encode, encode_ascii)
ENCODER(unicode_escape_encode, unicode_escape_of)
ENCODER(raw_unicode_escape_encode, raw_unicode_escape_of)
ORDERED_ENCODER(utf_16_encode, encode_utf16, 0, false)
ORDERED_ENCODER(utf_16_le_encode, encode_utf16, -1, true)
ORDERED_ENCODER(utf_16_be_encode, encode_utf16, 1, true)
ORDERED_ENCODER(utf_32_encode, encode_utf32, 0, false)
ORDERED_ENCODER(utf_32_le_encode, encode_utf32, -1, true)
ORDERED_ENCODER(utf_32_be_encode, encode_utf32, 1, true)

#undef DECODER
#undef ORDERED_DECODER
#undef ENCODER
#undef ORDERED_ENCODER

PyObject* latin_1_decode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return decode_simple("latin_1_decode", PyUnicode_DecodeLatin1, args, nargs);
}
PyObject* ascii_decode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return decode_simple("ascii_decode", PyUnicode_DecodeASCII, args, nargs);
}
PyObject* utf_16_ex_decode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return decode_ex("utf_16_ex_decode", PyUnicode_DecodeUTF16Stateful, args, nargs);
}
PyObject* utf_32_ex_decode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  return decode_ex("utf_32_ex_decode", PyUnicode_DecodeUTF32Stateful, args, nargs);
}

PyObject* charmap_decode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* errors = nullptr;
  Input input;
  if (!check_str_positional("charmap_decode", nargs, 1, 3) || !input.open(args[0], false) ||
      !errors_argument("charmap_decode", args, nargs, 1, &errors)) {
    return nullptr;
  }
  return with_length(PyUnicode_DecodeCharmap(input.data, input.size, nargs > 2 ? args[2] : nullptr, errors),
                     input.size);
}

PyObject* charmap_encode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* errors = nullptr;
  if (!text_to_encode("charmap_encode", args, nargs, 3, &errors)) return nullptr;
  return with_length(encode_charmap(args[0], nargs > 2 ? args[2] : nullptr, errors),
                     PyUnicode_GET_LENGTH(args[0]));
}

PyObject* charmap_build(PyObject*, PyObject* table) {
  if (!PyUnicode_Check(table)) {
    bad_argument("charmap_build", "argument", "str", table);
    return nullptr;
  }
  return PyUnicode_BuildEncodingMap(table);
}

PyObject* readbuffer_encode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* errors = nullptr;
  Input input;
  if (!check_str_positional("readbuffer_encode", nargs, 1, 2) || !input.open(args[0], true) ||
      !errors_argument("readbuffer_encode", args, nargs, 1, &errors)) {
    return nullptr;
  }
  return with_length(PyBytes_FromStringAndSize(input.data, input.size), input.size);
}

PyObject* escape_decode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* errors = nullptr;
  Input input;
  if (!check_str_positional("escape_decode", nargs, 1, 2) || !input.open(args[0], true) ||
      !errors_argument("escape_decode", args, nargs, 1, &errors)) {
    return nullptr;
  }
  return with_length(PyBytes_DecodeEscape(input.data, input.size, errors, 0, nullptr), input.size);
}

PyObject* escape_encode(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  const char* errors = nullptr;
  if (!check_str_positional("escape_encode", nargs, 1, 2)) return nullptr;
  if (!PyBytes_Check(args[0])) {
    bad_argument("escape_encode", "argument 1", "bytes", args[0]);
    return nullptr;
  }
  if (!errors_argument("escape_encode", args, nargs, 1, &errors)) return nullptr;
  EncodedBytes out;
  const unsigned char* p = reinterpret_cast<const unsigned char*>(PyBytes_AS_STRING(args[0]));
  Py_ssize_t n = PyBytes_GET_SIZE(args[0]);
  for (Py_ssize_t i = 0; i < n; i++) {
    if (!out.reserve(4)) return nullptr;
    char* q = out.tail();
    unsigned char c = p[i];
    if (c == '\'' || c == '\\' || c == '\t' || c == '\n' || c == '\r') {
      *q++ = '\\';
      *q++ = c == '\t' ? 't' : c == '\n' ? 'n' : c == '\r' ? 'r' : static_cast<char>(c);
    } else if (c < ' ' || c >= 0x7F) {
      *q++ = '\\';
      *q++ = 'x';
      *q++ = Py_hexdigits[c >> 4];
      *q++ = Py_hexdigits[c & 15];
    } else {
      *q++ = static_cast<char>(c);
    }
    out.advance_to(q);
  }
  return with_length(out.finish(), n);
}

// ---- registry ----

PyObject* register_search(PyObject*, PyObject* search) {
  if (PyCodec_Register(search) < 0) return nullptr;
  Py_RETURN_NONE;
}
PyObject* unregister_search(PyObject*, PyObject* search) {
  if (PyCodec_Unregister(search) < 0) return nullptr;
  Py_RETURN_NONE;
}
PyObject* lookup(PyObject*, PyObject* encoding) {
  const char* name = text_argument("lookup", "argument", encoding);
  return name ? codec_lookup(name) : nullptr;
}

bool object_encoding_errors(const char* function, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames,
                            PyObject** object, const char** encoding, const char** errors) {
  static const char* const kNames[] = {"obj", "encoding", "errors"};
  PyObject* a[3];
  if (!bind_str_arguments({function, kNames, 0, 1, 3}, args, nargs, kwnames, a)) return false;
  *object = a[0];
  *encoding = "utf-8";
  *errors = nullptr;
  if (a[1] && !(*encoding = text_argument(function, "argument 'encoding'", a[1]))) return false;
  return !a[2] || (*errors = text_argument(function, "argument 'errors'", a[2]));
}

PyObject* encode(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* object;
  const char *encoding, *errors;
  if (!object_encoding_errors("encode", args, nargs, kwnames, &object, &encoding, &errors)) return nullptr;
  return PyCodec_Encode(object, encoding, errors);
}
PyObject* decode(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  PyObject* object;
  const char *encoding, *errors;
  if (!object_encoding_errors("decode", args, nargs, kwnames, &object, &encoding, &errors)) return nullptr;
  return PyCodec_Decode(object, encoding, errors);
}

PyObject* register_error(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_str_positional("register_error", nargs, 2, 2)) return nullptr;
  const char* name = text_argument("register_error", "argument 1", args[0]);
  if (!name || PyCodec_RegisterError(name, args[1]) < 0) return nullptr;
  Py_RETURN_NONE;
}
PyObject* unregister_error(PyObject*, PyObject* o) {
  const char* name = text_argument("_unregister_error", "argument", o);
  if (!name) return nullptr;
  int removed = codec_unregister_error(name);
  return removed < 0 ? nullptr : PyBool_FromLong(removed);
}
PyObject* lookup_error(PyObject*, PyObject* o) {
  const char* name = text_argument("lookup_error", "argument", o);
  return name ? PyCodec_LookupError(name) : nullptr;
}

template <class F>
PyCFunction as_method(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

#define FAST(name, signature) {#name, as_method(name), METH_FASTCALL, #name signature "\n--\n\n"}

PyMethodDef functions[] = {
    {"register", register_search, METH_O,
     PyDoc_STR("register($module, search_function, /)\n--\n\n"
               "Register a codec search function.\n\n"
               "Search functions are expected to take one argument, the encoding name in\n"
               "all lower case letters, and either return None, or a tuple of functions\n"
               "(encoder, decoder, stream_reader, stream_writer) (or a CodecInfo object).")},
    {"unregister", unregister_search, METH_O,
     PyDoc_STR("unregister($module, search_function, /)\n--\n\n"
               "Unregister a codec search function and clear the registry's cache.\n\n"
               "If the search function is not registered, do nothing.")},
    {"lookup", lookup, METH_O,
     PyDoc_STR("lookup($module, encoding, /)\n--\n\n"
               "Looks up a codec tuple in the Python codec registry and returns a CodecInfo object.")},
    {"encode", as_method(encode), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("encode($module, /, obj, encoding='utf-8', errors='strict')\n--\n\n"
               "Encodes obj using the codec registered for encoding.\n\n"
               "The default encoding is 'utf-8'.  errors may be given to set a\n"
               "different error handling scheme.  Default is 'strict' meaning that encoding\n"
               "errors raise a ValueError.  Other possible values are 'ignore', 'replace'\n"
               "and 'backslashreplace' as well as any other name registered with\n"
               "codecs.register_error that can handle ValueErrors.")},
    {"decode", as_method(decode), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("decode($module, /, obj, encoding='utf-8', errors='strict')\n--\n\n"
               "Decodes obj using the codec registered for encoding.\n\n"
               "Default encoding is 'utf-8'.  errors may be given to set a\n"
               "different error handling scheme.  Default is 'strict' meaning that encoding\n"
               "errors raise a ValueError.  Other possible values are 'ignore', 'replace'\n"
               "and 'backslashreplace' as well as any other name registered with\n"
               "codecs.register_error that can handle ValueErrors.")},
    {"register_error", as_method(register_error), METH_FASTCALL,
     PyDoc_STR("register_error($module, errors, handler, /)\n--\n\n"
               "Register the specified error handler under the name errors.\n\n"
               "handler must be a callable object, that\n"
               "will be called with an exception instance containing\n"
               "information about the location of the encoding/decoding\n"
               "error and must return a (replacement, new position) tuple.")},
    {"_unregister_error", unregister_error, METH_O,
     PyDoc_STR("_unregister_error($module, errors, /)\n--\n\n"
               "Un-register the specified error handler for the error handling `errors'.\n\n"
               "Only custom error handlers can be un-registered. An exception is raised\n"
               "if the error handling is a built-in one (e.g., 'strict'), or if an error\n"
               "occurs.\n\n"
               "Otherwise, this returns True if a custom handler has been successfully\n"
               "un-registered, and False if no custom handler for the specified error\n"
               "handling exists.")},
    {"lookup_error", lookup_error, METH_O,
     PyDoc_STR("lookup_error($module, name, /)\n--\n\n"
               "lookup_error(errors) -> handler\n\n"
               "Return the error handler for the specified error handling name or raise a\n"
               "LookupError, if no handler exists under this name.")},
    {"charmap_build", charmap_build, METH_O, PyDoc_STR("charmap_build($module, map, /)\n--\n\n")},
    FAST(escape_decode, "($module, data, errors=None, /)"),
    FAST(escape_encode, "($module, data, errors=None, /)"),
    FAST(utf_8_decode, "($module, data, errors=None, final=False, /)"),
    FAST(utf_8_encode, "($module, str, errors=None, /)"),
    FAST(utf_7_decode, "($module, data, errors=None, final=False, /)"),
    FAST(utf_7_encode, "($module, str, errors=None, /)"),
    FAST(utf_16_decode, "($module, data, errors=None, final=False, /)"),
    FAST(utf_16_le_decode, "($module, data, errors=None, final=False, /)"),
    FAST(utf_16_be_decode, "($module, data, errors=None, final=False, /)"),
    FAST(utf_16_ex_decode, "($module, data, errors=None, byteorder=0, final=False,\n                 /)"),
    FAST(utf_16_encode, "($module, str, errors=None, byteorder=0, /)"),
    FAST(utf_16_le_encode, "($module, str, errors=None, /)"),
    FAST(utf_16_be_encode, "($module, str, errors=None, /)"),
    FAST(utf_32_decode, "($module, data, errors=None, final=False, /)"),
    FAST(utf_32_le_decode, "($module, data, errors=None, final=False, /)"),
    FAST(utf_32_be_decode, "($module, data, errors=None, final=False, /)"),
    FAST(utf_32_ex_decode, "($module, data, errors=None, byteorder=0, final=False,\n                 /)"),
    FAST(utf_32_encode, "($module, str, errors=None, byteorder=0, /)"),
    FAST(utf_32_le_encode, "($module, str, errors=None, /)"),
    FAST(utf_32_be_encode, "($module, str, errors=None, /)"),
    FAST(unicode_escape_decode, "($module, data, errors=None, final=True, /)"),
    FAST(unicode_escape_encode, "($module, str, errors=None, /)"),
    FAST(raw_unicode_escape_decode, "($module, data, errors=None, final=True, /)"),
    FAST(raw_unicode_escape_encode, "($module, str, errors=None, /)"),
    FAST(latin_1_decode, "($module, data, errors=None, /)"),
    FAST(latin_1_encode, "($module, str, errors=None, /)"),
    FAST(ascii_decode, "($module, data, errors=None, /)"),
    FAST(ascii_encode, "($module, str, errors=None, /)"),
    FAST(charmap_decode, "($module, data, errors=None, mapping=None, /)"),
    FAST(charmap_encode, "($module, str, errors=None, mapping=None, /)"),
    FAST(readbuffer_encode, "($module, data, errors=None, /)"),
    {nullptr, nullptr, 0, nullptr},
};

#undef FAST

PyModuleDef_Slot slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_codecs",
    .m_size = 0,
    .m_methods = functions,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis

PyMODINIT_FUNC PyInit__codecs(void) {
  return PyModuleDef_Init(&amphis::definition);
}
