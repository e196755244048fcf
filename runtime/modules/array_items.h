// The item types of the module `array`: one row each.
#pragma once

#include "Python.h"

namespace amphis::array {

struct ItemType {
  char typecode;
  unsigned char size;
  const char* buffer_format;
  bool is_integer, is_signed;
  PyObject* (*get)(const char* item);
  // False with an exception. `item` is not written then.
  bool (*set)(char* item, PyObject* value);
};

// Null for a character that is no type code.
const ItemType* item_type(Py_UCS4 typecode);
// All of them, in the order of array.typecodes; ends with typecode 0.
extern const ItemType item_types[];

// Formats of pickled arrays, independent of the machine: a number for size, sign and byte order.
inline constexpr int kUnknownFormat = -1;
int machine_format(const ItemType* type);
struct MachineFormat {
  unsigned char size;
  bool is_signed, is_big_endian, is_integer, is_text;
};
// Null beyond the last.
const MachineFormat* machine_format_info(int format);

}  // namespace amphis::array
