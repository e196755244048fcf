// Owns what the collector must know of references that nobody counts, and where it may begin to mark.
//
// Frames hold objects in registers that are borrowed, and (free-threaded build) deferred objects whose references from
// registers are not counted. Such objects must be found by scanning:
//  - interp/ sets visit_interpreter_stacks: with the world stopped it calls visit(op, arg) for every object in a
//    register of every frame that lies on a thread's stack, owned or not.
//  - A suspended frame is the body of a generator: its owner's tp_traverse calls Py_VISIT for owned registers and
//    gc::visit_uncounted for the others, so that no reference is subtracted that was never counted.
#pragma once

#include "Python.h"

namespace amphis::gc {

using RootVisitor = void (*)(visitproc visit, void* arg);

extern RootVisitor visit_interpreter_stacks;

// More places from which everything is certainly alive (module tables, per-thread state). World stopped. Not needed
// for correctness where the references are counted, but marking from them saves work. At most 16; start-up only.
void add_root_visitor(RootVisitor visitor);

// True while references are being subtracted: only counted ones may be visited then.
bool counting(visitproc visit);

// For tp_traverse: visits a reference that is not counted.
inline int visit_uncounted(PyObject* op, visitproc visit, void* arg) {
  return op && !counting(visit) ? visit(op, arg) : 0;
}

}  // namespace amphis::gc
