// The module _sre: what the pure-Python half of regular expressions calls.
#include <new>

#include "modules/sre.h"
#include "objects/tuple.h"
#include "objects/unseen_end.h"

namespace amphis::sre {

namespace {

bool read_code(PyObject* list, std::vector<Word>* out) {
  const Py_ssize_t n = PyList_GET_SIZE(list);
  out->reserve(static_cast<size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i) {
    Ref<> item = Ref<>::steal(PyList_GetItemRef(list, i));
    if (!item) return false;
    const unsigned long word = PyLong_AsUnsignedLong(item);
    if (word == static_cast<unsigned long>(-1) && PyErr_Occurred()) return false;
    if (word > 0xFFFFFFFF) {
      PyErr_SetString(PyExc_OverflowError, "regular expression code size limit exceeded");
      return false;
    }
    out->push_back(static_cast<Word>(word));
  }
  return true;
}

bool check_argument(PyObject* value, PyTypeObject* type, const char* name) {
  if (PyObject_TypeCheck(value, type)) return true;
  PyErr_Format(PyExc_TypeError, "compile() argument '%s' must be %s, not %T", name, type->tp_name, value);
  return false;
}

PyObject* compile(PyObject*, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) try {
  static const char* const names[] = {"pattern", "flags", "code", "groups", "groupindex", "indexgroup"};
  PyObject* given[6];
  if (!bind_arguments({"compile", names, 6, 0, 6, 6}, args, nargs, kwnames, given)) return nullptr;
  const int flags = PyLong_AsInt(given[1]);
  if ((flags == -1 && PyErr_Occurred()) || !check_argument(given[2], &PyList_Type, "code")) return nullptr;
  Ref<> group_number = Ref<>::steal(PyNumber_Index(given[3]));
  if (!group_number) return nullptr;
  const Py_ssize_t groups = PyLong_AsSsize_t(group_number);
  if ((groups == -1 && PyErr_Occurred()) || !check_argument(given[4], &PyDict_Type, "groupindex") ||
      !check_argument(given[5], &PyTuple_Type, "indexgroup")) {
    return nullptr;
  }
  auto program = std::make_unique<Program>();
  if (!read_code(given[2], &program->code)) return nullptr;
  int is_bytes = -1;
  if (given[0] != Py_None) {
    Subject subject;
    if (!subject.open(given[0])) return nullptr;
    is_bytes = subject.is_bytes();
  }
  if (groups < 0 || groups > kMaxGroups) {
    PyErr_SetString(PyExc_RuntimeError, "invalid SRE code");
    return nullptr;
  }
  program->groups = static_cast<Word>(groups);
  if (!translate(program.get())) return nullptr;
  auto* pattern = make_gc_object<Pattern>(&SrePattern_Type);
  if (pattern == nullptr) return nullptr;
  Py_SET_SIZE(pattern, static_cast<Py_ssize_t>(program->code.size()));
  pattern->groups = groups;
  pattern->group_index = Py_NewRef(given[4]);
  pattern->index_group = Py_NewRef(given[5]);
  pattern->pattern = Py_NewRef(given[0]);
  pattern->weakrefs = nullptr;
  pattern->flags = flags;
  pattern->is_bytes = is_bytes;
  pattern->program = program.release();
  track(pattern);
  return reinterpret_cast<PyObject*>(pattern);
} catch (const std::bad_alloc&) {
  return PyErr_NoMemory();
}

PyObject* template_(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_positional("template", nargs, 2, 2)) return nullptr;
  if (!PyList_Check(args[1])) {
    PyErr_Format(PyExc_TypeError, "template() argument 2 must be list, not %T", args[1]);
    return nullptr;
  }
  return make_template(args[0], args[1]);
}

PyObject* getcodesize(PyObject*, PyObject*) {
  return PyLong_FromLong(sizeof(Word));
}

// Functions of a character's code, which any int may stand for.
template <auto kFunction>
PyObject* of_character(PyObject*, PyObject* arg) {
  const int ch = PyLong_AsInt(arg);
  if (ch == -1 && PyErr_Occurred()) return nullptr;
  return kFunction(ch);
}

PyObject* ascii_iscased(int ch) {
  return PyBool_FromLong(ch >= 0 && ch < 128 && Py_ISALPHA(static_cast<unsigned char>(ch)));
}
PyObject* unicode_iscased(int ch) {
  const auto c = static_cast<Char>(ch);
  return PyBool_FromLong(c <= 0x10FFFF && (c != lower_unicode(c) || c != Py_UNICODE_TOUPPER(c)));
}
PyObject* ascii_tolower(int ch) {
  return PyLong_FromLong(static_cast<int>(lower_ascii(static_cast<Char>(ch))));
}
PyObject* unicode_tolower(int ch) {
  const auto c = static_cast<Char>(ch);
  return PyLong_FromLong(c <= 0x10FFFF ? static_cast<int>(lower_unicode(c)) : ch);
}

PyMethodDef methods[] = {
    {"compile", AMPHIS_METHOD(compile), METH_FASTCALL | METH_KEYWORDS,
     "compile($module, /, pattern, flags, code, groups, groupindex,\n        indexgroup)\n--\n\n"},
    {"template", AMPHIS_METHOD(template_), METH_FASTCALL,
     "template($module, pattern, template, /)\n--\n\n\n\n  template\n"
     "    A list containing interleaved literal strings (str or bytes) and group\n"
     "    indices (int), as returned by re._parser.parse_template():\n"
     "        [literal1, group1, ..., literalN, groupN]"},
    {"getcodesize", getcodesize, METH_NOARGS, "getcodesize($module, /)\n--\n\n"},
    {"ascii_iscased", of_character<ascii_iscased>, METH_O, "ascii_iscased($module, character, /)\n--\n\n"},
    {"unicode_iscased", of_character<unicode_iscased>, METH_O,
     "unicode_iscased($module, character, /)\n--\n\n"},
    {"ascii_tolower", of_character<ascii_tolower>, METH_O, "ascii_tolower($module, character, /)\n--\n\n"},
    {"unicode_tolower", of_character<unicode_tolower>, METH_O,
     "unicode_tolower($module, character, /)\n--\n\n"},
    {},
};

int exec(PyObject* module) {
  declare_unseen_end(&SrePattern_Type);
  const struct {
    PyTypeObject* type;
    const char* module;
  } homes[] = {{&SrePattern_Type, "re"}, {&SreMatch_Type, "re"}, {&SreTemplate_Type, "_sre"}, {&SreScanner_Type, "_sre"}};
  for (const auto& home : homes) {
    // Instances have it as well.
    Ref<> name = Ref<>::steal(PyUnicode_InternFromString(home.module));
    if (!name || PyDict_SetItemString(home.type->tp_dict, "__module__", name) < 0) return -1;
    PyType_Modified(home.type);
  }
  return PyModule_AddIntConstant(module, "MAGIC", kMagic) < 0 ||
                 PyModule_AddIntConstant(module, "CODESIZE", sizeof(Word)) < 0 ||
                 PyModule_Add(module, "MAXREPEAT", PyLong_FromUnsignedLong(kMaxRepeat)) < 0 ||
                 PyModule_AddIntConstant(module, "MAXGROUPS", kMaxGroups) < 0 ||
                 PyModule_AddStringConstant(module, "copyright",
                                            " SRE 2.2.2 Copyright (c) 1997-2002 by Secret Labs AB ") < 0
             ? -1
             : 0;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {},
};

PyModuleDef sre_def = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_sre",
    .m_size = 0,
    .m_methods = methods,
    .m_slots = slots,
};

}  // namespace

}  // namespace amphis::sre

PyMODINIT_FUNC PyInit__sre(void) {
  return PyModuleDef_Init(&amphis::sre::sre_def);
}
