// The module pyexpat: the XML parser of libexpat.
//
// A parser calls Python handlers from within XML_Parse. An exception in one stops the parser; until XML_Parse returns, no
// further handler runs. A parser made for an external entity keeps the parser it came from, whose tables it uses.
#include "support.h"

#define XML_DTD 1  // for the declarations that go with it in older headers
#include <expat.h>

#include <climits>
#include <cstring>

namespace {

using ext::Buffer;
using ext::Ref;

constexpr int kMaxChunk = 1 << 20;
constexpr int kDefaultBuffer = 8192;

PyObject* error_type = nullptr;
PyTypeObject* parser_type = nullptr;

enum Handler {
  kStartElement, kEndElement, kProcessingInstruction, kCharacterData, kUnparsedEntityDecl, kNotationDecl,
  kStartNamespaceDecl, kEndNamespaceDecl, kComment, kStartCdataSection, kEndCdataSection, kDefault, kDefaultExpand,
  kNotStandalone, kExternalEntityRef, kStartDoctypeDecl, kEndDoctypeDecl, kEntityDecl, kXmlDecl, kElementDecl,
  kAttlistDecl, kSkippedEntity, kHandlers
};

struct Parser {
  PyObject_HEAD
  XML_Parser xml;
  PyObject* parent;  // the parser this one was made from, or null
  PyObject* interned;
  PyObject* handlers[kHandlers];
  char* buffer;  // null: text is passed on as it comes
  int buffer_size, buffer_used;
  bool ordered, specified, prefixes, parsing;
};

Parser* self_of(PyObject* object) { return reinterpret_cast<Parser*>(object); }
Parser* self_of(void* data) { return static_cast<Parser*>(data); }

// ---- values for handlers ----

PyObject* text_of(const XML_Char* s) {
  if (s == nullptr) Py_RETURN_NONE;
  return PyUnicode_DecodeUTF8(s, static_cast<Py_ssize_t>(strlen(s)), "strict");
}

// Names come again and again: one object for each.
PyObject* name_of(Parser* self, const XML_Char* s) {
  Ref name(text_of(s));
  if (!name || s == nullptr || self->interned == nullptr) return name.release();
  PyObject* shared;
  if (PyDict_SetDefaultRef(self->interned, name.get(), name.get(), &shared) < 0) return nullptr;
  return shared;
}

Ref call_handler(Parser* self, Handler which, Ref args) {
  Ref handler(Py_XNewRef(self->handlers[which]));
  Ref result;
  if (args && handler) result = Ref(PyObject_CallObject(handler.get(), args.get()));
  if (!result && PyErr_Occurred()) XML_StopParser(self->xml, XML_FALSE);
  return result;
}

bool flush_text(Parser* self) {
  if (self->buffer == nullptr || self->buffer_used == 0) return true;
  const int used = std::exchange(self->buffer_used, 0);
  if (self->handlers[kCharacterData] == nullptr) return true;
  return static_cast<bool>(
      call_handler(self, kCharacterData, Ref(Py_BuildValue("(N)", PyUnicode_DecodeUTF8(self->buffer, used, "strict")))));
}

// Whether a handler runs now: text that was collected is passed on first.
bool ready(Parser* self, Handler which) {
  return self->handlers[which] != nullptr && !PyErr_Occurred() && flush_text(self) && self->handlers[which] != nullptr;
}

template <class... A>
Ref call_with(Parser* self, Handler which, const char* format, A... args) {
  return call_handler(self, which, Ref(Py_BuildValue(format, args...)));
}
template <class... A>
int answer_of(Parser* self, Handler which, const char* format, A... args) {
  Ref result = call_with(self, which, format, args...);
  int answer;
  if (!result) return 0;
  if (ext::to_int(result.get(), &answer)) return answer;
  XML_StopParser(self->xml, XML_FALSE);
  return 0;
}

// ---- what libexpat calls ----

void on_start_element(void* data, const XML_Char* name, const XML_Char** attributes) {
  Parser* self = self_of(data);
  if (!ready(self, kStartElement)) return;
  int n = 0;
  if (self->specified)
    n = XML_GetSpecifiedAttributeCount(self->xml);
  else
    while (attributes[n] != nullptr) n += 2;
  Ref container(self->ordered ? PyList_New(n) : PyDict_New());
  bool ok = static_cast<bool>(container);
  for (int i = 0; ok && i < n; i += 2) {
    Ref key(name_of(self, attributes[i])), value(text_of(attributes[i + 1]));
    ok = key && value;
    if (!ok) break;
    if (self->ordered) {
      PyList_SET_ITEM(container.get(), i, key.release());
      PyList_SET_ITEM(container.get(), i + 1, value.release());
    } else {
      ok = PyDict_SetItem(container.get(), key.get(), value.get()) == 0;
    }
  }
  if (!ok) {
    XML_StopParser(self->xml, XML_FALSE);
    return;
  }
  call_with(self, kStartElement, "(NN)", name_of(self, name), container.release());
}

void on_end_element(void* data, const XML_Char* name) {
  Parser* self = self_of(data);
  if (ready(self, kEndElement)) call_with(self, kEndElement, "(N)", name_of(self, name));
}

void on_instruction(void* data, const XML_Char* target, const XML_Char* text) {
  Parser* self = self_of(data);
  if (ready(self, kProcessingInstruction))
    call_with(self, kProcessingInstruction, "(NN)", name_of(self, target), text_of(text));
}

void on_text(void* data, const XML_Char* text, int size) {
  Parser* self = self_of(data);
  if (self->handlers[kCharacterData] == nullptr || PyErr_Occurred()) return;
  if (self->buffer != nullptr) {
    if (self->buffer_used + size > self->buffer_size && !flush_text(self)) return;
    if (self->buffer != nullptr && self->buffer_used + size <= self->buffer_size) {
      memcpy(self->buffer + self->buffer_used, text, static_cast<size_t>(size));
      self->buffer_used += size;
      return;
    }
  }
  call_with(self, kCharacterData, "(N)", PyUnicode_DecodeUTF8(text, size, "strict"));
}

void on_unparsed_entity(void* data, const XML_Char* name, const XML_Char* base, const XML_Char* system,
                        const XML_Char* public_id, const XML_Char* notation) {
  Parser* self = self_of(data);
  if (ready(self, kUnparsedEntityDecl))
    call_with(self, kUnparsedEntityDecl, "(NNNNN)", name_of(self, name), name_of(self, base), name_of(self, system),
              name_of(self, public_id), name_of(self, notation));
}

void on_notation(void* data, const XML_Char* name, const XML_Char* base, const XML_Char* system, const XML_Char* public_id) {
  Parser* self = self_of(data);
  if (ready(self, kNotationDecl))
    call_with(self, kNotationDecl, "(NNNN)", name_of(self, name), name_of(self, base), name_of(self, system),
              name_of(self, public_id));
}

void on_start_namespace(void* data, const XML_Char* prefix, const XML_Char* uri) {
  Parser* self = self_of(data);
  if (ready(self, kStartNamespaceDecl))
    call_with(self, kStartNamespaceDecl, "(NN)", name_of(self, prefix), name_of(self, uri));
}
void on_end_namespace(void* data, const XML_Char* prefix) {
  Parser* self = self_of(data);
  if (ready(self, kEndNamespaceDecl)) call_with(self, kEndNamespaceDecl, "(N)", name_of(self, prefix));
}

void on_comment(void* data, const XML_Char* text) {
  Parser* self = self_of(data);
  if (ready(self, kComment)) call_with(self, kComment, "(N)", text_of(text));
}

template <Handler which>
void on_mark(void* data) {
  Parser* self = self_of(data);
  if (ready(self, which)) call_with(self, which, "()");
}
template <Handler which>
void on_default(void* data, const XML_Char* text, int size) {
  Parser* self = self_of(data);
  if (ready(self, which)) call_with(self, which, "(N)", PyUnicode_DecodeUTF8(text, size, "strict"));
}

int on_not_standalone(void* data) {
  Parser* self = self_of(data);
  return ready(self, kNotStandalone) ? answer_of(self, kNotStandalone, "()") : 0;
}

int on_external_entity(XML_Parser xml, const XML_Char* context, const XML_Char* base, const XML_Char* system,
                       const XML_Char* public_id) {
  Parser* self = self_of(XML_GetUserData(xml));
  if (!ready(self, kExternalEntityRef)) return 0;
  return answer_of(self, kExternalEntityRef, "(NNNN)", text_of(context), name_of(self, base), name_of(self, system),
                   name_of(self, public_id));
}

void on_start_doctype(void* data, const XML_Char* name, const XML_Char* system, const XML_Char* public_id, int subset) {
  Parser* self = self_of(data);
  if (ready(self, kStartDoctypeDecl))
    call_with(self, kStartDoctypeDecl, "(NNNi)", name_of(self, name), name_of(self, system), name_of(self, public_id), subset);
}

void on_entity(void* data, const XML_Char* name, int is_parameter, const XML_Char* value, int size, const XML_Char* base,
               const XML_Char* system, const XML_Char* public_id, const XML_Char* notation) {
  Parser* self = self_of(data);
  if (!ready(self, kEntityDecl)) return;
  PyObject* text = value == nullptr ? Py_NewRef(Py_None) : PyUnicode_DecodeUTF8(value, size, "strict");
  call_with(self, kEntityDecl, "(NiNNNNN)", name_of(self, name), is_parameter, text, name_of(self, base),
            name_of(self, system), name_of(self, public_id), name_of(self, notation));
}

void on_xml_declaration(void* data, const XML_Char* version, const XML_Char* encoding, int standalone) {
  Parser* self = self_of(data);
  if (ready(self, kXmlDecl)) call_with(self, kXmlDecl, "(NNi)", text_of(version), text_of(encoding), standalone);
}

PyObject* model_of(Parser* self, const XML_Content& model) {
  if (Py_EnterRecursiveCall(" in conv_content_model")) return nullptr;
  Ref children(PyTuple_New(model.numchildren));
  bool ok = static_cast<bool>(children);
  for (unsigned i = 0; ok && i < model.numchildren; i++) {
    PyObject* child = model_of(self, model.children[i]);
    ok = child != nullptr;
    if (ok) PyTuple_SET_ITEM(children.get(), i, child);
  }
  Py_LeaveRecursiveCall();
  if (!ok) return nullptr;
  return Py_BuildValue("(iiNN)", static_cast<int>(model.type), static_cast<int>(model.quant), name_of(self, model.name),
                       children.release());
}

void on_element_declaration(void* data, const XML_Char* name, XML_Content* model) {
  Parser* self = self_of(data);
  if (ready(self, kElementDecl)) {
    PyObject* value = model_of(self, *model);
    if (value == nullptr)
      XML_StopParser(self->xml, XML_FALSE);
    else
      call_with(self, kElementDecl, "(NN)", name_of(self, name), value);
  }
  XML_FreeContentModel(self->xml, model);
}

void on_attributes_declaration(void* data, const XML_Char* element, const XML_Char* attribute, const XML_Char* type,
                               const XML_Char* value, int required) {
  Parser* self = self_of(data);
  if (ready(self, kAttlistDecl))
    call_with(self, kAttlistDecl, "(NNNNi)", name_of(self, element), name_of(self, attribute), text_of(type), text_of(value),
              required);
}

void on_skipped(void* data, const XML_Char* name, int is_parameter) {
  Parser* self = self_of(data);
  if (ready(self, kSkippedEntity)) call_with(self, kSkippedEntity, "(Ni)", name_of(self, name), is_parameter);
}

// An encoding that libexpat does not know: one of Python's that have one byte a character.
int on_unknown_encoding(void* data, const XML_Char* name, XML_Encoding* info) {
  Parser* self = self_of(data);
  if (PyErr_Occurred()) return XML_STATUS_ERROR;
  char every_byte[256];
  for (int i = 0; i < 256; i++) every_byte[i] = static_cast<char>(i);
  Ref decoded(PyUnicode_Decode(every_byte, 256, name, "replace"));
  if (decoded && PyUnicode_GET_LENGTH(decoded.get()) != 256) {
    PyErr_SetString(PyExc_ValueError, "multi-byte encodings are not supported");
    decoded = Ref();
  }
  if (!decoded) {
    XML_StopParser(self->xml, XML_FALSE);
    return XML_STATUS_ERROR;
  }
  for (int i = 0; i < 256; i++) {
    const Py_UCS4 c = PyUnicode_READ_CHAR(decoded.get(), i);
    info->map[i] = c == Py_UNICODE_REPLACEMENT_CHARACTER ? -1 : static_cast<int>(c);
  }
  info->data = nullptr;
  info->convert = nullptr;
  info->release = nullptr;
  return XML_STATUS_OK;
}

// ---- the handlers by name ----

// Installs f, or nothing.
template <auto set, auto f>
void install(XML_Parser xml, bool on) {
  set(xml, on ? f : nullptr);
}

struct HandlerInfo {
  const char* name;
  void (*install)(XML_Parser, bool);
};
const HandlerInfo handler_table[kHandlers] = {
    {"StartElementHandler", install<XML_SetStartElementHandler, on_start_element>},
    {"EndElementHandler", install<XML_SetEndElementHandler, on_end_element>},
    {"ProcessingInstructionHandler", install<XML_SetProcessingInstructionHandler, on_instruction>},
    {"CharacterDataHandler", install<XML_SetCharacterDataHandler, on_text>},
    {"UnparsedEntityDeclHandler", install<XML_SetUnparsedEntityDeclHandler, on_unparsed_entity>},
    {"NotationDeclHandler", install<XML_SetNotationDeclHandler, on_notation>},
    {"StartNamespaceDeclHandler", install<XML_SetStartNamespaceDeclHandler, on_start_namespace>},
    {"EndNamespaceDeclHandler", install<XML_SetEndNamespaceDeclHandler, on_end_namespace>},
    {"CommentHandler", install<XML_SetCommentHandler, on_comment>},
    {"StartCdataSectionHandler", install<XML_SetStartCdataSectionHandler, on_mark<kStartCdataSection>>},
    {"EndCdataSectionHandler", install<XML_SetEndCdataSectionHandler, on_mark<kEndCdataSection>>},
    {"DefaultHandler", install<XML_SetDefaultHandler, on_default<kDefault>>},
    {"DefaultHandlerExpand", install<XML_SetDefaultHandlerExpand, on_default<kDefaultExpand>>},
    {"NotStandaloneHandler", install<XML_SetNotStandaloneHandler, on_not_standalone>},
    {"ExternalEntityRefHandler", install<XML_SetExternalEntityRefHandler, on_external_entity>},
    {"StartDoctypeDeclHandler", install<XML_SetStartDoctypeDeclHandler, on_start_doctype>},
    {"EndDoctypeDeclHandler", install<XML_SetEndDoctypeDeclHandler, on_mark<kEndDoctypeDecl>>},
    {"EntityDeclHandler", install<XML_SetEntityDeclHandler, on_entity>},
    {"XmlDeclHandler", install<XML_SetXmlDeclHandler, on_xml_declaration>},
    {"ElementDeclHandler", install<XML_SetElementDeclHandler, on_element_declaration>},
    {"AttlistDeclHandler", install<XML_SetAttlistDeclHandler, on_attributes_declaration>},
    {"SkippedEntityHandler", install<XML_SetSkippedEntityHandler, on_skipped>},
};

PyObject* get_handler(PyObject* object, void* closure) {
  PyObject* handler = self_of(object)->handlers[static_cast<const HandlerInfo*>(closure) - handler_table];
  return Py_NewRef(handler == nullptr ? Py_None : handler);
}

int set_handler(PyObject* object, PyObject* value, void* closure) {
  const auto* info = static_cast<const HandlerInfo*>(closure);
  const auto which = static_cast<Handler>(info - handler_table);
  if (value == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "Cannot delete attribute");
    return -1;
  }
  Parser* self = self_of(object);
  // Text that was collected belongs to the old handler.
  if (which == kCharacterData && !flush_text(self)) return -1;
  PyObject* old = std::exchange(self->handlers[which], value == Py_None ? nullptr : Py_NewRef(value));
  info->install(self->xml, value != Py_None);
  Py_XDECREF(old);
  return 0;
}

