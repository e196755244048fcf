// Argument parsing for the runtime's own functions, and what the files of PyArg_* share.
#pragma once

#include <cstdarg>

#include "Python.h"

namespace amphis {

// The parameters of a function that takes keywords: `positional` of them may be given by position, the first
// `positional_only` (whose names are empty) only so, and the first `required` must be given.
struct Signature {
  const char* function;      // null: "function"
  const char* const* names;  // null at the end
  int positional;
  int required;
};

// Sorts fastcall arguments into out[0..number of names): borrowed, null where nothing was given. False with TypeError.
bool unpack_keywords_slow(PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, const Signature& signature,
                          PyObject** out);
inline bool unpack_keywords(PyObject* const* args, Py_ssize_t nargs, PyObject* kwnames, const Signature& signature,
                            PyObject** out) {
  if (kwnames != nullptr || nargs < signature.required || nargs > signature.positional) {
    return unpack_keywords_slow(args, nargs, kwnames, signature, out);
  }
  Py_ssize_t i = 0;
  for (; i < nargs; ++i) out[i] = args[i];
  for (; signature.names[i] != nullptr; ++i) out[i] = nullptr;
  return true;
}

// What was given to a call: positional arguments, and keywords in a dict or behind the positional ones.
struct CallArguments {
  PyObject* const* positional = nullptr;
  Py_ssize_t count = 0;
  PyObject* kwdict = nullptr;                 // or
  PyObject* kwnames = nullptr;                // with the values in
  PyObject* const* kwvalues = nullptr;

  Py_ssize_t keyword_count() const;
  // Borrowed, null when not given.
  PyObject* keyword(const char* name) const;
};

// "... got an unexpected keyword argument ...": looks for the culprit among those given and raises.
void raise_unexpected_keyword(const CallArguments& call, const char* function, const char* const* names, int skip);

// Parsing one format unit (getargs_convert.cpp). A va_list in a struct can be passed by reference.
struct VarArgs {
  va_list list;
};

using Converter = int (*)(PyObject*, void*);  // of "O&"

// Undoes what converted arguments hold when a later one fails.
class Cleanup {
 public:
  Cleanup() = default;
  ~Cleanup() {
    if (count_ != 0 || entries_ != inline_) undo_all();
  }
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  bool add(void* item, void (*destroy)(void*)) { return add(Entry{item, destroy, nullptr}); }
  bool add(void* item, Converter convert) { return add(Entry{item, nullptr, convert}); }
  void succeed() { count_ = 0; }

 private:
  struct Entry {
    void* item;
    void (*destroy)(void*);
    Converter convert;
    void undo() const {
      if (convert != nullptr) {
        convert(nullptr, item);
      } else {
        destroy(item);
      }
    }
  };
  bool add(Entry entry);
  void undo_all();
  static constexpr int kInline = 12;
  Entry inline_[kInline];
  Entry* entries_ = inline_;
  int count_ = 0;
  int capacity_ = kInline;
};

// Why a conversion failed: the text (the exception itself when empty), and the path into nested tuples.
struct ArgumentError {
  char text[256];
  int levels[32];  // up to a zero
  ArgumentError() { text[0] = '\0', levels[0] = 0; }
};

// Converts one argument by the units at *format and moves it on. False when it does not fit: `error` says how.
bool convert_argument(PyObject* arg, const char** format, VarArgs* va, Cleanup* cleanup, ArgumentError* error);
// The same for a parameter that was not given: takes its addresses off the list. False for a malformed format.
bool skip_argument(const char** format, VarArgs* va);

// Raises what `error` says about argument number `index` (0: the only one).
void raise_argument_error(Py_ssize_t index, const ArgumentError& error, const char* function, const char* message);

// What errors say, mostly behind the format itself: looked for only when there is one.
struct FormatTail {
  const char* function = nullptr;  // behind the first ':'
  const char* message = nullptr;   // behind the first ';'
};
FormatTail format_tail(const char* format);

}  // namespace amphis
