// Between the modules of East Asian encodings and _multibytecodec: an encoding is a pair of functions that take one step each, over
// a state of eight bytes. _multibytecodec makes codecs, incremental codecs and streams of it, and treats errors.
#pragma once

#include "support.h"

#include <string>

namespace multibyte {

struct State {
  unsigned char c[8];
};

inline constexpr char kCapsule[] = "_multibytecodec.Encoding";

struct Encoding {
  const char* name;
  // What a step takes: > 0: so many bytes or characters. kMore: the input ends inside a sequence. < 0: that many are in error.
  // Puts up to two characters into `out`; a step may give none.
  int (*decode)(const Encoding* self, State* state, const unsigned char* in, Py_ssize_t n, Py_UCS4* out, int* count);
  // `last`: nothing follows these n characters, so none may be waited for.
  int (*encode)(const Encoding* self, State* state, const Py_UCS4* in, Py_ssize_t n, bool last, std::string* out);
  State start;                                      // of both directions
  void (*encode_reset)(State* state, std::string*);  // back to the start, with what has to be written for it; or null
  void (*decode_reset)(State* state);                // or null: `start` again
  const void* data;                                  // the encoding's own
};

inline constexpr int kMore = 0;

}  // namespace multibyte