// ---- parsing ----

// The exception for an error of libexpat's; what is wrong, where it has no text of its own for it.
PyObject* raise_error(XML_Parser xml, XML_Error code, const char* what = nullptr) {
  const auto line = XML_GetErrorLineNumber(xml), column = XML_GetErrorColumnNumber(xml);
  Ref message(what != nullptr
                  ? PyUnicode_FromString(what)
                  : PyUnicode_FromFormat("%s: line %lu, column %lu", XML_ErrorString(code), line, column));
  Ref error(message ? PyObject_CallOneArg(error_type, message.get()) : nullptr);
  Ref number(PyLong_FromLong(code)), line_object(PyLong_FromUnsignedLong(line)),
      column_object(PyLong_FromUnsignedLong(column));
  if (error && number && line_object && column_object &&
      PyObject_SetAttrString(error.get(), "code", number.get()) == 0 &&
      PyObject_SetAttrString(error.get(), "offset", column_object.get()) == 0 &&
      PyObject_SetAttrString(error.get(), "lineno", line_object.get()) == 0)
    PyErr_SetObject(error_type, error.get());
  return nullptr;
}

// A parser that is at work can take no more input, and needs its buffer.
bool idle(Parser* self, const char* method) {
  if (!self->parsing) return true;
  PyErr_Format(PyExc_RuntimeError, "cannot call %s() from within a handler", method);
  return false;
}

