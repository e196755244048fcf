// What a shared library says of itself before it is loaded: for which ABI it was built, and whether it is whole.
#pragma once

#include <string>

namespace amphis {

// Empty if nothing speaks against loading the file; else the text of the ImportError. A file that cannot be read or is
// no ELF file is left to dlopen, which has a text of its own for it.
std::string examine_extension(const std::string& path);

// How the file names of the other variant's modules end, and the text about such a file where an import found no module.
extern const char* const kOtherSuffix;
std::string other_variant_hint(const std::string& path);

}  // namespace amphis
