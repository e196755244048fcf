// The module unicodedata: the Unicode Character Database as functions, and the database of version 3.2 as the
// object ucd_3_2_0 with the same functions as methods.
//
// Version 3.2 is the present database without the characters that came later, with the properties that have
// changed since as they were, and with the normalisation corrections of later years undone.
#include <stdio.h>

#include "objects/str.h"
#include "objects/str_args.h"
#include "objects/unicode_data.h"
#include "sync/ref.h"

namespace amphis {
namespace {

struct Database {
  PyObject_HEAD
};

extern PyTypeObject ucd_type;

// The same functions serve the module and the old database: self tells.
bool is_old(PyObject* self) {
  return self && Py_IS_TYPE(self, &ucd_type);
}

bool char_argument(const char* function, const char* argument, PyObject* o, Py_UCS4* ch) {
  if (!PyUnicode_Check(o)) {
    PyErr_Format(PyExc_TypeError, "%s() %s must be a unicode character, not %.50s", function, argument,
                 o == Py_None ? "None" : Py_TYPE(o)->tp_name);
    return false;
  }
  if (PyUnicode_GET_LENGTH(o) != 1) {
    PyErr_Format(PyExc_TypeError, "%s(): %s must be a unicode character, not a string of length %zd",
                 function, argument, PyUnicode_GET_LENGTH(o));
    return false;
  }
  *ch = PyUnicode_READ_CHAR(o, 0);
  return true;
}

// Whether the database that self stands for has the character at all.
bool known(PyObject* self, Py_UCS4 ch) {
  return !is_old(self) || unicode::record(ch).age == 1;
}

// (chr[, default]): the default or ValueError for characters without the property.
bool char_and_default(const char* function, PyObject* const* args, Py_ssize_t nargs, Py_UCS4* ch,
                      PyObject** fallback) {
  if (!check_str_positional(function, nargs, 1, 2)) return false;
  *fallback = nargs > 1 ? args[1] : nullptr;
  return char_argument(function, "argument 1", args[0], ch);
}

PyObject* absent(PyObject* fallback, const char* message) {
  if (fallback) return Py_NewRef(fallback);
  PyErr_SetString(PyExc_ValueError, message);
  return nullptr;
}

PyObject* decimal(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_UCS4 ch;
  PyObject* fallback;
  if (!char_and_default("decimal", args, nargs, &ch, &fallback)) return nullptr;
  int value = known(self, ch) ? Py_UNICODE_TODECIMAL(ch) : -1;
  double number;
  if (is_old(self)) unicode::old_numbers(ch, &value, &number);
  return value >= 0 ? PyLong_FromLong(value) : absent(fallback, "not a decimal");
}

// The old database has the digits of the present one.
PyObject* digit(PyObject*, PyObject* const* args, Py_ssize_t nargs) {
  Py_UCS4 ch;
  PyObject* fallback;
  if (!char_and_default("digit", args, nargs, &ch, &fallback)) return nullptr;
  int value = Py_UNICODE_TODIGIT(ch);
  return value >= 0 ? PyLong_FromLong(value) : absent(fallback, "not a digit");
}

PyObject* numeric(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_UCS4 ch;
  PyObject* fallback;
  if (!char_and_default("numeric", args, nargs, &ch, &fallback)) return nullptr;
  bool found = false;
  double value = unicode::numeric_value(ch, &found);
  found = found && known(self, ch);
  int digit;
  if (is_old(self) && unicode::old_numbers(ch, &digit, &value)) found = value >= 0;
  return found ? PyFloat_FromDouble(value) : absent(fallback, "not a numeric character");
}

PyObject* category(PyObject* self, PyObject* o) {
  Py_UCS4 ch;
  if (!char_argument("category", "argument", o, &ch)) return nullptr;
  return PyUnicode_FromString(is_old(self) ? unicode::category_name_of(unicode::old_record(ch).category)
                                           : unicode::category_name(ch));
}

PyObject* bidirectional(PyObject* self, PyObject* o) {
  Py_UCS4 ch;
  if (!char_argument("bidirectional", "argument", o, &ch)) return nullptr;
  return PyUnicode_FromString(is_old(self)
                                  ? unicode::bidirectional_name_of(unicode::old_record(ch).bidirectional)
                                  : unicode::bidirectional_name(ch));
}

PyObject* combining(PyObject* self, PyObject* o) {
  Py_UCS4 ch;
  if (!char_argument("combining", "argument", o, &ch)) return nullptr;
  return PyLong_FromLong(known(self, ch) ? unicode::record(ch).combining : 0);
}

PyObject* mirrored(PyObject* self, PyObject* o) {
  Py_UCS4 ch;
  if (!char_argument("mirrored", "argument", o, &ch)) return nullptr;
  return PyLong_FromLong(is_old(self) ? unicode::old_record(ch).mirrored
                                      : unicode::has(ch, unicode::kMirrored));
}

PyObject* east_asian_width(PyObject* self, PyObject* o) {
  Py_UCS4 ch;
  if (!char_argument("east_asian_width", "argument", o, &ch)) return nullptr;
  return PyUnicode_FromString(
      is_old(self) ? unicode::east_asian_width_name_of(unicode::old_record(ch).east_asian_width)
                   : unicode::east_asian_width_name(ch));
}

PyObject* decomposition(PyObject* self, PyObject* o) {
  Py_UCS4 ch;
  if (!char_argument("decomposition", "argument", o, &ch)) return nullptr;
  if (!known(self, ch)) return empty_str();
  const char* tag = "";
  const uint32_t* mapping;
  uint32_t jamo[3];
  int n;
  Py_UCS4 syllable = ch - 0xAC00;
  if (syllable < 11172) {
    jamo[0] = 0x1100 + syllable / 588;
    jamo[1] = 0x1161 + syllable % 588 / 28;
    jamo[2] = 0x11A7 + syllable % 28;
    mapping = jamo;
    n = syllable % 28 ? 3 : 2;
  } else {
    n = unicode::decomposition(ch, &tag, &mapping);
  }
  char text[256];
  int size = 0;
  if (n) size = snprintf(text, sizeof text, "%s", tag);
  for (int i = 0; i < n; i++) {
    size += snprintf(text + size, sizeof text - static_cast<size_t>(size), "%s%04X", size ? " " : "",
                     static_cast<unsigned>(mapping[i]));
  }
  return str_from_ascii(text, size);
}

bool read_form(PyObject* o, unicode::Form* form) {
  static constexpr struct {
    const char* name;
    unicode::Form form;
  } kForms[] = {{"NFC", unicode::Form::kNfc},
                {"NFKC", unicode::Form::kNfkc},
                {"NFD", unicode::Form::kNfd},
                {"NFKD", unicode::Form::kNfkd}};
  for (const auto& f : kForms) {
    if (str_equal_ascii(o, f.name)) {
      *form = f.form;
      return true;
    }
  }
  PyErr_SetString(PyExc_ValueError, "invalid normalization form");
  return false;
}

bool form_and_text(const char* function, PyObject* const* args, Py_ssize_t nargs) {
  if (!check_str_positional(function, nargs, 2, 2)) return false;
  for (int i = 0; i < 2; i++) {
    if (!PyUnicode_Check(args[i]))
      return bad_argument(function, i ? "argument 2" : "argument 1", "str", args[i]);
  }
  return true;
}

PyObject* normalize(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!form_and_text("normalize", args, nargs)) return nullptr;
  if (PyUnicode_GET_LENGTH(args[1]) == 0) return str_exact(args[1]);
  unicode::Form form;
  return read_form(args[0], &form) ? unicode::normalize(args[1], form, is_old(self)) : nullptr;
}

PyObject* is_normalized(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  if (!form_and_text("is_normalized", args, nargs)) return nullptr;
  if (PyUnicode_GET_LENGTH(args[1]) == 0) Py_RETURN_TRUE;
  unicode::Form form;
  if (!read_form(args[0], &form)) return nullptr;
  int answer = unicode::is_normalized(args[1], form, is_old(self));
  return answer < 0 ? nullptr : PyBool_FromLong(answer);
}

PyObject* name(PyObject* self, PyObject* const* args, Py_ssize_t nargs) {
  Py_UCS4 ch;
  PyObject* fallback;
  if (!char_and_default("name", args, nargs, &ch, &fallback)) return nullptr;
  char text[unicode::kMaxNameLength];
  int n = known(self, ch) ? unicode::character_name(ch, text) : 0;
  return n ? str_from_ascii(text, n) : absent(fallback, "no such name");
}

// The old database knows neither aliases nor sequences nor what came later.
bool is_own_name(Py_UCS4 ch, int count, const char* text, Py_ssize_t n) {
  char own[unicode::kMaxNameLength];
  return count == 1 && unicode::record(ch).age == 1 && unicode::character_name(ch, own) == n &&
         PyOS_mystrnicmp(own, text, n) == 0;
}

PyObject* lookup(PyObject* self, PyObject* o) {
  const char* text;
  Py_ssize_t n;
  Py_buffer view = {};
  if (PyUnicode_Check(o)) {
    text = PyUnicode_AsUTF8AndSize(o, &n);
    if (!text) return nullptr;
  } else {
    if (PyObject_GetBuffer(o, &view, PyBUF_SIMPLE) < 0) return nullptr;
    text = static_cast<const char*>(view.buf);
    n = view.len;
  }
  PyObject* result = nullptr;
  if (n >= unicode::kMaxNameLength) {
    PyErr_SetString(PyExc_KeyError, "name too long");
  } else {
    Py_UCS4 found[unicode::kMaxSequenceLength];
    int count = unicode::lookup_name(text, n, true, found);
    if (is_old(self) && count > 0 && !is_own_name(found[0], count, text, n)) count = 0;
    if (count > 0) {
      result = str_from_ucs4(found, count);
    } else {
      PyErr_Format(PyExc_KeyError, "undefined character name '%.*s'", static_cast<int>(n), text);
    }
  }
  if (view.obj) PyBuffer_Release(&view);
  return result;
}

template <class F>
PyCFunction as_method(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

PyMethodDef functions[] = {
    {"decimal", as_method(decimal), METH_FASTCALL,
     PyDoc_STR("decimal($self, chr, default=<unrepresentable>, /)\n--\n\n"
               "Converts a Unicode character into its equivalent decimal value.\n\n"
               "Returns the decimal value assigned to the character chr as integer.\n"
               "If no such value is defined, default is returned, or, if not given,\n"
               "ValueError is raised.")},
    {"digit", as_method(digit), METH_FASTCALL,
     PyDoc_STR("digit($self, chr, default=<unrepresentable>, /)\n--\n\n"
               "Converts a Unicode character into its equivalent digit value.\n\n"
               "Returns the digit value assigned to the character chr as integer.\n"
               "If no such value is defined, default is returned, or, if not given,\n"
               "ValueError is raised.")},
    {"numeric", as_method(numeric), METH_FASTCALL,
     PyDoc_STR("numeric($self, chr, default=<unrepresentable>, /)\n--\n\n"
               "Converts a Unicode character into its equivalent numeric value.\n\n"
               "Returns the numeric value assigned to the character chr as float.\n"
               "If no such value is defined, default is returned, or, if not given,\n"
               "ValueError is raised.")},
    {"category", category, METH_O,
     PyDoc_STR("category($self, chr, /)\n--\n\n"
               "Returns the general category assigned to the character chr as string.")},
    {"bidirectional", bidirectional, METH_O,
     PyDoc_STR("bidirectional($self, chr, /)\n--\n\n"
               "Returns the bidirectional class assigned to the character chr as string.\n\n"
               "If no such value is defined, an empty string is returned.")},
    {"combining", combining, METH_O,
     PyDoc_STR("combining($self, chr, /)\n--\n\n"
               "Returns the canonical combining class assigned to the character chr as integer.\n\n"
               "Returns 0 if no combining class is defined.")},
    {"mirrored", mirrored, METH_O,
     PyDoc_STR("mirrored($self, chr, /)\n--\n\n"
               "Returns the mirrored property assigned to the character chr as integer.\n\n"
               "Returns 1 if the character has been identified as a \"mirrored\"\n"
               "character in bidirectional text, 0 otherwise.")},
    {"east_asian_width", east_asian_width, METH_O,
     PyDoc_STR("east_asian_width($self, chr, /)\n--\n\n"
               "Returns the east asian width assigned to the character chr as string.")},
    {"decomposition", decomposition, METH_O,
     PyDoc_STR("decomposition($self, chr, /)\n--\n\n"
               "Returns the character decomposition mapping assigned to the character chr as string.\n\n"
               "An empty string is returned in case no such mapping is defined.")},
    {"name", as_method(name), METH_FASTCALL,
     PyDoc_STR("name($self, chr, default=<unrepresentable>, /)\n--\n\n"
               "Returns the name assigned to the character chr as a string.\n\n"
               "If no name is defined, default is returned, or, if not given,\n"
               "ValueError is raised.")},
    {"lookup", lookup, METH_O,
     PyDoc_STR("lookup($self, name, /)\n--\n\n"
               "Look up character by name.\n\n"
               "If a character with the given name is found, return the\n"
               "corresponding character.  If not found, KeyError is raised.")},
    {"is_normalized", as_method(is_normalized), METH_FASTCALL,
     PyDoc_STR("is_normalized($self, form, unistr, /)\n--\n\n"
               "Return whether the Unicode string unistr is in the normal form 'form'.\n\n"
               "Valid values for form are 'NFC', 'NFKC', 'NFD', and 'NFKD'.")},
    {"normalize", as_method(normalize), METH_FASTCALL,
     PyDoc_STR("normalize($self, form, unistr, /)\n--\n\n"
               "Return the normal form 'form' for the Unicode string unistr.\n\n"
               "Valid values for form are 'NFC', 'NFKC', 'NFD', and 'NFKD'.")},
    {nullptr, nullptr, 0, nullptr},
};

PyObject* ucd_version(PyObject*, void*) {
  return PyUnicode_FromString("3.2.0");
}

PyGetSetDef ucd_getset[] = {
    {"unidata_version", ucd_version, nullptr, nullptr, nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

void ucd_dealloc(PyObject* self) {
  PyObject_Free(self);
}

PyTypeObject ucd_type = {
    .ob_base = PyVarObject_HEAD_INIT(&PyType_Type, 0).tp_name = "unicodedata.UCD",
    .tp_basicsize = sizeof(Database),
    .tp_dealloc = ucd_dealloc,
    .tp_getattro = PyObject_GenericGetAttr,
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION,
    .tp_methods = functions,
    .tp_getset = ucd_getset,
};

int exec(PyObject* module) {
  if (PyType_Ready(&ucd_type) < 0) return -1;
  if (PyModule_AddStringConstant(module, "unidata_version", unicode::kUnicodeVersion) < 0) return -1;
  if (PyModule_AddObjectRef(module, "UCD", reinterpret_cast<PyObject*>(&ucd_type)) < 0) return -1;
  Ref<> old = Ref<>::steal(reinterpret_cast<PyObject*>(PyObject_New(Database, &ucd_type)));
  return old ? PyModule_AddObjectRef(module, "ucd_3_2_0", old.get()) : -1;
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(exec)},
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef definition = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "unicodedata",
    .m_doc =
        "This module provides access to the Unicode Character Database which\n"
        "defines character properties for all Unicode characters.\n\n"
        "The module uses the same names and symbols as defined by the\n"
        "UnicodeData File Format.",
    .m_size = 0,
    .m_methods = functions,
    .m_slots = slots,
};

}  // namespace
}  // namespace amphis

PyMODINIT_FUNC PyInit_unicodedata(void) {
  return PyModuleDef_Init(&amphis::definition);
}
