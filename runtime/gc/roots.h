// Owns what the collector must know of references that nobody counts, and where it may begin to mark.
//
// Frames hold objects in registers that are borrowed; those are kept alive by whoever owns them. But (free-threaded build)
// a borrowed register may be the only reference to a deferred object. Such objects must be found by scanning:
//  - interp/ sets visit_interpreter_stacks: with the world stopped it calls visit(op, arg) for every owned register and
//    visit_uncounted(op, visit, arg) for every other pointer in the registers of every frame on a thread's stack.
//  - A suspended frame is the body of a generator: its tp_traverse does the same with Py_VISIT and visit_uncounted, so
//    that no reference is subtracted that was never counted.
// A register that is dead may hold the address of something long freed: visit_uncounted copes with that.
#pragma once

#include "Python.h"

namespace amphis::gc {

using RootVisitor = void (*)(visitproc visit, void* arg);

extern RootVisitor visit_interpreter_stacks;

// More places from which everything is certainly alive (module tables, per-thread state). World stopped. Not needed
// for correctness where the references are counted, but marking from them saves work. At most 16; start-up only.
void add_root_visitor(RootVisitor visitor);

// For tp_traverse and stack visitors: a reference that is not counted, possibly stale. Nothing happens unless the
// collector is marking and op is a live deferred object.
int visit_uncounted(PyObject* op, visitproc visit, void* arg);

}  // namespace amphis::gc
