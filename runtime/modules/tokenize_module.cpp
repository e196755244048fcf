// The module `_tokenize`: the lexer as an iterator of token tuples, for `tokenize`.
//
// All lines are read from `readline` before the first token; the lexer then runs over the whole text, token by token.
// Line ends of the source are kept aside, for the lexer knows only "\n".
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "compile/tree.h"
#include "source/lexer.h"
#include "sync/object_lock.h"
#include "sync/ref.h"

namespace amphis {

namespace {

struct TokenState {
  std::string text;                  // UTF-8, "\n" line ends, complete last line
  std::vector<std::string> lines;    // as they were read
  std::vector<SyntaxWarningInfo> warnings;
  std::unique_ptr<Lexer> lexer;
  bool implicit_newline = false;     // the last line had no end
  int newline_seen = 0;              // the line that a NEWLINE or NL ended last
  bool done = false;
};

struct TokenizerIter {
  PyObject_HEAD
  PyObject* readline;
  PyObject* encoding;
  bool extra_tokens;
  TokenState* state;
};

PyObject* iter_type = nullptr;

TokenizerIter* as_iter(PyObject* o) { return reinterpret_cast<TokenizerIter*>(o); }

void iter_dealloc(PyObject* self) {
  PyTypeObject* type = Py_TYPE(self);
  PyObject_GC_UnTrack(self);
  Py_CLEAR(as_iter(self)->readline);
  Py_CLEAR(as_iter(self)->encoding);
  delete as_iter(self)->state;
  type->tp_free(self);
  Py_DECREF(type);
}

int iter_traverse(PyObject* self, visitproc visit, void* arg) {
  Py_VISIT(Py_TYPE(self));
  Py_VISIT(as_iter(self)->readline);
  return 0;
}

int iter_clear(PyObject* self) {
  Py_CLEAR(as_iter(self)->readline);
  return 0;
}

PyObject* iter_new(PyTypeObject* type, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"", "extra_tokens", "encoding", nullptr};
  PyObject *readline, *encoding = nullptr;
  int extra_tokens;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O$pO:tokenizeriter", const_cast<char**>(keywords), &readline,
                                   &extra_tokens, &encoding)) {
    PyErr_Clear();
    if (!PyArg_ParseTupleAndKeywords(args, kwargs, "O|$pO:tokenizeriter", const_cast<char**>(keywords), &readline,
                                     &extra_tokens, &encoding)) {
      return nullptr;
    }
    if (kwargs == nullptr || PyDict_GetItemString(kwargs, "extra_tokens") == nullptr) {
      PyErr_SetString(PyExc_TypeError, "tokenizeriter() missing required argument 'extra_tokens' (pos 2)");
      return nullptr;
    }
  }
  if (encoding == Py_None) encoding = nullptr;
  if (encoding != nullptr && !PyUnicode_Check(encoding)) {
    PyErr_Format(PyExc_TypeError, "tokenizeriter() argument 'encoding' must be str, not %.50s",
                 Py_TYPE(encoding)->tp_name);
    return nullptr;
  }
  PyObject* self = type->tp_alloc(type, 0);
  if (self == nullptr) return nullptr;
  as_iter(self)->readline = Py_NewRef(readline);
  as_iter(self)->encoding = Py_XNewRef(encoding);
  as_iter(self)->extra_tokens = extra_tokens != 0;
  return self;
}

