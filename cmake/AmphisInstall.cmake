# Both variants install into one prefix: every path below carries the variant's name.
include(GNUInstallDirs)
install(TARGETS amphis_library amphis_executable
  RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY abi/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${AMPHIS_NAME}
  FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
install(FILES "${AMPHIS_GENERATED_INCLUDE}/pyconfig.h" DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/${AMPHIS_NAME})
