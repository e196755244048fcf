// Variables of a frame by name: what frame objects, f_locals and locals() share.
#pragma once

#include "interp/frame.h"

namespace amphis {

// The variable in register i, through its cell if it has one: an owned or unboxed Value, kEmpty if unbound. The frame is
// the thread's own, or seen through a FrameView.
Value frame_variable(Frame* f, uint32_t i);
// Whether the frame's variables are registers (functions) rather than a namespace mapping.
bool frame_has_fast_locals(Frame* f);
// A new dict of all bound variables.
PyObject* frame_locals_snapshot(FrameObject* o);
// A FrameLocalsProxy over a frame object (borrowed): new reference.
PyObject* frame_locals_proxy_new(PyObject* frame);
// The builtins dict of the interpreter (borrowed), for code that runs without a frame.
PyObject* interpreter_builtins();

}  // namespace amphis
