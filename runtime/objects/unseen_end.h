// declare_unseen_end(&type): instances of this static type may become deferred (sync/deferred.h), for no program sees when
// they end. For the modules, once each; what is in objects/ is known already.
#pragma once

#include "Python.h"

namespace amphis {

void declare_unseen_end(PyTypeObject* type);

}  // namespace amphis
