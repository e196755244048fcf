# Variant names and the compiler flags that every target shares (target amphis_options).
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_C_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
set(CMAKE_CXX_FLAGS_DEBUG "-Og -g1" CACHE STRING "" FORCE)
set(CMAKE_C_FLAGS_DEBUG "-Og -g1" CACHE STRING "" FORCE)

if(AMPHIS_GIL)
  set(AMPHIS_ABIFLAGS "")
  set(Py_GIL_DISABLED OFF)
  set(AMPHIS_GIL_VALUE 1)
else()
  set(AMPHIS_ABIFLAGS "t")
  set(Py_GIL_DISABLED ON)
  set(AMPHIS_GIL_VALUE 0)
endif()
# Whether extensions' use of the C API is looked at (runtime/checked): in all builds with assertions.
if(CMAKE_BUILD_TYPE STREQUAL "Debug")
  set(AMPHIS_CHECKED 1)
else()
  set(AMPHIS_CHECKED 0)
endif()
set(AMPHIS_NAME "amphis3.14${AMPHIS_ABIFLAGS}")
set(AMPHIS_EXT_SUFFIX ".amphis-314${AMPHIS_ABIFLAGS}-x86_64-linux-gnu.so")

find_program(AMPHIS_CCACHE ccache)
if(AMPHIS_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER "${AMPHIS_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER "${AMPHIS_CCACHE}")
endif()

set(AMPHIS_GENERATED_INCLUDE "${CMAKE_BINARY_DIR}/include")
configure_file("${CMAKE_SOURCE_DIR}/abi/pyconfig.h.in" "${AMPHIS_GENERATED_INCLUDE}/pyconfig.h")
# Extensions include some of CPython's headers by name after Python.h, which has it all here.
set(AMPHIS_FORWARDING_INCLUDE "${CMAKE_BINARY_DIR}/include-forwarding")
file(STRINGS "${CMAKE_SOURCE_DIR}/abi/forwarding_headers.txt" AMPHIS_FORWARDING_HEADERS)
foreach(name ${AMPHIS_FORWARDING_HEADERS})
  file(CONFIGURE OUTPUT "${AMPHIS_FORWARDING_INCLUDE}/${name}" CONTENT "#include <Python.h>\n")
endforeach()

add_library(amphis_options INTERFACE)
target_include_directories(amphis_options INTERFACE
  "${AMPHIS_GENERATED_INCLUDE}" "${CMAKE_SOURCE_DIR}/abi")
target_compile_options(amphis_options INTERFACE
  -Wall -Wextra -Wno-missing-field-initializers -Wno-cast-function-type -fno-strict-aliasing -fno-semantic-interposition
  $<$<BOOL:${AMPHIS_WERROR}>:-Werror>
  # GCC 12 at -O3 sees overlaps and uninitialised values that are not there (bugs 105651, 105562).
  $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-restrict>
  $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:CXX>,$<CXX_COMPILER_ID:GNU>>:-Wno-maybe-uninitialized>
  # libstdc++ 12's std::stable_sort uses what C++17 deprecates.
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
if(AMPHIS_SANITIZE)
  target_compile_options(amphis_options INTERFACE -fsanitize=${AMPHIS_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(amphis_options INTERFACE -fsanitize=${AMPHIS_SANITIZE})
endif()
if(AMPHIS_LTO)
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  # Fields of heap types, read after a look at the flags, of a static type as GCC 12 sees it.
  target_link_options(amphis_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-stringop-overflow>)
endif()
find_program(AMPHIS_MOLD mold)
set(AMPHIS_LINKER)
if(AMPHIS_MOLD AND NOT AMPHIS_LTO)
  set(AMPHIS_LINKER -fuse-ld=mold)
endif()
target_link_options(amphis_options INTERFACE ${AMPHIS_LINKER})

# Packed relative relocations: the linker and the system's loader must both know them.
include(CheckCXXSourceRuns)
set(CMAKE_REQUIRED_LINK_OPTIONS "LINKER:-z,pack-relative-relocs" ${AMPHIS_LINKER})
check_cxx_source_runs("int x; int* volatile p = &x; int main() { return p != &x; }" AMPHIS_PACKED_RELOCATIONS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
