// _csv: dialects, reader and writer behind csv.py. Uses the public C API only.
#include <Python.h>

#include <memory>
#include <string>

#include "support.h"

namespace {

struct Decref {
  void operator()(PyObject* o) const { Py_XDECREF(o); }
};
using Owned = std::unique_ptr<PyObject, Decref>;

constexpr Py_UCS4 kNone = 0xffffffff;  // no character
enum Quoting { kMinimal, kAll, kNonNumeric, kQuoteNone, kStrings, kNotNull, kQuotingCount };

// One interpreter, one module: its state.
PyObject* error_class = nullptr;
PyObject* dialects = nullptr;
PyTypeObject* dialect_type = nullptr;
PyTypeObject* reader_type = nullptr;
PyTypeObject* writer_type = nullptr;
long field_limit = 128 * 1024;

struct Dialect {
  PyObject_HEAD
  bool doublequote, skipinitialspace, strict;
  int quoting;
  Py_UCS4 delimiter, quotechar, escapechar;
  PyObject* lineterminator;
};
Dialect* as_dialect(PyObject* o) { return reinterpret_cast<Dialect*>(o); }

// --- dialects

bool set_char(const char* name, Py_UCS4* target, PyObject* source, Py_UCS4 fallback, bool none_allowed) {
  if (source == nullptr) {
    *target = fallback;
    return true;
  }
  if (source == Py_None && none_allowed) {
    *target = kNone;
    return true;
  }
  const char* kind = none_allowed ? "a unicode character or None" : "a unicode character";
  if (!PyUnicode_Check(source)) {
    PyErr_Format(PyExc_TypeError, "\"%s\" must be %s, not %T", name, kind, source);
    return false;
  }
  if (PyUnicode_GET_LENGTH(source) != 1) {
    PyErr_Format(PyExc_TypeError, "\"%s\" must be %s, not a string of length %zd", name, kind,
                 PyUnicode_GET_LENGTH(source));
    return false;
  }
  *target = PyUnicode_READ_CHAR(source, 0);
  return true;
}

bool set_bool(bool* target, PyObject* source, bool fallback) {
  int truth = source == nullptr ? fallback : PyObject_IsTrue(source);
  *target = truth > 0;
  return truth >= 0;
}

PyObject* get_dialect(PyObject* name) {
  PyObject* found;
  if (PyDict_GetItemRef(dialects, name, &found) == 0) PyErr_Format(error_class, "unknown dialect");
  return found;
}

// The named attribute from the keyword, else from the base dialect object: new reference or null.
bool attribute(PyObject* given, PyObject* base, const char* name, Owned* out) {
  if (given != nullptr) {
    out->reset(Py_NewRef(given));
    return true;
  }
  if (base == nullptr) return true;
  PyObject* found;
  if (PyObject_GetOptionalAttrString(base, name, &found) < 0) return false;
  out->reset(found);
  return true;
}

PyObject* dialect_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"dialect",   "delimiter", "doublequote",      "escapechar", "lineterminator",
                                         "quotechar", "quoting",   "skipinitialspace", "strict",     nullptr};
  PyObject* given[9] = {};
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "|OOOOOOOOO", const_cast<char**>(keywords), &given[0], &given[1],
                                   &given[2], &given[3], &given[4], &given[5], &given[6], &given[7], &given[8])) {
    return nullptr;
  }
  Owned base(Py_XNewRef(given[0]));
  if (base && PyUnicode_Check(base.get())) {
    base.reset(get_dialect(base.get()));
    if (!base) return nullptr;
  }
  if (base && PyObject_TypeCheck(base.get(), dialect_type)) {
    bool plain = true;
    for (int i = 1; i < 9; ++i) plain = plain && given[i] == nullptr;
    if (plain) return base.release();
  }
  Owned values[9];
  for (int i = 1; i < 9; ++i) {
    if (!attribute(given[i], base.get(), keywords[i], &values[i])) return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  Owned owner(self);
  Dialect* d = as_dialect(self);
  if (!set_char("delimiter", &d->delimiter, values[1].get(), ',', false) ||
      !set_bool(&d->doublequote, values[2].get(), true) ||
      !set_char("escapechar", &d->escapechar, values[3].get(), kNone, true) ||
      !set_char("quotechar", &d->quotechar, values[5].get(), '"', true) ||
      !set_bool(&d->skipinitialspace, values[7].get(), false) || !set_bool(&d->strict, values[8].get(), false)) {
    return nullptr;
  }
  if (values[4]) {
    if (!PyUnicode_Check(values[4].get())) {
      PyErr_Format(PyExc_TypeError, "\"lineterminator\" must be a string, not %T", values[4].get());
      return nullptr;
    }
    d->lineterminator = values[4].release();
  } else {
    d->lineterminator = PyUnicode_FromString("\r\n");
  }
  d->quoting = kMinimal;
  if (values[6]) {
    if (!PyLong_CheckExact(values[6].get())) {
      PyErr_Format(PyExc_TypeError, "\"quoting\" must be an integer, not %T", values[6].get());
      return nullptr;
    }
    d->quoting = PyLong_AsInt(values[6].get());
    if (d->quoting == -1 && PyErr_Occurred()) return nullptr;
  }
  if (d->quoting < 0 || d->quoting >= kQuotingCount) {
    PyErr_SetString(PyExc_TypeError, "bad \"quoting\" value");
    return nullptr;
  }
  if (d->quotechar == kNone && values[6] == nullptr && values[5]) d->quoting = kQuoteNone;
  if (d->quotechar == kNone && d->quoting != kQuoteNone) {
    PyErr_SetString(PyExc_TypeError, "quotechar must be set if quoting enabled");
    return nullptr;
  }
  auto refuse = [&](const char* name, Py_UCS4 c, bool space_ok) {
    if (c == kNone) return false;
    if (c == '\n' || c == '\r' || (c == ' ' && !space_ok)) {
      PyErr_Format(PyExc_ValueError, "bad %s value", name);
      return true;
    }
    const Py_ssize_t found = PyUnicode_FindChar(d->lineterminator, c, 0, PyUnicode_GET_LENGTH(d->lineterminator), 1);
    if (found >= 0) PyErr_Format(PyExc_ValueError, "bad %s or lineterminator value", name);
    return found != -1;
  };
  if (refuse("delimiter", d->delimiter, true) || refuse("escapechar", d->escapechar, !d->skipinitialspace) ||
      refuse("quotechar", d->quotechar, !d->skipinitialspace)) {
    return nullptr;
  }
  const struct {
    const char *a, *b;
    Py_UCS4 x, y;
  } pairs[] = {{"delimiter", "escapechar", d->delimiter, d->escapechar},
               {"delimiter", "quotechar", d->delimiter, d->quotechar},
               {"escapechar", "quotechar", d->escapechar, d->quotechar}};
  for (const auto& p : pairs) {
    if (p.x == p.y && p.x != kNone) {
      PyErr_Format(PyExc_ValueError, "bad %s or %s value", p.a, p.b);
      return nullptr;
    }
  }
  return owner.release();
}