template <class F>
PyObject* parse_with(Parser* self, const char* method, F step) {
  if (!idle(self, method)) return nullptr;
  self->parsing = true;
  const int status = step();
  self->parsing = false;
  if (PyErr_Occurred()) return nullptr;
  if (status == XML_STATUS_ERROR) return raise_error(self->xml, XML_GetErrorCode(self->xml));
  return flush_text(self) ? PyLong_FromLong(status) : nullptr;
}

PyObject* parser_parse(PyObject* object, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("Parse", nargs, 1, 2)) return nullptr;
  const int final = nargs == 2 ? PyObject_IsTrue(args[1]) : 0;
  if (final < 0) return nullptr;
  Parser* self = self_of(object);
  Buffer held;
  const char* data;
  Py_ssize_t size;
  if (PyUnicode_Check(args[0])) {
    data = PyUnicode_AsUTF8AndSize(args[0], &size);
    if (data == nullptr) return nullptr;
    if (!idle(self, "Parse")) return nullptr;
    XML_SetEncoding(self->xml, "utf-8");
  } else {
    if (!held.get(args[0])) return nullptr;
    data = reinterpret_cast<const char*>(held.data());
    size = held.size();
  }
  return parse_with(self, "Parse", [&] {
    while (size > kMaxChunk) {
      if (XML_Parse(self->xml, data, kMaxChunk, 0) == XML_STATUS_ERROR) return XML_STATUS_ERROR;
      if (PyErr_Occurred()) return XML_STATUS_ERROR;
      data += kMaxChunk;
      size -= kMaxChunk;
    }
    return XML_Parse(self->xml, data, static_cast<int>(size), final);
  });
}

