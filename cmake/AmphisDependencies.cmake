# Every dependency is a distribution package; README.md gives the reason for each.
find_package(Threads REQUIRED)
find_package(mimalloc REQUIRED)
find_package(ZLIB REQUIRED)
find_package(OpenSSL REQUIRED COMPONENTS Crypto SSL)
find_path(GMP_INCLUDE_DIR gmp.h REQUIRED)
find_library(GMP_LIBRARY gmp REQUIRED)
