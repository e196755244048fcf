// The module _string: what string.Formatter is built on.
#include "Python.h"
#include "objects/str_methods.h"

namespace {

PyMethodDef string_functions[] = {
    {"formatter_field_name_split", amphis::str_formatter_field_name_split, METH_O,
     PyDoc_STR("split the argument as a field name")},
    {"formatter_parser", amphis::str_formatter_parser, METH_O,
     PyDoc_STR("parse the argument as a format string")},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef_Slot string_slots[] = {
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
    {Py_mod_gil, Py_MOD_GIL_NOT_USED},
    {0, nullptr},
};

PyModuleDef string_module = {
    .m_base = PyModuleDef_HEAD_INIT,
    .m_name = "_string",
    .m_doc = "string helper module",
    .m_size = 0,
    .m_methods = string_functions,
    .m_slots = string_slots,
};

}  // namespace

PyMODINIT_FUNC PyInit__string(void) {
  return PyModuleDef_Init(&string_module);
}