void dialect_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  Py_CLEAR(as_dialect(self)->lineterminator);
  type->tp_free(self);
  Py_DECREF(type);
}

PyObject* char_or_none(Py_UCS4 c) {
  return c == kNone ? Py_NewRef(Py_None) : PyUnicode_FromOrdinal(static_cast<int>(c));
}
PyObject* get_delimiter(PyObject* s, void*) { return char_or_none(as_dialect(s)->delimiter); }
PyObject* get_escapechar(PyObject* s, void*) { return char_or_none(as_dialect(s)->escapechar); }
PyObject* get_quotechar(PyObject* s, void*) { return char_or_none(as_dialect(s)->quotechar); }
PyObject* get_lineterminator(PyObject* s, void*) { return Py_NewRef(as_dialect(s)->lineterminator); }
PyObject* get_quoting(PyObject* s, void*) { return PyLong_FromLong(as_dialect(s)->quoting); }
PyGetSetDef dialect_getsets[] = {
    {"delimiter", get_delimiter, nullptr, nullptr, nullptr},
    {"escapechar", get_escapechar, nullptr, nullptr, nullptr},
    {"lineterminator", get_lineterminator, nullptr, nullptr, nullptr},
    {"quotechar", get_quotechar, nullptr, nullptr, nullptr},
    {"quoting", get_quoting, nullptr, nullptr, nullptr},
    {},
};
PyMemberDef dialect_members[] = {
    {"skipinitialspace", Py_T_BOOL, offsetof(Dialect, skipinitialspace), Py_READONLY, nullptr},
    {"doublequote", Py_T_BOOL, offsetof(Dialect, doublequote), Py_READONLY, nullptr},
    {"strict", Py_T_BOOL, offsetof(Dialect, strict), Py_READONLY, nullptr},
    {},
};

