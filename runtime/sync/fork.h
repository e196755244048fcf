// Owns what happens around fork(): only the forking thread lives on in the child, so the runtime holds its own locks
// across the fork and starts them afresh in the child. Others add their part with add_fork_hooks.
#pragma once

namespace amphis::sync {

// Each may be null. before: in reverse order of registration, attached, Python code allowed; parent and child: in
// order, attached. Registration happens at start-up only.
struct ForkHooks {
  void (*before)();
  void (*parent)();
  void (*child)();
};
void add_fork_hooks(const ForkHooks& hooks);

}  // namespace amphis::sync