PyObject* parser_parse_file(PyObject* object, PyObject* file) {
  Parser* self = self_of(object);
  Ref read(PyObject_GetAttrString(file, "read"));
  if (!read) {
    if (PyErr_ExceptionMatches(PyExc_AttributeError))
      PyErr_SetString(PyExc_TypeError, "argument must have 'read' attribute");
    return nullptr;
  }
  constexpr int kPiece = 2048;
  return parse_with(self, "ParseFile", [&] {
    for (;;) {
      void* room = XML_GetBuffer(self->xml, kPiece);
      if (room == nullptr) return XML_STATUS_ERROR;
      Ref piece(PyObject_CallFunction(read.get(), "i", kPiece));
      if (!piece) return XML_STATUS_ERROR;
      const char* data;
      if (PyBytes_Check(piece.get())) {
        data = PyBytes_AS_STRING(piece.get());
      } else if (PyByteArray_Check(piece.get())) {
        data = PyByteArray_AS_STRING(piece.get());
      } else {
        PyErr_Format(PyExc_TypeError, "read() did not return a bytes object (type=%.400s)", Py_TYPE(piece.get())->tp_name);
        return XML_STATUS_ERROR;
      }
      const Py_ssize_t size = PyObject_Size(piece.get());
      if (size > kPiece) {
        PyErr_Format(PyExc_ValueError, "read() returned too much data: %i bytes requested, %zd returned", kPiece, size);
        return XML_STATUS_ERROR;
      }
      memcpy(room, data, static_cast<size_t>(size));
      const XML_Status status = XML_ParseBuffer(self->xml, static_cast<int>(size), size == 0);
      if (status == XML_STATUS_ERROR || PyErr_Occurred()) return XML_STATUS_ERROR;
      if (size == 0) return status;
    }
  });
}

PyObject* parser_set_base(PyObject* self, PyObject* base) {
  const char* text = PyUnicode_AsUTF8(base);
  if (text == nullptr) return nullptr;
  if (!XML_SetBase(self_of(self)->xml, text)) return PyErr_NoMemory();
  Py_RETURN_NONE;
}
PyObject* parser_get_base(PyObject* self, PyObject*) { return text_of(XML_GetBase(self_of(self)->xml)); }

PyObject* parser_input_context(PyObject* object, PyObject*) {
  Parser* self = self_of(object);
  if (!self->parsing) Py_RETURN_NONE;
  int offset, size;
  const char* context = XML_GetInputContext(self->xml, &offset, &size);
  if (context == nullptr) Py_RETURN_NONE;
  return PyBytes_FromStringAndSize(context + offset, size - offset);
}

PyObject* parser_set_entity_parsing(PyObject* self, PyObject* flag) {
  int value;
  if (!ext::to_int(flag, &value)) return nullptr;
  return PyLong_FromLong(XML_SetParamEntityParsing(self_of(self)->xml, static_cast<XML_ParamEntityParsing>(value)));
}