PyObject* make_dialect(PyObject* dialect, PyObject* kwargs) {
  Owned args(dialect != nullptr ? PyTuple_Pack(1, dialect) : PyTuple_New(0));
  return args ? PyObject_Call(reinterpret_cast<PyObject*>(dialect_type), args.get(), kwargs) : nullptr;
}

// --- reader

enum State { kStartRecord, kStartField, kEscaped, kInField, kInQuoted, kEscapedInQuoted, kQuoteInQuoted, kEatNewline,
             kAfterEscapedNewline };

struct Reader {
  PyObject_HEAD
  PyObject* input;
  PyObject* dialect;
  PyObject* fields;
  std::u32string* field;
  State state;
  bool unquoted;
  unsigned long line_num;
};
Reader* as_reader(PyObject* o) { return reinterpret_cast<Reader*>(o); }

bool save_field(Reader* r) {
  const Dialect* d = as_dialect(r->dialect);
  Owned text;
  if (d->quoting == kNotNull && r->unquoted && r->field->empty()) {
    text.reset(Py_NewRef(Py_None));
  } else if (d->quoting == kStrings && r->unquoted && r->field->empty()) {
    text.reset(Py_NewRef(Py_None));
  } else {
    text.reset(PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, r->field->data(),
                                         static_cast<Py_ssize_t>(r->field->size())));
    if (!text) return false;
    if (r->unquoted && !r->field->empty() && (d->quoting == kNonNumeric || d->quoting == kStrings)) {
      text.reset(PyNumber_Float(text.get()));
      if (!text) return false;
    }
  }
  r->field->clear();
  return PyList_Append(r->fields, text.get()) == 0;
}

bool add_char(Reader* r, Py_UCS4 c) {
  if (static_cast<long>(r->field->size()) >= field_limit) {
    PyErr_Format(error_class, "field larger than field limit (%ld)", field_limit);
    return false;
  }
  r->field->push_back(static_cast<char32_t>(c));
  return true;
}

// c is a character, or kNone for the end of the line's text.
bool step(Reader* r, Py_UCS4 c) {
  const Dialect* d = as_dialect(r->dialect);
  const bool newline = c == '\n' || c == '\r' || c == kNone;
  switch (r->state) {
    case kStartRecord:
      if (c == kNone) return true;
      if (newline) {
        r->state = kEatNewline;
        return true;
      }
      r->state = kStartField;
      [[fallthrough]];
    case kStartField:
      r->unquoted = true;
      if (newline) {
        if (!save_field(r)) return false;
        r->state = c == kNone ? kStartRecord : kEatNewline;
      } else if (c == d->quotechar && d->quoting != kQuoteNone) {
        r->unquoted = false;
        r->state = kInQuoted;
      } else if (c == d->escapechar) {
        r->state = kEscaped;
      } else if (c == ' ' && d->skipinitialspace) {
        // skipped
      } else if (c == d->delimiter) {
        return save_field(r);
      } else {
        r->state = kInField;
        return add_char(r, c);
      }
      return true;
    case kEscaped:
      if (c == '\n' || c == '\r') {
        r->state = kAfterEscapedNewline;
        return add_char(r, c);
      }
      r->state = kInField;
      return add_char(r, c == kNone ? '\n' : c);
    case kAfterEscapedNewline:
      if (c == kNone) return true;
      [[fallthrough]];
    case kInField:
      if (newline) {
        if (!save_field(r)) return false;
        r->state = c == kNone ? kStartRecord : kEatNewline;
      } else if (c == d->escapechar) {
        r->state = kEscaped;
      } else if (c == d->delimiter) {
        r->state = kStartField;
        return save_field(r);
      } else {
        r->state = kInField;
        return add_char(r, c);
      }
      return true;
    case kInQuoted:
      if (c == kNone) return true;
      if (c == d->escapechar) {
        r->state = kEscapedInQuoted;
      } else if (c == d->quotechar && d->quoting != kQuoteNone) {
        r->state = d->doublequote ? kQuoteInQuoted : kInField;
      } else {
        return add_char(r, c);
      }
      return true;
    case kEscapedInQuoted:
      r->state = kInQuoted;
      return add_char(r, c == kNone ? '\n' : c);
    case kQuoteInQuoted:
      if (d->quoting != kQuoteNone && c == d->quotechar) {
        r->state = kInQuoted;
        return add_char(r, c);
      }
      if (c == d->delimiter) {
        r->state = kStartField;
        return save_field(r);
      }
      if (newline) {
        if (!save_field(r)) return false;
        r->state = c == kNone ? kStartRecord : kEatNewline;
        return true;
      }
      if (d->strict) {
        PyErr_Format(error_class, "'%c' expected after '%c'", static_cast<int>(d->delimiter),
                     static_cast<int>(d->quotechar));
        return false;
      }
      r->state = kInField;
      return add_char(r, c);
    case kEatNewline:
      if (c == kNone) {
        r->state = kStartRecord;
      } else if (!newline) {
        PyErr_SetString(error_class, "new-line character seen in unquoted field - do you need to open the file with "
                                     "newline=''?");
        return false;
      }
      return true;
  }
  return true;
}

