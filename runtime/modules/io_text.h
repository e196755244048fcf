// The inside of TextIOWrapper. Codecs that matter (UTF-8, ASCII, Latin-1) run natively, without codec objects; others go
// through their incremental encoder and decoder objects. Line ends are normalised here in both cases.
//
// `chars` is decoded text of which [0, used) was handed out. `pending` is encoded text that the buffer below does not
// have yet. The snapshot (flags and input) is the decoder's state before the current `chars` and the bytes they came
// from: tell() works back from it.
#pragma once

#include "modules/io.h"

namespace amphis::io {

enum class Codec : unsigned char { kObject, kUtf8, kAscii, kLatin1 };

struct TextIO {
  IOBase base;
  PyObject* buffer;
  PyObject* encoding;
  PyObject* errors;
  PyObject* encoder;  // kObject only, null where not writable
  PyObject* decoder;  // kObject only, null where not readable
  PyObject* newline;  // what ends lines when not universal; null: "\n" or universal
  PyObject* chars;
  PyObject* undecoded;  // bytes of an incomplete character (native codecs); null: none
  PyObject* snapshot;   // bytes; null: none
  const char* write_newline;  // null: "\n" stays
  char* pending;
  Py_ssize_t used, chunk_size, pending_size, pending_room;
  unsigned long long snapshot_flags;
  double bytes_per_char;
  NewlineState line_ends;
  Codec codec;
  bool ok, detached, finalizing, reads, writes, seekable, telling, has_read1;
  bool universal, write_translate;
  char line_buffering, write_through;
};

inline TextIO* as_text(PyObject* op) { return reinterpret_cast<TextIO*>(op); }

struct TextState {
  Ref<> bytes;
  unsigned long long flags = 0;
};

// ---- io_text_codec.cpp ----
Codec native_codec(const char* encoding);
// Looks the codec up and sets encoder and decoder, for the errors and newline already set.
bool set_codec(TextIO* self, PyObject* encoding, PyObject* errors);
// null, "", "\n", "\r", "\r\n"; false with ValueError for others.
bool set_newline(TextIO* self, const char* newline);
Ref<> decode(TextIO* self, PyObject* input, bool final);
Ref<> decode_part(TextIO* self, const char* data, Py_ssize_t n, bool final);
bool decoder_reset(TextIO* self);
bool decoder_state(TextIO* self, TextState* state);
bool set_decoder_state(TextIO* self, PyObject* bytes, unsigned long long flags);
bool encoder_reset(TextIO* self, bool at_start);
// Encoded text: bytes.
Ref<> encode(TextIO* self, PyObject* text);

// ---- io_text.cpp ----
// Raises unless it can be used and is open.
bool text_usable(TextIO* self);
bool text_open(PyObject* op);
// The buffer below, or null with an exception: code that ran meanwhile may have detached it.
Ref<> below(TextIO* self);
// Hands pending bytes to the buffer below.
bool flush_text(TextIO* self);
// The same and flushes the buffer below too.
bool flush_all(PyObject* op);
inline void drop_chars(TextIO* self) {
  Py_CLEAR(self->chars);
  self->used = 0;
}
inline void drop_snapshot(TextIO* self) { Py_CLEAR(self->snapshot); }

// ---- io_text_read.cpp ----
// Reads and decodes once: 1, 0 at the end of the file, -1 with an exception.
int read_chunk(TextIO* self, Py_ssize_t hint);
PyObject* text_read(PyObject* op, PyObject* const* args, Py_ssize_t nargs);
PyObject* text_readline(PyObject* op, PyObject* const* args, Py_ssize_t nargs);
PyObject* text_next(PyObject* op);

// ---- io_text_seek.cpp ----
PyObject* text_tell(PyObject* op, PyObject*);
PyObject* text_seek(PyObject* op, PyObject* const* args, Py_ssize_t nargs);

}  // namespace amphis::io
