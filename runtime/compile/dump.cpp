// The listing of a code object.
#include "compile/dump.h"

#include <cstdio>
#include <cstring>

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

std::string name_text(PyObject* name) {
  const char* s = PyUnicode_AsUTF8(name);
  if (s != nullptr) return s;
  PyErr_Clear();
  return text_of(name);
}

// Numbers that stand for something, in the order of the enumerations of opcode.h.
constexpr const char* kCommonConstants[] = {"AssertionError", "NotImplementedError", "tuple", "all", "any"};
constexpr const char* kSpecialMethods[] = {"__enter__", "__exit__", "__aenter__", "__aexit__"};
constexpr const char* kIntrinsics1[] = {"print",          "import_star",       "stop_iteration_error",
                                        "async_gen_wrap", "type_var",          "param_spec",
                                        "type_var_tuple", "subscript_generic", "type_alias"};
constexpr const char* kIntrinsics2[] = {"prep_reraise_star", "type_var_with_bound", "type_var_with_constraints",
                                        "set_function_type_params", "set_type_param_default"};

template <size_t N>
std::string choice(const char* const (&names)[N], unsigned i) {
  return i < N ? names[i] : "#" + std::to_string(i);
}

std::string number_text(Op op, int64_t value) {
  const auto i = static_cast<unsigned>(value);
  switch (op) {
    case Op::LOAD_COMMON_CONSTANT:
      return choice(kCommonConstants, i);
    case Op::LOAD_SPECIAL:
      return choice(kSpecialMethods, i);
    case Op::INTRINSIC_1:
      return choice(kIntrinsics1, i);
    case Op::INTRINSIC_2:
      return choice(kIntrinsics2, i);
    default:
      return "#" + std::to_string(value);
  }
}

bool is_call(Op op) { return op == Op::CALL || op == Op::CALL_KW || op == Op::CALL_EX; }

void add_flags(Op op, uint8_t flags, std::vector<std::string>& operands) {
  if ((is_call(op) || op == Op::LOAD_SUPER_ATTR) && flags & kMethod) operands.emplace_back("method");
  if (op == Op::LOAD_SUPER_ATTR && flags & kSuperZeroArg) operands.emplace_back("no arguments");
  if (op >= Op::ADD && op <= Op::XOR && flags & kInPlace) operands.emplace_back("in place");
  if (op >= Op::ADD_IMM && op <= Op::AND_IMM && flags & kInPlace) operands.emplace_back("in place");
  if ((op == Op::IS || op == Op::CONTAINS) && flags & kNegate) operands.emplace_back("negated");
  if (op == Op::LIST_EXTEND && flags & kCallArgs) operands.emplace_back("arguments");
  if (((op >= Op::LT && op <= Op::CONTAINS) || is_call(op)) && flags & kFused) operands.emplace_back("fused");
  if ((op == Op::LOAD_SLICE || op == Op::STORE_SLICE) && flags & kSliceStep) operands.emplace_back("step");
}

}  // namespace

std::string register_name(PyCodeObject* code, unsigned r) {
  const auto n = static_cast<unsigned>(code->co_nlocalsplus);
  if (r < n) return name_text(PyTuple_GET_ITEM(code->co_localsplusnames, static_cast<Py_ssize_t>(r)));
  return "t" + std::to_string(r - n);
}

Listed list_instruction(PyCodeObject* code, const Word* words, uint32_t at) {
  const Word w = words[at];
  const uint8_t flags = word_flags(w);
  const OpInfo& info = op_info(word_op(w));
  Listed out;
  out.next = at + 1u + info.cache_words;
  auto put = [&](std::string text) { out.operands.push_back(std::move(text)); };
  auto number = [&](int64_t value) {
    out.has_arg = true;
    out.arg = value;
  };
  auto item = [&](PyObject* tuple, int64_t index) {
    number(index);
    out.value = PyTuple_GET_ITEM(tuple, static_cast<Py_ssize_t>(index));
    return out.value;
  };
  const bool wide_name = std::strcmp(info.format, "AN") == 0;
  const unsigned fields[] = {word_a(w), word_b(w), word_c(w)};
  for (int slot = 0; info.format[slot] != '\0'; ++slot) {
    switch (info.format[slot]) {
      case 'A':
        put(register_name(code, word_a(w)) + (flags & kKillA ? "!" : ""));
        break;
      case 'B':
        if (is_call(info.general)) {
          number(word_b(w));
          if (info.general != Op::CALL_EX) put(number_text(info.general, word_b(w)));
        } else {
          put(register_name(code, word_b(w)) + (flags & kKillB ? "!" : ""));
        }
        break;
      case 'C':
        put(register_name(code, word_c(w)) + (flags & kKillC ? "!" : ""));
        break;
      case 'K':
        put(text_of(item(code->co_consts, word_bc(w))));
        break;
      case 'N':
        put(name_text(item(code->co_names, wide_name ? word_bc(w) : word_c(w))));
        break;
      case 'I':
        number(word_bc(w));
        put(number_text(info.general, out.arg));
        break;
      case 'i':
        number(static_cast<int16_t>(word_c(w)));
        put(number_text(info.general, out.arg));
        break;
      case 'U':
        number(fields[slot]);
        put(number_text(info.general, out.arg));
        break;
      case 'J':
        number(word_bc(w));
        out.target = static_cast<int64_t>(out.next) + word_bc(w);
        break;
      default:
        break;
    }
  }
  if (info.general == Op::FOR_ITER) put(register_name(code, static_cast<uint16_t>(words[at + 1])));
  if (info.general == Op::CALL_KW || info.general == Op::MAKE_FUNCTION) {
    put(text_of(PyTuple_GET_ITEM(code->co_consts, static_cast<Py_ssize_t>(words[at + 1]))));
  }
  add_flags(info.general, flags, out.operands);
  return out;
}

std::string dump_code(PyCodeObject* code) {
  std::string out = text_of(code->co_qualname) + " flags " + std::to_string(code->co_flags) + " args " +
                    std::to_string(code->co_argcount) + "\n";
  const CodeExtra* extra = code_extra(code);
  const Word* words = code_words(code);
  for (uint32_t i = 0; i < extra->word_count;) {
    char head[64];
    Position p = code_position(code, i);
    std::snprintf(head, sizeof head, "%4d:%-3d %4u %-18s", p.line, p.column, i, op_info(word_op(words[i])).name);
    out += head;
    Listed listed = list_instruction(code, words, i);
    for (const std::string& operand : listed.operands) out += " " + operand;
    if (listed.target >= 0) out += " -> " + std::to_string(listed.target);
    out += " f" + std::to_string(word_flags(words[i])) + "\n";
    i = listed.next;
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