PyObject* next_row(PyObject* self) {
  Reader* r = as_reader(self);
  Py_XSETREF(r->fields, PyList_New(0));
  if (r->fields == nullptr) return nullptr;
  r->field->clear();
  r->state = kStartRecord;
  do {
    Owned line(PyIter_Next(r->input));
    if (!line) {
      if (PyErr_Occurred() || r->fields == nullptr) return nullptr;
      if (!r->field->empty() || r->state == kInQuoted) {
        if (as_dialect(r->dialect)->strict) {
          PyErr_SetString(error_class, "unexpected end of data");
          return nullptr;
        }
        if (!save_field(r)) return nullptr;
        break;
      }
      return nullptr;
    }
    if (!PyUnicode_Check(line.get())) {
      PyErr_Format(error_class, "iterator should return strings, not %.200s (the file should be opened in text mode)",
                   Py_TYPE(line.get())->tp_name);
      return nullptr;
    }
    // The iterator may have asked this very reader for a row.
    if (r->fields == nullptr) {
      PyErr_SetString(error_class, "iterator has already advanced the reader");
      return nullptr;
    }
    __atomic_store_n(&r->line_num, r->line_num + 1, __ATOMIC_RELAXED);  // a member is read without the lock
    const int kind = PyUnicode_KIND(line.get());
    const void* data = PyUnicode_DATA(line.get());
    for (Py_ssize_t i = 0, n = PyUnicode_GET_LENGTH(line.get()); i < n; ++i) {
      if (!step(r, PyUnicode_READ(kind, data, i))) return nullptr;
    }
    if (!step(r, kNone)) return nullptr;
  } while (r->state != kStartRecord);
  PyObject* fields = r->fields;
  r->fields = nullptr;
  return fields;
}
PyObject* reader_iternext(PyObject* self) { return ext::locked<next_row>(self); }

PyObject* csv_reader(PyObject*, PyObject* args, PyObject* kwargs) {
  PyObject *iterable, *dialect = nullptr;
  if (!PyArg_UnpackTuple(args, "reader", 1, 2, &iterable, &dialect)) return nullptr;
  Owned self(reader_type->tp_alloc(reader_type, 0));
  if (!self) return nullptr;
  Reader* r = as_reader(self.get());
  r->field = new (std::nothrow) std::u32string;
  if (r->field == nullptr) return PyErr_NoMemory();
  r->input = PyObject_GetIter(iterable);
  if (r->input == nullptr) return nullptr;
  r->dialect = make_dialect(dialect, kwargs);
  return r->dialect != nullptr ? self.release() : nullptr;
}
int reader_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_reader(self)->input);
  Py_VISIT(as_reader(self)->dialect);
  Py_VISIT(as_reader(self)->fields);
  return 0;
}
int reader_clear(PyObject* self) {
  Py_CLEAR(as_reader(self)->input);
  Py_CLEAR(as_reader(self)->dialect);
  Py_CLEAR(as_reader(self)->fields);
  return 0;
}
void reader_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  reader_clear(self);
  delete as_reader(self)->field;
  type->tp_free(self);
  Py_DECREF(type);
}
PyMemberDef reader_members[] = {
    {"dialect", Py_T_OBJECT_EX, offsetof(Reader, dialect), Py_READONLY, nullptr},
    {"line_num", Py_T_ULONG, offsetof(Reader, line_num), Py_READONLY, nullptr},
    {},
};

