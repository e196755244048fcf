// _json: the fast paths of json.decoder, json.encoder and json.scanner. Uses the public C API only.
//
// The scanner walks the text by index in the string's own width; the encoder appends pieces to a PyUnicodeWriter.
#include <Python.h>

#include <atomic>
#include <cstring>
#include <memory>
#include <string>

namespace {

struct Decref {
  Py_ALWAYS_INLINE void operator()(PyObject* o) const { Py_XDECREF(o); }
};
using Owned = std::unique_ptr<PyObject, Decref>;

// --- strings

PyObject* decode_error(const char* message, PyObject* text, Py_ssize_t at) {
  Owned module(PyImport_ImportModule("json.decoder"));
  if (!module) return nullptr;
  Owned cls(PyObject_GetAttrString(module.get(), "JSONDecodeError"));
  if (!cls) return nullptr;
  Owned exc(PyObject_CallFunction(cls.get(), "sOn", message, text, at));
  if (exc) PyErr_SetObject(cls.get(), exc.get());
  return nullptr;
}

PyObject* stop_iteration(Py_ssize_t at) {
  Owned value(PyLong_FromSsize_t(at));
  if (value) PyErr_SetObject(PyExc_StopIteration, value.get());
  return nullptr;
}

int hex_digit(Py_UCS4 c) {
  if (c >= '0' && c <= '9') return static_cast<int>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<int>(c - 'a' + 10);
  if (c >= 'A' && c <= 'F') return static_cast<int>(c - 'A' + 10);
  return -1;
}

// A text with its storage at hand.
struct Text {
  PyObject* object;
  int kind;
  const void* data;
  Py_ssize_t length;
  explicit Text(PyObject* o)
      : object(o), kind(PyUnicode_KIND(o)), data(PyUnicode_DATA(o)), length(PyUnicode_GET_LENGTH(o)) {}
  Py_UCS4 operator[](Py_ssize_t i) const { return PyUnicode_READ(kind, data, i); }
  bool at(Py_ssize_t i, Py_UCS4 c) const { return i < length && (*this)[i] == c; }
};

bool four_hex(const Text& s, Py_ssize_t at, Py_UCS4* code) {
  if (at + 4 > s.length) return false;
  Py_UCS4 value = 0;
  for (int i = 0; i < 4; ++i) {
    int digit = hex_digit(s[at + i]);
    if (digit < 0) return false;
    value = value << 4 | static_cast<Py_UCS4>(digit);
  }
  *code = value;
  return true;
}

// Scans the string whose first character is s[begin]; *end is the index after the closing quote.
PyObject* scan_string(const Text& s, Py_ssize_t begin, bool strict, Py_ssize_t* end) {
  const Py_ssize_t quote = begin - 1;
  if (begin < 0 || begin > s.length) {
    PyErr_SetString(PyExc_ValueError, "end is out of bounds");
    return nullptr;
  }
  PyUnicodeWriter* writer = nullptr;
  Py_ssize_t at = begin;
  struct Discard {
    PyUnicodeWriter*& w;
    ~Discard() {
      if (w) PyUnicodeWriter_Discard(w);
    }
  } discard{writer};
  for (;;) {
    Py_ssize_t run = at;
    Py_UCS4 c = 0;
    for (; run < s.length; ++run) {
      c = s[run];
      if (c == '"' || c == '\\') break;
      if (c <= 0x1f && strict) return decode_error("Invalid control character at", s.object, run);
    }
    if (run >= s.length) return decode_error("Unterminated string starting at", s.object, quote);
    if (c == '"' && writer == nullptr) {
      *end = run + 1;
      return PyUnicode_Substring(s.object, begin, run);
    }
    if (writer == nullptr) {
      writer = PyUnicodeWriter_Create(run - begin + 16);
      if (writer == nullptr) return nullptr;
    }
    if (run > at && PyUnicodeWriter_WriteSubstring(writer, s.object, at, run) < 0) return nullptr;
    if (c == '"') {
      *end = run + 1;
      PyUnicodeWriter* done = writer;
      writer = nullptr;
      return PyUnicodeWriter_Finish(done);
    }
    at = run + 1;
    if (at >= s.length) return decode_error("Unterminated string starting at", s.object, quote);
    c = s[at];
    Py_UCS4 out;
    switch (c) {
      case '"': case '\\': case '/': out = c; break;
      case 'b': out = '\b'; break;
      case 'f': out = '\f'; break;
      case 'n': out = '\n'; break;
      case 'r': out = '\r'; break;
      case 't': out = '\t'; break;
      case 'u': {
        if (!four_hex(s, at + 1, &out)) return decode_error("Invalid \\uXXXX escape", s.object, at);
        at += 4;
        Py_UCS4 low;
        if (Py_UNICODE_IS_HIGH_SURROGATE(out) && s.at(at + 1, '\\') && s.at(at + 2, 'u') &&
            four_hex(s, at + 3, &low) && Py_UNICODE_IS_LOW_SURROGATE(low)) {
          out = Py_UNICODE_JOIN_SURROGATES(out, low);
          at += 6;
        }
        break;
      }
      default:
        return decode_error("Invalid \\escape: ", s.object, at - 1);
    }
    if (PyUnicodeWriter_WriteChar(writer, out) < 0) return nullptr;
    ++at;
  }
}

PyObject* json_scanstring(PyObject*, PyObject* args) {
  PyObject* text;
  Py_ssize_t end;
  int strict = 1;
  if (!PyArg_ParseTuple(args, "On|p:scanstring", &text, &end, &strict)) return nullptr;
  if (!PyUnicode_Check(text)) {
    PyErr_Format(PyExc_TypeError, "first argument must be a string, not %.80s", Py_TYPE(text)->tp_name);
    return nullptr;
  }
  Py_ssize_t next;
  Owned value(scan_string(Text(text), end, strict != 0, &next));
  return value ? Py_BuildValue("(On)", value.get(), next) : nullptr;
}

// --- the scanner

struct Scanner {
  PyObject_HEAD
  int strict;
  PyObject *object_hook, *object_pairs_hook, *parse_float, *parse_int, *parse_constant;
  std::atomic<int> calls;  // up to kOften
};
// A scanner that is called so often is one that a decoder keeps, and threads may share.
constexpr int kOften = 64;
Scanner* as_scanner(PyObject* o) { return reinterpret_cast<Scanner*>(o); }

// One call of the scanner: equal keys of a document share one string.
struct Scan {
  Scanner* scanner;
  Text s;
  Owned memo;

