// The module `_opcode`: the instruction table of interp/opcodes.def and decoded instructions, for the modules `opcode`
// and `dis` (library/). A register machine has no stack effects. The code of a running function is read word by word
// while the interpreter may rewrite it; each word by itself is always a valid instruction or its cache.
#include <cstring>

#include "Python.h"
#include "compile/dump.h"
#include "objects/code.h"
#include "objects/code_tables.h"
#include "sync/ref.h"

namespace amphis {

namespace {

// Numbers are those of Op; the one between the general and the specialised instructions is none.
bool valid(int opcode) {
  return opcode >= 0 && opcode < static_cast<int>(Op::kCount) && opcode != static_cast<int>(Op::kFirstSpecial);
}
bool format_has(int opcode, const char* letters) {
  return valid(opcode) && std::strpbrk(kOpInfo[opcode].format, letters) != nullptr;
}

bool is_valid(int opcode) { return valid(opcode); }
bool has_arg(int opcode) { return format_has(opcode, "ABCKINiUJ"); }
bool has_const(int opcode) { return format_has(opcode, "K"); }
bool has_name(int opcode) { return format_has(opcode, "N"); }
bool has_jump(int opcode) { return format_has(opcode, "J"); }
bool has_local(int opcode) { return format_has(opcode, "ABC"); }
bool has_free(int opcode) {
  if (!valid(opcode)) return false;
  switch (kOpInfo[opcode].general) {
    case Op::MAKE_CELL:
    case Op::LOAD_DEREF:
    case Op::STORE_DEREF:
    case Op::DELETE_DEREF:
    case Op::LOAD_FROM_DICT_OR_DEREF:
      return true;
    default:
      return false;
  }
}
bool has_exc(int) { return false; }  // ranges of instructions name their handlers

template <bool (*Test)(int)>
PyObject* answer(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"opcode", nullptr};
  int opcode;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i", const_cast<char**>(keywords), &opcode)) return nullptr;
  return PyBool_FromLong(Test(opcode));
}

PyObject* stack_effect(PyObject*, PyObject*, PyObject*) {
  PyErr_SetString(PyExc_NotImplementedError, "instructions of a register machine have no stack effect");
  return nullptr;
}

PyObject* none(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyObject* no_executor(PyObject*, PyObject*, PyObject*) { Py_RETURN_NONE; }
PyObject* empty_list(PyObject*, PyObject*) { return PyList_New(0); }

PyObject* special_method_names(PyObject*, PyObject*) {
  return Py_BuildValue("[ssss]", "__enter__", "__exit__", "__aenter__", "__aexit__");
}

bool append(const Ref<>& list, PyObject* item) {
  Ref<> owned = Ref<>::steal(item);
  return owned && PyList_Append(list, owned) == 0;
}

// (name, number, number of the general form, cache words) of every instruction.
PyObject* table(PyObject*, PyObject*) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (int i = 0; list && i < static_cast<int>(Op::kCount); ++i) {
    if (!valid(i)) continue;
    const OpInfo& info = kOpInfo[i];
    if (!append(list, Py_BuildValue("(siii)", info.name, i, static_cast<int>(info.general), info.cache_words)))
      return nullptr;
  }
  return list.release();
}

// (first word, next word, number, operands, arg, argval, target word) of every instruction.
PyObject* instructions(PyObject*, PyObject* args) {
  PyCodeObject* code;
  int adaptive = 0;
  if (!PyArg_ParseTuple(args, "O!|p:instructions", &PyCode_Type, &code, &adaptive)) return nullptr;
  const uint32_t count = code_extra(code)->word_count;
  std::string copy;
  if (adaptive) {
    copy.resize(count * sizeof(Word));
    auto* to = reinterpret_cast<Word*>(copy.data());
    for (uint32_t i = 0; i < count; ++i) to[i] = __atomic_load_n(&code_words(code)[i], __ATOMIC_RELAXED);
  } else {
    copy = code_general_words(code);
  }
  const auto* words = reinterpret_cast<const Word*>(copy.data());
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (uint32_t at = 0; list && at < count;) {
    const Listed listed = list_instruction(code, words, at);
    Ref<> operands = Ref<>::steal(PyTuple_New(static_cast<Py_ssize_t>(listed.operands.size())));
    if (!operands) return nullptr;
    for (size_t i = 0; i < listed.operands.size(); ++i) {
      PyObject* text =
          PyUnicode_FromStringAndSize(listed.operands[i].data(), static_cast<Py_ssize_t>(listed.operands[i].size()));
      if (!text) return nullptr;
      PyTuple_SET_ITEM(operands.get(), static_cast<Py_ssize_t>(i), text);
    }
    Ref<> arg = listed.has_arg ? Ref<>::steal(PyLong_FromLongLong(listed.arg)) : Ref<>::share(Py_None);
    Ref<> target = listed.target >= 0 ? Ref<>::steal(PyLong_FromLongLong(listed.target)) : Ref<>::share(Py_None);
    if (!arg || !target) return nullptr;
    PyObject* value = listed.value != nullptr ? listed.value : arg.get();
    if (!append(list, Py_BuildValue("(IIiOOOO)", at, listed.next, static_cast<int>(word_op(words[at])), operands.get(),
                                    arg.get(), value, target.get()))) {
      return nullptr;
    }
    at = listed.next;
  }
  return list.release();
}

// (first word, end word, target word, register) of every exception range, innermost first.
PyObject* exception_ranges(PyObject*, PyObject* code) {
  if (!PyCode_Check(code)) {
    PyErr_SetString(PyExc_TypeError, "exception_ranges() argument must be a code object");
    return nullptr;
  }
  auto* c = reinterpret_cast<PyCodeObject*>(code);
  const CodeExtra* extra = code_extra(c);
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (uint32_t i = 0; list && i < extra->range_count; ++i) {
    const ExceptionRange& r = extra->ranges[i];
    const std::string where = register_name(c, r.depth);
    if (!append(list, Py_BuildValue("(IIIs)", r.start, r.end, r.target, where.c_str()))) return nullptr;
  }
  return list.release();
}

#define WITH_KEYWORDS(f) reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f)), METH_VARARGS | METH_KEYWORDS
PyMethodDef methods[] = {
    {"stack_effect", WITH_KEYWORDS(stack_effect), "stack_effect($module, opcode, oparg=None, /, *, jump=None)\n--\n\n"},
    {"is_valid", WITH_KEYWORDS(answer<is_valid>), "is_valid($module, /, opcode)\n--\n\n"},
    {"has_arg", WITH_KEYWORDS(answer<has_arg>), "has_arg($module, /, opcode)\n--\n\n"},
    {"has_const", WITH_KEYWORDS(answer<has_const>), "has_const($module, /, opcode)\n--\n\n"},
    {"has_name", WITH_KEYWORDS(answer<has_name>), "has_name($module, /, opcode)\n--\n\n"},
    {"has_jump", WITH_KEYWORDS(answer<has_jump>), "has_jump($module, /, opcode)\n--\n\n"},
    {"has_free", WITH_KEYWORDS(answer<has_free>), "has_free($module, /, opcode)\n--\n\n"},
    {"has_local", WITH_KEYWORDS(answer<has_local>), "has_local($module, /, opcode)\n--\n\n"},
    {"has_exc", WITH_KEYWORDS(answer<has_exc>), "has_exc($module, /, opcode)\n--\n\n"},
    {"get_specialization_stats", none, METH_NOARGS, "get_specialization_stats($module, /)\n--\n\n"},
    {"get_nb_ops", empty_list, METH_NOARGS, "get_nb_ops($module, /)\n--\n\n"},
    {"get_intrinsic1_descs", empty_list, METH_NOARGS, "get_intrinsic1_descs($module, /)\n--\n\n"},
    {"get_intrinsic2_descs", empty_list, METH_NOARGS, "get_intrinsic2_descs($module, /)\n--\n\n"},
    {"get_special_method_names", special_method_names, METH_NOARGS, "get_special_method_names($module, /)\n--\n\n"},
    {"get_executor", WITH_KEYWORDS(no_executor), "get_executor($module, /, code, offset)\n--\n\n"},
    {"table", table, METH_NOARGS,
     "table($module, /)\n--\n\nEvery instruction: (name, opcode, general opcode, cache words)."},
    {"instructions", instructions, METH_VARARGS,
     "instructions($module, code, adaptive=False, /)\n--\n\n"
     "Decoded: (word, next word, opcode, operands, arg, argval, target word)."},
    {"exception_ranges", exception_ranges, METH_O,
     "exception_ranges($module, code, /)\n--\n\n(word, end word, target word, register) of every range."},
    {nullptr, nullptr, 0, nullptr},
};

int exec_module(PyObject* module) {
  return PyModule_AddObjectRef(module, "ENABLE_SPECIALIZATION", Py_True) < 0 ||
                 PyModule_AddObjectRef(module, "ENABLE_SPECIALIZATION_FT", Py_True) < 0
             ? -1
             : 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec_module)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};
PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_opcode",
    .m_doc = "Opcode support module.",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis

PyMODINIT_FUNC PyInit__opcode() { return PyModuleDef_Init(&amphis::definition); }
