// Universal newlines: what TextIOWrapper and StringIO apply to decoded text, and _io.IncrementalNewlineDecoder, which
// applies the same to the output of any decoder. Invariant: pending_cr says that a "\r" at the end of the last piece was
// held back because a "\n" may follow.
#include "modules/io.h"

#include "objects/str.h"
#include "objects/str_writer.h"

namespace amphis::io {
namespace {

template <class Char>
Py_ssize_t find_char(const Char* text, Py_ssize_t start, Py_ssize_t end, Char wanted) {
  if constexpr (sizeof(Char) == 1) {
    const void* at = memchr(text + start, wanted, static_cast<size_t>(end - start));
    return at ? static_cast<const Char*>(at) - text : -1;
  } else {
    for (Py_ssize_t i = start; i < end; i++) {
      if (text[i] == wanted) return i;
    }
    return -1;
  }
}

Py_ssize_t find(PyObject* text, Py_ssize_t start, Py_ssize_t end, char wanted) {
  return with_chars(StrView(text), [&](auto* data) {
    using Char = std::remove_cvref_t<decltype(*data)>;
    return find_char<Char>(data, start, end, static_cast<Char>(wanted));
  });
}

// Walks over text that has a "\r": notes the kinds of line ends and, if `out`, writes the text with "\n" for each.
template <class Char>
Py_ssize_t normalize(const Char* text, Py_ssize_t n, unsigned char* seen, Char* out) {
  Py_ssize_t written = 0;
  for (Py_ssize_t i = 0; i < n; i++) {
    Char c = text[i];
    if (c == '\n') {
      *seen |= kSeenLf;
    } else if (c == '\r') {
      if (i + 1 < n && text[i + 1] == '\n') {
        *seen |= kSeenCrLf;
        if (out == nullptr) continue;
        i++;
      } else {
        *seen |= kSeenCr;
      }
      c = '\n';
    }
    if (out != nullptr) out[written++] = c;
  }
  return written;
}

// Notes line ends without changing anything; "\r\n" counts as one.
template <class Char>
void note_ends(const Char* text, Py_ssize_t n, unsigned char* seen) {
  for (Py_ssize_t i = 0; i < n && *seen != (kSeenCr | kSeenLf | kSeenCrLf); i++) {
    if (text[i] == '\n') {
      *seen |= kSeenLf;
    } else if (text[i] == '\r') {
      if (i + 1 < n && text[i + 1] == '\n') {
        *seen |= kSeenCrLf;
        i++;
      } else {
        *seen |= kSeenCr;
      }
    }
  }
}

}  // namespace

PyObject* translate_newlines(NewlineState* state, PyObject* text, bool final) {
  Ref<> piece = Ref<>::steal(text);
  if (!piece) return nullptr;
  Py_ssize_t n = PyUnicode_GET_LENGTH(piece.get());
  if (state->pending_cr && (final || n > 0)) {
    piece = Ref<>::steal(PyUnicode_Concat(latin1_char('\r'), piece.get()));
    if (!piece) return nullptr;
    state->pending_cr = false;
    n++;
  }
  if (n == 0) return piece.release();
  const bool has_cr = find(piece.get(), 0, n, '\r') >= 0;
  if (!has_cr) {
    if (!(state->seen & kSeenLf) && find(piece.get(), 0, n, '\n') >= 0) state->seen |= kSeenLf;
    return piece.release();
  }
  if (!final && PyUnicode_READ_CHAR(piece.get(), n - 1) == '\r') {
    n--;
    state->pending_cr = true;
    piece = Ref<>::steal(PyUnicode_Substring(piece.get(), 0, n));
    if (!piece) return nullptr;
    if (n == 0) return piece.release();
  }
  StrView view(piece.get());
  if (!state->translate) {
    with_chars(view, [&](auto* data) { note_ends(data, n, &state->seen); });
    return piece.release();
  }
  // The widest character stays, so the kind does.
  PyObject* result = nullptr;
  with_chars(view, [&](auto* data) {
    using Char = std::remove_cvref_t<decltype(*data)>;
    auto* scratch = static_cast<Char*>(PyMem_Malloc(static_cast<size_t>(n) * sizeof(Char)));
    if (scratch == nullptr) {
      PyErr_NoMemory();
      return;
    }
    const Py_ssize_t length = normalize(data, n, &state->seen, scratch);
    if (view.ascii)
      result = str_from_ascii(reinterpret_cast<const char*>(scratch), length);
    else
      result = PyUnicode_FromKindAndData(view.kind, scratch, length);
    PyMem_Free(scratch);
  });
  return result;
}

PyObject* newlines_seen(unsigned char seen) {
  switch (seen) {
    case 0:
      Py_RETURN_NONE;
    case kSeenCr:
      return PyUnicode_FromString("\r");
    case kSeenLf:
      return PyUnicode_FromString("\n");
    case kSeenCrLf:
      return PyUnicode_FromString("\r\n");
    case kSeenCr | kSeenLf:
      return Py_BuildValue("ss", "\r", "\n");
    case kSeenCr | kSeenCrLf:
      return Py_BuildValue("ss", "\r", "\r\n");
    case kSeenLf | kSeenCrLf:
      return Py_BuildValue("ss", "\n", "\r\n");
    default:
      return Py_BuildValue("sss", "\r", "\n", "\r\n");
  }
}

Py_ssize_t find_line_end(PyObject* text, Py_ssize_t start, bool universal, PyObject* newline, Py_ssize_t* tail) {
  const Py_ssize_t n = PyUnicode_GET_LENGTH(text);
  *tail = n;
  if (universal) {
    return with_chars(StrView(text), [&](auto* data) -> Py_ssize_t {
      for (Py_ssize_t i = start; i < n; i++) {
        if (data[i] > '\r') continue;
        if (data[i] == '\n') return i + 1;
        if (data[i] == '\r') return i + 1 < n && data[i + 1] == '\n' ? i + 2 : i + 1;
      }
      return -1;
    });
  }
  if (newline == nullptr) {
    const Py_ssize_t at = find(text, start, n, '\n');
    return at < 0 ? -1 : at + 1;
  }
  const Py_ssize_t length = PyUnicode_GET_LENGTH(newline);
  const auto first = static_cast<char>(PyUnicode_READ_CHAR(newline, 0));
  for (Py_ssize_t from = start;;) {
    const Py_ssize_t at = find(text, from, n, first);
    if (at < 0) return -1;
    if (length == 1) return at + 1;
    if (at + 1 == n) {
      *tail = at;  // perhaps half a line end
      return -1;
    }
    if (PyUnicode_READ_CHAR(text, at + 1) == PyUnicode_READ_CHAR(newline, 1)) return at + 2;
    from = at + 1;
  }
}

PyObject* replace_newlines(PyObject* text, const char* newline) {
  Ref<> with = Ref<>::steal(PyUnicode_FromString(newline));
  return with ? PyUnicode_Replace(text, latin1_char('\n'), with.get(), -1) : nullptr;
}

// ---- IncrementalNewlineDecoder ----

namespace {

struct Decoder {
  PyObject_HEAD
  PyObject* decoder;  // null: __init__ was not called
  PyObject* errors;
  NewlineState state;
};
Decoder* as_decoder(PyObject* op) { return reinterpret_cast<Decoder*>(op); }

bool initialized(PyObject* op) {
  if (as_decoder(op)->decoder != nullptr) return true;
  PyErr_SetString(PyExc_ValueError, "IncrementalNewlineDecoder.__init__() not called");
  return false;
}

int decoder_init(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"decoder", "translate", "errors", nullptr};
  PyObject *decoder, *errors = nullptr;
  int translate;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "Op|O:IncrementalNewlineDecoder", const_cast<char**>(keywords),
                                   &decoder, &translate, &errors))
    return -1;
  Ref<> handler = errors ? Ref<>::share(errors) : Ref<>::steal(PyUnicode_FromString("strict"));
  if (!handler) return -1;
  ObjectLock lock(op);
  Decoder* self = as_decoder(op);
  Py_XSETREF(self->decoder, Py_NewRef(decoder));
  Py_XSETREF(self->errors, handler.release());
  self->state = NewlineState{.translate = translate != 0};
  return 0;
}