  void skip_space(Py_ssize_t* i) const {
    while (*i < s.length) {
      Py_UCS4 c = s[*i];
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') return;
      ++*i;
    }
  }
  bool word(Py_ssize_t i, const char* text) const {
    Py_ssize_t n = static_cast<Py_ssize_t>(strlen(text));
    if (i + n > s.length) return false;
    for (Py_ssize_t k = 0; k < n; ++k) {
      if (s[i + k] != static_cast<unsigned char>(text[k])) return false;
    }
    return true;
  }
  PyObject* constant(const char* name) const {
    return PyObject_CallFunction(scanner->parse_constant, "s", name);
  }
  PyObject* value(Py_ssize_t i, Py_ssize_t* end);
  PyObject* number(Py_ssize_t i, Py_ssize_t* end);
  PyObject* array(Py_ssize_t i, Py_ssize_t* end);
  PyObject* object(Py_ssize_t i, Py_ssize_t* end);
};

PyObject* Scan::number(Py_ssize_t start, Py_ssize_t* end) {
  Py_ssize_t i = start;
  if (s.at(i, '-')) ++i;
  auto digit = [&](Py_ssize_t k) { return k < s.length && s[k] >= '0' && s[k] <= '9'; };
  if (!digit(i)) return stop_iteration(start);
  if (s[i] == '0') {
    ++i;
  } else {
    while (digit(i)) ++i;
  }
  bool is_float = false;
  if (s.at(i, '.') && digit(i + 1)) {
    is_float = true;
    i += 2;
    while (digit(i)) ++i;
  }
  if (s.at(i, 'e') || s.at(i, 'E')) {
    Py_ssize_t k = i + 1;
    if (s.at(k, '-') || s.at(k, '+')) ++k;
    if (digit(k)) {
      is_float = true;
      while (digit(k)) ++k;
      i = k;
    }
  }
  *end = i;
  PyObject* parse = is_float ? scanner->parse_float : scanner->parse_int;
  PyTypeObject* native = is_float ? &PyFloat_Type : &PyLong_Type;
  if (parse != reinterpret_cast<PyObject*>(native)) {
    Owned text(PyUnicode_Substring(s.object, start, i));
    return text ? PyObject_CallOneArg(parse, text.get()) : nullptr;
  }
  char few[64];
  std::string many;
  char* buffer = few;
  const Py_ssize_t n = i - start;
  if (n >= static_cast<Py_ssize_t>(sizeof few)) {
    many.resize(static_cast<size_t>(n) + 1);
    buffer = many.data();
  }
  for (Py_ssize_t k = 0; k < n; ++k) buffer[k] = static_cast<char>(s[start + k]);
  buffer[n] = '\0';
  if (!is_float) {
    if (n < 18) return PyLong_FromLongLong(strtoll(buffer, nullptr, 10));
    return PyLong_FromString(buffer, nullptr, 10);
  }
  double d = PyOS_string_to_double(buffer, nullptr, nullptr);
  if (d == -1.0 && PyErr_Occurred()) return nullptr;
  return PyFloat_FromDouble(d);
}

PyObject* Scan::array(Py_ssize_t i, Py_ssize_t* end) {
  Owned list(PyList_New(0));
  if (!list) return nullptr;
  skip_space(&i);
  if (s.at(i, ']')) {
    *end = i + 1;
    return list.release();
  }
  for (;;) {
    Owned item(value(i, &i));
    if (!item || PyList_Append(list.get(), item.get()) < 0) return nullptr;
    skip_space(&i);
    if (s.at(i, ']')) {
      *end = i + 1;
      return list.release();
    }
    if (!s.at(i, ',')) return decode_error("Expecting ',' delimiter", s.object, i);
    const Py_ssize_t comma = i;
    ++i;
    skip_space(&i);
    if (s.at(i, ']')) return decode_error("Illegal trailing comma before end of array", s.object, comma);
  }
}

PyObject* Scan::object(Py_ssize_t i, Py_ssize_t* end) {
  const bool pairs_hook = scanner->object_pairs_hook != Py_None;
  Owned result(pairs_hook ? PyList_New(0) : PyDict_New());
  if (!result) return nullptr;
  skip_space(&i);
  if (!s.at(i, '}')) {
    for (;;) {
      if (!s.at(i, '"')) return decode_error("Expecting property name enclosed in double quotes", s.object, i);
      Owned key(scan_string(s, i + 1, scanner->strict != 0, &i));
      if (!key) return nullptr;
      PyObject* shared;
      if (PyDict_SetDefaultRef(memo.get(), key.get(), key.get(), &shared) < 0) return nullptr;
      key.reset(shared);
      skip_space(&i);
      if (!s.at(i, ':')) return decode_error("Expecting ':' delimiter", s.object, i);
      ++i;
      skip_space(&i);
      Owned item(value(i, &i));
      if (!item) return nullptr;
      if (pairs_hook) {
        Owned pair(PyTuple_Pack(2, key.get(), item.get()));
        if (!pair || PyList_Append(result.get(), pair.get()) < 0) return nullptr;
      } else if (PyDict_SetItem(result.get(), key.get(), item.get()) < 0) {
        return nullptr;
      }
      skip_space(&i);
      if (s.at(i, '}')) break;
      if (!s.at(i, ',')) return decode_error("Expecting ',' delimiter", s.object, i);
      const Py_ssize_t comma = i;
      ++i;
      skip_space(&i);
      if (s.at(i, '}')) return decode_error("Illegal trailing comma before end of object", s.object, comma);
    }
  }
  *end = i + 1;
  if (pairs_hook) return PyObject_CallOneArg(scanner->object_pairs_hook, result.get());
  if (scanner->object_hook != Py_None) return PyObject_CallOneArg(scanner->object_hook, result.get());
  return result.release();
}

PyObject* Scan::value(Py_ssize_t i, Py_ssize_t* end) {
  if (i < 0) {
    PyErr_SetString(PyExc_ValueError, "idx cannot be negative");
    return nullptr;
  }
  if (i >= s.length) return stop_iteration(i);
  PyObject* result;
  switch (s[i]) {
    case '"':
      return scan_string(s, i + 1, scanner->strict != 0, end);
    case '{':
    case '[':
      if (Py_EnterRecursiveCall(" while decoding a JSON document from a unicode string")) return nullptr;
      result = s[i] == '{' ? object(i + 1, end) : array(i + 1, end);
      Py_LeaveRecursiveCall();
      return result;
    case 'n':
      if (!word(i, "null")) break;
      *end = i + 4;
      Py_RETURN_NONE;
    case 't':
      if (!word(i, "true")) break;
      *end = i + 4;
      Py_RETURN_TRUE;
    case 'f':
      if (!word(i, "false")) break;
      *end = i + 5;
      Py_RETURN_FALSE;
    case 'N':
      if (!word(i, "NaN")) break;
      *end = i + 3;
      return constant("NaN");
    case 'I':
      if (!word(i, "Infinity")) break;
      *end = i + 8;
      return constant("Infinity");
    case '-':
      if (!word(i, "-Infinity")) break;
      *end = i + 9;
      return constant("-Infinity");
    default:
      break;
  }
  return number(i, end);
}

PyObject* scanner_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"string", "idx", nullptr};
  PyObject* text;
  Py_ssize_t at;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "On:scan_once", const_cast<char**>(keywords), &text, &at)) {
    return nullptr;
  }
  if (!PyUnicode_Check(text)) {
    PyErr_Format(PyExc_TypeError, "first argument must be a string, not %.80s", Py_TYPE(text)->tp_name);
    return nullptr;
  }
  Scanner* scanner = as_scanner(self);
  if (scanner->calls.load(std::memory_order_relaxed) < kOften &&
      scanner->calls.fetch_add(1, std::memory_order_relaxed) == kOften - 1) {
    PyUnstable_Object_EnableDeferredRefcount(self);
  }
  Scan scan{scanner, Text(text), Owned(PyDict_New())};
  if (!scan.memo) return nullptr;
  Py_ssize_t end;
  Owned value(scan.value(at, &end));
  return value ? Py_BuildValue("(On)", value.get(), end) : nullptr;
}

