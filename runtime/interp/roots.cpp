// The collector's view of the interpreter's stacks: what registers hold without a count.
#include "gc/roots.h"

#include "interp/frame.h"
#include "sync/interpreter_state.h"

namespace amphis {

namespace {

void visit_stacks(visitproc visit, void* arg) {
  for_each_thread([=](ThreadState* ts) {
    for (Frame* f = current_frame(ts); f != nullptr; f = f->prev) {
      if (f->function != kEmpty) visit(pointer_of(f->function), arg);
      if (f->flags & kFrameGenerator) continue;
      const CodeExtra* extra = code_extra(f->code);
      for (uint32_t i = 0; i < extra->register_count; ++i) {
        Value v = f->regs[i];
        // A dead temporary may hold a borrowed pointer to something freed: only what a frame owns, its variables and
        // objects that only the collector frees may be looked at.
        if (is_owned(v) || (is_pointer(v) && v != kEmpty && i < extra->nlocalsplus)) visit(pointer_of(v), arg);
      }
    }
  });
}

}  // namespace

void install_root_visitor() { gc::visit_interpreter_stacks = visit_stacks; }

}  // namespace amphis