PyObject* decoder_decode(PyObject* op, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"input", "final", nullptr};
  PyObject* input;
  int final = 0;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|p:decode", const_cast<char**>(keywords), &input, &final))
    return nullptr;
  ObjectLock lock(op);
  if (!initialized(op)) return nullptr;
  Decoder* self = as_decoder(op);
  Ref<> text;
  if (self->decoder == Py_None) {
    text = Ref<>::share(input);
  } else {
    Ref<> decoder = Ref<>::share(self->decoder);
    text = Ref<>::steal(PyObject_CallMethod(decoder.get(), "decode", "OO", input, final ? Py_True : Py_False));
    if (!text) return nullptr;
  }
  if (!PyUnicode_Check(text.get())) {
    return PyErr_Format(PyExc_TypeError, "decoder should return a string result, not '%.200s'",
                        Py_TYPE(text.get())->tp_name);
  }
  return translate_newlines(&self->state, text.release(), final != 0);
}

PyObject* decoder_getstate(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  if (!initialized(op)) return nullptr;
  Decoder* self = as_decoder(op);
  Ref<> buffered;
  unsigned long long flag = 0;
  if (self->decoder != Py_None) {
    Ref<> decoder = Ref<>::share(self->decoder);
    Ref<> state = Ref<>::steal(PyObject_CallMethodNoArgs(decoder.get(), AMPHIS_STATIC_NAME("getstate")));
    if (!state) return nullptr;
    PyObject* bytes;
    if (!PyTuple_Check(state.get())) {
      PyErr_SetString(PyExc_TypeError, "illegal decoder state");
      return nullptr;
    }
    if (!PyArg_ParseTuple(state.get(), "OK;illegal decoder state", &bytes, &flag)) return nullptr;
    buffered = Ref<>::share(bytes);
  } else {
    buffered = Ref<>::steal(PyBytes_FromStringAndSize(nullptr, 0));
    if (!buffered) return nullptr;
  }
  return Py_BuildValue("OK", buffered.get(), flag << 1 | (self->state.pending_cr ? 1 : 0));
}