PyObject* scanner_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"context", nullptr};
  PyObject* context;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O:make_scanner", const_cast<char**>(keywords), &context)) {
    return nullptr;
  }
  Owned self(type->tp_alloc(type, 0));
  if (!self) return nullptr;
  Scanner* s = as_scanner(self.get());
  Owned strict(PyObject_GetAttrString(context, "strict"));
  if (!strict || (s->strict = PyObject_IsTrue(strict.get())) < 0) return nullptr;
  const struct {
    PyObject** field;
    const char* name;
  } fields[] = {{&s->object_hook, "object_hook"},
                {&s->object_pairs_hook, "object_pairs_hook"},
                {&s->parse_float, "parse_float"},
                {&s->parse_int, "parse_int"},
                {&s->parse_constant, "parse_constant"}};
  for (const auto& f : fields) {
    *f.field = PyObject_GetAttrString(context, f.name);
    if (*f.field == nullptr) return nullptr;
  }
  return self.release();
}
int scanner_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Scanner* s = as_scanner(self);
  Py_VISIT(s->object_hook);
  Py_VISIT(s->object_pairs_hook);
  Py_VISIT(s->parse_float);
  Py_VISIT(s->parse_int);
  Py_VISIT(s->parse_constant);
  return 0;
}
int scanner_clear(PyObject* self) {
  Scanner* s = as_scanner(self);
  Py_CLEAR(s->object_hook);
  Py_CLEAR(s->object_pairs_hook);
  Py_CLEAR(s->parse_float);
  Py_CLEAR(s->parse_int);
  Py_CLEAR(s->parse_constant);
  return 0;
}
void scanner_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  scanner_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

