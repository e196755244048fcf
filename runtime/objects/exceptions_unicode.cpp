// UnicodeEncodeError, UnicodeDecodeError, UnicodeTranslateError and their C API.
#include "objects/exceptions.h"
#include "sync/ref.h"
#include "sync/shared_slot.h"

namespace amphis {

namespace {

PyUnicodeErrorObject* as_unicode_error(PyObject* o) { return reinterpret_cast<PyUnicodeErrorObject*>(o); }

int encode_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (exception_init(self, args, kwargs) < 0) return -1;
  PyObject *encoding, *object, *reason;
  Py_ssize_t start, end;
  if (!PyArg_ParseTuple(args, "UUnnU", &encoding, &object, &start, &end, &reason)) return -1;
  PyUnicodeErrorObject* e = as_unicode_error(self);
  sync::set_slot(&e->encoding, Ref<>::share(encoding));
  sync::set_slot(&e->object, Ref<>::share(object));
  sync::set_slot(&e->reason, Ref<>::share(reason));
  sync::store_relaxed(e->start, start);
  sync::store_relaxed(e->end, end);
  return 0;
}

int decode_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (exception_init(self, args, kwargs) < 0) return -1;
  PyObject *encoding, *object, *reason;
  Py_ssize_t start, end;
  if (!PyArg_ParseTuple(args, "UOnnU", &encoding, &object, &start, &end, &reason)) return -1;
  Ref<> bytes = Ref<>::share(object);
  if (!PyBytes_Check(object)) {
    Py_buffer view;
    if (PyObject_GetBuffer(object, &view, PyBUF_SIMPLE) < 0) return -1;
    bytes = Ref<>::steal(PyBytes_FromStringAndSize(static_cast<const char*>(view.buf), view.len));
    PyBuffer_Release(&view);
    if (!bytes) return -1;
  }
  PyUnicodeErrorObject* e = as_unicode_error(self);
  sync::set_slot(&e->encoding, Ref<>::share(encoding));
  sync::set_slot(&e->object, static_cast<Ref<>&&>(bytes));
  sync::set_slot(&e->reason, Ref<>::share(reason));
  sync::store_relaxed(e->start, start);
  sync::store_relaxed(e->end, end);
  return 0;
}

int translate_init(PyObject* self, PyObject* args, PyObject* kwargs) {
  if (exception_init(self, args, kwargs) < 0) return -1;
  PyObject *object, *reason;
  Py_ssize_t start, end;
  if (!PyArg_ParseTuple(args, "UnnU", &object, &start, &end, &reason)) return -1;
  PyUnicodeErrorObject* e = as_unicode_error(self);
  sync::set_slot(&e->object, Ref<>::share(object));
  sync::set_slot(&e->reason, Ref<>::share(reason));
  sync::store_relaxed(e->start, start);
  sync::store_relaxed(e->end, end);
  return 0;
}

// \xNN, \uNNNN or \UNNNNNNNN
PyObject* escaped(Py_UCS4 ch) {
  char text[16];
  PyOS_snprintf(text, sizeof text, ch <= 0xff ? "\\x%02x" : ch <= 0xffff ? "\\u%04x" : "\\U%08x", ch);
  return PyUnicode_FromString(text);
}

// The attribute as an object of the right kind; new reference.
PyObject* get_object(PyObject* const* slot, bool text, const char* name) {
  Ref<> value = sync::get_ref(slot);
  if (!value) {
    PyErr_Format(PyExc_TypeError, "UnicodeError '%s' attribute is not set", name);
    return nullptr;
  }
  if (text ? !PyUnicode_Check(value.get()) : !PyBytes_Check(value.get())) {
    PyErr_Format(PyExc_TypeError, "UnicodeError '%s' attribute must be a %s", name, text ? "string" : "bytes");
    return nullptr;
  }
  return value.release();
}

Ref<> shown(PyObject* const* slot) { return Ref<>::steal(PyObject_Str(sync::get_ref(slot).get())); }

