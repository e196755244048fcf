// Arguments by keyword: PyArg_ParseTupleAndKeywords, its relatives that take a _PyArg_Parser, and the sorting of
// fastcall arguments into parameters.
//
// Parameter names are compared as text: nothing is interned, cached or initialised on first use, so the functions
// need no lock.
#include <algorithm>
#include <climits>
#include <cstring>

#include "base/compiler.h"
#include "capi/getargs.h"
#include "objects/dict.h"
#include "sync/ref.h"

namespace amphis {

Py_ssize_t CallArguments::keyword_count() const {
  if (kwdict != nullptr) return PyDict_GET_SIZE(kwdict);
  return kwnames != nullptr ? PyTuple_GET_SIZE(kwnames) : 0;
}

namespace {

// PyUnicode_EqualToUTF8, where most names differ in their first character. `key` may be anything.
AMPHIS_ALWAYS_INLINE bool is_named(PyObject* key, const char* name) {
  if (!PyUnicode_Check(key)) return false;
  if (!PyUnicode_IS_COMPACT_ASCII(key)) return PyUnicode_EqualToUTF8(key, name);
  const char* text = reinterpret_cast<const char*>(PyUnicode_1BYTE_DATA(key));
  return text[0] == name[0] && PyUnicode_EqualToUTF8(key, name);
}

}  // namespace

PyObject* CallArguments::keyword(const char* name) const {
  if (kwdict != nullptr) {
    auto* dict = reinterpret_cast<PyDictObject*>(kwdict);
    LeafLock lock(dict);
    DictKeys* keys = dict_keys_field(dict);
    for (uint32_t i = keys->live_begin; i < keys->nentries; ++i) {
      const StrEntry* entry = dict_entry(keys, i);
      if (entry->key != nullptr && is_named(entry->key, name)) return entry->value;
    }
    return nullptr;
  }
  if (kwnames == nullptr) return nullptr;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(kwnames); ++i) {
    if (is_named(PyTuple_GET_ITEM(kwnames, i), name)) return kwvalues[i];
  }
  return nullptr;
}