// --- encoding strings

// Writes `text` quoted; ascii: everything beyond ASCII escaped.
int write_quoted(PyUnicodeWriter* w, PyObject* text, bool ascii) {
  const Text s(text);
  if (PyUnicodeWriter_WriteChar(w, '"') < 0) return -1;
  Py_ssize_t from = 0;
  for (Py_ssize_t i = 0; i < s.length; ++i) {
    const Py_UCS4 c = s[i];
    if (c >= 0x20 && c != '"' && c != '\\' && (c < 0x7f || !ascii)) continue;
    if (i > from && PyUnicodeWriter_WriteSubstring(w, text, from, i) < 0) return -1;
    from = i + 1;
    char buffer[16];
    switch (c) {
      case '"': strcpy(buffer, "\\\""); break;
      case '\\': strcpy(buffer, "\\\\"); break;
      case '\b': strcpy(buffer, "\\b"); break;
      case '\f': strcpy(buffer, "\\f"); break;
      case '\n': strcpy(buffer, "\\n"); break;
      case '\r': strcpy(buffer, "\\r"); break;
      case '\t': strcpy(buffer, "\\t"); break;
      default:
        if (c > 0xffff) {
          PyOS_snprintf(buffer, sizeof buffer, "\\u%04x\\u%04x", Py_UNICODE_HIGH_SURROGATE(c),
                        Py_UNICODE_LOW_SURROGATE(c));
        } else {
          PyOS_snprintf(buffer, sizeof buffer, "\\u%04x", c);
        }
    }
    if (PyUnicodeWriter_WriteASCII(w, buffer, static_cast<Py_ssize_t>(strlen(buffer))) < 0) return -1;
  }
  if (s.length > from && PyUnicodeWriter_WriteSubstring(w, text, from, s.length) < 0) return -1;
  return PyUnicodeWriter_WriteChar(w, '"');
}

