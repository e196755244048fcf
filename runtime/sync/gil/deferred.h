// GIL build of sync/deferred.h: counting is cheap enough.
#pragma once

#include "Python.h"

namespace amphis::sync {

inline bool is_deferred(PyObject*) { return false; }
inline bool set_deferred(PyObject*) { return false; }
inline void settle_deferred_counts() {}
inline void renew_deferrals() {}
inline void set_deferral_policy(bool (*)(PyObject*), size_t (*)(PyObject*)) {}

}  // namespace amphis::sync
