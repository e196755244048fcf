// What the modules of East Asian encodings share: the codec of an encoding.
#pragma once

#include "cjk_tables.h"
#include "multibyte.h"

namespace cjk {

using multibyte::Encoding;
using multibyte::kMore;
using multibyte::State;

// JIS X 0213, in the editions of 2000 and 2004. Codes have both bytes' high bits set; those of the second plane come with kPlane2. Both are as
// those of Table, but tell what the edition of 2004 changed: -1 reading, -2 writing it in the one of 2000.
constexpr unsigned kPlane2 = 0x10000;
int read_jisx0213(bool year_2000, bool plane2, unsigned lead, unsigned trail, Py_UCS4* out);
int write_jisx0213(bool year_2000, const Py_UCS4* in, Py_ssize_t n, bool last, unsigned* code);

// The codec named, out of a table that ends with an encoding without a name; `data` of each names the tables it needs, ending with
// kSets. New reference.
PyObject* get_codec(const Encoding* encodings, PyObject* name);

}  // namespace cjk