PyObject* quoted(PyObject* text, bool ascii) {
  if (!PyUnicode_Check(text)) {
    PyErr_Format(PyExc_TypeError, "first argument must be a string, not %.80s", Py_TYPE(text)->tp_name);
    return nullptr;
  }
  PyUnicodeWriter* w = PyUnicodeWriter_Create(PyUnicode_GET_LENGTH(text) + 2);
  if (w == nullptr) return nullptr;
  if (write_quoted(w, text, ascii) < 0) {
    PyUnicodeWriter_Discard(w);
    return nullptr;
  }
  return PyUnicodeWriter_Finish(w);
}
PyObject* json_encode_ascii(PyObject*, PyObject* text) { return quoted(text, true); }
PyObject* json_encode(PyObject*, PyObject* text) { return quoted(text, false); }

// --- the encoder

enum class Quoting { kAscii, kPlain, kCall };

struct Encoder {
  PyObject_HEAD
  PyObject *markers, *fallback, *encoder, *indent, *key_separator, *item_separator;
  bool sort_keys, skip_keys, allow_nan;
  Quoting quoting;
};
Encoder* as_encoder(PyObject* o) { return reinterpret_cast<Encoder*>(o); }

struct Encode {
  Encoder* e;
  PyUnicodeWriter* w;
  Py_ssize_t level;

