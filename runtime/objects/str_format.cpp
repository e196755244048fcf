// str.format, format_map and the two parsers that string.Formatter uses.
//
// A format string is literal text and replacement fields "{" name ["!" conversion] [":" spec] "}". A name is
// an argument followed by
// ".attribute" and "[index]" parts. A spec may hold fields itself, one level deep.
#include "objects/format.h"
#include "objects/str.h"
#include "objects/str_methods.h"
#include "objects/str_writer.h"
#include "sync/ref.h"

namespace amphis {
namespace {

struct Range {
  Py_ssize_t start = 0, end = 0;
  Py_ssize_t size() const { return end - start; }
};

bool value_error(const char* message) {
  PyErr_SetString(PyExc_ValueError, message);
  return false;
}

// One step: literal text, then perhaps a field.
struct Piece {
  Range literal;
  bool has_field = false;
  Range name, spec;
  Py_UCS4 conversion = 0;
  bool spec_has_fields = false;
};

class MarkupParser {
 public:
  MarkupParser(PyObject* s, Range range) : view_(s), at_(range.start), end_(range.end) {}
  bool done() const { return at_ >= end_; }

  bool next(Piece* piece) {
    piece->literal.start = at_;
    while (at_ < end_ && view_[at_] != '{' && view_[at_] != '}') at_++;
    piece->literal.end = at_;
    if (at_ == end_) return true;
    Py_UCS4 brace = view_[at_++];
    if (at_ < end_ && view_[at_] == brace) {
      // A doubled brace is literal: it ends the piece and stays in it once.
      piece->literal.end = at_;
      at_++;
      return true;
    }
    if (brace == '}') return value_error("Single '}' encountered in format string");
    if (at_ == end_) return value_error("Single '{' encountered in format string");
    piece->has_field = true;
    return read_field(piece);
  }

 private:
  bool read_field(Piece* piece) {
    piece->name.start = at_;
    Py_UCS4 ch = 0;
    for (; at_ < end_; at_++) {
      ch = view_[at_];
      if (ch == '{') return value_error("unexpected '{' in field name");
      if (ch == '}' || ch == ':' || ch == '!') break;
      if (ch == '[') {
        while (at_ < end_ && view_[at_] != ']') at_++;
        if (at_ == end_) break;
      }
    }
    piece->name.end = at_;
    if (at_ >= end_) return value_error("expected '}' before end of string");
    at_++;
    if (ch == '}') return true;
    if (ch == '!') {
      if (at_ >= end_) return value_error("end of string while looking for conversion specifier");
      piece->conversion = view_[at_++];
      if (at_ < end_) {
        ch = view_[at_++];
        if (ch == '}') return true;
        if (ch != ':') return value_error("expected ':' after conversion specifier");
      }
    }
    piece->spec.start = at_;
    for (int depth = 1; at_ < end_; at_++) {
      ch = view_[at_];
      if (ch == '{') {
        piece->spec_has_fields = true;
        depth++;
      } else if (ch == '}' && --depth == 0) {
        piece->spec.end = at_++;
        return true;
      }
    }
    return value_error("unmatched '{' in format spec");
  }

  StrView view_;
  Py_ssize_t at_, end_;
};

// The decimal number that the whole range is, -1 where it is none, -2 with an exception.
Py_ssize_t number_in(const StrView& s, Range r) {
  if (r.size() == 0) return -1;
  Py_ssize_t v = 0;
  for (Py_ssize_t i = r.start; i < r.end; i++) {
    int digit = Py_UNICODE_TODECIMAL(s[i]);
    if (digit < 0) return -1;
    if (v > (PY_SSIZE_T_MAX - digit) / 10) {
      value_error("Too many decimal digits in format string");
      return -2;
    }
    v = v * 10 + digit;
  }
  return v;
}

// Walks a field name.
class NameParser {
 public:
  NameParser(PyObject* s, Range range) : view_(s), at_(range.start), end_(range.end) {}