PyObject* parser_use_foreign(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!ext::check_positional("UseForeignDTD", nargs, 0, 1)) return nullptr;
  const int flag = nargs == 1 ? PyObject_IsTrue(args[0]) : 1;
  if (flag < 0) return nullptr;
  const XML_Error code = XML_UseForeignDTD(self_of(self)->xml, flag ? XML_TRUE : XML_FALSE);
  if (code != XML_ERROR_NONE) return raise_error(self_of(self)->xml, code);
  Py_RETURN_NONE;
}

// Postponing incomplete tokens came with libexpat 2.6.
PyObject* parser_set_deferral([[maybe_unused]] PyObject* self, PyObject* flag) {
  [[maybe_unused]] const int on = PyObject_IsTrue(flag);
  if (on < 0) return nullptr;
#if XML_MAJOR_VERSION * 100 + XML_MINOR_VERSION >= 206
  XML_SetReparseDeferralEnabled(self_of(self)->xml, on ? XML_TRUE : XML_FALSE);
#endif
  Py_RETURN_NONE;
}
PyObject* parser_get_deferral(PyObject*, PyObject*) {
#if XML_MAJOR_VERSION * 100 + XML_MINOR_VERSION >= 206
  Py_RETURN_TRUE;
#else
  Py_RETURN_FALSE;
#endif
}

PyObject* parser_set_amplification(PyObject* self, PyObject* argument) {
  const double factor = PyFloat_AsDouble(argument);
  if (factor == -1 && PyErr_Occurred()) return nullptr;
  XML_Parser xml = self_of(self)->xml;
  if (XML_SetBillionLaughsAttackProtectionMaximumAmplification(xml, static_cast<float>(factor))) Py_RETURN_NONE;
  return raise_error(xml, XML_ERROR_INVALID_ARGUMENT,
                     factor >= 1 ? "parser must be a root parser" : "'max_factor' must be at least 1.0");
}
PyObject* parser_set_activation(PyObject* self, PyObject* argument) {
  Ref index(PyNumber_Index(argument));
  if (!index) return nullptr;
  Ref zero(PyLong_FromLong(0));
  if (PyObject_RichCompareBool(index.get(), zero.get(), Py_LT) > 0) {
    PyErr_SetString(PyExc_ValueError, "Cannot convert negative int");
    return nullptr;
  }
  const unsigned long long threshold = PyLong_AsUnsignedLongLong(index.get());
  if (PyErr_Occurred()) return nullptr;
  XML_Parser xml = self_of(self)->xml;
  if (XML_SetBillionLaughsAttackProtectionActivationThreshold(xml, threshold)) Py_RETURN_NONE;
  return raise_error(xml, XML_ERROR_INVALID_ARGUMENT, "parser must be a root parser");
}

Parser* new_parser(PyObject* interned) {
  auto* self = self_of(parser_type->tp_alloc(parser_type, 0));
  if (self == nullptr) return nullptr;
  self->buffer_size = kDefaultBuffer;
  self->interned = Py_XNewRef(interned);
  return self;
}

void connect(Parser* self) {
  XML_SetUserData(self->xml, self);
  XML_SetUnknownEncodingHandler(self->xml, on_unknown_encoding, self);
}

bool set_buffering(Parser* self, bool on) {
  if (!on) {
    if (!flush_text(self)) return false;
    PyMem_Free(std::exchange(self->buffer, nullptr));
    return true;
  }
  if (self->buffer != nullptr) return true;
  self->buffer = static_cast<char*>(PyMem_Malloc(static_cast<size_t>(self->buffer_size)));
  self->buffer_used = 0;
  if (self->buffer == nullptr) PyErr_NoMemory();
  return self->buffer != nullptr;
}

PyObject* parser_external_entity(PyObject* object, PyObject* args) {
  const char *context, *encoding = nullptr;
  if (!PyArg_ParseTuple(args, "z|s:ExternalEntityParserCreate", &context, &encoding)) return nullptr;
  Parser* parent = self_of(object);
  Parser* self = new_parser(parent->interned);
  if (self == nullptr) return nullptr;
  Ref result(reinterpret_cast<PyObject*>(self));
  self->ordered = parent->ordered;
  self->specified = parent->specified;
  self->prefixes = parent->prefixes;
  self->buffer_size = parent->buffer_size;
  self->parent = Py_NewRef(object);
  if (parent->buffer != nullptr && !set_buffering(self, true)) return nullptr;
  self->xml = XML_ExternalEntityParserCreate(parent->xml, context, encoding);
  if (self->xml == nullptr) return PyErr_NoMemory();
  connect(self);
  for (int i = 0; i < kHandlers; i++) {
    if (parent->handlers[i] == nullptr) continue;
    self->handlers[i] = Py_NewRef(parent->handlers[i]);
    handler_table[i].install(self->xml, true);
  }
  return result.release();
}

// ---- attributes ----