// --- writer

struct Writer {
  PyObject_HEAD
  PyObject* write;
  PyObject* dialect;
};
Writer* as_writer(PyObject* o) { return reinterpret_cast<Writer*>(o); }

// Appends one field; `quoted` on entry says that it must be quoted.
bool append_field(const Dialect* d, std::u32string* row, PyObject* text, bool quoted) {
  std::u32string out;
  if (text != nullptr) {
    const int kind = PyUnicode_KIND(text);
    const void* data = PyUnicode_DATA(text);
    for (Py_ssize_t i = 0, n = PyUnicode_GET_LENGTH(text); i < n; ++i) {
      const Py_UCS4 c = PyUnicode_READ(kind, data, i);
      const bool in_terminator =
          PyUnicode_FindChar(d->lineterminator, c, 0, PyUnicode_GET_LENGTH(d->lineterminator), 1) >= 0;
      if (c == d->delimiter || c == d->escapechar || c == d->quotechar || c == '\n' || c == '\r' || in_terminator) {
        bool escape = false;
        if (d->quoting == kQuoteNone) {
          escape = true;
        } else {
          if (c == d->quotechar) {
            if (d->doublequote) {
              out.push_back(static_cast<char32_t>(d->quotechar));
            } else {
              escape = true;
            }
          } else if (c == d->escapechar) {
            escape = true;
          }
          if (!escape) quoted = true;
        }
        if (escape) {
          if (d->escapechar == kNone) {
            PyErr_SetString(error_class, "need to escape, but no escapechar set");
            return false;
          }
          out.push_back(static_cast<char32_t>(d->escapechar));
        }
      }
      out.push_back(static_cast<char32_t>(c));
    }
  }
  if (quoted) row->push_back(static_cast<char32_t>(d->quotechar));
  *row += out;
  if (quoted) row->push_back(static_cast<char32_t>(d->quotechar));
  return true;
}

PyObject* writer_writerow(PyObject* self, PyObject* sequence) {
  Dialect* d = as_dialect(as_writer(self)->dialect);
  Owned it(PyObject_GetIter(sequence));
  if (!it) {
    if (PyErr_ExceptionMatches(PyExc_TypeError)) {
      PyErr_Format(error_class, "iterable expected, not %.200s", Py_TYPE(sequence)->tp_name);
    }
    return nullptr;
  }
  std::u32string row;
  Py_ssize_t count = 0;
  bool null_field = false;
  for (;;) {
    PyObject* raw;
    int more = PyIter_NextItem(it.get(), &raw);
    if (more < 0) return nullptr;
    if (more == 0) break;
    Owned field(raw);
    bool quoted = false;
    switch (d->quoting) {
      case kAll: quoted = true; break;
      case kNonNumeric: quoted = !PyNumber_Check(raw); break;
      case kStrings: quoted = PyUnicode_Check(raw); break;
      case kNotNull: quoted = raw != Py_None; break;
      default: break;
    }
    if (count++ > 0) row.push_back(static_cast<char32_t>(d->delimiter));
    null_field = raw == Py_None;
    Owned text;
    if (!null_field) {
      text.reset(PyUnicode_Check(raw) ? Py_NewRef(raw) : PyObject_Str(raw));
      if (!text) return nullptr;
    }
    if (d->delimiter == ' ' && d->skipinitialspace && (null_field || PyUnicode_GET_LENGTH(text.get()) == 0)) {
      if (d->quoting == kQuoteNone || (null_field && (d->quoting == kStrings || d->quoting == kNotNull))) {
        PyErr_Format(error_class, "empty field must be quoted if delimiter is a space and skipinitialspace is true");
        return nullptr;
      }
      quoted = true;
    }
    if (!append_field(d, &row, text.get(), quoted)) return nullptr;
  }
  if (count > 0 && row.empty()) {
    // A record of one empty field must be told from an empty record.
    if (d->quoting == kQuoteNone ||
        (null_field && (d->quoting == kStrings || d->quoting == kNotNull))) {
      PyErr_SetString(error_class, "single empty field record must be quoted");
      return nullptr;
    }
    if (!append_field(d, &row, nullptr, true)) return nullptr;
  }
  Owned text(PyUnicode_FromKindAndData(PyUnicode_4BYTE_KIND, row.data(), static_cast<Py_ssize_t>(row.size())));
  if (!text) return nullptr;
  Owned line(PyUnicode_Concat(text.get(), d->lineterminator));
  return line ? PyObject_CallOneArg(as_writer(self)->write, line.get()) : nullptr;
}