  int text(const char* s) { return PyUnicodeWriter_WriteASCII(w, s, static_cast<Py_ssize_t>(strlen(s))); }
  int newline() {
    if (e->indent == Py_None) return 0;
    if (PyUnicodeWriter_WriteChar(w, '\n') < 0) return -1;
    for (Py_ssize_t i = 0; i < level; ++i) {
      if (PyUnicodeWriter_WriteStr(w, e->indent) < 0) return -1;
    }
    return 0;
  }
  int string(PyObject* s) {
    if (e->quoting != Quoting::kCall) return write_quoted(w, s, e->quoting == Quoting::kAscii);
    Owned done(PyObject_CallOneArg(e->encoder, s));
    if (!done) return -1;
    if (!PyUnicode_Check(done.get())) {
      PyErr_Format(PyExc_TypeError, "encoder() must return a string, not %.80s", Py_TYPE(done.get())->tp_name);
      return -1;
    }
    return PyUnicodeWriter_WriteStr(w, done.get());
  }
  PyObject* float_text(PyObject* o) {
    const double d = PyFloat_AS_DOUBLE(o);
    if (d != d || d - d != 0) {
      if (!e->allow_nan) {
        PyErr_Format(PyExc_ValueError, "Out of range float values are not JSON compliant: %R", o);
        return nullptr;
      }
      return PyUnicode_FromString(d != d ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
    }
    return PyFloat_Type.tp_repr(o);
  }
  // Remembers containers on the way down, to refuse circles.
  int enter(PyObject* o, Owned* id) {
    if (e->markers == Py_None) return 0;
    id->reset(PyLong_FromVoidPtr(o));
    if (!*id) return -1;
    int has = PyDict_Contains(e->markers, id->get());
    if (has != 0) {
      if (has > 0) PyErr_SetString(PyExc_ValueError, "Circular reference detected");
      return -1;
    }
    return PyDict_SetItem(e->markers, id->get(), o);
  }
  int leave(const Owned& id) { return id ? PyDict_DelItem(e->markers, id.get()) : 0; }

  int value(PyObject* o);
  int list(PyObject* o);
  int dict(PyObject* o);
  int pair(PyObject* o, PyObject* key, PyObject* item, bool* first);
};

int Encode::list(PyObject* o) {
  Owned items(PySequence_Fast(o, "_iterencode_list needs a sequence"));
  if (!items) return -1;
  if (PySequence_Fast_GET_SIZE(items.get()) == 0) return text("[]");
  Owned id;
  if (enter(o, &id) < 0 || PyUnicodeWriter_WriteChar(w, '[') < 0) return -1;
  ++level;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i) {
    // Another thread may shorten the list.
    Owned item(PyList_Check(items.get()) ? PyList_GetItemRef(items.get(), i)
                                         : Py_NewRef(PyTuple_GET_ITEM(items.get(), i)));
    if (!item) {
      PyErr_Clear();
      break;
    }
    if (i > 0 && PyUnicodeWriter_WriteStr(w, e->item_separator) < 0) return -1;
    if (newline() < 0) return -1;
    if (value(item.get()) < 0) {
      _PyErr_FormatNote("when serializing %T item %zd", o, i);
      return -1;
    }
  }
  --level;
  if (newline() < 0 || leave(id) < 0) return -1;
  return PyUnicodeWriter_WriteChar(w, ']');
}

int Encode::pair(PyObject* o, PyObject* key, PyObject* item, bool* first) {
  Owned name;
  if (PyUnicode_Check(key)) {
    name.reset(Py_NewRef(key));
  } else if (PyFloat_Check(key)) {
    name.reset(float_text(key));
  } else if (key == Py_True || key == Py_False || key == Py_None) {
    name.reset(PyUnicode_FromString(key == Py_True ? "true" : key == Py_False ? "false" : "null"));
  } else if (PyLong_Check(key)) {
    name.reset(PyLong_Type.tp_repr(key));
  } else if (e->skip_keys) {
    return 0;
  } else {
    PyErr_Format(PyExc_TypeError, "keys must be str, int, float, bool or None, not %.100s", Py_TYPE(key)->tp_name);
    return -1;
  }
  if (!name) return -1;
  if (!*first && PyUnicodeWriter_WriteStr(w, e->item_separator) < 0) return -1;
  *first = false;
  if (newline() < 0 || string(name.get()) < 0 || PyUnicodeWriter_WriteStr(w, e->key_separator) < 0) return -1;
  if (value(item) < 0) {
    _PyErr_FormatNote("when serializing %T item %R", o, key);
    return -1;
  }
  return 0;
}

int Encode::dict(PyObject* o) {
  if (PyDict_GET_SIZE(o) == 0) return text("{}");
  Owned id;
  if (enter(o, &id) < 0 || PyUnicodeWriter_WriteChar(w, '{') < 0) return -1;
  ++level;
  bool first = true;
  Owned items(PyMapping_Items(o));
  if (!items || (e->sort_keys && PyList_Sort(items.get()) < 0)) return -1;
  for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.get()); ++i) {
    PyObject* entry = PyList_GET_ITEM(items.get(), i);
    if (!PyTuple_Check(entry) || PyTuple_GET_SIZE(entry) != 2) {
      PyErr_SetString(PyExc_ValueError, "items must return 2-tuples");
      return -1;
    }
    if (pair(o, PyTuple_GET_ITEM(entry, 0), PyTuple_GET_ITEM(entry, 1), &first) < 0) return -1;
  }
  --level;
  if ((!first && newline() < 0) || leave(id) < 0) return -1;
  return PyUnicodeWriter_WriteChar(w, '}');
}