template <auto f>
PyObject* get_number(PyObject* self, void*) {
  return PyLong_FromLongLong(static_cast<long long>(f(self_of(self)->xml)));
}
template <bool Parser::* flag>
PyObject* get_flag(PyObject* self, void*) {
  return PyBool_FromLong(self_of(self)->*flag);
}
bool to_flag(PyObject* value, bool* flag) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "Cannot delete attribute");
    return false;
  }
  const int truth = PyObject_IsTrue(value);
  *flag = truth > 0;
  return truth >= 0;
}
template <bool Parser::* flag>
int set_flag(PyObject* self, PyObject* value, void*) {
  return to_flag(value, &(self_of(self)->*flag)) ? 0 : -1;
}
int set_prefixes(PyObject* object, PyObject* value, void*) {
  Parser* self = self_of(object);
  if (!to_flag(value, &self->prefixes)) return -1;
  XML_SetReturnNSTriplet(self->xml, self->prefixes);
  return 0;
}
PyObject* get_buffer_text(PyObject* self, void*) { return PyBool_FromLong(self_of(self)->buffer != nullptr); }
int set_buffer_text(PyObject* self, PyObject* value, void*) {
  bool on;
  return to_flag(value, &on) && set_buffering(self_of(self), on) ? 0 : -1;
}
PyObject* get_buffer_size(PyObject* self, void*) { return PyLong_FromLong(self_of(self)->buffer_size); }
int set_buffer_size(PyObject* object, PyObject* value, void*) {
  if (value == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "Cannot delete attribute");
    return -1;
  }
  if (!PyLong_Check(value)) {
    PyErr_SetString(PyExc_TypeError, "buffer_size must be an integer");
    return -1;
  }
  const long size = PyLong_AsLong(value);
  Parser* self = self_of(object);
  if (size == self->buffer_size) return 0;
  if (size == -1 && PyErr_Occurred()) return -1;
  if (size <= 0) {
    PyErr_SetString(PyExc_ValueError, "buffer_size must be greater than zero");
    return -1;
  }
  if (size > INT_MAX) {
    PyErr_Format(PyExc_ValueError, "buffer_size must not be greater than %i", INT_MAX);
    return -1;
  }
  const bool on = self->buffer != nullptr;
  if (on && !set_buffering(self, false)) return -1;
  self->buffer_size = static_cast<int>(size);
  return !on || set_buffering(self, true) ? 0 : -1;
}
PyObject* get_buffer_used(PyObject* self, void*) {
  return PyLong_FromLong(self_of(self)->buffer == nullptr ? 0 : self_of(self)->buffer_used);
}
PyObject* get_intern(PyObject* self, void*) {
  PyObject* interned = self_of(self)->interned;
  return Py_NewRef(interned == nullptr ? Py_None : interned);
}

int parser_traverse(PyObject* object, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(object));
  Parser* self = self_of(object);
  Py_VISIT(self->parent);
  Py_VISIT(self->interned);
  for (PyObject* handler : self->handlers) Py_VISIT(handler);
  return 0;
}
int parser_clear(PyObject* object) {
  Parser* self = self_of(object);
  for (PyObject*& handler : self->handlers) Py_CLEAR(handler);
  Py_CLEAR(self->interned);
  return 0;
}
void parser_dealloc(PyObject* object) {
  PyObject_GC_UnTrack(object);
  Parser* self = self_of(object);
  PyTypeObject* type = Py_TYPE(object);
  parser_clear(object);
  if (self->xml != nullptr) XML_ParserFree(self->xml);
  Py_CLEAR(self->parent);
  PyMem_Free(self->buffer);
  type->tp_free(object);
  Py_DECREF(type);
}

PyMethodDef parser_methods[] = {
    {"Parse", ext::method(ext::locked<parser_parse>), METH_FASTCALL,
     "Parse($self, data, isfinal=False, /)\n--\n\nParse XML data.\n\n'isfinal' should be true at end of input."},
    {"ParseFile", ext::locked<parser_parse_file>, METH_O,
     "ParseFile($self, file, /)\n--\n\nParse XML data from file-like object."},
    {"SetBase", ext::locked<parser_set_base>, METH_O, "SetBase($self, base, /)\n--\n\nSet the base URL for the parser."},
    {"GetBase", ext::locked<parser_get_base>, METH_NOARGS, "GetBase($self, /)\n--\n\nReturn base URL string for the parser."},
    {"GetInputContext", ext::locked<parser_input_context>, METH_NOARGS,
     "GetInputContext($self, /)\n--\n\nThe untranslated text of the input that caused the current event."},
    {"ExternalEntityParserCreate", ext::locked<parser_external_entity>, METH_VARARGS,
     "ExternalEntityParserCreate($self, context, encoding=<unrepresentable>, /)\n--\n\n"
     "A parser for an external entity, from the context that its handler was given."},
    {"SetParamEntityParsing", ext::locked<parser_set_entity_parsing>, METH_O,
     "SetParamEntityParsing($self, flag, /)\n--\n\nControls parsing of parameter entities."},
    {"UseForeignDTD", ext::method(ext::locked<parser_use_foreign>), METH_FASTCALL,
     "UseForeignDTD($self, flag=True, /)\n--\n\nAllows the application to provide an artificial external subset."},
    {"SetBillionLaughsAttackProtectionMaximumAmplification", ext::locked<parser_set_amplification>, METH_O,
     "SetBillionLaughsAttackProtectionMaximumAmplification($self, max_factor, /)\n--\n\n"},
    {"SetBillionLaughsAttackProtectionActivationThreshold", ext::locked<parser_set_activation>, METH_O,
     "SetBillionLaughsAttackProtectionActivationThreshold($self, threshold, /)\n--\n\n"},
    {"SetReparseDeferralEnabled", ext::locked<parser_set_deferral>, METH_O, "SetReparseDeferralEnabled($self, enabled, /)\n--\n\n"},
    {"GetReparseDeferralEnabled", ext::locked<parser_get_deferral>, METH_NOARGS, "GetReparseDeferralEnabled($self, /)\n--\n\n"},
    {nullptr, nullptr, 0, nullptr}};

