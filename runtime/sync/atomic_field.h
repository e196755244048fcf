// Access to a plain field of a public struct with the memory order in the name: sync::load_relaxed(field),
// load_acquire, store_relaxed, store_release, exchange, compare_exchange, fetch_add, fetch_or, fetch_and; and
// settle_reads(): what was read before it was read before anything after it is. In the GIL
// build these are plain loads and stores: use std::atomic for what threads touch while detached.
#pragma once

#include "sync/variant.h"
#include AMPHIS_SYNC(atomic_field)