  Range first() {
    Range r;
    r.start = at_;
    while (at_ < end_ && view_[at_] != '.' && view_[at_] != '[') at_++;
    r.end = at_;
    return r;
  }
  bool done() const { return at_ >= end_; }
  // The next ".attribute" or "[item]".
  bool next(bool* is_attribute, Range* r) {
    Py_UCS4 ch = view_[at_++];
    if (ch == '.') {
      *is_attribute = true;
      r->start = at_;
      while (at_ < end_ && view_[at_] != '.' && view_[at_] != '[') at_++;
      r->end = at_;
    } else if (ch == '[') {
      *is_attribute = false;
      r->start = at_;
      while (at_ < end_ && view_[at_] != ']') at_++;
      if (at_ == end_) return value_error("Missing ']' in format string");
      r->end = at_++;
    } else {
      return value_error("Only '.' or '[' may follow ']' in format field specifier");
    }
    return r->size() > 0 || value_error("Empty attribute in format string");
  }

 private:
  StrView view_;
  Py_ssize_t at_, end_;
};

class Formatter {
 public:
  // args is null for format_map.
  Formatter(PyObject* args, PyObject* kwargs) : args_(args), kwargs_(kwargs) {}

  PyObject* format(PyObject* s, Range range, int depth) {
    if (depth < 0) {
      value_error("Max string recursion exceeded");
      return nullptr;
    }
    StrWriter out(range.size() + 100);
    return write(out, s, range, depth) ? out.finish() : nullptr;
  }

 private:
  bool write(StrWriter& out, PyObject* s, Range range, int depth) {
    MarkupParser parser(s, range);
    while (!parser.done()) {
      Piece piece;
      if (!parser.next(&piece)) return false;
      if (piece.literal.size() && !out.put_slice(s, piece.literal.start, piece.literal.end)) return false;
      if (piece.has_field && !write_field(out, s, piece, depth)) return false;
    }
    return true;
  }

  bool write_field(StrWriter& out, PyObject* s, const Piece& piece, int depth) {
    Ref<> value = Ref<>::steal(field_value(s, piece.name));
    if (!value) return false;
    if (piece.conversion) {
      PyObject* converted = nullptr;
      switch (piece.conversion) {
        case 'r':
          converted = PyObject_Repr(value.get());
          break;
        case 's':
          converted = PyObject_Str(value.get());
          break;
        case 'a':
          converted = PyObject_ASCII(value.get());
          break;
        default:
          if (piece.conversion > 32 && piece.conversion < 127) {
            PyErr_Format(PyExc_ValueError, "Unknown conversion specifier %c",
                         static_cast<int>(piece.conversion));
          } else {
            PyErr_Format(PyExc_ValueError, "Unknown conversion specifier \\x%x",
                         static_cast<unsigned>(piece.conversion));
          }
      }
      if (!converted) return false;
      value = Ref<>::steal(converted);
    }
    if (piece.spec.size() == 0) return put_formatted(out, value.get(), empty_str());
    Ref<> spec = Ref<>::steal(piece.spec_has_fields ? format(s, piece.spec, depth - 1)
                                                    : str_slice(s, piece.spec.start, piece.spec.end));
    return spec && put_formatted(out, value.get(), spec.get());
  }

  // The built-in types are known to format themselves as follows.
  bool put_formatted(StrWriter& out, PyObject* value, PyObject* spec) {
    bool empty = PyUnicode_GET_LENGTH(spec) == 0;
    if (PyLong_CheckExact(value)) return out.put_new(empty ? PyObject_Str(value) : format_long(value, spec));
    if (PyUnicode_CheckExact(value)) return empty ? out.put_str(value) : out.put_new(format_str(value, spec));
    if (PyFloat_CheckExact(value))
      return out.put_new(empty ? PyObject_Str(value) : format_float(value, spec));
    return out.put_new(PyObject_Format(value, spec));
  }