int Encode::value(PyObject* o) {
  if (o == Py_None) return text("null");
  if (o == Py_True) return text("true");
  if (o == Py_False) return text("false");
  if (PyUnicode_Check(o)) return string(o);
  if (PyLong_Check(o)) {
    Owned digits(PyLong_Type.tp_repr(o));
    return digits ? PyUnicodeWriter_WriteStr(w, digits.get()) : -1;
  }
  if (PyFloat_Check(o)) {
    Owned digits(float_text(o));
    return digits ? PyUnicodeWriter_WriteStr(w, digits.get()) : -1;
  }
  if (Py_EnterRecursiveCall(" while encoding a JSON object")) return -1;
  int status;
  if (PyList_Check(o) || PyTuple_Check(o)) {
    status = list(o);
  } else if (PyDict_Check(o)) {
    status = dict(o);
  } else {
    Owned id;
    status = enter(o, &id);
    if (status == 0) {
      Owned other(PyObject_CallOneArg(e->fallback, o));
      status = other ? value(other.get()) : -1;
      if (status < 0 && other) _PyErr_FormatNote("when serializing %T object", o);
      if (status == 0) status = leave(id);
    }
  }
  Py_LeaveRecursiveCall();
  return status;
}

PyObject* encoder_call(PyObject* self, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"obj", "_current_indent_level", nullptr};
  PyObject* o;
  Py_ssize_t level;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "On:_iterencode", const_cast<char**>(keywords), &o, &level)) {
    return nullptr;
  }
  PyUnicodeWriter* w = PyUnicodeWriter_Create(0);
  if (w == nullptr) return nullptr;
  Encode encode{as_encoder(self), w, level < 0 ? 0 : level};
  if (encode.value(o) < 0) {
    PyUnicodeWriter_Discard(w);
    return nullptr;
  }
  Owned text(PyUnicodeWriter_Finish(w));
  return text ? PyTuple_Pack(1, text.get()) : nullptr;
}

PyObject* encoder_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"markers",        "default",   "encoder",  "indent",   "key_separator",
                                         "item_separator", "sort_keys", "skipkeys", "allow_nan", nullptr};
  PyObject *markers, *fallback, *encoder, *indent, *key_separator, *item_separator;
  int sort_keys, skip_keys, allow_nan;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "OOOOUUppp:make_encoder", const_cast<char**>(keywords), &markers,
                                   &fallback, &encoder, &indent, &key_separator, &item_separator, &sort_keys,
                                   &skip_keys, &allow_nan)) {
    return nullptr;
  }
  if (markers != Py_None && !PyDict_Check(markers)) {
    PyErr_Format(PyExc_TypeError, "make_encoder() argument 1 must be dict or None, not %.200s",
                 Py_TYPE(markers)->tp_name);
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  Encoder* e = as_encoder(self);
  e->markers = Py_NewRef(markers);
  e->fallback = Py_NewRef(fallback);
  e->encoder = Py_NewRef(encoder);
  e->indent = Py_NewRef(indent);
  e->key_separator = Py_NewRef(key_separator);
  e->item_separator = Py_NewRef(item_separator);
  e->sort_keys = sort_keys != 0;
  e->skip_keys = skip_keys != 0;
  e->allow_nan = allow_nan != 0;
  e->quoting = Quoting::kCall;
  if (PyCFunction_Check(encoder)) {
    PyCFunction f = PyCFunction_GetFunction(encoder);
    if (f == json_encode_ascii) e->quoting = Quoting::kAscii;
    if (f == json_encode) e->quoting = Quoting::kPlain;
  }
  return self;
}
int encoder_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Encoder* e = as_encoder(self);
  Py_VISIT(e->markers);
  Py_VISIT(e->fallback);
  Py_VISIT(e->encoder);
  Py_VISIT(e->indent);
  Py_VISIT(e->key_separator);
  Py_VISIT(e->item_separator);
  return 0;
}
int encoder_clear(PyObject* self) {
  Encoder* e = as_encoder(self);
  Py_CLEAR(e->markers);
  Py_CLEAR(e->fallback);
  Py_CLEAR(e->encoder);
  Py_CLEAR(e->indent);
  Py_CLEAR(e->key_separator);
  Py_CLEAR(e->item_separator);
  return 0;
}
void encoder_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  encoder_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}