// The texts come first: making them may run code that changes the exception.
PyObject* text_str(PyObject* self, bool encode) {
  PyUnicodeErrorObject* e = as_unicode_error(self);
  if (sync::load_acquire(e->object) == nullptr) return PyUnicode_FromString("");
  Ref<> reason = shown(&e->reason);
  if (!reason) return nullptr;
  Ref<> encoding = encode ? shown(&e->encoding) : Ref<>::steal(PyUnicode_FromString(""));
  if (!encoding) return nullptr;
  Ref<> object = Ref<>::steal(get_object(&e->object, true, "object"));
  if (!object) return nullptr;
  const Py_ssize_t start = sync::load_relaxed(e->start), end = sync::load_relaxed(e->end);
  if (start >= 0 && start < PyUnicode_GET_LENGTH(object.get()) && end == start + 1) {
    Ref<> ch = Ref<>::steal(escaped(PyUnicode_READ_CHAR(object.get(), start)));
    if (!ch) return nullptr;
    if (encode) {
      return PyUnicode_FromFormat("'%U' codec can't encode character '%U' in position %zd: %U", encoding.get(),
                                  ch.get(), start, reason.get());
    }
    return PyUnicode_FromFormat("can't translate character '%U' in position %zd: %U", ch.get(), start, reason.get());
  }
  if (encode) {
    return PyUnicode_FromFormat("'%U' codec can't encode characters in position %zd-%zd: %U", encoding.get(), start,
                                end - 1, reason.get());
  }
  return PyUnicode_FromFormat("can't translate characters in position %zd-%zd: %U", start, end - 1, reason.get());
}
PyObject* encode_str(PyObject* self) { return text_str(self, true); }
PyObject* translate_str(PyObject* self) { return text_str(self, false); }

PyObject* decode_str(PyObject* self) {
  PyUnicodeErrorObject* e = as_unicode_error(self);
  if (sync::load_acquire(e->object) == nullptr) return PyUnicode_FromString("");
  Ref<> reason = shown(&e->reason);
  if (!reason) return nullptr;
  Ref<> encoding = shown(&e->encoding);
  if (!encoding) return nullptr;
  Ref<> object = Ref<>::steal(get_object(&e->object, false, "object"));
  if (!object) return nullptr;
  const Py_ssize_t start = sync::load_relaxed(e->start), end = sync::load_relaxed(e->end);
  if (start >= 0 && start < PyBytes_GET_SIZE(object.get()) && end == start + 1) {
    int byte = static_cast<unsigned char>(PyBytes_AS_STRING(object.get())[start]);
    return PyUnicode_FromFormat("'%U' codec can't decode byte 0x%02x in position %zd: %U", encoding.get(), byte, start,
                                reason.get());
  }
  return PyUnicode_FromFormat("'%U' codec can't decode bytes in position %zd-%zd: %U", encoding.get(), start, end - 1,
                              reason.get());
}

PyMemberDef members[] = {
    {"encoding", _Py_T_OBJECT, offsetof(PyUnicodeErrorObject, encoding), 0, "exception encoding"},
    {"object", _Py_T_OBJECT, offsetof(PyUnicodeErrorObject, object), 0, "exception object"},
    {"start", Py_T_PYSSIZET, offsetof(PyUnicodeErrorObject, start), 0, "exception start"},
    {"end", Py_T_PYSSIZET, offsetof(PyUnicodeErrorObject, end), 0, "exception end"},
    {"reason", _Py_T_OBJECT, offsetof(PyUnicodeErrorObject, reason), 0, "exception reason"},
    {},
};

// The length of the object; -1 with an exception if it is of the wrong kind.
Py_ssize_t object_length(PyObject* self, bool text) {
  Ref<> object = Ref<>::steal(get_object(&as_unicode_error(self)->object, text, "object"));
  if (!object) return -1;
  return text ? PyUnicode_GET_LENGTH(object.get()) : PyBytes_GET_SIZE(object.get());
}

int get_start(PyObject* self, bool text, Py_ssize_t* start) {
  Py_ssize_t length = object_length(self, text), at = sync::load_relaxed(as_unicode_error(self)->start);
  if (length < 0) return -1;
  if (at < 0) at = 0;
  if (at >= length) at = length > 0 ? length - 1 : 0;
  *start = at;
  return 0;
}
int get_end(PyObject* self, bool text, Py_ssize_t* end) {
  Py_ssize_t length = object_length(self, text), at = sync::load_relaxed(as_unicode_error(self)->end);
  if (length < 0) return -1;
  if (at < 1) at = 1;
  if (at > length) at = length;
  *end = at;
  return 0;
}
int set_reason(PyObject* self, const char* reason) {
  PyObject* text = PyUnicode_FromString(reason);
  if (text == nullptr) return -1;
  sync::set_slot(&as_unicode_error(self)->reason, Ref<>::steal(text));
  return 0;
}

}  // namespace

