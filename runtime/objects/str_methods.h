// The methods of str that take their own files, gathered in the table of str_methods.cpp. Null is an
// exception throughout.
#pragma once

#include "objects/str.h"

namespace amphis {

// str_case.cpp
PyObject* str_m_lower(PyObject* s, PyObject*);
PyObject* str_m_upper(PyObject* s, PyObject*);
PyObject* str_m_title(PyObject* s, PyObject*);
PyObject* str_m_capitalize(PyObject* s, PyObject*);
PyObject* str_m_swapcase(PyObject* s, PyObject*);
PyObject* str_m_casefold(PyObject* s, PyObject*);

// str_predicates.cpp
PyObject* str_m_isascii(PyObject* s, PyObject*);
PyObject* str_m_islower(PyObject* s, PyObject*);
PyObject* str_m_isupper(PyObject* s, PyObject*);
PyObject* str_m_istitle(PyObject* s, PyObject*);
PyObject* str_m_isspace(PyObject* s, PyObject*);
PyObject* str_m_isalpha(PyObject* s, PyObject*);
PyObject* str_m_isalnum(PyObject* s, PyObject*);
PyObject* str_m_isdecimal(PyObject* s, PyObject*);
PyObject* str_m_isdigit(PyObject* s, PyObject*);
PyObject* str_m_isnumeric(PyObject* s, PyObject*);
PyObject* str_m_isprintable(PyObject* s, PyObject*);
PyObject* str_m_isidentifier(PyObject* s, PyObject*);

// str_split.cpp
PyObject* str_m_split(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* str_m_rsplit(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* str_m_splitlines(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* str_m_partition(PyObject* s, PyObject* separator);
PyObject* str_m_rpartition(PyObject* s, PyObject* separator);
PyObject* str_m_strip(PyObject* s, PyObject* const* args, Py_ssize_t nargs);
PyObject* str_m_lstrip(PyObject* s, PyObject* const* args, Py_ssize_t nargs);
PyObject* str_m_rstrip(PyObject* s, PyObject* const* args, Py_ssize_t nargs);

// str_replace.cpp
PyObject* str_m_replace(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* str_m_translate(PyObject* s, PyObject* table);
PyObject* str_m_maketrans(PyObject*, PyObject* const* args, Py_ssize_t nargs);
PyObject* str_m_expandtabs(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames);
PyObject* str_m_center(PyObject* s, PyObject* const* args, Py_ssize_t nargs);
PyObject* str_m_ljust(PyObject* s, PyObject* const* args, Py_ssize_t nargs);
PyObject* str_m_rjust(PyObject* s, PyObject* const* args, Py_ssize_t nargs);
PyObject* str_m_zfill(PyObject* s, PyObject* width);

// str_format.cpp
PyObject* str_m_format(PyObject* s, PyObject* args, PyObject* kwargs);
PyObject* str_m_format_map(PyObject* s, PyObject* mapping);
PyObject* str_m_format_spec(PyObject* s, PyObject* spec);  // __format__
PyObject* str_formatter_parser(PyObject*, PyObject* s);
PyObject* str_formatter_field_name_split(PyObject*, PyObject* s);

}  // namespace amphis
