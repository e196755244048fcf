# What `cmake --install` puts under a prefix, which may be moved afterwards. Both variants install into one prefix: every
# path carries the variant's name, except for the standard library, which they share.
#
#   bin/amphis3.14[t]                      the executable
#   lib/libamphis3.14[t].so.1.0            the library
#   lib/amphis3.14[t]/lib-dynload/         extension modules
#   lib/amphis3.14/                        the standard library
#   include/amphis3.14[t]/                 headers
#   lib/pkgconfig/amphis-3.14[t].pc, amphis-3.14[t]-embed.pc
#   bin/amphis3.14[t]-config               tells flags and suffix
#   lib/cmake/amphis3.14[t]/               find_package(amphis3.14[t]): Amphis::amphis3.14[t]
#   lib/cmake/Amphis/                      find_package(Amphis COMPONENTS gil nogil): Amphis::gil, Amphis::nogil
include(GNUInstallDirs)
set(_name "${AMPHIS_NAME}")
file(RELATIVE_PATH _to_library "/${CMAKE_INSTALL_BINDIR}" "/${CMAKE_INSTALL_LIBDIR}")
set_target_properties(amphis_executable PROPERTIES INSTALL_RPATH "$ORIGIN/${_to_library}")
set_target_properties(amphis_library PROPERTIES EXPORT_NAME "${_name}")
set_target_properties(amphis_executable PROPERTIES EXPORT_NAME "${_name}_interpreter")
target_include_directories(amphis_library INTERFACE "$<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}/${_name}>")

install(TARGETS amphis_library amphis_executable EXPORT ${_name}
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY abi/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${_name} FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES "${AMPHIS_GENERATED_INCLUDE}/pyconfig.h" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${_name})
install(DIRECTORY "${AMPHIS_FORWARDING_INCLUDE}/" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${_name})

# Without CPython's own binaries, its tests and what its distributor configured.
install(DIRECTORY "${AMPHIS_STDLIB}/" DESTINATION lib/amphis3.14
  PATTERN "__pycache__" EXCLUDE
  PATTERN "lib-dynload" EXCLUDE
  PATTERN "site-packages" EXCLUDE
  PATTERN "config-3.14*" EXCLUDE
  PATTERN "_sysconfigdata*" EXCLUDE
  PATTERN "_sysconfig_vars*" EXCLUDE
  PATTERN "build-details*" EXCLUDE
  PATTERN "sitecustomize.py" EXCLUDE
  PATTERN "EXTERNALLY-MANAGED" EXCLUDE
  PATTERN "*.so" EXCLUDE
  REGEX "/python3\\.14/(test|idlelib|turtledemo)$" EXCLUDE)

# pkg-config: for extension modules, and for programs that embed the runtime.
file(RELATIVE_PATH _from_pkgconfig "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
foreach(kind "" "-embed")
  set(_pc "${CMAKE_BINARY_DIR}/amphis-3.14${AMPHIS_ABIFLAGS}${kind}.pc")
  set(_libs "")
  set(_what "for extension modules")
  if(kind)
    set(_libs "-L\${libdir} -l${_name}")
    set(_what "for programs that embed it")
  endif()
  file(CONFIGURE OUTPUT "${_pc}" CONTENT "prefix=\${pcfiledir}/@_from_pkgconfig@
libdir=\${prefix}/@CMAKE_INSTALL_LIBDIR@
includedir=\${prefix}/@CMAKE_INSTALL_INCLUDEDIR@/@_name@

Name: Amphis
Description: Python 3.14 runtime, @_what@
Version: 3.14
Libs: @_libs@
Cflags: -I\${includedir}
" @ONLY)
  install(FILES "${_pc}" DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()

include(CMakePackageConfigHelpers)
write_basic_package_version_file("${CMAKE_BINARY_DIR}/${_name}-config-version.cmake" COMPATIBILITY SameMinorVersion)
install(EXPORT ${_name} NAMESPACE Amphis:: FILE ${_name}-config.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/${_name})
install(FILES "${CMAKE_BINARY_DIR}/${_name}-config-version.cmake" DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/${_name})

set(AMPHIS_MULTIARCH "x86_64-linux-gnu")
# One package for both variants: its files are the same whichever tree installs them.
configure_package_config_file("${CMAKE_SOURCE_DIR}/cmake/AmphisConfig.cmake.in" "${CMAKE_BINARY_DIR}/AmphisConfig.cmake"
  INSTALL_DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/Amphis")
write_basic_package_version_file("${CMAKE_BINARY_DIR}/AmphisConfigVersion.cmake" COMPATIBILITY SameMinorVersion)
install(FILES "${CMAKE_BINARY_DIR}/AmphisConfig.cmake" "${CMAKE_BINARY_DIR}/AmphisConfigVersion.cmake"
  DESTINATION "${CMAKE_INSTALL_LIBDIR}/cmake/Amphis")
configure_file("${CMAKE_SOURCE_DIR}/cmake/config.sh.in" "${CMAKE_BINARY_DIR}/${_name}-config" @ONLY)
install(PROGRAMS "${CMAKE_BINARY_DIR}/${_name}-config" DESTINATION ${CMAKE_INSTALL_BINDIR})
