// Configuration from before PyConfig.
#pragma once

#include "Python.h"

extern "C" {
void _PyConfig_InitCompatConfig(PyConfig* config);
void _PyPreConfig_InitCompatConfig(PyPreConfig* config);
}

namespace amphis {

// Fields of a compatible configuration that are unset take the global Py_*Flag variables; then all fields go into them.
void config_take_flags(PyConfig* config);
void config_publish_flags(const PyConfig* config);
// What Py_SetProgramName and its kin gave, where the configuration says nothing.
PyStatus config_take_globals(PyConfig* config);

}  // namespace amphis
