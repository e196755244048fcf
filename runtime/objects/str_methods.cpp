// The method table of str.
#include "objects/str_methods.h"
#include "objects/codecs.h"
#include "objects/str.h"
#include "objects/str_args.h"
#include "objects/str_find.h"

namespace amphis {
namespace {

PyObject* method_encode(PyObject* s, PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames) {
  static const char* const kNames[] = {"encoding", "errors"};
  PyObject* a[2];
  if (!bind_str_arguments({"encode", kNames, 0, 0, 2}, args, nargs, kwnames, a)) return nullptr;
  const char* encoding = nullptr;
  const char* errors = nullptr;
  if (a[0] && !(encoding = text_argument("encode", "argument 'encoding'", a[0]))) return nullptr;
  if (a[1] && !(errors = text_argument("encode", "argument 'errors'", a[1]))) return nullptr;
  return PyUnicode_AsEncodedString(s, encoding, errors);
}

PyObject* method_sizeof(PyObject* s, PyObject*) {
  Py_ssize_t data = (PyUnicode_GET_LENGTH(s) + 1) * static_cast<Py_ssize_t>(PyUnicode_KIND(s));
  Py_ssize_t size;
  if (PyUnicode_IS_COMPACT_ASCII(s)) {
    size = static_cast<Py_ssize_t>(sizeof(PyASCIIObject)) + data;
  } else {
    size = PyUnicode_IS_COMPACT(s) ? static_cast<Py_ssize_t>(sizeof(PyCompactUnicodeObject)) + data
                                   : Py_TYPE(s)->tp_basicsize + data;
    const char* utf8 = __atomic_load_n(&compact_head(s)->utf8, __ATOMIC_ACQUIRE);
    if (utf8 && utf8 != PyUnicode_DATA(s))
      size += __atomic_load_n(&compact_head(s)->utf8_length, __ATOMIC_RELAXED) + 1;
  }
  return PyLong_FromSsize_t(size);
}

PyObject* method_getnewargs(PyObject* s, PyObject*) {
  PyObject* copy = str_copy(s);
  return copy ? Py_BuildValue("(N)", copy) : nullptr;
}

template <class F>
PyCFunction as_method(F f) {
  return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(f));
}

}  // namespace

