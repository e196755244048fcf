// What thunks.cpp gives to watch.cpp. For this folder only.
#pragma once

#include "checked/checked.h"

#if AMPHIS_CHECKED

#include <vector>

namespace amphis::checked {

struct Redirection {
  const char* name;
  void* function;  // as the runtime itself calls it
  void* thunk;
};

// Sorted by name.
const std::vector<Redirection>& redirections();

}  // namespace amphis::checked

#endif