PyObject* decoder_setstate(PyObject* op, PyObject* state) {
  ObjectLock lock(op);
  if (!initialized(op)) return nullptr;
  Decoder* self = as_decoder(op);
  if (!PyTuple_Check(state)) {
    PyErr_SetString(PyExc_TypeError, "state argument must be a tuple");
    return nullptr;
  }
  PyObject* buffered;
  unsigned long long flag;
  if (!PyArg_ParseTuple(state, "OK;setstate(): illegal state argument", &buffered, &flag)) return nullptr;
  self->state.pending_cr = flag & 1;
  if (self->decoder == Py_None) Py_RETURN_NONE;
  Ref<> decoder = Ref<>::share(self->decoder);
  return PyObject_CallMethod(decoder.get(), "setstate", "((OK))", buffered, flag >> 1);
}

PyObject* decoder_reset(PyObject* op, PyObject*) {
  ObjectLock lock(op);
  if (!initialized(op)) return nullptr;
  Decoder* self = as_decoder(op);
  self->state.seen = 0;
  self->state.pending_cr = false;
  if (self->decoder == Py_None) Py_RETURN_NONE;
  Ref<> decoder = Ref<>::share(self->decoder);
  return PyObject_CallMethodNoArgs(decoder.get(), AMPHIS_STATIC_NAME("reset"));
}

PyObject* get_newlines(PyObject* op, void*) {
  ObjectLock lock(op);
  return initialized(op) ? newlines_seen(as_decoder(op)->state.seen) : nullptr;
}

int decoder_traverse(PyObject* op, visitproc visit, void* arg) {
  Py_VISIT(as_decoder(op)->decoder);
  Py_VISIT(as_decoder(op)->errors);
  return 0;
}
int decoder_clear(PyObject* op) {
  Py_CLEAR(as_decoder(op)->decoder);
  Py_CLEAR(as_decoder(op)->errors);
  return 0;
}
void decoder_dealloc(PyObject* op) {
  untrack(op);
  decoder_clear(op);
  Py_TYPE(op)->tp_free(op);
}

PyMethodDef decoder_methods[] = {
    {"decode", AMPHIS_METHOD(decoder_decode), METH_VARARGS | METH_KEYWORDS,
     "decode($self, /, input, final=False)\n--\n\n"},
    {"getstate", decoder_getstate, METH_NOARGS, "getstate($self, /)\n--\n\n"},
    {"setstate", decoder_setstate, METH_O, "setstate($self, state, /)\n--\n\n"},
    {"reset", decoder_reset, METH_NOARGS, "reset($self, /)\n--\n\n"},
    {},
};
PyGetSetDef decoder_getset[] = {{"newlines", get_newlines, nullptr, nullptr, nullptr}, {}};

}  // namespace

PyTypeObject newline_decoder_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0)
    .tp_name = "_io.IncrementalNewlineDecoder",
    .tp_basicsize = sizeof(Decoder),
    .tp_dealloc = decoder_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "IncrementalNewlineDecoder(decoder, translate, errors='strict')\n--\n\n"
              "Notes the kinds of line ends in what another incremental decoder returns, and turns them into \\n if\n"
              "translate is true. A \\r at the end of a piece waits for the next one.",
    .tp_traverse = decoder_traverse,
    .tp_clear = decoder_clear,
    .tp_methods = decoder_methods,
    .tp_getset = decoder_getset,
    .tp_init = decoder_init,
    .tp_alloc = PyType_GenericAlloc,
    .tp_new = PyType_GenericNew,
    .tp_free = PyObject_GC_Del,
};

}  // namespace amphis::io
