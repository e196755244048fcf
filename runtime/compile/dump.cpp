// The listing of a code object.
#include "compile/dump.h"

#include <cstdio>

#include "objects/code.h"
#include "sync/ref.h"

namespace amphis {

namespace {

std::string text_of(PyObject* o) {
  Ref<> repr = Ref<>::steal(PyObject_Repr(o));
  const char* s = repr ? PyUnicode_AsUTF8(repr) : nullptr;
  if (s == nullptr) {
    PyErr_Clear();
    return "?";
  }
  return s;
}

std::string register_name(PyCodeObject* code, unsigned r) {
  const auto n = static_cast<unsigned>(code->co_nlocalsplus);
  if (r < n) {
    PyObject* name = PyTuple_GET_ITEM(code->co_localsplusnames, static_cast<Py_ssize_t>(r));
    return PyUnicode_AsUTF8(name) + std::string("/") + std::to_string(r);
  }
  return "t" + std::to_string(r - n);
}

}  // namespace

std::string dump_code(PyCodeObject* code) {
  std::string out = text_of(code->co_qualname) + " flags " + std::to_string(code->co_flags) + " args " +
                    std::to_string(code->co_argcount) + "\n";
  const CodeExtra* extra = code_extra(code);
  const Word* words = code_words(code);
  for (uint32_t i = 0; i < extra->word_count;) {
    const Word w = words[i];
    const Op op = word_op(w);
    const OpInfo& info = op_info(op);
    char head[64];
    Position p = code_position(code, i);
    std::snprintf(head, sizeof head, "%4d:%-3d %4u %-18s", p.line, p.column, i, info.name);
    out += head;
    const uint32_t next = i + 1u + info.cache_words;
    const std::string format = info.format;
    int slot = 0;
    for (char f : format) {
      const unsigned value = slot == 0 ? word_a(w) : slot == 1 ? word_b(w) : word_c(w);
      ++slot;
      out += ' ';
      switch (f) {
        case 'A':
          out += register_name(code, word_a(w));
          break;
        case 'B':
          out += register_name(code, word_b(w));
          if (word_flags(w) & kKillB) out += '!';
          break;
        case 'C':
          out += register_name(code, word_c(w));
          if (word_flags(w) & kKillC) out += '!';
          break;
        case 'K':
          out += text_of(PyTuple_GET_ITEM(code->co_consts, word_bc(w)));
          break;
        case 'I':
          out += '#' + std::to_string(word_bc(w));
          break;
        case 'N':
          out += text_of(PyTuple_GET_ITEM(code->co_names, format == "AN" ? word_bc(w) : word_c(w)));
          break;
        case 'i':
          out += '#' + std::to_string(static_cast<int16_t>(word_c(w)));
          break;
        case 'U':
          out += std::to_string(value);
          break;
        case 'J':
          out += "-> " + std::to_string(static_cast<int64_t>(next) + word_bc(w));
          break;
        default:
          break;
      }
    }
    if (word_flags(w) & kFused) out += " fused";
    if (op == Op::CALL || op == Op::CALL_KW) {
      out += " n=" + std::to_string(word_b(w));
      if (word_flags(w) & kMethod) out += " method";
    }
    if (op == Op::FOR_ITER) out += " into " + register_name(code, static_cast<uint16_t>(words[i + 1]));
    if (op == Op::CALL_KW || op == Op::MAKE_FUNCTION) {
      out += ' ' + text_of(PyTuple_GET_ITEM(code->co_consts, static_cast<Py_ssize_t>(words[i + 1])));
    }
    out += " f" + std::to_string(word_flags(w)) + "\n";
    i = next;
  }
  for (uint32_t i = 0; i < extra->range_count; ++i) {
    const ExceptionRange& r = extra->ranges[i];
    out += "  range " + std::to_string(r.start) + ".." + std::to_string(r.end) + " -> " + std::to_string(r.target) +
           " depth " + register_name(code, r.depth) + "\n";
  }
  out += "\n";
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(code->co_consts); ++i) {
    PyObject* c = PyTuple_GET_ITEM(code->co_consts, i);
    if (PyCode_Check(c)) out += dump_code(reinterpret_cast<PyCodeObject*>(c));
  }
  return out;
}

}  // namespace amphis
