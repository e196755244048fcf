// Owns the mark by which the loader of extension modules knows for which ABI a library was compiled: an ELF note, owner
// "Amphis", type 1, content the tag. Every object that includes these headers carries it; the linker merges them.
#ifndef AMPHIS_ABI_ABI_TAG_H
#define AMPHIS_ABI_ABI_TAG_H

#include "base.h"

#if !defined(Py_BUILD_CORE) && defined(__ELF__)
static const struct {
  uint32_t owner_size;
  uint32_t content_size;
  uint32_t type;
  char owner[8];
  char content[8];
} _Py_abi_note __attribute__((used, aligned(4), section(".note.amphis.abi"))) = {7, 8, 1, "Amphis", _Py_ABI_TAG};
#endif

#endif
