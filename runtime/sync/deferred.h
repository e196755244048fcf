// sync::is_deferred(obj): references to the object from registers are not counted; the collector scans frames for them
// and is the only one to free it. sync::set_deferred(obj) makes a collector-tracked object so, a fresh one or one that
// the caller holds a reference to. Meant for what many threads call at once: functions, code objects, modules, classes.
// GIL build: no object is deferred.
// References from other places are counted, but by each thread for itself, and summed up by the collector
// (settle_deferred_counts): threads that pass a deferred object around write no cache line in turn.
//
// Built-in containers and instances of classes made in Python become deferred when a thread that does not own them has
// counted for them some 64 times: two threads that read one object would otherwise write its count in turn, which is slower than
// all the rest. The collector, not the last reference, then ends their life; so this never happens to objects with a
// finalizer or a weak reference, whose end a program can see, and a thread makes at most 1024 objects deferred between
// two collections. Strings, numbers and the like, which the collector does not know, become immortal instead, up to 1 MiB of
// them in the life of a process.
#pragma once

#include "sync/variant.h"
#include AMPHIS_SYNC(deferred)
