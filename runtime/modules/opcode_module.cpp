// The module `_opcode`, which `opcode` and `dis` import. Those describe CPython's instructions by number; the machine's
// own have a listing of their own (compile/dump.h). Properties of CPython's numbers are answered here so that the
// modules work as far as they are about names and flags; a register machine has no stack effects.
#include "Python.h"
#include "sync/ref.h"

namespace amphis {

namespace {

struct Range {
  int first, last;
};

template <size_t N>
bool within(const Range (&ranges)[N], int opcode) {
  for (const Range& r : ranges) {
    if (opcode >= r.first && opcode <= r.last) return true;
  }
  return false;
}

// CPython 3.14's numbering, as its `opcode` module lists it.
constexpr Range kHasArg[] = {{44, 120}, {128, 128}, {237, 237}, {239, 239}, {241, 245}, {247, 251},
                             {253, 253}, {255, 255}, {257, 261}, {263, 266}};
constexpr Range kHasConst[] = {{82, 82}};
constexpr Range kHasName[] = {{61, 61}, {64, 65}, {72, 73},   {80, 80},   {91, 93},
                              {96, 96}, {110, 110}, {115, 116}, {249, 249}};
constexpr Range kHasJump[] = {{68, 68}, {70, 70}, {75, 77}, {100, 103}, {106, 106}, {237, 237}, {248, 248}, {257, 260}};
constexpr Range kHasFree[] = {{62, 62}, {90, 90}, {97, 97}, {111, 111}};
constexpr Range kHasLocal[] = {{63, 63}, {83, 89}, {112, 114}, {261, 261}, {266, 266}};
constexpr Range kHasExc[] = {{263, 265}};
constexpr Range kValid[] = {{0, 120}, {128, 266}};

template <const auto& Ranges>
PyObject* has(PyObject*, PyObject* args, PyObject* kwargs) {
  static const char* const keywords[] = {"opcode", nullptr};
  int opcode;
  if (!PyArg_ParseTupleAndKeywords(args, kwargs, "i", const_cast<char**>(keywords), &opcode)) return nullptr;
  return PyBool_FromLong(within(Ranges, opcode));
}

PyObject* stack_effect(PyObject*, PyObject*, PyObject*) {
  PyErr_SetString(PyExc_NotImplementedError, "instructions of a register machine have no stack effect");
  return nullptr;
}

PyObject* none(PyObject*, PyObject*) { Py_RETURN_NONE; }
PyObject* no_executor(PyObject*, PyObject*, PyObject*) { Py_RETURN_NONE; }

template <size_t N>
PyObject* list_of(const char* const (&names)[N]) {
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (size_t i = 0; list && i < N; ++i) {
    Ref<> s = Ref<>::steal(PyUnicode_FromString(names[i]));
    if (!s || PyList_Append(list, s) < 0) return nullptr;
  }
  return list.release();
}

PyObject* intrinsic1_descs(PyObject*, PyObject*) {
  static const char* const names[] = {
      "INTRINSIC_1_INVALID",       "INTRINSIC_PRINT",         "INTRINSIC_IMPORT_STAR", "INTRINSIC_STOPITERATION_ERROR",
      "INTRINSIC_ASYNC_GEN_WRAP",  "INTRINSIC_UNARY_POSITIVE", "INTRINSIC_LIST_TO_TUPLE", "INTRINSIC_TYPEVAR",
      "INTRINSIC_PARAMSPEC",       "INTRINSIC_TYPEVARTUPLE",  "INTRINSIC_SUBSCRIPT_GENERIC", "INTRINSIC_TYPEALIAS"};
  return list_of(names);
}

PyObject* intrinsic2_descs(PyObject*, PyObject*) {
  static const char* const names[] = {"INTRINSIC_2_INVALID",
                                      "INTRINSIC_PREP_RERAISE_STAR",
                                      "INTRINSIC_TYPEVAR_WITH_BOUND",
                                      "INTRINSIC_TYPEVAR_WITH_CONSTRAINTS",
                                      "INTRINSIC_SET_FUNCTION_TYPE_PARAMS",
                                      "INTRINSIC_SET_TYPEPARAM_DEFAULT"};
  return list_of(names);
}

PyObject* special_method_names(PyObject*, PyObject*) {
  static const char* const names[] = {"__enter__", "__exit__", "__aenter__", "__aexit__"};
  return list_of(names);
}

PyObject* nb_ops(PyObject*, PyObject*) {
  static const char* const ops[][2] = {
      {"NB_ADD", "+"},          {"NB_AND", "&"},       {"NB_FLOOR_DIVIDE", "//"}, {"NB_LSHIFT", "<<"},
      {"NB_MATRIX_MULTIPLY", "@"}, {"NB_MULTIPLY", "*"}, {"NB_REMAINDER", "%"},  {"NB_OR", "|"},
      {"NB_POWER", "**"},       {"NB_RSHIFT", ">>"},   {"NB_SUBTRACT", "-"},      {"NB_TRUE_DIVIDE", "/"},
      {"NB_XOR", "^"}};
  Ref<> list = Ref<>::steal(PyList_New(0));
  for (int inplace = 0; list && inplace < 2; ++inplace) {
    for (const auto& op : ops) {
      Ref<> pair = Ref<>::steal(inplace ? Py_BuildValue("(NN)", PyUnicode_FromFormat("NB_INPLACE_%s", op[0] + 3),
                                                        PyUnicode_FromFormat("%s=", op[1]))
                                        : Py_BuildValue("(ss)", op[0], op[1]));
      if (!pair || PyList_Append(list, pair) < 0) return nullptr;
    }
  }
  Ref<> subscript = Ref<>::steal(list ? Py_BuildValue("(ss)", "NB_SUBSCR", "[]") : nullptr);
  if (!subscript || PyList_Append(list, subscript) < 0) return nullptr;
  return list.release();
}

#define WITH_KEYWORDS(f) reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f)), METH_VARARGS | METH_KEYWORDS
PyMethodDef methods[] = {
    {"stack_effect", WITH_KEYWORDS(stack_effect), "stack_effect($module, opcode, oparg=None, /, *, jump=None)\n--\n\n"},
    {"is_valid", WITH_KEYWORDS(has<kValid>), "is_valid($module, /, opcode)\n--\n\n"},
    {"has_arg", WITH_KEYWORDS(has<kHasArg>), "has_arg($module, /, opcode)\n--\n\n"},
    {"has_const", WITH_KEYWORDS(has<kHasConst>), "has_const($module, /, opcode)\n--\n\n"},
    {"has_name", WITH_KEYWORDS(has<kHasName>), "has_name($module, /, opcode)\n--\n\n"},
    {"has_jump", WITH_KEYWORDS(has<kHasJump>), "has_jump($module, /, opcode)\n--\n\n"},
    {"has_free", WITH_KEYWORDS(has<kHasFree>), "has_free($module, /, opcode)\n--\n\n"},
    {"has_local", WITH_KEYWORDS(has<kHasLocal>), "has_local($module, /, opcode)\n--\n\n"},
    {"has_exc", WITH_KEYWORDS(has<kHasExc>), "has_exc($module, /, opcode)\n--\n\n"},
    {"get_specialization_stats", none, METH_NOARGS, "get_specialization_stats($module, /)\n--\n\n"},
    {"get_nb_ops", nb_ops, METH_NOARGS, "get_nb_ops($module, /)\n--\n\n"},
    {"get_intrinsic1_descs", intrinsic1_descs, METH_NOARGS, "get_intrinsic1_descs($module, /)\n--\n\n"},
    {"get_intrinsic2_descs", intrinsic2_descs, METH_NOARGS, "get_intrinsic2_descs($module, /)\n--\n\n"},
    {"get_special_method_names", special_method_names, METH_NOARGS, "get_special_method_names($module, /)\n--\n\n"},
    {"get_executor", WITH_KEYWORDS(no_executor), "get_executor($module, /, code, offset)\n--\n\n"},
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