constexpr int kOther = 15;
PyGetSetDef parser_getset[kHandlers + kOther + 1] = {
    {"ErrorCode", ext::locked<get_number<XML_GetErrorCode>>, nullptr, nullptr, nullptr},
    {"ErrorLineNumber", ext::locked<get_number<XML_GetErrorLineNumber>>, nullptr, nullptr, nullptr},
    {"ErrorColumnNumber", ext::locked<get_number<XML_GetErrorColumnNumber>>, nullptr, nullptr, nullptr},
    {"ErrorByteIndex", ext::locked<get_number<XML_GetErrorByteIndex>>, nullptr, nullptr, nullptr},
    {"CurrentLineNumber", ext::locked<get_number<XML_GetCurrentLineNumber>>, nullptr, nullptr, nullptr},
    {"CurrentColumnNumber", ext::locked<get_number<XML_GetCurrentColumnNumber>>, nullptr, nullptr, nullptr},
    {"CurrentByteIndex", ext::locked<get_number<XML_GetCurrentByteIndex>>, nullptr, nullptr, nullptr},
    {"buffer_size", ext::locked<get_buffer_size>, ext::locked<set_buffer_size>, nullptr, nullptr},
    {"buffer_text", ext::locked<get_buffer_text>, ext::locked<set_buffer_text>, nullptr, nullptr},
    {"buffer_used", ext::locked<get_buffer_used>, nullptr, nullptr, nullptr},
    {"namespace_prefixes", ext::locked<get_flag<&Parser::prefixes>>, ext::locked<set_prefixes>, nullptr, nullptr},
    {"ordered_attributes", ext::locked<get_flag<&Parser::ordered>>, ext::locked<set_flag<&Parser::ordered>>, nullptr, nullptr},
    {"specified_attributes", ext::locked<get_flag<&Parser::specified>>, ext::locked<set_flag<&Parser::specified>>, nullptr, nullptr},
    {"intern", ext::locked<get_intern>, nullptr, nullptr, nullptr},
};
PyType_Slot parser_slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(parser_dealloc)},
                              {Py_tp_traverse, reinterpret_cast<void*>(parser_traverse)},
                              {Py_tp_clear, reinterpret_cast<void*>(parser_clear)},
                              {Py_tp_methods, parser_methods},
                              {Py_tp_getset, parser_getset},
                              {Py_tp_doc, const_cast<char*>("XML parser")},
                              {0, nullptr}};
PyType_Spec parser_spec = {"pyexpat.xmlparser", sizeof(Parser), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                               Py_TPFLAGS_IMMUTABLETYPE,
                           parser_slots};

// ---- the module ----

PyObject* parser_create(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"encoding", "namespace_separator", "intern", nullptr};
  const char *encoding = nullptr, *separator = nullptr;
  PyObject* intern = nullptr;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|zzO:ParserCreate", const_cast<char**>(keywords), &encoding, &separator,
                                   &intern))
    return nullptr;
  if (separator != nullptr && strlen(separator) > 1) {
    PyErr_SetString(PyExc_ValueError, "namespace_separator must be at most one character, omitted, or None");
    return nullptr;
  }
  Ref names;
  if (intern == nullptr) {
    names = Ref(PyDict_New());
    if (!names) return nullptr;
  } else if (PyDict_Check(intern)) {
    names = Ref(Py_NewRef(intern));
  } else if (intern != Py_None) {
    PyErr_SetString(PyExc_TypeError, "intern must be a dictionary");
    return nullptr;
  }
  Parser* self = new_parser(names.get());
  if (self == nullptr) return nullptr;
  Ref result(reinterpret_cast<PyObject*>(self));
  self->xml = XML_ParserCreate_MM(encoding, nullptr, separator);
  if (self->xml == nullptr) {
    PyErr_SetString(PyExc_RuntimeError, "XML_ParserCreate failed");
    return nullptr;
  }
  connect(self);
  return result.release();
}

PyObject* error_string(PyObject*, PyObject* code) {
  int number;
  if (!ext::to_int(code, &number)) return nullptr;
  const char* text = XML_ErrorString(static_cast<XML_Error>(number));
  return text == nullptr ? Py_NewRef(Py_None) : PyUnicode_FromString(text);
}

#define MODEL(name) {#name, name}
const ext::IntConstant model_constants[] = {
    MODEL(XML_CTYPE_EMPTY), MODEL(XML_CTYPE_ANY),    MODEL(XML_CTYPE_MIXED), MODEL(XML_CTYPE_NAME),
    MODEL(XML_CTYPE_CHOICE), MODEL(XML_CTYPE_SEQ),   MODEL(XML_CQUANT_NONE), MODEL(XML_CQUANT_OPT),
    MODEL(XML_CQUANT_REP),  MODEL(XML_CQUANT_PLUS),
};
const ext::IntConstant parsing_constants[] = {
    MODEL(XML_PARAM_ENTITY_PARSING_NEVER), MODEL(XML_PARAM_ENTITY_PARSING_UNLESS_STANDALONE),
    MODEL(XML_PARAM_ENTITY_PARSING_ALWAYS)};