PyObject* writer_writerows(PyObject* self, PyObject* rows) {
  Owned it(PyObject_GetIter(rows));
  if (!it) return nullptr;
  for (;;) {
    PyObject* raw;
    int more = PyIter_NextItem(it.get(), &raw);
    if (more < 0) return nullptr;
    if (more == 0) Py_RETURN_NONE;
    Owned row(raw);
    Owned done(writer_writerow(self, raw));
    if (!done) return nullptr;
  }
}

PyObject* csv_writer(PyObject*, PyObject* args, PyObject* kwargs) {
  PyObject *file, *dialect = nullptr;
  if (!PyArg_UnpackTuple(args, "writer", 1, 2, &file, &dialect)) return nullptr;
  Owned self(writer_type->tp_alloc(writer_type, 0));
  if (!self) return nullptr;
  Writer* w = as_writer(self.get());
  if (PyObject_GetOptionalAttrString(file, "write", &w->write) < 0) return nullptr;
  if (w->write == nullptr || !PyCallable_Check(w->write)) {
    PyErr_SetString(PyExc_TypeError, "argument 1 must have a \"write\" method");
    return nullptr;
  }
  w->dialect = make_dialect(dialect, kwargs);
  return w->dialect != nullptr ? self.release() : nullptr;
}
int writer_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_writer(self)->write);
  Py_VISIT(as_writer(self)->dialect);
  return 0;
}
int writer_clear(PyObject* self) {
  Py_CLEAR(as_writer(self)->write);
  Py_CLEAR(as_writer(self)->dialect);
  return 0;
}
void writer_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  writer_clear(self);
  type->tp_free(self);
  Py_DECREF(type);
}
PyMethodDef writer_methods[] = {
    {"writerow", writer_writerow, METH_O, "writerow(iterable)\n\nConstruct and write a CSV record from an iterable."},
    {"writerows", writer_writerows, METH_O, "writerows(iterable of iterables)"},
    {},
};
PyMemberDef writer_members[] = {
    {"dialect", Py_T_OBJECT_EX, offsetof(Writer, dialect), Py_READONLY, nullptr},
    {},
};

// --- the module

PyObject* register_dialect(PyObject*, PyObject* args, PyObject* kwargs) {
  PyObject *name, *base = nullptr;
  if (!PyArg_UnpackTuple(args, "register_dialect", 1, 2, &name, &base)) return nullptr;
  if (!PyUnicode_Check(name)) {
    PyErr_SetString(PyExc_TypeError, "dialect name must be a string");
    return nullptr;
  }
  Owned dialect(make_dialect(base, kwargs));
  if (!dialect || PyDict_SetItem(dialects, name, dialect.get()) < 0) return nullptr;
  Py_RETURN_NONE;
}
PyObject* unregister_dialect(PyObject*, PyObject* name) {
  int found = PyDict_Pop(dialects, name, nullptr);
  if (found == 0) PyErr_Format(error_class, "unknown dialect");
  if (found <= 0) return nullptr;
  Py_RETURN_NONE;
}
PyObject* list_dialects(PyObject*, PyObject*) { return PyDict_Keys(dialects); }
PyObject* csv_get_dialect(PyObject*, PyObject* name) { return get_dialect(name); }
PyObject* csv_field_size_limit(PyObject*, PyObject* args) {
  PyObject* limit = nullptr;
  const long old = field_limit;
  if (!PyArg_UnpackTuple(args, "field_size_limit", 0, 1, &limit)) return nullptr;
  if (limit != nullptr) {
    if (!PyLong_CheckExact(limit)) {
      PyErr_SetString(PyExc_TypeError, "limit must be an integer");
      return nullptr;
    }
    long value = PyLong_AsLong(limit);
    if (value == -1 && PyErr_Occurred()) return nullptr;
    field_limit = value;
  }
  return PyLong_FromLong(old);
}

