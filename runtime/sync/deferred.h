// sync::is_deferred(obj): references to the object from registers are not counted; the collector scans frames for them
// and is the only one to free it. sync::set_deferred(obj) makes a fresh, collector-tracked object so. Meant for what
// many threads call at once: functions, code objects, modules, classes. GIL build: no object is deferred.
#pragma once

#include "sync/variant.h"
#include AMPHIS_SYNC(deferred)