// In the order of their codes, which begin with 1. Newer libraries know more of them than older headers.
const char* const error_names[] = {
    "NO_MEMORY", "SYNTAX", "NO_ELEMENTS", "INVALID_TOKEN", "UNCLOSED_TOKEN", "PARTIAL_CHAR", "TAG_MISMATCH",
    "DUPLICATE_ATTRIBUTE", "JUNK_AFTER_DOC_ELEMENT", "PARAM_ENTITY_REF", "UNDEFINED_ENTITY", "RECURSIVE_ENTITY_REF",
    "ASYNC_ENTITY", "BAD_CHAR_REF", "BINARY_ENTITY_REF", "ATTRIBUTE_EXTERNAL_ENTITY_REF", "MISPLACED_XML_PI",
    "UNKNOWN_ENCODING", "INCORRECT_ENCODING", "UNCLOSED_CDATA_SECTION", "EXTERNAL_ENTITY_HANDLING", "NOT_STANDALONE",
    "UNEXPECTED_STATE", "ENTITY_DECLARED_IN_PE", "FEATURE_REQUIRES_XML_DTD", "CANT_CHANGE_FEATURE_ONCE_PARSING",
    "UNBOUND_PREFIX", "UNDECLARING_PREFIX", "INCOMPLETE_PE", "XML_DECL", "TEXT_DECL", "PUBLICID", "SUSPENDED",
    "NOT_SUSPENDED", "ABORTED", "FINISHED", "SUSPEND_PE", "RESERVED_PREFIX_XML", "RESERVED_PREFIX_XMLNS",
    "RESERVED_NAMESPACE_URI", "INVALID_ARGUMENT", "NO_BUFFER", "AMPLIFICATION_LIMIT_BREACH", "NOT_STARTED",
};

// A module inside this one, listed in sys.modules.
Ref add_submodule(PyObject* module, const char* full_name, const char* name) {
  Ref part(PyImport_AddModuleRef(full_name));
  if (part && PyModule_AddObjectRef(module, name, part.get()) < 0) return Ref();
  return part;
}

int add_errors(PyObject* module) {
  Ref errors = add_submodule(module, "pyexpat.errors", "errors");
  Ref codes(PyDict_New()), messages(PyDict_New());
  if (!errors || !codes || !messages) return -1;
  int code = 0;
  for (const char* name : error_names) {
    const char* message = XML_ErrorString(static_cast<XML_Error>(++code));
    if (message == nullptr) continue;
    Ref full_name(PyUnicode_FromFormat("XML_ERROR_%s", name)), text(PyUnicode_FromString(message)),
        number(PyLong_FromLong(code));
    if (!full_name || !text || !number || PyObject_SetAttr(errors.get(), full_name.get(), text.get()) < 0 ||
        PyDict_SetItem(codes.get(), text.get(), number.get()) < 0 ||
        PyDict_SetItem(messages.get(), number.get(), text.get()) < 0)
      return -1;
  }
  if (PyModule_AddStringConstant(errors.get(), "__doc__", "Constants used to describe error conditions.") < 0) return -1;
  return PyModule_AddObjectRef(errors.get(), "codes", codes.get()) < 0 ||
                 PyModule_AddObjectRef(errors.get(), "messages", messages.get()) < 0
             ? -1
             : 0;
}

int add_features(PyObject* module) {
  Ref list(PyList_New(0));
  if (!list) return -1;
  for (const XML_Feature* f = XML_GetFeatureList(); f->feature != XML_FEATURE_END; f++) {
    Ref item(Py_BuildValue("(sl)", f->name, f->value));
    if (!item || PyList_Append(list.get(), item.get()) < 0) return -1;
  }
  return PyModule_AddObjectRef(module, "features", list.get());
}

int execute(PyObject* module) {
  int used = 0;
  while (parser_getset[used].name != nullptr) used++;
  for (int i = 0; i < kHandlers && used < kHandlers + kOther; i++) {
    parser_getset[used++] = {handler_table[i].name, ext::locked<get_handler>, ext::locked<set_handler>, nullptr,
                             const_cast<HandlerInfo*>(&handler_table[i])};
  }
  if (!ext::keep(&parser_type, PyType_FromModuleAndSpec(module, &parser_spec, nullptr)) ||
      !ext::keep(&error_type, PyErr_NewException("xml.parsers.expat.ExpatError", nullptr, nullptr))) {
    return -1;
  }
  const XML_Expat_Version version = XML_ExpatVersionInfo();
  if (PyModule_AddObjectRef(module, "error", error_type) < 0 ||
      PyModule_AddObjectRef(module, "ExpatError", error_type) < 0 ||
      PyModule_AddObjectRef(module, "XMLParserType", reinterpret_cast<PyObject*>(parser_type)) < 0 ||
      PyModule_AddStringConstant(module, "EXPAT_VERSION", XML_ExpatVersion()) < 0 ||
      PyModule_Add(module, "version_info", Py_BuildValue("(iii)", version.major, version.minor, version.micro)) < 0 ||
      PyModule_AddStringConstant(module, "native_encoding", "UTF-8") < 0 ||
      ext::add_constants(module, parsing_constants) < 0 || add_errors(module) < 0 || add_features(module) < 0)
    return -1;
  Ref model = add_submodule(module, "pyexpat.model", "model");
  if (!model || PyModule_AddStringConstant(model.get(), "__doc__", "Constants used to interpret content model information.") < 0)
    return -1;
  return ext::add_constants(model.get(), model_constants);
}

PyMethodDef methods[] = {
    {"ParserCreate", ext::method(parser_create), METH_VARARGS | METH_KEYWORDS,
     "ParserCreate($module, /, encoding=None, namespace_separator=None,\n             intern=<unrepresentable>)\n--\n\n"
     "Return a new XML parser object."},
    {"ErrorString", error_string, METH_O,
     "ErrorString($module, code, /)\n--\n\nReturns string error for given number."},
    {nullptr, nullptr, 0, nullptr}};
PyModuleDef_Slot slots[] = EXT_MODULE_SLOTS(execute);
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "pyexpat",
    .m_doc = "Python wrapper for Expat parser.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit_pyexpat(void) { return PyModuleDef_Init(&definition); }