namespace {

// The cost of turning one name into another, as error hints weigh it: 2 for an edit, 1 for a change of case.
size_t edit_cost(const char* a, size_t na, const char* b, size_t nb, size_t limit) {
  constexpr size_t kMove = 2, kCase = 1, kMaxLength = 40;
  if (na > kMaxLength || nb > kMaxLength) return limit + 1;
  size_t row[kMaxLength + 1];
  for (size_t j = 0; j <= nb; ++j) row[j] = j * kMove;
  for (size_t i = 1; i <= na; ++i) {
    size_t diagonal = row[0];
    row[0] = i * kMove;
    for (size_t j = 1; j <= nb; ++j) {
      const char x = a[i - 1], y = b[j - 1];
      const size_t substitution =
          x == y ? 0 : Py_TOLOWER(static_cast<unsigned char>(x)) == Py_TOLOWER(static_cast<unsigned char>(y)) ? kCase : kMove;
      const size_t best = std::min({row[j] + kMove, row[j - 1] + kMove, diagonal + substitution});
      diagonal = row[j];
      row[j] = best;
    }
  }
  return row[nb];
}

const char* closest_name(const char* wrong, size_t length, const char* const* names) {
  const char* best = nullptr;
  size_t best_cost = SIZE_MAX;
  for (; *names != nullptr; ++names) {
    if (**names == '\0') continue;
    const size_t name_length = std::strlen(*names);
    size_t limit = (length + name_length + 3) * 2 / 6;
    limit = std::min(limit, best_cost - 1);
    const size_t cost = edit_cost(wrong, length, *names, name_length, limit);
    if (cost <= limit && cost != 0) {
      best = *names;
      best_cost = cost;
    }
  }
  return best;
}

bool raise_if_unknown(PyObject* key, const char* function, const char* const* names, int skip) {
  if (!PyUnicode_Check(key)) {
    PyErr_SetString(PyExc_TypeError, "keywords must be strings");
    return true;
  }
  const char* const* keywords = names + skip;
  for (const char* const* name = keywords; *name != nullptr; ++name) {
    if (PyUnicode_EqualToUTF8(key, *name)) return false;
  }
  Py_ssize_t length = 0;
  const char* text = PyUnicode_AsUTF8AndSize(key, &length);
  if (text == nullptr) PyErr_Clear();
  const char* hint = text != nullptr ? closest_name(text, static_cast<size_t>(length), keywords) : nullptr;
  const char* name = function != nullptr ? function : "this function";
  const char* parentheses = function != nullptr ? "()" : "";
  if (hint != nullptr) {
    PyErr_Format(PyExc_TypeError, "%.200s%s got an unexpected keyword argument '%S'. Did you mean '%s'?", name,
                 parentheses, key, hint);
  } else {
    PyErr_Format(PyExc_TypeError, "%.200s%s got an unexpected keyword argument '%S'", name, parentheses, key);
  }
  return true;
}

// The empty names at the start are positional-only parameters.
struct NameCount {
  int total;
  int positional_only;
  bool has_gap;  // an empty name further on
};
NameCount count_names(const char* const* names) {
  int n = 0;
  while (names[n] != nullptr && names[n][0] == '\0') ++n;
  const int positional_only = n;
  bool has_gap = false;
  for (; names[n] != nullptr; ++n) has_gap |= names[n][0] == '\0';
  return {n, positional_only, has_gap};
}

struct FunctionName {
  const char* name;
  const char* parentheses;
  explicit FunctionName(const char* function)
      : name(function != nullptr ? function : "function"), parentheses(function != nullptr ? "()" : "") {}
};

void raise_count(const char* function, const char* how, Py_ssize_t wanted, const char* kind, Py_ssize_t given) {
  const FunctionName f(function);
  PyErr_Format(PyExc_TypeError, "%.200s%s takes %s %zd %sargument%s (%zd given)", f.name, f.parentheses, how, wanted,
               kind, wanted == 1 ? "" : "s", given);
}

void raise_too_many_positional(const char* function, Py_ssize_t positional, bool exact, Py_ssize_t given) {
  if (positional != 0) return raise_count(function, exact ? "exactly" : "at most", positional, "positional ", given);
  const FunctionName f(function);
  PyErr_Format(PyExc_TypeError, "%.200s%s takes no positional arguments", f.name, f.parentheses);
}

void raise_missing(const char* function, const char* name, int position) {
  const FunctionName f(function);
  PyErr_Format(PyExc_TypeError, "%.200s%s missing required argument '%s' (pos %d)", f.name, f.parentheses, name,
               position);
}

void raise_given_twice(const char* function, const char* name, int position) {
  const FunctionName f(function);
  PyErr_Format(PyExc_TypeError, "argument for %.200s%s given by name ('%s') and position (%d)", f.name, f.parentheses,
               name, position);
}

// Too many arguments altogether?
bool check_total(const char* function, int total, Py_ssize_t nargs, Py_ssize_t nkeywords) {
  if (nargs + nkeywords <= total) return true;
  raise_count(function, "at most", total, nargs == 0 ? "keyword " : "", nargs + nkeywords);
  return false;
}

// Sorts a call into parameters. `varargs`: positional arguments beyond max_positional are the caller's business.
bool sort_arguments(const CallArguments& call, const char* function, const char* const* names, int required,
                    int max_positional, int required_keyword_only, bool varargs, PyObject** out) {
  const NameCount counted = count_names(names);
  const int total = counted.total, positional_only = counted.positional_only;
  const Py_ssize_t nargs = varargs ? std::min<Py_ssize_t>(call.count, max_positional) : call.count;
  Py_ssize_t nkeywords = call.keyword_count();
  if (!check_total(function, total, nargs, nkeywords)) return false;
  if (nargs > max_positional) {
    raise_too_many_positional(function, max_positional, required == max_positional, nargs);
    return false;
  }
  if (nargs < std::min(required, positional_only)) {
    const bool exact = !varargs && std::min(positional_only, required) == max_positional;
    raise_count(function, exact ? "exactly" : "at least", std::min(positional_only, required), "positional ", nargs);
    return false;
  }
  for (Py_ssize_t i = 0; i < nargs; ++i) out[i] = call.positional[i];
  for (int i = static_cast<int>(nargs); i < total; ++i) {
    out[i] = nullptr;
    if (nkeywords > 0 && i >= positional_only) {
      out[i] = call.keyword(names[i]);
      if (out[i] != nullptr) --nkeywords;
    }
    if (out[i] == nullptr &&
        (i < required || (i >= max_positional && i < max_positional + required_keyword_only))) {
      raise_missing(function, names[i], i + 1);
      return false;
    }
  }
  if (nkeywords > 0) {
    for (int i = positional_only; i < nargs; ++i) {
      if (call.keyword(names[i]) != nullptr) {
        raise_given_twice(function, names[i], i + 1);
        return false;
      }
    }
    raise_unexpected_keyword(call, function, names, positional_only);
    return false;
  }
  return true;
}

// How errors name the function, found when there is one.
class ErrorNames {
 public:
  explicit ErrorNames(const char* format) : format_(format) {}
  explicit ErrorNames(const _PyArg_Parser* parser)
      : format_(parser->format), function_(parser->fname), message_(parser->custom_msg) {}
  const char* function() const { return function_ != nullptr ? function_ : format_tail(format_).function; }
  const char* message() const { return message_ != nullptr ? message_ : format_tail(format_).message; }