PyMethodDef str_methods[] = {
    {"encode", as_method(method_encode), METH_FASTCALL | METH_KEYWORDS,
     "encode($self, /, encoding='utf-8', errors='strict')\n"
     "--\n"
     "\n"
     "Encode the string using the codec registered for encoding.\n"
     "\n"
     "  encoding\n"
     "    The encoding in which to encode the string.\n"
     "  errors\n"
     "    The error handling scheme to use for encoding errors.\n"
     "    The default is 'strict' meaning that encoding errors raise a\n"
     "    UnicodeEncodeError.  Other possible values are 'ignore', 'replace'\n"
     "    and 'xmlcharrefreplace' as well as any other name registered with\n"
     "    codecs.register_error that can handle UnicodeEncodeErrors."},
    {"replace", as_method(str_m_replace), METH_FASTCALL | METH_KEYWORDS,
     "replace($self, old, new, /, count=-1)\n"
     "--\n"
     "\n"
     "Return a copy with all occurrences of substring old replaced by new.\n"
     "\n"
     "  count\n"
     "    Maximum number of occurrences to replace.\n"
     "    -1 (the default value) means replace all occurrences.\n"
     "\n"
     "If the optional argument count is given, only the first count occurrences are\n"
     "replaced."},
    {"split", as_method(str_m_split), METH_FASTCALL | METH_KEYWORDS,
     "split($self, /, sep=None, maxsplit=-1)\n"
     "--\n"
     "\n"
     "Return a list of the substrings in the string, using sep as the separator string.\n"
     "\n"
     "  sep\n"
     "    The separator used to split the string.\n"
     "\n"
     "    When set to None (the default value), will split on any\n"
     "    whitespace character (including \\n \\r \\t \\f and spaces) and\n"
     "    will discard empty strings from the result.\n"
     "  maxsplit\n"
     "    Maximum number of splits.\n"
     "    -1 (the default value) means no limit.\n"
     "\n"
     "Splitting starts at the front of the string and works to the end.\n"
     "\n"
     "Note, str.split() is mainly useful for data that has been\n"
     "intentionally delimited.  With natural text that includes\n"
     "punctuation, consider using the regular expression module."},
    {"rsplit", as_method(str_m_rsplit), METH_FASTCALL | METH_KEYWORDS,
     "rsplit($self, /, sep=None, maxsplit=-1)\n"
     "--\n"
     "\n"
     "Return a list of the substrings in the string, using sep as the separator string.\n"
     "\n"
     "  sep\n"
     "    The separator used to split the string.\n"
     "\n"
     "    When set to None (the default value), will split on any\n"
     "    whitespace character (including \\n \\r \\t \\f and spaces) and\n"
     "    will discard empty strings from the result.\n"
     "  maxsplit\n"
     "    Maximum number of splits.\n"
     "    -1 (the default value) means no limit.\n"
     "\n"
     "Splitting starts at the end of the string and works to the front."},
    {"join", PyUnicode_Join, METH_O,
     "join($self, iterable, /)\n"
     "--\n"
     "\n"
     "Concatenate any number of strings.\n"
     "\n"
     "The string whose method is called is inserted in between each given\n"
     "string.  The result is returned as a new string.\n"
     "\n"
     "Example: '.'.join(['ab', 'pq', 'rs']) -> 'ab.pq.rs'"},
    {"capitalize", str_m_capitalize, METH_NOARGS,
     "capitalize($self, /)\n"
     "--\n"
     "\n"
     "Return a capitalized version of the string.\n"
     "\n"
     "More specifically, make the first character have upper case and the\n"
     "rest lower case."},
    {"casefold", str_m_casefold, METH_NOARGS,
     "casefold($self, /)\n"
     "--\n"
     "\n"
     "Return a version of the string suitable for caseless comparisons."},
    {"title", str_m_title, METH_NOARGS,
     "title($self, /)\n"
     "--\n"
     "\n"
     "Return a version of the string where each word is titlecased.\n"
     "\n"
     "More specifically, words start with uppercased characters and all\n"
     "remaining cased characters have lower case."},
    {"center", as_method(str_m_center), METH_FASTCALL,
     "center($self, width, fillchar=' ', /)\n"
     "--\n"
     "\n"
     "Return a centered string of length width.\n"
     "\n"
     "Padding is done using the specified fill character (default is\n"
     "a space)."},
    {"count", as_method(str_m_count), METH_FASTCALL,
     "count($self, sub[, start[, end]], /)\n"
     "--\n"
     "\n"
     "Return the number of non-overlapping occurrences of substring sub in string S[start:end].\n"
     "\n"
     "Optional arguments start and end are interpreted as in slice\n"
     "notation."},
    {"expandtabs", as_method(str_m_expandtabs), METH_FASTCALL | METH_KEYWORDS,
     "expandtabs($self, /, tabsize=8)\n"
     "--\n"
     "\n"
     "Return a copy where all tab characters are expanded using spaces.\n"
     "\n"
     "If tabsize is not given, a tab size of 8 characters is assumed."},
    {"find", as_method(str_m_find), METH_FASTCALL,
     "find($self, sub[, start[, end]], /)\n"
     "--\n"
     "\n"
     "Return the lowest index in S where substring sub is found, such that sub is contained within "
     "S[start:end].\n"
     "\n"
     "Optional arguments start and end are interpreted as in slice\n"
     "notation.  Return -1 on failure."},
    {"partition", str_m_partition, METH_O,
     "partition($self, sep, /)\n"
     "--\n"
     "\n"
     "Partition the string into three parts using the given separator.\n"
     "\n"
     "This will search for the separator in the string.  If the separator\n"
     "is found, returns a 3-tuple containing the part before the\n"
     "separator, the separator itself, and the part after it.\n"
     "\n"
     "If the separator is not found, returns a 3-tuple containing\n"
     "the original string and two empty strings."},
    {"index", as_method(str_m_index), METH_FASTCALL,
     "index($self, sub[, start[, end]], /)\n"
     "--\n"
     "\n"
     "Return the lowest index in S where substring sub is found, such that sub is contained within "
     "S[start:end].\n"
     "\n"
     "Optional arguments start and end are interpreted as in slice\n"
     "notation.  Raises ValueError when the substring is not found."},
    {"ljust", as_method(str_m_ljust), METH_FASTCALL,
     "ljust($self, width, fillchar=' ', /)\n"
     "--\n"
     "\n"
     "Return a left-justified string of length width.\n"
     "\n"
     "Padding is done using the specified fill character (default is\n"
     "a space)."},
    {"lower", str_m_lower, METH_NOARGS,
     "lower($self, /)\n"
     "--\n"
     "\n"
     "Return a copy of the string converted to lowercase."},
    {"lstrip", as_method(str_m_lstrip), METH_FASTCALL,
     "lstrip($self, chars=None, /)\n"
     "--\n"
     "\n"
     "Return a copy of the string with leading whitespace removed.\n"
     "\n"
     "If chars is given and not None, remove characters in chars instead."},
    {"rfind", as_method(str_m_rfind), METH_FASTCALL,
     "rfind($self, sub[, start[, end]], /)\n"
     "--\n"
     "\n"
     "Return the highest index in S where substring sub is found, such that sub is contained within "
     "S[start:end].\n"
     "\n"
     "Optional arguments start and end are interpreted as in slice\n"
     "notation.  Return -1 on failure."},
    {"rindex", as_method(str_m_rindex), METH_FASTCALL,
     "rindex($self, sub[, start[, end]], /)\n"
     "--\n"
     "\n"
     "Return the highest index in S where substring sub is found, such that sub is contained within "
     "S[start:end].\n"
     "\n"
     "Optional arguments start and end are interpreted as in slice\n"
     "notation.  Raises ValueError when the substring is not found."},
    {"rjust", as_method(str_m_rjust), METH_FASTCALL,
     "rjust($self, width, fillchar=' ', /)\n"
     "--\n"
     "\n"
     "Return a right-justified string of length width.\n"
     "\n"
     "Padding is done using the specified fill character (default is\n"
     "a space)."},
    {"rstrip", as_method(str_m_rstrip), METH_FASTCALL,
     "rstrip($self, chars=None, /)\n"
     "--\n"
     "\n"
     "Return a copy of the string with trailing whitespace removed.\n"
     "\n"
     "If chars is given and not None, remove characters in chars instead."},
    {"rpartition", str_m_rpartition, METH_O,
     "rpartition($self, sep, /)\n"
     "--\n"
     "\n"
     "Partition the string into three parts using the given separator.\n"
     "\n"
     "This will search for the separator in the string, starting at the\n"
     "end.  If the separator is found, returns a 3-tuple containing the\n"
     "part before the separator, the separator itself, and the part after\n"
     "it.\n"
     "\n"
     "If the separator is not found, returns a 3-tuple containing two\n"
     "empty strings and the original string."},
    {"splitlines", as_method(str_m_splitlines), METH_FASTCALL | METH_KEYWORDS,
     "splitlines($self, /, keepends=False)\n"
     "--\n"
     "\n"
     "Return a list of the lines in the string, breaking at line boundaries.\n"
     "\n"
     "Line breaks are not included in the resulting list unless keepends\n"
     "is given and true."},
    {"strip", as_method(str_m_strip), METH_FASTCALL,
     "strip($self, chars=None, /)\n"
     "--\n"
     "\n"
     "Return a copy of the string with leading and trailing whitespace removed.\n"
     "\n"
     "If chars is given and not None, remove characters in chars instead."},
    {"swapcase", str_m_swapcase, METH_NOARGS,
     "swapcase($self, /)\n"
     "--\n"
     "\n"
     "Convert uppercase characters to lowercase and lowercase characters to uppercase."},
    {"translate", str_m_translate, METH_O,
     "translate($self, table, /)\n"
     "--\n"
     "\n"
     "Replace each character in the string using the given translation table.\n"
     "\n"
     "  table\n"
     "    Translation table, which must be a mapping of Unicode ordinals\n"
     "    to Unicode ordinals, strings, or None.\n"
     "\n"
     "The table must implement lookup/indexing via __getitem__, for\n"
     "instance a dictionary or list.  If this operation raises\n"
     "LookupError, the character is left untouched.  Characters mapped to\n"
     "None are deleted."},
    {"upper", str_m_upper, METH_NOARGS,
     "upper($self, /)\n"
     "--\n"
     "\n"
     "Return a copy of the string converted to uppercase."},
    {"startswith", as_method(str_m_startswith), METH_FASTCALL,
     "startswith($self, prefix[, start[, end]], /)\n"
     "--\n"
     "\n"
     "Return True if the string starts with the specified prefix, False otherwise.\n"
     "\n"
     "  prefix\n"
     "    A string or a tuple of strings to try.\n"
     "  start\n"
     "    Optional start position. Default: start of the string.\n"
     "  end\n"
     "    Optional stop position. Default: end of the string."},
    {"endswith", as_method(str_m_endswith), METH_FASTCALL,
     "endswith($self, suffix[, start[, end]], /)\n"
     "--\n"
     "\n"
     "Return True if the string ends with the specified suffix, False otherwise.\n"
     "\n"
     "  suffix\n"
     "    A string or a tuple of strings to try.\n"
     "  start\n"
     "    Optional start position. Default: start of the string.\n"
     "  end\n"
     "    Optional stop position. Default: end of the string."},
    {"removeprefix", str_m_removeprefix, METH_O,
     "removeprefix($self, prefix, /)\n"
     "--\n"
     "\n"
     "Return a str with the given prefix string removed if present.\n"
     "\n"
     "If the string starts with the prefix string, return\n"
     "string[len(prefix):].  Otherwise, return a copy of the original\n"
     "string."},
    {"removesuffix", str_m_removesuffix, METH_O,
     "removesuffix($self, suffix, /)\n"
     "--\n"
     "\n"
     "Return a str with the given suffix string removed if present.\n"
     "\n"
     "If the string ends with the suffix string and that suffix is not\n"
     "empty, return string[:-len(suffix)].  Otherwise, return a copy of\n"
     "the original string."},
    {"isascii", str_m_isascii, METH_NOARGS,
     "isascii($self, /)\n"
     "--\n"
     "\n"
     "Return True if all characters in the string are ASCII, False otherwise.\n"
     "\n"
     "ASCII characters have code points in the range U+0000-U+007F.\n"
     "Empty string is ASCII too."},
    {"islower", str_m_islower, METH_NOARGS,
     "islower($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is a lowercase string, False otherwise.\n"
     "\n"
     "A string is lowercase if all cased characters in the string are\n"
     "lowercase and there is at least one cased character in the string."},
    {"isupper", str_m_isupper, METH_NOARGS,
     "isupper($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is an uppercase string, False otherwise.\n"
     "\n"
     "A string is uppercase if all cased characters in the string are\n"
     "uppercase and there is at least one cased character in the string."},
    {"istitle", str_m_istitle, METH_NOARGS,
     "istitle($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is a title-cased string, False otherwise.\n"
     "\n"
     "In a title-cased string, upper- and title-case characters may only\n"
     "follow uncased characters and lowercase characters only cased ones."},
    {"isspace", str_m_isspace, METH_NOARGS,
     "isspace($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is a whitespace string, False otherwise.\n"
     "\n"
     "A string is whitespace if all characters in the string are\n"
     "whitespace and there is at least one character in the string."},
    {"isdecimal", str_m_isdecimal, METH_NOARGS,
     "isdecimal($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is a decimal string, False otherwise.\n"
     "\n"
     "A string is a decimal string if all characters in the string are\n"
     "decimal and there is at least one character in the string."},
    {"isdigit", str_m_isdigit, METH_NOARGS,
     "isdigit($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is a digit string, False otherwise.\n"
     "\n"
     "A string is a digit string if all characters in the string are\n"
     "digits and there is at least one character in the string."},
    {"isnumeric", str_m_isnumeric, METH_NOARGS,
     "isnumeric($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is a numeric string, False otherwise.\n"
     "\n"
     "A string is numeric if all characters in the string are numeric and\n"
     "there is at least one character in the string."},
    {"isalpha", str_m_isalpha, METH_NOARGS,
     "isalpha($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is an alphabetic string, False otherwise.\n"
     "\n"
     "A string is alphabetic if all characters in the string are\n"
     "alphabetic and there is at least one character in the string."},
    {"isalnum", str_m_isalnum, METH_NOARGS,
     "isalnum($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is an alpha-numeric string, False otherwise.\n"
     "\n"
     "A string is alpha-numeric if all characters in the string are\n"
     "alpha-numeric and there is at least one character in the string."},
    {"isidentifier", str_m_isidentifier, METH_NOARGS,
     "isidentifier($self, /)\n"
     "--\n"
     "\n"
     "Return True if the string is a valid Python identifier, False otherwise.\n"
     "\n"
     "Call keyword.iskeyword(s) to test whether string s is a reserved\n"
     "identifier, such as \"def\" or \"class\"."},
    {"isprintable", str_m_isprintable, METH_NOARGS,
     "isprintable($self, /)\n"
     "--\n"
     "\n"
     "Return True if all characters in the string are printable, False otherwise.\n"
     "\n"
     "A character is printable if repr() may use it in its output."},
    {"zfill", str_m_zfill, METH_O,
     "zfill($self, width, /)\n"
     "--\n"
     "\n"
     "Pad a numeric string with zeros on the left, to fill a field of the given width.\n"
     "\n"
     "The string is never truncated."},
    {"format", as_method(str_m_format), METH_VARARGS | METH_KEYWORDS,
     "format($self, /, *args, **kwargs)\n"
     "--\n"
     "\n"
     "Return a formatted version of the string, using substitutions from args and kwargs.\n"
     "The substitutions are identified by braces ('{' and '}')."},
    {"format_map", str_m_format_map, METH_O,
     "format_map($self, mapping, /)\n"
     "--\n"
     "\n"
     "Return a formatted version of the string, using substitutions from mapping.\n"
     "The substitutions are identified by braces ('{' and '}')."},
    {"__format__", str_m_format_spec, METH_O,
     "__format__($self, format_spec, /)\n"
     "--\n"
     "\n"
     "Return a formatted version of the string as described by format_spec."},
    {"maketrans", as_method(str_m_maketrans), METH_FASTCALL | METH_STATIC,
     "maketrans(x, y=<unrepresentable>, z=<unrepresentable>, /)\n"
     "--\n"
     "\n"
     "Return a translation table usable for str.translate().\n"
     "\n"
     "If there is only one argument, it must be a dictionary mapping\n"
     "Unicode ordinals (integers) or characters to Unicode ordinals,\n"
     "strings or None.  Character keys will be then converted to ordinals.\n"
     "If there are two arguments, they must be strings of equal length,\n"
     "and in the resulting dictionary, each character in x will be mapped\n"
     "to the character at the same position in y.  If there is a third\n"
     "argument, it must be a string, whose characters will be mapped to\n"
     "None in the result."},
    {"__sizeof__", method_sizeof, METH_NOARGS,
     "__sizeof__($self, /)\n"
     "--\n"
     "\n"
     "Return the size of the string in memory, in bytes."},
    {"__getnewargs__", method_getnewargs, METH_NOARGS,
     "__getnewargs__($self, /)\n"
     "--\n"
     "\n"},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace amphis
