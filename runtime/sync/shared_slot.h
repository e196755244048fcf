// sync::get_ref(&slot): a strong reference (or null) from a slot that another thread may be writing. The memory of the
// slot itself must be freed by retire() only. sync::get_ref(&slot, owner) is the form for items of containers: where a
// lock-free read does not succeed it takes ObjectLock(owner), which writers of the slot must hold.
//   sync::set_slot(&slot, ref)       stores with release; the old reference is dropped
//   sync::exchange_slot(&slot, ref)  the same, and hands the old reference back
//   sync::exchange_slot_locked(&slot, ref)  the same under the owner's lock, where every reader names the owner
//   sync::try_incref(op)             a strong reference to an object that may be dying; false: it is dead
//   sync::publish(op)                from here on try_incref works from every thread (PyUnstable_EnableTryIncRef)
//   sync::allow_uncounted_reads(op)  from here on threads read the number or str from slots without counting
// get_ref(&slot) without an owner is always right, but the first read of an object that was never published by
// set_slot, exchange_slot or publish stops the world: slots read this way are written with these functions.
#pragma once

#include "sync/object_lock.h"
#include "sync/ref.h"
#include "sync/variant.h"
#include AMPHIS_SYNC(shared_slot)
