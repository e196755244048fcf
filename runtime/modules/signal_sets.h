// The part of _signal about sets of signals: masks and waiting.
#pragma once

#include "Python.h"

namespace amphis {

extern PyMethodDef signal_set_methods[];
// The record that sigwaitinfo returns: the type, once. New reference or null.
PyObject* signal_make_siginfo_type();

}  // namespace amphis