 private:
  const char* format_;
  const char* function_ = nullptr;
  const char* message_ = nullptr;
};

// One pass over a format with keywords: '|' begins the optional ones, '$' the keyword-only ones.
bool convert_keywords(const CallArguments& call, const char* format, const char* const* names, const ErrorNames& errors,
                      VarArgs* va) {
  const auto [total, positional_only, has_gap] = count_names(names);
  if (has_gap) {
    PyErr_SetString(PyExc_SystemError, "Empty keyword parameter name");
    return false;
  }
  Py_ssize_t nkeywords = call.keyword_count();
  const Py_ssize_t nargs = call.count;
  if (nargs + nkeywords > total) return check_total(errors.function(), total, nargs, nkeywords);
  Cleanup cleanup;
  ArgumentError error;
  int required = INT_MAX, max_positional = INT_MAX;
  bool short_of_positional = false;
  int i = 0;
  for (; i < total; ++i) {
    if (*format == '|') {
      if (required != INT_MAX || max_positional != INT_MAX) {
        PyErr_SetString(PyExc_SystemError, required != INT_MAX ? "Invalid format string (| specified twice)"
                                                               : "Invalid format string ($ before |)");
        return false;
      }
      required = i;
      ++format;
    }
    if (*format == '$') {
      if (max_positional != INT_MAX) {
        PyErr_SetString(PyExc_SystemError, "Invalid format string ($ specified twice)");
        return false;
      }
      max_positional = i;
      ++format;
      if (max_positional < positional_only) {
        PyErr_SetString(PyExc_SystemError, "Empty parameter name after $");
        return false;
      }
      if (short_of_positional) break;  // now it is known how many may be given
      if (max_positional < nargs) {
        raise_too_many_positional(errors.function(), max_positional, required == INT_MAX, nargs);
        return false;
      }
    }
    if (*format == '\0' || *format == ':' || *format == ';') {
      PyErr_Format(PyExc_SystemError, "More keyword list entries (%d) than format specifiers (%d)", total, i);
      return false;
    }
    PyObject* arg = nullptr;
    if (short_of_positional) {
      // Nothing is stored any more.
    } else if (i < nargs) {
      arg = call.positional[i];
    } else if (nkeywords > 0 && i >= positional_only) {
      arg = call.keyword(names[i]);
      if (arg != nullptr) --nkeywords;
    }
    if (arg != nullptr) {
      if (!convert_argument(arg, &format, va, &cleanup, &error)) {
        raise_argument_error(i + 1, error, errors.function(), errors.message());
        return false;
      }
      continue;
    }
    if (i < required) {
      if (i < positional_only) {
        // The count of required positional arguments is only known further on.
        short_of_positional = true;
      } else if (!short_of_positional) {
        raise_missing(errors.function(), names[i], i + 1);
        return false;
      }
    }
    if (!short_of_positional && nkeywords == 0 && required != INT_MAX && nargs <= i && i >= required &&
        (max_positional != INT_MAX || std::strchr(format, '$') == nullptr)) {
      // Nothing left to store.
      cleanup.succeed();
      return true;
    }
    if (!skip_argument(&format, va)) {
      PyErr_Format(PyExc_SystemError, "impossible<bad format char>: '%s'", format);
      return false;
    }
  }
  if (short_of_positional) {
    const int wanted = std::min(positional_only, required);
    raise_count(errors.function(), wanted < i ? "at least" : "exactly", wanted, "positional ", nargs);
    return false;
  }
  // As in CPython, what follows an unused "|" or "$" is not looked at.
  if (*format != '\0' && *format != ':' && *format != ';' && *format != '|' && *format != '$') {
    PyErr_Format(PyExc_SystemError, "more argument specifiers than keyword list entries (remaining format:'%s')",
                 format);
    return false;
  }
  if (nkeywords > 0) {
    for (int i = positional_only; i < std::min<Py_ssize_t>(nargs, total); ++i) {
      if (call.keyword(names[i]) != nullptr) {
        raise_given_twice(errors.function(), names[i], i + 1);
        return false;
      }
    }
    raise_unexpected_keyword(call, errors.function(), names, positional_only);
    return false;
  }
  cleanup.succeed();
  return true;
}

bool convert_call(PyObject* args, PyObject* kwargs, const char* format, const char* const* names, VarArgs* va) {
  if (args == nullptr || !PyTuple_Check(args) || (kwargs != nullptr && !PyDict_Check(kwargs)) || format == nullptr ||
      names == nullptr) {
    PyErr_BadInternalCall();
    return false;
  }
  CallArguments call;
  call.positional = reinterpret_cast<PyTupleObject*>(args)->ob_item;
  call.count = PyTuple_GET_SIZE(args);
  call.kwdict = kwargs;
  return convert_keywords(call, format, names, ErrorNames(format), va);
}

bool convert_with_parser(const CallArguments& call, _PyArg_Parser* parser, VarArgs* va) {
  return convert_keywords(call, parser->format, parser->keywords, ErrorNames(parser), va);
}

}  // namespace