bool read_lines(TokenizerIter* it, TokenState& state) {
  for (;;) {
    PyObject* line = PyObject_CallNoArgs(it->readline);
    if (line == nullptr) {
      if (!PyErr_ExceptionMatches(PyExc_StopIteration)) return false;
      PyErr_Clear();
      break;
    }
    Ref<> holder = Ref<>::steal(line);
    if (it->encoding != nullptr) {
      if (!PyBytes_Check(line)) {
        PyErr_SetString(PyExc_TypeError, "readline() returned a non-bytes object");
        return false;
      }
      const char* encoding = PyUnicode_AsUTF8(it->encoding);
      if (encoding == nullptr) return false;
      holder = Ref<>::steal(PyUnicode_Decode(PyBytes_AS_STRING(line), PyBytes_GET_SIZE(line), encoding, "replace"));
      if (!holder) return false;
    } else if (!PyUnicode_Check(line)) {
      PyErr_SetString(PyExc_TypeError, "readline() returned a non-string object");
      return false;
    }
    Py_ssize_t size;
    const char* data = PyUnicode_AsUTF8AndSize(holder, &size);
    if (data == nullptr) return false;
    if (size == 0) break;
    // What readline() gives may hold several lines.
    std::string_view rest(data, static_cast<size_t>(size));
    while (!rest.empty()) {
      size_t end = rest.find('\n');
      std::string_view one = rest.substr(0, end == std::string_view::npos ? end : end + 1);
      if (state.lines.empty() || (!state.lines.back().empty() && state.lines.back().back() == '\n')) {
        state.lines.emplace_back(one);
      } else {
        state.lines.back() += one;
      }
      rest.remove_prefix(one.size());
    }
  }
  for (const std::string& line : state.lines) {
    std::string_view text = line;
    const bool ended = text.ends_with('\n');
    if (ended) text.remove_suffix(1);
    if (ended && text.ends_with('\r')) text.remove_suffix(1);
    state.text += text;
    state.text += '\n';
    state.implicit_newline = !ended;
  }
  return true;
}

