// The built-in functions that the loop performs itself when it finds them called with plain arguments. Their owners say
// at start-up which C functions these are; a program that replaces `len` or shadows `list.append` never gets here, as
// the callable is then another object.
#pragma once

#include "Python.h"

namespace amphis {

struct KnownCalls {
  PyCFunction len = nullptr;          // builtins.len
  PyCFunction isinstance = nullptr;   // builtins.isinstance (METH_FASTCALL)
  PyCFunction list_append = nullptr;  // list.append
};
extern KnownCalls known_calls;

}  // namespace amphis