void raise_unexpected_keyword(const CallArguments& call, const char* function, const char* const* names, int skip) {
  if (call.kwdict != nullptr) {
    PyObject* key;
    PyObject* value;
    Py_ssize_t position = 0;
    while (PyDict_Next(call.kwdict, &position, &key, &value)) {
      if (raise_if_unknown(key, function, names, skip)) return;
    }
  } else if (call.kwnames != nullptr) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(call.kwnames); ++i) {
      if (raise_if_unknown(PyTuple_GET_ITEM(call.kwnames, i), function, names, skip)) return;
    }
  }
  const FunctionName f(function);
  PyErr_Format(PyExc_TypeError, "invalid keyword argument for %.200s%s", f.name, f.parentheses);
}

bool unpack_keywords_slow(PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, const Signature& signature,
                          PyObject** out) {
  CallArguments call;
  call.positional = args;
  call.count = nargs;
  call.kwnames = kwnames;
  call.kwvalues = args + nargs;
  return sort_arguments(call, signature.function, signature.names, signature.required, signature.positional, 0, false,
                        out);
}

}  // namespace amphis

using namespace amphis;

extern "C" {

int PyArg_ParseTupleAndKeywords(PyObject* args, PyObject* kwargs, const char* format, char* const* names, ...) {
  VarArgs va;
  va_start(va.list, names);
  const bool ok = convert_call(args, kwargs, format, names, &va);
  va_end(va.list);
  return ok;
}

int PyArg_VaParseTupleAndKeywords(PyObject* args, PyObject* kwargs, const char* format, char* const* names,
                                  va_list list) {
  VarArgs va;
  va_copy(va.list, list);
  const bool ok = convert_call(args, kwargs, format, names, &va);
  va_end(va.list);
  return ok;
}

int _PyArg_ParseTupleAndKeywords_SizeT(PyObject* args, PyObject* kwargs, const char* format, char* const* names, ...) {
  VarArgs va;
  va_start(va.list, names);
  const bool ok = convert_call(args, kwargs, format, names, &va);
  va_end(va.list);
  return ok;
}

int _PyArg_VaParseTupleAndKeywords_SizeT(PyObject* args, PyObject* kwargs, const char* format, char* const* names,
                                         va_list list) {
  return PyArg_VaParseTupleAndKeywords(args, kwargs, format, names, list);
}

int _PyArg_ParseTupleAndKeywordsFast(PyObject* args, PyObject* kwargs, _PyArg_Parser* parser, ...) {
  CallArguments call;
  call.positional = reinterpret_cast<PyTupleObject*>(args)->ob_item;
  call.count = PyTuple_GET_SIZE(args);
  call.kwdict = kwargs;
  VarArgs va;
  va_start(va.list, parser);
  const bool ok = convert_with_parser(call, parser, &va);
  va_end(va.list);
  return ok;
}

int _PyArg_ParseStackAndKeywords(PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, _PyArg_Parser* parser,
                                 ...) {
  CallArguments call;
  call.positional = args;
  call.count = nargs;
  call.kwnames = kwnames;
  call.kwvalues = args + nargs;
  VarArgs va;
  va_start(va.list, parser);
  const bool ok = convert_with_parser(call, parser, &va);
  va_end(va.list);
  return ok;
}

PyObject* const* _PyArg_UnpackKeywords(PyObject* const* args, Py_ssize_t nargs, PyObject* kwargs, PyObject* kwnames,
                                       _PyArg_Parser* parser, int min_positional, int max_positional, int min_keyword,
                                       int varargs, PyObject** buffer) {
  if (parser == nullptr || (kwnames != nullptr && !PyTuple_Check(kwnames)) ||
      (kwargs != nullptr && !PyDict_Check(kwargs))) {
    PyErr_BadInternalCall();
    return nullptr;
  }
  CallArguments call;
  call.positional = args;
  call.count = nargs;
  if (kwargs != nullptr) {
    call.kwdict = kwargs;
  } else if (kwnames != nullptr) {
    call.kwnames = kwnames;
    call.kwvalues = args + nargs;
  }
  return sort_arguments(call, parser->fname, parser->keywords, min_positional, max_positional, min_keyword,
                        varargs != 0, buffer)
             ? buffer
             : nullptr;
}

int PyArg_ValidateKeywordArguments(PyObject* kwargs) {
  if (!PyDict_Check(kwargs)) {
    PyErr_BadInternalCall();
    return 0;
  }
  PyObject* key;
  PyObject* value;
  Py_ssize_t position = 0;
  while (PyDict_Next(kwargs, &position, &key, &value)) {
    if (!PyUnicode_Check(key)) {
      PyErr_SetString(PyExc_TypeError, "keywords must be strings");
      return 0;
    }
  }
  return 1;
}

}  // extern "C"
