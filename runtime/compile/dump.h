// A readable listing of a code object and those inside it, for tests and debugging.
#pragma once

#include <string>

#include "Python.h"

namespace amphis {

std::string dump_code(PyCodeObject* code);

}  // namespace amphis