template <typename F>
void* slot(F f) {
  return reinterpret_cast<void*>(f);
}
template <typename F>
PyCFunction function(F f) {
  return reinterpret_cast<PyCFunction>(slot(f));
}
PyMethodDef methods[] = {
    {"reader", function(csv_reader), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"writer", function(csv_writer), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"list_dialects", list_dialects, METH_NOARGS, nullptr},
    {"register_dialect", function(register_dialect), METH_VARARGS | METH_KEYWORDS, nullptr},
    {"unregister_dialect", unregister_dialect, METH_O, nullptr},
    {"get_dialect", csv_get_dialect, METH_O, nullptr},
    {"field_size_limit", csv_field_size_limit, METH_VARARGS, nullptr},
    {},
};

PyType_Slot dialect_slots[] = {
    {Py_tp_dealloc, slot(dialect_dealloc)}, {Py_tp_getset, dialect_getsets}, {Py_tp_members, dialect_members},
    {Py_tp_new, slot(dialect_new)},         {},
};
PyType_Spec dialect_spec = {"_csv.Dialect", sizeof(Dialect), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE,
                            dialect_slots};
PyType_Slot reader_slots[] = {
    {Py_tp_dealloc, slot(reader_dealloc)}, {Py_tp_traverse, slot(reader_traverse)}, {Py_tp_clear, slot(reader_clear)},
    {Py_tp_iter, slot(PyObject_SelfIter)}, {Py_tp_iternext, slot(reader_iternext)}, {Py_tp_members, reader_members},
    {},
};
PyType_Spec reader_spec = {"_csv.reader", sizeof(Reader), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, reader_slots};
PyType_Slot writer_slots[] = {
    {Py_tp_dealloc, slot(writer_dealloc)}, {Py_tp_traverse, slot(writer_traverse)}, {Py_tp_clear, slot(writer_clear)},
    {Py_tp_methods, writer_methods},       {Py_tp_members, writer_members},         {},
};
PyType_Spec writer_spec = {"_csv.writer", sizeof(Writer), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, writer_slots};

int csv_exec(PyObject* module) {
  if (error_class == nullptr) {
    error_class = PyErr_NewException("_csv.Error", nullptr, nullptr);
    dialects = PyDict_New();
    dialect_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&dialect_spec));
    reader_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&reader_spec));
    writer_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&writer_spec));
    if (!error_class || !dialects || !dialect_type || !reader_type || !writer_type) return -1;
  }
  const struct {
    const char* name;
    long value;
  } constants[] = {{"QUOTE_MINIMAL", kMinimal}, {"QUOTE_ALL", kAll},         {"QUOTE_NONNUMERIC", kNonNumeric},
                   {"QUOTE_NONE", kQuoteNone},  {"QUOTE_STRINGS", kStrings}, {"QUOTE_NOTNULL", kNotNull}};
  for (const auto& c : constants) {
    if (PyModule_AddIntConstant(module, c.name, c.value) < 0) return -1;
  }
  if (PyModule_AddStringConstant(module, "__version__", "1.0") < 0 ||
      PyModule_AddObjectRef(module, "_dialects", dialects) < 0 ||
      PyModule_AddObjectRef(module, "Error", error_class) < 0 ||
      PyModule_AddObjectRef(module, "Reader", reinterpret_cast<PyObject*>(reader_type)) < 0 ||
      PyModule_AddObjectRef(module, "Writer", reinterpret_cast<PyObject*>(writer_type)) < 0) {
    return -1;
  }
  return PyModule_AddObjectRef(module, "Dialect", reinterpret_cast<PyObject*>(dialect_type));
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, slot(csv_exec)},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};
PyModuleDef csv_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_csv",
    .m_doc = "CSV parsing and writing.\n",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__csv(void) { return PyModuleDef_Init(&csv_def); }
