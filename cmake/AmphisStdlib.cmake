# The standard library: CPython 3.14's pure-Python modules, unmodified and not part of this repository. Looked for in
# AMPHIS_STDLIB (cache variable or environment) and where Debian's package puts it; failing both, Debian's packages are
# downloaded and unpacked beside the build, without a change to the system.
set(AMPHIS_STDLIB "$ENV{AMPHIS_STDLIB}" CACHE PATH "Folder with CPython 3.14's standard library (os.py and so on)")
if(NOT AMPHIS_STDLIB AND EXISTS "/usr/lib/python3.14/os.py")
  set(AMPHIS_STDLIB "/usr/lib/python3.14" CACHE PATH "" FORCE)
endif()
if(NOT AMPHIS_STDLIB)
  set(_amphis_stdlib_root "${CMAKE_SOURCE_DIR}/build/stdlib")
  if(NOT EXISTS "${_amphis_stdlib_root}/usr/lib/python3.14/os.py")
    message(STATUS "Downloading the standard library (Debian's libpython3.14-minimal and libpython3.14-stdlib)")
    execute_process(COMMAND "${CMAKE_SOURCE_DIR}/cmake/fetch_stdlib.sh" "${_amphis_stdlib_root}"
      RESULT_VARIABLE _amphis_stdlib_result)
    if(_amphis_stdlib_result)
      message(FATAL_ERROR "The standard library of Python 3.14 could not be downloaded. Install Debian's packages "
        "libpython3.14-minimal and libpython3.14-stdlib or any CPython 3.14, and set AMPHIS_STDLIB to its lib/python3.14.")
    endif()
  endif()
  set(AMPHIS_STDLIB "${_amphis_stdlib_root}/usr/lib/python3.14" CACHE PATH "" FORCE)
endif()
if(NOT EXISTS "${AMPHIS_STDLIB}/os.py" OR NOT EXISTS "${AMPHIS_STDLIB}/importlib/_bootstrap.py")
  message(FATAL_ERROR "AMPHIS_STDLIB=${AMPHIS_STDLIB} holds no standard library of Python 3.14")
endif()
message(STATUS "Standard library: ${AMPHIS_STDLIB}")