AMPHIS_EXCEPTION_TYPE(UnicodeEncodeError_type, "UnicodeEncodeError", nullptr, PyUnicodeErrorObject,
                      "Unicode encoding error.", encode_init, encode_str, members, nullptr, nullptr);
AMPHIS_EXCEPTION_TYPE(UnicodeDecodeError_type, "UnicodeDecodeError", nullptr, PyUnicodeErrorObject,
                      "Unicode decoding error.", decode_init, decode_str, members, nullptr, nullptr);
AMPHIS_EXCEPTION_TYPE(UnicodeTranslateError_type, "UnicodeTranslateError", nullptr, PyUnicodeErrorObject,
                      "Unicode translation error.", translate_init, translate_str, members, nullptr, nullptr);

void set_exception_unicode_bases() {
  auto* base = reinterpret_cast<PyTypeObject*>(PyExc_UnicodeError);
  UnicodeEncodeError_type.tp_base = base;
  UnicodeDecodeError_type.tp_base = base;
  UnicodeTranslateError_type.tp_base = base;
}

}  // namespace amphis

extern "C" {

using namespace amphis;

PyObject* PyExc_UnicodeEncodeError = reinterpret_cast<PyObject*>(&UnicodeEncodeError_type);
PyObject* PyExc_UnicodeDecodeError = reinterpret_cast<PyObject*>(&UnicodeDecodeError_type);
PyObject* PyExc_UnicodeTranslateError = reinterpret_cast<PyObject*>(&UnicodeTranslateError_type);

PyObject* PyUnicodeDecodeError_Create(const char* encoding, const char* object, Py_ssize_t length, Py_ssize_t start,
                                      Py_ssize_t end, const char* reason) {
  return PyObject_CallFunction(PyExc_UnicodeDecodeError, "sy#nns", encoding, object, length, start, end, reason);
}

#define AMPHIS_UNICODE_ERROR_API(Kind, text)                                                                       \
  PyObject* PyUnicode##Kind##Error_GetObject(PyObject* e) {                                                        \
    return get_object(&as_unicode_error(e)->object, text, "object");                                                \
  }                                                                                                                \
  PyObject* PyUnicode##Kind##Error_GetReason(PyObject* e) {                                                        \
    return get_object(&as_unicode_error(e)->reason, true, "reason");                                                \
  }                                                                                                                \
  int PyUnicode##Kind##Error_GetStart(PyObject* e, Py_ssize_t* start) { return get_start(e, text, start); }        \
  int PyUnicode##Kind##Error_GetEnd(PyObject* e, Py_ssize_t* end) { return get_end(e, text, end); }                \
  int PyUnicode##Kind##Error_SetStart(PyObject* e, Py_ssize_t start) {                                             \
    sync::store_relaxed(as_unicode_error(e)->start, start);                                                        \
    return 0;                                                                                                      \
  }                                                                                                                \
  int PyUnicode##Kind##Error_SetEnd(PyObject* e, Py_ssize_t end) {                                                 \
    sync::store_relaxed(as_unicode_error(e)->end, end);                                                            \
    return 0;                                                                                                      \
  }                                                                                                                \
  int PyUnicode##Kind##Error_SetReason(PyObject* e, const char* reason) { return set_reason(e, reason); }
AMPHIS_UNICODE_ERROR_API(Encode, true)
AMPHIS_UNICODE_ERROR_API(Decode, false)
AMPHIS_UNICODE_ERROR_API(Translate, true)

PyObject* PyUnicodeEncodeError_GetEncoding(PyObject* e) {
  return get_object(&as_unicode_error(e)->encoding, true, "encoding");
}
PyObject* PyUnicodeDecodeError_GetEncoding(PyObject* e) {
  return get_object(&as_unicode_error(e)->encoding, true, "encoding");
}

}  // extern "C"
