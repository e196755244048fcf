// Owns the built-in codecs and the registry. Decoders and encoders give new references, null with an
// exception; `errors` null means "strict".
#ifndef AMPHIS_ABI_UNICODE_CODECS_H
#define AMPHIS_ABI_UNICODE_CODECS_H

#include "unicode.h"

Py_BEGIN_C_DECLS

PyAPI_FUNC(const char*) PyUnicode_GetDefaultEncoding(void);
PyAPI_FUNC(PyObject*)
    PyUnicode_Decode(const char* s, Py_ssize_t size, const char* encoding, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_AsEncodedString(PyObject* unicode, const char* encoding, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeUTF7(const char* string, Py_ssize_t length, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeUTF7Stateful(const char* string, Py_ssize_t length, const char* errors,
                                                   Py_ssize_t* consumed);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeUTF8(const char* string, Py_ssize_t length, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeUTF8Stateful(const char* string, Py_ssize_t length, const char* errors,
                                                   Py_ssize_t* consumed);
PyAPI_FUNC(PyObject*)
    PyUnicode_DecodeUTF32(const char* string, Py_ssize_t length, const char* errors, int* byteorder);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeUTF32Stateful(const char* string, Py_ssize_t length, const char* errors,
                                                    int* byteorder, Py_ssize_t* consumed);
PyAPI_FUNC(PyObject*)
    PyUnicode_DecodeUTF16(const char* string, Py_ssize_t length, const char* errors, int* byteorder);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeUTF16Stateful(const char* string, Py_ssize_t length, const char* errors,
                                                    int* byteorder, Py_ssize_t* consumed);
PyAPI_FUNC(PyObject*) PyUnicode_AsUTF8String(PyObject* unicode);
PyAPI_FUNC(PyObject*) PyUnicode_AsUTF16String(PyObject* unicode);
PyAPI_FUNC(PyObject*) PyUnicode_AsUTF32String(PyObject* unicode);
PyAPI_FUNC(PyObject*)
    PyUnicode_DecodeUnicodeEscape(const char* string, Py_ssize_t length, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_AsUnicodeEscapeString(PyObject* unicode);
PyAPI_FUNC(PyObject*)
    PyUnicode_DecodeRawUnicodeEscape(const char* string, Py_ssize_t length, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_AsRawUnicodeEscapeString(PyObject* unicode);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeLatin1(const char* string, Py_ssize_t length, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_AsLatin1String(PyObject* unicode);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeASCII(const char* string, Py_ssize_t length, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_AsASCIIString(PyObject* unicode);
PyAPI_FUNC(PyObject*)
    PyUnicode_DecodeCharmap(const char* string, Py_ssize_t length, PyObject* mapping, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_AsCharmapString(PyObject* unicode, PyObject* mapping);
#if _Py_SINCE(3, 3)
PyAPI_FUNC(PyObject*) PyUnicode_DecodeLocaleAndSize(const char* str, Py_ssize_t len, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeLocale(const char* str, const char* errors);
PyAPI_FUNC(PyObject*) PyUnicode_EncodeLocale(PyObject* unicode, const char* errors);
#endif
PyAPI_FUNC(PyObject*) PyUnicode_DecodeFSDefault(const char* s);
PyAPI_FUNC(PyObject*) PyUnicode_DecodeFSDefaultAndSize(const char* s, Py_ssize_t size);
PyAPI_FUNC(PyObject*) PyUnicode_EncodeFSDefault(PyObject* unicode);
// "O&" converters: the result argument receives a new reference, and the converter is called again with null
// to clean up.
PyAPI_FUNC(int) PyUnicode_FSConverter(PyObject*, void*);
PyAPI_FUNC(int) PyUnicode_FSDecoder(PyObject*, void*);
#define Py_CLEANUP_SUPPORTED 0x20000
Py_DEPRECATED() PyAPI_FUNC(PyObject*)
    PyUnicode_AsDecodedObject(PyObject* unicode, const char* encoding, const char* errors);
Py_DEPRECATED() PyAPI_FUNC(PyObject*)
    PyUnicode_AsDecodedUnicode(PyObject* unicode, const char* encoding, const char* errors);
Py_DEPRECATED() PyAPI_FUNC(PyObject*)
    PyUnicode_AsEncodedObject(PyObject* unicode, const char* encoding, const char* errors);
Py_DEPRECATED() PyAPI_FUNC(PyObject*)
    PyUnicode_AsEncodedUnicode(PyObject* unicode, const char* encoding, const char* errors);
#if _Py_SINCE(3, 5)
// C strings of the locale: PyMem_RawMalloc'd (Decode) and PyMem_Malloc'd (Encode) for the caller to free.
PyAPI_FUNC(wchar_t*) Py_DecodeLocale(const char* arg, size_t* size);
PyAPI_FUNC(char*) Py_EncodeLocale(const wchar_t* text, size_t* error_pos);
#endif
PyAPI_DATA(const char*) Py_FileSystemDefaultEncoding;
#if _Py_SINCE(3, 6)
PyAPI_DATA(const char*) Py_FileSystemDefaultEncodeErrors;
#endif
PyAPI_DATA(int) Py_HasFileSystemDefaultEncoding;
#if _Py_SINCE(3, 7)
PyAPI_DATA(int) Py_UTF8Mode;
#endif
#ifndef Py_LIMITED_API
PyAPI_DATA(const char*) Py_hexdigits;
#endif

// The registry. Registering: 0 or -1. The rest: new references. Error handlers take the exception, return a
// pair.
PyAPI_FUNC(int) PyCodec_Register(PyObject* search_function);
PyAPI_FUNC(int) PyCodec_Unregister(PyObject* search_function);
PyAPI_FUNC(int) PyCodec_KnownEncoding(const char* encoding);
PyAPI_FUNC(PyObject*) PyCodec_Encode(PyObject* object, const char* encoding, const char* errors);
PyAPI_FUNC(PyObject*) PyCodec_Decode(PyObject* object, const char* encoding, const char* errors);
PyAPI_FUNC(PyObject*) PyCodec_Encoder(const char* encoding);
PyAPI_FUNC(PyObject*) PyCodec_Decoder(const char* encoding);
PyAPI_FUNC(PyObject*) PyCodec_IncrementalEncoder(const char* encoding, const char* errors);
PyAPI_FUNC(PyObject*) PyCodec_IncrementalDecoder(const char* encoding, const char* errors);
PyAPI_FUNC(PyObject*) PyCodec_StreamReader(const char* encoding, PyObject* stream, const char* errors);
PyAPI_FUNC(PyObject*) PyCodec_StreamWriter(const char* encoding, PyObject* stream, const char* errors);
PyAPI_FUNC(int) PyCodec_RegisterError(const char* name, PyObject* error);
PyAPI_FUNC(PyObject*) PyCodec_LookupError(const char* name);
PyAPI_FUNC(PyObject*) PyCodec_StrictErrors(PyObject* exc);
PyAPI_FUNC(PyObject*) PyCodec_IgnoreErrors(PyObject* exc);
PyAPI_FUNC(PyObject*) PyCodec_ReplaceErrors(PyObject* exc);
PyAPI_FUNC(PyObject*) PyCodec_XMLCharRefReplaceErrors(PyObject* exc);
PyAPI_FUNC(PyObject*) PyCodec_BackslashReplaceErrors(PyObject* exc);
#if _Py_SINCE(3, 5)
PyAPI_FUNC(PyObject*) PyCodec_NameReplaceErrors(PyObject* exc);
#endif

Py_END_C_DECLS

#endif
