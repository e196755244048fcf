// sub() and subn(), and the templates that replacement strings are compiled to.
//
// The result is built directly, piece after piece. Pieces are counted, for a replacement of the wrong type is
// reported by its place among them.
#include "modules/sre.h"
#include "objects/bytes_span.h"
#include "objects/str_writer.h"

namespace amphis::sre {

namespace {

// Where a str result is put together.
class StrResult {
 public:
  bool add_slice(const Subject& subject, Py_ssize_t start, Py_ssize_t end) {
    if (start >= end) return true;
    ++pieces_;
    return writer_.put_slice(subject.string(), start, end);
  }
  bool add(PyObject* text) {
    if (!PyUnicode_Check(text)) {
      PyErr_Format(PyExc_TypeError, "sequence item %zd: expected str instance, %.80s found", pieces_,
                   Py_TYPE(text)->tp_name);
      return false;
    }
    ++pieces_;
    return writer_.put_str(text);
  }
  PyObject* finish() { return writer_.finish(); }

 private:
  StrWriter writer_;
  Py_ssize_t pieces_ = 0;
};

class BytesResult {
 public:
  bool add_slice(const Subject& subject, Py_ssize_t start, Py_ssize_t end) {
    if (start >= end) return true;
    ++pieces_;
    return builder_.append(subject.data() + start, end - start);
  }
  bool add(PyObject* text) {
    if (!PyObject_CheckBuffer(text)) {
      PyErr_Format(PyExc_TypeError, "sequence item %zd: expected a bytes-like object, %.80s found", pieces_,
                   Py_TYPE(text)->tp_name);
      return false;
    }
    ++pieces_;
    ByteArgument bytes;
    return bytes.acquire_stable(text) && builder_.append(bytes.span().data, bytes.span().size);
  }
  PyObject* finish() {
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(builder_.data()), builder_.size());
  }