PyMemberDef scanner_members[] = {
    {"strict", Py_T_BOOL, offsetof(Scanner, strict), Py_READONLY, nullptr},
    {"object_hook", Py_T_OBJECT_EX, offsetof(Scanner, object_hook), Py_READONLY, nullptr},
    {"object_pairs_hook", Py_T_OBJECT_EX, offsetof(Scanner, object_pairs_hook), Py_READONLY, nullptr},
    {"parse_float", Py_T_OBJECT_EX, offsetof(Scanner, parse_float), Py_READONLY, nullptr},
    {"parse_int", Py_T_OBJECT_EX, offsetof(Scanner, parse_int), Py_READONLY, nullptr},
    {"parse_constant", Py_T_OBJECT_EX, offsetof(Scanner, parse_constant), Py_READONLY, nullptr},
    {},
};
template <typename F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}
PyType_Slot scanner_slots[] = {
    {Py_tp_doc, const_cast<char*>("JSON scanner object")},
    {Py_tp_dealloc, slot(scanner_dealloc)},
    {Py_tp_call, slot(scanner_call)},
    {Py_tp_traverse, slot(scanner_traverse)},
    {Py_tp_clear, slot(scanner_clear)},
    {Py_tp_members, scanner_members},
    {Py_tp_new, slot(scanner_new)},
    {},
};
PyType_Spec scanner_spec = {"_json.Scanner", sizeof(Scanner), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                            scanner_slots};
PyMemberDef encoder_members[] = {
    {"markers", Py_T_OBJECT_EX, offsetof(Encoder, markers), Py_READONLY, nullptr},
    {"default", Py_T_OBJECT_EX, offsetof(Encoder, fallback), Py_READONLY, nullptr},
    {"encoder", Py_T_OBJECT_EX, offsetof(Encoder, encoder), Py_READONLY, nullptr},
    {"indent", Py_T_OBJECT_EX, offsetof(Encoder, indent), Py_READONLY, nullptr},
    {"key_separator", Py_T_OBJECT_EX, offsetof(Encoder, key_separator), Py_READONLY, nullptr},
    {"item_separator", Py_T_OBJECT_EX, offsetof(Encoder, item_separator), Py_READONLY, nullptr},
    {"sort_keys", Py_T_BOOL, offsetof(Encoder, sort_keys), Py_READONLY, nullptr},
    {"skipkeys", Py_T_BOOL, offsetof(Encoder, skip_keys), Py_READONLY, nullptr},
    {},
};
PyType_Slot encoder_slots[] = {
    {Py_tp_doc, const_cast<char*>("Encoder(markers, default, encoder, indent, key_separator, item_separator, "
                                  "sort_keys, skipkeys, allow_nan)")},
    {Py_tp_dealloc, slot(encoder_dealloc)},
    {Py_tp_call, slot(encoder_call)},
    {Py_tp_traverse, slot(encoder_traverse)},
    {Py_tp_clear, slot(encoder_clear)},
    {Py_tp_members, encoder_members},
    {Py_tp_new, slot(encoder_new)},
    {},
};
PyType_Spec encoder_spec = {"_json.Encoder", sizeof(Encoder), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
                            encoder_slots};

PyMethodDef methods[] = {
    {"encode_basestring_ascii", json_encode_ascii, METH_O,
     "encode_basestring_ascii(string) -> string\n\nReturn an ASCII-only JSON representation of a Python string"},
    {"encode_basestring", json_encode, METH_O,
     "encode_basestring(string) -> string\n\nReturn a JSON representation of a Python string"},
    {"scanstring", json_scanstring, METH_VARARGS, "scanstring(string, end, strict=True) -> (string, end)"},
    {},
};

int json_exec(PyObject* module) {
  Owned scanner(PyType_FromSpec(&scanner_spec));
  Owned encoder(PyType_FromSpec(&encoder_spec));
  if (!scanner || !encoder || PyModule_AddObjectRef(module, "make_scanner", scanner.get()) < 0) return -1;
  return PyModule_AddObjectRef(module, "make_encoder", encoder.get());
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, slot(json_exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};
PyModuleDef json_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_json",
    .m_doc = "json speedups\n",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__json(void) { return PyModuleDef_Init(&json_def); }
