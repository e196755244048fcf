// Which version of the language and of the C API this is.
#ifndef AMPHIS_ABI_PATCHLEVEL_H
#define AMPHIS_ABI_PATCHLEVEL_H

#define _Py_PACK_FULL_VERSION(major, minor, micro, level, serial)                                           \
  ((((major) & 0xff) << 24) | (((minor) & 0xff) << 16) | (((micro) & 0xff) << 8) | (((level) & 0xf) << 4) | \
   ((serial) & 0xf))

#define PY_RELEASE_LEVEL_ALPHA 0xA
#define PY_RELEASE_LEVEL_BETA 0xB
#define PY_RELEASE_LEVEL_GAMMA 0xC
#define PY_RELEASE_LEVEL_FINAL 0xF

// Spelled out, because the preprocessor of other tools reads these.
#define PY_MAJOR_VERSION 3
#define PY_MINOR_VERSION 14
#define PY_MICRO_VERSION 0
#define PY_RELEASE_LEVEL PY_RELEASE_LEVEL_FINAL
#define PY_RELEASE_SERIAL 0
#define PY_VERSION "3.14.0"
#define PY_VERSION_HEX                                                                          \
  _Py_PACK_FULL_VERSION(PY_MAJOR_VERSION, PY_MINOR_VERSION, PY_MICRO_VERSION, PY_RELEASE_LEVEL, \
                        PY_RELEASE_SERIAL)

#define PYTHON_API_VERSION 1013
#define PYTHON_API_STRING "1013"
#define PYTHON_ABI_VERSION 3
#define PYTHON_ABI_STRING "3"

#endif