 private:
  ByteBuilder builder_{256};
  Py_ssize_t pieces_ = 0;
};

// `span(index, &start, &end)` gives a group's span, false if it has not matched.
template <class Result, class Span>
bool add_template(Result& out, const Template* parts, const Subject& subject, Py_ssize_t groups,
                  Span&& span) {
  if (parts->literal != nullptr && !out.add(parts->literal)) return false;
  const Py_ssize_t n = Py_SIZE(parts);
  for (Py_ssize_t i = 0; i < n; ++i) {
    const Template::Item& item = parts->items[i];
    if (item.index >= groups) {
      PyErr_SetString(PyExc_IndexError, "no such group");
      return false;
    }
    Py_ssize_t start, end;
    if (span(item.index, &start, &end) && !out.add_slice(subject, start, end)) return false;
    if (item.literal != nullptr && !out.add(item.literal)) return false;
  }
  return true;
}

struct Replacement {
  enum Kind { kLiteral, kTemplate, kCallable } kind;
  Ref<> object;  // str, bytes or other; Template; callable
};

// Whether the text has no backslash: then it stands for itself. Objects that are no text are not literal.
bool is_literal(PyObject* text) {
  Subject subject;
  if (!PyUnicode_Check(text) && !PyObject_CheckBuffer(text)) return false;
  if (!subject.open(text)) {
    PyErr_Clear();
    return false;
  }
  if (!subject.is_bytes()) return PyUnicode_FindChar(text, '\\', 0, subject.length(), 1) == -1;
  return subject.length() == 0 ||
         memchr(subject.data(), '\\', static_cast<size_t>(subject.length())) == nullptr;
}

bool read_replacement(Pattern* pattern, PyObject* given, Replacement* out) {
  out->object = Ref<>::share(given);
  if (PyCallable_Check(given)) {
    out->kind = Replacement::kCallable;
    return true;
  }
  out->kind = Replacement::kLiteral;
  if (is_literal(given)) return true;
  out->object = Ref<>::steal(compile_template(reinterpret_cast<PyObject*>(pattern), given));
  if (!out->object) return false;
  if (Py_SIZE(out->object.get()) == 0) {
    // An escape without a group.
    PyObject* literal = as_template(out->object.get())->literal;
    out->object = literal != nullptr
                      ? Ref<>::share(literal)
                      : Ref<>::steal(pattern->is_bytes > 0 ? PyBytes_FromStringAndSize(nullptr, 0)
                                                           : PyUnicode_New(0, 0));
    return static_cast<bool>(out->object);
  }
  out->kind = Replacement::kTemplate;
  return true;
}

template <class Result>
bool add_replacement(Result& out, const Replacement& replacement, const Session& session) {
  switch (replacement.kind) {
    case Replacement::kLiteral:
      return out.add(replacement.object.get());
    case Replacement::kTemplate:
      return add_template(out, as_template(replacement.object.get()), session.subject(),
                          session.pattern()->groups + 1,
                          [&](Py_ssize_t index, Py_ssize_t* start, Py_ssize_t* end) {
                            if (index > 0) return session.group(index, start, end);
                            *start = session.match_start();
                            *end = session.match_end();
                            return true;
                          });
    case Replacement::kCallable: {
      Ref<> match = Ref<>::steal(session.make_match());
      if (!match) return false;
      Ref<> text = Ref<>::steal(PyObject_CallOneArg(replacement.object.get(), match.get()));
      return text && (text.get() == Py_None || out.add(text.get()));
    }
  }
  return false;
}

// The new text and, in *n, the number of replacements.
template <class Result>
PyObject* substitute_in(Session& session, const Replacement& replacement, Py_ssize_t count, Py_ssize_t* n) {
  const Subject& subject = session.subject();
  int status = 0;
  if (count == 0 || count > 0) status = session.search();
  if (status < 0) return nullptr;
  if (status == 0) return subject.slice(0, subject.length());
  Result out;
  Py_ssize_t last = 0;
  for (;;) {
    if (!out.add_slice(subject, last, session.match_start())) return nullptr;
    if (!add_replacement(out, replacement, session)) return nullptr;
    last = session.match_end();
    ++*n;
    if (count != 0 && *n >= count) break;
    session.advance();
    status = session.search();
    if (status < 0) return nullptr;
    if (status == 0) break;
  }
  if (!out.add_slice(subject, last, subject.length())) return nullptr;
  return out.finish();
}

}  // namespace

PyObject* substitute(Pattern* pattern, PyObject* given, PyObject* string, Py_ssize_t count, bool with_count) {
  Replacement replacement;
  Session session;
  if (!read_replacement(pattern, given, &replacement) || !session.begin(pattern, string)) return nullptr;
  Py_ssize_t n = 0;
  Ref<> result =
      Ref<>::steal(session.subject().is_bytes() ? substitute_in<BytesResult>(session, replacement, count, &n)
                                                : substitute_in<StrResult>(session, replacement, count, &n));
  if (!result || !with_count) return result.release();
  PyObject* number = PyLong_FromSsize_t(n);
  return number != nullptr ? pack_pair(result.release(), number) : nullptr;
}

PyObject* expand_template(Template* parts, Match* match) {
  Subject subject;
  if (!subject.open(match->string)) return nullptr;
  const Py_ssize_t length = subject.length();
  auto span = [=](Py_ssize_t index, Py_ssize_t* start, Py_ssize_t* end) {
    *start = match->spans[2 * index];
    *end = match->spans[2 * index + 1];
    if (*end > length) *end = length;  // the buffer may have shrunk since
    return *start >= 0;
  };
  if (!subject.is_bytes()) {
    StrResult out;
    return add_template(out, parts, subject, match->groups, span) ? out.finish() : nullptr;
  }
  BytesResult out;
  return add_template(out, parts, subject, match->groups, span) ? out.finish() : nullptr;
}

