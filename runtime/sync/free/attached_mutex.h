// Free-threaded build of sync::AttachedMutex: protects data that only attached threads touch, never across a detach.
#pragma once

#include "sync/mutex.h"

namespace amphis::sync {

class AttachedMutex : public Mutex {};

}  // namespace amphis::sync
