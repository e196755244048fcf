// The names and numbers of this build.
#include "Python.h"

#define AMPHIS_TEXT2(x) #x
#define AMPHIS_TEXT(x) AMPHIS_TEXT2(x)

#if defined(__clang__)
#define AMPHIS_COMPILER "[Clang " AMPHIS_TEXT(__clang_major__) "." AMPHIS_TEXT(__clang_minor__) "." AMPHIS_TEXT(__clang_patchlevel__) "]"
#else
#define AMPHIS_COMPILER "[GCC " AMPHIS_TEXT(__GNUC__) "." AMPHIS_TEXT(__GNUC_MINOR__) "." AMPHIS_TEXT(__GNUC_PATCHLEVEL__) "]"
#endif

extern "C" {

extern const unsigned long Py_Version;
PyAPI_DATA(const unsigned long) Py_Version;
const unsigned long Py_Version = PY_VERSION_HEX;

const char* Py_GetVersion(void) {
  return AMPHIS_ABIFLAGS[0] == 't' ? PY_VERSION " free-threading build (amphis) " AMPHIS_COMPILER
                                   : PY_VERSION " (amphis) " AMPHIS_COMPILER;
}
const char* Py_GetPlatform(void) { return "linux"; }
const char* Py_GetCompiler(void) { return "\n" AMPHIS_COMPILER; }
const char* Py_GetBuildInfo(void) { return "amphis"; }
const char* Py_GetCopyright(void) {
  return "Copyright (c) the Amphis contributors.\n\n"
         "The standard library: Copyright (c) 2001 Python Software Foundation.\nAll Rights Reserved.";
}

#undef Py_PACK_VERSION
#undef Py_PACK_FULL_VERSION
PyAPI_FUNC(uint32_t) Py_PACK_FULL_VERSION(int x, int y, int z, int level, int serial);
PyAPI_FUNC(uint32_t) Py_PACK_VERSION(int x, int y);
uint32_t Py_PACK_FULL_VERSION(int x, int y, int z, int level, int serial) {
  return static_cast<uint32_t>(_Py_PACK_FULL_VERSION(x, y, z, level, serial));
}
uint32_t Py_PACK_VERSION(int x, int y) { return Py_PACK_FULL_VERSION(x, y, 0, 0, 0); }

}  // extern "C"