PyObject* compile_template(PyObject* pattern, PyObject* text) {
  Ref<> module = Ref<>::steal(PyImport_GetModule(AMPHIS_STATIC_NAME("re")));
  if (!module && !PyErr_Occurred()) module = Ref<>::steal(PyImport_ImportModule("re"));
  if (!module) return nullptr;
  Ref<> compile = Ref<>::steal(PyObject_GetAttr(module, AMPHIS_STATIC_NAME("_compile_template")));
  if (!compile) return nullptr;
  PyObject* args[] = {pattern, text};
  Ref<> result = Ref<>::steal(PyObject_Vectorcall(compile, args, 2, nullptr));
  if (!result && PyErr_ExceptionMatches(PyExc_TypeError)) {
    // Text that cannot be hashed, a bytearray for instance: try with the built-in type.
    Ref<> plain;
    if (PyUnicode_Check(text) && !PyUnicode_CheckExact(text)) {
      PyErr_Clear();
      plain = Ref<>::steal(str_exact(text));
    } else if (PyObject_CheckBuffer(text) && !PyBytes_CheckExact(text)) {
      PyErr_Clear();
      plain = Ref<>::steal(PyBytes_FromObject(text));
    }
    if (!plain) return nullptr;
    args[1] = plain.get();
    result = Ref<>::steal(PyObject_Vectorcall(compile, args, 2, nullptr));
  }
  if (result && !Py_IS_TYPE(result.get(), &SreTemplate_Type)) {
    PyErr_Format(PyExc_RuntimeError,
                 "the result of compiling a replacement string is %.200s, not Template object",
                 Py_TYPE(result.get())->tp_name);
    return nullptr;
  }
  return result.release();
}

namespace {

bool is_empty_text(PyObject* text) {
  return (PyUnicode_Check(text) && PyUnicode_GET_LENGTH(text) == 0) ||
         (PyBytes_Check(text) && PyBytes_GET_SIZE(text) == 0);
}

int template_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(as_template(self)->literal);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) Py_VISIT(as_template(self)->items[i].literal);
  return 0;
}

int template_clear(PyObject* self) {
  Py_CLEAR(as_template(self)->literal);
  for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) Py_CLEAR(as_template(self)->items[i].literal);
  return 0;
}

void template_dealloc(PyObject* self) {
  untrack(self);
  template_clear(self);
  Py_TYPE(self)->tp_free(self);
}

PyObject* invalid_template() {
  PyErr_SetString(PyExc_TypeError, "invalid template");
  return nullptr;
}

}  // namespace

PyObject* make_template(PyObject*, PyObject* items) {
  Ref<> given = Ref<>::steal(PyList_AsTuple(items));
  if (!given) return nullptr;
  const Py_ssize_t n = PyTuple_GET_SIZE(given.get());
  if ((n & 1) == 0) return invalid_template();
  Ref<> made = Ref<>::steal(SreTemplate_Type.tp_alloc(&SreTemplate_Type, n / 2));
  if (!made) return nullptr;
  Template* parts = as_template(made.get());
  auto literal = [&](Py_ssize_t i) -> PyObject* {
    PyObject* text = PyTuple_GET_ITEM(given.get(), i);
    return is_empty_text(text) ? nullptr : Py_NewRef(text);
  };
  parts->literal = literal(0);
  for (Py_ssize_t i = 0; i < n / 2; ++i) {
    const Py_ssize_t index = PyLong_AsSsize_t(PyTuple_GET_ITEM(given.get(), 2 * i + 1));
    if (index == -1 && PyErr_Occurred()) return nullptr;
    if (index < 0) return invalid_template();
    parts->items[i] = {index, literal(2 * i + 2)};
  }
  return made.release();
}

}  // namespace amphis::sre

extern "C" {

using namespace amphis::sre;

PyTypeObject SreTemplate_Type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "_sre.SRE_Template",
    .tp_basicsize = offsetof(Template, items),
    .tp_itemsize = sizeof(Template::Item),
    .tp_dealloc = template_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION |
                Py_TPFLAGS_IMMUTABLETYPE,
    .tp_traverse = template_traverse,
    .tp_clear = template_clear,
    .tp_alloc = PyType_GenericAlloc,
    .tp_free = PyObject_GC_Del,
};

}  // extern "C"