Py_ssize_t characters(std::string_view bytes) {
  Py_ssize_t n = 0;
  for (char c : bytes) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

// A column in bytes of a line as one in characters.
Py_ssize_t column(const TokenState& state, int line, int bytes) {
  if (bytes < 0) return bytes;
  if (line < 1 || static_cast<size_t>(line) > state.lines.size()) return bytes;
  std::string_view text = state.lines[static_cast<size_t>(line) - 1];
  return characters(text.substr(0, static_cast<size_t>(bytes)));
}

PyObject* decoded(std::string_view s) {
  return PyUnicode_DecodeUTF8(s.data(), static_cast<Py_ssize_t>(s.size()), "replace");
}

PyObject* make_token(TokenizerIter* it, const Token& token) {
  TokenState& state = *it->state;
  int type = static_cast<int>(token.kind);
  if (is_keyword(token.kind)) type = static_cast<int>(Tok::Name);
  if (it->extra_tokens && ((type > static_cast<int>(Tok::Dedent) && type < static_cast<int>(Tok::Op)))) {
    type = static_cast<int>(Tok::Op);
  }
  int line = token.line, end_line = token.end_line;
  std::string_view text = std::string_view(state.text).substr(token.start, token.end - token.start);
  Py_ssize_t start_column = column(state, line, token.col), end_column = column(state, end_line, token.end_col);
  auto line_text = [&](int n) -> std::string_view {
    if (n < 1 || static_cast<size_t>(n) > state.lines.size()) return {};
    return state.lines[static_cast<size_t>(n) - 1];
  };
  std::string several;
  std::string_view shown = line_text(end_line);
  if (end_line > line) {
    for (int n = line; n <= end_line; ++n) several += line_text(n);
    shown = several;
  }
  switch (token.kind) {
    case Tok::Indent:
    case Tok::Dedent: {
      std::string_view current = line_text(line);
      size_t width = 0;
      while (width < current.size() && (current[width] == ' ' || current[width] == '\t' || current[width] == '\f')) {
        ++width;
      }
      const bool indent = token.kind == Tok::Indent;
      text = indent ? current.substr(0, width) : std::string_view();
      start_column = indent ? 0 : static_cast<Py_ssize_t>(width);
      end_column = static_cast<Py_ssize_t>(width);
      end_line = line;
      if (current.empty() || line <= state.newline_seen) {
        // Blocks that the end of the input closes.
        line = end_line = static_cast<int>(state.lines.size()) + 1;
        start_column = end_column = 0;
        text = shown = {};
      }
      break;
    }
    case Tok::EndMarker:
      text = {};
      line = end_line = static_cast<int>(state.lines.size()) + 1;
      start_column = end_column = 0;
      shown = {};
      break;
    case Tok::Newline:
    case Tok::Nl: {
      state.newline_seen = line;
      std::string_view current = line_text(line);
      const bool last = static_cast<size_t>(line) == state.lines.size();
      if (last && state.implicit_newline) {
        text = {};
      } else {
        text = current.ends_with("\r\n") ? "\r\n" : "\n";
      }
      end_line = line;
      shown = current;
      end_column = start_column + (text.empty() ? 1 : static_cast<Py_ssize_t>(text.size()));
      if (!it->extra_tokens) {
        text = {};
        end_column = start_column;
      }
      break;
    }
    case Tok::FStringMiddle:
    case Tok::TStringMiddle:
      // A doubled brace is one character of the text; the second is skipped.
      if (line == end_line && end_column > start_column) end_column = start_column + characters(text);
      break;
    default:
      break;
  }
  if (!it->extra_tokens && (token.kind == Tok::Indent || token.kind == Tok::Dedent || token.kind == Tok::EndMarker)) {
    // Without the extra tokens those that stand for no text have no columns either, and the end is in the last line.
    line = end_line = std::min(line, static_cast<int>(state.lines.size()));
    start_column = end_column = -1;
    text = {};
    shown = line_text(line);
    if (shown == "\n") shown = {};
  }
  Ref<> string = Ref<>::steal(decoded(text));
  Ref<> source_line = Ref<>::steal(decoded(shown));
  if (!string || !source_line) return nullptr;
  return Py_BuildValue("(iO(in)(in)O)", type, string.get(), line, start_column, end_line, end_column,
                       source_line.get());
}

PyObject* iter_next(PyObject* self) {
  TokenizerIter* it = as_iter(self);
  ObjectLock lock(self);
  if (it->state == nullptr) {
    auto state = std::make_unique<TokenState>();
    if (!read_lines(it, *state)) return nullptr;
    LexerOptions options;
    options.extra_tokens = it->extra_tokens;
    state->lexer = std::make_unique<Lexer>(state->text, options, &state->warnings);
    it->state = state.release();
  }
  TokenState& state = *it->state;
  if (state.done) return nullptr;
  Token token{};
  state.lexer->next(token);
  if (token.kind == Tok::Error) {
    state.done = true;
    Ref<> filename = Ref<>::steal(PyUnicode_FromString("<string>"));
    if (filename) raise_parse_error(state.lexer->error(), filename);
    return nullptr;
  }
  if (token.kind == Tok::EndMarker) {
    state.done = true;
    if (state.lines.empty() && !it->extra_tokens) return nullptr;
    if (state.lexer->nesting() > 0) {
      SyntaxErrorInfo error;
      error.kind = SyntaxErrorKind::SyntaxError;
      error.message = "unexpected EOF in multi-line statement";
      error.lineno = static_cast<int>(state.lines.size());
      error.offset = 0;
      Ref<> filename = Ref<>::steal(PyUnicode_FromString("<string>"));
      if (filename) raise_parse_error(error, filename);
      return nullptr;
    }
  }
  return make_token(it, token);
}

PyType_Slot iter_slots[] = {
    {Py_tp_new, reinterpret_cast<void*>(iter_new)},
    {Py_tp_dealloc, reinterpret_cast<void*>(iter_dealloc)},
    {Py_tp_traverse, reinterpret_cast<void*>(iter_traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(iter_clear)},
    {Py_tp_getattro, reinterpret_cast<void*>(PyObject_GenericGetAttr)},
    {Py_tp_iter, reinterpret_cast<void*>(PyObject_SelfIter)},
    {Py_tp_iternext, reinterpret_cast<void*>(iter_next)},
    {0, nullptr},
};
PyType_Spec iter_spec = {"_tokenize.TokenizerIter", sizeof(TokenizerIter), 0,
                         Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, iter_slots};

int exec_module(PyObject* module) {
  if (iter_type == nullptr) {
    iter_type = PyType_FromSpec(&iter_spec);
    if (iter_type == nullptr) return -1;
  }
  return PyModule_AddObjectRef(module, "TokenizerIter", iter_type);
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec_module)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_tokenize",
    .m_size = 0,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__tokenize() { return PyModuleDef_Init(&amphis::definition); }