  PyObject* field_value(PyObject* s, Range name_range) {
    StrView view(s);
    NameParser name(s, name_range);
    Range first = name.first();
    Py_ssize_t index = number_in(view, first);
    if (index == -2) return nullptr;
    bool empty = first.size() == 0;
    if (empty || index >= 0) {
      Numbering wanted = empty ? Numbering::kAutomatic : Numbering::kManual;
      if (numbering_ == Numbering::kUnknown) numbering_ = wanted;
      if (numbering_ != wanted) {
        value_error(empty ? "cannot switch from manual field specification to automatic field numbering"
                          : "cannot switch from automatic field numbering to manual field specification");
        return nullptr;
      }
      if (empty) index = next_++;
    }
    Ref<> value;
    if (index >= 0) {
      if (!args_) {
        value_error("Format string contains positional fields");
        return nullptr;
      }
      if (index >= PyTuple_GET_SIZE(args_)) {
        PyErr_Format(PyExc_IndexError, "Replacement index %zd out of range for positional args tuple", index);
        return nullptr;
      }
      value = Ref<>::share(PyTuple_GET_ITEM(args_, index));
    } else {
      Ref<> key = Ref<>::steal(str_slice(s, first.start, first.end));
      if (!key) return nullptr;
      if (!kwargs_) {
        PyErr_SetObject(PyExc_KeyError, key.get());
        return nullptr;
      }
      value = Ref<>::steal(PyObject_GetItem(kwargs_, key.get()));
      if (!value) return nullptr;
    }
    while (!name.done()) {
      bool is_attribute;
      Range part;
      if (!name.next(&is_attribute, &part)) return nullptr;
      PyObject* got;
      Py_ssize_t item_index = is_attribute ? -1 : number_in(view, part);
      if (item_index == -2) return nullptr;
      if (item_index >= 0) {
        if (PySequence_Check(value.get())) {
          got = PySequence_GetItem(value.get(), item_index);
        } else {
          Ref<> number = Ref<>::steal(PyLong_FromSsize_t(item_index));
          got = number ? PyObject_GetItem(value.get(), number.get()) : nullptr;
        }
      } else {
        Ref<> key = Ref<>::steal(str_slice(s, part.start, part.end));
        if (!key) return nullptr;
        got = is_attribute ? PyObject_GetAttr(value.get(), key.get())
                           : PyObject_GetItem(value.get(), key.get());
      }
      if (!got) return nullptr;
      value = Ref<>::steal(got);
    }
    return value.release();
  }

