// What a shared library says of itself before it is loaded: for which ABI it was built, and whether it is whole.
#pragma once

#include <string>

namespace amphis {

struct Examined {
  // Empty if nothing speaks against loading the file; else the text of the ImportError. A file that cannot be read or is no ELF
  // file is left to dlopen, which has a text of its own for it.
  std::string refused;
  // It was not compiled with the headers of abi/.
  bool foreign = false;
};
Examined examine_extension(const std::string& path);

// Where an import found no module: whether there is a file for it, `stem` and a suffix, that this variant does not look for,
// and if so, the text about it.
std::string unusable_file_hint(const std::string& stem);

}  // namespace amphis
