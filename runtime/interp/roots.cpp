// The collector's view of the interpreter's stacks: what registers hold without a count.
#include "gc/roots.h"

#include "interp/frame.h"
#include "sync/interpreter_state.h"

namespace amphis {

namespace {

void visit_register(Value v, visitproc visit, void* arg) {
  if (is_owned(v)) {
    visit(pointer_of(v), arg);
  } else if (is_pointer(v) && v != kEmpty) {
    gc::visit_uncounted(pointer_of(v), visit, arg);  // a dead temporary may be stale: this allows for it
  }
}

void visit_stacks(visitproc visit, void* arg) {
  for_each_thread([=](ThreadState* ts) {
    for (Frame* f = current_frame(ts); f != nullptr; f = f->prev) {
      visit_register(f->function, visit, arg);
      // The function may have got another one meanwhile.
      gc::visit_uncounted(reinterpret_cast<PyObject*>(f->code), visit, arg);
      if (f->flags & kFrameGenerator) continue;
      const CodeExtra* extra = code_extra(f->code);
      for (uint32_t i = 0; i < extra->register_count; ++i) visit_register(f->regs[i], visit, arg);
    }
  });
}

}  // namespace

void install_root_visitor() { gc::visit_interpreter_stacks = visit_stacks; }

}  // namespace amphis