  enum class Numbering { kUnknown, kAutomatic, kManual };
  PyObject* args_;
  PyObject* kwargs_;
  Numbering numbering_ = Numbering::kUnknown;
  Py_ssize_t next_ = 0;
};

// ---- iterators for string.Formatter ----

struct MarkupIterator {
  PyObject_HEAD PyObject* s;
  MarkupParser parser;
};

void markup_dealloc(PyObject* self) {
  Py_XDECREF(reinterpret_cast<MarkupIterator*>(self)->s);
  PyObject_Free(self);
}

PyObject* markup_next(PyObject* self) {
  MarkupIterator* it = reinterpret_cast<MarkupIterator*>(self);
  if (it->parser.done()) return nullptr;
  Piece piece;
  if (!it->parser.next(&piece)) return nullptr;
  PyObject* literal = str_slice(it->s, piece.literal.start, piece.literal.end);
  if (!literal) return nullptr;
  if (!piece.has_field) return Py_BuildValue("(NOOO)", literal, Py_None, Py_None, Py_None);
  PyObject* name = str_slice(it->s, piece.name.start, piece.name.end);
  PyObject* spec = str_slice(it->s, piece.spec.start, piece.spec.end);
  PyObject* conversion = piece.conversion ? str_from_char(piece.conversion) : Py_NewRef(Py_None);
  return Py_BuildValue("(NNNN)", literal, name, spec, conversion);
}

struct NameIterator {
  PyObject_HEAD PyObject* s;
  NameParser parser;
};

void name_dealloc(PyObject* self) {
  Py_XDECREF(reinterpret_cast<NameIterator*>(self)->s);
  PyObject_Free(self);
}

// An index where the range is a number, else its text.
PyObject* name_or_number(PyObject* s, Range r) {
  Py_ssize_t index = number_in(StrView(s), r);
  if (index == -2) return nullptr;
  return index >= 0 ? PyLong_FromSsize_t(index) : str_slice(s, r.start, r.end);
}

PyObject* name_next(PyObject* self) {
  NameIterator* it = reinterpret_cast<NameIterator*>(self);
  if (it->parser.done()) return nullptr;
  bool is_attribute;
  Range part;
  if (!it->parser.next(&is_attribute, &part)) return nullptr;
  PyObject* name = is_attribute ? str_slice(it->s, part.start, part.end) : name_or_number(it->s, part);
  return name ? Py_BuildValue("(ON)", is_attribute ? Py_True : Py_False, name) : nullptr;
}

PyTypeObject markup_iterator_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "formatteriterator",
    .tp_basicsize = sizeof(MarkupIterator),
    .tp_dealloc = markup_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = markup_next,
};

PyTypeObject name_iterator_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "fieldnameiterator",
    .tp_basicsize = sizeof(NameIterator),
    .tp_dealloc = name_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_iter = PyObject_SelfIter,
    .tp_iternext = name_next,
};

template <class Iterator, class Parser>
PyObject* make_iterator(PyTypeObject* type, PyObject* s, const Parser& parser) {
  if (PyType_Ready(type) < 0) return nullptr;
  Iterator* it = PyObject_New(Iterator, type);
  if (!it) return nullptr;
  it->s = Py_NewRef(s);
  it->parser = parser;
  return reinterpret_cast<PyObject*>(it);
}

bool expect_str(PyObject* s) {
  if (PyUnicode_Check(s)) return true;
  PyErr_Format(PyExc_TypeError, "expected str, got %s", Py_TYPE(s)->tp_name);
  return false;
}

Range whole(PyObject* s) {
  Range r;
  r.end = PyUnicode_GET_LENGTH(s);
  return r;
}

}  // namespace

PyObject* str_m_format(PyObject* s, PyObject* args, PyObject* kwargs) {
  return Formatter(args, kwargs).format(s, whole(s), 1);
}

PyObject* str_m_format_map(PyObject* s, PyObject* mapping) {
  return Formatter(nullptr, mapping).format(s, whole(s), 1);
}

PyObject* str_m_format_spec(PyObject* s, PyObject* spec) {
  if (!PyUnicode_Check(spec)) {
    PyErr_Format(PyExc_TypeError, "__format__() argument must be str, not %.50s",
                 spec == Py_None ? "None" : Py_TYPE(spec)->tp_name);
    return nullptr;
  }
  if (PyUnicode_GET_LENGTH(spec) == 0) return PyUnicode_CheckExact(s) ? Py_NewRef(s) : PyObject_Str(s);
  return format_str(s, spec);
}

PyObject* str_formatter_parser(PyObject*, PyObject* s) {
  if (!expect_str(s)) return nullptr;
  return make_iterator<MarkupIterator>(&markup_iterator_type, s, MarkupParser(s, whole(s)));
}

PyObject* str_formatter_field_name_split(PyObject*, PyObject* s) {
  if (!expect_str(s)) return nullptr;
  NameParser parser(s, whole(s));
  Range first_range = parser.first();
  PyObject* first = name_or_number(s, first_range);
  if (!first) return nullptr;
  PyObject* rest = make_iterator<NameIterator>(&name_iterator_type, s, parser);
  if (!rest) {
    Py_DECREF(first);
    return nullptr;
  }
  return Py_BuildValue("(NN)", first, rest);
}

}  // namespace amphis
